"""What an API bills: tokens read, tokens found in its cache, tokens written."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any


def blended_usd_per_million_tokens(
    input_usd: Array,
    output_usd: Array,
    input_fraction: Array,
    cached_usd: Array = np.nan,
    cached_fraction: Array = 0.0,
) -> Array:
    """Price of the mean token of a mix of input and output.

    .. math:: p = f_{in} ((1 - c) p_{in} + c\\, p_{cached}) + (1 - f_{in}) p_{out}

    Parameters
    ----------
    input_usd, output_usd : float or array [USD/million tokens]
    input_fraction : float or array [fraction]
        Input tokens among all tokens: 1/3 for one read and two written.
    cached_usd : float or array [USD/million tokens]
        Price of input found in the provider's prompt cache; not-a-number when there is none, then
        cached tokens are billed as input.
    cached_fraction : float or array [fraction]
        Share of the input tokens found there.

    Returns
    -------
    float or array [USD/million tokens]

    Source: Pan et al. 2025, arXiv 2509.18101: one third input, two thirds output; GPT-5 at 1.25 and
    10 is 7.083.

    >>> round(float(blended_usd_per_million_tokens(1.25, 10.0, 1 / 3)), 3)
    7.083
    """
    fraction = np.asarray(input_fraction, dtype=float)
    cached = np.where(np.isnan(cached_usd), input_usd, cached_usd)
    read = (1.0 - np.asarray(cached_fraction)) * input_usd + cached_fraction * cached
    return (fraction * read + (1.0 - fraction) * output_usd)[()]


def tokens_usd(tokens: Array, usd_per_million: Array, discounted: Array = 1.0) -> Array:
    """What so many tokens cost.

    .. math:: C = Q\\, p\\, d / 10^6

    Parameters
    ----------
    tokens : float or array [token]
    usd_per_million : float or array [USD/million tokens]
    discounted : float or array [1]
        Mean price factor: 1, or less where part of the requests goes through a batch interface.

    Returns
    -------
    float or array [USD]

    Source: definition of a price per million tokens.

    >>> float(tokens_usd(2e9, 0.5))
    1000.0
    """
    return np.asarray(tokens, dtype=float)[()] * usd_per_million * discounted / 1e6


def batch_factor(batch_fraction: Array, batch_price_factor: Array) -> Array:
    """Mean price factor when part of the requests can wait for a batch interface.

    .. math:: d = 1 - b (1 - k)

    Parameters
    ----------
    batch_fraction : float or array [fraction]
        Requests that can wait.
    batch_price_factor : float or array [1]
        What they cost of the usual price, 0.5 for half; not-a-number where no batch interface is
        known, which saves nothing.

    Returns
    -------
    float or array [1]

    Source: definition; OpenAI, Anthropic and Google offer batches at half the price.

    >>> float(batch_factor(0.4, 0.5)), float(batch_factor(0.4, np.nan))
    (0.8, 1.0)
    """
    factor = np.where(np.isnan(batch_price_factor), 1.0, batch_price_factor)
    return (1.0 - np.asarray(batch_fraction, dtype=float) * (1.0 - factor))[()]
