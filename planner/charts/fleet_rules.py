"""What carving and hypervisor give and forbid on each group of hosts, as a table."""

from __future__ import annotations

from planner.catalogue import Catalogue
from planner.charts.figures import Spec
from planner.plan import Plan
from planner.plan.fleet_notes import FleetNote


def fleet_rules(plan: Plan, catalogue: Catalogue) -> Spec:
    """Rules that bear on each group of hosts, with their sources.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        A table, see :data:`planner.charts.TABLES`.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> fleet_rules(evaluate(Scenario(), c), c)["rows"][0]["cells"][1]
    'How it is carved'
    """
    notes = plan.portfolio.notes
    groups = {note.group for note in notes if note.group}
    return {
        "heads": [
            {"text": "Hosts"},
            {"text": "About"},
            {"text": "What holds"},
            {"text": "Says"},
        ],
        "rows": [_row(number, note) for number, note in enumerate(notes)],
        "caption": (
            f"{len(notes)} rules bear on the {len(groups)} groups of hosts; read them before "
            "anything is ordered or carved. Versions move: ask the vendor of yours."
        ),
    }


def _row(number: int, note: FleetNote) -> Spec:
    source = note.source
    return {
        "id": str(number),
        "name": f"{note.group or 'all hosts'}, {note.topic}",
        "cells": [
            note.group or "all",
            note.topic,
            {"text": note.text},
            {"text": source.title, "note": f"{source.as_of}; {source.basis.words}"},
        ],
    }
