"""Reading and writing the tables of ``data/calibration/``."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from planner.errors import MissingData


def read_table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file in UTF-8.

    Parameters
    ----------
    path : Path

    Returns
    -------
    list of dict
        Column to text.

    Raises
    ------
    MissingData
        The file is absent.

    >>> read_table(Path("/nowhere/serving.csv"))
    Traceback (most recent call last):
        ...
    planner.errors.MissingData: serving.csv is missing; restore it from the repository.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        raise MissingData(f"{path.name} is missing; restore it from the repository.") from None


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file whole or not at all.

    Parameters
    ----------
    path : Path
    header : sequence of str
    rows : iterable of sequences
        Of the header's length.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "pairs.csv"
    >>> write_table(path, ("a", "b"), [(1, "x, y")])
    >>> path.read_text()
    'a,b\\n1,"x, y"\\n'
    """
    temporary = path.with_suffix(".part")
    with temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    os.replace(temporary, path)
