"""What a serving engine sets aside besides weights and KV cache.

vLLM measures its own peak at start-up: one step with a full batch, sampler
included. The peak is arithmetic of the vocabulary, the batch limits and the
widest layer; this module repeats that arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from planner.catalogue import Accelerator, Architecture, Engine, Precision

HALF_BYTES = 2.0
"""Activations are computed in 16 bits [byte]."""


@dataclass(frozen=True, slots=True)
class Device:
    """What the memory model needs of one GPU, or of many along an axis.

    >>> Device(80e9, 1.0, 0.0, 0.0).memory_bytes
    80000000000.0
    """

    memory_bytes: Any
    """Memory a process can see on one GPU [byte]."""
    large_batch: Any
    """1 when the engine takes its larger batch defaults on this GPU [1]."""
    amd: Any
    """1 for AMD [1]."""
    reserve_parallel_bytes: Any
    """Held outside the allocator on each of two or more GPUs [byte]."""

    def along(self, axes: int) -> Device:
        """The same with an axis for layouts, and ``axes`` more before it, added at the end.

        Parameters
        ----------
        axes : int [1]

        Returns
        -------
        Device
        """
        return Device(*(_widen(getattr(self, f.name), axes + 1) for f in fields(self)))


def device(engine: Engine, gpus: Sequence[Accelerator]) -> Device:
    """The GPUs as the memory model sees them.

    Parameters
    ----------
    engine : Engine
    gpus : sequence of Accelerator

    Returns
    -------
    Device
        Arrays of shape (GPUs,); not-a-number where the memory is unknown.

    Source: ``data/gpus.csv``; batch defaults from vLLM's ``arg_utils``.

    >>> from planner.catalogue import load_catalogue
    >>> c = load_catalogue()
    >>> one = device(c.engine("vllm"), [c.accelerator("a100-sxm-80gb")])
    >>> [float(v) for v in one.large_batch]
    [0.0]
    """
    memory = np.array([gpu.memory_usable_bytes for gpu in gpus])
    amd = np.array([float(gpu.vendor == "AMD") for gpu in gpus])
    a100 = np.array(["a100" in gpu.id for gpu in gpus])
    return Device(
        memory_bytes=memory,
        large_batch=((memory >= engine.large_gpu_bytes) & ~a100).astype(float),
        amd=amd,
        reserve_parallel_bytes=np.where(
            amd > 0, engine.reserve_parallel_amd_bytes, engine.reserve_parallel_bytes
        ),
    )


@dataclass(frozen=True, slots=True)
class WeightFormat:
    """Bits by class of parameter and what the engine's kernels add; numbers or arrays.

    >>> WeightFormat(8.0, 8.0, 16.0, 16.0, 16.0, 1.0, 1.0).lm_head_bits
    16.0
    """

    bits_per_weight: Any
    """Feed-forward and expert layers [bit/weight]."""
    attention_bits: Any
    """Linear layers of attention [bit/weight]."""
    embedding_bits: Any
    """Embedding [bit/weight]."""
    lm_head_bits: Any
    """LM head [bit/weight]."""
    other_bits: Any
    """Norms, biases and routers [bit/weight]."""
    expert_multiple: Any
    """Each rank's expert width is padded to a multiple of this [1]."""
    moe_workspace: Any
    """1 when buffers of routed experts stay allocated [1]."""

    def along(self, axes: int) -> WeightFormat:
        """The same with an axis for layouts, and ``axes`` more before it, added at the end.

        Parameters
        ----------
        axes : int [1]

        Returns
        -------
        WeightFormat
        """
        return WeightFormat(*(_widen(getattr(self, f.name), axes + 1) for f in fields(self)))


def weight_format(engine: Engine, precisions: Sequence[Precision]) -> WeightFormat:
    """The precisions as the engine stores and computes them.

    Parameters
    ----------
    engine : Engine
    precisions : sequence of Precision

    Returns
    -------
    WeightFormat
        Arrays of shape (precisions,).

    Source: ``data/precisions.csv`` and ``data/engines.csv``.

    >>> from planner.catalogue import load_catalogue
    >>> c = load_catalogue()
    >>> stored = weight_format(c.engine("vllm"), [c.weight_precision("mxfp4")])
    >>> [float(multiple) for multiple in stored.expert_multiple]
    [256.0]
    """
    names = ("bits_per_weight", "attention_bits", "embedding_bits", "lm_head_bits", "other_bits")
    bits = (np.array([float(getattr(p, name)) for p in precisions]) for name in names)
    mxfp4 = np.array([p.id.startswith("mxfp4") for p in precisions])
    return WeightFormat(
        *bits,
        expert_multiple=np.where(mxfp4, engine.mxfp4_expert_multiple, 1.0),
        moe_workspace=np.where(mxfp4, 0.0, engine.moe_workspace),
    )


def engine_limits(
    engine: Engine, large_batch: Any, max_sequences: Any = None, batched_tokens: Any = None
) -> tuple[Any, Any]:
    """The engine's batch limits: yours, or its defaults for this GPU.

    Parameters
    ----------
    engine : Engine
    large_batch : float or array [1]
        1 where the larger defaults apply.
    max_sequences, batched_tokens : int, optional [1]

    Returns
    -------
    tuple
        Sequences in a batch [sequence] and tokens in a step [token].

    Source: vLLM, ``vllm/engine/arg_utils.py``.

    >>> from planner.catalogue import load_catalogue
    >>> [float(v) for v in engine_limits(load_catalogue().engine("vllm"), 1.0)]
    [1024.0, 8192.0]
    """
    large = np.asarray(large_batch) > 0
    tokens = (
        np.where(large, engine.tokens_large, engine.tokens_small)
        if batched_tokens is None
        else np.asarray(batched_tokens, dtype=float)
    )
    sequences = (
        np.where(large, engine.sequences_large, engine.sequences_small)
        if max_sequences is None
        else np.asarray(max_sequences, dtype=float)
    )
    return np.minimum(sequences, tokens), tokens


def activation_bytes(
    architecture: Architecture,
    engine: Engine,
    max_sequences: Any,
    batched_tokens: Any,
    tensor_parallel: Any = 1,
    moe_workspace: Any = 0.0,
) -> Any:
    """Peak of intermediate results that the engine measures at start-up, per GPU.

    With ``S`` sequences, ``T`` tokens, ``V`` vocabulary, ``d`` hidden size, ``f``
    feed-forward width, ``k`` experts of width ``e`` per token, ``n`` ranks::

        sampler = s S V + buffer V + 2 d (T + 2 S)
        step    = 2 T (3 f / n + 3 d)
        experts = 2 T k (max(e/n, d) + max(2 e/n, d))      where their buffers stay
        towers  = 2 T d                                     for multimodal models
        peak    = max(sampler, step) + experts + towers + runner S V + workspace

    Parameters
    ----------
    architecture : Architecture
    engine : Engine
    max_sequences : float or array [sequence]
    batched_tokens : float or array [token]
    tensor_parallel : int or array [gpu]
    moe_workspace : float or array [1]
        1 when the buffers of routed experts stay allocated.

    Returns
    -------
    float or array [byte]

    Notes
    -----
    Independent of the context length. The sampler dominates on large GPUs:
    1,024 sequences of a 128,256-entry vocabulary at 38 bytes are 4.65 GiB;
    a lower batch limit gives that memory back to the KV cache.

    Source: constants in ``data/engines.csv``, each with its own.

    >>> from planner.catalogue import load_catalogue
    >>> c = load_catalogue()
    >>> llama = c.model("meta-llama/Meta-Llama-3.1-8B")
    >>> round(float(activation_bytes(llama, c.engine("vllm-0.11"), 1024, 8192)) / 2**30, 2)
    4.76
    """
    a, n = architecture, np.asarray(tensor_parallel, dtype=float)
    s, t = np.asarray(max_sequences, dtype=float), np.asarray(batched_tokens, dtype=float)
    hidden = HALF_BYTES * a.hidden_size
    logits = s * a.vocabulary
    sampler = (
        engine.sampler_bytes * logits
        + engine.sampler_buffer_bytes * a.vocabulary
        + hidden * (t + 2 * s)
    )
    step = t * (
        engine.step_feed_forward_factor * HALF_BYTES * a.feed_forward_size / n
        + engine.step_hidden_factor * hidden
    )
    width = a.moe_intermediate_size / n
    experts = (
        np.asarray(moe_workspace)
        * HALF_BYTES
        * t
        * a.experts_per_token
        * (np.maximum(width, a.hidden_size) + np.maximum(2 * width, a.hidden_size))
    )
    towers = t * hidden * np.asarray(a.multimodal, dtype=float)
    fixed = engine.runner_bytes * logits + engine.workspace_bytes
    return np.maximum(sampler, step) + experts + towers + fixed


def runtime_reserve_bytes(
    engine: Engine, gpu: Device, gpus_per_replica: Any, max_sequences: Any
) -> Any:
    """What a rank holds outside the framework's allocator.

    Communication buffers grow as soon as a replica has more than one GPU; on
    AMD, newer engines also subtract captured graphs, one per batch size.

    Parameters
    ----------
    engine : Engine
    gpu : Device
    gpus_per_replica : int or array [gpu]
    max_sequences : float or array [sequence]

    Returns
    -------
    float or array [byte]

    Source: ``data/engines.csv``.

    >>> from planner.catalogue import load_catalogue
    >>> c = load_catalogue()
    >>> h100 = device(c.engine("vllm"), [c.accelerator("h100-sxm-80gb")])
    >>> round(float(runtime_reserve_bytes(c.engine("vllm"), h100, 1, 256)[0]) / 2**30, 2)
    0.13
    """
    several = np.asarray(gpus_per_replica) > 1
    outside = np.where(several, gpu.reserve_parallel_bytes, engine.reserve_single_bytes)
    largest = np.minimum(2.0 * np.asarray(max_sequences, dtype=float), 512.0)
    # Captured sizes are 1, 2, 4, then every 8 up to 255, then every 16.
    eights, sixteens = np.minimum(largest, 255.0) / 8, np.maximum(largest - 240.0, 0.0) / 16
    sizes = 3 + np.floor(eights) + np.floor(sixteens)
    return outside + gpu.amd * engine.graph_amd_bytes * sizes


def _widen(values: Any, axes: int) -> Any:
    """An array with ``axes`` axes of length one added at the end."""
    values = np.asarray(values)
    return values.reshape(values.shape + (1,) * axes)
