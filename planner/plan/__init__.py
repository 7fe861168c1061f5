"""The answer: ``evaluate(scenario, catalogue) -> Plan``, and why each number is what it is."""

from planner.plan.evaluate import evaluate
from planner.plan.explain import Explanation, Input, answer_paths, explain
from planner.plan.records import FitPlan, LayoutTable, MemoryPlan, OptionTable, Plan

__all__ = [
    "Explanation",
    "FitPlan",
    "Input",
    "LayoutTable",
    "MemoryPlan",
    "OptionTable",
    "Plan",
    "answer_paths",
    "evaluate",
    "explain",
]
