"""Whole hosts and whole instances: what must be paid for so that enough GPUs are there."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any


def whole_hosts(gpus: Array, gpus_per_host: Array, spare_hosts: Array = 0.0) -> Array:
    """Hosts to own for so many GPUs, and spare ones.

    .. math:: H = \\lceil G / g \\rceil + s

    Parameters
    ----------
    gpus : float or array [gpu]
        No GPUs need no hosts, not even spare ones.
    gpus_per_host : float or array [gpu]
        As every host is bought, fully fitted.
    spare_hosts : float or array [1]
        1 for N+1: the load still fits while any one host is down.

    Returns
    -------
    float or array [1]

    Source: definition of N+1 redundancy.

    >>> whole_hosts(9, 8, 1), whole_hosts(0, 8, 1)
    (np.float64(3.0), np.float64(0.0))
    """
    needed = np.ceil(np.asarray(gpus, dtype=float) / gpus_per_host)
    return np.where(needed > 0, needed + spare_hosts, 0.0)[()]


def whole_instances(gpus: Array, gpus_per_instance: Array) -> Array:
    """Instances to rent for so many GPUs; the rest of the last one stands idle.

    .. math:: I = \\lceil G / g \\rceil

    Parameters
    ----------
    gpus, gpus_per_instance : float or array [gpu]

    Returns
    -------
    float or array [1]

    Source: definition; a cloud sells an eight-GPU machine whole.

    >>> float(whole_instances(1, 8))
    1.0
    """
    return np.ceil(np.asarray(gpus, dtype=float) / gpus_per_instance)[()]


def started_hours(instances: np.ndarray, scale_up_s: Array) -> Array:
    """Instance-hours of a week paid while further instances start.

    .. math:: h = \\sum_t \\max(0, n_t - n_{t-1}) \\, s / 3600

    Parameters
    ----------
    instances : array [1]
        Needed in each hour of the week, hours along the last axis; the week wraps around.
    scale_up_s : float or array [s]
        From asking until it answers.

    Returns
    -------
    float or array [h]

    Source: definition; an instance is billed from its boot, not from its first answer.

    >>> float(started_hours(np.array([1.0, 3.0, 1.0, 2.0]), 600.0))
    0.5
    """
    rise = np.maximum(instances - np.roll(instances, 1, axis=-1), 0.0)
    return rise.sum(axis=-1)[()] * scale_up_s / 3600.0


def best_floor(
    instances: np.ndarray, committed_usd_per_hour: Array, on_demand_usd_per_hour: Array
) -> Array:
    """How many instances to commit to, so that commitment and bursts on demand cost least.

    .. math:: f^* = \\#\\{ n \\ge 1 : P(needed \\ge n) > p_{committed} / p_{demand} \\}

    The n-th instance is worth a commitment when it is needed for a larger share of the hours than
    the commitment's price is of the on-demand price.

    Parameters
    ----------
    instances : array [1]
        Needed in each hour of the week, hours along the last axis.
    committed_usd_per_hour, on_demand_usd_per_hour : float or array [USD/h]
        Shape of the draws, without the hours.

    Returns
    -------
    float or array [1]

    Source: newsvendor argument on the load duration curve; :func:`breakeven_commitment_utilisation`
    for one instance.

    >>> float(best_floor(np.array([1.0, 1.0, 1.0, 5.0]), 0.5, 1.0))
    1.0
    """
    needed = np.sort(np.asarray(instances, dtype=float), axis=-1)[..., ::-1]
    hours = needed.shape[-1]
    demand = np.asarray(on_demand_usd_per_hour, dtype=float)
    dear = demand > 0
    share = np.where(dear, committed_usd_per_hour / np.where(dear, demand, 1.0), np.inf)
    # Needed for more than `share` of the hours: the level of the hour just after that many.
    at = np.floor(np.clip(share, 0.0, 1.0) * hours + 1e-9).astype(int)
    level = np.take_along_axis(
        np.broadcast_to(needed, (*np.broadcast_shapes(needed.shape[:-1], at.shape), hours)),
        np.broadcast_to(
            np.minimum(at, hours - 1), np.broadcast_shapes(needed.shape[:-1], at.shape)
        )[..., None],
        axis=-1,
    )[..., 0]
    return np.where(at >= hours, 0.0, level)[()]


def burst_hours(instances: np.ndarray, floor: Array) -> Array:
    """Instance-hours of a week above a committed floor.

    .. math:: h = \\sum_t \\max(0, n_t - f)

    Parameters
    ----------
    instances : array [1]
        Needed in each hour of the week, hours along the last axis.
    floor : float or array [1]

    Returns
    -------
    float or array [h]

    Source: definition.

    >>> float(burst_hours(np.array([1.0, 1.0, 1.0, 5.0]), 1.0))
    4.0
    """
    above = np.asarray(instances, dtype=float) - np.asarray(floor, dtype=float)[..., None]
    return np.maximum(above, 0.0).sum(axis=-1)[()]


def raw_storage_tb(usable_tb: Array, scheme: str, slack_fraction: Array = 0.3) -> Array:
    """Raw flash to buy for so much usable storage.

    .. math:: raw = usable \\cdot k / (1 - slack)

    Parameters
    ----------
    usable_tb : float or array [TB]
    scheme : str
        ``local`` (a mirrored pair, no slack), ``vsan-raid1`` (k = 2), ``vsan-raid5`` (3+1,
        k = 4/3) or ``vsan-raid6`` (4+2, k = 3/2).
    slack_fraction : float or array [fraction]
        Kept free by vSAN for operations and the rebuild of one host; planners take 25 to 30 %.

    Returns
    -------
    float or array [TB]

    Source: VMware vSAN documentation on capacity overhead of RAID-1, RAID-5 and RAID-6; 30 % slack
    is the planners' rule.

    >>> round(float(raw_storage_tb(10.0, "vsan-raid5")), 2)
    19.05
    """
    factor = {"local": 2.0, "vsan-raid1": 2.0, "vsan-raid5": 4.0 / 3.0, "vsan-raid6": 1.5}[scheme]
    slack = 0.0 if scheme == "local" else slack_fraction
    return np.asarray(usable_tb, dtype=float)[()] * factor / (1.0 - slack)
