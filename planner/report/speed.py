"""What a plan says of speed and numbers, in sentences that both teams can read aloud."""

from __future__ import annotations

import math

from planner.catalogue import Catalogue
from planner.plan import Plan
from planner.report.headline import Headline
from planner.units import format_number, format_seconds, plural

PREDICTED = "if the hardware is faster or slower than predicted"
YEAR_HOURS = 8760.0


def speed_headlines(plan: Plan, catalogue: Catalogue) -> tuple[Headline, ...]:
    """How many, how fast, how much of it idles, and how much comes at once.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    tuple of Headline

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> [h.id for h in speed_headlines(evaluate(Scenario(), c), c)][0]
    'serving.gpus'
    """
    return (_gpus(plan), _first_token(plan), _per_user(plan), _idle(plan), _peak(plan))


def speed_sentences(plan: Plan, catalogue: Catalogue) -> dict[str, str]:
    """Speed and numbers in each team's own words.

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
    >>> sorted(speed_sentences(evaluate(Scenario(), c), c))
    ['data science', 'infrastructure']
    """
    demand, serving = plan.demand, plan.serving
    answer_s = serving.ttft_mean_s + (demand.answer_tokens - 1.0) * serving.tpot_mean_s
    asks = (
        f"{plan.model.name} in {plan.weight_precision.name} reads "
        f"{demand.computed_prompt_tokens:,.0f} prompt tokens and writes "
        f"{demand.answer_tokens:,.0f}"
    )
    if not plan.speed.feasible:
        return {
            "data science": f"{asks}. As asked it cannot be served: loosen a limit, shorten the "
            "prompts, or take a smaller model or fewer bits.",
            "infrastructure": f"More {plan.gpu.name} do not help: one request alone on an idle "
            "replica is already too slow or does not fit. Another GPU may.",
        }
    return {
        "data science": (
            f"{asks}: a mean answer takes {format_seconds(answer_s)} at the peak. "
            f"Limited by {serving.binding}."
        ),
        "infrastructure": (
            f"{plural(int(serving.hosts), 'host')} with "
            f"{plan.scenario.deployment.gpus_per_host} GPU slots; a replica of "
            f"{plural(int(serving.gpus_per_replica), 'GPU')} holds "
            f"{plural(int(serving.slots), 'request')} and is {serving.utilisation_fraction:.0%} "
            f"loaded at the peak. Spare hosts come on top."
        ),
    }


def judged_words(plan: Plan) -> str:
    """Whose experience the service level judges.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    str

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> judged_words(evaluate(Scenario(), load_catalogue()))
    '95 of 100 requests'
    """
    share = plan.scenario.service_level.percentile
    return "the mean request" if share == "mean" else f"{share} of 100 requests"


def _gpus(plan: Plan) -> Headline:
    serving, speed = plan.serving, plan.speed
    basis = plan.basis("serving.gpus")
    if not speed.feasible:
        return Headline(
            "serving.gpus", "GPUs for this speed", "None will do", "", speed.reason, "bad", basis
        )
    layout = (
        f"{plural(int(serving.replicas), 'replica')} of "
        f"{plural(int(serving.gpus_per_replica), 'GPU')}"
    )
    low, high = serving.gpus_low, serving.gpus_high
    if not math.isfinite(high):
        range_ = f"{low:,.0f} if the hardware is fast; if it is slow, no number is enough"
    elif low == high:
        range_ = f"the same number {PREDICTED}"
    else:
        range_ = f"{low:,.0f} to {high:,.0f} {PREDICTED}"
    return Headline(
        "serving.gpus",
        "GPUs for this speed",
        f"{serving.gpus:,.0f}",
        f"× {plan.gpu.name}",
        f"{layout}; {range_}.",
        "good" if math.isfinite(high) else "warn",
        basis,
    )


def _first_token(plan: Plan) -> Headline:
    serving, limit = plan.serving, plan.scenario.service_level.ttft_s
    value, unit = format_seconds(serving.ttft_s).rsplit(" ", 1)
    alone = "" if plan.speed.feasible else " One request alone, with nobody waiting."
    return Headline(
        "serving.ttft_s",
        "First token within",
        value,
        unit,
        f"For {judged_words(plan)}; {format_seconds(limit)} is the limit. "
        f"{format_seconds(serving.ttft_low_s)} to {format_seconds(serving.ttft_high_s)} "
        f"{PREDICTED}.{alone}",
        _tone(serving.ttft_s, serving.ttft_high_s, limit),
        plan.basis("serving.ttft_s"),
    )


def _per_user(plan: Plan) -> Headline:
    serving, limit = plan.serving, plan.scenario.service_level.tpot_s
    return Headline(
        "serving.user_tokens_per_s",
        "Speed for each user",
        format_number(serving.user_tokens_per_s),
        "tokens/s",
        f"{format_seconds(serving.tpot_s)} a token for {judged_words(plan)}; "
        f"{format_seconds(limit)} is the limit. {format_number(1.0 / serving.tpot_high_s)} to "
        f"{format_number(1.0 / serving.tpot_low_s)} tokens/s {PREDICTED}.",
        _tone(serving.tpot_s, serving.tpot_high_s, limit),
        plan.basis("serving.user_tokens_per_s"),
    )


def _peak(plan: Plan) -> Headline:
    demand = plan.demand
    window = format_seconds(plan.scenario.service_level.queue_window_s)
    people = (
        f" {format_number(demand.active_users, 1)} of {plan.scenario.demand.users:,} people are "
        "at work."
        if math.isfinite(demand.active_users)
        else ""
    )
    return Headline(
        "demand.peak_per_s",
        "Busiest moment",
        format_number(demand.peak_per_s),
        "requests/s",
        f"The busiest {window}, {format_number(demand.peak_to_hour, 2)} × the busiest hour and "
        f"{format_number(demand.peak_to_mean, 2)} × the week's mean.{people}",
        "plain",
        plan.basis("demand.peak_per_s"),
    )


def _idle(plan: Plan) -> Headline:
    serving, demand = plan.serving, plan.demand
    basis = plan.basis("serving.idle_fraction")
    if not plan.speed.feasible:
        nothing = "There is nothing to switch off until the service level can be kept."
        return Headline("serving.idle_fraction", "Idle", "–", "", nothing, "plain", basis)
    hours = (
        "over the week"
        if demand.hours_per_year >= YEAR_HOURS
        else f"over {demand.hours_per_year:,.0f} h a year"
    )
    if serving.replicas == 1:
        text = "One replica is the least, so it stays on, with little to do at night."
    else:
        text = (
            f"Quiet hours need fewer replicas: {serving.followed_gpu_hours_per_year:,.0f} "
            f"of {serving.gpu_hours_per_year:,.0f} GPU hours a year would do."
        )
    if demand.outside_fraction > 0.0005:
        text += f" {demand.outside_fraction:.1%} of requests come when it is off."
    return Headline(
        "serving.idle_fraction",
        "Idle hardware",
        f"{100 * serving.idle_fraction:.0f}",
        f"% {hours}",
        text,
        "warn" if serving.idle_fraction > 0.5 else "plain",
        basis,
    )


def _tone(predicted: float, slow: float, limit: float) -> str:
    if predicted > limit * (1 + 1e-9):
        return "bad"
    return "good" if slow <= limit else "warn"
