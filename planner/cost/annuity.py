"""Money spread over time: annuities, levelised cost, and sums of rent."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any


def capital_recovery_factor(rate: Array, years: Array) -> Array:
    """Equal yearly payment, at each year's end, that repays one dollar with interest.

    .. math:: CRF = \\frac{r (1 + r)^n}{(1 + r)^n - 1}

    Parameters
    ----------
    rate : float or array [fraction]
        Discount rate of one year; zero gives 1/n.
    years : float or array [year]
        Zero years give an infinite payment.

    Returns
    -------
    float or array [fraction]
        Of the capital, each year. Spreadsheets call its product with the capital ``-PMT``.

    Source: engineering economics, uniform-series capital recovery (A/P, r, n).

    >>> round(float(capital_recovery_factor(0.08, 5)), 6)
    0.250456
    """
    rate, years = np.asarray(rate, dtype=float), np.asarray(years, dtype=float)
    some = np.where(rate == 0, 1.0, rate)
    # expm1 and log1p keep the digits of small rates.
    shrink = -np.expm1(-np.maximum(years, 0.0) * np.log1p(some))
    span = np.where(rate == 0, years, shrink / some)
    return np.where(years > 0, 1.0 / np.where(years > 0, span, 1.0), np.inf)[()]


def sinking_fund_factor(rate: Array, years: Array) -> Array:
    """Equal yearly payment, at each year's end, that saves up one dollar by the end.

    .. math:: SFF = \\frac{r}{(1 + r)^n - 1} = CRF - r

    Parameters
    ----------
    rate : float or array [fraction]
    years : float or array [year]

    Returns
    -------
    float or array [fraction]

    Source: engineering economics, uniform-series sinking fund (A/F, r, n).

    >>> round(float(sinking_fund_factor(0.08, 5)), 6)
    0.170456
    """
    return capital_recovery_factor(rate, years) - np.asarray(rate, dtype=float)


def levelised_usd_per_year(
    capital_usd: Array,
    yearly_usd: Array,
    rate: Array,
    years: Array,
    salvage_usd: Array = 0.0,
) -> Array:
    """The equal yearly cost of something bought once, run for years and sold at the end.

    .. math:: C = capital \\cdot CRF(r, n) - salvage \\cdot SFF(r, n) + opex

    Parameters
    ----------
    capital_usd : float or array [USD]
        Paid at the start.
    yearly_usd : float or array [USD/year]
        Paid at each year's end.
    rate : float or array [fraction]
        Discount rate a year; 0 for a plain average.
    years : float or array [year]
    salvage_usd : float or array [USD]
        What it sells for at the end.

    Returns
    -------
    float or array [USD/year]
        Over zero years infinite, unless it sells for what it cost.

    Source: NREL, simple levelised cost of energy calculator: capital recovery and yearly cost.

    >>> float(levelised_usd_per_year(300000, 50000, 0.0, 5, salvage_usd=50000))
    100000.0
    """
    # CRF is SFF + r; written so, nothing lost over no years costs nothing.
    capital = np.asarray(capital_usd, dtype=float)
    lost = capital - salvage_usd
    factor = np.where(lost == 0, 0.0, sinking_fund_factor(rate, years))
    return (lost * factor + capital * rate + yearly_usd)[()]


def levelised_usd_per_hour(
    capital_usd: Array,
    yearly_usd: Array,
    rate: Array,
    years: Array,
    hours_per_year: Array = 8760.0,
    utilisation_fraction: Array = 1.0,
    salvage_usd: Array = 0.0,
) -> Array:
    """Levelised cost of each hour that is used.

    .. math:: c = \\frac{capital \\cdot CRF - salvage \\cdot SFF + opex}{h \\, u}

    Parameters
    ----------
    capital_usd : float or array [USD]
    yearly_usd : float or array [USD/year]
    rate : float or array [fraction]
    years : float or array [year]
    hours_per_year : float or array [h]
        Hours that it exists: 8,760, times the number of GPUs for the cost of a GPU-hour.
    utilisation_fraction : float or array [fraction]
        Share of them that is used. It divides here and nowhere else: divide no further result by
        it again.
    salvage_usd : float or array [USD]
        What it sells for at the end.

    Returns
    -------
    float or array [USD/h]
        Infinite when nothing is used.

    Source: as :func:`levelised_usd_per_year`; Uptime Institute 2025 for the utilisation.

    >>> round(float(levelised_usd_per_hour(300000, 50000, 0.08, 5, 8 * 8760, 0.5)), 3)
    3.571
    """
    cost = levelised_usd_per_year(capital_usd, yearly_usd, rate, years, salvage_usd)
    return per_unit(cost, np.asarray(hours_per_year, dtype=float) * utilisation_fraction)


def levelised_usd_per_million_tokens(usd_per_hour: Array, tokens_per_s: Array) -> Array:
    """What a million tokens cost on hardware that costs so much an hour.

    .. math:: c_{tok} = \\frac{10^6 \\, c_h}{3600 \\, q}

    Parameters
    ----------
    usd_per_hour : float or array [USD/h]
        Cost of a used hour of the whole system. If utilisation is already in it, ``tokens_per_s``
        is the speed while in use; utilisation divides once.
    tokens_per_s : float or array [token/s]
        Of the whole system; output tokens, or input and output, as the price is to be read.

    Returns
    -------
    float or array [USD/million tokens]
        Infinite at zero speed, unless it costs nothing.

    Source: arithmetic of the definition; Curcio 2025, arXiv 2509.02596, calls it levelised cost of
    artificial intelligence.

    >>> round(float(levelised_usd_per_million_tokens(23.6, 2000.0)), 3)
    3.278
    """
    return per_unit(usd_per_hour, np.asarray(tokens_per_s, dtype=float) * 3600.0 / 1e6)


def per_unit(cost_usd: Array, units: Array) -> Array:
    """Cost of one unit of anything: inference, request, person and month, successful task.

    .. math:: c = cost / n

    Parameters
    ----------
    cost_usd : float or array [USD]
    units : float or array [1]

    Returns
    -------
    float or array [USD]
        Zero when nothing costs nothing, infinite when something is spent on no unit.

    Source: arithmetic of the definition; levelised cost of AI is this with amortised capital and
    yearly cost over the year's valid inferences (Curcio 2025, arXiv 2509.02596).

    >>> float(per_unit(1000.0, 250.0)), float(per_unit(0.0, 0.0)), float(per_unit(1.0, 0.0))
    (4.0, 0.0, inf)
    """
    cost, units = np.asarray(cost_usd, dtype=float), np.asarray(units, dtype=float)
    some = units > 0
    none = np.where(cost == 0, 0.0, np.copysign(np.inf, cost))
    return np.where(some, cost / np.where(some, units, 1.0), none)[()]


def cumulative_rent_usd(usd_per_hour: Array, hours_per_year: Array, years: Array) -> Array:
    """What renting has cost after some years at a constant price, undiscounted.

    .. math:: C = p \\, h \\, n

    Parameters
    ----------
    usd_per_hour : float or array [USD/h]
    hours_per_year : float or array [h]
    years : float or array [year]

    Returns
    -------
    float or array [USD]

    Source: Lenovo Press LP2225: AWS p5.48xlarge on demand for five years, $4,306,415.

    >>> round(float(cumulative_rent_usd(98.32, 8760, 5)))
    4306416
    """
    return np.asarray(usd_per_hour, dtype=float)[()] * hours_per_year * years


def saving_fraction(cost_usd: Array, against_usd: Array) -> Array:
    """Share of the dearer cost that the cheaper one saves; negative when it costs more.

    .. math:: s = 1 - cost / against

    Parameters
    ----------
    cost_usd, against_usd : float or array [USD]

    Returns
    -------
    float or array [fraction]
        Zero when both are nothing.

    Source: ESG for Dell, 30 April 2025: $3.00 against $12.19 per user and month saves 75 %.

    >>> round(float(saving_fraction(3.00, 12.19)), 3)
    0.754
    """
    cost, against = np.asarray(cost_usd, dtype=float), np.asarray(against_usd, dtype=float)
    return np.where(cost == against, 0.0, 1.0 - per_unit(cost, against))[()]
