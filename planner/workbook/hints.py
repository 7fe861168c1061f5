"""A short live line under a control: what its value comes to in this plan."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from planner.plan import Plan
from planner.plan.price_list import currency_of
from planner.units import MIB, format_billions, format_number, format_seconds, plural

MEMORY, SPEED, MONEY, VALUE, FLEET = "memory", "speed", "money", "value", "fleet"
"""Topics of a page: what it holds, how fast it answers whom, what it costs, what it is worth, and
what goes where on a shared fleet."""
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
        hints |= HINTS[topic](plan)
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


def _of_money(plan: Plan) -> Hints:
    scenario, money = plan.scenario, plan.money
    site, finance, energy = scenario.site, scenario.finance, plan.energy
    currency = currency_of(scenario)
    rent = money.compared.rent
    own, hall = (
        format_number(money.book.price(f"pue/{place}").value)
        for place in ("own-room", "colocation")
    )
    hints = _of_speed(plan) | {
        "site.electricity_usd_per_kwh": _electricity(plan),
        "site.pue": f"Now {own}, in colocation {hall}",
        "site.staff_fte": _people(plan),
        "finance.currency_per_usd": f"1,000 USD are {currency.show(1000.0)}",
        "finance.quotes": f"Dated {finance.quotes_as_of}" if finance.quotes_as_of else "",
        "finance.cloud_provider": f"Now {rent.detail}" if rent else "",
    }
    if money.here is None:
        return hints
    hosts = plural(int(energy.hosts), "host")
    return hints | {
        "site.spare_hosts": f"{hosts} in all",
        "site.rack_kw": f"{plural(int(energy.racks), 'rack')} for {hosts}",
        "site.country": f"{format_number(energy.carbon_kg_per_year)} kg CO₂e a year",
        "site.power_cap_fraction": (
            f"Saves {format_number(energy.cap_saved_kwh_per_year)} kWh a year, keeps "
            f"{energy.cap_speed_fraction:.0%} of the speed"
            if site.power_cap_fraction < 1.0
            else ""
        ),
        "finance.life_years": (
            f"{currency.show(plan.cost.depreciation_usd_per_year)} written off in the first year"
            if math.isfinite(plan.cost.depreciation_usd_per_year)
            else ""
        ),
    }


def _electricity(plan: Plan) -> str:
    name = f"electricity/{plan.scenario.site.country}"
    price = plan.money.book.prices.get(name)
    if price is None:
        return "No published price for this grid: enter your own"
    return f"Now {format_number(price.value)} USD a kWh, {price.source.as_of}"


def _people(plan: Plan) -> str:
    """Read off the owned way's own line, so that it is what is paid for."""
    lines = plan.money.venue("own-room").lines
    paid = next((float(line.usd[..., 0].flat[0]) for line in lines if line.part == "people"), 0.0)
    salary = plan.money.book.price("staff/fte").value
    return f"Now {format_number(paid / salary, 2)} full-time" if lines and salary else ""


def _of_the_fleet(plan: Plan) -> Hints:
    fleet = plan.portfolio.answers
    reserve = plural(int(fleet.hosts_reserved), "host")
    return {
        "portfolio.placement": (
            f"{fleet.pieces_placed:,.0f} of {fleet.pieces:,.0f} pieces on "
            f"{plural(int(fleet.hosts_used), 'host')}"
        ),
        "portfolio.n_plus_one": f"{reserve} in reserve" if fleet.hosts_reserved else "",
        "portfolio.licensed_gpus": f"{plural(int(fleet.licensed_gpus), 'GPU')} now carved",
        "portfolio.rack_kw": f"{format_number(fleet.power_w / 1e3)} kW in all",
        "portfolio.weeks": f"{fleet.busy_fraction:.0%} of the GPU-hours are booked",
    }


HINTS: dict[str, Callable[[Plan], Hints]] = {
    MEMORY: _of_memory,
    SPEED: _of_speed,
    MONEY: _of_money,
    VALUE: _of_money,
    FLEET: _of_the_fleet,
}
"""What the lines of each topic are made by."""


def _mebibytes(value_bytes: float) -> str:
    return f"{format_number(value_bytes / MIB)} MiB"
