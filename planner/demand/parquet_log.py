"""A request log in Parquet; needs pyarrow, which nothing else here does."""

from __future__ import annotations

from typing import Any

import numpy as np

from planner.demand.columns import (
    LIMIT_ROWS,
    LogColumns,
    TimeCells,
    TokenCells,
    find_columns,
    shown,
    too_many_rows,
)
from planner.demand.timestamps import clock_of
from planner.errors import InvalidScenario

LIMIT_UNPACKED_BYTES = 1e9
"""Largest table that is unpacked [byte]."""


def read_parquet(content: bytes, name: str) -> LogColumns:
    """The columns of a Parquet file.

    Parameters
    ----------
    content : bytes
    name : str
        The file's name, for errors.

    Returns
    -------
    LogColumns

    Source: Apache Parquet, read by pyarrow.

    >>> read_parquet(b"PAR1 cut off", "log.parquet")
    Traceback (most recent call last):
        ...
    planner.errors.InvalidScenario: log.parquet: ...
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise InvalidScenario(
            f"{name}: reading Parquet needs the package pyarrow, which is not installed; install "
            "it (pip install pyarrow) or save the log as CSV."
        ) from None
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        header = [str(one) for one in file.schema_arrow.names]
        places = find_columns(header, name)
        _require_small(file, name)
        names = (header[places[0]], header[places[1]], header[places[2]])
        columns = [file.read(columns=[one]).column(0).combine_chunks() for one in names]
        times, ahead, unread = _times(pa, columns[0], names[0], name)
        inputs, outputs = (
            _tokens(pa, column, title, name)
            for column, title in zip(columns[1:], names[1:], strict=True)
        )
    except (pa.ArrowException, OSError, ValueError, KeyError, IndexError) as error:
        raise InvalidScenario(
            f"{name}: this Parquet file is damaged or of an unknown kind ({shown(str(error))}); "
            "save it again, or save the log as CSV."
        ) from None
    if not len(times) == len(inputs[0]) == len(outputs[0]):
        raise InvalidScenario(
            f"{name}: this Parquet file is damaged, its columns differ in length; save it again."
        )
    return LogColumns(
        time_s=times,
        input_tokens=inputs[0],
        output_tokens=outputs[0],
        line=np.arange(2, len(times) + 2),
        names=names,
        unread=(unread, inputs[1], outputs[1]),
        clock_ahead_s=ahead,
    )


def _require_small(file: Any, name: str) -> None:
    groups = range(file.metadata.num_row_groups)
    unpacked = sum(file.metadata.row_group(one).total_byte_size for one in groups)
    if file.metadata.num_rows > LIMIT_ROWS:
        raise too_many_rows(name)
    if unpacked > LIMIT_UNPACKED_BYTES:
        raise InvalidScenario(
            f"{name}: {unpacked / 1e9:,.1f} GB when unpacked, the limit is "
            f"{LIMIT_UNPACKED_BYTES / 1e9:g} GB; keep only the three columns that are needed."
        )


def _times(pa: Any, column: Any, title: str, name: str) -> tuple[np.ndarray, float | None, str]:
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _times(pa, column.cast(kind.value_type), title, name)
    if pa.types.is_date(kind):
        return _times(pa, column.cast(pa.timestamp("ms")), title, name)
    if pa.types.is_timestamp(kind):
        divisor = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[kind.unit]
        return _numbers(pa, column.cast(pa.int64())) / divisor, _ahead_s(pa, column), "empty"
    if _is_text(pa, kind):
        cells = TimeCells(title)
        for text in column.to_pylist():
            cells.add(text or "")
        return *cells.finish(), cells.unread
    values = _numbers(pa, _plain(pa, column, title, name))
    divisor, dated = clock_of(values, title)
    return values / divisor, 0.0 if dated else None, "empty"


def _ahead_s(pa: Any, column: Any) -> float:
    """How far the zone of a column of times is ahead of UTC at its first time."""
    first = next((one for one in column if one.is_valid), None)
    if column.type.tz is None or first is None:
        return 0.0
    try:
        # In whole seconds: Python has no nanoseconds.
        whole = first.cast(pa.timestamp("s", column.type.tz), safe=False)
        offset = whole.as_py().utcoffset()
    except (TypeError, ValueError, KeyError, OverflowError):
        return 0.0
    return offset.total_seconds() if offset else 0.0


def _tokens(pa: Any, column: Any, title: str, name: str) -> tuple[np.ndarray, str]:
    if pa.types.is_dictionary(column.type):
        return _tokens(pa, column.cast(column.type.value_type), title, name)
    if _is_text(pa, column.type):
        cells = TokenCells()
        for text in column.to_pylist():
            cells.add(text or "")
        return np.frombuffer(cells.values, dtype=float), cells.unread
    return _numbers(pa, _plain(pa, column, title, name)), "empty"


def _is_text(pa: Any, kind: Any) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _plain(pa: Any, column: Any, title: str, name: str) -> Any:
    kind = column.type
    known = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_null)
    if any(one(kind) for one in known):
        return column
    raise InvalidScenario(
        f"{name}: column {shown(title)} holds values of type {shown(str(kind))}; numbers, dates "
        "or text are read, so convert it first."
    )


def _numbers(pa: Any, column: Any) -> np.ndarray:
    # An unsafe cast only rounds integers beyond 2**53, as nanoseconds are.
    floats = column.cast(pa.float64(), safe=False)
    return np.asarray(floats.to_numpy(zero_copy_only=False), dtype=float)
