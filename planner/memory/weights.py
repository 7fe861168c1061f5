"""What the weights of a model occupy, in all and on each rank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.catalogue import Architecture, Precision
from planner.units import BITS_PER_BYTE


@dataclass(frozen=True, slots=True)
class WeightBytes:
    """Weights by class of parameter; the parts sum to :attr:`total_bytes`.

    >>> WeightBytes(6.0, 1.0, 0.5, 0.0).total_bytes
    7.5
    """

    linear_bytes: Any
    """Attention, feed-forward and expert projections, at the weight precision [byte]."""
    vocabulary_bytes: Any
    """Embedding and LM head [byte]."""
    other_bytes: Any
    """Norms, biases and routers [byte]."""
    vision_bytes: Any
    """Vision or audio tower [byte]."""

    @property
    def total_bytes(self) -> Any:
        """The sum of the parts [byte]."""
        return self.linear_bytes + self.vocabulary_bytes + self.other_bytes + self.vision_bytes


def weight_bytes(architecture: Architecture, precision: Precision) -> WeightBytes:
    """One copy of the model's weights, as stored.

    .. math:: B = \\sum_{class} parameters_{class} \\cdot bits_{class} / 8

    Parameters
    ----------
    architecture : Architecture
        Parameter counts by class; numbers or arrays that broadcast [parameter].
    precision : Precision
        Bits by class, scales included [bit/weight].

    Returns
    -------
    WeightBytes
        [byte]

    Notes
    -----
    Embeddings, LM head, norms, routers and towers keep their own precision;
    a calculator that multiplies all parameters by the weight precision loses
    2.1 GB of an 8B model.

    Source: each publisher's ``config.json``; bits per weight from
    ``data/precisions.csv``.

    >>> from planner.catalogue import load_catalogue
    >>> c = load_catalogue()
    >>> llama = c.model("meta-llama/Meta-Llama-3.1-70B")
    >>> round(float(weight_bytes(llama, c.weight_precision("bf16")).total_bytes) / 1e9, 1)
    141.1
    """
    return weight_bytes_per_gpu(architecture, precision, 1, 1)


def weight_bytes_per_gpu(
    architecture: Architecture,
    precision: Precision,
    tensor_parallel: Any,
    pipeline_parallel: Any,
    vocabulary_multiple: Any = 1.0,
    expert_multiple: Any = 1.0,
    attention_parallel: Any = None,
) -> WeightBytes:
    """Weights on the fullest rank of one replica.

    Linear layers divide by ``n`` tensor-parallel ranks and by pipeline stages;
    key and value projections divide by at most the KV heads; MLA's
    down-projections, norms and routers are whole on every rank; the vocabulary
    divides by ``n`` and sits on the first and the last stage::

        linear  = [ (attention + mlp + expert) / n + kv * share_kv(n) + replicated ]
                  * bits / 8 * share_pp
        share_kv(n) = ceil(K/n) / K          share_pp = ceil(L/p) / L

    Parameters
    ----------
    architecture : Architecture
    precision : Precision
    tensor_parallel, pipeline_parallel : int or array [gpu]
    vocabulary_multiple : float [token]
        The engine pads the vocabulary to a multiple of this on each rank.
    expert_multiple : float [1]
        The engine pads each rank's expert width to a multiple of this (MXFP4 kernels).
    attention_parallel : int or array, optional [gpu]
        Ranks that share attention, where fewer than ``tensor_parallel`` (data-parallel attention).

    Returns
    -------
    WeightBytes
        Per GPU [byte].

    Source: Megatron-LM (arXiv 1909.08053, section 3) for the division; vLLM's
    ``ReplicatedLinear`` for MLA's down-projections.

    >>> from planner.catalogue import load_catalogue
    >>> c = load_catalogue()
    >>> llama, fp8 = c.model("meta-llama/Meta-Llama-3.1-70B"), c.weight_precision("fp8")
    >>> two = weight_bytes_per_gpu(llama, fp8, 2, 1).total_bytes
    >>> round(float(two / weight_bytes(llama, fp8).total_bytes), 3)
    0.5
    """
    a, n = architecture, np.asarray(tensor_parallel, dtype=float)
    stage = _stage_share(a.layers, pipeline_parallel)
    k = n if attention_parallel is None else np.asarray(attention_parallel, dtype=float)
    narrow = a.attention_parameters / k + a.replicated_parameters
    narrow = narrow + a.kv_projection_parameters * kv_head_share(a, k)
    wide = a.mlp_parameters / n + a.expert_parameters / n * _padding(
        a.moe_intermediate_size, n, expert_multiple
    )
    linear = (narrow * precision.attention_bits + wide * precision.bits_per_weight) * stage
    padded = _padding(a.vocabulary, n, vocabulary_multiple) / n
    embedding = a.embedding_parameters * padded * precision.embedding_bits
    # A tied LM head is the same matrix; with pipeline stages the last one keeps a copy.
    head = a.lm_head_parameters * padded * precision.lm_head_bits
    one_stage = np.asarray(pipeline_parallel) == 1
    vocabulary = np.where(one_stage, embedding + head, np.maximum(embedding, head))
    other = (a.router_parameters + a.norm_parameters) * stage * precision.other_bits
    vision = a.vision_parameters * 16.0 + 0.0 * n
    return WeightBytes(
        linear / BITS_PER_BYTE,
        vocabulary / BITS_PER_BYTE,
        other / BITS_PER_BYTE + 0.0 * n,
        vision / BITS_PER_BYTE,
    )


def kv_head_share(architecture: Architecture, tensor_parallel: Any) -> Any:
    """Share of the key and value projections that one rank holds: ``ceil(K/n)/K``.

    Below one head per rank, heads replicate and the share stops shrinking.

    Parameters
    ----------
    architecture : Architecture
    tensor_parallel : int or array [gpu]

    Returns
    -------
    float or array [fraction]

    Source: vLLM, ``QKVParallelLinear``.

    >>> from planner.catalogue import load_catalogue
    >>> float(kv_head_share(load_catalogue().model("meta-llama/Meta-Llama-3.1-70B"), 16))
    0.125
    """
    n = np.asarray(tensor_parallel, dtype=float)
    held, whole = 0.0, 0.0
    for group in architecture.groups:
        size = group.layers * group.head_elements
        held = held + size * heads_per_rank(group.kv_heads, n)
        whole = whole + size * group.kv_heads
    # Models without KV heads (MLA, recurrent, embedding) have no such projections to share.
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.asarray(whole) > 0, held / np.maximum(whole, 1e-300), 1.0 / n)


def heads_per_rank(kv_heads: Any, tensor_parallel: Any) -> Any:
    """KV heads that one tensor-parallel rank stores: ``ceil(K/n)``.

    A generic model's KV heads are an interpolated, broken number; they divide
    evenly down to one per rank, so that one rank holds no more than there are.

    Parameters
    ----------
    kv_heads : float or array [1]
    tensor_parallel : int or array [gpu]

    Returns
    -------
    float or array [1]

    Source: vLLM, ``ModelConfig.get_num_kv_heads``; Ainslie et al. 2023 (arXiv 2305.13245).

    >>> [float(heads_per_rank(8, n)) for n in (1, 4, 8, 16)]
    [8.0, 2.0, 1.0, 1.0]
    >>> [float(heads_per_rank(2.5, n)) for n in (1, 2, 4)]
    [2.5, 1.25, 1.0]
    """
    heads = np.asarray(kv_heads, dtype=float)
    even = heads / np.asarray(tensor_parallel, dtype=float)
    whole = heads == np.floor(heads)
    return np.where(whole, np.ceil(even), np.maximum(even, np.minimum(heads, 1.0)))


def _stage_share(layers: Any, pipeline_parallel: Any) -> Any:
    """Share of the layers on the fullest pipeline stage [fraction]."""
    return np.ceil(layers / np.asarray(pipeline_parallel, dtype=float)) / layers


def _padding(size: Any, ranks: Any, multiple: float) -> Any:
    """Factor by which padding each rank's part to ``multiple`` grows a dimension [1]."""
    if np.all(np.asarray(multiple) <= 1):
        return 1.0
    size = np.maximum(size, 1.0)
    padded = np.ceil(size / ranks / multiple) * multiple * ranks / size
    return np.where(np.asarray(multiple) > 1, padded, 1.0)
