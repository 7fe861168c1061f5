"""What one replica can do at each batch: the record that a performance model fills."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from planner.errors import InvalidScenario


@dataclass(frozen=True, slots=True)
class SpeedCurve:
    """Speed of one replica against the requests it holds, for one layout or many at once.

    ``in_flight``, ``ttft_s`` and ``tpot_s`` have the points of the curve along their last axis;
    ``prefill_s`` and ``slots`` have one number per candidate and so lack that axis. Leading axes
    broadcast: (layout, point), or (low-nominal-high, layout, point) to carry a range.

    >>> curve = SpeedCurve(in_flight=[1, 8, 64], ttft_s=[0.2, 0.3, 0.6],
    ...     tpot_s=[0.010, 0.012, 0.030], prefill_s=0.15, slots=48)
    >>> curve.limit
    array(48.)
    """

    in_flight: Any
    """Requests resident on the replica, increasing from 1 [request]."""
    ttft_s: Any
    """Time to the first token at that steady batch, prefill with its interference included and
    waiting for a place excluded [s]."""
    tpot_s: Any
    """Mean time per output token after the first at that steady batch [s]."""
    prefill_s: Any
    """Time for which one prompt keeps the engine busy: the second server, one number per
    candidate [s]."""
    slots: Any
    """Most requests that can be resident, by KV pool and engine limit; below 1 the replica
    serves nothing [request]."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=float))
        grid = self.in_flight
        if grid.ndim == 0 or np.any(grid[..., 0] != 1.0) or not np.all(np.diff(grid) > 0):
            raise InvalidScenario(
                f"Speed curve: in_flight is {_short(grid)}; it must increase from 1, so give the "
                "points in order and begin with one request."
            )
        for name in ("ttft_s", "tpot_s", "prefill_s"):
            values = getattr(self, name)
            if name != "prefill_s" and values.shape[-1:] != grid.shape[-1:]:
                raise InvalidScenario(
                    f"Speed curve: {name} has shape {values.shape} and in_flight {grid.shape}; "
                    "give one value for each point."
                )
            if not (np.all(values >= 0) and np.all(values < np.inf)):
                raise InvalidScenario(
                    f"Speed curve: {name} is {_short(values)}; every time must be finite and not "
                    "negative, so set slots to 0 where a layout does not fit."
                )
        if not np.all(self.slots >= 0):
            raise InvalidScenario(
                f"Speed curve: slots is {_short(self.slots)}; it must be 0 or more."
            )

    @property
    def limit(self) -> Any:
        """Largest batch that may be used: the slots, and never beyond the curve's last point
        [request]."""
        limit = np.minimum(self.slots, self.in_flight[..., -1])
        return np.where(limit >= 1.0, limit, 0.0)

    def tpot_at(self, in_flight: Any) -> Any:
        """Time per output token at a batch between the points.

        Parameters
        ----------
        in_flight : float or array [request]
            Broadcasts against the leading axes.

        Returns
        -------
        float or array [s]

        >>> curve = SpeedCurve([1, 11], [0.1, 0.1], [0.01, 0.02], 0.1, 11)
        >>> float(curve.tpot_at(6))
        0.015
        """
        return interpolate(self.in_flight, self.tpot_s, in_flight)

    def ttft_at(self, in_flight: Any) -> Any:
        """Time to the first token at a batch between the points, without waiting.

        Parameters
        ----------
        in_flight : float or array [request]
            Broadcasts against the leading axes.

        Returns
        -------
        float or array [s]

        >>> curve = SpeedCurve([1, 11], [0.1, 0.3], [0.01, 0.02], 0.1, 11)
        >>> round(float(curve.ttft_at(6)), 6)
        0.2
        """
        return interpolate(self.in_flight, self.ttft_s, in_flight)


def interpolate(grid: Any, values: Any, at: Any) -> Any:
    """Linear interpolation along the last axis, flat beyond both ends; leading axes broadcast.

    .. math:: y = y_k + (x - x_k) (y_{k+1} - y_k) / (x_{k+1} - x_k)

    Parameters
    ----------
    grid : array [1]
        Increasing along its last axis.
    values : array [1]
        One value for each point of the grid.
    at : float or array [1]
        Broadcasts against ``grid`` and ``values`` without their last axis.

    Returns
    -------
    array [1]

    Source: linear interpolation; no publication.

    >>> float(interpolate([1, 2, 4], [[10.0, 20.0, 40.0]], 3.0)[0])
    30.0
    """
    grid, values = np.asarray(grid, dtype=float), np.asarray(values, dtype=float)
    at = np.asarray(at, dtype=float)[..., None]
    return along(grid, (values,), at)[0][..., 0]


def along(grid: np.ndarray, tables: tuple[np.ndarray, ...], at: np.ndarray) -> list[np.ndarray]:
    """Several tables over one grid, read at many points along the last axis of ``at``.

    .. math:: y = y_k + (x - x_k) (y_{k+1} - y_k) / (x_{k+1} - x_k)

    Parameters
    ----------
    grid : array [1]
        Increasing along its last axis.
    tables : tuple of arrays [1]
    at : array [1]
        Its last axis is its own, all others broadcast.

    Returns
    -------
    list of arrays [1]

    Source: linear interpolation; no publication.

    >>> ys = along(np.array([1.0, 3.0]), (np.array([0.0, 2.0]),), np.array([1.0, 2.0, 9.0]))
    >>> [float(y) for y in ys[0]]
    [0.0, 1.0, 2.0]
    """
    if grid.shape[-1] == 1:
        return [table + np.zeros_like(at) for table in tables]
    if grid.ndim == 1:
        left = np.searchsorted(grid[1:-1], at, side="right")
        low, high = grid[left], grid[left + 1]
    else:
        left = (at[..., None] >= grid[..., None, 1:-1]).sum(axis=-1)
        low, high = _neighbours(grid, left)
    share = np.minimum(np.maximum((at - low) / (high - low), 0.0), 1.0)
    found = []
    for table in tables:
        first, second = _neighbours(table, left)
        found.append(first + share * (second - first))
    return found


def _neighbours(table: np.ndarray, left: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The points at an index and at the one after it."""
    flat, at = table.reshape(-1), _places(table, left)
    return flat[at], flat[at + 1]


def take_points(table: np.ndarray, index: np.ndarray) -> np.ndarray:
    """One or more points along the last axis for each candidate; leading axes broadcast.

    .. math:: y_j = y[i_j]

    Parameters
    ----------
    table : array [1]
    index : array [1]

    Returns
    -------
    array [1]

    Source: indexing; no publication.

    >>> take_points(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1], [0]])).tolist()
    [[2.0], [3.0]]
    """
    return table.reshape(-1)[_places(table, index)]


def _places(table: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Where the points are in the flat table: a third of the time of take_along_axis."""
    lead = table.shape[:-1]
    if lead and lead != index.shape[:-1]:
        return _starts(table.shape, np.broadcast_shapes(lead, index.shape[:-1])) + index
    return _starts(table.shape, lead) + index


@lru_cache(maxsize=512)
def _starts(shape: tuple[int, ...], lead: tuple[int, ...]) -> np.ndarray:
    """Where each candidate's row begins in the flat table."""
    rows = np.arange(math.prod(shape[:-1])).reshape(shape[:-1]) * shape[-1]
    return np.broadcast_to(rows, lead)[..., None]


def _short(values: np.ndarray) -> str:
    text = np.array2string(values.ravel()[:6], separator=", ")
    return text if values.size <= 6 else f"{text[:-1]}, ...]"
