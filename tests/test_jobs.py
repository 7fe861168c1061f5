"""Jobs and people: published checkpoint intervals and failure rates, exact sums, simulations."""

from __future__ import annotations

from fractions import Fraction
from math import comb, isclose

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import InvalidScenario
from planner.training import (
    GPU_MTBF_H,
    WORKLOAD_SHAPES,
    NotebookUse,
    batch_run,
    binomial_quantile,
    both_tokens_per_s,
    daly_interval_s,
    expected_wall_s,
    held_fraction,
    isolated_seats,
    job_mtbf_s,
    time_sliced_seats,
    training_run,
    young_interval_s,
)

MINUTE, HOUR = 60.0, 3600.0

# --- Batch inference ---------------------------------------------------------------------------


def test_batch_by_hand() -> None:
    """1e9 tokens at 10,000/s are 27.78 h of one replica: 4 in a night of 8 h, 6.94 h each."""
    run = batch_run(1e6, 900, 100, 10_000.0, hours_per_day=8, gpus_per_replica=2)
    assert run.replicas == 4
    assert run.run_h == pytest.approx(1e9 / 1e4 / 3600 / 4)
    assert run.slack_h == pytest.approx(8 - 1e9 / 1e4 / 3600 / 4)
    assert run.one_less_h == pytest.approx(1e9 / 1e4 / 3600 / 3)
    assert run.gpu_hours == pytest.approx(2 * 1e9 / 1e4 / 3600)


def test_five_nights_are_one_longer_window() -> None:
    assert (
        batch_run(1e7, 900, 100, 1e4, 8, 5).replicas
        == batch_run(1e7, 900, 100, 1e4, 20, 2).replicas
    )


def test_exactly_full_windows_need_no_replica_more() -> None:
    """3 x 0.1 h is more than 0.3 h in floating point; a replica more would be wrong."""
    run = batch_run(0.1 * 3 * 3600, 1, 0, 1.0, hours_per_day=0.1)
    assert run.replicas == 3


def test_a_range_of_speeds_is_a_range_of_replicas() -> None:
    run = batch_run(1e6, 900, 100, np.array([5e3, 1e4, 2e4]), hours_per_day=8)
    assert run.replicas.tolist() == [7, 4, 2]


def test_one_replica_has_no_smaller_fleet_and_no_speed_never_ends() -> None:
    assert batch_run(10, 1, 1, 1e4).one_less_h == np.inf
    none = batch_run(0, 900, 100, 1e4)
    assert (none.replicas, none.run_h, none.gpu_hours) == (0, 0, 0)
    stuck = batch_run(10, 1, 1, np.array([0.0, 1e4]))
    assert stuck.replicas.tolist() == [np.inf, 1]
    assert stuck.run_h[0] == np.inf and stuck.slack_h[0] == -np.inf


@given(
    requests=st.integers(1, 10**7),
    tokens=st.integers(1, 5000),
    rate=st.floats(10, 1e5),
    hours=st.floats(0.5, 24),
    days=st.integers(1, 30),
)
def test_replicas_suffice_and_one_less_does_not(
    requests: int, tokens: int, rate: float, hours: float, days: int
) -> None:
    run = batch_run(requests, tokens, tokens, rate, hours, days)
    assert run.run_h <= run.available_h * (1 + 1e-6)
    assert run.one_less_h > run.available_h * (1 - 1e-6)
    assert run.run_h + run.slack_h == pytest.approx(run.available_h)
    assert run.gpu_hours == pytest.approx(float(run.replicas * run.run_h))


def test_answer_tokens_are_a_part_of_all_tokens() -> None:
    """A quarter of the tokens are answers, so four times as many tokens pass."""
    assert both_tokens_per_s(100.0, 3000, 1000) == 400.0


# --- Checkpoints and interruptions -------------------------------------------------------------


@pytest.mark.parametrize(
    ("mtbf_s", "published_min", "half_unit"),
    [(24 * HOUR, 117, 0.5), (6 * HOUR, 57, 0.5), (15 * MINUTE, 9.1, 0.05)],
)
def test_dalys_own_examples(mtbf_s: float, published_min: float, half_unit: float) -> None:
    """Daly (2006), figures 3 to 5: a checkpoint of 5 minutes."""
    assert daly_interval_s(300.0, mtbf_s) / MINUTE == pytest.approx(published_min, abs=half_unit)


def test_young_by_hand() -> None:
    """sqrt(2 x 5 min x 1,440 min) = 120 min."""
    assert young_interval_s(300.0, 24 * HOUR) == pytest.approx(120 * MINUTE)


def test_young_is_the_limit_of_daly() -> None:
    """For short checkpoints Daly's interval is Young's less two thirds of a checkpoint."""
    young, daly = young_interval_s(1.0, 1e10), daly_interval_s(1.0, 1e10)
    assert young - daly == pytest.approx(2 / 3, abs=1e-4)


def test_beyond_dalys_range_one_checkpoint_each_mtbf() -> None:
    assert daly_interval_s(1000.0, 400.0) == 400.0


def exact_optimum(checkpoint_s: float, mtbf_s: float) -> float:
    """Where the derivative of the expected time is 0, by bisection (no Lambert function needed)."""
    low, high = 0.0, mtbf_s
    for _ in range(200):
        mid = (low + high) / 2
        if (1 - mid / mtbf_s) * np.exp((mid + checkpoint_s) / mtbf_s) > 1:
            low = mid
        else:
            high = mid
    return low


@given(checkpoint=st.floats(1, 3000), ratio=st.floats(3, 1e5))
def test_daly_is_close_to_the_exact_optimum(checkpoint: float, ratio: float) -> None:
    """The time lost by his approximation is below half a percent of the whole."""
    mtbf = checkpoint * ratio
    best = expected_wall_s(1e6, exact_optimum(checkpoint, mtbf), checkpoint, 0.0, mtbf)
    ours = expected_wall_s(1e6, daly_interval_s(checkpoint, mtbf), checkpoint, 0.0, mtbf)
    assert best * (1 - 1e-9) <= ours <= best * 1.005


def simulated_wall_s(
    segments: int, stretch: float, restart: float, mtbf: float, rng: np.random.Generator
) -> float:
    """A job step by step: draw interruptions, restart, repeat the segment."""
    clock = 0.0
    for _ in range(segments):
        need = stretch
        while (strikes := rng.exponential(mtbf)) < need:
            clock += strikes
            need = restart + stretch
        clock += need
    return clock


def test_expected_time_is_the_mean_of_simulated_jobs() -> None:
    """20 segments of 50 min and a checkpoint of 5, restarts of 10 min, M = 3 h."""
    rng = np.random.default_rng(20)
    runs = [simulated_wall_s(20, 55.0, 10.0, 180.0, rng) for _ in range(4000)]
    expected = expected_wall_s(20 * 50.0, 50.0, 5.0, 10.0, 180.0)
    error = np.std(runs) / np.sqrt(len(runs))
    assert abs(np.mean(runs) - expected) < 4 * error
    assert error < 0.005 * expected


def test_without_interruptions_only_checkpoints_take_time() -> None:
    calm = expected_wall_s(1000.0, 100.0, 5.0, 60.0, np.inf)
    assert calm == pytest.approx(1050.0)
    assert expected_wall_s(1000.0, 100.0, 5.0, 60.0, 1e12) == pytest.approx(1050.0, rel=1e-6)


@pytest.mark.parametrize(
    ("gpus", "published_h", "half_unit"), [(16_384, 1.8, 0.05), (131_072, 0.23, 0.005)]
)
def test_published_mean_time_to_failure(gpus: int, published_h: float, half_unit: float) -> None:
    """Kokolis et al. (2024) project both from RSC-1's 6.50 failures in 1,000 node-days."""
    assert job_mtbf_s(GPU_MTBF_H[0], gpus) / HOUR == pytest.approx(published_h, abs=half_unit)


def test_llama_3_was_interrupted_every_three_hours() -> None:
    """419 unexpected interruptions in 54 days of 16,384 GPUs: 3.1 h."""
    assert job_mtbf_s(GPU_MTBF_H[1], 16_384) / HOUR == pytest.approx(54 * 24 / 419)
    assert GPU_MTBF_H[0] < GPU_MTBF_H[1] < GPU_MTBF_H[2]


# --- Training jobs -----------------------------------------------------------------------------


def test_training_by_hand_without_interruptions() -> None:
    """1.44e9 tokens on 4 GPUs of 10,000/s are 10 h, one checkpoint of 6 min at the end."""
    run = training_run(0.48e9, 3, 10_000.0, 4, np.inf, 360.0, 600.0, 5e9, 2)
    assert run.tokens == pytest.approx(1.44e9)
    assert run.compute_s == pytest.approx(10 * HOUR)
    assert run.wall_s == pytest.approx(10.1 * HOUR)
    assert run.gpu_hours == pytest.approx(40.4)
    assert (run.interruptions, run.lost_s) == (0, pytest.approx(0, abs=1e-6))
    assert run.storage_bytes == 10e9


def test_a_range_of_speeds_is_a_range_of_times() -> None:
    run = training_run(1e9, 1, np.array([4e3, 5e3, 6e3]), 8, GPU_MTBF_H[1], 60.0, 600.0)
    assert np.all(np.diff(run.wall_s) < 0) and np.all(np.diff(run.gpu_hours) < 0)


@given(
    tokens=st.floats(1e6, 1e13),
    gpus=st.integers(1, 4096),
    mtbf=st.sampled_from([*GPU_MTBF_H, 1000.0, np.inf]),
    checkpoint=st.floats(1, 600),
    restart=st.floats(0, 3600),
)
def test_parts_of_a_training_job_sum_to_its_time(
    tokens: float, gpus: int, mtbf: float, checkpoint: float, restart: float
) -> None:
    run = training_run(tokens, 1, 3000.0, gpus, mtbf, checkpoint, restart)
    parts = run.compute_s + run.checkpoint_s + run.lost_s
    if np.isfinite(run.wall_s):
        assert isclose(parts, run.wall_s, rel_tol=1e-6)
        assert 0 < run.goodput_fraction < 1
    assert run.interval_s <= run.compute_s
    assert run.wall_s >= run.compute_s


def test_more_gpus_save_time_but_not_gpu_hours() -> None:
    """Each GPU added also adds interruptions: time falls, work rises."""
    run = training_run(1e12, 1, 3000.0, np.array([64, 256, 1024]), GPU_MTBF_H[0], 120.0, 900.0)
    assert np.all(np.diff(run.wall_s) < 0) and np.all(np.diff(run.gpu_hours) > 0)


def test_no_work_takes_no_time() -> None:
    run = training_run(0, 3, 3000.0, 8, GPU_MTBF_H[1], 60.0, 600.0)
    assert (run.wall_s, run.gpu_hours, run.interruptions, run.goodput_fraction) == (0, 0, 0, 1)


def test_four_shapes_each_have_a_rule_a_queue_and_a_duration() -> None:
    assert len({shape.name for shape in WORKLOAD_SHAPES}) == 4
    for column in ("sized_by", "queue", "duration"):
        assert len({getattr(shape, column) for shape in WORKLOAD_SHAPES}) == 4


# --- People ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("people", "chance", "below", "seats"),
    [
        (20, 0.30, 0.8867, 9),
        (10, 0.50, 0.9453, 8),
        (15, 0.20, 0.9389, 6),
        (25, 0.10, 0.9020, 5),
        (20, 0.05, 0.9245, 3),
    ],
)
def test_binomial_tables(people: int, chance: float, below: float, seats: int) -> None:
    """Cumulative tables in any statistics book: one seat fewer covers only ``below``."""
    exact = sum(comb(people, k) * chance**k * (1 - chance) ** (people - k) for k in range(seats))
    assert exact == pytest.approx(below, abs=5e-5)
    assert binomial_quantile(people, chance, 0.95) == seats


def exact_sum(people: int, chance: Fraction, most: int) -> Fraction:
    """P(X <= most), in whole numbers."""
    a, b = chance.numerator, chance.denominator
    terms = (comb(people, k) * a**k * (b - a) ** (people - k) for k in range(most + 1))
    return Fraction(sum(terms), b**people)


@given(
    people=st.integers(0, 150),
    chance=st.fractions(0, 1, max_denominator=1000),
    share=st.fractions(Fraction(1, 1000), Fraction(999, 1000), max_denominator=1000),
)
def test_quantile_equals_exact_sums(people: int, chance: Fraction, share: Fraction) -> None:
    seats = int(binomial_quantile(people, float(chance), float(share)))
    rounding = Fraction(1, 10**10)
    assert exact_sum(people, chance, seats) >= share - rounding
    assert seats == 0 or exact_sum(people, chance, seats - 1) < share + rounding


@pytest.mark.parametrize(("people", "chance"), [(3000, Fraction(1, 3)), (2500, Fraction(1, 500))])
def test_quantile_of_many_people(people: int, chance: Fraction) -> None:
    share = Fraction(999, 1000)
    seats = int(binomial_quantile(people, float(chance), float(share)))
    assert exact_sum(people, chance, seats) >= share > exact_sum(people, chance, seats - 1)


def test_quantiles_broadcast_over_hours() -> None:
    chances = np.linspace(0, 1, 168)
    seats = binomial_quantile(40, chances, np.array([[0.5], [0.95]]))
    assert seats.shape == (2, 168)
    assert np.all(np.diff(seats, axis=-1) >= 0) and np.all(seats[1] >= seats[0])
    assert seats[0, 0] == 0 and seats[1, -1] == 40
    assert seats[1, 84] == binomial_quantile(40, chances[84], 0.95)


def test_held_time_by_integration() -> None:
    """The mean of the smaller of a pause and the limit is the area under the pause's survival."""
    pause, limit, busy = 1200.0, 2000.0, 0.15
    grid = np.linspace(0, limit, 20_001)
    kept = np.trapezoid(np.exp(-grid / pause), grid) / pause
    assert held_fraction(busy, pause, limit) == pytest.approx(busy + (1 - busy) * kept, rel=1e-6)
    assert held_fraction(busy, pause, np.inf) == 1
    assert held_fraction(busy, pause, 0.0) == pytest.approx(busy)


def test_rules_by_hand() -> None:
    """20 people of whom 30 % work and 1/6 of those compute: 9 seats, 3 computing (tables above)."""
    use = NotebookUse(20, 0.3, 1 / 6, seat_memory_bytes=10e9)
    own = isolated_seats(use, 80e9, 4)
    shared = time_sliced_seats(use, 80e9, 4)
    assert (own.seats, own.computing, own.gpus, own.memory_binds) == (9, 3, 3, 0)
    assert (shared.seats, shared.computing, shared.gpus, shared.memory_binds) == (9, 3, 2, 1)
    assert own.memory_bytes == shared.memory_bytes == 90e9
    assert own.idle_seat_fraction == pytest.approx(5 / 6)
    assert own.idle_fraction == pytest.approx(1 - 1 / 12)
    assert shared.idle_fraction == pytest.approx(1 - 1 / 8)


def test_reclaiming_frees_seats_and_costs_restarts() -> None:
    """Pauses of 30 min at 20 % busy: 1.6 pauses an hour, of which 1/e outlast 30 min."""
    use = NotebookUse(60, 0.5, 0.2, 10e9, reclaim_after_s=np.array([0.0, 1800.0, np.inf]))
    plan = isolated_seats(use, 80e9, 7)
    assert plan.seats[0] == plan.computing
    assert np.all(np.diff(plan.seats) > 0) and np.all(np.diff(plan.idle_seat_fraction) > 0)
    assert plan.reclaims_per_hour == pytest.approx([1.6, 1.6 / np.e, 0])
    assert plan.idle_seat_fraction[-1] == pytest.approx(0.8)


@given(
    people=st.integers(0, 500),
    at_work=st.floats(0, 1),
    busy=st.floats(0, 1),
    memory=st.floats(1e9, 90e9),
    slices=st.integers(1, 7),
)
def test_time_slices_never_need_more_and_memory_is_never_promised_twice(
    people: int, at_work: float, busy: float, memory: float, slices: int
) -> None:
    use = NotebookUse(people, at_work, busy, memory)
    own, shared = isolated_seats(use, 80e9, slices), time_sliced_seats(use, 80e9, slices)
    assert shared.gpus <= own.gpus
    for plan in (own, shared):
        assert plan.memory_bytes <= plan.gpus * 80e9 * (1 + 1e-6)
        assert plan.computing <= plan.seats
        assert 0 <= plan.idle_fraction <= 1 and 0 <= plan.idle_seat_fraction <= 1


# --- Bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: batch_run(-1, 1, 1, 1.0), "requests"),
        (lambda: batch_run(1, 1, 1, 1.0, hours_per_day=25), "hours_per_day"),
        (lambda: batch_run(1, 1, 1, float("nan")), "tokens_per_s"),
        (lambda: training_run(1, 1, 0.0, 1, 1e4, 1.0, 0.0), "tokens_per_s_per_gpu"),
        (lambda: training_run(1, 1, 1.0, 0, 1e4, 1.0, 0.0), "gpus"),
        (lambda: training_run(1, 1, 1.0, 1, 1e4, 0.0, 0.0), "checkpoint_s"),
        (lambda: NotebookUse(2.5, 0.5, 0.5, 1e9), "people"),
        (lambda: NotebookUse(10, 1.5, 0.5, 1e9), "at_work_fraction"),
        (lambda: binomial_quantile(10, 0.5, 1.0), "percentile_fraction"),
        (lambda: isolated_seats(NotebookUse(10, 0.5, 0.5, 1e9), 80e9, 0), "slices_per_gpu"),
    ],
)
def test_bad_input_is_one_sentence(call, field: str) -> None:
    with pytest.raises(InvalidScenario, match=rf"^{field}: .*; give .*\.$") as caught:
        call()
    assert caught.value.field == field
