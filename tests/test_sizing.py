"""From a service level to replicas: exact chains, properties, and hostile inputs."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import InvalidScenario
from planner.serving import (
    BINDING,
    PERCENTILES,
    ServiceResult,
    ServiceTarget,
    SpeedCurve,
    Traffic,
    erlang_c,
    interpolate,
    machine_repair,
    mean_wait_s,
    population_rate_per_s,
    replica_capacity,
    replicas_for_users,
    replicas_needed,
    service,
    users_of_replicas,
    week_of_replicas,
)

CHAT = Traffic(output_tokens=201, arrival_cv2=1, service_cv2=1, prefill_cv2=0.5)
NO_LIMIT = ServiceTarget(np.inf, np.inf, None)
GRID = np.geomspace(1, 512, 24)
RESOLUTION = 1.001
"""The search for the largest rate is this fine."""


def affine(factor: float = 1.0, slots: float = 256, prefill_s: float = 0.02) -> SpeedCurve:
    """TTFT 0.1 s + 0.5 ms n, TPOT 10 ms + 0.08 ms n, all times the factor."""
    return SpeedCurve(
        GRID,
        factor * (0.1 + 0.0005 * GRID),
        factor * (0.01 + 0.00008 * GRID),
        factor * prefill_s,
        slots,
    )


def flat(slots: float, service_s: float = 1.0) -> SpeedCurve:
    """Every request takes as long whatever the batch: an M/M/c queue with ``slots`` servers."""
    return SpeedCurve([1, 512], [0, 0], [service_s / 200] * 2, 0.0, slots)


def name(binding: object) -> str:
    return BINDING[int(binding)]


# --- Curve -------------------------------------------------------------------------------------


def test_interpolation_equals_numpys() -> None:
    at = np.linspace(0.5, 600, 97)
    values = np.sin(GRID)
    assert interpolate(GRID, values, at) == pytest.approx(np.interp(at, GRID, values))
    both = interpolate(np.stack([GRID, 2 * GRID - 1]), np.stack([values, values]), at[:, None])
    assert both[:, 1] == pytest.approx(np.interp(at, 2 * GRID - 1, values))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("in_flight", [2, 4]),
        ("in_flight", [1, 1]),
        ("in_flight", [1, np.nan]),
        ("ttft_s", [0.1, -1]),
        ("ttft_s", [0.1]),
        ("tpot_s", [0.1, np.nan]),
        ("prefill_s", np.inf),
        ("slots", -1),
    ],
)
def test_a_bad_curve_is_refused_in_one_sentence(field: str, value: object) -> None:
    good = {"in_flight": [1, 2], "ttft_s": [1, 1], "tpot_s": [1, 1], "prefill_s": 1, "slots": 1}
    with pytest.raises(InvalidScenario, match=field):
        SpeedCurve(**{**good, field: value})


# --- Little's law ------------------------------------------------------------------------------


@given(load=st.floats(0.01, 0.9))
def test_in_flight_equals_the_exact_chain(load: float) -> None:
    """With T(n) = t0 + t1 n the births and deaths are negative binomial: N = r (t0 + t1) /
    (1 - r t1) at rate r, exactly."""
    t0, t1 = 0.1 + 200 * 0.01, 0.0005 + 200 * 0.00008
    rate = load / t1 * 0.8
    exact = rate * (t0 + t1) / (1 - rate * t1)
    found = service(affine(slots=512), CHAT, NO_LIMIT, rate).in_flight
    assert found == pytest.approx(min(exact, 512), rel=1e-9)


@given(rate=st.floats(0.1, 30), slots=st.integers(1, 60))
def test_waiting_for_a_slot_is_never_below_the_exact_chain(rate: float, slots: int) -> None:
    curve = affine(slots=slots, prefill_s=0.0)
    batch = np.arange(1, slots + 1)
    held = curve.ttft_at(batch) + 200 * curve.tpot_at(batch)
    use = rate * held[-1] / slots
    result = service(curve, CHAT, NO_LIMIT, rate)
    if use >= 1:
        assert result.waiting_s == np.inf and name(result.binding) == "slots"
        return
    weights = np.cumprod(np.r_[1.0, rate * held / batch])
    late = weights[-1] / (1 - use)
    chance = late / (weights[:-1].sum() + late)
    exact = chance * held[-1] / slots / (1 - use)
    assert result.waiting_s >= exact * (1 - 1e-6)


@given(rate=st.floats(0.01, 24.9))
def test_a_flat_curve_is_erlang_c(rate: float) -> None:
    result = service(flat(25), CHAT, NO_LIMIT, rate)
    assert result.waiting_s == pytest.approx(float(mean_wait_s(rate, 25, 1.0, 1, 1)), rel=1e-6)
    assert result.in_flight == pytest.approx(rate, rel=1e-9)
    assert result.utilisation_fraction == pytest.approx(rate / 25, rel=1e-9)
    late = service(flat(25), CHAT, ServiceTarget(np.inf, np.inf, 0.95), rate).waiting_s
    chance = float(erlang_c(rate, 25))
    assert chance * np.exp(-late * (25 - rate)) <= 0.05 + 1e-9


def test_prefill_is_a_second_server() -> None:
    """M/D/1 at 80 %: half of rho / (1 - rho) services of waiting."""
    curve = SpeedCurve([1, 512], [0.2, 0.2], [0.001, 0.001], 0.2, 512)
    traffic = Traffic(201, 1, 1, 0)
    result = service(curve, traffic, NO_LIMIT, 4.0)
    assert result.waiting_s == pytest.approx(0.4, rel=1e-6)
    assert result.utilisation_fraction == pytest.approx(0.8)
    assert name(service(curve, traffic, NO_LIMIT, 5.0).binding) == "prefill"


# --- Capacity ----------------------------------------------------------------------------------


@pytest.mark.parametrize("percentile", PERCENTILES)
@pytest.mark.parametrize(("ttft", "tpot"), [(2, 0.02), (0.3, 1), (np.inf, np.inf), (1, 0.03)])
def test_capacity_is_the_edge(percentile: float | None, ttft: float, tpot: float) -> None:
    """The service level holds there and no longer just above."""
    for curve in (affine(), affine(slots=20), affine(prefill_s=0.05)):
        target = ServiceTarget(ttft, tpot, percentile)
        most = replica_capacity(curve, CHAT, target)
        assert most.rate_per_s > 0
        assert name(service(curve, CHAT, target, most.rate_per_s).binding) == "none"
        above = service(curve, CHAT, target, most.rate_per_s * RESOLUTION)
        assert name(above.binding) == name(most.binding) != "none"


def test_the_binding_limit_has_the_right_name() -> None:
    def binds(curve: SpeedCurve, ttft: float, tpot: float) -> str:
        return name(replica_capacity(curve, CHAT, ServiceTarget(ttft, tpot, 0.95)).binding)

    assert binds(affine(), 9, 0.015) == "tpot"
    assert binds(affine(prefill_s=0), 0.12, 9) == "ttft"
    assert binds(affine(slots=8), 2, 9) == "slots"
    assert binds(affine(prefill_s=0.1), 2, 9) == "prefill"


@pytest.mark.parametrize(("percentile", "possible"), [(0.95, True), (0.99, False)])
def test_long_prompts_alone_can_break_a_percentile(percentile: float, possible: bool) -> None:
    """Log-normal prompts, squared variation 0.5; the mean one takes 90 ms of a TTFT of 0.1 s. One
    in twenty takes 0.12 s more than that, one in a hundred 0.23 s: too long for 0.3 s."""
    sigma = np.sqrt(np.log(1.5))
    score = {0.95: 1.644854, 0.99: 2.326348}[percentile]
    longer = 0.09 * (np.exp(score * sigma - sigma**2 / 2) - 1)
    assert (0.1005 + longer < 0.3) == possible
    curve, target = affine(prefill_s=0.09), ServiceTarget(0.3, 1, percentile)
    alone = service(curve, CHAT, target, 0.0)
    assert alone.ttft_s == pytest.approx(0.1005 + longer, rel=1e-6)
    most = replica_capacity(curve, CHAT, target)
    assert (most.rate_per_s > 0) == possible and name(most.binding) in ("ttft", "prefill")


def test_an_impossible_service_level_needs_infinite_replicas() -> None:
    for target, limit in (
        (ServiceTarget(0.05, 1, 0.95), "ttft"),
        (ServiceTarget(1, 0.005, None), "tpot"),
    ):
        most = replica_capacity(affine(), CHAT, target)
        assert most.rate_per_s == 0 and name(most.binding) == limit
        assert replicas_needed(1.0, most.rate_per_s) == np.inf
    full = replica_capacity(affine(slots=0), CHAT, NO_LIMIT)
    assert full.rate_per_s == 0 and name(full.binding) == "slots"


def test_a_batch_beyond_the_best_throughput_is_not_used() -> None:
    """Where a larger batch finishes fewer requests, the smaller one is the capacity."""
    curve = SpeedCurve([1, 8, 64], [0, 0, 0], [0.01, 0.01, 1.0], 0.0, 64)
    most = replica_capacity(curve, CHAT, NO_LIMIT)
    assert most.rate_per_s == pytest.approx(8 / 2.0, rel=1e-3)


@given(
    factor=st.floats(1.0, 3.0),
    percentile=st.sampled_from(PERCENTILES),
    ttft=st.floats(0.2, 5),
    tpot=st.floats(0.011, 0.1),
    demand=st.floats(0.1, 500),
)
def test_a_faster_curve_never_needs_more(
    factor: float, percentile: float | None, ttft: float, tpot: float, demand: float
) -> None:
    target = ServiceTarget(ttft, tpot, percentile)
    fast, slow = (replica_capacity(affine(f), CHAT, target).rate_per_s for f in (1.0, factor))
    assert replicas_needed(demand, fast * RESOLUTION) <= replicas_needed(demand, slow)


@given(low=st.floats(0, 20), more=st.floats(0, 5), percentile=st.sampled_from(PERCENTILES))
def test_more_load_is_never_better(low: float, more: float, percentile: float | None) -> None:
    target = ServiceTarget(2, 0.05, percentile)
    calm, busy = (service(affine(), CHAT, target, rate) for rate in (low, low + more))
    for field in ("in_flight", "waiting_s", "ttft_s", "tpot_s", "utilisation_fraction"):
        assert getattr(calm, field) <= getattr(busy, field) * (1 + 1e-9), field


@given(demand=st.floats(0.1, 300), percentile=st.sampled_from(PERCENTILES))
def test_sized_replicas_keep_the_service_level(demand: float, percentile: float | None) -> None:
    """And one replica more is no worse; utilisation stays below 1."""
    target = ServiceTarget(1, 0.03, percentile)
    replicas = replicas_needed(demand, replica_capacity(affine(), CHAT, target).rate_per_s)
    enough, spare = (service(affine(), CHAT, target, demand / (replicas + k)) for k in (0, 1))
    assert name(enough.binding) == "none" and enough.utilisation_fraction < 1
    assert spare.ttft_s <= enough.ttft_s and spare.tpot_s <= enough.tpot_s


def stacked() -> tuple[SpeedCurve, list[SpeedCurve]]:
    """Low, nominal and high times of four layouts, and the same one by one."""
    factors = np.array([0.8, 1.0, 1.3])[:, None]
    slots = np.array([0.0, 10, 100, 400]) + 0 * factors
    prefill = np.array([0.01, 0.02, 0.04, 0.02]) * factors
    ttft = np.multiply.outer(factors + 0 * slots, 0.1 + 0.0005 * GRID)
    tpot = np.multiply.outer(factors + 0 * slots, 0.01 + 0.00008 * GRID)
    whole = SpeedCurve(GRID, ttft, tpot, prefill, slots)
    each = [SpeedCurve(GRID, ttft[i], tpot[i], prefill[i], slots[i]) for i in np.ndindex(3, 4)]
    return whole, each


@pytest.mark.parametrize("think_s", [np.inf, 30.0])
def test_scalar_equals_array(think_s: float) -> None:
    whole, each = stacked()
    traffic, target = Traffic(201, 1, 1, 0.5, think_s), ServiceTarget(1, 0.03, 0.9)
    together = replica_capacity(whole, traffic, target)
    alone = [replica_capacity(one, traffic, target) for one in each]
    for field in ("rate_per_s", "users", "in_flight", "binding"):
        values = [float(getattr(one, field)) for one in alone]
        assert getattr(together, field).ravel() == pytest.approx(values, rel=1e-9)
    hours = np.array([0.0, 3.0, 40.0])[:, None, None]
    results = service(whole, traffic, target, hours)
    assert results.ttft_s.shape == (3, 3, 4)
    for row, rate in enumerate(hours.ravel()):
        one_by_one = [float(service(one, traffic, target, rate).ttft_s) for one in each]
        assert results.ttft_s[row].ravel() == pytest.approx(one_by_one, rel=1e-9)


@pytest.mark.parametrize("think_s", [np.inf, 30.0])
def test_limits_and_traffic_broadcast_too(think_s: float) -> None:
    """Three service levels by two kinds of arrivals for one curve."""
    ttft, bursts = np.array([[0.2], [0.5], [5.0]]), np.array([1.0, 4.0])
    traffic = Traffic(201, bursts, 1, 0.5, think_s)
    together = replica_capacity(affine(), traffic, ServiceTarget(ttft, 0.03, 0.9))
    for i, j in np.ndindex(3, 2):
        one = Traffic(201, bursts[j], 1, 0.5, think_s)
        alone = replica_capacity(affine(), one, ServiceTarget(ttft[i, 0], 0.03, 0.9))
        for field in ("rate_per_s", "users", "in_flight", "binding"):
            expected = float(getattr(alone, field))
            assert getattr(together, field)[i, j] == pytest.approx(expected, rel=1e-9)


def test_a_range_is_carried_to_replicas() -> None:
    whole, _ = stacked()
    capacity = replica_capacity(whole, CHAT, ServiceTarget(1, 0.03, 0.9)).rate_per_s
    replicas = replicas_needed(200.0, capacity)
    assert np.all(replicas[:-1, 1:] <= replicas[1:, 1:]) and np.all(replicas[:, 0] == np.inf)


# --- A known number of people ------------------------------------------------------------------


def test_staff_equal_the_machine_repair_model() -> None:
    """25 slots of 1 s and 50 people who think for 2 s: the published model, term by term."""
    traffic = Traffic(201, 1, 1, 1, think_s=2.0)
    rate = population_rate_per_s(flat(25), traffic, 50)
    assert rate == pytest.approx(50 / 3, rel=1e-9)
    chance, each = machine_repair(50, 0.5, 25)
    result = service(flat(25), traffic, NO_LIMIT, rate)
    assert result.waiting_s == pytest.approx(float(chance * each), rel=1e-6)


def test_staff_wait_less_than_strangers() -> None:
    target = ServiceTarget(0.5, 1, 0.95)
    curve = flat(25)
    open_rate = replica_capacity(curve, CHAT, target).rate_per_s
    staff = replica_capacity(curve, Traffic(201, 1, 1, 0.5, think_s=2.0), target)
    assert staff.rate_per_s > open_rate
    many = replica_capacity(curve, Traffic(201, 1, 1, 0.5, think_s=1e7), target)
    assert many.rate_per_s == pytest.approx(float(open_rate), rel=1e-3)
    assert staff.users == pytest.approx(float(staff.rate_per_s) * 3, rel=0.1)


def test_staff_need_a_time_between_requests() -> None:
    with pytest.raises(InvalidScenario, match="between requests"):
        population_rate_per_s(flat(2), CHAT, 10)


# --- Fleet -------------------------------------------------------------------------------------


def test_week() -> None:
    """Office hours on five days of seven: 4 replicas for 40 hours, 1 for 128."""
    rate = np.ones(168)
    for day in range(5):
        rate[day * 24 + 9 : day * 24 + 17] = 7.5
    week = week_of_replicas(rate, np.array([2.0, 0.0]), 0)
    assert week.peak_replicas.tolist() == [4, np.inf]
    assert week.replica_hours[0] == 40 * 4 + 128
    assert week.idle_fraction[0] == pytest.approx(1 - 288 / 672)
    assert week.load_fraction[0] == pytest.approx((40 * 7.5 + 128) / (168 * 8))
    assert week.idle_fraction[1] == 0 and week.load_fraction[1] == 0
    empty = week_of_replicas(np.zeros(168), 2.0, 0)
    assert empty.peak_replicas == 0 and empty.idle_fraction == 0


@given(users=st.integers(0, 10**7), rate=st.floats(1e-4, 1), capacity=st.floats(0.01, 1e4))
def test_users_and_replicas_are_inverse(users: int, rate: float, capacity: float) -> None:
    replicas = replicas_for_users([users], rate, capacity)[0]
    assert users_of_replicas(replicas, rate, capacity) >= users - 1
    if replicas > 1:
        assert users_of_replicas(replicas - 1, rate, capacity) <= users


# --- Hostile -----------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.0, 1e-300, 1e9, 1e300])
@pytest.mark.parametrize("slots", [0, 1, 256, 1e9])
@pytest.mark.parametrize("think_s", [np.inf, 1e-6, 30.0])
def test_any_rate_gives_a_number_or_infinity(rate: float, slots: float, think_s: float) -> None:
    traffic = Traffic(1, 0, 0, 0, think_s)
    for percentile in PERCENTILES:
        result = service(affine(slots=slots), traffic, ServiceTarget(1, 1, percentile), rate)
        for field in ServiceResult.__slots__:
            assert not np.isnan(getattr(result, field)), field
        if rate > 1e6 or slots == 0:
            assert result.ttft_s == np.inf and name(result.binding) == "slots"


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: service(affine(), CHAT, NO_LIMIT, -1.0),
        lambda: service(affine(), CHAT, NO_LIMIT, np.nan),
        lambda: service(affine(), CHAT, NO_LIMIT, np.inf),
        lambda: Traffic(0, 1, 1, 1),
        lambda: Traffic(10, -1, 1, 1),
        lambda: ServiceTarget(np.nan, 1, 0.95),
        lambda: ServiceTarget(1, 1, 95),
        lambda: ServiceTarget(1, 1, 0.1),
        lambda: replicas_needed(np.nan, 1),
    ],
)
def test_nonsense_is_refused(mistake: object) -> None:
    with pytest.raises(InvalidScenario):
        mistake()


def curves(candidates: int) -> SpeedCurve:
    """Fast, nominal and slow curves of 24 points, one row each."""
    factor = np.array([0.85, 1.0, 1.2])[:, None, None] * np.linspace(1, 2, candidates)[:, None]
    return SpeedCurve(
        GRID,
        factor * (0.1 + 0.0005 * GRID),
        factor * (0.01 + 0.00008 * GRID),
        0.05 * factor[..., 0],
        256,
    )


def best_s(action: Callable[[], object]) -> float:
    def once() -> float:
        start = perf_counter()
        action()
        return perf_counter() - start

    return min(once() for _ in range(20))


@pytest.mark.benchmark
@pytest.mark.parametrize(("candidates", "most_s"), [(1, 0.0015), (60, 0.010)])
def test_capacity_takes_milliseconds(candidates: int, most_s: float) -> None:
    """For a slider: one candidate with its range, and sixty."""
    curve, target = curves(candidates), ServiceTarget(2, 0.05, 0.95)
    assert best_s(lambda: replica_capacity(curve, CHAT, target)) < most_s


@pytest.mark.benchmark
def test_a_scenario_takes_milliseconds() -> None:
    """Eight layouts of 24 points with their ranges, and a week of 168 hours."""
    curve, target, week = curves(8), ServiceTarget(2, 0.05, 0.95), np.linspace(1, 100, 168)

    def scenario() -> None:
        most = replica_capacity(curve, CHAT, target).rate_per_s
        service(curve, CHAT, target, 100 / replicas_needed(100.0, most))
        week_of_replicas(week, most, 1)

    assert best_s(scenario) < 0.005
