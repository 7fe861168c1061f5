"""How money is counted, and which offers are compared: the finance section of a scenario."""

from __future__ import annotations

import datetime
import math
from typing import Annotated, Any, Literal

from pydantic import field_serializer, field_validator

from planner.scenario.fields import Section, quantity


class FinanceSection(Section):
    """Horizon, rates, currency, what is compared, and the prices that users know better.

    >>> FinanceSection(quotes={"gpu/h100-sxm-80gb": 24000}).quoted
    {'gpu/h100-sxm-80gb': 24000.0}
    """

    horizon_years: Annotated[
        int,
        quantity(
            "Years over which costs and benefits are compared; demand grows once a year.",
            label="Horizon",
            unit="year",
            control="slider",
            term="tco",
            ge=1,
            le=7,
        ),
    ] = 3
    discount_fraction: Annotated[
        float,
        quantity(
            "What money now is worth over money in a year; ask finance for the cost of capital.",
            label="Discount rate a year",
            unit="fraction",
            control="slider",
            term="discount-rate",
            ge=0.0,
            le=0.3,
        ),
    ] = 0.08
    life_years: Annotated[
        int,
        quantity(
            "Years after which hardware is replaced and over which it is written off; large "
            "operators take five or six, sceptics two to three.",
            label="Life of hardware",
            unit="year",
            team="infrastructure",
            control="slider",
            term="depreciation",
            ge=2,
            le=7,
        ),
    ] = 5
    depreciation: Annotated[
        Literal["straight line", "macrs"],
        quantity(
            "How the books write hardware off; cash does not change with it.",
            label="Depreciation",
            control="choice",
            term="depreciation",
        ),
    ] = "straight line"
    cloud_provider: Annotated[
        str,
        quantity(
            "Whose instances are compared; the cheapest that policy allows, or one provider's.",
            label="Cloud provider",
            team="infrastructure",
            control="choice",
            term="on-demand",
            min_length=1,
            max_length=60,
        ),
    ] = "cheapest"
    cloud_hours: Annotated[
        Literal["always", "follow"],
        quantity(
            "Whether rented instances run in every hour of service, or are started and stopped "
            "with the week's demand; commitments are paid in either case.",
            label="Rented instances",
            control="choice",
            term="on-demand",
        ),
    ] = "follow"
    scale_up_s: Annotated[
        float,
        quantity(
            "From asking for another instance until it answers: boot, image, weights. It is paid "
            "for, and must be begun that much earlier.",
            label="Time to scale up",
            unit="s",
            team="infrastructure",
            control="log slider",
            term="scale-up-delay",
            ge=10.0,
            le=3600.0,
        ),
    ] = 600.0
    cloud_staff_fte: Annotated[
        float,
        quantity(
            "Full-time people who run the rented instances; a quarter is an assumption.",
            label="People for the cloud",
            unit="1",
            team="infrastructure",
            control="slider",
            term="staff",
            ge=0.0,
            le=5.0,
        ),
    ] = 0.25
    api: Annotated[
        str,
        quantity(
            "Hosted model to compare with: the same model where someone hosts it, or any other, "
            "as good for the task as you judge it to be.",
            label="API to compare",
            team="data science",
            control="search",
            term="api-price",
            min_length=1,
            max_length=200,
        ),
    ] = "openai/gpt-6-luna"
    api_batch_fraction: Annotated[
        float,
        quantity(
            "Share of the requests that can wait hours for a batch interface at half the price, "
            "where there is one.",
            label="Requests that may wait",
            unit="fraction",
            team="data science",
            control="slider",
            term="batch-discount",
            ge=0.0,
            le=1.0,
        ),
    ] = 0.0
    api_staff_fte: Annotated[
        float,
        quantity(
            "Full-time people who look after the use of an API: keys, budgets, evaluation; a "
            "tenth is an assumption.",
            label="People for the API",
            unit="1",
            control="slider",
            term="staff",
            ge=0.0,
            le=5.0,
        ),
    ] = 0.1
    currency: Annotated[
        str,
        quantity(
            "Currency of the pictures, by its three letters; prices are kept in US dollars.",
            label="Currency",
            control="text",
            term="exchange-rate",
            min_length=3,
            max_length=3,
            pattern="^[A-Z]{3}$",
        ),
    ] = "USD"
    currency_per_usd: Annotated[
        float,
        quantity(
            "Units of that currency for one US dollar.",
            label="for one US dollar",
            unit="1",
            term="exchange-rate",
            ge=1e-6,
            le=1e6,
        ),
    ] = 1.0
    currency_as_of: Annotated[
        str,
        quantity(
            "Date of that rate, such as 2026-11-24.",
            label="Rate of",
            unit="date",
            control="text",
            term="exchange-rate",
            max_length=10,
        ),
    ] = ""
    quotes: Annotated[
        tuple[tuple[str, float], ...],
        quantity(
            "Your own prices by the price's id; each replaces the published one and its range.",
            label="Your own quotes",
            unit="USD",
            control="quotes",
            term="quote",
            max_length=60,
        ),
    ] = ()
    quotes_as_of: Annotated[
        str,
        quantity(
            "Date of your quotes, such as 2026-11-24.",
            label="Quotes of",
            unit="date",
            control="text",
            term="quote",
            max_length=10,
        ),
    ] = ""

    @property
    def quoted(self) -> dict[str, float]:
        """The user's own prices by price id, in the unit of that price."""
        return dict(self.quotes)

    @field_validator("quotes", mode="before")
    @classmethod
    def _from_mapping(cls, value: Any) -> Any:
        pairs = tuple(value.items()) if isinstance(value, dict) else value
        if not isinstance(pairs, tuple | list):
            raise ValueError("must be a mapping of price ids to prices")
        return tuple(_quote(pair) for pair in pairs)

    @field_serializer("quotes")
    def _to_mapping(self, value: tuple[tuple[str, float], ...]) -> dict[str, float]:
        return dict(value)

    @field_validator("currency_as_of", "quotes_as_of", mode="before")
    @classmethod
    def _a_date(cls, value: Any) -> Any:
        # YAML reads an unquoted date as a date.
        text = value.isoformat() if isinstance(value, datetime.date) else value
        if isinstance(text, str) and text:
            try:
                datetime.date.fromisoformat(text)
            except ValueError:
                raise ValueError("must be a date such as 2026-11-24, or empty") from None
        return text


def _quote(pair: Any) -> tuple[str, float]:
    """A price's id and what it costs, checked; a price may be zero."""
    name, price = pair if isinstance(pair, tuple | list) and len(pair) == 2 else (None, None)
    number = isinstance(price, int | float) and not isinstance(price, bool)
    if not isinstance(name, str) or not 0 < len(name) <= 120 or not number:
        raise ValueError("must be a mapping of price ids to prices")
    if not (math.isfinite(price) and 0.0 <= price <= 1e12):
        raise ValueError(f"must be prices of zero or more; '{name}' is {price}")
    return name, float(price)
