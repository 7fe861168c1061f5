"""The AI planning workbook: how much hardware, of which kind, and why.

>>> from planner import Scenario, evaluate, explain, load_catalogue
>>> plan = evaluate(Scenario(), load_catalogue())
>>> print(plan.fit.tool)
spade
"""

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
