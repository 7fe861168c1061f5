"""Pictures, tables and sentences of the fleet: the portfolio's own numbers, and nothing hidden."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import numpy as np
import pytest
from plotly.graph_objects import Figure

from planner.catalogue import load_catalogue
from planner.charts import TABLES, captions, order_chart, order_words
from planner.charts.fleet import FLEET_CAPTIONS, FLEET_CHARTS, FLEET_TABLES
from planner.charts.fleet_boxes import MOST_HOSTS, boxes, stranded_at
from planner.charts.fleet_calendar import booked_by_workload
from planner.charts.fleet_looks import OTHERS, OWN_LOOKS, codes, looks
from planner.charts.fleet_policies import stranded_of
from planner.charts.fleet_tools import MOST_ROWS
from planner.placement import OrderResult, stranded_bytes, stranded_slots
from planner.plan import Plan, answer_paths, evaluate
from planner.plan.fleet_records import SIZES
from planner.report import fleet_headlines, fleet_sentences
from planner.report.fleet import verdict_sentence
from planner.scenario import Scenario
from planner.units import GIB, format_gib

CATALOGUE = load_catalogue()
ROWS = (
    {"name": "Chat", "requests_per_hour": 20_000, "priority": "high", "team": "Product"},
    {"name": "Classifier", "model": "Qwen/Qwen3-0.6B", "requests_per_hour": 5000},
    {
        "name": "Nightly",
        "shape": "batch",
        "when": "nights",
        "model": "Qwen/Qwen3-8B",
        "requests": 100_000,
    },
    {
        "name": "Tuning",
        "shape": "training",
        "model": "Qwen/Qwen3-8B",
        "dataset_tokens": 3e8,
        "deadline_days": 6,
    },
    {"name": "Seats", "shape": "notebooks", "people": 30, "when": "office hours"},
)
SLICED = {"name": "Sliced", "carving": "mig", "count": 2}
WHOLE = {"name": "Whole", "count": 3}
MIXED = {"name": "Edge", "gpu": "l40s-48gb", "gpus": 4, "carving": "vgpu mixed size", "count": 2}


def _plan(rows: Any = ROWS, hosts: Any = (SLICED, WHOLE, MIXED), **more: Any) -> Plan:
    changes = {"workloads": list(rows), "hosts": list(hosts), "include_main": False, **more}
    return evaluate(
        Scenario().changed({f"portfolio.{name}": value for name, value in changes.items()}),
        CATALOGUE,
    )


def _many(count: int) -> list[dict[str, Any]]:
    return [
        {"name": f"Small {n}", "model": "Qwen/Qwen3-0.6B", "requests_per_hour": 500}
        for n in range(count)
    ]


PLANS = {
    "the default": evaluate(Scenario(), CATALOGUE),
    "several teams": _plan(),
    "one week": _plan(weeks=1, n_plus_one=False),
    "ten weeks": _plan(weeks=10),
    "too small": _plan(({**ROWS[0], "requests_per_hour": 300_000}, *ROWS[1:]), ({**SLICED},)),
    "nothing will do": _plan(
        ({"name": "Huge", "model": "moonshotai/Kimi-K2-Instruct"},),
        ({"name": "Edge", "gpu": "l40s-48gb", "gpus": 1, "count": 1},),
    ),
    "no workload": _plan(()),
    "by night alone": _plan((ROWS[2],)),
    "many": _plan(_many(30), ({**SLICED, "count": 6}, {**WHOLE, "count": 10})),
    "1,000 GPUs": _plan(_many(30), ({**SLICED, "count": 50}, {**WHOLE, "count": 75})),
}
every_plan = pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS.keys())


def _numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for one in value.values() for number in _numbers(one)]
    if isinstance(value, list | tuple):
        return [number for one in value for number in _numbers(one)]
    return [value] if isinstance(value, int | float) else []


def _trace(spec: dict[str, Any], name: str) -> dict[str, Any] | None:
    return next((one for one in spec["data"] if one.get("name") == name), None)


def test_the_plans_are_of_every_kind() -> None:
    assert PLANS["several teams"].portfolio.reserved, "a host is kept in reserve"
    assert PLANS["several teams"].fleet.stranded_bytes > 0
    assert PLANS["several teams"].portfolio.night is not None
    assert list(PLANS["too small"].portfolio.placement.unplaced)
    assert PLANS["nothing will do"].portfolio.workloads[0].tool is None
    assert PLANS["1,000 GPUs"].portfolio.fleet.gpus == 1000


@pytest.mark.parametrize("name", FLEET_CHARTS)
@every_plan
def test_plotly_accepts_it(plan: Plan, name: str) -> None:
    spec = FLEET_CHARTS[name](plan, CATALOGUE)
    figure = Figure(spec)
    assert len(figure.data) == len(spec["data"]) >= 1
    assert json.loads(json.dumps(spec, allow_nan=False)) == spec
    assert all(np.isfinite(_numbers(spec)))
    assert not re.search(r"\b(nan|inf)\b", json.dumps(spec))


@every_plan
def test_every_picture_has_words(plan: Plan) -> None:
    said = captions(plan, CATALOGUE, FLEET_CAPTIONS)
    assert set(said) == set(FLEET_CHARTS)
    for name, text in said.items():
        assert len(text) > 20 and text.endswith("."), name
        assert not re.search(r"\b(nan|inf|None)\b|[{}]", text), text


# ---------------------------------------------------------------- the map


@every_plan
def test_boxes_fill_each_gpu_from_end_to_end(plan: Plan) -> None:
    found = plan.portfolio
    for host in found.placement.hosts_used:
        slots = found.fleet.hosts[host].geometry.slots
        ends = dict.fromkeys(range(found.fleet.hosts[host].gpus), 0)
        for box in boxes(found, host):
            assert box.start == ends[box.gpu], "no gap and no overlap"
            ends[box.gpu] += box.size
        assert set(ends.values()) == {slots}


@every_plan
def test_every_seat_is_in_exactly_one_box(plan: Plan) -> None:
    found = plan.portfolio
    drawn = [
        (box.host, box.gpu, piece)
        for host in range(len(found.fleet.hosts))
        for box in boxes(found, host)
        for piece in box.pieces
    ]
    seats = [(seat.host, gpu, seat.piece) for seat in found.placement.seats for gpu in seat.gpus]
    assert sorted(drawn) == sorted(seats)


@every_plan
def test_exactly_the_stranded_memory_is_hatched(plan: Plan) -> None:
    """The hatched width times a GPU's memory is what the plan calls stranded."""
    found = plan.portfolio
    total = 0.0
    for host, one in enumerate(found.fleet.hosts):
        whole = one.geometry.whole.memory_bytes
        lost = sum(box.size for box in boxes(found, host) if box.profile == "stranded")
        total += lost * whole / one.geometry.slots
    assert total == pytest.approx(plan.fleet.stranded_bytes)
    hatched = _trace(FLEET_CHARTS["fleet_map"](plan, CATALOGUE), "stranded")
    assert (hatched is not None) == (plan.fleet.stranded_bytes > 0)
    if hatched:
        assert hatched["marker"]["pattern"]["shape"] == "/"
        assert (
            f"{format_gib(plan.fleet.stranded_bytes)} (hatched)"
            in captions(plan, CATALOGUE, ["fleet_map"])["fleet_map"]
        )


@pytest.mark.parametrize("carving", ["mig", "vgpu same size", "vgpu mixed size", "time slices"])
def test_which_slots_are_stranded_agrees_with_how_many(carving: str) -> None:
    """Counted by the room of placement, told apart by the room of pictures."""
    geometry = _plan((), ({**SLICED, "carving": carving},)).portfolio.fleet.hosts[0].geometry
    rng = np.random.default_rng(5)
    tried = 0
    for _ in range(200):
        taken: list[tuple[str, int]] = []
        used: set[int] = set()
        for _ in range(rng.integers(1, 6)):
            same = geometry.by_name[taken[0][0]] if taken and geometry.same_size else None
            one = same or geometry.profiles[int(rng.integers(0, len(geometry.profiles) - 1))]
            start = int(rng.choice(one.starts))
            slots = set(range(start, start + one.size))
            if not slots & used:
                used |= slots
                taken.append((one.name, start))
        state = tuple(sorted(taken, key=lambda slice_: slice_[1]))
        assert len(stranded_at(geometry, state)) == stranded_slots(geometry, state)
        assert not stranded_at(geometry, state) & used
        tried += bool(state)
    assert tried > 100


def test_reserve_and_idle_hosts_say_so() -> None:
    plan = PLANS["several teams"]
    found = plan.portfolio
    spec = FLEET_CHARTS["fleet_map"](plan, CATALOGUE)
    text = " ".join(_trace(spec, "words")["text"])
    assert "in reserve" in text
    said = captions(plan, CATALOGUE, ["fleet_map"])["fleet_map"]
    assert all(found.fleet.hosts[host].id in said for host in list(found.reserved)[:4])
    told = " ".join(_trace(spec, "free")["customdata"])
    assert told.count("kept in reserve") == len(found.reserved)
    assert "Nightly runs by night" in said


def test_letters_tell_workloads_apart_where_colour_does_not() -> None:
    known = looks(PLANS["many"])
    assert len({look.code for look in known.values()}) == len(known) == 30
    own = [(look.colour, look.pattern) for look in known.values() if look.colour != OTHERS]
    assert len(set(own)) == len(own) == OWN_LOOKS
    spec = FLEET_CHARTS["fleet_map"](PLANS["many"], CATALOGUE)
    assert _trace(spec, "10 other workloads") is not None
    assert len(codes(["Same name"] * 40)) == len(set(codes(["Same name"] * 40)))


def test_a_change_of_priority_keeps_every_colour() -> None:
    before = looks(_plan())
    after = looks(_plan((*ROWS[:1], {**ROWS[1], "priority": "high"}, *ROWS[2:])))
    assert {name: look.colour for name, look in before.items()} == {
        name: look.colour for name, look in after.items()
    }


def test_a_thousand_gpus_are_drawn_in_a_second() -> None:
    plan = PLANS["1,000 GPUs"]
    assert plan.portfolio.placement.seats
    stranded_at.cache_clear()
    started = time.perf_counter()
    spec = FLEET_CHARTS["fleet_map"](plan, CATALOGUE)
    assert time.perf_counter() - started < 1.0
    assert len(spec["data"]) < OWN_LOOKS + 10, "few traces"


def test_of_more_hosts_those_in_use_are_drawn() -> None:
    plan = _plan(ROWS[:1], ({**WHOLE, "count": 250},), placement="spread", n_plus_one=False)
    spec = FLEET_CHARTS["fleet_map"](plan, CATALOGUE)
    bars = _trace(spec, "Ch Chat")
    seats = plan.portfolio.placement.seats
    assert len(bars["x"]) == sum(len(seat.gpus) for seat in seats)
    assert f"{MOST_HOSTS} hosts are drawn" in captions(plan, CATALOGUE, ["fleet_map"])["fleet_map"]


# ---------------------------------------------------------------- policies


@every_plan
def test_every_policy_shows_its_own_placement(plan: Plan) -> None:
    found = plan.portfolio
    spec = FLEET_CHARTS["fleet_policies"](plan, CATALOGUE)
    if not found.pieces:
        assert "no piece" in spec["layout"]["annotations"][0]["text"]
        return
    pieces, hosts, stranded = spec["data"]
    for at, placed in enumerate(found.by_policy.values()):
        assert pieces["x"][at] == len(placed.seats)
        assert hosts["x"][at] == len(placed.hosts_used)
        assert stranded["x"][at] == pytest.approx(stranded_of(placed) / GIB, rel=1e-4)
    marked = [name for name in pieces["y"] if "▸" in name]
    assert marked == [f"<b>▸ {plan.scenario.portfolio.placement}</b>"]
    strong = [share == 1.0 for share in pieces["marker"]["opacity"]]
    assert [name in marked for name in pieces["y"]] == strong


@every_plan
def test_stranded_memory_of_a_placement_is_the_portfolios(plan: Plan) -> None:
    assert stranded_of(plan.portfolio.placement) == pytest.approx(plan.fleet.stranded_bytes)


# ---------------------------------------------------------------- the calendar


@every_plan
def test_booked_and_idle_add_up_to_the_fleet(plan: Plan) -> None:
    found = plan.portfolio
    spec = FLEET_CHARTS["fleet_calendar"](plan, CATALOGUE)
    layers = [one["y"] for one in spec["data"] if one.get("stackgroup")]
    assert np.allclose(np.sum(layers, axis=0), found.fleet.gpus, rtol=1e-3)
    idle = np.array(_trace(spec, "idle")["y"][:-1])
    assert idle.mean() / found.fleet.gpus == pytest.approx(found.calendar.idle_fraction, abs=1e-3)
    (line,) = spec["layout"]["shapes"]
    assert line["y0"] == line["y1"] == found.fleet.gpus
    weeks = plan.scenario.portfolio.weeks
    assert spec["layout"]["xaxis"]["range"] == [0, 168 * weeks]
    assert len(idle) == (168 if weeks <= 4 else 7) * weeks


def test_workloads_book_their_own_hours() -> None:
    plan = PLANS["one week"]
    booked = booked_by_workload(plan.portfolio)
    night = np.array([not 7 <= hour % 24 < 19 for hour in range(168)])
    assert not booked["Seats"][night].any() and booked["Seats"].any()
    assert not booked["Nightly"][~night].any() and booked["Nightly"].any()
    shade = _trace(FLEET_CHARTS["fleet_calendar"](plan, CATALOGUE), "night, rest")
    at = np.searchsorted(shade["x"], np.arange(168), side="right") - 1
    dark = np.array(shade["y"])[at] > 0
    weekend = np.arange(168) >= 120
    assert (dark == (night | weekend)).all()


def test_late_jobs_are_marked_and_named() -> None:
    late = _plan((*ROWS[:3], {**ROWS[3], "deadline_days": 0.5}), weeks=1)
    known = {one.workload for one, text in _late(late) if text}
    spec = FLEET_CHARTS["fleet_calendar"](late, CATALOGUE)
    marks = _trace(spec, "late")
    assert {text.strip() for text in marks["text"] if text} == {name[:16] for name in known}
    for name in known:
        assert name in captions(late, CATALOGUE, ["fleet_calendar"])["fleet_calendar"]
    tight = _plan(({**ROWS[0], "requests_per_hour": 300_000}, *ROWS[1:]), (SLICED,), weeks=1)
    assert {one.workload for one, text in _late(tight) if text}
    marks = _trace(FLEET_CHARTS["fleet_calendar"](tight, CATALOGUE), "late")
    assert len(marks["x"]) == sum(bool(text) for _, text in _late(tight))


def test_a_jobs_end_is_where_the_calendar_ends_it() -> None:
    plan = PLANS["one week"]
    calendar = plan.portfolio.calendar
    (end,) = [
        at
        for one, at in zip(calendar.bookings, calendar.end_h, strict=True)
        if one.workload == "Tuning"
    ]
    marks = _trace(FLEET_CHARTS["fleet_calendar"](plan, CATALOGUE), "ends")
    assert marks["x"] == [pytest.approx(end, abs=0.01)]
    assert marks["text"][0].strip() == "Tuning"


def _late(plan: Plan) -> list[tuple[Any, str]]:
    calendar = plan.portfolio.calendar
    return list(zip(calendar.bookings, calendar.late, strict=True))


# ---------------------------------------------------------------- tools and orders


@every_plan
def test_every_tool_stands_on_its_rung(plan: Plan) -> None:
    sized = [one for one in plan.portfolio.workloads if one.tool][:MOST_ROWS]
    spec = FLEET_CHARTS["fleet_tools"](plan, CATALOGUE)
    if not sized:
        assert "No workload" in spec["layout"]["annotations"][0]["text"]
        return
    chosen = _trace(spec, "recommended")
    assert chosen["text"] == [one.tool.label for one in sized]
    assert [int(x) for x in chosen["x"]] == [SIZES.index(one.tool.size) for one in sized]
    fails = _trace(spec, "will not do")
    steps = [step for one in sized for step in (one.smaller, one.larger) if step]
    assert len(fails["x"]) == sum(bool(step.tool.reason) for step in steps)
    assert len(_trace(spec, "does")["x"]) + len(fails["x"]) == len(steps)
    for trace in (fails, _trace(spec, "does")):
        assert all(0 < x < len(SIZES) for x in trace["x"])


def test_a_smaller_size_stands_left_and_a_larger_one_right() -> None:
    plan = PLANS["several teams"]
    spec = FLEET_CHARTS["fleet_tools"](plan, CATALOGUE)
    chosen = _trace(spec, "recommended")
    here = dict(zip(chosen["y"], chosen["x"], strict=True))
    for name in ("does", "will not do"):
        trace = _trace(spec, name)
        for x, y, told in zip(trace["x"], trace["y"], trace["customdata"], strict=True):
            assert x < here[y] if "one size down" in told else x > here[y]


def test_orders_are_shares_of_the_runs() -> None:
    found = OrderResult(500, 100, 0.2, 0.167, 0.237, (("chat", 400), ("tune", 3)), 9, 8, 7, (1, 0))
    spec = order_chart(found)
    Figure(spec)
    (bars,) = spec["data"]
    assert bars["x"] == [20.0, 80.0, 0.6]
    assert bars["text"] == ["100 of 500", "400 of 500", "3 of 500"]
    assert bars["error_x"]["array"][0] == pytest.approx(3.7)
    assert bars["error_x"]["arrayminus"][0] == pytest.approx(3.3)
    assert "chat is left out, in 400" in order_words(found)


# ---------------------------------------------------------------- tables and sentences


@pytest.mark.parametrize("name", FLEET_TABLES)
@every_plan
def test_a_table_is_rows_of_its_heads(plan: Plan, name: str) -> None:
    table = TABLES[name](plan, CATALOGUE)
    assert json.loads(json.dumps(table, allow_nan=False)) == table
    assert table["caption"].endswith(".") and len(table["caption"]) > 20
    ids = [row["id"] for row in table["rows"]]
    assert len(ids) == len(set(ids))
    for row in table["rows"]:
        assert len(row["cells"]) == len(table["heads"])
    assert not re.search(r"\b(nan|inf|None)\b", json.dumps(table))


@every_plan
def test_placed_in_the_table_is_placed_in_the_plan(plan: Plan) -> None:
    rows = TABLES["fleet-workloads"](plan, CATALOGUE)["rows"]
    assert [row["id"] for row in rows] == [one.row.name for one in plan.portfolio.workloads]
    whole = sum(row["cells"][3]["text"] == "yes" for row in rows)
    assert whole == plan.fleet.workloads_placed
    for row in rows:
        verdict = row["cells"][3]
        assert (verdict["tone"] == "good") == (verdict["text"] == "yes")
        assert verdict["note"], "where, or why not"


@every_plan
def test_hosts_of_the_table_are_the_fleets(plan: Plan) -> None:
    found = plan.portfolio
    table = TABLES["fleet-hosts"](plan, CATALOGUE)
    rows = {row["id"]: row["cells"] for row in table["rows"]}
    used = sum(int(cells[1].split(" of ")[0]) for cells in rows.values())
    assert used == plan.fleet.gpus_used
    for host in found.reserved:
        assert rows[found.fleet.hosts[host].id][-1]["text"] == "in reserve"
    for host in found.placement.hosts_used:
        one = found.fleet.hosts[host]
        lost = sum(
            stranded_bytes(one.geometry, tuple((profile, start) for profile, start, _ in gpu))
            for gpu in found.taken[host]
            if gpu
        )
        assert rows[one.id][3] == (format_gib(lost) if lost else "–")


@every_plan
def test_headlines_are_the_plans(plan: Plan) -> None:
    told = {one.id: one for one in fleet_headlines(plan, CATALOGUE)}
    assert set(told) <= set(answer_paths())
    for one in told.values():
        assert one.text.endswith(".") and one.tone in ("good", "warn", "bad", "plain")
        assert not re.search(r"\b(nan|inf|None(?! of))\b|[{}]", f"{one.value} {one.text}"), one
    said = plan.fleet
    assert told["fleet.hosts_used"].value == f"{said.hosts_used:.0f} of {said.hosts:,.0f}"
    bad = bool(plan.portfolio.refusal)
    assert (told["fleet.verdict"].tone == "bad") == bad
    if bad:
        first = plan.portfolio.first_refusal
        reason = plan.portfolio.workloads[0].reason or first.sentence
        assert reason in told["fleet.verdict"].text


@every_plan
def test_both_teams_are_told(plan: Plan) -> None:
    said = fleet_sentences(plan, CATALOGUE)
    assert set(said) == {"data science", "infrastructure"}
    assert all(text.endswith(".") and "  " not in text for text in said.values())
    words = {"slice": "a slice of a GPU", "gpu": "one GPU", "host": "spade", "cluster": "backhoe"}
    for size in {one.tool.size for one in plan.portfolio.workloads if one.tool}:
        assert words[size] in said["data science"]


def test_the_verdict_counts_hosts_and_the_reserve() -> None:
    plan = PLANS["several teams"]
    said = plan.fleet
    expected = f"All 5 workloads fit on {said.hosts_used:.0f} of 7 hosts; "
    assert verdict_sentence(plan).startswith(expected)
    assert f"{said.hosts_reserved:.0f} are in reserve" in verdict_sentence(plan).replace(
        "one is in", "1 are in"
    )
