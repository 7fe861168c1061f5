"""Power of a GPU while a replica holds a batch: how far its work drives it towards its limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.errors import MissingData
from planner.performance import ReplicaSpeed

IDLE_SHARE_FRACTION = 0.14
"""Idle power over the limit where only the limit is known: the middle of the fifteen data-centre
GPUs whose idle power the catalogue has (0.11 to 0.19) [fraction]."""
POWER_TERMS = ("waiting", "memory", "arithmetic", "link", "host")
"""Coefficients of :class:`PowerModel`, in their order."""


@dataclass(frozen=True, slots=True)
class PowerModel:
    """What a second of work in a second does to the power of a GPU, kind by kind.

    >>> PowerModel.__slots__
    ('waiting_fraction', 'memory', 'arithmetic', 'link', 'host')
    """

    waiting_fraction: float
    """Between idle and limit, where a GPU stays while its engine lets it wait [fraction]."""
    memory: float
    """Of streaming weights and cache [1]."""
    arithmetic: float
    """Of arithmetic, that of prompts included [1]."""
    link: float
    """Of collectives among ranks [1]."""
    host: float
    """Of launches, scheduling and sampling [1]."""

    @classmethod
    def of(cls, coefficients: Mapping[str, float]) -> PowerModel:
        """The model that calibrated coefficients describe.

        Parameters
        ----------
        coefficients : mapping of str to float [1]
            By name of ``POWER_TERMS``.

        Returns
        -------
        PowerModel

        Raises :class:`MissingData` when one is missing.
        """
        lacking = [name for name in POWER_TERMS if name not in coefficients]
        if lacking:
            raise MissingData(
                f"The calibration has no energy coefficient for {', '.join(lacking)}; "
                "`make calibrate` fits them again."
            )
        return cls(*(coefficients[name] for name in POWER_TERMS))


@dataclass(frozen=True, slots=True)
class StepWork:
    """Seconds of one token's step by what they ask of the GPU; fields broadcast.

    >>> StepWork(2e-3, 1e-3, 0.0, 1e-3).arithmetic_s
    0.001
    """

    memory_s: Any
    """Streaming weights and cache [s]."""
    arithmetic_s: Any
    """Arithmetic of the token, and of the prompts that share its step [s]."""
    link_s: Any
    """Collectives among ranks [s]."""
    host_s: Any
    """Launches, scheduling, sampling [s]."""


def step_work(speed: ReplicaSpeed) -> StepWork:
    """The step of a replica by what it asks of the GPU.

    Prompts count as arithmetic whole: their launches and collectives are a small part of them.

    .. math:: t_{memory} = t_W + t_{KV}, \\quad t_{arithmetic} = t_C + t_{prompts}

    Parameters
    ----------
    speed : ReplicaSpeed

    Returns
    -------
    StepWork

    Source: the parts of :func:`planner.performance.replica_speed`.

    >>> from planner.performance import StepTime
    >>> step = StepTime(4e-3, 1e-3, 1e-3, 0.0, 2e-3)
    >>> step_work(ReplicaSpeed(8, step, 1e-3, 9e-3, 0.1, 0.2, ())).memory_s
    0.005
    """
    step = speed.step
    return StepWork(
        memory_s=step.weights_s + step.kv_s,
        arithmetic_s=step.compute_s + speed.interference_s,
        link_s=step.interconnect_s,
        host_s=step.overhead_s,
    )


def idle_power_w(limit_w: Any, idle_w: Any) -> Any:
    """Idle power, where unknown a share of the limit.

    .. math:: P_{idle} = 0.14 \\, P_{limit} \\ \\mathrm{where\\ blank}

    Parameters
    ----------
    limit_w : float or array [W]
        Power limit (TDP).
    idle_w : float or array [W]
        Idle power; not-a-number where unknown.

    Returns
    -------
    float or array [W]

    Source: ``data/gpus.csv``, ``idle_w`` over ``tdp_w`` of data-centre GPUs; assumed for others.

    >>> float(idle_power_w(700.0, 83.0)), float(idle_power_w(1000.0, float("nan")))
    (83.0, 140.0)
    """
    idle = np.asarray(idle_w, dtype=float)
    return np.where(np.isnan(idle), IDLE_SHARE_FRACTION * np.asarray(limit_w), idle)


def gpu_power_w(
    work: StepWork,
    model: PowerModel,
    limit_w: Any,
    idle_w: Any,
    step_s: Any,
    log_factor: Any = 0.0,
) -> Any:
    """Mean power of one GPU whose replica makes a token of each request every ``step_s``.

    The more of a step its units are at work, the nearer a GPU comes to its limit; near it the
    clock gives way, so that each kind of work takes a share of the headroom that is left. Time in
    a step that no work explains is spent waiting::

        P_wait = P_idle + c_wait (P_limit - P_idle)
        P      = P_limit - (P_limit - P_wait) exp(-f sum_k c_k t_k / t)

    Parameters
    ----------
    work : StepWork
    model : PowerModel
    limit_w, idle_w : float or array [W]
    step_s : float or array [s]
        Between two tokens of a request, waiting included.
    log_factor : float or array [1]
        Logarithm of f, the GPU's own correction.

    Returns
    -------
    float or array [W]
        Between the waiting power and the limit.

    Source: the shape is ours, and is fitted to ML.ENERGY's measurements; that decoding draws well
    below the limit and prompts draw near it: Patel et al. 2024 (arXiv 2308.12908).

    >>> model = PowerModel(0.1, 1.0, 2.0, 0.3, 0.1)
    >>> round(float(gpu_power_w(StepWork(5e-3, 2e-3, 0.0, 1e-3), model, 700.0, 83.0, 1e-2)))
    476
    """
    limit, idle = np.asarray(limit_w, dtype=float), np.asarray(idle_w, dtype=float)
    waiting = idle + model.waiting_fraction * (limit - idle)
    seconds = (
        model.memory * work.memory_s
        + model.arithmetic * work.arithmetic_s
        + model.link * work.link_s
        + model.host * work.host_s
    )
    return limit - (limit - waiting) * np.exp(-np.exp(log_factor) * seconds / step_s)
