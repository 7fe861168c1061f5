"""The question and the answer of sizing: what requests are like, the service level, the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.errors import InvalidScenario

BINDING = ("none", "ttft", "tpot", "slots", "prefill")
"""Names of the codes in ``binding``: what fails at this rate, or would at a higher one."""
PERCENTILES = (None, 0.5, 0.9, 0.95, 0.99)
"""Percentiles that the product offers; ``None`` is the mean."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the requests are like; how many come is a separate argument. Fields broadcast.

    >>> Traffic(output_tokens=200.0, arrival_cv2=1.0, service_cv2=1.0, prefill_cv2=0.5).think_s
    inf
    """

    output_tokens: Any
    """Mean length of an answer [token]."""
    arrival_cv2: Any
    """Squared coefficient of variation of the times between arrivals; 1 is Poisson [1]."""
    service_cv2: Any
    """Squared coefficient of variation of the time a request holds its slot, nearly that of the
    answers' lengths [1]."""
    prefill_cv2: Any
    """Squared coefficient of variation of the time a prompt keeps the engine busy, nearly that of
    the prompts' lengths [1]."""
    think_s: Any = np.inf
    """Mean time between an answer and the same person's next request, when requests come from a
    known number of people; infinite for an open population [s]."""

    def __post_init__(self) -> None:
        for name, least in (("output_tokens", 1.0), ("think_s", 1e-9)):
            require_at_least(name, getattr(self, name), least)
        for name in ("arrival_cv2", "service_cv2", "prefill_cv2"):
            require_at_least(name, getattr(self, name), 0.0)

    @property
    def is_open(self) -> bool:
        """Whether the people are too many to count."""
        return bool(np.all(np.isinf(self.think_s)))


@dataclass(frozen=True, slots=True)
class ServiceTarget:
    """The service level: two limits, both at one percentile.

    >>> ServiceTarget(ttft_s=2.0, tpot_s=0.05, percentile_fraction=0.95).percentile_fraction
    0.95
    """

    ttft_s: Any
    """Most time to the first token, waiting included; infinite for no limit [s]."""
    tpot_s: Any
    """Most time per output token after the first; infinite for no limit [s]."""
    percentile_fraction: float | None
    """Share of requests that must be within the limits, 0.5 or more; ``None`` judges the means
    [fraction]."""

    def __post_init__(self) -> None:
        require_at_least("ttft_s", self.ttft_s, 0.0)
        require_at_least("tpot_s", self.tpot_s, 0.0)
        share = self.percentile_fraction
        if share is not None and not 0.5 <= share < 1.0:
            raise InvalidScenario(
                f"Percentile: {share} is outside 0.5 to below 1; 0.95 means 95 of 100 requests, "
                "and none means the average."
            )


@dataclass(frozen=True, slots=True)
class ServiceResult:
    """What users of one replica experience at a given rate; every field broadcasts.

    >>> ServiceResult.__slots__[:2]
    ('rate_per_s', 'in_flight')
    """

    rate_per_s: Any
    """Requests that reach the replica [request/s]."""
    in_flight: Any
    """Mean requests resident on the replica; its limit when overloaded [request]."""
    waiting_s: Any
    """Waiting for the prefill engine and a slot, at the percentile; infinite when
    overloaded [s]."""
    ttft_s: Any
    """Time to the first token, waiting included, at the percentile [s]."""
    tpot_s: Any
    """Time per output token after the first, at the percentile [s]."""
    utilisation_fraction: Any
    """Rate over the largest rate that the replica can finish, by slots or by prefill; 1 and more
    is an overload [fraction]."""
    binding: Any
    """Index into ``BINDING``: the first limit that is broken [1]."""


@dataclass(frozen=True, slots=True)
class ReplicaCapacity:
    """The most that one replica serves within the service level; every field broadcasts.

    >>> ReplicaCapacity.__slots__[:2]
    ('rate_per_s', 'users')
    """

    rate_per_s: Any
    """Largest sustainable rate; 0 when even a single request breaks a limit [request/s]."""
    users: Any
    """People whom that rate serves; infinite for an open population [1]."""
    in_flight: Any
    """Mean requests resident at that rate [request]."""
    binding: Any
    """Index into ``BINDING``: the limit that a higher rate would break [1]."""


def require_at_least(name: str, value: Any, least: float) -> None:
    """Refuse a value below ``least``, or one that is not a number.

    .. math:: x \\ge least

    Parameters
    ----------
    name : str
    value : float or array [1]
    least : float [1]

    Returns
    -------
    None
        Or raises ``InvalidScenario``; the check has no unit but the value's [1].

    Source: no publication.

    >>> require_at_least("users", 3, 0)
    """
    values = np.asarray(value)
    if not (values >= least).all():
        raise InvalidScenario(
            f"{name}: {value} is not allowed; every value must be {least:g} or more."
        )
