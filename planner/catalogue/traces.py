"""Real request traces and shapes of a week, read from ``data/traces`` only when asked for."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import numpy as np

from planner.catalogue.catalogue import find_data
from planner.catalogue.records import Source
from planner.catalogue.tables import Row, read_rows
from planner.errors import MissingData

HOURS_OF_WEEK = 168


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """A published log of requests, in order of arrival.

    >>> load_trace("azure-2023-code").source.licence
    'CC-BY-4.0'
    """

    id: str
    title: str
    arrival_s: np.ndarray
    """When each request arrives, from the first [s]."""
    input_tokens: np.ndarray
    """Prompt of each [token]."""
    output_tokens: np.ndarray
    """Answer of each [token]."""
    started_weekday_hour: float
    """Hours from Monday 00:00 to the first request, on the publisher's clock [h]."""
    source: Source
    note: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class WeekShape:
    """How requests spread over the hours of a week.

    >>> float(week_shapes()["flat"].weights.max())
    1.0
    """

    id: str
    title: str
    weights: np.ndarray
    """Requests in each hour over the mean hour, Monday 00:00 first; their mean is 1 [1]."""
    source: Source
    note: str = ""


def trace_ids() -> tuple[str, ...]:
    """Identifiers of the traces.

    Returns
    -------
    tuple of str

    >>> trace_ids()
    ('azure-2023-conversation', 'azure-2023-code')
    """
    return tuple(_rows("trace"))


@lru_cache(maxsize=8)
def load_trace(identity: str) -> Trace:
    """A published trace; read once and kept.

    Parameters
    ----------
    identity : str
        One of :func:`trace_ids`.

    Returns
    -------
    Trace

    Raises
    ------
    MissingData
        There is no such trace, or its file is damaged.

    >>> trace = load_trace("azure-2023-conversation")
    >>> len(trace.arrival_s), float(trace.arrival_s[0])
    (19366, 0.0)
    """
    row = _found("trace", identity)
    path = _file(row)
    # Other columns and other spellings are a user's business; these files are known.
    try:
        with path.open(newline="", encoding="utf-8") as file:
            cells = [line for line in csv.reader(file)][1:]
        times = [datetime.fromisoformat(line[0]) for line in cells]
        tokens = np.array([line[1:3] for line in cells], dtype=float)
    except (OSError, ValueError, IndexError) as error:
        raise _damaged(row, error) from None
    first = times[0]
    return Trace(
        id=identity,
        title=row.required("title"),
        arrival_s=_fixed(np.array([(time - first).total_seconds() for time in times])),
        input_tokens=_fixed(tokens[:, 0]),
        output_tokens=_fixed(tokens[:, 1]),
        started_weekday_hour=first.weekday() * 24 + first.hour + first.minute / 60,
        source=row.source(),
        note=row.text("note"),
    )


@lru_cache(maxsize=1)
def week_shapes() -> Mapping[str, WeekShape]:
    """Every shape of a week by id; read once and kept.

    Returns
    -------
    mapping of str to WeekShape

    Raises
    ------
    MissingData
        The table is damaged.

    >>> shapes = week_shapes()
    >>> bool(shapes["office-hours"].weights[10] > 10 * shapes["office-hours"].weights[3])
    True
    """
    shapes = {}
    for identity, row in _rows("week").items():
        try:
            cells = [float(line.text(row.text("column"))) for line in read_rows(_file(row))]
        except ValueError as error:
            raise _damaged(row, error) from None
        weights = np.array(cells)
        if weights.shape != (HOURS_OF_WEEK,) or not np.all(weights >= 0) or weights.sum() == 0:
            raise _damaged(row, f"column {identity} must have {HOURS_OF_WEEK} numbers")
        shapes[identity] = WeekShape(
            id=identity,
            title=row.required("title"),
            weights=_fixed(weights / weights.mean()),
            source=row.source(),
            note=row.text("note"),
        )
    return MappingProxyType(shapes)


@lru_cache(maxsize=4)
def _rows(kind: str) -> dict[str, Row]:
    rows = read_rows(find_data() / "traces.csv")
    return {row.required("id"): row for row in rows if row.required("kind") == kind}


def _found(kind: str, identity: str) -> Row:
    rows = _rows(kind)
    if identity not in rows:
        near = difflib.get_close_matches(identity, rows, n=1, cutoff=0.3)
        raise MissingData(
            f"There is no {kind} {identity!r}; {f'perhaps {near[0]}; ' if near else ''}"
            f"there are {', '.join(rows)}."
        )
    return rows[identity]


def _file(row: Row) -> Path:
    return find_data() / row.required("file")


def _damaged(row: Row, problem: object) -> MissingData:
    return MissingData(
        f"The file data/{row.required('file')} is missing or damaged ({problem}); "
        "restore it from the repository."
    )


def _fixed(values: np.ndarray) -> np.ndarray:
    """The array, which every caller shares, closed to changes."""
    values.setflags(write=False)
    return values
