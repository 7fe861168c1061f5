"""Work with an end: batch inference against a deadline, and a training job that may be interrupted.

Both are sized by work over speed, not by waiting. What differs is the queue: a batch run may use
any number of replicas in any free hour, a training job needs all its GPUs at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.training._range import require
from planner.training.checkpoints import (
    HOUR_S,
    daly_interval_s,
    expected_wall_s,
    job_mtbf_s,
)

HOURS_OF_DAY = 24.0
_SLACK = 1e-9
"""Work that exceeds whole replicas by less than this share is a rounding error."""


@dataclass(frozen=True, slots=True)
class WorkloadShape:
    """One of the four ways in which work meets GPUs: what sizes it, how it queues, how long.

    >>> [shape.name for shape in WORKLOAD_SHAPES]
    ['interactive serving', 'batch inference', 'training job', 'notebooks']
    """

    name: str
    sized_by: str
    queue: str
    duration: str


WORKLOAD_SHAPES = (
    WorkloadShape(
        "interactive serving",
        "the percentile of TTFT and TPOT in the busiest hour",
        "requests wait milliseconds to seconds for a batch slot",
        "always on, or in office hours",
    ),
    WorkloadShape(
        "batch inference",
        "tokens over tokens per second within the hours before the deadline",
        "the run waits hours for idle GPUs and takes as many replicas as are free",
        "a window each day until the deadline",
    ),
    WorkloadShape(
        "training job",
        "tokens over tokens per second, with checkpoints and restarts, and its memory",
        "gang-scheduled: all GPUs of the job or none",
        "a campaign of hours to weeks",
    ),
    WorkloadShape(
        "notebooks",
        "people at work at once, at a percentile, and the memory of each",
        "nobody waits for a seat; seats that idle are reclaimed",
        "office hours, mostly idle",
    ),
)
"""What each shape is sized by, its queue and its duration."""


@dataclass(frozen=True, slots=True)
class BatchRun:
    """A batch run that ends in time; fields broadcast.

    ``run_h + slack_h`` is ``available_h``.

    >>> BatchRun.__slots__[2]
    'replicas'
    """

    tokens: Any
    """Prompts and answers of all requests [token]."""
    available_h: Any
    """Hours before the deadline in which it may run [h]."""
    replicas: Any
    """Whole replicas that end in time; infinite when one makes no progress [replica]."""
    run_h: Any
    """Hours that these replicas need [h]."""
    slack_h: Any
    """Hours to spare [h]."""
    one_less_h: Any
    """Hours that would have to be available for one replica less; infinite when there is one
    [h]."""
    gpu_hours: Any
    """Work, the same for any number of replicas [gpu h]."""


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """A training job from its first step to its last checkpoint; fields broadcast.

    ``compute_s + checkpoint_s + lost_s`` is ``wall_s``.

    >>> TrainingRun.__slots__[1]
    'compute_s'
    """

    tokens: Any
    """Tokens that pass through the model, all epochs together [token]."""
    compute_s: Any
    """Time for which the job learns [s]."""
    checkpoint_s: Any
    """Time for which it writes checkpoints [s]."""
    lost_s: Any
    """Expected time for restarts and for repeating what no checkpoint held [s]."""
    wall_s: Any
    """Expected time from start to end, without waiting for GPUs [s]."""
    interval_s: Any
    """Learning between two checkpoints [s]."""
    mtbf_s: Any
    """Mean time between interruptions of the whole job [s]."""
    interruptions: Any
    """Expected interruptions [1]."""
    goodput_fraction: Any
    """Share of the wall time in which it learns [fraction]."""
    gpu_hours: Any
    """All GPUs for all of the wall time [gpu h]."""
    storage_bytes: Any
    """Checkpoints kept at once [byte]."""


def both_tokens_per_s(output_tokens_per_s: Any, input_tokens: Any, output_tokens: Any) -> Any:
    """Prompt and answer tokens per second of a replica whose answer tokens are known.

    .. math:: r = r_{out} (I + O) / O

    Parameters
    ----------
    output_tokens_per_s : float or array [token/s]
        Measured with prompts and answers of these lengths, so that prefill is in it.
    input_tokens, output_tokens : float or array [token]
        Mean prompt and answer.

    Returns
    -------
    float or array [token/s]

    Source: counting; no publication.

    >>> float(both_tokens_per_s(500.0, 3000, 1000))
    2000.0
    """
    require("output_tokens_per_s", output_tokens_per_s, 0.0)
    require("input_tokens", input_tokens, 0.0)
    require("output_tokens", output_tokens, 1.0)
    output = np.asarray(output_tokens, dtype=float)
    return np.asarray(output_tokens_per_s, dtype=float) * (input_tokens + output) / output


def batch_run(
    requests: Any,
    input_tokens: Any,
    output_tokens: Any,
    tokens_per_s: Any,
    hours_per_day: Any = HOURS_OF_DAY,
    days: Any = 1.0,
    gpus_per_replica: Any = 1.0,
) -> BatchRun:
    """Replicas that finish a batch before its deadline.

    .. math:: R = \\Big\\lceil \\frac{N (I + O)}{3600\\, r\\, H} \\Big\\rceil

    Parameters
    ----------
    requests : float or array [request]
    input_tokens, output_tokens : float or array [token]
        Mean prompt and answer.
    tokens_per_s : float or array [token/s]
        Prompt and answer tokens of one replica at its best batch, see :func:`both_tokens_per_s`.
        A range along an axis gives a range of replicas.
    hours_per_day : float or array [h]
        How long it may run each day, such as 8 for a night; at most 24.
    days : float or array [day]
        Days until the deadline; 1 for one window.
    gpus_per_replica : float or array [gpu]

    Returns
    -------
    BatchRun

    Source: counting; no publication. The rule is that of a run which is never empty: it ends when
    its work is done, so no percentile is in it.

    >>> run = batch_run(1e6, 900, 100, 10_000.0, hours_per_day=8)
    >>> float(run.replicas), round(float(run.run_h), 2), round(float(run.one_less_h), 2)
    (4.0, 6.94, 9.26)
    """
    for name, value in (("requests", requests), ("input_tokens", input_tokens)):
        require(name, value, 0.0)
    require("output_tokens", output_tokens, 0.0)
    require("tokens_per_s", tokens_per_s, 0.0)
    require("hours_per_day", hours_per_day, 0.0, HOURS_OF_DAY, above=True)
    require("days", days, 0.0, above=True)
    require("gpus_per_replica", gpus_per_replica, 0.0, above=True)
    tokens = np.asarray(requests, dtype=float) * (np.asarray(input_tokens) + output_tokens)
    available = np.asarray(hours_per_day, dtype=float) * days
    one_h = _over(tokens, np.asarray(tokens_per_s, dtype=float) * HOUR_S)
    replicas = np.ceil(one_h / available * (1.0 - _SLACK))
    finite = np.isfinite(replicas)
    known, count = np.where(finite, one_h, 0.0), np.where(finite, replicas, 1.0)
    run = np.where(finite, _over(known, count), np.inf)
    one_less = np.where(finite, _over(known, np.maximum(count - 1.0, 0.0)), np.inf)
    return BatchRun(
        tokens=tokens,
        available_h=available,
        replicas=replicas,
        run_h=run,
        slack_h=available - run,
        one_less_h=one_less,
        gpu_hours=one_h * gpus_per_replica,
    )


def training_run(
    dataset_tokens: Any,
    epochs: Any,
    tokens_per_s_per_gpu: Any,
    gpus: Any,
    gpu_mtbf_h: Any,
    checkpoint_s: Any,
    restart_s: Any,
    checkpoint_bytes: Any = 0.0,
    checkpoints_kept: Any = 1.0,
) -> TrainingRun:
    """A training or fine-tuning job: GPU-hours, wall time, and what interruptions take.

    .. math:: T_s = \\frac{D\\, E}{G\\, r}, \\qquad H = G\\, T_w / 3600

    Checkpoints are written every :func:`daly_interval_s`, and once at the end. The job is
    gang-scheduled: it waits until all its GPUs are free, and that wait is the calendar's.

    Parameters
    ----------
    dataset_tokens : float or array [token]
    epochs : float or array [1]
    tokens_per_s_per_gpu : float or array [token/s]
        Low, nominal and high along an axis give ranges of every result.
    gpus : float or array [gpu]
    gpu_mtbf_h : float or array [h]
        Such as ``GPU_MTBF_H``; infinite to leave interruptions out.
    checkpoint_s : float or array [s]
        Time for which one checkpoint stops the job; with asynchronous writing only its copy.
    restart_s : float or array [s]
        From an interruption to the first new step.
    checkpoint_bytes : float or array [byte]
        Of one checkpoint.
    checkpoints_kept : float or array [1]
        Add one where the oldest is deleted only after the newest is complete.

    Returns
    -------
    TrainingRun

    Source: J. T. Daly (2006), see :func:`expected_wall_s`; else counting.

    >>> from planner.training.checkpoints import GPU_MTBF_H
    >>> run = training_run(1e9, 3, 5000.0, 8, GPU_MTBF_H[1], 60.0, 600.0, 48e9, 3)
    >>> round(float(run.wall_s) / 3600, 2), round(float(run.gpu_hours)), float(run.storage_bytes)
    (20.88, 167, 144000000000.0)
    """
    for name, value in (("dataset_tokens", dataset_tokens), ("epochs", epochs)):
        require(name, value, 0.0)
    require("tokens_per_s_per_gpu", tokens_per_s_per_gpu, 0.0, above=True)
    for name, value in (("checkpoint_bytes", checkpoint_bytes), ("restart_s", restart_s)):
        require(name, value, 0.0)
    require("checkpoints_kept", checkpoints_kept, 0.0)
    mtbf = job_mtbf_s(gpu_mtbf_h, gpus)
    fleet, short = np.asarray(gpus, dtype=float), np.asarray(checkpoint_s, dtype=float)
    tokens = np.asarray(dataset_tokens, dtype=float) * epochs
    solve = tokens / (fleet * tokens_per_s_per_gpu)
    some = solve > 0
    interval = np.minimum(daly_interval_s(short, mtbf), np.where(some, solve, 1.0))
    wall = expected_wall_s(solve, interval, short, restart_s, mtbf)
    writing = solve / interval * short
    return TrainingRun(
        tokens=tokens,
        compute_s=solve,
        checkpoint_s=writing,
        lost_s=np.maximum(wall - solve - writing, 0.0),
        wall_s=wall,
        interval_s=np.where(some, interval, 0.0),
        mtbf_s=mtbf,
        interruptions=wall / mtbf,
        goodput_fraction=np.where(some, solve / np.where(some, wall, 1.0), 1.0),
        gpu_hours=fleet * wall / HOUR_S,
        storage_bytes=np.asarray(checkpoint_bytes, dtype=float) * checkpoints_kept,
    )


def _over(work: Any, rate: Any) -> np.ndarray:
    """Work over rate: nothing takes no time, and no rate takes for ever."""
    work, rate = np.broadcast_arrays(np.asarray(work, dtype=float), np.asarray(rate, dtype=float))
    return np.where(rate > 0, work / np.where(rate > 0, rate, 1.0), np.where(work > 0, np.inf, 0.0))
