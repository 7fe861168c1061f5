"""What a token of training takes: the times at peak rates whose weighted sum is its GPU time.

Every term is in seconds of one GPU for each token. Calibration multiplies each by one positive
number; see ``data/calibration/training_terms.csv``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.catalogue import Accelerator, Architecture, Precision
from planner.errors import MissingData
from planner.performance import compute_class, gpu_speed
from planner.training.flops import attention_flops_per_token, linear_passes, trains_all
from planner.training.layouts import ACTIVATION_BYTES, TrainingLayout
from planner.units import GB

TERMS: dict[str, str] = {
    "linear 16 bit": "compute",
    "linear 8 bit": "compute",
    "linear 4 bit": "compute",
    "experts 16 bit": "compute",
    "experts 8 bit": "compute",
    "experts 4 bit": "compute",
    "attention": "compute",
    "unpack": "compute",
    "activations": "memory",
    "recurrent": "memory",
    "dispatch": "memory",
    "exchange": "link",
    "tensor": "link",
    "sharded": "link",
    "gradients": "link",
    "layers": "host",
    "expert layers": "host",
}
"""Term to what it waits for."""
FORMATS = ("16 bit", "8 bit", "4 bit")
"""In which the matrix products run."""
HALF_BYTES = 2.0
MOVES = 6.0
"""Activations are written and read in the forward pass, and twice that in the backward one."""
LAYER_S, EXPERT_LAYER_S = 1e-4, 1e-3
"""Scale of the host's work for a layer of a micro-batch; the coefficient says how much [s]."""
NETWORK_BYTES_PER_S, OLD_NETWORK_BYTES_PER_S = 50.0 * GB, 25.0 * GB
"""Between hosts for each GPU: adapters of 400 Gbit/s, and of 200 Gbit/s before Hopper."""
HOPPER = 9.0


@dataclass(frozen=True, slots=True)
class TrainingRates:
    """Peak rates of one GPU in one format, or of many along an axis.

    >>> TrainingRates.__slots__[0]
    'flops_16bit'
    """

    flops_16bit: Any
    """Dense 16-bit peak, of attention and the LM head [FLOP/s]."""
    flops: Any
    """Dense peak at which linear layers compute [FLOP/s]."""
    format: Any
    """Index into ``FORMATS`` [1]."""
    bandwidth_bytes_per_s: Any
    """Memory bandwidth [byte/s]."""
    link_bytes_per_s: Any
    """One direction between two GPUs of a domain [byte/s]."""
    network_bytes_per_s: Any
    """Between hosts, for each GPU [byte/s]."""
    domain: Any
    """GPUs that share a fast link [gpu]."""
    memory_bytes: Any
    """On the label [byte]."""
    assumed: Any
    """1 where a blank peak was filled by a rule, or a format's kernel is not known [1]."""


def training_rates(gpus: Sequence[Accelerator], precisions: Sequence[Precision]) -> TrainingRates:
    """Peak rates of GPUs that train in formats, pair by pair.

    A GPU without the format computes in 16 bit; FP32 computes as TF32 where the GPU has it.

    .. math:: P = P_{format}\\ \\mathrm{or}\\ P_{16}

    Parameters
    ----------
    gpus : sequence of Accelerator
    precisions : sequence of Precision
        As many as GPUs.

    Returns
    -------
    TrainingRates

    Raises :class:`MissingData` when a GPU's peak or bandwidth is not in the catalogue.

    Source: ``data/gpus.csv``; 400 Gbit/s of network for each GPU as in NVIDIA DGX H100.

    >>> from planner.catalogue import load_catalogue
    >>> c = load_catalogue()
    >>> rates = training_rates([c.accelerator("h100")], [c.weight_precision("fp8")])
    >>> float(rates.flops[0]), FORMATS[int(rates.format[0])]
    (1979000000000000.0, '8 bit')
    """
    speed = gpu_speed(gpus)
    classes = [compute_class(*pair) for pair in zip(gpus, precisions, strict=True)]
    kind = np.array([one[0] if one[0] < len(FORMATS) else 0 for one in classes])
    half = speed.flops[:, 0]
    for gpu, peak in zip(gpus, half, strict=True):
        gpu.require("bandwidth_bytes_per_s")
        if not np.isfinite(peak):
            raise MissingData(
                f"{gpu.name}: its 16-bit peak is not in the catalogue; choose another GPU, or add "
                "the value with its source to the table of GPUs.",
                field="training.gpu",
            )
    wide = speed.flops[np.arange(len(kind)), kind]
    single = np.array([_single(gpu) for gpu in gpus])
    fp32 = np.array([one.compute_format == "fp32" for one in precisions]) & np.isfinite(single)
    # Vendors without a compute capability build as NVIDIA's newer hosts.
    old = np.array([gpu.compute_capability < HOPPER for gpu in gpus])
    return TrainingRates(
        flops_16bit=np.where(fp32, single, half),
        flops=np.where(fp32, single, wide),
        format=kind,
        bandwidth_bytes_per_s=speed.bandwidth_bytes_per_s,
        link_bytes_per_s=speed.link_bytes_per_s,
        network_bytes_per_s=np.where(old, OLD_NETWORK_BYTES_PER_S, NETWORK_BYTES_PER_S),
        domain=np.array([max(gpu.nvlink_domain_gpus, 1) for gpu in gpus], dtype=float),
        memory_bytes=np.array([gpu.memory_nominal_bytes for gpu in gpus]),
        assumed=np.maximum(speed.assumed, [float(one[2]) for one in classes]),
    )


def _single(gpu: Accelerator) -> float:
    """Peak of training in FP32: TF32 where the GPU has it."""
    return gpu.dense_flops.get("tf32", gpu.dense_flops.get("fp32", np.nan))


def training_times(
    model: Architecture,
    rates: TrainingRates,
    gpus: Any,
    sequence_tokens: Any,
    method: Any,
    layout: TrainingLayout,
) -> np.ndarray:
    """GPU time of one token by term, at peak rates; stages that wait lengthen every term.

    With ``t`` tensor ranks, ``p`` stages of ``v`` parts, ``m`` micro-batches of ``b`` sequences and
    ``T`` tokens of a GPU in a step::

        linear = 6 N / P      experts = 6 N_chosen / P       attention = 6 L H h s / P_16
        activations = 204 L d / BW                dispatch = 24 L_e k d / BW
        exchange = 8 L_e k d (e-1)/e / BW_link    tensor   = 16 L d (t-1) / BW_link
        sharded  = 6 N / (b s BW)                 gradients = 6 N_rank / (T BW)
        layers   = L t c / (b s)                  waiting  = 1 + (p - 1) / (v m)

    Parameters
    ----------
    model : Architecture
        One, or a stack with one entry for each row.
    rates : TrainingRates
    gpus : float or array [gpu]
        Of the whole job.
    sequence_tokens : float or array [token]
    method : str or sequence of str
        Of ``METHODS``.
    layout : TrainingLayout
        Without blank fields; see :func:`planner.training.typical_layouts`.

    Returns
    -------
    array [s]
        Shape (terms, ...), in the order of ``TERMS``.

    Source: Korthikanti et al. 2022 (arXiv 2205.05198), equation 1; Narayanan et al. 2021
    (arXiv 2104.04473), sections 2.2 and 3.2; Rajbhandari et al. 2020 (arXiv 1910.02054), section 7.

    >>> from planner.catalogue import load_catalogue
    >>> c = load_catalogue(); llama = c.model("meta-llama/Meta-Llama-3-70B")
    >>> rates = training_rates([c.accelerator("h100")], [c.weight_precision("bf16")])
    >>> one = TrainingLayout(1, 1, 1, 1, 1, 1, 1, 64, 0)
    >>> training_times(llama, rates, 64, 8192.0, "full", one).shape
    (17, 1)
    """
    n, s = np.asarray(gpus, dtype=float), np.asarray(sequence_tokens, dtype=float)
    found = {
        **_compute_times(model, rates, s, method, layout.recompute),
        **_memory_times(model, rates, layout.recompute),
        **_link_times(model, rates, n, s, trains_all(method), layout),
    }
    # A micro-batch occupies all GPUs that share a layer or a sequence.
    each = layout.tensor_parallel * layout.context_parallel / (layout.micro_batch * s)
    found["layers"] = model.layers * each * LAYER_S
    found["expert layers"] = model.expert_layers * each * EXPERT_LAYER_S
    replicas = n / (layout.tensor_parallel * layout.pipeline_parallel * layout.context_parallel)
    parts = np.maximum(layout.global_batch / (replicas * layout.micro_batch), 1.0)
    waiting = 1.0 + (layout.pipeline_parallel - 1.0) / (layout.virtual_stages * parts)
    return np.stack(np.broadcast_arrays(*(found[name] * waiting for name in TERMS)))


def _compute_times(
    model: Architecture, rates: TrainingRates, tokens: Any, method: Any, recompute: Any
) -> dict[str, Any]:
    passes = linear_passes(method, recompute)
    chosen = np.minimum(model.experts_per_token / np.maximum(model.experts, 1.0), 1.0)
    experts = model.expert_parameters * chosen
    tied = np.asarray(model.lm_head_parameters) <= 0
    head = np.where(tied, model.embedding_parameters, model.lm_head_parameters)
    dense = model.active_parameters - experts - head
    found = {}
    for number, name in enumerate(FORMATS):
        own = np.asarray(rates.format) == number
        found[f"linear {name}"] = np.where(own, passes * dense / rates.flops, 0.0)
        found[f"experts {name}"] = np.where(own, passes * experts / rates.flops, 0.0)
    found["linear 16 bit"] = found["linear 16 bit"] + passes * head / rates.flops_16bit
    attention = attention_flops_per_token(model, tokens, recompute)
    packed = np.asarray(method) == "qlora"
    return {
        **found,
        "attention": attention / rates.flops_16bit,
        "unpack": np.where(packed, passes * (dense + experts) / rates.flops_16bit, 0.0),
    }


def _memory_times(model: Architecture, rates: TrainingRates, recompute: Any) -> dict[str, Any]:
    again = 1.0 + np.asarray(recompute, dtype=float) / 3.0
    width = MOVES * ACTIVATION_BYTES * model.hidden_size * again / rates.bandwidth_bytes_per_s
    recurrent = sum(group.layers * (np.asarray(group.state_bytes) > 0) for group in model.groups)
    copies = 2.0 * MOVES * HALF_BYTES
    sent = model.expert_layers * model.experts_per_token * model.hidden_size
    return {
        "activations": model.layers * width,
        "recurrent": recurrent * width,
        "dispatch": sent * copies * again / rates.bandwidth_bytes_per_s,
    }


def _link_times(
    model: Architecture,
    rates: TrainingRates,
    n: Any,
    s: Any,
    trained: Any,
    layout: TrainingLayout,
) -> dict[str, Any]:
    t, p, e = layout.tensor_parallel, layout.pipeline_parallel, layout.expert_parallel
    link, d = rates.link_bytes_per_s, model.hidden_size
    # Stages are spread over hosts first, so that each stage's ranks stay near each other.
    near = np.where(n / p <= rates.domain, link, rates.network_bytes_per_s)
    all_near = np.where(n <= rates.domain, link, rates.network_bytes_per_s)
    total, experts = model.total_parameters, model.expert_parameters
    gathered = (4.0 + 2.0 * trained) * total / (layout.micro_batch * s) / all_near
    dense = (total - experts) / (t * p) * (n > t * p)
    routed = experts / (e * p) * (n > e * p)
    step = layout.global_batch * s / n
    reduced = 6.0 * trained * (dense + routed) / near / step
    whole = np.asarray(layout.sharded) > 0
    sent = model.expert_layers * model.experts_per_token * d * HALF_BYTES
    return {
        "exchange": 4.0 * sent * (e - 1.0) / e / link,
        "tensor": 8.0 * HALF_BYTES * model.layers * d * (t - 1.0) / link,
        "sharded": np.where(whole & (n > 1), gathered, 0.0),
        "gradients": np.where(whole, 0.0, reduced),
    }
