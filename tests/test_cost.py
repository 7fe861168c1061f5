"""What things cost: against a spreadsheet, brute force, and properties that any bill has."""

from __future__ import annotations

import csv
import json
import math
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner import cost
from planner.catalogue import Basis, load_catalogue
from planner.cost import (
    DRAWS,
    Currency,
    Line,
    OwnedFleet,
    PriceBook,
    RentedLoad,
    TokenVolume,
    api_prices,
    band,
    best_floor,
    burst_hours,
    core_licence_usd,
    crossing_months,
    depreciation_schedule,
    gpu_licence_usd,
    hosted_lines,
    instance_hours,
    levelised_usd_per_year,
    licensed_cores,
    monthly_usd,
    offer_price,
    own_lines,
    positions,
    present_usd,
    purchases,
    rented_lines,
    total_usd,
    triangular,
    used_hour_usd,
    whole_hosts,
    whole_instances,
)
from planner.errors import InvalidScenario, MissingData
from planner.value import monthly_rate, npv

ORACLE = 1e-9
"""Relative, against the spreadsheet and identities."""
CATALOGUE = load_catalogue()

# --- A spreadsheet -----------------------------------------------------------------------------


def year_of(method: str):
    """One year of a schedule, as the spreadsheet has it."""

    def written_off(cost: float, salvage: float, life: int, year: int = 1) -> float:
        return depreciation_schedule(cost, life, method, salvage)[year - 1]

    return written_off


CHECKED = {
    "capital_recovery_factor": lambda rate, periods: cost.capital_recovery_factor(rate, periods),
    "sinking_fund_factor": lambda rate, periods: cost.sinking_fund_factor(rate, periods),
    "annuity_payment": lambda rate, periods, present, salvage=0.0: levelised_usd_per_year(
        present, 0.0, rate, periods, salvage
    ),
    "straight_line": year_of("straight line"),
    "sum_of_years": year_of("sum of years"),
    "double_declining": year_of("double declining"),
}
WITHOUT_FUNCTION = {"variable_declining"}
"""The spreadsheet has it, the workbook does not offer it."""
OF_VALUE = {"npv", "irr", "payback", "discounted_payback", "roi", "monthly_rate"}
"""Checked in test_value.py."""


def spreadsheet() -> list[dict[str, str]]:
    path = Path(__file__).parent / "oracle" / "finance.csv"
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


SHEET = spreadsheet()
OURS = [row for row in SHEET if row["function"] in CHECKED]


def test_every_row_of_the_spreadsheet_is_checked_somewhere() -> None:
    functions = {row["function"] for row in SHEET}
    assert functions == set(CHECKED) | {"macrs"} | OF_VALUE | WITHOUT_FUNCTION


@pytest.mark.parametrize("row", OURS, ids=lambda row: row["formula"])
def test_spreadsheet(row: dict[str, str]) -> None:
    found = CHECKED[row["function"]](**json.loads(row["inputs"]))
    assert float(found) == pytest.approx(float(row["value"]), rel=ORACLE, abs=1e-9)


@pytest.mark.parametrize("life", [3, 5, 7])
def test_macrs_is_the_spreadsheets_rounded_to_the_published_digits(life: int) -> None:
    """The IRS prints hundredths of a percent; some last digits are moved so that all sum to 1."""
    rows = [row for row in SHEET if row["function"] == "macrs"]
    sheet = [float(r["value"]) for r in rows if json.loads(r["inputs"])["life"] == life]
    ours = depreciation_schedule(1.0, life, "macrs")
    assert ours == pytest.approx(sheet, abs=1.1e-4)
    assert ours.sum() == pytest.approx(1.0, abs=1e-12)


@given(
    st.sampled_from(["straight line", "sum of years", "double declining"]),
    st.floats(1.0, 1e7),
    st.floats(0.0, 1.0),
    st.integers(1, 12),
)
def test_no_method_writes_off_more_than_there_is(
    method: str, price: float, kept: float, life: int
) -> None:
    years = depreciation_schedule(price, life, method, kept * price)
    left = cost.book_values(price, years)
    assert (years >= -1e-9 * price).all()
    assert (left >= kept * price - 1e-9 * price).all()
    if method != "double declining":
        assert left[-1] == pytest.approx(kept * price, rel=1e-9, abs=1e-9 * price)


def test_unknown_depreciation_is_named() -> None:
    for wrong in ({"method": "hope"}, {"method": "macrs", "life_years": 4}, {"life_years": 0}):
        with pytest.raises(InvalidScenario):
            depreciation_schedule(1.0, **{"life_years": 5, **wrong})


# --- Lines by year -----------------------------------------------------------------------------

USD = st.floats(-1e6, 1e6).map(lambda usd: round(usd, 2))


@st.composite
def some_lines(draw: st.DrawFn) -> tuple[list[Line], int]:
    years = draw(st.integers(1, 6))
    count = draw(st.integers(0, 5))
    draws = draw(st.sampled_from([(), (1,), (3,)]))
    lines = [
        Line(
            f"line-{number}",
            "Line",
            "part",
            np.array(draw(st.lists(USD, min_size=years, max_size=years)))
            * np.ones((*draws, years)),
            draw(st.sampled_from(["start", "monthly", "end"])),
            (),
            Basis.DERIVED,
        )
        for number in range(count)
    ]
    return lines, years


@given(some_lines())
def test_months_add_up_to_the_total(found: tuple[list[Line], int]) -> None:
    lines, years = found
    months = monthly_usd(lines, years)
    assert months.shape[-1] == 12 * years + 1
    assert months.sum(axis=-1) == pytest.approx(total_usd(lines), rel=ORACLE, abs=1e-6)


@given(some_lines(), st.floats(-0.2, 1.0))
def test_present_value_is_npv_of_the_months(found: tuple[list[Line], int], rate: float) -> None:
    lines, years = found
    months = monthly_usd(lines, years)
    scale = float(npv(monthly_rate(rate), np.abs(months)).max())
    expected = npv(monthly_rate(rate), months)
    assert present_usd(lines, rate, years) == pytest.approx(
        expected, rel=ORACLE, abs=ORACLE * scale
    )
    assert present_usd(lines, 0.0, years) == pytest.approx(total_usd(lines), rel=1e-9, abs=1e-6)


def moments_of(own: list[float], rented: list[float]) -> float:
    """The last crossing of the two sums, month by month."""
    gaps = np.cumsum(own) - np.cumsum(rented)
    dearer = [month for month, gap in enumerate(gaps) if gap > 0]
    if not dearer:
        return 0.0
    last = dearer[-1]
    if last == len(gaps) - 1:
        return math.inf
    return last + gaps[last] / (gaps[last] - gaps[last + 1])


@given(
    st.lists(
        st.tuples(st.integers(-40, 400), st.integers(-40, 400)),
        min_size=1,
        max_size=40,
    )
)
def test_crossing_is_the_last_one(flows: list[tuple[int, int]]) -> None:
    own, rented = (np.array(side, dtype=float) for side in zip(*flows, strict=True))
    assert float(crossing_months(own, rented)) == pytest.approx(moments_of(own, rented), rel=1e-9)


def test_crossings_of_many_draws_are_each_their_own() -> None:
    random = np.random.default_rng(11)
    own = random.integers(0, 30, (3, 20, 25)).astype(float)
    own[..., 0] += 200.0
    rented = random.integers(0, 50, (3, 20, 25)).astype(float)
    found = crossing_months(own, rented)
    assert found.shape == (3, 20)
    assert np.isinf(found).any() and np.isfinite(found).any()
    for place in np.ndindex(3, 20):
        assert found[place] == pytest.approx(moments_of(own[place], rented[place]), rel=1e-9)


PER_HOUR = st.floats(0.0, 100.0).map(lambda usd: round(usd, 4))

# --- Whole machines ----------------------------------------------------------------------------


@given(st.integers(0, 500), st.integers(1, 16), st.integers(0, 3))
def test_hosts_are_whole_and_none_too_many(gpus: int, each: int, spare: int) -> None:
    hosts = float(whole_hosts(gpus, each, spare))
    if gpus == 0:
        assert hosts == 0.0
    else:
        working = hosts - spare
        assert working == int(working) and working * each >= gpus > (working - 1) * each
    assert float(whole_instances(gpus, each)) == (0.0 if gpus == 0 else hosts - spare)


@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=60),
    PER_HOUR,
    PER_HOUR,
)
def test_no_floor_is_cheaper_than_the_best(
    week: list[int], committed: float, demand: float
) -> None:
    hourly = np.array(week, dtype=float)

    def bill(floor: float) -> float:
        return committed * floor * len(week) + demand * float(burst_hours(hourly, floor))

    cheapest = min(bill(float(floor)) for floor in range(max(week) + 1))
    assert bill(float(best_floor(hourly, committed, demand))) <= cheapest * (1 + 1e-6) + 1e-6


@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=12).map(np.cumsum),
    st.integers(1, 8),
)
def test_purchases_keep_the_stock(owned: np.ndarray, life: int) -> None:
    bought = purchases(owned.astype(float), life)
    assert (bought >= 0).all()
    for year, units in enumerate(owned):
        alive = bought[max(0, year - life + 1) : year + 1].sum()
        assert alive == pytest.approx(units)


# --- Licences ----------------------------------------------------------------------------------


@given(st.integers(0, 40), st.integers(1, 4), st.integers(1, 128))
def test_licence_floors(hosts: int, sockets: int, cores: int) -> None:
    billed = float(licensed_cores(hosts, sockets, cores))
    if hosts == 0:
        assert billed == 0.0
        return
    assert billed >= 72.0
    assert billed >= hosts * sockets * 16.0 and billed >= hosts * sockets * cores
    assert billed in (72.0, hosts * sockets * 16.0, float(hosts * sockets * cores))
    joined = float(licensed_cores(hosts, sockets, cores, minimum_cores_per_order=0.0))
    assert joined <= billed


def test_licences_by_hand() -> None:
    """Four hosts of 2 x 32 cores are 256; of 2 x 8 cores they are billed as 2 x 16."""
    assert float(licensed_cores(4, 2, 32)) == 256.0
    assert float(licensed_cores(4, 2, 8)) == 128.0
    assert float(licensed_cores(2, 2, 8)) == 72.0
    assert float(core_licence_usd(licensed_cores(2, 2, 8), 135, 3)) == 72 * 135 * 3
    assert float(gpu_licence_usd(16, 4500, 5)) == 16 * 4500 * 5


# --- Prices and their ranges -------------------------------------------------------------------


@pytest.mark.parametrize(("low", "mode", "high"), [(1, 2, 5), (0, 0, 3), (2, 9, 9), (10, 11, 30)])
def test_triangular_is_numpys(low: float, mode: float, high: float) -> None:
    sample = np.random.default_rng(5).triangular(low, mode, high, 400_000)
    places = np.linspace(0.02, 0.98, 25)
    ours = triangular(places, low, mode, high)
    assert ours == pytest.approx(np.quantile(sample, places), abs=0.01 * (high - low))
    assert triangular([0.0, 1.0], low, mode, high).tolist() == [low, high]


def test_draws_fill_the_range_evenly_and_each_price_alone() -> None:
    places = np.sort(positions("gpus", 64))
    assert (np.floor(places * 64) == np.arange(64)).all(), "one draw in every 64th"
    other = positions("electricity", 64)
    assert abs(np.corrcoef(positions("gpus", 64), other)[0, 1]) < 0.4
    assert (positions("gpus", 64) == positions("gpus", 64)).all()


@given(st.lists(st.floats(-1e6, 1e6) | st.just(math.inf), min_size=1, max_size=200))
def test_a_band_holds_its_nominal_value(values: list[float]) -> None:
    low, nominal, high = band(np.array(values))
    assert low <= nominal == values[0] <= high
    assert {low, high} <= set(values)


def test_a_band_holds_four_fifths_of_the_draws() -> None:
    draws = np.random.default_rng(2).normal(10.0, 3.0, DRAWS)
    low, _, high = band(np.concatenate([[10.0], draws]))
    assert np.mean((draws >= low) & (draws <= high)) == pytest.approx(0.8, abs=0.02)
    never = band(np.array([5.0, *range(1, 10), math.inf, math.inf]))
    assert never[2] == math.inf and math.isfinite(never[0])


@given(st.floats(0.01, 200.0), st.floats(-1e9, 1e9))
def test_currency_round_trip(rate: float, usd: float) -> None:
    money = Currency("EUR", rate)
    assert money.to_usd(money.of_usd(usd)) == pytest.approx(usd, rel=1e-12, abs=1e-9)


def test_currency_words() -> None:
    assert Currency("EUR", 0.8).show(1_250_000.0) == "EUR 1.00 million"
    assert Currency().show(999_999.9) == "$1.00 million"
    assert Currency().show(-1234.0) == "−$1,230"
    assert Currency().show(math.inf) == "without end"


def test_a_quote_of_nothing_known_is_refused() -> None:
    with pytest.raises(InvalidScenario, match="licence/vfc"):
        PriceBook.of(CATALOGUE.prices, {"licence/vfc": 1.0})
    with pytest.raises(MissingData, match="quote"):
        PriceBook(CATALOGUE.prices)["gpu/of-tomorrow"]


# --- Properties of a bill ----------------------------------------------------------------------

YEARS = 4


def fleet(hosts: float = 3.0, **changes) -> OwnedFleet:
    some = np.full(YEARS, float(hosts))
    found = OwnedFleet(
        hosts=some,
        gpus_per_host=8,
        gpu="h100-sxm-80gb",
        host_kind="hgx",
        sockets_per_host=2,
        cores_per_socket=12,
        platform="vcf",
        gpu_licence=True,
        storage_tb=20.0,
        storage_scheme="vsan-raid5",
        facility_kwh=90_000 * some,
        it_kw=9.0 * some,
        racks=np.ceil(some / 4),
        staff_fte=None,
        life_years=3,
        space="colocation/space",
        electricity="electricity/here",
    )
    return replace(found, **changes)


def load(gpus: float, follow: bool = True) -> RentedLoad:
    week = np.tile(np.repeat([0.25, 1.0], 12), 7) * gpus * np.ones((YEARS, 1))
    return RentedLoad(
        week, week.max(axis=-1), 8760, 168, follow, 300.0, 5.0, np.full(YEARS, 1e12), 0.5
    )


OFFERS = {offer.id: offer for offer in CATALOGUE.cloud_offers}
DEMAND = OFFERS["aws/us-east-1/p5.48xlarge/on-demand"]
COMMITTED = next(
    offer
    for offer in CATALOGUE.cloud_offers
    if offer.tier.startswith("committed") and offer.gpu == DEMAND.gpu and offer.gpus == DEMAND.gpus
)
API = CATALOGUE.api_prices["groq/gpt-oss-120b"]
PRICES = {
    **CATALOGUE.prices,
    "electricity/here": replace(
        CATALOGUE.prices["licence/vcf"], id="electricity/here", low=0.1, value=0.15, high=0.3
    ),
    **{price.id: price for price in map(offer_price, (DEMAND, COMMITTED))},
    **{price.id: price for price in api_prices(API)},
}
VOLUME = TokenVolume(np.full(YEARS, 2e9), np.full(YEARS, 5e8), np.full(YEARS, 4e8), 0.25, 0.1)


def bill(way: str, book: PriceBook, size: float = 1.0) -> tuple[Line, ...]:
    if way == "own":
        return own_lines(fleet(3.0 * size), book)
    if way == "api":
        volumes = (size * one for one in (VOLUME.fresh_input, VOLUME.cached_input, VOLUME.output))
        return hosted_lines(TokenVolume(*volumes, 0.25, 0.1), book, API)
    rented = load(20.0 * size)
    offer = COMMITTED if way == "committed" else DEMAND
    hours = instance_hours(rented, offer.gpus, way, COMMITTED.value, DEMAND.value)
    return rented_lines(rented, hours, book, offer, COMMITTED if way == "mixed" else None)


WAYS = ("own", "on-demand", "committed", "mixed", "api")
BEHIND = [
    (way, price)
    for way in WAYS
    for price in dict.fromkeys(
        name for line in bill(way, PriceBook(PRICES, draws=0)) for name in line.prices
    )
]


@pytest.mark.parametrize(("way", "name"), BEHIND)
def test_a_higher_price_never_lowers_a_total(way: str, name: str) -> None:
    """But for what hardware sells for, which is paid back."""
    totals = []
    for factor in (0.5, 1.0, 1.5):
        price = PRICES[name]
        dearer = replace(
            price, low=factor * price.low, value=factor * price.value, high=factor * price.high
        )
        totals.append(float(total_usd(bill(way, PriceBook({**PRICES, name: dearer}, draws=0)))[0]))
    if name.startswith("residual/"):
        assert totals[0] >= totals[1] >= totals[2]
    else:
        assert totals[0] <= totals[1] <= totals[2]
    assert len(set(totals)) > 1 or name.startswith(("licence/minimum", "staff/", "residual/"))


@pytest.mark.parametrize("way", WAYS)
def test_lines_have_the_books_draws_and_name_their_prices(way: str) -> None:
    lines = bill(way, PriceBook(PRICES, draws=16))
    for line in lines:
        assert line.usd.shape[-1] == YEARS and line.usd.shape[0] in (1, 17)
        assert line.prices and all(name in PRICES for name in line.prices)
        assert np.isfinite(line.usd).all()
    nominal = bill(way, PriceBook(PRICES, draws=0))
    assert total_usd(lines)[0] == pytest.approx(total_usd(nominal)[0])
    assert len({line.id for line in lines}) == len(lines)


@pytest.mark.parametrize("way", WAYS)
def test_nothing_needed_costs_nothing(way: str) -> None:
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        lines = bill(way, PriceBook(PRICES, draws=8), size=0.0)
        # What is sent out of a cloud is asked for by itself.
        sent = [line for line in lines if line.id not in ("egress",)]
        assert total_usd(sent) == pytest.approx(0.0)


SHARE = st.floats(0.0, 1.0).map(lambda share: round(share, 6))


@given(PER_HOUR, SHARE, SHARE)
def test_more_use_never_raises_the_cost_of_a_used_hour(full: float, one: float, two: float) -> None:
    less, more = sorted((one, two))
    assert float(used_hour_usd(full, more)) <= float(used_hour_usd(full, less))


ZERO_ALLOWED = {
    "breakeven_hours": 3,
    "breakeven_years_at_duty": 5,
    "breakeven_months": 3,
    "breakeven_months_against_api": 4,
    "breakeven_utilisation": 2,
    "used_hour_usd": 2,
    "guessing_wrong": 3,
    "breakeven_tokens_per_month": 2,
    "breakeven_commitment_utilisation": 2,
    "breakeven_commitment_hours_per_month": 3,
    "capital_recovery_factor": 2,
    "levelised_usd_per_hour": 4,
    "levelised_usd_per_million_tokens": 2,
    "per_unit": 2,
    "saving_fraction": 2,
    "cumulative_rent_usd": 3,
    "tokens_usd": 2,
}
"""Functions of money, and how many numbers they ask for."""


@pytest.mark.parametrize("name", ZERO_ALLOWED)
@settings(max_examples=60)
@given(data=st.data())
def test_zeros_never_divide(name: str, data: st.DataObject) -> None:
    """Any mixture of zeros and ones gives a number or "never", without a warning."""
    count = ZERO_ALLOWED[name]
    arguments = data.draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=count, max_size=count))
    with warnings.catch_warnings(), np.errstate(divide="raise", invalid="raise"):
        warnings.simplefilter("error")
        found = getattr(cost, name)(*arguments)
    assert not np.isnan(np.asarray(found, dtype=float)).any()


@given(st.floats(0.0, 1e6), PER_HOUR, PER_HOUR)
def test_both_ways_have_cost_the_same_at_break_even(
    capital: float, own: float, rented: float
) -> None:
    hours = float(cost.breakeven_hours(capital, own, rented))
    if math.isfinite(hours):
        assert capital + own * hours == pytest.approx(rented * hours, rel=1e-6, abs=1e-6)
    else:
        assert rented <= own and capital > 0.0


# --- Hours of whole instances ------------------------------------------------------------------


def test_instances_that_follow_demand_never_run_longer_than_those_that_do_not() -> None:
    follow = instance_hours(load(20.0), 8.0, "on-demand")
    always = instance_hours(load(20.0, follow=False), 8.0, "on-demand")
    committed = instance_hours(load(20.0), 8.0, "committed")
    assert (follow.on_demand < always.on_demand).all()
    assert always.on_demand == pytest.approx(committed.committed, rel=1e-9)
    assert committed.committed.tolist() == [3 * 8760.0] * YEARS


@given(st.floats(0.1, 3.0))
def test_a_mixture_is_never_dearer_than_either(share: float) -> None:
    """Starts aside, whose minutes the choice of a floor does not see."""
    demand = replace(load(60.0), scale_up_s=0.0)
    price = 10.0

    def paid(scheme: str) -> np.ndarray:
        hours = instance_hours(demand, 8.0, scheme, share * price, price)
        return hours.committed * share * price + hours.on_demand * price

    mixed = paid("mixed")
    assert (mixed <= paid("committed") * (1 + 1e-6)).all()
    assert (mixed <= paid("on-demand") * (1 + 1e-6)).all()
