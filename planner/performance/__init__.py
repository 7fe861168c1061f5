"""How fast one replica runs: bytes and operations over measured efficiencies, with a range.

Every function broadcasts: one slider position and a million candidates are the same code, called
once.
"""

from planner.performance.cases import Cases, Reference
from planner.performance.corrections import ALL, LEVELS, Corrections, Level
from planner.performance.keys import (
    FAMILIES,
    FORMATS,
    RANKS,
    RUNS,
    Keys,
    Vocabulary,
    family,
    rank_index,
)
from planner.performance.layout import Layout, read_layout
from planner.performance.novelty import NOVELTIES, novelty, range_table
from planner.performance.prediction import (
    DeploymentSpeed,
    Prediction,
    deployment_speed,
    predict_cases,
)
from planner.performance.reading import (
    OPTIONAL_COLUMNS,
    REQUIRED_COLUMNS,
    CaseReading,
    read_cases,
)
from planner.performance.speed import (
    COMPUTE_CLASSES,
    GpuSpeed,
    collective_bytes_per_s,
    compute_class,
    gpu_speed,
)
from planner.performance.step import (
    FIRST_TOKEN_GROUPS,
    FIRST_TOKEN_TERMS,
    ReplicaSpeed,
    SpeedModel,
    StepTime,
    first_token_times,
    replica_speed,
)
from planner.performance.terms import GROUPS, TERMS, Replica, decode_work, dense, prompt_work

__all__ = [
    "ALL",
    "COMPUTE_CLASSES",
    "FAMILIES",
    "FIRST_TOKEN_GROUPS",
    "FIRST_TOKEN_TERMS",
    "FORMATS",
    "GROUPS",
    "LEVELS",
    "NOVELTIES",
    "OPTIONAL_COLUMNS",
    "RANKS",
    "REQUIRED_COLUMNS",
    "RUNS",
    "TERMS",
    "CaseReading",
    "Cases",
    "Corrections",
    "DeploymentSpeed",
    "GpuSpeed",
    "Keys",
    "Layout",
    "Level",
    "Prediction",
    "Reference",
    "Replica",
    "ReplicaSpeed",
    "SpeedModel",
    "StepTime",
    "Vocabulary",
    "collective_bytes_per_s",
    "compute_class",
    "decode_work",
    "dense",
    "deployment_speed",
    "family",
    "first_token_times",
    "gpu_speed",
    "novelty",
    "predict_cases",
    "prompt_work",
    "range_table",
    "rank_index",
    "read_cases",
    "read_layout",
    "replica_speed",
]
