"""The plan's second answer: how fast, and how many."""

import dataclasses
import math

import numpy as np
import pytest

from planner import InvalidScenario, Scenario, evaluate, explain, load_catalogue
from planner.catalogue import Basis
from planner.plan import answer_paths, served_by, simulation_steps_of
from planner.units import UNITS

CATALOGUE = load_catalogue()
CHAT = {
    "workload.model": "meta-llama/Meta-Llama-3.1-8B",
    "deployment.gpu": "h100-sxm-80gb",
    "deployment.weight_precision": "fp8",
    "demand.source": "population",
    "demand.users": 200_000,
}


def plan(**changes):
    """Evaluate the chat scenario with changes, dots written as two underscores."""
    named = {key.replace("__", "."): value for key, value in changes.items()}
    return evaluate(Scenario().changed({**CHAT, **named}), CATALOGUE)


def test_demand_of_people_by_hand():
    """200,000 people of whom a tenth ask ten times an hour: 55.6 requests a second."""
    asked = plan().demand
    assert asked.busiest_per_s == pytest.approx(200_000 * 0.1 * 10 / 3600)
    assert asked.peak_per_s >= asked.busiest_per_s >= asked.mean_per_s


def test_requests_in_flight_follow_little():
    """N = rate x time, with the mean rate of one replica and the mean time of its requests."""
    found = plan()
    serving, asked = found.serving, found.demand
    rate = asked.peak_per_s / serving.replicas
    time = serving.ttft_mean_s - mean_wait(found) + (asked.answer_tokens - 1) * serving.tpot_mean_s
    assert serving.batch == pytest.approx(rate * time, rel=0.05)


def mean_wait(found):
    """Waiting of the mean request: the difference to the curve at the mean batch."""
    curve = found.speed.curve
    return found.serving.ttft_mean_s - float(curve.ttft_at(found.serving.batch + 1.0))


def test_the_number_of_gpus_is_what_the_sentence_says():
    serving = plan().serving
    assert serving.gpus == serving.replicas * serving.gpus_per_replica
    assert serving.gpus_low <= serving.gpus <= serving.gpus_high
    assert serving.ttft_low_s < serving.ttft_s < serving.ttft_high_s
    assert serving.tpot_low_s < serving.tpot_s < serving.tpot_high_s
    level = Scenario().service_level
    assert serving.ttft_s <= level.ttft_s * 1.001
    assert serving.tpot_s <= level.tpot_s * 1.001


def test_one_replica_fewer_would_not_do():
    """The count is the smallest: with one less the rate of each is above what it sustains."""
    found = plan()
    serving = found.serving
    assert found.demand.peak_per_s / serving.replicas <= serving.capacity_per_s * 1.001
    assert found.demand.peak_per_s / (serving.replicas - 1) > serving.capacity_per_s


@pytest.mark.parametrize(
    ("field", "easy", "hard"),
    [
        ("demand.users", 100_000, 400_000),
        ("demand.requests_per_hour", 5.0, 20.0),
        ("demand.output_tokens", 100, 500),
        ("demand.prompt_tokens", 500, 4000),
        ("demand.cache_hit_fraction", 0.6, 0.0),
        ("demand.horizon_years", 0, 3),
        ("service_level.tpot_s", 0.1, 0.012),
        ("service_level.ttft_s", 10.0, 0.3),
        ("service_level.percentile", "50", "99"),
        ("service_level.queue_window_s", 3600, 1),
        ("deployment.gpu", "h200-sxm-141gb", "a100-sxm-80gb"),
    ],
)
def test_harder_demands_never_need_fewer_gpus(field, easy, hard):
    less, more = (
        evaluate(Scenario().changed({**CHAT, field: value}), CATALOGUE) for value in (easy, hard)
    )
    assert less.serving.gpus <= more.serving.gpus


def test_parts_of_a_token_sum_to_its_time():
    found = plan()
    parts = found.speed.parts
    batch = max(found.serving.batch, 1.0)
    assert parts.token_s.sum() == pytest.approx(float(found.speed.curve.tpot_at(batch)), rel=0.01)
    assert (parts.token_s >= 0).all() and (parts.first_s >= 0).all()
    without_queue = parts.first_s.sum() - parts.first_s[parts.first_names.index("queue")]
    assert without_queue == pytest.approx(float(found.speed.curve.ttft_at(batch)), rel=0.02)


def test_the_week_adds_up():
    found = plan(demand__duration="office")
    week, serving = found.speed.week, found.serving
    assert week.replicas.max() == serving.replicas
    assert (week.replicas[week.running == 0] == 0).all()
    share = week.replicas.sum() / (serving.replicas * week.running.sum())
    assert serving.idle_fraction == pytest.approx(1 - share)
    assert serving.gpu_hours_per_year == pytest.approx(serving.gpus * found.demand.hours_per_year)


def test_an_impossible_service_level_is_said_plainly():
    found = plan(service_level__ttft_s=0.05, demand__prompt_tokens=30_000)
    assert not found.speed.feasible
    assert math.isinf(found.serving.gpus)
    assert "first token" in found.speed.reason and "allow more time" in found.speed.reason
    assert found.fit.gpus >= 1  # What memory needs is still known.
    slow = plan(
        service_level__tpot_s=0.005,
        workload__model="meta-llama/Llama-3.3-70B-Instruct",
        deployment__tensor_parallel=2,
    )
    assert "per output token" in slow.speed.reason


def test_a_log_brings_its_own_demand():
    found = plan(demand__source="log", demand__log="azure-2023-conversation")
    assert found.demand.prompt_tokens == pytest.approx(1154.7, abs=0.1)
    assert found.demand.answer_tokens == pytest.approx(211.1, abs=0.1)
    assert math.isnan(found.demand.active_users)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"demand.source": "log", "demand.log": "uploaded"}, "demand.log_profile"),
        ({"demand.source": "log", "demand.log": "nobody-s"}, "demand.log"),
        ({"demand.week_shape": "round"}, "demand.week_shape"),
    ],
)
def test_a_demand_that_is_not_there_names_its_field(changes, field):
    found = evaluate(Scenario().changed({**CHAT, **changes}), CATALOGUE)
    with pytest.raises(InvalidScenario) as caught:
        _ = found.speed
    assert caught.value.field == field
    assert found.to_dict()["serving_error"] == str(caught.value)


@pytest.mark.parametrize("path", [p for p in answer_paths() if p.startswith(("demand", "serving"))])
def test_every_answer_explains_itself(path):
    told = explain(plan(), path)
    assert told.formula and told.worked and "{" not in told.worked + told.note
    assert isinstance(told.basis, Basis)
    record = getattr(plan(), path.split(".")[0])
    field = {f.name: f for f in dataclasses.fields(record)}[path.split(".")[1]]
    assert field.metadata["unit"] in UNITS


@pytest.mark.parametrize("engine", ["vllm", "tensorrt-llm", "sglang", "generic", "vllm-0.11"])
def test_every_engine_serves(engine):
    assert plan(deployment__engine=engine).serving.gpus >= 1


def test_the_users_own_model_has_a_speed_too():
    found = plan(workload__model_source="size", workload__model_parameters=30e9)
    assert found.serving.gpus >= 1
    assert found.basis("serving.slots") >= Basis.DERIVED


def run(steps):
    """Progress and result of a simulation."""
    progress = []
    while True:
        try:
            progress.append(next(steps))
        except StopIteration as end:
            return progress, end.value


def test_the_simulation_confirms_the_service_level():
    progress, check = run(simulation_steps_of(plan()))
    assert progress == sorted(progress) and len(progress) >= 10
    assert check.within_fraction >= 0.95
    assert abs(check.tpot_disagreement_fraction) < 0.25
    again = run(simulation_steps_of(plan()))[1]
    assert again == check


def test_hosts_at_hand_answer_the_inverse_question():
    hosts = Scenario().changed(
        {
            "deployment.gpu": "l40s-48gb",
            "deployment.gpus_per_host": 4,
            "deployment.hosts": 2,
            "demand.users": 5000,
        }
    )
    table = served_by(hosts, CATALOGUE)
    assert table.gpus == 8 and "L40S" in table.gpu_name
    rows = len(table.model_ids)
    assert rows > 20 and len(set(table.model_ids)) == rows
    carries = table.feasible > 0
    assert not (carries[1:] & ~carries[:-1]).any()  # Those that carry the demand come first.
    size = table.total_parameters[carries]
    assert (np.diff(size) <= 0).all()
    assert (table.tensor_parallel * table.replicas <= 8).all()
    assert (table.user_tokens_per_s >= 1 / Scenario().service_level.tpot_s * 0.99).all()
    assert "meta-llama/Meta-Llama-3.1-405B" not in table.model_ids  # 405B does not fit 8 x 48 GB.


def test_one_row_of_the_inverse_is_the_plan_for_that_model():
    """What the table says of a model, its own plan says too."""
    hosts = {
        "deployment.gpu": "h100-sxm-80gb",
        "deployment.gpus_per_host": 8,
        "deployment.hosts": 1,
    }
    table = served_by(Scenario().changed({**CHAT, **hosts}), CATALOGUE)
    at = table.model_ids.index("meta-llama/Llama-3.3-70B-Instruct")
    own = evaluate(
        Scenario().changed(
            {
                **CHAT,
                **hosts,
                "workload.model": table.model_ids[at],
                "deployment.weight_precision": table.precision_ids[at],
                "deployment.tensor_parallel": int(table.tensor_parallel[at]),
                "deployment.pipeline_parallel": 1,
            }
        ),
        CATALOGUE,
    )
    each = table.requests_per_s[at] / table.replicas[at]
    assert own.serving.capacity_per_s == pytest.approx(each, rel=0.05)


@pytest.mark.parametrize("engine", ["tensorrt-llm", "sglang"])
def test_a_batch_is_limited_by_its_own_engine(engine: str) -> None:
    """A small model leaves room for more conversations than any engine takes at once."""
    catalogue = load_catalogue()
    scenario = Scenario().changed(
        {
            "workload.model": "Qwen/Qwen3-0.6B",
            "workload.context_tokens": 512,
            "demand.prompt_tokens": 64,
            "demand.output_tokens": 16,
            "deployment.engine": engine,
            "deployment.engine_batched_tokens": 16384,
        }
    )
    family = catalogue.serving_engine(engine)
    assert evaluate(scenario, catalogue).serving.slots == family.sequences_large
