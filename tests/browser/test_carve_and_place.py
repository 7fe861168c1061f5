"""The dashboard of the fleet: tables to fill in, pictures, slow answers, files."""

from __future__ import annotations

import csv
import time
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from planner import Scenario
from planner.scenario import load_example
from tests.browser.pages import PAINT_MS, after, opened

pytestmark = pytest.mark.usefixtures("clean_page")

NOTEBOOK = "voila/render/4-carve-and-place.ipynb"
PICTURES = ("fleet_map", "fleet_tools", "fleet_policies", "fleet_calendar")
TABLES = ("fleet-tools", "fleet-workloads", "fleet-hosts", "fleet-rules")

PHONE = {"width": 390, "height": 844}
WORKLOADS, HOSTS = "portfolio.workloads", "portfolio.hosts"
LARGE = {
    HOSTS: [{"name": "large", "count": 125, "gpus": 8}],
    WORKLOADS: [
        {"name": f"chat {i}", "model": "Qwen/Qwen3-8B", "requests_per_hour": 7e6} for i in range(10)
    ],
    "portfolio.include_main": False,
}
"""1,000 GPUs, two of three in use."""
DRAWN_IN_S = 2.0


def open_page(page: Page, workbook_url: str, scenario: Scenario | None = None) -> Page:
    query = f"?{scenario.to_query()}" if scenario else ""
    return opened(page, f"{workbook_url}{NOTEBOOK}{query}", "fleet_map")


def rows(page: Page, table: str = WORKLOADS) -> Locator:
    return page.locator(f'[data-path="{table}"] .pl-row-item')


def names(page: Page, table: str = WORKLOADS) -> list[str]:
    return rows(page, table).locator(".pl-row-name").all_inner_texts()


def has_names(page: Page, wanted: list[str], table: str = WORKLOADS) -> None:
    """The table shows these rows; an answer to an earlier step may be painted before."""
    expect(rows(page, table).locator(".pl-row-name")).to_have_text(wanted)


def cell(page: Page, row: int, name: str, table: str = WORKLOADS) -> Locator:
    return page.locator(f'[data-path="{table}/{row}/{name}"]')


def add(page: Page, preset: str) -> None:
    button = page.locator(f'[data-path="{WORKLOADS}"]').get_by_role("group", name="Add a workload")
    after(page, button.get_by_role("button", name=preset, exact=True).click)


def picture(page: Page, name: str = "fleet_map") -> list[str]:
    """Every shape of a picture."""
    return page.locator(f'[data-chart="{name}"] .main-svg path').evaluate_all(
        "(paths) => paths.map((path) => path.getAttribute('d') + path.style.fill)"
    )


def panel(page: Page, name: str) -> Locator:
    node = page.locator(f'[data-panel="{name}"]')
    node.scroll_into_view_if_needed()
    return node


# ---------------------------------------------------------------- opening


def test_it_opens_with_the_shipped_fleet(page, workbook_url):
    open_page(page, workbook_url)
    expect(page.get_by_role("heading", level=1)).to_have_text("Shovel, spade or backhoe?")
    asked = load_example("shared-fleet").portfolio
    has_names(page, [row.name for row in asked.workloads])
    has_names(page, [row.name for row in asked.hosts], HOSTS)
    for said in rows(page).locator(".pl-row-said").all():
        expect(said).to_contain_text(":")
    for name in (*PICTURES, *TABLES):
        node = page.locator(f'[data-chart="{name}"]')
        node.scroll_into_view_if_needed()
        expect(node.locator(".main-svg, table").first).to_be_visible()
        expect(node.locator("figcaption")).not_to_be_empty()


def test_a_thousand_gpus_are_drawn_at_once(page, workbook_url):
    open_page(page, workbook_url, Scenario().changed(LARGE))
    before = picture(page)
    choice = page.locator('[data-path="portfolio.placement"] select')
    choice.scroll_into_view_if_needed()
    started = time.monotonic()
    after(page, lambda: choice.select_option(index=1))
    assert time.monotonic() - started < DRAWN_IN_S
    assert picture(page) != before


# ---------------------------------------------------------------- rows


def test_a_row_is_added_changed_and_taken_away(page, workbook_url):
    open_page(page, workbook_url)
    before, shown = names(page), picture(page)
    add(page, "Notebooks")
    last = len(before)
    has_names(page, [*before, "Notebooks 2"])
    box = cell(page, last, "name").get_by_role("textbox")
    expect(box).to_be_focused()
    box.fill("Classroom")
    after(page, lambda: box.press("Enter"))
    has_names(page, [*before, "Classroom"])
    people = cell(page, last, "people").get_by_role("textbox")
    people.fill("60")
    after(page, lambda: people.press("Enter"))
    assert picture(page) != shown
    expect(cell(page, last, "model")).to_be_hidden()
    expect(cell(page, last, "people")).to_be_visible()
    after(page, rows(page).nth(last).get_by_role("button", name="Remove").click)
    has_names(page, before)
    expect(page.locator(":focus")).to_have_class("pl-row-open")
    undo = page.get_by_role("button", name="Undo")
    after(page, undo.click)
    has_names(page, [*before, "Classroom"])
    for _ in range(3):
        after(page, undo.click)
    has_names(page, before)


def test_what_a_row_is_decides_what_it_asks(page, workbook_url):
    open_page(page, workbook_url, Scenario())
    add(page, "Chat assistant")
    expect(cell(page, 0, "ttft_s")).to_be_visible()
    expect(cell(page, 0, "epochs")).to_be_hidden()
    after(page, lambda: cell(page, 0, "shape").locator("select").select_option(index=2))
    expect(cell(page, 0, "ttft_s")).to_be_hidden()
    expect(cell(page, 0, "epochs")).to_be_visible()
    more = rows(page).first.get_by_text("Where it may run")
    expect(cell(page, 0, "isolation")).to_be_hidden()
    more.click()
    expect(cell(page, 0, "isolation")).to_be_visible()
    model = cell(page, 0, "model").get_by_role("combobox")
    model.click()
    model.fill("qwen3 14b")
    after(page, lambda: model.press("Enter"))
    expect(model).to_have_value("Qwen3 14B")


def test_a_bad_value_stays_and_is_told_beside_it(page, workbook_url):
    open_page(page, workbook_url, Scenario())
    add(page, "Chat assistant")
    add(page, "Notebooks")
    box = cell(page, 1, "people").get_by_role("textbox")
    box.fill("-3")
    after(page, lambda: box.press("Enter"))
    problem = cell(page, 1, "people").locator(".pl-problem")
    expect(problem).to_contain_text("at least 1")
    expect(box).to_have_value("-3")
    expect(box).to_have_attribute("aria-invalid", "true")
    expect(page.locator(".pl-status-error")).to_contain_text("row 2: people is -3")
    after(page, lambda: rows(page).first.get_by_role("button", name="Move Chat").last.click())
    box = cell(page, 0, "people").get_by_role("textbox")
    box.fill("12")
    after(page, lambda: box.press("Enter"))
    expect(page.locator(".pl-problem:visible")).to_have_count(0)
    expect(page.locator(".pl-status-error")).to_be_hidden()


def test_an_error_opens_the_row_that_it_is_about(page, workbook_url):
    open_page(page, workbook_url, Scenario())
    add(page, "Notebooks")
    opener = rows(page).first.locator(".pl-row-open")
    box = cell(page, 0, "name").get_by_role("textbox")
    box.fill("")
    after(page, lambda: box.press("Enter"))
    expect(cell(page, 0, "name").locator(".pl-problem")).to_contain_text("must not be empty")
    expect(opener).to_have_attribute("aria-expanded", "true")
    has_names(page, ["Notebooks"])


def test_rows_are_moved_by_keyboard_and_keep_the_focus(page, workbook_url):
    open_page(page, workbook_url)
    before = names(page)
    first = rows(page).first.locator(".pl-row-open")
    first.focus()
    after(page, lambda: page.keyboard.press("Alt+ArrowDown"))
    has_names(page, [before[1], before[0], *before[2:]])
    expect(page.locator(":focus .pl-row-name")).to_have_text(before[0])
    page.keyboard.press("ArrowUp")
    expect(page.locator(":focus .pl-row-name")).to_have_text(before[1])
    page.keyboard.press("Enter")
    expect(cell(page, 0, "name")).to_be_visible()
    after(page, rows(page).first.get_by_role("button", name="Duplicate").click)
    assert names(page)[:2] == [before[1], f"{before[1]} 2"]


def test_a_group_of_hosts_changes_the_fleet(page, workbook_url):
    open_page(page, workbook_url)
    shown = picture(page)
    rows(page, HOSTS).first.locator(".pl-row-open").click()
    count = cell(page, 0, "count", HOSTS).get_by_role("textbox")
    count.fill("4")
    after(page, lambda: count.press("Enter"))
    assert picture(page) != shown
    expect(rows(page, HOSTS).first.locator(".pl-row-said")).to_contain_text("4 hosts")


# ---------------------------------------------------------------- rules, answers, files


def test_a_policy_places_otherwise(page, workbook_url):
    open_page(page, workbook_url)
    shown = picture(page)
    choice = page.locator('[data-path="portfolio.placement"] select')
    after(page, lambda: choice.select_option(label="Spread: onto the emptiest"))
    assert picture(page) != shown
    after(page, page.get_by_role("button", name="Undo").click)
    assert picture(page) == shown


def test_orders_are_tried_and_grow_old(page, workbook_url):
    open_page(page, workbook_url)
    orders = panel(page, "orders")
    orders.get_by_role("button", name="Try the orders").click()
    expect(orders.locator(".pl-verdict")).to_contain_text("orders", timeout=PAINT_MS)
    expect(orders.locator(".main-svg").first).to_be_visible()
    expect(orders.get_by_text("For an earlier scenario")).to_be_hidden()
    seed = orders.get_by_role("textbox", name="Seed")
    seed.fill("7")
    after(page, lambda: seed.press("Enter"))
    expect(orders.get_by_text("For an earlier scenario")).to_be_visible()


def test_orders_are_cancelled(page, workbook_url):
    open_page(page, workbook_url, load_example("shared-fleet").changed({"portfolio.orders": 10000}))
    orders = panel(page, "orders")
    orders.get_by_role("button", name="Try the orders").click()
    bar = orders.get_by_role("progressbar")
    expect(bar).to_be_visible()
    orders.get_by_role("button", name="Cancel").click()
    expect(bar).to_be_hidden()
    expect(orders).to_contain_text("Cancelled.")
    expect(orders.get_by_role("button", name="Try the orders")).to_be_enabled()


def test_a_placement_is_proven(page, workbook_url):
    open_page(page, workbook_url, Scenario())
    proof = panel(page, "proof")
    proof.get_by_role("button", name="Prove it").click()
    expect(proof.locator(".pl-verdict")).to_contain_text("Proven", timeout=PAINT_MS)
    expect(proof.get_by_role("table")).to_contain_text("Hosts in use")


def test_the_placement_can_be_taken_along(page, workbook_url, tmp_path: Path):
    open_page(page, workbook_url)
    files = panel(page, "files")
    assert files.get_by_role("button").count() >= 2
    with page.expect_download() as waiting:
        files.get_by_role("listitem").filter(has_text=".csv").get_by_role("button").click()
    path = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(path)
    head, *lines = csv.reader(path.read_text(encoding="utf-8").splitlines())
    assert len(head) > 3 and len(lines) > 5
    assert all(len(line) == len(head) for line in lines)


@pytest.mark.parametrize("viewport", [PHONE], ids=["phone"])
def test_a_phone_fills_in_a_row_without_going_sideways(page, workbook_url):
    open_page(page, workbook_url)
    page.evaluate("document.querySelectorAll('.pl-section').forEach((one) => (one.open = true))")
    add(page, "LoRA fine-tune")
    expect(cell(page, len(names(page)) - 1, "dataset_tokens")).to_be_visible()
    for name in (*PICTURES, *TABLES):
        page.locator(f'[data-chart="{name}"]').scroll_into_view_if_needed()
        page.wait_for_timeout(150)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
