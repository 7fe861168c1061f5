"""What calibration found about the energy of serving, from ``data/calibration/energy_*.csv``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from planner.catalogue.efficiencies import FOLDER, Score, read_scores
from planner.catalogue.records import Basis, Source
from planner.catalogue.tables import read_rows
from planner.errors import MissingData

ENERGY_QUANTITIES = ("power", "energy")
"""What is judged: the power of a GPU at the measured speed, and the joules per output token at the
predicted one."""


@dataclass(frozen=True, slots=True)
class EnergyEfficiencies:
    """The calibrated model of a GPU's power, its ranges and its own scores."""

    coefficients: Mapping[str, float]
    """By term: how much one second of a kind of work in a second raises the power."""
    host_coefficients: Mapping[str, Mapping[str, float]]
    """By engine software of the measurements and term: the host time that its age added to a step;
    only the scores use it."""
    corrections: Mapping[str, float]
    """By GPU: logarithm of the factor on its activity."""
    ranges: Mapping[tuple[str, str], tuple[float, float]]
    """By quantity and kind: factors of the low and the high end of the 80 % range."""
    scores: tuple[Score, ...]
    models: frozenset[str]
    """Ids of the models whose energy was measured."""
    gpus: frozenset[str]
    pairs: frozenset[tuple[str, str]]
    """Models and GPUs that were measured together."""
    source: Source


def load_energy_efficiencies(folder: Path) -> EnergyEfficiencies:
    """The calibration of energy in a data folder.

    Parameters
    ----------
    folder : Path
        That holds ``calibration/``.

    Returns
    -------
    EnergyEfficiencies

    Raises :class:`MissingData` when it was never calibrated.

    >>> from planner.catalogue.catalogue import find_data
    >>> sorted(load_energy_efficiencies(find_data()).coefficients)
    ['arithmetic', 'host', 'link', 'memory', 'waiting']
    """
    folder = folder / FOLDER
    if not (folder / "energy_terms.csv").is_file():
        raise MissingData(
            "data/calibration/energy_terms.csv is missing; `make calibrate` writes it from the "
            "measurements."
        )
    coefficients: dict[str, float] = {}
    host: dict[str, dict[str, float]] = {}
    for row in read_rows(folder / "energy_terms.csv"):
        software = row.text("software")
        terms = host.setdefault(software, {}) if software else coefficients
        terms[row.required("term")] = row.number("coefficient")
    measured = read_rows(folder / "energy_measured.csv")
    pairs = frozenset((row.required("model"), row.required("gpu")) for row in measured)
    return EnergyEfficiencies(
        coefficients=coefficients,
        host_coefficients=host,
        corrections={
            row.required("gpu"): row.number("log_factor")
            for row in read_rows(folder / "energy_corrections.csv")
        },
        ranges={
            (row.required("quantity"), row.required("kind")): (
                row.number("low_factor"),
                row.number("high_factor"),
            )
            for row in read_rows(folder / "energy_ranges.csv")
        },
        scores=read_scores(folder / "energy_scores.csv"),
        models=frozenset(model for model, _ in pairs),
        gpus=frozenset(gpu for _, gpu in pairs),
        pairs=pairs,
        source=Source(
            "fitted to published energy measurements by `make calibrate`",
            "data/calibration/energy_terms.csv, from data/calibration/energy.csv",
            max((row.text("newest") for row in measured), default=""),
            Basis.INTERPOLATED,
        ),
    )
