"""What renting costs: whole instances in each tier, storage, egress, support and people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.catalogue import Basis, CloudOffer, weakest
from planner.cost.capacity import best_floor, burst_hours, started_hours, whole_instances
from planner.cost.lines import Line
from planner.cost.pricebook import PriceBook
from planner.units import GB, TB

Array = Any
HOURS_PER_YEAR = 8760.0


@dataclass(frozen=True, slots=True)
class RentedLoad:
    """What must run in the cloud; ends of the speed's range, years and hours of the week along the
    last three axes."""

    gpus: np.ndarray
    """GPUs needed in each hour of the week when instances follow demand [gpu]; shape (..., years,
    168), zero in hours without service."""
    peak_gpus: np.ndarray
    """GPUs that carry the busiest hour [gpu]; shape (..., years)."""
    hours_per_year: float
    """Hours of service in a year [h]."""
    hours_per_week: float
    """Hours of service in a week that has any [h]."""
    follow: bool
    """Whether instances on demand are started and stopped with the hours."""
    scale_up_s: float
    """From asking for an instance until it answers [s]."""
    storage_tb: float
    """Models, documents and logs kept beside it [TB]."""
    egress_bytes: np.ndarray
    """Sent out of the cloud in each year [byte]."""
    staff_fte: float
    """Full-time people [1]."""
    basis: Basis = Basis.DERIVED

    @property
    def weeks_per_year(self) -> float:
        """Weeks with service in a year [1]."""
        return self.hours_per_year / self.hours_per_week if self.hours_per_week else 0.0


@dataclass(frozen=True, slots=True)
class InstanceHours:
    """Hours of whole instances paid for in a year, by how they are paid; years along the last
    axis."""

    committed: np.ndarray
    """Paid whether used or not [h]."""
    on_demand: np.ndarray
    """Paid when running [h]."""
    used_gpu_hours: np.ndarray
    """GPU-hours that demand needs, without the rest of whole instances [h]."""

    @property
    def instances(self) -> np.ndarray:
        """Instance-hours paid for in all [h]."""
        return self.committed + self.on_demand


def instance_hours(
    load: RentedLoad,
    gpus_per_instance: float,
    scheme: str,
    committed_usd_per_hour: float = 0.0,
    on_demand_usd_per_hour: float = 1.0,
) -> InstanceHours:
    """Instance-hours of a year under one way of paying.

    .. math::

        committed: 8760\\, n_{peak} \\qquad always: h\\, n_{peak} \\qquad
        follow: w (\\sum_t n_t + starts) \\qquad
        mixed: 8760 f + w \\sum_t \\max(0, n_t - f)

    Parameters
    ----------
    load : RentedLoad
    gpus_per_instance : float [gpu]
    scheme : str
        ``on-demand``, ``committed`` or ``mixed`` (a committed floor, bursts on demand).
    committed_usd_per_hour, on_demand_usd_per_hour : float [USD/h]
        By which ``mixed`` chooses its floor; one is chosen, at the nominal prices.

    Returns
    -------
    InstanceHours

    Source: definitions of the tiers by the providers; see :func:`planner.cost.best_floor`.

    >>> week = np.tile(np.repeat([0.0, 8.0], 12), 7)[None, :]
    >>> load = RentedLoad(week, np.array([8.0]), 8760, 168, True, 0.0, 0.0, np.zeros(1), 0.0)
    >>> instance_hours(load, 8.0, "on-demand").on_demand.round().tolist()
    [4380.0]
    """
    weeks = load.weeks_per_year
    peak = whole_instances(load.peak_gpus, gpus_per_instance)
    hourly = whole_instances(load.gpus, gpus_per_instance)
    if not load.follow:
        hourly = np.where(load.gpus > 0, peak[..., None], 0.0)
    used = weeks * np.asarray(load.gpus, dtype=float).sum(axis=-1)
    none = np.zeros_like(peak)
    if scheme == "committed":
        return InstanceHours(HOURS_PER_YEAR * peak, none, used)
    if scheme == "mixed":
        # Weeks without service count too: the floor is paid in every hour of the year.
        shares = np.clip(weeks * 168.0 / HOURS_PER_YEAR, 1e-9, 1.0)
        floor = best_floor(hourly, committed_usd_per_hour / shares, on_demand_usd_per_hour)
        above = np.maximum(hourly - floor[..., None], 0.0)
        hours = burst_hours(hourly, floor) + _starts(load, above)
        return InstanceHours(HOURS_PER_YEAR * floor, weeks * hours, used)
    starts = _starts(load, hourly)
    return InstanceHours(none, weeks * (hourly.sum(axis=-1) + starts), used)


def _starts(load: RentedLoad, instances: np.ndarray) -> Array:
    return started_hours(instances, load.scale_up_s) if load.follow else 0.0


def rented_lines(
    load: RentedLoad,
    hours: InstanceHours,
    book: PriceBook,
    offer: CloudOffer,
    committed: CloudOffer | None = None,
    ends: np.ndarray | None = None,
) -> tuple[Line, ...]:
    """Every line of renting instances, year by year.

    .. math:: C = hours \\cdot p + storage + egress + support + people

    Parameters
    ----------
    load : RentedLoad
    hours : InstanceHours
        From :func:`instance_hours`.
    book : PriceBook
        Holds the offers as ``cloud/<offer id>``.
    offer : CloudOffer
        What is paid by the hour; a commitment when its tier is one.
    committed : CloudOffer, optional
        The commitment of a floor; ``offer`` then carries the bursts.
    ends : array of int, optional [1]
        For each draw of the book the end of the load's first axis that it has.

    Returns
    -------
    tuple of Line
        [USD] in each year; draws along the first axis. What is idle in whole instances is a line
        of its own.

    Source: parts of a cloud bill; idle GPUs of whole instances are left out by most comparisons.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.cost import offer_price
    >>> c = load_catalogue()
    >>> one = next(o for o in c.cloud_offers if o.id == "aws/us-east-1/p5.48xlarge/on-demand")
    >>> week = np.ones((1, 168))
    >>> load = RentedLoad(week, np.ones(1), 8760, 168, False, 0.0, 0.0, np.zeros(1), 0.0)
    >>> price = offer_price(one)
    >>> book = PriceBook({**c.prices, price.id: price}, draws=0)
    >>> lines = rented_lines(load, instance_hours(load, one.gpus, "on-demand"), book, one)
    >>> [round(float(line.usd[0, 0])) for line in lines if line.part == "instances"]
    [60269, 421882]
    """
    picked = InstanceHours(
        *(_pick(one, ends) for one in (hours.committed, hours.on_demand, hours.used_gpu_hours))
    )
    burst = f"cloud/{offer.id}"
    floor = f"cloud/{committed.id}" if committed else burst
    paid = picked.committed * book[floor] + picked.on_demand * book[burst]
    available = picked.instances * offer.gpus
    share = picked.used_gpu_hours / np.where(available > 0, available, 1.0)
    prices = (burst,) if floor == burst else (burst, floor)
    return (
        _line(load, book, "used", "GPUs in use", "instances", paid * share, *prices),
        _line(load, book, "idle", "GPUs paid and idle", "instances", paid * (1 - share), *prices),
        *_beside(load, book, offer.provider, paid, picked, prices),
    )


def _pick(values: np.ndarray, ends: np.ndarray | None) -> np.ndarray:
    return values if ends is None else values[ends]


def _line(
    load: RentedLoad, book: PriceBook, name: str, label: str, part: str, usd: Array, *prices: str
) -> Line:
    basis = weakest(load.basis, book.basis(*prices))
    return Line(name, label, part, np.asarray(usd, dtype=float), "monthly", prices, basis)


def _beside(
    load: RentedLoad,
    book: PriceBook,
    provider: str,
    paid: np.ndarray,
    hours: InstanceHours,
    prices: tuple[str, ...],
) -> tuple[Line, ...]:
    """Storage, egress, support and people; nobody is needed where nothing runs."""
    storage = _of_provider(book, "cloud/storage", provider)
    egress = _of_provider(book, "cloud/egress", provider)
    support, people = "cloud/support-fraction", "staff/fte"
    runs = (hours.instances > 0).astype(float)
    kept = 12.0 * load.storage_tb * TB / GB * runs
    return (
        _line(load, book, "storage", "Storage", "storage", kept * book[storage], storage),
        _line(
            load,
            book,
            "egress",
            "Data sent out",
            "egress",
            load.egress_bytes / GB * book[egress],
            egress,
        ),
        _line(
            load,
            book,
            "support",
            "Cloud support",
            "support",
            paid * book[support],
            *prices,
            support,
        ),
        _line(
            load,
            book,
            "staff",
            "People who run it",
            "people",
            load.staff_fte * runs * book[people],
            people,
        ),
    )


def _of_provider(book: PriceBook, name: str, provider: str) -> str:
    """The provider's own price, or that of the others."""
    own = f"{name}/{provider}"
    return own if own in book.prices else f"{name}/other"
