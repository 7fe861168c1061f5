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
from planner.plan import Plan, evaluate
from planner.scenario import EXAMPLES, Scenario, load_example
from planner.units import GIB

CATALOGUE = load_catalogue()


def _plan(**changes: Any) -> Plan:
    changed = {key.replace("__", "."): value for key, value in changes.items()}
    return evaluate(Scenario().changed(changed), CATALOGUE)


PLANS = {
    **{name: evaluate(load_example(name), CATALOGUE) for name in EXAMPLES},
    "an embedding model": _plan(workload__model="BAAI/bge-m3"),
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
}
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
