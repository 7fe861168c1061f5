"""Which single assumption would have to change, and how far, for gains to meet costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from planner.scenario.value import ValueSection
from planner.value.benefit import TaskValues
from planner.value.worth import npv_of_case

VALUE_LEVERS = (
    "saved_s_per_task",
    "wage_usd_per_hour",
    "adoption_fraction",
    "realisation_fraction",
    "success_fraction",
    "review_s_per_task",
)
"""Levers that are fields of the value section."""
VOLUME, INFRASTRUCTURE = "volume", "infrastructure cost"
"""Levers that are multiples of what was given: of the tasks, and of what they run on."""


@dataclass(frozen=True, slots=True)
class Lever:
    """One assumption, and the value of it at which the net present value is zero."""

    name: str
    """Field of the scenario, ``volume`` or ``infrastructure cost``."""
    label: str
    """The same in words."""
    unit: str
    """Of ``current`` and ``needed``; ``1`` is a multiple of what was given."""
    current: Any
    """As assumed, in the lever's own unit [1]."""
    needed: Any
    """Where the net is zero, all else as it is; nan when no allowed value does it [1]."""
    relative_change: Any
    """Needed over current, less one; infinite from a current 0 [fraction]."""
    lowest: float
    """Smallest allowed value [1]."""
    highest: float
    """Largest allowed value [1]."""


def levers(
    values: TaskValues,
    tasks_per_month: Any,
    running_costs_usd: Any,
    capital_usd: Any = 0.0,
    rate_per_year: Any = 0.0,
    cost_usd_per_task: Any = 0.0,
) -> tuple[Lever, ...]:
    """For each lever alone, the value at which the net present value is zero.

    The net is a straight line in every one of them, so two points give the zero:

    .. math:: x^* = x - \\frac{x}{2} \\, \\frac{NPV(x)}{NPV(x) - NPV(x / 2)}

    ``volume`` multiplies the tasks and leaves the hardware as it is (with what is paid for each
    task following); ``infrastructure cost`` multiplies capital, running costs and what is paid for
    each task. The project and the cost of change stay.

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
    tuple of Lever [1]
        The smallest relative change first (by the median over draws); levers without an allowed
        zero last.

    Source: break-even analysis of a linear net; no publication.

    A thousand tasks a month of which each brings 3 USD, at 1,500 USD a month: half of the tasks
    would do, or twice the cost.

    >>> import numpy as np
    >>> values = TaskValues(
    ...     saved_s_per_task=360, wage_usd_per_hour=60, realisation_fraction=0.5
    ... )
    >>> found = {one.name: one for one in levers(values, 1000, np.full(12, 1500.0))}
    >>> float(found["volume"].needed), float(found["infrastructure cost"].needed)
    (0.5, 2.0)
    >>> float(found["value.saved_s_per_task"].needed)
    180.0
    """
    money = (running_costs_usd, capital_usd, cost_usd_per_task)

    def net(name: str, value: Any) -> Any:
        case, tasks, scale = values, np.asarray(tasks_per_month, dtype=float), np.asarray(1.0)
        if name == VOLUME:
            tasks = tasks * _by_month(value, tasks)
        elif name == INFRASTRUCTURE:
            scale = np.asarray(value, dtype=float)
        else:
            case = replace(values, **{name: value})
        running, capital, each = (np.asarray(one, dtype=float) for one in money)
        return npv_of_case(
            case, tasks, running * scale[..., None], capital * scale, rate_per_year, each * scale
        )

    found = [_lever(name, values, net) for name in (*VALUE_LEVERS, VOLUME, INFRASTRUCTURE)]
    return tuple(sorted(found, key=_distance))


def _by_month(value: Any, tasks: np.ndarray) -> np.ndarray:
    """A multiple of tasks, with an axis for the months unless it is one number."""
    multiple = np.asarray(value, dtype=float)
    return multiple[..., None] if multiple.ndim else multiple


def _lever(name: str, values: TaskValues, net: Any) -> Lever:
    lowest, highest, label, unit = _about(name)
    current = np.asarray(getattr(values, name, 1.0), dtype=float)
    point = np.where(current > 0.0, current, min(highest, 1.0))
    # Once more from the answer: a lever that hardly mattered where it was has few digits there.
    for _ in range(2):
        there, half = net(name, point), net(name, point / 2.0)
        rise = there - half
        moves = np.abs(rise) > 0.0
        with np.errstate(over="ignore"):
            needed = point * (1.0 - 0.5 * there / np.where(moves, rise, 1.0))
        allowed = moves & (needed >= lowest) & (needed <= highest)
        point = np.where(allowed & (needed > 0.0), needed, point)
    needed = np.where(allowed, needed, np.nan)
    some = current > 0.0
    change = np.where(some, needed / np.where(some, current, 1.0) - 1.0, np.inf)
    change = np.where(np.isnan(needed), np.nan, np.where(needed == current, 0.0, change))
    path = f"value.{name}" if name in VALUE_LEVERS else name
    return Lever(path, label, unit, current, needed, change, lowest, highest)


def _about(name: str) -> tuple[float, float, str, str]:
    """Allowed range, words and unit: the scenario's own, or a multiple from nothing upwards."""
    if name == VOLUME:
        return 0.0, np.inf, "Tasks, as a multiple", "1"
    if name == INFRASTRUCTURE:
        return 0.0, np.inf, "Cost of infrastructure, as a multiple", "1"
    field = ValueSection.model_fields[name]
    lowest = next(one.ge for one in field.metadata if hasattr(one, "ge"))
    highest = next(one.le for one in field.metadata if hasattr(one, "le"))
    return lowest, highest, field.json_schema_extra["label"], field.json_schema_extra["unit"]


def _distance(lever: Lever) -> tuple[float, str]:
    """How far the median draw must go; without any, to the end."""
    known = np.abs(lever.relative_change[~np.isnan(lever.relative_change)])
    return (round(float(np.median(known)), 9) if known.size else np.inf, lever.name)
