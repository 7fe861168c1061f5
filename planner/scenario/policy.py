"""What rules it must keep: the policy section of a scenario. No default asks anything."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import field_validator

from planner.scenario.fields import Section, quantity


class PolicySection(Section):
    """Law, contracts and house rules that a place to run must satisfy; not legal advice.

    >>> PolicySection(data_residency="eu").sovereignty
    'none'
    """

    @field_validator("dod_il", mode="before")
    @classmethod
    def _level_is_its_digit(cls, value: Any) -> Any:
        # People who write a file by hand leave the quotes out.
        return str(value) if type(value) is int and value in (2, 4, 5, 6) else value

    air_gapped: Annotated[
        bool,
        quantity(
            "It must run without any connection to the outside: no remote support, no licence "
            "check over the network, no downloads.",
            label="Air-gapped",
            team="infrastructure",
            control="switch",
            term="air-gap",
        ),
    ] = False
    data_residency: Annotated[
        Literal[
            "anywhere",
            "eu",
            "eea",
            "adequate",
            "us",
            "gb",
            "ch",
            "de",
            "fr",
            "nl",
            "ie",
            "it",
            "es",
            "se",
            "fi",
            "pl",
            "at",
            "ca",
            "br",
            "au",
            "in",
            "jp",
            "kr",
            "sg",
        ],
        quantity(
            "Countries in which prompts, answers and logs may be stored and processed. Adequate is "
            "the European Economic Area and the countries whose data protection the EU accepts "
            "as equal.",
            label="Data may be in",
            control="choice",
            term="data-residency",
        ),
    ] = "anywhere"
    sovereignty: Annotated[
        Literal["none", "residency", "operator", "full"],
        quantity(
            "Who may have power over the data: residency asks where it lies, operator also who "
            "runs the place, full also that no foreign law can order the operator or its parent "
            "to hand it over.",
            label="Sovereignty",
            control="choice",
            term="sovereignty",
        ),
    ] = "none"
    personal_data_eu: Annotated[
        bool,
        quantity(
            "Prompts or documents hold personal data under the GDPR. It asks for contracts and a "
            "basis for every transfer, not for a place.",
            label="Personal data (GDPR)",
            team="data science",
            control="switch",
            term="gdpr-transfer",
        ),
    ] = False
    phi_us: Annotated[
        bool,
        quantity(
            "Prompts or documents hold health information under HIPAA: everyone who processes it "
            "must sign a business associate agreement.",
            label="Health data (HIPAA)",
            team="data science",
            control="switch",
            term="baa",
        ),
    ] = False
    eu_ai_act_class: Annotated[
        Literal["minimal", "limited", "high", "gpai"],
        quantity(
            "What the EU AI Act makes of the use: minimal, limited (people must be told), high "
            "risk (logs, human oversight), or that you publish a general-purpose model yourself.",
            label="EU AI Act class",
            team="data science",
            control="choice",
            term="ai-act",
        ),
    ] = "minimal"
    fedramp_level: Annotated[
        Literal["none", "low", "moderate", "high"],
        quantity(
            "FedRAMP baseline that a cloud service for a United States agency must hold.",
            label="FedRAMP level",
            control="choice",
            term="authorisation",
        ),
    ] = "none"
    dod_il: Annotated[
        Literal["none", "2", "4", "5", "6"],
        quantity(
            "Impact level of the United States Department of Defense: 2 is public, 4 and 5 are "
            "controlled, 6 is secret.",
            label="DoD impact level",
            control="choice",
            term="authorisation",
        ),
    ] = "none"
    itar: Annotated[
        bool,
        quantity(
            "Prompts or documents hold technical data under ITAR: only US persons may reach it, "
            "in the United States.",
            label="Export control (ITAR)",
            control="switch",
            term="authorisation",
        ),
    ] = False
    pci: Annotated[
        bool,
        quantity(
            "Card numbers pass through: the place needs an attestation under PCI DSS.",
            label="Card data (PCI DSS)",
            control="switch",
            term="attestation",
        ),
    ] = False
    dora: Annotated[
        bool,
        quantity(
            "You are a bank, an insurer or another financial entity in the EU: contracts need "
            "audit rights and an exit plan.",
            label="Financial entity (DORA)",
            control="switch",
            term="exit-plan",
        ),
    ] = False
    nis2: Annotated[
        bool,
        quantity(
            "You are an essential or important entity under NIS2 and must show that your suppliers "
            "are secure.",
            label="NIS2 entity",
            control="switch",
            term="attestation",
        ),
    ] = False
    secnumcloud: Annotated[
        bool,
        quantity(
            "A cloud must hold the French SecNumCloud qualification.",
            label="SecNumCloud",
            control="switch",
            term="attestation",
        ),
    ] = False
    bsi_c5: Annotated[
        bool,
        quantity(
            "A cloud must hold an attestation under the German C5 catalogue.",
            label="BSI C5",
            control="switch",
            term="attestation",
        ),
    ] = False
    prompt_retention_forbidden: Annotated[
        bool,
        quantity(
            "Nobody else may keep prompts or answers, not even for some days against abuse.",
            label="No retention of prompts",
            control="switch",
            term="zero-retention",
        ),
    ] = False
    ip_secret_weights: Annotated[
        bool,
        quantity(
            "The weights are a trade secret: they may lie in the clear only on machines that no "
            "other customer shares.",
            label="Secret weights",
            team="data science",
            control="switch",
            term="confidential-computing",
        ),
    ] = False
    max_rtt_s: Annotated[
        float | None,
        quantity(
            "Longest round trip on the network between the users and the GPUs; none sets no limit. "
            "It comes on top of the time to the first token.",
            label="Network round trip within",
            unit="s",
            team="infrastructure",
            term="round-trip",
            ge=0.001,
            le=2.0,
        ),
    ] = None
    data_gravity_bytes: Annotated[
        float,
        quantity(
            "Data that would have to be carried out of where it lies when you move: documents, "
            "indexes, logs. Clouds charge for it.",
            label="Data to carry out",
            unit="byte",
            team="infrastructure",
            term="egress",
            ge=0.0,
            le=1e17,
        ),
    ] = 0.0
    isolation: Annotated[
        Literal["process", "vm", "mig", "whole"],
        quantity(
            "What must lie between you and the next tenant on a GPU: a process, a virtual machine, "
            "a partition of the hardware, or nobody at all.",
            label="Isolation",
            team="infrastructure",
            control="choice",
            term="tenant-isolation",
        ),
    ] = "process"
    exit_months: Annotated[
        int | None,
        quantity(
            "Longest contract you may enter; none allows any length.",
            label="Longest commitment",
            unit="month",
            term="exit-plan",
            ge=0,
            le=120,
        ),
    ] = None
