"""How fast each layout of a scenario's replica serves each batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from planner.catalogue import QUANTITIES, Accelerator, Basis, Catalogue, weakest
from planner.memory import device, engine_limits, replica_memory, weight_format
from planner.performance import (
    RUNS,
    Cases,
    Keys,
    Layout,
    Reference,
    Replica,
    ReplicaSpeed,
    family,
    novelty,
    replica_speed,
)
from planner.plan.choice import Choice
from planner.serving import SpeedCurve

POINTS = 24
"""Batches at which a curve is computed, from one request to all slots."""
LARGEST_REPLICA_GPUS = 64.0
ENDS = ("low", "nominal", "high")
"""The 80 % range along the first axis of a ranged curve: fast, as predicted, slow."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Layouts of one replica with their speed; layouts along the first axis, batches along the
    last."""

    tensor_parallel: np.ndarray
    pipeline_parallel: np.ndarray
    slots: np.ndarray
    """Requests that one replica can hold [request]."""
    speed: ReplicaSpeed
    curve: SpeedCurve
    """With the ends of the 80 % range along its first axis."""
    factors: np.ndarray
    """Ends of the range by quantity: (quantity, end) [1]."""
    basis: Basis

    @property
    def gpus(self) -> np.ndarray:
        """GPUs of one replica [gpu]."""
        return self.tensor_parallel * self.pipeline_parallel


@dataclass(frozen=True, slots=True)
class Lengths:
    """Mean tokens of a request."""

    prompt: float
    answer: float
    cached_fraction: float = 0.0


def candidates(choice: Choice, catalogue: Catalogue, lengths: Lengths) -> Candidates:
    """Every layout that the scenario allows, with the speed of each at up to all its slots.

    Parameters
    ----------
    choice : Choice
    catalogue : Catalogue
    lengths : Lengths

    Returns
    -------
    Candidates

    >>> from planner.catalogue import load_catalogue
    >>> from planner.scenario import Scenario
    >>> c = load_catalogue()
    >>> found = candidates(Choice.of(Scenario(), c), c, Lengths(1000, 200))
    >>> bool((found.speed.tpot_s > 0).all())
    True
    """
    layouts = choice.layouts(choice.gpu.nvlink_domain_gpus)
    usable = np.ravel(layouts.allowed) & (
        layouts.tensor_parallel * layouts.pipeline_parallel <= LARGEST_REPLICA_GPUS
    )
    n, p = layouts.tensor_parallel[usable], layouts.pipeline_parallel[usable]
    return _of_layouts(choice, catalogue, lengths, n, p)


def sliced(
    choice: Choice, catalogue: Catalogue, lengths: Lengths, memory_bytes: Sequence[float]
) -> Candidates:
    """One GPU with less memory than it has, for each of several amounts; as fast as the whole one.

    Parameters
    ----------
    choice : Choice
    catalogue : Catalogue
    lengths : Lengths
    memory_bytes : sequence of float
        What a process may use of the GPU.

    Returns
    -------
    Candidates
        Amounts of memory in the place of layouts.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.scenario import Scenario
    >>> c = load_catalogue()
    >>> found = sliced(Choice.of(Scenario(), c), c, Lengths(1000, 200), (40e9, 85e9))
    >>> [bool(slots > 0) for slots in found.slots]
    [False, True]
    """
    parts = [replace(choice.gpu, memory_usable_bytes=float(value)) for value in memory_bytes]
    one = np.ones(len(parts))
    return _of_layouts(choice, catalogue, lengths, one, one, parts)


def _of_layouts(
    choice: Choice,
    catalogue: Catalogue,
    lengths: Lengths,
    n: np.ndarray,
    p: np.ndarray,
    gpus: Sequence[Accelerator] = (),
) -> Candidates:
    """With ``gpus``, one for each layout, in the place of the choice's own where memory counts."""
    slots = _slots(choice, lengths, n, p, gpus or [choice.gpu])
    reference = Reference.of(catalogue)
    # Half a slot is none, but a curve needs two points to be drawn.
    grid = np.maximum(slots, 2.0)[:, None] ** np.linspace(0.0, 1.0, POINTS)
    cases = _cases(choice, reference, n, p)
    replica = reference.replica(cases, choice.model)
    speed = replica_speed(
        replica,
        reference.model,
        _keys(choice, reference, cases, replica),
        grid,
        lengths.prompt,
        lengths.answer,
        lengths.cached_fraction,
    )
    factors, basis = _range(choice, reference, cases)
    tpot, ttft = (
        np.array([ends[0], 1.0, ends[1]])[:, None, None]
        for ends in (factors[QUANTITIES.index("tpot")], factors[QUANTITIES.index("ttft")])
    )
    curve = SpeedCurve(
        in_flight=grid,
        ttft_s=speed.ttft_s * ttft,
        tpot_s=speed.tpot_s * tpot,
        # While one stage works on a prompt, the others work on the next ones.
        prefill_s=np.broadcast_to(speed.prefill_s, grid.shape)[:, 0] / p * tpot[..., 0],
        slots=np.where(slots >= 1.0, slots, 0.0),
    )
    return Candidates(n, p, slots, speed, curve, factors, basis)


def _slots(
    choice: Choice, lengths: Lengths, n: np.ndarray, p: np.ndarray, gpus: Sequence[Accelerator]
) -> np.ndarray:
    deployment = choice.scenario.deployment
    gpu = device(choice.engine, gpus)
    held = replica_memory(
        choice.model,
        weight_format(choice.engine, [choice.weight_precision]),
        choice.kv_precision.bits_per_weight,
        choice.engine,
        gpu,
        context_tokens=lengths.prompt + lengths.answer / 2.0,
        tensor_parallel=n,
        pipeline_parallel=p,
        utilization_fraction=deployment.gpu_memory_utilization,
        max_sequences=deployment.engine_max_sequences,
        batched_tokens=deployment.engine_batched_tokens,
    )
    limit, _ = engine_limits(
        choice.engine,
        gpu.large_batch,
        _batch_limit(choice, bool(gpu.large_batch[0])),
        deployment.engine_batched_tokens,
    )
    pool, each = np.maximum(held.kv_pool_bytes, 0.0), np.maximum(held.sequence_bytes, 1e-9)
    return np.minimum(np.floor(pool / each), limit)


def _batch_limit(choice: Choice, large: bool) -> float | None:
    """The user's limit, or that of the engine's family, whose memory may be another's; None leaves
    it to the version that was chosen."""
    asked, family = choice.scenario.deployment.engine_max_sequences, choice.serving_engine
    if asked is not None or choice.engine.id != family.memory_profile:
        return asked
    return family.sequences_large if large else family.sequences_small


def _cases(choice: Choice, reference: Reference, n: np.ndarray, p: np.ndarray) -> Cases:
    """The scenario's choice as cases; the model's row is -1 when the catalogue does not hold it."""
    known = reference.models.index(choice.model.id) if choice.model.id in reference.models else -1
    index = (
        known,
        reference.gpus.index(choice.gpu.id),
        reference.precisions.index(choice.weight_precision.id),
        reference.precisions.index(choice.kv_precision.id),
        reference.engines.index(choice.serving_engine.id),
    )
    nothing = np.asarray(np.nan)
    layout = Layout.of(n[:, None], p[:, None])
    return Cases(*(np.asarray(at) for at in index), layout, *(nothing,) * 4)


def _keys(choice: Choice, reference: Reference, cases: Cases, replica: Replica) -> Keys:
    keys = reference.keys(cases, replica, np.asarray(RUNS.index("steady")))
    return replace(keys, family=np.asarray(family(choice.model)))


def _range(choice: Choice, reference: Reference, cases: Cases) -> tuple[np.ndarray, Basis]:
    """Ends of the range by quantity, and how we know the speed."""
    known = choice.gpu.id in reference.catalogue.efficiencies.gpus
    kind = int(reference.kind(cases) if cases.model >= 0 else novelty(False, known))
    basis = Basis.INTERPOLATED if kind == 0 else Basis.DERIVED
    if reference.speed.assumed[cases.gpu] > 0:
        basis = Basis.ASSUMED
    factors = reference.range_factors[:, kind, family(choice.model)]
    return factors, weakest(basis, choice.model.source.basis)
