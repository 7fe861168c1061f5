"""A venue's costs as lines by year: what they add up to, month by month and in today's money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from planner.catalogue import Basis, weakest

Array = Any

MONTHS = 12
TIMINGS = ("start", "monthly", "end")


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is paid for, year by year."""

    id: str
    label: str
    part: str
    """What it is stacked with in a picture: hardware, licences, people, ..."""
    usd: np.ndarray
    """Paid in each year [USD]; years along the last axis, draws of prices before it. Negative for
    what comes back."""
    timing: str
    """``start``: on the first day of its year; ``monthly``: at the end of each month, equally;
    ``end``: at the end of its year."""
    prices: tuple[str, ...]
    """Ids of the prices that it depends on."""
    basis: Basis


def by_timing(lines: Sequence[Line]) -> tuple[Line, ...]:
    """The lines added up into one for each time of payment: what sums need, and no more.

    .. math:: c_t = \\sum_{lines\\ paid\\ at\\ t} c

    Parameters
    ----------
    lines : sequence of Line

    Returns
    -------
    tuple of Line
        At most three; their prices are left out [USD].

    Source: bookkeeping.

    >>> one = Line("a", "A", "a", np.array([1.0, 2.0]), "monthly", (), Basis.ASSUMED)
    >>> [line.usd.tolist() for line in by_timing([one, one])]
    [[2.0, 4.0]]
    """
    found: dict[str, np.ndarray] = {}
    for line in lines:
        found[line.timing] = found[line.timing] + line.usd if line.timing in found else line.usd
    basis = weakest(*(line.basis for line in lines))
    return tuple(Line(when, when, when, usd, when, (), basis) for when, usd in found.items())


def total_usd(lines: Sequence[Line]) -> Array:
    """The sum of all lines over all years, undiscounted.

    .. math:: C = \\sum_{lines} \\sum_{years} c

    Parameters
    ----------
    lines : sequence of Line

    Returns
    -------
    float or array [USD]
        Zero for no lines; draws along the first axis.

    Source: arithmetic of the definition.

    >>> float(total_usd([Line("a", "A", "a", np.array([1.0, 2.0]), "monthly", (), Basis.ASSUMED)]))
    3.0
    """
    return np.asarray(sum((line.usd.sum(axis=-1) for line in lines), np.zeros(())))[()]


def monthly_usd(lines: Sequence[Line], years: int) -> np.ndarray:
    """What is paid at each moment: now, and at the end of each month.

    .. math:: c_0 = start\\ of\\ year\\ 1, \\quad c_m = monthly / 12 + (end\\ or\\ next\\ start)

    Parameters
    ----------
    lines : sequence of Line
    years : int [year]

    Returns
    -------
    array [USD]
        Last axis of ``12 years + 1`` moments: moment 0 is the first day, moment 12 the end of the
        first year, which is also the first day of the second. Sums to :func:`total_usd`.

    Source: cash-flow convention of the workbook; numpy-financial counts periods likewise.

    >>> line = Line("a", "A", "a", np.array([12.0]), "monthly", (), Basis.ASSUMED)
    >>> monthly_usd([line], 1).tolist() == [0.0] + [1.0] * 12
    True
    """
    shape = np.broadcast_shapes(*(line.usd.shape[:-1] for line in lines)) if lines else ()
    flow = np.zeros((*shape, MONTHS * years + 1))
    for line in lines:
        if line.timing == "start":
            flow[..., 0 : MONTHS * years : MONTHS] += line.usd
        elif line.timing == "end":
            flow[..., MONTHS : MONTHS * years + 1 : MONTHS] += line.usd
        else:
            flow[..., 1:] += np.repeat(line.usd / MONTHS, MONTHS, axis=-1)
    return flow


def discount_factors(rate_per_year: float, years: int) -> np.ndarray:
    """Today's value of a dollar at each of those moments.

    .. math:: d_m = (1 + r)^{-m/12}

    Parameters
    ----------
    rate_per_year : float [fraction]
        Effective yearly rate; a month's rate is ``(1 + r)^(1/12) - 1``.
    years : int [year]

    Returns
    -------
    array [1]
        ``12 years + 1`` moments, from now.

    Source: definition of present value.

    >>> discount_factors(0.1, 1)[[0, 12]].round(6).tolist()
    [1.0, 0.909091]
    """
    return (1.0 + rate_per_year) ** (-np.arange(MONTHS * years + 1.0) / MONTHS)


def present_usd(lines: Sequence[Line], rate_per_year: float, years: int) -> Array:
    """The sum of all lines in today's money.

    .. math:: PV = \\sum_m c_m d_m

    Parameters
    ----------
    lines : sequence of Line
    rate_per_year : float [fraction]
    years : int [year]

    Returns
    -------
    float or array [USD]

    Source: definition of present value; each line is discounted by its timing, without the months.

    >>> line = Line("a", "A", "a", np.array([100.0, 100.0]), "end", (), Basis.ASSUMED)
    >>> round(float(present_usd([line], 0.1, 2)), 2)
    173.55
    """
    weights = _weights(rate_per_year, years)
    parts = (line.usd @ weights[line.timing] for line in lines)
    return np.asarray(sum(parts, np.zeros(())))[()]


@lru_cache(maxsize=64)
def _weights(rate_per_year: float, years: int) -> dict[str, np.ndarray]:
    """Today's value of a dollar of a year, by when in it the dollar is paid."""
    factors = discount_factors(rate_per_year, years)
    return {
        "start": factors[0 : MONTHS * years : MONTHS],
        "end": factors[MONTHS::MONTHS],
        "monthly": factors[1:].reshape(years, MONTHS).mean(axis=-1),
    }


def crossing_months(own_usd: np.ndarray, rented_usd: np.ndarray) -> Array:
    """Months after which the money spent on owning stays below the money spent on renting.

    .. math:: \\min \\{ m : C_{own}(m') \\le C_{rented}(m')\\ \\forall m' \\ge m \\}

    Parameters
    ----------
    own_usd, rented_usd : array [USD]
        Paid at each moment, from :func:`monthly_usd`; moments along the last axis.

    Returns
    -------
    float or array [month]
        With linear interpolation inside the month; 0 when owning is cheaper from the first day,
        infinite when it is not at the end.

    Source: definition of payback on cumulative cash.

    >>> float(crossing_months(np.array([10.0, 1, 1, 1]), np.array([0.0, 6, 6, 6])))
    2.0
    """
    # Rounding must not make a tie look like a loss.
    gap = np.cumsum(own_usd, axis=-1) - np.cumsum(rented_usd, axis=-1)
    dearer = gap > 1e-9 * (1.0 + np.abs(own_usd).sum(axis=-1, keepdims=True))
    moments = gap.shape[-1]
    last = moments - 1 - np.argmax(dearer[..., ::-1], axis=-1)
    never_dearer = ~dearer.any(axis=-1)
    after = np.minimum(last + 1, moments - 1)
    before, then = (
        np.take_along_axis(gap, index[..., None], axis=-1)[..., 0] for index in (last, after)
    )
    fall = before - then
    share = np.where(fall > 0, before / np.where(fall > 0, fall, 1.0), 1.0)
    found = np.where(last == moments - 1, np.inf, last + np.minimum(share, 1.0))
    return np.where(never_dearer, 0.0, found)[()]
