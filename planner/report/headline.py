"""One number that matters, as every report says it."""

from __future__ import annotations

from dataclasses import dataclass

from planner.catalogue import Basis


@dataclass(frozen=True, slots=True)
class Headline:
    """One number that matters, with a sentence and the answer that explains it."""

    id: str
    """Dotted path of the answer behind it."""
    title: str
    value: str
    unit: str
    text: str
    tone: str
    """``good``, ``warn``, ``bad`` or ``plain``."""
    basis: Basis
