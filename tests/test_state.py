"""The one headless state: its history against a plain list, its last good plan, its observers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from planner.catalogue import load_catalogue
from planner.errors import InvalidScenario
from planner.plan import Plan, evaluate
from planner.scenario import Scenario, load_example
from planner.workbook.state import BUG, HISTORY, WorkbookState

LOAD = "workload.concurrent_sequences"
CONTEXT = "workload.context_tokens"
GPU = "deployment.gpu"
CHANGES = st.one_of(
    st.tuples(st.just(LOAD), st.sampled_from([1, 16, 17, 300, 10_000])),
    st.tuples(st.just(CONTEXT), st.sampled_from([128, 4096, 32_768])),
    st.tuples(st.just("title"), st.sampled_from(["A", "B", "A new plan"])),
)
UNANSWERABLE = st.sampled_from([(GPU, "tpu-v6e"), (GPU, "h100-sxm-81gb"), (CONTEXT, 10_485_760)])
INVALID = st.sampled_from(
    [(LOAD, -1), (LOAD, True), (LOAD, None), (CONTEXT, "long"), ("workload.contxt", 1)]
)


@pytest.fixture
def state() -> WorkbookState:
    return WorkbookState(load_catalogue())


class History(RuleBasedStateMachine):
    """The state's history is a list of scenarios and a place in it."""

    def __init__(self) -> None:
        super().__init__()
        self.state = WorkbookState(load_catalogue())
        self.line = [Scenario()]
        self.at = 0
        self.start = Scenario()
        self.refused = False
        self.good = self.state.plan

    def take(self, scenario: Scenario) -> None:
        """What a step to another scenario does to the list."""
        self.refused = False
        if scenario != self.line[self.at]:
            self.line = [*self.line[: self.at + 1], scenario]
            self.at += 1

    @initialize(name=st.sampled_from(["chat-assistant", "code-assistance"]))
    def opened(self, name: str) -> None:
        self.open(load_example(name))

    @rule(change=CHANGES | UNANSWERABLE)
    def change(self, change: tuple) -> None:
        wanted = self.state.scenario.changed(dict([change]))
        done = self.state.change(*change)
        self.take(wanted)
        assert done == (not self.state.error)

    @rule(change=INVALID)
    def refuse(self, change: tuple) -> None:
        before, plan, stale = self.state.scenario, self.state.plan, self.state.stale
        assert self.state.change(*change) is False
        assert self.state.error_path == change[0] and change[0] in self.state.error
        assert self.state.scenario is before
        assert self.state.plan is plan and self.state.stale is stale
        self.refused = True

    @rule(values=st.lists(st.integers(1, 10_000), min_size=1, max_size=5))
    def drag(self, values: list[int]) -> None:
        """The first change starts a step, the others go on from it."""
        for dragging, value in enumerate(values):
            wanted = self.state.scenario.changed({LOAD: value})
            moved = wanted != self.state.scenario
            self.state.change(LOAD, value, dragging=bool(dragging))
            if not dragging or not self.dragged:
                self.dragged = moved
                self.take(wanted)
            else:
                self.refused = False
                self.line = self.line[: self.at] + [wanted]

    dragged = False

    @rule()
    def undo(self) -> None:
        self.state.undo()
        if self.at:
            self.at, self.refused = self.at - 1, False

    @rule()
    def redo(self) -> None:
        self.state.redo()
        if self.at < len(self.line) - 1:
            self.at, self.refused = self.at + 1, False

    @rule()
    def reset(self) -> None:
        self.state.reset()
        self.take(self.start)

    @rule(name=st.sampled_from(["chat-assistant", "document-summaries"]))
    def open_example(self, name: str) -> None:
        self.open(load_example(name))

    def open(self, scenario: Scenario) -> None:
        self.state.open(scenario)
        self.line, self.at, self.start, self.refused = [scenario], 0, scenario, False

    @rule(name=st.sampled_from(["chat-assistant", "code-assistance"]))
    def upload(self, name: str) -> None:
        self.state.replace(lambda: load_example(name))
        self.take(load_example(name))

    @invariant()
    def agrees_with_the_list(self) -> None:
        state = self.state
        assert state.scenario == self.line[self.at]
        assert state.can_undo == (self.at > 0)
        assert state.can_redo == (self.at < len(self.line) - 1)
        if state.stale:
            assert state.error and state.plan is self.good, "the last good plan stays"
        else:
            assert state.plan.scenario == state.scenario
            assert bool(state.error) == self.refused
            self.good = state.plan


History.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestHistory = History.TestCase


def test_a_drag_is_one_step(state: WorkbookState) -> None:
    for dragging, value in enumerate([20, 30, 40, 50]):
        state.change(LOAD, value, dragging=bool(dragging))
    assert state.scenario.workload.concurrent_sequences == 50
    state.undo()
    assert state.scenario == Scenario() and not state.can_undo
    state.redo()
    assert state.scenario.workload.concurrent_sequences == 50


def test_a_drag_may_pass_through_what_cannot_be(state: WorkbookState) -> None:
    """A refused value is no step, and one without a plan is not a step of its own."""
    for dragging, (path, value) in enumerate(
        [(CONTEXT, 8192), (CONTEXT, -1), (CONTEXT, 1_000_000), (CONTEXT, 16_384)]
    ):
        state.change(path, value, dragging=bool(dragging))
    assert not state.error and not state.stale
    state.undo()
    assert state.scenario == Scenario() and not state.can_undo


def test_a_drag_that_begins_with_a_refused_value_is_a_step(state: WorkbookState) -> None:
    state.change(LOAD, -1, dragging=True)
    state.change(LOAD, 20, dragging=True)
    state.undo()
    assert state.scenario == Scenario()


@pytest.mark.parametrize("between", ["undo", "reset", "open", "upload", "another field"])
def test_what_comes_between_ends_a_drag(state: WorkbookState, between: str) -> None:
    state.change(LOAD, 20)
    {
        "undo": state.undo,
        "reset": state.reset,
        "open": lambda: state.open(load_example("code-assistance")),
        "upload": lambda: state.replace(lambda: load_example("code-assistance")),
        "another field": lambda: state.change(CONTEXT, 8192),
    }[between]()
    before = state.scenario
    state.change(LOAD, 30, dragging=True)
    assert state.scenario != before
    state.undo()
    assert state.scenario == before


def test_an_error_keeps_the_last_good_plan(state: WorkbookState) -> None:
    plan = state.plan
    assert not state.change(GPU, "tpu-v6e")
    assert state.plan is plan and state.stale and "TPU v6e" in state.error
    assert state.scenario.deployment.gpu == "tpu-v6e", "so that a second change can mend it"
    # A refused change on top: the plan is still not the answer to what is shown.
    assert not state.change(LOAD, -1)
    assert state.stale and state.error_path == LOAD and state.plan is plan
    assert state.change(GPU, "h200-sxm-141gb")
    assert state.plan is not plan and not state.stale and not state.error and not state.error_path
    assert state.plan.gpu.id == "h200-sxm-141gb"


def test_the_same_scenario_again_clears_a_refusal_but_not_a_missing_plan(
    state: WorkbookState,
) -> None:
    state.change(LOAD, -1)
    plan = state.plan
    assert state.change(LOAD, 16) and not state.error
    assert state.plan is plan and not state.can_undo, "nothing has changed"
    state.change(GPU, "tpu-v6e")
    state.change(LOAD, -1)
    assert not state.change(GPU, "tpu-v6e")
    assert "TPU v6e" in state.error and state.stale


def test_undo_mends_what_has_no_plan(state: WorkbookState) -> None:
    state.change(GPU, "tpu-v6e")
    state.undo()
    assert not state.error and not state.stale and state.plan.scenario == Scenario()
    state.redo()
    assert state.stale and state.error


def test_a_first_scenario_without_a_plan_starts_from_the_default_plan() -> None:
    asked = Scenario().changed({GPU: "tpu-v6e"})
    state = WorkbookState(load_catalogue(), asked)
    assert state.scenario == asked and state.stale and "TPU v6e" in state.error
    assert state.plan.scenario == Scenario()
    state.change(GPU, "b200-sxm-180gb")
    assert state.plan.gpu.id == "b200-sxm-180gb" and not state.stale
    state.reset()
    assert state.scenario == asked and state.stale


def test_a_bug_keeps_the_last_good_plan(
    state: WorkbookState, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_arguments: object) -> None:
        raise ZeroDivisionError("a bug")

    plan = state.plan
    monkeypatch.setattr("planner.workbook.state.evaluate", broken)
    assert not state.change(LOAD, 20)
    assert (state.error, state.error_path, state.stale) == (BUG, "", True)
    assert state.plan is plan and "ZeroDivisionError: a bug" in caplog.text


def test_observers_hear_of_scenario_plan_and_error(state: WorkbookState) -> None:
    heard: list[tuple[str, object]] = []

    def hear(change: dict) -> None:
        heard.append((change["name"], change["new"]))
        if change["name"] == "plan" and not state.stale:
            assert change["new"].scenario is state.scenario, "an observer sees one state"

    state.observe(hear, names=["scenario", "plan", "error", "error_path", "stale"])
    state.change(LOAD, 20)
    assert [name for name, _ in heard] == ["scenario", "plan"]
    assert isinstance(heard[1][1], Plan) and heard[1][1] is state.plan
    heard.clear()
    state.change(LOAD, -1)
    assert sorted(name for name, _ in heard) == ["error", "error_path"]
    heard.clear()
    state.change(GPU, "tpu-v6e")
    assert {"scenario", "error", "stale"} <= {name for name, _ in heard}
    assert "plan" not in {name for name, _ in heard}
    heard.clear()
    state.undo()
    assert {"scenario", "plan", "error", "stale"} <= {name for name, _ in heard}
    heard.clear()
    state.change(LOAD, state.scenario.workload.concurrent_sequences)
    assert heard == [], "nothing has changed"


def test_history_is_limited(state: WorkbookState, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = state.plan
    monkeypatch.setattr("planner.workbook.state.evaluate", lambda *_arguments: plan)
    for value in range(100, 100 + HISTORY + 50):
        state.change(LOAD, value)
    steps = 0
    while state.can_undo:
        state.undo()
        steps += 1
    assert steps == HISTORY
    assert state.scenario.workload.concurrent_sequences == 100 + 50 - 1
    while state.can_redo:
        state.redo()
    assert state.scenario.workload.concurrent_sequences == 100 + HISTORY + 50 - 1


def test_replace_takes_what_a_maker_makes_or_says_why_not(state: WorkbookState) -> None:
    def refuse() -> Scenario:
        raise InvalidScenario("The file is empty; choose another.", field="title")

    assert not state.replace(refuse)
    assert (state.error, state.error_path) == ("The file is empty; choose another.", "title")
    assert state.replace(lambda: load_example("code-assistance"))
    assert state.scenario == load_example("code-assistance") and not state.error


def test_the_plan_is_evaluates(state: WorkbookState) -> None:
    state.change(CONTEXT, 32_768)
    expected = evaluate(state.scenario, load_catalogue())
    assert state.plan.to_dict() == expected.to_dict()


BLOCKED = """
import sys

class NoWidgets:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("anywidget", "ipywidgets", "IPython", "ipykernel", "comm"):
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, NoWidgets())
from planner.catalogue import load_catalogue
from planner.workbook.panels import Panels
from planner.workbook.state import WorkbookState

state = WorkbookState(load_catalogue())
assert state.change("workload.concurrent_sequences", 64)
assert Panels(state, ("memory",)).frame(1)["values"]["workload.concurrent_sequences"] == 64
import planner.workbook
assert "Dashboard" in planner.workbook.__all__
try:
    planner.workbook.will_it_fit
except ImportError as error:
    assert "blocked" in str(error)
else:
    raise AssertionError("the blockade does not work")
try:
    planner.workbook.nothing
except AttributeError:
    print("headless")
"""


def test_the_state_needs_no_widgets(repository: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository)},
    )
    assert done.stdout == "headless\n", done.stderr
