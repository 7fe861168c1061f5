"""How one GPU may be divided under each carving."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from planner.catalogue import Accelerator, Basis, Catalogue, SliceProfile, Source
from planner.errors import InvalidScenario
from planner.placement.records import CARVINGS, Geometry

SHARE_SLOTS = 8
"""Slots into which a GPU without vendor's slices is divided on paper [1]."""
SHARES = (1, 2, 4)
"""Slots of an eighth, a quarter and a half of such a GPU [1]."""
MPS_CAPABILITY = 7.0
"""Least compute capability on which MPS gives each client an address space of its own."""
MPS_CLIENTS = 48
"""Processes that one MPS server serves at the same time [1]."""
MIXED_CAPABILITY = 8.0
"""Least compute capability on which vGPUs of several sizes share a GPU."""

SHARE_SOURCES = {
    "time slices": Source(
        "NVIDIA k8s-device-plugin, shared access to GPUs with CUDA time-slicing",
        "README: replicas have no memory limit and no fault isolation of their own",
        "2026-08",
        Basis.ASSUMED,
        "single facts quoted",
    ),
    "mps": Source(
        "NVIDIA Multi-Process Service documentation",
        "Volta MPS: 48 clients, limits of memory and threads, shared fault domain",
        "2025",
        Basis.ASSUMED,
        "single facts quoted",
    ),
}
"""Where the rules of shared GPUs are from; that shares are eighths is an assumption of ours."""


@lru_cache(maxsize=512)
def geometry(catalogue: Catalogue, gpu_id: str, carving: str, variants: bool = False) -> Geometry:
    r"""How one GPU may be divided: its slots, and the profiles that take some of them.

    .. math:: n_\mathrm{slots} = 8\ \text{(MIG)},\quad
       \lfloor M / \mathrm{GB} \rfloor\ \text{(vGPU)}

    MIG has eight slots of memory (four on small boards) and seven (four) of compute. vGPUs are
    counted in GB of the type's name, as NVIDIA's placement ids are. Time slices and MPS have
    eight equal shares, which nothing but agreement enforces.

    Parameters
    ----------
    catalogue : Catalogue
    gpu_id : str
        Id or alias of the GPU.
    carving : str
        One of :data:`CARVINGS`.
    variants : bool
        Also the MIG profiles that differ from a plain one only in media or graphics engines.

    Returns
    -------
    Geometry
        Smallest profile first, ``whole`` last.

    Raises :class:`planner.errors.InvalidScenario` when the GPU cannot be carved so, with the
    ways in which it can.

    Source: NVIDIA MIG user guide and vGPU user guide, by way of the catalogue's rows; of shared
    GPUs :data:`SHARE_SOURCES`.

    >>> from planner.catalogue import load_catalogue
    >>> found = geometry(load_catalogue(), "h100-sxm-80gb", "mig")
    >>> found.slots, [one.name for one in found.profiles]
    (8, ['1g.10gb', '1g.20gb', '2g.20gb', '3g.40gb', '4g.40gb', '7g.80gb', 'whole'])
    >>> geometry(load_catalogue(), "t4-16gb", "mig")
    Traceback (most recent call last):
        ...
    planner.errors.InvalidScenario: carving is 'mig' but T4 16GB has no MIG mode; ...
    """
    if carving not in CARVINGS:
        raise InvalidScenario(
            f"carving is {carving!r} but should be one of {', '.join(CARVINGS)}.", "carving"
        )
    gpu = catalogue.accelerator(gpu_id)
    refusal = _refusal(catalogue, gpu, carving)
    if refusal:
        others = ", ".join(carvings_of(catalogue, gpu.id))
        raise InvalidScenario(
            f"carving is {carving!r} but {gpu.name} {refusal}; choose one of: {others}.",
            "carving",
        )
    profiles = _profiles(catalogue, gpu, carving, variants)
    slots = profiles[0].slots if profiles else 1
    whole = _whole(gpu, slots, profiles[0].compute_total if profiles else 1)
    return Geometry(
        id=f"{gpu.id}/{carving}",
        gpu=gpu.id,
        carving=carving,
        slots=slots,
        profiles=(*profiles, whole),
        same_size=carving == "vgpu same size",
        most_slices=MPS_CLIENTS if carving == "mps" else 0,
    )


@lru_cache(maxsize=512)
def carvings_of(catalogue: Catalogue, gpu_id: str) -> tuple[str, ...]:
    """The ways in which one GPU can be carved.

    Parameters
    ----------
    catalogue : Catalogue
    gpu_id : str

    Returns
    -------
    tuple of str
        Some of :data:`CARVINGS`, at least one [1]: ``whole`` is always possible.

    Source: as of :func:`geometry`.

    >>> from planner.catalogue import load_catalogue
    >>> carvings_of(load_catalogue(), "t4-16gb")
    ('whole', 'vgpu same size', 'time slices', 'mps')
    """
    gpu = catalogue.accelerator(gpu_id)
    return tuple(one for one in CARVINGS if not _refusal(catalogue, gpu, one))


def _refusal(catalogue: Catalogue, gpu: Accelerator, carving: str) -> str:
    """Why a GPU cannot be carved so, as the end of a sentence; blank when it can."""
    vgpus = catalogue.slice_profiles(gpu.id, "vgpu")
    if carving == "mig" and not catalogue.slice_profiles(gpu.id, "mig"):
        return "has no MIG mode"
    if carving.startswith("vgpu") and not vgpus:
        return "has no vGPU types in the catalogue"
    if carving == "vgpu mixed size" and not any(one.starts for one in vgpus):
        if gpu.compute_capability < MIXED_CAPABILITY:
            return "has no mixed-size mode, which begins with the Ampere generation"
        return "has no published placements for vGPUs of mixed size in the catalogue"
    if carving in SHARE_SOURCES and gpu.vendor != "NVIDIA":
        return "is not an NVIDIA GPU, and for no other is this way of sharing known here"
    if carving == "mps" and not gpu.compute_capability >= MPS_CAPABILITY:
        return "is older than the Volta generation, with which MPS isolates addresses"
    return ""


def _profiles(
    catalogue: Catalogue, gpu: Accelerator, carving: str, variants: bool
) -> tuple[SliceProfile, ...]:
    if carving == "mig":
        found = catalogue.slice_profiles(gpu.id, "mig")
        return tuple(one for one in found if variants or not one.variant)
    vgpus = catalogue.slice_profiles(gpu.id, "vgpu")
    if carving == "vgpu same size":
        return tuple(
            replace(one, starts=tuple(range(0, one.most * one.size, one.size))) for one in vgpus
        )
    if carving == "vgpu mixed size":
        return tuple(replace(one, most=len(one.starts)) for one in vgpus if one.starts)
    if carving in SHARE_SOURCES:
        return tuple(_share(gpu, size, SHARE_SOURCES[carving]) for size in SHARES)
    return ()


def _share(gpu: Accelerator, size: int, source: Source) -> SliceProfile:
    most = SHARE_SLOTS // size
    return SliceProfile(
        name=f"1/{most}",
        kind="share",
        memory_bytes=gpu.require("memory_usable_bytes") * size / SHARE_SLOTS,
        size=size,
        starts=tuple(range(0, SHARE_SLOTS, size)),
        compute=size,
        compute_total=SHARE_SLOTS,
        most=most,
        source=source,
        slots=SHARE_SLOTS,
        memory_basis=Basis.ASSUMED,
    )


def _whole(gpu: Accelerator, slots: int, compute: int) -> SliceProfile:
    return SliceProfile(
        name="whole",
        kind="whole",
        memory_bytes=gpu.require("memory_usable_bytes"),
        size=slots,
        starts=(0,),
        compute=compute,
        compute_total=compute,
        most=1,
        source=gpu.usable_source,
        slots=slots,
        memory_basis=gpu.usable_source.basis,
    )
