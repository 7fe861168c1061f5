"""The AI planning workbook: how much hardware, of which kind, and why.

>>> from planner import Scenario, evaluate, load_catalogue
>>> evaluate(Scenario(), load_catalogue()).fit.tool
'spade'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from planner.catalogue import Catalogue, load_catalogue
    from planner.errors import InvalidScenario, MissingData, NoFeasiblePlan, PlannerError
    from planner.plan import Plan, evaluate, explain
    from planner.scenario import Scenario

__all__ = [
    "Catalogue",
    "InvalidScenario",
    "MissingData",
    "NoFeasiblePlan",
    "Plan",
    "PlannerError",
    "Scenario",
    "evaluate",
    "explain",
    "load_catalogue",
]
__version__ = "0.1.0"

_HOMES = {
    "Catalogue": "planner.catalogue",
    "InvalidScenario": "planner.errors",
    "MissingData": "planner.errors",
    "NoFeasiblePlan": "planner.errors",
    "Plan": "planner.plan",
    "PlannerError": "planner.errors",
    "Scenario": "planner.scenario",
    "evaluate": "planner.plan",
    "explain": "planner.plan",
    "load_catalogue": "planner.catalogue",
}


def __getattr__(name: str) -> Any:
    # Names are fetched when first used: a server that only starts Voila loads no models.
    if name not in _HOMES:
        raise AttributeError(f"module 'planner' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
