"""The command line: what scripts rely on, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from planner import cli
from planner.catalogue import architecture_from_text, load_catalogue
from planner.cli import main
from planner.errors import PlannerError
from planner.plan import answer_paths, evaluate
from planner.scenario import EXAMPLES, Scenario, load_example

PARTS = ("memory", "fit", "demand", "serving", "energy", "cost", "value", "fleet")
PLAN_KEYS = {
    "bases",
    "books",
    "computed_as",
    "cost",
    "demand",
    "energy",
    "engine",
    "fit",
    "fleet",
    "fleet_error",
    "gpu",
    "kv_precision",
    "layouts",
    "memory",
    "model",
    "money_error",
    "options",
    "placement",
    "scenario",
    "serving",
    "serving_error",
    "value",
    "venues",
    "weight_precision",
    "workloads",
}
LLAMA = "meta-llama--Meta-Llama-3.1-8B_config.json"
posix = pytest.mark.skipif(os.name != "posix", reason="signals and pipes as POSIX has them")


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command prints when all is well."""
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert err == "" and "Traceback" not in out
    return out


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is not JSON")

    return json.loads(told(capsys, *arguments), parse_constant=refuse)


@pytest.fixture
def config(repository: Path) -> Path:
    return repository / "data" / "model_configs" / LLAMA


def process(repository: Path, *arguments: str, **options: Any) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "planner.cli", *arguments],
        cwd=options.pop("cwd", None),
        # Buffered as in a person's shell, or a pipe that closes early would show no fault.
        env={**os.environ, "PYTHONPATH": str(repository), "PYTHONUNBUFFERED": ""}
        | options.pop("env", {}),
        stdin=subprocess.DEVNULL,
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        **options,
    )


# ---------------------------------------------------------------- evaluate


@pytest.mark.parametrize("name", EXAMPLES)
def test_evaluate_tells_the_plan(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = told(capsys, "evaluate", name)
    plan = evaluate(load_example(name), load_catalogue())
    assert out.startswith(plan.scenario.title + "\n=")
    assert f"{plan.fit.gpus:,} × {plan.gpu.name}" in out
    assert "For data science: " in out and "For infrastructure: " in out
    for question in ("Will it fit?", "How fast, and how many?", "Own it, rent it, or call it?"):
        assert f"\n{question}\n" in out
    assert plan.value.verdict in out


@pytest.mark.parametrize("name", EXAMPLES)
def test_evaluate_json_has_stable_keys(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    plan = as_json(capsys, "evaluate", name, "--json")
    assert set(plan) == PLAN_KEYS
    assert set(plan["model"]) == {"id", "name", "parameters", "active_parameters"}
    assert set(plan["gpu"]) == {"id", "name", "memory_usable_bytes"}
    paths = {f"{part}.{key}" for part in PARTS for key in plan[part]}
    assert paths == set(answer_paths()) == set(plan["bases"])
    assert set(plan["options"]) == {"gpus", "weight_precisions", "smallest_gpu_count"}
    counts = plan["options"]["smallest_gpu_count"]
    assert len(counts) == len(plan["options"]["gpus"])
    assert {len(row) for row in counts} == {len(plan["options"]["weight_precisions"])}
    assert len({len(column) for column in plan["layouts"].values()}) == 1
    assert Scenario.from_dict(plan["scenario"]) == load_example(name)
    assert plan == evaluate(load_example(name), load_catalogue()).to_dict()


def test_evaluate_reads_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("plan.yaml", "plan.json"):
        path = tmp_path / name
        load_example("code-assistance").save(path)
        plan = as_json(capsys, "evaluate", str(path), "--json")
        assert Scenario.from_dict(plan["scenario"]) == load_example("code-assistance")


def test_a_file_named_as_an_example_comes_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Scenario(title="Mine").save("chat-assistant")
    assert told(capsys, "evaluate", "chat-assistant").startswith("Mine\n")


def test_a_variant(capsys: pytest.CaptureFixture[str]) -> None:
    plan = as_json(capsys, "evaluate", "chat-assistant", "--variant", "four bits", "--json")
    assert plan["weight_precision"] == "awq-int4"
    assert plan["scenario"]["title"] == "Chat assistant for a department: four bits"


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("workload.context_tokens=8192", 8192),
        ("workload.context_tokens=8192.0", 8192),
        ("workload.context_tokens=1e4", 10_000),
        ("workload.model_parameters=7e9", 7e9),
        ("deployment.gpu_memory_utilization=0.5", 0.5),
        ("deployment.tensor_parallel=4", 4),
        ("deployment.tensor_parallel=null", None),
        ("deployment.gpu=h200-sxm-141gb", "h200-sxm-141gb"),
        ('deployment.gpu="h200-sxm-141gb"', "h200-sxm-141gb"),
        ("title=2026", "2026"),
        ("title=a=b", "a=b"),
        ("title=true", "true"),
        ("title=", ""),
    ],
)
def test_set_changes_a_field(
    assignment: str, value: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = as_json(capsys, "evaluate", "chat-assistant", "--set", assignment, "--json")
    path = assignment.partition("=")[0]
    found = Scenario.from_dict(plan["scenario"]).values()[path]
    assert found == value and type(found) is type(value)


def test_set_comes_after_the_variant_and_the_last_one_wins(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plan = as_json(
        capsys,
        *("evaluate", "chat-assistant", "--variant", "long documents", "--json"),
        *("--set", "workload.context_tokens=16384", "--set", "workload.concurrent_sequences=3"),
        *("--set", "workload.context_tokens=8192"),
    )
    assert plan["scenario"]["workload"]["context_tokens"] == 8192
    assert plan["scenario"]["workload"]["concurrent_sequences"] == 3


def test_a_config_takes_the_models_place(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Llama-3.1-8B: 8,030,261,248 parameters (Meta's safetensors index)."""
    plan = as_json(capsys, "evaluate", "chat-assistant", "--config", str(config), "--json")
    assert plan["model"]["parameters"] == 8_030_261_248
    assert plan["scenario"]["workload"]["model_source"] == "config"
    read = Scenario.from_dict(plan["scenario"]).workload.config_json
    assert read == config.read_text(encoding="utf-8")
    assert told(capsys, "explain", "chat-assistant", "fit.gpus", "--config", str(config))


# ---------------------------------------------------------------- explain


@pytest.mark.parametrize("path", answer_paths())
def test_explain_every_answer(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = told(capsys, "explain", "chat-assistant", path).splitlines()
    assert ": " in lines[0] and lines[0].endswith("]")
    assert lines[1].startswith("  = ") and lines[2].startswith("  = ")
    assert "{" not in lines[1] + lines[2]


def test_explain_all(capsys: pytest.CaptureFixture[str]) -> None:
    out = told(capsys, "explain", "chat-assistant", "all", "--variant", "long documents")
    assert len(out.split("\n\n")) == len(answer_paths())


# ---------------------------------------------------------------- lists


def test_models(capsys: pytest.CaptureFixture[str]) -> None:
    catalogue = load_catalogue()
    lines = told(capsys, "models").splitlines()
    assert len(lines) == len(catalogue.models) + 1
    assert all(line == line.rstrip() for line in lines)
    found = as_json(capsys, "models", "--json")
    assert [one["id"] for one in found] == list(catalogue.models)
    assert {one["basis"] for one in found} and all(one["source"] for one in found)


@pytest.mark.parametrize("word", ["llama-3.1-8b", "LLAMA-3.1-8B"])
def test_models_search(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    (one,) = as_json(capsys, "models", word, "--json")
    assert one["id"] == "meta-llama/Meta-Llama-3.1-8B"
    assert one["parameters"] == 8_030_261_248
    header, line = told(capsys, "models", word).splitlines()
    assert header.split()[0] == "id" and line.split()[0] == one["id"]


def test_models_of_a_config(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (one,) = as_json(capsys, "models", "--config", str(config), "--json")
    read = architecture_from_text(config.read_text(encoding="utf-8"), name=config.name)
    assert one["parameters"] == read.total_parameters == 8_030_261_248
    assert one["id"] == config.name
    assert "8.03 billion" in told(capsys, "models", "--config", str(config))


def test_gpus(capsys: pytest.CaptureFixture[str]) -> None:
    catalogue = load_catalogue()
    assert len(told(capsys, "gpus").splitlines()) == len(catalogue.accelerators) + 1
    found = {one["id"]: one for one in as_json(capsys, "gpus", "--json")}
    assert list(found) == list(catalogue.accelerators)
    assert found["tpu-v6e"]["memory_usable_bytes"] is None, "unknown is null, never a guess"
    assert found["h100-sxm-80gb"]["memory_nominal_bytes"] == 80e9
    assert "unknown" in told(capsys, "gpus", "tpu v6e")
    (one,) = as_json(capsys, "gpus", "h100 sxm", "--json")
    assert one["id"] == "h100-sxm-80gb"


# ---------------------------------------------------------------- how it ends


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["evaluate"], ["evaluate", "--x"]])
def test_a_wrong_call_shows_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("usage: planner") and "Traceback" not in err


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    for command in ("evaluate", "explain", "models", "gpus", "serve"):
        assert command in out


def test_every_expected_failure_is_exit_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in PlannerError.__subclasses__():

        def fail(*_arguments: object, kind: type = kind) -> None:
            raise kind("This is one sentence.")

        monkeypatch.setattr(cli, "evaluate", fail)
        assert main(["evaluate", "chat-assistant"]) == 2
        assert capsys.readouterr() == ("", "This is one sentence.\n")


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "evaluate", fail)
    with pytest.raises(ZeroDivisionError):
        main(["evaluate", "chat-assistant"])


def test_as_a_module(repository: Path, tmp_path: Path) -> None:
    """From any folder, and where the terminal knows only ASCII."""
    ran = process(
        repository, "evaluate", "chat-assistant", cwd=tmp_path, env={"PYTHONIOENCODING": "ascii"}
    )
    out, err = ran.communicate(timeout=60)
    assert (ran.returncode, err) == (0, b"")
    assert any(line.startswith(b"How many GPUs: 2 ? H100") for line in out.splitlines())
    ran = process(repository, "evaluate", "nothing.yaml", cwd=tmp_path)
    out, err = ran.communicate(timeout=60)
    assert (ran.returncode, out) == (2, b"")
    assert err.count(b"\n") == 1 and b"nothing.yaml" in err


@posix
@pytest.mark.parametrize("command", [["models"], ["gpus", "--json"], ["evaluate", EXAMPLES[0]]])
def test_a_closed_pipe_is_no_fault(repository: Path, command: list[str]) -> None:
    """As in `planner models | head -1`, whether the reader goes early or late."""
    for lines in (0, 1):
        ran = process(repository, *command)
        for _ in range(lines):
            assert ran.stdout.readline()
        ran.stdout.close()
        assert ran.stderr.read() == b""
        ran.stderr.close()
        assert ran.wait(timeout=60) == 0


@posix
def test_interrupted_without_a_traceback(repository: Path, tmp_path: Path) -> None:
    """Ctrl+C while a scenario is still being read from a pipe that nobody fills."""
    pipe = tmp_path / "scenario.yaml"
    os.mkfifo(pipe)
    ran = process(repository, "evaluate", str(pipe))
    writer = os.open(pipe, os.O_WRONLY)  # returns when the command has opened its end
    time.sleep(0.2)
    ran.send_signal(signal.SIGINT)
    out, err = ran.communicate(timeout=60)
    os.close(writer)
    assert (ran.returncode, out, err) == (130, b"", b"")


def test_a_busy_port_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert err.startswith(f"Port {port} is in use; ") and err.endswith(".\n")
