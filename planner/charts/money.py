"""What pictures of money share: colours and names of ways, axes in the scenario's currency."""

from __future__ import annotations

import numpy as np

from planner.charts.figures import KV_CACHE, LIMIT, Spec
from planner.charts.speed import LINKS
from planner.cost import Currency
from planner.plan import Plan, Venue

OWN, RENT, CALL, OUT = "#3578bd", KV_CACHE, LINKS, "#87939e"
TINTS = {OWN: "rgba(53, 120, 189, 0.18)", RENT: "rgba(224, 138, 30, 0.18)"}
TINTS |= {CALL: "rgba(26, 147, 111, 0.18)", OUT: "rgba(135, 147, 158, 0.14)"}
QUICK: Spec = {"ticklabeloverflow": "allow"}
"""Ticks that plotly need not measure: they are known to have room."""
SHORT = {
    "own-room": "Own room",
    "own-colocation": "Colocation",
    "rent-demand": "By the hour",
    "rent-mixed": "Floor + hour",
    "rent-1y": "1 year",
    "rent-3y": "3 years",
    "rent-spot": "Spot",
    "rent-market": "Market range",
    "call-same": "API, same",
    "call-chosen": "API, other",
}
"""Names of ways that stand beside a line or a bar."""


def shown_ways(plan: Plan) -> list[Venue]:
    """At most five ways that have a price: the best to own, two to rent, two to call.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    list of Venue

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> [one.kind for one in shown_ways(evaluate(Scenario(), load_catalogue()))]
    ['own', 'rent', 'rent', 'call', 'call']
    """
    venues, found = plan.money.venues, plan.money.compared
    ways: list[Venue] = []
    for kind, count in (("own", 1), ("rent", 2), ("call", 2)):
        priced = [one for one in venues if one.kind == kind and one.lines]
        first = [one for one in (getattr(found, kind), found.hourly) if one in priced]
        rest = sorted(priced, key=lambda one: (not one.allowed, float(one.total_usd[0])))
        unique = {one.id: one for one in [*first, *rest]}
        ways += list(unique.values())[:count]
    return ways


def above(text: str) -> Spec:
    """A sentence over the top left corner of a picture.

    Parameters
    ----------
    text : str

    Returns
    -------
    dict
        Plotly annotation.

    >>> above("Never")["text"]
    'Never'
    """
    return {
        "xref": "paper",
        "yref": "paper",
        "x": 0.0,
        "xanchor": "left",
        "y": 1.0,
        "yanchor": "bottom",
        "text": text,
        "showarrow": False,
        "font": {"size": 12.5},
    }


def money_axis(words: str, currency: Currency, low: float, high: float) -> Spec:
    """An axis in the scenario's currency.

    Parameters
    ----------
    words : str
        What is paid.
    currency : Currency
    low, high : float
        Ends, in units of that currency.

    Returns
    -------
    dict

    >>> money_axis("an hour", Currency("EUR", 0.9), 0.0, 2.0)["title"]["text"]
    'EUR an hour'
    """
    return {
        "title": {"text": f"{currency.code} {words}".strip()},
        "range": [rounded_one(low), rounded_one(high)],
        "tickformat": "~s",
        "nticks": 6,
        **QUICK,
    }


def nothing(sentence: str, axis: Spec) -> Spec:
    """An empty picture that says why.

    Parameters
    ----------
    sentence : str
    axis : dict
        What stands along the bottom.

    Returns
    -------
    dict
        Plotly figure.

    >>> nothing("Nothing is drawn", {})["layout"]["annotations"][0]["text"]
    'Nothing is drawn'
    """
    return {
        "data": [{"type": "scatter", "mode": "lines", "x": [], "y": []}],
        "layout": {
            "xaxis": {**axis, "range": [0, 1], "showticklabels": False},
            "yaxis": {"range": [0, 1], "showticklabels": False},
            "annotations": [
                {
                    "xref": "paper",
                    "yref": "paper",
                    "x": 0.5,
                    "y": 0.5,
                    "text": sentence,
                    "showarrow": False,
                    "font": {"color": LIMIT, "size": 14},
                }
            ],
            "showlegend": False,
        },
    }


def rounded_one(value: float) -> float:
    """A number for the wire, in five significant figures.

    Parameters
    ----------
    value : float

    Returns
    -------
    float

    >>> rounded_one(1234567.8)
    1234600.0
    """
    return float(f"{value:.5g}")


def rounded(values: np.ndarray) -> list[float]:
    """Numbers for the wire, in five significant figures.

    Parameters
    ----------
    values : array

    Returns
    -------
    list of float

    >>> rounded(np.array([1.0, 2.34567891]))
    [1.0, 2.3457]
    """
    return [rounded_one(value) for value in np.asarray(values, dtype=float).tolist()]
