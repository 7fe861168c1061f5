"""How long it is needed: which hours of the week, and how many in a year."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.errors import InvalidScenario

HOURS_OF_WEEK = 168
HOURS_OF_YEAR = 8760.0
"""365 days [h]."""
WEEKS_OF_YEAR = HOURS_OF_YEAR / HOURS_OF_WEEK
KINDS = ("always", "office", "campaign")
"""Around the clock; on working days only; around the clock for some weeks."""
OFFICE_DAYS, OFFICE_FIRST_HOUR, OFFICE_LAST_HOUR = 5, 7, 19
"""Assumed: Monday to Friday from 07:00 to 19:00."""


@dataclass(frozen=True, slots=True, eq=False)
class HoursNeeded:
    """When a service runs.

    >>> float(hours_needed("always").hours_per_year)
    8760.0
    """

    mask: np.ndarray
    """1 in each hour of the week in which it runs, else 0; Monday 00:00 first [1]."""
    hours_per_year: Any
    """Hours it runs in a year [h]."""


def hours_needed(
    kind: str,
    weeks: Any = WEEKS_OF_YEAR,
    first_hour: int = OFFICE_FIRST_HOUR,
    last_hour: int = OFFICE_LAST_HOUR,
) -> HoursNeeded:
    """The hours in which a service must be there.

    .. math:: H = weeks \\cdot \\sum_h mask_h

    Parameters
    ----------
    kind : str
        ``always``, ``office`` (Monday to Friday) or ``campaign`` (around the clock, for
        ``weeks`` in a year).
    weeks : float or array [1]
        Weeks in a year, at most 365 / 7.
    first_hour, last_hour : int [h]
        An office's day: from the beginning of the first to the beginning of the last.

    Returns
    -------
    HoursNeeded

    Source: a year of 365 days; the office's day is an assumption.

    >>> office = hours_needed("office")
    >>> int(office.mask.sum()), round(float(office.hours_per_year), 1)
    (60, 3128.6)
    >>> float(hours_needed("campaign", weeks=6).hours_per_year)
    1008.0
    """
    if kind not in KINDS:
        raise InvalidScenario(f"Hours needed: '{kind}' is unknown; choose {', '.join(KINDS)}.")
    count = np.asarray(weeks, dtype=float)
    if not np.all((count > 0) & (count <= WEEKS_OF_YEAR * (1 + 1e-9))):
        raise InvalidScenario(
            f"Weeks in a year: {weeks} is not allowed; give more than 0 and at most 52.14."
        )
    mask = np.ones(HOURS_OF_WEEK)
    if kind == "office":
        if not 0 <= first_hour < last_hour <= 24:
            raise InvalidScenario(
                f"Office hours: {first_hour} to {last_hour} is no part of a day; give two hours "
                "from 0 to 24, the first below the last."
            )
        hour, day = np.arange(HOURS_OF_WEEK) % 24, np.arange(HOURS_OF_WEEK) // 24
        mask = ((day < OFFICE_DAYS) & (hour >= first_hour) & (hour < last_hour)).astype(float)
    return HoursNeeded(mask, mask.sum() * count)


def share_within(hourly_per_s: Any, mask: Any) -> Any:
    """Share of the week's requests that fall into the hours in which a service runs.

    .. math:: \\sum_h \\lambda_h mask_h / \\sum_h \\lambda_h

    Parameters
    ----------
    hourly_per_s : array [request/s]
        Hours of the week along the last axis.
    mask : array [1]
        As in :class:`HoursNeeded`.

    Returns
    -------
    float or array [fraction]
        1 when there are no requests to lose.

    Source: counting; no publication.

    >>> from planner.catalogue import week_shapes
    >>> office = hours_needed("office").mask
    >>> round(float(share_within(week_shapes()["office-hours"].weights, office)), 2)
    0.92
    """
    rates = np.asarray(hourly_per_s, dtype=float)
    total = rates.sum(axis=-1)
    within = (rates * mask).sum(axis=-1)
    return np.where(total > 0, within / np.where(total > 0, total, 1.0), 1.0)
