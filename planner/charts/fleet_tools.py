"""Every workload with the tool it needs, on one ladder from a slice to several hosts."""

from __future__ import annotations

import math

from planner.catalogue import Catalogue
from planner.charts.figures import LIMIT, SPREAD, Spec
from planner.charts.fleet_looks import FAINT, Look, listed, looks, shortened
from planner.charts.money import nothing
from planner.plan import Plan
from planner.plan.fleet_records import SIZES, SizedWorkload, Step, Tool
from planner.units import format_number, plural

RUNGS = {"slice": "slice", "gpu": "GPU", "host": "host", "cluster": "hosts"}
"""What each size is called along the ladder."""
TOOLS = {
    "slice": "a shovel: part of one GPU",
    "gpu": "a shovel: one GPU is enough",
    "host": "a spade: several GPUs, up to a host",
    "cluster": "a backhoe: more GPUs than one host has",
}
"""The same in pictures, as the first page says it."""
MOST_ROWS = 24
CLOSE_ROWS = 11
"""From this many rows on, each has one line of words."""
GANG_DOUBLINGS = 4.0
"""Doublings of GPUs that span one rung."""


def tools_picture(plan: Plan, catalogue: Catalogue) -> Spec:
    """The recommended tool of each workload, and the next size down and up beside it.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        Plotly figure; a rung of the ladder for each size, and within a rung the larger to the
        right.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> tools_picture(evaluate(Scenario(), c), c)["data"][-1]["text"]
    ['1 GPU']
    """
    sized = [one for one in plan.portfolio.workloads if one.tool is not None]
    if not sized:
        return nothing("No workload can be sized on these hosts", {})
    rows = sized[:MOST_ROWS]
    known = looks(plan)
    close = len(rows) > CLOSE_ROWS
    return {
        "data": [
            _ladders(rows),
            _others(rows, "does", lambda step: not step.tool.reason),
            _others(rows, "will not do", lambda step: bool(step.tool.reason)),
            _chosen(rows, known, close),
        ],
        "layout": _layout(rows, close),
    }


def tools_picture_words(plan: Plan, catalogue: Catalogue) -> str:
    """The ladder in a sentence or two.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    str

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> tools_picture_words(evaluate(Scenario(), c), c).split(";")[0]
    '1 of 1 workload needs a GPU (1)'
    """
    sized = [one for one in plan.portfolio.workloads if one.tool is not None]
    unsized = [one.row.name for one in plan.portfolio.workloads if one.tool is None]
    if not sized:
        return f"No workload can be sized on these hosts: {listed(unsized)}."
    counts = {size: sum(one.tool.size == size for one in sized) for size in SIZES}
    parts = [
        f"{words} ({counts[size]})"
        for size, words in (
            ("slice", "a slice"),
            ("gpu", "a GPU"),
            ("host", "a host's GPUs"),
            ("cluster", "more than a host"),
        )
        if counts[size]
    ]
    total = sum(one.tool.gpu_equivalents for one in sized)
    all_rows = plural(len(plan.portfolio.workloads), "workload")
    verb = "needs" if len(sized) == 1 else "need"
    said = (
        f"{len(sized)} of {all_rows} {verb} {listed(parts)}; together "
        f"{format_number(total)} GPUs' worth. Hollow: the next size down or up; ✕: it will not do."
    )
    if unsized:
        said += f" Nothing here will do for {listed(unsized)}."
    if len(sized) > MOST_ROWS:
        said += f" The first {MOST_ROWS} are drawn; the table has all."
    return said


def tools_table(plan: Plan, catalogue: Catalogue) -> Spec:
    """Why each workload has its size: what it takes, and what the next sizes would mean.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        A table, see :data:`planner.charts.TABLES`.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> tools_table(evaluate(Scenario(), c), c)["rows"][0]["cells"][1]["text"]
    '1 GPU'
    """
    return {
        "heads": [
            {"text": "Workload"},
            {"text": "The right tool"},
            {"text": "GPUs' worth", "number": True},
            {"text": "One size down"},
            {"text": "One size up", "few": True},
            {"text": "For how long", "few": True},
        ],
        "rows": [_row(one) for one in plan.portfolio.workloads],
        "caption": tools_picture_words(plan, catalogue),
        "notes": [
            "A shovel is one GPU or part of one, a spade up to one host, a backhoe more than that."
        ],
    }


def _row(one: SizedWorkload) -> Spec:
    row = {"id": one.row.name, "name": one.row.name}
    name: Spec = {"text": one.row.name, "note": one.model_name or "notebooks"}
    if one.tool is None:
        why: Spec = {"text": "none will do", "tone": "bad", "note": one.reason}
        return {**row, "look": "out", "cells": [name, why, "–", "–", "–", "–"]}
    tool = one.tool
    return {
        **row,
        "look": "",
        "cells": [
            name,
            {"text": tool.label, "note": f"{tool.gpu_name}; {TOOLS[tool.size]}"},
            format_number(tool.gpu_equivalents),
            _step(one.smaller, "nothing smaller here"),
            _step(one.larger, "nothing larger here"),
            {"text": one.duration, "note": one.queue},
        ],
    }


def _step(step: Step | None, none: str) -> Spec:
    if step is None:
        return {"text": "–", "note": none}
    tone = {"tone": "bad"} if step.tool.reason else {}
    return {"text": _unit(step.tool), "note": step.words, **tone}


def _unit(tool: Tool) -> str:
    """A step that will not do may have no pieces; then its size is named alone."""
    if tool.pieces:
        return tool.label
    return tool.profile if tool.profile != "whole" else plural(tool.gpus_per_piece, "GPU")


def _place(tool: Tool) -> float:
    """Where a tool stands on the ladder: its rung, and within it by GPUs."""
    gpus = max(tool.gpu_equivalents, 1e-3)
    if tool.size == "slice":
        within = 1.0 + math.log2(min(gpus, 1.0)) / GANG_DOUBLINGS
    elif tool.size == "gpu":
        within = 0.5
    else:
        within = math.log2(max(gpus, 1.0)) / (GANG_DOUBLINGS if tool.size == "host" else 10.0)
    return SIZES.index(tool.size) + 0.12 + 0.76 * min(max(within, 0.0), 1.0)


def _step_places(one: SizedWorkload) -> list[tuple[Step, float]]:
    """The next sizes with their places, kept a little apart from the recommended one."""
    here = _place(one.tool)
    found = []
    for step, side in ((one.smaller, -1), (one.larger, 1)):
        if step is None:
            continue
        place = _place(step.tool) if step.tool.pieces else here + 0.5 * side
        # A step is a step of one piece: fewer GPUs each may come to more GPUs in all.
        place = min(place, here - 0.22) if side < 0 else max(place, here + 0.22)
        found.append((step, round(min(max(place, 0.08), len(SIZES) - 0.08), 3)))
    return found


def _ladders(rows: list[SizedWorkload]) -> Spec:
    x: list[float | None] = []
    y: list[int | None] = []
    for at, one in enumerate(rows):
        ends = [_place(one.tool), *(place for _, place in _step_places(one))]
        x += [round(min(ends), 3), round(max(ends), 3), None]
        y += [-at, -at, None]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "ladder",
        "x": x,
        "y": y,
        "line": {"color": FAINT, "width": 2},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _others(rows: list[SizedWorkload], name: str, wanted) -> Spec:
    x, y, told = [], [], []
    for at, one in enumerate(rows):
        for step, place in _step_places(one):
            if wanted(step):
                side = "down" if step is one.smaller else "up"
                x.append(place)
                y.append(-at)
                told.append(
                    f"<b>{one.row.name}</b>, one size {side}: {_unit(step.tool)}<br>{step.words}"
                )
    fails = name == "will not do"
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": x,
        "y": y,
        "customdata": told,
        "marker": {
            "symbol": "x-thin-open" if fails else "circle-open",
            "size": 9 if fails else 11,
            "color": LIMIT if fails else SPREAD,
            "line": {"width": 2},
        },
        "hovertemplate": "%{customdata}<extra></extra>",
        "showlegend": False,
    }


def _chosen(rows: list[SizedWorkload], known: dict[str, Look], close: bool) -> Spec:
    sides = {"slice": "right", "gpu": "center", "host": "center", "cluster": "left"}
    return {
        "type": "scatter",
        "mode": "markers" if close else "markers+text",
        "name": "recommended",
        "x": [round(_place(one.tool), 3) for one in rows],
        "y": [-at for at in range(len(rows))],
        "text": [one.tool.label for one in rows],
        "textposition": [f"top {sides[one.tool.size]}" for one in rows],
        "textfont": {"size": 11},
        "customdata": [
            f"<b>{one.row.name}</b>: {one.tool.label} of {one.tool.gpu_name}<br>"
            f"{format_number(one.tool.gpu_equivalents)} GPUs' worth, {one.duration}"
            for one in rows
        ],
        "marker": {
            "size": 14,
            "symbol": "square",
            "color": [known[one.row.name].colour for one in rows],
        },
        "hovertemplate": "%{customdata}<extra></extra>",
        "showlegend": False,
        "cliponaxis": False,
    }


def _layout(rows: list[SizedWorkload], close: bool) -> Spec:
    return {
        "height": 70 + (24 if close else 40) * max(len(rows), 3),
        "xaxis": {
            "range": [0, len(SIZES)],
            "side": "top",
            "tickvals": [at + 0.5 for at in range(len(SIZES))],
            "ticktext": [RUNGS[size] for size in SIZES],
            "showgrid": False,
            "minor": {
                "tickvals": list(range(1, len(SIZES))),
                "showgrid": True,
                "gridcolor": FAINT,
            },
        },
        "yaxis": {
            "range": [0.55 - max(len(rows), 3), 0.75],
            "tickvals": [-at for at in range(len(rows))],
            "ticktext": [_name(one, close) for one in rows],
            "showgrid": False,
            "automargin": True,
        },
        "hovermode": "closest",
        "margin": {"l": 20, "r": 10, "t": 28, "b": 8},
    }


def _name(one: SizedWorkload, close: bool) -> str:
    name = shortened(one.row.name, 16)
    if close:
        return name
    worth = one.tool.gpu_equivalents
    gpus = f"{format_number(worth, 2)} GPU{'' if worth <= 1 else 's'}"
    return f"{name}<br><span style='font-size:10px'>{gpus}, {_brief(one)}</span>"


def _brief(one: SizedWorkload) -> str:
    """For how long, in a word or two."""
    if one.row.shape == "training" and math.isfinite(one.tool.hours):
        return "once"
    if one.row.when == "campaign":
        return plural(one.row.days, "day")
    return one.row.when
