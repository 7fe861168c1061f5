"""N+1: each host is lost in turn, and what runs afterwards is judged by the independent checker."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from planner.placement import (
    Ask,
    Fleet,
    Host,
    Piece,
    Placement,
    ReservedPlacement,
    exact_placement,
    plan_placement,
    with_reserve,
)

TESTS = Path(__file__).parent


def load(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).stem, TESTS / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


broken_rules = load("placement_checker.py").broken_rules
portfolios = load("portfolios/generator.py")
WHOLE = portfolios.whole_geometry()
MIG = portfolios.mig_geometry()


def host(name: str, gpus: int, geometry=WHOLE, **more: float) -> Host:
    return replace(Host(name, geometry, gpus, 1000.0, 1e13, nvlink_gpus=gpus), **more)


def pieces(workload: str, count: int, ask: Ask, **more: object) -> tuple[Piece, ...]:
    return tuple(Piece(f"{workload}/{i}", workload, (ask,), **more) for i in range(1, count + 1))


def check(kept: ReservedPlacement) -> None:
    """Every claim of the record, from the seats alone."""
    placement = kept.placement
    assert not broken_rules(placement)
    assert placement.hosts_used.isdisjoint(kept.reserve)
    assert [loss.host for loss in kept.losses] == list(range(len(placement.fleet.hosts)))
    usable = placement.hosts_used | set(kept.reserve)
    for loss in kept.losses:
        after = {seat.piece: seat for seat in loss.seats}
        assert len(after) == len(loss.seats)
        out = tuple((i, "lost") for i in range(len(placement.pieces)) if i not in after)
        assert not broken_rules(replace(placement, seats=loss.seats, refusals=out))
        assert all(seat.host in usable - {loss.host} or loss.way == "unused" for seat in loss.seats)
        before = placement.seat_of
        must = {i for i, s in before.items() if s.host != loss.host or placement.pieces[i].restarts}
        missing = {placement.pieces[i].workload for i in must - after.keys()}
        assert missing == set(loss.fails)
        assert bool(loss.way) == (not missing)
        assert (loss.way == "unused") == (loss.host not in placement.hosts_used)
        if loss.way == "restart":
            assert all(after[i] == s for i, s in before.items() if s.host != loss.host)


@pytest.mark.parametrize("seed", range(0, 200, 8))
def test_any_single_loss_is_survived(seed: int) -> None:
    """Random portfolios: what is placed survives, unless the record says what does not."""
    kept = with_reserve(*portfolios.portfolio(seed), plan_placement)
    check(kept)
    assert kept.survives == all(loss.way for loss in kept.losses)


def test_one_of_equal_hosts_is_enough() -> None:
    """Four full hosts and a fifth: the fifth is the reserve."""
    fleet = Fleet(tuple(host(f"h{i}", 2) for i in range(5)))
    kept = with_reserve(fleet, pieces("w", 8, Ask(WHOLE.id, "whole")), plan_placement)
    check(kept)
    assert kept.survives and len(kept.reserve) == 1 and not kept.placement.refusals


def test_the_last_priority_makes_room_for_the_reserve() -> None:
    fleet = Fleet(tuple(host(f"h{i}", 2) for i in range(3)))
    asked = pieces("first", 4, Ask(WHOLE.id, "whole")) + pieces("last", 2, Ask(WHOLE.id, "whole"))
    kept = with_reserve(fleet, asked, plan_placement)
    check(kept)
    assert kept.survives and kept.placement.assured == {"first"}
    assert {kept.placement.pieces[i].workload for i, _ in kept.placement.refusals} == {"last"}


def test_free_places_need_no_reserve() -> None:
    """Pieces that stay apart leave each host half empty, which is where they start again."""
    fleet = Fleet(tuple(host(f"h{i}", 2) for i in range(3)))
    asked = pieces("a", 2, Ask(WHOLE.id, "whole"), apart=True)
    asked += pieces("b", 1, Ask(WHOLE.id, "whole"), avoids=frozenset({"a"}), restarts=False)
    kept = with_reserve(fleet, asked, plan_placement)
    check(kept)
    assert kept.survives
    assert kept.reserve == () or len(kept.reserve) == 1


def test_profiles_are_counted_and_not_gigabytes() -> None:
    """Four hosts that each carry a 4g.40gb have 120 GB free and no place for a fifth.

    The profile starts at slot 0 of an H100 only, so each further one needs a GPU of its own:
    a host must stay empty although more than its memory is free elsewhere.
    """
    fleet = Fleet(tuple(host(f"h{i}", 1, MIG) for i in range(4)))
    asked = pieces("w", 3, Ask(MIG.id, "4g.40gb"))
    kept = with_reserve(fleet, asked, plan_placement)
    check(kept)
    assert kept.survives and len(kept.reserve) == 1
    full = with_reserve(Fleet(fleet.hosts[:3]), asked, plan_placement)
    check(full)
    assert full.survives and len(full.placement.seats) == 2


def test_the_reserve_is_large_enough_for_the_largest_group() -> None:
    """A group of four needs a host of four, however many small hosts are idle."""
    fleet = Fleet((host("big-0", 4), host("big-1", 4), *(host(f"s{i}", 2) for i in range(4))))
    asked = pieces("group", 1, Ask(WHOLE.id, "whole", 4)) + pieces("w", 2, Ask(WHOLE.id, "whole"))
    kept = with_reserve(fleet, asked, plan_placement)
    check(kept)
    assert kept.survives and not kept.placement.refusals
    group = kept.placement.seat_of[0].host
    assert {0, 1} - {group} <= set(kept.reserve) | kept.placement.hosts_used


def test_jobs_that_can_wait_need_no_reserve() -> None:
    fleet = Fleet((host("h0", 2), host("h1", 2)))
    asked = pieces("job", 4, Ask(WHOLE.id, "whole"), restarts=False)
    kept = with_reserve(fleet, asked, plan_placement)
    check(kept)
    assert kept.survives and kept.reserve == () and len(kept.placement.seats) == 4


def test_a_single_host_cannot_survive() -> None:
    """All is placed all the same, and the record says what would be lost."""
    kept = with_reserve(
        Fleet((host("h", 2),)), pieces("w", 2, Ask(WHOLE.id, "whole")), plan_placement
    )
    check(kept)
    assert not kept.survives and len(kept.placement.seats) == 2
    assert kept.losses[0].fails == ("w",)


def test_where_a_restart_is_blocked_all_is_planned_again() -> None:
    """Singles on two hosts leave one GPU free on each; a pair needs both on one host.

    The plan is made by hand so that moving a single is the only way: h0 and h1 carry one single
    each, h2 the pair, and there is no other host.
    """
    fleet = Fleet(tuple(host(f"h{i}", 2) for i in range(3)))
    pair = pieces("pair", 1, Ask(WHOLE.id, "whole", 2))
    asked = pair + pieces("single", 2, Ask(WHOLE.id, "whole"))

    def by_hand(some: Fleet, wanted: tuple[Piece, ...]) -> Placement:
        found = plan_placement(some, wanted)
        if len(some.hosts) == 3 and len(wanted) == 3:
            places = {0: (2, (0, 1)), 1: (0, (0,)), 2: (1, (0,))}
            seats = tuple(
                replace(seat, host=places[seat.piece][0], gpus=places[seat.piece][1])
                for seat in found.seats
            )
            return replace(found, seats=seats)
        return found

    kept = with_reserve(fleet, asked, by_hand)
    check(kept)
    assert kept.reserve == () and kept.survives
    assert [loss.way for loss in kept.losses] == ["restart", "restart", "re-pack"]


def test_the_exact_solver_may_plan_too() -> None:
    fleet, asked = portfolios.portfolio(6)
    kept = with_reserve(fleet, asked, lambda some, wanted: exact_placement(some, wanted, 2.0))
    check(kept)
