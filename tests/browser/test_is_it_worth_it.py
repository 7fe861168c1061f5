"""The page of value: one verdict, the numbers behind it, and pictures that follow the sliders."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from planner import Scenario, evaluate, load_catalogue
from planner.report import value_headlines
from tests.browser.pages import after, opened

pytestmark = pytest.mark.usefixtures("clean_page")

NOTEBOOK = "voila/render/6-is-it-worth-it.ipynb"
CHARTS = ("worth", "kill_line", "payback", "levers")
PHONE = {"width": 390, "height": 844}
SCREEN = {"width": 1440, "height": 900}


def open_page(page: Page, workbook_url: str, **changes: object) -> Page:
    changed = {key.replace("__", "."): value for key, value in changes.items()}
    query = Scenario().changed(changed).to_query()
    return opened(page, f"{workbook_url}{NOTEBOOK}?{query}", "kill_line")


def field(page: Page, path: str) -> Locator:
    return page.locator(f'.pl-controls [data-path="{path}"]')


def type_in(page: Page, path: str, text: str) -> None:
    number = field(page, path).locator("input[type=text]")
    number.fill(text)
    after(page, lambda: number.press("Enter"))


def headline(page: Page, name: str) -> Locator:
    return page.locator(f'[data-headline="value.{name}"]')


def chart(page: Page, name: str) -> Locator:
    return page.locator(f'[data-chart="{name}"]')


def test_it_opens_with_the_plans_own_numbers(page, workbook_url):
    open_page(page, workbook_url)
    catalogue = load_catalogue()
    expect(page.get_by_role("heading", level=1)).to_have_text("Is it worth it?")
    for card in value_headlines(evaluate(Scenario(), catalogue), catalogue):
        shown = page.locator(f'[data-headline="{card.id}"]')
        expect(shown.locator(".pl-value")).to_have_text(card.value)
        expect(shown).to_have_attribute("data-tone", card.tone)
    for name in CHARTS:
        node = chart(page, name)
        node.scroll_into_view_if_needed()
        expect(node.locator(".main-svg, table").first).to_be_visible()
        expect(node.locator("figcaption")).not_to_be_empty()


def test_the_verdict_turns_in_words_symbol_and_colour(page, workbook_url):
    open_page(page, workbook_url)
    verdict = headline(page, "verdict")
    expect(verdict.locator(".pl-value")).to_have_text("It brings more than it costs.")
    mark = verdict.locator(".pl-tone")
    expect(mark).to_have_text("✓")
    colour = mark.evaluate("(node) => getComputedStyle(node).backgroundColor")
    type_in(page, "value.realisation_fraction", "10")
    expect(verdict.locator(".pl-value")).to_have_text("It costs more than it brings.")
    expect(mark).to_have_text("✕")
    assert mark.evaluate("(node) => getComputedStyle(node).backgroundColor") != colour
    expect(verdict).to_contain_text("alone would turn it")
    expect(chart(page, "payback")).to_contain_text("Not paid back within 3 years")


def test_a_lever_pulled_as_the_page_says_turns_the_verdict(page, workbook_url):
    open_page(page, workbook_url, value__realisation_fraction=0.1)
    row = chart(page, "levers").locator("tr", has_text="Share realised")
    needed = float(re.search(r"→ ([\d.]+) %", row.inner_text())[1])
    value = headline(page, "verdict").locator(".pl-value")
    expect(value).to_have_text("It costs more than it brings.")
    type_in(page, "value.realisation_fraction", str(needed + 1))
    expect(value).to_have_text("It brings more than it costs.")


def test_the_words_in_the_kill_line_follow_every_step(page, workbook_url):
    """Plotly forgets words when traces come and go; there and back they must be the same."""
    open_page(page, workbook_url)
    words = chart(page, "kill_line").locator(".textpoint")
    expect(words.filter(has_text="pays from")).to_have_count(1)
    first = words.all_text_contents()
    for _ in range(2):
        type_in(page, "value.retry_fraction", "90")
        expect(words.filter(has_text="than it brings")).to_have_count(1)
        expect(words.filter(has_text="here: −")).to_have_count(1)
        expect(words.filter(has_text="pays from")).to_have_count(0)
        type_in(page, "value.retry_fraction", "10")
        expect(words).to_have_text(first)


def test_every_number_says_why(page, workbook_url):
    open_page(page, workbook_url)
    dialog = page.get_by_role("dialog")
    buttons = page.locator(".pl-headline .pl-why-button:visible").all()
    assert len(buttons) == 11
    for button in buttons:
        button.click()
        expect(dialog.locator("pre").first).to_be_visible()
        page.keyboard.press("Escape")


def test_nothing_allowed_is_a_sentence(page, workbook_url):
    open_page(
        page,
        workbook_url,
        policy__air_gapped=True,
        service_level__tpot_s=0.005,
        deployment__tensor_parallel=1,
    )
    expect(headline(page, "verdict")).to_contain_text("Nothing that policy allows.")
    for name in CHARTS:
        expect(chart(page, name)).to_contain_text("nothing to weigh")


def test_an_embedding_model_keeps_the_last_good_picture(page, workbook_url):
    open_page(page, workbook_url)
    good = headline(page, "npv_usd").inner_text()
    page.locator("summary", has_text="The model").click()
    box = field(page, "workload.model").get_by_role("combobox")
    box.click()
    box.fill("bge-m3")
    after(page, lambda: box.press("Enter"))
    expect(page.locator(".pl-status-error")).to_contain_text("writes no answer")
    expect(page.locator(".pl-last-good")).to_be_visible()
    assert headline(page, "npv_usd").inner_text() == good


@pytest.mark.parametrize("viewport", [SCREEN, PHONE], ids=["screen", "phone"])
def test_every_slider_to_both_ends_fits_the_page(page, workbook_url, viewport):
    open_page(page, workbook_url)
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    paths = page.evaluate(
        """() => [...document.querySelectorAll(".pl-control-slider")]
          .filter((node) => node.checkVisibility()).map((node) => node.dataset.path)"""
    )
    assert len(paths) > 15
    for path in paths:
        for end in ("min", "max"):
            if not at_its_end(page, path, end):
                after(page, lambda path=path, end=end: to_its_end(page, path, end))
            text = page.locator(".planner").inner_text()
            assert not re.search(r"\b(NaN|undefined|nan|inf)\b", text), (path, end)
            assert page.locator(".pl-status-error").is_hidden(), (path, end)
            out = page.evaluate(
                """() => [...document.querySelectorAll(".pl-bar-value")]
                  .filter((node) => node.getBoundingClientRect().right > innerWidth)
                  .map((node) => node.textContent)"""
            )
            assert out == [], (path, end)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        after(page, page.get_by_role("button", name="Reset").click)


def at_its_end(page: Page, path: str, end: str) -> bool:
    """Whether the slider is there already, so that nothing would change."""
    return page.evaluate(
        """([path, end]) => {
          const slider = document.querySelector(`[data-path="${path}"] input[type=range]`);
          return slider.value === slider[end];
        }""",
        [path, end],
    )


def to_its_end(page: Page, path: str, end: str) -> None:
    page.evaluate(
        """([path, end]) => {
          const slider = document.querySelector(`[data-path="${path}"] input[type=range]`);
          slider.value = slider[end];
          slider.dispatchEvent(new Event("input", { bubbles: true }));
          slider.dispatchEvent(new Event("change", { bubbles: true }));
        }""",
        [path, end],
    )


@pytest.mark.parametrize("viewport", [PHONE])
def test_it_fits_a_phone_and_has_no_accessibility_fault(page, workbook_url, axe_source, viewport):
    open_page(page, workbook_url, value__success_fraction=0.3)
    page.evaluate(axe_source)
    faults = page.evaluate(
        """async () => (await axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21aa"]}))
          .violations.map((one) => `${one.id}: ${one.nodes.map((n) => n.target).join(" ")}`)"""
    )
    assert faults == []
