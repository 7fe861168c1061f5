"""Power, energy, carbon, water and racks of a site, against published figures and bounds."""

import warnings

import numpy as np
import pytest

from planner.catalogue import Basis, find_grid, host_kind_for, load_catalogue
from planner.demand import hours_needed
from planner.energy import (
    capped,
    carbon_kg,
    energy_usd,
    load_power_w,
    racks_needed,
    water_l,
    week_power_w,
    year_energy,
)
from planner.errors import InvalidScenario, MissingData, NoFeasiblePlan

CATALOGUE = load_catalogue()
RNG = np.random.default_rng(7)
DAY = np.tile(np.r_[np.zeros(8), np.linspace(0.2, 1.0, 10), np.full(6, 0.1)], 7)
"""A load that sleeps at night, for 168 hours."""


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def week(load=DAY, use=8, gpus=16, hosts=2, pue=1.5, gpu=(80.0, 700.0), host=(1500.0, 2800.0)):
    in_use = np.broadcast_to(use, np.shape(load))
    return week_power_w(in_use, load, gpus, 8, hosts, *gpu, *host, pue)


# --- Published ------------------------------------------------------------------------------------


def test_a_measured_server_with_eight_h100():
    """Latif et al. (2025): at most 8.4 kW; its maker rates it 10.2 kW."""
    host = CATALOGUE.host_kinds["hgx"]
    gpu = CATALOGUE.accelerator("h100-sxm-80gb")
    power = week_power_w(
        [8], [1.0], 8, 8, 1, gpu.idle_power_w, gpu.power_w, host.idle_w,
        [host.full_w_low, host.full_w, host.full_w_high], 1.0,
    ).it_w[:, 0]  # fmt: skip
    assert power[1] == pytest.approx(8400.0)
    assert power[2] == pytest.approx(10_200.0)
    # Newkirk et al. (2025): demanding training runs at 76 percent of the rating.
    assert power[0] == pytest.approx(0.76 * 10_200.0, rel=0.001)


def test_a_reviewed_server_with_eight_l40s():
    """ServeTheHome: typically 4.3 to 5 kW."""
    host = CATALOGUE.host_kinds["pcie"]
    gpus_w = 8 * CATALOGUE.accelerator("l40s-48gb").power_w
    assert gpus_w + host.full_w_low == pytest.approx(4300.0)
    assert gpus_w + host.full_w_high == pytest.approx(5000.0)


def test_a_rack_of_gb200():
    """120 kW in 18 trays."""
    host = CATALOGUE.host_kinds["nvl72"]
    tray_w = host.maximum_gpus * CATALOGUE.accelerator("gb200").power_w + host.full_w
    assert 18 * tray_w == pytest.approx(120_000.0, rel=0.005)
    found = racks_needed(tray_w, 18, host.rack_units, 121_000.0)
    assert (found.racks, found.hosts_per_rack) == (1, 18)


def test_lenovo_pays_87_cents_an_hour_at_15_cents():
    """Lenovo LP2225: 0.87 USD/h for power and cooling at 0.15 USD/kWh is 5.8 kW."""
    power = week_power_w([1.0], [1.0], 1, 1, 1, 0.0, 0.0, 0.0, 5800.0, 1.0)
    year = year_energy(power, [1.0], 8760.0)
    assert energy_usd(year.facility_kwh, 0.15) / 8760.0 == pytest.approx(0.87)


def test_a_server_of_the_technology_carbon_standard():
    """237 W on average is 2,076 kWh a year and, at 0.328 kg/kWh, 681 kg."""
    power = week_power_w([0.0], [0.0], 0, 1, 1, 0.0, 0.0, 237.0, 237.0, 1.0)
    year = year_energy(power, [1.0], 365 * 24)
    assert round(float(year.facility_kwh)) == 2076
    assert round(float(carbon_kg(year.facility_kwh, 328.0))) == 681


def test_the_common_formula_is_a_special_case():
    """kW * PUE * 8760 * (idle + (1 - idle) u), with the same idle share of GPUs and hosts."""
    for load in (0.0, 0.25, 1.0):
        power = week(np.full(168, load), use=16, gpu=(200.0, 1000.0), host=(400.0, 2000.0))
        year = year_energy(power, np.ones(168), 8760.0)
        rated_kw = (16 * 1000.0 + 2 * 2000.0) / 1000.0
        assert year.facility_kwh == pytest.approx(rated_kw * 1.5 * 8760 * (0.2 + 0.8 * load))


@pytest.mark.parametrize(("limit_w", "tokens_per_s"), [(350, 9893), (300, 9326), (250, 8436)])
def test_prompts_under_a_cap(limit_w, tokens_per_s):
    """Six RTX 3090 read prompts of 198k tokens under three limits (llmgarage.ai, 2026)."""
    idle_w = CATALOGUE.accelerator("rtx-3090-24gb").idle_power_w
    idle_w = 25.0 if np.isnan(idle_w) else idle_w
    found = capped(idle_w, 350.0, 350.0, limit_w / 350.0, 1.0)
    assert found.speed_fraction == pytest.approx(tokens_per_s / 9893, rel=0.05)


def test_decoding_under_a_cap_is_left_alone():
    """Ma et al. (arXiv 2605.11999): decoding draws 137 to 300 W of an H200's 700 W."""
    found = capped(74.0, np.array([137.0, 300.0]), 700.0, np.array([[0.45], [0.7], [1.0]]), 0.3)
    assert np.all(found.speed_fraction == 1.0)
    assert np.all(found.saved_w == 0.0)


# --- Week and year --------------------------------------------------------------------------------


def test_parts_sum_to_the_facility():
    pue = RNG.uniform(1.0, 2.0, 50)
    power = week(pue=pue, gpu=(RNG.uniform(20, 90, 50), RNG.uniform(300, 700, 50)))
    assert power.facility_w.shape == (50, 168)
    np.testing.assert_allclose(power.gpus_w + power.hosts_w, power.it_w)
    np.testing.assert_allclose(power.it_w + power.cooling_w, power.facility_w)
    np.testing.assert_allclose(power.facility_w, power.it_w * pue[:, None])
    year = year_energy(power, np.ones(168), 8760.0)
    total = year.gpus_kwh + year.hosts_kwh + year.cooling_kwh
    np.testing.assert_allclose(total, year.facility_kwh)
    np.testing.assert_allclose(year.facility_kwh, year.mean_w * 8.76)
    assert np.all(year.peak_w >= year.mean_w)


def test_a_draw_at_a_time_gives_the_same():
    pue, idle = RNG.uniform(1.0, 2.0, 4), RNG.uniform(20, 90, 4)
    together = week(pue=pue, gpu=(idle, 700.0)).facility_w
    for draw in range(4):
        alone = week(pue=pue[draw], gpu=(idle[draw], 700.0)).facility_w
        np.testing.assert_array_equal(together[draw], alone)


def test_power_lies_between_idle_and_rating():
    power = week()
    assert power.gpus_w.min() == 16 * 80.0
    assert power.gpus_w.max() == 8 * 80.0 + 8 * 700.0
    assert power.hosts_w.min() == 2 * 1500.0
    assert power.hosts_w.max() == 1500.0 + 2800.0


def test_more_load_draws_more_and_a_spare_host_draws_idle_power():
    assert np.all(week(0.9 * DAY).it_w <= week(DAY).it_w)
    more = week(gpus=24, hosts=3).it_w - week().it_w
    np.testing.assert_allclose(more, 8 * 80.0 + 1500.0)


def test_the_same_work_on_fewer_gpus_draws_the_same():
    """Straight lines: only GPUs times load counts."""
    wide, narrow = week(0.5 * DAY, use=16), week(DAY, use=8)
    np.testing.assert_allclose(wide.it_w, narrow.it_w)


def test_office_hours_count_only_their_power():
    office = hours_needed("office")
    year = year_energy(week(), office.mask, office.hours_per_year)
    always = year_energy(week(), np.ones(168), 8760.0)
    assert year.facility_kwh < always.facility_kwh
    by_hand = (week().facility_w * office.mask).sum() * 365 / 7 / 1000
    assert year.facility_kwh == pytest.approx(by_hand)


def test_nothing_gives_nothing():
    empty = week(np.zeros(168), use=0, gpus=0, hosts=0)
    assert np.all(empty.facility_w == 0)
    for year in (
        year_energy(empty, np.ones(168), 8760.0),
        year_energy(week(), np.zeros(168), 0.0),
        year_energy(week(), np.ones(168), 0.0),
    ):
        assert year.facility_kwh == 0
        assert carbon_kg(year.facility_kwh, 400.0) == 0
        assert energy_usd(year.facility_kwh, np.nan) == 0
        assert water_l(year.facility_kwh, np.nan) == 0


def test_an_unknown_factor_stays_unknown():
    assert np.isnan(energy_usd(1.0, np.nan))
    assert np.isnan(water_l(1.0, np.nan))
    assert np.isnan(water_l(1.0, 2.0, 1.0, np.nan))
    assert water_l(1.0, 2.0) == 2.0


@pytest.mark.parametrize(
    "call",
    [
        lambda: load_power_w(100.0, 50.0, 0.5),
        lambda: load_power_w(-1.0, 50.0, 0.5),
        lambda: load_power_w(10.0, 50.0, 1.1),
        lambda: week(use=17),
        lambda: week(pue=0.9),
        lambda: week(hosts=-1),
        lambda: week(load=np.full(168, np.nan)),
        lambda: year_energy(week(), np.ones(168), -1.0),
        lambda: carbon_kg(-1.0, 400.0),
        lambda: energy_usd(1.0, -0.1),
        lambda: capped(80.0, 700.0, 700.0, 0.0, 0.5),
        lambda: capped(80.0, 700.0, 700.0, 0.1, 0.5),
        lambda: capped(80.0, 700.0, 700.0, 0.7, 1.5),
        lambda: racks_needed(0.0, 1, 8, 17_000.0),
        lambda: racks_needed(8400.0, -1, 8, 17_000.0),
    ],
)
def test_bad_input_is_a_sentence(call):
    with pytest.raises(InvalidScenario, match=r"\.$"):
        call()


# --- Caps and racks -------------------------------------------------------------------------------


def test_a_tighter_cap_saves_more_and_slows_more():
    cap = np.linspace(0.4, 1.0, 25)
    found = capped(80.0, 700.0, 700.0, cap, 0.6)
    assert np.all(np.diff(found.saved_w) < 0)
    assert np.all(np.diff(found.speed_fraction) > 0)
    assert found.speed_fraction[-1] == 1.0
    assert found.energy_fraction[-1] == 1.0
    np.testing.assert_allclose(found.busy_w + found.saved_w, 700.0)


def test_memory_bound_work_is_not_slowed():
    assert capped(80.0, 700.0, 700.0, 0.5, 0.0).speed_fraction == 1.0
    share = np.linspace(0.0, 1.0, 11)
    assert np.all(np.diff(capped(80.0, 700.0, 700.0, 0.5, share).speed_fraction) < 0)


def test_racks_hold_every_host_within_power_and_height():
    power = RNG.uniform(1000.0, 9000.0, 300)
    hosts, units = RNG.integers(0, 40, 300), RNG.integers(1, 11, 300)
    found = racks_needed(power, hosts, units, 17_000.0)
    assert np.all(found.racks * found.hosts_per_rack >= hosts)
    assert np.all((found.racks - 1) * found.hosts_per_rack < np.maximum(hosts, 1))
    assert np.all(found.power_w <= 17_000.0)
    assert np.all(found.hosts_per_rack * units <= 42)
    assert np.all(found.racks[hosts == 0] == 0)
    # One more would not fit.
    more = found.hosts_per_rack + 1
    assert np.all((more * power > 17_000.0) | (more * units > 42))


def test_a_host_too_much_for_a_rack_is_a_sentence():
    with pytest.raises(
        NoFeasiblePlan, match="10.2 kW at its busiest, more than the 7 kW"
    ) as caught:
        racks_needed(10_200.0, 2, 8, 7_000.0)
    assert caught.value.constraint == "rack power"
    with pytest.raises(NoFeasiblePlan, match="50 units high"):
        racks_needed(1000.0, 2, 50, 7_000.0)


# --- Tables ---------------------------------------------------------------------------------------


def test_grids_cover_every_continent():
    countries = {grid.country for grid in CATALOGUE.grids.values()}
    assert {"DE", "GB", "US", "CA", "BR", "ZA", "AE", "IN", "JP", "SG", "AU"} <= countries
    for grid in CATALOGUE.grids.values():
        assert grid.country == grid.id[:2].upper()
        assert 0 < grid.gco2e_per_kwh < 1000, grid.id
        if grid.is_priced:
            assert 0.03 < grid.electricity_low <= grid.electricity <= grid.electricity_high < 0.4
            assert grid.electricity_source.title
            assert grid.electricity_source.licence
        if np.isfinite(grid.water_l_per_kwh):
            assert grid.water_source.title


def test_grids_against_other_publications():
    """Rankings and values that other publishers print."""
    grids = CATALOGUE.grids
    # Eurostat's article on the first half of 2024: highest Ireland 0.256 EUR, then Cyprus 0.245.
    european = [one for one in grids.values() if "nrg_pc_205" in one.electricity_source.title]
    ranked = sorted(european, key=lambda one: one.electricity)
    assert [one.id for one in ranked[-2:]] == ["cy", "ie"]
    assert grids["ie"].electricity / grids["cy"].electricity == pytest.approx(256 / 245, rel=0.01)
    assert grids["no"].gco2e_per_kwh < grids["fr"].gco2e_per_kwh < grids["de"].gco2e_per_kwh
    # National averages lie among the states'.
    states = [one for key, one in grids.items() if key.startswith("us-")]
    for name in ("gco2e_per_kwh", "electricity"):
        values = [getattr(one, name) for one in states]
        assert min(values) < getattr(grids["us"], name) < max(values)


def test_no_share_alike_data():
    """The licences that would bind a user's own tables are not in this one."""
    for grid in CATALOGUE.grids.values():
        for source in (grid.source, grid.electricity_source, grid.water_source):
            assert "ODbL" not in source.licence
            assert "SA-4.0" not in source.licence


def test_grids_are_found_by_name():
    assert find_grid(CATALOGUE.grids, " united states ").id == "us"
    assert find_grid(CATALOGUE.grids, "us_tx").name == "United States, Texas"
    with pytest.raises(MissingData, match="none is near it"):
        find_grid(CATALOGUE.grids, "zzzzzz")


def test_places():
    pue = CATALOGUE.pue
    assert 1.5 < pue["own-room"].value < 1.6
    assert pue["own-room"].value > pue["colocation"].value > pue["hyperscale"].value
    assert all(1 <= one.low <= one.value <= one.high for one in pue.values())


def test_every_owned_gpu_has_a_host_that_takes_it():
    found = {}
    for gpu in CATALOGUE.accelerators.values():
        try:
            found[gpu.id] = host_kind_for(gpu, CATALOGUE.host_kinds).id
        except MissingData as error:
            assert "cannot be planned" in str(error)
            assert not gpu.form_factor.startswith(("SXM", "OAM", "PCIe")), gpu.id
    assert found["mi300x-192gb"] == "hgx"
    assert found["gb300"] == "nvl72"
    assert found["l4-24gb"] == "pcie"
    with pytest.raises(MissingData, match="cloud only"):
        host_kind_for(CATALOGUE.accelerator("a10g-24gb"), CATALOGUE.host_kinds)


def test_assumed_idle_power_says_so():
    for kind in CATALOGUE.host_kinds.values():
        assert kind.idle_source.basis is Basis.ASSUMED
        assert kind.idle_note
        assert kind.idle_w_high <= kind.full_w_low
