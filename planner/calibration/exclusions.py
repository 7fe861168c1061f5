"""The measurements that calibration leaves out, with what they are and why."""

from __future__ import annotations

from pathlib import Path

from planner.calibration.csv_files import read_table
from planner.calibration.measurements import EXCLUSIONS, TABLE


def read_excluded(folder: Path) -> tuple[dict[str, str], ...]:
    """Every excluded row of the table, with its ``reason``.

    Parameters
    ----------
    folder : Path
        Of the catalogue's tables.

    Returns
    -------
    tuple of dict
        The published columns and ``reason``.

    >>> from planner import load_catalogue
    >>> all(one["reason"] for one in read_excluded(load_catalogue().folder))
    True
    """
    reasons = {row["id"]: row["reason"] for row in read_table(folder / EXCLUSIONS)}
    rows = read_table(folder / TABLE)
    return tuple({**row, "reason": reasons[row["id"]]} for row in rows if row["id"] in reasons)
