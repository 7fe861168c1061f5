"""A table of configurations, answered row by row.

A table with a column ``method`` or ``task`` and no load of a server is about training; see
:mod:`planner.predict.training`. Any other is about serving, of which this module tells.

A row that somebody measured did fit. So where the memory model leaves no room for one request but
the weights alone fit the GPUs, the engine is taken to have been given nearly all of the memory and
the answer counts as assumed; where the weights do not fit, the row says by how much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from planner.catalogue import Basis, Catalogue
from planner.energy import case_energy
from planner.errors import InvalidScenario
from planner.memory import weight_bytes_per_gpu
from planner.performance import (
    OPTIONAL_COLUMNS,
    REQUIRED_COLUMNS,
    Cases,
    Prediction,
    Reference,
    predict_cases,
    read_cases,
)
from planner.predict.columns import find_columns, without_clash
from planner.predict.training import is_training, training_answers, training_columns
from planner.units import GIB

ADDED_COLUMNS = (
    "ttft_s",
    "ttft_s_low",
    "ttft_s_high",
    "tpot_s",
    "tpot_s_low",
    "tpot_s_high",
    "output_tokens_per_s",
    "output_tokens_per_s_low",
    "output_tokens_per_s_high",
    "kv_capacity_tokens",
    "basis",
    "error",
    "energy_j_per_output_token",
    "energy_j_per_output_token_low",
    "energy_j_per_output_token_high",
    "gpu_power_w",
)
"""What a prediction adds, behind the columns of the table. Energy is that of all GPUs in use,
power the mean of one; both are blank where the GPU's power limit is not known."""
_FIELDS = (
    "ttft_s",
    "ttft_low_s",
    "ttft_high_s",
    "tpot_s",
    "tpot_low_s",
    "tpot_high_s",
    "output_tokens_per_s",
    "output_tokens_low_per_s",
    "output_tokens_high_per_s",
    "kv_capacity_tokens",
)
"""The same of :class:`Prediction`, in the same order."""
_ENERGY = {
    "energy_j_per_output_token": "j_per_output_token",
    "energy_j_per_output_token_low": "low_j_per_output_token",
    "energy_j_per_output_token_high": "high_j_per_output_token",
    "gpu_power_w": "power_w",
}
"""Columns of energy and the fields of :class:`~planner.energy.CaseEnergy`."""
ROWS_AT_ONCE = 16384
PHYSICAL_FRACTION = 0.98
"""Share of a GPU's physical memory that an engine can be given at most: the driver keeps the
rest."""

Progress = Callable[[float], None]


def predict_table(
    table: Mapping[str, Sequence[Any]] | Iterable[Mapping[str, Any]],
    catalogue: Catalogue,
    progress: Progress | None = None,
) -> dict[str, list[Any]]:
    """A table with the answer to every row: its own columns, then those of :func:`added_columns`.

    Columns are found by their exact name, else without regard to case and surrounding blanks.
    A column of the table that is called like an added one is kept as ``<name>_input``.

    Parameters
    ----------
    table : mapping of str to sequence, or iterable of mappings
        Columns of one length, as of a data frame's ``to_dict("list")``, or rows.
    catalogue : Catalogue
    progress : callable, optional
        Told the share of the rows that is answered.

    Returns
    -------
    dict of str to list
        Seconds, tokens, joules and watts (of training: GiB, tokens a second, TFLOP/s and percent)
        as numbers, None where there is no answer; ``basis`` in words, of serving that of the speed;
        ``error`` is one sentence, or blank.

    Raises
    ------
    InvalidScenario
        A column that is needed is not there, or the columns are not of one length.

    >>> from planner.catalogue import load_catalogue
    >>> found = predict_table(
    ...     [{"model": "llama-3.1-8b", "gpu": "H100", "isl": 1000, "osl": 200, "concurrency": 8},
    ...      {"model": "llama-3.1-8b", "gpu": "H100", "isl": 1000, "osl": 200}], load_catalogue())
    >>> bool(0.005 < found["tpot_s"][0] < 0.02), found["basis"][0], found["error"]
    (True, 'assumed', ['', 'concurrency is blank; write a number above 0 or max.'])
    """
    columns = _as_columns(table)
    names, cells = list(columns), list(columns.values())
    added = answer_rows(names, cells, catalogue, progress)
    kept = dict(zip(renamed(names), cells, strict=True))
    return {**{name: list(column) for name, column in kept.items()}, **added}


def answer_rows(
    names: Sequence[str],
    cells: Sequence[Sequence[Any]],
    catalogue: Catalogue,
    progress: Progress | None = None,
) -> dict[str, list[Any]]:
    """The added columns of a table whose columns may bear one name twice; the first counts.

    Parameters
    ----------
    names : sequence of str
    cells : sequence of sequences
        Each column's, of one length.
    catalogue : Catalogue
    progress : callable, optional

    Returns
    -------
    dict of str to list

    >>> from planner.catalogue import load_catalogue
    >>> names = ("GPU ", "Model", "ISL", "OSL", "Concurrency", "gpu_count")
    >>> cells = (["T4"], ["llama-3.1-70b"], ["100"], ["100"], ["1"], ["1"])
    >>> answer_rows(names, cells, load_catalogue())["error"][0].split(":")[0]
    'meta-llama/Meta-Llama-3.1-70B at bf16 does not fit'
    """
    if is_training(names):
        return training_answers(names, cells, catalogue, progress)
    places = find_columns(names, (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS), REQUIRED_COLUMNS)
    count = len(cells[0])
    reference = Reference.of(catalogue)
    found: dict[str, list[Any]] = {name: [] for name in ADDED_COLUMNS}
    for at in range(0, count, ROWS_AT_ONCE):
        part = slice(at, at + ROWS_AT_ONCE)
        answers = _answers({name: cells[i][part] for name, i in places.items()}, reference)
        for name, values in answers:
            found[name] += values
        if progress:
            progress(min(1.0, (at + ROWS_AT_ONCE) / count))
    return found


def renamed(names: Sequence[str]) -> list[str]:
    """The columns' names, changed where an added column takes the name.

    Parameters
    ----------
    names : sequence of str

    Returns
    -------
    list of str

    >>> renamed(["model", "error", "error_input"])
    ['model', 'error_input_2', 'error_input']
    """
    return without_clash(names, added_columns(names))


def added_columns(names: Sequence[str]) -> tuple[str, ...]:
    """What an answer adds to a table with these columns: of serving, or of training.

    Parameters
    ----------
    names : sequence of str

    Returns
    -------
    tuple of str

    >>> added_columns(["model", "method"])[0], added_columns(["model", "isl"])[0]
    ('peak_mem_gib_per_gpu', 'ttft_s')
    """
    return training_columns(names) if is_training(names) else ADDED_COLUMNS


def _as_columns(table: Any) -> dict[str, Sequence[Any]]:
    if isinstance(table, Mapping):
        columns = dict(table)
    else:
        rows = list(table)
        names = dict.fromkeys(name for row in rows for name in row)
        columns = {name: [row.get(name) for row in rows] for name in names}
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1:
        raise InvalidScenario(
            f"The columns have {min(lengths)} to {max(lengths)} cells; give all the same number."
        )
    return columns


def _answers(
    columns: Mapping[str, Sequence[Any]], reference: Reference
) -> Iterator[tuple[str, list[Any]]]:
    read = read_cases(columns, reference)
    errors = np.array(read.errors, dtype=object)
    good = np.flatnonzero(errors == "")
    with np.errstate(all="ignore"):
        cases = read.cases.rows(good)
        answer = _predict(cases, reference)
        energy = case_energy(cases, answer.prediction, reference)
    errors[good] = answer.errors
    answered = good[answer.errors == ""]
    for name, field in zip(ADDED_COLUMNS, _FIELDS, strict=False):
        yield name, _cells(getattr(answer.prediction, field), good, errors)
    basis = np.full(len(errors), -1)
    basis[good] = np.maximum(answer.prediction.basis, read.basis[good])
    words = np.full(len(errors), "", dtype=object)
    words[answered] = [Basis(one).words for one in basis[answered].tolist()]
    yield "basis", words.tolist()
    yield "error", errors.tolist()
    for name, field in _ENERGY.items():
        yield name, _cells(getattr(energy, field), good, errors)


def _cells(values: Any, good: np.ndarray, errors: np.ndarray) -> list[float | None]:
    """One for each row, None where there is an error or nothing is known."""
    cells = np.full(len(errors), np.nan)
    cells[good] = values
    known = np.isfinite(cells) & (errors == "")
    return [v if k else None for v, k in zip(cells.tolist(), known.tolist(), strict=True)]


@dataclass(frozen=True, slots=True)
class _Answer:
    prediction: Prediction
    errors: np.ndarray


def _predict(cases: Cases, reference: Reference) -> _Answer:
    """The prediction of readable cases, and why a case has none."""
    found = predict_cases(cases, reference)
    errors = np.full(len(cases), "", dtype=object)
    tight = np.flatnonzero(~(found.slots >= 1.0))
    if len(tight):
        short = cases.rows(tight)
        room = PHYSICAL_FRACTION * _physical_bytes(reference)[short.gpu]
        weights = _weights_bytes(short, reference)
        ran = weights < room
        given = np.full(len(tight), PHYSICAL_FRACTION)
        eased = predict_cases(replace(short, utilization_fraction=given), reference, 1.0)
        eased = replace(eased, basis=np.full(len(tight), int(Basis.ASSUMED)))
        found = Prediction(
            *(
                _with(getattr(found, f.name), tight[ran], getattr(eased, f.name)[ran])
                for f in fields(Prediction)
            )
        )
        errors[tight[~ran]] = [
            _misfit(short, reference, row, weights[row], room[row]) for row in np.flatnonzero(~ran)
        ]
    unknown = (errors == "") & ~(np.isfinite(found.ttft_s) & np.isfinite(found.tpot_s))
    for row in np.flatnonzero(unknown):
        errors[row] = (
            f"The catalogue knows too little about {reference.gpus[cases.gpu[row]]} to predict "
            f"{reference.precisions[cases.precision[row]]} on it; choose another GPU or format."
        )
    return _Answer(found, errors)


def _with(values: Any, rows: np.ndarray, new: Any) -> np.ndarray:
    result = np.array(values)
    result[rows] = new
    return result


def _weights_bytes(cases: Cases, reference: Reference) -> np.ndarray:
    """On the fullest GPU of a replica [byte]."""
    replica, engine = reference.replica(cases), reference.catalogue.engine("vllm")
    return weight_bytes_per_gpu(
        replica.architecture,
        replica.stored,
        replica.layout.tensor_parallel,
        replica.layout.pipeline_parallel,
        engine.vocabulary_multiple,
        replica.stored.expert_multiple,
        replica.layout.attention_parallel,
    ).total_bytes


def _physical_bytes(reference: Reference) -> np.ndarray:
    """What the driver reports, or the label, which counts GiB."""
    gpus = reference.catalogue.accelerators.values()
    reported = np.array([gpu.memory_reported_bytes for gpu in gpus])
    label = np.array([gpu.memory_nominal_bytes for gpu in gpus]) / 1e9 * GIB
    return np.where(np.isfinite(reported), reported, label)


def _misfit(cases: Cases, reference: Reference, row: int, weights: float, room: float) -> str:
    gpu = reference.gpus[cases.gpu[row]]
    if not np.isfinite(room):
        return f"The catalogue does not know the memory of {gpu}; choose another GPU."
    have = float(cases.layout.gpus_per_replica[row])
    needed = 2.0 ** np.ceil(np.log2(have * weights / room))
    return (
        f"{reference.models[cases.model[row]]} at {reference.precisions[cases.precision[row]]} "
        f"does not fit: its weights take {weights / GIB:,.1f} GiB of each GPU and a {gpu} has "
        f"{room / GIB:,.1f} GiB for them, {(weights - room) / GIB:,.1f} GiB too little; "
        f"tensor_parallel {needed:.0f} with as many GPUs, or narrower weights, would help."
    )
