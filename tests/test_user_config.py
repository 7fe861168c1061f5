"""A configuration that a user pastes: read when it can be, refused in one sentence when not."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.catalogue.architecture import architecture_from_config, architecture_from_text
from planner.errors import InvalidScenario

CONFIGS = Path(__file__).resolve().parents[1] / "data" / "model_configs"
GOOD = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "tie_word_embeddings": False,
}


def changed(**changes: object) -> dict:
    return {**GOOD, **changes}


def without(*keys: str) -> dict:
    return {key: value for key, value in GOOD.items() if key not in keys}


BAD: dict[str, tuple[object, str]] = {
    "a list": ([1, 2], "list of 2"),
    "a number": (3, "the text is 3"),
    "a word": ("llama", '"llama"'),
    "nothing inside": ({}, "hidden_size is missing"),
    "only architectures": ({"architectures": ["LlamaForCausalLM"]}, "hidden_size is missing"),
    "no model type, no layers": (without("model_type", "num_hidden_layers"), "num_hidden_layers"),
    "no hidden size": (without("hidden_size"), "hidden_size is missing"),
    "no vocabulary": (without("vocab_size"), "vocab_size is missing"),
    "no heads": (without("num_attention_heads"), "num_attention_heads is missing"),
    "no feed-forward": (without("intermediate_size"), "intermediate_size is missing"),
    "layers in words": (changed(num_hidden_layers="many"), 'num_hidden_layers is "many"'),
    "negative heads": (changed(num_attention_heads=-32), "num_attention_heads is -32"),
    "no layers at all": (changed(num_hidden_layers=0), "num_hidden_layers is 0"),
    "half a layer": (changed(num_hidden_layers=31.5), "num_hidden_layers is 31.5"),
    "a trillion layers": (changed(num_hidden_layers=1e12), "num_hidden_layers is"),
    "an endless width": (changed(hidden_size=math.inf), "hidden_size is"),
    "not a number": (changed(hidden_size=math.nan), "hidden_size is not a number"),
    "true layers": (changed(num_hidden_layers=True), "num_hidden_layers is true"),
    "listed width": (changed(hidden_size=[4096]), "hidden_size is a list of 1"),
    "absurd together": (
        changed(hidden_size=1_000_000, num_hidden_layers=2000, intermediate_size=1_000_000),
        "parameters",
    ),
    "KV heads that do not divide": (changed(num_key_value_heads=7), "num_key_value_heads is 7"),
    "heads that do not divide": (
        changed(num_attention_heads=33, num_key_value_heads=33),
        "hidden_size is 4096",
    ),
    "bias in words": (changed(attention_bias="yes"), 'attention_bias is "yes"'),
    "model type is a list": (changed(model_type=["llama"]), "model_type is a list"),
    "a layer kind from the future": (
        changed(layer_types=["quantum_attention"] * 32),
        "quantum_attention",
    ),
    "too few layer kinds": (changed(layer_types=["full_attention"] * 3), "list of 3"),
    "unknown with a latent cache": (
        changed(model_type="future", kv_lora_rank=512),
        "kv_lora_rank is set",
    ),
    "unknown with experts": (changed(model_type="future", num_experts=64), "num_experts is set"),
    "unknown hybrid": (
        changed(model_type="future", hybrid_override_pattern="M*M*"),
        "hybrid_override_pattern is set",
    ),
    "unknown without the usual keys": ({"model_type": "rwkv", "d_model": 4096}, "rwkv"),
    "more active experts than experts": (
        changed(model_type="mixtral", num_local_experts=8, num_experts_per_tok=9),
        "num_experts_per_tok is 9",
    ),
    "latent attention without its rank": (changed(model_type="deepseek_v3"), "kv_lora_rank"),
    "a pattern that is not one": (
        changed(model_type="nemotron_h", hybrid_override_pattern="M?M"),
        'not understood ("?")',
    ),
    "blocks that are not tables": (
        changed(model_type="nemotron-nas", block_configs=[1] * 32),
        "block_configs",
    ),
    "text section that is a word": ({"text_config": "llama"}, "text_config"),
    "encoder-decoder": (
        {"model_type": "t5", "d_model": 768, "is_encoder_decoder": True, "num_layers": 12},
        "encoder-decoder",
    ),
    "a diffusion pipeline": (
        {"_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.2"},
        "diffusion",
    ),
    "a vision model": (
        {"model_type": "vit", "hidden_size": 768, "image_size": 224, "patch_size": 16},
        "no language model",
    ),
    "a LoRA adapter": (
        {"peft_type": "LORA", "r": 16, "target_modules": ["q_proj"]},
        "adapter_config.json",
    ),
    "a tokenizer": ({"tokenizer_class": "LlamaTokenizer", "chat_template": "x"}, "tokenizer"),
    "generation settings": ({"do_sample": True, "temperature": 0.6}, "generation_config.json"),
    "a weight index": ({"weight_map": {"a": "b"}, "metadata": {}}, "index of weight files"),
    "quantisation alone": ({"quant_method": "fp8", "bits": 8}, "quantisation"),
}

BAD_TEXT = {
    "empty": ("", "empty"),
    "blank": ("  \n", "empty"),
    "not JSON": ("hidden_size: 4096", "not JSON"),
    "cut off": ('{"hidden_size": 40', "not JSON"),
    "too deep": ("[" * 5000 + "]" * 5000, "nested"),
    "too large": ('{"a": "' + "x" * 2_100_000 + '"}', "2 MB"),
    "a page of HTML": ("<!doctype html><html></html>", "not JSON"),
    "a huge number": ('{"hidden_size": ' + "9" * 5000 + "}", ""),
}


def sentence_of(text: object) -> str:
    with pytest.raises(InvalidScenario) as caught:
        architecture_from_text(text, name="my model")
    return str(caught.value)


def is_one_sentence(message: str) -> bool:
    noise = ("Traceback", "<class", "Error(", "object at 0x", "{'", "None", "dict", "\n")
    ends = re.findall(r"[.!?](?=\s+[A-Z])", message)
    return (
        message.endswith(".")
        and not ends
        and not any(part in message for part in noise)
        and 20 < len(message) < 300
    )


@pytest.mark.parametrize("case", BAD)
def test_bad_config_gets_one_sentence(case: str) -> None:
    config, expected = BAD[case]
    message = sentence_of(json.dumps(config))
    assert is_one_sentence(message), message
    assert message.startswith("my model: ")
    assert expected in message, message
    assert ";" in message, "the remedy is missing"


@pytest.mark.parametrize("case", BAD_TEXT)
def test_bad_text_gets_one_sentence(case: str) -> None:
    text, expected = BAD_TEXT[case]
    message = sentence_of(text)
    assert is_one_sentence(message), message
    assert expected in message, message


def test_there_are_enough_bad_cases() -> None:
    assert len(BAD) + len(BAD_TEXT) >= 25


def test_config_that_is_not_a_table_is_refused() -> None:
    with pytest.raises(InvalidScenario, match="must be a table"):
        architecture_from_config([1], id="my model")


def test_a_hostile_name_stays_on_one_line_and_short() -> None:
    with pytest.raises(InvalidScenario) as caught:
        architecture_from_text("{}", name="a\nb\x00" * 500)
    assert is_one_sentence(str(caught.value))


def test_the_error_names_its_field() -> None:
    with pytest.raises(InvalidScenario) as caught:
        architecture_from_config({"text_config": {"model_type": "llama"}}, id="m")
    assert caught.value.field == "text_config.num_hidden_layers"


def test_good_config_gives_llamas_count() -> None:
    """Llama-3.1-8B: 8,030,261,248 parameters (Meta's safetensors index)."""
    model = architecture_from_text(json.dumps(GOOD), name="my model")
    assert model.total_parameters == 8_030_261_248
    assert (model.id, model.notes) == ("my model", ())


def test_every_published_config_reads_as_text() -> None:
    for path in sorted(CONFIGS.glob("*.json")):
        model = architecture_from_text(path.read_text(encoding="utf-8"), name=path.stem)
        assert model.total_parameters > 1e8, path.name


def test_infinity_passes_where_publishers_write_it() -> None:
    text = json.dumps(changed(time_step_limit=[0.0, math.inf]))
    assert "Infinity" in text
    assert architecture_from_text(text, name="m").layers == 32


def test_a_byte_order_mark_passes() -> None:
    assert architecture_from_text("\ufeff" + json.dumps(GOOD), name="m").layers == 32


def test_an_unknown_plain_decoder_is_read_with_a_note() -> None:
    model = architecture_from_config(changed(model_type="future"), id="m")
    assert model.total_parameters == 8_030_261_248
    assert len(model.notes) == 1 and "future" in model.notes[0]


def test_no_model_type_is_read_with_a_note() -> None:
    model = architecture_from_config(without("model_type"), id="m")
    assert model.notes and model.total_parameters == 8_030_261_248


def test_whole_numbers_written_as_fractions_pass() -> None:
    assert architecture_from_config(changed(num_hidden_layers=32.0), id="m").layers == 32


def test_tied_head_is_counted_once() -> None:
    tied = architecture_from_config(changed(tie_word_embeddings=True), id="m")
    assert tied.total_parameters == 8_030_261_248 - 128256 * 4096
    assert tied.lm_head_parameters == 0


def test_twice_the_layers_is_twice_the_layers_parameters() -> None:
    one = architecture_from_config(GOOD, id="m")
    two = architecture_from_config(changed(num_hidden_layers=64), id="m")
    assert two.mlp_parameters == 2 * one.mlp_parameters
    assert two.groups[0].layers == 2 * one.groups[0].layers


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(CONFIGS.glob("*.json"))).map(lambda path: path.name),
    st.integers(0, 10_000),
    JSON,
)
def test_any_changed_key_reads_or_is_refused(name: str, pick: int, value: object) -> None:
    """One key of a real configuration replaced by any JSON value never ends in a traceback."""
    config = json.loads((CONFIGS / name).read_text(encoding="utf-8"))
    inner = config.get("text_config")
    table = inner if isinstance(inner, dict) and pick % 3 else config
    table[sorted(table)[pick % len(table)]] = value
    try:
        model = architecture_from_config(config, id="m")
    except InvalidScenario as error:
        assert is_one_sentence(str(error)), str(error)
    else:
        assert model.total_parameters > 0
