"""The answer about memory: frozen records whose fields say their unit, term and formula."""

from __future__ import annotations

from dataclasses import dataclass

from planner.plan.answers import answer


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """What memory it needs: one copy of the model, and the fullest GPU part by part."""

    model_weights_bytes: float = answer(
        "Weights, one copy",
        "byte",
        "{model.attention_linear_parameters} × {weight_precision.attention_bits} / 8"
        " + {model.feed_forward_parameters} × {weight_precision.bits_per_weight} / 8"
        " + {model.embedding_parameters} × {weight_precision.embedding_bits} / 8"
        " + {model.lm_head_parameters} × {weight_precision.lm_head_bits} / 8"
        " + {model.other_parameters} × {weight_precision.other_bits} / 8"
        " + {model.vision_parameters} × 16 / 8",
        "weights",
        "Each class of parameter at its own precision; norms, routers and embeddings usually "
        "stay at 16 bit.",
    )
    weights_bytes: float = answer(
        "Weights on each GPU",
        "byte",
        "share of {memory.model_weights_bytes} on one of "
        "{fit.tensor_parallel} × {fit.pipeline_parallel} GPUs",
        "weights",
        "Linear layers divide by the ranks; norms, routers, MLA's down-projections and spare "
        "KV heads are whole on every GPU, and the engine pads some dimensions.",
    )
    activations_bytes: float = answer(
        "Activations at their peak",
        "byte",
        "peak of one engine step: {engine.sampler_bytes} × {memory.engine_sequences} "
        "× {model.vocabulary}, or of the widest layer over "
        "{memory.engine_tokens}, whichever is larger",
        "activation",
        "The engine measures this at start-up with a full batch and sets it aside.",
    )
    runtime_reserve_bytes: float = answer(
        "Runtime reserve",
        "byte",
        "context and communication buffers of {engine.name}",
        "runtime-reserve",
    )
    token_bytes: float = answer(
        "KV cache per token on each GPU",
        "byte",
        "per layer: KV heads on this GPU × (key + value elements) + latent elements, "
        "× {kv_precision.bits_per_weight} / 8; summed over {model.layers} layers",
        "kv-cache",
        "Latent (MLA) entries are whole on every rank; KV heads replicate when there are fewer "
        "heads than ranks.",
    )
    sequence_bytes: float = answer(
        "KV cache per conversation, reserved",
        "byte",
        "{memory.token_bytes} × {scenario.workload.context_tokens} in blocks of "
        "{engine.block_tokens}, plus {memory.state_bytes}",
        "kv-cache",
        "A sliding-window layer is counted with its window and the tokens of one engine step; "
        "layers of unlike kinds are padded to equal groups.",
    )
    sequence_mathematics_bytes: float = answer(
        "KV cache per conversation, by the mathematics",
        "byte",
        "as reserved, but sliding-window layers keep only their window, "
        "for {scenario.workload.context_tokens}",
        "kv-cache",
    )
    state_bytes: float = answer(
        "Recurrent state per conversation",
        "byte",
        "constant per conversation, whatever its length; zero without recurrent layers",
        "recurrent-state",
    )
    kv_cache_bytes: float = answer(
        "KV cache for the conversations asked",
        "byte",
        "{fit.sequences_here} × {memory.sequence_bytes}",
        "kv-cache",
    )
    kv_cache_mathematics_bytes: float = answer(
        "KV cache by the mathematics",
        "byte",
        "{fit.sequences_here} × {memory.sequence_mathematics_bytes}",
        "kv-cache",
    )
    kv_pool_bytes: float = answer(
        "Room for KV cache on each GPU",
        "byte",
        "{scenario.deployment.gpu_memory_utilization} × {gpu.memory_usable_bytes}"
        " − {memory.weights_bytes} − {memory.activations_bytes}"
        " − {memory.runtime_reserve_bytes}",
        "kv-cache",
    )
    total_bytes: float = answer(
        "Memory needed on each GPU",
        "byte",
        "{memory.weights_bytes} + {memory.kv_cache_bytes} + {memory.activations_bytes}"
        " + {memory.runtime_reserve_bytes}",
        "weights",
    )
    deployment_bytes: float = answer(
        "Memory needed in all",
        "byte",
        "{memory.total_bytes} × {fit.gpus}",
        "weights",
    )
    free_bytes: float = answer(
        "Left of the engine's share on each GPU",
        "byte",
        "{memory.kv_pool_bytes} − {memory.kv_cache_bytes}",
        "gpu-memory-utilization",
    )
    engine_sequences: float = answer(
        "Engine batch limit",
        "sequence",
        "your value, or the default of {engine.name} for a GPU of {gpu.memory_usable_bytes}",
        "batch",
    )
    engine_tokens: float = answer(
        "Tokens per engine step",
        "token",
        "your value, or the default of {engine.name} for a GPU of {gpu.memory_usable_bytes}",
        "prefill",
    )


@dataclass(frozen=True, slots=True)
class FitPlan:
    """How many GPUs, in what layout, and how many conversations they hold."""

    gpus: int = answer(
        "GPUs",
        "gpu",
        "{fit.tensor_parallel} × {fit.pipeline_parallel} × {fit.replicas}",
        "gpu",
        "The smallest layout of this GPU whose room for KV cache holds the conversations asked.",
    )
    gpus_per_replica: int = answer(
        "GPUs per replica", "gpu", "{fit.tensor_parallel} × {fit.pipeline_parallel}", "replica"
    )
    replicas: int = answer(
        "Replicas",
        "1",
        "{scenario.workload.concurrent_sequences} / {fit.sequences_per_replica}, rounded up",
        "replica",
    )
    tensor_parallel: int = answer(
        "Tensor parallel", "gpu", "your value, or the one with the fewest GPUs", "tensor-parallel"
    )
    pipeline_parallel: int = answer(
        "Pipeline parallel",
        "gpu",
        "your value, or the one with the fewest GPUs",
        "pipeline-parallel",
    )
    hosts: int = answer(
        "Hosts",
        "1",
        "{fit.gpus} / {scenario.deployment.gpus_per_host}, rounded up",
        "host",
        "Without a spare host.",
    )
    idle_gpus: int = answer(
        "GPUs left over in those hosts",
        "gpu",
        "{fit.hosts} × {scenario.deployment.gpus_per_host} − {fit.gpus}",
        "host",
    )
    sequences_here: float = answer(
        "Conversations on the fullest replica",
        "sequence",
        "{scenario.workload.concurrent_sequences} / {fit.replicas}, rounded up",
        "concurrency",
    )
    sequences_per_replica: float = answer(
        "Conversations that fit one replica",
        "sequence",
        "{memory.kv_pool_bytes} / {memory.sequence_bytes}, rounded down",
        "concurrency",
    )
    sequences: float = answer(
        "Conversations that fit at once",
        "sequence",
        "{fit.sequences_per_replica} × {fit.replicas}",
        "concurrency",
        "All of the asked length at the same moment; shorter ones leave room for more.",
    )
    capacity_tokens: float = answer(
        "Tokens that fit the KV cache of one replica",
        "token",
        "{memory.kv_pool_bytes} / {memory.sequence_bytes} × {scenario.workload.context_tokens}",
        "kv-cache",
        "As the engine logs it at start-up for conversations of this length.",
    )
    tool: str = answer(
        "The tool for this hole",
        "text",
        "shovel: one GPU; spade: one host; backhoe: several hosts — here {fit.gpus}, "
        "{fit.hosts} host(s)",
        "shovel",
    )
