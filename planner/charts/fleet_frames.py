"""Frames around the GPUs of a fleet, cuts between slices, and words over idle hosts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from planner.charts.figures import SPREAD, Spec
from planner.charts.fleet_boxes import GPU_WIDTH, ROW_HEIGHT, Box, Grid
from planner.charts.fleet_looks import FAINT, shortened
from planner.placement import Host
from planner.plan import Portfolio

NAME_LETTERS = 14
"""Letters of a host's name that stand beside its row."""
FEWEST_ROWS = 4
"""Rows that a map is high at least."""


def outlines(found: Portfolio, grid: Grid) -> list[Spec]:
    """Frames: around every GPU of hosts in use, around hosts in reserve, and around the rest.

    Parameters
    ----------
    found : Portfolio
    grid : Grid

    Returns
    -------
    list of dict

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> from planner.charts.fleet_boxes import grid_of
    >>> found = evaluate(Scenario(), load_catalogue()).portfolio
    >>> [one["line"]["dash"] for one in outlines(found, grid_of(found))]
    ['solid', 'dash', 'dot']
    """
    kinds: dict[str, tuple[list[float | None], list[float | None]]] = {
        kind: ([], []) for kind in ("solid", "dash", "dot")
    }
    for at, host in enumerate(grid.hosts):
        kind = (
            "dash"
            if host in found.reserved
            else "solid"
            if host in found.placement.hosts_used
            else "dot"
        )
        left, row = grid.place(at)
        low, high = row - ROW_HEIGHT / 2, row + ROW_HEIGHT / 2
        x, y = kinds[kind]
        gpus = found.fleet.hosts[host].gpus
        # Hosts that carry nothing are one box, so that words can stand in it.
        ends = [(gpu, gpu + 1) for gpu in range(gpus)] if kind == "solid" else [(0, gpus)]
        for first, last in ends:
            start, end = left + first, round(left + last - 1 + GPU_WIDTH, 4)
            x += [start, end, end, start, start, None]
            y += [low, low, high, high, low, None]
    colours = {"solid": SPREAD, "dash": SPREAD, "dot": FAINT}
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "GPUs",
            "x": x,
            "y": y,
            "line": {"color": colours[kind], "width": 1, "dash": kind},
            "hoverinfo": "skip",
            "showlegend": False,
        }
        for kind, (x, y) in kinds.items()
    ]


def cuts(found: Portfolio, grid: Grid, filled: dict[str, list[tuple[int, Box]]]) -> list[Spec]:
    """Lines between equal slices that follow each other, all in one trace.

    Parameters
    ----------
    found : Portfolio
    grid : Grid
    filled : dict
        Places and boxes by workload.

    Returns
    -------
    list of dict
        Empty when no slices follow each other.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> from planner.charts.fleet_boxes import grid_of
    >>> found = evaluate(Scenario(), load_catalogue()).portfolio
    >>> cuts(found, grid_of(found), {})
    []
    """
    x: list[float | None] = []
    y: list[float | None] = []
    for members in filled.values():
        for at, box in members:
            geometry = found.fleet.hosts[box.host].geometry
            left, row = grid.place(at)
            if len(box.pieces) < 2 or geometry.slots > 100:
                continue
            size = geometry.by_name[box.profile].size
            for cut in range(box.start + size, box.start + box.size, size):
                edge = round(left + box.gpu + GPU_WIDTH * cut / geometry.slots, 4)
                x += [edge, edge, None]
                y += [row - ROW_HEIGHT / 2, row + ROW_HEIGHT / 2, None]
    if not x:
        return []
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "slices",
            "x": x,
            "y": y,
            "line": {"color": "rgba(255, 255, 255, 0.7)", "width": 1},
            "hoverinfo": "skip",
            "showlegend": False,
        }
    ]


def said(found: Portfolio, grid: Grid) -> Spec:
    """Words over hosts that carry nothing; names of hosts and numbers of GPUs, or in columns the
    numbers of hosts alone. Axes would draw them too, and take longer than all boxes.

    Parameters
    ----------
    found : Portfolio
    grid : Grid

    Returns
    -------
    dict

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> from planner.charts.fleet_boxes import grid_of
    >>> found = evaluate(Scenario(), load_catalogue()).portfolio
    >>> said(found, grid_of(found))["text"][:3]
    ['in reserve', 'host-1', 'host-2']
    """
    x, y, text, places = [], [], [], []
    for first, last, words in _idle_runs(found, grid):
        left, top = grid.place(first)
        x.append(round(left + found.fleet.hosts[grid.hosts[first]].gpus / 2, 4))
        y.append(top - (last - first) / 2)
        text.append(words)
        places.append("middle center")
    alone = grid.columns == 1
    for at, host in enumerate(grid.hosts):
        left, row = grid.place(at)
        one = found.fleet.hosts[host]
        x.append(round(left - (0.04 if alone else 1.1), 4))
        y.append(row)
        text.append(shortened(one.id, NAME_LETTERS) if alone else _number(one))
        places.append("middle left" if alone else "middle center")
    for gpu in range(grid.width if alone else 0):
        x.append(gpu + GPU_WIDTH / 2)
        y.append(0.3 - max(grid.rows, FEWEST_ROWS))
        text.append(str(gpu))
        places.append("middle center")
    return {
        "type": "scatter",
        "mode": "text",
        "name": "words",
        "x": x,
        "y": y,
        "text": text,
        "textposition": places,
        "cliponaxis": False,
        "textfont": {"size": 12 if alone else 9},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _idle_runs(found: Portfolio, grid: Grid) -> Iterator[tuple[int, int, str]]:
    """First and last place of hosts that stand below each other and carry nothing, and why."""
    used, kept = found.placement.hosts_used, found.reserved

    def standing(at: int) -> tuple[int, str, int]:
        host = grid.hosts[at]
        words = "in reserve" if host in kept else "" if host in used else "not needed"
        return at // grid.rows, words, found.fleet.hosts[host].gpus

    for (_, words, _), run in groupby(range(len(grid.hosts)), standing):
        places = list(run)
        if grid.columns > 1:
            # Columns are narrow on a phone: their frames and the caption say the rest.
            words = "reserve" if words == "in reserve" else ""
        elif len(places) > 1:
            words = f"{len(places)} hosts {words}" if words else ""
        if words:
            yield places[0], places[-1], words


def _number(host: Host) -> str:
    return host.id.rpartition("-")[2]
