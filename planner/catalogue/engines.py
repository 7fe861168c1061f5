"""Serving engines: what they reserve, one sourced number per row of ``data/engines.csv``."""

from __future__ import annotations

import csv
from dataclasses import fields
from pathlib import Path

from planner.catalogue.records import Basis, Engine, Source, weakest
from planner.errors import MissingData


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
