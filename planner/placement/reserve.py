"""N+1: which hosts stay empty so that the loss of any one host can be survived."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement, groupby, islice

from planner.placement.bounds import fewest_hosts
from planner.placement.placing import place as place_in_order
from planner.placement.question import question
from planner.placement.records import Fleet, Host, Piece, Placement, Seat

Place = Callable[[Fleet, tuple[Piece, ...]], Placement]
"""How a fleet is planned."""

WAYS = ("unused", "restart", "re-pack")
"""How the loss of a host is survived: nothing ran there; its pieces start again in what is free
while all others stay where they are; or only when others move too."""
_TRIES = 80
"""Reserves looked at, at most [1]."""
_POLICIES = ("best fit", "fragmentation", "spread")
"""How restarts choose their places; the first under which all find one counts."""


@dataclass(frozen=True, slots=True)
class HostLoss:
    """What happens when one host is lost."""

    host: int
    """Index of the host that is lost [1]."""
    way: str
    """One of :data:`WAYS`, or empty when some workload does not come back."""
    fails: tuple[str, ...] = ()
    """Workloads that do not come back, even after re-packing."""
    seats: tuple[Seat, ...] = ()
    """Where everything runs afterwards."""


@dataclass(frozen=True)
class ReservedPlacement:
    """A placement that keeps hosts in reserve, and what each loss would do to it."""

    placement: Placement
    reserve: tuple[int, ...]
    """Indices of hosts that carry nothing and must stay so."""
    losses: tuple[HostLoss, ...]
    """One for each host of the fleet, in its order."""

    @property
    def survives(self) -> bool:
        """The loss of any single host leaves every workload running that must restart."""
        return all(loss.way for loss in self.losses)


def with_reserve(fleet: Fleet, pieces: tuple[Piece, ...], place: Place) -> ReservedPlacement:
    """The smallest reserve with which the loss of any one host is survived.

    .. math:: \\min |R| : \\forall h \\notin R,\\ seats(h) \\text{ fit in the rest of } U \\cup R

    for hosts in use U and in reserve R; other empty hosts do not count, as they may be filled
    tomorrow. What fits is found by placing, profile by profile, and not from sums of gigabytes:
    first the pieces of the lost host that must run again start in what is free while all others
    stay; else everything is planned again. A host of the reserve that equals the lost one takes
    its pieces as they were. No reserve at all is tried first, then one host of each class, then
    two, and so on; pieces for which a reserve leaves no room are refused from the last priority
    up, as ``place`` does. Of reserves of one size, those with which restarts are enough come
    first, then the one with the most workloads assured, then the most pieces placed.

    Parameters
    ----------
    fleet : Fleet
    pieces : tuple of Piece
        In order of priority by workload.
    place : callable
        Plans a fleet: :func:`planner.placement.plan_placement`, or the exact solver.

    Returns
    -------
    ReservedPlacement
        When no reserve helps, as on a single host, all that fits is placed, what is idle is the
        reserve, and ``survives`` is false.

    Source: the restart of vSphere HA, which moves no running machine, and its admission control
    with dedicated failover hosts; our own search.

    >>> from planner.catalogue import SliceProfile
    >>> from planner.placement import Ask, Geometry, Host, plan_placement
    >>> whole = SliceProfile("whole", "whole", 80e9, 1, (0,), 1, 1)
    >>> gpu = Geometry("gpu/whole", "gpu", "whole", 1, (whole,))
    >>> fleet = Fleet(tuple(Host(name, gpu, 2, 8, 64e9) for name in "abc"))
    >>> chat = [Piece(f"chat/{i}", "chat", (Ask("gpu/whole", "whole"),)) for i in range(4)]
    >>> kept = with_reserve(fleet, tuple(chat), plan_placement)
    >>> kept.reserve, [loss.way for loss in kept.losses]
    ((2,), ['restart', 'restart', 'unused'])
    """
    unkept = place(fleet, pieces)
    for _, reserves in groupby(islice(_reserves(fleet), _TRIES), key=len):
        planned = [
            (reserve, _beside(fleet, pieces, reserve, place) if reserve else unkept)
            for reserve in reserves
        ]
        # Restarts alone are tried first: they are what happens by itself, and quick to look at.
        for again in (None, place):
            found = [_kept(placement, reserve, again) for reserve, placement in planned]
            best = max(filter(None, found), key=_worth, default=None)
            if best is not None and (best.placement.seats or not unkept.seats):
                return best
    hosts = range(len(fleet.hosts))
    idle = tuple(host for host in hosts if host not in unkept.hosts_used)
    losses = tuple(_loss(unkept, idle, host, place, tell=True) for host in hosts)
    return ReservedPlacement(unkept, idle, losses)


def _worth(kept: ReservedPlacement) -> tuple[int, int]:
    return len(kept.placement.assured), len(kept.placement.seats)


def _class(fleet: Fleet, host: Host) -> Host:
    """What equal hosts have in common; a rack counts where it has a limit."""
    rack = host.rack if host.rack in dict(fleet.rack_w) else ""
    return replace(host, id="", kind="", rack=rack)


def _reserves(fleet: Fleet) -> Iterator[tuple[int, ...]]:
    """Sets of hosts, smallest first; of equal hosts the last ones."""
    equal: dict[tuple, list[int]] = defaultdict(list)
    for i, host in enumerate(fleet.hosts):
        one = _class(fleet, host)
        equal[tuple(getattr(one, name) for name in one.__dataclass_fields__)].append(i)
    groups = list(equal.values())
    for size in range(len(fleet.hosts)):
        for chosen in combinations_with_replacement(range(len(groups)), size):
            taken = [groups[g][-chosen.count(g) :] for g in sorted(set(chosen))]
            if sum(map(len, taken)) == size:
                yield tuple(sorted(i for some in taken for i in some))


def _kept(
    placement: Placement, reserve: tuple[int, ...], place: Place | None
) -> ReservedPlacement | None:
    """The placement beside a reserve, when every loss of a host in use is survived."""
    fleet = placement.fleet
    load = Counter(seat.host for seat in placement.seats for _ in seat.gpus)
    losses: dict[int, HostLoss] = {}
    # The fullest first: one loss too many is enough to know.
    for host in sorted(range(len(fleet.hosts)), key=lambda host: -load[host]):
        losses[host] = _loss(placement, reserve, host, place)
        if not losses[host].way:
            return None
    return ReservedPlacement(placement, reserve, tuple(losses[h] for h in sorted(losses)))


def _part(fleet: Fleet, hosts: Sequence[int]) -> Fleet:
    return replace(fleet, hosts=tuple(fleet.hosts[i] for i in hosts))


def _beside(
    fleet: Fleet, pieces: tuple[Piece, ...], reserve: tuple[int, ...], place: Place
) -> Placement:
    """Plan without the reserve, told in the whole fleet's indices."""
    hosts = [i for i in range(len(fleet.hosts)) if i not in reserve]
    small = place(_part(fleet, hosts), pieces)
    seats = tuple(replace(seat, host=hosts[seat.host]) for seat in small.seats)
    return replace(small, fleet=fleet, seats=seats, proven=False)


def _loss(
    placement: Placement,
    reserve: tuple[int, ...],
    host: int,
    place: Place | None,
    tell: bool = False,
) -> HostLoss:
    """What becomes of the hosts in use and in reserve when one of them is lost.

    Nothing is planned again without ``place``, nor where a count shows that it cannot help,
    unless it is to be told which workloads fail.
    """
    if host not in placement.hosts_used:
        return HostLoss(host, "unused", seats=placement.seats)
    fleet = placement.fleet
    lost = [seat for seat in placement.seats if seat.host == host]
    again = [seat for seat in lost if placement.pieces[seat.piece].restarts]
    stay = [seat for seat in placement.seats if seat.host != host]
    if not again:
        return HostLoss(host, "restart", seats=tuple(stay))
    for twin in reserve:
        if _class(fleet, fleet.hosts[twin]) == _class(fleet, fleet.hosts[host]):
            moved = [replace(seat, host=twin) for seat in again]
            return HostLoss(host, "restart", seats=tuple(stay + moved))
    hosts = sorted((placement.hosts_used | set(reserve)) - {host})
    small = _Remainder(placement, hosts, [seat.piece for seat in stay + again])
    restarted = small.restarted(stay)
    if restarted is not None:
        return HostLoss(host, "restart", seats=restarted)
    if place is None or not tell and small.is_hopeless():
        return HostLoss(host, "")
    seats, fails = small.planned(place)
    return HostLoss(host, "" if fails else "re-pack", fails, seats)


class _Remainder:
    """The hosts and the pieces that are left after a loss, with their indices in the whole."""

    def __init__(self, placement: Placement, hosts: list[int], pieces: list[int]) -> None:
        self.hosts, self.pieces = hosts, sorted(pieces)
        self.fleet = _part(placement.fleet, hosts)
        self.asked = tuple(placement.pieces[i] for i in self.pieces)

    def restarted(self, stay: list[Seat]) -> tuple[Seat, ...] | None:
        """Seats when the lost pieces start in what is free, if all find room."""
        host, piece = (
            {old: new for new, old in enumerate(kept)} for kept in (self.hosts, self.pieces)
        )
        running = tuple(
            replace(seat, piece=piece[seat.piece], host=host[seat.host]) for seat in stay
        )
        for policy in _POLICIES:
            found = place_in_order(self.fleet, self.asked, policy, running)
            if not found.refusals:
                return self.told(found)
        return None

    def is_hopeless(self) -> bool:
        every = range(len(self.asked))
        return fewest_hosts(question(self.fleet, self.asked, pinned=False), every) > len(self.hosts)

    def planned(self, place: Place) -> tuple[tuple[Seat, ...], tuple[str, ...]]:
        """Seats when everything is planned again, and workloads without a place."""
        found = place(self.fleet, self.asked)
        fails = dict.fromkeys(self.asked[i].workload for i in found.unplaced)
        return self.told(found), tuple(fails)

    def told(self, found: Placement) -> tuple[Seat, ...]:
        return tuple(
            replace(seat, piece=self.pieces[seat.piece], host=self.hosts[seat.host])
            for seat in found.seats
        )
