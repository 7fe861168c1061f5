"""Closed forms of queueing against published values, exact fractions and exact chains."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.serving import (
    conditional_wait_s,
    engset_call,
    erlang_b,
    erlang_c,
    machine_repair,
    mean_wait_s,
    wait_percentile_s,
)

ORACLE = 1e-8
"""Relative; the quadrature promises nine digits."""


def exact_erlang_b(load: Fraction, servers: int) -> Fraction:
    """The recursion over servers, in fractions (Cooper 1981, eq. 3.6)."""
    blocked = Fraction(1)
    for count in range(1, servers + 1):
        blocked = load * blocked / (count + load * blocked)
    return blocked


def exact_engset(sources: int, alpha: Fraction, servers: int) -> Fraction:
    terms = [comb(sources - 1, k) * alpha**k for k in range(servers + 1)]
    return terms[-1] / sum(terms)


# --- Published values --------------------------------------------------------------------------


def test_erlang_by_hand() -> None:
    """a = 2, c = 3: B = (8/6) / (1 + 2 + 2 + 8/6) = 4/19 and C = 4/9 (any textbook)."""
    assert erlang_b(2, 3) == pytest.approx(4 / 19, rel=1e-9)
    assert erlang_c(2, 3) == pytest.approx(4 / 9, rel=1e-9)


@pytest.mark.parametrize(
    ("load", "servers", "published"), [(20, 25, 0.2091), (35, 40, 0.3145), (35, 45, 0.0712)]
)
def test_erlang_c_tables(load: float, servers: float, published: float) -> None:
    """Reference values to four digits, as call-centre Erlang C tables print them."""
    assert erlang_c(load, servers) == pytest.approx(published, abs=5e-5)


@pytest.mark.parametrize(
    ("sources", "alpha", "servers", "published"),
    [(50, 0.1, 10, 0.00773), (200, 0.05, 16, 0.01464)],
)
def test_engset_reference(sources: int, alpha: float, servers: int, published: float) -> None:
    """Reference values of call congestion; alpha is the load of one idle source."""
    assert engset_call(sources, alpha, servers) == pytest.approx(published, abs=5e-6)


def test_pollaczek_khinchine() -> None:
    """M/D/1 waits half as long as M/M/1 (Pollaczek 1930, Khinchine 1932)."""
    assert mean_wait_s(0.8, 1, 1.0, 1, 1) == pytest.approx(4.0)
    assert mean_wait_s(0.8, 1, 1.0, 1, 0) == pytest.approx(2.0)


# --- Oracles -----------------------------------------------------------------------------------


@given(load=st.fractions(Fraction(1, 100), 400), servers=st.integers(0, 300))
def test_erlang_equals_exact_fractions(load: Fraction, servers: int) -> None:
    blocked = exact_erlang_b(load, servers)
    assert erlang_b(float(load), servers) == pytest.approx(float(blocked), rel=ORACLE, abs=1e-290)
    if load < servers:
        waits = blocked / (1 - load / servers * (1 - blocked))
        assert erlang_c(float(load), servers) == pytest.approx(float(waits), rel=1e-6, abs=1e-290)


@given(
    sources=st.integers(1, 250),
    alpha=st.fractions(Fraction(1, 1000), 30),
    servers=st.integers(0, 250),
)
def test_engset_equals_exact_fractions(sources: int, alpha: Fraction, servers: int) -> None:
    exact = float(exact_engset(sources, alpha, servers))
    assert engset_call(sources, float(alpha), servers) == pytest.approx(
        exact, rel=ORACLE, abs=1e-290
    )


@given(
    sources=st.integers(1, 80),
    alpha=st.floats(0.001, 20),
    servers=st.integers(1, 80),
)
def test_machine_repair_equals_its_chain(sources: int, alpha: float, servers: int) -> None:
    """The states that the other people leave, one by one."""
    weights = [1.0]
    for busy in range(1, sources):
        weights.append(weights[-1] * (sources - busy) * alpha / min(busy, servers))
    states = np.arange(sources)
    chance = np.array(weights) / sum(weights)
    late = states >= servers
    waits, each = machine_repair(sources, alpha, servers)
    assert waits == pytest.approx(chance[late].sum(), rel=1e-7, abs=1e-250)
    if chance[late].sum() > 1e-200:
        mean = ((states - servers + 1) / servers * chance)[late].sum() / chance[late].sum()
        assert each == pytest.approx(mean, rel=1e-6)


def test_a_hundred_thousand_servers() -> None:
    """Against the recursion in floating point, which is stable upwards."""
    blocked = 1.0
    for count in range(1, 100_001):
        blocked = 1e5 * blocked / (count + 1e5 * blocked)
    assert erlang_b(1e5, 1e5) == pytest.approx(blocked, rel=1e-8)
    near = erlang_c(1e5 * (1 - np.logspace(-9, -2, 8)), 1e5)
    assert np.all((near >= 0) & (near <= 1)) and np.all(np.diff(near) < 0)


def test_many_people_are_an_open_population() -> None:
    """Engset tends to Erlang B as people grow and each asks less."""
    assert engset_call(1e8, 20 / 1e8, 25) == pytest.approx(float(erlang_b(20, 25)), rel=1e-5)
    waits, each = machine_repair(1e7, 20 / 1e7, 25)
    assert waits == pytest.approx(float(erlang_c(20, 25)), rel=1e-4)
    assert each == pytest.approx(float(conditional_wait_s(20, 25, 1.0, 1, 1)), rel=1e-4)


def test_people_beyond_counting_do_not_cancel() -> None:
    """Ten billion people with a finite queue of a few: the two differ by about 1 in 1e8."""
    waits, each = machine_repair(1e10, 20 / 1e10, 25)
    assert waits == pytest.approx(float(erlang_c(20, 25)), rel=1e-6)
    assert each == pytest.approx(float(conditional_wait_s(20, 25, 1.0, 1, 1)), rel=1e-6)


# --- Properties --------------------------------------------------------------------------------


@given(load=st.floats(0, 1e5), servers=st.floats(0.5, 1e5), more=st.floats(0.01, 100))
def test_more_servers_and_less_load_never_hurt(load: float, servers: float, more: float) -> None:
    slack = 1 + 1e-7
    for formula in (erlang_b, erlang_c):
        here = formula(load, servers)
        assert 0 <= here <= 1 + 1e-9
        assert formula(load, servers + more) <= here * slack
        assert here <= formula(load + more, servers) * slack + 1e-300


def test_scalar_equals_array() -> None:
    load, servers = np.meshgrid([0.0, 0.5, 3.0, 40.0], [1.0, 3.5, 50.0])
    for formula in (erlang_b, erlang_c):
        whole = formula(load, servers)
        single = [float(formula(a, c)) for a, c in zip(load.flat, servers.flat, strict=True)]
        assert whole.ravel() == pytest.approx(single, rel=1e-13)


@pytest.mark.parametrize("load", [0.0, 1e-300, 1.0, 1e5, 1e300])
@pytest.mark.parametrize("servers", [0.0, 1e-3, 1.0, 1e5, 1e12, 1e300])
def test_extremes_stay_finite_and_silent(load: float, servers: float) -> None:
    for value in (erlang_b(load, servers), erlang_c(load, servers)):
        assert 0 <= value <= 1 + 1e-9
    assert mean_wait_s(load, servers, 1.0, 1.0, 1.0) >= 0
    for sources in (1, 2, 1e5, 1e300):
        assert 0 <= engset_call(sources, load, servers) <= 1 + 1e-9
        waits, each = machine_repair(sources, load, servers)
        assert 0 <= waits <= 1 + 1e-9 and 0 <= each < np.inf


def test_percentile_inverts_the_tail() -> None:
    """P(W > t_p) = 1 - p where anyone waits that long, else no wait at all."""
    chance, each = np.array([0.01, 0.2, 0.9]), 3.0
    wait = wait_percentile_s(chance, each, 0.95)
    assert wait[0] == 0
    assert chance[1:] * np.exp(-wait[1:] / each) == pytest.approx(0.05)
