"""What calling costs: tokens by kind, and the people who look after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.catalogue import ApiPrice, Basis, weakest
from planner.cost.lines import Line
from planner.cost.pricebook import PriceBook
from planner.cost.tokens import batch_factor, tokens_usd

Array = Any


@dataclass(frozen=True, slots=True)
class TokenVolume:
    """Tokens of each year; years along the last axis."""

    fresh_input: np.ndarray
    """Read anew [token]."""
    cached_input: np.ndarray
    """Read from the provider's prompt cache [token]."""
    output: np.ndarray
    """Written, reasoning included [token]."""
    batch_fraction: float
    """Share of the requests that can wait for a batch interface [fraction]."""
    staff_fte: float
    """Full-time people [1]."""
    basis: Basis = Basis.DERIVED

    @property
    def total(self) -> np.ndarray:
        """All tokens of each year [token]."""
        return self.fresh_input + self.cached_input + self.output


def hosted_lines(volume: TokenVolume, book: PriceBook, api: ApiPrice) -> tuple[Line, ...]:
    """Every line of calling an API, year by year.

    .. math:: C = (Q_{in} p_{in} + Q_{cached} p_{cached} + Q_{out} p_{out}) d + people

    Parameters
    ----------
    volume : TokenVolume
    book : PriceBook
        Holds ``api/<id>/input``, ``/cached`` and ``/output``, see
        :func:`planner.cost.api_prices`.
    api : ApiPrice

    Returns
    -------
    tuple of Line
        [USD] in each year; draws along the first axis.

    Source: the providers' price lists; batches at half the price where offered.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.cost import api_prices
    >>> api = load_catalogue().api_prices["groq/gpt-oss-120b"]
    >>> prices = {p.id: p for p in api_prices(api)} | dict(load_catalogue().prices)
    >>> none = np.zeros(1)
    >>> volume = TokenVolume(np.array([1e9]), none, np.array([1e8]), 0.0, 0.0)
    >>> lines = hosted_lines(volume, PriceBook(prices, draws=0), api)
    >>> round(float(sum(line.usd[0, 0] for line in lines)), 2)
    210.0
    """
    factor = batch_factor(volume.batch_fraction, api.batch_fraction)
    kinds = (
        ("input", "Tokens read", volume.fresh_input),
        ("cached", "Tokens read from its cache", volume.cached_input),
        ("output", "Tokens written", volume.output),
    )
    lines = [
        _line(
            volume,
            book,
            kind,
            label,
            "tokens",
            tokens_usd(tokens, book[f"api/{api.id}/{kind}"], factor),
            f"api/{api.id}/{kind}",
        )
        for kind, label, tokens in kinds
    ]
    people = "staff/fte"
    asked = (volume.total > 0).astype(float)
    return (
        *lines,
        _line(
            volume,
            book,
            "staff",
            "People who look after it",
            "people",
            volume.staff_fte * asked * book[people],
            people,
        ),
    )


def _line(
    volume: TokenVolume, book: PriceBook, name: str, label: str, part: str, usd: Array, *prices: str
) -> Line:
    basis = weakest(volume.basis, book.basis(*prices))
    return Line(name, label, part, np.asarray(usd, dtype=float), "monthly", prices, basis)
