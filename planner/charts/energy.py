"""The week's power of owned hosts: GPUs, hosts and cooling, hour by hour."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from planner.catalogue import Catalogue
from planner.charts.figures import LIMIT, Spec
from planner.charts.load import DAYS, HOURS, MIDNIGHTS, OFF
from planner.charts.money import nothing, rounded, rounded_one
from planner.plan import Plan
from planner.plan.power import W_PER_KW, nominal_week
from planner.units import format_number, plural

LAYERS = (("GPUs", "#3578bd"), ("Hosts without GPUs", "#9279b8"), ("Cooling, losses", "#6cb4e4"))
NEAR = 1.8
"""A limit farther off than so many times the peak is named below the picture only."""


def power(plan: Plan, catalogue: Catalogue) -> Spec:
    """The first year's week hour by hour: what GPUs, hosts and cooling draw, one on the other.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        Plotly figure; kW over hours.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> [t["name"] for t in power(evaluate(Scenario(), c), c)["data"]]
    ['GPUs', 'Hosts without GPUs', 'Cooling, losses']
    """
    here = plan.money.here
    if here is None:
        return nothing("No number of hosts serves this plan", {"title": {"text": "hours"}})
    week = nominal_week(here)
    it = week.it_w / W_PER_KW
    layers = (week.gpus_w / W_PER_KW, week.hosts_w / W_PER_KW, it * (plan.energy.pue - 1.0))
    total = sum(layers)
    room = float(plan.energy.racks) * plan.scenario.site.rack_kw
    near = room <= NEAR * float(np.max(it))
    top = max(1.2 * float(np.max(total)), 1.12 * room if near else 0.0)
    shapes, words = ([part] for part in _limit(room)) if near else ([], [])
    return {
        "data": [
            _layer(name, colour, values)
            for (name, colour), values in zip(LAYERS, layers, strict=True)
        ],
        "layout": {
            "xaxis": {
                "range": [0, HOURS],
                "tickvals": [12 + 24 * day for day in range(len(DAYS))],
                "ticktext": list(DAYS),
                "showgrid": False,
                "minor": {"tickvals": MIDNIGHTS, "showgrid": True, "gridcolor": OFF},
            },
            "yaxis": {"title": {"text": "kW"}, "range": [0, rounded_one(top)], "nticks": 6},
            "shapes": shapes,
            "annotations": [*words, _peak(total, near)],
            "legend": {"y": 1.01},
            "hovermode": "closest",
            "margin": {"l": 52, "r": 14, "t": 30, "b": 24},
        },
    }


def _layer(name: str, colour: str, kw: np.ndarray) -> Spec:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "stackgroup": "power",
        "x": list(range(len(kw) + 1)),
        "y": rounded(np.append(kw, kw[-1])),
        "line": {"color": colour, "width": 1, "shape": "hv"},
        "fillcolor": colour,
        "hovertemplate": f"{name}: %{{y:.3~g}} kW<extra></extra>",
    }


def _peak(total: np.ndarray, near: bool) -> Spec:
    """At the peak, or at the top where the line of a limit would run through the words."""
    at = int(np.argmax(total))
    share = at / len(total)
    return {
        "x": at,
        **(
            {"yref": "paper", "y": 1.0, "yanchor": "top"}
            if near
            else {"y": rounded_one(float(total[at])), "yanchor": "bottom"}
        ),
        "xanchor": "left" if share < 0.3 else "right" if share > 0.7 else "center",
        "text": f"peak {format_number(float(total[at]))} kW at the meter",
        "showarrow": False,
        "font": {"size": 12.5},
    }


def _limit(room_kw: float) -> tuple[Spec, Spec]:
    """What the racks can feed, as a line with its words."""
    line = {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": rounded_one(room_kw),
        "y1": rounded_one(room_kw),
        "line": {"color": LIMIT, "width": 1.5, "dash": "dash"},
    }
    words = {
        "xref": "paper",
        "x": 0.995,
        "xanchor": "right",
        "y": rounded_one(room_kw),
        "yanchor": "bottom",
        "text": f"racks feed {format_number(room_kw)} kW of IT",
        "showarrow": False,
        "font": {"color": LIMIT, "size": 12},
    }
    return line, words


def _power_words(plan: Plan, catalogue: Catalogue) -> str:
    energy, here = plan.energy, plan.money.here
    if here is None:
        return "No number of hosts serves this plan, so nothing is drawn."
    return (
        f"{plural(int(energy.hosts), 'host')} draw {format_number(energy.mean_kw)} kW of IT power "
        f"on average and {format_number(energy.peak_kw)} kW at the peak; a GPU draws "
        f"{energy.gpu_idle_w:,.0f} W while it waits and {energy.gpu_busy_w:,.0f} W when busy. "
        f"{plural(int(energy.racks), 'rack')} can feed "
        f"{format_number(energy.racks * plan.scenario.site.rack_kw)} kW of IT."
    )


ENERGY_CHARTS: dict[str, Callable[[Plan, Catalogue], Spec]] = {"power": power}
ENERGY_CAPTIONS: dict[str, Callable[[Plan, Catalogue], str]] = {"power": _power_words}
