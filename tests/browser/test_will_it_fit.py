"""The first dashboard, as someone meets it who has never seen it."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from urllib.parse import urlsplit

import psutil
import pytest
from playwright.sync_api import Locator, Page, expect

from planner import Scenario, evaluate, load_catalogue

NOTEBOOK = "voila/render/1-will-it-fit.ipynb"
CHARTS = ("memory", "precisions", "map", "quality")
HEADLINES = 6
PAINT_MS = 60_000
QWEN = "Qwen--Qwen3-8B_config.json"

# What one sees of a chart: its shapes and words, without the ids that plotly draws anew.
PICTURE = """
(name) => [...document.querySelectorAll(`[data-chart="${name}"] :is(.main-svg, table)`)]
  .flatMap((drawn) => [...drawn.querySelectorAll("path, text, image, td")])
  .map((node) => [node.getAttribute("d"), node.getAttribute("href"), node.style.fill,
    ["text", "TD"].includes(node.tagName) ? node.textContent : ""].join(" ")).join("\\n")
"""


@pytest.fixture
def expected_errors() -> list[str]:
    """Parts of console errors that a test provokes on purpose."""
    return []


@pytest.fixture(autouse=True)
def nothing_else_goes_wrong(page: Page, expected_errors: list[str]):
    """No test of this module may ask another machine for anything, or log an error."""
    yield
    assert page.foreign_requests == []
    unexpected = [
        error for error in page.console_errors if not any(part in error for part in expected_errors)
    ]
    assert unexpected == []


@pytest.fixture
def fit(page: Page, workbook_url: str) -> Page:
    """The dashboard, open and drawn."""
    return open_page(page, workbook_url + NOTEBOOK)


def open_page(page: Page, address: str) -> Page:
    page.goto(address)
    page.wait_for_selector(".planner[data-charts=drawn]", timeout=PAINT_MS)
    return page


def field(page: Page, path: str) -> Locator:
    return page.locator(f'[data-path="{path}"]')


def slider(page: Page, path: str) -> Locator:
    return field(page, path).get_by_role("slider")


def box(page: Page, path: str) -> Locator:
    return field(page, path).locator("input[type=text]")


def open_sections(page: Page) -> None:
    """Open the sections of controls that are folded."""
    while page.locator(".pl-section:not([open])").count():
        page.locator(".pl-section:not([open]) summary").first.click()


def headline(page: Page, identity: str) -> Locator:
    return page.locator(f'[data-headline="{identity}"]')


def picture(page: Page, chart: str = "memory") -> str:
    return page.evaluate(PICTURE, chart)


def everything(page: Page) -> dict:
    """What the page shows: its values, its headlines and its four pictures."""
    # Charts just out of sight follow when the sliders rest.
    page.wait_for_selector(".planner:not([data-behind])")
    return {
        "headlines": page.locator(".pl-headline").all_inner_texts(),
        "charts": [picture(page, chart) for chart in CHARTS],
        "values": page.locator(".pl-controls").evaluate(
            "(form) => [...form.querySelectorAll('input, select')].map((field) => field.value)"
        ),
    }


def after(page: Page, act: Callable[[], object]) -> Page:
    """Act, and wait until the page has painted the kernel's answer."""
    seq = page.locator(".planner").get_attribute("data-painted-seq")
    act()
    page.wait_for_function(
        "(seq) => Number(document.querySelector('.planner').dataset.paintedSeq) > seq",
        arg=int(seq),
    )
    return page


def asked(page: Page, path: str, value: object) -> None:
    """Wait until the address carries a scenario with this value: the kernel's own word."""
    for _ in range(50):
        query = urlsplit(page.url).query
        if query and Scenario.from_query(query).values()[path] == value:
            return
        page.wait_for_timeout(100)
    query = urlsplit(page.url).query
    raise AssertionError(query and Scenario.from_query(query).values()[path])


def choose(page: Page, path: str, label: str | re.Pattern) -> None:
    """Choose an option of a plain list whose words begin so."""
    select = field(page, path).locator("select")
    options = select.locator("option").all_inner_texts()
    index = next(i for i, text in enumerate(options) if text.strip().startswith(label))
    after(page, lambda: select.select_option(index=index))


def search(page: Page, path: str, words: str) -> None:
    """Type into a search box and take the first that is found."""
    combobox = field(page, path).get_by_role("combobox")
    combobox.click()
    combobox.fill(words)
    after(page, lambda: combobox.press("Enter"))


def upload(page: Page, act: Callable[[], None], name: str, text: str) -> None:
    with page.expect_file_chooser() as chooser:
        act()
    file = {"name": name, "mimeType": "application/json", "buffer": text.encode()}
    after(page, lambda: chooser.value.set_files(file))


# ---------------------------------------------------------------- opening


def test_the_page_opens_with_four_charts_and_six_headlines(fit):
    expect(fit.get_by_role("heading", level=1)).to_have_text("Will it fit?")
    expect(fit).to_have_title(re.compile("Will it fit"))
    for chart in CHARTS:
        node = fit.locator(f'[data-chart="{chart}"]')
        expect(node.locator(".main-svg, table").first).to_be_visible()
        expect(node.locator("figcaption")).not_to_be_empty()
        assert node.locator(".main-svg path, td").count() > 5
    headlines = fit.locator(".pl-headline:visible")
    expect(headlines).to_have_count(HEADLINES)
    for text in headlines.all_inner_texts():
        assert len(text.split()) > 8, text
    for status in ("error", "lost", "working"):
        expect(fit.locator(f".pl-status-{status}")).to_be_hidden()
    for secret in ("In [", "planner.workbook", "Traceback"):
        assert secret not in fit.locator("body").inner_text()


def test_the_default_story_is_the_models_own(fit):
    """Four become two and one, and the page says the same as a Python session would."""
    plan = evaluate(Scenario(), load_catalogue())
    expect(box(fit, "workload.model")).to_have_value("Llama 3.3 70B Instruct")
    expect(headline(fit, "fit.gpus")).to_contain_text(str(plan.fit.gpus))
    expect(headline(fit, "fit.gpus")).to_contain_text(plan.gpu.name)
    expect(headline(fit, "fit.sequences")).to_contain_text(f"{plan.fit.capacity_tokens:,.0f}")
    row = plan.options.gpus[plan.options.gpu_ids.index(plan.gpu.id)]
    needed = dict(zip(plan.options.precision_ids, row, strict=True))
    assert (needed["bf16"], needed["fp8"], needed["awq-int4"]) == (4, 2, 1)
    texts = fit.locator('[data-chart="precisions"] .bartext').all_text_contents()
    assert texts == [str(int(count)) for count in row]
    tags = fit.locator(".pl-headline .pl-tag:visible").all_inner_texts()
    assert sorted(tags) == ["data science", "infrastructure"]


# ---------------------------------------------------------------- sliders and boxes


def test_a_slider_follows_the_keyboard(fit):
    path = "workload.concurrent_sequences"
    thumb, number = slider(fit, path), box(fit, path)
    thumb.focus()
    before, words = picture(fit), headline(fit, "fit.sequences").inner_text()
    after(fit, lambda: thumb.press("ArrowRight"))
    assert int(number.input_value()) > 16
    assert picture(fit) != before
    assert headline(fit, "fit.sequences").inner_text() != words
    after(fit, lambda: thumb.press("ArrowLeft"))
    expect(number).to_have_value("16")
    assert picture(fit) == before
    for key, value in (("End", 10_000), ("Home", 1)):
        after(fit, lambda key=key: thumb.press(key))
        expect(number).to_have_value(f"{value:,}")
        expect(thumb).to_have_attribute("aria-valuetext", re.compile(f"{value:,}"))
        asked(fit, path, value)
        assert picture(fit) != before


def test_a_linear_slider_follows_the_keyboard(fit):
    path = "deployment.gpu_memory_utilization"
    open_sections(fit)
    thumb = slider(fit, path)
    thumb.focus()
    before = picture(fit)
    for key, value in (("Home", 0.5), ("ArrowRight", 0.51), ("End", 0.98)):
        after(fit, lambda key=key: thumb.press(key))
        asked(fit, path, value)
        assert picture(fit) != before


def test_32k_may_be_typed(fit):
    before = everything(fit)
    number = box(fit, "workload.context_tokens")
    number.fill("32k")
    after(fit, lambda: number.press("Enter"))
    expect(number).to_have_value("32,000")
    asked(fit, "workload.context_tokens", 32_000)
    now = everything(fit)
    assert now["headlines"] != before["headlines"]
    assert now["charts"][0] != before["charts"][0]
    thumb = slider(fit, "workload.context_tokens")
    expect(thumb).to_have_attribute("aria-valuetext", "32,000 tokens")


@pytest.mark.parametrize("text", ["a few", "99999999999", "-3"])
def test_what_is_no_answer_is_refused_in_one_sentence(fit, text):
    before = everything(fit)
    number = box(fit, "workload.concurrent_sequences")
    number.fill(text)
    number.press("Enter")
    expect(number).to_have_attribute("aria-invalid", "true")
    problem = field(fit, "workload.concurrent_sequences").locator(".pl-problem")
    expect(problem).to_be_visible()
    assert_is_sentence(problem.inner_text())
    assert everything(fit)["charts"] == before["charts"]
    assert everything(fit)["headlines"] == before["headlines"]
    number.fill("20")
    after(fit, lambda: number.press("Enter"))
    expect(number).not_to_have_attribute("aria-invalid", "true")
    expect(problem).to_be_hidden()


def assert_is_sentence(text: str) -> None:
    assert re.fullmatch(r"\S[^\n]{10,400}[.]", text), text
    assert "Traceback" not in text and "Error" not in text


# ---------------------------------------------------------------- the model


def test_a_model_is_found_by_typing(fit):
    before = everything(fit)
    combobox = field(fit, "workload.model").get_by_role("combobox")
    combobox.click()
    expect(combobox).to_have_attribute("aria-expanded", "true")
    combobox.press_sequentially("qwen3 32")
    options = fit.get_by_role("option")
    texts = options.locator("span:first-child").all_inner_texts()
    assert texts and all("qwen3" in t.lower() and "32" in t for t in texts), texts
    combobox.press("ArrowDown")
    active = combobox.get_attribute("aria-activedescendant")
    wanted = fit.locator(f"#{active} span").first.inner_text()
    after(fit, lambda: combobox.press("Enter"))
    expect(combobox).to_have_attribute("aria-expanded", "false")
    expect(combobox).to_have_value(wanted)
    assert everything(fit)["headlines"] != before["headlines"]
    assert picture(fit) != before["charts"][0]
    combobox.fill("no such model")
    expect(fit.get_by_text("Nothing matches")).to_be_visible()
    combobox.press("Escape")
    expect(combobox).to_have_value(wanted)


def test_any_size_is_a_drag_away(fit):
    choose(fit, "workload.model_source", "Any size")
    expect(field(fit, "workload.model")).to_be_hidden()
    path = "workload.model_parameters"
    thumb = slider(fit, path)
    expect(thumb).to_be_visible()
    thumb.scroll_into_view_if_needed()
    area = thumb.bounding_box()
    left, right, y = area["x"] + 1, area["x"] + area["width"] - 1, area["y"] + area["height"] / 2
    after(fit, lambda: thumb.press("Home"))
    asked(fit, path, 0.1e9)
    fit.wait_for_timeout(1100)  # changes of one field within a second are one step of undo
    small, gpus = picture(fit), headline(fit, "fit.gpus").locator(".pl-value").inner_text()
    fit.mouse.move(left + 8, y)
    fit.mouse.down()
    pictures = set()
    for step in range(1, 21):
        fit.mouse.move(left + 8 + (right - left - 8) * step / 20, y)
        fit.wait_for_timeout(60)
        pictures.add(picture(fit))
    assert len(pictures) > 5, "the picture does not move while one drags"
    fit.mouse.up()
    asked(fit, path, 1000e9)
    expect(box(fit, path)).to_have_value("1T")
    expect(headline(fit, "fit.gpus").locator(".pl-value")).not_to_have_text(gpus)
    assert picture(fit) != small
    fit.get_by_role("button", name="Undo").click()
    asked(fit, path, 0.1e9)  # one drag is one step


def test_a_real_config_json_is_read_and_a_broken_one_is_refused(fit, repository):
    choose(fit, "workload.model_source", "My config.json")
    text = (repository / "data" / "model_configs" / QWEN).read_text(encoding="utf-8")
    control = field(fit, "workload.config_json")
    button = control.locator(".pl-row button")
    upload(fit, button.click, QWEN, text)
    expect(fit.locator(".pl-status-notice")).to_contain_text(QWEN)
    expect(control).to_contain_text("8.19 billion")
    expect(fit.locator(".planner")).not_to_have_class(re.compile("pl-stale"))
    assert "{" not in button.inner_text(), "the file's text is no label"
    good = everything(fit)

    for name, broken in (("cut.json", text[:200]), ("list.json", "[1, 2]"), ("empty.json", "")):
        upload(fit, button.click, name, broken)
        expect(fit.locator(".pl-status-error")).to_be_visible()
        assert_is_sentence(fit.locator(".pl-status-error").inner_text())
        expect(fit.locator(".pl-status-error")).to_contain_text(name)
        expect(button).to_have_attribute("aria-invalid", "true")
        now = everything(fit)
        assert now["charts"] == good["charts"] and now["headlines"] == good["headlines"]
    thumb = slider(fit, "workload.context_tokens")
    after(fit, lambda: thumb.press("ArrowRight"))
    expect(fit.locator(".pl-status-error")).to_be_hidden()
    assert picture(fit) != good["charts"][0]


def test_a_precision_that_the_gpu_cannot_compute(fit):
    search(fit, "deployment.gpu", "MI300X")
    expect(headline(fit, "fit.gpus")).to_contain_text("MI300X")
    good = everything(fit)
    choose(fit, "deployment.weight_precision", "NVFP4")
    error = fit.locator(".pl-status-error")
    expect(error).to_be_visible()
    assert_is_sentence(error.inner_text())
    expect(error).to_contain_text("MI300X")
    expect(fit.get_by_text("Last good plan")).to_be_visible()
    now = everything(fit)
    assert now["charts"] == good["charts"] and now["headlines"] == good["headlines"]
    select = field(fit, "deployment.weight_precision").locator("select")
    assert select.evaluate("(s) => s.options[s.selectedIndex].text").startswith("NVFP4")
    expect(select).to_have_attribute("aria-invalid", "true")
    after(fit, fit.get_by_role("button", name="Undo").click)
    expect(error).to_be_hidden()
    expect(fit.get_by_text("Last good plan")).to_be_hidden()
    assert everything(fit)["charts"] == good["charts"]


# ---------------------------------------------------------------- undo


def test_undo_redo_and_reset(fit):
    first = everything(fit)
    thumb = slider(fit, "workload.context_tokens")
    undo, redo = (fit.get_by_role("button", name=name) for name in ("Undo", "Redo"))
    expect(undo).to_be_disabled()
    after(fit, lambda: thumb.press("Home"))
    choose(fit, "deployment.weight_precision", "BF16")
    last = everything(fit)
    assert last["charts"] != first["charts"]

    after(fit, undo.click)
    after(fit, undo.click)
    assert everything(fit) == first
    expect(undo).to_be_disabled()
    after(fit, redo.click)
    after(fit, redo.click)
    assert everything(fit) == last
    expect(redo).to_be_disabled()

    fit.locator("h1").click()  # away from every field
    after(fit, lambda: fit.keyboard.press("Control+z"))
    after(fit, lambda: fit.keyboard.press("Control+z"))
    assert everything(fit) == first
    after(fit, lambda: fit.keyboard.press("Control+Shift+Z"))
    after(fit, lambda: fit.keyboard.press("Control+Shift+Z"))
    assert everything(fit) == last

    after(fit, fit.get_by_role("button", name="Reset").click)
    assert everything(fit) == first
    after(fit, undo.click)
    assert everything(fit) == last


# ---------------------------------------------------------------- links and files


def test_a_copied_link_opens_the_same_picture_elsewhere(fit, browser, viewport):
    fit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    number = box(fit, "workload.context_tokens")
    number.fill("32k")
    after(fit, lambda: number.press("Enter"))
    search(fit, "workload.model", "qwen3 235b")
    choose(fit, "deployment.tensor_parallel", "8")
    fit.get_by_role("button", name="Copy link").click()
    expect(fit.locator(".pl-status-notice")).to_be_visible()
    link = fit.evaluate("navigator.clipboard.readText()")
    assert Scenario.from_query(urlsplit(link).query).deployment.tensor_parallel == 8
    mine = everything(fit)

    context = browser.new_context(viewport=viewport)
    try:
        theirs = context.new_page()
        open_page(theirs, link)
        theirs.wait_for_timeout(300)
        assert everything(theirs) == mine
        after(theirs, lambda: slider(theirs, "workload.context_tokens").press("Home"))
        after(theirs, theirs.get_by_role("button", name="Reset").click)
        assert everything(theirs) == mine, "reset returns to what the link carried"
        theirs.goto("about:blank")
    finally:
        context.close()


@pytest.mark.parametrize(
    "query",
    ["s=1notascenario", "s=1" + "A" * 9000, "s=9abc", "s=1eJwDAAAAAAE"],
    ids=["damaged", "oversized", "version", "cut"],
)
def test_a_link_that_cannot_be_read_opens_the_default_and_says_why(page, workbook_url, query):
    open_page(page, f"{workbook_url}{NOTEBOOK}?{query}")
    error = page.locator(".pl-status-error")
    expect(error).to_be_visible()
    assert_is_sentence(error.inner_text())
    expect(page.locator(".pl-headline:visible")).to_have_count(HEADLINES)
    expect(box(page, "workload.context_tokens")).to_have_value("4,096")
    after(page, lambda: slider(page, "workload.context_tokens").press("ArrowRight"))
    expect(error).to_be_hidden()


def test_a_downloaded_scenario_opens_as_the_same_scenario(fit):
    number = box(fit, "workload.concurrent_sequences")
    number.fill("123")
    after(fit, lambda: number.press("Enter"))
    mine = everything(fit)
    files = {}
    for form in ("yaml", "json"):
        with fit.expect_download() as download:
            fit.get_by_label("Download the scenario").select_option(form)
        path = download.value.path()
        files[form] = path.read_text(encoding="utf-8")
        assert download.value.suggested_filename.endswith(f".{form}")
        assert Scenario.from_text(files[form]).workload.concurrent_sequences == 123
    assert json.loads(files["json"])

    for form, text in files.items():
        after(fit, fit.get_by_role("button", name="Reset").click)
        assert everything(fit) != mine
        button = fit.get_by_role("button", name="Open file")
        upload(fit, button.click, f"plan.{form}", text)
        expect(fit.locator(".pl-status-notice")).to_contain_text(f"plan.{form}")
        assert everything(fit) == mine
    upload(fit, button.click, "broken.yaml", "workload: {context_tokens: [")
    expect(fit.locator(".pl-status-error")).to_contain_text("broken.yaml")
    assert everything(fit)["charts"] == mine["charts"]


def test_tags_in_a_title_stay_text(page, workbook_url):
    title = "<img src=x onerror='window.taken=1'><script>window.taken=1</script><b>bold</b>"
    query = Scenario(title=title).to_query()
    page.goto(f"{workbook_url}voila/render/0-start-here.ipynb?{query}")
    expect(box(page, "title")).to_have_value(title, timeout=PAINT_MS)
    open_page(page, f"{workbook_url}{NOTEBOOK}?{query}")
    with page.expect_download() as download:
        page.get_by_label("Download the scenario").select_option("yaml")
    assert re.fullmatch(r"[\w.-]+\.yaml", download.value.suggested_filename)
    text = '{"model_type": "<img src=x onerror=window.taken=1>"}'
    button = page.get_by_role("button", name="Open file")
    upload(page, button.click, "<img src=x onerror='window.taken=1'>.json", text)
    expect(page.locator(".pl-status-error")).to_be_visible()
    page.wait_for_timeout(300)
    assert page.evaluate("window.taken") is None
    assert page.locator(".planner img, .planner script, .planner b").count() == 0


# ---------------------------------------------------------------- why


def test_why_explains_every_headline(fit):
    dialog = fit.get_by_role("dialog")
    buttons = fit.locator(".pl-why-button:visible")
    assert buttons.count() == 4
    for index in range(buttons.count()):
        button = buttons.nth(index)
        button.click()
        expect(dialog).to_be_visible()
        expect(dialog.locator(".pl-table").first).to_be_visible()
        assert fit.evaluate(
            "document.querySelector('[role=dialog]').contains(document.activeElement)"
        )
        parts = dialog.locator("h3").all_inner_texts()
        for part in ("Formula", "With this plan's numbers", "Inputs", "In both teams' words"):
            assert part in parts
        for node in dialog.locator("pre").all():
            assert node.inner_text().strip() not in ("", "undefined", "NaN")
        rows = dialog.locator(".pl-why-part").filter(has_text="Source").locator("tbody tr")
        assert rows.count() >= 1
        for row in rows.all():
            name, value, source, basis = row.locator("td").all_inner_texts()[:4]
            assert name and value and source and basis
        words = dialog.locator(".pl-why-part").last.inner_text().lower()
        for team in ("data science", "infrastructure"):
            assert len(words.partition(team)[2].split()) > 5, words
        expect(dialog.locator(".pl-basis").first).not_to_be_empty()
        fit.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(button).to_be_focused()


def test_why_follows_the_plan_and_leads_on(fit):
    dialog = fit.get_by_role("dialog")
    headline(fit, "memory.deployment_bytes").get_by_text("Why?").click()
    expect(dialog.locator("pre").nth(1)).to_be_visible()
    worked = dialog.locator("pre").nth(1).inner_text()
    after(fit, lambda: slider(fit, "workload.concurrent_sequences").press("End"))
    expect(dialog.locator("pre").nth(1)).not_to_have_text(worked)
    # An input that is itself an answer of the plan has its own why.
    title = dialog.get_by_role("heading", level=2).inner_text()
    dialog.locator("tbody").get_by_role("button").first.click()
    expect(dialog.get_by_role("heading", level=2)).not_to_have_text(title)
    expect(dialog.locator("pre").first).to_be_visible()


# ---------------------------------------------------------------- pictures


@pytest.mark.parametrize("viewport", [{"width": 1440, "height": 900}])
def test_charts_follow_the_window(fit):
    for width in (1440, 1100, 760, 390, 1440):
        fit.set_viewport_size({"width": width, "height": 900})
        for chart in CHARTS:
            fit.locator(f'[data-chart="{chart}"]').scroll_into_view_if_needed()
            fit.wait_for_function(
                """(name) => {
                  const plot = document.querySelector(`[data-chart="${name}"] .pl-plot`);
                  const drawn = plot.querySelector(".main-svg, table");
                  const [outer, inner] = [plot, drawn].map((node) =>
                    node?.getBoundingClientRect());
                  return inner && inner.left >= outer.left - 1 && inner.right <= outer.right + 1 &&
                    inner.bottom <= outer.bottom + 1 && inner.width > outer.width - 2;
                }""",
                arg=chart,
                timeout=5000,
            )


@pytest.mark.parametrize(
    "viewport",
    [{"width": 1440, "height": 900}, {"width": 390, "height": 844}],
    ids=["wide", "phone"],
)
def test_no_word_of_a_chart_is_cut_off(page, workbook_url):
    page.goto(workbook_url + NOTEBOOK)
    page.wait_for_selector(".planner[data-ready]", timeout=PAINT_MS)
    cut = []
    for chart in CHARTS:
        page.locator(f'[data-chart="{chart}"]').scroll_into_view_if_needed()
        page.wait_for_selector(f'[data-chart="{chart}"] :is(.main-svg text, td)')
        page.wait_for_timeout(300)
        cut += page.evaluate(
            """(name) => {
              const plot = document.querySelector(`[data-chart="${name}"] .pl-plot`);
              const outer = plot.getBoundingClientRect();
              return [...plot.querySelectorAll(".main-svg text, td, th")].filter((text) => {
                const box = text.getBoundingClientRect();
                return box.width && text.textContent.trim() && (box.left < outer.left - 1 ||
                  box.right > outer.right + 1 || box.top < outer.top - 1 ||
                  box.bottom > outer.bottom + 1);
              }).map((text) => `${name}: ${text.textContent}`);
            }""",
            chart,
        )
    assert cut == []


def test_hovering_names_the_number(fit):
    for chart, mark in (("memory", ".bars .point path"), ("precisions", ".bars .point path")):
        bar = fit.locator(f'[data-chart="{chart}"] {mark}').first
        bar.scroll_into_view_if_needed()
        bar.hover(force=True)
        label = fit.locator(f'[data-chart="{chart}"] .hoverlayer .hovertext')
        expect(label.first).to_be_visible()
        assert re.search(r"\d", label.first.text_content())
        fit.mouse.move(5, 5)
        expect(label).to_have_count(0)


# ---------------------------------------------------------------- when things break


def test_a_dead_kernel_is_told_and_the_page_stays(page, workbook_url, expected_errors):
    expected_errors += ["WebSocket", "api/kernels", "voila"]
    sockets = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    open_page(page, workbook_url + NOTEBOOK)
    before = everything(page)
    kernel = re.search(r"/api/kernels/([\w-]+)/", sockets[0])[1]
    killed = [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(f"kernel-{kernel}" in part for part in process.info["cmdline"] or [])
    ]
    assert len(killed) == 1
    killed[0].send_signal(signal.SIGKILL)
    slider(page, "workload.concurrent_sequences").press("ArrowRight")
    lost = page.locator(".pl-status-lost")
    expect(lost).to_be_visible(timeout=60_000)
    expect(lost).to_contain_text("reload")  # the words may come a moment after their place
    assert_is_sentence(lost.inner_text())
    assert everything(page)["charts"] == before["charts"]


def test_a_lost_connection_is_told_and_the_link_still_opens(page, workbook_url, expected_errors):
    expected_errors += ["WebSocket", "ERR_", "Failed", "kernel"]
    routes = []

    def through(route):
        routes.append(route)
        if len(routes) == 1:
            route.connect_to_server()
        else:
            route.close()  # it does not come back

    page.route_web_socket(re.compile(r"/api/kernels/"), through)
    open_page(page, workbook_url + NOTEBOOK)
    number = box(page, "workload.concurrent_sequences")
    number.fill("40")
    after(page, lambda: number.press("Enter"))
    asked(page, "workload.concurrent_sequences", 40)
    mine = everything(page)
    routes[0].close()
    lost = page.locator(".pl-status-lost")
    expect(lost).to_be_visible(timeout=10_000)
    assert_is_sentence(lost.inner_text())
    assert everything(page)["charts"] == mine["charts"]
    page.unroute_all()
    address = page.url
    page.goto("about:blank")
    fresh = page.context.new_page()
    open_page(fresh, address)
    assert everything(fresh) == mine
    fresh.goto("about:blank")
