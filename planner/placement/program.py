"""An integer program, and its solution by HiGHS."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

_INTEGRAL = 1e-6
"""How far from a whole number a bound may be by rounding."""
_SLACK = 1e-9
"""Share of its largest factor by which a row may be missed by rounding."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the solver knows when it stops."""

    values: tuple[int, ...] | None
    """Of each variable; ``None`` when no solution is known."""
    bound: float
    """No solution is better than this [1]; whole numbers only, as all objectives here are."""
    proven: bool
    """The best there is, or, without values, that there is none."""


@dataclass(slots=True)
class Program:
    """Whole variables from zero to a limit, and rows that bound sums of them."""

    upper: list[int] = field(default_factory=list)
    """Largest value of each variable."""
    rows: list[tuple[dict[int, float], float, float]] = field(default_factory=list)
    """Factors by variable, the least and the most of their sum."""

    def variable(self, upper: int) -> int:
        """A new whole variable.

        Parameters
        ----------
        upper : int [1]

        Returns
        -------
        int [1]
            Its number.
        """
        self.upper.append(upper)
        return len(self.upper) - 1

    def require(
        self, terms: Mapping[int, float], least: float = -math.inf, most: float = math.inf
    ) -> None:
        """A new row, scaled so that its largest factor is one.

        Parameters
        ----------
        terms : mapping of int to float [1]
            Factors by the variable's number.
        least, most : float [1]

        Returns
        -------
        None
            Nothing, with a row more [1].
        """
        largest = max((abs(factor) for factor in terms.values()), default=0.0)
        if largest:
            scaled = {v: factor / largest for v, factor in terms.items() if factor}
            self.rows.append((scaled, least / largest, most / largest))

    def best(
        self, objective: Mapping[int, float], time_limit_s: float, gap: float = 0.99
    ) -> Answer:
        """The solution with the smallest objective.

        .. math:: \\min c^T x, \\quad l \\le A x \\le u, \\quad x \\in \\mathbb{Z}_{\\ge 0}^n

        Parameters
        ----------
        objective : mapping of int to float [1]
            Factors by the variable's number.
        time_limit_s : float [s]
        gap : float [1]
            Solutions nearer to the bound than this count as best; below one for whole objectives.

        Returns
        -------
        Answer

        Source: Q. Huangfu and J. A. J. Hall, "Parallelizing the dual revised simplex method"
        (2018), for HiGHS; one thread and a fixed seed, so that equal questions get equal answers.
        """
        solver = _solver(self, objective)
        solver.setOptionValue("time_limit", max(time_limit_s, 0.01))
        solver.setOptionValue("mip_abs_gap", gap)
        solver.run()
        return _answer(self, solver)

    def holds(self, values: Sequence[int]) -> bool:
        """Whether whole numbers keep every row; the solver itself rounds.

        Parameters
        ----------
        values : sequence of int [1]

        Returns
        -------
        bool
            [1]
        """
        for terms, least, most in self.rows:
            total = math.fsum(factor * values[v] for v, factor in terms.items())
            if not least - _SLACK <= total <= most + _SLACK:
                return False
        return True


def _solver(program: Program, objective: Mapping[int, float]) -> Any:
    # Imported here, so that those who only plan by rules do not wait for the solver.
    import highspy

    solver = highspy.Highs()
    solver.silent()
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("random_seed", 0)
    solver.setOptionValue("mip_rel_gap", 0.0)
    # Tight portfolios want a solution more than a bound: four times the usual search for one.
    solver.setOptionValue("mip_heuristic_effort", 0.2)
    solver.passModel(_linear_program(highspy, program, objective))
    return solver


def _linear_program(highspy: Any, program: Program, objective: Mapping[int, float]) -> Any:
    n, rows = len(program.upper), program.rows
    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = n, len(rows)
    costs = np.zeros(n)
    costs[list(objective)] = list(objective.values())
    lp.col_cost_ = costs
    lp.col_lower_, lp.col_upper_ = np.zeros(n), np.array(program.upper, dtype=float)
    lp.row_lower_ = np.array([least for _, least, _ in rows])
    lp.row_upper_ = np.array([most for _, _, most in rows])
    lp.integrality_ = [highspy.HighsVarType.kInteger] * n
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = np.cumsum([0] + [len(terms) for terms, _, _ in rows], dtype=np.int32)
    lp.a_matrix_.index_ = np.array([v for terms, _, _ in rows for v in terms], dtype=np.int32)
    lp.a_matrix_.value_ = np.array([f for terms, _, _ in rows for f in terms.values()])
    return lp


def _answer(program: Program, solver: Any) -> Answer:
    import highspy

    status, info = solver.getModelStatus(), solver.getInfo()
    if status == highspy.HighsModelStatus.kInfeasible:
        return Answer(None, math.inf, True)
    values = None
    if info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible:
        values = tuple(round(value) for value in solver.getSolution().col_value)
        values = values if program.holds(values) else None
    proven = status == highspy.HighsModelStatus.kOptimal and values is not None
    bound = info.mip_dual_bound
    return Answer(values, math.ceil(bound - _INTEGRAL) if math.isfinite(bound) else bound, proven)
