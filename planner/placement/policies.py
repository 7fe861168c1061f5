"""Where a policy prefers to put a piece: smaller scores win."""

from __future__ import annotations

import numpy as np

from planner.errors import InvalidScenario
from planner.placement._gpu_states import EMPTY, WHOLE, GpuStates
from planner.placement._host_states import HostState, Score
from planner.placement.question import HostClass, Kind, Question

POLICIES = ("spread", "group", "best fit", "fragmentation")
"""``spread`` is a hypervisor's best performance, ``group`` its consolidation."""


def score_of(policy: str, asked: Question) -> Score:
    """How a policy ranks the ways to add a piece to a host.

    ``spread`` takes the host that is least full, then the GPU with the fewest slices. ``group``
    takes the host and GPU that are fullest; a vSphere cluster takes hosts in turn and groups on the
    host alone, which is :func:`planner.placement.power_on`. ``best fit`` keeps empty hosts and GPUs
    empty, then strands the fewest slots, then leaves least over. ``fragmentation`` lets the measure
    of fragmentation grow least, of which see :class:`Fragmentation`.

    Parameters
    ----------
    policy : str
        One of :data:`POLICIES`.
    asked : Question

    Returns
    -------
    Score
        Of a host, a kind, GPUs and their state before and after; tuples that compare [1].

    Source: NVIDIA vGPU User Guide, "Modifying GPU Allocation Policy on VMware vSphere", for spread
    and group; Q. Weng et al., "Beware of Fragmentation", USENIX ATC 2023, for fragmentation.

    >>> from planner.placement import Fleet
    >>> from planner.placement.question import question
    >>> score_of("spread", question(Fleet(()), (), True)).__name__
    '_spread'
    """
    if policy not in POLICIES:
        raise InvalidScenario(
            f"Placement: there is no policy {policy!r}; choose one of {', '.join(POLICIES)}."
        )
    if policy == "fragmentation":
        return Fragmentation(asked)
    return {"spread": _spread, "group": _group}.get(policy, _best_fit)


def _spread(state: HostState, kind: Kind, gpus: tuple[int, ...], before: int, after: int) -> tuple:
    states = state.host.states
    full = state.used / (states.geometry.slots * state.host.gpus)
    return (full, states.slices[before], states.used[before], gpus[0])


def _group(state: HostState, kind: Kind, gpus: tuple[int, ...], before: int, after: int) -> tuple:
    states = state.host.states
    full = state.used / (states.geometry.slots * state.host.gpus)
    return (not state.busy, before == EMPTY, -full, -states.used[before], gpus[0])


def _best_fit(
    state: HostState, kind: Kind, gpus: tuple[int, ...], before: int, after: int
) -> tuple:
    host, states = state.host, state.host.states
    slots = states.geometry.slots
    added = (states.used[after] - states.used[before]) * len(gpus)
    left = (
        (state.cores - kind.cores) / max(host.cores, 1)
        + (state.memory - kind.memory) / max(host.memory, 1)
        + 1.0
        - (state.used + added) / (slots * host.gpus)
    )
    if after == WHOLE:
        return (not state.busy, 0, 0, _empty_beside(state, gpus[0]), left)
    stranded = states.stranded[after] - states.stranded[before]
    fresh = before == EMPTY
    # A GPU of its own is best taken where the NVLink domain is already broken.
    spare = _empty_beside(state, gpus[0]) if fresh else (slots - states.used[after]) / slots
    return (not state.busy, fresh, stranded, spare, left)


def _empty_beside(state: HostState, gpu: int) -> int:
    """Empty GPUs in the NVLink domain of a GPU."""
    domain, size = state.host.domain_of[gpu], state.host.domain
    return state.gpus[domain * size : (domain + 1) * size].count(EMPTY)


class Fragmentation:
    """The growth of fragmentation: free GPU memory that the usual mix of pieces could not use.

    .. math:: F_n(M) = \\sum_m p_m F_n(m)

    where ``F_n(m)`` is all that is free on host ``n`` when a piece of kind ``m`` cannot run
    there, else what is free on GPUs that ``m`` cannot use; ``p_m`` is the share of ``m`` in the
    pieces to be placed. One empty GPU counts 1.

    Source: Q. Weng et al., "Beware of Fragmentation", USENIX ATC 2023, section 4, with a slot
    of GPU memory for its thousandth of a GPU.

    >>> Fragmentation.__name__
    'Fragmentation'
    """

    def __init__(self, asked: Question) -> None:
        counts = np.bincount(np.asarray(asked.kind_of, dtype=int), minlength=len(asked.kinds))
        self.share = counts / max(counts.sum(), 1)
        self.cores = np.array([kind.cores for kind in asked.kinds], dtype=float)
        self.memory = np.array([kind.memory for kind in asked.kinds], dtype=float)
        self._asks = {id(host): _asks(asked, host) for host in asked.classes}
        self._gpu: dict[tuple[int, int], np.ndarray] = {}
        self._able: dict[tuple[int, int], np.ndarray] = {}
        self._steps: dict[tuple[int, int, int, int], tuple[np.ndarray, np.ndarray]] = {}

    def __call__(
        self, state: HostState, kind: Kind, gpus: tuple[int, ...], before: int, after: int
    ) -> tuple:
        host, n = state.host, len(gpus)
        if state.measured is None:
            state.measured = self._now(state)
        unusable, fits, wanted, free, measure = state.measured
        key = (id(host), before, after, n)
        step = self._steps.get(key)
        if step is None:
            grown = self._of_gpu(host, after) - self._of_gpu(host, before)
            step = self._steps[key] = tuple(n * grown)
        lost, fit = step
        runs = fits + fit >= wanted
        runs &= self._has_resources(state.cores - kind.cores, state.memory - kind.memory)
        used = host.states.used
        then = np.where(runs, unusable + lost, free - n * (used[after] - used[before]))
        grows = (float(self.share @ then) - measure) / host.states.geometry.slots
        return (round(grows, 9), *_best_fit(state, kind, gpus, before, after))

    def _now(self, state: HostState) -> tuple:
        """Of the host before the piece comes."""
        host = state.host
        unusable, fits = sum([self._of_gpu(host, gpu) for gpu in state.gpus])
        wanted = self._asks[id(host)][1]
        free = host.states.geometry.slots * host.gpus - state.used
        runs = (fits >= wanted) & self._has_resources(state.cores, state.memory)
        measure = float(self.share @ np.where(runs, unusable, free))
        return unusable, fits, wanted, free, measure

    def _has_resources(self, cores: int, memory: int) -> np.ndarray:
        """Kinds for which these cores and bytes are enough."""
        key = (cores, memory)
        found = self._able.get(key)
        if found is None:
            found = self._able[key] = (self.cores <= cores) & (self.memory <= memory)
        return found

    def _of_gpu(self, host: HostClass, state: int) -> np.ndarray:
        """Slots that each kind cannot use on a GPU in this state, and whether it fits there."""
        key = (id(host), state)
        found = self._gpu.get(key)
        if found is None:
            states, profiles = host.states, self._asks[id(host)][0]
            fits = np.array([_fits(states, state, profile) for profile in profiles], dtype=float)
            free = states.geometry.slots - states.used[state]
            found = self._gpu[key] = np.array((np.where(fits > 0, 0.0, free), fits))
        return found


def _asks(asked: Question, host: HostClass) -> tuple[list[int], np.ndarray]:
    """Profile of each kind on a host, -1 where it has none, and the GPUs it needs."""
    profiles, gpus = [], []
    for kind in asked.kinds:
        ask = next((ask for ask in kind.asks if ask[0] == host.states.geometry.id), None)
        profiles.append(-1 if ask is None else host.states.profile(ask[1]))
        gpus.append(1 if ask is None else ask[2])
    return profiles, np.array(gpus, dtype=int)


def _fits(states: GpuStates, state: int, profile: int) -> bool:
    if profile < 0:
        return False
    return state == EMPTY if profile == states.whole else states.after(state, profile) >= 0
