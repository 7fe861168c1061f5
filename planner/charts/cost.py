"""Pictures of cost: cash by way and month, what it goes to, and a used hour over utilisation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from planner.catalogue import Catalogue
from planner.charts.breakeven import crossing, crossing_words
from planner.charts.figures import Spec
from planner.charts.money import (
    CALL,
    OUT,
    OWN,
    QUICK,
    RENT,
    SHORT,
    TINTS,
    above,
    money_axis,
    nothing,
    rounded,
    rounded_one,
    shown_ways,
)
from planner.cost import MONTHS, Currency
from planner.cost.pricebook import HIGH_FRACTION, LOW_FRACTION
from planner.plan import Plan, Venue
from planner.plan.price_list import currency_of
from planner.units import plural

PARTS = {
    "hardware": ("Hardware", "#3578bd"),
    "instances": ("Instances", "#e08a1e"),
    "tokens": ("Tokens", "#1a936f"),
    "people": ("People", "#b8578f"),
    "licences": ("Licences", "#9279b8"),
    "support": ("Support, spares", "#6cb4e4"),
    "power": ("Electricity", "#c7a51f"),
    "space": ("Space", "#a3754a"),
    "storage": ("Storage", "#5f6f7d"),
    "egress": ("Data sent out", "#c9523c"),
    "monitoring": ("Monitoring", "#87939e"),
    "resale": ("Sold at the end", "#a9c7e5"),
}
"""What people call each part of a bill, and its colour."""
NOTHING_BESIDE = "Nothing is allowed to set beside owning"
NEVER = "Owning does not become cheaper within {years}"


def cash(plan: Plan, catalogue: Catalogue) -> Spec:
    """Money spent up to each month, at most five ways, each with the range of all prices.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        Plotly figure; the scenario's currency over months.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> cash(evaluate(Scenario(), c), c)["layout"]["xaxis"]["title"]["text"]
    'months'
    """
    currency, years = currency_of(plan.scenario), plan.scenario.finance.horizon_years
    spent: list[tuple[Venue, np.ndarray, np.ndarray, np.ndarray]] = []
    for venue in shown_ways(plan):
        so_far = np.cumsum(currency.of_usd(venue.months_usd(years)), axis=-1)
        low, high = np.quantile(so_far[1:], (LOW_FRACTION, HIGH_FRACTION), axis=0)
        low, high = np.minimum(low, so_far[0]), np.maximum(high, so_far[0])
        spent.append((venue, so_far[0], low, high))
    if not spent:
        return nothing("No way to run it has a price", {"title": {"text": "months"}})
    top = max(float(high.max()) for *_, high in spent) or 1.0
    bottom = min(0.0, *(float(low.min()) for _, _, low, _ in spent))
    ends = [(venue, float(so_far[-1])) for venue, so_far, _, _ in spent]
    shapes, words = _band_of_months(plan, MONTHS * years)
    return {
        "data": [
            *_bands(spent),
            *(_line(venue, one, currency) for venue, one, _, _ in spent),
            _names(ends, MONTHS * years, 1.12 * top - bottom * 1.05),
        ],
        "layout": {
            "xaxis": {
                "title": {"text": "months"},
                "range": [0, MONTHS * years],
                "dtick": 6 if years < 5 else MONTHS,
                "showgrid": False,
                **QUICK,
            },
            "yaxis": money_axis("spent so far", currency, bottom * 1.05, 1.12 * top),
            "shapes": shapes,
            "annotations": words,
            "showlegend": False,
            "hovermode": "closest",
            "margin": {"l": 66, "r": 104, "t": 22, "b": 42},
        },
    }


def parts(plan: Plan, catalogue: Catalogue) -> Spec:
    """What the money goes to over the horizon, one bar for each way.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        Plotly figure; the scenario's currency.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> parts(evaluate(Scenario(), c), c)["layout"]["barmode"]
    'relative'
    """
    currency = currency_of(plan.scenario)
    priced = [one for one in plan.money.venues if one.lines]
    if not priced:
        return nothing("No way to run it has a price", {"title": {"text": "money"}})
    labels = [SHORT[one.id] if one.allowed else f"✕ {SHORT[one.id]}" for one in priced]
    sums = _sums(priced, currency)
    data = [
        {
            "type": "bar",
            "orientation": "h",
            "name": PARTS[part][0],
            "y": labels,
            "x": rounded(usd),
            "marker": {
                "color": PARTS[part][1],
                "opacity": [1.0 if one.allowed else 0.3 for one in priced],
            },
            "customdata": [
                [currency.show(currency.to_usd(float(value))), _standing(one)]
                for one, value in zip(priced, usd, strict=True)
            ],
            "hovertemplate": f"%{{y}}: {PARTS[part][0]} %{{customdata[0]}}"
            "%{customdata[1]}<extra></extra>",
        }
        for part, usd in sums.items()
        if np.any(usd)
    ]
    back = sum(np.minimum(usd, 0.0) for usd in sums.values())
    paid = sum(np.maximum(usd, 0.0) for usd in sums.values())
    return {
        "data": data,
        "layout": {
            "barmode": "relative",
            "bargap": 0.28,
            "xaxis": money_axis(
                "", currency, 1.02 * float(np.min(back)), 1.2 * float(np.max(paid)) or 1.0
            ),
            "yaxis": {"type": "category", "autorange": "reversed", "showgrid": False},
            "annotations": [
                _total(label, float(end), currency.show(currency.to_usd(float(end + less))))
                for label, end, less in zip(labels, paid, back, strict=True)
            ],
            "legend": {"traceorder": "normal", "font": {"size": 11}},
            "margin": {"l": 118, "r": 14, "t": 62, "b": 26},
        },
    }


def _bands(spent: Sequence[tuple[Venue, np.ndarray, np.ndarray, np.ndarray]]) -> list[Spec]:
    """The ranges as areas, all of one colour in one trace: plotly's time goes by the trace."""
    bands = []
    for colour in dict.fromkeys(_colour(venue) for venue, *_ in spent):
        x: list[float | None] = []
        y: list[float | None] = []
        for _, _, low, high in (one for one in spent if _colour(one[0]) == colour):
            months = list(range(len(low)))
            gap = [None] if x else []
            x += [*gap, *months, *months[::-1]]
            y += [*gap, *rounded(np.concatenate([low, high[::-1]]))]
        bands.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": "range",
                "x": x,
                "y": y,
                "fill": "toself",
                "fillcolor": TINTS[colour],
                "line": {"width": 0},
                "hoverinfo": "skip",
            }
        )
    return bands


def _line(venue: Venue, spent: np.ndarray, currency: Currency) -> Spec:
    name = venue.label if venue.allowed else f"{venue.label} (ruled out)"
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": list(range(len(spent))),
        "y": rounded(spent),
        "hovertemplate": f"{name}<br>month %{{x}}: {currency.code} %{{y:.3s}}<extra></extra>",
        "line": {"color": _colour(venue), "width": 2.5, "dash": _dash(venue)},
    }


def _dash(venue: Venue) -> str:
    """Out is dotted; a second line of one kind is dashed, so that colour is not the only sign."""
    if not venue.allowed:
        return "dot"
    return "dash" if venue.id in ("rent-demand", "rent-market", "call-chosen") else "solid"


def _colour(venue: Venue) -> str:
    return {"own": OWN, "rent": RENT, "call": CALL}[venue.kind] if venue.allowed else OUT


def _names(ends: Sequence[tuple[Venue, float]], months: int, height: float) -> Spec:
    """Names at the lines' ends, moved apart where lines end close to each other.

    One trace of words: plotly takes several times as long for so many annotations.
    """
    gap, lowest = 0.066 * height, -math.inf
    places: list[float] = []
    ordered = sorted(ends, key=lambda one: one[1])
    for _, end in ordered:
        lowest = max(end, lowest + gap)
        places.append(lowest)
    return {
        "type": "scatter",
        "mode": "text",
        "name": "names",
        "x": [months] * len(ordered),
        "y": rounded(np.array(places)),
        "text": [f" {'' if way.allowed else '✕ '}{SHORT[way.id]}" for way, _ in ordered],
        "textposition": "middle right",
        "textfont": {"size": 12, "color": [_colour(way) for way, _ in ordered]},
        "cliponaxis": False,
        "hoverinfo": "skip",
    }


def _band_of_months(plan: Plan, months: int) -> tuple[list[Spec], list[Spec]]:
    """The months within which owning becomes the cheaper way, as far as the horizon goes."""
    cost = plan.cost
    low, high = cost.breakeven_low_months, cost.breakeven_high_months
    horizon = plural(months // MONTHS, "year")
    if math.isnan(low):
        alone = plan.money.compared.own is not None
        return [], [above(NOTHING_BESIDE if alone else "Owning is not open to this plan")]
    if math.isinf(low):
        return [], [above(NEVER.format(years=horizon))]
    ends = (
        f"{low:.0f} to {high:.0f} months" if math.isfinite(high) else f"{low:.0f} months or never"
    )
    span = {
        "type": "rect",
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "x0": rounded_one(low),
        "x1": rounded_one(min(high, months)),
        "layer": "below",
        "fillcolor": "rgba(135, 147, 158, 0.22)",
        "line": {"width": 0},
    }
    return [span], [above(f"Owning is cheaper after {ends}")]


def _sums(venues: Sequence[Venue], currency: Currency) -> dict[str, np.ndarray]:
    """What each part comes to, by way."""
    sums = {part: np.zeros(len(venues)) for part in PARTS}
    for at, venue in enumerate(venues):
        for line in venue.lines:
            sums[line.part][at] += currency.of_usd(float(np.atleast_2d(line.usd)[0].sum()))
    return sums


def _standing(venue: Venue) -> str:
    shut = next((gate for gate in venue.gates if not gate.passed), None)
    return f"<br>ruled out: {shut.title}" if shut else ""


def _total(label: str, end: float, text: str) -> Spec:
    return {
        "x": rounded_one(end),
        "y": label,
        "xanchor": "left",
        "xshift": 4,
        "text": text,
        "showarrow": False,
        "font": {"size": 12},
    }


def _cash_words(plan: Plan, catalogue: Catalogue) -> str:
    currency = currency_of(plan.scenario)
    said = "; ".join(
        f"{one.label} {currency.show(float(one.total_usd[0]))}"
        + ("" if one.allowed else " (ruled out)")
        for one in shown_ways(plan)
    )
    years = plural(plan.scenario.finance.horizon_years, "year")
    return (
        f"Over {years}: {said}. Bands hold 80 of 100 draws of all prices."
        if said
        else ("No way to run it has a price.")
    )


def _parts_words(plan: Plan, catalogue: Catalogue) -> str:
    out = [one for one in plan.money.venues if one.lines and not one.allowed]
    ruled = f" Pale bars with ✕ are ruled out: {plural(len(out), 'way')}." if out else ""
    return (
        "As priced, over the whole horizon; what is sold at the end stands left of zero and is "
        f"taken off the total.{ruled}"
    )


COST_CHARTS: dict[str, Callable[[Plan, Catalogue], Spec]] = {
    "cash": cash,
    "crossing": crossing,
    "parts": parts,
}
COST_CAPTIONS: dict[str, Callable[[Plan, Catalogue], str]] = {
    "cash": _cash_words,
    "crossing": crossing_words,
    "parts": _parts_words,
}
