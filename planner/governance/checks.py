"""One check for each flag of the policy section: what it needs to see, and what it finds."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from planner.catalogue import PolicyRules, VenueFacts
from planner.governance.answers import ASK, Verdict, answer, both, dated, level
from planner.scenario.policy import PolicySection
from planner.units import TB, format_number, format_seconds


@dataclass(frozen=True, slots=True)
class Case:
    """One place under one contract, looked at for one policy.

    >>> Case.__slots__[0]
    'policy'
    """

    policy: PolicySection
    venue: VenueFacts
    rules: PolicyRules
    country: str
    """Country or area of the region; blank is unknown."""
    commitment_months: float
    """Length of the contract considered [month]."""
    users_country: str = ""
    """Where the users are; blank takes the country of the region."""

    @property
    def where(self) -> str:
        """The region as it may stand in a sentence."""
        return self.country or "an unknown region"


def located(case: Case, area: str) -> Verdict:
    """Whether the region lies wholly inside an area.

    .. math:: pass = region \\ne \\emptyset \\land region \\subseteq area

    Parameters
    ----------
    case : Case
    area : str
        Area, or country code.

    Returns
    -------
    Verdict

    Source: ``data/policy_areas.csv``.

    >>> from planner.catalogue import load_catalogue
    >>> c = load_catalogue()
    >>> aws = Case(PolicySection(), c.venue_facts["aws"], c.policy_rules, "US", 0.0)
    >>> located(aws, "eu").reason
    'Amazon Web Services would run in US, outside EU.'
    """
    place = case.rules.members(case.country)
    name = area.upper() if len(area) <= 3 else f"the countries called {area}"
    if not place:
        return Verdict(False, f"Where {case.venue.name} would run is not known; {ASK}.")
    inside = place <= case.rules.members(area)
    words = "inside" if inside else "outside"
    return Verdict(inside, f"{case.venue.name} would run in {case.where}, {words} {name}.")


def _seat(case: Case, fact: str, role: str) -> Verdict:
    """Whether the operator or the parent has its seat in the countries allowed."""
    seat, area = getattr(case.venue, fact), case.policy.data_residency
    when = dated(case.venue.sources.get(fact))
    if seat == "own":
        return Verdict(True, f"{case.venue.name}: you are the {role}.")
    if not seat:
        return Verdict(False, f"The seat of {case.venue.name}'s {role} is not known; {ASK}.")
    home = area == "anywhere" or seat in case.rules.members(area)
    allowed = "any country is allowed, so name yours under Data may be in"
    if area != "anywhere":
        allowed = f"asked is {area.upper()}"
    return Verdict(home, f"{case.venue.name}'s {role} has its seat in {seat}{when}; {allowed}.")


def _residency(case: Case) -> Verdict:
    return located(case, case.policy.data_residency)


def _sovereignty(case: Case) -> Verdict:
    """Residency, operator, full: each asks all that the one before asks."""
    wanted, area = case.policy.sovereignty, case.policy.data_residency
    parts = [located(case, case.country if area == "anywhere" else area)]
    if wanted in ("operator", "full"):
        parts.append(_seat(case, "operator_country", "operator"))
    if wanted == "full":
        parts.append(_seat(case, "parent_country", "parent company"))
        if case.rules.members(case.users_country) != {"US"}:
            parts.append(answer(case.venue, "cloud_act", "no"))
    return both(*parts)


def _personal_data(case: Case) -> Verdict:
    contract = answer(case.venue, "gdpr_terms")
    place = case.rules.members(case.country)
    if not place:
        return both(contract, located(case, "eea"))
    if place <= case.rules.members("eea"):
        basis = "no transfer leaves the European Economic Area"
    elif place <= case.rules.members("adequate"):
        basis = "the transfer rests on an adequacy decision"
    else:
        basis = "the transfer rests on its standard clauses or the Data Privacy Framework"
    if contract.passed and case.venue.gdpr_terms != "own":
        return Verdict(True, f"{contract.reason} In {case.where} {basis}.")
    return contract


def _in_us(case: Case, verdict: Verdict) -> Verdict:
    return both(verdict, located(case, "us"))


def _ai_act(case: Case) -> Verdict:
    months = max(
        r.log_months for r in case.rules.of("eu_ai_act_class", case.policy.eu_ai_act_class)
    )
    logs = f"; keep logs for {months:g} months or more" if months else ""
    return Verdict(True, f"The AI Act sets no duty of location{logs}.")


def _secret_weights(case: Case) -> Verdict:
    alone = answer(case.venue, "single_tenant")
    sealed = answer(case.venue, "confidential_computing")
    if alone.passed or sealed.passed:
        return alone if alone.passed else sealed
    return both(alone, sealed)


def _round_trip(case: Case) -> Verdict:
    limit = float(case.policy.max_rtt_s or math.inf)
    users = case.rules.members(case.users_country)
    near = not users or bool(users & case.rules.members(case.country))
    fact = "rtt_same_country_s" if near else "rtt_other_country_s"
    found = getattr(case.venue, fact)
    if math.isnan(found):
        return Verdict(False, f"The round trip to {case.venue.name} is not known; measure it.")
    when = dated(case.venue.sources.get(fact))
    whose = "the same country" if near else "another country"
    return Verdict(
        found <= limit,
        f"The round trip to {case.venue.name} from {whose} is {format_seconds(found)}{when}; "
        f"{format_seconds(limit)} is the limit.",
    )


def _gravity(case: Case) -> Verdict:
    terabytes = format_number(case.policy.data_gravity_bytes / TB)
    return Verdict(
        True, f"Carrying {terabytes} TB out is counted in the costs; nothing forbids it."
    )


def _exit(case: Case) -> Verdict:
    least, limit = case.venue.shortest_commitment_months, case.policy.exit_months
    if math.isnan(case.commitment_months):
        return Verdict(False, f"The term of {case.venue.name} is not known; {ASK}.")
    term = case.commitment_months if math.isnan(least) else max(case.commitment_months, least)
    return Verdict(
        term <= (math.inf if limit is None else limit),
        f"{case.venue.name} would bind you for {format_number(term)} months; {limit} is the limit.",
    )


def _fact(name: str) -> Callable[[Case], Verdict]:
    return lambda case: answer(case.venue, name)


CHECKS: dict[str, tuple[Any, Callable[[Case], Verdict]]] = {
    "air_gapped": (False, _fact("offline")),
    "data_residency": ("anywhere", _residency),
    "sovereignty": ("none", _sovereignty),
    "personal_data_eu": (False, _personal_data),
    "phi_us": (False, _fact("baa")),
    "eu_ai_act_class": ("minimal", _ai_act),
    "fedramp_level": ("none", lambda c: level(c.venue, "fedramp", c.policy.fedramp_level)),
    "dod_il": ("none", lambda c: _in_us(c, level(c.venue, "dod_il", c.policy.dod_il))),
    "itar": (False, lambda c: _in_us(c, answer(c.venue, "us_persons"))),
    "pci": (False, _fact("pci")),
    "dora": (False, _fact("dora_terms")),
    "nis2": (False, _fact("iso_27001")),
    "secnumcloud": (False, _fact("secnumcloud")),
    "bsi_c5": (False, _fact("c5")),
    "prompt_retention_forbidden": (False, _fact("zero_retention")),
    "ip_secret_weights": (False, _secret_weights),
    "max_rtt_s": (None, _round_trip),
    "data_gravity_bytes": (0.0, _gravity),
    "isolation": ("process", lambda c: level(c.venue, "isolation", c.policy.isolation)),
    "exit_months": (None, _exit),
}
"""For each flag the value that asks nothing, and its check."""
