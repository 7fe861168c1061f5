"""Places where a model may run, what is known of their operators, and the rules of policy.

``data/venue_facts.csv`` has one sourced fact a row. A fact without a row is unknown, which no
rule takes for a yes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from planner.catalogue.records import Source
from planner.catalogue.tables import Row, read_rows
from planner.errors import MissingData

VENUE_KINDS = ("own", "colocation", "cloud", "api")
"""Own premises, own machines in another's building, rented machines, and a model behind an API."""
ANSWERS = ("yes", "no", "own", "unknown")
"""What a fact may say; ``own`` is in the hands of whoever plans."""
LEVELS = {
    "fedramp": ("none", "low", "moderate", "high"),
    "dod_il": ("none", "2", "4", "5", "6"),
    "isolation": ("process", "vm", "mig", "whole"),
}
"""Facts with an order, weakest first."""
YES_OR_NO = (
    "offline",
    "cloud_act",
    "gdpr_terms",
    "baa",
    "us_persons",
    "pci",
    "iso_27001",
    "dora_terms",
    "c5",
    "secnumcloud",
    "zero_retention",
    "single_tenant",
    "confidential_computing",
)
NUMBERS = ("shortest_commitment_months", "rtt_same_country_s", "rtt_other_country_s")
TEXTS = ("name", "kind", "aliases", "parent_country", "operator_country", "countries")
GENERIC = {
    "own": "own_room",
    "colocation": "colocation",
    "cloud": "specialised",
    "api": "other_api",
}
"""The venue that stands for one without rows of its own, by kind."""


@dataclass(frozen=True, slots=True)
class VenueFacts:
    """What is publicly known of one place to run; blank and not-a-number are unknown."""

    id: str
    name: str
    kind: str
    """One of ``VENUE_KINDS``."""
    aliases: tuple[str, ...] = ()
    parent_country: str = ""
    """Seat of the company that owns the operator, alpha-2; ``own`` for the planner's own."""
    operator_country: str = ""
    """Seat of the company that runs the place, alpha-2, or ``own``."""
    countries: tuple[str, ...] = ()
    """Countries or areas of its regions; ``*`` is any."""
    offline: str = "unknown"
    """Runs without a connection to the outside."""
    cloud_act: str = "unknown"
    """Within reach of 18 U.S.C. 2713."""
    gdpr_terms: str = "unknown"
    """Signs a processing agreement with the EU's standard contractual clauses."""
    baa: str = "unknown"
    """Signs a business associate agreement under HIPAA."""
    fedramp: str = "unknown"
    """Highest FedRAMP baseline, or ``own``."""
    dod_il: str = "unknown"
    """Highest impact level with a provisional authorisation, or ``own``."""
    us_persons: str = "unknown"
    """Run by US persons on US soil."""
    pci: str = "unknown"
    """Has an attestation of compliance under PCI DSS."""
    iso_27001: str = "unknown"
    dora_terms: str = "unknown"
    """Offers the contract terms of DORA, article 30."""
    c5: str = "unknown"
    """Has an attestation under the BSI's C5."""
    secnumcloud: str = "unknown"
    """Is qualified under SecNumCloud."""
    zero_retention: str = "unknown"
    """Can be had without keeping prompts or answers."""
    isolation: str = "unknown"
    """Strongest separation from other tenants, or ``own``."""
    single_tenant: str = "unknown"
    """Can be had on machines that no other customer shares."""
    confidential_computing: str = "unknown"
    """Offers GPUs whose memory is sealed from the operator."""
    shortest_commitment_months: float = math.nan
    """Shortest contract [month]."""
    rtt_same_country_s: float = math.nan
    """Round trip from users in the same country [s]."""
    rtt_other_country_s: float = math.nan
    """Round trip from users in another country [s]."""
    sources: Mapping[str, Source] = field(default_factory=dict)
    """Where each fact comes from, by its name."""


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """What one law, contract or house rule asks, in plain words. Not legal advice."""

    id: str
    flag: str
    """Field of the scenario's policy section."""
    value: str
    """Value of the flag that it is for; blank for every one that sets the flag."""
    title: str
    text: str
    effect: str
    """What it does to places to run."""
    remedy: str
    applies_from: str
    """First day on which it binds [date]; blank where none is set."""
    log_months: float
    """Shortest time for which it asks to keep logs; 0 for none [month]."""
    source: Source
    note: str = ""


@dataclass(frozen=True, slots=True)
class PolicyRules:
    """All rules, and the areas of countries that they and the scenario speak of.

    >>> from planner.catalogue import load_catalogue
    >>> rules = load_catalogue().policy_rules
    >>> "DE" in rules.members("eu"), sorted(rules.members("de")), rules.members("")
    (True, ['DE'], frozenset())
    """

    rules: tuple[PolicyRule, ...]
    areas: Mapping[str, frozenset[str]]
    """Alpha-2 codes of each area, by its id in lower case."""

    def of(self, flag: str, value: str = "") -> tuple[PolicyRule, ...]:
        """The rules for a flag at a value; the first is the one that decides.

        Parameters
        ----------
        flag, value : str

        Returns
        -------
        tuple of PolicyRule

        Raises :class:`MissingData` when the flag has none.

        >>> from planner.catalogue import load_catalogue
        >>> load_catalogue().policy_rules.of("eu_ai_act_class", "high")[0].log_months
        6.0
        """
        found = tuple(r for r in self.rules if r.flag == flag and r.value in ("", value))
        if not found:
            raise MissingData(
                f"data/policy_rules.csv has no rule for {flag} at {value!r}; add a row with its "
                "text and source."
            )
        return found

    def members(self, place: str) -> frozenset[str]:
        """The countries of an area, or the one country of a code such as ``DE`` or ``US-TX``.

        Parameters
        ----------
        place : str
            Blank is unknown and has none.

        Returns
        -------
        frozenset of str
        """
        key = place.strip()
        if not key:
            return frozenset()
        return self.areas.get(key.lower(), frozenset({key.split("-")[0].upper()}))


def read_venues(path: Path) -> dict[str, VenueFacts]:
    """Every venue, from ``venue_facts.csv``: one fact a row.

    Parameters
    ----------
    path : Path

    Returns
    -------
    dict of str to VenueFacts

    >>> from planner.catalogue.catalogue import find_data
    >>> venues = read_venues(find_data() / "venue_facts.csv")
    >>> venues["own_room"].kind, venues["aws"].parent_country
    ('own', 'US')
    """
    found: dict[str, dict[str, Row]] = {}
    for row in read_rows(path):
        facts = found.setdefault(row.required("venue"), {})
        name = row.required("fact")
        if name in facts:
            raise row.fault("fact", f"given once for {row.text('venue')}")
        facts[name] = row
    return {venue: _venue(venue, facts) for venue, facts in found.items()}


def _venue(identity: str, facts: dict[str, Row]) -> VenueFacts:
    values: dict = {name: _value(name, row) for name, row in facts.items()}
    if not {"name", "kind"} <= set(values):
        raise MissingData(
            f"data/venue_facts.csv, venue {identity}: name and kind are needed; add their rows."
        )
    sources = {name: row.source() for name, row in facts.items()}
    return VenueFacts(id=identity, sources=sources, **values)


def _value(name: str, row: Row) -> object:
    """One cell in the form its fact has; whatever else is a fault of the table."""
    if name in ("aliases", "countries"):
        return row.names("value")
    if name in NUMBERS:
        return row.number("value")
    text = row.required("value")
    if name == "kind" and text not in VENUE_KINDS:
        raise row.fault("value", "one of " + ", ".join(VENUE_KINDS))
    if name in YES_OR_NO and text not in ANSWERS:
        raise row.fault("value", "one of " + ", ".join(ANSWERS))
    if name in LEVELS and text not in (*LEVELS[name], "own", "unknown"):
        raise row.fault("value", "one of " + ", ".join((*LEVELS[name], "own", "unknown")))
    if name not in (*TEXTS, *YES_OR_NO, *LEVELS):
        raise row.fault("fact", "a field of VenueFacts")
    return text


def find_venue(venues: Mapping[str, VenueFacts], name: str, kind: str) -> VenueFacts:
    """The venue with this id or alias, or the generic one of its kind, of which little is known.

    Parameters
    ----------
    venues : dict of str to VenueFacts
    name : str
        As a price list spells the provider.
    kind : str
        One of ``VENUE_KINDS``.

    Returns
    -------
    VenueFacts

    >>> from planner.catalogue import load_catalogue
    >>> venues = load_catalogue().venue_facts
    >>> find_venue(venues, "together_ai", "api").id, find_venue(venues, "Nobody", "cloud").id
    ('together', 'specialised')
    """
    key = name.strip().lower().replace("-", "_").replace(" ", "_")
    for venue in venues.values():
        if venue.kind == kind and key in (venue.id, *venue.aliases):
            return venue
    return venues[GENERIC[kind]]


def read_policy_rules(rules: Path, areas: Path) -> PolicyRules:
    """Every rule and area, from ``policy_rules.csv`` and ``policy_areas.csv``.

    Parameters
    ----------
    rules, areas : Path

    Returns
    -------
    PolicyRules

    >>> from planner.catalogue.catalogue import find_data
    >>> folder = find_data()
    >>> found = read_policy_rules(folder / "policy_rules.csv", folder / "policy_areas.csv")
    >>> found.of("dora")[0].applies_from
    '2025-01-17'
    """
    return PolicyRules(
        tuple(_rule(row) for row in read_rows(rules)),
        {row.required("id"): frozenset(row.names("countries")) for row in read_rows(areas)},
    )


def _rule(row: Row) -> PolicyRule:
    return PolicyRule(
        id=row.required("id"),
        flag=row.required("flag"),
        value=row.text("value"),
        title=row.required("title"),
        text=row.required("text"),
        effect=row.required("effect"),
        remedy=row.required("remedy"),
        applies_from=row.text("applies_from"),
        log_months=row.number("log_months"),
        source=row.source(),
        note=row.text("note"),
    )


class PolicyTables:
    """The part of the catalogue that says where a model may run; read when first asked for."""

    folder: Path

    @cached_property
    def venue_facts(self) -> Mapping[str, VenueFacts]:
        """Places to run and what is known of them, read when first asked for."""
        return read_venues(self.folder / "venue_facts.csv")

    @cached_property
    def policy_rules(self) -> PolicyRules:
        """The rules of policy and their areas of countries, read when first asked for."""
        return read_policy_rules(self.folder / "policy_rules.csv", self.folder / "policy_areas.csv")
