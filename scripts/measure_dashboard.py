"""Measure the dashboard as a visitor feels it: in the browser, from the key to the pixels.

    python scripts/measure_dashboard.py [--steps 100] [--loads 5] [--profile] [--only fast]

Starts `planner serve` on a free port with our defaults, and a headless Chromium, both on this
machine, and prints each measured number beside its limit:

- a slider step: from the browser's own timestamp of the key press (or of the mouse's move) to
  the page's word that the charts in sight are repainted for it, and they must differ;
- a fast drag: from the last of its input events until the picture is that of the last position;
- the first charts of a page: from the request for the page, with a kernel waiting in the pool
  and with none.

`tests/browser/test_latency.py` holds the product to these limits with the same functions.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from planner.scenario import load_example

STEP_P50_LIMIT_MS = 60.0
STEP_P95_LIMIT_MS = 120.0
DRAG_LIMIT_MS = 200.0
WARM_LIMIT_S = 2.0
COLD_LIMIT_S = 6.0

NOTEBOOK = "1-will-it-fit.ipynb"
PATH = "workload.concurrent_sequences"
"""The slider that is moved: its every step changes the memory chart and the headlines."""
_ROWS = load_example("shared-fleet").to_dict()["portfolio"]["workloads"]
NOTEBOOKS_ROW = [row.get("shape") for row in _ROWS].index("notebooks")
# So few that 35 steps to the right still fit on the fleet.
_ROWS[NOTEBOOKS_ROW]["people"] = 20
FLEET = load_example("shared-fleet").changed(
    {
        "portfolio.workloads": _ROWS,
        "portfolio.hosts": [
            {"name": "sliced", "count": 8, "carving": "mig"},
            {"name": "whole", "count": 8},
        ],
    }
)
"""16 hosts of 8 GPUs."""
SLIDERS = {
    "fit": (NOTEBOOK, PATH),
    "fast": ("2-how-fast-how-many.ipynb", "service_level.tpot_s"),
    "cost": ("3-own-rent-or-call.ipynb", "demand.users"),
    "fleet": (
        f"4-carve-and-place.ipynb?{FLEET.to_query()}",
        f"portfolio.workloads/{NOTEBOOKS_ROW}/people",
    ),
}
"""Notebook of each dashboard, with a scenario or without, and the slider that is moved on it: a
field, or a cell of a table by its row."""
RIGHT_HALF = (0.45, 0.5)
REACHES = {"fleet": (0.45, 0.22)}
"""Where the mouse moves the thumb, from which share of its way and for how much of it, if not over
the right half: so many notebooks as lie further right are on no fleet of this size."""
VIEWPORT = {"width": 1440, "height": 900}
START_S, PAINT_MS = 60, 60_000
SETTLE_S = 4.0
"""A kernel that has started still runs its notebook; after this it waits for a visitor [s]."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
]

PROBE = """
(() => {
  const probe = window.plannerProbe = { painted: [], inputs: [], charts: null };
  // The headline that names the slider's own value.
  const shown = () => [...document.querySelectorAll(
    '[data-headline="fit.sequences"], [data-headline="serving.user_tokens_per_s"], ' +
    '[data-page="own-rent-or-call"] [data-headline="words-data-science"], ' +
    '[data-page="carve-and-place"] .pl-row-said')]
    .map((node) => node.textContent).join(" ");
  const waiters = [];
  document.addEventListener("planner:charts", () => {
    probe.charts = performance.now();
    probe.pictures = document.querySelectorAll(".pl-plot .main-svg").length;
  }, { once: true });
  document.addEventListener("planner:painted", (event) => {
    const painted = { seq: event.detail.seq, at: performance.now(), shown: shown() };
    probe.painted.push(painted);
    // What is painted at rest, before a step or while it is under way, is no answer to it.
    if (!probe.inputs.length || (waiters.length && probe.picture() === probe.before)) return;
    waiters.splice(0).forEach((resolve) => requestAnimationFrame(() => {
      const channel = new MessageChannel(); // after the frame that shows it
      channel.port1.onmessage = () => resolve({ ...painted, presented: performance.now() });
      channel.port2.postMessage(0);
    }));
  });
  // A logarithmic slider answers the key itself, so there is no input event after it.
  for (const kind of ["keydown", "input"])
    addEventListener(kind, (event) => probe.inputs.push({ kind, at: event.timeStamp }), true);
  probe.picture = () => {
    let sum = 0;
    const drawn = ".pl-plot path, .pl-plot text, .pl-bars span, .pl-row-said";
    for (const node of document.querySelectorAll(drawn))
      for (const letter of node.getAttribute("d") || node.getAttribute("style") + node.textContent)
        sum = (sum * 31 + letter.charCodeAt(0)) | 0;
    return sum;
  };
  probe.arm = () => {
    probe.inputs.length = 0;
    const before = (probe.before = probe.picture());
    const marked = () => Number(document.querySelector(".planner").dataset.paintedSeq);
    const seq = marked();
    probe.answer = new Promise((resolve, reject) => {
      waiters.push(resolve);
      setTimeout(() => reject(new Error("no repaint within 10 s of a step")), 10000);
    }).then((painted) => ({
      ...painted,
      newer: painted.seq > seq && marked() >= painted.seq,
      changed: probe.picture() !== before,
      since: probe.inputs[0]?.at,
    }));
    // An awaited promise would hold the script up before it presses the key.
    return null;
  };
})();
"""

PROFILE = """
() => {
  const times = window.plannerTimes = {};
  for (const name of ["react", "newPlot"]) {
    const original = Plotly[name];
    Plotly[name] = function (node, ...rest) {
      const chart = node.closest("[data-chart]")?.dataset.chart || "?";
      const start = performance.now();
      const done = original.call(this, node, ...rest);
      (times[chart] ||= []).push(performance.now() - start);
      return done;
    };
  }
}
"""


# The events come from a clock inside the page: a mouse driven from outside waits for the page
# after every move, and so would be kind to a slow one. Events that are late come at once.
DRAG = """
async (thumb, [moves, perSecond]) => {
  const start = performance.now();
  for (let move = 1; move <= moves; move += 1) {
    const wait = start + (move * 1000) / perSecond - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const there = ((move / moves) * 3) % 2; // to the right end, back, and to the middle
    thumb.value = 30 + 900 * (there <= 1 ? there : 2 - there) * (move < moves ? 1 : 0.5);
    thumb.dispatchEvent(new InputEvent("input", { bubbles: true }));
  }
  return (performance.now() - start) / 1000;
}
"""


@dataclass(frozen=True)
class Workbook:
    """A served workbook."""

    url: str
    log_file: Path

    def log(self) -> str:
        """Everything that the server has printed so far."""
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def address(self, notebook: str) -> str:
        """Where a notebook is served."""
        return f"{self.url}voila/render/{notebook}"

    def wait_until_warm(self, notebook: str) -> None:
        """Wait until a kernel that nobody has used stands ready for the notebook."""
        notebook = notebook.partition("?")[0]
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            log = self.log()
            filled = len(re.findall(rf"Kernel pool of {re.escape(notebook)} is filled", log))
            if filled > len(re.findall(rf"Using pre-heated kernel: \S+ for {notebook}", log)):
                time.sleep(SETTLE_S)
                return
            time.sleep(0.2)
        raise RuntimeError(f"No kernel became ready:\n{self.log()}")


@contextlib.contextmanager
def serving(*options: str) -> Iterator[Workbook]:
    """Run `planner serve` on a free port until the block ends.

    Parameters
    ----------
    *options : str
        More options of `planner serve`, for example ``"--pool-size", "0"``.

    Yields
    ------
    Workbook
    """
    folder = Path(tempfile.mkdtemp(prefix="pw"))
    log_file = folder / "log.txt"
    start = "import sys; from planner.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", start, "serve", "--port", "0", "--no-browser", "--verbose"]
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [*command, *options],
            env={**os.environ, "HOME": str(folder)},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_S
        while not (printed := re.search(r"open at (http://\S+)", log_file.read_text("utf-8"))):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The workbook did not start:\n{log_file.read_text('utf-8')}")
            time.sleep(0.1)
        yield Workbook(printed[1], log_file)
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def launch(playwright: Playwright) -> Browser:
    """Start the machine's own Chromium, headless and without a way out.

    Parameters
    ----------
    playwright : Playwright

    Returns
    -------
    Browser
    """
    named = os.environ.get("PLANNER_CHROMIUM")
    path = next(filter(None, map(shutil.which, [named] if named else BROWSERS)), None)
    if path is None:
        raise SystemExit("There is no Chromium: run `make browser`, or set PLANNER_CHROMIUM.")
    return playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS)


@contextlib.contextmanager
def visit(browser: Browser, address: str, **context_options: object) -> Iterator[Page]:
    """Open an address in a browser context of its own, with the probe, until charts are drawn."""
    context = browser.new_context(**{"viewport": VIEWPORT, **context_options})
    try:
        page = context.new_page()
        page.add_init_script(PROBE)
        page.goto(address)
        page.wait_for_function("() => plannerProbe.charts !== null", timeout=PAINT_MS)
        yield page
        page.goto("about:blank")  # so that the page ends its kernel
    finally:
        context.close()


@dataclass(frozen=True)
class Steps:
    """Times of single slider steps."""

    painted_ms: list[float]
    """From the event to the repainted charts, the number that has limits [ms]."""
    presented_ms: list[float]
    """From the event until the frame that shows them has gone to the screen [ms]."""
    profile_ms: dict[str, list[float]] = field(default_factory=dict)
    """Time in plotly by chart, when asked for [ms]."""

    @property
    def p50_ms(self) -> float:
        """Median [ms]."""
        return statistics.median(self.painted_ms)

    @property
    def p95_ms(self) -> float:
        """95th percentile [ms]."""
        return percentile(self.painted_ms, 0.95)


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed.

    >>> percentile([1.0, 2.0, 3.0, 4.0], 0.5)
    2.0
    """
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * round(share * 1000) // 1000) - 1)]


def slider(page: Page, path: str = PATH):
    """The range input of a scenario field; a row of a table is opened for it."""
    table, cell, place = path.partition("/")
    if cell:
        row = page.locator(f'[data-path="{table}"] [data-row="{place.partition("/")[0]}"]')
        opener = row.locator(".pl-row-open")
        if opener.get_attribute("aria-expanded") == "false":
            opener.click()
    return page.locator(f'[data-path="{path}"] input[type=range]')


def measure_steps(
    page: Page,
    steps: int = 100,
    *,
    mouse: bool = False,
    path: str = PATH,
    reach: tuple[float, float] = RIGHT_HALF,
) -> Steps:
    """Step the slider with real key presses, or by dragging its thumb, one step at a time.

    Parameters
    ----------
    page : Page
        An open dashboard with the probe.
    steps : int
    mouse : bool
        Move the thumb with the mouse instead of the arrow keys.
    path : str
        The field whose slider is moved.
    reach : tuple of float
        Of the mouse: where it begins and how far it goes, as shares of the slider.

    Returns
    -------
    Steps
    """
    thumb = slider(page, path)
    thumb.scroll_into_view_if_needed()
    thumb.focus()
    box = thumb.bounding_box()
    y = box["y"] + box["height"] / 2
    # The slider is logarithmic and whole: left of its middle two pixels may be one value.
    left, width = box["x"] + reach[0] * box["width"], reach[1] * box["width"]
    if mouse:
        page.mouse.move(left, y)
        page.mouse.down()
        page.wait_for_timeout(800)
    painted, presented = [], []
    for step in range(steps):
        page.evaluate("plannerProbe.arm()")
        if mouse:
            page.mouse.move(left + (step % 50 + 1) / 50 * width, y)
        else:
            page.keyboard.press("ArrowRight" if step % 50 < 25 else "ArrowLeft")
        answer = page.evaluate("plannerProbe.answer")
        if not (answer["newer"] and answer["changed"]):
            raise RuntimeError(f"Step {step} was answered, but no picture changed: {answer}")
        painted.append(answer["at"] - answer["since"])
        presented.append(answer["presented"] - answer["since"])
    if mouse:
        page.mouse.up()
    return Steps(painted, presented, page.evaluate("window.plannerTimes || {}"))


@dataclass(frozen=True)
class Drag:
    """A fast drag."""

    inputs: int
    frames: int
    duration_s: float
    settled_ms: float
    """From the last input event until the last position is on screen [ms]."""
    value: str
    """The last position as the number box shows it."""
    shown: str
    """The kernel's sentence on screen, which names the value that it was computed for."""


def measure_drag(page: Page, seconds: float = 3.0, per_second: int = 60, path: str = PATH) -> Drag:
    """Drag the thumb to and fro, and see how soon the picture is right.

    Parameters
    ----------
    page : Page
        An open dashboard with the probe.
    seconds : float
        Duration [s].
    per_second : int
        Input events [1/s].
    path : str
        The field whose slider is moved.

    Returns
    -------
    Drag
    """
    thumb = slider(page, path)
    thumb.scroll_into_view_if_needed()
    box = thumb.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.wait_for_timeout(500)
    page.evaluate("plannerProbe.inputs.length = plannerProbe.painted.length = 0")
    duration = thumb.evaluate(DRAG, [round(seconds * per_second), per_second])
    number = page.locator(f'[data-path="{path}"] input[type=text]')
    page.wait_for_timeout(1500)
    probe = page.evaluate("({ inputs: plannerProbe.inputs, painted: plannerProbe.painted })")
    page.mouse.up()
    inputs = [one["at"] for one in probe["inputs"] if one["kind"] == "input"]
    value = number.input_value()
    words = re.compile(rf"(?<![\d,.]){re.escape(value)}(?![\d,.])")
    right = [
        one for one in probe["painted"] if words.search(one["shown"]) and one["at"] > inputs[-1]
    ]
    if not right or not words.search(probe["painted"][-1]["shown"]):
        raise RuntimeError(f"The drag ended at {value}, the page shows {probe['painted'][-1]}")
    return Drag(
        len(inputs),
        len(probe["painted"]),
        duration,
        right[0]["at"] - inputs[-1],
        value,
        right[0]["shown"],
    )


def measure_first_charts(workbook: Workbook, browser: Browser, loads: int, warm: bool) -> list:
    """Load the page several times, each as a new visitor with an empty cache.

    Parameters
    ----------
    workbook : Workbook
    browser : Browser
    loads : int
    warm : bool
        Wait for a ready kernel before each load.

    Returns
    -------
    list of float
        From the request for the page to its first charts [s].
    """
    times = []
    for _ in range(loads):
        if warm:
            workbook.wait_until_warm(NOTEBOOK)
        used = workbook.log().count("Using pre-heated kernel")
        with visit(browser, workbook.address(NOTEBOOK)) as page:
            if page.evaluate("plannerProbe.pictures") < 1:
                raise RuntimeError("The page said that it drew charts, and there is none.")
            times.append(page.evaluate("plannerProbe.charts") / 1000)
        if (workbook.log().count("Using pre-heated kernel") > used) != warm:
            raise RuntimeError(f"This load was {'not ' if warm else ''}from the pool.")
    return times


Row = tuple[str, float, float | None, str]


def measure_page(
    page: Page, path: str, steps: int, reach: tuple[float, float] = RIGHT_HALF
) -> tuple[list[Row], Steps]:
    """The rows of the table for one open page, and its steps by key.

    Parameters
    ----------
    page : Page
    path : str
        The field whose slider is moved.
    steps : int
    reach : tuple of float
        Of the mouse.

    Returns
    -------
    tuple of list and Steps
    """
    measure_steps(page, 10, path=path)
    keys = measure_steps(page, steps, path=path)
    mouse = measure_steps(page, steps, mouse=True, path=path, reach=reach)
    drag = max((measure_drag(page, path=path) for _ in range(3)), key=lambda d: d.settled_ms)
    rows: list[Row] = []
    for name, found in (("key press", keys), ("mouse move", mouse)):
        on_screen = statistics.median(found.presented_ms)
        rows += [
            (f"{name} to painted charts, p50", found.p50_ms, STEP_P50_LIMIT_MS, "ms"),
            (f"{name} to painted charts, p95", found.p95_ms, STEP_P95_LIMIT_MS, "ms"),
            (f"{name} to the frame on screen, p50 (no limit)", on_screen, None, "ms"),
        ]
    words = f"drag, {drag.inputs} inputs in {drag.duration_s:.1f} s, {drag.frames} frames"
    rows.append((f"{words}: settled, worst of 3", drag.settled_ms, DRAG_LIMIT_MS, "ms"))
    return rows, keys


def main() -> int:
    """Measure everything and print the table; exit status 1 if a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--steps", type=int, default=100, help="slider steps (default 100)")
    parser.add_argument("--loads", type=int, default=5, help="page loads of each kind (default 5)")
    parser.add_argument("--profile", action="store_true", help="print plotly's time by chart")
    parser.add_argument("--only", choices=SLIDERS, help="one dashboard's sliders, and no loads")
    arguments = parser.parse_args()
    rows: list[Row] = []
    profiles: dict[str, list[float]] = {}

    with sync_playwright() as playwright:
        browser = launch(playwright)
        with serving() as workbook:
            for name, (notebook, path) in SLIDERS.items():
                if arguments.only not in (None, name):
                    continue
                workbook.wait_until_warm(notebook)
                with visit(browser, workbook.address(notebook)) as page:
                    page.wait_for_timeout(1500)
                    if arguments.profile:
                        page.evaluate(PROFILE)
                    measured, keys = measure_page(
                        page, path, arguments.steps, REACHES.get(name, RIGHT_HALF)
                    )
                rows += [(f"{name}: {words}", *rest) for words, *rest in measured]
                profiles |= keys.profile_ms
            loads = 0 if arguments.only else arguments.loads
            warm = measure_first_charts(workbook, browser, loads, warm=True)
        if loads:
            with serving("--pool-size", "0") as workbook:
                cold = measure_first_charts(workbook, browser, loads, warm=False)
        browser.close()
    if loads:
        for name, times, limit in (("warm", warm, WARM_LIMIT_S), ("cold", cold, COLD_LIMIT_S)):
            words = f"first charts, {name}, median of {len(times)}"
            rows += [
                (words, statistics.median(times), limit, "s"),
                (f"first charts, {name}, worst", max(times), limit, "s"),
            ]

    missed = 0
    for name, value, limit, unit in rows:
        digits = 2 if unit == "s" else 0
        verdict = "" if limit is None else "ok" if value < limit else "MISSED"
        missed += verdict == "MISSED"
        bound = "" if limit is None else f"< {limit:g} {unit}"
        print(f"{name:<66}{value:>8.{digits}f} {unit:<3}{bound:>9}  {verdict}")
    if arguments.profile:
        print("\nplotly's time in one update, by chart [ms]: updates, p50, p95")
        for chart, times in profiles.items():
            p50, p95 = statistics.median(times), percentile(times, 0.95)
            print(f"  {chart:<12}{len(times):>5}{p50:>8.1f}{p95:>8.1f}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
