"""A placement as a PowerCLI script: the hosts' graphics settings, the VMs' devices, DRS rules."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping

from planner.placement import Geometry, Host, Placement, Seat
from planner.report.device_plugin import NVIDIA, gpu_resource
from planner.report.powercli_functions import FUNCTIONS
from planner.report.quoting import comment_lines, dns_names, one_line, powershell_string
from planner.units import MIB, gib

VSPHERE = ("whole", "mig", "vgpu same size", "vgpu mixed size")
"""Carvings that vSphere can give to VMs."""
MODES = {"vgpu same size": "sameSize", "vgpu mixed size": "mixedSize"}
"""vSphere's names of the vGPU modes, since 8.0 Update 3."""
SPREAD = "spread"
"""The policy of placement that takes the emptiest GPU first."""
MOST_NAMES = 20
"""Pieces that a comment names before it only counts [1]."""
MEMORY_STEP_MIB = 4
"""A VM's memory is a multiple of this [MiB]."""


def powercli_script(placement: Placement, title: str = "") -> str:
    """What a VMware administrator would run to build the placement.

    Each piece becomes a VM with its memory reserved in full. A slice becomes a vGPU of the type
    that the catalogue names; whole GPUs are attached by dynamic DirectPath I/O.

    Parameters
    ----------
    placement : Placement
    title : str
        Of the plan.

    Returns
    -------
    str
        Empty when nothing is placed that vSphere can give.

    Source: Broadcom, vSphere Web Services API 8.0.3 (HostGraphicsConfig,
    VirtualPCIPassthroughVmiopBackingInfo, VirtualPCIPassthroughDynamicBackingInfo) and VCF
    PowerCLI Reference.

    >>> from planner.placement import Fleet
    >>> powercli_script(Placement(Fleet(()), (), (), "group"))
    ''
    """
    seats = [seat for seat in placement.seats if _device(placement, seat)]
    if not seats:
        return ""
    names, keys = vm_names(placement), host_keys(placement)
    parts = [
        comment_lines(_head(title, placement, seats)),
        FUNCTIONS,
        _settings(placement, seats),
        "".join(_hosts(placement, seats)),
        "".join(_vm(placement, seat, names, keys) for seat in seats),
        "".join(_rules(placement, seats, names)),
    ]
    return "\n".join(part for part in parts if part)


def vm_names(placement: Placement) -> dict[str, str]:
    """A VM name for each piece, without the characters that PowerCLI takes for wildcards.

    Parameters
    ----------
    placement : Placement

    Returns
    -------
    dict of str to str
        By the piece's id.

    Source: PowerShell documentation, about_Wildcards.

    >>> from planner.placement import Fleet, Piece
    >>> pieces = (Piece("chat/1", "chat", ()), Piece("*/1", "*", ()))
    >>> vm_names(Placement(Fleet(()), pieces, (), "group"))
    {'chat/1': 'chat-1', '*/1': 'vm-1'}
    """
    return dns_names((piece.id for piece in placement.pieces), "vm")


def host_keys(placement: Placement) -> dict[str, str]:
    """A word for each host, by which the script finds what vCenter calls it.

    Parameters
    ----------
    placement : Placement

    Returns
    -------
    dict of str to str
        By the host's id.

    Source: our own method; no publication.

    >>> from planner.placement import Fleet
    >>> host_keys(Placement(Fleet(()), (), (), "group"))
    {}
    """
    return dns_names((host.id for host in placement.fleet.hosts), "host")


def vgpu_type(name: str) -> str:
    """How vSphere writes a vGPU type, after the ``grid_`` or ``nvidia_`` of the driver.

    Parameters
    ----------
    name : str
        As NVIDIA's tables write it.

    Returns
    -------
    str

    Source: vSphere Web Services API, HostGraphicsManager.sharedPassthruGpuTypes, whose examples
    are ``grid_k120q`` and ``grid_k240q``.

    >>> vgpu_type("H100XM-20C"), vgpu_type("H100XM-3-40C"), vgpu_type("RTX 6000 Ada-48C")
    ('h100xm-20c', 'h100xm-3-40c', 'rtx6000-ada-48c')
    """
    return re.sub(r"[^a-z0-9.-]+", "-", re.sub(r"^rtx (?=\d)", "rtx", name.lower()))


def mmio_gib(geometry: Geometry, gpus: int) -> int:
    r"""Address space for devices that a VM needs, for ``pciPassthru.64bitMMIOSizeGB``.

    .. math:: A = 2^{\lfloor \log_2 (n\, 2^{\lceil \log_2 M \rceil}) \rfloor + 1}

    a GPU's largest window is its memory up to the next power of two; all windows together, up to
    the power of two above them.

    Parameters
    ----------
    geometry : Geometry
    gpus : int

    Returns
    -------
    int [GiB]

    Source: VMware, How to Enable NVIDIA V100 GPU in Passthrough Mode on vSphere (2018), which
    gives 64 for two GPUs of 16 GB; NVIDIA AI Enterprise, requirements for vGPUs on GPUs requiring
    64 GB or more of MMIO space.

    >>> from planner.catalogue import SliceProfile
    >>> v100 = SliceProfile("whole", "whole", 16e9, 1, (0,), 1, 1)
    >>> mmio_gib(Geometry("v100/whole", "v100", "whole", 1, (v100,)), 2)
    64
    """
    window = 2 ** math.ceil(math.log2(gib(geometry.whole.memory_bytes)))
    return 2 ** (math.floor(math.log2(gpus * window)) + 1)


def _device(placement: Placement, seat: Seat) -> str:
    """The seat's vGPU type as a word, ``whole`` for DirectPath, blank when vSphere has none."""
    geometry = placement.fleet.hosts[seat.host].geometry
    profile = geometry.by_name[seat.profile]
    if geometry.carving not in VSPHERE or gpu_resource(geometry.gpu) != NVIDIA:
        return ""
    if profile.kind == "whole":
        return "whole"
    return vgpu_type(profile.mig_profile if profile.kind == "mig" else profile.name)


def _settings(placement: Placement, seats: list[Seat]) -> str:
    hosts = dict.fromkeys(placement.fleet.hosts[at].id for at in sorted({s.host for s in seats}))
    keys = host_keys(placement)
    table = "".join(f"    '{keys[host]}' = {powershell_string(host)}\n" for host in hosts)
    return (
        comment_lines(
            [
                "Fill these in: the cluster, where new VMs come from and go to, and on the right",
                "of each line the name that vCenter knows the host by.",
            ]
        )
        + "$ClusterName = ''\n$TemplateName = ''\n$DatastoreName = ''\n"
        + f"$HostNames = @{{\n{table}}}\n"
        + "$Cluster = Get-One (Get-Cluster) $ClusterName\n"
    )


def _hosts(placement: Placement, seats: list[Seat]) -> Iterator[str]:
    """Graphics settings of the hosts that give vGPUs."""
    vgpu = {seat.host for seat in seats if _device(placement, seat) != "whole"}
    keys = host_keys(placement)
    policy = "performance" if placement.method == SPREAD else "consolidation"
    if vgpu:
        yield comment_lines(
            [
                "Hosts that give slices. Each must be empty of VMs; a restart of Xorg or of the",
                "host may be needed before the settings count.",
            ]
        )
    for at in sorted(vgpu):
        host = placement.fleet.hosts[at]
        mode = MODES.get(host.geometry.carving, "")
        yield (
            f"Set-PlannedGraphics -HostName '{keys[host.id]}' -Policy '{policy}' -Mode '{mode}'\n"
        )
        if host.geometry.carving == "mig":
            gpus = sorted({gpu for s in seats for gpu in s.gpus if s.host == at and _sliced(s)})
            yield comment_lines(
                [
                    f"  {host.id}: in the ESXi shell first, for each of these GPUs, and restart: "
                    f"nvidia-smi -i {','.join(map(str, gpus))} -mig 1"
                ]
            )


def _sliced(seat: Seat) -> bool:
    return seat.profile != "whole"


def _vm(placement: Placement, seat: Seat, names: Mapping[str, str], keys: Mapping[str, str]) -> str:
    host: Host = placement.fleet.hosts[seat.host]
    piece = placement.pieces[seat.piece]
    device = _device(placement, seat)
    # A group of full-size vGPUs is several devices of one VM, as DirectPath devices are.
    types = ", ".join([powershell_string(device)] * len(seat.gpus))
    gpus = f"-WholeGpus {len(seat.gpus)}" if device == "whole" else f"-Vgpu @({types})"
    memory_mib = int(piece.memory_bytes // (MEMORY_STEP_MIB * MIB)) * MEMORY_STEP_MIB
    return (
        comment_lines([f"{piece.id}: {seat.profile} on {host.id}, GPU {_indices(seat)}"])
        + f"Set-PlannedVM -Name {powershell_string(names[piece.id])}"
        + f" -HostName '{keys[host.id]}'"
        + f" -Cores {max(1, math.ceil(piece.cpu_cores))} -MemoryMiB {memory_mib}"
        + f" {gpus} -MmioGiB {mmio_gib(host.geometry, len(seat.gpus))}\n"
    )


def _indices(seat: Seat) -> str:
    return ", ".join(map(str, seat.gpus))


def _rules(placement: Placement, seats: list[Seat], names: Mapping[str, str]) -> Iterator[str]:
    """The wishes of the pieces as DRS rules."""
    rules: dict[tuple[str, bool], list[str]] = {}
    alone: dict[str, list[Seat]] = {}
    for seat in seats:
        piece = placement.pieces[seat.piece]
        if piece.apart:
            rules.setdefault((f"apart {piece.workload}", False), []).append(names[piece.id])
        if piece.together:
            rules.setdefault((f"together {piece.together}", True), []).append(names[piece.id])
        if piece.avoids:
            alone.setdefault(piece.workload, []).append(seat)
    titles = dns_names((name for name, _ in rules), "rule")
    keys = host_keys(placement)
    for (name, together), vms in rules.items():
        if len(vms) > 1:
            yield (
                f"Add-PlannedRule -Name '{titles[name]}' -Together ${str(together).lower()}"
                f" -VMNames @({_quoted(vms)})\n"
            )
    for workload, title in dns_names(alone, "workload").items():
        own = [names[placement.pieces[seat.piece].id] for seat in alone[workload]]
        hosts = dict.fromkeys(keys[placement.fleet.hosts[s.host].id] for s in alone[workload])
        avoided = frozenset().union(
            *(placement.pieces[seat.piece].avoids for seat in alone[workload])
        )
        others = [
            names[placement.pieces[seat.piece].id]
            for seat in seats
            if placement.pieces[seat.piece].workload in avoided
        ]
        yield (
            f"Add-PlannedHosts -Name '{title}' -HostNames @({_quoted(hosts)})"
            f" -VMNames @({_quoted(own)}) -OtherVMNames @({_quoted(others)})\n"
        )


def _quoted(texts: Iterable[str]) -> str:
    return ", ".join(powershell_string(text) for text in texts)


def _head(title: str, placement: Placement, seats: list[Seat]) -> list[str]:
    shown = {seat.piece for seat in seats}
    other = [piece.id for at, piece in enumerate(placement.pieces) if at not in shown]
    lines = [
        f"VMs, vGPUs and rules of the plan {one_line(title)!r}, for VMware PowerCLI.",
        "Read it before you run it. It has not been run on any vCenter: try it on one VM first.",
        "Check first: that you are connected (Connect-VIServer); that the hosts have the NVIDIA",
        "vGPU manager and vSphere 8.0 Update 3 or later (modes of mixed size need it); that VMs",
        "boot by EFI; that GPUs given whole are set to passthrough, and the others are not; that",
        "`Config.SharedPassthruGpuTypes` of each host lists the types below.",
        "DRS and the assignment policy choose the GPU; the numbers of GPUs are the plan's.",
        "VMs that exist must be off; one that has a PCI device already is left as it is.",
    ]
    if other:
        more = f" and {len(other) - MOST_NAMES} more" if len(other) > MOST_NAMES else ""
        names = ", ".join(other[:MOST_NAMES])
        lines.append(f"Not here, because they have no place or are not for VMs: {names}{more}.")
    return lines
