"""How a training job is divided among its GPUs, and what is usual where nothing is stated."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from planner.catalogue import Architecture

TYPICAL_MICRO_TOKENS = 8192.0
"""Tokens of a micro-batch where none is stated."""
TYPICAL_STEP_TOKENS = 65536.0
"""Tokens of a GPU between two updates of the weights where no batch is stated."""
USABLE_FRACTION = 0.9
"""Of a GPU's memory; the rest is the runtime's."""
ACTIVATION_BYTES = 34.0
"""Activations of a layer for each token and element of its width, attention's own left out
(Korthikanti et al. 2022, equation 1) [byte]."""
TYPICAL_RANKS, TYPICAL_STAGES, TYPICAL_CHUNKS = (2.0, 8.0), 8.0, 4.0


@dataclass(frozen=True, slots=True)
class TrainingLayout:
    """How a job is divided among its GPUs; not-a-number where it is not stated. Fields broadcast.

    >>> TrainingLayout(tensor_parallel=8).tensor_parallel
    8
    """

    tensor_parallel: Any = np.nan
    """GPUs that share each layer [gpu]."""
    pipeline_parallel: Any = np.nan
    """Stages that the layers are dealt to [1]."""
    context_parallel: Any = np.nan
    """GPUs that share each sequence [gpu]."""
    expert_parallel: Any = np.nan
    """GPUs that share the experts [gpu]."""
    virtual_stages: Any = np.nan
    """Parts of the layers that each stage holds [1]."""
    sharded: Any = np.nan
    """1 where weights are gathered layer by layer (FSDP, ZeRO-3), 0 where each data-parallel rank
    keeps its own [1]."""
    micro_batch: Any = np.nan
    """Sequences that pass at once [sequence]."""
    global_batch: Any = np.nan
    """Sequences between two updates of the weights [sequence]."""
    recompute: Any = np.nan
    """Share of the forward pass that is computed again [fraction]."""

    def filled(self, **defaults: Any) -> TrainingLayout:
        """The same with these values where a field is not stated.

        Parameters
        ----------
        **defaults : float or array [1]
            By field.

        Returns
        -------
        TrainingLayout
        """
        return replace(
            self,
            **{
                name: np.where(np.isnan(getattr(self, name)), value, getattr(self, name))
                for name, value in defaults.items()
            },
        )

    @property
    def stated(self) -> np.ndarray:
        """1 where the division of the model is stated [1]."""
        known = ~np.isnan(np.asarray(self.tensor_parallel, dtype=float))
        return known | (np.asarray(self.sharded, dtype=float) == 1)


def typical_layouts(
    layout: TrainingLayout,
    model: Architecture,
    domain: Any,
    memory_bytes: Any,
    gpus: Any,
    tokens: Any,
    trained: Any = 1.0,
) -> tuple[TrainingLayout, ...]:
    """The ways to divide a job that an experienced operator would try where none is stated.

    Weights gathered layer by layer; layers shared within the domain; layers dealt to stages. What
    is stated stays. The forward pass is computed again where activations of ``b`` sequences do not
    fit beside weights, gradients and optimizer::

        t = min(2 or 8, D, n)        p = min(8, n)        e = min(D, N, n)
        again  if  (2 + 16 [full]) N / n + 34 L b s d / t  >  0.9 M

    Parameters
    ----------
    layout : TrainingLayout
    model : Architecture
    domain : float or array [gpu]
        GPUs that share a fast link.
    memory_bytes : float or array [byte]
        Of one GPU.
    gpus : float or array [gpu]
    tokens : float or array [token]
        Length of the sequences.
    trained : float or array [1]
        1 where every weight gets a gradient.

    Returns
    -------
    tuple of TrainingLayout
        Without a blank field [1].

    Source: Narayanan et al. 2021 (arXiv 2104.04473), section 3.4, for ranks within a host and
    stages between hosts; Rajbhandari et al. 2020 (arXiv 1910.02054) for sharding and the bytes of
    states; Korthikanti et al. 2022 (arXiv 2205.05198), equation 1, for those of activations.

    >>> from planner.catalogue import load_catalogue
    >>> llama = load_catalogue().model("meta-llama/Meta-Llama-3-70B")
    >>> [float(one.tensor_parallel)
    ...  for one in typical_layouts(TrainingLayout(), llama, 8, 80e9, 64, 8192.0)]
    [1.0, 2.0, 8.0, 1.0]
    """
    n, s = np.asarray(gpus, dtype=float), np.asarray(tokens, dtype=float)
    known = layout.filled(
        context_parallel=1.0,
        expert_parallel=np.clip(np.minimum(model.experts, domain), 1.0, n),
        micro_batch=np.maximum(TYPICAL_MICRO_TOKENS / s, 1.0),
        global_batch=TYPICAL_STEP_TOKENS * n / s,
    )
    few, many = (np.minimum(np.minimum(ranks, domain), n) for ranks in TYPICAL_RANKS)
    stages = np.minimum(np.minimum(TYPICAL_STAGES, n), model.layers)
    one = {"tensor_parallel": 1.0, "pipeline_parallel": 1.0, "virtual_stages": 1.0}
    chunks = {**one, "pipeline_parallel": stages, "virtual_stages": TYPICAL_CHUNKS}
    found = (
        known.filled(**one, sharded=1.0),
        known.filled(**{**one, "tensor_parallel": few}, sharded=0.0),
        known.filled(**{**one, "tensor_parallel": many}, sharded=0.0),
        known.filled(**chunks, sharded=0.0),
    )
    states = (2.0 + 16.0 * np.asarray(trained)) * model.total_parameters / n
    # A layout that someone chose was chosen so that nothing is computed again, unless they say so.
    chosen = layout.stated
    return tuple(
        way.filled(recompute=np.where(chosen, 0.0, _overflow(way, model, states, memory_bytes, s)))
        for way in found
    )


def _overflow(
    layout: TrainingLayout, model: Architecture, states_bytes: Any, memory_bytes: Any, tokens: Any
) -> Any:
    """1 where activations do not fit beside the states."""
    ranks = layout.tensor_parallel * layout.context_parallel
    elements = model.layers * model.hidden_size * layout.micro_batch * tokens / ranks
    used = states_bytes + ACTIVATION_BYTES * elements
    return (used > USABLE_FRACTION * memory_bytes).astype(float)


def rows_of(record: Any, index: Any) -> Any:
    """A part of a record whose fields are arrays of one length.

    .. math:: x_i

    Parameters
    ----------
    record : TrainingLayout or TrainingRates
    index : array of int or bool [1]

    Returns
    -------
    TrainingLayout or TrainingRates
        Of the same kind [1].

    Source: bookkeeping; no publication.

    >>> rows_of(TrainingLayout(*(np.arange(3.0) for _ in range(9))), [2]).sharded.tolist()
    [2.0]
    """
    return type(record)(*(np.asarray(getattr(record, f.name))[index] for f in fields(record)))
