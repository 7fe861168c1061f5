"""Columns of a table: where they stand, and what they are called beside the added ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from planner.errors import InvalidScenario
from planner.scenario import one_line


def find_columns(
    names: Sequence[str], known: Iterable[str], required: Sequence[str] = ()
) -> dict[str, int]:
    """Where each column stands, by its exact name or else by a careless one.

    Parameters
    ----------
    names : sequence of str
        Of the table.
    known : iterable of str
        To look for.
    required : sequence of str
        Which of them must be there.

    Returns
    -------
    dict of str to int

    Raises
    ------
    InvalidScenario
        One that is required is not there.

    >>> find_columns(("GPU ", "note", "gpu"), ("gpu", "model"))
    {'gpu': 2}
    """
    exact: dict[str, int] = {}
    careless: dict[str, int] = {}
    for place, name in enumerate(names):
        exact.setdefault(name, place)
        careless.setdefault(str(name).strip().lower(), place)
    found = {one: exact.get(one, careless.get(one)) for one in known}
    missing = [one for one in required if found[one] is None]
    if missing:
        has = one_line(", ".join(str(name) for name in names), 120) or "none"
        raise InvalidScenario(
            f"The table has no column {', '.join(missing)}; it needs {', '.join(required)} "
            f"in its first line and has {has}."
        )
    return {one: place for one, place in found.items() if place is not None}


def without_clash(names: Sequence[str], added: Sequence[str]) -> list[str]:
    """The columns' names, changed to ``<name>_input`` where an added column takes the name.

    Parameters
    ----------
    names : sequence of str
    added : sequence of str

    Returns
    -------
    list of str

    >>> without_clash(["model", "error", "error_input"], ["error"])
    ['model', 'error_input_2', 'error_input']
    """
    taken, result = {*names, *added}, []
    for name in names:
        if name in added:
            new, number = f"{name}_input", 2
            while new in taken:
                new, number = f"{name}_input_{number}", number + 1
            taken.add(new)
            name = new
        result.append(name)
    return result
