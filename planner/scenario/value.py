"""What a task is worth, and what it costs besides hardware: the value section of a scenario."""

from __future__ import annotations

from typing import Annotated

from planner.scenario.fields import Section, quantity

REALISATION_LIMIT = 0.9
"""Saved minutes never become money in full [fraction]."""


class ValueSection(Section):
    """The tasks behind the requests, what each is worth, and what checking and errors cost.

    Times are in seconds inside, as everywhere. The tasks of a year are the scenario's requests of
    a year over ``requests_per_task``.

    >>> ValueSection(saved_s_per_task=600.0).realisation_fraction
    0.35
    """

    requests_per_task: Annotated[
        float,
        quantity(
            "Requests that one piece of work takes, follow-up questions included; three is "
            "assumed. An agent may need a hundred.",
            label="Requests for one task",
            unit="request",
            team="data science",
            control="log slider",
            term="cost-per-task",
            ge=1.0,
            le=1000.0,
        ),
    ] = 3.0
    saved_s_per_task: Annotated[
        float,
        quantity(
            "Working time that a usable answer saves, before anybody checks it; five minutes are "
            "assumed. Time ten tasks with and without it.",
            label="Time saved by a task",
            unit="s",
            control="log slider",
            term="realisation",
            ge=0.0,
            le=86_400.0,
        ),
    ] = 300.0
    wage_usd_per_hour: Annotated[
        float,
        quantity(
            "Gross pay of those whose time is saved; 40 is assumed. Civilian workers in the "
            "United States averaged 33.02 in June 2025 (BLS, USDL-25-1358).",
            label="Wage an hour",
            unit="USD/h",
            control="log slider",
            term="loaded-wage",
            ge=0.0,
            le=1000.0,
        ),
    ] = 40.0
    burden_fraction: Annotated[
        float,
        quantity(
            "What an employer pays on top of the wage, as a share of it; 0.4 is assumed. It was "
            "0.42 in private industry in the United States in June 2025 (BLS, USDL-25-1358).",
            label="On top of the wage",
            unit="fraction",
            control="slider",
            term="loaded-wage",
            ge=0.0,
            le=2.0,
        ),
    ] = 0.4
    adoption_fraction: Annotated[
        float,
        quantity(
            "Share of the tasks planned for that people really bring to it, once they are used to "
            "it; 0.7 is assumed. Hardware is sized for all of them.",
            label="Adoption in the end",
            unit="fraction",
            control="slider",
            term="adoption",
            ge=0.0,
            le=1.0,
        ),
    ] = 0.7
    adoption_ramp_months: Annotated[
        int,
        quantity(
            "Months in which adoption grows evenly from nothing to its end; six are assumed, and "
            "0 means from the first day.",
            label="Months until then",
            unit="month",
            control="slider",
            term="adoption",
            ge=0,
            le=60,
        ),
    ] = 6
    realisation_fraction: Annotated[
        float,
        quantity(
            "Share of the saved time that becomes money: work that would have been paid for "
            "otherwise. 0.35 is assumed, between the usual 0.25 and 0.5; it is never all.",
            label="Saved time that becomes money",
            unit="fraction",
            control="slider",
            term="realisation",
            ge=0.0,
            le=REALISATION_LIMIT,
        ),
    ] = 0.35
    success_fraction: Annotated[
        float,
        quantity(
            "Share of tasks whose answer can be used; 0.8 is assumed. Only these save time.",
            label="Answers that can be used",
            unit="fraction",
            team="data science",
            control="slider",
            term="cost-per-task",
            ge=0.0,
            le=1.0,
        ),
    ] = 0.8
    retry_fraction: Annotated[
        float,
        quantity(
            "Share of tasks that only try an earlier one again; one in ten is assumed. They cost "
            "as much as others and gain nothing new.",
            label="Second tries",
            unit="fraction",
            team="data science",
            control="slider",
            term="cost-per-task",
            ge=0.0,
            le=0.9,
        ),
    ] = 0.1
    review_s_per_task: Annotated[
        float,
        quantity(
            "Working time to check one answer, usable or not, at the full wage; half a minute is "
            "assumed.",
            label="Time to check an answer",
            unit="s",
            control="log slider",
            term="value-per-task",
            ge=0.0,
            le=86_400.0,
        ),
    ] = 30.0
    error_fraction: Annotated[
        float,
        quantity(
            "Share of the answers taken for usable that turn out wrong after all; one in a "
            "hundred is assumed.",
            label="Errors that slip through",
            unit="fraction",
            team="data science",
            control="slider",
            term="value-per-task",
            ge=0.0,
            le=1.0,
        ),
    ] = 0.01
    error_cost_usd: Annotated[
        float,
        quantity(
            "What one such error costs to find and mend; 20 is assumed, half an hour of work. In "
            "medicine or law it may be thousands.",
            label="Cost of an error",
            unit="USD",
            control="log slider",
            term="value-per-task",
            ge=0.0,
            le=1_000_000.0,
        ),
    ] = 20.0
    revenue_usd_per_task: Annotated[
        float,
        quantity(
            "Margin earned with a usable answer, as when a customer buys after it; none is "
            "assumed.",
            label="Earned with a task",
            unit="USD/task",
            control="log slider",
            term="value-per-task",
            ge=0.0,
            le=10_000.0,
        ),
    ] = 0.0
    avoided_loss_usd_per_year: Annotated[
        float,
        quantity(
            "Fines, outages or contracts that it would save in a year if people brought all these "
            "tasks to it; none is assumed.",
            label="Losses avoided in a year",
            unit="USD/year",
            control="log slider",
            term="value-per-task",
            ge=0.0,
            le=1e9,
        ),
    ] = 0.0
    project_cost_usd: Annotated[
        float,
        quantity(
            "Paid once before it starts, wherever it runs: integration, evaluation, security "
            "review. 50,000 is assumed.",
            label="Cost of the project, once",
            unit="USD",
            control="log slider",
            term="npv",
            ge=0.0,
            le=1e9,
        ),
    ] = 50_000.0
    change_cost_usd_per_year: Annotated[
        float,
        quantity(
            "Training, support and keeping prompts and documents fresh, every year; 10,000 is "
            "assumed.",
            label="Cost of change, each year",
            unit="USD/year",
            control="log slider",
            term="adoption",
            ge=0.0,
            le=1e9,
        ),
    ] = 10_000.0
