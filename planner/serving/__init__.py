"""Demand and a service level to batch, concurrency and replicas; queueing and its simulation.

A performance model fills a :class:`SpeedCurve`; everything here reads that record alone. The sizing
broadcasts over candidates; the simulation runs one of them.
"""

from planner.serving.curve import SpeedCurve, interpolate
from planner.serving.disagreement import Disagreement, disagreement
from planner.serving.fleet import (
    WeekOfReplicas,
    replicas_for_users,
    replicas_needed,
    users_of_replicas,
    week_of_replicas,
)
from planner.serving.level import (
    BINDING,
    PERCENTILES,
    ReplicaCapacity,
    ServiceResult,
    ServiceTarget,
    Traffic,
)
from planner.serving.queueing import (
    conditional_wait_s,
    engset_call,
    erlang_b,
    erlang_c,
    machine_repair,
    mean_wait_s,
    wait_percentile_s,
)
from planner.serving.request_log import Requests, sample_requests
from planner.serving.simulation import SimulationResult, simulate, simulation_steps
from planner.serving.sizing import (
    population_rate_per_s,
    replica_capacity,
    service,
)

__all__ = [
    "BINDING",
    "PERCENTILES",
    "Disagreement",
    "ReplicaCapacity",
    "Requests",
    "ServiceResult",
    "ServiceTarget",
    "SimulationResult",
    "SpeedCurve",
    "Traffic",
    "WeekOfReplicas",
    "conditional_wait_s",
    "disagreement",
    "engset_call",
    "erlang_b",
    "erlang_c",
    "interpolate",
    "machine_repair",
    "mean_wait_s",
    "population_rate_per_s",
    "replica_capacity",
    "replicas_for_users",
    "replicas_needed",
    "sample_requests",
    "service",
    "simulate",
    "simulation_steps",
    "users_of_replicas",
    "wait_percentile_s",
    "week_of_replicas",
]
