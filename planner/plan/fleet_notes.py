"""What the carving and the hypervisor of each group of hosts give and forbid, with the source."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from planner.catalogue import Catalogue, Source
from planner.placement import Fleet
from planner.scenario import Scenario

HYPERVISORS = ("vcf", "vvf")
"""Platforms whose hosts run vSphere."""
BY_CARVING = {
    "mig": ("vsphere-mig-reboot", "vsphere-time-sliced-mig", "paif-mig-nim"),
    "vgpu same size": ("vsphere-same-size", "vsphere-vgpus-per-vm", "multi-vgpu-board"),
    "vgpu mixed size": ("vsphere-mixed-size", "mixed-size-counts", "vsphere-vgpus-per-vm"),
    "whole": ("vsphere-passthrough-per-vm", "passthrough-licence"),
}
"""Limits of the hypervisor that bear on each way of carving; those about a GPU come on top."""
BY_GPU = ("hgx-blackwell-vsphere", "rtx-pro-6000-vsphere")
FORBIDS = {
    "live_migration": ("Live migration", "Running VMs cannot move to another host."),
    "ha_restart": ("Restart", "Nothing restarts elsewhere by itself after the loss of a host."),
    "fault_isolation": ("Faults", "A fault in one workload ends its neighbours on the GPU."),
    "multi_gpu": ("Groups", "Slices cannot work together as one group; whole GPUs can."),
}
"""Facts about a carving that are worth a warning where they are false."""
PRIVATE_AI_HOSTS = "paif-hosts"


@dataclass(frozen=True, slots=True)
class FleetNote:
    """A rule that bears on one group of hosts."""

    group: str
    """Name of the group; empty for the whole fleet."""
    topic: str
    text: str
    source: Source


def fleet_notes(scenario: Scenario, catalogue: Catalogue, fleet: Fleet) -> tuple[FleetNote, ...]:
    """What to know of each group of hosts before anything is ordered or carved.

    Parameters
    ----------
    scenario : Scenario
    catalogue : Catalogue
    fleet : Fleet

    Returns
    -------
    tuple of FleetNote

    >>> from planner.catalogue import load_catalogue
    >>> from planner.plan.fleet_hosts import fleet_of
    >>> c, s = load_catalogue(), Scenario()
    >>> sorted({note.topic for note in fleet_notes(s, c, fleet_of(s, c))})[0]
    'How it is carved'
    """
    return tuple(_notes(scenario, catalogue, fleet))


def _notes(scenario: Scenario, catalogue: Catalogue, fleet: Fleet) -> Iterator[FleetNote]:
    kinds = {host.kind: host.geometry for host in fleet.hosts}
    for group, divided in kinds.items():
        facts = catalogue.carvings[divided.carving]
        yield FleetNote(group, "How it is carved", facts.policy, facts.sources["policy"])
        for fact, words in (
            ("live_migration", "Running VMs cannot move to another host."),
            ("ha_restart", "Nothing restarts elsewhere by itself after the loss of a host."),
            ("fault_isolation", "A fault in one workload ends its neighbours on the GPU."),
            ("multi_gpu", "Slices cannot work together as one group; whole GPUs can."),
        ):
            if not getattr(facts, fact):
                note = facts.notes.get(fact, "")
                text = (
                    f"{words} {note[:1].upper()}{note[1:]}.".removesuffix(" .") if note else words
                )
                yield FleetNote(group, fact.replace("_", " "), text, facts.sources[fact])
        if scenario.site.platform in HYPERVISORS:
            yield from _limits(catalogue, group, divided.gpu, divided.carving)
    if scenario.site.platform == "vcf" and 0 < len(fleet.hosts):
        limit = catalogue.hypervisor_limits[PRIVATE_AI_HOSTS]
        if len(fleet.hosts) < limit.value:
            text = (
                f"{limit.topic}: {limit.value:.0f} at least, and this fleet has {len(fleet.hosts)}."
            )
            yield FleetNote("", limit.version, text, limit.source)


def _limits(catalogue: Catalogue, group: str, gpu: str, carving: str) -> Iterator[FleetNote]:
    for name in (*BY_CARVING.get(carving, ()), *BY_GPU):
        limit = catalogue.hypervisor_limits[name]
        if limit.about(gpu):
            number = f" ({limit.value:.0f})" if math.isfinite(limit.value) else ""
            rule = limit.rule[:1].upper() + limit.rule[1:]
            yield FleetNote(group, limit.topic, f"{limit.version}: {rule}{number}.", limit.source)
