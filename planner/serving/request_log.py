"""A log of requests to replay: a real one, or one sampled from means and spreads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.errors import InvalidScenario
from planner.serving.level import require_at_least

_EVEN = 1e-12
"""Arrivals that vary less are even: to a millionth, and a gamma distribution of them overflows."""


@dataclass(frozen=True, slots=True)
class Requests:
    """A log of requests, real or sampled, in order of arrival.

    >>> len(Requests([0.0, 1.0], [100, 200], [10, 20]).arrival_s)
    2
    """

    arrival_s: np.ndarray
    """When each arrives [s]."""
    input_tokens: np.ndarray
    """Prompt of each [token]."""
    output_tokens: np.ndarray
    """Answer of each, 1 or more [token]."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=float))
        times = self.arrival_s
        shapes = {times.shape, self.input_tokens.shape, self.output_tokens.shape}
        if times.ndim != 1 or len(shapes) > 1 or not len(times):
            raise InvalidScenario(
                "Request log: arrival, input and output must be columns of one length with at "
                "least one request; check the file."
            )
        if not (np.all(np.isfinite(times)) and np.all(np.diff(times) >= 0)):
            raise InvalidScenario("Request log: arrival times must be numbers in order; sort it.")
        for name, least in (("input_tokens", 0), ("output_tokens", 1)):
            values = getattr(self, name)
            if not (np.all(values >= least) and np.all(np.isfinite(values))):
                raise InvalidScenario(
                    f"Request log: {name} must be numbers of {least} or more; remove the others."
                )


def sample_requests(
    rate_per_s: float,
    count: int,
    input_tokens: float,
    output_tokens: float,
    *,
    arrival_cv2: float,
    input_cv2: float,
    output_cv2: float,
    seed: int,
) -> Requests:
    """Random requests with given means and spreads, the same for the same seed.

    Times between arrivals are gamma distributed (exponential at ``arrival_cv2`` 1), lengths
    log-normal:

    .. math:: E[X] = m, \\qquad Var[X] = c^2 m^2

    Parameters
    ----------
    rate_per_s : float [request/s]
    count : int [request]
    input_tokens, output_tokens : float [token]
        Means; answers are rounded up to at least one token.
    arrival_cv2, input_cv2, output_cv2 : float [1]
        Squared coefficients of variation.
    seed : int [1]

    Returns
    -------
    Requests

    Source: moment matching; no publication.

    >>> log = sample_requests(2.0, 20000, 1000, 200, arrival_cv2=1, input_cv2=1, output_cv2=1,
    ...     seed=1)
    >>> bool(abs(log.arrival_s[-1] / 10000 - 1) < 0.03)
    True
    """
    if not (0 < rate_per_s < np.inf and count >= 1):
        raise InvalidScenario(
            f"Simulation: {count} requests at {rate_per_s} per second; both must be above 0."
        )
    spreads = {"arrival_cv2": arrival_cv2, "input_cv2": input_cv2, "output_cv2": output_cv2}
    for name, cv2 in spreads.items():
        require_at_least(name, cv2, 0.0)
    random = np.random.default_rng(seed)
    gaps = np.full(count, 1.0 / rate_per_s)
    if arrival_cv2 > _EVEN:
        gaps = random.gamma(1.0 / arrival_cv2, arrival_cv2 / rate_per_s, count)

    def lengths(mean: float, cv2: float) -> np.ndarray:
        spread = np.log1p(cv2)
        return np.maximum(np.rint(random.lognormal(-spread / 2, spread**0.5, count) * mean), 1.0)

    return Requests(
        np.cumsum(gaps), lengths(input_tokens, input_cv2), lengths(output_tokens, output_cv2)
    )
