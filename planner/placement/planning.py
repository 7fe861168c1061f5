"""Plan where every piece runs, free to choose the order and to look again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile
from random import Random

from planner.errors import InvalidScenario
from planner.placement._host_states import HostStates
from planner.placement._search import Item, Search, items_of, repair
from planner.placement.bounds import fewest_hosts, most_pieces
from planner.placement.limits import refusing_limit
from planner.placement.policies import score_of
from planner.placement.question import Question, question
from planner.placement.records import Fleet, Piece, Placement

PLANNED = "fewest hosts"
"""The method of a plan, whichever policy breaks its ties."""
EFFORTS = {"quick": 20, "normal": 1, "high": 1}
"""By what the tries to fill gaps are divided."""
HIGH_LIMIT_S = 10.0
"""What the exact solver may take where a high effort asks it [s]."""
_FIT_TRIES, _HOST_TRIES, _MORE_TRIES = 500, 40, 1000
_SEED, _MEASURES, _LIGHT, _USUAL_PIECES = 20, 4, 4, 100
Weigh = Callable[[Item], float]


def plan_placement(
    fleet: Fleet, pieces: tuple[Piece, ...], policy: str = "best fit", effort: str = "normal"
) -> Placement:
    """Place as many workloads as can be, the first ones first, on the fewest hosts.

    The order of the pieces tells the workloads' priority. A workload is assured when it and all
    before it have every piece placed; the assured ones are the longest such beginning. Of the
    others, as many pieces as possible fill what is left, and never in place of an assured one.
    Then as few hosts as possible are used; of places on equally many hosts, a piece takes the one
    that strands the least memory, piece by piece.

    Removing a workload never costs an assured one its place: let the first ``n`` workloads be
    assured by some placement. Without workload ``w`` the same placement, its seats of ``w`` left
    empty, still holds every piece of the others among the first ``n``; no limit is exceeded,
    since each limits a sum or forbids company. So the longest beginning that can be placed still
    includes them all. The search finds that beginning where it finds a placement of it: it tries
    several orders and then repairs, and may miss one that exists; the exact solver cannot.

    Parameters
    ----------
    fleet : Fleet
    pieces : tuple of Piece
        In order of priority by workload.
    policy : str
        One of :data:`planner.placement.POLICIES`; decides among places that are equally good.
    effort : str
        ``normal`` is a number of tries, not of seconds, so that the same question always has the
        same answer. ``quick`` tries less to fill what the assured workloads leave, for a slider
        that moves. ``high`` asks the exact solver too where a piece found no place: a crowded
        fleet may take one more that no try found.

    Returns
    -------
    Placement

    Source: decreasing orders as in E. G. Coffman et al., "Bin packing approximation algorithms"
    (2013), section 3; ruin and recreate, see :func:`planner.placement._search.repair`.

    >>> from planner.catalogue import SliceProfile
    >>> from planner.placement import Ask, Geometry, Host
    >>> half = SliceProfile("half", "share", 40e9, 1, (0, 1), 1, 2)
    >>> whole = SliceProfile("whole", "whole", 80e9, 2, (0,), 2, 2)
    >>> gpu = Geometry("gpu/halves", "gpu", "time slices", 2, (half, whole))
    >>> fleet = Fleet(tuple(Host(name, gpu, 2, 8, 64e9) for name in "abc"))
    >>> chat = [Piece(f"chat/{i}", "chat", (Ask("gpu/halves", "half"),)) for i in (1, 2, 3)]
    >>> plan = plan_placement(fleet, tuple(chat))
    >>> sorted(plan.assured), len(plan.hosts_used), plan.proven
    (['chat'], 1, True)
    """
    if effort not in EFFORTS:
        raise InvalidScenario(
            f"effort is {effort!r} but should be one of {', '.join(EFFORTS)}.", "effort"
        )
    made = _Plan(question(fleet, pieces, pinned=False), policy, EFFORTS[effort]).made()
    if effort != "high" or len(made.seats) == len(pieces):
        return made
    # The solver starts from this plan, so that it cannot be known to this module before.
    from planner.placement.exact import exact_placement

    solved = exact_placement(fleet, pieces, HIGH_LIMIT_S)
    return max(solved, made, key=lambda one: (len(one.assured), len(one.seats)))


def fits(fleet: Fleet, pieces: tuple[Piece, ...], policy: str = "best fit") -> bool:
    """Whether a placement of all the pieces is found, on however many hosts.

    Parameters
    ----------
    fleet : Fleet
    pieces : tuple of Piece
    policy : str
        One of :data:`planner.placement.POLICIES`.

    Returns
    -------
    bool
        [1]

    Source: the search of :func:`plan_placement`.

    >>> fits(Fleet(()), ())
    True
    """
    plan = _Plan(question(fleet, pieces, pinned=False), policy)
    return plan.fit(range(len(pieces)), _FIT_TRIES) is not None


class _Plan:
    """The steps of one plan, with what they share."""

    def __init__(self, asked: Question, policy: str, haste: int = 1) -> None:
        self.asked, self.policy, self.haste = asked, policy, haste
        self.book = HostStates(asked, score_of(policy, asked))
        self.random = Random(_SEED)
        self.sizes = [_sizes(asked, number) for number in range(len(asked.kinds))]
        self.limits: dict[int, str] = {}
        self.assured: set[int] = set()
        self.workloads: dict[str, list[int]] = {}
        for i, piece in enumerate(asked.pieces):
            self.workloads.setdefault(piece.workload, []).append(i)

    def made(self) -> Placement:
        every = range(len(self.asked.pieces))
        search = self.fit(every, _FIT_TRIES // 8)
        names = list(self.workloads)
        if search is None:
            search, names = self.longest(names)
        if len(names) < len(self.workloads):
            self.next_limit(search, names)
            self.fill(search)
            # What fills the gaps may complete the next workloads.
            every = iter(list(self.workloads)[len(names) :])
            names += takewhile(
                lambda name: all(i in search.at for i in self.workloads[name]), every
            )
        bound = fewest_hosts(self.asked, [i for name in names for i in self.workloads[name]])
        search = self.fewer(search, bound)
        return self.read(search, frozenset(names), bound)

    def weigh(self, item: Item) -> float:
        return sum(self.sizes[self.asked.kind_of[i]][0] for i in item)

    def fit(self, chosen: Sequence[int], tries: int) -> Search | None:
        """A placement of all the chosen pieces, if one is found."""
        bound = fewest_hosts(self.asked, chosen)
        if bound > len(self.asked.class_of):
            return None
        items = items_of(self.book, chosen)
        best: tuple[tuple[float, int], Search, list[Item]] | None = None
        for measure in range(_MEASURES):
            search, left = self.constructed(items, measure)
            worth = sum(map(self.weigh, left)), len(search.used)
            if best is None or worth < best[0]:
                best = worth, search, left
            if best[0] <= (0.0, bound):
                break
        _, search, left = best
        return None if repair(search, left, self.weigh, tries, self.random) else search

    def constructed(self, items: list[Item], measure: int) -> tuple[Search, list[Item]]:
        def size(item: Item) -> float:
            return sum(self.sizes[self.asked.kind_of[i]][measure] for i in item)

        search = Search(self.book)
        order = sorted(items, key=size, reverse=True)
        return search, [item for item in order if not search.insert(item)]

    def longest(self, names: list[str]) -> tuple[Search, list[str]]:
        """The longest beginning of the workloads that is found to fit."""
        low, high, found = 0, len(names), Search(self.book)
        while low < high:
            middle = (low + high + 1) // 2
            chosen = [i for name in names[:middle] for i in self.workloads[name]]
            search = self.fit(chosen, _FIT_TRIES // 4)
            if search is None:
                high = middle - 1
            else:
                low, found = middle, search
        while low < len(names):
            chosen = [i for name in names[: low + 1] for i in self.workloads[name]]
            search = self.fit(chosen, _FIT_TRIES)
            if search is None:
                break
            low, found = low + 1, search
        return found, names[:low]

    def next_limit(self, search: Search, names: list[str]) -> None:
        """What keeps the next workload out before others fill the gaps."""
        before = search.saved()
        own = self.workloads[list(self.workloads)[len(names)]]
        for i in own:
            if not search.insert((i,)):
                limit = refusing_limit(search.state, self.asked.kind_of[i])
                self.limits = dict.fromkeys(own, limit)
                break
        search.restore(before)

    def fill(self, search: Search) -> None:
        """As many of the other pieces as possible, where all that is placed stays placed."""
        self.assured = assured = set(search.at)
        others = [i for i in range(len(self.asked.pieces)) if i not in assured]
        order = sorted(others, key=lambda i: self.sizes[self.asked.kind_of[i]][0])
        left = [(i,) for i in order if not search.insert((i,))]

        lost = len(others) - most_pieces(self.asked, list(assured), others)
        tries = _MORE_TRIES
        if self.haste > 1:
            # A try takes as long as there are pieces.
            tries = max(_MORE_TRIES * _USUAL_PIECES // (self.haste * max(len(others), 1)), 8)
            tries = min(tries, _MORE_TRIES // self.haste)
        self.swapped(search, left, tries, lost)

    def swapped(self, search: Search, left: list[Item], tries: int, enough: float) -> list[Item]:
        """Leave out as few pieces as possible, and no assured one."""
        assured = self.assured

        def weigh(item: Item) -> float:
            return sum(1e6 if i in assured else 1.0 for i in item) - 1e-4 * self.weigh(item)

        def small_first(item: Item) -> float:
            size = self.weigh(item)
            return 1e6 + size if any(i in assured for i in item) else 1.0 / (size + 1e-3)

        return repair(search, left, weigh, tries, self.random, (small_first,), enough)

    def fewer(self, search: Search, bound: int) -> Search:
        """Empty one host after another while the rest can take what it carries."""
        if self.haste > 1 and len(search.at) < len(self.asked.pieces):
            return search  # what finds no place will want the host
        while len(search.used) > bound:
            load = {host: self.weigh(tuple(search.on[host])) for host in search.used}
            light = sorted(load, key=load.__getitem__)[:_LIGHT]
            if not any(self.emptied(search, host) for host in light):
                break
        # What was left out instead of another may have room on a host that was emptied.
        for i in range(len(self.asked.pieces)):
            if i not in search.at:
                search.insert((i,))
        return search

    def emptied(self, search: Search, host: int) -> bool:
        before = search.saved()
        out = [i for i in range(len(self.asked.pieces)) if i not in search.at]
        unused = {h for h in range(len(search.on)) if not search.on[h]}
        search.state.closed = frozenset(unused | {host})
        items = items_of(self.book, list(search.on[host]))
        search.remove(list(search.on[host]))
        items.sort(key=self.weigh, reverse=True)
        left = [item for item in items if not search.insert(item)]
        tries = _HOST_TRIES
        if out:
            # Other pieces may stay out instead, as many as before.
            tries = max(tries // self.haste, 4)
            left = self.swapped(search, left + [(i,) for i in out], tries, len(out))
        else:
            left = repair(search, left, self.weigh, tries, self.random)
        search.state.closed = frozenset()
        lost = [i for item in left for i in item]
        worse = len(lost) > len(out) or not self.assured.isdisjoint(lost)
        if worse:
            search.restore(before)
        return not worse

    def read(self, search: Search, assured: frozenset[str], bound: int) -> Placement:
        seats = search.seats()
        out = [i for i in range(len(self.asked.pieces)) if i not in search.at]
        kinds = {self.asked.kind_of[i] for i in out}
        limits = {kind: refusing_limit(search.state, kind) for kind in kinds}
        refusals = tuple((i, self.limits.get(i) or limits[self.asked.kind_of[i]]) for i in out)
        return Placement(
            self.asked.fleet,
            self.asked.pieces,
            seats,
            PLANNED,
            proven=not out and len(search.used) == bound,
            bound_hosts=bound,
            refusals=refusals,
            assured=assured,
        )


def _sizes(asked: Question, number: int) -> tuple[float, ...]:
    """How large a piece is by several measures: shares of the hosts on which it can run."""
    kind, best = asked.kinds[number], None
    asks = {geometry: (profile, gpus) for geometry, profile, gpus in kind.asks}
    for host in asked.classes:
        ask = asks.get(host.states.geometry.id)
        if ask is None:
            continue
        profile = host.states.geometry.profiles[host.states.profile(ask[0])]
        share = profile.size * ask[1] / host.states.geometry.slots
        gpu = share / host.gpus
        cores, memory = (
            wanted / max(held, 1)
            for wanted, held in ((kind.cores, host.cores), (kind.memory, host.memory))
        )
        ways = (ask[1], profile.size / host.states.geometry.slots)
        found = (
            gpu + cores + memory + 10 * (ask[1] > 1),
            ways[0] * 100 + ways[1] + (cores + memory) * 1e-3,
            max(gpu, cores, memory),
            cores + memory,
        )
        if best is None or found < best:
            best = found
    return best or (0.0,) * _MEASURES
