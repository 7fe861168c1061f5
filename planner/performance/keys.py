"""What a case is to the calibration: whole numbers, and the names that they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.catalogue import Architecture
from planner.performance.speed import COMPUTE_CLASSES

FAMILIES = ("dense", "mixture", "latent mixture")
"""Kinds of architecture whose kernels differ: mixtures of experts, with latent attention or not."""
FORMATS = COMPUTE_CLASSES
RANKS = tuple(str(2**power) for power in range(8))
RUNS = ("steady", "static", "burst", "offline", "offline tpot")
"""How a benchmark loads the engine: a steady number in flight, one batch at a time, all requests at
once to the last answer, and an offline run (its throughput, and its time per token)."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What a case is, as whole numbers; -1 where it is unknown to the calibration.

    >>> Keys.__slots__
    ('engine', 'family', 'format', 'gpu', 'model', 'ranks', 'run')
    """

    engine: Any
    """Row of the serving engines [1]."""
    family: Any
    """Index into ``FAMILIES`` [1]."""
    format: Any
    """Index into ``FORMATS``: how the feed-forward computes [1]."""
    gpu: Any
    """Row of the accelerators [1]."""
    model: Any
    """Row of the models [1]."""
    ranks: Any
    """Index into ``RANKS`` [1]."""
    run: Any
    """Index into ``RUNS`` [1]."""

    def place(self, names: Sequence[str]) -> tuple[Any, ...]:
        """Where a table with one axis for each name holds these cases.

        Parameters
        ----------
        names : sequence of str
            Fields of this record.

        Returns
        -------
        tuple of int or array [1]
        """
        return tuple(getattr(self, name) for name in names)


@dataclass(frozen=True)
class Vocabulary:
    """The names behind the whole numbers of :class:`Keys`, field by field."""

    engine: Sequence[str]
    gpu: Sequence[str]
    model: Sequence[str]
    family: Sequence[str] = FAMILIES
    format: Sequence[str] = FORMATS
    ranks: Sequence[str] = RANKS
    run: Sequence[str] = RUNS

    def shape(self, names: Sequence[str]) -> tuple[int, ...]:
        """How many names each field has.

        Parameters
        ----------
        names : sequence of str
            Fields of :class:`Keys`.

        Returns
        -------
        tuple of int [1]

        >>> Vocabulary(("vllm",), ("h100",), ("a", "b")).shape(("model", "family"))
        (2, 3)
        """
        return tuple(len(getattr(self, name)) for name in names)

    def text(self, names: Sequence[str], place: Sequence[int]) -> str:
        """The names at one place, joined by ``|``.

        Parameters
        ----------
        names : sequence of str
            Fields of :class:`Keys`.
        place : sequence of int [1]
            A whole number for each field.

        Returns
        -------
        str [text]

        >>> Vocabulary(("vllm",), ("h100",), ("a", "b")).text(("model", "family"), (1, 0))
        'b|dense'
        """
        return "|".join(getattr(self, name)[at] for name, at in zip(names, place, strict=True))

    def place(self, names: Sequence[str], text: str) -> tuple[int, ...] | None:
        """The opposite of :meth:`text`; ``None`` where a name is not known.

        Parameters
        ----------
        names : sequence of str
            Fields of :class:`Keys`.
        text : str

        Returns
        -------
        tuple of int, or None [1]

        >>> Vocabulary(("vllm",), ("h100",), ("a", "b")).place(("model", "family"), "b|dense")
        (1, 0)
        """
        pairs = list(zip(names, text.split("|"), strict=True))
        if any(part not in getattr(self, name) for name, part in pairs):
            return None
        return tuple(getattr(self, name).index(part) for name, part in pairs)


def family(architecture: Architecture) -> int:
    """Index into ``FAMILIES``: dense, mixture of experts, or one with latent attention.

    .. math:: 0\\ (N = 0), \\quad 1\\ (N > 0), \\quad 2\\ (N > 0,\\ latent)

    Parameters
    ----------
    architecture : Architecture

    Returns
    -------
    int [1]

    Source: arXiv 2405.04434 for latent attention.

    >>> from planner.catalogue import load_catalogue
    >>> FAMILIES[family(load_catalogue().model("deepseek-ai/DeepSeek-R1"))]
    'latent mixture'
    """
    latent = any(group.latent_elements > 0 for group in architecture.groups)
    return 0 if architecture.experts <= 0 else 1 + latent


def rank_index(ranks: Any) -> Any:
    """Index into ``RANKS`` of the nearest power of two.

    .. math:: \\mathrm{round}(\\log_2 n)

    Parameters
    ----------
    ranks : int or array [gpu]

    Returns
    -------
    int or array [1]

    Source: no publication.

    >>> int(rank_index(8))
    3
    """
    doublings = np.rint(np.log2(np.maximum(ranks, 1.0)))
    return np.minimum(doublings, len(RANKS) - 1.0).astype(int)
