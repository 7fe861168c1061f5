"""What clouds ask for an instance with accelerators: ``data/cloud_offers.csv``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from planner.catalogue.prices import ApiPrice, Price, ordered, read_api_prices, read_prices
from planner.catalogue.records import Source
from planner.catalogue.tables import Row, read_rows
from planner.units import GIB

TIERS = ("on-demand", "spot", "committed-1y", "committed-3y", "reserved-block")
"""How an instance is paid for."""


@dataclass(frozen=True, slots=True)
class CloudOffer:
    """One way to rent one kind of instance in one region.

    >>> from planner.catalogue.catalogue import find_data
    >>> offers = read_cloud_offers(find_data() / "cloud_offers.csv")
    >>> [(one.gpus, one.value) for one in offers if one.id == "aws/us-east-1/p5.48xlarge/on-demand"]
    [(8, 55.04)]
    """

    id: str
    """Provider, region, instance and tier, with slashes."""
    provider: str
    """In lower case: ``aws``, ``azure``, ``specialised`` for a market range over several."""
    region: str
    """The provider's name for it; ``all`` where one price holds in every region."""
    country: str
    """Where the machines are: two letters of ISO 3166-1, blank when not stated."""
    instance: str
    gpu: str
    """Id of ``data/gpus.csv``."""
    gpus: int
    """Accelerators in the instance [gpu]."""
    tier: str
    """One of :data:`TIERS`."""
    vcpu: float
    """Virtual processors of the instance [1]; not-a-number when not stated."""
    memory_bytes: float
    """Main memory of the instance [byte]; not-a-number when not stated."""
    low: float
    """Low end for the whole instance [USD/h]."""
    value: float
    """Price of the whole instance [USD/h]."""
    high: float
    """High end for the whole instance [USD/h]."""
    term_months: float
    """How long one is bound [month]; 0 without a commitment, for blocks of days, and where
    the publisher does not say."""
    upfront_fraction: float
    """Share of the term's price that is paid on the first day at ``value`` [fraction]."""
    source: Source
    note: str = ""


def read_cloud_offers(path: Path) -> tuple[CloudOffer, ...]:
    """Every offer of the table, in its order.

    Parameters
    ----------
    path : Path
        ``cloud_offers.csv``.

    Returns
    -------
    tuple of CloudOffer

    Raises :class:`planner.errors.MissingData` when a range is out of order, a tier unknown or
    an id not unique.

    Source: each row's own ``source`` column.

    >>> from planner.catalogue.catalogue import find_data
    >>> offers = read_cloud_offers(find_data() / "cloud_offers.csv")
    >>> sorted({one.tier for one in offers}) == sorted(TIERS)
    True
    """
    seen: set[str] = set()
    offers = []
    for row in read_rows(path):
        offer = _offer(row)
        if offer.id in seen:
            raise row.fault("id", "unique")
        seen.add(offer.id)
        offers.append(offer)
    return tuple(offers)


def _offer(row: Row) -> CloudOffer:
    tier = row.required("tier")
    if tier not in TIERS:
        raise row.fault("tier", "one of " + ", ".join(TIERS))
    low, value, high = ordered(row, "low", "value", "high")
    return CloudOffer(
        id=row.required("id"),
        provider=row.required("provider"),
        region=row.required("region"),
        country=row.text("country"),
        instance=row.required("instance"),
        gpu=row.required("gpu"),
        gpus=row.whole("gpus"),
        tier=tier,
        vcpu=row.number("vcpu"),
        memory_bytes=row.number("memory_gib", GIB),
        low=low,
        value=value,
        high=high,
        term_months=row.number("term_months"),
        upfront_fraction=row.number("upfront_fraction"),
        source=row.source(),
        note=row.text("note"),
    )


class PriceTables:
    """The part of the catalogue that says what things cost; read when first asked for."""

    folder: Path

    @cached_property
    def prices(self) -> Mapping[str, Price]:
        """What parts of the bill cost, by id; read when first asked for."""
        return read_prices(self.folder / "prices.csv")

    @cached_property
    def cloud_offers(self) -> tuple[CloudOffer, ...]:
        """What clouds ask for instances with accelerators; read when first asked for."""
        return read_cloud_offers(self.folder / "cloud_offers.csv")

    @cached_property
    def api_prices(self) -> Mapping[str, ApiPrice]:
        """What providers charge for tokens, by id; read when first asked for."""
        return read_api_prices(self.folder / "api_prices.csv")
