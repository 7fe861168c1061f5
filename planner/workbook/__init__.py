"""The dashboards in the browser; the only room that imports widgets.

``planner.workbook.state`` and ``planner.workbook.panels`` work without them, so the names
that need widgets are imported when they are first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from planner.workbook.dashboards import (
        Dashboard,
        carve_and_place,
        how_fast_how_many,
        is_it_worth_it,
        own_rent_or_call,
        start_here,
        will_it_fit,
    )
    from planner.workbook.report_page import how_accurate, published_costs

_HOMES = {
    "Dashboard": "dashboards",
    "carve_and_place": "dashboards",
    "how_accurate": "report_page",
    "how_fast_how_many": "dashboards",
    "is_it_worth_it": "dashboards",
    "own_rent_or_call": "dashboards",
    "published_costs": "report_page",
    "start_here": "dashboards",
    "will_it_fit": "dashboards",
}
__all__ = [
    "Dashboard",
    "carve_and_place",
    "how_accurate",
    "how_fast_how_many",
    "is_it_worth_it",
    "own_rent_or_call",
    "published_costs",
    "start_here",
    "will_it_fit",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"planner.workbook.{_HOMES[name]}"), name)
