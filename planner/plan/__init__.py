"""The answer: ``evaluate(scenario, catalogue) -> Plan``, and why each number is what it is."""

from planner.plan.cost_records import CostPlan
from planner.plan.draws import CostDraws, cost_draws
from planner.plan.energy_records import EnergyPlan
from planner.plan.evaluate import evaluate
from planner.plan.explain import Explanation, Input, answer_paths, explain
from planner.plan.fleet_records import FleetPlan, SizedWorkload, Step, Tool
from planner.plan.inverse import ServedTable, served_by
from planner.plan.memory_records import FitPlan, MemoryPlan
from planner.plan.money import Money
from planner.plan.portfolio import Portfolio
from planner.plan.records import LayoutTable, OptionTable, Plan
from planner.plan.serving_records import DemandPlan, Serving, ServingPlan
from planner.plan.setting import Venue
from planner.plan.simulation import SimulationCheck, simulation_steps_of
from planner.plan.value_records import ValuePlan

__all__ = [
    "CostDraws",
    "CostPlan",
    "EnergyPlan",
    "Money",
    "ValuePlan",
    "Venue",
    "DemandPlan",
    "Explanation",
    "FitPlan",
    "FleetPlan",
    "Input",
    "LayoutTable",
    "MemoryPlan",
    "OptionTable",
    "Plan",
    "Portfolio",
    "ServedTable",
    "Serving",
    "ServingPlan",
    "SimulationCheck",
    "SizedWorkload",
    "Step",
    "Tool",
    "answer_paths",
    "cost_draws",
    "evaluate",
    "explain",
    "served_by",
    "simulation_steps_of",
]
