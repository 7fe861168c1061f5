"""Pictures of a plan, as plotly figure specifications; pure, without widgets.

Each function takes a :class:`~planner.plan.Plan` and returns a plain dict that
``plotly.graph_objects.Figure(spec)`` accepts, so that a dashboard can send
numbers without building Python figure objects at every slider step. Colours
are told apart in common forms of colour blindness and never carry meaning
alone; text and grid colours are left to the page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from planner.catalogue import Catalogue
from planner.plan import Plan
from planner.units import GIB, format_gib, format_number, plural

WEIGHTS, KV_CACHE, ACTIVATIONS, RESERVE = "#2f6fb7", "#e08214", "#8073ac", "#7f8c8d"
CHOSEN, OTHER, LIMIT = "#2f6fb7", "#9db7d5", "#c0392b"
COUNT_SCALE = [[0.0, "#d7ecd9"], [0.25, "#b5d5e8"], [0.6, "#5d93c4"], [1.0, "#27466f"]]
"""One GPU is light, many are dark: dark cells cost more."""

Spec = dict[str, Any]


def memory_by_part(plan: Plan, catalogue: Catalogue) -> Spec:
    """Memory on each GPU, stacked by part, when the plan spreads over 1, 2, 4, ... GPUs.

    The GPU's memory and the engine's share of it are lines; the chosen count
    is solid, the others pale.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        Plotly figure; heights in GiB.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> [t["name"] for t in memory_by_part(evaluate(Scenario(), c), c)["data"]][:2]
    ['Weights', 'KV cache']
    """
    table = plan.layouts
    names = [plural(int(count), "GPU") for count in table.gpus]
    opacity = [1.0 if count == plan.fit.gpus else 0.45 for count in table.gpus]
    parts = (
        ("Weights", table.weights_bytes, WEIGHTS),
        ("KV cache", table.kv_cache_bytes, KV_CACHE),
        ("Activations", table.activations_bytes, ACTIVATIONS),
        ("Runtime reserve", table.runtime_reserve_bytes, RESERVE),
    )
    bars = [
        {
            "type": "bar",
            "name": name,
            "x": names,
            "y": _gib(values),
            "marker": {"color": colour, "opacity": opacity},
            "hovertemplate": f"{name}: %{{y:.3~g}} GiB on each GPU<extra>%{{x}}</extra>",
        }
        for name, values, colour in parts
    ]
    memory = plan.gpu.memory_usable_bytes
    share = plan.scenario.deployment.gpu_memory_utilization
    bars.append(_line("GPU memory", names, memory, "solid"))
    bars.append(_line(f"engine's share, {share:.0%}", names, memory * share, "dot"))
    verdicts = [
        {
            "x": name,
            "y": float(total / GIB),
            "text": "fits" if fits else "does not fit",
            "showarrow": False,
            "yshift": 10,
        }
        for name, total, fits in zip(names, table.total_bytes, table.fits, strict=True)
    ]
    return {
        "data": bars,
        "layout": {
            "barmode": "stack",
            "bargap": 0.35,
            "yaxis": {"title": {"text": "GiB on each GPU"}, "rangemode": "tozero"},
            "xaxis": {"type": "category"},
            "legend": {
                "orientation": "h",
                "y": 1.02,
                "yanchor": "bottom",
                "x": 0,
                "traceorder": "normal",
            },
            "annotations": [
                *verdicts,
                _line_label(f"GPU memory {format_gib(memory)}", memory, "bottom"),
                _line_label(f"engine's share {share:.0%}", memory * share, "top"),
            ],
            "margin": {"l": 56, "r": 12, "t": 34, "b": 30},
        },
    }


def gpus_by_precision(plan: Plan, catalogue: Catalogue) -> Spec:
    """GPUs needed at each weight precision on the chosen GPU: four become two and one.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        Plotly figure; heights in GPUs.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> gpus_by_precision(evaluate(Scenario(), c), c)["data"][0]["type"]
    'bar'
    """
    row = plan.options.gpus[plan.options.gpu_ids.index(plan.gpu.id)]
    chosen = plan.options.precision_ids.index(plan.weight_precision.id)
    names = list(plan.options.precision_labels)
    colours = [CHOSEN if i == chosen else OTHER for i in range(len(row))]
    return {
        "data": [
            {
                "type": "bar",
                "x": names,
                "y": [float(v) if np.isfinite(v) else 0.0 for v in row],
                "text": [_count(v) for v in row],
                "textposition": "outside",
                "cliponaxis": False,
                "marker": {"color": colours},
                "hovertemplate": "%{x}: %{text} GPU(s)<extra></extra>",
                "showlegend": False,
            }
        ],
        "layout": {
            "bargap": 0.35,
            "yaxis": {
                "title": {"text": f"GPUs ({plan.gpu.name})"},
                "rangemode": "tozero",
                "tickformat": ",d",
                "nticks": 6,
            },
            "xaxis": {"type": "category"},
            "margin": {"l": 56, "r": 12, "t": 24, "b": 30},
        },
    }


def fit_map(plan: Plan, catalogue: Catalogue) -> Spec:
    """The smallest GPU count for each GPU and precision, with the chosen cell framed.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        Plotly figure; colour is the logarithm of the count.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> len(fit_map(evaluate(Scenario(), c), c)["data"])
    1
    """
    options = plan.options
    counts = options.gpus
    row = options.gpu_ids.index(plan.gpu.id)
    column = options.precision_ids.index(plan.weight_precision.id)
    colour = np.log2(np.clip(np.where(np.isfinite(counts), counts, np.nan), 1, 64))
    return {
        "data": [
            {
                "type": "heatmap",
                "x": list(options.precision_labels),
                "y": list(options.gpu_names),
                "z": [[_none(v) for v in line] for line in colour],
                "text": [[_count(v) for v in line] for line in counts],
                "texttemplate": "%{text}",
                "colorscale": COUNT_SCALE,
                "zmin": 0,
                "zmax": 6,
                "showscale": False,
                "xgap": 2,
                "ygap": 2,
                "hovertemplate": "%{y}, %{x}: %{text} GPU(s)<extra></extra>",
                "hoverongaps": True,
            }
        ],
        "layout": {
            "xaxis": {"type": "category", "side": "top", "fixedrange": True},
            "yaxis": {"type": "category", "autorange": "reversed", "fixedrange": True},
            "shapes": [
                {
                    "type": "rect",
                    "x0": column - 0.5,
                    "x1": column + 0.5,
                    "y0": row - 0.5,
                    "y1": row + 0.5,
                    "line": {"color": LIMIT, "width": 3},
                }
            ],
            "margin": {"l": 130, "r": 12, "t": 44, "b": 12},
        },
    }


def quality_by_precision(plan: Plan, catalogue: Catalogue) -> Spec:
    """What each weight precision keeps of the baseline's score in published comparisons.

    A dot is the median, a bar the middle 80 % of the comparisons; formats
    without published comparisons are named and left empty.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        Plotly figure; recovery in percent.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> "layout" in quality_by_precision(evaluate(Scenario(), c), c)
    True
    """
    names, medians, above, below, notes, colours = [], [], [], [], [], []
    for identity, name in zip(
        plan.options.precision_ids, plan.options.precision_labels, strict=True
    ):
        recovery = catalogue.recoveries.get(identity)
        if recovery is None:
            continue
        names.append(name)
        medians.append(100 * recovery.median)
        above.append(100 * (recovery.high - recovery.median))
        below.append(100 * (recovery.median - recovery.low))
        notes.append(f"{plural(recovery.rows, 'comparison')}: {'; '.join(recovery.sources[:2])}")
        colours.append(CHOSEN if identity == plan.weight_precision.id else OTHER)
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "markers+text",
                "x": names,
                "y": medians,
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": above,
                    "arrayminus": below,
                    "thickness": 2,
                    "color": OTHER,
                },
                "text": [f"{value:.1f} %" for value in medians],
                "textposition": "middle right",
                "customdata": notes,
                "marker": {"size": 12, "color": colours},
                "hovertemplate": "%{x}: median %{y:.1f} %<br>%{customdata}<extra></extra>",
                "showlegend": False,
                "cliponaxis": False,
            }
        ],
        "layout": {
            "yaxis": {"title": {"text": "Score kept, %"}, "ticksuffix": ""},
            "xaxis": {"type": "category"},
            "margin": {"l": 56, "r": 40, "t": 24, "b": 48},
        },
    }


CHARTS: dict[str, Callable[[Plan, Catalogue], Spec]] = {
    "memory": memory_by_part,
    "precisions": gpus_by_precision,
    "map": fit_map,
    "quality": quality_by_precision,
}
"""Every chart of the first dashboard, by the name that the page uses."""


def captions(plan: Plan, catalogue: Catalogue) -> dict[str, str]:
    """What each chart says, in a sentence, for those who do not see it.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        Chart name to sentence.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> sorted(captions(evaluate(Scenario(), c), c))
    ['map', 'memory', 'precisions', 'quality']
    """
    memory, fit = plan.memory, plan.fit
    row = plan.options.gpus[plan.options.gpu_ids.index(plan.gpu.id)]
    by_precision = ", ".join(
        f"{name} {_count(count)}"
        for name, count in zip(plan.options.precision_labels, row, strict=True)
        if not np.isnan(count)
    )
    finite = plan.options.gpus[np.isfinite(plan.options.gpus)]
    recovery = catalogue.recoveries.get(plan.weight_precision.id)
    return {
        "memory": (
            f"On {plural(fit.gpus, 'GPU')} each holds {format_gib(memory.weights_bytes)} of "
            f"weights, {format_gib(memory.kv_cache_bytes)} of KV cache and "
            f"{format_gib(memory.activations_bytes + memory.runtime_reserve_bytes)} of "
            f"activations and reserve, of {format_gib(plan.gpu.memory_usable_bytes)}."
        ),
        "precisions": f"GPUs of {plan.gpu.name} needed: {by_precision}.",
        "map": (
            f"Counts run from {format_number(float(finite.min()))} to "
            f"{format_number(float(finite.max()))} GPUs; a dash means that it does not fit or "
            "that the GPU cannot compute the format."
            if finite.size
            else "No combination fits."
        ),
        "quality": (
            f"{plan.weight_precision.name} keeps a median of {100 * recovery.median:.1f} % of "
            f"the score over {plural(recovery.rows, 'published comparison')}; the bar holds the "
            "middle 80 %."
            if recovery
            else f"No published comparison for {plan.weight_precision.name} is in the catalogue."
        ),
    }


def _line(name: str, names: list[str], value_bytes: float, dash: str) -> Spec:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": names,
        "y": [float(value_bytes / GIB)] * len(names),
        "line": {"color": LIMIT, "width": 2, "dash": dash},
        "hovertemplate": f"{name}: %{{y:.3~g}} GiB<extra></extra>",
        "showlegend": False,
    }


def _line_label(text: str, value_bytes: float, anchor: str) -> Spec:
    """Words at the right end of a line, above or below it."""
    return {
        "xref": "paper",
        "x": 1,
        "xanchor": "right",
        "y": float(value_bytes / GIB),
        "yanchor": anchor,
        "text": text,
        "showarrow": False,
        "font": {"color": LIMIT},
    }


def _gib(values: np.ndarray) -> list[float]:
    return [round(float(v / GIB), 4) for v in values]


def _count(value: float) -> str:
    return f"{int(value):,}" if np.isfinite(value) else "–"


def _none(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 3)
