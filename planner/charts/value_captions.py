"""What each picture of worth says, in a sentence."""

from __future__ import annotations

import math
from collections.abc import Callable

from planner.catalogue import Catalogue
from planner.charts.kill_line import crossing
from planner.charts.value_words import (
    NOTHING,
    SHORT,
    about,
    lever_change,
    lever_values,
    percent,
    signed,
    spoken_months,
    years,
)
from planner.plan import Plan
from planner.plan.price_list import currency_of

NONE = NOTHING.replace("<br>", " ") + "."


def _worth(plan: Plan, catalogue: Catalogue) -> str:
    found, currency = plan.money.worthwhile, currency_of(plan.scenario)
    if found is None:
        return NONE
    result = found.case.worth
    gains = currency.show(float(result.present_benefit_usd))
    costs = currency.show(float(result.present_cost_usd))
    return (
        f"Over {years(plan)}, discounted to today, it brings {gains} after checking and errors "
        f"and costs {costs}, run as “{found.venue.label}”: {signed(plan, plan.value.npv_usd)} net."
    )


def _kill_line(plan: Plan, catalogue: Catalogue) -> str:
    found, answers = plan.money.worthwhile, plan.value
    if found is None:
        return NONE
    if not math.isfinite(answers.cost_usd_per_task):
        return "No task is ever done well, so that none can pay for what is spent."
    currency = currency_of(plan.scenario)
    told = (
        f"At {about(answers.tasks_per_month)} tasks a month one costs "
        f"{currency.show(answers.cost_usd_per_task)} and brings "
        f"{currency.show(answers.value_usd_per_task)}."
    )
    return f"{told} {_volume(plan)}"


def _volume(plan: Plan) -> str:
    found = plan.money.worthwhile
    meets = crossing(found)
    own = "; on the same hardware, which may be too small" * (found.venue.kind != "call")
    if math.isnan(meets.tasks_per_month):
        pays = meets.pays_above
        return "Any number pays." if pays else "No number pays, as each further task loses more."
    if meets.pays_above:
        return f"It pays from {about(meets.tasks_per_month)} a month{own}."
    return f"It pays up to {about(meets.tasks_per_month)} a month, and each further one loses more."


def _payback(plan: Plan, catalogue: Catalogue) -> str:
    if plan.money.worthwhile is None:
        return NONE
    answers, value = plan.value, plan.scenario.value
    simple, late = answers.payback_months, answers.discounted_payback_months
    ramp = value.adoption_ramp_months
    grows = (
        f"Adoption reaches {percent(value.adoption_fraction)} "
        + (f"after {ramp} months" if ramp else "on the first day")
        + ", while costs begin on the first day. The band is the 80 % range of prices and speed."
    )
    if not math.isfinite(simple):
        return f"What is paid does not come back within {years(plan)}. {grows}"
    if simple == 0:
        return f"Nothing is ever owed. {grows}"
    rate = percent(plan.scenario.finance.discount_fraction)
    interest = (
        f"after {spoken_months(late)} with interest at {rate}"
        if math.isfinite(late)
        else f"never with interest at {rate}"
    )
    return f"What is paid has come back after {spoken_months(simple)}, {interest}. {grows}"


def _levers(plan: Plan, catalogue: Catalogue) -> str:
    found = plan.money.worthwhile
    if found is None:
        return NONE
    reachable = [one for one in found.levers if not math.isnan(lever_change(one))]
    silent = [SHORT[one.name] for one in found.levers if math.isnan(lever_change(one))]
    words = f" No allowed value of these does it: {', '.join(silent)}." if silent else ""
    if not reachable:
        return f"No single lever turns it.{words}"
    first = reachable[0]
    now, then = lever_values(plan, first)
    turns = "It stops paying" if found.case.verdict.worth else "It begins to pay"
    return (
        f"{turns} with “{SHORT[first.name]}” at {then} in place of {now}, all else as it is.{words}"
    )


VALUE_CAPTIONS: dict[str, Callable[[Plan, Catalogue], str]] = {
    "worth": _worth,
    "kill_line": _kill_line,
    "payback": _payback,
    "levers": _levers,
}
"""The sentence of every picture of worth, by its name."""
