"""One way to run a scenario, and what all ways share."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from planner.catalogue import ApiPrice, Basis, Catalogue, CloudOffer, find_venue
from planner.cost import (
    InstanceHours,
    Line,
    PriceBook,
    RentedLoad,
    band,
    by_timing,
    monitoring_lines,
    monthly_usd,
    present_usd,
    total_usd,
)
from planner.governance import Gate, gates
from planner.plan.choice import Choice
from planner.plan.power import Installation
from planner.plan.serving_records import Serving

LOG_BYTES_PER_TOKEN = 5.0
"""A token is some four characters, and the record around it takes its share [byte]; assumed."""


@dataclass(frozen=True)
class Setting:
    """What every way to run it shares."""

    choice: Choice
    catalogue: Catalogue
    serving: Serving
    here: Installation | None
    """Of owned hosts; None when no number of GPUs serves."""
    reason: str
    """Why there is none."""
    book: PriceBook
    ends: np.ndarray
    """For each draw, the end of the speed's range that it has."""
    requests: np.ndarray
    """Of each year [request]."""
    log_months: float
    """For which rules ask logs to be kept [month]."""

    judged: dict[tuple, tuple[Gate, ...]] = field(default_factory=dict, repr=False, compare=False)
    """Places whose rules were looked at: many offers share one."""
    hardware: dict[str, tuple[Line, ...]] = field(default_factory=dict, repr=False, compare=False)
    """What owning costs wherever the hosts stand."""
    hours: dict[tuple, InstanceHours] = field(default_factory=dict, repr=False, compare=False)
    """Instance-hours by size and scheme."""

    @cached_property
    def load(self) -> RentedLoad:
        """What must run where it is rented."""
        return _load(self)

    @cached_property
    def monitoring(self) -> tuple[Line, ...]:
        """The same wherever it runs."""
        return _monitoring(self)

    @property
    def years(self) -> int:
        """The horizon [year]."""
        return len(self.requests)

    @property
    def tokens_per_request(self) -> float:
        """Read and written [token]."""
        demand = self.serving.demand
        return demand.prompt_tokens + demand.answer_tokens

    @property
    def weeks_per_year(self) -> float:
        """Weeks with service [1]."""
        hours = self.serving.supply.hours_per_week
        return self.serving.demand.hours_per_year / hours if hours else 0.0


@dataclass(frozen=True, slots=True)
class Venue:
    """One way to run it."""

    id: str
    kind: str
    """``own``, ``rent`` or ``call``."""
    label: str
    detail: str
    """What it is made of: hosts, instances or a model's name."""
    provider: str
    lines: tuple[Line, ...] = ()
    gates: tuple[Gate, ...] = ()
    reason: str = ""
    """Why it cannot be done at all; empty when it can."""
    offer: CloudOffer | None = None
    api: ApiPrice | None = None
    country: str = ""
    kwh_per_year: float = math.nan
    """At the meter in the first year [kWh]; not-a-number where nobody publishes it."""
    carbon_kg_per_year: float = math.nan
    """In the first year [kg]; likewise, and where the region's country is not stated."""
    cache: dict = field(default_factory=dict, repr=False, compare=False)

    @property
    def possible(self) -> bool:
        """Whether it can be done at all."""
        return not self.reason

    @property
    def allowed(self) -> bool:
        """Whether it can be done and policy lets it."""
        return self.possible and all(gate.passed for gate in self.gates)

    @property
    def total_usd(self) -> np.ndarray:
        """Over the horizon: as priced first, then by draw."""
        return self._kept("total", lambda: np.atleast_1d(total_usd(self._sums)))

    def months_usd(self, years: int) -> np.ndarray:
        """Paid now and at each month's end, draws along the first axis.

        Parameters
        ----------
        years : int

        Returns
        -------
        array
        """
        return self._kept("months", lambda: np.atleast_2d(monthly_usd(self._sums, years)))

    def present_usd(self, rate: float, years: int) -> np.ndarray:
        """In today's money: as priced first, then by draw.

        Parameters
        ----------
        rate : float
        years : int

        Returns
        -------
        array
        """
        return self._kept("present", lambda: np.atleast_1d(present_usd(self._sums, rate, years)))

    def to_dict(self) -> dict[str, Any]:
        """The way as plain data, for JSON.

        Returns
        -------
        dict
        """
        priced = bool(self.lines)
        low, value, high = band(self.total_usd) if priced else (None, None, None)
        return {
            "id": self.id,
            "kind": self.kind,
            "label": self.label,
            "detail": self.detail,
            "provider": self.provider,
            "country": self.country,
            "kwh_per_year": self.kwh_per_year if math.isfinite(self.kwh_per_year) else None,
            "carbon_kg_per_year": (
                self.carbon_kg_per_year if math.isfinite(self.carbon_kg_per_year) else None
            ),
            "allowed": self.allowed,
            "reason": self.reason or None,
            "total_usd": value,
            "total_low_usd": low,
            "total_high_usd": high,
            "lines": [
                {
                    "id": line.id,
                    "label": line.label,
                    "part": line.part,
                    "usd_by_year": line.usd[0].tolist(),
                    "paid": line.timing,
                    "prices": list(line.prices),
                    "basis": line.basis.words,
                }
                for line in self.lines
            ],
            "policy": [
                {"flag": gate.flag, "passed": gate.passed, "reason": gate.reason}
                for gate in self.gates
            ],
        }

    @property
    def _sums(self) -> tuple[Line, ...]:
        return self._kept("sums", lambda: by_timing(self.lines))

    def _kept(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self.cache:
            self.cache[name] = make()
        return self.cache[name]


def gates_of(
    setting: Setting, kind: str, provider: str, country: str, months: float
) -> tuple[Gate, ...]:
    """The rules of the scenario's policy for one place to run.

    Parameters
    ----------
    setting : Setting
    kind : str
        ``own``, ``colocation``, ``cloud`` or ``api``.
    provider : str
        As price lists spell it.
    country : str
        Of the region, alpha-2; empty when it is not stated.
    months : float
        Length of the contract.

    Returns
    -------
    tuple of Gate
    """
    place = (kind, provider, country, months)
    if place not in setting.judged:
        catalogue, scenario = setting.catalogue, setting.choice.scenario
        setting.judged[place] = gates(
            scenario.policy,
            find_venue(catalogue.venue_facts, provider, kind),
            catalogue.policy_rules,
            country=country,
            commitment_months=months,
            users_country=scenario.site.country[:2].upper(),
        )
    return setting.judged[place]


def without(venue: Venue, reason: str) -> Venue:
    """The same way, which cannot be gone.

    Parameters
    ----------
    venue : Venue
    reason : str

    Returns
    -------
    Venue
    """
    return replace(venue, lines=(), reason=reason or "It cannot be done.", cache={})


def _monitoring(setting: Setting) -> tuple[Line, ...]:
    size = setting.tokens_per_request * LOG_BYTES_PER_TOKEN
    return monitoring_lines(setting.requests, size, setting.log_months, setting.book)


def _load(setting: Setting) -> RentedLoad:
    """GPUs of each hour: the busiest hour's replicas by the hour's share, in whole replicas."""
    scenario, supply = setting.choice.scenario, setting.serving.supply
    each = setting.serving.serving.gpus_per_replica
    replicas = supply.gpus[..., None] / each * supply.hour_share
    hourly = np.ceil(replicas - 1e-9) * each
    sent = setting.requests * setting.serving.demand.answer_tokens * LOG_BYTES_PER_TOKEN
    sent = sent + _moved(setting)
    return RentedLoad(
        gpus=np.minimum(hourly, supply.gpus[..., None]),
        peak_gpus=supply.gpus,
        hours_per_year=setting.serving.demand.hours_per_year,
        hours_per_week=supply.hours_per_week,
        follow=scenario.finance.cloud_hours == "follow",
        scale_up_s=scenario.finance.scale_up_s,
        storage_tb=scenario.site.storage_tb,
        egress_bytes=sent,
        staff_fte=scenario.finance.cloud_staff_fte,
    )


def _moved(setting: Setting) -> np.ndarray:
    """Data that policy says sits elsewhere: sent out once, in the last year."""
    moved = np.zeros(setting.years)
    if setting.years:
        moved[-1] = setting.choice.scenario.policy.data_gravity_bytes
    return moved


def basis_of(venue: Venue) -> Basis:
    """The weakest basis of a way's lines.

    Parameters
    ----------
    venue : Venue

    Returns
    -------
    Basis
    """
    return max((line.basis for line in venue.lines), default=Basis.ASSUMED)
