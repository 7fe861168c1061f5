"""The matrix of policy: every way to run a scenario against every rule that it sets."""

from __future__ import annotations

from collections.abc import Callable

from planner.catalogue import Catalogue, PolicyRule
from planner.charts.figures import Spec
from planner.governance import NOT_LEGAL_ADVICE, asked_flags
from planner.plan import Plan, Venue
from planner.units import plural

NO_RULE = (
    "No rule is set, so every way that can be done is allowed. Set rules under “The rules” to see "
    "which ways they leave."
)


def rules(plan: Plan, catalogue: Catalogue) -> Spec:
    """Ways down, rules across; each cell passes or fails, and says why.

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
    >>> airless = Scenario().changed({"policy.air_gapped": True})
    >>> table = rules(evaluate(airless, c), c)
    >>> [head["text"] for head in table["heads"]], table["rows"][0]["cells"][1]["text"]
    (['Way', 'Air-gapped'], 'passes')
    """
    policy = plan.scenario.policy
    flags = asked_flags(policy)
    of = {flag: catalogue.policy_rules.of(flag, str(getattr(policy, flag))) for flag in flags}
    if not flags:
        return {"heads": [], "rows": [], "notes": [NOT_LEGAL_ADVICE], "caption": NO_RULE}
    heads = [{"text": "Way"}, *({"text": of[flag][0].title} for flag in flags)]
    allowed = sum(venue.allowed for venue in plan.money.venues)
    return {
        "heads": heads,
        "rows": [_row(venue, flags) for venue in plan.money.venues],
        "notes": [NOT_LEGAL_ADVICE],
        "terms": [_term(rule) for flag in flags for rule in of[flag]],
        "caption": (
            f"{plural(allowed, 'way')} of {len(plan.money.venues)} "
            f"{'passes' if allowed == 1 else 'pass'} {plural(len(flags), 'rule')}. Point at an "
            "answer, or step to it, for its reason; what is not known counts as no."
        ),
    }


def _row(venue: Venue, flags: tuple[str, ...]) -> Spec:
    gates = {gate.flag: gate for gate in venue.gates}
    cells: list[Spec] = []
    for flag in flags:
        gate = gates.get(flag)
        if gate is None:
            cells.append({"text": "not asked", "title": venue.reason})
            continue
        verdict = ("passes", "good") if gate.passed else ("fails", "bad")
        cells.append({"text": verdict[0], "tone": verdict[1], "title": gate.reason})
    return {
        "id": venue.id,
        "name": venue.label,
        "look": "" if venue.allowed else "out",
        "cells": [{"text": venue.label, "note": venue.provider}, *cells],
    }


def _term(rule: PolicyRule) -> Spec:
    source = rule.source
    since = f"; binds from {rule.applies_from}" if rule.applies_from else ""
    return {
        "term": rule.title,
        "texts": [
            f"{rule.text} {rule.effect}",
            f"What helps: {rule.remedy}",
            f"Source: {source.title}, {source.as_of}, {source.basis.words}{since}.",
        ],
    }


POLICY_TABLES: dict[str, Callable[[Plan, Catalogue], Spec]] = {"rules": rules}
