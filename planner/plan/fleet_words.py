"""What the tools of a fleet mean, in words: for how long, what waits, what another size brings."""

from __future__ import annotations

import math

import numpy as np

from planner.plan.fleet_jobs import (
    KEPT_CHECKPOINTS,
    LORA_RANK,
    MICRO_BATCH,
    JobOffer,
    seats,
)
from planner.plan.fleet_records import Step, Tool
from planner.scenario import FleetWorkload
from planner.training import WORKLOAD_SHAPES
from planner.units import GIB, format_gib, format_number, format_seconds, plural

HOURS = {"always": 168.0, "office hours": 60.0, "nights": 84.0, "campaign": 168.0}
"""Hours of a week in which the hardware is held [h]."""
DAY_H = 24.0
WHEN = {
    "always": "always",
    "office hours": "working days, 7 to 19",
    "nights": "nights, 19 to 7",
    "campaign": "{days} days from day {start_day}",
}
MEMORY_PARTS = {
    "weights": "weights",
    "gradients": "gradients",
    "optimizer": "optimiser",
    "adapters": "adapters",
    "activations": "activations",
    "logits": "logits",
    "gathered": "gathered layers",
    "overhead": "allocator",
    "runtime": "runtime",
}
"""What the parts of a training job's memory are called."""
_QUEUES = dict(zip(("serving", "batch", "training", "notebooks"), WORKLOAD_SHAPES, strict=True))


def duration_of(row: FleetWorkload, tool: Tool) -> tuple[float, str, str]:
    """For how long a workload holds its hardware, and what waits meanwhile.

    Parameters
    ----------
    row : FleetWorkload
    tool : Tool

    Returns
    -------
    tuple of float, str and str
        Hours of a week, the duration in words, the queue in words.

    >>> one = Tool("gpu", "1 GPU", "x/whole", "X", "whole", 1, 1, 1.0)
    >>> duration_of(FleetWorkload(name="chat", when="office hours"), one)[:2]
    (60.0, 'working days, 7 to 19')
    """
    words = WHEN[row.when].format(days=row.days, start_day=row.start_day)
    queue = _QUEUES[row.shape].queue
    if row.shape == "batch" and math.isfinite(tool.hours):
        days, period = 5.0 if row.when == "office hours" else 7.0, run_period_days(row)
        how_often = "a day" if period == 1 else f"every {period} days"
        return tool.hours * days / period, f"{format_hours(tool.hours)} {how_often}, {words}", queue
    if row.shape == "training" and math.isfinite(tool.hours):
        return min(tool.hours, 168.0), f"{format_hours(tool.hours)} once, {words}", queue
    return HOURS[row.when], words, queue


def run_period_days(row: FleetWorkload) -> int:
    """Days from one run of a batch to the next: a run has ended before the next one starts.

    Parameters
    ----------
    row : FleetWorkload

    Returns
    -------
    int

    >>> [run_period_days(FleetWorkload(name="b", window_h=h)) for h in (8.0, 24.0, 60.0)]
    [1, 1, 3]
    """
    return max(math.ceil(row.window_h / DAY_H), 1)


def format_hours(hours: float) -> str:
    """Hours as people read them.

    Parameters
    ----------
    hours : float

    Returns
    -------
    str

    >>> format_hours(0.2), format_hours(7.25), format_hours(100.0)
    ('12 min', '7.25 h', '4.2 days')
    """
    if hours < 1.0:
        return f"{max(hours * 60.0, 1.0):.0f} min"
    return f"{format_number(hours)} h" if hours < 48.0 else f"{hours / 24.0:.1f} days"


def facts_of(row: FleetWorkload, tool: Tool) -> tuple[tuple[str, str], ...]:
    """What there is to know of a workload on its tool.

    Parameters
    ----------
    row : FleetWorkload
    tool : Tool

    Returns
    -------
    tuple of label and value

    >>> one = Tool("gpu", "1 GPU", "x/whole", "X", "whole", 1, 1, 1.0, tpot_s=0.02)
    >>> dict(facts_of(FleetWorkload(name="chat"), one))["Each token in"]
    '20 ms'
    """
    facts: list[tuple[str, str]] = []
    if row.shape == "notebooks":
        count, idle = seats(row.people, row.at_work_fraction, row.slice_gib * GIB)
        facts += [
            ("Open at once", f"{count:,} of {row.people:,}"),
            ("Idle while open", f"{idle:.0%} (assumed)"),
        ]
    if math.isfinite(tool.ttft_s):
        facts.append(("First token in", format_seconds(tool.ttft_s)))
    if math.isfinite(tool.tpot_s):
        facts.append(("Each token in", format_seconds(tool.tpot_s)))
    if math.isfinite(tool.hours):
        facts.append(("From start to end", format_hours(tool.hours)))
    if math.isfinite(tool.headroom_fraction):
        facts.append(("Left at the peak", f"{tool.headroom_fraction:.0%}"))
    return (*facts, *tool.facts)


def job_facts(job: JobOffer, gpu_share: float) -> tuple[tuple[str, str], ...]:
    """What a training job holds, takes and leaves behind.

    Parameters
    ----------
    job : JobOffer
    gpu_share : float
        Of one GPU, that its slice takes; 1 for whole GPUs.

    Returns
    -------
    tuple of label and value

    >>> from planner.catalogue import load_catalogue
    >>> from planner.placement import geometry
    >>> from planner.plan.fleet_jobs import training_offers
    >>> c = load_catalogue()
    >>> row = FleetWorkload(name="tune", shape="training")
    >>> one = training_offers(row, c.model("llama-3.1-8b"), geometry(c, "h100", "whole"), (1,), c)
    >>> [label for label, _ in job_facts(one[0], 1.0)]
    ['Memory on each GPU', 'of it', 'GPU-hours', 'Checkpoints', 'Assumed']
    """
    held, run = job.memory, job.run
    parts = sorted(
        (
            (float(np.ravel(getattr(held, f"{name}_bytes"))[0]), words)
            for name, words in MEMORY_PARTS.items()
        ),
        reverse=True,
    )
    low, total, high = (
        float(np.ravel(value)[0]) for value in (held.low_bytes, held.total_bytes, held.high_bytes)
    )
    slow, hours, fast = (gpu_share * float(value) for value in np.ravel(run.gpu_hours)[:3])
    each = float(np.ravel(run.storage_bytes)[0]) / KEPT_CHECKPOINTS
    return (
        ("Memory on each GPU", f"{format_gib(total)} ({low / GIB:.0f} to {high / GIB:.0f})"),
        ("of it", ", ".join(f"{words} {format_gib(size)}" for size, words in parts[:3])),
        (
            "GPU-hours",
            f"{format_number(hours)} ({format_number(fast)} to {format_number(slow)})",
        ),
        ("Checkpoints", f"{KEPT_CHECKPOINTS} kept of {format_gib(each)}"),
        (
            "Assumed",
            f"adapters of rank {LORA_RANK}, BF16, {plural(MICRO_BATCH, 'sequence')} on a GPU "
            "at once",
        ),
    )


def steps_of(
    tool: Tool, tools: tuple[Tool, ...], row: FleetWorkload
) -> tuple[Step | None, Step | None]:
    """The next tool down and up from the recommended one, and what each would mean.

    Parameters
    ----------
    tool : Tool
    tools : tuple of Tool
    row : FleetWorkload

    Returns
    -------
    tuple of Step or None

    >>> one = Tool("gpu", "1 GPU", "x/whole", "X", "whole", 1, 1, 1.0, tpot_s=0.02)
    >>> two = Tool("host", "2 GPUs as one", "x/whole", "X", "whole", 2, 1, 2.0, tpot_s=0.012)
    >>> steps_of(one, (one, two), FleetWorkload(name="chat"))[1].words
    'twice the GPUs; each token in 12 ms instead of 20 ms'
    """
    size = _unit(tool)
    others = [one for one in tools if one is not tool and one.geometry == tool.geometry]
    below = [one for one in others if _unit(one) < size - 1e-9]
    above = [one for one in others if _unit(one) > size + 1e-9]
    smaller = max(below, key=lambda one: (_unit(one), not one.reason), default=None)
    larger = min(above, key=lambda one: (_unit(one), bool(one.reason)), default=None)
    return (
        Step(smaller, _meaning(tool, smaller)) if smaller else None,
        Step(larger, _meaning(tool, larger)) if larger else None,
    )


def _unit(tool: Tool) -> float:
    """GPUs of one piece."""
    if tool.profile == "whole":
        return float(tool.gpus_per_piece)
    return tool.gpu_equivalents / max(tool.pieces, 1)


def _meaning(tool: Tool, other: Tool) -> str:
    if other.reason:
        return f"will not do: {other.reason}"
    times = other.gpu_equivalents / tool.gpu_equivalents
    words = [_times(times)]
    for name, label in (("tpot_s", "each token"), ("ttft_s", "the first token")):
        mine, its = getattr(tool, name), getattr(other, name)
        if math.isfinite(mine) and math.isfinite(its) and abs(its / mine - 1.0) > 0.05:
            words.append(f"{label} in {format_seconds(its)} instead of {format_seconds(mine)}")
            break
    if math.isfinite(tool.hours) and math.isfinite(other.hours):
        words.append(f"done in {format_hours(other.hours)} instead of {format_hours(tool.hours)}")
    if other.pieces != tool.pieces:
        words.append(f"{other.pieces:,} pieces instead of {tool.pieces:,}")
    if other.profile == "whole" and tool.profile != "whole":
        words.append("nobody else on the GPU")
    return "; ".join(words)


def _times(times: float) -> str:
    if abs(times - 1.0) < 0.02:
        return "as many GPUs in all"
    if abs(times - 2.0) < 0.02:
        return "twice the GPUs"
    return f"{format_number(times, 2)} times the GPUs"
