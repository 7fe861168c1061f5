"""The second dashboard: sliders, the simulation, the table of what hosts can serve."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from planner import Scenario, evaluate, load_catalogue
from planner.plan import served_by
from tests.browser.pages import after, opened

pytestmark = pytest.mark.usefixtures("clean_page")

NOTEBOOK = "voila/render/2-how-fast-how-many.ipynb"
CHARTS = ("trade_off", "step", "week", "growth")
PHONE = {"width": 390, "height": 844}


def open_page(page: Page, workbook_url: str, **changes: object) -> Page:
    changed = {key.replace("__", "."): value for key, value in changes.items()}
    query = Scenario().changed(changed).to_query()
    return opened(page, f"{workbook_url}{NOTEBOOK}?{query}", "trade_off")


def field(page: Page, path: str) -> Locator:
    return page.locator(f'.pl-controls [data-path="{path}"]')


def type_in(page: Page, path: str, text: str) -> None:
    number = field(page, path).locator("input[type=text]")
    number.fill(text)
    after(page, lambda: number.press("Enter"))


def headline(page: Page, identity: str) -> Locator:
    return page.locator(f'[data-headline="{identity}"]')


def panel(page: Page, identity: str) -> Locator:
    return page.locator(f'[data-panel="{identity}"]')


def show_table(page: Page) -> Locator:
    served = panel(page, "served")
    served.get_by_role("button", name="Show", exact=True).click()
    expect(served.locator("tbody tr").first).to_be_visible()
    return served


def simulate(page: Page) -> Locator:
    check = panel(page, "simulation")
    check.get_by_role("button", name="Run the simulation").click()
    expect(check.locator(".pl-verdict")).to_be_visible(timeout=20_000)
    return check


# ---------------------------------------------------------------- opening and sliders


def test_it_opens_with_the_plans_own_numbers(page, workbook_url):
    open_page(page, workbook_url, demand__users=200_000)
    plan = evaluate(Scenario().changed({"demand.users": 200_000}), load_catalogue())
    expect(page.get_by_role("heading", level=1)).to_have_text("How fast, and how many?")
    gpus = headline(page, "serving.gpus")
    expect(gpus.locator(".pl-value")).to_have_text(f"{plan.serving.gpus:,.0f}")
    expect(gpus).to_contain_text(f"{plan.serving.gpus_low:.0f} to {plan.serving.gpus_high:.0f}")
    expect(page.locator(".pl-headline:visible")).to_have_count(7)
    for chart in CHARTS:
        node = page.locator(f'[data-chart="{chart}"]')
        node.scroll_into_view_if_needed()
        expect(node.locator(".main-svg, table").first).to_be_visible()
        expect(node.locator("figcaption")).not_to_be_empty()


def test_a_slider_step_changes_the_gpus(page, workbook_url):
    open_page(page, workbook_url, demand__users=200_000)
    value = headline(page, "serving.gpus").locator(".pl-value")
    before = int(value.inner_text())
    curve = page.locator('[data-chart="trade_off"] .main-svg').first
    picture = curve.inner_html()
    thumb = field(page, "demand.users").get_by_role("slider")
    thumb.focus()
    for _ in range(3):
        after(page, lambda: thumb.press("ArrowRight"))
    assert int(value.inner_text()) > before
    assert curve.inner_html() != picture
    after(page, lambda: page.keyboard.press("Control+z"))
    assert int(value.inner_text()) == before, "one drag is one step of undo"


def test_a_stricter_limit_needs_more_until_none_will_do(page, workbook_url):
    open_page(page, workbook_url, demand__users=200_000)
    value = headline(page, "serving.gpus").locator(".pl-value")
    before = int(value.inner_text())
    type_in(page, "service_level.tpot_s", "40")
    assert int(value.inner_text()) > before
    type_in(page, "service_level.tpot_s", "5")
    after(
        page,
        lambda: (
            field(page, "deployment.tensor_parallel").locator("select").select_option(label="1")
        ),
    )
    expect(value).to_have_text("None will do")
    expect(headline(page, "serving.gpus")).to_have_attribute("data-tone", "bad")
    expect(page.locator('[data-chart="trade_off"] .main-svg').first).to_be_visible()
    headline(page, "serving.gpus").get_by_role("button", name=re.compile("Why")).click()
    expect(page.get_by_role("dialog")).to_contain_text("per output token even for one request")


def test_every_headline_says_why(page, workbook_url):
    open_page(page, workbook_url)
    dialog = page.get_by_role("dialog")
    for button in page.locator(".pl-headline .pl-why-button:visible").all():
        button.click()
        expect(dialog.locator("pre").first).to_be_visible()
        page.keyboard.press("Escape")


def test_an_own_log_is_the_demand(page, workbook_url, repository: Path):
    open_page(page, workbook_url, demand__source="log")
    before = headline(page, "demand.peak_per_s").inner_text()
    log = repository / "data" / "traces" / "AzureLLMInferenceTrace_code_2023.csv"
    with page.expect_file_chooser() as chooser:
        field(page, "demand.log_profile").locator(".pl-button").click()
    after(page, lambda: chooser.value.set_files(log))
    expect(page.locator(".pl-status-notice")).to_contain_text("8,819 requests")
    expect(field(page, "demand.log_profile")).to_contain_text("8,819 requests")
    assert headline(page, "demand.peak_per_s").inner_text() != before


def test_a_log_that_is_not_there_keeps_the_last_good_picture(page, workbook_url):
    open_page(page, workbook_url)
    source = field(page, "demand.source").locator("select")
    after(page, lambda: source.select_option(label="A request log"))
    good = headline(page, "demand.peak_per_s").inner_text()
    log = field(page, "demand.log").locator("select")
    after(page, lambda: log.select_option(label="My own log"))
    expect(page.locator(".pl-status-error")).to_contain_text("No request log was given yet")
    expect(page.locator(".pl-last-good")).to_be_visible()
    assert headline(page, "demand.peak_per_s").inner_text() == good


# ---------------------------------------------------------------- the simulation


def test_the_simulation_runs_with_progress(page, workbook_url):
    open_page(page, workbook_url, demand__users=200_000)
    page.evaluate(
        """() => {
          const bar = document.querySelector(".pl-progress");
          window.shares = [];
          new MutationObserver(() => window.shares.push(bar.value))
            .observe(bar, { attributes: true, attributeFilter: ["value"] });
        }"""
    )
    check = simulate(page)
    shares = page.evaluate("window.shares")
    assert shares == sorted(shares) and max(shares) > 0, "progress was shown"
    expect(check.get_by_role("progressbar")).to_be_hidden()
    expect(check.locator("tbody tr")).to_have_count(3)
    expect(check.locator("tbody tr").first).to_contain_text("%")
    expect(check).to_contain_text("random arrivals")


def test_an_earlier_result_is_grey_until_the_scenario_is_back(page, workbook_url):
    open_page(page, workbook_url)
    check = simulate(page)
    old = check.get_by_text("For an earlier scenario")
    expect(old).to_be_hidden()
    type_in(page, "demand.users", "5000")
    expect(old).to_be_visible()
    after(page, page.get_by_role("button", name="Undo").click)
    expect(old).to_be_hidden()


def test_a_simulation_can_be_cancelled(page, workbook_url):
    open_page(page, workbook_url, demand__users=200_000)
    check = panel(page, "simulation")
    # In one go, as the whole run may be over before a second click arrives.
    page.evaluate(
        """() => {
          const [cancel, run] = document.querySelectorAll("[data-panel=simulation] button");
          run.click();
          cancel.click();
        }"""
    )
    expect(check).to_contain_text("The simulation was cancelled.")
    expect(check.get_by_role("button", name="Run the simulation")).to_be_enabled()
    simulate(page)


# ---------------------------------------------------------------- the inverse question


def test_the_table_ranks_models_and_a_click_takes_one(page, workbook_url):
    changes = {"deployment.gpu": "l40s-48gb", "deployment.gpus_per_host": 4}
    open_page(page, workbook_url, **{key.replace(".", "__"): v for key, v in changes.items()})
    served = show_table(page)
    table = served_by(Scenario().changed(changes), load_catalogue())
    names = served.locator("tbody th .pl-link").all_inner_texts()
    assert names == list(table.model_names)
    after(page, served.get_by_role("button", name=table.model_names[2]).first.click)
    expect(field(page, "workload.model").locator("input")).to_have_value(table.model_names[2])
    chosen = served.locator("tr[aria-current]")
    expect(chosen).to_have_count(1)
    expect(chosen).to_contain_text(table.precision_labels[2])
    after(page, page.get_by_role("button", name="Undo").click)
    assert field(page, "workload.model").locator("input").input_value() != table.model_names[2]


def test_the_table_follows_the_hosts(page, workbook_url):
    open_page(page, workbook_url, deployment__gpu="l40s-48gb")
    served = show_table(page)
    before = served.locator("tbody").inner_text()
    expect(served).to_contain_text("16 × L40S")
    thumb = served.get_by_role("slider", name="Hosts at hand")
    after(page, lambda: thumb.press("Home"))
    expect(served).to_contain_text("8 × L40S")
    assert served.locator("tbody").inner_text() != before


@pytest.mark.parametrize("viewport", [PHONE], ids=["phone"])
def test_on_a_phone_nothing_scrolls_sideways(page, workbook_url):
    open_page(page, workbook_url, demand__users=200_000)
    simulate(page)
    show_table(page)
    for chart in CHARTS:
        page.locator(f'[data-chart="{chart}"]').scroll_into_view_if_needed()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    boxes = page.evaluate(
        """() => [...document.querySelectorAll(".pl-panel :is(table, .pl-scroll)")]
          .map((node) => [node.scrollWidth, node.parentElement.clientWidth])"""
    )
    assert all(inner <= outer + 1 for inner, outer in boxes), boxes
