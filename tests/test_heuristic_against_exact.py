"""The plan by rules against the proven best, on two hundred random portfolios."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from statistics import mean
from types import ModuleType

import pytest

from planner.placement import Placement, plan_placement

TESTS = Path(__file__).parent
MEAN_MORE_HOSTS = 0.05
"""Hosts that the plan by rules may use in the mean beyond the proven fewest."""


def load(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).stem, TESTS / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PROVEN = json.loads((TESTS / "portfolios" / "proven.json").read_text(encoding="utf-8"))["rows"]


@pytest.fixture(scope="module")
def plans() -> list[Placement]:
    portfolio = load("portfolios/generator.py").portfolio
    return [plan_placement(*portfolio(row["seed"])) for row in PROVEN]


def test_the_portfolios_are_those_that_were_solved(plans: list[Placement]) -> None:
    for row, plan in zip(PROVEN, plans, strict=True):
        assert row["proven"]
        assert (row["pieces"], row["hosts"]) == (len(plan.pieces), len(plan.fleet.hosts))


def test_plans_break_no_rule(plans: list[Placement]) -> None:
    broken_rules = load("placement_checker.py").broken_rules
    assert {i: words for i, plan in enumerate(plans) if (words := broken_rules(plan))} == {}


def test_plans_assure_no_less_than_can_be_assured(plans: list[Placement]) -> None:
    for row, plan in zip(PROVEN, plans, strict=True):
        assert len(plan.assured) == row["assured"], row["seed"]


def test_plans_place_no_less_than_can_be_placed(plans: list[Placement]) -> None:
    """Where tries leave out a piece that could fill a gap, a high effort places it."""
    portfolio = load("portfolios/generator.py").portfolio
    less = []
    for row, plan in zip(PROVEN, plans, strict=True):
        proven, planned = row["placed"], len(plan.seats)
        assert planned <= proven, f"portfolio {row['seed']}: more than was proven possible"
        if planned < proven:
            less.append(row["seed"])
            assert len(plan_placement(*portfolio(row["seed"]), effort="high").seats) == proven
    assert len(less) <= 0.03 * len(PROVEN), less


def test_plans_use_few_hosts_more_than_needed(plans: list[Placement]) -> None:
    """Where as much is placed, at most a twentieth more in the mean, and never fewer."""
    more = [
        len(plan.hosts_used) / row["hosts_used"] - 1.0
        for row, plan in zip(PROVEN, plans, strict=True)
        if (len(plan.assured), len(plan.seats)) == (row["assured"], row["placed"]) and plan.seats
    ]
    assert len(more) > 0.9 * len(plans)
    assert min(more) >= 0.0
    assert mean(more) <= MEAN_MORE_HOSTS


def test_what_a_plan_calls_proven_is_the_fewest(plans: list[Placement]) -> None:
    for row, plan in zip(PROVEN, plans, strict=True):
        if plan.proven:
            assert len(plan.hosts_used) == row["hosts_used"]
        if len(plan.seats) == len(plan.pieces):
            assert plan.bound_hosts <= row["hosts_used"]
