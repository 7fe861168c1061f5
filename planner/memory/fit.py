"""How much fits: tokens, conversations, and the smallest number of GPUs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.catalogue import Architecture, Engine
from planner.memory.engine import (
    Device,
    WeightFormat,
    activation_bytes,
    engine_limits,
    runtime_reserve_bytes,
)
from planner.memory.state import reserved_sequence_bytes, sequence_bytes, token_bytes
from planner.memory.weights import WeightBytes, weight_bytes_per_gpu

TENSOR_PARALLEL = (1, 2, 4, 8, 16, 32, 64)
PIPELINE_PARALLEL = (1, 2, 3, 4, 6, 8)


@dataclass(frozen=True, slots=True)
class ReplicaMemory:
    """Memory on the fullest GPU of one replica; every field broadcasts.

    >>> ReplicaMemory.__slots__[0]
    'weights'
    """

    weights: WeightBytes
    activations_bytes: Any
    """Peak of intermediate results in one engine step [byte]."""
    runtime_reserve_bytes: Any
    """Driver context, communication buffers, captured graphs [byte]."""
    kv_pool_bytes: Any
    """What is left for KV cache inside the engine's share; negative when short [byte]."""
    token_bytes: Any
    """Reserved per token [byte]."""
    sequence_bytes: Any
    """Reserved per conversation of the asked length [byte]."""
    sequence_mathematics_bytes: Any
    """Needed per conversation by the mathematics alone [byte]."""
    capacity_tokens: Any
    """Tokens that the pool holds when shared by conversations of this length [token]; infinite
    without a KV cache."""
    sequences: Any
    """Conversations of the asked length that the pool holds at once [sequence]."""

    @property
    def fixed_bytes(self) -> Any:
        """Weights, activations and reserve [byte]."""
        return self.weights.total_bytes + self.activations_bytes + self.runtime_reserve_bytes


def replica_memory(
    architecture: Architecture,
    weights: WeightFormat,
    kv_bits: Any,
    engine: Engine,
    gpu: Device,
    *,
    context_tokens: Any,
    tensor_parallel: Any = 1,
    pipeline_parallel: Any = 1,
    utilization_fraction: Any = 0.9,
    max_sequences: Any = None,
    batched_tokens: Any = None,
    attention_parallel: Any = None,
) -> ReplicaMemory:
    """Everything one GPU of a replica holds, and what fits in the rest.

    ::

        pool      = u * M - weights - activations - reserve
        sequences = floor(pool / sequence_bytes)
        tokens    = floor(pool / sequence_bytes * c)

    Parameters
    ----------
    architecture : Architecture
    weights : WeightFormat
    kv_bits : float or array [bit/weight]
    engine : Engine
    gpu : Device
    context_tokens : int or array [token]
        Length ``c`` of each conversation.
    tensor_parallel, pipeline_parallel : int or array [gpu]
    utilization_fraction : float or array [fraction]
        Share ``u`` of the memory ``M`` that the engine may take.
    max_sequences, batched_tokens : int or array, optional [1]
        The engine's limits; ``None`` takes its defaults for this GPU.
    attention_parallel : int or array, optional [gpu]
        Ranks that share the attention of one sequence; all of them by default.

    Returns
    -------
    ReplicaMemory

    Notes
    -----
    One call serves one configuration or a million: all arguments broadcast,
    and so do the numbers inside the records.

    Source: vLLM's ``determine_available_memory`` for the balance.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.memory import device, weight_format
    >>> c = load_catalogue(); vllm = c.engine("vllm")
    >>> one = replica_memory(
    ...     c.model("Qwen/Qwen3-8B"), weight_format(vllm, [c.weight_precision("bf16")]), 16.0,
    ...     vllm, device(vllm, [c.accelerator("h100-sxm-80gb")]), context_tokens=8192)
    >>> int(one.sequences[0]) > 30
    True
    """
    layout = (tensor_parallel, pipeline_parallel)
    own = (tensor_parallel if attention_parallel is None else attention_parallel, pipeline_parallel)
    limit_sequences, limit_tokens = engine_limits(
        engine, gpu.large_batch, max_sequences, batched_tokens
    )
    held = weight_bytes_per_gpu(
        architecture,
        weights,
        *layout,
        engine.vocabulary_multiple,
        weights.expert_multiple,
        attention_parallel,
    )
    activations = activation_bytes(
        architecture, engine, limit_sequences, limit_tokens, tensor_parallel, weights.moe_workspace
    )
    reserve = runtime_reserve_bytes(
        engine, gpu, np.asarray(tensor_parallel) * np.asarray(pipeline_parallel), limit_sequences
    )
    budget = np.asarray(utilization_fraction) * gpu.memory_bytes
    pool = budget - held.total_bytes - activations - reserve
    in_flight = np.where(engine.windowed_pages > 0, limit_tokens, np.inf)
    reserved = reserved_sequence_bytes(
        architecture, kv_bits, context_tokens, *own, engine.block_tokens, in_flight
    )
    return ReplicaMemory(
        weights=held,
        activations_bytes=activations,
        runtime_reserve_bytes=reserve,
        kv_pool_bytes=pool,
        token_bytes=token_bytes(architecture, kv_bits, *own),
        sequence_bytes=reserved,
        sequence_mathematics_bytes=sequence_bytes(architecture, kv_bits, context_tokens, *own),
        capacity_tokens=_whole(pool * np.asarray(context_tokens, dtype=float), reserved),
        sequences=_whole(pool, reserved),
    )


@dataclass(frozen=True, slots=True)
class Layouts:
    """Candidate ways to spread one replica, along the last axis.

    >>> one_stage = Layouts.of(8, 8, 64, pipeline_parallel=1)
    >>> [int(n) for n in one_stage.tensor_parallel[one_stage.allowed]]
    [1, 2, 4, 8]
    """

    tensor_parallel: np.ndarray
    """Ranks that share every layer [gpu]."""
    pipeline_parallel: np.ndarray
    """Stages of consecutive layers [gpu]."""
    rank: np.ndarray
    """Order of preference among equal GPU counts: fewer stages, then fewer ranks [1]."""
    allowed: np.ndarray
    """Which candidates the heads and the host allow; broadcasts over GPUs."""

    @classmethod
    def of(
        cls,
        domain_gpus: Any,
        gpus_per_host: Any,
        attention_heads: float,
        tensor_parallel: int | None = None,
        pipeline_parallel: int | None = None,
    ) -> Layouts:
        """The candidates that an engine accepts and an engineer would build.

        Tensor parallel stays inside a host, or inside the larger domain that
        the GPUs share, and divides the attention heads. Pipeline stages are
        added only when tensor parallel is as wide as it may be.

        Parameters
        ----------
        domain_gpus : int or array [gpu]
            GPUs that share one fast interconnect.
        gpus_per_host : int [gpu]
        attention_heads : float [1]
        tensor_parallel, pipeline_parallel : int, optional [gpu]
            Fixed by the user; a fixed value is kept even across hosts.

        Returns
        -------
        Layouts

        >>> fixed = Layouts.of(8, 4, 64, pipeline_parallel=2)
        >>> [int(n) for n in fixed.tensor_parallel[fixed.allowed]]
        [1, 2, 4]
        """
        n, p = (
            grid.ravel().astype(float)
            for grid in np.meshgrid(
                (tensor_parallel,) if tensor_parallel else TENSOR_PARALLEL,
                (pipeline_parallel,) if pipeline_parallel else PIPELINE_PARALLEL,
                indexing="ij",
            )
        )
        widest = np.where(np.asarray(domain_gpus) > 8, domain_gpus, np.asarray(gpus_per_host))[
            ..., None
        ]
        divides = np.mod(attention_heads, n) == 0 if attention_heads else n == 1
        fits = divides & ((n <= widest) | (tensor_parallel is not None))
        if pipeline_parallel is None:
            largest = np.max(np.where(fits, n, 0.0), axis=-1, keepdims=True)
            fits = fits & ((p == 1) | (n == largest))
        return cls(n, p, p * 1e3 + n, fits)

    def only(self, best: SmallestFit) -> Layouts:
        """The one candidate that was chosen.

        Parameters
        ----------
        best : SmallestFit
            Of a single GPU and precision.

        Returns
        -------
        Layouts
        """
        n, p = np.atleast_1d(best.tensor_parallel), np.atleast_1d(best.pipeline_parallel)
        return Layouts(n, p, np.zeros(1), np.ones(1, dtype=bool))


@dataclass(frozen=True, slots=True)
class SmallestFit:
    """The fewest GPUs that hold the load, one answer per GPU and precision.

    >>> SmallestFit.__slots__[0]
    'gpus'
    """

    gpus: Any
    """All replicas together; infinite when nothing fits [gpu]."""
    replicas: Any
    """Copies of the model [1]."""
    tensor_parallel: Any
    """Ranks of each [gpu]."""
    pipeline_parallel: Any
    """Stages of each [gpu]."""
    sequences_per_replica: Any
    """Conversations that one replica holds [sequence]."""
    best_pool_bytes: Any
    """Largest KV pool of any allowed layout, per GPU; negative when even the weights do not
    fit [byte]."""


def smallest_fit(memory: ReplicaMemory, layouts: Layouts, concurrent_sequences: Any) -> SmallestFit:
    """The layout with the fewest GPUs among candidates along the last axis.

    .. math:: gpus = \\min_{n, p} n \\cdot p \\cdot \\lceil S / sequences(n, p) \\rceil

    Equal counts prefer fewer pipeline stages, then fewer tensor-parallel
    ranks: more, smaller replicas fail one at a time.

    Parameters
    ----------
    memory : ReplicaMemory
        Computed for ``layouts`` along the last axis.
    layouts : Layouts
    concurrent_sequences : int or array [sequence]

    Returns
    -------
    SmallestFit
        The last axis is gone.

    Source: search over all candidates; no publication.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.memory import device, weight_format
    >>> c = load_catalogue(); vllm = c.engine("vllm")
    >>> model, layouts = c.model("meta-llama/Meta-Llama-3.1-70B"), Layouts.of(8, 8, 64)
    >>> memory = replica_memory(model, weight_format(vllm, [c.weight_precision("bf16")]), 16.0,
    ...     vllm, device(vllm, [c.accelerator("h100-sxm-80gb")]), context_tokens=4096,
    ...     tensor_parallel=layouts.tensor_parallel, pipeline_parallel=layouts.pipeline_parallel)
    >>> int(smallest_fit(memory, layouts, 16).gpus)
    4
    """
    n, p = layouts.tensor_parallel, layouts.pipeline_parallel
    held = np.where(layouts.allowed & (memory.kv_pool_bytes >= 0), memory.sequences, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        replicas = np.ceil(np.asarray(concurrent_sequences, dtype=float) / held)
    # An embedding model keeps no state: any number of sequences fits one replica.
    replicas = np.maximum(replicas, 1.0)
    gpus = n * p * replicas
    order = np.where(np.isfinite(gpus), gpus * 1e6 + layouts.rank, np.inf)
    best = np.argmin(order, axis=-1)
    held_there = np.take_along_axis(held, best[..., None], axis=-1)[..., 0]
    n, p = n[best], p[best]
    with np.errstate(divide="ignore", invalid="ignore"):
        replicas = np.maximum(np.ceil(np.asarray(concurrent_sequences, float) / held_there), 1.0)
    return SmallestFit(
        gpus=n * p * replicas,
        replicas=replicas,
        tensor_parallel=n,
        pipeline_parallel=p,
        sequences_per_replica=held_there,
        best_pool_bytes=np.max(np.where(layouts.allowed, memory.kv_pool_bytes, -np.inf), axis=-1),
    )


def _whole(pool_bytes: Any, each_bytes: Any) -> Any:
    """How many whole pieces the pool holds; none when it is negative."""
    with np.errstate(divide="ignore", invalid="ignore"):
        count = np.floor(np.maximum(pool_bytes, 0.0) / each_bytes)
    unlimited = np.where(np.asarray(pool_bytes) >= 0, np.inf, 0.0)
    return np.where(np.asarray(each_bytes) > 0, count, unlimited)
