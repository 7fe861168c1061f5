"""The calibration of power: what work does to a GPU's power, and the host time of old engines.

Power is fitted at the measured speed, so that no error of a predicted speed leaks into it. The
measurements are of engines that are older than the speeds that the performance model knows, and
whose hosts kept the GPUs waiting; what their age added to a step is fitted beside it, so that
energies can be scored from end to end. A prediction for today's engines uses the power alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from planner.calibration.energy_measurements import SOFTWARE, EnergyMeasurements
from planner.calibration.fit import CELL_POWER
from planner.energy import (
    POWER_TERMS,
    PowerModel,
    StepWork,
    energy_j_per_output_token,
    gpu_power_w,
    idle_power_w,
    step_work,
)
from planner.performance import RUNS, Reference, replica_speed

POWER_PRIOR = {"waiting": 0.08, "memory": 1.0, "arithmetic": 2.0, "link": 0.3, "host": 0.1}
"""Streaming memory alone brings a GPU to some 70 % of its limit and arithmetic alone to some 90 %
(arXiv 2308.12908); the others are guesses of their size."""
POWER_PRIOR_SD = {"waiting": 0.5, "memory": 0.3, "arithmetic": 0.3, "link": 0.5, "host": 0.5}
"""How far logarithms of coefficients may leave their priors."""
GPU_SD = 0.3
"""How far the logarithm of a GPU's own factor may leave zero."""
HOST_TERMS = ("step", "sequences", "layers", "ranks")
HOST_PRIOR = {"step": 5e-3, "sequences": 3e-4, "layers": 2e-4, "ranks": 1e-3}
"""Host time of a step, per sequence, per layer and per further rank: some hundred microseconds of
Python for each token and launch [s]."""
HOST_PRIOR_SD = 1.0
SCALE = {"power": 0.08, "step": 0.1}
"""Relative errors beyond this are weighed down (pseudo-Huber)."""
ITERATIONS = 40
LONGEST_STEP = 0.5
NUDGE = 1e-5


@dataclass(frozen=True)
class EnergyFit:
    """A fitted model of power, and what the age of the engines added to a step."""

    coefficients: dict[str, float]
    """By term of power [1]."""
    corrections: dict[str, float]
    """By GPU: logarithm of the factor on its activity [1]."""
    host: dict[str, dict[str, float]]
    """By software and term [s]."""


def fit_energy(measured: EnergyMeasurements, reference: Reference, rows: np.ndarray) -> EnergyFit:
    """Fit power and host times.

    Parameters
    ----------
    measured : EnergyMeasurements
    reference : Reference
    rows : array of bool
        Which measurements may be used, one entry each.

    Returns
    -------
    EnergyFit
    """
    gpus = np.unique(measured.cases.gpu[rows])
    prior = np.concatenate([np.log([POWER_PRIOR[one] for one in POWER_TERMS]), np.zeros(len(gpus))])
    sd = np.array([*(POWER_PRIOR_SD[one] for one in POWER_TERMS), *[GPU_SD] * len(gpus)])
    part = _rows(measured, reference, rows)
    own = (measured.cases.gpu[rows][:, None] == gpus).astype(float)

    def log_power(theta: np.ndarray) -> np.ndarray:
        model = PowerModel(*np.exp(theta[: len(POWER_TERMS)]))
        step_s = measured.step_s[rows]
        return np.log(_power(part, model, step_s, own @ theta[len(POWER_TERMS) :]))

    weight = _weights(measured)[rows]
    theta = _solve(log_power, prior, sd, np.log(measured.power_w[rows]), weight, SCALE["power"])
    values, effects = np.exp(theta[: len(POWER_TERMS)]), theta[len(POWER_TERMS) :]
    return EnergyFit(
        dict(zip(POWER_TERMS, values.tolist(), strict=True)),
        {reference.gpus[g]: float(u) for g, u in zip(gpus, effects, strict=True)},
        {name: _host(measured, reference, rows, i) for i, name in enumerate(SOFTWARE)},
    )


def predicted_power_w(
    measured: EnergyMeasurements, reference: Reference, fit: EnergyFit, step_s: np.ndarray
) -> np.ndarray:
    """Power of one GPU in each measurement, if its step takes so long.

    Parameters
    ----------
    measured : EnergyMeasurements
    reference : Reference
    fit : EnergyFit
    step_s : array [s]

    Returns
    -------
    array [W]
    """
    part = _rows(measured, reference, np.ones(len(measured), dtype=bool))
    own = np.array([fit.corrections.get(reference.gpus[g], 0.0) for g in measured.cases.gpu])
    return _power(part, PowerModel.of(fit.coefficients), step_s, own)


def predicted_energy(
    measured: EnergyMeasurements, reference: Reference, fit: EnergyFit
) -> np.ndarray:
    """Joules per output token of each measurement, its speed predicted too.

    Parameters
    ----------
    measured : EnergyMeasurements
    reference : Reference
    fit : EnergyFit

    Returns
    -------
    array [J/token]
    """
    terms = _host_terms(measured, reference)
    host = np.array([[fit.host[name].get(one, 0.0) for one in HOST_TERMS] for name in SOFTWARE])
    step_s = measured.model_step_s + (terms * host[measured.software]).sum(axis=1)
    power = predicted_power_w(measured, reference, fit, step_s)
    return energy_j_per_output_token(measured.gpus, power, measured.cases.concurrency / step_s)


@dataclass(frozen=True)
class _Rows:
    work: StepWork
    limit_w: np.ndarray
    idle_w: np.ndarray


def _rows(measured: EnergyMeasurements, reference: Reference, rows: np.ndarray) -> _Rows:
    cases = measured.cases.rows(rows)
    replica = reference.replica(cases)
    keys = reference.keys(cases, replica, np.full(len(cases), RUNS.index("steady")))
    batch = np.maximum(cases.concurrency, 1.0)
    speed = replica_speed(replica, reference.model, keys, batch, cases.isl, cases.osl)
    every = list(reference.catalogue.accelerators.values())
    limit = np.array([gpu.power_w for gpu in every])[cases.gpu]
    idle = np.array([gpu.idle_power_w for gpu in every])[cases.gpu]
    return _Rows(step_work(speed), limit, idle_power_w(limit, idle))


def _power(rows: _Rows, model: PowerModel, step_s: np.ndarray, own: np.ndarray) -> np.ndarray:
    return gpu_power_w(rows.work, model, rows.limit_w, rows.idle_w, step_s, own)


def _host_terms(measured: EnergyMeasurements, reference: Reference) -> np.ndarray:
    cases = measured.cases
    layers = reference.replica(cases).architecture.layers
    ranks = cases.layout.gpus_per_replica - 1.0
    return np.stack([np.ones(len(cases)), cases.concurrency, layers + 0.0 * ranks, ranks], axis=1)


def _host(
    measured: EnergyMeasurements, reference: Reference, rows: np.ndarray, software: int
) -> dict[str, float]:
    """Seconds that the software's host adds to a step; the priors where no row is left."""
    picked = rows & (measured.software == software)
    terms = _host_terms(measured, reference)[picked]
    prior = np.log([HOST_PRIOR[one] for one in HOST_TERMS])

    def log_step(theta: np.ndarray) -> np.ndarray:
        return np.log(measured.model_step_s[picked] + terms @ np.exp(theta))

    theta = _solve(
        log_step,
        prior,
        np.full(len(HOST_TERMS), HOST_PRIOR_SD),
        np.log(measured.step_s[picked]),
        _weights(measured)[picked],
        SCALE["step"],
    )
    return dict(zip(HOST_TERMS, np.exp(theta).tolist(), strict=True))


def _weights(measured: EnergyMeasurements) -> np.ndarray:
    """Less for each of many measurements of one model, GPU and software."""
    cells = np.stack([measured.cases.model, measured.cases.gpu, measured.software])
    _, inverse, count = np.unique(cells, axis=1, return_inverse=True, return_counts=True)
    weight = count[inverse.ravel()] ** -CELL_POWER
    return weight / weight.mean()


def _solve(
    predict: Callable[[np.ndarray], np.ndarray],
    prior: np.ndarray,
    sd: np.ndarray,
    log_measured: np.ndarray,
    weight: np.ndarray,
    scale: float,
) -> np.ndarray:
    """Parameters of least penalised, robust error, by Gauss-Newton steps with numeric slopes."""
    theta = prior.copy()
    for _ in range(ITERATIONS):
        found = predict(theta)
        moved = [predict(theta + NUDGE * one) for one in np.eye(len(theta))]
        jacobian = (np.stack(moved, axis=1) - found[:, None]) / NUDGE
        residual = log_measured - found
        robust = weight / np.sqrt(1.0 + (residual / scale) ** 2) / scale**2
        normal = jacobian.T @ (robust[:, None] * jacobian) + np.diag(1.0 / sd**2)
        slope = jacobian.T @ (robust * residual) - (theta - prior) / sd**2
        theta = theta + np.clip(np.linalg.solve(normal, slope), -LONGEST_STEP, LONGEST_STEP)
    return theta
