"""Many draws of the whole cost chain in one call: every price, and the range of speed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.catalogue import Catalogue
from planner.plan.choice import Choice
from planner.plan.money import setting_of
from planner.plan.serving import serving_plan
from planner.plan.venues import venues
from planner.scenario import Scenario

DRAWS = 10_000


@dataclass(frozen=True, slots=True)
class CostDraws:
    """What every way to run a scenario may cost; ways along the last axis."""

    venue_ids: tuple[str, ...]
    total_usd: np.ndarray
    """Over the horizon: (draw, way) [USD]; not-a-number where a way cannot be gone."""

    def cheapest_fraction(self) -> np.ndarray:
        """In what share of the draws each way is the cheapest [fraction].

        Returns
        -------
        array
            Sums to 1 if any way can be gone.
        """
        totals = np.where(np.isnan(self.total_usd), np.inf, self.total_usd)
        best = np.argmin(totals, axis=-1)
        counted = np.bincount(best, minlength=len(self.venue_ids)) / len(best)
        return np.where(np.isfinite(totals).any(axis=0), counted, 0.0)


def cost_draws(
    scenario: Scenario, catalogue: Catalogue, draws: int = DRAWS, seed: int = 0
) -> CostDraws:
    """The costs of a scenario by every way, drawn from the ranges of all prices and of speed.

    Prices are drawn independently, each from the triangular distribution over its range, by a
    Latin hypercube; the number of GPUs is that of the fast end, the prediction and the slow end of
    the speed's range in one, eight and one of ten draws.

    Parameters
    ----------
    scenario : Scenario
    catalogue : Catalogue
    draws, seed : int
        The same seed gives the same draws.

    Returns
    -------
    CostDraws

    Raises :class:`InvalidScenario` when the demand or a quote cannot be read.

    >>> from planner.catalogue import load_catalogue
    >>> found = cost_draws(Scenario(), load_catalogue(), draws=100)
    >>> found.total_usd.shape[0], round(float(found.cheapest_fraction().sum()), 9)
    (100, 1.0)
    """
    choice = Choice.of(scenario, catalogue)
    setting = setting_of(choice, catalogue, serving_plan(choice, catalogue), draws, seed)
    ways = venues(setting)
    totals = [
        np.broadcast_to(way.total_usd, (draws + 1,))[1:] if way.lines else np.full(draws, np.nan)
        for way in ways
    ]
    return CostDraws(tuple(way.id for way in ways), np.stack(totals, axis=-1))
