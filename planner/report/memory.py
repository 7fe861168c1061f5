"""What a plan says of memory, in sentences that both teams can read aloud."""

from __future__ import annotations

import math

from planner.catalogue import Basis, Catalogue
from planner.plan import Plan
from planner.report.headline import Headline
from planner.units import format_gib, format_number, plural

TOOLS = {
    "shovel": "A shovel: one GPU is enough.",
    "spade": "A spade: several GPUs of one host.",
    "backhoe": "A backhoe: several hosts.",
}


def headlines(plan: Plan, catalogue: Catalogue) -> tuple[Headline, ...]:
    """The numbers that a workshop reads first.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    tuple of Headline

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> [h.id for h in headlines(evaluate(Scenario(), c), c)][0]
    'fit.gpus'
    """
    memory, fit = plan.memory, plan.fit
    asked = plan.scenario.workload.concurrent_sequences
    room = "any number of" if math.isinf(fit.sequences) else format_number(fit.sequences, 1)
    layout = f"{plural(fit.replicas, 'replica')} of {plural(fit.gpus_per_replica, 'GPU')}"
    hosts = f" in {plural(fit.hosts, 'host')}" if fit.hosts > 1 else ""
    return (
        Headline(
            "fit.gpus",
            "How many GPUs",
            f"{fit.gpus:,}",
            f"× {plan.gpu.name}",
            f"{TOOLS[fit.tool]} {layout}{hosts}.",
            {"shovel": "good", "spade": "good"}.get(fit.tool, "warn"),
            plan.bases["fit.gpus"],
        ),
        Headline(
            "memory.deployment_bytes",
            "Memory in all",
            format_gib(memory.deployment_bytes).split()[0],
            "GiB",
            f"Each GPU: {format_gib(memory.weights_bytes)} weights, "
            f"{format_gib(memory.kv_cache_bytes)} KV cache, "
            f"{format_gib(memory.activations_bytes + memory.runtime_reserve_bytes)} engine, "
            f"of {format_gib(plan.gpu.memory_usable_bytes)}.",
            "plain",
            plan.bases["memory.deployment_bytes"],
        ),
        Headline(
            "fit.sequences",
            "Conversations",
            room,
            "fit",
            f"You asked for {asked:,} of {plan.scenario.workload.context_tokens:,} tokens. "
            f"A replica holds {_tokens(fit.capacity_tokens)}.",
            "good" if fit.sequences >= 1.2 * asked else "warn",
            plan.bases["fit.sequences"],
        ),
        _quality(plan, catalogue),
    )


def team_sentences(plan: Plan, catalogue: Catalogue) -> dict[str, str]:
    """The same plan in each team's own words.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        ``data science`` and ``infrastructure``.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> sorted(team_sentences(evaluate(Scenario(), c), c))
    ['data science', 'infrastructure']
    """
    memory, fit, workload = plan.memory, plan.fit, plan.scenario.workload
    share = memory.kv_cache_bytes / memory.total_bytes
    spare = f"{plural(fit.idle_gpus, 'GPU slot')} stay free" if fit.idle_gpus else "no slot is free"
    weight_only = (
        f" {plan.gpu.name} has no {plan.weight_precision.name} arithmetic: it saves memory here "
        "and unpacks to 16 bit to compute."
        if plan.computed_as == "weight only"
        else ""
    )
    return {
        "data science": (
            f"{plan.model.name} in {plan.weight_precision.name} with "
            f"{plural(workload.concurrent_sequences, 'conversation')} of "
            f"{workload.context_tokens:,} tokens: {share:.0%} of the memory is KV cache, so "
            + (
                "context length and concurrency decide."
                if share > 0.5
                else "the weights' precision decides."
            )
            + weight_only
        ),
        "infrastructure": (
            f"{plural(fit.hosts, 'host')} with {plan.scenario.deployment.gpus_per_host} GPU "
            f"slots, {plural(fit.gpus, 'GPU')} in use, {spare}; "
            f"{format_gib(memory.free_bytes)} of the engine's share is free on each GPU. "
            "No spare host is counted."
        ),
    }


def _quality(plan: Plan, catalogue: Catalogue) -> Headline:
    name = plan.weight_precision.name
    recovery = catalogue.recoveries.get(plan.weight_precision.id)
    if plan.weight_precision.bits_per_weight >= 16:
        value, text, tone, basis = "100", f"{name} is the baseline itself.", "good", Basis.DERIVED
    elif recovery is None:
        value, tone, basis = "unknown", "warn", Basis.ASSUMED
        text = f"No published comparison for {name} is in the catalogue; test it on your tasks."
    else:
        value = f"{100 * recovery.median:.1f}"
        tone = "good" if recovery.median >= 0.98 else "warn"
        basis = recovery.basis
        text = (
            f"{plan.weight_precision.label}: median of "
            f"{plural(recovery.rows, 'published comparison')}, most from "
            f"{100 * recovery.low:.1f} to {100 * recovery.high:.1f} %."
        )
    unit = "" if value == "unknown" else "%"
    return Headline("quality", "Score kept", value, unit, text, tone, basis)


def _tokens(capacity_tokens: float) -> str:
    return "no limit" if math.isinf(capacity_tokens) else f"{capacity_tokens:,.0f} tokens"
