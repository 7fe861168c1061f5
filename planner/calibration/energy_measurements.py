"""Published measurements of the energy of serving, as cases with what was observed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from planner.calibration.csv_files import read_table
from planner.errors import MissingData
from planner.performance import (
    OPTIONAL_COLUMNS,
    REQUIRED_COLUMNS,
    CaseReading,
    Cases,
    Reference,
    deployment_speed,
    read_cases,
)

ENERGY_TABLE = Path("calibration") / "energy.csv"
SOFTWARE = ("vllm-2024", "transformers-2023")
"""Engine software of the measurements, older than the speeds that the performance model knows."""
SAME = ("model", "gpu", "gpu_count", "engine", "workload")
"""What a configuration states but for the number of requests in flight."""


@dataclass(frozen=True, slots=True)
class EnergyMeasurements:
    """Measurements that are fit to calibrate with, in the order of the table."""

    ids: tuple[str, ...]
    cases: Cases
    j_per_output_token: np.ndarray
    output_tokens_per_s: np.ndarray
    software: np.ndarray
    """Index into ``SOFTWARE``."""
    model_step_s: np.ndarray
    """Step that the performance model predicts for the engines that it knows [s]."""
    rows: tuple[Mapping[str, str], ...]
    """The rows as published."""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def gpus(self) -> np.ndarray:
        """GPUs of the deployment [gpu]."""
        return self.cases.layout.replicas * self.cases.layout.gpus_per_replica

    @property
    def power_w(self) -> np.ndarray:
        """Mean power of one GPU [W]."""
        return self.j_per_output_token * self.output_tokens_per_s / self.gpus

    @property
    def step_s(self) -> np.ndarray:
        """Between two tokens of a request, from the measured throughput [s]."""
        return self.cases.concurrency / self.output_tokens_per_s


def read_energy(reference: Reference) -> tuple[EnergyMeasurements, tuple[tuple[str, str], ...]]:
    """The measurements of energy, and those that are left out.

    Parameters
    ----------
    reference : Reference

    Returns
    -------
    tuple
        The measurements, and the id of every other row with its reason.
    """
    rows = read_table(reference.catalogue.folder / ENERGY_TABLE)
    return energy_measurements_of(rows, reference)


def energy_measurements_of(
    rows: Iterable[Mapping[str, str]], reference: Reference
) -> tuple[EnergyMeasurements, tuple[tuple[str, str], ...]]:
    """These rows of the table, sorted into measurements and rows that are left out.

    Parameters
    ----------
    rows : iterable of mappings
    reference : Reference

    Returns
    -------
    tuple
        The measurements, and the id of every other row with its reason.
    """
    rows = tuple(rows)
    reasons = {row["id"]: _reason(row) for row in rows}
    readable = [row for row in rows if not reasons[row["id"]]]
    for row, error in zip(readable, _read(readable, reference).errors, strict=True):
        if error.startswith("There is no model"):
            reasons[row["id"]] = "the model's architecture is not in the catalogue"
        elif error:
            raise MissingData(f"{ENERGY_TABLE.name}, {row['id']}: {error}")
    used = tuple(row for row in rows if not reasons[row["id"]])
    return _measurements(used, reference), tuple(
        (name, reason) for name, reason in reasons.items() if reason
    )


def configurations(measured: EnergyMeasurements) -> np.ndarray:
    """A whole number for each configuration, whatever the number of requests in flight.

    Parameters
    ----------
    measured : EnergyMeasurements

    Returns
    -------
    array of int
        One entry for each measurement.
    """
    texts = ["|".join(row[name] for name in SAME) for row in measured.rows]
    return np.unique(texts, return_inverse=True)[1].ravel()


def _reason(row: Mapping[str, str]) -> str:
    if not row["isl"]:
        return "images in the prompt, whose tokens are not stated"
    return ""


def _read(rows: Iterable[Mapping[str, str]], reference: Reference) -> CaseReading:
    rows = tuple(rows)
    columns = (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS)
    return read_cases({name: [row.get(name, "") for row in rows] for name in columns}, reference)


def _measurements(rows: tuple[Mapping[str, str], ...], reference: Reference) -> EnergyMeasurements:
    cases = _read(rows, reference).cases
    # The batch is known to have been resident, whatever the memory model says.
    speed = deployment_speed(cases, reference, reference.model, cases.concurrency)
    return EnergyMeasurements(
        ids=tuple(row["id"] for row in rows),
        cases=cases,
        j_per_output_token=_numbers(rows, "obs_energy_j_per_output_token"),
        output_tokens_per_s=_numbers(rows, "obs_output_tokens_per_s"),
        software=np.array([0 if row["engine"].lower().startswith("vllm") else 1 for row in rows]),
        model_step_s=cases.concurrency / speed.output_tokens_per_s,
        rows=rows,
    )


def _numbers(rows: tuple[Mapping[str, str], ...], column: str) -> np.ndarray:
    return np.array([float(row[column]) for row in rows])
