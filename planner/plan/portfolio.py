"""The fleet of a scenario: every workload sized, carved, placed, kept safe, put in a calendar."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from planner.catalogue import Basis, Catalogue
from planner.placement import (
    POLICIES,
    Fleet,
    FleetCalendar,
    Geometry,
    HostLoss,
    OrderResult,
    Piece,
    Placement,
    Refusal,
    ReservedPlacement,
    exact_placement,
    fleet_calendar,
    power_on_orders,
    stranded_bytes,
)
from planner.plan.fleet_answers import fleet_answers, fleet_bases
from planner.plan.fleet_hosts import fleet_of
from planner.plan.fleet_notes import FleetNote, fleet_notes
from planner.plan.fleet_pieces import bookings_of, pieces_of, shift_of
from planner.plan.fleet_placing import PLANNED, is_crowded, placed, placed_with_reserve, refusal_of
from planner.plan.fleet_questions import rows_of
from planner.plan.fleet_records import FleetPlan, SizedWorkload
from planner.plan.fleet_sizing import sized
from planner.scenario import Scenario

PLATFORMS_OWN = "spread"
"""What vSphere (best performance) and Kubernetes (least allocated) do when nobody says otherwise:
a plan made in one go does not tell them who goes where."""
SECOND_CHOICES = 2
"""How often workloads that found no room are sized anew for their next best kind of host."""
MOST_PIECES = 3_000
"""Pieces of all workloads together that are placed; rows that would bring more say so."""


@dataclass(frozen=True)
class Portfolio:
    """What becomes of every workload on the scenario's fleet."""

    scenario: Scenario
    catalogue: Catalogue = field(repr=False)
    fleet: Fleet
    workloads: tuple[SizedWorkload, ...]
    """In the order of priority."""
    reserved_placement: ReservedPlacement
    """By day: all but what runs in the nights alone."""

    @property
    def placement(self) -> Placement:
        """Who sits where by day."""
        return self.reserved_placement.placement

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """What is placed by day."""
        return self.placement.pieces

    @property
    def reserved(self) -> frozenset[int]:
        """Hosts that stay empty for the loss of another."""
        return frozenset(self.reserved_placement.reserve)

    @property
    def host_loss(self) -> tuple[HostLoss, ...]:
        """What the loss of each host would do."""
        return self.reserved_placement.losses

    @cached_property
    def notes(self) -> tuple[FleetNote, ...]:
        """What carving and hypervisor give and forbid on each group of hosts."""
        return fleet_notes(self.scenario, self.catalogue, self.fleet)

    @cached_property
    def reserved_by_night(self) -> ReservedPlacement | None:
        """The same by night, with a reserve of its own; None when nothing runs in the nights
        alone."""
        if not any(shift_of(one.row) == ("night",) for one in self.workloads):
            return None
        asked = self.scenario.portfolio
        pieces = self._of_shift("night")
        return placed_with_reserve(self.fleet, pieces, asked.placement, asked.n_plus_one)

    @property
    def night(self) -> Placement | None:
        """Who sits where by night."""
        return self.reserved_by_night.placement if self.reserved_by_night else None

    @property
    def survives(self) -> bool:
        """What serves runs again after the loss of any one host, by day and by night."""
        shifts = (self.reserved_placement, self.reserved_by_night)
        return all(shift.survives for shift in shifts if shift is not None)

    @cached_property
    def first_refusal(self) -> Refusal | None:
        """The first workload that finds no place, the limit, and the smallest change that helps."""
        found = refusal_of(self.placement)
        if found is None:
            return refusal_of(self.night) if self.night else None
        if not self.reserved or is_crowded(self.fleet, self.pieces):
            return found
        return self._refused_by_reserve(found)

    @property
    def refusal(self) -> str:
        """Why not all is placed, and what would help; empty when all is."""
        unsized = next((one.reason for one in self.workloads if one.reason), "")
        found = None if unsized else self.first_refusal
        return f"{found.sentence} {found.remedy}".strip() if found else unsized

    @cached_property
    def answers(self) -> FleetPlan:
        """What fits, what is left over, and what it is used for."""
        return fleet_answers(self)

    @cached_property
    def bases(self) -> dict[str, Basis]:
        """How sure we are of each answer."""
        return fleet_bases(self)

    @cached_property
    def taken(self) -> tuple[tuple[tuple[tuple[str, int, int], ...], ...], ...]:
        """By host and GPU: profile, first slot and index of each piece that sits there."""
        made: list[list[list[tuple[str, int, int]]]] = [
            [[] for _ in range(host.gpus)] for host in self.fleet.hosts
        ]
        for seat in self.placement.seats:
            for gpu in seat.gpus:
                made[seat.host][gpu].append((seat.profile, seat.start, seat.piece))
        return tuple(tuple(tuple(sorted(gpu, key=lambda s: s[1])) for gpu in h) for h in made)

    @cached_property
    def stranded(self) -> tuple[np.ndarray, ...]:
        """By host and GPU: memory that no profile can take any more [byte]; 0 on empty GPUs."""
        return tuple(
            np.array([_stranded(host.geometry, gpu) for gpu in gpus])
            for host, gpus in zip(self.fleet.hosts, self.taken, strict=True)
        )

    @cached_property
    def open_fleet(self) -> Fleet:
        """The fleet without the hosts in reserve."""
        hosts = (h for at, h in enumerate(self.fleet.hosts) if at not in self.reserved)
        return replace(self.fleet, hosts=tuple(hosts))

    @cached_property
    def by_policy(self) -> Mapping[str, Placement]:
        """The same pieces beside the same reserve by every policy: before and after a change."""
        names = (PLANNED, *POLICIES)
        return {name: placed(self.open_fleet, self.pieces, name) for name in names}

    @cached_property
    def calendar(self) -> FleetCalendar:
        """What each workload books in each hour of the weeks that are shown."""
        weeks = self.scenario.portfolio.weeks
        bookings = [b for one in self.workloads for b in bookings_of(one, weeks)]
        return fleet_calendar(bookings, float(self.fleet.gpus), weeks)

    @property
    def order_policy(self) -> str:
        """The policy by which pieces are placed that are powered on one after the other."""
        asked = self.scenario.portfolio.placement
        return PLATFORMS_OWN if asked == PLANNED else asked

    def orders(self, progress: Callable[[int, int], bool | None] | None = None) -> OrderResult:
        """Many power-on orders of the same pieces beside the reserve; takes seconds.

        Parameters
        ----------
        progress : callable, optional
            Called with the orders done and their number.

        Returns
        -------
        OrderResult
        """
        asked = self.scenario.portfolio
        return power_on_orders(
            self.open_fleet, self.pieces, self.order_policy, asked.orders, asked.seed, progress
        )

    def exact(self, time_limit_s: float = 10.0) -> Placement:
        """Beside the reserve, a placement proven to be the best, or the best found in the time.

        Parameters
        ----------
        time_limit_s : float

        Returns
        -------
        Placement
        """
        return exact_placement(self.open_fleet, self.pieces, time_limit_s)

    def seats_to_dict(self) -> list[dict[str, Any]]:
        """Every piece and where it sits, for JSON.

        Returns
        -------
        list of dict
        """
        limits = dict(self.placement.refusals)
        made = []
        for at, piece in enumerate(self.pieces):
            seat = self.placement.seat_of.get(at)
            made.append(
                {
                    "piece": piece.id,
                    "workload": piece.workload,
                    "host": self.fleet.hosts[seat.host].id if seat else None,
                    "gpus": list(seat.gpus) if seat else [],
                    "profile": seat.profile if seat else None,
                    "start": seat.start if seat else None,
                    "refused_by": limits.get(at),
                }
            )
        return made

    def _refused_by_reserve(self, found: Refusal) -> Refusal:
        """The same refusal, or that of the reserve where without one the workload has a place."""
        asked = self.scenario.portfolio
        alone = placed(self.fleet, self.pieces, asked.placement)
        if any(alone.pieces[i].workload == found.workload for i in alone.unplaced):
            return found
        asks = {
            ask.geometry
            for piece in self.pieces
            if piece.workload == found.workload
            for ask in piece.asks
        }
        kinds = {h.kind: h for h in self.fleet.hosts if h.geometry.id in asks}
        remedy = "It fits when nothing has to survive the loss of a host."
        for kind, host in kinds.items():
            more = replace(self.fleet, hosts=(*self.fleet.hosts, replace(host, id=f"{kind}+1")))
            then = placed_with_reserve(more, self.pieces, asked.placement, True).placement
            if all(then.pieces[i].workload != found.workload for i in then.unplaced):
                remedy = f"It fits with one more host like {kind}."
                break
        return replace(
            found,
            constraint="reserve",
            sentence=f"{found.workload} would fit, but not beside the host in reserve.",
            remedy=remedy,
        )

    def _of_shift(self, shift: str) -> tuple[Piece, ...]:
        return tuple(
            piece for one in self.workloads if shift in shift_of(one.row) for piece in one.pieces
        )


def portfolio(scenario: Scenario, catalogue: Catalogue) -> Portfolio:
    """Size, carve and place every workload of a scenario.

    Parameters
    ----------
    scenario : Scenario
    catalogue : Catalogue

    Returns
    -------
    Portfolio

    Raises :class:`InvalidScenario` or :class:`MissingData` when the hosts themselves cannot be; a
    workload that cannot be sized or placed is told in :attr:`Portfolio.refusal`.

    >>> from planner.catalogue import load_catalogue
    >>> found = portfolio(Scenario(), load_catalogue())
    >>> [one.tool.label for one in found.workloads], found.refusal
    (['1 GPU'], '')
    """
    fleet = fleet_of(scenario, catalogue)
    rows = rows_of(scenario)
    skips = dict.fromkeys((row.name for row in rows), 0)
    best: Portfolio | None = None
    for _ in range(1 + SECOND_CHOICES):
        found = _with_skips(scenario, catalogue, fleet, rows, skips)
        if best is None or len(found.placement.seats) > len(best.placement.seats):
            best = found
        lost = {found.pieces[i].workload for i in found.placement.unplaced}
        again = {
            one.row.name
            for one in found.workloads
            if one.row.name in lost and skips[one.row.name] + 1 < _kinds(one)
        }
        if not again:
            break
        skips |= {name: skips[name] + 1 for name in again}
    return best


def _kinds(one: SizedWorkload) -> int:
    """Kinds of host on which a workload could be sized."""
    return len({tool.geometry for tool in one.tools if not tool.reason})


def _with_skips(
    scenario: Scenario, catalogue: Catalogue, fleet: Fleet, rows: tuple, skips: Mapping[str, int]
) -> Portfolio:
    names = frozenset(row.name for row in rows)
    workloads: list[SizedWorkload] = []
    room = MOST_PIECES
    for row in rows:
        one = sized(row, scenario, catalogue, fleet, skips[row.name])
        made = pieces_of(one, names - {row.name}, fleet)
        if len(made) > room:
            one, made = replace(one, reason=_too_many(row.name, len(made))), ()
        room -= len(made)
        workloads.append(replace(one, pieces=made))
    day = tuple(p for one in workloads if "day" in shift_of(one.row) for p in one.pieces)
    asked = scenario.portfolio
    by_day = placed_with_reserve(fleet, day, asked.placement, asked.n_plus_one)
    return Portfolio(scenario, catalogue, fleet, tuple(workloads), by_day)


def _too_many(name: str, pieces: int) -> str:
    return (
        f"{name}: with its {pieces:,} pieces the rows down to this one have more than "
        f"{MOST_PIECES:,}, and no more are placed; ask for larger pieces, or give it its own fleet."
    )


def _stranded(geometry: Geometry, gpu: tuple[tuple[str, int, int], ...]) -> float:
    if not gpu:
        return 0.0
    return stranded_bytes(geometry, tuple((profile, start) for profile, start, _ in gpu))
