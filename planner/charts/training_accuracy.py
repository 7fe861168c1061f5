"""Predicted against measured training: how far a fine-tune's memory and a job's speed hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from planner.calibration import (
    FinetuneFit,
    FinetuneMeasurements,
    TrainingFit,
    TrainingMeasurements,
    cross_validate_finetune,
    predicted_finetune,
    predicted_tokens_per_s,
    read_finetune,
    read_training,
)
from planner.calibration.csv_files import read_table
from planner.calibration.training_measurements import TRAINING_TABLE
from planner.catalogue import Catalogue, Score
from planner.charts.accuracy import FAMILY_COLOURS, LEFT_OUT_NAMES, Block, band_of_a_fifth
from planner.training import LAYOUT_STATED, LAYOUT_UNKNOWN
from planner.units import GIB, format_number

Spec = dict[str, Any]
QUANTITY_NAMES = {
    "memory": "Memory",
    LAYOUT_STATED: "Speed, layout stated",
    LAYOUT_UNKNOWN: "Speed, layout hidden",
}
WAYS = {
    **LEFT_OUT_NAMES,
    "source": "the publication",
    "settings": "the publication, and what its trainer does",
    "software": "the software",
}
"""What was left out of a fit, in words."""
GUIDANCE = "a vendor's guidance, not a measurement"
NO_NUMBER = "the run was out of memory, so there is no peak"
_HEADER = (
    "What",
    "Left out of the fit",
    "Measurements",
    "Median error",
    "Mean error",
    "Bias",
    "In range",
)
_GROUPINGS = {
    "GPU": ("gpu",),
    "model": ("model",),
    "method, format and software": ("method", "format", "software"),
}
_LEFT_OUT_WITH = {"gpu": "gpu", "model": "model", "software": "software"}


def training_blocks(catalogue: Catalogue) -> tuple[Block, ...]:
    """The part of the report on accuracy that is about training.

    Parameters
    ----------
    catalogue : Catalogue

    Returns
    -------
    tuple of Block

    >>> from planner import load_catalogue
    >>> [block.title for block in training_blocks(load_catalogue())][0]
    'Fine-tuning memory: how far off, when something was never measured'
    """
    facts, found = catalogue.training_memory, catalogue.training_efficiencies
    peaks = read_finetune(catalogue)
    memory = predicted_finetune(
        peaks, FinetuneFit(facts.activation_factor, facts.overhead_fraction)
    )
    speeds, excluded = read_training(catalogue)
    fit = TrainingFit(dict(found.coefficients), dict(found.corrections))
    every = np.ones(len(speeds), dtype=bool)
    return (
        _memory_scores(facts.scores, peaks),
        Block(
            "Fine-tuning memory: predicted against measured",
            "Each filled dot is one published peak; on the line the prediction is exact, in the "
            "band it is within a fifth. Shown in fit. Hollow ones are a vendor's guidance on what "
            "a run needs, neither fitted nor scored.",
            _memory_figure(peaks, memory),
        ),
        _memory_rows(peaks, memory),
        _speed_scores(found.scores, len(speeds), len(excluded)),
        Block(
            "Training speed: predicted against measured",
            "Each dot is one published measurement; on the line the prediction is exact, in the "
            "band it is within a fifth. Shown in fit: the table above says what happens without "
            "the measurement. Farthest off are mixtures of experts, whose software is gaining "
            "speed from release to release; one prediction stands for all of them.",
            _speed_figure(speeds, predicted_tokens_per_s(speeds, fit, every)),
        ),
        *(_by_group(found.scores, title, kinds) for title, kinds in _GROUPINGS.items()),
        _not_scored(peaks, excluded, read_table(catalogue.folder / TRAINING_TABLE)),
    )


def _score_rows(scores: Iterable[Score]) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            QUANTITY_NAMES[one.quantity],
            WAYS[one.left_out],
            f"{one.rows:,}",
            f"{one.median:.1%}",
            f"{one.mean:.1%}",
            f"{one.bias:+.1%}",
            f"{one.coverage:.0%}" if np.isfinite(one.coverage) else "",
        )
        for one in scores
        if one.subset == "all"
    )


def _memory_scores(scores: Sequence[Score], peaks: FinetuneMeasurements) -> Block:
    used = int(peaks.scored.sum())
    sources = len({row["source"] for row, own in zip(peaks.rows, peaks.scored, strict=True) if own})
    (unknown,) = (one for one in scores if one.left_out == "settings")
    return Block(
        "Fine-tuning memory: how far off, when something was never measured",
        f"{used} published peaks of {sources} publications, which are few, and all but one of them "
        "of one trainer: leaving one out leaves its siblings in. Bytes are counted from the types "
        "of tensors, and only two factors are fitted; as some counts were chosen with torchtune's "
        "table in view, the scores judge the factors rather than the counts. The last row takes "
        "the settings of a trainer of which nothing is known: then a prediction is off by "
        f"{unknown.median:.0%} and a range made from the other publications holds only "
        f"{unknown.coverage:.0%} of the peaks, so name the trainer. A GPU cannot be left out, as "
        "memory does not depend on it.",
        header=_HEADER,
        rows=_score_rows(scores),
    )


def _speed_scores(scores: Sequence[Score], used: int, excluded: int) -> Block:
    ordered = [
        one for name in (LAYOUT_STATED, LAYOUT_UNKNOWN) for one in scores if one.quantity == name
    ]
    other = next(one for one in ordered if (one.left_out, one.subset) == ("software", "all"))
    return Block(
        "Training speed: how far off, when something was never measured",
        f"Fitted to {used:,} published measurements; {excluded} more are left out, each with its "
        "reason below. Most are recipes that vendors tuned, so they tell what a job can reach "
        "rather than what it reaches. With the software left out, each laboratory is judged by a "
        f"fit to the others: half of those predictions are {other.bias:.0%} too fast or more, the "
        "error to expect of a trainer that was never measured. Where the layout is hidden, the "
        "fastest of the usual ones is taken.",
        header=_HEADER,
        rows=_score_rows(ordered),
    )


def _dots(
    name: str, x: np.ndarray, y: np.ndarray, text: Sequence[str], unit: str, **marker: Any
) -> Spec:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": np.round(x, 4).tolist(),
        "y": np.round(y, 4).tolist(),
        "text": list(text),
        "marker": {"opacity": 0.65, **marker},
        "hovertemplate": (
            f"%{{text}}<br>measured %{{x:.3~g}} {unit}, predicted %{{y:.3~g}} {unit}<extra></extra>"
        ),
    }


def _figure(dots: Sequence[Spec], unit: str) -> Spec:
    ends = np.concatenate([one["x"] for one in dots])
    axis = {"type": "log", "dtick": 1}
    return {
        "data": [*band_of_a_fifth(np.array([ends.min(), ends.max()])), *dots],
        "layout": {
            "xaxis": {**axis, "title": {"text": f"measured [{unit}]"}},
            "yaxis": {**axis, "title": {"text": f"predicted [{unit}]"}},
            "hovermode": "closest",
            "margin": {"l": 62, "r": 12, "t": 10, "b": 48},
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        },
    }


def _memory_figure(peaks: FinetuneMeasurements, predicted: np.ndarray) -> Spec:
    """A dot for each published peak, by publication; guidance hollow."""
    known = np.isfinite(peaks.observed_bytes)
    sources = np.array([row["source"] for row in peaks.rows])
    dots = []
    for number, name in enumerate(dict.fromkeys(sources[known & peaks.scored])):
        rows = np.flatnonzero(known & peaks.scored & (sources == name))
        marker = {"size": 8, "color": _colour(number), "symbol": _symbol(number)}
        dots.append(_peak_dots(name, peaks, predicted, rows, marker))
    rows = np.flatnonzero(known & ~peaks.scored)
    marker = {"size": 7, "color": "#8796a5", "symbol": "circle-open"}
    return _figure(
        [*dots, _peak_dots("guidance, not scored", peaks, predicted, rows, marker)], "GiB"
    )


def _peak_dots(
    name: str, peaks: FinetuneMeasurements, predicted: np.ndarray, rows: np.ndarray, marker: Spec
) -> Spec:
    text = [_peak_words(peaks.rows[row]) for row in rows]
    return _dots(
        name, peaks.observed_bytes[rows] / GIB, predicted[rows] / GIB, text, "GiB", **marker
    )


def _colour(number: int) -> str:
    return FAMILY_COLOURS[number % len(FAMILY_COLOURS)]


def _symbol(number: int) -> str:
    return ("circle", "diamond")[number // len(FAMILY_COLOURS) % 2]


def _memory_rows(peaks: FinetuneMeasurements, predicted: np.ndarray) -> Block:
    """Every measured peak beside both predictions."""
    without = cross_validate_finetune(peaks, "source")
    return Block(
        "Every measured peak of fine-tuning memory beside ours",
        "GiB on one GPU: published, ours in fit, and ours with the publication left out of the "
        "fit. Two rows of QLoRA are far off: they are what an early torchao reserved while it "
        "quantised, which the model leaves out.",
        header=("Run", "Trainer", "published", "ours", "left out", "off by", "Source"),
        rows=tuple(
            (
                _peak_words(peaks.rows[at]),
                peaks.rows[at]["framework"],
                *(
                    format_number(float(value[at]) / GIB)
                    for value in (peaks.observed_bytes, predicted, without)
                ),
                f"{round(without[at] / peaks.observed_bytes[at] - 1.0, 2) + 0.0:+.0%}",
                peaks.rows[at]["source"],
            )
            for at in np.flatnonzero(peaks.scored)
        ),
        folded=True,
        stacked=True,
    )


def _peak_words(row: Mapping[str, str]) -> str:
    stated = {"seq_len": "{} tokens", "batch_size": "batch {}", "lora_rank": "rank {}"}
    said = [words.format(row[name]) for name, words in stated.items() if row[name]]
    return ", ".join([f"{row['model']} {row['method']} on {row['n_gpus']} × {row['gpu']}", *said])


def _speed_figure(measured: TrainingMeasurements, predicted: np.ndarray) -> Spec:
    """A dot for each measurement, by software."""
    software = np.array([row["framework"] for row in measured.rows])
    dots = []
    for number, name in enumerate(dict.fromkeys(software)):
        rows = np.flatnonzero(software == name)
        text = [_speed_words(measured.rows[row]) for row in rows]
        x, y = measured.tokens_per_s_per_gpu[rows], predicted[rows]
        marker = {"size": 5, "color": _colour(number)}
        dots.append(_dots(name, x, y, text, "tokens/s per GPU", **marker))
    return _figure(dots, "tokens/s per GPU")


def _speed_words(row: Mapping[str, str]) -> str:
    return (
        f"{row['model']} {row['task']} in {row['precision'].upper()} on {row['gpu_count']} × "
        f"{row['gpu']}, {row['sequence_tokens']} tokens"
    )


def _by_group(scores: Sequence[Score], title: str, kinds: tuple[str, ...]) -> Block:
    """Median errors: in fit, and with the group, or else the configuration, left out."""
    found: dict[str, dict[tuple[str, str], Score]] = {}
    for one in scores:
        if one.subset.split(" ")[0] in kinds:
            found.setdefault(one.subset, {})[one.quantity, one.left_out] = one
    names = sorted(found, key=lambda name: (kinds.index(name.split(" ")[0]), -_rows(found[name])))

    def cell(name: str, quantity: str, left_out: str) -> str:
        one = found[name][quantity, left_out]
        return f"{one.median:.0%} ({one.rows})"

    def left_out(name: str) -> str:
        return _LEFT_OUT_WITH.get(name.split(" ")[0], "configuration")

    ways = "the software, or else the configuration," if len(kinds) > 1 else WAYS[kinds[0]]
    far = max(names, key=lambda name: found[name][LAYOUT_STATED, left_out(name)].median)
    worst = found[far][LAYOUT_STATED, left_out(far)]
    return Block(
        f"Training speed by {title}",
        f"Median error, and the number of measurements: in fit, then with {ways} left out. "
        f"Farthest off when left out: {far.partition(' ')[2]}, {worst.median:.0%}.",
        header=("", "layout stated, in fit", "left out", "layout hidden, in fit", "left out"),
        rows=tuple(
            (
                name if len(kinds) > 1 else name.partition(" ")[2],
                *(
                    cell(name, quantity, way)
                    for quantity in (LAYOUT_STATED, LAYOUT_UNKNOWN)
                    for way in ("nothing", left_out(name))
                ),
            )
            for name in names
        ),
        folded=kinds != ("gpu",),
    )


def _rows(found: Mapping[tuple[str, str], Score]) -> int:
    return found[LAYOUT_STATED, "nothing"].rows


def _not_scored(
    peaks: FinetuneMeasurements,
    excluded: Sequence[tuple[str, str]],
    published: Sequence[Mapping[str, str]],
) -> Block:
    """Rows of both tables that nothing was fitted to or judged by."""
    runs = {row["id"]: row for row in published}
    rows = [
        (one["id"], one["model"], one["gpu"], one["framework"], one["source"], reason)
        for one, reason in ((runs[name], reason) for name, reason in excluded)
    ]
    rows += [
        (row["id"], row["model"], row["gpu"], row["framework"], row["source"], _why(row))
        for row, scored in zip(peaks.rows, peaks.scored, strict=True)
        if not scored
    ]
    kinds = Counter(row[-1].split(":")[0] for row in rows)
    return Block(
        "What is left out about training, and why",
        f"{len(rows)} rows: " + "; ".join(f"{n} × {why}" for why, n in kinds.most_common()) + ".",
        header=("Row", "Model", "GPU", "Software", "Source", "Reason"),
        rows=tuple(rows),
        folded=True,
        stacked=True,
    )


def _why(row: Mapping[str, str]) -> str:
    return NO_NUMBER if row["basis"] == "measured" else GUIDANCE
