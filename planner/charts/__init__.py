"""Pictures of a plan: plotly figure specifications and what each says in a sentence."""

from collections.abc import Callable

from planner.catalogue import Catalogue
from planner.charts.captions import captions
from planner.charts.figures import (
    Spec,
    fit_map,
    gpus_by_precision,
    memory_by_part,
    quality_by_precision,
)
from planner.charts.load import growth, week
from planner.charts.speed import judged, step_parts, trade_off
from planner.plan import Plan

CHARTS: dict[str, Callable[[Plan, Catalogue], Spec]] = {
    "memory": memory_by_part,
    "precisions": gpus_by_precision,
    "map": fit_map,
    "quality": quality_by_precision,
    "trade_off": trade_off,
    "step": step_parts,
    "week": week,
    "growth": growth,
}
"""Every chart, by the name that the pages use."""

__all__ = [
    "CHARTS",
    "captions",
    "fit_map",
    "gpus_by_precision",
    "growth",
    "judged",
    "memory_by_part",
    "quality_by_precision",
    "step_parts",
    "trade_off",
    "week",
]
