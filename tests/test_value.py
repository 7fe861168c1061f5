"""Money and value: against a spreadsheet, numpy-financial, published cases and properties."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy_financial
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from planner.errors import InvalidScenario
from planner.scenario import Scenario, field_schema
from planner.scenario.value import ValueSection
from planner.value import (
    INFRASTRUCTURE,
    PARTS,
    VALUE_LEVERS,
    VOLUME,
    TaskValues,
    adoption_ramp,
    benefit,
    break_even_volume,
    cost_per_successful_task,
    discounted_payback_periods,
    irr,
    kill_line,
    levers,
    monthly_benefit,
    monthly_rate,
    npv,
    npv_of_case,
    payback_periods,
    roi_fraction,
    sign_changes,
    tasks_of_requests,
    value_case,
    value_of_one_more_task,
    value_per_task,
    worth,
    yearly_rate,
)

ORACLE = 1e-9
"""Relative, against the spreadsheet and numpy-financial."""
ROUNDING = 1e-9
"""Relative to the largest sum involved, for identities."""
DEFAULTS = TaskValues.of(ValueSection())

# --- A spreadsheet -----------------------------------------------------------------------------

CHECKED = {
    "npv": npv,
    "irr": irr,
    "payback": payback_periods,
    "discounted_payback": discounted_payback_periods,
    "roi": roi_fraction,
    "monthly_rate": monthly_rate,
}


def spreadsheet() -> list[dict[str, str]]:
    path = Path(__file__).parent / "oracle" / "finance.csv"
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


OURS = [row for row in spreadsheet() if row["function"] in CHECKED]


def test_the_spreadsheet_covers_every_function() -> None:
    assert {row["function"] for row in OURS} == set(CHECKED)
    assert len(OURS) >= 15


@pytest.mark.parametrize("row", OURS, ids=lambda row: f"{row['function']} {row['formula'][:40]}")
def test_spreadsheet(row: dict[str, str]) -> None:
    found = CHECKED[row["function"]](**json.loads(row["inputs"]))
    assert float(found) == pytest.approx(float(row["value"]), rel=ORACLE)


def test_the_sheets_macrs_is_the_published_table() -> None:
    """IRS Publication 946, table A-1, half-year convention, in percent to two digits."""
    published = {
        3: (33.33, 44.45, 14.81, 7.41),
        5: (20.00, 32.00, 19.20, 11.52, 11.52, 5.76),
        7: (14.29, 24.49, 17.49, 12.49, 8.93, 8.92, 8.93, 4.46),
    }
    rows = [row for row in spreadsheet() if row["function"] == "macrs"]
    assert len(rows) == sum(map(len, published.values()))
    for row in rows:
        inputs = json.loads(row["inputs"])
        table = published[inputs["life"]][inputs["year"] - 1]
        assert 100 * float(row["value"]) == pytest.approx(table, abs=0.011)


# --- numpy-financial ---------------------------------------------------------------------------

MONEY = st.floats(-1e6, 1e6).map(lambda usd: round(usd, 2))
FLOWS = st.lists(MONEY, min_size=2, max_size=40)


@given(st.floats(-0.5, 2.0), FLOWS)
def test_npv_is_numpy_financials(rate: float, flows: list[float]) -> None:
    expected = float(numpy_financial.npv(rate, flows))
    scale = float(numpy_financial.npv(rate, np.abs(flows)))
    assert float(npv(rate, flows)) == pytest.approx(expected, rel=ORACLE, abs=1e-12 * scale)
    later = float(npv(rate, flows, first_period=1))
    assert later * (1 + rate) == pytest.approx(expected, rel=ORACLE, abs=1e-12 * scale)


@given(
    st.floats(1.0, 1e6),
    st.lists(st.floats(0.0, 1e6).map(lambda usd: round(usd, 2)), min_size=1, max_size=40),
)
def test_irr_of_an_investment_is_numpy_financials(paid: float, received: list[float]) -> None:
    assume(0.2 * paid < sum(received) < 50.0 * paid)
    flows = [-paid, *received]
    assert float(irr(flows)) == pytest.approx(numpy_financial.irr(flows), rel=ORACLE, abs=1e-12)


@settings(max_examples=200)
@given(st.lists(st.integers(-50, 50), min_size=3, max_size=9))
def test_irr_of_any_flows_is_numpy_financials(flows: list[int]) -> None:
    """With several changes of sign both take the root nearest to zero."""
    found = float(irr(flows))
    changes = int(sign_changes(flows))
    if math.isnan(found):
        assert changes % 2 == 0, "an odd number of changes has a root"
        return
    assert changes >= 1
    with np.errstate(over="ignore"):
        rest = float(npv(found, flows))
        slope = float(npv(found + 1e-6, flows)) - rest
    scale = float(npv(found, np.abs(flows)))
    assert abs(rest) <= 1e-6 * scale
    assume(abs(slope) > 1e-9 * scale)  # Two roots in one place are known to half the digits.
    with np.errstate(all="ignore"):
        expected = float(numpy_financial.irr(flows))
    if changes == 1 or not math.isnan(expected):
        assert found == pytest.approx(expected, rel=1e-7, abs=1e-9)


# --- Rates of return that are awkward ----------------------------------------------------------


def test_several_changes_of_sign() -> None:
    """-1000, 2500, -1540 is zero at 10 % and at 40 %: (1.1 - g)(g - 1.4) x 1000."""
    waves = [-1000.0, 2500.0, -1540.0]
    assert float(irr(waves)) == pytest.approx(0.1, rel=1e-9)
    assert float(npv(0.4, waves)) == pytest.approx(0.0, abs=1e-9)
    assert int(sign_changes(waves)) == 2
    assert math.isnan(float(irr([1000.0, -2000.0, 1500.0]))), "no real root"


@pytest.mark.parametrize(
    "flows", [[], [0.0], [0.0, 0.0], [5.0], [1.0, 2.0], [-1.0, 0.0, -2.0], [-1.0, np.nan, 3.0]]
)
def test_no_rate_of_return(flows: list[float]) -> None:
    assert math.isnan(float(irr(flows)))


@pytest.mark.parametrize("before", [0, 1, 5])
@pytest.mark.parametrize("after", [0, 1, 40])
def test_zeros_around_the_flows_do_not_matter(before: int, after: int) -> None:
    for flows, rate in (([-100.0, 0.0, 121.0], 0.1), ([-1000.0, 2500.0, -1540.0], 0.1)):
        padded = [0.0] * before + flows + [0.0] * after
        assert float(irr(padded)) == pytest.approx(rate, rel=1e-9)


@pytest.mark.parametrize("rate", [-0.99, -0.5, -1e-7, 0.0, 1e-7, 0.3, 9.0, 100.0])
@pytest.mark.parametrize("periods", [1, 36, 120])
def test_rates_from_almost_all_lost_to_a_hundredfold(rate: float, periods: int) -> None:
    flows = np.zeros(periods + 1)
    flows[0], flows[-1] = -1.0, (1.0 + rate) ** periods
    assert float(irr(flows)) == pytest.approx(rate, rel=1e-9, abs=1e-14)
    assert float(irr(-flows)) == pytest.approx(rate, rel=1e-9, abs=1e-14)


def test_many_draws_at_once_are_each_their_own() -> None:
    random = np.random.default_rng(3)
    flows = random.normal(20.0, 60.0, (4, 50, 13))
    flows[..., 0] = -150.0
    rates = irr(flows)
    assert rates.shape == (4, 50)
    changes = sign_changes(flows)
    assert (changes == 1).any() and (changes > 1).any()
    for place in ((0, 0), (1, 7), (3, 49)):
        assert rates[place] == pytest.approx(float(irr(flows[place])), nan_ok=True)
        for several in (payback_periods, sign_changes):
            assert several(flows)[place] == several(flows[place])
    yearly = np.linspace(0.0, 0.3, 50)
    assert npv(yearly, flows).shape == (4, 50)
    assert npv(yearly, flows)[2, 30] == pytest.approx(float(npv(yearly[30], flows[2, 30])))
    assert npv(yearly, flows[0, 0]).shape == (50,)


def test_rates_that_do_not_exist_are_nan() -> None:
    for rate in (-1.0, -2.0):
        assert math.isnan(float(npv(rate, [-1.0, 2.0])))
        assert math.isnan(float(monthly_rate(rate))) and math.isnan(float(yearly_rate(rate)))
    assert float(npv(0.1, [])) == 0.0


@given(st.floats(-0.9, 5.0))
def test_months_make_years(rate: float) -> None:
    assert float(yearly_rate(monthly_rate(rate))) == pytest.approx(rate, rel=1e-12, abs=1e-14)
    assert float(npv(monthly_rate(rate), [0.0] * 12 + [1.0])) == pytest.approx(1 / (1 + rate))


# --- Payback and ROI ---------------------------------------------------------------------------


def test_published_paybacks() -> None:
    """Lenovo's 2026 study (LP2368) and a workstation (localized-ai.com, on-prem against an API).

    250,142 USD against 98.32 - 6.37 USD an hour pays back in 2,720 h; EUR 4,000 that save 280 and
    cost 95 a month in 21.6 months.
    """
    hours = payback_periods([-250_141.8, *[98.32 - 6.37] * 4000])
    assert float(hours) == pytest.approx(2720, abs=1)
    assert float(payback_periods([-4000.0, *[280.0 - 95.0] * 36])) == pytest.approx(21.6, abs=0.05)


def test_payback_counts_the_last_return() -> None:
    assert float(payback_periods([-100, 150, -100, 100])) == pytest.approx(2.5)
    assert float(payback_periods([-100, 150, -100, 30])) == math.inf
    assert float(payback_periods([0.0, 0.0, -10.0, 20.0])) == pytest.approx(2.5)
    assert float(payback_periods([5.0, 1.0])) == float(payback_periods([])) == 0.0
    assert math.isnan(float(payback_periods([-1.0, math.nan])))


def test_a_sum_that_is_zero_but_for_rounding_has_paid_back() -> None:
    assert float(payback_periods([-0.3, 0.1, 0.1, 0.1])) == pytest.approx(3.0)


@given(st.floats(0.0, 0.5), st.floats(1.0, 1e6), st.lists(st.floats(0.0, 1e5), max_size=40))
def test_discounting_never_shortens_a_payback(
    rate: float, paid: float, received: list[float]
) -> None:
    flows = [-paid, *received]
    simple, discounted = (
        float(payback_periods(flows)),
        float(discounted_payback_periods(rate, flows)),
    )
    assert discounted >= simple * (1.0 - 1e-9)
    gain = float(npv(rate, flows))
    if abs(gain) > 1e-6 * (paid + sum(received)):
        assert math.isfinite(discounted) == (gain > 0.0)


def test_roi_by_convention() -> None:
    """Dell's AI Factory: 1.96 to 25.9 million; 1,225 % is printed, which rounding allows."""
    low, high = roi_fraction(25.85e6, 1.965e6), roi_fraction(25.95e6, 1.955e6)
    assert float(low) < 12.25 < float(high)
    free = roi_fraction([1.0, 0.0, -1.0], 0.0)
    assert free[0] == math.inf and math.isnan(free[1]) and free[2] == -math.inf
    assert float(roi_fraction(0.0, 5.0)) == -1.0


# --- Benefits ----------------------------------------------------------------------------------

ALLOWED = {
    name.removeprefix("value."): (entry["minimum"], entry["maximum"])
    for name, entry in field_schema().items()
    if name.startswith("value.")
}


def amounts(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers to a millionth: nothing smaller is money, time or a share."""
    return st.floats(low, high).map(lambda number: round(number, 6))


@st.composite
def task_values(draw: st.DrawFn) -> TaskValues:
    numbers = {}
    for one in fields(TaskValues):
        low, high = ALLOWED[one.name]
        whole = one.name.endswith("months")
        numbers[one.name] = draw(st.integers(low, high) if whole else amounts(low, high))
    return TaskValues(**numbers)


def test_the_section_and_the_assumptions_have_the_same_fields() -> None:
    names = [one.name for one in fields(TaskValues)]
    assert ["requests_per_task", *sorted(names)] == sorted(
        ValueSection.model_fields, key=lambda name: (name != "requests_per_task", name)
    )
    section = Scenario().value
    assert all(getattr(DEFAULTS, name) == getattr(section, name) for name in names)


def test_saved_time_never_becomes_money_in_full() -> None:
    low, high = ALLOWED["realisation_fraction"]
    assert low == 0.0 and high < 1.0
    with pytest.raises(InvalidScenario, match="realisation_fraction"):
        Scenario().changed({"value.realisation_fraction": 1.0})
    # Even a lever that needs more than that says that there is none.
    values = replace(DEFAULTS, project_cost_usd=1e9)
    found = {one.name: one for one in levers(values, 30_000, np.full(12, 1000.0))}
    assert math.isnan(float(found["value.realisation_fraction"].needed))


def test_what_defaults_assume_is_said() -> None:
    for path, entry in field_schema().items():
        if path.startswith("value."):
            assert "assumed" in entry["description"], path


@given(task_values(), st.floats(0.0, 1e9), st.floats(0.0, 1.0))
def test_parts_sum_to_the_total(values: TaskValues, tasks: float, ramp: float) -> None:
    found = benefit(values, tasks, ramp)
    assert set(found.parts) == set(PARTS)
    parts = [float(part) for part in found.parts.values()]
    largest = max(map(abs, parts))
    assert math.fsum(parts) == pytest.approx(float(found.total_usd), abs=1e-12 * largest + 1e-300)
    assert float(found.review_usd) <= 0.0 and float(found.errors_usd) <= 0.0
    assert min(found.time_saved_usd, found.revenue_usd, found.avoided_loss_usd) >= 0.0
    assert float(found.successful_tasks) <= float(found.attempted_tasks) <= tasks


def test_a_benefit_by_hand() -> None:
    """The formula of a business case, in whole numbers.

    100,000 tasks, 80 % adopted, a tenth tried again, 75 % usable: 54,000 done of 80,000. Each saves
    a tenth of an hour at 50 USD/h, half realised: 2.5 USD; earns 1 USD; one in 50 errs for 10 USD.
    Each attempt is checked for 36 s: 0.5 USD.
    """
    values = TaskValues(
        saved_s_per_task=360.0,
        wage_usd_per_hour=40.0,
        burden_fraction=0.25,
        adoption_fraction=0.8,
        realisation_fraction=0.5,
        success_fraction=0.75,
        retry_fraction=0.1,
        review_s_per_task=36.0,
        error_fraction=0.02,
        error_cost_usd=10.0,
        revenue_usd_per_task=1.0,
        avoided_loss_usd_per_year=7000.0,
    )
    found = benefit(values, 100_000)
    assert float(found.attempted_tasks) == pytest.approx(80_000)
    assert float(found.successful_tasks) == pytest.approx(54_000)
    assert {name: float(part) for name, part in found.parts.items()} == pytest.approx(
        {
            "time_saved_usd": 135_000.0,
            "revenue_usd": 54_000.0,
            "avoided_loss_usd": 5_600.0,
            "review_usd": -40_000.0,
            "errors_usd": -10_800.0,
        }
    )
    assert float(found.total_usd) == pytest.approx(143_800.0)
    half = benefit(values, 100_000, ramp_fraction=0.5, period_years=0.5)
    assert float(half.avoided_loss_usd) == pytest.approx(1_400.0)
    # Without the losses avoided, which do not grow with the tasks: 138,200 over 54,000.
    assert float(value_of_one_more_task(values)) == pytest.approx(138_200 / 54_000)


def test_nothing_asked_brings_nothing() -> None:
    values = replace(DEFAULTS, avoided_loss_usd_per_year=1e6)
    for found in (benefit(values, 0), benefit(replace(values, adoption_fraction=0.0), 1000)):
        assert [float(part) for part in found.parts.values()] == [0.0] * len(PARTS)
        assert float(found.total_usd) == 0.0
    case = value_case(values, 0, np.zeros(24), 0.0, 0.08)
    assert float(case.worth.benefit_usd) == 0.0
    assert float(case.value_usd_per_task) == 0.0
    assert float(case.cost_usd_per_task) == math.inf, "the project is paid and no task done"
    assert not case.verdict.worth
    free = value_case(TaskValues(), 0, np.zeros(24))
    assert float(free.cost_usd_per_task) == float(free.worth.npv_usd) == 0.0
    assert "nothing" in free.verdict.words[0]


@pytest.mark.parametrize(("months", "ramp"), [(1, 0), (6, 6), (36, 6), (12, 60), (24, 1)])
def test_the_ramp_is_the_mean_of_a_line(months: int, ramp: int) -> None:
    """Against the mean of many moments of each month."""
    moments = (np.arange(1000) + 0.5) / 1000
    time = np.arange(months)[:, None] + moments
    expected = np.minimum(time / ramp, 1.0) if ramp else np.ones_like(time)
    assert adoption_ramp(months, ramp) == pytest.approx(expected.mean(axis=1), abs=1e-6)


def test_twelve_settled_months_are_a_year() -> None:
    settled = replace(DEFAULTS, adoption_ramp_months=0, avoided_loss_usd_per_year=500.0)
    monthly, yearly = monthly_benefit(settled, 1000, 12), benefit(settled, 12_000)
    for name in (*PARTS, "total_usd", "attempted_tasks", "successful_tasks"):
        assert getattr(monthly, name).sum() == pytest.approx(float(getattr(yearly, name)))


def test_draws_stay_apart_from_months() -> None:
    """Twelve draws over twelve months: the axes must not be taken for one another."""
    wages = np.linspace(10.0, 120.0, 12)
    tasks = np.linspace(1000.0, 2000.0, 12)
    values = replace(DEFAULTS, wage_usd_per_hour=wages)
    together = monthly_benefit(values, tasks, 12).total_usd
    assert together.shape == (12, 12)
    for number in (0, 5, 11):
        alone = monthly_benefit(replace(values, wage_usd_per_hour=wages[number]), tasks, 12)
        assert together[number] == pytest.approx(alone.total_usd)
    running = np.full(12, 100.0)
    draws = npv_of_case(values, tasks, running, 500.0, 0.08)
    alone = npv_of_case(replace(values, wage_usd_per_hour=wages[3]), tasks, running, 500.0, 0.08)
    assert draws.shape == (12,) and draws[3] == pytest.approx(float(alone))
    assert value_case(values, tasks, running, np.full(12, 500.0), 0.08).worth.npv_usd == (
        pytest.approx(draws)
    )


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"success_fraction": 1.2}, "value.success_fraction"),
        ({"wage_usd_per_hour": -1.0}, "value.wage_usd_per_hour"),
        ({"error_fraction": math.nan}, "value.error_fraction"),
    ],
)
def test_impossible_assumptions_are_one_sentence(change: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidScenario, match=named) as caught:
        benefit(replace(DEFAULTS, **change), 1000)
    assert caught.value.field == named


def test_other_bad_input_is_one_sentence() -> None:
    with pytest.raises(InvalidScenario, match="demand"):
        benefit(DEFAULTS, -1)
    with pytest.raises(InvalidScenario, match="requests_per_task"):
        tasks_of_requests(10, 0)
    with pytest.raises(InvalidScenario, match="5 months and 12"):
        monthly_benefit(DEFAULTS, np.ones(5), 12)
    with pytest.raises(InvalidScenario, match="months"):
        worth(0.0, 1.0, 1.0)
    with pytest.raises(InvalidScenario, match="months"):
        value_case(DEFAULTS, 1, 1.0)


# --- One task ----------------------------------------------------------------------------------


@given(st.floats(0.0, 1e9), st.floats(0.0, 1e9), st.floats(0.0, 1.0), st.floats(0.0, 0.9))
def test_cost_of_a_task_done(cost: float, tasks: float, success: float, retry: float) -> None:
    found = float(cost_per_successful_task(cost, tasks, success, retry))
    done = tasks * success * (1.0 - retry)
    if cost == 0.0:
        assert found == 0.0
    elif done == 0.0:
        assert found == math.inf
    elif done > 1e-290:
        assert found * done == pytest.approx(cost, rel=1e-9)


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 0.1))
def test_the_kill_line_flips_at_equality(money: float, apart: float) -> None:
    assert not kill_line(money, money).worth
    assert kill_line(money, np.nextafter(money, math.inf)).worth
    assert not kill_line(money, np.nextafter(money, 0.0)).worth
    above = kill_line(money, money * (1.0 + apart))
    assert above.worth and above.margin_usd_per_task > 0.0
    assert "remain" in above.words[1] and "lost" in kill_line(money, money / 2.0).words[1]
    assert "as much" in kill_line(money, money).words[1]


def test_the_kill_line_of_many() -> None:
    found = kill_line(np.array([1.0, 2.0, math.inf]), 2.0)
    assert found.worth.tolist() == [True, False, False]
    assert found.margin_usd_per_task.tolist() == [1.0, 0.0, -math.inf]
    assert "unlimited" in kill_line(math.inf, 2.0).words[1]


@given(st.floats(0.0, 1e9), st.floats(0.0, 100.0), st.floats(0.001, 100.0))
def test_value_meets_cost_at_the_break_even_volume(
    fixed: float, each: float, margin: float
) -> None:
    value = each + margin
    volume = float(break_even_volume(fixed, each, value))
    assert volume * value == pytest.approx(fixed + volume * each, rel=1e-6, abs=1e-6)


def test_break_even_volume_by_convention() -> None:
    assert break_even_volume([10.0, 10.0, 0.0, 0.0], 1.0, [1.0, 0.5, 2.0, 1.0]).tolist() == [
        math.inf,
        math.inf,
        0.0,
        0.0,
    ]
    assert value_per_task([5.0, 0.0, -5.0], 0.0).tolist() == [math.inf, 0.0, -math.inf]


# --- The whole ---------------------------------------------------------------------------------


@given(
    amounts(0.0, 0.5),
    st.lists(st.tuples(amounts(-1e5, 1e6), amounts(0.0, 1e6)), max_size=60),
    amounts(0.0, 1e7),
)
def test_worth_is_its_parts(rate: float, months: list[tuple[float, float]], capital: float) -> None:
    gains, costs = (np.array([pair[i] for pair in months]) for i in (0, 1))
    found = worth(rate, gains, costs, capital)
    flows = [-capital, *(gains - costs)]
    scale = capital + np.abs(gains).sum() + costs.sum() + 1.0
    factors = (1.0 + rate) ** (-np.arange(len(months) + 1) / 12.0)
    assert float(found.npv_usd) == pytest.approx((flows * factors).sum(), abs=ROUNDING * scale)
    assert float(found.present_benefit_usd - found.present_cost_usd) == float(found.npv_usd)
    assert found.cash_flows_usd == pytest.approx(np.array(flows), abs=ROUNDING * scale)
    if found.cost_usd > 0.0:
        assert float(found.roi_fraction) == pytest.approx(
            float((found.benefit_usd - found.cost_usd) / found.cost_usd)
        )
    # A year that leaves a thousandth or less is too near to -1 for the digits of a double.
    if not math.isnan(found.irr_per_year) and -0.999 < found.irr_per_year < 1e6:
        back = worth(found.irr_per_year, gains, costs, capital)
        assert float(back.npv_usd) == pytest.approx(0.0, abs=1e-6 * scale)


def test_a_year_without_interest_by_hand() -> None:
    """1,200 paid, 300 a month in and 100 out: back after 6 months; 12 months earn 1,200 more."""
    found = worth(0.0, np.full(12, 300.0), 100.0, 1200.0)
    assert float(found.npv_usd) == 1200.0
    assert float(found.payback_months) == float(found.discounted_payback_months) == 6.0
    assert float(found.roi_fraction) == pytest.approx(3600 / 2400 - 1)
    monthly = numpy_financial.rate(12, 200.0, -1200.0, 0.0)
    assert float(found.irr_per_year) == pytest.approx((1 + monthly) ** 12 - 1, rel=1e-6)


@settings(max_examples=60)
@given(task_values(), amounts(0.0, 1e6), amounts(0.0, 1e6), amounts(0.0, 1e7))
def test_the_verdict_has_the_sign_of_the_npv(
    values: TaskValues, tasks: float, running: float, capital: float
) -> None:
    case = value_case(values, tasks, np.full(36, running), capital, 0.08, 0.01)
    scale = float(case.worth.present_cost_usd + abs(case.worth.present_benefit_usd))
    apart = float(case.worth.npv_usd)
    assume(abs(apart) > 1e-9 * scale)
    # With next to no tasks the money of one of them is beyond what a double holds.
    assume(case.benefit.successful_tasks.sum() > 1e-100)
    assert bool(case.verdict.worth) == (apart > 0.0)
    alone = npv_of_case(values, tasks, np.full(36, running), capital, 0.08, 0.01)
    assert float(alone) == pytest.approx(apart, abs=ROUNDING * scale)


# --- Levers ------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    task_values(),
    amounts(0.0, 1e5),
    amounts(0.0, 1e5),
    amounts(0.0, 1e6),
    amounts(0.0, 1.0),
)
def test_levers_really_zero_the_net(
    values: TaskValues, tasks: float, running: float, capital: float, each: float
) -> None:
    costs = np.full(24, running)
    found = levers(values, tasks, costs, capital, 0.08, each)
    assert {one.name for one in found} == {
        VOLUME,
        INFRASTRUCTURE,
        *(f"value.{name}" for name in VALUE_LEVERS),
    }
    for one in found:
        needed = float(one.needed)
        if math.isnan(needed):
            continue
        assert one.lowest <= needed <= one.highest
        name = one.name.removeprefix("value.")
        changed, volume, cost = values, tasks, 1.0
        if name in VALUE_LEVERS:
            changed = replace(values, **{name: needed})
        elif name == VOLUME:
            volume *= needed
        else:
            cost = needed
        case = value_case(changed, volume, costs * cost, capital * cost, 0.08, each * cost)
        parts = sum(abs(part).sum() for part in case.benefit.parts.values())
        scale = float(parts + case.worth.cost_usd)
        # A tiny needed share of a huge lever loses digits to the point it is computed from.
        point = value_case(values, tasks, costs, capital, 0.08, each)
        parts = sum(abs(part).sum() for part in point.benefit.parts.values())
        scale += float(parts + point.worth.cost_usd)
        assert float(case.worth.npv_usd) == pytest.approx(0.0, abs=1e-7 * scale), one.name


def test_levers_are_sorted_and_those_without_an_answer_come_last() -> None:
    values = replace(DEFAULTS, revenue_usd_per_task=0.5)
    found = levers(values, 30_000, np.full(36, 5_000.0), 250_000.0, 0.08)
    changes = [abs(float(one.relative_change)) for one in found]
    known = [change for change in changes if not math.isnan(change)]
    assert known == pytest.approx(sorted(known)) and len(known) >= 4
    assert all(math.isnan(change) for change in changes[len(known) :])


def test_a_lever_that_starts_at_nothing_is_found() -> None:
    """Nothing saved yet: 1,000 tasks a month for 1,000 USD a month need 1 USD each."""
    values = TaskValues(wage_usd_per_hour=60.0, realisation_fraction=0.5)
    found = {one.name: one for one in levers(values, 1000, np.full(12, 1000.0))}
    saved = found["value.saved_s_per_task"]
    assert float(saved.needed) == pytest.approx(120.0)
    assert float(saved.relative_change) == math.inf
    assert math.isnan(float(found["value.review_s_per_task"].needed)), "more checking never helps"
    assert float(found[INFRASTRUCTURE].needed) == pytest.approx(0.0, abs=1e-12)


def test_levers_of_many_draws() -> None:
    wages = np.array([20.0, 40.0, 80.0])
    values = replace(DEFAULTS, wage_usd_per_hour=wages)
    costs, capital = np.full(24, 4000.0), np.array([1e5, 2e5, 3e5])
    together = {one.name: one for one in levers(values, 30_000, costs, capital, 0.08)}
    for draw in range(3):
        single = replace(values, wage_usd_per_hour=wages[draw])
        for one in levers(single, 30_000, costs, capital[draw], 0.08):
            assert together[one.name].needed[draw] == pytest.approx(
                float(one.needed), rel=1e-9, nan_ok=True
            ), one.name
