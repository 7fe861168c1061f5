"""A page that is only read: words, tables and pictures, without a scenario."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import anywidget
import traitlets

from planner.catalogue import load_catalogue
from planner.charts.accuracy import accuracy_blocks
from planner.charts.energy_accuracy import energy_blocks
from planner.charts.published_costs import published_cost_blocks
from planner.charts.training_accuracy import training_blocks
from planner.performance import Reference
from planner.workbook.dashboards import STATIC
from planner.workbook.links import links_from

SCRIPTS = ("page.js", "wire.js", "results.js", "report.js")


class ReportPage(anywidget.AnyWidget):
    """Blocks of a report, drawn by the page; the kernel only hands over the chart library."""

    _esm = "\n".join((STATIC / name).read_text("utf-8") for name in SCRIPTS)
    _css = STATIC / "dashboard.css"
    content = traitlets.Dict().tag(sync=True)

    def __init__(self, content: dict[str, Any]) -> None:
        super().__init__(content=content)
        self.on_msg(lambda _widget, request, _buffers: self.receive(request))

    def receive(self, request: Any) -> None:
        """Answer the page's one request.

        Parameters
        ----------
        request : dict
            Anything but a request for the chart library is ignored.
        """
        if isinstance(request, dict) and request.get("kind") == "plotly":
            bundle = (STATIC / "vendor" / "plotly-cartesian.min.js").read_bytes()
            self.send({"kind": "plotly", "seq": request.get("seq")}, buffers=[bundle])


def how_accurate() -> ReportPage:
    """The page that shows predicted against measured, and what the calibration leaves out.

    Returns
    -------
    ReportPage
    """
    catalogue = load_catalogue()
    serving, energy = accuracy_blocks(catalogue), energy_blocks(Reference.of(catalogue))
    return _page(
        "How accurate?",
        "Every published measurement beside the prediction, and how far off predictions are for "
        "what was never measured.",
        [asdict(block) for block in (*serving, *energy, *training_blocks(catalogue))],
        "validation/accuracy.ipynb",
    )


def published_costs() -> ReportPage:
    """The page that shows published cost comparisons beside what their inputs give.

    Returns
    -------
    ReportPage
    """
    return _page(
        "Published costs",
        "What studies of owning, renting and calling print, beside what the workbook's own "
        "functions give for the inputs that they print.",
        [asdict(block) for block in published_cost_blocks(load_catalogue())],
        "validation/published-costs.ipynb",
    )


def _page(title: str, lead: str, blocks: Sequence[dict[str, Any]], current: str) -> ReportPage:
    links = links_from(current)
    return ReportPage({"title": title, "lead": lead, "blocks": list(blocks), "links": links})
