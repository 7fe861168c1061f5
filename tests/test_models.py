"""The catalogue of models: published counts, published cache sizes, and the files behind them."""

from __future__ import annotations

import csv
import hashlib
import math
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from planner.catalogue.architecture import architecture_from_config
from planner.catalogue.generic import dense_references, generic_architecture
from planner.catalogue.mixers import compressed_attention
from planner.catalogue.models import load_models, model_aliases, read_config
from planner.catalogue.records import Basis, StateGroup
from planner.errors import InvalidScenario
from planner.units import GIB, MIB

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "data"
PUBLISHED = ROOT / "tests" / "published"
MODELS = load_models(DATA)
ALIASES = model_aliases(DATA)
TOLERANCE = 0.01


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def published(name: str) -> list[dict[str, str]]:
    return table(PUBLISHED / name)


ROWS = table(DATA / "models.csv")


def state_bytes(group: StateGroup, tokens: float, element_bytes: float = 2.0) -> float:
    """One layer's bytes per sequence, by the formula in the docstring of StateGroup."""
    entries = min(tokens, group.window_tokens) / group.tokens_per_entry
    elements = entries * (
        group.kv_heads * group.head_elements + group.latent_elements + group.rope_elements
    )
    return elements * element_bytes + entries * group.index_bytes + group.state_bytes


def cache_bytes(groups: tuple[StateGroup, ...], tokens: float, *, index: bool = False) -> float:
    """Keys and values of all layers; neither the indexer nor recurrent state unless asked."""
    total = 0.0
    for group in groups:
        entries = min(tokens, group.window_tokens) / group.tokens_per_entry
        left_out = group.state_bytes + (0 if index else entries * group.index_bytes)
        total += group.layers * (state_bytes(group, tokens) - left_out)
    return total


def test_there_are_many_models() -> None:
    assert len(MODELS) >= 85
    assert len({row["family"] for row in ROWS}) >= 20


@pytest.mark.parametrize("identity", MODELS)
def test_count_is_within_one_percent_of_the_published_count(identity: str) -> None:
    """Published counts come with their source in data/models.csv."""
    model = MODELS[identity]
    assert math.isfinite(model.published_parameters), "a published count is missing"
    deviation = model.total_parameters / model.published_parameters - 1
    if model.published_note:
        print(f"{identity}: {deviation:+.2%} {model.published_note}")
        assert abs(deviation) > TOLERANCE, "the note is stale"
    else:
        assert abs(deviation) <= TOLERANCE


@pytest.mark.parametrize("identity", MODELS)
def test_active_count_is_near_the_published_one(identity: str) -> None:
    """Publishers round active counts to whole billions, with or without the embedding, and
    Llama 4's 17 billion with its shared and dense layers; a factor of 1.35 catches a wrong class.
    """
    model = MODELS[identity]
    ratio = (model.active_parameters + model.embedding_parameters) / (
        model.published_active_parameters
    )
    low = model.active_parameters / model.published_active_parameters
    assert ratio > 1 / 1.1 and low < 1.35


@pytest.mark.parametrize("row", published("parameter_counts.csv"), ids=lambda row: row["model"])
def test_count_is_exact_where_the_publication_is(row: dict[str, str]) -> None:
    assert MODELS[row["model"]].total_parameters == int(row["parameters"])


def test_vision_tower_explains_what_is_missing() -> None:
    """Gemma 4 26B's card gives the vision model about 550 million parameters
    (huggingface.co/OpenExplorer/gemma-4-26B-A4B-it)."""
    assert MODELS["google/gemma-4-26B-A4B"].vision_parameters == pytest.approx(0.55e9, rel=0.05)


@pytest.mark.parametrize("row", published("kv_cache.csv"), ids=lambda row: row["model"])
def test_cache_of_one_sequence_is_the_published_one(row: dict[str, str]) -> None:
    """To three significant figures; the file says which context and unit each value is of."""
    model = MODELS[row["model"]]
    tokens = float(row["context_tokens"])
    found = cache_bytes(model.groups, tokens) * (1 + int(row["extra_layers"]) / model.layers)
    value = float(row["published_value"])
    unit = 10 ** (math.floor(math.log10(value)) - 2)
    assert abs(found / GIB - value) <= 0.5001 * unit


def test_nemotron_h_keeps_about_440_mib_of_recurrent_state() -> None:
    """Nemotron-H-56B: 440 MiB per sequence at 2 bytes (chimeraforge: 0.43 GiB)."""
    model = MODELS["nvidia/Nemotron-H-56B-Base-8K"]
    total = sum(group.layers * group.state_bytes for group in model.groups)
    assert total / MIB == pytest.approx(440, rel=0.01)
    assert total / GIB == pytest.approx(0.43, abs=0.005)


def test_deepseek_v4_pro_keeps_9_62_gib_at_one_million_tokens() -> None:
    """vLLM's figure for 2**20 tokens in BF16, with an indexer key of 128 BF16 elements; the
    catalogue's key is FP8 with its scale (132 bytes)."""
    total = 0.0
    for group in MODELS["deepseek-ai/DeepSeek-V4-Pro"].groups:
        assert group.index_bytes in (0, 132)
        entries = min(2.0**20, group.window_tokens) / group.tokens_per_entry
        width = 256 - group.index_bytes if group.index_bytes else 0
        total += group.layers * (state_bytes(group, 2.0**20) + entries * width)
    assert total / GIB == pytest.approx(9.62, abs=0.01)


def test_deepseek_indexer_stores_all_and_reads_2048() -> None:
    """DeepSeek-V3.2 ``config.json``: index_topk 2048, index_head_dim 128 in FP8 with a scale."""
    (group,) = MODELS["deepseek-ai/DeepSeek-V3.2"].groups
    assert (group.index_bytes, group.read_tokens) == (132, 2048)
    assert (group.latent_elements, group.rope_elements, group.kv_heads) == (512, 64, 0)


def test_glm_5_2_shares_indexers() -> None:
    """GLM-5.2 ``config.json``: 21 of 78 layers have their own indexer."""
    groups = MODELS["zai-org/GLM-5.2"].groups
    assert sorted((g.layers, g.index_bytes) for g in groups) == [(21, 132), (57, 0)]
    assert len(MODELS["zai-org/GLM-5"].groups) == 1


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        ("openai/gpt-oss-120b", {("sliding", 18, 128.0), ("full", 18, math.inf)}),
        ("google/gemma-3-27b-it", {("sliding", 52, 1024.0), ("full", 10, math.inf)}),
        ("google/gemma-2-9b", {("sliding", 21, 4096.0), ("full", 21, math.inf)}),
        ("mistralai/Mistral-7B-v0.1", {("sliding", 32, 4096.0)}),
        ("mistralai/Mistral-7B-v0.3", {("full", 32, math.inf)}),
        (
            "meta-llama/Llama-4-Scout-17B-16E-Instruct",
            {("chunked", 36, 8192.0), ("full", 12, math.inf)},
        ),
        ("XiaomiMiMo/MiMo-V2-Flash", {("sliding", 39, 128.0), ("full", 9, math.inf)}),
        ("stepfun-ai/Step-3.7-Flash", {("sliding", 33, 512.0), ("full", 12, math.inf)}),
        ("Qwen/Qwen3.5-27B", {("recurrent", 48, math.inf), ("full", 16, math.inf)}),
        ("moonshotai/Kimi-K3", {("recurrent", 69, math.inf), ("latent", 24, math.inf)}),
        ("nvidia/Llama-3_3-Nemotron-Super-49B-v1", {("full", 49, math.inf)}),
    ],
)
def test_layers_are_of_the_published_kinds(identity: str, expected: set) -> None:
    """Layer kinds and windows as each publisher's ``config.json`` or paper states them."""
    groups = MODELS[identity].groups
    assert {(g.kind, g.layers, g.window_tokens) for g in groups} == expected


def test_kimi_k3_runs_experts_in_a_latent_space() -> None:
    """92 x 896 experts of 3 x 3584 x 3072 make 2.72e12 (sqliteai/waste, docs/K3.md)."""
    assert MODELS["moonshotai/Kimi-K3"].expert_parameters == 92 * 896 * 3 * 3584 * 3072


def test_embedding_models_keep_no_state() -> None:
    kinds = {one.kind for one in MODELS.values()}
    assert kinds == {"generative", "embedding", "reranker"}
    for model in MODELS.values():
        assert (model.groups == ()) == (model.kind != "generative")


@pytest.mark.parametrize("identity", MODELS)
def test_classes_are_whole_and_consistent(identity: str) -> None:
    model = MODELS[identity]
    for name, value in asdict(model).items():
        if name.endswith("_parameters") and not name.startswith("published"):
            assert value >= 0 and value == int(value), name
    assert bool(model.experts) == bool(model.expert_parameters) == bool(model.expert_layers)
    assert model.experts_per_token <= model.experts
    if model.kind == "generative" and model.replicated_parameters == 0:
        assert model.kv_projection_parameters > 0
    assert model.source.title and model.source.as_of and model.licence is not None
    assert model.source.basis in (Basis.DERIVED, Basis.ASSUMED)


def test_config_files_are_the_publishers_bytes() -> None:
    sums = (DATA / "model_configs" / "SHA256SUMS").read_text().split("\n")
    listed = {line[66:]: line[:64] for line in sums if line}
    files = {p.name: p for p in (DATA / "model_configs").glob("*.json")}
    assert set(listed) == set(files)
    for name, path in files.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == listed[name], name


def used_configs() -> list[str]:
    return [
        name
        for row in ROWS
        for name in (row["config"], *filter(None, row["other_configs"].split(";")))
    ]


def test_every_config_file_is_used_once() -> None:
    used = used_configs()
    found = {
        str(path.relative_to(DATA))
        for folder in ("model_configs", "model_rows")
        for path in (DATA / folder).glob("*.json")
    }
    assert sorted(used) == sorted(found)


@pytest.mark.parametrize("row", [r for r in ROWS if r["other_configs"]], ids=lambda r: r["id"])
def test_quantised_copies_have_the_same_architecture(row: dict[str, str]) -> None:
    model = MODELS[row["id"]]
    for name in row["other_configs"].split(";"):
        copy = architecture_from_config(read_config(DATA, name), id=name)
        assert copy.total_parameters == model.total_parameters, name
        assert sorted(map(str, copy.groups)) == sorted(map(str, model.groups)), name


def test_row_files_say_how_they_relate_to_the_publishers_file() -> None:
    for path in (DATA / "model_rows").glob("*.json"):
        comment = read_config(DATA, f"model_rows/{path.name}")["_comment"]
        assert "publisher's file" in comment, path.name


def test_aliases_point_at_models_and_never_clash() -> None:
    assert set(ALIASES.values()) <= set(MODELS)
    assert all(key == key.lower() for key in ALIASES)
    for name, identity in {
        "llama-3.1-70b": "meta-llama/Meta-Llama-3.1-70B",
        "deepseek-r1": "deepseek-ai/DeepSeek-R1",
        "qwen3.5-9b": "Qwen/Qwen3.5-9B",
        "glm-4.6": "zai-org/GLM-4.6",
        "gpt-j-6b": "EleutherAI/gpt-j-6B",
        "meta-llama/llama-3.1-8b-instruct": "meta-llama/Meta-Llama-3.1-8B",
        "nvidia/deepseek-v3.2-nvfp4": "deepseek-ai/DeepSeek-V3.2",
        "redhatai/llama-3.3-70b-instruct-fp8-dynamic": "meta-llama/Llama-3.3-70B-Instruct",
        "amd/kimi-k2.7-code-mxfp4": "moonshotai/Kimi-K2.7-Code",
    }.items():
        assert ALIASES[name] == identity


def test_loading_is_quick() -> None:
    """Under 80 ms for all models; the best of five, on a quiet or a busy machine."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        load_models(DATA)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.08


def test_compressed_layer_without_ratio_keeps_its_window_alone() -> None:
    mixer = compressed_attention(4096, 64, 512, 64, 1024, 1024, 8, 128, 0, (64, 128, 512))
    assert [state.kind for state in mixer.states] == ["sliding"]


# The generic model.

REFERENCE = list(MODELS.values())


def kv_bytes_per_token(model: object) -> float:
    return sum(2 * g.layers * g.kv_heads * g.head_elements for g in model.groups)


def test_generic_total_is_the_asked_count() -> None:
    sizes = np.round(np.geomspace(0.1e9, 1000e9, 501))
    assert np.array_equal(generic_architecture(sizes, REFERENCE).total_parameters, sizes)
    for size in (0.1e9, 3e9, 70e9, 1000e9):
        assert generic_architecture(size, REFERENCE).total_parameters == size


def test_generic_shape_rises_with_the_size() -> None:
    model = generic_architecture(np.geomspace(0.1e9, 1000e9, 501), REFERENCE)
    for values in (
        model.layers,
        model.hidden_size,
        model.vocabulary,
        model.kv_projection_parameters,
        kv_bytes_per_token(model),
    ):
        assert np.all(np.diff(values) >= 0)
    assert np.all(model.mlp_parameters > 0)


def test_generic_array_and_single_agree() -> None:
    many = generic_architecture(np.array([1e9, 8e9]), REFERENCE)
    one = generic_architecture(8e9, REFERENCE)
    assert many.layers[1] == one.layers
    assert many.mlp_parameters[1] == one.mlp_parameters


def test_generic_meets_real_models_left_out() -> None:
    """Against each real dense model since 2023, left out of the reference; the docstring of
    generic_architecture reports these errors."""
    real = dense_references(REFERENCE)
    assert len(real) >= 20
    layers, cache = [], []
    for model in real:
        rest = [other for other in real if other is not model]
        guess = generic_architecture(float(model.total_parameters), rest)
        layers.append(guess.layers / model.layers)
        cache.append(kv_bytes_per_token(guess) / kv_bytes_per_token(model))
    off = np.abs(np.log(layers)), np.abs(np.log(cache))
    assert np.exp(np.median(off[0])) < 1.15 and np.exp(off[0].max()) < 2
    assert np.exp(np.median(off[1])) < 1.30 and np.exp(off[1].max()) < 6


@pytest.mark.parametrize("size", [0, -1e9, 0.05e9, 2e12, math.nan, math.inf])
def test_generic_size_out_of_range_is_refused(size: float) -> None:
    with pytest.raises(InvalidScenario, match="0.1 to 1,000 billion"):
        generic_architecture(size, REFERENCE)


def test_generic_is_labelled_derived() -> None:
    model = generic_architecture(8e9, REFERENCE)
    assert model.id == "generic" and model.source.basis is Basis.DERIVED
