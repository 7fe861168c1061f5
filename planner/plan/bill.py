"""The lines behind a total of money, as an explanation shows them."""

from __future__ import annotations

from dataclasses import dataclass

from planner.catalogue import Basis, Price
from planner.plan.price_list import currency_of
from planner.plan.records import Plan
from planner.plan.setting import Venue
from planner.units import format_number

TOTALS = ("cheapest", "own", "rent", "call")
"""Totals of the answer about cost that are the sum of one way's lines."""
_MANY = 3
"""More prices than these are counted, not listed."""


@dataclass(frozen=True, slots=True)
class BillLine:
    """One line of a bill, with the prices that it rests on."""

    label: str
    value: str
    prices: str
    as_of: str
    """Earliest date of those prices."""
    basis: Basis


def bill_of(plan: Plan, path: str) -> tuple[BillLine, ...]:
    """Every line of the way whose total a number is; none for other numbers.

    Parameters
    ----------
    plan : Plan
    path : str
        Dotted path of an answer, such as ``cost.own_usd``.

    Returns
    -------
    tuple of BillLine

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> plan = evaluate(Scenario(), load_catalogue())
    >>> [line.label for line in bill_of(plan, "cost.call_usd")][:2], bill_of(plan, "fit.gpus")
    (['Tokens read', 'Tokens read from its cache'], ())
    """
    name = path.removeprefix("cost.").removesuffix("_usd")
    if not path.startswith("cost.") or name not in TOTALS:
        return ()
    found = plan.money.compared
    way = found.best if name == "cheapest" else getattr(found, name)
    return _lines(plan, way) if way is not None else ()


def _lines(plan: Plan, way: Venue) -> tuple[BillLine, ...]:
    currency, book = currency_of(plan.scenario), plan.money.book
    found = []
    for line in way.lines:
        prices = [book.price(name) for name in line.prices]
        words = "; ".join(_words(one) for one in prices[:_MANY])
        more = f"; and {len(prices) - _MANY} more" if len(prices) > _MANY else ""
        found.append(
            BillLine(
                line.label,
                currency.show(float(line.usd[0].sum())),
                words + more,
                min((one.source.as_of for one in prices), default=""),
                line.basis,
            )
        )
    return tuple(found)


def _words(price: Price) -> str:
    quoted = " (your quote)" if price.quoted else ""
    if price.unit == "fraction":
        return f"{price.label}: {format_number(100.0 * price.value)} %{quoted}"
    unit = "" if price.unit == "1" else f" {price.unit}"
    return f"{price.label}: {format_number(price.value, 4)}{unit}{quoted}"
