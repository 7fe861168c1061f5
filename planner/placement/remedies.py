"""Changes that might let a workload in, smallest first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from planner.placement.records import Ask, Fleet, Host, Piece
from planner.units import format_number, plural

_MORE = (1.1, 1.25, 1.5, 2.0)
"""Times more cores, memory or power; more than double is another host."""
_MOST_HOSTS = 4
_KINDS = {
    "cpu_cores": ("processor cores", "CPU cores"),
    "memory_bytes": ("memory", "host memory"),
}


@dataclass(frozen=True, slots=True)
class Remedy:
    """A changed question, and the change in words."""

    fleet: Fleet
    pieces: tuple[Piece, ...]
    sentence: str
    limit: str = ""
    """The limit that it relaxes and nothing else, if it is one."""


def remedies(
    fleet: Fleet, pieces: tuple[Piece, ...], workload: str, limit: str
) -> Iterator[Remedy]:
    """Changes to try: rules, limits that hosts share, carvings, more hosts, larger hosts, slices.

    Where cores or memory of the host refuse, larger hosts come before other carvings.

    Parameters
    ----------
    fleet : Fleet
    pieces : tuple of Piece
        The workload's and those before them.
    workload : str
        The one without a place.
    limit : str
        What refused it, one of :data:`planner.placement.limits.LIMITS`.

    Returns
    -------
    iterator of Remedy
        What costs nothing first [1].

    Source: our own order; no publication.

    >>> piece = Piece("chat/1", "chat", (), apart=True)
    >>> next(remedies(Fleet(()), (piece,), "chat", "anti-affinity")).sentence
    'It fits when its pieces may share a host.'
    """
    yield from _rules(fleet, pieces, workload)
    yield from _shared_limits(fleet, pieces)
    if limit in ("CPU cores", "host memory", "NUMA node"):
        yield from _larger_hosts(fleet, pieces)
    yield from _other_carvings(fleet, pieces)
    yield from _more_hosts(fleet, pieces)
    if limit not in ("CPU cores", "host memory", "NUMA node"):
        yield from _larger_hosts(fleet, pieces)
    yield from _smaller_slices(fleet, pieces, workload)


def _changed(pieces: tuple[Piece, ...], workload: str, **changes: object) -> tuple[Piece, ...]:
    return tuple(replace(p, **changes) if p.workload == workload else p for p in pieces)


def _rules(fleet: Fleet, pieces: tuple[Piece, ...], workload: str) -> Iterator[Remedy]:
    own = [piece for piece in pieces if piece.workload == workload]
    if any(piece.numa for piece in own):
        words = "It fits when its cores and memory need not be of one NUMA node."
        yield Remedy(fleet, _changed(pieces, workload, numa=False), words, "NUMA node")
    if any(piece.apart for piece in own):
        words = "It fits when its pieces may share a host."
        yield Remedy(fleet, _changed(pieces, workload, apart=False), words, "anti-affinity")
    if any(piece.together for piece in own):
        words = "It fits when its pieces need not run on one host."
        yield Remedy(fleet, _changed(pieces, workload, together=""), words, "affinity")
    avoided = {name for piece in own for name in piece.avoids}
    avoiding = {piece.workload for piece in pieces if workload in piece.avoids}
    if avoided | avoiding:
        free = tuple(
            replace(p, avoids=frozenset() if p.workload == workload else p.avoids - {workload})
            for p in pieces
        )
        names = ", ".join(sorted(avoided | avoiding))
        words = f"It fits when it may share a host with {names}."
        yield Remedy(fleet, free, words, "anti-affinity")


def _shared_limits(fleet: Fleet, pieces: tuple[Piece, ...]) -> Iterator[Remedy]:
    if fleet.licensed_gpus is not None:
        for more in (1, 2, 4, 8, 16):
            changed = replace(fleet, licensed_gpus=fleet.licensed_gpus + more)
            words = f"It fits with licences for {plural(more, 'more carved GPU')}."
            yield Remedy(changed, pieces, words, "licences")
    for rack, limit in fleet.rack_w:
        for times in _MORE:
            racks = tuple((r, w * times if r == rack else w) for r, w in fleet.rack_w)
            words = (
                f"It fits when rack {rack} may draw {format_number(limit * times / 1e3)} kW "
                f"instead of {format_number(limit / 1e3)} kW."
            )
            yield Remedy(replace(fleet, rack_w=racks), pieces, words, "rack power")


def _kinds(fleet: Fleet) -> dict[tuple[str, str], Host]:
    """One host of each kind and geometry."""
    found: dict[tuple[str, str], Host] = {}
    for host in fleet.hosts:
        found.setdefault((host.kind, host.geometry.id), host)
    return found


def _name(host: Host) -> str:
    return host.kind or f"{host.gpus} x {host.geometry.id}"


def _larger_hosts(fleet: Fleet, pieces: tuple[Piece, ...]) -> Iterator[Remedy]:
    for times in _MORE:
        for key, one in _kinds(fleet).items():
            for field, (noun, limit) in _KINDS.items():
                hosts = tuple(
                    replace(h, **{field: getattr(h, field) * times})
                    if (h.kind, h.geometry.id) == key
                    else h
                    for h in fleet.hosts
                )
                words = (
                    f"It fits with {round((times - 1) * 100)} % more {noun} in each {_name(one)}."
                )
                yield Remedy(replace(fleet, hosts=hosts), pieces, words, limit)


def _other_carvings(fleet: Fleet, pieces: tuple[Piece, ...]) -> Iterator[Remedy]:
    """One host of a kind carved as another with the same GPU is."""
    for (kind, geometry), one in _kinds(fleet).items():
        for other in fleet.geometries.values():
            if other.gpu != one.geometry.gpu or other.id == geometry:
                continue
            at = max(
                i
                for i, host in enumerate(fleet.hosts)
                if (host.kind, host.geometry.id) == (kind, geometry)
            )
            hosts = list(fleet.hosts)
            hosts[at] = replace(hosts[at], geometry=other)
            words = f"It fits when the GPUs of {hosts[at].id} are carved as {other.carving}."
            yield Remedy(replace(fleet, hosts=tuple(hosts)), pieces, words)


def _more_hosts(fleet: Fleet, pieces: tuple[Piece, ...]) -> Iterator[Remedy]:
    for count in range(1, _MOST_HOSTS + 1):
        for one in sorted(_kinds(fleet).values(), key=lambda host: host.gpus):
            # Power for the new host comes with it: its rack is another one.
            new = tuple(replace(one, id=f"{one.id} again {n}", rack="") for n in range(count))
            words = f"It fits with {plural(count, 'more host')} like {_name(one)}."
            yield Remedy(replace(fleet, hosts=fleet.hosts + new), pieces, words)


def _smaller_slices(fleet: Fleet, pieces: tuple[Piece, ...], workload: str) -> Iterator[Remedy]:
    own = next(piece for piece in pieces if piece.workload == workload)
    asks = tuple(_smaller(fleet, ask) for ask in own.asks)
    if asks != own.asks:
        names = " or ".join(dict.fromkeys(ask.profile for ask in asks if ask not in own.asks))
        words = f"It fits if it can do with the next smaller slice: {names}."
        yield Remedy(fleet, _changed(pieces, workload, asks=asks), words)


def _smaller(fleet: Fleet, ask: Ask) -> Ask:
    geometry = fleet.geometries.get(ask.geometry)
    if geometry is None or ask.gpus > 1:
        return ask
    size = geometry.by_name[ask.profile].size
    smaller = [one for one in geometry.profiles[:-1] if one.size < size]
    return replace(ask, profile=smaller[-1].name) if smaller else ask
