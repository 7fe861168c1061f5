"""Reads the tables of ``data/`` into the catalogue's records.

Each reader takes one CSV file and returns frozen records. A cell that does not
fit raises :class:`~planner.errors.MissingData` with the file, the row, the
column and the value; a blank number stays unknown (not-a-number). Units of the
columns are those of ``data/datapackage.json``; here they become base units.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from planner.catalogue.records import (
    Accelerator,
    Basis,
    Precision,
    QualityRow,
    Source,
    Term,
    weakest,
)
from planner.errors import MissingData
from planner.units import GB, MIB, TERA

PEAK_COLUMNS = {
    "fp32": "fp32_tflops",
    "tf32": "tf32_tflops",
    "bf16": "bf16_tflops",
    "fp16": "fp16_tflops",
    "fp8": "fp8_tflops",
    "int8": "int8_tops",
    "fp4": "fp4_tflops",
}
"""Number format to the column of ``gpus.csv`` with its dense peak."""

USES = ("weights", "kv", "both")


@dataclass(frozen=True, slots=True)
class Recovery:
    """What published comparisons say one weight format keeps of the baseline's score."""

    median: float
    """Median recovery [fraction]."""
    low: float
    """10th percentile [fraction]."""
    high: float
    """90th percentile [fraction]."""
    rows: int
    """Published comparisons behind the numbers [1]."""
    sources: tuple[str, ...]
    """Titles of the publications, each once."""
    basis: Basis


class Row:
    """One row of a table, which knows its place for error messages.

    >>> Row(Path("gpus.csv"), 7, {"tdp_w": "72"}).number("tdp_w")
    72.0
    """

    def __init__(self, path: Path, line: int, cells: dict[str, str]) -> None:
        self.path, self.line, self.cells = path, line, cells

    def fault(self, column: str, wanted: str) -> MissingData:
        """The error for this row's cell: file, row, column, value and what is wanted.

        Parameters
        ----------
        column, wanted : str

        Returns
        -------
        MissingData

        >>> str(Row(Path("gpus.csv"), 7, {"tdp_w": "x"}).fault("tdp_w", "a number"))
        "data/gpus.csv, row 7, column tdp_w: 'x' should be a number."
        """
        return MissingData(
            f"data/{self.path.name}, row {self.line}, column {column}: "
            f"{self.cells.get(column)!r} should be {wanted}."
        )

    def text(self, column: str) -> str:
        """The cell without surrounding blanks; a column that is absent is an error.

        Parameters
        ----------
        column : str

        Returns
        -------
        str

        >>> Row(Path("gpus.csv"), 2, {"name": " T4 "}).text("name")
        'T4'
        """
        value = self.cells.get(column)
        if value is None:
            raise self.fault(column, "present")
        return value.strip()

    def required(self, column: str) -> str:
        """The cell, which may not be blank.

        Parameters
        ----------
        column : str

        Returns
        -------
        str

        >>> Row(Path("gpus.csv"), 2, {"name": ""}).required("name")
        Traceback (most recent call last):
            ...
        planner.errors.MissingData: data/gpus.csv, row 2, column name: '' should be filled in.
        """
        value = self.text(column)
        if not value:
            raise self.fault(column, "filled in")
        return value

    def number(self, column: str, scale: float = 1.0) -> float:
        """The cell as ``number * scale``; not-a-number when it is blank.

        Parameters
        ----------
        column : str
        scale : float [1]
            Base units in one unit of the column.

        Returns
        -------
        float

        >>> Row(Path("gpus.csv"), 2, {"memory_nominal_gb": "16"}).number("memory_nominal_gb", 1e9)
        16000000000.0
        """
        value = self.text(column)
        if not value:
            return math.nan
        try:
            number = float(value)
        except ValueError:
            raise self.fault(column, "a number or blank") from None
        if not math.isfinite(number):
            raise self.fault(column, "a finite number or blank")
        return number * scale

    def whole(self, column: str) -> int:
        """The cell as a whole number of at least one.

        Parameters
        ----------
        column : str

        Returns
        -------
        int [1]

        >>> Row(Path("gpus.csv"), 2, {"nvlink_domain_gpus": "8"}).whole("nvlink_domain_gpus")
        8
        """
        number = self.number(column)
        if not (number >= 1 and number == int(number)):
            raise self.fault(column, "a whole number of at least 1")
        return int(number)

    def flag(self, column: str) -> bool:
        """The cell as true or false.

        Parameters
        ----------
        column : str

        Returns
        -------
        bool

        >>> Row(Path("gpus.csv"), 2, {"in_map": "true"}).flag("in_map")
        True
        """
        value = self.text(column).lower()
        if value not in ("true", "false"):
            raise self.fault(column, "true or false")
        return value == "true"

    def names(self, column: str) -> tuple[str, ...]:
        """The cell's parts between semicolons.

        Parameters
        ----------
        column : str

        Returns
        -------
        tuple of str

        >>> Row(Path("gpus.csv"), 2, {"aliases": "H100; H100 SXM"}).names("aliases")
        ('H100', 'H100 SXM')
        """
        return tuple(part.strip() for part in self.text(column).split(";") if part.strip())

    def source(self, prefix: str = "") -> Source:
        """The row's provenance: source, locator, as-of date, basis and licence.

        Parameters
        ----------
        prefix : str
            Start of the provenance columns' names when a row has two sources.

        Returns
        -------
        Source

        >>> row = {"source": "datasheet", "locator": "p. 2", "as_of": "2023", "licence": "fact",
        ...        "basis": "vendor claim"}
        >>> Row(Path("gpus.csv"), 2, row).source().basis.words
        'vendor claim'
        """
        basis = self.text(f"{prefix}basis")
        if basis and basis.upper().replace(" ", "_") not in Basis.__members__:
            raise self.fault(f"{prefix}basis", "one of " + ", ".join(one.words for one in Basis))
        return Source(
            self.text(f"{prefix}source"),
            self.cells.get(f"{prefix}locator", ""),
            self.text(f"{prefix}as_of"),
            Basis.parse(basis),
            self.cells.get("licence", ""),
        )


def read_rows(path: Path) -> list[Row]:
    """The rows of a CSV file in UTF-8 whose first line names the columns.

    Parameters
    ----------
    path : Path

    Returns
    -------
    list of Row

    >>> read_rows(Path("/nowhere/gpus.csv"))
    Traceback (most recent call last):
        ...
    planner.errors.MissingData: The table data/gpus.csv is missing; restore it from the repository.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            return [Row(path, reader.line_num, cells) for cells in reader]
    except FileNotFoundError:
        raise MissingData(
            f"The table data/{path.name} is missing; restore it from the repository."
        ) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise MissingData(
            f"The table data/{path.name} is not a CSV file in UTF-8 ({error}); restore it."
        ) from None


def _by_id(records: list, rows: list[Row]) -> dict:
    """Records by id; an id that occurs twice is an error."""
    table: dict = {}
    for record, row in zip(records, rows, strict=True):
        if record.id in table:
            raise row.fault("id", "unique")
        table[record.id] = record
    return table


def read_accelerators(path: Path) -> dict[str, Accelerator]:
    """Accelerators by id, from ``gpus.csv``.

    Formula: ``bytes = GB * 1e9 = MiB * 2**20``; peaks are TFLOP/s times 1e12.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict of str to Accelerator

    The usable memory is in another table, see :func:`with_usable_memory`.

    Source: each row's own ``source`` and ``reported_source`` columns.

    >>> from planner.catalogue.catalogue import find_data
    >>> read_accelerators(find_data() / "gpus.csv")["h100-sxm-80gb"].dense_flops["bf16"]
    989000000000000.0
    """
    rows = read_rows(path)
    return _by_id([_accelerator(row) for row in rows], rows)


def _accelerator(row: Row) -> Accelerator:
    peaks = {key: row.number(column, TERA) for key, column in PEAK_COLUMNS.items()}
    return Accelerator(
        id=row.required("id"),
        vendor=row.required("vendor"),
        name=row.required("name"),
        memory_nominal_bytes=row.number("memory_nominal_gb", GB),
        memory_reported_bytes=row.number("memory_reported_mib", MIB),
        memory_usable_bytes=math.nan,
        bandwidth_bytes_per_s=row.number("bandwidth_gb_s", GB),
        dense_flops={key: peak for key, peak in peaks.items() if math.isfinite(peak)},
        interconnect=row.text("interconnect"),
        interconnect_bytes_per_s=row.number("interconnect_gb_s", GB),
        power_w=row.number("tdp_w"),
        idle_power_w=row.number("idle_w"),
        form_factor=row.text("form_factor"),
        compute_capability=row.number("compute_capability"),
        nvlink_domain_gpus=row.whole("nvlink_domain_gpus"),
        launch=row.text("launch"),
        in_map=row.flag("in_map"),
        source=row.source(),
        reported_source=row.source("reported_"),
        usable_source=Source("not found"),
        note=row.text("note"),
        aliases=row.names("aliases"),
    )


def read_precisions(path: Path) -> dict[str, Precision]:
    """Weight and KV formats by id, from ``precisions.csv``.

    A blank ``weight_only_capability`` means that no kernel is known that unpacks
    the weights to 16 bit: it becomes infinite.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict of str to Precision

    Source: each row's own ``source`` column; formulas in ``note``.

    >>> from planner.catalogue.catalogue import find_data
    >>> read_precisions(find_data() / "precisions.csv")["nvfp4"].bits_per_weight
    4.5
    """
    rows = read_rows(path)
    return _by_id([_precision(row) for row in rows], rows)


def _precision(row: Row) -> Precision:
    use = row.required("use")
    if use not in USES:
        raise row.fault("use", "one of " + ", ".join(USES))
    bits = {}
    for name in ("bits_per_weight", "embedding_bits", "lm_head_bits", "attention_bits",
                 "other_bits"):  # fmt: skip
        bits[name] = row.number(name)
        if not bits[name] > 0:
            raise row.fault(name, "a positive number of bits")
    capability = row.number("weight_only_capability")
    return Precision(
        id=row.required("id"),
        name=row.required("name"),
        use=use,
        **bits,
        compute_format=row.required("compute_format"),
        weight_only_capability=math.inf if math.isnan(capability) else capability,
        in_map=row.flag("in_map"),
        source=row.source(),
        note=row.text("note"),
        aliases=row.names("aliases"),
    )


def read_quality(path: Path) -> tuple[QualityRow, ...]:
    """Published comparisons of quantised models with their baselines.

    Parameters
    ----------
    path : Path

    Returns
    -------
    tuple of QualityRow
        ``recovery_fraction`` is not-a-number where the publisher prints a range,
        a sentence or a perplexity.

    Source: each row's own ``source`` column.

    >>> from planner.catalogue.catalogue import find_data
    >>> len(read_quality(find_data() / "quantization_quality.csv")) > 200
    True
    """
    return tuple(
        QualityRow(
            model=row.required("model"),
            precision=row.text("precision"),
            method=row.text("method"),
            metric=row.required("metric"),
            baseline=row.number("baseline"),
            quantised=row.number("quantised"),
            recovery_fraction=row.number("recovery_fraction"),
            source=row.source(),
            note=row.text("note"),
        )
        for row in read_rows(path)
    )


def read_glossary(path: Path) -> dict[str, Term]:
    """The glossary by id, from ``glossary.csv``.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict of str to Term

    >>> from planner.catalogue.catalogue import find_data
    >>> read_glossary(find_data() / "glossary.csv")["kv-cache"].unit
    'byte'
    """
    rows = read_rows(path)
    terms = [
        Term(
            row.required("id"),
            row.required("name"),
            row.required("unit"),
            row.required("data_science"),
            row.required("infrastructure"),
            row.text("see"),
        )
        for row in rows
    ]
    return _by_id(terms, rows)


def quality_by_precision(rows: tuple[QualityRow, ...]) -> dict[str, Recovery]:
    """What published comparisons say each weight format keeps of the baseline's score.

    Formula: the median and the 10th and 90th percentiles of
    ``recovery = quantised score / baseline score`` over all rows of one format.
    Rows without a number count for nothing; perplexity rows never count, because
    a perplexity is no score and compares only within one tool. Rows are not
    weighted: a paper with forty small models outweighs a card with one. The
    spread is over models, methods and metrics, it is no confidence interval.

    Parameters
    ----------
    rows : tuple of QualityRow

    Returns
    -------
    dict of str to Recovery
        By precision id; ``rows`` says how many comparisons stand behind it.

    Source: the rows' own; percentiles by linear interpolation.

    >>> source = Source("a card", "", "2025", Basis.VENDOR_CLAIM)
    >>> def row(metric, recovery):
    ...     return QualityRow("m", "fp8", "", metric, 1.0, recovery, recovery, source)
    >>> found = quality_by_precision((row("score", 0.98), row("score", 1.0),
    ...                               row("perplexity (lower is better)", 1.4)))
    >>> round(found["fp8"].median, 3), found["fp8"].rows, found["fp8"].sources
    (0.99, 2, ('a card',))
    """
    groups: dict[str, list[QualityRow]] = {}
    for row in rows:
        counts = math.isfinite(row.recovery_fraction) and "perplexity" not in row.metric.lower()
        if row.precision and counts:
            groups.setdefault(row.precision, []).append(row)
    recoveries = {}
    for precision, members in groups.items():
        low, median, high = np.percentile([one.recovery_fraction for one in members], (10, 50, 90))
        recoveries[precision] = Recovery(
            float(median),
            float(low),
            float(high),
            len(members),
            tuple(dict.fromkeys(one.source.title for one in members)),
            weakest(*(one.source.basis for one in members)),
        )
    return recoveries


def with_usable_memory(accelerators: dict[str, Accelerator], path: Path) -> dict[str, Accelerator]:
    """The accelerators with the memory that a process is told it has.

    Parameters
    ----------
    accelerators : dict of str to Accelerator
    path : Path
        ``gpu_usable_memory.csv``.

    Returns
    -------
    dict of str to Accelerator
        A card that the table lacks keeps an unknown value.

    Source: each row's own.

    >>> from planner.catalogue import load_catalogue
    >>> round(load_catalogue().accelerator("h100-sxm-80gb").memory_usable_bytes / 2**30, 2)
    79.18
    """
    found = dict(accelerators)
    for row in read_rows(path):
        identity = row.text("gpu")
        if identity not in found:
            raise row.fault("gpu", "an id of gpus.csv")
        found[identity] = replace(
            found[identity],
            memory_usable_bytes=row.number("memory_usable_mib", MIB),
            usable_source=row.source(),
        )
    return found
