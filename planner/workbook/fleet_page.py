"""The page of the fleet: what size of tool each workload needs, and where it all goes."""

from __future__ import annotations

from planner.catalogue import Catalogue
from planner.workbook.controls import control, section
from planner.workbook.hints import FLEET
from planner.workbook.links import links_from
from planner.workbook.pages import Page, chart, table
from planner.workbook.sections import FLEET_COLLAPSED, FLEET_SECTIONS, ORDERS


def carve_and_place(catalogue: Catalogue) -> Page:
    """The page of several teams' workloads on one fleet.

    Parameters
    ----------
    catalogue : Catalogue

    Returns
    -------
    dict

    >>> from planner.catalogue import load_catalogue
    >>> carve_and_place(load_catalogue())["title"]
    'Shovel, spade or backhoe?'
    """
    return {
        "id": "carve-and-place",
        "kind": "dashboard",
        "topics": [FLEET],
        "title": "Shovel, spade or backhoe?",
        "lead": "A slice, a GPU, a host or several: the right size for each, on one fleet.",
        "sections": [
            {**section(title, paths, catalogue), "collapsed": title in FLEET_COLLAPSED}
            for title, paths in FLEET_SECTIONS.items()
        ],
        "charts": [
            chart("fleet_map", "The fleet, GPU by GPU", "who sits where", 380, wide=True),
            chart("fleet_tools", "The right tool for each", "and the next size down and up", 340),
            chart("fleet_policies", "The same work, placed otherwise", "by placement policy", 340),
            chart(
                "fleet_calendar", "The calendar", "what is booked, and what idles", 320, wide=True
            ),
            table("fleet-tools", "Why this size", "by workload"),
            table("fleet-workloads", "Every workload", "sized and placed"),
            table("fleet-hosts", "Every host", "used, left over, and safe to lose"),
            table("fleet-rules", "What the platform allows", "by group of hosts, with sources"),
        ],
        "panels": [
            {
                "id": "orders",
                "title": "In any order of power-on",
                "lead": "Does it all fit whatever starts first? Many random orders are tried.",
                "button": "Try the orders",
                "controls": [control(path, catalogue) for path in ORDERS],
                "height": 260,
            },
            {
                "id": "proof",
                "title": "Is there a better placement?",
                "lead": "An exact search, to the end or for as long as is reasonable.",
                "button": "Prove it",
            },
            {
                "id": "files",
                "title": "Take it along",
                "lead": "This placement, for people and for machines.",
            },
        ],
        "links": links_from("4-carve-and-place.ipynb"),
    }
