"""The frozen records of what exists in the world.

A record holds facts and says where they come from. Numeric fields of
:class:`Architecture` and :class:`StateGroup` may also be numpy arrays that
broadcast (see :func:`planner.catalogue.stack`), so that one formula serves one
model and a thousand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from planner.errors import MissingData


class Basis(IntEnum):
    """How we know a number, best first; a total carries the weakest of its parts.

    >>> Basis.MEASURED < Basis.ASSUMED, Basis.VENDOR_CLAIM.words
    (True, 'vendor claim')
    """

    MEASURED = 0
    INTERPOLATED = 1
    DERIVED = 2
    VENDOR_CLAIM = 3
    ASSUMED = 4

    @property
    def words(self) -> str:
        """The name as people read it."""
        return self.name.lower().replace("_", " ")

    @classmethod
    def parse(cls, text: str) -> Basis:
        """The basis with this name; a blank or unknown one is the weakest.

        >>> Basis.parse("vendor claim").name, Basis.parse("").name
        ('VENDOR_CLAIM', 'ASSUMED')
        """
        name = text.strip().upper().replace(" ", "_")
        return cls[name] if name in cls.__members__ else cls.ASSUMED


def weakest(*bases: Basis) -> Basis:
    """The basis that a total of these parts carries.

    >>> weakest(Basis.MEASURED, Basis.DERIVED).words
    'derived'
    """
    return Basis(max(bases, default=Basis.ASSUMED))


@dataclass(frozen=True, slots=True)
class Source:
    """Where a number comes from: a document, a place in it, and a date.

    >>> Source("NVIDIA H100 datasheet", "page 2", "2023-03", Basis.VENDOR_CLAIM).basis.words
    'vendor claim'
    """

    title: str
    locator: str = ""
    as_of: str = ""
    basis: Basis = Basis.ASSUMED
    licence: str = ""


@dataclass(frozen=True, slots=True)
class StateGroup:
    """Layers of a model that keep the same kind of sequence state.

    One layer stores, per sequence of ``c`` tokens::

        entries = min(c, window_tokens) / tokens_per_entry
        elements = entries * (kv_heads * head_elements + latent_elements + rope_elements)
        bytes    = elements * bytes_per_element + entries * index_bytes + state_bytes

    ``kv_heads * head_elements`` is divided among tensor-parallel ranks (heads
    replicate when there are fewer heads than ranks); everything latent is
    replicated on every rank; recurrent state is divided.
    """

    kind: str
    """``full``, ``sliding``, ``chunked``, ``latent`` (MLA), ``sparse latent``
    (MLA with an indexer), ``compressed``, ``recurrent``: for people; the numbers below decide."""
    layers: float
    """Layers of this kind [1]."""
    kv_heads: float = 0.0
    """KV heads per layer [1]; 0 for latent and recurrent layers."""
    head_elements: float = 0.0
    """Key plus value elements stored per head and entry [1]: ``2 * head_dim`` for most."""
    latent_elements: float = 0.0
    """Compressed-KV elements stored per entry on every rank [1] (MLA: ``kv_lora_rank``)."""
    rope_elements: float = 0.0
    """Rotary-key elements stored per entry on every rank [1] (MLA: ``qk_rope_head_dim``)."""
    index_bytes: float = 0.0
    """Bytes per entry of a sparse-attention indexer key with its scale [byte]."""
    window_tokens: float = math.inf
    """Tokens a sliding or chunked layer can see [token]; infinite when it sees all."""
    tokens_per_entry: float = 1.0
    """Tokens that share one stored entry [token] (compressed attention)."""
    read_tokens: float = math.inf
    """Entries read per decoded token [1] by sparse attention; infinite when all are read."""
    state_bytes: float = 0.0
    """Constant recurrent state per sequence and layer [byte], at the engine's state dtype."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """What a model is made of: parameter counts by class, and sequence state by layer group.

    Parameter classes differ in precision and in how they divide among ranks:

    =====================  ==========================  ==========================
    class                  stored at                   among tensor-parallel ranks
    =====================  ==========================  ==========================
    attention              the attention precision     divided
    kv_projection          the attention precision     divided by at most the KV heads
    replicated             the attention precision     whole on every rank (MLA)
    mlp, expert            the weight precision        divided
    embedding, lm_head     16 bit, or as the recipe    divided
    router, norm           16 bit, or as the recipe    whole on every rank
    vision                 16 bit                      whole on every rank
    =====================  ==========================  ==========================
    """

    id: str
    name: str
    family: str
    """Vendor's family, for grouping in pickers, for example ``Llama``."""
    layers: float
    hidden_size: float
    vocabulary: float
    attention_heads: float
    maximum_context_tokens: float
    attention_parameters: float
    """Query and output projections, and the recurrent mixers' [parameter]."""
    kv_projection_parameters: float
    """Key and value projections of grouped-query attention [parameter]."""
    replicated_parameters: float
    """Linear weights that every tensor-parallel rank keeps whole [parameter]."""
    mlp_parameters: float
    """Dense feed-forward and shared-expert weights [parameter]."""
    expert_parameters: float
    """All routed experts of all layers [parameter]."""
    router_parameters: float
    norm_parameters: float
    """Norms, biases and other small vectors [parameter]."""
    embedding_parameters: float
    lm_head_parameters: float
    """0 when the LM head is tied to the embedding [parameter]."""
    vision_parameters: float = 0.0
    """Vision or audio tower as far as the configuration tells [parameter]; 0 when unknown."""
    experts: float = 0.0
    experts_per_token: float = 0.0
    moe_intermediate_size: float = 0.0
    expert_layers: float = 0.0
    """Layers that hold routed experts [1]."""
    feed_forward_size: float = 0.0
    """Width of the dense (or shared plus active expert) feed-forward at its widest layer [1]."""
    groups: tuple[StateGroup, ...] = ()
    native_precision: str = "bf16"
    """Precision id in which the publisher ships the weights."""
    kind: str = "generative"
    """``generative``, ``embedding`` or ``reranker``."""
    multimodal: bool = False
    licence: str = ""
    release_date: str = ""
    published_parameters: float = math.nan
    """The publisher's own count [parameter]; not-a-number when none was found."""
    published_active_parameters: float = math.nan
    published_note: str = ""
    """Why the published count may differ by over one percent; blank when it must agree."""
    source: Source = field(default_factory=lambda: Source("unknown"))
    notes: tuple[str, ...] = ()
    """What the import could not read exactly, in plain words."""

    @property
    def quantised_parameters(self) -> float:
        """Parameters in linear layers, which a weight precision applies to [parameter]."""
        return self.attention_linear_parameters + self.feed_forward_parameters

    @property
    def attention_linear_parameters(self) -> float:
        """Linear layers of attention and recurrent mixers [parameter]."""
        return (
            self.attention_parameters + self.kv_projection_parameters + self.replicated_parameters
        )

    @property
    def feed_forward_parameters(self) -> float:
        """Dense feed-forward, shared and routed experts [parameter]."""
        return self.mlp_parameters + self.expert_parameters

    @property
    def other_parameters(self) -> float:
        """Routers, norms, biases and small vectors [parameter]."""
        return self.router_parameters + self.norm_parameters

    @property
    def total_parameters(self) -> float:
        """All parameters of the text model; the vision tower is not counted [parameter]."""
        return (
            self.quantised_parameters
            + self.other_parameters
            + self.embedding_parameters
            + self.lm_head_parameters
        )

    @property
    def active_parameters(self) -> float:
        """Parameters one token passes through; the input embedding is a look-up and is not
        counted, a tied LM head is [parameter]."""
        used = self.experts_per_token / np.maximum(self.experts, 1.0)
        inactive = self.expert_parameters * np.where(np.asarray(self.experts) > 0, 1 - used, 0.0)
        # A look-up costs nothing, but a tied embedding also serves as the LM head.
        tied = np.where(np.asarray(self.lm_head_parameters) > 0, 0.0, self.embedding_parameters)
        return self.total_parameters - inactive - self.embedding_parameters + tied


FACT_WORDS = {
    "memory_usable_bytes": "the memory that a process can use",
    "memory_reported_bytes": "the memory that the driver reports",
    "bandwidth_bytes_per_s": "the memory bandwidth",
    "power_w": "the power",
}
"""What a missing fact is called in a sentence."""


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One accelerator as the driver shows it; a blank fact is not-a-number or ``None``."""

    id: str
    vendor: str
    name: str
    memory_nominal_bytes: float
    """Memory on the label, GB of 1e9 or as the vendor counts it [byte]."""
    memory_reported_bytes: float
    """Memory the driver's tool reports in total [byte]; not-a-number when unknown."""
    memory_usable_bytes: float
    """Memory a process is told it has, a little less than the driver's total [byte]; what
    engines divide up. Not-a-number when unknown."""
    bandwidth_bytes_per_s: float
    dense_flops: dict[str, float]
    """Dense peak by format (``fp32``, ``tf32``, ``bf16``, ``fp16``, ``fp8``, ``int8``, ``fp4``)
    [FLOP/s or OP/s]; a format that is absent is unknown or unsupported."""
    interconnect: str
    interconnect_bytes_per_s: float
    power_w: float
    idle_power_w: float
    form_factor: str
    compute_capability: float
    """NVIDIA's compute capability (8.9, 9.0, ...); not-a-number for other vendors."""
    nvlink_domain_gpus: int
    """GPUs that share one fast interconnect domain [gpu]; 1 for cards on PCIe alone."""
    launch: str
    in_map: bool
    """Shown in the dashboard's map by default."""
    source: Source
    reported_source: Source
    usable_source: Source
    note: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The name without what stands in brackets, for an axis."""
        return self.name.split(" (")[0]

    def require(self, name: str) -> float:
        """The named numeric fact, or :class:`MissingData` when it is blank.

        ``name`` is a field, or ``dense_flops.<format>``.
        """
        head, _, key = name.partition(".")
        value = getattr(self, head)
        value = value.get(key, math.nan) if key else value
        if not math.isfinite(value):
            words = FACT_WORDS.get(name, name.replace("_", " "))
            raise MissingData(
                f"{self.name}: {words} is not in the catalogue; "
                "choose another GPU, or add the value with its source to data/gpus.csv."
            )
        return value


@dataclass(frozen=True, slots=True)
class Precision:
    """A weight or KV format: true bits stored, by class of parameter, and what computes it."""

    id: str
    name: str
    use: str
    """``weights``, ``kv`` or ``both``."""
    bits_per_weight: float
    """Bits per linear weight, scales and zero points included [bit/weight]."""
    embedding_bits: float
    lm_head_bits: float
    attention_bits: float
    """Attention's linear layers, where a recipe keeps them wider [bit/weight]."""
    other_bits: float
    """Norms, router and the rest [bit/weight]."""
    compute_format: str
    """Key of :attr:`Accelerator.dense_flops` that the arithmetic needs."""
    weight_only_capability: float
    """Least compute capability on which the weights may be unpacked to 16 bit and computed
    there; infinite when no such kernel is known."""
    in_map: bool
    source: Source
    note: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The name without what stands in brackets or after a comma, for an axis."""
        return self.name.split(" (")[0].split(",")[0]


@dataclass(frozen=True, slots=True)
class Engine:
    """What a serving engine reserves: constants of its start-up measurement and its defaults."""

    id: str
    name: str
    block_tokens: float
    """Tokens in one block of the paged KV cache [token]."""
    vocabulary_multiple: float
    mxfp4_expert_multiple: float
    sampler_bytes: float
    """Sampler's copies per sequence and vocabulary entry [byte]."""
    sampler_buffer_bytes: float
    """Sampler's buffer per vocabulary entry [byte]."""
    runner_bytes: float
    """Kept by the model runner per sequence and vocabulary entry [byte]."""
    step_hidden_factor: float
    step_feed_forward_factor: float
    workspace_bytes: float
    moe_workspace: float
    reserve_single_bytes: float
    reserve_parallel_bytes: float
    reserve_parallel_amd_bytes: float
    graph_amd_bytes: float
    large_gpu_bytes: float
    sequences_large: float
    sequences_small: float
    tokens_large: float
    tokens_small: float
    windowed_pages: float
    source: Source

    @property
    def basis(self) -> Basis:
        """The weakest basis of its constants."""
        return self.source.basis


@dataclass(frozen=True, slots=True)
class QualityRow:
    """A published comparison of a quantised model with its baseline."""

    model: str
    precision: str
    method: str
    metric: str
    baseline: float
    quantised: float
    recovery_fraction: float
    """Quantised score over baseline score [fraction]."""
    source: Source
    note: str = ""


@dataclass(frozen=True, slots=True)
class Term:
    """One entry of the glossary, in the words of both teams."""

    id: str
    name: str
    unit: str
    data_science: str
    infrastructure: str
    see: str = ""
