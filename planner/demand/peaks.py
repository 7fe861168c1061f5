"""How far the busiest window stands above the mean: counted in a log, or from a formula."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np

from planner.errors import InvalidScenario

HOUR_S = 3600.0
WINDOWS_S = (1.0, 10.0, 60.0, 300.0, 900.0, 3600.0)
"""Windows for which a log's peaks are kept [s]."""
_inverse = np.frompyfunc(NormalDist().inv_cdf, 1, 1)


def window_totals(
    arrival_s: Any, window_s: float, weights: Any = None, incomplete: bool = False
) -> tuple[np.ndarray, int]:
    """Requests, or their tokens, in each window that has any, and how many windows there are.

    .. math:: n_k = \\sum_{t_i \\in [k w, (k+1) w)} x_i

    Parameters
    ----------
    arrival_s : array [s]
        In order; windows begin at 0, the first request.
    window_s : float [s]
    weights : array [1], optional
        ``x``, such as tokens; 1 for each request by default.
    incomplete : bool
        Whether to count the last window too, which the log does not fill.

    Returns
    -------
    tuple of array [1] and int [1]

    Source: counting; no publication.

    >>> totals, windows = window_totals([0.0, 0.5, 2.5, 3.1], 1.0)
    >>> totals.tolist(), windows
    ([2.0, 1.0], 3)
    """
    times = np.asarray(arrival_s, dtype=float)
    index = np.floor(times / window_s).astype(np.int64)
    windows = int(index[-1]) + int(incomplete)
    index = index[: np.searchsorted(index, windows)]
    if not len(index):
        return np.zeros(1), max(windows, 1)
    weights = np.ones(len(times)) if weights is None else np.asarray(weights, dtype=float)
    first = np.flatnonzero(np.diff(index, prepend=-1))
    return np.add.reduceat(weights[: len(index)], first), windows


def observed_peak_to_mean(
    arrival_s: Any, window_s: float, weights: Any = None, incomplete: bool = False
) -> float:
    """The busiest window of a log over the mean window.

    .. math:: \\max_k n_k / \\bar n

    Parameters
    ----------
    arrival_s : array [s]
        In order; windows begin at 0, the first request.
    window_s : float [s]
        Shorter than the log.
    weights : array [1], optional
        Such as tokens; 1 for each request by default.
    incomplete : bool
        Whether to count the last window too, which the log does not fill and which lowers the
        mean.

    Returns
    -------
    float [1]
        1 for an even stream.

    Source: counting; data/traces/trace_stats_exact.csv publishes it for complete minutes.

    >>> observed_peak_to_mean([0.0, 0.5, 1.5, 2.0], 1.0)
    1.3333333333333333
    """
    totals, windows = window_totals(arrival_s, window_s, weights, incomplete)
    total = float(totals.sum())
    return float(totals.max()) * windows / total if total > 0 else 1.0


def expected_peak_to_mean(
    rate_per_s: Any, window_s: Any, dispersion: Any = 1.0, horizon_s: float = HOUR_S
) -> Any:
    """The busiest window over the mean window of a steady random stream.

    The median of the largest of ``n = horizon / w`` independent counts is their quantile at
    ``2**(-1/n)``. Counts have mean ``m = rate w`` and variance ``I m``; their power 2/3, which
    takes the skewness out of a Poisson count, is taken as normal:

    .. math:: P = \\left(1 + \\tfrac{2}{3} z \\sqrt{I / m}\\right)^{3/2}, \\qquad
              \\Phi(z) = 2^{-1/n}

    A window as long as the horizon has exactly the mean. Poisson peaks are right to one request,
    even where a window holds a thousandth of a request on average.

    Parameters
    ----------
    rate_per_s : float or array [request/s]
    window_s : float or array [s]
    dispersion : float or array [1]
        Index of dispersion ``I``, variance over mean of the counts: 1 for a Poisson stream, the
        squared coefficient of variation of the times between arrivals for renewal streams.
    horizon_s : float [s]
        Time within which the rate is steady.

    Returns
    -------
    float or array [1]
        Never below 1, and falling with the window and the rate; 1 for no requests.

    Source: P. McCullagh and J. A. Nelder (1989), "Generalized Linear Models", section 2.4.2, for
    Anscombe's power 2/3; D. R. Cox and P. A. W. Lewis (1966), "The Statistical Analysis of Series
    of Events", for the index of dispersion.

    >>> round(float(expected_peak_to_mean(5.53, 1.0)), 2), float(expected_peak_to_mean(5.53, 3600))
    (2.84, 1.0)
    """
    rate, window = np.asarray(rate_per_s, dtype=float), np.asarray(window_s, dtype=float)
    spread = np.asarray(dispersion, dtype=float)
    if not (np.all(rate >= 0) and np.all(window > 0) and np.all(spread >= 0)):
        raise InvalidScenario(
            "Peak of a random stream: the rate and the index of dispersion must be 0 or more and "
            "the window above 0 seconds; correct the demand."
        )
    score = _score(np.minimum(window / horizon_s, 1.0))
    mean = np.where(rate > 0, rate, 1.0) * window
    peak = (1.0 + 2.0 / 3.0 * score * np.sqrt(spread / mean)) ** 1.5
    return np.where(rate > 0, peak, 1.0)


def _score(share: np.ndarray) -> np.ndarray:
    """z with Phi(z) = 2**(-share), for shares up to 1."""
    tail = -np.expm1(-np.log(2.0) * share)
    # Windows are few: one for each service level, never one for each candidate.
    return np.maximum(-np.asarray(_inverse(tail), dtype=float), 0.0)
