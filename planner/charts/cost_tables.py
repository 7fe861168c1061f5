"""Tables of cost: every way side by side, and every price that they rest on."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable

import numpy as np

from planner.catalogue import Catalogue, Price, age_days
from planner.charts.figures import Spec
from planner.cost import MONTHS, Currency, band, used
from planner.plan import Plan, Venue
from planner.plan.price_list import currency_of, price_list
from planner.units import format_number, plural

OLD_DAYS = 180
"""A price older than this is marked [day]."""


def venues(plan: Plan, catalogue: Catalogue) -> Spec:
    """Every way to run it: total and range, unit costs, what idles, and why it is out.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        A table, see :data:`planner.charts.TABLES`.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> len(venues(evaluate(Scenario(), c), c)["rows"])
    10
    """
    money = plan.money
    years = plan.scenario.finance.horizon_years
    heads: list[Spec] = [
        {"text": "Way"},
        {"text": f"Over {plural(years, 'year')}", "number": True},
        {"text": "A month", "number": True, "few": True},
        {"text": "A million tokens", "number": True, "few": True},
        {"text": "Paid and idle", "few": True},
        {"text": "Open to this plan"},
    ]
    open_ = sum(venue.allowed for venue in money.venues)
    return {
        "heads": heads,
        "rows": [_way(plan, venue) for venue in money.venues],
        "caption": (
            f"{open_} of {len(money.venues)} ways are open. Totals as priced, not discounted, with "
            "the range that holds 80 of 100 draws of all prices; the download has every line by "
            "year."
        ),
    }


def prices(plan: Plan, catalogue: Catalogue) -> Spec:
    """Every price behind the ways shown, with its range, date and source.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        A table, see :data:`planner.charts.TABLES`, in which the last cell of each row takes the
        person's own price.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> prices(evaluate(Scenario(), c), c)["rows"][0]["id"]
    'gpu/h100-sxm-80gb'
    """
    published = price_list(catalogue)
    quoted = plan.scenario.finance.quoted
    today = datetime.date.today()
    shown = prices_used(plan)
    old = sum(age_days(one.source.as_of, today) > OLD_DAYS for one in shown)
    return {
        "heads": [
            {"text": "Price"},
            {"text": "Published", "number": True},
            {"text": "Of", "date": True, "few": True},
            {"text": "Source", "few": True},
            {"text": "Your own"},
        ],
        "rows": [_price(one, published.get(one.id), quoted.get(one.id), today) for one in shown],
        "caption": (
            f"{plural(len(shown), 'price')}, of which {old} are older than {OLD_DAYS} days; "
            f"{sum(one.quoted for one in shown)} are your own. Prices are in US dollars; a quote "
            "replaces a price and its range. Empty the box to go back."
        ),
    }


def prices_used(plan: Plan) -> tuple[Price, ...]:
    """Every price behind the ways that can be gone, each once.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    tuple of Price

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> prices_used(evaluate(Scenario(), load_catalogue()))[0].id
    'gpu/h100-sxm-80gb'
    """
    ids: list[str] = []
    for venue in plan.money.venues:
        ids += [name for line in venue.lines for name in line.prices]
        if venue.kind == "own" and venue.lines:
            ids.append("pue/own-room" if venue.id == "own-room" else "pue/colocation")
    return used(ids, plan.money.book)


def why_out(venue: Venue) -> str:
    """Why a way is not taken, in a sentence; empty when it may be.

    Parameters
    ----------
    venue : Venue

    Returns
    -------
    str

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> why_out(evaluate(Scenario(), load_catalogue()).money.venue("own-room"))
    ''
    """
    shut = [gate for gate in venue.gates if not gate.passed]
    if venue.reason or not shut:
        return venue.reason
    more = f" So {'does' if len(shut) == 2 else 'do'} {plural(len(shut) - 1, 'other rule')}."
    return f"{shut[0].title} rules it out: {shut[0].reason}{more if len(shut) > 1 else ''}"


def spread(low: float, high: float, currency: Currency) -> str:
    """A range of money as people read it.

    Parameters
    ----------
    low, high : float [USD]
    currency : Currency

    Returns
    -------
    str

    >>> spread(1000.0, 2000.0, Currency())
    '$1,000 to $2,000'
    """
    ends = (currency.show(low), currency.show(high))
    return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def unit_of_price(price: Price) -> str:
    """A price's unit in words.

    Parameters
    ----------
    price : Price

    Returns
    -------
    str

    >>> from planner.catalogue import load_catalogue
    >>> unit_of_price(load_catalogue().prices["licence/vcf"])
    'USD a core and year'
    """
    return UNITS_OF_PRICES.get(price.unit, price.unit)


def _way(plan: Plan, venue: Venue) -> Spec:
    currency, out = currency_of(plan.scenario), why_out(venue)
    best = venue is plan.money.best
    standing: Spec = (
        {"text": "yes, the cheapest" if best else "yes", "tone": "good"}
        if venue.allowed
        else {"text": "no", "tone": "bad", "note": out}
    )
    row: Spec = {
        "id": venue.id,
        "name": venue.label,
        "look": "best" if best else "" if venue.allowed else "out",
    }
    way = {"text": venue.label, "note": venue.detail}
    if not venue.lines:
        return {**row, "cells": [way, "–", "–", "–", "–", standing]}
    low, value, high = band(venue.total_usd)
    years = plan.scenario.finance.horizon_years
    tokens = plan.cost.tokens_per_month * MONTHS * years / 1e6
    cells: list[Spec | str] = [
        way,
        {"text": currency.show(value), "note": spread(low, high, currency)},
        currency.show(value / (MONTHS * years)),
        currency.show(value / tokens) if tokens > 0 else "–",
        _idle(plan, venue),
        standing,
    ]
    return {**row, "cells": cells}


def _idle(plan: Plan, venue: Venue) -> str:
    """What is paid for and not used, as a share of its GPU-hours."""
    if venue.kind == "call":
        return "nothing: paid by the token"
    if venue.kind == "own":
        share = plan.cost.utilisation_fraction
        return f"{100 * (1 - share):.0f} % of GPU-hours" if math.isfinite(share) else "–"
    usd = {
        name: sum(float(np.atleast_2d(x.usd)[0].sum()) for x in venue.lines if x.id == name)
        for name in ("used", "idle")
    }
    paid = sum(usd.values())
    return f"{100 * usd['idle'] / paid:.0f} % of GPU-hours" if paid > 0 else "–"


def _price(
    price: Price, published: Price | None, quote: float | None, today: datetime.date
) -> Spec:
    listed = published or price
    days = age_days(listed.source.as_of, today)
    unit = unit_of_price(listed)
    date: Spec = {"text": listed.source.as_of}
    if days > OLD_DAYS:
        date |= {"tone": "warn", "note": f"{days:,} days old or more"}
    own: Spec = {"text": "" if quote is None else f"{quote:.12g}", "quote": True}
    ends = (
        f"{format_number(listed.low)} to {format_number(listed.high)} "
        if listed.low < listed.high
        else ""
    )
    by = "your quote" if quote is not None else "your site"
    replaced = f", replaced by {by}" if price.quoted else ""
    shown: Spec = {"text": format_number(listed.value), "note": f"{ends}{unit}{replaced}"}
    return {
        "id": listed.id,
        "name": listed.label,
        "unit": unit,
        "look": "best" if price.quoted else "",
        "cells": [
            {
                "text": listed.label,
                "note": f"now {format_number(price.value)}" if price.quoted else "",
            },
            shown,
            date,
            {"text": listed.source.title, "note": listed.source.basis.words},
            own,
        ],
    }


UNITS_OF_PRICES = {
    "1": "times",
    "fraction": "share, 0 to 1",
    "USD/gpu": "USD a GPU",
    "USD/host": "USD a host",
    "USD/core/year": "USD a core and year",
    "USD/gpu/year": "USD a GPU and year",
    "USD/h": "USD an hour",
    "USD/year": "USD a year",
    "USD/month": "USD a month",
    "USD/kWh": "USD a kWh",
    "USD/kW/month": "USD a kW and month",
    "USD/TB": "USD a TB",
    "USD/GB": "USD a GB",
    "USD/GB/month": "USD a GB and month",
    "USD/million tokens": "USD a million tokens",
}
"""Units of prices in words."""
COST_TABLES: dict[str, Callable[[Plan, Catalogue], Spec]] = {"venues": venues, "prices": prices}
