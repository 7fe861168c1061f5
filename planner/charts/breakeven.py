"""The cost of a used GPU-hour over utilisation: owned it falls, rented it stays."""

from __future__ import annotations

import math

import numpy as np

from planner.catalogue import Catalogue
from planner.charts.figures import LIMIT, SPREAD, Spec
from planner.charts.money import (
    OUT,
    OWN,
    QUICK,
    RENT,
    TINTS,
    above,
    money_axis,
    nothing,
    rounded,
    rounded_one,
)
from planner.cost import Currency, band
from planner.plan import Plan
from planner.plan.price_list import currency_of

MEASURED_USE = 0.05
"""Share of GPU-hours that enterprises use, as measured over some 23,000 clusters."""
POINTS = 48
RIGHT_HALF = 0.6
"""Words of a mark beyond this stand left of it [fraction]."""
HIGHEST_WORDS = 0.92
"""Where words end below the top [fraction]."""


def crossing(plan: Plan, catalogue: Catalogue) -> Spec:
    """Cost of a used GPU-hour over utilisation: owned it falls, rented it stays.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        Plotly figure; the scenario's currency over percent.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> [t["name"] for t in crossing(evaluate(Scenario(), c), c)["data"]][-2:]
    ['rented', 'owned']
    """
    found, currency = plan.money.compared, currency_of(plan.scenario)
    own = band(currency.of_usd(found.own_usd_per_gpu_hour))
    rented = band(currency.of_usd(found.rented_usd_per_gpu_hour))
    axis = {"title": {"text": "owned GPU-hours that are used"}, "range": [0, 100]}
    if not math.isfinite(own[1]):
        return nothing("Owning is not open to this plan", axis)
    use = np.concatenate([np.geomspace(0.01, 0.2, 30), np.linspace(0.22, 1.0, POINTS - 30)])
    top = 5.0 * own[1]
    data: list[Spec] = []
    if math.isfinite(rented[1]):
        top = max(min(6.0 * rented[2], 8.0 * own[1]), 1.8 * own[2])
        flat = [np.full(2, end) for end in rented]
        data += _area("rented", np.array([0.0, 1.0]), *flat, RENT, currency)
    data += _area("owned", use, *(end / use for end in own), OWN, currency)
    data = [one for one in data if one["hoverinfo"] == "skip"] + [
        one for one in data if one["hoverinfo"] != "skip"
    ]
    shapes, words = _use_marks(plan, own, top, currency)
    return {
        "data": data,
        "layout": {
            "xaxis": {**axis, "ticksuffix": " %", "dtick": 20, **QUICK},
            "yaxis": money_axis("a used GPU-hour", currency, 0.0, top),
            "shapes": shapes,
            "annotations": [*words, *_curve_names(own, rented, top)],
            "showlegend": False,
            "hovermode": "closest",
            "margin": {"l": 66, "r": 26, "t": 22, "b": 42},
        },
    }


def crossing_words(plan: Plan, catalogue: Catalogue) -> str:
    """What the picture says.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    str

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> crossing_words(evaluate(Scenario(), c), c)[:14]
    'An owned hour '
    """
    return (
        "An owned hour costs its share of everything, used or not, so its cost doubles when use "
        "halves; a rented hour costs the same. Ten points too few cost more than ten too many "
        "bring."
    )


def _area(
    name: str,
    use: np.ndarray,
    low: np.ndarray,
    value: np.ndarray,
    high: np.ndarray,
    colour: str,
    currency: Currency,
) -> list[Spec]:
    x = 100.0 * use
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": f"{name}, range",
            "x": rounded(np.concatenate([x, x[::-1]])),
            "y": rounded(np.concatenate([low, high[::-1]])),
            "fill": "toself",
            "fillcolor": TINTS[colour],
            "line": {"width": 0},
            "hoverinfo": "skip",
        },
        {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": rounded(x),
            "y": rounded(value),
            "hoverinfo": "all",
            "hovertemplate": f"{name} at %{{x:.0f}} % use: {currency.code} %{{y:,.2f}}"
            "<extra></extra>",
            "line": {
                "color": colour,
                "width": 2.5,
                "dash": "dash" if name == "rented" else "solid",
            },
        },
    ]


def _use_marks(
    plan: Plan, own: tuple[float, float, float], top: float, currency: Currency
) -> tuple[list[Spec], list[Spec]]:
    """The plan's own use, the measured average, and where the two bands cross."""
    cost = plan.cost
    here = cost.utilisation_fraction
    low = _beside(MEASURED_USE, own, top)
    marks = [(MEASURED_USE, "measured: 5 %", SPREAD, low)]
    if math.isfinite(here):
        spoken = currency.show(currency.to_usd(own[1] / here)) if here else "nothing used"
        height = _beside(here, own, top)
        marks = [(*marks[0][:3], low - 0.12 if abs(height - low) < 0.12 else low)]
        marks.append((here, f"this plan: {spoken}", LIMIT, height))
    shapes = [_upright(at, colour) for at, _, colour, _ in marks]
    words = [
        {
            "x": rounded_one(100.0 * at),
            "xanchor": "left" if at < RIGHT_HALF else "right",
            "xshift": 4 if at < RIGHT_HALF else -4,
            "yref": "paper",
            "y": height,
            "text": text,
            "showarrow": False,
            "font": {"color": colour, "size": 12},
        }
        for at, text, colour, height in marks
    ]
    low = cost.breakeven_utilisation_low_fraction
    high = cost.breakeven_utilisation_high_fraction
    if not math.isfinite(low):
        return shapes, [*words, above("No cloud by the hour to compare with")]
    if low > 1.0:
        return shapes, [*words, above("Owning does not pay at any use")]
    shapes.append(
        {
            **_upright(low, OUT),
            "type": "rect",
            "x1": rounded_one(100.0 * min(high, 1.0)),
            "layer": "below",
            "fillcolor": "rgba(135, 147, 158, 0.22)",
            "line": {"width": 0},
        }
    )
    start = f"{100 * low:.0f}"
    where = (
        f"from {start} % of use on, or at none"
        if high > 1.0
        else f"from {start} % of use on"
        if start == f"{100 * high:.0f}"
        else f"from a use between {start} % and {100 * high:.0f} % on"
    )
    return shapes, [*words, above(f"Owning pays {where}")]


def _beside(at: float, own: tuple[float, float, float], top: float) -> float:
    """How high words right of a mark stand: over the falling curve, else under it."""
    over = own[2] / max(at, 1e-3) / top + 0.06
    if at >= RIGHT_HALF or over < HIGHEST_WORDS:
        return float(np.clip(over, 0.36, HIGHEST_WORDS))
    return float(np.clip(0.8 * own[0] / top / (at + 0.42), 0.36, HIGHEST_WORDS))


def _upright(at: float, colour: str) -> Spec:
    return {
        "type": "line",
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "x0": rounded_one(100.0 * at),
        "x1": rounded_one(100.0 * at),
        "line": {"color": colour, "width": 1.5, "dash": "dot"},
    }


def _curve_names(
    own: tuple[float, float, float], rented: tuple[float, float, float], top: float
) -> list[Spec]:
    """Both names at the right end, the higher line's above it and the lower one's below."""
    lines = [("owned", own[1], OWN)]
    if math.isfinite(rented[1]):
        lines.append(("rented", rented[1], RENT))
    lines.sort(key=lambda one: one[1])
    return [
        {
            "x": 99,
            "xanchor": "right",
            "y": rounded_one(min(value, top)),
            "yanchor": "bottom" if at or len(lines) == 1 else "top",
            "yshift": 6 if at or len(lines) == 1 else -6,
            "text": name,
            "showarrow": False,
            "font": {"color": colour, "size": 12.5},
        }
        for at, (name, value, colour) in enumerate(lines)
    ]
