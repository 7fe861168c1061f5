"""Properties of the memory model, for any numbers: monotone, scale, limits, sums, broadcasting.

Examples are drawn by Hypothesis from a fixed seed, so that a run tells the same everywhere.
"""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import planner.memory
from planner.catalogue import Architecture, StateGroup, generic_architecture, load_catalogue, stack
from planner.memory import (
    Device,
    Layouts,
    ReplicaMemory,
    SmallestFit,
    WeightBytes,
    WeightFormat,
    activation_bytes,
    constant_state_bytes,
    device,
    engine_limits,
    entry_bytes,
    heads_per_rank,
    kv_head_share,
    replica_memory,
    reserved_sequence_bytes,
    runtime_reserve_bytes,
    sequence_bytes,
    smallest_fit,
    token_bytes,
    weight_bytes,
    weight_bytes_per_gpu,
    weight_format,
)
from planner.memory.fit import PIPELINE_PARALLEL, TENSOR_PARALLEL
from planner.units import GIB

properties = settings(derandomize=True, deadline=None, database=None, max_examples=100)
few = settings(properties, max_examples=20)

CATALOGUE = load_catalogue()
MODELS = tuple(CATALOGUE.models.values())
ENGINES = tuple(CATALOGUE.engines.values())
PRECISIONS = tuple(p for p in CATALOGUE.precisions.values() if p.use != "kv")
GPUS = tuple(g for g in CATALOGUE.accelerators.values() if math.isfinite(g.memory_usable_bytes))
ROUNDING = 1e-12
"""Sums in another order differ in the last bits."""

RANKS = st.sampled_from(TENSOR_PARALLEL)
STAGES = st.sampled_from(PIPELINE_PARALLEL)
BITS = st.sampled_from((4.5, 8.0, 16.0, 32.0))
CONTEXT = st.integers(1, 2_000_000)
IN_FLIGHT = st.integers(1, 65_536)


# --- What is drawn -----------------------------------------------------------------------------


@st.composite
def groups(draw: st.DrawFn) -> StateGroup:
    """A group of layers of any kind that a model has."""
    kind = draw(st.sampled_from(("full", "sliding", "latent", "sparse latent", "compressed", "r")))
    layers = float(draw(st.integers(1, 130)))
    heads = {
        "kv_heads": float(draw(st.sampled_from((1, 2, 4, 5, 8, 10, 16, 32, 71)))),
        "head_elements": float(draw(st.sampled_from((128, 192, 256, 512)))),
    }
    if kind == "sliding":
        return StateGroup(kind, layers, **heads, window_tokens=float(draw(st.integers(64, 16384))))
    if kind == "compressed":
        return StateGroup(kind, layers, **heads, tokens_per_entry=float(draw(st.integers(2, 128))))
    if kind == "r":
        return StateGroup("recurrent", layers, state_bytes=float(draw(st.integers(1, 10**7))))
    if kind.endswith("latent"):
        index = 132.0 if kind == "sparse latent" else 0.0
        return StateGroup(
            kind, layers, latent_elements=512.0, rope_elements=64.0, index_bytes=index
        )
    return StateGroup(kind, layers, **heads)


@st.composite
def generated(draw: st.DrawFn) -> Architecture:
    """A decoder that nobody has built, with one to three kinds of layers."""
    kinds = tuple(draw(st.lists(groups(), min_size=1, max_size=3)))
    count = st.integers(0, 10**12).map(float)
    experts = draw(st.sampled_from((0.0, 8.0, 128.0)))
    return replace(
        MODELS[0],
        id="generated",
        kind="generative",
        layers=sum(group.layers for group in kinds),
        hidden_size=float(draw(st.integers(8, 200)) * 128),
        vocabulary=float(draw(st.integers(1_000, 300_000))),
        attention_parameters=draw(count),
        kv_projection_parameters=draw(count),
        replicated_parameters=draw(count),
        mlp_parameters=draw(count),
        expert_parameters=draw(count) if experts else 0.0,
        router_parameters=draw(count),
        norm_parameters=draw(count),
        embedding_parameters=draw(count) + 1,
        lm_head_parameters=draw(count),
        vision_parameters=draw(count),
        experts=experts,
        experts_per_token=min(experts, 4.0),
        moe_intermediate_size=float(draw(st.integers(64, 8192))) if experts else 0.0,
        feed_forward_size=float(draw(st.integers(128, 65_536))),
        groups=kinds,
        multimodal=draw(st.booleans()),
    )


MODEL = st.one_of(
    st.sampled_from(MODELS),
    generated(),
    st.floats(0.1e9, 1000e9).map(lambda size: generic_architecture(size, MODELS)),
)
STATEFUL = MODEL.filter(lambda model: bool(model.groups))


def _rises(values: list[Any]) -> bool:
    """Whether no value is below the one before, but for rounding."""
    numbers = np.array([float(value) for value in values])
    before, after = numbers[:-1], numbers[1:]
    return bool(np.all((after >= before) | np.isclose(after, before, rtol=ROUNDING, atol=0)))


def _falls(values: list[Any]) -> bool:
    return _rises([-float(value) for value in values])


def _with_groups(model: Architecture, **changes: Any) -> Architecture:
    return replace(model, groups=tuple(replace(group, **changes) for group in model.groups))


def _same(one: Any, other: Any) -> bool:
    """Equal to the last bit."""
    return np.array_equal(np.asarray(one, float), np.asarray(other, float), equal_nan=True)


def test_every_public_name_is_tried_here() -> None:
    assert set(planner.memory.__all__) <= set(globals())


# --- KV heads ----------------------------------------------------------------------------------


@properties
@given(st.integers(1, 256), RANKS)
def test_heads_per_rank_cover_the_heads(heads: int, ranks: int) -> None:
    held = float(heads_per_rank(heads, ranks))
    assert held * ranks >= heads and held >= 1 and held == int(held)
    assert held < heads / ranks + 1
    assert float(heads_per_rank(heads, 1)) == heads


@properties
@given(st.floats(0.1, 200), RANKS)
def test_heads_of_an_interpolated_model_divide_evenly(heads: float, ranks: int) -> None:
    held = float(heads_per_rank(heads, ranks))
    assert float(heads_per_rank(heads, 1)) == heads
    assert held * ranks >= heads * (1 - ROUNDING) and held >= min(heads, 1.0)


@properties
@given(MODEL)
def test_kv_head_share_falls_from_one_to_one_head(model: Architecture) -> None:
    shares = [float(kv_head_share(model, n)) for n in TENSOR_PARALLEL]
    assert shares[0] == pytest.approx(1.0, rel=ROUNDING) and _falls(shares)
    assert all(share * n >= 1 - ROUNDING for share, n in zip(shares, TENSOR_PARALLEL, strict=True))


# --- State -------------------------------------------------------------------------------------


@properties
@given(groups(), RANKS)
def test_entry_bytes_rise_with_bits_and_fall_with_ranks(group: StateGroup, ranks: int) -> None:
    assert _rises([entry_bytes(group, bits, ranks) for bits in (4.0, 4.5, 8.0, 16.0, 32.0)])
    assert _falls([entry_bytes(group, 16, n) for n in TENSOR_PARALLEL])


@properties
@given(STATEFUL, BITS)
def test_token_bytes_among_ranks(model: Architecture, bits: float) -> None:
    """Falls or stays, but no rank holds less than its share of the whole."""
    each = [float(token_bytes(model, bits, n)) for n in TENSOR_PARALLEL]
    assert _falls(each)
    for n, held in zip(TENSOR_PARALLEL, each, strict=True):
        assert held >= each[0] / n * (1 - ROUNDING)


@pytest.mark.parametrize("model", [m for m in MODELS if all("latent" in g.kind for g in m.groups)])
def test_latent_cache_does_not_divide(model: Architecture) -> None:
    assert len({float(token_bytes(model, 16, n)) for n in TENSOR_PARALLEL}) == 1


@properties
@given(STATEFUL, st.sampled_from((4.5, 8.0)), RANKS, STAGES, CONTEXT)
def test_cache_rises_with_bits(
    model: Architecture, bits: float, ranks: int, stages: int, context: int
) -> None:
    place = (ranks, stages)
    assert token_bytes(model, bits, *place) <= token_bytes(model, 16, *place)
    for function in (sequence_bytes, reserved_sequence_bytes):
        assert function(model, bits, context, *place) <= function(model, 16, context, *place)


@properties
@given(STATEFUL, BITS, RANKS, STAGES, st.lists(CONTEXT, min_size=2, max_size=6), IN_FLIGHT)
def test_cache_rises_with_context(
    model: Architecture, bits: float, ranks: int, stages: int, contexts: list[int], flight: int
) -> None:
    place = (ranks, stages)
    contexts = sorted(contexts)
    assert _rises([sequence_bytes(model, bits, c, *place) for c in contexts])
    for in_flight in (flight, math.inf):
        reserved = [
            reserved_sequence_bytes(model, bits, c, *place, in_flight_tokens=in_flight)
            for c in contexts
        ]
        assert _rises(reserved)


@properties
@given(STATEFUL, BITS, CONTEXT)
def test_cache_falls_with_ranks_and_stages(model: Architecture, bits: float, context: int) -> None:
    for function in (sequence_bytes, reserved_sequence_bytes):
        for p in PIPELINE_PARALLEL:
            assert _falls([function(model, bits, context, n, p) for n in TENSOR_PARALLEL])
        for n in TENSOR_PARALLEL:
            assert _falls([function(model, bits, context, n, p) for p in PIPELINE_PARALLEL])


@properties
@given(STATEFUL, BITS, RANKS, STAGES, CONTEXT, IN_FLIGHT, st.sampled_from((1.0, 16.0, 128.0)))
def test_reserved_is_never_less_than_the_mathematics(
    model: Architecture,
    bits: float,
    ranks: int,
    stages: int,
    context: int,
    in_flight: int,
    block: float,
) -> None:
    needed = float(sequence_bytes(model, bits, context, ranks, stages))
    for flight in (float(in_flight), math.inf):
        reserved = reserved_sequence_bytes(model, bits, context, ranks, stages, block, flight)
        assert float(reserved) >= needed * (1 - ROUNDING)


@properties
@given(STATEFUL, BITS, CONTEXT, st.lists(IN_FLIGHT, min_size=2, max_size=5))
def test_reserved_rises_with_tokens_in_flight(
    model: Architecture, bits: float, context: int, flights: list[int]
) -> None:
    reserved = [
        reserved_sequence_bytes(model, bits, context, in_flight_tokens=flight)
        for flight in sorted(flights)
    ]
    assert _rises(reserved)


@properties
@given(st.sampled_from(MODELS), BITS, RANKS, st.integers(1, 10_000))
def test_reserved_is_exact_in_whole_blocks_of_one_kind(
    model: Architecture, bits: float, ranks: int, blocks: int
) -> None:
    """Nothing to round and nothing to pad: the engine reserves what the mathematics needs."""
    if len(model.groups) == 1 and math.isinf(model.groups[0].window_tokens):
        context = 16 * blocks
        assert reserved_sequence_bytes(model, bits, context, ranks) == sequence_bytes(
            model, bits, context, ranks
        )


@properties
@given(STATEFUL, BITS, RANKS, CONTEXT)
def test_twice_the_layers_are_twice_the_cache(
    model: Architecture, bits: float, ranks: int, context: int
) -> None:
    double = replace(
        model,
        layers=2 * model.layers,
        groups=tuple(replace(group, layers=2 * group.layers) for group in model.groups),
    )
    for function in (sequence_bytes, reserved_sequence_bytes):
        assert float(function(double, bits, context, ranks)) == pytest.approx(
            2 * float(function(model, bits, context, ranks)), rel=ROUNDING
        )
    assert float(token_bytes(double, bits, ranks)) == pytest.approx(
        2 * float(token_bytes(model, bits, ranks)), rel=ROUNDING
    )
    assert float(constant_state_bytes(double, ranks)) == pytest.approx(
        2 * float(constant_state_bytes(model, ranks)), rel=ROUNDING
    )


@properties
@given(STATEFUL, BITS, RANKS, STAGES, CONTEXT)
def test_a_window_beyond_the_context_is_no_window(
    model: Architecture, bits: float, ranks: int, stages: int, context: int
) -> None:
    wide = _with_groups(model, window_tokens=float(context))
    endless = _with_groups(model, window_tokens=math.inf)
    assert sequence_bytes(wide, bits, context, ranks, stages) == sequence_bytes(
        endless, bits, context, ranks, stages
    )


@properties
@given(STATEFUL, BITS, RANKS, STAGES)
def test_first_tokens_are_linear(model: Architecture, bits: float, n: int, p: int) -> None:
    """Inside every window, a conversation is its state and a fixed sum for each token."""
    context = min(64.0, *(group.window_tokens for group in model.groups))
    expected = constant_state_bytes(model, n, p) + context * token_bytes(model, bits, n, p)
    found = sequence_bytes(model, bits, context, n, p)
    assert float(found) == pytest.approx(float(expected), rel=ROUNDING)


@properties
@given(STATEFUL, BITS, RANKS, STAGES, CONTEXT)
def test_layers_and_ranks_sum_to_at_least_the_whole(
    model: Architecture, bits: float, ranks: int, stages: int, context: int
) -> None:
    whole = float(sequence_bytes(model, bits, context))
    each = float(sequence_bytes(model, bits, context, ranks, stages))
    assert each * ranks * stages >= whole * (1 - ROUNDING)
    by_group = sum(
        float(sequence_bytes(replace(model, groups=(group,)), bits, context))
        for group in model.groups
    )
    assert by_group == pytest.approx(whole, rel=ROUNDING)


@properties
@given(STATEFUL, BITS, CONTEXT)
def test_state_is_what_remains_of_an_empty_conversation(
    model: Architecture, bits: float, context: int
) -> None:
    state = float(constant_state_bytes(model))
    assert state == sum(group.layers * group.state_bytes for group in model.groups)
    assert state == float(sequence_bytes(model, bits, 0))
    assert state <= float(sequence_bytes(model, bits, context))
    for n in TENSOR_PARALLEL:
        assert float(constant_state_bytes(model, n)) == pytest.approx(state / n, rel=ROUNDING)


@properties
@given(STATEFUL, BITS, RANKS, STAGES, CONTEXT)
def test_the_fullest_stage_holds_whole_layers(
    model: Architecture, bits: float, ranks: int, stages: int, context: int
) -> None:
    """As many as the ceiling of an even share: a layer is not cut in two."""
    fullest = replace(
        model,
        groups=tuple(
            replace(group, layers=float(math.ceil(group.layers / stages))) for group in model.groups
        ),
    )
    assert float(sequence_bytes(model, bits, context, ranks, stages)) == pytest.approx(
        float(sequence_bytes(fullest, bits, context, ranks)), rel=ROUNDING
    )


# --- Weights -----------------------------------------------------------------------------------

PRECISION = st.sampled_from(PRECISIONS)


@properties
@given(MODEL, PRECISION)
def test_one_rank_and_one_stage_hold_the_whole(model: Architecture, precision: Any) -> None:
    one, rank = weight_bytes(model, precision), weight_bytes_per_gpu(model, precision, 1, 1)
    assert all(_same(getattr(one, f.name), getattr(rank, f.name)) for f in fields(WeightBytes))
    bits = (
        model.attention_linear_parameters * precision.attention_bits
        + model.feed_forward_parameters * precision.bits_per_weight
        + model.embedding_parameters * precision.embedding_bits
        + model.lm_head_parameters * precision.lm_head_bits
        + model.other_parameters * precision.other_bits
        + model.vision_parameters * 16
    )
    assert float(one.total_bytes) == pytest.approx(bits / 8, rel=ROUNDING)


@properties
@given(MODEL, PRECISION, RANKS, STAGES)
def test_weights_sum_and_divide(
    model: Architecture, precision: Any, ranks: int, stages: int
) -> None:
    whole = weight_bytes(model, precision)
    held = weight_bytes_per_gpu(model, precision, ranks, stages)
    parts = [float(getattr(held, f.name)) for f in fields(WeightBytes)]
    assert math.fsum(parts) == pytest.approx(float(held.total_bytes), rel=ROUNDING)
    assert min(parts) >= 0
    for f in fields(WeightBytes):
        part, all_of_it = float(getattr(held, f.name)), float(getattr(whole, f.name))
        assert part <= all_of_it * (1 + ROUNDING)
        assert part * ranks * stages >= all_of_it * (1 - ROUNDING)


@properties
@given(MODEL, PRECISION)
def test_weights_fall_with_ranks_and_stages(model: Architecture, precision: Any) -> None:
    for p in PIPELINE_PARALLEL:
        assert _falls(
            [weight_bytes_per_gpu(model, precision, n, p).total_bytes for n in TENSOR_PARALLEL]
        )
    for n in TENSOR_PARALLEL:
        assert _falls(
            [weight_bytes_per_gpu(model, precision, n, p).total_bytes for p in PIPELINE_PARALLEL]
        )


DIVIDED = {
    "attention_parameters": True,
    "replicated_parameters": False,
    "mlp_parameters": True,
    "expert_parameters": True,
    "router_parameters": False,
    "norm_parameters": False,
    "embedding_parameters": True,
    "lm_head_parameters": True,
    "vision_parameters": False,
}
"""Whether ranks share a class of parameters, by the table of Architecture's docstring."""


@pytest.mark.parametrize("name", DIVIDED)
@properties
@given(MODEL, RANKS, STAGES)
def test_each_class_divides_as_the_table_says(
    name: str, model: Architecture, ranks: int, stages: int
) -> None:
    """What 1e9 more parameters of one class add to a rank."""
    bits = CATALOGUE.weight_precision("bf16")
    more = replace(model, **{name: getattr(model, name) + 1e9})
    if stages > 1 and name in ("embedding_parameters", "lm_head_parameters"):
        return  # They sit on the first and the last stage, and the fuller one counts.
    added = float(
        weight_bytes_per_gpu(more, bits, ranks, stages).total_bytes
        - weight_bytes_per_gpu(model, bits, ranks, stages).total_bytes
    )
    share = 1 / ranks if DIVIDED[name] else 1.0
    if name not in ("embedding_parameters", "lm_head_parameters", "vision_parameters"):
        share *= math.ceil(model.layers / stages) / model.layers
    assert added == pytest.approx(2e9 * share, rel=1e-6, abs=1024)


@properties
@given(MODEL, PRECISION, RANKS, STAGES, st.sampled_from((1.0, 64.0, 256.0)))
def test_padding_only_adds(
    model: Architecture, precision: Any, ranks: int, stages: int, multiple: float
) -> None:
    place = (model, precision, ranks, stages)
    plain, padded = weight_bytes_per_gpu(*place), weight_bytes_per_gpu(*place, multiple, multiple)
    assert all(
        getattr(padded, f.name) >= getattr(plain, f.name) * (1 - ROUNDING)
        for f in fields(WeightBytes)
    )


@properties
@given(MODEL, st.floats(2, 32), st.floats(1, 4), RANKS, STAGES)
def test_weights_scale_with_bits(
    model: Architecture, bits: float, factor: float, ranks: int, stages: int
) -> None:
    def held(width: float) -> float:
        stored = WeightFormat(width, width, width, width, width, 1.0, 0.0)
        whole = weight_bytes_per_gpu(model, stored, ranks, stages)
        return float(whole.total_bytes - whole.vision_bytes)

    assert held(bits * factor) == pytest.approx(factor * held(bits), rel=1e-9)


# --- Engine ------------------------------------------------------------------------------------

ENGINE = st.sampled_from(ENGINES)
SEQUENCES, TOKENS = st.integers(1, 4096), st.integers(128, 131_072)


@properties
@given(MODEL, ENGINE, RANKS, st.lists(SEQUENCES, min_size=2, max_size=4), TOKENS, st.booleans())
def test_activations_rise_with_the_batch_and_fall_with_ranks(
    model: Architecture, engine: Any, ranks: int, batches: list[int], tokens: int, kept: bool
) -> None:
    assert _rises(
        [activation_bytes(model, engine, s, tokens, ranks, kept) for s in sorted(batches)]
    )
    steps = [tokens, tokens + 1, 2 * tokens, 10 * tokens]
    assert _rises([activation_bytes(model, engine, 64, t, ranks, kept) for t in steps])
    assert _falls([activation_bytes(model, engine, 64, tokens, n, kept) for n in TENSOR_PARALLEL])
    kept_or_not = [activation_bytes(model, engine, 64, tokens, ranks, k) for k in (0.0, 1.0)]
    assert _rises([engine.workspace_bytes, *kept_or_not])


@properties
@given(ENGINE, st.sampled_from(GPUS), st.lists(SEQUENCES, min_size=2, max_size=6))
def test_reserve_rises_with_gpus_and_batch(engine: Any, gpu: Any, batches: list[int]) -> None:
    seen = device(engine, [gpu])
    for gpus in (1, 2, 8):
        assert _rises([runtime_reserve_bytes(engine, seen, gpus, s)[0] for s in sorted(batches)])
    assert _rises([runtime_reserve_bytes(engine, seen, gpus, 64)[0] for gpus in (1, 2, 4, 64)])


@properties
@given(ENGINE, st.booleans(), st.none() | SEQUENCES, st.none() | TOKENS)
def test_limits_are_yours_or_the_engines(
    engine: Any, large: bool, sequences: int | None, tokens: int | None
) -> None:
    batch, step = (float(v) for v in engine_limits(engine, float(large), sequences, tokens))
    assert step == (tokens or (engine.tokens_large if large else engine.tokens_small))
    wanted = sequences or (engine.sequences_large if large else engine.sequences_small)
    assert batch == min(wanted, step)


def test_devices_are_the_catalogues() -> None:
    gpus = tuple(CATALOGUE.accelerators.values())
    for engine in ENGINES:
        seen = device(engine, gpus)
        for i, gpu in enumerate(gpus):
            assert _same(seen.memory_bytes[i], gpu.memory_usable_bytes)
            assert bool(seen.amd[i]) == (gpu.vendor == "AMD")
            large = gpu.memory_usable_bytes >= engine.large_gpu_bytes and "a100" not in gpu.id
            assert bool(seen.large_batch[i]) == large
            reserve = device(engine, [gpu]).reserve_parallel_bytes[0]
            assert reserve == seen.reserve_parallel_bytes[i]
        assert seen.along(1).memory_bytes.shape == (len(gpus), 1, 1)


def test_formats_are_the_catalogues() -> None:
    for engine in ENGINES:
        stored = weight_format(engine, PRECISIONS)
        for i, precision in enumerate(PRECISIONS):
            for name in ("bits_per_weight", "attention_bits", "embedding_bits", "lm_head_bits"):
                assert getattr(stored, name)[i] == getattr(precision, name)
            assert (stored.expert_multiple[i] > 1) == precision.id.startswith("mxfp4")
        assert stored.along(0).other_bits.shape == (len(PRECISIONS), 1)


# --- A replica ---------------------------------------------------------------------------------


@st.composite
def settings_of_a_replica(draw: st.DrawFn) -> dict[str, Any]:
    """One configuration as plain numbers."""
    gpu, precision = draw(st.sampled_from(GPUS)), draw(PRECISION)
    engine = draw(ENGINE)
    seen, stored = device(engine, [gpu]), weight_format(engine, [precision])
    return {
        "engine": engine,
        "gpu": Device(*(float(getattr(seen, f.name)[0]) for f in fields(Device))),
        "weights": WeightFormat(*(float(getattr(stored, f.name)[0]) for f in fields(WeightFormat))),
        "kv_bits": draw(BITS),
        "context_tokens": draw(CONTEXT),
        "tensor_parallel": draw(RANKS),
        "pipeline_parallel": draw(STAGES),
        "utilization_fraction": draw(st.floats(0.5, 0.98)),
        "max_sequences": draw(SEQUENCES),
        "batched_tokens": draw(TOKENS),
    }


REPLICA = settings_of_a_replica()


def _replica(model: Architecture, setting: dict[str, Any], **changes: Any) -> ReplicaMemory:
    return replica_memory(model, **{**setting, **changes})


@properties
@given(MODEL, REPLICA)
def test_parts_of_a_replica_sum_to_the_budget(model: Architecture, setting: dict[str, Any]) -> None:
    found = _replica(model, setting)
    budget = setting["utilization_fraction"] * setting["gpu"].memory_bytes
    assert float(found.fixed_bytes + found.kv_pool_bytes) == pytest.approx(budget, rel=1e-9)
    parts = found.weights.total_bytes + found.activations_bytes + found.runtime_reserve_bytes
    assert float(found.fixed_bytes) == float(parts)


@properties
@given(STATEFUL, REPLICA)
def test_what_fits_is_the_most_that_fits(model: Architecture, setting: dict[str, Any]) -> None:
    found = _replica(model, setting)
    pool, each = float(found.kv_pool_bytes), float(found.sequence_bytes)
    held = float(found.sequences)
    assert held == max(0, math.floor(pool / each))
    assert held * each <= max(pool, 0.0) * (1 + ROUNDING)
    context = setting["context_tokens"]
    assert float(found.capacity_tokens) >= held * context * (1 - ROUNDING)
    assert float(found.capacity_tokens) < (held + 1) * context


@properties
@given(STATEFUL, REPLICA, st.lists(CONTEXT, min_size=2, max_size=5))
def test_capacity_falls_with_context(
    model: Architecture, setting: dict[str, Any], contexts: list[int]
) -> None:
    found = [_replica(model, setting, context_tokens=c) for c in sorted(contexts)]
    assert _falls([one.sequences for one in found])
    assert len({float(one.kv_pool_bytes) for one in found}) == 1


@properties
@given(MODEL, REPLICA)
def test_room_rises_with_memory_and_share_and_falls_with_the_batch(
    model: Architecture, setting: dict[str, Any]
) -> None:
    def room(**changes: Any) -> list[Any]:
        name, values = next(iter(changes.items()))
        found = [_replica(model, setting, **{name: value}) for value in values]
        assert _rises([one.sequences for one in found])
        return [one.kv_pool_bytes for one in found]

    gpu = setting["gpu"]
    larger = [replace(gpu, memory_bytes=gpu.memory_bytes * factor) for factor in (1, 1.1, 2, 10)]
    assert _rises(room(gpu=larger))
    assert _rises(room(utilization_fraction=(0.5, 0.7, 0.9, 0.98)))
    for name in ("max_sequences", "batched_tokens"):
        found = [
            _replica(model, setting, **{name: value, "engine": CATALOGUE.engine("vllm-0.11")})
            for value in (128, 512, 2048, 8192)
        ]
        assert _falls([one.kv_pool_bytes for one in found])


@properties
@given(STATEFUL, REPLICA)
def test_fewer_kv_bits_hold_more(model: Architecture, setting: dict[str, Any]) -> None:
    found = [_replica(model, setting, kv_bits=bits) for bits in (16.0, 8.0, 4.0)]
    assert _rises([one.sequences for one in found])
    assert _rises([one.capacity_tokens for one in found])


@pytest.mark.parametrize("model", [m for m in MODELS if not m.groups])
def test_a_model_without_state_holds_any_number(model: Architecture) -> None:
    engine = CATALOGUE.engine("vllm")
    found = replica_memory(
        model,
        weight_format(engine, [CATALOGUE.weight_precision("bf16")]),
        16.0,
        engine,
        device(engine, [CATALOGUE.accelerator("L4")]),
        context_tokens=512,
    )
    assert float(found.sequence_bytes) == 0
    assert math.isinf(found.sequences[0]) and math.isinf(found.capacity_tokens[0])


@pytest.mark.parametrize("model", [m for m in MODELS if not m.groups])
def test_a_model_without_state_that_does_not_fit_holds_nothing(model: Architecture) -> None:
    engine = CATALOGUE.engine("vllm")
    found = replica_memory(
        model,
        weight_format(engine, [CATALOGUE.weight_precision("bf16")]),
        16.0,
        engine,
        Device(1e7, 0.0, 0.0, 0.0),
        context_tokens=512,
    )
    assert found.kv_pool_bytes[0] < 0
    assert found.sequences[0] == 0 and found.capacity_tokens[0] == 0


# --- Arrays pass through -----------------------------------------------------------------------


def _fields_of(found: ReplicaMemory) -> dict[str, Any]:
    parts = {f"weights.{f.name}": getattr(found.weights, f.name) for f in fields(WeightBytes)}
    own = {f.name: getattr(found, f.name) for f in fields(ReplicaMemory) if f.name != "weights"}
    return {**parts, "weights.total_bytes": found.weights.total_bytes, **own}


@few
@given(MODEL, st.lists(REPLICA, min_size=8, max_size=8), ENGINE)
def test_one_call_for_many_configurations_is_exactly_many_calls(
    model: Architecture, many: list[dict[str, Any]], engine: Any
) -> None:
    """Every argument varies at once; every field agrees to the last bit."""
    names = [name for name in many[0] if name not in ("engine", "gpu", "weights")]
    columns = {name: np.array([one[name] for one in many]) for name in names}
    gpu, stored = (
        kind(*(np.array([getattr(one[name], f.name) for one in many]) for f in fields(kind)))
        for name, kind in (("gpu", Device), ("weights", WeightFormat))
    )
    at_once = _fields_of(replica_memory(model, engine=engine, gpu=gpu, weights=stored, **columns))
    for i, setting in enumerate(many):
        for name, alone in _fields_of(_replica(model, setting, engine=engine)).items():
            value = np.broadcast_to(at_once[name], len(many))[i]
            assert _same(value, alone), name


@few
@given(BITS, CONTEXT, RANKS, STAGES, PRECISION, IN_FLIGHT)
def test_a_stack_of_all_models_is_exactly_each_model(
    bits: float, context: int, ranks: int, stages: int, precision: Any, in_flight: int
) -> None:
    """All models of the catalogue in one call; the flag for towers is not stacked, so twice."""
    engine = CATALOGUE.engine("vllm-0.19")
    stored = weight_format(engine, [precision])
    for multimodal in (False, True):
        models = [model for model in MODELS if model.multimodal == multimodal]
        together = stack(models)
        for name, function in {
            "kv share": lambda m: kv_head_share(m, ranks),
            "token": lambda m: token_bytes(m, bits, ranks, stages),
            "sequence": lambda m: sequence_bytes(m, bits, context, ranks, stages),
            "reserved": lambda m: reserved_sequence_bytes(m, bits, context, ranks, stages),
            "windowed": lambda m: reserved_sequence_bytes(
                m, bits, context, ranks, stages, 16, in_flight
            ),
            "state": lambda m: constant_state_bytes(m, ranks, stages),
            "weights": lambda m: weight_bytes(m, precision).total_bytes,
            "weights per GPU": lambda m: (
                weight_bytes_per_gpu(
                    m, precision, ranks, stages, 64.0, stored.expert_multiple
                ).total_bytes
            ),
            "activations": lambda m: activation_bytes(m, engine, 256, 2048, ranks, 1.0),
        }.items():
            alone = [np.ravel(function(model))[0] for model in models]
            assert _same(np.broadcast_to(function(together), len(models)), alone), name


# --- Layouts and the smallest fit --------------------------------------------------------------

FIXED_RANKS, FIXED_STAGES = st.none() | RANKS, st.none() | STAGES
LAYOUTS = st.builds(
    lambda *values: values,
    st.sampled_from((1, 2, 4, 8, 72)),
    st.sampled_from((1, 2, 4, 8)),
    st.sampled_from((0, 7, 14, 24, 32, 40, 48, 64, 71, 96, 128)),
    FIXED_RANKS,
    FIXED_STAGES,
)


@properties
@given(LAYOUTS)
def test_layouts_are_what_heads_and_hosts_allow(choice: tuple[Any, ...]) -> None:
    domain, host, heads, fixed_ranks, fixed_stages = choice
    layouts = Layouts.of(domain, host, heads, fixed_ranks, fixed_stages)
    widest = domain if domain > 8 else host
    accepted = [n for n in TENSOR_PARALLEL if (heads % n == 0 if heads else n == 1)]
    if fixed_ranks:
        ranks = [n for n in accepted if n == fixed_ranks]
    else:
        ranks = [n for n in accepted if n <= widest]
    expected = {
        (n, p)
        for n in ranks
        for p in ((fixed_stages,) if fixed_stages else PIPELINE_PARALLEL)
        if fixed_stages or p == 1 or n == max(ranks)
    }
    found = zip(
        layouts.tensor_parallel[layouts.allowed],
        layouts.pipeline_parallel[layouts.allowed],
        strict=True,
    )
    assert set(found) == expected
    if not fixed_ranks and not fixed_stages:
        assert (1, 1) in expected


def test_layouts_of_many_gpus_are_those_of_each() -> None:
    domains = np.array([1, 2, 8, 72])
    together = Layouts.of(domains, 4, 64)
    for i, domain in enumerate(domains):
        assert np.array_equal(together.allowed[i], Layouts.of(domain, 4, 64).allowed)


@st.composite
def loads(draw: st.DrawFn) -> tuple[Architecture, dict[str, Any], Layouts, int]:
    """A model that might fit, a setting, the candidates and how many conversations."""
    model = draw(MODEL)
    layouts = Layouts.of(
        draw(st.sampled_from((1, 8, 72))),
        draw(st.sampled_from((1, 2, 4, 8))),
        model.attention_heads if model.id != "generated" else 64,
        draw(FIXED_RANKS),
        draw(FIXED_STAGES),
    )
    setting = draw(REPLICA)
    setting["context_tokens"] = draw(st.integers(128, 131_072))
    return model, setting, layouts, draw(st.integers(1, 10_000))


def _brute_force(
    model: Architecture, setting: dict[str, Any], layouts: Layouts, asked: int
) -> tuple[float, float, float, float]:
    """GPUs, stages, ranks and replicas of the best candidate, one at a time."""
    candidates = [(math.inf, math.inf, math.inf, math.inf)]
    for n, p, allowed in zip(
        layouts.tensor_parallel, layouts.pipeline_parallel, layouts.allowed, strict=True
    ):
        alone = _replica(model, setting, tensor_parallel=n, pipeline_parallel=p)
        room, each = float(alone.kv_pool_bytes), float(alone.sequence_bytes)
        if not allowed or room < 0:
            continue
        held = math.floor(room / each) if each else math.inf
        if held:
            replicas = max(1, math.ceil(asked / held))
            candidates.append((n * p * replicas, p, n, replicas))
    return min(candidates)


@properties
@given(loads())
def test_smallest_fit_holds_the_load_and_nothing_smaller_does(
    load: tuple[Architecture, dict[str, Any], Layouts, int],
) -> None:
    model, setting, layouts, asked = load
    memory = _replica(
        model,
        setting,
        tensor_parallel=layouts.tensor_parallel,
        pipeline_parallel=layouts.pipeline_parallel,
    )
    best = smallest_fit(memory, layouts, asked)
    gpus, p, n, replicas = _brute_force(model, setting, layouts, asked)
    assert float(best.gpus) == gpus
    if math.isfinite(gpus):
        assert (best.pipeline_parallel, best.tensor_parallel, best.replicas) == (p, n, replicas)
        assert best.gpus == best.tensor_parallel * best.pipeline_parallel * best.replicas
        assert best.sequences_per_replica * best.replicas >= asked
        assert best.replicas == 1 or best.sequences_per_replica * (best.replicas - 1) < asked
        only = layouts.only(best)
        assert (only.tensor_parallel[0], only.pipeline_parallel[0]) == (n, p)
    if layouts.allowed.any():
        pools = np.broadcast_to(memory.kv_pool_bytes, layouts.allowed.shape)
        assert float(best.best_pool_bytes) == pools[layouts.allowed].max()


@properties
@given(loads())
def test_more_conversations_never_need_fewer_gpus(
    load: tuple[Architecture, dict[str, Any], Layouts, int],
) -> None:
    model, setting, layouts, asked = load
    memory = _replica(
        model,
        setting,
        tensor_parallel=layouts.tensor_parallel,
        pipeline_parallel=layouts.pipeline_parallel,
    )
    found = [smallest_fit(memory, layouts, s).gpus for s in (1, asked, asked + 1, 10 * asked)]
    assert all(a <= b for a, b in zip(found, found[1:], strict=False))


def test_smallest_fit_of_many_gpus_is_that_of_each() -> None:
    """A grid of GPUs and precisions in one call, as the map needs it."""
    engine, model = CATALOGUE.engine("vllm"), CATALOGUE.model("meta-llama/Meta-Llama-3.1-70B")
    layouts = Layouts.of(8, 8, model.attention_heads)
    place = {
        "context_tokens": 8192,
        "tensor_parallel": layouts.tensor_parallel,
        "pipeline_parallel": layouts.pipeline_parallel,
    }
    grid = smallest_fit(
        replica_memory(
            model,
            weight_format(engine, PRECISIONS).along(0),
            16.0,
            engine,
            device(engine, GPUS).along(1),
            **place,
        ),
        layouts,
        50,
    )
    assert grid.gpus.shape == (len(GPUS), len(PRECISIONS))
    for i in range(0, len(GPUS), 5):
        for j, precision in enumerate(PRECISIONS):
            stored, seen = weight_format(engine, [precision]), device(engine, [GPUS[i]])
            alone = smallest_fit(
                replica_memory(model, stored, 16.0, engine, seen, **place), layouts, 50
            )
            assert all(
                _same(getattr(grid, f.name)[i, j], getattr(alone, f.name))
                for f in fields(SmallestFit)
            )


def test_unknown_memory_fits_nothing() -> None:
    """A blank fact is not zero and not infinite: no count is invented for it."""
    engine = CATALOGUE.engine("vllm")
    blank = Device(math.nan, 1.0, 0.0, engine.reserve_parallel_bytes)
    layouts = Layouts.of(8, 8, 64)
    memory = replica_memory(
        CATALOGUE.model("meta-llama/Meta-Llama-3.1-70B"),
        weight_format(engine, [CATALOGUE.weight_precision("fp8")]),
        16.0,
        engine,
        blank,
        context_tokens=4096,
        tensor_parallel=layouts.tensor_parallel,
        pipeline_parallel=layouts.pipeline_parallel,
    )
    assert math.isinf(smallest_fit(memory, layouts, 1).gpus)
    assert 80 * GIB > CATALOGUE.accelerator("H100").memory_usable_bytes
