"""The page that shows predicted against measured."""

import json
import math
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest

from planner import load_catalogue
from planner.calibration import read_excluded, read_measurements
from planner.charts.accuracy import LEFT_OUT_NAMES, QUANTITY_NAMES, accuracy_blocks
from planner.charts.energy_accuracy import QUANTITY_NAMES as energy_names
from planner.charts.energy_accuracy import energy_blocks
from planner.charts.training_accuracy import training_blocks
from planner.performance import Reference
from planner.workbook import how_accurate
from planner.workbook.links import LINKS, links_from

CATALOGUE = load_catalogue()
BLOCKS = accuracy_blocks(CATALOGUE)
ENERGY = energy_blocks(Reference.of(CATALOGUE))
BY_TITLE = {block.title: block for block in BLOCKS}


def test_titles_tell_blocks_apart():
    assert len(BY_TITLE) == len(BLOCKS)
    assert len({block.title for block in (*BLOCKS, *ENERGY)}) == len(BLOCKS) + len(ENERGY)
    for block in (*BLOCKS, *ENERGY):
        assert block.text and (block.figure or block.rows)
        assert all(len(row) == len(block.header) for row in block.rows)


def test_three_ways_of_leaving_out_for_every_quantity():
    rows = BLOCKS[0].rows
    assert len(rows) == len(QUANTITY_NAMES) * len(LEFT_OUT_NAMES)
    stored = {
        (QUANTITY_NAMES[s.quantity], LEFT_OUT_NAMES[s.left_out]): s
        for s in CATALOGUE.efficiencies.scores
        if s.subset == "all"
    }
    for what, left_out, count, median, *_ in rows:
        score = stored[what, left_out]
        assert int(count.replace(",", "")) == score.rows
        assert float(median.rstrip("%")) == pytest.approx(100 * score.median, abs=0.051)


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.figure], ids=lambda block: block.title)
def test_pictures_are_valid_and_hold_every_measurement(block):
    figure = go.Figure(block.figure)
    dots = [trace for trace in figure.data if trace.mode == "markers"]
    quantity = {name: one for one, name in QUANTITY_NAMES.items()}[block.title.split(":")[0]]
    score = next(
        s
        for s in CATALOGUE.efficiencies.scores
        if (s.quantity, s.left_out, s.subset) == (quantity, "nothing", "all")
    )
    assert sum(len(trace.x) for trace in dots) == score.rows
    for trace in dots:
        assert len(trace.x) == len(trace.y) == len(trace.text)
        assert all(math.isfinite(v) and v > 0 for v in (*trace.x, *trace.y))
    assert json.dumps(block.figure, allow_nan=False)


def test_every_excluded_row_is_listed_with_its_reason():
    listed = BY_TITLE["What the calibration leaves out, and why"].rows
    excluded = read_excluded(CATALOGUE.folder)
    assert [row[0] for row in listed] == [one["id"] for one in excluded]
    assert all(row[-1].strip() for row in listed)
    used = set(read_measurements(Reference.of(CATALOGUE)).ids)
    assert used.isdisjoint(one["id"] for one in excluded)


@pytest.mark.parametrize("title", ["By GPU", "By model", "By engine", "By precision"])
def test_groups_count_their_measurements_once(title):
    """In fit, the measurements of all groups add up to the total of the first table."""
    block = BY_TITLE[title]
    total = next(s.rows for s in CATALOGUE.efficiencies.scores if s.subset == "all")
    counts = [int(row[1].split("(")[1].rstrip(")")) for row in block.rows if row[1]]
    assert sum(counts) == total


def test_the_page_hands_over_plain_data():
    page = how_accurate()
    titles = [block["title"] for block in page.content["blocks"]]
    training = training_blocks(CATALOGUE)
    assert titles == [*BY_TITLE, *(block.title for block in (*ENERGY, *training))]
    assert len(set(titles)) == len(titles)
    assert json.dumps(page.content, allow_nan=False)
    page.receive("nonsense")  # Ignored: the page only ever asks for the chart library.


def test_links_from_a_folder_lead_up():
    up = {one["title"]: one["href"] for one in links_from("validation/accuracy.ipynb")}
    assert up["Will it fit?"] == "../1-will-it-fit.ipynb"
    assert [one["href"] for one in links_from("0-start-here.ipynb")] == [
        href for _, href, _ in LINKS
    ]
    assert sum(one["current"] for one in links_from("validation/accuracy.ipynb")) == 1


def test_the_readme_tells_the_scores_of_this_calibration():
    """Its table and its count of measurements are those of ``scores.csv``, rounded."""
    text = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    names = {
        "time per output token": "tpot",
        "time to first token": "ttft",
        "output tokens per second": "throughput",
    }
    stored = {
        (s.quantity, s.left_out): s for s in CATALOGUE.efficiencies.scores if s.subset == "all"
    }
    for words, quantity in names.items():
        (row,) = [line for line in text.splitlines() if line.startswith(f"| {words} |")]
        told = [float(cell.strip().rstrip(" %")) for cell in row.strip("|").split("|")[1:]]
        medians = [100 * stored[quantity, left_out].median for left_out in LEFT_OUT_NAMES]
        assert told == pytest.approx(medians, abs=0.51)
    used = len(read_measurements(Reference.of(CATALOGUE)))
    assert f"{used:,} published measurements" in text


def test_energy_is_told_as_it_was_scored():
    """Every way of leaving out, and a dot for each measurement that was used."""
    scores = [s for s in CATALOGUE.energy_efficiencies.scores if s.subset == "all"]
    told = {(row[0], row[1]): row[3] for row in ENERGY[0].rows}
    assert len(told) == len(scores) == 8
    for score in scores:
        name = energy_names[score.quantity]
        shown = float(told[name, LEFT_OUT_NAMES[score.left_out]].rstrip("%"))
        assert shown == pytest.approx(100 * score.median, abs=0.051)
    figure = go.Figure(ENERGY[1].figure)
    dots = [trace for trace in figure.data if trace.mode == "markers"]
    assert sum(len(trace.x) for trace in dots) == scores[0].rows
    x, y = (np.concatenate([getattr(trace, axis) for trace in dots]) for axis in "xy")
    error = np.median(np.abs(y / x - 1.0))
    in_fit = next(s for s in scores if (s.quantity, s.left_out) == ("energy", "nothing"))
    assert error == pytest.approx(in_fit.median, abs=0.002)
