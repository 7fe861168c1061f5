"""All prices of a catalogue in one list, and a scenario's own in place of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

from planner.catalogue import Basis, Catalogue, Price, Source
from planner.cost import Currency, PriceBook, api_prices, offer_price
from planner.errors import InvalidScenario
from planner.scenario import Scenario


def currency_of(scenario: Scenario) -> Currency:
    """The currency that a scenario is read in.

    Parameters
    ----------
    scenario : Scenario

    Returns
    -------
    Currency

    >>> currency_of(Scenario()).show(1234.0)
    '$1,230'
    """
    finance = scenario.finance
    return Currency(finance.currency, finance.currency_per_usd, finance.currency_as_of)


@lru_cache(maxsize=4)
def price_list(catalogue: Catalogue) -> Mapping[str, Price]:
    """Every price by id: parts of a bill, cloud offers, tokens, electricity and PUE.

    Parameters
    ----------
    catalogue : Catalogue

    Returns
    -------
    mapping of str to Price

    >>> from planner.catalogue import load_catalogue
    >>> {one.split("/")[0] for one in price_list(load_catalogue())} >= {"cloud", "api", "pue"}
    True
    """
    found = dict(catalogue.prices)
    for offer in catalogue.cloud_offers:
        one = offer_price(offer)
        found[one.id] = one
    for api in catalogue.api_prices.values():
        found.update({one.id: one for one in api_prices(api)})
    for grid in catalogue.grids.values():
        if grid.is_priced:
            found[f"electricity/{grid.id}"] = Price(
                f"electricity/{grid.id}",
                f"Electricity, {grid.name}",
                "power",
                "USD/kWh",
                grid.electricity_low,
                grid.electricity,
                grid.electricity_high,
                grid.electricity_source,
                grid.electricity_note,
            )
    for row in catalogue.pue.values():
        found[f"pue/{row.id}"] = Price(
            f"pue/{row.id}",
            f"PUE, {row.name}",
            "power",
            "1",
            row.low,
            row.value,
            row.high,
            row.source,
            row.note,
        )
    return found


def price_book(scenario: Scenario, catalogue: Catalogue, draws: int, seed: int = 0) -> PriceBook:
    """The list with the scenario's own prices in place.

    Parameters
    ----------
    scenario : Scenario
    catalogue : Catalogue
    draws, seed : int

    Returns
    -------
    PriceBook

    Raises :class:`InvalidScenario` for a quote of a price that does not exist.

    >>> from planner.catalogue import load_catalogue
    >>> scenario = Scenario().changed({"site.electricity_usd_per_kwh": 0.2})
    >>> price_book(scenario, load_catalogue(), 1).price("electricity/us").value
    0.2
    """
    site, finance = scenario.site, scenario.finance
    prices = price_list(catalogue)
    own = {
        f"electricity/{site.country}": ("Electricity", "USD/kWh", site.electricity_usd_per_kwh),
        "licence/other": (
            "Licence of the other platform",
            "USD/core/year",
            site.platform_usd_per_core_year,
        ),
        "pue/own-room": ("PUE", "1", site.pue),
        "pue/colocation": ("PUE", "1", site.pue),
    }
    given = {name: value for name, (_, _, value) in own.items() if value is not None}
    new = {
        name: Price(
            name, label, "power" if unit != "USD/core/year" else "licences", unit, 0.0, 0.0,
            math.inf, Source("your scenario", basis=Basis.ASSUMED),
        )
        for name, (label, unit, _) in own.items()
        if name in given and name not in prices
    }  # fmt: skip
    quotes = finance.quoted
    for name, value in quotes.items():
        if name.startswith("pue/") and value < 1.0:
            raise InvalidScenario(
                f"finance.quotes has a PUE of {value:g}; it must be at least 1.",
                field="finance.quotes",
            )
    return PriceBook.of(
        {**prices, **new} if new else prices,
        {**given, **quotes},
        finance.quotes_as_of,
        draws=draws,
        seed=seed,
    )
