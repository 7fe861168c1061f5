"""The map of the workbook, and the scenario card that both teams fill in."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from playwright.sync_api import Page, expect

from planner import Scenario
from planner.scenario import EXAMPLES, field_schema, load_example
from tests.browser.pages import after

pytestmark = pytest.mark.usefixtures("clean_page")

START = "0-start-here.ipynb"
FIT = "1-will-it-fit.ipynb"
FAST = "2-how-fast-how-many.ipynb"
PAINT_MS = 60_000


@pytest.fixture
def start(page: Page, workbook_url: str) -> Page:
    """The page that the bare address leads to."""
    page.goto(workbook_url)
    page.wait_for_selector(".planner[data-ready]", timeout=PAINT_MS)
    return page


def box(page: Page, path: str):
    return page.locator(f'[data-path="{path}"] input[type=text]')


def type_in(page: Page, path: str, text: str) -> None:
    box(page, path).fill(text)
    after(page, lambda: box(page, path).press("Enter"))


def scenario_of(page: Page, link: str) -> Scenario:
    """The scenario that a link of the page leads to, once it carries one."""
    page.wait_for_function("(link) => document.querySelector(link).search", arg=link)
    return Scenario.from_query(urlsplit(page.locator(link).first.get_attribute("href")).query)


def notebooks(repository: Path) -> dict[str, dict]:
    """Every notebook that is served, by its path below their folder."""
    folder = repository / "notebooks"
    return {
        path.relative_to(folder).as_posix(): json.loads(path.read_text("utf-8"))
        for path in folder.rglob("*.ipynb")
    }


def test_the_map_shows_every_dashboard_and_no_other(start, repository):
    assert urlsplit(start.url).path.endswith(START)
    names = set(notebooks(repository))

    def targets(links) -> list[str]:
        found = links.evaluate_all("(links) => links.map((link) => link.getAttribute('href'))")
        return [
            unquote(urlsplit(urljoin(start.url, href)).path.split("/render/", 1)[1])
            for href in found
        ]

    cards = start.get_by_role("navigation", name="Map of the workbook").get_by_role("link")
    tabs = start.get_by_role("navigation", name="Dashboards").get_by_role("link")
    assert sorted(targets(cards)) == sorted(names - {START})
    assert sorted(targets(tabs)) == sorted(names)
    expect(start.locator('[aria-current="page"]')).to_have_count(1)
    for card in cards.all():
        assert len(card.inner_text().split()) > 8, "a card says what its dashboard answers"
    for name in targets(tabs):
        answer = start.request.get(urljoin(start.url, name))
        assert answer.ok


def test_each_team_finds_its_own_card(start):
    schema = field_schema()
    for title, team in (
        ("What data science asks for", "data science"),
        ("What infrastructure offers and promises", "infrastructure"),
    ):
        card = start.locator(".pl-section").filter(has_text=title)
        expect(card.locator("summary .pl-tag")).to_have_text(team)
        paths = card.locator("[data-path]").evaluate_all(
            "(nodes) => nodes.map((node) => node.dataset.path)"
        )
        assert len(paths) >= 6
        assert {schema[path]["team"] for path in paths} <= {team, "both"}
        for path in paths:
            control = card.locator(f'[data-path="{path}"]')
            expect(control.locator("label").first).to_have_text(schema[path]["label"])
    shown = start.locator(".pl-section [data-path]").count()
    hidden = {"description"}
    assert shown == len(set(schema) - hidden), "every field that has words is on one card"


def test_the_links_carry_the_scenario_there_and_back(start):
    type_in(start, "title", "Chat für alle ☎ & mehr")
    type_in(start, "workload.context_tokens", "32k")
    type_in(start, "workload.concurrent_sequences", "99")
    card = f'.pl-map a[href^="{FIT}"]'
    wanted = scenario_of(start, card)
    assert wanted.workload.context_tokens == 32_000
    assert wanted.title == "Chat für alle ☎ & mehr"
    start.locator(card).click()
    start.wait_for_selector(".planner[data-charts=drawn]", timeout=PAINT_MS)
    assert urlsplit(start.url).path.endswith(FIT)
    expect(box(start, "workload.context_tokens")).to_have_value("32,000")
    expect(box(start, "workload.concurrent_sequences")).to_have_value("99")

    type_in(start, "workload.concurrent_sequences", "200")
    back = f'.pl-tabs a[href^="{START}"]'
    expected = wanted.changed({"workload.concurrent_sequences": 200})
    start.wait_for_timeout(100)
    assert scenario_of(start, back) == expected
    start.locator(back).click()
    start.wait_for_selector('.planner[data-page="start-here"][data-ready]', timeout=PAINT_MS)
    expect(box(start, "title")).to_have_value("Chat für alle ☎ & mehr")
    expect(box(start, "workload.concurrent_sequences")).to_have_value("200")


def test_demand_on_the_card_is_the_second_dashboards(start):
    gpus = start.locator('[data-headline="serving.gpus"]')
    before = gpus.inner_text()
    type_in(start, "demand.users", "300k")
    assert gpus.inner_text() != before
    card = f'.pl-map a[href^="{FAST}"]'
    start.wait_for_timeout(100)
    assert scenario_of(start, card).demand.users == 300_000
    said = gpus.locator(".pl-value").inner_text()
    start.locator(card).click()
    start.wait_for_selector('.planner[data-page="how-fast-how-many"]', timeout=PAINT_MS)
    expect(box(start, "demand.users")).to_have_value("300,000")
    expect(start.locator('[data-headline="serving.gpus"] .pl-value')).to_have_text(said)


def test_the_examples_fill_the_card(start):
    group = start.get_by_role("group", name="Start from an example")
    expect(group.get_by_role("button")).to_have_count(len(EXAMPLES))
    seen = set()
    for name in EXAMPLES:
        example = load_example(name)
        button = group.get_by_role("button", name=example.title)
        after(start, button.click)
        expect(box(start, "title")).to_have_value(example.title)
        expect(start.locator(".pl-status-error")).to_be_hidden()
        assert scenario_of(start, ".pl-map a") == example
        seen.add(start.locator(".pl-headlines").inner_text())
    assert len(seen) == len(EXAMPLES), "the examples have different answers"
    after(start, start.get_by_role("button", name="Undo").click)
    expect(box(start, "title")).to_have_value(load_example(EXAMPLES[-2]).title)


def test_both_teams_read_the_answer_in_their_own_words(start):
    tags = start.locator(".pl-headline .pl-tag:visible").all_inner_texts()
    assert sorted(tags) == ["data science", "infrastructure"]
    expect(start.locator(".pl-headline:visible")).to_have_count(18)
    words = start.locator(".pl-headline").filter(has=start.locator(".pl-tag:visible"))
    before = words.all_inner_texts()
    type_in(start, "workload.context_tokens", "128k")
    assert words.all_inner_texts() != before
