"""How many replicas, hour by hour and user by user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.errors import InvalidScenario

_SLACK = 1e-9
"""A rate that exceeds whole replicas by less than this share is a rounding error."""


@dataclass(frozen=True, slots=True)
class WeekOfReplicas:
    """Replicas hour by hour against the number that is always on; hours along the last axis.

    >>> WeekOfReplicas.__slots__[0]
    'replicas'
    """

    replicas: Any
    """Needed in each hour; infinite when the service level cannot be met [replica]."""
    peak_replicas: Any
    """Needed in the busiest hour [replica]."""
    replica_hours: Any
    """Sum over the hours: what is used when replicas follow demand [h]."""
    idle_fraction: Any
    """Share of the always-on replicas' hours in which they are not needed [fraction]."""
    load_fraction: Any
    """Requests over what the always-on replicas could serve within the service level
    [fraction]."""


def replicas_needed(demand: Any, capacity: Any) -> Any:
    """Whole replicas for a demand: requests per second, or people.

    .. math:: R = \\lceil \\lambda / \\mu \\rceil

    Parameters
    ----------
    demand : float or array [1]
        In the unit of ``capacity``.
    capacity : float or array [1]
        Of one replica, such as ``ReplicaCapacity.rate_per_s`` or ``.users``.

    Returns
    -------
    float or array [replica]
        0 for no demand, infinite when one replica serves nothing.

    Source: counting; no publication.

    >>> [float(n) for n in replicas_needed([0.0, 0.1, 3.0, 3.1], 1.5)]
    [0.0, 1.0, 2.0, 3.0]
    """
    demand, capacity = np.asarray(demand, dtype=float), np.asarray(capacity, dtype=float)
    if not (np.all(demand >= 0) and np.all(capacity >= 0)):
        raise InvalidScenario("Demand and capacity must be numbers of 0 or more; check the load.")
    serves = capacity > 0
    with np.errstate(over="ignore", invalid="ignore"):
        share = demand / np.where(serves, capacity, 1.0)
    # An infinite share of infinite capacity: one replica serves them all.
    share = np.where(np.isinf(capacity), np.minimum(demand, 1.0), share)
    whole = np.maximum(np.ceil(share * (1.0 - _SLACK)), demand > 0)
    return np.where(serves | (demand == 0), whole, np.inf)


def week_of_replicas(rate_per_s: Any, capacity_per_s: Any, minimum_replicas: Any) -> WeekOfReplicas:
    """Replicas in each hour of the week, and what idles when the peak's number is always on.

    .. math:: idle = 1 - \\frac{\\sum_h R_h}{168 \\max_h R_h}

    Parameters
    ----------
    rate_per_s : array [request/s]
        Peak rate of each hour along the last axis, such as 168.
    capacity_per_s : float or array [request/s]
        Largest sustainable rate of one replica; broadcasts without the hours' axis.
    minimum_replicas : int or array [replica]
        Kept on even without demand.

    Returns
    -------
    WeekOfReplicas

    Source: counting; no publication.

    >>> week = week_of_replicas([1.0, 4.0, 4.0, 1.0], 2.0, 0)
    >>> [float(n) for n in week.replicas], float(week.idle_fraction)
    ([1.0, 2.0, 2.0, 1.0], 0.25)
    """
    rate = np.asarray(rate_per_s, dtype=float)
    each = np.asarray(capacity_per_s, dtype=float)[..., None]
    needed = np.maximum(replicas_needed(rate, each), np.asarray(minimum_replicas)[..., None])
    peak, hours = needed.max(axis=-1), needed.sum(axis=-1)
    known = np.isfinite(peak) & (peak > 0)
    whole = np.where(known, peak, 1.0)
    length = needed.shape[-1]
    most = np.where(known & (each[..., 0] > 0), whole * each[..., 0] * length, np.inf)
    return WeekOfReplicas(
        replicas=needed,
        peak_replicas=peak,
        replica_hours=hours,
        idle_fraction=np.where(known, 1.0 - np.where(known, hours, 0.0) / (whole * length), 0.0),
        load_fraction=rate.sum(axis=-1) / most,
    )


def replicas_for_users(users: Any, rate_per_user_per_s: Any, capacity_per_s: Any) -> Any:
    """The curve of replicas against users of an open population.

    .. math:: R(U) = \\lceil U \\lambda_u / \\mu \\rceil

    For a known number of people use ``replicas_needed(users, capacity.users)``.

    Parameters
    ----------
    users : int or array [1]
        Along the last axis.
    rate_per_user_per_s : float or array [request/s]
        Peak rate of one user; broadcasts without the users' axis.
    capacity_per_s : float or array [request/s]
        Largest sustainable rate of one replica; broadcasts without the users' axis.

    Returns
    -------
    array [replica]

    Source: counting; no publication.

    >>> [float(n) for n in replicas_for_users([100, 200, 300], 0.01, 1.5)]
    [1.0, 2.0, 2.0]
    """
    demand = np.asarray(users, dtype=float) * np.asarray(rate_per_user_per_s)[..., None]
    return replicas_needed(demand, np.asarray(capacity_per_s, dtype=float)[..., None])


def users_of_replicas(replicas: Any, rate_per_user_per_s: Any, capacity_per_s: Any) -> Any:
    """The inverse: how many users a number of replicas serves.

    .. math:: U = \\lfloor R \\mu / \\lambda_u \\rfloor

    Parameters
    ----------
    replicas : int or array [replica]
    rate_per_user_per_s : float or array [request/s]
        Peak rate of one user.
    capacity_per_s : float or array [request/s]
        Largest sustainable rate of one replica.

    Returns
    -------
    float or array [1]
        Infinite when a user asks nothing.

    Source: counting; no publication.

    >>> float(users_of_replicas(2, 0.01, 1.5))
    300.0
    """
    each = np.asarray(rate_per_user_per_s, dtype=float)
    served = np.asarray(replicas, dtype=float) * capacity_per_s
    whole = np.floor(served / np.where(each > 0, each, 1.0) * (1.0 + _SLACK))
    return np.where(each > 0, whole, np.inf)
