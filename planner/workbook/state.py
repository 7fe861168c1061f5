"""The one state of a dashboard: the scenario, its plan and the last error. No widgets here.

Data flows one way: a change makes a new scenario, the scenario a new plan, and
whoever observes ``plan`` draws. What goes wrong leaves the last good plan in
place and its sentence in ``error``, in one of two ways:

- A change that makes no valid scenario is not taken: ``scenario`` stays the last
  valid one (the page keeps what was typed beside the sentence), and the plan is
  still its answer unless ``stale`` says otherwise.
- A valid scenario that has no plan is taken, so that a second change can mend it:
  ``scenario`` is the new one, ``plan`` an earlier one's, and ``stale`` is true.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from traitlets import Any, Bool, HasTraits, Unicode

from planner.catalogue import Catalogue
from planner.errors import PlannerError
from planner.plan import Plan, evaluate
from planner.scenario import Scalar, Scenario

HISTORY = 200
"""Scenarios kept for undo."""
BUG = "Something went wrong in the workbook itself; the last good plan stays on screen."


class WorkbookState(HasTraits):
    """Scenario, plan and last error, with undo, redo and reset.

    >>> from planner.catalogue import load_catalogue
    >>> state = WorkbookState(load_catalogue())
    >>> state.change("workload.concurrent_sequences", 64)
    True
    >>> state.change("workload.concurrent_sequences", -1), state.error
    (False, 'workload.concurrent_sequences is -1; it must be at least 1.')
    >>> state.undo(); state.scenario.workload.concurrent_sequences
    16
    """

    scenario = Any(help="The scenario shown by the controls.")
    plan = Any(help="The plan of the last scenario that could be answered.")
    error = Unicode("", help="One sentence, or empty.")
    error_path = Unicode("", help="The field at fault, or empty.")
    stale = Bool(False, help="The plan on screen is not the answer to the scenario shown.")

    def __init__(
        self,
        catalogue: Catalogue,
        scenario: Scenario | None = None,
        needs: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.catalogue = catalogue
        self.needs = tuple(needs)
        """Parts of a plan that are computed only when asked for, and that the page shows."""
        self.first = scenario or Scenario()
        self.scenario = self.first
        self._past: list[Scenario] = []
        self._future: list[Scenario] = []
        self._dragged = ""
        if not self._answer(self.first):
            # There is always a last good plan: the default scenario's, until this one is mended.
            self.plan = self._evaluate(Scenario())

    @property
    def can_undo(self) -> bool:
        """Whether there is an earlier scenario."""
        return bool(self._past)

    @property
    def can_redo(self) -> bool:
        """Whether an undone scenario can come back."""
        return bool(self._future)

    def change(self, path: str, value: Scalar, *, dragging: bool = False) -> bool:
        """Set one field.

        Parameters
        ----------
        path : str
            Dotted path of a scenario field.
        value : scalar
        dragging : bool
            This change goes on from the last one: if that was of the same field, both are one
            step of undo.

        Returns
        -------
        bool
            Whether a new plan could be made.
        """
        return self.edit(path, lambda: self.scenario.changed({path: value}), dragging)

    def edit(self, path: str, make: Callable[[], Scenario], dragging: bool = False) -> bool:
        """Take a scenario that differs in one field, or in one cell of a table.

        Parameters
        ----------
        path : str
            What the page calls it.
        make : callable
            Returns the scenario, or raises a :class:`~planner.errors.PlannerError`.
        dragging : bool
            As in :meth:`change`.

        Returns
        -------
        bool
            Whether a new plan could be made.
        """
        before = self.scenario
        same_drag = dragging and self._dragged == path
        done = self.replace(make, keep_history=not same_drag)
        # A change that was refused, or that changed nothing, took no step to go on from.
        if same_drag or self.scenario is not before:
            self._dragged = path
        return done

    def replace(self, make: Callable[[], Scenario], *, keep_history: bool = True) -> bool:
        """Take a whole new scenario: an upload, a link, a change.

        Parameters
        ----------
        make : callable
            Returns the scenario, or raises a :class:`~planner.errors.PlannerError`.
        keep_history : bool
            Whether the present scenario becomes a step of undo.

        Returns
        -------
        bool
            Whether a new plan could be made; if the scenario itself is not valid it is not
            taken either.
        """
        try:
            scenario = make()
        except PlannerError as error:
            self._fail(error)
            return False
        if scenario == self.scenario:
            self.error, self.error_path = "", ""
            return self._answer(scenario) if self.stale else True
        if keep_history:
            self._past = [*self._past[-HISTORY + 1 :], self.scenario]
            self._dragged = ""
        self._future = []
        return self._answer(scenario)

    def undo(self) -> None:
        """Go back one step; does nothing at the beginning."""
        self._step(self._past, self._future)

    def redo(self) -> None:
        """Take back an undo; does nothing at the end."""
        self._step(self._future, self._past)

    def reset(self) -> None:
        """Return to the scenario that the dashboard opened with; can be undone."""
        self.replace(lambda: self.first)

    def open(self, scenario: Scenario) -> None:
        """Start over from this scenario, which reset will return to.

        Parameters
        ----------
        scenario : Scenario
        """
        self.first = scenario
        self._past, self._future, self._dragged = [], [], ""
        self._answer(scenario)

    def _step(self, source: list[Scenario], target: list[Scenario]) -> None:
        if source:
            target.append(self.scenario)
            self._dragged = ""
            self._answer(source.pop())

    def _answer(self, scenario: Scenario) -> bool:
        """Show ``scenario``; replace the plan only if it can be answered."""
        with self.hold_trait_notifications():
            self.scenario = scenario
            try:
                plan = self._evaluate(scenario)
            except PlannerError as error:
                self._fail(error)
                self.stale = True
                return False
            except Exception:
                logging.getLogger(__name__).exception("evaluation failed")
                self.error, self.error_path, self.stale = BUG, "", True
                return False
            self.plan, self.error, self.error_path, self.stale = plan, "", "", False
            return True

    def _evaluate(self, scenario: Scenario) -> Plan:
        """The plan with what the page needs of it, so that every failure is met here."""
        plan = evaluate(scenario, self.catalogue)
        for part in self.needs:
            getattr(plan, part)
        return plan

    def _fail(self, error: PlannerError) -> None:
        # The path first: who observes the error finds the field at fault in place.
        self.error_path, self.error = getattr(error, "field", ""), str(error)
