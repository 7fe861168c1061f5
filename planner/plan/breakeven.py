"""Own, rent and call set against each other: where one becomes cheaper than another."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from planner.cost import (
    Line,
    breakeven_hours,
    breakeven_tokens_per_month,
    breakeven_utilisation,
    crossing_months,
    depreciation_schedule,
    guessing_wrong,
    per_unit,
    total_usd,
    whole_instances,
)
from planner.plan.growth import NOMINAL
from planner.plan.setting import Setting, Venue

HOURS_PER_YEAR = 8760.0
MACRS_YEARS = 5
"""Property class of computers [year]."""
POINTS = 0.1
"""How far a guess of utilisation is taken to be off [fraction]."""


@dataclass(frozen=True, slots=True)
class Books:
    """Purchases of each year, and how the books write them off; years along the only axis."""

    bought_usd: np.ndarray
    """At the start of each year [USD]."""
    written_off_usd: np.ndarray
    """In each year, by the scenario's method, down to nothing [USD]."""
    book_value_usd: np.ndarray
    """At the end of each year [USD]."""


@dataclass(frozen=True, slots=True)
class Compared:
    """The cheapest allowed way of each kind, and where they meet; draws along the only axis."""

    best: Venue | None
    own: Venue | None
    rent: Venue | None
    """The cheapest of the clouds."""
    hourly: Venue | None
    """The cheapest cloud that is paid by the hour, for break-even in hours and utilisation."""
    call: Venue | None
    capital_usd: np.ndarray
    """Paid at the start when owning [USD]."""
    own_usd_per_gpu_hour: np.ndarray
    """If every owned GPU-hour were used [USD/gpu/h]."""
    rented_usd_per_gpu_hour: np.ndarray
    """Of the hourly cloud, its other lines included [USD/gpu/h]."""
    call_usd_per_million_tokens: np.ndarray
    """Of the API's mean token [USD/million tokens]."""
    used_gpu_hours: float
    """Over the horizon [h]."""
    utilisation_fraction: float
    """Owned GPU-hours that are used [fraction]."""
    hours: np.ndarray
    months: np.ndarray
    utilisation: np.ndarray
    tokens: np.ndarray
    """Break-even in hours, months, utilisation, and tokens a month."""
    books: Books | None
    """Of the cheapest way to own."""
    guesses: tuple[float, float]
    """Gain and loss of a used GPU-hour when use is ten points above and below the plan."""


def compared(setting: Setting, ways: Iterable[Venue]) -> Compared:
    """The ways to run a scenario set against each other.

    Parameters
    ----------
    setting : Setting
    ways : iterable of Venue

    Returns
    -------
    Compared
        Not-a-number where one side is missing; infinite where they never meet.
    """
    ways = tuple(ways)
    own, rent, call = (_cheapest(setting, ways, kind) for kind in ("own", "rent", "call"))
    hourly = _cheapest(
        setting, [one for one in ways if one.id in ("rent-demand", "rent-market")], "rent"
    )
    best = _cheapest(setting, ways)
    used, owned = _gpu_hours(setting)
    nothing = np.full(len(setting.ends), np.nan)
    at_full = per_unit(own.total_usd, owned) if own else nothing
    rented = _rented_hour(setting, hourly, used) if hourly else nothing
    token = _mean_token(setting, call) if call else nothing
    share = used / float(np.mean(owned[0])) if own and float(np.mean(owned[0])) else math.nan
    both = own is not None and hourly is not None
    gain, loss = (
        guessing_wrong(at_full[0], rented[0], share, POINTS) if both else (math.nan, math.nan)
    )
    capital = _capital(own) if own else nothing
    return Compared(
        best=best,
        own=own,
        rent=rent,
        hourly=hourly,
        call=call,
        capital_usd=capital,
        own_usd_per_gpu_hour=at_full,
        rented_usd_per_gpu_hour=rented,
        call_usd_per_million_tokens=token,
        used_gpu_hours=used,
        utilisation_fraction=share,
        hours=_hours(setting, own, hourly, capital),
        months=_months(setting, own, (rent, call)),
        utilisation=breakeven_utilisation(at_full, rented) if both else nothing,
        tokens=_tokens(setting, own, call, token) if own and call else nothing,
        books=_books(setting, own) if own else None,
        guesses=(float(gain), float(loss)),
    )


def _cheapest(setting: Setting, ways: Iterable[Venue], kind: str = "") -> Venue | None:
    """By today's money; allowed ones only."""
    finance = setting.choice.scenario.finance
    allowed = [one for one in ways if one.allowed and kind in ("", one.kind)]
    return min(
        allowed,
        key=lambda one: float(one.present_usd(finance.discount_fraction, setting.years)[0]),
        default=None,
    )


def _gpu_hours(setting: Setting) -> tuple[float, np.ndarray]:
    """Used and owned over the horizon; owned by draw."""
    unknown = np.full(len(setting.ends), np.nan)
    if not setting.serving.feasible:
        return math.nan, unknown
    supply, each = setting.serving.supply, setting.serving.serving.gpus_per_replica
    replicas = np.ceil(supply.gpus[NOMINAL, :, None] / each * supply.hour_share - 1e-9)
    used = np.minimum(replicas * each, supply.gpus[NOMINAL, :, None]).sum()
    used_hours = float(used) * setting.weeks_per_year
    if setting.here is None:
        return used_hours, unknown
    hosts = setting.here.hosts.sum(axis=-1)[setting.ends]
    per_host = setting.choice.scenario.deployment.gpus_per_host
    return used_hours, hosts * per_host * HOURS_PER_YEAR


def _rented_hour(setting: Setting, hourly: Venue, used: float) -> np.ndarray:
    """All that a used GPU-hour costs when it is rented, but for people, who come either way."""
    return per_unit(total_usd([one for one in hourly.lines if one.part != "people"]), used)


def _mean_token(setting: Setting, call: Venue) -> np.ndarray:
    tokens = float(setting.requests.sum()) * setting.tokens_per_request
    billed = total_usd([one for one in call.lines if one.part == "tokens"])
    return per_unit(billed, tokens / 1e6)


def _capital(own: Venue) -> np.ndarray:
    hardware = [one for one in own.lines if one.timing == "start"]
    return np.atleast_1d(sum(one.usd[..., 0] for one in hardware))


def _books(setting: Setting, own: Venue) -> Books:
    """As priced; MACRS has its own class for computers, whatever their life."""
    finance, years = setting.choice.scenario.finance, setting.years
    bought = sum((line.usd[0] for line in own.lines if line.timing == "start"), np.zeros(years))
    life = MACRS_YEARS if finance.depreciation == "macrs" else finance.life_years
    schedule = depreciation_schedule(bought, life, finance.depreciation)
    written = np.zeros(years)
    for year in range(years):
        rest = schedule[year, : years - year]
        written[year : year + len(rest)] += rest
    return Books(bought, written, np.cumsum(bought - written))


def _running(lines: Iterable[Line]) -> np.ndarray:
    """Yearly lines of the first year, an hour of it."""
    monthly = (one.usd[..., 0] for one in lines if one.timing == "monthly")
    return np.atleast_1d(sum(monthly, np.zeros(1))) / HOURS_PER_YEAR


def _hours(
    setting: Setting, own: Venue | None, hourly: Venue | None, capital: np.ndarray
) -> np.ndarray:
    if own is None or hourly is None or hourly.offer is None:
        return np.full(len(setting.ends), np.nan)
    offer = hourly.offer
    instances = whole_instances(setting.serving.supply.gpus[:, 0], offer.gpus)[setting.ends]
    price = setting.book[f"cloud/{offer.id}"][:, 0] * instances
    return breakeven_hours(capital, _running(own.lines), price)


def _months(setting: Setting, own: Venue | None, others: Iterable[Venue | None]) -> np.ndarray:
    others = [one for one in others if one is not None]
    if own is None or not others:
        return np.full(len(setting.ends), np.nan)
    years = setting.years
    nominal = min(others, key=lambda one: float(one.total_usd[0]))
    return crossing_months(own.months_usd(years), nominal.months_usd(years))


def _tokens(setting: Setting, own: Venue, call: Venue, token: np.ndarray) -> np.ndarray:
    people = total_usd([one for one in call.lines if one.part == "people"])
    months = 12.0 * setting.years
    return breakeven_tokens_per_month(np.maximum(own.total_usd - people, 0.0) / months, token)
