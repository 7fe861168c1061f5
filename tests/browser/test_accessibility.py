"""For everyone: keyboard, screen reader, small screens, both themes.

axe-core finds what a machine can find; the rest is tried by Tab and by measuring boxes.
"""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.usefixtures("clean_page")

PAINT_MS = 60_000
PAGES = {
    "start": "0-start-here.ipynb",
    "fit": "1-will-it-fit.ipynb",
    "fast": "2-how-fast-how-many.ipynb",
    "cost": "3-own-rent-or-call.ipynb",
    "fleet": "4-carve-and-place.ipynb",
}
WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
WIDTHS = (1440, 1024, 768, 390, 320)

every_page = pytest.mark.parametrize("name", PAGES)
every_size = pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])

AXE = """
async () => {
  const result = await axe.run(document, { resultTypes: ["violations"] });
  return result.violations.map(({ id, impact, help, nodes }) => ({
    id, impact, help, nodes: nodes.slice(0, 5).map((node) => node.html.slice(0, 160)) }));
}
"""

# What can hold the focus and is in sight.
FOCUSABLE = """
() => [...document.querySelectorAll(
  ".planner :is(a[href], button, input, select, summary, [tabindex='0'])")]
  .filter((node) => !node.disabled && node.checkVisibility({ visibilityProperty: true }))
"""

FOCUS = """
() => {
  const node = document.activeElement;
  const style = getComputedStyle(node);
  return { tag: node.tagName.toLowerCase(), html: node.outerHTML.slice(0, 120),
    index: (%s)().indexOf(node),
    ring: `${style.outlineStyle} ${style.outlineWidth} ${style.boxShadow}`,
    outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1,
    shadow: style.boxShadow };
}
""" % FOCUSABLE.strip()  # noqa: UP031 - braces everywhere

CLIPPED = """
() => [...document.querySelectorAll(".planner *")].filter((node) => {
  if (node.closest("svg, .pl-hidden")) return false;
  if (!node.checkVisibility({ visibilityProperty: true })) return false;
  const words = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
  const value = node.matches("input[type=text]") && node.value;
  if (!words && !value) return false;
  const style = getComputedStyle(node);
  const cut = (value || style.overflowX !== "visible") && node.scrollWidth > node.clientWidth + 1 ||
    style.overflowY === "hidden" && node.scrollHeight > node.clientHeight + 2;
  return cut && style.overflowX !== "auto" && !(node.title && style.textOverflow === "ellipsis");
}).map((node) => node.outerHTML.slice(0, 120))
"""

# A thumb needs 40 px, or a target of at least 24 px with room around it (WCAG 2.2, 2.5.8).
SMALL_TARGETS = """
(least) => [...document.querySelectorAll(".planner :is(a[href], button, input, select, summary)")]
  .filter((node) => node.checkVisibility({ visibilityProperty: true }))
  .map((node) => {
    const box = node.getBoundingClientRect();
    // A pseudo-element may widen what can be hit.
    const more = getComputedStyle(node, "::after");
    const wider = more.content !== "none" && more.position === "absolute";
    const reach = wider ? -parseFloat(more.top) : 0;
    return [node.className || node.tagName, box.width + 2 * reach, box.height + 2 * reach];
  })
  .filter(([, width, height]) => height < least - 0.5 || width < 24)
"""

TARGET_PX = 40.0


def open_page(page: Page, workbook_url: str, name: str) -> Page:
    page.goto(f"{workbook_url}voila/render/{PAGES[name]}")
    page.wait_for_selector(".planner[data-ready]", timeout=PAINT_MS)
    page.wait_for_function("() => window.Plotly?.react")
    draw_everything(page)
    return page


def draw_everything(page: Page) -> None:
    """Charts are drawn as they come into sight, so show each, and go back."""
    for chart in page.locator("[data-chart]").all():
        chart.scroll_into_view_if_needed()
        expect(chart.locator(":is(.main-svg, table, .pl-notes):visible").first).to_be_visible()
    page.evaluate("scrollTo(0, 0)")


def unfold(page: Page) -> None:
    """Open every section, and one row of each table; not by clicking, which would be where Tab
    goes on from."""
    page.evaluate("document.querySelectorAll('.pl-section').forEach((one) => (one.open = true))")
    page.evaluate(
        """() => document.querySelectorAll(".pl-rows > :first-child").forEach((row) => {
          row.querySelector(".pl-row-open").click();
          row.querySelector(".pl-row-more").open = true;
        })"""
    )
    page.evaluate("document.querySelector('[data-panel=served] [aria-expanded=false]')?.click()")
    if page.locator("[data-panel=served]").count():
        expect(page.locator(".pl-served tbody tr").first).to_be_visible()


def violations(page: Page, axe_source: str) -> list[dict]:
    """What axe finds, as findings of impact serious or critical."""
    if not page.evaluate("Boolean(window.axe)"):
        page.evaluate(axe_source)
    found = page.evaluate(AXE)
    return [one for one in found if one["impact"] in ("serious", "critical")]


# ---------------------------------------------------------------- by machine


@every_size
@every_page
def test_axe_finds_nothing_serious(page, workbook_url, axe_source, name):
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        if theme == "light":
            open_page(page, workbook_url, name)
            unfold(page)
        expect(page.locator(".planner")).to_have_attribute("data-theme", theme)
        page.wait_for_timeout(400)
        found = violations(page, axe_source)
        assert found == [], f"{theme}: {json.dumps(found, indent=1)}"
        page.locator(".pl-why-button:visible").first.click()
        expect(page.get_by_role("dialog").locator(".pl-table")).to_be_visible()
        found = violations(page, axe_source)
        assert found == [], f"{theme}, why: {json.dumps(found, indent=1)}"
        page.keyboard.press("Escape")


def test_axe_finds_nothing_serious_in_messages_and_lists(page, workbook_url, axe_source):
    open_page(page, workbook_url, "fit")
    number = page.locator('[data-path="workload.concurrent_sequences"] input[type=text]')
    number.fill("nonsense")
    number.press("Enter")
    page.locator(".pl-help-button:visible").first.click()
    page.get_by_role("combobox", name="Model", exact=True).click()
    expect(page.locator(".pl-option").first).to_be_visible()
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        page.wait_for_timeout(300)
        found = violations(page, axe_source)
        assert found == [], f"{theme}: {json.dumps(found, indent=1)}"


def test_axe_would_find_something(page, workbook_url, axe_source):
    """The check above is able to fail."""
    open_page(page, workbook_url, "start")
    page.evaluate(
        """() => {
          const box = document.querySelector('[data-path="title"] input');
          document.querySelector(`label[for="${box.id}"]`).remove();
          box.removeAttribute("id");
          document.querySelector(".planner h1").style.color = "#ddd";
        }"""
    )
    assert {"label", "color-contrast"} <= {one["id"] for one in violations(page, axe_source)}


# ---------------------------------------------------------------- by keyboard


@every_size
@every_page
def test_tab_reaches_every_control_in_order_and_shows_where_it_is(page, workbook_url, name):
    open_page(page, workbook_url, name)
    unfold(page)
    page.evaluate("scrollTo(0, 0)")
    count = page.evaluate(f"({FOCUSABLE})().length")
    assert count > 20
    resting = page.evaluate(f"({FOCUSABLE})().map((node) => getComputedStyle(node).boxShadow)")
    page.evaluate("document.activeElement.blur()")
    reached, invisible = [], []
    for _ in range(count + 5):
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUS)
        if focus["index"] < 0:
            if reached:
                break
            continue
        reached.append(focus["index"])
        if not focus["outlined"] and focus["shadow"] == resting[focus["index"]]:
            invisible.append(focus["html"])
    assert reached == list(range(count)), "every control once, in the order of the page"
    assert invisible == [], "the focus can be seen"


@every_page
def test_every_control_has_a_name(page, workbook_url, name):
    open_page(page, workbook_url, name)
    unfold(page)
    nodes = page.evaluate_handle(FOCUSABLE)
    total = page.evaluate(f"({FOCUSABLE})().length")
    session = page.context.new_cdp_session(page)
    tree = session.send("Accessibility.getFullAXTree")["nodes"]
    roles = {
        "button",
        "link",
        "slider",
        "textbox",
        "combobox",
        "ComboBoxSelect",
        "DisclosureTriangle",
    }
    controls = [
        (node["role"]["value"], node.get("name", {}).get("value", "").strip())
        for node in tree
        if node.get("role", {}).get("value") in roles and not node.get("ignored")
    ]
    assert len(controls) >= total * 0.9, f"{len(controls)} of {total}"
    assert [control for control in controls if not control[1]] == []
    # Two sliders or boxes of one name could not be told apart.
    sliders = [name for role, name in controls if role in ("slider", "textbox")]
    assert len(sliders) == len(set(sliders)), sliders
    nodes.dispose()


@pytest.mark.parametrize("name", ["fit", "fast"])
def test_pictures_have_words(page, workbook_url, name):
    open_page(page, workbook_url, name)
    assert page.locator("[data-chart]").count() == 4
    for chart in page.locator("[data-chart]").all():
        caption = chart.locator("figcaption").inner_text()
        assert len(caption.split()) > 8
        picture = chart.locator("[role=img]")
        if picture.count():
            assert len(picture.get_attribute("aria-label").split()) > 8
        else:
            expect(chart.get_by_role("table")).to_be_visible()
    spoken = page.locator(".pl-results [aria-live=polite]")
    expect(spoken).to_contain_text("GPU", timeout=5000)


# ---------------------------------------------------------------- by measuring


@every_page
def test_nothing_scrolls_sideways(page, workbook_url, name):
    open_page(page, workbook_url, name)
    unfold(page)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(250)
        draw_everything(page)
        wide = page.evaluate(
            """() => document.documentElement.scrollWidth <= innerWidth ? [] :
              [...document.querySelectorAll(".planner *")].filter((node) =>
                node.getBoundingClientRect().right > innerWidth + 1).slice(0, 5)
                .map((node) => node.outerHTML.slice(0, 100))"""
        )
        assert wide == [], width
    page.locator(".pl-why-button:visible").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".pl-table")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert dialog.evaluate("(node) => node.scrollWidth <= node.clientWidth + 1")


@every_page
def test_no_text_is_cut_off(page, workbook_url, name):
    open_page(page, workbook_url, name)
    unfold(page)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(250)
        assert page.evaluate(CLIPPED) == [], width


@pytest.mark.parametrize("viewport", [PHONE], ids=["phone"])
@every_page
def test_targets_are_large_enough_for_a_thumb(page, workbook_url, name):
    open_page(page, workbook_url, name)
    unfold(page)
    assert page.evaluate(SMALL_TARGETS, TARGET_PX) == []


@pytest.mark.parametrize("viewport", [PHONE], ids=["phone"])
def test_the_phone_keeps_the_answer_in_sight(page, workbook_url):
    open_page(page, workbook_url, "fit")
    thumb = page.get_by_role("slider", name="Conversations at once")
    thumb.scroll_into_view_if_needed()
    strip = page.locator(".pl-strip")
    expect(strip).to_be_in_viewport()
    before = strip.inner_text()
    thumb.press("End")
    expect(strip).not_to_have_text(before)


def test_less_motion_is_respected_and_the_theme_is_remembered(page, workbook_url):
    page.emulate_media(reduced_motion="reduce")
    open_page(page, workbook_url, "start")
    page.get_by_label("Theme").select_option("dark")
    expect(page.locator(".planner")).to_have_attribute("data-theme", "dark")
    moving = page.evaluate(
        """() => [...document.querySelectorAll(".planner *")].filter((node) =>
          parseFloat(getComputedStyle(node).transitionDuration) > 0).length"""
    )
    assert moving == 0
    page.reload()
    expect(page.locator(".planner")).to_have_attribute("data-theme", "dark", timeout=PAINT_MS)
