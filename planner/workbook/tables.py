"""Tables of a plan as files that a spreadsheet opens."""

from __future__ import annotations

import csv
import io
from typing import Any

from planner.catalogue import Catalogue
from planner.charts import TABLES
from planner.errors import InvalidScenario
from planner.plan import Plan
from planner.report import FILES


def table_file(name: str, plan: Plan, catalogue: Catalogue) -> dict[str, Any]:
    """A table of a page as a CSV file.

    Parameters
    ----------
    name : str
        As the page sends it.
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        ``name``, ``text`` and ``mime``.

    Raises
    ------
    InvalidScenario
        There is no such table.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> table_file("prices", evaluate(Scenario(), c), c)["name"]
    'prices.csv'
    """
    if name not in TABLES:
        raise InvalidScenario("The page asked for a table that this workbook does not have.")
    rows = FILES[name](plan, catalogue) if name in FILES else _shown(TABLES[name](plan, catalogue))
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return {"name": f"{name}.csv", "text": text.getvalue(), "mime": "text/csv"}


def _shown(table: dict[str, Any]) -> list[list[str]]:
    """A table without a file of its own, as it stands on the page."""
    words = [
        [cell if isinstance(cell, str) else cell["text"] for cell in row["cells"]]
        for row in table["rows"]
    ]
    return [[head["text"] for head in table["heads"]], *words]
