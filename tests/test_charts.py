"""Every picture: valid plotly, the plan's own numbers, and words for who does not see it."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from plotly.graph_objects import Figure

from planner.catalogue import load_catalogue
from planner.charts import CHARTS, captions
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
