"""Interruptions of a training job, and how often to write checkpoints against them."""

from __future__ import annotations

from typing import Any

import numpy as np

from planner.training._range import require

HOUR_S = 3600.0
GPU_MTBF_H = (8 * 24_000 / 6.50, 16_384 * 54 * 24 / 419, 8 * 24_000 / 2.34)
"""Hours that one GPU of a large job runs between interruptions of the job, low to high [h]:
6.50 and 2.34 failures in 1,000 days of a host with eight A100 (Kokolis et al., arXiv:2410.21680),
and between them 419 unexpected interruptions in 54 days of 16,384 H100 (Llama 3,
arXiv:2407.21783). The first paper measured jobs of 1,024 GPUs to stop nearly four times as often
as its rate says (every 7.9 h), so for smaller jobs these are optimistic."""


def job_mtbf_s(gpu_mtbf_h: Any, gpus: Any) -> Any:
    """Mean time between interruptions of a job that stops when any of its GPUs does.

    .. math:: M = 3600\\, m / G

    Parameters
    ----------
    gpu_mtbf_h : float or array [h]
        Of one GPU with its share of host and network, such as ``GPU_MTBF_H``.
    gpus : float or array [gpu]

    Returns
    -------
    float or array [s]

    Source: A. Kokolis et al., "Revisiting Reliability in Large-Scale Machine Learning Research
    Clusters" (2024), arXiv:2410.21680: the mean time to failure falls as one over the size.

    >>> round(float(job_mtbf_s(GPU_MTBF_H[1], 1024)) / 3600, 1)
    49.5
    """
    require("gpu_mtbf_h", gpu_mtbf_h, 0.0, above=True, endless=True)
    require("gpus", gpus, 0.0, above=True)
    return np.asarray(gpu_mtbf_h, dtype=float) * HOUR_S / np.asarray(gpus, dtype=float)


def young_interval_s(checkpoint_s: Any, mtbf_s: Any) -> Any:
    """Learning between two checkpoints that loses least time, to first order.

    .. math:: \\tau = \\sqrt{2 \\delta M}

    Good while a checkpoint is short beside the time between interruptions.

    Parameters
    ----------
    checkpoint_s : float or array [s]
        Time ``delta`` for which one checkpoint stops the job.
    mtbf_s : float or array [s]
        ``M`` of the whole job.

    Returns
    -------
    float or array [s]

    Source: J. W. Young, "A first order approximation to the optimum checkpoint interval",
    Communications of the ACM 17 (1974), p. 530.

    >>> float(young_interval_s(300.0, 24 * 3600.0)) / 60
    120.0
    """
    require("checkpoint_s", checkpoint_s, 0.0, above=True)
    require("mtbf_s", mtbf_s, 0.0, above=True, endless=True)
    return np.sqrt(2.0 * np.asarray(checkpoint_s, dtype=float) * np.asarray(mtbf_s, dtype=float))


def daly_interval_s(checkpoint_s: Any, mtbf_s: Any) -> Any:
    """Learning between two checkpoints that loses least time, also when interruptions are many.

    .. math:: \\tau = \\sqrt{2 \\delta M} \\Big( 1 + \\tfrac13 \\sqrt{\\tfrac{\\delta}{2M}}
              + \\tfrac19 \\tfrac{\\delta}{2M} \\Big) - \\delta \\quad (\\delta < 2M),
              \\qquad \\tau = M \\text{ otherwise}

    Parameters
    ----------
    checkpoint_s : float or array [s]
        Time ``delta`` for which one checkpoint stops the job.
    mtbf_s : float or array [s]
        ``M`` of the whole job.

    Returns
    -------
    float or array [s]

    Source: J. T. Daly, "A higher order estimate of the optimum checkpoint interval for restart
    dumps", Future Generation Computer Systems 22 (2006), p. 303.

    >>> round(float(daly_interval_s(300.0, 24 * 3600.0)) / 60)
    117
    """
    first = young_interval_s(checkpoint_s, mtbf_s)
    short, mtbf = np.asarray(checkpoint_s, dtype=float), np.asarray(mtbf_s, dtype=float)
    share = short / (2.0 * mtbf)
    higher = first * (1.0 + np.sqrt(share) / 3.0 + share / 9.0) - short
    return np.where(share < 1.0, higher, mtbf)


def expected_wall_s(
    compute_s: Any, interval_s: Any, checkpoint_s: Any, restart_s: Any, mtbf_s: Any
) -> Any:
    """Expected time of a job that is interrupted at random and goes on from its last checkpoint.

    .. math:: T_w = M e^{R/M} \\big( e^{(\\tau + \\delta)/M} - 1 \\big) \\frac{T_s}{\\tau}

    Interruptions are a Poisson process and may strike during checkpoints and restarts too.
    Waiting for a replacement host is part of the restart.

    Parameters
    ----------
    compute_s : float or array [s]
        ``T_s``: time for which the job learns.
    interval_s : float or array [s]
        ``tau``: learning between two checkpoints.
    checkpoint_s : float or array [s]
        ``delta``: time for which one checkpoint stops the job.
    restart_s : float or array [s]
        ``R``: from an interruption to the first new step.
    mtbf_s : float or array [s]
        ``M`` of the whole job; infinite without interruptions.

    Returns
    -------
    float or array [s]
        Infinite when a checkpoint is practically never reached.

    Source: J. T. Daly, "A higher order estimate of the optimum checkpoint interval for restart
    dumps", Future Generation Computer Systems 22 (2006), p. 303: the complete cost
    function.

    >>> round(float(expected_wall_s(1.8e6, 7020.0, 300.0, 600.0, 86400.0)) / 1.8e6, 3)
    1.096
    """
    for name, value in (("compute_s", compute_s), ("restart_s", restart_s)):
        require(name, value, 0.0)
    require("interval_s", interval_s, 0.0, above=True)
    require("checkpoint_s", checkpoint_s, 0.0)
    require("mtbf_s", mtbf_s, 0.0, above=True, endless=True)
    solve, mtbf = np.asarray(compute_s, dtype=float), np.asarray(mtbf_s, dtype=float)
    stretch = np.asarray(interval_s, dtype=float) + checkpoint_s
    endless = ~np.isfinite(mtbf)
    known = np.where(endless, 1.0, mtbf)
    with np.errstate(over="ignore"):
        each = known * np.exp(np.asarray(restart_s) / known) * np.expm1(stretch / known)
        each = np.where(endless, stretch, each)
        return np.where(solve > 0, each * (np.where(solve > 0, solve, 1.0) / interval_s), 0.0)
