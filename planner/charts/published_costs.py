"""Published cost comparisons beside ours, as a picture and tables."""

from __future__ import annotations

import math
from collections import Counter

from planner.catalogue import Catalogue
from planner.charts.accuracy import Block, Spec
from planner.plan.published_costs import CostCheck, check_published_costs
from planner.units import format_number, plural

LOOKS = {
    "reproduces": ("reproduced", "#3578bd", "circle-open", 8),
    "does not follow": ("does not follow from its inputs", "#c2571a", "x", 9),
}
"""Name, colour, marker and its size of each verdict."""
PLACES = {
    "Gemini column": "top center",
    "post-cut table": "top right",
    "30-day months": "bottom left",
    "740-hour months": "bottom left",
    "bill of 16 h a day": "middle left",
    "rounded rows": "middle right",
}
"""Where each control's name stands beside its dot, so that none hides another."""
LAST_DOT = {"rounded rows", "740-hour months", "Gemini column"}
"""Controls named at their last dot, the others at their first."""
WORDS = {
    "reproduces": "reproduced",
    "does not follow": "does\u00a0not\u00a0follow",
    "not published": "not\u00a0printed",
}
MONEY = {"USD": "", "USD/h": "/h", "USD/million tokens": "/M tokens"}
SUFFIXES = {"h": " h", "month": " months", "year": " years", "1": " times"}
DIGITS = 4


def published_cost_blocks(catalogue: Catalogue) -> tuple[Block, ...]:
    """The whole report on published costs, computed from their printed inputs.

    Parameters
    ----------
    catalogue : Catalogue

    Returns
    -------
    tuple of Block

    >>> from planner import load_catalogue
    >>> blocks = published_cost_blocks(load_catalogue())
    >>> blocks[0].title, blocks[-1].title
    ('Ours over published', 'The published values')
    """
    checks = check_published_costs(catalogue)
    studies = list(dict.fromkeys(one.case.study for one in checks))
    groups = {name: [one for one in checks if one.case.study == name] for name in studies}
    return (
        _picture(checks),
        _controls(checks),
        *(_study(name, members) for name, members in groups.items()),
        _values(groups),
    )


def ours_over_published(checks: tuple[CostCheck, ...]) -> Spec:
    """A dot for each printed number: what its inputs give, over what was printed.

    Parameters
    ----------
    checks : tuple of CostCheck

    Returns
    -------
    dict
        Plotly figure, both axes logarithmic; numbers that nobody printed have no dot.
    """
    printed = [one for one in checks if math.isfinite(one.case.published)]
    names = _names(printed)
    dots = []
    for verdict, (name, colour, symbol, size) in LOOKS.items():
        members = [one for one in printed if one.verdict == verdict]
        dots.append(
            {
                "type": "scatter",
                "mode": "markers+text" if verdict == "does not follow" else "markers",
                "name": f"{name} ({len(members)})",
                "x": [one.case.published for one in members],
                "y": [round(1.0 + one.difference, 5) for one in members],
                "text": [names.get(one.case.id, "") for one in members],
                "textposition": [PLACES.get(one.case.control, "top center") for one in members],
                "textfont": {"size": 12},
                "cliponaxis": False,
                "customdata": [_hover(one) for one in members],
                "marker": {"size": size, "symbol": symbol, "color": colour},
                "hovertemplate": "%{customdata}<extra></extra>",
            }
        )
    ticks = (0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25)
    return {
        "data": dots,
        "layout": {
            "xaxis": {
                "type": "log",
                "dtick": 1,
                "range": [-0.8, 7.0],
                "title": {"text": "published, each in its own unit"},
            },
            "yaxis": {
                "type": "log",
                "tickvals": list(ticks),
                "ticktext": [f"{tick:g}" for tick in ticks],
                "range": [math.log10(0.28), math.log10(1.45)],
                "title": {"text": "ours / published"},
            },
            "shapes": [
                {
                    "type": "line",
                    "layer": "below",
                    "xref": "paper",
                    "x0": 0,
                    "x1": 1,
                    "y0": 1,
                    "y1": 1,
                    "line": {"width": 1, "color": "#8796a5"},
                }
            ],
            "hovermode": "closest",
            "margin": {"l": 52, "r": 12, "t": 10, "b": 48},
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        },
    }


def _names(checks: list[CostCheck]) -> dict[str, str]:
    """Each control's name at one of its dots, by the number's id."""
    groups: dict[str, list[CostCheck]] = {}
    for one in checks:
        if one.verdict == "does not follow":
            groups.setdefault(one.case.control, []).append(one)
    found = {}
    for name, members in groups.items():
        farthest = max(abs(math.log1p(one.difference)) for one in members)
        # Of the dots that are about as far off, the first or the last along the axis.
        far = [one for one in members if abs(math.log1p(one.difference)) > 0.9 * farthest]
        far.sort(key=lambda one: one.case.published, reverse=name in LAST_DOT)
        found[far[0].case.id] = name
    return found


def _hover(one: CostCheck) -> str:
    return (
        f"{one.case.study}<br>{one.case.title}<br>{one.case.quantity}: "
        f"published {amount(one.case.published, one.case.unit)}, "
        f"ours {amount(one.ours, one.case.unit)}"
    )


def amount(value: float, unit: str) -> str:
    """A number of the table as people read it, with its unit.

    Parameters
    ----------
    value : float
    unit : str

    Returns
    -------
    str

    >>> amount(8556.2, "h"), amount(0.33, "fraction"), amount(9.0, "USD/million tokens")
    ('8,556 h', '33 %', '$9/M tokens')
    """
    if not math.isfinite(value):
        return "not printed" if math.isnan(value) else "never"
    if unit == "fraction":
        return f"{format_number(100.0 * value, DIGITS)} %"
    if unit in MONEY:
        cents = 2 if value < 10_000 and value != round(value) else 0
        return f"${value:,.{cents}f}{MONEY[unit]}"
    return f"{format_number(value, DIGITS)}{SUFFIXES[unit]}"


def _picture(checks: tuple[CostCheck, ...]) -> Block:
    verdicts = Counter(one.verdict for one in checks)
    studies = len({one.case.study for one in checks})
    return Block(
        "Ours over published",
        f"{verdicts['reproduces']} of the {verdicts['reproduces'] + verdicts['does not follow']} "
        f"numbers that {studies} studies print come out the same from the inputs that stand beside "
        f"them, within the rounding of the print; {verdicts['does not follow']} do not, and for "
        "each of them we say what does follow. That a number is reproduced says that its "
        "arithmetic is right, not that its inputs are.",
        ours_over_published(checks),
    )


def _controls(checks: tuple[CostCheck, ...]) -> Block:
    return Block(
        "What does not follow from its own inputs",
        "The table's negative controls: a workbook that agreed with these would have copied them.",
        header=("Number", "Published", "Follows", "Off by", "Why"),
        rows=tuple(
            (
                f"{one.case.title}: {one.case.quantity}",
                amount(one.case.published, one.case.unit),
                amount(one.ours, one.case.unit),
                _percent(one.difference),
                one.case.note,
            )
            for one in checks
            if one.verdict == "does not follow"
        ),
        stacked=True,
    )


def _study(name: str, members: list[CostCheck]) -> Block:
    notes = ["" if one.case.control else one.case.note for one in members]
    printed = [one for one in members if one.verdict != "not published"]
    right = sum(one.verdict == "reproduces" for one in printed)
    reasons = "" if right == len(printed) else " Why the others are not stands above."
    header = ("Number", "Quantity", "Published", "Ours", "Off by", "Verdict")
    return Block(
        name,
        f"{right} of {plural(len(printed), 'printed number')} reproduced.{reasons}",
        header=(*header, "Note") if any(notes) else header,
        rows=tuple(
            (
                one.case.title,
                one.case.quantity,
                amount(one.case.published, one.case.unit),
                amount(one.ours, one.case.unit),
                _percent(one.difference),
                WORDS[one.verdict],
                *([note] if any(notes) else []),
            )
            for one, note in zip(members, notes, strict=True)
        ),
        stacked=True,
    )


def _percent(difference: float) -> str:
    if math.isnan(difference):
        return ""
    # A difference that rounds away has no sign; a small one keeps its digit.
    size = abs(difference)
    return f"{difference:+.{1 if size >= 0.0005 else 2}%}" if size >= 0.00005 else "0.0%"


def _values(groups: dict[str, list[CostCheck]]) -> Block:
    rows = []
    for name, members in groups.items():
        source = members[0].case.source
        printed: dict[str, list[str]] = {}
        for one in members:
            # The months of two lengths are two readings of one printed number.
            value = amount(one.case.published, one.case.unit)
            values = printed.setdefault(one.case.quantity.split(",")[0], [])
            if math.isfinite(one.case.published) and value not in values:
                values.append(value)
        words = "; ".join(f"{what} {', '.join(those)}" for what, those in printed.items() if those)
        places = "; ".join(dict.fromkeys(one.case.source.locator for one in members))
        rows.append((name, words, f"{source.title}: {places}", source.as_of))
    return Block(
        "The published values",
        "The published values are these, as they are printed, with the place and the date. Many "
        "come from publishers with something to sell, and were read in transcriptions where the "
        "paper itself was not at hand.",
        header=("Study", "Published values", "Source", "Date"),
        rows=tuple(rows),
        stacked=True,
    )
