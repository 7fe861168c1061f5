"""The fleet's calendar: hand-worked weeks, an hour-by-hour oracle, and what is always true."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import InvalidScenario
from planner.placement import Booking, FleetCalendar, fleet_calendar

EXACT = 1e-6
"""GPU-hours that rounding may lose."""


def job(workload: str, gpus: float, gpu_hours: float, **other: object) -> Booking:
    return Booking(workload, gpus, gpu_hours=gpu_hours, **{"preemptible": True, **other})


def hours_of(plan: FleetCalendar, row: int) -> list[int]:
    return np.flatnonzero(plan.gpus[row]).tolist()


# --- By hand -----------------------------------------------------------------------------------


def test_a_fine_tune_fills_the_nights_of_an_office_service() -> None:
    """8 GPUs, 6 of them for chat from 7 to 19: a gang of 8 runs 0-7 and, stopped once, 19-22."""
    chat = Booking("chat", 6, "office hours")
    plan = fleet_calendar([chat, job("tune", 8, 80, gang=True)], 8)
    assert plan.gpus[0].sum() == 60 * 6
    assert hours_of(plan, 1) == [*range(7), 19, 20, 21]
    assert plan.end_h[1] == 22 and plan.preemptions[1] == 1 and plan.waiting_h[1] == 0
    assert plan.idle_gpu_hours == 168 * 8 - 360 - 80
    assert plan.idle_fraction == pytest.approx(1 - 440 / 1344)
    # At noon: 2 GPUs on five days, 8 on two. At 3: 8 on all days but Monday.
    assert plan.idle_by_hour_of_day[12] == pytest.approx((5 * 2 + 2 * 8) / 7)
    assert plan.idle_by_hour_of_day[3] == pytest.approx(6 * 8 / 7)
    assert plan.late == ("", "")


def test_what_may_not_be_stopped_waits_for_hours_that_it_can_keep() -> None:
    """The same job without preemption needs ten hours in a row: Monday 19:00 to Tuesday 5:00."""
    chat = Booking("chat", 6, "office hours")
    plan = fleet_calendar([chat, job("tune", 8, 80, gang=True, preemptible=False)], 8)
    assert hours_of(plan, 1) == list(range(19, 29))
    assert plan.waiting_h[1] == 19 and plan.preemptions[1] == 0


def test_batch_shrinks_by_replicas() -> None:
    """Chat leaves 3 of 8 GPUs by day; replicas of 2 take 2 of them, and all 8 at night."""
    chat = Booking("chat", 5, "office hours")
    plan = fleet_calendar([chat, job("batch", 8, 100, step_gpus=2)], 8)
    assert plan.gpus[1][:19].tolist() == [8] * 7 + [2] * 12
    # 56 + 24 = 80 by 19:00; the other 20 are 8 + 8 + 4.
    assert plan.gpus[1][19:23].tolist() == [8, 8, 4, 0]
    assert plan.preemptions[1] == 0


def test_windows_cross_midnight() -> None:
    plan = fleet_calendar([job("batch", 1, 20, kind="window", first_hour=22, last_hour=6)], 1)
    assert hours_of(plan, 0) == [*range(6), 22, 23, *range(24, 30), *range(46, 52)]
    assert plan.preemptions[0] == 0


def test_priority_then_deadline_then_start() -> None:
    jobs = [
        job("low", 4, 8, gang=True),
        job("urgent", 4, 8, gang=True, deadline_h=5),
        job("high", 4, 8, gang=True, priority=1, start_day=1 / 24),
    ]
    plan = fleet_calendar(jobs, 4)
    assert [hours_of(plan, row) for row in range(3)] == [[4, 5], [0, 3], [1, 2]]
    assert plan.preemptions.tolist() == [0, 1, 0]
    assert plan.late == ("", "", "")


def test_borrowing_takes_only_what_others_leave() -> None:
    """8 GPUs: batch owns 2 of its 8 and borrows; the owner's gang of 6 comes at hour 10."""
    batch = job("batch", 8, 100, quota_gpus=2, priority=9)
    tune = job("tune", 6, 30, gang=True, start_day=10 / 24)
    plan = fleet_calendar([batch, tune], 8)
    assert hours_of(plan, 1) == list(range(10, 15)), "what is borrowed is given back at once"
    assert plan.gpus[0][:17].tolist() == [8] * 10 + [2] * 5 + [8, 2]
    assert plan.borrowed_gpus[0][:17].tolist() == [6] * 10 + [0] * 5 + [6, 0]


def test_a_gang_beyond_its_quota_borrows_all_of_itself() -> None:
    """Half a gang is of no use, so the batch job with its own 4 GPUs goes first."""
    gang = job("tune", 8, 16, gang=True, quota_gpus=7, priority=9)
    plan = fleet_calendar([gang, job("batch", 4, 8, quota_gpus=4)], 8)
    assert hours_of(plan, 0) == [2, 3] and hours_of(plan, 1) == [0, 1]
    assert plan.borrowed_gpus[0].sum() == 16


def test_slices_share_a_gpu() -> None:
    plan = fleet_calendar([Booking("notebooks", 0.75), job("small", 0.25, 1.0, gang=True)], 1)
    assert plan.end_h[1] == 4 and plan.idle_gpus[0] == pytest.approx(0)


def test_reservations_follow_their_week() -> None:
    shape = np.zeros(168)
    shape[30:40] = 0.5
    plan = fleet_calendar([Booking("chat", 4, hourly_fraction=shape)], 4, weeks=2)
    assert hours_of(plan, 0) == [*range(30, 40), *range(198, 208)]
    assert plan.gpus[0].max() == 2


def test_a_gang_keeps_its_gpus_to_the_end_of_the_hour() -> None:
    plan = fleet_calendar([job("tune", 8, 50, gang=True)], 8)
    assert plan.gpus[0].sum() == 56 and plan.end_h[0] == 7


def test_a_campaign_ends_with_its_days() -> None:
    plan = fleet_calendar([job("tune", 2, 60, kind="campaign", start_day=1, end_day=2)], 2)
    assert hours_of(plan, 0) == list(range(24, 48))
    assert plan.short_gpu_hours[0] == 12 and np.isnan(plan.end_h[0])


def test_capacity_by_the_hour() -> None:
    """A fleet in maintenance on Monday morning stops what runs on it."""
    fleet = np.full(168, 4.0)
    fleet[2:5] = 0
    plan = fleet_calendar([job("tune", 4, 12, gang=True)], fleet)
    assert hours_of(plan, 0) == [0, 1, 5] and plan.preemptions[0] == 1


def test_one_gpu_more_may_delay_a_smaller_job() -> None:
    """Why no promise is made for gangs: with 4 GPUs the bigger job fits where the smaller ran."""
    jobs = [job("big", 4, 8, gang=True, priority=1), job("small", 3, 6, gang=True)]
    assert fleet_calendar(jobs, 3).end_h[1] == 2
    assert fleet_calendar(jobs, 4).end_h[1] == 4


def test_an_empty_calendar_is_all_idle() -> None:
    plan = fleet_calendar([], 4)
    assert plan.idle_fraction == 1 and plan.idle_gpu_hours == 672 and plan.gpus.shape == (0, 168)


# --- Reasons -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bookings", "words"),
    [
        ([job("tune", 16, 32, gang=True)], "tune never runs: it wants 16 GPUs at once"),
        (
            [job("batch", 8, 160, deadline_h=10)],
            "batch ends 10 h after its deadline: with the whole fleet to itself it would do 80 of "
            "160 GPU-hours in the 10 hours that it has",
        ),
        (
            [job("tune", 8, 80, deadline_h=12, gang=True), Booking("chat", 6, end_day=0.5)],
            "tune ends 10 h after its deadline: chat holds most of the GPUs that it waits for, so",
        ),
        (
            [job("batch", 8, 60, quota_gpus=0, deadline_h=8), job("tune", 8, 32, gang=True)],
            "batch ends 4 h after its deadline: tune holds most of the GPUs that it waits for and "
            "only 0 of its 8 GPUs are its own, so raise its quota",
        ),
        ([Booking("chat", 9)], "chat gets 168 GPU-hours less than it wants: it wants 9 GPUs"),
        (
            [job("batch", 8, 2000, gang=False)],
            "batch leaves 656 GPU-hours of its work undone: with the whole fleet to itself it "
            "would do 1,344 of 2,000",
        ),
    ],
)
def test_what_is_late_says_why(bookings: list[Booking], words: str) -> None:
    plan = fleet_calendar(bookings, 8)
    assert plan.late[0].startswith(words) and plan.late[0].endswith(".")
    assert not any(plan.late[1:])


# --- An oracle ---------------------------------------------------------------------------------


def hour_by_hour(bookings: list[Booking], capacity: int) -> np.ndarray:
    """A scheduler without foresight: in each hour, by priority, whoever fits takes what it may."""
    left = [one.gpu_hours for one in bookings]
    used = np.zeros((len(bookings), 168))
    for hour in range(168):
        free = capacity
        for row in sorted(range(len(bookings)), key=lambda row: (-bookings[row].priority, row)):
            one = bookings[row]
            if hour < one.start_day * 24 or left[row] <= 0:
                continue
            take = one.gpus if one.gang else min(one.gpus, left[row])
            offered = one.gpus if one.gpus <= free else 0 if one.gang else free
            take = min(take, offered)
            used[row, hour] = take
            left[row] -= take
            free -= take
    return used


stoppable = st.builds(
    job,
    st.just("job"),
    st.integers(1, 8),
    st.integers(1, 300),
    gang=st.booleans(),
    priority=st.integers(0, 2),
    start_day=st.integers(0, 100).map(lambda hour: hour / 24),
)


@given(bookings=st.lists(stoppable, max_size=8), capacity=st.integers(1, 12))
def test_planning_ahead_equals_scheduling_hour_by_hour(
    bookings: list[Booking], capacity: int
) -> None:
    """For jobs that may be stopped, placing one after the other is preemption by priority."""
    plan = fleet_calendar(bookings, capacity)
    # The start in hours is a float of days; the oracle reads it in the same way.
    ordered = sorted(bookings, key=lambda one: (-one.priority, one.start_day))
    rows = sorted(
        range(len(bookings)), key=lambda r: (-bookings[r].priority, bookings[r].start_day)
    )
    assert plan.gpus[rows] == pytest.approx(hour_by_hour(ordered, capacity))


# --- What is always true -----------------------------------------------------------------------


@st.composite
def any_booking(draw: st.DrawFn) -> Booking:
    gpus = draw(st.sampled_from([0.25, 0.5, 1.0, 1.5, 2.0, 4.0, 8.0]))
    start = draw(st.integers(0, 5))
    work = draw(st.none() | st.integers(0, 4000).map(lambda tenths: tenths / 10))
    preemptible = draw(st.booleans())
    may_borrow = work is None or preemptible
    share = draw(st.sampled_from([0.0, 0.3, 0.5, 1.0])) if may_borrow else 1.0
    profile = draw(st.sampled_from([None, np.linspace(0, 1, 168)])) if work is None else None
    return Booking(
        workload="any",
        gpus=gpus,
        kind=draw(st.sampled_from(["steady", "office hours", "window", "campaign"])),
        gpu_hours=work,
        gang=draw(st.booleans()),
        step_gpus=draw(st.sampled_from([0.0, 0.5, 1.0, 2.0])),
        priority=draw(st.integers(0, 2)),
        preemptible=preemptible,
        quota_gpus=np.inf if share == 1.0 else share * gpus,
        start_day=start,
        end_day=draw(st.sampled_from([None, start + 1, start + 9])),
        deadline_h=draw(st.none() | st.floats(1, 300)),
        hourly_fraction=profile,
    )


any_bookings = st.lists(any_booking(), max_size=10)
any_capacity = st.sampled_from([0.5, 1.0, 3.0, 8.0, 12.5]) | st.integers(0, 3).map(
    lambda low: np.tile([low, low + 4.0], 84)
)


@given(bookings=any_bookings, capacity=any_capacity)
def test_no_hour_beyond_capacity_and_gangs_whole(bookings: list[Booking], capacity) -> None:
    plan = fleet_calendar(bookings, capacity, weeks=2)
    assert np.all(plan.gpus >= 0)
    assert np.all(plan.gpus.sum(axis=0) <= plan.capacity_gpus + EXACT)
    for one, used in zip(bookings, plan.gpus, strict=True):
        assert np.all(used <= one.gpus + EXACT)
        if one.gang and one.hourly_fraction is None:
            assert np.all((used == 0) | (used == one.gpus))


@given(bookings=any_bookings, capacity=any_capacity)
def test_work_is_done_once_or_reported(bookings: list[Booking], capacity) -> None:
    plan = fleet_calendar(bookings, capacity, weeks=2)
    for row, one in enumerate(bookings):
        done, short = plan.gpus[row].sum(), plan.short_gpu_hours[row]
        if one.reserved:
            continue
        if one.gang:
            assert done + short == pytest.approx(np.ceil(one.gpu_hours / one.gpus) * one.gpus)
        else:
            assert done + short == pytest.approx(one.gpu_hours, abs=EXACT)
        late = one.deadline_h is not None and plan.end_h[row] > one.deadline_h
        assert bool(plan.late[row]) == bool(short > 0 or late)
        assert np.isnan(plan.end_h[row]) == (short > 0)
        if not one.preemptible:
            assert plan.preemptions[row] == 0


@given(bookings=any_bookings, capacity=any_capacity)
def test_guaranteed_never_waits_for_what_may_be_stopped(bookings: list[Booking], capacity) -> None:
    """Take away all that may be stopped: the others do not notice."""
    kept = [row for row, one in enumerate(bookings) if not one.preemptible]
    all_own = [row for row in kept if bookings[row].quota_gpus >= bookings[row].gpus]
    with_all = fleet_calendar(bookings, capacity, weeks=2)
    without = fleet_calendar([bookings[row] for row in kept], capacity, weeks=2)
    for row in all_own:
        assert with_all.gpus[row].tolist() == without.gpus[kept.index(row)].tolist()


@given(bookings=any_bookings, capacity=any_capacity)
def test_borrowing_harms_nobody_who_borrows_nothing(bookings: list[Booking], capacity) -> None:
    """Take away all that own nothing and only borrow: whoever owns all its GPUs does not notice."""
    kept = [row for row, one in enumerate(bookings) if one.quota_gpus > 0]
    all_own = [row for row in kept if bookings[row].quota_gpus >= bookings[row].gpus]
    with_all = fleet_calendar(bookings, capacity, weeks=2)
    without = fleet_calendar([bookings[row] for row in kept], capacity, weeks=2)
    for row in all_own:
        assert with_all.gpus[row].tolist() == without.gpus[kept.index(row)].tolist()


@given(bookings=any_bookings, capacity=any_capacity)
def test_nothing_idles_beside_a_job_that_could_use_it(bookings: list[Booking], capacity) -> None:
    """Where nobody borrows, a job that waits or runs on less than it may is short of GPUs."""
    own = [replace(one, quota_gpus=np.inf) for one in bookings]
    plan = fleet_calendar(own, capacity, weeks=2)
    endless = fleet_calendar(
        [replace(one, gpu_hours=1e9, hourly_fraction=None, preemptible=True) for one in own],
        1e6,
        weeks=2,
    )
    for row, one in enumerate(own):
        if one.reserved or not one.preemptible:
            continue
        end = 336 if np.isnan(plan.end_h[row]) else int(plan.end_h[row]) - 1
        wanted = endless.gpus[row] > 0
        less = wanted & (plan.gpus[row] < one.gpus - EXACT) & (np.arange(336) < end)
        step = one.gpus if one.gang else min(one.step_gpus, one.gpus)
        assert np.all(plan.idle_gpus[less] < max(step, EXACT))


@given(bookings=st.lists(any_booking(), min_size=1, max_size=8), capacity=st.integers(1, 10))
def test_more_gpus_never_delay_the_first_in_order(bookings: list[Booking], capacity: int) -> None:
    first = job("first", 4, 100, priority=99, preemptible=False)
    bookings = [one for one in bookings if not one.reserved]
    less, more = (
        fleet_calendar([first, *bookings], size, weeks=2) for size in (capacity, capacity + 1)
    )
    assert not more.end_h[0] > less.end_h[0]


@given(bookings=st.lists(stoppable, max_size=8), capacity=st.integers(1, 12))
def test_more_gpus_never_delay_jobs_that_shrink_by_any_part(
    bookings: list[Booking], capacity: int
) -> None:
    any_part = [
        job(
            "job",
            one.gpus,
            one.gpu_hours,
            step_gpus=0,
            priority=one.priority,
            start_day=one.start_day,
        )
        for one in bookings
    ]
    less, more = (fleet_calendar(any_part, size) for size in (capacity, capacity + 1))
    assert np.all(np.nan_to_num(more.end_h, nan=169) <= np.nan_to_num(less.end_h, nan=169))


# --- Bad input and speed -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Booking("a", 0), "Booking 'a': gpus is 0, "),
        (lambda: Booking("a", float("nan")), "Booking 'a': gpus is nan"),
        (lambda: Booking("a", 1, "monthly"), "Booking 'a': kind is 'monthly'"),
        (lambda: Booking("a", 1, gpu_hours=-1), "Booking 'a': gpu_hours is -1"),
        (lambda: Booking("a", 1, start_day=2, end_day=2), "Booking 'a': end_day is 2"),
        (lambda: Booking("a", 1, hourly_fraction=[1, 2]), "Booking 'a': hourly_fraction is"),
        (lambda: Booking("a", 4, gpu_hours=8, quota_gpus=2), "Booking 'a': quota_gpus is 2"),
        (lambda: Booking("a", 4, "window", first_hour=7), "Booking 'a': last_hour is 7"),
        (lambda: Booking("a", 4, "window", last_hour=25), "Booking 'a': last_hour is 25"),
        (lambda: fleet_calendar([], -1), "capacity_gpus: -1"),
        (lambda: fleet_calendar([], np.ones(5)), "capacity_gpus: its shape is"),
        (lambda: fleet_calendar([], 4, weeks=0), "weeks: 0"),
        (lambda: fleet_calendar([], 4, weeks=float("nan")), "weeks: nan"),
    ],
)
def test_bad_input_is_one_sentence(call, words: str) -> None:
    with pytest.raises(InvalidScenario) as caught:
        call()
    assert str(caught.value).startswith(words) and str(caught.value).endswith(".")
    assert caught.value.field


@pytest.mark.benchmark
def test_half_a_year_of_sixty_bookings_is_planned_while_a_slider_moves() -> None:
    draw = np.random.default_rng(0)
    bookings = [Booking(f"serving {n}", 4, hourly_fraction=draw.random(168)) for n in range(10)]
    bookings += [job(f"batch {n}", 8, 800, kind="window", quota_gpus=2) for n in range(20)]
    bookings += [
        job(f"tune {n}", 8, 900, gang=True, start_day=n, priority=n % 3) for n in range(30)
    ]
    times = []
    for _ in range(5):
        began = perf_counter()
        fleet_calendar(bookings, 64, weeks=26)
        times.append(perf_counter() - began)
    assert min(times) < 0.05
