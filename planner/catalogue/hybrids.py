"""Decoders with a compressed or a recurrent memory: MLA, DeepSeek-V4, delta nets, Mamba."""

from __future__ import annotations

from planner.catalogue.layers import (
    MOST_LAYERS,
    MOST_WIDTH,
    NO_FEED_FORWARD,
    NO_MIXER,
    Layer,
    Structure,
    Style,
    feed_forwards,
    layer_count,
    routed,
    widths,
)
from planner.catalogue.mixers import (
    Mixer,
    compressed_attention,
    dense,
    gated_delta_net,
    grouped_query,
    kimi_delta_attention,
    latent_attention,
    mamba2,
)
from planner.catalogue.settings import Settings


def latent_decoder(settings: Settings) -> Structure:
    """Multi-head latent attention with experts: DeepSeek-V2 to V3.2, Kimi-K2, GLM-5.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    Structure

    Source: DeepSeek-V3, arXiv 2412.19437; DeepSeek-V3.2 and GLM-5 add the indexer.
    """
    layers = layer_count(settings)
    hidden = settings.count("hidden_size", most=MOST_WIDTH)
    indexer = None
    if settings.has("index_topk"):
        indexer = (
            settings.count("index_n_heads"),
            settings.count("index_head_dim"),
            settings.count("index_topk"),
        )
    own = latent(settings, hidden, indexer=indexer)
    mixers = [own] * layers
    if indexer and settings.has("indexer_types"):
        shared = latent(settings, hidden, indexer=indexer, own_indexer=False)
        kinds = settings.listing("indexer_types", layers)
        mixers = [shared if kind == "shared" else own for kind in kinds]
    forwards = feed_forwards(settings, layers, hidden, Style())
    return Structure(list(zip(mixers, forwards, strict=True)), (2 * layers + 1) * hidden)


def latent(settings: Settings, hidden: int, **options: object) -> Mixer:
    """The latent attention that a configuration describes.

    Parameters
    ----------
    settings : Settings
    hidden : int [1]
    options
        As for :func:`planner.catalogue.mixers.latent_attention`.

    Returns
    -------
    Mixer

    >>> latent(Settings({"num_attention_heads": 2, "kv_lora_rank": 8, "qk_nope_head_dim": 4,
    ...     "qk_rope_head_dim": 2, "v_head_dim": 4}, "demo"), 16).replicated
    160
    """
    return latent_attention(
        hidden,
        settings.count("num_attention_heads", most=65536),
        settings.count("q_lora_rank", default=0, least=0),
        settings.count("kv_lora_rank"),
        settings.count("qk_nope_head_dim"),
        settings.count("qk_rope_head_dim"),
        settings.count("v_head_dim"),
        **options,
    )


def compressed_decoder(settings: Settings) -> Structure:
    """DeepSeek-V4: compressed attention, experts, and hyper-connections between layers.

    A hyper-connection of ``m`` streams holds ``(2 + m) m (m d + 1) + 3`` parameters; each layer
    has two.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    Structure

    Source: DeepSeek-V4 technical report (arXiv 2606.19348) and its reference ``model.py``.
    """
    layers = layer_count(settings)
    hidden = settings.count("hidden_size", most=MOST_WIDTH)
    indexer = (
        settings.count("index_n_heads"),
        settings.count("index_head_dim"),
        settings.count("index_topk"),
    )
    ratios = settings.listing("compress_ratios", layers)
    if any(ratio not in (0, 4, 128) for ratio in ratios):
        raise settings.fault(
            "compress_ratios",
            "holds a ratio other than 0, 4 and 128",
            "choose DeepSeek-V4 from the catalogue",
        )
    parts = {
        ratio: compressed_attention(
            hidden,
            settings.count("num_attention_heads", most=65536),
            settings.count("head_dim"),
            settings.count("qk_rope_head_dim"),
            settings.count("q_lora_rank"),
            settings.count("o_lora_rank"),
            settings.count("o_groups"),
            settings.count("sliding_window"),
            ratio,
            indexer,
        )
        for ratio in set(ratios)
    }
    streams = settings.count("hc_mult", default=0, least=0)
    link = (2 + streams) * streams * (streams * hidden + 1) + 3 if streams else 0
    end = streams * (streams * hidden + 1) + 1 if streams else 0
    forward = feed_forwards(settings, layers, hidden, Style())
    mixers = [parts[ratio] for ratio in ratios]
    small = (2 * layers + 1) * hidden + 2 * layers * link + end
    return Structure(list(zip(mixers, forward, strict=True)), small)


def gated_hybrid(settings: Settings) -> Structure:
    """Qwen3-Next and Qwen3.5: gated delta nets with a gated attention layer now and then.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    Structure

    Source: transformers ``modeling_qwen3_5.py``.
    """
    layers, (hidden, heads, kv_heads, size) = layer_count(settings), widths(settings)
    attention = grouped_query(
        hidden,
        heads,
        kv_heads,
        size,
        gated=settings.flag("attn_output_gate", True),
        small=2 * size,
    )
    delta = gated_delta_net(
        hidden,
        settings.count("linear_num_key_heads"),
        settings.count("linear_num_value_heads"),
        settings.count("linear_key_head_dim"),
        settings.count("linear_value_head_dim"),
        settings.count("linear_conv_kernel_dim"),
        state_width(settings),
    )
    if settings.has("layer_types"):
        known = {"full_attention": attention, "linear_attention": delta}
        kinds = settings.listing("layer_types", layers)
        if any(kind not in known for kind in kinds):
            raise settings.fault(
                "layer_types",
                "names a layer other than full_attention and linear_attention",
                "choose a Qwen3.5 model of the catalogue",
            )
        mixers = [known[kind] for kind in kinds]
    else:
        step = settings.count("full_attention_interval", default=4)
        mixers = [attention if (i + 1) % step == 0 else delta for i in range(layers)]
    forwards = feed_forwards(settings, layers, hidden, Style())
    return Structure(list(zip(mixers, forwards, strict=True)), (2 * layers + 1) * hidden)


def state_width(settings: Settings) -> int:
    """Bytes per element of a recurrent state: as the configuration says, else 2.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    int [byte]

    >>> state_width(Settings({"mamba_ssm_dtype": "float32"}, "demo"))
    4
    """
    for key in ("mamba_ssm_cache_dtype", "mamba_ssm_dtype"):
        if settings.has(key):
            known = {"float32": 4, "bfloat16": 2, "float16": 2}
            dtype = settings.get(key)
            if not isinstance(dtype, str) or dtype not in known:
                raise settings.fault(
                    key, "is not float32, bfloat16 or float16", "correct it in the config.json"
                )
            return known[dtype]
    return 2


def kimi_hybrid(settings: Settings) -> Structure:
    """Kimi Linear and Kimi K3: KDA with latent attention now and then, experts in a latent space.

    Attention residuals (K3) add two norms and two scoring vectors per layer.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    Structure

    Source: Kimi Linear, arXiv 2510.26692; the checkpoint of Kimi K3.
    """
    layers = layer_count(settings)
    hidden = settings.count("hidden_size", most=MOST_WIDTH)
    linear = settings.section("linear_attn_config")
    delta = kimi_delta_attention(
        hidden,
        linear.count("num_heads"),
        linear.count("head_dim"),
        linear.count("short_conv_kernel_size", default=4),
        linear.flag("use_full_rank_gate"),
    )
    full = latent(settings, hidden, gated=settings.flag("mla_use_output_gate"))
    chosen = linear.get("kda_layers")
    if not isinstance(chosen, list):
        raise linear.fault("kda_layers", "is not a list of layer numbers")
    mixers = [delta if i + 1 in chosen else full for i in range(layers)]
    inner = settings.count("routed_expert_hidden_size", default=0, least=0)
    forwards = feed_forwards(settings, layers, hidden, Style(), latent=inner)
    residual = (4 * layers + 2) * hidden if settings.has("attn_res_block_size") else 0
    small = (2 * layers + 1) * hidden + residual
    return Structure(list(zip(mixers, forwards, strict=True)), small)


def nemotron_hybrid(settings: Settings) -> Structure:
    """Nemotron-H and Nemotron 3: each layer is one of Mamba-2, attention, MLP or experts.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    Structure

    Source: NVIDIA's ``modeling_nemotron_h.py``; the pattern is ``M``, ``*``, ``-`` and ``E``.
    """
    hidden, heads, kv_heads, _ = widths(settings)
    size = settings.count("head_dim", "attention_head_dim", default=hidden // heads)
    style = Style(matrices=2)
    pattern = settings.get("hybrid_override_pattern") or settings.get("layers_block_type")
    if not isinstance(pattern, str | list) or not pattern or len(pattern) > MOST_LAYERS:
        raise settings.fault("hybrid_override_pattern", "is missing or not a pattern of layers")
    kinds = {str(one)[:20] for one in pattern}
    unknown = sorted(kinds - {"M", "mamba", "*", "attention", "-", "mlp", "E", "moe"})
    if unknown:
        raise settings.fault(
            "hybrid_override_pattern",
            "or layers_block_type holds a layer that is not understood"
            + (f' ("{unknown[0]}")' if unknown[0] in pattern else ""),
            "choose a Nemotron model of the catalogue",
        )
    parts: dict[str, Layer] = {}
    for one in kinds:
        if one in ("M", "mamba"):
            mixer = mamba2(
                hidden,
                settings.count("mamba_num_heads"),
                settings.count("mamba_head_dim"),
                settings.count("ssm_state_size"),
                settings.count("n_groups"),
                settings.count("conv_kernel"),
                state_width(settings),
                projection_bias=settings.flag("mamba_proj_bias"),
            )
            parts[one] = (mixer, NO_FEED_FORWARD)
        elif one in ("*", "attention"):
            parts[one] = (grouped_query(hidden, heads, kv_heads, size), NO_FEED_FORWARD)
        elif one in ("-", "mlp"):
            width = settings.count("intermediate_size", most=MOST_WIDTH)
            parts[one] = (NO_MIXER, dense(hidden, width, matrices=2))
        else:
            inner = settings.count("moe_latent_size", default=0, least=0)
            parts[one] = (NO_MIXER, routed(settings, hidden, style, inner))
    return Structure([parts[str(one)] for one in pattern], (len(pattern) + 1) * hidden)
