"""Money in the reader's currency."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from planner.units import format_number


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency by a rate that the user sets; inside, money stays in US dollars.

    >>> Currency("EUR", 0.8, "2026-11-24").show(1_250_000.0)
    'EUR 1.00 million'
    """

    code: str = "USD"
    per_usd: float = 1.0
    """Units of the currency for one dollar [1]."""
    as_of: str = ""
    """Date of the rate, or empty when the user gave none."""

    def of_usd(self, usd: Any) -> Any:
        """Dollars as this currency.

        Parameters
        ----------
        usd : float or array [USD]

        Returns
        -------
        float or array [1]
            Units of this currency.
        """
        return usd * self.per_usd

    def to_usd(self, amount: Any) -> Any:
        """This currency as dollars.

        Parameters
        ----------
        amount : float or array [1]
            Units of this currency.

        Returns
        -------
        float or array [USD]
        """
        return amount / self.per_usd

    def show(self, usd: float, digits: int = 3) -> str:
        """An amount as people read it: rounded, with its currency.

        Parameters
        ----------
        usd : float [USD]
        digits : int [1]
            Significant figures.

        Returns
        -------
        str
            Not a quantity [text].
        """
        amount = self.of_usd(usd)
        if not math.isfinite(amount):
            return "without end" if amount > 0 else "unknown"
        sign = "−" if amount < 0 else ""
        size, word = abs(amount), ""
        for scale, name in ((1e9, " billion"), (1e6, " million")):
            # 999,999 rounds to a million, and should say so.
            if float(f"{size:.{digits - 1}e}") >= scale:
                size, word = size / scale, name
                break
        mark = "$" if self.code == "USD" else f"{self.code} "
        if word:
            shown = f"{size:.{max(digits - 1 - int(math.log10(max(size, 1.0))), 0)}f}"
        elif size >= 100:
            shown = f"{float(f'{size:.{digits - 1}e}'):,.0f}"
        elif size >= 1:
            shown = f"{size:.2f}"
        else:
            shown = format_number(size, digits)
        return f"{sign}{mark}{shown}{word}"
