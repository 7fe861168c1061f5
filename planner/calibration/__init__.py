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
    cross_validate_energy,
    energy_scores,
)
from planner.calibration.exclusions import read_excluded
from planner.calibration.finetune_memory import (
    LEFT_OUT,
    FinetuneFit,
    FinetuneMeasurements,
    FinetuneTables,
    cross_validate_finetune,
    finetune_range,
    finetune_scores,
    finetune_tables,
    fit_finetune,
    predicted_finetune,
    read_finetune,
)
from planner.calibration.finetune_rows import (
    FinetuneCase,
    finetune_case,
    finetune_model,
    observed_bytes,
)
from planner.calibration.fit import fit_first_token, fit_step, resident, speed_model
from planner.calibration.measurements import Measurements, Observed, read_measurements
from planner.calibration.robust import Fit
from planner.calibration.stretched_ranges import GroupResiduals, stretched_factors
from planner.calibration.training_fit import (
    TrainingFit,
    fit_training,
    predicted_tokens_per_s,
)
from planner.calibration.training_measurements import (
    TrainingMeasurements,
    read_training,
    training_models,
)
from planner.calibration.training_validation import (
    TRAINING_QUANTITIES,
    cross_validate_training,
    training_scores,
)
from planner.calibration.validation import (
    Residuals,
    cross_validate,
    overloaded,
    range_factors,
    scores,
)

__all__ = [
    "GroupResiduals",
    "stretched_factors",
    "EnergyFit",
    "EnergyMeasurements",
    "FinetuneCase",
    "FinetuneFit",
    "FinetuneMeasurements",
    "FinetuneTables",
    "Fit",
    "LEFT_OUT",
    "Measurements",
    "Observed",
    "Residuals",
    "TRAINING_QUANTITIES",
    "TrainingFit",
    "TrainingMeasurements",
    "cross_validate",
    "cross_validate_energy",
    "cross_validate_finetune",
    "cross_validate_training",
    "energy_scores",
    "finetune_case",
    "finetune_model",
    "finetune_range",
    "finetune_scores",
    "finetune_tables",
    "fit_energy",
    "fit_finetune",
    "fit_first_token",
    "fit_step",
    "observed_bytes",
    "fit_training",
    "overloaded",
    "predicted_energy",
    "predicted_finetune",
    "predicted_power_w",
    "predicted_tokens_per_s",
    "range_factors",
    "read_energy",
    "read_excluded",
    "read_finetune",
    "read_measurements",
    "read_training",
    "resident",
    "scores",
    "speed_model",
    "training_models",
    "training_scores",
]
