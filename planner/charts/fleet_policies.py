"""The same pieces on the same hosts by every policy of placement: before and after a change."""

from __future__ import annotations

from collections import defaultdict

from planner.catalogue import Catalogue
from planner.charts.figures import CHOSEN, PALE, Spec
from planner.charts.money import nothing, rounded_one
from planner.placement import Placement, stranded_bytes
from planner.plan import Plan
from planner.units import GIB, format_gib, format_number, plural

PANELS = (("x", "Pieces"), ("x2", "Hosts"), ("x3", "Stranded"))
DOMAINS = ((0.0, 0.31), (0.345, 0.655), (0.69, 1.0))
STRANDED = "#d9534a"


def before_after(plan: Plan, catalogue: Catalogue) -> Spec:
    """Pieces placed, hosts used and memory stranded by each policy, the present one solid.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        Plotly figure; three rows of bars over the same policies.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> [one["name"] for one in before_after(evaluate(Scenario(), c), c)["data"]]
    ['Pieces', 'Hosts', 'Stranded']
    """
    found = plan.portfolio
    if not found.pieces:
        return nothing("There is no piece to place by day", {})
    policies, present = found.by_policy, plan.scenario.portfolio.placement
    names = [f"<b>▸ {name}</b>" if name == present else name for name in policies]
    strong = [1.0 if name == present else PALE for name in policies]
    most = (float(len(found.pieces)), float(len(found.fleet.hosts)), 0.0)
    data, layout = [], _axes(names)
    for (axis, title), values, top in zip(PANELS, _values(policies.values()), most, strict=True):
        end = max([*values, top])
        data.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": title,
                "x": [rounded_one(value) for value in values],
                "y": names,
                "xaxis": axis,
                "yaxis": "y",
                "text": [format_number(value) for value in values],
                "textposition": "outside",
                "cliponaxis": False,
                "marker": {
                    "color": STRANDED if axis == "x3" else CHOSEN,
                    "opacity": strong,
                    **({"pattern": _hatch()} if axis == "x3" else {}),
                },
                "hovertemplate": f"%{{y}}: {title.lower()} %{{text}}<extra></extra>",
                "showlegend": False,
            }
        )
        layout[axis.replace("x", "xaxis")]["range"] = [0, rounded_one(1.6 * end or 1.0)]
    for (_, title), (start, _), top in zip(PANELS, DOMAINS, most, strict=True):
        layout["annotations"].append(
            _head(f"{title} (of {top:,.0f})" if top else f"{title} (GiB)", start)
        )
    return {"data": data, "layout": layout}


def before_after_words(plan: Plan, catalogue: Catalogue) -> str:
    """The comparison of policies in a sentence or two.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    str

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> before_after_words(evaluate(Scenario(), c), c).split(":")[0]
    'By day, beside the same reserve'
    """
    found, present = plan.portfolio, plan.scenario.portfolio.placement
    policies = found.by_policy
    if not found.pieces:
        return "There is no piece to place by day, so that every policy does the same."
    ranked = sorted(policies, key=lambda name: _rank(policies[name]))
    best = present if _rank(policies[present]) == _rank(policies[ranked[0]]) else ranked[0]
    worst = ranked[-1]
    beside = ", beside the same reserve" if found.reserved else ""
    lead = f"By day{beside}: “{present}”, the present one, {_said(policies[present])}"
    if _rank(policies[best]) == _rank(policies[worst]):
        return f"{lead}; so does every other policy."
    if best != present:
        return f"{lead}; “{best}” does best and {_said(policies[best])}."
    return f"{lead}; none does better, and “{worst}” {_said(policies[worst])}."


def stranded_of(placed: Placement) -> float:
    """Memory of GPUs in use that nobody can take any more under a placement.

    Parameters
    ----------
    placed : Placement

    Returns
    -------
    float [byte]

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> stranded_of(evaluate(Scenario(), load_catalogue()).portfolio.placement)
    0.0
    """
    taken: dict[tuple[int, int], list[tuple[str, int]]] = defaultdict(list)
    for seat in placed.seats:
        for gpu in seat.gpus:
            taken[seat.host, gpu].append((seat.profile, seat.start))
    hosts = placed.fleet.hosts
    return float(
        sum(
            stranded_bytes(hosts[host].geometry, tuple(sorted(there, key=lambda one: one[1])))
            for (host, _), there in taken.items()
        )
    )


def _values(placements) -> tuple[list[float], ...]:
    rows = [
        (float(len(one.seats)), float(len(one.hosts_used)), stranded_of(one) / GIB)
        for one in placements
    ]
    return tuple(list(column) for column in zip(*rows, strict=True))


def _rank(placed: Placement) -> tuple[float, ...]:
    """Most pieces first, then fewest hosts, then least stranded."""
    return (-len(placed.seats), len(placed.hosts_used), round(stranded_of(placed) / GIB, 3))


def _said(placed: Placement) -> str:
    pieces, hosts = len(placed.seats), len(placed.hosts_used)
    count = f"all {pieces:,}" if pieces == len(placed.pieces) else f"{pieces:,}"
    return (
        f"places {count} of {plural(len(placed.pieces), 'piece')} on {plural(hosts, 'host')} and "
        f"strands {format_gib(stranded_of(placed))}"
    ).replace(f"all {pieces:,} of {plural(pieces, 'piece')}", f"all {plural(pieces, 'piece')}")


def _hatch() -> Spec:
    return {"shape": "/", "fgcolor": STRANDED, "bgcolor": "rgba(0, 0, 0, 0)", "size": 6}


def _head(text: str, start: float) -> Spec:
    return {
        "xref": "paper",
        "yref": "paper",
        "x": start,
        "xanchor": "left",
        "y": 1.0,
        "yanchor": "bottom",
        "text": text.replace(" (", "<br>("),
        "align": "left",
        "showarrow": False,
    }


def _axes(names: list[str]) -> Spec:
    layout: Spec = {
        "height": 110 + 40 * len(names),
        "bargap": 0.35,
        "yaxis": {
            "type": "category",
            "autorange": "reversed",
            "automargin": True,
            "showgrid": False,
        },
        "annotations": [],
        "margin": {"l": 20, "r": 8, "t": 44, "b": 12},
    }
    for (axis, _), domain in zip(PANELS, DOMAINS, strict=True):
        layout[axis.replace("x", "xaxis")] = {
            "domain": list(domain),
            "showticklabels": False,
            "showgrid": False,
            "anchor": "y",
        }
    return layout
