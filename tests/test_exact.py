"""The exact solver against brute force, against packings whose optimum is known, and by rules."""

from __future__ import annotations

import importlib.util
import json
import random
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planner.catalogue import SliceProfile
from planner.errors import InvalidScenario
from planner.placement import (
    Ask,
    Fleet,
    Geometry,
    Host,
    Piece,
    Placement,
    Seat,
    exact_placement,
    plan_placement,
)
from planner.placement.patterns import patterns
from planner.placement.program import Program

TESTS = Path(__file__).parent


def load(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).stem, TESTS / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


broken_rules = load("placement_checker.py").broken_rules
portfolios = load("portfolios/generator.py")
PROVEN = json.loads((TESTS / "portfolios" / "proven.json").read_text(encoding="utf-8"))["rows"]

MIG = portfolios.mig_geometry()
SAME = portfolios.vgpu_geometry("same", portfolios.VGPU_80, True)
WHOLE = portfolios.whole_geometry()


def host(name: str, geometry: Geometry, gpus: int, **more: float) -> Host:
    return replace(Host(name, geometry, gpus, 1000.0, 1e13), nvlink_gpus=gpus, **more)


def pieces(workload: str, count: int, *asks: Ask, **more: object) -> tuple[Piece, ...]:
    return tuple(Piece(f"{workload}/{i}", workload, asks, **more) for i in range(1, count + 1))


def solved(fleet: Fleet, asked: tuple[Piece, ...]) -> Placement:
    found = exact_placement(fleet, asked)
    assert not broken_rules(found)
    assert found.proven
    return found


# --- Optima that are known from elsewhere ------------------------------------------------------


def test_same_size_slices_of_six_gpus_are_all_placed() -> None:
    """Denneman's right-sized example, of which a hypervisor that spreads refuses two.

    Each size needs one GPU (8, 4, 2 and 1 fit on one), so four GPUs on two hosts are the least.
    """
    fleet = Fleet(tuple(host(f"h{i}", SAME, 2) for i in range(3)))
    wanted = {"10C": 5, "20C": 3, "40C": 1, "80C": 1}
    asked = tuple(p for name, n in wanted.items() for p in pieces(name, n, Ask("same", name)))
    found = solved(fleet, asked)
    assert len(found.seats) == 10
    assert len({(seat.host, seat.gpus) for seat in found.seats}) == 4
    assert len(found.hosts_used) == 2


def test_seven_of_the_largest_half_need_seven_gpus() -> None:
    """4g.40gb starts at slot 0 only, so seven of them went to seven GPUs of an XE9680."""
    asked = pieces("half", 8, Ask(MIG.id, "4g.40gb"))
    found = solved(Fleet((host("xe9680", MIG, 7),)), asked)
    assert sorted(seat.gpus for seat in found.seats) == [(gpu,) for gpu in range(7)]
    assert [index for index, _ in found.refusals] == [7]


@pytest.mark.parametrize("seed", range(12))
def test_perfect_packings_are_found(seed: int) -> None:
    """Hosts whose cores are cut into random parts: the parts need just those hosts again."""
    draw = random.Random(seed)
    parts = []
    for _ in range(5):
        cuts = sorted(draw.sample(range(1, 100), draw.randint(1, 4)))
        parts += [b - a for a, b in zip([0, *cuts], [*cuts, 100], strict=True)]
    draw.shuffle(parts)
    fleet = Fleet(tuple(replace(host(f"h{i}", WHOLE, 8), cpu_cores=100.0) for i in range(8)))
    asked = tuple(
        p
        for i, cores in enumerate(parts)
        for p in pieces(f"w{i}", 1, Ask(WHOLE.id, "whole"), cpu_cores=float(cores))
    )
    found = solved(fleet, asked)
    assert len(found.hosts_used) == found.bound_hosts == 5


# --- Brute force -------------------------------------------------------------------------------

HALVES = Geometry(
    "halves",
    "gpu",
    "mig",
    3,
    (
        SliceProfile("third", "mig", 1e10, 1, (0, 1), 1, 2),
        SliceProfile("most", "mig", 2e10, 2, (0, 1), 1, 2),
        SliceProfile("whole", "whole", 3e10, 3, (0,), 2, 2),
    ),
)


def every_seat(fleet: Fleet, piece: Piece, index: int) -> list[Seat]:
    """Each way to seat a piece, good or not."""
    seats = []
    for h, one in enumerate(fleet.hosts):
        for ask in piece.asks:
            if ask.geometry == one.geometry.id:
                starts = one.geometry.by_name[ask.profile].starts
                groups = combinations(range(one.gpus), ask.gpus)
                seats += [Seat(index, h, g, ask.profile, s) for g in groups for s in starts]
    return seats


def best_by_trying(fleet: Fleet, asked: tuple[Piece, ...]) -> tuple[int, int, int]:
    """Workloads assured, pieces placed and minus hosts used of the best of all placements."""
    best = (-1, 0, 0)
    options = [every_seat(fleet, piece, i) for i, piece in enumerate(asked)]

    def go(i: int, seats: tuple[Seat, ...]) -> None:
        nonlocal best
        seated = {seat.piece for seat in seats}
        out = tuple((j, "out") for j in range(len(asked)) if j not in seated)
        if broken_rules(Placement(fleet, asked, seats, "", refusals=out)):
            return
        if i == len(asked):
            names = list(dict.fromkeys(piece.workload for piece in asked))
            lost = {asked[j].workload for j, _ in out}
            assured = next((k for k, name in enumerate(names) if name in lost), len(names))
            best = max(best, (assured, len(seats), -len({seat.host for seat in seats})))
            return
        for seat in options[i]:
            go(i + 1, (*seats, seat))
        go(i + 1, seats)

    go(0, ())
    return best


@st.composite
def small(draw: st.DrawFn) -> tuple[Fleet, tuple[Piece, ...]]:
    """Two hosts of one or two GPUs and up to four pieces with every kind of wish."""
    number = st.integers(1, 4).map(float)
    hosts = tuple(
        Host(
            f"h{i}",
            HALVES,
            draw(st.integers(1, 2)),
            cpu_cores=draw(number) + 2,
            memory_bytes=1e9 * (draw(number) + 2),
            numa_nodes=draw(st.integers(1, 2)),
            nvlink_gpus=draw(st.integers(1, 2)),
            rack="r",
            base_w=2.0,
            gpu_w=1.0,
        )
        for i in range(2)
    )
    asked: list[Piece] = []
    for w in range(draw(st.integers(1, 2))):
        profile = draw(st.sampled_from(("third", "most", "whole")))
        gpus = draw(st.integers(1, 2)) if profile == "whole" else 1
        one = Piece(
            "",
            f"w{w}",
            (Ask("halves", profile, gpus),),
            cpu_cores=draw(number) / 2,
            memory_bytes=1e9 * draw(number) / 2,
            numa=draw(st.booleans()),
            apart=draw(st.integers(0, 4)) == 0,
            together=draw(st.sampled_from(("", "", "", "t"))),
            avoids=draw(st.sampled_from((frozenset(), frozenset(), frozenset({"w0"})))),
        )
        asked += [replace(one, id=f"w{w}/{i}") for i in range(draw(st.integers(1, 2)))]
    rack_w = (("r", draw(st.floats(3.0, 9.0))),) if draw(st.booleans()) else ()
    licensed = draw(st.sampled_from((None, None, 1, 2)))
    return Fleet(hosts, rack_w, licensed), tuple(asked)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(small())
def test_no_placement_is_better(case: tuple[Fleet, tuple[Piece, ...]]) -> None:
    """All placements of small fleets, each judged by the independent checker."""
    found = solved(*case)
    used = -len(found.hosts_used)
    assert (len(found.assured), len(found.seats), used) == best_by_trying(*case)


# --- One limit at a time -----------------------------------------------------------------------


def count(fleet: Fleet, asked: tuple[Piece, ...]) -> int:
    return len(solved(fleet, asked).seats)


def test_a_group_stays_in_one_nvlink_domain() -> None:
    """Six GPUs in pairs hold three pairs, and no group of three."""
    fleet = Fleet((replace(host("h", WHOLE, 6), nvlink_gpus=2),))
    assert count(fleet, pieces("pair", 4, Ask(WHOLE.id, "whole", 2))) == 3
    assert count(fleet, pieces("three", 1, Ask(WHOLE.id, "whole", 3))) == 0


def test_a_numa_node_is_a_limit_of_its_own() -> None:
    """Two nodes of 10 cores take three pieces of 6 only when these may span nodes."""
    fleet = Fleet((replace(host("h", WHOLE, 4), cpu_cores=20.0, numa_nodes=2),))
    ask = Ask(WHOLE.id, "whole")
    assert count(fleet, pieces("w", 3, ask, cpu_cores=6.0)) == 3
    assert count(fleet, pieces("w", 3, ask, cpu_cores=6.0, numa=True)) == 2


def test_power_of_a_rack_counts_the_host_and_its_gpus() -> None:
    hosts = tuple(host(f"h{i}", WHOLE, 4, base_w=1000.0, gpu_w=500.0) for i in range(2))
    fleet = Fleet(tuple(replace(h, rack="r") for h in hosts))
    asked = pieces("w", 8, Ask(WHOLE.id, "whole"))
    for limit_w, most in ((3500.0, 4), (3000.0, 4), (2999.0, 3), (1499.0, 0), (4500.0, 5)):
        assert count(replace(fleet, rack_w=(("r", limit_w),)), asked) == most


def test_licences_limit_carved_gpus_alone() -> None:
    fleet = replace(Fleet((host("h", MIG, 4),)), licensed_gpus=1)
    asked = pieces("half", 4, Ask(MIG.id, "3g.40gb")) + pieces("whole", 3, Ask(MIG.id, "whole"))
    assert count(fleet, asked) == 5


def test_company_is_kept_and_avoided() -> None:
    fleet = Fleet(tuple(host(f"h{i}", WHOLE, 4) for i in range(3)))
    ask = Ask(WHOLE.id, "whole")
    assert count(fleet, pieces("a", 4, ask, apart=True)) == 3
    found = solved(fleet, pieces("a", 2, ask, together="t") + pieces("b", 2, ask, together="t"))
    assert len(found.hosts_used) == 1
    found = solved(fleet, pieces("a", 2, ask) + pieces("b", 2, ask, avoids=frozenset({"a"})))
    assert len(found.hosts_used) == 2


def test_limits_need_no_whole_numbers() -> None:
    """Ten tenths of a host are a host, whatever binary fractions make of them."""
    fleet = Fleet((replace(host("h", WHOLE, 8), cpu_cores=0.7, memory_bytes=2.1e12),))
    asked = pieces("w", 7, Ask(WHOLE.id, "whole"), cpu_cores=0.1, memory_bytes=0.3e12)
    assert count(fleet, asked) == 7


# --- Admission ---------------------------------------------------------------------------------


def test_priority_decides_before_numbers() -> None:
    """One large workload first, though leaving it out would place four small ones."""
    fleet = Fleet((host("h", WHOLE, 4),))
    large, few = pieces("large", 1, Ask(WHOLE.id, "whole", 4)), Ask(WHOLE.id, "whole")
    found = solved(fleet, large + pieces("small", 4, few))
    assert found.assured == {"large"} and len(found.seats) == 1
    found = solved(fleet, pieces("small", 4, few) + large)
    assert found.assured == {"small"} and len(found.seats) == 4


@pytest.mark.parametrize("seed", [0, 2, 11, 13, 16, 99])
def test_without_a_workload_no_assured_one_fails(seed: int) -> None:
    fleet, asked = portfolios.portfolio(seed)
    before = solved(fleet, asked)
    assert before.refusals, "a portfolio where something must stay out shows more"
    for name in sorted({piece.workload for piece in asked}):
        after = solved(fleet, tuple(piece for piece in asked if piece.workload != name))
        assert before.assured - {name} <= after.assured


# --- The solver --------------------------------------------------------------------------------

SAMPLE = random.Random(20).sample(range(len(PROVEN)), 20)


def test_all_portfolios_were_proven() -> None:
    assert len(PROVEN) == portfolios.PORTFOLIOS == 200
    assert all(row["proven"] for row in PROVEN)
    assert max(row["workloads"] for row in PROVEN) == 40
    assert max(row["hosts"] for row in PROVEN) == 8


@pytest.mark.parametrize("index", SAMPLE)
def test_what_is_stored_is_proven_again(index: int) -> None:
    row = PROVEN[index]
    fleet, asked = portfolios.portfolio(row["seed"])
    found = solved(fleet, asked)
    assert len(found.assured) == row["assured"]
    assert len(found.seats) == row["placed"]
    assert len(found.hosts_used) == row["hosts_used"]


def test_the_same_question_has_the_same_answer(capfd: pytest.CaptureFixture) -> None:
    """And the solver prints nothing."""
    fleet, asked = portfolios.portfolio(5)
    assert exact_placement(fleet, asked) == exact_placement(fleet, asked)
    assert capfd.readouterr() == ("", "")


def test_out_of_time_the_plan_by_rules_stands() -> None:
    """With its bound: never fewer placed than by rules, and nothing claimed that is not known."""
    fleet, asked = portfolios.portfolio(7)
    found, ruled = exact_placement(fleet, asked, 1e-6), plan_placement(fleet, asked)
    assert not broken_rules(found)
    assert not found.proven
    assert (len(found.assured), len(found.seats)) >= (len(ruled.assured), len(ruled.seats))
    assert found.bound_hosts <= len(found.hosts_used)


def test_no_time_at_all_is_refused() -> None:
    with pytest.raises(InvalidScenario, match="time_limit_s is 0"):
        exact_placement(Fleet(()), (), 0)


def test_nothing_to_place_is_placed() -> None:
    assert exact_placement(Fleet(()), ()).proven
    found = exact_placement(Fleet(()), pieces("w", 1, Ask(WHOLE.id, "whole")))
    assert [index for index, _ in found.refusals] == [0]


def test_a_program_is_solved_and_its_bound_told() -> None:
    """Two knapsack items of weights 2 and 3 in 12.5: four of the second, by hand."""
    program = Program()
    a, b = program.variable(5), program.variable(5)
    program.require({a: 2.0, b: 3.0}, most=12.5)
    answer = program.best({a: -1.0, b: -2.0}, 10.0)
    assert (answer.values, answer.bound, answer.proven) == ((0, 4), -8, True)
    program.require({a: 1.0, b: 1.0}, least=11.0)
    assert program.best({a: 1.0}, 10.0).values is None
    assert not program.holds((5, 5)) and not program.holds((0, 4))


# --- Layouts -----------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.sets(st.integers(0, 4), min_size=1), st.integers(0, 3)),
        min_size=1,
        max_size=3,
    ),
    st.integers(0, 3),
    st.sampled_from(("mig", "mps")),
)
def test_layouts_are_all_and_only_the_full_ones(cuts: list, most: int, carving: str) -> None:
    """Against every set of slices that do not overlap, on a GPU of five slots."""
    profiles = tuple(
        SliceProfile(f"p{i}", carving, 1.0, size, tuple(s for s in sorted(starts)), size, 4, top)
        for i, (size, starts, top) in enumerate(cuts)
    )
    whole = SliceProfile("whole", "whole", 5.0, 5, (0,), 4, 4)
    gpu = Geometry("g", "gpu", carving, 5, (*profiles, whole), most_slices=most)
    slices = [(p, s) for p in profiles for s in p.starts if s + p.size <= 5]
    valid = set()
    for n in range(6):
        for chosen in combinations(slices, n):
            slots = [slot for p, s in chosen for slot in range(s, s + p.size)]
            counts = tuple(sum(p is q for q, _ in chosen) for p in profiles)
            fits = len(slots) == len(set(slots)) and (not most or n <= most)
            fits &= all(not p.most or c <= p.most for p, c in zip(profiles, counts, strict=True))
            compute = sum(p.compute for p, _ in chosen)
            if fits and (carving != "mig" or compute <= 4):
                valid.add(counts)
    more = {c: {d for d in valid if all(a <= b for a, b in zip(c, d, strict=True))} for c in valid}
    full = {c for c in valid if any(c) and more[c] == {c}}
    found = patterns(gpu, frozenset(p.name for p in profiles))
    names = [p.name for p in profiles]
    assert {tuple(sum(n == name for n, _ in f) for name in names) for f in found} == full
    for pattern in found:
        seats = tuple(Seat(i, 0, (0,), name, start) for i, (name, start) in enumerate(pattern))
        asked = tuple(Piece(name, name, (Ask("g", name),)) for name, _ in pattern)
        assert not broken_rules(Placement(Fleet((host("h", gpu, 1),)), asked, seats, ""))
