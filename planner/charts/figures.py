"""Pictures of a plan, as plotly figure specifications; pure, without widgets.

Each function takes a :class:`~planner.plan.Plan` and returns a plain dict that
``plotly.graph_objects.Figure(spec)`` accepts, so that a dashboard can send
numbers without building Python figure objects at every slider step. Colours
are told apart in common forms of colour blindness and never carry meaning
alone; text and grid colours are left to the page.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from planner.catalogue import Catalogue
from planner.plan import Plan
from planner.units import GIB, format_gib, plural

WEIGHTS, KV_CACHE, ACTIVATIONS, RESERVE = "#3578bd", "#e08a1e", "#9279b8", "#87939e"
CHOSEN, SPREAD, LIMIT = "#3578bd", "#8796a5", "#d9534a"
PALE = 0.45
"""Opacity of what is not chosen, on light and dark pages alike."""

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
    opacity = [1.0 if count == plan.fit.gpus else PALE for count in table.gpus]
    parts = (
        ("Weights", table.weights_bytes, WEIGHTS),
        ("KV cache", table.kv_cache_bytes, KV_CACHE),
        ("Activations", table.activations_bytes, ACTIVATIONS),
        ("Reserve", table.runtime_reserve_bytes, RESERVE),
    )
    bars: list[Spec] = [
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
    # The verdict stands on top of the stack, so it belongs to the last part.
    bars[-1] |= {
        "text": ["fits" if fits else "does not fit" for fits in table.fits],
        "textposition": "outside",
        "cliponaxis": False,
    }
    memory = plan.gpu.memory_usable_bytes
    share = plan.scenario.deployment.gpu_memory_utilization
    highest = max(float(table.total_bytes.max()), memory) / GIB
    return {
        "data": bars,
        "layout": {
            "barmode": "stack",
            "bargap": 0.35,
            "yaxis": {"title": {"text": "GiB on each GPU"}, "range": [0, round(1.14 * highest, 1)]},
            "xaxis": {"type": "category"},
            "shapes": [_limit(memory, "solid"), _limit(memory * share, "dot")],
            "annotations": [
                _limit_label(f"GPU memory {format_gib(memory)}", memory, "bottom"),
                _limit_label(f"engine's share {share:.0%}", memory * share, "top"),
            ],
            "margin": {"l": 56, "r": 12, "t": 30, "b": 28},
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
    names = [_axis_label(label) for label in plan.options.precision_labels]
    opacity = [1.0 if i == chosen else PALE for i in range(len(row))]
    return {
        "data": [
            {
                "type": "bar",
                "x": names,
                "y": [float(v) if np.isfinite(v) else 0.0 for v in row],
                "text": [count_text(v) for v in row],
                "textposition": "outside",
                "cliponaxis": False,
                "marker": {"color": CHOSEN, "opacity": opacity},
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
            "xaxis": {"type": "category", "tickangle": 0},
            "margin": {"l": 56, "r": 12, "t": 24, "b": 40},
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
                "x": [_axis_label(label) for label in options.precision_labels],
                "y": list(options.gpu_labels),
                "z": [[_none(v) for v in line] for line in colour],
                "text": [[count_text(v) for v in line] for line in counts],
                "texttemplate": "%{text}",
                "customdata": [
                    [[gpu, precision] for precision in options.precision_ids]
                    for gpu in options.gpu_ids
                ],
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
            "xaxis": {"type": "category", "side": "top", "tickangle": 0},
            "yaxis": {"type": "category", "autorange": "reversed", "automargin": True},
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
            "margin": {"l": 120, "r": 8, "t": 40, "b": 8},
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
    names, medians, above, below, notes, opacity = _recoveries(plan, catalogue)
    lowest = min((m - b for m, b in zip(medians, below, strict=True)), default=95.0)
    highest = max((m + a for m, a in zip(medians, above, strict=True)), default=100.0)
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "markers+text",
                "x": medians,
                "y": names,
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "array": above,
                    "arrayminus": below,
                    "thickness": 3,
                    "width": 6,
                    "color": SPREAD,
                },
                "text": [
                    f"{value:.1f} % ({note.split(':')[0]})"
                    for value, note in zip(medians, notes, strict=True)
                ],
                "textposition": "top left",
                "customdata": notes,
                "marker": {"size": 14, "color": CHOSEN, "opacity": opacity},
                "hovertemplate": "%{y}: median %{x:.1f} %<br>%{customdata}<extra></extra>",
                "showlegend": False,
                "cliponaxis": False,
            }
        ],
        "layout": {
            "xaxis": {
                "title": {"text": "score kept, % of the unquantised model's"},
                "range": [min(90.0, lowest - 1.0), max(101.0, highest + 0.5)],
            },
            "yaxis": {"type": "category", "autorange": "reversed", "automargin": True},
            "shapes": [
                {
                    "type": "line",
                    "yref": "paper",
                    "y0": 0,
                    "y1": 1,
                    "x0": 100,
                    "x1": 100,
                    "line": {"color": RESERVE, "width": 1, "dash": "dot"},
                }
            ],
            "margin": {"l": 90, "r": 24, "t": 18, "b": 40},
        },
    }


def _recoveries(plan: Plan, catalogue: Catalogue) -> tuple[list[Any], ...]:
    """Label, median, distance to the high and the low end, note and opacity, by precision."""
    options = plan.options
    rows = []
    for identity, label in zip(options.precision_ids, options.precision_labels, strict=True):
        recovery = catalogue.recoveries.get(identity)
        if recovery is None:
            continue
        rows.append(
            (
                label,
                100 * recovery.median,
                100 * (recovery.high - recovery.median),
                100 * (recovery.median - recovery.low),
                f"{plural(recovery.rows, 'comparison')}: {'; '.join(recovery.sources[:2])}",
                1.0 if identity == plan.weight_precision.id else PALE,
            )
        )
    return tuple(list(column) for column in zip(*rows, strict=True)) or ([],) * 6


def _limit(value_bytes: float, dash: str) -> Spec:
    """A line across the whole picture."""
    height = float(value_bytes / GIB)
    return {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": height,
        "y1": height,
        "line": {"color": LIMIT, "width": 2, "dash": dash},
    }


def _limit_label(text: str, value_bytes: float, anchor: str) -> Spec:
    """Words at the right end of a line, above or below it."""
    return {
        "xref": "paper",
        "x": 1,
        "xanchor": "right",
        "y": float(value_bytes / GIB),
        "yanchor": anchor,
        "text": text,
        "showarrow": False,
    }


def _axis_label(label: str) -> str:
    """A name on two lines, so that it stands upright under its bar."""
    return label.replace(" ", "<br>")


def _gib(values: np.ndarray) -> list[float]:
    return [round(float(v / GIB), 4) for v in values]


def count_text(value: float) -> str:
    """A GPU count as the pictures write it; a dash where there is none.

    Parameters
    ----------
    value : float [gpu]
        Infinite where nothing fits, not-a-number where the GPU cannot compute the format.

    Returns
    -------
    str

    >>> count_text(16.0), count_text(float("inf"))
    ('16', '–')
    """
    return f"{int(value):,}" if np.isfinite(value) else "–"


def _none(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 3)
