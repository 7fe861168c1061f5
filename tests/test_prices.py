"""Prices: tables in order, dates honest, and numbers that their publishers print."""

import csv
import math
import re
import shutil
from datetime import date

import pytest

from planner.catalogue import TIERS, Basis, age_days, load_catalogue, oldest
from planner.catalogue.catalogue import find_data
from planner.catalogue.offers import read_cloud_offers
from planner.catalogue.prices import read_api_prices, read_prices
from planner.errors import InvalidScenario, MissingData
from planner.units import GIB, UNITS

CATALOGUE = load_catalogue()
PRICES, OFFERS, APIS = CATALOGUE.prices, CATALOGUE.cloud_offers, CATALOGUE.api_prices

NEEDED = {
    "gpu/h100-sxm-80gb": "USD/gpu",
    "gpu/h200-sxm-141gb": "USD/gpu",
    "gpu/a100-sxm-80gb": "USD/gpu",
    "gpu/l40s-48gb": "USD/gpu",
    "gpu/b200-sxm-180gb": "USD/gpu",
    "host/hgx": "USD/host",
    "host/pcie": "USD/host",
    "network/hardware-fraction": "fraction",
    "storage/flash": "USD/TB",
    "rack/rack": "USD",
    "spares/gpu-failures": "fraction",
    "support/hardware-fraction": "fraction",
    "staff/fte": "USD/year",
    "staff/fte-per-gpu": "1",
    **{f"residual/year-{year}": "fraction" for year in range(1, 8)},
    "licence/vcf": "USD/core/year",
    "licence/vvf": "USD/core/year",
    "licence/nvidia-ai-enterprise": "USD/gpu/year",
    "licence/nvidia-ai-enterprise-cloud": "USD/gpu/h",
    "licence/minimum-cores-per-cpu": "core",
    "licence/minimum-cores-per-order": "core",
    "licence/vcf-vsan-entitlement": "byte",
    "licence/vvf-vsan-entitlement": "byte",
    "colocation/space": "USD/kW/month",
    "own-room/space": "USD/kW/month",
    "cloud/support-fraction": "fraction",
    "cloud/other-fraction": "fraction",
    **{f"cloud/egress/{one}": "USD/GB" for one in ("aws", "azure", "gcp", "oci", "other")},
    **{f"cloud/storage/{one}": "USD/GB/month" for one in ("aws", "azure", "gcp", "oci", "other")},
    "monitoring/log-storage": "USD/GB/month",
    "monitoring/per-million-requests": "USD",
}
"""What the bill is made of, and in which unit."""


def offer(identity):
    (found,) = (one for one in OFFERS if one.id == identity)
    return found


# --- the tables ------------------------------------------------------------------------------


@pytest.mark.parametrize(("identity", "unit"), NEEDED.items())
def test_every_part_of_the_bill_has_a_price(identity, unit):
    assert PRICES[identity].unit == unit


def test_prices_are_ranges_in_known_units():
    for one in PRICES.values():
        assert 0 <= one.low <= one.value <= one.high < math.inf, one.id
        assert one.unit in UNITS, one.id
        assert not one.quoted
        if one.unit == "fraction":
            assert one.high <= 1, one.id


def test_gpu_prices_name_accelerators_of_the_catalogue():
    ids = {one.removeprefix("gpu/") for one in PRICES if one.startswith("gpu/")}
    assert len(ids) >= 18
    assert ids <= set(CATALOGUE.accelerators)


def test_offers_are_ranges_for_accelerators_of_the_catalogue():
    assert len(OFFERS) >= 200
    for one in OFFERS:
        assert 0 < one.low <= one.value <= one.high < math.inf, one.id
        assert one.gpu in CATALOGUE.accelerators, one.id
        assert one.tier in TIERS
        assert re.fullmatch("([A-Z]{2})?", one.country), one.id
        assert one.provider == one.provider.lower()
        assert one.gpus >= 1


def test_terms_belong_to_tiers():
    months = {"on-demand": {0}, "spot": {0}, "reserved-block": {0}}
    months |= {"committed-1y": {12}, "committed-3y": {36}}
    for one in OFFERS:
        assert one.term_months in months[one.tier], one.id


def test_an_hour_is_cheaper_when_committed_or_interruptible():
    """Nobody binds himself, or may be thrown out, for a higher price than without."""
    listed = {
        (one.provider, one.region, one.instance): one for one in OFFERS if one.tier == "on-demand"
    }
    compared = 0
    for one in OFFERS:
        base = listed.get((one.provider, one.region, one.instance))
        if base is not None and one.tier != "on-demand":
            compared += 1
            # A cent for prices that the sources round differently.
            assert one.value <= base.value + 0.01, one.id
    assert compared > 100


def test_api_prices_are_ranges():
    assert len(APIS) >= 80
    assert len({one.provider for one in APIS.values()}) >= 15
    for one in APIS.values():
        assert 0 < one.input_low <= one.input <= one.input_high, one.id
        assert 0 < one.output_low <= one.output <= one.output_high, one.id
        # A slipped unit (per token, per thousand) would be off by far more.
        assert one.output_high < 100, one.id
        assert math.isnan(one.cached_input) or one.cached_input <= one.input, one.id
        assert math.isnan(one.batch_fraction) or one.batch_fraction == 0.5
        assert re.fullmatch("[A-Z]{2}", one.country)
        assert not one.serves or one.serves in CATALOGUE.models, one.id


def test_ranges_of_an_open_model_are_those_of_its_providers():
    by_model = {}
    for one in APIS.values():
        if one.serves:
            by_model.setdefault(one.serves, []).append(one)
    for rows in by_model.values():
        assert {one.input_low for one in rows} == {min(one.input for one in rows)}
        assert {one.input_high for one in rows} == {max(one.input for one in rows)}
        assert {one.output_low for one in rows} == {min(one.output for one in rows)}
        assert {one.output_high for one in rows} == {max(one.output for one in rows)}


@pytest.mark.parametrize(
    ("model", "providers"),
    [
        ("meta-llama/Llama-3.3-70B-Instruct", 8),
        ("Qwen/Qwen3-30B-A3B", 3),
        ("openai/gpt-oss-120b", 8),
        ("mistralai/Mistral-Small-24B-Instruct-2501", 2),
    ],
)
def test_models_of_the_shipped_scenarios_can_be_called(model, providers):
    assert len([one for one in APIS.values() if one.serves == model]) >= providers


# --- published values ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identity", "low", "value", "high"),
    [
        # CBRE H2 2025: average asking rate of 250-500 kW in primary North American markets.
        ("colocation/space", 115, 195.94, 280),
        # NVIDIA, earnings call Q3 FY2024: 4,500 dollars per GPU and year; five years for 18,000.
        ("licence/nvidia-ai-enterprise", 18_000 / 5, 4_500, 4_500),
        # Advisers on Broadcom's list: 350 and 135 a core; 185 and 35 % off at best.
        ("licence/vcf", 185, 350, 350),
        ("licence/vvf", 135 * (1 - 0.35), 135, 135),
        ("licence/minimum-cores-per-cpu", 16, 16, 16),
        ("licence/minimum-cores-per-order", 72, 72, 72),
        ("licence/vcf-vsan-entitlement", 2**40, 2**40, 2**40),
        ("licence/vvf-vsan-entitlement", 250 * GIB, 250 * GIB, 250 * GIB),
        # Internet egress, first and last tier, eastern United States.
        ("cloud/egress/aws", 0.05, 0.09, 0.09),
        ("cloud/egress/oci", 0.0085, 0.0085, 0.0085),
        # S3 Standard and Standard-IA, us-east-1.
        ("cloud/storage/aws", 0.0125, 0.023, 0.023),
    ],
)
def test_prices_are_as_published(identity, low, value, high):
    one = PRICES[identity]
    assert (one.low, one.value, one.high) == pytest.approx((low, value, high), rel=1e-9)


def test_parts_of_a_server_add_up_to_the_quotation():
    """Thinkmate, August 2024: 317,000 dollars for eight H100 SXM with NICs."""
    server = PRICES["host/hgx"].value + 8 * PRICES["gpu/h100-sxm-80gb"].value
    assert server == pytest.approx(317_000, rel=1e-9)


def test_gpu_failures_cover_the_published_training_run():
    """Llama 3 Herd of Models, table 5: of 16,384 in 54 days 148 faulty GPUs, 72 with bad HBM3."""
    rate = PRICES["spares/gpu-failures"]
    for failures in (148, 148 + 72):
        assert rate.low < failures / 16_384 * 365 / 54 < rate.high


def test_staff_covers_the_published_clusters():
    """Half a post for 8 GPUs (Spheron), 3 posts for 248 (Penguin Solutions)."""
    posts = PRICES["staff/fte-per-gpu"]
    assert posts.high == 0.5 / 8
    assert posts.low < 3 / 248 < posts.high
    # 225,000 to 300,000 dollars for half a post in three years.
    wage = PRICES["staff/fte"]
    assert (wage.low, wage.high) == (2 * 225_000 / 3, 2 * 300_000 / 3)


def test_residual_values_fall():
    years = [PRICES[f"residual/year-{year}"] for year in range(1, 8)]
    for earlier, later in zip(years, years[1:], strict=False):
        assert later.value < earlier.value
        assert later.low <= earlier.low and later.high <= earlier.high
    assert [one.value for one in years[:3]] == [0.65, 0.45, 0.30]  # a broker's index
    assert years[0].high == pytest.approx(5 / 6, abs=1e-4)  # straight line over six years
    assert years[-1].low == 0


def test_aws_list_prices():
    """p5.48xlarge after the cut of June 2025: 55.04 dollars, eight H100 SXM, 2 TiB."""
    p5 = offer("aws/us-east-1/p5.48xlarge/on-demand")
    assert (p5.low, p5.value, p5.high) == (55.04, 55.04, 55.04)
    assert (p5.gpu, p5.gpus, p5.country) == ("h100-sxm-80gb", 8, "US")
    assert p5.memory_bytes == 2048 * GIB
    year = offer("aws/us-east-1/p5.48xlarge/committed-1y")
    assert year.value == pytest.approx(55.04 * (1 - 0.32), abs=1e-3)  # no upfront payment
    assert year.low == pytest.approx(55.04 * 0.60, abs=1e-3)  # 40 % off, blogs
    three = offer("aws/us-east-1/p5.48xlarge/committed-3y")
    assert three.low == pytest.approx(55.04 * 0.40, abs=1e-3)  # 60 % off, all upfront
    assert year.source.basis is Basis.DERIVED
    assert "eneric tier" in year.note


def test_market_prices():
    """Mercatus, May 2026: 2.50 to 3.50 dollars for an H100 at specialised clouds."""
    one = offer("specialised/market/h100-sxm-80gb-by-the-gpu/on-demand")
    assert (one.low, one.value, one.high, one.gpus) == (2.5, 3.0, 3.5, 1)


def test_form_factors_are_told_apart():
    assert offer("lambda/all/gpu_1x_h100_pcie/on-demand").gpu == "h100-pcie-80gb"
    assert offer("azure/eastus/nc40ads_h100_v5/on-demand").gpu == "h100-nvl-94gb"
    assert offer("azure/eastus/nd96isr_h100_v5/on-demand").gpu == "h100-sxm-80gb"


@pytest.mark.parametrize(
    ("identity", "fresh", "cached", "output", "batch"),
    [
        # The vendors' price lists as collected in genai-prices 0.2.3.
        ("anthropic/claude-opus-5-5", 4.0, 0.2, 20.0, 0.5),
        ("openai/gpt-6.1-sol", 2.0, 0.1, 10.0, 0.5),
        ("groq/gpt-oss-120b", 0.15, 0.075, 0.6, 0.5),
        ("mistral/mistral-large-4", 0.7, 0.07, 2.1, 0.5),
    ],
)
def test_api_list_prices(identity, fresh, cached, output, batch):
    one = APIS[identity]
    assert (one.input, one.cached_input, one.output) == (fresh, cached, output)
    assert one.batch_fraction == batch


# --- ages and quotations ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("as_of", "days"),
    [
        ("2026-11-24", 1),
        ("2026-10", 25),  # from the last of October
        ("2024-02", 1 + 730 + 245 + 24),  # to March, two years, to November, to the day
        ("2025", 329),  # from 31 December
        ("2026", 0),  # the year is not over
        ("2026-12-01", 0),
    ],
)
def test_ages_are_never_overstated(as_of, days):
    assert age_days(as_of, date(2026, 11, 25)) == days


@pytest.mark.parametrize("text", ["", "26", "2026-13", "2026-02-30", "2026-1", "11/2026", "new"])
def test_what_is_no_date_is_refused(text):
    with pytest.raises(InvalidScenario, match="YYYY-MM-DD"):
        age_days(text, date(2026, 11, 25))


def test_every_price_has_an_age():
    for table in (PRICES.values(), OFFERS, APIS.values()):
        for one in table:
            assert age_days(one.source.as_of, date(2026, 11, 30)) >= 0
            assert one.source.as_of <= "2026-12"


def test_the_oldest_is_found():
    today = date(2026, 11, 25)
    found = oldest(OFFERS, today)
    ages = [age_days(one.source.as_of, today) for one in OFFERS]
    assert age_days(found.source.as_of, today) == max(ages) > min(ages)
    assert oldest((), today) is None


def test_a_quotation_replaces_the_range():
    listed = PRICES["gpu/l40s-48gb"]
    ours = listed.as_quote(8_100, "2026-11-03")
    assert (ours.low, ours.value, ours.high) == (8_100, 8_100, 8_100)
    assert (ours.id, ours.unit, ours.label) == (listed.id, listed.unit, listed.label)
    assert ours.quoted and not listed.quoted
    assert ours.source.title == "your own quote"
    assert ours.source.basis is Basis.VENDOR_CLAIM
    assert age_days(ours.source.as_of, date(2026, 11, 25)) == 22


@pytest.mark.parametrize("value", [-1, math.nan, math.inf, "much", None])
def test_a_quotation_must_be_a_price(value):
    with pytest.raises(InvalidScenario, match="gpu/l40s-48gb"):
        PRICES["gpu/l40s-48gb"].as_quote(value, "2026")


def test_a_quotation_must_be_dated():
    with pytest.raises(InvalidScenario, match="licence/vcf"):
        PRICES["licence/vcf"].as_quote(200, "yesterday")


# --- damage ----------------------------------------------------------------------------------

READERS = {
    "prices.csv": (read_prices, "low", "value"),
    "cloud_offers.csv": (read_cloud_offers, "low", "value"),
    "api_prices.csv": (read_api_prices, "input_low", "input"),
}


def damaged(folder, name, **cells):
    """A copy of a table whose first row has other cells."""
    path = folder / name
    shutil.copy(find_data() / name, path)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rows[0] |= cells
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.mark.parametrize("name", READERS)
def test_damage_is_reported_with_its_place(tmp_path, name):
    read, low, value = READERS[name]
    for cells in ({value: ""}, {low: "1e9"}, {low: "-1"}, {value: "1e9"}, {value: "cheap"}):
        with pytest.raises(MissingData, match=rf"data/{name}, row 2, column"):
            read(damaged(tmp_path, name, **cells))


@pytest.mark.parametrize(
    ("name", "cells"),
    [("prices.csv", {"unit": "EUR"}), ("cloud_offers.csv", {"tier": "lease"})],
)
def test_unknown_words_are_reported(tmp_path, name, cells):
    (column,) = cells
    with pytest.raises(MissingData, match=f"column {column}"):
        READERS[name][0](damaged(tmp_path, name, **cells))


@pytest.mark.parametrize("name", READERS)
def test_ids_occur_once(tmp_path, name):
    path = tmp_path / name
    lines = (find_data() / name).read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines[:2], lines[1]]), encoding="utf-8")
    with pytest.raises(MissingData, match="unique"):
        READERS[name][0](path)
