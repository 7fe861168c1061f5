"""The best placement there is, with its proof, or the best one found in time and how far it is."""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import dataclass, replace

from planner.errors import InvalidScenario
from planner.placement.bounds import fewest_hosts
from planner.placement.formulation import Formulation, formulate
from planner.placement.placing import place
from planner.placement.planning import plan_placement
from planner.placement.program import Answer
from planner.placement.question import question
from planner.placement.records import Fleet, Piece, Placement
from planner.placement.seating import seats_of

STEP_SHARE = 0.5
"""Share of the time left that one step of the search may take [fraction]."""
TIDY_SHARE = 0.05
"""Share of the time limit for what needs no proof: the least stranded memory, and a search where
the plan by rules is proven already [fraction]."""

GPU_TRIFLE = 1e-3
"""What a GPU in use weighs beside a GPU's memory that is lost for good [1]."""


def exact_placement(
    fleet: Fleet, pieces: tuple[Piece, ...], time_limit_s: float = 10.0
) -> Placement:
    """Place as :func:`planner.placement.plan_placement` wants it, and prove that none is better.

    One goal after another, each with all earlier ones held:

    .. math:: \\max |assured| \\to \\max \\sum_k x_k \\to \\min \\sum_h u_h \\to \\min stranded

    Removing a workload never costs an assured one its place, and here that holds without
    exception. Let P be a placement of the first n workloads, the longest beginning that fits.
    Take workload w away and leave its seats in P empty. Every limit is a largest sum of what is
    there (slots, compute, GPUs, cores, memory, watts, licences), or forbids that two pieces meet,
    or wants that some meet on one host: what held with more pieces holds with fewer. So what is
    left of P still places all others of the first n; the longest beginning of the smaller
    portfolio has them all, and the first goal, being proven, cannot stop before it.

    Parameters
    ----------
    fleet : Fleet
    pieces : tuple of Piece
        In order of priority by workload.
    time_limit_s : float [s]
        Of the solver. When it ends first, the better of its best answer and of the plan by rules
        is returned, with ``proven`` false and the bound that was reached.

    Returns
    -------
    Placement
        ``proven`` when no placement assures more workloads, nor as many with more pieces placed,
        nor as many pieces on fewer hosts; least stranded memory is sought without proof.

    Notes
    -----
    Portfolios of up to 40 workloads on 8 hosts take tenths of a second, and a few take seconds.
    Where nearly all cores, memory and GPUs must be used at once (99 of 100 of each), the proof may
    take longer than the usual limit.

    Source: :func:`planner.placement.formulation.formulate`, solved by HiGHS one goal at a time.

    >>> from planner.catalogue import SliceProfile
    >>> from planner.placement import Ask, Geometry, Host
    >>> half = SliceProfile("half", "share", 40e9, 1, (0, 1), 1, 2)
    >>> whole = SliceProfile("whole", "whole", 80e9, 2, (0,), 2, 2)
    >>> gpu = Geometry("gpu/halves", "gpu", "time slices", 2, (half, whole))
    >>> fleet = Fleet(tuple(Host(name, gpu, 2, 8, 64e9) for name in "abc"))
    >>> chat = [Piece(f"chat/{i}", "chat", (Ask("gpu/halves", "half"),)) for i in (1, 2, 3)]
    >>> plan = exact_placement(fleet, tuple(chat))
    >>> sorted(plan.assured), len(plan.hosts_used), plan.proven
    (['chat'], 1, True)
    """
    if not time_limit_s > 0:
        raise InvalidScenario(
            f"time_limit_s is {time_limit_s} but should be above 0; give the seconds that the "
            "solver may take.",
            "time_limit_s",
        )
    ruled = plan_placement(fleet, pieces)
    if not pieces or not fleet.hosts:
        return replace(ruled, method="exact", proven=True)
    tidy_s = time_limit_s * TIDY_SHARE
    search = _Search.of(fleet, pieces, 4 * tidy_s if ruled.proven else time_limit_s)
    search.run(tidy_s)
    found = search.placement()
    best = ruled if found is None or _worth(ruled) > _worth(found) else found
    whole = not best.refusals
    bound = search.bound_hosts if whole or search.most_proven else 0
    if whole:
        least = fewest_hosts(search.formulation.asked, range(len(pieces)))
        bound = max(bound, search.bound_all, least)
    proven = (whole or search.most_proven) and len(best.hosts_used) <= bound
    return replace(best, method="exact", proven=proven, bound_hosts=bound)


def _worth(placement: Placement) -> tuple[int, int, int]:
    return len(placement.assured), len(placement.seats), -len(placement.hosts_used)


@dataclass(slots=True)
class _Search:
    """The goals in turn, and the best that is known so far."""

    formulation: Formulation
    workloads: tuple[str, ...]
    """In order of priority."""
    assured: tuple[int, ...]
    """For each workload, the variable that is 1 when it and all before it are placed."""
    deadline_s: float
    """On the monotonic clock [s]."""
    values: tuple[int, ...] | None = None
    most_proven: bool = False
    """No placement assures more workloads, nor as many with more pieces placed."""
    bound_hosts: int = 0
    """Fewest hosts on which the pieces of ``values`` can be placed, or as many others [1]."""
    bound_all: int = 0
    """Fewest hosts on which all pieces can be placed [1]."""

    @classmethod
    def of(cls, fleet: Fleet, pieces: tuple[Piece, ...], time_limit_s: float) -> _Search:
        formulation = formulate(question(fleet, pieces, pinned=False))
        program, kind_of = formulation.program, formulation.asked.kind_of
        names = tuple(dict.fromkeys(piece.workload for piece in pieces))
        assured = tuple(program.variable(1) for _ in names)
        for before, after in zip(assured, assured[1:], strict=False):
            program.require({before: 1.0, after: -1.0}, least=0.0)
        by_kind: list[Counter[int]] = [Counter() for _ in formulation.placed]
        flag = dict(zip(names, assured, strict=True))
        for piece, kind in zip(pieces, kind_of, strict=True):
            by_kind[kind][flag[piece.workload]] -= 1
        for placed, needs in zip(formulation.placed, by_kind, strict=True):
            program.require({placed: 1.0, **needs}, least=0.0)
        return cls(formulation, names, assured, time.monotonic() + time_limit_s)

    def run(self, tidy_s: float) -> None:
        """Step by step; a goal that is reached becomes a row for those that follow."""
        program = self.formulation.program
        hosts = {part.used: 1.0 for part in self.formulation.hosts}
        program.require({self.assured[-1]: 1.0}, least=1.0)
        fewest = self.step(hosts)
        if fewest.values is None:
            program.rows.pop()
            if not fewest.proven and math.isfinite(fewest.bound):
                self.bound_all = int(fewest.bound)
            self.most_proven = self.reach(self.assured) and self.reach(self.formulation.placed)
            fewest = self.step(hosts)
        if fewest.values is None or not math.isfinite(fewest.bound):
            return
        self.bound_hosts = int(fewest.bound)
        program.require(hosts, most=float(sum(self.values[v] for v in hosts)))
        self.step(self.stranded(), min(tidy_s, self.left_s), gap=GPU_TRIFLE / 2)

    def reach(self, goal: tuple[int, ...]) -> bool:
        """As many as can be of a goal's variables, and whether that is proven."""
        best = self.step(dict.fromkeys(goal, -1.0))
        if best.values is None:
            return False
        reached = float(sum(best.values[v] for v in goal))
        self.formulation.program.require(dict.fromkeys(goal, 1.0), least=reached)
        return best.proven

    @property
    def left_s(self) -> float:
        """Seconds left [s]."""
        return self.deadline_s - time.monotonic()

    def step(
        self, objective: dict[int, float], limit_s: float | None = None, gap: float = 0.99
    ) -> Answer:
        limit_s = self.left_s * STEP_SHARE if limit_s is None else limit_s
        answer = self.formulation.program.best(objective, limit_s, gap)
        if answer.values is not None:
            self.values = answer.values
        return answer

    def stranded(self) -> dict[int, float]:
        """Memory that each carved GPU loses for good, in GPUs, and a trifle for each in use."""
        asked = self.formulation.asked
        largest = max(host.geometry.whole.memory_bytes for host in asked.fleet.hosts)
        found: dict[int, float] = {}
        for c, part in zip(asked.class_of, self.formulation.hosts, strict=True):
            states = asked.classes[c].states
            slot = states.geometry.whole.memory_bytes / states.geometry.slots / largest
            for n, pattern in enumerate(part.patterns):
                slices = [(start, states.index[name]) for name, start in pattern]
                lost = states.stranded[states.holding(slices)] * slot
                found |= {row[n]: lost + GPU_TRIFLE for row in part.carved}
        return found

    def placement(self) -> Placement | None:
        """The best that is known, with seats."""
        if self.values is None:
            return None
        asked = self.formulation.asked
        rank = {name: i for i, name in enumerate(self.workloads)}
        pieces = asked.pieces
        order = sorted(range(len(pieces)), key=lambda i: (rank[pieces[i].workload], i))
        seats = seats_of(self.formulation, self.values, order)
        # Who has no seat is refused by the limits that bind beside all who have one.
        full = place(asked.fleet, pieces, running=seats)
        out = {pieces[i].workload for i, _ in full.refusals}
        first = next((rank[name] for name in self.workloads if name in out), len(rank))
        return replace(
            full,
            assured=frozenset(self.workloads[:first]),
        )
