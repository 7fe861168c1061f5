"""The page of value: is the work worth more than it costs?"""

from __future__ import annotations

from planner.catalogue import Catalogue
from planner.workbook.controls import section
from planner.workbook.hints import VALUE
from planner.workbook.links import links_from
from planner.workbook.pages import Page, chart
from planner.workbook.sections import DEMAND_SECTIONS, MONEY_SECTIONS, SECTIONS

VALUE_SECTIONS: dict[str, tuple[str, ...]] = {
    "The work and its worth": MONEY_SECTIONS["The work and its worth"],
    "The demand": (*DEMAND_SECTIONS["The demand"], "demand.growth_fraction_per_year"),
    "The money": (
        "finance.horizon_years",
        "finance.discount_fraction",
        "finance.currency",
        "finance.currency_per_usd",
        "finance.currency_as_of",
    ),
    "The model": SECTIONS["The model"],
    "The hardware": SECTIONS["The hardware"],
}
"""What the page asks: the work first, then how much of it, and last what it runs on."""
VALUE_COLLAPSED = {"The model", "The hardware"}


def is_it_worth_it(catalogue: Catalogue) -> Page:
    """The page of value.

    Parameters
    ----------
    catalogue : Catalogue

    Returns
    -------
    dict

    >>> from planner.catalogue import load_catalogue
    >>> is_it_worth_it(load_catalogue())["title"]
    'Is it worth it?'
    """
    return {
        "id": "is-it-worth-it",
        "kind": "dashboard",
        "topics": [VALUE],
        "title": "Is it worth it?",
        "lead": "What a task costs, what it is worth, and when it pays back.",
        "sections": [
            {**section(title, paths, catalogue), "collapsed": title in VALUE_COLLAPSED}
            for title, paths in VALUE_SECTIONS.items()
        ],
        "charts": [
            chart(
                "worth", "What it brings, less what it costs", "over the horizon", 320, kind="bars"
            ),
            chart("kill_line", "The kill line", "a task, by tasks a month", 320),
            chart("payback", "When the money comes back", "in less out, by month", 320),
            chart(
                "levers", "What would turn it", "each alone, all else as it is", 320, kind="bars"
            ),
        ],
        "links": links_from("6-is-it-worth-it.ipynb"),
    }
