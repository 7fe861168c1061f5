"""What a fine-tune holds in a GPU's memory, and the fewest GPUs that hold it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from planner.catalogue import Architecture
from planner.errors import InvalidScenario
from planner.training.methods import Method, adapter_parameters, trained_parameters

GPU_COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
"""Numbers of GPUs that are tried [gpu]."""
FULL_SHARDING = 3
"""ZeRO stage: 0 data parallel, 1 shards optimiser states, 2 gradients too, 3 weights too (FSDP)."""


@dataclass(frozen=True, slots=True)
class TrainingMemory:
    """Memory on one GPU at the peak of a training step; the parts sum to the total.

    What takes turns in the same memory is counted once: gradients grow as activations are freed,
    and one layer's activations are computed again after the logits are gone. Such a part holds
    only what it needs beyond the one before it.

    >>> TrainingMemory(4.0, 1.0, 2.0, 0.5, 1.0, 1.0, 0.0, 0.5, 1.0, 0.9, 1.2).total_bytes
    11.0
    """

    weights_bytes: Any
    """Weights of the model [byte]."""
    gradients_bytes: Any
    """Gradients beyond the activations and logits that they replace [byte]."""
    optimizer_bytes: Any
    """Optimiser states and master copy [byte]."""
    adapters_bytes: Any
    """Weights of LoRA adapters [byte]."""
    activations_bytes: Any
    """Kept for the backward pass; with checkpointing, layer inputs and one layer's work [byte]."""
    logits_bytes: Any
    """Logits and what the loss makes of them [byte]."""
    gathered_bytes: Any
    """Weights and gradients that are whole on each GPU while their layer works [byte]."""
    overhead_bytes: Any
    """Fragments and temporary buffers of the allocator [byte]."""
    runtime_bytes: Any
    """Driver context and communication buffers, outside the allocator [byte]."""
    low_factor: Any
    """Low end of the 80 % range over the prediction [1]."""
    high_factor: Any
    """High end of the same [1]."""

    @property
    def allocated_bytes(self) -> Any:
        """What the framework's own counter shows: all but the runtime [byte]."""
        held = self.weights_bytes + self.gradients_bytes + self.optimizer_bytes
        held = held + self.adapters_bytes + self.activations_bytes + self.logits_bytes
        return held + self.gathered_bytes + self.overhead_bytes

    @property
    def total_bytes(self) -> Any:
        """What must fit, as ``nvidia-smi`` shows it [byte]."""
        return self.allocated_bytes + self.runtime_bytes

    @property
    def low_bytes(self) -> Any:
        """Low end of the total's 80 % range [byte]."""
        return self.allocated_bytes * self.low_factor + self.runtime_bytes

    @property
    def high_bytes(self) -> Any:
        """High end of the same [byte]."""
        return self.allocated_bytes * self.high_factor + self.runtime_bytes

    def at(self, index: np.ndarray) -> TrainingMemory:
        """The entries at ``index`` of the last axis.

        Parameters
        ----------
        index : array of int [1]

        Returns
        -------
        TrainingMemory
        """
        values = [np.asarray(getattr(self, one.name), dtype=float) for one in fields(self)]
        shape = np.broadcast_shapes(*(value.shape for value in values))
        leading = np.broadcast_shapes(np.shape(index), shape[:-1])
        place = np.broadcast_to(index, leading)[..., None]
        full = (np.broadcast_to(value, (*leading, shape[-1])) for value in values)
        return TrainingMemory(*(np.take_along_axis(v, place, -1)[..., 0] for v in full))


@dataclass(frozen=True, slots=True)
class TrainingGpus:
    """The fewest GPUs that hold a fine-tune; infinite where none of the counts does.

    >>> TrainingGpus(8.0, 4.0, 8.0, None).gpus
    8.0
    """

    gpus: Any
    """By the predicted memory [gpu]."""
    gpus_low: Any
    """If the low end of the range were true [gpu]."""
    gpus_high: Any
    """If the high end were true; plan with this where a crash is dear [gpu]."""
    memory: TrainingMemory | None
    """On one GPU of that many; on the largest count where none is enough."""


def training_memory(
    model: Architecture,
    method: Method,
    *,
    sequence_tokens: Any,
    micro_batch: Any = 1,
    gpus: Any = 1,
    zero_stage: Any = FULL_SHARDING,
    rank: Any = 16,
) -> TrainingMemory:
    """Everything one GPU holds at the peak of a training step.

    With ``P`` parameters of which ``P_t`` are trained, ``n`` GPUs, and ``n_w``, ``n_g``, ``n_o``
    either ``n`` where that part is sharded or 1:

    .. math:: M = w P / n_w + g P_t / n_g + o P_t / n_o + A + l s b V + gathered + runtime

    Parameters
    ----------
    model : Architecture
    method : Method
    sequence_tokens : int or array [token]
        Length of a sequence; of the packed one where samples are packed.
    micro_batch : int or array [sequence]
        Sequences on a GPU at once, whatever is accumulated.
    gpus : int or array [gpu]
    zero_stage : int or array [1]
        0 plain data parallel, 1 and 2 shard optimiser states and gradients, 3 weights too (FSDP).
    rank : int or array [1]
        Of adapters.

    Returns
    -------
    TrainingMemory

    Notes
    -----
    All arguments broadcast. Tensor and pipeline parallelism are not modelled.

    Source: ZeRO (arXiv 1910.02054), section 3; Korthikanti et al. 2022 (arXiv 2205.05198),
    section 4; factors and range from ``data/calibration/finetune_memory_fit.csv``.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.training import training_method
    >>> c = load_catalogue()
    >>> lora = training_method(c.training_memory, "lora", loss="chunked")
    >>> one = training_memory(c.model("llama-3.1-8b"), lora, sequence_tokens=2048, micro_batch=2)
    >>> round(float(one.weights_bytes) / 1e9, 2), round(float(one.total_bytes) / 1e9)
    (16.06, 20)
    """
    _check(sequence_tokens=sequence_tokens, micro_batch=micro_batch, gpus=gpus)
    m, n, stage = method, _array(gpus), np.asarray(zero_stage)
    tokens = _array(micro_batch) * _array(sequence_tokens)
    kept = 1.0 - _array(m.offload_parameters)
    trained = trained_parameters(model, m, rank)
    adapters = adapter_parameters(model, rank, m.targets)
    weights = kept * _weight_bytes(model, m) / np.where(stage >= 3, n, 1.0)
    adapters = kept * m.adapter_bytes * adapters / np.where(stage >= 3, n, 1.0)
    optimizer = kept * m.optimizer_bytes * trained / np.where(stage >= 1, n, 1.0)
    logits = m.logit_bytes * tokens * model.vocabulary
    activations = m.activation_factor * activation_bytes(model, m, sequence_tokens, micro_batch)
    work = np.maximum(layer_work_bytes(model, m, sequence_tokens, micro_batch) - logits, 0.0)
    activations = activations + np.where(_array(m.checkpointing) > 0, work, 0.0)
    gradients = kept * m.gradient_bytes * trained / np.where(stage >= 2, n, 1.0)
    live = 2.0 * m.gradient_bytes * _largest_matrix(model)
    live = np.where(m.kind == "full", np.minimum(live, m.gradient_bytes * trained), 0.0)
    gradients = np.where(_array(m.in_backward) > 0, np.minimum(live, gradients), gradients)
    replaced = np.where(_array(m.accumulates) + _array(m.in_backward) > 0, 0.0, 1.0)
    gradients = np.maximum(gradients - replaced * (activations + logits), 0.0)
    whole = (_array(m.offload_parameters) > 0) | ((stage >= 3) & (n > 1))
    gathered = np.where(whole, _gathered_bytes(model, m) + live, 0.0)
    parts = (weights, gradients, optimizer, adapters, activations, logits, gathered)
    runtime = np.where(n > 1, m.context_parallel_bytes, m.context_single_bytes)
    overhead = m.overhead_fraction * sum(parts)
    return TrainingMemory(*parts, overhead, runtime, m.low_factor, m.high_factor)


def activation_bytes(
    model: Architecture, method: Method, sequence_tokens: Any, micro_batch: Any = 1
) -> Any:
    """Activations kept from the forward to the backward pass.

    With ``c`` bytes an element, widths ``q`` of queries, ``k`` of keys and ``f`` of the
    feed-forward (gated: four tensors, else two), ``a`` heads and FP32 copies ``m`` of norms, a
    layer keeps

    .. math:: A = s b (\\tfrac{c}{2} (8 d + 4 q + 4 k + 8 f) + m d + 5 a s)

    and with checkpointing its input alone, ``c s b d``. For GPT's shape (``q = k = d``,
    ``f = 4 d``, not gated) this is Korthikanti's ``34 s b d`` without the two dropout masks.

    Parameters
    ----------
    model : Architecture
    method : Method
    sequence_tokens : int or array [token]
    micro_batch : int or array [sequence]

    Returns
    -------
    float or array [byte]

    Source: Korthikanti et al. 2022 (arXiv 2205.05198), equations 1 and 2, counted again for
    grouped queries and gated feed-forwards.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.training import training_method
    >>> c = load_catalogue()
    >>> kept = training_method(c.training_memory, "full", checkpointing=1)
    >>> float(activation_bytes(c.model("llama-3.1-8b"), kept, 2048, 2)) / 2**30
    1.0
    """
    tokens = _array(micro_batch) * _array(sequence_tokens)
    inputs = method.compute_bytes * model.layers * model.hidden_size * tokens
    # In host memory, but for the layer at work and the one on its way.
    here = np.where(_array(method.offload_activations) > 0, np.minimum(2.0 / model.layers, 1), 1.0)
    every = _kept_bytes(model, method, sequence_tokens, micro_batch)
    return here * np.where(_array(method.checkpointing) > 0, inputs, every)


def layer_work_bytes(
    model: Architecture, method: Method, sequence_tokens: Any, micro_batch: Any = 1
) -> Any:
    """What the layer at work holds while it is computed again: its activations, and its largest
    matrix in 16 bits where weights are stored in fewer.

    .. math:: W = A / L + [w < 2] \\, c \\, d f

    Parameters
    ----------
    model : Architecture
    method : Method
    sequence_tokens : int or array [token]
    micro_batch : int or array [sequence]

    Returns
    -------
    float or array [byte]

    Source: Chen et al. 2016 (arXiv 1604.06174); QLoRA (arXiv 2305.14314), equation 5.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.training import training_method
    >>> c = load_catalogue()
    >>> qlora = training_method(c.training_memory, "qlora", compiled=True)
    >>> round(float(layer_work_bytes(c.model("llama-3.1-8b"), qlora, 2048, 2)) / 1e9, 1)
    0.8
    """
    layer = _kept_bytes(model, method, sequence_tokens, micro_batch) / model.layers
    matrix = method.compute_bytes * model.hidden_size * np.maximum(model.feed_forward_size, 1.0)
    narrow = _array(method.weight_bytes) < 2.0
    return method.activation_factor * layer + np.where(narrow, matrix, 0.0)


def training_gpus(
    model: Architecture,
    method: Method,
    usable_bytes: Any,
    *,
    sequence_tokens: Any,
    micro_batch: Any = 1,
    zero_stage: Any = FULL_SHARDING,
    rank: Any = 16,
    counts: tuple[int, ...] = GPU_COUNTS,
) -> TrainingGpus:
    """The fewest GPUs of a kind that hold a fine-tune.

    .. math:: n = \\min \\{ n : M(n) \\le usable \\}

    Parameters
    ----------
    model : Architecture
        Numbers, not arrays.
    method : Method
    usable_bytes : float or array [byte]
        What a process may use of one GPU.
    sequence_tokens : int or array [token]
    micro_batch : int or array [sequence]
    zero_stage : int or array [1]
    rank : int or array [1]
    counts : tuple of int [gpu]
        Allowed numbers, rising: powers of two, or whole hosts.

    Returns
    -------
    TrainingGpus

    Source: as :func:`training_memory`.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.training import training_method
    >>> c = load_catalogue()
    >>> full = training_method(c.training_memory, "full", loss="chunked")
    >>> fit = training_gpus(c.model("llama-3.1-8b"), full, 85e9, sequence_tokens=4096)
    >>> float(fit.gpus)
    2.0
    """
    if not counts or list(counts) != sorted(set(counts)) or counts[0] < 1:
        raise InvalidScenario(
            f"counts is {counts}, but must hold rising whole numbers from 1; "
            "list the numbers of GPUs that may be bought.",
            field="counts",
        )
    asked = (sequence_tokens, micro_batch, zero_stage, rank)
    sequence_tokens, micro_batch, zero_stage, rank = (_array(one)[..., None] for one in asked)
    memory = training_memory(
        model,
        method.along(1),
        sequence_tokens=sequence_tokens,
        micro_batch=micro_batch,
        gpus=np.array(counts, dtype=float),
        zero_stage=zero_stage,
        rank=rank,
    )
    limit = _array(usable_bytes)[..., None]
    ends = (memory.total_bytes, memory.low_bytes, memory.high_bytes)
    gpus, low, high = (_fewest(end <= limit, counts) for end in ends)
    chosen = np.where(np.isinf(gpus), len(counts) - 1, np.searchsorted(counts, gpus))
    return TrainingGpus(gpus, low, high, memory.at(chosen))


def _fewest(fits: np.ndarray, counts: tuple[int, ...]) -> np.ndarray:
    first = np.array(counts, dtype=float)[fits.argmax(axis=-1)]
    return np.where(fits.any(axis=-1), first, np.inf)


def _kept_bytes(model: Architecture, method: Method, sequence: Any, batch: Any) -> Any:
    """All layers' activations when nothing is computed again [byte]."""
    a, d = model, model.hidden_size
    s, b = _array(sequence), _array(batch)
    matrices = a.mlp_parameters / np.maximum(a.layers * d * a.feed_forward_size, 1.0)
    gated = np.where(_array(a.experts) > 0, 3.0, np.clip(matrices, 2.0, 3.0))
    widths = 8.0 * a.layers * d + 2.0 * a.attention_parameters / d
    widths = widths + 2.0 * a.kv_projection_parameters / d
    widths = widths + 4.0 * (gated - 1.0) * a.layers * a.feed_forward_size
    element = _array(method.compute_bytes) / 2.0
    copies = method.norm_bytes * a.layers * d
    matrix = element * method.attention_matrix_bytes * a.layers * a.attention_heads * s
    return s * b * (element * widths + copies + matrix)


def _weight_bytes(model: Architecture, method: Method) -> Any:
    other = model.total_parameters - model.quantised_parameters + model.vision_parameters
    return method.weight_bytes * model.quantised_parameters + method.vocabulary_bytes * other


def _largest_matrix(model: Architecture) -> Any:
    vocabulary = np.maximum(model.embedding_parameters, model.lm_head_parameters)
    return np.maximum(vocabulary, model.hidden_size * model.feed_forward_size)


def _gathered_bytes(model: Architecture, method: Method) -> Any:
    """Whole weights while they are used: two layers, or one beside the vocabulary's matrix; in
    DeepSpeed as many parameters as may stay, the vocabulary's matrices and the buffers."""
    m = method
    layer = m.weight_bytes * model.quantised_parameters / model.layers
    head = m.vocabulary_bytes * np.maximum(model.embedding_parameters, model.lm_head_parameters)
    vocabulary = m.vocabulary_bytes * (model.embedding_parameters + model.lm_head_parameters)
    held = np.minimum(m.live_parameters * m.weight_bytes + vocabulary, _weight_bytes(model, m))
    buckets = m.bucket_parameters * np.maximum(m.gradient_bytes, 2.0)
    by_layer = layer + np.maximum(layer, head)
    return np.where(_array(m.live_parameters) > 0, held + buckets, by_layer)


def _array(value: Any) -> np.ndarray:
    return np.asarray(value, dtype=float)


def _check(**asked: Any) -> None:
    for name, value in asked.items():
        if not np.all(_array(value) >= 1):
            raise InvalidScenario(
                f"{name} is {value}, but must be 1 or more; enter a positive number.", field=name
            )
