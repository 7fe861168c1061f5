"""What each way of carving a GPU gives and forbids: ``carvings.csv``, ``hypervisor_limits.csv``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from planner.catalogue.records import Source
from planner.catalogue.tables import Row, read_rows

COMPUTES = ("dedicated", "scheduled", "shared")
"""Compute units of its own; turns on all of them; all of them at the same time as others."""
FLAGS = (
    "memory_isolation",
    "fault_isolation",
    "multi_gpu",
    "live_migration",
    "ha_restart",
    "memory_oversubscribed",
    "needs_licence",
)
"""Facts about a carving that are true or false."""


@dataclass(frozen=True, slots=True)
class CarvingFacts:
    """What one way of carving a GPU gives and forbids; each fact with its source and note."""

    id: str
    """``whole``, ``mig``, ``vgpu same size``, ``vgpu mixed size``, ``time slices``, ``mps``."""
    memory_isolation: bool
    """A workload can neither read nor exhaust another's memory."""
    fault_isolation: bool
    """A fault in one workload does not end another."""
    compute: str
    """One of :data:`COMPUTES`."""
    multi_gpu: bool
    """Several of them can work as one group; of vGPUs only those of the full frame buffer."""
    live_migration: bool
    """A running VM can move to another host (vMotion)."""
    ha_restart: bool
    """It starts again on another host after its own is lost."""
    memory_oversubscribed: bool
    """More memory may be promised than there is."""
    needs_licence: bool
    """NVIDIA asks for a licence of its GPU software under a hypervisor."""
    policy: str
    """How placement treats it, in one or two clauses."""
    sources: Mapping[str, Source]
    """By fact."""
    notes: Mapping[str, str]
    """By fact; facts without one are absent."""


@dataclass(frozen=True, slots=True)
class HypervisorLimit:
    """A limit or a rule of a hypervisor that bears on carved GPUs."""

    id: str
    version: str
    """Product and version from which, or up to which, it holds; ``any`` for all."""
    topic: str
    value: float
    """The number, where the rule has one [1]; else not-a-number."""
    gpus: tuple[str, ...]
    """Ids of ``data/gpus.csv`` that it is about; empty for all."""
    rule: str
    source: Source
    note: str = ""

    def about(self, gpu_id: str) -> bool:
        """Whether it bears on a GPU.

        Parameters
        ----------
        gpu_id : str

        Returns
        -------
        bool
        """
        return not self.gpus or gpu_id in self.gpus


def read_carvings(path: Path) -> dict[str, CarvingFacts]:
    """What each carving gives, by its name.

    Parameters
    ----------
    path : Path
        ``carvings.csv``: one fact in a row.

    Returns
    -------
    dict of str to CarvingFacts

    Raises :class:`planner.errors.MissingData` for a fact that is missing or not a truth value.

    Source: each row's own.

    >>> from planner.catalogue.catalogue import find_data
    >>> facts = read_carvings(find_data() / "carvings.csv")
    >>> [one for one in facts if not facts[one].fault_isolation]
    ['time slices', 'mps']
    """
    rows: dict[str, dict[str, Row]] = {}
    for row in read_rows(path):
        facts = rows.setdefault(row.required("carving"), {})
        if row.required("fact") in facts:
            raise row.fault("fact", "unique within its carving")
        facts[row.required("fact")] = row
    return {name: _facts(name, found) for name, found in rows.items()}


def read_hypervisor_limits(path: Path) -> dict[str, HypervisorLimit]:
    """Limits of hypervisors, by id.

    Parameters
    ----------
    path : Path
        ``hypervisor_limits.csv``.

    Returns
    -------
    dict of str to HypervisorLimit

    Source: each row's own.

    >>> from planner.catalogue.catalogue import find_data
    >>> limits = read_hypervisor_limits(find_data() / "hypervisor_limits.csv")
    >>> limits["vsphere-vgpus-per-vm"].value
    8.0
    """
    found: dict[str, HypervisorLimit] = {}
    for row in read_rows(path):
        one = HypervisorLimit(
            id=row.required("id"),
            version=row.required("version"),
            topic=row.required("topic"),
            value=row.number("value"),
            gpus=row.names("gpus"),
            rule=row.required("rule"),
            source=row.source(),
            note=row.text("note"),
        )
        if one.id in found:
            raise row.fault("id", "unique")
        found[one.id] = one
    return found


def _facts(name: str, rows: Mapping[str, Row]) -> CarvingFacts:
    some = next(iter(rows.values()))
    missing = [one for one in (*FLAGS, "compute", "policy") if one not in rows]
    if missing:
        raise some.fault("fact", f"followed by a row of {name} for {missing[0]}")
    compute = rows["compute"].required("value")
    if compute not in COMPUTES:
        raise rows["compute"].fault("value", "one of " + ", ".join(COMPUTES))
    return CarvingFacts(
        id=name,
        compute=compute,
        policy=rows["policy"].required("value"),
        sources={fact: row.source() for fact, row in rows.items()},
        notes={fact: row.text("note") for fact, row in rows.items() if row.text("note")},
        **{fact: rows[fact].flag("value") for fact in FLAGS},
    )


class CarvingTables:
    """The part of the catalogue that says what carvings give; read when first asked for."""

    folder: Path

    @cached_property
    def carvings(self) -> Mapping[str, CarvingFacts]:
        """What each way of carving gives and forbids, by its name."""
        return read_carvings(self.folder / "carvings.csv")

    @cached_property
    def hypervisor_limits(self) -> Mapping[str, HypervisorLimit]:
        """Limits and rules of hypervisors that bear on carved GPUs, by id."""
        return read_hypervisor_limits(self.folder / "hypervisor_limits.csv")
