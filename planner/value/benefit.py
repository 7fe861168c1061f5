"""What tasks are worth: time saved, revenue and losses avoided, less checking and errors.

.. math:: B = T a \\, (1 - q) s \\, (t w (1 + b) \\rho + e_+) + a L
          - T a \\, v w (1 + b) - T a \\, (1 - q) s \\, \\epsilon c

with ``T`` the tasks asked for, ``a`` adoption, ``q`` retries, ``s`` success, ``t`` and ``v`` the
time saved and the time to check, ``w`` the wage, ``b`` what comes on top of it, ``rho`` the
realisation, ``e+`` the revenue of a task, ``L`` the losses avoided, ``epsilon`` and ``c`` the share
and the cost of errors.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from planner.errors import InvalidScenario
from planner.scenario.value import ValueSection

HOUR_S = 3600.0
MONTHS_PER_YEAR = 12.0


@dataclass(frozen=True, slots=True)
class TaskValues:
    """The assumptions behind a benefit; fields are named as in the scenario's value section.

    Each is a number, or an array of draws or candidates that broadcasts with the others. What is
    left out has no effect: everything is adopted at once, succeeds and costs nothing to check.

    >>> TaskValues(saved_s_per_task=600.0, wage_usd_per_hour=40.0).success_fraction
    1.0
    """

    saved_s_per_task: Any = 0.0
    """Working time that a usable answer saves [s]."""
    wage_usd_per_hour: Any = 0.0
    """Gross pay [USD/h]."""
    burden_fraction: Any = 0.0
    """Employer's cost on top of the wage [fraction]."""
    adoption_fraction: Any = 1.0
    """Share of the tasks that are brought to it in the end [fraction]."""
    adoption_ramp_months: Any = 0
    """Until adoption is there [month]."""
    realisation_fraction: Any = 0.35
    """Share of the saved time that becomes money [fraction]."""
    success_fraction: Any = 1.0
    """Share of tasks whose answer can be used [fraction]."""
    retry_fraction: Any = 0.0
    """Share of tasks that try an earlier one again [fraction]."""
    review_s_per_task: Any = 0.0
    """Working time to check an answer [s]."""
    error_fraction: Any = 0.0
    """Share of used answers that are wrong [fraction]."""
    error_cost_usd: Any = 0.0
    """Cost of such an error [USD]."""
    revenue_usd_per_task: Any = 0.0
    """Earned with a usable answer [USD/task]."""
    avoided_loss_usd_per_year: Any = 0.0
    """Saved in a year if all tasks are brought to it [USD/year]."""
    project_cost_usd: Any = 0.0
    """Paid once at the start [USD]."""
    change_cost_usd_per_year: Any = 0.0
    """Paid every year [USD/year]."""

    @classmethod
    def of(cls, section: ValueSection) -> TaskValues:
        """The assumptions of a scenario.

        Parameters
        ----------
        section : ValueSection

        Returns
        -------
        TaskValues

        >>> TaskValues.of(ValueSection()).saved_s_per_task
        300.0
        """
        return cls(**{one.name: getattr(section, one.name) for one in fields(cls)})


@dataclass(frozen=True, slots=True)
class Benefit:
    """What a period brings, part by part; the parts sum to ``total_usd``.

    Checking and errors are negative.
    """

    attempted_tasks: Any
    """Tasks really brought to it, second tries included [task]."""
    successful_tasks: Any
    """Tasks done: usable answers, second tries counted once [task]."""
    time_saved_usd: Any
    """Saved time that becomes money [USD]."""
    revenue_usd: Any
    """Earned with the tasks done [USD]."""
    avoided_loss_usd: Any
    """Losses that did not happen [USD]."""
    review_usd: Any
    """Time spent on checking; negative [USD]."""
    errors_usd: Any
    """What wrong answers cost; negative [USD]."""
    total_usd: Any
    """Sum of the five parts [USD]."""

    @property
    def parts(self) -> dict[str, Any]:
        """The five parts by their names [USD]."""
        return {name: getattr(self, name) for name in PARTS}


PARTS = ("time_saved_usd", "revenue_usd", "avoided_loss_usd", "review_usd", "errors_usd")
"""Fields of a :class:`Benefit` that sum to its total."""


def tasks_of_requests(requests: Any, requests_per_task: Any) -> Any:
    """Pieces of work behind a number of requests.

    .. math:: T = R / n

    Parameters
    ----------
    requests : float or array [request]
        In any period.
    requests_per_task : float or array [request]
        Above 0.

    Returns
    -------
    float or array [task]
        In the same period.

    Source: counting; no publication.

    >>> float(tasks_of_requests(600_000, 3))
    200000.0
    """
    each = np.asarray(requests_per_task, dtype=float)
    if not np.all(each > 0.0):
        raise InvalidScenario(
            "value.requests_per_task must be above 0; a task takes at least part of a request.",
            field="value.requests_per_task",
        )
    return np.asarray(requests, dtype=float) / each


def adoption_ramp(months: int, ramp_months: Any) -> Any:
    """Share of the final adoption that is reached in each month, on average over the month.

    Adoption grows evenly from 0 at the start to its end after ``R`` months; the mean over month
    ``m`` is

    .. math:: a_m = F(m) - F(m-1), \\qquad F(t) = t - \\min(t, R) + \\frac{\\min(t, R)^2}{2R}

    Parameters
    ----------
    months : int [month]
        How many months to give.
    ramp_months : int or array [month]
        ``R``; 0 is full adoption from the first day.

    Returns
    -------
    array [fraction]
        Months along a new last axis.

    Source: the integral of a linear ramp; no publication.

    >>> [round(float(a), 3) for a in adoption_ramp(5, 3)]
    [0.167, 0.5, 0.833, 1.0, 1.0]
    """
    ramp = np.asarray(ramp_months, dtype=float)[..., None]
    time = np.arange(months + 1, dtype=float)
    rising = np.minimum(time, ramp)
    reached = time - rising + rising**2 / (2.0 * np.where(ramp > 0.0, ramp, 1.0))
    return np.diff(reached, axis=-1)


def benefit(
    values: TaskValues, tasks: Any, ramp_fraction: Any = 1.0, period_years: float = 1.0
) -> Benefit:
    """What a period brings, part by part.

    .. math:: A = T a, \\qquad D = A (1 - q) s

    .. math:: B = D \\, t w (1 + b) \\rho + D \\, e_+ + a L - A \\, v w (1 + b) - D \\, \\epsilon c

    Tasks that only try an earlier one again (``q``) and tasks without a usable answer (``1 - s``)
    cost and are checked like others, and gain nothing. Checking counts at the full wage: it is
    work that must be done, whether the saved time becomes money or not. Losses avoided follow
    adoption, not the number of tasks.

    Parameters
    ----------
    values : TaskValues
        The assumptions; numbers or arrays that broadcast with ``tasks``.
    tasks : float or array [task]
        ``T``, asked for in the period: requests over ``requests_per_task``.
    ramp_fraction : float or array [fraction]
        Share of the final adoption that is reached, such as :func:`adoption_ramp`.
    period_years : float [year]
        Length of the period, for the losses avoided.

    Returns
    -------
    Benefit
        Of the period; all parts 0 where no task is brought to it.

    Source: the usual form of a business case for saved working time, and counting of the tries;
    no publication.

    Ten thousand tasks of which all succeed, six minutes saved at a loaded 60 USD/h, half of it
    realised: 10,000 x 0.1 h x 60 x 0.5.

    >>> values = TaskValues(
    ...     saved_s_per_task=360, wage_usd_per_hour=60, realisation_fraction=0.5
    ... )
    >>> float(benefit(values, 10_000).total_usd)
    30000.0
    """
    _check(values, tasks)
    wage_usd_per_s = np.asarray(values.wage_usd_per_hour) * (1.0 + values.burden_fraction) / HOUR_S
    attempted = np.asarray(tasks, dtype=float) * values.adoption_fraction * ramp_fraction
    done = attempted * (1.0 - np.asarray(values.retry_fraction)) * values.success_fraction
    saved = done * values.saved_s_per_task * wage_usd_per_s * values.realisation_fraction
    revenue = done * values.revenue_usd_per_task
    share = np.asarray(values.adoption_fraction) * ramp_fraction
    losses = share * values.avoided_loss_usd_per_year * period_years
    avoided = np.where(np.asarray(tasks) > 0.0, losses, 0.0)
    review = -attempted * values.review_s_per_task * wage_usd_per_s
    errors = -done * values.error_fraction * values.error_cost_usd
    return Benefit(
        attempted_tasks=attempted,
        successful_tasks=done,
        time_saved_usd=saved,
        revenue_usd=revenue,
        avoided_loss_usd=avoided,
        review_usd=review,
        errors_usd=errors,
        total_usd=saved + revenue + avoided + review + errors,
    )


def monthly_benefit(values: TaskValues, tasks_per_month: Any, months: int) -> Benefit:
    """What each month brings while adoption grows, part by part.

    .. math:: B_m = B(T_m, \\, a \\cdot a_m), \\qquad m = 1 \\dots M

    with :func:`benefit` and the share ``a_m`` of :func:`adoption_ramp`.

    Parameters
    ----------
    values : TaskValues
        Numbers, or arrays of draws *without* an axis for months.
    tasks_per_month : float or array [task]
        A number for every month alike, or an array whose last axis is the months (or of length 1).
    months : int [month]

    Returns
    -------
    Benefit
        Months along the last axis [USD/month].

    Source: :func:`benefit` of twelfths of a year; no publication.

    >>> monthly = monthly_benefit(TaskValues(adoption_ramp_months=2), 10_000, 3)
    >>> [float(n) for n in monthly.attempted_tasks]
    [2500.0, 7500.0, 10000.0]
    """
    ramp = adoption_ramp(months, values.adoption_ramp_months)
    by_month = replace(
        values,
        **{one.name: np.asarray(getattr(values, one.name))[..., None] for one in fields(values)},
    )
    tasks = np.asarray(tasks_per_month, dtype=float)
    if tasks.ndim and tasks.shape[-1] not in (1, months):
        raise InvalidScenario(
            f"There are tasks for {tasks.shape[-1]} months and {months} months to value; give "
            "one number, or one for each month along the last axis."
        )
    return benefit(by_month, tasks, ramp, 1.0 / MONTHS_PER_YEAR)


def value_of_one_more_task(values: TaskValues) -> Any:
    """What one more task done is worth, less its checking, its errors and the tries it takes.

    .. math:: u = t w (1 + b) \\rho + e_+ - \\epsilon c - \\frac{v w (1 + b)}{(1 - q) s}

    Losses avoided are not in it: they do not grow with the tasks.

    Parameters
    ----------
    values : TaskValues

    Returns
    -------
    float or array [USD/task]
        Minus infinity when no task is ever done and checking costs something, 0 when not.

    Source: :func:`benefit` over the tasks done; no publication.

    The defaults of a scenario: five minutes at a loaded 56 USD/h, of which 0.35 is realised, less
    0.2 for errors, less half a minute of checking for each of 1 / 0.72 tries.

    >>> round(float(value_of_one_more_task(TaskValues.of(ValueSection()))), 4)
    0.7852
    """
    _check(values, 1.0)
    wage_usd_per_s = np.asarray(values.wage_usd_per_hour) * (1.0 + values.burden_fraction) / HOUR_S
    gain = wage_usd_per_s * values.saved_s_per_task * values.realisation_fraction
    gain = gain + values.revenue_usd_per_task
    gain = gain - np.asarray(values.error_fraction) * values.error_cost_usd
    share = (1.0 - np.asarray(values.retry_fraction)) * values.success_fraction
    review = wage_usd_per_s * values.review_s_per_task
    never = np.where(review > 0.0, -np.inf, 0.0)
    return np.where(share > 0.0, gain - review / np.where(share > 0.0, share, 1.0), never)


def _check(values: TaskValues, tasks: Any) -> None:
    """Nothing negative, and shares of a whole no larger than it."""
    numbers = {name: getattr(values, name) for name in TaskValues.__slots__}
    for name, number in {**numbers, "tasks": tasks}.items():
        whole = name.endswith("_fraction") and name != "burden_fraction"
        most = 1.0 if whole else np.inf
        if isinstance(number, int | float):
            allowed = 0.0 <= number <= most
        else:
            given = np.asarray(number, dtype=float)
            allowed = bool(((given >= 0.0) & (given <= most)).all())
        if not allowed:
            field = "demand" if name == "tasks" else f"value.{name}"
            raise InvalidScenario(
                f"{field} must be {'from 0 to 1' if whole else '0 or more'}; mend the number "
                "that is outside.",
                field=field,
            )
