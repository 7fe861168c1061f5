"""The dashboard of cost: cards, pictures, rules, quotes, files."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from planner import Scenario, evaluate, load_catalogue
from tests.browser.pages import after, opened

pytestmark = pytest.mark.usefixtures("clean_page")

NOTEBOOK = "voila/render/3-own-rent-or-call.ipynb"
CHARTS = ("cash", "crossing", "power", "parts", "venues", "rules", "prices")
PHONE = {"width": 390, "height": 844}
PRICE = "gpu/h100-sxm-80gb"


def open_page(page: Page, workbook_url: str, **changes: object) -> Page:
    changed = {key.replace("__", "."): value for key, value in changes.items()}
    query = Scenario().changed(changed).to_query()
    return opened(page, f"{workbook_url}{NOTEBOOK}?{query}", "cash")


def chart(page: Page, identity: str) -> Locator:
    node = page.locator(f'[data-chart="{identity}"]')
    node.scroll_into_view_if_needed()
    return node


def row(page: Page, table: str, identity: str) -> Locator:
    return chart(page, table).locator(f'tr[data-row="{identity}"]')


def field(page: Page, path: str) -> Locator:
    return page.locator(f'.pl-controls [data-path="{path}"]')


def value(page: Page, identity: str) -> Locator:
    return page.locator(f'[data-headline="{identity}"] .pl-value')


def unfold(page: Page) -> None:
    page.evaluate("document.querySelectorAll('.pl-section').forEach((one) => (one.open = true))")


def test_it_opens_with_the_plans_own_numbers(page, workbook_url):
    open_page(page, workbook_url)
    plan = evaluate(Scenario(), load_catalogue())
    expect(page.get_by_role("heading", level=1)).to_have_text("Own it, rent it, or call it?")
    expect(page.locator(".pl-headline:visible")).to_have_count(14)
    expect(value(page, "cost.own_usd")).to_contain_text(f"{plan.cost.own_usd / 1e6:.2f} million")
    for name in CHARTS:
        node = chart(page, name)
        expect(node.locator(".main-svg, table").first).to_be_attached()
        expect(node.locator("figcaption")).not_to_be_empty()
    ways = chart(page, "venues").locator("tbody tr")
    expect(ways).to_have_count(len(plan.money.venues))
    bars = chart(page, "parts").locator("tbody tr")
    expect(bars).to_have_count(sum(bool(venue.lines) for venue in plan.money.venues))
    assert 'd="' in chart(page, "cash").locator(".main-svg").first.inner_html()


def test_why_leads_from_a_total_to_its_inputs(page, workbook_url):
    open_page(page, workbook_url)
    page.locator('[data-headline="cost.own_usd"] .pl-why-button').click()
    panel = page.locator(".pl-why.pl-open")
    expect(panel).to_contain_text("hardware + licences")
    expect(panel).to_contain_text("Horizon")
    page.keyboard.press("Escape")
    page.locator('[data-headline="prices"] .pl-why-button').click()
    expect(panel).to_contain_text("Electricity, United States")


def test_a_slider_changes_cards_and_pictures(page, workbook_url):
    open_page(page, workbook_url)
    before = value(page, "cost.own_usd").inner_text()
    picture = page.locator('[data-chart="cash"] .main-svg').first.inner_html()
    thumb = field(page, "finance.horizon_years").get_by_role("slider")
    thumb.focus()
    after(page, lambda: thumb.press("ArrowRight"))
    assert value(page, "cost.own_usd").inner_text() != before
    assert page.locator('[data-chart="cash"] .main-svg').first.inner_html() != picture
    expect(page.locator('[data-headline="cost.own_usd"]')).to_contain_text("4 years")


def test_a_rule_greys_ways_out_and_tells_why(page, workbook_url):
    open_page(page, workbook_url)
    expect(chart(page, "rules")).to_contain_text("No rule is set")
    unfold(page)
    switch = field(page, "policy.air_gapped").get_by_role("switch", name="Air-gapped")
    after(page, switch.check)
    cell = row(page, "rules", "call-same").get_by_role("button")
    expect(cell).to_have_text("fails")
    expect(row(page, "rules", "own-room").get_by_role("button")).to_have_text("passes")
    cell.focus()
    expect(chart(page, "rules").locator(".pl-told")).to_contain_text("reached over networks")
    expect(chart(page, "rules")).to_contain_text("not legal advice")
    expect(row(page, "venues", "call-same")).to_have_class("pl-out")
    expect(value(page, "cost.call_usd")).to_have_text("Out")
    expect(chart(page, "parts").locator("tbody th").last).to_contain_text("✕")
    after(page, switch.uncheck)
    expect(value(page, "cost.call_usd")).not_to_have_text("Out")


def test_a_quote_takes_a_prices_place_and_gives_it_back(page, workbook_url):
    open_page(page, workbook_url)
    published = value(page, "cost.own_usd").inner_text()
    box = row(page, "prices", PRICE).get_by_role("textbox")
    box.fill("20k")
    after(page, lambda: box.press("Enter"))
    assert value(page, "cost.own_usd").inner_text() != published
    expect(row(page, "prices", PRICE)).to_contain_text("replaced by your quote")
    expect(box).to_have_value("20000")
    quotes = field(page, "finance.quotes")
    expect(quotes).to_contain_text(PRICE)
    after(page, quotes.get_by_role("button", name=f"Remove your quote of {PRICE}").click)
    expect(value(page, "cost.own_usd")).to_have_text(published)
    expect(row(page, "prices", PRICE).get_by_role("textbox")).to_have_value("")


def test_a_price_that_is_none_is_said_beside_its_box(page, workbook_url):
    open_page(page, workbook_url)
    box = row(page, "prices", PRICE).get_by_role("textbox")
    box.fill("cheap")
    box.press("Enter")
    expect(row(page, "prices", PRICE)).to_contain_text("“cheap” is no price.")
    expect(box).to_have_attribute("aria-invalid", "true")


def test_euros_reach_every_number(page, workbook_url):
    open_page(page, workbook_url, finance__currency="EUR", finance__currency_per_usd=0.92)
    expect(value(page, "cost.own_usd")).to_contain_text("EUR")
    for part in (".pl-headlines", '[data-chart="venues"] tbody', '[data-chart="parts"] tbody'):
        page.locator(part).first.scroll_into_view_if_needed()
        expect(page.locator(part).first).to_contain_text("EUR")
        assert "$" not in page.locator(part).first.inner_text()


def test_the_lines_of_every_way_can_be_taken_along(page, workbook_url, tmp_path: Path):
    open_page(page, workbook_url)
    save = chart(page, "venues").get_by_role("button", name="Download Every way to run it as CSV")
    with page.expect_download() as waiting:
        save.click()
    path = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(path)
    head, *rows = csv.reader(path.read_text(encoding="utf-8").splitlines())
    assert path.suffix == ".csv" and {"way", "line", "year", "usd"} <= set(head)
    assert {line[0] for line in rows} >= {"own-room", "rent-demand", "call-same"}


@pytest.mark.parametrize("viewport", [PHONE], ids=["phone"])
def test_a_phone_shows_it_all_without_going_sideways(page, workbook_url):
    open_page(page, workbook_url)
    for name in CHARTS:
        chart(page, name)
        page.wait_for_timeout(150)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    box = row(page, "prices", PRICE).get_by_role("textbox")
    expect(box).to_be_in_viewport()
