"""The calendar of a fleet: what runs in which hour, what waits, what is late, and what idles.

Bookings are known ahead, so the calendar is planned and not simulated. Each is placed in turn in
the hours that those before it left, which never moves them:

1. what is guaranteed and reserved (serving, notebooks), by its profile of the week;
2. jobs that may not be stopped, each in the first hours that it can keep until it ends;
3. what may be stopped, up to its quota, in whatever hours are left;
4. what is borrowed: more GPUs than the quota, from what all others leave idle.

Within each, higher priority goes first, then the earlier deadline, then the earlier start. The
fleet is one pool; which host and which slice is the business of the rest of this room.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from planner.demand import hours_needed
from planner.errors import InvalidScenario
from planner.placement.bookings import (
    HOURS_OF_DAY,
    HOURS_OF_WEEK,
    TINY,
    Booking,
    FleetCalendar,
    own_gpus,
    step_gpus,
    work_gpu_hours,
)


def fleet_calendar(
    bookings: Sequence[Booking], capacity_gpus: Any, weeks: int = 1
) -> FleetCalendar:
    """Plan bookings on a fleet, hour by hour: reservations, then jobs in what they leave idle.

    With the GPUs ``F`` that earlier bookings left free, a booking of ``g`` GPUs in steps of ``s``
    (a gang's step is all of it) takes in each of its hours

    .. math:: u_h = g \\text{ if } g \\le F_h, \\text{ else } s \\lfloor F_h / s \\rfloor,
              \\qquad \\sum_h u_h = W

    What is always true: no hour is used beyond its capacity; a gang runs whole or not at all; a
    booking never waits for one that is placed after it, so nothing guaranteed waits for what may
    be stopped. More GPUs never delay the first job in order, nor any job of a fleet on which all
    may be stopped, shrink by any part and borrow nothing. Else they can: with one GPU more, a
    bigger job that goes first may fit into the hours in which a smaller one ran (Graham's
    anomalies of 1969 are of this kind). Hours that borrowing frees are left to other borrowers.

    Parameters
    ----------
    bookings : sequence of Booking
    capacity_gpus : float or array [gpu]
        The fleet: one number, one for each hour of the week, or one for each hour of the calendar.
    weeks : int [week]

    Returns
    -------
    FleetCalendar

    Source: conservative backfilling, A. Mu'alem and D. Feitelson, "Utilization, Predictability,
    Workloads, and User Runtime Estimates in Scheduling the IBM SP2 with Backfilling", IEEE
    Transactions on Parallel and Distributed Systems 12 (2001), p. 529; quota, borrowing and who may
    be stopped as in NVIDIA Run:ai's "Workload Priority and Preemption"; R. L. Graham, "Bounds on
    Multiprocessing Timing Anomalies", SIAM Journal on Applied Mathematics 17 (1969), p. 416.

    >>> chat = Booking("chat", gpus=6, kind="office hours")
    >>> tune = Booking("tune", gpus=8, gang=True, gpu_hours=80, preemptible=True)
    >>> week = fleet_calendar([chat, tune], 8)
    >>> float(week.end_h[1]), int(week.preemptions[1]), round(week.idle_fraction, 3)
    (22.0, 1, 0.673)
    """
    bookings = tuple(bookings)
    capacity = _capacity(capacity_gpus, weeks)
    wants = np.array([_wanted(one, len(capacity)) for one in bookings])
    wants = wants.reshape(len(bookings), len(capacity))
    used, free = np.zeros_like(wants), capacity.copy()
    order = sorted(range(len(bookings)), key=lambda row: (*_turn(bookings[row]), row))
    for borrowing in (False, True):
        for row in order:
            one = bookings[row]
            own = own_gpus(one)
            if borrowing and own >= one.gpus:
                continue
            free += used[row]
            most = wants[row] if borrowing else np.minimum(wants[row], own)
            used[row] = _placed(one, most, free, used[row])
            free = np.maximum(free - used[row], 0.0)
    return _told(bookings, capacity, wants, used)


def _turn(one: Booking) -> tuple[float, ...]:
    """Its place in the order: class, priority, deadline, start."""
    rank = 2 if one.preemptible else 0 if one.reserved else 1
    deadline = np.inf if one.deadline_h is None else one.deadline_h
    return rank, -one.priority, deadline, one.start_day


def _capacity(capacity_gpus: Any, weeks: int) -> np.ndarray:
    if not 1 <= weeks <= 520 or weeks != int(weeks):
        raise InvalidScenario(
            f"weeks: {weeks} is not allowed; give whole weeks from 1 to 520.", field="weeks"
        )
    given = np.asarray(capacity_gpus, dtype=float)
    hours = int(weeks) * HOURS_OF_WEEK
    if given.shape not in ((), (HOURS_OF_WEEK,), (hours,)):
        raise InvalidScenario(
            f"capacity_gpus: its shape is {given.shape}; give one number, {HOURS_OF_WEEK} for a "
            f"week, or {hours} for the calendar.",
            field="capacity_gpus",
        )
    if not np.all((given >= 0) & (given < np.inf)):
        raise InvalidScenario(
            f"capacity_gpus: {given.min()} to {given.max()} is not allowed; give numbers of 0 or "
            "more.",
            field="capacity_gpus",
        )
    return np.resize(given, hours)


def _wanted(one: Booking, hours: int) -> np.ndarray:
    """GPUs that it would use in each hour if the fleet were empty and its work endless."""
    hour = np.arange(hours)
    end = np.inf if one.end_day is None else one.end_day * HOURS_OF_DAY
    wanted = one.gpus * ((hour >= one.start_day * HOURS_OF_DAY) & (hour < end))
    if one.kind == "office hours":
        wanted = wanted * np.resize(hours_needed("office").mask, hours)
    if one.kind == "window":
        clock, first, last = hour % HOURS_OF_DAY, one.first_hour, one.last_hour
        after, before = clock >= first, clock < last
        wanted = wanted * ((after & before) if first < last else (after | before))
    if one.hourly_fraction is not None:
        wanted = wanted * np.resize(np.asarray(one.hourly_fraction, dtype=float), hours)
    return wanted


def _placed(one: Booking, most: np.ndarray, free: np.ndarray, least: Any = 0.0) -> np.ndarray:
    """What it takes of the free GPUs: at most ``most`` in each hour, until its work is done."""
    step = step_gpus(one)
    fewer = np.floor(free / step + TINY) * step if step > 0 else free
    fewer = np.zeros_like(free) if one.gang else np.minimum(fewer, free)
    take = np.maximum(np.where(most <= free + TINY, np.minimum(most, free), fewer), least)
    return take if one.reserved else _until_done(one, take, most > 0)


def _until_done(one: Booking, take: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Only the hours that the job needs; none for one that must not stop and would have to."""
    open_hours = np.flatnonzero(wanted)
    offered, placed = take[open_hours], np.zeros_like(take)
    done = np.concatenate(([0.0], np.cumsum(offered)))
    work = work_gpu_hours(one)
    little = TINY * max(work, 1.0)
    first = 0
    if not one.preemptible:
        stops = np.where(offered > TINY, len(offered), np.arange(len(offered)))
        stop = np.minimum.accumulate(stops[::-1])[::-1]
        able = np.flatnonzero(done[stop] - done[:-1] >= work - little)
        if not len(able):
            return placed
        first = int(able[0])
    # The work done before an hour tells what is left for it.
    left = work - (done[first:-1] - done[first])
    run = np.minimum(offered[first:], left)
    placed[open_hours[first:]] = np.where(left > little, offered[first:] if one.gang else run, 0.0)
    return placed


def _told(
    bookings: tuple[Booking, ...],
    capacity: np.ndarray,
    wants: np.ndarray,
    used: np.ndarray,
) -> FleetCalendar:
    """The calendar with what became of each booking."""
    hours, count = len(capacity), len(bookings)
    wanted, ran = wants > 0, used > 0
    quotas = np.array([own_gpus(one) for one in bookings]).reshape(count, 1)
    reserved = np.array([one.reserved for one in bookings], dtype=bool)
    work = np.array([work_gpu_hours(one) for one in bookings])
    short = np.where(reserved, wants.sum(axis=1), work) - used.sum(axis=1)
    short = np.where(short > 1e-6 * np.maximum(work, 1.0), short, 0.0)
    ended = ~reserved & (short == 0)
    last = np.where(ran.any(axis=1), hours - ran[:, ::-1].argmax(axis=1), 0)
    first = np.where(ran.any(axis=1), ran.argmax(axis=1), np.inf)
    asked = wanted.any(axis=1) & (reserved | (work > 0))
    plan = FleetCalendar(
        bookings=bookings,
        capacity_gpus=capacity,
        gpus=used,
        borrowed_gpus=np.maximum(used - quotas, 0.0),
        end_h=np.where(ended, last, np.nan),
        waiting_h=np.where(asked, first - wanted.argmax(axis=1), 0.0),
        preemptions=_stops(wanted, ran, np.where(ended, last, hours)),
        short_gpu_hours=short,
        late=(),
    )
    return replace(plan, late=tuple(_late(plan, wants[row], row) for row in range(count)))


def _stops(wanted: np.ndarray, ran: np.ndarray, until: np.ndarray) -> np.ndarray:
    """How often a booking ran in one of its hours and not in the next, before its end."""
    counts = np.zeros(len(wanted))
    for row, end in enumerate(until):
        on = ran[row, : int(end)][wanted[row, : int(end)]]
        counts[row] = np.count_nonzero(on[:-1] & ~on[1:])
    return counts


def _late(plan: FleetCalendar, wanted: np.ndarray, row: int) -> str:
    """What a booking misses and why, in one sentence; "" when it misses nothing."""
    one, short, end = plan.bookings[row], plan.short_gpu_hours[row], plan.end_h[row]
    due = len(wanted) if one.deadline_h is None else one.deadline_h
    if short == 0 and not end > due:
        return ""
    if one.reserved:
        told = f"{one.workload} gets {short:,.4g} GPU-hours less than it wants"
    elif not plan.gpus[row].any():
        told = f"{one.workload} never runs"
    elif short > 0:
        told = f"{one.workload} leaves {short:,.4g} GPU-hours of its work undone"
    else:
        told = f"{one.workload} ends {end - due:,.4g} h after its deadline"
    return f"{told}: {_cause(plan, wanted, row, due)}."


def _cause(plan: FleetCalendar, wanted: np.ndarray, row: int, due: float) -> str:
    """Its own size, its own hours, or the booking that holds most of what it lacks."""
    one, fleet = plan.bookings[row], plan.capacity_gpus
    if one.gpus > fleet.max() + TINY and (one.gang or one.reserved):
        return (
            f"it wants {one.gpus:g} GPUs at once and the fleet has {fleet.max():g}, so add GPUs "
            "or give it fewer"
        )
    before = np.arange(len(wanted)) < due
    alone = _placed(one, wanted, fleet) * before
    needed = wanted.sum() if one.reserved else work_gpu_hours(one)
    if alone.sum() < needed * (1.0 - TINY) - TINY:
        hours = int(np.count_nonzero(wanted[before]))
        return (
            f"with the whole fleet to itself it would do {alone.sum():,.4g} of {needed:,.4g} "
            f"GPU-hours in the {hours} hours that it has, so give it more hours or more GPUs"
        )
    lacking = (wanted > plan.gpus[row] + TINY) & before
    taken = plan.gpus[:, lacking].sum(axis=1)
    taken[row] = 0.0
    if not taken.any():
        return "GPUs are out of service in its hours, so give it others"
    holder = plan.bookings[int(taken.argmax())]
    own, unbroken = own_gpus(one), "" if one.preemptible or one.reserved else " without a break"
    borrows = "" if own >= one.gpus else f" and only {own:g} of its {one.gpus:g} GPUs are its own"
    raised = "raise its priority, " if _turn(one)[0] == _turn(holder)[0] else ""
    raised = "raise its quota, " if borrows else raised
    return (
        f"{holder.workload} holds most of the GPUs that it waits for{unbroken}{borrows}, so "
        f"{raised}move one of them or add GPUs"
    )
