"""Ranges from few groups of residuals: quantiles, stretched until they hold what they say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from planner.calibration.validation import HELD, PARTS
from planner.catalogue import Score

TAIL = (1.0 - HELD) / 2.0
WIDEST = 4.0
"""A range is stretched to at most this many times its plain quantiles."""


@dataclass(frozen=True, slots=True)
class GroupResiduals:
    """Logarithms of measured over predicted, by quantity."""

    left_out: str
    """What a group is; ``nothing`` for the fit to all."""
    log_ratio: dict[str, np.ndarray]
    group: np.ndarray
    """Which measurements were left out together."""


def stretched_factors(residuals: GroupResiduals) -> dict[str, tuple[float, float]]:
    """Ends of the 80 % range by quantity, as factors of the prediction.

    Parameters
    ----------
    residuals : GroupResiduals

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


def group_scores(
    residuals: GroupResiduals, subsets: Mapping[str, np.ndarray], ranged: bool
) -> Iterator[Score]:
    """Errors and coverage of each quantity, by subset.

    Parameters
    ----------
    residuals : GroupResiduals
    subsets : mapping of str to array
        Which measurements each subset has.
    ranged : bool
        Whether predictions have ranges for what was left out.

    Returns
    -------
    iterator of Score
    """
    for quantity, ratio in residuals.log_ratio.items():
        inside = np.full(len(ratio), np.nan)
        if ranged:
            inside = _inside(residuals, quantity, _stretch(residuals, quantity))
        for name, rows in subsets.items():
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


def _ends(ratio: np.ndarray, stretch: float) -> np.ndarray:
    low, high = np.quantile(ratio, (TAIL, 1.0 - TAIL))
    return stretch * np.array([min(low, 0.0), max(high, 0.0)])


def _inside(residuals: GroupResiduals, name: str, stretch: float) -> np.ndarray:
    """1 where a measurement lies in the range made from the other parts' groups, or from all."""
    ratio = residuals.log_ratio[name]
    groups, inverse = np.unique(residuals.group, return_inverse=True)
    if len(groups) < PARTS:
        low, high = _ends(ratio, stretch)
        return ((ratio >= low) & (ratio <= high)).astype(float)
    part = (np.arange(len(groups)) % PARTS)[inverse.ravel()]
    inside = np.full(len(ratio), np.nan)
    for held in range(PARTS):
        low, high = _ends(ratio[part != held], stretch)
        inside = np.where(part == held, (ratio >= low) & (ratio <= high), inside)
    return inside


def _stretch(residuals: GroupResiduals, name: str) -> float:
    """The least stretch at which ranges hold what they say for groups that did not make them.

    Too few groups to leave some out keep their plain quantiles.
    """
    if len(np.unique(residuals.group)) < PARTS:
        return 1.0
    low, high = 0.0, WIDEST
    for _ in range(30):
        middle = (low + high) / 2.0
        if np.mean(_inside(residuals, name, middle)) >= HELD:
            high = middle
        else:
            low = middle
    return high
