"""Predicted against measured: how far speeds may be trusted, as pictures and tables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.calibration import Measurements, overloaded, read_excluded, read_measurements
from planner.catalogue import Catalogue, Score
from planner.performance import FAMILIES, Prediction, Reference, predict_cases
from planner.units import format_number, format_seconds

Spec = dict[str, Any]
FAMILY_COLOURS = ("#3578bd", "#e08a1e", "#9279b8")
QUANTITY_NAMES = {
    "tpot": "Time per output token",
    "ttft": "Time to first token",
    "throughput": "Answer tokens a second",
}
SHORT_NAMES = ("TPOT", "TTFT", "tokens/s")
LEFT_OUT_NAMES = {
    "nothing": "nothing (in fit)",
    "configuration": "the configuration",
    "model": "the model",
    "gpu": "the GPU",
}
GROUPINGS = ("gpu", "model", "engine", "format")


@dataclass(frozen=True, slots=True)
class Block:
    """One part of a report: words, and a picture or a table."""

    title: str
    text: str
    figure: Spec | None = None
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    folded: bool = False
    """Closed until somebody opens it."""
    stacked: bool = False
    """On a phone each row is a card: for rows of many words."""


def accuracy_blocks(catalogue: Catalogue) -> tuple[Block, ...]:
    """The whole report on accuracy, computed from the measurements and the calibration.

    Parameters
    ----------
    catalogue : Catalogue

    Returns
    -------
    tuple of Block

    >>> from planner import load_catalogue
    >>> [block.title for block in accuracy_blocks(load_catalogue())][0]
    'How far off, when something was never measured'
    """
    reference = Reference.of(catalogue)
    measured = read_measurements(reference)
    predicted = predict_cases(measured.cases, reference)
    scores = catalogue.efficiencies.scores
    excluded = read_excluded(catalogue.folder)
    return (
        _left_out(scores, len(measured), len(excluded)),
        *(
            Block(
                f"{QUANTITY_NAMES[quantity]}: predicted against measured",
                "Each dot is one published measurement; on the line the prediction is exact, in "
                "the band it is within a fifth. Shown in fit: the table above says what happens "
                "without the measurement.",
                predicted_against_measured(quantity, measured, predicted, reference),
            )
            for quantity in QUANTITY_NAMES
        ),
        *(_by_group(scores, name) for name in GROUPINGS),
        _published(measured, predicted, reference),
        _excluded(excluded),
    )


def predicted_against_measured(
    quantity: str, measured: Measurements, predicted: Prediction, reference: Reference
) -> Spec:
    """A dot for each measurement on logarithmic axes, by family of architecture.

    Parameters
    ----------
    quantity : str
        ``tpot``, ``ttft`` or ``throughput``.
    measured : Measurements
    predicted : Prediction
    reference : Reference

    Returns
    -------
    dict
        Plotly figure.
    """
    x, y, scale, unit = _axes(quantity, measured, predicted, reference)
    family = reference.families[measured.cases.model]
    known = np.isfinite(x) & np.isfinite(y)
    dots = []
    for number, name in enumerate(FAMILIES):
        rows = np.flatnonzero(known & (family == number))
        dots.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": name,
                "x": np.round(x[rows] * scale, 4).tolist(),
                "y": np.round(y[rows] * scale, 4).tolist(),
                "text": [_words(measured.rows[row]) for row in rows],
                "marker": {"size": 4, "opacity": 0.55, "color": FAMILY_COLOURS[number]},
                "hovertemplate": (
                    f"%{{text}}<br>measured %{{x:.3~g}} {unit}, predicted %{{y:.3~g}} {unit}"
                    f"<extra>{name}</extra>"
                ),
            }
        )
    ends = np.array([np.min(x[known]), np.max(x[known])]) * scale
    axis = {"type": "log", "dtick": 1}
    return {
        "data": [*band_of_a_fifth(ends), *dots],
        "layout": {
            "xaxis": {**axis, "title": {"text": f"measured [{unit}]"}},
            "yaxis": {**axis, "title": {"text": f"predicted [{unit}]"}},
            "hovermode": "closest",
            "margin": {"l": 62, "r": 12, "t": 10, "b": 48},
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        },
    }


def _axes(
    quantity: str, measured: Measurements, predicted: Prediction, reference: Reference
) -> tuple[np.ndarray, np.ndarray, float, str]:
    seen = measured.observed
    if quantity == "tpot":
        return seen.tpot_s, predicted.tpot_s, 1e3, "ms"
    if quantity == "ttft":
        kept = np.where(overloaded(measured, reference), np.nan, seen.ttft_s)
        return kept, predicted.ttft_s, 1.0, "s"
    return seen.output_tokens_per_s, predicted.output_tokens_per_s, 1.0, "tokens/s"


def band_of_a_fifth(ends: np.ndarray) -> list[Spec]:
    """The line of exact predictions and a band of a fifth around it.

    Parameters
    ----------
    ends : array
        Of the measured values.

    Returns
    -------
    list of dict
        Plotly traces.
    """
    line = {"type": "scatter", "mode": "lines", "hoverinfo": "skip", "showlegend": False}
    pale = {"width": 0}
    x = ends.tolist()
    return [
        {**line, "x": x, "y": (ends / 1.2).tolist(), "line": pale},
        {
            **line,
            "x": x,
            "y": (ends * 1.2).tolist(),
            "line": pale,
            "fill": "tonexty",
            "fillcolor": "rgba(135,150,165,0.22)",
        },
        {**line, "x": x, "y": x, "line": {"width": 1, "color": "#8796a5"}},
    ]


def _left_out(scores: tuple[Score, ...], used: int, excluded: int) -> Block:
    rows = [
        (
            QUANTITY_NAMES[one.quantity],
            LEFT_OUT_NAMES[one.left_out],
            f"{one.rows:,}",
            f"{one.median:.1%}",
            f"{one.mean:.1%}",
            f"{one.bias:+.1%}",
            f"{one.coverage:.0%}" if np.isfinite(one.coverage) else "",
        )
        for quantity in QUANTITY_NAMES
        for one in scores
        if one.subset == "all" and one.quantity == quantity
    ]
    dense = next(
        one
        for one in scores
        if (one.quantity, one.left_out, one.subset) == ("tpot", "configuration", "dense on H100")
    )
    return Block(
        "How far off, when something was never measured",
        f"Fitted to {used:,} published measurements; {excluded:,} more are left out, each with its "
        "reason below. To see how predictions fare on what was never measured, the fit is made "
        "again without each configuration, each model and each GPU, and judged on those alone. "
        "Errors are of the prediction over the measurement. The 80 % range holds what the last "
        "column says, its width taken from other groups. Dense models on H100 are off by "
        f"{dense.mean:.1%} on average in their time per token with the configuration left out. "
        "Times to first token count only where requests did not queue for a slot.",
        header=(
            "What",
            "Left out of the fit",
            "Measurements",
            "Median error",
            "Mean error",
            "Bias",
            "In range",
        ),
        rows=tuple(rows),
    )


def _by_group(scores: tuple[Score, ...], grouping: str) -> Block:
    """Median errors by GPU, model, engine or format: in fit, and with the group's kind left out."""
    prefix = f"{grouping} "
    other = grouping if grouping in ("gpu", "model") else "configuration"
    found: dict[str, dict[tuple[str, str], Score]] = {}
    for one in scores:
        if one.subset.startswith(prefix):
            found.setdefault(one.subset[len(prefix) :], {})[one.quantity, one.left_out] = one
    names = sorted(found, key=lambda name: -sum(one.rows for one in found[name].values()))

    def cell(name: str, quantity: str, left_out: str) -> str:
        one = found[name].get((quantity, left_out))
        return f"{one.median:.0%} ({one.rows})" if one else ""

    return Block(
        f"By {'precision' if grouping == 'format' else grouping.replace('gpu', 'GPU')}",
        f"Median error, and the number of measurements: in fit, then with {LEFT_OUT_NAMES[other]} "
        "left out.",
        header=(
            "",
            *(
                f"{short}, {when}"
                for short in ("TPOT", "TTFT", "tokens/s")
                for when in ("in fit", "left out")
            ),
        ),
        rows=tuple(
            (
                name,
                *(
                    cell(name, quantity, left_out)
                    for quantity in QUANTITY_NAMES
                    for left_out in ("nothing", other)
                ),
            )
            for name in names
        ),
        folded=grouping == "model",
    )


def _published(measured: Measurements, predicted: Prediction, reference: Reference) -> Block:
    """The first measurement of each GPU and engine, beside the prediction and its range."""
    first: dict[tuple[str, str], int] = {}
    for number, row in enumerate(measured.rows):
        if row["concurrency"] != "max":
            first.setdefault((row["gpu"], row["engine"]), number)
    seen = measured.observed
    rows = tuple(
        (
            _words(measured.rows[at]),
            *_beside(seen.ttft_s[at], predicted.ttft_s[at], format_seconds),
            *_beside(seen.tpot_s[at], predicted.tpot_s[at], format_seconds),
            *_beside(
                seen.output_tokens_per_s[at], predicted.output_tokens_per_s[at], format_number
            ),
            measured.rows[at]["source"],
        )
        for at in first.values()
    )
    return Block(
        "Published values beside ours",
        "The first measurement in the table of each GPU and engine at a stated number of requests "
        "in flight; nobody chose them.",
        header=(
            "Configuration",
            "TTFT published",
            "ours",
            "TPOT published",
            "ours",
            "tokens/s published",
            "ours",
            "Source",
        ),
        rows=rows,
        folded=True,
    )


def _beside(published: float, ours: float, words: Callable[[float], str]) -> Iterator[str]:
    yield words(float(published)) if np.isfinite(published) else ""
    yield words(float(ours)) if np.isfinite(published) else ""


def _excluded(excluded: tuple[dict[str, str], ...]) -> Block:
    # Reasons name the row's own numbers; without them they can be counted.
    kinds = Counter(re.sub(r"\d+", "…", one["reason"].split(",")[0]) for one in excluded)
    most = "; ".join(f"{count} × {reason}" for reason, count in kinds.most_common(4))
    return Block(
        "What the calibration leaves out, and why",
        f"{len(excluded)} rows of the table: {most}, and others. A row that only looks slow or "
        "fast stays in: the fit weighs large errors down.",
        header=("Row", "Model", "GPU", "Engine", "Source", "Reason"),
        rows=tuple(
            (one["id"], one["model"], one["gpu"], one["engine"], one["source"], one["reason"])
            for one in excluded
        ),
        folded=True,
    )


def _words(row: Any) -> str:
    return (
        f"{row['model']} {row['weight_precision']} on {float(row['gpu_count']):.0f} × "
        f"{row['gpu']}, {row['engine']}, {float(row['isl']):.0f}/{float(row['osl']):.0f}, "
        f"{row['concurrency']} in flight"
    )
