"""Take a picture of every dashboard, to be looked at.

    python scripts/take_screenshots.py FOLDER [--only will-it-fit] [--width 390]

Serves the workbook on a free port and writes PNGs of every dashboard at 1440x900 and 390x844,
light and dark: the first screen, the whole page, and the first screen with "Why?" open. Panels
that are asked for are opened before the whole page is taken.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from measure_dashboard import launch, serving
from playwright.sync_api import Page, sync_playwright

NOTEBOOKS = {
    "start-here": "0-start-here.ipynb",
    "will-it-fit": "1-will-it-fit.ipynb",
    "how-fast-how-many": "2-how-fast-how-many.ipynb",
    "own-rent-or-call": "3-own-rent-or-call.ipynb",
    "carve-and-place": "4-carve-and-place.ipynb",
    "is-it-worth-it": "6-is-it-worth-it.ipynb",
}
SIZES = ((1440, 900), (390, 844))
PAINT_MS = 60_000


SETTLED = """
() => document.querySelector(".planner[data-ready]") && window.Plotly?.react &&
  [...document.querySelectorAll(".pl-plot")].every((plot) =>
    plot.getBoundingClientRect().top > innerHeight || plot.querySelector(".main-svg, table"))
"""


def settle(page: Page) -> None:
    """Wait until everything is drawn that is in sight, and then half a second more."""
    page.wait_for_function(SETTLED, timeout=PAINT_MS)
    page.wait_for_timeout(600)


def open_panels(page: Page) -> None:
    """Run the slow answers and show what hosts can serve, where a page offers them."""
    for run in page.locator(".pl-panel .pl-button-main").all():
        panel = run.locator("xpath=ancestor::section")
        run.click()
        panel.locator(".pl-verdict").wait_for(timeout=PAINT_MS)
    if page.locator("[data-panel=served]").count():
        page.get_by_role("button", name="Show", exact=True).click()
        page.wait_for_selector(".pl-served tbody tr")


def take(page: Page, folder: Path, name: str) -> list[Path]:
    """Take the three pictures of an open page."""
    first, whole, why = (folder / f"{name}-{kind}.png" for kind in ("first", "whole", "why"))
    page.screenshot(path=first)
    # Charts are drawn when they come into sight.
    height = page.evaluate("document.documentElement.scrollHeight")
    for y in range(0, height, 500):
        page.evaluate(f"scrollTo(0, {y})")
        page.wait_for_timeout(150)
    open_panels(page)
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(300)
    page.screenshot(path=whole, full_page=True)
    page.locator(".pl-why-button:visible").first.click()
    page.wait_for_selector(".pl-why .pl-table")
    page.wait_for_timeout(200)
    page.screenshot(path=why)
    return [first, whole, why]


def main() -> int:
    """Take the pictures that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path, help="where the PNGs go; it is made")
    parser.add_argument("--only", choices=NOTEBOOKS, help="one dashboard")
    parser.add_argument("--width", type=int, choices=[w for w, _ in SIZES], help="one width")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with serving() as workbook, sync_playwright() as playwright:
        browser = launch(playwright)
        for dashboard, notebook in NOTEBOOKS.items():
            for width, height in SIZES:
                if arguments.only not in (None, dashboard) or arguments.width not in (None, width):
                    continue
                for theme in ("light", "dark"):
                    context = browser.new_context(
                        viewport={"width": width, "height": height}, color_scheme=theme
                    )
                    page = context.new_page()
                    page.goto(workbook.address(notebook))
                    settle(page)
                    for path in take(page, arguments.folder, f"{dashboard}-{width}-{theme}"):
                        print(path)
                    page.goto("about:blank")
                    context.close()
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
