"""The page of value: its pictures are the plan's own money, and its sentences can be read aloud."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
import pytest
from plotly.graph_objects import Figure

from planner.catalogue import load_catalogue
from planner.charts import CHARTS, captions
from planner.charts.kill_line import crossing
from planner.charts.payback import cash_band
from planner.charts.value import worth_rows
from planner.charts.value_words import lever_change, lever_values
from planner.cost import band
from planner.errors import InvalidScenario
from planner.plan import Plan, evaluate
from planner.report import Headline, value_headlines, value_sentences
from planner.scenario import EXAMPLES, FIELDS, Scenario, load_example
from planner.value import INFRASTRUCTURE, VOLUME, npv_of_case
from planner.workbook.value_page import is_it_worth_it

CATALOGUE = load_catalogue()
NAMES = ("worth", "kill_line", "payback", "levers")


def _plan(**changes: Any) -> Plan:
    changed = {key.replace("__", "."): value for key, value in changes.items()}
    return evaluate(Scenario().changed(changed), CATALOGUE)


EURO = {"finance__currency": "EUR", "finance__currency_per_usd": 0.8}
PLANS = {
    **{name: evaluate(load_example(name), CATALOGUE) for name in EXAMPLES},
    "default": _plan(),
    "half the time": _plan(value__saved_s_per_task=180.0, demand__users=200),
    "answers of little use": _plan(value__success_fraction=0.3),
    "losses avoided": _plan(value__avoided_loss_usd_per_year=40_000.0),
    "owned, in euros": _plan(policy__air_gapped=True, demand__users=2000, **EURO),
    "owned, loses": _plan(policy__air_gapped=True),
    "one year, no interest": _plan(finance__horizon_years=1, finance__discount_fraction=0.0),
    "errors cost a million": _plan(value__error_cost_usd=1e6),
    "nobody comes": _plan(value__adoption_fraction=0.0),
    "nothing is of use": _plan(value__success_fraction=0.0),
    "worth nothing": _plan(value__wage_usd_per_hour=0.0),
    "no cost but the bill": _plan(value__project_cost_usd=0.0, value__revenue_usd_per_task=5.0),
}
NOTHING = _plan(policy__air_gapped=True, service_level__tpot_s=0.005, deployment__tensor_parallel=1)
every_plan = pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS.keys())
counted = pytest.mark.parametrize(
    "plan",
    [plan for plan in PLANS.values() if math.isfinite(plan.value.cost_usd_per_task)],
    ids=[name for name, plan in PLANS.items() if math.isfinite(plan.value.cost_usd_per_task)],
)


def rate_of(plan: Plan) -> float:
    return plan.scenario.finance.currency_per_usd


def traces(plan: Plan, name: str) -> dict[str, dict[str, Any]]:
    return {trace["name"]: trace for trace in CHARTS[name](plan, CATALOGUE)["data"]}


def card(plan: Plan, name: str) -> Headline:
    return next(one for one in value_headlines(plan, CATALOGUE) if one.id == f"value.{name}")


# ---------------------------------------------------------------- pictures


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("plan", [*PLANS.values(), NOTHING], ids=[*PLANS, "nothing"])
def test_plotly_accepts_it(plan: Plan, name: str) -> None:
    spec = CHARTS[name](plan, CATALOGUE)
    Figure(spec)
    assert json.loads(json.dumps(spec, allow_nan=False)) == spec
    assert not re.search(r"\b(nan|inf)\b", json.dumps(spec))


@every_plan
def test_the_bars_lead_from_nothing_to_the_net_present_value(plan: Plan) -> None:
    (bars,) = CHARTS["worth"](plan, CATALOGUE)["data"]
    net = rate_of(plan) * plan.value.npv_usd
    scale = max(bars["x"])
    at = 0.0
    for size, base, text in list(zip(bars["x"], bars["base"], bars["text"], strict=True))[:-1]:
        start, end = (base, base + size) if text.startswith("+") else (base + size, base)
        assert start == pytest.approx(at, abs=1e-4 * scale)
        at = end
    assert at == pytest.approx(net, abs=1e-4 * scale)
    assert bars["y"][-1] == "Net present value" and bars["x"][-1] == pytest.approx(abs(net), 1e-5)


def test_the_bars_are_the_months_added_up_by_hand() -> None:
    """Even growth for six months, each month's mean, discounted by the twelfth root of 1.08."""
    plan = PLANS["default"]
    value, found = plan.scenario.value, plan.money.worthwhile
    wage = value.wage_usd_per_hour * (1 + value.burden_fraction) / 3600
    wanted = dict.fromkeys(("Time saved", "Checking answers", "Errors", "Project and change"), 0.0)
    wanted["Project and change"] = -value.project_cost_usd
    for month in range(1, 37):
        factor = 1.08 ** (-month / 12)
        tried = found.tasks[month - 1] * 0.7 * min((2 * month - 1) / 12, 1.0) * factor
        done = tried * 0.9 * 0.8
        wanted["Time saved"] += done * 300 * wage * 0.35
        wanted["Checking answers"] -= tried * 30 * wage
        wanted["Errors"] -= done * 0.01 * 20
        wanted["Project and change"] -= value.change_cost_usd_per_year / 12 * factor
    rows = dict(worth_rows(found))
    for name, usd in wanted.items():
        assert rows[name] == pytest.approx(usd, rel=1e-9), name
    assert sum(rows.values()) == pytest.approx(plan.value.npv_usd, rel=1e-9)


@counted
def test_the_lines_pass_through_the_scenario(plan: Plan) -> None:
    drawn, answers, times = traces(plan, "kill_line"), plan.value, rate_of(plan)
    for name, usd in (
        ("cost", answers.cost_usd_per_task),
        ("value", answers.value_usd_per_task),
    ):
        # Both are a sum shared by the tasks and a sum for each: straight over one over the volume.
        over = 1.0 / np.array(drawn[name]["x"])
        here = np.interp(-1.0 / answers.tasks_per_month, -over, drawn[name]["y"])
        assert here == pytest.approx(times * usd, rel=1e-3, abs=1e-6)
    assert drawn["here"]["x"] == pytest.approx([answers.tasks_per_month] * 2, rel=1e-5)
    gap = drawn["here"]["y"][0] - drawn["here"]["y"][1]
    assert gap == pytest.approx(times * abs(answers.margin_usd_per_task), rel=1e-3)


@counted
def test_at_the_crossing_nothing_is_left(plan: Plan) -> None:
    """The net present value of so many tasks, by the value room's own function."""
    found, meets = plan.money.worthwhile, crossing(plan.money.worthwhile)
    money = (found.running_usd, found.capital_usd, found.rate_per_year, found.usd_per_task)
    if math.isnan(meets.tasks_per_month):
        ends = [npv_of_case(found.values, times * found.tasks, *money) for times in (1e-3, 1e4)]
        assert np.sign(ends[0]) == np.sign(ends[1])
        return
    times = meets.tasks_per_month / plan.value.tasks_per_month
    assert npv_of_case(found.values, times * found.tasks, *money) == pytest.approx(
        0.0, abs=1e-6 * plan.value.cost_usd
    )
    more = npv_of_case(found.values, 1.1 * times * found.tasks, *money)
    assert (more > 0) == meets.pays_above


def test_the_crossings_are_of_every_kind() -> None:
    found = [crossing(plan.money.worthwhile).tasks_per_month for plan in PLANS.values()]
    shares = [
        at / plan.value.tasks_per_month for at, plan in zip(found, PLANS.values(), strict=True)
    ]
    assert any(share < 1 for share in shares) and any(share > 1 for share in shares)
    assert any(math.isnan(share) for share in shares)


@counted
def test_the_hatched_zone_is_where_it_loses(plan: Plan) -> None:
    drawn = traces(plan, "kill_line")
    cost, value, zone = drawn["cost"], drawn["value"], drawn["loses"]
    lost = [
        x for x, c, v in zip(cost["x"], cost["y"], value["y"], strict=True) if c > v * (1 + 1e-5)
    ]
    assert set(lost) <= set(zone["x"]) and bool(lost) == bool(zone["x"])
    assert zone["showlegend"] == bool(zone["x"])
    assert (plan.value.tasks_per_month >= min(zone["x"], default=math.inf)) or (
        plan.money.worthwhile.case.verdict.worth
    )
    here = next(text for text in drawn["words"]["text"] if "here" in text)
    assert ("+" in here) == bool(plan.money.worthwhile.case.verdict.worth)


@every_plan
def test_the_running_total_ends_at_the_answers_and_is_zero_at_the_payback(plan: Plan) -> None:
    drawn, answers, times = traces(plan, "payback"), plan.value, rate_of(plan)
    total, interest = drawn["total"], drawn["with interest"]
    assert total["y"][-1] == pytest.approx(
        times * (answers.benefit_usd - answers.cost_usd), rel=1e-4
    )
    assert interest["y"][-1] == pytest.approx(times * answers.npv_usd, rel=1e-4)
    scale = max(np.abs(total["y"]))
    for months, line in (
        (answers.payback_months, total),
        (answers.discounted_payback_months, interest),
    ):
        if math.isfinite(months) and months > 0:
            at = np.interp(months, line["x"], line["y"])
            assert at == pytest.approx(0.0, abs=1e-4 * scale)
            assert min(np.array(line["y"])[np.array(line["x"]) > months]) >= 0
        elif math.isinf(months):
            assert line["y"][-1] <= 0
    marked = [one for one in (answers.payback_months, answers.discounted_payback_months)]
    assert len(drawn["paid back"]["x"]) == sum(map(math.isfinite, marked))


@pytest.mark.parametrize("name", ["owned, in euros", "owned, loses", "chat-assistant"])
def test_the_band_is_that_of_the_bill(name: str) -> None:
    """Over the horizon it is the benefit less the other costs less the bill, draw by draw."""
    scenario = PLANS[name].scenario.changed(
        {"value.adoption_fraction": 1.0, "value.adoption_ramp_months": 0}
    )
    plan = evaluate(scenario, CATALOGUE)
    found, value = plan.money.worthwhile, scenario.value
    low, high = cash_band(found)
    assert (low <= high).all()
    around = value.project_cost_usd
    around += scenario.finance.horizon_years * value.change_cost_usd_per_year
    cheap, _, dear = band(found.venue.total_usd)
    before_the_bill = plan.value.benefit_usd - around
    # All tasks are tried, so that an API's bill is the whole one.
    assert low[-1] == pytest.approx(before_the_bill - dear, rel=1e-6)
    assert high[-1] == pytest.approx(before_the_bill - cheap, rel=1e-6)


def test_adoption_is_seen() -> None:
    drawn = traces(PLANS["default"], "payback")["adoption"]
    # In the first of six months it grows from nothing to a sixth, a twelfth on average.
    assert drawn["y"][0] == pytest.approx(70.0 / 12.0, rel=1e-5)
    assert drawn["y"][6:] == pytest.approx([70.0] * 30, rel=1e-5)


@every_plan
def test_the_bars_of_levers_are_the_levers(plan: Plan) -> None:
    (bars,) = CHARTS["levers"](plan, CATALOGUE)["data"]
    changes = [lever_change(one) for one in plan.money.worthwhile.levers]
    reachable = sum(not math.isnan(one) for one in changes)
    assert len(bars["y"]) == len(changes) == 8
    assert [text == "out of reach" for text in bars["text"]] == [at >= reachable for at in range(8)]
    assert all("→" in one for one in bars["customdata"][:reachable])
    sizes = [min(abs(one), 1.5) for one in changes if not math.isnan(one)]
    assert bars["x"][:reachable] == pytest.approx([100 * one for one in sizes], rel=1e-4)


def test_a_lever_pulled_as_far_as_it_says_turns_the_plan() -> None:
    """The whole plan again, with the one assumption changed: nothing is left either way."""
    pulled = 0
    for name in ("default", "answers of little use", "owned, loses"):
        plan = PLANS[name]
        for lever in plan.money.worthwhile.levers:
            if lever.name in (VOLUME, INFRASTRUCTURE) or math.isnan(lever_change(lever)):
                continue
            scenario = plan.scenario.changed({lever.name: float(lever.needed)})
            again = evaluate(scenario, CATALOGUE).value.npv_usd
            assert again == pytest.approx(0.0, abs=1e-6 * plan.value.cost_usd), lever.name
            pulled += 1
    assert pulled > 8


# ---------------------------------------------------------------- words


@pytest.mark.parametrize("plan", [*PLANS.values(), NOTHING], ids=[*PLANS, "nothing"])
def test_every_sentence_can_be_read_aloud(plan: Plan) -> None:
    said = value_headlines(plan, CATALOGUE)
    texts = [headline.text for headline in said]
    texts += value_sentences(plan, CATALOGUE).values()
    texts += captions(plan, CATALOGUE, NAMES).values()
    for text in texts:
        assert text.endswith(".") and len(text.split()) > 5, text
        assert not re.search(r"\b(nan|inf|unlimited|unknown)\b|[{}]|without end|e\+", text), text
    for headline in said:
        assert headline.tone in ("good", "warn", "bad", "plain")
        assert headline.value and not re.search(r"\b(nan|inf)\b", headline.value)


@every_plan
def test_the_verdict_is_the_sign_of_the_net_present_value(plan: Plan) -> None:
    verdict, answers = card(plan, "verdict"), plan.value
    wins = answers.npv_usd > 0
    assert verdict.value == (
        "It brings more than it costs." if wins else "It costs more than it brings."
    )
    unsure = answers.npv_low_usd < 0 < answers.npv_high_usd
    assert verdict.tone == ("warn" if unsure else "good" if wins else "bad")
    assert ("turn" in verdict.text) == (unsure or not wins)
    assert plan.money.worthwhile.venue.label in verdict.text


def test_when_it_loses_the_nearest_levers_are_named() -> None:
    plan = PLANS["answers of little use"]
    text = card(plan, "verdict").text
    assert not plan.money.worthwhile.case.verdict.worth
    for lever in plan.money.worthwhile.levers[:2]:
        now, then = lever_values(plan, lever)
        assert f"{lever.label[1:]} from {now} to {then}" in text


def test_when_no_lever_turns_it_that_is_said() -> None:
    plan = PLANS["errors cost a million"]
    assert all(math.isnan(lever_change(one)) for one in plan.money.worthwhile.levers)
    assert "No single lever turns it" in card(plan, "verdict").text
    head = CHARTS["levers"](plan, CATALOGUE)["layout"]["annotations"][0]["text"]
    assert "No one of these turns it" in head


def test_all_tones_of_the_verdict_are_seen() -> None:
    near = evaluate(
        PLANS["owned, in euros"].scenario.changed({"value.realisation_fraction": 0.28}), CATALOGUE
    )
    assert near.value.npv_low_usd < 0 < near.value.npv_high_usd
    assert card(near, "verdict").tone == "warn" and "may turn" in card(near, "verdict").text
    tones = {card(plan, "verdict").tone for plan in PLANS.values()}
    assert {"good", "bad"} <= tones


def test_the_cards_say_the_plans_numbers() -> None:
    plan = PLANS["default"]
    answers = plan.value
    assert card(plan, "npv_usd").value == f"${float(f'{answers.npv_usd:.3g}'):,.0f}"
    assert float(card(plan, "payback_months").value) == pytest.approx(
        answers.payback_months, abs=0.05
    )
    irr = float(card(plan, "irr_fraction").value)
    assert irr == pytest.approx(100 * answers.irr_fraction, rel=5e-3)
    volume = float(card(plan, "breakeven_tasks_per_month").value.replace(",", ""))
    assert volume == pytest.approx(answers.breakeven_tasks_per_month, rel=5e-3)
    for headline in value_headlines(plan, CATALOGUE):
        assert headline.basis == plan.basis(headline.id)


def test_never_and_none_are_words() -> None:
    plan = PLANS["answers of little use"]
    assert card(plan, "payback_months").value == "Never"
    assert card(plan, "discounted_payback_months").value == "Never"
    assert card(plan, "irr_fraction").value == "None"
    assert card(plan, "breakeven_tasks_per_month").value == "No volume"
    assert card(PLANS["nobody comes"], "cost_usd_per_task").value == "–"


def test_everything_is_in_the_scenarios_currency() -> None:
    plan = PLANS["owned, in euros"]
    words = [one.value + one.text for one in value_headlines(plan, CATALOGUE)]
    words += [
        *value_sentences(plan, CATALOGUE).values(),
        *captions(plan, CATALOGUE, NAMES).values(),
    ]
    words += [json.dumps(CHARTS[name](plan, CATALOGUE)) for name in NAMES]
    assert not any("$" in one or "USD" in one for one in words)
    assert sum("EUR" in one for one in words) > 10


def test_realisation_is_never_all_and_the_page_says_so() -> None:
    said = value_sentences(PLANS["default"], CATALOGUE)
    assert "35 % of that time becomes money, never all" in said["data science"]
    assert "net present value" in said["infrastructure"]


def test_where_nothing_is_allowed_there_is_a_sentence_in_place_of_every_picture() -> None:
    (verdict,) = value_headlines(NOTHING, CATALOGUE)
    assert verdict.value == "Nothing that policy allows." and verdict.tone == "bad"
    ways = NOTHING.money.venues
    assert f"Of {len(ways)} ways" in verdict.text
    for name in NAMES:
        spec = CHARTS[name](NOTHING, CATALOGUE)
        assert not any(trace["x"] for trace in spec["data"])
        assert "nothing to weigh" in spec["layout"]["annotations"][0]["text"]


def test_an_embedding_model_has_no_worth() -> None:
    plan = _plan(workload__model="BAAI/bge-m3")
    with pytest.raises(InvalidScenario, match="writes no answer"):
        value_headlines(plan, CATALOGUE)


# ---------------------------------------------------------------- the page


def test_the_page_asks_for_the_work_the_demand_and_the_money() -> None:
    page = is_it_worth_it(CATALOGUE)
    sections = {one["title"]: one for one in page["sections"]}
    assert list(sections)[:3] == ["The work and its worth", "The demand", "The money"]
    asked = {control["path"] for control in sections["The work and its worth"]["controls"]}
    assert asked == {path for path in FIELDS if path.startswith("value.")}
    assert [title for title, one in sections.items() if one["collapsed"]] == [
        "The model",
        "The hardware",
    ]
    assert [chart["id"] for chart in page["charts"]] == list(NAMES)
