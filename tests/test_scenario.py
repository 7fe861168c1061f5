"""The scenario is a closed, frozen document: it round-trips through every door, and says what
each of its fields means."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import numpy as np
import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from planner.catalogue import Catalogue, load_catalogue, trace_ids, week_shapes
from planner.demand import SOURCES, profile_log, profile_to_text, read_request_log
from planner.demand.week import KINDS
from planner.errors import InvalidScenario
from planner.plan import evaluate
from planner.scenario import (
    EXAMPLES,
    FIELDS,
    SECTIONS,
    Scenario,
    ServiceLevelSection,
    field_schema,
    load_example,
)
from planner.scenario.link import LIMIT_CHARACTERS
from planner.serving.level import PERCENTILES, ServiceTarget
from planner.units import UNITS

SCHEMA = field_schema()
TEXT_LIMITS = {
    "title": (0, 120),
    "description": (0, 2000),
    "workload.model": (1, 200),
    "workload.config_json": (0, 100_000),
    "deployment.gpu": (1, 200),
    "deployment.weight_precision": (1, 60),
    "deployment.kv_precision": (1, 60),
    "deployment.engine": (1, 60),
    "demand.log": (1, 60),
    "demand.log_profile": (0, 20_000),
    "demand.week_shape": (1, 60),
    "site.country": (1, 40),
    "finance.cloud_provider": (1, 60),
    "finance.api": (1, 200),
}
DATES = st.just("") | st.dates().map(str)


def _rows(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Rows of a table: names that differ, and some of the other fields."""
    name = st.text("abcdefgh ", min_size=1, max_size=20).filter(str.strip)
    row = st.fixed_dictionaries({"name": name}, optional=fields)
    return st.lists(row, max_size=3, unique_by=lambda one: one["name"].strip())


OTHERS = {
    "finance.currency": st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=3, max_size=3),
    "finance.currency_as_of": DATES,
    "finance.quotes_as_of": DATES,
    "finance.quotes": st.dictionaries(st.text("abc/-1", min_size=1), st.floats(0, 1e9), max_size=3),
    "portfolio.workloads": _rows(
        shape=st.sampled_from(["serving", "batch", "training", "notebooks"]),
        people=st.integers(1, 10_000),
        dataset_tokens=st.floats(1e4, 1e14),
        replicas_apart=st.booleans(),
    ),
    "portfolio.hosts": _rows(
        gpus=st.sampled_from([1, 2, 8, 16]),
        carving=st.sampled_from(["whole", "mig", "mps"]),
        memory_gib=st.integers(32, 16384),
    ),
}
"""Fields whose own rules a schema does not tell."""
LINK_LIMIT_CHARACTERS = 2_000
# Made by the last version that knew neither demand nor service level.
OLD_LINK = (
    "s=1eNptUsuS2jAQ_BWVzsjrBYplySmbyj35ApWQB1thrFEkGUwo_j0jsw-ywQcfplsz3T1zltllBLmR36gBYVJyKRtv"
    "QewoigYOgBQgJjmTDSQbXciOPNO_u7bLpxuGOLrcCUt9QCgcYXwjbGeycF7kDgQ0LlOsxI_InJyENTGexLEj5GEOIc1E"
    "oolpyWcY-WESSL79Iozo3ZiHCIp2CkYex-97FoxiDxCSAGM7kWkPnkeCCRXrPVLcI5lGbs5y4upEQ7TFqzXZILUDMG2C"
    "uPbzCP6h_BZqUb-or4uXN1AHE00PucSwearfv6qeSZa6c63-laZQ5FQo2vUkhvmL-dNqPZXtECP4rBP8HoATZnC-vJRc"
    "A9KpZ6gobcPAjXBZJ7Vct9viA0rUOkSwLl3D34U1A_vDnWLmqRQnyYjFmB8QZzK4AOg8_AfwvKQ5UN1RYgHLmQTfMpEb"
    "HhB7OTF0Dz3Fkx6yQ_fHXE-grp7fyLo3462va-tXbGsy76R5T6SAbPtgojM-p2KaPIiyLj69a-_zTSrVNZKYRxUiqRUn"
    "r7Zo7P4IiOp5NYX0L_3W0ePHJVT3t7BmNWhiC1G8HsP548nbefCNe-Me2pAVpaQe5_WnsXfW1I-7sJSXy-Uv1zQz2w"
)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


def values_of(path: str) -> st.SearchStrategy[Any]:
    """Every value that a field allows, from the field's own schema."""
    entry = SCHEMA[path]
    if path in OTHERS:
        return OTHERS[path]
    if entry["control"] == "switch":
        return st.booleans()
    if entry["choices"]:
        allowed: st.SearchStrategy[Any] = st.sampled_from(entry["choices"])
    elif entry["minimum"] is not None and entry["integer"]:
        allowed = st.integers(entry["minimum"], entry["maximum"])
    elif entry["minimum"] is not None:
        allowed = st.floats(entry["minimum"], entry["maximum"])
    else:
        low, high = TEXT_LIMITS[path]
        # Half a character (a lone surrogate) is no text, so files could not carry it.
        letters = st.characters(exclude_categories=["Cs"])
        allowed = st.text(letters, min_size=low, max_size=min(high, 60))
    return st.none() | allowed if entry["nullable"] else allowed


CHANGES = st.fixed_dictionaries({}, optional={path: values_of(path) for path in FIELDS})
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Valid scenarios, with up to three variants."""
    document: dict[str, Any] = {name: {} for name in SECTIONS}
    for path, value in draw(CHANGES).items():
        section, _, name = path.rpartition(".")
        (document[section] if section else document)[name] = value
    document["variants"] = draw(st.dictionaries(NAMES, CHANGES, max_size=3))
    return Scenario.from_dict(document)


# ---------------------------------------------------------------- round trips


@settings(max_examples=150, deadline=None)
@given(scenarios())
def test_every_door_gives_the_same_scenario_back(scenario: Scenario) -> None:
    assert Scenario.from_dict(scenario.to_dict()) == scenario
    assert Scenario.from_text(scenario.to_text("yaml")) == scenario
    assert Scenario.from_text(scenario.to_text("json")) == scenario
    assert Scenario.from_dict(json.loads(scenario.to_text("json"))) == scenario
    assert Scenario.from_dict(yaml.safe_load(scenario.to_text("yaml"))) == scenario
    try:
        query = scenario.to_query()
    except InvalidScenario as error:
        assert "too large for a link" in str(error)
    else:
        assert Scenario.from_query(query) == scenario
        assert Scenario.from_query("?" + query) == scenario


@settings(max_examples=40, deadline=None)
@given(scenarios(), st.sampled_from(["plan.yaml", "plan.yml", "plan.json", "PLAN.JSON"]))
def test_a_saved_file_loads_back(
    tmp_path_factory: pytest.TempPathFactory, scenario: Scenario, name: str
) -> None:
    path = tmp_path_factory.mktemp("saved") / name
    scenario.save(path)
    assert Scenario.load(path) == scenario
    assert Scenario.load(str(path)) == scenario
    assert os.listdir(path.parent) == [name]
    if name.lower().endswith(".json"):
        assert json.loads(path.read_text(encoding="utf-8")) == scenario.to_dict()


@settings(max_examples=100, deadline=None)
@given(scenarios(), scenarios())
def test_differences_lead_from_one_scenario_to_the_other(a: Scenario, b: Scenario) -> None:
    assert b.changed(a.differences(b)).values() == a.values()
    assert a.changed(b.differences(a)).values() == b.values()
    assert a.differences(b).keys() == b.differences(a).keys()
    assert a.differences(a) == {}
    assert a.changed({}) == a == a.changed(a.values())


@settings(max_examples=100, deadline=None)
@given(scenarios())
def test_a_variant_is_its_differences(scenario: Scenario) -> None:
    for variant in scenario.variants:
        made = scenario.variant(variant.name)
        wanted = {**scenario.values(), **dict(variant.changes)}
        wanted.pop("title")
        for path in ("portfolio.workloads", "portfolio.hosts"):
            rows = dict(variant.changes).get(path, wanted[path])
            found = getattr(made.portfolio, path.partition(".")[2])
            assert len(found) == len(rows)
            for row, given_row in zip(found, rows, strict=True):
                # A variant names some fields of a row; the others keep their defaults.
                given_fields = dict(given_row)
                assert {name: getattr(row, name) for name in given_fields} == given_fields
            wanted.pop(path)
        assert {path: made.values()[path] for path in wanted} == wanted
        assert made.title.endswith(f": {variant.name}")
        assert made.variants == ()
        assert Scenario.from_dict(made.to_dict()) == made, "a variant is a valid scenario"


def test_a_variant_of_a_scenario_with_the_longest_title_is_valid() -> None:
    scenario = Scenario.from_dict({"title": "t" * 120, "variants": {"v" * 60: {}}})
    made = scenario.variant("v" * 60)
    assert made.title == "t" * 58 + ": " + "v" * 60
    assert Scenario.from_dict(made.to_dict()) == made


@given(scenarios(), scenarios())
@settings(max_examples=50, deadline=None)
def test_equal_scenarios_have_equal_links(a: Scenario, b: Scenario) -> None:
    assert (hash(a) == hash(b)) or a != b
    assume(a != b)
    assert a.to_dict() != b.to_dict()
    assert a.to_query() != b.to_query()


def test_json_of_other_programs_is_read() -> None:
    """Tabs, 7e10, escaped pairs and slashes are JSON, and none of them is YAML 1.1."""
    text = '{\n\t"title": "\\ud83d\\ude80 a\\/b",\n\t"workload": {"model_parameters": 7e10}}'
    scenario = Scenario.from_text(text)
    assert scenario.title == "\U0001f680 a/b"
    assert scenario.workload.model_parameters == 70e9


def test_a_byte_order_mark_and_windows_lines_pass(tmp_path: Path) -> None:
    for name, text in (("a.yaml", "title: A\r\n"), ("a.json", '{"title": "A"}\r\n')):
        path = tmp_path / name
        path.write_bytes(b"\xef\xbb\xbf" + text.encode())
        assert Scenario.load(path).title == "A"


# ---------------------------------------------------------------- closed and frozen


def test_nothing_mutates() -> None:
    scenario = load_example("chat-assistant")
    before = scenario.to_dict()
    for owner, name in (
        (scenario, "title"),
        (scenario, "workload"),
        (scenario, "variants"),
        (scenario.workload, "context_tokens"),
        (scenario.deployment, "gpu"),
        (scenario.variants[0], "name"),
    ):
        with pytest.raises(ValidationError):
            setattr(owner, name, getattr(owner, name))
        with pytest.raises(ValidationError):
            delattr(owner, name)
    scenario.values()["title"] = scenario.to_dict()["title"] = "Changed"
    scenario.to_dict()["workload"]["model"] = "Changed"
    assert scenario.to_dict() == before
    with pytest.raises(InvalidScenario):
        scenario.changed({"title": "Changed", "workload.context_tokens": -1})
    assert scenario.to_dict() == before


@pytest.mark.parametrize(
    "document",
    [
        {"titel": "A"},
        {"workload": {"contxt_tokens": 1}},
        {"deployment": {"gpus": 1}},
        {"deployment": {"context_tokens": 4096}},
        {"workload.context_tokens": 4096},
        {"finances": {}},
        {"demand": {"user": 5}},
        {"demand": {"ttft_s": 2.0}},
        {"service_level": {"ttft": 2.0}},
        {"service_level": {"percentile_fraction": 0.5}},
        {"service level": {}},
        {"variants": [{"name": "a", "changes": {}, "note": "b"}]},
        {"variants": {"a": {"workload.contxt": 1}}},
        {"variants": {"a": {"variants": 1}}},
        {"variants": {"a": {"workload": {"context_tokens": 4096}}}},
        {"": 1},
    ],
    ids=str,
)
def test_unknown_keys_are_refused_everywhere(document: dict) -> None:
    with pytest.raises(InvalidScenario):
        Scenario.from_dict(document)


def test_the_nearest_field_is_named() -> None:
    with pytest.raises(InvalidScenario, match=r"did you mean workload\.context_tokens\?") as caught:
        Scenario().changed({"workload.context_token": 1})
    assert caught.value.field == "workload.context_token"


def test_two_variants_of_one_name_are_refused() -> None:
    twice = [{"name": "a", "changes": {}}, {"name": "a", "changes": {"title": "B"}}]
    with pytest.raises(InvalidScenario, match="different names"):
        Scenario.from_dict({"variants": twice})


def test_variants_are_validated_when_the_file_is_read() -> None:
    with pytest.raises(InvalidScenario, match="variant 'long'.*context_tokens is -1"):
        Scenario.from_dict({"variants": {"long": {"workload.context_tokens": -1}}})


def test_an_unknown_variant_names_those_that_exist() -> None:
    with pytest.raises(InvalidScenario, match="four bits"):
        load_example("chat-assistant").variant("five bits")


@pytest.mark.parametrize("path", ["tensor_parallel", "pipeline_parallel", "gpus_per_host"])
def test_true_is_not_one(path: str) -> None:
    with pytest.raises(InvalidScenario, match="is true"):
        Scenario().changed({f"deployment.{path}": True})


@pytest.mark.parametrize("path", [p for p in FIELDS if SCHEMA[p]["minimum"] is not None])
def test_the_ends_of_a_range_are_allowed_and_no_more(path: str) -> None:
    entry = SCHEMA[path]
    step = 1 if entry["integer"] else 1e-6
    for end, beyond in ((entry["minimum"], -step), (entry["maximum"], step)):
        assert Scenario().changed({path: end}).values()[path] == end
        outside = end + beyond * (1 if entry["integer"] else max(1.0, abs(end)))
        with pytest.raises(InvalidScenario, match=path) as caught:
            Scenario().changed({path: outside})
        assert caught.value.field == path


# ---------------------------------------------------------------- demand and service level


def test_files_and_links_from_before_these_sections_open() -> None:
    """What they do not say takes its default; what they say stays."""
    old = {
        key: value
        for key, value in load_example("code-assistance").to_dict().items()
        if key in ("title", "description", "workload", "deployment", "variants")
    }
    for scenario in (Scenario.from_query(OLD_LINK), Scenario.from_text(json.dumps(old))):
        assert scenario.to_dict() == {**Scenario().to_dict(), **old}


@pytest.mark.parametrize("written", ["95", "'95'"])
def test_a_percentile_needs_no_quotes_in_a_file(written: str) -> None:
    scenario = Scenario.from_text(f"service_level: {{percentile: {written}}}")
    assert scenario.service_level.percentile == "95"


@pytest.mark.parametrize(
    "value", [True, 95.0, 96, 0, pytest.param(10**6000, id="huge"), "95 ", "p95", "median", None]
)
def test_other_percentiles_are_refused(value: Any) -> None:
    with pytest.raises(InvalidScenario, match="service_level.percentile is .*'mean'") as caught:
        Scenario().changed({"service_level.percentile": value})
    assert caught.value.field == "service_level.percentile"


def test_every_percentile_is_one_that_sizing_knows() -> None:
    choices = SCHEMA["service_level.percentile"]["choices"]
    fractions = [ServiceLevelSection(percentile=one).percentile_fraction for one in choices]
    assert fractions == list(PERCENTILES)
    for fraction in fractions:
        ServiceTarget(2.0, 0.05, fraction)


def test_choices_are_those_of_the_demand_room() -> None:
    assert tuple(SCHEMA["demand.source"]["choices"]) == SOURCES
    assert tuple(SCHEMA["demand.duration"]["choices"]) == KINDS


def test_default_spreads_are_the_published_traces(repository: Path) -> None:
    """Computed here from the publisher's own rows: variance over squared mean, two digits."""
    columns = np.genfromtxt(
        repository / "data" / "traces" / "AzureLLMInferenceTrace_conv_2023.csv",
        delimiter=",",
        skip_header=1,
        usecols=(1, 2),
    )
    spreads = columns.var(axis=0) / columns.mean(axis=0) ** 2
    demand = Scenario().demand
    assert [demand.prompt_cv2, demand.output_cv2] == pytest.approx(spreads.tolist(), abs=0.005)


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_name_logs_and_weeks_that_exist(name: str) -> None:
    demand = load_example(name).demand
    assert demand.log in trace_ids() and demand.week_shape in week_shapes()
    assert demand.prompt_tokens + demand.output_tokens < load_example(name).workload.context_tokens


def test_examples_show_different_sources_of_demand() -> None:
    assert len({load_example(name).demand.source for name in EXAMPLES}) == len(EXAMPLES)
    for name in EXAMPLES:
        scenario = load_example(name)
        assert scenario.demand != Scenario().demand, name


def test_a_real_logs_profile_travels_in_a_link() -> None:
    """Eight days in which no hour is like another: the longest profile that a log can have."""
    random = np.random.default_rng(7)
    times = 8 * 86400.0 * np.sort(random.random(120_000)) ** 1.5
    lengths = random.geometric(0.002, (2, 120_000))
    rows = "\n".join(f"{t:.3f},{i},{o}" for t, i, o in zip(times, *lengths, strict=True))
    log = read_request_log(f"time,input_tokens,output_tokens\n{rows}".encode(), "week.csv")
    profile = profile_log(log)
    assert len(set(profile.hourly_to_mean)) > 100
    text = profile_to_text(profile)
    scenario = Scenario().changed({"demand.log_profile": text, "demand.log": "uploaded"})
    assert Scenario.from_query(scenario.to_query()) == scenario


def test_a_profile_too_long_for_a_link_says_so_and_fits_a_file() -> None:
    noise = os.urandom(10_000).hex()
    scenario = Scenario().changed({"demand.log_profile": noise})
    with pytest.raises(InvalidScenario, match="too large for a link; download it as a file"):
        scenario.to_query()
    for form in ("yaml", "json"):
        assert Scenario.from_text(scenario.to_text(form)) == scenario
    with pytest.raises(InvalidScenario, match=r"log_profile.* at most 20000 characters"):
        Scenario().changed({"demand.log_profile": noise + "0"})


# ---------------------------------------------------------------- documentation


def test_the_schema_covers_every_field() -> None:
    assert set(SCHEMA) == set(FIELDS) == set(Scenario().values())
    inside = {f"{name}.{key}" for name, owner in SECTIONS.items() for key in owner.model_fields}
    assert set(FIELDS) == inside | {"title", "description"}


def test_no_two_fields_have_one_label() -> None:
    labels = [entry["label"] for entry in SCHEMA.values()]
    assert sorted(labels) == sorted(set(labels))


@pytest.mark.parametrize("path", FIELDS)
def test_every_field_is_documented(path: str, catalogue: Catalogue) -> None:
    entry = SCHEMA[path]
    assert 3 <= len(entry["label"]) <= 40
    assert entry["description"].endswith(".") and len(entry["description"]) > 10
    assert entry["unit"] in UNITS
    assert entry["team"] in ("data science", "infrastructure", "both")
    assert entry["control"] in (
        "slider",
        "log slider",
        "choice",
        "search",
        "number",
        "text",
        "file",
        "switch",
        "quotes",
        "rows",
    )
    assert not entry["term"] or entry["term"] in catalogue.glossary
    number = isinstance(entry["default"], int | float) or entry["integer"]
    number = number and entry["control"] != "switch"
    if number and not entry["choices"]:
        assert entry["minimum"] < entry["maximum"]
        assert entry["unit"] != "text"
    default = Scenario().values()[path]
    # JSON knows lists only.
    assert entry["default"] == (list(default) if isinstance(default, tuple) else default)
    if entry["shown_when"]:
        other, shown = entry["shown_when"]
        assert set(shown) <= set(SCHEMA[other]["choices"])


# ---------------------------------------------------------------- examples


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_evaluate_with_all_their_variants(name: str, catalogue: Catalogue) -> None:
    scenario = load_example(name)
    assert scenario.description and scenario.variants
    plan = evaluate(scenario, catalogue)
    assert plan.scenario == scenario and plan.fit.gpus >= 1
    for variant in scenario.variants:
        changed = scenario.variant(variant.name)
        assert changed.differences(scenario).keys() == {"title", *dict(variant.changes)}
        assert evaluate(changed, catalogue).fit.gpus >= 1


def test_every_shipped_file_is_an_example(repository: Path) -> None:
    files = sorted(path.stem for path in (repository / "data" / "scenarios").iterdir())
    assert files == sorted(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_links_are_short_and_survive_quoting(name: str) -> None:
    """2,000 characters pass every mail program and chat; our own limit is the servers'.

    A fleet's tables take more, which browsers and servers take all the same.
    """
    scenario = load_example(name)
    query = scenario.to_query()
    most = LINK_LIMIT_CHARACTERS * (2 if scenario.portfolio.workloads else 1)
    assert len(query) < most < LIMIT_CHARACTERS
    _, _, packed = query.partition("=")
    assert quote(packed, safe="") == packed, "nothing in a link needs quoting"
    for link in (
        query,
        f"?{query}",
        urlencode({"s": packed}),
        f"voila-theme=dark&{query}&x=1",
        quote(query, safe="="),
    ):
        assert Scenario.from_query(link) == scenario


def test_a_scenario_too_large_for_a_link_says_so() -> None:
    noise = os.urandom(30_000).hex()
    scenario = Scenario().changed({"workload.config_json": noise})
    with pytest.raises(InvalidScenario, match="too large for a link"):
        scenario.to_query()


def test_a_link_that_could_not_be_opened_is_not_made() -> None:
    """100,000 quotation marks pack into a short link, and unpack into more than we open."""
    scenario = Scenario().changed({"workload.config_json": '"' * 100_000})
    with pytest.raises(InvalidScenario, match="too large for a link"):
        scenario.to_query()


# ---------------------------------------------------------------- saving


class Interrupted(BaseException):
    """As Ctrl+C: not an Exception."""


@pytest.mark.parametrize("name", ["plan.yaml", "plan.json"])
@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_an_interrupted_save_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, name: str
) -> None:
    path = tmp_path / name
    old = load_example("chat-assistant")
    old.save(path)
    before = path.read_bytes()

    def interrupt(*_arguments: object) -> None:
        raise Interrupted

    monkeypatch.setattr(os, moment, interrupt)
    with pytest.raises(Interrupted):
        load_example("code-assistance").save(path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [name]
    assert Scenario.load(path) == old


def test_a_full_disk_is_one_sentence_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "plan.yaml"
    Scenario().save(path)
    before = path.read_bytes()

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InvalidScenario, match=r"plan\.yaml cannot be written \(No space left"):
        load_example("code-assistance").save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["plan.yaml"]


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for place in (tmp_path / "nowhere" / "plan.yaml", tmp_path / "folder"):
        with pytest.raises(InvalidScenario, match="cannot be written"):
            Scenario().save(place)
    assert os.listdir(tmp_path) == ["folder"]


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_saving_keeps_links_and_permissions(tmp_path: Path) -> None:
    """Two teams fill in one file: the one who saves must not lock out the other."""
    shared, link = tmp_path / "shared.yaml", tmp_path / "link.yaml"
    shared.write_text("title: old\n")
    shared.chmod(0o664)
    link.symlink_to(shared)
    Scenario(title="new").save(link)
    assert link.is_symlink() and Scenario.load(shared).title == "new"
    assert stat.S_IMODE(shared.stat().st_mode) == 0o664
    fresh = tmp_path / "fresh.yaml"
    before = os.umask(0o022)
    try:
        Scenario().save(fresh)
    finally:
        os.umask(before)
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o644
