"""The answers about energy, from the installation and the grid."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np

from planner.catalogue import Catalogue, find_grid
from planner.cost import PriceBook
from planner.energy import carbon_kg, energy_usd, water_l
from planner.plan.choice import Choice
from planner.plan.energy_records import EnergyPlan
from planner.plan.growth import NOMINAL
from planner.plan.power import W_PER_KW, Installation
from planner.plan.serving_records import Serving


def energy_answers(
    choice: Choice,
    catalogue: Catalogue,
    serving: Serving,
    here: Installation | None,
    book: PriceBook,
) -> EnergyPlan:
    """What the owned installation draws in its first year, in a room of one's own.

    Parameters
    ----------
    choice : Choice
    catalogue : Catalogue
    serving : Serving
    here : Installation, optional
        None when no number of GPUs serves.
    book : PriceBook

    Returns
    -------
    EnergyPlan
        Unknown throughout without an installation.
    """
    if here is None:
        return EnergyPlan(*(math.nan for _ in fields(EnergyPlan)))
    first = (NOMINAL, 0)
    grid = find_grid(catalogue.grids, choice.scenario.site.country)
    pue = float(book["pue/own-room"][0, 0])
    it_kwh = float(np.asarray(here.year.it_kwh)[first])
    facility = it_kwh * pue
    name = f"electricity/{choice.scenario.site.country}"
    price = float(book[name][0, 0]) if name in book.prices else math.nan
    site_water = catalogue.pue["own-room"].water_l_per_kwh
    low, token, high = here.j_per_output_token
    return EnergyPlan(
        gpu_idle_w=here.replica.idle_w,
        gpu_busy_w=here.busy_w,
        j_per_output_token=token,
        j_per_output_token_low=low,
        j_per_output_token_high=high,
        hosts=float(here.hosts[first]),
        peak_kw=float(np.asarray(here.year.peak_w)[first]) / W_PER_KW,
        mean_kw=float(np.asarray(here.year.mean_w)[first]) / W_PER_KW,
        pue=pue,
        facility_kwh_per_year=facility,
        energy_usd_per_year=float(energy_usd(facility, price)) if price == price else math.nan,
        carbon_kg_per_year=float(carbon_kg(facility, grid.gco2e_per_kwh)),
        water_l_per_year=float(
            water_l(
                facility,
                grid.water_l_per_kwh,
                it_kwh,
                site_water if site_water == site_water else 0.0,
            )
        ),
        racks=float(here.racks[first]),
        cap_saved_kwh_per_year=pue * float(np.asarray(here.uncapped.it_kwh)[first]) - facility,
        cap_speed_fraction=here.speed_fraction,
    )
