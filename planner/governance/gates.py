"""Gates: every rule that a scenario sets, open or shut for one place to run, with the reason.

A place is excluded before costs are compared, and the reason names the fact and the rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from planner.catalogue import PolicyRule, PolicyRules, VenueFacts
from planner.governance.checks import CHECKS, Case
from planner.scenario.policy import PolicySection

FLAGS = tuple(CHECKS)
"""Fields of the policy section, each with a rule and a check."""
NOT_LEGAL_ADVICE = (
    "This is not legal advice: the rules are summaries with a date, the facts are mostly what "
    "providers say of themselves, and your own counsel decides."
)
"""What must stand wherever gates are shown."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One rule for one place: whether it passes, and why.

    >>> Gate.__slots__[:3]
    ('flag', 'title', 'passed')
    """

    flag: str
    """Field of the policy section."""
    title: str
    """The rule's name for people."""
    passed: bool
    reason: str
    """A sentence that names the place's fact."""
    rule: PolicyRule


def asked_flags(policy: PolicySection) -> tuple[str, ...]:
    """The flags that ask something, in the order of the section.

    .. math:: \\{f : policy_f \\ne nothing_f\\}

    Parameters
    ----------
    policy : PolicySection

    Returns
    -------
    tuple of str
        Names of fields [text].

    Source: no publication.

    >>> asked_flags(PolicySection()), asked_flags(PolicySection(pci=True, dod_il="4"))
    ((), ('dod_il', 'pci'))
    """
    return tuple(flag for flag, (nothing, _) in CHECKS.items() if getattr(policy, flag) != nothing)


def gates(
    policy: PolicySection,
    venue: VenueFacts,
    rules: PolicyRules,
    *,
    country: str,
    commitment_months: float,
    users_country: str = "",
) -> tuple[Gate, ...]:
    """One gate for every flag that the policy sets. A fact that is not known shuts it.

    .. math:: pass_f = check_f(policy, venue, region, term)

    Parameters
    ----------
    policy : PolicySection
    venue : VenueFacts
    rules : PolicyRules
    country : str
        Country (alpha-2) or area of the region considered; blank is unknown.
    commitment_months : float [month]
        Length of the contract considered; 0 for none, and for hardware that is bought.
    users_country : str
        Where the users are: for the round trip, and whose law is not foreign. Blank takes the
        users to be in the region's country, and United States law to be foreign.

    Returns
    -------
    tuple of Gate
        In the order of the section; empty when nothing is asked [1].

    Source: each gate's own rule, from ``data/policy_rules.csv``.

    >>> from planner.catalogue import load_catalogue
    >>> c = load_catalogue()
    >>> policy = PolicySection(data_residency="eu", sovereignty="full")
    >>> found = gates(policy, c.venue_facts["aws"], c.policy_rules,
    ...               country="DE", commitment_months=0.0)
    >>> [(gate.flag, gate.passed) for gate in found]
    [('data_residency', True), ('sovereignty', False)]
    """
    case = Case(policy, venue, rules, country.strip(), commitment_months, users_country.strip())
    found = []
    for flag in asked_flags(policy):
        rule = rules.of(flag, str(getattr(policy, flag)))[0]
        verdict = CHECKS[flag][1](case)
        found.append(Gate(flag, rule.title, verdict.passed, verdict.reason, rule))
    return tuple(found)


def allowed(found: Iterable[Gate]) -> bool:
    """Whether every gate is open.

    .. math:: \\bigwedge_f pass_f

    Parameters
    ----------
    found : iterable of Gate

    Returns
    -------
    bool
        True when there is no gate [1].

    Source: no publication.

    >>> allowed(())
    True
    """
    return all(gate.passed for gate in found)


def gate_matrix(
    policy: PolicySection,
    venues: Iterable[VenueFacts],
    rules: PolicyRules,
    *,
    countries: Mapping[str, str],
    commitment_months: float = 0.0,
    users_country: str = "",
) -> dict[str, tuple[Gate, ...]]:
    """The gates of several places, by their ids.

    .. math:: pass_{v f}

    Parameters
    ----------
    policy : PolicySection
    venues : iterable of VenueFacts
    rules : PolicyRules
    countries : mapping of str to str
        Region of each place; one that is left out takes :func:`serving_place`.
    commitment_months : float [month]
    users_country : str

    Returns
    -------
    dict of str to tuple of Gate
        Every tuple has the same flags in the same order [1].

    Source: as :func:`gates`.

    >>> from planner.catalogue import load_catalogue
    >>> c = load_catalogue()
    >>> table = gate_matrix(PolicySection(air_gapped=True), c.venue_facts.values(), c.policy_rules,
    ...                     countries={}, users_country="DE")
    >>> [venue for venue, row in table.items() if allowed(row)]
    ['own_room']
    """
    return {
        venue.id: gates(
            policy,
            venue,
            rules,
            country=countries.get(venue.id) or serving_place(policy, venue, rules, users_country),
            commitment_months=commitment_months,
            users_country=users_country,
        )
        for venue in venues
    }


def serving_place(
    policy: PolicySection, venue: VenueFacts, rules: PolicyRules, users_country: str = ""
) -> str:
    """The region of a place to take: the users' country, else one that policy allows, else any.

    .. math:: users \\succ \\{r : r \\subseteq area\\} \\succ r_1

    Parameters
    ----------
    policy : PolicySection
    venue : VenueFacts
    rules : PolicyRules
    users_country : str

    Returns
    -------
    str
        Country or area; blank when none is known [text].

    Source: no publication.

    >>> from planner.catalogue import load_catalogue
    >>> c = load_catalogue(); eu = PolicySection(data_residency="eu")
    >>> [serving_place(eu, c.venue_facts[v], c.policy_rules, "FR") for v in
    ...  ("own_room", "aws", "nebius_token_factory", "anthropic", "other_api")]
    ['FR', 'FR', 'FI', 'US', '']
    """
    home, area = users_country.strip(), policy.data_residency
    inside = [
        place
        for place in venue.countries
        if area == "anywhere" or rules.members(place) <= rules.members(area)
    ]
    if "*" in venue.countries:
        fits = area == "anywhere" or rules.members(home) <= rules.members(area)
        return home if home and fits else "" if area == "anywhere" else area
    near = [place for place in inside if rules.members(home) & rules.members(place)]
    return (near or inside or [*venue.countries, ""])[0]


def log_months(policy: PolicySection, rules: PolicyRules) -> float:
    """The longest time for which any rule that is set asks to keep logs.

    .. math:: \\max_f months_f

    Parameters
    ----------
    policy : PolicySection
    rules : PolicyRules

    Returns
    -------
    float [month]
        0 when no rule asks for any.

    Source: the column ``log_months`` of ``data/policy_rules.csv``, each row its own law.

    >>> from planner.catalogue import load_catalogue
    >>> log_months(PolicySection(eu_ai_act_class="high"), load_catalogue().policy_rules)
    6.0
    """
    asked = asked_flags(policy)
    found = (r.log_months for flag in asked for r in rules.of(flag, str(getattr(policy, flag))))
    return max(found, default=0.0)


def egress_bytes(policy: PolicySection) -> float:
    """Data that must be carried out of where they lie, for the price of egress.

    .. math:: B = B_{gravity}

    Parameters
    ----------
    policy : PolicySection

    Returns
    -------
    float [byte]

    Source: Regulation (EU) 2023/2854, article 29, for what may be charged.

    >>> egress_bytes(PolicySection(data_gravity_bytes=5e12))
    5000000000000.0
    """
    return float(policy.data_gravity_bytes)
