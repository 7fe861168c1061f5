"""A short live line under a control: what its value comes to in this plan."""

from __future__ import annotations

from collections.abc import Sequence

from planner.plan import Plan
from planner.units import MIB, format_billions, format_number, format_seconds

MEMORY, SPEED = "memory", "speed"
"""Topics of a page: what it holds, and how fast it answers whom."""
Hints = dict[str, str]


def live_hints(plan: Plan, topics: Sequence[str]) -> Hints:
    """The lines under the controls of a page.

    Parameters
    ----------
    plan : Plan
    topics : sequence of str
        What the page is about; a later topic's line replaces an earlier one's.

    Returns
    -------
    dict
        Field to line.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> plan = evaluate(Scenario(), load_catalogue())
    >>> live_hints(plan, (SPEED,))["service_level.tpot_s"]
    '20 tokens a second'
    """
    hints = _of_the_model(plan)
    for topic in topics:
        hints |= _of_memory(plan) if topic == MEMORY else _of_speed(plan)
    return hints


def _of_the_model(plan: Plan) -> Hints:
    model = plan.model
    parts = [
        format_billions(model.total_parameters),
        f"at most {model.maximum_context_tokens:,.0f} tokens",
    ]
    if model.experts:
        parts.insert(1, f"{format_billions(model.active_parameters)} active")
    mathematics, reserved = plan.memory.sequence_mathematics_bytes, plan.memory.sequence_bytes
    size = f"{_mebibytes(mathematics)} of KV cache for one conversation on each GPU"
    if reserved > 1.01 * mathematics:
        size += f"; the engine reserves {_mebibytes(reserved)}"
    return {
        "workload.model": ", ".join(parts),
        "workload.model_parameters": "A generic dense decoder, derived from real ones",
        "workload.config_json": f"Read as {', '.join(parts)}",
        "workload.context_tokens": size,
        "deployment.weight_precision": (
            f"Stored narrow, computed in 16 bit on {plan.gpu.name}"
            if plan.computed_as == "weight only"
            else ""
        ),
        "deployment.engine_max_sequences": f"Now {plan.memory.engine_sequences:,.0f}",
        "deployment.engine_batched_tokens": f"Now {plan.memory.engine_tokens:,.0f}",
    }


def _of_memory(plan: Plan) -> Hints:
    return {
        "deployment.tensor_parallel": f"Now {plan.fit.tensor_parallel}",
        "deployment.pipeline_parallel": f"Now {plan.fit.pipeline_parallel}",
    }


def _of_speed(plan: Plan) -> Hints:
    demand, serving, scenario = plan.demand, plan.serving, plan.scenario
    rate = f"{format_number(demand.busiest_per_s)} requests/s in the busiest hour"
    lengths = (
        f"prompts of {demand.prompt_tokens:,.0f} and answers of {demand.answer_tokens:,.0f} tokens"
    )
    return {
        "demand.active_fraction": f"{format_number(demand.active_users, 1)} people",
        "demand.requests_per_hour": rate,
        "demand.requests_per_day": rate,
        "demand.log": f"{rate}, {lengths}",
        "demand.log_profile": lengths if scenario.demand.log == "uploaded" else "",
        "demand.cache_hit_fraction": f"{demand.computed_prompt_tokens:,.0f} tokens to compute",
        "demand.duration": f"{demand.hours_per_year:,.0f} hours a year",
        "service_level.tpot_s": (
            f"{format_number(1.0 / scenario.service_level.tpot_s)} tokens a second"
        ),
        "service_level.queue_window_s": (
            f"Peak: {format_number(demand.peak_to_hour, 2)} × the busiest hour"
        ),
        "service_level.ttft_s": f"Predicted {format_seconds(serving.ttft_s)}",
        "deployment.tensor_parallel": f"Now {serving.tensor_parallel:.0f}",
        "deployment.pipeline_parallel": f"Now {serving.pipeline_parallel:.0f}",
    }


def _mebibytes(value_bytes: float) -> str:
    return f"{format_number(value_bytes / MIB)} MiB"
