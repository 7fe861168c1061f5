"""What a field of a result record says of itself: label, unit, formula, term.

A formula names other numbers of the same plan in braces, by dotted path, so that
:func:`planner.explain` can show it twice: in words, and with this plan's own numbers.
"""

from __future__ import annotations

from dataclasses import field
from typing import Any


def answer(label: str, unit: str, formula: str, term: str = "", note: str = "") -> Any:
    """A field of a result record.

    Parameters
    ----------
    label : str
        What people call it.
    unit : str
        One of :data:`planner.units.UNITS`.
    formula : str
        With ``{dotted.paths}`` of the plan.
    term : str
        Glossary id.
    note : str
        What the formula cannot say: where it holds, what it leaves out.

    Returns
    -------
    dataclass field

    >>> answer("GPUs", "gpu", "{fit.replicas} x 2").metadata["unit"]
    'gpu'
    """
    return field(
        metadata={"label": label, "unit": unit, "formula": formula, "term": term, "note": note}
    )
