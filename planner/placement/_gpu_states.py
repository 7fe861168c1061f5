"""Every way in which one GPU can be filled, numbered as the search meets them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from planner.errors import InvalidScenario
from planner.placement.carving import free_start, stranded_slots
from planner.placement.patterns import patterns
from planner.placement.records import Geometry

EMPTY, WHOLE = 0, 1
"""Numbers of the state without slices, and of the GPU that is taken as a whole."""
_UNKNOWN = -2


class GpuStates:
    """States of one GPU, and which state a slice leads to; each transition is worked out once.

    A pinned state remembers where each slice starts, as running machines do. A state that is not
    pinned only counts slices, as a plan does, and holds when some arrangement of them exists.

    >>> GpuStates.__name__
    'GpuStates'
    """

    def __init__(self, geometry: Geometry, pinned: bool, asked: frozenset[str]) -> None:
        self.geometry, self.pinned = geometry, pinned
        self.index = {profile.name: i for i, profile in enumerate(geometry.profiles)}
        self.whole = len(geometry.profiles) - 1
        self.keys: list[tuple] = [(), ("whole",)]
        self.licensed = any(one.kind in ("mig", "vgpu") for one in geometry.profiles)
        self.used = [0, geometry.slots]
        self.slices = [0, 1]
        self.stranded = [0, 0]
        self._numbers: dict[tuple, int] = {(): EMPTY}
        width = len(geometry.profiles)
        self._after = [[_UNKNOWN] * width, [-1] * width]
        self._layouts = () if pinned else patterns(geometry, asked)
        self._counts = np.zeros((len(self._layouts), width), dtype=int)
        for row, layout in zip(self._counts, self._layouts, strict=True):
            for name, _ in layout:
                row[self.index[name]] += 1

    def profile(self, name: str) -> int:
        """Number of a profile.

        Parameters
        ----------
        name : str

        Returns
        -------
        int [1]
        """
        if name not in self.index:
            raise InvalidScenario(
                f"Placement: {self.geometry.id} has no profile {name}; choose one of "
                f"{', '.join(self.index)}."
            )
        return self.index[name]

    def after(self, state: int, profile: int) -> int:
        """The state with one slice more.

        Parameters
        ----------
        state, profile : int [1]

        Returns
        -------
        int [1]
            -1 when the slice does not fit.
        """
        found = self._after[state][profile]
        if found == _UNKNOWN:
            found = self._after[state][profile] = self._work_out(self.keys[state], profile)
        return found

    def holding(self, slices: list[tuple[int, int]]) -> int:
        """The state with slices that already run.

        Parameters
        ----------
        slices : list of tuple of int [1]
            Start and profile of each.

        Returns
        -------
        int [1]
        """
        return self._number(tuple(sorted(slices if self.pinned else (p for _, p in slices))))

    def before(self, state: int, profile: int) -> int:
        """The state with one slice less; only for states that are not pinned.

        Parameters
        ----------
        state, profile : int [1]

        Returns
        -------
        int [1]
        """
        key = list(self.keys[state])
        key.remove(profile)
        return self._number(tuple(key))

    def starts(self, state: int) -> tuple[tuple[int, int], ...]:
        """Starts and profiles of the slices in this state.

        Parameters
        ----------
        state : int [1]

        Returns
        -------
        tuple of tuple of int [1]
        """
        if state == WHOLE:
            return ()
        key = self.keys[state]
        return key if self.pinned else self._arranged(key)

    def start(self, state: int, after: int) -> int:
        """Where the slice starts that leads from one pinned state to another.

        Parameters
        ----------
        state, after : int [1]

        Returns
        -------
        int [1]
        """
        (new,) = set(self.keys[after]) - set(self.keys[state])
        return new[0]

    def _work_out(self, key: tuple, profile: int) -> int:
        if profile == self.whole:
            return -1
        if self.pinned:
            start = free_start(
                self.geometry, self._named(key), self.geometry.profiles[profile].name
            )
            return -1 if start is None else self._number(tuple(sorted((*key, (start, profile)))))
        more = tuple(sorted((*key, profile)))
        return -1 if self._arranged(more) is None else self._number(more)

    def _arranged(self, key: tuple[int, ...]) -> tuple[tuple[int, int], ...] | None:
        """Starts for slices that are only counted, if there are any: part of a full layout."""
        wanted = np.bincount(key, minlength=self._counts.shape[1]) if key else self._counts[:1] * 0
        holds = (self._counts >= wanted).all(axis=1)
        if not holds.any():
            return None
        left, placed = list(key), []
        for name, start in self._layouts[int(holds.argmax())]:
            profile = self.index[name]
            if profile in left:
                left.remove(profile)
                placed.append((start, profile))
        return tuple(sorted(placed))

    def _named(self, placed: tuple[tuple[int, int], ...]) -> tuple[tuple[str, int], ...]:
        profiles = self.geometry.profiles
        return tuple((profiles[profile].name, start) for start, profile in placed)

    def _number(self, key: tuple) -> int:
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self.keys)
            self.keys.append(key)
            self._after.append([_UNKNOWN] * len(self.geometry.profiles))
            placed = self.starts(found)
            self.used.append(sum(self.geometry.profiles[p].size for _, p in placed))
            self.slices.append(len(placed))
            self.stranded.append(stranded_slots(self.geometry, self._named(placed)))
        return found


@lru_cache(maxsize=256)
def gpu_states(geometry: Geometry, pinned: bool, asked: frozenset[str]) -> GpuStates:
    """The states of a geometry, shared by all who ask.

    Parameters
    ----------
    geometry : Geometry
    pinned : bool
        Slices stay where they started.
    asked : frozenset of str
        Names of the profiles that may come.

    Returns
    -------
    GpuStates

    Source: our own method; no publication.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.placement.geometry import geometry
    >>> mig = geometry(load_catalogue(), "h100-sxm-80gb", "mig")
    >>> states = gpu_states(mig, False, frozenset(("3g.40gb",)))
    >>> three = states.profile("3g.40gb")
    >>> two = states.after(states.after(EMPTY, three), three)
    >>> states.starts(two), states.after(two, three)
    (((0, 3), (4, 3)), -1)
    """
    return GpuStates(geometry, pinned, asked)
