"""Configurations as people write them down, one column each, to :class:`Cases`.

Nothing raises here: a row that cannot be read has an error, and the others are read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from planner.catalogue import Basis
from planner.errors import MissingData
from planner.performance.cases import Cases, Reference
from planner.performance.layout import Layout, read_layout
from planner.performance.names import (
    find_engine,
    find_gpu,
    find_kv_precision,
    find_model,
    find_weight_precision,
    format_in_name,
)
from planner.scenario import one_line

REQUIRED_COLUMNS = ("model", "gpu", "isl", "osl", "concurrency")
"""Without these there is nothing to predict."""
OPTIONAL_COLUMNS = (
    "gpu_count",
    "tensor_parallel",
    "weight_precision",
    "kv_precision",
    "engine",
    "pipeline_parallel",
    "expert_parallel",
    "data_parallel",
    "gpu_memory_utilization",
    "max_model_len",
)
"""These may be absent, or blank in any row."""
_BLANK = frozenset("- -- n/a na nan null none no false auto default native original".split()) | {""}
_MOST_TOKENS, _MOST_GPUS = 1e9, 1e6
_HINTS = 100
"""Unknown names of a column that are told what is near: looking takes milliseconds each."""
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(,\d{3})+(\.\d+)?")
Finder = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class CaseReading:
    """What rows of text say.

    >>> CaseReading.__slots__
    ('cases', 'errors', 'basis')
    """

    cases: Cases
    """One of each row; a stand-in where the row has an error."""
    errors: tuple[str, ...]
    """One sentence for each row; blank where all is well."""
    basis: Any
    """Weakest ``Basis`` of what was filled in for blanks, as a number [1]."""


@dataclass(slots=True)
class _Rows:
    """The rows while they are being read."""

    columns: Mapping[str, Sequence[Any]]
    count: int
    errors: list[str] = field(default_factory=list)
    basis: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=int))
    """Weakest ``Basis`` so far, as a number [1]."""

    def __post_init__(self) -> None:
        self.errors = [""] * self.count
        self.basis = np.full(self.count, int(Basis.MEASURED))

    def texts(self, column: str) -> list[str]:
        cells = self.columns.get(column)
        if cells is None:
            return [""] * self.count
        return [cell.strip() if type(cell) is str else _text(cell) for cell in cells]

    def fault(self, rows: Iterable[int], say: Callable[[int], str]) -> None:
        """The first thing that is wrong with a row is what its reader sees."""
        for row in rows:
            self.errors[row] = self.errors[row] or say(row)

    def weaken(self, rows: np.ndarray, basis: Basis) -> None:
        self.basis[rows] = np.maximum(self.basis[rows], int(basis))


def read_cases(columns: Mapping[str, Sequence[Any]], reference: Reference) -> CaseReading:
    """Rows of text or numbers as cases, with a sentence for each row that cannot be one.

    Blanks are filled: the weights as the model's name says or its publisher ships them, the
    engine's own cache format, a generic engine, as many GPUs as the parallel sizes multiply to.
    An engine that was never measured is read as the generic one, and its basis is assumed.

    .. math:: G = n \\cdot p \\cdot d \\ \\mathrm{where\\ blank}, \\quad O \\le L_{max} - I

    Parameters
    ----------
    columns : mapping of str to sequence
        Of one length; see ``REQUIRED_COLUMNS`` and ``OPTIONAL_COLUMNS``. Others are ignored.
    reference : Reference

    Returns
    -------
    CaseReading

    Source: vLLM, ``max_model_len``: an answer that reaches it stops.

    >>> from planner.catalogue import load_catalogue
    >>> rows = {"model": ["llama-3.1-8b", "gpt-9"], "gpu": ["H100", "H100"], "isl": ["1000", 1],
    ...         "osl": [100, 1], "concurrency": ["max", 1]}
    >>> found = read_cases(rows, Reference.of(load_catalogue()))
    >>> float(found.cases.concurrency[0]), found.errors[1].split(";")[0]
    (inf, "There is no model 'gpt-9'")
    """
    count = max((len(cells) for cells in columns.values()), default=0)
    rows = _Rows(columns, count)
    model = _names(rows, "model", reference.models, partial(find_model, reference.catalogue))
    gpu = _names(rows, "gpu", reference.gpus, partial(find_gpu, reference.catalogue))
    engine = _engines(rows, reference)
    precision = _weight_precisions(rows, reference, model)
    kv = _kv_precisions(rows, reference, engine, precision)
    layout = _layouts(rows, reference, model, gpu)
    isl, osl, concurrency = (_loads(rows, name) for name in ("isl", "osl", "concurrency"))
    osl = _within_length(rows, isl, osl)
    share = _numbers(rows, "gpu_memory_utilization", 1.0, "a share above 0 and up to 1, as 0.9")
    cases = Cases(model, gpu, precision, kv, engine, layout, isl, osl, concurrency, share)
    return CaseReading(cases, tuple(rows.errors), rows.basis)


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell).strip()


def _shown(name: str) -> str:
    return one_line(name, 120)


def _looked_up(rows: _Rows, names: list[str], ids: tuple[str, ...], find: Finder) -> np.ndarray:
    """Places of these names; each different one is looked up once. Blanks stay for the caller."""
    places, errors = {name: 0 for name in _BLANK}, {}
    for name in dict.fromkeys(names):
        try:
            if name.lower() not in _BLANK:
                places[name] = ids.index(find(_shown(name), hint=len(errors) < _HINTS).id)
        except MissingData as error:
            errors[name] = str(error)
    if errors:
        wrong = (row for row, name in enumerate(names) if name in errors)
        rows.fault(wrong, lambda row: errors[names[row]])
    return np.fromiter((places.get(name, 0) for name in names), dtype=int, count=rows.count)


def _is_blank(names: list[str]) -> np.ndarray:
    known = {name: name.lower() in _BLANK for name in set(names)}
    return np.fromiter((known[name] for name in names), dtype=bool, count=len(names))


def _names(rows: _Rows, column: str, ids: tuple[str, ...], find: Finder) -> np.ndarray:
    names = rows.texts(column)
    rows.fault(
        np.flatnonzero(_is_blank(names)),
        lambda row: f"{column} is blank; `planner {column}s` lists what may stand there.",
    )
    # The usual variant stands for one that nobody stated.
    guessed = {name for name in set(names) if "unspecified" in name.lower()}
    if guessed:
        rows.weaken(np.array([name in guessed for name in names]), Basis.ASSUMED)
    return _looked_up(rows, names, ids, find)


def _engines(rows: _Rows, reference: Reference) -> np.ndarray:
    """An engine that is not known is still an engine: the generic one."""
    names, generic = rows.texts("engine"), reference.engines.index("generic")
    found = {name: find_engine(reference.catalogue, _shown(name)) for name in set(names) if name}
    index = {name: reference.engines.index(one.id) for name, one in found.items() if one}
    blank = _is_blank(names)
    unknown = np.fromiter((name not in index for name in names), dtype=bool, count=rows.count)
    rows.weaken(blank, Basis.DERIVED)
    rows.weaken(unknown & ~blank, Basis.ASSUMED)
    return np.fromiter((index.get(name, generic) for name in names), int, count=rows.count)


def _weight_precisions(rows: _Rows, reference: Reference, model: np.ndarray) -> np.ndarray:
    """As the row says, else as the model's name says, else as its publisher ships it."""
    catalogue = reference.catalogue
    names, called = rows.texts("weight_precision"), rows.texts("model")
    # "None" in this column says that nothing quantised the weights.
    names = ["bf16" if name.lower() == "none" else name for name in names]
    blank = _is_blank(names)
    rows.weaken(blank, Basis.DERIVED)
    shipped: dict[tuple[str, int], str] = {}
    for row in np.flatnonzero(blank):
        key = (called[row], int(model[row]))
        if key not in shipped:
            stated = format_in_name(catalogue, _shown(key[0]))
            own = catalogue.models[reference.models[key[1]]].native_precision
            shipped[key] = stated.id if stated else own
        names[row] = shipped[key]
    return _looked_up(rows, names, reference.precisions, partial(find_weight_precision, catalogue))


def _kv_precisions(
    rows: _Rows, reference: Reference, engine: np.ndarray, precision: np.ndarray
) -> np.ndarray:
    names = rows.texts("kv_precision")
    own = _looked_up(
        rows, names, reference.precisions, partial(find_kv_precision, reference.catalogue)
    )
    return np.where(_is_blank(names), reference.cache_precision(engine, precision), own)


def _layouts(rows: _Rows, reference: Reference, model: np.ndarray, gpu: np.ndarray) -> Layout:
    whole = "a whole number of 1 or more"
    gpus = _numbers(rows, "gpu_count", _MOST_GPUS, whole, whole=True)
    zero = dict.fromkeys(("0", "0.0"), np.nan)
    n = _numbers(rows, "tensor_parallel", _MOST_GPUS, f"blank or {whole}", whole=True)
    p, e, d = (
        _numbers(
            rows,
            f"{name}_parallel",
            _MOST_GPUS,
            f"blank or {whole}",
            whole=True,
            strict=name != "expert",  # often yes or no
            words=zero,
        )
        for name in ("pipeline", "expert", "data")
    )
    sizes = (n, p, e, d)
    n, p, d = (np.nan_to_num(size, nan=1.0) for size in (n, p, d))
    missing = np.isnan(gpus)
    rows.weaken(np.isnan(sizes[0]) | (missing & (n * p * d > 1)), Basis.DERIVED)
    rows.weaken(missing & (n * p * d <= 1), Basis.ASSUMED)
    gpus = np.where(missing, n * p * d, gpus)
    rows.fault(
        np.flatnonzero(n * p > gpus),
        lambda row: (
            f"tensor_parallel {n[row]:g} times pipeline_parallel {p[row]:g} is more than gpu_count "
            f"{gpus[row]:g}; gpu_count is that of the whole deployment."
        ),
    )
    domain = [one.nvlink_domain_gpus for one in reference.catalogue.accelerators.values()]
    return read_layout(
        gpus,
        *sizes,
        mixture=reference.families[model] > 0,
        domain_gpus=np.array(domain)[gpu],
    )


def _loads(rows: _Rows, column: str) -> np.ndarray:
    words = {"max": np.inf} if column == "concurrency" else {}
    allowed = "a number above 0" + (" or max" if words else "")
    values = _numbers(rows, column, _MOST_TOKENS, allowed, words=words)
    rows.fault(np.flatnonzero(np.isnan(values)), lambda row: f"{column} is blank; write {allowed}.")
    return np.where(np.isnan(values), 1.0, values)


def _within_length(rows: _Rows, isl: np.ndarray, osl: np.ndarray) -> np.ndarray:
    """An answer that reaches the engine's longest context stops there."""
    longest = _numbers(rows, "max_model_len", _MOST_TOKENS, "blank or a number above 0")
    room = np.where(np.isnan(longest), np.inf, longest) - isl
    rows.fault(
        np.flatnonzero(room < 1),
        lambda row: (
            f"isl {isl[row]:g} leaves no room for an answer within max_model_len "
            f"{longest[row]:g}; raise it or shorten the prompt."
        ),
    )
    rows.weaken(room < osl, Basis.ASSUMED)
    return np.maximum(np.minimum(osl, room), np.minimum(osl, 1.0))


def _numbers(
    rows: _Rows,
    column: str,
    most: float,
    allowed: str,
    *,
    whole: bool = False,
    strict: bool = True,
    words: Mapping[str, float] | None = None,
) -> np.ndarray:
    """The numbers of a column, not-a-number where blank; others are faults, or blank."""
    texts = rows.texts(column)
    known = {text: _number(text, most, whole, words or {}) for text in set(texts)}
    wrong = {text for text, value in known.items() if value is None}
    values = (known[text] for text in texts)
    found = np.fromiter((np.nan if v is None else v for v in values), float, count=rows.count)
    if wrong and strict:
        rows.fault(
            (row for row, text in enumerate(texts) if text in wrong),
            lambda row: f"{column} {_shown(texts[row])!r} must be {allowed}.",
        )
    return found


def _number(text: str, most: float, whole: bool, words: Mapping[str, float]) -> float | None:
    """The number, not-a-number for a blank, None for what is not allowed."""
    if text.lower() in words:
        return words[text.lower()]
    if text.lower() in _BLANK:
        return np.nan
    plain = text.replace(",", "") if _THOUSANDS.fullmatch(text) else text.replace(",", ".")
    try:
        value = float(plain)
    except ValueError:
        return None
    if not 0.0 < value <= most or (whole and value != int(value)):
        return None
    return value
