"""Robust fits of a sum of physical times, with corrections that are drawn to none.

Both stages have one form: the logarithm of a measured time is that of a sum of terms with
non-negative coefficients, plus corrections for what was measured often:

    log y = log sum_k c_k x_k exp(u_group(k)) + u_all + e

Coefficients are kept near physical priors, corrections near zero (a ridge), and errors are weighed
down when large, so that one mislabelled benchmark does not bend the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.calibration.measurements import Measurements
from planner.catalogue import Basis, Correction, Efficiencies, Source
from planner.performance import (
    FIRST_TOKEN_GROUPS,
    FIRST_TOKEN_TERMS,
    GROUPS,
    LEVELS,
    RUNS,
    TERMS,
    Cases,
    Keys,
    Reference,
    SpeedModel,
    Vocabulary,
    decode_work,
    dense,
    first_token_times,
    prompt_work,
    replica_speed,
)

STEP_PRIOR = {
    "weights 16 bit": 1.15,
    "weights 8 bit": 1.2,
    "weights 4 bit": 1.3,
    "weights weight only": 1.4,
    "experts 16 bit": 1.2,
    "experts 8 bit": 1.3,
    "experts 4 bit": 1.6,
    "experts weight only": 1.5,
    "linear 16 bit": 1.4,
    "linear 8 bit": 1.9,
    "linear 4 bit": 2.8,
    "linear weight only": 1.6,
    "kv read": 1.3,
    "attention": 2.0,
    "layers": 45e-6,
    "expert layers": 20e-6,
    "index layers": 20e-6,
    "reduce": 4e-6,
    "reduce doubling": 2e-6,
    "reduce pcie": 6e-6,
    "reduce bytes": 1.5,
    "reduce bytes pcie": 1.0,
    "sequences": 6e-6,
    "elements": 1e-8,
    "step": 1e-3,
    "prompt layers": 10e-6,
    "prompt": 1e-3,
}
"""What kernels measure by themselves (aiconfigurator-core 0.12.0): weights stream at 70 to 85 % of
the bandwidth, matrix products run at 70 % of the 16-bit, 50 % of the 8-bit and 35 % of the 4-bit
peak, a small collective takes some microseconds, a layer some tens."""
STEP_PRIOR_SD = {"memory": 0.1, "compute": 0.25, "link": 0.3, "host": 0.4}
"""How far coefficients may leave their priors: bandwidth is known best, host overhead least."""
FIRST_PRIOR = {
    "constant": 0.03,
    "layers": 0.8e-3,
    "prompt": 1.3,
    "step": 1.0,
    "burst": 0.2,
    "wait": 0.5,
    "burst layers": 1e-5,
}
"""Dispatch of 0.8 ms a layer as in aiconfigurator; a prompt costs what it computes; a fifth of the
other prompts arrive together; the wait of M/D/1."""
FIRST_PRIOR_SD = 1.0
SCALE = {"tpot": 0.08, "ttft": 0.15}
"""Errors beyond this are weighed down (pseudo-Huber)."""
CELL_POWER = 0.25
"""Each measurement of a model, GPU, engine and format with n others weighs n ** -0.25."""
ITERATIONS = 14
GENERIC_ENGINE = "generic"


@dataclass(frozen=True)
class Design:
    """What one stage is fitted on; an observation may use a case twice with another run."""

    stage: str
    groups: tuple[str, ...]
    group_of: np.ndarray
    """Index into ``groups`` of each term."""
    times: np.ndarray
    """Observations by terms."""
    log_measured: np.ndarray
    weight: np.ndarray
    keys: Keys
    log_prior: np.ndarray
    prior_sd: np.ndarray
    vocabulary: Vocabulary


@dataclass(frozen=True)
class Fit:
    """A fitted stage."""

    stage: str
    coefficients: dict[str, float]
    corrections: tuple[Correction, ...]


def speed_model(reference: Reference, *fits: Fit) -> SpeedModel:
    """The performance model that the fits of both stages make; a missing one keeps its prior."""
    coefficients = {"tpot": STEP_PRIOR, "ttft": FIRST_PRIOR}
    coefficients |= {one.stage: one.coefficients for one in fits}
    entries = tuple(entry for one in fits for entry in one.corrections)
    empty = frozenset()
    found = Efficiencies(
        coefficients,
        entries,
        {},
        (),
        empty,
        empty,
        empty,
        Source("calibration", "", "", Basis.DERIVED),
    )
    return SpeedModel.of(found, reference.vocabulary)


def fit_step(measured: Measurements, reference: Reference, rows: np.ndarray) -> Fit:
    """Coefficients and corrections of a step, from times per token and throughputs.

    ``rows`` says which measurements may be used.
    """
    design = _step_design(measured, reference, rows)
    return _solve(design, [term.name for term in TERMS])


def fit_first_token(
    measured: Measurements, reference: Reference, rows: np.ndarray, step: Fit
) -> Fit:
    """Coefficients and corrections of the time to the first token, given those of a step."""
    design = _first_design(measured, reference, rows, speed_model(reference, step))
    return _solve(design, list(FIRST_TOKEN_TERMS))


def resident(cases: Cases, reference: Reference) -> tuple[np.ndarray, np.ndarray]:
    """Batch on each replica, and the slots of each."""
    replica = reference.replica(cases)
    slots, _ = reference.slots(cases, replica, cases.isl + cases.osl / 2.0)
    each = cases.concurrency / cases.layout.replicas
    return np.clip(each, 1.0, np.maximum(slots, 1.0)), slots


def _step_design(measured: Measurements, reference: Reference, rows: np.ndarray) -> Design:
    tpot, rate = measured.observed.tpot_s, measured.observed.output_tokens_per_s
    offline, offline_tpot = RUNS.index("offline"), RUNS.index("offline tpot")
    is_offline = measured.run == offline
    by_token = np.flatnonzero(rows & np.isfinite(tpot))
    by_rate = np.flatnonzero(rows & np.isfinite(rate) & (is_offline | ~np.isfinite(tpot)))
    picked = np.concatenate([by_token, by_rate])
    run = np.concatenate(
        [
            np.where(is_offline[by_token], offline_tpot, measured.run[by_token]),
            measured.run[by_rate],
        ]
    )
    cases = measured.cases.rows(picked)
    replica = reference.replica(cases)
    batch, _ = resident(cases, reference)
    share = batch / (cases.layout.pipeline_parallel * cases.osl)
    times = dense(decode_work(replica, batch, cases.isl, cases.osl))
    times = times + share * dense(prompt_work(replica, cases.isl))
    total = cases.layout.replicas * batch
    log_measured = np.log(np.concatenate([tpot[by_token], total[len(by_token) :] / rate[by_rate]]))
    sd = np.array([STEP_PRIOR_SD[term.group] for term in TERMS])
    return Design(
        stage="tpot",
        groups=GROUPS,
        group_of=np.array([GROUPS.index(term.group) for term in TERMS]),
        times=times.T,
        log_measured=log_measured,
        weight=_weights(cases),
        keys=reference.keys(cases, replica, run),
        log_prior=np.log([STEP_PRIOR[term.name] for term in TERMS]),
        prior_sd=sd,
        vocabulary=reference.vocabulary,
    )


def _first_design(
    measured: Measurements, reference: Reference, rows: np.ndarray, model: SpeedModel
) -> Design:
    ttft = measured.observed.ttft_s
    each = measured.cases.concurrency / measured.cases.layout.replicas
    picked = np.flatnonzero(rows & np.isfinite(ttft) & np.isfinite(each))
    cases = measured.cases.rows(picked)
    batch, slots = resident(cases, reference)
    # An overloaded run measures its own length: it says nothing about the engine.
    keep = each[picked] <= slots
    picked, cases, batch = picked[keep], cases.rows(keep), batch[keep]
    replica = reference.replica(cases)
    keys = reference.keys(cases, replica, np.full(len(picked), RUNS.index("steady")))
    speed = replica_speed(replica, model, keys, batch, cases.isl, cases.osl)
    times = first_token_times(
        replica.architecture.layers, batch, speed.prefill_s, speed.tpot_s, speed.interference_s
    )
    return Design(
        stage="ttft",
        groups=FIRST_TOKEN_GROUPS,
        group_of=np.array([FIRST_TOKEN_GROUPS.index(g) for g in FIRST_TOKEN_TERMS.values()]),
        times=np.stack([np.broadcast_to(times[n], batch.shape) for n in FIRST_TOKEN_TERMS], axis=1),
        log_measured=np.log(ttft[picked]),
        weight=_weights(cases),
        keys=keys,
        log_prior=np.log([FIRST_PRIOR[name] for name in FIRST_TOKEN_TERMS]),
        prior_sd=np.full(len(FIRST_TOKEN_TERMS), FIRST_PRIOR_SD),
        vocabulary=reference.vocabulary,
    )


def _weights(cases: Cases) -> np.ndarray:
    cells = np.stack([cases.model, cases.gpu, cases.engine, cases.precision])
    _, inverse, count = np.unique(cells, axis=1, return_inverse=True, return_counts=True)
    weight = count[inverse.ravel()] ** -CELL_POWER
    return weight / weight.mean()


@dataclass(frozen=True)
class _Columns:
    """Corrections as columns of the design."""

    entries: tuple[tuple[str, str, tuple[int, ...]], ...]
    """Level, group and place of each."""
    ridge: np.ndarray
    index: tuple[tuple[str, np.ndarray], ...]
    """Group, and the column of each observation."""

    @classmethod
    def of(cls, design: Design) -> _Columns:
        entries, ridge, index = [], [], []
        for name, level in LEVELS[design.stage].items():
            shape = design.vocabulary.shape(level.key)
            code = np.ravel_multi_index(design.keys.place(level.key), shape)
            found, inverse = np.unique(code, return_inverse=True)
            places = [tuple(map(int, np.unravel_index(one, shape))) for one in found]
            for group in level.groups:
                index.append((group, len(entries) + inverse.ravel()))
                entries += [(name, group, place) for place in places]
                ridge += [level.ridge] * len(found)
        return cls(tuple(entries), np.array(ridge), tuple(index))


def _solve(design: Design, names: list[str]) -> Fit:
    """Gauss-Newton on the penalised, robust objective."""
    columns, terms = _Columns.of(design), len(names)
    theta, effects = design.log_prior.copy(), np.zeros(len(columns.entries))
    scale2 = SCALE[design.stage] ** 2
    penalty = np.concatenate([1.0 / design.prior_sd**2, columns.ridge / scale2])
    for _ in range(ITERATIONS):
        predicted, jacobian = _linearise(design, columns, theta, effects)
        residual = design.log_measured - predicted
        weight = design.weight / np.sqrt(1.0 + residual**2 / scale2) / scale2
        weighted = jacobian * weight[:, None]
        off = np.concatenate([theta - design.log_prior, effects])
        step = np.linalg.solve(
            weighted.T @ jacobian + np.diag(penalty), weighted.T @ residual - penalty * off
        )
        step = np.clip(step, -1.0, 1.0)
        theta, effects = theta + step[:terms], effects + step[terms:]
    coefficients = dict(zip(names, np.exp(theta).tolist(), strict=True))
    entries = _entries(design, columns, effects)
    return Fit(design.stage, coefficients, with_generic_engine(entries, design.stage))


def with_generic_engine(entries: tuple[Correction, ...], stage: str) -> tuple[Correction, ...]:
    """The entries with those of the generic engine replaced by the mean of the known engines.

    Rare engines share one label, so that what was measured under it says little about another.
    """
    known, shared = [], {}
    for one in entries:
        names = LEVELS[stage][one.level].key
        if "engine" not in names:
            known.append(one)
            continue
        parts = one.key.split("|")
        at = names.index("engine")
        if parts[at] == GENERIC_ENGINE:
            continue
        known.append(one)
        parts[at] = GENERIC_ENGINE
        shared.setdefault((one.level, "|".join(parts), one.group), []).append(one)
    means = [
        Correction(
            stage, *place, float(np.mean([e.log_factor for e in same])), sum(e.rows for e in same)
        )
        for place, same in shared.items()
    ]
    return (*known, *means)


def _linearise(
    design: Design, columns: _Columns, theta: np.ndarray, effects: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    rows, groups = len(design.times), len(design.groups)
    scaled = {group: np.zeros(rows) for group in (*design.groups, "all")}
    for group, column in columns.index:
        scaled[group] += effects[column]
    factors = np.exp(np.stack([scaled[group] for group in design.groups], axis=1))
    parts = design.times * np.exp(theta) * factors[:, design.group_of]
    total = parts.sum(axis=1)
    share = parts / total[:, None]
    of_group = np.zeros((rows, groups))
    np.add.at(of_group.T, design.group_of, share.T)
    jacobian = np.zeros((rows, len(theta) + len(effects)))
    jacobian[:, : len(theta)] = share
    every = np.arange(rows)
    for group, column in columns.index:
        slope = 1.0 if group == "all" else of_group[:, design.groups.index(group)]
        jacobian[every, len(theta) + column] += slope
    return np.log(total) + scaled["all"], jacobian


def _entries(design: Design, columns: _Columns, effects: np.ndarray) -> tuple[Correction, ...]:
    counts: dict[tuple[str, str, tuple[int, ...]], int] = {}
    for _, column in columns.index:
        for at, number in zip(*np.unique(column, return_counts=True), strict=True):
            counts[columns.entries[at]] = int(number)
    return tuple(
        Correction(
            design.stage,
            level,
            design.vocabulary.text(LEVELS[design.stage][level].key, place),
            group,
            float(effect),
            counts[level, group, place],
        )
        for (level, group, place), effect in zip(columns.entries, effects, strict=True)
    )
