"""How fast a model trains: tokens a second for each GPU, and the share of the peak, with a range.

A token's GPU time is a weighted sum of physical times (:mod:`planner.training.throughput_terms`),
so that small experts, long sequences, narrow formats and slow links lower the share of the peak
for the reason they do so in practice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.catalogue import (
    KINDS,
    Accelerator,
    Architecture,
    Basis,
    Precision,
    TrainingEfficiencies,
    training_generation,
)
from planner.errors import InvalidScenario
from planner.performance import NOVELTIES, novelty
from planner.training.flops import flops_per_token, mfu, trains_all
from planner.training.layouts import TrainingLayout, typical_layouts
from planner.training.throughput_terms import FORMATS, TERMS, training_rates, training_times

LAYOUT_STATED, LAYOUT_UNKNOWN = "speed", "speed without layout"
"""What ranges are kept for."""


@dataclass(frozen=True, slots=True)
class TrainingSpeed:
    """How fast a job trains; fields broadcast.

    >>> TrainingSpeed.__slots__[:2]
    ('tokens_per_s_per_gpu', 'low_tokens_per_s_per_gpu')
    """

    tokens_per_s_per_gpu: Any
    """Trained on [token/s]."""
    low_tokens_per_s_per_gpu: Any
    """Low end of the 80 % range [token/s]."""
    high_tokens_per_s_per_gpu: Any
    """High end of the 80 % range [token/s]."""
    flop_per_token: Any
    """Model FLOPs: causal attention, nothing counted twice [FLOP]."""
    model_flops_per_gpu: Any
    """Those done by each GPU [FLOP/s]."""
    mfu: Any
    """Share of the dense peak of the format that is computed in [fraction]."""
    low_mfu: Any
    """Low end of the 80 % range [fraction]."""
    high_mfu: Any
    """High end of the 80 % range [fraction]."""
    peak_flops: float
    """That peak, of one GPU [FLOP/s]."""
    computed_in: str
    """``16 bit``, ``8 bit`` or ``4 bit``."""
    part_s: Mapping[str, Any]
    """GPU time of one token by what it waits for: compute, memory, link, host [s]."""
    novelty: str
    """What is new to the calibration: configuration, model, gpu, or model and gpu."""
    basis: Basis


def token_seconds(
    times: Any, coefficients: Mapping[str, float], log_factor: Any = 0.0
) -> dict[str, Any]:
    """GPU time of one token by what it waits for.

    .. math:: \\tau = e^{u} \\sum_k c_k x_k

    Parameters
    ----------
    times : array [s]
        From :func:`training_times`.
    coefficients : mapping
        By term [1].
    log_factor : float or array [1]
        Logarithm of what the GPU's generation and the model add.

    Returns
    -------
    dict [s]
        ``compute``, ``memory``, ``link``, ``host``.

    Source: ``data/calibration/training_terms.csv``.

    >>> found = token_seconds(np.ones((len(TERMS), 1)), dict.fromkeys(TERMS, 2.0))
    >>> {name: float(part[0]) for name, part in found.items()}
    {'compute': 16.0, 'memory': 6.0, 'link': 8.0, 'host': 4.0}
    """
    parts: dict[str, Any] = dict.fromkeys(dict.fromkeys(TERMS.values()), 0.0)
    for (name, part), time in zip(TERMS.items(), times, strict=True):
        parts[part] = parts[part] + coefficients[name] * time * np.exp(log_factor)
    return parts


def training_ranges(
    ranges: Mapping[tuple[str, str], tuple[float, float]], name: str, software_known: bool = False
) -> np.ndarray:
    """Ends of the 80 % range by novelty, as factors of the speed.

    Where model and GPU are both new, their errors add up as independent ones do; software that was
    never measured is another laboratory as well, and the wider of both ranges is taken:

    .. math:: \\log f = \\pm \\sqrt{\\log^2 f_{model} + \\log^2 f_{gpu}}

    Parameters
    ----------
    ranges : mapping
        Quantity and kind to the factors of the low and the high end [1].
    name : str
        ``speed``, or ``speed without layout``.
    software_known : bool
        Whether the software that trains was measured.

    Returns
    -------
    array [1]
        Of shape (novelties, 2).

    Source: ``data/calibration/training_ranges.csv``; the sum of independent variances.

    >>> from planner.catalogue import load_catalogue
    >>> training_ranges(load_catalogue().training_efficiencies.ranges, "speed").shape
    (4, 2)
    """
    logs = np.log([ranges[name, kind] for kind in KINDS])
    if not software_known:
        other = np.log(ranges[name, "software"])
        logs = np.stack([np.minimum(logs[:, 0], other[0]), np.maximum(logs[:, 1], other[1])], 1)
    # Something new never narrows a range.
    logs = np.stack([np.minimum.accumulate(logs[:, 0]), np.maximum.accumulate(logs[:, 1])], axis=1)
    both = np.hypot(logs[KINDS.index("model")], logs[KINDS.index("gpu")]) * np.array([-1.0, 1.0])
    return np.exp(np.concatenate([logs, both[None]]))


def training_speed(
    model: Architecture,
    gpu: Accelerator,
    precision: Precision,
    efficiencies: TrainingEfficiencies,
    gpus: Any = 8,
    sequence_tokens: Any = 4096,
    method: str = "full",
    layout: TrainingLayout | None = None,
    software: str = "",
) -> TrainingSpeed:
    """How fast a model is trained or fine-tuned on these GPUs.

    Where no layout is stated, the fastest of three usual ones is taken: weights gathered layer by
    layer, layers shared within a host, layers dealt to stages. Whether it fits is for memory.

    .. math:: X = \\frac{1}{\\sum_k c_k x_k}, \\quad MFU = \\frac{X F}{P}

    Parameters
    ----------
    model : Architecture
    gpu : Accelerator
    precision : Precision
        Format of the matrix products; a GPU without it computes in 16 bit.
    efficiencies : TrainingEfficiencies
    gpus : int or array [gpu]
        Of the whole job.
    sequence_tokens : float or array [token]
        Length of the sequences that are trained on, packed ones included.
    method : str
        ``full`` (pre-training too), ``lora`` or ``qlora``.
    layout : TrainingLayout, optional
    software : str
        A framework of the measurements, for example ``Megatron-Bridge``; blank for another one,
        whose range is wider.

    Returns
    -------
    TrainingSpeed

    Raises :class:`InvalidScenario` for a number of GPUs, a length, a method or a layout that cannot
    be, :class:`MissingData` where the GPU's peak is unknown.

    Source: Chowdhery et al. 2022 (arXiv 2204.02311), appendix B, for MFU; the coefficients are
    fitted to published measurements, ``data/calibration/training_throughput.csv``.

    >>> from planner.catalogue import load_catalogue
    >>> c = load_catalogue()
    >>> one = training_speed(c.model("meta-llama/Meta-Llama-3-70B"), c.accelerator("h100"),
    ...                      c.weight_precision("fp8"), c.training_efficiencies, 64, 8192)
    >>> bool(0.25 < one.mfu < 0.5), one.basis.words
    (True, 'interpolated')
    """
    n, s = np.asarray(gpus, dtype=float), np.asarray(sequence_tokens, dtype=float)
    stated = layout or TrainingLayout()
    _check(n, s, stated)
    rates = training_rates([gpu], [precision])
    form = FORMATS[int(rates.format[0])]
    log_factor = efficiencies.log_factor(model.id, form, training_generation(gpu))
    found = []
    memory, trained = rates.memory_bytes, trains_all(method)
    for one in typical_layouts(stated, model, rates.domain, memory, n, s, trained):
        times = training_times(model, rates, n, s, method, one)
        parts = token_seconds(times, efficiencies.coefficients, log_factor)
        found.append(np.stack(np.broadcast_arrays(*parts.values())))
    every = np.stack(np.broadcast_arrays(*found))
    best = np.argmin(every.sum(axis=1), axis=0)
    taken = np.take_along_axis(every, best[None, None], axis=0)[0]
    # One GPU and one format make an axis of length one, which callers do not know.
    taken = _without_axis(taken, np.broadcast_shapes(n.shape, s.shape, _shape(stated)))
    rate, flop = 1.0 / taken.sum(axis=0), flops_per_token(model, s, method)
    kind = _novelty(model.id, gpu, form, efficiencies)
    low, high = _ends(efficiencies, stated.stated, kind, software)
    peak = float(rates.flops[0])
    share = mfu(rate, flop, peak)
    basis = Basis.INTERPOLATED if kind == 0 else Basis.DERIVED
    return TrainingSpeed(
        tokens_per_s_per_gpu=rate,
        low_tokens_per_s_per_gpu=rate * low,
        high_tokens_per_s_per_gpu=rate * high,
        flop_per_token=flop,
        model_flops_per_gpu=rate * flop,
        mfu=share,
        low_mfu=share * low,
        high_mfu=share * high,
        peak_flops=peak,
        computed_in=form,
        part_s=dict(zip(dict.fromkeys(TERMS.values()), taken, strict=True)),
        novelty=NOVELTIES[kind],
        basis=basis if not rates.assumed.any() else Basis.ASSUMED,
    )


def _shape(layout: TrainingLayout) -> tuple[int, ...]:
    return np.broadcast_shapes(*(np.shape(getattr(layout, name)) for name in layout.__slots__))


def _without_axis(taken: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return taken.reshape((len(taken), *shape))


def _check(gpus: np.ndarray, tokens: np.ndarray, layout: TrainingLayout) -> None:
    if not np.all(np.isfinite(gpus) & (gpus >= 1)):
        raise InvalidScenario(
            f"The number of GPUs, {np.min(gpus):g}, must be 1 or more; give the job a GPU.",
            field="training.gpus",
        )
    if not np.all(np.isfinite(tokens) & (tokens >= 1)):
        raise InvalidScenario(
            f"The length of a sequence, {np.min(tokens):g}, must be 1 token or more; choose a "
            "longer one.",
            field="training.sequence_tokens",
        )
    one = layout.filled(tensor_parallel=1.0, pipeline_parallel=1.0, context_parallel=1.0)
    needed = one.tensor_parallel * one.pipeline_parallel * one.context_parallel
    if np.any(needed > gpus):
        raise InvalidScenario(
            f"The layout needs {np.max(needed):g} GPUs for one copy of the model, but the job has "
            f"{np.min(gpus):g}; give it more GPUs, or divide the model among fewer.",
            field="training.layout",
        )


def _novelty(model: str, gpu: Accelerator, form: str, found: TrainingEfficiencies) -> int:
    """What is new to the calibration, as an index into ``NOVELTIES``.

    A format that was never measured on the GPU is as new as a GPU.
    """
    if (model, gpu.id, form) in found.measured:
        return 0
    return int(novelty(model in found.models, (gpu.id, form) in found.formats))


def _ends(
    found: TrainingEfficiencies, stated: np.ndarray, kind: int, software: str
) -> tuple[Any, Any]:
    """Low and high end of the range, as factors of the speed."""
    known, unknown = (
        training_ranges(found.ranges, name, software in found.software)[kind]
        for name in (LAYOUT_STATED, LAYOUT_UNKNOWN)
    )
    # A layout that is not stated never narrows a range.
    unknown = np.array([min(known[0], unknown[0]), max(known[1], unknown[1])])
    return tuple(np.where(stated, known[end], unknown[end]) for end in (0, 1))
