"""The internal rate of return: one bisection for flows of one sign change, roots for the others."""

from __future__ import annotations

from typing import Any

import numpy as np

_LARGEST_LOG_GROWTH = 600.0
"""Rates are sought between exp(-600) - 1 and exp(600) - 1 a period."""
_NOTHING = 1e-250
"""A flow this small beside the largest is none."""
_PARTS, _ROUNDS = np.linspace(0.0, 1.0, 9), 22
"""Eight parts, so often that a number can hardly be told from the next."""
"""Enough for a logarithm of the growth that is exact to 1e-16."""
_REAL = 1e-7
"""A root with an imaginary part this small beside it is real: NPV only touches zero there."""


def sign_changes(cash_flows: Any) -> Any:
    """How often the cash flows change sign, zeros left out.

    An investment has one change: first paid, then received. Then there is one internal rate of
    return at most; with ``m`` changes there may be ``m`` of them, or fewer by an even number.

    .. math:: m = \\#\\{k : C_k C_{k'} < 0\\}, \\quad k' \\text{ the next period with a flow}

    Parameters
    ----------
    cash_flows : array [USD]
        Periods along the last axis.

    Returns
    -------
    int or array [1]

    Source: Descartes' rule of signs.

    >>> int(sign_changes([-100, 0, 60, 60])), int(sign_changes([-100, 230, -132]))
    (1, 2)
    """
    signs = np.sign(np.asarray(cash_flows, dtype=float))
    if not signs.shape[-1]:
        return np.zeros(signs.shape[:-1], dtype=int)[()]
    places = np.where(signs != 0.0, np.arange(signs.shape[-1]), 0)
    latest = np.take_along_axis(signs, np.maximum.accumulate(places, axis=-1), axis=-1)
    return (latest[..., 1:] * latest[..., :-1] < 0.0).sum(axis=-1)


def irr(cash_flows: Any) -> Any:
    """Internal rate of return: the rate at which the net present value is zero.

    .. math:: \\sum_{k=0}^{n} \\frac{C_k}{(1 + r)^k} = 0

    The rate is of the same period as the flows: with monthly flows, compound it by
    :func:`planner.value.yearly_rate`. It does not matter in which period the first flow falls.

    Flows that change sign several times may have several such rates; this is then the one nearest
    to zero, as in numpy-financial, and :func:`planner.value.sign_changes` tells that there may be
    others. Prefer the net present value there.

    Parameters
    ----------
    cash_flows : array [USD]
        Periods along the last axis; received is positive, paid negative. Flows that are first
        received and then paid are a loan, and the rate is its cost.

    Returns
    -------
    float or array [fraction]
        Above -1. nan when there is none: no flows, flows of one sign only, or several changes of
        sign and no real root.

    Source: R. A. Brealey, S. C. Myers and F. Allen, "Principles of Corporate Finance", chapter 5;
    the examples are those of numpy-financial's and of Excel's documentation of IRR.

    >>> round(float(irr([-100, 39, 59, 55, 20])), 5)
    0.28095
    >>> round(float(irr([-70_000, 12_000, 15_000, 18_000, 21_000, 26_000])), 3)
    0.087
    >>> float(irr([100.0, 100.0]))
    nan
    """
    flows = np.asarray(cash_flows, dtype=float)
    if not flows.size:
        return np.full(flows.shape[:-1], np.nan)[()]
    rows = flows.reshape(-1, flows.shape[-1])
    rows = np.where(np.abs(rows) < _NOTHING * np.abs(rows).max(axis=-1, keepdims=True), 0.0, rows)
    changes = np.where(np.isfinite(rows).all(axis=-1), sign_changes(rows), 0)
    rates = np.full(changes.shape, np.nan)
    one, several = changes == 1, changes > 1
    if one.any():
        rates[one] = _bisected(rows[one])
    if several.any():
        rates[several] = _nearest_root(rows[several])
    return rates.reshape(flows.shape[:-1])[()]


def _bisected(flows: np.ndarray) -> np.ndarray:
    """The one root, by narrowing the logarithm ``y`` of the growth in a period.

    For negative ``y`` the sum is divided by its largest power, so that nothing overflows; only its
    sign matters.
    """
    flows = flows / np.abs(flows).max(axis=-1, keepdims=True)
    periods = np.arange(flows.shape[-1], dtype=float)
    nonzero = flows != 0.0
    first = np.take_along_axis(flows, nonzero.argmax(axis=-1)[:, None], axis=-1)[:, 0]
    # Flows before the first and after the last that is not zero only shift time.
    begin = nonzero.argmax(axis=-1)[:, None]
    end = flows.shape[-1] - 1 - nonzero[:, ::-1].argmax(axis=-1)[:, None]
    inside = nonzero & (periods >= begin) & (periods <= end)
    low = np.full((len(flows), 1), -_LARGEST_LOG_GROWTH)
    high = -low
    rising, rows = np.sign(first)[:, None], np.arange(len(flows))
    for _ in range(_ROUNDS):
        points = low + (high - low) * _PARTS
        shift = np.where(points >= 0, begin, end)[:, :, None]
        power = np.where(inside[:, None], (shift - periods) * points[:, :, None], 0.0)
        above = (np.exp(power) @ flows[:, :, None])[..., 0] * rising > 0.0
        # At an infinite rate only the first flow counts: there the sum has its sign.
        above[:, 0], above[:, -1] = False, True
        at = above.argmax(axis=-1)
        low, high = points[rows, at - 1, None], points[rows, at, None]
    return np.expm1((low + high)[:, 0] / 2.0)


def _nearest_root(flows: np.ndarray) -> np.ndarray:
    """The real root nearest to a rate of zero, among the eigenvalues of companion matrices."""
    start = (flows != 0.0).argmax(axis=-1)[:, None]
    places = np.arange(flows.shape[-1]) + start
    shifted = np.take_along_axis(flows, places % flows.shape[-1], axis=-1)
    size = flows.shape[-1] - 1
    matrix = np.zeros((len(flows), size, size))
    matrix[:, 0, :] = -shifted[:, 1:] / shifted[:, :1]
    matrix[:, np.arange(1, size), np.arange(size - 1)] = 1.0
    growth = np.linalg.eigvals(matrix)
    real = (np.abs(growth.imag) <= _REAL * np.abs(growth)) & (growth.real > 0.0)
    rate = np.where(real, growth.real - 1.0, np.nan)
    distance = np.where(real, np.abs(rate), np.inf)
    best = distance.argmin(axis=-1)[:, None]
    return np.take_along_axis(rate, best, axis=-1)[:, 0]
