"""States of one host, the ways a piece can be added to it, and how good a policy finds each."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from planner.placement._gpu_states import EMPTY, WHOLE
from planner.placement.question import HostClass, Kind, Question


class Option(NamedTuple):
    """One way to add a piece to a host."""

    score: tuple
    """Smaller is better."""
    gpus: tuple[int, ...]
    after: int
    """State of each of these GPUs then [1]."""
    profile: int
    """Number of the profile, of its geometry [1]."""
    power_w: float
    """Power that it adds [W]."""
    carved: int
    """GPUs that begin to carry slices [gpu]."""


class HostState:
    """What a host carries and what it has left; never changed, so that equal ones are shared.

    >>> HostState.__slots__[0]
    'host'
    """

    __slots__ = (
        "host",
        "gpus",
        "cores",
        "memory",
        "nodes",
        "guests",
        "busy",
        "used",
        "carved",
        "power_w",
        "open",
        "closed",
        "measured",
    )

    def __init__(
        self,
        host: HostClass,
        gpus: tuple[int, ...],
        cores: int,
        memory: int,
        nodes: tuple[int, ...],
        guests: tuple[int, ...],
    ) -> None:
        self.host, self.gpus, self.cores, self.memory = host, gpus, cores, memory
        self.nodes, self.guests = nodes, guests
        self.busy = len(gpus) - gpus.count(EMPTY)
        used = host.states.used
        self.used = sum([used[state] for state in gpus])
        self.carved = (self.busy - gpus.count(WHOLE)) * host.states.licensed
        self.power_w = (host.base_w + host.gpu_w * self.busy) if self.busy else 0.0
        self.open: dict[int, Option | None] = {}
        self.closed: dict[int, Option | None] = {}
        self.measured: tuple | None = None


Score = Callable[[HostState, Kind, tuple[int, ...], int, int], tuple]
"""Of a host, a piece, GPUs, the state of the first before and after."""


class HostStates:
    """All states of the hosts of one question under one policy, found as the search meets them.

    >>> HostStates.__name__
    'HostStates'
    """

    def __init__(self, asked: Question, score: Score) -> None:
        self.asked, self.score = asked, score
        self._known: dict[tuple, HostState] = {}
        self._asks = [self._asks_by_class(kind) for kind in asked.kinds]
        self._single = [
            [kind.numa and self._in_one_node(kind, c) for c in range(len(asked.classes))]
            for kind in asked.kinds
        ]
        self.numbers = {id(host): i for i, host in enumerate(asked.classes)}

    @property
    def count(self) -> int:
        """States that were met [1]."""
        return len(self._known)

    def empty(self, number: int) -> HostState:
        host = self.asked.classes[number]
        nodes = (host.cores, host.memory) * host.nodes if host.nodes > 1 else ()
        return self._state(host, (EMPTY,) * host.gpus, host.cores, host.memory, nodes, ())

    def ask(self, number: int, host: HostClass) -> tuple[int, int] | None:
        """Profile and GPUs that a kind asks of a host of this class, if it can run there."""
        return self._asks[number][self.numbers[id(host)]]

    def option(self, state: HostState, number: int, fresh: bool = True) -> Option | None:
        """The best way to add a piece of a kind, perhaps only on GPUs already in use."""
        known = state.open if fresh else state.closed
        found = known.get(number, _UNKNOWN)
        if found is _UNKNOWN:
            found = known[number] = self._option(state, self.asked.kinds[number], fresh)
        return found

    def holding(self, state: HostState, number: int, gpus: tuple[int, ...], after: int) -> Option:
        """The way that puts a piece of a kind on given GPUs."""
        c = self.numbers[id(state.host)]
        return self._made(state, self._asks[number][c][0], (), gpus, after)

    def then(self, state: HostState, number: int, option: Option) -> HostState:
        """The host once a piece of a kind has been added that way."""
        kind, host = self.asked.kinds[number], state.host
        filled = list(state.gpus)
        for g in option.gpus:
            filled[g] = option.after
        guests = tuple(sorted((*state.guests, number))) if kind.watched else state.guests
        return self._state(
            host,
            tuple(filled),
            state.cores - kind.cores,
            state.memory - kind.memory,
            self._nodes(state, kind, self.numbers[id(host)], option.gpus[0], 1),
            guests,
        )

    def without(self, state: HostState, number: int, gpus: tuple[int, ...]) -> HostState:
        """The host after a piece of a kind has left these GPUs."""
        kind, host = self.asked.kinds[number], state.host
        c = self.numbers[id(host)]
        profile, _ = self._asks[number][c]
        left = list(state.gpus)
        for g in gpus:
            whole = left[g] == WHOLE
            left[g] = EMPTY if whole else host.states.before(left[g], profile)
        nodes = self._nodes(state, kind, c, gpus[0], -1)
        guests = state.guests
        if kind.watched:
            at = guests.index(number)
            guests = guests[:at] + guests[at + 1 :]
        return self._state(
            host,
            tuple(left),
            state.cores + kind.cores,
            state.memory + kind.memory,
            nodes,
            guests,
        )

    def _state(self, host, gpus, cores, memory, nodes, guests) -> HostState:
        key = (self.numbers[id(host)], gpus, cores, memory, nodes, guests)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = HostState(host, gpus, cores, memory, nodes, guests)
        return found

    def _asks_by_class(self, kind: Kind) -> list[tuple[int, int] | None]:
        by_geometry = {geometry: (profile, gpus) for geometry, profile, gpus in kind.asks}
        found = []
        for host in self.asked.classes:
            ask = by_geometry.get(host.states.geometry.id)
            found.append(None if ask is None else (host.states.profile(ask[0]), ask[1]))
        return found

    def _in_one_node(self, kind: Kind, number: int) -> bool:
        host, ask = self.asked.classes[number], self._asks_by_class(kind)[number]
        n = host.nodes
        return (
            n > 1
            and ask is not None
            and kind.cores * n <= host.cores
            and kind.memory * n <= host.memory
            and ask[1] <= host.gpus // n
        )

    def _nodes(self, state: HostState, kind: Kind, c: int, gpu: int, sign: int) -> tuple[int, ...]:
        """What the NUMA nodes have left, each quantity times their number to stay whole."""
        if not (kind.numa and state.nodes):
            return state.nodes
        n, left = state.host.nodes, list(state.nodes)
        single = self._single[kind.number][c]
        for node in range(n):
            share = n * (node == state.host.node_of[gpu]) if single else 1
            left[2 * node] -= sign * share * kind.cores
            left[2 * node + 1] -= sign * share * kind.memory
        return tuple(left)

    def _option(self, state: HostState, kind: Kind, fresh: bool) -> Option | None:
        host = state.host
        c = self.numbers[id(host)]
        ask = self._asks[kind.number][c]
        if ask is None or kind.cores > state.cores or kind.memory > state.memory:
            return None
        if kind.conflicts and not kind.conflicts.isdisjoint(state.guests):
            return None
        profile, count = ask
        if profile == host.states.whole or count > 1:
            ways = self._whole_ways(state, kind, c, profile, count) if fresh else ()
        else:
            ways = self._slice_ways(state, kind, c, profile, fresh)
        best = None
        for gpus, after in ways:
            score = self.score(state, kind, gpus, state.gpus[gpus[0]], after)
            if best is None or score < best[0]:
                best = score, gpus, after
        return None if best is None else self._made(state, profile, *best)

    def _made(
        self, state: HostState, profile: int, score: tuple, gpus: tuple[int, ...], after: int
    ) -> Option:
        host = state.host
        started = state.gpus[gpus[0]] == EMPTY
        power = len(gpus) * host.gpu_w * started + host.base_w * (not state.busy)
        return Option(
            score,
            gpus,
            after,
            profile,
            power,
            len(gpus) * (started and after != WHOLE and host.states.licensed),
        )

    def _room_in_node(self, state: HostState, kind: Kind, c: int, gpu: int) -> bool:
        if not (kind.numa and state.nodes):
            return True
        return min(self._nodes(state, kind, c, gpu, 1)) >= 0

    def _slice_ways(self, state, kind, c, profile, fresh):
        host, seen = state.host, set()
        after = host.states.after
        for g, before in enumerate(state.gpus):
            if before == WHOLE or (before == EMPTY and not fresh):
                continue
            place = (before, host.node_of[g], host.domain_of[g] if before == EMPTY else -1)
            if place in seen:
                continue
            seen.add(place)
            then = after(before, profile)
            if then >= 0 and self._room_in_node(state, kind, c, g):
                yield (g,), then

    def _whole_ways(self, state, kind, c, profile, count):
        host = state.host
        then = WHOLE if profile == host.states.whole else host.states.after(EMPTY, profile)
        free: dict[tuple[int, int], list[int]] = {}
        single = self._single[kind.number][c]
        for g, before in enumerate(state.gpus):
            if before == EMPTY:
                node = host.node_of[g] if single else 0
                free.setdefault((host.domain_of[g], node), []).append(g)
        for gpus in free.values():
            if len(gpus) >= count and self._room_in_node(state, kind, c, gpus[0]):
                yield _closest(gpus, host, count), then


def _closest(gpus: list[int], host: HostClass, count: int) -> tuple[int, ...]:
    """GPUs of as few NUMA nodes as may be, from the node that has the fewest to spare."""
    if host.nodes == 1 or len(gpus) == count:
        return tuple(gpus[:count])
    by_node: dict[int, list[int]] = {}
    for g in gpus:
        by_node.setdefault(host.node_of[g], []).append(g)
    enough = [held for held in by_node.values() if len(held) >= count]
    if enough:
        return tuple(min(enough, key=len)[:count])
    order = sorted(by_node.values(), key=len, reverse=True)
    return tuple(sorted([g for held in order for g in held][:count]))


_UNKNOWN = object()
