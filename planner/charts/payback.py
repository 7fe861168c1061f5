"""Cash over time: when the money that was paid has come back."""

from __future__ import annotations

import math

import numpy as np

from planner.catalogue import Catalogue
from planner.charts.figures import ACTIVATIONS, CHOSEN, Spec
from planner.charts.speed import BAND, LINKS
from planner.charts.value_words import (
    NOTHING,
    rounded,
    spoken_months,
    without_picture,
    words_across,
    years,
)
from planner.plan import Plan
from planner.plan.price_list import currency_of
from planner.plan.value_answers import Worthwhile
from planner.value import monthly_rate, present_values

MONTHS = 12
INTEREST = ACTIVATIONS
"""Colour of what is discounted."""
ADOPTED = "rgba(26, 147, 111, 0.22)"


def payback(plan: Plan, catalogue: Catalogue) -> Spec:
    """All money in less all money out, month by month, with the adoption that it follows.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        Plotly figure; months along, the scenario's currency upwards, adoption below.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> len(payback(evaluate(Scenario(), c), c)["data"][0]["x"])
    37
    """
    found, currency = plan.money.worthwhile, currency_of(plan.scenario)
    if found is None:
        return without_picture(NOTHING)
    flows = np.asarray(found.case.worth.cash_flows_usd)
    months = np.arange(len(flows))
    simple = currency.of_usd(np.cumsum(flows))
    rate = monthly_rate(found.rate_per_year)
    discounted = currency.of_usd(np.cumsum(present_values(rate, flows)))
    low, high = (currency.of_usd(one) for one in cash_band(found))
    bottom, top = float(min(low.min(), 0.0)), float(max(high.max(), 0.0))
    span = (top - bottom) or 1.0
    # Room for the sentence that it is never paid back.
    room = 0.1 if math.isfinite(plan.value.payback_months) else 0.3
    adopted = 100.0 * np.divide(
        found.case.benefit.attempted_tasks,
        found.tasks,
        out=np.zeros(len(found.tasks)),
        where=found.tasks > 0,
    )
    return {
        "data": [
            *_band(months, low, high),
            _cash_line("total", months, simple, CHOSEN, "solid", currency.code),
            _cash_line("with interest", months, discounted, INTEREST, "dash", currency.code),
            _payback_marks(plan),
            _adoption(months[1:], adopted),
        ],
        "layout": {
            "xaxis": {
                "title": {"text": "months from the start"},
                "range": [0, len(flows) - 1],
                "dtick": 6 if len(flows) <= 61 else 12,
                "anchor": "y2",
            },
            "yaxis": {
                "title": {"text": f"{currency.code}, in less out"},
                "domain": [0.3, 1.0],
                "range": [float(f"{end:.6g}") for end in (bottom - 0.2 * span, top + room * span)],
                "tickformat": "~s",
                "nticks": 6,
                "zeroline": True,
                "zerolinewidth": 2,
            },
            "yaxis2": {
                "title": {"text": "adopted"},
                "domain": [0.0, 0.2],
                "range": [0, 108],
                "tickvals": [0, 100],
                "ticktext": ["0 %", "100 %"],
            },
            "annotations": [_payback_words(plan, len(flows) - 1)],
            "legend": {"y": 1.01},
            "margin": {"l": 64, "r": 14, "t": 30, "b": 42},
        },
    }


def cash_band(found: Worthwhile) -> tuple[np.ndarray, np.ndarray]:
    """Low and high end of the money so far, as prices and speed are drawn.

    Parameters
    ----------
    found : Worthwhile

    Returns
    -------
    tuple of array
        The middle 80 % of the draws at the start and after each month [USD].

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> found = evaluate(Scenario(), load_catalogue()).money.worthwhile
    >>> low, high = cash_band(found)
    >>> bool((low <= high).all()), len(low)
    (True, 37)
    """
    gains, values = found.case.benefit, found.values
    years_ = len(found.running_usd) // MONTHS
    paid = found.venue.months_usd(years_)
    asked = float(found.tasks.sum())
    if found.venue.kind == "call" and asked > 0:
        # An API's tokens are paid for the tasks that are tried, not for all that were planned.
        billed = sum(line.usd for line in found.venue.lines if line.part == "tokens")
        tried = billed.sum(axis=-1, keepdims=True) / asked * gains.attempted_tasks
        paid = paid.copy()
        paid[:, 1:] += tried - np.repeat(billed / MONTHS, MONTHS, axis=-1)
    net = -paid
    net[:, 0] -= values.project_cost_usd
    net[:, 1:] += gains.total_usd - values.change_cost_usd_per_year / MONTHS
    sums = np.sort(np.cumsum(net, axis=-1)[1:], axis=0) if len(net) > 1 else np.cumsum(net, axis=-1)
    last = len(sums) - 1
    nominal = np.cumsum(found.case.worth.cash_flows_usd)
    low, high = sums[round(0.1 * last)], sums[round(0.9 * last)]
    return np.minimum(low, nominal), np.maximum(high, nominal)


def _band(months: np.ndarray, low: np.ndarray, high: np.ndarray) -> list[Spec]:
    edge = {"type": "scatter", "mode": "lines", "x": months.tolist(), "line": {"width": 0}}
    return [
        {**edge, "name": "dearest", "y": rounded(low), "showlegend": False, "hoverinfo": "skip"},
        {
            **edge,
            "name": "80 % range",
            "showlegend": False,
            "y": rounded(high),
            "fill": "tonexty",
            "fillcolor": BAND,
            "hoverinfo": "skip",
        },
    ]


def _cash_line(
    name: str, months: np.ndarray, values: np.ndarray, colour: str, dash: str, code: str
) -> Spec:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": months.tolist(),
        "y": rounded(values),
        "line": {"color": colour, "width": 3 if dash == "solid" else 2, "dash": dash},
        "hovertemplate": f"After %{{x}} months, {name}: %{{y:,.3~s}} {code}<extra></extra>",
    }


def _payback_marks(plan: Plan) -> Spec:
    """Where the money is back, simple and with interest."""
    answers = plan.value
    points = [
        (months, symbol, colour)
        for months, symbol, colour in (
            (answers.discounted_payback_months, "diamond", INTEREST),
            (answers.payback_months, "circle", CHOSEN),
        )
        if math.isfinite(months)
    ]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "paid back",
        "showlegend": False,
        "x": rounded([one[0] for one in points]),
        "y": [0] * len(points),
        "marker": {
            "symbol": [one[1] for one in points],
            "size": 13,
            "color": [one[2] for one in points],
            "line": {"width": 2, "color": "#ffffff"},
        },
        "hovertemplate": "Paid back after %{x:.1f} months<extra></extra>",
        "cliponaxis": False,
    }


def _payback_words(plan: Plan, months: int) -> Spec:
    """The same in words; or that it never is, in the room above."""
    answers = plan.value
    simple, discounted = answers.payback_months, answers.discounted_payback_months
    if not math.isfinite(simple):
        return {
            **words_across(f"Not paid back within {years(plan)}", 0.99),
            "yanchor": "top",
        }
    late = spoken_months(discounted) if math.isfinite(discounted) else "never"
    words = f"<b>paid back after {spoken_months(simple)}</b><br>with interest {late}"
    early = simple < 0.5 * months
    return {
        "x": float(f"{simple:.6g}"),
        "y": 0,
        "text": "<b>nothing is ever owed</b>" if simple == 0.0 else words,
        "showarrow": False,
        "align": "left" if early else "right",
        "xanchor": "left" if early else "right",
        "yanchor": "top" if early else "bottom",
        "xshift": 8 if early else -8,
        "yshift": -6 if early else 6,
    }


def _adoption(months: np.ndarray, adopted: np.ndarray) -> Spec:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "adoption",
        "showlegend": False,
        "x": months.tolist(),
        "y": rounded(adopted),
        "yaxis": "y2",
        "fill": "tozeroy",
        "fillcolor": ADOPTED,
        "line": {"color": LINKS, "width": 2},
        "hovertemplate": "Month %{x}: %{y:.0f} % of the tasks are brought to it<extra></extra>",
    }
