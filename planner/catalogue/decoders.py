"""Decoders whose every layer attends: grouped-query, sliding, block-sparse, and the classics."""

from __future__ import annotations

import math

from planner.catalogue.layers import (
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
    windows,
)
from planner.catalogue.mixers import FeedForward, Mixer, dense, grouped_query, index_key_bytes
from planner.catalogue.records import StateGroup
from planner.catalogue.settings import Settings

QWEN3 = Style(qk_norm="head")
STYLES: dict[str, Style] = {
    "llama": Style(output_bias=None),
    "mistral": Style(),
    "granite": Style(output_bias=None),
    "phi3": Style(),
    "phimoe": Style(output_bias=None, norm_bias=True, head_bias=True),
    "mixtral": Style(),
    "qwen2": Style(qkv_bias=True),
    "qwen2_moe": Style(qkv_bias=True),
    "qwen3": QWEN3,
    "qwen3_moe": QWEN3,
    "qwen3_vl": QWEN3,
    "qwen3_vl_text": QWEN3,
    "qwen3_vl_moe": QWEN3,
    "qwen3_vl_moe_text": QWEN3,
    "mimo": Style(),
    "olmo2": Style(qk_norm="layer"),
    "gemma": Style(tied=True),
    "gemma2": Style(norms=4, tied=True),
    "gemma3": Style(norms=4, tied=True, qk_norm="head"),
    "gemma3_text": Style(norms=4, tied=True, qk_norm="head"),
    "minimax_m2": Style(qk_norm="layer"),
    "minimax_m3": QWEN3,
    "glm4_moe": Style(),
    "step3p7": QWEN3,
    "gpt_oss": Style(output_bias=None, expert_bias=True, sinks=True),
    "llama4": Style(),
    "llama4_text": Style(),
}


def _qk_norm(style: Style, settings: Settings, heads: int, kv_heads: int, size: int) -> int:
    """Parameters of one layer's query and key norms."""
    kind = style.qk_norm
    if settings.get("model_type") == "glm4_moe" and settings.flag("use_qk_norm"):
        kind = "head"
    return {"": 0, "head": 2 * size, "layer": (heads + kv_heads) * size}[kind]


def decoder(settings: Settings) -> Structure:
    """A decoder of grouped-query attention and gated feed-forwards, dense or of experts.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    Structure

    Source: the families' modelling code in transformers (Llama, Mistral, Qwen, Gemma, Phi, ...).

    >>> config = {"model_type": "llama", "hidden_size": 64, "num_attention_heads": 4,
    ...           "num_hidden_layers": 2, "intermediate_size": 128}
    >>> len(decoder(Settings(config, "demo")).layers)
    2
    """
    style = STYLES.get(str(settings.get("model_type")), Style(output_bias=None))
    layers, (hidden, heads, kv_heads, size) = layer_count(settings), widths(settings)
    bias = settings.flag("attention_bias")
    small = _qk_norm(style, settings, heads, kv_heads, size) + heads * style.sinks
    parts = {
        kind: grouped_query(
            hidden,
            heads,
            kv_heads,
            size,
            kind=kind[0],
            window=kind[1],
            qkv_bias=bias if style.qkv_bias is None else style.qkv_bias,
            output_bias=bias if style.output_bias is None else style.output_bias,
            small=small,
        )
        for kind in dict.fromkeys(windows(settings, layers))
    }
    mixers = [parts[kind] for kind in windows(settings, layers)]
    norms = (style.norms * layers + 1) * hidden * (1 + style.norm_bias)
    head_bias = settings.count("vocab_size") if style.head_bias else 0
    forwards = feed_forwards(settings, layers, hidden, style)
    return Structure(list(zip(mixers, forwards, strict=True)), norms + head_bias, style.tied)


def block_sparse(settings: Settings) -> Structure:
    """MiniMax-M3: grouped-query attention whose later layers read blocks that an indexer picks.

    All keys and values are stored; one indexer key per token is stored beside them.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    Structure

    Source: MiniMax-M3's ``sparse_attention_config``; vLLM ``minimax_m3.py``.
    """
    structure = decoder(settings)
    hidden, heads, kv_heads, size = widths(settings)
    if not settings.has("sparse_attention_config"):
        return structure
    sparse = settings.section("sparse_attention_config")
    index_heads, index = sparse.count("sparse_num_index_heads"), sparse.count("sparse_index_dim")
    read = sparse.count("sparse_topk_blocks") * sparse.count("sparse_block_size")
    mixer = grouped_query(
        hidden,
        heads,
        kv_heads,
        size,
        extra=hidden * index * (index_heads + 1),
        small=2 * size + 2 * index,
    )
    state = StateGroup(
        "sparse",
        1,
        kv_heads=kv_heads,
        head_elements=2 * size,
        index_bytes=index_key_bytes(index),
        read_tokens=read,
    )
    chosen = Mixer(mixer.attention, mixer.kv, 0, mixer.small, (state,))
    which = sparse.listing("sparse_attention_freq", len(structure.layers))
    layers = [
        (chosen if on else layer[0], layer[1])
        for on, layer in zip(which, structure.layers, strict=True)
    ]
    note = "The indexer's key is taken as FP8 with its scale; the engine may keep it wider."
    return Structure(layers, structure.small, notes=(note,))


def searched_decoder(settings: Settings) -> Structure:
    """Nemotron-NAS (Puzzle): every block has its own attention and feed-forward, or none.

    The width is ``2/3 ffn_mult d`` rounded up to a multiple of 256.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    Structure

    Source: NVIDIA's ``configuration_decilm.py`` and ``modeling_decilm.py``.
    """
    hidden = settings.count("hidden_size", most=MOST_WIDTH)
    heads = settings.count("num_attention_heads", most=65536)
    size = settings.count("head_dim", default=hidden // heads)
    layers = layer_count(settings)
    found: list[Layer] = []
    norms = hidden
    for block in settings.listing("block_configs", layers):
        if not isinstance(block, dict):
            raise settings.fault("block_configs", "holds an entry that is not a table of settings")
        part = Settings(block, settings.name, "block_configs.")
        attention, forward = part.section("attention"), part.section("ffn")
        for section in (attention, forward):
            if any(section.get(key) for key in ("window_length", "sparsify", "num_sink_tokens")):
                raise section.fault("window_length", "or sparsify is set, which is not understood")
        mixer, wide = NO_MIXER, NO_FEED_FORWARD
        if attention.flag("replace_with_linear"):
            mixer = Mixer(attention=hidden * hidden)
        elif not attention.flag("no_op"):
            mixer = grouped_query(hidden, heads, heads // attention.count("n_heads_in_group"), size)
        if forward.flag("replace_with_linear"):
            wide = dense(hidden, hidden, matrices=1)
        elif not forward.flag("no_op"):
            multiple = forward.get("ffn_mult")
            if not isinstance(multiple, int | float) or not 0 < multiple < 1000:
                raise forward.fault("ffn_mult", "is not a number above 0")
            wide = dense(hidden, 256 * math.ceil(int(2 * multiple * hidden / 3) / 256))
        norms += hidden * ((mixer != NO_MIXER) + (wide != NO_FEED_FORWARD))
        found.append((mixer, wide))
    return Structure(found, norms)


def gemma4(settings: Settings) -> Structure:
    """Gemma 4: sliding layers, global layers with wider heads whose values are their keys' input,
    and for the mixture model a dense feed-forward beside the experts.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    Structure

    Source: transformers ``modeling_gemma4.py``.
    """
    layers, (hidden, heads, kv_heads, size) = layer_count(settings), widths(settings)
    for key in ("hidden_size_per_layer_input", "num_kv_shared_layers"):
        if settings.get(key):
            raise settings.fault(
                key,
                "is set, which this import does not understand",
                "choose a Gemma 4 model of the catalogue",
            )
    wide = settings.count("global_head_dim", default=size)
    one_projection = settings.flag("attention_k_eq_v")
    wide_heads = (
        settings.count("num_global_key_value_heads", default=kv_heads)
        if one_projection
        else kv_heads
    )
    kinds = windows(settings, layers)
    parts = {}
    for kind in set(kinds):
        full = kind[0] == "full"
        parts[kind] = grouped_query(
            hidden,
            heads,
            wide_heads if full else kv_heads,
            wide if full else size,
            kind=kind[0],
            window=kind[1],
            one_projection=one_projection and full,
            small=2 * (wide if full else size) + 1,
        )
    forward = dense(hidden, settings.count("intermediate_size", most=MOST_WIDTH))
    norms = 4
    if settings.flag("enable_moe_block"):
        sparse = routed(settings, hidden, Style())
        norms = 7
        forward = FeedForward(
            mlp=forward.mlp,
            expert=sparse.expert,
            router=sparse.router,
            small=hidden + sparse.experts,
            experts=sparse.experts,
            per_token=sparse.per_token,
            expert_width=sparse.expert_width,
            width=forward.width + sparse.width,
        )
    small = (norms * layers + 1) * hidden
    return Structure([(parts[kind], forward) for kind in kinds], small, tied=True)


def two_headed(settings: Settings) -> Structure:
    """MiMo-V2-Flash: full and sliding layers with different KV heads, values narrower than keys.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    Structure

    Source: Xiaomi's ``modeling_mimo_v2_flash.py``.
    """
    layers, (hidden, heads, kv_heads, size) = layer_count(settings), widths(settings)
    full = grouped_query(hidden, heads, kv_heads, size, settings.count("v_head_dim", default=size))
    local_heads = settings.count("swa_num_attention_heads", default=heads)
    local = grouped_query(
        hidden,
        local_heads,
        settings.count("swa_num_key_value_heads", default=kv_heads),
        settings.count("swa_head_dim", default=size),
        settings.count("swa_v_head_dim", default=size),
        kind="sliding",
        window=settings.count("sliding_window", "sliding_window_size"),
        small=local_heads * settings.flag("add_swa_attention_sink_bias"),
    )
    which = settings.listing("hybrid_layer_pattern", layers)
    forwards = feed_forwards(settings, layers, hidden, Style())
    mixers = [local if on else full for on in which]
    return Structure(list(zip(mixers, forwards, strict=True)), (2 * layers + 1) * hidden)


def classic(settings: Settings) -> Structure:
    """GPT-J, GPT-NeoX, BLOOM and Falcon: two feed-forward matrices and layer norms with biases.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    Structure

    Source: the families' modelling code in transformers.
    """
    family = settings.get("model_type")
    layers = layer_count(settings)
    hidden = settings.count("hidden_size", "n_embd", "n_embed", most=MOST_WIDTH)
    heads = settings.count("num_attention_heads", "n_head", most=65536)
    if hidden % heads:
        raise settings.fault(
            "hidden_size",
            f"is {hidden}, which the {heads} attention heads do not divide",
            "correct one of the two in the config.json",
        )
    kv_heads, norms, tied, extra = heads, 2, family == "bloom", 0
    attention_bias = family in ("gpt_neox", "bloom")
    if family == "falcon":
        grouped = settings.flag("new_decoder_architecture")
        kv_heads = settings.count("num_kv_heads", "n_head_kv", default=heads) if grouped else heads
        if not grouped and settings.flag("multi_query", True):
            kv_heads = 1
        norms = 2 if grouped or not settings.flag("parallel_attn", True) else 1
        attention_bias = settings.flag("bias")
    if family == "gptj":
        norms, extra = 1, settings.count("vocab_size")
    width = settings.count("intermediate_size", "n_inner", "ffn_hidden_size", default=4 * hidden)
    mixer = grouped_query(
        hidden,
        heads,
        kv_heads,
        hidden // heads,
        qkv_bias=attention_bias,
        output_bias=attention_bias,
    )
    forward = dense(hidden, width, matrices=2, bias=attention_bias or family == "gptj")
    small = (norms * layers + 1 + (family == "bloom")) * 2 * hidden + extra
    return Structure([(mixer, forward)] * layers, small, tied)


def encoder(settings: Settings) -> Structure:
    """BERT and XLM-RoBERTa: an encoder for embeddings or for reranking; it keeps no state.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    Structure

    Source: Devlin et al. 2018, arXiv 1810.04805; transformers ``modeling_bert.py``.
    """
    layers, (hidden, heads, _, size) = layer_count(settings), widths(settings)
    part = grouped_query(hidden, heads, heads, size, qkv_bias=True, output_bias=True)
    mixer = Mixer(part.attention, part.kv, 0, part.small)
    width = settings.count("intermediate_size", most=MOST_WIDTH)
    positions = settings.count("max_position_embeddings", most=1e9)
    types = settings.count("type_vocab_size", default=2)
    other = hidden * hidden + hidden
    if classifies(settings):
        other += hidden + 1
    return Structure(
        [(mixer, dense(hidden, width, matrices=2, bias=True))] * layers,
        (2 * layers + 1) * 2 * hidden,
        tied=True,
        embedding_extra=(positions + types) * hidden,
        other=other,
        encoder=True,
    )


def classifies(settings: Settings) -> bool:
    """Whether the configuration is of a sequence classifier, as rerankers are.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    bool

    >>> classifies(Settings({"architectures": ["BertForSequenceClassification"]}, "demo"))
    True
    """
    return any("SequenceClassification" in str(one) for one in settings.entries("architectures"))
