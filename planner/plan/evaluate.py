"""The one function that knows all the others: a scenario and a catalogue make a plan."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from planner.catalogue import (
    Basis,
    Catalogue,
    weakest,
)
from planner.errors import NoFeasiblePlan
from planner.memory import (
    Layouts,
    ReplicaMemory,
    SmallestFit,
    constant_state_bytes,
    device,
    engine_limits,
    smallest_fit,
    weight_bytes,
    weight_format,
)
from planner.plan.choice import Choice
from planner.plan.kept import kept_serving_plan
from planner.plan.memory_records import FitPlan, MemoryPlan
from planner.plan.money import money
from planner.plan.portfolio import portfolio
from planner.plan.records import LayoutTable, OptionTable, Plan
from planner.scenario import Scenario
from planner.units import format_gib, plural

COUNTS = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0])
"""GPU counts that the layout table compares [gpu]."""


def evaluate(scenario: Scenario, catalogue: Catalogue) -> Plan:
    """The plan for a scenario.

    Parameters
    ----------
    scenario : Scenario
    catalogue : Catalogue

    Returns
    -------
    Plan

    Raises
    ------
    MissingData
        A model, GPU or precision is not in the catalogue, or a fact is blank.
    InvalidScenario
        The choices contradict each other.
    NoFeasiblePlan
        Nothing allowed holds the load; says what binds and by how much.

    >>> from planner.catalogue import load_catalogue
    >>> evaluate(Scenario(), load_catalogue()).fit.tool
    'spade'
    """
    choice = Choice.of(scenario, catalogue)
    layouts = choice.layouts(choice.gpu.nvlink_domain_gpus)
    gpu = device(choice.engine, [choice.gpu])
    stored = weight_format(choice.engine, [choice.weight_precision])
    memory = choice.replica(gpu, stored, layouts)
    best = smallest_fit(memory, layouts, choice.concurrent_sequences)
    if not math.isfinite(best.gpus):
        raise _does_not_fit(choice, memory, layouts)
    fit = _fit_plan(choice, best)
    exact = choice.replica(gpu, stored, layouts.only(best))
    fit = replace(fit, capacity_tokens=float(exact.capacity_tokens[0]))
    memory_plan = _memory_plan(choice, exact, fit)
    speed = cache(lambda: kept_serving_plan(choice, catalogue))
    return Plan(
        scenario=scenario,
        model=choice.model,
        gpu=choice.gpu,
        engine=choice.engine,
        weight_precision=choice.weight_precision,
        kv_precision=choice.kv_precision,
        computed_as=choice.computed_as,
        memory=memory_plan,
        fit=fit,
        layouts=_layout_table(choice, memory, layouts, memory_plan, fit),
        bases=_bases(choice),
        make_options=cache(lambda: _option_table(choice, catalogue)),
        make_speed=speed,
        make_money=cache(lambda: money(choice, catalogue, speed())),
        make_portfolio=cache(lambda: portfolio(scenario, catalogue)),
    )


def _does_not_fit(choice: Choice, memory: ReplicaMemory, layouts: Layouts) -> NoFeasiblePlan:
    """Why nothing fits, by how much, and what would help."""
    deployment, workload = choice.scenario.deployment, choice.scenario.workload
    if not layouts.allowed.any():
        return NoFeasiblePlan(
            f"{choice.model.name} has {choice.model.attention_heads:.0f} attention heads, which "
            f"tensor parallel {deployment.tensor_parallel} does not divide; choose another.",
            constraint="tensor parallel",
        )
    allowed = np.broadcast_to(layouts.allowed, memory.kv_pool_bytes.shape)
    short = np.where(allowed, memory.sequence_bytes - memory.kv_pool_bytes, np.inf)
    widest = int(np.argmin(short))
    shortfall = float(short[widest])
    gpus = int(layouts.tensor_parallel[widest] * layouts.pipeline_parallel[widest])
    remedy = "choose a GPU with more memory, fewer bits per weight or a shorter context"
    if deployment.tensor_parallel or deployment.pipeline_parallel:
        remedy = f"set the parallelism to automatic, or {remedy}"
    return NoFeasiblePlan(
        f"{choice.model.name} in {choice.weight_precision.name} with one conversation of "
        f"{workload.context_tokens:,} tokens is {format_gib(shortfall)} too large for each of "
        f"{plural(gpus, 'GPU')} ({choice.gpu.name}), the widest replica allowed; {remedy}.",
        constraint="memory",
        shortfall_bytes=shortfall,
        remedy=remedy,
    )


def _fit_plan(choice: Choice, best: SmallestFit) -> FitPlan:
    gpus, replicas = int(best.gpus), int(best.replicas)
    per_host = choice.scenario.deployment.gpus_per_host
    hosts = math.ceil(gpus / per_host)
    per_replica = float(best.sequences_per_replica)
    return FitPlan(
        gpus=gpus,
        gpus_per_replica=gpus // replicas,
        replicas=replicas,
        tensor_parallel=int(best.tensor_parallel),
        pipeline_parallel=int(best.pipeline_parallel),
        hosts=hosts,
        idle_gpus=hosts * per_host - gpus,
        sequences_here=float(math.ceil(choice.concurrent_sequences / replicas)),
        sequences_per_replica=per_replica,
        sequences=per_replica * replicas,
        capacity_tokens=math.nan,
        tool="shovel" if gpus == 1 else "spade" if hosts == 1 else "backhoe",
    )


def _memory_plan(choice: Choice, memory: ReplicaMemory, fit: FitPlan) -> MemoryPlan:
    deployment = choice.scenario.deployment
    limits = engine_limits(
        choice.engine,
        device(choice.engine, [choice.gpu]).large_batch[0],
        deployment.engine_max_sequences,
        deployment.engine_batched_tokens,
    )
    weights, activations, reserve, pool, token, reserved, mathematics = (
        float(np.ravel(value)[0])
        for value in (
            memory.weights.total_bytes,
            memory.activations_bytes,
            memory.runtime_reserve_bytes,
            memory.kv_pool_bytes,
            memory.token_bytes,
            memory.sequence_bytes,
            memory.sequence_mathematics_bytes,
        )
    )
    kv_cache = fit.sequences_here * reserved
    total = weights + kv_cache + activations + reserve
    return MemoryPlan(
        model_weights_bytes=float(weight_bytes(choice.model, choice.weight_precision).total_bytes),
        weights_bytes=weights,
        activations_bytes=activations,
        runtime_reserve_bytes=reserve,
        token_bytes=token,
        sequence_bytes=reserved,
        sequence_mathematics_bytes=mathematics,
        state_bytes=float(
            constant_state_bytes(choice.model, fit.tensor_parallel, fit.pipeline_parallel)
        ),
        kv_cache_bytes=kv_cache,
        kv_cache_mathematics_bytes=fit.sequences_here * mathematics,
        kv_pool_bytes=pool,
        total_bytes=total,
        deployment_bytes=total * fit.gpus,
        free_bytes=pool - kv_cache,
        engine_sequences=float(limits[0]),
        engine_tokens=float(limits[1]),
    )


def _layout_table(
    choice: Choice, memory: ReplicaMemory, layouts: Layouts, chosen: MemoryPlan, fit: FitPlan
) -> LayoutTable:
    """For each total count, the allowed layout with the least on its fullest GPU."""
    counts = np.unique(np.append(COUNTS[COUNTS <= max(8.0, 2.0 * fit.gpus)], fit.gpus))[:, None]
    replicas = counts / (layouts.tensor_parallel * layouts.pipeline_parallel)
    usable = layouts.allowed & (replicas >= 1) & (np.mod(replicas, 1) == 0)
    here = np.ceil(choice.concurrent_sequences / np.maximum(replicas, 1.0))
    kv_cache = here * memory.sequence_bytes
    total = np.where(usable, memory.fixed_bytes + kv_cache, np.inf)
    best = np.argmin(total, axis=1)[:, None]
    possible = np.isfinite(np.take_along_axis(total, best, 1)[:, 0])

    def pick(values: Any, at_chosen: float) -> np.ndarray:
        column = np.take_along_axis(np.broadcast_to(values, total.shape), best, 1)[:, 0]
        return np.where(counts[:, 0] == fit.gpus, at_chosen, column)[possible]

    pool_left = pick(memory.kv_pool_bytes - kv_cache, chosen.free_bytes)
    return LayoutTable(
        gpus=counts[possible, 0],
        weights_bytes=pick(memory.weights.total_bytes, chosen.weights_bytes),
        kv_cache_bytes=pick(kv_cache, chosen.kv_cache_bytes),
        activations_bytes=pick(memory.activations_bytes, chosen.activations_bytes),
        runtime_reserve_bytes=pick(memory.runtime_reserve_bytes, chosen.runtime_reserve_bytes),
        fits=pool_left >= 0,
    )


def _option_table(choice: Choice, catalogue: Catalogue) -> OptionTable:
    """Every GPU and precision of the map in one call; the chosen ones are always in it."""
    gpus = [
        gpu
        for gpu in catalogue.accelerators.values()
        if gpu.id == choice.gpu.id or (gpu.in_map and math.isfinite(gpu.memory_usable_bytes))
    ]
    precisions = [
        precision
        for precision in catalogue.precisions.values()
        if precision.id == choice.weight_precision.id
        or (precision.in_map and precision.use != "kv")
    ]
    domain = np.array([gpu.nvlink_domain_gpus for gpu in gpus], dtype=float)
    layouts = choice.layouts(domain[:, None])
    row = device(choice.engine, gpus).along(1)
    column = weight_format(choice.engine, precisions).along(0)
    best = smallest_fit(choice.replica(row, column, layouts), layouts, choice.concurrent_sequences)
    can, kv = catalogue.computed_as, choice.kv_precision.id
    able = np.array([[can[g.id, kv] and can[g.id, p.id] for p in precisions] for g in gpus]) != ""
    labels = [precision.label for precision in precisions]
    return OptionTable(
        gpu_ids=tuple(gpu.id for gpu in gpus),
        gpu_labels=tuple(gpu.label for gpu in gpus),
        precision_ids=tuple(precision.id for precision in precisions),
        # Two bars or columns of one name would be drawn as one.
        precision_labels=tuple(
            one.name if labels.count(one.label) > 1 else one.label for one in precisions
        ),
        gpus=np.where(able, best.gpus, np.nan),
    )


def _bases(choice: Choice) -> dict[str, Basis]:
    """The weakest basis of what goes into each answer."""
    model = choice.model.source.basis
    bits = choice.weight_precision.source.basis
    kv_bits = choice.kv_precision.source.basis
    gpu = choice.gpu.usable_source.basis
    engine = choice.engine.basis
    weights = weakest(Basis.DERIVED, model, bits)
    state = weakest(Basis.DERIVED, model, kv_bits)
    room = weakest(weights, gpu, engine)
    return {
        **{f"memory.{name}": weights for name in ("model_weights_bytes", "weights_bytes")},
        **{
            f"memory.{name}": state
            for name in (
                "token_bytes",
                "sequence_bytes",
                "sequence_mathematics_bytes",
                "state_bytes",
                "kv_cache_mathematics_bytes",
            )
        },
        **{
            f"memory.{name}": engine
            for name in (
                "activations_bytes",
                "runtime_reserve_bytes",
                "engine_sequences",
                "engine_tokens",
            )
        },
        **{
            f"memory.{name}": weakest(room, state)
            for name in (
                "kv_cache_bytes",
                "kv_pool_bytes",
                "total_bytes",
                "deployment_bytes",
                "free_bytes",
            )
        },
        **{f"fit.{name}": weakest(room, state) for name in FitPlan.__dataclass_fields__},
    }
