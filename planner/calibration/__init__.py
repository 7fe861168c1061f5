"""Fits the performance model to published measurements and scores it on those left out.

``make calibrate`` runs it; the product reads only what it wrote into ``data/calibration/``.
"""

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
    "Fit",
    "Measurements",
    "Observed",
    "Residuals",
    "cross_validate",
    "fit_first_token",
    "fit_step",
    "overloaded",
    "range_factors",
    "read_excluded",
    "read_measurements",
    "resident",
    "scores",
    "speed_model",
]
