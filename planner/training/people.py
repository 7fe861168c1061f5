"""Notebooks and experiments: how many seats people need, and how much of a seat idles.

A seat holds memory for as long as somebody works, and computes only while a cell runs. Two rules
size the room: a slice of a GPU for each person at work, which isolates them, or the time of a GPU
shared among those whose cells run, which memory alone limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.errors import InvalidScenario
from planner.training._range import require

HOUR_S = 3600.0
_ROUNDING = 1e-12
"""A percentile missed by less is met."""
_SLACK = 1e-9
_MOST_PEOPLE = 1_000_000


@dataclass(frozen=True, slots=True)
class NotebookUse:
    """How people use notebooks with a GPU; fields broadcast, hours of a week included.

    >>> NotebookUse(40, at_work_fraction=0.5, busy_fraction=0.1, seat_memory_bytes=10e9).people
    40
    """

    people: Any
    """Everybody who may open one [1]."""
    at_work_fraction: Any
    """Chance that one of them has work open, each for himself [fraction]."""
    busy_fraction: Any
    """Share of that time in which the GPU computes [fraction]."""
    seat_memory_bytes: Any
    """GPU memory that one open notebook holds; never promised twice [byte]."""
    percentile_fraction: Any = 0.95
    """Share of moments at which everybody at work has a seat [fraction]."""
    idle_spell_s: Any = 1800.0
    """Mean length of a pause between two spells of computing, exponential [s]."""
    reclaim_after_s: Any = np.inf
    """Idle time after which a seat is taken back; infinite for never [s]."""

    def __post_init__(self) -> None:
        require("people", self.people, 0.0, _MOST_PEOPLE)
        if np.any(np.asarray(self.people) % 1):
            raise InvalidScenario(
                f"people: {self.people} is not allowed; give whole people.", field="people"
            )
        for name in ("at_work_fraction", "busy_fraction"):
            require(name, getattr(self, name), 0.0, 1.0)
        require("seat_memory_bytes", self.seat_memory_bytes, 0.0, above=True)
        require("idle_spell_s", self.idle_spell_s, 0.0, above=True)
        require("reclaim_after_s", self.reclaim_after_s, 0.0, endless=True)


@dataclass(frozen=True, slots=True)
class SeatPlan:
    """What one rule needs for a room of notebooks; fields broadcast.

    >>> SeatPlan.__slots__[0]
    'rule'
    """

    rule: str
    """``isolated`` or ``time-sliced``."""
    seats: Any
    """Open notebooks at the percentile [1]."""
    computing: Any
    """Notebooks that compute at once, at the percentile [1]."""
    gpus: Any
    """Whole GPUs; infinite when one cannot hold a seat [gpu]."""
    memory_bytes: Any
    """GPU memory that the seats hold [byte]."""
    memory_binds: Any
    """1 where memory and not computing decides the number of GPUs, else 0 [1]."""
    idle_seat_fraction: Any
    """Share of a seat's time in which its GPU computes nothing [fraction]."""
    idle_fraction: Any
    """Share of what these GPUs could compute at once that is idle on average [fraction]."""
    reclaims_per_hour: Any
    """How often one person at work loses a seat and must begin again [1]."""


def binomial_quantile(trials: Any, chance_fraction: Any, percentile_fraction: Any) -> Any:
    """Fewest seats that suffice for a share of moments when each person comes for himself.

    .. math:: k_q = \\min \\Big\\{ k : \\sum_{i=0}^{k} \\binom{n}{i} p^i (1-p)^{n-i} \\ge q \\Big\\}

    The terms come from their ratios, over ten standard deviations and thirty people on both sides
    of the mean: what is left out is below 1e-19 (Bernstein's inequality).

    Parameters
    ----------
    trials : int or array [1]
        People ``n``.
    chance_fraction : float or array [fraction]
        ``p``: chance that one of them is there.
    percentile_fraction : float or array [fraction]
        ``q``, above 0 and below 1.

    Returns
    -------
    array [1]

    Source: the binomial distribution; tables such as CRC Standard Mathematical Tables.

    >>> float(binomial_quantile(20, 0.3, 0.95)), float(binomial_quantile(10, 0.5, 0.95))
    (9.0, 8.0)
    """
    require("trials", trials, 0.0, _MOST_PEOPLE)
    require("chance_fraction", chance_fraction, 0.0, 1.0)
    require("percentile_fraction", percentile_fraction, 0.0, 1.0, above=True)
    if np.any(np.asarray(percentile_fraction) >= 1.0):
        raise InvalidScenario(
            f"percentile_fraction: {percentile_fraction} is not allowed; give a number below 1, "
            "or one seat for everybody.",
            field="percentile_fraction",
        )
    n, p, q = np.broadcast_arrays(
        *(
            np.asarray(one, dtype=float)[..., None]
            for one in (trials, chance_fraction, percentile_fraction)
        )
    )
    reach = np.ceil(10.0 * np.sqrt(n * p * (1.0 - p))).max(initial=0.0) + 30.0
    counts = np.floor(n * p) - reach + np.arange(2.0 * reach + 2.0)
    inside = (counts >= 0) & (counts <= n)
    step = (counts > 0) & inside
    ratio = np.where(step, (n - counts + 1.0) / np.where(step, counts, 1.0), 1.0)
    certain = (p <= 0) | (p >= 1)
    odds = np.where(certain, 1.0, p / np.where(certain, 1.0, 1.0 - p))
    logs = np.cumsum(np.where(step, np.log(ratio) + np.log(odds), 0.0), axis=-1)
    logs = np.where(inside, logs, -np.inf)
    terms = np.exp(logs - logs.max(axis=-1, keepdims=True))
    reached = np.cumsum(terms, axis=-1) / terms.sum(axis=-1, keepdims=True)
    first = np.take_along_axis(counts, (reached >= q - _ROUNDING).argmax(-1)[..., None], axis=-1)
    return np.where(certain, n * p, first)[..., 0]


def held_fraction(busy_fraction: Any, idle_spell_s: Any, reclaim_after_s: Any) -> Any:
    """Share of the time at work for which a seat is held when idle seats are taken back.

    .. math:: h = b + (1 - b) \\big( 1 - e^{-c/I} \\big)

    A seat is given back ``c`` after its last computation; of pauses with mean ``I`` it so keeps
    ``I (1 - exp(-c/I))``. Never taken back, it is held all the time; taken back at once, only
    while it computes.

    Parameters
    ----------
    busy_fraction : float or array [fraction]
        ``b``.
    idle_spell_s : float or array [s]
        ``I``: mean pause between two spells of computing.
    reclaim_after_s : float or array [s]
        ``c``; infinite for never.

    Returns
    -------
    float or array [fraction]

    Source: mean of the smaller of a constant and an exponential time; no publication.

    >>> round(float(held_fraction(0.2, 1800.0, 1800.0)), 4)
    0.7057
    """
    require("busy_fraction", busy_fraction, 0.0, 1.0)
    require("idle_spell_s", idle_spell_s, 0.0, above=True)
    require("reclaim_after_s", reclaim_after_s, 0.0, endless=True)
    busy = np.asarray(busy_fraction, dtype=float)
    return busy + (1.0 - busy) * -np.expm1(-np.asarray(reclaim_after_s) / idle_spell_s)


def isolated_seats(use: NotebookUse, gpu_memory_bytes: Any, slices_per_gpu: Any) -> SeatPlan:
    """A slice of a GPU for each person at work: nobody notices the others.

    .. math:: G = \\lceil k_q(n, a h) / s \\rceil, \\qquad
              s = \\min(slices, \\lfloor memory / seat \\rfloor)

    Parameters
    ----------
    use : NotebookUse
    gpu_memory_bytes : float or array [byte]
        What one GPU lends to seats.
    slices_per_gpu : int or array [1]
        Slices that the GPU is cut into; each computes at 1 over this of its speed.

    Returns
    -------
    SeatPlan

    Source: the binomial distribution; no publication.

    >>> use = NotebookUse(40, 0.5, 0.1, seat_memory_bytes=10e9)
    >>> plan = isolated_seats(use, 75e9, 7)
    >>> float(plan.seats), float(plan.gpus), float(plan.idle_seat_fraction)
    (25.0, 4.0, 0.9)
    """
    require("slices_per_gpu", slices_per_gpu, 1.0)
    fits = _fits(use, gpu_memory_bytes)
    slices = np.floor(np.asarray(slices_per_gpu, dtype=float))
    seats, computing = _at_once(use)
    gpus = _whole(seats, np.minimum(fits, slices))
    return _plan("isolated", use, seats, computing, gpus, slices, fits < slices)


def time_sliced_seats(use: NotebookUse, gpu_memory_bytes: Any, computing_per_gpu: Any) -> SeatPlan:
    """A GPU's time for those whose cells run: as fast as a slice, with fewer GPUs or less memory.

    .. math:: G = \\max\\Big( \\Big\\lceil \\frac{k_q(n, a b)}{s} \\Big\\rceil,
              \\Big\\lceil \\frac{k_q(n, a h)}{\\lfloor memory / seat \\rfloor} \\Big\\rceil \\Big)

    Memory is held by everybody at work and is not shared. Nothing isolates their speeds: for one
    moment in 1/(1 - q) more cells run than planned, and all of them are slower.

    Parameters
    ----------
    use : NotebookUse
    gpu_memory_bytes : float or array [byte]
        What one GPU lends to seats.
    computing_per_gpu : float or array [1]
        ``s``: cells that may run on one GPU at once, each at 1 over this of its speed; 1 gives
        each the whole GPU.

    Returns
    -------
    SeatPlan

    Source: the binomial distribution; no publication.

    >>> use = NotebookUse(40, 0.5, 0.1, seat_memory_bytes=10e9)
    >>> plan = time_sliced_seats(use, 75e9, 7)
    >>> float(plan.computing), float(plan.gpus), bool(plan.memory_binds)
    (4.0, 4.0, True)
    """
    require("computing_per_gpu", computing_per_gpu, 1.0)
    share = np.asarray(computing_per_gpu, dtype=float)
    seats, computing = _at_once(use)
    by_memory = _whole(seats, _fits(use, gpu_memory_bytes))
    by_computing = _whole(computing, share)
    gpus = np.maximum(by_memory, by_computing)
    return _plan("time-sliced", use, seats, computing, gpus, share, by_memory > by_computing)


def _fits(use: NotebookUse, gpu_memory_bytes: Any) -> np.ndarray:
    """Seats whose memory one GPU holds."""
    require("gpu_memory_bytes", gpu_memory_bytes, 0.0)
    room = np.asarray(gpu_memory_bytes, dtype=float) / use.seat_memory_bytes
    return np.floor(room * (1.0 + _SLACK))


def _held(use: NotebookUse) -> Any:
    return held_fraction(use.busy_fraction, use.idle_spell_s, use.reclaim_after_s)


def _at_once(use: NotebookUse) -> tuple[np.ndarray, np.ndarray]:
    """Seats held and notebooks computing, both at the percentile."""
    at_work, share = np.asarray(use.at_work_fraction, dtype=float), use.percentile_fraction
    seats = binomial_quantile(use.people, at_work * _held(use), share)
    return seats, binomial_quantile(use.people, at_work * use.busy_fraction, share)


def _whole(seats: np.ndarray, per_gpu: Any) -> np.ndarray:
    some = np.asarray(per_gpu) >= 1.0
    gpus = np.ceil(seats / np.where(some, per_gpu, 1.0) * (1.0 - _SLACK))
    return np.where(some, gpus, np.where(seats > 0, np.inf, 0.0))


def _plan(
    rule: str,
    use: NotebookUse,
    seats: np.ndarray,
    computing: np.ndarray,
    gpus: np.ndarray,
    per_gpu: np.ndarray,
    memory_binds: Any,
) -> SeatPlan:
    busy, held = np.asarray(use.busy_fraction, dtype=float), _held(use)
    mean = np.asarray(use.people, dtype=float) * use.at_work_fraction * busy
    most = gpus * per_gpu
    pauses = (1.0 - busy) * HOUR_S / use.idle_spell_s
    return SeatPlan(
        rule=rule,
        seats=seats,
        computing=computing,
        gpus=gpus,
        memory_bytes=seats * use.seat_memory_bytes,
        memory_binds=memory_binds + np.zeros_like(gpus),
        idle_seat_fraction=np.where(held > 0, 1.0 - busy / np.where(held > 0, held, 1.0), 0.0),
        idle_fraction=np.where(most > 0, np.maximum(1.0 - mean / np.maximum(most, 1e-9), 0.0), 0.0),
        reclaims_per_hour=pauses * np.exp(-np.asarray(use.reclaim_after_s) / use.idle_spell_s),
    )
