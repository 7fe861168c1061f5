"""Whether the whole is worth it: benefits against costs over the months of a horizon.

The convention everywhere: month 0 is the start, and capital is paid then; what month ``m`` brings
and costs falls at its end; a month's rate is the monthly equivalent of the yearly rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.errors import InvalidScenario
from planner.value.benefit import MONTHS_PER_YEAR, Benefit, TaskValues, monthly_benefit
from planner.value.cash_flow import (
    discounted_payback_periods,
    monthly_rate,
    npv,
    payback_periods,
    roi_fraction,
    yearly_rate,
)
from planner.value.internal_rate import irr, sign_changes
from planner.value.task import Verdict, kill_line, value_per_task


@dataclass(frozen=True, slots=True)
class Worth:
    """Benefits against costs: NPV, rate of return, paybacks."""

    cash_flows_usd: Any
    """Net of month 0 (capital) and of each month, along the last axis [USD]."""
    benefit_usd: Any
    """Sum over the months, not discounted [USD]."""
    cost_usd: Any
    """Capital and running costs, not discounted [USD]."""
    present_benefit_usd: Any
    """Benefits, discounted [USD]."""
    present_cost_usd: Any
    """Capital and running costs, discounted [USD]."""
    npv_usd: Any
    """Net present value: the difference of the two discounted sums [USD]."""
    irr_per_year: Any
    """Internal rate of return, compounded to a year; nan when there is none [fraction]."""
    sign_changes: Any
    """Of the cash flows; above 1 there may be other rates of return [1]."""
    payback_months: Any
    """Infinite when the money never comes back [month]."""
    discounted_payback_months: Any
    """The same with interest [month]."""
    roi_fraction: Any
    """Benefit less cost over cost, over the whole horizon, not discounted [fraction]."""


@dataclass(frozen=True, slots=True)
class ValueCase:
    """The benefits month by month, what all is worth, and one task of it."""

    benefit: Benefit
    """Months along the last axis."""
    worth: Worth
    """Of all months together."""
    cost_usd_per_task: Any
    """Discounted costs over discounted tasks done, project and change included [USD/task]."""
    value_usd_per_task: Any
    """Discounted benefits over discounted tasks done [USD/task]."""
    verdict: Verdict
    """Agrees with the sign of the net present value."""


def worth(
    rate_per_year: Any, benefits_usd: Any, running_costs_usd: Any, capital_usd: Any = 0.0
) -> Worth:
    """Net present value, rate of return, paybacks and ROI of monthly benefits and costs.

    .. math:: NPV = -K + \\sum_{m=1}^{M} \\frac{B_m - C_m}{(1 + r)^{m/12}}

    Capital is paid at the start (month 0); benefits and costs of month ``m`` fall at its end. The
    paybacks interpolate inside the month. ROI is of the undiscounted sums:
    :math:`(\\sum B - K - \\sum C) / (K + \\sum C)`.

    Parameters
    ----------
    rate_per_year : float or array [fraction]
        Effective yearly rate; broadcasts against the axes before the months.
    benefits_usd : array [USD/month]
        Months 1 to M along the last axis.
    running_costs_usd : array [USD/month]
        As positive numbers, broadcast to the same months; a sale at the end is a negative cost.
    capital_usd : float or array [USD]
        Paid at the start, as a positive number; without the months' axis.

    Returns
    -------
    Worth

    Source: R. A. Brealey, S. C. Myers and F. Allen, "Principles of Corporate Finance", chapters 2
    and 5.

    >>> one_year = worth(0.0, [150.0] * 12, [50.0] * 12, 600.0)
    >>> float(one_year.npv_usd), float(one_year.payback_months), float(one_year.roi_fraction)
    (600.0, 6.0, 0.5)
    """
    benefits, running = np.broadcast_arrays(
        np.asarray(benefits_usd, dtype=float), np.asarray(running_costs_usd, dtype=float)
    )
    if not benefits.ndim:
        raise InvalidScenario("Benefits and costs must have the months along their last axis.")
    capital = np.asarray(capital_usd, dtype=float)
    lead = np.broadcast_shapes(capital.shape, benefits.shape[:-1], np.shape(rate_per_year))
    start = np.broadcast_to(capital[..., None], (*lead, 1))
    months = (*lead, benefits.shape[-1])
    paid = np.concatenate([start, np.broadcast_to(running, months)], axis=-1)
    gained = np.concatenate([np.zeros_like(start), np.broadcast_to(benefits, months)], axis=-1)
    flows = gained - paid
    rate = monthly_rate(rate_per_year)
    present_benefit, present_cost = npv(rate, gained), npv(rate, paid)
    benefit_usd, cost_usd = gained.sum(axis=-1), paid.sum(axis=-1)
    return Worth(
        cash_flows_usd=flows,
        benefit_usd=benefit_usd,
        cost_usd=cost_usd,
        present_benefit_usd=present_benefit,
        present_cost_usd=present_cost,
        npv_usd=present_benefit - present_cost,
        irr_per_year=yearly_rate(irr(flows)),
        sign_changes=sign_changes(flows),
        payback_months=payback_periods(flows),
        discounted_payback_months=discounted_payback_periods(rate, flows),
        roi_fraction=roi_fraction(benefit_usd, cost_usd),
    )


def value_case(
    values: TaskValues,
    tasks_per_month: Any,
    running_costs_usd: Any,
    capital_usd: Any = 0.0,
    rate_per_year: Any = 0.0,
    cost_usd_per_task: Any = 0.0,
) -> ValueCase:
    """The whole case of a scenario in one place: its benefits, its worth and one task of it.

    .. math:: K' = K + P, \\qquad C'_m = C_m + c \\, A_m + G / 12

    with :func:`monthly_benefit`'s attempted tasks ``A``, the project ``P`` and the yearly change
    cost ``G`` of ``values``; then :func:`worth`. One task is *levelised*: discounted money over
    discounted tasks done, so value less cost of a task has the sign of the net present value.

    Parameters
    ----------
    values : TaskValues
        Numbers, or arrays of draws without an axis for months.
    tasks_per_month : float or array [task]
        Asked for; one number, or one for each month along the last axis.
    running_costs_usd : array [USD/month]
        Infrastructure, months along the last axis; their number is the horizon.
    capital_usd : float or array [USD]
        Infrastructure bought at the start.
    rate_per_year : float or array [fraction]
        Effective yearly discount rate.
    cost_usd_per_task : float or array [USD/task]
        Paid for each task attempted, on top of the running costs; an API's bill that shrinks with
        adoption belongs here.

    Returns
    -------
    ValueCase

    Source: :func:`worth` and :func:`monthly_benefit`; levelised as the cost of electricity is.

    >>> import numpy as np
    >>> from planner.scenario.value import ValueSection
    >>> values = TaskValues.of(ValueSection())
    >>> case = value_case(values, 30_000, np.full(36, 5_000.0), 250_000.0, 0.08)
    >>> bool(case.verdict.worth) == bool(case.worth.npv_usd > 0)
    True
    """
    running = np.asarray(running_costs_usd, dtype=float)
    if not running.ndim:
        raise InvalidScenario("Running costs must have the months along their last axis.")
    gains = monthly_benefit(values, tasks_per_month, running.shape[-1])
    change = np.asarray(values.change_cost_usd_per_year, dtype=float)[..., None] / MONTHS_PER_YEAR
    each = np.asarray(cost_usd_per_task, dtype=float)[..., None]
    running = running + change + each * gains.attempted_tasks
    capital = np.asarray(capital_usd, dtype=float) + values.project_cost_usd
    found = worth(rate_per_year, gains.total_usd, running, capital)
    done = npv(monthly_rate(rate_per_year), gains.successful_tasks, first_period=1)
    cost = value_per_task(found.present_cost_usd, done)
    value = value_per_task(found.present_benefit_usd, done)
    return ValueCase(gains, found, cost, value, kill_line(cost, value))


def npv_of_case(
    values: TaskValues,
    tasks_per_month: Any,
    running_costs_usd: Any,
    capital_usd: Any = 0.0,
    rate_per_year: Any = 0.0,
    cost_usd_per_task: Any = 0.0,
) -> Any:
    """The net present value of :func:`value_case` alone, for many draws or candidates.

    .. math:: NPV = -K' + \\sum_{m=1}^{M} \\frac{B_m - C'_m}{(1 + r)^{m/12}}

    Parameters
    ----------
    values : TaskValues
        Numbers, or arrays of draws without an axis for months.
    tasks_per_month : float or array [task]
        Asked for; one number, or one for each month along the last axis.
    running_costs_usd : array [USD/month]
        Infrastructure, months along the last axis.
    capital_usd : float or array [USD]
        Infrastructure bought at the start.
    rate_per_year : float or array [fraction]
        Effective yearly discount rate.
    cost_usd_per_task : float or array [USD/task]
        Paid for each task attempted.

    Returns
    -------
    float or array [USD]

    Source: :func:`value_case`; no publication.

    >>> import numpy as np
    >>> float(npv_of_case(TaskValues(), 0, np.full(12, 100.0), 50.0))
    -1250.0
    """
    running = np.asarray(running_costs_usd, dtype=float)
    gains = monthly_benefit(values, tasks_per_month, running.shape[-1])
    change = np.asarray(values.change_cost_usd_per_year, dtype=float)[..., None] / MONTHS_PER_YEAR
    each = np.asarray(cost_usd_per_task, dtype=float)[..., None]
    net = gains.total_usd - running - change - each * gains.attempted_tasks
    capital = np.asarray(capital_usd, dtype=float) + values.project_cost_usd
    return npv(monthly_rate(rate_per_year), net, first_period=1) - capital
