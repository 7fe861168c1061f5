"""The notebooks in JupyterLab, where plotly comes from the kernel and the code is in sight."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

# JupyterLab itself starts in ten to twenty seconds on a small machine.
OPEN_MS = 90_000
NOTEBOOKS = {
    "0-start-here.ipynb": ("start-here", 0, 18, "workload.concurrent_sequences"),
    "1-will-it-fit.ipynb": ("will-it-fit", 4, 6, "workload.concurrent_sequences"),
    "2-how-fast-how-many.ipynb": ("how-fast-how-many", 4, 7, "demand.users"),
    "3-own-rent-or-call.ipynb": ("own-rent-or-call", 7, 14, "finance.horizon_years"),
    "4-carve-and-place.ipynb": ("carve-and-place", 8, 10, "portfolio.weeks"),
    "6-is-it-worth-it.ipynb": ("is-it-worth-it", 4, 13, "finance.discount_fraction"),
}
"""Page, charts, headlines, and a slider to move."""
MOVES = {
    # One step, the end, and what the headline says of it.
    "workload.concurrent_sequences": ("16", "18", "10,000", "fit.sequences"),
    # A step is a hundredth of the way from 1 to 10**8: 500 × 10**0.08.
    "demand.users": ("500", "601", "100M", "demand.peak_per_s"),
    "finance.horizon_years": ("3", "4", "7", "cost.own_usd"),
    "portfolio.weeks": ("2", "3", "26", "fleet.busy_fraction"),
    "finance.discount_fraction": ("8", "8.5", "30", "value.npv_usd"),
}


@pytest.fixture
def viewport() -> dict[str, int]:
    return {"width": 1440, "height": 900}


def run_all(page: Page, lab_url: str, name: str) -> None:
    """Open a notebook and run all its cells, by the menu as a person would."""
    # A lab that has just started may not know its kernels yet, and asks which one to take.
    select = page.get_by_role("dialog").get_by_role("button", name="Select Kernel")
    page.add_locator_handler(select, lambda button: button.click())
    page.goto(f"{lab_url}lab/tree/notebooks/{name}?reset")
    notebook = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    expect(notebook.locator(".jp-CodeCell").first).to_be_visible(timeout=OPEN_MS)
    # The kernel is there once its circle is empty.
    expect(notebook.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]')).to_be_visible(
        timeout=OPEN_MS
    )
    # Only then: cells that are run before a kernel is chosen are not run at all.
    expect(page.get_by_role("button", name=re.compile(r"Python 3 .*\| Idle"))).to_be_visible(
        timeout=OPEN_MS
    )
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name=re.compile("^Run All Cells")).click()


def test_every_notebook_is_tried(repository: Path):
    assert {path.name for path in (repository / "notebooks").glob("*.ipynb")} == set(NOTEBOOKS)


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_dashboard_works_in_jupyterlab(page: Page, lab_url: str, name: str):
    identity, charts, headlines, path = NOTEBOOKS[name]
    run_all(page, lab_url, name)
    widget = page.locator(f'.planner[data-page="{identity}"][data-host="notebook"][data-ready]')
    expect(widget).to_be_visible(timeout=OPEN_MS)
    expect(widget.locator(".pl-headline:visible")).to_have_count(headlines)
    for status in ("error", "lost"):
        expect(widget.locator(f".pl-status-{status}")).to_be_hidden()
    for chart in widget.locator("[data-chart]").all():
        chart.scroll_into_view_if_needed()
        shown = chart.locator(":is(.main-svg, table, .pl-notes):visible").first
        expect(shown).to_be_visible(timeout=30_000)
    assert widget.locator("[data-chart]").count() == charts
    if charts:
        assert page.evaluate("document.querySelector('script[data-planner-plotly]')") is None

    # The code stays in sight, above what it shows.
    code = page.locator(".jp-NotebookPanel .jp-CodeCell .jp-InputArea-editor").first
    code.scroll_into_view_if_needed()
    expect(code).to_contain_text("planner.workbook")

    start, step, end, answer = MOVES[path]
    control = widget.locator(f'[data-path="{path}"]')
    number, thumb = control.locator("input[type=text]"), control.get_by_role("slider")
    words = widget.locator(f'[data-headline="{answer}"]')
    before = words.inner_text()
    thumb.scroll_into_view_if_needed()
    for key, value in (("ArrowRight", step), ("End", end)):
        thumb.press(key)
        expect(number).to_have_value(value)
        expect(words).to_contain_text(value.replace("M", ",000,000"))
    assert words.inner_text() != before
    # The keys of a slider and of undo are the dashboard's, not the notebook's.
    page.keyboard.press("Control+z")
    expect(number).to_have_value(start)
    expect(page.locator(".jp-NotebookPanel .jp-CodeCell")).to_have_count(1)
    assert page.foreign_requests == []
    assert not [error for error in page.console_errors if "chart " in error or "anywidget" in error]
