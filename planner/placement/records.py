"""What is placed, where it may be placed, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from planner.catalogue import SliceProfile

CARVINGS = ("whole", "mig", "vgpu same size", "vgpu mixed size", "time slices", "mps")
"""How the GPUs of a host may be divided."""


@dataclass(frozen=True)
class Geometry:
    """How one GPU may be divided: slots of memory, and profiles that take some of them.

    A profile that is called ``whole`` takes the GPU itself, which only an empty GPU can give.
    """

    id: str
    """The GPU's id and the carving, such as ``h100-sxm-80gb/mig``."""
    gpu: str
    """Accelerator id."""
    carving: str
    """One of :data:`CARVINGS`."""
    slots: int
    """Slots of memory [1]."""
    profiles: tuple[SliceProfile, ...]
    """Smallest first; the last is ``whole``."""
    same_size: bool = False
    """The first slice fixes the size of all until the GPU is empty."""
    most_slices: int = 0
    """Largest number of slices on one GPU whatever their size [1]; 0 for no such limit."""

    @cached_property
    def _key(self) -> int:
        return hash((self.id, self.slots, self.most_slices, tuple(self.by_name)))

    def __hash__(self) -> int:
        # Kept, because every cache of the search over placements asks for it.
        return self._key

    @cached_property
    def by_name(self) -> dict[str, SliceProfile]:
        """The profiles by name."""
        return {profile.name: profile for profile in self.profiles}

    @property
    def whole(self) -> SliceProfile:
        """The GPU that is not carved."""
        return self.profiles[-1]


@dataclass(frozen=True)
class Host:
    """One host: GPUs of one kind, and what is left for workloads after its own software."""

    id: str
    geometry: Geometry
    gpus: int
    """GPUs in it [gpu]."""
    cpu_cores: float
    """Cores that workloads may be promised [1]."""
    memory_bytes: float
    """Memory that workloads may be promised [byte]."""
    kind: str = ""
    """Name of its group in the table of hosts."""
    numa_nodes: int = 1
    """Each with an equal share of cores, memory and GPUs [1]."""
    nvlink_gpus: int = 1
    """GPUs of one fast domain; a tensor-parallel group stays in one [gpu]."""
    rack: str = ""
    """Racks have a limit of power; empty for none."""
    base_w: float = 0.0
    """Power of the host in use without its GPUs [W]."""
    gpu_w: float = 0.0
    """Power that one GPU in use adds [W]."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What one piece takes of a host with this geometry."""

    geometry: str
    """Geometry id."""
    profile: str
    """A profile of that geometry, or ``whole``."""
    gpus: int = 1
    """Whole GPUs that work as one group [gpu]; 1 for a slice."""


@dataclass(frozen=True)
class Piece:
    """What is powered on as one: a replica, a job, a notebook."""

    id: str
    """The workload and a number, such as ``chat/1``."""
    workload: str
    asks: tuple[Ask, ...]
    """One for each geometry on which it can run, at most."""
    cpu_cores: float = 0.0
    """Cores promised to it [1]."""
    memory_bytes: float = 0.0
    """Memory promised to it [byte]."""
    numa: bool = False
    """Its cores, memory and GPUs must be of one NUMA node, where they fit in one at all."""
    apart: bool = False
    """No two pieces of its workload on one host."""
    together: str = ""
    """Pieces with the same word here go to one host; empty for no such wish."""
    avoids: frozenset[str] = frozenset()
    """Workloads that may not share a host with it; the wish counts both ways."""
    restarts: bool = True
    """It must run again after a host is lost; jobs that can wait need not."""

    @cached_property
    def by_geometry(self) -> dict[str, Ask]:
        """The asks by geometry id."""
        return {ask.geometry: ask for ask in self.asks}


@dataclass(frozen=True)
class Fleet:
    """The hosts, and limits that they share."""

    hosts: tuple[Host, ...]
    rack_w: tuple[tuple[str, float], ...] = ()
    """Limits of power by rack [W]."""
    licensed_gpus: int | None = None
    """GPUs that may carry vGPU or MIG slices under licence [gpu]; None for no limit."""

    @cached_property
    def geometries(self) -> dict[str, Geometry]:
        """The geometries of its hosts by id."""
        return {host.geometry.id: host.geometry for host in self.hosts}

    @property
    def gpus(self) -> int:
        """All GPUs [gpu]."""
        return sum(host.gpus for host in self.hosts)

    def without(self, index: int) -> Fleet:
        """The fleet that has lost one host.

        Parameters
        ----------
        index : int [1]
            Of the host.

        Returns
        -------
        Fleet

        Source: the definition.

        >>> Fleet(()).hosts
        ()
        """
        kept = self.hosts[:index] + self.hosts[index + 1 :]
        return Fleet(kept, self.rack_w, self.licensed_gpus)


@dataclass(frozen=True, slots=True)
class Seat:
    """Where one piece runs."""

    piece: int
    """Index of the piece [1]."""
    host: int
    """Index of the host [1]."""
    gpus: tuple[int, ...]
    """GPUs of that host."""
    profile: str
    start: int = 0
    """First slot on its GPU [1]."""


@dataclass(frozen=True)
class Placement:
    """Who sits where, who does not, and how good we know it to be."""

    fleet: Fleet
    pieces: tuple[Piece, ...]
    seats: tuple[Seat, ...]
    method: str
    """The policy's name, ``fewest hosts`` of a plan, or ``exact``."""
    proven: bool = False
    """No placement places more, nor as much with fewer hosts."""
    bound_hosts: int = 0
    """Fewest hosts that any placement can need [1]."""
    refusals: tuple[tuple[int, str], ...] = field(default=())
    """For each piece without a seat, its index and the limit that refused it."""
    assured: frozenset[str] = frozenset()
    """Workloads that are placed in full, as are all before them in priority; the others fill what
    is left."""

    @cached_property
    def seat_of(self) -> dict[int, Seat]:
        """Seats by the index of their piece."""
        return {seat.piece: seat for seat in self.seats}

    @property
    def unplaced(self) -> Iterator[int]:
        """Indices of pieces without a seat."""
        return (i for i in range(len(self.pieces)) if i not in self.seat_of)

    @cached_property
    def hosts_used(self) -> frozenset[int]:
        """Indices of hosts with a seat."""
        return frozenset(seat.host for seat in self.seats)
