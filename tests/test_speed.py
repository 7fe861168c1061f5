"""The times that a slider and a sweep depend on, on one core.

The best of several runs counts, so that a busy machine does not fail a test that the code
passes; ``python scripts/measure_speed.py`` prints medians too.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tracemalloc
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.benchmark


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


speed = _script("measure_speed")


@pytest.mark.parametrize("example", speed.EXAMPLES)
def test_a_slider_step_takes_two_milliseconds(example: str) -> None:
    best = min(speed.timed(speed.evaluation(example), 100))
    assert best < speed.LIMITS_S["evaluate"]


@pytest.mark.parametrize("example", speed.EXAMPLES)
def test_a_plan_with_all_its_costs_takes_ten_milliseconds(example: str) -> None:
    assert min(speed.timed(speed.whole_plan(example), 100)) < speed.LIMITS_S["whole plan"]


def test_a_fleet_of_sixteen_hosts_is_placed_in_thirty_milliseconds() -> None:
    step = speed.fleet_plan()
    assert step().pieces_placed >= 100
    assert min(speed.timed(step, 40)) < speed.LIMITS_S["fleet"]


def test_ten_thousand_draws_of_all_costs_take_a_second() -> None:
    chain = speed.cost_chain()
    assert chain().total_usd.shape[0] == speed.COST_DRAWS == 10_000
    assert min(speed.timed(chain, 5)) < speed.LIMITS_S["10,000 cost draws"]


@pytest.mark.parametrize("model", ["meta-llama/Meta-Llama-3.1-70B", "openai/gpt-oss-120b"])
def test_a_million_candidates_take_a_second(model: str) -> None:
    sweep = speed.candidates(model)
    found = sweep()
    for values in (found.kv_pool_bytes, found.sequence_bytes, found.sequences):
        assert values.shape == (speed.CANDIDATES,) and not np.isnan(values).any()
    assert 0.05 < np.mean(found.sequences > 0) < 0.95, "an unrealistic spread"
    assert min(speed.timed(sweep, 5)) < speed.LIMITS_S["a million candidates"]


def test_a_prediction_takes_a_millisecond() -> None:
    predict = speed.prediction()
    assert np.isfinite(predict().tpot_s).all()
    assert min(speed.timed(predict, 200)) < speed.LIMITS_S["predict"]


def test_a_million_predictions_take_three_seconds_and_a_gigabyte() -> None:
    predict = speed.predictions()
    tracemalloc.start()
    found = predict()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1e9
    assert found.tpot_s.shape == (speed.CANDIDATES,)
    assert 0.3 < np.mean(np.isfinite(found.tpot_s)) < 0.99, "an unrealistic spread"
    assert min(speed.timed(predict, 2)) < speed.LIMITS_S["a million predictions"]


def test_import_takes_half_a_second() -> None:
    assert min(speed.fresh_import() for _ in range(5)) < speed.LIMITS_S["import planner"]


def test_the_table_prints() -> None:
    """As a user runs it, with one thread."""
    run = subprocess.run(
        [sys.executable, "scripts/measure_speed.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert "load_catalogue" in run.stdout and "limit ms" in run.stdout
