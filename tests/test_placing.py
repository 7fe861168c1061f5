"""Pieces on hosts, one after another and planned together: no limit broken, the best first.

Placements are checked by ``placement_checker.py``, which shares no code with what places.
"""

from __future__ import annotations

import importlib.util
import random
import sys
import time
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planner.catalogue import SliceProfile, load_catalogue
from planner.errors import InvalidScenario
from planner.placement import (
    POLICIES,
    Ask,
    Fleet,
    Geometry,
    Host,
    Piece,
    Placement,
    Seat,
    geometry,
    place,
    plan_placement,
)
from planner.placement.bounds import fewest_hosts
from planner.placement.limits import LIMITS
from planner.placement.question import question

TESTS = Path(__file__).resolve().parent
GB = 1e9


def _module(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).stem, TESTS / path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


broken_rules = _module("placement_checker.py").broken_rules


# --- Small fleets made by hand -----------------------------------------------------------------


def cut(name: str, sizes: tuple[int, ...], slots: int, same_size: bool = False) -> Geometry:
    """A GPU in slices of these sizes, each at multiples of its size; ``s2`` has two slots."""
    profiles = [
        SliceProfile(
            f"s{size}",
            "vgpu",
            size * GB,
            size,
            tuple(range(0, slots - size + 1, size)),
            size,
            slots,
            slots // size,
        )
        for size in sizes
    ]
    whole = SliceProfile("whole", "whole", slots * GB, slots, (0,), slots, slots, 1)
    carving = "vgpu same size" if same_size else "vgpu mixed size"
    return Geometry(name, "gpu", carving, slots, (*profiles, whole), same_size)


SAME = cut("gpu/same", (4, 5, 8, 10, 16, 20, 40, 80), 80, same_size=True)
MIXED = cut("gpu/mixed", (1, 2, 4), 4)


def hosts(count: int, one: Geometry, gpus: int, cores: float = 64, memory: float = 512, **more):
    return tuple(Host(f"host-{i}", one, gpus, cores, memory * GB, **more) for i in range(count))


def pieces(workload: str, one: Geometry, profile: str, count: int = 1, gpus: int = 1, **more):
    ask = Ask(one.id, profile, gpus)
    return tuple(Piece(f"{workload}/{i}", workload, (ask,), **more) for i in range(count))


def refused(placement: Placement) -> dict[str, str]:
    return {placement.pieces[i].id: limit for i, limit in placement.refusals}


# --- Published and hand-worked placements ------------------------------------------------------

MIX = {10: 5, 20: 3, 40: 1, 80: 1}
"""Denneman, part 5: requests of an H100's GB on three hosts with two GPUs of 80 GB."""


def _mix() -> tuple[Piece, ...]:
    return tuple(
        piece for gb, count in MIX.items() for piece in pieces(f"w{gb}", SAME, f"s{gb}", count)
    )


def test_spreading_refuses_the_large_ones_as_published() -> None:
    placement = place(Fleet(hosts(3, SAME, 2)), _mix(), "spread")
    assert len(placement.seats) == 8
    assert set(refused(placement)) == {"w40/0", "w80/0"}
    assert not broken_rules(placement)


@pytest.mark.parametrize("policy", ["group", "best fit"])
def test_grouping_places_all_as_published(policy: str) -> None:
    """With at least one GPU of the six still empty."""
    placement = place(Fleet(hosts(3, SAME, 2)), _mix(), policy)
    assert len(placement.seats) == 10
    assert len({(seat.host, seat.gpus) for seat in placement.seats}) <= 5
    assert not broken_rules(placement)


def test_seven_large_instances_take_seven_gpus_as_published() -> None:
    """Denneman, part 8: seven VMs with 4g.40gb on seven H100 of one Dell XE9680."""
    mig = geometry(load_catalogue(), "h100-sxm-80gb", "mig")
    placement = place(Fleet(hosts(1, mig, 8)), pieces("vm", mig, "4g.40gb", 7), "group")
    assert len({seat.gpus for seat in placement.seats}) == 7
    assert all(seat.start == 0 for seat in placement.seats)


def test_fragmentation_keeps_what_only_one_host_can_hold() -> None:
    """Two free slots on the host without memory for ``big`` count as lost to it already."""
    fleet = Fleet(
        (
            Host("little memory", MIXED, 1, 100, 10 * GB),
            Host("little else", MIXED, 1, 8, 20 * GB),
        )
    )
    small = pieces("small", MIXED, "s2", cpu_cores=1.0)
    big = pieces("big", MIXED, "whole", memory_bytes=20 * GB)
    hosts_of_small = {
        policy: place(fleet, small + big, policy).seat_of[0].host
        for policy in ("best fit", "fragmentation")
    }
    assert hosts_of_small == {"best fit": 1, "fragmentation": 0}


def test_a_group_stays_in_one_nvlink_domain() -> None:
    fleet = Fleet(hosts(1, MIXED, 8, nvlink_gpus=4))
    placement = place(fleet, pieces("a", MIXED, "whole", 2, 3) + pieces("b", MIXED, "whole", 1, 2))
    assert [seat.gpus for seat in placement.seats] == [(0, 1, 2), (4, 5, 6)]
    assert refused(placement) == {"b/0": "NVLink domain"}
    assert refused(place(fleet, pieces("c", MIXED, "whole", 1, 5))) == {"c/0": "NVLink domain"}


def test_a_slice_takes_the_domain_that_is_broken_already() -> None:
    fleet = Fleet(hosts(1, MIXED, 8, nvlink_gpus=4))
    asked = (
        pieces("a", MIXED, "whole", 1)
        + pieces("b", MIXED, "s1")
        + pieces("c", MIXED, "whole", 1, 4)
    )
    assert not place(fleet, asked).refusals


def test_cores_and_memory_of_one_numa_node() -> None:
    """Two nodes of 8 cores: two pieces of 5 fit, one in each; the third would need both."""
    fleet = Fleet(hosts(1, MIXED, 2, cores=16, numa_nodes=2))
    three = pieces("a", MIXED, "s1", 3, cpu_cores=5.0, numa=True)
    placement = place(fleet, three, "group")
    assert [seat.gpus for seat in placement.seats] == [(0,), (1,)]
    assert refused(placement) == {"a/2": "NUMA node"}
    assert not place(fleet, pieces("a", MIXED, "s1", 3, cpu_cores=5.0)).refusals


def test_a_piece_larger_than_a_node_draws_on_all() -> None:
    fleet = Fleet(hosts(1, MIXED, 2, cores=16, numa_nodes=2))
    large = pieces("large", MIXED, "s1", 1, cpu_cores=10.0, numa=True)
    small = pieces("small", MIXED, "s1", 2, cpu_cores=3.0, numa=True)
    assert not place(fleet, large + small).refusals
    more = pieces("small", MIXED, "s1", 2, cpu_cores=3.01, numa=True)
    assert refused(place(fleet, large + more)) == {
        "small/0": "NUMA node",
        "small/1": "NUMA node",
    }


LIMITED = {
    "GPU slots": (Fleet(hosts(1, MIXED, 1)), pieces("a", MIXED, "s4", 2)),
    "one size per GPU": (
        Fleet(hosts(1, SAME, 1)),
        pieces("b", SAME, "s10") + pieces("a", SAME, "s20"),
    ),
    "whole GPUs": (
        Fleet(hosts(1, MIXED, 1)),
        pieces("b", MIXED, "s1") + pieces("a", MIXED, "whole"),
    ),
    "CPU cores": (Fleet(hosts(1, MIXED, 1, 8)), pieces("a", MIXED, "s1", 2, cpu_cores=4.5)),
    "host memory": (Fleet(hosts(1, MIXED, 1)), pieces("a", MIXED, "s1", 2, memory_bytes=257 * GB)),
    "anti-affinity": (Fleet(hosts(1, MIXED, 1)), pieces("a", MIXED, "s1", 2, apart=True)),
    "affinity": (
        Fleet(hosts(2, MIXED, 1)),
        pieces("a", MIXED, "s4", 2, together="a"),
    ),
    "GPU kind": (Fleet(hosts(1, MIXED, 1)), pieces("a", SAME, "s10")),
    "rack power": (
        Fleet(hosts(2, MIXED, 1, rack="A", base_w=500.0, gpu_w=400.0), (("A", 1700.0),)),
        pieces("a", MIXED, "s4", 2),
    ),
    "licences": (
        Fleet(hosts(1, MIXED, 2), licensed_gpus=1),
        pieces("a", MIXED, "s4", 2),
    ),
}


@pytest.mark.parametrize("limit", LIMITED)
@pytest.mark.parametrize("way", [place, plan_placement])
def test_each_limit_refuses_by_its_name(limit: str, way) -> None:
    fleet, asked = LIMITED[limit]
    placement = way(fleet, asked)
    assert set(refused(placement).values()) == {limit}
    assert not broken_rules(placement)


def test_a_limit_that_suffices_refuses_nothing() -> None:
    """The same questions with exactly enough."""
    fleet, asked = LIMITED["rack power"]
    assert not place(replace(fleet, rack_w=(("A", 1800.0),)), asked).refusals
    fleet, asked = LIMITED["licences"]
    assert not place(replace(fleet, licensed_gpus=2), asked).refusals
    fleet, asked = LIMITED["CPU cores"]
    assert not place(Fleet(hosts(1, MIXED, 1, 9)), asked).refusals


def test_whole_gpus_need_no_licence() -> None:
    fleet = Fleet(hosts(1, MIXED, 2), licensed_gpus=0)
    assert not place(fleet, pieces("a", MIXED, "whole", 2)).refusals


def test_a_wish_to_avoid_counts_both_ways() -> None:
    shy = pieces("shy", MIXED, "s1", avoids=frozenset({"loud"}))
    loud = pieces("loud", MIXED, "s1")
    for order in (shy + loud, loud + shy):
        assert len(place(Fleet(hosts(1, MIXED, 1)), order).seats) == 1
        assert place(Fleet(hosts(2, MIXED, 1)), order).hosts_used == {0, 1}


def test_thirds_of_a_core_add_up() -> None:
    asked = pieces("a", MIXED, "s1", 3, cpu_cores=1 / 3)
    assert not place(Fleet(hosts(1, MIXED, 1, cores=1.0)), asked).refusals


def test_what_runs_is_not_moved() -> None:
    asked = pieces("a", MIXED, "s2", 2) + pieces("b", MIXED, "s4")
    running = (Seat(0, 0, (0,), "s2", 2), Seat(1, 1, (0,), "s2", 0))
    placement = place(Fleet(hosts(2, MIXED, 1)), asked, "best fit", running)
    assert set(running) <= set(placement.seats)
    assert refused(placement) == {"b/0": "GPU slots"}


def test_wrong_words_are_told() -> None:
    fleet = Fleet(hosts(1, MIXED, 2))
    with pytest.raises(InvalidScenario, match="tetris.*best fit"):
        place(fleet, pieces("a", MIXED, "s1"), "tetris")
    with pytest.raises(InvalidScenario, match="utmost.*high"):
        plan_placement(fleet, pieces("a", MIXED, "s1"), effort="utmost")
    with pytest.raises(InvalidScenario, match="s3.*s1"):
        place(fleet, pieces("a", MIXED, "s3"))
    with pytest.raises(InvalidScenario, match="cannot be split"):
        place(fleet, pieces("a", MIXED, "s2", gpus=2))


# --- Plans -------------------------------------------------------------------------------------


def test_a_plan_finds_the_order_that_fits() -> None:
    """Ten slices of one slot first would break the GPU that the whole one needs."""
    asked = pieces("small", MIXED, "s1", 4) + pieces("large", MIXED, "whole", 2)
    fleet = Fleet(hosts(3, MIXED, 1))
    assert len(place(fleet, asked, "spread").refusals) == 2
    plan = plan_placement(fleet, asked)
    assert not plan.refusals and plan.proven and plan.bound_hosts == 3


def test_the_first_workloads_are_assured() -> None:
    """``a`` and ``b`` need three of four GPUs; ``c`` fits nowhere whole, ``d`` fills the gap."""
    asked = (
        pieces("a", MIXED, "whole", 1, 2)
        + pieces("b", MIXED, "s4")
        + pieces("c", MIXED, "whole", 1, 2)
        + pieces("d", MIXED, "s2", 2)
    )
    plan = plan_placement(Fleet(hosts(1, MIXED, 4, nvlink_gpus=4)), asked)
    assert plan.assured == {"a", "b"}
    assert refused(plan) == {"c/0": "whole GPUs"}
    assert not broken_rules(plan)


def test_others_are_counted_by_pieces() -> None:
    """One whole GPU or four quarters can follow: four pieces are more than one."""
    asked = (
        pieces("a", MIXED, "whole", 1)
        + pieces("b", MIXED, "whole", 2)
        + pieces("c", MIXED, "s1", 4)
    )
    plan = plan_placement(Fleet(hosts(1, MIXED, 2)), asked)
    assert plan.assured == {"a"}
    assert len(plan.seats) == 5


def test_a_plan_uses_the_fewest_hosts_by_hand() -> None:
    """Cores 6 + 4, 6 + 4, 5 + 5 of 10: three hosts when paired, four when in this order."""
    cores = (4, 4, 5, 5, 6, 6)
    asked = tuple(
        piece
        for i, n in enumerate(cores)
        for piece in pieces(f"w{i}", MIXED, "s1", cpu_cores=float(n))
    )
    fleet = Fleet(hosts(6, MIXED, 2, cores=10))
    assert len(place(fleet, asked).hosts_used) == 4
    plan = plan_placement(fleet, asked)
    assert len(plan.hosts_used) == plan.bound_hosts == 3
    assert plan.proven


def test_bounds_by_hand() -> None:
    fleet = Fleet(hosts(4, SAME, 2))

    def bound(*groups: tuple[Piece, ...]) -> int:
        asked = question(fleet, sum(groups, ()), pinned=False)
        return fewest_hosts(asked, range(len(asked.pieces)))

    # One of each size locks a GPU each, though the memory of one would do for all.
    assert bound(*(pieces(f"w{n}", SAME, f"s{n}") for n in (4, 5, 8, 10))) == 2
    # Twenty slices of 4 GB fill one GPU of 80 GB; the 41st opens the third.
    assert bound(pieces("w", SAME, "s4", 41)) == 2
    assert bound(pieces("w", SAME, "s4", 3, apart=True)) == 3
    assert bound(pieces("w", SAME, "s80", 9)) == 5
    assert bound() == 0


# --- Properties --------------------------------------------------------------------------------

PROFILES = {MIXED.id: ("s1", "s2", "s4", "whole"), SAME.id: ("s20", "s40", "s80", "whole")}


@st.composite
def questions(draw) -> tuple[Fleet, tuple[Piece, ...]]:
    """A few hosts, a few workloads, and every rule now and then."""
    kinds = [
        Host(
            "",
            one,
            draw(st.integers(1, 4)),
            draw(st.sampled_from([8.0, 12.0, 16.0])),
            draw(st.sampled_from([64, 100])) * GB,
            numa_nodes=draw(st.sampled_from([1, 1, 2])),
            nvlink_gpus=draw(st.sampled_from([1, 2, 4])),
            rack=draw(st.sampled_from(["", "A"])),
            base_w=500.0,
            gpu_w=400.0,
        )
        for one in draw(st.sampled_from([(MIXED,), (SAME,), (MIXED, SAME)]))
    ]
    # Halves of an odd number of GPUs are no nodes that a vendor would sell.
    kinds = [replace(one, numa_nodes=1) if one.gpus % 2 else one for one in kinds]
    count = draw(st.integers(1, 4))
    fleet = Fleet(
        tuple(replace(draw(st.sampled_from(kinds)), id=f"host-{i}") for i in range(count)),
        (("A", draw(st.sampled_from([1300.0, 2600.0, 9000.0]))),),
        draw(st.sampled_from([None, None, 2])),
    )
    found: list[Piece] = []
    for w in range(draw(st.integers(1, 5))):
        level = draw(st.integers(0, 3))
        asks = tuple(
            Ask(one.geometry.id, PROFILES[one.geometry.id][level], 1 + (level == 3))
            if level == 3 and draw(st.booleans())
            else Ask(one.geometry.id, PROFILES[one.geometry.id][level])
            for one in kinds
        )
        example = Piece(
            "",
            f"w{w}",
            asks,
            cpu_cores=draw(st.sampled_from([0.5, 2.0, 3.0, 5.0])),
            memory_bytes=draw(st.sampled_from([1, 20, 33])) * GB,
            numa=draw(st.booleans()),
            apart=draw(st.integers(0, 4)) == 0,
            together=draw(st.sampled_from(["", "", "", "x"])),
            avoids=frozenset({"w0"}) if w and draw(st.integers(0, 4)) == 0 else frozenset(),
        )
        copies = draw(st.integers(1, 3))
        found += [replace(example, id=f"w{w}/{i}") for i in range(copies)]
    return fleet, tuple(found)


MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@MANY
@given(questions(), st.sampled_from(POLICIES))
def test_no_limit_is_ever_broken(asked, policy: str) -> None:
    placement = place(*asked, policy)
    assert not broken_rules(placement)
    assert {limit for _, limit in placement.refusals} <= set(LIMITS)


@MANY
@given(questions(), st.sampled_from(POLICIES), st.randoms(use_true_random=False))
def test_pieces_that_run_stay(asked, policy: str, shuffled: random.Random) -> None:
    fleet, wanted = asked
    seats = place(fleet, wanted, policy).seats
    running = tuple(seat for seat in seats if shuffled.random() < 0.5)
    again = place(fleet, wanted, policy, running)
    assert set(running) <= set(again.seats)
    assert not broken_rules(again)


@FEW
@given(questions())
def test_a_plan_breaks_no_limit_and_assures_the_longest_beginning(asked) -> None:
    plan = plan_placement(*asked)
    assert not broken_rules(plan)
    names = list(dict.fromkeys(piece.workload for piece in plan.pieces))
    placed_in_full = [
        all(i in plan.seat_of for i, piece in enumerate(plan.pieces) if piece.workload == name)
        for name in names
    ]
    first_lost = placed_in_full.index(False) if False in placed_in_full else len(names)
    assert plan.assured == set(names[:first_lost])
    assert len(plan.hosts_used) >= plan.bound_hosts or plan.refusals
    assert plan == plan_placement(*asked)


@FEW
@given(questions(), st.integers(0, 4))
def test_removing_a_workload_never_costs_an_assured_one_its_place(asked, which: int) -> None:
    fleet, wanted = asked
    before = plan_placement(fleet, wanted)
    names = list(dict.fromkeys(piece.workload for piece in wanted))
    gone = names[which % len(names)]
    after = plan_placement(fleet, tuple(piece for piece in wanted if piece.workload != gone))
    assert before.assured - {gone} <= after.assured


def _least_hosts(fleet: Fleet, asked: tuple[Piece, ...]) -> int | None:
    """By trying every order with every policy on every number of hosts."""
    for count in range(len(fleet.hosts) + 1):
        some = replace(fleet, hosts=fleet.hosts[:count])
        for order in permutations(asked):
            if any(not place(some, order, policy).refusals for policy in ("group", "best fit")):
                return count
    return None


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(["s1", "s2", "s4"]), st.integers(1, 6)), max_size=5))
def test_a_plan_is_no_worse_than_every_order(sizes) -> None:
    """Equal hosts; a plan may beat all orders, never lose to one."""
    asked = tuple(
        piece
        for i, (profile, cores) in enumerate(sizes)
        for piece in pieces(f"w{i}", MIXED, profile, cpu_cores=float(cores))
    )
    fleet = Fleet(hosts(4, MIXED, 1, cores=8))
    least = _least_hosts(fleet, asked)
    plan = plan_placement(fleet, asked)
    if least is not None:
        assert not plan.refusals
        assert plan.bound_hosts <= len(plan.hosts_used) <= least


# --- Speed -------------------------------------------------------------------------------------


def _large(hosts_count: int, workloads: int, copies: int) -> tuple[Fleet, tuple[Piece, ...]]:
    mig = geometry(load_catalogue(), "h100-sxm-80gb", "mig")
    draw = random.Random(1)
    names = [one.name for one in mig.profiles[:5]] + ["whole"]
    asked: list[Piece] = []
    for w in range(workloads):
        name = draw.choice(names)
        asked += pieces(
            f"w{w}",
            mig,
            name,
            copies,
            draw.choice((1, 2, 4)) if name == "whole" else 1,
            cpu_cores=draw.choice((2.0, 4.0, 8.0)),
            memory_bytes=draw.choice((16, 32, 64)) * GB,
        )
    fleet = Fleet(hosts(hosts_count, mig, 8, cores=128, memory=2000, nvlink_gpus=8))
    return fleet, tuple(asked)


def _seconds(run, times: int = 20) -> float:
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return min(taken)


@pytest.mark.benchmark
@pytest.mark.parametrize("policy", POLICIES)
def test_16_hosts_are_filled_in_10_ms(policy: str) -> None:
    fleet, asked = _large(16, 30, 4)
    assert len(asked) == 120
    assert _seconds(lambda: place(fleet, asked, policy)) < 0.010


@pytest.mark.benchmark
@pytest.mark.parametrize("policy", POLICIES)
def test_1000_gpus_are_filled_in_a_second(policy: str) -> None:
    fleet, asked = _large(125, 250, 4)
    assert len(asked) == fleet.gpus == 1000
    assert _seconds(lambda: place(fleet, asked, policy), 3) < 1.0


@pytest.mark.benchmark
def test_16_hosts_are_planned_in_15_ms() -> None:
    fleet, asked = _large(16, 30, 4)
    plan = plan_placement(fleet, asked)
    assert not plan.refusals
    assert _seconds(lambda: plan_placement(fleet, asked)) < 0.015
