"""What the owned installation draws, hour by hour and year by year."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planner.catalogue import QUANTITIES, Basis, Catalogue, HostKind, host_kind_for, weakest
from planner.cost import whole_hosts
from planner.energy import (
    ReplicaEnergy,
    WeekPower,
    YearEnergy,
    racks_needed,
    replica_energy,
    week_power_w,
    year_energy,
)
from planner.plan.choice import Choice
from planner.plan.growth import NOMINAL
from planner.plan.serving_records import Serving
from planner.serving import interpolate
from planner.units import KB

W_PER_KW = KB


@dataclass(frozen=True, slots=True)
class Installation:
    """Hosts and their power; ends of the speed's range and years along the first two axes."""

    kind: HostKind
    hosts: np.ndarray
    """Spare ones included, never fewer than the year before: (end, year) [1]."""
    racks: np.ndarray
    """The same axes [1]."""
    week: WeekPower
    """At a PUE of one; hours along the last axis."""
    year: YearEnergy
    """At a PUE of one: IT energy."""
    uncapped: YearEnergy
    """The same without a power cap."""
    load: np.ndarray
    """How far between idle and busy the GPUs in use are in each hour of the week [fraction]."""
    replica: ReplicaEnergy
    """Of the chosen layout over its batches."""
    j_per_output_token: tuple[float, float, float]
    """At the peak's batch: low, as predicted, high [J/token]."""
    busy_w: float
    """Of one GPU at the peak's batch [W]."""
    in_use_w: float
    """Of one GPU in use, mean of the hours of service [W]."""
    speed_fraction: float
    """Speed kept under the power cap at the peak [fraction]."""
    basis: Basis


def installation(choice: Choice, catalogue: Catalogue, serving: Serving) -> Installation:
    """The hosts that the demand needs, and what they draw.

    Parameters
    ----------
    choice : Choice
    catalogue : Catalogue
    serving : Serving
        Feasible.

    Returns
    -------
    Installation

    Raises :class:`NoFeasiblePlan` when one host is more than a rack can feed.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.plan import evaluate
    >>> from planner.scenario import Scenario
    >>> c = load_catalogue()
    >>> here = installation(Choice.of(Scenario(), c), c, evaluate(Scenario(), c).speed)
    >>> bool((here.week.it_w.min() > 0) & (here.year.it_kwh > 0).all())
    True
    """
    site, deployment = choice.scenario.site, choice.scenario.deployment
    kind = host_kind_for(choice.gpu, catalogue.host_kinds)
    per_host = float(deployment.gpus_per_host)
    needed = whole_hosts(serving.supply.gpus, per_host, site.spare_hosts)
    hosts = np.maximum.accumulate(needed, axis=-1)
    uncapped = _replica(choice, catalogue, serving, 1.0)
    cap = site.power_cap_fraction
    capped = _replica(choice, catalogue, serving, cap) if cap < 1.0 else uncapped
    week, load, in_use_w = _week(serving, capped, kind, hosts, per_host)
    bare = _week(serving, uncapped, kind, hosts, per_host)[0] if capped is not uncapped else week
    batch = max(serving.serving.batch, 1.0)
    busy, token = (
        _at(serving, capped.power_w, batch),
        _at(serving, capped.j_per_output_token, batch),
    )
    hours = serving.demand.hours_per_year
    mask = (serving.supply.hour_share > 0).astype(float)
    # What feeds a rack must bear what the cards may draw, not what they do draw.
    full_w = per_host * choice.gpu.require("power_w") * cap + kind.full_w
    racks = racks_needed(full_w, hosts, kind.rack_units, site.rack_kw * W_PER_KW)
    return Installation(
        kind=kind,
        hosts=hosts,
        racks=np.asarray(racks.racks, dtype=float) * np.ones_like(hosts),
        week=week,
        year=year_energy(week, mask, hours),
        uncapped=year_energy(bare, mask, hours),
        load=load,
        replica=capped,
        j_per_output_token=(
            token * _at(serving, capped.low_factor, batch),
            token,
            token * _at(serving, capped.high_factor, batch),
        ),
        busy_w=busy,
        in_use_w=in_use_w,
        speed_fraction=_at(serving, uncapped.step_s / capped.step_s, batch),
        basis=weakest(capped.basis, kind.idle_source.basis),
    )


def _replica(
    choice: Choice, catalogue: Catalogue, serving: Serving, cap_fraction: float
) -> ReplicaEnergy:
    """Of every layout at once: the chosen one is read off afterwards."""
    found = serving.candidates
    return replica_energy(
        choice.gpu,
        choice.model.id,
        found.speed,
        found.gpus[:, None],
        serving.demand.answer_tokens,
        catalogue.energy_efficiencies,
        cap_fraction,
        tuple(found.factors[QUANTITIES.index("throughput")]),
    )


def _at(serving: Serving, values: np.ndarray, batch: float) -> float:
    """A result of the chosen layout at a batch."""
    shape = np.shape(serving.candidates.speed.tpot_s)
    row = np.broadcast_to(values, shape)[serving.chosen]
    return float(interpolate(serving.curve.in_flight, row, batch))


def _week(
    serving: Serving, replica: ReplicaEnergy, kind: HostKind, hosts: np.ndarray, per_host: float
) -> tuple[WeekPower, np.ndarray, float]:
    """All replicas share the load of each hour; with less than one request in flight a replica
    waits the rest of the time."""
    curve, supply = serving.curve, serving.supply
    answer = max(serving.demand.answer_tokens, 1.0)
    rate = curve.in_flight / (curve.ttft_s + (answer - 1.0) * curve.tpot_s)
    replicas = max(serving.serving.replicas, 1.0)
    here = serving.load_per_s / replicas * supply.hour_share
    batch = np.interp(here, rate, curve.in_flight)
    busy_fraction = np.minimum(here / rate[0], 1.0)
    shape = np.shape(serving.candidates.speed.tpot_s)
    power = np.broadcast_to(replica.power_w, shape)[serving.chosen]
    drawn = np.interp(np.log(batch), np.log(curve.in_flight), power)
    top = float(power.max())
    idle = replica.idle_w
    load = busy_fraction * np.clip((drawn - idle) / max(top - idle, 1e-9), 0.0, 1.0)
    gpus = hosts * per_host
    # Owned hosts never shrink, while a growing year may need fewer than an earlier one.
    use = np.minimum(supply.gpus, gpus)[..., None] * (supply.hour_share > 0)
    week = week_power_w(use, load, gpus, per_host, hosts, idle, top, kind.idle_w, kind.full_w, 1.0)
    runs = supply.hour_share > 0
    in_use_w = idle + (top - idle) * float(load[runs].mean()) if runs.any() else idle
    return week, load, in_use_w


def nominal_week(found: Installation) -> WeekPower:
    """The first year's week, as predicted, at a PUE of one.

    Parameters
    ----------
    found : Installation

    Returns
    -------
    WeekPower
        Hours along the only axis.
    """
    week = found.week
    return WeekPower(
        *(
            np.broadcast_to(values, np.shape(week.it_w))[NOMINAL, 0]
            for values in (week.gpus_w, week.hosts_w, week.it_w, week.cooling_w, week.facility_w)
        )
    )
