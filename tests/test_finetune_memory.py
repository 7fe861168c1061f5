"""Memory of fine-tuning: published peaks, formulas of papers, and what must always hold."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from planner.calibration import finetune_case, finetune_model, finetune_tables, read_finetune
from planner.calibration.csv_files import read_table
from planner.catalogue import load_catalogue
from planner.errors import InvalidScenario, MissingData
from planner.training import (
    activation_bytes,
    adapter_parameters,
    checkpoint_bytes,
    framework_method,
    trained_parameters,
    training_gpus,
    training_memory,
    training_method,
)
from planner.units import GB

CATALOGUE = load_catalogue()
FACTS = CATALOGUE.training_memory
LLAMA2 = CATALOGUE.model("llama-2-7b")
LLAMA3 = CATALOGUE.model("llama-3.1-8b")
PARTS = (
    "weights_bytes",
    "gradients_bytes",
    "optimizer_bytes",
    "adapters_bytes",
    "activations_bytes",
    "logits_bytes",
    "gathered_bytes",
    "overhead_bytes",
    "runtime_bytes",
)


def exact(method):
    """The same method without what calibration added."""
    return replace(method, activation_factor=1.0, overhead_fraction=0.0)


def small(model, method, **more):
    """One short sequence, so that states are what fills the memory."""
    return training_memory(model, method, sequence_tokens=1, micro_batch=1, **more)


# --- Published peaks -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def peaks():
    """Measured peaks, and predictions in fit and with the row's source left out."""
    rows = read_table(CATALOGUE.folder / "calibration" / "finetune_memory_rows.csv")
    kept = [r for r in rows if r["basis"] == "measured" and r["measured_bytes"]]
    names = ("measured_bytes", "predicted_bytes", "left_out_bytes")
    return tuple(np.array([float(r[name]) for r in kept]) for name in names)


@pytest.mark.parametrize("column", [1, 2], ids=["in fit", "source left out"])
def test_the_median_error_of_published_peaks_is_under_12_percent(peaks, column):
    measured = peaks[0]
    assert len(measured) == 33
    assert np.median(np.abs(peaks[column] / measured - 1)) < 0.12


def test_the_range_holds_73_to_87_percent_of_published_peaks(peaks):
    measured, predicted, left_out = peaks
    for one in (predicted, left_out):
        held = (measured >= one * FACTS.low_factor) & (measured <= one * FACTS.high_factor)
        assert 0.73 <= held.mean() <= 0.87


def test_scores_say_what_was_left_out():
    by_kind = {one.left_out: one for one in FACTS.scores}
    assert set(by_kind) == {"nothing", "source", "model", "settings"}
    assert by_kind["source"].median < 0.12
    assert by_kind["model"].median < 0.12
    assert 0.73 <= by_kind["source"].coverage <= 0.87
    # Without the trainer's settings a prediction is worth much less, and says so.
    assert by_kind["settings"].median > 2 * by_kind["source"].median
    assert FACTS.low_factor_unstated < FACTS.low_factor_unmeasured < FACTS.low_factor
    assert FACTS.high_factor_unstated > FACTS.high_factor_unmeasured > FACTS.high_factor


@pytest.mark.parametrize("identity", ["ft030", "ft033"])
def test_runs_that_were_out_of_memory_need_more_than_80_gb(identity):
    measured = read_finetune(CATALOGUE)
    (row,) = (one for one in measured.rows if one["id"] == identity)
    assert not row["peak_memory"]
    case = finetune_case(row, CATALOGUE, FACTS)
    assert case.memory().allocated_bytes * FACTS.low_factor > 80 * GB


def test_calibration_writes_the_same_tables_again():
    tables = finetune_tables(CATALOGUE)
    for name, table in (("fit", tables.terms), ("rows", tables.rows)):
        path = CATALOGUE.folder / "calibration" / f"finetune_memory_{name}.csv"
        with path.open(newline="", encoding="utf-8") as file:
            assert [tuple(line) for line in csv.reader(file)][1:] == table


def test_guidance_is_neither_fitted_nor_scored():
    measured = read_finetune(CATALOGUE)
    guidance = [one["basis"] != "measured" for one in measured.rows]
    assert sum(guidance) == 26
    assert not measured.scored[guidance].any()


# --- Papers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("optimizer", "weights", "each"),
    [("adamw-mixed", "bf16", 16), ("adamw-bf16", "bf16", 8), ("adamw-fp32", "fp32", 16)],
)
def test_a_full_fine_tune_holds_its_states(optimizer, weights, each):
    """ZeRO, section 3.1: 2 + 2 + 12 bytes per parameter in mixed precision."""
    method = exact(training_method(FACTS, "full", optimizer=optimizer, weights=weights))
    method = replace(method, accumulates=1.0)
    memory = small(LLAMA3, method)
    states = memory.weights_bytes + memory.gradients_bytes + memory.optimizer_bytes
    assert float(states) == each * LLAMA3.total_parameters


@pytest.mark.parametrize(("stage", "gigabytes"), [(0, 120.0), (1, 31.4), (2, 16.6), (3, 1.88)])
def test_zero_divides_the_states_as_published(stage, gigabytes):
    """ZeRO, figure 1: 7.5 billion parameters on 64 GPUs."""
    model = finetune_model("of 7.5B", CATALOGUE)
    method = replace(exact(training_method(FACTS, "full")), accumulates=1.0)
    memory = small(model, method, gpus=64, zero_stage=stage)
    states = memory.weights_bytes + memory.gradients_bytes + memory.optimizer_bytes
    assert float(states) / GB == pytest.approx(gigabytes, rel=0.005)


def test_activations_of_gpt_are_korthikantis_without_dropout_masks():
    """Equation 1: s b h (34 + 5 a s / h) a layer, of which two bytes are masks of dropout and
    one byte of the five is a mask too; GPT-3 175B is the paper's example."""
    d, layers, heads, s = 12288, 96, 96, 2048
    gpt = replace(
        LLAMA2,
        layers=layers,
        hidden_size=d,
        attention_heads=heads,
        attention_parameters=layers * 2 * d * d,
        kv_projection_parameters=layers * 2 * d * d,
        mlp_parameters=layers * 8 * d * d,
        feed_forward_size=4 * d,
    )
    method = training_method(FACTS, "full", checkpointing=0, compiled=True, flash_attention=False)
    expected = layers * s * (32 * d + 5 * heads * s)
    assert float(activation_bytes(gpt, exact(method), s)) == pytest.approx(expected)
    flash = training_method(FACTS, "full", checkpointing=0, compiled=True)
    assert float(activation_bytes(gpt, exact(flash), s)) == pytest.approx(layers * s * 32 * d)
    # Section 5: full recomputation keeps 2 s b h a layer.
    kept = training_method(FACTS, "full", checkpointing=1)
    assert float(activation_bytes(gpt, kept, s)) == 2 * s * d * layers


def test_qlora_keeps_0_516_bytes_per_linear_weight():
    """QLoRA, section 3: 4 bits and 0.127 bits of constants, embeddings in 16 bits."""
    memory = small(LLAMA2, training_method(FACTS, "qlora"))
    linear, rest = LLAMA2.quantised_parameters, 2 * 131072000 + 266240
    assert float(memory.weights_bytes) == pytest.approx(linear * 4.127 / 8 + 2 * rest, rel=1e-4)


@pytest.mark.parametrize(
    ("rank", "targets", "published"),
    [
        (8, ("q", "v"), 4_194_304),
        (64, ("q", "k", "v", "o", "mlp"), 159_907_840),
        (16, ("q", "k", "v", "o", "mlp"), 39_976_960),
    ],
)
def test_adapters_of_llama_2_7b_have_the_parameters_that_peft_prints(rank, targets, published):
    assert float(adapter_parameters(LLAMA2, rank, targets)) == published


def test_adapters_of_grouped_queries_and_experts_follow_their_widths():
    """By hand: Llama 3.1 8B has keys of 1,024; Mixtral's 8 experts have three matrices each."""
    assert float(adapter_parameters(LLAMA3, 8, ("q", "v"))) == 32 * 8 * (8192 + 5120)
    mixtral = CATALOGUE.model("mistralai/Mixtral-8x7B-v0.1")
    by_hand = 32 * 8 * (8192 + 8 * 3 * (4096 + 14336))
    assert float(adapter_parameters(mixtral, 8, ("q", "mlp"))) == by_hand


def test_the_checkpoint_of_t0_3b_is_the_published_19_mb():
    """PEFT's README: 19 MB for an adapter of rank 8, beside 11 GB of weights in FP32."""
    t0 = replace(finetune_model("bigscience/T0_3B", CATALOGUE), layers=72)  # 24 + 24 + 24 cross
    lora = framework_method(FACTS, FACTS.frameworks["peft-2023"], "lora")
    assert float(checkpoint_bytes(t0, lora, 8)) / 1e6 == pytest.approx(19, abs=0.5)
    full = framework_method(FACTS, FACTS.frameworks["peft-2023"], "full")
    assert float(checkpoint_bytes(t0, full)) / 1e9 == pytest.approx(11.4, abs=0.1)


@pytest.mark.parametrize(
    ("name", "published"), [("bloomz-7b1", 7_069_016_064), ("T0_3B", 2.85e9), ("mt0-xxl", 12.9e9)]
)
def test_the_reviewed_models_have_their_published_parameters(name, published):
    assert finetune_model(name, CATALOGUE).total_parameters == pytest.approx(published, rel=2e-3)


# --- What must always hold -----------------------------------------------------------------------

METHODS = {kind: training_method(FACTS, kind) for kind in ("full", "lora", "qlora")}


@pytest.mark.parametrize("kind", METHODS)
@pytest.mark.parametrize("gpus", [1, 8])
@pytest.mark.parametrize("stage", [0, 2, 3])
def test_parts_sum_to_the_total_and_are_not_negative(kind, gpus, stage):
    memory = training_memory(
        LLAMA3, METHODS[kind], sequence_tokens=4096, micro_batch=2, gpus=gpus, zero_stage=stage
    )
    parts = [float(np.asarray(getattr(memory, part))) for part in PARTS]
    assert min(parts) >= 0
    assert float(memory.total_bytes) == pytest.approx(sum(parts))
    assert float(memory.low_bytes) < float(memory.total_bytes) < float(memory.high_bytes)


@pytest.mark.parametrize("kind", METHODS)
@pytest.mark.parametrize("checkpointing", [0, 1])
def test_longer_sequences_and_larger_batches_need_more(kind, checkpointing):
    method = replace(METHODS[kind], checkpointing=checkpointing)
    length = np.array([512, 2048, 8192, 32768])
    total = training_memory(LLAMA3, method, sequence_tokens=length).total_bytes
    assert (np.diff(total) >= -1.0).all() and total[-1] > total[0]  # To the byte.
    batch = training_memory(LLAMA3, method, sequence_tokens=2048, micro_batch=np.arange(1, 9))
    assert (np.diff(batch.total_bytes) >= -1.0).all()


@pytest.mark.parametrize("kind", METHODS)
def test_more_sharding_never_needs_more(kind):
    gpus = np.array([2, 4, 8, 16, 64])
    total = training_memory(LLAMA3, METHODS[kind], sequence_tokens=2048, gpus=gpus).total_bytes
    assert (np.diff(total) <= 0).all()


def test_lighter_methods_need_less():
    totals = [
        float(training_memory(LLAMA3, METHODS[one], sequence_tokens=2048).total_bytes)
        for one in ("full", "lora", "qlora")
    ]
    assert totals == sorted(totals, reverse=True)
    kept = replace(METHODS["lora"], checkpointing=0)
    asked = {"sequence_tokens": 4096, "micro_batch": 4}
    recomputed = training_memory(LLAMA3, METHODS["lora"], **asked)
    assert recomputed.total_bytes < training_memory(LLAMA3, kept, **asked).total_bytes


def test_adapters_train_only_themselves():
    lora = training_method(FACTS, "lora", targets=("q", "v"))
    assert float(trained_parameters(LLAMA2, lora, 8)) == 4_194_304
    assert float(small(LLAMA2, lora, rank=8).optimizer_bytes) == 8 * 4_194_304


def test_the_fewest_gpus_hold_it_and_half_of_them_do_not():
    usable = np.array([24e9, 80e9, 141e9, 192e9])
    asked = {"sequence_tokens": 4096, "micro_batch": 1}
    model, full = CATALOGUE.model("llama-3.1-70b"), METHODS["full"]
    fit = training_gpus(model, full, usable, **asked)
    assert np.isfinite(fit.gpus).all() and (np.diff(fit.gpus) <= 0).all()
    held = training_memory(model, full, gpus=fit.gpus, **asked).total_bytes
    half = training_memory(model, full, gpus=fit.gpus / 2, **asked).total_bytes
    assert (held <= usable).all() and (half > usable).all()
    assert (fit.gpus_low <= fit.gpus).all() and (fit.gpus <= fit.gpus_high).all()
    assert fit.memory.total_bytes == pytest.approx(held)
    # Sixteen bytes for each of 70.6 billion parameters are more than eight GPUs of 80 GB hold.
    assert fit.gpus[1] > 8


def test_no_number_of_gpus_holds_what_is_not_sharded():
    fit = training_gpus(LLAMA3, METHODS["full"], 80e9, sequence_tokens=2048, zero_stage=0)
    assert np.isinf(fit.gpus)


def test_a_host_at_a_time():
    model = CATALOGUE.model("llama-3.1-70b")
    hosts = training_gpus(model, METHODS["full"], 80e9, sequence_tokens=2048, counts=(8, 16, 24))
    assert float(hosts.gpus) in (16.0, 24.0)


def test_methods_broadcast():
    checkpointing, batch = np.array([[0.0], [1.0]]), np.array([1, 2, 4])
    method = replace(METHODS["lora"], checkpointing=checkpointing)
    total = training_memory(LLAMA3, method, sequence_tokens=2048, micro_batch=batch).total_bytes
    assert total.shape == (2, 3)
    for i, one in enumerate((0.0, 1.0)):
        alone = replace(method, checkpointing=one)
        row = training_memory(LLAMA3, alone, sequence_tokens=2048, micro_batch=batch).total_bytes
        assert total[i] == pytest.approx(row)


# --- Bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "prefix"}, "method"),
        ({"optimizer": "adam"}, "optimizer"),
        ({"loss": "hinge"}, "loss"),
        ({"weights": "int2"}, "weights"),
        ({"targets": ("q", "x")}, "targets"),
        ({"known": "surely"}, "known"),
    ],
)
def test_unknown_words_are_refused(change, field):
    with pytest.raises(InvalidScenario) as error:
        training_method(FACTS, **{"kind": "lora", **change})
    assert error.value.field == field


@pytest.mark.parametrize("name", ["sequence_tokens", "micro_batch", "gpus"])
def test_less_than_one_is_refused(name):
    with pytest.raises(InvalidScenario, match=name):
        training_memory(LLAMA3, METHODS["full"], **{"sequence_tokens": 2048, name: 0})


@pytest.mark.parametrize("counts", [(), (8, 4), (0, 1)])
def test_counts_must_rise(counts):
    with pytest.raises(InvalidScenario, match="counts"):
        training_gpus(LLAMA3, METHODS["full"], 80e9, sequence_tokens=2048, counts=counts)


def test_a_model_without_a_size_is_refused():
    with pytest.raises(MissingData, match="7B"):
        finetune_model("our model", CATALOGUE)


def test_rows_without_settings_are_read():
    """Other sources have only these columns, some of them blank."""
    row = {"framework": "LLaMA-Factory", "method": "QLoRA", "model": "Qwen3-8B", "seq_len": "4k"}
    case = finetune_case({**row, "n_gpus": "", "batch_size": ""}, CATALOGUE, FACTS)
    assert (case.method.kind, case.sequence_tokens, case.micro_batch) == ("qlora", 4096, 1)
    text = "LoRA, ZeRO-2, no gradient checkpointing, Liger"
    case = finetune_case({"framework": "TRL", "method": text, "model": "8B"}, CATALOGUE, FACTS)
    assert (case.zero_stage, case.method.checkpointing, case.method.logit_bytes) == (2, 0, 0.5)
