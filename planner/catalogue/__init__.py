"""What exists in the world: models, accelerators, formats and words, each with its source."""

from planner.catalogue.architecture import architecture_from_config, architecture_from_text
from planner.catalogue.catalogue import Catalogue, find_data, load_catalogue, stack
from planner.catalogue.compatibility import computes
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

__all__ = [
    "Accelerator",
    "Architecture",
    "Basis",
    "Catalogue",
    "Engine",
    "Precision",
    "QualityRow",
    "Source",
    "StateGroup",
    "Term",
    "architecture_from_config",
    "architecture_from_text",
    "computes",
    "find_data",
    "generic_architecture",
    "load_catalogue",
    "stack",
    "weakest",
]
