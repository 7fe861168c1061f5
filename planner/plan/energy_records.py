"""The answer about energy: a frozen record whose fields say unit, term and formula."""

from __future__ import annotations

from dataclasses import dataclass

from planner.plan.answers import answer


@dataclass(frozen=True, slots=True)
class EnergyPlan:
    """What the owned installation draws, and what follows from it."""

    gpu_idle_w: float = answer(
        "A GPU that waits",
        "W",
        "idle power of {gpu.name}",
        "idle-power",
        "A share of its limit where nobody has published it.",
    )
    gpu_busy_w: float = answer(
        "A GPU at the peak",
        "W",
        "idle + what reading weights and cache and computing add, at {serving.batch} in flight, "
        "capped at {scenario.site.power_cap_fraction} of its limit",
        "gpu-power",
        "Fitted to measured energy; not the limit on the data sheet.",
    )
    j_per_output_token: float = answer(
        "GPU energy per output token",
        "J/token",
        "{serving.gpus_per_replica} × {energy.gpu_busy_w} / tokens a second of one replica",
        "energy-per-token",
        "GPUs alone, at the peak; at night idle power is shared by fewer tokens.",
    )
    j_per_output_token_low: float = answer(
        "GPU energy per output token, low end",
        "J/token",
        "low end of {energy.j_per_output_token}",
        "energy-per-token",
        "80 of 100 measurements of this kind lie inside.",
    )
    j_per_output_token_high: float = answer(
        "GPU energy per output token, high end",
        "J/token",
        "high end of {energy.j_per_output_token}",
        "energy-per-token",
        "80 of 100 measurements of this kind lie inside.",
    )
    hosts: float = answer(
        "Hosts switched on",
        "1",
        "{serving.gpus} / {scenario.deployment.gpus_per_host}, rounded up, + "
        "{scenario.site.spare_hosts}",
        "n-plus-one",
    )
    peak_kw: float = answer(
        "IT power at the peak",
        "kW",
        "GPUs in use at {energy.gpu_busy_w}, the rest at {energy.gpu_idle_w}, and "
        "{energy.hosts} without their GPUs",
        "it-power",
    )
    mean_kw: float = answer(
        "IT power over the week",
        "kW",
        "mean of the week's hours, idle ones included",
        "it-power",
    )
    pue: float = answer(
        "PUE",
        "1",
        "your value, or the published mean of own rooms",
        "pue",
    )
    facility_kwh_per_year: float = answer(
        "Energy a year, at the meter",
        "kWh",
        "{energy.mean_kw} × {energy.pue} × hours of the year, {demand.hours_per_year} of them in "
        "service",
        "energy",
        "From idle to full by the week's load, never the GPUs' limit times hours. Outside the "
        "hours of service everything idles.",
    )
    energy_usd_per_year: float = answer(
        "Electricity a year",
        "USD",
        "{energy.facility_kwh_per_year} × price of a kWh",
        "electricity-price",
    )
    carbon_kg_per_year: float = answer(
        "Carbon a year",
        "kg",
        "{energy.facility_kwh_per_year} × carbon per kWh of the grid {scenario.site.country}",
        "carbon-intensity",
        "Location-based; what making the hardware took is not in it.",
    )
    water_l_per_year: float = answer(
        "Water a year",
        "L",
        "{energy.facility_kwh_per_year} × water that the grid's power stations evaporate",
        "water",
        "Unknown where no source exists for the grid.",
    )
    racks: float = answer(
        "Racks",
        "1",
        "{energy.hosts} by power and height, in racks of {scenario.site.rack_kw}",
        "rack-power",
    )
    cap_saved_kwh_per_year: float = answer(
        "Energy saved by the cap",
        "kWh",
        "year's energy without a cap − {energy.facility_kwh_per_year}",
        "power-cap",
        "Zero without a cap.",
    )
    cap_speed_fraction: float = answer(
        "Speed kept under the cap",
        "fraction",
        "time of a step without the cap / with it",
        "power-cap",
        "The plan's GPUs are counted without the cap; what it slows must fit the service level.",
    )
