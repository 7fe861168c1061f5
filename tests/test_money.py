"""Own, rent or call: what a plan says of cost, energy, rules and value, and what moves it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner import InvalidScenario, evaluate, explain, load_catalogue
from planner.cost import band, present_usd, total_usd
from planner.errors import MissingData
from planner.plan import Plan, cost_draws
from planner.scenario import EXAMPLES, load_example

CATALOGUE = load_catalogue()
CHAT = "chat-assistant"


def plan_of(name: str = CHAT, **changes: Any) -> Plan:
    """The plan of an example with some fields changed, dots written as two underscores."""
    fields = {path.replace("__", "."): value for path, value in changes.items()}
    return evaluate(load_example(name).changed(fields), CATALOGUE)


def quoted(prices: dict[str, float]) -> Plan:
    return plan_of(finance__quotes=tuple(prices.items()), finance__quotes_as_of="2026-11-20")


def lines_of(plan: Plan) -> dict[str, np.ndarray]:
    return {
        f"{venue.id}.{line.id}": line.usd for venue in plan.money.venues for line in venue.lines
    }


def moved(before: Plan, after: Plan) -> set[str]:
    old, new = lines_of(before), lines_of(after)
    assert set(old) == set(new)
    return {
        name
        for name, usd in old.items()
        if usd.shape != new[name].shape or not np.array_equal(usd, new[name])
    }


# --- Sums --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_total_is_the_sum_of_its_lines_and_of_its_months(name: str) -> None:
    plan = plan_of(name)
    years = plan.scenario.finance.horizon_years
    for venue in plan.money.venues:
        if not venue.lines:
            continue
        by_line = sum(line.usd.sum(axis=-1) for line in venue.lines)
        np.testing.assert_allclose(venue.total_usd, by_line, rtol=1e-12)
        months = venue.months_usd(years)
        assert months.shape[-1] == 12 * years + 1
        np.testing.assert_allclose(months.sum(axis=-1), venue.total_usd, rtol=1e-9)
        shown = venue.to_dict()
        assert sum(sum(one["usd_by_year"]) for one in shown["lines"]) == pytest.approx(
            shown["total_usd"], rel=1e-12
        )


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_have_at_least_four_ways(name: str) -> None:
    plan = plan_of(name)
    full = [venue for venue in plan.money.venues if venue.allowed]
    assert len(full) >= 4 and {venue.kind for venue in full} == {"own", "rent", "call"}
    for venue in full:
        assert venue.detail and math.isfinite(float(venue.total_usd[0]))
    assert all(venue.reason for venue in plan.money.venues if not venue.possible)
    for record in (plan.cost, plan.value, plan.energy):
        for field in record.__dataclass_fields__:
            value = getattr(record, field)
            assert (
                isinstance(value, str)
                or not math.isnan(value)
                or field
                in (
                    "usd_per_user_month",
                    "water_l_per_year",
                )
            ), field


def test_ranges_hold_the_nominal_value() -> None:
    for name in EXAMPLES:
        cost = plan_of(name).cost
        for low, value, high in (
            (cost.own_low_usd, cost.own_usd, cost.own_high_usd),
            (cost.rent_low_usd, cost.rent_usd, cost.rent_high_usd),
            (cost.call_low_usd, cost.call_usd, cost.call_high_usd),
            (cost.breakeven_low_hours, cost.breakeven_hours, cost.breakeven_high_hours),
            (cost.breakeven_low_months, cost.breakeven_months, cost.breakeven_high_months),
        ):
            assert low <= value <= high


# --- What a price moves ------------------------------------------------------------------------

OWNED = ("own-room", "own-colocation")
PEOPLE = {
    f"{venue}.staff"
    for venue in (
        *OWNED, "rent-demand", "rent-mixed", "rent-1y", "rent-3y", "rent-spot", "rent-market",
        "call-same", "call-chosen",
    )
}  # fmt: skip
MOVES = {
    "licence/vcf": {f"{venue}.platform" for venue in OWNED},
    "electricity/us": {f"{venue}.power" for venue in OWNED},
    "colocation/space": {"own-colocation.space"},
    "own-room/space": {"own-room.space"},
    "rack/rack": {f"{venue}.racks" for venue in OWNED},
    "storage/flash": {f"{venue}.storage" for venue in OWNED},
    "gpu/h100-sxm-80gb": {
        f"{venue}.{line}"
        for venue in OWNED
        for line in ("gpus", "network", "resale", "support", "spares")
    },
    "residual/year-3": {f"{venue}.resale" for venue in OWNED},
    "staff/fte": PEOPLE,
    "cloud/support-fraction": {one.replace("staff", "support") for one in PEOPLE if "rent" in one},
    "gpu/l40s-48gb": set(),
    "pue/colocation": {"own-colocation.power"},
}
"""Prices, and all the lines that may move with each."""


@pytest.mark.parametrize("price", MOVES)
def test_a_price_moves_only_the_lines_that_depend_on_it(price: str) -> None:
    base = plan_of()
    published = base.money.book.price(price).value
    assert moved(base, quoted({price: published * 1.5})) == MOVES[price]


def test_lines_name_the_prices_that_move_them() -> None:
    base = plan_of()
    for price in ("licence/vcf", "staff/fte", "cloud/support-fraction", "residual/year-3"):
        named = {
            f"{venue.id}.{line.id}"
            for venue in base.money.venues
            for line in venue.lines
            if price in line.prices
        }
        assert moved(base, quoted({price: base.money.book.price(price).value * 2})) == named


def test_a_token_price_moves_one_kind_of_token() -> None:
    base = plan_of()
    api = base.money.venue("call-chosen").api.id
    price = base.money.book.price(f"api/{api}/output").value
    assert moved(base, quoted({f"api/{api}/output": 2 * price})) == {"call-chosen.output"}


CHAT_LINES = [line for venue in plan_of().money.venues for line in venue.lines]
USED = sorted({name for line in CHAT_LINES for name in line.prices})


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(USED), st.floats(1.0, 10.0))
def test_a_higher_price_never_lowers_a_total(price: str, times: float) -> None:
    """But for what comes back at the end, and for shares that must stay below one."""
    base = plan_of()
    value = base.money.book.price(price).value
    higher = value * times if not price.startswith("residual/") else value
    after = quoted({price: value}), quoted({price: higher})
    for low, high in zip(*(one.money.venues for one in after), strict=True):
        if low.lines and high.lines and low.detail == high.detail:
            assert float(high.total_usd[0]) >= float(low.total_usd[0]) * (1 - 1e-12) - 1e-9


def test_a_quote_replaces_a_price_and_its_range() -> None:
    plan = quoted({"licence/vcf": 210.0})
    price = plan.money.book.price("licence/vcf")
    assert (price.low, price.value, price.high, price.quoted) == (210.0, 210.0, 210.0, True)
    assert price.source.as_of == "2026-11-20"
    line = next(one for one in plan.money.venue("own-room").lines if one.id == "platform")
    assert np.ptp(line.usd[:, 0]) == 0.0


def test_every_price_may_be_zero() -> None:
    plan = quoted(dict.fromkeys((one for one in USED if not one.startswith("pue/")), 0.0))
    for venue in plan.money.venues:
        assert venue.total_usd[0] == 0.0 or not venue.lines
    assert plan.cost.cheapest_usd == 0.0
    assert math.isfinite(plan.value.npv_usd)
    json_like = plan.to_dict()["cost"]
    assert json_like["usd_per_request"] == 0.0


def test_an_unknown_quote_is_refused() -> None:
    with pytest.raises(InvalidScenario, match="a price 'gpu/h1000' that the workbook does not"):
        _ = quoted({"gpu/h1000": 1.0}).money


# --- Ways that are not there -------------------------------------------------------------------


def test_without_a_price_of_electricity_the_user_is_asked() -> None:
    unpriced = next(one.id for one in CATALOGUE.grids.values() if not one.is_priced)
    plan = plan_of(site__country=unpriced)
    assert f"No price 'electricity/{unpriced}' is known" in plan.money.venue("own-room").reason
    assert plan.money.venue("rent-demand").allowed
    given_price = plan_of(site__country=unpriced, site__electricity_usd_per_kwh=0.2)
    assert given_price.money.venue("own-room").allowed


def test_another_platform_needs_its_price() -> None:
    assert "licence/other" in plan_of(site__platform="other").money.venue("own-room").reason
    plan = plan_of(site__platform="other", site__platform_usd_per_core_year=100.0)
    cores = plan.cost.hosts * 2 * 32
    line = next(one for one in plan.money.venue("own-room").lines if one.id == "platform")
    assert float(line.usd[0, 0]) == pytest.approx(cores * 100.0)


def test_an_unknown_grid_is_one_sentence() -> None:
    with pytest.raises(MissingData, match="atlantis"):
        _ = plan_of(site__country="atlantis").money


def test_a_commitment_longer_than_the_horizon_cannot_be() -> None:
    venue = plan_of(finance__horizon_years=1).money.venue("rent-3y")
    assert not venue.possible and "longer than the horizon" in venue.reason


def test_when_no_gpu_serves_an_api_still_can() -> None:
    plan = plan_of(service_level__tpot_s=0.005)
    assert not plan.speed.feasible
    ways = {venue.id: venue for venue in plan.money.venues}
    assert not ways["own-room"].possible and ways["own-room"].reason == plan.speed.reason
    assert (
        ways["call-same"].allowed
        and plan.cost.cheapest == ways["call-same"].label
        or (ways["call-chosen"].allowed)
    )
    assert math.isnan(plan.cost.own_usd) and plan.to_dict()["cost"]["own_usd"] is None


def test_a_host_that_no_rack_can_feed() -> None:
    plan = plan_of(site__rack_kw=2.0)
    assert "rack" in plan.money.venue("own-room").reason
    assert plan.money.venue("rent-demand").allowed


# --- Rules -------------------------------------------------------------------------------------


def test_rules_come_before_cost_and_hide_nothing() -> None:
    plan = plan_of(policy__air_gapped=True)
    allowed = {venue.id for venue in plan.money.venues if venue.allowed}
    assert allowed == {"own-room"}
    assert plan.cost.cheapest == plan.money.venue("own-room").label
    shut = plan.money.venue("call-same")
    assert shut.possible and shut.lines and float(shut.total_usd[0]) < plan.cost.cheapest_usd
    assert [gate.reason for gate in shut.gates if not gate.passed]
    assert math.isnan(plan.cost.call_usd)


def test_an_exit_clause_bars_long_commitments() -> None:
    plan = plan_of(policy__exit_months=6)
    assert not plan.money.venue("rent-1y").allowed and plan.money.venue("rent-demand").allowed


def test_residency_chooses_a_region_that_passes() -> None:
    plan = plan_of(policy__data_residency="eu", finance__cloud_provider="aws")
    venue = plan.money.venue("rent-demand")
    assert venue.allowed and venue.country in CATALOGUE.policy_rules.members("eu")


def test_a_rule_that_asks_for_logs_costs_an_audit_line() -> None:
    assert "audit" not in {line.id for line in plan_of().money.venue("own-room").lines}
    plan = plan_of(policy__eu_ai_act_class="high")
    assert plan.money.log_months >= 6
    for venue in plan.money.venues:
        assert not venue.lines or "audit" in {line.id for line in venue.lines}


# --- Amounts -----------------------------------------------------------------------------------


def test_the_idle_gpus_of_a_whole_instance_are_shown() -> None:
    """Two GPUs of an eight-GPU machine: three quarters of its price buys nothing."""
    venue = plan_of(finance__cloud_provider="aws").money.venue("rent-1y")
    lines = {line.id: float(line.usd[0, 0]) for line in venue.lines}
    assert venue.offer.gpus == 8
    assert lines["idle"] / (lines["idle"] + lines["used"]) == pytest.approx(0.75)


def test_a_mixed_commitment_is_never_dearer_than_its_parts() -> None:
    """Same provider and instance; starting up again is what bursts pay on top."""
    for name in EXAMPLES:
        plan = plan_of(name, finance__cloud_provider="aws", finance__scale_up_s=10.0)
        mixed, year, hourly = (
            float(plan.money.venue(f"rent-{one}").total_usd[0]) for one in ("mixed", "1y", "demand")
        )
        assert mixed <= min(year, hourly) * 1.01


def test_following_demand_is_never_dearer_than_standing_ready() -> None:
    for name in EXAMPLES:
        stays, follows = (
            float(
                plan_of(name, finance__cloud_hours=one, finance__scale_up_s=10.0)
                .money.venue("rent-demand")
                .total_usd[0]
            )
            for one in ("always", "follow")
        )
        assert follows <= stays * 1.01


def test_hardware_is_replaced_at_the_end_of_its_life() -> None:
    plan = plan_of(
        finance__horizon_years=5, finance__life_years=3, demand__growth_fraction_per_year=0.0
    )
    gpus = next(one for one in plan.money.venue("own-room").lines if one.id == "gpus").usd[0]
    assert gpus[0] == gpus[3] > 0 and gpus[1] == gpus[2] == gpus[4] == 0


@pytest.mark.parametrize("method", ["straight line", "macrs"])
def test_the_books_hold_what_is_not_yet_written_off(method: str) -> None:
    plan = plan_of(finance__depreciation=method, finance__horizon_years=7, finance__life_years=6)
    books = plan.money.books
    starts = [line for line in plan.money.compared.own.lines if line.timing == "start"]
    np.testing.assert_allclose(books.bought_usd, sum(line.usd[0] for line in starts))
    np.testing.assert_allclose(
        books.book_value_usd,
        np.cumsum(books.bought_usd) - np.cumsum(books.written_off_usd),
        atol=1e-6,
    )
    assert (books.written_off_usd >= 0).all() and (books.book_value_usd >= -1e-6).all()
    share = books.written_off_usd[0] / books.bought_usd[0]
    assert share == pytest.approx(0.2 if method == "macrs" else 1 / 6)
    assert plan.cost.depreciation_usd_per_year == pytest.approx(books.written_off_usd[0])


def test_a_power_cap_saves_energy_and_says_what_it_slows() -> None:
    free, capped = plan_of(), plan_of(site__power_cap_fraction=0.6)
    assert capped.energy.facility_kwh_per_year < free.energy.facility_kwh_per_year
    assert capped.energy.cap_saved_kwh_per_year == pytest.approx(
        free.energy.facility_kwh_per_year - capped.energy.facility_kwh_per_year
    )
    assert 0.0 < capped.energy.cap_speed_fraction <= 1.0 == free.energy.cap_speed_fraction


def test_energy_is_never_the_limit_times_hours() -> None:
    plan = plan_of()
    limit = plan.cost.owned_gpus * plan.gpu.power_w / 1e3
    assert plan.energy.mean_kw < plan.energy.peak_kw < limit
    assert plan.energy.facility_kwh_per_year == pytest.approx(
        plan.energy.mean_kw * 8760 * plan.energy.pue, rel=1e-9
    )
    grid = CATALOGUE.grids["us"]
    assert plan.energy.carbon_kg_per_year == pytest.approx(
        plan.energy.facility_kwh_per_year * grid.gco2e_per_kwh / 1e3
    )


def test_utilisation_divides_once() -> None:
    """A used GPU-hour costs what an owned one would at full use, over the share that is used."""
    for name in EXAMPLES:
        plan = plan_of(name)
        at_full = float(plan.money.compared.own_usd_per_gpu_hour[0])
        assert plan.cost.own_usd_per_gpu_hour == pytest.approx(
            at_full / plan.cost.utilisation_fraction
        )


def test_unit_costs_agree_with_each_other() -> None:
    plan = plan_of()
    cost, demand = plan.cost, plan.demand
    tokens = demand.prompt_tokens + demand.answer_tokens
    assert cost.usd_per_request == pytest.approx(cost.usd_per_million_tokens * tokens / 1e6)
    months = 12 * plan.scenario.finance.horizon_years
    assert cost.usd_per_user_month == pytest.approx(
        cost.cheapest_usd / months / plan.scenario.demand.users
    )


def test_more_demand_on_the_same_hardware_never_raises_the_cost_of_a_request() -> None:
    costs = []
    for users in (20, 50, 100, 200):
        plan = plan_of(demand__users=users)
        venue = plan.money.venue("own-room")
        costs.append(float(venue.total_usd[0]) / float(plan.money.requests.sum()))
    assert costs == sorted(costs, reverse=True)


def test_the_present_value_is_discounted() -> None:
    plan = plan_of()
    venue = plan.money.venue("own-room")
    years = plan.scenario.finance.horizon_years
    spread = [line for line in venue.lines if line.timing == "monthly"]
    assert present_usd(spread, 0.08, years)[0] < total_usd(spread)[0]
    np.testing.assert_allclose(present_usd(venue.lines, 0.0, years), venue.total_usd, rtol=1e-12)


# --- Value -------------------------------------------------------------------------------------


def test_a_workload_that_costs_more_than_it_brings_is_said_to() -> None:
    plan = plan_of(value__saved_s_per_task=1.0, value__review_s_per_task=60.0)
    assert plan.value.verdict == "It costs more than it brings."
    assert plan.value.margin_usd_per_task < 0 and plan.value.npv_usd < 0
    assert plan.money.worthwhile.levers


def test_the_volume_at_which_it_pays_makes_the_net_zero() -> None:
    plan = plan_of()
    times = plan.value.breakeven_tasks_per_month / plan.value.tasks_per_month
    found = plan.money.worthwhile
    assert 0 < times < 1
    lever = next(one for one in found.levers if one.name == "volume")
    assert float(lever.needed) == pytest.approx(times, rel=1e-6)


def test_avoided_losses_do_not_wait_for_volume() -> None:
    """They come with the first task: fewer tasks are enough."""
    plan = plan_of(value__avoided_loss_usd_per_year=4_000.0)
    times = plan.value.breakeven_tasks_per_month / plan.value.tasks_per_month
    lever = next(one for one in plan.money.worthwhile.levers if one.name == "volume")
    assert float(lever.needed) == pytest.approx(times, rel=1e-6)
    assert plan.value.breakeven_tasks_per_month < plan_of().value.breakeven_tasks_per_month


def test_nothing_allowed_has_no_value() -> None:
    plan = plan_of(policy__air_gapped=True, service_level__tpot_s=0.005)
    assert plan.money.best is None and plan.money.worthwhile is None
    assert plan.value.verdict == plan.cost.cheapest == "Nothing that policy allows"
    assert str(explain(plan, "value.npv_usd")).startswith("Net present value: unknown")


# --- Currency and draws ------------------------------------------------------------------------


def test_a_currency_changes_words_and_no_number() -> None:
    base, euros = plan_of(), plan_of(finance__currency="EUR", finance__currency_per_usd=0.8)
    assert base.cost == euros.cost
    assert explain(base, "cost.own_usd").value.startswith("$")
    assert explain(euros, "cost.own_usd").value.startswith("EUR ")


def test_draws_are_the_same_for_the_same_seed_and_hold_the_band() -> None:
    scenario = load_example(CHAT)
    one, same, other = (
        cost_draws(scenario, CATALOGUE, draws=2000, seed=seed) for seed in (1, 1, 2)
    )
    assert np.array_equal(one.total_usd, same.total_usd, equal_nan=True)
    assert not np.array_equal(one.total_usd, other.total_usd, equal_nan=True)
    plan = plan_of()
    for at, name in enumerate(one.venue_ids):
        venue = plan.money.venue(name)
        low, _, high = band(venue.total_usd)
        if venue.lines and high > low:
            inside = np.mean((one.total_usd[:, at] >= low) & (one.total_usd[:, at] <= high))
            # 80 % by 128 draws against 2,000 others.
            assert 0.68 < inside < 0.92, name
    assert one.cheapest_fraction().sum() == pytest.approx(1.0)


@pytest.mark.parametrize("kind", ["cheapest", "own", "rent", "call"])
def test_a_total_of_money_is_explained_by_its_bill(kind: str) -> None:
    plan = plan_of()
    told = explain(plan, f"cost.{kind}_usd")
    found = plan.money.compared
    way = found.best if kind == "cheapest" else getattr(found, kind)
    assert [line.label for line in told.bill] == [line.label for line in way.lines]
    assert all(line.prices and line.as_of for line in told.bill)
    assert all(line.label in str(told) and line.value in str(told) for line in told.bill)
    assert not explain(plan, "cost.usd_per_request").bill


def test_a_bill_says_which_price_is_the_users_own() -> None:
    (line,) = [
        one
        for one in explain(quoted({"licence/vcf": 210.0}), "cost.own_usd").bill
        if one.label == "Platform licence"
    ]
    assert "VMware Cloud Foundation: 210 USD/core/year (your quote)" in line.prices
