"""Why a workload has no place, and changes that were tried and do give it one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from planner.catalogue import SliceProfile
from planner.errors import NoFeasiblePlan
from planner.placement import (
    Ask,
    Fleet,
    Geometry,
    Host,
    Piece,
    first_refusal,
    place,
    plan_placement,
    require_placed,
)
from planner.placement.remedies import remedies

GB = 1e9


def _gpu(name: str, same_size: bool) -> Geometry:
    profiles = [
        SliceProfile(f"s{n}", "vgpu", n * GB, n, tuple(range(0, 9 - n, n)), n, 8, 8 // n)
        for n in (1, 2, 4)
    ]
    whole = SliceProfile("whole", "whole", 8 * GB, 8, (0,), 8, 8, 1)
    carving = "vgpu same size" if same_size else "vgpu mixed size"
    return Geometry(name, "gpu", carving, 8, (*profiles, whole), same_size)


MIXED, SAME = _gpu("gpu/mixed", False), _gpu("gpu/same", True)


def _fleet(count: int, one: Geometry = MIXED, gpus: int = 1, **more) -> Fleet:
    settings = {"cpu_cores": 16.0, "memory_bytes": 100 * GB, "kind": "node", **more}
    return Fleet(tuple(Host(f"host-{i}", one, gpus, **settings) for i in range(count)))


def _pieces(workload: str, profile: str, count: int = 1, gpus: int = 1, **more):
    asks = tuple(Ask(one.id, profile, gpus) for one in (MIXED, SAME))
    return tuple(Piece(f"{workload}/{i}", workload, asks, **more) for i in range(count))


CASES = {
    "one more host": (
        _fleet(2),
        _pieces("chat", "whole", 3),
        "whole GPUs",
        "It fits with 1 more host like node.",
    ),
    "three more hosts": (
        _fleet(1),
        _pieces("chat", "whole", 4),
        "whole GPUs",
        "It fits with 3 more hosts like node.",
    ),
    "more cores": (
        _fleet(1),
        _pieces("chat", "s1", 2, cpu_cores=9.0),
        "CPU cores",
        "It fits with 25 % more processor cores in each node.",
    ),
    "more memory": (
        _fleet(1),
        _pieces("chat", "s1", 2, memory_bytes=54 * GB),
        "host memory",
        "It fits with 10 % more memory in each node.",
    ),
    "company": (
        _fleet(1),
        _pieces("chat", "s1", 2, apart=True),
        "anti-affinity",
        "It fits when its pieces may share a host.",
    ),
    "other company": (
        _fleet(1),
        _pieces("chat", "s1") + _pieces("batch", "s1", avoids=frozenset({"chat"})),
        "anti-affinity",
        "It fits when it may share a host with chat.",
    ),
    "no company": (
        _fleet(2),
        _pieces("chat", "whole", 2, together="chat"),
        "affinity",
        "It fits when its pieces need not run on one host.",
    ),
    "both NUMA nodes": (
        _fleet(1, gpus=2, numa_nodes=2),
        _pieces("chat", "s1", 3, cpu_cores=5.0, numa=True),
        "NUMA node",
        "It fits when its cores and memory need not be of one NUMA node.",
    ),
    "licences": (
        replace(_fleet(1, gpus=4), licensed_gpus=1),
        _pieces("chat", "s4", 6),
        "licences",
        "It fits with licences for 2 more carved GPUs.",
    ),
    "rack power": (
        replace(_fleet(2, rack="A", base_w=600.0, gpu_w=400.0), rack_w=(("A", 1900.0),)),
        _pieces("chat", "whole", 2),
        "rack power",
        "It fits when rack A may draw 2.09 kW instead of 1.9 kW.",
    ),
    "another carving": (
        Fleet(_fleet(2, SAME).hosts + _fleet(1, MIXED).hosts),
        _pieces("large", "whole", 1)
        + _pieces("a", "s4")
        + _pieces("b", "s2", 3)
        + _pieces("c", "s1", 5),
        "one size per GPU",
        "It fits when the GPUs of host-1 are carved as vgpu mixed size.",
    ),
    "nothing": (
        _fleet(1),
        _pieces("chat", "whole", 1, gpus=2),
        "NVLink domain",
        "None of the changes that were tried is enough; ask for less, or for other hosts.",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_reasons_and_remedies_by_hand(case: str) -> None:
    fleet, asked, limit, remedy = CASES[case]
    refusal = first_refusal(plan_placement(fleet, asked))
    assert (refusal.constraint, refusal.remedy) == (limit, remedy)
    assert refusal.sentence.startswith(f"{refusal.workload} cannot be placed in full")


def test_another_order_is_the_first_remedy_of_a_policy() -> None:
    asked = _pieces("small", "s1", 2) + _pieces("large", "whole")
    refusal = first_refusal(place(_fleet(2), asked, "spread"))
    assert refusal.workload == "large"
    assert "placed anew together" in refusal.remedy


def test_a_smaller_slice_is_tried_last() -> None:
    """It asks the workload for a sacrifice, so all else is offered first."""
    asked = _pieces("chat", "s2", 5)
    offered = [one.sentence for one in remedies(_fleet(1), asked, "chat", "GPU slots")]
    assert offered[-1] == "It fits if it can do with the next smaller slice: s1."


def test_the_most_important_loss_is_named() -> None:
    asked = _pieces("first", "whole") + _pieces("second", "whole", 2) + _pieces("third", "whole")
    refusal = first_refusal(plan_placement(_fleet(2), asked))
    assert refusal.workload == "second"
    assert refusal.remedy == "It fits with 1 more host like node."


def test_a_full_placement_has_no_refusal() -> None:
    placement = plan_placement(_fleet(2), _pieces("chat", "whole", 2))
    assert first_refusal(placement) is None
    require_placed(placement)


def test_required_placements_fail_in_one_sentence_and_its_remedy() -> None:
    placement = plan_placement(_fleet(2), _pieces("chat", "whole", 3))
    with pytest.raises(NoFeasiblePlan, match="no host has as many empty GPUs") as failure:
        require_placed(placement)
    assert failure.value.constraint == "whole GPUs"
    assert failure.value.remedy == "It fits with 1 more host like node."


@pytest.mark.parametrize("case", [case for case in CASES if case != "nothing"])
def test_a_remedy_does_what_it_says(case: str) -> None:
    """The change behind the sentence, placed again."""
    fleet, asked, limit, sentence = CASES[case]
    refusal = first_refusal(plan_placement(fleet, asked))
    offered = {one.sentence: one for one in remedies(fleet, asked, refusal.workload, limit)}
    changed = offered[sentence]
    assert not plan_placement(changed.fleet, changed.pieces).refusals
