"""An independent check of placements: every rule looked at from the seats alone.

It shares no code with the rooms that place: it counts slots, cores, bytes and watts again from the
records, so that a placement that passes here breaks no limit.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from planner.placement import Fleet, Host, Piece, Placement, Seat

SLACK = 1e-9
"""Share of a limit that sums of decimals may miss by rounding alone."""


def broken_rules(placement: Placement) -> list[str]:
    """Every rule that the placement breaks, in words; empty when it is valid."""
    broken = list(_seats_and_pieces(placement))
    by_host: dict[int, list[Seat]] = defaultdict(list)
    for seat in placement.seats:
        by_host[seat.host].append(seat)
    for index, seats in by_host.items():
        host = placement.fleet.hosts[index]
        pieces = placement.pieces
        broken += [f"{host.id}: {words}" for words in _asks(host, seats, pieces)]
        broken += [f"{host.id}: {words}" for words in _gpus(host, seats)]
        broken += [f"{host.id}: {words}" for words in _shares(host, seats, pieces)]
        broken += [f"{host.id}: {words}" for words in _company([pieces[s.piece] for s in seats])]
    broken += _together(placement)
    broken += _fleet_limits(placement.fleet, by_host)
    return broken


def _seats_and_pieces(placement: Placement) -> Iterator[str]:
    """Each piece is seated once or refused once, never both."""
    seated = Counter(seat.piece for seat in placement.seats)
    refused = Counter(index for index, _ in placement.refusals)
    for index in range(len(placement.pieces)):
        if seated[index] + refused[index] != 1:
            yield f"piece {index}: {seated[index]} seats and {refused[index]} refusals"
    if any(not words for _, words in placement.refusals):
        yield "a refusal without words"
    if (set(seated) | set(refused)) - set(range(len(placement.pieces))):
        yield "a seat or a refusal of no piece"


def _asks(host: Host, seats: list[Seat], pieces: tuple[Piece, ...]) -> Iterator[str]:
    """A seat is what its piece asks of a host like this."""
    for seat in seats:
        asks = [ask for ask in pieces[seat.piece].asks if ask.geometry == host.geometry.id]
        if not any(seat.profile == ask.profile and len(seat.gpus) == ask.gpus for ask in asks):
            yield f"{pieces[seat.piece].id} did not ask for {seat.profile} x {len(seat.gpus)}"


def _gpus(host: Host, seats: list[Seat]) -> Iterator[str]:
    """Slots, compute slices, numbers of slices, whole GPUs and NVLink domains."""
    on_gpu: dict[int, list[Seat]] = defaultdict(list)
    for seat in seats:
        if len(set(seat.gpus)) != len(seat.gpus) or not set(seat.gpus) <= set(range(host.gpus)):
            yield f"GPUs {seat.gpus} of {host.gpus}"
        if len({gpu // host.nvlink_gpus for gpu in seat.gpus}) > 1:
            yield f"GPUs {seat.gpus} are of two NVLink domains"
        for gpu in seat.gpus:
            on_gpu[gpu].append(seat)
    for gpu, here in on_gpu.items():
        if any(seat.profile == "whole" for seat in here):
            if len(here) > 1:
                yield f"GPU {gpu} is taken whole and again"
        else:
            yield from (f"GPU {gpu}: {words}" for words in _slices(host, here))


def _slices(host: Host, here: list[Seat]) -> Iterator[str]:
    geometry = host.geometry
    profiles = {profile.name: profile for profile in geometry.profiles}
    taken = Counter(
        slot
        for seat in here
        for slot in range(seat.start, seat.start + profiles[seat.profile].size)
    )
    if max(taken.values()) > 1 or max(taken) >= geometry.slots or min(taken) < 0:
        yield "slots overlap or do not exist"
    names = Counter(seat.profile for seat in here)
    if geometry.same_size and len(names) > 1:
        yield f"sizes are mixed: {sorted(names)}"
    if geometry.most_slices and len(here) > geometry.most_slices:
        yield f"{len(here)} slices"
    for name, count in names.items():
        if profiles[name].most and count > profiles[name].most:
            yield f"{count} of {name}"
    for seat in here:
        if not geometry.same_size and seat.start not in profiles[seat.profile].starts:
            yield f"{seat.profile} may not start at {seat.start}"
    # Only MIG divides the compute; the slices of others take turns on all of it.
    compute = sum(profiles[seat.profile].compute for seat in here)
    if geometry.carving == "mig" and compute > geometry.profiles[0].compute_total:
        yield f"{compute} compute slices"


def _shares(host: Host, seats: list[Seat], pieces: tuple[Piece, ...]) -> Iterator[str]:
    """Cores and memory: the sum of the host, and each NUMA node of those that keep to one."""
    nodes = host.numa_nodes
    for field, limit in (("cpu_cores", host.cpu_cores), ("memory_bytes", host.memory_bytes)):
        used = sum(getattr(pieces[seat.piece], field) for seat in seats)
        if used > limit * (1 + SLACK):
            yield f"{field} {used} of {limit}"
        of_node = [0.0] * nodes
        for seat in seats:
            piece = pieces[seat.piece]
            if not piece.numa:
                continue
            inside = (
                piece.cpu_cores <= host.cpu_cores / nodes * (1 + SLACK)
                and piece.memory_bytes <= host.memory_bytes / nodes * (1 + SLACK)
                and len(seat.gpus) <= host.gpus // nodes
            )
            where = {gpu * nodes // host.gpus for gpu in seat.gpus} if inside else set(range(nodes))
            if inside and len(where) > 1:
                yield f"{piece.id} is on two NUMA nodes"
            for node in where:
                of_node[node] += getattr(piece, field) / len(where)
        if max(of_node) > limit / nodes * (1 + SLACK):
            yield f"{field} {max(of_node)} of a node's {limit / nodes}"


def _company(pieces: list[Piece]) -> Iterator[str]:
    """Who may share a host with whom."""
    for i, piece in enumerate(pieces):
        for other in pieces[:i]:
            if other.workload == piece.workload and (piece.apart or other.apart):
                yield f"{piece.id} beside {other.id}"
            if other.workload in piece.avoids or piece.workload in other.avoids:
                yield f"{piece.id} beside {other.id}, which it avoids"


def _together(placement: Placement) -> list[str]:
    hosts: dict[str, set[int]] = defaultdict(set)
    for seat in placement.seats:
        hosts[placement.pieces[seat.piece].together].add(seat.host)
    return [f"{word} is on {len(on)} hosts" for word, on in hosts.items() if word and len(on) > 1]


def _fleet_limits(fleet: Fleet, by_host: dict[int, list[Seat]]) -> list[str]:
    """Power of racks, and GPUs under licence."""
    watts: Counter[str] = Counter()
    licensed = set()
    for index, seats in by_host.items():
        host = fleet.hosts[index]
        watts[host.rack] += host.base_w + host.gpu_w * len({g for s in seats for g in s.gpus})
        kinds = {profile.name: profile.kind for profile in host.geometry.profiles}
        licensed |= {
            (index, gpu) for s in seats for gpu in s.gpus if kinds[s.profile] in ("mig", "vgpu")
        }
    broken = [
        f"rack {rack}: {watts[rack]} W of {limit}"
        for rack, limit in fleet.rack_w
        if watts[rack] > limit * (1 + SLACK)
    ]
    if fleet.licensed_gpus is not None and len(licensed) > fleet.licensed_gpus:
        broken.append(f"{len(licensed)} GPUs under licence")
    return broken
