"""Prices as the cost chain reads them: the nominal one first, then draws from each range."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from planner.catalogue import ApiPrice, Basis, CloudOffer, Price, weakest
from planner.errors import InvalidScenario, MissingData

DRAWS = 128
"""Draws of every price behind a band [1]."""
LOW_FRACTION, HIGH_FRACTION = 0.1, 0.9
"""Ends of a band: 80 of 100 draws lie between them [fraction]."""


@dataclass(frozen=True)
class PriceBook:
    """Every price by id, the user's quotes in place of published ones, and how many draws to take.

    >>> from planner.catalogue import load_catalogue
    >>> book = PriceBook.of(load_catalogue().prices, {"licence/vcf": 200.0}, "2026-11-01", draws=4)
    >>> book["licence/vcf"].ravel().tolist()
    [200.0, 200.0, 200.0, 200.0, 200.0]
    """

    prices: Mapping[str, Price]
    draws: int = DRAWS
    """Draws beside the nominal price [1]."""
    seed: int = 0
    _drawn: dict[str, np.ndarray] = field(default_factory=dict, repr=False, compare=False)
    _bases: dict[tuple[str, ...], Basis] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        prices: Mapping[str, Price],
        quotes: Mapping[str, float] | None = None,
        quotes_as_of: str = "",
        draws: int = DRAWS,
        seed: int = 0,
    ) -> PriceBook:
        """A book of published prices with the user's own in place.

        Parameters
        ----------
        prices : mapping of str to Price
        quotes : mapping, optional
            Price id to the user's price, in the unit of that price.
        quotes_as_of : str
            Date of the quotes; empty when unknown.
        draws, seed : int [1]

        Returns
        -------
        PriceBook

        Raises :class:`InvalidScenario` for a quote of a price that does not exist.
        """
        found = dict(prices)
        for name, usd in (quotes or {}).items():
            if name not in found:
                raise InvalidScenario(
                    f"finance.quotes has a price '{name}' that the workbook does not know; choose "
                    "one from the table of prices.",
                    field="finance.quotes",
                )
            found[name] = found[name].as_quote(usd, quotes_as_of or "2026")
        return cls(found, draws, seed)

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._drawn:
            price = self.price(name)
            draw = _kept if self.draws <= _KEPT_DRAWS else _drawn
            self._drawn[name] = draw(
                name, price.low, price.value, price.high, self.draws, self.seed
            )
        return self._drawn[name]

    def price(self, name: str) -> Price:
        """The price with this id.

        Parameters
        ----------
        name : str

        Returns
        -------
        Price
            Low, value and high in its own unit [USD].

        Raises :class:`MissingData` where none is known; the sentence asks for a quote.
        """
        if name not in self.prices:
            raise MissingData(
                f"No price '{name}' is known; enter your own quote for it, or compare other ways."
            )
        return self.prices[name]

    def basis(self, *names: str) -> Basis:
        """The weakest basis of these prices.

        Parameters
        ----------
        *names : str

        Returns
        -------
        Basis
            Not a quantity [1].
        """
        if names not in self._bases:
            bases = (self.price(name).source.basis for name in names)
            self._bases[names] = weakest(Basis.DERIVED, *bases)
        return self._bases[names]


def _drawn(name: str, low: float, value: float, high: float, draws: int, seed: int) -> np.ndarray:
    """The nominal price and its draws, along the first of two axes."""
    drawn = triangular(_positions(name, draws, seed), low, value, high)
    found = np.concatenate([[value], drawn])[:, None]
    found.flags.writeable = False
    return found


_KEPT_DRAWS = 1000
_kept = lru_cache(maxsize=2048)(_drawn)
"""Prices seldom change from one move of a slider to the next."""


@lru_cache(maxsize=512)
def _positions(name: str, draws: int, seed: int) -> np.ndarray:
    """Places in a price's distribution, one in each of as many equal parts (a Latin hypercube).

    They depend on the price's name alone, so that changing one price moves no other.
    """
    random = np.random.default_rng([zlib.crc32(name.encode()), seed])
    return (random.permutation(draws) + random.random(draws)) / max(draws, 1)


def positions(name: str, draws: int, seed: int = 0) -> np.ndarray:
    """Where in its distribution each draw of a quantity lies, nominal left out.

    .. math:: u_i = (\\pi_i + U_i) / n

    Parameters
    ----------
    name : str
        Of the quantity; two names are drawn independently.
    draws, seed : int [1]

    Returns
    -------
    array [fraction]

    Source: McKay, Beckman and Conover 1979, Latin hypercube sampling.

    >>> bool(0.0 <= positions("gpus", 8).min() < positions("gpus", 8).max() < 1.0)
    True
    """
    return _positions(name, draws, seed)


def triangular(place: Any, low: Any, mode: Any, high: Any) -> Any:
    """The value at a place of the triangular distribution between two ends, likeliest at its mode.

    .. math::

        x = a + \\sqrt{u (b - a)(m - a)} \\text{ up to the mode, else }
        b - \\sqrt{(1 - u)(b - a)(b - m)}

    Parameters
    ----------
    place : float or array [fraction]
        0 for the low end, 1 for the high one.
    low, mode, high : float or array [USD]

    Returns
    -------
    float or array [USD]

    Source: inverse distribution function of the triangular distribution.

    >>> float(triangular(0.5, 0.0, 1.0, 2.0)), float(triangular(0.3, 5.0, 5.0, 5.0))
    (1.0, 5.0)
    """
    place = np.asarray(place, dtype=float)
    span = np.asarray(high, dtype=float) - low
    rising = low + np.sqrt(place * span * (np.asarray(mode, dtype=float) - low))
    falling = high - np.sqrt((1.0 - place) * span * (high - np.asarray(mode, dtype=float)))
    at_mode = np.where(span > 0, (mode - low) / np.where(span > 0, span, 1.0), 0.0)
    return np.where(place < at_mode, rising, falling)


def band(values: Any) -> tuple[float, float, float]:
    """Low, nominal and high of a result whose first axis is the nominal price, then draws.

    .. math:: (Q_{10}, x_0, Q_{90})

    Parameters
    ----------
    values : array [1]
        May hold infinities ("never").

    Returns
    -------
    tuple of float [1]
        The nominal value is kept within the band.

    Source: quantiles of the draws.

    >>> band(np.array([2.0, 1.0, 2.0, 3.0]))
    (1.0, 2.0, 3.0)
    """
    values = np.ravel(np.asarray(values, dtype=float))
    nominal = float(values[0])
    draws = np.sort(values[1:]) if len(values) > 1 else values
    last = len(draws) - 1
    # No interpolation: halfway to "never" is no number.
    low, high = (
        float(draws[round(share * last)]) if last > 2 else float(draws[end])
        for share, end in ((LOW_FRACTION, 0), (HIGH_FRACTION, -1))
    )
    return min(low, nominal), nominal, max(high, nominal)


def offer_price(offer: CloudOffer) -> Price:
    """A cloud offer as a price of the book.

    .. math:: id = \\text{cloud/} + offer

    Parameters
    ----------
    offer : CloudOffer

    Returns
    -------
    Price
        Of the whole instance [USD/h].

    Source: the offer's own.

    >>> from planner.catalogue import load_catalogue
    >>> offer_price(load_catalogue().cloud_offers[0]).id.startswith("cloud/")
    True
    """
    return Price(
        f"cloud/{offer.id}",
        f"{offer.instance}, {offer.tier}, {offer.provider} {offer.region}".strip(),
        "instances",
        "USD/h",
        offer.low,
        offer.value,
        offer.high,
        offer.source,
        offer.note,
    )


def api_prices(one: ApiPrice) -> tuple[Price, ...]:
    """What an API bills, as prices of the book: input, cached input and output.

    .. math:: id = \\text{api/} + id + \\text{/input}, ...

    Parameters
    ----------
    one : ApiPrice

    Returns
    -------
    tuple of Price
        [USD/million tokens]; cached input costs what input does where no price is known.

    Source: the API price's own.

    >>> from planner.catalogue import load_catalogue
    >>> api = load_catalogue().api_prices["groq/gpt-oss-120b"]
    >>> [price.id.rsplit("/", 1)[1] for price in api_prices(api)]
    ['input', 'cached', 'output']
    """
    known = one.cached_input == one.cached_input
    # The spread over providers holds for cached input in the same proportion.
    share = one.cached_input / one.input if known and one.input else 1.0
    ends = {
        "input": (one.input_low, one.input, one.input_high),
        "cached": tuple(share * v for v in (one.input_low, one.input, one.input_high)),
        "output": (one.output_low, one.output, one.output_high),
    }
    return tuple(
        Price(
            f"api/{one.id}/{kind}",
            f"{one.model} at {one.provider}, {kind}",
            "tokens",
            "USD/million tokens",
            *values,
            one.source,
            one.note,
        )
        for kind, values in ends.items()
    )


def used(prices: Iterable[str], book: PriceBook) -> tuple[Price, ...]:
    """The prices behind some lines, each once, in the order of first use.

    .. math:: \\{p_i\\}

    Parameters
    ----------
    prices : iterable of str
    book : PriceBook

    Returns
    -------
    tuple of Price
        [USD]

    Source: bookkeeping.

    >>> from planner.catalogue import load_catalogue
    >>> book = PriceBook(load_catalogue().prices)
    >>> [price.id for price in used(["licence/vcf", "licence/vcf"], book)]
    ['licence/vcf']
    """
    return tuple(book.price(name) for name in dict.fromkeys(prices))
