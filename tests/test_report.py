"""What a plan says in sentences: the plan's own numbers, the range, and what limits them."""

from __future__ import annotations

import datetime
import math
import re
from typing import Any

import pytest

from planner.catalogue import age_days, load_catalogue
from planner.charts.cost_tables import OLD_DAYS, prices_used
from planner.cost import band
from planner.plan import Plan, evaluate
from planner.report import (
    Headline,
    cost_headlines,
    cost_sentences,
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


BUSY = {
    "demand__users": 200_000,
    "demand__week_shape": "flat",
    "finance__cloud_hours": "always",
    "finance__cloud_provider": "gcp",
    "policy__isolation": "whole",
}
"""Busy at every hour, and set beside a cloud without spot instances."""
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
    "owning pays": _plan(**BUSY),
    "nothing but owning": _plan(policy__air_gapped=True),
    "nothing at all": _plan(policy__air_gapped=True, service_level__tpot_s=0.005),
    "euros": _plan(finance__currency="EUR", finance__currency_per_usd=0.92),
}
every_plan = pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS.keys())


def by_id(plan: Plan) -> dict[str, Headline]:
    return {headline.id: headline for headline in speed_headlines(plan, CATALOGUE)}


@every_plan
def test_every_sentence_can_be_read_aloud(plan: Plan) -> None:
    said = [*headlines(plan, CATALOGUE), *speed_headlines(plan, CATALOGUE)]
    said += cost_headlines(plan, CATALOGUE)
    texts = [headline.text for headline in said]
    texts += [*team_sentences(plan, CATALOGUE).values(), *speed_sentences(plan, CATALOGUE).values()]
    texts += cost_sentences(plan, CATALOGUE).values()
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


# ---------------------------------------------------------------- own it, rent it, or call it


def costs(plan: Plan) -> dict[str, Headline]:
    return {headline.id: headline for headline in cost_headlines(plan, CATALOGUE)}


def amount(text: str) -> float:
    """The number in an amount such as $1.27 million, in units of its currency."""
    number, _, word = text.replace("EUR ", "").strip("$").replace(",", "").partition(" ")
    return float(number) * {"": 1.0, "million": 1e6, "billion": 1e9}[word]


@every_plan
def test_the_totals_are_the_venues(plan: Plan) -> None:
    found, per_usd = costs(plan), plan.scenario.finance.currency_per_usd
    years = plan.scenario.finance.horizon_years
    for kind in ("own", "rent", "call"):
        headline = found[f"cost.{kind}_usd"]
        allowed = [one for one in plan.money.venues if one.kind == kind and one.allowed]
        if not allowed:
            assert (headline.value, headline.tone) == ("Out", "bad")
            continue
        rate = plan.scenario.finance.discount_fraction
        best = min(allowed, key=lambda one: float(one.present_usd(rate, years)[0]))
        low, value, high = band(best.total_usd)
        assert amount(headline.value) == pytest.approx(value * per_usd, rel=5e-3)
        assert best.label in headline.text
        ends = headline.text.removesuffix(" as prices go.").split(": ")[-1].split(" to ")
        assert amount(ends[0]) == pytest.approx(low * per_usd, rel=5e-3)
        assert amount(ends[-1]) == pytest.approx(high * per_usd, rel=5e-3)
    cheapest = [found[f"cost.{kind}_usd"].tone for kind in ("own", "rent", "call")].count("good")
    assert cheapest == (1 if plan.money.best else 0)


def test_a_break_even_is_a_band() -> None:
    plan = PLANS["owning pays"]
    months, use = costs(plan)["cost.breakeven_months"], costs(plan)
    low, high = (float(end) for end in months.value.split("–"))
    assert low == pytest.approx(plan.cost.breakeven_low_months, abs=0.5)
    assert high == pytest.approx(plan.cost.breakeven_high_months, abs=0.5)
    assert low < high and (months.unit, months.tone) == ("months", "good")
    assert " h to " in months.text and plan.money.compared.rent.label in months.text
    used = use["cost.breakeven_utilisation_fraction"]
    ends = [float(end) / 100 for end in used.value.split("–")]
    assert ends[0] == pytest.approx(plan.cost.breakeven_utilisation_low_fraction, abs=0.006)
    assert ends[1] == pytest.approx(plan.cost.breakeven_utilisation_high_fraction, abs=0.006)
    assert ends[1] < plan.cost.utilisation_fraction and used.tone == "good"


@every_plan
def test_the_measured_use_stands_beside_the_plans(plan: Plan) -> None:
    text = costs(plan)["cost.breakeven_utilisation_fraction"].text
    assert "Enterprises: 5 %" in text and "23,000 clusters (Cast AI, 2026)" in text
    if math.isfinite(plan.cost.utilisation_fraction):
        assert f"This plan: {100 * plan.cost.utilisation_fraction:.0f} %." in text


def test_never_is_said_with_what_it_is_set_against() -> None:
    found = costs(PLANS["default"])["cost.breakeven_months"]
    assert (found.value, found.tone) == ("Never", "warn") and "Not within 3 years" in found.text
    alone = costs(PLANS["nothing but owning"])["cost.breakeven_months"]
    assert alone.value == "–" and "must both be allowed" in alone.text


def test_too_high_a_guess_costs_more_than_too_low_a_one() -> None:
    found = costs(PLANS["a city"])["cost.loss_usd_per_hour"]
    assert "to guess too high costs more than to guess too low" in found.text
    none = costs(PLANS["default"])["cost.loss_usd_per_hour"]
    assert PLANS["default"].cost.utilisation_fraction < 0.1 and none.value == "Nothing"


def test_nothing_allowed_is_said() -> None:
    plan = PLANS["nothing at all"]
    assert plan.money.best is None
    assert costs(plan)["cost.cheapest_usd"].value == "None"
    assert "says why" in cost_sentences(plan, CATALOGUE)["infrastructure"]


@every_plan
def test_the_oldest_price_is_dated_and_warned_of(plan: Plan) -> None:
    found, today = costs(plan)["prices"], datetime.date.today()
    ages = [age_days(one.source.as_of, today) for one in prices_used(plan) if not one.quoted]
    assert age_days(found.value, today) == max(ages)
    assert found.tone == ("warn" if max(ages) > OLD_DAYS else "good")
    assert f"{max(ages):,} day" in found.text


def test_quotes_are_not_called_old() -> None:
    ids = [one.id for one in prices_used(PLANS["default"])]
    quotes = {one: PLANS["default"].money.book.price(one).value for one in ids}
    plan = _plan(finance__quotes=quotes)
    assert costs(plan)["prices"].value == "–"


def test_amounts_are_in_the_scenarios_currency() -> None:
    for headline in cost_headlines(PLANS["euros"], CATALOGUE):
        assert "$" not in headline.value + headline.text
    assert "EUR" in cost_sentences(PLANS["euros"], CATALOGUE)["infrastructure"]
