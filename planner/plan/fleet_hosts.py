"""The hosts of a scenario as a fleet: what is left for workloads, and how GPUs may be carved."""

from __future__ import annotations

import math
from dataclasses import replace

from planner.catalogue import Catalogue, host_kind_for
from planner.errors import InvalidScenario, MissingData
from planner.placement import Fleet, Host, geometry
from planner.scenario import HostGroup, Scenario
from planner.units import GIB, KB

RESERVED = {"plain": (0.03, 0.03)}
"""Share of cores and of memory that the host's own software keeps without a hypervisor [fraction];
assumed."""
HYPERVISOR = (0.10, 0.06)
"""The same under a hyperconverged platform, with its storage and kernel: a tenth of the cores is
what planners usually keep for vSAN; assumed, as is the share of memory [fraction]."""
MOST_HOSTS = 512
"""Of all groups together; each is looked at for each piece."""


def fleet_of(scenario: Scenario, catalogue: Catalogue) -> Fleet:
    """The hosts that a scenario's portfolio is placed on.

    Parameters
    ----------
    scenario : Scenario
    catalogue : Catalogue

    Returns
    -------
    Fleet

    Raises
    ------
    InvalidScenario
        A GPU cannot be carved as a row asks, or there are more than :data:`MOST_HOSTS` hosts.
    MissingData
        A GPU is not in the catalogue, or racks have a limit and its power is not known.

    >>> from planner.catalogue import load_catalogue
    >>> fleet = fleet_of(Scenario(), load_catalogue())
    >>> len(fleet.hosts), fleet.gpus, fleet.hosts[0].id
    (2, 16, 'host-1')
    """
    asked = scenario.portfolio
    count = sum(group.count for group in host_groups(scenario))
    if count > MOST_HOSTS:
        raise InvalidScenario(
            f"portfolio.hosts: the groups have {count:,} hosts together, and at most "
            f"{MOST_HOSTS:,} can be planned as one fleet; give fewer, such as one site's.",
            field="portfolio.hosts",
        )
    hosts: list[Host] = []
    for row, group in enumerate(host_groups(scenario)):
        first = _host(scenario, catalogue, group, row)
        hosts += [replace(first, id=f"{group.name}-{n + 1}") for n in range(group.count)]
    if asked.rack_kw <= 0.0:
        return Fleet(tuple(hosts), (), asked.licensed_gpus)
    hosts = [
        replace(host, rack=f"rack {at // asked.hosts_per_rack + 1}")
        for at, host in enumerate(hosts)
    ]
    racks = tuple(dict.fromkeys(host.rack for host in hosts))
    return Fleet(
        tuple(hosts), tuple((rack, asked.rack_kw * KB) for rack in racks), asked.licensed_gpus
    )


def host_groups(scenario: Scenario) -> tuple[HostGroup, ...]:
    """The rows of hosts, or the scenario's hosts at hand where there are none.

    Parameters
    ----------
    scenario : Scenario

    Returns
    -------
    tuple of HostGroup

    >>> [group.count for group in host_groups(Scenario())]
    [2]
    """
    deployment = scenario.deployment
    return scenario.portfolio.hosts or (
        HostGroup(name="host", gpus=deployment.gpus_per_host, count=deployment.hosts),
    )


def _host(scenario: Scenario, catalogue: Catalogue, group: HostGroup, row: int) -> Host:
    try:
        gpu = catalogue.accelerator(group.gpu or scenario.deployment.gpu)
        gpu.require("memory_usable_bytes")
        # Without a limit of power nothing depends on it, and not every GPU's is known.
        power_w = gpu.require("power_w") if scenario.portfolio.rack_kw > 0.0 else gpu.power_w
        divided = geometry(catalogue, gpu.id, group.carving)
        kind = host_kind_for(gpu, catalogue.host_kinds)
    except (InvalidScenario, MissingData) as error:
        # Asked of a table, the sentence says in which row.
        place = f"portfolio.hosts, row {row + 1}: "
        raise type(error)(f"{place}{error}", field="portfolio.hosts") from None
    kept_cores, kept_memory = RESERVED.get(scenario.site.platform, HYPERVISOR)
    cores = math.floor(group.cpu_cores * (1.0 - kept_cores)) * scenario.portfolio.cpu_overcommit
    # GPUs without NVLink reach each other over the host's PCIe.
    domain = group.nvlink_gpus or (
        group.gpus if gpu.nvlink_domain_gpus <= 1 else min(gpu.nvlink_domain_gpus, group.gpus)
    )
    return Host(
        id=group.name,
        geometry=divided,
        gpus=group.gpus,
        cpu_cores=cores,
        memory_bytes=group.memory_gib * GIB * (1.0 - kept_memory),
        kind=group.name,
        numa_nodes=math.gcd(group.numa_nodes, group.gpus),
        nvlink_gpus=min(domain, group.gpus),
        base_w=kind.full_w,
        gpu_w=power_w if math.isfinite(power_w) else 0.0,
    )
