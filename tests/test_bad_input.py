"""Whatever comes in by whatever door, a person gets one sentence and keeps the last good plan.

Doors: a YAML or JSON file, a link, the command line, a change on the dashboard, an upload of a
scenario and of a model's config.json.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from planner.catalogue import load_catalogue
from planner.cli import main
from planner.errors import InvalidScenario, MissingData, NoFeasiblePlan, PlannerError
from planner.plan import evaluate
from planner.scenario import FIELDS, SECTIONS, Scenario
from planner.workbook import Dashboard, will_it_fit
from planner.workbook.state import BUG

NOISE = re.compile(
    r"Traceback|<class|object at 0x|NoneType|\bNone\b|\bdict\b|\bstr\b|\blist\[|\btuple\b"
    r"|ValidationError|pydantic|\bpython\b|Error\(|\{'|\[\(|\\x|\bTrue\b|\bFalse\b|\binf\b|\bnan\b"
)
LONGEST_SENTENCE = 700
QUICK_S = 2.0


def assert_one_line(text: str) -> None:
    """One ended line; it may quote any nonsense that was given."""
    assert text == text.strip() and text.isprintable(), repr(text)
    assert text[-1] in ".?", text
    assert not re.search("Traceback|ValidationError|pydantic|object at 0x", text), text
    assert 15 < len(text) < LONGEST_SENTENCE, text
    text.encode("utf-8")


def assert_one_sentence(text: str) -> None:
    """One line that a person can read aloud, ended, without the program's own words."""
    assert_one_line(text)
    assert not re.search(r"[.!?]\s+[A-Z]", text.replace("e.g. ", "")), text
    assert not NOISE.search(text), text


class Screen(Dashboard):
    """A dashboard whose answers stay here."""

    def __init__(self, dashboard: Dashboard) -> None:
        self.sent: list[dict[str, Any]] = []
        super().__init__(dashboard.page, dashboard.state)

    def send(self, content: Any, buffers: Any = None) -> None:
        self.sent.append(content)

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send one request and return its only answer."""
        self.sent.clear()
        self.receive(request)
        assert len(self.sent) == 1
        # What the notebook server puts on the wire: finite numbers, whole characters.
        json.dumps(self.sent[0], allow_nan=False, ensure_ascii=False).encode("utf-8")
        return self.sent[0]


@pytest.fixture
def screen() -> Screen:
    return Screen(will_it_fit())


@pytest.fixture(scope="module")
def shared_screen() -> Screen:
    return Screen(will_it_fit())


def link_of(document: Any) -> str:
    """A link that carries any document, well made."""
    return packed(json.dumps(document).encode())


def packed(raw: bytes, version: str = "1") -> str:
    text = base64.urlsafe_b64encode(zlib.compress(raw, 9)).decode().rstrip("=")
    return f"s={version}{text}"


# ---------------------------------------------------------------- documents

# Name: the document, and what the sentence must name.
DOCUMENTS: dict[str, tuple[Any, str]] = {
    "unknown key": ({"titel": "A"}, "did you mean title"),
    "unknown key in a section": ({"workload": {"contxt": 4096}}, "workload.contxt"),
    "unknown section": ({"finance": {"budget": 1}}, "finance"),
    "field in the wrong section": (
        {"deployment": {"context_tokens": 4096}},
        "deployment.context_tokens",
    ),
    "key with markup": ({"<script>alert(1)</script>": 1}, "<script>"),
    "key of a thousand letters": ({"x" * 1000: 1}, "xxx"),
    "key with a line break": ({"a\nb\x1b[2J": 1}, "a b"),
    "negative count": ({"workload": {"concurrent_sequences": -3}}, "concurrent_sequences is -3"),
    "zero count": ({"workload": {"concurrent_sequences": 0}}, "concurrent_sequences is 0"),
    "text for a number": (
        {"workload": {"context_tokens": "long"}},
        "workload.context_tokens is 'long'",
    ),
    "number in quotes": ({"workload": {"context_tokens": "4096"}}, "without quotes"),
    "true for a number": ({"workload": {"context_tokens": True}}, "context_tokens is true"),
    "true for a choice": ({"deployment": {"tensor_parallel": True}}, "tensor_parallel is true"),
    "null for a number": ({"workload": {"context_tokens": None}}, "context_tokens is empty"),
    "null for text": ({"title": None}, "title is empty"),
    "null for a section": ({"workload": None}, "workload is empty"),
    "null for variants": ({"variants": None}, "variants"),
    "half a token": ({"workload": {"context_tokens": 4096.5}}, "context_tokens is 4096.5"),
    "beyond a double": ({"workload": {"model_parameters": 10**400}}, "model_parameters is"),
    "a huge count": ({"workload": {"context_tokens": 10**30}}, "context_tokens is a huge number"),
    "a huge choice": ({"deployment": {"tensor_parallel": 10**30}}, "tensor_parallel is a huge"),
    "infinite": ({"workload": {"model_parameters": float("inf")}}, "model_parameters is infinite"),
    "minus infinite": (
        {"deployment": {"gpu_memory_utilization": float("-inf")}},
        "gpu_memory_utilization is infinite",
    ),
    "not a number": (
        {"deployment": {"gpu_memory_utilization": float("nan")}},
        "gpu_memory_utilization is not a number",
    ),
    "percent for a share": ({"deployment": {"gpu_memory_utilization": 90}}, "at most 0.98"),
    "not a choice": ({"workload": {"model_source": "internet"}}, "'catalogue', 'size' or 'config'"),
    "three ranks": ({"deployment": {"tensor_parallel": 3}}, "tensor_parallel is 3"),
    "a row's negative count": (
        {"portfolio": {"workloads": [{"name": "a"}, {"name": "b", "people": -1}]}},
        "portfolio.workloads, row 2: people is -1; it must be at least 1",
    ),
    "a row without a name": (
        {"portfolio": {"workloads": [{"people": 3}]}},
        "row 1: name is missing",
    ),
    "a row with an unknown field": (
        {"portfolio": {"hosts": [{"name": "a", "gpuss": 8}]}},
        "row 1: gpuss is 8; there is no such field in a row",
    ),
    "a row with an unknown kind": (
        {"portfolio": {"workloads": [{"name": "a", "shape": "mining"}]}},
        "row 1: shape is 'mining'; it must be one of",
    ),
    "a row that is a number": ({"portfolio": {"workloads": [7]}}, "row 1 is 7"),
    "rows that are a number": ({"portfolio": {"workloads": 7}}, "workloads is 7"),
    "rows that are a group": ({"portfolio": {"hosts": {"a": 1}}}, "hosts is a group"),
    "two rows of one name": (
        {"portfolio": {"workloads": [{"name": "a"}, {"name": "A "}]}},
        "'a' is there twice",
    ),
    "a row with the main workload's name": (
        {"portfolio": {"workloads": [{"name": "this scenario"}]}},
        "must not have a row named 'this scenario'",
    ),
    "too many rows": (
        {"portfolio": {"workloads": [{"name": str(n)} for n in range(61)]}},
        "at most 60",
    ),
    "true for a host's GPUs": (
        {"portfolio": {"hosts": [{"name": "a", "gpus": True}]}},
        "row 1: gpus is true",
    ),
    "five GPUs in a host": (
        {"portfolio": {"hosts": [{"name": "a", "gpus": 5}]}},
        "row 1: gpus is 5",
    ),
    "a list for a number": ({"workload": {"context_tokens": [1, 2]}}, "is a list"),
    "a group for a number": ({"workload": {"context_tokens": {"a": 1}}}, "is a group"),
    "a list for a section": ({"workload": [1]}, "workload is a list"),
    "text for a section": ({"deployment": "h100"}, "deployment is 'h100'"),
    "a number for a title": ({"title": 5}, "title is 5"),
    "an empty model": ({"workload": {"model": ""}}, "workload.model is ''"),
    "a title of a novel": ({"title": "x" * 5000}, "at most 120 characters"),
    "a config of a megabyte": (
        {"workload": {"config_json": "x" * 150_000}},
        "workload.config_json is",
    ),
    "variants as a number": ({"variants": 5}, "variants"),
    "variant without a name": ({"variants": {"": {}}}, "variants"),
    "variant that is a word": ({"variants": {"a": "b"}}, "variants"),
    "variant with a list inside": ({"variants": {"a": {"title": [1]}}}, "variants"),
    "variant with an unknown field": (
        {"variants": {"a": {"workload.contxt": 1}}},
        "variant 'a': workload.contxt",
    ),
    "variant out of range": (
        {"variants": {"a": {"workload.context_tokens": -1}}},
        "variant 'a': workload.context_tokens is -1",
    ),
    "a hundred variants": ({"variants": {str(i): {} for i in range(100)}}, "up to 20"),
    "a list": ([1, 2], "not a document"),
    "a number": (5, "not a document"),
    "a word": ("hello", "not a document"),
    "nothing": (None, "not a document"),
}


@pytest.mark.parametrize("case", DOCUMENTS)
def test_documents_by_the_api(case: str) -> None:
    document, named = DOCUMENTS[case]
    with pytest.raises(InvalidScenario) as caught:
        Scenario.from_dict(document)
    assert_one_sentence(str(caught.value))
    assert named in str(caught.value), str(caught.value)


@pytest.mark.parametrize("case", DOCUMENTS)
def test_documents_by_the_link(case: str) -> None:
    document, named = DOCUMENTS[case]
    query = link_of(document)
    with pytest.raises(InvalidScenario) as caught:
        Scenario.from_query(query)
    assert_one_sentence(str(caught.value))
    huge = abs_digits(document) > 300
    assert huge or named in str(caught.value), str(caught.value)


def abs_digits(document: Any) -> int:
    """Digits of the longest number, which JSON may read as infinite or refuse."""
    return max((len(run) for run in re.findall(r"\d+", json.dumps(document))), default=0)


@pytest.mark.parametrize("case", DOCUMENTS)
def test_documents_by_an_uploaded_file(case: str, shared_screen: Screen) -> None:
    document, named = DOCUMENTS[case]
    plan, scenario = shared_screen.state.plan, shared_screen.state.scenario
    frame = shared_screen.ask(
        kind="upload", seq=3, what="scenario", name="plan.json", text=json.dumps(document)
    )
    assert_one_sentence(frame["error"]["text"])
    assert shared_screen.state.plan is plan and shared_screen.state.scenario is scenario
    assert frame["values"]["title"] == scenario.title and not frame["notice"]


@pytest.mark.parametrize("case", DOCUMENTS)
def test_documents_by_the_command_line(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document, named = DOCUMENTS[case]
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    assert named in failed(capsys, "evaluate", str(path)) or named == "not a document"


def failed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that must fail; its sentence."""
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("\n") and err.count("\n") == 1
    assert_one_sentence(err[:-1])
    return err[:-1]


# ---------------------------------------------------------------- texts and files

DEEP = 10_000
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9)
)
TEXTS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "blank": (b" \n\n\t ", "is empty"),
    "only a byte order mark": (b"\xef\xbb\xbf", "is empty"),
    "only a comment": (b"# nothing\n", "not a document"),
    "YAML cut in a quote": (b'title: "A plan\nworkload:\n  context_tok', "line"),
    "JSON cut in a value": (b'{"title": "A plan", "workload": {"context_', "line 1"),
    "JSON cut at the end": (json.dumps(Scenario().to_dict()).encode()[:-1], "cut off"),
    "JSON cut at a number": (b'{"workload": {"context_tokens": 40', "cut off"),
    "two documents": (b"title: A\n---\ntitle: B\n", "line"),
    "a tab for indentation": (b"workload:\n\tmodel: x\n", "line 2"),
    "binary": (bytes(range(256)) * 20, "UTF-8"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(100), "UTF-8"),
    "zeros": (bytes(1000), "YAML or JSON"),
    "UTF-16": ("title: A plan".encode("utf-16"), "UTF-8"),
    "Latin-1": ("title: Pläne".encode("latin-1"), "UTF-8"),
    "a control character": (b"title: a\x07b", "YAML or JSON"),
    "a web page": (b"<!doctype html>\n<html><body>Not found</body></html>", "not a document"),
    "a table": (b"gpu,count\nh100,8\n", "not a document"),
    "alias": (b"title: &a x\ndescription: *a\n", "aliases"),
    "alias bomb": (BOMB.encode(), "aliases"),
    "alias of itself": (b"&a [*a]", "aliases"),
    "merged alias": (b"workload: &w {}\ndeployment:\n  <<: *w\n", "aliases"),
    "YAML 10,000 deep": (b"[" * DEEP + b"]" * DEEP, "YAML or JSON"),
    "YAML blocks 10,000 deep": (b"- " * DEEP + b"x", "YAML or JSON"),
    "JSON 10,000 deep": (b'{"a":' * DEEP + b"1" + b"}" * DEEP, "YAML or JSON"),
    "repeated key": (b"title: A\ntitle: B\n", "'title' twice"),
    "repeated key in a section": (
        b"workload:\n  model: a\n  model: b\n",
        "'model' twice (line 2 on)",
    ),
    "repeated key in JSON": (b'{"title": "A", "title": "B"}', "'title' twice"),
    "repeated key in a JSON section": (b'{"workload": {"model": "a", "model": "b"}}', "'model'"),
    "a tag that runs code": (b'title: !!python/object/apply:os.system ["true"]', "tag"),
    "a tag that makes an object": (b"!!python/object:planner.scenario.Scenario {}", "tag"),
    "an unknown tag": (b"title: !mine x", "tag"),
    "a tag that lies": (b"workload: {context_tokens: !!int abc}", "YAML or JSON"),
    "a tag without a number": (b"workload: {context_tokens: !!int ''}", "YAML or JSON"),
    "a tag that is neither": (b"title: !!bool maybe", "YAML or JSON"),
    "a tag of no date": (b"title: !!timestamp soon", "YAML or JSON"),
    "bytes": (b"title: !!binary aGVsbG8=", "title"),
    "a set": (b"title: !!set {a, b}", "title"),
    "a date": (b"title: 2026-01-31", "title is 2026-01-31"),
    "no such date": (b"title: 2026-99-99", "YAML or JSON"),
    "a list as a key": (b"? [a, b]\n: c\n", "key at line 1"),
    "a group as a key": (b"{{a: b}: c}", "key at line 1"),
    "a number as a key": (b"5: x\n", "5 is not a field"),
    "true as a key": (b"workload: {yes: 1}\n", "workload"),
    "nothing as a key": (b"~: 1\n", "empty is not a field"),
    "YAML's infinity": (b"workload: {model_parameters: .inf}", "is infinite"),
    "YAML's not-a-number": (b"workload: {model_parameters: .nan}", "is not a number"),
    "YAML's 1e400": (b"workload: {model_parameters: 1.0e+400}", "is infinite"),
    "JSON's 1e400": (b'{"workload": {"model_parameters": 1e400}}', "is infinite"),
    "JSON's Infinity": (b'{"workload": {"context_tokens": -Infinity}}', "is infinite"),
    "5,000 digits": (b"workload: {context_tokens: " + b"9" * 5000 + b"}", "YAML or JSON"),
    "5,000 digits in JSON": (b'{"workload": {"context_tokens": ' + b"9" * 5000 + b"}}", "YAML"),
    "half a character": (b'{"title": "\\ud83d"}', "title"),
    "half a character in YAML": (b'title: "\\ud83d"', "title"),
    "100,000 keys": (b"".join(b"k%d: 1\n" % i for i in range(90_000)), "too many"),
    "100,000 keys in JSON": (
        json.dumps({f"k{i}": 1 for i in range(70_000)}).encode(),
        "not a field",
    ),
    "100,000 empty lists": (b"[" + b"[]," * 100_000 + b"]", "too many"),
}


@pytest.mark.parametrize("suffix", ["yaml", "json"])
@pytest.mark.parametrize("case", TEXTS)
def test_files(case: str, suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw, named = TEXTS[case]
    path = tmp_path / f"plan.{suffix}"
    path.write_bytes(raw)
    with pytest.raises(InvalidScenario) as caught:
        Scenario.load(path)
    text = str(caught.value)
    assert_one_sentence(text)
    assert named in text, text
    assert caught.value.field or path.name in text, "neither the field nor the file is named"
    assert failed(capsys, "evaluate", str(path)) == text


# With replacements for its umlauts, a Latin-1 file is a scenario like any other.
@pytest.mark.parametrize("case", [case for case in TEXTS if case != "Latin-1"])
def test_uploads(case: str, shared_screen: Screen) -> None:
    """A browser reads any file as UTF-8, with a replacement where it is not."""
    raw, _ = TEXTS[case]
    plan = shared_screen.state.plan
    text = raw.decode("utf-8", "replace")
    started = time.monotonic()
    frame = shared_screen.ask(kind="upload", seq=1, what="scenario", name="plan.yaml", text=text)
    assert_one_sentence(frame["error"]["text"])
    assert shared_screen.state.plan is plan
    frame = shared_screen.ask(kind="upload", seq=2, what="config", name="config.json", text=text)
    assert_one_sentence(frame["error"]["text"])
    assert frame["error"]["text"].startswith("config.json")
    assert shared_screen.state.plan is plan
    assert time.monotonic() - started < 10


def test_a_directory_and_a_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for place in (tmp_path, tmp_path / "missing.yaml", tmp_path / ("x" * 300)):
        text = failed(capsys, "evaluate", str(place))
        assert "cannot be read" in text and str(tmp_path)[:20] in text
        assert "cannot be read" in failed(
            capsys, "evaluate", "chat-assistant", "--config", str(place)
        )
        assert "cannot be read" in failed(capsys, "models", "--config", str(place))
    with pytest.raises(InvalidScenario, match="cannot be read"):
        Scenario.load("a\0b")


@pytest.mark.parametrize("kind", [b"x", b"- \xc3\xa4\n", b'{"a": ['])
def test_a_file_of_50_mb_is_refused_without_being_read(
    kind: bytes,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(kind * (50_000_000 // len(kind)))
    monkeypatch.setattr("planner.scenario.document.parse_document", unreachable)
    load_catalogue()
    started = time.monotonic()
    tracemalloc.start()
    with pytest.raises(InvalidScenario) as caught:
        Scenario.load(path)
    most_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most_bytes < 10_000_000
    assert "large.yaml is larger than 1,000 kB" in str(caught.value)
    assert_one_sentence(str(caught.value))
    assert "large.yaml" in failed(capsys, "evaluate", str(path))
    text = failed(capsys, "models", "--config", str(path))
    assert "2 MB" in text
    assert time.monotonic() - started < QUICK_S


def unreachable(*_arguments: object) -> None:
    raise AssertionError("a file that is too large reached the parser")


def test_an_upload_of_50_mb_is_refused_at_once(
    screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("planner.scenario.document.parse_document", unreachable)
    monkeypatch.setattr("planner.workbook.dashboards.architecture_from_text", unreachable)
    plan, text = screen.state.plan, "x" * 50_000_000
    for what in ("scenario", "config"):
        started = time.monotonic()
        frame = screen.ask(kind="upload", seq=1, what=what, name="large.json", text=text)
        assert time.monotonic() - started < QUICK_S
        assert frame["error"]["text"].startswith("large.json is not a text file of at most 2 MB")
        assert_one_sentence(frame["error"]["text"])
    assert screen.state.plan is plan


# ---------------------------------------------------------------- links

GOOD_LINK = Scenario().to_query()
LINKS: dict[str, tuple[str, str]] = {
    "nothing": ("", "carries no scenario"),
    "no scenario": ("?voila-theme=dark", "carries no scenario"),
    "an empty scenario": ("s=", "carries no scenario"),
    "cut by one": (GOOD_LINK[:-1], "damaged or cut off"),
    "cut in half": (GOOD_LINK[: len(GOOD_LINK) // 2], "damaged or cut off"),
    "only the version": ("s=1", "damaged or cut off"),
    "one letter changed": (GOOD_LINK[:40] + "-" + GOOD_LINK[41:], "damaged or cut off"),
    "of another version": ("s=2" + GOOD_LINK[3:], "another version"),
    "of no version": ("s=x" + GOOD_LINK[3:], "another version"),
    "not base64": ("s=1***not*base64***", "damaged or cut off"),
    "not ASCII": ("s=1äöü€", "damaged or cut off"),
    "not compressed": (
        "s=1" + base64.urlsafe_b64encode(b'{"title": "A"}').decode(),
        "damaged or cut off",
    ),
    "a zip bomb of 5 MB": (packed(b" " * 5_000_000), "damaged or cut off"),
    "a zip bomb of 100 MB": (packed(b"0" * 100_000_000), "characters"),
    "not JSON": (packed(b"hello"), "damaged or cut off"),
    "not text": (packed(bytes(range(128, 256))), "damaged or cut off"),
    "nothing inside": (packed(b""), "damaged or cut off"),
    "10,000 deep": (packed(b"[" * DEEP + b"]" * DEEP), "damaged or cut off"),
    "5,000 digits": (packed(b"9" * 5000), "damaged or cut off"),
    "too long": ("s=1" + "A" * 10_000, "longer than 8,000 characters"),
    "50 MB": ("s=1" + "A" * 50_000_000, "longer than 8,000 characters"),
    "percent signs": ("s=%31%%%%%%", "damaged or cut off"),
    "a list": (link_of([1]), "not a document"),
    "an unknown field": (link_of({"gpu": "h100"}), "gpu is not a field"),
}


@pytest.mark.parametrize("case", LINKS)
def test_links(case: str, shared_screen: Screen) -> None:
    query, named = LINKS[case]
    started = time.monotonic()
    with pytest.raises(InvalidScenario) as caught:
        Scenario.from_query(query)
    assert time.monotonic() - started < QUICK_S
    assert_one_sentence(str(caught.value))
    assert named in str(caught.value), str(caught.value)
    state = shared_screen.state
    plan, scenario = state.plan, state.scenario
    frame = shared_screen.ask(kind="open", seq=1, query=query)
    assert frame["error"]["text"] == str(caught.value)
    assert state.plan is plan and state.scenario is scenario
    assert len(frame["charts"]) == len(shared_screen.page["charts"])


# ---------------------------------------------------------------- clear questions without an answer

CONTRADICTIONS: dict[str, tuple[dict[str, Any], type[PlannerError], str]] = {
    "a TPU without memory": ({"deployment.gpu": "tpu-v6e"}, MissingData, "TPU v6e"),
    "a chip without memory": ({"deployment.gpu": "inferentia2"}, MissingData, "Inferentia2"),
    "FP8 on Volta": ({"deployment.gpu": "v100-32gb"}, InvalidScenario, "V100"),
    "NVFP4 on MI300X": (
        {"deployment.gpu": "mi300x-192gb", "deployment.weight_precision": "nvfp4"},
        InvalidScenario,
        "NVFP4",
    ),
    "an FP8 cache on Volta": (
        {
            "deployment.gpu": "v100-32gb",
            "deployment.weight_precision": "fp16",
            "deployment.kv_precision": "fp8",
        },
        InvalidScenario,
        "KV cache",
    ),
    "heads that do not divide": (
        {
            "workload.model": "tiiuae/falcon-7b",
            "workload.context_tokens": 2048,
            "deployment.tensor_parallel": 4,
        },
        NoFeasiblePlan,
        "71 attention heads",
    ),
    "longer than the model reads": (
        {"workload.context_tokens": 10_485_760},
        InvalidScenario,
        "131,072 tokens",
    ),
    "an embedding model and a novel": (
        {"workload.model": "BAAI/bge-m3", "workload.context_tokens": 1_000_000},
        InvalidScenario,
        "8,194 tokens",
    ),
    "an unknown model": ({"workload.model": "llama-3.1-9b"}, MissingData, "llama-3.1-9b"),
    "a model of markup": ({"workload.model": "<img src=x onerror=alert(1)>"}, MissingData, "<img"),
    "a model of breaks": ({"workload.model": "a\nb\r\n\tc"}, MissingData, "no model"),
    "an unknown GPU": ({"deployment.gpu": "h100-sxm-81gb"}, MissingData, "h100-sxm-80gb"),
    "nothing like a GPU": ({"deployment.gpu": "☃☃☃"}, MissingData, "nothing is near"),
    "an unknown precision": ({"deployment.weight_precision": "fp7"}, MissingData, "fp8"),
    "an unknown cache precision": ({"deployment.kv_precision": "fp7"}, MissingData, "fp8"),
    "an unknown engine": ({"deployment.engine": "vlm"}, MissingData, "vllm"),
    "nothing fits": (
        {"workload.model": "deepseek-v3", "deployment.gpu": "a2-16gb", "deployment.engine": "vllm"}
        | {"deployment.tensor_parallel": 1, "deployment.pipeline_parallel": 1},
        NoFeasiblePlan,
        "too large",
    ),
    "no config.json yet": ({"workload.model_source": "config"}, InvalidScenario, "config.json"),
    "a config.json that is none": (
        {"workload.model_source": "config", "workload.config_json": "hello"},
        InvalidScenario,
        "not JSON",
    ),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_questions_without_an_answer(case: str) -> None:
    changes, kind, named = CONTRADICTIONS[case]
    with pytest.raises(kind) as caught:
        evaluate(Scenario().changed(changes), load_catalogue())
    assert_one_sentence(str(caught.value))
    assert named in str(caught.value), str(caught.value)
    if kind is NoFeasiblePlan:
        assert caught.value.constraint


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_questions_without_an_answer_on_the_command_line(
    case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    changes, _, named = CONTRADICTIONS[case]
    settings = [f"--set={path}={value}" for path, value in changes.items()]
    for command in (["evaluate", "chat-assistant"], ["evaluate", "chat-assistant", "--json"]):
        assert named in failed(capsys, *command, *settings)
    assert named in failed(capsys, "explain", "chat-assistant", "fit.gpus", *settings)


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_the_last_good_plan_stays_until_the_question_is_mended(case: str, screen: Screen) -> None:
    changes, _, named = CONTRADICTIONS[case]
    state = screen.state
    good, words = state.plan, screen.ask(kind="hello", seq=1)["headlines"]
    query = Scenario().changed(changes).to_query()
    frame = screen.ask(kind="open", seq=2, query=query)
    assert named in frame["error"]["text"] == state.error
    assert state.plan is good and frame["headlines"] == words
    assert frame["stale"] and state.stale
    assert frame["values"]["title"] == Scenario().title
    for path, value in changes.items():
        if path != "workload.config_json":
            assert frame["values"][path] == value, "the page shows what was asked"
    assert not any(frame["hints"].values()), "hints of another scenario's plan are gone"
    mending = {path: Scenario().values()[path] for path in changes}
    for seq, (path, value) in enumerate(mending.items(), 3):
        frame = screen.ask(kind="set", seq=seq, path=path, value=value)
    assert frame["error"] is None and not frame["stale"] and state.error == ""
    assert state.plan is not good and state.plan.scenario == Scenario()
    assert frame["headlines"] == words


@pytest.mark.parametrize("gpus", [1, 10_000])
def test_an_absurd_load_of_an_embedding_model(gpus: int) -> None:
    """It keeps no cache, so any load fits; the answer is finite where it must be."""
    scenario = Scenario().changed(
        {
            "workload.model": "BAAI/bge-m3",
            "workload.context_tokens": 8192,
            "workload.concurrent_sequences": gpus,
        }
    )
    plan = evaluate(scenario, load_catalogue())
    json.dumps(plan.to_dict(), allow_nan=False)
    assert plan.fit.gpus >= 1 and plan.memory.kv_cache_bytes == 0


# ---------------------------------------------------------------- changes on the dashboard

SETS: dict[str, tuple[Any, Any, str]] = {
    "negative": ("workload.concurrent_sequences", -3, "at least 1"),
    "beyond": ("workload.concurrent_sequences", 1e9, "at most 10,000"),
    "half": ("workload.concurrent_sequences", 1.5, "whole number"),
    "text": ("workload.concurrent_sequences", "many", "is 'many'"),
    "empty text": ("workload.concurrent_sequences", "", "is ''"),
    "true": ("workload.concurrent_sequences", True, "is true"),
    "null": ("workload.concurrent_sequences", None, "is empty"),
    "a list": ("workload.concurrent_sequences", [16], "is a list"),
    "a group": ("workload.concurrent_sequences", {"a": 1}, "is a group"),
    "infinite": ("workload.model_parameters", float("inf"), "is infinite"),
    "not a number": ("deployment.gpu_memory_utilization", float("nan"), "is not a number"),
    "5,000 digits": ("workload.context_tokens", 10**5000, "is a huge number"),
    "minus 5,000 digits": ("workload.model_parameters", -(10**5000), "model_parameters is"),
    "half a character": ("title", "\ud83d", "title"),
    "three ranks": ("deployment.tensor_parallel", 3, "tensor_parallel is 3"),
    "a choice of markup": ("workload.model_source", "<script>", "model_source is '<script>'"),
    "an unknown field": ("workload.contxt", 1, "does not have"),
    "no field": (None, 1, "does not have"),
    "a list for a field": (["title"], "x", "does not have"),
    "a private field": ("__class__", "x", "does not have"),
    "variants": ("variants", "x", "does not have"),
}


@pytest.mark.parametrize("case", SETS)
def test_changes_on_the_dashboard(case: str, screen: Screen) -> None:
    path, value, named = SETS[case]
    state = screen.state
    plan, scenario = state.plan, state.scenario
    frame = screen.ask(kind="set", seq=7, path=path, value=value)
    assert frame["kind"] == "frame" and frame["seq"] == 7
    assert_one_sentence(frame["error"]["text"])
    assert named in frame["error"]["text"], frame["error"]["text"]
    assert frame["error"]["path"] == (path if path in FIELDS else "")
    assert state.plan is plan and state.scenario is scenario and not frame["stale"]
    assert frame["charts"] == {} and not frame["can_undo"]
    frame = screen.ask(kind="set", seq=8, path="workload.concurrent_sequences", value=17)
    assert frame["error"] is None and state.error == ""
    assert state.plan is not plan


@pytest.mark.parametrize(
    "request_",
    [
        None,
        5,
        "set",
        [],
        {},
        {"kind": None},
        {"kind": "exec", "code": "1"},
        {"kind": "__init__"},
        {"kind": ["set"]},
        {"kind": "set"},
        {"kind": "open"},
        {"kind": "open", "query": 5},
        {"kind": "open", "query": None},
        {"kind": "upload"},
        {"kind": "upload", "text": 5},
        {"kind": "upload", "text": b"x", "what": "config"},
        {"kind": "upload", "text": "", "name": "a\nb" * 1000},
        {"kind": "upload", "text": "x", "name": {"a": 1}, "what": []},
        {"kind": "why"},
        {"kind": "why", "id": "fit.nothing"},
        {"kind": "why", "id": "memory.__class__"},
        {"kind": "why", "id": "scenario.title"},
        {"kind": "why", "id": "x\n" * 100_000},
        {"kind": "why", "id": ["fit.gpus"]},
    ],
    ids=lambda request: str(request)[:40],
)
def test_requests_that_make_no_sense(request_: Any, shared_screen: Screen) -> None:
    plan = shared_screen.state.plan
    shared_screen.sent.clear()
    shared_screen.receive(request_)
    (frame,) = shared_screen.sent
    assert frame["kind"] == "frame" and frame["seq"] == 0
    assert_one_sentence(frame["error"]["text"].replace(", …", ""))
    assert frame["error"]["text"] != BUG
    assert shared_screen.state.plan is plan


def test_markup_stays_text(screen: Screen) -> None:
    """The page shows every string as text; none is quoted or cut on this side."""
    evil = "<script>alert(1)</script><b onclick='x'>&amp;\"</b>"
    frame = screen.ask(kind="set", seq=1, path="title", value=evil)
    assert frame["error"] is None and frame["values"]["title"] == evil
    assert Scenario.from_query(frame["query"]).title == evil
    text = Scenario(title=evil).to_text()
    frame = screen.ask(kind="upload", seq=2, what="scenario", name=f"{evil}.yaml", text=text)
    assert frame["notice"].startswith("<script>alert(1)</script>") and frame["error"] is None
    told = screen.ask(kind="download", seq=3, format="yaml")
    assert Scenario.from_text(told["text"]).title == evil
    assert re.fullmatch(r"[\w-]+\.yaml", told["name"])


def test_a_bug_is_a_sentence_and_goes_to_the_log(
    screen: Screen, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Not an expected failure: the page says so, the log has the traceback, the plan stays."""

    def broken(*_arguments: object) -> None:
        raise ZeroDivisionError("a bug")

    plan = screen.state.plan
    monkeypatch.setattr("planner.workbook.state.evaluate", broken)
    with caplog.at_level(logging.ERROR):
        frame = screen.ask(kind="set", seq=1, path="workload.context_tokens", value=5000)
    assert frame["error"] == {"text": BUG, "path": ""} and frame["stale"]
    assert screen.state.plan is plan
    assert "ZeroDivisionError" in caplog.text
    monkeypatch.undo()
    monkeypatch.setattr("planner.workbook.dashboards.why", broken)
    assert screen.ask(kind="why", seq=2, id="fit.gpus")["error"]["text"] == BUG
    monkeypatch.undo()
    frame = screen.ask(kind="set", seq=3, path="workload.context_tokens", value=6000)
    assert frame["error"] is None and not frame["stale"]


# ---------------------------------------------------------------- the command line


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["evaluate", "chat-asistant"], "chat-asistant cannot be read"),
        (["evaluate", "chat-assistant", "--variant", "no\nsuch"], "no variant 'no such'"),
        (["evaluate", "chat-assistant", "--set", "workload.contxt=1"], "did you mean"),
        (["evaluate", "chat-assistant", "--set", "x"], "has no '='"),
        (["evaluate", "chat-assistant", "--set", "=1"], "is not a field"),
        (["evaluate", "chat-assistant", "--set", "workload.context_tokens="], "is ''"),
        (["evaluate", "chat-assistant", "--set", "workload.context_tokens=NaN"], "not a number"),
        (["evaluate", "chat-assistant", "--set", "workload.context_tokens=1e400"], "infinite"),
        (["evaluate", "chat-assistant", "--set", "workload.context_tokens=[1]"], "is a list"),
        (["evaluate", "chat-assistant", "--set", "workload={}"], "workload is not a field"),
        (
            ["evaluate", "chat-assistant", "--set", "workload.context_tokens=" + "[" * DEEP],
            "context_tokens is",
        ),
        (["explain", "chat-assistant", "fit.cost"], "fit.cost"),
        (["explain", "chat-assistant", "a\nb"], "no answer"),
        (["models", "no such model"], "Nothing in the catalogue"),
        (["gpus", "no such gpu"], "Nothing in the catalogue"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else "",
)
def test_the_command_line(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert named in failed(capsys, *arguments)


@pytest.mark.parametrize(
    "raw",
    [b"", b"hello", bytes(range(256)), "{}".encode("utf-16"), b"[" * DEEP, b"[1, 2]", b"{}"],
    ids=lambda raw: repr(raw[:10]),
)
def test_a_config_that_is_none_on_the_command_line(
    raw: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(raw)
    assert "config.json" in failed(capsys, "models", "--config", str(path))
    failed(capsys, "evaluate", "chat-assistant", "--config", str(path))


# ---------------------------------------------------------------- fuzz

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([*FIELDS, 10**40, -1, 8192.0, "h100-sxm-80gb", "bf16", "config", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)
KINDS = ("set", "undo", "redo", "reset", "open", "upload", "download", "why", "hello", "nothing")
REQUESTS = st.fixed_dictionaries(
    {"kind": st.sampled_from(KINDS) | JSON},
    optional={
        "seq": st.integers(0, 10**6) | JSON,
        "path": st.sampled_from(FIELDS) | JSON,
        "value": JSON,
        "query": st.sampled_from([GOOD_LINK, link_of({"title": "B"})]) | JSON,
        "text": st.sampled_from(["title: B", Scenario().to_text("json")]) | JSON,
        "name": JSON,
        "what": st.sampled_from(["config", "scenario", "log"]) | JSON,
        "format": st.sampled_from(["json", "yaml"]) | JSON,
        "id": st.sampled_from(["fit.gpus", "quality", "memory.total_bytes"]) | JSON,
    },
)
ANSWERS = {"download": "download", "why": "why"}


@settings(max_examples=250, deadline=None)
@given(st.lists(REQUESTS, min_size=1, max_size=4) | st.lists(JSON, min_size=1, max_size=2))
def test_any_requests_are_answered(shared_screen: Screen, requests: list[Any]) -> None:
    shared_screen.receive({"kind": "open", "query": GOOD_LINK})
    for request in requests:
        shared_screen.sent.clear()
        shared_screen.receive(request)
        (answer,) = shared_screen.sent
        json.dumps(answer, allow_nan=False)
        request = request if isinstance(request, dict) else {}
        seq = request.get("seq")
        assert answer["seq"] == (seq if type(seq) is int else 0)
        kind = answer["kind"]
        assert kind in ("frame", ANSWERS.get(str(request.get("kind"))))
        if kind == "frame" and answer["error"]:
            assert answer["error"]["text"] != BUG
            assert_one_line(answer["error"]["text"])
        assert shared_screen.state.plan.fit.gpus >= 1
        assert shared_screen.state.stale <= bool(shared_screen.state.error)


def only_invalid(make: Callable[[], Scenario]) -> None:
    """Either a scenario or one sentence."""
    try:
        scenario = make()
    except InvalidScenario as error:
        assert_one_line(str(error))
    else:
        assert Scenario.from_dict(scenario.to_dict()) == scenario


TOKENS = st.lists(
    st.sampled_from(
        [*"{}[]:,-?&*!|>'\"%@`#~\n \t\r\0", "- ", ": ", "\n  ", "!!", "<<", "title", "workload"]
        + ["variants", "workload.model", "1e9", "\ufeff", "\x85", "null", "9" * 30, "---\n", "..."]
    ),
    max_size=30,
).map("".join)


@settings(max_examples=400, deadline=None)
@given(st.text() | TOKENS)
@example("!!int ''")
@example("!!float ''")
@example("? ? a\n")
@example("{a: 1, <<: [b]}")
def test_any_text_is_a_scenario_or_refused(text: str) -> None:
    only_invalid(lambda: Scenario.from_text(text, name=text))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300) | TOKENS.map(lambda text: text.encode("utf-8", "replace")))
def test_any_file_is_a_scenario_or_refused(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_bytes(raw)
    only_invalid(lambda: Scenario.load(path))


@settings(max_examples=300, deadline=None)
@given(
    st.text()
    | st.text().map(lambda text: f"s=1{text}")
    | st.binary(max_size=100).map(packed)
    | TOKENS.map(lambda text: packed(text.encode("utf-8", "replace")))
    | JSON.map(link_of)
    | st.tuples(st.integers(0, len(GOOD_LINK) - 1), st.characters()).map(
        lambda cut: GOOD_LINK[: cut[0]] + cut[1] + GOOD_LINK[cut[0] + 1 :]
    )
)
def test_any_link_is_a_scenario_or_refused(query: str) -> None:
    only_invalid(lambda: Scenario.from_query(query))


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["title", *SECTIONS, "variants"]) | st.text(max_size=5),
        JSON
        | st.dictionaries(st.sampled_from([p.rpartition(".")[2] for p in FIELDS]), JSON)
        | st.dictionaries(st.text(max_size=4), st.dictionaries(st.sampled_from(FIELDS), JSON)),
    )
    | st.dictionaries(st.integers() | st.none() | st.booleans(), JSON, min_size=1)
    | JSON
)
def test_any_document_is_a_scenario_or_refused(document: Any) -> None:
    only_invalid(lambda: Scenario.from_dict(document))


def test_there_are_enough_cases() -> None:
    tables = (DOCUMENTS, TEXTS, LINKS, CONTRADICTIONS, SETS)
    assert sum(len(table) for table in tables) >= 45
