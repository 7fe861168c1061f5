"""Power-on order: shares against every order counted by hand, intervals against published ones."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.catalogue import SliceProfile
from planner.errors import InvalidScenario
from planner.placement import (
    POLICIES,
    Ask,
    Fleet,
    Geometry,
    Host,
    Piece,
    place,
    power_on_orders,
)
from planner.placement.order import wilson_interval

NEWCOMBE = {
    (81, 263): (0.2553, 0.3662),
    (15, 148): (0.0624, 0.1605),
    (0, 20): (0.0, 0.1611),
    (1, 29): (0.0061, 0.1718),
}
"""R. G. Newcombe, "Two-sided confidence intervals for the single proportion: comparison of seven
methods", Statistics in Medicine 17 (1998), table I, method 3."""


def _gpu(sizes: tuple[int, ...] = (10, 20, 40, 80)) -> Geometry:
    profiles = [
        SliceProfile(f"s{n}", "vgpu", n * 1e9, n, tuple(range(0, 81 - n, n)), n, 80, 80 // n)
        for n in sizes
    ]
    whole = SliceProfile("whole", "whole", 80e9, 80, (0,), 80, 80, 1)
    return Geometry("gpu/same", "gpu", "vgpu same size", 80, (*profiles, whole), True)


SAME = _gpu()


def _fleet(hosts: int, gpus: int) -> Fleet:
    return Fleet(tuple(Host(f"host-{i}", SAME, gpus, 64, 1e12) for i in range(hosts)))


def _pieces(*sizes: int) -> tuple[Piece, ...]:
    return tuple(
        Piece(f"w{size}/{i}", f"w{size}", (Ask(SAME.id, f"s{size}"),))
        for i, size in enumerate(sizes)
    )


@pytest.mark.parametrize(("seen", "ends"), NEWCOMBE.items())
def test_intervals_as_published(seen: tuple[int, int], ends: tuple[float, float]) -> None:
    assert wilson_interval(*seen) == pytest.approx(ends, abs=5e-5)


@given(st.integers(1, 5000), st.data())
def test_an_interval_holds_its_share(runs: int, data) -> None:
    hits = data.draw(st.integers(0, runs))
    low, high = wilson_interval(hits, runs)
    assert 0.0 <= low <= hits / runs <= high <= 1.0


def test_without_runs_anything_is_possible() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_two_of_three_orders_fit() -> None:
    """Two GPUs of one size each, spread: 10, 10, 20 locks both GPUs for 10; else all fit."""
    result = power_on_orders(_fleet(1, 2), _pieces(10, 10, 20), "spread", runs=3000, seed=7)
    # Five standard errors of 2/3 in 3,000 runs.
    assert result.share == pytest.approx(2 / 3, abs=0.043)
    assert result.share_low < 2 / 3 < result.share_high
    assert dict(result.failures) == {"w20": result.runs - result.all_fit}
    assert (result.placed_p50, result.placed_p90, result.placed_worst) == (3, 2, 2)


@pytest.mark.parametrize("policy", POLICIES)
def test_shares_are_those_of_all_orders(policy: str) -> None:
    """All 720 orders placed one by one."""
    fleet, asked = _fleet(2, 2), _pieces(10, 10, 10, 20, 40, 80)
    fit = [not place(fleet, order, policy).refusals for order in permutations(asked)]
    true = sum(fit) / len(fit)
    result = power_on_orders(fleet, asked, policy, runs=2000, seed=3)
    assert result.share == pytest.approx(true, abs=5 * (0.25 / 2000) ** 0.5)


def test_grouping_fits_in_more_orders_than_spreading() -> None:
    fleet, asked = _fleet(3, 2), _pieces(10, 10, 10, 10, 10, 20, 20, 20, 40, 80)
    spread, group = (power_on_orders(fleet, asked, p, runs=300) for p in ("spread", "group"))
    assert group.share == 1.0
    assert spread.share < 0.5


def test_equal_seeds_give_equal_results() -> None:
    fleet, asked = _fleet(2, 2), _pieces(10, 10, 20, 40, 80)
    one, same, other = (
        power_on_orders(fleet, asked, "spread", runs=200, seed=seed) for seed in (1, 1, 2)
    )
    assert one == same
    assert one != other


def test_progress_is_told_and_can_stop() -> None:
    fleet, asked = _fleet(1, 2), _pieces(10, 20)
    told: list[tuple[int, int]] = []
    result = power_on_orders(
        fleet, asked, runs=500, progress=lambda done, of: told.append((done, of))
    )
    assert told[-1] == (500, 500) and len(told) >= 50 and result.runs == 500
    stopped = power_on_orders(fleet, asked, runs=500, progress=lambda done, of: done < 50)
    assert stopped.runs == 50


def test_runs_are_checked() -> None:
    with pytest.raises(InvalidScenario, match="runs is 0"):
        power_on_orders(_fleet(1, 1), (), runs=0)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([10, 20, 40, 80]), max_size=8),
    st.sampled_from(POLICIES),
    st.integers(1, 3),
)
def test_results_hang_together(sizes: list[int], policy: str, gpus: int) -> None:
    fleet, asked = _fleet(1, gpus), _pieces(*sizes)
    result = power_on_orders(fleet, asked, policy, runs=40)
    assert 0 <= result.placed_worst <= result.placed_p90 <= result.placed_p50 <= len(asked)
    assert result.share_low <= result.share <= result.share_high
    assert (result.failing_order == ()) == (result.all_fit == result.runs)
    if result.failing_order:
        again = place(fleet, tuple(asked[i] for i in result.failing_order), policy)
        assert len(again.seats) == result.placed_worst
