"""Power of an installation hour by hour: GPUs, the hosts around them, and the building.

A machine draws neither nothing when it waits nor its rating when it works. GPUs and hosts are
straight lines between idle and busy power; the building multiplies what they draw. Idle and busy
power are arguments: a plan takes them from the catalogue and from calibration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.errors import InvalidScenario

TRUSTED_CAP_FRACTION = 0.6
"""Below this share of a GPU's limit :func:`capped` is too optimistic to plan with."""
_SLACK = 1e-9
"""Share by which a sum may exceed its limit: a rounding error."""


@dataclass(frozen=True, slots=True)
class WeekPower:
    """Power in each hour; hours along the last axis. GPUs, hosts and cooling sum to the facility.

    >>> WeekPower.__slots__[-1]
    'facility_w'
    """

    gpus_w: Any
    """The accelerators [W]."""
    hosts_w: Any
    """Everything else in the hosts: processors, memory, fans, network [W]."""
    it_w: Any
    """GPUs and hosts [W]."""
    cooling_w: Any
    """What the building adds: cooling, and losses on the way [W]."""
    facility_w: Any
    """What the meter shows [W]."""


@dataclass(frozen=True, slots=True)
class CappedPower:
    """What a power cap saves and what it costs.

    >>> CappedPower.__slots__[0]
    'busy_w'
    """

    busy_w: Any
    """Power of a busy GPU under the cap [W]."""
    saved_w: Any
    """What a busy GPU draws less [W]."""
    clock_fraction: Any
    """Clock under the cap over the clock without [fraction]."""
    speed_fraction: Any
    """Work done in a second under the cap over that without [fraction]."""
    energy_fraction: Any
    """Energy of the same work under the cap over that without, the GPU alone [fraction]."""


def load_power_w(idle_w: Any, busy_w: Any, load_fraction: Any) -> Any:
    """Power of a machine that is busy for part of the time.

    .. math:: P = P_{idle} + (P_{busy} - P_{idle}) \\, u

    Parameters
    ----------
    idle_w : float or array [W]
    busy_w : float or array [W]
        At full load; at least ``idle_w``.
    load_fraction : float or array [fraction]
        0 idle, 1 busy all the time.

    Returns
    -------
    float or array [W]

    The line is within a few percent for groups of servers; a single processor's curve bends above
    it at part load.

    Source: X. Fan, W.-D. Weber and L. A. Barroso, "Power provisioning for a warehouse-sized
    computer" (ISCA 2007), section 3.

    >>> float(load_power_w(100.0, 700.0, 0.5))
    400.0
    """
    idle, busy, load = (np.asarray(one, dtype=float) for one in (idle_w, busy_w, load_fraction))
    _require(idle >= 0, "idle_w", idle_w, "0 or more")
    _require(busy >= idle, "busy_w", busy_w, "at least the idle power")
    _require((load >= 0) & (load <= 1 + _SLACK), "load_fraction", load_fraction, "0 to 1")
    return idle + (busy - idle) * load


def week_power_w(
    gpus_in_use: Any,
    load_fraction: Any,
    gpus: Any,
    gpus_per_host: Any,
    hosts: Any,
    gpu_idle_w: Any,
    gpu_busy_w: Any,
    host_idle_w: Any,
    host_full_w: Any,
    pue: Any,
) -> WeekPower:
    """Power of a whole installation in each hour.

    .. math::

        P_{GPUs} &= G \\, P_{idle} + g_h u_h \\, (P_{busy} - P_{idle}) \\\\
        P_{hosts} &= H \\, Q_{idle} + \\frac{g_h u_h}{n} \\, (Q_{full} - Q_{idle}) \\\\
        P_{facility} &= PUE \\, (P_{GPUs} + P_{hosts})

    Every GPU and host that is switched on draws at least its idle power, spare ones included; only
    GPUs in use draw more. As the lines are straight, it does not matter which host they are in.

    Parameters
    ----------
    gpus_in_use : float or array [gpu]
        GPUs whose replicas serve, g, hours along the last axis; at most ``gpus``.
    load_fraction : float or array [fraction]
        How busy those are, u, hours along the last axis.
    gpus : float or array [gpu]
        All that are switched on, G, those that wait and those in spare hosts included. This and
        all that follow broadcast without the hours' axis.
    gpus_per_host : float or array [gpu]
        GPUs that load a host fully when all are busy, n.
    hosts : float or array [1]
        All that are switched on, H, spare ones included.
    gpu_idle_w, gpu_busy_w : float or array [W]
        Of one GPU that waits with a model loaded, and of one that serves at full load.
    host_idle_w, host_full_w : float or array [W]
        Of one host without its GPUs, idle and with all of them busy.
    pue : float or array [1]
        Facility power over IT power.

    Returns
    -------
    WeekPower

    Source: sums of :func:`load_power_w`; PUE as ISO/IEC 30134-2 defines it.

    >>> week = week_power_w([8, 0], [1.0, 0.0], 16, 8, 2, 80.0, 700.0, 1500.0, 2800.0, 1.5)
    >>> [float(w) for w in week.gpus_w], [float(w) for w in week.hosts_w]
    ([6240.0, 1280.0], [4300.0, 3000.0])
    >>> [float(w) for w in week.facility_w]
    [15810.0, 6420.0]
    """
    use, load = np.asarray(gpus_in_use, dtype=float), np.asarray(load_fraction, dtype=float)
    total, each, count, factor, idle, busy, host_idle, host_full = (
        np.asarray(one, dtype=float)[..., None]
        for one in (
            gpus, gpus_per_host, hosts, pue, gpu_idle_w, gpu_busy_w, host_idle_w, host_full_w,
        )
    )  # fmt: skip
    _require(factor >= 1, "pue", pue, "1 or more")
    _require(count >= 0, "hosts", hosts, "0 or more")
    _require(each > 0, "gpus_per_host", gpus_per_host, "more than 0")
    in_range = (use >= 0) & (use <= total * (1 + _SLACK))
    _require(in_range, "gpus_in_use", gpus_in_use, "0 to the number of GPUs")
    gpus_w = (total - use) * idle + use * load_power_w(idle, busy, load)
    busy_hosts = use * load / each
    hosts_w = (count - busy_hosts) * host_idle + busy_hosts * load_power_w(
        host_idle, host_full, 1.0
    )
    gpus_w, hosts_w, factor = np.broadcast_arrays(gpus_w, hosts_w, factor)
    it_w = gpus_w + hosts_w
    cooling_w = it_w * (factor - 1.0)
    return WeekPower(gpus_w, hosts_w, it_w, cooling_w, it_w + cooling_w)


def capped(
    idle_w: Any, busy_w: Any, limit_w: Any, cap_fraction: Any, arithmetic_fraction: Any
) -> CappedPower:
    """What a lower power limit saves, and how much it slows the work.

    Above its idle power a GPU draws about the cube of its clock, as voltage follows the clock.
    Only the time spent on arithmetic follows the clock; the time spent on memory does not.

    .. math::

        c = \\min\\left(1, \\sqrt[3]{\\frac{f P_{limit} - P_{idle}}{P_{busy} - P_{idle}}}\\right),
        \\qquad speed = \\frac{1}{1 - a + a / c}

    Parameters
    ----------
    idle_w : float or array [W]
    busy_w : float or array [W]
        What a busy GPU draws without a cap; well below its limit where it waits for memory, and a
        cap above it changes nothing.
    limit_w : float or array [W]
        The GPU's own limit (TDP).
    cap_fraction : float or array [fraction]
        The cap as a share of that limit, f; it must leave more than idle power.
    arithmetic_fraction : float or array [fraction]
        Share of the busy time bound by arithmetic, a: near 1 for long prompts, near 0 for decoding
        small batches.

    Returns
    -------
    CappedPower

    The law is an assumption. Against published sweeps of the limit it is up to 5 percent
    optimistic for arithmetic at 70 percent of the limit; below ``TRUSTED_CAP_FRACTION`` voltage
    cannot follow any further and real GPUs are much slower than this.

    Source: dynamic power of CMOS, C V^2 f with V in proportion to f (assumed); that caps leave
    decoding alone: Ma et al., arXiv 2605.11999.

    >>> prefill = capped(80.0, 700.0, 700.0, 0.7, 1.0)
    >>> round(float(prefill.saved_w)), round(float(prefill.speed_fraction), 2)
    (210, 0.87)
    >>> float(capped(80.0, 300.0, 700.0, 0.7, 0.1).saved_w)
    0.0
    """
    idle, busy, limit, cap, share = (
        np.asarray(one, dtype=float)
        for one in (idle_w, busy_w, limit_w, cap_fraction, arithmetic_fraction)
    )
    _require(idle >= 0, "idle_w", idle_w, "0 or more")
    _require(busy >= idle, "busy_w", busy_w, "at least the idle power")
    _require((cap > 0) & (cap <= 1), "cap_fraction", cap_fraction, "more than 0 and at most 1")
    _require(cap * limit > idle, "cap_fraction", cap_fraction, "enough to leave more than idle")
    _require((share >= 0) & (share <= 1), "arithmetic_fraction", arithmetic_fraction, "0 to 1")
    under = np.minimum(busy, cap * limit)
    span = busy - idle
    clock = np.cbrt(np.where(span > 0, (under - idle) / np.where(span > 0, span, 1.0), 1.0))
    speed = 1.0 / (1.0 - share + share / clock)
    relative = np.where(busy > 0, under / np.where(busy > 0, busy, 1.0), 1.0)
    return CappedPower(under, busy - under, clock, speed, relative / speed)


def _require(holds: np.ndarray, field: str, value: Any, allowed: str) -> None:
    if not np.all(holds):
        raise InvalidScenario(f"{field}: {value} is not allowed; give {allowed}.")
