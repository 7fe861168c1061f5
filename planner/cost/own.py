"""What owning costs: hardware, licences, support, power, space, people, spares, what it sells for.

Hardware is bought at the start of the year that needs it, replaced at the end of its life, and sold
at the end of the horizon for what its age leaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from planner.catalogue import Basis, weakest
from planner.cost.capacity import raw_storage_tb
from planner.cost.licences import licensed_cores
from planner.cost.lines import Line
from planner.cost.pricebook import PriceBook

Array = Any

PLATFORMS = {"vcf": "licence/vcf", "vvf": "licence/vvf", "other": "licence/other"}
"""Price of each platform's licence."""


@dataclass(frozen=True, slots=True)
class OwnedFleet:
    """What is owned in each year of the horizon; years along the last axis, draws before it."""

    hosts: np.ndarray
    """Hosts in use, spare ones included [1]; never fewer than the year before."""
    gpus_per_host: float
    """Every host is bought with this many [gpu]."""
    gpu: str
    """Catalogue id of the GPU."""
    host_kind: str
    """``hgx`` or ``pcie``."""
    sockets_per_host: float
    """Processors of a host [1]."""
    cores_per_socket: float
    """Physical cores of a processor [core]."""
    platform: str
    """``plain``, ``vcf``, ``vvf`` or ``other``."""
    gpu_licence: bool
    """Whether every GPU has an NVIDIA AI Enterprise subscription."""
    storage_tb: float
    """Usable storage [TB]."""
    storage_scheme: str
    """As :func:`planner.cost.raw_storage_tb`."""
    facility_kwh: np.ndarray
    """Energy of each year at the meter, cooling included [kWh]."""
    it_kw: np.ndarray
    """Highest IT power, for which space and cooling are rented [kW]."""
    racks: np.ndarray
    """Racks in each year [1]."""
    staff_fte: float | None
    """Full-time people [1]; counted by GPU when None."""
    life_years: int
    """Age at which hardware is replaced [year]."""
    space: str
    """Price of space: ``own-room/space`` or ``colocation/space``."""
    electricity: str
    """Price of electricity."""
    basis: Basis = Basis.DERIVED
    """Of the number of hosts."""


def purchases(owned: np.ndarray, life_years: int) -> np.ndarray:
    """Units bought at the start of each year, to own so many and to replace the worn out.

    .. math:: b_y = n_y - n_{y-1} + b_{y-life}

    Parameters
    ----------
    owned : array [1]
        Units in each year, years along the last axis, never falling.
    life_years : int [year]

    Returns
    -------
    array [1]

    Source: stock and flow of a cohort model.

    >>> purchases(np.array([2.0, 3.0, 3.0, 3.0]), 2).tolist()
    [2.0, 1.0, 2.0, 1.0]
    """
    bought = np.diff(owned, axis=-1, prepend=0.0)
    for year in range(life_years, owned.shape[-1]):
        bought[..., year] += bought[..., year - life_years]
    return bought


def residual_fraction(book: PriceBook, ages: range) -> np.ndarray:
    """What hardware of each age sells for, as a share of its price.

    .. math:: \\rho(age)

    Parameters
    ----------
    book : PriceBook
        With ``residual/year-1`` to ``residual/year-7``.
    ages : range
        Whole years; of an age beyond the table nothing is left.

    Returns
    -------
    array [fraction]
        Shape (draws, ages).

    Source: rows ``residual/...`` of data/prices.csv: one broker's index, weak.

    >>> from planner.catalogue import load_catalogue
    >>> shares = residual_fraction(PriceBook(load_catalogue().prices, draws=0), range(1, 4))[0]
    >>> bool(shares[0] > shares[1] > shares[2] > 0)
    True
    """
    known = [book[f"residual/year-{age}"] if _residual(age) in book.prices else 0.0 for age in ages]
    draws = np.shape(book["residual/year-1"])[0]
    return np.concatenate([np.broadcast_to(one, (draws, 1)) for one in known], axis=-1)


def _residual(age: int) -> str:
    return f"residual/year-{age}"


def own_lines(fleet: OwnedFleet, book: PriceBook) -> tuple[Line, ...]:
    """Every line of owning a fleet, year by year.

    .. math:: TCO = \\sum (hardware + licences + support + power + space + people + spares - resale)

    Parameters
    ----------
    fleet : OwnedFleet
    book : PriceBook

    Returns
    -------
    tuple of Line
        [USD] in each year; draws along the first axis.

    Raises :class:`planner.errors.MissingData` where a price is missing; the sentence asks for a
    quote.

    Source: the parts that Lenovo LP2225 and LP2368, ESG 2025 and Uptime 2025 count or leave out,
    all counted.

    >>> from planner.catalogue import load_catalogue
    >>> years = np.ones(3)
    >>> fleet = OwnedFleet(2 * years, 8, "h100-sxm-80gb", "hgx", 2, 32, "vcf", False, 10.0,
    ...     "vsan-raid5", 60000 * years, 12.0 * years, years, None, 5, "own-room/space",
    ...     "electricity/us")
    >>> prices = load_catalogue().prices
    >>> from dataclasses import replace
    >>> power = replace(prices["licence/vcf"], id="electricity/us", low=0.1, value=0.1, high=0.1)
    >>> book = PriceBook({**prices, "electricity/us": power}, draws=0)
    >>> lines = own_lines(fleet, book)
    >>> float(next(line for line in lines if line.id == "power").usd[0, 0])
    6000.0
    """
    return (*fleet_lines(fleet, book), *place_lines(fleet, book))


def fleet_lines(fleet: OwnedFleet, book: PriceBook) -> tuple[Line, ...]:
    """What owning costs wherever the hosts stand: hardware, licences, support, people, resale.

    .. math:: C = \\sum (hardware + licences + support + people + spares - resale)

    Parameters
    ----------
    fleet : OwnedFleet
    book : PriceBook

    Returns
    -------
    tuple of Line
        [USD] in each year; draws along the first axis.

    Source: as :func:`own_lines`.

    >>> from planner.catalogue import load_catalogue
    >>> one = np.ones(1)
    >>> fleet = OwnedFleet(one, 8, "h100-sxm-80gb", "hgx", 2, 32, "vcf", True, 10.0, "local",
    ...     one, one, one, 0.5, 5, "own-room/space", "electricity/us")
    >>> lines = fleet_lines(fleet, PriceBook(load_catalogue().prices, draws=0))
    >>> [float(line.usd[0, 0]) for line in lines if line.id in ("nvaie", "staff", "platform")]
    [25200.0, 36000.0, 87500.0]
    """
    hosts = np.asarray(fleet.hosts, dtype=float)
    gpus = hosts * fleet.gpus_per_host
    gpu, chassis = f"gpu/{fleet.gpu}", f"host/{fleet.host_kind}"
    bought = purchases(hosts, fleet.life_years)
    price = fleet.gpus_per_host * book[gpu] + book[chassis]
    network = "network/hardware-fraction"
    hardware = (gpu, chassis)

    line = partial(_line, fleet, book)
    lines = [
        line("gpus", "GPUs", "hardware", bought * fleet.gpus_per_host * book[gpu], "start", gpu),
        line("hosts", "Hosts without GPUs", "hardware", bought * book[chassis], "start", chassis),
        line(
            "network",
            "Network and cabling",
            "hardware",
            bought * price * book[network],
            "start",
            *hardware,
            network,
        ),
        *_storage_and_racks(fleet, book, line),
        line(
            "resale",
            "Sold at the end",
            "resale",
            -_resale(bought, price, book, fleet.life_years),
            "end",
            *hardware,
            *(_residual(age) for age in range(1, fleet.life_years + 1)),
        ),
        line(
            "support",
            "Hardware support",
            "support",
            hosts * price * book["support/hardware-fraction"],
            "monthly",
            *hardware,
            "support/hardware-fraction",
        ),
        line(
            "spares",
            "Failed GPUs replaced",
            "support",
            gpus * book[gpu] * book["spares/gpu-failures"],
            "monthly",
            gpu,
            "spares/gpu-failures",
        ),
        *_running(fleet, book, gpus, line),
    ]
    return tuple(lines)


def place_lines(fleet: OwnedFleet, book: PriceBook) -> tuple[Line, ...]:
    """What depends on where the owned hosts stand: electricity and space.

    .. math:: C = E\\, p_{kWh} + 12\\, P\\, p_{kW}

    Parameters
    ----------
    fleet : OwnedFleet
    book : PriceBook

    Returns
    -------
    tuple of Line
        [USD] in each year; draws along the first axis.

    Source: definitions; space and cooling plant are rented by the kilowatt of IT power.

    >>> from planner.catalogue import load_catalogue
    >>> one = np.ones(1)
    >>> fleet = OwnedFleet(one, 8, "h100-sxm-80gb", "hgx", 2, 32, "plain", False, 10.0, "local",
    ...     one, 10.0 * one, one, None, 5, "colocation/space", "colocation/space")
    >>> lines = place_lines(fleet, PriceBook(load_catalogue().prices, draws=0))
    >>> round(float(lines[1].usd[0, 0]), 1)
    23512.8
    """
    power = fleet.facility_kwh * book[fleet.electricity]
    space = 12.0 * fleet.it_kw * book[fleet.space]
    return (
        _line(
            fleet,
            book,
            "power",
            "Electricity, cooling included",
            "power",
            power,
            "monthly",
            fleet.electricity,
        ),
        _line(
            fleet, book, "space", "Space and cooling plant", "space", space, "monthly", fleet.space
        ),
    )


def _line(
    fleet: OwnedFleet,
    book: PriceBook,
    name: str,
    label: str,
    part: str,
    usd: Array,
    when: str,
    *prices: str,
) -> Line:
    basis = weakest(fleet.basis, book.basis(*prices))
    return Line(name, label, part, np.asarray(usd, dtype=float), when, prices, basis)


def _storage_and_racks(fleet: OwnedFleet, book: PriceBook, line: Any) -> list[Line]:
    exists = (np.asarray(fleet.hosts) > 0).astype(float)
    raw = exists * raw_storage_tb(fleet.storage_tb, fleet.storage_scheme)
    flash = purchases(np.maximum.accumulate(raw, axis=-1), fleet.life_years)
    # A rack outlives what stands in it.
    racks = np.diff(np.maximum.accumulate(fleet.racks, axis=-1), axis=-1, prepend=0.0)
    return [
        line(
            "storage", "Storage", "hardware", flash * book["storage/flash"], "start",
            "storage/flash",
        ),
        line("racks", "Racks", "hardware", racks * book["rack/rack"], "start", "rack/rack"),
    ]  # fmt: skip


def _running(fleet: OwnedFleet, book: PriceBook, gpus: np.ndarray, line: Any) -> list[Line]:
    """Licences and people."""
    lines = []
    if fleet.platform != "plain":
        name = PLATFORMS[fleet.platform]
        floor, order = "licence/minimum-cores-per-cpu", "licence/minimum-cores-per-order"
        cores = licensed_cores(
            fleet.hosts,
            fleet.sockets_per_host,
            fleet.cores_per_socket,
            book[floor] if fleet.platform != "other" else 0.0,
            book[order] if fleet.platform != "other" else 0.0,
        )
        rules = (name,) if fleet.platform == "other" else (name, floor, order)
        lines.append(
            line("platform", "Platform licence", "licences", cores * book[name], "monthly", *rules)
        )
    if fleet.gpu_licence:
        name = "licence/nvidia-ai-enterprise"
        lines.append(
            line("nvaie", "NVIDIA AI Enterprise", "licences", gpus * book[name], "monthly", name)
        )
    people, rate, least = "staff/fte", "staff/fte-per-gpu", "staff/fte-minimum"
    counted = fleet.staff_fte is None
    fte = (gpus > 0) * (np.maximum(gpus * book[rate], book[least]) if counted else fleet.staff_fte)
    return [
        *lines,
        line(
            "staff", "People who run it", "people", fte * book[people], "monthly",
            *((people, rate, least) if counted else (people,)),
        ),
    ]  # fmt: skip


def _resale(bought: np.ndarray, price: np.ndarray, book: PriceBook, life: int) -> np.ndarray:
    """What is sold at each year's end: the worn out, and at the last one everything."""
    years = bought.shape[-1]
    shares = residual_fraction(book, range(1, life + 1))
    value = bought * price
    sold = np.zeros(np.broadcast_shapes(value.shape, (*shares.shape[:1], years)))
    for year in range(years):
        end = min(year + life, years)
        sold[..., end - 1] += value[..., year] * shares[..., end - year - 1]
    return sold
