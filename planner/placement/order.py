"""The same pieces in other orders: placement is online, and who comes first decides."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from planner.errors import InvalidScenario
from planner.placement._fleet_state import FleetState
from planner.placement._host_states import HostStates
from planner.placement.policies import score_of
from planner.placement.question import question
from planner.placement.records import Fleet, Piece

_REPORTS = 100
_MOST_STATES = 300_000
"""States of hosts that are remembered between runs; some 300 MB."""


@dataclass(frozen=True)
class OrderResult:
    """What came of many power-on orders."""

    runs: int
    """Orders tried [1]."""
    all_fit: int
    """Orders in which every piece found a place [1]."""
    share: float
    """Share of orders in which all fit [fraction]."""
    share_low: float
    """Lower end of its 95 % interval [fraction]."""
    share_high: float
    """Upper end of its 95 % interval [fraction]."""
    failures: tuple[tuple[str, int], ...]
    """Workloads that lost a piece, and in how many orders; most often first."""
    placed_p50: int
    """Pieces that half of the orders place at least [1]."""
    placed_p90: int
    """Pieces that nine of ten orders place at least [1]."""
    placed_worst: int
    """Pieces that the worst order places [1]."""
    failing_order: tuple[int, ...]
    """Indices of the pieces in the worst order; empty when all fit in every order."""


def power_on_orders(
    fleet: Fleet,
    pieces: tuple[Piece, ...],
    policy: str = "best fit",
    runs: int = 1000,
    seed: int = 0,
    progress: Callable[[int, int], bool | None] | None = None,
) -> OrderResult:
    """Place the pieces in many random orders, and count how often all fit.

    .. math:: \\hat p = k / n

    for ``k`` of ``n`` orders in which nothing is refused, with its Wilson interval. Every order
    of the pieces is equally likely.

    Parameters
    ----------
    fleet : Fleet
    pieces : tuple of Piece
    policy : str
        One of :data:`planner.placement.POLICIES`.
    runs : int [1]
        Orders to try.
    seed : int [1]
        Equal seeds draw equal orders.
    progress : callable, optional
        Told how many runs are done, and of how many; returns ``False`` to stop early.

    Returns
    -------
    OrderResult
        Of the runs that were done.

    Source: Monte Carlo over permutations; see :func:`wilson_interval`.

    >>> from planner.catalogue import SliceProfile
    >>> from planner.placement import Ask, Geometry, Host
    >>> half = SliceProfile("half", "share", 40e9, 1, (0, 1), 1, 2)
    >>> whole = SliceProfile("whole", "whole", 80e9, 2, (0,), 2, 2)
    >>> gpu = Geometry("gpu/halves", "gpu", "time slices", 2, (half, whole))
    >>> fleet = Fleet((Host("a", gpu, 1, 8, 64e9), Host("b", gpu, 1, 8, 64e9)))
    >>> asks = ["half", "half", "whole"]
    >>> pieces = tuple(Piece(f"{i}", f"{i}", (Ask(gpu.id, p),)) for i, p in enumerate(asks))
    >>> result = power_on_orders(fleet, pieces, "group", runs=50)
    >>> result.all_fit, result.placed_worst
    (50, 3)
    """
    if runs < 1:
        raise InvalidScenario(f"runs is {runs} but should be at least 1; ask for 1,000.", "runs")
    asked = question(fleet, pieces, pinned=True)
    random = np.random.default_rng(seed)
    book = HostStates(asked, score_of(policy, asked))
    lost_by_run: list[int] = []
    failures: Counter[str] = Counter()
    worst: tuple[int, tuple[int, ...]] = (0, ())
    every = max(runs // _REPORTS, 1)
    for run in range(1, runs + 1):
        order = [int(i) for i in random.permutation(len(pieces))]
        lost = _lost(book, order)
        lost_by_run.append(len(lost))
        failures.update({pieces[i].workload for i in lost})
        if len(lost) > worst[0]:
            worst = len(lost), tuple(order)
        if book.count > _MOST_STATES:
            book = HostStates(asked, score_of(policy, asked))
        if progress and (run % every == 0 or run == runs) and progress(run, runs) is False:
            break
    return _result(len(pieces), lost_by_run, failures, worst[1])


def _lost(book: HostStates, order: list[int]) -> list[int]:
    """Pieces without a place when they come in this order."""
    state, kind_of, lost = FleetState(book), book.asked.kind_of, []
    for i in order:
        found = state.best(kind_of[i])
        if found is None:
            lost.append(i)
        else:
            state.put(found[0], kind_of[i], found[1])
    return lost


def _result(
    pieces: int, lost_by_run: list[int], failures: Counter[str], worst: tuple[int, ...]
) -> OrderResult:
    runs, fit = len(lost_by_run), lost_by_run.count(0)
    placed = sorted((pieces - lost for lost in lost_by_run), reverse=True)
    low, high = wilson_interval(fit, runs)
    return OrderResult(
        runs=runs,
        all_fit=fit,
        share=fit / runs,
        share_low=low,
        share_high=high,
        failures=tuple(failures.most_common()),
        placed_p50=placed[math.ceil(0.5 * runs) - 1],
        placed_p90=placed[math.ceil(0.9 * runs) - 1],
        placed_worst=placed[-1],
        failing_order=worst,
    )


def wilson_interval(hits: int, runs: int, confidence: float = 0.95) -> tuple[float, float]:
    """Range of a probability that was seen ``hits`` times in ``runs``.

    .. math:: \\frac{\\hat p + z^2/2n \\pm z \\sqrt{\\hat p (1 - \\hat p)/n + z^2/4n^2}}{1 + z^2/n}

    Parameters
    ----------
    hits, runs : int [1]
    confidence : float [fraction]

    Returns
    -------
    tuple of float [fraction]
        From 0 to 1 without any run.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    Journal of the American Statistical Association 22 (1927).

    >>> [round(end, 4) for end in wilson_interval(81, 263)]
    [0.2553, 0.3662]
    """
    if not runs:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2.0)
    share, spread = hits / runs, z * z / runs
    middle = (share + spread / 2.0) / (1.0 + spread)
    half = math.sqrt(share * (1.0 - share) * spread + spread * spread / 4.0) / (1.0 + spread)
    # The ends are exact where nothing or everything was seen.
    low = 0.0 if hits == 0 else middle - half
    return low, 1.0 if hits == runs else middle + half
