"""The simulation: Erlang C, an exact recursion, its own books, and hostile logs."""

from __future__ import annotations

from heapq import heapreplace
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.errors import InvalidScenario
from planner.serving import (
    Requests,
    ServiceTarget,
    SimulationResult,
    SpeedCurve,
    Traffic,
    disagreement,
    erlang_c,
    mean_wait_s,
    sample_requests,
    service,
    simulate,
    simulation_steps,
)

GRID = np.geomspace(1, 256, 24)
CURVE = SpeedCurve(GRID, 0.1 + 0.0005 * GRID, 0.01 + 0.00008 * GRID, 0.05, 128)


def flat(slots: int) -> SpeedCurve:
    """One second a token whatever the batch, and no prefill."""
    return SpeedCurve([1, 512], [0, 0], [1.0, 1.0], 0.0, slots)


def exponential(load: float, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return np.cumsum(random.exponential(1 / load, count)), random.exponential(1.0, count)


def run(arrival: np.ndarray, held: np.ndarray, curve: SpeedCurve, **more: object):
    """Requests that hold a slot for ``held`` seconds on a flat curve."""
    requests = Requests(arrival, np.ones(len(arrival)), 1 + held)
    return simulate(requests, curve, **{"replicas": 1, "curve_input_tokens": 1, **more})


# --- Against theory ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("load", "servers", "count"),
    [
        (0.5, 1, 400_000),
        (0.6, 1, 300_000),
        (1.2, 2, 800_000),
        (2, 3, 800_000),
        (3, 5, 900_000),
        (7, 10, 1_500_000),
    ],
)
def test_mmc_agrees_with_erlang_c(load: float, servers: int, count: int) -> None:
    """Within 3 %. Against the load of the very log, one standard error is one to two percent."""
    arrival, held = exponential(load, count, seed=20)
    result = run(arrival, held, flat(servers))
    mean = held.mean()
    offered = mean * count / arrival[-1]
    expected = float(mean_wait_s(offered, servers, mean, 1, 1))
    assert result.percentiles(None)[0] == pytest.approx(expected, rel=0.03)
    late = np.mean(result.waiting_s > 1e-9)
    assert late == pytest.approx(float(erlang_c(offered, servers)), rel=0.03)


@pytest.mark.parametrize(("load", "servers"), [(20, 25), (35, 40), (0.9, 1), (30, 25)])
def test_waits_equal_the_exact_recursion(load: float, servers: int) -> None:
    """First come first served over c servers, request by request (Kiefer and Wolfowitz 1955)."""
    arrival, held = exponential(load, 20_000, seed=3)
    free = [0.0] * servers
    expected = []
    for now, service_s in zip(arrival.tolist(), held.tolist(), strict=True):
        start = max(now, free[0])
        expected.append(start - now)
        heapreplace(free, start + service_s)
    result = run(arrival, held, flat(servers))
    assert result.waiting_s == pytest.approx(np.array(expected), abs=1e-7)
    assert result.finish_s == pytest.approx(arrival + expected + held, abs=1e-7)


def test_processor_sharing_by_hand() -> None:
    """Two tokens a second alone, one each together. A has 4 tokens after its first from 0 s, B has
    3 from 1 s: A did 2 alone, both share until A's 2 left end at 3 s, B's last takes half a
    second."""
    curve = SpeedCurve([1, 2], [0, 0], [0.5, 1.0], 0.0, 2)
    result = run(np.array([0.0, 1.0]), np.array([4.0, 3.0]), curve)
    assert result.finish_s.tolist() == [3.0, 3.5]
    assert result.tpot_s == pytest.approx([3 / 4, 2.5 / 3])
    assert result.mean_in_flight == pytest.approx((3.0 + 2.5) / 3.5)


def test_prompts_wait_for_one_another() -> None:
    """Three prompts at once, 0.5 s of prefill each: the third starts at 1 s. It is twice as long,
    which adds 0.5 s of prefill to its 0.6 s; the 0.1 s that no prefill takes stay as they are."""
    curve = SpeedCurve([1, 8], [0.6, 0.6], [0.1, 0.1], 0.5, 8)
    result = simulate(
        Requests([0, 0, 0], [100, 100, 200], [1, 1, 1]), curve, replicas=1, curve_input_tokens=100
    )
    assert result.waiting_s == pytest.approx([0, 0.5, 1.0])
    assert result.ttft_s == pytest.approx([0.6, 1.1, 2.1])


def test_processor_sharing_is_insensitive_to_lengths() -> None:
    """With T(n) = t1 n, one replica is M/G/1 processor sharing: N = rho / (1 - rho) whatever the
    lengths' distribution (Kleinrock 1976, eq. 4.17); within 5 %."""
    batch = np.arange(1, 257)
    curve = SpeedCurve(batch, 0 * batch, 1.0 * batch, 0.0, 256)
    random = np.random.default_rng(5)
    count, load = 200_000, 0.5
    arrival = np.cumsum(random.exponential(1 / load, count))
    for held in (np.ones(count), random.gamma(0.5, 2.0, count)):
        result = run(arrival, held, curve)
        assert result.mean_in_flight == pytest.approx(1.0, rel=0.05)


@pytest.mark.parametrize("rate", [5.0, 10.0, 14.0])
def test_closed_form_and_simulation_tell_one_story(rate: float) -> None:
    """Chat traffic on one replica: means within 10 %, the 95th percentile of TTFT within 20 %."""
    requests = sample_requests(
        rate, 20_000, 1000, 200, arrival_cv2=1, input_cv2=1, output_cv2=1, seed=3
    )
    run_of_it = simulate(requests, CURVE, replicas=1, curve_input_tokens=1000)
    traffic = Traffic(200, 1, 1, 1)
    for percentile, tolerance in ((None, 0.1), (0.95, 0.2)):
        formula = service(CURVE, traffic, ServiceTarget(2, 1, percentile), rate)
        gap = disagreement(formula, run_of_it, percentile, skip_requests=1000)
        assert abs(gap.ttft_fraction) < tolerance and abs(gap.tpot_fraction) < tolerance


# --- Its own books -----------------------------------------------------------------------------

LOGS = st.builds(
    sample_requests,
    st.floats(0.1, 100),
    st.integers(1, 200),
    st.floats(1, 4000),
    st.floats(1, 400),
    arrival_cv2=st.floats(0, 10),
    input_cv2=st.floats(0, 4),
    output_cv2=st.floats(0, 4),
    seed=st.integers(0, 1000),
)


@settings(deadline=None)
@given(log=LOGS, replicas=st.integers(1, 5), slots=st.integers(1, 20))
def test_littles_law_holds(log: Requests, replicas: int, slots: int) -> None:
    """Mean in flight = throughput x mean time in the replica, in the simulation's own output."""
    curve = SpeedCurve(CURVE.in_flight, CURVE.ttft_s, CURVE.tpot_s, 0.0, slots)
    result = simulate(log, curve, replicas=replicas, curve_input_tokens=1000)
    assert np.all(result.served == 1)
    held = result.finish_s - log.arrival_s - result.waiting_s
    throughput = len(held) / result.duration_s
    assert result.mean_in_flight == pytest.approx(throughput * held.mean(), rel=1e-6)
    assert result.mean_waiting == pytest.approx(throughput * result.waiting_s.mean(), abs=1e-6)
    assert 0 <= result.utilisation_fraction <= 1 + 1e-9
    assert np.all(result.ttft_s >= result.waiting_s) and np.all(result.waiting_s >= 0)
    many = log.output_tokens > 1
    slowest, fastest = CURVE.tpot_at(slots), CURVE.tpot_at(1)
    assert np.all(result.tpot_s[many] >= fastest * (1 - 1e-6))
    assert np.all(result.tpot_s[many] <= slowest * (1 + 1e-6))


def test_more_replicas_and_a_faster_curve_never_hurt() -> None:
    log = sample_requests(40, 4000, 1000, 200, arrival_cv2=1, input_cv2=1, output_cv2=1, seed=7)
    fast = SpeedCurve(GRID, CURVE.ttft_s / 2, CURVE.tpot_s / 2, 0.025, 128)
    means = [
        simulate(log, CURVE, replicas=n, curve_input_tokens=1000).percentiles(0.95)[1]
        for n in (2, 3, 4, 8)
    ]
    assert means == sorted(means, reverse=True)
    assert simulate(log, fast, replicas=2, curve_input_tokens=1000).percentiles(0.95)[1] < means[0]


def test_the_token_pool_holds_requests_back() -> None:
    """Room for one request at a time, though there are two slots; the giant is turned away."""
    log = Requests([0, 0, 0], [100, 5000, 100], [11, 11, 11])
    curve = SpeedCurve([1, 2], [0.5, 0.5], [0.1, 0.2], 0.0, 2)
    result = simulate(log, curve, replicas=1, curve_input_tokens=100, pool_tokens=200)
    assert result.served.tolist() == [1, 0, 1]
    assert result.finish_s == pytest.approx([1.5, np.inf, 3.0])
    assert result.percentiles(None)[0] == pytest.approx(0.75)


# --- Use ---------------------------------------------------------------------------------------


def test_progress_and_cancelling() -> None:
    log = sample_requests(10, 9000, 100, 20, arrival_cv2=1, input_cv2=0, output_cv2=0, seed=1)
    seen: list[float] = []
    assert simulate(log, CURVE, replicas=1, curve_input_tokens=100, progress=seen.append)
    assert seen == sorted(seen) and seen[0] == 0 and seen[-1] == 1 and len(seen) >= 10
    told: list[float] = []

    def enough(share: float) -> bool:
        told.append(share)
        return share < 0.4

    assert simulate(log, CURVE, replicas=1, curve_input_tokens=100, progress=enough) is None
    assert 0.4 <= told[-1] < 0.6 and told[-2] < 0.4
    steps = simulation_steps(log, CURVE, 1, 100)
    next(steps)
    steps.close()
    with pytest.raises(StopIteration):
        next(steps)


@pytest.mark.parametrize("rate", [0.1, 1000.0])
def test_progress_is_even_in_a_calm_and_in_an_overload(rate: float) -> None:
    """Arrivals and answers both count, so it does not wait at the end for a long queue."""
    log = sample_requests(rate, 5000, 100, 20, arrival_cv2=1, input_cv2=0, output_cv2=0, seed=1)
    shares = list(simulation_steps(log, CURVE, 1, 100))
    assert shares == sorted(set(shares)) and np.diff(shares).max() < 0.1


def test_the_same_seed_gives_the_same_run() -> None:
    def once(seed: int) -> SimulationResult:
        log = sample_requests(10, 500, 100, 20, arrival_cv2=4, input_cv2=1, output_cv2=1, seed=seed)
        return simulate(log, CURVE, replicas=2, curve_input_tokens=100)

    assert np.array_equal(once(1).finish_s, once(1).finish_s)
    assert not np.array_equal(once(1).finish_s, once(2).finish_s)


def test_samples_have_the_asked_means_and_spreads() -> None:
    log = sample_requests(4, 200_000, 1000, 200, arrival_cv2=4, input_cv2=0.5, output_cv2=1, seed=2)
    gaps = np.diff(log.arrival_s)
    assert gaps.mean() == pytest.approx(0.25, rel=0.03)
    assert gaps.var() / gaps.mean() ** 2 == pytest.approx(4, rel=0.1)
    for tokens, mean, cv2 in ((log.input_tokens, 1000, 0.5), (log.output_tokens, 200, 1)):
        assert tokens.mean() == pytest.approx(mean, rel=0.03)
        assert tokens.var() / tokens.mean() ** 2 == pytest.approx(cv2, rel=0.1)


@pytest.mark.parametrize(
    "log",
    [
        ([], [], []),
        ([0, 1], [1], [1, 1]),
        ([1, 0], [1, 1], [1, 1]),
        ([0, np.nan], [1, 1], [1, 1]),
        ([0, 1], [-1, 1], [1, 1]),
        ([0, 1], [1, 1], [0, 1]),
        ([0, 1], [1, np.inf], [1, 1]),
    ],
)
def test_a_bad_log_is_refused(log: tuple) -> None:
    with pytest.raises(InvalidScenario, match="Request log"):
        Requests(*log)


@pytest.mark.parametrize("name", ["arrival_cv2", "input_cv2", "output_cv2"])
@pytest.mark.parametrize("cv2", [-0.5, np.nan])
def test_impossible_spreads_are_refused(name: str, cv2: float) -> None:
    spreads = {"arrival_cv2": 1.0, "input_cv2": 1.0, "output_cv2": 1.0, name: cv2}
    with pytest.raises(InvalidScenario, match=name):
        sample_requests(1, 10, 100, 10, seed=1, **spreads)


@pytest.mark.parametrize("cv2", [0.0, 5e-324, 1e-11])
def test_the_smallest_spreads_are_even_arrivals(cv2: float) -> None:
    log = sample_requests(2, 50, 100, 10, seed=1, arrival_cv2=cv2, input_cv2=cv2, output_cv2=cv2)
    assert np.diff(log.arrival_s) == pytest.approx(0.5, rel=1e-4)
    assert set(log.input_tokens) == {100} and set(log.output_tokens) == {10}


def test_bad_settings_are_refused() -> None:
    one = Requests([0.0], [1], [1])
    empty = SpeedCurve([1, 2], [1, 1], [1, 1], 1, 0)
    stack = SpeedCurve([1, 2], [[1, 1]], [[1, 1]], [1], [1])
    for curve, replicas in ((empty, 1), (stack, 1), (CURVE, 0)):
        with pytest.raises(InvalidScenario, match="Simulation"):
            simulate(one, curve, replicas=replicas, curve_input_tokens=1)
    nothing = simulate(one, CURVE, replicas=1, curve_input_tokens=1, pool_tokens=1)
    assert nothing.served.tolist() == [0] and nothing.duration_s == 0
    with pytest.raises(InvalidScenario, match="no request was served"):
        nothing.percentiles(None)


@pytest.mark.benchmark
@pytest.mark.parametrize("bursts", [1, 25])
@pytest.mark.parametrize("replicas", [2, 4, 100])
def test_twenty_thousand_requests_take_two_seconds(bursts: float, replicas: int) -> None:
    """Long prompts in a small pool: calm and in bursts, overloaded and idle; as often as needed
    to draw a bar."""
    log = sample_requests(
        40, 20_000, 2000, 200, arrival_cv2=bursts, input_cv2=1.5, output_cv2=1.5, seed=3
    )
    seen: list[float] = []
    start = perf_counter()
    simulate(
        log,
        CURVE,
        replicas=replicas,
        curve_input_tokens=2000,
        pool_tokens=60_000,
        progress=seen.append,
    )
    assert perf_counter() - start < 2.0
    assert len(seen) >= 10
