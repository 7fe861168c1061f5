"""How far predictions are off when a configuration, a model or a GPU was never measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from planner.calibration.fit import fit_first_token, fit_step, resident, speed_model
from planner.calibration.measurements import Measurements
from planner.catalogue import KINDS, QUANTITIES, Score
from planner.performance import FAMILIES, Reference, deployment_speed

FOLDS = 10
"""Parts into which configurations are dealt; models and GPUs are left out one at a time."""
HELD = 0.8
"""Share of measurements of groups that were not used to make it that a range is to hold."""
PARTS = 5
"""Groups are dealt into parts; the range for one is made from the residuals of the others."""
FEWEST = 40
"""Residuals that a family needs for a range of its own."""
SEED = 1


@dataclass(frozen=True, slots=True)
class Residuals:
    """Logarithms of measured over predicted, by quantity; not-a-number where not measured."""

    left_out: str
    """``nothing``, ``configuration``, ``model`` or ``gpu``."""
    log_ratio: dict[str, np.ndarray]
    group: np.ndarray
    """Which measurements were left out together."""
    predicted: dict[str, np.ndarray]


def overloaded(measured: Measurements, reference: Reference) -> np.ndarray:
    """Measurements with more requests in flight than their replicas hold, and offline runs.

    Parameters
    ----------
    measured : Measurements
    reference : Reference

    Returns
    -------
    array of bool
        One entry for each measurement.
    """
    _, slots = resident(measured.cases, reference)
    each = measured.cases.concurrency / measured.cases.layout.replicas
    return each > slots


def cross_validate(
    measured: Measurements,
    reference: Reference,
    left_out: str,
    progress: Callable[[float], None] = lambda share: None,
) -> Residuals:
    """Predict every measurement from a fit that never saw its group.

    Parameters
    ----------
    measured : Measurements
    reference : Reference
    left_out : str
        What a group is: a ``configuration`` (dealt into ``FOLDS``), a ``model``, a ``gpu``, or
        ``nothing`` for the fit to all.
    progress : callable
        Told the share that is done after each fit.

    Returns
    -------
    Residuals
        One entry for each measurement; times to the first token of overloaded ones are not judged.
    """
    group = _groups(measured, left_out)
    folds = np.unique(group)
    found = {name: np.full(len(measured), np.nan) for name in QUANTITIES}
    for number, fold in enumerate(folds):
        test = group == fold
        train = ~test if left_out != "nothing" else np.ones(len(measured), dtype=bool)
        step = fit_step(measured, reference, train)
        first = fit_first_token(measured, reference, train, step)
        rows = np.flatnonzero(test)
        speed = deployment_speed(
            measured.cases.rows(rows), reference, speed_model(reference, step, first)
        )
        found["tpot"][rows] = speed.tpot_s
        found["ttft"][rows] = speed.ttft_s
        found["throughput"][rows] = speed.output_tokens_per_s
        progress((number + 1) / len(folds))
    observed = {
        "tpot": measured.observed.tpot_s,
        "ttft": np.where(overloaded(measured, reference), np.nan, measured.observed.ttft_s),
        "throughput": measured.observed.output_tokens_per_s,
    }
    ratio = {name: np.log(observed[name] / found[name]) for name in QUANTITIES}
    return Residuals(left_out, ratio, group, found)


def _groups(measured: Measurements, left_out: str) -> np.ndarray:
    cases = measured.cases
    if left_out == "model":
        return cases.model
    if left_out == "gpu":
        return cases.gpu
    if left_out == "nothing":
        return np.zeros(len(measured), dtype=int)
    # A configuration is all that a row states but the number of requests in flight.
    names = ("model", "gpu", "gpu_count", "tensor_parallel", "pipeline_parallel")
    names += ("expert_parallel", "data_parallel", "weight_precision", "kv_precision", "engine")
    texts = ["|".join(row[name] for name in (*names, "isl", "osl")) for row in measured.rows]
    _, inverse = np.unique(texts, return_inverse=True)
    dealt = np.random.default_rng(SEED).integers(0, FOLDS, inverse.max() + 1)
    return dealt[inverse.ravel()]


def range_factors(
    residuals: Residuals, family: np.ndarray
) -> dict[tuple[str, str], tuple[float, float]]:
    """Ends of the 80 % range by quantity and family, as factors of the prediction.

    Parameters
    ----------
    residuals : Residuals
    family : array of int
        Index into ``FAMILIES`` of each measurement.

    Returns
    -------
    dict
        Quantity and name of the family to the low and the high factor [1].

    Notes
    -----
    Residuals of one group are alike, so that their plain quantiles are too narrow for a group never
    seen. The quantiles are therefore moved outward, by the same share on both sides, until ranges
    made without a part of the groups hold 80 % of that part.
    """
    factors = {}
    for name, ratio in residuals.log_ratio.items():
        tail = _tail(residuals, name, family)
        for one, ends in _ends(ratio, np.isfinite(ratio), family, tail).items():
            factors[name, one] = tuple(np.exp(ends).tolist())
    return factors


def _ends(
    ratio: np.ndarray, known: np.ndarray, family: np.ndarray, tail: float
) -> dict[str, np.ndarray]:
    """Quantiles by family; a family with few residuals takes those of all."""
    ends = {}
    for index, one in enumerate(FAMILIES):
        own = known & (family == index)
        picked = ratio[own if own.sum() >= FEWEST else known]
        ends[one] = np.quantile(picked, (tail, 1.0 - tail))
    return ends


def _inside(residuals: Residuals, name: str, family: np.ndarray, tail: float) -> np.ndarray:
    """1 where a measurement lies in the range made from the other parts' groups."""
    ratio = residuals.log_ratio[name]
    groups, inverse = np.unique(residuals.group, return_inverse=True)
    part = (np.arange(len(groups)) % PARTS)[inverse.ravel()]
    inside = np.full(len(ratio), np.nan)
    for held in range(PARTS):
        ends = _ends(ratio, np.isfinite(ratio) & (part != held), family, tail)
        low, high = np.stack([ends[one] for one in FAMILIES])[family].T
        within = (ratio >= low) & (ratio <= high)
        inside = np.where((part == held) & np.isfinite(ratio), within, inside)
    return inside


def _tail(residuals: Residuals, name: str, family: np.ndarray) -> float:
    """Quantile at which ranges hold what they say for groups that did not make them."""
    low, high = 0.0, 0.25
    for _ in range(20):
        tail = (low + high) / 2.0
        if np.nanmean(_inside(residuals, name, family, tail)) >= HELD:
            low = tail
        else:
            high = tail
    return low


def _subsets(measured: Measurements, reference: Reference) -> dict[str, np.ndarray]:
    """All measurements, and those of each family, GPU, model, engine and format."""
    cases = measured.cases
    family = reference.families[cases.model]
    h100 = cases.gpu == reference.gpus.index("h100-sxm-80gb")
    named = {
        "family": (family, FAMILIES),
        "gpu": (cases.gpu, reference.gpus),
        "model": (cases.model, reference.models),
        "engine": (cases.engine, reference.engines),
        "format": (cases.precision, reference.precisions),
    }
    return {
        "all": np.ones(len(measured), dtype=bool),
        "dense on H100": h100 & (family == 0),
        **{
            f"{kind} {names[at]}": code == at
            for kind, (code, names) in named.items()
            for at in np.unique(code)
        },
    }


def scores(residuals: Residuals, measured: Measurements, reference: Reference) -> Iterator[Score]:
    """Errors and coverage of each quantity, in all and by subset.

    Parameters
    ----------
    residuals : Residuals
    measured : Measurements
    reference : Reference

    Returns
    -------
    iterator of Score
        Subsets without measurements are left out.
    """
    family = reference.families[measured.cases.model]
    judged = residuals.left_out in KINDS
    subsets = _subsets(measured, reference)
    for quantity, ratio in residuals.log_ratio.items():
        inside = np.full(len(ratio), np.nan)
        if judged:
            inside = _inside(residuals, quantity, family, _tail(residuals, quantity, family))
        for name, rows in subsets.items():
            picked = rows & np.isfinite(ratio)
            if not picked.any():
                continue
            error = np.expm1(-ratio[picked])
            yield Score(
                quantity,
                residuals.left_out,
                name,
                int(picked.sum()),
                float(np.median(np.abs(error))),
                float(np.mean(np.abs(error))),
                float(np.median(error)),
                float(np.mean(inside[picked])),
            )
