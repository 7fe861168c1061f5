"""Every way to run a scenario: own it, rent it, call it."""

from __future__ import annotations

from planner.plan.setting import Setting, Venue
from planner.plan.venues_called import called
from planner.plan.venues_owned import owned
from planner.plan.venues_rented import TIERS, market, rented

KINDS = ("own", "rent", "call")


def venues(setting: Setting) -> tuple[Venue, ...]:
    """Every way to run a scenario, allowed or not.

    Parameters
    ----------
    setting : Setting

    Returns
    -------
    tuple of Venue
        Own, rent, call, in this order.
    """
    return (
        owned(setting, "own-room", "Own, in your own room", "own_room"),
        owned(setting, "own-colocation", "Own, in colocation", "colocation"),
        *(rented(setting, *tier) for tier in TIERS),
        market(setting),
        *called(setting),
    )
