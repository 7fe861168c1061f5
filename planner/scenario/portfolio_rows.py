"""A row of the fleet's table of workloads."""

from __future__ import annotations

from typing import Annotated, Literal

from planner.scenario.fields import Section, quantity

SERVES = ("shape", ("serving",))
RUNS = ("shape", ("batch",))
WRITES = ("shape", ("serving", "batch"))
TRAINS = ("shape", ("training",))
SITS = ("shape", ("notebooks",))
MODELLED = ("shape", ("serving", "batch", "training"))


class FleetWorkload(Section):
    """One workload of a team: what it is decides which of its fields count.

    >>> FleetWorkload(name="notebooks", shape="notebooks", people=30).people
    30
    """

    name: Annotated[
        str,
        quantity(
            "What the teams call it.",
            label="Name",
            control="text",
            min_length=1,
            max_length=40,
        ),
    ]
    shape: Annotated[
        Literal["serving", "batch", "training", "notebooks"],
        quantity(
            "Answers while somebody waits; answers by a deadline; a model that is trained or "
            "tuned; or people who try things out.",
            label="Kind",
            control="choice",
            term="benefit",
        ),
    ] = "serving"
    team: Annotated[
        str,
        quantity("Whose it is.", label="Team", control="text", max_length=40),
    ] = ""
    model: Annotated[
        str,
        quantity(
            "A model of the catalogue, an embedding model too; empty for this scenario's own.",
            label="Model",
            team="data science",
            control="search",
            term="parameters",
            shown_when=MODELLED,
            max_length=200,
        ),
    ] = ""
    weight_precision: Annotated[
        str,
        quantity(
            "Format of the weights; empty for this scenario's own.",
            label="Precision",
            team="data science",
            control="choice",
            term="quantisation",
            shown_when=WRITES,
            max_length=60,
        ),
    ] = ""
    requests_per_hour: Annotated[
        float,
        quantity(
            "Requests in the busiest hour.",
            label="Requests an hour",
            unit="request",
            control="log slider",
            term="request-rate",
            shown_when=SERVES,
            ge=1.0,
            le=1e8,
        ),
    ] = 1000.0
    prompt_tokens: Annotated[
        int,
        quantity(
            "Mean tokens read for one request.",
            label="Prompt",
            unit="token",
            team="data science",
            control="log slider",
            term="input-tokens",
            shown_when=WRITES,
            ge=1,
            le=1_000_000,
        ),
    ] = 1000
    output_tokens: Annotated[
        int,
        quantity(
            "Mean tokens written for one request; of no account for an embedding model.",
            label="Answer",
            unit="token",
            team="data science",
            control="log slider",
            term="output-tokens",
            shown_when=WRITES,
            ge=1,
            le=100_000,
        ),
    ] = 200
    ttft_s: Annotated[
        float,
        quantity(
            "Time to the first token that 95 of 100 requests keep; of an embedding, to the answer.",
            label="First token in",
            unit="s",
            control="log slider",
            term="ttft",
            shown_when=SERVES,
            ge=0.02,
            le=120.0,
        ),
    ] = 2.0
    tpot_s: Annotated[
        float,
        quantity(
            "Time for each further token that 95 of 100 requests keep.",
            label="Each token in",
            unit="s",
            control="log slider",
            term="tpot",
            shown_when=SERVES,
            ge=0.002,
            le=5.0,
        ),
    ] = 0.05
    requests: Annotated[
        int,
        quantity(
            "Requests of one run.",
            label="Requests a run",
            unit="request",
            control="log slider",
            term="task",
            shown_when=RUNS,
            ge=1,
            le=1_000_000_000,
        ),
    ] = 100_000
    window_h: Annotated[
        float,
        quantity(
            "Hours from the start of a run to its deadline.",
            label="Done within",
            unit="h",
            control="slider",
            term="batch-window",
            shown_when=RUNS,
            ge=0.5,
            le=168.0,
        ),
    ] = 8.0
    method: Annotated[
        Literal["full", "lora", "qlora"],
        quantity(
            "All weights; a small adapter beside them; or an adapter beside four-bit weights.",
            label="Tuned by",
            team="data science",
            control="choice",
            term="fine-tuning",
            shown_when=TRAINS,
        ),
    ] = "lora"
    dataset_tokens: Annotated[
        float,
        quantity(
            "Tokens of the data, read once.",
            label="Data",
            unit="token",
            team="data science",
            control="log slider",
            term="token",
            shown_when=TRAINS,
            ge=1e4,
            le=1e14,
        ),
    ] = 50e6
    epochs: Annotated[
        float,
        quantity(
            "Times that the data are read.",
            label="Epochs",
            unit="1",
            team="data science",
            control="slider",
            term="fine-tuning",
            shown_when=TRAINS,
            ge=0.1,
            le=100.0,
        ),
    ] = 3.0
    sequence_tokens: Annotated[
        int,
        quantity(
            "Tokens of one training example, or of the packed sequence.",
            label="Sequence",
            unit="token",
            team="data science",
            control="log slider",
            term="context",
            shown_when=TRAINS,
            ge=64,
            le=1_000_000,
        ),
    ] = 2048
    deadline_days: Annotated[
        float,
        quantity(
            "Days from the start in which the tuned model is wanted.",
            label="Wanted in",
            unit="day",
            control="slider",
            term="gang-scheduling",
            shown_when=TRAINS,
            ge=0.1,
            le=365.0,
        ),
    ] = 7.0
    people: Annotated[
        int,
        quantity(
            "People who may open a notebook.",
            label="People",
            unit="1",
            control="log slider",
            term="concurrency",
            shown_when=SITS,
            ge=1,
            le=10_000,
        ),
    ] = 20
    at_work_fraction: Annotated[
        float,
        quantity(
            "Share of them with a notebook open in a busy hour; a third is an assumption.",
            label="Open at once",
            unit="fraction",
            control="slider",
            term="concurrency",
            shown_when=SITS,
            ge=0.01,
            le=1.0,
        ),
    ] = 0.35
    slice_gib: Annotated[
        float,
        quantity(
            "GPU memory that one notebook needs.",
            label="GPU memory each",
            unit="GiB",
            control="log slider",
            term="vgpu",
            shown_when=SITS,
            ge=0.5,
            le=300.0,
        ),
    ] = 9.0
    when: Annotated[
        Literal["always", "office hours", "nights", "campaign"],
        quantity(
            "How long the hardware is needed: always, on working days, in the nights, or from a "
            "day on for some days.",
            label="When",
            control="choice",
            term="week-shape",
        ),
    ] = "always"
    start_day: Annotated[
        int,
        quantity(
            "Days from the Monday on which the calendar begins.",
            label="From day",
            unit="day",
            control="slider",
            term="week-shape",
            shown_when=("when", ("campaign",)),
            ge=0,
            le=181,
        ),
    ] = 0
    days: Annotated[
        int,
        quantity(
            "Length of the campaign.",
            label="for",
            unit="day",
            control="slider",
            term="week-shape",
            shown_when=("when", ("campaign",)),
            ge=1,
            le=182,
        ),
    ] = 14
    isolation: Annotated[
        Literal["shared", "memory", "hardware", "own host"],
        quantity(
            "What must separate it from others on the same GPU: nothing; memory of its own; "
            "compute of its own too; or nobody else on the host.",
            label="Kept apart by",
            team="infrastructure",
            control="choice",
            term="tenant-isolation",
        ),
    ] = "memory"
    replicas_apart: Annotated[
        bool,
        quantity(
            "No two of its replicas on one host.",
            label="Replicas on different hosts",
            team="infrastructure",
            control="switch",
            term="anti-affinity",
        ),
    ] = False
    priority: Annotated[
        Literal["high", "normal", "low"],
        quantity(
            "Who goes first when not all fits; jobs of low priority may be interrupted.",
            label="Priority",
            control="choice",
            term="preemption",
        ),
    ] = "normal"
    quota_gpus: Annotated[
        int,
        quantity(
            "GPUs that a job may count on; more only while nobody else wants them. 0 for no limit.",
            label="Quota",
            unit="gpu",
            team="infrastructure",
            control="slider",
            term="quota",
            ge=0,
            le=1024,
        ),
    ] = 0
    cpu_cores: Annotated[
        float,
        quantity(
            "Cores of each replica, job or notebook; 0 takes the rule of thumb.",
            label="Cores each",
            unit="core",
            team="infrastructure",
            control="number",
            term="host",
            ge=0.0,
            le=1024.0,
        ),
    ] = 0.0
    memory_gib: Annotated[
        float,
        quantity(
            "Host memory of each replica, job or notebook; 0 takes the rule of thumb.",
            label="Host memory each",
            unit="GiB",
            team="infrastructure",
            control="number",
            term="host",
            ge=0.0,
            le=16384.0,
        ),
    ] = 0.0
