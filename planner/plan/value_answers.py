"""The answers about value: what it brings, by the way that costs least."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from planner.cost import band
from planner.plan.setting import Setting, Venue
from planner.plan.value_records import ValuePlan
from planner.value import (
    Lever,
    TaskValues,
    ValueCase,
    levers,
    npv_of_case,
    tasks_of_requests,
    value_case,
)

MONTHS = 12
VOLUMES = np.round(np.geomspace(0.1, 10.0, 25), 4)
"""Times the planned tasks for which cost and value of one are drawn [1]."""


@dataclass(frozen=True, slots=True)
class KillTable:
    """Cost and value of a task done well over the volume of tasks."""

    tasks_per_month: np.ndarray
    """[task]"""
    cost_usd: np.ndarray
    """[USD/task]"""
    value_usd: np.ndarray
    """[USD/task]"""


@dataclass(frozen=True)
class Worthwhile:
    """What it brings, month by month, and what would turn the verdict."""

    answers: ValuePlan
    venue: Venue
    case: ValueCase
    values: TaskValues
    tasks: np.ndarray
    """Asked for in each month [task]."""
    running_usd: np.ndarray
    """Infrastructure of each month [USD/month]."""
    capital_usd: float
    rate_per_year: float
    usd_per_task: float
    """Paid for each task that is tried."""

    @cached_property
    def levers(self) -> tuple[Lever, ...]:
        """What would turn the verdict, each alone; the smallest change first."""
        return levers(self.values, self.tasks, *self._money)

    @cached_property
    def kill(self) -> KillTable:
        """The same hardware for more and fewer tasks; an API's bill goes with them."""
        shape = (len(VOLUMES),)
        case = value_case(
            self.values,
            VOLUMES[:, None] * self.tasks,
            np.broadcast_to(self.running_usd, (*shape, len(self.running_usd))),
            np.full(shape, self.capital_usd),
            self.rate_per_year,
            np.full(shape, self.usd_per_task),
        )
        first = float(self.tasks[0]) if len(self.tasks) else 0.0
        return KillTable(
            VOLUMES * first,
            np.asarray(case.cost_usd_per_task, dtype=float),
            np.asarray(case.value_usd_per_task, dtype=float),
        )

    @property
    def _money(self) -> tuple[np.ndarray, float, float, float]:
        return self.running_usd, self.capital_usd, self.rate_per_year, self.usd_per_task


@dataclass(frozen=True, slots=True)
class _Flows:
    """A venue's money as the value room takes it; draws before the months."""

    running: np.ndarray
    capital: np.ndarray
    each: np.ndarray
    """Paid for each task that is attempted [USD/task]."""


def worthwhile(setting: Setting, venue: Venue) -> Worthwhile:
    """Whether a scenario is worth what one way to run it costs.

    Parameters
    ----------
    setting : Setting
    venue : Venue
        That is allowed.

    Returns
    -------
    Worthwhile
    """
    scenario = setting.choice.scenario
    section, rate = scenario.value, scenario.finance.discount_fraction
    values = TaskValues.of(section)
    tasks = np.repeat(
        tasks_of_requests(setting.requests, section.requests_per_task) / MONTHS, MONTHS
    )
    flows = _flows(setting, venue, tasks)
    nominal = (flows.running[0], float(flows.capital[0]), rate, float(flows.each[0]))
    case = value_case(values, tasks, *nominal)
    # One more row, with half the tasks: the net is a straight line over their volume, but that no
    # tasks at all avoid no losses.
    draws = npv_of_case(
        values,
        tasks * np.append(np.ones(len(flows.capital)), 0.5)[:, None],
        np.vstack([flows.running, flows.running[:1]]),
        np.append(flows.capital, flows.capital[0]),
        rate,
        np.append(flows.each, flows.each[0]),
    )
    draws, half = np.asarray(draws)[:-1], float(draws[-1])
    found = case.worth
    low, _, high = band(np.asarray(draws))
    each = 2.0 * (float(found.npv_usd) - half)
    without = float(found.npv_usd) - each
    needed = max(-without / each, 0.0) if each > 0 else math.inf
    answers = ValuePlan(
        tasks_per_month=float(tasks[0]) if len(tasks) else 0.0,
        benefit_usd=float(found.benefit_usd),
        cost_usd=float(found.cost_usd),
        npv_usd=float(found.npv_usd),
        npv_low_usd=low,
        npv_high_usd=high,
        irr_fraction=float(found.irr_per_year),
        payback_months=float(found.payback_months),
        discounted_payback_months=float(found.discounted_payback_months),
        roi_fraction=float(found.roi_fraction),
        cost_usd_per_task=float(case.cost_usd_per_task),
        value_usd_per_task=float(case.value_usd_per_task),
        margin_usd_per_task=float(case.verdict.margin_usd_per_task),
        breakeven_tasks_per_month=float(tasks[0]) * needed if len(tasks) else math.inf,
        verdict=(
            "It brings more than it costs."
            if bool(case.verdict.worth)
            else "It costs more than it brings."
        ),
    )
    return Worthwhile(answers, venue, case, values, tasks, *nominal)


def _flows(setting: Setting, venue: Venue, tasks: np.ndarray) -> _Flows:
    """An API's tokens are paid for the tasks that are tried; all else runs whoever comes."""
    months = venue.months_usd(setting.years)
    each = np.zeros(len(months))
    asked = float(tasks.sum())
    if venue.kind == "call" and asked > 0:
        billed = sum(line.usd for line in venue.lines if line.part == "tokens")
        each = billed.sum(axis=-1) / asked
        months = months.copy()
        months[:, 1:] -= np.repeat(billed / MONTHS, MONTHS, axis=-1)
    return _Flows(months[:, 1:], months[:, 0], each)
