"""A served workbook and a browser to visit it with.

The tests in this folder are marked `browser` and run in one worker, so they share one server.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

# The names that .ci/find-browser tries, in the same order.
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Every name but this machine's own fails to resolve. Aborting requests one by one would
    # do the same, but switches the browser's cache off, and the cache is part of what is
    # tested.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
]

LOCAL_HOSTS = {"127.0.0.1", "localhost"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, and keep them in one worker."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="session")
def workbook_url(serve_notebooks: Callable, repository: Path) -> str:
    """Address of the served workbook, ending in a slash; its root leads to the first notebook."""
    return serve_notebooks(repository / "notebooks").url


@pytest.fixture(scope="session")
def lab_url(
    start_server: Callable, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """Address of a JupyterLab on a copy of the notebooks, ending in a slash; it asks no token.

    A notebook is at ``lab_url + "lab/tree/notebooks/0-start-here.ipynb"``.
    """
    root = tmp_path_factory.mktemp("lab")
    shutil.copytree(repository / "notebooks", root / "notebooks")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        *("--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"),
        *("--IdentityProvider.token=", f"--ServerApp.root_dir={root}"),
        # Neither news nor a check for updates: both call out.
        *("--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"),
    ]
    env = {**os.environ, "JUPYTER_PLATFORM_DIRS": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    return start_server(command, env, url=f"http://127.0.0.1:{port}/").url


def find_browser() -> str | None:
    """The browser's path: PLANNER_CHROMIUM if set, else the first of the known names."""
    named = os.environ.get("PLANNER_CHROMIUM")
    return next(filter(None, map(shutil.which, [named] if named else BROWSERS)), None)


# Not for the whole session: while Playwright runs, an event loop is running too, and tests
# elsewhere in this worker that start one of their own would fail.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A headless Chromium. Without one the test fails: it is not skipped."""
    path = find_browser()
    if path is None:
        pytest.fail(
            "There is no Chromium: run `make browser`, or name one in PLANNER_CHROMIUM.",
            pytrace=False,
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def viewport() -> dict[str, int]:
    """The window's size in CSS pixels.

    A test asks for another by
    ``@pytest.mark.parametrize("viewport", [{"width": 360, "height": 740}])``.
    """
    return {"width": 1280, "height": 800}


@pytest.fixture
def page(browser: Browser, viewport: dict[str, int]) -> Iterator[Page]:
    """A page with a cache and cookies of its own.

    ``page.foreign_requests`` lists the addresses on other machines that it asked for, all in
    vain; ``page.console_errors`` what it logged as an error or did not catch.
    """
    context = browser.new_context(viewport=viewport)
    page = context.new_page()
    page.foreign_requests = []
    page.console_errors = []

    def note_address(address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname not in LOCAL_HOSTS:
            page.foreign_requests.append(address)

    def note_console(message) -> None:
        if message.type == "error":
            page.console_errors.append(f"{message.text} ({message.location['url']})")

    # On the context, so that pages opened from this one count too.
    context.on("request", lambda request: note_address(request.url))
    context.on("console", note_console)
    context.on("weberror", lambda error: page.console_errors.append(str(error.error)))
    page.on("websocket", lambda websocket: note_address(websocket.url))
    yield page
    # Closing the window at once would not tell the page, and its kernel would linger.
    if not page.is_closed():
        page.goto("about:blank")
    context.close()


@pytest.fixture(scope="session")
def axe_source() -> str:
    """The accessibility checker's script, for ``page.evaluate``."""
    return (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture
def clean_page(page: Page) -> Iterator[None]:
    """The test may ask no other machine for anything, and log no error."""
    yield
    assert page.foreign_requests == []
    assert page.console_errors == []
