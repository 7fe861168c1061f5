"""Every picture: valid plotly, the plan's own numbers, and words for who does not see it."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from plotly.graph_objects import Figure

from planner.catalogue import load_catalogue
from planner.charts import CHARTS, TABLES, captions
from planner.charts.money import SHORT, shown_ways
from planner.cost import band
from planner.errors import InvalidScenario
from planner.plan import Plan, evaluate
from planner.scenario import EXAMPLES, Scenario, load_example
from planner.units import GIB

CATALOGUE = load_catalogue()


def _plan(**changes: Any) -> Plan:
    changed = {key.replace("__", "."): value for key, value in changes.items()}
    return evaluate(Scenario().changed(changed), CATALOGUE)


def _perhaps_never() -> Plan:
    """A limit between the predicted and the slow time of one request alone."""
    alone = {
        "demand__users": 1,
        "deployment__tensor_parallel": 4,
        "deployment__pipeline_parallel": 1,
        "service_level__percentile": "mean",
        "service_level__ttft_s": 60.0,
    }
    curve = _plan(**alone).speed.trade_off
    limit = float(np.sqrt(curve.tpot_s[0] * curve.tpot_high_s[0]))
    return _plan(**alone, service_level__tpot_s=limit)


PLANS = {
    **{name: evaluate(load_example(name), CATALOGUE) for name in EXAMPLES},
    "latent attention": _plan(
        workload__model="deepseek-ai/DeepSeek-R1", deployment__gpu="h200-sxm-141gb"
    ),
    "any size": _plan(workload__model_source="size", workload__model_parameters=13e9),
    "a GPU and a format outside the map": _plan(
        deployment__gpu="v100-sxm-32gb", deployment__weight_precision="gguf-q6_k"
    ),
    "two formats of one short name": _plan(
        workload__model="openai/gpt-oss-120b", deployment__weight_precision="mxfp4-full"
    ),
    "a city": _plan(demand__users=200_000),
    "office hours, means": _plan(
        demand__users=50_000, demand__duration="office", service_level__percentile="mean"
    ),
    "a log": _plan(demand__source="log"),
    "a public": _plan(demand__source="population", demand__users=1_000_000),
    "perhaps never": _perhaps_never(),
    # One GPU reads 70 GB of weights in 20 ms and computes such a prompt in 70 ms at the best.
    "never": _plan(service_level__tpot_s=0.005, deployment__tensor_parallel=1),
    "never soon enough": _plan(service_level__ttft_s=0.05, deployment__tensor_parallel=1),
    "owning pays": _plan(
        demand__users=200_000,
        demand__week_shape="flat",
        finance__cloud_hours="always",
        finance__cloud_provider="gcp",
        policy__isolation="whole",
    ),
    "rules and euros": _plan(
        policy__data_residency="eu",
        policy__dora=True,
        finance__currency="EUR",
        finance__currency_per_usd=0.92,
        finance__quotes={"gpu/h100-sxm-80gb": 20000},
    ),
    "owning out of reach": _plan(site__platform="other", finance__horizon_years=7),
}
FEASIBLE = {name: plan for name, plan in PLANS.items() if plan.speed.feasible}
NEVER = [plan for plan in PLANS.values() if not plan.speed.feasible]
feasible_plans = pytest.mark.parametrize("plan", FEASIBLE.values(), ids=FEASIBLE.keys())
every_plan = pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS.keys())
every_chart = pytest.mark.parametrize("name", CHARTS)
COUNT = re.compile(r"\d{1,3}(,\d{3})*|–")


def _numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for one in value.values() for number in _numbers(one)]
    if isinstance(value, list | tuple):
        return [number for one in value for number in _numbers(one)]
    return [value] if isinstance(value, int | float) else []


@every_chart
@every_plan
def test_plotly_accepts_it(plan: Plan, name: str) -> None:
    """Validated property by property; nothing that JSON cannot carry."""
    spec = CHARTS[name](plan, CATALOGUE)
    figure = Figure(spec)
    assert len(figure.data) == len(spec["data"]) >= 1
    assert json.loads(json.dumps(spec, allow_nan=False)) == spec
    assert all(np.isfinite(_numbers(spec)))
    assert not re.search(r"\b(nan|inf)\b", json.dumps(spec))


def test_plotly_would_refuse_a_wrong_property() -> None:
    """The validation above can fail."""
    spec = CHARTS["memory"](PLANS["chat-assistant"], CATALOGUE)
    with pytest.raises(ValueError):
        Figure({**spec, "layout": {**spec["layout"], "barmod": "stack"}})


@every_plan
def test_stacked_bars_sum_to_the_layouts(plan: Plan) -> None:
    spec = CHARTS["memory"](plan, CATALOGUE)
    bars = [trace for trace in spec["data"] if trace["type"] == "bar"]
    assert spec["layout"]["barmode"] == "stack"
    heights = np.sum([bar["y"] for bar in bars], axis=0)
    # Four parts, each rounded to four decimals for the wire.
    assert np.allclose(heights, plan.layouts.total_bytes / GIB, rtol=0, atol=4 * 0.5e-4)
    for bar in bars:
        assert len(bar["x"]) == len(bar["y"]) == len(plan.layouts.gpus)
        solid = [
            count
            for count, opacity in zip(plan.layouts.gpus, bar["marker"]["opacity"], strict=True)
            if opacity == 1
        ]
        assert solid == [plan.fit.gpus]


@every_plan
def test_lines_are_the_gpus_memory_and_the_engines_share(plan: Plan) -> None:
    spec = CHARTS["memory"](plan, CATALOGUE)
    lines = spec["layout"]["shapes"]
    memory = plan.gpu.memory_usable_bytes / GIB
    share = plan.scenario.deployment.gpu_memory_utilization
    assert [line["y0"] for line in lines] == pytest.approx([memory, memory * share], rel=1e-12)
    for line, label in zip(lines, spec["layout"]["annotations"], strict=True):
        assert line["y0"] == line["y1"] == label["y"]
        assert (line["x0"], line["x1"]) == (0, 1)
    assert spec["layout"]["yaxis"]["range"][1] > memory


@every_plan
def test_verdicts_are_the_plans(plan: Plan) -> None:
    spec = CHARTS["memory"](plan, CATALOGUE)
    words = ["fits" if fits else "does not fit" for fits in plan.layouts.fits]
    assert spec["data"][-1]["text"] == words


@every_plan
def test_the_map_says_what_the_options_say(plan: Plan) -> None:
    (trace,) = CHARTS["map"](plan, CATALOGUE)["data"]
    options = plan.options
    assert [name.replace("<br>", " ") for name in trace["x"]] == list(options.precision_labels)
    assert trace["y"] == list(options.gpu_labels)
    for texts, colours, counts in zip(trace["text"], trace["z"], options.gpus, strict=True):
        for text, colour, count in zip(texts, colours, counts, strict=True):
            if np.isfinite(count):
                assert float(text.replace(",", "")) == count
                assert colour == pytest.approx(np.log2(min(count, 64)), abs=1e-3)
            else:
                assert text == "–" and colour is None


@every_plan
def test_the_frame_is_around_the_chosen_cell(plan: Plan) -> None:
    spec = CHARTS["map"](plan, CATALOGUE)
    (frame,) = spec["layout"]["shapes"]
    row, column = (round((frame[f"{axis}0"] + frame[f"{axis}1"]) / 2) for axis in "yx")
    assert plan.options.gpu_ids[row] == plan.gpu.id
    assert plan.options.precision_ids[column] == plan.weight_precision.id
    assert spec["data"][0]["text"][row][column] == f"{plan.fit.gpus:,}"


@every_plan
def test_counts_by_precision_are_the_chosen_gpus_row(plan: Plan) -> None:
    (trace,) = CHARTS["precisions"](plan, CATALOGUE)["data"]
    counts = plan.options.gpus[plan.options.gpu_ids.index(plan.gpu.id)]
    assert trace["y"] == [count if np.isfinite(count) else 0.0 for count in counts]
    assert all(COUNT.fullmatch(text) for text in trace["text"])
    assert len(set(trace["x"])) == len(trace["x"]), "two bars of one name would be one bar"
    strength = trace["marker"]["opacity"]
    chosen = plan.options.precision_ids.index(plan.weight_precision.id)
    assert strength[chosen] == 1 and strength.count(1.0) == 1


@every_plan
def test_quality_is_the_catalogues(plan: Plan) -> None:
    (trace,) = CHARTS["quality"](plan, CATALOGUE)["data"]
    shown = [
        CATALOGUE.recoveries[one]
        for one in plan.options.precision_ids
        if one in CATALOGUE.recoveries
    ]
    assert trace["x"] == [100 * recovery.median for recovery in shown]
    for i, recovery in enumerate(shown):
        low, high = trace["error_x"]["arrayminus"][i], trace["error_x"]["array"][i]
        assert trace["x"][i] + high == pytest.approx(100 * recovery.high)
        assert trace["x"][i] - low == pytest.approx(100 * recovery.low)


# ---------------------------------------------------------------- speed and numbers


def test_the_plans_are_of_both_kinds() -> None:
    assert len(NEVER) == 2
    assert np.isfinite(PLANS["owning pays"].cost.breakeven_high_months)
    assert PLANS["rules and euros"].money.best is None
    assert np.isfinite(PLANS["perhaps never"].serving.gpus)
    assert np.isinf(PLANS["perhaps never"].serving.gpus_high)


@every_plan
def test_the_service_level_stands_where_its_tokens_come(plan: Plan) -> None:
    """50 ms a token is 20 tokens a second; everything slower is tinted."""
    spec = CHARTS["trade_off"](plan, CATALOGUE)
    tint, line = spec["layout"]["shapes"]
    limit = 1 / plan.scenario.service_level.tpot_s
    assert line["x0"] == line["x1"] == tint["x1"] == pytest.approx(limit, rel=1e-12)
    assert tint["x0"] == spec["layout"]["xaxis"]["range"][0] < limit
    assert limit < spec["layout"]["xaxis"]["range"][1], "the line is in the picture"


@every_plan
def test_the_curve_is_the_plans(plan: Plan) -> None:
    band, curve, *points = CHARTS["trade_off"](plan, CATALOGUE)["data"]
    table = plan.speed.trade_off
    assert len(curve["x"]) == len(curve["y"]) == len(curve["customdata"]) == len(table.batch)
    assert np.allclose(1 / np.array(curve["x"]), table.tpot_s, rtol=1e-4)
    assert np.allclose(curve["y"], table.tokens_per_s, rtol=1e-4)
    assert len(band["x"]) == len(band["y"]) == 2 * len(table.batch)
    for x, y in zip(curve["x"], curve["y"], strict=True):
        assert min(band["x"]) <= x <= max(band["x"]) and min(band["y"]) <= y <= max(band["y"])
    judged = plan.scenario.service_level.percentile != "mean"
    assert len(points) == (1 + judged if plan.speed.feasible else 0)
    for point in points:
        assert min(curve["y"]) * 0.999 <= point["y"][0] <= max(curve["y"]) * 1.001
    if len(points) == 2:
        assert points[1]["x"][0] == pytest.approx(plan.serving.user_tokens_per_s, abs=1e-3)
        assert points[1]["x"][0] <= points[0]["x"][0] * 1.001, "the judged are no faster"


@every_plan
def test_each_bar_begins_where_the_last_one_ended(plan: Plan) -> None:
    token, first = CHARTS["step"](plan, CATALOGUE)["data"]
    totals = (plan.serving.tpot_s, plan.serving.ttft_s)
    for trace, total in zip((token, first), totals, strict=True):
        assert len(trace["x"]) == len(trace["y"]) == len(trace["base"]) == len(trace["text"])
        assert len(set(trace["y"])) == len(trace["y"]), "two bars of one name would be one row"
        ends = np.add(trace["base"], trace["x"])
        assert np.allclose(trace["base"], [0, *ends[:-1]], rtol=1e-4, atol=1e-4)
        scale = 1e3 if total < 1 else 1.0
        # The parts are the mean request's: they may exceed the total only when that is judged.
        assert ends[-1] >= 0.994 * total * scale
        if plan.scenario.service_level.percentile != "mean" and "Up to" in trace["y"][-1]:
            assert ends[-1] == pytest.approx(total * scale, rel=1e-4)
    assert np.allclose(
        token["x"][:6] / np.sum(token["x"][:6]),
        plan.speed.parts.token_s / plan.speed.parts.token_s.sum(),
        atol=1e-4,
    )


@every_plan
def test_the_limits_of_a_token_are_drawn_or_named(plan: Plan) -> None:
    spec = CHARTS["step"](plan, CATALOGUE)
    level, layout = plan.scenario.service_level, spec["layout"]
    heads = [one["text"] for one in layout["annotations"]]
    for axis, limit, head in (("x", level.tpot_s, heads[0]), ("x2", level.ttft_s, heads[1])):
        lines = [shape for shape in layout["shapes"] if shape["xref"] == axis]
        end = layout[axis.replace("x", "xaxis")]["range"][1]
        unit = layout[axis.replace("x", "xaxis")]["ticksuffix"].strip()
        place = limit * {"ms": 1e3, "s": 1.0}[unit]
        assert "limit" in head
        if lines:
            assert lines[0]["x0"] == pytest.approx(place) and place < end
        else:
            assert place > end and head.endswith("▸")


@feasible_plans
def test_a_week_is_what_the_idle_share_says(plan: Plan) -> None:
    """The areas of the picture give the headline again."""
    needed, on, demand = CHARTS["week"](plan, CATALOGUE)["data"]
    assert len(needed["y"]) == len(on["y"]) == len(demand["y"]) == 24 * 7 + 1
    hours = slice(0, 24 * 7)
    below, above = np.array(needed["y"][hours]), np.array(on["y"][hours])
    assert (below <= above).all() and above.max() == plan.serving.gpus
    assert 1 - below.sum() / above.sum() == pytest.approx(plan.serving.idle_fraction, abs=1e-4)
    assert max(demand["y"]) == pytest.approx(plan.demand.peak_per_s, rel=1e-4)


@feasible_plans
def test_the_weeks_axes_agree(plan: Plan) -> None:
    """Where the demand's line is, so many GPUs are full: never more than are needed."""
    spec = CHARTS["week"](plan, CATALOGUE)
    needed, _, demand = spec["data"]
    scale = spec["layout"]["yaxis"]["range"][1] / spec["layout"]["yaxis2"]["range"][1]
    full = np.array(demand["y"]) * scale
    running = np.array([*plan.speed.week.running, plan.speed.week.running[-1]]) > 0
    assert (full[running] <= np.array(needed["y"])[running] * 1.001 + 1e-6).all()


def test_hours_in_which_nothing_runs_are_grey() -> None:
    shapes = CHARTS["week"](PLANS["office hours, means"], CATALOGUE)["layout"]["shapes"]
    grey = [shape for shape in shapes if shape["type"] == "rect"]
    off = PLANS["office hours, means"].speed.week.running == 0
    assert sum(shape["x1"] - shape["x0"] for shape in grey) == off.sum()
    for shape in grey:
        assert off[shape["x0"] : shape["x1"]].all()
    always = CHARTS["week"](PLANS["a city"], CATALOGUE)["layout"]["shapes"]
    assert not [shape for shape in always if shape["type"] == "rect"]


@feasible_plans
def test_growth_is_steps_within_their_range(plan: Plan) -> None:
    low, high, gpus, here = CHARTS["growth"](plan, CATALOGUE)["data"]
    table = plan.speed.growth
    assert len(low["y"]) == len(high["y"]) == len(gpus["y"]) == len(gpus["customdata"])
    assert gpus["x"] == table.amount.tolist() and gpus["y"] == table.gpus.tolist()
    assert sorted(gpus["y"]) == gpus["y"]
    for bottom, middle, top in zip(low["y"], gpus["y"], high["y"], strict=True):
        assert bottom <= middle <= top
    assert (here["x"], here["y"]) == ([table.here], [plan.serving.gpus])
    at = int(np.argmin(np.abs(table.amount - table.here)))
    assert gpus["y"][at] == plan.serving.gpus


def test_where_the_slow_end_has_no_number_the_picture_says_so() -> None:
    layout = CHARTS["growth"](PLANS["perhaps never"], CATALOGUE)["layout"]
    assert any("no number is enough" in one["text"] for one in layout["annotations"])


@pytest.mark.parametrize("plan", NEVER, ids=["token", "first token"])
def test_without_an_answer_the_curve_and_the_demand_stay(plan: Plan) -> None:
    assert len(CHARTS["trade_off"](plan, CATALOGUE)["data"]) == 2
    (demand,) = CHARTS["week"](plan, CATALOGUE)["data"]
    assert demand["name"] == "demand" and max(demand["y"]) > 0
    (nothing,) = CHARTS["growth"](plan, CATALOGUE)["data"]
    assert nothing["x"] == []
    for name in ("week", "growth"):
        words = CHARTS[name](plan, CATALOGUE)["layout"]["annotations"]
        assert any("No number of GPUs" in one["text"] for one in words)
        assert re.search("[Nn]o number of GPUs", captions(plan, CATALOGUE)[name])


def test_captions_of_memory_do_not_compute_speed() -> None:
    plan = evaluate(Scenario(), CATALOGUE)
    captions(plan, CATALOGUE, ("memory", "precisions", "map", "quality"))
    assert plan.make_speed.cache_info().misses == 0


# ---------------------------------------------------------------- words


@every_plan
def test_captions_say_it_in_words(plan: Plan) -> None:
    said = captions(plan, CATALOGUE)
    assert set(said) == set(CHARTS)
    for name, text in said.items():
        assert len(text) > 20 and text.endswith("."), name
        assert not re.search(r"\b(nan|inf|None)\b|[{}]", text), text
    row = plan.options.gpus[plan.options.gpu_ids.index(plan.gpu.id)]
    for label, count in zip(plan.options.precision_labels, row, strict=True):
        assert (f"{label} {int(count):,}" if np.isfinite(count) else "") in said["precisions"]


@every_chart
def test_the_same_plan_draws_the_same_picture(name: str) -> None:
    plan = PLANS["chat-assistant"]
    again = evaluate(plan.scenario, CATALOGUE)
    assert CHARTS[name](again, CATALOGUE) == CHARTS[name](plan, CATALOGUE)


def test_every_format_has_its_own_name_on_the_axis() -> None:
    labels = [one.label for one in CATALOGUE.precisions.values() if one.use != "kv"]
    assert len(set(labels)) == len(labels)


def test_an_embedding_model_has_memory_and_no_speed() -> None:
    """It writes no answer, so that there is nothing to time; its memory is drawn all the same."""
    plan = _plan(workload__model="BAAI/bge-m3")
    for name in ("memory", "precisions", "map", "quality"):
        Figure(CHARTS[name](plan, CATALOGUE))
    with pytest.raises(InvalidScenario, match="writes no answer"):
        CHARTS["week"](plan, CATALOGUE)


# ---------------------------------------------------------------- own it, rent it, or call it


def _traces(spec: dict[str, Any], mode: str = "lines") -> list[dict[str, Any]]:
    """The lines of a picture; areas are told by their fill."""
    return [one for one in spec["data"] if one.get("mode") == mode and "fill" not in one]


@every_plan
def test_cash_ends_at_each_ways_total(plan: Plan) -> None:
    spec = CHARTS["cash"](plan, CATALOGUE)
    ways, lines = shown_ways(plan), _traces(spec)
    per_usd = plan.scenario.finance.currency_per_usd
    assert len(ways) == len(lines) <= 5
    months = 12 * plan.scenario.finance.horizon_years
    for way, line in zip(ways, lines, strict=True):
        assert line["x"] == list(range(months + 1))
        assert line["y"][-1] == pytest.approx(float(way.total_usd[0]) * per_usd, rel=1e-4)
        assert (line["line"]["dash"] == "dot") == (not way.allowed)
        assert ("(ruled out)" in line["name"]) == (not way.allowed)
    (names,) = _traces(spec, "text")
    assert sorted(text.strip(" ✕") for text in names["text"]) == sorted(SHORT[w.id] for w in ways)
    assert sum("✕" in text for text in names["text"]) == sum(not way.allowed for way in ways)
    gaps = np.diff(names["y"])
    assert (gaps > 0.06 * np.ptp(spec["layout"]["yaxis"]["range"])).all(), "names do not overlap"


@every_plan
def test_cash_stays_inside_its_band(plan: Plan) -> None:
    spec = CHARTS["cash"](plan, CATALOGUE)
    lines, areas = _traces(spec), [one for one in spec["data"] if "fill" in one]
    for line in lines:
        for month in (0, len(line["x"]) - 1):
            around = [
                y
                for area in areas
                for x, y in zip(area["x"], area["y"], strict=True)
                if x == month and y is not None
            ]
            assert min(around) <= line["y"][month] <= max(around)
    low, high = spec["layout"]["yaxis"]["range"]
    drawn = [y for trace in spec["data"] for y in trace["y"] if y is not None]
    assert low <= min(drawn) and max(drawn) <= high * (1 + 1e-9)


def test_the_break_even_is_marked_as_a_band() -> None:
    plan = PLANS["owning pays"]
    (span,) = CHARTS["cash"](plan, CATALOGUE)["layout"]["shapes"]
    ends = (plan.cost.breakeven_low_months, plan.cost.breakeven_high_months)
    assert (span["x0"], span["x1"]) == pytest.approx(ends, rel=1e-3)
    own, *others = _traces(CHARTS["cash"](plan, CATALOGUE))
    allowed = [one["y"] for one in others if "(ruled out)" not in one["name"]]
    best = min(allowed, key=lambda y: y[-1])
    after = int(np.ceil(plan.cost.breakeven_months))
    assert all(mine <= theirs for mine, theirs in zip(own["y"][after:], best[after:], strict=True))
    never = CHARTS["cash"](PLANS["chat-assistant"], CATALOGUE)["layout"]
    assert never["shapes"] == [] and "does not become cheaper" in never["annotations"][0]["text"]


@every_plan
def test_parts_add_up_to_each_total(plan: Plan) -> None:
    spec = CHARTS["parts"](plan, CATALOGUE)
    priced = [one for one in plan.money.venues if one.lines]
    per_usd = plan.scenario.finance.currency_per_usd
    sums = np.sum([trace["x"] for trace in spec["data"]], axis=0)
    totals = [float(one.total_usd[0]) * per_usd for one in priced]
    assert np.allclose(sums, totals, rtol=1e-3)
    for label, way in zip(spec["data"][0]["y"], priced, strict=True):
        assert label.removeprefix("✕ ") == SHORT[way.id]
        assert label.startswith("✕") == (not way.allowed)
    for trace in spec["data"]:
        strong = [share == 1 for share in trace["marker"]["opacity"]]
        assert strong == [way.allowed for way in priced]
        assert (min(trace["x"]) < 0) <= (trace["name"] == "Sold at the end")


@every_plan
def test_an_owned_hour_falls_with_use_and_meets_the_rented_one_in_the_band(plan: Plan) -> None:
    spec = CHARTS["crossing"](plan, CATALOGUE)
    found = plan.money.compared
    lines = {one["name"]: one for one in _traces(spec) if one.get("name")}
    if not np.isfinite(found.own_usd_per_gpu_hour[0]):
        assert "not open" in spec["layout"]["annotations"][0]["text"] and not lines
        return
    per_usd = plan.scenario.finance.currency_per_usd
    use, usd = np.array(lines["owned"]["x"]), np.array(lines["owned"]["y"])
    assert np.allclose(use * usd, 100 * band(found.own_usd_per_gpu_hour)[1] * per_usd, rtol=1e-3)
    if "rented" in lines:
        meets = plan.cost.breakeven_utilisation_fraction
        assert lines["rented"]["y"][0] == lines["rented"]["y"][1]
        at = band(found.own_usd_per_gpu_hour)[1] * per_usd / meets
        assert at == pytest.approx(lines["rented"]["y"][0], rel=1e-3)
    marks = [one["x0"] for one in spec["layout"]["shapes"] if one["type"] == "line"]
    assert 5 in marks, "the measured use"
    assert any(x == pytest.approx(100 * found.utilisation_fraction, rel=1e-3) for x in marks)


@every_plan
def test_the_weeks_power_adds_up_to_the_years(plan: Plan) -> None:
    spec = CHARTS["power"](plan, CATALOGUE)
    if plan.money.here is None:
        assert "No number of hosts" in spec["layout"]["annotations"][0]["text"]
        return
    layers = np.array([one["y"][:-1] for one in spec["data"]])
    assert layers.shape == (3, 168) and (layers >= 0).all()
    assert layers.sum(axis=0).max() == pytest.approx(
        plan.energy.peak_kw * plan.energy.pue, rel=1e-3
    )
    if plan.demand.hours_per_year == 8760:
        year = layers.sum(axis=0).mean() * 8760
        assert year == pytest.approx(plan.energy.facility_kwh_per_year, rel=1e-3)


def test_a_near_limit_of_the_racks_is_a_line() -> None:
    tight = _plan(demand__users=200_000, site__rack_kw=10.0, site__spare_hosts=0)
    (line,) = CHARTS["power"](tight, CATALOGUE)["layout"]["shapes"]
    assert line["y0"] == line["y1"] == tight.energy.racks * 10.0
    assert line["y0"] < CHARTS["power"](tight, CATALOGUE)["layout"]["yaxis"]["range"][1]
    assert CHARTS["power"](PLANS["chat-assistant"], CATALOGUE)["layout"]["shapes"] == []


@pytest.mark.parametrize("name", TABLES)
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
def test_every_way_stands_in_the_table_with_its_reason(plan: Plan) -> None:
    rows = {row["id"]: row for row in TABLES["venues"](plan, CATALOGUE)["rows"]}
    assert list(rows) == [venue.id for venue in plan.money.venues]
    for venue in plan.money.venues:
        row = rows[venue.id]
        assert (row["look"] == "out") == (not venue.allowed)
        assert (row["look"] == "best") == (venue is plan.money.best)
        if not venue.allowed:
            assert row["cells"][-1]["note"].endswith("."), venue.id


@every_plan
def test_the_matrix_says_what_the_gates_say(plan: Plan) -> None:
    table = TABLES["rules"](plan, CATALOGUE)
    flags = {gate.flag for venue in plan.money.venues for gate in venue.gates}
    assert len(table["heads"]) == (len(flags) + 1 if flags else 0)
    for venue, row in zip(plan.money.venues, table["rows"], strict=False):
        if venue.gates:
            said = [cell["text"] == "passes" for cell in row["cells"][1:]]
            assert said == [gate.passed for gate in venue.gates]
            assert [cell["title"] for cell in row["cells"][1:]] == [g.reason for g in venue.gates]
    assert any("not legal advice" in note for note in table["notes"])
    assert bool(table.get("terms")) == bool(flags)


@every_plan
def test_every_price_behind_a_line_is_listed(plan: Plan) -> None:
    rows = {row["id"]: row for row in TABLES["prices"](plan, CATALOGUE)["rows"]}
    behind = {name for way in plan.money.venues for line in way.lines for name in line.prices}
    assert behind <= set(rows) and set(rows) - behind <= {"pue/own-room", "pue/colocation"}
    quoted = plan.scenario.finance.quoted
    for name, row in rows.items():
        assert row["cells"][-1]["text"] == (f"{quoted[name]:.12g}" if name in quoted else "")
        assert row["cells"][3]["text"] and row["cells"][2]["text"]
