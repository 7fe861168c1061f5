"""The busiest window of the week: what must be served when a queue may last as long."""

from __future__ import annotations

from typing import Any

import numpy as np

from planner.demand.arrivals import Demand, RequestTokens
from planner.demand.peaks import HOUR_S, expected_peak_to_mean
from planner.demand.profile import peak_cv2, peak_to_mean


def peak_rate(ask: Demand, window_s: Any) -> Any:
    """Rate of the busiest window of the week: what must be served when a queue may last as long.

    .. math:: \\lambda_p = \\lambda_{busiest} \\, P(w)

    ``P`` is the peak over the mean within the hour: the log's own, or that of a random stream. A
    capacity of this rate clears every burst within about one window. A queueing formula for random
    arrivals adds the noise of a steady stream by itself: give it ``busiest_per_s``, or a log's
    peak over a window of many requests.

    Parameters
    ----------
    ask : Demand
    window_s : float or array [s]
        How long the service level lets a queue last.

    Returns
    -------
    float or array [request/s]
        A log's peaks keep their ratio when it is scaled.

    Source: R. L. Cruz (1991), "A calculus for network delay", part I, for the burst that a
    capacity clears; :func:`expected_peak_to_mean` and :func:`peak_to_mean` for the ratio.

    >>> from planner.catalogue import load_trace, week_shapes
    >>> from planner.demand import demand, profile_log
    >>> log = profile_log(load_trace("azure-2023-code"))
    >>> ask = demand("log", None, week_shapes()["flat"], profile=log)
    >>> [round(float(rate), 1) for rate in peak_rate(ask, [1, 60, 3600])]
    [67.0, 10.7, 2.6]
    """
    return ask.busiest_per_s * _peak_factor(ask, window_s, of_tokens=False)


def peak_token_rate(ask: Demand, window_s: Any) -> Any:
    """Tokens per second, read and written, of the busiest window of the week.

    Long requests make token peaks higher than request peaks. The counts of a random stream have
    the index of dispersion ``I + cv2`` in tokens, as a sum of random length has:

    .. math:: \\lambda_p = \\lambda_{busiest} (in + out) \\, P(w; I + c^2)

    Parameters
    ----------
    ask : Demand
    window_s : float or array [s]
        How long the service level lets a queue last.

    Returns
    -------
    float or array [token/s]
        Cached prompt tokens included.

    Source: W. Feller (1968), "An Introduction to Probability Theory and Its Applications", volume
    1, chapter XII, for sums of random length.

    >>> from planner.catalogue import week_shapes
    >>> from planner.demand import RequestTokens, demand
    >>> ask = demand("requests", RequestTokens(900, 100), week_shapes()["flat"],
    ...     requests_per_day=86400)
    >>> float(peak_token_rate(ask, 3600))
    1000.0
    """
    read, wrote = (
        np.asarray(one, dtype=float) for one in (ask.tokens.input_tokens, ask.tokens.output_tokens)
    )
    return ask.busiest_per_s * (read + wrote) * _peak_factor(ask, window_s, of_tokens=True)


def peak_arrival_cv2(ask: Demand, window_s: Any) -> Any:
    """Spread of the times between arrivals inside the busiest window.

    To go with :func:`peak_rate`, whose rate already holds whatever varies more slowly.

    .. math:: c_a^2(w)

    Parameters
    ----------
    ask : Demand
    window_s : float or array [s]

    Returns
    -------
    float or array [1]

    Source: as :func:`peak_cv2`; a random stream has the same at every window.

    >>> from planner.catalogue import load_trace, week_shapes
    >>> from planner.demand import demand, profile_log
    >>> log = profile_log(load_trace("azure-2023-code"))
    >>> ask = demand("log", None, week_shapes()["flat"], profile=log)
    >>> round(float(peak_arrival_cv2(ask, 1))), round(float(ask.arrival_cv2))
    (2, 173)
    """
    if ask.profile is None:
        return np.asarray(ask.arrival_cv2) + 0.0 * np.asarray(window_s, dtype=float)
    return peak_cv2(ask.profile, window_s)


def _peak_factor(ask: Demand, window_s: Any, of_tokens: bool) -> Any:
    profile = ask.profile
    if profile is not None:
        # The log's peak is over its mean; here it is wanted over its busiest hour.
        hour = max(profile.hourly_to_mean, default=0.0) or peak_to_mean(profile, HOUR_S)
        return np.maximum(peak_to_mean(profile, window_s, of_tokens) / hour, 1.0)
    spread = np.asarray(ask.arrival_cv2, dtype=float)
    if of_tokens:
        spread = spread + _total_cv2(ask.tokens)
    return expected_peak_to_mean(ask.busiest_per_s, window_s, spread)


def _total_cv2(tokens: RequestTokens) -> Any:
    """Of prompt and answer together, as if they were independent."""
    read, wrote = (
        np.asarray(one, dtype=float) for one in (tokens.input_tokens, tokens.output_tokens)
    )
    return (read**2 * tokens.input_cv2 + wrote**2 * tokens.output_cv2) / (read + wrote) ** 2
