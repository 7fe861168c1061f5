"""Numbers of the pictures of worth, as people say them."""

from __future__ import annotations

from typing import Any

import numpy as np

from planner.charts.figures import LIMIT, Spec
from planner.plan import Plan
from planner.plan.price_list import currency_of
from planner.units import format_number, format_seconds
from planner.value import INFRASTRUCTURE, VOLUME, Lever

NOTHING = "No way to run it is allowed,<br>so there is nothing to weigh"
MANY = 10.0
"""Changes from so many times today's value on are told as multiples of it."""
SHORT = {
    "value.saved_s_per_task": "Time saved",
    "value.wage_usd_per_hour": "Wage an hour",
    "value.adoption_fraction": "Adoption",
    "value.realisation_fraction": "Share realised",
    "value.success_fraction": "Answers of use",
    "value.review_s_per_task": "Time to check",
    VOLUME: "Tasks a month",
    INFRASTRUCTURE: "Infrastructure",
}
"""Names of levers that stand beside a bar."""


def lever_change(lever: Lever) -> float:
    """How far a lever must move, over what it is today.

    Parameters
    ----------
    lever : Lever

    Returns
    -------
    float
        Infinite from nothing; not a number when no allowed value does it [fraction].
    """
    return float(np.asarray(lever.relative_change))


def lever_values(plan: Plan, lever: Lever) -> tuple[str, str]:
    """A lever's value today, and the one at which gains meet costs, as people say them.

    Parameters
    ----------
    plan : Plan
    lever : Lever

    Returns
    -------
    tuple of str

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> plan = evaluate(Scenario(), load_catalogue())
    >>> by_name = {one.name: one for one in plan.money.worthwhile.levers}
    >>> lever_values(plan, by_name["value.saved_s_per_task"])[0]
    '5 min'
    """
    both = float(np.asarray(lever.current)), float(np.asarray(lever.needed))
    if lever.name == VOLUME:
        first, then = (about(plan.value.tasks_per_month * one) for one in both)
    elif lever.name == INFRASTRUCTURE:
        first, then = "1 ×", f"{format_number(both[1])} ×"
    elif lever.unit == "s":
        first, then = (spoken_seconds(one) for one in both)
    elif lever.unit == "fraction":
        first, then = (percent(one) for one in both)
    else:
        first, then = (currency_of(plan.scenario).show(one) for one in both)
    return first, then


def change_words(change: float) -> str:
    """How far a lever must move, in percent of today's value.

    Parameters
    ----------
    change : float [fraction]

    Returns
    -------
    str

    >>> change_words(-0.379), change_words(1.83), change_words(33.0)
    ('−38 %', '+180 %', '× 34')
    >>> change_words(float("nan"))
    'out of reach'
    """
    if np.isnan(change):
        return "out of reach"
    if np.isinf(change):
        return "from 0"
    if change >= MANY:
        return f"× {about(1.0 + change)}"
    # Never a whole 100 % less, which would be nothing.
    digits = 3 if change < -0.95 else 2
    shown = format_number(abs(float(f"{100.0 * change:.{digits}g}")))
    return f"{'−' if change < 0 else '+'}{shown} %"


def spoken_months(months: float) -> str:
    """Months with one decimal.

    Parameters
    ----------
    months : float [month]

    Returns
    -------
    str

    >>> spoken_months(7.468), spoken_months(1.0)
    ('7.5 months', '1 month')
    """
    if 0.0 < months < 0.1:
        return "under 0.1 months"
    shown = format_number(round(months, 1))
    return f"{shown} month{'' if shown == '1' else 's'}"


def about(value: float) -> str:
    """A count as people say it: three figures, with millions and billions in words.

    Parameters
    ----------
    value : float [1]

    Returns
    -------
    str

    >>> about(37_991.9), about(2.345), about(7.2649e6)
    ('38,000', '2.35', '7.26 million')
    """
    for size, word in ((1e9, "billion"), (1e6, "million")):
        if float(f"{value:.3g}") >= size:
            return f"{format_number(float(f'{value / size:.3g}'))} {word}"
    return format_number(float(f"{value:.3g}"))


def percent(fraction: float) -> str:
    """A share in percent with three figures at most.

    Parameters
    ----------
    fraction : float [fraction]

    Returns
    -------
    str

    >>> percent(0.35), percent(0.217242)
    ('35 %', '21.7 %')
    """
    return f"{format_number(float(f'{100.0 * fraction:.3g}'))} %".replace("-", "−")


def spoken_seconds(seconds: float) -> str:
    """Working time in seconds, minutes or hours, with three figures at most.

    Parameters
    ----------
    seconds : float [s]

    Returns
    -------
    str

    >>> spoken_seconds(300.0), spoken_seconds(30.0), spoken_seconds(0.0)
    ('5 min', '30 s', '0 s')
    """
    if seconds == 0.0:
        return "0 s"
    if 60.0 <= seconds < 7200.0:
        return f"{format_number(seconds / 60.0)} min"
    return format_seconds(seconds)


def signed(plan: Plan, usd: float) -> str:
    """An amount in the scenario's currency with its sign, both ways.

    Parameters
    ----------
    plan : Plan
    usd : float [USD]

    Returns
    -------
    str

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> signed(evaluate(Scenario(), load_catalogue()), 1234.0)
    '+$1,230'
    """
    shown = currency_of(plan.scenario).show(usd)
    return f"+{shown}" if usd > 0 else shown


def short_money(shown: str) -> str:
    """An amount with M and B, for the end of a bar.

    Parameters
    ----------
    shown : str

    Returns
    -------
    str

    >>> short_money("+EUR 1.22 million")
    '+EUR 1.22 M'
    """
    return shown.replace(" million", " M").replace(" billion", " B")


def years(plan: Plan) -> str:
    """The horizon in words.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    str

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> years(evaluate(Scenario(), load_catalogue()))
    '3 years'
    """
    count = plan.scenario.finance.horizon_years
    return f"{count} year{'s' if count > 1 else ''}"


def rounded(values: Any) -> list[float]:
    """Six figures: what a picture shows.

    Parameters
    ----------
    values : array

    Returns
    -------
    list of float
    """
    return [float(f"{value:.6g}") for value in np.asarray(values).tolist()]


def without_picture(sentence: str) -> Spec:
    """No picture, and why.

    Parameters
    ----------
    sentence : str

    Returns
    -------
    dict
    """
    bare = {"visible": False}
    nothing: Spec = {"type": "scatter", "x": [], "y": [], "showlegend": False}
    return {
        "data": [nothing],
        "layout": {"xaxis": bare, "yaxis": dict(bare), "annotations": [words_across(sentence)]},
    }


def words_across(text: str, height: float = 0.5) -> Spec:
    """Words across the middle of a picture.

    Parameters
    ----------
    text : str
    height : float
        0 at the bottom, 1 at the top [fraction].

    Returns
    -------
    dict
    """
    return {
        "xref": "paper",
        "yref": "paper",
        "x": 0.5,
        "y": height,
        "text": text,
        "showarrow": False,
        "font": {"color": LIMIT, "size": 14},
    }
