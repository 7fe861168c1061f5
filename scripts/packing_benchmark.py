"""Packing shared GPUs on a fleet of 6,212: our policies beside the published ones.

Run ``python scripts/packing_benchmark.py``: ten runs of each policy on the published list of
tasks, then fewer on harder mixes drawn from it; about two minutes on one core. ``--write`` also
keeps the tables in docs/packing.md. ``tests/test_packing_benchmark.py`` holds the limits.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections.abc import Iterable
from pathlib import Path

if __name__ == "__main__":
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from planner.placement import (  # noqa: E402
    PACKING_POLICIES,
    FleetNodes,
    FleetTasks,
    draw_arrivals,
    pack_fleet,
    share_mix,
)

PUBLISHED = ROOT / "tests" / "published" / "packing"
REPORT = ROOT / "docs" / "packing.md"
SEEDS = range(42, 52)
"""The published runs have these; another generator draws other orders from them."""
MIX_SEEDS = 3
DEMAND = 1.3
STAGES = (1.0, 1.3)
"""Shares of the fleet's GPUs that have been asked for when the use is compared."""
MIXES = (40, 60, 80, 100)
THEIR_NAMES = {
    "random": "Random",
    "dot-product": "DotProd",
    "packing": "GpuPacking",
    "best-fit": "BestFit",
    "fragmentation": "FGD",
}
"""Our policies by the published name; the others are ours alone."""
PREFACE = """\
# Packing shared GPUs: a published benchmark

Percent of 6,212 GPUs in use when tasks, arriving in random order, have asked for 100 and 130 % of
them. Published means of ten runs: Weng et al., USENIX ATC 2023, from the results in
github.com/hkust-adsl/kubernetes-scheduler-simulator (commit 8f3d641). Made by
`python scripts/packing_benchmark.py --write`.

Every policy is online: tasks are taken in their order, none is dropped for its kind, tried again
or moved. `fragmentation` is the published rule (FGD); `balanced-fragmentation` is our own
addition, which was chosen on other seeds than these.
"""


def _columns(name: str) -> dict[str, list[str]]:
    with open(PUBLISHED / name, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {key: [row[key] for row in rows] for key in rows[0]}


def _whole(texts: Iterable[str]) -> np.ndarray:
    return np.array([int(text) for text in texts])


def published_fleet() -> tuple[FleetNodes, FleetTasks]:
    """The published nodes and the default list of tasks."""
    nodes, tasks = _columns("nodes.csv"), _columns("tasks.csv")
    return (
        FleetNodes(
            _whole(nodes["cpu_milli"]),
            _whole(nodes["memory_mib"]),
            _whole(nodes["gpu"]),
            tuple(nodes["model"]),
        ),
        FleetTasks(
            _whole(tasks["cpu_milli"]),
            _whole(tasks["memory_mib"]),
            _whole(tasks["num_gpu"]),
            _whole(tasks["gpu_milli"]),
            tuple(tasks["gpu_spec"]),
        ),
    )


def published_percent(task_list: str) -> dict[str, np.ndarray]:
    """Percent of the GPUs in use at each stage by the published policy, for one list of tasks."""
    table = _columns("allocated_percent.csv")
    values = zip(table["at_100_percent"], table["at_130_percent"], strict=True)
    rows = zip(table["task_list"], table["policy"], values, strict=True)
    return {policy: np.array(two, dtype=float) for name, policy, two in rows if name == task_list}


def percent_in_use(
    nodes: FleetNodes, tasks: FleetTasks, policy: str, seeds: Iterable[int]
) -> np.ndarray:
    """Percent of the GPUs in use at each stage, one row for each run."""
    runs = (
        pack_fleet(nodes, tasks, draw_arrivals(nodes, tasks, DEMAND, seed), policy, seed)
        for seed in seeds
    )
    return np.array([[100.0 * run.allocated_fraction(stage) for stage in STAGES] for run in runs])


def _row(policy: str, ours: np.ndarray, theirs: np.ndarray | None) -> str:
    mean = ours.mean(axis=0)
    spread = ", ".join(
        f"{low:.1f} to {high:.1f}" for low, high in zip(ours.min(0), ours.max(0), strict=True)
    )
    cells = [f"{value:.2f}" for value in mean]
    cells += ["", ""] if theirs is None else [f"{value:.2f}" for value in theirs]
    return f"| {policy} | {' | '.join(cells)} | {spread} |"


def table(title: str, task_list: str, tasks: FleetTasks, seeds: Iterable[int]) -> list[str]:
    """One table: our policies on a list of tasks beside the published ones."""
    nodes, _ = published_fleet()
    theirs, seeds = published_percent(task_list), list(seeds)
    lines = [
        f"## {title}: {len(seeds)} runs",
        "",
        "| policy | at 100 % | at 130 % | published, 100 % | published, 130 % | our runs |",
        "|---|---|---|---|---|---|",
    ]
    for policy in PACKING_POLICIES:
        ours = percent_in_use(nodes, tasks, policy, seeds)
        lines.append(_row(policy, ours, theirs.get(THEIR_NAMES.get(policy, ""))))
        print(lines[-1], flush=True)
    return [*lines, ""]


def main() -> None:
    """Print the tables, and keep them when asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=len(SEEDS), help="runs on the default list")
    parser.add_argument("--mix-runs", type=int, default=MIX_SEEDS, help="runs on each mix; 0: none")
    parser.add_argument("--write", action="store_true", help="keep the tables in docs/packing.md")
    asked = parser.parse_args()
    _, tasks = published_fleet()
    lines = [PREFACE, *table("The published list", "default", tasks, SEEDS[: asked.runs])]
    for percent in MIXES if asked.mix_runs else ():
        mix = share_mix(tasks, percent / 100, seed=percent)
        title = f"Parts of GPUs are {percent} % of what is asked for (our draw, not their list)"
        lines += table(title, f"gpushare{percent}", mix, SEEDS[: asked.mix_runs])
    if asked.write:
        REPORT.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
