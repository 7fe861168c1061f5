"""Place pieces one after another, as they are powered on: nothing that runs is moved."""

from __future__ import annotations

from planner.placement._fleet_state import FleetState
from planner.placement._host_states import HostStates
from planner.placement.limits import refusing_limit
from planner.placement.policies import score_of
from planner.placement.question import question
from planner.placement.records import Fleet, Piece, Placement, Seat


def place(
    fleet: Fleet,
    pieces: tuple[Piece, ...],
    policy: str = "best fit",
    running: tuple[Seat, ...] = (),
) -> Placement:
    """Place pieces in the given order, each where the policy likes it best.

    Of all hosts that have room, and all ways to use their GPUs, the one with the smallest score
    is taken; of equal ones the first host. A piece that finds no room is left out, with the
    limit that refused it, and the next one is tried.

    Parameters
    ----------
    fleet : Fleet
    pieces : tuple of Piece
        In the order in which they are powered on.
    policy : str
        One of :data:`planner.placement.POLICIES`.
    running : tuple of Seat
        Pieces that already run; they stay where they are.

    Returns
    -------
    Placement

    Source: online vector bin packing; see :func:`planner.placement.policies.score_of`.

    >>> from planner.catalogue import SliceProfile
    >>> from planner.placement import Ask, Geometry, Host
    >>> half = SliceProfile("half", "share", 40e9, 1, (0, 1), 1, 2)
    >>> whole = SliceProfile("whole", "whole", 80e9, 2, (0,), 2, 2)
    >>> gpu = Geometry("gpu/halves", "gpu", "time slices", 2, (half, whole))
    >>> fleet = Fleet((Host("a", gpu, 1, 8, 64e9), Host("b", gpu, 1, 8, 64e9)))
    >>> small = [Piece(f"s/{i}", "s", (Ask("gpu/halves", "half"),)) for i in (1, 2)]
    >>> large = Piece("l/1", "l", (Ask("gpu/halves", "whole"),))
    >>> [len(place(fleet, (*small, large), p).seats) for p in ("spread", "group")]
    [2, 3]
    """
    asked = question(fleet, pieces, pinned=True)
    state = FleetState(HostStates(asked, score_of(policy, asked)))
    fixed = {seat.piece: seat for seat in running}
    state.occupy(fixed)
    seats: list[Seat] = list(running)
    refusals: list[tuple[int, str]] = []
    refused: dict[int, str] = {}  # by kind, since a piece was last placed: nothing has changed
    for i, number in enumerate(asked.kind_of):
        if i in fixed:
            continue
        found = None if number in refused else state.best(number)
        if found is None:
            if number not in refused:
                refused[number] = refusing_limit(state, number)
            refusals.append((i, refused[number]))
            continue
        refused.clear()
        host, option = found
        seats.append(state.seat(i, host, state.hosts[host], option))
        state.put(host, number, option)
    return Placement(fleet, pieces, tuple(seats), policy, refusals=tuple(refusals))
