"""What takes longer than a slider's step, so the page asks for it: two panels as plain data.

The page asks for the simulation slice by slice and can do other things between; when it asks no
more, nothing runs.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import numpy as np

from planner.errors import InvalidScenario, PlannerError
from planner.plan import ServedTable, SimulationCheck, served_by, simulation_steps_of
from planner.report import judged_words
from planner.scenario import Scenario
from planner.units import format_billions, format_number, format_seconds
from planner.workbook.state import WorkbookState

SLICE_S = 0.03
"""Longest that a slice of the simulation keeps a slider waiting, and one report more [s]."""
WORDS = {"title", "description"}
OF_THE_MODEL = {
    "workload.model_source",
    "workload.model",
    "workload.model_parameters",
    "workload.config_json",
    "workload.context_tokens",
    "workload.concurrent_sequences",
    "deployment.weight_precision",
}
"""What the table of all models does not depend on."""
Key = tuple[Any, ...]


class OnDemand:
    """The simulation and the table of what hosts can serve, and whether they still hold.

    >>> from planner.catalogue import load_catalogue
    >>> panels = OnDemand(WorkbookState(load_catalogue()))
    >>> panels.simulate("start")["status"], panels.fresh()
    ('running', [])
    >>> panels.simulate("cancel")["status"]
    'cancelled'
    """

    def __init__(self, state: WorkbookState) -> None:
        self.state = state
        self._steps: Generator[float, None, SimulationCheck] | None = None
        self._running_for: Key = ()
        self._known: dict[str, Key] = {}

    def fresh(self) -> list[str]:
        """The panels whose last result is the answer to the scenario on screen.

        Returns
        -------
        list of str
        """
        return [panel for panel, key in self._known.items() if key == self._key(panel)]

    def simulate(self, action: str) -> dict[str, Any]:
        """Start, go on with or cancel the simulation of the plan on screen.

        Parameters
        ----------
        action : str
            ``start``, ``more`` or ``cancel``.

        Returns
        -------
        dict
            ``status`` is ``running``, ``done``, ``cancelled``, ``outdated`` or ``failed``.
        """
        if action == "start":
            self._stop()
            self._steps = simulation_steps_of(self.state.plan)
            self._running_for = self._key("simulation")
            self._known.pop("simulation", None)
            return {"status": "running", "progress": 0.0}
        if action != "more" or self._steps is None:
            self._stop()
            return {"status": "cancelled", "text": "The simulation was cancelled."}
        if self._running_for != self._key("simulation"):
            self._stop()
            return {"status": "outdated", "text": "Stopped, as the scenario has changed."}
        return self._advance(self._steps)

    def served(self) -> dict[str, Any]:
        """What the hosts at hand can serve, for the scenario that the controls show.

        Returns
        -------
        dict
            ``rows``, best first, or ``error``, a sentence.
        """
        try:
            table = served_by(self.state.scenario, self.state.catalogue)
        except PlannerError as error:
            return {"error": str(error)}
        self._known["served"] = self._key("served")
        heads, columns = _columns(table)
        rows = [
            {
                "model": table.model_ids[at],
                "precision": table.precision_ids[at],
                "all": bool(table.feasible[at]),
                "cells": [column[at] for column in columns],
            }
            for at in range(len(table.model_ids))
        ]
        return {"title": _title(table), "heads": heads, "rows": rows}

    def _advance(self, steps: Generator[float, None, SimulationCheck]) -> dict[str, Any]:
        until = time.monotonic() + SLICE_S
        try:
            progress = next(steps)
            while time.monotonic() < until:
                progress = next(steps)
        except StopIteration as end:
            self._known["simulation"] = self._running_for
            self._steps = None
            return {"status": "done", "progress": 1.0, **self._compared(end.value)}
        except PlannerError as error:
            self._steps = None
            return {"status": "failed", "text": str(error)}
        return {"status": "running", "progress": round(progress, 4)}

    def _compared(self, check: SimulationCheck) -> dict[str, Any]:
        level = self.state.plan.scenario.service_level
        holds = check.ttft_s <= level.ttft_s and check.tpot_s <= level.tpot_s
        compared = (
            (
                "First token",
                check.formula_ttft_s,
                check.ttft_s,
                _percent(check.ttft_disagreement_fraction),
                format_seconds(level.ttft_s),
            ),
            ("of it waiting", check.formula_waiting_s, check.waiting_s, "", ""),
            (
                "Each further token",
                check.formula_tpot_s,
                check.tpot_s,
                _percent(check.tpot_disagreement_fraction),
                format_seconds(level.tpot_s),
            ),
        )
        return {
            "verdict": check.verdict,
            "tone": "good" if holds else "bad",
            "text": f"For {judged_words(self.state.plan)}: {check.source}, on "
            f"{check.replicas:,} replicas.",
            "heads": ["", "Formula", "Simulation", "Difference", "Limit"],
            "rows": [
                [name, format_seconds(formula), format_seconds(simulated), difference, limit]
                for name, formula, simulated, difference, limit in compared
            ],
        }

    def _stop(self) -> None:
        if self._steps is not None:
            self._steps.close()
        self._steps = None

    def _key(self, panel: str) -> Key:
        """The fields on which a panel depends; the simulation is of the plan on screen."""
        if panel == "simulation":
            return _values(self.state.plan.scenario, WORDS | {"deployment.hosts"})
        return _values(self.state.scenario, WORDS | OF_THE_MODEL)


def chosen_changes(changes: Any) -> dict[str, str]:
    """A model and a format that a row of the table stands for, checked.

    Parameters
    ----------
    changes : dict
        As the page sends it: ``model`` and ``precision``.

    Returns
    -------
    dict
        Changes of a scenario.

    Raises
    ------
    InvalidScenario
        It is no model with a format.

    >>> chosen_changes({"model": "Qwen/Qwen3-8B", "precision": "bf16"})["workload.model"]
    'Qwen/Qwen3-8B'
    """
    model, precision = (
        (changes.get("model"), changes.get("precision")) if isinstance(changes, dict) else (0, 0)
    )
    if not (isinstance(model, str) and isinstance(precision, str) and model and precision):
        raise InvalidScenario("The page chose a row that this workbook does not have.")
    return {
        "workload.model_source": "catalogue",
        "workload.model": model,
        "deployment.weight_precision": precision,
    }


def _values(scenario: Scenario, leave_out: set[str]) -> Key:
    return tuple(value for path, value in scenario.values().items() if path not in leave_out)


def _percent(fraction: float) -> str:
    """A signed share, with the sign that people write."""
    return f"{100 * fraction:+.0f} %".replace("-", "−") if np.isfinite(fraction) else "–"


def _title(table: ServedTable) -> str:
    carried = int(table.feasible.sum())
    return (
        f"{table.gpus:,} × {table.gpu_name} in {table.hosts:,} hosts: {carried} of "
        f"{len(table.users)} models carry the whole demand; of those that do not, the table says "
        "how much they carry."
    )


def _columns(table: ServedTable) -> tuple[list[dict[str, Any]], list[list[str]]]:
    """Heads, with those that a phone leaves out, and the words below each."""
    counted = bool(np.isfinite(table.users).all())
    layouts = zip(table.replicas, table.tensor_parallel, strict=True)
    columns = [
        ("Model", False, list(table.model_names)),
        ("Size", True, [_billions(one) for one in table.total_parameters.tolist()]),
        ("Format", False, list(table.precision_labels)),
        ("Layout", True, [f"{count:.0f} × {ranks:.0f} GPU" for count, ranks in layouts]),
        ("People", False, [f"{one:,.0f}" for one in table.users.tolist()]),
        ("Requests/s", counted, [format_number(one) for one in table.requests_per_s.tolist()]),
        ("Tokens/s each", False, [format_number(one) for one in table.user_tokens_per_s.tolist()]),
        ("First token", True, [format_seconds(one) for one in table.ttft_s.tolist()]),
    ]
    shown = [column for column in columns if counted or column[0] != "People"]
    return (
        [{"text": text, "wide": wide} for text, wide, _ in shown],
        [words for _, _, words in shown],
    )


def _billions(parameters: float) -> str:
    return f"{format_billions(parameters).removesuffix(' billion')} B"
