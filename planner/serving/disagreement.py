"""The closed form beside the simulation: how far apart they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.serving.level import ServiceResult
from planner.serving.simulation import SimulationResult


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Closed form minus simulation, over the simulation; positive when the formula is careful.

    >>> Disagreement(0.1, 0.02, 0.0).ttft_fraction
    0.1
    """

    ttft_fraction: float
    """Of the time to first token, waiting included [fraction]."""
    waiting_fraction: float
    """Of the waiting, as a share of the simulated time to first token [fraction]."""
    tpot_fraction: float
    """Of the time per output token [fraction]."""


def disagreement(
    closed_form: ServiceResult,
    simulated: SimulationResult,
    percentile_fraction: float | None,
    skip_requests: int = 0,
) -> Disagreement:
    """How far the closed form is from the simulation, to be shown beside both.

    .. math:: (formula - simulation) / simulation

    Parameters
    ----------
    closed_form : ServiceResult
        Of one candidate at the same rate and percentile.
    simulated : SimulationResult
    percentile_fraction : float or None [fraction]
    skip_requests : int [request]
        Simulated requests left out at the start.

    Returns
    -------
    Disagreement
        0 where both are 0, infinite where only the simulation is, or the formula is overloaded.

    Source: the definition of a relative error; no publication.

    >>> from planner.serving import Requests, SpeedCurve, simulate
    >>> curve = SpeedCurve([1, 2], [0.5, 0.5], [0.1, 0.2], 0.0, 2)
    >>> run = simulate(Requests([0.0], [100], [11]), curve, replicas=1, curve_input_tokens=100)
    >>> formula = ServiceResult(0.1, 0.1, 0.0, 0.6, 0.11, 0.1, 0)
    >>> round(disagreement(formula, run, None).ttft_fraction, 3)
    0.2
    """
    waiting, ttft, tpot = simulated.percentiles(percentile_fraction, skip_requests)

    def share(formula: Any, measured: float, of: float) -> float:
        gap = float(formula) - measured
        return gap / of if of > 0 else (0.0 if gap == 0 else float(np.inf))

    return Disagreement(
        ttft_fraction=share(closed_form.ttft_s, ttft, ttft),
        waiting_fraction=share(closed_form.waiting_s, waiting, ttft),
        tpot_fraction=share(closed_form.tpot_s, tpot, tpot),
    )
