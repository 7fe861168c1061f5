"""Many models as one record of arrays, so that a formula runs once for all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np

from planner.catalogue.records import Architecture, Source, StateGroup

_ARCHITECTURE_NUMBERS = tuple(
    one.name for one in fields(Architecture) if one.type in ("float", float)
)
_GROUP_NUMBERS = tuple(one.name for one in fields(StateGroup) if one.type in ("float", float))


def stack(architectures: Sequence[Architecture]) -> Architecture:
    """Many models as one, whose numbers are arrays, so that formulas run once for all.

    Each numeric field becomes an array with one element per model. State groups
    are padded with groups of zero layers to the same length; an endless window
    stays infinite.

    Parameters
    ----------
    architectures : sequence of Architecture
        At least one.

    Returns
    -------
    Architecture
        Its text fields say that it is a stack; ``experts`` and the like are arrays too.

    >>> from planner.catalogue import load_catalogue
    >>> catalogue = load_catalogue()
    >>> both = stack([catalogue.model("llama-3.1-8b"), catalogue.model("llama-3.1-70b")])
    >>> [int(layers) for layers in both.layers], len(both.groups)
    ([32, 80], 1)
    """
    if not architectures:
        raise ValueError("stack() needs at least one architecture")
    depth = max(len(one.groups) for one in architectures)
    empty = StateGroup(kind="none", layers=0.0)
    padded = [one.groups + (empty,) * (depth - len(one.groups)) for one in architectures]
    groups = tuple(
        StateGroup(
            kind="stacked",
            **{name: _column(level, name) for name in _GROUP_NUMBERS},
        )
        for level in zip(*padded, strict=True)
    )
    return replace(
        architectures[0],
        id="stack",
        name=f"{len(architectures)} models",
        family="",
        groups=groups,
        kind="stack",
        source=Source("stacked catalogue models"),
        notes=(),
        **{name: _column(architectures, name) for name in _ARCHITECTURE_NUMBERS},
    )


def _column(records: Sequence, name: str) -> np.ndarray:
    return np.array([getattr(one, name) for one in records], dtype=float)


def take(stacked: Architecture, index: np.ndarray) -> Architecture:
    """Rows of a stack, in the order of ``index``, each as often as it is named.

    State groups that none of these models has are left out.

    Parameters
    ----------
    stacked : Architecture
        From :func:`stack`.
    index : array of int

    Returns
    -------
    Architecture
        Arrays of the shape of ``index``.

    >>> from planner.catalogue import load_catalogue
    >>> catalogue = load_catalogue()
    >>> both = stack([catalogue.model("llama-3.1-8b"), catalogue.model("llama-3.1-70b")])
    >>> [int(layers) for layers in take(both, np.array([1, 0, 1])).layers]
    [80, 32, 80]
    """
    groups = tuple(
        replace(group, **{name: getattr(group, name)[index] for name in _GROUP_NUMBERS})
        for group in stacked.groups
        if group.layers[index].any()
    )
    numbers = {name: getattr(stacked, name)[index] for name in _ARCHITECTURE_NUMBERS}
    return replace(stacked, groups=groups, **numbers)
