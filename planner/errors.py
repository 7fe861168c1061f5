"""Expected failures, each with a remedy.

Everything a user can cause is one of these types and reads as one sentence:
the field, the value, what is allowed and how to mend it. Any other exception
is a bug and keeps its traceback (in the log, never on a dashboard).
"""

from __future__ import annotations


class PlannerError(Exception):
    """An expected failure; ``str(error)`` is one sentence fit for a dashboard.

    >>> str(PlannerError("The file is empty; choose another."))
    'The file is empty; choose another.'
    """


class InvalidScenario(PlannerError):
    """The question itself is not well formed: an unknown key, a value out of range.

    ``field`` is the dotted path of the offending field, or ``""`` when the
    whole document is at fault.

    >>> InvalidScenario("Bad value.", field="workload.context_tokens").field
    'workload.context_tokens'
    """

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class NoFeasiblePlan(PlannerError):
    """The question is clear but nothing allowed answers it.

    ``constraint`` names what binds, ``shortfall_bytes`` by how much, and
    ``remedy`` what would help.

    >>> NoFeasiblePlan("Too big.", constraint="memory", shortfall_bytes=1.0).constraint
    'memory'
    """

    def __init__(
        self,
        message: str,
        constraint: str = "",
        shortfall_bytes: float = 0.0,
        remedy: str = "",
    ) -> None:
        super().__init__(message)
        self.constraint = constraint
        self.shortfall_bytes = shortfall_bytes
        self.remedy = remedy


class MissingData(PlannerError):
    """A fact that the answer needs is blank in the catalogue, or an id is unknown.

    A blank stays unknown and raises where it is needed; nothing is guessed.
    ``field`` is the dotted path of the scenario's field that asked for it, if one did.

    >>> raise MissingData("TPU v6e: memory is not in the catalogue.")
    Traceback (most recent call last):
        ...
    planner.errors.MissingData: TPU v6e: memory is not in the catalogue.
    """

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field
