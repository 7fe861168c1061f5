"""Counts a vision tower from the ``vision_config`` of a multimodal configuration."""

from __future__ import annotations

from collections.abc import Callable

from planner.catalogue.settings import Settings
from planner.errors import InvalidScenario


def vision_tower(whole: Settings) -> tuple[int, tuple[str, ...]]:
    """Parameters of the vision tower with its projector, as far as the configuration tells.

    Parameters
    ----------
    whole : Settings

    Returns
    -------
    tuple of int [parameter] and tuple of str
        0 with a note when the tower cannot be counted fairly.

    Source: the towers' modelling code (Qwen3-VL, Gemma 4, MoonViT).

    >>> vision_tower(Settings({"hidden_size": 8}, "demo"))
    (0, ())
    """
    if not whole.has("vision_config"):
        seen = whole.has("image_token_id") or whole.has("text_config")
        note = "The configuration has no vision section, so a vision tower would not be counted."
        return 0, (note,) if seen else ()
    try:
        vision = whole.section("vision_config")
        counter = _counter(vision)
        if counter is not None:
            return counter(vision), ()
    except InvalidScenario:
        pass
    return 0, ("The vision tower could not be counted from the configuration.",)


def _counter(vision: Settings) -> Callable[[Settings], int] | None:
    if vision.has("depth") and vision.has("out_hidden_size"):
        return _qwen
    if vision.has("vt_hidden_size"):
        return _moon
    if vision.get("model_type") == "gemma4_vision":
        return _gemma
    return None


def _qwen(vision: Settings) -> int:
    """Qwen3-VL: biased attention and two biased matrices per layer, mergers of 2 x 2 patches."""
    d, width, out = (
        vision.count("hidden_size"),
        vision.count("intermediate_size"),
        vision.count("out_hidden_size"),
    )
    layer = 4 * d * d + 4 * d + 2 * d * width + width + d + 4 * d
    patch = vision.count("in_channels", default=3) * vision.count("temporal_patch_size", default=2)
    patch = patch * vision.count("patch_size") ** 2 * d + d
    merged = d * vision.count("spatial_merge_size", default=2) ** 2
    merger = merged * merged + merged + merged * out + out
    deep = len(vision.entries("deepstack_visual_indexes"))
    positions = vision.count("num_position_embeddings", default=0, least=0) * d
    return (
        vision.count("depth") * layer
        + patch
        + positions
        + merger
        + 2 * d
        + deep * (merger + 2 * merged)
    )


def _moon(vision: Settings) -> int:
    """MoonViT: attention of its own width, two matrices, a projector of 2 x 2 patches."""
    d, width = vision.count("vt_hidden_size"), vision.count("vt_intermediate_size")
    inner = vision.count("qkv_hidden_size", default=d)
    layer = 4 * d * inner + 2 * d * width
    patch = 3 * vision.count("patch_size") ** 2 * d
    positions = vision.count("init_pos_emb_height") * vision.count("init_pos_emb_width") * d
    merged = 4 * vision.count("mm_hidden_size", default=d)
    projector = merged * merged + merged * vision.count("text_hidden_size")
    return vision.count("vt_num_hidden_layers") * layer + patch + positions + projector


def _gemma(vision: Settings) -> int:
    """Gemma 4: gated feed-forward, four norms, two tables of positions."""
    d, width = vision.count("hidden_size"), vision.count("intermediate_size")
    heads, size = vision.count("num_attention_heads"), vision.count("head_dim")
    layer = 4 * d * heads * size + 3 * d * width + 4 * d + 2 * size
    patch = 3 * vision.count("patch_size") ** 2 * d
    positions = 2 * vision.count("position_embedding_size") * d
    return vision.count("num_hidden_layers") * layer + patch + positions
