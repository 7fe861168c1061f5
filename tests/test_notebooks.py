"""Notebooks are thin: they run top to bottom, are stored clean, and compute nothing themselves."""

from __future__ import annotations

import ast
import os
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.rglob("*.ipynb"))
WIDGET = "application/vnd.jupyter.widget-view+json"
LONGEST_RUN_S = 30
MOST_LINES = 10
ALLOWED = (
    ast.Module,
    ast.Import,
    ast.ImportFrom,
    ast.alias,
    ast.Expr,
    ast.Assign,
    ast.Call,
    ast.keyword,
    ast.Attribute,
    ast.Name,
    ast.Load,
    ast.Store,
    ast.Constant,
    ast.Dict,
    ast.List,
    ast.Tuple,
)
"""What a thin notebook is made of: names, calls and plain values; no arithmetic, no loops."""

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def code_of(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_notebooks_and_the_map_links_all_of_them() -> None:
    from planner.workbook.links import LINKS

    linked = [href for _, href, _ in LINKS]
    assert [path.relative_to(FOLDER).as_posix() for path in NOTEBOOKS] == sorted(linked)
    assert linked == sorted(linked), "they are read in this order"
    assert all(path.name[0].isdigit() for path in FOLDER.glob("*.ipynb"))


@every_notebook
def test_stored_clean(path: Path) -> None:
    notebook = read(path)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert "widgets" not in notebook.metadata
    for cell in code_of(notebook):
        assert cell.outputs == [] and cell.execution_count is None
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    assert path.stat().st_size < 10_000


@every_notebook
def test_thin(path: Path) -> None:
    notebook = read(path)
    first = notebook.cells[0]
    assert first.cell_type == "markdown" or first.source.rstrip().endswith("()")
    cells = code_of(notebook)
    assert cells
    for cell in cells:
        assert len(cell.source.splitlines()) <= MOST_LINES
        found = thick_parts(cell.source)
        assert not found, f"{path.name} computes: {', '.join(found)}"


def thick_parts(source: str) -> list[str]:
    """What a thin cell does not contain."""
    return [
        f"{type(node).__name__} at line {getattr(node, 'lineno', '?')}"
        for node in ast.walk(ast.parse(source))
        if not isinstance(node, ALLOWED)
    ]


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    pass",
        "f = lambda: 1",
        "x = 2 + 3",
        "x = -y",
        "for x in y:\n    print(x)",
        "if x:\n    y()",
        "[x for x in y]",
        "x += 1",
        "f'{x}'",
        "class A: pass",
    ],
)
def test_the_test_sees_what_is_thick(source: str) -> None:
    assert thick_parts(source)


@every_notebook
def test_runs_and_shows_its_dashboard(path: Path, repository: Path) -> None:
    from nbclient import NotebookClient

    notebook = read(path)
    client = NotebookClient(
        notebook,
        timeout=LONGEST_RUN_S,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
    )
    started = time.monotonic()
    paths = [str(repository), os.environ.get("PYTHONPATH", "")]
    client.execute(env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))})
    assert time.monotonic() - started < LONGEST_RUN_S
    outputs = [output for cell in code_of(notebook) for output in cell.outputs]
    assert not [output for output in outputs if output.output_type in ("error", "stream")]
    (shown,) = [output for output in outputs if WIDGET in output.get("data", {})]
    assert shown.data[WIDGET]["model_id"]
    widgets = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    model = widgets[shown.data[WIDGET]["model_id"]]
    assert model["model_name"] == "AnyModel"
    if path.parent == FOLDER:
        assert model["state"]["page"]["title"] and model["state"]["first"]["headlines"]
    else:
        assert model["state"]["content"]["title"] and model["state"]["content"]["blocks"]
