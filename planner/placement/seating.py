"""From numbers to seats: which piece of a kind goes where, and on which GPUs and slots."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence

from planner.placement.formulation import Formulation, HostPart, Region
from planner.placement.records import Seat

Seated = tuple[int, Region, str, int]
"""A piece, the cells it may use, its profile and its number of GPUs."""


def seats_of(
    formulation: Formulation, values: Sequence[int], order: Iterable[int]
) -> tuple[Seat, ...]:
    """Seats for a solution of the program.

    .. math:: \\sum_{r \\subseteq R} x_r \\le \\sum_{cell \\in R} n_{cell}

    for each region R of a host, with regions nested: those who must choose within a small region
    choose first, so all find what they were counted for.

    Parameters
    ----------
    formulation : Formulation
    values : sequence of int [1]
        Of each variable.
    order : iterable of int [1]
        Pieces, those first that shall be seated when not all of a kind are.

    Returns
    -------
    tuple of Seat
        Where each placed piece sits [1].

    Source: P. Hall, "On representatives of subsets" (1935).

    >>> from planner.placement import Fleet
    >>> from planner.placement.formulation import formulate
    >>> from planner.placement.question import question
    >>> seats_of(formulate(question(Fleet(()), (), False)), (), ())
    ()
    """
    asked = formulation.asked
    waiting: dict[int, deque[int]] = defaultdict(deque)
    for piece in order:
        waiting[asked.kind_of[piece]].append(piece)
    seats: list[Seat] = []
    for number, part in enumerate(formulation.hosts):
        geometry = asked.classes[asked.class_of[number]].states.geometry.id
        here: list[Seated] = []
        for (kind, region), v in part.pieces.items():
            ask = next(ask for ask in asked.kinds[kind].asks if ask[0] == geometry)
            here += [(waiting[kind].popleft(), region, *ask[1:]) for _ in range(values[v])]
        # Small regions first, then large groups.
        here.sort(key=lambda one: (len(one[1]), -one[3], one[0]))
        seats += _on_host(number, part, values, here)
    return tuple(sorted(seats, key=lambda seat: seat.piece))


def _on_host(
    number: int, part: HostPart, values: Sequence[int], here: list[Seated]
) -> Iterable[Seat]:
    free = [list(gpus) for gpus in part.cells]
    drawn: dict[Region, list[int]] = defaultdict(list)
    slices: list[Seated] = []
    for piece, region, profile, gpus in here:
        if profile != "whole" and gpus == 1:
            slices.append((piece, region, profile, gpus))
            continue
        pool = free[region[0]] if len(region) == 1 else drawn[region]
        if len(region) > 1 and not pool:
            for cell in region:
                share = values[part.spread[region, cell]]
                pool += free[cell][:share]
                del free[cell][:share]
        yield Seat(piece, number, tuple(sorted(pool[:gpus])), profile)
        del pool[:gpus]
    openings = _openings(part, values, free)
    for piece, region, profile, _ in slices:
        cell = next(cell for cell in region if openings[cell][profile])
        gpu, start = openings[cell][profile].popleft()
        yield Seat(piece, number, (gpu,), profile, start)


def _openings(
    part: HostPart, values: Sequence[int], free: list[list[int]]
) -> list[dict[str, deque[tuple[int, int]]]]:
    """By cell and profile, the GPUs and slots at which the carved GPUs have a slice."""
    found = []
    for row, gpus in zip(part.carved, free, strict=True):
        rest, openings = iter(gpus), defaultdict(deque)
        for v, pattern in zip(row, part.patterns, strict=True):
            for _ in range(values[v]):
                gpu = next(rest)
                for profile, start in pattern:
                    openings[profile].append((gpu, start))
        found.append(openings)
    return found
