"""Published comparisons of cost, each number with the inputs that it was computed from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from planner.catalogue.records import Source
from planner.catalogue.tables import Row, read_rows

VERDICTS = ("reproduces", "does not follow", "not published")
"""Whether a printed number follows from its inputs; of the last kind none was printed."""
Argument = float | str | tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PublishedCost:
    """One number that a study printed, and the inputs it printed for it."""

    id: str
    study: str
    """Publication, as people say it; its numbers stand together."""
    title: str
    """What is compared with what."""
    quantity: str
    """What the number is."""
    unit: str
    kind: str
    """How it is computed; see :data:`planner.plan.published_costs.KINDS`."""
    inputs: Mapping[str, Argument]
    """Arguments of that computation by name."""
    published: float
    """In the row's unit; not-a-number where nobody printed it [1]."""
    tolerance: float
    """How far off ours may be, for rounding alone; not-a-number with ``published`` [1]."""
    verdict: str
    """One of :data:`VERDICTS`, as reviewed by hand."""
    control: str
    """Short name of what is wrong with a number that does not follow, else empty."""
    source: Source
    note: str = ""
    """Why it does not follow, or what else one should know."""


@lru_cache(maxsize=4)
def load_published_costs(folder: Path) -> tuple[PublishedCost, ...]:
    """Every published number, in the order of the table.

    Parameters
    ----------
    folder : Path
        The catalogue's.

    Returns
    -------
    tuple of PublishedCost

    Source: each row's own.

    >>> from planner.catalogue.catalogue import find_data
    >>> first = load_published_costs(find_data())[0]
    >>> first.published, first.unit, first.inputs["rented_usd_per_hour"]
    (8556.0, 'h', 98.32)
    """
    return read_published_costs(folder / "published_costs.csv")


def read_published_costs(path: Path) -> tuple[PublishedCost, ...]:
    """Every published number of a file.

    Parameters
    ----------
    path : Path
        ``published_costs.csv``.

    Returns
    -------
    tuple of PublishedCost

    Raises :class:`planner.errors.MissingData` that names the row and the column at fault.

    Source: each row's own.
    """
    found: dict[str, PublishedCost] = {}
    for row in read_rows(path):
        one = _published_cost(row)
        if one.id in found:
            raise row.fault("id", "unique")
        found[one.id] = one
    return tuple(found.values())


def _published_cost(row: Row) -> PublishedCost:
    verdict = row.required("verdict")
    if verdict not in VERDICTS:
        raise row.fault("verdict", "one of " + ", ".join(VERDICTS))
    published, tolerance = row.number("published"), row.number("tolerance")
    if math.isnan(published) != (verdict == "not published"):
        raise row.fault("published", "blank exactly where the verdict is 'not published'")
    if math.isfinite(published) and not tolerance > 0:
        raise row.fault("tolerance", "a positive number")
    if bool(row.text("control")) != (verdict == "does not follow"):
        raise row.fault("control", "filled in exactly where the number does not follow")
    return PublishedCost(
        id=row.required("id"),
        study=row.required("study"),
        title=row.required("title"),
        quantity=row.required("quantity"),
        unit=row.required("unit"),
        kind=row.required("kind"),
        inputs=dict(_argument(row, one) for one in row.names("inputs")),
        published=published,
        tolerance=tolerance,
        verdict=verdict,
        control=row.text("control"),
        source=row.source(),
        note=row.text("note"),
    )


def _argument(row: Row, text: str) -> tuple[str, Argument]:
    """``name=number``, ``name=number|number`` or ``name=word``."""
    name, equals, value = text.partition("=")
    if not (equals and name and value):
        raise row.fault("inputs", "name=value pairs between semicolons")
    try:
        numbers = tuple(float(part) for part in value.split("|"))
    except ValueError:
        return name, value
    return name, numbers if len(numbers) > 1 else numbers[0]
