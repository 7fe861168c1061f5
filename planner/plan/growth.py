"""GPUs as demand grows: over a range of demand, and year by year."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.plan.demand_plan import Asked
from planner.plan.serving_records import GrowthTable, SupplyTable
from planner.plan.speed import ENDS, Candidates
from planner.scenario import Scenario
from planner.serving import ReplicaCapacity, SpeedCurve, replicas_needed

HOUR_S = 3600.0
LOW, NOMINAL, HIGH = range(len(ENDS))
_GROWTH = np.unique(np.round(np.geomspace(0.1, 10.0, 33), 3))
"""Times the scenario's demand for which GPUs are counted."""


@dataclass(frozen=True, slots=True)
class Sized:
    """The chosen layout with what the rest is derived from."""

    found: Candidates
    at: int
    """The layout's place among the candidates."""
    curve: SpeedCurve
    """Of that layout, with the range along its first axis."""
    capacity: ReplicaCapacity
    """The same axis."""
    replicas: np.ndarray
    """The same axis [replica]."""
    every: ReplicaCapacity
    """Of all layouts: whoever finds the hardware slower may spread the model otherwise."""
    people: bool
    """Whether demand is a known number of people."""


def growth_table(scenario: Scenario, sized: Sized, ask: Asked) -> GrowthTable:
    """GPUs against people, or against times the demand.

    Parameters
    ----------
    scenario : Scenario
    sized : Sized
    ask : Asked

    Returns
    -------
    GrowthTable
    """
    section = scenario.demand
    gpus = fewest_gpus(sized, ask, _GROWTH)
    label, here = {
        "staff": ("People", float(section.users)),
        "population": ("People", float(section.users)),
        "requests": ("Requests on a busy day", float(section.requests_per_day)),
        "log": ("Times the log's requests", float(section.log_scale)),
    }[section.source]
    return GrowthTable(label, here * _GROWTH, here, gpus[NOMINAL], gpus[LOW], gpus[HIGH])


def supply_table(scenario: Scenario, sized: Sized, ask: Asked) -> SupplyTable:
    """What must be there in each year of the horizon.

    Demand steps up once a year, from today's: the plan itself may be sized for a later year.

    Parameters
    ----------
    scenario : Scenario
    sized : Sized
    ask : Asked

    Returns
    -------
    SupplyTable
    """
    section = scenario.demand
    years = np.arange(float(scenario.finance.horizon_years)) - section.horizon_years
    times = (1.0 + section.growth_fraction_per_year) ** years
    rate = ask.demand.hourly_per_s * ask.mask
    gpus = fewest_gpus(sized, ask, times)
    return SupplyTable(
        demand_times=times,
        # Where the slow end cannot serve at all, what is predicted stands for it.
        gpus=np.where(np.isfinite(gpus), gpus, gpus[NOMINAL]),
        hour_share=rate / max(ask.plan.busiest_per_s, 1e-300),
        requests_per_week=float(rate.sum()) * HOUR_S,
        hours_per_week=float(ask.mask.sum()),
    )


def fewest_gpus(sized: Sized, ask: Asked, times: np.ndarray) -> np.ndarray:
    """GPUs for times the demand, each end of the range in the layout that suits it best.

    Parameters
    ----------
    sized : Sized
    ask : Asked
    times : array
        Demand over the scenario's.

    Returns
    -------
    array
        Shape (end, times).
    """
    amount = ask.plan.active_users if sized.people else ask.plan.peak_per_s
    each = sized.every.users if sized.people else sized.every.rate_per_s
    replicas = replicas_needed(amount * times, each[..., None])
    return np.min(replicas * sized.found.gpus[:, None], axis=1)
