"""How fast a replica runs: against published architectures, kernel tables and benchmarks.

Expected values are worked out here from the publications' own figures, or are what others measured.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import fields, replace

import numpy as np
import pytest

from planner.catalogue import KINDS, QUANTITIES, Basis, load_catalogue, stack, take
from planner.errors import MissingData
from planner.memory import weight_format
from planner.performance import (
    COMPUTE_CLASSES,
    FAMILIES,
    FIRST_TOKEN_GROUPS,
    GROUPS,
    LEVELS,
    NOVELTIES,
    TERMS,
    Cases,
    Layout,
    Prediction,
    Reference,
    SpeedModel,
    collective_bytes_per_s,
    compute_class,
    decode_work,
    dense,
    deployment_speed,
    family,
    gpu_speed,
    predict_cases,
    prompt_work,
    rank_index,
    read_layout,
    replica_speed,
)
from planner.performance.work import (
    decode_attention_flops,
    experts_touched_fraction,
    kv_read_bytes,
    linear_parameters,
    prompt_attention_flops,
    token_flops,
    weight_read,
)
from planner.units import GB, KIB

LLAMA_8B, LLAMA_70B = "meta-llama/Meta-Llama-3.1-8B", "meta-llama/Meta-Llama-3.1-70B"
NAN = float("nan")


@pytest.fixture(scope="module")
def catalogue():
    return load_catalogue()


@pytest.fixture(scope="module")
def reference(catalogue):
    return Reference.of(catalogue)


def one_case(reference, model=LLAMA_8B, gpu="h100-sxm-80gb", precision="bf16", **rest):
    wanted = {"isl": 1000, "osl": 200, "concurrency": 8} | rest
    return reference.case(model, gpu, precision, **wanted)


def joined(*cases: Cases) -> Cases:
    """Cases side by side."""
    layout = Layout(
        *(np.concatenate([getattr(c.layout, f.name) for c in cases]) for f in fields(Layout))
    )
    names = [f.name for f in fields(Cases) if f.name != "layout"]
    return Cases(
        layout=layout, **{n: np.concatenate([getattr(c, n) for c in cases]) for n in names}
    )


# --- Work, against published architectures -----------------------------------------------------


def dense_parameters(layers, hidden, heads, kv_heads, head, wide, vocabulary):
    """Llama 3's matrices but the embedding: arXiv 2407.21783, table 3."""
    attention = hidden * head * (2 * heads + 2 * kv_heads)
    return layers * (attention + 3 * hidden * wide) + vocabulary * hidden


PUBLISHED = {
    LLAMA_8B: dense_parameters(32, 4096, 32, 8, 128, 14336, 128256),
    LLAMA_70B: dense_parameters(80, 8192, 64, 8, 128, 28672, 128256),
}


def flops_per_token(model, layout):
    flop = token_flops(model, linear_parameters(model, layout))
    return float(flop.attention_flop + flop.wide_flop + flop.lm_head_flop)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_token_costs_two_operations_a_parameter(catalogue, name):
    found = flops_per_token(catalogue.model(name), Layout.of(1))
    assert found == pytest.approx(2 * PUBLISHED[name], rel=1e-3)


@pytest.mark.parametrize(
    ("name", "active"),
    [("mistralai/Mixtral-8x7B-v0.1", 12.9e9), ("deepseek-ai/DeepSeek-R1", 37e9)],
)
def test_mixtures_cost_their_active_parameters(catalogue, name, active):
    """Mixtral: arXiv 2401.04088, section 1; DeepSeek: 2412.19437, abstract. Both count the input
    embedding, which computes nothing."""
    model = catalogue.model(name)
    computed = flops_per_token(model, Layout.of(1)) / 2
    assert computed == pytest.approx(active - model.vocabulary * model.hidden_size, rel=0.02)


def test_the_cache_of_llama_8b_is_128_kib_a_token(catalogue):
    """2 tensors, 32 layers, 8 heads of 128, 2 bytes."""
    llama = catalogue.model(LLAMA_8B)
    assert float(kv_read_bytes(llama, 16, 1, 1)) == 128 * KIB
    assert float(kv_read_bytes(llama, 16, 5000, 4)) == 5000 * 32 * KIB
    assert float(kv_read_bytes(llama, 8, 1, 16)) == 8 * KIB, "one head of eight, at least"


def test_a_window_is_all_that_a_sliding_layer_reads(catalogue):
    """gpt-oss-120b: 18 of 36 layers see 128 tokens; 8 heads of 64 (its model card)."""
    model, entry = catalogue.model("openai/gpt-oss-120b"), 2 * 8 * 64 * 2
    assert float(kv_read_bytes(model, 16, 10_000, 1)) == 18 * entry * (128 + 10_000)


def test_latent_attention_reads_one_vector_for_all_heads_on_every_rank(catalogue):
    """DeepSeek-R1: 512 + 64 elements in 61 layers, whatever the ranks (arXiv 2412.19437)."""
    model = catalogue.model("deepseek-ai/DeepSeek-R1")
    for ranks in (1, 8):
        assert float(kv_read_bytes(model, 16, 1000, ranks)) == 1000 * 61 * 576 * 2


def test_causal_attention_of_a_prompt(catalogue):
    """2 I^2 H h in each layer: two products of I^2 H h multiply-adds, half of them masked."""
    llama = catalogue.model(LLAMA_70B)
    found = float(prompt_attention_flops(llama, 4096, 2))
    assert found == pytest.approx(80 * 2 * 4096**2 * 64 * 128 / 2)


def test_windowed_attention_of_a_prompt_counts_what_each_token_sees(catalogue):
    model, tokens = catalogue.model("openai/gpt-oss-120b"), np.arange(1, 3001)
    seen = np.minimum(tokens, 128).sum() + tokens.sum()
    found = float(prompt_attention_flops(model, 3000, 1))
    assert found == pytest.approx(18 * 4 * 64 * 64 * seen, rel=0.01)


def test_latent_attention_is_compressed_at_decode_and_expanded_in_a_prompt(catalogue):
    """128 heads: scores over 512 + 64 and values of 512, or 128 + 64 and 128 (2405.04434)."""
    model = catalogue.model("deepseek-ai/DeepSeek-R1")
    decode = float(decode_attention_flops(model, 1000, 0, 1))
    assert decode == pytest.approx(61 * 2 * 128 * (576 + 512) * 1000)
    prompt = float(prompt_attention_flops(model, 1000, 1))
    assert prompt == pytest.approx(61 * 2 * 128 * (192 + 128) * 1000**2 / 2)


def test_experts_touched_by_one_token_by_many_and_by_none():
    assert float(experts_touched_fraction(128, 8, 1)) == pytest.approx(8 / 128)
    assert float(experts_touched_fraction(128, 8, 1e6)) == pytest.approx(1.0)
    assert float(experts_touched_fraction(0, 0, 3)) == 1.0, "a dense model reads everything"


def test_experts_touched_as_in_a_draw():
    random = np.random.default_rng(5)
    draws = [
        len(np.unique(random.random((20, 64)).argpartition(6, axis=1)[:, :6])) for _ in range(400)
    ]
    assert float(experts_touched_fraction(64, 6, 20)) == pytest.approx(
        np.mean(draws) / 64, abs=0.01
    )


def test_weights_in_16_bit_stream_once_a_step(reference):
    """At one sequence, every matrix over the bandwidth: 15 GB at 3.35 TB/s are 4.5 ms."""
    case = one_case(reference)
    terms = dense(decode_work(reference.replica(case), 1, 1, 1))
    streamed = sum(x for x, term in zip(terms, TERMS, strict=True) if term.part == "weights")
    norms = 65 * 4096
    assert float(streamed[0]) == pytest.approx(
        2 * (PUBLISHED[LLAMA_8B] + norms) / 3.35e12, rel=1e-3
    )


def test_ranks_share_weights_until_heads_run_out(catalogue):
    llama = catalogue.model(LLAMA_70B)
    stored = weight_format(catalogue.engine("vllm"), [catalogue.weight_precision("bf16")])
    one, sixteen = (
        weight_read(llama, stored, linear_parameters(llama, Layout.of(n))) for n in (1, 16)
    )
    assert float(one.wide_bytes[0] / sixteen.wide_bytes[0]) == pytest.approx(16)
    projections = 80 * 2 * 8192 * 8 * 128 * 2
    replicated = projections * (1 / 8 - 1 / 16)
    found = float(sixteen.attention_bytes[0] - one.attention_bytes[0] / 16)
    assert found == pytest.approx(replicated)


def test_data_parallel_attention_keeps_whole_layers_on_each_rank(catalogue):
    model = catalogue.model("deepseek-ai/DeepSeek-R1")
    apart = linear_parameters(model, Layout(8.0, 1.0, 1.0, 1.0))
    alone = linear_parameters(model, Layout.of(1))
    assert float(apart.attention) == pytest.approx(float(alone.attention))
    assert float(apart.experts) == pytest.approx(float(alone.experts) / 8)


def test_a_prompt_on_two_ranks_moves_its_activations_twice_a_layer(reference):
    """Ring all-reduce: 2 (n - 1) / n of the message; 2 in 32 layers of 4,096 wide BF16."""
    case = one_case(reference, layout=Layout.of(2))
    terms = dict(
        zip([t.name for t in TERMS], dense(prompt_work(reference.replica(case), 1000)), strict=True)
    )
    message = 1000 * 4096 * 2
    assert terms["reduce bytes"][0] == pytest.approx(2 * 32 * message / 450e9)
    assert terms["reduce bytes pcie"][0] == 0


# --- GPUs --------------------------------------------------------------------------------------

NVLINK_GB_PER_S = {
    "a100-sxm-80gb": (179, 185, 191),
    "h100-sxm-80gb": (274, 303, 381),
    "h200-sxm-141gb": (279, 310, 396),
    "b200-sxm-180gb": (463, 536, 598),
    "b300-sxm-288gb": (470, 536, 607),
}
"""All-reduce among 2, 4 and 8 GPUs; aiconfigurator-core 0.12.0, as all rates below."""


@pytest.mark.parametrize("gpu", NVLINK_GB_PER_S)
def test_a_link_of_its_own_delivers_half_to_all_of_its_peak(catalogue, gpu):
    """The rate here is the peak; calibration multiplies its time by one efficiency for all."""
    peak = float(gpu_speed([catalogue.accelerator(gpu)]).link_bytes_per_s[0])
    for ranks, measured in zip((2, 4, 8), NVLINK_GB_PER_S[gpu], strict=True):
        found = float(collective_bytes_per_s(peak, 1.0, ranks))
        assert 0.5 < measured * GB / found < 1.0, ranks


@pytest.mark.parametrize(
    ("gpu", "ranks", "measured"),
    [
        ("l40s-48gb", 2, 19),
        ("rtx-pro-6000-blackwell-96gb", 2, 38),
        ("rtx-pro-6000-blackwell-96gb", 4, 27),
        ("rtx-pro-6000-blackwell-96gb", 8, 22),
    ],
)
def test_collectives_over_pcie_are_near_what_was_measured(catalogue, gpu, ranks, measured):
    speed = gpu_speed([catalogue.accelerator(gpu)])
    assert speed.fast_link[0] == 0
    found = collective_bytes_per_s(speed.link_bytes_per_s, speed.link_decay_fraction, ranks)
    assert float(found[0]) == pytest.approx(measured * GB, rel=0.15)


def test_cards_of_one_pair_slow_down_with_more_ranks(catalogue):
    speed = gpu_speed([catalogue.accelerator("l40s-48gb")])
    rates = collective_bytes_per_s(
        speed.link_bytes_per_s, speed.link_decay_fraction, np.array([1, 2, 4, 8])
    )
    assert rates[0] == rates[1] and np.all(np.diff(rates[1:]) < 0)


@pytest.mark.parametrize(
    ("gpu", "precision", "wide", "attention"),
    [
        ("h100-sxm-80gb", "bf16", "16 bit", "16 bit"),
        ("h100-sxm-80gb", "fp8", "8 bit", "8 bit"),
        ("h100-sxm-80gb", "fp8-feed-forward", "8 bit", "16 bit"),
        ("h100-sxm-80gb", "awq-int4", "weight only", "weight only"),
        ("h100-sxm-80gb", "nvfp4", "weight only", "weight only"),
        ("a100-sxm-80gb", "int8", "8 bit", "8 bit"),
        ("a100-sxm-80gb", "fp8", "weight only", "weight only"),
        ("l40s-48gb", "fp8", "8 bit", "8 bit"),
        ("b200-sxm-180gb", "nvfp4", "4 bit", "4 bit"),
        ("b200-sxm-180gb", "mxfp4", "4 bit", "16 bit"),
        ("mi300x-192gb", "fp8", "8 bit", "8 bit"),
        ("t4-16gb", "fp16", "16 bit", "16 bit"),
    ],
)
def test_formats_compute_as_the_engines_document(catalogue, gpu, precision, wide, attention):
    """vLLM's table of hardware: W8A8 FP8 from Ada and Hopper on, INT8 on Ampere, FP8 weights only
    (Marlin) before, FP4 natively on Blackwell alone."""
    found = compute_class(catalogue.accelerator(gpu), catalogue.weight_precision(precision))
    assert tuple(COMPUTE_CLASSES[one] for one in found[:2]) == (wide, attention)
    assert not found[2], "a kernel is known"


def test_an_unknown_kernel_is_marked(catalogue):
    found = compute_class(catalogue.accelerator("v100-32gb"), catalogue.weight_precision("nvfp4"))
    assert found == (3, 3, True)


def test_a_blank_16_bit_peak_is_filled_and_marked(catalogue):
    gpus = list(catalogue.accelerators.values())
    speed = gpu_speed(gpus)
    blank = np.array(
        [not any(np.isfinite(g.dense_flops.get(k, np.nan)) for k in ("bf16", "fp16")) for g in gpus]
    )
    assert blank.any(), "the rule has a case"
    assert np.array_equal(speed.assumed > 0, blank)


# --- Layouts -----------------------------------------------------------------------------------


def layout_of(*columns, mixture=1.0, domain=8):
    found = read_layout(*columns, mixture=mixture, domain_gpus=domain)
    names = ("tensor_parallel", "attention_parallel", "pipeline_parallel", "replicas")
    return tuple(float(getattr(found, name)) for name in names)


@pytest.mark.parametrize(
    ("columns", "mixture", "expected"),
    [
        # GPUs, tensor, pipeline, expert, data parallel -> ranks, attention, stages, replicas
        ((1, 1, 1, NAN, NAN), 0, (1, 1, 1, 1)),
        ((8, 2, 1, NAN, NAN), 0, (2, 2, 1, 4)),
        ((16, 8, 2, NAN, NAN), 0, (8, 8, 2, 1)),
        ((8, NAN, NAN, NAN, NAN), 0, (8, 8, 1, 1)),
        ((8, 4, 1, NAN, 2), 0, (4, 4, 1, 2)),
        ((8, 1, 1, 8, 8), 1, (8, 1, 1, 1)),
        ((8, 8, 1, NAN, 8), 1, (8, 1, 1, 1)),
        ((8, 2, 1, NAN, 4), 1, (8, 2, 1, 1)),
        ((64, 64, 1, 8, 1), 1, (8, 8, 1, 1)),
        ((64, 1, 1, 8, 64), 1, (8, 1, 1, 1)),
    ],
)
def test_columns_are_read_by_rule(columns, mixture, expected):
    assert layout_of(*columns, mixture=mixture) == expected


def published_twice(catalogue):
    """Measurements whose numbers one source states, to the digit, under unlike layout columns."""
    path = catalogue.folder / "calibration" / "serving.csv"
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    same = ("model", "gpu", "weight_precision", "isl", "osl", "concurrency", "engine", "source")
    found = defaultdict(list)
    for row in rows:
        if row["obs_tpot_s"] and row["obs_ttft_s"] and "InferenceX" in row["source"]:
            key = tuple(row[name] for name in (*same, "obs_ttft_s", "obs_tpot_s"))
            found[key].append(row)
    layouts = ("gpu_count", "tensor_parallel", "expert_parallel", "data_parallel")
    return [
        group
        for group in found.values()
        if len({tuple(row[name] for name in layouts) for row in group}) > 1
    ]


def test_one_measurement_in_two_notations_is_one_layout(catalogue):
    """Where one of them exceeds what shares a link; below that nothing tells them apart."""
    read_alike = 0
    for group in published_twice(catalogue):
        gpu = catalogue.accelerator(group[0]["gpu"])
        if max(float(row["gpu_count"]) for row in group) <= gpu.nvlink_domain_gpus:
            continue
        mixture = family(catalogue.model(group[0]["model"])) > 0
        read = {
            layout_of(
                *(
                    float(row[name] or NAN)
                    for name in (
                        "gpu_count",
                        "tensor_parallel",
                        "pipeline_parallel",
                        "expert_parallel",
                        "data_parallel",
                    )
                ),
                mixture=float(mixture),
                domain=gpu.nvlink_domain_gpus,
            )
            for row in group
        }
        assert len(read) == 1, [row["id"] for row in group]
        read_alike += 1
    assert read_alike >= 10


# --- Speed: the arithmetic ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def mixed(reference) -> Cases:
    """Unlike cases: dense, mixture, latent; windows; stages; PCIe; a queue; an offline run."""
    return joined(
        one_case(reference),
        one_case(reference, LLAMA_70B, precision="fp8", layout=Layout.of(2), isl=8192, osl=1024),
        one_case(reference, "openai/gpt-oss-120b", precision="mxfp4", concurrency=64),
        one_case(
            reference, "deepseek-ai/DeepSeek-R1", "b200-sxm-180gb", "nvfp4", layout=Layout.of(8)
        ),
        one_case(reference, LLAMA_70B, "l40s-48gb", "fp8", layout=Layout.of(4, 2, gpus=16)),
        one_case(reference, concurrency=3000),
        one_case(reference, concurrency=np.inf),
    )


def test_many_cases_are_the_same_as_one_by_one(reference, mixed):
    together = predict_cases(mixed, reference)
    for at in range(len(mixed)):
        alone = predict_cases(mixed.rows([at]), reference)
        for field in fields(Prediction):
            np.testing.assert_allclose(
                getattr(alone, field.name)[0], getattr(together, field.name)[at], rtol=1e-12
            )


def test_scalars_pass_like_arrays(reference):
    case = one_case(reference)
    replica = reference.replica(case)
    keys = reference.unknown_keys
    grid = replica_speed(replica, reference.model, keys, np.array([1.0, 4.0, 64.0]), 1000.0, 200.0)
    for at, batch in enumerate((1, 4, 64)):
        alone = replica_speed(replica, reference.model, keys, batch, 1000, 200)
        assert float(alone.tpot_s[0]) == pytest.approx(float(grid.tpot_s[at]), rel=1e-12)
        assert float(alone.ttft_s[0]) == pytest.approx(float(grid.ttft_s[at]), rel=1e-12)


def test_parts_sum_to_their_totals(reference, mixed):
    replica = reference.replica(mixed)
    speed = replica_speed(
        replica, reference.model, reference.keys(mixed, replica, 0), 8.0, mixed.isl, mixed.osl
    )
    parts = [getattr(speed.step, f.name) for f in fields(speed.step)]
    assert all(np.all(part >= 0) for part in parts)
    np.testing.assert_allclose(sum(parts) + speed.interference_s, speed.tpot_s)
    assert tuple(name for name, _ in speed.first_token) == FIRST_TOKEN_GROUPS
    np.testing.assert_allclose(sum(part for _, part in speed.first_token), speed.ttft_s)


def test_dense_work_is_the_sparse_work(reference, mixed):
    replica = reference.replica(mixed)
    model = SpeedModel.of(reference.catalogue.efficiencies, reference.vocabulary)
    keys = reference.unknown_keys
    speed = replica_speed(replica, model, keys, 4.0, mixed.isl, mixed.osl)
    factors = model.step_corrections.factors(keys)
    scale = np.array([float(factors[term.group]) for term in TERMS]) * model.step_coefficients
    work = dense(decode_work(replica, 4.0, mixed.isl, mixed.osl))
    np.testing.assert_allclose(scale @ work, speed.step.total_s, rtol=1e-12)


def test_state_groups_that_no_row_has_change_nothing(catalogue, reference):
    models = list(catalogue.models.values())
    alone = take(stack(models), np.array([reference.models.index(LLAMA_8B)]))
    assert len(alone.groups) == 1 < len(stack(models).groups)
    assert float(alone.groups[0].layers[0]) == 32


def test_a_closed_loop_keeps_its_requests_in_flight(reference, mixed):
    """Little's law, queue included."""
    steady = mixed.rows(np.flatnonzero(np.isfinite(mixed.concurrency)))
    found = deployment_speed(steady, reference, reference.model)
    time = found.ttft_s + (steady.osl - 1) * found.tpot_s
    replicas = steady.layout.replicas
    busy = np.maximum(steady.concurrency, replicas)
    held = found.output_tokens_per_s / steady.osl * time
    full = steady.concurrency >= replicas
    np.testing.assert_allclose(held[full], busy[full], rtol=1e-9)


def test_more_in_flight_is_slower_each_and_faster_in_all(reference):
    cases = joined(*(one_case(reference, concurrency=n) for n in (1, 2, 4, 8, 16, 32, 64, 128)))
    found = predict_cases(cases, reference)
    assert np.all(np.diff(found.tpot_s) > 0) and np.all(np.diff(found.ttft_s) > 0)
    assert np.all(np.diff(found.output_tokens_per_s) > 0)


def test_a_prefix_cache_shortens_the_prompt_alone(reference):
    case = one_case(reference)
    arguments = (reference.replica(case), reference.model, reference.unknown_keys, 8, 4000, 200)
    cold, half = (replica_speed(*arguments, cached_fraction=hit) for hit in (0.0, 0.5))
    assert half.prefill_s[0] < cold.prefill_s[0] and half.ttft_s[0] < cold.ttft_s[0]
    assert half.step.total_s[0] == cold.step.total_s[0]


def test_what_does_not_fit_has_no_speed(reference):
    found = predict_cases(one_case(reference, LLAMA_70B), reference)
    assert found.slots[0] < 1
    assert np.isnan([found.ttft_s[0], found.tpot_s[0], found.output_tokens_per_s[0]]).all()


def test_a_missing_coefficient_is_named(reference):
    found = reference.catalogue.efficiencies
    first = {k: v for k, v in found.coefficients["ttft"].items() if k != "burst"}
    broken = replace(found, coefficients={"tpot": found.coefficients["tpot"], "ttft": first})
    with pytest.raises(MissingData, match="ttft coefficient for burst"):
        SpeedModel.of(broken, reference.vocabulary)


def test_ranks_between_powers_of_two_take_the_nearest():
    assert rank_index(np.array([1, 2, 3, 6, 8, 500])).tolist() == [0, 1, 2, 3, 3, 7]


# --- Corrections -------------------------------------------------------------------------------


def test_what_is_unknown_meets_no_correction(reference):
    unknown = reference.unknown_keys
    nothing = type(unknown)(**{f.name: np.asarray(-1) for f in fields(unknown)})
    for corrections, groups in (
        (reference.model.step_corrections, GROUPS),
        (reference.model.first_corrections, FIRST_TOKEN_GROUPS),
    ):
        assert {g: float(f) for g, f in corrections.factors(nothing).items()} == dict.fromkeys(
            groups, 1.0
        )


def test_corrections_multiply_as_the_table_says(reference):
    """The factor of one case, added up by hand from the rows of ``corrections.csv``."""
    case = one_case(reference, LLAMA_70B, precision="fp8", layout=Layout.of(2))
    keys = reference.keys(case, reference.replica(case), 0)
    names = {
        "engine": "vllm",
        "family": "dense",
        "format": "8 bit",
        "gpu": "h100-sxm-80gb",
        "model": LLAMA_70B,
        "ranks": "2",
        "run": "steady",
    }
    total = 0.0
    for one in reference.catalogue.efficiencies.corrections:
        key = "|".join(names[part] for part in LEVELS[one.stage][one.level].key)
        if one.stage == "tpot" and one.group in ("link", "all") and one.key == key:
            total += one.log_factor
    assert total != 0
    found = reference.model.step_corrections.factors(keys)["link"]
    assert float(found[0]) == pytest.approx(np.exp(total))


# --- Ranges and basis --------------------------------------------------------------------------


def test_ranges_widen_when_a_model_or_a_gpu_is_new(reference):
    factors = reference.range_factors
    assert factors.shape == (len(QUANTITIES), len(NOVELTIES), len(FAMILIES), 2)
    assert np.all(factors[..., 0] < 1) and np.all(factors[..., 1] > 1)
    width = np.log(factors[..., 1] / factors[..., 0])
    known = KINDS.index("configuration")
    both = NOVELTIES.index("model and gpu")
    for new in ("model", "gpu"):
        assert np.all(width[:, KINDS.index(new)] > width[:, known])
        assert np.all(width[:, both] > width[:, KINDS.index(new)])


@pytest.mark.parametrize(
    ("gpu", "basis"),
    [("h100-sxm-80gb", Basis.INTERPOLATED), ("h100-nvl-94gb", Basis.DERIVED)],
)
def test_the_basis_says_whether_the_gpu_was_measured(reference, gpu, basis):
    found = predict_cases(one_case(reference, gpu=gpu), reference)
    measured = (LLAMA_8B, gpu) in reference.catalogue.efficiencies.pairs
    assert measured == (basis is Basis.INTERPOLATED)
    assumed = bool(reference.memory_assumed[reference.gpus.index(gpu)])
    assert Basis(int(found.basis[0])) is (Basis.ASSUMED if assumed else basis)


def test_a_fact_filled_by_rule_makes_the_answer_assumed(reference):
    at = int(np.flatnonzero(reference.speed.assumed > 0)[0])
    found = predict_cases(one_case(reference, gpu=reference.gpus[at]), reference)
    assert Basis(int(found.basis[0])) is Basis.ASSUMED


# --- Published measurements --------------------------------------------------------------------


def llama_70b_on_two(reference, concurrency):
    """FP8 on two H100 with vLLM, 8,192 tokens in and 1,024 out: InferenceX, 29 October 2025,
    in aiconfigurator's ``silicon_sample.csv``."""
    case = one_case(
        reference,
        LLAMA_70B,
        precision="fp8",
        isl=8192,
        osl=1024,
        concurrency=concurrency,
        layout=Layout.of(2),
    )
    return predict_cases(case, reference)


def test_64_requests_on_room_for_two_dozen_queue_for_a_minute(reference):
    """Measured: a time to the first token of 59 s, where a batch alone would take one to three."""
    found = llama_70b_on_two(reference, 64)
    assert found.slots[0] < 64
    assert 20 < found.ttft_s[0] < 120
    assert found.queue_s[0] > 0.5 * found.ttft_s[0]


def test_16_requests_fit_and_are_within_the_range(reference):
    """Measured: 1.284 s to the first token, 34.6 ms per token."""
    found = llama_70b_on_two(reference, 16)
    assert found.queue_s[0] == 0
    assert found.ttft_low_s[0] < 1.284 < found.ttft_high_s[0]
    assert found.tpot_low_s[0] < 0.0346 < found.tpot_high_s[0]
