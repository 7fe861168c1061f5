"""What serves a workload on each kind of GPU: slices, one GPU, or several as one replica."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any

import numpy as np

from planner.catalogue import Basis, Catalogue, SliceProfile, weakest
from planner.placement import Geometry
from planner.plan.choice import Choice
from planner.plan.demand_plan import Asked, asked
from planner.plan.growth import NOMINAL
from planner.plan.serving import target_of, traffic_of
from planner.plan.speed import Candidates, candidates, sliced
from planner.serving import (
    ServiceTarget,
    SpeedCurve,
    Traffic,
    population_rate_per_s,
    replica_capacity,
    replicas_needed,
    service,
)

EMBEDDING_TAIL = math.log(20.0)
"""Of an exponential time in a queue, the mean times this is what 95 of 100 stay below [1]."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One size of replica, and what it would do; a slice, or whole GPUs."""

    profile: SliceProfile
    tensor_parallel: int
    pipeline_parallel: int
    capacity: float
    """Of one replica, in requests per second, or in people of a population that is counted."""
    replicas: float
    """That serve the peak; infinite when no number does [replica]."""
    tokens_per_s: float
    """Output tokens of one replica at its best batch [token/s]."""
    ttft_s: float
    tpot_s: float
    headroom_fraction: float
    basis: Basis
    """How we know its speed; a slice's share of it is derived."""
    reason: str = ""
    """Why it serves nothing; empty when it does."""

    @property
    def gpus(self) -> int:
        """GPUs of one replica [gpu]; 1 for a slice."""
        return self.tensor_parallel * self.pipeline_parallel


@dataclass(frozen=True)
class _Question:
    """What the offers depend on, and what they are computed from."""

    parts: tuple[Any, ...]
    choice: Choice = field(compare=False)
    divided: Geometry = field(compare=False)
    catalogue: Catalogue = field(compare=False)


def serving_offers(choice: Choice, divided: Geometry, catalogue: Catalogue) -> tuple[Offer, ...]:
    """Every size of replica that one kind of host offers to a workload that writes.

    A slice has its share of the GPU: of bandwidth as of memory, and of compute as its profile
    says. Time slices and MPS have that share while all others work.

    Parameters
    ----------
    choice : Choice
        Of the workload on this kind of GPU.
    divided : Geometry
    catalogue : Catalogue

    Returns
    -------
    tuple of Offer
        Slices first, the smallest first; then whole GPUs, each count in its best layout.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.placement import geometry
    >>> from planner.scenario import Scenario
    >>> c = load_catalogue()
    >>> found = serving_offers(Choice.of(Scenario(), c), geometry(c, "h100-sxm-80gb", "mig"), c)
    >>> found[0].profile.name, found[0].reason[:27], found[-1].gpus
    ('1g.10gb', 'its memory holds no request', 64)
    """
    scenario = choice.scenario
    question = (
        catalogue,
        scenario.workload,
        scenario.deployment,
        scenario.demand,
        scenario.service_level,
    )
    here = _Question((divided.id, *question), choice, divided, catalogue)
    if choice.model.kind != "generative":
        return _embedding_offers(here)
    # Whole GPUs are the same however their neighbours are carved.
    return _of_slices(here) + _of_whole(_Question(question, choice, divided, catalogue))


@lru_cache(maxsize=512)
def _of_whole(question: _Question) -> tuple[Offer, ...]:
    choice = question.choice
    ask = asked(choice.scenario)
    found = candidates(choice, question.catalogue, ask.lengths)
    wholes = [question.divided.whole] * len(found.gpus)
    best: dict[int, Offer] = {}
    for one in _offers(found, _nominal(found.curve), ask, choice, wholes):
        known = best.get(one.gpus)
        if known is None or (one.replicas, one.pipeline_parallel) < (
            known.replicas,
            known.pipeline_parallel,
        ):
            best[one.gpus] = one
    return tuple(best[count] for count in sorted(best))


@lru_cache(maxsize=512)
def _of_slices(question: _Question) -> tuple[Offer, ...]:
    """The model on one GPU with each slice's memory, slowed by the slice's share."""
    choice, divided = question.choice, question.divided
    # All of a GPU is better had whole: it can then work with others.
    profiles = [one for one in divided.profiles[:-1] if one.size < divided.slots]
    if not profiles:
        return ()
    ask = asked(choice.scenario)
    found = sliced(choice, question.catalogue, ask.lengths, [one.memory_bytes for one in profiles])
    memory = np.array([one.size / divided.slots for one in profiles])
    compute = np.array([one.compute_fraction for one in profiles])
    compute = np.where([_in_turns(one) for one in profiles], np.minimum(compute, memory), compute)
    fast = _nominal(found.curve)
    curve = SpeedCurve(
        in_flight=fast.in_flight,
        ttft_s=fast.ttft_s / compute[:, None],
        tpot_s=fast.tpot_s / np.minimum(compute, memory)[:, None],
        prefill_s=fast.prefill_s / compute,
        slots=fast.slots,
    )
    return tuple(_offers(found, curve, ask, choice, profiles))


def _in_turns(profile: SliceProfile) -> bool:
    """Whether the slice has the GPU's compute in turns with the others."""
    return profile.kind != "mig"


def _offers(
    found: Candidates,
    fast: SpeedCurve,
    ask: Asked,
    choice: Choice,
    profiles: Sequence[SliceProfile],
) -> list[Offer]:
    """One for each layout or slice; ``fast`` is the curve as predicted, without its range."""
    traffic, target = traffic_of(ask), target_of(choice.scenario)
    capacity = replica_capacity(fast, traffic, target)
    people = not traffic.is_open
    each = capacity.users if people else capacity.rate_per_s
    amount = ask.plan.active_users if people else ask.plan.peak_per_s
    replicas = replicas_needed(amount, each)
    felt = service(fast, traffic, target, _load(fast, ask, traffic, replicas))
    answer = max(ask.plan.answer_tokens, 1.0)
    tokens = fast.in_flight * answer / (fast.ttft_s + (answer - 1.0) * fast.tpot_s)
    within = fast.in_flight <= np.maximum(fast.slots, 1.0)[:, None] * (1 + 1e-9)
    best = np.where(within & (fast.slots >= 1.0)[:, None], tokens, 0.0).max(axis=-1)
    return [
        Offer(
            profile=profiles[at],
            tensor_parallel=int(found.tensor_parallel[at]),
            pipeline_parallel=int(found.pipeline_parallel[at]),
            capacity=float(each[at]),
            replicas=float(replicas[at]),
            tokens_per_s=float(best[at]),
            ttft_s=float(felt.ttft_s[at]),
            tpot_s=float(felt.tpot_s[at]),
            headroom_fraction=_headroom(amount, float(replicas[at]), float(each[at])),
            basis=weakest(Basis.DERIVED, found.basis),
            reason=_why_not(fast, target, at) if not np.isfinite(replicas[at]) else "",
        )
        for at in range(len(found.gpus))
    ]


def _nominal(curve: SpeedCurve) -> SpeedCurve:
    """The curve without its range."""
    shared = ("in_flight", "slots")
    return SpeedCurve(
        *(
            getattr(curve, f.name) if f.name in shared else getattr(curve, f.name)[NOMINAL]
            for f in fields(SpeedCurve)
        )
    )


def _load(curve: SpeedCurve, ask: Asked, traffic: Traffic, replicas: np.ndarray) -> Any:
    """Requests per second that reach one replica at the peak; of no account where none serves."""
    count = np.where(np.isfinite(replicas), np.maximum(replicas, 1.0), np.inf)
    if traffic.is_open:
        return ask.plan.peak_per_s / count
    people = np.where(np.isfinite(count), ask.plan.active_users / count, 1e-6)
    return population_rate_per_s(curve, traffic, people)


def _headroom(amount: float, replicas: float, each: float) -> float:
    return 1.0 - amount / (replicas * each) if math.isfinite(replicas) and each > 0 else math.nan


def _why_not(curve: SpeedCurve, target: ServiceTarget, at: int) -> str:
    if curve.slots[at] < 1.0:
        return "its memory holds no request beside the weights"
    if curve.tpot_s[at].min() > float(target.tpot_s):
        return "each token takes too long even for one request"
    return "the first token takes too long even for one request"


@lru_cache(maxsize=512)
def _embedding_offers(question: _Question) -> tuple[Offer, ...]:
    """An embedding model reads each text once: the speed of reading, on one GPU or slice.

    A request keeps the GPU for its reading time ``s``; in an M/M/1 queue 95 of 100 are done
    within ``s ln 20 / (1 - u)``, which bounds the use ``u``. Reading is as calibrated on the
    prompts of models that write, so its basis is derived.
    """
    choice, divided = question.choice, question.divided
    ask = asked(choice.scenario)
    found = candidates(choice, question.catalogue, ask.lengths)
    at = int(np.argmin(found.gpus))
    reading_s = float(found.curve.prefill_s[NOMINAL][at])
    weights = choice.model.total_parameters * choice.weight_precision.bits_per_weight / 8.0
    limit_s = choice.scenario.service_level.ttft_s
    made = []
    for profile in divided.profiles:
        taken = reading_s / profile.compute_fraction
        if _in_turns(profile) and profile.kind != "whole":
            taken = reading_s * divided.slots / profile.size
        use = 1.0 - taken * EMBEDDING_TAIL / limit_s
        holds = profile.memory_bytes * choice.scenario.deployment.gpu_memory_utilization > weights
        each = max(use, 0.0) / taken if holds else 0.0
        replicas = float(replicas_needed(ask.plan.peak_per_s, each))
        # At their share of the peak replicas are less used than they may be.
        used = ask.plan.peak_per_s / replicas * taken if math.isfinite(replicas) else math.nan
        made.append(
            Offer(
                profile=profile,
                tensor_parallel=1,
                pipeline_parallel=1,
                capacity=each,
                replicas=replicas,
                tokens_per_s=ask.plan.prompt_tokens / taken if holds else 0.0,
                ttft_s=taken * EMBEDDING_TAIL / (1.0 - used),
                tpot_s=math.nan,
                headroom_fraction=_headroom(ask.plan.peak_per_s, replicas, each),
                basis=weakest(Basis.DERIVED, found.basis),
                reason=""
                if math.isfinite(replicas)
                else "its memory holds no weights of this size"
                if not holds
                else "reading one text takes too long",
            )
        )
    return tuple(made)
