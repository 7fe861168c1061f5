"""The data package describes every table, and every table keeps to its description."""

import csv
import json
import shutil
from pathlib import Path

import frictionless
import pytest

from planner.catalogue import Basis
from planner.catalogue.catalogue import find_data
from planner.units import UNITS

DATA = find_data()
PACKAGE = json.loads((DATA / "datapackage.json").read_text(encoding="utf-8"))
RESOURCES = {one["path"]: one for one in PACKAGE["resources"]}
GENERATED = {path: one["generated_by"] for path, one in RESOURCES.items() if "generated_by" in one}
PROVENANCE = {"calibration/serving.csv": ("source", "source_ref", "licence")}
"""Measurements are all measured, and some pages are not dated."""
DATED = ("source", "as_of", "basis")
SOURCED = [path for path in RESOURCES if path not in GENERATED]
INDEXED = {"traces"}
"""Folders whose files a table of the same name describes, one or more rows each."""


def rows(path: str) -> list[dict[str, str]]:
    with (DATA / path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def faults(folder: Path) -> list[str]:
    report = frictionless.validate(str(folder / "datapackage.json"))
    return [str(error.message) for task in report.tasks for error in task.errors] + [
        str(error.message) for error in report.errors
    ]


def test_every_table_keeps_to_its_schema():
    assert faults(DATA) == []


def test_the_check_finds_faults(tmp_path):
    """The validator is really looking: an unknown basis and a dangling key are reported."""
    for name in (*RESOURCES, "datapackage.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(DATA / name, tmp_path / name)
    precisions = tmp_path / "precisions.csv"
    text = precisions.read_text(encoding="utf-8").replace("nvfp4,NVFP4", "nvfp5,NVFP4", 1)
    precisions.write_text(text.replace(",derived,", ",hearsay,", 1), encoding="utf-8")
    found = " ".join(faults(tmp_path))
    assert "enum" in found
    assert "foreign" in found.lower()


def test_every_csv_is_described():
    tables = {file.relative_to(DATA) for file in DATA.rglob("*.csv")}
    assert set(RESOURCES) == {file.as_posix() for file in tables if file.parts[0] not in INDEXED}


@pytest.mark.parametrize("path", RESOURCES)
def test_descriptions_are_complete(path):
    resource = RESOURCES[path]
    for key in ("title", "description", "licenses", "sources"):
        assert resource[key], key
    for column in resource["schema"]["fields"]:
        assert column["description"], column["name"]
        assert column["unit"] in UNITS, column["name"]


@pytest.mark.parametrize("path", SOURCED)
def test_every_row_has_its_provenance(path):
    for number, row in enumerate(rows(path), 2):
        blank = [name for name in PROVENANCE.get(path, DATED) if not row[name].strip()]
        assert not blank, f"{path} row {number}: {blank}"
        if "basis" in row:
            assert row["basis"] in {one.words for one in Basis}, f"{path} row {number}"


def test_generated_tables_name_what_makes_them_and_are_marked_for_reviewers():
    """By a script or a target that exists; reviewers' tools fold such files away."""
    root = DATA.parent
    targets = (root / "Makefile").read_text(encoding="utf-8")
    marked = {
        line.split()[0]
        for line in (root / ".gitattributes").read_text(encoding="utf-8").splitlines()
        if line.endswith("linguist-generated")
    }
    for path, maker in GENERATED.items():
        if maker.startswith("make "):
            assert f"\n{maker.removeprefix('make ')}:" in targets, path
        else:
            assert (root / maker).is_file(), path
        assert f"data/{path}" in marked
    assert {one for one in marked if one.startswith("data/")} == {
        f"data/{one}" for one in GENERATED
    }


@pytest.mark.parametrize("path", SOURCED)
def test_an_assumption_gives_its_reason(path):
    for number, row in enumerate(rows(path), 2):
        if row.get("basis") == "assumed" and "note" in row:
            assert row["note"].strip(), f"{path} row {number}"


def test_reported_memory_has_its_own_provenance():
    for row in rows("gpus.csv"):
        cells = [row[f"reported_{name}"] for name in ("source", "locator", "as_of", "basis")]
        assert all(cells) if row["memory_reported_mib"] else not any(cells), row["id"]


@pytest.mark.parametrize("path", ["glossary.csv", "engines.csv"])
def test_units_in_cells_are_known(path):
    assert {row["unit"] for row in rows(path)} <= set(UNITS)


def test_glossary_cross_references_exist():
    ids = {row["id"] for row in rows("glossary.csv")}
    for row in rows("glossary.csv"):
        assert {part for part in row["see"].split(";") if part} <= ids - {row["id"]}, row["id"]
