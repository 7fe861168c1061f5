"""Published serving measurements as cases with what was observed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from planner.calibration.csv_files import read_table
from planner.errors import MissingData
from planner.performance import (
    OPTIONAL_COLUMNS,
    REQUIRED_COLUMNS,
    RUNS,
    Cases,
    Reference,
    read_cases,
)

TABLE = Path("calibration") / "serving.csv"
EXCLUSIONS = Path("calibration") / "exclusions.csv"


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

    Parameters
    ----------
    reference : Reference

    Returns
    -------
    Measurements
    """
    folder = reference.catalogue.folder
    excluded = {row["id"] for row in read_table(folder / EXCLUSIONS)}
    rows = [row for row in read_table(folder / TABLE) if row["id"] not in excluded]
    return measurements_of(rows, reference)


def measurements_of(rows: Iterable[Mapping[str, str]], reference: Reference) -> Measurements:
    """These rows of the table as cases.

    Raises :class:`MissingData` when a name is not in the catalogue.

    Parameters
    ----------
    rows : iterable of mappings
    reference : Reference

    Returns
    -------
    Measurements
    """
    rows = tuple(rows)
    return Measurements(
        ids=tuple(row["id"] for row in rows),
        cases=_cases(rows, reference),
        observed=Observed(
            _numbers(rows, "obs_ttft_s"),
            _numbers(rows, "obs_tpot_s"),
            _numbers(rows, "obs_output_tokens_per_s"),
        ),
        run=np.array([RUNS.index(_run(row)) for row in rows]),
        rows=rows,
    )


def _cases(rows: tuple[Mapping[str, str], ...], reference: Reference) -> Cases:
    """By the rule of ``planner predict``, but nothing may be wrong with a measurement."""
    columns = (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS)
    read = read_cases({name: [row.get(name, "") for row in rows] for name in columns}, reference)
    for row, error in zip(rows, read.errors, strict=True):
        if error:
            raise MissingData(f"{TABLE.name}, {row['id']}: {error}")
    return read.cases


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
