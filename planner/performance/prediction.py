"""Speed of whole deployments, with ranges and a basis: many cases in one call."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from planner.catalogue import QUANTITIES, Basis
from planner.performance.cases import Cases, Reference
from planner.performance.keys import RUNS
from planner.performance.step import SpeedModel, replica_speed

CHUNK = 16384
"""Cases computed together: their arrays stay in a processor's cache, and memory stays small."""
_STEADY, _OFFLINE, _OFFLINE_TPOT = (RUNS.index(n) for n in ("steady", "offline", "offline tpot"))


@dataclass(frozen=True, slots=True)
class Prediction:
    """Speed of each case; arrays of one length, not-a-number where it does not fit.

    >>> Prediction.__slots__[0]
    'ttft_s'
    """

    ttft_s: Any
    """Mean time to the first token, waiting for a slot included [s]."""
    tpot_s: Any
    """Mean time per output token after the first [s]."""
    output_tokens_per_s: Any
    """Of the whole deployment [token/s]."""
    ttft_low_s: Any
    """Low end of the 80 % range [s]."""
    ttft_high_s: Any
    """High end of the 80 % range [s]."""
    tpot_low_s: Any
    """Low end of the 80 % range [s]."""
    tpot_high_s: Any
    """High end of the 80 % range [s]."""
    output_tokens_low_per_s: Any
    """Low end of the 80 % range [token/s]."""
    output_tokens_high_per_s: Any
    """High end of the 80 % range [token/s]."""
    kv_capacity_tokens: Any
    """Tokens that the caches of all replicas hold [token]."""
    queue_s: Any
    """Part of the time to the first token spent waiting for a slot [s]."""
    batch: Any
    """Requests resident on one replica [request]."""
    slots: Any
    """Most requests that one replica can hold; below 1 nothing fits [request]."""
    basis: Any
    """``Basis`` as a number [1]."""


def predict_cases(cases: Cases, reference: Reference, least_slots: float = 0.0) -> Prediction:
    """Time to the first token, time per output token and throughput of each case.

    Requests beyond the slots of the replicas queue; in a closed loop of ``C`` requests each waits

    .. math:: W = (C / (r \\cdot slots) - 1)_+ \\, (TTFT + (O - 1) \\, TPOT)

    and the deployment delivers ``r b O / (TTFT + (O - 1) TPOT)`` tokens a second, with the resident
    batch ``b = min(C / r, slots)``; an offline run delivers ``r b / TPOT`` at the best batch.

    Parameters
    ----------
    cases : Cases
    reference : Reference
    least_slots : float [request]
        Requests that a replica holds at least, whatever the memory model says: 1 for a deployment
        that is known to have run.

    Returns
    -------
    Prediction

    Source: J. D. C. Little (1961) for the loop; coefficients and ranges from ``data/calibration/``.

    >>> from planner.catalogue import load_catalogue
    >>> r = Reference.of(load_catalogue())
    >>> one = r.case("llama-3.1-8b", "h100", "bf16", isl=1000, osl=200, concurrency=8)
    >>> bool(0.005 < predict_cases(one, r).tpot_s[0] < 0.02)
    True
    """
    if len(cases) <= CHUNK:
        return _predict(cases, reference, least_slots)
    parts = [
        _predict(cases.rows(slice(at, at + CHUNK)), reference, least_slots)
        for at in range(0, len(cases), CHUNK)
    ]
    return Prediction(
        *(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Prediction))
    )


@dataclass(frozen=True, slots=True)
class DeploymentSpeed:
    """Speed of each case without its range; arrays of one length.

    >>> DeploymentSpeed.__slots__[0]
    'ttft_s'
    """

    ttft_s: Any
    """Mean time to the first token, waiting for a slot included [s]."""
    tpot_s: Any
    """Mean time per output token after the first [s]."""
    output_tokens_per_s: Any
    """Of the whole deployment [token/s]."""
    queue_s: Any
    """Waiting for a slot [s]."""
    batch: Any
    """Requests resident on one replica [request]."""
    slots: Any
    """Most requests that one replica can hold [request]."""
    kv_capacity_tokens: Any
    """Tokens that the caches of all replicas hold [token]."""


def deployment_speed(
    cases: Cases, reference: Reference, model: SpeedModel, least_slots: float = 0.0
) -> DeploymentSpeed:
    """Speed of each case by a calibrated model; see :func:`predict_cases`.

    Parameters
    ----------
    cases : Cases
    reference : Reference
    model : SpeedModel
    least_slots : float [request]
        Requests that a replica holds at least.

    Returns
    -------
    DeploymentSpeed

    Source: as :func:`predict_cases`.

    >>> from planner.catalogue import load_catalogue
    >>> r = Reference.of(load_catalogue())
    >>> one = r.case("llama-3.1-8b", "h100", "bf16", isl=1000, osl=200, concurrency=8)
    >>> float(deployment_speed(one, r, r.model).batch[0])
    8.0
    """
    replica = reference.replica(cases)
    isl, osl = cases.isl, np.maximum(cases.osl, 1.0)
    slots, tokens = reference.slots(cases, replica, isl + osl / 2.0)
    tokens = np.where(slots < least_slots, np.maximum(tokens, least_slots * (isl + osl)), tokens)
    slots = np.maximum(slots, least_slots)
    replicas = cases.layout.replicas
    offline = np.isinf(cases.concurrency)
    each = cases.concurrency / replicas
    batch = np.clip(each, 1.0, np.maximum(slots, 1.0))
    keys = reference.keys(cases, replica, np.where(offline, _OFFLINE_TPOT, _STEADY))
    speed = replica_speed(replica, model, keys, batch, isl, osl)
    service = speed.ttft_s + (osl - 1.0) * speed.tpot_s
    over = np.maximum(each / np.maximum(slots, 1.0) - 1.0, 0.0)
    queue = np.where(offline, 0.0, over) * np.where(offline, 0.0, service)
    throughput = replicas * np.minimum(batch, each) * osl / service
    if offline.any():
        ratio = model.step_corrections.ratio(keys, "run", _OFFLINE, _OFFLINE_TPOT)
        throughput = np.where(offline, replicas * batch / (speed.tpot_s * ratio), throughput)
    return DeploymentSpeed(
        ttft_s=speed.ttft_s + queue,
        tpot_s=speed.tpot_s,
        output_tokens_per_s=throughput,
        queue_s=queue,
        batch=batch,
        slots=slots,
        kv_capacity_tokens=np.floor(tokens * replicas),
    )


def _predict(cases: Cases, reference: Reference, least_slots: float) -> Prediction:
    found = deployment_speed(cases, reference, reference.model, least_slots)
    fits = found.slots >= 1.0
    values = {
        "tpot": np.where(fits, found.tpot_s, np.nan),
        "ttft": np.where(fits, found.ttft_s, np.nan),
        "throughput": np.where(fits, found.output_tokens_per_s, np.nan),
    }
    factors = reference.range_factors[:, reference.kind(cases), reference.families[cases.model]]
    low, high = (
        {name: value * factors[QUANTITIES.index(name), :, end] for name, value in values.items()}
        for end in (0, 1)
    )
    return Prediction(
        ttft_s=values["ttft"],
        tpot_s=values["tpot"],
        output_tokens_per_s=values["throughput"],
        ttft_low_s=low["ttft"],
        ttft_high_s=high["ttft"],
        tpot_low_s=low["tpot"],
        tpot_high_s=high["tpot"],
        output_tokens_low_per_s=low["throughput"],
        output_tokens_high_per_s=high["throughput"],
        kv_capacity_tokens=found.kv_capacity_tokens,
        queue_s=found.queue_s,
        batch=found.batch,
        slots=found.slots,
        basis=_basis(cases, reference),
    )


def _basis(cases: Cases, reference: Reference) -> Any:
    """Interpolated where model and GPU were measured together, else derived, or assumed where a
    fact is."""
    basis = np.where(reference.kind(cases) == 0, int(Basis.INTERPOLATED), int(Basis.DERIVED))
    assumed = (
        reference.speed.assumed[cases.gpu]
        + reference.memory_assumed[cases.gpu]
        + reference.class_assumed[cases.gpu, cases.precision]
    ) > 0
    return np.where(assumed, int(Basis.ASSUMED), basis)
