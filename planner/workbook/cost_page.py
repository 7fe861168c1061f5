"""The page of cost: own it, rent it, or call it."""

from __future__ import annotations

from planner.catalogue import Catalogue
from planner.workbook.controls import section
from planner.workbook.hints import MONEY
from planner.workbook.links import links_from
from planner.workbook.pages import Page, chart, table
from planner.workbook.sections import COST_COLLAPSED, COST_SECTIONS


def own_rent_or_call(catalogue: Catalogue) -> Page:
    """The page of cost, energy and policy.

    Parameters
    ----------
    catalogue : Catalogue

    Returns
    -------
    dict

    >>> from planner.catalogue import load_catalogue
    >>> own_rent_or_call(load_catalogue())["title"]
    'Own it, rent it, or call it?'
    """
    return {
        "id": "own-rent-or-call",
        "kind": "dashboard",
        "topics": [MONEY],
        "title": "Own it, rent it, or call it?",
        "lead": "What it costs on your premises, in each cloud and behind an API.",
        "sections": [
            {**section(title, paths, catalogue), "collapsed": title in COST_COLLAPSED}
            for title, paths in COST_SECTIONS.items()
        ],
        "charts": [
            chart("cash", "Money spent, month by month", "range of all prices", 300, wide=True),
            chart("crossing", "What a used GPU-hour costs", "owned and rented, by use", 300),
            chart("power", "The week's power", "what the owned hosts draw", 300),
            chart("parts", "What the money goes to", "by way", 330, kind="stack", wide=True),
            table("venues", "Every way to run it", "side by side"),
            table("rules", "What policy says", "by way and rule"),
            table("prices", "Prices used", "put your own quotes in their place", "prices"),
        ],
        "links": links_from("3-own-rent-or-call.ipynb"),
    }
