"""A small notebook in a real browser: widgets work, nothing leaves, kernels end."""

from __future__ import annotations

import re
import time

import nbformat
import pytest
from playwright.sync_api import expect

SOURCE = """\
import anywidget
import ipywidgets
import traitlets

class Echo(anywidget.AnyWidget):
    _esm = '''
    export default { render({ model, el }) {
      const show = () => { el.textContent = "echo " + model.get("value"); };
      model.on("change:value", show); show();
      document.dispatchEvent(new CustomEvent("planner:painted"));
    } };
    '''
    value = traitlets.Int(3).tag(sync=True)

slider, echo = ipywidgets.IntSlider(3, description="Users"), Echo()
slider.observe(lambda change: setattr(echo, "value", change.new), "value")
ipywidgets.VBox([slider, echo])
"""


@pytest.fixture(scope="module")
def server(serve_notebooks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("notebooks")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [nbformat.v4.new_code_cell(SOURCE)]
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": kernel}, cells=cells)
    nbformat.write(notebook, folder / "0-start-here.ipynb")
    # Kernels of gone pages are kept for long, so that only the closing page can end them.
    extra = ("--VoilaKernelManager.fill_delay=0.1", "--WorkbookKernelManager.orphan_grace_s=3600")
    return serve_notebooks(folder, pool_size=1, verbose=True, extra=extra)


def kernels(server):
    """The kernels that were started and have not ended, by the server's log."""
    log = server.log()
    started = re.findall(r"Kernel started: ([\w-]+)", log)
    return set(started) - set(re.findall(r"Kernel shutdown: ([\w-]+)", log))


def test_a_slider_reaches_its_kernel_and_nothing_leaves_the_machine(server, page):
    page.goto(server.url)
    expect(page.get_by_text("echo 3")).to_be_visible(timeout=60_000)
    page.get_by_role("slider").press("ArrowRight")
    expect(page.get_by_text("echo 4")).to_be_visible()
    assert page.foreign_requests == []
    assert page.console_errors == []


def test_reloading_and_closing_leave_no_kernel_behind(server, page):
    for _ in range(3):
        page.goto(server.url)
        expect(page.get_by_text("echo 3")).to_be_visible(timeout=60_000)
    page.goto("about:blank")
    # One kernel waits in the pool for the next visitor.
    deadline = time.monotonic() + 30
    while len(kernels(server)) > 1:
        assert time.monotonic() < deadline, kernels(server)
        time.sleep(0.2)
