"""Workloads as pieces to place, and as bookings of the calendar."""

from __future__ import annotations

import math
from collections.abc import Iterator

from planner.placement import Ask, Booking, Fleet, Piece
from planner.plan.fleet_records import SizedWorkload, Tool
from planner.plan.fleet_words import run_period_days
from planner.scenario import FleetWorkload
from planner.units import GIB

CORES_PER_GPU = 12.0
MEMORY_PER_GPU_BYTE = 1.5
LEAST_CORES, LEAST_MEMORY_BYTES = 2.0, 16.0 * GIB
"""Rule of thumb where a row gives no cores or memory: for each GPU, and for each byte of GPU
memory; assumed."""
PRIORITY = {"high": 2, "normal": 1, "low": 0}
SHIFTS = ("day", "night")
DAY_START_H, NIGHT_START_H, DAY_H = 7, 19, 24


def shift_of(row: FleetWorkload) -> tuple[str, ...]:
    """The shifts in which a workload holds its hardware.

    Parameters
    ----------
    row : FleetWorkload

    Returns
    -------
    tuple of str
        Some of :data:`SHIFTS`.

    >>> shift_of(FleetWorkload(name="n", when="nights")), shift_of(FleetWorkload(name="a"))
    (('night',), ('day', 'night'))
    """
    return {"office hours": ("day",), "nights": ("night",)}.get(row.when, SHIFTS)


def pieces_of(workload: SizedWorkload, others: frozenset[str], fleet: Fleet) -> tuple[Piece, ...]:
    """The replicas, jobs or seats of a sized workload.

    Parameters
    ----------
    workload : SizedWorkload
    others : frozenset of str
        Names of the other workloads, which one that wants a host of its own avoids.
    fleet : Fleet

    Returns
    -------
    tuple of Piece
    """
    tool, row = workload.tool, workload.row
    if tool is None:
        return ()
    asks = tuple(_asks(tool, fleet))
    share = tool.gpu_equivalents / max(tool.pieces, 1)
    memory = tool.gpus_per_piece * _memory_bytes(tool, fleet)
    cores = row.cpu_cores or max(CORES_PER_GPU * share, LEAST_CORES)
    return tuple(
        Piece(
            id=f"{row.name}/{n + 1}",
            workload=row.name,
            asks=asks,
            cpu_cores=cores,
            memory_bytes=row.memory_gib * GIB
            or max(MEMORY_PER_GPU_BYTE * memory, LEAST_MEMORY_BYTES),
            numa=True,
            apart=row.replicas_apart and tool.pieces > 1,
            avoids=others if row.isolation == "own host" else frozenset(),
            restarts=row.shape == "serving",
        )
        for n in range(tool.pieces)
    )


def _asks(tool: Tool, fleet: Fleet) -> Iterator[Ask]:
    """The recommended slice; whole GPUs are had from every host of that kind of GPU."""
    gpu = fleet.geometries[tool.geometry].gpu
    for name, divided in fleet.geometries.items():
        if name == tool.geometry or (tool.profile == "whole" and divided.gpu == gpu):
            yield Ask(name, tool.profile, tool.gpus_per_piece)


def _memory_bytes(tool: Tool, fleet: Fleet) -> float:
    return fleet.geometries[tool.geometry].by_name[tool.profile].memory_bytes


def bookings_of(workload: SizedWorkload, weeks: int) -> Iterator[Booking]:
    """A sized workload's claims on the calendar: one, or for batch one for each run.

    Parameters
    ----------
    workload : SizedWorkload
    weeks : int

    Returns
    -------
    iterator of Booking
    """
    tool, row = workload.tool, workload.row
    if tool is None or tool.gpu_equivalents <= 0:
        return
    days = (float(row.start_day), float(row.start_day + row.days))
    if row.when != "campaign":
        days = (0.0, 7.0 * weeks)
    if days[0] >= 7.0 * weeks:
        return
    shared = {
        "workload": row.name,
        "gpus": tool.gpu_equivalents,
        "priority": PRIORITY[row.priority],
    }
    if row.shape == "batch":
        yield from _daily_runs(workload, shared, days, weeks)
    elif row.shape == "training":
        # Below its quota a job is safe; without one it is stopped only if its priority is low.
        stopped = row.priority == "low" or bool(row.quota_gpus)
        yield Booking(
            **shared,
            kind=_kind(row),
            gpu_hours=tool.gpu_equivalents * tool.hours,
            gang=True,
            preemptible=stopped,
            quota_gpus=row.quota_gpus or math.inf,
            start_day=days[0],
            deadline_h=DAY_H * (days[0] + row.deadline_days),
            first_hour=NIGHT_START_H,
            last_hour=DAY_START_H,
        )
    else:
        kind = "campaign" if row.when == "campaign" else _kind(row)
        yield Booking(
            **shared,
            kind=kind,
            start_day=days[0],
            end_day=days[1],
            first_hour=NIGHT_START_H,
            last_hour=DAY_START_H,
        )


def _kind(row: FleetWorkload) -> str:
    return {"office hours": "office hours", "nights": "window"}.get(row.when, "steady")


def _daily_runs(
    workload: SizedWorkload, shared: dict, days: tuple[float, float], weeks: int
) -> Iterator[Booking]:
    tool, row = workload.tool, workload.row
    opens = {"nights": NIGHT_START_H, "office hours": DAY_START_H}.get(row.when, 0)
    for day in range(int(days[0]), int(min(days[1], 7 * weeks)), run_period_days(row)):
        if row.when == "office hours" and day % 7 >= 5:
            continue
        start = day + opens / DAY_H
        if start * DAY_H + row.window_h > 7.0 * weeks * DAY_H:
            return  # its deadline is beyond the calendar
        yield Booking(
            **shared,
            gpu_hours=tool.gpu_equivalents * tool.hours,
            step_gpus=tool.gpu_equivalents / max(tool.pieces, 1),
            preemptible=row.priority == "low",
            start_day=start,
            deadline_h=start * DAY_H + row.window_h,
        )
