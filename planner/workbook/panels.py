"""What a dashboard shows of the state: one frame of plain data for the page's script."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence
from typing import Any

from planner.catalogue import Catalogue, age_days
from planner.charts import CHARTS, TABLES, captions
from planner.charts.cost_tables import prices_used, unit_of_price
from planner.errors import PlannerError
from planner.plan import Plan, answer_paths, explain
from planner.report import (
    Headline,
    cost_headlines,
    cost_sentences,
    fleet_headlines,
    fleet_sentences,
    headlines,
    speed_headlines,
    speed_sentences,
    team_sentences,
    value_headlines,
    value_sentences,
)
from planner.scenario import Scenario
from planner.units import format_number
from planner.workbook.fleet_panels import FleetJobs, Said, files_of, row_words
from planner.workbook.hints import FLEET, MEMORY, MONEY, SPEED, VALUE, live_hints
from planner.workbook.on_demand import OnDemand
from planner.workbook.rows import NOUNS, place_of, rows_of
from planner.workbook.state import WorkbookState
from planner.workbook.uploads import LOG, shown_log

Frame = dict[str, Any]
CONFIG = "workload.config_json"
QUOTES = "finance.quotes"
CARDS = {
    MEMORY: headlines,
    SPEED: speed_headlines,
    MONEY: cost_headlines,
    VALUE: value_headlines,
    FLEET: fleet_headlines,
}
WORDS = {
    MEMORY: team_sentences,
    SPEED: speed_sentences,
    MONEY: cost_sentences,
    VALUE: value_sentences,
    FLEET: fleet_sentences,
}
"""What each topic of a page says, in numbers and in each team's words."""
NEEDS = {
    MEMORY: (),
    SPEED: ("speed",),
    MONEY: ("money",),
    VALUE: ("money",),
    FLEET: ("portfolio",),
}
"""What each topic needs of a plan that is computed only when asked for."""


class Panels:
    """Turns a state into frames, sending a chart only when it has changed.

    >>> from planner.catalogue import load_catalogue
    >>> panels = Panels(WorkbookState(load_catalogue()), charts=("memory",))
    >>> list(panels.frame(0)["charts"]), list(panels.frame(1)["charts"])
    (['memory'], [])
    """

    def __init__(
        self,
        state: WorkbookState,
        charts: tuple[str, ...],
        topics: Sequence[str] = (MEMORY,),
        cards: int | None = None,
    ) -> None:
        self.state = state
        self.charts = charts
        self.topics = tuple(topics)
        self.cards = cards
        """Numbers shown of each topic at most; all by default."""
        self.on_demand = OnDemand(state)
        self.jobs = FleetJobs(state)
        self._sent: dict[str, Any] = {}

    def frame(self, seq: int, notice: str = "", seen: Collection[str] | None = None) -> Frame:
        """Everything that the page shows now.

        Parameters
        ----------
        seq : int
            Number of the request that this answers.
        notice : str
            A sentence that is not an error, for example after an upload.
        seen : collection of str, optional
            Charts in sight; the others wait, and the frame says that it is ``behind``. By default
            all are sent.

        Returns
        -------
        dict
        """
        state, fleet = self.state, FLEET in self.topics
        hurried = seen is not None and (fleet or not set(self.charts) <= set(seen))
        return {
            "kind": "frame",
            "behind": hurried,
            "seq": seq,
            "values": _values(state.scenario),
            "hints": self._hints(),
            "rows": self._rows(),
            "headlines": self._headlines(),
            "charts": self._changed_charts(seen),
            "error": error_of(state.error, state.error_path) if state.error else None,
            "notice": notice or None,
            "can_undo": state.can_undo,
            "can_redo": state.can_redo,
            "query": _query(state),
            "stale": state.stale,
            "fresh": [*self.on_demand.fresh(), *self.jobs.fresh()],
            "files": files_of(state.plan) if fleet and not hurried else None,
        }

    def forget_sent(self) -> None:
        """Send every chart again with the next frame, for a page that has just opened."""
        self._sent = {}

    def _headlines(self) -> list[dict[str, Any]]:
        plan, catalogue = self.state.plan, self.state.catalogue
        cards = [
            _card(headline)
            for topic in self.topics
            for headline in CARDS[topic](plan, catalogue)[: self.cards]
        ]
        said = [WORDS[topic](plan, catalogue) for topic in self.topics]
        return cards + [_words(team, " ".join(one[team] for one in said)) for team in said[0]]

    def _hints(self) -> dict[str, str]:
        """Blank when the plan is not this scenario's."""
        hints = live_hints(self.state.plan, self.topics)
        return dict.fromkeys(hints, "") if self.state.stale else hints

    def _rows(self) -> Said:
        """What stands beside each row of a table: of this scenario, or of no plan at all."""
        if FLEET not in self.topics:
            return {}
        state = self.state
        return row_words(state.scenario, None if state.stale else state.plan, state.catalogue)

    def _changed_charts(self, seen: Collection[str] | None) -> dict[str, Any]:
        plan, catalogue = self.state.plan, self.state.catalogue
        names = [name for name in self.charts if seen is None or name in seen]
        words = captions(plan, catalogue, [name for name in names if name in CHARTS])
        drawn = {}
        for name in names:
            chart = (
                {**CHARTS[name](plan, catalogue), "caption": words[name]}
                if name in CHARTS
                else TABLES[name](plan, catalogue)
            )
            if self._sent.get(name) != chart:
                self._sent[name] = drawn[name] = chart
        return drawn


def error_of(text: str, path: str, cell: tuple[str, int, str] | None = None) -> dict[str, Any]:
    """A sentence with the field that it is about, and in a table with its row.

    Parameters
    ----------
    text, path : str
    cell : tuple of str, int and str, optional
        What was just changed.

    Returns
    -------
    dict

    >>> error_of("portfolio.hosts, row 1: There is no GPU 'x'.", "portfolio.hosts")["row"]
    0
    """
    place = place_of(text, cell if cell and cell[0] == path else None) if path in NOUNS else {}
    return {"text": text, "path": path, **place}


def why(plan: Plan, path: str, catalogue: Catalogue) -> dict[str, Any]:
    """The explanation of one headline as plain data.

    Parameters
    ----------
    plan : Plan
    path : str
        Dotted path of an answer, ``quality`` or ``prices``.
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
    if path == "prices":
        return _why_prices(plan, catalogue)
    told, answers = explain(plan, path), answer_paths()
    value, note = told.value, told.note
    if path.startswith("serving.") and not plan.speed.feasible:
        value = "None will do" if path == "serving.gpus" else value
        note = f"{plan.speed.reason} {note}".strip()
    return {
        "title": told.label,
        "value": value,
        "formula": told.formula,
        "worked": told.worked,
        "note": note,
        "inputs": [
            {
                "name": one.name,
                "value": one.value,
                "source": one.source,
                "as_of": one.as_of,
                "basis": one.basis.words,
                "why": one.path if one.path in answers else "",
            }
            for one in told.inputs
        ]
        + [
            {
                "name": line.label,
                "value": line.value,
                "source": line.prices,
                "as_of": line.as_of,
                "basis": line.basis.words,
                "why": "",
            }
            for line in told.bill
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


def _why_prices(plan: Plan, catalogue: Catalogue) -> dict[str, Any]:
    """Every price used, the oldest first."""
    headline = next(h for h in cost_headlines(plan, catalogue) if h.id == "prices")
    today = datetime.date.today()
    prices = sorted(prices_used(plan), key=lambda one: -age_days(one.source.as_of, today))
    return {
        "title": headline.title,
        "value": headline.value,
        "formula": "the earliest date among the prices behind the ways shown",
        "worked": headline.text,
        "note": "The table of prices takes your own quotes in their place.",
        "inputs": [
            {
                "name": one.label,
                "value": f"{format_number(one.value)} {unit_of_price(one)}",
                "source": one.source.title,
                "as_of": one.source.as_of,
                "basis": one.source.basis.words,
                "why": "",
            }
            for one in prices
        ],
        "terms": _terms(["quote"], catalogue),
        "basis": headline.basis.words,
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


def _words(team: str, text: str) -> dict[str, Any]:
    return {
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


def _values(scenario: Scenario) -> dict[str, Any]:
    """The last valid scenario's fields, whatever was typed since.

    The page reads a config.json or a log only by uploading one; its text stays here and only its
    name or size travels, so that a drag does not carry it to and fro.
    """
    values: dict[str, Any] = dict(scenario.values())
    text = str(values[CONFIG])
    values[CONFIG] = f"config.json, {len(text):,} characters" if text else ""
    values[LOG] = shown_log(str(values[LOG]))
    values[QUOTES] = scenario.finance.quoted
    values |= {table: rows_of(scenario, table) for table in NOUNS}
    return values


def _query(state: WorkbookState) -> str:
    """The link's query; empty when the scenario is too large for one."""
    try:
        return state.scenario.to_query()
    except PlannerError:
        return ""
