"""What exists in the world, checked against what its publishers print."""

import csv
import math
import shutil
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from planner.catalogue import (
    Architecture,
    Basis,
    Source,
    StateGroup,
    load_catalogue,
    stack,
)
from planner.catalogue.catalogue import find_data
from planner.errors import MissingData
from planner.units import GB, GIB, MIB, TERA

PUBLISHED = Path(__file__).parent / "published"


@pytest.fixture(scope="module")
def catalogue():
    return load_catalogue()


def architecture(**changes):
    """A small model; numbers chosen so that none equals another."""
    base = Architecture(
        id="small", name="Small", family="Test", layers=4.0, hidden_size=64.0, vocabulary=1000.0,
        attention_heads=8.0, maximum_context_tokens=2048.0, attention_parameters=11.0,
        kv_projection_parameters=12.0, replicated_parameters=0.0, mlp_parameters=13.0,
        expert_parameters=0.0, router_parameters=0.0, norm_parameters=14.0,
        embedding_parameters=15.0, lm_head_parameters=0.0,
        groups=(StateGroup("full", 4.0, 2.0, 16.0),),
    )  # fmt: skip
    return replace(base, **changes)


def file_bytes(precision, linear, embedding, lm_head, attention=0.0, other=0.0):
    """Bytes of a checkpoint: parameters by class times their bits."""
    bits = (
        linear * precision.bits_per_weight
        + attention * precision.attention_bits
        + embedding * precision.embedding_bits
        + lm_head * precision.lm_head_bits
        + other * precision.other_bits
    )
    return bits / 8


# Parameter counts from the architectures: Llama 3 8B and Llama 2 and 3 70B differ from the
# publishers' totals by norms only.
LLAMA_3_8B = {"linear": 6_979_321_856, "embedding": 128256 * 4096, "lm_head": 128256 * 4096}
LLAMA_2_70B = {"linear": 68_451_041_280, "embedding": 32000 * 8192, "lm_head": 32000 * 8192}
LLAMA_3_70B = {"linear": 68_451_041_280, "embedding": 128256 * 8192, "lm_head": 128256 * 8192}


# --- accelerators ----------------------------------------------------------------------------


def test_there_are_enough_accelerators(catalogue):
    assert len(catalogue.accelerators) >= 35
    assert 14 <= sum(one.in_map for one in catalogue.accelerators.values()) <= 20


NEEDED = (
    "memory_nominal_bytes",
    "memory_reported_bytes",
    "memory_usable_bytes",
    "bandwidth_bytes_per_s",
    "power_w",
    "dense_flops.bf16",
)


def test_everything_in_the_map_can_be_computed(catalogue):
    for gpu in catalogue.accelerators.values():
        if gpu.in_map:
            for name in NEEDED:
                assert gpu.require(name) > 0, (gpu.id, name)


@pytest.mark.parametrize(
    ("gpu", "field", "published"),
    [
        # NVIDIA H100 product page, column H100 SXM: 1,979 and 3,958 with sparsity, 3.35 TB/s
        ("h100-sxm-80gb", "dense_flops.bf16", 989 * TERA),
        ("h100-sxm-80gb", "dense_flops.fp8", 1979 * TERA),
        ("h100-sxm-80gb", "bandwidth_bytes_per_s", 3350 * GB),
        ("h100-sxm-80gb", "power_w", 700),
        # the same page, column H100 NVL: 1,671 and 3,341 with sparsity, halved
        ("h100-nvl-94gb", "dense_flops.bf16", 835.5 * TERA),
        ("h100-nvl-94gb", "dense_flops.fp8", 1670.5 * TERA),
        # NVIDIA A100 datasheet r4: 312, 2,039 GB/s (80GB SXM), 1,935 GB/s (80GB PCIe)
        ("a100-sxm-80gb", "dense_flops.bf16", 312 * TERA),
        ("a100-sxm-80gb", "bandwidth_bytes_per_s", 2039 * GB),
        ("a100-pcie-80gb", "bandwidth_bytes_per_s", 1935 * GB),
        # NVIDIA L40S datasheet: 362.05 and 733 dense, 864 GB/s, 350 W
        ("l40s-48gb", "dense_flops.bf16", 362 * TERA),
        ("l40s-48gb", "power_w", 350),
        # AMD MI300X datasheet: 1,307.4 and 2,614.9 dense, 5.3 TB/s, 750 W
        ("mi300x-192gb", "dense_flops.bf16", 1307 * TERA),
        ("mi300x-192gb", "bandwidth_bytes_per_s", 5300 * GB),
        # nvidia-smi in github.com/modal-labs/modal-client/pull/2797
        ("h100-sxm-80gb", "memory_reported_bytes", 81559 * MIB),
        ("a100-sxm-80gb", "memory_reported_bytes", 81920 * MIB),
        ("a100-sxm-40gb", "memory_reported_bytes", 40960 * MIB),
        ("l40s-48gb", "memory_reported_bytes", 46068 * MIB),
        ("l4-24gb", "memory_reported_bytes", 23034 * MIB),
        ("t4-16gb", "memory_reported_bytes", 15360 * MIB),
        # nvidia-smi in github.com/NVIDIA/TensorRT-LLM/issues/10278
        ("b200-sxm-180gb", "memory_reported_bytes", 183359 * MIB),
        # rocm-smi prints 206141652992 B (github.com/ROCm/legacy-rocm-build/issues/4414)
        ("mi300x-192gb", "memory_reported_bytes", 206141652992),
        # developer.nvidia.com/cuda-gpus
        ("l4-24gb", "compute_capability", 8.9),
        ("gb300", "compute_capability", 10.3),
        ("rtx-5090-32gb", "compute_capability", 12.0),
    ],
)
def test_published_accelerator_facts(catalogue, gpu, field, published):
    assert catalogue.accelerator(gpu).require(field) == pytest.approx(published, rel=1e-9)


def test_label_and_driver_are_two_facts(catalogue):
    """A label of 48 GB is 46,068 MiB in the driver with error correction on: 1.0 times; 80 GB of
    an H100 is 1.07 times. No row copies one into the other."""
    ratios = {
        one.id: one.memory_reported_bytes / one.memory_nominal_bytes
        for one in catalogue.accelerators.values()
        if math.isfinite(one.memory_reported_bytes)
    }
    assert len(ratios) >= 30
    assert all(ratio != 1 for ratio in ratios.values())
    assert all(0.98 < ratio < 1.08 for ratio in ratios.values()), ratios


def test_a_process_sees_a_little_less_than_the_driver(catalogue):
    """PyTorch says 79.18 GiB on an H100 (llm-d-planner), 178.35 on a B200 (pytorch/ao pull
    4002), 191.98 on an MI300X; CUDA keeps 0.2 to 1.7 GiB, ROCm nothing."""
    for gpu, published in (("h100-sxm-80gb", 79.18), ("b200", 178.35), ("mi300x", 191.98)):
        usable = catalogue.accelerator(gpu).require("memory_usable_bytes")
        assert usable / GIB == pytest.approx(published, abs=0.005)
    for gpu in catalogue.accelerators.values():
        kept = (gpu.memory_reported_bytes - gpu.memory_usable_bytes) / GIB
        if math.isfinite(kept):
            assert (0.2 < kept < 1.7) if gpu.vendor == "NVIDIA" else abs(kept) < 0.01, gpu.id


def test_a_blank_fact_raises_with_a_remedy(catalogue):
    blank = catalogue.accelerator("inferentia2")
    assert math.isnan(blank.power_w)
    for name in ("power_w", "memory_reported_bytes", "dense_flops.fp8"):
        with pytest.raises(MissingData, match="data/gpus.csv"):
            blank.require(name)


def test_a_missing_int8_peak_is_not_made_up(catalogue):
    """Sources disagree thirtyfold on INT8 of B300; the cell is blank and stays so."""
    assert "int8" not in catalogue.accelerator("b300").dense_flops


def test_interconnect_agrees_with_its_domain(catalogue):
    for gpu in catalogue.accelerators.values():
        if gpu.interconnect == "none":
            assert gpu.nvlink_domain_gpus == 1, gpu.id
    assert catalogue.accelerator("gb200").nvlink_domain_gpus == 72
    assert catalogue.accelerator("h100").nvlink_domain_gpus == 8
    assert catalogue.accelerator("l40s").nvlink_domain_gpus == 1


def test_one_gpu_of_the_a16_board(catalogue):
    """The driver shows the A16 as four GPUs of 16 GB (listings show 15,356 MiB each)."""
    assert catalogue.accelerator("A16").memory_nominal_bytes == 16 * GB


with (PUBLISHED / "measurement_gpu_names.csv").open(newline="", encoding="utf-8") as file:
    GPU_NAMES = list(csv.DictReader(file))


@pytest.mark.parametrize("row", GPU_NAMES, ids=lambda row: row["name"])
def test_names_in_measurements_resolve(catalogue, row):
    """Every name in our measurements has a GPU, or a reason why it has none."""
    if row["id"]:
        assert catalogue.accelerator(row["name"]).id == row["id"]
    else:
        assert row["why_not"]
        with pytest.raises(MissingData):
            catalogue.accelerator(row["name"])


def test_no_alias_names_two_accelerators(catalogue):
    owners = {}
    for gpu in catalogue.accelerators.values():
        for name in (gpu.id, gpu.name, *gpu.aliases):
            key = name.lower().replace("-", " ")
            assert owners.setdefault(key, gpu.id) == gpu.id, name


# --- look-ups --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["H100", "h100 sxm", "H100-SXM5-80GB", "NVIDIA H100 80GB HBM3"])
def test_names_do_not_mind_case_blanks_or_hyphens(catalogue, name):
    assert catalogue.accelerator(name).id == "h100-sxm-80gb"


@pytest.mark.parametrize(
    ("look_up", "name", "near", "listing"),
    [
        ("accelerator", "h100-sxm-81gb", "h100-sxm-80gb", "planner gpus"),
        ("model", "Qwen/Qwen3-9B", "Qwen/Qwen3-8B", "planner models"),
        ("weight_precision", "nvfp5", "nvfp4", "data/precisions.csv"),
        ("kv_precision", "int9-kv", "int8-kv", "data/precisions.csv"),
        ("engine", "vlm", "vllm", "data/engines.csv"),
        ("term", "kv-cash", "kv-cache", "data/glossary.csv"),
    ],
)
def test_an_unknown_name_gets_the_nearest(catalogue, look_up, name, near, listing):
    with pytest.raises(MissingData) as caught:
        getattr(catalogue, look_up)(name)
    message = str(caught.value)
    assert near in message
    assert listing in message
    assert "\n" not in message


def test_weights_and_kv_have_their_own_names(catalogue):
    assert catalogue.weight_precision("fp8").bits_per_weight == 8.002
    assert catalogue.kv_precision("fp8").bits_per_weight == 8
    assert catalogue.kv_precision("auto").id == "bf16"
    with pytest.raises(MissingData):
        catalogue.kv_precision("gguf-q4_k_m")


def test_every_model_has_its_native_precision(catalogue):
    for model in catalogue.models.values():
        assert catalogue.weight_precision(model.native_precision), model.id


def test_with_model_leaves_the_old_catalogue_alone(catalogue):
    mine = architecture(id="mine", name="Mine")
    extended = catalogue.with_model(mine)
    assert extended.model("MINE") is mine
    assert "mine" not in catalogue.models
    with pytest.raises(MissingData):
        catalogue.model("mine")


def test_the_default_catalogue_is_read_once():
    assert load_catalogue() is load_catalogue()


def test_the_date_is_the_newest(catalogue):
    dates = [one.source.as_of for one in catalogue.accelerators.values()]
    assert catalogue.dated >= max(dates)


# --- faulty tables ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "old", "new", "words"),
    [
        ("gpus.csv", ",15360,", ",15360 MiB,", "data/gpus.csv, row 2, column memory_reported_mib"),
        ("gpus.csv", "t4-16gb,NVIDIA", "l4-24gb,NVIDIA", "column id: 'l4-24gb' should be unique"),
        ("gpus.csv", "vendor claim", "hearsay", "column basis: 'hearsay' should be one of"),
        ("precisions.csv", ",both,", ",sometimes,", "column use: 'sometimes'"),
        ("precisions.csv", ",both,16,", ",both,-16,", "should be a positive number of bits"),
        ("glossary.csv", "Parameters,parameter", ",parameter", "column name: '' should be filled"),
    ],
)
def test_a_faulty_cell_is_named(tmp_path, table, old, new, words):
    folder = tmp_path / "data"
    shutil.copytree(find_data(), folder)
    text = (folder / table).read_text(encoding="utf-8")
    assert old in text
    (folder / table).write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(MissingData) as caught:
        load_catalogue(folder)
    assert words in str(caught.value)


def test_a_missing_table_is_named(tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(find_data(), folder)
    (folder / "precisions.csv").unlink()
    with pytest.raises(MissingData, match=r"data/precisions\.csv is missing"):
        load_catalogue(folder)


# --- precisions ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("precision", "model", "published_gib"),
    [
        # llama.cpp perplexity README, Llama 3 8B at f364eb6f
        ("gguf-q8_0", LLAMA_3_8B, 7.96),
        ("gguf-q6_k", LLAMA_3_8B, 6.14),
        ("gguf-q5_k_m", LLAMA_3_8B, 5.33),
        ("gguf-q4_k_m", LLAMA_3_8B, 4.58),
        ("gguf-q4_0", LLAMA_3_8B, 4.34),
        ("gguf-iq4_xs", LLAMA_3_8B, 4.14),
        ("gguf-q3_k_m", LLAMA_3_8B, 3.74),
        ("gguf-q2_k", LLAMA_3_8B, 2.96),
        # the same README, Llama 2 70B at 0a21ad6e: these were not used to set the bits
        ("gguf-q6_k", LLAMA_2_70B, 52.70),
        ("gguf-q5_k_m", LLAMA_2_70B, 45.41),
        ("gguf-q4_k_m", LLAMA_2_70B, 38.54),
        ("gguf-q4_0", LLAMA_2_70B, 36.20),
        # vLLM 0.11 logs, llm-d-planner docs/empirical-vllm-memory-results.md @e50305af
        ("bf16", LLAMA_3_8B, 14.99),
        ("fp8", LLAMA_3_70B, 67.72),
    ],
)
def test_bits_per_weight_reproduce_published_files(catalogue, precision, model, published_gib):
    size = file_bytes(catalogue.weight_precision(precision), **model)
    assert size / GIB == pytest.approx(published_gib, rel=0.006)


def test_mxfp4_reproduces_gpt_oss(catalogue):
    """Table 1 of the gpt-oss model card (arXiv 2508.10925): 114.71 of 116.83 billion parameters
    in the experts, checkpoint 60.8 GiB; and 19.12 of 20.91 billion, 12.8 GiB."""
    precision = catalogue.weight_precision("mxfp4")
    for total, experts, published in ((116.83e9, 114.71e9, 60.8), (20.91e9, 19.12e9, 12.8)):
        size = file_bytes(precision, experts, 0.0, 0.0, other=total - experts)
        assert size / GIB == pytest.approx(published, rel=0.006)


def test_awq_lies_between_the_shards_of_its_file(catalogue):
    """Llama 3.1 70B AWQ INT4 of hugging-quants has nine files: 4.97, 4.89 six times, 2.1 and one
    whose size was not found, which is at most 4.97 GB. 4.5 bits for every linear weight would
    not fit in."""
    known = (4.97 + 6 * 4.89 + 2.1) * GB
    precision = catalogue.weight_precision("awq-int4")
    assert known < file_bytes(precision, **LLAMA_3_70B) < known + 4.97 * GB
    wrong = replace(precision, bits_per_weight=4.5)
    assert not known < file_bytes(wrong, **LLAMA_3_70B) < known + 4.97 * GB


def test_block_formats_by_their_definition(catalogue):
    """OCP MX v1.0: an 8-bit scale per 32 elements; NVFP4: an 8-bit scale per 16."""
    bits = {name: one.bits_per_weight for name, one in catalogue.precisions.items()}
    assert bits["mxfp4"] == 4 + 8 / 32
    assert bits["mxfp8"] == 8 + 8 / 32
    assert bits["nvfp4"] == 4 + 8 / 16
    assert bits["awq-int4"] == 4 + (16 + 4) / 128
    assert bits["gptq-int4"] == 4 + 16 / 128


def test_only_weight_only_kernels_have_a_capability(catalogue):
    """vLLM documentation: FP8 unpacks from 7.5, INT8 W8A8 has no such path; BF16 runs as FP16 on
    V100 and T4 (--dtype half)."""
    assert catalogue.weight_precision("fp8").weight_only_capability == 7.5
    assert catalogue.weight_precision("nvfp4").weight_only_capability == 8.0
    assert math.isinf(catalogue.weight_precision("int8").weight_only_capability)
    assert catalogue.weight_precision("bf16").weight_only_capability == 7.0


def test_the_map_shows_a_handful_of_precisions(catalogue):
    shown = [one for one in catalogue.precisions.values() if one.in_map and one.use != "kv"]
    assert 6 <= len(shown) <= 9


# --- quality and glossary ---------------------------------------------------------------------


def test_recoveries_are_in_the_published_order(catalogue):
    """arXiv 2411.02355: FP8 lossless, INT8 1 to 3 percent, INT4 weight-only close to it."""
    recoveries = catalogue.recoveries
    assert recoveries["fp8"].median == pytest.approx(1.0, abs=0.005)
    assert 0.97 <= recoveries["int8"].median <= 1.01
    assert 0.96 <= recoveries["awq-int4"].median <= 1.0
    assert recoveries["mxfp4-full"].median < recoveries["nvfp4"].median < 1


def test_recoveries_count_their_rows_and_leave_perplexity_out(catalogue):
    for name, recovery in catalogue.recoveries.items():
        rows = [
            row
            for row in catalogue.quality
            if row.precision == name and math.isfinite(row.recovery_fraction)
        ]
        assert recovery.rows == len(rows)
        assert recovery.low <= recovery.median <= recovery.high
        assert recovery.sources
        assert recovery.basis == max(row.source.basis for row in rows)
    assert not [name for name in catalogue.recoveries if name.startswith("gguf")]
    perplexities = [row for row in catalogue.quality if "perplexity" in row.metric]
    assert len(perplexities) >= 10


def test_printed_recoveries_are_quotients(catalogue):
    """Where a publisher prints both scores, the recovery is one over the other; the
    publishers round to tenths of a percent."""
    for row in catalogue.quality:
        if "perplexity" not in row.metric and math.isfinite(row.recovery_fraction * row.baseline):
            assert row.recovery_fraction == pytest.approx(row.quantised / row.baseline, abs=1e-3)


def test_the_glossary_speaks_to_both_teams(catalogue):
    assert len(catalogue.glossary) >= 48
    for term in catalogue.glossary.values():
        assert len(term.data_science.split()) >= 8, term.id
        assert len(term.infrastructure.split()) >= 8, term.id
        assert term.data_science != term.infrastructure


# --- stacking --------------------------------------------------------------------------------

NUMBERS = [one.name for one in fields(Architecture) if one.type == "float"]
GROUP_NUMBERS = [one.name for one in fields(StateGroup) if one.type == "float"]


def test_stack_equals_element_by_element(catalogue):
    models = list(catalogue.models.values())[:40]
    stacked = stack(models)
    for name in NUMBERS:
        expected = [getattr(one, name) for one in models]
        np.testing.assert_array_equal(getattr(stacked, name), expected, err_msg=name)
    for level, group in enumerate(stacked.groups):
        for index, model in enumerate(models):
            alone = model.groups[level] if level < len(model.groups) else StateGroup("none", 0.0)
            for name in GROUP_NUMBERS:
                assert getattr(group, name)[index] == getattr(alone, name), (model.id, name)


def test_stack_pads_with_layers_of_nothing():
    sliding = StateGroup("sliding", 2.0, 4.0, 8.0, window_tokens=128.0)
    two = architecture(groups=(sliding, StateGroup("full", 2.0, 4.0, 8.0)))
    both = stack([architecture(), two])
    assert both.groups[1].layers.tolist() == [0, 2]
    assert both.groups[0].window_tokens.tolist() == [math.inf, 128]
    assert both.groups[1].window_tokens.tolist() == [math.inf, math.inf]


def test_formulas_broadcast_over_a_stack(catalogue):
    models = [one for one in catalogue.models.values() if not one.experts][:8]
    total = stack(models).total_parameters
    np.testing.assert_allclose(total, [one.total_parameters for one in models], rtol=0)


def test_stack_of_nothing_is_a_bug():
    with pytest.raises(ValueError, match="at least one"):
        stack([])


def test_basis_and_source_are_reexported():
    assert Source("a").basis is Basis.ASSUMED
