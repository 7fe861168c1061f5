"""The fleet by the hour: what is booked, by whom, what idles, and which jobs end late."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from planner.catalogue import Catalogue
from planner.charts.figures import LIMIT, SPREAD, Spec
from planner.charts.fleet_looks import LEGEND, OTHERS, Look, key, listed, looks, shortened
from planner.charts.load import DAYS
from planner.charts.money import nothing
from planner.plan import Plan, Portfolio
from planner.units import format_number, plural

DAY_H, WEEK_H = 24, 168
HOURLY_WEEKS = 4
"""A longer calendar is drawn by the day."""
DAY_START_H, DAY_END_H = 7, 19
NIGHT = "rgba(135, 147, 158, 0.16)"
"""Tint of nights and weekends."""
IDLE = "rgba(135, 147, 158, 0.35)"
LANES = 3
"""Heights at which names of jobs stand, so that neighbours do not overlap."""


def fleet_calendar_chart(plan: Plan, catalogue: Catalogue) -> Spec:
    """GPUs booked in each hour by workload, up to the fleet's, with jobs' ends and late ones.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        Plotly figure; by the day when there are more than four weeks.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> [one["name"] for one in fleet_calendar_chart(evaluate(Scenario(), c), c)["data"]][-1]
    'idle'
    """
    found = plan.portfolio
    if not found.fleet.gpus:
        return nothing("There is no GPU to book", {})
    known = looks(plan)
    booked = booked_by_workload(found)
    step = 1 if plan.scenario.portfolio.weeks <= HOURLY_WEEKS else DAY_H
    capacity = _by_step(np.asarray(found.calendar.capacity_gpus, dtype=float), step)
    top = float(capacity.max()) * 1.3
    hours = [float(hour) for hour in range(0, step * (len(capacity) + 1), step)]
    data = [_nights(hours[-1], step, top)]
    data += _areas(known, booked, hours, step)
    idle = capacity - sum((_by_step(one, step) for one in booked.values()), 0.0)
    data.append(_idle(hours, np.maximum(idle, 0.0), step))
    marks = _marks(found)
    shown = [known[name] for name in booked if known[name].colour != OTHERS]
    return {
        "data": [*data[:-1], *marks, data[-1]],
        "layout": _layout(hours[-1], step, top, float(capacity.max()), shown),
    }


def fleet_calendar_words(plan: Plan, catalogue: Catalogue) -> str:
    """The calendar in a sentence or two.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    str

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> fleet_calendar_words(evaluate(Scenario(), c), c).split(",")[0]
    'Of 16 GPUs'
    """
    found, calendar = plan.portfolio, plan.portfolio.calendar
    gpus, weeks = found.fleet.gpus, plan.scenario.portfolio.weeks
    total = np.asarray(calendar.gpus).sum(axis=0) if len(calendar.bookings) else np.zeros(1)
    words = [
        f"Of {plural(gpus, 'GPU')}, {calendar.idle_fraction:.0%} of the hours in "
        f"{plural(weeks, 'week')} are booked by nobody; the fullest hour books "
        f"{format_number(float(total.max()))}. All GPUs count alike here, whoever can use them."
    ]
    late = [text for text in calendar.late if text]
    missed = Counter(
        one.workload for one, text in zip(calendar.bookings, calendar.late, strict=True) if text
    )
    if missed:
        names = listed(
            f"{name} ({times}×)" if times > 1 else name for name, times in missed.items()
        )
        words.append(f"Late or short (✕): {names}. {late[0]}")
    if weeks > HOURLY_WEEKS:
        words.append("Each step is the mean of a day.")
    return " ".join(words)


def booked_by_workload(found: Portfolio) -> dict[str, np.ndarray]:
    """GPUs that each workload has in each hour, in the order of priority.

    Parameters
    ----------
    found : Portfolio

    Returns
    -------
    dict
        Workloads that book nothing are left out.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> found = evaluate(Scenario(), load_catalogue()).portfolio
    >>> {name: len(gpus) for name, gpus in booked_by_workload(found).items()}
    {'this scenario': 672}
    """
    calendar = found.calendar
    names = np.array([one.workload for one in calendar.bookings])
    gpus = np.asarray(calendar.gpus, dtype=float)
    made = {}
    for one in found.workloads:
        rows = names == one.row.name
        if rows.any():
            made[one.row.name] = gpus[rows].sum(axis=0)
    return made


def _areas(
    known: dict[str, Look], booked: dict[str, np.ndarray], hours: list[float], step: int
) -> list[Spec]:
    """Stacked areas: workloads with a look of their own, and all others together."""
    layers = [(known[name], gpus) for name, gpus in booked.items() if known[name].colour != OTHERS]
    rest = [gpus for name, gpus in booked.items() if known[name].colour == OTHERS]
    if rest:
        name = plural(len(rest), "other workload")
        layers.append((Look(name, "", OTHERS, ""), np.sum(rest, axis=0)))
    told = [_when(hour, step) for hour in hours]
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": look.title,
            "stackgroup": "booked",
            "x": hours,
            "y": _closed(_by_step(gpus, step)),
            "line": {"width": 0, "color": look.colour, "shape": "hv"},
            "fillcolor": look.colour,
            **({"fillpattern": look.marker["pattern"]} if look.pattern else {}),
            "customdata": told,
            "hovertemplate": f"{look.name}, %{{customdata}}: %{{y:.3~g}} GPUs<extra></extra>",
        }
        for look, gpus in layers
    ]


def _idle(hours: list[float], gpus: np.ndarray, step: int) -> Spec:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "idle",
        "stackgroup": "booked",
        "x": hours,
        "y": _closed(gpus),
        "line": {"width": 0, "color": SPREAD, "shape": "hv"},
        "fillcolor": "rgba(0, 0, 0, 0)",
        "fillpattern": {
            "shape": "/",
            "fgcolor": IDLE,
            "bgcolor": "rgba(0, 0, 0, 0)",
            "size": 8,
            "solidity": 0.1,
        },
        "customdata": [_when(hour, step) for hour in hours],
        "hovertemplate": "idle, %{customdata}: %{y:.3~g} GPUs<extra></extra>",
    }


def _nights(end: float, step: int, top: float) -> Spec:
    """Nights and weekends as one tinted area; weekends alone when days are drawn."""
    x: list[float] = []
    y: list[float] = []
    for hour in range(int(end)):
        weekend = hour % WEEK_H >= 5 * DAY_H
        night = step == 1 and not DAY_START_H <= hour % DAY_H < DAY_END_H
        height = top if weekend or night else 0.0
        if not y or y[-1] != height:
            x.append(float(hour))
            y.append(height)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "night, rest" if step == 1 else "weekends",
        "x": [*x, end],
        "y": [*y, y[-1]],
        "line": {"width": 0, "color": NIGHT, "shape": "hv"},
        "fill": "tozeroy",
        "fillcolor": NIGHT,
        "hoverinfo": "skip",
    }


def _marks(found: Portfolio) -> list[Spec]:
    """Where jobs end, and the deadlines of those that are late, with their names.

    Of a workload with many runs only the late ones are marked, and the first of these is named.
    """
    calendar = found.calendar
    runs = Counter(one.workload for one in calendar.bookings)
    end = float(len(calendar.capacity_gpus))
    ends: list[tuple[float, str, str]] = []
    late: list[tuple[float, str, str]] = []
    for one, at, words in zip(calendar.bookings, calendar.end_h, calendar.late, strict=True):
        if words:
            due = one.deadline_h if one.deadline_h is not None else end
            named = not any(name == one.workload for _, name, _ in late)
            late.append((min(due, end), one.workload if named else "", words))
        elif not one.reserved and runs[one.workload] <= 2 and math.isfinite(at):
            ends.append((float(at), one.workload, f"ends {_when(float(at), 1)}"))
    height = float(np.max(calendar.capacity_gpus))
    order = sorted([*ends, *late])
    lanes = {one: height * (1.04 + 0.08 * (at % LANES)) for at, one in enumerate(order)}
    return [
        _points("ends", sorted(ends), lanes, end, {"symbol": "triangle-down", "color": SPREAD}),
        _points("late", sorted(late), lanes, end, {"symbol": "x", "color": LIMIT}),
    ]


def _points(
    name: str,
    found: list[tuple[float, str, str]],
    lanes: dict[tuple[float, str, str], float],
    end: float,
    marker: Spec,
) -> Spec:
    """Marks with names, on the side where there is room."""
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": name,
        "x": [round(at, 2) for at, _, _ in found],
        "y": [round(lanes[one], 4) for one in found],
        "text": [f" {shortened(words, 16)} " if words else "" for _, words, _ in found],
        "textposition": ["middle right" if at < 0.6 * end else "middle left" for at, _, _ in found]
        or "middle right",
        "textfont": {"size": 11},
        "customdata": [words for _, _, words in found],
        "marker": {"size": 9, **marker},
        "hovertemplate": "%{text} %{customdata}<extra></extra>",
        "showlegend": bool(found),
    }


def _layout(end: float, step: int, top: float, capacity: float, shown: list[Look]) -> Spec:
    rest = {
        "text": "night and weekend" if step == 1 else "weekend",
        "colour": NIGHT,
        "pattern": "",
    }
    return {
        "xaxis": _time_axis(end),
        "yaxis": {
            "title": {"text": "GPUs booked" if step == 1 else "GPUs booked, mean of a day"},
            "range": [0, round(top, 4)],
            "nticks": 6,
        },
        "shapes": [
            {
                "type": "line",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "y0": capacity,
                "y1": capacity,
                "line": {"color": SPREAD, "width": 2, "dash": "dash"},
            }
        ],
        "annotations": [
            {
                "xref": "paper",
                "x": 1,
                "xanchor": "right",
                "y": capacity,
                "yanchor": "top",
                "text": f"all {plural(int(capacity), 'GPU')}",
                "showarrow": False,
            }
        ],
        "hovermode": "closest",
        "legend": LEGEND,
        "meta": {
            "key": [
                *key(shown),
                {"text": "idle", "colour": IDLE, "pattern": "/"},
                rest,
            ]
        },
        "margin": {"l": 50, "r": 12, "t": 30, "b": 26},
    }


def _time_axis(end: float) -> Spec:
    """Days of one week, or weeks."""
    weeks = int(end) // WEEK_H
    if weeks == 1:
        ticks = {
            "tickvals": [DAY_H * day + DAY_H / 2 for day in range(len(DAYS))],
            "ticktext": list(DAYS),
        }
        lines = [float(DAY_H * day) for day in range(1, len(DAYS))]
    else:
        every = 1 + (weeks - 1) // 8
        ticks = {
            "tickvals": [WEEK_H * (week + 0.5) for week in range(0, weeks, every)],
            "ticktext": [
                f"week {week + 1}" if not week else f"{week + 1}" for week in range(0, weeks, every)
            ],
        }
        lines = [float(WEEK_H * week) for week in range(1, weeks)]
    return {
        "range": [0, end],
        **ticks,
        "showgrid": False,
        "minor": {"tickvals": lines, "showgrid": True, "gridcolor": IDLE},
    }


def _by_step(gpus: np.ndarray, step: int) -> np.ndarray:
    return gpus.reshape(-1, step).mean(axis=1)


def _closed(gpus: np.ndarray) -> list[float]:
    values = [float(f"{value:.5g}") for value in gpus.tolist()]
    return [*values, values[-1]]


def _when(hour: float, step: int) -> str:
    week, rest = divmod(int(hour), WEEK_H)
    day = f"{DAYS[rest // DAY_H]} of week {week + 1}"
    return day if step > 1 else f"{day}, {rest % DAY_H}:00"
