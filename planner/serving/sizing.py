"""From a service level to replicas: the largest rate one replica sustains, and how many it takes.

The chain: requests in flight by Little's law; the speed at that batch from the curve; waiting for
the prefill engine and for a slot from queueing formulas; the largest rate at which the service
level still holds. Every replica is judged by itself, as if arrivals were dealt out blindly; a
balancer that looks at queues does better, which the simulation shows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from planner.errors import InvalidScenario
from planner.serving._replica import NONE, SLOTS, Replica, experience, in_flight
from planner.serving.curve import SpeedCurve, take_points
from planner.serving.level import (
    ReplicaCapacity,
    ServiceResult,
    ServiceTarget,
    Traffic,
    require_at_least,
)
from planner.serving.queueing import wait_percentile_s

_WALK = np.r_[0.0, np.geomspace(1e-4, 1.0, 14)]
"""Shares of the limit at which the search for the largest rate first looks."""
_ZOOMS, _STEPS = 3, np.linspace(0.0, 1.0, 12)[1:-1]
"""Each zoom divides by eleven the step in which a limit breaks, which at first is a doubling."""


def service(
    curve: SpeedCurve, traffic: Traffic, target: ServiceTarget, rate_per_s: Any
) -> ServiceResult:
    """What users experience when ``rate_per_s`` requests reach one replica.

    Little's law, with the batch an arriving request finds plus itself, has one root on the
    piecewise linear curve:

    .. math:: N = \\lambda \\, T(N + 1), \\qquad T(n) = TTFT(n) + (O - 1) \\, TPOT(n)

    For a percentile the batch is ``N + z sqrt(N)``, as the number in flight spreads like a
    Poisson number, and the prompt is as long as at that percentile of log-normal lengths. Waiting
    for the prefill engine is M/G/1; waiting for a slot is M/G/c with every request held as long as
    at the full batch, which errs on the safe side. Their percentiles are added.

    Parameters
    ----------
    curve : SpeedCurve
    traffic : Traffic
    target : ServiceTarget
    rate_per_s : float or array [request/s]
        Broadcasts against the curve's leading axes.

    Returns
    -------
    ServiceResult

    Source: J. D. C. Little (1961); F. Baskett et al., "Open, closed, and mixed networks of
    queues" (1975) for a server whose speed depends on its load.

    >>> from planner.serving import BINDING
    >>> curve = SpeedCurve([1, 64], [0.1, 0.2], [0.01, 0.02], 0.05, 64)
    >>> easy = service(curve, Traffic(200, 1, 1, 1), ServiceTarget(1.0, 0.05, 0.95), 2.0)
    >>> BINDING[int(easy.binding)], bool(easy.utilisation_fraction < 1)
    ('none', True)
    """
    require_at_least("rate_per_s", rate_per_s, 0.0)
    if np.isinf(rate_per_s).any():
        raise InvalidScenario("rate_per_s: infinite is not allowed; give requests per second.")
    replica = Replica.of(curve, traffic)
    rate = np.asarray(rate_per_s, dtype=float)[..., None]
    return _without_axis(experience(replica, target, in_flight(replica, rate), rate))


_PARTS = np.linspace(0.0, 1.0, 65)
_NARROWINGS = 9
"""64 parts, nine times over: as narrow as a number can be told from the next."""


def replica_capacity(curve: SpeedCurve, traffic: Traffic, target: ServiceTarget) -> ReplicaCapacity:
    """The largest rate at which one replica keeps the service level.

    .. math:: \\mu = \\max \\{ \\lambda : TTFT_p(\\lambda) \\le limit,
              \\; TPOT_p(\\lambda) \\le limit, \\; \\lambda \\, T_{prefill} < 1 \\}

    The search walks the requests in flight, where the rate is explicit, and zooms in on the first
    point that breaks a limit; the answer is the last one that does not, at most 1 in 1,000 below
    the edge. Stack optimistic, nominal and pessimistic curves along a leading axis to get a range.

    Parameters
    ----------
    curve : SpeedCurve
    traffic : Traffic
    target : ServiceTarget

    Returns
    -------
    ReplicaCapacity

    Source: the definition of goodput; no publication.

    >>> from planner.serving import BINDING
    >>> curve = SpeedCurve([1, 64], [0.1, 0.2], [0.01, 0.02], 0.05, 64)
    >>> most = replica_capacity(curve, Traffic(200, 1, 1, 1), ServiceTarget(1.0, 0.015, None))
    >>> BINDING[int(most.binding)], round(float(most.in_flight), 1)
    ('tpot', 31.5)
    """
    replica = Replica.of(curve, traffic)
    lead = np.broadcast_shapes(replica.lead, np.shape(target.ttft_s), np.shape(target.tpot_s))
    low = np.zeros((*lead, 1))
    high = limit = replica.limit + low
    broken = np.full(low.shape, SLOTS)
    walk = limit * _WALK
    for _ in range(1 + _ZOOMS):
        found = experience(replica, target, walk, walk / replica.residence(walk))
        fails = found.binding != NONE
        first = np.where(fails.any(-1), fails.argmax(-1), walk.shape[-1])[..., None]
        ends = np.concatenate([low, walk, high], axis=-1)
        # Nothing failed up to the full batch: only more slots would help.
        codes = np.concatenate([found.binding, broken], axis=-1)
        low, high = take_points(ends, first), take_points(ends, first + 1)
        broken = take_points(codes, first)
        walk = low + (high - low) * _STEPS
    return _capacity_at(replica, low, broken)


def population_rate_per_s(curve: SpeedCurve, traffic: Traffic, users: Any) -> Any:
    """Requests per second from a known number of people who share one replica.

    Each thinks, asks, and waits for the answer: slow answers slow the questions down.

    .. math:: \\lambda = \\frac{M}{Z + T(N + 1)}, \\qquad N = \\lambda \\, T(N + 1)

    Parameters
    ----------
    curve : SpeedCurve
    traffic : Traffic
        With a finite ``think_s``, Z.
    users : float or array [1]
        People M on one replica. Broadcasts against the curve's leading axes.

    Returns
    -------
    float or array [request/s]
        Waiting is left out, which errs towards more requests; at most what a full batch finishes.

    Source: the interactive response time law; P. J. Denning and J. P. Buzen, "The operational
    analysis of queueing network models" (1978).

    >>> curve = SpeedCurve([1, 64], [0.0, 0.0], [0.01, 0.01], 0.0, 64)
    >>> round(float(population_rate_per_s(curve, Traffic(101, 1, 1, 1, think_s=9.0), 50)), 6)
    5.0
    """
    require_at_least("users", users, 0.0)
    if not np.all(np.isfinite(traffic.think_s)):
        raise InvalidScenario(
            "Time between requests is not given; a known number of people needs it, so name it "
            "or ask for a rate."
        )
    replica = Replica.of(curve, traffic)
    people = np.asarray(users, dtype=float)[..., None]
    low = np.zeros(np.broadcast_shapes(people.shape, replica.lead + (1,)))
    high = low + replica.limit
    for _ in range(_NARROWINGS):
        points = low + (high - low) * _PARTS
        held = replica.residence(points)
        above = points * (replica.think_s + held) > people * held
        # The upper end stands for a rate that is too high, whatever it is.
        above[..., 0], above[..., -1] = False, True
        first = above.argmax(axis=-1)[..., None]
        low, high = take_points(points, first - 1), take_points(points, first)
    return (high / replica.residence(high))[..., 0]


def _capacity_at(replica: Replica, held: np.ndarray, broken: np.ndarray) -> ReplicaCapacity:
    """The rate at which ``held`` requests are in flight, and the people behind it."""
    rate = held / replica.residence(held)
    people = np.full_like(rate, np.inf)
    if not replica.traffic.is_open:
        waits = wait_percentile_s(*replica.slot_wait(rate, replica.sources(rate, held)), None)
        waits = waits + replica.prefill_wait_s(rate, None)
        people = rate * (replica.think_s + replica.residence(held) + waits)
    return ReplicaCapacity(*(each[..., 0] for each in (rate, people, held, broken)))


def _without_axis(result: ServiceResult) -> ServiceResult:
    return ServiceResult(*(getattr(result, name)[..., 0] for name in ServiceResult.__slots__))
