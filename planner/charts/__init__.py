"""Pictures of a plan: plotly figure specifications and what each says in a sentence."""

from collections.abc import Callable

from planner.catalogue import Catalogue
from planner.charts.captions import captions
from planner.charts.cost import COST_CHARTS
from planner.charts.cost_tables import COST_TABLES
from planner.charts.energy import ENERGY_CHARTS
from planner.charts.figures import (
    Spec,
    fit_map,
    gpus_by_precision,
    memory_by_part,
    quality_by_precision,
)
from planner.charts.fleet import FLEET_CHARTS, FLEET_TABLES, order_chart, order_words
from planner.charts.load import growth, week
from planner.charts.policy import POLICY_TABLES
from planner.charts.speed import judged, step_parts, trade_off
from planner.charts.value import VALUE_CHARTS, VALUE_TABLES
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
    **COST_CHARTS,
    **ENERGY_CHARTS,
    **FLEET_CHARTS,
    **VALUE_CHARTS,
}
"""Every chart, by the name that the pages use."""
TABLES: dict[str, Callable[[Plan, Catalogue], Spec]] = {
    **COST_TABLES,
    **FLEET_TABLES,
    **POLICY_TABLES,
    **VALUE_TABLES,
}
"""Every table that follows a plan, by the name that the pages use.

``heads`` are its columns (``text``; ``number`` aligns right, ``few`` leaves a phone out), ``rows``
have an ``id`` and ``cells``: a text, or a dict with ``text`` and, when wanted, ``note`` (a smaller
second line), ``title`` (told on hover and focus), ``tone`` (good, warn or bad); ``look`` greys a
row (``out``) or lifts it (``best``). ``notes`` and ``terms`` stand below, ``caption`` says it all
in a sentence.
"""

__all__ = [
    "CHARTS",
    "TABLES",
    "captions",
    "fit_map",
    "gpus_by_precision",
    "growth",
    "judged",
    "memory_by_part",
    "order_chart",
    "order_words",
    "quality_by_precision",
    "step_parts",
    "trade_off",
    "week",
]
