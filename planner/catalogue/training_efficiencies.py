"""What calibration found about the speed of training, from ``data/calibration/training_*.csv``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from planner.catalogue.efficiencies import FOLDER, KINDS, Score, read_scores
from planner.catalogue.records import Accelerator, Basis, Source
from planner.catalogue.tables import read_rows
from planner.errors import MissingData

TRAINING_KINDS = (*KINDS, "software")
"""What may be new: the configuration alone, its model, its GPU, or the software that trains."""


@dataclass(frozen=True, slots=True)
class TrainingEfficiencies:
    """The calibrated model of training speed, its ranges and its own scores."""

    coefficients: Mapping[str, float]
    """By term: what multiplies each peak-rate time."""
    corrections: Mapping[tuple[str, str], float]
    """By level (``generation``; ``model``, in a format) and key: logarithm of the factor on a
    token's time."""
    ranges: Mapping[tuple[str, str], tuple[float, float]]
    """By quantity and kind: factors of the low and the high end of the 80 % range."""
    scores: tuple[Score, ...]
    models: frozenset[str]
    """Ids of the models that were measured."""
    formats: frozenset[tuple[str, str]]
    """GPUs that were measured, each with the format it computed in."""
    measured: frozenset[tuple[str, str, str]]
    """Models, GPUs and formats that were measured together."""
    software: frozenset[str]
    """Frameworks that were measured."""
    source: Source

    def log_factor(self, model: str, form: str, generation: str) -> float:
        """Logarithm of what a model in a format and a generation of GPUs add to a token's time.

        Parameters
        ----------
        model : str
            Id.
        form : str
            In which it computes, for example ``8 bit``.
        generation : str
            From :func:`training_generation`.

        Returns
        -------
        float
            0 for what was never measured [1].
        """
        found = self.corrections
        own = found.get(("model", model_key(model, form)), 0.0)
        return own + found.get(("generation", generation), 0.0)


class TrainingTables:
    """The part of the catalogue that says how fast models train."""

    folder: Path

    @cached_property
    def training_efficiencies(self) -> TrainingEfficiencies:
        """The calibrated model of training speed, read when first asked for."""
        return load_training_efficiencies(self.folder)


def model_key(model: str, form: str) -> str:
    """Key of the correction of a model that computes in a format.

    Parameters
    ----------
    model, form : str

    Returns
    -------
    str

    >>> model_key("openai/gpt-oss-120b", "16 bit")
    'openai/gpt-oss-120b|16 bit'
    """
    return f"{model}|{form}"


def training_generation(gpu: Accelerator) -> str:
    """The generation of a GPU, whose members share a correction: NVIDIA's compute capability.

    Parameters
    ----------
    gpu : Accelerator

    Returns
    -------
    str
        Blank for other vendors, of which nothing was measured.

    >>> from planner.catalogue import load_catalogue
    >>> [training_generation(load_catalogue().accelerator(n)) for n in ("h200-sxm-141gb", "mi210")]
    ['9.0', '']
    """
    known = gpu.compute_capability == gpu.compute_capability
    return f"{gpu.compute_capability:.1f}" if known else ""


def load_training_efficiencies(folder: Path) -> TrainingEfficiencies:
    """The calibration of training speed in a data folder.

    Parameters
    ----------
    folder : Path
        That holds ``calibration/``.

    Returns
    -------
    TrainingEfficiencies

    Raises :class:`MissingData` when it was never calibrated.

    >>> from planner.catalogue.catalogue import find_data
    >>> sorted(kind for _, kind in load_training_efficiencies(find_data()).ranges)[::2]
    ['configuration', 'gpu', 'model', 'software']
    """
    folder = folder / FOLDER
    if not (folder / "training_terms.csv").is_file():
        raise MissingData(
            "data/calibration/training_terms.csv is missing; `make calibrate` writes it from the "
            "measurements."
        )
    rows = read_rows(folder / "training_measured.csv")
    measured = frozenset(
        (row.required("model"), row.required("gpu"), row.required("format")) for row in rows
    )
    return TrainingEfficiencies(
        coefficients={
            row.required("term"): row.number("coefficient")
            for row in read_rows(folder / "training_terms.csv")
        },
        corrections={
            (row.required("level"), row.required("key")): row.number("log_factor")
            for row in read_rows(folder / "training_corrections.csv")
        },
        ranges={
            (row.required("quantity"), row.required("kind")): (
                row.number("low_factor"),
                row.number("high_factor"),
            )
            for row in read_rows(folder / "training_ranges.csv")
        },
        scores=read_scores(folder / "training_scores.csv"),
        models=frozenset(model for model, _, _ in measured),
        formats=frozenset((gpu, form) for _, gpu, form in measured),
        measured=measured,
        software=frozenset(row.required("software") for row in rows),
        source=Source(
            "fitted to published training measurements by `make calibrate`",
            "data/calibration/training_terms.csv, from data/calibration/training_throughput.csv",
            max((row.text("newest") for row in rows), default=""),
            Basis.INTERPOLATED,
        ),
    )
