"""How a portfolio's pieces are placed, with and without a reserve, in the time of a slider."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import takewhile

from planner.placement import (
    Fleet,
    HostLoss,
    Piece,
    Placement,
    Refusal,
    ReservedPlacement,
    Seat,
    first_refusal,
    place,
    plan_placement,
    with_reserve,
)
from planner.placement.refusal import WORDS

PLANNED = "fewest hosts"
"""The policy that looks at all pieces at once; the others take one after the other."""
IN_ORDER = "best fit"
"""What takes its place where it has been asked too often."""
MOST_PLANS = 30
"""Plans of one search for a reserve; those after them take one piece after the other [1]."""
LARGE = 150_000
"""From this product of pieces, hosts and pairs of kinds of host on, a reserve is chosen kind by
kind and not searched for [1]."""

HURRIED, CROWDED, HUGE = 6_000, 20_000, 300_000
"""From these products of pieces and hosts on, a fleet that cannot hold all is filled piece by
piece; nothing is tried to find out what would help; and any fleet is filled piece by piece [1]."""

Place = Callable[[Fleet, tuple[Piece, ...]], Placement]


@lru_cache(maxsize=24)
def placed(fleet: Fleet, pieces: tuple[Piece, ...], policy: str) -> Placement:
    """Pieces on a fleet by a policy of the scenario.

    Parameters
    ----------
    fleet : Fleet
    pieces : tuple of Piece
        In order of priority by workload.
    policy : str
        :data:`PLANNED` or one of :data:`planner.placement.POLICIES`.

    Returns
    -------
    Placement

    >>> placed(Fleet(()), (), PLANNED).seats
    ()
    """
    if policy != PLANNED:
        return place(fleet, pieces, policy)
    size = len(pieces) * len(fleet.hosts)
    if size > HURRIED:
        in_order = placed(fleet, pieces, IN_ORDER)
        if in_order.refusals or size > HUGE:
            return replace(in_order, method=PLANNED, assured=_assured(in_order))
    return plan_placement(fleet, pieces, effort="quick")


def is_crowded(fleet: Fleet, pieces: tuple[Piece, ...]) -> bool:
    """Whether a fleet and its pieces are too many for what is found by trying.

    Parameters
    ----------
    fleet : Fleet
    pieces : tuple of Piece

    Returns
    -------
    bool

    >>> is_crowded(Fleet(()), ())
    False
    """
    return len(pieces) * len(fleet.hosts) > CROWDED


def refusal_of(found: Placement) -> Refusal | None:
    """The first workload without a place, and what would help where that can be tried.

    Parameters
    ----------
    found : Placement

    Returns
    -------
    Refusal
        ``None`` when every piece has a seat.

    >>> refusal_of(placed(Fleet(()), (), PLANNED)) is None
    True
    """
    # Each kind of host brings its own changes, and each change is a plan.
    tried = len(found.pieces) * len(found.fleet.hosts) * len(_kinds(found.fleet))
    if not found.refusals or tried <= CROWDED:
        return first_refusal(found)
    piece, limit = min(found.refusals)
    name = found.pieces[piece].workload
    own = [at for at, one in enumerate(found.pieces) if one.workload == name]
    seated = sum(at in found.seat_of for at in own)
    return Refusal(
        name,
        piece,
        limit,
        f"{name} cannot be placed in full ({seated:,} of its {len(own):,} pieces are): "
        f"{WORDS.get(limit, limit)}.",
        "On a fleet of so many pieces, hosts and kinds of host no changes are tried; add hosts, "
        "or ask for less.",
    )


def _assured(found: Placement) -> frozenset[str]:
    """Workloads before the first one that is not placed whole."""
    lost = {found.pieces[at].workload for at in found.unplaced}
    names = dict.fromkeys(piece.workload for piece in found.pieces)
    return frozenset(takewhile(lambda name: name not in lost, names))


@lru_cache(maxsize=12)
def placed_with_reserve(
    fleet: Fleet, pieces: tuple[Piece, ...], policy: str, n_plus_one: bool
) -> ReservedPlacement:
    """The same with hosts kept empty, so that what serves survives the loss of any one.

    Parameters
    ----------
    fleet : Fleet
    pieces : tuple of Piece
    policy : str
    n_plus_one : bool

    Returns
    -------
    ReservedPlacement
        Without reserve and without losses unless ``n_plus_one``.

    >>> placed_with_reserve(Fleet(()), (), PLANNED, n_plus_one=False).losses
    ()
    """
    if not n_plus_one:
        return ReservedPlacement(placed(fleet, pieces, policy), (), ())
    kinds = len(_kinds(fleet))
    if len(pieces) * len(fleet.hosts) * kinds**2 > LARGE:
        return _one_of_each_kind(fleet, pieces, policy)
    return with_reserve(fleet, pieces, _sparing(policy))


def _sparing(policy: str) -> Place:
    """A search for a reserve asks for hundreds of plans where none helps."""
    made = 0

    def _place(fleet: Fleet, pieces: tuple[Piece, ...]) -> Placement:
        nonlocal made
        made += 1
        return placed(fleet, pieces, IN_ORDER if made > MOST_PLANS else policy)

    return _place


def _kinds(fleet: Fleet) -> tuple[tuple[int, ...], ...]:
    """Hosts that can take each other's place; a rack counts where it has a limit."""
    limited = dict(fleet.rack_w)
    found: dict[tuple, list[int]] = defaultdict(list)
    for at, host in enumerate(fleet.hosts):
        rack = host.rack if host.rack in limited else ""
        key = (
            host.geometry.id,
            host.gpus,
            host.cpu_cores,
            host.memory_bytes,
            host.numa_nodes,
            host.nvlink_gpus,
            rack,
        )
        found[key].append(at)
    return tuple(tuple(hosts) for hosts in found.values())


def _one_of_each_kind(fleet: Fleet, pieces: tuple[Piece, ...], policy: str) -> ReservedPlacement:
    """One idle host of every kind in use takes the place of any other of that kind.

    Kinds that have no idle host give one up; of a kind with a single host, the pieces must find
    room among what runs.
    """
    kinds = _kinds(fleet)
    kept: set[int] = set()
    while True:
        now = _beside(fleet, pieces, kept, policy)
        serving = {seat.host for seat in now.seats if pieces[seat.piece].restarts}
        used = [hosts for hosts in kinds if not serving.isdisjoint(hosts)]
        full = [hosts for hosts in used if now.hosts_used.issuperset(hosts) and len(hosts) > 1]
        if not full:
            break
        kept |= {hosts[-1] for hosts in full}
    twin_of = {
        host: max(set(hosts) - now.hosts_used, default=None) for hosts in used for host in hosts
    }
    reserve = kept | {twin for twin in twin_of.values() if twin is not None}
    losses = tuple(_loss(now, host, twin_of.get(host)) for host in range(len(fleet.hosts)))
    return ReservedPlacement(now, tuple(sorted(reserve)), losses)


def _beside(fleet: Fleet, pieces: tuple[Piece, ...], kept: set[int], policy: str) -> Placement:
    """Placed without the hosts that are kept, told in the whole fleet's indices."""
    hosts = [at for at in range(len(fleet.hosts)) if at not in kept]
    part = replace(fleet, hosts=tuple(fleet.hosts[at] for at in hosts))
    found = placed(part, pieces, policy)
    seats = tuple(replace(seat, host=hosts[seat.host]) for seat in found.seats)
    return replace(found, fleet=fleet, seats=seats, proven=found.proven and not kept)


def _loss(now: Placement, host: int, twin: int | None) -> HostLoss:
    if host not in now.hosts_used:
        return HostLoss(host, "unused", seats=now.seats)
    stay = [seat for seat in now.seats if seat.host != host]
    again = [s for s in now.seats if s.host == host and now.pieces[s.piece].restarts]
    if not again:
        return HostLoss(host, "restart", seats=tuple(stay))
    if twin is not None:
        moved = (replace(seat, host=twin) for seat in again)
        return HostLoss(host, "restart", seats=(*stay, *moved))
    return _among_others(now, host, stay, again)


def _among_others(
    now: Placement, host: int, stay: Sequence[Seat], again: Sequence[Seat]
) -> HostLoss:
    """Pieces of a lost host on hosts that already run something."""
    hosts = sorted(now.hosts_used - {host})
    new = {old: at for at, old in enumerate(hosts)}
    part = replace(now.fleet, hosts=tuple(now.fleet.hosts[at] for at in hosts))
    seats = [*stay, *again]
    running = tuple(replace(seat, piece=at, host=new[seat.host]) for at, seat in enumerate(stay))
    found = place(part, tuple(now.pieces[seat.piece] for seat in seats), IN_ORDER, running)
    fails = dict.fromkeys(now.pieces[seats[at].piece].workload for at in found.unplaced)
    told = tuple(
        replace(seat, piece=seats[seat.piece].piece, host=hosts[seat.host]) for seat in found.seats
    )
    return HostLoss(host, "" if fails else "restart", tuple(fails), told)
