"""One task: what it costs, what it is worth, and the line below which it should not run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.units import format_number


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a task is worth its cost."""

    worth: Any
    """True where the value is above the cost; at equality it is not [1]."""
    cost_usd_per_task: Any
    """Of a task done [USD/task]."""
    value_usd_per_task: Any
    """Of a task done [USD/task]."""
    margin_usd_per_task: Any
    """Value less cost [USD/task]."""

    @property
    def words(self) -> tuple[str, str]:
        """Verdict and reason of a single case, two sentences [text]."""
        cost, value = _money(self.cost_usd_per_task), _money(self.value_usd_per_task)
        margin = _money(np.abs(self.margin_usd_per_task))
        if self.cost_usd_per_task == self.value_usd_per_task == 0.0:
            return "There is nothing to judge.", "No task costs anything, and none brings anything."
        if self.worth:
            return "It is worth its cost.", (
                f"A task done brings {value} and costs {cost}: {margin} remain."
            )
        if self.margin_usd_per_task == 0.0:
            return "It is not worth its cost.", f"A task done brings {value} and costs as much."
        return "It is not worth its cost.", (
            f"A task done costs {cost} and brings {value}: {margin} are lost."
        )


def cost_per_successful_task(
    cost_usd: Any, tasks: Any, success_fraction: Any = 1.0, retry_fraction: Any = 0.0
) -> Any:
    """Cost of a task that is done, those that failed and those tried twice included.

    .. math:: c = \\frac{C}{T s (1 - q)}

    With ``tasks=1``, ``cost_usd`` is the cost of one attempt.

    Parameters
    ----------
    cost_usd : float or array [USD]
        ``C``, all that is paid in a period.
    tasks : float or array [task]
        ``T``, attempted in that period, second tries included.
    success_fraction : float or array [fraction]
        ``s``, share of the attempts whose answer can be used.
    retry_fraction : float or array [fraction]
        ``q``, share of the attempts that only try an earlier one again.

    Returns
    -------
    float or array [USD/task]
        Infinite when something is paid and no task is done; 0 when nothing is paid.

    Source: counting; no publication.

    >>> round(float(cost_per_successful_task(900.0, 1000, 0.8, 0.1)), 6)
    1.25
    """
    cost = np.asarray(cost_usd, dtype=float)
    done = np.asarray(tasks, dtype=float) * success_fraction
    done = done * (1.0 - np.asarray(retry_fraction, dtype=float))
    return _per(cost, done)


def value_per_task(benefit_usd: Any, successful_tasks: Any) -> Any:
    """What a task that is done is worth on average.

    .. math:: u = B / D

    Parameters
    ----------
    benefit_usd : float or array [USD]
        ``B``, such as ``Benefit.total_usd``; may be negative.
    successful_tasks : float or array [task]
        ``D``, tasks done in the same period, such as ``Benefit.successful_tasks``.

    Returns
    -------
    float or array [USD/task]
        0 for no benefit; infinite, with the benefit's sign, when no task is done.

    Source: a mean; no publication.

    >>> float(value_per_task(30_000.0, 10_000))
    3.0
    """
    return _per(np.asarray(benefit_usd, dtype=float), np.asarray(successful_tasks, dtype=float))


def kill_line(cost_usd_per_task: Any, value_usd_per_task: Any) -> Verdict:
    """Whether a task is worth its cost: the value must be above it.

    .. math:: \\text{worth} \\iff u > c

    Parameters
    ----------
    cost_usd_per_task : float or array [USD/task]
        Of a task done, all costs included.
    value_usd_per_task : float or array [USD/task]
        Of a task done.

    Returns
    -------
    Verdict

    Source: the rule that a workload which costs at least what it saves or earns should not run; no
    publication.

    >>> kill_line(0.40, 1.10).words[1]
    'A task done brings 1.10 USD and costs 0.40 USD: 0.70 USD remain.'
    >>> bool(kill_line(1.0, 1.0).worth)
    False
    """
    cost, value = (np.asarray(one, dtype=float) for one in (cost_usd_per_task, value_usd_per_task))
    apart = cost != value
    margin = np.where(apart, value, 1.0) - np.where(apart, cost, 1.0)
    return Verdict(
        worth=value > cost,
        cost_usd_per_task=cost,
        value_usd_per_task=value,
        margin_usd_per_task=margin,
    )


def break_even_volume(
    fixed_cost_usd: Any, variable_cost_usd_per_task: Any, value_usd_per_task: Any
) -> Any:
    """Tasks in a period at which value meets cost.

    .. math:: T^* = \\frac{F}{u - c_v}

    Parameters
    ----------
    fixed_cost_usd : float or array [USD]
        ``F``, paid in the period however many tasks there are, less what comes in anyway such as
        losses avoided. Per month, the answer is per month.
    variable_cost_usd_per_task : float or array [USD/task]
        ``c_v``, paid for each task, such as an API's tokens.
    value_usd_per_task : float or array [USD/task]
        ``u``; count tasks attempted or tasks done, but the same in both, and read the answer so.

    Returns
    -------
    float or array [task]
        Infinite when a task is not worth more than its own cost; 0 when there is no fixed cost.

    Source: break-even analysis, any textbook of cost accounting.

    >>> float(break_even_volume(10_000.0, 0.05, 0.55))
    20000.0
    >>> float(break_even_volume(10_000.0, 0.60, 0.55))
    inf
    """
    fixed = np.asarray(fixed_cost_usd, dtype=float)
    margin = np.asarray(value_usd_per_task, dtype=float) - variable_cost_usd_per_task
    pays = margin > 0.0
    nothing = (margin == 0.0) & (fixed <= 0.0)
    volume = np.maximum(fixed, 0.0) / np.where(pays, margin, 1.0)
    return np.where(pays, volume, np.where(nothing, 0.0, np.inf))


def _per(amount: np.ndarray, count: np.ndarray) -> np.ndarray:
    """A quotient that is 0 for nothing, and infinite with the amount's sign over nothing."""
    some = count > 0.0
    over_nothing = np.where(amount == 0.0, 0.0, np.copysign(np.inf, amount))
    with np.errstate(over="ignore"):
        return np.where(some, amount / np.where(some, count, 1.0), over_nothing)


def _money(usd: Any) -> str:
    """Dollars with cents, or with three digits when cents say nothing."""
    usd = float(usd)
    if not np.isfinite(usd):
        return "an unlimited amount"
    if 0.0 < abs(usd) < 0.1:
        return f"{format_number(usd)} USD"
    return f"{usd:,.2f} USD"
