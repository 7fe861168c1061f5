"""Which GPU can compute which number format."""

from __future__ import annotations

from planner.catalogue.records import Accelerator, Precision


def computes(gpu: Accelerator, precision: Precision) -> str:
    """How a GPU computes with a format: ``native``, ``weight only``, or ``""`` when it cannot.

    Weight only means that the weights are stored narrow and unpacked to 16 bit
    inside the kernel: memory is saved, arithmetic is not.

    Parameters
    ----------
    gpu : Accelerator
    precision : Precision

    Returns
    -------
    str

    Source: ``data/gpus.csv`` for the formats with a known dense peak,
    ``data/precisions.csv`` for the kernels.

    >>> from planner.catalogue import load_catalogue
    >>> c = load_catalogue(); fp8 = c.weight_precision("fp8")
    >>> [computes(c.accelerator(g), fp8) for g in ("h100-sxm-80gb", "a100-sxm-80gb", "v100-32gb")]
    ['native', 'weight only', '']
    """
    if precision.compute_format in gpu.dense_flops:
        return "native"
    if gpu.compute_capability >= precision.weight_only_capability:
        return "weight only"
    return ""
