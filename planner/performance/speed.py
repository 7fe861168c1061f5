"""What a GPU can do in a second, for one format of weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.catalogue import Accelerator, Precision, computes
from planner.units import GB

COMPUTE_CLASSES = ("16 bit", "8 bit", "4 bit", "weight only")
"""How the arithmetic of a weight format runs; weight only unpacks it to 16 bit."""
_KEYS = (("bf16", "fp16"), ("fp8", "int8"), ("fp4",))
_PCIE_REDUCE = {3: (9.5 * GB, 0.75), 4: (19 * GB, 0.75), 5: (38 * GB, 0.8)}
"""Bytes per second of an all-reduce between two cards by PCIe generation, and what each doubling of
the ranks leaves of it. 19, 3.8 and 2.1 GB/s were measured among 2, 4 and 8 L40S, and 38, 27 and 22
among RTX PRO 6000 (aiconfigurator-core 0.12.0); the steep fall of the L40S, of one kernel on one
host, is not taken over. Generation 3 is taken as half of 4."""
_ASSUMED_FP32_MULTIPLE = 2.0
"""Dense 16-bit peak over FP32 where only the latter is published: consumer Ada and Blackwell."""


@dataclass(frozen=True, slots=True)
class GpuSpeed:
    """Peak rates of one GPU, or of many along an axis.

    >>> GpuSpeed.__slots__[0]
    'bandwidth_bytes_per_s'
    """

    bandwidth_bytes_per_s: Any
    """Memory bandwidth [byte/s]."""
    flops: Any
    """Dense peak by compute class along the last axis; weight only computes at 16 bit
    [FLOP/s]."""
    link_bytes_per_s: Any
    """One direction between two GPUs of a replica, by NVLink, Infinity Fabric or PCIe
    [byte/s]."""
    link_decay_fraction: Any
    """What each doubling of the ranks beyond two leaves of that rate [fraction]."""
    fast_link: Any
    """1 where GPUs have a link of their own, 0 where they talk over PCIe [1]."""
    assumed: Any
    """1 where a blank fact was filled by a rule [1]."""


def gpu_speed(gpus: Sequence[Accelerator]) -> GpuSpeed:
    """Peak rates of these GPUs; blank facts are filled by rule and marked.

    A missing 8- or 4-bit peak is not-a-number, as the GPU lacks the format. Where a 16-bit peak
    is blank, twice the FP32 one stands for it.

    .. math:: F_{16} = \\max(F_{bf16}, F_{fp16}) \\ \\mathrm{or}\\ 2 F_{fp32}

    Parameters
    ----------
    gpus : sequence of Accelerator

    Returns
    -------
    GpuSpeed
        Arrays of shape (GPUs,); ``flops`` of shape (GPUs, classes).

    Source: ``data/gpus.csv``; aiconfigurator-core 0.12.0 for collectives over PCIe.

    >>> from planner.catalogue import load_catalogue
    >>> h100 = gpu_speed([load_catalogue().accelerator("h100-sxm-80gb")])
    >>> float(h100.flops[0, 0]), float(h100.link_bytes_per_s[0])
    (989000000000000.0, 450000000000.0)
    """
    rows = [_peaks(gpu) for gpu in gpus]
    fast = np.array([_has_link(gpu) for gpu in gpus], dtype=float)
    link = [
        (gpu.interconnect_bytes_per_s / 2, 1.0) if has else _PCIE_REDUCE[_pcie_generation(gpu)]
        for gpu, has in zip(gpus, fast, strict=True)
    ]
    bandwidth = np.array([gpu.bandwidth_bytes_per_s for gpu in gpus])
    flops = np.array([row[0] for row in rows])
    return GpuSpeed(
        bandwidth_bytes_per_s=bandwidth,
        flops=flops,
        link_bytes_per_s=np.array([rate for rate, _ in link]),
        link_decay_fraction=np.array([decay for _, decay in link]),
        fast_link=fast,
        assumed=np.array([row[1] for row in rows], dtype=float),
    )


def compute_class(gpu: Accelerator, precision: Precision) -> tuple[int, int, bool]:
    """How this GPU computes the feed-forward and the attention layers of this format.

    .. math:: class = 16, 8, 4\\ bit\\ where\\ native,\\ else\\ weight\\ only

    Parameters
    ----------
    gpu : Accelerator
    precision : Precision

    Returns
    -------
    tuple
        Indices into ``COMPUTE_CLASSES`` [1], and whether no kernel is known, in which case weight
        only is assumed.

    Source: ``data/precisions.csv`` for the kernels.

    >>> from planner.catalogue import load_catalogue
    >>> c = load_catalogue()
    >>> compute_class(c.accelerator("a100-sxm-80gb"), c.weight_precision("fp8"))
    (3, 3, False)
    """
    how = computes(gpu, precision)
    wide = 3
    if precision.bits_per_weight >= 16 or (
        precision.bits_per_weight > 8.5 and precision.compute_format in _KEYS[0]
    ):
        wide = 0
    elif how == "native":
        format_class = [precision.compute_format in keys for keys in _KEYS]
        # Narrow weights that compute in 16 bit are unpacked: weight only.
        wide = format_class.index(True) if any(format_class[1:]) else 3
    attention = 0 if precision.attention_bits >= 16 else wide
    return wide, attention, not how and wide == 3


def collective_bytes_per_s(pair: Any, decay_fraction: Any, ranks: Any) -> Any:
    """Rate of an all-reduce among ``n`` ranks.

    .. math:: BW(n) = BW(2) \\, \\delta^{\\log_2 n - 1}

    Parameters
    ----------
    pair : float or array [byte/s]
    decay_fraction : float or array [fraction]
    ranks : int or array [gpu]

    Returns
    -------
    float or array [byte/s]

    Source: fitted to all-reduce tables of aiconfigurator-core 0.12.0.

    >>> float(collective_bytes_per_s(38e9, 0.76, 8)) / 1e9
    21.9488
    """
    doublings = np.maximum(np.log2(np.asarray(ranks, dtype=float)) - 1.0, 0.0)
    return pair * decay_fraction**doublings


def _peaks(gpu: Accelerator) -> tuple[list[float], bool]:
    found = [
        max((gpu.dense_flops.get(key, np.nan) for key in keys), default=np.nan, key=_or_zero)
        for keys in _KEYS
    ]
    assumed = not np.isfinite(found[0])
    if assumed:
        found[0] = gpu.dense_flops.get("fp32", np.nan) * _ASSUMED_FP32_MULTIPLE
    return [*found, found[0]], assumed


def _or_zero(value: float) -> float:
    return value if np.isfinite(value) else 0.0


def _has_link(gpu: Accelerator) -> bool:
    known = np.isfinite(gpu.interconnect_bytes_per_s) and gpu.interconnect_bytes_per_s > 0
    return bool(known and gpu.nvlink_domain_gpus > 1)


def _pcie_generation(gpu: Accelerator) -> int:
    """By age: the generation is a fact of the host as much as of the card."""
    if gpu.compute_capability >= 9.0:
        return 5
    return 3 if gpu.compute_capability < 8.0 else 4
