"""How far predicted power and energy are off for what was never measured, and their ranges."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from planner.calibration.energy_fit import fit_energy, predicted_energy, predicted_power_w
from planner.calibration.energy_measurements import (
    SOFTWARE,
    EnergyMeasurements,
    configurations,
)
from planner.calibration.stretched_ranges import GroupResiduals, group_scores
from planner.calibration.validation import FOLDS, SEED
from planner.catalogue import ENERGY_QUANTITIES, KINDS, Score
from planner.performance import Reference


def cross_validate_energy(
    measured: EnergyMeasurements, reference: Reference, left_out: str
) -> GroupResiduals:
    """Predict every measurement from a fit that never saw its group.

    Power is judged at the measured speed, energy at the predicted one.

    Parameters
    ----------
    measured : EnergyMeasurements
    reference : Reference
    left_out : str
        What a group is: a ``configuration`` (dealt into ``FOLDS``), a ``model``, a ``gpu``, or
        ``nothing`` for the fit to all.

    Returns
    -------
    GroupResiduals
    """
    group = _groups(measured, left_out)
    found = {name: np.full(len(measured), np.nan) for name in ENERGY_QUANTITIES}
    for one in np.unique(group):
        test = group == one
        train = ~test if left_out != "nothing" else np.ones(len(measured), dtype=bool)
        fit = fit_energy(measured, reference, train)
        power = predicted_power_w(measured, reference, fit, measured.step_s)
        found["power"][test] = power[test]
        found["energy"][test] = predicted_energy(measured, reference, fit)[test]
    observed = {"power": measured.power_w, "energy": measured.j_per_output_token}
    ratio = {name: np.log(observed[name] / found[name]) for name in ENERGY_QUANTITIES}
    return GroupResiduals(left_out, ratio, group)


def energy_scores(
    residuals: GroupResiduals, measured: EnergyMeasurements, reference: Reference
) -> Iterator[Score]:
    """Errors and coverage of each quantity, in all and by subset.

    Parameters
    ----------
    residuals : GroupResiduals
    measured : EnergyMeasurements
    reference : Reference

    Returns
    -------
    iterator of Score
        Subsets without measurements are left out.
    """
    yield from group_scores(residuals, _subsets(measured, reference), residuals.left_out in KINDS)


def _groups(measured: EnergyMeasurements, left_out: str) -> np.ndarray:
    if left_out == "model":
        return measured.cases.model
    if left_out == "gpu":
        return measured.cases.gpu
    if left_out == "nothing":
        return np.zeros(len(measured), dtype=int)
    code = configurations(measured)
    return np.random.default_rng(SEED).integers(0, FOLDS, code.max() + 1)[code]


def _subsets(measured: EnergyMeasurements, reference: Reference) -> dict[str, np.ndarray]:
    """All measurements, and those of each software, GPU and model."""
    cases = measured.cases
    named = {
        "engine": (measured.software, SOFTWARE),
        "gpu": (cases.gpu, reference.gpus),
        "model": (cases.model, reference.models),
    }
    return {
        "all": np.ones(len(measured), dtype=bool),
        **{
            f"{kind} {names[at]}": code == at
            for kind, (code, names) in named.items()
            for at in np.unique(code)
        },
    }
