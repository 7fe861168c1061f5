"""How much of a node's idle GPUs the next task cannot use, and so where a task does least harm."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from planner.errors import InvalidScenario
from planner.placement.mixes import GPU_MILLI, FleetTasks

TYPICAL_FRACTION = 0.95
"""Share of tasks that the typical kinds stand for; the published simulator's setting."""
_ROUNDING = 1e-9
"""A change that is zero but for the order of a sum must count as none."""


@dataclass(frozen=True, slots=True, eq=False)
class TypicalTasks:
    """The most frequent kinds of task, and how likely each comes next.

    >>> TypicalTasks.__slots__
    ('kinds', 'popularity')
    """

    kinds: FleetTasks
    """One row for each kind; their memory is left at 0, which no measure here looks at."""
    popularity: np.ndarray
    """Their probabilities, which sum to 1 [fraction]."""


def typical_tasks(tasks: FleetTasks, tasks_fraction: float = TYPICAL_FRACTION) -> TypicalTasks:
    """The fewest kinds of task that stand for a share of all tasks, most frequent first.

    .. math:: p_m = N_m / \\sum_{k \\in M} N_k

    Parameters
    ----------
    tasks : FleetTasks
    tasks_fraction : float [fraction]
        Of the tasks, by number.

    Returns
    -------
    TypicalTasks

    Source: the target workload M of Weng et al., USENIX ATC 2023; 95 % is the setting of
    github.com/hkust-adsl/kubernetes-scheduler-simulator, scripts/generate_config_and_run.py.

    >>> gpus = np.array([1, 1, 1, 0])
    >>> tasks = FleetTasks(gpus * 2000, gpus, gpus, gpus * np.array([500, 500, 1000, 0]), ("",) * 4)
    >>> typical = typical_tasks(tasks, 0.75)
    >>> typical.kinds.gpu_milli, typical.popularity.round(3)
    (array([ 500, 1000]), array([0.667, 0.333]))
    """
    if not (len(tasks) and 0 < tasks_fraction <= 1):
        raise InvalidScenario(
            f"Typical tasks: {len(tasks)} tasks and a share of {tasks_fraction} of them; give at "
            "least one task and a share above 0 and up to 1."
        )
    names, name = np.unique(np.array(tasks.gpu_models), return_inverse=True)
    rows = np.stack([tasks.cpu_milli, tasks.gpu_milli, tasks.gpus, name], axis=1)
    kinds, counts = np.unique(rows, axis=0, return_counts=True)
    # Of two kinds as frequent, the larger one first: the order must not depend on the input's.
    order = np.lexsort((*kinds.T[::-1], counts))[::-1]
    kinds, counts = kinds[order], counts[order]
    enough = int(np.searchsorted(np.cumsum(counts), tasks_fraction * len(tasks))) + 1
    cpu, milli, gpus, name = kinds[:enough].T
    models = tuple(str(names[one]) for one in name)
    popularity = counts[:enough] / counts[:enough].sum()
    return TypicalTasks(FleetTasks(cpu, np.zeros_like(cpu), gpus, milli, models), popularity)


def accepts(gpu_models: str, gpu_model: str) -> bool:
    """Whether a task may run on a model of GPU.

    .. math:: M = \\emptyset \\lor m \\in M

    Parameters
    ----------
    gpu_models : str
        What the task accepts, joined by ``|``; empty for any.
    gpu_model : str
        What the node has.

    Returns
    -------
    bool
        [1]

    Source: column gpu_spec of github.com/alibaba/clusterdata, cluster-trace-gpu-v2023/README.md.

    >>> accepts("", "T4"), accepts("V100M16|V100M32", "V100M32"), accepts("V100M16", "T4")
    (True, True, False)
    """
    wanted = [one for one in gpu_models.split("|") if one]
    return not wanted or gpu_model in wanted


def fragmented_gpu_milli(
    free_cpu_milli: Any, free_gpu_milli: Any, typical: TypicalTasks, may_run: Any = True
) -> Any:
    """Idle GPU of a node that the next task is expected not to be able to use.

    .. math::

        F_n(M) = \\sum_{m \\in M} p_m F_n(m), \\qquad
        F_n(m) = \\begin{cases} \\sum_g r_g & m \\text{ cannot run on } n \\\\
        \\sum_g r_g [r_g < s_m] & \\text{otherwise} \\end{cases}

    with :math:`r_g` idle on GPU g and :math:`s_m` the share that task m asks of each of its GPUs.
    A task without a GPU can use none, so to it all idle GPU is fragmented.

    Parameters
    ----------
    free_cpu_milli : int or array [1]
        Thousandths of a processor that are free.
    free_gpu_milli : array [1]
        Thousandths that are idle on each GPU, along the last axis.
    typical : TypicalTasks
    may_run : bool or array [1]
        Whether each typical task accepts the node's model, along the last axis.

    Returns
    -------
    float or array [1]
        Thousandths of a GPU, one for each node.

    Source: the fragmentation measure of Weng et al., USENIX ATC 2023; tasks without a GPU as in
    github.com/hkust-adsl/kubernetes-scheduler-simulator, pkg/utils/frag.go.

    Four processors and GPUs with 0.3 and 1.0 idle. Half of the tasks ask for half a GPU and two
    processors, and cannot use the 0.3; a quarter need eight processors, a quarter two whole GPUs,
    and both can use nothing: 0.5 * 300 + 0.25 * 1,300 + 0.25 * 1,300.

    >>> kinds = FleetTasks(np.array([2000, 8000, 1000]), np.zeros(3, dtype=int),
    ...     np.array([1, 1, 2]), np.array([500, 200, 1000]), ("", "", ""))
    >>> typical = TypicalTasks(kinds, np.array([0.5, 0.25, 0.25]))
    >>> float(fragmented_gpu_milli(4000, [300, 1000], typical))
    800.0
    """
    idle = np.asarray(free_gpu_milli)[..., None, :]
    kinds = typical.kinds
    usable = idle >= kinds.gpu_milli[:, None]
    runs = np.asarray(free_cpu_milli)[..., None] >= kinds.cpu_milli
    runs = runs & (usable.sum(axis=-1) >= kinds.gpus) & (kinds.gpus > 0) & np.asarray(may_run)
    wasted = np.where(runs[..., None], idle * ~usable, idle).sum(axis=-1)
    return wasted @ typical.popularity


def stranded_gpu_milli(free_cpu_milli: Any, idle_gpu_milli: Any, cpu_per_gpu: float) -> Any:
    """Idle GPU of a node for which its free processors are too few, at the tasks' mean ratio.

    .. math:: S_n = \\max(0, r_n - c_n / \\kappa)

    Fragmentation looks one task ahead: a node with processors for one more task counts as usable
    whatever lies idle beside it. This looks at all that is left.

    Parameters
    ----------
    free_cpu_milli : int or array [1]
        Thousandths of a processor that are free on the node.
    idle_gpu_milli : int or array [1]
        Thousandths of GPUs that are idle on it, summed.
    cpu_per_gpu : float [1]
        Processors that tasks with GPUs ask for, over the GPUs they ask for.

    Returns
    -------
    float or array [1]
        Thousandths of a GPU.

    Source: own measure; no publication.

    >>> float(stranded_gpu_milli(20_000, 4_000, 10.0))
    2000.0
    """
    needed = np.asarray(free_cpu_milli) / cpu_per_gpu
    return np.maximum(0.0, np.asarray(idle_gpu_milli) - needed)


def cpu_per_gpu(tasks: FleetTasks) -> float:
    """Processors over GPUs, both summed over the tasks that ask for a GPU.

    .. math:: \\kappa = \\sum_{i: g_i > 0} c_i / \\sum_i g_i

    Parameters
    ----------
    tasks : FleetTasks

    Returns
    -------
    float [1]

    Source: definition; no publication.

    >>> tasks = FleetTasks(np.array([6000, 9000]), np.array([1, 1]), np.array([1, 0]),
    ...     np.array([500, 0]), ("", ""))
    >>> cpu_per_gpu(tasks)
    12.0
    """
    asked = int(tasks.asked_milli.sum())
    cpu = int(tasks.cpu_milli[tasks.gpus > 0].sum())
    if not (asked and cpu):
        raise InvalidScenario(
            "Tasks: none asks for a GPU and a processor, so processors for each GPU are unknown; "
            "add tasks that do."
        )
    return cpu / asked


class FragmentationScores:
    """How each kind of task would change one node: 0 to 100, more is better, and by which GPU.

    .. math:: \\lfloor 100 / (1 + e^{-(F_n - F_n') / 1000}) \\rfloor

    The coarse steps matter. Nodes within a step are as good as each other, and taking the first of
    them keeps the others empty for large tasks; exact differences spread small tasks over the
    fleet. Tables by idle thousandths and by free processors make one node a few small products.

    Source: pkg/simulator/plugin/fgd_score.go of the published simulator, and its selection of the
    first node in a random order among equals.
    """

    def __init__(
        self,
        kinds: FleetTasks,
        typical: TypicalTasks,
        models: list[str],
        cpu_per_gpu: float | None = None,
    ) -> None:
        self._cpu, self._ratio = kinds.cpu_milli, cpu_per_gpu
        self._shares = np.flatnonzero(kinds.shares)
        self._wholes = np.flatnonzero(~kinds.shares)
        self._milli = kinds.gpu_milli[self._shares]
        self._sizes, self._size = np.unique(self._milli, return_inverse=True)
        self._numbers, self._number = np.unique(kinds.gpus[self._wholes], return_inverse=True)
        self._tables(typical, models)

    def _tables(self, typical: TypicalTasks, models: list[str]) -> None:
        """Idle that each demand could use on a GPU, and how likely demands fit the processors."""
        kinds = typical.kinds
        rows = np.flatnonzero(kinds.gpus > 0)
        pairs = np.stack([kinds.gpu_milli[rows], kinds.gpus[rows]], axis=1)
        demands, demand = np.unique(pairs, axis=0, return_inverse=True)
        demand = demand.ravel()
        milli, self._count = demands.T
        idle = np.arange(GPU_MILLI + 1)[:, None]
        self._fits = (idle >= milli).astype(float)
        self._held = idle * self._fits
        self._levels, level = np.unique(kinds.cpu_milli[rows], return_inverse=True)
        self._weights = np.zeros((len(models), len(self._levels) + 1, len(demands)))
        for table, model in zip(self._weights, models, strict=True):
            open_to = np.array([accepts(kinds.gpu_models[row], model) for row in rows], dtype=bool)
            chance = typical.popularity[rows] * open_to
            np.add.at(table, (level + 1, demand), chance)
        self._weights = self._weights.cumsum(axis=1)

    def at(
        self, free_cpu_milli: int, free_gpu_milli: np.ndarray, model: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Scores of all kinds on a node, and for those that share a GPU which one is best.

        Processors, memory and models are not looked at: only GPUs too full to share score -1.

        Parameters
        ----------
        free_cpu_milli : int [1]
            Thousandths of a processor that are free.
        free_gpu_milli : array of int [1]
            Thousandths that are idle on each GPU.
        model : int [1]
            Index of the node's model.

        Returns
        -------
        tuple of array [1]
        """
        table = self._weights[model]
        after = free_cpu_milli - self._cpu
        weights = table[np.searchsorted(self._levels, after, side="right")]
        held = self._held[free_gpu_milli].sum(axis=0)
        fits = self._fits[free_gpu_milli].sum(axis=0)
        idle = int(free_gpu_milli.sum())
        now = table[np.searchsorted(self._levels, free_cpu_milli, side="right")]
        before = idle - now @ (held * (fits >= self._count)) + self._stranded(free_cpu_milli, idle)
        score = np.empty(len(after), dtype=np.int64)
        gpu = np.zeros(len(after), dtype=np.int64)

        taken = self._numbers[:, None]
        left = (held - GPU_MILLI * taken) * ((fits - taken) >= self._count)
        usable = np.einsum("kd,kd->k", left[self._number], weights[self._wholes])
        rest = idle - GPU_MILLI * self._numbers[self._number]
        rows = self._wholes
        score[rows] = _score(before - rest + usable - self._stranded(after[rows], rest))

        # GPUs with as much idle are as good as each other: look at the first of each.
        choices = np.sort(np.unique(free_gpu_milli, return_index=True)[1])
        old = free_gpu_milli[choices][:, None]
        new = np.maximum(old - self._sizes, 0)
        left = (held - self._held[old] + self._held[new]) * (
            (fits - self._fits[old] + self._fits[new]) >= self._count
        )
        rows = self._shares
        usable = np.einsum("gsd,sd->gs", left[:, self._size], weights[rows])
        rest = idle - self._milli
        found = _score(before - rest + usable - self._stranded(after[rows], rest))
        found = np.where(old >= self._milli, found, -1)
        best = found.argmax(axis=0)
        score[rows] = found[best, np.arange(len(rows))]
        gpu[rows] = choices[best]
        return score, gpu

    def _stranded(self, cpu_milli: Any, idle_milli: Any) -> Any:
        return (
            0.0 if self._ratio is None else stranded_gpu_milli(cpu_milli, idle_milli, self._ratio)
        )


def _score(less_milli: np.ndarray) -> np.ndarray:
    return np.floor(100.0 / (1.0 + np.exp(-less_milli / GPU_MILLI)) + _ROUNDING).astype(np.int64)


def distinct_kinds(tasks: FleetTasks) -> tuple[FleetTasks, np.ndarray]:
    """Tasks that differ in nothing are one kind.

    .. math:: t_i = k_{j(i)}

    Parameters
    ----------
    tasks : FleetTasks

    Returns
    -------
    tuple of FleetTasks and array of int [1]
        The kinds, and the kind of each task.

    Source: counting; no publication.

    >>> ones = np.ones(3, dtype=int)
    >>> tasks = FleetTasks(ones, ones, ones, np.array([500, 200, 500]), ("",) * 3)
    >>> kinds, kind = distinct_kinds(tasks)
    >>> kinds.gpu_milli, kind
    (array([200, 500]), array([1, 0, 1]))
    """
    names, name = np.unique(np.array(tasks.gpu_models), return_inverse=True)
    columns = [getattr(tasks, one.name) for one in fields(tasks)[:-1]]
    kinds, kind = np.unique(np.stack([*columns, name], axis=1), axis=0, return_inverse=True)
    models = tuple(str(names[one]) for one in kinds[:, -1])
    return FleetTasks(*kinds[:, :-1].T, models), kind.ravel()
