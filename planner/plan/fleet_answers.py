"""The answers about a fleet, from what was placed and booked."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from planner.catalogue import host_kind_for
from planner.plan.fleet_records import FleetPlan
from planner.plan.price_list import price_list
from planner.units import plural

if TYPE_CHECKING:
    from planner.plan.portfolio import Portfolio

WEEK_H, WEEKS_PER_YEAR, HOURS_PER_YEAR = 168.0, 52.0, 8760.0


def fleet_answers(found: Portfolio) -> FleetPlan:
    """What fits, what is left over, and what it is used for.

    Parameters
    ----------
    found : Portfolio

    Returns
    -------
    FleetPlan
    """
    fleet, placed = found.fleet, found.placement
    sized = [one for one in found.workloads if not one.reason]
    unplaced = {placed.pieces[i].workload for i in placed.unplaced}
    night = found.night
    if night is not None:
        unplaced |= {night.pieces[i].workload for i in night.unplaced}
    pieces = [piece for one in sized for piece in one.pieces]
    lost = len({placed.pieces[i].id for i in placed.unplaced}) + (
        len({night.pieces[i].id for i in night.unplaced} - {p.id for p in placed.pieces})
        if night is not None
        else 0
    )
    used = [(h, g) for h, gpus in enumerate(found.taken) for g, one in enumerate(gpus) if one]
    memory = sum(fleet.hosts[h].geometry.whole.memory_bytes for h, _ in used)
    stranded = float(sum(values.sum() for values in found.stranded))
    calendar = found.calendar
    busy = 1.0 - calendar.idle_fraction
    idle_h = fleet.gpus * WEEK_H * (1.0 - busy)
    hosts_used = len(placed.hosts_used)
    return FleetPlan(
        hosts=float(len(fleet.hosts)),
        gpus=float(fleet.gpus),
        workloads=float(len(sized)),
        pieces=float(len(pieces)),
        pieces_placed=float(len(pieces) - lost),
        workloads_placed=float(sum(one.row.name not in unplaced for one in sized)),
        hosts_used=float(hosts_used),
        hosts_reserved=float(len(found.reserved)),
        hosts_free=float(len(fleet.hosts) - hosts_used - len(found.reserved)),
        gpus_used=float(len(used)),
        gpu_equivalents=float(sum(one.tool.gpu_equivalents for one in sized)),
        stranded_bytes=stranded,
        stranded_fraction=stranded / memory if memory else 0.0,
        free_bytes=_free_bytes(found, stranded),
        busy_fraction=busy,
        idle_gpu_hours_per_week=idle_h,
        idle_usd_per_year=idle_h * WEEKS_PER_YEAR * _usd_per_gpu_hour(found),
        licensed_gpus=float(sum(_carved(found, h, g) for h, g in used)),
        power_w=float(
            sum(fleet.hosts[h].base_w for h in placed.hosts_used)
            + sum(found.catalogue.accelerator(fleet.hosts[h].geometry.gpu).power_w for h, _ in used)
        ),
        verdict=_verdict(found, len(pieces), lost),
    )


def _free_bytes(found: Portfolio, stranded: float) -> float:
    """What is neither taken, stranded nor on a host in reserve."""
    total = 0.0
    for h, host in enumerate(found.fleet.hosts):
        if h in found.reserved:
            continue
        total += host.gpus * host.geometry.whole.memory_bytes
        for gpu in found.taken[h]:
            total -= sum(host.geometry.by_name[profile].memory_bytes for profile, _, _ in gpu)
    return max(total - stranded, 0.0)


def _carved(found: Portfolio, host: int, gpu: int) -> bool:
    return any(profile != "whole" for profile, _, _ in found.taken[host][gpu])


def _usd_per_gpu_hour(found: Portfolio) -> float:
    """Purchase of the hosts over their life, for each hour of each GPU; unknown where one of the
    prices is."""
    life_h = found.scenario.finance.life_years * HOURS_PER_YEAR
    paid = 0.0
    for host in found.fleet.hosts:
        kind = host_kind_for(
            found.catalogue.accelerator(host.geometry.gpu), found.catalogue.host_kinds
        )
        paid += host.gpus * _price(found, f"gpu/{host.geometry.gpu}")
        paid += _price(found, f"host/{kind.id}")
    return paid / (found.fleet.gpus * life_h) if found.fleet.gpus else math.nan


def _price(found: Portfolio, name: str) -> float:
    quoted = found.scenario.finance.quoted
    if name in quoted:
        return quoted[name]
    price = price_list(found.catalogue).get(name)
    return price.value if price is not None else math.nan


def _verdict(found: Portfolio, pieces: int, lost: int) -> str:
    unsized = [one.row.name for one in found.workloads if one.reason]
    if unsized:
        return f"{plural(len(unsized), 'workload')} cannot be sized: {', '.join(unsized)}"
    if lost:
        return f"{lost:,} of {pieces:,} pieces find no place"
    if found.scenario.portfolio.n_plus_one and not found.survives:
        return "All fits, but not after the loss of a host"
    return "All fits"
