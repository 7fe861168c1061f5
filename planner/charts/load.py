"""Pictures of demand: a week beside the hardware that stands ready, and growth."""

from __future__ import annotations

import math

import numpy as np

from planner.catalogue import Catalogue
from planner.charts.figures import CHOSEN, KV_CACHE, LIMIT, SPREAD, Spec
from planner.charts.speed import BAND
from planner.plan import Plan
from planner.units import format_number, plural

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
HOURS = 24 * len(DAYS)
MIDNIGHTS = [24 * day for day in range(1, len(DAYS))]
IDLE = "rgba(135, 147, 158, 0.16)"
OFF = "rgba(135, 147, 158, 0.28)"
"""Tint of hours in which nothing runs."""
NONE_WILL_DO = "No number of GPUs keeps the service level"


def week(plan: Plan, catalogue: Catalogue) -> Spec:
    """A week hour by hour: the demand, the GPUs that it needs, and those that stand ready.

    The axes are scaled to each other, so that the demand's line shows how full the GPUs are.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        Plotly figure; GPUs on the left, requests a second on the right, hours along.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> [t["name"] for t in week(evaluate(Scenario(), c), c)["data"]]
    ['needed', 'on', 'demand']
    """
    table = plan.speed.week
    hours = list(range(HOURS + 1))
    demand = {
        "type": "scatter",
        "mode": "lines",
        "name": "demand",
        "x": hours,
        "y": _closed(table.demand_per_s),
        "line": {"color": KV_CACHE, "width": 2, "shape": "hv"},
        "customdata": [_hour(hour) for hour in hours],
        "hovertemplate": "%{customdata}: %{y:.3~g} requests/s at the peak<extra></extra>",
    }
    layout: Spec = {
        "xaxis": {
            "range": [0, HOURS],
            "tickvals": [12 + 24 * day for day in range(len(DAYS))],
            "ticktext": list(DAYS),
            "showgrid": False,
            "minor": {"tickvals": MIDNIGHTS, "showgrid": True, "gridcolor": OFF},
        },
        "shapes": [_off(start, end) for start, end in _spans(table.running == 0)],
        "legend": {"y": 1.01},
        "margin": {"l": 50, "r": 58, "t": 30, "b": 24},
    }
    highest = max(float(table.demand_per_s.max()), 1e-9)
    if not plan.speed.feasible:
        layout["yaxis"] = {"title": {"text": "requests/s"}, "range": [0, round(1.3 * highest, 6)]}
        layout["annotations"] = [_centred(NONE_WILL_DO, 0.96)]
        return {"data": [demand], "layout": layout}
    serving = plan.serving
    top = 1.18 * serving.gpus
    full = _exact_replicas(plan) * serving.gpus_per_replica
    layout["yaxis"] = {
        "title": {"text": "GPUs"},
        "range": [0, top],
        "dtick": math.ceil(top / 7),
        "tickformat": ",d",
    }
    layout["yaxis2"] = {
        "title": {"text": "requests/s"},
        "overlaying": "y",
        "side": "right",
        "range": [0, float(f"{top / full * plan.demand.peak_per_s:.6g}")],
        "showgrid": False,
        "tickmode": "auto",
        "nticks": 6,
    }
    needed = _closed(table.replicas * serving.gpus_per_replica)
    on = _closed(table.running * serving.gpus)
    return {"data": [*_hardware(hours, needed, on), {**demand, "yaxis": "y2"}], "layout": layout}


def growth(plan: Plan, catalogue: Catalogue) -> Spec:
    """GPUs as people or requests grow from a tenth to ten times the scenario's.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        Plotly figure; both axes logarithmic.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> growth(evaluate(Scenario(), c), c)["layout"]["xaxis"]["type"]
    'log'
    """
    table, feasible = plan.speed.growth, plan.speed.feasible
    finite = table.gpus_high[np.isfinite(table.gpus_high)]
    top = 1.3 * max([*table.gpus[np.isfinite(table.gpus)], *finite, 4.0])
    ceiling = np.where(np.isfinite(table.gpus_high), table.gpus_high, top)
    data = _growing(plan, ceiling)
    annotations = [] if feasible else [_centred(NONE_WILL_DO)]
    if feasible:
        data.append(_here(plan))
        if not len(finite):
            annotations.append(_centred("If the hardware is slow,<br>no number is enough", 0.9))
    return {
        "data": data if feasible else [{**data[2], "x": [], "y": [], "customdata": []}],
        "layout": {
            "xaxis": {
                "type": "log",
                "title": {"text": table.label},
                "range": [round(math.log10(table.here) + end, 4) for end in (-1.02, 1.02)],
                "dtick": "D2",
                "tickformat": "~s" if table.here >= 10 else "~g",
            },
            "yaxis": {
                "type": "log",
                "title": {"text": "GPUs"},
                "range": [-0.1, round(math.log10(top), 4)],
                "tickvals": _doublings(top),
                "tickformat": ",d",
            },
            "annotations": annotations,
            "showlegend": False,
            "margin": {"l": 50, "r": 16, "t": 12, "b": 42},
        },
    }


def _growing(plan: Plan, ceiling: np.ndarray) -> list[Spec]:
    """The range as an area between two stepped lines, and the prediction as a third."""
    table = plan.speed.growth
    words = [
        [f"{amount:,.0f}" if amount >= 10 else format_number(float(amount)), _between(low, high)]
        for amount, low, high in zip(table.amount, table.gpus_low, table.gpus_high, strict=True)
    ]
    steps = {"type": "scatter", "mode": "lines", "x": table.amount.tolist()}
    shape = {"shape": "vh"}
    return [
        {
            **steps,
            "name": "if fast",
            "y": _finite(table.gpus_low),
            "line": {"width": 0, **shape},
            "hoverinfo": "skip",
        },
        {
            **steps,
            "name": "80 % range",
            "y": _finite(ceiling),
            "fill": "tonexty",
            "fillcolor": BAND,
            "line": {"width": 0, **shape},
            "hoverinfo": "skip",
        },
        {
            **steps,
            "name": "GPUs",
            "y": _finite(table.gpus),
            "line": {"color": CHOSEN, "width": 2.5, **shape},
            "customdata": words,
            "hovertemplate": f"{table.label} %{{customdata[0]}}: %{{y:,.0f}} GPUs, "
            "%{customdata[1]}<extra></extra>",
        },
    ]


def _hardware(hours: list[int], needed: list[float], on: list[float]) -> list[Spec]:
    """Two stepped areas: what the demand needs, and above it what stands ready and idle."""
    area = {"type": "scatter", "mode": "lines", "x": hours}
    return [
        {
            **area,
            "name": "needed",
            "y": needed,
            "fill": "tozeroy",
            "fillcolor": BAND,
            "line": {"color": CHOSEN, "width": 1.5, "shape": "hv"},
            "customdata": [_hour(hour) for hour in hours],
            "hovertemplate": "%{customdata}: %{y:,.0f} GPUs needed<extra></extra>",
        },
        {
            **area,
            "name": "on",
            "y": on,
            "fill": "tonexty",
            "fillcolor": IDLE,
            "line": {"color": SPREAD, "width": 2, "shape": "hv", "dash": "dash"},
            "hovertemplate": "%{y:,.0f} GPUs on<extra></extra>",
        },
    ]


def _exact_replicas(plan: Plan) -> float:
    """Replicas at the peak before they are rounded up."""
    serving, demand = plan.serving, plan.demand
    if math.isfinite(serving.users_per_replica) and math.isfinite(demand.active_users):
        exact = demand.active_users / max(serving.users_per_replica, 1.0)
    else:
        exact = demand.peak_per_s / max(serving.capacity_per_s, 1e-300)
    return min(max(exact, 1e-3), serving.replicas)


def _here(plan: Plan) -> Spec:
    table, serving = plan.speed.growth, plan.serving
    words = f"{format_number(table.here)}: {plural(int(serving.gpus), 'GPU')}"
    return {
        "type": "scatter",
        "mode": "markers+text",
        "x": [table.here],
        "y": [serving.gpus],
        "text": [f"<b>{words}</b>"],
        "textposition": "bottom right",
        "marker": {"size": 13, "color": CHOSEN, "line": {"width": 2, "color": "#ffffff"}},
        "hovertemplate": f"Your scenario: {words}<extra></extra>",
        "cliponaxis": False,
    }


def _between(low: float, high: float) -> str:
    if not math.isfinite(high):
        return f"{low:,.0f} if fast, none will do if slow"
    return f"{low:,.0f} if fast, {high:,.0f} if slow"


def _doublings(top: float) -> list[int]:
    """1, 2, 4, ... as GPUs come; every second or third one when there are many."""
    count = max(1, math.floor(math.log2(top)) + 1)
    return [2**power for power in range(0, count, 1 + (count - 1) // 8)]


def _closed(values: np.ndarray) -> list[float]:
    """Values by the hour with the last one repeated, so that a step is drawn for it."""
    return [float(f"{value:.6g}") for value in [*values, values[-1]]]


def _finite(values: np.ndarray) -> list[float | None]:
    return [float(value) if math.isfinite(value) else None for value in values]


def _hour(hour: int) -> str:
    return f"{DAYS[hour // 24 % len(DAYS)]} {hour % 24}:00"


def _spans(flags: np.ndarray) -> list[tuple[int, int]]:
    """Where a row of flags is set, as half-open spans.

    >>> _spans(np.array([True, True, False, True]))
    [(0, 2), (3, 4)]
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def _off(start: int, end: int) -> Spec:
    return {
        "type": "rect",
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "x0": start,
        "x1": end,
        "layer": "below",
        "fillcolor": OFF,
        "line": {"width": 0},
    }


def _centred(text: str, height: float = 0.5) -> Spec:
    return {
        "xref": "paper",
        "yref": "paper",
        "x": 0.5,
        "y": height,
        "text": text,
        "showarrow": False,
        "font": {"color": LIMIT, "size": 14},
    }
