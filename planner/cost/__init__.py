"""What it costs to own, rent or call: lines of each venue, break-evens, unit costs.

The functions of money take plain numbers and broadcast; published comparisons can be computed with
them directly.
"""

from planner.cost.annuity import (
    capital_recovery_factor,
    cumulative_rent_usd,
    levelised_usd_per_hour,
    levelised_usd_per_million_tokens,
    levelised_usd_per_year,
    per_unit,
    saving_fraction,
    sinking_fund_factor,
)
from planner.cost.breakeven import (
    HOURS_PER_MONTH,
    breakeven_commitment_hours_per_month,
    breakeven_commitment_utilisation,
    breakeven_hours,
    breakeven_months,
    breakeven_months_against_api,
    breakeven_tokens_per_month,
    breakeven_utilisation,
    breakeven_years_at_duty,
    guessing_wrong,
    months_of_hours,
    used_hour_usd,
)
from planner.cost.capacity import (
    best_floor,
    burst_hours,
    raw_storage_tb,
    started_hours,
    whole_hosts,
    whole_instances,
)
from planner.cost.currency import Currency
from planner.cost.depreciation import METHODS, book_values, depreciation_schedule
from planner.cost.hosted import TokenVolume, hosted_lines
from planner.cost.licences import core_licence_usd, gpu_licence_usd, licensed_cores
from planner.cost.lines import (
    MONTHS,
    Line,
    by_timing,
    crossing_months,
    discount_factors,
    monthly_usd,
    present_usd,
    total_usd,
)
from planner.cost.monitoring import monitoring_lines
from planner.cost.own import (
    OwnedFleet,
    fleet_lines,
    own_lines,
    place_lines,
    purchases,
    residual_fraction,
)
from planner.cost.pricebook import (
    DRAWS,
    PriceBook,
    api_prices,
    band,
    offer_price,
    positions,
    triangular,
    used,
)
from planner.cost.rented import InstanceHours, RentedLoad, instance_hours, rented_lines
from planner.cost.tokens import batch_factor, blended_usd_per_million_tokens, tokens_usd

__all__ = [
    "Currency",
    "DRAWS",
    "HOURS_PER_MONTH",
    "InstanceHours",
    "Line",
    "METHODS",
    "MONTHS",
    "OwnedFleet",
    "PriceBook",
    "RentedLoad",
    "TokenVolume",
    "api_prices",
    "band",
    "batch_factor",
    "best_floor",
    "blended_usd_per_million_tokens",
    "book_values",
    "breakeven_commitment_hours_per_month",
    "breakeven_commitment_utilisation",
    "breakeven_hours",
    "breakeven_months",
    "breakeven_months_against_api",
    "breakeven_tokens_per_month",
    "breakeven_utilisation",
    "breakeven_years_at_duty",
    "by_timing",
    "burst_hours",
    "capital_recovery_factor",
    "core_licence_usd",
    "crossing_months",
    "cumulative_rent_usd",
    "depreciation_schedule",
    "discount_factors",
    "gpu_licence_usd",
    "guessing_wrong",
    "hosted_lines",
    "instance_hours",
    "levelised_usd_per_hour",
    "levelised_usd_per_million_tokens",
    "levelised_usd_per_year",
    "licensed_cores",
    "monitoring_lines",
    "monthly_usd",
    "months_of_hours",
    "offer_price",
    "own_lines",
    "place_lines",
    "fleet_lines",
    "per_unit",
    "positions",
    "present_usd",
    "purchases",
    "raw_storage_tb",
    "rented_lines",
    "residual_fraction",
    "saving_fraction",
    "sinking_fund_factor",
    "started_hours",
    "tokens_usd",
    "total_usd",
    "triangular",
    "used",
    "used_hour_usd",
    "whole_hosts",
    "whole_instances",
]
