"""What fills each GPU of a fleet, and where each host stands in the picture."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from planner.placement import Geometry, free_slots
from planner.plan import Portfolio

Slice = tuple[str, int, int]
"""Profile, first slot and index of the piece."""
MOST_HOSTS = 160
"""Hosts that are drawn; of more, those in use come first."""
ROWS = 16
"""Hosts below each other before a second column begins, up to four columns."""
COLUMNS = 4
BETWEEN = 2.6
"""Gap between two columns [gpu]."""
GPU_WIDTH, ROW_HEIGHT = 0.92, 0.8
"""Shares of the room that a GPU and a host have [fraction]."""
STRANDED, FREE = "stranded", "free"


@dataclass(frozen=True, slots=True)
class Box:
    """A run of slots of one GPU: equal slices of one workload, free memory, or stranded."""

    host: int
    gpu: int
    start: int
    """First slot."""
    size: int
    """Slots."""
    profile: str
    """Of the slices, or one of ``free`` and ``stranded``."""
    pieces: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Grid:
    """Where each host stands in the picture."""

    hosts: tuple[int, ...]
    """Indices of those drawn."""
    rows: int
    columns: int
    width: int
    """GPUs of the widest host."""

    def place(self, at: int) -> tuple[float, int]:
        """Left edge and height of one host.

        Parameters
        ----------
        at : int
            Which of those drawn.

        Returns
        -------
        tuple of float and int
        """
        column, row = divmod(at, self.rows)
        return column * (self.width + BETWEEN), -row


def boxes(found: Portfolio, host: int) -> Iterator[Box]:
    """What one host's GPUs are filled with, in the order of their slots.

    Parameters
    ----------
    found : Portfolio
    host : int
        Index of the host.

    Returns
    -------
    iterator of Box
        Equal slices of one workload that follow each other are one box, and so is a host that
        carries nothing.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> found = evaluate(Scenario(), load_catalogue()).portfolio
    >>> [(box.gpu, box.profile) for box in boxes(found, 0)][:2]
    [(0, 'whole'), (1, 'free')]
    """
    geometry = found.fleet.hosts[host].geometry
    if host not in found.placement.hosts_used:
        yield Box(host, 0, 0, geometry.slots * found.fleet.hosts[host].gpus, FREE)
        return
    for gpu, taken in enumerate(found.taken[host]):
        for size, start, kind, pieces in _runs(geometry, taken, found):
            yield Box(host, gpu, start, size, kind, pieces)


def grid_of(found: Portfolio) -> Grid:
    """How hosts are laid out: below each other, in columns when there are many.

    Parameters
    ----------
    found : Portfolio

    Returns
    -------
    Grid

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> grid_of(evaluate(Scenario(), load_catalogue()).portfolio).hosts
    (0, 1)
    """
    used = found.placement.hosts_used
    order = range(len(found.fleet.hosts))
    if len(found.fleet.hosts) > MOST_HOSTS:
        kept = sorted(order, key=lambda h: (h not in used, h not in found.reserved, h))
        order = sorted(kept[:MOST_HOSTS])
    columns = min(math.ceil(len(order) / ROWS), COLUMNS)
    width = max(found.fleet.hosts[host].gpus for host in order)
    return Grid(tuple(order), math.ceil(len(order) / columns), columns, width)


@lru_cache(maxsize=1 << 14)
def stranded_at(geometry: Geometry, taken: tuple[tuple[str, int], ...]) -> frozenset[int]:
    """Which free slots of a GPU in use no profile can take any more.

    Parameters
    ----------
    geometry : Geometry
    taken : tuple of (str, int)
        Profile and first slot.

    Returns
    -------
    frozenset of int
        None of an empty GPU.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.placement import geometry
    >>> mig = geometry(load_catalogue(), "h100-sxm-80gb", "mig")
    >>> stranded_at(mig, tuple(("1g.10gb", start) for start in range(7)))
    frozenset({7})
    """
    if not taken:
        return frozenset()
    used = {
        slot
        for profile, start in taken
        for slot in range(start, start + geometry.by_name[profile].size)
    }
    free = set(range(geometry.slots)) - used
    room = free_slots(geometry, taken)
    open_slots: set[int] = set()
    for profile in geometry.profiles:
        if room[profile.name]:
            for start in profile.starts:
                wanted = range(start, start + profile.size)
                if free.issuperset(wanted):
                    open_slots.update(wanted)
    return frozenset(free - open_slots)


def _runs(
    geometry: Geometry, taken: tuple[Slice, ...], found: Portfolio
) -> Iterator[tuple[int, int, str, tuple[int, ...]]]:
    """Size, first slot, kind and pieces of each run on one GPU."""
    sizes = geometry.by_name
    lost = stranded_at(geometry, tuple((profile, start) for profile, start, _ in taken))
    slots: list[tuple[str, str]] = [
        ((STRANDED if slot in lost else FREE), "") for slot in range(geometry.slots)
    ]
    for profile, start, piece in taken:
        for slot in range(start, start + sizes[profile].size):
            slots[slot] = (profile, found.pieces[piece].workload)
    at = 0
    for (kind, _), run in groupby(slots):
        size = len(list(run))
        inside = tuple(piece for _, start, piece in taken if at <= start < at + size)
        yield size, at, kind, inside
        at += size
