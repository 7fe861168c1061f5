"""What things cost and since when: ``data/prices.csv`` and ``data/api_prices.csv``.

Every price is three numbers, ``low <= value <= high``: a published price is
seldom the one that will be paid. A list price of one vendor has all three
equal; a quotation of the user's own replaces all three
(:meth:`Price.as_quote`). Prices go stale, so each carries its date and
:func:`age_days` says how old it is.
"""

from __future__ import annotations

import calendar
import datetime
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

from planner.catalogue.records import Basis, Source
from planner.catalogue.tables import Row, read_rows
from planner.errors import InvalidScenario
from planner.units import UNITS


@dataclass(frozen=True, slots=True)
class Price:
    """One price or rate with its range, for a part of the bill.

    >>> source = Source("a retailer's listing", "", "2025-08", Basis.VENDOR_CLAIM)
    >>> Price("gpu/l4-24gb", "L4", "gpus", "USD/gpu", 2500, 2883, 3266, source).quoted
    False
    """

    id: str
    """Kind and thing, with a slash: ``gpu/l4-24gb``, ``licence/vcf``, ``residual/year-3``."""
    label: str
    part: str
    """Part of the bill it belongs to: ``gpus``, ``hosts``, ``licences``, ``staff`` ..."""
    unit: str
    """Unit of the three numbers, a key of :data:`planner.units.UNITS`."""
    low: float
    """Low end, in ``unit`` [1]."""
    value: float
    """What is used when nobody says otherwise, in ``unit`` [1]."""
    high: float
    """High end, in ``unit`` [1]."""
    source: Source
    note: str = ""
    quoted: bool = False
    """Whether it is a quotation of the user's own."""

    def as_quote(self, value: float, as_of: str) -> Price:
        """The same price replaced by what someone was quoted.

        Parameters
        ----------
        value : float
            In the price's own ``unit``; at least zero.
        as_of : str
            Date of the quotation: YYYY, YYYY-MM or YYYY-MM-DD.

        Returns
        -------
        Price
            Without a range, its source "your own quote".

        Raises :class:`InvalidScenario` for a negative price or an unreadable date.

        >>> source = Source("a blog", "", "2026", Basis.VENDOR_CLAIM)
        >>> listed = Price("licence/vcf", "VCF", "licences", "USD/core/year", 185, 230, 350, source)
        >>> ours = listed.as_quote(210, "2026-11-03")
        >>> ours.low, ours.value, ours.high, ours.source.title, ours.quoted
        (210.0, 210.0, 210.0, 'your own quote', True)
        """
        number = _amount(self.id, value)
        _latest_day(as_of, f"The date of the quotation for {self.id}")
        source = Source("your own quote", "", as_of, Basis.VENDOR_CLAIM)
        return replace(self, low=number, value=number, high=number, source=source, quoted=True)


@dataclass(frozen=True, slots=True)
class ApiPrice:
    """What one provider charges for the tokens of one model.

    >>> from planner.catalogue.catalogue import find_data
    >>> prices = read_api_prices(find_data() / "api_prices.csv")
    >>> one = prices["groq/gpt-oss-120b"]
    >>> one.serves, one.input, one.output
    ('openai/gpt-oss-120b', 0.15, 0.6)
    """

    id: str
    """Provider and model, with a slash."""
    provider: str
    model: str
    """The provider's own name for it."""
    serves: str
    """Id of the open-weights model in ``data/models.csv`` that is served, or blank."""
    input_low: float
    """Lowest price of a fresh input token among the providers of an open model
    [USD/million tokens]."""
    input: float
    """This provider's price of fresh input [USD/million tokens]."""
    input_high: float
    """Highest among the providers [USD/million tokens]."""
    cached_input: float
    """Price of input that the provider still has in its cache [USD/million tokens];
    not-a-number when unknown: such input is then billed as fresh input."""
    output_low: float
    """Lowest price of an output token among the providers [USD/million tokens]."""
    output: float
    """This provider's price of output, reasoning included [USD/million tokens]."""
    output_high: float
    """Highest among the providers [USD/million tokens]."""
    batch_fraction: float
    """Price in the provider's batch interface over the price above [fraction]; not-a-number
    where it has none or none is known."""
    context_tokens: float
    """Longest context offered [token]; not-a-number when not stated."""
    country: str
    """Country whose law the provider's parent answers to: two letters of ISO 3166-1."""
    source: Source
    note: str = ""


class Dated(Protocol):
    """Anything that says where it comes from."""

    @property
    def source(self) -> Source:
        """Where it comes from, and its date."""
        ...


Found = TypeVar("Found", bound=Dated)


def read_prices(path: Path) -> dict[str, Price]:
    """Every price of the table by id, ranges checked.

    Parameters
    ----------
    path : Path
        ``prices.csv``.

    Returns
    -------
    dict of str to Price

    Raises :class:`planner.errors.MissingData` when a range is out of order or a unit unknown.

    Source: each row's own ``source`` column.

    >>> from planner.catalogue.catalogue import find_data
    >>> vvf = read_prices(find_data() / "prices.csv")["licence/vvf"]
    >>> vvf.unit, vvf.low <= vvf.value <= vvf.high
    ('USD/core/year', True)
    """
    prices: dict[str, Price] = {}
    for row in read_rows(path):
        identity = row.required("id")
        if identity in prices:
            raise row.fault("id", "unique")
        if row.required("unit") not in UNITS:
            raise row.fault("unit", "a unit that the product knows")
        low, value, high = ordered(row, "low", "value", "high")
        prices[identity] = Price(
            id=identity,
            label=row.required("label"),
            part=row.required("part"),
            unit=row.required("unit"),
            low=low,
            value=value,
            high=high,
            source=row.source(),
            note=row.text("note"),
        )
    return prices


def read_api_prices(path: Path) -> dict[str, ApiPrice]:
    """Prices of the token interfaces by id.

    Parameters
    ----------
    path : Path
        ``api_prices.csv``.

    Returns
    -------
    dict of str to ApiPrice
        ``<provider>/<model>`` to record.

    Raises :class:`planner.errors.MissingData` when a range is out of order.

    Source: each row's own ``source`` column.

    >>> from planner.catalogue.catalogue import find_data
    >>> len(read_api_prices(find_data() / "api_prices.csv")) >= 80
    True
    """
    prices: dict[str, ApiPrice] = {}
    for row in read_rows(path):
        identity = row.required("id")
        if identity in prices:
            raise row.fault("id", "unique")
        prices[identity] = _api_price(row, identity)
    return prices


def _api_price(row: Row, identity: str) -> ApiPrice:
    input_low, price_in, input_high = ordered(row, "input_low", "input", "input_high")
    output_low, price_out, output_high = ordered(row, "output_low", "output", "output_high")
    return ApiPrice(
        id=identity,
        provider=row.required("provider"),
        model=row.required("model"),
        serves=row.text("serves"),
        input_low=input_low,
        input=price_in,
        input_high=input_high,
        cached_input=row.number("cached_input"),
        output_low=output_low,
        output=price_out,
        output_high=output_high,
        batch_fraction=row.number("batch_fraction"),
        context_tokens=row.number("context_tokens"),
        country=row.required("country"),
        source=row.source(),
        note=row.text("note"),
    )


def ordered(row: Row, low: str, value: str, high: str) -> tuple[float, float, float]:
    """Three cells of a row that must be numbers with ``0 <= low <= value <= high``.

    Parameters
    ----------
    row : Row
    low, value, high : str
        Names of the columns.

    Returns
    -------
    tuple of float
        Low, value, high.

    Raises :class:`planner.errors.MissingData` when one is blank or they are out of order.

    >>> ordered(Row(Path("t.csv"), 2, {"a": "1", "b": "2", "c": "2"}), "a", "b", "c")
    (1.0, 2.0, 2.0)
    """
    numbers = row.number(low), row.number(value), row.number(high)
    if not 0 <= numbers[0] <= numbers[1]:
        raise row.fault(low, f"at least 0 and at most {value}, {numbers[1]:g}")
    if not numbers[1] <= numbers[2]:
        raise row.fault(high, f"at least {value}, {numbers[1]:g}")
    return numbers


def age_days(as_of: str, today: datetime.date) -> int:
    """Days from a price's date to today, never overstated.

    A year or a month counts from its last day, the latest that the text can
    mean, but not from a day to come: the price is at least this old.

    Parameters
    ----------
    as_of : str
        YYYY, YYYY-MM or YYYY-MM-DD.
    today : datetime.date

    Returns
    -------
    int
        Days, at least zero [day].

    Raises :class:`InvalidScenario` when the text is no such date.

    >>> from datetime import date
    >>> age_days("2026-02", date(2026, 3, 10)), age_days("2026", date(2026, 3, 10))
    (10, 0)
    """
    return max(0, (today - _latest_day(as_of, "The date of a price")).days)


def oldest(prices: Iterable[Found], today: datetime.date) -> Found | None:
    """The record whose source is the oldest, the first of several.

    Parameters
    ----------
    prices : iterable of Price, ApiPrice or CloudOffer
    today : datetime.date

    Returns
    -------
    Price, ApiPrice, CloudOffer or None
        ``None`` when there are none.

    >>> from datetime import date
    >>> from planner.catalogue.catalogue import find_data
    >>> prices = read_prices(find_data() / "prices.csv")
    >>> oldest([prices["licence/vcf"], prices["spares/gpu-failures"]], date(2026, 12, 1)).unit
    'fraction'
    >>> oldest([], date(2026, 12, 1)) is None
    True
    """
    return max(prices, key=lambda one: age_days(one.source.as_of, today), default=None)


def _amount(identity: str, value: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        raise InvalidScenario(
            f"The quotation for {identity} is {value!r}, but a price must be a number of at "
            "least 0; correct it, or leave it out to use the published range.",
            field=identity,
        )
    return number


def _latest_day(text: str, what: str) -> datetime.date:
    """The last day that ``text`` can mean."""
    parts = str(text).split("-")
    try:
        if not 1 <= len(parts) <= 3 or [len(part) for part in parts] != [4, 2, 2][: len(parts)]:
            raise ValueError
        year, month = int(parts[0]), int(parts[1]) if len(parts) > 1 else 12
        last = calendar.monthrange(year, month)[1]
        return datetime.date(year, month, int(parts[2]) if len(parts) > 2 else last)
    except (ValueError, calendar.IllegalMonthError):
        raise InvalidScenario(
            f"{what} is {text!r}, but it must be YYYY, YYYY-MM or YYYY-MM-DD; write for "
            "example 2026-11."
        ) from None
