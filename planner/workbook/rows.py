"""Tables that a person fills in row by row: their controls, what an edit makes of them, and which
row a sentence is about."""

from __future__ import annotations

import re
from typing import Any

from planner.errors import InvalidScenario
from planner.scenario import Scenario, row_schema
from planner.scenario.portfolio import MOST_GROUPS, MOST_WORKLOADS

WORKLOADS, HOSTS = "portfolio.workloads", "portfolio.hosts"
Row = dict[str, Any]
Place = dict[str, Any]
NOUNS = {WORKLOADS: "workload", HOSTS: "group of hosts"}
EMPTY = {
    WORKLOADS: "None yet: add one below.",
    HOSTS: "None yet: this scenario's own hosts at hand are taken.",
}
MOST = {WORKLOADS: MOST_WORKLOADS, HOSTS: MOST_GROUPS}
PRESETS: dict[str, dict[str, Row]] = {
    WORKLOADS: {
        "Chat assistant": {
            "shape": "serving",
            "model": "Qwen/Qwen3-8B",
            "requests_per_hour": 3000.0,
            "prompt_tokens": 1200,
            "output_tokens": 250,
            "isolation": "hardware",
            "priority": "high",
        },
        "Embedding service": {
            "shape": "serving",
            "model": "BAAI/bge-m3",
            "weight_precision": "bf16",
            "requests_per_hour": 20_000.0,
            "prompt_tokens": 400,
            "output_tokens": 1,
            "ttft_s": 0.5,
        },
        "Nightly batch": {
            "shape": "batch",
            "model": "Qwen/Qwen3-14B",
            "requests": 50_000,
            "prompt_tokens": 2000,
            "output_tokens": 300,
            "when": "nights",
            "priority": "low",
        },
        "LoRA fine-tune": {
            "shape": "training",
            "model": "Qwen/Qwen3-8B",
            "when": "campaign",
            "days": 7,
            "priority": "low",
        },
        "Notebooks": {"shape": "notebooks", "when": "office hours"},
    },
    HOSTS: {
        "Whole GPUs": {"count": 2},
        "Slices by MIG": {"gpu": "h100-sxm-80gb", "carving": "mig", "count": 2},
        "Slices by vGPU": {
            "gpu": "l40s-48gb",
            "gpus": 4,
            "carving": "vgpu same size",
            "cpu_cores": 64,
            "memory_gib": 1024,
            "count": 2,
        },
    },
}
"""Rows to start from, by table and name."""
EDIT = re.compile(r"(portfolio\.(?:workloads|hosts))/(\d{1,3})/(\w{1,40})")
SAID = re.compile(r"(portfolio\.(?:workloads|hosts)), row (\d+)(?:: (\w+))?")


def cell_of(path: Any) -> tuple[str, int, str] | None:
    """The table, row and field that a path of the page means.

    Parameters
    ----------
    path
        As the page sends it.

    Returns
    -------
    tuple of str, int and str, or None
        None when it is no cell of a table.

    >>> cell_of("portfolio.workloads/2/people")
    ('portfolio.workloads', 2, 'people')
    """
    found = EDIT.fullmatch(path) if isinstance(path, str) else None
    if found is None or found[3] not in row_schema(found[1]):
        return None
    return found[1], int(found[2]), found[3]


def with_cell(scenario: Scenario, cell: tuple[str, int, str], value: Any) -> Scenario:
    """A scenario with one cell of a table changed.

    Parameters
    ----------
    scenario : Scenario
    cell : tuple of str, int and str
        Table, row from 0 and field.
    value
        As the page sends it.

    Returns
    -------
    Scenario

    Raises
    ------
    InvalidScenario
        There is no such row, or it may not have this value.

    >>> start = edited(Scenario(), "portfolio.workloads", "add", preset="Notebooks")
    >>> told = with_cell(start, ("portfolio.workloads", 0, "people"), 7)
    >>> told.portfolio.workloads[0].people
    7
    """
    table, at, name = cell
    rows = rows_of(scenario, table)
    rows[_within(rows, at)][name] = value
    return scenario.changed({table: rows})


def edited(
    scenario: Scenario, table: Any, action: Any, row: Any = 0, to: Any = 0, preset: Any = ""
) -> Scenario:
    """A scenario with a row added, copied, moved or taken away.

    Parameters
    ----------
    scenario : Scenario
    table : str
        Path of the table.
    action : str
        ``add``, ``copy``, ``move`` or ``remove``.
    row : int
        Which row, from 0.
    to : int
        Where it goes.
    preset : str
        Name of the row to start from; a bare one by default.

    Returns
    -------
    Scenario

    Raises
    ------
    InvalidScenario
        The page asked for what there is not.

    >>> two = edited(edited(Scenario(), WORKLOADS, "add"), WORKLOADS, "copy")
    >>> [one.name for one in two.portfolio.workloads]
    ['New workload', 'New workload 2']
    """
    if not isinstance(table, str) or table not in NOUNS:
        raise InvalidScenario("The page changed a table that a scenario does not have.")
    rows = rows_of(scenario, table)
    if action in ("add", "copy") and len(rows) >= MOST[table]:
        raise InvalidScenario(
            f"{table} has {len(rows)} rows and takes at most {MOST[table]}; remove one first.",
            field=table,
        )
    if action == "add":
        rows.append(_new(rows, table, preset))
    elif action == "copy":
        source = rows[_within(rows, row)]
        rows.insert(row + 1, {**source, "name": _unused(source["name"], rows)})
    elif action == "move":
        moved = rows.pop(_within(rows, row))
        rows.insert(_within([*rows, moved], to), moved)
    elif action == "remove":
        rows.pop(_within(rows, row))
    else:
        raise InvalidScenario("The page asked for something this workbook does not know.")
    return scenario.changed({table: rows})


def rows_of(scenario: Scenario, table: str) -> list[Row]:
    """The rows of a table as plain data; what has its default is left out.

    Parameters
    ----------
    scenario : Scenario
    table : str

    Returns
    -------
    list of dict

    >>> rows_of(Scenario(), "portfolio.hosts")
    []
    """
    section, _, name = table.partition(".")
    return [
        row.model_dump(exclude_defaults=True) for row in getattr(getattr(scenario, section), name)
    ]


def place_of(error: str, cell: tuple[str, int, str] | None = None) -> Place:
    """Which row and field a sentence is about, from 0; empty when it names none.

    Parameters
    ----------
    error : str
    cell : tuple of str, int and str, optional
        What was just changed: a sentence without a row is about it.

    Returns
    -------
    dict

    >>> place_of("portfolio.workloads, row 2: people is -1; it must be at least 1.")
    {'path': 'portfolio.workloads', 'row': 1, 'name': 'people'}
    """
    found = SAID.search(error)
    if found:
        name = found[3] if found[3] in row_schema(found[1]) else ""
        return {"path": found[1], "row": int(found[2]) - 1, "name": name}
    return {"path": cell[0], "row": cell[1], "name": cell[2]} if cell else {}


def _new(rows: list[Row], table: str, preset: Any) -> Row:
    start = PRESETS[table].get(preset, {}) if isinstance(preset, str) else {}
    name = preset if start else f"New {NOUNS[table].partition(' of ')[0]}"
    return {**start, "name": _unused(name, rows)}


def _unused(name: str, rows: list[Row]) -> str:
    """The name, or with the first number that makes it differ from the others."""
    taken = {row["name"].strip().lower() for row in rows}
    stem = re.sub(r" \d+$", "", name)[:35]
    named = (name, *(f"{stem} {number}" for number in range(2, len(rows) + 3)))
    return next(one for one in named if one.strip().lower() not in taken)


def _within(rows: list[Row], at: Any) -> int:
    if not isinstance(at, int) or isinstance(at, bool) or not 0 <= at < len(rows):
        raise InvalidScenario("The page changed a row that the table does not have.")
    return at
