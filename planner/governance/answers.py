"""What a fact about a place says, as a verdict with a sentence. Unknown is never a pass."""

from __future__ import annotations

from dataclasses import dataclass

from planner.catalogue import Source, VenueFacts
from planner.catalogue.venues import LEVELS

ASK = "ask the provider"
"""What to do about a fact that nobody published."""
CLAUSES = {
    "offline": ("can run disconnected", "is reached over networks that others run"),
    "gdpr_terms": (
        "signs a processing agreement with the EU's standard clauses",
        "offers no contract and basis for a transfer that EU authorities accept",
    ),
    "baa": ("signs a business associate agreement", "signs no business associate agreement"),
    "us_persons": ("is run by US persons on US soil", "is not run by US persons alone"),
    "pci": (
        "has an attestation of compliance under PCI DSS",
        "has no attestation of compliance under PCI DSS",
    ),
    "iso_27001": ("is certified to ISO/IEC 27001", "is not certified to ISO/IEC 27001"),
    "dora_terms": (
        "offers the contract terms of DORA, article 30",
        "does not offer the contract terms of DORA, article 30",
    ),
    "c5": ("has a C5 attestation", "has no C5 attestation"),
    "secnumcloud": ("is qualified under SecNumCloud", "is not qualified under SecNumCloud"),
    "zero_retention": (
        "can be had without keeping prompts or answers",
        "keeps prompts or answers for a time",
    ),
    "single_tenant": (
        "can be had on machines that nobody shares",
        "runs on machines that customers share",
    ),
    "confidential_computing": (
        "offers GPUs with sealed memory",
        "offers no GPUs with sealed memory",
    ),
    "cloud_act": ("is within reach of the US CLOUD Act", "is out of reach of the US CLOUD Act"),
}
"""How a yes and a no read after the name of the place."""
LEVEL_NAMES = {
    "fedramp": "FedRAMP level",
    "dod_il": "DoD impact level",
    "isolation": "separation from other tenants",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one thing that a flag asks is met, and why.

    >>> Verdict(True, "It is.").passed
    True
    """

    passed: bool
    reason: str


def dated(source: Source | None) -> str:
    """When and how a fact was found, in brackets.

    .. math:: fact \\mapsto (as of, basis)

    Parameters
    ----------
    source : Source, optional
        None says nothing.

    Returns
    -------
    str
        [text]

    Source: each fact's own row in ``data/venue_facts.csv``.

    >>> from planner.catalogue import Basis
    >>> dated(Source("FAQ", "", "2026-07", Basis.VENDOR_CLAIM))
    ' (2026-07, vendor claim)'
    """
    return f" ({source.as_of}, {source.basis.words})" if source and source.as_of else ""


def answer(venue: VenueFacts, fact: str, wanted: str = "yes") -> Verdict:
    """Whether a yes-or-no fact is as wanted, or in the planner's own hands.

    .. math:: pass = (fact = wanted) \\lor (fact = own)

    Parameters
    ----------
    venue : VenueFacts
    fact : str
        One of ``CLAUSES``.
    wanted : str
        ``yes`` or ``no``.

    Returns
    -------
    Verdict

    Source: no publication; unknown fails by the rule of this workbook.

    >>> place = VenueFacts("x", "X Cloud", "cloud", baa="yes")
    >>> answer(place, "baa").reason, answer(place, "c5").reason
    ('X Cloud signs a business associate agreement.', 'Whether X Cloud has a C5 attestation is not \
known; ask the provider.')
    """
    found, (yes, no) = getattr(venue, fact), CLAUSES[fact]
    when = dated(venue.sources.get(fact))
    if found == "own":
        return Verdict(True, f"{venue.name}: this is in your own hands.")
    if found == "unknown":
        return Verdict(False, f"Whether {venue.name} {yes} is not known; {ASK}.")
    return Verdict(found == wanted, f"{venue.name} {yes if found == 'yes' else no}{when}.")


def level(venue: VenueFacts, fact: str, wanted: str) -> Verdict:
    """Whether a fact with an order reaches the level wanted.

    .. math:: pass = rank(fact) \\ge rank(wanted)

    Parameters
    ----------
    venue : VenueFacts
    fact : str
        One of ``LEVELS``.
    wanted : str

    Returns
    -------
    Verdict

    Source: no publication; the orders are in :data:`planner.catalogue.venues.LEVELS`.

    >>> level(VenueFacts("x", "X Cloud", "cloud", fedramp="moderate"), "fedramp", "high").reason
    'X Cloud: FedRAMP level is moderate; high is asked.'
    """
    found, name = getattr(venue, fact), LEVEL_NAMES[fact]
    if found == "own":
        return Verdict(True, f"{venue.name}: this is in your own hands.")
    if found == "unknown":
        return Verdict(False, f"{venue.name}: {name} is not known; {ASK}.")
    order = LEVELS[fact]
    when = dated(venue.sources.get(fact))
    return Verdict(
        order.index(found) >= order.index(wanted),
        f"{venue.name}: {name} is {found}{when}; {wanted} is asked.",
    )


def both(*verdicts: Verdict) -> Verdict:
    """All of several things: the failures' reasons, or every reason when all pass.

    .. math:: pass = \\bigwedge_i pass_i

    Parameters
    ----------
    *verdicts : Verdict

    Returns
    -------
    Verdict

    Source: no publication.

    >>> both(Verdict(True, "A."), Verdict(False, "B.")).reason
    'B.'
    """
    failed = [one for one in verdicts if not one.passed]
    told = dict.fromkeys(one.reason for one in failed or verdicts)
    return Verdict(not failed, " ".join(told))
