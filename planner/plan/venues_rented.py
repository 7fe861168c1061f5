"""What it costs to rent instances: by the hour, committed, mixed, spot, and on the market."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache

from planner.catalogue import Catalogue, CloudOffer
from planner.cost import rented_lines, whole_instances
from planner.governance import Gate
from planner.plan.growth import NOMINAL
from planner.plan.setting import Setting, Venue, gates_of, without
from planner.units import format_number

MARKET = ("specialised", "hyperscalers", "long-tail")
"""Ranges that a publisher gives for a market, not offers that anybody can order."""
TIERS = (
    ("rent-demand", "Rent by the hour", "on-demand"),
    ("rent-mixed", "Rent: a committed floor, bursts by the hour", "mixed"),
    ("rent-1y", "Rent, committed for a year", "committed-1y"),
    ("rent-3y", "Rent, committed for three years", "committed-3y"),
    ("rent-spot", "Rent spot instances", "spot"),
)
"""Id, label and tier of each way to rent."""
HOST_OF_EIGHT = 8


def _offers(setting: Setting, tier: str, market: bool = False) -> list[CloudOffer]:
    """Offers of this GPU that hold a replica, cheapest for this load first."""
    gpu, asked = setting.choice.gpu.id, setting.choice.scenario.finance.cloud_provider
    replica = min(setting.serving.serving.gpus_per_replica, HOST_OF_EIGHT)
    found = [
        offer
        for offer in _of_gpu(setting.catalogue, gpu)
        if offer.tier == tier
        and (offer.provider in MARKET) == market
        and (market or asked in ("cheapest", offer.provider))
        and (offer.gpus >= replica or market)
    ]
    peak = float(setting.serving.supply.gpus[NOMINAL, 0])
    book = setting.book
    return sorted(
        found,
        key=lambda o: (
            math.ceil(peak / o.gpus) * book.price(f"cloud/{o.id}").value,
            o.gpus,
            o.id,
        ),
    )


@lru_cache(maxsize=256)
def _of_gpu(catalogue: Catalogue, gpu: str) -> tuple[CloudOffer, ...]:
    return tuple(offer for offer in catalogue.cloud_offers if offer.gpu == gpu)


def _first_allowed(
    setting: Setting, offers: Iterable[CloudOffer]
) -> tuple[CloudOffer | None, tuple[Gate, ...]]:
    """The cheapest offer that policy lets pass, else the cheapest with what stops it."""
    first: tuple[CloudOffer | None, tuple[Gate, ...]] = (None, ())
    for offer in offers:
        passed = gates_of(setting, "cloud", offer.provider, offer.country, offer.term_months)
        if all(gate.passed for gate in passed):
            return offer, passed
        if first[0] is None:
            first = offer, passed
    return first


def rented(setting: Setting, name: str, label: str, tier: str) -> Venue:
    """Renting instances in one tier: the cheapest offer for this load that policy lets pass.

    Parameters
    ----------
    setting : Setting
    name, label : str
        Of the way.
    tier : str
        Of an offer, or ``mixed``.

    Returns
    -------
    Venue
    """
    venue = Venue(name, "rent", label, "", "")
    if setting.here is None:
        return without(venue, setting.reason)
    paid = "committed-1y" if tier == "mixed" else tier
    offer, passed = _first_allowed(setting, _offers(setting, paid))
    if offer is None:
        return without(venue, _no_offer(setting, paid))
    if offer.term_months > 12 * setting.years:
        return without(
            venue,
            f"The term of {offer.term_months:.0f} months is longer than the horizon of "
            f"{setting.years} years.",
        )
    return _rented(setting, venue, tier, offer, passed)


def _rented(
    setting: Setting, venue: Venue, tier: str, offer: CloudOffer, passed: tuple[Gate, ...]
) -> Venue:
    burst, committed = offer, None
    if tier == "mixed":
        same = [
            one
            for one in _offers(setting, "on-demand")
            if (one.provider, one.region, one.instance)
            == (offer.provider, offer.region, offer.instance)
        ]
        if not same:
            return without(venue, "The committed instance is not offered by the hour.")
        burst, committed = same[0], offer
    lines = rented_lines(setting.load, setting.book, burst, committed, setting.ends)
    peak = float(whole_instances(setting.serving.supply.gpus[NOMINAL, 0], offer.gpus))
    idle = peak * offer.gpus - float(setting.serving.supply.gpus[NOMINAL, 0])
    where = f", {offer.region}" if offer.region not in ("", "all") else ""
    rest = f", {format_number(idle)} of its GPUs idle at the peak" if idle else ""
    return Venue(
        venue.id,
        "rent",
        venue.label,
        f"{peak:,.0f} × {offer.instance} ({offer.gpus} GPU), {offer.provider}{where}{rest}",
        offer.provider,
        lines=(*lines, *setting.monitoring),
        gates=passed,
        offer=offer,
        country=offer.country,
    )


def _no_offer(setting: Setting, tier: str) -> str:
    asked = setting.choice.scenario.finance.cloud_provider
    who = "no provider" if asked == "cheapest" else asked
    return (
        f"No price of {setting.choice.gpu.label} {tier.replace('-', ' ')} at {who} is known with "
        f"{setting.serving.serving.gpus_per_replica:.0f} GPUs in one instance."
    )


def market(setting: Setting) -> Venue:
    """Renting at what the market of specialised clouds is said to ask.

    Parameters
    ----------
    setting : Setting

    Returns
    -------
    Venue
    """
    venue = Venue("rent-market", "rent", "Rent from specialised clouds, market range", "", "")
    if setting.here is None:
        return without(venue, setting.reason)
    offers = [one for one in _offers(setting, "on-demand", True) if one.provider == "specialised"]
    offer, passed = _first_allowed(setting, offers)
    if offer is None:
        return without(venue, f"No market range for {setting.choice.gpu.label} is known.")
    return _rented(setting, venue, "on-demand", offer, passed)
