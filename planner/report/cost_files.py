"""Cost lines and prices as rows of a file that a spreadsheet opens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from planner.catalogue import Catalogue
from planner.charts.cost_tables import prices_used, why_out
from planner.cost import band
from planner.plan import Plan

Rows = list[list[Any]]


def cost_rows(plan: Plan, catalogue: Catalogue) -> Rows:
    """Every line of every way by year, in US dollars, with its range.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    list of list
        A head, then a row for each line and year.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> cost_rows(evaluate(Scenario(), c), c)[1][:5]
    ['own-room', 'Own, in your own room', 'yes', '', 'hardware']
    """
    head = ["way", "label", "allowed", "why not", "part", "line", "paid", "year"]
    rows: Rows = [[*head, "usd", "usd_low", "usd_high", "prices", "basis"]]
    for venue in plan.money.venues:
        allowed = "yes" if venue.allowed else "no"
        start = [venue.id, venue.label, allowed, why_out(venue)]
        for line in venue.lines:
            usd = np.atleast_2d(line.usd)
            rows += [
                [
                    *start,
                    line.part,
                    line.label,
                    line.timing,
                    year + 1,
                    *_ends(usd[:, year]),
                    " ".join(line.prices),
                    line.basis.words,
                ]
                for year in range(usd.shape[-1])
            ]
    return rows


def price_rows(plan: Plan, catalogue: Catalogue) -> Rows:
    """Every price used, in its own unit, with its source.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    list of list
        A head, then a row for each price.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> price_rows(evaluate(Scenario(), c), c)[0][:3]
    ['id', 'label', 'unit']
    """
    head = ["id", "label", "unit", "low", "value", "high", "as_of", "source", "locator", "basis"]
    return [
        [*head, "your own"],
        *(
            [
                one.id,
                one.label,
                one.unit,
                one.low,
                one.value,
                one.high,
                one.source.as_of,
                one.source.title,
                one.source.locator,
                one.source.basis.words,
                "yes" if one.quoted else "no",
            ]
            for one in prices_used(plan)
        ),
    ]


def _ends(values: np.ndarray) -> list[float]:
    """Value, low and high to the cent."""
    low, value, high = band(values)
    return [round(end, 2) for end in (value, low, high)]


FILES: dict[str, Callable[[Plan, Catalogue], Rows]] = {"venues": cost_rows, "prices": price_rows}
"""Tables of a page whose file holds more than the page shows."""
