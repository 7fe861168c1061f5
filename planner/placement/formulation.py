"""Placing as an integer program: numbers of equal pieces by host, and of carved GPUs by layout.

Equal pieces are one kind and equal GPUs of a host one number, so the program says how many, not
which; :mod:`planner.placement.seating` turns its solution into seats.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from planner.placement.patterns import Pattern, patterns
from planner.placement.program import Program
from planner.placement.question import HostClass, Kind, Question

Region = tuple[int, ...]
"""Cells of a host among which a piece may choose its GPUs."""

LICENSED_KINDS = ("mig", "vgpu")
"""Kinds of slices for which a GPU needs a licence."""


@dataclass(frozen=True, slots=True)
class HostPart:
    """The variables of one host."""

    used: int
    """1 when it carries something."""
    cells: tuple[tuple[int, ...], ...]
    """Its GPUs, apart as far as NUMA nodes and NVLink domains matter to some piece."""
    patterns: tuple[Pattern, ...]
    """Ways to carve one of its GPUs."""
    carved: tuple[tuple[int, ...], ...]
    """GPUs by cell and pattern."""
    pieces: dict[tuple[int, Region], int] = field(default_factory=dict)
    """Pieces by kind and region."""
    spread: dict[tuple[Region, int], int] = field(default_factory=dict)
    """GPUs of a cell that whole groups take which may choose among several cells."""
    gpus_in_use: dict[int, float] = field(default_factory=dict)
    """GPUs that each unit of a variable puts to use."""
    licensed: dict[int, float] = field(default_factory=dict)
    """GPUs that each unit of a variable needs a licence for."""


@dataclass(frozen=True, slots=True)
class Formulation:
    """The program and what its variables mean."""

    asked: Question
    program: Program
    hosts: tuple[HostPart, ...]
    placed: tuple[int, ...]
    """Pieces with a seat, by kind."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a kind of piece takes of a kind of host."""

    kind: Kind
    profile: str
    gpus: int
    confined: bool
    """To one NUMA node."""

    @property
    def alone(self) -> bool:
        """It takes its GPUs for itself: whole ones, or a group of full-size slices."""
        return self.profile == "whole" or self.gpus > 1


def formulate(asked: Question) -> Formulation:
    """The rows and variables of every limit.

    .. math::
        \\sum_k c_k x_{kh} \\le C_h u_h, \\quad
        \\sum_{k \\in p} x_{kh} \\le \\sum_l n_{pl} y_{hl}, \\quad
        \\sum_l y_{hl} + \\sum_k g_k x_{kh} \\le G_h u_h

    for the numbers x of pieces by kind k and host h, and y of GPUs carved by pattern l into
    :math:`n_{pl}` slices of profile p; C for cores and for memory, of hosts and of NUMA nodes.

    Parameters
    ----------
    asked : Question
        Not pinned.

    Returns
    -------
    Formulation

    Source: pattern formulation of P. C. Gilmore and R. E. Gomory, "A linear programming approach
    to the cutting-stock problem" (1961), for the layouts of a GPU; compact for hosts.

    >>> from planner.placement import Fleet
    >>> from planner.placement.question import question
    >>> formulate(question(Fleet(()), (), False)).hosts
    ()
    """
    program = Program()
    counts = Counter(asked.kind_of)
    hosts = tuple(_host_part(program, asked, asked.classes[c], counts) for c in asked.class_of)
    placed = []
    for kind in asked.kinds:
        of_kind = {
            v: 1.0 for part in hosts for (k, _), v in part.pieces.items() if k == kind.number
        }
        placed.append(program.variable(counts[kind.number]))
        program.require({**of_kind, placed[-1]: -1.0}, 0.0, 0.0)
    _company(program, asked, hosts)
    _shared_limits(program, asked, hosts)
    _equal_hosts(program, asked, hosts)
    return Formulation(asked, program, hosts, tuple(placed))


def _host_part(
    program: Program, asked: Question, host: HostClass, counts: Counter[int]
) -> HostPart:
    wishes = [wish for kind in asked.kinds for wish in _wishes(kind, host)]
    nodes = host.nodes if any(wish.kind.numa for wish in wishes) else 1
    domain = host.domain if any(wish.gpus > 1 for wish in wishes) else host.gpus
    cells: dict[tuple[int, int], list[int]] = defaultdict(list)
    for gpu in range(host.gpus):
        cells[gpu * nodes // host.gpus, gpu // domain].append(gpu)
    sizes = [len(gpus) for gpus in cells.values()]
    ways = patterns(host.states.geometry, frozenset(w.profile for w in wishes if not w.alone))
    part = HostPart(
        used=program.variable(1),
        cells=tuple(tuple(gpus) for gpus in cells.values()),
        patterns=ways,
        carved=tuple(tuple(program.variable(size) for _ in ways) for size in sizes),
    )
    keys = list(cells)
    for wish in wishes:
        for region in _regions(wish, keys):
            room = sum(sizes[cell] for cell in region) // wish.gpus
            most = counts[wish.kind.number]
            most = min(most, room) if wish.alone else most
            most = min(most, 1) if wish.kind.number in wish.kind.conflicts else most
            if most:
                part.pieces[wish.kind.number, region] = program.variable(most)
    by_kind = {wish.kind.number: wish for wish in wishes}
    _whole_gpus(program, part, by_kind)
    part.licensed.update(_under_licence(part, by_kind, host))
    _slices(program, part, by_kind)
    _cores_and_memory(program, part, by_kind, host, [node for node, _ in keys])
    return part


def _wishes(kind: Kind, host: HostClass) -> list[_Wish]:
    """One, or none where the piece cannot run even on the empty host."""
    found = []
    for geometry, profile, gpus in kind.asks:
        if geometry != host.states.geometry.id:
            continue
        most = host.gpus if gpus == 1 else host.domain
        if kind.cores <= host.cores and kind.memory <= host.memory and gpus <= most:
            n = host.nodes
            confined = kind.numa and n > 1 and gpus <= host.node_of.count(0)
            confined &= kind.cores * n <= host.cores and kind.memory * n <= host.memory
            found.append(_Wish(kind, profile, gpus, confined))
    return found


def _regions(wish: _Wish, keys: list[tuple[int, int]]) -> list[Region]:
    """Each set of cells out of which one piece may take its GPUs."""
    group = wish.gpus > 1
    regions: dict[tuple, list[int]] = defaultdict(list)
    for cell, (node, domain) in enumerate(keys):
        regions[wish.confined and node, group and domain].append(cell)
    return [tuple(region) for region in regions.values()]


def _whole_gpus(program: Program, part: HostPart, wishes: dict[int, _Wish]) -> None:
    """No cell gives more GPUs, whole or carved, than it has."""
    taken: list[dict[int, float]] = [dict.fromkeys(row, 1.0) for row in part.carved]
    for row in taken:
        part.gpus_in_use.update(row)
    drawn: dict[Region, dict[int, float]] = defaultdict(dict)
    for (kind, region), v in part.pieces.items():
        if not wishes[kind].alone:
            continue
        part.gpus_in_use[v] = float(wishes[kind].gpus)
        into = taken[region[0]] if len(region) == 1 else drawn[region]
        into[v] = float(wishes[kind].gpus)
    for region, groups in drawn.items():
        for cell in region:
            v = part.spread[region, cell] = program.variable(len(part.cells[cell]))
            taken[cell][v] = 1.0
            groups[v] = -1.0
        program.require(groups, 0.0, 0.0)
    for row, gpus in zip(taken, part.cells, strict=True):
        program.require({**row, part.used: -float(len(gpus))}, most=0.0)


def _under_licence(part: HostPart, wishes: dict[int, _Wish], host: HostClass) -> dict[int, float]:
    """GPUs that carry slices of a vendor's making; sharing in turns needs no licence."""
    sold = {p.name for p in host.states.geometry.profiles if p.kind in LICENSED_KINDS}
    found = {
        v: 1.0
        for row in part.carved
        for v, pattern in zip(row, part.patterns, strict=True)
        if any(name in sold for name, _ in pattern)
    }
    for (kind, _), v in part.pieces.items():
        if wishes[kind].alone and wishes[kind].profile in sold:
            found[v] = float(wishes[kind].gpus)
    return found


def _slices(program: Program, part: HostPart, wishes: dict[int, _Wish]) -> None:
    """The carved GPUs of each region hold the slices of those who must choose within it."""
    every = tuple(range(len(part.cells)))
    asked: dict[str, list[tuple[Region, int]]] = defaultdict(list)
    for (kind, region), v in part.pieces.items():
        if not wishes[kind].alone:
            asked[wishes[kind].profile].append((region, v))
    for profile, seats in asked.items():
        held = [sum(name == profile for name, _ in pattern) for pattern in part.patterns]
        for region in {every, *(region for region, _ in seats)}:
            row = {v: 1.0 for inner, v in seats if set(inner) <= set(region)}
            for cell in region:
                row |= {v: -float(n) for v, n in zip(part.carved[cell], held, strict=True) if n}
            program.require(row, most=0.0)


def _cores_and_memory(
    program: Program, part: HostPart, wishes: dict[int, _Wish], host: HostClass, nodes: list[int]
) -> None:
    """Of the host, and of each NUMA node what those take who keep to nodes."""
    for name in ("cores", "memory"):
        each = {key: float(getattr(wishes[key[0]].kind, name)) for key in part.pieces}
        limit = float(getattr(host, name))
        row = {v: each[key] for key, v in part.pieces.items()}
        program.require({**row, part.used: -limit}, most=0.0)
        for node in range(host.nodes) if host.nodes > 1 else ():
            row = {}
            for key, v in part.pieces.items():
                wish = wishes[key[0]]
                if wish.confined and nodes[key[1][0]] == node:
                    row[v] = each[key] * host.nodes
                elif wish.kind.numa and not wish.confined:
                    row[v] = each[key]
            program.require({**row, part.used: -limit} if row else {}, most=0.0)


def _company(program: Program, asked: Question, hosts: tuple[HostPart, ...]) -> None:
    """Who may not share a host, and who must."""
    homes: dict[str, dict[int, float]] = defaultdict(dict)
    for part in hosts:
        by_kind: dict[int, list[int]] = defaultdict(list)
        for (kind, _), v in part.pieces.items():
            by_kind[kind].append(v)
        present: dict[int, int] = {}
        home: dict[str, int] = {}
        for number, variables in by_kind.items():
            kind = asked.kinds[number]
            if kind.conflicts & by_kind.keys():
                present[number] = _presence(program, variables, program.variable(1))
            if kind.together:
                if kind.together not in home:
                    home[kind.together] = program.variable(1)
                    homes[kind.together][home[kind.together]] = 1.0
                _presence(program, variables, home[kind.together])
        for number, there in present.items():
            for other in asked.kinds[number].conflicts & present.keys():
                if other == number:
                    row = dict.fromkeys(by_kind[number], 1.0)
                elif number < other:
                    row = {there: 1.0, present[other]: 1.0}
                else:
                    continue
                program.require({**row, part.used: -1.0}, most=0.0)
    for row in homes.values():
        program.require(row, most=1.0)


def _presence(program: Program, variables: list[int], there: int) -> int:
    for v in variables:
        program.require({v: 1.0, there: -float(program.upper[v])}, most=0.0)
    return there


def _shared_limits(program: Program, asked: Question, hosts: tuple[HostPart, ...]) -> None:
    """Power of racks, and GPUs under licence."""
    fleet = asked.fleet
    for rack, limit_w in fleet.rack_w:
        row: dict[int, float] = {}
        for host, part in zip(fleet.hosts, hosts, strict=True):
            if host.rack == rack:
                row[part.used] = host.base_w
                row |= {v: gpus * host.gpu_w for v, gpus in part.gpus_in_use.items()}
        program.require(row, most=limit_w)
    if fleet.licensed_gpus is not None:
        licensed = {v: gpus for part in hosts for v, gpus in part.licensed.items()}
        program.require(licensed, most=float(fleet.licensed_gpus))


def _equal_hosts(program: Program, asked: Question, hosts: tuple[HostPart, ...]) -> None:
    """Of equal hosts the first are used first: the same plan is not looked at twice."""
    last: dict[tuple[int, str], HostPart] = {}
    for c, host, part in zip(asked.class_of, asked.fleet.hosts, hosts, strict=True):
        if before := last.get((c, host.rack)):
            program.require({before.used: 1.0, part.used: -1.0}, least=0.0)
        last[c, host.rack] = part
