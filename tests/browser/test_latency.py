"""Live means live: the limits of `scripts/measure_dashboard.py`, held.

Times of a shared machine are noisy upwards only: a busy neighbour makes a step slower, nothing
makes it faster than it is. So every limit has up to three attempts, and the best one counts.
"""

from __future__ import annotations

import importlib.util
import statistics
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from playwright.sync_api import Browser

pytestmark = pytest.mark.benchmark

ATTEMPTS = 3
STEPS = 100
LOADS = 3


@pytest.fixture(scope="module")
def measure(repository: Path) -> ModuleType:
    """The measuring script, as a module."""
    path = repository / "scripts" / "measure_dashboard.py"
    spec = importlib.util.spec_from_file_location("measure_dashboard", path)
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def workbook(measure: ModuleType):
    """`planner serve` with our defaults."""
    with measure.serving() as workbook:
        yield workbook


@pytest.fixture(scope="module", params=["fit", "fast", "cost", "fleet"])
def open_page(measure: ModuleType, workbook, browser: Browser, request: pytest.FixtureRequest):
    """One dashboard for all the tests of moving sliders, and the slider that is moved."""
    notebook, path = measure.SLIDERS[request.param]
    with measure.visit(browser, workbook.address(notebook)) as page:
        page.wait_for_timeout(1500)
        measure.measure_steps(page, 10, path=path)  # the browser compiles what it runs often
        yield page, path, measure.REACHES.get(request.param, measure.RIGHT_HALF)


def best(attempt: Callable[[], dict[str, float]], limits: dict[str, float]) -> None:
    """Try until one attempt keeps all limits; fail with every attempt's numbers."""
    tries = []
    for _ in range(ATTEMPTS):
        tries.append(attempt())
        if all(tries[-1][name] < limit for name, limit in limits.items()):
            return
    pytest.fail(f"limits {limits}, measured {tries}", pytrace=False)


@pytest.mark.parametrize("mouse", [False, True], ids=["keys", "mouse"])
def test_a_slider_step_repaints_the_charts(measure, open_page, mouse):
    page, path, reach = open_page

    def attempt() -> dict[str, float]:
        steps = measure.measure_steps(page, STEPS, mouse=mouse, path=path, reach=reach)
        assert len(steps.painted_ms) == STEPS
        return {"p50 [ms]": steps.p50_ms, "p95 [ms]": steps.p95_ms}

    best(
        attempt,
        {"p50 [ms]": measure.STEP_P50_LIMIT_MS, "p95 [ms]": measure.STEP_P95_LIMIT_MS},
    )


def test_a_fast_drag_settles_on_its_last_position(measure, open_page):
    page, path, _ = open_page

    def attempt() -> dict[str, float]:
        drag = measure.measure_drag(page, path=path)
        assert drag.inputs == 180
        assert drag.frames >= 15, "the picture follows while one drags"
        return {"settled [ms]": drag.settled_ms}

    best(attempt, {"settled [ms]": measure.DRAG_LIMIT_MS})


def test_the_first_charts_come_soon_from_a_warm_pool(measure, workbook, browser):
    def attempt() -> dict[str, float]:
        times = measure.measure_first_charts(workbook, browser, LOADS, warm=True)
        return {"median [s]": statistics.median(times)}

    best(attempt, {"median [s]": measure.WARM_LIMIT_S})


def test_the_first_charts_come_without_a_pool_too(measure, browser):
    with measure.serving("--pool-size", "0") as workbook:

        def attempt() -> dict[str, float]:
            times = measure.measure_first_charts(workbook, browser, LOADS, warm=False)
            return {"median [s]": statistics.median(times)}

        best(attempt, {"median [s]": measure.COLD_LIMIT_S})
