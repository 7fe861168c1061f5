"""The page of published costs: drawn, within the width of a phone, and linked."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.usefixtures("clean_page")

PAGE = "validation/published-costs.ipynb"
PAINT_MS = 60_000


def test_the_picture_and_the_tables(page: Page, workbook_url: str) -> None:
    page.goto(f"{workbook_url}voila/render/{PAGE}")
    page.wait_for_selector(".pl-report-plot .main-svg", timeout=PAINT_MS)
    expect(page.get_by_role("heading", level=1)).to_have_text("Published costs")
    assert page.locator(".pl-report-plot .point").count() == 89
    for name in ("post-cut table", "Gemini column", "rounded rows"):
        expect(page.locator(".textpoint", has_text=name)).to_have_count(1)
    last = page.locator(".pl-report section").last
    expect(last.locator("h2")).to_have_text("The published values")
    expect(last).to_contain_text("8,556 h")
    expect(page.locator('nav [aria-current="page"]')).to_have_text("Published costs")


def test_on_a_phone_rows_become_cards(page: Page, workbook_url: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{workbook_url}voila/render/{PAGE}")
    page.wait_for_selector(".pl-report-plot .main-svg", timeout=PAINT_MS)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    tables = page.locator(".pl-report-table")
    assert tables.count() > 10
    for table in tables.all():
        assert table.evaluate("(table) => table.scrollWidth <= table.clientWidth")
    # A card names each of its values, as the row of headings is out of sight.
    cell = tables.first.locator("td").first
    heading = cell.evaluate("(cell) => getComputedStyle(cell, '::before').content")
    assert heading == '"Published"'


@pytest.mark.parametrize(
    "viewport",
    [{"width": 1440, "height": 900}, {"width": 390, "height": 844}],
    ids=["wide", "phone"],
)
def test_axe_finds_nothing_serious(page: Page, workbook_url: str, axe_source: str) -> None:
    page.goto(f"{workbook_url}voila/render/{PAGE}")
    page.wait_for_selector(".pl-report-plot .main-svg", timeout=PAINT_MS)
    page.evaluate(axe_source)
    found = page.evaluate(
        "async () => (await axe.run(document, { resultTypes: ['violations'] })).violations"
        ".filter(({ impact }) => ['serious', 'critical'].includes(impact))"
        ".map(({ id, help, nodes }) => [id, help, nodes[0].html.slice(0, 200)])"
    )
    assert found == []
