"""What the families share: widths, windows and feed-forwards read from a configuration."""

from __future__ import annotations

import math
from dataclasses import dataclass

from planner.catalogue.mixers import FeedForward, Mixer, dense, mixture
from planner.catalogue.settings import Settings

MOST_LAYERS = 2000
MOST_WIDTH = 1_000_000
EXPERT_KEYS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
PER_TOKEN_KEYS = (
    "num_experts_per_tok",
    "num_experts_per_token",
    "experts_per_token",
    "top_k_experts",
    "moe_top_k",
)
NO_MIXER, NO_FEED_FORWARD = Mixer(), FeedForward()
Layer = tuple[Mixer, FeedForward]


@dataclass(frozen=True)
class Structure:
    """What a family function found: the layers, and everything outside them.

    >>> Structure(layers=[], small=0).tied
    False
    """

    layers: list[Layer]
    small: int
    """Norms outside mixers and feed-forwards, and other small vectors [parameter]."""
    tied: bool = False
    """Whether the LM head is the embedding when the configuration does not say."""
    embedding_extra: int = 0
    """Learned positions and token types [parameter]."""
    other: int = 0
    """Pooler or classification head of an encoder [parameter]."""
    encoder: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Style:
    """What a family of decoders has that its configuration does not say.

    >>> Style().norms
    2
    """

    qkv_bias: bool | None = None
    """None: as ``attention_bias`` says."""
    output_bias: bool | None = False
    qk_norm: str = ""
    """``head``: one norm vector for all heads; ``layer``: one for the whole projection."""
    norms: int = 2
    """Norm vectors of the hidden size per layer [1]."""
    norm_bias: bool = False
    tied: bool = False
    matrices: int = 3
    expert_bias: bool = False
    sinks: bool = False
    routed: bool = True
    head_bias: bool = False


def layer_count(settings: Settings) -> int:
    """Layers of the decoder.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    int [1]

    >>> layer_count(Settings({"n_layer": 28}, "demo"))
    28
    """
    return settings.count("num_hidden_layers", "n_layer", "num_layers", most=MOST_LAYERS)


def widths(settings: Settings) -> tuple[int, int, int, int]:
    """Hidden size, query heads, KV heads and head size, checked against one another.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    tuple of int [1]

    >>> widths(Settings({"hidden_size": 64, "num_attention_heads": 4}, "demo"))
    (64, 4, 4, 16)
    """
    hidden = settings.count("hidden_size", "n_embd", "n_embed", most=MOST_WIDTH)
    heads = settings.count("num_attention_heads", "n_head", most=65536)
    kv_heads = settings.count("num_key_value_heads", "num_kv_heads", default=heads, most=65536)
    if heads % kv_heads:
        raise settings.fault(
            "num_key_value_heads",
            f"is {kv_heads}, which does not divide the {heads} attention heads",
            "correct one of the two in the config.json",
        )
    if not settings.has("head_dim") and hidden % heads:
        raise settings.fault(
            "hidden_size",
            f"is {hidden}, which the {heads} attention heads do not divide",
            "add head_dim to the config.json or correct one of the two",
        )
    return hidden, heads, kv_heads, settings.count("head_dim", default=hidden // heads or 1)


def windows(settings: Settings, layers: int) -> list[tuple[str, float]]:
    """The kind and the window of every layer's attention.

    From ``layer_types`` when it is there; else Llama 4 is full at every fourth layer, Gemma 3 at
    every sixth, Gemma 2 at every second, and others slide at all layers or none.

    Parameters
    ----------
    settings : Settings
    layers : int [1]

    Returns
    -------
    list of tuple of str and float [token]

    >>> windows(Settings({"model_type": "gemma2", "sliding_window": 4096}, "demo"), 2)
    [('sliding', 4096.0), ('full', inf)]
    """
    window = settings.count("sliding_window", default=0, least=0, most=1e9)
    sliding = ("sliding", float(window)) if window else ("full", math.inf)
    if settings.has("layer_types"):
        chunk = settings.count("attention_chunk_size", default=0, least=0, most=1e9)
        known = {
            "full_attention": ("full", math.inf),
            "sliding_attention": sliding,
            "chunked_attention": ("chunked", float(chunk) if chunk else math.inf),
        }
        types = settings.listing("layer_types", layers)
        for one in types:
            if not isinstance(one, str) or one not in known:
                raise settings.fault(
                    "layer_types",
                    "names a kind of layer that is not understood"
                    + (f' ("{one[:40]}")' if isinstance(one, str) else ""),
                    "choose a model of the catalogue, or one whose layers are full_attention or "
                    "sliding_attention",
                )
        return [known[one] for one in types]
    family = settings.get("model_type", "")
    if family in ("llama4", "llama4_text"):
        chunk = settings.count("attention_chunk_size", default=8192, most=1e9)
        step = settings.count("no_rope_layer_interval", default=4)
        chunked = ("chunked", float(chunk))
        return [("full", math.inf) if (i + 1) % step == 0 else chunked for i in range(layers)]
    if not window or settings.get("use_sliding_window") is False:
        return [("full", math.inf)] * layers
    if family == "gemma2":
        return [sliding if i % 2 == 0 else ("full", math.inf) for i in range(layers)]
    if family in ("gemma3", "gemma3_text"):
        step = settings.count("sliding_window_pattern", "_sliding_window_pattern", default=6)
        return [("full", math.inf) if (i + 1) % step == 0 else sliding for i in range(layers)]
    first = settings.count("max_window_layers", default=0, least=0, most=MOST_LAYERS)
    if not str(family).startswith("qwen"):
        first = 0
    return [sliding if i >= first else ("full", math.inf) for i in range(layers)]


def expert_layers(settings: Settings, layers: int) -> list[bool]:
    """Which layers hold routed experts.

    Parameters
    ----------
    settings : Settings
    layers : int [1]

    Returns
    -------
    list of bool

    >>> expert_layers(Settings({"first_k_dense_replace": 1}, "demo"), 3)
    [False, True, True]
    """
    if settings.has("mlp_layer_types"):
        return [one != "dense" for one in settings.listing("mlp_layer_types", layers)]
    if isinstance(settings.get("moe_layer_freq"), list):
        return [bool(one) for one in settings.listing("moe_layer_freq", layers)]
    if settings.has("interleave_moe_layer_step"):
        step = settings.count("interleave_moe_layer_step", least=0)
        return [bool(step) and (i + 1) % step == 0 for i in range(layers)]
    first = settings.count("first_k_dense_replace", default=0, least=0, most=MOST_LAYERS)
    step = settings.count("moe_layer_freq", "decoder_sparse_step", default=1)
    dense_only = settings.entries("mlp_only_layers")
    every = "moe_layer_freq" if settings.has("moe_layer_freq") else "decoder_sparse_step"
    offset = 0 if every == "moe_layer_freq" else 1
    return [i >= first and i not in dense_only and (i + offset) % step == 0 for i in range(layers)]


def routed(settings: Settings, hidden: int, style: Style, latent: int = 0) -> FeedForward:
    """The mixture of experts that a configuration describes.

    Parameters
    ----------
    settings : Settings
    hidden : int [1]
    style : Style
    latent : int [1]
        Width in which the experts run; 0 for the hidden size.

    Returns
    -------
    FeedForward

    >>> config = {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 4}
    >>> routed(Settings(config, "demo"), 16, Style()).expert
    1536
    """
    experts = settings.count(*EXPERT_KEYS, most=65536)
    per_token = settings.count(*PER_TOKEN_KEYS)
    if per_token > experts:
        raise settings.fault(
            "num_experts_per_tok",
            f"is {per_token}, more than the {experts} experts",
            "correct one of the two in the config.json",
        )
    width = settings.count("moe_intermediate_size", "intermediate_size", most=MOST_WIDTH)
    count = settings.count("n_shared_experts", "num_shared_experts", default=0, least=0)
    one = settings.count(
        "moe_shared_expert_intermediate_size",
        "shared_expert_intermediate_size",
        "shared_intermediate_size",
        "share_expert_dim",
        default=count * width,
        least=0,
    )
    if str(settings.get("model_type")).startswith("llama4"):
        one = width
    return mixture(
        hidden,
        experts,
        per_token,
        width,
        matrices=style.matrices,
        latent=latent,
        shared_width=one,
        shared_gate=settings.has("shared_expert_intermediate_size"),
        bias=style.expert_bias,
        router_bias=style.expert_bias
        or settings.flag("use_routing_bias")
        or settings.flag("use_moe_router_bias")
        or settings.get("topk_method") == "noaux_tc"
        or settings.get("moe_router_activation_func") == "sigmoid",
        latent_norm=settings.flag("latent_moe_use_norm"),
    )


def feed_forwards(
    settings: Settings, layers: int, hidden: int, style: Style, latent: int = 0
) -> list[FeedForward]:
    """The feed-forward of every layer.

    Parameters
    ----------
    settings : Settings
    layers, hidden : int [1]
    style : Style
    latent : int [1]
        Width in which the experts run; 0 for the hidden size.

    Returns
    -------
    list of FeedForward

    >>> feed_forwards(Settings({"intermediate_size": 8}, "demo"), 2, 4, Style())[1].mlp
    96
    """
    has_experts = style.routed and any(settings.get(key) for key in EXPERT_KEYS)
    if not has_experts:
        width = settings.count("intermediate_size", "n_inner", most=MOST_WIDTH)
        bias = settings.flag("mlp_bias")
        return [dense(hidden, width, matrices=style.matrices, bias=bias)] * layers
    sparse = routed(settings, hidden, style, latent)
    kinds = expert_layers(settings, layers)
    if all(kinds):
        return [sparse] * layers
    width = settings.count(
        "intermediate_size_mlp", "dense_intermediate_size", "intermediate_size", most=MOST_WIDTH
    )
    thick = dense(hidden, width, matrices=style.matrices)
    return [sparse if kind else thick for kind in kinds]
