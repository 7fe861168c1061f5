"""The check on the formulas: the plan's requests, one by one, through its replicas."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from planner.catalogue import load_trace, trace_ids
from planner.errors import NoFeasiblePlan
from planner.plan.demand_plan import asked
from planner.plan.records import Plan
from planner.serving import Requests, SimulationResult, sample_requests, simulation_steps
from planner.units import format_seconds

SAMPLED_REQUESTS = 20_000
"""Of a sampled run: with fewer, the slowest of a hundred depend on the draw."""
SKIPPED_FRACTION = 0.05
"""Share of a sampled run that is left out, in which the replicas fill."""
SEED = 20_231_116


@dataclass(frozen=True, slots=True)
class SimulationCheck:
    """A simulated run beside the formulas."""

    requests: int
    replicas: int
    source: str
    """Where the arrivals come from, in a sentence."""
    ttft_s: float
    """Time to the first token at the plan's percentile, simulated [s]."""
    tpot_s: float
    waiting_s: float
    formula_ttft_s: float
    formula_tpot_s: float
    formula_waiting_s: float
    ttft_disagreement_fraction: float
    """Formula less simulation, over the simulation; positive when the formula is careful."""
    tpot_disagreement_fraction: float
    within_fraction: float
    """Share of simulated requests within both limits."""
    verdict: str
    """Whether the service level holds, in a sentence."""


def simulation_steps_of(plan: Plan) -> Generator[float, None, SimulationCheck]:
    """Simulate a plan at its peak: yields progress, returns the check; close it to cancel.

    Published logs are replayed with their own arrivals, faster or slower by the demand asked for;
    otherwise arrivals and lengths are drawn with the scenario's means and spreads.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    generator of float

    Raises :class:`NoFeasiblePlan` when the plan has no number of replicas to simulate.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> steps = simulation_steps_of(evaluate(Scenario(), load_catalogue()))
    >>> next(steps)
    0.0
    """
    speed = plan.speed
    if not speed.feasible:
        raise NoFeasiblePlan(speed.reason, constraint="service level")
    requests, source, skipped = _requests(plan)
    replicas = int(speed.serving.replicas)
    result = yield from simulation_steps(
        requests, speed.curve, replicas, max(speed.demand.prompt_tokens, 1.0)
    )
    return _check(plan, requests, result, source, skipped)


def _requests(plan: Plan) -> tuple[Requests, str, int]:
    section, speed = plan.scenario.demand, plan.speed
    if section.source == "log" and section.log in trace_ids():
        trace = load_trace(section.log)
        pace = speed.demand.busiest_per_s / (len(trace.arrival_s) / float(trace.arrival_s[-1]))
        log = Requests(
            trace.arrival_s / pace, trace.input_tokens, np.maximum(trace.output_tokens, 1.0)
        )
        words = f"the {len(log.arrival_s):,} real arrivals of {trace.title}"
        if abs(pace - 1.0) > 0.01:
            words += f", {pace:.3g} times as fast"
        return log, words, 0
    ask = asked(plan.scenario)
    count = SAMPLED_REQUESTS
    log = sample_requests(
        max(speed.load_per_s, 1e-6),
        count,
        speed.demand.prompt_tokens,
        speed.demand.answer_tokens,
        arrival_cv2=ask.arrival_cv2,
        input_cv2=float(ask.tokens.input_cv2),
        output_cv2=float(ask.tokens.output_cv2),
        seed=SEED,
    )
    return log, f"{count:,} random arrivals at the peak's rate", int(count * SKIPPED_FRACTION)


def _check(
    plan: Plan, requests: Requests, result: SimulationResult, source: str, skipped: int
) -> SimulationCheck:
    level, serving = plan.scenario.service_level, plan.speed.serving
    waiting, ttft, tpot = result.percentiles(level.percentile_fraction, skipped)
    within = (result.ttft_s <= level.ttft_s) & (result.tpot_s <= level.tpot_s)
    share = float(np.mean(within[skipped:]))
    holds = ttft <= level.ttft_s and tpot <= level.tpot_s
    return SimulationCheck(
        requests=len(requests.arrival_s),
        replicas=int(serving.replicas),
        source=source,
        ttft_s=ttft,
        tpot_s=tpot,
        waiting_s=waiting,
        formula_ttft_s=serving.ttft_s,
        formula_tpot_s=serving.tpot_s,
        formula_waiting_s=serving.waiting_s,
        ttft_disagreement_fraction=serving.ttft_s / ttft - 1.0,
        tpot_disagreement_fraction=serving.tpot_s / tpot - 1.0 if tpot > 0 else 0.0,
        within_fraction=share,
        verdict=(
            f"The service level {'holds' if holds else 'does not hold'} in the simulation: "
            f"{share:.1%} of requests are within both limits; the first token comes after "
            f"{format_seconds(ttft)}, where {format_seconds(level.ttft_s)} is asked."
        ),
    )
