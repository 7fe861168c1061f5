"""The answer to "how fast, and how many": frozen records and tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.catalogue import Basis
from planner.plan.answers import answer
from planner.plan.demand_plan import DemandPlan
from planner.plan.speed import Candidates
from planner.serving import SpeedCurve

_RANGE = "The end of the 80 % range: eight of ten measurements of this kind lie inside."


@dataclass(frozen=True, slots=True)
class ServingPlan:
    """How fast one replica answers, and how many it takes."""

    gpus: float = answer(
        "GPUs for the service level",
        "gpu",
        "{serving.replicas} × {serving.gpus_per_replica}",
        "service-level",
        "Infinite when no number of GPUs of this kind keeps the service level.",
    )
    gpus_low: float = answer(
        "GPUs, if the hardware is fast",
        "gpu",
        "as {serving.gpus}, with speed at the fast end of its range and the layout that suits it",
        "service-level",
        _RANGE,
    )
    gpus_high: float = answer(
        "GPUs, if the hardware is slow",
        "gpu",
        "as {serving.gpus}, with speed at the slow end of its range and the layout that suits it",
        "service-level",
        _RANGE,
    )
    replicas: float = answer(
        "Replicas for the service level",
        "replica",
        "peak {demand.peak_per_s} / {serving.capacity_per_s}, rounded up",
        "replica",
        "Colleagues are counted as people: those who wait for an answer ask nothing meanwhile, so "
        "that a replica serves more of them than of a public.",
    )
    gpus_per_replica: float = answer(
        "GPUs in each of these replicas",
        "gpu",
        "{serving.tensor_parallel} × {serving.pipeline_parallel}",
        "replica",
        "The layout that needs the fewest GPUs for the service level.",
    )
    tensor_parallel: float = answer(
        "Tensor parallel for the service level",
        "gpu",
        "your value, or the one with the fewest GPUs",
        "tensor-parallel",
    )
    pipeline_parallel: float = answer(
        "Pipeline parallel for the service level",
        "gpu",
        "your value, or the one with the fewest GPUs",
        "pipeline-parallel",
    )
    hosts: float = answer(
        "Hosts for the service level",
        "1",
        "{serving.gpus} / {scenario.deployment.gpus_per_host}, rounded up",
        "host",
        "Without a spare host.",
    )
    capacity_per_s: float = answer(
        "Requests that one replica sustains",
        "request/s",
        "the largest rate at which both limits hold: first token within "
        "{scenario.service_level.ttft_s}, each next one within {scenario.service_level.tpot_s}",
        "throughput",
        "By Little's law on the speed curve, with waiting by queueing formulas.",
    )
    users_per_replica: float = answer(
        "People that one replica serves",
        "1",
        "people who ask {serving.capacity_per_s} together, thinking between answers",
        "closed-population",
        "Only colleagues are counted; infinite for a public.",
    )
    slots: float = answer(
        "Requests that one replica can hold",
        "request",
        "room for KV cache / cache of {demand.prompt_tokens} + half of {demand.answer_tokens}, "
        "at most the engine's limit",
        "concurrency",
        "More than these wait in a queue.",
    )
    batch: float = answer(
        "Requests in flight on each replica at the peak",
        "request",
        "rate of one replica × the time a request takes (Little's law)",
        "batch",
    )
    utilisation_fraction: float = answer(
        "Load of a replica at the peak",
        "fraction",
        "its rate / the largest rate that it can finish",
        "utilisation",
        "Near 1 queues grow without end.",
    )
    ttft_s: float = answer(
        "Time to first token at the peak",
        "s",
        "overhead + prefill of {demand.computed_prompt_tokens} + waiting, at the percentile of "
        "{scenario.service_level.percentile}",
        "ttft",
    )
    ttft_low_s: float = answer(
        "Time to first token, if fast", "s", "as {serving.ttft_s}, at the fast end", "ttft", _RANGE
    )
    ttft_high_s: float = answer(
        "Time to first token, if slow", "s", "as {serving.ttft_s}, at the slow end", "ttft", _RANGE
    )
    ttft_mean_s: float = answer(
        "Mean time to first token at the peak", "s", "as {serving.ttft_s}, for the mean", "ttft"
    )
    waiting_s: float = answer(
        "Waiting within it",
        "s",
        "for the engine to begin the prompt, and for a slot",
        "queue-window",
        "Erlang C with the spread of arrivals and lengths (Allen-Cunneen).",
    )
    tpot_s: float = answer(
        "Time per output token at the peak",
        "s",
        "weights + KV + arithmetic + links + overhead + other prompts, at "
        "{serving.batch} and the percentile of {scenario.service_level.percentile}",
        "tpot",
    )
    tpot_low_s: float = answer(
        "Time per output token, if fast",
        "s",
        "as {serving.tpot_s}, at the fast end",
        "tpot",
        _RANGE,
    )
    tpot_high_s: float = answer(
        "Time per output token, if slow",
        "s",
        "as {serving.tpot_s}, at the slow end",
        "tpot",
        _RANGE,
    )
    tpot_mean_s: float = answer(
        "Mean time per output token at the peak", "s", "as {serving.tpot_s}, for the mean", "tpot"
    )
    user_tokens_per_s: float = answer(
        "Speed that each user sees",
        "token/s",
        "1 / {serving.tpot_s}",
        "tpot",
    )
    output_tokens_per_s: float = answer(
        "Answer tokens that it can deliver",
        "token/s",
        "{serving.replicas} × {serving.capacity_per_s} × {demand.answer_tokens}; none when no "
        "number will do",
        "throughput",
        "Within the service level.",
    )
    idle_fraction: float = answer(
        "Idle over the hours that it runs",
        "fraction",
        "1 − replica hours needed / ({serving.replicas} × hours that it runs)",
        "utilisation",
        "What nights and weekends leave unused when all replicas stay on.",
    )
    gpu_hours_per_year: float = answer(
        "GPU hours in a year, all on",
        "h",
        "{serving.gpus} × {demand.hours_per_year}",
        "utilisation",
    )
    followed_gpu_hours_per_year: float = answer(
        "GPU hours in a year, following demand",
        "h",
        "{serving.gpu_hours_per_year} × (1 − {serving.idle_fraction})",
        "utilisation",
        "If replicas are started and stopped by the hour; at least one stays on.",
    )
    binding: str = answer(
        "What limits a replica",
        "text",
        "the first of both limits, slots and prefill that a higher rate would break",
        "service-level",
    )


@dataclass(frozen=True, slots=True)
class TradeOff:
    """Throughput against per-user speed as more requests share one replica; arrays by batch."""

    batch: np.ndarray
    tpot_s: np.ndarray
    tpot_low_s: np.ndarray
    tpot_high_s: np.ndarray
    ttft_s: np.ndarray
    tokens_per_s: np.ndarray
    """Of one replica [token/s]."""
    tokens_low_per_s: np.ndarray
    tokens_high_per_s: np.ndarray


@dataclass(frozen=True, slots=True)
class StepParts:
    """What one token, and the first one, spend their time on at the chosen batch."""

    names: tuple[str, ...]
    """In the order of a step: weights, kv, compute, interconnect, overhead, interference."""
    token_s: np.ndarray
    first_names: tuple[str, ...]
    """overhead, prefill, step, batching, queue."""
    first_s: np.ndarray


@dataclass(frozen=True, slots=True)
class WeekTable:
    """Hour by hour, Monday 00:00 first."""

    demand_per_s: np.ndarray
    """Peak of each hour [request/s]."""
    replicas: np.ndarray
    """Needed in each hour [replica]."""
    capacity_per_s: float
    """Of all replicas [request/s]."""
    running: np.ndarray
    """1 in the hours that it runs."""


@dataclass(frozen=True, slots=True)
class GrowthTable:
    """GPUs against people, or against times the demand."""

    label: str
    """What is along the axis."""
    amount: np.ndarray
    here: float
    """The scenario's own amount."""
    gpus: np.ndarray
    gpus_low: np.ndarray
    gpus_high: np.ndarray


@dataclass(frozen=True, slots=True)
class SupplyTable:
    """What must be there in each year of the horizon; years along the last axis."""

    demand_times: np.ndarray
    """Demand of each year over the demand that the plan is sized for [1]."""
    gpus: np.ndarray
    """For that demand, at the fast end, as predicted and at the slow end: (end, year) [gpu]."""
    hour_share: np.ndarray
    """Peak of each hour of the week over the busiest hour's; zero when it does not run [1]."""
    requests_per_week: float
    """In the hours that it runs, at the demand that the plan is sized for [request]."""
    hours_per_week: float
    """That it runs, in a week with any [h]."""


@dataclass(frozen=True, slots=True)
class Serving:
    """Everything about speed, demand and the service level of one plan."""

    demand: DemandPlan
    serving: ServingPlan
    trade_off: TradeOff
    parts: StepParts
    week: WeekTable
    growth: GrowthTable
    supply: SupplyTable
    candidates: Candidates
    """Every layout that was compared."""
    chosen: int
    """The place of the plan's layout among them."""
    curve: SpeedCurve
    """Of one replica of the chosen layout, as predicted."""
    load_per_s: float
    """Requests that all replicas get at the peak; fewer than asked when colleagues wait
    [request/s]."""
    feasible: bool
    reason: str
    """Why the service level cannot be met, and what would help; blank when it can."""
    bases: dict[str, Basis]
