"""From demand and a service level to replicas: the layout with the fewest GPUs, and its tables."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np

from planner.catalogue import Basis, Catalogue, weakest
from planner.errors import InvalidScenario
from planner.plan.choice import Choice
from planner.plan.demand_plan import Asked, DemandPlan, asked
from planner.plan.growth import (
    HIGH,
    LOW,
    NOMINAL,
    Sized,
    fewest_gpus,
    growth_table,
    supply_table,
)
from planner.plan.serving_records import (
    Serving,
    ServingPlan,
    StepParts,
    TradeOff,
    WeekTable,
)
from planner.plan.speed import ENDS, Candidates, candidates
from planner.scenario import Scenario
from planner.serving import (
    BINDING,
    ReplicaCapacity,
    ServiceResult,
    ServiceTarget,
    SpeedCurve,
    Traffic,
    interpolate,
    population_rate_per_s,
    replica_capacity,
    replicas_needed,
    service,
    week_of_replicas,
)
from planner.units import format_seconds

_LIMITS = {
    "none": "nothing: the service level holds at any rate",
    "ttft": "the time to the first token",
    "tpot": "the time per output token",
    "slots": "slots: the room for KV cache, or the engine's limit",
    "prefill": "prefill: the engine is busy reading prompts",
}


def serving_plan(choice: Choice, catalogue: Catalogue) -> Serving:
    """How fast, and how many, for the scenario of a choice.

    Parameters
    ----------
    choice : Choice
    catalogue : Catalogue

    Returns
    -------
    Serving
        ``feasible`` is false, with the reason, when no number of GPUs keeps the service level.

    Raises :class:`InvalidScenario` for a model that writes no answer, and for a demand that is not
    there.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.scenario import Scenario
    >>> c = load_catalogue()
    >>> plan = serving_plan(Choice.of(Scenario(), c), c)
    >>> plan.feasible, plan.serving.gpus >= 1
    (True, True)
    """
    scenario = choice.scenario
    if choice.model.kind != "generative":
        raise InvalidScenario(
            f"{choice.model.name} reads text and writes no answer, and its speed was not measured; "
            "choose a model that writes.",
            field="workload.model",
        )
    ask = asked(scenario)
    found = candidates(choice, catalogue, ask.lengths)
    traffic, target = traffic_of(ask), target_of(scenario)
    sized = _sized(found, ask, traffic, target)
    load = _load(sized, ask, traffic)
    at_percentile, at_mean = (
        service(sized.curve, traffic, one, load)
        for one in (target, ServiceTarget(np.inf, np.inf, None))
    )
    week = _week(sized, ask)
    serving = _answers(scenario, ask, sized, at_percentile, at_mean, week)
    feasible = bool(np.isfinite(sized.replicas[NOMINAL]))
    return Serving(
        demand=ask.plan,
        serving=serving,
        trade_off=_trade_off(sized, ask),
        parts=_parts(sized, serving),
        week=week,
        growth=growth_table(scenario, sized, ask),
        supply=supply_table(scenario, sized, ask),
        candidates=found,
        chosen=sized.at,
        curve=SpeedCurve(
            *(_nominal(getattr(sized.curve, f.name), f.name) for f in fields(SpeedCurve))
        ),
        load_per_s=float(
            np.ravel(load)[NOMINAL] * np.nan_to_num(sized.replicas[NOMINAL], posinf=0)
        ),
        feasible=feasible,
        reason="" if feasible else _why_not(choice, ask, sized, target),
        bases=_bases(ask, found.basis),
    )


def target_of(scenario: Scenario) -> ServiceTarget:
    """The service level of a scenario.

    Parameters
    ----------
    scenario : Scenario

    Returns
    -------
    ServiceTarget
    """
    level = scenario.service_level
    return ServiceTarget(level.ttft_s, level.tpot_s, level.percentile_fraction)


def traffic_of(ask: Asked) -> Traffic:
    """What the requests of a demand are like.

    Parameters
    ----------
    ask : Asked

    Returns
    -------
    Traffic
    """
    return Traffic(
        output_tokens=max(ask.plan.answer_tokens, 1.0),
        arrival_cv2=ask.arrival_cv2,
        service_cv2=float(ask.tokens.output_cv2),
        prefill_cv2=float(ask.tokens.input_cv2),
        think_s=float(ask.demand.think_s),
    )


def _sized(found: Candidates, ask: Asked, traffic: Traffic, target: ServiceTarget) -> Sized:
    """The layout with the fewest GPUs; of equals the one that needs fewer if hardware is slow, then
    the one with fewer stages and ranks."""
    capacity = replica_capacity(found.curve, traffic, target)
    people = not traffic.is_open
    amount = ask.plan.active_users if people else ask.plan.peak_per_s
    replicas = replicas_needed(amount, capacity.users if people else capacity.rate_per_s)
    gpus = replicas * found.gpus
    # Where nothing keeps the service level, show the layout that comes nearest to it.
    fewest = np.where(np.isfinite(gpus[NOMINAL]), gpus[NOMINAL], 1e9 * (1.0 + _miss(found, target)))
    order = (found.tensor_parallel, found.pipeline_parallel, gpus[HIGH], fewest)
    at = int(np.lexsort(order)[0])
    return Sized(
        found,
        at,
        SpeedCurve(
            *(_of_layout(getattr(found.curve, f.name), at, f.name) for f in fields(SpeedCurve))
        ),
        ReplicaCapacity(*(getattr(capacity, f.name)[:, at] for f in fields(ReplicaCapacity))),
        replicas[:, at],
        capacity,
        people,
    )


def _miss(found: Candidates, target: ServiceTarget) -> np.ndarray:
    """How many times over its limits one request alone is, in each layout; without slots, far."""
    tpot = found.curve.tpot_s[NOMINAL].min(axis=-1) / float(target.tpot_s)
    ttft = found.curve.ttft_s[NOMINAL].min(axis=-1) / float(target.ttft_s)
    return np.where(found.slots >= 1.0, np.maximum(tpot, ttft), 1e9)


def _fields_of(curve: SpeedCurve, pick: Callable[[np.ndarray, str], np.ndarray]) -> SpeedCurve:
    return SpeedCurve(*(pick(getattr(curve, f.name), f.name) for f in fields(SpeedCurve)))


def _of_layout(values: np.ndarray, at: int, name: str) -> np.ndarray:
    """One layout of a curve's field: its axis is the last but one, or the last without points."""
    return values[..., at, :] if name in ("in_flight", "ttft_s", "tpot_s") else values[..., at]


def _nominal(values: np.ndarray, name: str) -> np.ndarray:
    """A curve's field without the axis of its range."""
    return values if name in ("in_flight", "slots") else values[NOMINAL]


def _load(sized: Sized, ask: Asked, traffic: Traffic) -> Any:
    """Requests per second on each replica at the peak, with the nominal number of replicas."""
    replicas = sized.replicas[NOMINAL]
    if not np.isfinite(replicas):
        return np.zeros(len(ENDS))
    if sized.people:
        return population_rate_per_s(sized.curve, traffic, ask.plan.active_users / replicas)
    return np.full(len(ENDS), ask.plan.peak_per_s / replicas)


def _week(sized: Sized, ask: Asked) -> WeekTable:
    rate = ask.demand.hourly_per_s * ask.mask
    share = rate / max(ask.plan.busiest_per_s, 1e-300)
    replicas = sized.replicas[NOMINAL]
    if not np.isfinite(replicas):
        none = np.full(len(rate), np.nan)
        return WeekTable(rate * ask.plan.peak_to_hour, none, math.nan, ask.mask)
    if sized.people:
        amount, each = ask.plan.active_users * share, sized.capacity.users[NOMINAL]
    else:
        amount, each = ask.plan.peak_per_s * share, sized.capacity.rate_per_s[NOMINAL]
    hours = week_of_replicas(amount, each, 1)
    return WeekTable(
        demand_per_s=ask.plan.peak_per_s * share,
        replicas=hours.replicas * ask.mask,
        capacity_per_s=float(replicas * sized.capacity.rate_per_s[NOMINAL]),
        running=ask.mask,
    )


def _answers(
    scenario: Scenario,
    ask: Asked,
    sized: Sized,
    result: ServiceResult,
    mean: ServiceResult,
    week: WeekTable,
) -> ServingPlan:
    each = float(sized.found.gpus[sized.at])
    nominal = float(sized.replicas[NOMINAL])
    ends = fewest_gpus(sized, ask, np.ones(1))[:, 0]
    gpus, hours = nominal * each, ask.plan.hours_per_year
    used, running = float(week.replicas.sum()), float(week.running.sum())
    idle = 1.0 - used / (nominal * running) if math.isfinite(nominal) else math.nan
    capacity = float(sized.capacity.rate_per_s[NOMINAL])
    tpot = [float(value) for value in result.tpot_s]
    ttft = [float(value) for value in result.ttft_s]
    return ServingPlan(
        gpus=gpus,
        gpus_low=float(ends[LOW]),
        gpus_high=float(ends[HIGH]),
        replicas=nominal,
        gpus_per_replica=each,
        tensor_parallel=float(sized.found.tensor_parallel[sized.at]),
        pipeline_parallel=float(sized.found.pipeline_parallel[sized.at]),
        hosts=float(np.ceil(gpus / scenario.deployment.gpus_per_host)),
        capacity_per_s=capacity,
        users_per_replica=float(np.floor(sized.capacity.users[NOMINAL])),
        slots=float(sized.found.slots[sized.at]),
        batch=float(result.in_flight[NOMINAL]),
        utilisation_fraction=float(result.utilisation_fraction[NOMINAL]),
        ttft_s=ttft[NOMINAL],
        ttft_low_s=ttft[LOW],
        ttft_high_s=ttft[HIGH],
        ttft_mean_s=float(mean.ttft_s[NOMINAL]),
        waiting_s=float(result.waiting_s[NOMINAL]),
        tpot_s=tpot[NOMINAL],
        tpot_low_s=tpot[LOW],
        tpot_high_s=tpot[HIGH],
        tpot_mean_s=float(mean.tpot_s[NOMINAL]),
        user_tokens_per_s=1.0 / tpot[NOMINAL],
        output_tokens_per_s=nominal * capacity * ask.plan.answer_tokens if capacity else 0.0,
        idle_fraction=idle,
        gpu_hours_per_year=gpus * hours,
        followed_gpu_hours_per_year=gpus * hours * (1.0 - idle),
        binding=_LIMITS[BINDING[int(sized.capacity.binding[NOMINAL])]],
    )


def _trade_off(sized: Sized, ask: Asked) -> TradeOff:
    curve = sized.curve
    batch, tpot, ttft = curve.in_flight, curve.tpot_s, curve.ttft_s
    answer = max(ask.plan.answer_tokens, 1.0)
    tokens = batch * answer / (ttft + (answer - 1.0) * tpot)
    within = batch <= max(float(sized.found.slots[sized.at]), 1.0) * (1 + 1e-9)
    return TradeOff(
        batch=batch[within],
        tpot_s=tpot[NOMINAL][within],
        tpot_low_s=tpot[LOW][within],
        tpot_high_s=tpot[HIGH][within],
        ttft_s=ttft[NOMINAL][within],
        tokens_per_s=tokens[NOMINAL][within],
        tokens_low_per_s=tokens[HIGH][within],
        tokens_high_per_s=tokens[LOW][within],
    )


def _parts(sized: Sized, serving: ServingPlan) -> StepParts:
    """The breakdown at the mean batch, read off the curve's points."""
    speed, at = sized.found.speed, sized.at
    shape = np.shape(speed.tpot_s)
    grid = sized.curve.in_flight
    batch = max(serving.batch, 1.0)

    def here(values: Any) -> float:
        return float(interpolate(grid, np.broadcast_to(values, shape)[at], batch))

    step = speed.step
    token = {
        "weights": step.weights_s,
        "kv": step.kv_s,
        "compute": step.compute_s,
        "interconnect": step.interconnect_s,
        "overhead": step.overhead_s,
        "interference": speed.interference_s,
    }
    names = {"host": "overhead", "prompt": "prefill", "step": "step", "queue": "batching"}
    first = {names[group]: here(values) for group, values in speed.first_token}
    first["queue"] = serving.waiting_s if math.isfinite(serving.waiting_s) else 0.0
    return StepParts(
        tuple(token),
        np.array([here(values) for values in token.values()]),
        tuple(first),
        np.array(list(first.values())),
    )


def _why_not(choice: Choice, ask: Asked, sized: Sized, target: ServiceTarget) -> str:
    name = f"{choice.model.name} in {choice.weight_precision.name} on {choice.gpu.name}"
    if float(sized.found.slots.max()) < 1.0:
        return (
            f"{name} leaves no room for one request of {ask.plan.prompt_tokens:,.0f} + "
            f"{ask.plan.answer_tokens:,.0f} tokens; choose a GPU with more memory or fewer bits "
            "per weight."
        )
    tpot = float(sized.curve.tpot_s[NOMINAL].min())
    ttft = float(sized.curve.ttft_s[NOMINAL].min())
    if tpot > float(target.tpot_s):
        return (
            f"{name} takes {format_seconds(tpot)} per output token even for one request, and "
            f"{format_seconds(float(target.tpot_s))} is asked; choose a faster GPU, fewer bits "
            "per weight, a smaller model, or allow more time."
        )
    return (
        f"{name} takes {format_seconds(ttft)} to the first token even for one request in the best "
        f"layout, before any waiting, and {format_seconds(float(target.ttft_s))} is asked of "
        f"{_judged(target)}; allow more time, shorten the prompts or choose a faster GPU."
    )


def _judged(target: ServiceTarget) -> str:
    share = target.percentile_fraction
    return "the mean request" if share is None else f"{share:.0%} of requests"


def _bases(ask: Asked, speed: Basis) -> dict[str, Basis]:
    """Speed is fitted, demand is asked or logged; what follows from both is as weak as either."""
    both = weakest(speed, ask.basis)
    of_speed = {"slots", "tensor_parallel", "pipeline_parallel", "gpus_per_replica", "binding"}
    return {
        **{f"demand.{f.name}": ask.basis for f in fields(DemandPlan)},
        **{f"serving.{f.name}": speed if f.name in of_speed else both for f in fields(ServingPlan)},
    }
