"""The MIG layouts of a placement, as the file that nvidia-mig-parted applies to hosts."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from typing import Any

from planner.placement import Geometry, Placement
from planner.report.quoting import comment_lines, one_line, yaml_text

Layout = tuple[tuple[tuple[str, int], ...], ...]
"""For each GPU of a host, its MIG profiles and how many of each."""


def mig_parted_yaml(placement: Placement, title: str = "") -> str:
    """Each distinct layout of the hosts whose GPUs are carved by MIG.

    GPUs that are given whole, and empty ones, have MIG off.

    Parameters
    ----------
    placement : Placement
    title : str
        Of the plan.

    Returns
    -------
    str
        Empty when no MIG slice is placed.

    Source: NVIDIA/mig-parted, README and api/spec/v1/spec.go; NVIDIA GPU Operator with MIG, for
    the label of nodes.

    >>> from planner.placement import Fleet
    >>> mig_parted_yaml(Placement(Fleet(()), (), (), "group"))
    ''
    """
    hosts = mig_layouts(placement)
    if not any(gpu for layout in hosts.values() for gpu in layout):
        return ""
    named = {layout: f"planned-{n}" for n, layout in enumerate(dict.fromkeys(hosts.values()), 1)}
    configs = {name: _config(layout) for layout, name in named.items()}
    notes = []
    for layout, name in named.items():
        users = [placement.fleet.hosts[at].id for at, one in hosts.items() if one == layout]
        notes.append(f"{name} is for {len(users)} of the hosts:")
        notes += [f"  {_label_command(user, name)}" for user in users]
    return (
        comment_lines([*_head(title), "", *notes])
        + "\n"
        + yaml_text({"version": "v1", "mig-configs": configs})
    )


def mig_layouts(placement: Placement) -> dict[int, Layout]:
    """What each host in use with MIG geometry must be carved into.

    Parameters
    ----------
    placement : Placement

    Returns
    -------
    dict of int to tuple
        By index of the host: for each GPU, pairs of profile and count; none for MIG off.

    Source: the seats of the placement.

    >>> from planner.placement import Fleet
    >>> mig_layouts(Placement(Fleet(()), (), (), "group"))
    {}
    """
    made: dict[int, list[Counter[str]]] = {}
    for seat in placement.seats:
        host = placement.fleet.hosts[seat.host]
        if host.geometry.carving != "mig":
            continue
        gpus = made.setdefault(seat.host, [Counter() for _ in range(host.gpus)])
        if seat.profile != host.geometry.whole.name:
            for gpu in seat.gpus:
                gpus[gpu][seat.profile] += 1
    return {
        at: tuple(_largest_first(gpu, placement.fleet.hosts[at].geometry) for gpu in gpus)
        for at, gpus in sorted(made.items())
    }


def mig_resource(profile: str) -> str:
    """What Kubernetes calls a MIG profile under the mixed strategy.

    Parameters
    ----------
    profile : str

    Returns
    -------
    str

    Source: NVIDIA/k8s-device-plugin, README, MIG_STRATEGY; internal naming replaces ``+`` by
    a dot.

    >>> mig_resource("3g.40gb"), mig_resource("1g.10gb+me")
    ('nvidia.com/mig-3g.40gb', 'nvidia.com/mig-1g.10gb.me')
    """
    return "nvidia.com/mig-" + re.sub(r"[^A-Za-z0-9.-]", ".", profile)


def _largest_first(gpu: Counter[str], geometry: Geometry) -> tuple[tuple[str, int], ...]:
    sizes = {name: (-one.size, -one.compute, name) for name, one in geometry.by_name.items()}
    return tuple(sorted(gpu.items(), key=lambda pair: sizes[pair[0]]))


def _config(layout: Layout) -> list[dict[str, Any]]:
    """GPUs with the same slices share an entry."""
    entries = []
    for slices in dict.fromkeys(layout):
        devices = [at for at, one in enumerate(layout) if one == slices]
        entry: dict[str, Any] = {"devices": devices, "mig-enabled": bool(slices)}
        if slices:
            entry["mig-devices"] = dict(slices)
        entries.append(entry)
    return entries


def _label_command(host: str, name: str) -> str:
    node = shlex.quote(f"node/{one_line(host)}")
    return f"kubectl label --overwrite {node} nvidia.com/mig.config={name}"


def _head(title: str) -> list[str]:
    return [
        f"MIG layouts of the plan {one_line(title)!r}, for nvidia-mig-parted or the GPU Operator's",
        "MIG manager. Read it before you run it: changing a layout ends what runs on that GPU.",
        "Without Kubernetes: nvidia-mig-parted apply -f THIS-FILE -c CONFIG, on the host.",
        "With the GPU Operator: put this text into the ConfigMap of the MIG manager, set the",
        "strategy to mixed, and label each node as below.",
        "Check first that each node has the name of the host in the plan and as many GPUs, and",
        "that `nvidia-smi mig -lgip` lists these profiles. The driver chooses the start of each",
        "slice; the counts are the plan's. GPUs that are empty or given whole have MIG off.",
    ]
