"""The part of the page on accuracy that is about training, and what README tells of it."""

from __future__ import annotations

import csv
import json
import math
import re
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest

from planner import load_catalogue
from planner.calibration import observed_bytes, training_models
from planner.charts.training_accuracy import (
    GUIDANCE,
    NO_NUMBER,
    QUANTITY_NAMES,
    WAYS,
    training_blocks,
)
from planner.units import GIB
from planner.workbook import how_accurate

CATALOGUE = load_catalogue()
BLOCKS = {block.title: block for block in training_blocks(CATALOGUE)}
MEMORY, SPEED = CATALOGUE.training_memory.scores, CATALOGUE.training_efficiencies.scores
FOLDER = CATALOGUE.folder / "calibration"
MEMORY_SCORES = "Fine-tuning memory: how far off, when something was never measured"
SPEED_SCORES = "Training speed: how far off, when something was never measured"
PEAKS = "Every measured peak of fine-tuning memory beside ours"
LEFT = "What is left out about training, and why"


def table(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def percent(cell: str) -> float:
    return float(cell.strip("%"))


def dots(title: str) -> list:
    return [one for one in go.Figure(BLOCKS[title].figure).data if one.mode == "markers"]


def test_every_block_says_something() -> None:
    for block in BLOCKS.values():
        assert block.text and (block.figure or block.rows)
        assert all(len(row) == len(block.header) for row in block.rows)
        assert json.dumps(block.figure, allow_nan=False)


@pytest.mark.parametrize(("title", "scores"), [(MEMORY_SCORES, MEMORY), (SPEED_SCORES, SPEED)])
def test_the_tables_are_the_written_scores(title: str, scores) -> None:
    stored = {
        (QUANTITY_NAMES[one.quantity], WAYS[one.left_out]): one
        for one in scores
        if one.subset == "all"
    }
    rows = BLOCKS[title].rows
    assert len(rows) == len(stored) >= 4
    for what, way, count, median, mean, bias, coverage in rows:
        one = stored[what, way]
        assert int(count.replace(",", "")) == one.rows
        told = (percent(median), percent(mean), percent(bias))
        assert told == pytest.approx([100 * x for x in (one.median, one.mean, one.bias)], abs=0.051)
        assert (
            math.isnan(one.coverage)
            if coverage == ""
            else percent(coverage) == pytest.approx(100 * one.coverage, abs=0.51)
        )


def test_every_measured_peak_is_a_dot_and_guidance_is_apart() -> None:
    every = dots("Fine-tuning memory: predicted against measured")
    filled = [one for one in every if "not scored" not in one.name]
    hollow = [one for one in every if "not scored" in one.name]
    (in_fit,) = (one for one in MEMORY if one.left_out == "nothing")
    assert sum(len(one.x) for one in filled) == in_fit.rows
    guidance = [row for row in table("finetune_memory.csv") if row["basis"] != "measured"]
    assert sum(len(one.x) for one in hollow) == len(guidance) > 20
    assert all(one.marker.symbol == "circle-open" for one in hollow)
    x, y = (np.concatenate([getattr(one, axis) for one in filled]) for axis in "xy")
    assert np.median(np.abs(y / x - 1.0)) == pytest.approx(in_fit.median, abs=0.002)
    largest = max(observed_bytes(row) for row in table("finetune_memory.csv") if row["peak_memory"])
    assert max(max(one.x) for one in every) == pytest.approx(largest / GIB, rel=1e-4)


def test_every_measurement_of_speed_is_a_dot() -> None:
    every = dots("Training speed: predicted against measured")
    in_fit = next(one for one in SPEED if (one.left_out, one.subset) == ("nothing", "all"))
    assert sum(len(one.x) for one in every) == in_fit.rows
    assert all(len(one.x) == len(one.y) == len(one.text) for one in every)
    x, y = (np.concatenate([getattr(one, axis) for one in every]) for axis in "xy")
    assert np.median(np.abs(y / x - 1.0)) == pytest.approx(in_fit.median, abs=0.002)


def test_farthest_off_are_mixtures_of_experts_that_gain_from_release_to_release() -> None:
    (block,) = (b for b in BLOCKS.values() if b.title.startswith("Training speed: predicted"))
    assert "mixtures of experts" in block.text
    models = training_models(CATALOGUE)
    every = [dot for one in dots(block.title) for dot in zip(one.x, one.y, one.text, strict=True)]
    far = sorted(every, key=lambda dot: -abs(math.log(dot[1] / dot[0])))[:10]
    named = {text: max((n for n in models if text.startswith(n)), key=len) for *_, text in far}
    assert all(models[name].experts > 0 for name in named.values())
    rows = [r for r in table("training_throughput.csv") if models[r["model"]].experts > 0]
    own = ("model", "gpu", "precision", "sequence_tokens")
    best: dict[tuple[str, ...], dict[str, float]] = {}
    for row in rows:
        found = best.setdefault(tuple(row[name] for name in own), {})
        speed = float(row["obs_tokens_per_s_per_gpu"])
        found[row["as_of"]] = max(speed, found.get(row["as_of"], 0.0))
    gains = [one[max(one)] / one[min(one)] for one in best.values() if len(one) > 1]
    assert len(gains) > 10 and np.median(gains) > 1.05


def test_peaks_are_told_one_by_one_with_both_predictions() -> None:
    rows = [row for row in table("finetune_memory_rows.csv") if row["basis"] == "measured"]
    rows = [row for row in rows if row["measured_bytes"]]
    told = BLOCKS[PEAKS].rows
    assert len(told) == len(rows)
    for (_, _, *values, off, _), row in zip(told, rows, strict=True):
        names = ("measured_bytes", "predicted_bytes", "left_out_bytes")
        expected = [float(row[name]) / GIB for name in names]
        assert [float(value) for value in values] == pytest.approx(expected, rel=0.006)
        assert percent(off) == pytest.approx(100 * (expected[2] / expected[0] - 1), abs=0.7)


def test_what_is_left_out_has_its_reason() -> None:
    rows = BLOCKS[LEFT].rows
    reasons = {row[0]: row[-1] for row in rows}
    assert len(reasons) == len(rows)
    for row in table("training_exclusions.csv"):
        assert reasons.pop(row["id"]) == row["reason"]
    peaks = {row["id"]: row for row in table("finetune_memory.csv")}
    for name, reason in reasons.items():
        measured = peaks[name]["basis"] == "measured"
        assert reason == (NO_NUMBER if measured else GUIDANCE)
        assert not measured or not peaks[name]["peak_memory"]
    (in_fit,) = (one for one in MEMORY if one.left_out == "nothing")
    assert len(reasons) + in_fit.rows == len(peaks)


@pytest.mark.parametrize("kind", ["GPU", "model"])
def test_groups_count_their_measurements_once(kind: str) -> None:
    block = BLOCKS[f"Training speed by {kind}"]
    counts = [int(row[1].split("(")[1].rstrip(")")) for row in block.rows]
    in_fit = next(one for one in SPEED if (one.left_out, one.subset) == ("nothing", "all"))
    assert sum(counts) == in_fit.rows
    assert counts == sorted(counts, reverse=True)
    off = {row[0]: percent(row[2].split(" ")[0]) for row in block.rows}
    far, told = re.search(r"left out: (\S+), (\d+)%", block.text).groups()
    assert off[far] == max(off.values()) == float(told)


def test_the_page_shows_it_after_serving_and_energy() -> None:
    titles = [block["title"] for block in how_accurate().content["blocks"]]
    assert titles[-len(BLOCKS) :] == list(BLOCKS)


def test_the_notes_do_not_flatter() -> None:
    """The two scores that are worst are in the words, not only in the table."""
    (unknown,) = (one for one in MEMORY if one.left_out == "settings")
    assert f"off by {unknown.median:.0%}" in BLOCKS[MEMORY_SCORES].text
    assert f"holds only {unknown.coverage:.0%}" in BLOCKS[MEMORY_SCORES].text
    other = next(one for one in SPEED if (one.left_out, one.subset) == ("software", "all"))
    assert f"{other.bias:.0%} too fast" in BLOCKS[SPEED_SCORES].text


def test_readme_tells_the_scores_of_this_calibration() -> None:
    text = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    ways = ("nothing", "configuration", "model", "gpu", "software")
    speed = {
        one.left_out: one.median for one in SPEED if (one.quantity, one.subset) == ("speed", "all")
    }
    memory = {one.left_out: one.median for one in MEMORY}

    def told(words: str) -> list[float]:
        (row,) = [line for line in text.splitlines() if line.startswith(f"| {words} |")]
        return [float(one) for one in re.findall(r"([\d.]+) %", row)]

    assert told("training speed") == pytest.approx([100 * speed[way] for way in ways[:4]], abs=0.51)
    expected = [100 * memory[way] for way in ("nothing", "source", "model")]
    assert told("fine-tuning memory") == pytest.approx(expected, abs=0.51)
    found = re.search(
        r"fitted to (\d+) published measurements, most.*?off by (\d+) %.*?beside (\d+) peaks"
        r".*?off by (\d+) %",
        text,
    )
    rows, software, peaks, settings = (float(one) for one in found.groups())
    in_fit = next(one for one in SPEED if (one.left_out, one.subset) == ("nothing", "all"))
    assert rows == in_fit.rows and peaks == MEMORY[0].rows
    assert software == pytest.approx(100 * speed["software"], abs=0.51)
    assert settings == pytest.approx(100 * memory["settings"], abs=0.51)
