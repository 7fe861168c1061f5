"""What every size, rate and share of this room is checked against."""

from __future__ import annotations

from typing import Any

import numpy as np

from planner.errors import InvalidScenario


def require(
    name: str,
    value: Any,
    least: float,
    most: float = np.inf,
    *,
    above: bool = False,
    endless: bool = False,
) -> None:
    """Refuse a number that is not from ``least`` (or ``above`` it) to ``most``, in one sentence."""
    values = np.asarray(value, dtype=float)
    low = values > least if above else values >= least
    if np.all(low & (values <= most) & (endless | (values < np.inf))):
        return
    allowed = f"above {least:g}" if above else f"of {least:g} or more"
    allowed += f" and at most {most:g}" if most < np.inf else ""
    raise InvalidScenario(f"{name}: {value} is not allowed; give a number {allowed}.", field=name)
