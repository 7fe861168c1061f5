"""The answer about the fleet: a frozen record whose fields say unit, term and formula, and what
was found for each workload."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from planner.catalogue import Basis
from planner.placement import Piece
from planner.plan.answers import answer
from planner.scenario import FleetWorkload

SIZES = ("slice", "gpu", "host", "cluster")
"""What digs the hole, smallest first: part of a GPU, one GPU, several in a host, several hosts."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One way to size a workload: what each piece takes, and how many pieces."""

    size: str
    """One of :data:`SIZES`."""
    label: str
    """Such as ``3 slices 2g.20gb`` or ``2 groups of 4 GPUs``."""
    geometry: str
    """Id of the geometry it is cut from."""
    gpu_name: str
    profile: str
    """A profile of the geometry; ``whole`` for GPUs that are not carved."""
    gpus_per_piece: int
    """Whole GPUs of one piece [gpu]; 1 for a slice."""
    pieces: int
    """Replicas, jobs or seats; 0 when no number will do."""
    gpu_equivalents: float
    """Share of GPUs that all pieces take together [gpu]."""
    reason: str = ""
    """Why it will not do; empty when it does."""
    ttft_s: float = float("nan")
    """Of a replica at its share of the peak [s]."""
    tpot_s: float = float("nan")
    """Likewise [s]."""
    hours: float = float("nan")
    """From start to end of a run or job [h]."""
    headroom_fraction: float = float("nan")
    """Share of its capacity that the peak leaves [fraction]."""
    facts: tuple[tuple[str, str], ...] = ()
    """Label and value of what else is known of a job on it."""


@dataclass(frozen=True, slots=True)
class Step:
    """The next tool down or up, and what it would mean."""

    tool: Tool
    words: str
    """What it gives up or brings, as a sentence."""


@dataclass(frozen=True)
class SizedWorkload:
    """What one workload needs, for how long, and why."""

    row: FleetWorkload
    model_name: str
    """Empty for notebooks."""
    tools: tuple[Tool, ...]
    """Every tool that was tried, the fewest GPUs first; those that will not do last."""
    tool: Tool | None
    """The recommended one; None when none will do."""
    smaller: Step | None
    larger: Step | None
    pieces: tuple[Piece, ...]
    queue: str
    """How long its requests may wait, in words."""
    duration: str
    """For how long it needs the hardware, in words."""
    hours_per_week: float
    """In which it holds its hardware [h]."""
    gpu_hours: float
    """Of one run or job [h]; of the others, in a week."""
    facts: tuple[tuple[str, str], ...]
    """Label and value, for people: tokens, memory, wall time, checkpoints."""
    basis: Basis
    reason: str = ""
    """Why it cannot be sized; empty when it can."""

    def to_dict(self) -> dict[str, Any]:
        """The workload as plain data, for JSON.

        Returns
        -------
        dict
        """
        tool = self.tool
        return {
            "name": self.row.name,
            "kind": self.row.shape,
            "team": self.row.team,
            "model": self.model_name or None,
            "tool": tool.label if tool else None,
            "size": tool.size if tool else None,
            "geometry": tool.geometry if tool else None,
            "pieces": len(self.pieces),
            "gpu_equivalents": tool.gpu_equivalents if tool else None,
            "duration": self.duration,
            "hours_per_week": self.hours_per_week,
            "smaller": f"{self.smaller.tool.label}: {self.smaller.words}" if self.smaller else None,
            "larger": f"{self.larger.tool.label}: {self.larger.words}" if self.larger else None,
            "facts": dict(self.facts),
            "basis": self.basis.words,
            "reason": self.reason or None,
        }


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """What fits on the fleet, what is left over, and what it is used for."""

    hosts: float = answer("Hosts", "1", "sum of the groups of hosts", "host")
    gpus: float = answer("GPUs", "gpu", "sum of hosts × GPUs each", "gpu")
    workloads: float = answer("Workloads", "1", "rows of the table that can be sized", "replica")
    pieces: float = answer(
        "Pieces to place",
        "1",
        "sum of replicas, jobs and seats of {fleet.workloads} workloads",
        "replica",
    )
    pieces_placed: float = answer(
        "Pieces placed",
        "1",
        "pieces with a seat within every limit: GPU slots, cores, memory, NVLink, NUMA, power, "
        "licences",
        "placement-policy",
    )
    workloads_placed: float = answer(
        "Workloads placed whole",
        "1",
        "workloads of which every piece of {fleet.pieces} has a seat",
        "placement-policy",
    )
    hosts_used: float = answer(
        "Hosts in use", "1", "hosts with at least one of {fleet.pieces_placed}", "host"
    )
    hosts_reserved: float = answer(
        "Hosts in reserve",
        "1",
        "hosts kept empty so that what serves restarts after the loss of any one host",
        "n-plus-one",
    )
    hosts_free: float = answer(
        "Hosts not needed",
        "1",
        "{fleet.hosts} − {fleet.hosts_used} − {fleet.hosts_reserved}",
        "host",
    )
    gpus_used: float = answer("GPUs in use", "gpu", "GPUs that carry at least one piece", "gpu")
    gpu_equivalents: float = answer(
        "GPUs' worth of work",
        "gpu",
        "sum over pieces of whole GPUs, and of slices' share of a GPU's memory",
        "gpu",
    )
    stranded_bytes: float = answer(
        "Stranded GPU memory",
        "byte",
        "memory of the {fleet.gpus_used} GPUs in use that no profile can take any more",
        "stranded-memory",
    )
    stranded_fraction: float = answer(
        "Stranded share",
        "fraction",
        "{fleet.stranded_bytes} / memory of the {fleet.gpus_used} GPUs in use",
        "stranded-memory",
    )
    free_bytes: float = answer(
        "GPU memory that can still be taken",
        "byte",
        "memory of GPUs in use that some profile can still take, and of empty ones",
        "gpu",
        "Hosts in reserve are not counted.",
    )
    busy_fraction: float = answer(
        "Booked hours",
        "fraction",
        "GPU-hours booked in the calendar / ({fleet.gpus} × hours of the calendar)",
        "utilisation",
        "A booked GPU need not be busy: serving and notebooks hold theirs while they wait.",
    )
    idle_gpu_hours_per_week: float = answer(
        "Idle GPU-hours a week",
        "h",
        "{fleet.gpus} × 168 × (1 − {fleet.busy_fraction})",
        "utilisation",
    )
    idle_usd_per_year: float = answer(
        "What idle GPUs cost a year",
        "USD/year",
        "{fleet.idle_gpu_hours_per_week} × 52 × what an owned GPU-hour costs whether used or not",
        "utilisation",
        "Purchase over its life, and nothing else; energy follows use.",
    )
    licensed_gpus: float = answer(
        "GPUs that carry slices",
        "gpu",
        "GPUs in use that are carved; each needs its licence",
        "core-licence",
    )
    power_w: float = answer(
        "Power in use",
        "W",
        "sum over hosts in use of the host's own power and that of its GPUs in use",
        "it-power",
        "Power limit of each GPU; while it serves it draws less.",
    )
    verdict: str = answer(
        "Verdict",
        "text",
        "all fits when {fleet.pieces_placed} is {fleet.pieces}",
        "placement-policy",
    )
