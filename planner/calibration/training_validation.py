"""How far predicted training speeds are off for what was never measured, and their ranges."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from planner.calibration.stretched_ranges import GroupResiduals, group_scores
from planner.calibration.training_fit import fit_training, predicted_tokens_per_s
from planner.calibration.training_measurements import (
    TrainingMeasurements,
    training_configurations,
)
from planner.calibration.validation import FOLDS, SEED
from planner.catalogue import TRAINING_KINDS, Score
from planner.training import LAYOUT_STATED, LAYOUT_UNKNOWN

TRAINING_QUANTITIES = (LAYOUT_STATED, LAYOUT_UNKNOWN)
"""The speed where the layout is stated, and where it is hidden from the model."""


def cross_validate_training(measured: TrainingMeasurements, left_out: str) -> GroupResiduals:
    """Predict every measurement from a fit that never saw its group.

    Parameters
    ----------
    measured : TrainingMeasurements
    left_out : str
        What a group is: a ``configuration`` (dealt into ``FOLDS``), a ``model``, a ``gpu``, a
        ``software``, which is another laboratory too, or ``nothing`` for the fit to all.

    Returns
    -------
    GroupResiduals
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
    return GroupResiduals(left_out, ratio, group)


def training_scores(residuals: GroupResiduals, measured: TrainingMeasurements) -> Iterator[Score]:
    """Errors and coverage of each quantity, in all and by subset.

    Parameters
    ----------
    residuals : GroupResiduals
    measured : TrainingMeasurements

    Returns
    -------
    iterator of Score
        Subsets without measurements are left out.
    """
    ranged = residuals.left_out in TRAINING_KINDS
    yield from group_scores(residuals, _subsets(measured), ranged)


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
