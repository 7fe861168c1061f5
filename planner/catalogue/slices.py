"""Slices of a GPU as vendors define them: MIG profiles, vGPU profiles, and where they may start.

Three tables: ``data/mig_profiles.csv``, ``data/vgpu_profiles.csv`` and
``data/vgpu_placements.csv``. What the ways of carving give is in
:mod:`planner.catalogue.carvings`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from planner.catalogue.carvings import CarvingTables
from planner.catalogue.records import Accelerator, Basis, Source
from planner.catalogue.tables import Row, read_rows
from planner.errors import InvalidScenario
from planner.units import MIB

KINDS_OF_SLICE = ("mig", "vgpu", "mig-backed vgpu")
"""What :meth:`SliceTables.slice_profiles` can list."""

TAX_BYTES = 148 * MIB
"""Frame buffer that every vGPU keeps for itself, whatever its size [byte]."""
TAX_FRACTION = 0.075
"""Frame buffer that a vGPU keeps for each byte of its size [fraction]."""
MEASURED_TYPES = ("A100-40C", "A100-10C")
"""vGPU types whose free memory was measured; the tax of all others is the line through them."""


@dataclass(frozen=True, slots=True)
class SliceProfile:
    """One way to take part of a GPU, or all of it.

    >>> SliceProfile("3g.40gb", "mig", 42e9, 4, (0, 4), 3, 7).compute_fraction
    0.42857142857142855
    """

    name: str
    """As the vendor writes it: ``3g.40gb``, ``H100XM-20C``; ``whole`` for a GPU that is not
    carved."""
    kind: str
    """``whole``, ``mig``, ``vgpu`` or ``share``."""
    memory_bytes: float
    """What a process in it may use, after the frame-buffer tax [byte]."""
    size: int
    """Slots of the GPU's memory that it takes [1]."""
    starts: tuple[int, ...]
    """Slots at which it may start when sizes are mixed."""
    compute: int
    """Compute slices of its own [1]; of slices that take turns, those it is left with while
    all others work."""
    compute_total: int
    """Compute slices of the GPU [1]."""
    most: int = 0
    """Largest number on one GPU when all are of this size [1]; 0 when memory alone decides."""
    mig_profile: str = ""
    """The MIG profile behind a MIG-backed vGPU, or the vGPU type of a MIG profile."""
    source: Source = field(default_factory=lambda: Source("unknown"))
    framebuffer_bytes: float = 0.0
    """Frame buffer on the vGPU's label, before the tax [byte]; 0 for others."""
    most_mixed: int = 0
    """Largest number on one GPU in mixed-size mode [1]; 0 when it has none."""
    slots: int = 0
    """Slots of memory that the GPU has where this profile is used [1]."""
    variant: str = ""
    """What else it has or lacks: ``media``, ``no media`` or ``graphics``; blank for a plain
    profile. Variants have the memory and the compute of the plain one."""
    memory_basis: Basis = Basis.DERIVED
    """How well the memory is known."""
    multiprocessor_fraction: float = math.nan
    """Share of the GPU's multiprocessors in it, which for MIG is less than its slices' [fraction];
    not-a-number when unknown."""

    @property
    def compute_fraction(self) -> float:
        """Share of the GPU's compute that it may use while all others work [fraction]."""
        if math.isfinite(self.multiprocessor_fraction):
            return self.multiprocessor_fraction
        return self.compute / self.compute_total


def read_mig_profiles(
    path: Path, accelerators: Mapping[str, Accelerator]
) -> dict[str, tuple[SliceProfile, ...]]:
    """MIG profiles by board, and by each of our GPUs that is such a board.

    A size whose memory no listing gives gets the lowest share of the driver's total that any
    listed board shows at that size; multiprocessors likewise. An H100's ``1g`` has 16 of 132
    multiprocessors, less than a seventh, because slices are whole processing clusters.

    Parameters
    ----------
    path : Path
        ``mig_profiles.csv``.
    accelerators : mapping of str to Accelerator

    Returns
    -------
    dict of str to tuple of SliceProfile
        Each board's smallest profile first.

    Source: each row's own; memory that is derived says so.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.catalogue.catalogue import find_data
    >>> found = read_mig_profiles(find_data() / "mig_profiles.csv", load_catalogue().accelerators)
    >>> [(one.name, one.starts) for one in found["h100-sxm-80gb"] if one.size == 4]
    [('3g.40gb', (0, 4)), ('4g.40gb', (0,))]
    """
    rows = read_rows(path)
    lowest = _lowest_shares(rows, accelerators)
    fewest = _fewest_multiprocessors(rows)
    found: dict[str, list[SliceProfile]] = defaultdict(list)
    for row in rows:
        one = _mig_profile(row)
        if math.isnan(one.multiprocessor_fraction):
            share = fewest[one.compute, one.compute_total]
            one = replace(one, multiprocessor_fraction=share)
        for gpu in row.names("gpus"):
            if gpu not in accelerators:
                raise row.fault("gpus", "ids of gpus.csv between semicolons")
            found[gpu].append(_with_memory(one, accelerators[gpu], lowest))
        found[row.required("board")].append(one)
    return {key: tuple(sorted(some, key=_by_size)) for key, some in found.items()}


def read_vgpu_profiles(
    path: Path, placements: Path, gpus: Mapping[str, Accelerator]
) -> dict[str, tuple[SliceProfile, ...]]:
    r"""vGPU types by board, and by our GPU where it is such a board.

    .. math:: M = F - (148\,\mathrm{MiB} + 0.075\,F)

    with :math:`F` the frame buffer of the type, or its share of what the driver shows of the GPU
    where that is less (error correction takes some of a board with GDDR): the line through two
    measurements, an A100-40C that shows its guest 37,739 MiB free of 40,959, and an A100-10C
    with 9,323 of 10,239.

    Parameters
    ----------
    path : Path
        ``vgpu_profiles.csv``.
    placements : Path
        ``vgpu_placements.csv``.
    gpus : mapping of str to Accelerator

    Returns
    -------
    dict of str to tuple of SliceProfile
        Each board's smallest type first; ``starts`` are those of mixed-size mode and empty
        where there is none.

    Source: each row's own.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.catalogue.catalogue import find_data
    >>> data = find_data()
    >>> found = read_vgpu_profiles(
    ...     data / "vgpu_profiles.csv", data / "vgpu_placements.csv", load_catalogue().accelerators
    ... )
    >>> {one.name: one.starts for one in found["L4"]}["L4-8C"]
    (0, 16)
    """
    starts = {
        (row.whole("board_gb"), row.text("board"), row.whole("size_gb")): _numbers(row, "starts")
        for row in read_rows(placements)
    }
    found: dict[str, list[SliceProfile]] = defaultdict(list)
    for row in read_rows(path):
        one = _vgpu_type(row, starts)
        gpu = row.text("gpu")
        if gpu and gpu not in gpus:
            raise row.fault("gpu", "an id of gpus.csv or blank")
        found[row.required("board")].append(one)
        if gpu:
            found[gpu].append(_after_tax(one, gpus[gpu]))
    return {key: tuple(sorted(some, key=_by_size)) for key, some in found.items()}


def framebuffer_tax_bytes(framebuffer_bytes: float) -> float:
    """Memory that a vGPU keeps from its guest.

    Formula: ``148 MiB + 0.075 * framebuffer``.

    Parameters
    ----------
    framebuffer_bytes : float [byte]
        What the vGPU type is named after.

    Returns
    -------
    float [byte]

    Source: the line through the free memory of an idle A100-40C (37,739 of 40,959 MiB) and an
    idle A100-10C (9,323 of 10,239 MiB) in public scrapes of guests.

    >>> round((40960 * MIB - framebuffer_tax_bytes(40960 * MIB)) / MIB)
    37740
    """
    return TAX_BYTES + TAX_FRACTION * framebuffer_bytes


def _numbers(row: Row, column: str) -> tuple[int, ...]:
    if not all(part.isdigit() for part in row.names(column)):
        raise row.fault(column, "whole numbers between semicolons")
    return tuple(int(part) for part in row.names(column))


def _by_size(one: SliceProfile) -> tuple:
    return one.size, one.compute, one.kind, one.variant, one.name


def _mig_profile(row: Row) -> SliceProfile:
    memory = row.number("memory_mib", MIB)
    return SliceProfile(
        name=row.required("profile"),
        kind="mig",
        memory_bytes=memory,
        size=row.whole("size"),
        starts=_numbers(row, "starts"),
        compute=row.whole("compute_slices"),
        compute_total=row.whole("compute_total"),
        most=row.whole("most"),
        source=row.source(),
        slots=row.whole("slots"),
        variant=row.text("variant"),
        multiprocessor_fraction=_multiprocessors(row),
        memory_basis=Basis.DERIVED if math.isnan(memory) else Basis.MEASURED,
    )


def _multiprocessors(row: Row) -> float:
    return row.number("multiprocessors") / row.number("multiprocessors_total")


def _fewest_multiprocessors(rows: list[Row]) -> dict[tuple[int, int], float]:
    """Lowest listed share of multiprocessors, by compute slices and those of the board."""
    fewest: dict[tuple[int, int], float] = {}
    for row in rows:
        key, share = (
            (row.whole("compute_slices"), row.whole("compute_total")),
            _multiprocessors(row),
        )
        if math.isfinite(share):
            fewest[key] = min(fewest.get(key, 1.0), share)
    return fewest


def _lowest_shares(
    rows: list[Row], accelerators: Mapping[str, Accelerator]
) -> dict[tuple[int, int], float]:
    """Lowest listed memory over the driver's total times size over slots, by size and slots."""
    lowest: dict[tuple[int, int], float] = {}
    for row in rows:
        one, gpu = _mig_profile(row), (*row.names("gpus"), "")[0]
        if gpu in accelerators and math.isfinite(one.memory_bytes):
            even = accelerators[gpu].memory_reported_bytes * one.size / one.slots
            key = one.size, one.slots
            lowest[key] = min(lowest.get(key, 1.0), one.memory_bytes / even)
    return lowest


def _with_memory(
    one: SliceProfile, gpu: Accelerator, lowest: Mapping[tuple[int, int], float]
) -> SliceProfile:
    memory = one.memory_bytes
    if math.isnan(memory):
        share = lowest[one.size, one.slots] * one.size / one.slots
        memory = share * gpu.memory_reported_bytes
    return replace(one, memory_bytes=_within(memory, gpu.memory_usable_bytes))


def _within(memory_bytes: float, limit_bytes: float) -> float:
    """No more than the limit, where that is known."""
    return min(memory_bytes, limit_bytes) if math.isfinite(limit_bytes) else memory_bytes


def _after_tax(one: SliceProfile, gpu: Accelerator) -> SliceProfile:
    """A vGPU type on a board of which the driver shows less than the name says."""
    share = gpu.memory_reported_bytes * one.size / one.slots
    buffer = _within(one.framebuffer_bytes, share)
    memory = _within(buffer - framebuffer_tax_bytes(buffer), gpu.memory_usable_bytes)
    return replace(one, memory_bytes=memory)


def _vgpu_type(row: Row, starts: Mapping[tuple[int, str, int], tuple[int, ...]]) -> SliceProfile:
    size, slots = row.whole("size_gb"), row.whole("board_gb")
    nominal = row.number("framebuffer_mib", MIB)
    name = row.required("vgpu_type")
    mixed = row.whole("most_mixed_size") if row.text("most_mixed_size") else 0
    own = starts.get((slots, row.text("board"), size), starts.get((slots, "", size), ()))
    # NVIDIA gives placements by frame buffer; a board with another count has others.
    placed = own if len(own) == mixed else ()
    return SliceProfile(
        name=name,
        kind="vgpu",
        memory_bytes=nominal - framebuffer_tax_bytes(nominal),
        framebuffer_bytes=nominal,
        size=size,
        starts=placed,
        compute=size,
        compute_total=slots,
        most=row.whole("most_same_size"),
        most_mixed=mixed,
        mig_profile=row.text("mig_profile"),
        source=row.source(),
        slots=slots,
        memory_basis=Basis.MEASURED if name in MEASURED_TYPES else Basis.DERIVED,
    )


class SliceTables(CarvingTables):
    """The part of the catalogue that says how GPUs are carved; read when first asked for."""

    folder: Path
    accelerators: Mapping[str, Accelerator]

    @cached_property
    def mig_profiles(self) -> Mapping[str, tuple[SliceProfile, ...]]:
        """MIG profiles by board and by GPU id."""
        return read_mig_profiles(self.folder / "mig_profiles.csv", self.accelerators)

    @cached_property
    def vgpu_profiles(self) -> Mapping[str, tuple[SliceProfile, ...]]:
        """vGPU types by board and by GPU id, time-sliced and MIG-backed."""
        return read_vgpu_profiles(
            self.folder / "vgpu_profiles.csv",
            self.folder / "vgpu_placements.csv",
            self.accelerators,
        )

    def slice_profiles(self, gpu_id: str, kind: str) -> tuple[SliceProfile, ...]:
        """The vendor's slices of one GPU or board, smallest first; none when it has no such mode.

        Parameters
        ----------
        gpu_id : str
            Id of ``data/gpus.csv``, or a board of the tables.
        kind : str
            ``mig``, ``vgpu`` (time-sliced) or ``mig-backed vgpu``.

        Returns
        -------
        tuple of SliceProfile

        >>> from planner.catalogue import load_catalogue
        >>> [one.name for one in load_catalogue().slice_profiles("l4-24gb", "vgpu")]
        ['L4-4C', 'L4-6C', 'L4-8C', 'L4-12C', 'L4-24C']
        """
        if kind not in KINDS_OF_SLICE:
            raise InvalidScenario(
                f"kind is {kind!r} but should be one of {', '.join(KINDS_OF_SLICE)}.", "kind"
            )
        types = self.vgpu_profiles.get(gpu_id, ())
        if kind == "vgpu":
            return tuple(one for one in types if not one.mig_profile)
        backed = tuple(one for one in types if one.mig_profile)
        if kind == "mig-backed vgpu":
            return backed
        names = {one.mig_profile: one.name for one in backed}
        return tuple(
            replace(one, mig_profile=names.get(one.name, ""))
            for one in self.mig_profiles.get(gpu_id, ())
        )
