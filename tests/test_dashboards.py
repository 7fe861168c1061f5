"""The dashboards in process: what they send to the page, and what they answer to it."""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from planner.catalogue import load_catalogue, load_trace, trace_ids, week_shapes
from planner.demand import profile_from_text, profile_log
from planner.errors import PlannerError
from planner.plan import evaluate, served_by, simulation_steps_of
from planner.report import cost_headlines, headlines, speed_headlines, value_headlines
from planner.scenario import EXAMPLES, FIELDS, Scenario, field_schema, load_example, row_schema
from planner.units import format_seconds
from planner.workbook import (
    Dashboard,
    controls,
    dashboards,
    how_fast_how_many,
    on_demand,
    own_rent_or_call,
    start_here,
    will_it_fit,
)
from planner.workbook.choices import CHOICES
from planner.workbook.controls import control
from planner.workbook.panels import CONFIG, QUOTES
from planner.workbook.rows import NOUNS, rows_of
from planner.workbook.sections import DEMAND_SECTIONS, FLEET, MONEY_SECTIONS
from planner.workbook.uploads import LOG, LOG_LIMIT_BYTES

BUILDERS = {
    "will-it-fit": will_it_fit,
    "how-fast-how-many": how_fast_how_many,
    "own-rent-or-call": own_rent_or_call,
    "start-here": start_here,
}
DEMAND = {path for paths in DEMAND_SECTIONS.values() for path in paths}
MONEY = {path for paths in MONEY_SECTIONS.values() for path in paths}
NOT_SHOWN = {
    "will-it-fit": {"title", "description", "deployment.hosts", *FLEET} | DEMAND | MONEY,
    "how-fast-how-many": {"title", "description", "deployment.hosts", *FLEET} | MONEY,
    "own-rent-or-call": {"title", "description", "deployment.hosts", *FLEET}
    | set(MONEY_SECTIONS["The work and its worth"]),
    "start-here": {"description"},
}
FRAME = {
    "behind",
    "can_redo",
    "can_undo",
    "charts",
    "error",
    "files",
    "fresh",
    "headlines",
    "hints",
    "kind",
    "notice",
    "query",
    "rows",
    "seq",
    "stale",
    "values",
}
CHARTS = {"memory", "precisions", "map", "quality"}
CHARTS_OF = {
    "will-it-fit": CHARTS,
    "how-fast-how-many": {"trade_off", "step", "week", "growth"},
    "own-rent-or-call": {"cash", "crossing", "power", "parts", "venues", "rules", "prices"},
    "start-here": set(),
}
CONFIGS = sorted((Path(__file__).resolve().parents[1] / "data" / "model_configs").glob("*.json"))

KINDS = ("slider", "number", "choice", "search", "text", "file", "switch", "quotes", "rows")
"""Controls that the page's script can make."""

every_dashboard = pytest.mark.parametrize("name", BUILDERS)


class Screen(Dashboard):
    """A dashboard whose answers stay here."""

    def __init__(self, dashboard: Dashboard) -> None:
        self.sent: list[tuple[dict[str, Any], list[bytes] | None]] = []
        super().__init__(dashboard.page, dashboard.state)

    def send(self, content: Any, buffers: Any = None) -> None:
        self.sent.append((content, buffers))

    def ask(self, buffers: list[Any] | None = None, **request: Any) -> dict[str, Any]:
        """Send one request; its only answer, as it comes out of the wire."""
        self.sent.clear()
        self.receive(request, buffers)
        ((content, _),) = self.sent
        return through_the_wire(content)


def through_the_wire(content: Any) -> Any:
    """JSON there and back: finite numbers only, no tuples lost, whole characters."""
    return json.loads(json.dumps(content, allow_nan=False, ensure_ascii=False).encode("utf-8"))


def shown_values(scenario: Scenario) -> dict[str, Any]:
    """The fields as the page gets them: quotes by the id of their price, rows without defaults."""
    tables = {table: rows_of(scenario, table) for table in NOUNS}
    return {**scenario.values(), QUOTES: scenario.finance.quoted, **tables}


def carried(frame: dict[str, Any]) -> int:
    """Characters that the fields of a frame take on the wire."""
    return len(json.dumps(frame["values"]))


@pytest.fixture
def screen() -> Screen:
    return Screen(will_it_fit())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that the dashboard sees."""
    now = [1000.0]
    monkeypatch.setattr(dashboards.time, "monotonic", lambda: now[0])
    return now


# ---------------------------------------------------------------- the page


@every_dashboard
def test_page_and_first_frame_are_json(name: str) -> None:
    dashboard = BUILDERS[name]()
    assert through_the_wire(dashboard.page) == dashboard.page
    assert through_the_wire(dashboard.first) == dashboard.first
    assert set(dashboard.first) == FRAME and dashboard.first["seq"] == 0
    assert dashboard.page["id"] == name
    charts = {chart["id"] for chart in dashboard.page["charts"]}
    assert charts == set(dashboard.first["charts"]) == CHARTS_OF[name]
    assert all(chart["caption"].strip() for chart in dashboard.first["charts"].values())
    assert dashboard.first["error"] is None and not dashboard.first["stale"]
    assert {key for key, entry in dashboard.traits(sync=True).items()} >= {"page", "first"}
    dashboard.close()


@every_dashboard
def test_every_field_has_one_control(name: str) -> None:
    page = BUILDERS[name]().page
    controls = [one for section in page["sections"] for one in section["controls"]]
    paths = [one["path"] for one in controls]
    assert len(paths) == len(set(paths)), "no field is shown twice"
    assert set(paths) == set(FIELDS) - NOT_SHOWN[name]
    schema = field_schema()
    for one in controls:
        entry = schema[one["path"]]
        assert one["label"] == entry["label"] and one["help"] == entry["description"]
        assert one["team"] in ("data science", "infrastructure", "both")
        assert one["kind"] in KINDS
        if one["kind"] in ("slider", "number"):
            assert (one["min"], one["max"]) == (entry["minimum"], entry["maximum"])
            assert one["step"] > 0 and one["scale"] in ("linear", "log", "integer log")
        assert one.get("nullable", False) == entry["nullable"]
        if "shown_when" in one:
            assert one["shown_when"]["path"] in paths
    for section in page["sections"]:
        assert section["title"] and section["controls"]
        teams = {one["team"] for one in section["controls"]}
        assert section["team"] in ("data science", "infrastructure", "both")
        assert teams - {"both"} <= {section["team"]} or section["team"] == "both"


@every_dashboard
def test_the_links_are_notebooks(name: str, repository: Path) -> None:
    links = BUILDERS[name]().page["links"]
    assert [link["current"] for link in links].count(True) == 1
    for link in links:
        assert (repository / "notebooks" / link["href"]).is_file()
        assert link["title"] and link["lead"]


def options() -> list[tuple[str, Any]]:
    page = start_here().page
    return [
        (one["path"], option["value"])
        for section in page["sections"]
        for one in section["controls"]
        for option in one.get("options", [])
    ]


@pytest.mark.parametrize("path", sorted({path for path, _ in options()}))
def test_every_choice_has_a_plan_or_a_sentence(path: str) -> None:
    """Each option, alone and on other hardware; nothing raises what a person could not read."""
    catalogue, answered = load_catalogue(), 0
    chosen = [value for one, value in options() if one == path]
    assert len(chosen) == len(set(chosen)) > 1
    if len(chosen) > 100:  # of hundreds of grids and APIs, which differ in prices only
        chosen = chosen[::12]
    bases = [
        {"workload.context_tokens": 512, "workload.model_source": "catalogue"},
        {
            "workload.context_tokens": 512,
            "deployment.gpu": "l40s-48gb",
            "workload.model": "Qwen/Qwen3-8B",
            "deployment.engine": "vllm",
        },
        {
            "workload.context_tokens": 512,
            "deployment.gpu": "mi300x-192gb",
            "deployment.weight_precision": "bf16",
        },
    ]
    for base in bases:
        for value in chosen:
            scenario = Scenario().changed({**base, path: value})
            try:
                plan = evaluate(scenario, catalogue)
            except PlannerError as error:
                assert str(error).endswith((".", "?")) and "\n" not in str(error)
            else:
                answered += 1
                json.dumps(plan.to_dict(), allow_nan=False)
                assert plan.fit.gpus >= 1
    assert answered >= len(chosen), f"{path}: too few options have a plan"


def test_every_option_can_be_told_from_the_others() -> None:
    for section in start_here().page["sections"]:
        for one in section["controls"]:
            labels = [(option["group"], option["label"]) for option in one.get("options", [])]
            assert len(labels) == len(set(labels)), one["path"]
            assert all(label for _, label in labels)


# ---------------------------------------------------------------- requests and answers


@pytest.mark.parametrize(
    "request_",
    [
        {"kind": "hello"},
        {"kind": "set", "path": "workload.context_tokens", "value": 8192},
        {"kind": "set", "path": "workload.context_tokens", "value": -1},
        {"kind": "undo"},
        {"kind": "redo"},
        {"kind": "reset"},
        {"kind": "open", "query": "nonsense"},
        {"kind": "upload", "what": "scenario", "name": "a.yaml", "text": "title: A"},
        {"kind": "upload", "what": "config", "name": "a.json", "text": "nonsense"},
        {"kind": "download", "format": "yaml"},
        {"kind": "why", "id": "fit.gpus"},
        {"kind": "why", "id": "nonsense"},
        {"kind": "simulate", "action": "start"},
        {"kind": "simulate", "action": "more"},
        {"kind": "simulate"},
        {"kind": "served"},
        {"kind": "choose", "row": {"model": "Qwen/Qwen3-8B", "precision": "bf16"}},
        {"kind": "choose", "row": [1]},
        {"kind": "choose", "row": {"model": 5, "precision": None}},
        {"kind": "nonsense"},
    ],
    ids=str,
)
def test_one_answer_with_the_requests_number(request_: dict, screen: Screen) -> None:
    for seq in (1, 2, 70_000):
        answer = screen.ask(**request_, seq=seq)
        assert answer["seq"] == seq
        if answer["kind"] == "frame":
            assert set(answer) == FRAME
            assert set(answer["values"]) == set(FIELDS)


def test_only_changed_charts_are_sent(screen: Screen) -> None:
    assert screen.ask(kind="set", seq=1, path="title", value="A")["charts"] == {}
    same = screen.ask(kind="set", seq=2, path="title", value="A")
    assert same["charts"] == {} and same["values"]["title"] == "A"
    frame = screen.ask(kind="set", seq=3, path="workload.context_tokens", value=65_536)
    assert "memory" in frame["charts"] and "quality" not in frame["charts"]
    before = frame["charts"]["memory"]
    assert screen.ask(kind="undo", seq=4)["charts"]["memory"] != before
    assert screen.ask(kind="redo", seq=5)["charts"]["memory"] == before
    assert screen.ask(kind="set", seq=6, path="deployment.gpu", value="tpu-v6e")["charts"] == {}


def test_a_view_that_opens_later_gets_everything(screen: Screen) -> None:
    screen.ask(kind="set", seq=1, path="workload.context_tokens", value=8192)
    frame = screen.ask(kind="hello", seq=2)
    assert set(frame["charts"]) == CHARTS and frame["error"] is None
    assert frame["values"]["workload.context_tokens"] == 8192 and frame["can_undo"]


def test_open_shows_the_links_scenario_with_all_charts(screen: Screen) -> None:
    asked = load_example("code-assistance")
    screen.ask(kind="set", seq=1, path="workload.context_tokens", value=8192)
    frame = screen.ask(kind="open", seq=2, query=f"voila-theme=dark&{asked.to_query()}")
    assert frame["values"] == shown_values(asked) and frame["error"] is None
    assert set(frame["charts"]) == CHARTS
    assert frame["query"] == asked.to_query()
    assert not frame["can_undo"] and not frame["can_redo"]
    screen.ask(kind="set", seq=3, path="workload.context_tokens", value=4096)
    assert screen.ask(kind="reset", seq=4)["values"] == shown_values(asked), (
        "reset returns to the link"
    )


def test_the_frames_link_opens_the_same_picture(screen: Screen) -> None:
    frame = screen.ask(kind="set", seq=1, path="deployment.gpu", value="l40s-48gb")
    other = Screen(will_it_fit()).ask(kind="open", seq=1, query=frame["query"])
    assert other["values"] == frame["values"] and other["headlines"] == frame["headlines"]
    third = will_it_fit(Scenario.from_query(frame["query"]))
    assert through_the_wire(third.first)["charts"] == other["charts"]


@pytest.mark.parametrize("form", ["yaml", "json"])
@pytest.mark.parametrize("name", EXAMPLES)
def test_a_download_loads_back(name: str, form: str, tmp_path: Path) -> None:
    scenario = load_example(name)
    told = Screen(will_it_fit(scenario)).ask(kind="download", seq=1, format=form)
    assert told["kind"] == "download" and told["mime"] == f"application/{form}"
    path = tmp_path / told["name"]
    assert path.suffix == f".{form}" and path.parent == tmp_path
    path.write_text(told["text"], encoding="utf-8")
    assert Scenario.load(path) == scenario
    frame = Screen(will_it_fit()).ask(
        kind="upload", seq=1, what="scenario", name=told["name"], text=told["text"]
    )
    assert frame["values"] == shown_values(scenario)


@pytest.mark.parametrize("title", ["", "...", "../../etc/passwd", "a\nb", "ÄÖ ☃", "x" * 120])
def test_a_download_has_a_plain_name(title: str, screen: Screen) -> None:
    screen.ask(kind="set", seq=1, path="title", value=title)
    name = screen.ask(kind="download", seq=2, format="yaml")["name"]
    assert name.endswith(".yaml") and 5 < len(name) < 80
    assert not set(name) & set("/\\\n\"'<>:") and not name.startswith(".")


@every_dashboard
@pytest.mark.parametrize("example", EXAMPLES)
def test_every_why_is_answered_to_the_last_input(name: str, example: str) -> None:
    screen = Screen(BUILDERS[name](load_example(example)))
    frame = screen.ask(kind="hello", seq=1)
    waiting = [item["why"] for item in frame["headlines"] if item["why"]]
    plan, catalogue = screen.state.plan, screen.state.catalogue
    memory, speed, cost, value = (
        [headline.id for headline in said(plan, catalogue)]
        for said in (headlines, speed_headlines, cost_headlines, value_headlines)
    )
    wanted = {
        "will-it-fit": memory,
        "how-fast-how-many": speed,
        "own-rent-or-call": cost,
        "start-here": memory + speed[:4] + cost[:4] + value[:4],
    }
    assert waiting == wanted[name]
    asked: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path in asked:
            continue
        asked.add(path)
        told = screen.ask(kind="why", seq=2, id=path)
        assert told["kind"] == "why" and told["id"] == path
        assert told["title"] and told["formula"] and told["worked"] and told["basis"]
        assert str(told["value"]).strip()
        assert told["inputs"] or path not in ("fit.gpus", "memory.total_bytes")
        for one in told["inputs"]:
            assert one["name"] and one["source"] and one["basis"] and str(one["value"])
            if one["why"]:
                waiting.append(one["why"])
        for term in told["terms"]:
            assert term["name"] and term["data_science"] and term["infrastructure"]
    if name == "own-rent-or-call":
        assert {"cost.own_usd", "energy.pue", "cost.hosts", "prices"} <= asked
    elif name == "how-fast-how-many":
        assert {"serving.gpus", "serving.capacity_per_s", "demand.busiest_per_s"} <= asked
    else:
        assert {"fit.gpus", "quality", "memory.weights_bytes", "memory.kv_pool_bytes"} <= asked


def test_headlines_speak_to_both_teams(screen: Screen) -> None:
    items = screen.ask(kind="hello", seq=1)["headlines"]
    assert len({item["id"] for item in items}) == len(items)
    assert {"both", "data science", "infrastructure"} == {item["audience"] for item in items}
    for item in items:
        assert item["title"] and item["text"]
        assert item["tone"] in ("good", "warn", "bad", "plain")


def test_the_plotting_library_comes_from_the_kernel(screen: Screen) -> None:
    screen.sent.clear()
    screen.receive({"kind": "plotly", "seq": 9})
    ((content, buffers),) = screen.sent
    assert content == {"kind": "plotly", "seq": 9}
    assert len(buffers) == 1 and len(buffers[0]) > 500_000


# ---------------------------------------------------------------- values from a browser


@pytest.mark.parametrize(
    ("path", "value", "taken"),
    [
        ("workload.context_tokens", 8192.0, 8192),
        ("workload.context_tokens", 1e3, 1000),
        ("workload.concurrent_sequences", 64.0, 64),
        ("deployment.tensor_parallel", 4.0, 4),
        ("deployment.tensor_parallel", None, None),
        ("deployment.pipeline_parallel", 2.0, 2),
        ("deployment.gpus_per_host", 4.0, 4),
        ("deployment.engine_max_sequences", 256.0, 256),
        ("deployment.engine_max_sequences", None, None),
        ("deployment.engine_batched_tokens", 8192.0, 8192),
        ("workload.model_parameters", 7_000_000_000, 7e9),
        ("deployment.gpu_memory_utilization", 0.85, 0.85),
    ],
)
def test_numbers_as_a_browser_sends_them(path: str, value: Any, taken: Any, screen: Screen) -> None:
    """JavaScript has one kind of number, so 8192 may arrive as 8192.0."""
    screen.ask(kind="set", seq=1, path="deployment.engine_max_sequences", value=128)
    frame = screen.ask(kind="set", seq=2, path=path, value=value)
    assert frame["error"] is None
    found = screen.state.scenario.values()[path]
    assert found == taken and type(found) is type(taken)
    assert frame["values"][path] == taken


def test_a_drag_is_one_step_of_undo(screen: Screen, clock: list[float]) -> None:
    for seq, value in enumerate([20, 30, 40, 50], 1):
        screen.ask(kind="set", seq=seq, path="workload.concurrent_sequences", value=value)
        clock[0] += 0.05
    frame = screen.ask(kind="undo", seq=9)
    assert frame["values"] == shown_values(Scenario())
    assert not frame["can_undo"] and frame["can_redo"]


def test_two_changes_apart_in_time_or_field_are_two_steps(
    screen: Screen, clock: list[float]
) -> None:
    screen.ask(kind="set", seq=1, path="workload.concurrent_sequences", value=20)
    clock[0] += 5.0
    screen.ask(kind="set", seq=2, path="workload.concurrent_sequences", value=30)
    screen.ask(kind="set", seq=3, path="workload.context_tokens", value=8192)
    screen.ask(kind="set", seq=4, path="workload.concurrent_sequences", value=40)
    seen = [
        screen.ask(kind="undo", seq=seq)["values"]["workload.concurrent_sequences"]
        for seq in (5, 6, 7, 8)
    ]
    assert seen == [30, 30, 20, 16]


# ---------------------------------------------------------------- errors and stale plans


def test_after_an_error_the_values_are_the_last_valid_scenarios(screen: Screen) -> None:
    """The page keeps what was typed beside the sentence; everything else is consistent."""
    frame = screen.ask(kind="set", seq=1, path="workload.concurrent_sequences", value=-5)
    assert frame["error"]["path"] == "workload.concurrent_sequences"
    assert frame["values"] == shown_values(Scenario()) == shown_values(screen.state.scenario)
    assert Scenario.from_query(frame["query"]) == screen.state.scenario
    assert not frame["stale"] and any(frame["hints"].values())
    frame = screen.ask(kind="set", seq=2, path="workload.context_tokens", value=8192)
    assert frame["error"] is None
    assert frame["values"]["workload.concurrent_sequences"] == 16


def test_a_scenario_without_a_plan_is_shown_beside_the_last_good_plan(screen: Screen) -> None:
    good = screen.ask(kind="hello", seq=1)
    frame = screen.ask(kind="set", seq=2, path="deployment.gpu", value="tpu-v6e")
    assert frame["stale"] and "TPU v6e" in frame["error"]["text"]
    assert frame["values"]["deployment.gpu"] == "tpu-v6e"
    assert Scenario.from_query(frame["query"]).deployment.gpu == "tpu-v6e"
    assert frame["headlines"] == good["headlines"] and frame["charts"] == {}
    assert set(frame["hints"]) == set(good["hints"]) and not any(frame["hints"].values())
    refused = screen.ask(kind="set", seq=3, path="workload.context_tokens", value=-1)
    assert refused["stale"] and refused["error"]["path"] == "workload.context_tokens"
    again = screen.ask(kind="hello", seq=4)
    assert again["stale"] and again["error"] == refused["error"]
    assert set(again["charts"]) == CHARTS, "the last good picture, for a view that opens now"
    told = screen.ask(kind="why", seq=5, id="fit.gpus")
    assert "2" in told["value"], "why is asked of the plan on screen"
    frame = screen.ask(kind="undo", seq=6)
    assert not frame["stale"] and frame["error"] is None
    assert frame["hints"] == good["hints"]


def test_an_error_of_one_request_does_not_stay(screen: Screen) -> None:
    """A broken link or an unknown why is told once; the plan is not at fault."""
    assert screen.ask(kind="open", seq=1, query="s=1x")["error"]
    assert screen.ask(kind="hello", seq=2)["error"] is None
    assert screen.ask(kind="why", seq=3, id="x")["error"]
    assert screen.ask(kind="hello", seq=4)["error"] is None


# ---------------------------------------------------------------- uploads


@pytest.mark.parametrize("name", EXAMPLES)
def test_upload_of_an_example(name: str, repository: Path, screen: Screen) -> None:
    text = (repository / "data" / "scenarios" / f"{name}.yaml").read_text(encoding="utf-8")
    frame = screen.ask(kind="upload", seq=1, what="scenario", name=f"{name}.yaml", text=text)
    assert frame["notice"] == f"{name}.yaml is open." and frame["error"] is None
    assert frame["values"] == shown_values(load_example(name))
    changed = load_example(name) != Scenario()
    assert frame["can_undo"] == changed
    assert screen.ask(kind="undo", seq=2)["values"] == shown_values(Scenario())


def test_a_notice_is_told_once(repository: Path, screen: Screen) -> None:
    text = Scenario(title="B").to_text()
    assert screen.ask(kind="upload", seq=1, what="scenario", name="b.yaml", text=text)["notice"]
    assert screen.ask(kind="hello", seq=2)["notice"] is None
    assert screen.ask(kind="set", seq=3, path="title", value="C")["notice"] is None


def test_an_upload_without_a_plan_is_an_error_and_no_notice(screen: Screen) -> None:
    text = Scenario().changed({"deployment.gpu": "tpu-v6e"}).to_text()
    frame = screen.ask(kind="upload", seq=1, what="scenario", name="b.yaml", text=text)
    assert frame["notice"] is None and "TPU v6e" in frame["error"]["text"] and frame["stale"]


@pytest.mark.parametrize("path", CONFIGS[::12], ids=lambda path: path.stem)
def test_upload_of_a_real_config(path: Path, screen: Screen) -> None:
    text = path.read_text(encoding="utf-8")
    screen.ask(kind="set", seq=1, path="workload.concurrent_sequences", value=1)
    frame = screen.ask(kind="upload", seq=2, what="config", name=path.name, text=text)
    assert frame["error"] is None
    assert frame["notice"].startswith(f"{path.name} is read as ")
    assert frame["values"]["workload.model_source"] == "config"
    assert screen.state.scenario.workload.config_json == text
    assert screen.state.plan.model.total_parameters > 1e8
    assert frame["hints"][CONFIG].startswith("Read as ")
    frame = screen.ask(kind="set", seq=3, path="workload.model_source", value="catalogue")
    assert frame["error"] is None
    frame = screen.ask(kind="set", seq=4, path="workload.model_source", value="config")
    assert frame["error"] is None, "the text is kept"


def test_the_text_of_a_config_does_not_travel_with_every_frame(screen: Screen) -> None:
    text = CONFIGS[-1].read_text(encoding="utf-8")
    frame = screen.ask(kind="upload", seq=1, what="config", name="config.json", text=text)
    assert frame["values"][CONFIG] == f"config.json, {len(text):,} characters"
    assert len(text) > 500 and carried(frame) < carried({"values": shown_values(Scenario())}) + 100
    told = screen.ask(kind="download", seq=2, format="yaml")
    assert Scenario.from_text(told["text"]).workload.config_json == text


def test_every_real_config_is_read(screen: Screen) -> None:
    assert len(CONFIGS) > 50
    for path in CONFIGS:
        text = path.read_text(encoding="utf-8")
        frame = screen.ask(kind="upload", seq=1, what="config", name=path.name, text=text)
        assert frame["notice"] and not frame["error"], path.name


TRACE = "AzureLLMInferenceTrace_code_2023.csv"


def send_log(screen: Screen, content: bytes, name: str = "log.csv") -> dict[str, Any]:
    return screen.ask(kind="upload", seq=1, what="log", name=name, buffers=[memoryview(content)])


def test_upload_of_a_real_log(repository: Path, screen: Screen) -> None:
    """The published counts of this trace: 8,819 requests, 2,048 and 27.9 tokens (trace_stats)."""
    frame = send_log(screen, (repository / "data" / "traces" / TRACE).read_bytes(), TRACE)
    assert frame["error"] is None
    assert frame["notice"].startswith(f"{TRACE} is read: 8,819 requests in 57 minutes, 2.57 a ")
    assert "prompts of 2,048 and answers of 27.9 tokens." in frame["notice"]
    demand = screen.state.scenario.demand
    assert (demand.source, demand.log) == ("log", "uploaded")
    kept = profile_from_text(demand.log_profile)
    shipped = profile_log(load_trace("azure-2023-code"))
    assert kept.requests == shipped.requests == 8819
    assert kept.rate_per_s == pytest.approx(shipped.rate_per_s, rel=1e-5)
    assert kept.output_tokens.cv2 == pytest.approx(shipped.output_tokens.cv2, rel=1e-5)
    assert frame["values"][LOG].endswith(", 8,819 requests"), "its numbers do not travel"
    assert carried(frame) < carried({"values": shown_values(Scenario())}) + 100
    assert Scenario.from_query(frame["query"]) == screen.state.scenario
    assert screen.ask(kind="undo", seq=2)["values"] == shown_values(Scenario()), "one step"


def test_upload_of_a_log_in_parquet(screen: Screen, tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {"time": [0.0, 2.0, 9.0], "input_tokens": [5, 6, 7], "output_tokens": [1, 2, 3]}
    parquet.write_table(pa.table(columns), tmp_path / "log.parquet")
    frame = send_log(screen, (tmp_path / "log.parquet").read_bytes(), "log.parquet")
    assert frame["error"] is None and "3 requests in 9 s" in frame["notice"]


def test_what_was_left_out_of_a_log_is_told(screen: Screen) -> None:
    frame = send_log(screen, b"time,input_tokens,output_tokens\n0,9,1\n5,9,0\n9,9,3\n")
    assert frame["notice"].endswith("tokens. 1 requests without an answer left out.")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"when,what\n1,2\n", "no column of the time of arrival"),
        (b"time,input_tokens,output_tokens\n0,1,1\n", "at one time"),
        (b"time,input_tokens,output_tokens\nx,1,1\ny,1,1\n", "cannot be read"),
        (b"PK\x03\x04 a workbook", "a workbook or a zip archive"),
        (b"\0\xff" * 500, "no column"),
        (b"0" * (LOG_LIMIT_BYTES + 1), "larger than 8 MB"),
    ],
    ids=["empty", "columns", "one row", "words", "xlsx", "noise", "large"],
)
def test_a_log_that_cannot_be_read_is_one_sentence(
    content: bytes, said: str, screen: Screen
) -> None:
    before = screen.state.scenario
    frame = send_log(screen, content)
    assert said in frame["error"]["text"] and "\n" not in frame["error"]["text"]
    assert frame["error"]["text"].startswith("log.csv") and frame["error"]["path"] == LOG
    assert frame["notice"] is None and screen.state.scenario is before


@pytest.mark.parametrize("buffers", [None, [], [b""]], ids=str)
def test_a_log_without_content_is_one_sentence(buffers: Any, screen: Screen) -> None:
    frame = screen.ask(kind="upload", seq=1, what="log", buffers=buffers)
    assert "is empty" in frame["error"]["text"]
    forged = screen.ask(kind="upload", seq=2, what="log", text="time,input,output\n0,1,1\n2,1,1")
    assert "is empty" in forged["error"]["text"], "a log comes as bytes"


def test_a_profile_that_no_log_gave_is_shown_in_words(screen: Screen) -> None:
    """A link may carry any text; the page says so and shows none of it."""
    query = Scenario().changed({LOG: "<b>x</b>"}).to_query()
    frame = screen.ask(kind="open", seq=1, query=query)
    assert frame["values"][LOG] == "A log that cannot be read; choose another file"


def test_a_plan_too_large_for_a_link_has_none(screen: Screen) -> None:
    """The page then offers the file instead of a link that opens another plan."""
    text = Scenario().changed({LOG: os.urandom(10_000).hex()}).to_text()
    frame = screen.ask(kind="upload", seq=1, what="scenario", name="a.yaml", text=text)
    assert frame["error"] is None and frame["query"] == ""
    told = screen.ask(kind="download", seq=2, format="yaml")
    assert Scenario.from_text(told["text"]) == screen.state.scenario
    static = Path(dashboards.__file__).parent / "static"
    assert "too large for a link" in (static / "app.js").read_text("utf-8")


# ---------------------------------------------------------------- demand and service level


def test_the_demand_sections_show_every_field_of_theirs() -> None:
    paths = [path for paths in DEMAND_SECTIONS.values() for path in paths]
    wanted = {path for path in FIELDS if path.startswith(("demand.", "service_level."))}
    assert len(paths) == len(set(paths)) and set(paths) == wanted
    catalogue = load_catalogue()
    for title, inside in DEMAND_SECTIONS.items():
        made = controls.section(title, inside, catalogue)
        for one in made["controls"]:
            assert through_the_wire(one) == one
            assert one["help"] and one["kind"] in ("slider", "choice", "file")
            if one["kind"] == "slider":
                assert one["min"] < one["max"] and one["step"] > 0
            if "shown_when" in one:
                assert one["shown_when"]["path"] in inside or title == "The requests"
            if one["kind"] == "choice":
                values = [option["value"] for option in one["options"]]
                assert field_schema()[one["path"]]["default"] in values
                assert len({option["label"] for option in one["options"]}) == len(values) > 1


def test_every_choice_has_a_name() -> None:
    cells = {f"{table}.{n}": one for table in NOUNS for n, one in row_schema(table).items()}
    schema = {**field_schema(), **cells}
    for path, names in CHOICES.items():
        assert list(names) == schema[path]["choices"]
    fixed = {p for p in DEMAND if schema[p]["choices"]}
    assert fixed <= set(CHOICES)


def test_logs_and_weeks_are_the_catalogues_own() -> None:
    catalogue = load_catalogue()
    logs = [one["value"] for one in control("demand.log", catalogue)["options"]]
    assert logs == [*trace_ids(), "uploaded"]
    weeks = [one["value"] for one in control("demand.week_shape", catalogue)["options"]]
    assert weeks == list(week_shapes())


def test_engine_families_come_before_versions() -> None:
    catalogue = load_catalogue()
    values = [one["value"] for one in control("deployment.engine", catalogue)["options"]]
    families = list(catalogue.serving_engines)
    assert values[: len(families)] == families
    assert set(values) == set(families) | set(catalogue.engines)
    assert len(values) == len(set(values))


def test_seconds_between_words_are_shown_in_milliseconds() -> None:
    made = control("service_level.tpot_s", load_catalogue())
    assert (made["format"], made["unit"], made["min"]) == ("milliseconds", "ms", 0.005)
    assert "format" not in control("service_level.ttft_s", load_catalogue())


@pytest.mark.parametrize("path", sorted(DEMAND - {LOG}))
def test_demand_changes_from_a_browser(path: str, screen: Screen) -> None:
    """Every choice and both ends of every range, whole numbers written as 5.0 too."""
    made = control(path, load_catalogue())
    values = [one["value"] for one in made.get("options", [])]
    for value in values or [made["min"], made["max"], float(made["min"])]:
        frame = screen.ask(kind="set", seq=1, path=path, value=value)
        assert frame["error"] is None and frame["values"][path] == value
    if "min" in made:
        frame = screen.ask(kind="set", seq=2, path=path, value=2 * made["max"])
        assert frame["error"]["path"] == path and "at most" in frame["error"]["text"]


# ---------------------------------------------------------------- how fast, and how many?


@pytest.fixture
def fast() -> Screen:
    return Screen(how_fast_how_many())


def numbers(frame: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["id"]: item for item in frame["headlines"]}


def test_the_first_dashboard_does_not_compute_speed(screen: Screen) -> None:
    """Its slider steps stay as quick as they were."""
    screen.ask(kind="set", seq=1, path="workload.context_tokens", value=8192)
    assert screen.state.plan.make_speed.cache_info().misses == 0


def test_more_people_need_more_gpus(fast: Screen) -> None:
    seen = []
    for seq, people in enumerate([2000, 20_000, 200_000, 2_000_000], 1):
        frame = fast.ask(kind="set", seq=seq, path="demand.users", value=people)
        assert frame["error"] is None and not frame["stale"]
        seen.append(int(numbers(frame)["serving.gpus"]["value"].replace(",", "")))
        assert seen[-1] == fast.state.plan.serving.gpus
        assert {"step", "growth"} <= set(frame["charts"])
    assert seen == sorted(seen) and len(set(seen)) >= 3


def test_demand_that_cannot_be_read_leaves_the_last_good_picture(fast: Screen) -> None:
    good = fast.ask(kind="set", seq=1, path="demand.log", value="uploaded")
    assert good["error"] is None, "the log is not used yet"
    frame = fast.ask(kind="set", seq=2, path="demand.source", value="log")
    assert frame["stale"] and frame["error"]["path"] == LOG
    assert "No request log was given yet" in frame["error"]["text"]
    assert frame["headlines"] == good["headlines"] and frame["charts"] == {}
    assert not any(frame["hints"].values())
    mended = fast.ask(kind="set", seq=3, path="demand.log", value="azure-2023-code")
    assert mended["error"] is None and not mended["stale"] and mended["charts"]
    opened = Screen(how_fast_how_many(Scenario.from_query(frame["query"])))
    assert opened.state.stale and opened.state.error_path == LOG, "a link opens with the sentence"


def test_the_first_dashboard_does_not_mind_a_missing_log(screen: Screen) -> None:
    screen.ask(kind="set", seq=1, path="demand.log", value="uploaded")
    frame = screen.ask(kind="set", seq=2, path="demand.source", value="log")
    assert frame["error"] is None and not frame["stale"]


@pytest.mark.parametrize(
    ("path", "value", "bad"),
    [
        ("service_level.tpot_s", 0.005, "serving.user_tokens_per_s"),
        ("service_level.ttft_s", 0.05, "serving.ttft_s"),
    ],
)
def test_a_service_level_that_nothing_keeps(
    path: str, value: float, bad: str, fast: Screen
) -> None:
    """One GPU reads 70 GB of weights in 20 ms and such a prompt in 70 ms at the very best."""
    fast.ask(kind="set", seq=1, path="deployment.tensor_parallel", value=1)
    frame = fast.ask(kind="set", seq=2, path=path, value=value)
    plan, shown = fast.state.plan, numbers(frame)
    assert frame["error"] is None and not frame["stale"], "it is an answer, not a fault"
    gpus = shown["serving.gpus"]
    assert (gpus["value"], gpus["tone"], gpus["text"]) == ("None will do", "bad", plan.speed.reason)
    assert shown[bad]["tone"] == "bad"
    assert {"trade_off", "week", "growth"} <= set(frame["charts"])
    told = fast.ask(kind="why", seq=2, id="serving.gpus")
    assert told["value"] == "None will do" and plan.speed.reason in told["note"]
    fast.ask(kind="simulate", seq=3, action="start")
    failed = fast.ask(kind="simulate", seq=4, action="more")
    assert (failed["status"], failed["text"]) == ("failed", plan.speed.reason)


def test_an_uploaded_log_is_the_demand(repository: Path, fast: Screen) -> None:
    before = fast.ask(kind="hello", seq=0)
    frame = send_log(fast, (repository / "data" / "traces" / TRACE).read_bytes(), TRACE)
    assert frame["error"] is None and not frame["stale"]
    assert frame["hints"][LOG] == "prompts of 2,048 and answers of 28 tokens"
    assert numbers(frame)["demand.peak_per_s"] != numbers(before)["demand.peak_per_s"]
    shipped = evaluate(
        Scenario().changed({"demand.source": "log", "demand.log": "azure-2023-code"}),
        fast.state.catalogue,
    )
    assert fast.state.plan.serving.gpus == shipped.serving.gpus
    assert fast.state.plan.demand.peak_per_s == pytest.approx(shipped.demand.peak_per_s, rel=1e-4)


def run_simulation(screen: Screen) -> list[dict[str, Any]]:
    """Every answer from the start to the last."""
    told = [screen.ask(kind="simulate", seq=1, action="start")]
    while told[-1]["status"] == "running":
        told.append(screen.ask(kind="simulate", seq=len(told) + 1, action="more"))
        assert len(told) < 1000
    return told


def test_the_simulation_runs_in_slices(fast: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_demand, "SLICE_S", 0.0)
    told = run_simulation(fast)
    shares = [one["progress"] for one in told]
    assert len(told) > 10 and shares == sorted(shares) and shares[0] == 0 and shares[-1] == 1
    steps = simulation_steps_of(fast.state.plan)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            check = end.value
            break
    done = told[-1]
    assert done["status"] == "done" and done["verdict"] == check.verdict
    first, waiting, token = done["rows"]
    assert first[1:3] == [format_seconds(check.formula_ttft_s), format_seconds(check.ttft_s)]
    assert waiting[2] == format_seconds(check.waiting_s)
    assert token[1:3] == [format_seconds(check.formula_tpot_s), format_seconds(check.tpot_s)]
    shown = int(first[3].removesuffix(" %").replace("−", "-"))
    assert shown == pytest.approx(100 * (check.formula_ttft_s / check.ttft_s - 1), abs=0.5)


def test_sliders_move_between_slices(fast: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_demand, "SLICE_S", 0.0)
    assert fast.ask(kind="simulate", seq=1, action="start")["status"] == "running"
    assert fast.ask(kind="set", seq=2, path="title", value="B")["values"]["title"] == "B"
    assert fast.ask(kind="simulate", seq=3, action="more")["status"] == "running"
    frame = fast.ask(kind="set", seq=4, path="demand.users", value=5000)
    assert frame["values"]["demand.users"] == 5000
    assert fast.ask(kind="simulate", seq=5, action="more")["status"] == "outdated"
    assert fast.ask(kind="simulate", seq=6, action="more")["status"] == "cancelled"


def test_a_cancelled_simulation_is_gone(fast: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_demand, "SLICE_S", 0.0)
    fast.ask(kind="simulate", seq=1, action="start")
    assert fast.ask(kind="simulate", seq=2, action="cancel")["status"] == "cancelled"
    assert fast.ask(kind="simulate", seq=3, action="more")["status"] == "cancelled"
    assert fast.ask(kind="hello", seq=4)["fresh"] == []


def test_a_result_holds_until_the_scenario_changes(fast: Screen) -> None:
    assert run_simulation(fast)[-1]["status"] == "done"
    assert "error" not in fast.ask(kind="served", seq=1)
    assert fast.ask(kind="set", seq=2, path="title", value="B")["fresh"] == ["simulation", "served"]
    other = fast.ask(kind="set", seq=3, path="deployment.weight_precision", value="awq-int4")
    assert other["fresh"] == ["served"], "the table is of every format"
    assert fast.ask(kind="set", seq=4, path="demand.users", value=5000)["fresh"] == []
    fast.ask(kind="undo", seq=5)
    assert fast.ask(kind="undo", seq=6)["fresh"] == ["simulation", "served"]


def test_what_the_hosts_can_serve(fast: Screen) -> None:
    fast.ask(kind="set", seq=1, path="deployment.gpu", value="l40s-48gb")
    fast.ask(kind="set", seq=2, path="deployment.gpus_per_host", value=4)
    told = fast.ask(kind="served", seq=3)
    table = served_by(fast.state.scenario, fast.state.catalogue)
    assert [row["model"] for row in told["rows"]] == list(table.model_ids)
    assert [row["all"] for row in told["rows"]] == [bool(one) for one in table.feasible]
    assert all(len(row["cells"]) == len(told["heads"]) for row in told["rows"])
    assert "8 × L40S" in told["title"]
    people = [head["text"] for head in told["heads"]].index("People")
    assert told["rows"][0]["cells"][people] == f"{table.users[0]:,.0f}"
    before = fast.state.scenario
    for row in told["rows"][:3]:
        frame = fast.ask(kind="choose", seq=4, row=row)
        assert frame["error"] is None and frame["values"]["workload.model"] == row["model"]
        assert frame["values"]["deployment.weight_precision"] == row["precision"]
        assert frame["fresh"] == ["served"]
        assert fast.ask(kind="undo", seq=5)["values"] == shown_values(before), "one step"


def test_a_public_is_not_counted(fast: Screen) -> None:
    fast.ask(kind="set", seq=1, path="demand.source", value="population")
    told = fast.ask(kind="served", seq=2)
    assert "People" not in [head["text"] for head in told["heads"]] and told["rows"]


def test_the_table_is_answered_when_the_plan_is_not(fast: Screen) -> None:
    """A model that does not fit is when one asks what would."""
    fast.ask(kind="set", seq=1, path="deployment.gpu", value="l4-24gb")
    fast.ask(kind="set", seq=2, path="deployment.tensor_parallel", value=1)
    frame = fast.ask(kind="set", seq=3, path="deployment.pipeline_parallel", value=1)
    assert frame["stale"]
    told = fast.ask(kind="served", seq=4)
    assert told["rows"] and "L4" in told["title"]
    fast.ask(kind="set", seq=5, path="deployment.gpu", value="tpu-v6e")
    assert "TPU v6e" in fast.ask(kind="served", seq=6)["error"]


@pytest.mark.parametrize(
    "row", [None, [], "x", {}, {"model": "Qwen/Qwen3-8B"}, {"model": 1, "precision": 2}], ids=str
)
def test_a_row_that_is_none_is_refused(row: Any, fast: Screen) -> None:
    before = fast.state.scenario
    frame = fast.ask(kind="choose", seq=1, row=row)
    assert "chose a row" in frame["error"]["text"] and fast.state.scenario is before


# ---------------------------------------------------------------- the widget


def test_the_page_asks_only_what_is_answered() -> None:
    """Every kind of request in the page's script has an answer here."""
    static = Path(dashboards.__file__).parent / "static"
    script = "".join((static / name).read_text("utf-8") for name in dashboards.SCRIPTS)
    asked = set(re.findall(r"\bwire\.(?:ask|tell)\(\"(\w+)\"", script))
    asked |= set(re.findall(r"kind: \"(set)\"", script)) | {"undo", "redo", "reset"}
    asked |= set(re.findall(r"return \[\"(\w+)\", \{", script))
    assert {"simulate", "job", "rows"} <= asked
    assert {"hello", "open", "upload", "download", "why", "plotly", "set"} <= asked
    screen = Screen(will_it_fit())
    for kind in asked:
        screen.sent.clear()
        screen.receive({"kind": kind, "seq": 1})
        ((content, _),) = screen.sent
        text = (content.get("error") or {"text": ""})["text"]
        assert "does not know" not in text, kind


def test_messages_reach_the_dashboard() -> None:
    """Through the widget's own message handler, as from a browser."""
    dashboard = will_it_fit()
    sent: list[Any] = []
    dashboard.send = lambda content, buffers=None: sent.append(content)
    message = {"kind": "set", "seq": 4, "path": "workload.context_tokens", "value": 8192}
    dashboard._handle_custom_msg(message, [])
    assert [frame["seq"] for frame in sent] == [4]
    assert dashboard.state.scenario.workload.context_tokens == 8192


# ---------------------------------------------------------------- own it, rent it, or call it


@pytest.fixture
def cost() -> Screen:
    return Screen(own_rent_or_call())


def table(frame: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in frame["charts"][name]["rows"]}


def test_the_money_sections_show_every_field_of_theirs() -> None:
    wanted = [p for p in FIELDS if p.startswith(("finance.", "site.", "policy.", "value."))]
    shown = [path for paths in MONEY_SECTIONS.values() for path in paths]
    assert sorted(shown) == sorted(wanted)
    for path in wanted:
        if field_schema()[path]["choices"]:
            assert path in CHOICES


def test_units_of_money_stand_in_words() -> None:
    catalogue = load_catalogue()
    made = {path: control(path, catalogue) for path in MONEY}
    assert made["value.saved_s_per_task"]["format"] == "minutes"
    assert made["policy.data_gravity_bytes"]["unit"] == "TB"
    assert made["policy.max_rtt_s"]["unit"] == "ms"
    for path, one in made.items():
        if field_schema()[path]["unit"].startswith("USD") and one["kind"] != "quotes":
            assert one["unit"].startswith("USD"), path
        if one["kind"] == "switch":
            assert field_schema()[path]["default"] is False
    limits = [made[path]["null_label"] for path in ("policy.exit_months", "policy.max_rtt_s")]
    assert limits == ["No limit", "No limit"]


def test_grids_providers_and_apis_are_the_catalogues_own() -> None:
    catalogue = load_catalogue()
    offered = {
        path: [option["value"] for option in control(path, catalogue)["options"]]
        for path in ("site.country", "finance.cloud_provider", "finance.api")
    }
    assert offered["site.country"] == list(catalogue.grids)
    assert sorted(offered["finance.api"]) == sorted(catalogue.api_prices)
    providers = {offer.provider for offer in catalogue.cloud_offers}
    assert offered["finance.cloud_provider"][0] == "cheapest"
    assert providers >= set(offered["finance.cloud_provider"][1:]) >= {"aws", "azure", "gcp"}


def test_a_rule_rules_out_and_says_why(cost: Screen) -> None:
    before = cost.ask(kind="hello", seq=1)
    assert before["charts"]["rules"]["rows"] == []
    assert "No rule is set" in before["charts"]["rules"]["caption"]
    frame = cost.ask(kind="set", seq=2, path="policy.air_gapped", value=True)
    gates = table(frame, "rules")
    assert set(gates) == {venue.id for venue in cost.state.plan.money.venues}
    assert gates["own-room"]["cells"][1]["text"] == "passes"
    assert gates["rent-demand"]["cells"][1]["text"] == "fails"
    assert gates["rent-demand"]["look"] == "out" and gates["rent-demand"]["cells"][1]["title"]
    ways = table(frame, "venues")
    assert ways["own-room"]["look"] == "best"
    assert (
        ways["call-same"]["look"] == "out"
        and "Air-gapped" in ways["call-same"]["cells"][-1]["note"]
    )
    assert any("not legal advice" in note for note in frame["charts"]["rules"]["notes"])
    assert frame["charts"]["rules"]["terms"][0]["texts"][2].startswith("Source: ")


def test_a_quote_replaces_a_price_until_it_is_emptied(cost: Screen) -> None:
    price = "gpu/h100-sxm-80gb"
    before = cost.ask(kind="hello", seq=1)
    dearest = cost.state.plan.cost.own_usd
    assert table(before, "prices")[price]["cells"][-1] == {"text": "", "quote": True}
    frame = cost.ask(kind="set", seq=2, path=QUOTES, value={price: 20000})
    row = table(frame, "prices")[price]
    assert (
        row["cells"][-1]["text"] == "20000" and "replaced by your quote" in row["cells"][1]["note"]
    )
    assert frame["values"][QUOTES] == {price: 20000.0}
    assert cost.state.plan.cost.own_usd < dearest
    assert Scenario.from_query(frame["query"]).finance.quoted == {price: 20000.0}
    frame = cost.ask(kind="set", seq=3, path=QUOTES, value={})
    assert cost.state.plan.cost.own_usd == dearest and frame["values"][QUOTES] == {}


@pytest.mark.parametrize(
    "value", [{"no such price": 1.0}, {"pue/own-room": 0.5}, {"gpu/h100-sxm-80gb": -1}, [1], "x", 5]
)
def test_a_quote_that_cannot_be_is_a_sentence(value: Any, cost: Screen) -> None:
    frame = cost.ask(kind="set", seq=1, path=QUOTES, value=value)
    assert frame["error"]["text"].endswith(".") and frame["error"]["path"] == QUOTES


@pytest.mark.parametrize("name", ["venues", "rules", "prices"])
def test_a_table_downloads_as_csv(name: str, cost: Screen) -> None:
    cost.ask(kind="set", seq=1, path="policy.dora", value=True)
    told = cost.ask(kind="download", seq=2, format="table", id=name)
    assert told["mime"] == "text/csv" and told["name"] == f"{name}.csv"
    head, *rows = csv.reader(told["text"].splitlines())
    assert rows and all(len(row) == len(head) for row in rows)
    if name == "venues":
        column = {title: at for at, title in enumerate(head)}
        paid = sum(
            float(row[column["usd"]]) for row in rows if row[column["way"]] == "own-colocation"
        )
        total = float(cost.state.plan.money.venue("own-colocation").total_usd[0])
        assert paid == pytest.approx(total, abs=0.01 * len(rows))


def test_a_table_that_there_is_not_is_a_sentence(cost: Screen) -> None:
    frame = cost.ask(kind="download", seq=1, format="table", id="../secrets")
    assert frame["kind"] == "frame" and "does not have" in frame["error"]["text"]


def test_currency_changes_every_amount_on_the_page(cost: Screen) -> None:
    cost.ask(kind="set", seq=1, path="finance.currency_per_usd", value=0.92)
    frame = cost.ask(kind="set", seq=2, path="finance.currency", value="EUR")
    said = json.dumps([frame["headlines"], frame["charts"]["venues"], frame["hints"]])
    assert "EUR" in said and "$" not in said
    assert frame["charts"]["cash"]["layout"]["yaxis"]["title"]["text"].startswith("EUR")


def test_an_embedding_model_leaves_the_last_good_costs(cost: Screen) -> None:
    model = next(m for m in load_catalogue().models.values() if m.family == "BGE")
    frame = cost.ask(kind="set", seq=1, path="workload.model", value=model.id)
    assert frame["stale"] and frame["error"]["text"].endswith((".", "?"))
    assert frame["headlines"][0]["value"] != "None"


@pytest.mark.parametrize(
    "changes",
    [
        {"service_level.tpot_s": 0.005, "deployment.tensor_parallel": 1},
        {"service_level.tpot_s": 0.005, "policy.air_gapped": True},
        {"site.platform": "other"},
        {"site.rack_kw": 2.0},
        {"policy.data_residency": "jp", "policy.sovereignty": "full", "policy.pci": True},
        {"finance.horizon_years": 1, "finance.cloud_hours": "always"},
        {"demand.source": "requests", "demand.requests_per_day": 1},
        {"deployment.gpu": "mi300x-192gb", "site.country": "is"},
    ],
    ids=str,
)
def test_every_corner_of_cost_says_something(changes: dict[str, Any]) -> None:
    frame = own_rent_or_call(Scenario().changed(changes)).first
    assert frame["error"] is None
    said = json.dumps([frame[part] for part in ("headlines", "hints", "charts")], allow_nan=False)
    assert not re.search(r"\b(nan|inf|None %)\b|without end", said)
    shown = {path: hint for path, hint in frame["hints"].items() if path in MONEY}
    assert shown and not any("unknown" in hint for hint in shown.values())


def test_charts_out_of_sight_wait_until_the_sliders_rest() -> None:
    dashboard = own_rent_or_call()
    sent: list[dict[str, Any]] = []
    dashboard.send = lambda content, buffers=None: sent.append(content)
    change = {"kind": "set", "path": "demand.users", "value": 900}
    dashboard.receive({**change, "seq": 1, "seen": ["cash", 3, "no such chart"]})
    assert set(sent[-1]["charts"]) == {"cash"} and sent[-1]["behind"]
    dashboard.receive({"kind": "rest", "seq": 2})
    assert not sent[-1]["behind"] and "cash" not in sent[-1]["charts"]
    assert {"crossing", "power", "parts"} <= set(sent[-1]["charts"])
    dashboard.receive({**change, "value": 950, "seq": 3})
    assert not sent[-1]["behind"] and {"cash", "parts"} <= set(sent[-1]["charts"])
