"""The rules of the house: who may import whom, what a docstring says, how large a room may grow.

README's picture of the rooms and ``ROWS`` below change together.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import pytest

from planner.catalogue import load_catalogue
from planner.plan import (
    CostPlan,
    DemandPlan,
    EnergyPlan,
    FitPlan,
    FleetPlan,
    MemoryPlan,
    ServingPlan,
    ValuePlan,
    evaluate,
)
from planner.scenario import EXAMPLES, field_schema, load_example
from planner.units import UNITS

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "planner"
FILES = sorted(PACKAGE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}

ROWS = {
    "units": 0,
    "errors": 0,
    "catalogue": 1,
    "scenario": 2,
    "memory": 3,
    "performance": 4,
    "demand": 5,
    "serving": 6,
    "training": 6,
    "placement": 7,
    "energy": 8,
    "governance": 8,
    "calibration": 9,
    "cost": 9,
    "value": 10,
    "plan": 11,
    "predict": 12,
    "charts": 13,
    "report": 14,
    "publish": 14,
    "cli": 15,
    "workbook": 15,
}
"""A room imports only from rows above it, never sideways."""
FRONT_DOOR = "planner"
"""``planner/__init__.py``: names for users; no room may import it."""
WIDGETS = {"ipywidgets", "anywidget", "traitlets"}
HEAVY = {"plotly", "pandas", "jsonschema", "frictionless"}
WIDGETS_ELSEWHERE = {
    ("publish_server.py", "traitlets"): "extends Voila's server, whose settings are traitlets",
}
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers", "tools"}
LINES_LIMIT, CODE_LIMIT = 400, 60
LONG_FILES = {
    "catalogue/mixers.py": (480, "one parameter count for each kind of mixer, half of it words"),
    "catalogue/tables.py": (540, "a reader for each table, with its checks"),
    "publish.py": (560, "the command, its arguments and the server's environment"),
}
"""Reviewed exceptions: a ceiling each, and why."""
LONG_FUNCTIONS = {
    "catalogue/architecture.py:_assemble": (80, "one constructor call with thirty fields"),
    "catalogue/generic.py:generic_architecture": (80, "one constructor call with thirty fields"),
}
FAST_ROOMS = {"ipywidgets", "anywidget", "plotly", "pandas"}


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def _room(module: str) -> str:
    """The room of a dotted module; ``publish_server`` belongs to ``publish``."""
    parts = module.split(".")
    if len(parts) == 1:
        return FRONT_DOOR
    return "publish" if parts[1].startswith("publish") else parts[1]


def _module(path: Path) -> str:
    parts = ("planner", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _is_module(dotted: str) -> bool:
    stem = ROOT.joinpath(*dotted.split("."))
    return stem.with_suffix(".py").is_file() or (stem / "__init__.py").is_file()


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every imported module, wherever in the file the import stands; relative ones resolved."""
    package = _module(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                yield node.lineno, inner if _is_module(inner) else source


# --- Rooms -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_imports_point_upwards(path: Path) -> None:
    here = _room(_module(path))
    if here == FRONT_DOOR:
        return
    assert here in ROWS, f"{here} has no row; give it one here and in the README"
    for line, module in _imports(path):
        if module.split(".")[0] != "planner":
            continue
        there = _room(module)
        assert there != FRONT_DOOR, f"line {line}: import the room, not planner itself"
        assert there == here or ROWS[there] < ROWS[here], f"line {line}: {here} imports {there}"


def test_imports_are_found_wherever_they_hide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader of imports itself: in a function, relative, and ``from planner import room``."""
    hidden = PACKAGE / "memory" / "hidden.py"
    text = (
        "def f():\n    from ..plan import evaluate\n    import planner.charts as c\n"
        "    from planner import publish, Scenario\n    from . import fit\n"
    )
    monkeypatch.setitem(TREES, hidden, ast.parse(text))
    assert [module for _, module in _imports(hidden)] == [
        "planner.plan.evaluate",
        "planner.charts",
        "planner.publish",
        "planner",
        "planner.memory.fit",
    ]


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_widgets_and_heavy_packages_stay_where_they_belong(path: Path) -> None:
    room = _room(_module(path))
    for line, module in _imports(path):
        top = module.split(".")[0]
        if top in WIDGETS and room != "workbook":
            assert (_name(path), top) in WIDGETS_ELSEWHERE, f"line {line}: {top}"
        if top in HEAVY:
            assert room in ("workbook", "publish"), f"line {line}: {top}"


def test_no_exception_is_stale() -> None:
    for name, top in WIDGETS_ELSEWHERE:
        assert top in {module.split(".")[0] for _, module in _imports(PACKAGE / name)}
    for name in LONG_FILES:
        lines = _lines(PACKAGE / name)
        assert lines > 0.9 * LINES_LIMIT, f"{name} has {lines} lines; take it off the list"
    long = {
        f"{_name(path)}:{name}"
        for path in FILES
        for name, size in _functions(path)
        if size > CODE_LIMIT
    }
    assert long >= set(LONG_FUNCTIONS)


def test_no_vague_module_names() -> None:
    assert not [_name(path) for path in FILES if path.stem in VAGUE or path.parent.name in VAGUE]


DATA_FILES = {path.name for path in (ROOT / "data").iterdir() if path.suffix in (".csv", ".json")}


def _data_mentions(path: Path) -> list[int]:
    """Lines with code that names the data folder or a file in it; docstrings may."""
    words = {
        id(node.value)
        for node in ast.walk(TREES[path])
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    found = []
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in words:
            named = re.search(r"(?<![\w.])data/", node.value) or node.value in DATA_FILES
            found += [node.lineno] if named else []
        joined: list[ast.expr] = []
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            joined = [node.left, node.right]
        elif isinstance(node, ast.Call) and "path" in ast.unparse(node.func).lower():
            joined = list(node.args)
        found += [
            part.lineno
            for part in joined
            if isinstance(part, ast.Constant) and part.value == "data"
        ]
    return sorted(set(found))


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_only_the_catalogue_knows_where_the_data_is(path: Path) -> None:
    mentions = _data_mentions(path)
    assert not mentions or _room(_module(path)) in ("catalogue", "publish"), f"lines {mentions}"


def test_the_data_folder_is_found_in_code() -> None:
    assert _data_mentions(PACKAGE / "catalogue" / "catalogue.py")


@pytest.mark.parametrize("rooms", ["planner", "planner, planner.cli, planner.charts"])
def test_a_fresh_import_stays_light(rooms: str) -> None:
    """Neither the package nor the command line needs what only the dashboards need."""
    code = (
        f"import sys, {rooms}; [getattr(planner, name) for name in planner.__all__]; "
        f"print(*sorted({FAST_ROOMS!r} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == ""


# --- Size --------------------------------------------------------------------------------------


def _lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name and lines of every function, its docstring not counted."""
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = node.end_lineno - node.lineno + 1
            if ast.get_docstring(node):
                size -= node.body[0].end_lineno - node.body[0].lineno + 1
            yield node.name, size


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_rooms_and_functions_stay_small(path: Path) -> None:
    name = _name(path)
    limit, _ = LONG_FILES.get(name, (LINES_LIMIT, ""))
    assert _lines(path) <= limit, f"{_lines(path)} lines; split it"
    for function, size in _functions(path):
        limit, _ = LONG_FUNCTIONS.get(f"{name}:{function}", (CODE_LIMIT, ""))
        assert size <= limit, f"{function} has {size} lines of code"


# --- Docstrings --------------------------------------------------------------------------------

Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _public(path: Path) -> Iterator[tuple[str, Documented]]:
    """Public functions, classes and their public methods, by dotted name."""
    for node in TREES[path].body:
        if not isinstance(node, Documented) or node.name.startswith("_"):
            continue
        yield node.name, node
        if isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, Documented) and not inner.name.startswith("_"):
                    yield f"{node.name}.{inner.name}", inner


FRAMEWORK = {"publish_server.py": "its methods override Voila's, Tornado's and Jupyter Server's"}
"""Files whose classes fill in someone else's interface: the framework documents the methods."""
SUMMARY_SUFFICES = {
    "Basis.parse": "one parameter, the text of the summary",
    "weakest": "one parameter, the parts of the summary",
    "Accelerator.require": "one parameter, explained in the text",
}
PUBLIC = [
    pytest.param(path, name, node, id=f"{_name(path)}:{name}")
    for path in FILES
    if not path.stem.startswith("_") or path.stem == "__init__"
    for name, node in _public(path)
    if "." not in name or _name(path) not in FRAMEWORK
]


def _is_property(node: Documented) -> bool:
    return any("property" in ast.unparse(one) for one in node.decorator_list)


def _signature(node: Documented) -> list[str]:
    spec = node.args
    names = [one.arg for one in (*spec.posonlyargs, *spec.args)]
    names += [spec.vararg.arg] if spec.vararg else []
    names += [one.arg for one in spec.kwonlyargs]
    names += [spec.kwarg.arg] if spec.kwarg else []
    return [name for name in names if name not in ("self", "cls")]


def _sections(node: Documented) -> dict[str, list[str]]:
    """The docstring's numpydoc sections, each as its lines."""
    lines = (ast.get_docstring(node) or "").splitlines()
    sections: dict[str, list[str]] = {"": []}
    current = ""
    for line, below in zip_longest(lines, lines[1:], fillvalue=""):
        if re.fullmatch(r"-{3,}", below.strip()) and line.strip():
            current = line.strip()
            sections[current] = []
        elif not re.fullmatch(r"-{3,}", line.strip()):
            sections[current].append(line)
    return sections


def _entries(lines: list[str]) -> list[tuple[list[str], str]]:
    """Names and type of each documented parameter; ``a, b : int`` are two names."""
    found = []
    for line in lines:
        if line and not line.startswith(" ") and not line.startswith((">>>", "Source")):
            match = re.fullmatch(r"([*\w, ]+?)(?: : (.*))?", line)
            if not match:
                break
            found.append(([name.strip() for name in match[1].split(",")], match[2] or ""))
        elif line.startswith((">>>", "Source")):
            break
    return found


@pytest.mark.parametrize(("path", "name", "node"), PUBLIC)
def test_everything_public_is_documented(path: Path, name: str, node: Documented) -> None:
    docstring = ast.get_docstring(node) or ""
    assert docstring.strip(), f"{name}, line {node.lineno}, has no docstring"


FUNCTIONS = [
    one
    for one in PUBLIC
    if not isinstance(one.values[2], ast.ClassDef) and not _is_property(one.values[2])
]


@pytest.mark.parametrize(("path", "name", "node"), FUNCTIONS)
def test_documented_parameters_are_the_signatures(
    path: Path, name: str, node: ast.FunctionDef
) -> None:
    """In the same order, and none left out."""
    entries = _entries(_sections(node).get("Parameters", []))
    documented = [one.lstrip("*") for names, _ in entries for one in names]
    if name in SUMMARY_SUFFICES:
        assert not documented, f"{name} has a section now; take it off the list"
    else:
        assert documented == _signature(node), f"{name}, line {node.lineno}"


PHYSICS_ROOMS = (
    "memory/",
    "performance/",
    "demand/",
    "serving/",
    "training/",
    "placement/",
    "energy/",
    "governance/",
    "cost/",
    "value/",
)
PHYSICS = [one for one in FUNCTIONS if _name(one.values[0]).startswith(PHYSICS_ROOMS)]
QUANTITIES = [
    one
    for one in FUNCTIONS
    if _name(one.values[0]).startswith(PHYSICS_ROOMS)
    or _name(one.values[0]) in ("catalogue/generic.py", "units.py")
]
UNIT = re.compile(r"\[([^\]]+)\]")


def _is_quantity(kind: str) -> bool:
    return bool(re.search(r"\b(int|float|array)\b", kind))


@pytest.mark.parametrize(("path", "name", "node"), QUANTITIES)
def test_every_quantity_has_a_unit(path: Path, name: str, node: ast.FunctionDef) -> None:
    """``[unit]`` after the type, from :data:`planner.units.UNITS`."""
    sections = _sections(node)
    for names, kind in _entries(sections.get("Parameters", [])):
        if _is_quantity(kind):
            assert UNIT.search(kind), f"{name}: {names} has no unit"
    for section in ("Parameters", "Returns"):
        for line in sections.get(section, []):
            if line.startswith(">>>"):
                break
            for unit in UNIT.findall(line):
                assert unit in UNITS, f"{name}: [{unit}] is not in planner.units.UNITS"


def _physics_records() -> dict[str, ast.ClassDef]:
    return {
        node.name: node
        for path in FILES
        if _name(path).startswith(PHYSICS_ROOMS)
        for node in TREES[path].body
        if isinstance(node, ast.ClassDef)
    }


@pytest.mark.parametrize(("path", "name", "node"), PHYSICS)
def test_physics_is_documented(path: Path, name: str, node: ast.FunctionDef) -> None:
    """A result with its unit (or a record that has them), and an example; functions a source."""
    docstring = ast.get_docstring(node) or ""
    returns = "\n".join(_sections(node).get("Returns", []))
    assert returns.strip(), f"{name} does not say what it returns"
    record = returns.split("\n", 1)[0].strip()
    assert UNIT.search(returns) or record in _physics_records(), f"{name}: no unit in Returns"
    if "." not in name:
        assert ">>>" in docstring, f"{name} has no example"
        assert re.search(r"^Source: ", docstring, re.MULTILINE), f"{name} has no source"


NOT_QUANTITIES = {"Layouts.allowed"}
"""Yes or no, not a quantity."""


@pytest.mark.parametrize("record", _physics_records())
def test_fields_of_physics_records_have_units(record: str) -> None:
    body = _physics_records()[record].body
    for field, below in zip(body, [*body[1:], None], strict=True):
        if not isinstance(field, ast.AnnAssign):
            continue
        name = f"{record}.{field.target.id}"
        kind = ast.unparse(field.annotation)
        if name in NOT_QUANTITIES or kind not in ("Any", "float", "np.ndarray"):
            continue
        words = below.value.value if isinstance(below, ast.Expr) else ""
        units = UNIT.findall(words)
        assert units, f"{name} has no unit"
        assert set(units) <= set(UNITS), f"{name}: {units}"


# --- Result records ----------------------------------------------------------------------------

RECORDS = {
    "memory": MemoryPlan,
    "fit": FitPlan,
    "demand": DemandPlan,
    "serving": ServingPlan,
    "energy": EnergyPlan,
    "cost": CostPlan,
    "value": ValuePlan,
    "fleet": FleetPlan,
}
ANSWERS = [
    (section, name) for section, record in RECORDS.items() for name in record.__dataclass_fields__
]
WITHOUT_TERM: set[str] = set()
"""Answers for which the glossary has no fitting entry."""


@pytest.fixture(scope="module")
def plans() -> list:
    catalogue = load_catalogue()
    return [evaluate(load_example(name), catalogue) for name in EXAMPLES]


@pytest.mark.parametrize(("section", "name"), ANSWERS)
def test_every_answer_declares_itself(section: str, name: str, plans: list) -> None:
    metadata = RECORDS[section].__dataclass_fields__[name].metadata
    assert metadata["label"] and metadata["formula"]
    assert metadata["unit"] in UNITS
    terms = load_catalogue().glossary
    if f"{section}.{name}" in WITHOUT_TERM:
        assert not metadata["term"]
    else:
        assert metadata["term"] in terms
    for path in re.findall(r"\{([^}]*)\}", metadata["formula"]):
        for plan in plans:
            value = plan
            for part in path.split("."):
                value = getattr(value, part)
            assert isinstance(value, int | float | str), path


def test_units_of_answers_agree_with_their_names() -> None:
    for section, name in ANSWERS:
        unit = RECORDS[section].__dataclass_fields__[name].metadata["unit"]
        assert (unit == "byte") == name.endswith("_bytes"), name


def test_scenario_fields_use_the_vocabulary() -> None:
    terms = load_catalogue().glossary
    for path, entry in field_schema().items():
        assert entry["unit"] in UNITS, path
        assert not entry["term"] or entry["term"] in terms, f"{path}: {entry['term']}"


# --- Notebooks ---------------------------------------------------------------------------------

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CELL_LINES = 12


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_are_thin(path: Path) -> None:
    """No outputs, no definitions, no arithmetic, and at most a dozen lines of code."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
    assert len([line for text in code for line in text.splitlines() if line.strip()]) <= CELL_LINES
    for node in ast.walk(ast.parse("\n".join(code))):
        assert not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda | ast.BinOp), (
            ast.unparse(node)
        )


# --- Hygiene -----------------------------------------------------------------------------------

MACHINE_PATHS = ["/" + "work/", "/tmp/" + "bash_jobs", "/tmp/" + "venv"]
REGISTRIES = [
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "registry.npm" + "js.org",
    "registry.yarnpkg" + ".com",
    "anaconda" + ".org",
    "crates" + ".io",
    "proxy.golang" + ".org",
    "artifactory" + ".",
    "/simple" + "/ ",
]
MADE = {".git", ".venv", "build", "dist", "node_modules"}


def _repository_files() -> list[Path]:
    """What git tracks or would track; without git, the tree but for what tools make."""
    try:
        run = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )
    except OSError:
        run = None
    if run and run.returncode == 0 and run.stdout:
        files = [ROOT / name for name in run.stdout.split("\0") if name]
    else:
        files = [
            path
            for path in ROOT.rglob("*")
            if not any(
                part in MADE or part.endswith(("_cache", "__pycache__", "_checkpoints"))
                for part in path.relative_to(ROOT).parts
            )
        ]
    return [path for path in files if path.is_file()]


def test_no_machine_paths_and_no_registry_hosts() -> None:
    """A stranger's machine has neither our folders nor our mirrors."""
    files = _repository_files()
    assert len(files) > 100
    found = []
    for path in files:
        raw = path.read_bytes()
        if b"\0" in raw:
            continue
        text = raw.decode("utf-8", "replace")
        found += [
            f"{path.relative_to(ROOT)}: {word}"
            for word in (*MACHINE_PATHS, *REGISTRIES)
            if word in text
        ]
    assert not found


def test_the_whole_package_was_read() -> None:
    """A guard for the tests above: they saw the rooms that the package really has."""
    import planner

    assert Path(inspect.getfile(planner)).parent == PACKAGE
    rooms = {_room(_module(path)) for path in FILES} - {FRONT_DOOR}
    assert rooms == set(ROWS)
