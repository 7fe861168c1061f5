"""Energy of a year, what it costs and emits, and the racks that it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.energy.site_power import WeekPower
from planner.errors import InvalidScenario, NoFeasiblePlan

_WATTS_OF_KW = 1000.0
_GRAMS_OF_KG = 1000.0
RACK_UNITS = 42
"""Height of a common rack, in units."""


@dataclass(frozen=True, slots=True)
class YearEnergy:
    """Energy of a year; GPUs, hosts and cooling sum to the facility.

    >>> YearEnergy.__slots__[0]
    'gpus_kwh'
    """

    gpus_kwh: Any
    """The accelerators [kWh]."""
    hosts_kwh: Any
    """Everything else in the hosts [kWh]."""
    it_kwh: Any
    """GPUs and hosts [kWh]."""
    cooling_kwh: Any
    """What the building adds [kWh]."""
    facility_kwh: Any
    """What the meter counts [kWh]."""
    mean_w: Any
    """Average power of the facility while it runs [W]."""
    peak_w: Any
    """Facility power of the hour that draws most [W]."""


@dataclass(frozen=True, slots=True)
class Racks:
    """Hosts in racks.

    >>> Racks.__slots__[0]
    'racks'
    """

    racks: Any
    """Racks in all [1]."""
    hosts_per_rack: Any
    """Hosts that one rack takes [1]."""
    hosts_by_power: Any
    """Hosts that its power allows [1]."""
    hosts_by_units: Any
    """Hosts that its height allows [1]."""
    power_w: Any
    """Power of the fullest rack [W]."""


def year_energy(week: WeekPower, mask: Any, hours_per_year: Any) -> YearEnergy:
    """Energy of a year of such weeks.

    .. math:: E = \\frac{\\sum_h P_h m_h}{\\sum_h m_h} \\cdot H

    Parameters
    ----------
    week : WeekPower
    mask : array [1]
        1 in each hour of the week that counts, else 0, such as ``HoursNeeded.mask``. Machines that
        stay on outside those hours draw idle power: give all hours then.
    hours_per_year : float or array [h]
        Hours of a year that count, such as ``HoursNeeded.hours_per_year``; broadcasts without the
        hours' axis.

    Returns
    -------
    YearEnergy
        Zeros without hours.

    Source: energy is power times time.

    >>> from planner.energy import week_power_w
    >>> week = week_power_w([1.0], [1.0], 1, 1, 1, 0.0, 500.0, 0.0, 500.0, 1.5)
    >>> year = year_energy(week, [1], 8760)
    >>> float(year.facility_kwh), float(year.cooling_kwh)
    (13140.0, 4380.0)
    """
    counts, hours = np.asarray(mask, dtype=float), np.asarray(hours_per_year, dtype=float)
    if not (np.all(counts >= 0) and np.all(hours >= 0)):
        raise InvalidScenario("Hours must be numbers of 0 or more; check when it is needed.")
    total = counts.sum(axis=-1)
    weights = counts / np.where(total > 0, total, 1.0)[..., None]

    def mean_w(power_w: Any) -> Any:
        return (np.asarray(power_w, dtype=float) * weights).sum(axis=-1)

    def kwh(power_w: Any) -> Any:
        return mean_w(power_w) * hours / _WATTS_OF_KW

    return YearEnergy(
        gpus_kwh=kwh(week.gpus_w),
        hosts_kwh=kwh(week.hosts_w),
        it_kwh=kwh(week.it_w),
        cooling_kwh=kwh(week.cooling_w),
        facility_kwh=kwh(week.facility_w),
        mean_w=mean_w(week.facility_w),
        peak_w=(np.asarray(week.facility_w, dtype=float) * (counts > 0)).max(axis=-1),
    )


def carbon_kg(facility_kwh: Any, gco2e_per_kwh: Any) -> Any:
    """Greenhouse gases of the electricity, by the grid's average.

    .. math:: m = E \\, g / 1000

    Parameters
    ----------
    facility_kwh : float or array [kWh]
    gco2e_per_kwh : float or array [gCO2e/kWh]
        Such as ``Grid.gco2e_per_kwh``.

    Returns
    -------
    float or array [kg]
        Of electricity alone; making the hardware is left out. 0 without energy.

    Source: location-based method of the Greenhouse Gas Protocol's Scope 2 Guidance (2015).

    >>> float(carbon_kg(10_000.0, 350.0))
    3500.0
    """
    return _times(facility_kwh, gco2e_per_kwh, "gco2e_per_kwh") / _GRAMS_OF_KG


def water_l(
    facility_kwh: Any, grid_l_per_kwh: Any, it_kwh: Any = 0.0, site_l_per_kwh: Any = 0.0
) -> Any:
    """Water consumed by power stations, and by cooling where it is known.

    .. math:: V = E_{facility} \\, w_{grid} + E_{IT} \\, w_{site}

    Parameters
    ----------
    facility_kwh : float or array [kWh]
    grid_l_per_kwh : float or array [L/kWh]
        Such as ``Grid.water_l_per_kwh``; not-a-number without a source.
    it_kwh : float or array [kWh]
    site_l_per_kwh : float or array [L/kWh]
        WUE of the site, such as ``PueRow.water_l_per_kwh``.

    Returns
    -------
    float or array [L]
        Not-a-number where a factor is unknown; 0 without energy.

    Source: P. Li, J. Yang, M. A. Islam and S. Ren, "Making AI less thirsty", arXiv 2304.03271,
    equation of the operational footprint.

    >>> float(water_l(1500.0, 2.0, 1000.0, 0.5))
    3500.0
    """
    grid = _times(facility_kwh, grid_l_per_kwh, "grid_l_per_kwh")
    return grid + _times(it_kwh, site_l_per_kwh, "site_l_per_kwh")


def energy_usd(facility_kwh: Any, usd_per_kwh: Any) -> Any:
    """What the electricity costs.

    .. math:: C = E \\, p

    Parameters
    ----------
    facility_kwh : float or array [kWh]
    usd_per_kwh : float or array [USD/kWh]
        Such as ``Grid.electricity``; not-a-number without a source.

    Returns
    -------
    float or array [USD]
        Not-a-number where the price is unknown; 0 without energy.

    Source: arithmetic; no publication.

    >>> float(energy_usd(1000.0, 0.15))
    150.0
    """
    return _times(facility_kwh, usd_per_kwh, "usd_per_kwh")


def racks_needed(
    host_w: Any, hosts: Any, host_units: Any, rack_w: Any, rack_units: Any = RACK_UNITS
) -> Racks:
    """Racks for a number of hosts, by power and by height.

    .. math::

        n = \\min\\left(\\lfloor P_{rack} / P_{host} \\rfloor, \\lfloor U / u \\rfloor\\right),
        \\qquad R = \\lceil H / n \\rceil

    Parameters
    ----------
    host_w : float or array [W]
        One host at its busiest, GPUs included.
    hosts : int or array [1]
    host_units : int or array [1]
        Height of one host, in rack units.
    rack_w : float or array [W]
        Power that a rack can feed and cool.
    rack_units : int or array [1]
        Height for hosts, in rack units; less where switches share the rack.

    Returns
    -------
    Racks

    Raises :class:`NoFeasiblePlan` when one host exceeds a rack.

    Source: counting; no publication.

    >>> found = racks_needed(8400.0, 3, 8, 17_000.0)
    >>> float(found.hosts_per_rack), float(found.racks), float(found.power_w)
    (2.0, 2.0, 16800.0)
    >>> racks_needed(8400.0, 3, 8, 6_000.0)
    Traceback (most recent call last):
        ...
    planner.errors.NoFeasiblePlan: One host draws 8.4 kW at its busiest, more than the 6 kW of ...
    """
    power, count, height, limit, units = (
        np.asarray(one, dtype=float) for one in (host_w, hosts, host_units, rack_w, rack_units)
    )
    positive = np.all(power > 0) and np.all(height > 0) and np.all(limit > 0) and np.all(units > 0)
    if not (positive and np.all(count >= 0)):
        raise InvalidScenario(
            "Racks: power and heights must be more than 0 and hosts 0 or more; check the site."
        )
    by_power = np.floor(limit / power * (1 + 1e-9))
    by_units = np.floor(units / height * (1 + 1e-9))
    _fits(by_power, by_units, power, limit, height, units)
    each = np.minimum(by_power, by_units)
    return Racks(
        racks=np.ceil(count / each * (1 - 1e-9)),
        hosts_per_rack=each,
        hosts_by_power=by_power,
        hosts_by_units=by_units,
        power_w=np.minimum(each, count) * power,
    )


def _fits(by_power: Any, by_units: Any, power: Any, limit: Any, height: Any, units: Any) -> None:
    """Raises when one host alone is too much for a rack."""
    if not np.all(by_power >= 1):
        raise NoFeasiblePlan(
            f"One host draws {power.max() / _WATTS_OF_KW:.3g} kW at its busiest, more than the "
            f"{limit.min() / _WATTS_OF_KW:.3g} kW of a rack; allow more power for each rack, cap "
            "the GPUs' power, or choose GPUs or hosts that draw less.",
            constraint="rack power",
            remedy="more power for each rack, a power cap, or smaller hosts",
        )
    if not np.all(by_units >= 1):
        raise NoFeasiblePlan(
            f"One host is {height.max():.0f} units high, more than the {units.min():.0f} units of "
            "a rack; use a higher rack.",
            constraint="rack height",
            remedy="a higher rack",
        )


def _times(amount: Any, factor: Any, field: str) -> Any:
    """The product, which an unknown factor leaves unknown unless there is nothing to multiply."""
    energy, each = np.asarray(amount, dtype=float), np.asarray(factor, dtype=float)
    if np.any(energy < 0) or np.any(each < 0):
        raise InvalidScenario(f"{field}: {factor} for {amount} kWh is not allowed; give 0 or more.")
    return np.where(energy == 0, 0.0, energy * each)
