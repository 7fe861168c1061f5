"""Whether all fits in any order of power-on, and who is left out when it does not."""

from __future__ import annotations

from planner.charts.figures import CHOSEN, LIMIT, Spec
from planner.charts.fleet_looks import shortened
from planner.placement import OrderResult
from planner.units import plural

MOST = 7
"""Workloads that are shown of those that lose a piece."""


def order_chart(result: OrderResult) -> Spec:
    """Share of orders in which all fits, with its interval, and how often each workload is out.

    Parameters
    ----------
    result : OrderResult

    Returns
    -------
    dict
        Plotly figure; percent of the orders tried.

    >>> found = OrderResult(10, 8, 0.8, 0.49, 0.94, (("chat", 2),), 5, 4, 4, (1, 0))
    >>> order_chart(found)["data"][0]["text"]
    ['8 of 10', '2 of 10']
    """
    names = ["<b>All fit</b>", *(f"✕ {shortened(name, 20)}" for name, _ in result.failures[:MOST])]
    counts = [result.all_fit, *(count for _, count in result.failures[:MOST])]
    runs = max(result.runs, 1)
    percent = [round(100 * count / runs, 3) for count in counts]
    rest = len(percent) - 1
    above = round(max(100 * result.share_high - percent[0], 0.0), 3)
    below = round(max(percent[0] - 100 * result.share_low, 0.0), 3)
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "name": "orders",
                "x": percent,
                "y": names,
                "text": [f"{count:,} of {result.runs:,}" for count in counts],
                "textposition": ["inside" if share > 45 else "outside" for share in percent],
                "insidetextanchor": "start",
                "cliponaxis": False,
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "array": [above] + [None] * rest,
                    "arrayminus": [below] + [None] * rest,
                    "thickness": 2,
                    "width": 5,
                },
                "marker": {"color": [CHOSEN] + [LIMIT] * rest},
                "hovertemplate": "%{y}: %{text} orders, %{x:.1f} %<extra></extra>",
                "showlegend": False,
            }
        ],
        "layout": {
            "height": 90 + 30 * len(names),
            "bargap": 0.35,
            "xaxis": {
                "title": {"text": "share of the orders tried"},
                "range": [0, 104],
                "ticksuffix": " %",
                "nticks": 6,
            },
            "yaxis": {"type": "category", "autorange": "reversed", "automargin": True},
            "margin": {"l": 20, "r": 24, "t": 8, "b": 42},
        },
    }


def order_words(result: OrderResult) -> str:
    """The orders in a sentence.

    Parameters
    ----------
    result : OrderResult

    Returns
    -------
    str

    >>> order_words(OrderResult(10, 10, 1.0, 0.72, 1.0, (), 5, 5, 5, ()))
    'All fit in every one of 10 orders; between 72% and 100% of all orders would do.'
    """
    ends = f"between {result.share_low:.0%} and {result.share_high:.0%} of all orders would do"
    if result.all_fit == result.runs:
        return f"All fit in every one of {plural(result.runs, 'order')}; {ends}."
    name, count = result.failures[0]
    return (
        f"All fit in {result.all_fit:,} of {plural(result.runs, 'order')}; {ends}. Most often "
        f"{name} is left out, in {count:,}."
    )
