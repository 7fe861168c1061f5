"""The three columns of a request log, found by name and read as numbers."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from planner.demand.timestamps import clock_of, number_of, parse_time
from planner.errors import InvalidScenario

LIMIT_ROWS = 2_000_000
"""Most requests that are read [request]."""
SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "time of arrival": (
        "timestamp", "arrivedat", "arrivaltime", "arrivals", "arrival", "requesttime",
        "createdat", "starttime", "startedat", "datetime", "timestampms", "arrivalms",
        "timestampus", "timestampns", "timestamps", "timems", "times", "time", "created", "date",
        "ts",
    ),
    "input tokens": (
        "contexttokens", "inputtokens", "prompttokens", "numprefilltokens", "numprompttokens",
        "prefilltokens", "requesttokens", "inputtokencount", "inputlength", "promptlength",
        "inputlen", "promptlen", "tokensin", "isl", "input",
    ),
    "output tokens": (
        "generatedtokens", "outputtokens", "completiontokens", "numdecodetokens",
        "numgeneratedtokens", "numoutputtokens", "decodetokens", "responsetokens",
        "outputtokencount", "outputlength", "generatedlength", "outputlen", "tokensout", "osl",
        "output",
    ),
}  # fmt: skip
"""What each column is called in the wild: lower case, letters and digits only."""
CALL_THEM = "timestamp, input_tokens and output_tokens"


@dataclass(frozen=True, slots=True, eq=False)
class LogColumns:
    """Three columns as numbers, faults included.

    >>> LogColumns.__slots__[:3]
    ('time_s', 'input_tokens', 'output_tokens')
    """

    time_s: np.ndarray
    """When each request arrives, not-a-number where unreadable [s]."""
    input_tokens: np.ndarray
    """Prompt of each, not-a-number where unreadable [token]."""
    output_tokens: np.ndarray
    """Answer of each, not-a-number where unreadable [token]."""
    line: np.ndarray
    """Where each stands in the file, the header being 1 [1]."""
    names: tuple[str, str, str]
    """The columns' names in the file."""
    unread: tuple[str, str, str]
    """The first unreadable cell of each column."""
    clock_ahead_s: float | None
    """How far the log's clock is ahead of UTC; None when it has no date [s]."""


class TimeCells:
    """Times of arrival, cell by cell: numbers if the first is one, dates otherwise.

    >>> cells = TimeCells("timestamp")
    >>> cells.add("1970-01-01T00:00:10Z"); cells.finish()[0].tolist()
    [10.0]
    """

    def __init__(self, column: str, decimal_comma: bool = False) -> None:
        self.column, self.decimal_comma = column, decimal_comma
        self.values, self.unread = array("d"), ""
        self.numeric: bool | None = None
        self.earliest, self.ahead = math.inf, 0.0

    def add(self, text: str) -> None:
        """Read one cell.

        Parameters
        ----------
        text : str

        Returns
        -------
        None
            The value, in the cell's own unit [1], is kept.
        """
        if self.numeric is None:
            self.numeric = not math.isnan(number_of(text, self.decimal_comma))
        if self.numeric:
            value = number_of(text, self.decimal_comma)
        else:
            value, ahead = parse_time(text)
            if value < self.earliest:
                self.earliest, self.ahead = value, ahead
        if not math.isfinite(value) and not self.unread:
            self.unread = text or "empty"
        self.values.append(value)

    def finish(self) -> tuple[np.ndarray, float | None]:
        """All times, and how far their clock is ahead of UTC.

        Returns
        -------
        tuple of array [s] and float [s] or None
        """
        values = np.frombuffer(self.values, dtype=float)
        if not self.numeric:
            return values, self.ahead
        divisor, dated = clock_of(values, self.column)
        return values / divisor, 0.0 if dated else None


class TokenCells:
    """Token counts, cell by cell.

    >>> cells = TokenCells(); cells.add("12"); cells.add("x"); list(cells.values), cells.unread
    ([12.0, nan], 'x')
    """

    def __init__(self, decimal_comma: bool = False) -> None:
        self.decimal_comma = decimal_comma
        self.values, self.unread = array("d"), ""

    def add(self, text: str) -> None:
        """Read one cell.

        Parameters
        ----------
        text : str

        Returns
        -------
        None
            The count [token] is kept.
        """
        value = number_of(text, self.decimal_comma)
        if not math.isfinite(value) and not self.unread:
            self.unread = text or "empty"
        self.values.append(value)


def find_columns(header: Sequence[str], name: str) -> tuple[int, int, int]:
    """Places of the time of arrival, the input tokens and the output tokens.

    Names match whatever their case, blanks and underscores.

    Parameters
    ----------
    header : sequence of str
    name : str
        The file's name, for the error.

    Returns
    -------
    tuple of int [1]

    Source: column names of the Azure, BurstGPT, Mooncake, Vidur and vLLM logs.

    >>> find_columns(["TIMESTAMP", "ContextTokens", "GeneratedTokens"], "azure.csv")
    (0, 1, 2)
    """
    keys = ["".join(c for c in title.lower() if c.isalnum()) for title in header]
    places = []
    for wanted, synonyms in SYNONYMS.items():
        found = next((keys.index(one) for one in synonyms if one in keys), None)
        if found is None:
            there = ", ".join(repr(shown(title)) for title in header[:12]) or "nothing"
            raise InvalidScenario(
                f"{name}: no column of the {wanted} was found, the first line names {there}; "
                f"call the columns {CALL_THEM} in the first line."
            )
        places.append(found)
    return places[0], places[1], places[2]


def too_many_rows(name: str) -> InvalidScenario:
    """The error for a log with more rows than are read.

    Parameters
    ----------
    name : str

    Returns
    -------
    InvalidScenario
        It names the limit in rows [request].

    Source: no publication.

    >>> str(too_many_rows("a.csv"))
    'a.csv: more than 2,000,000 requests; keep a typical week, or every second user, and try again.'
    """
    return InvalidScenario(
        f"{name}: more than {LIMIT_ROWS:,} requests; keep a typical week, or every second user, "
        "and try again."
    )


def shown(text: str) -> str:
    """A cell on one line and of bounded length, fit for a sentence.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        At most 40 characters [1].

    Source: no publication.

    >>> shown("a" * 50)[-3:], shown("two\\nlines")
    ('...', 'two lines')
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text[:200]).split())
    return line if len(line) <= 40 else f"{line[:37]}..."
