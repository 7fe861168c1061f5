"""Energy, cost and value of a plan: every way to run it, set beside the others."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from functools import cached_property

import numpy as np

from planner.catalogue import Basis, Catalogue, find_grid, weakest
from planner.cost import DRAWS, PriceBook, band, positions
from planner.errors import MissingData, NoFeasiblePlan
from planner.governance import log_months
from planner.plan.breakeven import Books, Compared, compared
from planner.plan.choice import Choice
from planner.plan.cost_records import CostPlan
from planner.plan.energy_answers import energy_answers
from planner.plan.energy_records import EnergyPlan
from planner.plan.growth import HIGH, LOW, NOMINAL
from planner.plan.power import Installation, installation
from planner.plan.price_list import price_book
from planner.plan.serving_records import Serving
from planner.plan.setting import Setting, Venue, basis_of
from planner.plan.value_answers import Worthwhile, worthwhile
from planner.plan.value_records import ValuePlan
from planner.plan.venues import venues

HOURS_PER_YEAR = 8760.0
_TAIL = 0.1
"""Share of the draws that have the speed of either end of its 80 % range."""


@dataclass(frozen=True)
class Money:
    """Everything about energy, cost and value of one plan."""

    setting: Setting = field(repr=False)
    energy: EnergyPlan
    cost: CostPlan
    venues: tuple[Venue, ...]
    """Every way to run it, those that policy rules out included."""
    compared: Compared
    """Unit costs by draw, from which pictures of break-even are drawn."""
    here: Installation | None
    """The owned installation; None when no number of GPUs serves."""
    book: PriceBook
    requests: np.ndarray
    """Of each year [request]."""
    log_months: float
    """For which rules ask logs to be kept [month]."""
    bases: dict[str, Basis]

    @cached_property
    def worthwhile(self) -> Worthwhile | None:
        """The value's months, levers and kill line; None when nothing is allowed. Computed when
        first asked for."""
        best = self.compared.best
        return worthwhile(self.setting, best) if best is not None else None

    @property
    def value(self) -> ValuePlan:
        """What it brings against what it costs."""
        return self.worthwhile.answers if self.worthwhile else _no_value()

    def venue(self, name: str) -> Venue:
        """The way with this id.

        Parameters
        ----------
        name : str

        Returns
        -------
        Venue
        """
        return next(one for one in self.venues if one.id == name)

    @property
    def books(self) -> Books | None:
        """How the purchases of the cheapest way to own are written off; None when none is."""
        return self.compared.books

    @property
    def best(self) -> Venue | None:
        """The cheapest way that is allowed."""
        return self.compared.best


def money(choice: Choice, catalogue: Catalogue, serving: Serving, draws: int = DRAWS) -> Money:
    """Energy, cost and value of a served scenario.

    Parameters
    ----------
    choice : Choice
    catalogue : Catalogue
    serving : Serving
    draws : int
        Of all prices, beside the nominal ones.

    Returns
    -------
    Money

    Raises :class:`InvalidScenario` for a quote of an unknown price, :class:`MissingData` for an
    unknown grid.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.plan import evaluate
    >>> from planner.scenario import Scenario
    >>> c = load_catalogue()
    >>> found = money(Choice.of(Scenario(), c), c, evaluate(Scenario(), c).speed)
    >>> sum(venue.allowed for venue in found.venues) >= 4
    True
    """
    setting = setting_of(choice, catalogue, serving, draws)
    ways = venues(setting)
    beside = compared(setting, ways)
    return Money(
        setting=setting,
        energy=energy_answers(choice, catalogue, serving, setting.here, setting.book),
        cost=_cost_answers(setting, beside),
        venues=ways,
        compared=beside,
        here=setting.here,
        book=setting.book,
        requests=setting.requests,
        log_months=setting.log_months,
        bases=_bases(setting, beside, serving),
    )


def setting_of(
    choice: Choice, catalogue: Catalogue, serving: Serving, draws: int, seed: int = 0
) -> Setting:
    """What every way to run a scenario shares.

    Parameters
    ----------
    choice : Choice
    catalogue : Catalogue
    serving : Serving
    draws, seed : int

    Returns
    -------
    Setting
    """
    scenario = choice.scenario
    find_grid(catalogue.grids, scenario.site.country)
    supply = serving.supply
    weeks = serving.demand.hours_per_year / supply.hours_per_week if supply.hours_per_week else 0.0
    here, reason = None, serving.reason
    if serving.feasible:
        try:
            here = installation(choice, catalogue, serving)
        except (NoFeasiblePlan, MissingData) as error:
            reason = str(error)
    return Setting(
        choice=choice,
        catalogue=catalogue,
        serving=serving,
        here=here,
        reason=reason,
        book=price_book(scenario, catalogue, draws, seed),
        ends=_ends(draws, seed),
        requests=supply.requests_per_week * weeks * supply.demand_times,
        log_months=float(log_months(scenario.policy, catalogue.policy_rules)),
    )


def _ends(draws: int, seed: int) -> np.ndarray:
    """For each draw the end of the speed's range that it has; nominal first."""
    place = positions("speed", draws, seed)
    ends = np.where(place < _TAIL, LOW, np.where(place > 1.0 - _TAIL, HIGH, NOMINAL))
    return np.concatenate([[NOMINAL], ends])


def _cost_answers(setting: Setting, found: Compared) -> CostPlan:
    best = found.best
    totals = {}
    for name, venue in (
        ("cheapest", best), ("own", found.own), ("rent", found.rent), ("call", found.call),
    ):  # fmt: skip
        low, value, high = band(venue.total_usd) if venue else (math.nan,) * 3
        totals |= {f"{name}_usd": value, f"{name}_low_usd": low, f"{name}_high_usd": high}
    hosts = float(setting.here.hosts[NOMINAL, 0]) if setting.here else math.nan
    owned = hosts * setting.choice.scenario.deployment.gpus_per_host
    capital = float(found.capital_usd[0])
    gain, loss = found.guesses
    tokens = float(setting.requests.sum()) * setting.tokens_per_request
    users = setting.serving.demand.active_users
    people = setting.choice.scenario.demand.users if math.isfinite(users) else math.nan
    months = 12.0 * setting.years
    cost = totals["cheapest_usd"]
    return CostPlan(
        cheapest=best.label if best else "Nothing that policy allows",
        **totals,
        hosts=hosts,
        owned_gpus=owned,
        capital_usd=capital,
        depreciation_usd_per_year=(
            float(found.books.written_off_usd[0]) if found.books else math.nan
        ),
        utilisation_fraction=found.utilisation_fraction,
        **_banded("breakeven", "hours", found.hours),
        **_banded("breakeven", "months", found.months),
        **_banded("breakeven_utilisation", "fraction", found.utilisation),
        **_banded("breakeven_tokens", "per_month", found.tokens),
        tokens_per_month=tokens / months,
        gain_usd_per_hour=gain,
        loss_usd_per_hour=loss,
        own_usd_per_gpu_hour=_per(totals["own_usd"], found.used_gpu_hours),
        rent_usd_per_gpu_hour=_per(totals["rent_usd"], found.used_gpu_hours),
        usd_per_million_tokens=_per(cost, tokens / 1e6),
        usd_per_request=_per(cost, float(setting.requests.sum())),
        usd_per_user_month=_per(cost, people * months),
    )


def _banded(name: str, unit: str, values: np.ndarray) -> dict[str, float]:
    low, value, high = band(values)
    return {f"{name}_{unit}": value, f"{name}_low_{unit}": low, f"{name}_high_{unit}": high}


def _per(cost: float, units: float) -> float:
    return cost / units if units > 0 else math.nan


def _no_value() -> ValuePlan:
    words = {"verdict": "Nothing that policy allows"}
    return ValuePlan(**{f.name: words.get(f.name, math.nan) for f in fields(ValuePlan)})


def _bases(setting: Setting, found: Compared, serving: Serving) -> dict[str, Basis]:
    """A total is as weak as its weakest price; the value rests on people's estimates."""
    energy = setting.here.basis if setting.here else Basis.ASSUMED

    of = {
        name: basis_of(way) if way is not None else Basis.ASSUMED
        for name, way in (
            ("cheapest", found.best),
            ("own", found.own),
            ("rent", found.rent),
            ("call", found.call),
        )
    }
    every = weakest(*of.values())
    cost = {f"cost.{f.name}": of.get(f.name.split("_")[0], every) for f in fields(CostPlan)}
    count = weakest(serving.bases["serving.gpus"])
    cost |= {f"cost.{name}": count for name in ("hosts", "owned_gpus", "utilisation_fraction")}
    return {
        **{f"energy.{f.name}": energy for f in fields(EnergyPlan)},
        **cost,
        **{f"value.{f.name}": Basis.ASSUMED for f in fields(ValuePlan)},
    }
