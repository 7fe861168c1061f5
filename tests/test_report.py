"""What a plan says in sentences: the plan's own numbers, the range, and what limits them."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from planner.catalogue import load_catalogue
from planner.plan import Plan, evaluate
from planner.report import (
    Headline,
    headlines,
    judged_words,
    speed_headlines,
    speed_sentences,
    team_sentences,
)
from planner.scenario import EXAMPLES, Scenario, load_example

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
    limit = math.sqrt(float(curve.tpot_s[0]) * float(curve.tpot_high_s[0]))
    return _plan(**alone, service_level__tpot_s=limit)


PLANS = {
    **{name: evaluate(load_example(name), CATALOGUE) for name in EXAMPLES},
    "default": _plan(),
    "a city": _plan(demand__users=200_000),
    "a log": _plan(demand__source="log"),
    "office hours": _plan(demand__users=50_000, demand__duration="office"),
    "the mean": _plan(service_level__percentile="mean"),
    "one person": _plan(demand__users=1, service_level__tpot_s=1.0, service_level__ttft_s=60.0),
    "perhaps never": _perhaps_never(),
    # One GPU reads 70 GB of weights in 20 ms at its datasheet's bandwidth.
    "never": _plan(service_level__tpot_s=0.005, deployment__tensor_parallel=1),
}
every_plan = pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS.keys())


def by_id(plan: Plan) -> dict[str, Headline]:
    return {headline.id: headline for headline in speed_headlines(plan, CATALOGUE)}


@every_plan
def test_every_sentence_can_be_read_aloud(plan: Plan) -> None:
    said = [*headlines(plan, CATALOGUE), *speed_headlines(plan, CATALOGUE)]
    texts = [headline.text for headline in said]
    texts += [*team_sentences(plan, CATALOGUE).values(), *speed_sentences(plan, CATALOGUE).values()]
    for text in texts:
        assert text.endswith((".", "?")) and len(text.split()) > 5
        assert not re.search(r"\b(nan|inf|None|unlimited)\b|[{}]|without end", text), text
    for headline in said:
        assert headline.tone in ("good", "warn", "bad", "plain")
        assert headline.value and not re.search(r"\b(nan|inf)\b", headline.value)


@every_plan
def test_the_five_numbers_are_the_plans(plan: Plan) -> None:
    found, serving = by_id(plan), plan.serving
    assert list(found) == [
        "serving.gpus",
        "serving.ttft_s",
        "serving.user_tokens_per_s",
        "serving.idle_fraction",
        "demand.peak_per_s",
    ]
    for identity, headline in found.items():
        assert headline.basis == plan.basis(identity)
    if plan.speed.feasible:
        assert float(found["serving.gpus"].value.replace(",", "")) == serving.gpus
        assert found["serving.gpus"].unit == f"× {plan.gpu.name}"
        idle = float(found["serving.idle_fraction"].value)
        assert idle == pytest.approx(100 * serving.idle_fraction, abs=0.5)
    seconds = {"ms": 1e-3, "s": 1.0, "min": 60.0}
    first = found["serving.ttft_s"]
    shown = float(first.value) * seconds[first.unit]
    assert shown == pytest.approx(serving.ttft_s, rel=5e-3)
    speed = float(found["serving.user_tokens_per_s"].value.replace(",", ""))
    assert speed == pytest.approx(1 / serving.tpot_s, rel=5e-3)
    peak = float(found["demand.peak_per_s"].value.replace(",", ""))
    assert peak == pytest.approx(plan.demand.peak_per_s, rel=5e-3)


def test_the_range_is_said() -> None:
    plan = PLANS["a city"]
    low, high = plan.serving.gpus_low, plan.serving.gpus_high
    assert low < plan.serving.gpus < high
    assert f"{low:.0f} to {high:.0f} if the hardware is faster or slower" in (
        by_id(plan)["serving.gpus"].text
    )
    replicas = f"{plan.serving.replicas:.0f} replicas of {plan.serving.gpus_per_replica:.0f} GPU"
    assert by_id(plan)["serving.gpus"].text.startswith(replicas)
    alone = PLANS["one person"]
    assert alone.serving.gpus_low == alone.serving.gpus_high
    assert "the same number" in by_id(alone)["serving.gpus"].text


def test_a_slow_end_without_a_number_is_said_and_warned_of() -> None:
    plan = PLANS["perhaps never"]
    assert math.isinf(plan.serving.gpus_high)
    gpus = by_id(plan)["serving.gpus"]
    assert gpus.tone == "warn" and "if it is slow, no number is enough" in gpus.text


def test_no_number_is_said_with_its_reason() -> None:
    plan = PLANS["never"]
    found = by_id(plan)
    gpus = found["serving.gpus"]
    assert (gpus.value, gpus.tone, gpus.text) == ("None will do", "bad", plan.speed.reason)
    assert found["serving.user_tokens_per_s"].tone == "bad"
    assert "do not help" in speed_sentences(plan, CATALOGUE)["infrastructure"]


@every_plan
def test_the_tone_looks_at_the_slow_end(plan: Plan) -> None:
    """Good only when the slow end of the range is within the limit too."""
    serving, level = plan.serving, plan.scenario.service_level
    for identity, predicted, slow, limit in (
        ("serving.ttft_s", serving.ttft_s, serving.ttft_high_s, level.ttft_s),
        ("serving.user_tokens_per_s", serving.tpot_s, serving.tpot_high_s, level.tpot_s),
    ):
        wanted = "bad" if predicted > limit else "good" if slow <= limit else "warn"
        assert by_id(plan)[identity].tone == wanted


def test_all_three_tones_are_seen() -> None:
    tones = [by_id(plan)["serving.user_tokens_per_s"].tone for plan in PLANS.values()]
    assert {"good", "warn", "bad"} == set(tones)


def test_who_is_judged_is_said() -> None:
    assert judged_words(PLANS["default"]) == "95 of 100 requests"
    assert "For the mean request;" in by_id(PLANS["the mean"])["serving.ttft_s"].text


def test_hours_that_are_off_are_said() -> None:
    found = by_id(PLANS["office hours"])["serving.idle_fraction"]
    assert "h a year" in found.unit and "of requests come when it is off" in found.text
    assert by_id(PLANS["a city"])["serving.idle_fraction"].unit == "% over the week"


def test_one_replica_is_not_called_idle() -> None:
    plan = PLANS["one person"]
    assert plan.serving.replicas == 1
    assert "One replica is the least" in by_id(plan)["serving.idle_fraction"].text


@every_plan
def test_each_team_hears_what_is_its_own(plan: Plan) -> None:
    said = speed_sentences(plan, CATALOGUE)
    assert plan.model.name in said["data science"]
    if plan.speed.feasible:
        assert plan.serving.binding in said["data science"]
        assert f"holds {int(plan.serving.slots):,} request" in said["infrastructure"]
