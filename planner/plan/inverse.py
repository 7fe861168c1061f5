"""The inverse question: what can hardware serve that is already there?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.catalogue import Catalogue
from planner.performance import RUNS, Cases, Layout, Reference, replica_speed
from planner.plan.choice import Choice
from planner.plan.demand_plan import Asked, asked
from planner.plan.serving import target_of, traffic_of
from planner.scenario import Scenario
from planner.serving import SpeedCurve, interpolate, replica_capacity

POINTS = 12
"""Batches of each curve: fewer than for one plan, as a thousand are drawn."""


@dataclass(frozen=True, slots=True)
class ServedTable:
    """What hosts can serve within the service level, best first; arrays by row."""

    gpu_name: str
    hosts: int
    gpus: int
    model_ids: tuple[str, ...]
    model_names: tuple[str, ...]
    precision_ids: tuple[str, ...]
    precision_labels: tuple[str, ...]
    tensor_parallel: np.ndarray
    replicas: np.ndarray
    requests_per_s: np.ndarray
    """All replicas together, within the service level [request/s]."""
    users: np.ndarray
    """People served; infinite for a public, whom nobody counts [1]."""
    concurrency: np.ndarray
    """Requests in flight at that rate, on all replicas [request]."""
    user_tokens_per_s: np.ndarray
    """Mean speed that each user sees at that rate [token/s]."""
    ttft_s: np.ndarray
    """Mean time to the first token at that rate, without waiting [s]."""
    tokens_per_s: np.ndarray
    """Answer tokens of all replicas [token/s]."""
    total_parameters: np.ndarray
    feasible: np.ndarray
    """1 where it carries the whole demand."""


def served_by(scenario: Scenario, catalogue: Catalogue) -> ServedTable:
    """Every model in its best format on the scenario's hosts, for the scenario's demand.

    Each model takes the widest format that carries the whole demand, else the format that carries
    most. Models that carry it come first, then the larger, as size is the best single sign of
    ability; what serves nothing within the service level is left out.

    Parameters
    ----------
    scenario : Scenario
        ``deployment.hosts`` hosts of ``deployment.gpus_per_host`` of ``deployment.gpu``.
    catalogue : Catalogue

    Returns
    -------
    ServedTable

    >>> from planner.catalogue import load_catalogue
    >>> two = Scenario().changed({"deployment.gpu": "l40s-48gb", "deployment.gpus_per_host": 4})
    >>> len(served_by(two, load_catalogue()).model_ids) > 20
    True
    """
    choice, ask = Choice.of(scenario, catalogue), asked(scenario)
    reference = Reference.of(catalogue)
    gpus = scenario.deployment.hosts * scenario.deployment.gpus_per_host
    cases = _every_case(choice, reference, ask, gpus)
    replica = reference.replica(cases)
    slots, _ = reference.slots(cases, replica, cases.isl + cases.osl / 2.0)
    keep = np.flatnonzero(np.floor(slots) >= 1.0)
    return _table(choice, reference, ask, cases.rows(keep), np.floor(slots[keep]))


def _every_case(choice: Choice, reference: Reference, ask: Asked, gpus: int) -> Cases:
    """Models by formats by tensor parallel, as one list."""
    catalogue, deployment = reference.catalogue, choice.scenario.deployment
    models = np.array(
        [at for at, one in enumerate(catalogue.models.values()) if one.kind == "generative"]
    )
    formats = np.array(_formats(choice, reference))
    widest = choice.gpu.nvlink_domain_gpus if choice.gpu.nvlink_domain_gpus > 8 else 0
    ranks = np.array([n for n in (1, 2, 4, 8) if n <= max(deployment.gpus_per_host, widest)])
    m, f, n = (axis.ravel() for axis in np.meshgrid(models, formats, ranks, indexing="ij"))
    heads = reference.architecture.attention_heads[m]
    narrow = reference.stored.bits_per_weight[f] <= _native_bits(reference)[m] + 1e-9
    fits = (np.mod(heads, n) == 0) & (n <= gpus) & narrow
    m, f, n = m[fits], f[fits], n[fits].astype(float)
    lengths = ask.lengths
    same = np.ones(len(m))
    return Cases(
        model=m,
        gpu=np.full(len(m), reference.gpus.index(choice.gpu.id)),
        precision=f,
        kv_precision=np.full(len(m), reference.precisions.index(choice.kv_precision.id)),
        engine=np.full(len(m), reference.engines.index(choice.serving_engine.id)),
        layout=Layout(n, n, same, np.floor(gpus / n)),
        isl=same * lengths.prompt,
        osl=same * lengths.answer,
        concurrency=same,
        utilization_fraction=same * deployment.gpu_memory_utilization,
    )


def _formats(choice: Choice, reference: Reference) -> list[int]:
    """Formats that the GPU computes; GGUF files are for engines of their own."""
    catalogue, gguf = reference.catalogue, choice.serving_engine.id == "generic"
    return [
        at
        for at, one in enumerate(catalogue.precisions.values())
        if one.in_map
        and one.use != "kv"
        and catalogue.computed_as[choice.gpu.id, one.id]
        and (gguf or not one.id.startswith("gguf"))
    ]


def _native_bits(reference: Reference) -> np.ndarray:
    """Bits per weight in which each model is published; wider copies of it gain nothing."""
    catalogue = reference.catalogue
    return np.array(
        [
            catalogue.weight_precision(one.native_precision).bits_per_weight
            for one in catalogue.models.values()
        ]
    )


def _table(
    choice: Choice, reference: Reference, ask: Asked, cases: Cases, slots: np.ndarray
) -> ServedTable:
    curve = _curves(reference, ask, cases, slots)
    traffic = traffic_of(ask)
    capacity = replica_capacity(curve, traffic, target_of(choice.scenario))
    replicas = cases.layout.replicas
    rate, users = capacity.rate_per_s * replicas, capacity.users * replicas
    served = ask.plan.active_users <= users if not traffic.is_open else ask.plan.peak_per_s <= rate
    best = _best(reference, cases, rate, served)
    held = np.maximum(capacity.in_flight[best], 1.0)
    picked = cases.rows(best)
    tpot = interpolate(curve.in_flight[best], curve.tpot_s[best], held)
    catalogue = reference.catalogue
    models = [catalogue.models[reference.models[at]] for at in picked.model]
    formats = [catalogue.precisions[reference.precisions[at]] for at in picked.precision]
    return ServedTable(
        gpu_name=choice.gpu.name,
        hosts=choice.scenario.deployment.hosts,
        gpus=choice.scenario.deployment.hosts * choice.scenario.deployment.gpus_per_host,
        model_ids=tuple(one.id for one in models),
        model_names=tuple(one.name for one in models),
        precision_ids=tuple(one.id for one in formats),
        precision_labels=tuple(one.label for one in formats),
        tensor_parallel=picked.layout.tensor_parallel,
        replicas=replicas[best],
        requests_per_s=rate[best],
        users=np.floor(users[best]),
        concurrency=capacity.in_flight[best] * replicas[best],
        user_tokens_per_s=1.0 / tpot,
        ttft_s=interpolate(curve.in_flight[best], curve.ttft_s[best], held),
        tokens_per_s=rate[best] * ask.lengths.answer,
        total_parameters=np.array([one.total_parameters for one in models], dtype=float),
        feasible=served[best].astype(float),
    )


def _curves(reference: Reference, ask: Asked, cases: Cases, slots: np.ndarray) -> SpeedCurve:
    """One speed curve for each case."""
    columns = cases.rows((slice(None), None))
    replica = reference.replica(columns)
    grid = np.maximum(slots, 2.0)[:, None] ** np.linspace(0.0, 1.0, POINTS)
    keys = reference.keys(columns, replica, np.asarray(RUNS.index("steady")))
    lengths = ask.lengths
    speed = replica_speed(
        replica,
        reference.model,
        keys,
        grid,
        lengths.prompt,
        lengths.answer,
        lengths.cached_fraction,
    )
    prefill = np.broadcast_to(speed.prefill_s, grid.shape)[:, 0]
    return SpeedCurve(grid, speed.ttft_s, speed.tpot_s, prefill, slots)


def _best(reference: Reference, cases: Cases, rate: np.ndarray, served: np.ndarray) -> np.ndarray:
    """The row of each model that is shown, best model first."""
    bits = reference.stored.bits_per_weight[cases.precision]
    # Of the formats that carry the demand the widest; of the others the one that carries most.
    order = np.lexsort((-rate, np.where(served, -bits, 0.0), ~served, cases.model))
    _, first = np.unique(cases.model[order], return_index=True)
    rows = order[first]
    rows = rows[rate[rows] > 0]
    size = reference.architecture.total_parameters[cases.model[rows]]
    return rows[np.lexsort((-rate[rows], -size, ~served[rows]))]
