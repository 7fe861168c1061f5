"""Opening a dashboard, and acting on it, as every test of a page does."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page

PAINT_MS = 60_000
"""What a busy machine may take to paint a page for the first time [ms]."""


def opened(page: Page, address: str, chart: str) -> Page:
    """Open a dashboard and wait until its charts are drawn, ``chart`` among them."""
    page.goto(address)
    page.wait_for_selector(".planner[data-ready]", timeout=PAINT_MS)
    page.wait_for_function("() => window.Plotly?.react")
    # On a phone every chart is below the first screen, and drawn when it comes into sight.
    page.locator(f'[data-chart="{chart}"]').scroll_into_view_if_needed()
    page.wait_for_selector(".planner[data-charts=drawn]", timeout=PAINT_MS)
    return page


def after(page: Page, act: Callable[[], object]) -> None:
    """Act, and wait until the page has painted the kernel's answer."""
    seq = page.locator(".planner").get_attribute("data-painted-seq")
    act()
    page.wait_for_function(
        "(seq) => Number(document.querySelector('.planner').dataset.paintedSeq) > seq",
        arg=int(seq),
    )
