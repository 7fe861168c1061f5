"""The question: a frozen, closed document that both teams fill in."""

from planner.scenario.demand import DemandSection
from planner.scenario.document import FIELDS, FILE_LIMIT_BYTES, SECTIONS, Scenario
from planner.scenario.examples import EXAMPLES, load_example
from planner.scenario.fields import Deployment, Scalar, Variant, Workload
from planner.scenario.portfolio_hosts import HostGroup
from planner.scenario.portfolio_rows import FleetWorkload
from planner.scenario.reading import one_line
from planner.scenario.schema import field_schema, row_schema
from planner.scenario.service_level import ServiceLevelSection

__all__ = [
    "EXAMPLES",
    "FIELDS",
    "FILE_LIMIT_BYTES",
    "SECTIONS",
    "DemandSection",
    "Deployment",
    "FleetWorkload",
    "HostGroup",
    "Scalar",
    "Scenario",
    "ServiceLevelSection",
    "Variant",
    "Workload",
    "field_schema",
    "load_example",
    "one_line",
    "row_schema",
]
