"""The robust, penalised least squares behind both stages of the calibration.

A stage explains the logarithm of a measured time by that of a sum of times with non-negative
coefficients, and by corrections for what was measured often::

    log y = log sum_k c_k x_k exp(u_group(k)) + u_all + e

Coefficients are kept near physical priors, corrections near zero (a ridge), and errors are weighed
down when large, so that one mislabelled benchmark does not bend the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.catalogue import Correction
from planner.performance import ALL, LEVELS, Keys, Vocabulary

ITERATIONS = 14
LONGEST_STEP = 1.0
"""No logarithm moves further in one iteration."""
HELD_RIDGE = 1e12
"""Holds a correction at none."""
GENERIC_ENGINE = "generic"


@dataclass(frozen=True)
class Design:
    """What one stage is fitted on: a row for each observation, a column for each term."""

    stage: str
    terms: tuple[str, ...]
    groups: tuple[str, ...]
    """Of terms, which corrections may scale."""
    group_of: tuple[str, ...]
    """Group of each term."""
    times: np.ndarray
    """Times at peak rates, and counts, of shape (rows, terms) [s]."""
    log_measured: np.ndarray
    """Natural logarithm of the measured times [1]."""
    weight: np.ndarray
    """How much each row counts, 1 on average [1]."""
    scale: float
    """Relative errors beyond this are weighed down (pseudo-Huber) [fraction]."""
    keys: Keys
    log_prior: np.ndarray
    """Logarithm of the coefficients that the fit is drawn to [1]."""
    prior_sd: np.ndarray
    """How far the logarithms may stray from there [1]."""
    vocabulary: Vocabulary


@dataclass(frozen=True)
class Fit:
    """A fitted stage."""

    stage: str
    coefficients: dict[str, float]
    """By term [1]."""
    corrections: tuple[Correction, ...]


def solve(design: Design) -> Fit:
    """Coefficients and corrections of least penalised, robust error, by Gauss-Newton steps.

    ::

        minimise  sum_i w_i rho(e_i / s) + sum_k ((log c_k - log prior_k) / sd_k)^2
                  + sum_j ridge_j (u_j / s)^2

    Parameters
    ----------
    design : Design

    Returns
    -------
    Fit
        Coefficients are positive, as their logarithms are fitted.

    Source: Huber 1964 for the weights, in their smooth form; Hoerl and Kennard 1970 for the ridge.
    """
    columns, terms = _Columns.of(design), len(design.terms)
    theta, effects = design.log_prior.copy(), np.zeros(len(columns.entries))
    scale2 = design.scale**2
    penalty = np.concatenate([1.0 / design.prior_sd**2, columns.ridge / scale2])
    for _ in range(ITERATIONS):
        predicted, jacobian = _linearise(design, columns, theta, effects)
        residual = design.log_measured - predicted
        weight = design.weight / np.sqrt(1.0 + residual**2 / scale2) / scale2
        weighted = jacobian * weight[:, None]
        off = np.concatenate([theta - design.log_prior, effects])
        step = np.linalg.solve(
            weighted.T @ jacobian + np.diag(penalty), weighted.T @ residual - penalty * off
        )
        step = np.clip(step, -LONGEST_STEP, LONGEST_STEP)
        theta, effects = theta + step[:terms], effects + step[terms:]
    coefficients = dict(zip(design.terms, np.exp(theta).tolist(), strict=True))
    entries = _entries(design, columns, effects)
    return Fit(design.stage, coefficients, _with_generic_engine(entries, design.stage))


@dataclass(frozen=True)
class _Columns:
    """Corrections as columns of the design."""

    entries: tuple[tuple[str, str, tuple[int, ...]], ...]
    """Level, group and place of each."""
    ridge: np.ndarray
    index: tuple[tuple[str, np.ndarray], ...]
    """Group, and the column of each observation."""

    @classmethod
    def of(cls, design: Design) -> _Columns:
        entries, ridge, index = [], [], []
        for name, level in LEVELS[design.stage].items():
            shape = design.vocabulary.shape(level.key)
            code = np.ravel_multi_index(design.keys.place(level.key), shape)
            found, inverse = np.unique(code, return_inverse=True)
            places = [tuple(map(int, np.unravel_index(one, shape))) for one in found]
            held = [_is_yardstick(level.key, place, design.vocabulary) for place in places]
            for group in level.groups:
                index.append((group, len(entries) + inverse.ravel()))
                entries += [(name, group, place) for place in places]
                ridge += [HELD_RIDGE if one else level.ridge for one in held]
        return cls(tuple(entries), np.array(ridge), tuple(index))


def _is_yardstick(key: tuple[str, ...], place: tuple[int, ...], vocabulary: Vocabulary) -> bool:
    """Whether an entry is of steady load, which the coefficients themselves describe."""
    return "run" in key and vocabulary.run[place[key.index("run")]] == "steady"


def _linearise(
    design: Design, columns: _Columns, theta: np.ndarray, effects: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Logarithms of the predicted times, and their slopes by coefficient and correction."""
    rows = len(design.times)
    group_of = np.array([design.groups.index(group) for group in design.group_of])
    scaled = {group: np.zeros(rows) for group in (*design.groups, ALL)}
    for group, column in columns.index:
        scaled[group] += effects[column]
    factors = np.exp(np.stack([scaled[group] for group in design.groups], axis=1))
    parts = design.times * np.exp(theta) * factors[:, group_of]
    total = parts.sum(axis=1)
    share = parts / total[:, None]
    of_group = np.zeros((rows, len(design.groups)))
    np.add.at(of_group.T, group_of, share.T)
    jacobian = np.zeros((rows, len(theta) + len(effects)))
    jacobian[:, : len(theta)] = share
    every = np.arange(rows)
    for group, column in columns.index:
        slope = 1.0 if group == ALL else of_group[:, design.groups.index(group)]
        jacobian[every, len(theta) + column] += slope
    return np.log(total) + scaled[ALL], jacobian


def _entries(design: Design, columns: _Columns, effects: np.ndarray) -> tuple[Correction, ...]:
    """The corrections by name, each with the number of rows behind it."""
    counts: dict[tuple[str, str, tuple[int, ...]], int] = {}
    for _, column in columns.index:
        for at, number in zip(*np.unique(column, return_counts=True), strict=True):
            counts[columns.entries[at]] = int(number)
    return tuple(
        Correction(
            design.stage,
            level,
            design.vocabulary.text(LEVELS[design.stage][level].key, place),
            group,
            float(effect),
            counts[level, group, place],
        )
        for (level, group, place), effect in zip(columns.entries, effects, strict=True)
    )


def _with_generic_engine(entries: tuple[Correction, ...], stage: str) -> tuple[Correction, ...]:
    """The entries with those of the generic engine replaced by the mean of the known engines.

    Rare engines share one label, so that what was measured under it says little about another.
    """
    known, shared = [], {}
    for one in entries:
        names = LEVELS[stage][one.level].key
        if "engine" not in names:
            known.append(one)
            continue
        parts = one.key.split("|")
        at = names.index("engine")
        if parts[at] == GENERIC_ENGINE:
            continue
        known.append(one)
        parts[at] = GENERIC_ENGINE
        shared.setdefault((one.level, "|".join(parts), one.group), []).append(one)
    means = [
        Correction(
            stage, *place, float(np.mean([e.log_factor for e in same])), sum(e.rows for e in same)
        )
        for place, same in shared.items()
    ]
    return (*known, *means)
