"""What the page of the fleet shows besides pictures: how each row of its tables fares, two slow
answers that it asks for, and files to take along."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from planner.catalogue import Catalogue
from planner.charts import order_chart, order_words
from planner.errors import InvalidScenario
from planner.placement import OrderResult, Placement
from planner.plan import Plan
from planner.plan.fleet_records import SizedWorkload
from planner.plan.portfolio import Portfolio
from planner.report import placement_files
from planner.scenario import FleetWorkload, HostGroup, Scenario
from planner.units import format_number, plural
from planner.workbook.background import Background, Progress
from planner.workbook.choices import CHOICES
from planner.workbook.rows import HOSTS, WORKLOADS
from planner.workbook.state import WorkbookState

WORDS = {"title", "description"}
LABELS = {
    "placement.csv": "A table of every piece",
    "mig-config.yaml": "MIG slices (mig-parted)",
    "kubernetes.yaml": "Requests for Kubernetes",
    "vsphere.ps1": "PowerCLI for vSphere",
}
"""What each file is."""
JOBS = ("orders", "proof")
LONGEST_S = 10.0
"""After this an exact search ends without a proof [s]."""
Said = dict[str, list[dict[str, str]]]
Reply = dict[str, Any]


class FleetJobs:
    """The two slow answers, and whether they still hold.

    >>> from planner.catalogue import load_catalogue
    >>> jobs = FleetJobs(WorkbookState(load_catalogue()))
    >>> jobs.ask("proof", "cancel")["status"], jobs.fresh()
    ('cancelled', [])
    """

    def __init__(self, state: WorkbookState) -> None:
        self.state = state
        self._running: dict[str, tuple[Background, Scenario, Plan, float]] = {}
        self._known: dict[str, Scenario] = {}

    def fresh(self) -> list[str]:
        """The answers that are of the plan on screen.

        Returns
        -------
        list of str
        """
        now = _bare(self.state.plan.scenario)
        return [name for name, known in self._known.items() if known == now]

    def ask(self, name: Any, action: Any) -> Reply:
        """Start one, ask how far it is, or cancel it.

        Parameters
        ----------
        name : str
            One of :data:`JOBS`.
        action : str
            ``start``, ``more`` or ``cancel``.

        Returns
        -------
        dict
            ``status`` is ``running``, ``done``, ``cancelled``, ``outdated`` or ``failed``.

        Raises
        ------
        InvalidScenario
            There is no such question.
        """
        if name not in JOBS:
            raise InvalidScenario("The page asked for an answer that this workbook does not have.")
        if action == "start":
            self._cancel(name)
            plan = self.state.plan
            work = Background(_maker(name, plan))
            self._running[name] = (work, _bare(plan.scenario), plan, time.monotonic())
            self._known.pop(name, None)
            return {"id": name, "status": "running", "progress": 0.0}
        if action != "more" or name not in self._running:
            self._cancel(name)
            return {"id": name, "status": "cancelled", "text": "Cancelled."}
        return {"id": name, **self._look(name)}

    def _look(self, name: str) -> Reply:
        work, asked, plan, since = self._running[name]
        if asked != _bare(self.state.plan.scenario):
            self._cancel(name)
            return {"status": "outdated", "text": "Stopped, as the scenario has changed."}
        work.wait(0.02)
        if work.status == "running":
            share = work.share or (time.monotonic() - since) / LONGEST_S
            return {"status": "running", "progress": round(min(share, 1.0), 4)}
        del self._running[name]
        if work.status == "failed":
            return {"status": "failed", "text": work.text}
        self._known[name] = asked
        seconds = time.monotonic() - since
        tell = _orders if name == "orders" else _proof
        told = tell(work.result, plan, seconds)
        return {"status": "done", "progress": 1.0, **told}

    def _cancel(self, name: str) -> None:
        if name in self._running:
            self._running.pop(name)[0].cancel()


def row_words(scenario: Scenario, plan: Plan | None, catalogue: Catalogue) -> Said:
    """A short line for every row of the two tables: what it is, and how it fares.

    Parameters
    ----------
    scenario : Scenario
        Whose rows they are.
    plan : Plan, optional
        The answer to it; None when there is none.
    catalogue : Catalogue

    Returns
    -------
    dict
        Table to a list of ``text`` and ``tone``.

    >>> start = Scenario().changed({"portfolio.workloads": [{"name": "Chat"}]})
    >>> from planner.catalogue import load_catalogue
    >>> row_words(start, None, load_catalogue())["portfolio.workloads"]
    [{'text': 'Serving 1,000 requests/h', 'tone': ''}]
    """
    portfolio = None if plan is None else plan.portfolio
    sized = {} if portfolio is None else {one.row.name: one for one in portfolio.workloads}
    seats = Counter() if portfolio is None else _seats_by_workload(portfolio)
    return {
        WORKLOADS: [
            _workload_words(row, sized.get(row.name), seats[row.name])
            for row in scenario.portfolio.workloads
        ],
        HOSTS: [_host_words(row, catalogue) for row in scenario.portfolio.hosts],
    }


def files_of(plan: Plan) -> list[dict[str, str]]:
    """The files that this placement can be taken along as.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    list of dict
        Each with ``name`` and ``label``.
    """
    return [
        {"name": name, "label": LABELS.get(name, name)} for name, _, _ in _placement_files(plan)
    ]


def file_of(name: Any, plan: Plan) -> dict[str, str]:
    """One of those files.

    Parameters
    ----------
    name : str
        As the page sends it.
    plan : Plan

    Returns
    -------
    dict
        ``name``, ``text`` and ``mime``.

    Raises
    ------
    InvalidScenario
        There is no such file.
    """
    for known, mime, text in _placement_files(plan):
        if known == name:
            return {"name": known, "text": text, "mime": mime}
    raise InvalidScenario("The page asked for a file that this plan does not have.")


def _placement_files(plan: Plan) -> tuple[tuple[str, str, str], ...]:
    found = plan.portfolio
    return placement_files(
        found.placement, plan.scenario.title, [one.row for one in found.workloads]
    )


def _maker(name: str, plan: Plan) -> Callable[[Progress], Any]:
    portfolio = plan.portfolio
    return portfolio.orders if name == "orders" else lambda _: portfolio.exact(LONGEST_S)


def _orders(result: OrderResult, plan: Plan, seconds: float) -> Reply:
    words, policy = order_words(result), plan.portfolio.order_policy
    why = (
        ", which is what vSphere and Kubernetes do when they are not told otherwise"
        if policy != plan.scenario.portfolio.placement
        else ""
    )
    return {
        "verdict": words,
        "tone": "good" if result.all_fit == result.runs else "warn" if result.all_fit else "bad",
        "heads": ["Left out", "In orders", "Share"],
        "rows": [
            [name, f"{count:,}", f"{count / result.runs:.0%}"] for name, count in result.failures
        ],
        "text": f"One after the other by “{policy}”{why}. Half of the orders place at least "
        f"{plural(result.placed_p50, 'piece')}, the worst one {result.placed_worst:,}. The range "
        "is the 95 % interval of the share.",
        "chart": {**order_chart(result), "caption": words},
    }


def _proof(best: Placement, plan: Plan, seconds: float) -> Reply:
    now = plan.portfolio.placement
    placed, hosts = len(best.seats) - len(now.seats), len(now.hosts_used) - len(best.hosts_used)
    better = placed > 0 or (placed == 0 and hosts > 0)
    if better:
        gain = f"{plural(placed, 'more piece')} placed" if placed > 0 else f"{hosts} fewer hosts"
        verdict = f"A better placement is found: {gain}."
    elif best.proven:
        verdict = (
            f"Proven: no placement has more than {plural(len(now.seats), 'piece')}, nor these on "
            f"fewer than {plural(len(now.hosts_used), 'host')}."
        )
    else:
        verdict = (
            f"Not proven: nothing better is found, and at least "
            f"{plural(best.bound_hosts, 'host')} are needed; {len(now.hosts_used)} are used."
        )
    return {
        "verdict": verdict,
        "tone": "warn" if better or not best.proven else "good",
        "heads": ["", "This placement", "The search", "Bound"],
        "rows": [
            ["Pieces placed", f"{len(now.seats):,}", f"{len(best.seats):,}", ""],
            [
                "Hosts in use",
                f"{len(now.hosts_used):,}",
                f"{len(best.hosts_used):,}",
                f"at least {best.bound_hosts:,}",
            ],
        ],
        "text": f"Searched for {seconds:.1f} s"
        + (", to the end." if best.proven else "; the search was ended before it was through."),
    }


def _seats_by_workload(portfolio: Portfolio) -> Counter[str]:
    """Pieces with a place; what runs in the nights alone is placed by itself."""
    day, night = portfolio.placement, portfolio.night
    by_day = Counter(day.pieces[seat.piece].workload for seat in day.seats)
    by_night = Counter(night.pieces[seat.piece].workload for seat in night.seats) if night else {}
    return Counter({**by_night, **by_day})


def _workload_words(row: FleetWorkload, found: SizedWorkload | None, placed: int) -> dict[str, str]:
    asked = _asked(row)
    if found is None:
        return {"text": asked, "tone": ""}
    if found.tool is None or found.reason:
        why = found.reason.removeprefix(f"{row.name}: ") or "no size will do"
        return {"text": f"{asked}: {why}", "tone": "bad"}
    wanted = len(found.pieces)
    size = found.tool.label.replace(" × ", "\u00a0×\u00a0")
    if placed < wanted:
        return {"text": f"{asked}: {size}; {placed:,} of {wanted:,} placed", "tone": "bad"}
    return {"text": f"{asked}: {size}", "tone": "good"}


def _asked(row: FleetWorkload) -> str:
    """What a row is and how much of it."""
    return {
        "serving": f"Serving {_short(row.requests_per_hour)} requests/h",
        "batch": f"Batch of {_short(row.requests)} requests",
        "training": f"Training on {_short(row.dataset_tokens)} tokens",
        "notebooks": f"Notebooks of {row.people:,} people",
    }[row.shape]


def _short(count: float) -> str:
    """As the page's own boxes show it."""
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if count >= size:
            return f"{count / size:.4g}{letter}"
    return format_number(count, 6)


def _host_words(row: HostGroup, catalogue: Catalogue) -> dict[str, str]:
    carved = CHOICES["portfolio.hosts.carving"][row.carving].partition(":")[0]
    known = catalogue.accelerators.get(row.gpu)
    gpu = known.name if known else row.gpu or "GPUs of this scenario's kind"
    return {"text": f"{plural(row.count, 'host')} of {row.gpus} × {gpu}; {carved}", "tone": ""}


def _bare(scenario: Scenario) -> Scenario:
    """Without the words, on which no answer depends."""
    return scenario.model_copy(update=dict.fromkeys(WORDS, ""))
