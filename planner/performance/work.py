"""The work of one replica: bytes moved and operations done, before any efficiency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.catalogue import Architecture, StateGroup
from planner.memory import WeightFormat, entry_bytes, kv_head_share
from planner.performance.layout import Layout
from planner.units import BITS_PER_BYTE


@dataclass(frozen=True, slots=True)
class LinearParameters:
    """Weights of the linear layers that one GPU holds, all stages together; fields broadcast.

    >>> LinearParameters.__slots__
    ('attention', 'wide', 'experts', 'lm_head', 'other')
    """

    attention: Any
    """Linear layers of attention [parameter]."""
    wide: Any
    """Dense feed-forward and shared experts [parameter]."""
    experts: Any
    """All routed experts [parameter]."""
    lm_head: Any
    """LM head, the embedding's own matrix where both are one [parameter]."""
    other: Any
    """Routers and norms [parameter]."""


def linear_parameters(architecture: Architecture, layout: Layout) -> LinearParameters:
    """Weights per GPU by the way they are used; pipeline stages are added up.

    With ``n`` ranks, ``a`` of which share the attention of one sequence::

        attention = A/a + kv share(a) + replicated
        wide      = M/n          experts = E/n          lm_head = V d/n

    Parameters
    ----------
    architecture : Architecture
    layout : Layout

    Returns
    -------
    LinearParameters

    Source: as :func:`planner.memory.weight_bytes_per_gpu`.

    >>> from planner.catalogue import load_catalogue
    >>> llama = load_catalogue().model("meta-llama/Meta-Llama-3.1-8B")
    >>> round(float(linear_parameters(llama, Layout.of(1)).wide) / 1e9, 2)
    5.64
    """
    a, n, k = architecture, layout.tensor_parallel, layout.attention_parallel
    attention = a.attention_parameters / k + a.replicated_parameters
    tied = np.asarray(a.lm_head_parameters) <= 0
    return LinearParameters(
        attention=attention + a.kv_projection_parameters * kv_head_share(a, k),
        wide=a.mlp_parameters / n,
        experts=a.expert_parameters / n,
        lm_head=np.where(tied, a.embedding_parameters, a.lm_head_parameters) / n,
        other=a.router_parameters + a.norm_parameters,
    )


@dataclass(frozen=True, slots=True)
class WeightRead:
    """Weights that one GPU reads in one step, all stages together, by kind; fields broadcast.

    >>> WeightRead.__slots__
    ('attention_bytes', 'wide_bytes', 'expert_bytes', 'half_bytes')
    """

    attention_bytes: Any
    """Linear layers of attention [byte]."""
    wide_bytes: Any
    """Dense feed-forward and shared experts [byte]."""
    expert_bytes: Any
    """All routed experts; a step reads the share that its tokens touch [byte]."""
    half_bytes: Any
    """LM head, routers and norms, mostly 16 bit [byte]."""


def weight_read(
    architecture: Architecture, stored: WeightFormat, held: LinearParameters
) -> WeightRead:
    """Bytes of the weights that one GPU holds, by the way they are read.

    ::

        attention = attention * attention_bits / 8
        wide      = wide * bits / 8       experts = experts * bits / 8
        half      = (lm_head * head_bits + other * other_bits) / 8

    Parameters
    ----------
    architecture : Architecture
    stored : WeightFormat
    held : LinearParameters

    Returns
    -------
    WeightRead

    Source: as :func:`planner.memory.weight_bytes_per_gpu`.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.memory import weight_format
    >>> c = load_catalogue(); llama = c.model("meta-llama/Meta-Llama-3.1-8B")
    >>> bf16 = weight_format(c.engine("vllm"), [c.weight_precision("bf16")])
    >>> read = weight_read(llama, bf16, linear_parameters(llama, Layout.of(1)))
    >>> round(float(read.wide_bytes[0]) / 1e9, 2)
    11.27
    """
    narrow = stored.bits_per_weight / BITS_PER_BYTE
    tied = np.asarray(architecture.lm_head_parameters) <= 0
    head_bits = np.where(tied, stored.embedding_bits, stored.lm_head_bits)
    return WeightRead(
        attention_bytes=held.attention * stored.attention_bits / BITS_PER_BYTE,
        wide_bytes=held.wide * narrow,
        expert_bytes=held.experts * narrow,
        half_bytes=(held.lm_head * head_bits + held.other * stored.other_bits) / BITS_PER_BYTE,
    )


def experts_touched_fraction(experts: Any, experts_per_token: Any, tokens: Any) -> Any:
    """Share of the experts that at least one of the tokens chooses, if routing is uniform.

    .. math:: U/N = 1 - (1 - k/N)^T

    Parameters
    ----------
    experts, experts_per_token : float or array [1]
    tokens : float or array [token]

    Returns
    -------
    float or array [fraction]
        1 for a model without experts.

    Source: the expectation of a uniform draw without replacement per token; no publication.

    >>> round(float(experts_touched_fraction(128, 8, 16)), 3)
    0.644
    """
    share = np.minimum(np.asarray(experts_per_token) / np.maximum(experts, 1.0), 1.0)
    share = np.where(np.asarray(experts) > 0, share, 1.0)
    with np.errstate(divide="ignore"):
        return -np.expm1(np.asarray(tokens, dtype=float) * np.log1p(-share))


@dataclass(frozen=True, slots=True)
class TokenFlops:
    """Operations of one token on one GPU, all stages together, without attention's; a multiply
    and an add are two. Fields broadcast.

    >>> TokenFlops.__slots__
    ('attention_flop', 'wide_flop', 'lm_head_flop')
    """

    attention_flop: Any
    """Linear layers of attention, for a token of the GPU's own sequences [FLOP]."""
    wide_flop: Any
    """Feed-forward, shared and chosen experts, for a token of the replica [FLOP]."""
    lm_head_flop: Any
    """LM head, for a token that is sampled [FLOP]."""


def token_flops(architecture: Architecture, held: LinearParameters) -> TokenFlops:
    """Operations of one token in the linear layers that one GPU holds.

    .. math:: 2 P_{active} / n

    Parameters
    ----------
    architecture : Architecture
    held : LinearParameters

    Returns
    -------
    TokenFlops

    Source: Kaplan et al. 2020 (arXiv 2001.08361), section 2.1.

    >>> from planner.catalogue import load_catalogue
    >>> llama = load_catalogue().model("meta-llama/Meta-Llama-3.1-8B")
    >>> flop = token_flops(llama, linear_parameters(llama, Layout.of(1)))
    >>> round(float(flop.attention_flop + flop.wide_flop + flop.lm_head_flop) / 1e9, 1)
    15.0
    """
    a = architecture
    chosen = np.minimum(a.experts_per_token / np.maximum(a.experts, 1.0), 1.0)
    return TokenFlops(
        attention_flop=2.0 * held.attention,
        wide_flop=2.0 * (held.wide + held.experts * chosen),
        lm_head_flop=2.0 * held.lm_head,
    )


def kv_read_bytes(architecture: Architecture, kv_bits: Any, context: Any, ranks: Any) -> Any:
    """Cache and state that one GPU reads for one sequence in one decode step.

    .. math:: \\sum_g L_g (\\min(c, w_g, r_g) \\, entry_g + index_g c + 2 state_g / a)

    Sparse attention reads few entries but the whole index; recurrent state is read and written.

    Parameters
    ----------
    architecture : Architecture
    kv_bits : float or array [bit/weight]
    context : float or array [token]
    ranks : int or array [gpu]
        That share the attention of one sequence.

    Returns
    -------
    float or array [byte]

    Source: arXiv 2305.13245 (GQA), 2405.04434 (MLA), 2512.02556 (DSA).

    >>> from planner.catalogue import load_catalogue
    >>> llama = load_catalogue().model("meta-llama/Meta-Llama-3.1-8B")
    >>> float(kv_read_bytes(llama, 16, 1000, 1))
    131072000.0
    """
    context, total = np.asarray(context, dtype=float), 0.0
    for group in architecture.groups:
        index = np.asarray(group.index_bytes)
        seen = _seen(group, context)
        read = np.minimum(seen, group.read_tokens) * (entry_bytes(group, kv_bits, ranks) - index)
        state = 2.0 * group.state_bytes / np.asarray(ranks, dtype=float)
        total = total + group.layers * (read + seen * index + state)
    return total


def decode_attention_flops(architecture: Architecture, isl: Any, osl: Any, ranks: Any) -> Any:
    """Operations of attention for one decoded token on one GPU, half-way through the answer.

    With ``e`` elements per head and token, keys and values together; in latent attention each head
    scores and sums the compressed ones::

        2 H/a e min(I + O/2, w)

    Parameters
    ----------
    architecture : Architecture
    isl, osl : float or array [token]
        Tokens of a request's prompt and answer.
    ranks : int or array [gpu]
        That share the attention of one sequence.

    Returns
    -------
    float or array [FLOP]

    Source: arXiv 2205.14135 (FlashAttention), section 2; 2405.04434 (MLA), section 2.1.

    >>> from planner.catalogue import load_catalogue
    >>> llama = load_catalogue().model("meta-llama/Meta-Llama-3.1-8B")
    >>> float(decode_attention_flops(llama, 1000, 0, 1)) == 32 * 4 * 32 * 128 * 1000
    True
    """
    context = np.asarray(isl, dtype=float) + np.asarray(osl, dtype=float) / 2.0
    heads, total = 2.0 * architecture.attention_heads / np.asarray(ranks, dtype=float), 0.0
    for group in architecture.groups:
        elements = _plain_elements(group) + 2.0 * group.latent_elements + group.rope_elements
        seen = np.minimum(_seen(group, context), group.read_tokens)
        total = total + heads * group.layers * elements * seen
    return total


def prompt_attention_flops(architecture: Architecture, isl: Any, ranks: Any) -> Any:
    """Operations of causal attention for one whole prompt on one GPU.

    Each token looks back at those before it, at most a window ``w``; latent attention expands its
    keys and values first::

        2 H/a e sum_t min(t, w) = 2 H/a e (I min(I, w) - min(I, w)^2 / 2)

    Parameters
    ----------
    architecture : Architecture
    isl : float or array [token]
    ranks : int or array [gpu]
        That share the attention of one sequence.

    Returns
    -------
    float or array [FLOP]

    Source: arXiv 2205.14135 (FlashAttention), section 2, with causal masking; 2405.04434 (MLA).

    >>> from planner.catalogue import load_catalogue
    >>> llama = load_catalogue().model("meta-llama/Meta-Llama-3.1-8B")
    >>> float(prompt_attention_flops(llama, 1000, 1)) == 32 * 2 * 32 * 128 * 1000**2
    True
    """
    tokens = np.asarray(isl, dtype=float)
    heads, total = 2.0 * architecture.attention_heads / np.asarray(ranks, dtype=float), 0.0
    for group in architecture.groups:
        elements = _plain_elements(group) + group.latent_elements / 2.0 + group.rope_elements
        read = np.asarray(group.read_tokens) * group.tokens_per_entry
        near = np.minimum(tokens, np.minimum(group.window_tokens, read))
        pairs = (tokens * near - near**2 / 2.0) / group.tokens_per_entry
        total = total + heads * group.layers * elements * pairs
    return total


def _plain_elements(group: StateGroup) -> Any:
    """Elements of keys and values per head, where they are stored as such."""
    return np.where(np.asarray(group.kv_heads) > 0, group.head_elements, 0.0)


def _seen(group: StateGroup, context: np.ndarray) -> Any:
    return np.minimum(context, group.window_tokens) / group.tokens_per_entry
