"""Random portfolios: fleets and workloads as an organisation might have them, by seed.

A portfolio is two to eight hosts of one or two kinds and up to forty workloads of one to four
pieces. The kinds of GPU carving, the sizes, how full the fleet is asked to be (half of its GPUs up
to a fifth more than it has), affinities, racks with a limit of power and licences are all drawn
from the seed, so that the seed alone is the portfolio. Slices and where they may start are those
of an 80 GB H100 and a 48 GB L40S: MIG as nvidia-smi lists its placements, vGPU as the table of
placements in mixed-size mode in NVIDIA's vGPU User Guide lists them.
"""

from __future__ import annotations

import random
from dataclasses import replace

from planner.catalogue import SliceProfile
from planner.placement import Ask, Fleet, Geometry, Host, Piece

PORTFOLIOS = 200
GIB = 2**30

MIG_80 = {
    "1g.10gb": (1, 1, tuple(range(7))),
    "1g.20gb": (1, 2, (0, 2, 4, 6)),
    "2g.20gb": (2, 2, (0, 2, 4)),
    "3g.40gb": (3, 4, (0, 4)),
    "4g.40gb": (4, 4, (0,)),
    "7g.80gb": (7, 8, (0,)),
}
"""Compute slices, memory slots and starts."""
VGPU_80 = {
    4: (0, 6, 10, 16, 20, 26, 30, 36, 40, 46, 50, 56, 60, 66, 70, 76),
    5: tuple(range(0, 80, 5)),
    8: (0, 12, 20, 32, 40, 52, 60, 72),
    10: tuple(range(0, 80, 10)),
    16: (0, 24, 40, 64),
    20: (0, 20, 40, 60),
    40: (0, 40),
    80: (0,),
}
VGPU_48 = {
    4: (0, 8, 12, 20, 24, 32, 36, 44),
    6: tuple(range(0, 48, 6)),
    8: (0, 16, 24, 40),
    12: (0, 12, 24, 36),
    16: (0, 32),
    24: (0, 24),
    48: (0,),
}


def mig_geometry(name: str = "h100/mig") -> Geometry:
    """Seven compute slices over eight of memory."""
    profiles = [
        SliceProfile(profile, "mig", size * 10e9, size, starts, compute, 7)
        for profile, (compute, size, starts) in MIG_80.items()
    ]
    return _with_whole(name, "h100", "mig", 8, profiles)


def vgpu_geometry(name: str, table: dict[int, tuple[int, ...]], same_size: bool) -> Geometry:
    """Slices by memory alone, of one size or of several."""
    slots = max(table)
    profiles = [
        SliceProfile(f"{size}C", "vgpu", size * 1e9, size, starts, size, slots, slots // size)
        for size, starts in table.items()
    ]
    carving = "vgpu same size" if same_size else "vgpu mixed size"
    return replace(_with_whole(name, "gpu", carving, slots, profiles), same_size=same_size)


def whole_geometry(name: str = "h100/whole") -> Geometry:
    """GPUs that are not carved."""
    return _with_whole(name, "h100", "whole", 1, [])


def _with_whole(
    name: str, gpu: str, carving: str, slots: int, profiles: list[SliceProfile]
) -> Geometry:
    total = profiles[0].compute_total if profiles else 1
    whole = SliceProfile("whole", "whole", slots * 1e10, slots, (0,), total, total)
    return Geometry(name, gpu, carving, slots, (*profiles, whole))


GEOMETRIES = (
    mig_geometry(),
    vgpu_geometry("h100/same", VGPU_80, True),
    vgpu_geometry("h100/mixed", VGPU_80, False),
    vgpu_geometry("l40s/same", VGPU_48, True),
    vgpu_geometry("l40s/mixed", VGPU_48, False),
    whole_geometry(),
)
SHARES = (0.125, 0.25, 0.5, 1.0)
"""Sizes of slices that workloads ask for, in GPUs."""


def portfolio(seed: int) -> tuple[Fleet, tuple[Piece, ...]]:
    """The fleet and the pieces, most important workload first."""
    draw = random.Random(seed)
    kinds = _host_kinds(draw)
    hosts = [replace(draw.choice(kinds), id=f"host-{i}") for i in range(draw.randint(2, 8))]
    hosts = sorted(hosts, key=lambda host: kinds.index(replace(host, id="")))
    hosts = [replace(host, id=f"host-{i}") for i, host in enumerate(hosts)]
    rack_w: tuple[tuple[str, float], ...] = ()
    if draw.random() < 0.25:
        hosts = [replace(host, rack="AB"[i % 2]) for i, host in enumerate(hosts)]
        rack_w = tuple(
            (rack, draw.uniform(0.6, 1.0) * sum(_watts(h) for h in hosts if h.rack == rack))
            for rack in sorted({host.rack for host in hosts})
        )
    gpus = sum(host.gpus for host in hosts)
    licensed = draw.randint(gpus // 2, gpus) if draw.random() < 0.2 else None
    fleet = Fleet(tuple(hosts), rack_w, licensed)
    return fleet, _pieces(draw, kinds, gpus * draw.uniform(0.5, 1.2))


def _watts(host: Host) -> float:
    return host.base_w + host.gpus * host.gpu_w


def _host_kinds(draw: random.Random) -> list[Host]:
    kinds = []
    for geometry in draw.sample(GEOMETRIES, draw.choice((1, 1, 2))):
        gpus = draw.choice((2, 4, 4, 8, 8))
        kinds.append(
            Host(
                "",
                geometry,
                gpus,
                cpu_cores=draw.choice((12, 16, 24)) * gpus,
                memory_bytes=draw.choice((128, 192, 256)) * GIB * gpus,
                kind=f"kind-{len(kinds)}",
                numa_nodes=draw.choice((1, 2)),
                nvlink_gpus=draw.choice((1, 2, gpus, gpus)),
                base_w=draw.choice((800.0, 1500.0)),
                gpu_w=draw.choice((350.0, 700.0)),
            )
        )
    return kinds


def _pieces(draw: random.Random, kinds: list[Host], gpus: float) -> tuple[Piece, ...]:
    """Workloads until they ask for that many GPUs."""
    pieces: list[Piece] = []
    numa = draw.random() < 0.5
    for number in range(40):
        if gpus <= 0:
            break
        one, copies, share = _workload(draw, kinds, f"w{number}", numa)
        if number and draw.random() < 0.1:
            one = replace(one, avoids=frozenset({f"w{draw.randrange(number)}"}))
        gpus -= copies * share
        pieces += [replace(one, id=f"w{number}/{copy + 1}") for copy in range(copies)]
    return tuple(pieces)


def _workload(
    draw: random.Random, kinds: list[Host], name: str, numa: bool
) -> tuple[Piece, int, float]:
    """One piece, how many there are, and the GPUs of each."""
    group = draw.random() < 0.25
    share = float(draw.choice((1, 1, 2, 2, 4, 8))) if group else draw.choice(SHARES)
    able = [kind for kind in kinds if _ask(kind.geometry, share) and kind.nvlink_gpus >= share]
    if not able:
        share = 1.0
        able = kinds
    if len(able) > 1 and draw.random() < 0.4:
        able = [draw.choice(able)]
    asks = tuple(ask for kind in able if (ask := _ask(kind.geometry, share)))
    copies = draw.randint(1, 2 if share >= 4 else 4)
    wish = draw.random()
    return (
        Piece(
            "",
            name,
            asks,
            cpu_cores=max(1, round(draw.uniform(0.3, 1.3) * 14 * share)),
            memory_bytes=max(4, round(draw.uniform(0.3, 1.3) * 160 * share)) * GIB,
            numa=numa and draw.random() < 0.6,
            apart=wish < 0.15,
            together=f"{name}-together" if copies > 1 and wish > 0.95 else "",
            restarts=draw.random() < 0.8,
        ),
        copies,
        share,
    )


def _ask(geometry: Geometry, share: float) -> Ask | None:
    """The smallest slice that is at least this share of a GPU, or whole GPUs."""
    if share < 1.0:
        for profile in geometry.profiles[:-1]:
            if profile.size >= share * geometry.slots:
                return Ask(geometry.id, profile.name)
    return Ask(geometry.id, "whole", max(1, int(share)))
