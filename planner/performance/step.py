"""From work to time: one decode step, one prompt, the first token, and what a replica delivers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.catalogue import Efficiencies
from planner.errors import MissingData
from planner.performance.corrections import Corrections
from planner.performance.keys import Keys, Vocabulary
from planner.performance.speed import COMPUTE_CLASSES
from planner.performance.terms import (
    GROUPS,
    STEP_PARTS,
    TERMS,
    Replica,
    Work,
    decode_work,
    prompt_work,
)

FIRST_TOKEN_TERMS = {
    "constant": "host",
    "layers": "host",
    "prompt": "prompt",
    "step": "step",
    "burst": "queue",
    "burst layers": "queue",
}
"""Terms of the time to the first token, and the group that a correction scales: a fixed time, a
launch per layer, the prompt itself, the step it joins, prompts that arrive together, and their
launches. Waiting as in a queue with random arrivals explained nothing more: benchmarks keep a fixed
number in flight."""
FIRST_TOKEN_GROUPS = ("host", "prompt", "step", "queue")


@dataclass(frozen=True)
class SpeedModel:
    """The calibrated coefficients, ready to use."""

    step_coefficients: np.ndarray
    """One for each of ``TERMS``: what multiplies its peak-rate time or count [1]."""
    first_coefficients: Mapping[str, float]
    """The same for each of ``FIRST_TOKEN_TERMS`` [1]."""
    step_corrections: Corrections
    first_corrections: Corrections

    @classmethod
    def of(cls, efficiencies: Efficiencies, vocabulary: Vocabulary) -> SpeedModel:
        """The model that these efficiencies describe.

        Parameters
        ----------
        efficiencies : Efficiencies
        vocabulary : Vocabulary

        Returns
        -------
        SpeedModel

        Raises :class:`MissingData` when a term has no coefficient.
        """
        found = efficiencies.coefficients
        for stage, names in (("tpot", [t.name for t in TERMS]), ("ttft", FIRST_TOKEN_TERMS)):
            lacking = sorted(set(names) - set(found.get(stage, {})))
            if lacking:
                raise MissingData(
                    f"The calibration has no {stage} coefficient for {', '.join(lacking)}; "
                    "`make calibrate` fits them again."
                )
        return cls(
            np.array([found["tpot"][term.name] for term in TERMS]),
            found["ttft"],
            Corrections.of("tpot", efficiencies.corrections, vocabulary, GROUPS),
            Corrections.of("ttft", efficiencies.corrections, vocabulary, FIRST_TOKEN_GROUPS),
        )


@dataclass(frozen=True, slots=True)
class StepTime:
    """Seconds of one step or prompt by what they are spent on; fields broadcast.

    >>> StepTime(1.0, 2.0, 0.5, 0.0, 0.5).total_s
    4.0
    """

    weights_s: Any
    """Streaming weights from memory [s]."""
    kv_s: Any
    """Reading KV cache and state [s]."""
    compute_s: Any
    """Arithmetic [s]."""
    interconnect_s: Any
    """Collectives among ranks [s]."""
    overhead_s: Any
    """Launches, scheduling, sampling [s]."""

    @property
    def total_s(self) -> Any:
        """The sum of the parts [s]."""
        return self.weights_s + self.kv_s + self.compute_s + self.interconnect_s + self.overhead_s


@dataclass(frozen=True, slots=True)
class ReplicaSpeed:
    """How fast one replica serves a steady batch; fields broadcast.

    >>> ReplicaSpeed.__slots__[0]
    'batch'
    """

    batch: Any
    """Requests resident on the replica [request]."""
    step: StepTime
    """One decode step without prompts, each token's share."""
    interference_s: Any
    """What other requests' prompts add to a token [s]."""
    tpot_s: Any
    """Mean time per output token after the first [s]."""
    prefill_s: Any
    """Time for which one prompt keeps the engine busy [s]."""
    ttft_s: Any
    """Mean time to the first token at this batch, without waiting for a slot [s]."""
    first_token: tuple[tuple[str, Any], ...]
    """Parts of ``ttft_s`` by group [s]."""


def replica_speed(
    replica: Replica,
    model: SpeedModel,
    keys: Keys,
    batch: Any,
    isl: Any,
    osl: Any,
    cached_fraction: Any = 0.0,
) -> ReplicaSpeed:
    """Time per output token and to the first token at a steady batch.

    Continuous batching works each request's prompt in once per ``O`` tokens::

        TPOT = step(b) + b/(p O) prefill        prefill = prompt(I (1 - hit))
        TTFT = c0 + c1 L + c2 prefill + c3 TPOT + b (c4 prefill + c5 L)

    Parameters
    ----------
    replica : Replica
    model : SpeedModel
    keys : Keys
    batch : float or array [request]
        On one replica, at least 1.
    isl, osl : float or array [token]
        Mean tokens of prompt and answer.
    cached_fraction : float or array [fraction]
        Share of the prompt found in a prefix cache.

    Returns
    -------
    ReplicaSpeed

    Source: form of the sum after arXiv 2403.02310 (chunked prefill beside decode); coefficients
    from ``data/calibration/``.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.performance import Reference
    >>> r = Reference.of(load_catalogue())
    >>> one = r.case("llama-3.1-8b", "h100", "bf16", isl=1000, osl=200, concurrency=8)
    >>> speed = replica_speed(r.replica(one), r.model, r.unknown_keys, 8, 1000, 200)
    >>> bool(0.005 < speed.tpot_s[0] < 0.02)
    True
    """
    b, osl = np.asarray(batch, dtype=float), np.asarray(osl, dtype=float)
    factors = model.step_corrections.factors(keys)
    step = _times(decode_work(replica, b, isl, osl), model.step_coefficients, factors)
    fresh = np.asarray(isl, dtype=float) * (1.0 - np.asarray(cached_fraction))
    prefill = _times(prompt_work(replica, fresh), model.step_coefficients, factors).total_s
    interference = b / (replica.layout.pipeline_parallel * np.maximum(osl, 1.0)) * prefill
    tpot = step.total_s + interference
    times = first_token_times(replica.architecture.layers, b, prefill, tpot)
    first = _first_token(times, model.first_coefficients, model.first_corrections.factors(keys))
    return ReplicaSpeed(
        batch=b,
        step=step,
        interference_s=interference,
        tpot_s=tpot,
        prefill_s=prefill,
        ttft_s=sum(value for _, value in first),
        first_token=first,
    )


def _times(work: Work, coefficients: np.ndarray, factors: Mapping[str, Any]) -> StepTime:
    """Each time with its coefficient, added up before the factor of its group."""
    sums: dict[tuple[str, str], Any] = {}
    for index, time in work.plain:
        at = (TERMS[index].part, TERMS[index].group)
        sums[at] = sums.get(at, 0.0) + coefficients[index] * time
    for first, kind, time in work.classed:
        at = (TERMS[first].part, TERMS[first].group)
        of_class = coefficients[first : first + len(COMPUTE_CLASSES)]
        sums[at] = sums.get(at, 0.0) + of_class[kind] * time
    parts = dict.fromkeys(STEP_PARTS, 0.0)
    for (part, group), seconds in sums.items():
        parts[part] = parts[part] + seconds * factors[group]
    return StepTime(*parts.values())


def first_token_times(layers: Any, batch: Any, prefill: Any, tpot: Any) -> dict[str, Any]:
    """The times and counts that the calibrated time to the first token adds up.

    .. math:: 1,\\ L,\\ S,\\ TPOT,\\ b S,\\ b L

    Parameters
    ----------
    layers : float or array [1]
    batch : float or array [request]
    prefill, tpot : float or array [s]

    Returns
    -------
    dict of float or array [s]

    Source: as :func:`replica_speed`.

    >>> first_token_times(32, 4, 0.1, 0.02)["burst"]
    0.4
    """
    return {
        "constant": 1.0,
        "layers": layers,
        "prompt": prefill,
        "step": tpot,
        "burst": batch * prefill,
        "burst layers": batch * layers,
    }


def _first_token(
    times: Mapping[str, Any], coefficients: Mapping[str, float], factors: Mapping[str, Any]
) -> tuple[tuple[str, Any], ...]:
    """Each time with its coefficient and the factor of its group, added up by group."""
    groups = dict.fromkeys(FIRST_TOKEN_GROUPS, 0.0)
    for name, time in times.items():
        group = FIRST_TOKEN_TERMS[name]
        groups[group] = groups[group] + coefficients[name] * time
    return tuple((group, seconds * factors[group]) for group, seconds in groups.items())
