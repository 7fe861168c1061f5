"""What it costs to rent instances: by the hour, committed, mixed, spot, and on the market."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from planner.catalogue import Catalogue, CloudOffer
from planner.cost import InstanceHours, instance_hours, rented_lines, whole_instances
from planner.energy import carbon_kg
from planner.governance import Gate
from planner.plan.growth import NOMINAL
from planner.plan.power import W_PER_KW
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
HOURS_PER_YEAR = 8760.0
PUE_OF = {"oci": "oracle"}
"""Names under which providers publish their PUE."""


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
    if not setting.serving.feasible:
        return without(venue, setting.serving.reason)
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
        burst, committed = _by_the_hour(setting, offer), offer
        if burst is None:
            return without(venue, "The committed instance is not offered by the hour.")
    hours = _hours(setting, tier, offer, burst)
    lines = rented_lines(setting.load, hours, setting.book, burst, committed, setting.ends)
    return replace(
        venue,
        detail=_detail(setting, offer, hours, committed is not None),
        provider=offer.provider,
        lines=(*lines, *setting.monitoring),
        gates=passed,
        offer=offer,
        country=offer.country,
        **_energy(setting, offer, hours),
    )


def _hours(setting: Setting, tier: str, offer: CloudOffer, burst: CloudOffer) -> InstanceHours:
    """Whole instances of one size are as many in every tier that is paid for alike."""
    scheme = "committed" if tier.startswith("committed") else tier
    if scheme == "mixed":
        prices = (setting.book.price(f"cloud/{one.id}").value for one in (offer, burst))
        return instance_hours(setting.load, offer.gpus, "mixed", *prices)
    scheme = "committed" if scheme == "committed" else "on-demand"
    if (offer.gpus, scheme) not in setting.hours:
        setting.hours[offer.gpus, scheme] = instance_hours(setting.load, offer.gpus, scheme)
    return setting.hours[offer.gpus, scheme]


def _by_the_hour(setting: Setting, committed: CloudOffer) -> CloudOffer | None:
    """The same instance without a commitment."""
    same = (committed.provider, committed.region, committed.instance)
    offers = _offers(setting, "on-demand")
    return next((o for o in offers if (o.provider, o.region, o.instance) == same), None)


def _detail(setting: Setting, offer: CloudOffer, hours: InstanceHours, mixed: bool) -> str:
    """Instances of the first year, as predicted, and what of them idles."""
    needed = float(setting.serving.supply.gpus[NOMINAL, 0])
    peak = float(whole_instances(needed, offer.gpus))
    idle = peak * offer.gpus - needed
    where = f", {offer.region}" if offer.region not in ("", "all", "market") else ""
    rest = f"; {format_number(idle)} of its GPUs idle at the peak" if idle else ""
    floor = ""
    if mixed:
        count = float(hours.committed[NOMINAL, 0]) / HOURS_PER_YEAR
        floor = f"; {count:,.0f} of them committed" if count else "; committing to none is cheapest"
    each = "GPU" if offer.gpus == 1 else "GPUs"
    return (
        f"{peak:,.0f} × {offer.instance} ({offer.gpus} {each}), {offer.provider}{where}"
        f"{floor}{rest}"
    )


def _energy(setting: Setting, offer: CloudOffer, hours: InstanceHours) -> dict[str, float]:
    """Of the first year: GPUs that serve and GPUs that idle, their share of a host, and the
    provider's PUE; not what the provider measures, which it does not publish."""
    here, catalogue = setting.here, setting.catalogue
    if here is None:
        return {}
    used = float(hours.used_gpu_hours[NOMINAL, 0])
    idle = max(float(hours.instances[NOMINAL, 0]) * offer.gpus - used, 0.0)
    share = 1.0 / here.kind.maximum_gpus
    gpus = used * here.in_use_w + idle * here.replica.idle_w
    hosts = share * (used * here.kind.full_w + idle * here.kind.idle_w)
    place = PUE_OF.get(offer.provider, offer.provider)
    pue = setting.book[f"pue/{place if place in catalogue.pue else 'hyperscale'}"][0, 0]
    kwh = (gpus + hosts) / W_PER_KW * float(pue)
    grid = catalogue.grids.get(offer.country.lower())
    carbon = float(carbon_kg(kwh, grid.gco2e_per_kwh)) if grid else math.nan
    return {"kwh_per_year": kwh, "carbon_kg_per_year": carbon}


_PRICE_WORDS = {
    "on-demand": "price by the hour",
    "spot": "spot price",
    "committed-1y": "price with a year's commitment",
    "committed-3y": "price with three years' commitment",
}


def _no_offer(setting: Setting, tier: str) -> str:
    asked = setting.choice.scenario.finance.cloud_provider
    where = "" if asked == "cheapest" else f" at {asked}"
    each = setting.serving.serving.gpus_per_replica
    size = f" for an instance of {min(each, HOST_OF_EIGHT):.0f}" if each > 1 else ""
    return f"No {_PRICE_WORDS[tier]} of {setting.choice.gpu.label}{where}{size} is known."


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
    if not setting.serving.feasible:
        return without(venue, setting.serving.reason)
    offers = [one for one in _offers(setting, "on-demand", True) if one.provider == "specialised"]
    offer, passed = _first_allowed(setting, offers)
    if offer is None:
        return without(venue, f"No market range of {setting.choice.gpu.label} is known.")
    return _rented(setting, venue, "on-demand", offer, passed)
