"""Search among placements of which nothing runs yet: insert, take out, repair."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from random import Random

from planner.placement._fleet_state import FleetState
from planner.placement._host_states import HostStates
from planner.placement.records import Seat

_BLINKS, _PARTLY = 0.25, 0.3
"""How often an insertion overlooks some hosts, and a try takes out only half of what a host holds
[fraction]."""
_EMPTIED = (1, 1, 2, 2, 2, 3, 3, 4)
"""Hosts that a try empties, as often as it is named [1]."""
_FORCED = 0.3
"""How often something that has no place goes first, before what was taken out [fraction]."""
_CRUMBS = 0.3
"""How often a try that is as good but less compact is kept [fraction]."""
_DISORDER = (0.15, 0.15, 0.15, 0.8)
"""Spread of the logarithm by which ranks are shaken in a try."""
Item = tuple[int, ...]
"""Pieces that go together: one, or all with the same word in ``together``."""


def items_of(book: HostStates, chosen: Iterable[int]) -> list[Item]:
    """Chosen pieces, those that must share a host in one item."""
    words: dict[str, list[int]] = {}
    items: list[list[int]] = []
    for i in chosen:
        word = book.asked.pieces[i].together
        if word in words:
            words[word].append(i)
            continue
        items.append([i])
        if word:
            words[word] = items[-1]
    return [tuple(item) for item in items]


class Search:
    """A placement that is being improved; slices are only counted until it is read.

    >>> Search.__name__
    'Search'
    """

    def __init__(self, book: HostStates) -> None:
        self.book, self.kind_of = book, book.asked.kind_of
        self.state = FleetState(book)
        self.at: dict[int, tuple[int, tuple[int, ...]]] = {}
        """Host and GPUs of each piece that has a place."""
        self.on: list[dict[int, None]] = [{} for _ in self.state.hosts]
        """Pieces by host, in the order in which they came."""

    def insert(self, item: Item) -> bool:
        """Put all pieces of an item where the policy likes it, or leave all out."""
        if len(item) > 1:
            return self._insert_together(item)
        return self._put_best(item[0])

    def _put_best(self, piece: int) -> bool:
        number = self.kind_of[piece]
        found = self.state.best(number)
        if found is None:
            return False
        host, option = found
        self.state.put(host, number, option)
        self.at[piece] = host, option.gpus
        self.on[host][piece] = None
        return True

    def _insert_together(self, item: Item) -> bool:
        closed, every = self.state.closed, frozenset(range(len(self.on)))
        ranked = []
        for host, state in enumerate(self.state.hosts):
            option = self.book.option(state, self.kind_of[item[0]])
            if option is not None and host not in closed:
                ranked.append((option.score, host))
        done = False
        for _, host in sorted(ranked):
            self.state.closed = every - {host}
            done = all(self._put_best(piece) for piece in item)
            if done:
                break
            self.remove(piece for piece in item if piece in self.at)
        self.state.closed = closed
        return done

    def remove(self, pieces: Iterable[int]) -> None:
        """Take pieces out."""
        for piece in list(pieces):
            host, gpus = self.at.pop(piece)
            self.state.take(host, self.kind_of[piece], gpus)
            del self.on[host][piece]

    def saved(self) -> tuple:
        """All that changes, to come back to."""
        return self.state.saved(), dict(self.at), [dict(one) for one in self.on]

    def restore(self, saved: tuple) -> None:
        """Come back to what was saved; once for each saving."""
        state, self.at, self.on = saved
        self.state.restore(state)

    @property
    def uneven(self) -> float:
        """Sum of squares of the hosts' loads: large when what is free is in one piece [1]."""
        return sum(
            [(s.used / (s.host.states.geometry.slots * s.host.gpus)) ** 2 for s in self.state.hosts]
        )

    @property
    def used(self) -> list[int]:
        """Hosts in use."""
        return [host for host, state in enumerate(self.state.hosts) if state.busy]

    def seats(self) -> tuple[Seat, ...]:
        """Where every piece sits, each slice with a start."""
        starts: dict[tuple[int, int], list[tuple[int, int]]] = {}
        seats = []
        for piece in sorted(self.at):
            host, gpus = self.at[piece]
            one = self.state.hosts[host]
            states = one.host.states
            profile = self.book.ask(self.kind_of[piece], one.host)[0]
            start = 0
            if profile != states.whole:
                key = (host, gpus[0])
                if key not in starts:
                    starts[key] = list(states.starts(one.gpus[gpus[0]]))
                mine = next(pair for pair in starts[key] if pair[1] == profile)
                starts[key].remove(mine)
                start = mine[0]
            name = states.geometry.profiles[profile].name
            seats.append(Seat(piece, host, gpus, name, start))
        return tuple(seats)


def repair(
    search: Search,
    pool: list[Item],
    weigh: Callable[[Item], float],
    tries: int,
    random: Random,
    ranks: Sequence[Callable[[Item], float]] = (),
    enough: float = 0.0,
) -> list[Item]:
    """Make room for items without a place by taking others out and putting all in again.

    A try empties a few hosts at random, then inserts their items and those of the pool,
    the first by rank with some disorder, now and then as if some hosts were not there. It is
    kept when what is left out weighs no more.

    Parameters
    ----------
    search : Search
    pool : list of Item
        Items without a place.
    weigh : callable
        How bad it is to leave an item out.
    tries : int [1]
    random : Random
    ranks : sequence of callable
        A try takes one of them, and inserts items with more first; as they weigh by default.
    enough : float [1]
        Stop when what is left out weighs no more than this.

    Returns
    -------
    list of Item
        What still has no place [1].

    Source: ruin and recreate, G. Schrimpf et al., "Record breaking optimization results using the
    ruin and recreate principle", Journal of Computational Physics 159 (2000); hosts overlooked as
    in J. Christiaens and G. Vanden Berghe, "Slack induction by string removals for vehicle routing
    problems", Transportation Science 54 (2020).

    >>> repair(None, [], len, 10, Random(0))
    []
    """
    left, weight, best = pool, sum(map(weigh, pool)), 0.0
    for _ in range(tries):
        if not left or weight <= enough:
            break
        before = search.saved()
        items = _ruin(search, left, random) + left
        disorder, rank = random.choice(_DISORDER), random.choice(ranks or (weigh,))
        size = {item: rank(item) * random.lognormvariate(0.0, disorder) for item in items}
        if random.random() < _FORCED:
            size[random.choice(left)] = math.inf
        items.sort(key=size.__getitem__, reverse=True)
        insert = _Insertion(search, random)
        out = [item for item in items if not insert(item)]
        now, uneven = sum(map(weigh, out)), search.uneven
        # Among equals, room in one piece is worth more than crumbs, but do not insist.
        if now < weight or (now == weight and (uneven >= best or random.random() < _CRUMBS)):
            left, weight, best = out, now, uneven
        else:
            search.restore(before)
    return left


class _Insertion:
    """Inserts, at times as if some hosts were not there, so that tries differ."""

    def __init__(self, search: Search, random: Random) -> None:
        self.search, self.random = search, random
        self.by_kind = random.random() < 0.5
        self.hidden: dict[int, frozenset[int]] = {}
        self.spared = self._equal_hosts() if random.random() < _BLINKS else frozenset()

    def __call__(self, item: Item) -> bool:
        state, hidden = self.search.state, self._hidden(self.search.kind_of[item[0]])
        if hidden:
            closed = state.closed
            state.closed = closed | hidden
            done = self.search.insert(item)
            state.closed = closed
            if done:
                return True
        return self.search.insert(item)

    def _hidden(self, kind: int) -> frozenset[int]:
        """Hosts to overlook: for all, for all of one kind, or for this item."""
        if self.spared:
            return self.spared
        if self.by_kind and kind in self.hidden:
            return self.hidden[kind]
        found = frozenset()
        if self.random.random() < _BLINKS:
            hosts = range(len(self.search.on))
            few = self.random.randint(1, (len(hosts) + 1) // 2)
            found = frozenset(self.random.sample(hosts, few))
        self.hidden[kind] = found
        return found

    def _equal_hosts(self) -> frozenset[int]:
        """Left to what can run nowhere else."""
        class_of = self.search.book.asked.class_of
        if len(set(class_of)) < 2:
            return frozenset()
        one = self.random.choice(class_of)
        return frozenset(host for host, c in enumerate(class_of) if c == one)


def _ruin(search: Search, left: list[Item], random: Random) -> list[Item]:
    """Empty some hosts in use, of those on which something left out could run."""
    book = search.book
    kinds = {search.kind_of[item[0]] for item in left}
    hosts = [
        host
        for host, held in enumerate(search.on)
        if held and any(book.ask(kind, search.state.hosts[host].host) for kind in kinds)
    ]
    count = min(len(hosts), random.choice(_EMPTIED))
    pieces = [piece for host in random.sample(hosts, count) for piece in search.on[host]]
    if random.random() < _PARTLY:
        pieces = [piece for piece in pieces if random.random() < 0.5]
    search.remove(pieces)
    return items_of(book, pieces)
