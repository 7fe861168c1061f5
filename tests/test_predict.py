"""Predictions for a table: every row answered by itself, nothing lost, nothing guessed silently."""

from __future__ import annotations

import csv
import io
import math
import os
import time
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from planner.catalogue import Basis, load_catalogue
from planner.cli import main
from planner.errors import InvalidScenario, MissingData
from planner.performance import (
    OPTIONAL_COLUMNS,
    REQUIRED_COLUMNS,
    Cases,
    Layout,
    Reference,
    deployment_speed,
    predict_cases,
    read_cases,
    replica_speed,
)
from planner.performance.names import (
    find_engine,
    find_gpu,
    find_kv_precision,
    find_model,
    find_weight_precision,
    format_in_name,
)
from planner.predict import ADDED_COLUMNS, predict_file, predict_table
from planner.units import GIB

CATALOGUE = load_catalogue()
REFERENCE = Reference.of(CATALOGUE)
NUMBERS = tuple(one for one in ADDED_COLUMNS if one not in ("basis", "error"))
SPEEDS = NUMBERS[: NUMBERS.index("kv_capacity_tokens")]
ENERGY = NUMBERS[len(SPEEDS) + 1 :]
"""Blank where a GPU's power limit is not in the catalogue."""
GOOD = {
    "model": "meta-llama/Llama-3.1-8B-Instruct",
    "gpu": "H100",
    "gpu_count": "1",
    "tensor_parallel": "1",
    "weight_precision": "bf16",
    "kv_precision": "bf16",
    "engine": "vLLM",
    "isl": "1000",
    "osl": "200",
    "concurrency": "8",
}


def answered(**changes: object) -> dict[str, object]:
    """One row, the good one but for these cells."""
    found = predict_table([{**GOOD, **changes}], CATALOGUE)
    return {name: cells[0] for name, cells in found.items()}


def written(path: Path, rows: list[dict[str, str]], delimiter: str = ",") -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def read(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


# --- The table ----------------------------------------------------------------------------------


def test_columns_keep_their_order_and_ours_come_last() -> None:
    rows = [
        {"note": "é, ü", **GOOD, "obs_tpot_s": "0.01"},
        {"note": "", **GOOD, "gpu": "Z80", "obs_tpot_s": ""},
    ]
    found = predict_table(rows, CATALOGUE)
    assert list(found) == [*rows[0], *ADDED_COLUMNS]
    for name in rows[0]:
        assert found[name] == [row[name] for row in rows]


def test_rows_or_columns_are_one_table() -> None:
    rows = [GOOD, {**GOOD, "concurrency": "max"}]
    columns = {name: [row[name] for row in rows] for name in GOOD}
    assert predict_table(rows, CATALOGUE) == predict_table(columns, CATALOGUE)


def test_numbers_and_text_are_one_table() -> None:
    typed = {"gpu_count": 1, "tensor_parallel": np.int64(1), "isl": 1000.0, "kv_precision": None}
    assert answered(**typed)["tpot_s"] == answered(kv_precision="")["tpot_s"]


def test_old_answers_are_kept_under_another_name() -> None:
    found = predict_table([{**GOOD, "tpot_s": "9", "error": "old", "error_input": "x"}], CATALOGUE)
    kept = [*GOOD, "tpot_s_input", "error_input_2", "error_input"]
    assert list(found) == [*kept, *ADDED_COLUMNS]
    assert found["tpot_s_input"] == ["9"] and found["error_input_2"] == ["old"]
    assert found["tpot_s"][0] < 1 and found["error"] == [""]


def test_an_exact_name_wins_over_a_careless_one() -> None:
    careless = {f" {name.upper()} ": [cell] for name, cell in GOOD.items()}
    found = predict_table(careless, CATALOGUE)
    assert found["error"] == [""] and found["tpot_s"] == [answered()["tpot_s"]]
    both = predict_table({"ISL": ["no number"], **{k: [v] for k, v in GOOD.items()}}, CATALOGUE)
    assert both["error"] == [""]


@pytest.mark.parametrize("name", REQUIRED_COLUMNS)
def test_a_table_without_a_needed_column_is_refused(name: str) -> None:
    with pytest.raises(InvalidScenario, match=f"no column {name};"):
        predict_table([{k: v for k, v in GOOD.items() if k != name}], CATALOGUE)


@pytest.mark.parametrize("name", [one for one in OPTIONAL_COLUMNS if one in GOOD])
def test_other_columns_may_be_absent_or_blank(name: str) -> None:
    absent = predict_table([{k: v for k, v in GOOD.items() if k != name}], CATALOGUE)
    assert absent["error"] == [""]
    assert absent["tpot_s"] == [answered(**{name: " "})["tpot_s"]]


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(InvalidScenario, match="1 to 2 cells"):
        predict_table({**{k: [v] for k, v in GOOD.items()}, "note": ["a", "b"]}, CATALOGUE)


# --- One row ------------------------------------------------------------------------------------


def test_an_answer_is_what_the_performance_room_says() -> None:
    case = REFERENCE.case("llama-3.1-8b", "h100", "bf16", isl=1000, osl=200, concurrency=8)
    expected, found = predict_cases(case, REFERENCE), answered()
    assert found["error"] == ""
    assert found["ttft_s"] == pytest.approx(expected.ttft_s[0], rel=1e-12)
    assert found["tpot_s_low"] == pytest.approx(expected.tpot_low_s[0], rel=1e-12)
    assert found["output_tokens_per_s_high"] == pytest.approx(
        expected.output_tokens_high_per_s[0], rel=1e-12
    )
    assert found["kv_capacity_tokens"] == expected.kv_capacity_tokens[0]
    assert found["basis"] == Basis(int(expected.basis[0])).words


def test_one_request_decodes_at_the_speed_of_memory() -> None:
    """Llama 3.1 8B has 7.5 billion parameters besides its embedding, 15 GB in BF16, and an H100
    reads 3.35 TB/s by its data sheet: no token takes less than 4.5 ms, nor much more."""
    alone = answered(concurrency="1", isl="100", osl="1000")
    streaming = 15.0e9 / 3.35e12
    assert streaming < alone["tpot_s"] < 2.5 * streaming
    assert alone["output_tokens_per_s"] == pytest.approx(
        1000 / (alone["ttft_s"] + 999 * alone["tpot_s"]), rel=1e-9
    )


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"model": "llama-9-8b"}, "There is no model 'llama-9-8b'; the nearest are"),
        ({"model": ""}, "model is blank"),
        ({"gpu": "h300"}, "There is no GPU 'h300'; the nearest are"),
        ({"gpu": "GH200 144GB"}, "There is no GPU"),
        ({"weight_precision": "fp7"}, "There is no weight precision 'fp7'"),
        ({"kv_precision": "fp7"}, "There is no KV precision 'fp7'"),
        ({"isl": "many"}, "isl 'many' must be a number above 0."),
        ({"isl": ""}, "isl is blank; write a number above 0."),
        ({"osl": "0"}, "osl '0' must be a number above 0."),
        ({"osl": "-5"}, "osl '-5' must be"),
        ({"osl": "inf"}, "osl 'inf' must be"),
        ({"concurrency": ""}, "concurrency is blank; write a number above 0 or max."),
        ({"concurrency": "lots"}, "concurrency 'lots' must be a number above 0 or max."),
        ({"concurrency": "1e12"}, "concurrency '1e12' must be"),
        ({"gpu_count": "0"}, "gpu_count '0' must be a whole number of 1 or more."),
        ({"gpu_count": "1.5"}, "gpu_count '1.5' must be a whole number"),
        ({"tensor_parallel": "2"}, "is more than gpu_count 1"),
        ({"tensor_parallel": "two"}, "tensor_parallel 'two' must be blank or a whole number"),
        ({"pipeline_parallel": "2"}, "is more than gpu_count 1"),
        ({"data_parallel": "some"}, "data_parallel 'some' must be blank or a whole number"),
        ({"gpu_memory_utilization": "90"}, "gpu_memory_utilization '90' must be a share"),
        ({"gpu_memory_utilization": "0"}, "gpu_memory_utilization '0' must be a share"),
        ({"max_model_len": "1000"}, "isl 1000 leaves no room for an answer within max_model_len"),
    ],
    ids=str,
)
def test_a_bad_cell_gives_one_sentence(cells: dict[str, str], words: str) -> None:
    found = answered(**cells)
    assert words in found["error"] and found["error"].endswith(".")
    assert "\n" not in found["error"]
    assert all(found[name] is None for name in NUMBERS) and found["basis"] == ""


@pytest.mark.parametrize(
    "cells",
    [
        {"concurrency": "MAX"},
        {"isl": "1,000"},
        {"isl": " 1000 "},
        {"gpu_memory_utilization": "0,9"},
        {"expert_parallel": "yes"},
        {"expert_parallel": "0", "pipeline_parallel": "0", "data_parallel": "0"},
        {"tensor_parallel": "-", "gpu_count": "8"},
        {"kv_precision": "auto", "weight_precision": "auto"},
        {"max_model_len": "auto"},
        {"max_model_len": "1001"},
    ],
    ids=str,
)
def test_careless_cells_are_understood(cells: dict[str, str]) -> None:
    assert answered(**cells)["error"] == ""


def test_max_is_all_requests_at_once() -> None:
    """No request waits for a slot, as an offline run hands in the next when one is done."""
    case = REFERENCE.case("llama-3.1-8b", "h100", "bf16", isl=1000, osl=200, concurrency=math.inf)
    found, expected = answered(concurrency="max"), predict_cases(case, REFERENCE)
    assert found["output_tokens_per_s"] == pytest.approx(expected.output_tokens_per_s[0])
    assert found["ttft_s"] < answered(concurrency="5000")["ttft_s"] / 10


def test_an_answer_stops_at_the_longest_context() -> None:
    cut, short = answered(max_model_len="1100"), answered(osl="100")
    assert cut["tpot_s"] == pytest.approx(short["tpot_s"], rel=1e-12)
    assert cut["basis"] == "assumed" and answered(max_model_len="1200")["basis"] != "assumed"


def test_an_unknown_engine_is_generic_and_says_so() -> None:
    unknown, blank, generic = (answered(engine=name) for name in ("zippyserve", "", "generic"))
    assert unknown["tpot_s"] == blank["tpot_s"] == generic["tpot_s"]
    assert unknown["error"] == "" and unknown["basis"] == "assumed"
    assert Basis.parse(blank["basis"]) >= Basis.DERIVED
    assert generic["basis"] == answered()["basis"]


def test_blank_gpus_follow_from_the_layout() -> None:
    stated = answered(gpu_count="4", tensor_parallel="2", pipeline_parallel="2")
    blank = answered(gpu_count="", tensor_parallel="2", pipeline_parallel="2")
    assert blank["tpot_s"] == stated["tpot_s"]
    assert Basis.parse(blank["basis"]) >= Basis.DERIVED
    assert answered(gpu_count="", tensor_parallel="")["basis"] == "assumed"


@pytest.mark.parametrize(
    ("model", "stated"),
    [
        ("Qwen/Qwen3-32B", "bf16"),
        ("Qwen/Qwen3-32B-FP8", "fp8"),
        ("deepseek-ai/DeepSeek-R1", "fp8"),
        ("nvidia/DeepSeek-R1-0528-NVFP4-v2", "nvfp4"),
        ("openai/gpt-oss-120b", "mxfp4"),
        ("Qwen/Qwen2.5-72B-Instruct-AWQ", "awq"),
        ("Qwen/Qwen2.5-7B-Instruct-GPTQ-Int8", "int8-w8a16"),
        ("RedHatAI/Meta-Llama-3.1-8B-Instruct-quantized.w8a8", "int8"),
    ],
)
def test_blank_weights_are_as_the_name_says_or_as_shipped(model: str, stated: str) -> None:
    changes = {"model": model, "gpu": "B200", "gpu_count": "8", "tensor_parallel": "8"}
    blank, full = (
        answered(weight_precision="", **changes),
        answered(weight_precision=stated, **changes),
    )
    assert blank["error"] == "" and blank["tpot_s"] == full["tpot_s"]
    assert Basis.parse(blank["basis"]) >= Basis.DERIVED


# --- Memory -------------------------------------------------------------------------------------


def test_weights_beyond_the_memory_say_by_how_much() -> None:
    """70.6 billion parameters at 2 bytes are 131 GiB; a card of 80 GB reports 79.6."""
    found = answered(model="llama-3.3-70b", gpu="H100")
    assert found["tpot_s"] is None
    short = float(found["error"].split(" GiB too little")[0].split()[-1])
    assert short == pytest.approx(70.55e9 * 2 / GIB - 0.98 * 81559 / 1024, abs=1.0)
    assert "tensor_parallel 2" in found["error"]
    advised = answered(model="llama-3.3-70b", gpu="H100", gpu_count="2", tensor_parallel="2")
    assert advised["error"] == ""


def test_a_narrow_fit_is_answered_as_assumed() -> None:
    """DeepSeek R1 at FP8 was measured on four B200 (157 of 179 GiB are weights) in
    published rows, with 13 ms a token at 8 in flight; a queue for one slot would take minutes."""
    found = answered(
        model="deepseek-r1", gpu="B200", gpu_count="4", tensor_parallel="4",
        weight_precision="fp8", kv_precision="", engine="TensorRT-LLM", isl="1024", osl="1024",
    )  # fmt: skip
    assert found["error"] == "" and found["basis"] == "assumed"
    assert found["tpot_s"] == pytest.approx(0.0131, rel=0.3)
    assert found["ttft_s"] < 1.0
    assert found["kv_capacity_tokens"] >= 1024 + 512


def test_a_floor_on_slots_leaves_room_for_a_request() -> None:
    case = REFERENCE.case("qwen3-32b", "h100", "bf16", isl=60000, osl=100, concurrency=4)
    without, floor = predict_cases(case, REFERENCE), predict_cases(case, REFERENCE, 1.0)
    assert np.isnan(without.tpot_s[0]) and without.slots[0] < 1
    assert floor.slots[0] == 1 and floor.kv_capacity_tokens[0] >= 60100 and floor.tpot_s[0] > 0


def test_every_pair_of_the_catalogue_is_answered_or_does_not_fit() -> None:
    """Whatever the format: no model and no GPU lacks what a prediction needs."""
    formats = ("bf16", "fp8", "nvfp4", "awq-int4", "gguf-q4_k_m")
    model, gpu, precision = zip(
        *product(CATALOGUE.models, CATALOGUE.accelerators, formats), strict=True
    )
    same = {"gpu_count": 8, "tensor_parallel": 8, "isl": 900, "osl": 90, "concurrency": 16}
    table = {"model": model, "gpu": gpu, "weight_precision": precision}
    table |= {name: [value] * len(model) for name, value in same.items()}
    found = predict_table(table, CATALOGUE)
    assert {
        error.split(": its weights")[0].rpartition(" does ")[2] for error in found["error"]
    } <= {
        "",
        "not fit",
    }
    for name in (*SPEEDS, *ENERGY):
        values = np.array([v for v in found[name] if v is not None])
        assert np.isfinite(values).all() and (values > 0).all(), name
    assert sum(1 for error in found["error"] if not error) > len(model) / 2


# --- Names --------------------------------------------------------------------------------------

MODELS = {
    "llama3.1:8b": "meta-llama/Meta-Llama-3.1-8B",
    "Meta-Llama-3.1-70B-Instruct-FP8-dynamic": "meta-llama/Meta-Llama-3.1-70B",
    "hugging-quants/Meta-Llama-3.1-70B-Instruct-AWQ-INT4": "meta-llama/Meta-Llama-3.1-70B",
    "amd/Llama-3.3-70B-Instruct-MXFP4": "meta-llama/Llama-3.3-70B-Instruct",
    "gpt-oss:120b": "openai/gpt-oss-120b",
    "mistralai/Mistral-7B-Instruct-v0.3": "mistralai/Mistral-7B-v0.3",
    "Qwen/Qwen3-14B-AWQ": "Qwen/Qwen3-14B",
    "QwQ-32B": "Qwen/Qwen2.5-32B",
    "DeepSeek-R1-Distill-Llama-70B": "meta-llama/Llama-3.3-70B-Instruct",
    "deepseek-ai/DeepSeek-V3-0324": "deepseek-ai/DeepSeek-V3",
    "google/gemma-3-27b-it-qat-q4_0-gguf": "google/gemma-3-27b-it",
    "qwen3-coder-480b": "Qwen/Qwen3-Coder-480B-A35B-Instruct",
    "minimax-m2": "MiniMaxAI/MiniMax-M2.5",
}
GPUS = {
    "NVIDIA H100 80GB HBM3": "h100-sxm-80gb",
    "8x H100 SXM5": "h100-sxm-80gb",
    "H100 80GB SXM5": "h100-sxm-80gb",
    "NVIDIA-H100-PCIe": "h100-pcie-80gb",
    "H100 94GB": "h100-nvl-94gb",
    "A100-40G": "a100-sxm-40gb",
    "A100 80 GiB PCIe": "a100-pcie-80gb",
    "B200 192GB": "b200-sxm-180gb",
    "AMD Instinct MI355X": "mi355x",
    "GeForce RTX 4090": "rtx-4090-24gb",
    "rtxpro6000": "rtx-pro-6000-blackwell-96gb",
    "Tesla V100": "v100-sxm-32gb",
    "Gaudi3": "gaudi-3",
    "v5e": "tpu-v5e",
}
WEIGHTS = {
    "fp8_block": "fp8", "FP8-dynamic": "fp8", "w8a8": "int8", "w8a8_fp8": "fp8", "INT8": "int8",
    "modelopt_fp4": "nvfp4", "torch.bfloat16": "bf16", "half": "fp16", "int4-awq": "awq-int4",
    "awq_marlin": "awq-int4", "w4a16": "awq-int4", "q4": "awq-int4", "gptq-int8": "int8-w8a16",
    "Q4_K_M": "gguf-q4_k_m", "fp4": "nvfp4", "mxfp4_moe": "mxfp4", "8-bit": "int8-w8a16",
}  # fmt: skip
CACHES = {
    "bf16": "bf16", "float16": "fp16", "fp8": "fp8-kv", "fp8_e4m3": "fp8-kv", "int8": "int8-kv",
    "fp8_ds_mla": "fp8-kv",
}  # fmt: skip


@pytest.mark.parametrize(
    ("find", "name", "identity"),
    [
        (find, name, identity)
        for find, names in (
            (find_model, MODELS),
            (find_gpu, GPUS),
            (find_weight_precision, WEIGHTS),
            (find_kv_precision, CACHES),
        )
        for name, identity in names.items()
    ],
)
def test_spellings_in_the_wild(find, name: str, identity: str) -> None:
    assert find(CATALOGUE, name).id == identity


@pytest.mark.parametrize(
    "name",
    ["gemma-3n-E4B", "command-r-plus", "starcoder-15b", "Qwen1.5-72B", "Phi-3-mini-128k-instruct",
     "Llama-3.2-11B-Vision", "deepseek-v2", "llama-30b", "fp8", "instruct", "8b"],
)  # fmt: skip
def test_another_architecture_is_not_taken_for_a_known_one(name: str) -> None:
    with pytest.raises(MissingData):
        find_model(CATALOGUE, name)


@pytest.mark.parametrize("name", ["H900", "MI300A", "L2", "GB10", "A100 20GB", "80GB", "B100"])
def test_another_gpu_is_not_taken_for_a_known_one(name: str) -> None:
    with pytest.raises(MissingData):
        find_gpu(CATALOGUE, name)


def test_loose_names_agree_with_strict_ones() -> None:
    """Every name of the catalogue means the same with and without the looser rules."""
    for name in (*CATALOGUE.models, *CATALOGUE.model_aliases):
        assert find_model(CATALOGUE, name) is CATALOGUE.model(name), name
    for gpu in CATALOGUE.accelerators.values():
        for name in (gpu.id, gpu.name, *gpu.aliases):
            assert find_gpu(CATALOGUE, name) is CATALOGUE.accelerator(name), name
    for one in CATALOGUE.precisions.values():
        for name in (one.id, one.name, *one.aliases):
            if one.use != "kv":
                strict = CATALOGUE.weight_precision(name)
                assert find_weight_precision(CATALOGUE, name) is strict, name
            if one.use != "weights":
                assert find_kv_precision(CATALOGUE, name) is CATALOGUE.kv_precision(name), name
    for engine in CATALOGUE.serving_engines.values():
        for name in (engine.id, engine.name, *engine.aliases):
            assert find_engine(CATALOGUE, name) is CATALOGUE.serving_engine(name), name


def test_a_format_is_read_only_from_words_that_are_one() -> None:
    for name in ("llama-3.1-8b", "Qwen/Qwen3-4B-Instruct-2507", "gemma-3-12b-it", "phi-4", ""):
        assert format_in_name(CATALOGUE, name) is None


# --- Properties ---------------------------------------------------------------------------------

INDEX = st.integers(0, 10**6)
MANY = settings(
    deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)
"""Large models do not fit small GPUs, so many a random case is passed over."""


@st.composite
def cases(draw: st.DrawFn) -> Cases:
    """Any model on any GPU at any load, one row."""
    weights = [i for i, p in enumerate(CATALOGUE.precisions.values()) if p.use != "kv"]
    caches = [i for i, p in enumerate(CATALOGUE.precisions.values()) if p.use != "weights"]
    one = {
        "model": draw(INDEX) % len(REFERENCE.models),
        "gpu": draw(INDEX) % len(REFERENCE.gpus),
        "precision": weights[draw(INDEX) % len(weights)],
        "kv_precision": caches[draw(INDEX) % len(caches)],
        "engine": draw(INDEX) % len(REFERENCE.engines),
        "isl": draw(st.floats(1, 50_000)),
        "osl": draw(st.floats(1, 5_000)),
        "concurrency": draw(st.floats(0.5, 2_000) | st.just(math.inf)),
        "utilization_fraction": draw(st.floats(0.5, 1.0) | st.just(math.nan)),
    }
    ranks = draw(st.sampled_from((1, 2, 4, 8)))
    layout = Layout.of([ranks], [1], gpus=[ranks * draw(st.sampled_from((1, 2, 4)))])
    return Cases(layout=layout, **{name: np.array([value]) for name, value in one.items()})


def fitting(case: Cases):
    found = predict_cases(case, REFERENCE)
    assume(found.slots[0] >= 1)
    return found


@MANY
@given(cases())
def test_parts_sum_to_the_whole(case: Cases) -> None:
    batch = fitting(case).batch
    replica = REFERENCE.replica(case)
    keys = REFERENCE.keys(case, replica, 0)
    speed = replica_speed(replica, REFERENCE.model, keys, batch, case.isl, case.osl)
    assert speed.step.total_s + speed.interference_s == pytest.approx(speed.tpot_s, rel=1e-12)
    parts = sum(seconds for _, seconds in speed.first_token)
    assert parts == pytest.approx(speed.ttft_s, rel=1e-12)


@MANY
@given(cases())
def test_faster_memory_never_hurts(case: Cases) -> None:
    """With all else equal."""
    before = fitting(case)
    speed = replace(
        REFERENCE.speed, bandwidth_bytes_per_s=REFERENCE.speed.bandwidth_bytes_per_s * 1.5
    )
    after = predict_cases(case, replace(REFERENCE, speed=speed))
    assert after.tpot_s[0] < before.tpot_s[0]
    assert after.ttft_s[0] <= before.ttft_s[0]
    assert after.output_tokens_per_s[0] > before.output_tokens_per_s[0]


@MANY
@given(cases())
def test_more_replicas_never_lower_the_throughput(case: Cases) -> None:
    """Twice the GPUs at the same tensor parallel, for the same requests."""
    before = fitting(case)
    layout = replace(case.layout, replicas=case.layout.replicas * 2)
    after = predict_cases(replace(case, layout=layout), REFERENCE)
    assert after.output_tokens_per_s[0] >= before.output_tokens_per_s[0] * (1 - 1e-9)
    assert after.tpot_s[0] <= before.tpot_s[0] * (1 + 1e-9)
    assert after.ttft_s[0] <= before.ttft_s[0] * (1 + 1e-9)
    assert after.kv_capacity_tokens[0] >= before.kv_capacity_tokens[0]


@MANY
@given(cases(), st.floats(0.05, 1.0), st.floats(0.01, 1.0))
def test_shorter_prompts_never_slow_a_request(case: Cases, share: float, busy: float) -> None:
    """At the same requests in flight, all with a slot: tokens and first tokens come no later."""
    slots = fitting(case).slots
    case = replace(case, concurrency=np.maximum(slots * busy, 1.0) * case.layout.replicas)
    before = predict_cases(case, REFERENCE)
    after = predict_cases(replace(case, isl=np.maximum(case.isl * share, 1.0)), REFERENCE)
    assert after.slots[0] >= before.slots[0] * (1 - 1e-9)
    assert after.tpot_s[0] <= before.tpot_s[0] * (1 + 1e-9)
    assert after.ttft_s[0] <= before.ttft_s[0] * (1 + 1e-9)


@MANY
@given(cases(), st.floats(0.05, 1.0))
def test_shorter_answers_never_take_more_room_or_a_longer_step(case: Cases, share: float) -> None:
    """A decode step reads less and the cache holds no fewer requests. (A token may take longer:
    with short answers prompts come more often.)"""
    before = fitting(case)
    short = replace(case, osl=np.maximum(case.osl * share, 1.0))
    after = predict_cases(short, REFERENCE)
    assert after.slots[0] >= before.slots[0] * (1 - 1e-9)
    steps = []
    for one in (case, short):
        replica = REFERENCE.replica(one)
        keys = REFERENCE.keys(one, replica, 0)
        speed = replica_speed(replica, REFERENCE.model, keys, before.batch, one.isl, one.osl)
        steps.append(float(speed.step.total_s[0]))
    assert steps[1] <= steps[0] * (1 + 1e-9)


@given(st.lists(cases(), min_size=2, max_size=12))
def test_a_row_alone_is_the_row_in_a_batch(alone: list[Cases]) -> None:
    def joined(name: str, of) -> np.ndarray:
        return np.concatenate([getattr(of(one), name) for one in alone])

    layout = Layout(*(joined(name, lambda one: one.layout) for name in Layout.__slots__))
    names = [name for name in Cases.__slots__ if name != "layout"]
    batch = Cases(layout=layout, **{name: joined(name, lambda one: one) for name in names})
    together = predict_cases(batch, REFERENCE)
    for row, one in enumerate(alone):
        single = deployment_speed(one, REFERENCE, REFERENCE.model)
        if single.slots[0] >= 1:
            assert together.tpot_s[row] == pytest.approx(single.tpot_s[0], rel=1e-12)
            assert together.ttft_s[row] == pytest.approx(single.ttft_s[0], rel=1e-12)


CELLS = st.one_of(
    st.none(),
    st.text(max_size=12),
    st.integers(-10, 10**10),
    st.floats(),
    st.booleans(),
    st.sampled_from(("max", "auto", "yes", "1e400", "NaN", "H100", "fp8", "vllm", "0x10", "１２")),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.dictionaries(st.sampled_from((*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS)), CELLS), max_size=6
    )
)
def test_bad_rows_never_harm_good_ones(strange: list[dict[str, object]]) -> None:
    rows = [GOOD, *({**GOOD, **one} for one in strange), GOOD]
    found = predict_table(rows, CATALOGUE)
    assert (
        found["tpot_s"][0] == found["tpot_s"][-1] == pytest.approx(answered()["tpot_s"], rel=1e-12)
    )
    for row, error in enumerate(found["error"]):
        if error:
            assert all(found[name][row] is None for name in NUMBERS)
            assert found["basis"][row] == "" and "\n" not in error and error.isprintable()
        else:
            assert all(found[name][row] > 0 for name in SPEEDS) and found["basis"][row]
            energy = [found[name][row] for name in ENERGY]
            assert energy == [None] * len(ENERGY) or min(energy) > 0


@given(st.permutations(range(6)))
def test_order_of_rows_does_not_matter(order: list[int]) -> None:
    rows = [
        GOOD,
        {**GOOD, "gpu": "nothing"},
        {**GOOD, "concurrency": "max"},
        {**GOOD, "model": "qwen3-32b"},
        {**GOOD, "model": "llama-3.1-405b"},
        {**GOOD, "engine": "sglang", "isl": ""},
    ]
    straight = predict_table(rows, CATALOGUE)
    shuffled = predict_table([rows[i] for i in order], CATALOGUE)
    assert shuffled["error"] == [straight["error"][i] for i in order]
    expected = [straight["ttft_s"][i] for i in order]
    for got, want in zip(shuffled["ttft_s"], expected, strict=True):
        assert got == want or got == pytest.approx(want, rel=1e-12)


def test_reading_names_every_row() -> None:
    found = read_cases({"model": ["phi-4", "x"], "gpu": ["L4", "L4"]}, REFERENCE)
    assert len(found.errors) == 2 and all(found.errors)


# --- Files and the command line -----------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_any_encoding_and_separator(tmp_path: Path, delimiter: str, encoding: str) -> None:
    rows = [{"note": "Größe – “so”", **GOOD}, {"note": 'a "b"\nc' + delimiter, **GOOD}]
    plain = written(tmp_path / "plain.csv", rows, delimiter).read_text(encoding="utf-8")
    source, target = tmp_path / "cases.csv", tmp_path / "out.csv"
    source.write_bytes(plain.encode(encoding))
    assert predict_file(source, target, CATALOGUE) == (2, 0)
    found = read(target, delimiter)
    assert list(found[0]) == [*rows[0], *ADDED_COLUMNS]
    for row, one in zip(rows, found, strict=True):
        assert {name: one[name] for name in row} == row
        assert float(one["tpot_s"]) == pytest.approx(answered()["tpot_s"], rel=1e-5)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"model,gpu,isl,osl,concurrency\n", "has a first line but no rows"),
        (b"a,b\n1,2\n", "has no column model, gpu, isl, osl, concurrency"),
        (b"model,gpu,isl,osl\nphi-4,l4,1,1\n", "has no column concurrency"),
        (b'model,gpu,isl,osl,concurrency\nphi-4,l4,"1,1,1\nphi-4,l4,1,1,1\n', "is never closed"),
        (bytes(range(256)) * 4, "cases.csv|has no column"),
    ],
)
def test_a_file_that_is_no_table_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, words: str
) -> None:
    source, target = tmp_path / "cases.csv", tmp_path / "out.csv"
    source.write_bytes(content)
    assert main(["predict", str(source), "-o", str(target)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    assert any(one in err for one in words.split("|"))
    assert not target.exists()


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_break_the_reader(tmp_path: Path, content: bytes, with_header: bool) -> None:
    source, target = tmp_path / "cases.csv", tmp_path / "out.csv"
    header = b"model,gpu,isl,osl,concurrency\n" if with_header else b""
    source.write_bytes(header + content)
    try:
        rows, errors = predict_file(source, target, CATALOGUE)
    except InvalidScenario as error:
        assert "\n" not in str(error)
    else:
        assert (
            0 <= errors <= rows == len(list(csv.reader(io.StringIO(target.read_text("utf-8"))))) - 1
        )


def test_lines_of_uneven_length(tmp_path: Path) -> None:
    header = ",".join(GOOD)
    good = ",".join(GOOD.values())
    source, target = tmp_path / "cases.csv", tmp_path / "out.csv"
    source.write_text(f"{header}\n{good},,\n\n{good},surplus\nphi-4,l4\n{good}\n")
    assert predict_file(source, target, CATALOGUE) == (4, 2)
    lines = list(csv.reader(io.StringIO(target.read_text("utf-8"))))
    assert {len(line) for line in lines} == {len(GOOD) + 1 + len(ADDED_COLUMNS)}
    assert lines[0][len(GOOD)] == "" and lines[2][len(GOOD)] == "surplus"
    error = len(GOOD) + 1 + ADDED_COLUMNS.index("error")
    assert "The line has 11 cells but the first line names 10" in lines[2][error]
    assert [bool(line[error]) for line in lines[1:]] == [False, True, True, False]


def test_the_command_writes_predictions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"id": "1", **GOOD}, {"id": "2", **GOOD, "isl": "?"}]
    source, target = written(tmp_path / "cases.csv", rows), tmp_path / "out.csv"
    assert main(["predict", str(source), "-o", str(target)]) == 0
    out, err = capsys.readouterr()
    assert out == "" and err == "1 of 2 rows have no answer; the column error says why.\n"
    found = read(target)
    assert [row["id"] for row in found] == ["1", "2"]
    assert found[0]["error"] == "" and found[1]["tpot_s"] == "" and "isl '?'" in found[1]["error"]
    low, mean, high = (float(found[0][f"tpot_s{end}"]) for end in ("_low", "", "_high"))
    assert low < mean < high
    again = tmp_path / "again.csv"
    assert main(["predict", str(target), "-o", str(again)]) == 0
    assert list(read(again)[0])[-len(ADDED_COLUMNS) :] == list(ADDED_COLUMNS)


def test_the_command_prints_without_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = written(tmp_path / "cases.csv", [GOOD])
    for arguments in ((), ("-o", "-")):
        assert main(["predict", str(source), *arguments]) == 0
        out, err = capsys.readouterr()
        assert err == "" and list(csv.DictReader(io.StringIO(out)))[0]["error"] == ""


@pytest.mark.parametrize("place", ["nowhere/out.csv", "."])
def test_a_place_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    source = written(tmp_path / "cases.csv", [GOOD])
    assert main(["predict", str(source), "-o", str(tmp_path / place)]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["cases.csv"]


def test_a_file_that_is_not_there_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(tmp_path / "none.csv"), "-o", str(tmp_path / "out.csv")]) == 2
    assert "cannot be read (No such file or directory)" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="a device as POSIX has it")
def test_a_device_is_written_to_not_replaced(tmp_path: Path) -> None:
    predict_file(written(tmp_path / "cases.csv", [GOOD]), "/dev/null", CATALOGUE)
    assert not Path("/dev/null").is_file()


def test_progress_ends_at_one() -> None:
    shares: list[float] = []
    columns = {name: [cell] * 40_000 for name, cell in GOOD.items()}
    found = predict_table(columns, CATALOGUE, shares.append)
    assert len(found["error"]) == 40_000 and len(shares) == 3
    assert shares == sorted(shares) and shares[-1] == 1.0


@pytest.mark.benchmark
def test_a_hundred_thousand_rows_take_seconds(tmp_path: Path) -> None:
    loads = np.random.default_rng(0).integers(1, 5000, (100_000, 2))
    rows = [{**GOOD, "isl": str(isl), "osl": str(osl)} for isl, osl in loads]
    source = written(tmp_path / "cases.csv", rows)
    start = time.perf_counter()
    assert predict_file(source, tmp_path / "out.csv", CATALOGUE) == (100_000, 0)
    assert time.perf_counter() - start < 10
