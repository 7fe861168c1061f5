"""What a request log says: rates, lengths, bursts by window, and the shape of its days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from planner.demand.peaks import (
    HOUR_S,
    WINDOWS_S,
    observed_peak_to_mean,
    window_totals,
)
from planner.errors import InvalidScenario

PERCENTS = (50.0, 90.0, 95.0, 99.0)
HOURS_OF_DAY, HOURS_OF_WEEK = 24, 168
_ENOUGH_GAPS = 30
"""Fewer times between arrivals say nothing about their spread."""


class Arrivals(Protocol):
    """Anything with the columns of a log: a ``RequestLog`` or a catalogue's ``Trace``."""

    arrival_s: np.ndarray
    """When each request arrives, in order, from the first [s]."""
    input_tokens: np.ndarray
    """Prompt of each [token]."""
    output_tokens: np.ndarray
    """Answer of each [token]."""
    started_weekday_hour: float | None
    """Hours from Monday 00:00 to the first request [h]."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Lengths of prompts or of answers.

    >>> lengths([1, 2, 3]).mean, lengths([1, 2, 3]).p50
    (2.0, 2.0)
    """

    mean: float
    """Mean length [token]."""
    p50: float
    """Half are shorter [token]."""
    p90: float
    """Nine in ten are shorter [token]."""
    p95: float
    """Nineteen in twenty are shorter [token]."""
    p99: float
    """99 in a hundred are shorter [token]."""
    most: float
    """The longest [token]."""
    cv2: float
    """Squared coefficient of variation: variance over squared mean [1]."""


@dataclass(frozen=True, slots=True)
class LogProfile:
    """A log in a hundred numbers, so that a scenario can carry it.

    Tuples over windows run along ``window_s``.

    >>> from planner.catalogue import load_trace
    >>> profile = profile_log(load_trace("azure-2023-conversation"))
    >>> profile.requests, round(profile.rate_per_s, 2)
    (19366, 5.53)
    """

    requests: int
    """Requests in the log [request]."""
    duration_s: float
    """From the first arrival to the last [s]."""
    rate_per_s: float
    """Requests over duration [request/s]."""
    input_tokens: Lengths
    output_tokens: Lengths
    total_cv2: float
    """Squared coefficient of variation of input and output together [1]."""
    correlation: float
    """Pearson's, between input and output; 0 when one never varies [1]."""
    interarrival_cv: float
    """Coefficient of variation of the times between arrivals; 1 is Poisson [1]."""
    window_s: tuple[float, ...]
    """Windows of which the log fills two or more [s]."""
    request_peak_to_mean: tuple[float, ...]
    """Busiest window over mean window, in requests [1]."""
    token_peak_to_mean: tuple[float, ...]
    """Busiest window over mean window, in tokens read and written [1]."""
    peak_cv2: tuple[float, ...]
    """Squared coefficient of variation of the times between arrivals inside the busiest
    window [1]."""
    hourly_to_mean: tuple[float, ...] = ()
    """Rate in each hour of the week over ``rate_per_s``, Monday 00:00 first; a log of one day to
    one week repeats its day; empty for a shorter one [1]."""
    started_weekday_hour: float | None = None
    """Hours from Monday 00:00 to the first request; None when the log has no date, and then its
    first hour stands for Monday 00:00 [h]."""
    name: str = ""
    """The log's name."""


def lengths(tokens: Any) -> Lengths:
    """Mean, percentiles and spread of lengths.

    .. math:: cv^2 = Var[X] / E[X]^2

    Percentiles are interpolated linearly between order statistics.

    Parameters
    ----------
    tokens : array [token]

    Returns
    -------
    Lengths

    Source: R. J. Hyndman and Y. Fan (1996), "Sample quantiles in statistical packages", type 7.

    >>> lengths([10.0, 30.0]).cv2
    0.25
    """
    values = np.asarray(tokens, dtype=float)
    mean = float(values.mean())
    percentiles = [float(one) for one in np.percentile(values, PERCENTS)]
    return Lengths(mean, *percentiles, float(values.max()), _cv2(values))


def profile_log(log: Arrivals, name: str = "") -> LogProfile:
    """The numbers of a log that sizing needs.

    Windows begin at the first request, and only complete ones count.

    Parameters
    ----------
    log : RequestLog or Trace
    name : str
        The log's own name by default.

    Returns
    -------
    LogProfile

    Source: data/traces/trace_stats_exact.csv publishes these numbers for two traces.

    >>> from planner.catalogue import load_trace
    >>> profile = profile_log(load_trace("azure-2023-code"))
    >>> [(w, round(p, 1)) for w, p in zip(profile.window_s, profile.request_peak_to_mean)][::2]
    [(1.0, 26.1), (60.0, 4.2), (900.0, 1.2)]
    """
    times = np.asarray(log.arrival_s, dtype=float)
    if len(times) < 2 or times[-1] <= times[0]:
        raise InvalidScenario(
            f"The log has {len(times):,} requests at one time; a rate needs two at different "
            "times, so choose a longer log."
        )
    times = times - times[0]
    duration = float(times[-1])
    total = np.asarray(log.input_tokens, dtype=float) + log.output_tokens
    windows = tuple(one for one in WINDOWS_S if duration >= 2 * one)
    return LogProfile(
        requests=len(times),
        duration_s=duration,
        rate_per_s=len(times) / duration,
        input_tokens=lengths(log.input_tokens),
        output_tokens=lengths(log.output_tokens),
        total_cv2=_cv2(total),
        correlation=_correlation(log.input_tokens, log.output_tokens),
        interarrival_cv=_cv2(np.diff(times)) ** 0.5,
        window_s=windows,
        request_peak_to_mean=tuple(observed_peak_to_mean(times, one) for one in windows),
        token_peak_to_mean=tuple(observed_peak_to_mean(times, one, total) for one in windows),
        peak_cv2=_peak_cv2(times, windows),
        hourly_to_mean=_hourly_to_mean(times, log.started_weekday_hour or 0.0),
        started_weekday_hour=log.started_weekday_hour,
        name=name or getattr(log, "name", "") or getattr(log, "title", ""),
    )


def peak_to_mean(profile: LogProfile, window_s: Any, of_tokens: bool = False) -> Any:
    """The log's busiest window over its mean, between the windows that were counted.

    Linear in the logarithm of the window; 1 at the log's own length and beyond, and flat below
    the shortest window, where single requests are all that can be seen.

    .. math:: P(w) = P_k + (P_{k+1} - P_k) \\frac{\\ln w - \\ln w_k}{\\ln w_{k+1} - \\ln w_k}

    Parameters
    ----------
    profile : LogProfile
    window_s : float or array [s]
    of_tokens : bool
        Count tokens instead of requests.

    Returns
    -------
    float or array [1]

    Source: linear interpolation; no publication.

    >>> from planner.catalogue import load_trace
    >>> profile = profile_log(load_trace("azure-2023-code"))
    >>> [round(float(peak), 1) for peak in peak_to_mean(profile, [0.1, 1, 30, 1e6])]
    [26.1, 26.1, 7.5, 1.0]
    """
    peaks = profile.token_peak_to_mean if of_tokens else profile.request_peak_to_mean
    return _between(profile, (*peaks, 1.0), window_s)


def peak_cv2(profile: LogProfile, window_s: Any) -> Any:
    """Spread of the times between arrivals inside the log's busiest window.

    What varies more slowly than the window is in the peak's rate already.

    .. math:: c^2(w) = Var[gap] / E[gap]^2

    Parameters
    ----------
    profile : LogProfile
    window_s : float or array [s]

    Returns
    -------
    float or array [1]

    Source: counting; interpolated as in :func:`peak_to_mean`.

    >>> from planner.catalogue import load_trace
    >>> profile = profile_log(load_trace("azure-2023-code"))
    >>> [round(float(cv2)) for cv2 in peak_cv2(profile, [1, 60, 1e6])]
    [2, 23, 173]
    """
    return _between(profile, (*profile.peak_cv2, profile.interarrival_cv**2), window_s)


def _between(profile: LogProfile, values: tuple[float, ...], window_s: Any) -> Any:
    window = np.asarray(window_s, dtype=float)
    if not np.all(window > 0):
        raise InvalidScenario(
            f"Window of {window_s} s: it must be above 0; it is how long a queue may last."
        )
    grid = np.log([*profile.window_s, profile.duration_s])
    return np.interp(np.log(window), grid, values)


def _cv2(values: np.ndarray) -> float:
    mean = float(np.mean(values))
    # The square of a tiny mean would be zero; shares of the mean have no such trouble.
    return float(np.var(values / mean)) if mean > 0 else 0.0


def _correlation(one: Any, other: Any) -> float:
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(np.clip(np.corrcoef(one, other)[0, 1], -1.0, 1.0))


def _peak_cv2(times: np.ndarray, windows: tuple[float, ...]) -> tuple[float, ...]:
    found: list[float] = []
    longer = _cv2(np.diff(times))
    for window in reversed(windows):
        index = np.floor(times / window).astype(np.int64)
        first = np.flatnonzero(np.diff(index, prepend=-1))
        counts, _ = window_totals(times, window)
        start = first[int(counts.argmax())]
        gaps = np.diff(times[start : start + int(counts.max())])
        # Too few gaps: the next longer window's value stands.
        longer = _cv2(gaps) if len(gaps) >= _ENOUGH_GAPS else longer
        found.append(longer)
    return tuple(reversed(found))


def _hourly_to_mean(times: np.ndarray, start_h: float) -> tuple[float, ...]:
    """Requests over exposure in each hour of the week, or of the day repeated, over the mean."""
    end_h = start_h + times[-1] / HOUR_S
    if end_h - start_h < HOURS_OF_DAY:
        return ()
    length = HOURS_OF_WEEK if end_h - start_h >= HOURS_OF_WEEK else HOURS_OF_DAY
    hours = np.floor(start_h + times / HOUR_S).astype(np.int64)
    counts = np.bincount(hours % length, minlength=length)
    slots = np.arange(np.floor(start_h), np.floor(end_h) + 1)
    seen = np.minimum(slots + 1, end_h) - np.maximum(slots, start_h)
    exposure = np.bincount(slots.astype(np.int64) % length, weights=seen, minlength=length)
    rates = counts / exposure * (times[-1] / HOUR_S) / len(times)
    return tuple(np.tile(rates, HOURS_OF_WEEK // length).tolist())
