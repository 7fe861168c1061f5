"""The fit of training speed: a robust sum of physical times, near what kernels reach."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.calibration.training_measurements import TrainingMeasurements, training_configurations
from planner.training import TERMS

TRAINING_PRIOR = {
    "linear 16 bit": 1.25,
    "linear 8 bit": 1.45,
    "linear 4 bit": 2.0,
    "experts 16 bit": 1.6,
    "experts 8 bit": 2.0,
    "experts 4 bit": 3.0,
    "attention": 1.8,
    "unpack": 0.3,
    "activations": 1.5,
    "recurrent": 1.0,
    "dispatch": 1.5,
    "exchange": 0.5,
    "tensor": 0.5,
    "sharded": 0.3,
    "gradients": 0.5,
    "layers": 1.0,
    "expert layers": 1.0,
}
"""Large matrix products reach 80 % of the 16-bit peak, less of narrower ones, and small ones of
experts less again (aiconfigurator-core 0.12.0); attention 55 % of it. About half of what is sent
is hidden behind arithmetic. The host's share is a guess of its size."""
TRAINING_PRIOR_SD = {"compute": 0.3, "memory": 0.5, "link": 0.7, "host": 0.7}
"""How far logarithms of coefficients may leave their priors."""
LINEAR_SD = {"linear 16 bit": 0.08, "linear 8 bit": 0.1, "linear 4 bit": 0.2}
"""Those of large matrix products are known well: a peak that nobody reaches is not to be fitted."""
CORRECTION_SD = {"generation": 0.15, "model": 0.1}
"""How far the logarithm of the own factor of a generation of GPUs, or of a model in a format, may
leave zero."""
SCALE = 0.1
"""Relative errors beyond this are weighed down (pseudo-Huber)."""
CELL_POWER = 0.5
"""Each of n measurements of one configuration weighs n ** -0.5: releases repeat each other."""
ITERATIONS = 30
LONGEST_STEP = 0.5


@dataclass(frozen=True)
class TrainingFit:
    """A fitted model of training speed."""

    coefficients: dict[str, float]
    """By term [1]."""
    corrections: dict[tuple[str, str], float]
    """By level and key: logarithm of the factor on a token's time [1]."""


def fit_training(measured: TrainingMeasurements, rows: np.ndarray) -> TrainingFit:
    """Coefficients and corrections of training speed.

    ::

        minimise  sum_i w_i rho(log t_i - log sum_k c_k x_ik - u_generation - u_model)
                  + sum_k ((log c_k - log prior_k) / sd_k)^2 + sum_j (u_j / sd)^2

    Parameters
    ----------
    measured : TrainingMeasurements
    rows : array of bool
        Which measurements may be used, one entry each.

    Returns
    -------
    TrainingFit

    Source: Huber 1964 for the weights, in their smooth form; Hoerl and Kennard 1970 for the ridge.
    """
    times = measured.times(rows)[0].T
    log_measured = -np.log(measured.tokens_per_s_per_gpu[rows])
    keys, columns = _columns(measured, rows)
    prior = np.log([TRAINING_PRIOR[name] for name in TERMS])
    sd = [LINEAR_SD.get(name, TRAINING_PRIOR_SD[group]) for name, group in TERMS.items()]
    sd += [CORRECTION_SD[level] for level, _ in keys]
    penalty = np.array(sd) ** -2.0
    theta, effects = prior.copy(), np.zeros(len(keys))
    weight = _weights(measured, rows)
    for _ in range(ITERATIONS):
        parts = times * np.exp(theta)
        total = parts.sum(axis=1)
        residual = log_measured - np.log(total) - columns @ effects
        robust = weight / np.sqrt(1.0 + (residual / SCALE) ** 2) / SCALE**2
        jacobian = np.concatenate([parts / total[:, None], columns], axis=1)
        weighted = jacobian * robust[:, None]
        off = np.concatenate([theta - prior, effects])
        step = np.linalg.solve(
            weighted.T @ jacobian + np.diag(penalty), weighted.T @ residual - penalty * off
        )
        step = np.clip(step, -LONGEST_STEP, LONGEST_STEP)
        theta, effects = theta + step[: len(theta)], effects + step[len(theta) :]
    return TrainingFit(
        dict(zip(TERMS, np.exp(theta).tolist(), strict=True)),
        dict(zip(keys, effects.tolist(), strict=True)),
    )


def predicted_tokens_per_s(
    measured: TrainingMeasurements, fit: TrainingFit, rows: np.ndarray, stated: bool = True
) -> np.ndarray:
    """Speed of each GPU as the fitted model predicts it.

    Parameters
    ----------
    measured : TrainingMeasurements
    fit : TrainingFit
    rows : array of bool
        Which to predict.
    stated : bool
        False hides the layouts and lets the fastest usual one be taken.

    Returns
    -------
    array [token/s]
        One entry for each chosen row.
    """
    weights = np.array([fit.coefficients[name] for name in TERMS])
    every = np.stack([weights @ one for one in measured.times(rows, stated)])
    log_factor = sum(
        np.array([fit.corrections.get((level, one), 0.0) for one in values[rows]])
        for level, values in measured.levels.items()
    )
    return np.exp(-log_factor) / every.min(axis=0)


def _columns(
    measured: TrainingMeasurements, rows: np.ndarray
) -> tuple[list[tuple[str, str]], np.ndarray]:
    """Level and key of each correction, and a column of 0 and 1 for it."""
    keys, columns = [], []
    for level, values in measured.levels.items():
        own = values[rows]
        for one in np.unique(own):
            keys.append((level, str(one)))
            columns.append(own == one)
    return keys, np.stack(columns, axis=1).astype(float)


def _weights(measured: TrainingMeasurements, rows: np.ndarray) -> np.ndarray:
    """Less for each of many measurements of one configuration."""
    code = training_configurations(measured)[rows]
    _, inverse, count = np.unique(code, return_inverse=True, return_counts=True)
    weight = count[inverse.ravel()] ** -CELL_POWER
    return weight / weight.mean()
