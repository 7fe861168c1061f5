"""Fits the memory model of fine-tuning to published peaks, and scores it on sources left out.

The bytes are derived from the types of tensors; two factors are fitted, one on activations and one
on what the allocator holds beside tensors. A vendor's guidance is neither fitted nor scored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from planner.calibration.csv_files import read_table
from planner.calibration.finetune_rows import FinetuneCase, finetune_case, observed_bytes
from planner.catalogue import (
    FIT_TERMS,
    Catalogue,
    Score,
    Source,
    TrainingMemoryFacts,
    load_training_settings,
)

FINETUNE_TABLE = Path("calibration") / "finetune_memory.csv"
LEFT_OUT = ("nothing", "source", "model", "settings")
"""``settings``: as ``source``, and everything that the row itself does not say is taken from the
defaults for a trainer that is not known."""
QUANTITY = "memory"
ACTIVATION_FACTORS = np.round(np.arange(0.7, 1.301, 0.02), 2)
OVERHEADS = np.round(np.arange(0.0, 0.1001, 0.005), 3)
FACTOR_SD, OVERHEAD_SD, PENALTY = 0.2, 0.05, 0.005
"""How far the two may leave 1 and 0, and what a deviation of one costs in mean error."""
LARGEST_ERROR = 0.3
"""Logarithms of errors beyond this count as much: such a row measured something else."""
HELD = 0.8


@dataclass(frozen=True, slots=True)
class FinetuneMeasurements:
    """Published peaks and the cases that they belong to, in the order of the table."""

    rows: tuple[Mapping[str, str], ...]
    cases: tuple[FinetuneCase, ...]
    observed_bytes: np.ndarray
    """Not-a-number where the run was out of memory."""

    @property
    def scored(self) -> np.ndarray:
        """Which rows were measured, and with a number."""
        measured = np.array([row["basis"] == "measured" for row in self.rows])
        return measured & np.isfinite(self.observed_bytes)


@dataclass(frozen=True, slots=True)
class FinetuneFit:
    """The two factors."""

    activation_factor: float
    overhead_fraction: float


def read_finetune(catalogue: Catalogue, *, trainer_known: bool = True) -> FinetuneMeasurements:
    """Every row of the table of peaks, guidance included.

    Parameters
    ----------
    catalogue : Catalogue
    trainer_known : bool
        False to forget which trainer ran, and so its settings.

    Returns
    -------
    FinetuneMeasurements
        Its cases have factors of one: nothing of an earlier fit is in them.
    """
    constants, frameworks = load_training_settings(catalogue.folder)
    ones = dict.fromkeys(FIT_TERMS, 1.0) | {"overhead_fraction": 0.0}
    source = Source("not fitted")
    facts = TrainingMemoryFacts(constants, frameworks, **ones, scores=(), source=source)
    rows = tuple(read_table(catalogue.folder / FINETUNE_TABLE))
    forgotten = {} if trainer_known else {"settings": "", "framework": "generic"}
    return FinetuneMeasurements(
        rows,
        tuple(finetune_case({**row, **forgotten}, catalogue, facts) for row in rows),
        np.array([observed_bytes(row) for row in rows]),
    )


def predicted_finetune(measured: FinetuneMeasurements, fit: FinetuneFit) -> np.ndarray:
    """The peak that the model gives each row.

    Parameters
    ----------
    measured : FinetuneMeasurements
    fit : FinetuneFit

    Returns
    -------
    array [byte]
    """
    return np.array(
        [_predicted(one, fit.activation_factor, fit.overhead_fraction) for one in measured.cases],
        dtype=float,
    )


def fit_finetune(measured: FinetuneMeasurements, rows: np.ndarray) -> FinetuneFit:
    """The factors of least mean error on some rows, held near one and zero.

    Every pair of a grid is tried, so that the same rows give the same factors everywhere.

    Parameters
    ----------
    measured : FinetuneMeasurements
    rows : array of bool
        Which measurements may be used, one entry each.

    Returns
    -------
    FinetuneFit
    """
    used = np.flatnonzero(rows & measured.scored)
    factors, overheads = ACTIVATION_FACTORS[:, None], OVERHEADS[None, :]
    cost = PENALTY * ((np.log(factors) / FACTOR_SD) ** 2 + (overheads / OVERHEAD_SD) ** 2)
    for i in used:
        predicted = _predicted(measured.cases[i], factors, overheads)
        error = np.abs(np.log(predicted / measured.observed_bytes[i]))
        cost = cost + np.minimum(error, LARGEST_ERROR) / max(len(used), 1)
    best = np.unravel_index(int(np.round(cost, 9).argmin()), cost.shape)
    return FinetuneFit(float(ACTIVATION_FACTORS[best[0]]), float(OVERHEADS[best[1]]))


def cross_validate_finetune(measured: FinetuneMeasurements, left_out: str) -> np.ndarray:
    """Peaks predicted with every row's source or model left out of the fit.

    Parameters
    ----------
    measured : FinetuneMeasurements
    left_out : str
        One of ``LEFT_OUT``.

    Returns
    -------
    array [byte]
    """
    left_out = "source" if left_out == "settings" else left_out
    every = np.ones(len(measured.rows), dtype=bool)
    if left_out == "nothing":
        return predicted_finetune(measured, fit_finetune(measured, every))
    groups = np.array([row[left_out] for row in measured.rows])
    predicted = np.full(len(groups), math.nan)
    for group in np.unique(groups):
        own = groups == group
        predicted[own] = predicted_finetune(measured, fit_finetune(measured, ~own))[own]
    return predicted


def finetune_range(measured: FinetuneMeasurements, predicted: np.ndarray) -> tuple[float, float]:
    """Factors of the ends of the 80 % range: quantiles of measured over predicted.

    Parameters
    ----------
    measured : FinetuneMeasurements
    predicted : array [byte]

    Returns
    -------
    tuple
        Low and high [1].
    """
    ratio = (measured.observed_bytes / predicted)[measured.scored]
    tail = (1.0 - HELD) / 2.0
    # Weibull quantiles: those of a small sample are drawn in by others.
    low, high = np.quantile(ratio, [tail, 1.0 - tail], method="weibull")
    return float(low), float(high)


def finetune_scores(measured: FinetuneMeasurements, predicted: np.ndarray, left_out: str) -> Score:
    """How far predictions are off on the measured rows.

    Parameters
    ----------
    measured : FinetuneMeasurements
    predicted : array [byte]
    left_out : str

    Returns
    -------
    Score
        Its coverage takes the range from other sources alone.
    """
    scored = measured.scored
    error = (predicted / measured.observed_bytes - 1.0)[scored]
    covered = math.nan if left_out == "nothing" else float(_covered(measured, predicted).mean())
    return Score(
        QUANTITY,
        left_out,
        "all",
        int(scored.sum()),
        float(np.median(np.abs(error))),
        float(np.abs(error).mean()),
        float(np.median(error)),
        covered,
    )


def _covered(measured: FinetuneMeasurements, predicted: np.ndarray) -> np.ndarray:
    """Whether the range that the other sources give holds each measured row."""
    scored = measured.scored
    groups = np.array([row["source"] for row in measured.rows])
    inside = np.zeros(len(groups), dtype=bool)
    ratio = measured.observed_bytes / predicted
    for group in np.unique(groups[scored]):
        own = groups == group
        others = replace(measured, observed_bytes=np.where(own, math.nan, measured.observed_bytes))
        low, high = finetune_range(others, predicted)
        inside[own] = (ratio[own] >= low) & (ratio[own] <= high)
    return inside[scored]


def _predicted(
    case: FinetuneCase, factor: float | np.ndarray, overhead: float | np.ndarray
) -> np.ndarray:
    method = replace(case.method, activation_factor=factor, overhead_fraction=overhead)
    found = replace(case, method=method).memory()
    return np.asarray(found.total_bytes if case.outside else found.allocated_bytes)


@dataclass(frozen=True, slots=True)
class FinetuneTables:
    """What the calibration of fine-tuning memory writes."""

    terms: list[tuple[str, str]]
    """Term and coefficient."""
    rows: list[tuple[str, ...]]
    """Every row's id, measured and predicted bytes, in fit and with its source left out."""
    scores: list[Score]


def finetune_tables(catalogue: Catalogue) -> FinetuneTables:
    """Fit, cross-validate and score.

    Parameters
    ----------
    catalogue : Catalogue

    Returns
    -------
    FinetuneTables
        Numbers as text of four digits, blank where there is none.
    """
    known, forgotten = read_finetune(catalogue), read_finetune(catalogue, trainer_known=False)
    fit = fit_finetune(known, np.ones(len(known.rows), dtype=bool))
    used = {one: forgotten if one == "settings" else known for one in LEFT_OUT}
    found = {one: cross_validate_finetune(used[one], one) for one in LEFT_OUT}
    low, high = finetune_range(known, found["source"])
    terms = {
        "activation_factor": fit.activation_factor,
        "overhead_fraction": fit.overhead_fraction,
        "low_factor": low,
        "high_factor": high,
    }
    ends = finetune_range(forgotten, found["settings"])
    # Nothing was measured between the two, so half way is assumed, in logarithms.
    terms["low_factor_unmeasured"] = math.sqrt(low * ends[0])
    terms["high_factor_unmeasured"] = math.sqrt(high * ends[1])
    terms |= {"low_factor_unstated": ends[0], "high_factor_unstated": ends[1]}
    columns = (known.observed_bytes, found["nothing"], found["source"])
    return FinetuneTables(
        [(name, _digits(value)) for name, value in terms.items()],
        [
            (row["id"], row["basis"], *(_digits(column[i]) for column in columns))
            for i, row in enumerate(known.rows)
        ],
        [finetune_scores(used[one], found[one], one) for one in LEFT_OUT],
    )


def _digits(value: float) -> str:
    """Four significant digits; blank for not-a-number."""
    return "" if value != value else f"{value:.4g}"
