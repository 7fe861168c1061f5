"""Why a workload cannot be placed, and the smallest change that would help."""

from __future__ import annotations

from dataclasses import dataclass

from planner.errors import NoFeasiblePlan
from planner.placement.planning import fits
from planner.placement.policies import POLICIES
from planner.placement.records import Placement
from planner.placement.remedies import remedies

WORDS = {
    "GPU kind": "no host has a GPU that it can use",
    "NVLink domain": "no NVLink domain has as many free GPUs as it needs in one group",
    "anti-affinity": "it may not share a host with what runs on those that have room",
    "affinity": "the host of the pieces that it must run beside has no room",
    "GPU slots": "no GPU has a free slice of its size",
    "one size per GPU": "the GPUs with enough free memory are bound to slices of another size",
    "whole GPUs": "no host has as many empty GPUs as it needs",
    "CPU cores": "the hosts with room on their GPUs have too few processor cores left",
    "host memory": "the hosts with room on their GPUs have too little memory left",
    "NUMA node": "no NUMA node has its cores, memory and GPU free together",
    "rack power": "the racks with room have no power left",
    "licences": "no licence for one more carved GPU is left",
}
"""What each of :data:`planner.placement.limits.LIMITS` means."""

_ANEW = "It fits when all are placed anew together instead of in their order of power-on."
_NOTHING = "None of the changes that were tried is enough; ask for less, or for other hosts."


@dataclass(frozen=True, slots=True)
class Refusal:
    """The first workload without a place, what binds, and what would help."""

    workload: str
    piece: int
    """Index of its first piece without a seat [1]."""
    constraint: str
    """One of :data:`planner.placement.limits.LIMITS`."""
    sentence: str
    remedy: str
    """The smallest change that was tried and works; says so when none does."""


def first_refusal(placement: Placement) -> Refusal | None:
    """The most important workload that is not placed in full, why, and what would help.

    The remedy is found by trying: each change of :func:`planner.placement.remedies.remedies`,
    smallest first, until the workload and all that come before it can be placed.

    Parameters
    ----------
    placement : Placement

    Returns
    -------
    Refusal
        ``None`` when every piece has a seat.

    Source: our own method; no publication.

    >>> from planner.placement import Fleet, Piece
    >>> from planner.placement.planning import plan_placement
    >>> refusal = first_refusal(plan_placement(Fleet(()), (Piece("chat/1", "chat", ()),)))
    >>> refusal.sentence
    'chat cannot be placed in full: no host has a GPU that it can use.'
    """
    if not placement.refusals:
        return None
    piece, limit = min(placement.refusals)
    workload = placement.pieces[piece].workload
    own = [i for i, one in enumerate(placement.pieces) if one.workload == workload]
    placed = sum(i in placement.seat_of for i in own)
    so_far = f" ({placed} of its {len(own)} pieces are)" if placed else ""
    remedy, relaxed = _remedy(placement, workload, limit)
    # What helps by itself is what binds, whatever the host nearest to a fit was short of.
    limit = relaxed or limit
    sentence = f"{workload} cannot be placed in full{so_far}: {WORDS.get(limit, limit)}."
    return Refusal(workload, piece, limit, sentence, remedy)


def _remedy(placement: Placement, workload: str, limit: str) -> tuple[str, str]:
    pieces = placement.pieces
    last = max(i for i, one in enumerate(pieces) if one.workload == workload)
    wanted = pieces[: last + 1]
    if placement.method in POLICIES and fits(placement.fleet, wanted):
        return _ANEW, ""
    for change in remedies(placement.fleet, wanted, workload, limit):
        if fits(change.fleet, change.pieces):
            return change.sentence, change.limit
    return _NOTHING, ""


def require_placed(placement: Placement) -> None:
    """Raise where a workload has no place.

    Parameters
    ----------
    placement : Placement

    Returns
    -------
    None
        Nothing [1], where every piece has a seat.

    Source: :func:`first_refusal`.

    >>> from planner.placement import Fleet
    >>> require_placed(Placement(Fleet(()), (), (), "best fit"))
    """
    refusal = first_refusal(placement)
    if refusal is not None:
        raise NoFeasiblePlan(
            f"{refusal.sentence} {refusal.remedy}", refusal.constraint, remedy=refusal.remedy
        )
