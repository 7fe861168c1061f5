"""Rules, places and gates: what each rule excludes, and that no missing fact ever passes."""

from __future__ import annotations

import math
import re
from dataclasses import fields, replace
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.catalogue import Basis, VenueFacts, find_venue, load_catalogue
from planner.catalogue.venues import (
    GENERIC,
    LEVELS,
    NUMBERS,
    TEXTS,
    VENUE_KINDS,
    YES_OR_NO,
    read_venues,
)
from planner.errors import InvalidScenario, MissingData
from planner.governance import (
    FLAGS,
    NOT_LEGAL_ADVICE,
    allowed,
    asked_flags,
    egress_bytes,
    gate_matrix,
    gates,
    log_months,
    serving_place,
)
from planner.scenario import Scenario, field_schema
from planner.scenario.policy import PolicySection

CATALOGUE = load_catalogue()
VENUES = CATALOGUE.venue_facts
RULES = CATALOGUE.policy_rules
SET: dict[str, list[Any]] = {
    "max_rtt_s": [0.001, 0.05, 2.0],
    "data_gravity_bytes": [1.0, 5e12],
    "exit_months": [0, 12, 120],
    **{
        name: [v for v in get_args(info.annotation) if v != info.default]
        for name, info in PolicySection.model_fields.items()
        if get_args(info.annotation) and isinstance(info.default, str)
    },
    **{
        name: [True] for name, info in PolicySection.model_fields.items() if info.annotation is bool
    },
}
"""For each flag, values that ask something: every one, or some of a range."""


def check(venue: str | VenueFacts, country: str, months: float = 0.0, users: str = "", **flags):
    place = VENUES[venue] if isinstance(venue, str) else venue
    return gates(
        PolicySection(**flags),
        place,
        RULES,
        country=country,
        commitment_months=months,
        users_country=users,
    )


def left(users: str = "", **flags) -> set[str]:
    """Places that some region of theirs leaves allowed, under no contract."""
    table = gate_matrix(
        PolicySection(**flags), VENUES.values(), RULES, countries={}, users_country=users
    )
    return {venue for venue, row in table.items() if allowed(row)}


# --- The tables --------------------------------------------------------------------------------


def test_every_flag_of_the_scenario_has_a_check_and_a_rule_for_each_value() -> None:
    assert set(FLAGS) == set(PolicySection.model_fields) == set(SET)
    for flag, values in SET.items():
        for value in values:
            for rule in RULES.of(flag, str(value)):
                assert rule.title and rule.effect and rule.remedy
                assert len(rule.text.split()) >= 10, rule.id
                assert re.fullmatch(r"\d{4}(-\d{2}(-\d{2})?)?", rule.source.as_of), rule.id
                assert rule.source.locator.startswith("https://"), rule.id
                assert rule.source.basis is not Basis.ASSUMED, rule.id


def test_dates_of_law_are_those_of_the_law() -> None:
    """Official Journal: DORA article 64, NIS2 article 41, GDPR article 99, AI Act article 113 as
    amended by Regulation (EU) 2026/1744, Data Act article 29; CLOUD Act, enacted 23 March 2018."""
    published = {
        "dora": "2025-01-17",
        "nis2": "2024-10-18",
        "personal_data_eu": "2018-05-25",
        "eu_ai_act-limited": "2026-08-02",
        "eu_ai_act-high": "2027-12-02",
        "eu_ai_act-product": "2028-08-02",
        "eu_ai_act-gpai": "2025-08-02",
        "data_gravity": "2027-01-12",
        "sovereignty-full": "2018-03-23",
    }
    found = {rule.id: rule.applies_from for rule in RULES.rules}
    assert {key: found[key] for key in published} == published


def test_areas_are_the_treaties() -> None:
    """27 member states; the EEA adds Iceland, Liechtenstein and Norway (EEA Agreement)."""
    eu, eea = RULES.members("eu"), RULES.members("eea")
    assert len(eu) == 27
    assert eea - eu == {"IS", "LI", "NO"}
    assert not {"GB", "CH", "US"} & eea
    assert {"GB", "CH", "JP", "BR"} <= RULES.members("adequate")
    assert not {"US", "CN"} & RULES.members("adequate")


def test_choices_of_residency_are_areas_or_countries() -> None:
    choices = set(field_schema()["policy.data_residency"]["choices"]) - {"anywhere"}
    assert {c for c in choices if len(c) > 2} <= set(RULES.areas)
    assert all(RULES.members(c) for c in choices)


def test_venues_cover_the_kinds_and_every_fact_has_its_source() -> None:
    known = {f.name for f in fields(VenueFacts)} - {"id", "sources"}
    assert known == {*TEXTS, *YES_OR_NO, *LEVELS, *NUMBERS}
    assert {VENUES[v].kind for v in GENERIC.values()} == set(VENUE_KINDS)
    for venue in VENUES.values():
        for name in known:
            value = getattr(venue, name)
            blank = value in ("", (), "unknown") or value != value
            assert blank == (name not in venue.sources), f"{venue.id}.{name}"
        for name, source in venue.sources.items():
            assert source.title and source.locator and source.as_of, f"{venue.id}.{name}"


def test_own_premises_leave_nothing_to_a_provider_and_no_claim_is_called_measured() -> None:
    assert {getattr(VENUES["own_room"], name) for name in (*YES_OR_NO, *LEVELS)} == {"own"}
    for venue in VENUES.values():
        assert all(s.basis > Basis.INTERPOLATED for s in venue.sources.values()), venue.id


def test_us_parents_are_within_reach_of_the_cloud_act() -> None:
    for venue in VENUES.values():
        if venue.parent_country == "US":
            assert venue.cloud_act == "yes", venue.id


def test_a_provider_without_rows_is_the_generic_one() -> None:
    assert find_venue(VENUES, "AWS", "cloud").id == "aws"
    assert find_venue(VENUES, "aws", "api").id == "bedrock"
    assert find_venue(VENUES, "fireworks_ai", "api").id == "fireworks"
    assert find_venue(VENUES, "no such provider", "cloud").id == "specialised"
    assert find_venue(VENUES, "no such provider", "api").id == "other_api"
    names = [(v.kind, key) for v in VENUES.values() for key in (v.id, *v.aliases)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("x,baa,perhaps", "yes, no, own, unknown"),
        ("x,fedramp,middling", "none, low, moderate, high"),
        ("y,kind,shed", "own, colocation, cloud, api"),
        ("x,colour,blue", "field of VenueFacts"),
        ("x,name,X", "given once"),
        ("y,baa,yes", "name and kind are needed"),
    ],
)
def test_a_wrong_cell_is_named(tmp_path, row: str, words: str) -> None:
    head = "venue,fact,value,source,locator,as_of,licence,basis,note\n"
    tail = ",s,l,2026,q,derived,\n"
    table = tmp_path / "venue_facts.csv"
    table.write_text(head + f"x,name,X{tail}x,kind,cloud{tail}" + row + tail, encoding="utf-8")
    with pytest.raises(MissingData, match=re.escape(words)):
        read_venues(table)


# --- Cases -------------------------------------------------------------------------------------


def test_no_default_asks_anything() -> None:
    assert asked_flags(PolicySection()) == ()
    assert left() == set(VENUES)
    assert log_months(PolicySection(), RULES) == 0.0
    assert egress_bytes(PolicySection()) == 0.0
    assert asked_flags(Scenario().policy) == ()


def test_air_gapped_leaves_only_own_premises() -> None:
    assert left(users="DE", air_gapped=True) == {"own_room"}


def test_full_sovereignty_excludes_us_parents_in_eu_regions() -> None:
    found = check("aws", "DE", data_residency="eu", sovereignty="full")
    assert [gate.passed for gate in found] == [True, False]
    assert "CLOUD Act" in found[1].reason and "18 U.S.C. 2713" in found[1].rule.source.title
    remaining = left(users="DE", data_residency="eu", sovereignty="full")
    assert {VENUES[v].parent_country for v in remaining} <= {"own", "FR", "NL"}
    assert {"own_room", "scaleway", "ovhcloud_secnumcloud"} <= remaining
    assert not {v.id for v in VENUES.values() if v.parent_country == "US"} & remaining
    assert "mistral" not in remaining  # its machines are Microsoft's and Google's


def test_a_local_company_of_a_foreign_parent_passes_operator_and_not_full() -> None:
    eu = {"country": "DE", "data_residency": "eu"}
    assert allowed(check("aws_european_sovereign", **eu, sovereignty="operator"))
    assert not allowed(check("aws_european_sovereign", **eu, sovereignty="full"))
    assert not allowed(check("aws", **eu, sovereignty="operator"))


def test_united_states_law_is_not_foreign_at_home() -> None:
    asked = {"data_residency": "us", "sovereignty": "full"}
    assert allowed(check("aws", "US", users="US", **asked))
    assert not allowed(check("aws", "US", users="FR", **asked))
    assert not allowed(check("nebius", "US", users="US", **asked))


@pytest.mark.parametrize(
    ("area", "country", "passed"),
    [
        ("de", "DE", True),
        ("de", "US", False),
        ("de", "FR", False),
        ("eu", "NO", False),
        ("eea", "NO", True),
        ("eea", "EU", True),
        ("de", "EU", False),
        ("eea", "EEA_CH", False),
        ("adequate", "EEA_CH", True),
        ("us", "US-TX", True),
        ("eu", "", False),
    ],
)
def test_residency_is_the_whole_region_inside(area: str, country: str, passed: bool) -> None:
    assert allowed(check("aws", country, data_residency=area)) is passed
    assert allowed(check("own_room", country, data_residency=area)) is passed


def test_high_risk_excludes_nothing_and_asks_for_six_months_of_logs() -> None:
    """AI Act, articles 19 and 26(6): at least six months; no article on location."""
    policy = PolicySection(eu_ai_act_class="high")
    assert left(eu_ai_act_class="high") == set(VENUES)
    assert log_months(policy, RULES) >= 6.0
    assert "no duty of location" in check("deepseek", "CN", eu_ai_act_class="high")[0].reason


def test_the_longest_retention_counts() -> None:
    """PCI DSS 10.5.1: 12 months; OMB M-21-31: 12 active and 18 cold; AI Act: 6."""
    both = PolicySection(eu_ai_act_class="high", pci=True)
    assert log_months(both, RULES) == 12.0
    assert log_months(PolicySection(fedramp_level="low", pci=True), RULES) == 12.0 + 18.0
    assert log_months(PolicySection(phi_us=True), RULES) == 0.0


def test_personal_data_is_not_a_duty_of_location() -> None:
    """GDPR, chapter V: a basis is needed outside the EEA, and contracts everywhere."""
    inside, outside = (check("aws", c, personal_data_eu=True)[0] for c in ("DE", "US"))
    assert inside.passed and outside.passed
    assert "no transfer" in inside.reason and "standard clauses" in outside.reason
    assert "adequacy" in check("aws", "GB", personal_data_eu=True)[0].reason
    assert not allowed(check("deepseek", "CN", personal_data_eu=True))
    assert not allowed(check("aws", "", personal_data_eu=True))


def test_no_retention_excludes_apis_without_zero_retention() -> None:
    kept = left(prompt_retention_forbidden=True)
    assert {"own_room", "aws", "openai", "fireworks"} <= kept
    assert not {"deepseek", "other_api"} & kept
    keeps = replace(VENUES["openai"], zero_retention="no")
    assert not allowed(check(keeps, "US", prompt_retention_forbidden=True))


def test_the_longest_commitment_bars_three_years() -> None:
    assert allowed(check("aws", "US", 12.0, exit_months=12))
    assert not allowed(check("aws", "US", 36.0, exit_months=12))
    assert allowed(check("own_room", "US", 0.0, exit_months=0))
    assert not allowed(check("colocation", "US", 0.0, exit_months=6))
    assert not allowed(check("aws", "US", math.nan, exit_months=12))


def test_levels_have_an_order() -> None:
    assert allowed(check("aws", "US", fedramp_level="moderate"))
    assert not allowed(check("aws", "US", fedramp_level="high"))
    assert allowed(check("aws_govcloud", "US", fedramp_level="high"))
    assert allowed(check("aws_govcloud", "US", dod_il="5"))
    assert not allowed(check("aws_govcloud", "US", dod_il="6"))
    assert not allowed(check("openai", "US", isolation="vm"))
    assert allowed(check("aws", "US", isolation="whole"))


@pytest.mark.parametrize("flag", [{"itar": True}, {"dod_il": "4"}])
def test_arms_data_stay_in_the_united_states_even_on_own_premises(flag: dict) -> None:
    assert allowed(check("own_room", "US", **flag))
    assert not allowed(check("own_room", "DE", **flag))
    assert not allowed(check("aws", "US", **flag))


def test_secret_weights_need_own_metal_or_sealed_memory() -> None:
    kept = left(ip_secret_weights=True)
    assert {"own_room", "colocation", "azure", "coreweave"} <= kept
    assert not {v.id for v in VENUES.values() if v.kind == "api"} & kept


@pytest.mark.parametrize(
    ("users", "limit_s", "passed"), [("DE", 0.05, True), ("US", 0.05, False), ("US", 0.5, True)]
)
def test_the_round_trip_is_from_the_users(users: str, limit_s: float, passed: bool) -> None:
    assert allowed(check("aws", "DE", users=users, max_rtt_s=limit_s)) is passed


def test_light_bounds_the_assumed_round_trips() -> None:
    """Half the earth's circumference and back, in glass at two thirds of the speed of light, is
    the most that geography asks; a hundred kilometres is the least within a country."""
    most_s = 2 * 20_000e3 / 2e8
    for venue in VENUES.values():
        near, far = venue.rtt_same_country_s, venue.rtt_other_country_s
        assert 0.0 < near <= far <= most_s, venue.id
        if venue.kind != "own":
            assert near >= 2 * 100e3 / 2e8, venue.id


def test_national_certificates() -> None:
    assert left(users="FR", secnumcloud=True) == {"own_room", "ovhcloud_secnumcloud"}
    assert {"own_room", "aws", "gcp", "oci"} <= left(bsi_c5=True)
    assert "specialised" not in left(bsi_c5=True)


def test_carrying_data_out_is_counted_and_forbids_nothing() -> None:
    policy = PolicySection(data_gravity_bytes=5e12)
    assert egress_bytes(policy) == 5e12
    assert left(data_gravity_bytes=5e12) == set(VENUES)
    assert "5 TB" in check("aws", "US", data_gravity_bytes=5e12)[0].reason


# --- Unknown, and properties -------------------------------------------------------------------

PLACELESS = {"eu_ai_act_class", "data_gravity_bytes"}
"""Flags that exclude no place."""


@pytest.mark.parametrize("flag", FLAGS)
def test_a_place_of_which_nothing_is_known_passes_nothing(flag: str) -> None:
    blank = VenueFacts("blank", "Nobody's cloud", "cloud")
    for value in SET[flag]:
        gate = check(blank, "", math.nan, **{flag: value})[0]
        assert gate.passed == (flag in PLACELESS), gate.reason
        assert gate.passed or "not known" in gate.reason


@pytest.mark.parametrize("flag", FLAGS)
def test_own_premises_pass_whatever_a_provider_is_asked(flag: str) -> None:
    """In the United States, for users there, at the loosest value of each limit."""
    value = SET[flag][-1] if flag in ("max_rtt_s", "exit_months") else SET[flag][0]
    flags = {flag: "us" if flag == "data_residency" else value}
    assert allowed(check("own_room", "US", users="US", **flags))


POLICIES = st.fixed_dictionaries({}, optional={k: st.sampled_from(v) for k, v in SET.items()})


@settings(max_examples=300, deadline=None)
@given(
    flags=POLICIES,
    extra=st.sampled_from(FLAGS).flatmap(
        lambda flag: st.tuples(st.just(flag), st.sampled_from(SET[flag]))
    ),
    venue=st.sampled_from(sorted(VENUES)),
    country=st.sampled_from(["", "DE", "FR", "US", "NO", "CN", "EU", "EEA_CH"]),
    months=st.sampled_from([0.0, 12.0, 36.0]),
    users=st.sampled_from(["", "DE", "US"]),
)
def test_one_more_flag_never_lets_more_places_pass(
    flags: dict, extra: tuple, venue: str, country: str, months: float, users: str
) -> None:
    flag, value = extra
    flags.pop(flag, None)
    before = check(venue, country, months, users, **flags)
    after = check(venue, country, months, users, **flags, **{flag: value})
    assert allowed(before) >= allowed(after)
    assert len(after) == len(before) + 1
    shut = {gate.flag for gate in before if not gate.passed}
    assert shut <= {gate.flag for gate in after if not gate.passed}


@pytest.mark.parametrize("wanted", SET["sovereignty"])
@pytest.mark.parametrize("country", ["", "DE", "FR", "US", "CN", "EU"])
def test_naming_the_countries_never_opens_the_gate_of_sovereignty(
    wanted: str, country: str
) -> None:
    """The one pair of flags that read each other, over every place and area."""
    for venue in VENUES:
        for users in ("", "FR", "US"):
            before = allowed(check(venue, country, users=users, sovereignty=wanted))
            for area in SET["data_residency"]:
                flags = {"sovereignty": wanted, "data_residency": area}
                assert before >= allowed(check(venue, country, users=users, **flags)), (venue, area)


@settings(max_examples=100, deadline=None)
@given(flags=POLICIES, venue=st.sampled_from(sorted(VENUES)))
def test_there_is_one_gate_for_each_flag_with_a_sentence(flags: dict, venue: str) -> None:
    found = check(venue, "DE", **flags)
    assert {gate.flag for gate in found} == set(flags) == set(asked_flags(PolicySection(**flags)))
    for gate in found:
        assert gate.reason.endswith(".") and gate.title == gate.rule.title
        assert gate.rule.flag == gate.flag
        assert VENUES[venue].name in gate.reason or gate.flag in PLACELESS


def test_the_region_taken_is_one_that_is_allowed_if_there_is_one() -> None:
    eu = PolicySection(data_residency="eu")
    assert serving_place(eu, VENUES["aws"], RULES, "US") in RULES.members("eu")
    assert serving_place(PolicySection(), VENUES["aws"], RULES, "JP") == "JP"
    assert serving_place(eu, VENUES["own_room"], RULES, "") == "eu"
    assert serving_place(eu, VENUES["own_room"], RULES, "US") == "eu"
    assert serving_place(PolicySection(), VENUES["lambda"], RULES, "US") == ""


def test_the_matrix_is_its_gates() -> None:
    policy = PolicySection(bsi_c5=True, data_residency="de")
    table = gate_matrix(policy, VENUES.values(), RULES, countries={"aws": "DE"})
    assert set(table) == set(VENUES)
    assert table["aws"] == gates(policy, VENUES["aws"], RULES, country="DE", commitment_months=0.0)
    assert {tuple(g.flag for g in row) for row in table.values()} == {("data_residency", "bsi_c5")}


# --- The section -------------------------------------------------------------------------------


def test_a_level_may_be_written_without_quotes() -> None:
    assert Scenario.from_text("policy:\n  dod_il: 4\n").policy.dod_il == "4"


@settings(max_examples=100, deadline=None)
@given(flags=POLICIES)
def test_the_section_goes_through_files_and_links(flags: dict) -> None:
    scenario = Scenario.from_dict({"policy": flags})
    assert Scenario.from_text(scenario.to_text("yaml")) == scenario
    assert Scenario.from_text(scenario.to_text("json")) == scenario
    assert Scenario.from_query(scenario.to_query()) == scenario
    by_hand = "policy:\n" + "".join(f"  {k}: {v}\n" for k, v in flags.items())
    assert Scenario.from_text(by_hand if flags else "policy: {}").policy == scenario.policy


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("policy.data_residency", "mars"),
        ("policy.dod_il", 3),
        ("policy.max_rtt_s", 0.0),
        ("policy.exit_months", -1),
        ("policy.data_gravity_bytes", -1.0),
        ("policy.air_gapped", "maybe"),
    ],
)
def test_a_wrong_value_names_its_field(path: str, value: Any) -> None:
    with pytest.raises(InvalidScenario, match=re.escape(path)):
        Scenario().changed({path: value})


def test_it_says_that_it_is_no_legal_advice() -> None:
    assert "not legal advice" in NOT_LEGAL_ADVICE


def test_a_flag_without_a_rule_is_missing_data() -> None:
    with pytest.raises(MissingData, match=r"policy_rules\.csv"):
        RULES.of("eu_ai_act_class", "unheard of")
