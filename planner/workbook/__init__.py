"""The dashboards in the browser; the only room that imports widgets.

``planner.workbook.state`` and ``planner.workbook.panels`` work without them, so the names
that need widgets are imported when they are first asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from planner.workbook.dashboards import Dashboard, start_here, will_it_fit

__all__ = ["Dashboard", "start_here", "will_it_fit"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from planner.workbook import dashboards

    return getattr(dashboards, name)
