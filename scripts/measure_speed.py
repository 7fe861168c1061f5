"""How fast the planner answers: the times that its limits are about.

Run ``python scripts/measure_speed.py``; it uses one core. ``tests/test_speed.py`` holds the
limits.
"""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
if __name__ == "__main__":
    os.environ.update(dict.fromkeys(THREADS, "1"))
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402

from planner.catalogue import find_data, load_catalogue  # noqa: E402
from planner.memory import (  # noqa: E402
    Device,
    ReplicaMemory,
    WeightFormat,
    device,
    replica_memory,
    weight_format,
)
from planner.performance import (  # noqa: E402
    Cases,
    Layout,
    Prediction,
    Reference,
    predict_cases,
)
from planner.plan import CostDraws, cost_draws, evaluate  # noqa: E402
from planner.scenario import EXAMPLES, Scenario, load_example  # noqa: E402

CANDIDATES = 1_000_000
COST_DRAWS = 10_000
LIMITS_S = {
    "evaluate": 0.002,
    "whole plan": 0.010,
    "10,000 cost draws": 1.0,
    "fleet": 0.030,
    "a million candidates": 1.0,
    "predict": 0.001,
    "a million predictions": 3.0,
    "import planner": 0.5,
}
"""What a slider and a sweep may take, on one core [s]."""


def timed(function: Callable[[], object], runs: int) -> list[float]:
    """Seconds of each run, after one that is not counted."""
    function()
    found = []
    for _ in range(runs):
        start = time.perf_counter()
        function()
        found.append(time.perf_counter() - start)
    return found


def evaluation(name: str) -> Callable[[], object]:
    """One slider step of the memory page: a plan of a shipped example, with its map."""
    scenario, catalogue = load_example(name), load_catalogue()
    return lambda: evaluate(scenario, catalogue).options


def whole_plan(name: str, path: str = "finance.discount_fraction") -> Callable[[], object]:
    """One slider step of the cost page: energy, rules, costs and value by every way, and speed.

    Speed is kept while a slider of money, rules or value moves; with ``path`` of the demand it is
    computed anew in each step.
    """
    scenario, catalogue = load_example(name), load_catalogue()
    start = scenario.values()[path]
    moved = itertools.cycle(
        [scenario.changed({path: type(start)(start * (1 + step / 500))}) for step in range(1, 101)]
    )
    return lambda: evaluate(next(moved), catalogue).money.value


def fleet_of(hosts: int, workloads: int = 12) -> Scenario:
    """A fleet of hosts with eight GPUs, half of them carved by MIG, and teams that share it."""
    rows = []
    for i in range(workloads):
        shape = ("serving", "notebooks", "serving", "training")[i % 4]
        rows.append(
            {
                "name": f"team {i}",
                "shape": shape,
                "model": ("Qwen/Qwen3-8B", "meta-llama/Llama-3.3-70B-Instruct")[i % 3 == 2],
                "requests_per_hour": 2000.0 * hosts * (1 + i),
                "people": 4 * hosts,
                "method": "qlora",
            }
        )
    half = max(hosts // 2, 1)
    groups = [
        {"name": "sliced", "count": half, "carving": "mig"},
        {"name": "whole", "count": max(hosts - half, 1)},
    ]
    return Scenario.from_dict({"portfolio": {"workloads": rows, "hosts": groups}})


def fleet_plan(hosts: int = 16) -> Callable[[], object]:
    """One slider step of the fleet page: a workload's load moves, and all is placed again."""
    scenario, catalogue = fleet_of(hosts), load_catalogue()
    rows = [dict(row) for row in scenario.to_dict()["portfolio"]["workloads"]]
    steps = []
    for step in range(1, 41):
        moved = [{**rows[0], "requests_per_hour": 1000.0 * hosts * (1 + step / 20)}, *rows[1:]]
        steps.append(scenario.changed({"portfolio.workloads": moved}))
    every = itertools.cycle(steps)
    return lambda: evaluate(next(every), catalogue).fleet


def cost_chain(name: str = "chat-assistant") -> Callable[[], CostDraws]:
    """Draws of all prices and of speed through the whole cost chain, in one call."""
    scenario, catalogue = load_example(name), load_catalogue()
    return lambda: cost_draws(scenario, catalogue, COST_DRAWS)


def candidates(
    model: str = "meta-llama/Meta-Llama-3.1-70B", count: int = CANDIDATES
) -> Callable[[], ReplicaMemory]:
    """``count`` random configurations of one model, sized in one call.

    GPU, weight and KV format, context, layout, utilisation and batch limits all vary at once.
    """
    catalogue, random = load_catalogue(), np.random.default_rng(7)
    engine, architecture = catalogue.engine("vllm"), catalogue.model(model)
    known = [g for g in catalogue.accelerators.values() if np.isfinite(g.memory_usable_bytes)]
    formats = [p for p in catalogue.precisions.values() if p.use != "kv"]
    gpus, stored = device(engine, known), weight_format(engine, formats)
    gpu = random.integers(len(known), size=count)
    form = random.integers(len(formats), size=count)
    arguments = {
        "gpu": Device(*(getattr(gpus, name)[gpu] for name in Device.__slots__)),
        "weights": WeightFormat(*(getattr(stored, name)[form] for name in WeightFormat.__slots__)),
        "kv_bits": random.choice([4.5, 8.0, 16.0], count),
        "context_tokens": random.integers(128, 131_073, count),
        "tensor_parallel": random.choice([1, 2, 4, 8, 16], count),
        "pipeline_parallel": random.choice([1, 2, 3, 4], count),
        "utilization_fraction": random.uniform(0.5, 0.98, count),
        "max_sequences": random.integers(1, 2049, count),
        "batched_tokens": random.choice([2048, 4096, 8192, 16384], count),
    }
    return lambda: replica_memory(architecture, engine=engine, **arguments)


def prediction(
    model: str = "meta-llama/Meta-Llama-3.1-70B", gpu: str = "h100-sxm-80gb"
) -> Callable[[], Prediction]:
    """The speed of one deployment on two GPUs, with its range."""
    reference = Reference.of(load_catalogue())
    case = reference.case(
        model, gpu, "fp8", isl=8192, osl=1024, concurrency=16, layout=Layout.of(2)
    )
    return lambda: predict_cases(case, reference)


def predictions(count: int = CANDIDATES) -> Callable[[], Prediction]:
    """``count`` random deployments of measured models and GPUs, predicted in one call.

    Model, GPU, weight format, engine, layout, prompt, answer and load all vary at once.
    """
    reference, random = Reference.of(load_catalogue()), np.random.default_rng(7)
    known = reference.catalogue.efficiencies
    models = np.array([reference.models.index(name) for name in sorted(known.models)])
    gpus = np.array([reference.gpus.index(name) for name in sorted(known.gpus)])
    weights = [reference.precisions.index(name) for name in ("bf16", "fp8", "awq-int4", "nvfp4")]
    caches = [reference.precisions.index(name) for name in ("bf16", "fp8-kv")]
    ranks = random.choice([1.0, 2.0, 4.0, 8.0], count)
    cases = Cases(
        model=random.choice(models, count),
        gpu=random.choice(gpus, count),
        precision=random.choice(weights, count),
        kv_precision=random.choice(caches, count),
        engine=random.integers(len(reference.engines), size=count),
        layout=Layout.of(ranks, random.choice([1.0, 2.0], count), gpus=16),
        isl=random.uniform(128, 32_768, count),
        osl=random.uniform(16, 2048, count),
        concurrency=2.0 ** random.integers(0, 11, count),
        utilization_fraction=random.uniform(0.8, 0.95, count),
    )
    return lambda: predict_cases(cases, reference)


def fresh_import() -> float:
    """Seconds to import planner in a new interpreter, with every name that it offers.

    The names are imported when first asked for, so ``import planner`` alone says little.
    """
    code = (
        "import time; start = time.perf_counter(); import planner; "
        "[getattr(planner, name) for name in planner.__all__]; "
        "print(time.perf_counter() - start)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return float(run.stdout)


def main() -> None:
    """Print the table."""
    rows: list[tuple[str, list[float], float | None]] = [
        (f"evaluate {name}", timed(evaluation(name), 200), LIMITS_S["evaluate"])
        for name in EXAMPLES
    ]
    rows += [
        (f"whole plan {name}", timed(whole_plan(name), 100), LIMITS_S["whole plan"])
        for name in EXAMPLES
    ]
    path = "demand.prompt_cv2"
    rows.append((f"the same, {path} moved", timed(whole_plan(EXAMPLES[0], path), 100), None))
    rows.append(("fleet of 16 hosts", timed(fleet_plan(), 40), LIMITS_S["fleet"]))
    rows.append(("10,000 cost draws", timed(cost_chain(), 10), LIMITS_S["10,000 cost draws"]))
    for model in ("meta-llama/Meta-Llama-3.1-70B", "openai/gpt-oss-120b"):
        times = timed(candidates(model), 5)
        rows.append((f"1e6 of {model.split('/')[1]}", times, LIMITS_S["a million candidates"]))
    rows.append(("predict", timed(prediction(), 200), LIMITS_S["predict"]))
    rows.append(("1e6 predictions", timed(predictions(), 2), LIMITS_S["a million predictions"]))
    rows.append(("import planner", [fresh_import() for _ in range(7)], LIMITS_S["import planner"]))
    rows.append(("load_catalogue", timed(lambda: load_catalogue(find_data()), 5), None))
    print(f"{'':34}{'median ms':>12}{'best ms':>12}{'limit ms':>12}")
    for name, times, limit in rows:
        allowed = f"{1e3 * limit:,.0f}" if limit else "-"
        print(
            f"{name:34}{1e3 * statistics.median(times):12,.2f}{1e3 * min(times):12,.2f}"
            f"{allowed:>12}"
        )


if __name__ == "__main__":
    main()
