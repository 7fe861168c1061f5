"""Serving engines: what each version reserves (``data/engines.csv``, one sourced number a row), and
the families whose speed was measured (``data/serving_engines.csv``)."""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from pathlib import Path

from planner.catalogue.records import Basis, Engine, Source, weakest
from planner.catalogue.tables import read_rows
from planner.errors import MissingData


@dataclass(frozen=True, slots=True)
class ServingEngine:
    """A family of engine versions that serve at much the same speed."""

    id: str
    name: str
    memory_profile: str
    """Id in ``data/engines.csv`` whose reserves stand for it."""
    utilization_fraction: float
    """Share of a GPU's memory that it takes by default [fraction]."""
    sequences_large: float
    """Most requests in a batch by default on a large GPU [request]."""
    sequences_small: float
    """The same on a smaller GPU [request]."""
    narrow_cache_for: tuple[str, ...]
    """Weight precisions whose checkpoints bring an FP8 KV cache."""
    aliases: tuple[str, ...]
    source: Source
    note: str = ""


def load_serving_engines(path: Path) -> dict[str, ServingEngine]:
    """Every engine family of the table.

    Parameters
    ----------
    path : Path
        ``serving_engines.csv``.

    Returns
    -------
    dict
        Id to record, in the order of the table.

    >>> from planner.catalogue.catalogue import find_data
    >>> list(load_serving_engines(find_data() / "serving_engines.csv"))
    ['vllm', 'tensorrt-llm', 'sglang', 'generic']
    """
    return {
        row.required("id"): ServingEngine(
            id=row.required("id"),
            name=row.required("name"),
            memory_profile=row.required("memory_profile"),
            utilization_fraction=row.number("utilization_fraction"),
            sequences_large=row.number("sequences_large"),
            sequences_small=row.number("sequences_small"),
            narrow_cache_for=row.names("narrow_cache_for"),
            aliases=row.names("aliases"),
            source=row.source(),
            note=row.text("note"),
        )
        for row in read_rows(path)
    }


def load_engines(data_dir: Path) -> dict[str, Engine]:
    """Every engine profile of the table.

    Parameters
    ----------
    data_dir : Path
        Folder with ``engines.csv``.

    Returns
    -------
    dict
        Engine id to record, in the order of the table.

    Raises
    ------
    MissingData
        A constant is absent or is not a number.

    >>> from planner.catalogue.catalogue import find_data
    >>> load_engines(find_data())["vllm"].block_tokens
    16.0
    """
    rows: dict[str, list[dict[str, str]]] = {}
    with (data_dir / "engines.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            rows.setdefault(row["engine"], []).append(row)
    return {identity: _engine(identity, table) for identity, table in rows.items()}


def _engine(identity: str, table: list[dict[str, str]]) -> Engine:
    values = {row["parameter"]: row["value"] for row in table}
    name = values.pop("name", identity)
    wanted = {f.name for f in fields(Engine)} - {"id", "name", "source"}
    if set(values) != wanted:
        odd = ", ".join(sorted(set(values) ^ wanted))
        raise MissingData(f"engines.csv, engine {identity}: {odd} is missing or not understood.")
    try:
        numbers = {key: float(value) for key, value in values.items()}
    except ValueError as error:
        raise MissingData(f"engines.csv, engine {identity}: {error}.") from None
    source = Source(
        "; ".join(dict.fromkeys(row["source"] for row in table)),
        "data/engines.csv, a source for each constant",
        max(row["as_of"] for row in table),
        weakest(*(Basis.parse(row["basis"]) for row in table)),
    )
    return Engine(id=identity, name=name, source=source, **numbers)
