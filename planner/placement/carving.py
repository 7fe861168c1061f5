"""The state of one carved GPU: what fits where, how often, and what is lost for good.

A GPU's state is the tuple of its slices, each a profile's name and the slot at which it starts.
Slots are bits of one whole number here, so that a question costs a few operations on it.
"""

from __future__ import annotations

from functools import lru_cache

from planner.catalogue import CarvingFacts
from planner.errors import InvalidScenario
from planner.placement.records import Ask, Geometry

Taken = tuple[tuple[str, int], ...]
"""The slices of one GPU: profile and first slot of each."""

ISOLATIONS = ("shared", "memory", "hardware", "own host")
"""What a workload may want of its neighbours, weakest first."""


class _Rules:
    """A geometry as masks: for each profile its starts with the bits that a slice there takes."""

    def __init__(self, geometry: Geometry) -> None:
        self.full = (1 << geometry.slots) - 1
        self.cuts = geometry.profiles[:-1]
        self.compute = max((one.compute_total for one in self.cuts), default=0)
        self.masks = {
            one.name: tuple((start, ((1 << one.size) - 1) << start) for start in one.starts)
            for one in geometry.profiles
        }
        self.largest_first = tuple(
            one.name for one in sorted(self.cuts, key=lambda one: (-one.size, -one.compute))
        )


@lru_cache(maxsize=4096)
def _rules(geometry: Geometry) -> _Rules:
    return _Rules(geometry)


def _mask(geometry: Geometry, taken: Taken) -> int:
    sizes = geometry.by_name
    mask = 0
    for name, start in taken:
        mask |= ((1 << sizes[name].size) - 1) << start
    return mask


def _compute(geometry: Geometry, taken: Taken) -> int:
    return sum(geometry.by_name[name].compute for name, _ in taken)


def _room(geometry: Geometry, taken: Taken, profile: str) -> int:
    """How many more slices of a profile everything but memory allows."""
    wanted = geometry.by_name[profile]
    if profile == "whole":
        return 0 if taken else 1
    if taken and taken[0][0] == "whole":
        return 0
    if taken and geometry.same_size and taken[0][0] != profile:
        return 0
    room = geometry.slots
    if wanted.most:
        room = wanted.most - sum(name == profile for name, _ in taken)
    if geometry.most_slices:
        room = min(room, geometry.most_slices - len(taken))
    return min(room, _compute_room(geometry, taken, profile))


def _compute_room(geometry: Geometry, taken: Taken, profile: str) -> int:
    wanted = geometry.by_name[profile]
    # Only MIG gives compute away for good; the others have the GPU's in turns.
    if geometry.carving != "mig" or not wanted.compute:
        return geometry.slots
    return (_rules(geometry).compute - _compute(geometry, taken)) // wanted.compute


@lru_cache(maxsize=1 << 18)
def free_start(geometry: Geometry, taken: Taken, profile: str) -> int | None:
    r"""Where the next slice of a profile would start on one GPU.

    .. math:: s^* = \min \{\, s \in S_p :\ m_p(s) \wedge m_\mathrm{taken} = 0 \,\}

    the lowest start whose slots are free. MIG prefers the start that leaves the most starts to
    the largest other profile, then to the next one, so that large slices stay possible. The
    rules hold besides: the sum of compute slices, one size for all where the mode says so, the
    largest number of a profile, and that only an empty GPU can be given whole.

    Parameters
    ----------
    geometry : Geometry
    taken : tuple of (str, int) [1]
        Profile and first slot of the slices on it.
    profile : str

    Returns
    -------
    int [1]
        First slot; None when no slice of the profile fits.

    Source: NVIDIA vGPU user guide, Placements for GPUs in Mixed-Size Mode; NVIDIA MIG user
    guide, whose listings show 1g, 2g and 4g placed at 6, 4 and 0 in that order.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.placement.geometry import geometry
    >>> mig = geometry(load_catalogue(), "h100-sxm-80gb", "mig")
    >>> free_start(mig, (), "3g.40gb"), free_start(mig, (("4g.40gb", 0),), "4g.40gb")
    (4, None)
    """
    if _room(geometry, taken, profile) < 1:
        return None
    used = _mask(geometry, taken)
    rules = _rules(geometry)
    free = [(start, mask) for start, mask in rules.masks[profile] if not mask & used]
    if not free or geometry.carving != "mig" or len(free) == 1:
        return free[0][0] if free else None
    return max(free, key=lambda one: (_kept(rules, used | one[1]), -one[0]))[0]


def _kept(rules: _Rules, used: int) -> tuple[int, ...]:
    """Starts that remain, of the largest profile first."""
    return tuple(
        sum(not mask & used for _, mask in rules.masks[name]) for name in rules.largest_first
    )


@lru_cache(maxsize=1 << 16)
def _more(geometry: Geometry, taken: Taken, profile: str) -> int:
    room = _room(geometry, taken, profile)
    used, count = _mask(geometry, taken), 0
    for _, mask in _rules(geometry).masks[profile]:
        if count == room:
            break
        if not mask & used:
            used |= mask
            count += 1
    return max(count, 0)


def free_slots(geometry: Geometry, taken: Taken) -> dict[str, int]:
    r"""How many more slices of each profile fit on one GPU, if all that come are of that profile.

    .. math:: n_p = \min\left( |\{ s \in S_p : m_p(s) \wedge m_\mathrm{taken} = 0 \}|,\
       n^{max}_p - n^\mathrm{taken}_p,\ \lfloor (c - c_\mathrm{taken}) / c_p \rfloor \right)

    Parameters
    ----------
    geometry : Geometry
    taken : tuple of (str, int) [1]

    Returns
    -------
    dict of str to int [1]

    Source: the count of NVIDIA's tables, Maximum vGPUs per GPU and Number of Instances.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.placement.geometry import geometry
    >>> mig = geometry(load_catalogue(), "h100-sxm-80gb", "mig")
    >>> free_slots(mig, ())["1g.10gb"], free_slots(mig, (("3g.40gb", 4),))["1g.10gb"]
    (7, 4)
    """
    return {one.name: _more(geometry, taken, one.name) for one in geometry.profiles}


def _open_mask(geometry: Geometry, taken: Taken) -> int:
    """Slots that at least one further slice could take."""
    used, found = _mask(geometry, taken), 0
    for one in geometry.profiles:
        if _room(geometry, taken, one.name) > 0:
            for _, mask in _rules(geometry).masks[one.name]:
                if not mask & used:
                    found |= mask
    return found


def stranded_slots(geometry: Geometry, taken: Taken) -> int:
    r"""Free slots of memory that no slice can use any more while the present ones stay.

    .. math:: n = | \overline{m_\mathrm{taken}} \wedge
       \overline{\textstyle\bigvee_{p, s\ \text{possible}} m_p(s)} |

    Two slices that exclude each other count both as possible, so this is what is lost for
    certain; later choices may lose more. An empty GPU has lost nothing, since it can be given
    whole.

    Parameters
    ----------
    geometry : Geometry
    taken : tuple of (str, int) [1]

    Returns
    -------
    int [1]

    Source: the definition; F. Denneman, Mixed Size vGPU Mode in Practice (2026), calls it siloed
    capacity.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.placement.geometry import geometry
    >>> mixed = geometry(load_catalogue(), "a100-pcie-80gb", "vgpu mixed size")
    >>> stranded_slots(mixed, (("A100D-8C", 0), ("A100D-10C", 10)))
    2
    """
    free = _rules(geometry).full & ~_mask(geometry, taken)
    return (free & ~_open_mask(geometry, taken)).bit_count()


def stranded_bytes(geometry: Geometry, taken: Taken) -> float:
    r"""Memory that no slice can use any more while the present ones stay.

    .. math:: M_\mathrm{stranded} = n_\mathrm{stranded}\ M_\mathrm{GPU} / n_\mathrm{slots}

    Parameters
    ----------
    geometry : Geometry
    taken : tuple of (str, int) [1]

    Returns
    -------
    float [byte]

    Source: :func:`stranded_slots`; a slot is an equal share of what the whole GPU can use.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.placement.geometry import geometry
    >>> mig = geometry(load_catalogue(), "h100-sxm-80gb", "mig")
    >>> seven = tuple(("1g.10gb", start) for start in range(7))
    >>> round(stranded_bytes(mig, seven) / 1e9, 1)
    10.6
    """
    return stranded_slots(geometry, taken) * geometry.whole.memory_bytes / geometry.slots


def stranded_compute(geometry: Geometry, taken: Taken) -> int:
    r"""Free compute slices that no further slice can use while the present ones stay.

    .. math:: c_\mathrm{stranded} = c - c_\mathrm{taken} - \max_\text{fills} c_\mathrm{added}

    Only MIG has compute slices; elsewhere slices take turns and nothing is stranded.

    Parameters
    ----------
    geometry : Geometry
    taken : tuple of (str, int) [1]

    Returns
    -------
    int [1]

    Source: the definition; NVIDIA MIG user guide for seven slices of compute and eight of memory.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.placement.geometry import geometry
    >>> mig = geometry(load_catalogue(), "h100-sxm-80gb", "mig")
    >>> stranded_compute(mig, (("3g.40gb", 0), ("3g.40gb", 4)))
    1
    """
    if geometry.carving != "mig" or any(name == "whole" for name, _ in taken):
        return 0
    free = _rules(geometry).compute - _compute(geometry, taken)
    return free - _most_compute(geometry, tuple(sorted(taken)))


@lru_cache(maxsize=1 << 16)
def _most_compute(geometry: Geometry, taken: Taken) -> int:
    """Most compute slices that further slices can take."""
    used, best = _mask(geometry, taken), 0
    for one in _rules(geometry).cuts:
        if _room(geometry, taken, one.name) < 1:
            continue
        for start, mask in _rules(geometry).masks[one.name]:
            if not mask & used:
                after = tuple(sorted((*taken, (one.name, start))))
                best = max(best, one.compute + _most_compute(geometry, after))
    return best


def allowed(geometry: Geometry, ask: Ask) -> str:
    """Why a GPU with this carving can never give what is asked; blank when it can.

    Parameters
    ----------
    geometry : Geometry
    ask : Ask

    Returns
    -------
    str
        One sentence, or blank.

    Source: NVIDIA MIG user guide (no peer-to-peer between instances); NVIDIA AI Enterprise
    documentation, multi-vGPU (full frame buffer for peer-to-peer; one board type and series,
    which holds here because a group stays on one host of one kind of GPU).

    >>> from planner.catalogue import load_catalogue
    >>> from planner.placement.geometry import geometry
    >>> mig = geometry(load_catalogue(), "h100-sxm-80gb", "mig")
    >>> allowed(mig, Ask(mig.id, "whole", 4)), allowed(mig, Ask(mig.id, "3g.40gb", 2))[:46]
    ('', '3g.40gb of h100-sxm-80gb/mig: MIG instances ca')
    """
    wanted = geometry.by_name.get(ask.profile)
    if ask.geometry != geometry.id or wanted is None:
        return (
            f"{ask.profile} is not a profile of {geometry.id}; choose one of "
            f"{', '.join(geometry.by_name)}."
        )
    if ask.gpus < 1:
        return f"gpus is {ask.gpus} but a piece takes at least one."
    if ask.gpus == 1 or wanted.kind == "whole":
        return ""
    about = f"{ask.profile} of {geometry.id}: "
    if wanted.kind == "mig":
        return about + (
            "MIG instances cannot exchange data with each other, so a model cannot be split "
            "over them; take whole GPUs, or a model that fits in one instance."
        )
    if wanted.kind == "vgpu" and wanted.size == geometry.slots:
        return ""
    return about + (
        "a model cannot be split over parts of several GPUs; only whole GPUs and vGPUs of the "
        "full frame buffer work as one group, so take those, or a model that fits in one part."
    )


def isolation_refusal(facts: CarvingFacts, wanted: str) -> str:
    """Why a carving does not keep a workload apart from its neighbours as wanted.

    Formula: ``memory`` needs memory and faults kept apart; ``hardware`` needs compute of its own
    besides. ``shared`` takes any carving, and so does ``own host``, since nobody else is there;
    that wish binds where pieces are placed.

    Parameters
    ----------
    facts : CarvingFacts
    wanted : str
        One of :data:`ISOLATIONS`.

    Returns
    -------
    str
        One sentence, or blank when the carving will do.

    Raises :class:`planner.errors.InvalidScenario` for another word.

    Source: the catalogue's rows on carvings.

    >>> from planner.catalogue import load_catalogue
    >>> facts = load_catalogue().carvings
    >>> isolation_refusal(facts["mps"], "memory")
    'mps: a fault in one workload ends its neighbours; choose whole GPUs, MIG or vGPUs.'
    """
    if wanted not in ISOLATIONS:
        raise InvalidScenario(
            f"isolation is {wanted!r} but should be one of {', '.join(ISOLATIONS)}.", "isolation"
        )
    if wanted in ("shared", "own host"):
        return ""
    if not facts.memory_isolation:
        return (
            f"{facts.id}: workloads share the GPU's memory without a limit; choose whole GPUs, "
            "MIG or vGPUs."
        )
    if not facts.fault_isolation:
        return (
            f"{facts.id}: a fault in one workload ends its neighbours; choose whole GPUs, MIG or "
            "vGPUs."
        )
    if wanted == "hardware" and facts.compute != "dedicated":
        return (
            f"{facts.id}: workloads take turns on the same compute units; choose whole GPUs or MIG."
        )
    return ""
