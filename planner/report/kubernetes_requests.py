"""A placement as Kubernetes objects: what each workload requests, and whom it sits beside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from planner.placement import Piece, Placement, Seat
from planner.placement.refusal import WORDS
from planner.report.device_plugin import (
    NVIDIA,
    SHARED_RESOURCE,
    STRATEGIES,
    gpu_resource,
    sharing_files,
)
from planner.report.mig_config import mig_resource
from planner.report.quoting import comment_lines, dns_names, one_line, yaml_text
from planner.scenario.portfolio_rows import FleetWorkload
from planner.units import MIB, plural

IMAGE = "registry.example/change-me:tag"
"""Stands where the file cannot know the image."""
QUEUE = "gpu-jobs"
"""Name of the Kueue LocalQueue that gangs wait in, to be changed to the cluster's own."""
HOSTNAME = "kubernetes.io/hostname"
PRIORITIES = {"high": 100_000, "normal": 10_000, "low": 1_000}
KINDS = {"serving": "Deployment", "notebooks": "StatefulSet", "batch": "Job", "training": "Job"}
API = {"Deployment": "apps/v1", "StatefulSet": "apps/v1", "Job": "batch/v1"}
GPU_PRODUCTS = {
    "t4-16gb": "Tesla-T4",
    "v100-pcie-16gb": "Tesla-V100-PCIE-16GB",
    "v100-sxm-32gb": "Tesla-V100-SXM2-32GB",
    "a10-24gb": "NVIDIA-A10",
    "a10g-24gb": "NVIDIA-A10G",
    "a30-24gb": "NVIDIA-A30",
    "a40-48gb": "NVIDIA-A40",
    "a100-sxm-40gb": "NVIDIA-A100-SXM4-40GB",
    "a100-sxm-80gb": "NVIDIA-A100-SXM4-80GB",
    "a100-pcie-40gb": "NVIDIA-A100-PCIE-40GB",
    "a100-pcie-80gb": "NVIDIA-A100-80GB-PCIe",
    "l4-24gb": "NVIDIA-L4",
    "l40-48gb": "NVIDIA-L40",
    "l40s-48gb": "NVIDIA-L40S",
    "h100-pcie-80gb": "NVIDIA-H100-PCIe",
    "h100-sxm-80gb": "NVIDIA-H100-80GB-HBM3",
    "h100-nvl-94gb": "NVIDIA-H100-NVL",
    "h200-sxm-141gb": "NVIDIA-H200",
    "b200-sxm-180gb": "NVIDIA-B200",
    "b300-sxm-288gb": "NVIDIA-B300-SXM6-AC",
    "gb200": "NVIDIA-GB200",
    "gb300": "NVIDIA-GB300",
}
"""Values of the label ``nvidia.com/gpu.product`` as nodes in public clusters carry them: the
driver's product name with dashes. A GPU that is not here gets no selector."""


@dataclass(frozen=True)
class _Group:
    """Pieces of one workload that request the same."""

    workload: str
    pieces: tuple[int, ...]
    resource: str
    count: int
    selector: tuple[tuple[str, str], ...]


def kubernetes_yaml(
    placement: Placement, title: str = "", rows: Sequence[FleetWorkload] = ()
) -> str:
    """One object for each workload that can run in containers on the hosts themselves.

    Services are Deployments, notebooks StatefulSets, the rest Jobs. Requests equal limits, so
    that pods are of class Guaranteed, as the plan reserves cores and memory in full. Slices of
    vGPU hosts are left to the script for vSphere.

    Parameters
    ----------
    placement : Placement
    title : str
        Of the plan.
    rows : sequence of FleetWorkload
        What the workloads are, and their priority.

    Returns
    -------
    str
        Empty when nothing is placed that applies.

    Source: Kubernetes documentation (Resource Management for Pods, Assigning Pods to Nodes, Pod
    Priority); NVIDIA/k8s-device-plugin, README; Kueue documentation, Run A Kubernetes Job.

    >>> from planner.placement import Fleet
    >>> kubernetes_yaml(Placement(Fleet(()), (), (), "group"))
    ''
    """
    groups = _groups(placement)
    if not groups:
        return ""
    known = {row.name: row for row in rows}
    names = dns_names(piece.workload for piece in placement.pieces)
    # Two groups of one workload, on GPUs of two kinds, need two names.
    own = dns_names(_key(group, groups) for group in groups)
    priorities = {group.workload: _priority(placement, group, known) for group in groups}
    parts = [_part(_head(title, placement, groups), None)]
    parts += [_part([], one) for one in _priority_classes(set(priorities.values()))]
    parts += [_part(notes, one) for notes, one in sharing_files(placement)]
    for group in groups:
        document = _document(placement, group, names, own[_key(group, groups)], known)
        _pod_spec(document)["priorityClassName"] = priorities[group.workload]
        parts.append(_part(_notes(placement, group, groups), document))
    return "---\n".join(parts)


def _part(notes: Sequence[str], document: Any) -> str:
    return comment_lines(notes) + (yaml_text(document) if document is not None else "")


def _groups(placement: Placement) -> tuple[_Group, ...]:
    found: dict[tuple, list[int]] = {}
    for at, piece in enumerate(placement.pieces):
        seat = placement.seat_of.get(at)
        request = _request(placement, seat) if seat else None
        if request:
            found.setdefault((piece.workload, *request), []).append(at)
    return tuple(
        _Group(workload, tuple(pieces), *request) for (workload, *request), pieces in found.items()
    )


def _request(
    placement: Placement, seat: Seat
) -> tuple[str, int, tuple[tuple[str, str], ...]] | None:
    """Resource, how many of it, and labels that its node must have; None on a vGPU host."""
    geometry = placement.fleet.hosts[seat.host].geometry
    if geometry.carving.startswith("vgpu"):
        return None
    if geometry.carving in STRATEGIES and seat.profile != geometry.whole.name:
        label = "nvidia.com/gpu.sharing-strategy", STRATEGIES[geometry.carving]
        return SHARED_RESOURCE, 1, (label,)
    # Under the mixed strategy the label stays the GPU's name, which tells an H100's slice from an
    # A100's of the same size.
    product = GPU_PRODUCTS.get(geometry.gpu)
    labels = (("nvidia.com/gpu.product", product),) if product else ()
    if seat.profile != geometry.whole.name:
        return mig_resource(seat.profile), 1, labels
    resource = gpu_resource(geometry.gpu)
    return (resource, len(seat.gpus), labels) if resource else None


def _key(group: _Group, groups: Sequence[_Group]) -> str:
    same = [one for one in groups if one.workload == group.workload]
    # No name from a person can hold the zero byte, so no two keys are the same.
    return group.workload if same[0] is group else f"{group.workload}\0{same.index(group) + 1}"


def _priority(placement: Placement, group: _Group, known: Mapping[str, FleetWorkload]) -> str:
    row = known.get(group.workload)
    restarts = placement.pieces[group.pieces[0]].restarts
    word = row.priority if row else ("normal" if restarts else "low")
    return f"planned-{word}"


def _priority_classes(used: Collection[str]) -> Iterator[dict[str, Any]]:
    for word, value in PRIORITIES.items():
        if f"planned-{word}" in used:
            yield {
                "apiVersion": "scheduling.k8s.io/v1",
                "kind": "PriorityClass",
                "metadata": {"name": f"planned-{word}"},
                "value": value,
                "globalDefault": False,
                "preemptionPolicy": "Never" if word == "low" else "PreemptLowerPriority",
            }


def _document(
    placement: Placement,
    group: _Group,
    names: Mapping[str, str],
    own: str,
    known: Mapping[str, FleetWorkload],
) -> dict[str, Any]:
    piece = placement.pieces[group.pieces[0]]
    row = known.get(group.workload)
    kind = KINDS[row.shape] if row else "Deployment" if piece.restarts else "Job"
    labels = {"app": own, "workload": names[group.workload]}
    if piece.together:
        labels["together"] = _together(placement)[piece.together]
    metadata: dict[str, Any] = {"name": own, "labels": dict(labels)}
    if kind == "Job" and (group.count > 1 or (row and row.shape == "training")):
        metadata["labels"]["kueue.x-k8s.io/queue-name"] = QUEUE
    count = len(group.pieces)
    template = {"metadata": {"labels": labels}, "spec": _pod(group, piece, names, labels)}
    spec: dict[str, Any]
    if kind == "Job":
        template["spec"]["restartPolicy"] = "Never"
        spec = {"completions": count, "parallelism": count, "template": template}
    else:
        spec = {"replicas": count, "selector": {"matchLabels": {"app": own}}, "template": template}
    if kind == "StatefulSet":
        spec = {"serviceName": own, **spec}
    return {"apiVersion": API[kind], "kind": kind, "metadata": metadata, "spec": spec}


def _together(placement: Placement) -> dict[str, str]:
    words = (piece.together for piece in placement.pieces if piece.together)
    return dns_names(words, "group")


def _pod(
    group: _Group, piece: Piece, names: Mapping[str, str], labels: Mapping[str, str]
) -> dict[str, Any]:
    amounts = {
        "cpu": _cores(piece.cpu_cores),
        "memory": f"{int(piece.memory_bytes // MIB)}Mi",
        group.resource: group.count,
    }
    container = {
        "name": "main",
        "image": IMAGE,
        "resources": {"requests": dict(amounts), "limits": dict(amounts)},
    }
    pod: dict[str, Any] = {}
    if group.selector:
        pod["nodeSelector"] = dict(group.selector)
    affinity = _affinity(piece, names, labels)
    if affinity:
        pod["affinity"] = affinity
    taint = NVIDIA if group.resource.startswith("nvidia.com/") else group.resource
    pod["tolerations"] = [{"key": taint, "operator": "Exists", "effect": "NoSchedule"}]
    pod["containers"] = [container]
    return pod


def _affinity(piece: Piece, names: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, Any]:
    """Wishes as rules that the scheduler must keep, as the plan keeps them."""
    made: dict[str, Any] = {}
    avoided = [names[name] for name in sorted(piece.avoids) if name in names]
    apart = [labels["workload"]] if piece.apart else []
    if avoided or apart:
        made["podAntiAffinity"] = _required("workload", sorted({*avoided, *apart}))
    if piece.together:
        made["podAffinity"] = _required("together", [labels["together"]])
    return made


def _required(key: str, values: Sequence[str]) -> dict[str, Any]:
    expression = {"key": key, "operator": "In", "values": list(values)}
    term = {"labelSelector": {"matchExpressions": [expression]}, "topologyKey": HOSTNAME}
    return {"requiredDuringSchedulingIgnoredDuringExecution": [term]}


def _cores(cores: float) -> str:
    """Thousandths of a core where it is not a whole number."""
    milli = round(cores * 1000)
    return f"{milli}m" if milli % 1000 else str(milli // 1000)


def _pod_spec(document: Mapping[str, Any]) -> dict[str, Any]:
    return document["spec"]["template"]["spec"]


def _notes(placement: Placement, group: _Group, groups: Sequence[_Group]) -> list[str]:
    """Where the plan has the pieces, and what has no place."""
    seats = Counter(placement.fleet.hosts[placement.seat_of[at].host].id for at in group.pieces)
    where = ", ".join(f"{count} on {host}" for host, count in seats.items())
    notes = [f"{group.workload}: {plural(len(group.pieces), 'piece')}; in the plan {where}."]
    first = next(one for one in groups if one.workload == group.workload)
    limits = dict(placement.refusals)
    lost = [at for at in placement.unplaced if placement.pieces[at].workload == group.workload]
    if lost and first is group:
        limit = limits.get(lost[0], "")
        notes.append(f"Left out: {plural(len(lost), 'piece')}; {WORDS.get(limit, limit)}.")
    return notes


def _head(title: str, placement: Placement, groups: Sequence[_Group]) -> list[str]:
    shown = {group.workload for group in groups}
    other = [p.workload for p in placement.pieces if p.workload not in shown]
    lines = [
        f"What the workloads of the plan {one_line(title)!r} request of Kubernetes.",
        "Read it before you run it. Check first: the image of each container, which stands as",
        f"{IMAGE}; its command, ports, volumes and namespace; the",
        "taints of your GPU nodes; that the NVIDIA device plugin runs with the MIG strategy",
        "mixed; and that cores and memory leave room for the pods of the node itself.",
        "Rules about hosts count in one namespace only, so keep these objects in one.",
        f"Jobs that take several GPUs, and training, wait in the Kueue queue {QUEUE!r}: change",
        "the label to your own queue, or take it out where there is no Kueue.",
        "A StatefulSet needs a headless Service of its name.",
        "For one NUMA node per pod, set the kubelet's static CPU manager and topology manager.",
    ]
    if other:
        names = ", ".join(dict.fromkeys(other))
        lines.append(f"Not here, because they have no place or are not for containers: {names}.")
    return lines
