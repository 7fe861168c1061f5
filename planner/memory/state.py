"""What a conversation occupies: KV cache and recurrent state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from planner.catalogue import Architecture, StateGroup
from planner.memory.weights import heads_per_rank
from planner.units import BITS_PER_BYTE

SPARSE_LATENT_FP8_BYTES = 656.0
"""Bytes per token and layer of MLA's cache at FP8 when an indexer reads it sparsely:
512 elements of 1 byte, 64 rotary elements of 2, four 4-byte scales (vLLM's fp8_ds_mla layout)."""


def entry_bytes(group: StateGroup, kv_bits: Any, tensor_parallel: Any = 1) -> Any:
    """Bytes that one layer of this kind stores per entry on one rank.

    .. math:: \\lceil K/n \\rceil \\cdot E \\cdot b + (latent + rope) \\cdot b + index

    Parameters
    ----------
    group : StateGroup
    kv_bits : float or array [bit/weight]
        Bits per stored element, scales included.
    tensor_parallel : int or array [gpu]

    Returns
    -------
    float or array [byte]

    Notes
    -----
    An 8-bit cache of a sparse latent layer keeps the rotary part at 16 bits
    and adds scales (656 bytes for DeepSeek-V3.2); other latent layers store
    one byte an element (35,136 bytes a token for 61 layers of 576, as logged
    by vLLM 0.26 for Kimi-K2.7).

    Source: vLLM, ``vllm/v1/kv_cache_interface.py`` (page size of each kind of layer).

    >>> float(entry_bytes(StateGroup("full", 1, kv_heads=8, head_elements=256), 16, 2))
    2048.0
    """
    bits = np.asarray(kv_bits, dtype=float)
    heads = heads_per_rank(group.kv_heads, tensor_parallel) * group.head_elements
    latent = (group.latent_elements + group.rope_elements) * bits
    sparse = (np.asarray(group.index_bytes) > 0) & (np.asarray(group.latent_elements) > 0)
    latent = np.where(sparse & (bits < 16), SPARSE_LATENT_FP8_BYTES * BITS_PER_BYTE, latent)
    return (heads * bits + latent) / BITS_PER_BYTE + group.index_bytes


def sequence_bytes(
    architecture: Architecture,
    kv_bits: Any,
    context_tokens: Any,
    tensor_parallel: Any = 1,
    pipeline_parallel: Any = 1,
) -> Any:
    """What one conversation needs on each GPU of a replica, by the mathematics alone.

    .. math:: \\sum_{groups} \\lceil L_g/p \\rceil
              (\\min(c, w_g)/r_g \\cdot entry\\_bytes_g + state_g / n)

    Parameters
    ----------
    architecture : Architecture
    kv_bits : float or array [bit/weight]
    context_tokens : int or array [token]
        Length ``c`` of the conversation.
    tensor_parallel, pipeline_parallel : int or array [gpu]
        ``n`` ranks and ``p`` stages; both 1 gives the whole model's need.

    Returns
    -------
    float or array [byte]

    Notes
    -----
    Sliding-window layers keep the last ``w`` tokens; sparse attention stores
    all and reads few; latent (MLA) entries are whole on every rank.

    Source: Vaswani et al. 2017 for the two tensors, arXiv 2305.13245 (GQA),
    2405.04434 (MLA).

    >>> from planner.catalogue import load_catalogue
    >>> llama = load_catalogue().model("meta-llama/Meta-Llama-3.1-70B")
    >>> float(sequence_bytes(llama, 16, 8192)) / 2**30
    2.5
    """
    context = np.asarray(context_tokens, dtype=float)
    total: Any = 0.0
    for group in architecture.groups:
        entries = np.minimum(context, group.window_tokens) / group.tokens_per_entry
        total = total + _group_bytes(group, entries, kv_bits, tensor_parallel, pipeline_parallel)
    return total + 0.0 * context


def reserved_sequence_bytes(
    architecture: Architecture,
    kv_bits: Any,
    context_tokens: Any,
    tensor_parallel: Any = 1,
    pipeline_parallel: Any = 1,
    block_tokens: float = 16.0,
    in_flight_tokens: Any = np.inf,
) -> Any:
    """What the engine sets aside for one conversation on each GPU.

    As :func:`sequence_bytes`, but in whole blocks of ``k`` tokens, with layers
    of unlike kinds padded to equal groups, and with more than the window for
    sliding layers::

        full layer     k ceil(c / k)
        sliding layer  k ceil(min(c, w - 1 + T) / k) + k

    ``T`` is the tokens in flight; an engine that knows no windows counts full
    pages, which is ``T`` infinite.

    Parameters
    ----------
    architecture : Architecture
    kv_bits : float or array [bit/weight]
    context_tokens : int or array [token]
    tensor_parallel, pipeline_parallel : int or array [gpu]
    block_tokens : float [token]
        Tokens in one block of the paged cache.
    in_flight_tokens : float or array [token]
        Tokens of one engine step, which a sliding layer must hold beside its window.

    Returns
    -------
    float or array [byte]

    Source: Kwon et al. 2023 (arXiv 2309.06180) for blocks; vLLM,
    ``vllm/v1/core/kv_cache_utils.py``, for groups and windows.

    >>> from planner.catalogue import load_catalogue
    >>> oss = load_catalogue().model("openai/gpt-oss-120b")
    >>> float(reserved_sequence_bytes(oss, 16, 8192)) / 2**30
    0.5625
    """
    context = np.asarray(context_tokens, dtype=float)
    in_flight = np.asarray(in_flight_tokens, dtype=float)
    whole = np.ceil(context / block_tokens) * block_tokens
    group_layers = _layers_per_group(architecture)
    total: Any = 0.0
    for group in architecture.groups:
        window = np.asarray(group.window_tokens, dtype=float)
        seen = np.minimum(context, window - 1 + in_flight)
        sliding = np.ceil(seen / block_tokens) * block_tokens + block_tokens
        tokens = np.where(np.isfinite(window + in_flight), sliding, whole)
        padded = np.ceil(group.layers / group_layers) * group_layers
        total = total + _group_bytes(
            replace(group, layers=padded),
            tokens / group.tokens_per_entry,
            kv_bits,
            tensor_parallel,
            pipeline_parallel,
        )
    return total + 0.0 * context


def token_bytes(
    architecture: Architecture, kv_bits: Any, tensor_parallel: Any = 1, pipeline_parallel: Any = 1
) -> Any:
    """What every further token adds on each GPU while all layers still see it.

    Parameters
    ----------
    architecture : Architecture
    kv_bits : float or array [bit/weight]
    tensor_parallel, pipeline_parallel : int or array [gpu]

    Returns
    -------
    float or array [byte]

    Source: as :func:`sequence_bytes`.

    >>> from planner.catalogue import load_catalogue
    >>> float(token_bytes(load_catalogue().model("Qwen/Qwen2.5-0.5B"), 16))
    12288.0
    """
    total: Any = 0.0 * np.asarray(tensor_parallel, dtype=float)
    for group in architecture.groups:
        stateless = replace(group, state_bytes=0.0)
        total = total + _group_bytes(
            stateless, 1.0 / group.tokens_per_entry, kv_bits, tensor_parallel, pipeline_parallel
        )
    return total


def constant_state_bytes(
    architecture: Architecture, tensor_parallel: Any = 1, pipeline_parallel: Any = 1
) -> Any:
    """Recurrent state of one conversation on each GPU, whatever its length.

    .. math:: \\sum_{groups} \\lceil L_g/p \\rceil \\cdot state_g / n

    Parameters
    ----------
    architecture : Architecture
    tensor_parallel, pipeline_parallel : int or array [gpu]

    Returns
    -------
    float or array [byte]

    Source: as :func:`sequence_bytes`; Nemotron-H-56B keeps 440 MiB.

    >>> from planner.catalogue import load_catalogue
    >>> nemotron = load_catalogue().model("nvidia/Nemotron-H-56B-Base-8K")
    >>> round(float(constant_state_bytes(nemotron)) / 2**20, -1)
    440.0
    """
    return sequence_bytes(architecture, 0.0, 0.0, tensor_parallel, pipeline_parallel)


def _layers_per_group(architecture: Architecture) -> Any:
    """Layers that share one block table: the smallest count of a kind, unless the largest is
    less than half as many again; a model of one kind has one group."""
    counts = [np.asarray(g.layers, dtype=float) for g in architecture.groups]
    present = [np.where(count > 0, count, np.inf) for count in counts]
    if not present:
        return 1.0
    smallest = np.minimum.reduce(np.broadcast_arrays(*present)) if len(present) > 1 else present[0]
    largest = np.maximum.reduce(np.broadcast_arrays(*counts)) if len(counts) > 1 else counts[0]
    size = np.where(largest < 1.5 * smallest, largest, smallest)
    return np.where(largest > 0, size, 1.0)  # An embedding model has no layers with state.


def _group_bytes(group: StateGroup, entries: Any, kv_bits: Any, n: Any, p: Any) -> Any:
    layers = np.ceil(group.layers / np.asarray(p, dtype=float))
    state = group.state_bytes / np.asarray(n, dtype=float)
    return layers * (entries * entry_bytes(group, kv_bits, n) + state)
