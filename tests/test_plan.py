"""The plan: a breakdown whose parts sum, that explains itself, and that says no in one sentence."""

from __future__ import annotations

import csv
import json
import math
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.catalogue import load_catalogue, weakest
from planner.errors import InvalidScenario, MissingData, NoFeasiblePlan, PlannerError
from planner.memory import weight_bytes
from planner.plan import Plan, answer_paths, evaluate, explain
from planner.scenario import EXAMPLES, Scenario, load_example
from planner.units import GB

CATALOGUE = load_catalogue()
DATA = Path(__file__).resolve().parents[1] / "data"

SPREAD_MODELS = (
    "Qwen/Qwen2.5-0.5B",
    "meta-llama/Meta-Llama-3.1-8B",
    "meta-llama/Meta-Llama-3.1-70B",
    "Qwen/Qwen3-30B-A3B",
    "openai/gpt-oss-120b",
    "deepseek-ai/DeepSeek-V3.2",
    "google/gemma-3-27b-it",
    "nvidia/Nemotron-H-56B-Base-8K",
    "BAAI/bge-m3",
)
SPREAD_GPUS = ("T4", "L4", "l40s-48gb", "a100-sxm-80gb", "h100-sxm-80gb", "gb200", "mi300x-192gb")
SPREAD_PRECISIONS = ("bf16", "fp8", "awq-int4")


@cache
def _plans() -> dict[str, Plan]:
    """The shipped examples, their variants, and every model on every GPU that holds it."""
    scenarios = {name: load_example(name) for name in EXAMPLES}
    for name in EXAMPLES:
        for variant in scenarios[name].variants:
            scenarios[f"{name}, {variant.name}"] = scenarios[name].variant(variant.name)
    for model in SPREAD_MODELS:
        for gpu in SPREAD_GPUS:
            for precision in SPREAD_PRECISIONS:
                name = f"{model} on {gpu} in {precision}"
                scenarios[name] = Scenario().changed(
                    {
                        "workload.model": model,
                        "deployment.gpu": gpu,
                        "deployment.weight_precision": precision,
                    }
                )
    plans = {}
    for name, scenario in scenarios.items():
        try:
            plans[name] = evaluate(scenario, CATALOGUE)
        except (NoFeasiblePlan, InvalidScenario):
            assert " on " in name, f"{name} has no plan"
    return plans


PLANS = _plans()
every_plan = pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS.keys())
examples = pytest.mark.parametrize("plan", [PLANS[name] for name in EXAMPLES], ids=EXAMPLES)


def _changed(**changes: Any) -> Scenario:
    return Scenario().changed({key.replace("__", "."): value for key, value in changes.items()})


def _is_one_sentence(error: PlannerError) -> bool:
    text = str(error)
    return (
        bool(re.match(r"\S.*\.$", text))
        and not re.search(r"[.!?] [A-Z]|\n|\bnan\b|\binf\b|\{|\}", text)
        and len(text) < 400
    )


def test_most_of_the_spread_has_a_plan() -> None:
    assert len(PLANS) > 120


# --- Sums --------------------------------------------------------------------------------------


@every_plan
def test_parts_sum_to_totals(plan: Plan) -> None:
    memory, fit = plan.memory, plan.fit
    parts = (
        memory.weights_bytes,
        memory.kv_cache_bytes,
        memory.activations_bytes,
        memory.runtime_reserve_bytes,
    )
    assert math.fsum(parts) == pytest.approx(memory.total_bytes, rel=1e-12)
    assert memory.deployment_bytes == memory.total_bytes * fit.gpus
    assert memory.kv_cache_bytes == fit.sequences_here * memory.sequence_bytes
    assert memory.free_bytes == memory.kv_pool_bytes - memory.kv_cache_bytes
    budget = plan.scenario.deployment.gpu_memory_utilization * plan.gpu.memory_usable_bytes
    assert memory.total_bytes + memory.free_bytes == pytest.approx(budget, rel=1e-12)
    assert memory.sequence_mathematics_bytes <= memory.sequence_bytes
    stored = float(weight_bytes(plan.model, plan.weight_precision).total_bytes)
    assert memory.model_weights_bytes == stored
    ranks = fit.gpus_per_replica
    assert memory.weights_bytes * ranks >= stored * (1 - 1e-12)


@every_plan
def test_layouts_are_the_same_arithmetic(plan: Plan) -> None:
    """At the chosen count the table is the plan; no smaller count fits."""
    layouts, memory = plan.layouts, plan.memory
    parts = (
        layouts.weights_bytes
        + layouts.kv_cache_bytes
        + layouts.activations_bytes
        + layouts.runtime_reserve_bytes
    )
    assert np.allclose(layouts.total_bytes, parts, rtol=1e-12)
    (here,) = np.flatnonzero(layouts.gpus == plan.fit.gpus)
    for name in ("weights", "kv_cache", "activations", "runtime_reserve", "total"):
        own = getattr(memory, f"{name}_bytes")
        assert getattr(layouts, f"{name}_bytes")[here] == pytest.approx(own, rel=1e-12)
    assert layouts.fits[here] and not layouts.fits[layouts.gpus < plan.fit.gpus].any()
    assert np.all(np.diff(layouts.gpus) > 0)
    budget = plan.scenario.deployment.gpu_memory_utilization * plan.gpu.memory_usable_bytes
    assert np.array_equal(layouts.fits, layouts.total_bytes <= budget * (1 + 1e-12))


@every_plan
def test_it_fits_and_the_counts_add_up(plan: Plan) -> None:
    fit, deployment = plan.fit, plan.scenario.deployment
    asked = plan.scenario.workload.concurrent_sequences
    assert fit.sequences >= asked
    assert fit.sequences == fit.sequences_per_replica * fit.replicas
    assert fit.sequences_here == math.ceil(asked / fit.replicas) <= fit.sequences_per_replica
    assert plan.memory.free_bytes >= 0
    assert fit.gpus == fit.tensor_parallel * fit.pipeline_parallel * fit.replicas
    assert fit.gpus_per_replica * fit.replicas == fit.gpus
    assert fit.hosts == math.ceil(fit.gpus / deployment.gpus_per_host)
    assert fit.idle_gpus == fit.hosts * deployment.gpus_per_host - fit.gpus
    assert 0 <= fit.idle_gpus < deployment.gpus_per_host
    context = plan.scenario.workload.context_tokens
    assert fit.capacity_tokens >= fit.sequences_per_replica * context
    tools = {"shovel": fit.gpus == 1, "spade": fit.gpus > 1 == fit.hosts, "backhoe": fit.hosts > 1}
    assert [tool for tool, suits in tools.items() if suits] == [fit.tool]


@every_plan
def test_options_agree_with_the_answer(plan: Plan) -> None:
    options = plan.options
    row = options.gpu_ids.index(plan.gpu.id)
    column = options.precision_ids.index(plan.weight_precision.id)
    assert options.gpus[row, column] == plan.fit.gpus
    assert options.gpus.shape == (len(options.gpu_ids), len(options.precision_ids))
    assert len(options.gpu_labels) == len(options.gpu_ids)
    assert len(options.precision_labels) == len(options.precision_ids)


@examples
def test_every_cell_of_the_map_is_its_own_plan(plan: Plan) -> None:
    """Choosing a cell gives the count that the cell promised, or the failure that it showed."""
    options = plan.options
    for i, gpu in enumerate(options.gpu_ids):
        for j, precision in enumerate(options.precision_ids):
            scenario = plan.scenario.changed(
                {"deployment.gpu": gpu, "deployment.weight_precision": precision}
            )
            promised = options.gpus[i, j]
            try:
                found = evaluate(scenario, CATALOGUE).fit.gpus
            except NoFeasiblePlan:
                found = math.inf
            except InvalidScenario:
                found = math.nan
            assert np.array_equal(found, promised, equal_nan=True), (gpu, precision)


# --- Basis and explanation ---------------------------------------------------------------------


@every_plan
def test_a_total_carries_the_weakest_basis_of_its_parts(plan: Plan) -> None:
    writes = plan.model.kind == "generative"
    later = {**plan.speed.bases, **plan.money.bases} if writes else {}
    bases = {**plan.bases, **later, **plan.portfolio.bases}
    assert set(bases) == {
        path for path in answer_paths() if writes or path.startswith(("memory.", "fit.", "fleet."))
    }
    parts = [
        bases[f"memory.{name}_bytes"]
        for name in ("weights", "kv_cache", "activations", "runtime_reserve")
    ]
    assert bases["memory.total_bytes"] == weakest(*parts)
    assert bases["memory.deployment_bytes"] >= bases["memory.total_bytes"]
    assert bases["memory.kv_pool_bytes"] >= weakest(
        plan.gpu.usable_source.basis, bases["memory.weights_bytes"], plan.engine.basis
    )
    assert bases["fit.gpus"] >= bases["memory.kv_pool_bytes"]


def test_an_assumed_memory_makes_the_count_assumed() -> None:
    plan = evaluate(_changed(deployment__gpu="a800-sxm-80gb"), CATALOGUE)
    assert plan.bases["fit.gpus"].words == "assumed"
    assert plan.bases["memory.model_weights_bytes"].words == "derived"


@pytest.mark.parametrize("path", answer_paths())
@examples
def test_every_answer_explains_itself(plan: Plan, path: str) -> None:
    explanation = explain(plan, path)
    section, _, name = path.partition(".")
    formula = type(getattr(plan, section)).__dataclass_fields__[name].metadata["formula"]
    named = list(dict.fromkeys(re.findall(r"\{([^}]*)\}", formula)))
    assert [one.path for one in explanation.inputs] == named
    assert not re.search(r"[{}]|\bnan\b", explanation.worked)
    for one in explanation.inputs:
        assert one.value in explanation.worked and one.name in explanation.formula
        assert one.source and one.value
        said = isinstance(_at(plan, one.path), str) or one.value in ("never", "no number will do")
        assert re.search(r"\d", one.value) or said
    text = str(explanation)
    assert explanation.label in text and explanation.value in text
    assert explanation.basis == plan.basis(path)


def _at(plan: Plan, path: str) -> Any:
    value: Any = plan
    for part in path.split("."):
        value = getattr(value, part)
    return value


def test_the_arithmetic_of_worked_formulas_is_right() -> None:
    """Formulas that are only sums and products, worked out again from the plan's own numbers."""
    plain = 0
    for plan in PLANS.values():
        for path in answer_paths():
            section, _, name = path.partition(".")
            if plan.model.kind != "generative" and section not in ("memory", "fit"):
                continue
            formula = type(getattr(plan, section)).__dataclass_fields__[name].metadata["formula"]
            rest = re.sub(r"\{[^}]*\}", "1", formula)
            if not re.fullmatch(r"[\d\s×+−/*.]+", rest) or path == "fit.capacity_tokens":
                continue
            code = re.sub(r"\{([^}]*)\}", lambda match: f"at({match[1]!r})", formula)
            code = code.replace("×", "*").replace("−", "-")
            worked = eval(code, {"at": lambda one, plan=plan: _at(plan, one)})
            assert worked == pytest.approx(
                _at(plan, path),
                rel=1e-9,
                abs=1.0 if section in ("memory", "fit") else 1e-9,
                nan_ok=True,
            ), path
            plain += 1
    assert plain > 8 * len(PLANS)


def test_an_answer_that_does_not_exist() -> None:
    with pytest.raises(MissingData, match="has no answer"):
        explain(PLANS["chat-assistant"], "memory.nothing")


# --- As data -----------------------------------------------------------------------------------


@every_plan
def test_as_strict_json(plan: Plan) -> None:
    document = plan.to_dict()
    assert json.loads(json.dumps(document, allow_nan=False)) == document


@examples
def test_the_same_question_has_the_same_answer(plan: Plan) -> None:
    again = evaluate(Scenario.from_text(plan.scenario.to_text()), CATALOGUE)
    assert json.dumps(again.to_dict()) == json.dumps(plan.to_dict())
    assert again.memory == plan.memory and again.fit == plan.fit


def test_a_model_without_kv_cache_serves_any_number() -> None:
    plan = evaluate(_changed(workload__model="BAAI/bge-m3"), CATALOGUE)
    assert math.isinf(plan.fit.sequences) and plan.memory.kv_cache_bytes == 0
    assert plan.to_dict()["fit"]["sequences"] is None


# --- Four GPUs become two and one --------------------------------------------------------------

LLAMA_65B = "huggyllama/llama-65b"
STORY = (("fp16", 130.6, 4), ("int8", 65.3, 2), ("gptq-int4", 32.6, 1))
"""Precision, published weights [GB] and A100-40GB [gpu]; weights only."""


def test_the_story_is_the_published_one() -> None:
    with (DATA / "efficiency_events.csv").open(encoding="utf-8", newline="") as file:
        (effect,) = (
            row["effect"] for row in csv.DictReader(file) if row["event"].startswith("LLaMA-65B on")
        )
    numbers = re.findall(r"([\d.]+)(?: GB)? -> (\d)", effect)
    assert [(float(size), int(count)) for size, count in numbers] == [
        (size, count) for _, size, count in STORY
    ]


@pytest.mark.parametrize(("precision", "published_gb", "gpus"), STORY)
def test_four_become_two_and_one_by_weights_alone(
    precision: str, published_gb: float, gpus: int
) -> None:
    """Ours is a little above the publication, which counts neither scales nor embeddings."""
    model = CATALOGUE.model(LLAMA_65B)
    stored = float(weight_bytes(model, CATALOGUE.weight_precision(precision)).total_bytes)
    assert -0.001 < stored / GB / published_gb - 1 < 0.06
    assert math.ceil(stored / (40 * GB)) == gpus


@pytest.mark.parametrize(("precision", "published_gb", "gpus"), STORY)
def test_four_become_two_and_one_with_all_that_an_engine_needs(
    precision: str, published_gb: float, gpus: int
) -> None:
    """A conversation of 1,024 tokens, activations and reserve included."""
    plan = evaluate(
        _changed(
            workload__model=LLAMA_65B,
            workload__context_tokens=1024,
            workload__concurrent_sequences=1,
            deployment__gpu="a100-sxm-40gb",
            deployment__weight_precision=precision,
        ),
        CATALOGUE,
    )
    assert plan.fit.gpus == gpus


# --- Any size ----------------------------------------------------------------------------------


@settings(derandomize=True, deadline=None, database=None, max_examples=150)
@given(
    st.floats(math.log(0.1e9), math.log(1000e9)).map(
        lambda x: min(max(math.exp(x), 0.1e9), 1000e9)
    ),
    st.sampled_from([one.id for one in CATALOGUE.accelerators.values()]),
    st.sampled_from([p.id for p in CATALOGUE.precisions.values() if p.use != "kv"]),
    st.integers(128, 131_072),
    st.integers(1, 10_000),
    st.sampled_from((None, 1, 2, 8)),
)
def test_any_size_has_a_plan_or_one_sentence(
    size: float, gpu: str, precision: str, context: int, conversations: int, ranks: int | None
) -> None:
    scenario = _changed(
        workload__model_source="size",
        workload__model_parameters=size,
        workload__context_tokens=context,
        workload__concurrent_sequences=conversations,
        deployment__gpu=gpu,
        deployment__weight_precision=precision,
        deployment__tensor_parallel=ranks,
    )
    try:
        plan = evaluate(scenario, CATALOGUE)
    except (NoFeasiblePlan, InvalidScenario, MissingData) as error:
        assert _is_one_sentence(error), str(error)
    else:
        assert plan.fit.sequences >= conversations
        assert plan.memory.free_bytes >= 0
        json.dumps(plan.to_dict(), allow_nan=False)


def test_a_larger_model_never_needs_fewer_gpus() -> None:
    """Along the slider, one thing changes at a time."""
    counts = []
    for size in np.geomspace(0.1e9, 400e9, 60):
        plan = evaluate(
            _changed(
                workload__model_source="size",
                workload__model_parameters=float(size),
                deployment__tensor_parallel=None,
            ),
            CATALOGUE,
        )
        counts.append(plan.memory.model_weights_bytes)
    assert np.all(np.diff(counts) > 0)


# --- No, in one sentence -----------------------------------------------------------------------


def test_405b_does_not_fit_t4() -> None:
    with pytest.raises(NoFeasiblePlan, match="too large for each of 64 GPUs") as caught:
        evaluate(
            _changed(
                workload__model="meta-llama/Meta-Llama-3.1-405B",
                deployment__gpu="T4",
                deployment__weight_precision="bf16",
            ),
            CATALOGUE,
        )
    error = caught.value
    assert _is_one_sentence(error) and error.constraint == "memory"
    assert 0 < error.shortfall_bytes < 16 * GB and error.remedy in str(error)


def test_a_fixed_parallelism_is_part_of_the_remedy() -> None:
    with pytest.raises(NoFeasiblePlan, match="set the parallelism to automatic") as caught:
        evaluate(
            _changed(
                deployment__tensor_parallel=1,
                deployment__pipeline_parallel=2,
                deployment__gpu="L4",
            ),
            CATALOGUE,
        )
    assert _is_one_sentence(caught.value)


def test_a_format_that_the_gpu_cannot_compute() -> None:
    with pytest.raises(InvalidScenario, match="V100 .* cannot compute with FP8") as caught:
        evaluate(_changed(deployment__gpu="V100-32GB"), CATALOGUE)
    assert _is_one_sentence(caught.value)
    assert caught.value.field == "deployment.weight_precision"


def test_a_cache_format_that_the_gpu_cannot_read() -> None:
    with pytest.raises(InvalidScenario, match="cannot read a KV cache in FP8") as caught:
        evaluate(
            _changed(
                deployment__gpu="V100-32GB",
                deployment__weight_precision="bf16",
                deployment__kv_precision="fp8",
            ),
            CATALOGUE,
        )
    assert _is_one_sentence(caught.value) and caught.value.field == "deployment.kv_precision"


def test_ranks_that_do_not_divide_the_heads() -> None:
    with pytest.raises(NoFeasiblePlan, match="28 attention heads, which tensor parallel 8") as no:
        evaluate(
            _changed(workload__model="Qwen/Qwen2.5-7B", deployment__tensor_parallel=8), CATALOGUE
        )
    assert _is_one_sentence(no.value) and no.value.constraint == "tensor parallel"


@pytest.mark.parametrize("model", ["Qwen/Qwen2.5-7B", "BAAI/bge-large-en-v1.5"])
def test_a_context_beyond_the_models_longest(model: str) -> None:
    with pytest.raises(InvalidScenario, match="reads at most [0-9,]+ tokens") as caught:
        evaluate(_changed(workload__model=model, workload__context_tokens=200_000), CATALOGUE)
    assert _is_one_sentence(caught.value) and caught.value.field == "workload.context_tokens"


@pytest.mark.parametrize(
    "gpu", [g.id for g in CATALOGUE.accelerators.values() if math.isnan(g.memory_usable_bytes)]
)
def test_a_gpu_whose_memory_is_not_known(gpu: str) -> None:
    """Blank is not zero: nothing is guessed."""
    with pytest.raises(MissingData, match="is not in the catalogue") as caught:
        evaluate(_changed(deployment__gpu=gpu), CATALOGUE)
    assert _is_one_sentence(caught.value)


def test_a_configuration_that_is_still_missing() -> None:
    with pytest.raises(InvalidScenario, match="No config.json was given yet") as caught:
        evaluate(_changed(workload__model_source="config"), CATALOGUE)
    assert _is_one_sentence(caught.value) and caught.value.field == "workload.config_json"
