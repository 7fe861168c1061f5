"""The answer about cost: a frozen record whose fields say unit, term and formula."""

from __future__ import annotations

from dataclasses import dataclass

from planner.plan.answers import answer

_BAND = "80 of 100 draws of all prices and of the speed's range lie inside."


@dataclass(frozen=True, slots=True)
class CostPlan:
    """Own, rent or call: totals, break-even and unit costs."""

    cheapest: str = answer(
        "Cheapest way that is allowed",
        "text",
        "lowest of the totals that policy allows, in today's money",
        "tco",
    )
    cheapest_usd: float = answer(
        "Its cost over the horizon",
        "USD",
        "sum of its lines over {scenario.finance.horizon_years}, undiscounted",
        "tco",
    )
    cheapest_low_usd: float = answer(
        "Its cost, low end", "USD", "low end of {cost.cheapest_usd}", "tco", _BAND
    )
    cheapest_high_usd: float = answer(
        "Its cost, high end", "USD", "high end of {cost.cheapest_usd}", "tco", _BAND
    )
    own_usd: float = answer(
        "Owning over the horizon",
        "USD",
        "hardware + licences + support + power + space + people + spares − resale, over "
        "{scenario.finance.horizon_years}",
        "tco",
    )
    own_low_usd: float = answer("Owning, low end", "USD", "low end of {cost.own_usd}", "tco", _BAND)
    own_high_usd: float = answer(
        "Owning, high end", "USD", "high end of {cost.own_usd}", "tco", _BAND
    )
    rent_usd: float = answer(
        "Renting over the horizon",
        "USD",
        "the cheapest allowed cloud tier: instances + storage + egress + support + people",
        "tco",
    )
    rent_low_usd: float = answer(
        "Renting, low end", "USD", "low end of {cost.rent_usd}", "tco", _BAND
    )
    rent_high_usd: float = answer(
        "Renting, high end", "USD", "high end of {cost.rent_usd}", "tco", _BAND
    )
    call_usd: float = answer(
        "Calling over the horizon",
        "USD",
        "the cheapest allowed API: tokens × price + people",
        "api-price",
    )
    call_low_usd: float = answer(
        "Calling, low end", "USD", "low end of {cost.call_usd}", "api-price", _BAND
    )
    call_high_usd: float = answer(
        "Calling, high end", "USD", "high end of {cost.call_usd}", "api-price", _BAND
    )
    hosts: float = answer(
        "Hosts to own",
        "1",
        "{serving.gpus} / {scenario.deployment.gpus_per_host}, rounded up, + "
        "{scenario.site.spare_hosts}",
        "n-plus-one",
        "In the first year.",
    )
    owned_gpus: float = answer(
        "GPUs to own",
        "gpu",
        "{cost.hosts} × {scenario.deployment.gpus_per_host}",
        "host",
        "Hosts are bought whole.",
    )
    capital_usd: float = answer(
        "To pay at the start",
        "USD",
        "GPUs + hosts + network + storage + racks of the first year",
        "capex",
    )
    depreciation_usd_per_year: float = answer(
        "Written off in the first year",
        "USD",
        "{cost.capital_usd} by {scenario.finance.depreciation} over {scenario.finance.life_years}",
        "depreciation",
        "MACRS writes computers off over its five-year class.",
    )
    utilisation_fraction: float = answer(
        "Owned GPU-hours that are used",
        "fraction",
        "{serving.followed_gpu_hours_per_year} / ({cost.owned_gpus} × 8760)",
        "utilisation",
        "Spare hosts, whole hosts and quiet hours are not used. Measured over some 23,000 "
        "clusters, enterprises use 5 %.",
    )
    breakeven_hours: float = answer(
        "Break-even of owning, in hours of use",
        "h",
        "{cost.capital_usd} / (rented − owned, per hour of all its GPUs)",
        "break-even",
        "Against the allowed cloud price on demand, when every hour is used.",
    )
    breakeven_low_hours: float = answer(
        "Break-even hours, low end", "h", "low end of {cost.breakeven_hours}", "break-even", _BAND
    )
    breakeven_high_hours: float = answer(
        "Break-even hours, high end", "h", "high end of {cost.breakeven_hours}", "break-even", _BAND
    )
    breakeven_months: float = answer(
        "Owning is cheaper after",
        "month",
        "first month after which the cash spent on owning stays below the cash spent on renting or "
        "calling, whichever is the cheaper one",
        "break-even",
        "Resale at the end counts. Never, when owning is dearer at the horizon's end.",
    )
    breakeven_low_months: float = answer(
        "Owning is cheaper after, low end",
        "month",
        "low end of {cost.breakeven_months}",
        "break-even",
        _BAND,
    )
    breakeven_high_months: float = answer(
        "Owning is cheaper after, high end",
        "month",
        "high end of {cost.breakeven_months}",
        "break-even",
        _BAND,
    )
    breakeven_utilisation_fraction: float = answer(
        "Use at which owning pays",
        "fraction",
        "cost of an owned GPU-hour if all are used / price of a rented GPU-hour",
        "break-even",
        "Above 100 % owning never pays.",
    )
    breakeven_utilisation_low_fraction: float = answer(
        "Use at which owning pays, low end",
        "fraction",
        "low end of {cost.breakeven_utilisation_fraction}",
        "break-even",
        _BAND,
    )
    breakeven_utilisation_high_fraction: float = answer(
        "Use at which owning pays, high end",
        "fraction",
        "high end of {cost.breakeven_utilisation_fraction}",
        "break-even",
        _BAND,
    )
    breakeven_tokens_per_month: float = answer(
        "Volume at which owning beats an API",
        "token",
        "cost of owning a month / price of the API's mean token",
        "break-even",
        "Input and output together, as long as the hardware owned can carry them.",
    )
    breakeven_tokens_low_per_month: float = answer(
        "That volume, low end",
        "token",
        "low end of {cost.breakeven_tokens_per_month}",
        "break-even",
        _BAND,
    )
    breakeven_tokens_high_per_month: float = answer(
        "That volume, high end",
        "token",
        "high end of {cost.breakeven_tokens_per_month}",
        "break-even",
        _BAND,
    )
    tokens_per_month: float = answer(
        "Tokens a month, planned",
        "token",
        "requests × ({demand.prompt_tokens} + {demand.answer_tokens}), over the horizon",
        "token",
    )
    gain_usd_per_hour: float = answer(
        "Ten points more use bring",
        "USD/h",
        "price of a rented GPU-hour − cost of an owned one at {cost.utilisation_fraction} + 10 "
        "points",
        "utilisation",
        "For each GPU-hour used; negative while owning is dearer.",
    )
    loss_usd_per_hour: float = answer(
        "Ten points less use cost",
        "USD/h",
        "cost of an owned GPU-hour at {cost.utilisation_fraction} − 10 points − price of a rented "
        "one",
        "utilisation",
        "For each GPU-hour used: the same error the other way costs more.",
    )
    own_usd_per_gpu_hour: float = answer(
        "An owned GPU-hour that is used",
        "USD/gpu/h",
        "{cost.own_usd} / GPU-hours used over the horizon",
        "unit-cost",
        "Utilisation divides here, once.",
    )
    rent_usd_per_gpu_hour: float = answer(
        "A rented GPU-hour that is used",
        "USD/gpu/h",
        "{cost.rent_usd} / GPU-hours used over the horizon",
        "unit-cost",
        "What idles in whole instances is in it.",
    )
    usd_per_million_tokens: float = answer(
        "A million tokens",
        "USD/million tokens",
        "{cost.cheapest_usd} / tokens over the horizon",
        "unit-cost",
        "Input and output together, by the cheapest way that is allowed.",
    )
    usd_per_request: float = answer(
        "A request",
        "USD/request",
        "{cost.cheapest_usd} / requests over the horizon",
        "unit-cost",
    )
    usd_per_user_month: float = answer(
        "A person and month",
        "USD/user/month",
        "{cost.cheapest_usd} / ({scenario.demand.users} × months of the horizon)",
        "unit-cost",
        "Unknown where people are not counted.",
    )
