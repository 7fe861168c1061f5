"""The parts that layers are built of: what each one weighs and what it remembers.

A layer is a token mixer (attention or a recurrent mixer) and a feed-forward.
Each function here returns one of the two for given widths. Sizes are in
parameters; ``d`` is the hidden size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from planner.catalogue.records import StateGroup

INDEX_KEY_BYTES = 132
"""A DeepSeek indexer key of 128 elements in FP8 with one 4-byte scale [byte] (DeepSeek-V3.2)."""


@dataclass(frozen=True, slots=True)
class Mixer:
    """One layer's token mixer, by the classes of :class:`Architecture`.

    >>> Mixer(attention=10, kv=4).attention
    10
    """

    attention: int = 0
    kv: int = 0
    replicated: int = 0
    small: int = 0
    """Norms, biases, convolutions and other small vectors [parameter]."""
    states: tuple[StateGroup, ...] = ()


@dataclass(frozen=True, slots=True)
class FeedForward:
    """One layer's feed-forward, by the classes of :class:`Architecture`.

    >>> FeedForward(mlp=12, width=2).expert
    0
    """

    mlp: int = 0
    expert: int = 0
    router: int = 0
    replicated: int = 0
    small: int = 0
    experts: int = 0
    per_token: int = 0
    expert_width: int = 0
    width: int = 0
    """Width that one token passes through, shared and active experts added up [1]."""


def grouped_query(
    hidden: int,
    heads: int,
    kv_heads: int,
    key_size: int,
    value_size: int = 0,
    *,
    window: float = math.inf,
    kind: str = "full",
    qkv_bias: bool = False,
    output_bias: bool = False,
    gated: bool = False,
    one_projection: bool = False,
    extra: int = 0,
    small: int = 0,
) -> Mixer:
    """Multi-head, grouped-query or multi-query attention.

    ``attention = d * heads * key + heads * value * d`` (the query part twice when an output
    gate is fused into it), ``kv = d * kv_heads * (key + value)``. One entry stores
    ``kv_heads * (key + value)`` elements.

    Parameters
    ----------
    hidden, heads, kv_heads, key_size, value_size : int [1]
        ``value_size`` is ``key_size`` when zero.
    window : float [token]
    kind : str
    qkv_bias, output_bias, gated : bool
    one_projection : bool
        Values come from the key projection (Gemma 4's global layers); both are stored.
    extra, small : int [parameter]
        Further divided weights, and further small vectors.

    Returns
    -------
    Mixer

    Source: Ainslie et al. 2023, arXiv 2305.13245; Llama-3.1-8B: 16 KiB per token and layer pair.

    >>> grouped_query(4096, 32, 8, 128).kv
    8388608
    """
    value = value_size or key_size
    query = heads * key_size * (2 if gated else 1)
    biases = (query + kv_heads * (key_size + value)) * qkv_bias + hidden * output_bias
    return Mixer(
        attention=hidden * query + heads * value * hidden + extra,
        kv=hidden * kv_heads * (key_size + (0 if one_projection else value)),
        small=biases + small,
        states=(
            StateGroup(
                kind, 1, kv_heads=kv_heads, head_elements=key_size + value, window_tokens=window
            ),
        ),
    )


def latent_attention(
    hidden: int,
    heads: int,
    query_rank: int,
    kv_rank: int,
    nope: int,
    rope: int,
    value: int,
    *,
    gated: bool = False,
    indexer: tuple[int, int, int] | None = None,
    own_indexer: bool = True,
) -> Mixer:
    """Multi-head latent attention (MLA), with DeepSeek's sparse indexer if there is one.

    ``replicated = d q_r + d (c_kv + h_r)``;
    ``attention = q_r H (h_n + h_r) + c_kv H (h_n + h_v) + H h_v d``, and for the indexer
    ``q_r H_i h_i + d h_i + d H_i``. One entry stores ``c_kv + h_r`` elements, and the
    indexer's key of :data:`INDEX_KEY_BYTES`.

    Parameters
    ----------
    hidden, heads, query_rank, kv_rank, nope, rope, value : int [1]
        ``query_rank`` 0 means one full query projection.
    gated : bool
        A sigmoid gate of ``d x H h_v`` on the output (Kimi K3).
    indexer : tuple of int [1]
        Heads, head size, entries read.
    own_indexer : bool
        False when the layer uses the indexer of an earlier layer (GLM-5.2's IndexShare).

    Returns
    -------
    Mixer

    Source: DeepSeek-V3, arXiv 2412.19437, section 2.1.1; DeepSeek-V3.2 ``inference/model.py``.

    >>> mixer = latent_attention(7168, 128, 1536, 512, 128, 64, 128)
    >>> mixer.attention + mixer.replicated
    187105280
    """
    size = nope + rope
    query = query_rank * heads * size if query_rank else hidden * heads * size
    attention = query + kv_rank * heads * (nope + value) + heads * value * hidden * (1 + gated)
    small = query_rank + kv_rank
    index_bytes, read, kind = 0, math.inf, "latent"
    if indexer:
        index_heads, index_size, read = indexer
        kind = "sparse latent"
        if own_indexer:
            attention += query_rank * index_heads * index_size + hidden * (index_size + index_heads)
            small += 2 * index_size
            index_bytes = index_key_bytes(index_size)
    return Mixer(
        attention=attention,
        replicated=hidden * (query_rank + kv_rank + rope),
        small=small,
        states=(
            StateGroup(
                kind,
                1,
                latent_elements=kv_rank,
                rope_elements=rope,
                index_bytes=index_bytes,
                read_tokens=read,
            ),
        ),
    )


def index_key_bytes(size: int) -> int:
    """Bytes of one indexer key in FP8 with a 4-byte scale for each 128 elements.

    ``size + 4 ceil(size / 128)``

    Parameters
    ----------
    size : int [1]

    Returns
    -------
    int [byte]

    Source: DeepSeek-V3.2 and its vLLM port (``indexer k_cache``).

    >>> index_key_bytes(128) == INDEX_KEY_BYTES
    True
    """
    return size + 4 * math.ceil(size / 128)


def compressed_attention(
    hidden: int,
    heads: int,
    head_size: int,
    rope: int,
    query_rank: int,
    output_rank: int,
    output_groups: int,
    window: int,
    ratio: int,
    indexer: tuple[int, int, int],
) -> Mixer:
    """DeepSeek-V4's attention: a sliding window, and beyond it one entry per ``ratio`` tokens.

    Keys and values are one shared head of ``head_size`` elements. Every layer keeps the last
    ``window`` entries. With ``ratio`` 4 (compressed sparse attention) an indexer picks the
    entries that are read; with 128 (heavily compressed) all are read; 0 is the window alone.
    The compressor's own weights are ``2 c d h`` with ``c = 2`` at ratio 4 (overlapping blocks).

    Parameters
    ----------
    hidden, heads, head_size, rope, query_rank, output_rank, output_groups : int [1]
    window, ratio : int [token]
    indexer : tuple of int [1]
        Heads, head size, entries read.

    Returns
    -------
    Mixer

    Source: DeepSeek-V4 technical report (arXiv 2606.19348) and its reference ``model.py``;
    9.62 GiB for one million tokens of V4-Pro in BF16 (vLLM).

    >>> [state.kind for state in compressed_attention(
    ...     7168, 128, 512, 64, 1536, 1024, 16, 128, 128, (64, 128, 1024)).states]
    ['sliding', 'compressed']
    """
    index_heads, index_size, read = indexer
    attention = query_rank * heads * head_size
    attention += heads * head_size * output_rank + output_groups * output_rank * hidden
    replicated = hidden * (query_rank + head_size)
    small = query_rank + head_size + heads
    states = [
        StateGroup(
            "sliding",
            1,
            latent_elements=head_size - rope,
            rope_elements=rope,
            window_tokens=window,
        )
    ]
    if ratio:
        overlap = 2 if ratio == 4 else 1
        replicated += 2 * overlap * hidden * head_size
        small += ratio * overlap * head_size + head_size
        if ratio == 4:
            attention += query_rank * index_heads * index_size + hidden * index_heads
            attention += 2 * overlap * hidden * index_size
            small += ratio * overlap * index_size + index_size
        states.append(
            StateGroup(
                "compressed",
                1,
                latent_elements=head_size - rope,
                rope_elements=rope,
                index_bytes=index_key_bytes(index_size) if ratio == 4 else 0,
                tokens_per_entry=ratio,
                read_tokens=read if ratio == 4 else math.inf,
            )
        )
    return Mixer(attention, 0, replicated, small, tuple(states))


def _recurrent(state_elements: int, state_bytes: int, conv_elements: int) -> tuple[StateGroup, ...]:
    """One layer's constant state: the matrix at its own width, the convolution at 2 bytes."""
    total = state_elements * state_bytes + conv_elements * 2
    return (StateGroup("recurrent", 1, state_bytes=total),)


def gated_delta_net(
    hidden: int,
    key_heads: int,
    value_heads: int,
    key_size: int,
    value_size: int,
    kernel: int,
    state_bytes: int,
) -> Mixer:
    """Gated delta net, the linear attention of Qwen3-Next and Qwen3.5.

    ``attention = d (2 k + 2 v + 2 H_v) + v d`` with ``k = key_heads * key_size`` and
    ``v = value_heads * value_size``; the state is ``H_v * key_size * value_size`` elements
    and a convolution buffer of ``(2 k + v)(kernel - 1)`` at 2 bytes.

    Parameters
    ----------
    hidden, key_heads, value_heads, key_size, value_size, kernel : int [1]
    state_bytes : int [byte]
        Per element of the state matrix.

    Returns
    -------
    Mixer

    Source: Yang et al. 2024, arXiv 2412.06464; transformers ``modeling_qwen3_5.py``.

    >>> gated_delta_net(5120, 16, 48, 128, 128, 4, 4).states[0].state_bytes
    3207168
    """
    keys, values = key_heads * key_size, value_heads * value_size
    conv = 2 * keys + values
    return Mixer(
        attention=hidden * (conv + values + 2 * value_heads) + values * hidden,
        small=conv * kernel + 2 * value_heads + value_size,
        states=_recurrent(value_heads * key_size * value_size, state_bytes, conv * (kernel - 1)),
    )


def kimi_delta_attention(
    hidden: int, heads: int, head_size: int, kernel: int, full_rank_gate: bool
) -> Mixer:
    """Kimi delta attention (KDA), with a low-rank decay and an output gate of low or full rank.

    ``attention = 3 d p + p d + d h + h p + d H + gate`` with ``p = H h``; the gate is ``d p``
    or ``d h + h p``. The state is ``H h h`` elements in FP32 (vLLM's ``kda_state_dtype``) and
    three convolution buffers of ``p (kernel - 1)`` at 2 bytes.

    Parameters
    ----------
    hidden, heads, head_size, kernel : int [1]
    full_rank_gate : bool

    Returns
    -------
    Mixer

    Source: Kimi Linear, arXiv 2510.26692; the checkpoint of Kimi K3.

    >>> kimi_delta_attention(7168, 96, 128, 4, True).states[0].state_bytes
    6512640
    """
    width = heads * head_size
    low_rank = hidden * head_size + head_size * width
    gate = hidden * width if full_rank_gate else low_rank
    return Mixer(
        attention=4 * hidden * width + low_rank + hidden * heads + gate,
        small=3 * width * kernel + width + 2 * head_size,
        states=_recurrent(heads * head_size * head_size, 4, 3 * width * (kernel - 1)),
    )


def mamba2(
    hidden: int,
    heads: int,
    head_size: int,
    state_size: int,
    groups: int,
    kernel: int,
    state_bytes: int,
    *,
    projection_bias: bool = False,
) -> Mixer:
    """Mamba-2 mixer.

    ``attention = d (2 p + 2 g s + H) + p d`` with ``p = H h``; the state is ``H h s`` elements
    and a convolution buffer of ``(p + 2 g s)(kernel - 1)`` at 2 bytes.

    Parameters
    ----------
    hidden, heads, head_size, state_size, groups, kernel : int [1]
    state_bytes : int [byte]
        Per element of the state.
    projection_bias : bool

    Returns
    -------
    Mixer

    Source: Dao and Gu 2024, arXiv 2405.21060; Nemotron-H-56B keeps about 440 MiB a sequence.

    >>> round(54 * mamba2(8192, 256, 64, 256, 8, 4, 2).states[0].state_bytes / 2**20)
    438
    """
    width = heads * head_size
    conv = width + 2 * groups * state_size
    inputs = width + conv + heads
    return Mixer(
        attention=hidden * inputs + width * hidden,
        small=conv * (kernel + 1) + 3 * heads + width + (inputs + hidden) * projection_bias,
        states=_recurrent(heads * head_size * state_size, state_bytes, conv * (kernel - 1)),
    )


def dense(hidden: int, width: int, *, matrices: int = 3, bias: bool = False) -> FeedForward:
    """A dense feed-forward: ``matrices * d * width``, three when it is gated, else two.

    Parameters
    ----------
    hidden, width, matrices : int [1]
    bias : bool

    Returns
    -------
    FeedForward

    >>> dense(4096, 14336).mlp
    176160768
    """
    small = ((matrices - 1) * width + hidden) * bias
    return FeedForward(mlp=matrices * hidden * width, small=small, width=width)


def mixture(
    hidden: int,
    experts: int,
    per_token: int,
    width: int,
    *,
    matrices: int = 3,
    latent: int = 0,
    shared_width: int = 0,
    shared_gate: bool = False,
    bias: bool = False,
    router_bias: bool = False,
    latent_norm: bool = False,
) -> FeedForward:
    """A mixture of experts, with shared experts and a narrower latent space if there are any.

    ``expert = experts * matrices * d_e * width`` with ``d_e`` the latent size or ``d``;
    ``mlp = matrices * d * shared_width``; ``router = experts * d``;
    ``replicated = 2 d d_e`` for the projections into the latent space and back.

    Parameters
    ----------
    hidden, experts, per_token, width, matrices, latent, shared_width : int [1]
    shared_gate, bias, router_bias, latent_norm : bool

    Returns
    -------
    FeedForward

    Source: Fedus et al. 2021, arXiv 2101.03961; DeepSeek-V3, arXiv 2412.19437, section 2.1.2.

    >>> mixture(4096, 8, 2, 14336).expert
    1409286144
    """
    inner = latent or hidden
    return FeedForward(
        mlp=matrices * hidden * shared_width,
        expert=experts * matrices * inner * width,
        router=experts * hidden + hidden * shared_gate,
        replicated=2 * hidden * latent,
        small=experts * ((matrices - 1) * width + hidden) * bias
        + experts * router_bias
        + latent * latent_norm,
        experts=experts,
        per_token=per_token,
        expert_width=width,
        width=shared_width + per_token * width,
    )
