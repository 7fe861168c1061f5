"""A request log in CSV, in whatever encoding and with whatever separator it was saved."""

from __future__ import annotations

import codecs
import csv
import io
from array import array

import numpy as np

from planner.demand.columns import (
    LIMIT_ROWS,
    LogColumns,
    TimeCells,
    TokenCells,
    find_columns,
    too_many_rows,
)
from planner.errors import InvalidScenario

SEPARATORS = ",;\t|"


def text_of(content: bytes) -> str:
    """Text in UTF-8 or UTF-16, with or without a byte order mark, or else in Latin-1.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    str
        Every byte string is some text: Latin-1 has all 256 characters [1].

    Source: the Unicode standard, section 23.8, for the byte order mark.

    >>> text_of("\\ufeffé".encode("utf-16")), text_of("é".encode("latin-1"))
    ('é', 'é')
    """
    encodings = ["utf-8-sig", "latin-1"]
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings.insert(0, "utf-16")
    elif b"\0" in content[:200]:
        # Half the bytes of plain words in UTF-16 are zero; the other half tells the order.
        encodings.insert(0, "utf-16-le" if content[1:2] == b"\0" else "utf-16-be")
    for encoding in encodings:
        try:
            return content.decode(encoding).lstrip("\ufeff")
        except UnicodeDecodeError:
            continue
    raise AssertionError("Latin-1 decodes everything")


def read_csv(content: bytes, name: str) -> LogColumns:
    """The columns of a CSV file; the separator is the one that the first line has most of.

    Parameters
    ----------
    content : bytes
    name : str
        The file's name, for errors.

    Returns
    -------
    LogColumns

    Source: RFC 4180, with more separators.

    >>> read_csv(b"time;input;output\\n0,5;10;20\\n", "log.csv").time_s.tolist()
    [0.5]
    """
    text = text_of(content)
    first = text.lstrip().split("\n", 1)[0]
    separator = max(SEPARATORS, key=first.count)
    # A semicolon as separator means that the comma may be the decimal point.
    comma = separator != ","
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        header = next((line for line in lines if any(line)), [])
        places = find_columns(header, name)
        names = (header[places[0]], header[places[1]], header[places[2]])
        cells = (TimeCells(names[0], comma), TokenCells(comma), TokenCells(comma))
        numbers = array("q")
        for line in lines:
            if not any(line):
                continue
            if len(numbers) >= LIMIT_ROWS:
                raise too_many_rows(name)
            numbers.append(lines.line_num)
            for column, place in zip(cells, places, strict=True):
                column.add(line[place] if place < len(line) else "")
    except csv.Error as error:
        raise InvalidScenario(
            f"{name}, line {lines.line_num}: this is not a CSV file ({error}); save the log as "
            "CSV in UTF-8."
        ) from None
    times, ahead = cells[0].finish()
    return LogColumns(
        time_s=times,
        input_tokens=np.frombuffer(cells[1].values, dtype=float),
        output_tokens=np.frombuffer(cells[2].values, dtype=float),
        line=np.frombuffer(numbers, dtype=np.int64),
        names=names,
        unread=(cells[0].unread, cells[1].unread, cells[2].unread),
        clock_ahead_s=ahead,
    )
