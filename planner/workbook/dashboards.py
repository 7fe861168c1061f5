"""The dashboards: one widget that carries a page, its state and its panels.

The page's script sends requests (a changed field, undo, an upload); each gets
one frame back. Requests come from any browser that can reach the server, so
every value is checked as hostile; an expected failure answers with a sentence
and the last good picture stays.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from planner.catalogue import Catalogue, architecture_from_text, load_catalogue
from planner.errors import InvalidScenario, PlannerError
from planner.plan import answer_paths
from planner.scenario import EXAMPLES, FIELDS, Scenario, load_example, one_line
from planner.workbook import cost_page, fleet_page, pages, value_page
from planner.workbook.fleet_panels import file_of
from planner.workbook.on_demand import chosen_changes
from planner.workbook.panels import NEEDS, Panels, error_of, why
from planner.workbook.rows import cell_of, edited, with_cell
from planner.workbook.state import BUG, WorkbookState
from planner.workbook.tables import table_file
from planner.workbook.uploads import log_changes

STATIC = Path(__file__).parent / "static"
SCRIPTS = (
    "page.js",
    "wire.js",
    "controls.js",
    "rows.js",
    "results.js",
    "map.js",
    "bars.js",
    "tables.js",
    "on_demand.js",
    "app.js",
)
ONE_DRAG_S = 1.0
"""Changes of the same field closer together than this are one step of undo [s]."""
UPLOAD_LIMIT_CHARACTERS = 2_000_000


def will_it_fit(scenario: Scenario | None = None) -> Dashboard:
    """The dashboard that answers: what memory, how many GPUs, how many conversations?

    Parameters
    ----------
    scenario : Scenario, optional
        Where to start; by default the shipped default scenario.

    Returns
    -------
    Dashboard
    """
    return _open(pages.will_it_fit, scenario)


def how_fast_how_many(scenario: Scenario | None = None) -> Dashboard:
    """The dashboard that answers: how many GPUs for so many people at this speed?

    Parameters
    ----------
    scenario : Scenario, optional
        Where to start; by default the shipped default scenario.

    Returns
    -------
    Dashboard
    """
    return _open(pages.how_fast_how_many, scenario)


def own_rent_or_call(scenario: Scenario | None = None) -> Dashboard:
    """The dashboard that answers: own it, rent it, or call it?

    Parameters
    ----------
    scenario : Scenario, optional
        Where to start; by default the shipped default scenario.

    Returns
    -------
    Dashboard
    """
    return _open(cost_page.own_rent_or_call, scenario)


def carve_and_place(scenario: Scenario | None = None) -> Dashboard:
    """The dashboard that answers: shovel, spade or backhoe, and does it all fit?

    Parameters
    ----------
    scenario : Scenario, optional
        Where to start; by default the shipped default scenario.

    Returns
    -------
    Dashboard
    """
    return _open(fleet_page.carve_and_place, scenario)


def is_it_worth_it(scenario: Scenario | None = None) -> Dashboard:
    """The dashboard that answers: is the work worth more than it costs?

    Parameters
    ----------
    scenario : Scenario, optional
        Where to start; by default the shipped default scenario.

    Returns
    -------
    Dashboard
    """
    return _open(value_page.is_it_worth_it, scenario)


def start_here(scenario: Scenario | None = None) -> Dashboard:
    """The map of the workbook and the scenario card that both teams fill in.

    Parameters
    ----------
    scenario : Scenario, optional

    Returns
    -------
    Dashboard
    """
    return _open(pages.start_here, scenario)


def _open(page: Callable[[Catalogue], dict[str, Any]], scenario: Scenario | None) -> Dashboard:
    catalogue = load_catalogue()
    made = page(catalogue)
    needs = list(dict.fromkeys(part for topic in made["topics"] for part in NEEDS[topic]))
    return Dashboard(made, WorkbookState(catalogue, scenario, needs))


class Dashboard(anywidget.AnyWidget):
    """One page in the browser: its state on this side, its picture on the other."""

    # One module for the browser, in files of a size that people read.
    _esm = "\n".join((STATIC / name).read_text("utf-8") for name in SCRIPTS)
    _css = STATIC / "dashboard.css"
    page = traitlets.Dict().tag(sync=True)
    first = traitlets.Dict().tag(sync=True)

    def __init__(self, page: dict[str, Any], state: WorkbookState) -> None:
        self.state = state
        charts = tuple(chart["id"] for chart in page["charts"])
        self.panels = Panels(state, charts, page["topics"], page.get("cards"))
        self._last_change = ("", 0.0)
        super().__init__(page=page, first=self.panels.frame(0))
        self.on_msg(lambda _widget, content, buffers: self.receive(content, buffers))

    def receive(self, request: Any, buffers: Sequence[Any] | None = None) -> None:
        """Answer one request of the page.

        Parameters
        ----------
        request : dict
            ``kind`` and ``seq``, and what the kind needs; anything else is refused with a
            sentence.
        buffers : sequence of bytes or memoryview, optional
            Files that are no text.
        """
        request = dict(request) if isinstance(request, dict) else {}
        request["buffers"] = buffers or ()
        seq = request.get("seq")
        seq = seq if isinstance(seq, int) and not isinstance(seq, bool) else 0
        answer: Callable[..., None] | None = {
            "hello": self._hello,
            "set": self._set,
            "rows": self._rows,
            "rest": self._rest,
            "undo": self._undo,
            "redo": self._redo,
            "reset": self._reset,
            "open": self._open,
            "example": self._example,
            "upload": self._upload,
            "download": self._download,
            "why": self._why,
            "simulate": self._simulate,
            "served": self._served,
            "job": self._job,
            "choose": self._choose,
            "plotly": self._plotly,
        }.get(str(request.get("kind")))
        try:
            if answer is None:
                raise InvalidScenario("The page asked for something this workbook does not know.")
            answer(request, seq)
        except PlannerError as error:
            self._send_frame(seq, error=str(error), path=getattr(error, "field", ""))
        except Exception:
            logging.getLogger(__name__).exception("request failed")
            self._send_frame(seq, error=BUG)

    def _send_frame(
        self,
        seq: int,
        *,
        notice: str = "",
        error: str = "",
        path: str = "",
        seen: Collection[str] | None = None,
        cell: tuple[str, int, str] | None = None,
    ) -> None:
        frame = self.panels.frame(seq, notice, seen)
        if error:
            frame["error"] = {"text": error, "path": path}
        elif frame["error"]:
            frame["error"] = error_of(frame["error"]["text"], frame["error"]["path"], cell)
        self.send(frame)

    def _hello(self, request: dict[str, Any], seq: int) -> None:
        """A view that has just opened, perhaps long after the first: all that there is now."""
        self.panels.forget_sent()
        self._send_frame(seq)

    def _set(self, request: dict[str, Any], seq: int) -> None:
        path, value = request.get("path"), _whole(request.get("value"))
        cell = cell_of(path)
        if path not in FIELDS and cell is None:
            raise InvalidScenario("The page changed a field that a scenario does not have.")
        at = request.get("at")
        now = at / 1e3 if isinstance(at, int | float) else time.monotonic()
        since = now - self._last_change[1]
        dragging = self._last_change[0] == path and 0.0 <= since < ONE_DRAG_S
        self._last_change = (path, now)
        if cell:
            self.state.edit(path, lambda: with_cell(self.state.scenario, cell, value), dragging)
        else:
            self.state.change(path, value, dragging=dragging)
        seen = request.get("seen")
        known = {one for one in seen if isinstance(one, str)} if isinstance(seen, list) else None
        self._send_frame(seq, seen=known, cell=cell)

    def _rows(self, request: dict[str, Any], seq: int) -> None:
        """A row that is added, copied, moved or taken away."""
        asked = {key: request[key] for key in ("row", "to", "preset") if key in request}
        table, action = request.get("path"), request.get("action")
        self.state.replace(lambda: edited(self.state.scenario, table, action, **asked))
        self._send_frame(seq)

    def _rest(self, request: dict[str, Any], seq: int) -> None:
        """The sliders rest: what was out of sight while they moved."""
        self._send_frame(seq)

    def _undo(self, request: dict[str, Any], seq: int) -> None:
        self.state.undo()
        self._send_frame(seq)

    def _redo(self, request: dict[str, Any], seq: int) -> None:
        self.state.redo()
        self._send_frame(seq)

    def _reset(self, request: dict[str, Any], seq: int) -> None:
        self.state.reset()
        self._send_frame(seq)

    def _open(self, request: dict[str, Any], seq: int) -> None:
        self.panels.forget_sent()
        self.state.open(Scenario.from_query(str(request.get("query", ""))))
        self._send_frame(seq)

    def _example(self, request: dict[str, Any], seq: int) -> None:
        name = request.get("name")
        if name not in EXAMPLES:
            raise InvalidScenario("The page asked for an example that this workbook does not have.")
        self.state.replace(lambda: load_example(name))
        self._send_frame(seq, notice="" if self.state.error else self.state.scenario.description)

    def _upload(self, request: dict[str, Any], seq: int) -> None:
        text, name = request.get("text"), request.get("name")
        name = one_line(name if isinstance(name, str) else "") or "The file"
        if request.get("what") == "log":
            content = b"".join(bytes(part) for part in request["buffers"])
            changes, notice = log_changes(content, name)
            self.state.replace(lambda: self.state.scenario.changed(changes))
        elif not isinstance(text, str) or len(text) > UPLOAD_LIMIT_CHARACTERS:
            raise InvalidScenario(f"{name} is not a text file of at most 2 MB; choose another.")
        elif request.get("what") == "config":
            model = architecture_from_text(text, name=name)
            changes = {"workload.config_json": text, "workload.model_source": "config"}
            self.state.replace(lambda: self.state.scenario.changed(changes))
            notice = f"{name} is read as {model.name}. " + " ".join(model.notes)
        else:
            self.state.replace(lambda: Scenario.from_text(text, name))
            notice = f"{name} is open."
        self._send_frame(seq, notice="" if self.state.error else notice.strip())

    def _download(self, request: dict[str, Any], seq: int) -> None:
        if request.get("format") == "table":
            told = table_file(str(request.get("id")), self.state.plan, self.state.catalogue)
            self.send({"kind": "download", "seq": seq, **told})
            return
        if request.get("format") == "placement":
            told = file_of(request.get("id"), self.state.plan)
            self.send({"kind": "download", "seq": seq, **told})
            return
        form = "json" if request.get("format") == "json" else "yaml"
        scenario = self.state.scenario
        words = "".join(c if c.isalnum() else "-" for c in scenario.title.lower()).strip("-")
        self.send(
            {
                "kind": "download",
                "seq": seq,
                "name": f"{words[:60] or 'scenario'}.{form}",
                "text": scenario.to_text(form),
                "mime": "application/json" if form == "json" else "application/yaml",
            }
        )

    def _why(self, request: dict[str, Any], seq: int) -> None:
        path = request.get("id")
        if path not in ("quality", "prices") and path not in answer_paths():
            raise InvalidScenario("The page asked why of a number that this plan does not have.")
        told = why(self.state.plan, path, self.state.catalogue)
        self.send({"kind": "why", "seq": seq, "id": path, **told})

    def _simulate(self, request: dict[str, Any], seq: int) -> None:
        told = self.panels.on_demand.simulate(str(request.get("action")))
        self.send({"kind": "simulation", "seq": seq, **told})

    def _served(self, request: dict[str, Any], seq: int) -> None:
        self.send({"kind": "served", "seq": seq, **self.panels.on_demand.served()})

    def _job(self, request: dict[str, Any], seq: int) -> None:
        told = self.panels.jobs.ask(request.get("id"), request.get("action"))
        self.send({"kind": "job", "seq": seq, **told})

    def _choose(self, request: dict[str, Any], seq: int) -> None:
        changes = chosen_changes(request.get("row"))
        self.state.replace(lambda: self.state.scenario.changed(changes))
        self._send_frame(seq)

    def _plotly(self, request: dict[str, Any], seq: int) -> None:
        bundle = (STATIC / "vendor" / "plotly-cartesian.min.js").read_bytes()
        self.send({"kind": "plotly", "seq": seq}, buffers=[bundle])


def _whole(value: Any) -> Any:
    """A whole number as such: a browser knows no difference between 8 and 8.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
