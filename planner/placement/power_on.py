"""One request after another, as a vSphere cluster places VMs with carved GPUs."""

from __future__ import annotations

from collections.abc import Sequence

from planner.errors import InvalidScenario
from planner.placement.carving import Taken, free_start
from planner.placement.records import Ask, Fleet, Geometry, Piece, Placement, Seat

ASSIGNMENT_POLICIES = ("spread", "group")
"""Best performance: an empty GPU first. Consolidation: a GPU with this profile first."""


def power_on(fleet: Fleet, requests: Sequence[str], policy: str) -> Placement:
    r"""Power on one VM after another, each with one slice of the profile that it names.

    Formula: hosts take turns; on the host the policy chooses the GPU; where none has room the
    next host is tried, and a request that no host takes is refused. No running VM moves.

    Parameters
    ----------
    fleet : Fleet
    requests : sequence of str
        Profiles in the order of power-on.
    policy : str
        One of :data:`ASSIGNMENT_POLICIES`.

    Returns
    -------
    Placement

    Raises :class:`planner.errors.InvalidScenario` for an unknown policy or profile.

    Source: F. Denneman, How Same Size vGPU Mode and Right-Sizing Shape GPU Placement Efficiency
    (2026); only GPU slices bind here, cores and memory do not.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.placement.geometry import geometry
    >>> from planner.placement.records import Host
    >>> same = geometry(load_catalogue(), "h100-pcie-80gb", "vgpu same size")
    >>> fleet = Fleet((Host("esx-1", same, 2, 64, 1e12),))
    >>> order = ["H100-10C", "H100-10C", "H100-20C"]
    >>> [len(power_on(fleet, order, policy).seats) for policy in ASSIGNMENT_POLICIES]
    [2, 3]
    """
    if policy not in ASSIGNMENT_POLICIES:
        raise InvalidScenario(
            f"policy is {policy!r} but should be one of {', '.join(ASSIGNMENT_POLICIES)}.", "policy"
        )
    pieces = tuple(_piece(fleet, profile, number) for number, profile in enumerate(requests, 1))
    gpus: list[list[Taken]] = [[()] * host.gpus for host in fleet.hosts]
    seats: list[Seat] = []
    refusals: list[tuple[int, str]] = []
    turn = 0
    for number, profile in enumerate(requests):
        seat = _seat(fleet, gpus, number, profile, policy, turn)
        if seat is None:
            refusals.append((number, f"no GPU has room for {profile}"))
            continue
        gpu = seat.gpus[0]
        gpus[seat.host][gpu] = (*gpus[seat.host][gpu], (profile, seat.start))
        seats.append(seat)
        turn = (seat.host + 1) % len(fleet.hosts)
    return Placement(fleet, pieces, tuple(seats), f"power-on, {policy}", refusals=tuple(refusals))


def gpu_states(placement: Placement) -> tuple[tuple[Taken, ...], ...]:
    """The slices on each GPU of each host; a GPU in a group of whole GPUs counts as whole.

    Parameters
    ----------
    placement : Placement

    Returns
    -------
    tuple of tuple of tuple
        By host and GPU, the profile and first slot [1] of each slice, which
        :func:`planner.placement.free_slots` takes.

    Source: the definition.

    >>> from planner.placement.records import Fleet
    >>> gpu_states(Placement(Fleet(()), (), (), "none"))
    ()
    """
    gpus: list[list[Taken]] = [[()] * host.gpus for host in placement.fleet.hosts]
    for seat in placement.seats:
        for gpu in seat.gpus:
            gpus[seat.host][gpu] = (*gpus[seat.host][gpu], (seat.profile, seat.start))
    return tuple(tuple(host) for host in gpus)


def _piece(fleet: Fleet, profile: str, number: int) -> Piece:
    asks = tuple(
        Ask(one.id, profile) for one in fleet.geometries.values() if profile in one.by_name
    )
    if not asks:
        known = dict.fromkeys(name for one in fleet.geometries.values() for name in one.by_name)
        raise InvalidScenario(
            f"request {number} is {profile!r} but the hosts offer {', '.join(known) or 'nothing'}.",
            "requests",
        )
    return Piece(f"{profile}/{number}", profile, asks)


def _seat(
    fleet: Fleet, gpus: list[list[Taken]], number: int, profile: str, policy: str, turn: int
) -> Seat | None:
    for step in range(len(fleet.hosts)):
        host = (turn + step) % len(fleet.hosts)
        found = _gpu(fleet.hosts[host].geometry, gpus[host], profile, policy)
        if found:
            return Seat(number, host, (found[0],), profile, found[1])
    return None


def _gpu(
    geometry: Geometry, gpus: list[Taken], profile: str, policy: str
) -> tuple[int, int] | None:
    """The GPU of one host that the policy prefers, and the first slot there."""
    if profile not in geometry.by_name:
        return None
    best: tuple[float, int, int] | None = None
    for gpu, taken in enumerate(gpus):
        start = free_start(geometry, taken, profile)
        if start is None:
            continue
        used = sum(geometry.by_name[name].size for name, _ in taken)
        like = sum(name == profile for name, _ in taken)
        rank = used if policy == "spread" else -like if like else geometry.slots + used
        if best is None or rank < best[0]:
            best = rank, gpu, start
    return best and best[1:]
