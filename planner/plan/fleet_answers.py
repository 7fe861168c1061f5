"""The answers about a fleet, from what was placed and booked."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from planner.catalogue import Basis, Price, host_kind_for, weakest
from planner.errors import MissingData
from planner.plan.fleet_records import FleetPlan
from planner.plan.price_list import price_book
from planner.units import plural

if TYPE_CHECKING:
    from planner.plan.portfolio import Portfolio

ENTERED = ("hosts", "gpus")
"""Answers that count what the tables say."""
SIZED = (
    "workloads",
    "pieces",
    "gpu_equivalents",
    "busy_fraction",
    "idle_gpu_hours_per_week",
)
"""Answers that follow from sizes, wherever the pieces sit."""
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
    if not found.fleet.gpus:
        return math.nan
    life_h = found.scenario.finance.life_years * HOURS_PER_YEAR
    try:
        paid = sum(count * price.value for count, price in _purchases(found))
    except MissingData:
        return math.nan
    return paid / (found.fleet.gpus * life_h)


def _purchases(found: Portfolio) -> Iterator[tuple[int, Price]]:
    """What the hosts are made of and the price of each, the scenario's own quotes among them."""
    book = price_book(found.scenario, found.catalogue, draws=1)
    for (gpu, gpus), hosts in Counter((h.geometry.gpu, h.gpus) for h in found.fleet.hosts).items():
        kind = host_kind_for(found.catalogue.accelerator(gpu), found.catalogue.host_kinds)
        yield hosts * gpus, book.price(f"gpu/{gpu}")
        yield hosts, book.price(f"host/{kind.id}")


def fleet_bases(found: Portfolio) -> dict[str, Basis]:
    """How sure we are of each answer.

    Counts of what was entered are derived. What is sized is as sure as the weakest size. Where it
    sits rests besides on assumed shares of cores and memory, and what idles costs, on prices.

    Parameters
    ----------
    found : Portfolio

    Returns
    -------
    dict
        By dotted path.
    """
    sizes = weakest(Basis.DERIVED, *(one.basis for one in found.workloads))
    try:
        prices = weakest(*(price.source.basis for _, price in _purchases(found)))
    except MissingData:
        prices = Basis.ASSUMED
    of = dict.fromkeys(ENTERED, Basis.DERIVED) | dict.fromkeys(SIZED, sizes)
    of["idle_usd_per_year"] = weakest(sizes, prices)
    return {f"fleet.{name}": of.get(name, Basis.ASSUMED) for name in FleetPlan.__dataclass_fields__}


def _verdict(found: Portfolio, pieces: int, lost: int) -> str:
    unsized = [one.row.name for one in found.workloads if one.reason]
    if unsized:
        return f"{plural(len(unsized), 'workload')} cannot be sized: {', '.join(unsized)}"
    if lost:
        return f"{lost:,} of {pieces:,} pieces find no place"
    if found.scenario.portfolio.n_plus_one and not found.survives:
        return "All fits, but not after the loss of a host"
    return "All fits"
