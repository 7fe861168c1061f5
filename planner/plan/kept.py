"""The last answers about speed: a slider of money, rules or value asks for the same again."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from planner.catalogue import Catalogue
from planner.plan.choice import Choice
from planner.plan.serving import serving_plan
from planner.plan.serving_records import Serving


@dataclass(frozen=True)
class _Question:
    """What the answer about speed depends on, and what it is computed from."""

    parts: tuple[Any, ...]
    choice: Choice = field(compare=False)
    catalogue: Catalogue = field(compare=False)


def kept_serving_plan(choice: Choice, catalogue: Catalogue) -> Serving:
    """As :func:`planner.plan.serving.serving_plan`; the last few answers are kept.

    Parameters
    ----------
    choice : Choice
    catalogue : Catalogue

    Returns
    -------
    Serving

    >>> from planner.catalogue import load_catalogue
    >>> from planner.scenario import Scenario
    >>> c = load_catalogue()
    >>> dearer = Scenario().changed({"finance.discount_fraction": 0.2})
    >>> one, other = (kept_serving_plan(Choice.of(s, c), c) for s in (Scenario(), dearer))
    >>> one is other
    True
    """
    scenario = choice.scenario
    parts = (
        catalogue,
        scenario.workload,
        scenario.deployment,
        scenario.demand,
        scenario.service_level,
        scenario.finance.horizon_years,
    )
    return _answered(_Question(parts, choice, catalogue))


@lru_cache(maxsize=8)
def _answered(question: _Question) -> Serving:
    return serving_plan(question.choice, question.catalogue)
