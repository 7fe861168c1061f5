"""What each picture says, in a sentence."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np

from planner.catalogue import Catalogue
from planner.charts.cost import COST_CAPTIONS
from planner.charts.energy import ENERGY_CAPTIONS
from planner.charts.figures import count_text
from planner.charts.fleet import FLEET_CAPTIONS
from planner.charts.value import VALUE_CAPTIONS
from planner.plan import Plan
from planner.units import format_gib, format_number, format_seconds, plural


def captions(
    plan: Plan, catalogue: Catalogue, names: Iterable[str] | None = None
) -> dict[str, str]:
    """What each chart says, in a sentence, for those who do not see it.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue
    names : iterable of str, optional
        The charts asked for; by default all. Speed is computed only if one of them shows it.

    Returns
    -------
    dict
        Chart name to sentence.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> sorted(captions(evaluate(Scenario(), c), c, ("map", "week")))
    ['map', 'week']
    """
    wanted = CAPTIONS if names is None else names
    return {name: CAPTIONS[name](plan, catalogue) for name in wanted}


def _memory(plan: Plan, catalogue: Catalogue) -> str:
    memory = plan.memory
    return (
        f"On {plural(plan.fit.gpus, 'GPU')} each holds {format_gib(memory.weights_bytes)} of "
        f"weights, {format_gib(memory.kv_cache_bytes)} of KV cache and "
        f"{format_gib(memory.activations_bytes + memory.runtime_reserve_bytes)} of "
        f"activations and reserve, of {format_gib(plan.gpu.memory_usable_bytes)}."
    )


def _precisions(plan: Plan, catalogue: Catalogue) -> str:
    row = plan.options.gpus[plan.options.gpu_ids.index(plan.gpu.id)]
    by_precision = ", ".join(
        f"{name} {count_text(count)}"
        for name, count in zip(plan.options.precision_labels, row, strict=True)
        if not np.isnan(count)
    )
    return f"GPUs of {plan.gpu.name} needed: {by_precision}."


def _map(plan: Plan, catalogue: Catalogue) -> str:
    finite = plan.options.gpus[np.isfinite(plan.options.gpus)]
    if not finite.size:
        return "No combination fits."
    return (
        f"Counts run from {format_number(float(finite.min()))} to "
        f"{format_number(float(finite.max()))} GPUs; a dash means that it does not fit or "
        "that the GPU cannot compute the format."
    )


def _quality(plan: Plan, catalogue: Catalogue) -> str:
    options = plan.options
    silent = [
        label
        for identity, label in zip(options.precision_ids, options.precision_labels, strict=True)
        if identity not in catalogue.recoveries and identity != "bf16"
    ]
    none = (
        f" No comparison was found for {', '.join(silent)}: test on your own tasks."
        if silent
        else ""
    )
    return (
        "A dot is the median of the published comparisons, a bar holds the middle 80 %; hover or "
        f"ask why for their sources.{none}"
    )


def _trade_off(plan: Plan, catalogue: Catalogue) -> str:
    table, serving = plan.speed.trade_off, plan.serving
    alone, full = 1.0 / table.tpot_s[0], 1.0 / table.tpot_s[-1]
    curve = (
        f"One request alone gets {format_number(float(alone))} tokens/s; with "
        f"{format_number(float(table.batch[-1]))} at once each gets {format_number(float(full))} "
        f"and the replica delivers {format_number(float(table.tokens_per_s[-1]))}."
    )
    if not plan.speed.feasible:
        return f"{curve} {plan.speed.reason}"
    return f"{curve} A replica is limited by {serving.binding}."


def _step(plan: Plan, catalogue: Catalogue) -> str:
    parts, serving = plan.speed.parts, plan.serving
    words = {
        "weights": "reading the weights",
        "kv": "reading the KV cache",
        "compute": "arithmetic",
        "interconnect": "the links between GPUs",
        "overhead": "the engine's overhead",
        "interference": "other people's prompts",
        "prefill": "reading the prompt",
        "step": "the first step",
        "batching": "others in the batch",
        "queue": "waiting in the queue",
    }
    token = words[parts.names[int(np.argmax(parts.token_s))]]
    first = words[parts.first_names[int(np.argmax(parts.first_s))]]
    return (
        f"Most of a further token's {format_seconds(serving.tpot_s)} is {token}; most of the "
        f"first one's {format_seconds(serving.ttft_s)} is {first}."
    )


def _week(plan: Plan, catalogue: Catalogue) -> str:
    week, serving, demand = plan.speed.week, plan.serving, plan.demand
    busiest = f"The busiest hour peaks at {format_number(demand.peak_per_s)} requests/s"
    if not plan.speed.feasible:
        return f"{busiest}; no number of GPUs serves it within the limits."
    night = float(week.replicas[week.running > 0].min()) * serving.gpus_per_replica
    return (
        f"{busiest} and needs {plural(int(serving.gpus), 'GPU')}; the quietest needs "
        f"{plural(int(night), 'GPU')}. Of all GPU hours in which it runs, "
        f"{serving.idle_fraction:.0%} are idle."
    )


def _growth(plan: Plan, catalogue: Catalogue) -> str:
    table = plan.speed.growth
    if not plan.speed.feasible:
        return "No number of GPUs keeps the service level, for fewer people or requests either."
    ends = ", ".join(
        f"{plural(int(table.gpus[at]), 'GPU')} at {times} the demand"
        for at, times in ((0, "a tenth of"), (-1, "ten times"))
        if math.isfinite(table.gpus[at])
    )
    return f"In steps of whole replicas: {ends}. The range is that of the predicted speed."


CAPTIONS: dict[str, Callable[[Plan, Catalogue], str]] = {
    "memory": _memory,
    "precisions": _precisions,
    "map": _map,
    "quality": _quality,
    "trade_off": _trade_off,
    "step": _step,
    "week": _week,
    "growth": _growth,
    **COST_CAPTIONS,
    **ENERGY_CAPTIONS,
    **FLEET_CAPTIONS,
    **VALUE_CAPTIONS,
}
"""The sentence of every chart, by its name."""
