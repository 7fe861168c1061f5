"""The answer about value: a frozen record whose fields say unit, term and formula."""

from __future__ import annotations

from dataclasses import dataclass

from planner.plan.answers import answer


@dataclass(frozen=True, slots=True)
class ValuePlan:
    """What it brings against what it costs, by the cheapest way that is allowed."""

    tasks_per_month: float = answer(
        "Tasks a month, asked for",
        "task",
        "requests a month / {scenario.value.requests_per_task}",
        "task",
        "In the first year; adoption decides how many of them are done with it.",
    )
    benefit_usd: float = answer(
        "Benefit over the horizon",
        "USD",
        "tasks × saved time × wage × {scenario.value.realisation_fraction} + revenue + avoided "
        "loss − review − errors",
        "benefit",
        "Only the realised share of saved time is money.",
    )
    cost_usd: float = answer(
        "Cost over the horizon",
        "USD",
        "{cost.cheapest_usd} + project and change",
        "tco",
    )
    npv_usd: float = answer(
        "Net present value",
        "USD",
        "sum of net months, each discounted at {scenario.finance.discount_fraction} a year",
        "npv",
        "Month 0 is now and is not discounted; benefits and costs fall at the end of each month.",
    )
    npv_low_usd: float = answer(
        "Net present value, low end",
        "USD",
        "low end of {value.npv_usd}",
        "npv",
        "Prices and speed are drawn; the value's own assumptions are not.",
    )
    npv_high_usd: float = answer(
        "Net present value, high end",
        "USD",
        "high end of {value.npv_usd}",
        "npv",
        "Prices and speed are drawn; the value's own assumptions are not.",
    )
    irr_fraction: float = answer(
        "Internal rate of return a year",
        "fraction",
        "rate at which {value.npv_usd} would be zero",
        "irr",
        "Unknown when there is none.",
    )
    payback_months: float = answer(
        "Pays back after",
        "month",
        "first month with a positive sum of net months",
        "payback",
    )
    discounted_payback_months: float = answer(
        "Pays back after, discounted",
        "month",
        "first month with a positive sum of discounted net months",
        "payback",
    )
    roi_fraction: float = answer(
        "Return on investment",
        "fraction",
        "({value.benefit_usd} − {value.cost_usd}) / {value.cost_usd}",
        "roi",
        "Undiscounted.",
    )
    cost_usd_per_task: float = answer(
        "Cost of a task done well",
        "USD/task",
        "discounted cost / tasks that succeed, discounted",
        "cost-per-task",
        "Failed and repeated tasks are paid for too.",
    )
    value_usd_per_task: float = answer(
        "Value of a task done well",
        "USD/task",
        "discounted benefit / tasks that succeed, discounted",
        "cost-per-task",
    )
    margin_usd_per_task: float = answer(
        "Left of each task",
        "USD/task",
        "{value.value_usd_per_task} − {value.cost_usd_per_task}",
        "kill-line",
        "Below zero the workload costs more than it brings.",
    )
    breakeven_tasks_per_month: float = answer(
        "Tasks a month at which it pays",
        "task",
        "tasks asked for × the volume at which {value.npv_usd} is zero",
        "kill-line",
        "On the same hardware, which may be too small for more. Infinite when more tasks lose "
        "more.",
    )
    verdict: str = answer(
        "Verdict",
        "text",
        "worth it when {value.margin_usd_per_task} is above zero",
        "kill-line",
    )
