"""Pictures of worth: what a workload brings and costs, and what would turn the verdict."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from planner.catalogue import Catalogue
from planner.charts.figures import CHOSEN, KV_CACHE, LIMIT, RESERVE, Spec
from planner.charts.kill_line import kill_line
from planner.charts.payback import payback
from planner.charts.speed import LINKS
from planner.charts.value_captions import VALUE_CAPTIONS
from planner.charts.value_words import (
    NOTHING,
    SHORT,
    change_words,
    lever_change,
    lever_values,
    percent,
    rounded,
    short_money,
    signed,
    spoken_seconds,
    years,
)
from planner.plan import Plan
from planner.plan.price_list import currency_of
from planner.plan.value_answers import Worthwhile
from planner.value import monthly_rate, npv

GAIN, COST, NET = LINKS, KV_CACHE, CHOSEN
FARTHEST = 1.5
"""Changes beyond so many times today's value are drawn as if they were this large."""


def worth(plan: Plan, catalogue: Catalogue) -> Spec:
    """What comes in and what goes out over the horizon, in today's money, down to the net.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        Plotly figure; every bar begins where the one above it ends.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> worth(evaluate(Scenario(), c), c)["data"][0]["y"][-1]
    'Net present value'
    """
    found = plan.money.worthwhile
    if found is None:
        return bars_without(NOTHING.replace("<br>", " "))
    finance, currency = plan.scenario.finance, currency_of(plan.scenario)
    rows = worth_rows(found)
    amounts = np.array([currency.of_usd(usd) for _, usd in rows])
    ends = np.cumsum(amounts)
    net = float(ends[-1])
    names = [name for name, _ in rows] + ["Net present value"]
    sizes = np.append(amounts, net)
    starts = np.append(ends - amounts, 0.0)
    low, high = min(0.0, float(ends.min())), max(0.0, float(ends.max()))
    span = (high - low) or 1.0
    head = f"<b>Net {signed(plan, currency.to_usd(net))}</b> over {years(plan)}"
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "name": "in today's money",
                "xaxis": "x",
                "yaxis": "y",
                "y": names,
                "x": rounded(np.abs(sizes)),
                "base": rounded(np.minimum(starts, starts + sizes)),
                "marker": {
                    "color": [GAIN if one >= 0 else COST for one in amounts.tolist()]
                    + [NET if net >= 0 else LIMIT]
                },
                "text": [short_money(signed(plan, currency.to_usd(one))) for one in sizes.tolist()],
                "customdata": [_behind(plan, found, name) for name in names],
                "textposition": "outside",
                "cliponaxis": False,
                "hovertemplate": "%{y}, %{customdata}: %{text}<extra></extra>",
            }
        ],
        "layout": bars_layout(
            f"{head}, in today's money at {percent(finance.discount_fraction)} a year",
            low - (0.04 * span if low < 0 else 0.0),
            high + 0.62 * span,
        ),
    }


def levers(plan: Plan, catalogue: Catalogue) -> Spec:
    """How far each assumption alone would have to move for gains to meet costs.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        Plotly figure; bars are relative changes in percent, the shortest first. What no allowed
        value can do is said in words.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> len(levers(evaluate(Scenario(), c), c)["data"][0]["y"])
    8
    """
    found = plan.money.worthwhile
    if found is None:
        return bars_without(NOTHING.replace("<br>", " "))
    every = sorted(found.levers, key=lambda one: math.isnan(lever_change(one)))
    changes = np.array([lever_change(one) for one in every])
    reachable = ~np.isnan(changes)
    drawn = 100.0 * np.clip(np.where(reachable, changes, 0.0), -1.0, FARTHEST)
    verb = "It would turn with" if found.case.verdict.worth else "It would pay with"
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "name": "change needed",
                "xaxis": "x",
                "yaxis": "y",
                "y": [SHORT[one.name] for one in every],
                "x": rounded(np.abs(drawn)),
                "base": rounded(np.minimum(drawn, 0.0)),
                "marker": {"color": [NET] * len(every)},
                "text": [_changed(change) for change in changes.tolist()],
                "customdata": [
                    " → ".join(lever_values(plan, one)) if can else lever_values(plan, one)[0]
                    for one, can in zip(every, reachable, strict=True)
                ],
                "textposition": "outside",
                "cliponaxis": False,
                "hovertemplate": "%{y}: %{customdata} (%{text})<extra></extra>",
            }
        ],
        "layout": bars_layout(
            f"<b>{verb} any one of these</b>, all else as it is"
            if reachable.any()
            else "<b>No one of these turns it</b> within what is allowed",
            -100.0,
            100.0 * FARTHEST + 70.0,
        ),
    }


def worth_rows(found: Worthwhile) -> list[tuple[str, float]]:
    """Gains and costs of the whole horizon, discounted to now; they sum to the NPV.

    Parameters
    ----------
    found : Worthwhile

    Returns
    -------
    list of (str, float)
        Label and amount [USD]; what nobody counts on is left out.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> plan = evaluate(Scenario(), load_catalogue())
    >>> rows = worth_rows(plan.money.worthwhile)
    >>> abs(sum(usd for _, usd in rows) - plan.value.npv_usd) < 1e-3
    True
    """
    rate, gains, values = monthly_rate(found.rate_per_year), found.case.benefit, found.values

    def now(flows: np.ndarray) -> float:
        return float(npv(rate, flows, first_period=1))

    change = np.full(len(found.running_usd), values.change_cost_usd_per_year / 12.0)
    tried = found.usd_per_task * np.asarray(gains.attempted_tasks)
    rows = [
        ("Time saved", now(gains.time_saved_usd), True),
        ("Revenue", now(gains.revenue_usd), False),
        ("Losses avoided", now(gains.avoided_loss_usd), False),
        ("Checking answers", now(gains.review_usd), True),
        ("Errors", now(gains.errors_usd), True),
        ("Project and change", -values.project_cost_usd - now(change), True),
        ("Infrastructure", -found.capital_usd - now(found.running_usd + tried), True),
    ]
    return [(name, usd) for name, usd, always in rows if always or usd != 0.0]


def bars_layout(head: str, low: float, high: float) -> Spec:
    """Rows of bars from top to bottom, with a line at nothing.

    Parameters
    ----------
    head : str
        Sentence above them, strong words in ``<b>``.
    low, high : float
        Ends of the axis.

    Returns
    -------
    dict
    """
    zero = {
        "type": "line",
        "xref": "x",
        "yref": "y domain",
        "x0": 0,
        "x1": 0,
        "y0": 0,
        "y1": 1,
        "line": {"color": RESERVE, "width": 1.5},
    }
    return {
        "xaxis": {"range": [float(f"{low:.6g}"), float(f"{high:.6g}")], "visible": False},
        "yaxis": {"type": "category", "autorange": "reversed", "showgrid": False},
        "shapes": [zero] if low < 0 else [],
        "annotations": [
            {
                "xref": "paper",
                "x": 0,
                "xanchor": "left",
                "yref": "paper",
                "y": 1,
                "yanchor": "bottom",
                "text": head,
                "showarrow": False,
            }
        ],
        "showlegend": False,
        "bargap": 0.3,
        "margin": {"l": 150, "r": 16, "t": 26, "b": 8},
    }


def bars_without(sentence: str) -> Spec:
    """No bars, and a sentence in their place.

    Parameters
    ----------
    sentence : str

    Returns
    -------
    dict
    """
    trace: Spec = {"type": "bar", "orientation": "h", "xaxis": "x", "yaxis": "y"}
    trace |= {"x": [], "y": [], "base": [], "text": [], "marker": {"color": []}}
    return {"data": [trace], "layout": bars_layout(f"<b>{sentence}</b>", 0.0, 1.0)}


def _behind(plan: Plan, found: Worthwhile, name: str) -> str:
    """What a row is made of, in few enough words for a second line."""
    value, currency = plan.scenario.value, currency_of(plan.scenario)
    bill = plan.value.cost_usd - value.project_cost_usd
    bill -= value.change_cost_usd_per_year * plan.scenario.finance.horizon_years
    return {
        "Time saved": f"{percent(value.realisation_fraction)} of "
        f"{spoken_seconds(value.saved_s_per_task)} each",
        "Revenue": f"{currency.show(value.revenue_usd_per_task)} each",
        "Losses avoided": "as adoption grows",
        "Checking answers": f"{spoken_seconds(value.review_s_per_task)} at full wage",
        "Errors": f"{percent(value.error_fraction)}, {currency.show(value.error_cost_usd)} each",
        "Project and change": "once and yearly",
        "Infrastructure": f"{short_money(currency.show(bill / len(found.running_usd)))} a month",
    }.get(name, f"at {percent(found.rate_per_year)} a year")


def _changed(change: float) -> str:
    far = " ▸" if FARTHEST < change < math.inf else ""
    return f"{change_words(change)}{far}"


VALUE_CHARTS: dict[str, Callable[[Plan, Catalogue], Spec]] = {
    "worth": worth,
    "kill_line": kill_line,
    "payback": payback,
    "levers": levers,
}
"""Every picture of worth, by its name."""
VALUE_TABLES: dict[str, Callable[[Plan, Catalogue], Spec]] = {}
"""Worth has no tables."""
__all__ = ["VALUE_CAPTIONS", "VALUE_CHARTS", "VALUE_TABLES", "levers", "worth", "worth_rows"]
