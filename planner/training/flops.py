"""Operations of training: what a token costs, and what share of the peak a speed reaches."""

from __future__ import annotations

from typing import Any

import numpy as np

from planner.catalogue import Architecture
from planner.errors import InvalidScenario
from planner.performance.work import prompt_attention_flops
from planner.training.methods import METHODS

FORWARD, BACKWARD_DATA, BACKWARD_WEIGHTS = 2.0, 2.0, 2.0
"""Operations per parameter and token: a multiply and an add in each of the three products."""
ATTENTION_PASSES = 3.0
"""Attention has no weights of its own: forward, and twice that backward, whatever is frozen."""


def trains_all(method: Any) -> np.ndarray:
    """1 where every weight gets a gradient, 0 where most are frozen.

    .. math:: [method = full]

    Parameters
    ----------
    method : str or sequence of str
        Of ``METHODS``.

    Returns
    -------
    array [1]

    Raises :class:`InvalidScenario` for another method.

    Source: arXiv 2106.09685 (LoRA); arXiv 2305.14314 (QLoRA).

    >>> trains_all(["full", "lora"]).tolist()
    [1.0, 0.0]
    """
    names = np.asarray(method)
    unknown = sorted(set(np.unique(names).tolist()) - set(METHODS))
    if unknown:
        raise InvalidScenario(
            f"The training method {unknown[0]!r} is not known; choose one of {', '.join(METHODS)}.",
            field="training.method",
        )
    return (names == "full").astype(float)


def linear_passes(method: Any, recompute: Any = 0.0) -> Any:
    """Operations per active parameter and token in the linear layers.

    .. math:: 2 + 2 + 2\\,[full] + 2\\,r

    Parameters
    ----------
    method : str or sequence of str
    recompute : float or array [fraction]
        Share of the forward pass that is computed again in the backward pass.

    Returns
    -------
    float or array [FLOP]

    Source: Kaplan et al. 2020 (arXiv 2001.08361), section 2.1, for the six; Narayanan et al. 2021
    (arXiv 2104.04473), section 5.1, for eight with recomputed activations.

    >>> float(linear_passes("full")), float(linear_passes("lora")), float(linear_passes("full", 1))
    (6.0, 4.0, 8.0)
    """
    weights = BACKWARD_WEIGHTS * trains_all(method)
    return FORWARD + BACKWARD_DATA + weights + FORWARD * np.asarray(recompute, dtype=float)


def attention_flops_per_token(
    model: Architecture, sequence_tokens: Any, recompute: Any = 0.0, causal: bool = True
) -> Any:
    """Operations of attention for one token of a training sequence.

    With causal masking a token looks back at half the sequence on average, or at its window:

    .. math:: 3 \\cdot 2 L H h s = 12 L H h s / 2 \\quad (+ 1/3\\ recomputed)

    Parameters
    ----------
    model : Architecture
    sequence_tokens : float or array [token]
    recompute : float or array [fraction]
    causal : bool
        False counts all pairs, as PaLM and Megatron do: twice as many.

    Returns
    -------
    float or array [FLOP]

    Source: Chowdhery et al. 2022 (arXiv 2204.02311), appendix B, for all pairs.

    >>> from planner.catalogue import load_catalogue
    >>> llama = load_catalogue().model("meta-llama/Meta-Llama-3.1-8B")
    >>> float(attention_flops_per_token(llama, 8192)) == 6 * 32 * 4096 * 8192
    True
    """
    tokens = np.asarray(sequence_tokens, dtype=float)
    forward = prompt_attention_flops(model, tokens, 1) / tokens
    passes = ATTENTION_PASSES + np.asarray(recompute, dtype=float)
    return passes * forward * (1.0 if causal else 2.0)


def flops_per_token(
    model: Architecture,
    sequence_tokens: Any,
    method: Any = "full",
    recompute: Any = 0.0,
    causal: bool = True,
) -> Any:
    """Operations that training on one token takes.

    Model FLOPs, which MFU is reckoned with, leave ``recompute`` at 0; hardware FLOPs count what is
    computed twice. Adapters' own weights are few and not counted.

    .. math:: 6 N_{active} + 12 L H h s / 2

    Parameters
    ----------
    model : Architecture
    sequence_tokens : float or array [token]
        Length of the sequences that are trained on.
    method : str or sequence of str
        ``full``; ``lora`` and ``qlora`` have no gradients of frozen weights: 4 instead of 6.
    recompute : float or array [fraction]
        Share of the forward pass that is computed again.
    causal : bool
        False counts attention to all pairs of tokens.

    Returns
    -------
    float or array [FLOP]

    Source: Chowdhery et al. 2022 (arXiv 2204.02311), appendix B; Korthikanti et al. 2022
    (arXiv 2205.05198), appendix A.

    >>> from planner.catalogue import load_catalogue
    >>> llama = load_catalogue().model("meta-llama/Meta-Llama-3-70B")
    >>> round(float(flops_per_token(llama, 8192)) / 1e9)
    449
    """
    linear = linear_passes(method, recompute) * np.asarray(model.active_parameters, dtype=float)
    return linear + attention_flops_per_token(model, sequence_tokens, recompute, causal)


def mfu(tokens_per_s_per_gpu: Any, flop_per_token: Any, peak_flops: Any) -> Any:
    """Model FLOPs utilisation: the share of a GPU's peak that a training speed amounts to.

    .. math:: MFU = \\frac{X\\, F}{P}

    Parameters
    ----------
    tokens_per_s_per_gpu : float or array [token/s]
    flop_per_token : float or array [FLOP]
        Without what is computed twice; see :func:`flops_per_token`.
    peak_flops : float or array [FLOP/s]
        Dense peak of one GPU in the format.

    Returns
    -------
    float or array [fraction]

    Source: Chowdhery et al. 2022 (arXiv 2204.02311), section 4.1 and appendix B.

    >>> round(float(mfu(1604.0, 449.2e9, 1979e12)), 3)
    0.364
    """
    achieved = np.asarray(tokens_per_s_per_gpu, dtype=float) * flop_per_token
    return achieved / np.asarray(peak_flops, dtype=float)
