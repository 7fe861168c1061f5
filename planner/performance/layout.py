"""How a deployment spreads over its GPUs: ranks, stages, attention groups, replicas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Layout:
    """One deployment; every field broadcasts.

    >>> float(Layout.of(2, gpus=8).replicas)
    4.0
    """

    tensor_parallel: Any
    """Ranks that share the weights of a layer: its experts and feed-forward [gpu]."""
    attention_parallel: Any
    """Ranks that share the attention of one sequence; fewer than ``tensor_parallel`` when
    attention is data parallel [gpu]."""
    pipeline_parallel: Any
    """Stages of consecutive layers [gpu]."""
    replicas: Any
    """Copies of the model that serve by themselves [replica]."""

    @property
    def gpus_per_replica(self) -> Any:
        """Ranks times stages [gpu]."""
        return self.tensor_parallel * self.pipeline_parallel

    @property
    def attention_groups(self) -> Any:
        """Groups of ranks, each with its own sequences [1]."""
        return self.tensor_parallel / self.attention_parallel

    @classmethod
    def of(cls, tensor_parallel: Any, pipeline_parallel: Any = 1, *, gpus: Any = None) -> Layout:
        """A plain layout: tensor parallel inside, whole replicas beside each other.

        Parameters
        ----------
        tensor_parallel, pipeline_parallel : int or array [gpu]
        gpus : int or array, optional [gpu]
            In all; one replica's by default.

        Returns
        -------
        Layout

        >>> float(Layout.of(4, 2).gpus_per_replica)
        8.0
        """
        n, p = np.asarray(tensor_parallel, float), np.asarray(pipeline_parallel, float)
        total = n * p if gpus is None else np.asarray(gpus, dtype=float)
        replicas = np.maximum(np.floor(total / (n * p)), 1.0)
        return cls(*np.broadcast_arrays(n, n, p, replicas))


def read_layout(
    gpu_count: Any,
    tensor_parallel: Any,
    pipeline_parallel: Any,
    expert_parallel: Any,
    data_parallel: Any,
    *,
    mixture: Any,
    domain_gpus: Any,
) -> Layout:
    """The layout that a benchmark's columns mean; blanks are not-a-number.

    Conventions differ between publishers, so the columns are read by these rules:

    - without tensor parallel, a replica takes all the GPUs of one fast domain;
    - data parallel copies a dense model, but of a mixture of experts it copies the attention alone:
      the experts spread over all its ranks. It may be stated beside tensor parallel (``n d`` GPUs)
      or as a division of it (``n`` GPUs, attention on ``n / d``);
    - some dashboards count tensor times expert parallel although both use the same GPUs: where the
      stated GPUs exceed the fast domain by the expert parallel, they are divided by it.

    ::

        replicas = floor(G / (ranks * p))

    Parameters
    ----------
    gpu_count : float or array [gpu]
    tensor_parallel, pipeline_parallel : float or array [gpu]
    expert_parallel, data_parallel : float or array [gpu]
    mixture : float or array [1]
        1 for a mixture of experts.
    domain_gpus : float or array [gpu]
        GPUs that share one fast interconnect, or one host where there is none.

    Returns
    -------
    Layout

    Source: vLLM, "Data Parallel Deployment", and SGLang, "DP attention", for the two notations; the
    third rule from rows of InferenceX that state one measurement in both ways.

    >>> nan = float("nan")
    >>> deepseek = read_layout(8, 8, nan, nan, 8, mixture=1.0, domain_gpus=8)
    >>> float(deepseek.attention_parallel), float(deepseek.replicas)
    (1.0, 1.0)
    >>> float(read_layout(64, 64, 1, 8, 1, mixture=1.0, domain_gpus=8).tensor_parallel)
    8.0
    """
    g, n, p, e, d = (
        np.asarray(value, dtype=float)
        for value in (
            gpu_count,
            tensor_parallel,
            pipeline_parallel,
            expert_parallel,
            data_parallel,
        )
    )
    domain = np.maximum(np.asarray(domain_gpus, dtype=float), 8.0)
    p, e, d = (np.where(value >= 1, value, 1.0) for value in (p, e, d))
    twice = (g > domain) & (e > 1) & (g / e <= domain)
    over_n, over_d = twice & (n >= g), twice & (d >= g)
    g = np.where(over_n | over_d, g / e, g)
    n, d = np.where(over_n, n / e, n), np.where(over_d, d / e, d)
    n = np.where(n >= 1, n, np.maximum(np.floor(np.minimum(g, domain) / (p * d)), 1.0))
    n = np.minimum(n, np.maximum(g / p, 1.0))
    mixture = np.asarray(mixture) > 0
    beside = n * d * p <= g
    ranks = np.where(mixture & beside, n * d, n)
    attention = np.where(mixture & ~beside, np.maximum(n / d, 1.0), n)
    replicas = np.maximum(np.floor(g / (ranks * p) + 1e-9), 1.0)
    return Layout(ranks, attention, p + 0.0 * ranks, replicas)
