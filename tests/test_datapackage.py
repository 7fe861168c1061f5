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
PROVENANCE = ("source", "as_of", "basis")


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
    for file in (*DATA.glob("*.csv"), DATA / "datapackage.json"):
        shutil.copy(file, tmp_path)
    precisions = tmp_path / "precisions.csv"
    text = precisions.read_text(encoding="utf-8").replace("nvfp4,NVFP4", "nvfp5,NVFP4", 1)
    precisions.write_text(text.replace(",derived,", ",hearsay,", 1), encoding="utf-8")
    found = " ".join(faults(tmp_path))
    assert "enum" in found
    assert "foreign" in found.lower()


def test_every_csv_is_described():
    assert set(RESOURCES) == {file.name for file in DATA.glob("*.csv")}


@pytest.mark.parametrize("path", RESOURCES)
def test_descriptions_are_complete(path):
    resource = RESOURCES[path]
    for key in ("title", "description", "licenses", "sources"):
        assert resource[key], key
    for column in resource["schema"]["fields"]:
        assert column["description"], column["name"]
        assert column["unit"] in UNITS, column["name"]


@pytest.mark.parametrize("path", RESOURCES)
def test_every_row_has_its_provenance(path):
    for number, row in enumerate(rows(path), 2):
        blank = [name for name in PROVENANCE if not row[name].strip()]
        assert not blank, f"{path} row {number}: {blank}"
        assert row["basis"] in {one.words for one in Basis}, f"{path} row {number}"


@pytest.mark.parametrize("path", RESOURCES)
def test_an_assumption_gives_its_reason(path):
    for number, row in enumerate(rows(path), 2):
        if row["basis"] == "assumed" and "note" in row:
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
