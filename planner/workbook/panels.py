"""What a dashboard shows of the state: one frame of plain data for the page's script."""

from __future__ import annotations

from typing import Any

from planner.catalogue import Catalogue
from planner.charts import CHARTS, captions
from planner.errors import PlannerError
from planner.plan import Plan, explain
from planner.report import Headline, headlines, team_sentences
from planner.scenario import Scalar, Scenario
from planner.units import MIB, format_billions, format_number
from planner.workbook.state import WorkbookState
from planner.workbook.uploads import LOG, shown_log

Frame = dict[str, Any]
CONFIG = "workload.config_json"


class Panels:
    """Turns a state into frames, sending a chart only when it has changed.

    >>> from planner.catalogue import load_catalogue
    >>> panels = Panels(WorkbookState(load_catalogue()), charts=("memory",))
    >>> list(panels.frame(0)["charts"]), list(panels.frame(1)["charts"])
    (['memory'], [])
    """

    def __init__(self, state: WorkbookState, charts: tuple[str, ...]) -> None:
        self.state = state
        self.charts = charts
        self._sent: dict[str, Any] = {}

    def frame(self, seq: int, notice: str = "") -> Frame:
        """Everything that the page shows now.

        Parameters
        ----------
        seq : int
            Number of the request that this answers.
        notice : str
            A sentence that is not an error, for example after an upload.

        Returns
        -------
        dict
        """
        state = self.state
        return {
            "kind": "frame",
            "seq": seq,
            "values": _values(state.scenario),
            "hints": _hints(state.plan, state.stale),
            "headlines": _headlines(state.plan, state.catalogue),
            "charts": self._changed_charts(),
            "error": {"text": state.error, "path": state.error_path} if state.error else None,
            "notice": notice or None,
            "can_undo": state.can_undo,
            "can_redo": state.can_redo,
            "query": _query(state),
            "stale": state.stale,
        }

    def forget_sent(self) -> None:
        """Send every chart again with the next frame, for a page that has just opened."""
        self._sent = {}

    def _changed_charts(self) -> dict[str, Any]:
        plan, catalogue = self.state.plan, self.state.catalogue
        words = captions(plan, catalogue) if self.charts else {}
        drawn = {}
        for name in self.charts:
            chart = {**CHARTS[name](plan, catalogue), "caption": words[name]}
            if self._sent.get(name) != chart:
                self._sent[name] = drawn[name] = chart
        return drawn


def why(plan: Plan, path: str, catalogue: Catalogue) -> dict[str, Any]:
    """The explanation of one headline as plain data.

    Parameters
    ----------
    plan : Plan
    path : str
        Dotted path of an answer, or ``quality``.
    catalogue : Catalogue

    Returns
    -------
    dict

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> why(evaluate(Scenario(), c), "fit.gpus", c)["title"]
    'GPUs'
    """
    if path == "quality":
        return _why_quality(plan, catalogue)
    told = explain(plan, path)
    return {
        "title": told.label,
        "value": told.value,
        "formula": told.formula,
        "worked": told.worked,
        "note": told.note,
        "inputs": [
            {
                "name": one.name,
                "value": one.value,
                "source": one.source,
                "as_of": one.as_of,
                "basis": one.basis.words,
                "why": one.path if one.path.startswith(("memory.", "fit.")) else "",
            }
            for one in told.inputs
        ],
        "terms": _terms([told.term], catalogue),
        "basis": told.basis.words,
    }


def _why_quality(plan: Plan, catalogue: Catalogue) -> dict[str, Any]:
    precision = plan.weight_precision
    rows = [row for row in catalogue.quality if row.precision == precision.id]
    scored = [row for row in rows if row.recovery_fraction == row.recovery_fraction]
    recovery = catalogue.recoveries.get(precision.id)
    headline = next(h for h in headlines(plan, catalogue) if h.id == "quality")
    return {
        "title": f"Quality kept by {precision.name}",
        "value": f"{headline.value} {headline.unit}".strip(),
        "formula": "median of (score of the quantised model / score of its baseline)",
        "worked": headline.text,
        "note": "Scores of different tasks and models; test the model on your own tasks.",
        "inputs": [
            {
                "name": f"{row.model}, {row.metric}",
                "value": f"{100 * row.recovery_fraction:.1f} %",
                "source": row.source.title,
                "as_of": row.source.as_of,
                "basis": row.source.basis.words,
                "why": "",
            }
            for row in scored[:40]
        ],
        "terms": _terms(["recovery", "quantisation"], catalogue),
        "basis": (recovery.basis if recovery else headline.basis).words,
    }


def _terms(ids: list[str], catalogue: Catalogue) -> list[dict[str, str]]:
    found = []
    for identity in ids:
        try:
            term = catalogue.term(identity)
        except PlannerError:
            continue
        found.append(
            {
                "name": term.name,
                "data_science": term.data_science,
                "infrastructure": term.infrastructure,
            }
        )
    return found


def _headlines(plan: Plan, catalogue: Catalogue) -> list[dict[str, Any]]:
    cards = [_card(headline) for headline in headlines(plan, catalogue)]
    words = [
        {
            "id": f"words-{team.replace(' ', '-')}",
            "audience": team,
            "title": f"In the words of {team}",
            "value": "",
            "unit": "",
            "text": text,
            "tone": "plain",
            "basis": "",
            "why": "",
        }
        for team, text in team_sentences(plan, catalogue).items()
    ]
    return cards + words


def _card(headline: Headline) -> dict[str, Any]:
    return {
        "id": headline.id,
        "audience": "both",
        "title": headline.title,
        "value": headline.value,
        "unit": headline.unit,
        "text": headline.text,
        "tone": headline.tone,
        "basis": headline.basis.words,
        "why": headline.id,
    }


def _values(scenario: Scenario) -> dict[str, Scalar]:
    """The last valid scenario's fields, whatever was typed since.

    The page reads a config.json or a log only by uploading one; its text stays here and only its
    name or size travels, so that a drag does not carry it to and fro.
    """
    values = scenario.values()
    text = str(values[CONFIG])
    values[CONFIG] = f"config.json, {len(text):,} characters" if text else ""
    values[LOG] = shown_log(str(values[LOG]))
    return values


def _hints(plan: Plan, stale: bool) -> dict[str, str]:
    """A short live line under some controls; blank lines when the plan is not this scenario's."""
    hints = _live_hints(plan)
    return dict.fromkeys(hints, "") if stale else hints


def _live_hints(plan: Plan) -> dict[str, str]:
    model, fit = plan.model, plan.fit
    parts = [
        format_billions(model.total_parameters),
        f"at most {model.maximum_context_tokens:,.0f} tokens",
    ]
    if model.experts:
        parts.insert(1, f"{format_billions(model.active_parameters)} active")
    mathematics, reserved = plan.memory.sequence_mathematics_bytes, plan.memory.sequence_bytes
    size = f"{_mebibytes(mathematics)} of KV cache for one conversation on each GPU"
    if reserved > 1.01 * mathematics:
        size += f"; the engine reserves {_mebibytes(reserved)}"
    return {
        "workload.model": ", ".join(parts),
        "workload.model_parameters": "A generic dense decoder, derived from real ones",
        "workload.config_json": f"Read as {', '.join(parts)}",
        "workload.context_tokens": size,
        "deployment.weight_precision": (
            f"Stored narrow, computed in 16 bit on {plan.gpu.name}"
            if plan.computed_as == "weight only"
            else ""
        ),
        "deployment.tensor_parallel": f"Now {fit.tensor_parallel}",
        "deployment.pipeline_parallel": f"Now {fit.pipeline_parallel}",
        "deployment.engine_max_sequences": f"Now {plan.memory.engine_sequences:,.0f}",
        "deployment.engine_batched_tokens": f"Now {plan.memory.engine_tokens:,.0f}",
    }


def _query(state: WorkbookState) -> str:
    """The link's query; empty when the scenario is too large for one."""
    try:
        return state.scenario.to_query()
    except PlannerError:
        return ""


def _mebibytes(value_bytes: float) -> str:
    return f"{format_number(value_bytes / MIB)} MiB"
