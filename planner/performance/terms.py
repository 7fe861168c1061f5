"""The physical times whose weighted sum is a step: what each GPU moves, computes and waits for.

Every term is a time at peak rates, or a count, of one decode step (``decode``) or of one whole
prompt (``prompt``). Calibration multiplies each by one non-negative efficiency; see
``data/calibration/``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from planner.catalogue import Architecture
from planner.memory import WeightFormat
from planner.performance.layout import Layout
from planner.performance.speed import COMPUTE_CLASSES
from planner.performance.work import (
    LinearParameters,
    decode_attention_flops,
    experts_touched_fraction,
    kv_read_bytes,
    linear_parameters,
    prompt_attention_flops,
    token_flops,
    weight_read,
)

HALF_BYTES = 2.0
"""Activations travel in 16 bits [byte]."""


@dataclass(frozen=True, slots=True)
class Term:
    """One kind of work and the part of the breakdown that it belongs to.

    >>> TERMS[0].name, TERMS[0].part
    ('weights 16 bit', 'weights')
    """

    name: str
    part: str
    """``weights``, ``kv``, ``compute``, ``interconnect`` or ``overhead``."""
    group: str
    """What a correction may scale together: ``memory``, ``compute``, ``link`` or ``host``."""
    words: str


def _of_class(stem: str, part: str, group: str, words: str) -> tuple[Term, ...]:
    """A term for each of ``COMPUTE_CLASSES``, in their order."""
    return tuple(Term(f"{stem} {one}", part, group, words) for one in COMPUTE_CLASSES)


TERMS: tuple[Term, ...] = (
    *_of_class("weights", "weights", "memory", "dense weights over memory bandwidth"),
    *_of_class("experts", "weights", "memory", "touched experts over memory bandwidth"),
    *_of_class("linear", "compute", "compute", "linear layers over the dense peak"),
    Term("kv read", "kv", "memory", "cache of all sequences over memory bandwidth"),
    Term("attention", "compute", "compute", "attention over the 16-bit peak"),
    Term("layers", "overhead", "host", "launches and norms, per layer"),
    Term("expert layers", "overhead", "host", "routing and dispatch, per expert layer"),
    Term("index layers", "overhead", "host", "choosing entries, per layer of sparse attention"),
    Term("reduce", "interconnect", "link", "collectives over a fast link, each"),
    Term("reduce doubling", "interconnect", "link", "the same for each doubling of ranks"),
    Term("reduce pcie", "interconnect", "link", "collectives over PCIe, each doubling of ranks"),
    Term("reduce bytes", "interconnect", "link", "bytes of collectives over a fast link"),
    Term("reduce bytes pcie", "interconnect", "link", "bytes of collectives over PCIe"),
    Term("sequences", "overhead", "host", "scheduling and sampling, per sequence"),
    Term("elements", "overhead", "host", "activations of each sequence, per layer"),
    Term("step", "overhead", "host", "scheduling, per step"),
    Term("prompt layers", "overhead", "host", "launches for a prompt, per layer"),
    Term("prompt", "overhead", "host", "admission and tokenisation, per prompt"),
)
INDEX = {term.name: number for number, term in enumerate(TERMS)}
STEP_PARTS = ("weights", "kv", "compute", "interconnect", "overhead")
"""The breakdown of a step, in the order of its record."""
GROUPS = ("memory", "compute", "link", "host")


@dataclass(frozen=True)
class Replica:
    """One replica in one layout on one kind of GPU, or many along axes; all fields broadcast."""

    architecture: Architecture
    stored: WeightFormat
    kv_bits: Any
    """Bits per stored element of the cache, scales included [bit/weight]."""
    layout: Layout
    bandwidth_bytes_per_s: Any
    """Memory bandwidth of one GPU [byte/s]."""
    flops_16bit: Any
    """Dense 16-bit peak of one GPU [FLOP/s]."""
    flops_wide: Any
    """Peak at which the feed-forward computes [FLOP/s]."""
    flops_attention: Any
    """Peak at which the linear layers of attention compute [FLOP/s]."""
    wide_class: Any
    """Index into ``COMPUTE_CLASSES`` of the feed-forward [1]."""
    attention_class: Any
    """Index into ``COMPUTE_CLASSES`` of the linear layers of attention [1]."""
    link_bytes_per_s: Any
    """One direction between two GPUs [byte/s]."""
    fast_link: Any
    """1 where GPUs have a link of their own [1]."""

    @cached_property
    def held(self) -> LinearParameters:
        """Weights of the linear layers that each GPU holds [parameter]."""
        return linear_parameters(self.architecture, self.layout)


@dataclass(frozen=True, slots=True)
class Work:
    """Peak-rate times by term; sparse, as a term that is always zero is absent.

    Keys are indices into ``TERMS``; terms of a compute class come as (first index, class, time).

    >>> Work.__slots__
    ('plain', 'classed')
    """

    plain: tuple[tuple[int, Any], ...]
    classed: tuple[tuple[int, Any, Any], ...]


def decode_work(replica: Replica, batch: Any, isl: Any, osl: Any) -> Work:
    """One decode step of ``batch`` sequences without any prompt.

    With pipeline stages a step passes them all with the batch in ``p`` parts, so that each part
    pays for all layers::

        b = batch / p                 on all ranks      b_a = b / attention groups
        weights = W / BW              experts = E U(b) / BW         kv = b_a kv(I + O/2) / BW
        linear  = (b f_wide + b_a f_attention) / F                  attention = b_a f / F_16
        reduce  = 2 L [n > 1]         bytes = 2 L 2 (n-1)/n b d 2 / BW_link

    Parameters
    ----------
    replica : Replica
    batch : float or array [request]
    isl, osl : float or array [token]
        Tokens of a request's prompt and answer.

    Returns
    -------
    Work
        Times and counts [s].

    Source: Megatron-LM (arXiv 1909.08053) for two collectives a layer; Williams et al. 2009 for
    the roofline's two rates.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.performance import Reference
    >>> r = Reference.of(load_catalogue())
    >>> one = r.case("llama-3.1-8b", "h100", "bf16", isl=1000, osl=100, concurrency=1)
    >>> work = dict(decode_work(r.replica(one), 1, 1000, 100).plain)
    >>> round(float(work[INDEX["kv read"]][0]) * 1e6, 1)
    41.1
    """
    a, layout = replica.architecture, replica.layout
    rows = np.asarray(batch, dtype=float) / layout.pipeline_parallel
    own = rows / layout.attention_groups
    read = weight_read(a, replica.stored, replica.held)
    bandwidth = replica.bandwidth_bytes_per_s
    touched = experts_touched_fraction(a.experts, a.experts_per_token, np.maximum(rows, 1.0))
    kv = kv_read_bytes(
        a, replica.kv_bits, np.asarray(isl) + np.asarray(osl) / 2.0, layout.attention_parallel
    )
    attention = decode_attention_flops(a, isl, osl, layout.attention_parallel)
    plain, classed = _token_work(replica, rows, own, rows)
    # Each part of a batch in pipeline stages reads all weights once.
    half = INDEX["weights 16 bit"]
    return Work(
        (
            *plain,
            (half, read.half_bytes / bandwidth),
            (INDEX["kv read"], own * kv / bandwidth),
            (INDEX["attention"], own * attention / replica.flops_16bit),
            (INDEX["layers"], a.layers),
            (INDEX["expert layers"], a.expert_layers),
            (INDEX["index layers"], _sparse_layers(a)),
            *_collectives(replica),
            (INDEX["sequences"], rows),
            (INDEX["elements"], rows * a.layers * (a.hidden_size / 4096.0)),
            (INDEX["step"], 1.0),
        ),
        (
            *classed,
            (half, replica.attention_class, read.attention_bytes / bandwidth),
            (half, replica.wide_class, read.wide_bytes / bandwidth),
            (INDEX["experts 16 bit"], replica.wide_class, read.expert_bytes * touched / bandwidth),
        ),
    )


def prompt_work(replica: Replica, isl: Any) -> Work:
    """One prompt of ``isl`` tokens, beyond the weights that its steps read anyway.

    ::

        linear = I (f_wide + f_attention / groups) / F        attention = f(I) / F_16
        bytes  = 2 L 2 (n-1)/n I d 2 / BW_link

    Parameters
    ----------
    replica : Replica
    isl : float or array [token]
        Tokens to compute, without those found in a prefix cache.

    Returns
    -------
    Work
        Times and counts [s].

    Source: as :func:`decode_work`.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.performance import Reference
    >>> r = Reference.of(load_catalogue())
    >>> one = r.case("llama-3.1-8b", "h100", "bf16", isl=1000, osl=200, concurrency=1)
    >>> work = prompt_work(r.replica(one), 1000)
    >>> round(float(sum(time[0] for _, _, time in work.classed)) * 1e3, 1)
    14.1
    """
    a, layout = replica.architecture, replica.layout
    tokens = np.asarray(isl, dtype=float)
    own = tokens / layout.attention_groups
    attention = prompt_attention_flops(a, tokens, layout.attention_parallel)
    plain, classed = _token_work(replica, tokens, own, np.asarray(1.0))
    attention = attention / layout.attention_groups
    return Work(
        (
            *plain,
            (INDEX["attention"], attention / replica.flops_16bit),
            (INDEX["prompt layers"], a.layers),
            (INDEX["prompt"], 1.0),
        ),
        classed,
    )


def _token_work(replica: Replica, rows: Any, own: Any, sampled: Any) -> tuple[tuple, tuple]:
    """Linear layers and collectives of tokens that pass through one replica."""
    a, n = replica.architecture, replica.layout.tensor_parallel
    flop = token_flops(a, replica.held)
    linear = INDEX["linear 16 bit"]
    volume = 2.0 * a.layers * 2.0 * (n - 1.0) / n * rows * a.hidden_size * HALF_BYTES
    volume = volume / replica.link_bytes_per_s
    fast = replica.fast_link
    plain = (
        (linear, sampled * flop.lm_head_flop / replica.flops_16bit),
        (INDEX["reduce bytes"], volume * fast),
        (INDEX["reduce bytes pcie"], volume * (1.0 - fast)),
    )
    classed = (
        (linear, replica.wide_class, rows * flop.wide_flop / replica.flops_wide),
        (linear, replica.attention_class, own * flop.attention_flop / replica.flops_attention),
    )
    return plain, classed


def _collectives(replica: Replica) -> tuple[tuple[int, Any], ...]:
    n, fast = replica.layout.tensor_parallel, replica.fast_link
    several = 2.0 * replica.architecture.layers * (n > 1)
    doublings = several * np.log2(np.maximum(n, 2.0))
    return (
        (INDEX["reduce"], several * fast),
        (INDEX["reduce doubling"], doublings * fast),
        (INDEX["reduce pcie"], doublings * (1.0 - fast)),
    )


def _sparse_layers(architecture: Architecture) -> Any:
    return sum(group.layers * (np.asarray(group.index_bytes) > 0) for group in architecture.groups)


def dense(work: Work) -> np.ndarray:
    """The same as one array, a row for each of ``TERMS``, for fitting.

    .. math:: x_k

    Parameters
    ----------
    work : Work

    Returns
    -------
    array [s]
        Shape (terms, ...).

    Source: bookkeeping; no publication.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.performance import Reference
    >>> r = Reference.of(load_catalogue())
    >>> one = r.case("llama-3.1-8b", "h100", "bf16", isl=1000, osl=200, concurrency=1)
    >>> dense(prompt_work(r.replica(one), 1000)).shape == (len(TERMS), 1)
    True
    """
    shape = np.broadcast_shapes(
        *(np.shape(time) for _, time in work.plain),
        *(np.shape(time) for _, _, time in work.classed),
    )
    table = np.zeros((len(TERMS), *shape))
    for index, time in work.plain:
        table[index] += time
    for first, kind, time in work.classed:
        for number in range(len(COMPUTE_CLASSES)):
            table[first + number] += np.where(np.asarray(kind) == number, time, 0.0)
    return table
