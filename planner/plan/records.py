"""The whole plan: what was chosen, the answers by section, and the tables that pictures need."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from planner.catalogue import Accelerator, Architecture, Basis, Engine, Precision
from planner.errors import MissingData, PlannerError
from planner.plan.cost_records import CostPlan
from planner.plan.energy_records import EnergyPlan
from planner.plan.fleet_records import FleetPlan
from planner.plan.memory_records import FitPlan, MemoryPlan
from planner.plan.money import Money
from planner.plan.portfolio import Portfolio
from planner.plan.serving_records import DemandPlan, Serving, ServingPlan
from planner.plan.value_records import ValuePlan
from planner.scenario import Scenario

MONEY = ("energy", "cost", "value")
"""Sections of the answer about money."""


@dataclass(frozen=True, slots=True)
class LayoutTable:
    """Memory on each GPU when the load is spread over 1, 2, 4, ... GPUs; arrays by count."""

    gpus: np.ndarray
    weights_bytes: np.ndarray
    kv_cache_bytes: np.ndarray
    activations_bytes: np.ndarray
    runtime_reserve_bytes: np.ndarray
    fits: np.ndarray

    @property
    def total_bytes(self) -> np.ndarray:
        """The sum of the parts [byte]."""
        return (
            self.weights_bytes
            + self.kv_cache_bytes
            + self.activations_bytes
            + self.runtime_reserve_bytes
        )


@dataclass(frozen=True, slots=True)
class OptionTable:
    """The smallest GPU count for each GPU and precision."""

    gpu_ids: tuple[str, ...]
    gpu_labels: tuple[str, ...]
    precision_ids: tuple[str, ...]
    precision_labels: tuple[str, ...]
    """Short names for the axis of a picture."""
    gpus: np.ndarray
    """Shape (GPUs, precisions) [gpu]; infinite where nothing fits, not-a-number where the GPU
    cannot compute the format."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One answer to one scenario, with everything the pictures are drawn from."""

    scenario: Scenario
    model: Architecture
    gpu: Accelerator
    engine: Engine
    weight_precision: Precision
    kv_precision: Precision
    computed_as: str
    """``native`` or ``weight only``: how this GPU computes with these weights."""
    memory: MemoryPlan
    fit: FitPlan
    layouts: LayoutTable
    bases: dict[str, Basis] = field(default_factory=dict)
    """Basis of every answer about memory by its dotted path."""
    make_options: Callable[[], OptionTable] | None = field(default=None, repr=False, compare=False)
    """Computes :attr:`options`; kept, as most moves of a slider look at one dashboard."""
    make_speed: Callable[[], Serving] | None = field(default=None, repr=False, compare=False)
    """Computes :attr:`speed`; likewise."""
    make_money: Callable[[], Money] | None = field(default=None, repr=False, compare=False)
    """Computes :attr:`money`; likewise."""
    make_portfolio: Callable[[], Portfolio] | None = field(default=None, repr=False, compare=False)
    """Computes :attr:`portfolio`; likewise."""

    @property
    def options(self) -> OptionTable:
        """The smallest GPU count for each GPU and precision; computed when first asked for."""
        if self.make_options is None:
            raise MissingData("This plan was made without its map; evaluate the scenario again.")
        return self.make_options()

    @property
    def speed(self) -> Serving:
        """How fast, and how many; computed when first asked for.

        Raises :class:`InvalidScenario` when the demand cannot be read.
        """
        if self.make_speed is None:
            raise MissingData("This plan was made without its demand; evaluate the scenario again.")
        return self.make_speed()

    @property
    def demand(self) -> DemandPlan:
        """Who asks for how much, and when."""
        return self.speed.demand

    @property
    def serving(self) -> ServingPlan:
        """How fast one replica answers, and how many it takes."""
        return self.speed.serving

    @property
    def money(self) -> Money:
        """Energy, cost and value of every way to run it; computed when first asked for.

        Raises :class:`InvalidScenario` when the demand or a quote cannot be read.
        """
        if self.make_money is None:
            raise MissingData("This plan was made without its costs; evaluate the scenario again.")
        return self.make_money()

    @property
    def energy(self) -> EnergyPlan:
        """What the owned installation draws."""
        return self.money.energy

    @property
    def cost(self) -> CostPlan:
        """Own, rent or call: totals, break-even, unit costs."""
        return self.money.cost

    @property
    def value(self) -> ValuePlan:
        """What it brings against what it costs."""
        return self.money.value

    @property
    def portfolio(self) -> Portfolio:
        """Every workload sized and placed on the fleet; computed when first asked for.

        Raises :class:`InvalidScenario` or :class:`MissingData` when the hosts cannot be.
        """
        if self.make_portfolio is None:
            raise MissingData("This plan was made without its fleet; evaluate the scenario again.")
        return self.make_portfolio()

    @property
    def fleet(self) -> FleetPlan:
        """What fits on the fleet, what is left over, and what it is used for."""
        return self.portfolio.answers

    def basis(self, path: str) -> Basis:
        """How sure we are of an answer.

        Parameters
        ----------
        path : str
            Dotted path, such as ``fit.gpus`` or ``serving.tpot_s``.

        Returns
        -------
        Basis
        """
        if path in self.bases:
            return self.bases[path]
        if path.startswith("fleet."):
            return self.portfolio.bases[path]
        speed = self.speed.bases
        return speed[path] if path in speed else self.money.bases[path]

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain data, for JSON; what is unlimited or unknown is ``None``.

        Returns
        -------
        dict

        >>> from planner import Scenario, evaluate, load_catalogue
        >>> sorted(evaluate(Scenario(), load_catalogue()).to_dict())[:4]
        ['bases', 'books', 'computed_as', 'cost']
        """
        return {
            "scenario": self.scenario.to_dict(),
            "model": {
                "id": self.model.id,
                "name": self.model.name,
                "parameters": self.model.total_parameters,
                "active_parameters": self.model.active_parameters,
            },
            "gpu": {
                "id": self.gpu.id,
                "name": self.gpu.name,
                "memory_usable_bytes": self.gpu.memory_usable_bytes,
            },
            "engine": self.engine.id,
            "weight_precision": self.weight_precision.id,
            "kv_precision": self.kv_precision.id,
            "computed_as": self.computed_as,
            "memory": {f.name: _plain(getattr(self.memory, f.name)) for f in fields(MemoryPlan)},
            "fit": {f.name: _plain(getattr(self.fit, f.name)) for f in fields(FitPlan)},
            "layouts": {
                f.name: [_plain(v) for v in getattr(self.layouts, f.name).tolist()]
                for f in fields(LayoutTable)
            },
            "options": {
                "gpus": list(self.options.gpu_ids),
                "weight_precisions": list(self.options.precision_ids),
                "smallest_gpu_count": [
                    [_plain(v) for v in row] for row in self.options.gpus.tolist()
                ],
            },
            **self._later_to_dict(),
        }

    def _later_to_dict(self) -> dict[str, Any]:
        """What is computed when asked for, or why there is none: memory is worth having without."""
        bases = dict(self.bases)
        found: dict[str, Any] = dict.fromkeys(("demand", "serving", "energy", "cost", "value"))
        found |= {"venues": [], "books": None, "serving_error": None, "money_error": None}
        found |= self._fleet_to_dict(bases)
        try:
            speed = self.speed
        except PlannerError as error:
            found["serving_error"] = found["money_error"] = str(error)
        else:
            found |= {"demand": _answers(speed.demand), "serving": _answers(speed.serving)}
            found["serving_error"] = speed.reason or None
            bases |= speed.bases
            try:
                money = self.money
            except PlannerError as error:
                found["money_error"] = str(error)
            else:
                found |= {name: _answers(getattr(money, name)) for name in MONEY}
                found["venues"] = [venue.to_dict() for venue in money.venues]
                books = money.books
                found["books"] = (
                    {f.name: getattr(books, f.name).tolist() for f in fields(books)}
                    if books
                    else None
                )
                bases |= money.bases
        return {**found, "bases": {path: basis.words for path, basis in bases.items()}}

    def _fleet_to_dict(self, bases: dict[str, Basis]) -> dict[str, Any]:
        try:
            found = self.portfolio
        except PlannerError as error:
            return {"fleet": None, "workloads": [], "placement": [], "fleet_error": str(error)}
        bases |= found.bases
        return {
            "fleet": _answers(found.answers),
            "workloads": [one.to_dict() for one in found.workloads],
            "placement": found.seats_to_dict(),
            "fleet_error": found.refusal or None,
        }


def _answers(record: Any) -> dict[str, Any]:
    return {f.name: _plain(getattr(record, f.name)) for f in fields(record)}


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
