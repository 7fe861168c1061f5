"""What exists in the world: models, accelerators, formats and words, each with its source."""

from planner.catalogue.architecture import architecture_from_config, architecture_from_text
from planner.catalogue.carvings import CarvingFacts, HypervisorLimit
from planner.catalogue.catalogue import Catalogue, find_data, load_catalogue
from planner.catalogue.compatibility import computes
from planner.catalogue.efficiencies import KINDS, QUANTITIES, Correction, Efficiencies, Score
from planner.catalogue.energy_efficiencies import ENERGY_QUANTITIES, EnergyEfficiencies
from planner.catalogue.engines import ServingEngine
from planner.catalogue.generic import generic_architecture
from planner.catalogue.offers import TIERS, CloudOffer
from planner.catalogue.prices import ApiPrice, Price, age_days, oldest
from planner.catalogue.published_costs import PublishedCost, load_published_costs
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
from planner.catalogue.sites import Grid, HostKind, PueRow, find_grid, host_kind_for
from planner.catalogue.slices import SliceProfile
from planner.catalogue.stacking import stack, take
from planner.catalogue.traces import Trace, WeekShape, load_trace, trace_ids, week_shapes
from planner.catalogue.training_efficiencies import (
    TRAINING_KINDS,
    TrainingEfficiencies,
    model_key,
    training_generation,
)
from planner.catalogue.training_memory import (
    FIT_TERMS,
    TrainingFramework,
    TrainingMemoryFacts,
    load_training_settings,
)
from planner.catalogue.venues import (
    VENUE_KINDS,
    PolicyRule,
    PolicyRules,
    VenueFacts,
    find_venue,
)

__all__ = [
    "Accelerator",
    "ApiPrice",
    "Architecture",
    "Basis",
    "CarvingFacts",
    "CloudOffer",
    "Correction",
    "Efficiencies",
    "KINDS",
    "QUANTITIES",
    "Score",
    "ServingEngine",
    "Catalogue",
    "ENERGY_QUANTITIES",
    "EnergyEfficiencies",
    "FIT_TERMS",
    "Engine",
    "Grid",
    "HostKind",
    "HypervisorLimit",
    "PolicyRule",
    "PolicyRules",
    "Precision",
    "Price",
    "PublishedCost",
    "PueRow",
    "QualityRow",
    "SliceProfile",
    "Source",
    "StateGroup",
    "TIERS",
    "Term",
    "Trace",
    "TrainingFramework",
    "TrainingMemoryFacts",
    "TRAINING_KINDS",
    "TrainingEfficiencies",
    "VENUE_KINDS",
    "VenueFacts",
    "WeekShape",
    "age_days",
    "architecture_from_config",
    "architecture_from_text",
    "computes",
    "find_data",
    "find_grid",
    "find_venue",
    "generic_architecture",
    "host_kind_for",
    "load_catalogue",
    "load_published_costs",
    "load_trace",
    "load_training_settings",
    "model_key",
    "oldest",
    "stack",
    "take",
    "trace_ids",
    "training_generation",
    "weakest",
    "week_shapes",
]
