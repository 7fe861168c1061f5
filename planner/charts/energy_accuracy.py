"""Predicted against measured energy: how far joules may be trusted."""

from __future__ import annotations

from typing import Any

import numpy as np

from planner.calibration import (
    EnergyFit,
    EnergyMeasurements,
    predicted_energy,
    read_energy,
)
from planner.catalogue import Score
from planner.charts.accuracy import FAMILY_COLOURS, LEFT_OUT_NAMES, Block, band_of_a_fifth
from planner.performance import Reference

Spec = dict[str, Any]
QUANTITY_NAMES = {
    "power": "Power of a GPU, at the measured speed",
    "energy": "GPU energy per output token",
}


def energy_blocks(reference: Reference) -> tuple[Block, ...]:
    """The part of the report on accuracy that is about energy.

    Parameters
    ----------
    reference : Reference

    Returns
    -------
    tuple of Block

    >>> from planner import load_catalogue
    >>> [block.title for block in energy_blocks(Reference.of(load_catalogue()))][0]
    'Energy: how far off, when something was never measured'
    """
    found = reference.catalogue.energy_efficiencies
    measured, excluded = read_energy(reference)
    fit = EnergyFit(
        dict(found.coefficients),
        dict(found.corrections),
        {software: dict(terms) for software, terms in found.host_coefficients.items()},
    )
    return (
        _left_out(found.scores, len(measured), len(excluded)),
        Block(
            "Energy per output token: predicted against measured",
            "Each dot is one published measurement of the GPUs alone; on the line the prediction "
            "is exact, in the band it is within a fifth. Shown in fit.",
            _figure(measured, predicted_energy(measured, reference, fit)),
        ),
        _by_gpu(found.scores),
    )


def _left_out(scores: tuple[Score, ...], used: int, excluded: int) -> Block:
    rows = [
        (
            name,
            LEFT_OUT_NAMES[one.left_out],
            f"{one.rows:,}",
            f"{one.median:.1%}",
            f"{one.mean:.1%}",
            f"{one.bias:+.1%}",
            f"{one.coverage:.0%}" if np.isfinite(one.coverage) else "",
        )
        for quantity, name in QUANTITY_NAMES.items()
        for one in scores
        if one.subset == "all" and one.quantity == quantity
    ]
    return Block(
        "Energy: how far off, when something was never measured",
        f"Fitted to {used:,} published measurements of 2023 and 2024; {excluded:,} more are left "
        "out, most for images in the prompt. The engines of those years spent more time on the "
        "host between two steps than today's, about 0.4 ms for each token: these scores add that "
        "time, fitted without the rows that are judged. Predictions leave it out, as they are of "
        "today's engines; against the vLLM of 2024 they would be half too low.",
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


def _figure(measured: EnergyMeasurements, predicted: np.ndarray) -> Spec:
    """A dot for each measurement on logarithmic axes, by the engine's year."""
    x, y = measured.j_per_output_token, predicted
    names = np.array([f"{row['engine']}, {row['as_of']}" for row in measured.rows])
    dots = []
    for number, name in enumerate(dict.fromkeys(names)):
        rows = np.flatnonzero(names == name)
        dots.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": name,
                "x": np.round(x[rows], 4).tolist(),
                "y": np.round(y[rows], 4).tolist(),
                "text": [_words(measured.rows[row]) for row in rows],
                "marker": {
                    "size": 5,
                    "opacity": 0.55,
                    "color": FAMILY_COLOURS[number % len(FAMILY_COLOURS)],
                    "symbol": ("circle", "diamond")[number % 2],
                },
                "hovertemplate": (
                    "%{text}<br>measured %{x:.3~g} J, predicted %{y:.3~g} J<extra></extra>"
                ),
            }
        )
    axis = {"type": "log", "dtick": 1}
    return {
        "data": [*band_of_a_fifth(np.array([x.min(), x.max()])), *dots],
        "layout": {
            "xaxis": {**axis, "title": {"text": "measured [J per output token]"}},
            "yaxis": {**axis, "title": {"text": "predicted [J per output token]"}},
            "hovermode": "closest",
            "margin": {"l": 62, "r": 12, "t": 10, "b": 48},
            "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        },
    }


def _by_gpu(scores: tuple[Score, ...]) -> Block:
    found = {
        (one.subset.removeprefix("gpu "), one.quantity, one.left_out): one
        for one in scores
        if one.subset.startswith("gpu ")
    }
    names = dict.fromkeys(name for name, _, _ in found)

    def cell(name: str, quantity: str, left_out: str) -> str:
        one = found.get((name, quantity, left_out))
        return f"{one.median:.0%} ({one.rows})" if one else ""

    return Block(
        "Energy by GPU",
        "Median error, and the number of measurements: in fit, then with the GPU left out.",
        header=("", "power, in fit", "left out", "J/token, in fit", "left out"),
        rows=tuple(
            (
                name,
                *(
                    cell(name, quantity, left_out)
                    for quantity in QUANTITY_NAMES
                    for left_out in ("nothing", "gpu")
                ),
            )
            for name in names
        ),
        folded=True,
    )


def _words(row: Any) -> str:
    count, held = float(row["gpu_count"]), float(row["concurrency"])
    return f"{row['model']} on {count:.0f} × {row['gpu']}, {held:.0f} in flight"
