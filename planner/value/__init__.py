"""What a workload is worth: benefits, NPV, IRR, payback and ROI, and cost against value per task.

Money is in dollars, received positive, months along the last axis. The annuity and depreciation
functions are in :mod:`planner.cost`.
"""

from planner.value.benefit import (
    PARTS,
    Benefit,
    TaskValues,
    adoption_ramp,
    benefit,
    monthly_benefit,
    tasks_of_requests,
    value_of_one_more_task,
)
from planner.value.cash_flow import (
    discounted_payback_periods,
    monthly_rate,
    npv,
    payback_periods,
    present_values,
    roi_fraction,
    yearly_rate,
)
from planner.value.internal_rate import irr, sign_changes
from planner.value.levers import INFRASTRUCTURE, VALUE_LEVERS, VOLUME, Lever, levers
from planner.value.task import (
    Verdict,
    break_even_volume,
    cost_per_successful_task,
    kill_line,
    value_per_task,
)
from planner.value.worth import ValueCase, Worth, npv_of_case, value_case, worth

__all__ = [
    "INFRASTRUCTURE",
    "PARTS",
    "VALUE_LEVERS",
    "VOLUME",
    "Benefit",
    "Lever",
    "TaskValues",
    "ValueCase",
    "Verdict",
    "Worth",
    "adoption_ramp",
    "benefit",
    "break_even_volume",
    "cost_per_successful_task",
    "discounted_payback_periods",
    "irr",
    "kill_line",
    "levers",
    "monthly_benefit",
    "monthly_rate",
    "npv",
    "npv_of_case",
    "payback_periods",
    "present_values",
    "roi_fraction",
    "sign_changes",
    "tasks_of_requests",
    "value_case",
    "value_of_one_more_task",
    "value_per_task",
    "worth",
    "yearly_rate",
]
