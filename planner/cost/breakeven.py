"""When owning has paid for itself: in hours, months, years of part-time use, utilisation, tokens.

All are one idea: what was paid up front, over what each unit of use saves afterwards. Where a unit
saves nothing the answer is infinite, where nothing was paid it is zero; no case divides by zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any

HOURS_PER_YEAR = 8760.0
HOURS_PER_MONTH = 730.0


def _ratio(paid: Array, saved: Array) -> Array:
    """``paid / saved``; infinite where nothing is saved, zero where nothing was paid."""
    paid, saved = np.asarray(paid, dtype=float), np.asarray(saved, dtype=float)
    positive = saved > 0
    found = np.where(positive, paid / np.where(positive, saved, 1.0), np.inf)
    return np.where(paid <= 0, 0.0, found)[()]


def breakeven_hours(
    capital_usd: Array, own_usd_per_hour: Array, rented_usd_per_hour: Array
) -> Array:
    """Hours of use after which owned hardware has cost less than rented.

    .. math:: H = \\frac{capital}{rented - own}

    Parameters
    ----------
    capital_usd : float or array [USD]
        Everything paid before the first hour.
    own_usd_per_hour : float or array [USD/h]
        What an hour of the owned system costs afterwards: power, cooling, staff, whatever is
        counted.
    rented_usd_per_hour : float or array [USD/h]
        Price of an hour of the rented equivalent (all its GPUs, not one).

    Returns
    -------
    float or array [h]
        Infinite when an hour of renting is no dearer than an hour of owning.

    Source: Lenovo Press LP2225 (2025), 8 x H100 against AWS p5.48xlarge on demand: 8,556 h.

    >>> round(float(breakeven_hours(833806, 0.87, 98.32)))
    8556
    """
    return _ratio(capital_usd, np.asarray(rented_usd_per_hour) - own_usd_per_hour)


def months_of_hours(hours: Array, hours_per_month: Array = HOURS_PER_MONTH) -> Array:
    """Hours of round-the-clock use as months.

    .. math:: m = H / h_{month}

    Parameters
    ----------
    hours : float or array [h]
    hours_per_month : float or array [h]
        Length of a month: 730 h is a twelfth of a year; some studies use 720 h (30 days). State it,
        as 8,556 h are 11.7 months of the one and 11.9 of the other.

    Returns
    -------
    float or array [month]

    Source: Lenovo Press LP2225 prints 11.9 months for 8,556 h, which is 30-day months.

    >>> round(float(months_of_hours(8556.2, 720.0)), 1), round(float(months_of_hours(8556.2)), 1)
    (11.9, 11.7)
    """
    return np.asarray(hours, dtype=float)[()] / hours_per_month


def breakeven_years_at_duty(
    capital_usd: Array,
    own_usd_per_hour: Array,
    rented_usd_per_hour: Array,
    hours_per_day: Array,
    days_per_year: Array = 365.0,
) -> Array:
    """Years until owning pays, when both run only some hours of each day.

    .. math:: y = \\frac{H}{h_{day} \\, d_{year}}

    Parameters
    ----------
    capital_usd : float or array [USD]
    own_usd_per_hour, rented_usd_per_hour : float or array [USD/h]
        As in :func:`breakeven_hours`; the rented system is paid only in hours of use.
    hours_per_day : float or array [h]
    days_per_year : float or array [day]

    Returns
    -------
    float or array [year]
        Infinite when it never pays.

    Source: Lenovo Press LP2225 inputs at 8 h a day: 2.9 years.

    >>> round(float(breakeven_years_at_duty(833806, 0.87, 98.32, 8.0)), 1)
    2.9
    """
    hours = breakeven_hours(capital_usd, own_usd_per_hour, rented_usd_per_hour)
    return _ratio(hours, np.asarray(hours_per_day, dtype=float) * days_per_year)


def breakeven_months(
    capital_usd: Array, rented_usd_per_month: Array, own_usd_per_month: Array
) -> Array:
    """Months after which owning has cost less than a monthly bill, undiscounted.

    .. math:: t = \\frac{capital}{rented - own}

    Parameters
    ----------
    capital_usd : float or array [USD]
        Any currency, as long as all three agree.
    rented_usd_per_month : float or array [USD/month]
        The bill that ends: cloud, API, or both.
    own_usd_per_month : float or array [USD/month]
        What owning costs every month after the purchase.

    Returns
    -------
    float or array [month]
        Infinite when owning costs as much a month as the bill.

    Source: localized-ai.com, one server of EUR 4,000 against EUR 280 a month: 21.6 months.

    >>> round(float(breakeven_months(4000, 280, 95)), 1)
    21.6
    """
    return _ratio(capital_usd, np.asarray(rented_usd_per_month) - own_usd_per_month)


def breakeven_months_against_api(
    capital_usd: Array,
    own_usd_per_month: Array,
    tokens_per_month: Array,
    usd_per_million_tokens: Array,
) -> Array:
    """Months until owned hardware pays against an API that bills every token.

    .. math:: t = \\frac{capital}{Q \\, p / 10^6 - own}

    Parameters
    ----------
    capital_usd : float or array [USD]
    own_usd_per_month : float or array [USD/month]
        Electricity alone in some studies; staff and space belong here too.
    tokens_per_month : float or array [token]
        Input and output together, as the blended price counts them.
    usd_per_million_tokens : float or array [USD/million tokens]
        Blended price, see :func:`planner.cost.blended_usd_per_million_tokens`.

    Returns
    -------
    float or array [month]

    Source: Pan et al. 2025, arXiv 2509.18101, Kimi-K2 on 16 x A100 against GPT-5: 69.3 months.

    >>> round(float(breakeven_months_against_api(240000, 126.72, 506.9e6, 7.0833)), 1)
    69.3
    """
    bill = np.asarray(tokens_per_month, dtype=float) * usd_per_million_tokens / 1e6
    return breakeven_months(capital_usd, bill, own_usd_per_month)


def breakeven_utilisation(own_usd_per_hour_at_full_use: Array, rented_usd_per_hour: Array) -> Array:
    """Share of the owned hours that must be used, for a used hour to cost what a rented one does.

    .. math:: u^* = C_{100} / p

    Parameters
    ----------
    own_usd_per_hour_at_full_use : float or array [USD/h]
        Everything that owning costs, spread over every hour of its life: the cost of a used hour
        when all are used.
    rented_usd_per_hour : float or array [USD/h]
        Price of the rented equivalent, paid only when used.

    Returns
    -------
    float or array [fraction]
        Above 1 owning never pays; infinite when renting is free.

    Source: Uptime Institute, O. Rogers, 30 January 2025: 33 % for a DGX H100 cluster against $66.

    >>> round(float(breakeven_utilisation(22.0, 66.0)), 2)
    0.33
    """
    return _ratio(own_usd_per_hour_at_full_use, rented_usd_per_hour)


def used_hour_usd(own_usd_per_hour_at_full_use: Array, utilisation_fraction: Array) -> Array:
    """What one used hour of owned hardware costs: the only place where utilisation divides.

    .. math:: c(u) = C_{100} / u

    Parameters
    ----------
    own_usd_per_hour_at_full_use : float or array [USD/h]
    utilisation_fraction : float or array [fraction]

    Returns
    -------
    float or array [USD/h]
        Infinite when nothing is used.

    Source: Uptime Institute, 30 January 2025.

    >>> float(used_hour_usd(22.0, 0.4))
    55.0
    """
    return _ratio(own_usd_per_hour_at_full_use, utilisation_fraction)


def guessing_wrong(
    own_usd_per_hour_at_full_use: Array,
    rented_usd_per_hour: Array,
    utilisation_fraction: Array,
    points: Array = 0.1,
) -> tuple[Array, Array]:
    """What a used hour gains or loses against renting when utilisation is guessed wrong.

    .. math:: gain = p - C_{100}/(u + d), \\qquad loss = C_{100}/(u - d) - p

    As cost goes with 1/u, ten points too few cost more than ten points too many bring.

    Parameters
    ----------
    own_usd_per_hour_at_full_use, rented_usd_per_hour : float or array [USD/h]
    utilisation_fraction : float or array [fraction]
        What was planned.
    points : float or array [fraction]
        How far off the guess is, 0.1 for ten points.

    Returns
    -------
    tuple of float or array [USD/h]
        ``gain`` when use is higher than planned, ``loss`` when it is lower (both positive when
        planned at break-even); the loss is infinite when nothing would be used.

    Source: Uptime Institute, 30 January 2025: about +16 and -30 per unit at ten points.

    >>> [round(float(x), 1) for x in guessing_wrong(22.0, 66.0, 0.333)]
    [15.2, 28.4]
    """
    used = np.asarray(utilisation_fraction, dtype=float)
    more = used_hour_usd(own_usd_per_hour_at_full_use, np.minimum(used + points, 1.0))
    fewer = used_hour_usd(own_usd_per_hour_at_full_use, np.maximum(used - points, 0.0))
    return rented_usd_per_hour - more, fewer - rented_usd_per_hour


def breakeven_tokens_per_month(
    own_usd_per_month: Array, usd_per_million_tokens: Array, own_usd_per_million_tokens: Array = 0.0
) -> Array:
    """Tokens a month at which owning costs what an API would bill.

    .. math:: Q^* = \\frac{own}{(p_{api} - p_{own}) / 10^6}

    Parameters
    ----------
    own_usd_per_month : float or array [USD/month]
        Levelised capital and running cost, see :func:`planner.cost.levelised_usd_per_year`.
    usd_per_million_tokens : float or array [USD/million tokens]
        Blended API price.
    own_usd_per_million_tokens : float or array [USD/million tokens]
        What owning costs for every further token, mostly electricity; zero when it is in
        ``own_usd_per_month``.

    Returns
    -------
    float or array [token]
        Infinite when a further token of one's own costs as much as the API's.

    Source: as :func:`breakeven_months`, solved for the volume.

    >>> float(breakeven_tokens_per_month(7000.0, 7.0))
    1000000000.0
    """
    saved = np.asarray(usd_per_million_tokens) - own_usd_per_million_tokens
    return _ratio(own_usd_per_month, saved / 1e6)


def breakeven_commitment_utilisation(
    committed_usd_per_hour: Array, on_demand_usd_per_hour: Array
) -> Array:
    """Share of the time that a committed instance must run to beat paying on demand.

    .. math:: u^* = p_{committed} / p_{demand}

    Parameters
    ----------
    committed_usd_per_hour : float or array [USD/h]
        Effective price of every hour of the term, upfront payment spread over it.
    on_demand_usd_per_hour : float or array [USD/h]

    Returns
    -------
    float or array [fraction]
        Above 1 the commitment never pays.

    Source: Cloudability, break-even of a reserved m4.large: 0.074 / 0.126.

    >>> round(float(breakeven_commitment_utilisation(0.074, 0.126)), 3)
    0.587
    """
    return _ratio(committed_usd_per_hour, on_demand_usd_per_hour)


def breakeven_commitment_hours_per_month(
    upfront_usd: Array, term_months: Array, on_demand_usd_per_hour: Array
) -> Array:
    """Hours a month at which an upfront reservation costs what paying on demand would.

    .. math:: h = \\frac{upfront / months}{p_{demand}}

    Parameters
    ----------
    upfront_usd : float or array [USD]
    term_months : float or array [month]
    on_demand_usd_per_hour : float or array [USD/h]

    Returns
    -------
    float or array [h]

    Source: Doppler Quarterly, summer 2019, page 39: m5.large, $501 for a year, 435 h.

    >>> round(float(breakeven_commitment_hours_per_month(501, 12, 0.096)))
    435
    """
    return _ratio(_ratio(upfront_usd, term_months), on_demand_usd_per_hour)
