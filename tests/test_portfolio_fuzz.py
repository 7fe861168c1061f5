"""Any portfolio that may be written gives a plan, or a sentence that says what to change."""

from __future__ import annotations

import json
import math
import time
from itertools import pairwise
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planner import evaluate, explain, load_catalogue
from planner.charts.fleet import FLEET_CAPTIONS, FLEET_CHARTS, FLEET_TABLES
from planner.errors import InvalidScenario, MissingData
from planner.placement import Placement
from planner.plan import FleetPlan, Plan
from planner.report import placement_files
from planner.report.fleet import fleet_headlines, fleet_sentences
from planner.scenario import FleetWorkload, HostGroup, Scenario
from planner.scenario.portfolio import PortfolioSection
from tests.placement_checker import broken_rules

CATALOGUE = load_catalogue()
GPUS = sorted(CATALOGUE.accelerators)
MODELS = (
    "",
    "Qwen/Qwen3-8B",
    "meta-llama/Llama-3.1-8B-Instruct",
    "meta-llama/Llama-3.3-70B-Instruct",
    "deepseek-ai/DeepSeek-V3",
    "BAAI/bge-large-en-v1.5",
    "no/such-model",
)
PRECISIONS = ("", "bf16", "fp8", "no-such-format")
EXAMPLES = 120
STRANGE_NAMES = st.sampled_from(
    (
        "it's",
        'a "b"',
        "<b>bold</b>",
        "a&b",
        "{x}",
        "%s",
        "# h",
        "über 🚀",
        "a/b\\c",
        "=1+1",
        "- x: y",
    )
) | st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=12)
NOISE = ("Traceback", "NoneType", "ValidationError", "object at 0x", " nan ", " inf ", "{'")


def limits_of(section: type, name: str) -> tuple[float, float]:
    """Least and most that a field allows."""
    bounds = section.model_fields[name].metadata
    least = next(b.ge for b in bounds if hasattr(b, "ge"))
    most = next(b.le for b in bounds if hasattr(b, "le"))
    return least, most


def extreme(section: type, name: str) -> st.SearchStrategy:
    """The ends of what is allowed, the default, and anything between, by order of size."""
    least, most = limits_of(section, name)
    whole = isinstance(section.model_fields[name].default, int)
    ends = st.sampled_from((least, section.model_fields[name].default, most))
    low = math.log(max(least, 1e-3))
    between = st.floats(low, math.log(max(most, 1e-3))).map(math.exp)
    between = between.map(lambda value: min(max(value, least), most))
    return ends | (between.map(round) if whole else between)


def choices(section: type, name: str) -> st.SearchStrategy:
    return st.sampled_from(get_args(section.model_fields[name].annotation))


NUMBERS = {
    section: [
        name
        for name, field in section.model_fields.items()
        if any(hasattr(bound, "le") for bound in field.metadata)
    ]
    for section in (FleetWorkload, HostGroup)
}
CHOICES = {
    section: [
        name
        for name, field in section.model_fields.items()
        if get_args(field.annotation) and name != "licensed_gpus"
    ]
    for section in (FleetWorkload, HostGroup, PortfolioSection)
}


def rows(section: type, **fixed: st.SearchStrategy) -> st.SearchStrategy:
    """Rows with few of their fields given, as people write them."""
    optional = {name: extreme(section, name) for name in NUMBERS[section]}
    optional |= {name: choices(section, name) for name in CHOICES[section]}
    return st.fixed_dictionaries({}, optional={**optional, **fixed})


WORKLOADS = rows(
    FleetWorkload,
    model=st.sampled_from(MODELS),
    weight_precision=st.sampled_from(PRECISIONS),
    replicas_apart=st.booleans(),
    team=STRANGE_NAMES,
)
GROUPS = rows(
    HostGroup,
    gpu=st.sampled_from((*GPUS, "h100-sxm-80gb", "h100-sxm-80gb", "l40s-48gb", "")),
    count=st.sampled_from((1, 2, 3, 5)),
)
RULES = {
    "include_main": st.booleans(),
    "placement": choices(PortfolioSection, "placement"),
    "n_plus_one": st.booleans(),
    "cpu_overcommit": extreme(PortfolioSection, "cpu_overcommit"),
    "rack_kw": extreme(PortfolioSection, "rack_kw"),
    "hosts_per_rack": extreme(PortfolioSection, "hosts_per_rack"),
    "licensed_gpus": st.none() | st.integers(0, 12),
    "weeks": st.sampled_from((1, 2, 26)),
}


def named(made: list[dict[str, Any]], names: list[str]) -> list[dict[str, Any]]:
    """The rows with names that differ whatever was drawn."""
    return [
        {**row, "name": f"{name}{at}"}
        for at, (row, name) in enumerate(zip(made, names, strict=False))
    ]


@st.composite
def portfolios(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(STRANGE_NAMES, min_size=8, max_size=8))
    return {
        **draw(st.fixed_dictionaries({}, optional=RULES)),
        "workloads": named(draw(st.lists(WORKLOADS, max_size=5)), names),
        "hosts": named(draw(st.lists(GROUPS, min_size=1, max_size=3)), names[5:]),
    }


def says_what_to_do(text: str) -> None:
    assert len(text.splitlines()) == 1 and text.rstrip()[-1:] in (".", "?"), repr(text)
    assert 15 < len(text) < 900, text
    assert not any(word in text for word in NOISE), text


def survives(plan: Plan) -> None:
    """What is claimed of each loss, looked at again from the seats."""
    found = plan.portfolio
    kept = found.reserved_placement
    assert not found.reserved & found.placement.hosts_used
    must = {at for at, piece in enumerate(found.pieces) if piece.restarts}
    for loss in kept.losses:
        after = {seat.piece for seat in loss.seats}
        assert all(seat.host != loss.host for seat in loss.seats)
        where = {seat.host for seat in loss.seats}
        if loss.way:
            assert must & set(found.placement.seat_of) <= after, loss.host
            assert where <= found.placement.hosts_used | found.reserved
            gone = tuple((at, "lost") for at in range(len(found.pieces)) if at not in after)
            again = Placement(found.fleet, found.pieces, loss.seats, loss.way, refusals=gone)
            assert broken_rules(again) == []


def looks_at_all(plan: Plan) -> None:
    """Everything that is shown or taken along of a fleet."""
    for name in FleetPlan.__dataclass_fields__:
        told = explain(plan, f"fleet.{name}")
        assert told.label and "{" not in told.worked.replace("{x}", ""), name
    for make in (*FLEET_CHARTS.values(), *FLEET_TABLES.values()):
        json.dumps(make(plan, CATALOGUE), allow_nan=False, default=str)
    for words in FLEET_CAPTIONS.values():
        assert words(plan, CATALOGUE)
    assert fleet_headlines(plan, CATALOGUE)
    assert all(fleet_sentences(plan, CATALOGUE).values())
    found = plan.portfolio
    for _, _, text in placement_files(
        found.placement, plan.scenario.title, [one.row for one in found.workloads]
    ):
        text.encode("utf-8")


def checked(document: dict[str, Any]) -> None:
    plan = evaluate(Scenario.from_dict({"portfolio": document}), CATALOGUE)
    try:
        found = plan.portfolio
    except (InvalidScenario, MissingData) as error:
        assert "portfolio.hosts" in str(error)
        says_what_to_do(str(error))
        return
    data = json.dumps(plan.to_dict(), allow_nan=False)
    assert json.loads(data)["fleet_error"] == (found.refusal or None)
    if found.refusal:
        says_what_to_do(found.refusal)
        names = [one.row.name for one in found.workloads]
        assert any(name in found.refusal for name in names), found.refusal
    assert broken_rules(found.placement) == []
    assert found.night is None or broken_rules(found.night) == []
    survives(plan)
    calendar = found.calendar
    assert (calendar.gpus.sum(axis=0) <= found.fleet.gpus + 1e-6).all()
    answers = plan.fleet
    assert answers.pieces_placed <= answers.pieces
    assert answers.hosts_used + answers.hosts_reserved + answers.hosts_free == answers.hosts
    assert 0.0 <= answers.busy_fraction <= 1.0 + 1e-9
    assert 0.0 <= answers.stranded_fraction <= 1.0
    looks_at_all(plan)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(document=portfolios())
def test_any_portfolio_gives_a_plan_or_a_sentence(document: dict[str, Any]) -> None:
    checked(document)


# ---------------------------------------------------------------- names


HOSTS = [
    {"name": "sliced", "count": 1, "gpus": 4, "carving": "mig"},
    {"name": "mixed", "count": 1, "gpus": 4, "gpu": "l40s-48gb", "carving": "vgpu mixed size"},
    {"name": "shared", "count": 1, "gpus": 4, "carving": "time slices"},
]
SMALL = {"model": "Qwen/Qwen3-8B", "weight_precision": "bf16"}


@pytest.mark.parametrize(
    "name", ["it's", 'a "b"', "<img src=x onerror=alert(1)>", "🚀", "$(rm)", "`x`"]
)
def test_a_strange_name_goes_through_every_picture_and_file(name: str) -> None:
    hosts = [{**HOSTS[0], "name": name}, HOSTS[1]]
    checked({"workloads": [{"name": name, **SMALL}], "hosts": hosts, "n_plus_one": False})


@pytest.mark.parametrize("name", ["two\nlines", "bell\a", "para\u2029graph", "  "])
def test_a_name_that_is_not_one_line_is_refused(name: str) -> None:
    for rows_of in ("workloads", "hosts"):
        with pytest.raises(InvalidScenario, match=f"portfolio.{rows_of}") as caught:
            Scenario.from_dict({"portfolio": {rows_of: [{"name": name}]}})
        says_what_to_do(str(caught.value))


# ---------------------------------------------------------------- sizes move the right way


def tools_by_key(**row: Any) -> dict[tuple[str, str, int], tuple[float, bool]]:
    """Pieces of every tool, and whether it will do; the row is alone on three kinds of host."""
    document = {
        "include_main": False,
        "n_plus_one": False,
        "workloads": [{"name": "w", **row}],
        "hosts": HOSTS,
    }
    found = evaluate(Scenario.from_dict({"portfolio": document}), CATALOGUE).portfolio
    return {
        (tool.geometry, tool.profile, tool.gpus_per_piece): (
            tool.gpu_equivalents if not tool.reason else math.inf,
            not tool.reason,
        )
        for tool in found.workloads[0].tools
    }


# Longer answers are not among these: one prompt that is read meanwhile slows the mean token of a
# short answer more than that of a long one, which is what the percentile of TPOT counts.
MORE = {
    "requests_per_hour": (SMALL, (10.0, 1e3, 2e4, 2e5)),
    "prompt_tokens": ({**SMALL, "requests_per_hour": 2e4}, (100, 1000, 4000)),
    "ttft_s": ({**SMALL, "requests_per_hour": 2e4}, (30.0, 3.0, 1.0, 0.3, 0.1)),
    "tpot_s": ({**SMALL, "requests_per_hour": 2e4}, (1.0, 0.1, 0.05, 0.02, 0.01)),
    "embeddings": (
        {"model": "BAAI/bge-large-en-v1.5", "weight_precision": "bf16", "prompt_tokens": 400},
        (1e3, 1e5, 1e6),
    ),
    "window_h": ({**SMALL, "shape": "batch", "requests": 400_000}, (96.0, 24.0, 8.0, 2.0, 0.5)),
    "requests": ({**SMALL, "shape": "batch"}, (1_000, 100_000, 10_000_000)),
    "deadline_days": (
        {"shape": "training", "model": "llama-3.1-8b", "dataset_tokens": 3e8},
        (30.0, 3.0, 1.0, 0.5),
    ),
    "dataset_tokens": ({"shape": "training", "model": "llama-3.1-8b"}, (1e6, 1e8, 1e9)),
    "people": ({"shape": "notebooks"}, (1, 10, 100, 1000)),
    "at_work_fraction": ({"shape": "notebooks"}, (0.05, 0.3, 1.0)),
    "slice_gib": ({"shape": "notebooks"}, (1.0, 9.0, 30.0, 100.0)),
}


@pytest.mark.parametrize("field", MORE)
def test_asking_for_more_never_takes_less(field: str) -> None:
    """Of each tool by itself: more requests, less time, more people, larger slices."""
    base, values = MORE[field]
    name = "requests_per_hour" if field == "embeddings" else field
    found = [tools_by_key(**{**base, name: value}) for value in values]
    for (easy, less), (hard, more) in pairwise(zip(values, found, strict=True)):
        for key in less.keys() & more.keys():
            assert more[key][0] >= less[key][0] - 1e-9, (field, easy, hard, key)


def test_stricter_isolation_never_shares_more() -> None:
    steps = [tools_by_key(**SMALL, isolation=name) for name in ("shared", "memory", "hardware")]
    for loose, strict in pairwise(steps):
        assert {k for k, v in strict.items() if v[1]} <= {k for k, v in loose.items() if v[1]}
        assert any(v[1] for v in strict.values())


def test_a_longer_deadline_never_recommends_more_hardware() -> None:
    costs = []
    for days in (0.5, 1.0, 4.0, 30.0):
        found = tools_by_key(
            shape="training", model="llama-3.1-8b", dataset_tokens=3e8, deadline_days=days
        )
        costs.append(min(value for value, _ in found.values()))
    assert costs == sorted(costs, reverse=True) and costs[0] > costs[-1]


def test_the_order_of_rows_is_their_priority_and_not_their_size() -> None:
    rows_given = [
        {"name": "chat", **SMALL, "requests_per_hour": 5e4},
        {"name": "books", "shape": "notebooks", "people": 40},
        {"name": "tune", "shape": "training", "model": "llama-3.1-8b"},
    ]

    def sizes(workloads: list[dict[str, Any]]) -> dict[str, str]:
        document = {"include_main": False, "workloads": workloads}
        document["hosts"] = [{"name": "host", "count": 6, "carving": "mig"}]
        found = evaluate(Scenario.from_dict({"portfolio": document}), CATALOGUE).portfolio
        assert [one.row.name for one in found.workloads] == [row["name"] for row in workloads]
        return {one.row.name: one.tool.label for one in found.workloads}

    assert sizes(rows_given) == sizes(rows_given[::-1])


def alone(row: dict[str, Any], **host: Any) -> Plan:
    document = {
        "include_main": False,
        "n_plus_one": False,
        "weeks": 4,
        "workloads": [{"name": "w", **row}],
        "hosts": [{"name": "h", **host}],
    }
    return evaluate(Scenario.from_dict({"portfolio": document}), CATALOGUE)


@pytest.mark.parametrize(("window_h", "runs"), [(24.0, 28), (48.0, 14), (168.0, 4)])
def test_a_run_ends_before_the_next_begins(window_h: float, runs: int) -> None:
    """Of four weeks: a window of two days leaves room for every other day's run."""
    batch = {**SMALL, "shape": "batch", "requests": 3_000_000, "window_h": window_h}
    found = alone(batch).portfolio
    assert len(found.calendar.bookings) == runs
    assert found.workloads[0].hours_per_week <= 168.0
    assert not any(found.calendar.late)


def test_a_job_larger_than_an_nvlink_domain_is_a_gang_that_can_be_placed() -> None:
    """Full fine-tuning of 8e9 parameters takes 16 bytes each: more than two GPUs of 80 GB."""
    tune = {"shape": "training", "model": "llama-3.1-8b", "method": "full", "deadline_days": 60.0}
    found = alone(tune, gpus=8, nvlink_gpus=1).portfolio
    assert found.refusal == ""
    assert found.workloads[0].tool.pieces >= 2
    assert broken_rules(found.placement) == []


# ---------------------------------------------------------------- large fleets


def many(kinds: int, count: int, workloads: int) -> dict[str, Any]:
    """Kinds of host that all differ, and workloads of every shape in turn."""
    shapes = (
        {**SMALL, "requests_per_hour": 20_000},
        {**SMALL, "shape": "batch"},
        {"shape": "notebooks", "people": 200, "isolation": "shared"},
        {"shape": "training", "model": "llama-3.1-8b", "deadline_days": 20},
    )
    return {
        "workloads": [{"name": f"w{at}", **shapes[at % 4]} for at in range(workloads)],
        "hosts": [
            {
                "name": f"h{at}",
                "count": count,
                "cpu_cores": 64 + at,
                "carving": ("mig", "whole")[at % 2],
            }
            for at in range(kinds)
        ],
    }


@pytest.mark.parametrize("size", [(20, 1, 24), (1, 125, 60), (20, 6, 60)])
def test_a_large_fleet_is_planned_and_not_searched_for_hours(size: tuple[int, int, int]) -> None:
    """Twenty seconds are far above what it takes, and far below what a full search took."""
    start = time.perf_counter()
    plan = evaluate(Scenario.from_dict({"portfolio": many(*size)}), CATALOGUE)
    assert plan.fleet.pieces_placed > 0
    says_what_to_do(plan.portfolio.refusal or "All of it has been placed.")
    assert time.perf_counter() - start < 20.0
    assert broken_rules(plan.portfolio.placement) == []
    survives(plan)


def test_a_reserve_kind_by_kind_claims_no_more_than_is_true() -> None:
    """A single host of a kind has no twin; what it carries must find room or is said to fail."""
    hosts = [
        {"name": f"h{at}", "count": 1 + at % 2, "gpus": 2, "cpu_cores": 64 + at} for at in range(20)
    ]
    crowd = [{"name": f"w{at}", **SMALL, "requests_per_hour": 40_000} for at in range(12)]
    document = {"include_main": False, "hosts": hosts, "workloads": crowd}
    plan = evaluate(Scenario.from_dict({"portfolio": document}), CATALOGUE)
    survives(plan)
    assert len(plan.portfolio.host_loss) == len(plan.portfolio.fleet.hosts)


def test_too_many_hosts_are_told_before_anything_is_placed() -> None:
    hosts = [{"name": f"h{at}", "count": 256, "gpus": 16} for at in range(20)]
    plan = evaluate(Scenario.from_dict({"portfolio": {"hosts": hosts}}), CATALOGUE)
    with pytest.raises(InvalidScenario, match=r"portfolio\.hosts: .*5,120 hosts") as caught:
        plan.portfolio  # noqa: B018
    says_what_to_do(str(caught.value))


def test_rows_beyond_what_can_be_placed_say_so() -> None:
    crowd = [
        {"name": f"room {at}", "shape": "notebooks", "people": 1900, "at_work_fraction": 1.0}
        for at in range(3)
    ]
    document = {
        "include_main": False,
        "n_plus_one": False,
        "workloads": crowd,
        "hosts": [{"name": "h", "carving": "mig"}],
    }
    found = evaluate(Scenario.from_dict({"portfolio": document}), CATALOGUE).portfolio
    assert [bool(one.reason) for one in found.workloads] == [False, True, True]
    assert found.refusal.startswith("room 1: ")
    says_what_to_do(found.refusal)
