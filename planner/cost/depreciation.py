"""How the books write a purchase off, year by year."""

from __future__ import annotations

from typing import Any

import numpy as np

from planner.errors import InvalidScenario

Array = Any

MACRS_FRACTIONS = {
    3: (0.3333, 0.4445, 0.1481, 0.0741),
    5: (0.20, 0.32, 0.192, 0.1152, 0.1152, 0.0576),
    7: (0.1429, 0.2449, 0.1749, 0.1249, 0.0893, 0.0892, 0.0893, 0.0446),
}
"""Shares of the cost by year under MACRS, half-year convention, by property class in years [1].
IRS Publication 946, table A-1; computers are five-year property."""
METHODS = ("straight line", "macrs", "sum of years", "double declining")


def depreciation_schedule(
    cost_usd: Array, life_years: int, method: str = "straight line", salvage_usd: Array = 0.0
) -> Array:
    """What each year writes off.

    .. math::

        straight\\ line: (C - S) / n \\qquad
        sum\\ of\\ years: (C - S) \\frac{n - k + 1}{n (n + 1) / 2} \\qquad
        double\\ declining: \\min(2 B_k / n,\\ B_k - S) \\qquad
        MACRS: C f_k

    Parameters
    ----------
    cost_usd : float or array [USD]
        Purchase price.
    life_years : int [year]
        For ``macrs`` the property class: 3, 5 (computers and servers) or 7.
    method : str
        ``straight line``, ``macrs`` (half-year convention, so a five-year class takes six years
        and knows no salvage), ``sum of years`` (SYD) or ``double declining`` (DDB: twice the
        straight-line rate of the book value, never below salvage).
    salvage_usd : float or array [USD]
        Expected value at the end of its life.

    Returns
    -------
    array [USD]
        Shape of the cost, with one more axis of years at its end; MACRS has one year more than its
        class.

    Raises
    ------
    InvalidScenario
        There is no such method, or no such class.

    Source: IRS Publication 946, table A-1, for MACRS; the spreadsheet functions SLN, SYD and DDB.

    >>> depreciation_schedule(100000.0, 5, "macrs").round().tolist()
    [20000.0, 32000.0, 19200.0, 11520.0, 11520.0, 5760.0]
    """
    cost = np.asarray(cost_usd, dtype=float)[..., None]
    salvage = np.asarray(salvage_usd, dtype=float)[..., None]
    if method == "macrs":
        if life_years not in MACRS_FRACTIONS:
            raise InvalidScenario(
                f"MACRS has no class of {life_years} years; choose 3, 5 or 7, or straight line."
            )
        return cost * np.array(MACRS_FRACTIONS[life_years])
    if life_years < 1:
        raise InvalidScenario(f"A life of {life_years} years is too short; give at least 1.")
    year = np.arange(1.0, life_years + 1.0)
    if method == "straight line":
        return (cost - salvage) / life_years * np.ones_like(year)
    if method == "sum of years":
        return (cost - salvage) * (life_years - year + 1.0) / (life_years * (life_years + 1.0) / 2)
    if method == "double declining":
        kept = max(1.0 - 2.0 / life_years, 0.0)
        book = np.maximum(cost * kept ** np.arange(life_years + 1.0), np.minimum(salvage, cost))
        return -np.diff(book, axis=-1)
    raise InvalidScenario(
        f"There is no depreciation '{method}'; choose one of {', '.join(METHODS)}."
    )


def book_values(cost_usd: Array, schedule_usd: Array) -> Array:
    """What the books still hold at the end of each year.

    .. math:: B_k = C - \\sum_{i \\le k} D_i

    Parameters
    ----------
    cost_usd : float or array [USD]
    schedule_usd : array [USD]
        From :func:`depreciation_schedule`, years along the last axis.

    Returns
    -------
    array [USD]

    Source: definition of book value.

    >>> book_values(100.0, depreciation_schedule(100.0, 4, salvage_usd=20.0)).tolist()
    [80.0, 60.0, 40.0, 20.0]
    """
    return np.asarray(cost_usd, dtype=float)[..., None] - np.cumsum(schedule_usd, axis=-1)
