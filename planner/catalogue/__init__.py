"""What exists in the world: models, accelerators, formats and words, each with its source."""

from planner.catalogue.architecture import architecture_from_config, architecture_from_text
from planner.catalogue.catalogue import Catalogue, find_data, load_catalogue
from planner.catalogue.compatibility import computes
from planner.catalogue.efficiencies import KINDS, QUANTITIES, Correction, Efficiencies, Score
from planner.catalogue.engines import ServingEngine
from planner.catalogue.generic import generic_architecture
from planner.catalogue.records import (
    Accelerator,
    Architecture,
    Basis,
    Engine,
    Precision,
    QualityRow,
    Source,
    StateGroup,
    Term,
    weakest,
)
from planner.catalogue.stacking import stack, take
from planner.catalogue.traces import Trace, WeekShape, load_trace, trace_ids, week_shapes

__all__ = [
    "Accelerator",
    "Architecture",
    "Basis",
    "Correction",
    "Efficiencies",
    "KINDS",
    "QUANTITIES",
    "Score",
    "ServingEngine",
    "Catalogue",
    "Engine",
    "Precision",
    "QualityRow",
    "Source",
    "StateGroup",
    "Term",
    "Trace",
    "WeekShape",
    "architecture_from_config",
    "architecture_from_text",
    "computes",
    "find_data",
    "generic_architecture",
    "load_catalogue",
    "load_trace",
    "stack",
    "take",
    "trace_ids",
    "weakest",
    "week_shapes",
]
