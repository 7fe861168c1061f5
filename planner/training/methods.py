"""How a fine-tune trains: what is trained, in which types, and what is kept or recomputed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from planner.catalogue import Architecture, TrainingFramework, TrainingMemoryFacts
from planner.errors import InvalidScenario

METHODS = ("full", "lora", "qlora")
"""What is trained: all weights, or low-rank adapters beside frozen ones, 16 bit or 4 bit."""
OPTIMIZERS = (
    "adamw-mixed",
    "adamw-bf16",
    "adamw-fp32",
    "adamw-8bit",
    "paged-adamw-8bit",
    "sgd",
)
LOSSES = ("plain", "shifted", "chunked", "fused")
"""``shifted`` copies the logits once more before a plain cross-entropy, as transformers did."""
RANGES = {"measured": "", "unmeasured": "_unmeasured", "unstated": "_unstated"}
"""How well the trainer is known: its peaks were fitted; its settings are known; neither."""
TARGETS = ("q", "k", "v", "o", "mlp")
WEIGHT_BYTES = {"bf16": 2.0, "fp16": 2.0, "fp32": 4.0, "int8": 1.0}
"""Of one weight that is not in 4 bits [byte]."""


@dataclass(frozen=True, slots=True)
class Method:
    """A way to fine-tune, as bytes and switches; every number broadcasts.

    >>> Method.__slots__[0]
    'kind'
    """

    kind: str
    """``full``, ``lora`` or ``qlora``."""
    targets: tuple[str, ...]
    """Layers with adapters."""
    weight_bytes: Any
    """Of one weight of a linear layer [byte]."""
    vocabulary_bytes: Any
    """Of one parameter of embedding, LM head, norms and towers [byte]."""
    adapter_bytes: Any
    """Of one parameter of an adapter [byte]."""
    gradient_bytes: Any
    """Of one gradient [byte]."""
    optimizer_bytes: Any
    """States and master copy of one trained parameter [byte]."""
    compute_bytes: Any
    """Of one element of an activation [byte]."""
    checkpointing: Any
    """1 when only the inputs of layers are kept and the rest is computed again [1]."""
    attention_matrix_bytes: Any
    """Per head and pair of tokens; 0 with flash attention [byte]."""
    norm_bytes: Any
    """FP32 copies per token, layer and hidden element; 0 when compiled [byte]."""
    logit_bytes: Any
    """Per token and vocabulary entry at the loss [byte]."""
    accumulates: Any
    """1 when gradients stay while the next micro-batch runs [1]."""
    in_backward: Any
    """1 when each weight is updated as soon as its gradient is known [1]."""
    offload_activations: Any
    """1 when layer inputs wait in host memory [1]."""
    offload_parameters: Any
    """1 when weights, gradients and optimiser states live in host memory [1]."""
    live_parameters: Any
    """Kept whole on a GPU under full sharding; 0 for two layers at a time [parameter]."""
    bucket_parameters: Any
    """Size of the buffers that reduce gradients, where layers are not the unit [parameter]."""
    context_single_bytes: Any
    """Driver context on one GPU [byte]."""
    context_parallel_bytes: Any
    """The same with communication buffers [byte]."""
    activation_factor: Any
    """Measured activations over derived ones [1]."""
    overhead_fraction: Any
    """Held by the allocator beyond the tensors [fraction]."""
    low_factor: Any
    """Low end of the 80 % range over the prediction [1]."""
    high_factor: Any
    """High end of the same [1]."""

    def along(self, axes: int) -> Method:
        """The same with ``axes`` axes of length one added at the end of every array.

        Parameters
        ----------
        axes : int [1]

        Returns
        -------
        Method
        """
        return Method(*(_widen(getattr(self, one.name), axes) for one in fields(self)))


def training_method(
    facts: TrainingMemoryFacts,
    kind: str,
    *,
    optimizer: str = "adamw-mixed",
    weights: str = "bf16",
    adapter_bytes: float = 4.0,
    vocabulary_bytes: float = 2.0,
    targets: tuple[str, ...] = TARGETS,
    loss: str = "plain",
    compiled: bool = False,
    flash_attention: bool = True,
    checkpointing: Any = 1,
    accumulates: Any = 0,
    in_backward: Any = 0,
    offload_activations: Any = 0,
    offload_parameters: Any = 0,
    live_parameters: float = 0.0,
    known: str = "unmeasured",
) -> Method:
    """A method from the names that people use.

    A full fine-tune in mixed precision holds 2 + 2 + 12 bytes per parameter, one in pure BF16
    2 + 2 + 4; LoRA holds these for its adapters alone, beside frozen weights; QLoRA keeps the
    linear layers in NF4:

    .. math:: B = w + g + o, \\qquad w_{NF4} = (4 + 8/64 + 32/(64 \\cdot 256)) / 8

    Parameters
    ----------
    facts : TrainingMemoryFacts
    kind : str
        ``full``, ``lora`` or ``qlora``.
    optimizer : str
        One of ``OPTIMIZERS``; adapters are always trained by plain AdamW in their own type, or in
        8 bits.
    weights : str
        ``bf16``, ``fp16``, ``fp32`` or, frozen, ``int8``.
    adapter_bytes, vocabulary_bytes : float [byte]
    targets : tuple of str
        Of ``q``, ``k``, ``v``, ``o`` and ``mlp``.
    loss : str
        ``plain``, ``shifted``, ``chunked`` or ``fused``.
    compiled, flash_attention : bool
    checkpointing, accumulates, in_backward : float or array [1]
    offload_activations, offload_parameters : float or array [1]
    live_parameters : float [parameter]
    known : str
        One of ``RANGES``: how well the trainer is known, which sets the width of the range.

    Returns
    -------
    Method

    Source: ZeRO (arXiv 1910.02054), section 3.1; LoRA (arXiv 2106.09685); QLoRA
    (arXiv 2305.14314), section 3; ``data/training_constants.csv``.

    >>> from planner.catalogue import load_catalogue
    >>> full = training_method(load_catalogue().training_memory, "full")
    >>> full.weight_bytes + full.gradient_bytes + full.optimizer_bytes
    16.0
    """
    words = {"method": kind, "optimizer": optimizer, "loss": loss, "weights": weights}
    _check_words({**words, "known": known}, targets)
    c = facts.constants
    stored = WEIGHT_BYTES[weights]
    trained = stored if kind == "full" else adapter_bytes
    eight_bit = optimizer.endswith("adamw-8bit")
    named = kind == "full" or eight_bit
    states = c["optimizer_" + optimizer.replace("-", "_")] if named else 2.0 * adapter_bytes
    compute = 4.0 if weights == "fp32" else 2.0
    return Method(
        kind=kind,
        targets=targets if kind != "full" else (),
        weight_bytes=c["nf4_bytes"] if kind == "qlora" else stored,
        vocabulary_bytes=vocabulary_bytes if kind == "qlora" else max(stored, 2.0),
        adapter_bytes=adapter_bytes,
        gradient_bytes=trained,
        optimizer_bytes=states,
        compute_bytes=compute,
        checkpointing=checkpointing,
        attention_matrix_bytes=0.0 if flash_attention else c["attention_matrix"],
        norm_bytes=0.0 if compiled or compute > 2 else c["norm_copies"],
        logit_bytes=_logit_bytes(c, loss, compute, compiled),
        accumulates=accumulates,
        in_backward=in_backward,
        offload_activations=offload_activations,
        offload_parameters=offload_parameters,
        live_parameters=live_parameters,
        bucket_parameters=c["deepspeed_bucket_parameters"] if live_parameters else 0.0,
        context_single_bytes=c["context_single"],
        context_parallel_bytes=c["context_parallel"],
        activation_factor=facts.activation_factor,
        overhead_fraction=facts.overhead_fraction,
        low_factor=getattr(facts, "low_factor" + RANGES[known]),
        high_factor=getattr(facts, "high_factor" + RANGES[known]),
    )


def framework_method(
    facts: TrainingMemoryFacts,
    framework: TrainingFramework,
    kind: str,
    gpus: int = 1,
    **changes: Any,
) -> Method:
    """The method as a trainer runs it unless told otherwise.

    .. math:: Method = defaults(trainer) + changes

    Parameters
    ----------
    facts : TrainingMemoryFacts
    framework : TrainingFramework
    kind : str
    gpus : int [gpu]
        Some trainers take other optimisers on one GPU than on many.
    **changes : dict
        Arguments of :func:`training_method` that replace the trainer's.

    Returns
    -------
    Method

    Source: ``data/training_frameworks.csv``, each row with its own.

    >>> from planner.catalogue import load_catalogue
    >>> facts = load_catalogue().training_memory
    >>> framework_method(facts, facts.framework("torchtune"), "full", 8).optimizer_bytes
    4.0
    """
    f, alone = framework, gpus <= 1
    optimizer = f.full_optimizer if alone else f.full_optimizer_parallel
    settings: dict[str, Any] = {
        # A trainer that pages its states does so for a full fine-tune; adapters have few.
        "optimizer": optimizer if kind == "full" or optimizer == "adamw-8bit" else "adamw-mixed",
        "weights": f.weights,
        "adapter_bytes": f.adapter_bytes,
        "vocabulary_bytes": f.vocabulary_bytes,
        "targets": f.targets,
        "loss": f.loss,
        "compiled": f.compiled,
        "flash_attention": f.flash_attention,
        "checkpointing": float(f.checkpointing != "off"),
        "in_backward": float(f.in_backward and alone and kind == "full"),
        "offload_activations": float(f.offload_activations),
        "live_parameters": f.live_parameters,
        "known": "measured" if f.measured else "unmeasured",
    }
    if f.id == "generic":
        settings["known"] = "unstated"
    return training_method(facts, kind, **{**settings, **changes})


def adapter_parameters(model: Architecture, rank: Any, targets: tuple[str, ...] = TARGETS) -> Any:
    """Parameters of LoRA adapters: two thin matrices beside each target.

    .. math:: P = r \\sum_{targets} (d_{in} + d_{out})

    Parameters
    ----------
    model : Architecture
    rank : int or array [1]
        Inner width ``r``.
    targets : tuple of str
        Of ``q``, ``k``, ``v``, ``o`` and ``mlp``; every routed expert counts.

    Returns
    -------
    float or array [parameter]

    Notes
    -----
    Widths are read back from parameter counts, so layers may differ. Latent down-projections
    (MLA) and recurrent mixers get none beyond what their counts hold.

    Source: Hu et al. 2021, LoRA (arXiv 2106.09685), section 4.

    >>> from planner.catalogue import load_catalogue
    >>> llama = load_catalogue().model("llama-2-7b")
    >>> float(adapter_parameters(llama, 8, ("q", "v")))
    4194304.0
    """
    a = model
    through = a.layers * a.hidden_size
    query = through + a.attention_parameters / 2.0 / a.hidden_size
    key = np.where(
        np.asarray(a.kv_projection_parameters) > 0,
        through + a.kv_projection_parameters / 2.0 / a.hidden_size,
        0.0,
    )
    widths = {"q": query, "o": query, "k": key, "v": key, "mlp": _feed_forward_widths(model)}
    return np.asarray(rank, dtype=float) * sum(widths[one] for one in set(targets))


def checkpoint_bytes(
    model: Architecture, method: Method, rank: Any = 16, *, resumable: Any = 0
) -> Any:
    """What one saved checkpoint takes on disk: the trained parameters, and what resumes them.

    .. math:: B = P_{trained} (w + resumable \\cdot o)

    Parameters
    ----------
    model : Architecture
    method : Method
    rank : int or array [1]
    resumable : float or array [1]
        1 to save the optimiser's states too.

    Returns
    -------
    float or array [byte]

    Source: transformers' ``Trainer`` saves model and optimiser; PEFT saves adapters alone.

    >>> from planner.catalogue import load_catalogue
    >>> c = load_catalogue()
    >>> lora = training_method(c.training_memory, "lora", targets=("q", "v"))
    >>> float(checkpoint_bytes(c.model("llama-2-7b"), lora, 8)) / 1e6
    16.777216
    """
    held = method.weight_bytes if method.kind == "full" else method.adapter_bytes
    trained = trained_parameters(model, method, rank)
    return trained * (held + np.asarray(resumable) * method.optimizer_bytes)


def trained_parameters(model: Architecture, method: Method, rank: Any = 16) -> Any:
    """Parameters that have gradients: all, or those of adapters.

    .. math:: P_{full} = P, \\qquad P_{lora} = r \\sum (d_{in} + d_{out})

    Parameters
    ----------
    model : Architecture
    method : Method
    rank : int or array [1]

    Returns
    -------
    float or array [parameter]

    Source: LoRA (arXiv 2106.09685), section 4; a vision tower stays frozen.

    >>> from planner.catalogue import load_catalogue
    >>> c = load_catalogue()
    >>> full = training_method(c.training_memory, "full")
    >>> float(trained_parameters(c.model("llama-2-7b"), full))
    6738415616.0
    """
    if method.kind == "full":
        return np.asarray(model.total_parameters, dtype=float)
    return adapter_parameters(model, rank, method.targets)


def _check_words(words: Mapping[str, str], targets: tuple[str, ...]) -> None:
    allowed = {"method": METHODS, "optimizer": OPTIMIZERS, "loss": LOSSES}
    allowed |= {"weights": tuple(WEIGHT_BYTES), "known": tuple(RANGES), "targets": TARGETS}
    for field, value in (*words.items(), *(("targets", one) for one in targets)):
        if value not in allowed[field]:
            known = ", ".join(allowed[field])
            raise InvalidScenario(
                f"{field} is {value!r}, but must be one of {known}; choose one.", field=field
            )


def _logit_bytes(
    constants: Mapping[str, float], loss: str, compute_bytes: float, compiled: bool
) -> float:
    """Per token and vocabulary entry [byte]."""
    wide = compute_bytes > 2
    plain = "fp32" if wide else "compiled" if compiled else "plain"
    names = {"plain": plain, "shifted": "shifted_fp32" if wide else "shifted"}
    return constants["logits_" + names.get(loss, loss)]


def _feed_forward_widths(model: Architecture) -> Any:
    """In plus out of every feed-forward matrix of every layer and expert [1]."""
    a = model
    dense = a.mlp_parameters / a.hidden_size
    matrices = dense / np.maximum(a.layers * a.feed_forward_size, 1.0)
    # Experts are gated: three matrices each.
    experts = 3.0 * a.expert_layers * a.experts * (a.hidden_size + a.moe_intermediate_size)
    return np.minimum(matrices, 6.0) * a.layers * a.hidden_size + dense + experts


def _widen(value: Any, axes: int) -> Any:
    if isinstance(value, str | tuple):
        return value
    array = np.asarray(value, dtype=float)
    return array.reshape(array.shape + (1,) * axes)
