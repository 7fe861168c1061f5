"""What a plan says of worth, in sentences that both teams and finance can read aloud."""

from __future__ import annotations

import math

from planner.catalogue import Catalogue
from planner.charts.value_words import (
    about,
    change_words,
    lever_change,
    lever_values,
    percent,
    spoken_months,
    spoken_seconds,
    years,
)
from planner.plan import Plan
from planner.plan.price_list import currency_of
from planner.plan.value_answers import Worthwhile
from planner.report.headline import Headline
from planner.units import plural
from planner.value import Lever

MUCH = 10.0
"""A rate of return beyond says only that little was put in."""
JOINED = "\u2060"
"""No line ends here, and nothing is seen."""
FIRST = 2
"""Levers that the verdict names."""


def value_headlines(plan: Plan, catalogue: Catalogue) -> tuple[Headline, ...]:
    """Whether it is worth it, and the numbers behind that.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    tuple of Headline
        Only the verdict when nothing is allowed.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> value_headlines(evaluate(Scenario(), c), c)[0].value
    'It brings more than it costs.'
    """
    if plan.money.worthwhile is None:
        return (_nothing(plan),)
    return (
        _verdict(plan),
        _npv(plan),
        _payback(plan),
        _discounted(plan),
        _irr(plan),
        _roi(plan),
        _benefit(plan),
        _cost(plan),
        _cost_of_task(plan),
        _value_of_task(plan),
        _volume(plan),
    )


def value_sentences(plan: Plan, catalogue: Catalogue) -> dict[str, str]:
    """Worth as a team lead reads it, and as finance does.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        ``data science`` and ``infrastructure``.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> sorted(value_sentences(evaluate(Scenario(), c), c))
    ['data science', 'infrastructure']
    """
    return {"data science": _for_a_team_lead(plan), "infrastructure": _for_finance(plan)}


def lever_sentence(plan: Plan, found: Worthwhile) -> str:
    """Which lever alone would turn the verdict, from what to what.

    Parameters
    ----------
    plan : Plan
    found : Worthwhile

    Returns
    -------
    str

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> plan = evaluate(Scenario().changed({"value.success_fraction": 0.2}), load_catalogue())
    >>> lever_sentence(plan, plan.money.worthwhile).split(":")[0]
    'Any one of these alone would turn it'
    """
    reachable = [one for one in found.levers if not math.isnan(lever_change(one))][:FIRST]
    if not reachable:
        return "No single lever turns it within what is allowed; it takes two or more together."
    told = ", or ".join(_moved(plan, one) for one in reachable)
    lead = (
        "This alone would turn it"
        if len(reachable) == 1
        else "Any one of these alone would turn it"
    )
    return f"{lead}: {told}."


def _nothing(plan: Plan) -> Headline:
    ways = plan.money.venues
    ruled = sum(one.possible and not one.allowed for one in ways)
    refused = (gate.reason for one in ways if one.possible for gate in one.gates if not gate.passed)
    why = [next(refused, ""), next((one.reason for one in ways if one.reason), "")]
    return Headline(
        "value.verdict",
        "Verdict",
        "Nothing that policy allows.",
        "",
        f"Of {plural(len(ways), 'way')} to run it policy rules out {ruled} and "
        f"{len(ways) - ruled} cannot be done, so there is no cost to hold its worth against. "
        f"{' '.join(filter(None, why))}",
        "bad",
        plan.basis("value.verdict"),
    )


def _verdict(plan: Plan) -> Headline:
    answers, found = plan.value, plan.money.worthwhile
    wins = bool(found.case.verdict.worth)
    margin = answers.margin_usd_per_task
    if math.isfinite(margin):
        left = f"{_money(plan, abs(margin))} {'is left of' if wins else 'is lost with'} each task"
    else:
        left = "No task is ever done well"
    span = f"{_money(plan, answers.npv_low_usd)} to {_money(plan, answers.npv_high_usd)}"
    unsure = answers.npv_low_usd < 0 < answers.npv_high_usd
    text = (
        f"{left}. Net present value {_money(plan, answers.npv_usd)}, {span} as prices and speed "
        f"vary{', so that it may turn' if unsure else ''}; run as “{found.venue.label}”."
    )
    if not wins:
        text = f"{text} {lever_sentence(plan, found)}"
    tone = "warn" if unsure else "good" if wins else "bad"
    basis = plan.basis("value.verdict")
    return Headline("value.verdict", "Verdict", answers.verdict, "", text, tone, basis)


def _npv(plan: Plan) -> Headline:
    answers = plan.value
    low, high = answers.npv_low_usd, answers.npv_high_usd
    return _card(
        plan,
        "npv_usd",
        "Net present value",
        _money(plan, answers.npv_usd),
        "",
        f"{_money(plan, low)} to {_money(plan, high)}; {years(plan)} at {_rate(plan)}.",
        "good" if low > 0 else "bad" if high <= 0 else "warn",
    )


def _payback(plan: Plan) -> Headline:
    text = "Until all that was paid has come back, without interest."
    return _months(plan, "payback_months", "Pays back after", text)


def _discounted(plan: Plan) -> Headline:
    text = f"Until it has come back with interest at {_rate(plan)}."
    return _months(plan, "discounted_payback_months", "With interest", text)


def _months(plan: Plan, name: str, title: str, text: str) -> Headline:
    months = getattr(plan.value, name)
    if not math.isfinite(months):
        text = f"What is paid does not come back in {years(plan)}."
        return _card(plan, name, title, "Never", "", text, "bad")
    if months == 0:
        return _card(
            plan, name, title, "At once", "", "More comes in than goes out, always.", "good"
        )
    return _card(plan, name, title, *spoken_months(months).rsplit(" ", 1), text)


def _irr(plan: Plan) -> Headline:
    rate, changes = plan.value.irr_fraction, int(plan.money.worthwhile.case.worth.sign_changes)
    title, name = "Internal rate of return", "irr_fraction"
    if not math.isfinite(rate):
        text = "At no rate of interest would gains and costs be even."
        return _card(plan, name, title, "None", "", text)
    if rate > MUCH:
        text = "So little is put in before it pays back that the rate says little."
        return _card(plan, name, title, "over 1,000", "% a year", text)
    text = f"Compare it with the {_rate(plan)} that the money costs."
    if changes > 1:
        text = f"Money changes direction {changes} times, so there may be other rates."
    return _card(plan, name, title, percent(rate).removesuffix(" %"), "% a year", text)


def _roi(plan: Plan) -> Headline:
    gain = plan.value.roi_fraction
    shown = percent(gain).removesuffix(" %") if math.isfinite(gain) else "–"
    text = f"Gain over cost in {years(plan)}, not discounted."
    return _card(plan, "roi_fraction", "Return on investment", shown, "%", text)


def _benefit(plan: Plan) -> Headline:
    shown = _money(plan, plan.value.benefit_usd)
    text = f"In {years(plan)}, less checking and errors; not discounted."
    return _card(plan, "benefit_usd", "Benefit", shown, "", text)


def _cost(plan: Plan) -> Headline:
    value = plan.scenario.value
    horizon = plan.scenario.finance.horizon_years
    around = value.project_cost_usd + horizon * value.change_cost_usd_per_year
    text = f"In {years(plan)}; {_money(plan, around)} of it is project and change."
    return _card(plan, "cost_usd", "Cost", _money(plan, plan.value.cost_usd), "", text)


def _cost_of_task(plan: Plan) -> Headline:
    text = "Failed and second tries are paid for too."
    return _of_a_task(plan, "cost_usd_per_task", "Cost of a task done well", text)


def _value_of_task(plan: Plan) -> Headline:
    text = f"Only {percent(plan.scenario.value.realisation_fraction)} of the time saved counts."
    return _of_a_task(plan, "value_usd_per_task", "Value of a task done well", text)


def _of_a_task(plan: Plan, name: str, title: str, text: str) -> Headline:
    usd = getattr(plan.value, name)
    if not math.isfinite(usd):
        return _card(plan, name, title, "–", "", "No task is ever done well, so there is none.")
    return _card(plan, name, title, _money(plan, usd), "", text)


def _volume(plan: Plan) -> Headline:
    answers = plan.value
    needed, asked = answers.breakeven_tasks_per_month, answers.tasks_per_month
    title, name = "Pays from", "breakeven_tasks_per_month"
    text = f"{about(asked)} a month are asked for in the first year."
    if not math.isfinite(needed) and plan.money.worthwhile.case.verdict.worth:
        text = f"Each task loses, and the losses avoided outweigh it. {text}"
        return _card(plan, name, title, "Fewer tasks", "", text, "warn")
    if not math.isfinite(needed):
        return _card(plan, name, title, "No volume", "", f"More tasks do not help. {text}", "bad")
    if needed <= 0:
        return _card(plan, name, title, "Any volume", "", text, "good")
    tone = "good" if needed < asked else "bad"
    return _card(plan, name, title, about(needed), "tasks a month", text, tone)


def _for_a_team_lead(plan: Plan) -> str:
    value = plan.scenario.value
    saves = (
        f"A task saves {spoken_seconds(value.saved_s_per_task)} of work and takes "
        f"{spoken_seconds(value.review_s_per_task)} to check."
    )
    share = value.adoption_fraction * (1.0 - value.retry_fraction) * value.success_fraction
    done = share * plan.value.tasks_per_month if plan.money.worthwhile else 0.0
    hours = done * value.saved_s_per_task / 3600.0
    month = (
        f" Once people are used to it {about(done)} tasks are done well each month: "
        f"{about(hours)} hours saved."
        if done
        else ""
    )
    return (
        f"{saves}{month} {percent(value.realisation_fraction)} of that time becomes money, never "
        "all: part of a saved minute is a quieter afternoon and no wage less."
    )


def _for_finance(plan: Plan) -> str:
    found, value = plan.money.worthwhile, plan.scenario.value
    if found is None:
        return "There is no bill to hold against it: loosen a rule, or find a place that keeps it."
    answers = plan.value
    horizon = plan.scenario.finance.horizon_years
    around = value.project_cost_usd + horizon * value.change_cost_usd_per_year
    bill = max(answers.cost_usd - around, 0.0)
    ramp = value.adoption_ramp_months
    waits = f"; benefit grows for {plural(ramp, 'month')} first" if ramp else ""
    return (
        f"Infrastructure is {_money(plan, bill)} of the {_money(plan, answers.cost_usd)} paid in "
        f"{years(plan)}, as “{found.venue.label}”. It costs from the first day{waits}. Finance "
        f"reads the net present value: {_money(plan, answers.npv_usd)} in today's money at "
        f"{_rate(plan)}."
    )


def _moved(plan: Plan, lever: Lever) -> str:
    now, then = lever_values(plan, lever)
    change = lever_change(lever)
    label = f"{lever.label[:1].lower()}{lever.label[1:]}".replace(", as a multiple", "")
    if math.isinf(change):
        return f"{label} from {now} to {then}"
    return f"{label} from {now} to {then} ({change_words(change)})"


def _money(plan: Plan, usd: float) -> str:
    """An amount whose minus stays on its line."""
    return currency_of(plan.scenario).show(usd).replace("−", f"−{JOINED}")


def _rate(plan: Plan) -> str:
    return f"{percent(plan.scenario.finance.discount_fraction)} a year"


def _card(
    plan: Plan, name: str, title: str, value: str, unit: str, text: str, tone: str = "plain"
) -> Headline:
    path = f"value.{name}"
    return Headline(path, title, value, unit, text, tone, plan.basis(path))
