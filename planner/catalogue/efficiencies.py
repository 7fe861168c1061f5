"""Measured efficiencies: what calibration found, from ``data/calibration/``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from planner.catalogue.records import Basis, Source
from planner.catalogue.tables import read_rows
from planner.errors import MissingData

FOLDER = "calibration"
QUANTITIES = ("tpot", "ttft", "throughput")
"""What is predicted with a range."""
KINDS = ("configuration", "model", "gpu")
"""What may be new to a prediction: the configuration alone, its model, or its GPU."""


@dataclass(frozen=True, slots=True)
class Correction:
    """One entry of a hierarchical correction: the logarithm of a factor."""

    stage: str
    """``tpot`` or ``ttft``."""
    level: str
    key: str
    """Ids that the level names, joined by ``|``."""
    group: str
    """Terms that it scales, or ``all``."""
    log_factor: float
    """Natural logarithm of the factor [1]."""
    rows: int
    """Measurements behind it [1]."""


@dataclass(frozen=True, slots=True)
class Score:
    """How far predictions were off for one quantity, with one kind of thing left out of the fit."""

    quantity: str
    left_out: str
    """``nothing``, ``configuration``, ``model`` or ``gpu``."""
    subset: str
    rows: int
    median: float
    """Median absolute relative error [fraction]."""
    mean: float
    """Mean absolute relative error [fraction]."""
    bias: float
    """Median of predicted over measured, less one [fraction]."""
    coverage: float
    """Share of measurements inside the 80 % range, its quantiles taken from other groups
    [fraction]; not-a-number in fit."""


@dataclass(frozen=True, slots=True)
class Efficiencies:
    """The calibrated performance model: coefficients, corrections, ranges and its own scores."""

    coefficients: Mapping[str, Mapping[str, float]]
    """By stage and term: what multiplies each peak-rate time."""
    corrections: tuple[Correction, ...]
    ranges: Mapping[tuple[str, str, str], tuple[float, float]]
    """By quantity, kind and family: factors of the low and the high end of the 80 % range."""
    scores: tuple[Score, ...]
    models: frozenset[str]
    """Ids of the models that were measured."""
    gpus: frozenset[str]
    pairs: frozenset[tuple[str, str]]
    """Models and GPUs that were measured together."""
    source: Source


def load_efficiencies(folder: Path) -> Efficiencies:
    """The calibration in a data folder.

    Parameters
    ----------
    folder : Path
        That holds ``calibration/``.

    Returns
    -------
    Efficiencies

    Raises :class:`MissingData` when it was never calibrated.

    >>> from planner.catalogue.catalogue import find_data
    >>> sorted(load_efficiencies(find_data()).coefficients)
    ['tpot', 'ttft']
    """
    folder = folder / FOLDER
    if not (folder / "terms.csv").is_file():
        raise MissingData(
            "data/calibration/terms.csv is missing; `make calibrate` writes it from the "
            "measurements."
        )
    coefficients: dict[str, dict[str, float]] = {}
    for row in read_rows(folder / "terms.csv"):
        stage = coefficients.setdefault(row.required("stage"), {})
        stage[row.required("term")] = row.number("coefficient")
    corrections = tuple(
        Correction(
            row.required("stage"),
            row.required("level"),
            row.required("key"),
            row.required("group"),
            row.number("log_factor"),
            row.whole("rows"),
        )
        for row in read_rows(folder / "corrections.csv")
    )
    ranges = {
        (row.required("quantity"), row.required("kind"), row.required("family")): (
            row.number("low_factor"),
            row.number("high_factor"),
        )
        for row in read_rows(folder / "ranges.csv")
    }
    pairs = frozenset(
        (row.required("model"), row.required("gpu")) for row in read_rows(folder / "measured.csv")
    )
    dated = max((row.text("newest") for row in read_rows(folder / "measured.csv")), default="")
    return Efficiencies(
        coefficients=coefficients,
        corrections=corrections,
        ranges=ranges,
        scores=read_scores(folder / "scores.csv"),
        models=frozenset(model for model, _ in pairs),
        gpus=frozenset(gpu for _, gpu in pairs),
        pairs=pairs,
        source=Source(
            "fitted to published serving measurements by `make calibrate`",
            "data/calibration/, from data/calibration/serving.csv",
            dated,
            Basis.INTERPOLATED,
        ),
    )


def read_scores(path: Path) -> tuple[Score, ...]:
    """Every row of a table of scores.

    Parameters
    ----------
    path : Path

    Returns
    -------
    tuple of Score

    >>> from planner.catalogue.catalogue import find_data
    >>> {one.quantity for one in read_scores(find_data() / FOLDER / "energy_scores.csv")} == {
    ...     "power", "energy"}
    True
    """
    return tuple(
        Score(
            row.required("quantity"),
            row.required("left_out"),
            row.required("subset"),
            row.whole("rows"),
            row.number("median"),
            row.number("mean"),
            row.number("bias"),
            row.number("coverage"),
        )
        for row in read_rows(path)
    )
