"""Who asks for how much, and when: the demand section of a scenario."""

from __future__ import annotations

from typing import Annotated, Literal

from planner.scenario.fields import Section, quantity

PEOPLE = ("demand.source", ("staff", "population"))
NO_LOG = ("demand.source", ("staff", "population", "requests"))
A_LOG = ("demand.source", ("log",))


class DemandSection(Section):
    """How many requests come, how long they are, and when.

    >>> DemandSection(users=2000).source
    'staff'
    """

    source: Annotated[
        Literal["staff", "population", "requests", "log"],
        quantity(
            "What is known of the demand: a number of colleagues, who wait for their answers; a "
            "public too large to count, which asks however slow the answers are; requests on a "
            "busy day; or a log of real requests.",
            label="Demand comes from",
            control="choice",
            term="request-rate",
        ),
    ] = "staff"
    users: Annotated[
        int,
        quantity(
            "People who may use it, at work or not.",
            label="People",
            unit="1",
            control="log slider",
            term="closed-population",
            shown_when=PEOPLE,
            ge=1,
            le=100_000_000,
        ),
    ] = 500
    active_fraction: Annotated[
        float,
        quantity(
            "Share of these people who work with it in the busiest hour of the week; one in ten "
            "is an assumption, a log of your own does better.",
            label="Active in the busiest hour",
            unit="fraction",
            control="log slider",
            term="concurrency",
            shown_when=PEOPLE,
            ge=0.001,
            le=1.0,
        ),
    ] = 0.1
    requests_per_hour: Annotated[
        float,
        quantity(
            "Prompts that one active person sends in an hour: ten is one every six minutes. "
            "Agents and completion in an editor send hundreds.",
            label="Requests an hour, each",
            unit="request",
            team="data science",
            control="log slider",
            term="think-time",
            shown_when=PEOPLE,
            ge=0.1,
            le=3600.0,
        ),
    ] = 10.0
    requests_per_day: Annotated[
        int,
        quantity(
            "Requests on the busiest day of the week, as an API gateway or a bill counts them.",
            label="Requests on a busy day",
            unit="request",
            control="log slider",
            term="request-rate",
            shown_when=("demand.source", ("requests",)),
            ge=1,
            le=1_000_000_000,
        ),
    ] = 20_000
    log: Annotated[
        str,
        quantity(
            "A published hour of real requests, or your own log; it brings rate, lengths and "
            "bursts with it.",
            label="Request log",
            control="choice",
            term="request-log",
            shown_when=A_LOG,
            min_length=1,
            max_length=60,
        ),
    ] = "azure-2023-conversation"
    log_profile: Annotated[
        str,
        quantity(
            "A CSV or Parquet file with the time, the prompt's tokens and the answer's tokens of "
            "each request. Only its statistics stay in the scenario; prompts are not needed.",
            label="Your own request log",
            team="infrastructure",
            control="file",
            term="request-log",
            shown_when=A_LOG,
            max_length=20_000,
        ),
    ] = ""
    log_scale: Annotated[
        float,
        quantity(
            "How many times the log's requests are expected: 2 for twice as many, 0.1 for a tenth.",
            label="Times the log's requests",
            unit="1",
            control="log slider",
            term="request-log",
            shown_when=A_LOG,
            ge=0.001,
            le=1000.0,
        ),
    ] = 1.0
    prompt_tokens: Annotated[
        int,
        quantity(
            "Mean prompt with all that is put into it: system text, documents, history. A log "
            "brings its own.",
            label="Mean prompt",
            unit="token",
            team="data science",
            control="log slider",
            term="input-tokens",
            shown_when=NO_LOG,
            ge=1,
            le=1_000_000,
        ),
    ] = 1000
    output_tokens: Annotated[
        int,
        quantity(
            "Mean answer, reasoning included. A log brings its own.",
            label="Mean answer",
            unit="token",
            team="data science",
            control="log slider",
            term="output-tokens",
            shown_when=NO_LOG,
            ge=1,
            le=100_000,
        ),
    ] = 250
    prompt_cv2: Annotated[
        float,
        quantity(
            "Squared coefficient of variation of prompt lengths: 0 when all are alike, 1 when "
            "they scatter as much as their mean. The Azure conversation trace of 2023 has 0.92 "
            "(Patel et al., Splitwise, ISCA 2024).",
            label="Spread of prompts",
            unit="1",
            team="data science",
            control="slider",
            term="length-spread",
            shown_when=NO_LOG,
            ge=0.0,
            le=10.0,
        ),
    ] = 0.92
    output_cv2: Annotated[
        float,
        quantity(
            "Squared coefficient of variation of answer lengths. The Azure traces of 2023 have "
            "0.60 for conversation and 4.6 for code completion (Patel et al., Splitwise, "
            "ISCA 2024).",
            label="Spread of answers",
            unit="1",
            team="data science",
            control="slider",
            term="length-spread",
            shown_when=NO_LOG,
            ge=0.0,
            le=10.0,
        ),
    ] = 0.6
    cache_hit_fraction: Annotated[
        float,
        quantity(
            "Share of prompt tokens that the engine finds in its prefix cache; measure it before "
            "you count on it. The end of a prompt is always computed.",
            label="Found in the prefix cache",
            unit="fraction",
            team="data science",
            control="slider",
            term="prefix-cache",
            ge=0.0,
            le=0.99,
        ),
    ] = 0.0
    week_shape: Annotated[
        str,
        quantity(
            "How requests spread over the hours of a week; a log of a day or more brings its own.",
            label="Shape of the week",
            control="choice",
            term="week-shape",
            min_length=1,
            max_length=60,
        ),
    ] = "office-hours"
    duration: Annotated[
        Literal["always", "office", "campaign"],
        quantity(
            "When it must run: around the clock, on working days from 7 to 19, or around the "
            "clock for some weeks of a year.",
            label="Needed",
            team="infrastructure",
            control="choice",
            term="utilisation",
        ),
    ] = "always"
    campaign_weeks: Annotated[
        int,
        quantity(
            "Weeks of a year in which it must run.",
            label="Weeks in a year",
            unit="week",
            team="infrastructure",
            control="slider",
            shown_when=("demand.duration", ("campaign",)),
            ge=1,
            le=52,
        ),
    ] = 6
    growth_fraction_per_year: Annotated[
        float,
        quantity(
            "How much the requests grow in a year, compounded: 30 % is 1.3 times as many after "
            "one year and 1.69 times after two.",
            label="Growth in a year",
            unit="fraction",
            control="slider",
            ge=-0.5,
            le=3.0,
        ),
    ] = 0.3
    horizon_years: Annotated[
        int,
        quantity(
            "Years of growth to size for; 0 sizes for today.",
            label="Years ahead",
            unit="year",
            team="infrastructure",
            control="slider",
            ge=0,
            le=10,
        ),
    ] = 0
