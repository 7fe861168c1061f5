"""The fleet of a plan: sizes, places, the reserve, the calendar, and what is said when it fails."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pytest

from planner import evaluate, explain, load_catalogue
from planner.catalogue import Basis
from planner.errors import InvalidScenario, MissingData
from planner.placement import plan_placement
from planner.plan import FleetPlan, Plan, Portfolio
from planner.plan.fleet_records import SIZES
from planner.scenario import Scenario, load_example
from planner.units import GIB
from tests.placement_checker import broken_rules

CATALOGUE = load_catalogue()
FLEET = load_example("shared-fleet")


@cache
def shared() -> Portfolio:
    return evaluate(FLEET, CATALOGUE).portfolio


def plan_of(*workloads: dict[str, Any], hosts: list[dict] | None = None, **changes: Any) -> Plan:
    """A plan of these workloads alone, on one host with eight H100 unless others are given."""
    portfolio = {
        "include_main": False,
        "n_plus_one": False,
        "workloads": [{"name": f"w{i}", **row} for i, row in enumerate(workloads)],
        "hosts": hosts or [{"name": "host", "count": 1}],
        **changes,
    }
    return evaluate(Scenario.from_dict({"portfolio": portfolio}), CATALOGUE)


NOTEBOOKS = {"shape": "notebooks", "people": 8, "at_work_fraction": 1.0}
SMALL = {"model": "Qwen/Qwen3-8B", "weight_precision": "bf16", "requests_per_hour": 100.0}
HUGE = {"model": "deepseek-ai/DeepSeek-V3", "weight_precision": "fp8"}
MIG_HOST = {"name": "sliced", "count": 1, "carving": "mig"}


# ---------------------------------------------------------------- sizes


def test_every_workload_of_the_example_is_sized_and_placed() -> None:
    found = shared()
    assert len(found.workloads) == 1 + len(FLEET.portfolio.workloads)
    assert not any(one.reason for one in found.workloads)
    assert found.refusal == "" and found.answers.verdict == "All fits"
    assert broken_rules(found.placement) == []
    assert found.night is not None and broken_rules(found.night) == []


def test_the_recommended_tool_takes_the_least_hardware_of_its_kind() -> None:
    for one in shared().workloads:
        rivals = [
            tool
            for tool in one.tools
            if not tool.reason and tool.pieces and tool.geometry == one.tool.geometry
        ]
        assert one.tool.gpu_equivalents == min(tool.gpu_equivalents for tool in rivals)
        assert one.tool.size in SIZES


def test_each_step_is_the_next_size() -> None:
    for one in shared().workloads:
        size = one.tool.gpu_equivalents / one.tool.pieces
        for step, direction in ((one.smaller, -1), (one.larger, 1)):
            if step is None:
                continue
            pieces = max(step.tool.pieces, 1)
            other = step.tool.gpu_equivalents / pieces if step.tool.pieces else None
            assert other is None or direction * (other - size) > 0, one.row.name
            assert step.words


def test_a_small_service_gets_a_slice_and_a_large_one_gets_hosts() -> None:
    small = plan_of(SMALL, hosts=[MIG_HOST]).portfolio.workloads[0]
    # 8.2e9 parameters of two bytes are 15.3 GiB: more than a tenth of the GPU, less than a half.
    assert small.tool.size == "slice" and small.tool.profile in ("1g.20gb", "2g.20gb")
    large = plan_of(HUGE, hosts=[{"name": "host", "count": 2}]).portfolio.workloads[0]
    assert large.tool.size == "cluster", "671e9 parameters of a byte are more than 8 × 80 GB"
    assert large.tool.gpus_per_piece <= 8 and len(large.pieces) >= 2


def test_notebooks_get_a_slice_for_each_open_one() -> None:
    found = plan_of(NOTEBOOKS, hosts=[MIG_HOST]).portfolio
    assert len(found.pieces) == 8, "all of them are at work"
    assert {seat.profile for seat in found.placement.seats} == {"1g.10gb"}
    # Seven slices of 1g.10gb go on one GPU, so that eight take two.
    assert found.answers.gpus_used == 2


def test_a_batch_run_ends_within_its_window() -> None:
    run = {**SMALL, "shape": "batch", "requests": 400_000, "prompt_tokens": 2000}
    for window in (4.0, 12.0, 24.0):
        one = plan_of({**run, "window_h": window}).portfolio.workloads[0]
        assert one.tool.hours <= window
    most = [
        plan_of({**run, "window_h": window}).portfolio.workloads[0].tool.gpu_equivalents
        for window in (2.0, 4.0, 8.0)
    ]
    assert most == sorted(most, reverse=True) and most[0] > most[-1]


def test_a_fine_tune_is_wanted_in_time_and_fits_its_gpus() -> None:
    tune = {"shape": "training", "method": "full", "model": "llama-3.1-8b", "dataset_tokens": 3e8}
    for days in (1.0, 3.0, 30.0):
        one = plan_of({**tune, "deadline_days": days}).portfolio.workloads[0]
        assert one.tool.hours <= 24.0 * days
    # 16 bytes for each of 8.03e9 parameters are 120 GiB: more than one GPU has.
    assert one.tool.gpus_per_piece >= 2


# ---------------------------------------------------------------- places


def test_the_loss_of_any_host_is_survived() -> None:
    found = shared()
    assert found.reserved and found.reserved_placement.survives
    serving = {one.row.name for one in found.workloads if one.row.shape == "serving"}
    left = tuple(piece for piece in found.pieces if piece.workload in serving)
    kept = found.placement.hosts_used | found.reserved
    for lost in sorted(found.placement.hosts_used):
        fleet = found.fleet
        for host in sorted(set(range(len(fleet.hosts))) - kept | {lost}, reverse=True):
            fleet = fleet.without(host)
        again = plan_placement(fleet, left)
        assert not list(again.unplaced), found.fleet.hosts[lost].id


def test_the_reserve_is_empty() -> None:
    found = shared()
    assert not found.reserved & found.placement.hosts_used


def test_what_runs_by_night_alone_is_not_there_by_day() -> None:
    found = shared()
    by_day = {piece.workload for piece in found.pieces}
    by_night = {piece.workload for piece in found.night.pieces}
    assert "nightly summaries" in by_night - by_day
    assert "notebooks" in by_day - by_night
    assert "embeddings" in by_day & by_night


@pytest.mark.parametrize("carving", ["time slices", "mps", "vgpu mixed size"])
def test_hardware_isolation_keeps_a_workload_off_shared_compute(carving: str) -> None:
    hosts = [{"name": "shared", "count": 1, "carving": carving}]
    found = plan_of({**SMALL, "isolation": "hardware"}, hosts=hosts).portfolio
    assert [seat.profile for seat in found.placement.seats] == ["whole"]
    loose = plan_of({**SMALL, "isolation": "shared"}, hosts=hosts).portfolio
    assert [seat.profile for seat in loose.placement.seats] != ["whole"]


def test_a_workload_that_wants_its_own_host_has_it() -> None:
    found = plan_of(
        {**SMALL, "isolation": "own host"}, NOTEBOOKS, hosts=[{**MIG_HOST, "count": 2}]
    ).portfolio
    hosts = {found.pieces[seat.piece].workload: seat.host for seat in found.placement.seats}
    assert hosts["w0"] != hosts["w1"]


def test_a_full_kind_of_host_sends_work_to_another() -> None:
    hosts = [
        {"name": "small", "count": 1, "gpu": "l4-24gb", "gpus": 1},
        {"name": "large", "count": 1},
    ]
    chats = [{**SMALL, "weight_precision": "fp8"} for _ in range(3)]
    found = plan_of(*chats, hosts=hosts).portfolio
    assert len(found.placement.seats) == 3
    assert {seat.host for seat in found.placement.seats} == {0, 1}


def test_policies_place_the_same_pieces() -> None:
    found = shared()
    for name, placement in found.by_policy.items():
        assert placement.pieces == found.pieces, name
        assert broken_rules(placement) == [], name


def test_the_exact_solver_agrees_with_the_plan() -> None:
    found = plan_of(SMALL, NOTEBOOKS, hosts=[{**MIG_HOST, "count": 2}]).portfolio
    exact = found.exact()
    assert exact.proven
    assert len(exact.seats) == len(found.placement.seats)
    assert len(exact.hosts_used) == len(found.placement.hosts_used)


def test_orders_are_the_same_for_the_same_seed() -> None:
    found = plan_of(SMALL, NOTEBOOKS, hosts=[MIG_HOST], orders=30).portfolio
    done = []
    first = found.orders(lambda at, of: done.append((at, of)))
    assert done[-1] == (30, 30)
    assert first == found.orders()
    assert first.share == 1.0


# ---------------------------------------------------------------- time and money


def test_office_hours_are_booked_by_day_alone() -> None:
    plan = plan_of({**SMALL, "when": "office hours"}, weeks=1)
    week = plan.portfolio.calendar.gpus.sum(axis=0).reshape(7, 24)
    assert week[:5, 8:18].min() > 0
    assert week[:, :6].max() == 0 and week[5:].max() == 0


def test_each_night_has_its_run() -> None:
    nightly = {**SMALL, "shape": "batch", "when": "nights", "requests": 100_000, "window_h": 8.0}
    plan = plan_of(nightly, weeks=1)
    calendar = plan.portfolio.calendar
    booked = calendar.gpus.sum(axis=0)
    one = plan.portfolio.workloads[0]
    nights = sum(b.workload == "w0" for b in calendar.bookings)
    assert nights == 6, "the seventh night's deadline is in the next week"
    assert booked.sum() == pytest.approx(nights * one.gpu_hours)
    assert booked.reshape(7, 24)[0, :19].max() == 0


def test_a_campaign_begins_and_ends() -> None:
    campaign = {**SMALL, "when": "campaign", "start_day": 7, "days": 3}
    booked = plan_of(campaign, weeks=2).portfolio.calendar.gpus.sum(axis=0).reshape(14, 24)
    assert (booked[7:10] > 0).all()
    assert booked[:7].max() == 0 and booked[10:].max() == 0


def test_idle_gpus_cost_their_purchase() -> None:
    quotes = {"gpu/h100-sxm-80gb": 30000.0, "host/hgx": 60000.0}
    plan = plan_of(SMALL)
    plan = evaluate(
        plan.scenario.changed({"finance.quotes": quotes, "finance.life_years": 5}), CATALOGUE
    )
    per_hour = (8 * 30000.0 + 60000.0) / 8 / (5 * 8760)
    idle = 8 * 168 * (1 - plan.fleet.busy_fraction)
    assert plan.fleet.idle_gpu_hours_per_week == pytest.approx(idle)
    assert plan.fleet.idle_usd_per_year == pytest.approx(idle * 52 * per_hour)


def test_an_answer_is_as_sure_as_what_it_rests_on() -> None:
    bases = plan_of(SMALL).portfolio.bases
    assert bases["fleet.gpus"] == Basis.DERIVED, "it counts what the table says"
    assert bases["fleet.gpu_equivalents"] == Basis.DERIVED, "speeds are calibrated"
    assert bases["fleet.hosts_used"] == Basis.ASSUMED, "what hosts keep for themselves is assumed"
    prices = [CATALOGUE.prices[name].source.basis for name in ("gpu/h100-sxm-80gb", "host/hgx")]
    assert bases["fleet.idle_usd_per_year"] == max(Basis.DERIVED, *prices)
    crowd = plan_of(NOTEBOOKS, hosts=[MIG_HOST]).portfolio.bases
    assert crowd["fleet.gpu_equivalents"] == Basis.ASSUMED, "how busy people are is assumed"


def test_an_unknown_price_leaves_the_cost_of_idling_unknown() -> None:
    plan = plan_of(SMALL, hosts=[{"name": "a", "gpu": "h100-nvl-94gb", "gpus": 4}])
    assert "gpu/h100-nvl-94gb" not in CATALOGUE.prices
    assert math.isnan(plan.fleet.idle_usd_per_year)
    assert plan.portfolio.bases["fleet.idle_usd_per_year"] == Basis.ASSUMED


def test_memory_is_taken_stranded_or_free() -> None:
    found = shared()
    everything = sum(
        host.gpus * host.geometry.whole.memory_bytes
        for at, host in enumerate(found.fleet.hosts)
        if at not in found.reserved
    )
    taken = sum(
        len(seat.gpus) * found.fleet.hosts[seat.host].geometry.by_name[seat.profile].memory_bytes
        for seat in found.placement.seats
    )
    answers = found.answers
    assert taken + answers.stranded_bytes + answers.free_bytes == pytest.approx(everything)


def test_a_lone_large_slice_strands_memory_that_no_other_can_take() -> None:
    """On a GPU of seven 1g.10gb the eighth memory slice is nobody's (NVIDIA's MIG table)."""
    people = {**NOTEBOOKS, "people": 7}
    found = plan_of(people, hosts=[MIG_HOST]).portfolio
    assert found.answers.gpus_used == 1
    whole = found.fleet.hosts[0].geometry.whole.memory_bytes
    assert found.answers.stranded_bytes == pytest.approx(whole / 8, rel=0.05)


# ---------------------------------------------------------------- what cannot be


def test_an_unknown_model_is_named_and_the_others_are_placed() -> None:
    found = plan_of({"model": "no/such-model"}, SMALL, hosts=[MIG_HOST]).portfolio
    assert "w0" in found.refusal and "no/such-model" in found.refusal
    assert {found.pieces[seat.piece].workload for seat in found.placement.seats} == {"w1"}


def test_a_model_that_fits_nowhere_says_why() -> None:
    found = plan_of(HUGE, hosts=[{"name": "tiny", "gpu": "l4-24gb", "gpus": 1, "count": 1}])
    assert "w0" in found.portfolio.refusal
    assert found.fleet.pieces == 0 and "cannot be sized" in found.fleet.verdict


def test_too_many_notebooks_name_the_limit_and_a_remedy() -> None:
    crowd = {**NOTEBOOKS, "people": 200}
    found = plan_of(crowd, hosts=[MIG_HOST]).portfolio
    assert found.refusal.startswith("w0")
    assert found.first_refusal.remedy
    assert len(found.placement.seats) > 0


def test_a_lone_host_that_must_not_be_lost_asks_for_another() -> None:
    hosts = [host for host in FLEET.to_dict()["portfolio"]["hosts"] if host["name"] != "sliced"]
    kept = evaluate(FLEET.changed({"portfolio.hosts": hosts}), CATALOGUE).portfolio
    assert "would fit, but not beside the host in reserve" in kept.refusal
    assert "one more host like whole" in kept.refusal
    hosts[0]["count"] += 1
    more = evaluate(FLEET.changed({"portfolio.hosts": hosts}), CATALOGUE).portfolio
    first = kept.first_refusal.workload
    assert first not in {more.pieces[i].workload for i in more.placement.unplaced}


def test_a_single_host_is_said_not_to_be_safe() -> None:
    plan = plan_of(SMALL, n_plus_one=True)
    assert plan.fleet.pieces_placed == plan.fleet.pieces
    assert plan.fleet.verdict == "All fits, but not after the loss of a host"


def test_a_rack_that_cannot_feed_its_hosts_refuses() -> None:
    found = plan_of(SMALL, rack_kw=1.0).portfolio
    assert not found.placement.seats
    assert "power" in found.refusal


@pytest.mark.parametrize(
    ("gpu", "carving", "words"),
    [
        ("t4-16gb", "mig", "no MIG"),
        ("l40s-48gb", "mig", "no MIG"),
        ("mi300x-192gb", "vgpu same size", "choose one of"),
    ],
)
def test_a_carving_that_a_gpu_cannot_do_names_the_row(gpu: str, carving: str, words: str) -> None:
    hosts = [{"name": "a"}, {"name": "b", "gpu": gpu, "carving": carving}]
    with pytest.raises(InvalidScenario, match=rf"portfolio\.hosts, row 2: .*{words}") as caught:
        plan_of(SMALL, hosts=hosts).portfolio  # noqa: B018
    assert caught.value.field == "portfolio.hosts"


def test_an_unknown_gpu_names_the_row() -> None:
    with pytest.raises(MissingData, match=r"portfolio\.hosts, row 1: .*h1000"):
        plan_of(SMALL, hosts=[{"name": "a", "gpu": "h1000"}]).portfolio  # noqa: B018


def test_a_fleet_without_workloads_is_idle() -> None:
    plan = plan_of()
    assert plan.fleet.verdict == "All fits" and plan.fleet.pieces == 0
    assert plan.fleet.busy_fraction == 0.0


@pytest.mark.parametrize("gpu", ["gaudi-3", "tpu-v5e", "mi300x-192gb", "a16-4x16gb"])
def test_other_makers_gpus_are_had_whole(gpu: str) -> None:
    try:
        found = plan_of(NOTEBOOKS, hosts=[{"name": "a", "gpu": gpu}]).portfolio
    except MissingData as error:
        assert "portfolio.hosts, row 1" in str(error)
        return
    assert {seat.profile for seat in found.placement.seats} <= {"whole"}


# ---------------------------------------------------------------- answers


@pytest.mark.parametrize("name", sorted(FleetPlan.__dataclass_fields__))
def test_every_answer_explains_itself(name: str) -> None:
    plan = evaluate(FLEET, CATALOGUE)
    told = explain(plan, f"fleet.{name}")
    assert told.label and told.worked and "{" not in told.worked


def test_the_fleet_is_in_the_plan_as_data() -> None:
    data = evaluate(FLEET, CATALOGUE).to_dict()
    assert data["fleet"]["pieces_placed"] == len(data["placement"]) + 4, "four run by night"
    assert {row["workload"] for row in data["placement"]} <= {w["name"] for w in data["workloads"]}
    assert data["fleet_error"] is None
    assert all(math.isfinite(row["gpu_equivalents"]) for row in data["workloads"])


def test_the_first_weeks_power_is_of_hosts_in_use() -> None:
    plan = plan_of(SMALL)
    host = plan.portfolio.fleet.hosts[0]
    used = plan.fleet.gpus_used
    assert plan.fleet.power_w == pytest.approx(host.base_w + used * 700.0), "H100 SXM: 700 W"


def test_hosts_keep_some_for_their_own_software() -> None:
    fleet = plan_of(SMALL, hosts=[{"name": "a", "cpu_cores": 100, "memory_gib": 1000}]).portfolio
    host = fleet.fleet.hosts[0]
    # Under a hyperconverged platform a tenth of the cores goes to the kernel and storage.
    assert host.cpu_cores == 90
    assert host.memory_bytes == pytest.approx(940 * GIB)


def test_bookings_never_exceed_the_fleet() -> None:
    calendar = shared().calendar
    assert np.all(calendar.gpus.sum(axis=0) <= shared().fleet.gpus + 1e-9)


# ---------------------------------------------------------------- rules of the platform


def test_the_platforms_rules_bear_on_the_hosts_that_they_are_about() -> None:
    notes = shared().notes
    assert all(note.text.endswith(".") and note.source.title for note in notes)
    about = {(note.group, note.topic) for note in notes}
    assert ("sliced", "MIG under NVIDIA NIM") in about
    assert ("edge", "MIG under NVIDIA NIM") not in about
    mixed = [n.text for n in notes if n.group == "edge" and "vSphere 8 Update 3" in n.text]
    assert mixed, "several vGPU sizes on one GPU need vSphere 8 Update 3"


def test_without_a_hypervisor_its_rules_are_silent() -> None:
    plan = evaluate(FLEET.changed({"site.platform": "plain"}), CATALOGUE)
    assert not any("vSphere" in note.text for note in plan.portfolio.notes)


def test_private_ai_wants_three_hosts() -> None:
    def said(count: int) -> bool:
        plan = plan_of(SMALL, hosts=[{"name": "a", "count": count}])
        return any("3 at least" in note.text for note in plan.portfolio.notes)

    assert said(2) and not said(3)


def test_shared_compute_is_said_to_share_faults() -> None:
    plan = plan_of(SMALL, hosts=[{"name": "a", "carving": "mps"}])
    assert any("ends its neighbours" in note.text for note in plan.portfolio.notes)
