"""Cash flows: what they are worth today, when they pay back, and the rate that they earn.

Time runs along the last axis: ``cash_flows[..., k]`` falls at the end of period ``k``, so the first
one falls now. Money received is positive, money paid negative. Leading axes are candidates or
draws. Any period will do, if the rate is of the same period.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_MONTHS = 12.0
_ROUNDING = 1e-12
"""A sum this small beside the flows that it is made of is zero."""


def monthly_rate(rate_per_year: Any) -> Any:
    """The rate of a month that compounds to a rate of a year.

    .. math:: r_m = (1 + r)^{1/12} - 1

    Contracts that quote a nominal rate "a year, paid monthly" mean ``rate_per_year / 12`` instead;
    pass that to the functions of this room as it is.

    Parameters
    ----------
    rate_per_year : float or array [fraction]
        Above -1; 0.08 is 8 % a year.

    Returns
    -------
    float or array [fraction]
        nan at -1 and below.

    Source: definition of the effective rate, R. A. Brealey, S. C. Myers and F. Allen, "Principles
    of Corporate Finance", chapter 2.

    >>> round(float(monthly_rate(0.08)), 8)
    0.00643403
    """
    rate = np.asarray(rate_per_year, dtype=float)
    known = rate > -1.0
    growth = np.log1p(np.where(known, rate, 0.0))
    return np.where(known, np.expm1(growth / _MONTHS), np.nan)


def yearly_rate(rate_per_month: Any) -> Any:
    """The rate of a year to which a rate of a month compounds.

    .. math:: r = (1 + r_m)^{12} - 1

    Parameters
    ----------
    rate_per_month : float or array [fraction]
        Above -1.

    Returns
    -------
    float or array [fraction]
        nan at -1 and below.

    Source: definition of the effective rate, R. A. Brealey, S. C. Myers and F. Allen, "Principles
    of Corporate Finance", chapter 2.

    >>> round(float(yearly_rate(0.01)), 6)
    0.126825
    """
    rate = np.asarray(rate_per_month, dtype=float)
    known = rate > -1.0
    growth = np.log1p(np.where(known, rate, 0.0))
    with np.errstate(over="ignore"):
        return np.where(known, np.expm1(growth * _MONTHS), np.nan)


def present_values(rate_per_period: Any, cash_flows: Any, first_period: int = 0) -> Any:
    """Each cash flow, discounted to now.

    .. math:: PV_k = \\frac{C_k}{(1 + r)^{k + f}}

    Parameters
    ----------
    rate_per_period : float or array [fraction]
        Above -1; broadcasts against the axes before time.
    cash_flows : array [USD]
        Periods along the last axis.
    first_period : int [1]
        ``f``, the period at whose end the first flow falls: 0 is now.

    Returns
    -------
    array [USD]
        nan for a rate of -1 or below.

    Source: R. A. Brealey, S. C. Myers and F. Allen, "Principles of Corporate Finance", chapter 2.

    >>> [float(v) for v in present_values(0.1, [-100.0, 110.0, 121.0]).round(9)]
    [-100.0, 100.0, 100.0]
    """
    flows = np.asarray(cash_flows, dtype=float)
    rate = np.asarray(rate_per_period, dtype=float)[..., None]
    periods = np.arange(flows.shape[-1]) + float(first_period)
    known = rate > -1.0
    with np.errstate(over="ignore", invalid="ignore"):
        factor = np.exp(-np.log1p(np.where(known, rate, 0.0)) * periods)
        # A flow of nothing stays nothing, however large the factor.
        value = np.where(flows == 0.0, 0.0, flows * factor)
    return np.where(known, value, np.nan)


def npv(rate_per_period: Any, cash_flows: Any, first_period: int = 0) -> Any:
    """Net present value: what the cash flows are worth now.

    .. math:: NPV = \\sum_{k=0}^{n} \\frac{C_k}{(1 + r)^{k + f}}

    With ``first_period=0`` the first flow falls now and is not discounted, as in numpy-financial's
    ``npv``. Spreadsheets (Excel, LibreOffice) discount the first flow by one period already: use
    ``first_period=1`` to get their ``NPV(rate; values)``.

    Parameters
    ----------
    rate_per_period : float or array [fraction]
        Of the period of the flows, above -1; broadcasts against the axes before time.
    cash_flows : array [USD]
        Periods along the last axis; received is positive, paid negative.
    first_period : int [1]
        ``f``, the period at whose end the first flow falls: 0 is now.

    Returns
    -------
    float or array [USD]
        0 for no flows; nan for a rate of -1 or below.

    Source: R. A. Brealey, S. C. Myers and F. Allen, "Principles of Corporate Finance", chapter 2;
    the examples are those of numpy-financial's and of Excel's documentation of NPV.

    >>> round(float(npv(0.08, [-40_000, 5_000, 8_000, 12_000, 30_000])), 5)
    3065.22267
    >>> round(float(npv(0.1, [-10_000, 3_000, 4_200, 6_800], first_period=1)), 2)
    1188.44
    """
    return present_values(rate_per_period, cash_flows, first_period).sum(axis=-1)


def payback_periods(cash_flows: Any) -> Any:
    """Periods until the money put in has come back, not discounted.

    With :math:`S_k` the sum of the flows up to period ``k``, and ``j`` the last period in which it
    is below zero:

    .. math:: t = j + \\frac{-S_j}{C_{j+1}}

    Flows are taken as spread evenly over their period, so the answer is rarely whole. When the sum
    rises above zero, falls below it and rises again, it is the last rise that counts: from then on
    the money stays back.

    Parameters
    ----------
    cash_flows : array [USD]
        Periods along the last axis; the first flow falls now.

    Returns
    -------
    float or array [1]
        In periods of the flows: 0 when nothing is ever owed, infinite when it never comes back.

    Source: R. A. Brealey, S. C. Myers and F. Allen, "Principles of Corporate Finance", chapter 5.

    >>> float(payback_periods([-72_000, 25_000, 25_000, 15_000, 10_000, 30_000]))
    3.7
    >>> float(payback_periods([-100.0, 10.0, 10.0]))
    inf
    """
    flows = np.asarray(cash_flows, dtype=float)
    sums = np.cumsum(flows, axis=-1)
    owed = sums < -_ROUNDING * np.cumsum(np.abs(flows), axis=-1)
    last = flows.shape[-1] - 1
    if last < 0:
        return np.zeros(flows.shape[:-1])[()]
    until = np.where(owed, np.arange(last + 1), -1).max(axis=-1)
    at = np.clip(until, 0, last)[..., None]
    short = -np.take_along_axis(sums, at, axis=-1)[..., 0]
    next_flow = np.take_along_axis(flows, np.minimum(at + 1, last), axis=-1)[..., 0]
    returns = (until >= 0) & (until < last)
    share = short / np.where(returns, next_flow, 1.0)
    periods = np.where(returns, until + np.minimum(share, 1.0), np.where(until < 0, 0.0, np.inf))
    return np.where(np.isnan(sums).any(axis=-1), np.nan, periods)


def discounted_payback_periods(rate_per_period: Any, cash_flows: Any) -> Any:
    """Periods until the money put in has come back with interest.

    The payback of the discounted flows:

    .. math:: t = j + \\frac{-S_j}{C_{j+1} (1 + r)^{-(j+1)}}, \\qquad
              S_k = \\sum_{i=0}^{k} \\frac{C_i}{(1 + r)^i}

    Parameters
    ----------
    rate_per_period : float or array [fraction]
        Of the period of the flows, above -1; broadcasts against the axes before time.
    cash_flows : array [USD]
        Periods along the last axis; the first flow falls now.

    Returns
    -------
    float or array [1]
        In periods of the flows; infinite when it never comes back, as with a negative NPV.

    Source: R. A. Brealey, S. C. Myers and F. Allen, "Principles of Corporate Finance", chapter 5.

    >>> round(float(discounted_payback_periods(0.14, [-10_400, 2_800, 3_700, 5_100, 4_300])), 2)
    3.65
    """
    return payback_periods(present_values(rate_per_period, cash_flows))


def roi_fraction(benefit: Any, cost: Any) -> Any:
    """Return on investment: what is gained beyond the cost, over the cost.

    .. math:: ROI = \\frac{B - C}{C}

    Neither is discounted here, and no time enters: say over how many years. Some publishers call
    ``B / C`` their return; that is one more.

    Parameters
    ----------
    benefit : float or array [USD]
        All that comes back.
    cost : float or array [USD]
        All that is paid for it, as a positive number.

    Returns
    -------
    float or array [fraction]
        12.21 is 1,221 %. For no cost: infinite with a benefit, nan without one.

    Source: ratio as in a published Dell AI Factory case, which turns 1.96 million USD into
    25.9 and prints 1,225 %, as the figures before rounding may be.

    >>> round(100 * float(roi_fraction(25.9e6, 1.96e6)))
    1221
    """
    benefit, cost = np.asarray(benefit, dtype=float), np.asarray(cost, dtype=float)
    some = cost != 0.0
    with np.errstate(over="ignore"):
        gain = (benefit - cost) / np.where(some, cost, 1.0)
    free = np.where(benefit == 0.0, np.nan, np.copysign(np.inf, benefit))
    return np.where(some, gain, free)
