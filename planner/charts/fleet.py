"""Pictures and tables of several workloads on one fleet, by the names that the pages use."""

from __future__ import annotations

from collections.abc import Callable

from planner.catalogue import Catalogue
from planner.charts.figures import Spec
from planner.charts.fleet_calendar import fleet_calendar_chart, fleet_calendar_words
from planner.charts.fleet_map import fleet_map, fleet_map_words
from planner.charts.fleet_orders import order_chart, order_words
from planner.charts.fleet_policies import before_after, before_after_words
from planner.charts.fleet_rules import fleet_rules
from planner.charts.fleet_tables import fleet_hosts, fleet_workloads
from planner.charts.fleet_tools import tools_picture, tools_picture_words, tools_table
from planner.plan import Plan

FLEET_CHARTS: dict[str, Callable[[Plan, Catalogue], Spec]] = {
    "fleet_map": fleet_map,
    "fleet_tools": tools_picture,
    "fleet_policies": before_after,
    "fleet_calendar": fleet_calendar_chart,
}
FLEET_CAPTIONS: dict[str, Callable[[Plan, Catalogue], str]] = {
    "fleet_map": fleet_map_words,
    "fleet_tools": tools_picture_words,
    "fleet_policies": before_after_words,
    "fleet_calendar": fleet_calendar_words,
}
FLEET_TABLES: dict[str, Callable[[Plan, Catalogue], Spec]] = {
    "fleet-tools": tools_table,
    "fleet-workloads": fleet_workloads,
    "fleet-hosts": fleet_hosts,
    "fleet-rules": fleet_rules,
}

__all__ = ["FLEET_CAPTIONS", "FLEET_CHARTS", "FLEET_TABLES", "order_chart", "order_words"]
