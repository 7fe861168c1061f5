"""What each dashboard shows, as plain data for the page's script."""

from __future__ import annotations

from typing import Any

from planner.catalogue import Catalogue
from planner.scenario import EXAMPLES, field_schema, load_example
from planner.workbook.controls import control, section
from planner.workbook.hints import MEMORY, MONEY, SPEED, VALUE
from planner.workbook.links import links_from
from planner.workbook.sections import (
    COLLAPSED,
    DEMAND_SECTIONS,
    FLEET,
    HOSTS,
    MONEY_SECTIONS,
    PROMISED,
    SECTIONS,
    SPEED_SECTIONS,
)

Page = dict[str, Any]


def will_it_fit(catalogue: Catalogue) -> Page:
    """The page of memory.

    Parameters
    ----------
    catalogue : Catalogue

    Returns
    -------
    dict

    >>> from planner.catalogue import load_catalogue
    >>> will_it_fit(load_catalogue())["title"]
    'Will it fit?'
    """
    return {
        "id": "will-it-fit",
        "kind": "dashboard",
        "topics": [MEMORY],
        "title": "Will it fit?",
        "lead": "The memory that a model needs, and the GPUs that hold it.",
        "sections": [
            {**section(title, paths, catalogue), "collapsed": title == "The engine"}
            for title, paths in SECTIONS.items()
        ],
        "charts": [
            chart("memory", "Memory on each GPU, by part", "over more GPUs", 236),
            chart("precisions", "GPUs by weight precision", "fewer bits, fewer GPUs", 236),
            {
                "id": "map",
                "title": "Every GPU, every precision",
                "lead": "fewest GPUs; click to choose",
                "kind": "table",
            },
            chart("quality", "What each precision gives up", "published comparisons", 450),
        ],
        "links": links_from("1-will-it-fit.ipynb"),
    }


def how_fast_how_many(catalogue: Catalogue) -> Page:
    """The page of speed and numbers.

    Parameters
    ----------
    catalogue : Catalogue

    Returns
    -------
    dict

    >>> from planner.catalogue import load_catalogue
    >>> [panel["id"] for panel in how_fast_how_many(load_catalogue())["panels"]]
    ['simulation', 'served']
    """
    return {
        "id": "how-fast-how-many",
        "kind": "dashboard",
        "topics": [SPEED],
        "title": "How fast, and how many?",
        "lead": "The GPUs that so many people need at this speed, and what idles at night.",
        "sections": [
            {**section(title, paths, catalogue), "collapsed": title in COLLAPSED}
            for title, paths in SPEED_SECTIONS.items()
        ],
        "charts": [
            chart("trade_off", "Many users or fast ones", "as the batch grows", 320),
            chart("step", "Where the time goes", "limits in red", 320, kind="bars"),
            chart("week", "A week, hour by hour", "what stands ready, and what idles", 236),
            chart("growth", "GPUs as demand grows", "with the range of the prediction", 236),
        ],
        "panels": [
            {
                "id": "simulation",
                "title": "Check by simulation",
                "lead": "The formulas beside the busiest hour, request by request.",
                "button": "Run the simulation",
            },
            {
                "id": "served",
                "title": "What can this hardware serve?",
                "lead": "Every model on the hosts at hand, for this demand and service level.",
                "controls": [control(path, catalogue) for path in HOSTS],
            },
        ],
        "links": links_from("2-how-fast-how-many.ipynb"),
    }


def start_here(catalogue: Catalogue) -> Page:
    """The map of the workbook, and the scenario card.

    Parameters
    ----------
    catalogue : Catalogue

    Returns
    -------
    dict

    >>> from planner.catalogue import load_catalogue
    >>> [one["title"] for one in start_here(load_catalogue())["sections"]][2:5]
    ['The money', 'The cloud and the API', 'The site']
    """
    demand = [path for paths in DEMAND_SECTIONS.values() for path in paths]
    promised = {path for title in PROMISED for path in DEMAND_SECTIONS[title]}
    weighs = [path for path in demand if _side(path, path in promised) == "infrastructure"]
    asks = (
        "title",
        *SECTIONS["The model"],
        *SECTIONS["The conversations"],
        *(path for path in demand if path not in weighs),
    )
    offers = (
        *SECTIONS["The hardware"],
        "deployment.hosts",
        *SECTIONS["The engine"],
        *weighs,
    )
    return {
        "id": "start-here",
        "kind": "start",
        "topics": [MEMORY, SPEED, MONEY, VALUE],
        "cards": 4,
        "title": "The AI planning workbook",
        "lead": "Fill in one scenario together; every dashboard answers for the same one.",
        "sections": [
            section("What data science asks for", asks, catalogue, "data science"),
            section("What infrastructure offers and promises", offers, catalogue, "infrastructure"),
            *(
                {**section(title, paths, catalogue), "collapsed": True}
                for title, paths in {**MONEY_SECTIONS, "The shared fleet": FLEET}.items()
            ),
        ],
        "charts": [],
        "examples": [
            {"name": name, "title": example.title, "lead": example.description}
            for name, example in ((name, load_example(name)) for name in EXAMPLES)
        ],
        "links": links_from("0-start-here.ipynb"),
    }


def chart(identity: str, title: str, lead: str, height: int, **more: Any) -> Page:
    """A picture's place on a page.

    Parameters
    ----------
    identity, title, lead : str
    height : int
        Of the picture, in pixels.
    **more
        ``kind`` of a picture that is no plotly figure, ``wide`` for the whole row.

    Returns
    -------
    dict

    >>> chart("week", "A week", "hour by hour", 236, wide=True)["wide"]
    True
    """
    return {"id": identity, "title": title, "lead": lead, "height": height, **more}


def table(identity: str, title: str, lead: str, kind: str = "data") -> Page:
    """A table's place on a page: as wide as all pictures, saved as CSV.

    Parameters
    ----------
    identity, title, lead : str
    kind : str
        ``data``, or ``prices`` for one that takes a person's own.

    Returns
    -------
    dict

    >>> table("venues", "Every way", "side by side")["kind"]
    'data'
    """
    return {"id": identity, "title": title, "lead": lead, "kind": kind, "wide": True}


def _side(path: str, promised: bool) -> str:
    """The column of a field: its own team's, or for both teams the one on whom it weighs."""
    team = field_schema()[path]["team"]
    return team if team != "both" else "infrastructure" if promised else "data science"
