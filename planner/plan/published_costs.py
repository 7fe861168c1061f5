"""Published comparisons of cost, computed again with the functions that every plan uses.

Cost and value both have a part in them, and a picture is drawn from them: this is the lowest room
that knows the first two and the highest that charts may import.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from planner.catalogue import Basis, Catalogue, PublishedCost, load_published_costs
from planner.cost import (
    Line,
    blended_usd_per_million_tokens,
    breakeven_commitment_hours_per_month,
    breakeven_commitment_utilisation,
    breakeven_hours,
    breakeven_months,
    breakeven_months_against_api,
    breakeven_utilisation,
    breakeven_years_at_duty,
    core_licence_usd,
    cumulative_rent_usd,
    depreciation_schedule,
    guessing_wrong,
    months_of_hours,
    per_unit,
    saving_fraction,
    tokens_usd,
    total_usd,
    used_hour_usd,
)
from planner.errors import MissingData
from planner.value import roi_fraction


@dataclass(frozen=True, slots=True)
class CostCheck:
    """One published number beside ours."""

    case: PublishedCost
    ours: float
    """In the row's unit [1]."""
    difference: float
    """Ours less the published one, over the published one; not-a-number without one [fraction]."""
    verdict: str
    """``reproduces`` within the row's tolerance, ``does not follow`` outside it, or ``not
    published``."""


def check_published_costs(catalogue: Catalogue) -> tuple[CostCheck, ...]:
    """Every published number beside what its inputs give.

    .. math:: |ours - published| \\le tolerance

    Parameters
    ----------
    catalogue : Catalogue

    Returns
    -------
    tuple of CostCheck
        In the order of the table, so that a study's numbers stand together.

    Source: data/published_costs.csv, each row's own.

    >>> from planner import load_catalogue
    >>> check = check_published_costs(load_catalogue())[0]
    >>> round(check.ours, 1), check.case.published, check.verdict
    (8556.2, 8556.0, 'reproduces')
    """
    return tuple(check_published_cost(case) for case in load_published_costs(catalogue.folder))


def check_published_cost(case: PublishedCost) -> CostCheck:
    """One published number beside what its inputs give.

    Parameters
    ----------
    case : PublishedCost

    Returns
    -------
    CostCheck

    Raises :class:`MissingData` for a kind of computation that does not exist or inputs that are not
    its own.
    """
    ours = compute_published_cost(case)
    if math.isnan(case.published):
        return CostCheck(case, ours, math.nan, "not published")
    gap = ours - case.published
    # A tolerance of half a digit counts a half itself, whatever its last bit.
    near = abs(gap) <= case.tolerance * (1.0 + 1e-9)
    verdict = "reproduces" if near else "does not follow"
    return CostCheck(case, ours, gap / case.published, verdict)


def compute_published_cost(case: PublishedCost) -> float:
    """What the inputs of a published number give.

    Parameters
    ----------
    case : PublishedCost
        Its ``kind`` names the computation, its ``inputs`` are the arguments by name.

    Returns
    -------
    float
        In the case's unit [1].
    """
    if case.kind not in KINDS:
        raise MissingData(
            f"The published cost '{case.id}' is of a kind '{case.kind}' that does not exist; "
            f"choose one of {', '.join(KINDS)}."
        )
    function = KINDS[case.kind]
    try:
        arguments = inspect.signature(function).bind(**case.inputs)
    except TypeError as error:
        raise MissingData(
            f"The published cost '{case.id}' has inputs that '{case.kind}' does not take: {error}."
        ) from None
    return float(function(*arguments.args, **arguments.kwargs))


def _months_of_use(
    capital_usd: float,
    own_usd_per_hour: float,
    rented_usd_per_hour: float,
    hours_per_month: float,
) -> float:
    hours = breakeven_hours(capital_usd, own_usd_per_hour, rented_usd_per_hour)
    return months_of_hours(hours, hours_per_month)


def _months_against_api(
    capital_usd: float,
    own_usd_per_month: float,
    tokens_per_month: float,
    input_usd: float,
    output_usd: float,
    input_fraction: float,
) -> float:
    blended = blended_usd_per_million_tokens(input_usd, output_usd, input_fraction)
    return breakeven_months_against_api(capital_usd, own_usd_per_month, tokens_per_month, blended)


def _gain(
    own_usd_per_hour_at_full_use: float, rented_usd_per_hour: float, utilisation_fraction: float
) -> float:
    own = own_usd_per_hour_at_full_use
    gain, _ = guessing_wrong(own, rented_usd_per_hour, utilisation_fraction)
    return gain


def _loss(
    own_usd_per_hour_at_full_use: float, rented_usd_per_hour: float, utilisation_fraction: float
) -> float:
    own = own_usd_per_hour_at_full_use
    _, loss = guessing_wrong(own, rented_usd_per_hour, utilisation_fraction)
    return loss


def _sum(usd: tuple[float, ...]) -> float:
    line = Line("published", "Published", "published", np.array(usd), "end", (), Basis.DERIVED)
    return total_usd([line])


def _written_off(cost_usd: float, life_years: float, method: str, year: float) -> float:
    return depreciation_schedule(cost_usd, int(life_years), method)[int(year) - 1]


KINDS: dict[str, Callable[..., float]] = {
    "break-even hours": breakeven_hours,
    "break-even months of use": _months_of_use,
    "break-even years": breakeven_years_at_duty,
    "break-even months": breakeven_months,
    "break-even against an API": _months_against_api,
    "break-even utilisation": breakeven_utilisation,
    "used hour": used_hour_usd,
    "gain of guessing too low": _gain,
    "loss of guessing too high": _loss,
    "committed hours a month": breakeven_commitment_hours_per_month,
    "commitment utilisation": breakeven_commitment_utilisation,
    "rent": cumulative_rent_usd,
    "saving": saving_fraction,
    "ratio": per_unit,
    "sum": _sum,
    "depreciation": _written_off,
    "core licence": core_licence_usd,
    "return on investment": roi_fraction,
    "blended price": blended_usd_per_million_tokens,
    "tokens": tokens_usd,
}
"""What each kind of published number is computed with; arguments by name."""
