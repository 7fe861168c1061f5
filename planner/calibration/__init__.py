"""Fits the models of speed and power to published measurements; scores them on those left out.

``make calibrate`` runs it; the product reads only what it wrote into ``data/calibration/``.
"""

from planner.calibration.energy_fit import (
    EnergyFit,
    fit_energy,
    predicted_energy,
    predicted_power_w,
)
from planner.calibration.energy_measurements import EnergyMeasurements, read_energy
from planner.calibration.energy_validation import (
    EnergyResiduals,
    cross_validate_energy,
    energy_range_factors,
    energy_scores,
)
from planner.calibration.exclusions import read_excluded
from planner.calibration.fit import fit_first_token, fit_step, resident, speed_model
from planner.calibration.measurements import Measurements, Observed, read_measurements
from planner.calibration.robust import Fit
from planner.calibration.validation import (
    Residuals,
    cross_validate,
    overloaded,
    range_factors,
    scores,
)

__all__ = [
    "EnergyFit",
    "EnergyMeasurements",
    "EnergyResiduals",
    "Fit",
    "Measurements",
    "Observed",
    "Residuals",
    "cross_validate",
    "cross_validate_energy",
    "energy_range_factors",
    "energy_scores",
    "fit_energy",
    "fit_first_token",
    "fit_step",
    "overloaded",
    "predicted_energy",
    "predicted_power_w",
    "range_factors",
    "read_energy",
    "read_excluded",
    "read_measurements",
    "resident",
    "scores",
    "speed_model",
]
