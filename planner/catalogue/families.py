"""Which function reads the layers of each ``model_type``."""

from __future__ import annotations

from collections.abc import Callable

from planner.catalogue.decoders import (
    STYLES,
    block_sparse,
    classic,
    decoder,
    encoder,
    gemma4,
    searched_decoder,
    two_headed,
)
from planner.catalogue.hybrids import (
    compressed_decoder,
    gated_hybrid,
    kimi_hybrid,
    latent_decoder,
    nemotron_hybrid,
)
from planner.catalogue.layers import Structure
from planner.catalogue.settings import Settings

FAMILIES: dict[str, Callable[[Settings], Structure]] = {
    **dict.fromkeys(STYLES, decoder),
    **dict.fromkeys(
        ("deepseek_v2", "deepseek_v3", "deepseek_v32", "kimi_k2", "glm_moe_dsa"), latent_decoder
    ),
    **dict.fromkeys(("deepseek_v4", "deepseek_ref"), compressed_decoder),
    **dict.fromkeys(
        ("qwen3_next", "qwen3_5", "qwen3_5_text", "qwen3_5_moe", "qwen3_5_moe_text"), gated_hybrid
    ),
    **dict.fromkeys(("gpt_neox", "gptj", "bloom", "falcon"), classic),
    **dict.fromkeys(("bert", "roberta", "xlm-roberta"), encoder),
    **dict.fromkeys(("gemma4", "gemma4_text"), gemma4),
    "kimi_linear": kimi_hybrid,
    "minimax_m3": block_sparse,
    "mimo_v2_flash": two_headed,
    "nemotron_h": nemotron_hybrid,
    "nemotron-nas": searched_decoder,
}
"""The function that reads each ``model_type``."""
