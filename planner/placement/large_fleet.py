"""Tasks that share GPUs, placed one by one on a fleet of thousands, as they arrive.

Every policy is online: it sees the fleet and the task, places it once or turns it away, and never
moves one. Nodes stand in an order that is drawn at random once; of nodes that a policy finds
equally good, it takes the first in that order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from planner.errors import InvalidScenario
from planner.placement.fragmentation import (
    FragmentationScores,
    accepts,
    cpu_per_gpu,
    distinct_kinds,
    typical_tasks,
)
from planner.placement.mixes import GPU_MILLI, FleetNodes, FleetTasks

PACKING_POLICIES = {
    "random": "any node where the task fits, and any GPU of it",
    "dot-product": "the least product of what is free and what is asked",
    "packing": "GPUs in use first, then free GPUs of nodes in use, then free nodes",
    "best-fit": "the least left over, processors and GPUs weighing the same",
    "fragmentation": "the least growth of fragmentation (FGD)",
    "balanced-fragmentation": "the least growth of fragmentation and of GPUs without processors",
}
"""Every policy, and which node it takes."""


@dataclass(frozen=True, slots=True, eq=False)
class FleetRun:
    """What became of each task, in order of arrival.

    >>> FleetRun.__slots__[0]
    'node'
    """

    node: np.ndarray
    """Row of the node that took the task; -1 where it was turned away [1]."""
    gpu_bits: np.ndarray
    """Which GPUs of the node: bit g is set for GPU g [1]."""
    arrived_milli: np.ndarray
    """Thousandths of GPUs asked for so far, turned away or not [1]."""
    allocated_milli: np.ndarray
    """Thousandths of GPUs in use after the task [1]."""
    fleet_milli: int
    """Thousandths of GPUs of the fleet [1]."""

    def allocated_fraction(self, arrived_fraction: float) -> float:
        """Share of the fleet's GPUs in use when a share of it has been asked for.

        The mean over the arrivals that round to this percentage, as in the published table.

        Parameters
        ----------
        arrived_fraction : float [fraction]
            GPUs asked for so far over GPUs of the fleet.

        Returns
        -------
        float [fraction]
        """
        percent = np.rint(100.0 * self.arrived_milli / self.fleet_milli)
        now = percent == np.rint(100.0 * arrived_fraction)
        if not now.any():
            raise InvalidScenario(
                f"No arrival brings the demand to {arrived_fraction} of the fleet; ask between "
                f"{percent.min() / 100} and {percent.max() / 100}, or add tasks."
            )
        return float(self.allocated_milli[now].mean() / self.fleet_milli)


class _State:
    """What is free, in the random order of the nodes; GPUs that a node lacks have nothing free."""

    def __init__(self, nodes: FleetNodes, kinds: FleetTasks, random: np.random.Generator) -> None:
        self.order = random.permutation(len(nodes.gpus))
        self.kinds = kinds
        self.shares = kinds.shares
        self.cpu = nodes.cpu_milli[self.order].astype(np.int64)
        self.memory = nodes.memory_mib[self.order].astype(np.int64)
        self.count = nodes.gpus[self.order].astype(np.int64)
        places = np.arange(nodes.gpus.max())
        self.free = np.where(places < self.count[:, None], GPU_MILLI, 0)
        self.idle, self.whole = self.free.sum(axis=1), self.count.copy()
        self.most = self.free.max(axis=1)
        self.models = sorted(set(nodes.gpu_model))
        index = {model: number for number, model in enumerate(self.models)}
        self.model = np.array([index[nodes.gpu_model[row]] for row in self.order])
        wanted = [[accepts(text, model) for model in self.models] for text in kinds.gpu_models]
        self.open_to = np.array(wanted, dtype=bool)
        self.full_cpu, self.full_idle = self.cpu.max(), self.idle.max()

    def fits(self, kind: int) -> np.ndarray:
        """On which nodes a kind fits."""
        kinds = self.kinds
        found = (self.cpu >= kinds.cpu_milli[kind]) & (self.memory >= kinds.memory_mib[kind])
        if self.shares[kind]:
            found &= self.most >= kinds.gpu_milli[kind]
        else:
            found &= self.whole >= kinds.gpus[kind]
        # Only GPUs have a model: a task without one accepts every node.
        return found & self.open_to[kind][self.model] if kinds.gpus[kind] else found

    def kinds_that_fit(self, place: int) -> np.ndarray:
        """Which kinds fit on a node."""
        kinds = self.kinds
        by_gpu = np.where(
            self.shares, self.most[place] >= kinds.gpu_milli, self.whole[place] >= kinds.gpus
        )
        by_model = self.open_to[:, self.model[place]] | (kinds.gpus == 0)
        room = (self.cpu[place] >= kinds.cpu_milli) & (self.memory[place] >= kinds.memory_mib)
        return room & by_gpu & by_model

    def tightest(self, kind: int, place: int) -> int:
        """Of the GPUs with enough idle for a part, the first of those with least."""
        idle = self.free[place]
        return int(np.where(idle >= self.kinds.gpu_milli[kind], idle, GPU_MILLI + 1).argmin())

    def take(self, kind: int, place: int, gpu: int) -> int:
        """Give a node's processors, memory and GPUs to a task; the bits of those GPUs."""
        kinds, free = self.kinds, self.free[place]
        self.cpu[place] -= kinds.cpu_milli[kind]
        self.memory[place] -= kinds.memory_mib[kind]
        if not kinds.gpus[kind]:
            return 0
        used = np.array([gpu])
        if not self.shares[kind]:
            used = np.flatnonzero(free == GPU_MILLI)[: kinds.gpus[kind]]
        free[used] -= kinds.gpu_milli[kind]
        self.idle[place], self.most[place] = free.sum(), free.max()
        self.whole[place] = np.count_nonzero(free == GPU_MILLI)
        return int((1 << used).sum())


class _Policy(Protocol):
    def choose(self, kind: int) -> tuple[int, int]:
        """Place of the node and its GPU for a part of one; place -1 to turn the task away."""

    def placed(self, place: int) -> None:
        """The node has changed."""


class _Random:
    def __init__(self, state: _State, random: np.random.Generator) -> None:
        self._state, self._random = state, random

    def choose(self, kind: int) -> tuple[int, int]:
        places = np.flatnonzero(self._state.fits(kind))
        if not len(places):
            return -1, 0
        place = places[self._random.integers(len(places))]
        gpus = np.flatnonzero(self._state.free[place] >= self._state.kinds.gpu_milli[kind])
        gpu = self._random.choice(gpus) if self._state.shares[kind] else 0
        return int(place), int(gpu)

    def placed(self, place: int) -> None:
        pass


class _Rule:
    """Score every node afresh, 0 to 100 in whole steps, and use the GPU that fits tightest."""

    def __init__(self, state: _State, score: Callable[[_State, int], np.ndarray]) -> None:
        self._state, self._score = state, score

    def choose(self, kind: int) -> tuple[int, int]:
        fits = self._state.fits(kind)
        place = int(np.where(fits, self._score(self._state, kind), -1.0).argmax())
        if not fits[place]:
            return -1, 0
        return place, self._state.tightest(kind, place)

    def placed(self, place: int) -> None:
        pass


def _best_fit(state: _State, kind: int) -> np.ndarray:
    asked = state.kinds.gpus[kind] * state.kinds.gpu_milli[kind]
    cpu = (state.cpu - state.kinds.cpu_milli[kind]) / state.full_cpu
    return np.floor(100.0 * (1.0 - 0.5 * (cpu + (state.idle - asked) / state.full_idle)))


def _dot_product(state: _State, kind: int) -> np.ndarray:
    asked = state.kinds.gpus[kind] * state.kinds.gpu_milli[kind]
    cpu = state.cpu / state.full_cpu * (state.kinds.cpu_milli[kind] / state.full_cpu)
    gpu = state.idle / state.full_idle * (asked / state.full_idle)
    return np.floor(100.0 * (1.0 - 0.5 * (cpu + gpu)))


def _packing(state: _State, kind: int) -> np.ndarray:
    """In thirds: a GPU in use by how little it has idle, a node in use, a free node."""
    gpus, milli = state.kinds.gpus[kind], state.kinds.gpu_milli[kind]
    if not gpus:
        return np.zeros(len(state.cpu))
    tightest = np.where(state.free >= milli, state.free, GPU_MILLI + 1).min(axis=1)
    in_use = np.maximum(100 - tightest * 100 // GPU_MILLI // 10, 50)
    node_in_use = max(50 - gpus, 33)
    free_node = np.maximum(33 - state.whole, state.whole)
    score = np.where(state.shares[kind] & (tightest < GPU_MILLI), in_use, node_in_use)
    return np.where(state.whole == state.count, free_node, score)


class _LeastFragmentation:
    """Scores of all kinds on all nodes are kept; a placement changes those of one node."""

    def __init__(self, state: _State, tasks: FleetTasks, balanced: bool) -> None:
        self._state = state
        ratio = cpu_per_gpu(tasks) if balanced else None
        typical = typical_tasks(tasks)
        self._scores = FragmentationScores(state.kinds, typical, state.models, ratio)
        shape = len(state.kinds), len(state.cpu)
        self._score, self._gpu = np.empty(shape, np.int64), np.empty(shape, np.int64)
        keys = np.stack([state.cpu, state.memory, state.count, state.model], axis=1)
        _, first, same = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        for place in first:
            self.placed(place)
        alike = first[same.ravel()]
        self._score, self._gpu = self._score[:, alike].copy(), self._gpu[:, alike].copy()

    def choose(self, kind: int) -> tuple[int, int]:
        place = int(self._score[kind].argmax())
        if self._score[kind, place] < 0:
            return -1, 0
        return place, int(self._gpu[kind, place])

    def placed(self, place: int) -> None:
        state = self._state
        free = state.free[place, : state.count[place]]
        score, gpu = self._scores.at(int(state.cpu[place]), free, int(state.model[place]))
        self._score[:, place] = np.where(state.kinds_that_fit(place), score, -1)
        self._gpu[:, place] = gpu


def _policy(name: str, state: _State, tasks: FleetTasks, random: np.random.Generator) -> _Policy:
    if name == "random":
        return _Random(state, random)
    if name.endswith("fragmentation"):
        return _LeastFragmentation(state, tasks, balanced=name.startswith("balanced"))
    rules = {"best-fit": _best_fit, "dot-product": _dot_product, "packing": _packing}
    return _Rule(state, rules[name])


def pack_fleet(
    nodes: FleetNodes, tasks: FleetTasks, arrivals: np.ndarray, policy: str, seed: int
) -> FleetRun:
    """Place tasks on a fleet one by one as they arrive; what does not fit is turned away.

    .. math:: n^* = \\min \\arg\\max_n \\lfloor score(n, t) \\rfloor

    ``fragmentation`` is fragmentation gradient descent (FGD) with the published simulator's coarse
    scores. ``balanced-fragmentation`` is our own addition: GPUs that are idle without the
    processors which tasks with GPUs bring on average count as fragmented too, so tasks that need
    many processors go where there are many. Both take the list of tasks as what may come.

    Parameters
    ----------
    nodes : FleetNodes
    tasks : FleetTasks
    arrivals : array of int [1]
        Rows of ``tasks`` in order of arrival, such as :func:`draw_arrivals` gives.
    policy : str
        One of :data:`PACKING_POLICIES`.
    seed : int [1]
        Of the order of nodes, and of the random policy.

    Returns
    -------
    FleetRun

    Source: Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with
    Fragmentation Gradient Descent", USENIX ATC 2023; the scores, their steps and the choice among
    equals as in github.com/hkust-adsl/kubernetes-scheduler-simulator, commit 8f3d641.

    Two nodes of two GPUs; the second half goes where the first left half a GPU.

    >>> nodes = FleetNodes(np.array([8000, 8000]), np.array([64, 64]), np.array([2, 2]), ("", ""))
    >>> one = np.array([1])
    >>> tasks = FleetTasks(1000 * one, one, one, 500 * one, ("",))
    >>> run = pack_fleet(nodes, tasks, np.array([0, 0, 0]), "fragmentation", seed=1)
    >>> bool((run.node == run.node[0]).all()), run.gpu_bits
    (True, array([1, 1, 2]))
    """
    if policy not in PACKING_POLICIES:
        raise InvalidScenario(
            f"Policy '{policy}' is not known; use one of {', '.join(PACKING_POLICIES)}."
        )
    arrivals = np.asarray(arrivals)
    known = (arrivals >= 0) & (arrivals < len(tasks))
    if not known.all():
        raise InvalidScenario(
            f"Arrivals: {arrivals[~known][0]} is not a row of the {len(tasks)} tasks; give 0 to "
            f"{len(tasks) - 1}."
        )
    random = np.random.default_rng(seed)
    kinds, kind_of = distinct_kinds(tasks)
    state = _State(nodes, kinds, random)
    chosen = _policy(policy, state, tasks, random)
    places = np.full(len(arrivals), -1)
    gpu_bits = np.zeros(len(arrivals), dtype=np.int64)
    for number, kind in enumerate(kind_of[arrivals]):
        place, gpu = chosen.choose(kind)
        if place >= 0:
            places[number] = place
            gpu_bits[number] = state.take(kind, place, gpu)
            chosen.placed(place)
    asked = tasks.asked_milli[arrivals]
    return FleetRun(
        node=np.where(places >= 0, state.order[places], -1),
        gpu_bits=gpu_bits,
        arrived_milli=np.cumsum(asked),
        allocated_milli=np.cumsum(np.where(places >= 0, asked, 0)),
        fleet_milli=nodes.gpu_milli,
    )
