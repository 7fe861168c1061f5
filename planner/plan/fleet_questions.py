"""A row of the portfolio as a question of its own: the scenario with that row's workload."""

from __future__ import annotations

from planner.catalogue import Catalogue
from planner.errors import InvalidScenario, MissingData, PlannerError
from planner.plan.choice import Choice
from planner.scenario import FleetWorkload, Scenario
from planner.scenario.portfolio import MAIN

PER_HOST = (8, 4, 2, 1)
"""GPUs of a host that a replica may use: what tensor parallel can divide by [gpu]."""
LEAST_CONTEXT = 128


def rows_of(scenario: Scenario) -> tuple[FleetWorkload, ...]:
    """The workloads of a portfolio in their order: by priority, then by row.

    Parameters
    ----------
    scenario : Scenario

    Returns
    -------
    tuple of FleetWorkload

    >>> [row.name for row in rows_of(Scenario())]
    ['this scenario']
    """
    asked = scenario.portfolio
    rows = asked.workloads
    if asked.include_main:
        when = {"always": "always", "office": "office hours", "campaign": "always"}
        rows = (FleetWorkload(name=MAIN, when=when[scenario.demand.duration]), *rows)
    order = ("high", "normal", "low")
    return tuple(sorted(rows, key=lambda row: order.index(row.priority)))


def choice_of(
    row: FleetWorkload, scenario: Scenario, catalogue: Catalogue, gpu: str, host_gpus: int
) -> Choice:
    """The row's workload on one kind of host.

    Parameters
    ----------
    row : FleetWorkload
    scenario : Scenario
        What the row leaves open is this one's.
    catalogue : Catalogue
    gpu : str
        Accelerator id.
    host_gpus : int
        GPUs of one host.

    Returns
    -------
    Choice

    Raises
    ------
    InvalidScenario, MissingData
        The sentence names the row.

    >>> from planner.catalogue import load_catalogue
    >>> row = FleetWorkload(name="tuned", model="Qwen/Qwen3-8B")
    >>> choice_of(row, Scenario(), load_catalogue(), "l40s-48gb", 4).gpu.id
    'l40s-48gb'
    """
    try:
        return Choice.of(_scenario_of(row, scenario, catalogue, gpu, host_gpus), catalogue)
    except (InvalidScenario, MissingData) as error:
        raise in_row(error, row) from None


def in_row(error: PlannerError, row: FleetWorkload) -> PlannerError:
    """The same failure, with the name of the workload that met it.

    Parameters
    ----------
    error : PlannerError
    row : FleetWorkload

    Returns
    -------
    PlannerError

    >>> str(in_row(MissingData("There is no model."), FleetWorkload(name="chat")))
    'chat: There is no model.'
    """
    return type(error)(f"{row.name}: {error}", field="portfolio.workloads")


def _scenario_of(
    row: FleetWorkload, scenario: Scenario, catalogue: Catalogue, gpu: str, host_gpus: int
) -> Scenario:
    """Checked pieces are put together without checking the whole document again."""
    per_host = next(count for count in PER_HOST if count <= host_gpus)
    deployment = {"gpu": gpu, "gpus_per_host": per_host}
    if row.name == MAIN:
        return scenario.model_copy(
            update={"deployment": scenario.deployment.model_copy(update=deployment)}
        )
    deployment |= {"tensor_parallel": None, "pipeline_parallel": None}
    if row.weight_precision:
        deployment["weight_precision"] = row.weight_precision
    tokens = row.prompt_tokens + row.output_tokens if row.shape != "training" else 0
    workload = {"context_tokens": max(int(tokens), LEAST_CONTEXT), "concurrent_sequences": 1}
    if row.model:
        workload |= {"model": row.model, "model_source": "catalogue"}
        model = catalogue.models.get(row.model)
        if model is not None and model.kind != "generative":
            workload["context_tokens"] = max(row.prompt_tokens, 1)
    demand = {
        "source": "population",
        "users": max(round(row.requests_per_hour), 1),
        "active_fraction": 1.0,
        "requests_per_hour": 1.0,
        "prompt_tokens": row.prompt_tokens,
        "output_tokens": row.output_tokens,
        "duration": "always",
        "horizon_years": 0,
    }
    level = {"ttft_s": row.ttft_s, "tpot_s": row.tpot_s, "percentile": "95"}
    return scenario.model_copy(
        update={
            "deployment": scenario.deployment.model_copy(update=deployment),
            "workload": scenario.workload.model_copy(update=workload),
            "demand": scenario.demand.model_copy(update=demand),
            "service_level": scenario.service_level.model_copy(update=level),
        }
    )
