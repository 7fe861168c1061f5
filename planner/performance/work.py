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


def weight_read(architecture: Architecture, stored: WeightFormat, layout: Layout) -> WeightRead:
    """Weights per GPU by the way they are read; pipeline stages are added up.

    ::

        attention = [A/a + kv share(a) + replicated] * attention_bits / 8
        wide      = M/n * bits / 8       experts = E/n * bits / 8
        half      = V/n * head_bits / 8 + (router + norms) * other_bits / 8

    Parameters
    ----------
    architecture : Architecture
    stored : WeightFormat
    layout : Layout

    Returns
    -------
    WeightRead

    Source: as :func:`planner.memory.weight_bytes_per_gpu`.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.memory import weight_format
    >>> c = load_catalogue(); llama = c.model("meta-llama/Meta-Llama-3.1-8B")
    >>> bf16 = weight_format(c.engine("vllm"), [c.weight_precision("bf16")])
    >>> read = weight_read(llama, bf16, Layout.of(1))
    >>> round(float(read.wide_bytes[0]) / 1e9, 2)
    11.27
    """
    a, n, k = architecture, layout.tensor_parallel, layout.attention_parallel
    attention = a.attention_parameters / k + a.replicated_parameters
    attention = attention + a.kv_projection_parameters * kv_head_share(a, k)
    narrow = stored.bits_per_weight / BITS_PER_BYTE
    tied = np.asarray(a.lm_head_parameters) <= 0
    head = np.where(
        tied,
        a.embedding_parameters * stored.embedding_bits,
        a.lm_head_parameters * stored.lm_head_bits,
    )
    other = (a.router_parameters + a.norm_parameters) * stored.other_bits
    return WeightRead(
        attention_bytes=attention * stored.attention_bits / BITS_PER_BYTE,
        wide_bytes=a.mlp_parameters / n * narrow,
        expert_bytes=a.expert_parameters / n * narrow,
        half_bytes=(head / n + other) / BITS_PER_BYTE,
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


def token_flops(architecture: Architecture, layout: Layout) -> TokenFlops:
    """Operations of one token in the linear layers, per GPU.

    .. math:: 2 P_{active} / n

    Parameters
    ----------
    architecture : Architecture
    layout : Layout

    Returns
    -------
    TokenFlops

    Source: Kaplan et al. 2020 (arXiv 2001.08361), section 2.1.

    >>> from planner.catalogue import load_catalogue
    >>> llama = load_catalogue().model("meta-llama/Meta-Llama-3.1-8B")
    >>> flop = token_flops(llama, Layout.of(1))
    >>> round(float(flop.attention_flop + flop.wide_flop + flop.lm_head_flop) / 1e9, 1)
    15.0
    """
    a, n, k = architecture, layout.tensor_parallel, layout.attention_parallel
    used = np.minimum(a.experts_per_token / np.maximum(a.experts, 1.0), 1.0)
    attention = a.attention_parameters / k + a.replicated_parameters
    attention = attention + a.kv_projection_parameters * kv_head_share(a, k)
    tied = np.asarray(a.lm_head_parameters) <= 0
    head = np.where(tied, a.embedding_parameters, a.lm_head_parameters)
    return TokenFlops(
        attention_flop=2.0 * attention,
        wide_flop=2.0 * (a.mlp_parameters + a.expert_parameters * used) / n,
        lm_head_flop=2.0 * head / n,
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


def attention_flops(architecture: Architecture, isl: Any, osl: Any, ranks: Any) -> tuple[Any, Any]:
    """Operations of attention on one GPU: of one decoded token, and of one whole prompt.

    With ``e`` elements per head and token (keys and values together; in latent attention the
    compressed ones at decode and the expanded ones at prefill)::

        decode = 2 H/a e min(I + O/2, w)        prompt = 2 H/a e sum_t min(t, w)

    Parameters
    ----------
    architecture : Architecture
    isl, osl : float or array [token]
        Tokens of a request's prompt and answer.
    ranks : int or array [gpu]

    Returns
    -------
    tuple [FLOP]

    Source: arXiv 2205.14135 (FlashAttention), section 2, with causal masking; 2405.04434 (MLA).

    >>> from planner.catalogue import load_catalogue
    >>> llama = load_catalogue().model("meta-llama/Meta-Llama-3.1-8B")
    >>> decode, prompt = attention_flops(llama, 1000, 0, 1)
    >>> float(decode) * 1000 / 2 == float(prompt)
    True
    """
    isl, osl = np.asarray(isl, dtype=float), np.asarray(osl, dtype=float)
    heads = 2.0 * architecture.attention_heads / np.asarray(ranks, dtype=float)
    decode, prompt = 0.0, 0.0
    for group in architecture.groups:
        latent = np.asarray(group.latent_elements, dtype=float)
        plain = np.where(np.asarray(group.kv_heads) > 0, group.head_elements, 0.0)
        wide = heads * group.layers
        seen = np.minimum(_seen(group, isl + osl / 2.0), group.read_tokens)
        decode = decode + wide * (plain + 2.0 * latent + group.rope_elements) * seen
        window = np.minimum(
            group.window_tokens, np.asarray(group.read_tokens) * group.tokens_per_entry
        )
        near = np.minimum(isl, window)
        pairs = (isl * near - near**2 / 2.0) / group.tokens_per_entry
        prompt = prompt + wide * (plain + latent / 2.0 + group.rope_elements) * pairs
    return decode, prompt


def _seen(group: StateGroup, context: np.ndarray) -> Any:
    return np.minimum(context, group.window_tokens) / group.tokens_per_entry
