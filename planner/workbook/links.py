"""The pages of the workbook, and how one page links to the others."""

from __future__ import annotations

import posixpath
from typing import Any

LINKS = (
    (
        "Start here",
        "0-start-here.ipynb",
        "The map of the workbook, and the scenario that both teams fill in.",
    ),
    (
        "Will it fit?",
        "1-will-it-fit.ipynb",
        "What memory a model needs, how many GPUs hold it, how many conversations at once.",
    ),
    (
        "How fast, and how many?",
        "2-how-fast-how-many.ipynb",
        "How many GPUs keep a speed for so many people, how sure that is, and what idles at night.",
    ),
    (
        "Own it, rent it, or call it?",
        "3-own-rent-or-call.ipynb",
        "What it costs on your premises, in each cloud and behind an API, and what policy allows.",
    ),
    (
        "Shovel, spade or backhoe?",
        "4-carve-and-place.ipynb",
        "What size each workload needs, where it all goes on one fleet, and what is left over.",
    ),
    (
        "Is it worth it?",
        "6-is-it-worth-it.ipynb",
        "What a task costs and is worth, when it pays back, and how little work is too little.",
    ),
    (
        "How accurate?",
        "validation/accuracy.ipynb",
        "Predicted against measured, for every published benchmark behind the speeds.",
    ),
    (
        "Published costs",
        "validation/published-costs.ipynb",
        "What studies of owning and renting print, beside what their own inputs give.",
    ),
)
"""Title, notebook and what it answers."""
TABS = {
    "2-how-fast-how-many.ipynb": "How fast?",
    "3-own-rent-or-call.ipynb": "Own or rent?",
    "4-carve-and-place.ipynb": "Shovel or backhoe?",
}
"""Shorter titles, for the row of tabs."""


def links_from(current: str) -> list[dict[str, Any]]:
    """Links to every page, relative to the page that shows them.

    Parameters
    ----------
    current : str
        Notebook of that page, below the folder of notebooks.

    Returns
    -------
    list of dict

    >>> [one["href"] for one in links_from("validation/accuracy.ipynb")][-2:]
    ['accuracy.ipynb', 'published-costs.ipynb']
    """
    folder = posixpath.dirname(current) or "."
    return [
        {
            "title": title,
            "tab": TABS.get(href, title),
            "href": posixpath.relpath(href, folder),
            "lead": lead,
            "current": href == current,
        }
        for title, href, lead in LINKS
    ]
