"""Pieces and hosts made ready for the search: equal ones once, quantities as whole numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from planner.errors import InvalidScenario
from planner.placement._gpu_states import GpuStates, gpu_states
from planner.placement.carving import allowed
from planner.placement.records import Fleet, Host, Piece

_CORE_PARTS = 1_000_000
"""Cores are counted in millionths, bytes in bytes: sums are exact, whatever their order."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What equal pieces ask for; two pieces of one kind are the same to the search."""

    number: int
    """Its place in the list of kinds [1]."""
    asks: tuple[tuple[str, str, int], ...]
    """Geometry id, profile name and GPUs."""
    cores: int
    """Millionths of a core [1]."""
    memory: int
    """Bytes, rounded [1]."""
    numa: bool
    together: str
    conflicts: frozenset[int]
    """Kinds that may not share a host with it, perhaps its own."""
    watched: bool
    """Some conflict names it, so a host must remember that it is there."""


@dataclass(frozen=True)
class HostClass:
    """What equal hosts have; two empty hosts of one class are the same to the search."""

    states: GpuStates
    gpus: int
    """GPUs [gpu]."""
    cores: int
    """Millionths of a core [1]."""
    memory: int
    """Bytes, rounded [1]."""
    nodes: int
    """NUMA nodes that matter; 1 when no piece asks for one [1]."""
    domain: int
    """GPUs of one NVLink domain [gpu]."""
    base_w: float
    """Power once it is in use [W]."""
    gpu_w: float
    """Power of each GPU in use [W]."""

    @cached_property
    def node_of(self) -> tuple[int, ...]:
        """NUMA node of each GPU."""
        return tuple(g * self.nodes // self.gpus for g in range(self.gpus))

    @cached_property
    def domain_of(self) -> tuple[int, ...]:
        """NVLink domain of each GPU."""
        return tuple(g // self.domain for g in range(self.gpus))


@dataclass(frozen=True)
class Question:
    """A fleet and pieces, with equal things found."""

    fleet: Fleet
    pieces: tuple[Piece, ...]
    kinds: tuple[Kind, ...]
    kind_of: tuple[int, ...]
    """Kind of each piece."""
    classes: tuple[HostClass, ...]
    class_of: tuple[int, ...]
    """Class of each host."""
    pinned: bool
    """Slices stay where they start."""


def question(fleet: Fleet, pieces: tuple[Piece, ...], pinned: bool) -> Question:
    """Read a fleet and its pieces for the search.

    Parameters
    ----------
    fleet : Fleet
    pieces : tuple of Piece
    pinned : bool
        Slices stay where they start, as on running hosts.

    Returns
    -------
    Question

    Source: our own method; no publication.

    >>> question(Fleet(()), (), True).kinds
    ()
    """
    numa = any(piece.numa for piece in pieces)
    kinds, kind_of = _kinds(pieces)
    classes: dict[tuple, int] = {}
    class_of, found = [], []
    for host in fleet.hosts:
        nodes = host.numa_nodes if numa else 1
        key = (
            host.geometry.id,
            host.gpus,
            host.cpu_cores,
            host.memory_bytes,
            nodes,
            host.nvlink_gpus,
            host.base_w,
            host.gpu_w,
        )
        if key not in classes:
            classes[key] = len(found)
            asked = frozenset(
                ask.profile
                for piece in pieces
                for ask in piece.asks
                if ask.geometry == host.geometry.id
            )
            found.append(_host_class(host, nodes, gpu_states(host.geometry, pinned, asked)))
        class_of.append(classes[key])
    one = Question(fleet, pieces, kinds, kind_of, tuple(found), tuple(class_of), pinned)
    _check_asks(one)
    return one


def _host_class(host: Host, nodes: int, states: GpuStates) -> HostClass:
    return HostClass(
        states=states,
        gpus=host.gpus,
        cores=round(host.cpu_cores * _CORE_PARTS),
        memory=round(host.memory_bytes),
        nodes=nodes,
        domain=max(host.nvlink_gpus, 1),
        base_w=host.base_w,
        gpu_w=host.gpu_w,
    )


def _kinds(pieces: tuple[Piece, ...]) -> tuple[tuple[Kind, ...], tuple[int, ...]]:
    avoided = frozenset().union(*(piece.avoids for piece in pieces))
    watched = {p.workload for p in pieces if p.apart or p.avoids or p.workload in avoided}
    numbers: dict[tuple, int] = {}
    examples: list[Piece] = []
    kind_of = []
    for piece in pieces:
        own = piece.workload if piece.workload in watched else ""
        key = (
            own,
            piece.asks,
            piece.cpu_cores,
            piece.memory_bytes,
            piece.numa,
            piece.apart,
            piece.together,
            piece.avoids,
        )
        if key not in numbers:
            numbers[key] = len(examples)
            examples.append(piece)
        kind_of.append(numbers[key])
    kinds = tuple(
        Kind(
            number=i,
            asks=tuple((ask.geometry, ask.profile, ask.gpus) for ask in piece.asks),
            cores=round(piece.cpu_cores * _CORE_PARTS),
            memory=round(piece.memory_bytes),
            numa=piece.numa,
            together=piece.together,
            conflicts=frozenset(
                j
                for j, other in enumerate(examples)
                if piece.workload in watched and _conflict(piece, other)
            ),
            watched=piece.workload in watched,
        )
        for i, piece in enumerate(examples)
    )
    return kinds, tuple(kind_of)


def _conflict(one: Piece, other: Piece) -> bool:
    same = one.workload == other.workload and (one.apart or other.apart)
    return same or other.workload in one.avoids or one.workload in other.avoids


def _check_asks(one: Question) -> None:
    geometries = one.fleet.geometries
    for ask in {ask for piece in one.pieces for ask in piece.asks}:
        if ask.geometry in geometries:
            sentence = allowed(geometries[ask.geometry], ask)
            if sentence:
                raise InvalidScenario(sentence)
