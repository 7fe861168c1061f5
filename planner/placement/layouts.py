"""Every way in which one GPU can be filled, counted by profile."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from planner.placement.carving import free_slots
from planner.placement.records import Geometry

Counts = tuple[int, ...]
"""Slices by profile, in the order of the geometry's profiles."""


@lru_cache(maxsize=256)
def layouts(geometry: Geometry) -> tuple[Counts, ...]:
    r"""The maximal layouts of one GPU: no slice can be added to any of them.

    .. math:: L(e) = \max\left( L(e - 1) \cup
       \{\, \ell + 1_p :\ \ell \in L(e - n_p),\ e - n_p \in S_p \,\} \right)

    over the slots in turn, where slices that end at slot e join the layouts of what lies below
    them. Which slots the slices take does not matter to a plan, so layouts are counts.

    Parameters
    ----------
    geometry : Geometry

    Returns
    -------
    tuple of tuple of int [1]
        Slices by profile in the geometry's order; the last is the GPU given whole. Most slices
        first.

    Source: the definition; the starts are the catalogue's.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.placement.geometry import geometry
    >>> for counts in layouts(geometry(load_catalogue(), "a30-24gb", "mig")):
    ...     print(counts)
    (4, 0, 0, 0)
    (2, 1, 0, 0)
    (0, 2, 0, 0)
    (0, 0, 1, 0)
    (0, 0, 0, 1)
    """
    cuts = geometry.profiles[:-1]
    if geometry.same_size:
        room = free_slots(geometry, ())
        found = np.diag([room[one.name] for one in cuts]).reshape(len(cuts), len(cuts))
    else:
        found = _maximal(_reachable(geometry))
    rows = [tuple(int(n) for n in row) for row in found if row.any()]
    rows.sort(key=lambda row: (-sum(row), [-n for n in row]))
    return (*((*row, 0) for row in rows), (*(0 for _ in cuts), 1))


def _reachable(geometry: Geometry) -> np.ndarray:
    """Counts that some arrangement has, one in a row; dominated ones dropped where that is safe.

    Limits on compute and on numbers can forbid a larger count what a smaller one may have, so
    nothing is dropped on the way where they bind.
    """
    cuts = geometry.profiles[:-1]
    ending: dict[int, list[tuple[int, int]]] = {}
    for index, one in enumerate(cuts):
        for start in one.starts:
            ending.setdefault(start + one.size, []).append((index, start))
    limited = geometry.most_slices > 0 or any(
        one.compute != one.size or 0 < one.most < len(one.starts) for one in cuts
    )
    below = [np.zeros((1, len(cuts)), dtype=np.int16)]
    for end in range(1, geometry.slots + 1):
        parts = [below[end - 1]]
        for index, start in ending.get(end, ()):
            parts.append(below[start] + (np.arange(len(cuts)) == index))
        joined = np.unique(np.concatenate(parts), axis=0) if len(parts) > 1 else parts[0]
        joined = joined[_within(geometry, joined)]
        below.append(joined if limited or len(parts) == 1 else _maximal(joined))
    return below[-1]


def _within(geometry: Geometry, counts: np.ndarray) -> np.ndarray:
    """Whether counts keep to the limits that are not about memory."""
    cuts = geometry.profiles[:-1]
    compute = np.array([one.compute for one in cuts])
    most = np.array([one.most or geometry.slots for one in cuts])
    total = max((one.compute_total for one in cuts), default=0)
    fine = (counts <= most).all(axis=1) & (counts @ compute <= total)
    if geometry.most_slices:
        fine &= counts.sum(axis=1) <= geometry.most_slices
    return fine


def _maximal(counts: np.ndarray) -> np.ndarray:
    """The rows that no other row reaches or exceeds in every column."""
    order = np.argsort(-counts.sum(axis=1), kind="stable")
    kept = np.empty_like(counts)
    size = 0
    for row in counts[order]:
        if not (kept[:size] >= row).all(axis=1).any():
            kept[size] = row
            size += 1
    return kept[:size]
