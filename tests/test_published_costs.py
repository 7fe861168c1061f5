"""Published cost comparisons: reproduced within their rounding, or shown not to follow."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import plotly.graph_objects as go
import pytest

from planner import load_catalogue
from planner.catalogue import load_published_costs
from planner.catalogue.published_costs import read_published_costs
from planner.charts.published_costs import amount, ours_over_published, published_cost_blocks
from planner.errors import MissingData
from planner.plan.published_costs import (
    KINDS,
    check_published_cost,
    check_published_costs,
    compute_published_cost,
)
from planner.units import UNITS
from planner.workbook.links import LINKS
from planner.workbook.report_page import published_costs

CATALOGUE = load_catalogue()
CASES = {case.id: case for case in load_published_costs(CATALOGUE.folder)}
REPRODUCED = [case for case in CASES.values() if case.verdict == "reproduces"]
CONTROLS = [case for case in CASES.values() if case.verdict == "does not follow"]
UNPRINTED = [case for case in CASES.values() if case.verdict == "not published"]
CHECKS = check_published_costs(CATALOGUE)

FOLLOWS = {
    "lp2225/on-demand-months-730h": 833806 / (98.32 - 0.87) / 730,
    "alpha/post-cut-hours": 833806 / (33 - 0.87),
    "alpha/post-cut-24h": 25951 / 8760,
    "alpha/post-cut-16h": 25951 / (16 * 365),
    "alpha/post-cut-12h": 25951 / (12 * 365),
    "alpha/cloud-12-months": 861283.2,
    "alpha/cloud-36-months": 3 * 861283.2,
    "alpha/cloud-16h": 8 * 3.10 * 16 * 365 / 12,
    "pan/kimi-k2-vs-gemini-2-5-pro": 69.29,
    "pan/glm-4-5-vs-gemini-2-5-pro": 51.51,
    "pan/gpt-oss-120b-vs-gemini-2-5-pro": 30.88,
    "pan/glm-4-5-air-vs-gemini-2-5-pro": 34.03,
    "pan/qwen3-30b-vs-gemini-2-5-pro": 2.518,
    "uptime/used-8": 22 / 0.08,
    "uptime/used-40": 22 / 0.40,
}
"""What does follow from the inputs of each negative control, by hand."""
UNPRINTED_BY_HAND = {
    "lp2368/neocloud": 250141.8 / (23.2 - 6.37),
    "cloudability/breakeven": 0.074 / 0.126,
}


def by_id(case) -> str:
    return case.id


@pytest.mark.parametrize("case", REPRODUCED, ids=by_id)
def test_reproduced_within_its_own_tolerance(case) -> None:
    assert compute_published_cost(case) == pytest.approx(case.published, abs=case.tolerance)
    assert check_published_cost(case).verdict == "reproduces"


@pytest.mark.parametrize("case", REPRODUCED, ids=by_id)
def test_a_wrong_number_would_be_noticed(case) -> None:
    for factor in (0.7, 1.3):
        wrong = replace(case, published=factor * case.published)
        assert check_published_cost(wrong).verdict == "does not follow"


@pytest.mark.parametrize("case", CONTROLS, ids=by_id)
def test_a_negative_control_gives_what_does_follow(case) -> None:
    assert compute_published_cost(case) == pytest.approx(FOLLOWS[case.id], rel=3e-4)
    assert check_published_cost(case).verdict == "does not follow"
    assert case.note and case.control


@pytest.mark.parametrize("case", UNPRINTED, ids=by_id)
def test_what_nobody_printed_is_computed_and_says_so(case) -> None:
    check = check_published_cost(case)
    assert check.ours == pytest.approx(UNPRINTED_BY_HAND[case.id], rel=1e-9)
    assert check.verdict == "not published" and math.isnan(check.difference)
    assert case.note


def test_every_study_and_every_kind_is_there() -> None:
    assert {case.id for case in CONTROLS} == set(FOLLOWS)
    assert {case.kind for case in CASES.values()} == set(KINDS)
    assert len({case.study for case in CASES.values()}) == 13
    assert all(case.unit in UNITS for case in CASES.values())


def test_all_that_pan_et_al_miss_is_one_column() -> None:
    """36 of their 45 cells follow and all nine misses are Gemini's; 25 cells are in the table."""
    cells = [case for name, case in CASES.items() if name.startswith("pan/")]
    missed = {case.id for case in cells if check_published_cost(case).verdict != "reproduces"}
    assert len(cells) == 25
    assert missed == {case.id for case in cells if "gemini" in case.id}
    for case in cells:
        assert case.tolerance == pytest.approx(max(0.015 * case.published, 0.06))


# --- Bad tables --------------------------------------------------------------------------------


def test_a_wrong_kind_or_input_is_named() -> None:
    case = CASES["lp2225/on-demand-hours"]
    with pytest.raises(MissingData, match="lp2225/on-demand-hours.*'guesswork'.*break-even hours"):
        compute_published_cost(replace(case, kind="guesswork"))
    with pytest.raises(MissingData, match="lp2225/on-demand-hours.*capital_usd"):
        compute_published_cost(replace(case, inputs={"rented_usd_per_hour": 1.0}))
    with pytest.raises(MissingData, match="lp2225/on-demand-hours.*people"):
        compute_published_cost(replace(case, inputs={**case.inputs, "people": 3.0}))


TABLE = (CATALOGUE.folder / "published_costs.csv").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        (",reproduces,", ",perhaps,", "verdict"),
        (",8556,1,", ",,1,", "published"),
        (",8556,1,", ",8556,,", "tolerance"),
        (",reproduces,,", ",reproduces,odd,", "control"),
        ("capital_usd=833806", "capital_usd", "inputs"),
    ],
)
def test_a_broken_row_is_named(tmp_path: Path, old: str, new: str, column: str) -> None:
    row = TABLE[1].replace(old, new, 1)
    assert row != TABLE[1]
    path = tmp_path / "published_costs.csv"
    path.write_text("\n".join([TABLE[0], row]), encoding="utf-8")
    with pytest.raises(MissingData, match=f"row 2, column {column}"):
        read_published_costs(path)


def test_an_id_occurs_once(tmp_path: Path) -> None:
    path = tmp_path / "published_costs.csv"
    path.write_text("\n".join([TABLE[0], TABLE[1], TABLE[1]]), encoding="utf-8")
    with pytest.raises(MissingData, match="column id.*unique"):
        read_published_costs(path)


# --- The page ----------------------------------------------------------------------------------

BLOCKS = published_cost_blocks(CATALOGUE)


def test_the_picture_shows_every_printed_number_once() -> None:
    figure = go.Figure(ours_over_published(CHECKS))
    follows, controls = figure.data
    assert len(follows.x) == len(REPRODUCED) and len(controls.x) == len(CONTROLS)
    assert follows.marker.symbol != controls.marker.symbol
    assert follows.marker.color != controls.marker.color
    ratios = {
        check.case.published: check.ours / check.case.published
        for check in CHECKS
        if check.verdict == "does not follow"
    }
    for x, y in zip(controls.x, controls.y, strict=True):
        assert y == pytest.approx(ratios[x], abs=1e-5)
    low, high = (10**end for end in figure.layout.yaxis.range)
    assert all(low < y < high for y in (*follows.y, *controls.y))
    low, high = (10**end for end in figure.layout.xaxis.range)
    assert all(low < x < high for x in (*follows.x, *controls.x))


def test_every_control_is_named_once_in_the_picture() -> None:
    names = Counter(text for text in go.Figure(BLOCKS[0].figure).data[1].text if text)
    assert names == Counter({case.control for case in CONTROLS})


def test_every_number_stands_in_its_study_and_every_control_among_the_controls() -> None:
    titles = [block.title for block in BLOCKS]
    assert len(set(titles)) == len(titles)
    by_title = {block.title: block for block in BLOCKS}
    for block in BLOCKS:
        assert block.text and (block.figure or block.rows)
        assert all(len(row) == len(block.header) for row in block.rows)
    for study, count in Counter(case.study for case in CASES.values()).items():
        assert len(by_title[study].rows) == count
    why = [row[-1] for row in by_title["What does not follow from its own inputs"].rows]
    assert why == [case.note for case in CONTROLS]
    assert titles[-1] == "The published values"
    assert [row[0] for row in BLOCKS[-1].rows] == list(
        dict.fromkeys(case.study for case in CASES.values())
    )


def test_the_page_ends_with_every_printed_value() -> None:
    values = {row[0]: row[1] for row in BLOCKS[-1].rows}
    for case in CASES.values():
        if math.isfinite(case.published):
            assert amount(case.published, case.unit) in values[case.study], case.id


def test_amounts_keep_the_digits_that_were_printed() -> None:
    """What is shown as published says the published number, to the last digit."""
    for case in CASES.values():
        if math.isfinite(case.published):
            shown = amount(case.published, case.unit).replace(",", "").lstrip("$")
            number = float(shown.split()[0].split("/")[0])
            scale = 100.0 if case.unit == "fraction" else 1.0
            assert number == pytest.approx(scale * case.published, rel=1e-9), case.id


def test_the_page_hands_over_plain_data() -> None:
    page = published_costs()
    assert json.loads(json.dumps(page.content, allow_nan=False))["title"] == "Published costs"
    assert [one["title"] for one in page.content["links"]] == [title for title, _, _ in LINKS]
    assert [one["title"] for one in page.content["links"] if one["current"]] == ["Published costs"]
