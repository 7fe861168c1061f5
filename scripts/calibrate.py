"""Fits the performance model to ``data/calibration/serving.csv`` and writes what it found.

    make calibrate                       # fit, cross-validate, write data/calibration/
    python scripts/calibrate.py --check  # fit again and compare with what is written

The numbers are rounded to four digits, so that the same measurements give the same files, byte for
byte, on any machine.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from planner import load_catalogue
from planner.calibration import (
    Fit,
    Measurements,
    cross_validate,
    fit_first_token,
    fit_step,
    range_factors,
    read_measurements,
    scores,
)
from planner.calibration.csv_files import read_table, write_table
from planner.catalogue import KINDS
from planner.performance import Reference

NEGLIGIBLE = 5e-4
"""Corrections below this are not written: a twentieth of a percent."""


def rounded(value: float) -> str:
    """Four significant digits; blank for not-a-number."""
    return "" if value != value else f"{value:.4g}"


def terms_table(fits: tuple[Fit, ...]) -> list[tuple[str, ...]]:
    """Coefficients of both stages."""
    return [
        (one.stage, name, rounded(value))
        for one in fits
        for name, value in one.coefficients.items()
    ]


def corrections_table(fits: tuple[Fit, ...]) -> list[tuple[object, ...]]:
    """Corrections that matter."""
    return [
        (e.stage, e.level, e.key, e.group, f"{e.log_factor:.4f}", e.rows)
        for one in fits
        for e in one.corrections
        if abs(e.log_factor) >= NEGLIGIBLE
    ]


def measured_table(measured: Measurements, reference: Reference) -> list[tuple[object, ...]]:
    """Which models and GPUs were measured together, how often and until when."""
    found: dict[tuple[str, str], list[str]] = {}
    for row, model, gpu in zip(
        measured.rows, measured.cases.model, measured.cases.gpu, strict=True
    ):
        found.setdefault((reference.models[model], reference.gpus[gpu]), []).append(row["date"])
    return [(*pair, len(dates), max(dates)) for pair, dates in sorted(found.items())]


def fits_of(measured: Measurements, reference: Reference) -> tuple[Fit, Fit]:
    """Both stages on all measurements."""
    every = measured.cases.isl > 0
    step = fit_step(measured, reference, every)
    return step, fit_first_token(measured, reference, every, step)


def calibrate(folder: Path, measured: Measurements, reference: Reference) -> None:
    """Fit, cross-validate and write every table."""
    fits = fits_of(measured, reference)
    family = reference.families[measured.cases.model]
    ranges, found = [], []
    for left_out in ("nothing", *KINDS):
        residuals = cross_validate(measured, reference, left_out, progress(left_out))
        found += list(scores(residuals, measured, reference))
        if left_out in KINDS:
            ranges += [
                (quantity, left_out, one, rounded(low), rounded(high))
                for (quantity, one), (low, high) in range_factors(residuals, family).items()
            ]
    write_table(folder / "terms.csv", ("stage", "term", "coefficient"), terms_table(fits))
    header = ("stage", "level", "key", "group", "log_factor", "rows")
    write_table(folder / "corrections.csv", header, corrections_table(fits))
    header = ("quantity", "kind", "family", "low_factor", "high_factor")
    write_table(folder / "ranges.csv", header, ranges)
    header = ("model", "gpu", "rows", "newest")
    write_table(folder / "measured.csv", header, measured_table(measured, reference))
    header = ("quantity", "left_out", "subset", "rows", "median", "mean", "bias", "coverage")
    table = [
        (
            s.quantity,
            s.left_out,
            s.subset,
            s.rows,
            *map(rounded, (s.median, s.mean, s.bias, s.coverage)),
        )
        for s in found
    ]
    write_table(folder / "scores.csv", header, table)
    for line in table:
        if line[2] in ("all", "dense on H100"):
            print(
                "{:11s} {:14s} {:14s} n={:5d} median {} mean {} bias {} coverage {}".format(*line)
            )


def check(folder: Path, measured: Measurements, reference: Reference) -> int:
    """Whether a new fit gives the written coefficients."""
    written = [tuple(row.values()) for row in read_table(folder / "terms.csv")]
    again = [tuple(row) for row in terms_table(fits_of(measured, reference))]
    for old, new in zip(written, again, strict=True):
        if old != new:
            print(f"{old} is now {new}")
    return int(written != again)


def progress(left_out: str) -> Callable[[float], None]:
    """Shows how far one cross-validation is."""

    def show(share: float) -> None:
        end = "\n" if share >= 1 else ""
        print(f"\rleft out: {left_out:14s} {share:4.0%}", end=end, file=sys.stderr, flush=True)

    return show


def main() -> int:
    """Calibrate, or check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    arguments = parser.parse_args()
    reference = Reference.of(load_catalogue())
    folder = Path(reference.catalogue.folder) / "calibration"
    measured = read_measurements(reference)
    if arguments.check:
        return check(folder, measured, reference)
    calibrate(folder, measured, reference)
    return 0


if __name__ == "__main__":
    sys.exit(main())
