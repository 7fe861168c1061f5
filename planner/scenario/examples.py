"""The shipped example scenarios, which are also the tests' fixtures."""

from __future__ import annotations

from planner.catalogue import find_data
from planner.errors import InvalidScenario
from planner.scenario.document import Scenario
from planner.scenario.reading import one_line

EXAMPLES = ("chat-assistant", "code-assistance", "document-summaries", "shared-fleet")
"""Names of the shipped example scenarios."""


def load_example(name: str) -> Scenario:
    """A shipped example.

    Parameters
    ----------
    name : str
        One of :data:`EXAMPLES`.

    Returns
    -------
    Scenario

    Raises
    ------
    InvalidScenario
        There is no example of this name.

    >>> load_example("chat-assistant").title
    'Chat assistant for a department'
    """
    if name not in EXAMPLES:
        raise InvalidScenario(
            f"There is no example '{one_line(name)}'; choose from {', '.join(EXAMPLES)}."
        )
    return Scenario.load(find_data() / "scenarios" / f"{name}.yaml")
