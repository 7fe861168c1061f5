"""A workload's claim on the fleet, and the calendar that answers all claims."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.errors import InvalidScenario

HOURS_OF_DAY = 24
HOURS_OF_WEEK = 168
KINDS = ("steady", "office hours", "window", "campaign")
"""Around the clock; on working days only; some hours of each day; for some days in a row."""
TINY = 1e-9
"""GPUs and GPU-hours below this are rounding errors."""


@dataclass(frozen=True, slots=True, eq=False)
class Booking:
    """A workload's claim on the fleet: reserved by the hour, or a job that ends.

    >>> Booking("chat", gpus=4, kind="office hours").reserved
    True
    """

    workload: str
    gpus: float
    """The most in any hour; parts of a GPU for slices [gpu]."""
    kind: str = "steady"
    """One of ``KINDS``."""
    gpu_hours: float | None = None
    """Work to be done; None for a reservation that only ends with its days [gpu h]."""
    gang: bool = False
    """Whether it runs on all the GPUs that it wants in an hour or on none."""
    step_gpus: float = 1.0
    """What it shrinks by when fewer are free, such as a replica's GPUs; 0 for any part [gpu]."""
    priority: int = 0
    """The higher goes first."""
    preemptible: bool = False
    """Whether it may be stopped and go on later; what may not only rests while its own hours are
    closed."""
    quota_gpus: float = np.inf
    """GPUs that are its own; more is borrowed [gpu]."""
    start_day: float = 0.0
    """Days from the first hour of the calendar, a Monday 00:00 [day]."""
    end_day: float | None = None
    """None for the calendar's end [day]."""
    deadline_h: float | None = None
    """When its work should be done, from the first hour of the calendar [h]."""
    first_hour: int = 19
    """Of a window: the hour of the day at which it opens [h]."""
    last_hour: int = 7
    """Of a window: the hour of the day at which it closes [h]."""
    hourly_fraction: Any = None
    """Of a reservation: the share of its GPUs wanted in each hour of the week, Monday 00:00 first;
    None for all [fraction]."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise self._refused("kind", f"choose {', '.join(KINDS)}")
        for name, least in (("gpus", TINY), ("step_gpus", 0.0), ("start_day", 0.0)):
            if not least <= getattr(self, name) < np.inf:
                raise self._refused(name, f"give a number of {least:g} or more")
        for name in ("gpu_hours", "deadline_h", "quota_gpus"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= (np.inf if name == "quota_gpus" else 1e12):
                raise self._refused(name, "give a number of 0 or more")
        if self.end_day is not None and not self.end_day > self.start_day:
            raise self._refused("end_day", f"give a day after start_day, {self.start_day:g}")
        for name in ("first_hour", "last_hour"):
            if not 0 <= getattr(self, name) <= HOURS_OF_DAY:
                raise self._refused(name, "give an hour of the day from 0 to 24")
        if self.kind == "window" and self.first_hour == self.last_hour:
            raise self._refused("last_hour", "give another hour than first_hour")
        if not self.reserved and not self.preemptible and self.quota_gpus < self.gpus:
            raise self._refused(
                "quota_gpus",
                f"borrowed GPUs can be taken back, so give {self.gpus:g} or more, or let it be "
                "preemptible",
            )
        self._check_profile()

    def _check_profile(self) -> None:
        if self.hourly_fraction is None:
            return
        if not self.reserved:
            raise self._refused("hourly_fraction", "only reservations have a profile; leave it out")
        shares = np.asarray(self.hourly_fraction, dtype=float)
        if shares.shape != (HOURS_OF_WEEK,) or not np.all((shares >= 0) & (shares <= 1 + TINY)):
            raise self._refused("hourly_fraction", "give 168 numbers from 0 to 1")

    def _refused(self, name: str, remedy: str) -> InvalidScenario:
        value = getattr(self, name)
        shown = f"'{value}'" if isinstance(value, str) else f"{value}"
        shown = shown if len(shown) < 40 else f"{shown[:40]}..."
        return InvalidScenario(
            f"Booking '{self.workload}': {name} is {shown}, which is not allowed; {remedy}.",
            field=name,
        )

    @property
    def reserved(self) -> bool:
        """Whether it holds its hours instead of ending with its work."""
        return self.gpu_hours is None


def step_gpus(booking: Booking) -> float:
    """What a booking grows and shrinks by: all of it for a gang, and never more than all.

    .. math:: s = g \\text{ for a gang, else } \\min(s, g)

    Parameters
    ----------
    booking : Booking

    Returns
    -------
    float [gpu]

    Source: counting; no publication.

    >>> step_gpus(Booking("tune", gpus=8, gang=True)), step_gpus(Booking("batch", gpus=8))
    (8, 1.0)
    """
    return booking.gpus if booking.gang else min(booking.step_gpus, booking.gpus)


def own_gpus(booking: Booking) -> float:
    """GPUs that nobody may take from a booking, in its steps.

    .. math:: s \\lfloor q / s \\rfloor

    Parameters
    ----------
    booking : Booking

    Returns
    -------
    float [gpu]
        A gang bigger than its quota has none: without the rest they are of no use to it.

    Source: counting; no publication.

    >>> own_gpus(Booking("tune", gpus=8, gang=True, quota_gpus=4))
    0.0
    >>> own_gpus(Booking("batch", gpus=8, step_gpus=2, quota_gpus=5))
    4.0
    """
    step = step_gpus(booking)
    if booking.quota_gpus >= booking.gpus or step == 0:
        return booking.quota_gpus
    return float(np.floor(booking.quota_gpus / step + TINY) * step)


def work_gpu_hours(booking: Booking) -> float:
    """GPU-hours that a job occupies: a gang keeps its GPUs to the end of its last hour.

    .. math:: W = g \\lceil w / g \\rceil \\text{ for a gang, else } w

    Parameters
    ----------
    booking : Booking

    Returns
    -------
    float [gpu h]
        0 for a reservation.

    Source: counting; no publication.

    >>> work_gpu_hours(Booking("tune", gpus=8, gang=True, gpu_hours=50))
    56.0
    """
    work = booking.gpu_hours or 0.0
    if not booking.gang:
        return float(work)
    return float(np.ceil(work / booking.gpus - TINY) * booking.gpus)


@dataclass(frozen=True, slots=True, eq=False)
class FleetCalendar:
    """What the fleet does in each hour, and what became of each booking.

    >>> FleetCalendar.__slots__[0]
    'bookings'
    """

    bookings: tuple[Booking, ...]
    capacity_gpus: np.ndarray
    """Of the fleet in each hour [gpu]."""
    gpus: np.ndarray
    """Used by each booking (row) in each hour (column); in its last hour an elastic job uses what
    is left of its work, and a gang keeps its GPUs to the end of the hour [gpu]."""
    borrowed_gpus: np.ndarray
    """The part of these above the booking's quota [gpu]."""
    end_h: np.ndarray
    """When each job ends; not-a-number for reservations and for jobs that do not end [h]."""
    waiting_h: np.ndarray
    """From the first hour in which each booking wants GPUs to the first in which it has some;
    infinite when it never has [h]."""
    preemptions: np.ndarray
    """How often each booking lost all its GPUs while it wanted them [1]."""
    short_gpu_hours: np.ndarray
    """Work not done, or hours not held, by each booking [gpu h]."""
    late: tuple[str, ...]
    """A sentence for each booking that falls short or misses its deadline; "" for all others."""

    @property
    def idle_gpus(self) -> np.ndarray:
        """What nobody uses in each hour [gpu]."""
        return np.maximum(self.capacity_gpus - self.gpus.sum(axis=0), 0.0)

    @property
    def idle_gpu_hours(self) -> float:
        """Over the whole calendar [gpu h]."""
        return float(self.idle_gpus.sum())

    @property
    def idle_by_hour_of_day(self) -> np.ndarray:
        """Mean idle GPUs in each hour of the day [gpu]."""
        return self.idle_gpus.reshape(-1, HOURS_OF_DAY).mean(axis=0)

    @property
    def idle_fraction(self) -> float:
        """Share of the fleet's hours that nobody uses [fraction]."""
        whole = float(self.capacity_gpus.sum())
        return self.idle_gpu_hours / whole if whole > 0 else 0.0
