"""A CSV file of configurations in, the same file with predictions out."""

from __future__ import annotations

import csv
import io
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planner.catalogue import Catalogue
from planner.demand.csv_log import text_of
from planner.errors import InvalidScenario
from planner.performance import OPTIONAL_COLUMNS, REQUIRED_COLUMNS
from planner.predict.table import Progress, answer_rows, renamed
from planner.predict.training_rows import TRAINING_COLUMNS
from planner.scenario import one_line
from planner.scenario.files import write_whole

STANDARD_OUTPUT = "-"
DELIMITERS = ",;\t|"
LIMIT_BYTES = 1_000_000_000
_KNOWN = {*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS, *sum(TRAINING_COLUMNS.values(), ())}


@dataclass(frozen=True, slots=True)
class _Table:
    header: list[str]
    """Names of the columns, as the first line has them."""
    lines: list[list[str]]
    delimiter: str

    @property
    def names(self) -> list[str]:
        """One for each column, blank where a line is longer than the first."""
        widest = max(map(len, self.lines))
        return self.header + [""] * (widest - len(self.header))


def predict_file(
    source: Path | str, target: Path | str, catalogue: Catalogue, progress: Progress | None = None
) -> tuple[int, int]:
    """Read configurations, write them with their predictions.

    The file may be in UTF-8, UTF-16 or the encoding of old Windows programs, separated by commas,
    semicolons, tabs or bars; the result is in UTF-8 with the same separator. Lines without a cell
    are skipped; cells behind the last named column go to columns without a name, and their row has
    an error. Nothing is written unless everything is.

    Parameters
    ----------
    source : Path or str
    target : Path or str
        ``-`` is standard output.
    catalogue : Catalogue
    progress : callable, optional
        Told the share of the rows that is answered.

    Returns
    -------
    tuple of int
        Rows, and how many of them have an error.

    Raises
    ------
    InvalidScenario
        The file cannot be read, is no table of configurations, or cannot be written.

    >>> import tempfile; from planner.catalogue import load_catalogue
    >>> folder = Path(tempfile.mkdtemp()); cases = folder / "cases.csv"
    >>> _ = cases.write_text("model;gpu;isl;osl;concurrency\\nqwen3-8b;h100;500;100;max\\n")
    >>> predict_file(cases, folder / "predictions.csv", load_catalogue())
    (1, 0)
    """
    table = _read(Path(source))
    names = table.names
    rows = [line + [""] * (len(names) - len(line)) for line in table.lines]
    added = answer_rows(names, list(zip(*rows, strict=True)), catalogue, progress)
    for place, line in enumerate(table.lines):
        if len(line) > len(table.header):
            _refuse(added, place, len(line), len(table.header))
    text = io.StringIO()
    writer = csv.writer(text, delimiter=table.delimiter, lineterminator="\n")
    writer.writerow([*renamed(names), *added])
    answers = zip(*([_cell(value) for value in column] for column in added.values()), strict=True)
    writer.writerows([*row, *answer] for row, answer in zip(rows, answers, strict=True))
    _write(target, text.getvalue())
    return len(rows), sum(1 for error in added["error"] if error)


def _refuse(added: dict[str, list[Any]], place: int, cells: int, names: int) -> None:
    """A line with too many cells is not answered: which of them is which is a guess."""
    for name, column in added.items():
        column[place] = "" if name == "basis" else None
    added["error"][place] = (
        f"The line has {cells} cells but the first line names {names}; put quotes around a cell "
        "that holds the separator."
    )


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else f"{value:.6g}" if value < 1e6 else f"{value:.0f}"


def _read(path: Path) -> _Table:
    text, shown = _text(path), one_line(path.name, 120)
    if not text.strip():
        raise InvalidScenario(f"{shown} is empty; its first line must name the columns.")
    first = text.lstrip().split("\n", 1)[0]
    delimiter = max(DELIMITERS, key=lambda one: _known_names(first, one))
    try:
        header, *lines = (line for line in _lines(text, delimiter) if any(map(str.strip, line)))
    except csv.Error as error:
        raise InvalidScenario(
            f"{shown} is not a CSV file ({error}); save the table as CSV in UTF-8."
        ) from None
    if not lines:
        raise InvalidScenario(f"{shown} has a first line but no rows; write one for each case.")
    return _Table(header, [_without_blank_end(line, len(header)) for line in lines], delimiter)


def _text(path: Path) -> str:
    """The file's words, in whatever encoding they are."""
    shown = one_line(path, 200)
    try:
        with path.open("rb") as file:
            content = file.read(LIMIT_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
        raise InvalidScenario(f"{shown} cannot be read ({reason}); check the path.") from None
    if len(content) > LIMIT_BYTES:
        raise InvalidScenario(f"{shown} is larger than {LIMIT_BYTES:,} bytes; split it.")
    text = text_of(content)
    if re.search("[\x80-\x9f]", text):
        # Characters that no Latin-1 text has but Windows' own encoding does: dashes and quotes.
        try:
            return text.encode("latin-1").decode("cp1252")
        except UnicodeError:
            pass
    return text


def _known_names(line: str, delimiter: str) -> int:
    names = {cell.strip().strip('"').strip().lower() for cell in line.split(delimiter)}
    return len(names & _KNOWN)


def _lines(text: str, delimiter: str) -> list[list[str]]:
    """A quote that is never closed would swallow the rest of the table, so that is an error."""
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            raise csv.Error("a quote is never closed") from None
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def _without_blank_end(line: list[str], named: int) -> list[str]:
    """Spreadsheets end lines with separators for columns that nobody filled."""
    end = len(line)
    while end > named and not line[end - 1].strip():
        end -= 1
    return line[:end]


def _write(target: Path | str, text: str) -> None:
    if str(target) == STANDARD_OUTPUT:
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(encoding="utf-8", newline="\n")
        sys.stdout.write(text)
        return
    path = Path(target)
    if not path.exists() or path.is_file():
        write_whole(path, text)
        return
    # A pipe or a device cannot be replaced by a finished file.
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise InvalidScenario(
            f"{one_line(path, 200)} cannot be written ({error.strerror}); choose another place."
        ) from None
