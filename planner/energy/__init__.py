"""Energy: power of an installation by the hour, energy of a year, carbon, water and racks."""

from planner.energy.site_power import (
    TRUSTED_CAP_FRACTION,
    CappedPower,
    WeekPower,
    capped,
    load_power_w,
    week_power_w,
)
from planner.energy.site_year import (
    RACK_UNITS,
    Racks,
    YearEnergy,
    carbon_kg,
    energy_usd,
    racks_needed,
    water_l,
    year_energy,
)
from planner.energy.token_energy import (
    CaseEnergy,
    ReplicaEnergy,
    case_energy,
    energy_j_per_output_token,
    power_ranges,
    range_factors,
    replica_energy,
)
from planner.energy.token_power import (
    IDLE_SHARE_FRACTION,
    POWER_TERMS,
    PowerModel,
    StepWork,
    gpu_power_w,
    idle_power_w,
    step_work,
)

__all__ = [
    "CaseEnergy",
    "IDLE_SHARE_FRACTION",
    "POWER_TERMS",
    "PowerModel",
    "ReplicaEnergy",
    "StepWork",
    "case_energy",
    "energy_j_per_output_token",
    "gpu_power_w",
    "idle_power_w",
    "power_ranges",
    "range_factors",
    "replica_energy",
    "step_work",
    "CappedPower",
    "RACK_UNITS",
    "Racks",
    "TRUSTED_CAP_FRACTION",
    "WeekPower",
    "YearEnergy",
    "capped",
    "carbon_kg",
    "energy_usd",
    "load_power_w",
    "racks_needed",
    "water_l",
    "week_power_w",
    "year_energy",
]
