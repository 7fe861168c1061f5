"""Licences by core and by GPU, with the floors that surprise people."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any

MINIMUM_CORES_PER_CPU = 16.0
MINIMUM_CORES_PER_ORDER = 72.0


def licensed_cores(
    hosts: Array,
    sockets_per_host: Array,
    cores_per_socket: Array,
    minimum_cores_per_cpu: Array = MINIMUM_CORES_PER_CPU,
    minimum_cores_per_order: Array = MINIMUM_CORES_PER_ORDER,
) -> Array:
    """Cores that a per-core subscription bills.

    .. math:: N = \\max(order,\\ hosts \\cdot sockets \\cdot \\max(floor, cores))

    Parameters
    ----------
    hosts : float or array [1]
        No hosts need no licence.
    sockets_per_host : float or array [1]
    cores_per_socket : float or array [core]
        Physical cores.
    minimum_cores_per_cpu : float or array [core]
        Every processor counts as at least this many: 16 for VCF and VVF.
    minimum_cores_per_order : float or array [core]
        Smallest order: 72 since 10 April 2025; 0 when the hosts join a larger estate.

    Returns
    -------
    float or array [core]

    Source: Redress Compliance, VCF against VVF, 2026: 16-core floor, 72-core order minimum.

    >>> float(licensed_cores(1, 2, 8)), float(licensed_cores(4, 2, 32))
    (72.0, 256.0)
    """
    each = np.maximum(cores_per_socket, minimum_cores_per_cpu)
    cores = np.asarray(hosts, dtype=float) * sockets_per_host * each
    return np.where(cores > 0, np.maximum(cores, minimum_cores_per_order), 0.0)[()]


def core_licence_usd(cores: Array, usd_per_core_year: Array, years: Array = 1.0) -> Array:
    """What a per-core subscription costs over its term.

    .. math:: C = N \\, p \\, n

    Parameters
    ----------
    cores : float or array [core]
        Billed cores, see :func:`licensed_cores`.
    usd_per_core_year : float or array [USD/core/year]
    years : float or array [year]

    Returns
    -------
    float or array [USD]

    Source: atonementlicensing.com, VCF licensing 2026: 400 cores for three years, $420,000 at $350
    and $162,000 at $135.

    >>> float(core_licence_usd(400, 350, 3)), float(core_licence_usd(400, 135, 3))
    (420000.0, 162000.0)
    """
    return np.asarray(cores, dtype=float)[()] * usd_per_core_year * years


def gpu_licence_usd(gpus: Array, usd_per_gpu_year: Array, years: Array = 1.0) -> Array:
    """What a per-GPU subscription such as NVIDIA AI Enterprise costs over its term.

    .. math:: C = G \\, p \\, n

    Parameters
    ----------
    gpus : float or array [gpu]
    usd_per_gpu_year : float or array [USD/gpu/year]
    years : float or array [year]

    Returns
    -------
    float or array [USD]

    Source: NVIDIA, third-quarter call of fiscal 2024: $4,500 per GPU and year.

    >>> float(gpu_licence_usd(8, 4500, 3))
    108000.0
    """
    return np.asarray(gpus, dtype=float)[()] * usd_per_gpu_year * years
