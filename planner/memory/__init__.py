"""What must fit: weights, KV cache and state, activations and reserve; and how much fits.

Every function broadcasts: one slider position and a million candidates are the
same code, called once.
"""

from planner.memory.engine import (
    Device,
    WeightFormat,
    activation_bytes,
    device,
    engine_limits,
    runtime_reserve_bytes,
    weight_format,
)
from planner.memory.fit import Layouts, ReplicaMemory, SmallestFit, replica_memory, smallest_fit
from planner.memory.state import (
    constant_state_bytes,
    entry_bytes,
    reserved_sequence_bytes,
    sequence_bytes,
    token_bytes,
)
from planner.memory.weights import (
    WeightBytes,
    heads_per_rank,
    kv_head_share,
    weight_bytes,
    weight_bytes_per_gpu,
)

__all__ = [
    "Device",
    "Layouts",
    "ReplicaMemory",
    "SmallestFit",
    "WeightBytes",
    "WeightFormat",
    "activation_bytes",
    "constant_state_bytes",
    "device",
    "engine_limits",
    "entry_bytes",
    "heads_per_rank",
    "kv_head_share",
    "replica_memory",
    "reserved_sequence_bytes",
    "runtime_reserve_bytes",
    "sequence_bytes",
    "smallest_fit",
    "token_bytes",
    "weight_bytes",
    "weight_bytes_per_gpu",
    "weight_format",
]
