"""The page of the fleet without a browser: its tables to fill in, its slow answers, its files."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from planner.catalogue import load_catalogue
from planner.errors import InvalidScenario
from planner.plan import evaluate
from planner.scenario import Scenario, field_schema, load_example, row_schema
from planner.scenario.portfolio import MOST_WORKLOADS
from planner.workbook import Dashboard, carve_and_place, will_it_fit
from planner.workbook.background import FAILED, Background
from planner.workbook.choices import CHOICES
from planner.workbook.controls import control
from planner.workbook.rows import (
    HOSTS,
    NOUNS,
    PRESETS,
    WORKLOADS,
    cell_of,
    edited,
    place_of,
    rows_of,
)
from planner.workbook.sections import FLEET, FLEET_SECTIONS, ORDERS

CATALOGUE = load_catalogue()
KINDS = {"text", "choice", "search", "slider", "number", "switch"}
every_table = pytest.mark.parametrize("table", NOUNS)


class Screen(Dashboard):
    """A dashboard whose answers stay here."""

    def __init__(self, dashboard: Dashboard) -> None:
        self.sent: list[dict[str, Any]] = []
        super().__init__(dashboard.page, dashboard.state)

    def send(self, content: Any, buffers: Any = None) -> None:
        self.sent.append(content)

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send one request; its only answer, as it comes out of the wire."""
        self.sent.clear()
        self.receive({"seq": 1, **request})
        (content,) = self.sent
        return json.loads(json.dumps(content, allow_nan=False))

    def until_done(self, name: str) -> list[dict[str, Any]]:
        """Start a slow answer and ask after it as the page does; everything that was told."""
        told = [self.ask(kind="job", id=name, action="start")]
        deadline = time.monotonic() + 60.0
        while told[-1]["status"] == "running":
            assert time.monotonic() < deadline
            told.append(self.ask(kind="job", id=name, action="more"))
        return told


@pytest.fixture
def fleet() -> Screen:
    return Screen(carve_and_place(load_example("shared-fleet")))


@pytest.fixture
def bare() -> Screen:
    """A page whose tables are empty."""
    return Screen(carve_and_place())


def names(frame: dict[str, Any], table: str = WORKLOADS) -> list[str]:
    return [row["name"] for row in frame["values"][table]]


def row(frame: dict[str, Any], name: str, table: str = WORKLOADS) -> dict[str, Any]:
    return frame["values"][table][names(frame, table).index(name)]


# ---------------------------------------------------------------- the page


def test_the_page_asks_for_every_field_of_the_fleet() -> None:
    shown = [path for paths in FLEET_SECTIONS.values() for path in paths]
    assert len(shown) == len(set(shown))
    assert set(FLEET) <= {*shown, *ORDERS}
    for path in FLEET:
        if field_schema()[path]["choices"]:
            assert path in CHOICES


@every_table
def test_every_field_of_a_row_has_a_control(table: str) -> None:
    made = control(table, CATALOGUE)
    assert made["kind"] == "rows" and made["noun"] and made["presets"]
    fields = {one["name"]: one for one in made["fields"]}
    assert list(fields) == list(row_schema(table))
    for name, one in fields.items():
        entry = row_schema(table)[name]
        assert one["label"] == entry["label"] and one["help"] == entry["description"]
        assert one["kind"] in KINDS and one["default"] == entry["default"]
        if one["kind"] in ("slider", "number"):
            assert (one["min"], one["max"]) == (entry["minimum"], entry["maximum"])
        if one["kind"] in ("choice", "search"):
            values = [option["value"] for option in one["options"]]
            assert entry["default"] in values and len(values) == len(set(values)) > 1
            assert all(option["label"] for option in one["options"])
        if entry["choices"] and isinstance(entry["choices"][0], str):
            assert set(CHOICES[f"{table}.{name}"]) == set(entry["choices"])
        if "shown_when" in one:
            other = fields[one["shown_when"]["path"]]
            assert set(one["shown_when"]["values"]) <= {o["value"] for o in other["options"]}


@every_table
def test_every_row_to_start_from_can_be_planned(table: str) -> None:
    """Alone, twice, and whatever GPU is at hand; nothing raises what a person could not read."""
    for preset in PRESETS[table]:
        once = edited(Scenario(), table, "add", preset=preset)
        twice = edited(once, table, "add", preset=preset)
        assert [one["name"] for one in rows_of(twice, table)] == [preset, f"{preset} 2"]
        plan = evaluate(twice, CATALOGUE)
        for one in plan.portfolio.workloads:
            assert one.tool is not None or one.reason.endswith(".")


def test_both_teams_read_the_first_frame(fleet: Screen) -> None:
    frame = fleet.ask(kind="hello")
    assert frame["error"] is None and not frame["stale"]
    assert {"both", "data science", "infrastructure"} == {
        item["audience"] for item in frame["headlines"]
    }
    for item in frame["headlines"]:
        if item["why"]:
            told = fleet.ask(kind="why", id=item["why"])
            assert told["kind"] == "why" and told["title"] and told["formula"]
    for name, chart in frame["charts"].items():
        assert chart["caption"], name


# ---------------------------------------------------------------- rows


def test_rows_are_added_copied_moved_and_taken_away(bare: Screen) -> None:
    def act(action: str, **more: Any) -> list[str]:
        return names(bare.ask(kind="rows", path=WORKLOADS, action=action, **more))

    assert act("add", preset="Notebooks") == ["Notebooks"]
    assert act("add") == ["Notebooks", "New workload"]
    assert act("copy", row=0) == ["Notebooks", "Notebooks 2", "New workload"]
    assert act("move", row=2, to=0) == ["New workload", "Notebooks", "Notebooks 2"]
    assert act("remove", row=1) == ["New workload", "Notebooks 2"]
    for wanted in (3, 3, 2, 1, 0):
        assert len(bare.ask(kind="undo")["values"][WORKLOADS]) == wanted
    assert names(bare.ask(kind="redo")) == ["Notebooks"]


def test_a_cell_is_changed_and_its_row_says_how_it_fares(bare: Screen) -> None:
    bare.ask(kind="rows", path=WORKLOADS, action="add", preset="Notebooks")
    frame = bare.ask(kind="set", path=f"{WORKLOADS}/0/people", value=40.0)
    assert row(frame, "Notebooks")["people"] == 40
    (said,) = frame["rows"][WORKLOADS]
    assert said["text"].startswith("Notebooks of 40 people:") and said["tone"] in ("good", "bad")
    seats = next(
        one for one in bare.state.plan.portfolio.workloads if one.row.name == "Notebooks"
    ).tool
    assert seats.label in said["text"].replace("\u00a0", " ")


def test_a_drag_in_a_cell_is_one_step_of_undo_and_another_cell_another(bare: Screen) -> None:
    bare.ask(kind="rows", path=WORKLOADS, action="add", preset="Notebooks")
    for at, people in ((1000, 30), (1200, 40), (1400, 50)):
        bare.ask(kind="set", path=f"{WORKLOADS}/0/people", value=people, at=at)
    bare.ask(kind="set", path=f"{WORKLOADS}/0/slice_gib", value=20, at=1500)
    assert row(bare.ask(kind="undo"), "Notebooks")["people"] == 50
    assert "people" not in row(bare.ask(kind="undo"), "Notebooks"), "back at the default"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("people", -1, "at least 1"),
        ("people", "many", "whole number"),
        ("at_work_fraction", 3, "at most 1"),
        ("name", "", "not be empty"),
        ("shape", "weather", "weather"),
        ("people", {"a": 1}, "whole number"),
        ("people", None, "whole number"),
    ],
)
def test_a_bad_value_is_told_beside_its_field(
    bare: Screen, name: str, value: Any, said: str
) -> None:
    bare.ask(kind="rows", path=WORKLOADS, action="add", preset="Chat assistant")
    before = bare.ask(kind="rows", path=WORKLOADS, action="add", preset="Notebooks")
    frame = bare.ask(kind="set", path=f"{WORKLOADS}/1/{name}", value=value)
    error = frame["error"]
    assert (error["path"], error["row"], error["name"]) == (WORKLOADS, 1, name)
    assert said in error["text"] and error["text"].endswith(".") and "\n" not in error["text"]
    assert frame["values"] == before["values"] and not frame["stale"]
    mended = bare.ask(kind="set", path=f"{WORKLOADS}/1/people", value=5)
    assert mended["error"] is None


def test_two_rows_of_one_name_are_told_at_the_second(bare: Screen) -> None:
    bare.ask(kind="rows", path=WORKLOADS, action="add", preset="Chat assistant")
    bare.ask(kind="rows", path=WORKLOADS, action="add", preset="Notebooks")
    frame = bare.ask(kind="set", path=f"{WORKLOADS}/1/name", value="chat assistant")
    assert frame["error"]["row"] == 1 and frame["error"]["name"] == "name"
    assert "there twice" in frame["error"]["text"]


@pytest.mark.parametrize(
    "request_",
    [
        {"kind": "rows"},
        {"kind": "rows", "path": [1], "action": "add"},
        {"kind": "rows", "path": WORKLOADS, "action": "explode"},
        {"kind": "rows", "path": WORKLOADS, "action": "remove", "row": 0},
        {"kind": "rows", "path": WORKLOADS, "action": "remove", "row": True},
        {"kind": "rows", "path": WORKLOADS, "action": "move", "row": {}, "to": None},
        {"kind": "rows", "path": "workload.model", "action": "add"},
        {"kind": "set", "path": f"{WORKLOADS}/0/people", "value": 1},
        {"kind": "set", "path": f"{WORKLOADS}/0/__class__", "value": 1},
        {"kind": "set", "path": f"{HOSTS}/-1/gpus", "value": 1},
        {"kind": "job", "id": "orders2", "action": "start"},
        {"kind": "job", "id": ["orders"], "action": "start"},
        {"kind": "download", "format": "placement", "id": "../secrets"},
    ],
)
def test_what_the_page_cannot_have_meant_is_refused_with_a_sentence(
    bare: Screen, request_: dict[str, Any]
) -> None:
    frame = bare.ask(**request_)
    assert frame["kind"] == "frame" and frame["error"]["text"].endswith(".")
    assert "wrong in the workbook" not in frame["error"]["text"]
    assert frame["values"][WORKLOADS] == []


def test_a_preset_that_is_none_adds_a_bare_row(bare: Screen) -> None:
    frame = bare.ask(kind="rows", path=HOSTS, action="add", preset={"a": 1})
    assert names(frame, HOSTS) == ["New group"]


def test_a_full_table_takes_no_more() -> None:
    rows = [{"name": f"w{i}", "shape": "notebooks"} for i in range(MOST_WORKLOADS)]
    full = Scenario().changed({WORKLOADS: rows})
    with pytest.raises(InvalidScenario, match="at most 60; remove one first"):
        edited(full, WORKLOADS, "add")
    assert len(rows_of(edited(full, WORKLOADS, "remove", row=3), WORKLOADS)) == MOST_WORKLOADS - 1


def test_numbered_names_stay_within_their_length() -> None:
    long = Scenario().changed({WORKLOADS: [{"name": "x" * 40}, {"name": "y 9"}, {"name": "y 2"}]})
    told = edited(edited(long, WORKLOADS, "copy", row=0), WORKLOADS, "copy", row=2)
    found = [one["name"] for one in rows_of(told, WORKLOADS)]
    assert found == ["x" * 40, "x" * 35 + " 2", "y 9", "y 3", "y 2"]


@pytest.mark.parametrize("path", ["portfolio.workloads/0", "portfolio.workloads/0/x", 5, None, ""])
def test_only_cells_are_cells(path: Any) -> None:
    assert cell_of(path) is None


def test_a_sentence_without_a_row_is_about_what_was_changed() -> None:
    assert place_of("Something else.") == {}
    assert place_of("Twice.", (HOSTS, 2, "name")) == {"path": HOSTS, "row": 2, "name": "name"}


def test_the_tables_reach_other_pages_and_links(bare: Screen) -> None:
    frame = bare.ask(kind="rows", path=WORKLOADS, action="add", preset="Notebooks")
    other = Screen(will_it_fit()).ask(kind="open", query=frame["query"])
    assert names(other) == ["Notebooks"] and other["rows"] == {} and other["files"] is None


# ---------------------------------------------------------------- what cannot be


def test_a_row_that_cannot_be_sized_is_told_in_its_line_and_the_page_goes_on(bare: Screen) -> None:
    bare.ask(kind="rows", path=WORKLOADS, action="add", preset="Chat assistant")
    frame = bare.ask(kind="set", path=f"{WORKLOADS}/0/model", value="nobody/no-such-model")
    if frame["error"]:
        assert frame["stale"] and frame["error"]["text"].endswith((".", "?"))
        assert frame["rows"][WORKLOADS][0] == {"text": "Serving 3,000 requests/h", "tone": ""}
    else:
        assert frame["rows"][WORKLOADS][0]["tone"] == "bad"
    assert bare.ask(kind="undo")["rows"][WORKLOADS][0]["tone"] == "good"


@pytest.mark.parametrize(
    ("group", "name"),
    [({"gpu": "no-such-gpu"}, ""), ({"gpu": "l40s-48gb", "carving": "mig"}, "carving")],
)
def test_hosts_that_cannot_be_are_told_at_their_row(group: dict[str, Any], name: str) -> None:
    first = {"name": "good"}
    asked = Scenario().changed({HOSTS: [first, {"name": "bad", **group}]})
    frame = carve_and_place(asked).first
    assert frame["stale"] and frame["headlines"], "the last good plan stays"
    assert (frame["error"]["path"], frame["error"]["row"]) == (HOSTS, 1)
    assert frame["error"]["name"] == name
    assert names(frame, HOSTS) == ["good", "bad"]


def test_an_embedding_model_of_its_own_leaves_the_rest_standing(fleet: Screen) -> None:
    before = fleet.ask(kind="hello")
    frame = fleet.ask(kind="set", path="workload.model", value="BAAI/bge-m3")
    assert frame["headlines"] and "Traceback" not in json.dumps(frame)
    assert frame["error"] is None or frame["error"]["text"].endswith((".", "?"))
    assert len(frame["rows"][WORKLOADS]) == len(before["rows"][WORKLOADS])


def test_a_fleet_that_is_too_small_says_so(bare: Screen) -> None:
    bare.ask(kind="rows", path=WORKLOADS, action="add", preset="Notebooks")
    bare.ask(kind="set", path=f"{WORKLOADS}/0/people", value=10_000)
    frame = bare.ask(kind="hello")
    assert frame["error"] is None
    assert frame["rows"][WORKLOADS][0]["tone"] == "bad"
    assert "bad" in {item["tone"] for item in frame["headlines"]}


def test_nothing_at_all_is_no_failure(bare: Screen) -> None:
    frame = bare.ask(kind="set", path="portfolio.include_main", value=False)
    assert frame["error"] is None and not frame["stale"]
    assert set(frame["charts"]) <= {chart["id"] for chart in bare.page["charts"]}


# ---------------------------------------------------------------- slow answers


def test_orders_are_tried_and_told(fleet: Screen) -> None:
    fleet.ask(kind="set", path="portfolio.orders", value=40)
    told = fleet.until_done("orders")
    assert told[0] == {"kind": "job", "seq": 1, "id": "orders", "status": "running", "progress": 0}
    done = told[-1]
    assert done["status"] == "done" and "40 orders" in done["verdict"]
    assert done["tone"] in ("good", "warn", "bad") and done["chart"]["caption"]
    assert "orders" in fleet.ask(kind="hello")["fresh"]
    assert "orders" not in fleet.ask(kind="set", path="portfolio.seed", value=9)["fresh"]
    assert "orders" in fleet.ask(kind="undo")["fresh"]


def test_the_proof_is_told_with_its_bound(bare: Screen) -> None:
    done = bare.until_done("proof")[-1]
    assert done["status"] == "done" and done["verdict"].startswith("Proven")
    assert [line[0] for line in done["rows"]] == ["Pieces placed", "Hosts in use"]


def test_a_slow_answer_can_be_cancelled_and_outlived(fleet: Screen) -> None:
    fleet.ask(kind="set", path="portfolio.orders", value=10_000)
    assert fleet.ask(kind="job", id="orders", action="start")["status"] == "running"
    assert fleet.ask(kind="job", id="orders", action="cancel")["status"] == "cancelled"
    assert fleet.ask(kind="job", id="orders", action="more")["status"] == "cancelled"
    fleet.ask(kind="job", id="orders", action="start")
    fleet.ask(kind="set", path="portfolio.seed", value=2)
    assert fleet.ask(kind="job", id="orders", action="more")["status"] == "outdated"


def test_work_in_the_background_stops_when_nobody_wants_it() -> None:
    started, seen = threading.Event(), []

    def work(progress: Any) -> str:
        while progress(len(seen), 1000):
            seen.append(1)
            started.set()
            time.sleep(0.001)
        return "half"

    running = Background(work)
    assert started.wait(5.0)
    running.cancel()
    running.wait(5.0)
    assert (running.status, running.result) == ("cancelled", None)
    assert 0 < len(seen) < 1000


def test_what_fails_in_the_background_is_a_sentence() -> None:
    def refuse(progress: Any) -> None:
        raise InvalidScenario("Not so.")

    def break_down(progress: Any) -> None:
        raise ZeroDivisionError

    for work, text in ((refuse, "Not so."), (break_down, FAILED)):
        failed = Background(work)
        failed.wait(5.0)
        assert (failed.status, failed.text) == ("failed", text)


# ---------------------------------------------------------------- files


def test_the_placement_is_taken_along(fleet: Screen) -> None:
    frame = fleet.ask(kind="hello")
    kinds = [file["name"].rpartition(".")[2] for file in frame["files"]]
    assert "csv" in kinds and len(kinds) >= 2
    for file in frame["files"]:
        told = fleet.ask(kind="download", format="placement", id=file["name"])
        assert told["kind"] == "download" and told["name"] == file["name"] and told["mime"]
        assert told["text"].strip() and file["label"]


@pytest.mark.parametrize("name", ["fleet-tools", "fleet-workloads", "fleet-hosts", "fleet-rules"])
def test_a_table_is_downloaded_as_it_stands(fleet: Screen, name: str) -> None:
    shown = fleet.ask(kind="hello")["charts"][name]["rows"]
    told = fleet.ask(kind="download", format="table", id=name)
    assert told["name"] == f"{name}.csv" and told["mime"] == "text/csv"
    assert len(told["text"].splitlines()) >= len(shown) + 1
