"""An uploaded request log: who asked when, for how many tokens, and what was left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.demand.columns import CALL_THEM, LogColumns, shown
from planner.demand.csv_log import read_csv
from planner.demand.parquet_log import read_parquet
from planner.demand.timestamps import weekday_hour
from planner.errors import InvalidScenario
from planner.units import MB

LIMIT_BYTES = 50_000_000
"""Largest file that is read [byte]."""
LIMIT_FAULTS = 0.01
"""Largest share of rows that may be left out as unreadable [fraction]."""
LIMIT_TOKENS = 1e8
"""More tokens in one request are a mistake [token]."""
LIMIT_TIME_S = 1e12
"""Later times are a mistake: 30,000 years [s]."""
LIMIT_DURATION_S = 366 * 86400.0
"""Longest log [s]."""
MAGICS = {
    b"PK\x03\x04": "a workbook or a zip archive",
    b"\x1f\x8b": "compressed with gzip",
    b"\x28\xb5\x2f\xfd": "compressed with Zstandard",
    b"%PDF": "a PDF",
}


@dataclass(frozen=True, slots=True, eq=False)
class RequestLog:
    """Requests in order of arrival, as they were logged.

    >>> log = read_request_log(b"time,input_tokens,output_tokens\\n0,100,20\\n2,50,10\\n", "a.csv")
    >>> log.arrival_s.tolist(), log.started_weekday_hour
    ([0.0, 2.0], None)
    """

    arrival_s: np.ndarray
    """When each request arrives, from the first [s]."""
    input_tokens: np.ndarray
    """Prompt of each [token]."""
    output_tokens: np.ndarray
    """Answer of each, 1 or more [token]."""
    started_weekday_hour: float | None = None
    """Hours from Monday 00:00 to the first request, on the log's own clock; None when the log
    has no date [h]."""
    note: str = ""
    """What was left out or changed, in a sentence; empty when nothing was."""
    name: str = ""
    """The file's name."""


def read_request_log(content: bytes, name: str = "The log") -> RequestLog:
    """A request log from the bytes of a CSV or Parquet file.

    Parameters
    ----------
    content : bytes
    name : str
        The file's name; it tells the kind of file, and errors begin with it.

    Returns
    -------
    RequestLog

    Raises
    ------
    InvalidScenario
        The file is empty, too large, of another kind, lacks a column, or more than one row in a
        hundred cannot be read.

    Source: no publication.

    >>> read_request_log(b"when,what\\n1,2\\n", "log.csv")
    Traceback (most recent call last):
        ...
    planner.errors.InvalidScenario: log.csv: no column of the time of arrival was found, ...
    """
    name = shown(name) or "The log"
    if len(content) > LIMIT_BYTES:
        raise InvalidScenario(
            f"{name}: {len(content) / MB:,.0f} MB, the limit is {LIMIT_BYTES / MB:,.0f} MB; keep "
            f"only {CALL_THEM}, or a typical week."
        )
    if not content.strip():
        raise InvalidScenario(f"{name}: the file is empty; choose a log with {CALL_THEM}.")
    for magic, kind in MAGICS.items():
        if content.startswith(magic):
            raise InvalidScenario(f"{name}: the file is {kind}; save the log as CSV or Parquet.")
    if content.startswith(b"PAR1") or name.lower().endswith((".parquet", ".pq")):
        return _checked(read_parquet(content, name), name)
    return _checked(read_csv(content, name), name)


def _checked(columns: LogColumns, name: str) -> RequestLog:
    total = len(columns.time_s)
    if not total:
        raise InvalidScenario(f"{name}: there is no request below the header; add some.")
    bad = _unreadable(columns)
    faults, notes = int(bad.any(axis=0).sum()), []
    if faults:
        # One bad row of a short log is not a habit; of a long one, more than 1 % is.
        if faults > max(1.0, LIMIT_FAULTS * total) or faults == total:
            raise InvalidScenario(
                f"{name}: {faults:,} of {total:,} rows cannot be read, more than 1 in 100; "
                f"{_first_fault(columns, bad)}; mend or delete such rows and save it again."
            )
        notes.append(
            f"{faults:,} of {total:,} rows left out as unreadable: {_first_fault(columns, bad)}"
        )
    kept = ~bad.any(axis=0)
    unanswered = kept & (columns.output_tokens == 0)
    if unanswered.any():
        kept &= ~unanswered
        notes.append(f"{unanswered.sum():,} requests without an answer left out")
    times = columns.time_s[kept]
    _require_span(times, name)
    order = np.argsort(times, kind="stable")
    if np.any(np.diff(times) < 0):
        notes.append("rows put in order of arrival")
    first = times[order[0]]
    ahead = columns.clock_ahead_s
    return RequestLog(
        arrival_s=times[order] - first,
        input_tokens=columns.input_tokens[kept][order],
        output_tokens=columns.output_tokens[kept][order],
        started_weekday_hour=None if ahead is None else float(weekday_hour(first + ahead)),
        note="; ".join(notes) + ("." if notes else ""),
        name=name,
    )


def _unreadable(columns: LogColumns) -> np.ndarray:
    """Column by row: whether the cell is no time, or no whole number of tokens."""
    bad = [~(np.abs(columns.time_s) <= LIMIT_TIME_S)]
    for tokens in (columns.input_tokens, columns.output_tokens):
        fine = (tokens >= 0) & (tokens <= LIMIT_TOKENS) & (tokens == np.floor(tokens))
        bad.append(~fine)
    return np.array(bad)


def _first_fault(columns: LogColumns, bad: np.ndarray) -> str:
    row = int(bad.any(axis=0).argmax())
    which = int(bad[:, row].argmax())
    value = (columns.time_s, columns.input_tokens, columns.output_tokens)[which][row]
    text = shown(columns.unread[which]) if np.isnan(value) else f"{value:.10g}"
    wanted = f"a whole number of tokens from 0 to {LIMIT_TOKENS:,.0f}"
    if which == 0:
        wanted = "a time such as 2026-03-02 09:30:00.5, or seconds"
    return (
        f"the first is row {columns.line[row]:,}, column {shown(columns.names[which])}: "
        f"'{text}' should be {wanted}"
    )


def _require_span(times: np.ndarray, name: str) -> None:
    """At least two requests at different times, within a year."""
    span = float(times.max() - times.min()) if len(times) else 0.0
    if span <= 0:
        raise InvalidScenario(
            f"{name}: {len(times):,} requests with an answer, all at one time; a rate needs at "
            "least two at different times, so choose a longer log."
        )
    if span > LIMIT_DURATION_S:
        raise InvalidScenario(
            f"{name}: {span / 86400:,.0f} days from the first request to the last, the limit is "
            "366; a wrong date may stand in one row, else keep a typical week."
        )
