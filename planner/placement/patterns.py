"""Ways to carve one GPU for the profiles that are asked for, each with its starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from planner.catalogue import SliceProfile
from planner.placement.records import Geometry

Pattern = tuple[tuple[str, int], ...]
"""Slices on one GPU: profile and first slot."""


@lru_cache(maxsize=256)
def patterns(geometry: Geometry, profiles: frozenset[str]) -> tuple[Pattern, ...]:
    """Every way to carve one GPU into these profiles to which no slice can be added.

    With sizes mixed, a sweep over the slots keeps, for each end, the numbers of slices that can
    lie before it:

    .. math:: N(e) = N(e - 1) \\cup \\{n + 1_p : n \\in N(e - s_p), e - s_p \\in starts_p\\}

    Parameters
    ----------
    geometry : Geometry
    profiles : frozenset
        Names of the profiles that may be used.

    Returns
    -------
    tuple
        Of patterns, each a tuple of profile and first slot [1]; no pattern's numbers of slices are
        all at most another's.

    Source: the definition; dynamic programming over the slots.

    >>> from planner.catalogue import SliceProfile
    >>> half = SliceProfile("half", "share", 40e9, 1, (0, 1), 1, 2)
    >>> whole = SliceProfile("whole", "whole", 80e9, 2, (0,), 2, 2)
    >>> patterns(Geometry("g", "gpu", "mps", 2, (half, whole)), frozenset({"half"}))
    ((('half', 0), ('half', 1)),)
    """
    asked = [p for p in geometry.profiles if p.name in profiles and p.name != "whole"]
    if geometry.same_size:
        return tuple(pattern for one in asked if (pattern := _of_one_size(geometry, one)))
    # Fewer slices in the same slots are worse in every way, unless another limit binds.
    slots_alone = not geometry.most_slices and geometry.carving != "mig"
    slots_alone &= all(not p.most or p.most >= len(p.starts) for p in asked)
    ends: list[dict[tuple[int, ...], Pattern]] = [{(0,) * len(asked): ()}]
    for end in range(1, geometry.slots + 1):
        here = dict(ends[-1])
        for i, profile in enumerate(asked):
            start = end - profile.size
            if start < 0 or start not in profile.starts:
                continue
            for counts, pattern in ends[start].items():
                more = (*counts[:i], counts[i] + 1, *counts[i + 1 :])
                if more not in here and (slots_alone or _allowed(geometry, asked, more)):
                    here[more] = (*pattern, (profile.name, start))
        if slots_alone and len(here) > len(ends[-1]):
            here = {counts: here[counts] for counts in _maximal(here)}
        ends.append(here)
    return tuple(ends[-1][counts] for counts in _maximal(ends[-1]) if any(counts))


@lru_cache(maxsize=256)
def layouts(geometry: Geometry) -> tuple[tuple[int, ...], ...]:
    """The maximal layouts of one GPU, counted by profile: no slice can be added to any of them.

    Which slots the slices take does not matter to a plan, so layouts are the counts of
    :func:`patterns` with all profiles, and the GPU given whole.

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
    names = [one.name for one in geometry.profiles[:-1]]
    rows = []
    for pattern in patterns(geometry, frozenset(names)):
        held = Counter(name for name, _ in pattern)
        rows.append(tuple(held[name] for name in names))
    rows.sort(key=lambda row: (-sum(row), [-n for n in row]))
    return (*((*row, 0) for row in rows), (*(0 for _ in names), 1))


def _of_one_size(geometry: Geometry, profile: SliceProfile) -> Pattern:
    """As many as fit, each at the first start that is free."""
    held: list[tuple[str, int]] = []
    end = 0
    for start in sorted(profile.starts):
        if start >= end and _allowed(geometry, [profile], (len(held) + 1,)):
            held.append((profile.name, start))
            end = start + profile.size
    return tuple(held)


def _allowed(geometry: Geometry, asked: list[SliceProfile], counts: tuple[int, ...]) -> bool:
    """The limits that slots do not tell: numbers of slices, and MIG's compute."""
    if geometry.most_slices and sum(counts) > geometry.most_slices:
        return False
    if any(p.most and n > p.most for p, n in zip(asked, counts, strict=True)):
        return False
    compute = sum(p.compute * n for p, n in zip(asked, counts, strict=True))
    return geometry.carving != "mig" or compute <= asked[0].compute_total


def _maximal(found: Iterable[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Numbers of slices that no others cover, the most slices first."""
    order = np.array(sorted(found, key=lambda counts: (-sum(counts), counts)))
    kept = np.empty_like(order)
    n = 0
    for counts in order:
        if not (kept[:n] >= counts).all(axis=1).any():
            kept[n] = counts
            n += 1
    return [tuple(counts) for counts in kept[:n].tolist()]
