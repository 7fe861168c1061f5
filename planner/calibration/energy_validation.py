"""How far predicted power and energy are off for what was never measured, and their ranges."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from planner.calibration.energy_fit import fit_energy, predicted_energy, predicted_power_w
from planner.calibration.energy_measurements import (
    SOFTWARE,
    EnergyMeasurements,
    configurations,
)
from planner.calibration.validation import FOLDS, HELD, PARTS, SEED
from planner.catalogue import ENERGY_QUANTITIES, KINDS, Score
from planner.performance import Reference

TAIL = (1.0 - HELD) / 2.0
WIDEST = 4.0
"""A range is stretched to at most this many times its plain quantiles."""


@dataclass(frozen=True, slots=True)
class EnergyResiduals:
    """Logarithms of measured over predicted, by quantity."""

    left_out: str
    """``nothing``, ``configuration``, ``model`` or ``gpu``."""
    log_ratio: dict[str, np.ndarray]
    group: np.ndarray
    """Which measurements were left out together."""


def cross_validate_energy(
    measured: EnergyMeasurements, reference: Reference, left_out: str
) -> EnergyResiduals:
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
    EnergyResiduals
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
    return EnergyResiduals(left_out, ratio, group)


def energy_range_factors(residuals: EnergyResiduals) -> dict[str, tuple[float, float]]:
    """Ends of the 80 % range by quantity, as factors of the prediction.

    Parameters
    ----------
    residuals : EnergyResiduals

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


def energy_scores(
    residuals: EnergyResiduals, measured: EnergyMeasurements, reference: Reference
) -> Iterator[Score]:
    """Errors and coverage of each quantity, in all and by subset.

    Parameters
    ----------
    residuals : EnergyResiduals
    measured : EnergyMeasurements
    reference : Reference

    Returns
    -------
    iterator of Score
        Subsets without measurements are left out.
    """
    for quantity, ratio in residuals.log_ratio.items():
        inside = np.full(len(ratio), np.nan)
        if residuals.left_out in KINDS:
            inside = _inside(residuals, quantity, _stretch(residuals, quantity))
        for name, rows in _subsets(measured, reference).items():
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


def _groups(measured: EnergyMeasurements, left_out: str) -> np.ndarray:
    if left_out == "model":
        return measured.cases.model
    if left_out == "gpu":
        return measured.cases.gpu
    if left_out == "nothing":
        return np.zeros(len(measured), dtype=int)
    code = configurations(measured)
    return np.random.default_rng(SEED).integers(0, FOLDS, code.max() + 1)[code]


def _ends(ratio: np.ndarray, stretch: float) -> np.ndarray:
    low, high = np.quantile(ratio, (TAIL, 1.0 - TAIL))
    return stretch * np.array([min(low, 0.0), max(high, 0.0)])


def _inside(residuals: EnergyResiduals, name: str, stretch: float) -> np.ndarray:
    """1 where a measurement lies in the range made from the other parts' groups."""
    ratio = residuals.log_ratio[name]
    groups, inverse = np.unique(residuals.group, return_inverse=True)
    part = (np.arange(len(groups)) % PARTS)[inverse.ravel()]
    inside = np.full(len(ratio), np.nan)
    for held in range(PARTS):
        low, high = _ends(ratio[part != held], stretch)
        inside = np.where(part == held, (ratio >= low) & (ratio <= high), inside)
    return inside


def _stretch(residuals: EnergyResiduals, name: str) -> float:
    """The least stretch at which ranges hold what they say for groups that did not make them."""
    low, high = 0.0, WIDEST
    for _ in range(30):
        middle = (low + high) / 2.0
        if np.mean(_inside(residuals, name, middle)) >= HELD:
            high = middle
        else:
            low = middle
    return high


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
