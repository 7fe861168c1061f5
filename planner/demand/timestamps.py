"""Times of arrival as people and programs write them, to seconds."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_WEEKDAY_H = 72.0
"""The epoch was a Thursday: hours after Monday 00:00 [h]."""
_EPOCH_LEAST = 1e8
"""Plain seconds do not reach three years; epoch seconds passed this in 1973."""
_DIVISORS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3), (_EPOCH_LEAST, 1.0))
"""Nanoseconds, microseconds, milliseconds and seconds since 1970, by their size."""
_SUFFIXES = {"ms": 1e3, "us": 1e6, "ns": 1e9}


def parse_time(text: str) -> tuple[float, float]:
    """Seconds since 1970 of an ISO 8601 time, and how far its own clock is ahead of UTC.

    .. math:: t = (local - offset) - 1970

    Parameters
    ----------
    text : str
        With or without fraction and zone; a time without zone counts as UTC.

    Returns
    -------
    tuple of float [s]
        Not-a-number twice when it cannot be read.

    Source: ISO 8601.

    >>> parse_time("1970-01-02 02:00:00.5+02:00"), parse_time("yesterday")
    ((86400.5, 7200.0), (nan, nan))
    """
    text = text.strip()
    if text.endswith(("UTC", "GMT")):
        text = text[:-3].rstrip()
    try:
        moment = datetime.fromisoformat(text)
        offset = moment.utcoffset()
        if offset is None:
            return (moment.replace(tzinfo=UTC) - EPOCH).total_seconds(), 0.0
        return (moment - EPOCH).total_seconds(), offset.total_seconds()
    except (ValueError, OverflowError):
        return math.nan, math.nan


def number_of(text: str, decimal_comma: bool = False) -> float:
    """The number that a cell holds.

    .. math:: x

    Parameters
    ----------
    text : str
    decimal_comma : bool
        Whether a comma is a decimal point, as in files separated by semicolons.

    Returns
    -------
    float [1]
        Not-a-number when it holds none.

    Source: no publication.

    >>> number_of("1.5"), number_of("1,5", decimal_comma=True), number_of("many")
    (1.5, 1.5, nan)
    """
    try:
        return float(text.replace(",", ".") if decimal_comma else text)
    except ValueError:
        return math.nan


def clock_of(values: Any, column: str) -> tuple[float, bool]:
    """What numbers in a column of times mean: units in a second, and whether they are dates.

    .. math:: t = x / d, \\qquad d \\in \\{1, 10^3, 10^6, 10^9\\}

    Parameters
    ----------
    values : array [1]
    column : str
        Name of the column; an ending such as ``_ms`` tells the unit of small numbers.

    Returns
    -------
    tuple of float [1/s] and bool

    Source: Unix time; seconds, milliseconds, microseconds and nanoseconds since 1970 differ a
    thousandfold, so their size tells them apart for any date between 1973 and 5138.

    >>> clock_of([1.70016e12], "timestamp"), clock_of([0.0, 12.5], "arrived_at")
    ((1000.0, True), (1.0, False))
    """
    values = np.asarray(values, dtype=float)
    known = np.sort(values[np.isfinite(values)])
    middle = known[len(known) // 2] if len(known) else 0.0
    for least, divisor in _DIVISORS:
        if middle >= least:
            return divisor, True
    return _SUFFIXES.get(column.strip().lower().replace(" ", "_").rpartition("_")[2], 1.0), False


def weekday_hour(clock_s: float) -> float:
    """Hours from Monday 00:00 of a clock that shows so many seconds since 1970.

    .. math:: h = (t / 3600 + 72) \\bmod 168

    Parameters
    ----------
    clock_s : float [s]

    Returns
    -------
    float [h]

    Source: 1 January 1970 was a Thursday.

    >>> weekday_hour(0.0), weekday_hour(4 * 86400.0)
    (72.0, 0.0)
    """
    return (clock_s / 3600.0 + EPOCH_WEEKDAY_H) % 168.0
