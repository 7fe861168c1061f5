"""The dashboards in the browser; the only room that imports widgets."""

from planner.workbook.dashboards import Dashboard, start_here, will_it_fit

__all__ = ["Dashboard", "start_here", "will_it_fit"]
