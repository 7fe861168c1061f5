"""The answer: ``evaluate(scenario, catalogue) -> Plan``, and why each number is what it is."""

from planner.plan.evaluate import evaluate
from planner.plan.explain import Explanation, Input, answer_paths, explain
from planner.plan.inverse import ServedTable, served_by
from planner.plan.records import FitPlan, LayoutTable, MemoryPlan, OptionTable, Plan
from planner.plan.serving_records import DemandPlan, Serving, ServingPlan
from planner.plan.simulation import SimulationCheck, simulation_steps_of

__all__ = [
    "DemandPlan",
    "Explanation",
    "FitPlan",
    "Input",
    "LayoutTable",
    "MemoryPlan",
    "OptionTable",
    "Plan",
    "ServedTable",
    "Serving",
    "ServingPlan",
    "SimulationCheck",
    "answer_paths",
    "evaluate",
    "explain",
    "served_by",
    "simulation_steps_of",
]
