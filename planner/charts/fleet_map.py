"""The fleet as boxes: every host's GPUs, who sits on each, and what is left over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from planner.catalogue import Catalogue
from planner.charts.figures import Spec
from planner.charts.fleet_boxes import (
    BETWEEN,
    FREE,
    GPU_WIDTH,
    MOST_HOSTS,
    ROW_HEIGHT,
    STRANDED,
    Box,
    Grid,
    boxes,
    grid_of,
)
from planner.charts.fleet_frames import FEWEST_ROWS, NAME_LETTERS, cuts, outlines, said
from planner.charts.fleet_looks import (
    HATCH,
    LEGEND,
    NOTHING,
    OTHERS,
    Look,
    key,
    listed,
    looks,
)
from planner.charts.money import nothing
from planner.plan import Plan, Portfolio
from planner.units import format_gib, format_number, plural

LETTERS_FROM, LETTERS_PERHAPS = 0.45, 0.2
"""Share of a GPU on which two letters fit on any screen, and on a wide one [fraction]."""
LETTER_WIDTH = 7.4
"""Of a host's name beside its row [px]."""


def fleet_map(plan: Plan, catalogue: Catalogue) -> Spec:
    """Hosts as rows and GPUs as boxes, filled by the workloads that sit on them by day.

    Memory that can still be taken is blank, memory that nobody can take any more is hatched, and
    hosts in reserve say so.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        Plotly figure; its ``height`` is what it would like to have.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> fleet_map(evaluate(Scenario(), c), c)["data"][1]["name"]
    'TS this scen…'
    """
    found = plan.portfolio
    if not found.fleet.hosts:
        return nothing("There is no host to draw", {})
    grid = grid_of(found)
    names = {gpu: catalogue.accelerator(gpu).label for gpu in _gpus(found)}
    filled: dict[str, list[tuple[int, Box]]] = defaultdict(list)
    for at, host in enumerate(grid.hosts):
        for box in boxes(found, host):
            name = found.pieces[box.pieces[0]].workload if box.pieces else box.profile
            filled[name].append((at, box))
    known = looks(plan)
    data = []
    if filled[FREE]:
        data.append(_bars(found, grid, filled[FREE], names, _plain(FREE, NOTHING)))
    if filled[STRANDED]:
        data.append(_bars(found, grid, filled[STRANDED], names, _hatched()))
    for trace, members in _traces(found, known, filled, grid.columns == 1):
        data.append(_bars(found, grid, members, names, trace))
    data += [*outlines(found, grid), *cuts(found, grid, filled)]
    data += [said(found, grid), *_letters(found, grid, filled, known)]
    layout = _layout(found, grid)
    layout["meta"] = {
        "key": key([known[name] for name in known if filled[name]], bool(filled[STRANDED]))
    }
    return {"data": data, "layout": layout}


def fleet_map_words(plan: Plan, catalogue: Catalogue) -> str:
    """The map in a sentence or two.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    str

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> fleet_map_words(evaluate(Scenario(), c), c).split(":")[0]
    '1 of 2 hosts and 1 of 16 GPUs are in use'
    """
    found, answers = plan.portfolio, plan.fleet
    kept = [found.fleet.hosts[host].id for host in sorted(found.reserved)]
    unplaced = dict.fromkeys(found.pieces[i].workload for i in found.placement.unplaced)
    words = [
        f"{answers.hosts_used:.0f} of {plural(int(answers.hosts), 'host')} and "
        f"{answers.gpus_used:.0f} of {plural(int(answers.gpus), 'GPU')} "
        f"{'is' if answers.gpus == 1 else 'are'} in use: {format_gib(answers.free_bytes)} can "
        f"still be taken, {format_gib(answers.stranded_bytes)} (hatched) by nobody."
    ]
    if kept:
        words.append(f"{listed(kept)} {'is' if len(kept) == 1 else 'are'} in reserve.")
    if unplaced:
        words.append(f"No room for all of {listed(unplaced)}.")
    if found.night is not None:
        nights = [one.row.name for one in found.workloads if one.row.when == "nights"]
        words.append(f"This is the day; {listed(nights)} {_runs_by_night(nights)} by night.")
    if len(found.fleet.hosts) > MOST_HOSTS:
        words.append(f"{MOST_HOSTS} hosts are drawn, those in use first.")
    return " ".join(words)


def _runs_by_night(names: list[str]) -> str:
    return "runs" if len(names) == 1 else "run"


def _traces(
    found: Portfolio,
    known: dict[str, Look],
    filled: dict[str, list[tuple[int, Box]]],
    written: bool,
) -> Iterator[tuple[Spec, list[tuple[int, Box]]]]:
    """One trace for each workload that has a look of its own, and one for all others."""
    rest: list[tuple[int, Box]] = []
    others = 0
    for name, look in known.items():
        members = filled.get(name, [])
        if look.colour == OTHERS:
            rest += members
            others += bool(members)
        elif members:
            yield _own(found, look, members if written else []), members
    if rest:
        yield _plain(plural(others, "other workload"), OTHERS), rest


def _own(found: Portfolio, look: Look, members: list[tuple[int, Box]]) -> Spec:
    """A workload's bars; letters in small boxes are written where plotly finds room."""
    trace: Spec = {"name": look.title, "marker": look.marker}
    text = [
        look.code if LETTERS_PERHAPS <= _share(found, box) < LETTERS_FROM else ""
        for _, box in members
    ]
    if any(text):
        trace |= {
            "text": text,
            "textposition": "inside",
            "insidetextanchor": "middle",
            "textangle": 0,
            "textfont": {"size": 11},
        }
    return trace


def _letters(
    found: Portfolio,
    grid: Grid,
    filled: dict[str, list[tuple[int, Box]]],
    known: dict[str, Look],
) -> list[Spec]:
    """Letters in boxes that are wide enough on any screen, all in one trace."""
    x, y, text, ink = [], [], [], []
    for name, look in known.items():
        for at, box in filled.get(name, []):
            if grid.columns > 1 or _share(found, box) < LETTERS_FROM:
                continue
            left, row = grid.place(at)
            slots = found.fleet.hosts[box.host].geometry.slots
            x.append(round(left + box.gpu + GPU_WIDTH * (box.start + box.size / 2) / slots, 4))
            y.append(row)
            text.append(_label(look.code, box))
            ink.append(look.ink)
    if not x:
        return []
    return [
        {
            "type": "scatter",
            "mode": "text",
            "name": "letters",
            "x": x,
            "y": y,
            "text": text,
            "textfont": {"size": 11, "color": ink},
            "hoverinfo": "skip",
            "showlegend": False,
        }
    ]


def _share(found: Portfolio, box: Box) -> float:
    """Of a GPU."""
    return box.size / found.fleet.hosts[box.host].geometry.slots


def _label(code: str, box: Box) -> str:
    return code if len(box.pieces) < 2 else f"{len(box.pieces)} {code}"


def _plain(name: str, colour: str) -> Spec:
    return {
        "name": name,
        "marker": {"color": colour, "line": {"width": 0}},
        "showlegend": name != FREE,
    }


def _hatched() -> Spec:
    return {
        "name": STRANDED,
        "marker": {
            "color": NOTHING,
            "line": {"width": 0},
            "pattern": {
                "shape": "/",
                "fgcolor": HATCH,
                "bgcolor": NOTHING,
                "size": 6,
                "solidity": 0.35,
            },
        },
    }


def _bars(
    found: Portfolio,
    grid: Grid,
    members: list[tuple[int, Box]],
    names: dict[str, str],
    trace: Spec,
) -> Spec:
    base, width, rows, told = [], [], [], []
    for at, box in members:
        left, row = grid.place(at)
        slots = found.fleet.hosts[box.host].geometry.slots
        base.append(round(left + box.gpu + GPU_WIDTH * box.start / slots, 4))
        width.append(round(GPU_WIDTH * box.size / slots, 4))
        rows.append(row)
        told.append(_hover(found, box, names))
    return {
        "type": "bar",
        "orientation": "h",
        "x": width,
        "y": rows,
        "base": base,
        "width": ROW_HEIGHT,
        "customdata": told,
        "hovertemplate": "%{customdata}<extra></extra>",
        **trace,
    }


def _hover(found: Portfolio, box: Box, names: dict[str, str]) -> str:
    host = found.fleet.hosts[box.host]
    where = f"{host.id}, GPU {box.gpu}: {names[host.geometry.gpu]}"
    memory = host.geometry.whole.memory_bytes * box.size / host.geometry.slots
    if box.host not in found.placement.hosts_used:
        standing = "kept in reserve" if box.host in found.reserved else "not needed"
        gpus = plural(host.gpus, "GPU")
        return f"<b>{host.id}: {standing}</b><br>{gpus}, {names[host.geometry.gpu]}"
    if box.profile == STRANDED:
        return f"<b>{format_gib(memory)} that nobody can take any more</b><br>{where}"
    if box.profile == FREE:
        return f"<b>{format_gib(memory)} free</b><br>{where}"
    pieces = [found.pieces[piece] for piece in box.pieces]
    profile = host.geometry.by_name[box.profile]
    what = "whole GPU" if box.profile == "whole" else f"{len(pieces)} × {box.profile}"
    slots = "" if box.profile == "whole" else f", from slot {box.start} of {host.geometry.slots}"
    return (
        f"<b>{pieces[0].workload}</b>: {what}{slots}<br>{where}<br>"
        f"{format_gib(profile.memory_bytes * len(pieces))} of GPU memory; "
        f"{format_number(sum(one.cpu_cores for one in pieces))} cores and "
        f"{format_gib(sum(one.memory_bytes for one in pieces))} of host memory"
    )


def _layout(found: Portfolio, grid: Grid) -> Spec:
    end = grid.columns * (grid.width + BETWEEN) - BETWEEN
    alone = grid.columns == 1
    shown = max(grid.rows, FEWEST_ROWS)
    letters = max((len(found.fleet.hosts[host].id) for host in grid.hosts), default=0)
    left = round(LETTER_WIDTH * min(letters, NAME_LETTERS)) if alone else 0
    return {
        "barmode": "overlay",
        "height": 130 + (28 if alone else 17) * shown,
        "xaxis": {
            "range": [-0.08 if alone else -2.2, round(end + 0.02, 4)],
            "visible": False,
        },
        # Below the last row stand the numbers of the GPUs.
        "yaxis": {"range": [(0.0 if alone else 0.55) - shown, 0.55], "visible": False},
        "uniformtext": {"mode": "hide", "minsize": 8},
        "hovermode": "closest",
        "legend": LEGEND,
        "margin": {"l": 12 + left, "r": 8, "t": 30, "b": 6 if alone else 10},
    }


def _gpus(found: Portfolio) -> frozenset[str]:
    return frozenset(host.geometry.gpu for host in found.fleet.hosts)
