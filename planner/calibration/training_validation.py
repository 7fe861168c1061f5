"""How far predicted training speeds are off for what was never measured, and their ranges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from planner.calibration.training_fit import fit_training, predicted_tokens_per_s
from planner.calibration.training_measurements import (
    TrainingMeasurements,
    training_configurations,
)
from planner.calibration.validation import FOLDS, HELD, PARTS, SEED
from planner.catalogue import TRAINING_KINDS, Score
from planner.training import LAYOUT_STATED, LAYOUT_UNKNOWN

TRAINING_QUANTITIES = (LAYOUT_STATED, LAYOUT_UNKNOWN)
"""The speed where the layout is stated, and where it is hidden from the model."""
TAIL = (1.0 - HELD) / 2.0
WIDEST = 4.0
"""A range is stretched to at most this many times its plain quantiles."""


@dataclass(frozen=True, slots=True)
class TrainingResiduals:
    """Logarithms of measured over predicted, by quantity."""

    left_out: str
    """``nothing``, ``configuration``, ``model``, ``gpu`` or ``software``."""
    log_ratio: dict[str, np.ndarray]
    group: np.ndarray
    """Which measurements were left out together."""


def cross_validate_training(measured: TrainingMeasurements, left_out: str) -> TrainingResiduals:
    """Predict every measurement from a fit that never saw its group.

    Parameters
    ----------
    measured : TrainingMeasurements
    left_out : str
        What a group is: a ``configuration`` (dealt into ``FOLDS``), a ``model``, a ``gpu``, a
        ``software``, which is another laboratory too, or ``nothing`` for the fit to all.

    Returns
    -------
    TrainingResiduals
    """
    group = _groups(measured, left_out)
    found = {name: np.full(len(measured), np.nan) for name in TRAINING_QUANTITIES}
    for one in np.unique(group):
        test = group == one
        train = ~test if left_out != "nothing" else np.ones(len(measured), dtype=bool)
        fit = fit_training(measured, train)
        for name in TRAINING_QUANTITIES:
            stated = name == LAYOUT_STATED
            found[name][test] = predicted_tokens_per_s(measured, fit, test, stated)
    ratio = {name: np.log(measured.tokens_per_s_per_gpu / one) for name, one in found.items()}
    return TrainingResiduals(left_out, ratio, group)


def training_range_factors(residuals: TrainingResiduals) -> dict[str, tuple[float, float]]:
    """Ends of the 80 % range by quantity, as factors of the prediction.

    Parameters
    ----------
    residuals : TrainingResiduals

    Returns
    -------
    dict
        Quantity to the low and the high factor [1].

    Notes
    -----
    Residuals of one group are alike, and there are few groups. The plain quantiles are therefore
    stretched about zero error until ranges made without a part of the groups hold 80 % of that
    part.
    """
    return {
        name: tuple(np.exp(_ends(ratio, _stretch(residuals, name))).tolist())
        for name, ratio in residuals.log_ratio.items()
    }


def training_scores(
    residuals: TrainingResiduals, measured: TrainingMeasurements
) -> Iterator[Score]:
    """Errors and coverage of each quantity, in all and by subset.

    Parameters
    ----------
    residuals : TrainingResiduals
    measured : TrainingMeasurements

    Returns
    -------
    iterator of Score
        Subsets without measurements are left out.
    """
    for quantity, ratio in residuals.log_ratio.items():
        inside = np.full(len(ratio), np.nan)
        if residuals.left_out in TRAINING_KINDS:
            inside = _inside(residuals, quantity, _stretch(residuals, quantity))
        for name, rows in _subsets(measured).items():
            error = np.expm1(-ratio[rows])
            yield Score(
                quantity,
                residuals.left_out,
                name,
                int(rows.sum()),
                float(np.median(np.abs(error))),
                float(np.mean(np.abs(error))),
                float(np.median(error)),
                float(np.mean(inside[rows])),
            )


def _groups(measured: TrainingMeasurements, left_out: str) -> np.ndarray:
    if left_out == "model":
        return measured.model
    if left_out == "gpu":
        return np.unique(measured.gpu, return_inverse=True)[1].ravel()
    if left_out == "software":
        return np.unique(_software(measured), return_inverse=True)[1].ravel()
    if left_out == "nothing":
        return np.zeros(len(measured), dtype=int)
    code = training_configurations(measured)
    return np.random.default_rng(SEED).integers(0, FOLDS, code.max() + 1)[code]


def _software(measured: TrainingMeasurements) -> np.ndarray:
    return np.array([row["framework"] for row in measured.rows])


def _ends(ratio: np.ndarray, stretch: float) -> np.ndarray:
    low, high = np.quantile(ratio, (TAIL, 1.0 - TAIL))
    return stretch * np.array([min(low, 0.0), max(high, 0.0)])


def _inside(residuals: TrainingResiduals, name: str, stretch: float) -> np.ndarray:
    """1 where a measurement lies in the range made from the other parts' groups, or from all."""
    ratio = residuals.log_ratio[name]
    groups, inverse = np.unique(residuals.group, return_inverse=True)
    if len(groups) < PARTS:
        low, high = _ends(ratio, stretch)
        return ((ratio >= low) & (ratio <= high)).astype(float)
    part = (np.arange(len(groups)) % PARTS)[inverse.ravel()]
    inside = np.full(len(ratio), np.nan)
    for held in range(PARTS):
        low, high = _ends(ratio[part != held], stretch)
        inside = np.where(part == held, (ratio >= low) & (ratio <= high), inside)
    return inside


def _stretch(residuals: TrainingResiduals, name: str) -> float:
    """The least stretch at which ranges hold what they say for groups that did not make them.

    Too few groups to leave some out keep their plain quantiles.
    """
    if len(np.unique(residuals.group)) < PARTS:
        return 1.0
    low, high = 0.0, WIDEST
    for _ in range(30):
        middle = (low + high) / 2.0
        if np.mean(_inside(residuals, name, middle)) >= HELD:
            high = middle
        else:
            low = middle
    return high


def _subsets(measured: TrainingMeasurements) -> dict[str, np.ndarray]:
    """All measurements, and those of each method, format, software, GPU and model."""
    named = {
        "method": measured.method,
        "format": measured.formats,
        "software": _software(measured),
        "gpu": np.array(measured.gpu),
        "model": measured.names,
    }
    return {
        "all": np.ones(len(measured), dtype=bool),
        **{
            f"{kind} {one}": values == one
            for kind, values in named.items()
            for one in np.unique(values)
        },
    }
