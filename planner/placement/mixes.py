"""Who arrives at a large fleet: its nodes, its tasks, their order, and harder mixes of them."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from planner.errors import InvalidScenario

GPU_MILLI = 1000
"""Thousandths of a GPU in a whole one."""
MOST_GPUS = 62
"""GPUs of one node at most: which of them a task uses is kept as the bits of one number."""


@dataclass(frozen=True, slots=True, eq=False)
class FleetNodes:
    """The nodes of a fleet, one row each.

    >>> FleetNodes.__slots__[2]
    'gpus'
    """

    cpu_milli: np.ndarray
    """Thousandths of a processor that tasks may be promised [1]."""
    memory_mib: np.ndarray
    """Memory that tasks may be promised [MiB]."""
    gpus: np.ndarray
    """GPUs of the node [gpu]."""
    gpu_model: tuple[str, ...]
    """What its GPUs are called."""

    def __post_init__(self) -> None:
        _check(self, "nodes", ("cpu_milli", "memory_mib", "gpus"), self.gpu_model)
        if not 0 < self.gpus.max(initial=0) <= MOST_GPUS:
            raise InvalidScenario(
                f"Nodes: {self.gpus.max(initial=0)} GPUs on the largest one; give 1 to {MOST_GPUS}."
            )

    @property
    def gpu_milli(self) -> int:
        """All GPUs of the fleet, in thousandths [1]."""
        return int(self.gpus.sum()) * GPU_MILLI


@dataclass(frozen=True, slots=True, eq=False)
class FleetTasks:
    """Tasks, one row each: none, a part of one, or several whole GPUs.

    >>> FleetTasks.__slots__[3]
    'gpu_milli'
    """

    cpu_milli: np.ndarray
    """Thousandths of a processor [1]."""
    memory_mib: np.ndarray
    """Memory [MiB]."""
    gpus: np.ndarray
    """GPUs that the task uses; 0 for none [gpu]."""
    gpu_milli: np.ndarray
    """Thousandths of each GPU: 1 to 999 for a part of one, 1,000 for whole ones [1]."""
    gpu_models: tuple[str, ...]
    """Which models will do, such as ``V100M16|V100M32``; empty for any."""

    def __post_init__(self) -> None:
        names = ("cpu_milli", "memory_mib", "gpus", "gpu_milli")
        _check(self, "tasks", names, self.gpu_models)
        part = (self.gpus == 1) & (self.gpu_milli > 0) & (self.gpu_milli <= GPU_MILLI)
        whole = (self.gpus > 1) & (self.gpu_milli == GPU_MILLI)
        wrong = ~(part | whole | ((self.gpus == 0) & (self.gpu_milli == 0)))
        if wrong.any():
            row = int(wrong.argmax())
            raise InvalidScenario(
                f"Tasks: row {row} asks for {self.gpus[row]} GPUs of {self.gpu_milli[row]} "
                "thousandths each; ask for no GPU, 1 to 999 thousandths of one, or whole ones."
            )

    def __len__(self) -> int:
        return len(self.gpus)

    @property
    def asked_milli(self) -> np.ndarray:
        """Thousandths of GPUs that each task asks for [1]."""
        return self.gpus * self.gpu_milli

    @property
    def shares(self) -> np.ndarray:
        """1 where the task asks for a part of one GPU [1]."""
        return (self.gpus == 1) & (self.gpu_milli < GPU_MILLI)

    def take(self, rows: np.ndarray) -> FleetTasks:
        """Some of the tasks, in the given order and as often as given.

        Parameters
        ----------
        rows : array of int [1]

        Returns
        -------
        FleetTasks
        """
        columns = (getattr(self, one.name) for one in fields(self)[:-1])
        return FleetTasks(*(one[rows] for one in columns), tuple(self.gpu_models[i] for i in rows))


def _check(record: FleetNodes | FleetTasks, what: str, names: tuple, texts: tuple) -> None:
    for name in names:
        column = getattr(record, name)
        if column.shape != (len(texts),) or column.dtype.kind not in "iu":
            raise InvalidScenario(
                f"{what}.{name} must be a row of {len(texts)} whole numbers, one for each of the "
                f"{what}; it has shape {column.shape} and type {column.dtype}."
            )
        if (column < 0).any():
            raise InvalidScenario(
                f"{what}.{name} is {column.min()} in row {int(column.argmin())}; give 0 or more."
            )


def draw_arrivals(
    nodes: FleetNodes, tasks: FleetTasks, demand_fraction: float, seed: int
) -> np.ndarray:
    """A random order of arrival until the tasks ask for a share of the fleet's GPUs.

    .. math:: \\sum_i g_i \\le d \\sum_n G_n

    Every task arrives once, in random order; then tasks drawn with replacement follow until the
    next would ask for more than the share. A list that asks for more loses random tasks.

    Parameters
    ----------
    nodes : FleetNodes
    tasks : FleetTasks
    demand_fraction : float [fraction]
        GPUs asked for over GPUs of the fleet; above 1 the fleet overflows.
    seed : int [1]

    Returns
    -------
    array of int [1]
        Rows of ``tasks`` in order of arrival.

    Source: the runs of Weng et al., USENIX ATC 2023, section 6, and the tuning of their workload in
    github.com/hkust-adsl/kubernetes-scheduler-simulator, pkg/simulator/simulator.go.

    >>> nodes = FleetNodes(np.array([8000]), np.array([64]), np.array([2]), ("T4",))
    >>> half = np.array([500])
    >>> task = FleetTasks(np.array([1000]), np.array([1]), np.array([1]), half, ("",))
    >>> draw_arrivals(nodes, task, 1.3, seed=1)
    array([0, 0, 0, 0, 0])
    """
    asked, most = tasks.asked_milli, demand_fraction * nodes.gpu_milli
    if not (asked.any() and most >= asked.max()):
        raise InvalidScenario(
            f"Demand of {demand_fraction} of the fleet is less than one task asks for, or no task "
            "asks for a GPU; raise the demand or add tasks with GPUs."
        )
    random = np.random.default_rng(seed)
    order = random.permutation(len(tasks))
    if asked.sum() > most:
        lost = random.permutation(len(tasks))
        kept = asked.sum() - np.cumsum(asked[order[lost]]) > most
        return np.delete(order, lost[: np.count_nonzero(kept) + 1])
    more, total = [], asked.sum()
    while True:
        drawn = random.integers(len(tasks), size=1024)
        reached = total + np.cumsum(asked[drawn])
        more.append(drawn[: np.searchsorted(reached, most, side="right")])
        total = reached[-1]
        if total > most:
            return np.concatenate([order, *more])


def share_mix(tasks: FleetTasks, share_fraction: float, seed: int) -> FleetTasks:
    """A harder mix: parts of GPUs make up a given share of all GPUs asked for.

    .. math:: N_s = N \\frac{f \\bar g_w}{f \\bar g_w + (1 - f) \\bar g_s}

    Tasks without a GPU stay as they are. As many tasks with GPUs as before are drawn with
    replacement, :math:`N_s` of them among those that share a GPU (mean :math:`\\bar g_s`) and the
    others among those with whole GPUs (mean :math:`\\bar g_w`). One draw misses the share by
    chance: by 0.2 of 100 points for 7,000 tasks, as a rule.

    Parameters
    ----------
    tasks : FleetTasks
    share_fraction : float [fraction]
        Of the GPUs asked for.
    seed : int [1]

    Returns
    -------
    FleetTasks
        As many as before: without a GPU, with a part of one, with whole ones.

    Source: the lists openb_pod_list_gpushare40 to 100 of Weng et al., USENIX ATC 2023, section 6,
    which keep the 8,152 tasks of the default list; github.com/alibaba/clusterdata,
    cluster-trace-gpu-v2023.

    >>> ones = np.ones(4, dtype=int)
    >>> tasks = FleetTasks(ones, ones, ones, np.array([500, 500, 1000, 1000]), ("",) * 4)
    >>> share_mix(tasks, 0.6, seed=1).gpu_milli
    array([ 500,  500,  500, 1000])
    """
    if not 0 <= share_fraction <= 1:
        raise InvalidScenario(
            f"Share of {share_fraction} of the GPUs for tasks that share one; give 0 to 1."
        )
    none = np.flatnonzero(tasks.gpus == 0)
    part = np.flatnonzero(tasks.shares)
    whole = np.flatnonzero((tasks.gpus > 0) & ~tasks.shares)
    if not (len(part) or share_fraction == 0) or not (len(whole) or share_fraction == 1):
        raise InvalidScenario(
            "Tasks: a mix needs some that ask for a part of a GPU and some that ask for whole ones."
        )
    asked = tasks.asked_milli
    of_part = share_fraction * (asked[whole].mean() if len(whole) else 1.0)
    of_whole = (1 - share_fraction) * (asked[part].mean() if len(part) else 1.0)
    count = len(part) + len(whole)
    sharing = int(np.rint(count * of_part / (of_part + of_whole)))
    random = np.random.default_rng(seed)
    drawn = [random.choice(part, sharing)] if sharing else []
    drawn += [random.choice(whole, count - sharing)] if sharing < count else []
    return tasks.take(np.concatenate([none, *drawn]))
