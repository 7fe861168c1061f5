"""How many hosts any placement needs at least: counts that no search can beat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from planner.placement.patterns import patterns
from planner.placement.question import HostClass, Kind, Question
from planner.placement.records import Geometry

Weight = Callable[[HostClass, Kind, int, int], float]


def fewest_hosts(asked: Question, chosen: Iterable[int]) -> int:
    """Hosts that any placement of these pieces needs at least.

    .. math:: h \\ge \\max_w \\min \\{ n : \\sum_{i \\le n} C_w(i) \\ge \\sum_p \\min_g w_g(p) \\}

    over weights ``w`` of which no GPU or host can hold more than its capacity ``C``: cores,
    memory, slots, compute slices and shares of the fullest layout; hosts are taken largest first.
    The same is counted for each set of hosts with the pieces that can run nowhere else. A workload
    whose pieces stay apart needs a host for each.

    Parameters
    ----------
    asked : Question
    chosen : iterable of int [1]
        Indices of the pieces.

    Returns
    -------
    int [1]
        One more than there are hosts when the pieces cannot all be placed.

    Source: the volume bound of bin packing, S. Martello and P. Toth, "Knapsack Problems" (1990),
    section 8.3.1, for several weights.

    >>> from planner.placement import Fleet
    >>> from planner.placement.question import question
    >>> fewest_hosts(question(Fleet(()), (), True), ())
    0
    """
    counts = Counter(asked.kind_of[i] for i in chosen)
    if not counts:
        return 0
    able = {number: _able(asked, asked.kinds[number]) for number in counts}
    if not all(able.values()):
        return len(asked.class_of) + 1
    bound = _apart(asked, counts)
    for classes, numbers in _confined(able):
        hosts = [c for c in asked.class_of if c in classes]
        for weigh, capacity in _WEIGHTS:
            wanted = sum(
                counts[number] * _least(asked, weigh, number, able[number]) for number in numbers
            )
            found = _hosts_for(wanted, sorted(capacity(asked.classes[c]) for c in hosts))
            if found > len(hosts):
                return len(asked.class_of) + 1
            bound = max(bound, found)
    return max(bound, _same_size(asked, counts, able))


def most_pieces(asked: Question, placed: Sequence[int], others: Sequence[int]) -> int:
    r"""Pieces that any placement can add to those that are placed, at most.

    .. math:: \max \{ n : \sum_{p \in placed} w(p) + \sum_{i \le n} w_{(i)} \le \sum_h C_w(h) \}

    for the same weights as :func:`fewest_hosts`, the least weights first.

    Parameters
    ----------
    asked : Question
    placed, others : sequence of int [1]
        Indices of the pieces.

    Returns
    -------
    int [1]

    Source: the same volume bound.

    >>> from planner.placement import Fleet
    >>> from planner.placement.question import question
    >>> most_pieces(question(Fleet(()), (), True), (), ())
    0
    """
    able = {kind.number: _able(asked, kind) for kind in asked.kinds}
    kinds = [asked.kind_of[i] for i in others if able[asked.kind_of[i]]]
    most = len(kinds)
    for classes, numbers in _confined({n: able[n] for n in {*kinds, *asked.kind_of} if able[n]}):
        own = [number for number in kinds if number in numbers]
        for weigh, capacity in _WEIGHTS:
            each = {number: _least(asked, weigh, number, able[number]) for number in numbers}
            left = sum(capacity(asked.classes[c]) for c in asked.class_of if c in classes)
            left = left * (1.0 + 1e-9) + 1e-9
            left -= sum(each.get(asked.kind_of[i], 0.0) for i in placed)
            fit = 0
            for weight in sorted(each[number] for number in own):
                left -= weight
                fit += left >= 0.0
            most = min(most, len(kinds) - len(own) + fit)
    return most


Able = list[tuple[int, tuple[int, int]]]
"""Classes of hosts, each with the profile and the number of GPUs that a piece takes there."""


def _confined(able: Mapping[int, Able]) -> Iterator[tuple[frozenset[int], frozenset[int]]]:
    """Sets of classes of hosts, each with the kinds of pieces that can run nowhere else."""
    sets = {number: frozenset(c for c, _ in found) for number, found in able.items()}
    for classes in {frozenset().union(*sets.values()), *sets.values()}:
        yield classes, frozenset(n for n, own in sets.items() if own <= classes)


def _least(asked: Question, weigh: Weight, number: int, able: Able) -> float:
    kind = asked.kinds[number]
    return min(weigh(asked.classes[c], kind, *ask) for c, ask in able)


def _able(asked: Question, kind: Kind) -> Able:
    """Classes of hosts on which a piece fits when they are empty in cores and memory."""
    asks = {geometry: (profile, gpus) for geometry, profile, gpus in kind.asks}
    found = []
    for c, host in enumerate(asked.classes):
        ask = asks.get(host.states.geometry.id)
        if ask is None or kind.cores > host.cores or kind.memory > host.memory:
            continue
        if ask[1] > host.gpus or (ask[1] > host.domain and ask[1] > 1):
            continue
        found.append((c, (host.states.profile(ask[0]), ask[1])))
    return found


def _hosts_for(wanted: float, capacities: list[float]) -> int:
    held = 0.0
    for n, capacity in enumerate(reversed(capacities)):
        if held >= wanted * (1.0 - 1e-9) - 1e-9:
            return n
        held += capacity
    return len(capacities) + (held < wanted * (1.0 - 1e-9) - 1e-9)


def _apart(asked: Question, counts: Counter[int]) -> int:
    """The largest workload of which no two pieces share a host."""
    own = (counts[n] for n in counts if n in asked.kinds[n].conflicts)
    return max(own, default=1)


def _same_size(asked: Question, counts: Counter[int], able: dict) -> int:
    """Where a GPU carries slices of one size only, each size needs whole GPUs."""
    geometries = {host.states.geometry.id for host in asked.classes}
    if len(geometries) > 1 or not asked.classes[0].states.geometry.same_size:
        return 0
    states = asked.classes[0].states
    by_profile: Counter[int] = Counter()
    gpus = 0
    for number, count in counts.items():
        profile, each = able[number][0][1]
        by_profile[profile] += count
        gpus += count * each * (profile == states.whole)
    for profile, count in by_profile.items():
        if profile != states.whole:
            gpus += -(-count // most_alone(states.geometry, profile))
    return _hosts_for(gpus, sorted(asked.classes[c].gpus for c in asked.class_of))


@lru_cache(maxsize=4096)
def most_alone(geometry: Geometry, profile: int) -> int:
    """Slices of one profile that an empty GPU holds.

    Parameters
    ----------
    geometry : Geometry
    profile : int [1]

    Returns
    -------
    int [1]

    Source: the geometry's layouts.

    >>> from planner.catalogue import SliceProfile
    >>> half = SliceProfile("half", "share", 40e9, 1, (0, 1), 1, 1)
    >>> whole = SliceProfile("whole", "whole", 80e9, 2, (0,), 1, 1)
    >>> most_alone(Geometry("gpu/halves", "gpu", "time slices", 2, (half, whole)), 0)
    2
    """
    if profile == len(geometry.profiles) - 1:
        return 1
    name = geometry.profiles[profile].name
    return max((len(p) for p in patterns(geometry, frozenset((name,)))), default=1) or 1


@lru_cache(maxsize=1024)
def _fullest(geometry: Geometry) -> float:
    """Largest sum of one over :func:`most_alone` of the slices of any layout."""
    names = {p.name: 1.0 / most_alone(geometry, i) for i, p in enumerate(geometry.profiles)}
    return max(
        (
            sum(names[name] for name, _ in pattern)
            for pattern in patterns(geometry, frozenset(names))
        ),
        default=1.0,
    )


def _of_gpu(share: Callable[[Geometry, int], float]) -> Weight:
    def weigh(host: HostClass, kind: Kind, profile: int, gpus: int) -> float:
        return float(gpus) if profile == host.states.whole else share(host.states.geometry, profile)

    return weigh


def _slots(geometry: Geometry, profile: int) -> float:
    return geometry.profiles[profile].size / geometry.slots


def _compute(geometry: Geometry, profile: int) -> float:
    one = geometry.profiles[profile]
    return one.compute / one.compute_total if one.kind == "mig" else 0.0


def _layout(geometry: Geometry, profile: int) -> float:
    if geometry.same_size:
        return 1.0 / most_alone(geometry, profile)
    return 1.0 / most_alone(geometry, profile) / max(_fullest(geometry), 1.0)


_WEIGHTS: tuple[tuple[Weight, Callable[[HostClass], float]], ...] = (
    (lambda host, kind, profile, gpus: float(kind.cores), lambda host: float(host.cores)),
    (lambda host, kind, profile, gpus: float(kind.memory), lambda host: float(host.memory)),
    *((_of_gpu(share), lambda host: float(host.gpus)) for share in (_slots, _compute, _layout)),
)
