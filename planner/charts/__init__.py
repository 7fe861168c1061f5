"""Pictures of a plan: plotly figure specifications and what each says in a sentence."""

from planner.charts.captions import captions
from planner.charts.figures import (
    CHARTS,
    fit_map,
    gpus_by_precision,
    memory_by_part,
    quality_by_precision,
)

__all__ = [
    "CHARTS",
    "captions",
    "fit_map",
    "gpus_by_precision",
    "memory_by_part",
    "quality_by_precision",
]
