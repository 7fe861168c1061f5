"""Published serving measurements as cases with what was observed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from planner.calibration.csv_files import read_table
from planner.performance import RUNS, Cases, Reference, read_layout

TABLE = Path("calibration") / "serving.csv"
EXCLUSIONS = Path("calibration") / "exclusions.csv"
DEFAULTS = {"kv_precision": "bf16", "engine": "generic"}


@dataclass(frozen=True, slots=True)
class Observed:
    """What was measured; not-a-number where it was not."""

    ttft_s: np.ndarray
    tpot_s: np.ndarray
    output_tokens_per_s: np.ndarray


@dataclass(frozen=True, slots=True)
class Measurements:
    """Measurements that are fit to calibrate with, in the order of the table."""

    ids: tuple[str, ...]
    cases: Cases
    observed: Observed
    run: np.ndarray
    """Index into ``RUNS``: how the benchmark loaded the engine."""
    rows: tuple[Mapping[str, str], ...]
    """The rows as published."""

    def __len__(self) -> int:
        return len(self.ids)


def read_measurements(reference: Reference) -> Measurements:
    """All measurements but the excluded ones.

    Every row that is not used stands in ``exclusions.csv`` with its reason; a row that can neither
    be used nor is excluded raises :class:`MissingData`.
    """
    folder = reference.catalogue.folder
    excluded = {row["id"] for row in read_table(folder / EXCLUSIONS)}
    rows = [row for row in read_table(folder / TABLE) if row["id"] not in excluded]
    return measurements_of(rows, reference)


def measurements_of(rows: Iterable[Mapping[str, str]], reference: Reference) -> Measurements:
    """These rows of the table as cases.

    Raises :class:`MissingData` when a name is not in the catalogue.
    """
    rows = tuple(rows)
    return Measurements(
        ids=tuple(row["id"] for row in rows),
        cases=read_cases(rows, reference),
        observed=Observed(
            _numbers(rows, "obs_ttft_s"),
            _numbers(rows, "obs_tpot_s"),
            _numbers(rows, "obs_output_tokens_per_s"),
        ),
        run=np.array([RUNS.index(_run(row)) for row in rows]),
        rows=rows,
    )


def read_cases(rows: Iterable[Mapping[str, str]], reference: Reference) -> Cases:
    """The configurations of rows of text with the columns of ``planner predict``."""
    rows, catalogue = tuple(rows), reference.catalogue
    found = {
        "model": (reference.models, catalogue.model),
        "gpu": (reference.gpus, catalogue.accelerator),
        "weight_precision": (reference.precisions, catalogue.weight_precision),
        "kv_precision": (reference.precisions, catalogue.kv_precision),
        "engine": (reference.engines, catalogue.serving_engine),
    }
    index = {}
    for column, (ids, look_up) in found.items():
        names = [row[column] or DEFAULTS.get(column, "") for row in rows]
        place = {name: ids.index(look_up(name).id) for name in set(names)}
        index[column] = np.array([place[name] for name in names])
    unstated = np.array([not row["kv_precision"] for row in rows])
    kv = reference.cache_precision(index["engine"], index["weight_precision"])
    domain = np.array([one.nvlink_domain_gpus for one in catalogue.accelerators.values()])
    columns = ("gpu_count", "tensor_parallel", "pipeline_parallel", "expert_parallel")
    layout = read_layout(
        *(_numbers(rows, name) for name in (*columns, "data_parallel")),
        mixture=reference.families[index["model"]] > 0,
        domain_gpus=domain[index["gpu"]],
    )
    offline = np.array([row["concurrency"] == "max" for row in rows])
    return Cases(
        model=index["model"],
        gpu=index["gpu"],
        precision=index["weight_precision"],
        kv_precision=np.where(unstated, kv, index["kv_precision"]),
        engine=index["engine"],
        layout=layout,
        isl=_numbers(rows, "isl"),
        osl=_numbers(rows, "osl"),
        concurrency=np.where(offline, np.inf, _numbers(rows, "concurrency")),
        utilization_fraction=_numbers(rows, "gpu_memory_utilization"),
    )


def _run(row: Mapping[str, str]) -> str:
    kind = row["concurrency_type"]
    if row["concurrency"] == "max":
        return "offline"
    if kind.startswith("all "):
        return "burst"
    return "static" if kind.startswith("static") else "steady"


def _numbers(rows: tuple[Mapping[str, str], ...], column: str) -> np.ndarray:
    return np.array([_number(row.get(column, "")) for row in rows], dtype=float)


def _number(text: Any) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        return np.nan
