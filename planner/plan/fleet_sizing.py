"""For each workload the smallest tool that digs the hole, the next sizes, and for how long."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from planner.catalogue import Basis, Catalogue, weakest
from planner.errors import InvalidScenario, MissingData
from planner.placement import Fleet, Geometry, Host, isolation_refusal
from planner.plan.fleet_jobs import JobOffer, seats, training_offers
from planner.plan.fleet_questions import choice_of
from planner.plan.fleet_records import SizedWorkload, Tool
from planner.plan.fleet_serving import Offer, serving_offers
from planner.plan.fleet_words import duration_of, facts_of, job_facts, steps_of
from planner.plan.price_list import price_list
from planner.scenario import FleetWorkload, Scenario
from planner.training import batch_run, both_tokens_per_s
from planner.units import GB, GIB, plural

DOUBLINGS = (1, 2, 4, 8, 16, 32, 64)
"""Numbers of GPUs in a host, and of whole hosts, that are tried for a training job."""
MOST_JOB_GPUS = 64
MOST_OF_ONE_TOOL = 2_000
"""A tool that takes more pieces than this is no answer."""
USD_PER_GPU_BYTE = 300.0 / GB
"""What stands for the price of a GPU of which the catalogue has none, to rank it among others;
assumed, near those of the catalogue's HBM accelerators, and shown nowhere."""


@dataclass(frozen=True, slots=True)
class Ground:
    """One kind of host that the fleet has."""

    host: Host
    hosts: int

    @property
    def divided(self) -> Geometry:
        """How its GPUs may be carved."""
        return self.host.geometry


def grounds(fleet: Fleet) -> tuple[Ground, ...]:
    """The kinds of host of a fleet, in the order of the table.

    Parameters
    ----------
    fleet : Fleet

    Returns
    -------
    tuple of Ground

    >>> grounds(Fleet(()))
    ()
    """
    found: dict[tuple[str, int, int], list[Host]] = {}
    for host in fleet.hosts:
        found.setdefault((host.geometry.id, host.gpus, host.nvlink_gpus), []).append(host)
    return tuple(Ground(hosts[0], len(hosts)) for hosts in found.values())


def tools_of(
    row: FleetWorkload, scenario: Scenario, catalogue: Catalogue, kinds: tuple[Ground, ...]
) -> tuple[tuple[Tool, ...], Basis, str]:
    """Every tool of a fleet for one workload, those that do first.

    Parameters
    ----------
    row : FleetWorkload
    scenario : Scenario
    catalogue : Catalogue
    kinds : tuple of Ground

    Returns
    -------
    tuple of tools, basis and the model's name

    Raises :class:`InvalidScenario` or :class:`MissingData`, with the row's name, when no kind of
    host can be asked at all.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.plan.fleet_hosts import fleet_of
    >>> c, s = load_catalogue(), Scenario()
    >>> tools, basis, name = tools_of(FleetWorkload(name="chat"), s, c, grounds(fleet_of(s, c)))
    >>> tools[0].size, name
    ('host', 'Llama 3.3 70B Instruct')
    """
    made: list[Tool] = []
    bases: list[Basis] = []
    refused: InvalidScenario | MissingData | None = None
    name = ""
    for ground in kinds:
        try:
            found, basis, name = _tools_here(row, scenario, catalogue, ground)
        except (InvalidScenario, MissingData) as error:
            refused = error
            continue
        made += found
        bases.append(basis)
    if not made and refused is not None:
        raise refused
    made.sort(key=lambda tool: _rank(tool, catalogue))
    return tuple(made), weakest(*bases), name


def _rank(tool: Tool, catalogue: Catalogue) -> tuple:
    """Those that do first; then the cheapest hardware, then the fewest pieces."""
    gpu = tool.geometry.partition("/")[0]
    return (bool(tool.reason), tool.gpu_equivalents * _worth(gpu, catalogue), tool.pieces)


def _worth(gpu: str, catalogue: Catalogue) -> float:
    """What weighs one kind of GPU against another: its price, or where none is known its memory."""
    price = price_list(catalogue).get(f"gpu/{gpu}")
    if price is not None and math.isfinite(price.value):
        return price.value
    return catalogue.accelerator(gpu).memory_nominal_bytes * USD_PER_GPU_BYTE


def _tools_here(
    row: FleetWorkload, scenario: Scenario, catalogue: Catalogue, ground: Ground
) -> tuple[list[Tool], Basis, str]:
    divided = ground.divided
    refusal = isolation_refusal(catalogue.carvings[divided.carving], row.isolation)
    if row.shape == "notebooks":
        return list(_seats(row, catalogue, ground, refusal)), Basis.ASSUMED, ""
    choice = choice_of(row, scenario, catalogue, divided.gpu, ground.host.gpus)
    name = choice.model.name
    if row.shape == "training":
        counts = _job_counts(ground.host.gpus, ground.hosts)
        jobs = training_offers(row, choice.model, divided, counts, catalogue)
        basis = max(job.basis for job in jobs)
        return [_job_tool(job, catalogue, ground, refusal) for job in jobs], basis, name
    offers = serving_offers(choice, divided, catalogue)
    made = [_serving_tool(row, one, catalogue, ground, refusal) for one in offers]
    return made, weakest(*(one.basis for one in offers)), name


def _job_counts(host_gpus: int, hosts: int) -> tuple[int, ...]:
    """GPUs of a training job: some of a host's, or whole hosts."""
    inside = [n for n in DOUBLINGS if n < host_gpus]
    whole = [n * host_gpus for n in DOUBLINGS if n <= hosts]
    return (*inside, *(n for n in whole if n == host_gpus or n <= MOST_JOB_GPUS))


def _seats(
    row: FleetWorkload, catalogue: Catalogue, ground: Ground, refusal: str
) -> Iterator[Tool]:
    wanted = row.slice_gib * GIB
    count, _ = seats(row.people, row.at_work_fraction, wanted)
    for profile in ground.divided.profiles:
        reason = ""
        if profile.memory_bytes < wanted:
            reason = f"it has {profile.memory_bytes / GIB:.1f} GiB and {row.slice_gib:g} are asked"
        yield _tool(ground, catalogue, profile.name, 1, count, reason, refusal)


def _job_tool(job: JobOffer, catalogue: Catalogue, ground: Ground, refusal: str) -> Tool:
    # A piece stays in one NVLink domain; more GPUs than it has are a gang of several pieces.
    each = min(job.gpus, ground.host.nvlink_gpus)
    pieces = math.ceil(job.gpus / each)
    return _tool(
        ground,
        catalogue,
        job.profile.name,
        each,
        pieces,
        job.reason,
        refusal,
        hours=job.hours,
        facts=job_facts(job, _gpu_share(ground, job.profile.name)),
    )


def _serving_tool(
    row: FleetWorkload, offer: Offer, catalogue: Catalogue, ground: Ground, refusal: str
) -> Tool:
    reason, replicas, hours = offer.reason, offer.replicas, math.nan
    headroom, ttft, tpot = offer.headroom_fraction, offer.ttft_s, offer.tpot_s
    if row.shape == "batch":
        read = row.prompt_tokens
        rate = (
            both_tokens_per_s(offer.tokens_per_s, read, row.output_tokens)
            if math.isfinite(offer.tpot_s)
            else offer.tokens_per_s
        )
        run = batch_run(
            row.requests, read, row.output_tokens, float(rate), min(row.window_h, 24.0),
            max(row.window_h / 24.0, 1.0), offer.gpus,
        )  # fmt: skip
        replicas, hours = float(run.replicas), float(run.run_h)
        reason = "" if offer.tokens_per_s > 0 else offer.reason
        headroom = float(run.slack_h / run.available_h)
        ttft = tpot = math.nan
    each, stages = offer.gpus, 1
    if offer.gpus > ground.host.nvlink_gpus:
        # Stages talk little: each may have a domain, or a host, of its own.
        each, stages = offer.tensor_parallel, offer.pipeline_parallel
    if not reason and each > ground.host.nvlink_gpus:
        reason = f"{each} GPUs must work as one and the NVLink domain has {ground.host.nvlink_gpus}"
    pieces = int(replicas) * stages if math.isfinite(replicas) else 0
    if pieces > MOST_OF_ONE_TOOL:
        reason, pieces = f"it would take {pieces:,} of them", 0
    return _tool(
        ground, catalogue, offer.profile.name, each, pieces, reason, refusal,
        ttft_s=ttft, tpot_s=tpot, hours=hours, headroom_fraction=headroom,
    )  # fmt: skip


def _tool(
    ground: Ground,
    catalogue: Catalogue,
    profile: str,
    gpus: int,
    pieces: int,
    reason: str,
    refusal: str,
    **known: Any,
) -> Tool:
    divided, whole = ground.divided, profile == "whole"
    if not whole and refusal and not reason:
        reason = refusal
    total = gpus * pieces * _gpu_share(ground, profile)
    name = catalogue.accelerator(divided.gpu).label
    return Tool(
        size=_size(ground, whole, total),
        label=_label(whole, profile, gpus, max(pieces, 1)),
        geometry=divided.id,
        gpu_name=name,
        profile=profile,
        gpus_per_piece=gpus,
        pieces=pieces,
        gpu_equivalents=float(total),
        reason=reason,
        **known,
    )


def _gpu_share(ground: Ground, profile: str) -> float:
    """Share of a GPU that a slice keeps from others: of memory, or of MIG's compute."""
    one = ground.divided.by_name[profile]
    return max(one.size / ground.divided.slots, one.compute_fraction if one.kind == "mig" else 0.0)


def _size(ground: Ground, whole: bool, total: float) -> str:
    if not whole and total <= 1.0:
        return "slice"
    if total <= 1.0:
        return "gpu"
    return "host" if total <= ground.host.gpus else "cluster"


def _label(whole: bool, profile: str, gpus: int, pieces: int) -> str:
    if not whole:
        return f"{pieces} × {profile}"
    if gpus == 1:
        return plural(pieces, "GPU")
    return f"{gpus} GPUs as one" if pieces == 1 else f"{pieces} groups of {gpus} GPUs"


def sized(
    row: FleetWorkload, scenario: Scenario, catalogue: Catalogue, fleet: Fleet, skip: int = 0
) -> SizedWorkload:
    """One workload with its recommended tool; a reason instead where there is none.

    Parameters
    ----------
    row : FleetWorkload
    scenario : Scenario
    catalogue : Catalogue
    fleet : Fleet
    skip : int
        How many better kinds of host to leave out, where they were full.

    Returns
    -------
    SizedWorkload
        Without pieces; these depend on all kinds of host.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.plan.fleet_hosts import fleet_of
    >>> c, s = load_catalogue(), Scenario()
    >>> sized(FleetWorkload(name="chat"), s, c, fleet_of(s, c)).tool.label
    '2 GPUs as one'
    """
    found = grounds(fleet)
    parts = (
        row,
        skip,
        catalogue,
        tuple((one.divided.id, one.host.gpus, one.host.nvlink_gpus, one.hosts) for one in found),
        scenario.workload,
        scenario.deployment,
        scenario.demand,
        scenario.service_level,
    )
    return _kept_size(_Question(parts, row, scenario, catalogue, found, skip))


@dataclass(frozen=True)
class _Question:
    """What a size depends on, and what it is computed from."""

    parts: tuple[Any, ...]
    row: FleetWorkload = field(compare=False)
    scenario: Scenario = field(compare=False)
    catalogue: Catalogue = field(compare=False)
    grounds: tuple[Ground, ...] = field(compare=False)
    skip: int = field(compare=False)


@lru_cache(maxsize=512)
def _kept_size(question: _Question) -> SizedWorkload:
    row, skip = question.row, question.skip
    try:
        tools, basis, name = tools_of(row, question.scenario, question.catalogue, question.grounds)
    except (InvalidScenario, MissingData) as error:
        return _without(row, str(error))
    able = [tool for tool in tools if not tool.reason and tool.pieces]
    homes = list(dict.fromkeys(tool.geometry for tool in able))
    left = [tool for tool in able if tool.geometry in homes[min(skip, len(homes) - 1) :]]
    if not left:
        nearest = tools[0] if tools else None
        reason = f"{nearest.label} of {nearest.gpu_name}: {nearest.reason}" if nearest else ""
        return _without(row, f"{row.name}: nothing on these hosts will do; {reason}.", tools, name)
    tool = left[0]
    smaller, larger = steps_of(tool, tools, row)
    hours, words, queue = duration_of(row, tool)
    return SizedWorkload(
        row=row,
        model_name=name,
        tools=tools,
        tool=tool,
        smaller=smaller,
        larger=larger,
        pieces=(),
        queue=queue,
        duration=words,
        hours_per_week=hours,
        gpu_hours=(
            tool.gpu_equivalents * tool.hours
            if math.isfinite(tool.hours)
            else tool.gpu_equivalents * hours
        ),
        facts=facts_of(row, tool),
        basis=basis,
    )


def _without(
    row: FleetWorkload, reason: str, tools: tuple[Tool, ...] = (), name: str = ""
) -> SizedWorkload:
    return SizedWorkload(
        row=row,
        model_name=name,
        tools=tools,
        tool=None,
        smaller=None,
        larger=None,
        pieces=(),
        queue="",
        duration="",
        hours_per_week=0.0,
        gpu_hours=0.0,
        facts=(),
        basis=Basis.ASSUMED,
        reason=reason,
    )
