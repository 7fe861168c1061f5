"""Published measurements of training speed, as jobs with what was observed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from planner.calibration.csv_files import read_table
from planner.catalogue import (
    Architecture,
    Catalogue,
    architecture_from_config,
    model_key,
    stack,
    take,
    training_generation,
)
from planner.training import (
    FORMATS,
    TrainingLayout,
    TrainingRates,
    flops_per_token,
    mfu,
    rows_of,
    training_rates,
    training_times,
    trains_all,
    typical_layouts,
)

TRAINING_TABLE = Path("calibration") / "training_throughput.csv"
TRAINING_MODELS = Path("calibration") / "training_models.csv"
SAME = ("model", "gpu", "gpu_count", "precision", "method", "sequence_tokens")
"""What a configuration states, its layout and the release of the software left out."""
PLAUSIBLE_FRACTION = 0.7
"""Of the dense peak. Single matrix products reach 75 to 85 % of it (aiconfigurator-core 0.12.0),
and a training step also waits for attention, memory and the optimizer."""
IMPLAUSIBLE = "more arithmetic than a training step can reach: above 70 % of the GPU's dense peak"
TRUTH = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True)
class TrainingMeasurements:
    """Measurements that are fit to calibrate with, in the order of the table."""

    models: tuple[str, ...]
    """Ids, in the order of ``architecture``."""
    architecture: Architecture
    """A stack of the models, one entry each."""
    model: np.ndarray
    """Index into ``models``."""
    gpu: tuple[str, ...]
    generation: tuple[str, ...]
    rates: TrainingRates
    gpus: np.ndarray
    """GPUs of the job [gpu]."""
    sequence_tokens: np.ndarray
    """Length of the sequences [token]."""
    method: np.ndarray
    layout: TrainingLayout
    """As stated; not-a-number where it is not."""
    tokens_per_s_per_gpu: np.ndarray
    """Observed [token/s]."""
    rows: tuple[Mapping[str, str], ...]
    """The rows as published."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def names(self) -> np.ndarray:
        """Id of each measurement's model."""
        return np.array(self.models)[self.model]

    @property
    def formats(self) -> np.ndarray:
        """In which each computed."""
        return np.array(FORMATS)[self.rates.format]

    @property
    def levels(self) -> dict[str, np.ndarray]:
        """Level of correction to each measurement's key."""
        names = [model_key(*pair) for pair in zip(self.names, self.formats, strict=True)]
        return {"generation": np.array(self.generation), "model": np.array(names)}

    def times(self, rows: np.ndarray, stated: bool = True) -> tuple[np.ndarray, ...]:
        """GPU time of a token by term, for each usual layout where none is stated.

        Parameters
        ----------
        rows : array of bool or int
        stated : bool
            False hides what the publisher stated of the layout.

        Returns
        -------
        tuple of array
            Of shape (terms, rows) [s].
        """
        architecture = take(self.architecture, self.model[rows])
        rates, layout = rows_of(self.rates, rows), rows_of(self.layout, rows)
        if not stated:
            layout = TrainingLayout(*(np.full(len(rates.format), np.nan) for _ in fields(layout)))
        n, s, method = self.gpus[rows], self.sequence_tokens[rows], self.method[rows]
        memory, trained = rates.memory_bytes, trains_all(method)
        return tuple(
            training_times(architecture, rates, n, s, method, one)
            for one in typical_layouts(layout, architecture, rates.domain, memory, n, s, trained)
        )


def read_training(catalogue: Catalogue) -> tuple[TrainingMeasurements, tuple[tuple[str, str], ...]]:
    """The measurements of training speed, and those that are left out.

    Parameters
    ----------
    catalogue : Catalogue

    Returns
    -------
    tuple
        The measurements, and the id of every other row with its reason.
    """
    rows = read_table(catalogue.folder / TRAINING_TABLE)
    reasons = {row["id"]: _reason(row) for row in rows}
    readable = _measurements(tuple(row for row in rows if not reasons[row["id"]]), catalogue)
    for row, share in zip(readable.rows, _peak_share(readable), strict=True):
        if share > PLAUSIBLE_FRACTION:
            reasons[row["id"]] = IMPLAUSIBLE
    used = tuple(row for row in rows if not reasons[row["id"]])
    return _measurements(used, catalogue), tuple(
        (name, reason) for name, reason in reasons.items() if reason
    )


def training_models(catalogue: Catalogue) -> dict[str, Architecture]:
    """The architecture behind each published name.

    Parameters
    ----------
    catalogue : Catalogue

    Returns
    -------
    dict
        Published name to architecture; those that the catalogue does not hold are plain decoders
        of the stated shape.
    """
    return {
        row["published"]: catalogue.model(row["model"]) if row["model"] else _decoder(row)
        for row in read_table(catalogue.folder / TRAINING_MODELS)
    }


def training_configurations(measured: TrainingMeasurements) -> np.ndarray:
    """A whole number for each configuration, whatever its layout and software release.

    Parameters
    ----------
    measured : TrainingMeasurements

    Returns
    -------
    array of int
        One entry for each measurement.
    """
    texts = ["|".join(row[name] for name in SAME) for row in measured.rows]
    return np.unique(texts, return_inverse=True)[1].ravel()


def _reason(row: Mapping[str, str]) -> str:
    if not row["obs_tokens_per_s_per_gpu"]:
        return "whether the published rate is of one GPU or of all is not stated"
    return ""


def _peak_share(measured: TrainingMeasurements) -> np.ndarray:
    """Model FLOPs over the peak at which linear layers compute."""
    architecture = take(measured.architecture, measured.model)
    flop = flops_per_token(architecture, measured.sequence_tokens, measured.method)
    return mfu(measured.tokens_per_s_per_gpu, flop, measured.rates.flops)


def _decoder(row: Mapping[str, str]) -> Architecture:
    """A decoder with two feed-forward matrices four times as wide, and a tied LM head."""
    width = int(row["hidden_size"])
    config = {
        "model_type": "gpt_neox",
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": int(row["layers"]),
        "num_attention_heads": int(row["attention_heads"]),
        "vocab_size": int(row["vocabulary"]),
        "max_position_embeddings": 2048,
        "tie_word_embeddings": True,
    }
    return architecture_from_config(config, id=row["published"])


def _measurements(
    rows: tuple[Mapping[str, str], ...], catalogue: Catalogue
) -> TrainingMeasurements:
    known = training_models(catalogue)
    used = {known[row["model"]].id: known[row["model"]] for row in rows}
    models = tuple(sorted(used))
    gpus = [catalogue.accelerator(row["gpu"]) for row in rows]
    return TrainingMeasurements(
        models=models,
        architecture=stack([used[name] for name in models]),
        model=np.array([models.index(known[row["model"]].id) for row in rows]),
        gpu=tuple(gpu.id for gpu in gpus),
        generation=tuple(training_generation(gpu) for gpu in gpus),
        rates=training_rates(gpus, [catalogue.weight_precision(row["precision"]) for row in rows]),
        gpus=_numbers(rows, "gpu_count"),
        sequence_tokens=_numbers(rows, "sequence_tokens"),
        method=np.array([row["method"] for row in rows]),
        layout=TrainingLayout(*(_numbers(rows, one.name) for one in fields(TrainingLayout))),
        tokens_per_s_per_gpu=_numbers(rows, "obs_tokens_per_s_per_gpu"),
        rows=rows,
    )


def _numbers(rows: Iterable[Mapping[str, str]], column: str) -> np.ndarray:
    """Numbers, and yes or no as 1 and 0; not-a-number where blank."""
    cells = (TRUTH.get(row[column], row[column] or np.nan) for row in rows)
    return np.array([float(cell) for cell in cells])
