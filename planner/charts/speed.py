"""Pictures of speed: throughput against what each user sees, and where a token's time goes."""

from __future__ import annotations

from typing import Any

import numpy as np

from planner.catalogue import Catalogue
from planner.charts.figures import (
    ACTIVATIONS,
    CHOSEN,
    KV_CACHE,
    LIMIT,
    RESERVE,
    SPREAD,
    WEIGHTS,
    Spec,
)
from planner.plan import Plan
from planner.units import format_number, format_seconds

LINKS, OTHERS, QUEUE = "#1a936f", "#b8578f", "#6cb4e4"
"""Colours of links between GPUs, of other requests and of waiting, beside those of memory."""
BAND = "rgba(53, 120, 189, 0.20)"
BROKEN = "rgba(217, 83, 74, 0.12)"
"""Tint of where the service level is broken."""

TOKEN_PARTS = {
    "weights": ("Read the weights", WEIGHTS),
    "kv": ("Read the KV cache", KV_CACHE),
    "compute": ("Arithmetic", ACTIVATIONS),
    "interconnect": ("Links between GPUs", LINKS),
    "overhead": ("Engine overhead", RESERVE),
    "interference": ("Others' prompts", OTHERS),
}
FIRST_PARTS = {
    "overhead": ("Engine overhead", RESERVE),
    "prefill": ("Read the prompt", ACTIVATIONS),
    "step": ("First step", WEIGHTS),
    "batching": ("Others in the batch", OTHERS),
    "queue": ("Waiting in the queue", QUEUE),
}
"""What people call each part, and its colour."""
LABELS_PX = 128
"""Room for the names of parts, left of their bars."""
FAR = 2.2
"""A limit farther off than so many times the total is named at the edge, so that bars stay long."""


def trade_off(plan: Plan, catalogue: Catalogue) -> Spec:
    """Throughput of one replica against the speed that each user sees, as the batch grows.

    The range of the prediction is shaded, and so is where the time per token breaks the service
    level. The disc is the mean request at the peak, the diamond the one that is judged.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        Plotly figure; both axes in tokens a second.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> trade_off(evaluate(Scenario(), c), c)["layout"]["shapes"][1]["x0"]
    20.0
    """
    table = plan.speed.trade_off
    limit = 1.0 / plan.scenario.service_level.tpot_s
    speed = 1.0 / table.tpot_s
    left = 0.85 * min(limit, float(1.0 / table.tpot_high_s.max()))
    right = 1.05 * max(limit, float(1.0 / table.tpot_low_s.min()))
    top = 1.12 * float(table.tokens_high_per_s.max())
    data = _band_and_curve(plan)
    if plan.speed.feasible:
        data += _operating_points(plan, speed, (left + right) / 2, 0.12 * top)
    return {
        "data": data,
        "layout": {
            "xaxis": {
                "title": {"text": "tokens/s that each user sees"},
                "range": [round(left, 4), round(right, 4)],
            },
            "yaxis": {
                "title": {"text": "tokens/s of one replica"},
                "range": [0, round(top, 2)],
                "nticks": 7,
            },
            "shapes": [
                _tint(left, limit),
                {
                    "type": "line",
                    "yref": "paper",
                    "y0": 0,
                    "y1": 1,
                    "x0": limit,
                    "x1": limit,
                    "line": {"color": LIMIT, "width": 2},
                },
            ],
            "annotations": [_limit_words(plan, limit, left, right)],
            "showlegend": False,
            "hovermode": "closest",
            "margin": {"l": 62, "r": 14, "t": 10, "b": 42},
        },
    }


def step_parts(plan: Plan, catalogue: Catalogue) -> Spec:
    """Where the time goes: of each further token, and of the first one; each on its own scale.

    Every bar begins where the one above it ends, so the last ends at the total.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        Plotly figure; milliseconds or seconds.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> len(step_parts(evaluate(Scenario(), c), c)["data"])
    2
    """
    speed, level = plan.speed, plan.scenario.service_level
    rest = f"Up to {judged(plan)}"
    token = _rows(speed.parts.names, speed.parts.token_s, TOKEN_PARTS, speed.serving.tpot_s, rest)
    first = _rows(
        speed.parts.first_names, speed.parts.first_s, FIRST_PARTS, speed.serving.ttft_s, rest
    )
    upper, lower = (
        _cascade(rows, limit, axis, heading)
        for rows, limit, axis, heading in (
            (token, level.tpot_s, "", "Each further token"),
            (first, level.ttft_s, "2", "First token"),
        )
    )
    rows = (len(token), len(first))
    share = 0.8 * rows[0] / sum(rows)
    heights = ((1.0 - share, 1.0), (0.0, 0.8 - share))
    layout: Spec = {
        "shapes": upper["shapes"] + lower["shapes"],
        "annotations": upper["annotations"] + lower["annotations"],
        "showlegend": False,
        "bargap": 0.25,
        "margin": {"l": LABELS_PX, "r": 16, "t": 24, "b": 28},
    }
    for cascade, suffix, domain in ((upper, "", heights[0]), (lower, "2", heights[1])):
        layout[f"xaxis{suffix}"] = {**cascade["axis"], "anchor": f"y{suffix}"}
        layout[f"yaxis{suffix}"] = {
            "domain": [round(end, 3) for end in domain],
            "anchor": f"x{suffix}",
            "type": "category",
            "autorange": "reversed",
            "showgrid": False,
        }
    return {"data": [upper["trace"], lower["trace"]], "layout": layout}


def judged(plan: Plan) -> str:
    """Whose experience the service level judges, in a few words.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    str

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> judged(evaluate(Scenario(), load_catalogue()))
    '95 of 100'
    """
    share = plan.scenario.service_level.percentile
    return "the mean" if share == "mean" else f"{share} of 100"


def _band_and_curve(plan: Plan) -> list[Spec]:
    """The prediction as a line, and its range as an area from the fast end back to the slow."""
    table = plan.speed.trade_off
    fast, slow = 1.0 / table.tpot_low_s, 1.0 / table.tpot_high_s
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "80 % range",
            "x": _rounded(np.concatenate([fast, slow[::-1]])),
            "y": _rounded(np.concatenate([table.tokens_high_per_s, table.tokens_low_per_s[::-1]])),
            "fill": "toself",
            "fillcolor": BAND,
            "line": {"width": 0},
            "hoverinfo": "skip",
        },
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": "more requests at once",
            "x": _rounded(1.0 / table.tpot_s),
            "y": _rounded(table.tokens_per_s),
            "customdata": [
                [format_number(float(batch)), format_seconds(float(ttft)), format_seconds(tpot)]
                for batch, ttft, tpot in zip(
                    table.batch, table.ttft_s, table.tpot_s.tolist(), strict=True
                )
            ],
            "hovertemplate": "%{customdata[0]} at once: %{x:.3~g} tokens/s for each, "
            "%{y:.3~g} together<br>%{customdata[2]} a token, first token after "
            "%{customdata[1]} without waiting<extra></extra>",
            "line": {"color": CHOSEN, "width": 2},
            "marker": {"color": CHOSEN, "size": 5},
        },
    ]


def _operating_points(plan: Plan, speed: np.ndarray, middle: float, low: float) -> list[Spec]:
    """The mean request and the judged one on the curve; their words keep inside the picture."""
    table, serving = plan.speed.trade_off, plan.serving
    # Along the curve the speed falls; numpy interpolates over what rises.
    mean_x = float(np.interp(serving.batch, table.batch, speed))
    points = [(mean_x, "circle", "bottom", f"mean: {format_number(serving.batch, 2)} at once")]
    if plan.scenario.service_level.percentile != "mean":
        judges = f"{judged(plan)} see more"
        points.append((serving.user_tokens_per_s, "diamond", "top", judges))
    heights = np.interp([point[0] for point in points], speed[::-1], table.tokens_per_s[::-1])
    return [
        {
            "type": "scatter",
            "mode": "markers+text",
            "x": [round(x, 4)],
            "y": [round(y, 3)],
            "text": [f"<b>{words}</b>"],
            "textposition": f"{'middle' if side == 'bottom' and y < low else side} "
            f"{'left' if x > middle else 'right'}",
            "marker": {
                "symbol": symbol,
                "size": 13,
                "color": CHOSEN if symbol == "circle" else KV_CACHE,
                "line": {"width": 2, "color": "#ffffff"},
            },
            "hovertemplate": f"{words}: %{{x:.3~g}} tokens/s<extra></extra>",
            "cliponaxis": False,
        }
        for (x, symbol, side, words), y in zip(points, heights.tolist(), strict=True)
    ]


def _tint(left: float, limit: float) -> Spec:
    return {
        "type": "rect",
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "x0": round(left, 4),
        "x1": limit,
        "fillcolor": BROKEN,
        "line": {"width": 0},
        "layer": "below",
    }


def _limit_words(plan: Plan, limit: float, left: float, right: float) -> Spec:
    """Words beside the limit's line, on the side with more room, above where the curve can be."""
    on_right = limit < (left + right) / 2
    return {
        "yref": "paper",
        "y": 0.99,
        "yanchor": "top",
        "x": limit,
        "xanchor": "left" if on_right else "right",
        "xshift": 4 if on_right else -4,
        "align": "left" if on_right else "right",
        "text": f"limit {format_seconds(plan.scenario.service_level.tpot_s)} a token,<br>"
        f"{format_number(limit)} tokens/s",
        "showarrow": False,
    }


Row = tuple[str, float, str]
"""Label, seconds and colour of one part."""


def _rows(
    names: tuple[str, ...],
    seconds: np.ndarray,
    words: dict[str, tuple[str, str]],
    total_s: float,
    rest: str,
) -> list[Row]:
    """The parts, and what the judged request takes beyond their sum, which is the mean's."""
    rows = [
        (words[name][0], float(value), words[name][1])
        for name, value in zip(names, seconds, strict=True)
    ]
    beyond = total_s - sum(row[1] for row in rows)
    if beyond > 0.005 * total_s:
        rows.append((rest, beyond, SPREAD))
    return rows


def _cascade(rows: list[Row], limit_s: float, axis: str, heading: str) -> dict[str, Any]:
    """One bar below the other, each from where the last one ended."""
    total = sum(row[1] for row in rows)
    scale, unit = (1e3, "ms") if total < 1.0 else (1.0, "s")
    values = np.array([row[1] for row in rows]) * scale
    starts = np.concatenate([[0.0], np.cumsum(values)[:-1]])
    far = limit_s > FAR * total
    end = scale * (1.22 * total if far else 1.12 * max(limit_s, 1.08 * total))
    allowed = f"limit {format_seconds(limit_s)}"
    head = f"<b>{heading}: {format_seconds(total)}</b>, {allowed}{' ▸' if far else ''}"
    line = {
        "type": "line",
        "xref": f"x{axis}",
        "yref": f"y{axis} domain",
        "x0": round(limit_s * scale, 6),
        "x1": round(limit_s * scale, 6),
        "y0": 0,
        "y1": 1,
        "line": {"color": LIMIT, "width": 2},
    }
    return {
        "trace": {
            "type": "bar",
            "orientation": "h",
            "name": heading,
            "xaxis": f"x{axis}",
            "yaxis": f"y{axis}",
            "y": [row[0] for row in rows],
            "x": _rounded(values),
            "base": _rounded(starts),
            "marker": {"color": [row[2] for row in rows]},
            "text": [format_seconds(row[1]) for row in rows],
            "textposition": "outside",
            "textfont": {"size": 12},
            "cliponaxis": False,
            "hovertemplate": "%{y}: %{text}<extra></extra>",
        },
        "shapes": [] if far else [line],
        "annotations": [
            {
                "xref": "paper",
                "x": 0,
                "xanchor": "left",
                "xshift": 4 - LABELS_PX,
                "yref": f"y{axis} domain",
                "y": 1,
                "yanchor": "bottom",
                "text": head,
                "showarrow": False,
            }
        ],
        "axis": {
            "range": [0, round(end, 4)],
            "ticksuffix": f" {unit}",
            "showticksuffix": "last",
            "nticks": 6,
        },
    }


def _rounded(values: np.ndarray) -> list[float]:
    """Six figures: what a picture shows, and no more for the wire to carry."""
    return [float(f"{value:.6g}") for value in values]
