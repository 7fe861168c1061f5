"""Jobs and people on each kind of GPU: what a fine-tune or a room of notebooks takes there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from planner.catalogue import Accelerator, Architecture, Basis, Catalogue, SliceProfile
from planner.placement import Geometry
from planner.scenario import FleetWorkload
from planner.training import (
    GPU_MTBF_H,
    NotebookUse,
    TrainingMemory,
    TrainingRun,
    checkpoint_bytes,
    isolated_seats,
    training_memory,
    training_method,
    training_run,
    training_speed,
)
from planner.units import GIB

LORA_RANK = 16
MICRO_BATCH = 1
KEPT_CHECKPOINTS = 3
CHECKPOINT_S, RESTART_S = 60.0, 600.0
"""For which a checkpoint stops a job, and from an interruption to the next step [s]; assumed."""
BUSY_FRACTION = 0.1
"""Share of the time that a notebook is open in which its GPU computes [fraction]; assumed."""
DAY_H = 24.0
PRECISION = "bf16"
"""In which fine-tunes compute."""


@dataclass(frozen=True, slots=True)
class JobOffer:
    """One number of GPUs, or one slice, for a training job."""

    profile: SliceProfile
    gpus: int
    memory: TrainingMemory
    """On one of the GPUs."""
    run: TrainingRun
    """Low end of the speed, as predicted, high end along the axis."""
    basis: Basis
    reason: str = ""
    """Why the job will not run there in time; empty when it will."""

    @property
    def hours(self) -> float:
        """Wall time as predicted [h]."""
        return float(np.ravel(self.run.wall_s)[1]) / 3600.0


@lru_cache(maxsize=512)
def training_offers(
    row: FleetWorkload,
    model: Architecture,
    divided: Geometry,
    counts: tuple[int, ...],
    catalogue: Catalogue,
) -> tuple[JobOffer, ...]:
    """Every size of job that one kind of host offers to a fine-tune.

    Parameters
    ----------
    row : FleetWorkload
    model : Architecture
    divided : Geometry
    counts : tuple of int
        Numbers of whole GPUs that may be tried.
    catalogue : Catalogue

    Returns
    -------
    tuple of JobOffer
        Slices first, then rising numbers of GPUs.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.placement import geometry
    >>> c = load_catalogue()
    >>> row = FleetWorkload(name="tune", shape="training", method="qlora")
    >>> found = training_offers(row, c.model("llama-3.1-8b"),
    ...                         geometry(c, "h100-sxm-80gb", "mig"), (1, 2), c)
    >>> [one.profile.name for one in found if not one.reason][0]
    '1g.10gb'
    """
    gpu = catalogue.accelerator(divided.gpu)
    parts = [
        _job(row, model, gpu, profile, 1, catalogue, divided)
        for profile in divided.profiles[:-1]
        if profile.size < divided.slots
    ]
    whole = [_job(row, model, gpu, divided.whole, n, catalogue, divided) for n in counts]
    return (*parts, *whole)


def _job(
    row: FleetWorkload,
    model: Architecture,
    gpu: Accelerator,
    profile: SliceProfile,
    gpus: int,
    catalogue: Catalogue,
    divided: Geometry,
) -> JobOffer:
    method = training_method(catalogue.training_memory, row.method, loss="chunked")
    held = training_memory(
        model,
        method,
        sequence_tokens=row.sequence_tokens,
        micro_batch=MICRO_BATCH,
        gpus=gpus,
        rank=LORA_RANK,
    )
    speed = training_speed(
        model,
        gpu,
        catalogue.weight_precision(PRECISION),
        catalogue.training_efficiencies,
        gpus,
        row.sequence_tokens,
        row.method,
    )
    share = slice_share(profile, divided)
    rates = np.array(
        [
            float(np.ravel(value)[0]) * share
            for value in (
                speed.low_tokens_per_s_per_gpu,
                speed.tokens_per_s_per_gpu,
                speed.high_tokens_per_s_per_gpu,
            )
        ]
    )
    run = training_run(
        row.dataset_tokens,
        row.epochs,
        rates,
        gpus,
        GPU_MTBF_H[1],
        CHECKPOINT_S,
        RESTART_S,
        checkpoint_bytes(model, method, LORA_RANK, resumable=1),
        KEPT_CHECKPOINTS,
    )
    return JobOffer(profile, gpus, held, run, speed.basis, _late_or_large(row, profile, held, run))


def _late_or_large(
    row: FleetWorkload, profile: SliceProfile, held: TrainingMemory, run: TrainingRun
) -> str:
    needed = float(np.ravel(held.total_bytes)[0])
    if needed > profile.memory_bytes:
        has = profile.memory_bytes / GIB
        return f"it needs {needed / GIB:,.0f} GiB on each GPU and has {has:,.0f}"
    days = float(np.ravel(run.wall_s)[1]) / 3600.0 / DAY_H
    if days > row.deadline_days:
        return f"it would take {days:,.1f} days and has {row.deadline_days:g}"
    return ""


def slice_share(profile: SliceProfile, divided: Geometry) -> float:
    """Share of a GPU's speed that a slice has while all others work.

    Parameters
    ----------
    profile : SliceProfile
    divided : Geometry

    Returns
    -------
    float

    >>> from planner.catalogue import load_catalogue
    >>> from planner.placement import geometry
    >>> mig = geometry(load_catalogue(), "h100-sxm-80gb", "mig")
    >>> slice_share(mig.by_name["1g.10gb"], mig)
    0.12121212121212122
    """
    memory = profile.size / divided.slots
    return min(profile.compute_fraction, memory) if profile.kind == "mig" else memory


@lru_cache(maxsize=256)
def seats(people: int, at_work_fraction: float, slice_bytes: float) -> tuple[int, float]:
    """Notebooks that are open at once in 95 of 100 moments, and the share of them that idles.

    Parameters
    ----------
    people : int
    at_work_fraction : float
    slice_bytes : float

    Returns
    -------
    tuple of int and float

    >>> seats(20, 0.35, 10e9)[0]
    11
    """
    use = NotebookUse(people, at_work_fraction, BUSY_FRACTION, slice_bytes)
    plan = isolated_seats(use, slice_bytes, 1)
    return int(plan.seats), float(plan.idle_seat_fraction)
