"""The two stages of the calibration: the time of a step, then the time to the first token.

Both are robust fits of a sum of physical times (:mod:`planner.calibration.robust`); here is what
they are fitted on, and the priors that they are drawn to.
"""

from __future__ import annotations

import numpy as np

from planner.calibration.measurements import Measurements
from planner.calibration.robust import Design, Fit, solve
from planner.catalogue import Basis, Efficiencies, Source
from planner.performance import (
    FIRST_TOKEN_GROUPS,
    FIRST_TOKEN_TERMS,
    GROUPS,
    RUNS,
    TERMS,
    Cases,
    Reference,
    SpeedModel,
    decode_work,
    dense,
    first_token_times,
    prompt_work,
    replica_speed,
)

STEP_PRIOR = {
    "weights 16 bit": 1.2,
    "weights 8 bit": 1.25,
    "weights 4 bit": 1.4,
    "weights weight only": 1.4,
    "experts 16 bit": 1.2,
    "experts 8 bit": 1.3,
    "experts 4 bit": 1.6,
    "experts weight only": 1.5,
    "linear 16 bit": 1.4,
    "linear 8 bit": 1.9,
    "linear 4 bit": 2.8,
    "linear weight only": 1.6,
    "kv read": 1.3,
    "attention": 1.5,
    "layers": 45e-6,
    "expert layers": 20e-6,
    "index layers": 20e-6,
    "reduce": 4e-6,
    "reduce doubling": 2e-6,
    "reduce pcie": 6e-6,
    "reduce bytes": 1.5,
    "reduce bytes pcie": 1.0,
    "sequences": 6e-6,
    "elements": 1e-8,
    "step": 1e-3,
    "prompt layers": 10e-6,
    "prompt": 1e-3,
}
"""What kernels measure by themselves (aiconfigurator-core 0.12.0): weights stream at 70 to 85 % of
the bandwidth, matrix products run at 70 % of the 16-bit, 50 % of the 8-bit and 35 % of the 4-bit
peak, a small collective takes some microseconds, a layer some tens."""
STEP_PRIOR_SD = {"memory": 0.02, "compute": 0.25, "link": 0.3, "host": 0.4}
"""How far logarithms of coefficients may leave their priors: the share of the bandwidth that
kernels reach is known from kernels alone, host overhead only from whole engines."""
FIRST_PRIOR = {
    "constant": 0.03,
    "layers": 0.8e-3,
    "prompt": 1.3,
    "step": 1.0,
    "burst": 0.2,
    "burst layers": 1e-5,
}
"""Dispatch of 0.8 ms a layer as in aiconfigurator; a prompt costs what it computes; a fifth of the
other prompts arrive together."""
FIRST_PRIOR_SD = 1.0
SCALE = {"tpot": 0.08, "ttft": 0.15}
"""Errors beyond this are weighed down (pseudo-Huber)."""
CELL_POWER = 0.25
"""Each measurement of a model, GPU, engine and format with n others weighs n ** -0.25."""


def speed_model(reference: Reference, *fits: Fit) -> SpeedModel:
    """The performance model that the fits of both stages make; a missing one keeps its prior.

    Parameters
    ----------
    reference : Reference
    *fits : Fit

    Returns
    -------
    SpeedModel
    """
    coefficients = {"tpot": STEP_PRIOR, "ttft": FIRST_PRIOR}
    coefficients |= {one.stage: one.coefficients for one in fits}
    found = Efficiencies(
        coefficients=coefficients,
        corrections=tuple(entry for one in fits for entry in one.corrections),
        ranges={},
        scores=(),
        models=frozenset(),
        gpus=frozenset(),
        pairs=frozenset(),
        source=Source("calibration", "", "", Basis.DERIVED),
    )
    return SpeedModel.of(found, reference.vocabulary)


def fit_step(measured: Measurements, reference: Reference, rows: np.ndarray) -> Fit:
    """Coefficients and corrections of a step, from times per token and throughputs.

    Parameters
    ----------
    measured : Measurements
    reference : Reference
    rows : array of bool
        Which measurements may be used, one entry each.

    Returns
    -------
    Fit
        Of the stage ``tpot``.
    """
    return solve(_step_design(measured, reference, rows))


def fit_first_token(
    measured: Measurements, reference: Reference, rows: np.ndarray, step: Fit
) -> Fit:
    """Coefficients and corrections of the time to the first token, given those of a step.

    Parameters
    ----------
    measured : Measurements
    reference : Reference
    rows : array of bool
        Which measurements may be used, one entry each. Overloaded ones never are.
    step : Fit
        From :func:`fit_step`.

    Returns
    -------
    Fit
        Of the stage ``ttft``.
    """
    return solve(_first_design(measured, reference, rows, speed_model(reference, step)))


def resident(cases: Cases, reference: Reference) -> tuple[np.ndarray, np.ndarray]:
    """Requests resident on each replica, and the most that it can hold.

    Parameters
    ----------
    cases : Cases
    reference : Reference

    Returns
    -------
    tuple of array [request]
        Of one entry for each case; below one slot nothing fits.
    """
    replica = reference.replica(cases)
    slots, _ = reference.slots(cases, replica, cases.isl + cases.osl / 2.0)
    each = cases.concurrency / cases.layout.replicas
    return np.clip(each, 1.0, np.maximum(slots, 1.0)), slots


def _step_design(measured: Measurements, reference: Reference, rows: np.ndarray) -> Design:
    picked, run, by_token = _step_rows(measured, rows)
    cases = measured.cases.rows(picked)
    replica = reference.replica(cases)
    batch, _ = resident(cases, reference)
    share = batch / (cases.layout.pipeline_parallel * cases.osl)
    times = dense(decode_work(replica, batch, cases.isl, cases.osl))
    times = times + share * dense(prompt_work(replica, cases.isl))
    # Every request in flight receives a token in each time per token.
    by_rate = cases.layout.replicas * batch / measured.observed.output_tokens_per_s[picked]
    seconds = np.where(by_token, measured.observed.tpot_s[picked], by_rate)
    return Design(
        stage="tpot",
        terms=tuple(term.name for term in TERMS),
        groups=GROUPS,
        group_of=tuple(term.group for term in TERMS),
        times=times.T,
        log_measured=np.log(seconds),
        weight=_weights(cases),
        scale=SCALE["tpot"],
        keys=reference.keys(cases, replica, run),
        log_prior=np.log([STEP_PRIOR[term.name] for term in TERMS]),
        prior_sd=np.array([STEP_PRIOR_SD[term.group] for term in TERMS]),
        vocabulary=reference.vocabulary,
    )


def _step_rows(
    measured: Measurements, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Measurements to fit a step on, their runs, and which count by their time per token.

    Others count by their throughput; an offline run that states both counts twice, as it has no
    steady batch and the two disagree.
    """
    tpot, rate = measured.observed.tpot_s, measured.observed.output_tokens_per_s
    offline = measured.run == RUNS.index("offline")
    times = np.flatnonzero(rows & np.isfinite(tpot))
    rates = np.flatnonzero(rows & np.isfinite(rate) & (offline | ~np.isfinite(tpot)))
    run = np.where(offline[times], RUNS.index("offline tpot"), measured.run[times])
    return (
        np.concatenate([times, rates]),
        np.concatenate([run, measured.run[rates]]),
        np.arange(len(times) + len(rates)) < len(times),
    )


def _first_design(
    measured: Measurements, reference: Reference, rows: np.ndarray, model: SpeedModel
) -> Design:
    ttft = measured.observed.ttft_s
    each = measured.cases.concurrency / measured.cases.layout.replicas
    picked = np.flatnonzero(rows & np.isfinite(ttft) & np.isfinite(each))
    cases = measured.cases.rows(picked)
    batch, slots = resident(cases, reference)
    # An overloaded run measures its own length: it says nothing about the engine.
    keep = each[picked] <= slots
    picked, cases, batch = picked[keep], cases.rows(keep), batch[keep]
    replica = reference.replica(cases)
    keys = reference.keys(cases, replica, np.full(len(picked), RUNS.index("steady")))
    speed = replica_speed(replica, model, keys, batch, cases.isl, cases.osl)
    times = first_token_times(replica.architecture.layers, batch, speed.prefill_s, speed.tpot_s)
    names = tuple(FIRST_TOKEN_TERMS)
    return Design(
        stage="ttft",
        terms=names,
        groups=FIRST_TOKEN_GROUPS,
        group_of=tuple(FIRST_TOKEN_TERMS.values()),
        times=np.stack([np.broadcast_to(times[name], batch.shape) for name in names], axis=1),
        log_measured=np.log(ttft[picked]),
        weight=_weights(cases),
        scale=SCALE["ttft"],
        keys=keys,
        log_prior=np.log([FIRST_PRIOR[name] for name in names]),
        prior_sd=np.full(len(names), FIRST_PRIOR_SD),
        vocabulary=reference.vocabulary,
    )


def _weights(cases: Cases) -> np.ndarray:
    """Less for each of many measurements of one model, GPU, engine and format."""
    cells = np.stack([cases.model, cases.gpu, cases.engine, cases.precision])
    _, inverse, count = np.unique(cells, axis=1, return_inverse=True, return_counts=True)
    weight = count[inverse.ravel()] ** -CELL_POWER
    return weight / weight.mean()
