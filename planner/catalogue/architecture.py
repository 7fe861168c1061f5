"""Reads a publisher's ``config.json`` into an :class:`Architecture`.

The parameter count follows from the widths of the layers, and the sequence
state from what each layer stores. Layers for multi-token prediction are not
counted: engines do not load them by default, and publishers do not count them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from planner.catalogue.decoders import classifies, decoder
from planner.catalogue.families import FAMILIES
from planner.catalogue.layers import EXPERT_KEYS, MOST_WIDTH, Layer, Structure
from planner.catalogue.records import Architecture, Basis, Source, StateGroup
from planner.catalogue.settings import WHOLE_FILE, Settings, plain, shown
from planner.catalogue.vision import vision_tower
from planner.errors import InvalidScenario

LONGEST_TEXT_BYTES = 2_000_000
DEEPEST_NESTING = 40
MOST_PARAMETERS = 1e14

DERIVED_FROM_CONFIG = Source(
    "the model's config.json", "parameters counted from its widths", "", Basis.DERIVED
)
UNKNOWN_STRUCTURE = (
    "kv_lora_rank",
    "hybrid_override_pattern",
    "hybrid_layer_pattern",
    "layers_block_type",
    "block_configs",
    "linear_attn_config",
    "linear_num_value_heads",
    "compress_ratios",
    "sparse_attention_config",
    "index_topk",
    "ssm_state_size",
    "state_size",
    "mamba_d_state",
    "mamba_num_heads",
    "attn_layer_period",
    "hidden_size_per_layer_input",
    "num_kv_shared_layers",
    "cross_attention_layers",
    "rwkv_version",
    *EXPERT_KEYS,
)
"""Keys that mean more than a plain decoder; with an unknown ``model_type`` they are refused."""

LLAMA_KEYS = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "vocab_size",
)
OTHER_DOCUMENTS = (
    (("peft_type",), "is a LoRA adapter's adapter_config.json"),
    (("_class_name",), "is of a diffusion pipeline"),
    (("weight_map",), "is an index of weight files"),
    (("tokenizer_class", "chat_template", "added_tokens_decoder"), "is a tokenizer's"),
    (("quant_method", "quant_algo", "producer"), "holds quantisation settings alone"),
    (("do_sample", "temperature", "eos_token_id"), "is a generation_config.json"),
)
NOT_TEXT = ("vit", "clip", "siglip", "dinov2", "whisper", "swin", "unet", "wav2vec2", "clip_vision")


def architecture_from_text(text: str, *, name: str) -> Architecture:
    """The architecture in the raw text of a ``config.json`` that a user brings.

    Infinity and NaN are let through where publishers write them (``time_step_limit``).

    Parameters
    ----------
    text : str
        JSON of at most 2 MB, nested at most 40 deep.
    name : str
        How the model is called in the plan and in error messages.

    Returns
    -------
    Architecture

    Raises :class:`InvalidScenario` with one sentence when the text cannot be read.

    >>> architecture_from_text("[1, 2]", name="demo")
    Traceback (most recent call last):
        ...
    planner.errors.InvalidScenario: demo: the text is a list of 2, but must be one JSON object; \
paste the whole config.json from the model's page.
    """
    label = plain(name)
    size = len(text.encode("utf-8", "replace")) if isinstance(text, str) else 0
    if not isinstance(text, str) or not text.strip():
        raise InvalidScenario(f"{label}: the text is empty; {WHOLE_FILE}.")
    if size > LONGEST_TEXT_BYTES:
        raise InvalidScenario(
            f"{label}: the text is {size / 1e6:.1f} MB, but may be at most 2 MB; "
            "paste the config.json and not a file of weights."
        )
    if _nesting(text) > DEEPEST_NESTING:
        raise InvalidScenario(
            f"{label}: the text is nested more than {DEEPEST_NESTING} deep; {WHOLE_FILE}."
        )
    try:
        config = json.loads(text.lstrip("\ufeff"))
    except json.JSONDecodeError as error:
        raise InvalidScenario(
            f"{label}: the text is not JSON at line {error.lineno}, column {error.colno}; "
            f"{WHOLE_FILE}."
        ) from None
    except (ValueError, RecursionError):
        raise InvalidScenario(f"{label}: the text is not JSON; {WHOLE_FILE}.") from None
    if not isinstance(config, dict):
        raise InvalidScenario(
            f"{label}: the text is {shown(config)}, but must be one JSON object; {WHOLE_FILE}."
        )
    return architecture_from_config(config, id=label, name=label)


def architecture_from_config(
    config: Mapping[str, Any],
    *,
    id: str,
    name: str = "",
    source: Source = DERIVED_FROM_CONFIG,
) -> Architecture:
    """The architecture that a publisher's ``config.json`` describes.

    Formula: sums over the layers of what :mod:`planner.catalogue.mixers` gives, and
    ``embedding = vocabulary * d``, the same again for an LM head that is not tied.

    Parameters
    ----------
    config : mapping
        The parsed ``config.json``; a configuration with a ``text_config`` is read there.
    id, name : str
        The name is the id when it is blank.
    source : Source
        Where the configuration comes from.

    Returns
    -------
    Architecture

    Raises :class:`InvalidScenario` naming the key that is missing or not understood.

    Source: each family's modelling code in transformers or vLLM.

    >>> config = {"model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336,
    ...           "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
    ...           "vocab_size": 128256, "max_position_embeddings": 131072}
    >>> architecture_from_config(config, id="llama-3.1-8b").total_parameters
    8030261248
    """
    label = plain(name or id)
    if not isinstance(config, Mapping):
        raise InvalidScenario(
            f"{label}: the configuration is {shown(config)}, but must be a table of settings; "
            f"{WHOLE_FILE}."
        )
    whole = Settings(config, label)
    text = _language_model(whole)
    reader, note = _reader(text)
    structure = reader(text)
    return _assemble(whole, text, structure, (*structure.notes, *note), id, name or id, source)


def _nesting(text: str) -> int:
    """The deepest level of brackets outside strings, without recursion."""
    depth = deepest = 0
    in_string = escaped = False
    for character in text:
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def _language_model(whole: Settings) -> Settings:
    """The settings of the language model, after refusing documents that hold none."""
    if whole.has("text_config") and not whole.has("hidden_size"):
        return whole.section("text_config")
    if not any(whole.has(key) for key in ("hidden_size", "n_embd", "n_embed", "d_model")):
        for keys, what in OTHER_DOCUMENTS:
            key = next((k for k in keys if whole.has(k)), None)
            if key and not (whole.has("model_type") and whole.has("architectures")):
                raise whole.fault(key, f"shows that this file {what}")
    family = whole.get("model_type", "")
    if whole.get("is_encoder_decoder") is True or family in ("t5", "mt5", "bart", "mbart"):
        raise whole.fault(
            "is_encoder_decoder",
            "says that this is an encoder-decoder model, which is not sized here",
            "choose a model that only decodes",
        )
    if family in NOT_TEXT or (whole.has("image_size") and not whole.has("vocab_size")):
        raise whole.fault(
            "model_type",
            f"is {shown(family)}, which holds no language model",
            "paste the config.json of a text model",
        )
    return whole


def _reader(settings: Settings) -> tuple[Any, tuple[str, ...]]:
    """The family's function, and a note when the family is not known."""
    family = settings.get("model_type")
    if family is not None and not isinstance(family, str):
        raise settings.fault("model_type", f"is {shown(family)}, but must be a word")
    if family in FAMILIES:
        return FAMILIES[family], ()
    for key in UNKNOWN_STRUCTURE:
        if settings.get(key):
            raise settings.fault(
                key,
                f"is set, and model type {shown(family)} is not known, so its layers cannot be "
                "counted",
                "choose the nearest model of the catalogue",
            )
    missing = next((key for key in LLAMA_KEYS if not settings.has(key)), None)
    if missing:
        known = "" if family is None else f" and model type {shown(family)} is not known"
        raise settings.fault(missing, f"is missing{known}")
    note = f"Model type {shown(family)} is not known; it is read as a plain decoder like Llama."
    return decoder, (note,)


def _assemble(
    whole: Settings,
    text: Settings,
    structure: Structure,
    notes: tuple[str, ...],
    id: str,
    name: str,
    source: Source,
) -> Architecture:
    """Adds the layers up."""
    layers = structure.layers
    counts: dict[Layer, int] = {}
    for layer in layers:
        counts[layer] = counts.get(layer, 0) + 1
    total = {
        field: sum(getattr(mixer, field) * n for (mixer, _), n in counts.items())
        for field in ("attention", "kv", "replicated", "small")
    }
    forward = {
        field: sum(getattr(ffn, field) * n for (_, ffn), n in counts.items())
        for field in ("mlp", "expert", "router", "replicated", "small")
    }
    sparse = [ffn for _, ffn in counts if ffn.experts]
    hidden = text.count("hidden_size", "n_embd", "n_embed", most=MOST_WIDTH)
    vocabulary = text.count("vocab_size", "padded_vocab_size", most=1e8)
    embedding = vocabulary * hidden
    tied = _tied(whole, text, structure)
    tower, tower_note = vision_tower(whole)
    kind = "generative"
    if structure.encoder:
        kind = "reranker" if classifies(whole) else "embedding"
    result = Architecture(
        id=id,
        name=name,
        family="",
        layers=len(layers),
        hidden_size=hidden,
        vocabulary=vocabulary,
        attention_heads=text.count("num_attention_heads", "n_head", most=65536),
        maximum_context_tokens=text.count(
            "max_position_embeddings",
            "n_positions",
            "seq_length",
            "max_seq_len",
            "n_ctx",
            default=2048,
            most=1e9,
        ),
        attention_parameters=total["attention"],
        kv_projection_parameters=total["kv"],
        replicated_parameters=total["replicated"] + forward["replicated"],
        mlp_parameters=forward["mlp"] + structure.other,
        expert_parameters=forward["expert"],
        router_parameters=forward["router"],
        norm_parameters=total["small"] + forward["small"] + structure.small,
        embedding_parameters=embedding + structure.embedding_extra,
        lm_head_parameters=0 if tied else embedding,
        vision_parameters=tower,
        experts=sparse[0].experts if sparse else 0,
        experts_per_token=sparse[0].per_token if sparse else 0,
        moe_intermediate_size=sparse[0].expert_width if sparse else 0,
        expert_layers=sum(n for (_, ffn), n in counts.items() if ffn.experts),
        feed_forward_size=max(ffn.width for _, ffn in counts),
        groups=_groups(counts),
        native_precision=native_precision(whole, text),
        kind=kind,
        multimodal=any(whole.has(k) for k in ("vision_config", "audio_config", "image_token_id")),
        source=source,
        notes=(*notes, *tower_note),
    )
    if result.total_parameters > MOST_PARAMETERS:
        raise text.fault(
            "hidden_size",
            f"and num_hidden_layers together make {result.total_parameters:.0e} parameters, "
            f"more than {MOST_PARAMETERS:.0e}",
            "correct the sizes in the config.json",
        )
    return result


def _tied(whole: Settings, text: Settings, structure: Structure) -> bool:
    """Whether the LM head is the embedding."""
    if structure.encoder:
        return True
    key = "tie_word_embeddings"
    return (text if text.has(key) else whole).flag(key, structure.tied)


def _groups(counts: dict[Layer, int]) -> tuple[StateGroup, ...]:
    """Layers that keep the same state, put together."""
    found: dict[StateGroup, int] = {}
    for (mixer, _), n in counts.items():
        for state in mixer.states:
            found[state] = found.get(state, 0) + n
    return tuple(replace(state, layers=n) for state, n in found.items())


def native_precision(whole: Settings, text: Settings) -> str:
    """The precision id in which the publisher ships the weights.

    Parameters
    ----------
    whole, text : Settings
        The whole document and its language model.

    Returns
    -------
    str

    Source: the ``quantization_config`` and ``dtype`` keys of transformers.

    >>> demo = Settings({"torch_dtype": "float16"}, "demo")
    >>> native_precision(demo, demo)
    'fp16'
    """
    for settings in (whole, text):
        quantised = settings.get("quantization_config")
        if isinstance(quantised, Mapping):
            method = str(quantised.get("quant_method", "")).lower()
            words = f"{method} {quantised.get('quant_algo', '')} {quantised.get('format', '')}"
            words = words.lower()
            if "mxfp4" in words:
                return "mxfp4"
            if "fp4" in words or "mixed_precision" in words:
                return "nvfp4"
            if "fp8" in words or "float-quantized" in words:
                return "fp8"
            if method == "awq":
                return "awq-int4"
            if "pack-quantized" in words and any(text.get(key) for key in EXPERT_KEYS):
                return "int4-experts"
            if method in ("gptq", "auto-round") or "pack-quantized" in words:
                return "gptq-int4"
    names = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16"}
    for settings in (text, whole):
        for key in ("dtype", "torch_dtype"):
            dtype = settings.get(key)
            if isinstance(dtype, str) and dtype in names:
                return names[dtype]
    return "bf16"
