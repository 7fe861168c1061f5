"""Energy of an output token: power of the GPUs over the tokens that they make, with a range.

Only the GPUs are counted; hosts, power supplies and cooling are for the site.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from planner.catalogue import KINDS, Accelerator, Basis, Catalogue, EnergyEfficiencies
from planner.energy.site_power import capped
from planner.energy.token_power import (
    PowerModel,
    StepWork,
    gpu_power_w,
    idle_power_w,
    step_work,
)
from planner.performance import (
    RUNS,
    Cases,
    Prediction,
    Reference,
    ReplicaSpeed,
    novelty,
    replica_speed,
)

WHOLE_CAP = 1.0


@dataclass(frozen=True, slots=True)
class ReplicaEnergy:
    """What serving one replica takes, batch by batch; fields broadcast.

    >>> ReplicaEnergy.__slots__[0]
    'power_w'
    """

    power_w: Any
    """Mean power of one GPU while the batch is held [W]."""
    idle_w: float
    """Power of one GPU without a request [W]."""
    step_s: Any
    """Between two tokens of a request, under the power cap [s]."""
    j_per_output_token: Any
    """Of all GPUs of the replica [J/token]."""
    low_factor: Any
    """Low end of the 80 % range over the value [1]."""
    high_factor: Any
    """High end of the 80 % range over the value [1]."""
    basis: Basis


@dataclass(frozen=True, slots=True)
class CaseEnergy:
    """Energy of configurations; arrays of one length, not-a-number where it is not known.

    >>> CaseEnergy.__slots__
    ('power_w', 'j_per_output_token', 'low_j_per_output_token', 'high_j_per_output_token')
    """

    power_w: Any
    """Mean power of one GPU [W]."""
    j_per_output_token: Any
    """Of all GPUs of the deployment [J/token]."""
    low_j_per_output_token: Any
    """Low end of the 80 % range [J/token]."""
    high_j_per_output_token: Any
    """High end of the 80 % range [J/token]."""


def energy_j_per_output_token(gpus: Any, power_w: Any, output_tokens_per_s: Any) -> Any:
    """Energy of the GPUs for each token that they deliver, prompts included.

    .. math:: E = G P / X

    Parameters
    ----------
    gpus : int or array [gpu]
    power_w : float or array [W]
        Mean power of one.
    output_tokens_per_s : float or array [token/s]
        Of all of them.

    Returns
    -------
    float or array [J/token]
        Infinite where no token comes.

    Source: Chung et al. 2025, The ML.ENERGY Benchmark (arXiv 2505.06371), for what is counted.

    >>> float(energy_j_per_output_token(2, 400.0, 1600.0))
    0.5
    """
    rate = np.asarray(output_tokens_per_s, dtype=float)
    power = np.asarray(gpus, dtype=float) * np.asarray(power_w, dtype=float)
    return np.where(rate > 0, power / np.where(rate > 0, rate, 1.0), np.inf)


def power_ranges(ranges: Mapping[tuple[str, str], tuple[float, float]]) -> np.ndarray:
    """Ends of the 80 % range of power at a known speed, by novelty.

    Where model and GPU are both new, their errors add up as independent ones do:

    .. math:: \\log f = \\pm \\sqrt{\\log^2 f_{model} + \\log^2 f_{gpu}}

    Parameters
    ----------
    ranges : mapping
        Quantity and kind to the factors of the low and the high end [1].

    Returns
    -------
    array [1]
        Of shape (novelties, 2).

    Source: ``data/calibration/energy_ranges.csv``; the sum of independent variances.

    >>> from planner.catalogue import load_catalogue
    >>> power_ranges(load_catalogue().energy_efficiencies.ranges).shape
    (4, 2)
    """
    logs = np.log([ranges["power", kind] for kind in KINDS])
    both = np.hypot(logs[KINDS.index("model")], logs[KINDS.index("gpu")]) * np.array([-1.0, 1.0])
    return np.exp(np.concatenate([logs, both[None]]))


def range_factors(power_factor: Any, energy_factor: Any, sign: float) -> Any:
    """One end of the range of energy, from that of power and what a slower or faster step makes.

    .. math:: f = \\exp\\left(\\pm \\sqrt{\\log^2 f_P + \\log^2 f_{speed}}\\right)

    Parameters
    ----------
    power_factor : float or array [1]
        End of the range of power at a known speed.
    energy_factor : float or array [1]
        Energy at the end of the range of speed over energy at the predicted speed.
    sign : float [1]
        -1 for the low end, 1 for the high one.

    Returns
    -------
    float or array [1]

    Source: the sum of independent variances.

    >>> round(float(range_factors(1.3, 1.0, 1.0)), 3)
    1.3
    """
    return np.exp(sign * np.hypot(np.log(power_factor), np.log(energy_factor)))


def replica_energy(
    gpu: Accelerator,
    model: str,
    speed: ReplicaSpeed,
    gpus: Any,
    answer_tokens: Any,
    efficiencies: EnergyEfficiencies,
    power_cap_fraction: float = WHOLE_CAP,
    throughput_factors: tuple[float, float] = (1.0, 1.0),
) -> ReplicaEnergy:
    """Power and energy per output token of one replica over its batches.

    A request of ``O`` tokens holds its place for ``TTFT + (O - 1) TPOT``, so that ``b`` of them
    deliver ``b O`` tokens in that time. A cap lowers the clock, see :func:`planner.energy.capped`;
    only arithmetic takes longer. The range of speed enters as more or less waiting: work costs the
    same energy in a slower step, and waiting adds its own power::

        t = (TTFT + (O - 1) TPOT) / O        E = G P(t) t / b

    Parameters
    ----------
    gpu : Accelerator
    model : str
        Id, to tell how far the calibration reaches.
    speed : ReplicaSpeed
    gpus : int or array [gpu]
        Of the replica.
    answer_tokens : float or array [token]
        Mean length of an answer.
    efficiencies : EnergyEfficiencies
    power_cap_fraction : float [fraction]
        Power limit that is set, over the GPU's own.
    throughput_factors : tuple of float [1]
        Low and high end of the range of tokens per second.

    Returns
    -------
    ReplicaEnergy

    Raises :class:`MissingData` when the GPU's power is not in the catalogue.

    Source: Chung et al. 2025 (arXiv 2505.06371) for the bounds of what is counted.

    >>> from planner.catalogue import load_catalogue
    >>> c = load_catalogue(); r = Reference.of(c)
    >>> one = r.case("llama-3.1-8b", "h100", "bf16", isl=1000, osl=200, concurrency=8)
    >>> speed = replica_speed(r.replica(one), r.model, r.unknown_keys, 8.0, 1000, 200)
    >>> found = replica_energy(c.accelerator("h100"), "meta-llama/Meta-Llama-3.1-8B", speed, 1,
    ...                        200, c.energy_efficiencies)
    >>> bool(83 < found.power_w[0] < 700), bool(0.1 < found.j_per_output_token[0] < 2)
    (True, True)
    """
    limit, osl = gpu.require("power_w"), np.maximum(np.asarray(answer_tokens, dtype=float), 1.0)
    idle = float(idle_power_w(limit, gpu.idle_power_w))
    step_s = (speed.ttft_s + (osl - 1.0) * speed.tpot_s) / osl
    power = PowerModel.of(efficiencies.coefficients)
    work, log_factor = step_work(speed), efficiencies.corrections.get(gpu.id, 0.0)
    drawn = gpu_power_w(work, power, limit, idle, step_s, log_factor)
    share = np.clip(work.arithmetic_s / step_s, 0.0, 1.0)
    cap = capped(idle, drawn, limit, power_cap_fraction, share)
    taken = step_s / cap.speed_fraction
    ends = []
    kind = _kind(model, gpu.id, efficiencies)
    for end, factor in enumerate(throughput_factors[::-1]):
        other = gpu_power_w(work, power, limit, idle, step_s / factor, log_factor)
        of_power = power_ranges(efficiencies.ranges)[kind, end]
        ends.append(range_factors(of_power, other / factor / drawn, 2.0 * end - 1.0))
    basis = Basis.INTERPOLATED if kind == 0 else Basis.DERIVED
    return ReplicaEnergy(
        power_w=cap.busy_w,
        idle_w=idle,
        step_s=taken,
        j_per_output_token=energy_j_per_output_token(gpus, cap.busy_w, speed.batch / taken),
        low_factor=ends[0],
        high_factor=ends[1],
        basis=basis if np.isfinite(gpu.idle_power_w) else Basis.ASSUMED,
    )


def case_energy(cases: Cases, found: Prediction, reference: Reference) -> CaseEnergy:
    """Power and energy per output token of configurations whose speed is predicted.

    Parameters
    ----------
    cases : Cases
    found : Prediction
        Of these cases.
    reference : Reference

    Returns
    -------
    CaseEnergy
        Not-a-number where the speed is, or where the GPU's power limit is unknown.

    Source: as :func:`replica_energy`.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.performance import predict_cases
    >>> r = Reference.of(load_catalogue())
    >>> one = r.case("llama-3.1-8b", "h100", "bf16", isl=1000, osl=200, concurrency=8)
    >>> bool(83 < case_energy(one, predict_cases(one, r), r).power_w[0] < 700)
    True
    """
    facts = _facts(reference.catalogue)
    limit, idle = facts.limit_w[cases.gpu], facts.idle_w[cases.gpu]
    log_factor, rate = facts.log_factor[cases.gpu], found.output_tokens_per_s
    work = _work(cases, found.batch, reference)
    resident = found.batch * cases.layout.replicas
    gpus = cases.layout.replicas * cases.layout.gpus_per_replica

    def energy(tokens_per_s: Any) -> tuple[Any, Any]:
        drawn = gpu_power_w(work, facts.power, limit, idle, resident / tokens_per_s, log_factor)
        return drawn, gpus * drawn / tokens_per_s

    drawn, value = energy(rate)
    factors = facts.range_factors[facts.kinds[cases.model, cases.gpu]]
    fast, slow = found.output_tokens_high_per_s, found.output_tokens_low_per_s
    return CaseEnergy(
        power_w=drawn,
        j_per_output_token=value,
        low_j_per_output_token=value * range_factors(factors[:, 0], energy(fast)[1] / value, -1.0),
        high_j_per_output_token=value * range_factors(factors[:, 1], energy(slow)[1] / value, 1.0),
    )


@dataclass(frozen=True)
class _Facts:
    """The catalogue's GPUs and the calibration as arrays."""

    power: PowerModel
    limit_w: np.ndarray
    """Of each GPU; not-a-number where unknown [W]."""
    idle_w: np.ndarray
    """The same [W]."""
    log_factor: np.ndarray
    """Of each GPU: logarithm of its own correction [1]."""
    kinds: np.ndarray
    """Index into ``NOVELTIES`` of each model and GPU [1]."""
    range_factors: np.ndarray
    """Ends of the range of power by novelty: (novelty, end) [1]."""


@lru_cache(maxsize=4)
def _facts(catalogue: Catalogue) -> _Facts:
    found, gpus = catalogue.energy_efficiencies, list(catalogue.accelerators.values())
    limit = np.array([gpu.power_w for gpu in gpus])
    return _Facts(
        power=PowerModel.of(found.coefficients),
        limit_w=limit,
        idle_w=idle_power_w(limit, np.array([gpu.idle_power_w for gpu in gpus])),
        log_factor=np.array([found.corrections.get(gpu.id, 0.0) for gpu in gpus]),
        kinds=np.array([[_kind(m, gpu.id, found) for gpu in gpus] for m in catalogue.models]),
        range_factors=power_ranges(found.ranges),
    )


def _kind(model: str, gpu: str, found: EnergyEfficiencies) -> int:
    """What is new about a pair to the calibration of energy, as an index into ``NOVELTIES``."""
    if (model, gpu) in found.pairs:
        return 0
    return int(novelty(model in found.models, gpu in found.gpus))


def _work(cases: Cases, batch: Any, reference: Reference) -> StepWork:
    """Of one step at this batch, as if the load were steady."""
    replica = reference.replica(cases)
    keys = reference.keys(cases, replica, np.full(len(cases), RUNS.index("steady")))
    return step_work(replica_speed(replica, reference.model, keys, batch, cases.isl, cases.osl))
