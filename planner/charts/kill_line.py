"""The kill line: what a task costs and is worth, for fewer and for more of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from planner.catalogue import Catalogue
from planner.charts.figures import CHOSEN, KV_CACHE, LIMIT, SPREAD, Spec
from planner.charts.speed import BROKEN, LINKS
from planner.charts.value_words import NOTHING, about, rounded, signed, without_picture
from planner.plan import Plan
from planner.plan.price_list import currency_of
from planner.plan.value_answers import Worthwhile

FARTHEST = 1000.0
"""A break-even so many times away from the volume is named, and not drawn."""
WORDS = ((0.45, "costs more<br>than it brings"), (0.12, "loses"))
"""What is written into a zone, by the share of the picture's width that it takes at least."""

BELOW = 0.95
"""Words at the top stand so far below it: plotly leaves out what is rounded beyond the end."""
SPACE = "\u00a0\u00a0"
Words = tuple[float, float, str, str]
"""Place, words and the side of the place on which they stand."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """Where cost and value of a task meet over the volume of tasks."""

    tasks_per_month: float
    """Not a number where they never meet [task]."""
    pays_above: bool
    """More tasks pay; otherwise fewer do, or all or none."""


def crossing(found: Worthwhile) -> Crossing:
    """The volume at which a task is worth what it costs.

    All tasks' cost and all tasks' value are straight lines over the volume, so two points of each
    give where they meet.

    Parameters
    ----------
    found : Worthwhile

    Returns
    -------
    Crossing

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> plan = evaluate(Scenario(), load_catalogue())
    >>> meets = crossing(plan.money.worthwhile).tasks_per_month
    >>> abs(meets / plan.value.breakeven_tasks_per_month - 1.0) < 1e-6
    True
    """
    fixed, each = _net_line(found)
    meets = -fixed / each if each else math.nan
    return Crossing(meets if meets > 0 else math.nan, each > 0)


def kill_line(plan: Plan, catalogue: Catalogue) -> Spec:
    """Cost and value of a task done well, for fewer and for more tasks a month.

    Where a task costs more than it brings the space between the lines is hatched.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        Plotly figure; tasks a month on a logarithmic axis, the scenario's currency upwards.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> [t["name"] for t in kill_line(evaluate(Scenario(), c), c)["data"]][:2]
    ['cost', 'value']
    """
    found, currency = plan.money.worthwhile, currency_of(plan.scenario)
    if found is None:
        return without_picture(NOTHING)
    if not np.isfinite(found.kill.cost_usd).all() or not len(found.kill.cost_usd):
        return without_picture("No task is ever done,<br>so there is nothing to divide by")
    meets = crossing(found)
    volumes = _volumes(plan.value.tasks_per_month, meets.tasks_per_month)
    cost, value = (
        currency.of_usd(_over(found, usd, volumes))
        for usd in (found.kill.cost_usd, found.kill.value_usd)
    )
    here = (
        currency.of_usd(plan.value.cost_usd_per_task),
        currency.of_usd(plan.value.value_usd_per_task),
    )
    logarithmic = min(float(cost.min()), float(value.min())) > 0
    low, high = _heights(cost, value, here, logarithmic)
    at = np.flatnonzero(cost >= value)
    zone = slice(at[0], at[-1] + 1) if len(at) > 1 else slice(0, 0)
    words = [
        *_losing_words(volumes, cost, value, zone, high),
        *_meeting_words(meets, volumes, high),
        _here_words(plan, max(here), volumes),
    ]
    data = [
        _line("cost", volumes, cost, KV_CACHE, "dash"),
        _line("value", volumes, value, LINKS, "solid"),
        _losing(volumes[zone], cost[zone], value[zone]),
        _meeting(meets, volumes, value, high),
        _here(plan, here),
        _texts(words),
    ]
    ends = [math.log10(volumes[0]), math.log10(volumes[-1])]
    axis: Spec = {"title": {"text": f"{currency.code} a task"}, "tickformat": "~g", "nticks": 7}
    if logarithmic:
        axis |= {
            "type": "log",
            "range": [round(math.log10(end), 4) for end in (low, high)],
            "dtick": 1,
        }
    else:
        axis |= {"range": [float(f"{end:.6g}") for end in (low, high)], "zeroline": True}
    return {
        "data": data,
        "layout": {
            "xaxis": {
                "type": "log",
                "title": {"text": "tasks a month, asked for"},
                "range": [round(end, 4) for end in ends],
                "dtick": 1,
                "tickformat": "~s",
            },
            "yaxis": axis,
            "hovermode": "closest",
            "legend": {"y": 1.01},
            "margin": {"l": 60, "r": 14, "t": 30, "b": 42},
        },
    }


def _net_line(found: Worthwhile) -> tuple[float, float]:
    """All tasks' value less their cost over the volume, as its start and its slope."""
    table = found.kill
    if len(table.tasks_per_month) < 2 or not np.isfinite(table.cost_usd).all():
        return math.nan, 0.0
    first, last = table.tasks_per_month[[0, -1]]
    if not last > first:
        return math.nan, 0.0
    start, end = ((table.value_usd - table.cost_usd) * table.tasks_per_month)[[0, -1]]
    slope = (end - start) / (last - first)
    return float(end - slope * last), float(slope)


def _over(found: Worthwhile, usd: np.ndarray, volumes: np.ndarray) -> np.ndarray:
    """A fixed sum shared by the tasks, and a sum for each of them."""
    table = found.kill.tasks_per_month
    shared = (usd[0] - usd[-1]) / (1.0 / table[0] - 1.0 / table[-1])
    return usd[-1] + shared * (1.0 / volumes - 1.0 / table[-1])


def _volumes(here: float, meets: float) -> np.ndarray:
    """From a tenth to ten times, and farther when the lines meet farther off."""
    low, high = 0.1 * here, 10.0 * here
    if here / FARTHEST < meets < here * FARTHEST:
        low, high = min(low, meets / 4.0), max(high, 4.0 * meets)
        return np.sort(np.append(np.geomspace(low, high, 40), meets))
    return np.geomspace(low, high, 40)


def _heights(
    cost: np.ndarray, value: np.ndarray, here: tuple[float, float], logarithmic: bool
) -> tuple[float, float]:
    top = 2.2 * max(*here, float(np.abs(value).max()))
    if logarithmic:
        low = 0.6 * min(float(cost.min()), float(value.min()))
        return low, max(min(1.5 * float(cost.max()), 30.0 * top), top)
    return min(1.4 * float(value.min()), 0.0), top


def _line(name: str, x: np.ndarray, y: np.ndarray, colour: str, dash: str) -> Spec:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": rounded(x),
        "y": rounded(y),
        "line": {"color": colour, "width": 3, "dash": dash},
        "hovertemplate": f"{name}: %{{y:,.3~g}} at %{{x:,.3~s}} a month<extra></extra>",
    }


def _losing(x: np.ndarray, cost: np.ndarray, value: np.ndarray) -> Spec:
    """Where cost is above value: hatched between the lines."""
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "loses",
        "showlegend": bool(len(x)),
        "x": rounded(np.concatenate([x, x[::-1]])),
        "y": rounded(np.concatenate([cost, value[::-1]])),
        "fill": "toself",
        "fillcolor": BROKEN,
        "fillpattern": {"shape": "/", "fgcolor": LIMIT, "size": 9, "solidity": 0.12},
        "line": {"width": 0},
        "hoverinfo": "skip",
    }


def _losing_words(
    x: np.ndarray, cost: np.ndarray, value: np.ndarray, zone: slice, top: float
) -> list[Words]:
    along, upper, lower = x[zone], cost[zone], value[zone]
    share = math.log(along[-1] / along[0]) / math.log(x[-1] / x[0]) if len(along) else 0.0
    words = next((text for least, text in WORDS if share >= least), "")
    if not words:
        return []
    # Nearer to the end at which the lines are far apart.
    opens = upper[0] - lower[0] > upper[-1] - lower[-1]
    middle = int((0.35 if opens else 0.65) * (len(along) - 1))
    low, high = float(lower[middle]), min(float(upper[middle]), top)
    height = math.sqrt(low * high) if low > 0 else (low + high) / 2.0
    return [(float(along[middle]), height, words, "middle center")]


def _meeting(meets: Crossing, x: np.ndarray, value: np.ndarray, top: float) -> Spec:
    """Where the lines cross: a mark, and a line up to its words."""
    tasks = meets.tasks_per_month
    seen = x[0] < tasks < x[-1]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "meet",
        "showlegend": False,
        "x": rounded([tasks, tasks] if seen else []),
        "y": rounded([float(np.interp(tasks, x, value)), top] if seen else []),
        "line": {"color": LIMIT, "width": 2, "dash": "dot"},
        "marker": {
            "symbol": "diamond",
            "size": [13, 0],
            "color": LIMIT,
            "line": {"width": 2, "color": "#ffffff"},
        },
        "hovertemplate": f"Cost is value at {about(tasks)} tasks a month<extra></extra>"
        if seen
        else "",
    }


def _meeting_words(meets: Crossing, x: np.ndarray, top: float) -> list[Words]:
    tasks = meets.tasks_per_month
    if not x[0] < tasks < x[-1]:
        return []
    share = math.log(tasks / x[0]) / math.log(x[-1] / x[0])
    words = f"{'pays from' if meets.pays_above else 'pays up to'}<br>{about(tasks)} a month"
    return [(tasks, BELOW * top, words, f"bottom {'right' if share < 0.6 else 'left'}")]


def _here(plan: Plan, here: tuple[float, float]) -> Spec:
    """The scenario's own volume: both points and what is between them."""
    tasks = plan.value.tasks_per_month
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "here",
        "showlegend": False,
        "x": rounded([tasks, tasks]),
        "y": rounded([max(here), min(here)]),
        "line": {"color": SPREAD, "width": 2, "dash": "dot"},
        "marker": {"size": 12, "color": CHOSEN, "line": {"width": 2, "color": "#ffffff"}},
        "hovertemplate": f"Here, {about(tasks)} tasks a month: %{{y:,.3~g}}<extra></extra>",
        "cliponaxis": False,
    }


def _here_words(plan: Plan, height: float, x: np.ndarray) -> Words:
    answers = plan.value
    share = math.log(answers.tasks_per_month / x[0]) / math.log(x[-1] / x[0])
    words = f"here: {signed(plan, answers.margin_usd_per_task)}"
    return (answers.tasks_per_month, height, words, f"top {'right' if share < 0.6 else 'left'}")


def _texts(words: list[Words]) -> Spec:
    """All words in one trace: plotly loses some when a later trace comes and goes."""
    return {
        "type": "scatter",
        "mode": "text",
        "name": "words",
        "showlegend": False,
        "x": rounded([one[0] for one in words]),
        "y": rounded([one[1] for one in words]),
        "text": [f"<b>{_apart(*one[2:])}</b>" for one in words],
        "textposition": [one[3] for one in words],
        "hoverinfo": "skip",
        "cliponaxis": False,
    }


def _apart(text: str, side: str) -> str:
    """Words with a space between them and their place."""
    if side.endswith("right"):
        return SPACE + text.replace("<br>", f"<br>{SPACE}")
    return text.replace("<br>", f"{SPACE}<br>") + SPACE if side.endswith("left") else text
