"""Reads a row about training, in words that publications use, into a job that can be predicted.

Only ``model`` must be filled. Blanks take what is usual:

- ``method``, ``task``: all weights are trained; each stands in for the other
- ``framework``: another trainer than those that were measured, with the common settings
- ``gpu``: H100 SXM for the speed; memory hardly depends on it
- ``n_gpus``: as many as the layout divides one copy of the model among, else a host of 8 for the
  speed and 1 for memory alone
- ``precision``: BF16
- ``seq_len``: the trainer's own length for a fine-tune, 4,096 tokens for pre-training
- ``batch_size``, ``lora_rank``: the trainer's own; ``batch_size`` and ``micro_batch`` stand in for
  each other
- the layout: the fastest of the usual ones; where only the sharding is stated, nothing else divides
  the model, and where only other sizes are, weights are not gathered
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from planner.calibration import finetune_model, training_models
from planner.catalogue import Accelerator, Architecture, Basis, Catalogue
from planner.errors import InvalidScenario, MissingData
from planner.performance.names import find_gpu, find_model
from planner.scenario import one_line
from planner.training import TrainingLayout

TRAINING_COLUMNS: dict[str, tuple[str, ...]] = {
    "model": ("model",),
    "method": ("method",),
    "task": ("task",),
    "framework": ("framework",),
    "settings": ("settings",),
    "gpu": ("gpu",),
    "n_gpus": ("n_gpus", "gpu_count"),
    "precision": ("precision",),
    "seq_len": ("seq_len", "sequence_tokens"),
    "batch_size": ("batch_size",),
    "lora_rank": ("lora_rank",),
    "global_batch": ("global_batch",),
    "micro_batch": ("micro_batch",),
    "tp": ("tp", "tensor_parallel"),
    "pp": ("pp", "pipeline_parallel"),
    "cp": ("cp", "context_parallel"),
    "vp": ("vp", "virtual_stages"),
    "ep": ("ep", "expert_parallel"),
    "fsdp_or_sharding": ("fsdp_or_sharding", "sharded"),
    "activation_checkpointing": ("activation_checkpointing", "recompute"),
    "note": ("note", "notes"),
}
"""What a row may say, and the names of its columns; the first that is there counts."""
USUAL_GPU, USUAL_GPUS, USUAL_TOKENS = "h100-sxm-80gb", 8.0, 4096.0
_BLANK = frozenset("- -- n/a na nan null none auto default unknown any unstated various".split())
_BLANK |= {"", "not stated"}
_MOST = {"n_gpus": 1e6, "seq_len": 1e8, "lora_rank": 65536.0}
_MOST_OTHERWISE = 1e7
_NUMBER = re.compile(r"(\d+(?:,\d{3})*(?:\.\d+)?)(k?)(?![\w.,])", re.I)
_WORDS = r"full|fine-? ?tun|sft|supervised|train|lora|adapter|peft|[2-8]-? ?bit"
_FORMATS = {
    "mxfp8": r"mx-?fp8|fp8-mx",
    "nvfp4": r"nvfp4",
    "mxfp4": r"mxfp4",
    "fp8": r"fp8|float8|e4m3",
    "bf16": r"bf16|bfloat16|^16(-? ?bits?)?$",
    "fp16": r"fp16|float16|half",
    "fp32": r"fp32|tf32|float32",
}
_STORED_ONLY = r"nf4|fp4|int[48]|^[2-8]$|[2-8]-? ?bit"
"""Formats that weights wait in; products are of 16 bits."""
_SHARDED = r"full.?shard|hybrid|fsdp|hsdp|zero[ -]?(stage[ -]?)?3|^(true|yes|on)$"
_WHOLE = r"grad.?op|zero[ -]?(stage[ -]?)?[0-2]|\bddp\b|no.?shard|^(false|no|off|none)$"
_AGAIN, _KEPT = r"^(true|yes|on|full|1|1\.0)$", r"^(false|no|off|none|selective|0|0\.0)$"


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """A job as a row states it, blanks filled."""

    cells: Mapping[str, str]
    """As they stand in the table, by the first name of each column; blank words are empty."""
    model: Architecture
    gpu: Accelerator | None
    """None where it is not stated."""
    kind: str
    """``full``, ``lora`` or ``qlora``."""
    gpus: float
    """Of the whole job [gpu]; not-a-number where it is not stated."""
    sequence_tokens: float
    """Not-a-number where it is not stated [token]."""
    micro_batch: float
    """Not-a-number where it is not stated [sequence]."""
    rank: float
    """Not-a-number where it is not stated [1]."""
    precision: str
    """Of the matrix products; the id of a format."""
    layout: TrainingLayout
    basis: Basis
    """Weakest of what names left open."""


def read_training_row(cells: Mapping[str, str], catalogue: Catalogue) -> TrainingRow:
    """One row of a table about training.

    Parameters
    ----------
    cells : mapping of str to str
        By the first name of ``TRAINING_COLUMNS``; others are ignored, absent ones are blank.
    catalogue : Catalogue

    Returns
    -------
    TrainingRow

    Raises
    ------
    InvalidScenario, MissingData
        A cell cannot be read, in one sentence.

    >>> from planner.catalogue import load_catalogue
    >>> row = read_training_row({"model": "Llama-3.1-8B", "method": "QLoRA", "tp": "1 (2)"},
    ...                         load_catalogue())
    >>> row.kind, row.layout.tensor_parallel, row.layout.sharded, row.basis.words
    ('qlora', 1.0, 0.0, 'interpolated')
    """
    given = {name: _cell(cells.get(name)) for name in TRAINING_COLUMNS}
    model, basis = _model(given["model"], catalogue)
    gpu = find_gpu(catalogue, one_line(given["gpu"], 120)) if given["gpu"] else None
    if "unspecified" in given["gpu"].lower():
        basis = Basis.ASSUMED
    number = {
        name: _number(given, name)
        for name in ("n_gpus", "seq_len", "batch_size", "lora_rank", "global_batch", "micro_batch")
        + ("tp", "pp", "cp", "vp", "ep")
    }
    return TrainingRow(
        cells=given,
        model=model,
        gpu=gpu,
        kind=_kind(given),
        gpus=number["n_gpus"],
        sequence_tokens=number["seq_len"],
        micro_batch=_either(number["micro_batch"], number["batch_size"]),
        rank=number["lora_rank"],
        precision=_precision(given["precision"]),
        layout=_layout(given, number),
        basis=basis,
    )


def sharding_words(cell: str) -> str:
    """What a cell about sharding says, in the words of the memory model.

    Parameters
    ----------
    cell : str

    Returns
    -------
    str

    >>> sharding_words("SHARD_GRAD_OP"), sharding_words("0"), sharding_words("FULL_SHARD")
    ('zero-2', 'ddp', 'zero-3')
    """
    text = cell.lower()
    stage = re.search(r"zero[ -]?(?:stage[ -]?)?([0-3])", text)
    if stage or "grad" in text:
        return f"zero-{stage[1] if stage else 2}"
    return {1.0: "zero-3", 0.0: "ddp"}.get(_sharded(cell), "")


def _cell(value: object) -> str:
    text = "" if value is None else str(value).strip()
    return "" if text.lower() in _BLANK else text


def _model(name: str, catalogue: Catalogue) -> tuple[Architecture, Basis]:
    """By any spelling, else a plain one of the size that its name tells."""
    if not name:
        raise InvalidScenario("model is blank; `planner models` lists what may stand there.")
    return _known_model(one_line(name, 120), catalogue)


@lru_cache(maxsize=4096)
def _known_model(name: str, catalogue: Catalogue) -> tuple[Architecture, Basis]:
    bare = re.sub(r"\s*\([^)]*\)", "", name).strip() or name
    for one in dict.fromkeys((name, bare)):
        try:
            return find_model(catalogue, one, hint=False), Basis.INTERPOLATED
        except MissingData:
            published = _published(catalogue).get(_plain(one))
        if published:
            return published, Basis.INTERPOLATED
    found = finetune_model(name, catalogue)
    return found, Basis.ASSUMED if found.id == "generic" else Basis.INTERPOLATED


@lru_cache(maxsize=8)
def _published(catalogue: Catalogue) -> dict[str, Architecture]:
    return {_plain(name): model for name, model in training_models(catalogue).items()}


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9.]", "", name.lower())


def _kind(given: Mapping[str, str]) -> str:
    for name in ("method", "task"):
        if given[name] and not re.search(_WORDS, given[name].lower()):
            raise InvalidScenario(
                f"{name} {one_line(given[name])!r} is not known; write full finetune, LoRA, QLoRA "
                "or, for a task, pretraining or SFT."
            )
    text = " ".join(given[name] for name in ("method", "task")).lower()
    if re.search(r"qlora|4-? ?bit|nf4|int4", text):
        return "qlora"
    return "lora" if re.search(r"lora|adapter|peft", text) else "full"


def _number(given: Mapping[str, str], name: str) -> float:
    """The first number of a cell, as publications write it; not-a-number where blank."""
    cell, most = given[name], _MOST.get(name, _MOST_OTHERWISE)
    if not cell or (name in ("vp", "ep") and re.fullmatch(r"0(\.0)?", cell)):
        return math.nan
    found = _NUMBER.match(cell)
    value = float(found[1].replace(",", "")) * (1024.0 if found[2] else 1.0) if found else 0.0
    if not 1.0 <= value <= most or value != int(value):
        raise InvalidScenario(
            f"{name} {one_line(cell)!r} must be blank or a whole number from 1 to {most:,.0f}."
        )
    return value


def _precision(cell: str) -> str:
    """Of two formats in one cell, as in ``FP8-CS (FP8-MX)``, the first counts."""
    text = cell.lower().split("(")[0].strip() or cell.lower()
    if not text:
        return "bf16"
    for name, words in _FORMATS.items():
        if re.search(words, text):
            return name
    if re.search(_STORED_ONLY, text):
        return "bf16"
    raise InvalidScenario(
        f"precision {one_line(cell)!r} is not known; write one of {', '.join(_FORMATS)}."
    )


def _layout(given: Mapping[str, str], number: Mapping[str, float]) -> TrainingLayout:
    sharded = _sharded(given["fsdp_or_sharding"])
    sizes = [number[name] for name in ("tp", "pp", "cp")]
    if not math.isnan(sharded):
        sizes = [1.0 if math.isnan(size) else size for size in sizes]
    elif not math.isnan(sizes[0]):
        sharded = 0.0
    return TrainingLayout(
        *sizes,
        expert_parallel=number["ep"],
        virtual_stages=number["vp"],
        sharded=sharded,
        micro_batch=_either(number["micro_batch"], number["batch_size"]),
        global_batch=number["global_batch"],
        recompute=_recompute(given["activation_checkpointing"]),
    )


def _either(first: float, second: float) -> float:
    return second if math.isnan(first) else first


def _sharded(cell: str) -> float:
    """1 where weights are gathered layer by layer; a number is of the GPUs that share them."""
    text = cell.lower()
    if not text:
        return math.nan
    if re.search(_WHOLE, text):
        return 0.0
    if re.search(_SHARDED, text):
        return 1.0
    if found := _NUMBER.match(text):
        return float(float(found[1].replace(",", "")) > 0)
    raise InvalidScenario(
        f"fsdp_or_sharding {one_line(cell)!r} is not known; write true, false, FULL_SHARD, "
        "SHARD_GRAD_OP, a ZeRO stage or the number of GPUs that share the weights."
    )


def _recompute(cell: str) -> float:
    text = cell.lower()
    if not text:
        return math.nan
    if re.search(_AGAIN, text) or re.search(_KEPT, text):
        return float(bool(re.search(_AGAIN, text)))
    raise InvalidScenario(
        f"activation_checkpointing {one_line(cell)!r} is not known; write true, false or selective."
    )
