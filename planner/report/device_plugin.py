"""How the NVIDIA device plugin shares GPUs between containers, for hosts that do so."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from planner.placement import Placement
from planner.report.quoting import one_line, yaml_text

STRATEGIES = {"time slices": "time-slicing", "mps": "mps"}
"""Carvings that the device plugin does, and what it calls them in its labels."""
SECTIONS = {"time slices": "timeSlicing", "mps": "mps"}
SHARED_RESOURCE = "nvidia.com/gpu.shared"
"""A share under its own name, so that nobody takes it for a whole GPU."""
NVIDIA = "nvidia.com/gpu"
OTHER_MAKERS = {
    "mi": "amd.com/gpu",
    "gaudi": "habana.ai/gaudi",
    "tpu": "google.com/tpu",
    "trainium": "aws.amazon.com/neuron",
    "inferentia": "aws.amazon.com/neuron",
    "ascend": "",
    "mtt": "",
    "apple": "",
}
"""How ids of accelerators of other makers begin, and their resource; blank where it depends on the
model or there is none."""


def gpu_resource(gpu: str) -> str:
    """What Kubernetes calls a whole accelerator.

    Parameters
    ----------
    gpu : str
        Accelerator id.

    Returns
    -------
    str
        Blank when no resource of that maker is known here.

    Source: Kubernetes documentation, Schedule GPUs, and each maker's device plugin.

    >>> gpu_resource("h100-sxm-80gb"), gpu_resource("mi300x-192gb"), gpu_resource("apple-m1")
    ('nvidia.com/gpu', 'amd.com/gpu', '')
    """
    for start, resource in OTHER_MAKERS.items():
        if gpu.startswith(start):
            return resource
    return NVIDIA


def sharing_files(placement: Placement) -> Iterator[tuple[list[str], dict[str, Any]]]:
    """The ConfigMap of the device plugin with one entry for each way in which hosts share.

    The plugin divides all GPUs of a node evenly. Where a plan mixes sizes on a host, time slices
    take the number for the smallest, since nothing limits their memory, and MPS that for the
    largest, since it limits memory to an equal part.

    Parameters
    ----------
    placement : Placement

    Returns
    -------
    iterator of tuple
        Lines that go above, and the object; one or none.

    Source: NVIDIA/k8s-device-plugin, README, Shared Access to GPUs, and api/config/v1.

    >>> from planner.placement import Fleet
    >>> list(sharing_files(Placement(Fleet(()), (), (), "group")))
    []
    """
    hosts: dict[str, list[int]] = {}
    for at in sorted(placement.hosts_used):
        if placement.fleet.hosts[at].geometry.carving in STRATEGIES:
            name = _config_name(placement, at)
            if name:
                hosts.setdefault(name, []).append(at)
    if not hosts:
        return
    notes = [
        "How the device plugin shares GPUs. Give its Helm chart config.name=planned-gpu-sharing,",
        "in the plugin's own namespace, and label each node:",
    ]
    for name, users in hosts.items():
        for at in users:
            node = shlex.quote(f"node/{one_line(placement.fleet.hosts[at].id)}")
            label = f"nvidia.com/device-plugin.config={name}"
            notes += [f"kubectl label --overwrite {node} {label}", *_warnings(placement, at)]
    data = {
        name: yaml_text(_config(placement, users[0], int(name.rsplit("-", 1)[1])))
        for name, users in hosts.items()
    }
    yield (
        notes,
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "planned-gpu-sharing"},
            "data": data,
        },
    )


def _sizes(placement: Placement, host: int) -> list[int]:
    """Slots of the shares that sit on a host, smallest first."""
    geometry = placement.fleet.hosts[host].geometry
    return sorted(
        geometry.by_name[seat.profile].size
        for seat in placement.seats
        if seat.host == host and seat.profile != geometry.whole.name
    )


def _config_name(placement: Placement, host: int) -> str:
    geometry = placement.fleet.hosts[host].geometry
    sizes = _sizes(placement, host)
    if not sizes:
        return ""
    size = sizes[-1] if geometry.carving == "mps" else sizes[0]
    return f"{STRATEGIES[geometry.carving]}-{geometry.slots // size}"


def _config(placement: Placement, host: int, replicas: int) -> dict[str, Any]:
    section = SECTIONS[placement.fleet.hosts[host].geometry.carving]
    resources = [{"name": NVIDIA, "replicas": replicas}]
    sharing: dict[str, Any] = {"renameByDefault": True, "resources": resources}
    if section == "timeSlicing":
        sharing = {
            "renameByDefault": True,
            "failRequestsGreaterThanOne": True,
            "resources": resources,
        }
    return {"version": "v1", "sharing": {section: sharing}}


def _warnings(placement: Placement, host: int) -> Iterator[str]:
    one = placement.fleet.hosts[host]
    sizes = set(_sizes(placement, host))
    if len(sizes) > 1 and one.geometry.carving == "mps":
        yield (
            f"  {one.id} has shares of several sizes in the plan; MPS divides evenly, so some "
            "pieces may find no share."
        )
    elif len(sizes) > 1:
        yield (
            f"  {one.id} has shares of several sizes in the plan; the plugin counts them alike, "
            "so more may meet on one GPU than planned."
        )
    whole = one.geometry.whole.name
    if any(seat.host == host and seat.profile == whole for seat in placement.seats):
        yield (
            f"  {one.id} also gives whole GPUs in the plan, which the plugin cannot do on a node "
            "that shares; put those pieces on a node that does not."
        )
