"""Reads a row about a fine-tune, as published, into what the memory model asks for.

A published row is short: a trainer, a method in words, a model. What it does not say is taken from
the trainer's own defaults (``planner.catalogue.TrainingFramework``), never from the answer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from planner.calibration.csv_files import read_table
from planner.catalogue import (
    Architecture,
    Basis,
    Catalogue,
    Source,
    StateGroup,
    TrainingMemoryFacts,
    generic_architecture,
)
from planner.errors import MissingData
from planner.training import Method, TrainingMemory, framework_method, training_memory
from planner.units import GB, GIB

LADDER = (
    "packed dataset",
    "compile",
    "chunked cross entropy",
    "activation checkpointing",
    "optimizer in backward",
    "activation offloading",
    "8-bit adamw",
)
"""torchtune's table of optimizations, each row on top of those before it."""
ADAPTER_LADDER = 6
"""Its rows for adapters take all but the last, and no optimizer in backward."""


@dataclass(frozen=True, slots=True)
class FinetuneCase:
    """A fine-tune whose memory can be asked for."""

    model: Architecture
    method: Method
    sequence_tokens: float
    micro_batch: float
    gpus: float
    zero_stage: float
    rank: float
    initial: bool = False
    """Whether only loading the model was measured."""
    outside: bool = False
    """Whether the driver's context was measured too, as by ``nvidia-smi``."""

    def memory(self) -> TrainingMemory:
        """Memory on one GPU.

        Returns
        -------
        TrainingMemory
        """
        found = training_memory(
            self.model,
            self.method,
            sequence_tokens=self.sequence_tokens,
            micro_batch=self.micro_batch,
            gpus=self.gpus,
            zero_stage=self.zero_stage,
            rank=self.rank,
        )
        if not self.initial:
            return found
        zero = 0.0 * found.weights_bytes
        overhead = self.method.overhead_fraction * (found.weights_bytes + found.adapters_bytes)
        return replace(
            found,
            gradients_bytes=zero,
            optimizer_bytes=zero,
            activations_bytes=zero,
            logits_bytes=zero,
            gathered_bytes=zero,
            overhead_bytes=overhead,
        )

    def predicted_bytes(self) -> float:
        """What the counter of this measurement would show [byte].

        Returns
        -------
        float
        """
        found = self.memory()
        return float(found.total_bytes if self.outside else found.allocated_bytes)


def finetune_case(
    row: Mapping[str, str], catalogue: Catalogue, facts: TrainingMemoryFacts
) -> FinetuneCase:
    """One published row as a case.

    Parameters
    ----------
    row : mapping
        ``framework``, ``method`` and ``model``; where known ``gpu``, ``n_gpus``, ``precision``,
        ``seq_len``, ``batch_size``, ``lora_rank``, ``settings`` and ``note``.
    catalogue : Catalogue
    facts : TrainingMemoryFacts

    Returns
    -------
    FinetuneCase

    Raises
    ------
    MissingData
        The model is not known and its name holds no size.

    >>> from planner.catalogue import load_catalogue
    >>> c = load_catalogue()
    >>> row = {"framework": "Unsloth", "method": "QLoRA", "model": "Llama-3.1-8B"}
    >>> case = finetune_case(row, c, c.training_memory)
    >>> case.method.kind, case.sequence_tokens, case.rank
    ('qlora', 2048.0, 16.0)
    """
    names = ("method", "precision", "note", "notes", "framework", "seq_len")
    text = " ".join(row.get(name) or "" for name in names).lower()
    trainer = facts.framework(row.get("settings") or row.get("framework") or row["method"])
    gpus = _number(row.get("n_gpus"), 1.0)
    kind = _kind(text)
    changes = _ladder(text, kind) if trainer.id == "torchtune-ladder" else _changes(text, kind)
    if "deepspeed" in text or re.search(r"zero[ -]?3", text):
        changes.setdefault("live_parameters", facts.constants["deepspeed_live_parameters"])
    method = framework_method(facts, trainer, kind, int(gpus), **changes)
    tokens = _number(row.get("seq_len"), trainer.sequence_tokens)
    ladder = trainer.id == "torchtune-ladder" and "baseline" not in text
    if trainer.id.startswith("torchtune") and not ladder and "packed" not in text:
        # torchtune states the limit; samples that are not packed rarely reach it.
        tokens = min(tokens, trainer.sequence_tokens)
    case = FinetuneCase(
        model=finetune_model(row["model"], catalogue),
        method=method,
        sequence_tokens=tokens,
        micro_batch=_number(row.get("batch_size"), trainer.micro_batch),
        gpus=gpus,
        zero_stage=_zero_stage(text),
        rank=_number(row.get("lora_rank"), trainer.rank),
        initial="model init" in text,
        outside="nvidia-smi" in text,
    )
    return _checkpointed(case, trainer.checkpointing, row.get("gpu") or "")


def finetune_model(name: str, catalogue: Catalogue) -> Architecture:
    """The model of a row: of the catalogue, of the reviewed table, or a generic one of its size.

    Parameters
    ----------
    name : str
    catalogue : Catalogue

    Returns
    -------
    Architecture

    >>> from planner.catalogue import load_catalogue
    >>> c = load_catalogue()
    >>> [finetune_model(one, c).id for one in ("Llama-2-7B", "mt0-xxl (12B)", "Foo 13B")]
    ['meta-llama/Llama-2-7b-hf', 'bigscience/mt0-xxl', 'generic']
    """
    try:
        return catalogue.model(name)
    except MissingData:
        pass
    plain = name.lower()
    for row in read_table(catalogue.folder / "calibration" / "finetune_models.csv"):
        if any(word in plain for word in row["match"].split(";")):
            return _reviewed(row)
    size = re.search(r"(\d+(?:\.\d+)?)\s*b\b", plain)
    if not size:
        raise MissingData(
            f"There is no model {name!r} and its name holds no size such as 7B; "
            "name one that `planner models` lists."
        )
    return generic_architecture(float(size[1]) * 1e9, list(catalogue.models.values()))


def observed_bytes(row: Mapping[str, str]) -> float:
    """The published peak on one GPU; not-a-number where none was published.

    Parameters
    ----------
    row : mapping
        ``peak_memory`` in ``unit``, GB or GiB.

    Returns
    -------
    float

    >>> observed_bytes({"peak_memory": "2", "unit": "GiB (peak memory active)"})
    2147483648.0
    """
    if not row["peak_memory"]:
        return math.nan
    return float(row["peak_memory"]) * (GIB if row["unit"].startswith("GiB") else GB)


def _reviewed(row: Mapping[str, str]) -> Architecture:
    """An architecture from the widths of the reviewed table."""
    n = {key: float(value) for key, value in row.items() if re.fullmatch(r"\d+", value)}
    head = n["hidden_size"] / n["heads"]
    return Architecture(
        id=row["id"],
        name=row["name"],
        family="",
        layers=n["layers"],
        hidden_size=n["hidden_size"],
        vocabulary=n["vocabulary"],
        attention_heads=n["heads"],
        maximum_context_tokens=2048.0,
        attention_parameters=n["attention_parameters"],
        kv_projection_parameters=n["kv_projection_parameters"],
        replicated_parameters=0.0,
        mlp_parameters=n["mlp_parameters"],
        expert_parameters=0.0,
        router_parameters=0.0,
        norm_parameters=n["norm_parameters"],
        embedding_parameters=n["embedding_parameters"],
        lm_head_parameters=n["lm_head_parameters"],
        feed_forward_size=n["feed_forward_size"],
        groups=(StateGroup("full", n["layers"], kv_heads=n["heads"], head_elements=2 * head),),
        source=Source(row["source"], row["locator"], row["as_of"], Basis.parse(row["basis"])),
        notes=(row["note"],),
    )


def _number(text: Any, default: float) -> float:
    found = re.search(r"(\d+(?:\.\d+)?)(k?)", str(text or "").lower().replace(",", ""))
    return float(found[1]) * (1024.0 if found[2] else 1.0) if found else default


def _kind(text: str) -> str:
    adapters = "lora" in text or "adapter" in text
    four_bits = any(word in text for word in ("qlora", "4-bit", "4bit", "nf4", "int4"))
    return "qlora" if four_bits else "lora" if adapters else "full"


def _ladder(text: str, kind: str) -> dict[str, Any]:
    """The switches of torchtune's table up to the row that the text names."""
    reached = next((i + 1 for i, one in enumerate(LADDER) if one in text), 0)
    done = LADDER[: reached if kind == "full" else ADAPTER_LADDER]
    changes: dict[str, Any] = {
        "compiled": "compile" in done,
        "loss": "chunked" if "chunked cross entropy" in done else "plain",
        "checkpointing": float("activation checkpointing" in done),
        "in_backward": float("optimizer in backward" in done and kind == "full"),
        "offload_activations": float("activation offloading" in done),
    }
    if "8-bit adamw" in done:
        changes["optimizer"] = "adamw-8bit"
    return changes


def _changes(text: str, kind: str) -> dict[str, Any]:
    """What the words of a method say beyond the trainer's defaults."""
    changes: dict[str, Any] = {}
    checkpoints = re.search(r"(no |without )?(gradient|activation)[ -]checkpointing", text)
    if checkpoints:
        changes["checkpointing"] = float(not checkpoints[1])
    if re.search(r"torch\.compile|\+compile|compiled", text):
        changes["compiled"] = True
    if re.search(r"optimi[sz]er[ -_]in[ -_](backward|bwd)", text):
        changes["in_backward"] = float(kind == "full")
    if re.search(r"activation[ -]offload", text):
        changes["offload_activations"] = 1.0
    if re.search(r"chunked.{0,8}(cross|loss|ce)", text):
        changes["loss"] = "chunked"
    if re.search(r"flash|sdpa|fa2|fa3", text):
        changes["flash_attention"] = True
    if re.search(r"liger|cut cross|fused.{0,12}(cross|loss)", text):
        changes["loss"] = "fused"
    if re.search(r"(8-?bit.{0,8}adam|adam\w*[_ -]?8-?bit)", text):
        changes["optimizer"] = ("paged-" if "paged" in text else "") + "adamw-8bit"
    if re.search(r"cpu[ -]offload|offload\w* (to|with) cpu|parameter offload", text):
        changes["offload_parameters"] = 1.0
    for name in ("fp32", "fp16", "bf16"):
        if name in text and kind != "full":
            changes["weights"] = name
    if kind == "lora" and re.search(r"(llm\.)?int8|8-?bit (base|weights|model|lora)", text):
        changes["weights"] = "int8"
    if re.search(r"q[, ]+(and )?v only", text):
        changes["targets"] = ("q", "v")
    elif kind == "qlora" or re.search(r"all(-| )?(linear|layers|modules)", text):
        changes["targets"] = ("q", "k", "v", "o", "mlp")
    return changes


def _zero_stage(text: str) -> float:
    """3 unless the text names another; many GPUs are rarely used without sharding."""
    found = re.search(r"zero[ -]?(?:stage[ -]?)?([0-3])", text)
    if found:
        return float(found[1])
    return 0.0 if re.search(r"\bddp\b|data[ -]parallel", text) else 3.0


def _checkpointed(case: FinetuneCase, setting: str, gpu: str) -> FinetuneCase:
    """The case with activations kept where the trainer decides by the GPU and it holds them."""
    size = re.search(r"(\d+)\s*gb", gpu.lower())
    if setting != "auto" or not size:
        return case
    kept = replace(case, method=replace(case.method, checkpointing=0.0))
    fits = bool(np.all(kept.memory().total_bytes <= float(size[1]) * GIB))
    return kept if fits else case
