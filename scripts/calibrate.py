"""Fits the models of speed, power and training to the measurements in ``data/calibration/``.

    make calibrate                        # fit, cross-validate, write data/calibration/
    python scripts/calibrate.py --energy  # the energy alone, which takes seconds
    python scripts/calibrate.py --training  # the speed of training alone, the same
    python scripts/calibrate.py --training-memory  # the memory of fine-tuning alone
    python scripts/calibrate.py --check   # fit again and compare with what is written

The numbers are rounded to four digits, so that the same measurements give the same files, byte for
byte, on any machine.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from planner import load_catalogue
from planner.calibration import (
    EnergyFit,
    EnergyMeasurements,
    Fit,
    Measurements,
    TrainingFit,
    TrainingMeasurements,
    cross_validate,
    cross_validate_energy,
    cross_validate_training,
    energy_scores,
    finetune_tables,
    fit_energy,
    fit_first_token,
    fit_step,
    fit_training,
    range_factors,
    read_energy,
    read_measurements,
    read_training,
    scores,
    stretched_factors,
    training_scores,
)
from planner.calibration.csv_files import read_table, write_table
from planner.catalogue import KINDS, TRAINING_KINDS, Catalogue, Score
from planner.performance import Reference

MEASURED = ("model", "gpu", "rows", "newest")
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


def measured_table(
    measured: Measurements | EnergyMeasurements, reference: Reference, dated: str = "date"
) -> list[tuple[object, ...]]:
    """Which models and GPUs were measured together, how often and until when."""
    found: dict[tuple[str, str], list[str]] = {}
    for row, model, gpu in zip(
        measured.rows, measured.cases.model, measured.cases.gpu, strict=True
    ):
        found.setdefault((reference.models[model], reference.gpus[gpu]), []).append(row[dated])
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
    write_table(folder / "measured.csv", MEASURED, measured_table(measured, reference))
    write_scores(folder / "scores.csv", found)


def energy_terms_table(fit: EnergyFit) -> list[tuple[str, ...]]:
    """Coefficients of power, and what the age of the engines added to a step."""
    return [("", name, rounded(value)) for name, value in fit.coefficients.items()] + [
        (software, name, rounded(value))
        for software, terms in fit.host.items()
        for name, value in terms.items()
    ]


def calibrate_energy(folder: Path, reference: Reference) -> None:
    """Fit, cross-validate and write every table of energy."""
    measured, left_out_rows = read_energy(reference)
    fit = fit_energy(measured, reference, measured.step_s > 0)
    rows = Counter(reference.gpus[gpu] for gpu in measured.cases.gpu)
    ranges, found = [], []
    for left_out in ("nothing", *KINDS):
        residuals = cross_validate_energy(measured, reference, left_out)
        found += list(energy_scores(residuals, measured, reference))
        if left_out in KINDS:
            ranges += [
                (quantity, left_out, rounded(low), rounded(high))
                for quantity, (low, high) in stretched_factors(residuals).items()
            ]
    header = ("software", "term", "coefficient")
    write_table(folder / "energy_terms.csv", header, energy_terms_table(fit))
    corrections = [(gpu, f"{u:.4f}", rows[gpu]) for gpu, u in fit.corrections.items()]
    write_table(folder / "energy_corrections.csv", ("gpu", "log_factor", "rows"), corrections)
    table = measured_table(measured, reference, "as_of")
    write_table(folder / "energy_measured.csv", MEASURED, table)
    header = ("quantity", "kind", "low_factor", "high_factor")
    write_table(folder / "energy_ranges.csv", header, ranges)
    write_table(folder / "energy_exclusions.csv", ("id", "reason"), left_out_rows)
    write_scores(folder / "energy_scores.csv", found)


def training_terms_table(fit: TrainingFit) -> list[tuple[str, ...]]:
    """Coefficients of training speed."""
    return [(name, rounded(value)) for name, value in fit.coefficients.items()]


def training_corrections_table(
    fit: TrainingFit, measured: TrainingMeasurements
) -> list[tuple[object, ...]]:
    """What generations of GPUs, and models in a format, add."""
    levels = measured.levels.items()
    rows = Counter((level, str(one)) for level, values in levels for one in values)
    return [(*key, f"{value:.4f}", rows[key]) for key, value in fit.corrections.items()]


def training_measured_table(measured: TrainingMeasurements) -> list[tuple[object, ...]]:
    """Which models, GPUs, formats and software were measured together, and until when."""
    found: dict[tuple[str, ...], list[str]] = {}
    for row, *key in zip(
        measured.rows, measured.names, measured.gpu, measured.formats, strict=True
    ):
        found.setdefault((*map(str, key), row["framework"]), []).append(row["as_of"])
    return [(*key, len(dates), max(dates)) for key, dates in sorted(found.items())]


def calibrate_training(folder: Path, catalogue: Catalogue) -> None:
    """Fit, cross-validate and write every table of training speed."""
    measured, left_out_rows = read_training(catalogue)
    fit = fit_training(measured, measured.gpus > 0)
    ranges, found = [], []
    for left_out in ("nothing", *TRAINING_KINDS):
        residuals = cross_validate_training(measured, left_out)
        found += list(training_scores(residuals, measured))
        if left_out in TRAINING_KINDS:
            ranges += [
                (quantity, left_out, rounded(low), rounded(high))
                for quantity, (low, high) in stretched_factors(residuals).items()
            ]
    header = ("term", "coefficient")
    write_table(folder / "training_terms.csv", header, training_terms_table(fit))
    header = ("level", "key", "log_factor", "rows")
    corrections = training_corrections_table(fit, measured)
    write_table(folder / "training_corrections.csv", header, corrections)
    header = ("model", "gpu", "format", "software", "rows", "newest")
    write_table(folder / "training_measured.csv", header, training_measured_table(measured))
    header = ("quantity", "kind", "low_factor", "high_factor")
    write_table(folder / "training_ranges.csv", header, ranges)
    write_table(folder / "training_exclusions.csv", ("id", "reason"), left_out_rows)
    write_scores(folder / "training_scores.csv", found)


def calibrate_training_memory(folder: Path, catalogue: Catalogue) -> None:
    """Fit, cross-validate and write every table of fine-tuning memory."""
    tables = finetune_tables(catalogue)
    write_table(folder / "finetune_memory_fit.csv", ("term", "coefficient"), tables.terms)
    header = ("id", "basis", "measured_bytes", "predicted_bytes", "left_out_bytes")
    write_table(folder / "finetune_memory_rows.csv", header, tables.rows)
    write_scores(folder / "finetune_memory_scores.csv", tables.scores)


def write_scores(path: Path, found: list[Score]) -> None:
    """Write scores, and show the most important ones."""
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
    write_table(path, header, table)
    for line in table:
        if line[2] in ("all", "dense on H100"):
            print(
                "{:11s} {:14s} {:14s} n={:5d} median {} mean {} bias {} coverage {}".format(*line)
            )


def check(folder: Path, reference: Reference) -> int:
    """Whether a new fit gives the written coefficients."""
    measured, (energy, _) = read_measurements(reference), read_energy(reference)
    fit = fit_energy(energy, reference, energy.step_s > 0)
    training = read_training(reference.catalogue)[0]
    tables = ("terms.csv", "energy_terms.csv", "training_terms.csv")
    written = [tuple(row.values()) for name in tables for row in read_table(folder / name)]
    again = [*terms_table(fits_of(measured, reference)), *energy_terms_table(fit)]
    again += training_terms_table(fit_training(training, training.gpus > 0))
    written += [tuple(row.values()) for row in read_table(folder / "finetune_memory_fit.csv")]
    again += finetune_tables(reference.catalogue).terms
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
    parser.add_argument("--energy", action="store_true", help="fit the energy alone")
    parser.add_argument("--training", action="store_true", help="fit the speed of training alone")
    parser.add_argument("--training-memory", action="store_true", help="fit its memory alone")
    arguments = parser.parse_args()
    reference = Reference.of(load_catalogue())
    folder = Path(reference.catalogue.folder) / "calibration"
    if arguments.check:
        return check(folder, reference)
    if arguments.training:
        calibrate_training(folder, reference.catalogue)
        return 0
    if arguments.training_memory:
        calibrate_training_memory(folder, reference.catalogue)
        return 0
    if not arguments.energy:
        calibrate(folder, read_measurements(reference), reference)
        # Energy is scored at the speeds that were just written: read them, not the old ones.
        reference = Reference.of(load_catalogue(reference.catalogue.folder))
    calibrate_energy(folder, reference)
    if not arguments.energy:
        calibrate_training(folder, reference.catalogue)
        calibrate_training_memory(folder, reference.catalogue)
    return 0


if __name__ == "__main__":
    sys.exit(main())
