"""A table of training runs, answered row by row: memory of fine-tunes, speed of training.

The header decides. A column ``method`` (full finetune, LoRA, QLoRA, with the words for options that
trainers use) asks for memory, a column ``task`` (pretraining, SFT, LoRA ...) for speed, both for
both; a table with ``isl``, ``osl`` and ``concurrency`` is about serving. What blanks mean is told
in :mod:`planner.predict.training_rows`.

Memory takes weights, gradients and states to be sharded over all GPUs, as FSDP and ZeRO-3 do,
unless the row says otherwise; how tensors or stages divide a model it does not know, so for such
rows it counts as assumed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from planner.calibration import FinetuneCase, finetune_case
from planner.catalogue import Basis, Catalogue, TrainingFramework, TrainingMemoryFacts
from planner.errors import InvalidScenario, PlannerError
from planner.predict.columns import find_columns
from planner.predict.training_rows import (
    TRAINING_COLUMNS,
    USUAL_GPU,
    USUAL_GPUS,
    USUAL_TOKENS,
    TrainingRow,
    read_training_row,
    sharding_words,
)
from planner.training import TrainingLayout, TrainingSpeed, training_speed
from planner.units import GIB

SERVING_LOAD = ("isl", "osl", "concurrency")
"""A table with these is about serving, whatever else it has."""
MEMORY_COLUMNS = ("peak_mem_gib_per_gpu", "peak_mem_gib_per_gpu_low", "peak_mem_gib_per_gpu_high")
SPEED_COLUMNS = (
    "tokens_s_per_gpu",
    "tokens_s_per_gpu_low",
    "tokens_s_per_gpu_high",
    "model_tflops_per_gpu",
    "mfu_pct",
)
ROWS_AT_ONCE = 1024
_SETTINGS = (
    ("torchtune", "method", r"baseline|^[^+]*\+|cumulative", "torchtune-ladder"),
    ("torchtune", "method", r"reserved|model init|q, ?v only|all layers", "torchtune-0.1"),
    ("torchtune", "seq_len", r"packed", "torchtune-packed"),
    ("peft/pytorch", "method", r"", "peft-2023"),
)
"""Names that torchtune's and PEFT's own tables give to runs, and the settings of those runs: a part
of ``framework``, a column, what it holds, a row of ``data/training_frameworks.csv``."""


def is_training(names: Sequence[str]) -> bool:
    """Whether a table is about training: it has a method or a task, and no load of a server.

    Parameters
    ----------
    names : sequence of str

    Returns
    -------
    bool

    >>> is_training(["model", "Method "]), is_training(["task", "isl", "osl", "concurrency"])
    (True, False)
    """
    found = find_columns(names, (*SERVING_LOAD, "method", "task"))
    return bool({"method", "task"} & set(found)) and not set(SERVING_LOAD) <= set(found)


def training_columns(names: Sequence[str]) -> tuple[str, ...]:
    """What is added to a table about training.

    Parameters
    ----------
    names : sequence of str

    Returns
    -------
    tuple of str

    >>> training_columns(["model", "task"])[-3:]
    ('mfu_pct', 'basis', 'error')
    """
    found = find_columns(names, ("method", "task"))
    memory = MEMORY_COLUMNS if "method" in found else ()
    return (*memory, *(SPEED_COLUMNS if "task" in found else ()), "basis", "error")


def training_answers(
    names: Sequence[str],
    cells: Sequence[Sequence[Any]],
    catalogue: Catalogue,
    progress: Callable[[float], None] | None = None,
) -> dict[str, list[Any]]:
    """The added columns of a table about training.

    Where one of memory and speed cannot be told, the other still is, and ``error`` says why.

    Parameters
    ----------
    names : sequence of str
    cells : sequence of sequences
        Each column's, of one length.
    catalogue : Catalogue
    progress : callable, optional
        Told the share of the rows that is answered.

    Returns
    -------
    dict of str to list
        GiB, tokens a second, TFLOP/s and percent of the dense peak as numbers, None where there is
        no answer; ``basis`` in words, the weaker of both; ``error`` is one sentence, or blank.

    Raises
    ------
    InvalidScenario
        The table has no column ``model``.

    >>> from planner.catalogue import load_catalogue
    >>> found = training_answers(("model", "task"), (["7B", "7B"], ["SFT", "dance"]),
    ...                          load_catalogue())
    >>> found["basis"], bool(20 < found["mfu_pct"][0] < 60), found["error"][1].split(";")[0]
    (['assumed', ''], True, "task 'dance' is not known")
    """
    places = find_columns(names, (one for all_ in TRAINING_COLUMNS.values() for one in all_))
    find_columns(names, ("model",), ("model",))
    wanted, count = training_columns(names), len(cells[0])
    taken = {field: _first(called, places) for field, called in TRAINING_COLUMNS.items()}
    found: dict[str, list[Any]] = {name: [None] * count for name in wanted}
    for at in range(0, count, ROWS_AT_ONCE):
        texts = [
            {field: cells[place][row] for field, place in taken.items() if place is not None}
            for row in range(at, min(at + ROWS_AT_ONCE, count))
        ]
        for row, answer in enumerate(_answers(texts, catalogue, wanted), start=at):
            for name in wanted:
                found[name][row] = answer.get(name, "" if name in ("basis", "error") else None)
        if progress:
            progress(min(1.0, (at + ROWS_AT_ONCE) / count))
    return found


def _first(called: tuple[str, ...], places: Mapping[str, int]) -> int | None:
    return next((places[one] for one in called if one in places), None)


def _answers(
    texts: Sequence[Mapping[str, Any]], catalogue: Catalogue, wanted: tuple[str, ...]
) -> list[dict[str, Any]]:
    """What each row is answered, by added column."""
    answers: list[dict[str, Any]] = [{} for _ in texts]
    rows: dict[int, TrainingRow] = {}
    bases: dict[int, list[Basis]] = {}
    with_speed = SPEED_COLUMNS[0] in wanted
    for number, text in enumerate(texts):
        try:
            row = read_training_row(text, catalogue)
            rows[number] = _filled(row, catalogue) if with_speed else row
        except PlannerError as error:
            answers[number]["error"] = str(error)
    if MEMORY_COLUMNS[0] in wanted:
        for number, row in rows.items():
            try:
                values, basis = _memory(row, catalogue)
                answers[number] |= values
                bases.setdefault(number, []).append(basis)
            except PlannerError as error:
                answers[number]["error"] = str(error)
    if with_speed:
        for number, values, basis in _speeds(rows, catalogue):
            answers[number] |= values
            if basis is not None:
                bases.setdefault(number, []).append(basis)
    for number, known in bases.items():
        answers[number]["basis"] = max(known).words
    return answers


def _filled(row: TrainingRow, catalogue: Catalogue) -> TrainingRow:
    """Blanks of a job whose speed is asked for; its memory is of the same job."""
    gpus, tokens, basis = row.gpus, row.sequence_tokens, row.basis
    one = row.layout.filled(tensor_parallel=1.0, pipeline_parallel=1.0, context_parallel=1.0)
    copy = float(one.tensor_parallel * one.pipeline_parallel * one.context_parallel)
    if math.isnan(gpus):
        gpus = copy if copy > 1 else USUAL_GPUS
    if math.isnan(tokens):
        words = f"{row.cells['task']} {row.cells['method']}".lower()
        fine_tune = row.kind != "full" or re.search("fine|sft|supervised", words)
        trainer = _trainer(row, catalogue.training_memory)
        tokens = trainer.sequence_tokens if fine_tune else USUAL_TOKENS
    if math.isnan(row.gpus) or math.isnan(row.sequence_tokens) or row.gpu is None:
        basis = Basis.ASSUMED
    elif not row.cells["precision"]:
        basis = max(basis, Basis.DERIVED)
    gpu = row.gpu or catalogue.accelerator(USUAL_GPU)
    if copy > gpus:
        raise InvalidScenario(
            f"tp times pp times cp is {copy:g}, more than n_gpus {gpus:g}; n_gpus is that of the "
            "whole job."
        )
    return replace(row, gpu=gpu, gpus=gpus, sequence_tokens=tokens, basis=basis)


# --- Memory -------------------------------------------------------------------------------------


def _memory(row: TrainingRow, catalogue: Catalogue) -> tuple[dict[str, float], Basis]:
    facts = catalogue.training_memory
    trainer = _trainer(row, facts)
    case = finetune_case(_published(row, trainer, catalogue), catalogue, facts)
    case = replace(case, model=row.model, method=_other_types(row, case, facts))
    peak = case.predicted_bytes() / GIB
    values = (peak, peak * case.method.low_factor, peak * case.method.high_factor)
    if not all(map(math.isfinite, values)):
        raise InvalidScenario(
            f"The memory of {row.model.name} cannot be counted; its widths are not known."
        )
    basis = max(row.basis, Basis.INTERPOLATED if trainer.measured else Basis.DERIVED)
    divided = [row.layout.tensor_parallel, row.layout.pipeline_parallel]
    if trainer.id == "generic" or np.nanmax([1.0, *divided]) > 1:
        basis = Basis.ASSUMED
    return dict(zip(MEMORY_COLUMNS, values, strict=True)), basis


def _trainer(row: TrainingRow, facts: TrainingMemoryFacts) -> TrainingFramework:
    return facts.framework(_settings(row.cells) or row.cells["framework"] or row.cells["method"])


def _settings(cells: Mapping[str, str]) -> str:
    """As stated, else those of the published table whose names for runs the row uses."""
    for framework, column, words, settings in () if cells["settings"] else _SETTINGS:
        named = framework in cells["framework"].lower()
        if named and re.search(words, cells[column].lower()):
            return settings
    return cells["settings"]


def _published(
    row: TrainingRow, trainer: TrainingFramework, catalogue: Catalogue
) -> dict[str, str]:
    """The row in the columns and words of the published tables of peaks."""
    cells, own = row.cells, row.model.id in catalogue.models
    words = [cells["note"]]
    if row.layout.recompute == row.layout.recompute and trainer.id != "torchtune-ladder":
        words.append(("no " if not row.layout.recompute else "") + "activation checkpointing")
    sizes = [row.layout.tensor_parallel, row.layout.pipeline_parallel]
    if cells["fsdp_or_sharding"] and not np.nanmax([1.0, *sizes]) > 1:
        words.append(sharding_words(cells["fsdp_or_sharding"]))
    packed = " packed" if "packed" in cells["seq_len"].lower() else ""
    return {
        **cells,
        "settings": _settings(cells),
        "method": cells["method"] or cells["task"],
        "model": row.model.id if own else f"{row.model.total_parameters / 1e9:.3f}B",
        "n_gpus": _digits(row.gpus),
        "seq_len": _digits(row.sequence_tokens) + packed,
        "batch_size": _digits(row.micro_batch),
        "lora_rank": _digits(row.rank),
        "note": " ".join(words),
    }


def _digits(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.0f}"


def _other_types(row: TrainingRow, case: FinetuneCase, facts: TrainingMemoryFacts) -> Any:
    """The method in types that the words name and trainers rarely use."""
    text = f"{row.cells['method']} {row.cells['precision']}".lower()
    method = case.method
    if method.kind == "qlora" and (bits := _stored_bits(row.cells)) != 4.0:
        # Scales of blocks take as much beside other numbers of bits as beside four.
        return replace(method, weight_bytes=method.weight_bytes + (bits - 4.0) / 8.0)
    if method.kind == "full" and re.search(r"pure[ _-]?bf16", text):
        states = facts.constants["optimizer_adamw_bf16"]
        return replace(method, weight_bytes=2.0, gradient_bytes=2.0, optimizer_bytes=states)
    return method


def _stored_bits(cells: Mapping[str, str]) -> float:
    """Of a frozen weight under QLoRA; optimisers of 8 bits are something else."""
    method = re.search(r"qlora[^,;()]{0,12}?(?<![\d.])([2-8])-? ?bit", cells["method"].lower())
    precision = re.match(r"(?:int)?([2-8])(?:-? ?bits?)?$", cells["precision"].lower())
    found = method or precision
    return float(found[1]) if found else 4.0


# --- Speed --------------------------------------------------------------------------------------


def _speeds(
    rows: Mapping[int, TrainingRow], catalogue: Catalogue
) -> Iterator[tuple[int, dict[str, Any], Basis | None]]:
    """Each row's speed, or its error; rows that differ by numbers alone are computed together."""
    alike: dict[tuple[Any, ...], list[int]] = {}
    for number, row in rows.items():
        software = _software(row.cells["framework"], catalogue)
        size, gpu = row.model.total_parameters, row.gpu.id if row.gpu else ""
        key = (row.model.id, size, gpu, row.precision, row.kind, software)
        alike.setdefault(key, []).append(number)
    for key, numbers in alike.items():
        some = [rows[number] for number in numbers]
        try:
            speed = _speed(some, key[-1], catalogue)
        except PlannerError as error:
            yield from ((number, {"error": str(error)}, None) for number in numbers)
            continue
        values = (
            speed.tokens_per_s_per_gpu,
            speed.low_tokens_per_s_per_gpu,
            speed.high_tokens_per_s_per_gpu,
            speed.model_flops_per_gpu / 1e12,
            100.0 * speed.mfu,
        )
        for place, (number, row) in enumerate(zip(numbers, some, strict=True)):
            cells = (float(value[place]) for value in values)
            yield number, dict(zip(SPEED_COLUMNS, cells, strict=True)), max(speed.basis, row.basis)


def _speed(rows: Sequence[TrainingRow], software: str, catalogue: Catalogue) -> TrainingSpeed:
    """Of rows that differ by numbers alone."""
    first = rows[0]
    layout = {
        one.name: np.array([getattr(row.layout, one.name) for row in rows], dtype=float)
        for one in fields(TrainingLayout)
    }
    return training_speed(
        first.model,
        first.gpu,
        catalogue.weight_precision(first.precision),
        catalogue.training_efficiencies,
        np.array([row.gpus for row in rows]),
        np.array([row.sequence_tokens for row in rows]),
        first.kind,
        TrainingLayout(**layout),
        software,
    )


def _software(framework: str, catalogue: Catalogue) -> str:
    """The measured software that a name means; blank for another."""
    name = re.sub(r"[^a-z]", "", framework.lower())
    known = sorted(catalogue.training_efficiencies.software)
    plain = {re.sub(r"[^a-z]", "", one.lower()): one for one in known}
    begun = len(name) > 3
    return next(
        (one for key, one in plain.items() if key in name or (begun and key.startswith(name))), ""
    )
