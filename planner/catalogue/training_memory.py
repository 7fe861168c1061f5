"""What trainers hold in memory: constants, the settings of trainers, and what calibration found.

``data/training_constants.csv``, ``data/training_frameworks.csv`` and
``data/calibration/finetune_memory_*.csv``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from planner.catalogue.efficiencies import FOLDER, Score, read_scores
from planner.catalogue.records import Basis, Source
from planner.catalogue.tables import Row, read_rows
from planner.errors import MissingData

FIT_TERMS = (
    "activation_factor",
    "overhead_fraction",
    "low_factor",
    "high_factor",
    "low_factor_unmeasured",
    "high_factor_unmeasured",
    "low_factor_unstated",
    "high_factor_unstated",
)
"""What the calibration of fine-tuning memory gives."""


@dataclass(frozen=True, slots=True)
class TrainingFramework:
    """What one trainer does unless it is told otherwise."""

    id: str
    name: str
    match: tuple[str, ...]
    """Words, in lower case, by which a text names it."""
    full_optimizer: str
    full_optimizer_parallel: str
    """The same on more than one GPU."""
    in_backward: bool
    """Whether a full fine-tune on one GPU updates weights during the backward pass."""
    weights: str
    """``bf16`` or ``fp32``."""
    adapter_bytes: float
    """Of one parameter of an adapter [byte]."""
    vocabulary_bytes: float
    """Of one parameter of embedding, LM head and norms beside 4-bit weights [byte]."""
    checkpointing: str
    """``on``, ``off``, or ``auto``: on where the GPU would not hold the run otherwise."""
    flash_attention: bool
    compiled: bool
    loss: str
    """``plain``, ``shifted``, ``chunked`` or ``fused``."""
    offload_activations: bool
    live_parameters: float
    """Kept whole on a GPU under full sharding [parameter]; 0 where two layers at a time are."""
    micro_batch: float
    """Sequences on a GPU at once [sequence]."""
    sequence_tokens: float
    """Where nothing was said [token]."""
    rank: float
    targets: tuple[str, ...]
    """Layers with adapters: ``q``, ``k``, ``v``, ``o``, ``mlp``."""
    measured: bool
    """Whether published peaks of it were fitted."""
    source: Source
    note: str = ""


@dataclass(frozen=True, slots=True)
class TrainingMemoryFacts:
    """Everything that the memory model of fine-tuning reads."""

    constants: Mapping[str, float]
    """By name; its unit, source and basis are in the table."""
    frameworks: Mapping[str, TrainingFramework]
    activation_factor: float
    """Measured activations over derived ones [1]."""
    overhead_fraction: float
    """Held by the allocator beyond the tensors [fraction]."""
    low_factor: float
    """Low end of the 80 % range over the prediction [1]."""
    high_factor: float
    """High end of the same [1]."""
    low_factor_unmeasured: float
    """Low end for a trainer that was never measured, its settings known [1]."""
    high_factor_unmeasured: float
    """High end of the same [1]."""
    low_factor_unstated: float
    """Low end where the trainer's settings are not known [1]."""
    high_factor_unstated: float
    """High end of the same [1]."""
    scores: tuple[Score, ...]
    source: Source

    def framework(self, name: str) -> TrainingFramework:
        """The trainer that a text names; ``generic`` when it names none that is known.

        Parameters
        ----------
        name : str

        Returns
        -------
        TrainingFramework

        >>> from planner.catalogue.catalogue import load_catalogue
        >>> facts = load_catalogue().training_memory
        >>> facts.framework("Unsloth 2024.9").id, facts.framework("in-house").id
        ('unsloth', 'generic')
        """
        text = name.lower()
        if text in self.frameworks:
            return self.frameworks[text]
        named = (one for one in self.frameworks.values() if any(w in text for w in one.match))
        return next(named, self.frameworks["generic"])


def load_training_memory(folder: Path) -> TrainingMemoryFacts:
    """The constants, trainers and calibration in a data folder.

    Parameters
    ----------
    folder : Path
        That holds ``training_constants.csv``.

    Returns
    -------
    TrainingMemoryFacts

    Raises :class:`MissingData` when it was never calibrated.

    >>> from planner.catalogue.catalogue import find_data
    >>> load_training_memory(find_data()).constants["optimizer_adamw_mixed"]
    12.0
    """
    path = folder / FOLDER / "finetune_memory_fit.csv"
    if not path.is_file():
        raise MissingData(
            "data/calibration/finetune_memory_fit.csv is missing; `make calibrate` writes it from "
            "the measurements."
        )
    fit = {row.required("term"): row.number("coefficient") for row in read_rows(path)}
    missing = [term for term in FIT_TERMS if term not in fit]
    if missing:
        raise MissingData(
            f"{path.name} has no {missing[0]}; `make calibrate` fits it from the measurements."
        )
    constants, frameworks = load_training_settings(folder)
    return TrainingMemoryFacts(
        constants=constants,
        frameworks=frameworks,
        **{term: fit[term] for term in FIT_TERMS},
        scores=read_scores(folder / FOLDER / "finetune_memory_scores.csv"),
        source=Source(
            "derived from the types of tensors, and fitted to published peaks by `make calibrate`",
            "data/training_constants.csv and data/calibration/finetune_memory.csv",
            "2026-11",
            Basis.INTERPOLATED,
        ),
    )


def load_training_settings(
    folder: Path,
) -> tuple[dict[str, float], dict[str, TrainingFramework]]:
    """The two reviewed tables, without the calibration.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    tuple
        Constants by name, and trainers by id.

    >>> from planner.catalogue.catalogue import find_data
    >>> load_training_settings(find_data())[1]["unsloth"].loss
    'fused'
    """
    constants = {
        row.required("parameter"): row.number("value")
        for row in read_rows(folder / "training_constants.csv")
    }
    rows = read_rows(folder / "training_frameworks.csv")
    return constants, {row.required("id"): _framework(row) for row in rows}


def _framework(row: Row) -> TrainingFramework:
    def true(column: str) -> bool:
        return row.required(column) == "true"

    def words(column: str) -> tuple[str, ...]:
        return tuple(part for part in row.text(column).split(";") if part)

    return TrainingFramework(
        id=row.required("id"),
        name=row.required("name"),
        match=words("match"),
        full_optimizer=row.required("full_optimizer"),
        full_optimizer_parallel=row.required("full_optimizer_parallel"),
        in_backward=true("in_backward"),
        weights=row.required("weights"),
        adapter_bytes=row.number("adapter_bytes"),
        vocabulary_bytes=row.number("vocabulary_bytes"),
        checkpointing=row.required("checkpointing"),
        flash_attention=true("flash_attention"),
        compiled=true("compiled"),
        loss=row.required("loss"),
        offload_activations=true("offload_activations"),
        live_parameters=row.number("live_parameters") if row.text("live_parameters") else 0.0,
        micro_batch=row.number("micro_batch"),
        sequence_tokens=row.number("sequence_tokens"),
        rank=row.number("rank"),
        targets=words("targets"),
        measured=true("measured"),
        source=Source(
            row.required("source"),
            row.required("locator"),
            row.required("as_of"),
            Basis.parse(row.required("basis")),
        ),
        note=row.text("note"),
    )
