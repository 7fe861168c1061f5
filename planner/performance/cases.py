"""Many configurations at once, by their place in the catalogue's tables."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from planner.catalogue import (
    Accelerator,
    Architecture,
    Catalogue,
    stack,
    take,
)
from planner.memory import Device, WeightFormat, device, replica_memory, weight_format
from planner.performance.keys import RUNS, Keys, Vocabulary, family, rank_index
from planner.performance.layout import Layout
from planner.performance.novelty import novelty, range_table
from planner.performance.speed import (
    GpuSpeed,
    collective_bytes_per_s,
    compute_class,
    gpu_speed,
)
from planner.performance.step import SpeedModel
from planner.performance.terms import Replica
from planner.units import GIB

USABLE_FRACTION = 0.97
"""Share of the memory on the label that a process sees, where only the label is known; measured
ones lie between 0.95 and 1.0."""


@dataclass(frozen=True, slots=True)
class Cases:
    """Configurations to predict; whole numbers index the tables of :class:`Reference`.

    >>> Cases.__slots__[:3]
    ('model', 'gpu', 'precision')
    """

    model: Any
    """Row of the models [1]."""
    gpu: Any
    """Row of the accelerators [1]."""
    precision: Any
    """Row of the precisions, of the weights [1]."""
    kv_precision: Any
    """Row of the precisions, of the cache [1]."""
    engine: Any
    """Row of the serving engines [1]."""
    layout: Layout
    isl: Any
    """Tokens of a request's prompt [token]."""
    osl: Any
    """Tokens of its answer [token]."""
    concurrency: Any
    """Requests in flight on the whole deployment; infinite for an offline run of all requests at
    once [request]."""
    utilization_fraction: Any
    """Share of memory that the engine takes; not-a-number for its default [fraction]."""

    def __len__(self) -> int:
        return len(self.model)

    def rows(self, index: Any) -> Cases:
        """A part of the cases.

        Parameters
        ----------
        index : slice or array [1]

        Returns
        -------
        Cases
        """
        layout = Layout(*(getattr(self.layout, f.name)[index] for f in fields(Layout)))
        named = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "layout"}
        return Cases(layout=layout, **{name: value[index] for name, value in named.items()})


@dataclass(frozen=True)
class Reference:
    """The catalogue's tables as arrays, for :class:`Cases` to index."""

    models: tuple[str, ...]
    gpus: tuple[str, ...]
    precisions: tuple[str, ...]
    engines: tuple[str, ...]
    architecture: Architecture
    stored: WeightFormat
    kv_bits: np.ndarray
    """Of each precision [bit/weight]."""
    speed: GpuSpeed
    memory: Device
    memory_assumed: np.ndarray
    """1 where a GPU's usable memory follows from its label [1]."""
    wide_class: np.ndarray
    """Of each GPU and precision; see ``compute_class`` [1]."""
    attention_class: np.ndarray
    """The same for attention's linear layers [1]."""
    class_assumed: np.ndarray
    """1 where no kernel is known [1]."""
    utilization_fraction: np.ndarray
    """Default of each engine [fraction]."""
    sequences: np.ndarray
    """Default limit of each engine on large and on small GPUs [request]."""
    catalogue: Catalogue

    @classmethod
    def of(cls, catalogue: Catalogue) -> Reference:
        """The tables of a catalogue, made once for each.

        Parameters
        ----------
        catalogue : Catalogue

        Returns
        -------
        Reference
        """
        return _reference(catalogue)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The names that corrections are keyed by."""
        return Vocabulary(engine=self.engines, gpu=self.gpus, model=self.models)

    @cached_property
    def model(self) -> SpeedModel:
        """The calibrated performance model of this catalogue."""
        return SpeedModel.of(self.catalogue.efficiencies, self.vocabulary)

    @cached_property
    def unknown_keys(self) -> Keys:
        """Of a model and a GPU that were never measured, on a generic engine at a steady load."""
        known = {"engine": self.engines.index("generic"), "run": RUNS.index("steady")}
        return Keys(**{f.name: np.asarray(known.get(f.name, -1)) for f in fields(Keys)})

    @cached_property
    def families(self) -> np.ndarray:
        """Index into ``FAMILIES`` of each model [1]."""
        return np.array([family(one) for one in self.catalogue.models.values()])

    @cached_property
    def range_factors(self) -> np.ndarray:
        """Ends of the 80 % range by quantity, novelty and family [1].

        Where model and GPU are both new, their errors add up as independent ones do.
        """
        return range_table(self.catalogue.efficiencies.ranges)

    @cached_property
    def _kinds(self) -> np.ndarray:
        found = self.catalogue.efficiencies
        model = np.array([one in found.models for one in self.models])[:, None]
        gpu = np.array([one in found.gpus for one in self.gpus])[None, :]
        pair = np.array([[(m, g) in found.pairs for g in self.gpus] for m in self.models])
        return np.where(pair, 0, novelty(model, gpu))

    def kind(self, cases: Cases) -> Any:
        """What is new about each case, as an index into ``NOVELTIES``.

        A model and a GPU that were measured, but never together, count as a new GPU.

        Parameters
        ----------
        cases : Cases

        Returns
        -------
        int or array [1]
        """
        return self._kinds[cases.model, cases.gpu]

    @cached_property
    def _cache_precision(self) -> np.ndarray:
        narrow, wide = (self.precisions.index(name) for name in ("fp8-kv", "bf16"))
        engines = [self.catalogue.serving_engines[name] for name in self.engines]
        return np.array(
            [
                [narrow if p in e.narrow_cache_for else wide for p in self.precisions]
                for e in engines
            ]
        )

    def cache_precision(self, engine: Any, precision: Any) -> Any:
        """The cache format that an engine takes for these weights unless told otherwise.

        Parameters
        ----------
        engine, precision : int or array [1]
            Rows of the engines and of the precisions.

        Returns
        -------
        int or array [1]
            Row of the precisions.
        """
        return self._cache_precision[engine, precision]

    def case(
        self,
        model: str,
        gpu: str,
        precision: str,
        *,
        isl: float,
        osl: float,
        concurrency: float,
        kv_precision: str = "bf16",
        engine: str = "vllm",
        layout: Layout | None = None,
    ) -> Cases:
        """One case, by names.

        Parameters
        ----------
        model, gpu, precision : str
        isl, osl : float [token]
        concurrency : float [request]
        kv_precision, engine : str
        layout : Layout, optional
            One GPU by default.

        Returns
        -------
        Cases
        """
        c = self.catalogue
        layout = layout or Layout.of(1)
        return Cases(
            np.array([self.models.index(c.model(model).id)]),
            np.array([self.gpus.index(c.accelerator(gpu).id)]),
            np.array([self.precisions.index(c.weight_precision(precision).id)]),
            np.array([self.precisions.index(c.kv_precision(kv_precision).id)]),
            np.array([self.engines.index(c.serving_engine(engine).id)]),
            Layout(*(np.atleast_1d(getattr(layout, f.name)) for f in fields(Layout))),
            *(np.array([float(value)]) for value in (isl, osl, concurrency, np.nan)),
        )

    def keys(self, cases: Cases, replica: Replica, run: Any) -> Keys:
        """What the corrections need to know of the cases.

        Parameters
        ----------
        cases : Cases
        replica : Replica
        run : int or array [1]
            Index into ``RUNS``.

        Returns
        -------
        Keys
        """
        return Keys(
            engine=cases.engine,
            family=self.families[cases.model],
            format=replica.wide_class,
            gpu=cases.gpu,
            model=cases.model,
            ranks=rank_index(replica.layout.tensor_parallel),
            run=run,
        )

    def replica(self, cases: Cases, architecture: Architecture | None = None) -> Replica:
        """The replicas that the cases describe.

        Parameters
        ----------
        cases : Cases
        architecture : Architecture, optional
            In place of the catalogue's models, for one that it does not hold.

        Returns
        -------
        Replica
        """
        gpu, precision = cases.gpu, cases.precision
        wide, attention = self.wide_class[gpu, precision], self.attention_class[gpu, precision]
        flops = self.speed.flops
        return Replica(
            architecture=architecture or take(self.architecture, cases.model),
            stored=WeightFormat(
                *(getattr(self.stored, f.name)[precision] for f in fields(WeightFormat))
            ),
            kv_bits=self.kv_bits[cases.kv_precision],
            layout=cases.layout,
            bandwidth_bytes_per_s=self.speed.bandwidth_bytes_per_s[gpu],
            flops_16bit=flops[gpu, 0],
            flops_wide=flops[gpu, wide],
            flops_attention=flops[gpu, attention],
            wide_class=wide,
            attention_class=attention,
            link_bytes_per_s=collective_bytes_per_s(
                self.speed.link_bytes_per_s[gpu],
                self.speed.link_decay_fraction[gpu],
                cases.layout.tensor_parallel,
            ),
            fast_link=self.speed.fast_link[gpu],
        )

    def slots(self, cases: Cases, replica: Replica, context: Any) -> tuple[Any, Any]:
        """Requests that one replica can hold, and the tokens that its cache holds.

        .. math:: slots = \\min(pool / footprint, engine's\\ limit)

        Parameters
        ----------
        cases : Cases
        replica : Replica
        context : float or array [token]
            Mean tokens of a resident request.

        Returns
        -------
        tuple
            [request] and [token].

        Source: as :func:`planner.memory.replica_memory`.
        """
        own = cases.utilization_fraction
        share = np.where(np.isnan(own), self.utilization_fraction[cases.engine], own)
        gpu = Device(*(getattr(self.memory, f.name)[cases.gpu] for f in fields(Device)))
        held = replica_memory(
            replica.architecture,
            replica.stored,
            replica.kv_bits,
            self.catalogue.engine("vllm"),
            gpu,
            context_tokens=context,
            tensor_parallel=replica.layout.tensor_parallel,
            pipeline_parallel=replica.layout.pipeline_parallel,
            attention_parallel=replica.layout.attention_parallel,
            utilization_fraction=share,
        )
        groups = replica.layout.attention_groups
        limit = self.sequences[cases.engine, np.where(gpu.large_batch > 0, 0, 1)]
        exact = np.maximum(held.kv_pool_bytes, 0.0) / np.maximum(held.sequence_bytes, 1e-9)
        slots = np.minimum(exact * groups, limit)
        return slots, np.maximum(held.capacity_tokens, 0.0) * groups


@lru_cache(maxsize=4)
def _reference(catalogue: Catalogue) -> Reference:
    gpus = [_with_memory(gpu) for gpu in catalogue.accelerators.values()]
    precisions = list(catalogue.precisions.values())
    classes = np.array([[compute_class(gpu, p) for p in precisions] for gpu in gpus], dtype=int)
    serving = list(catalogue.serving_engines.values())
    return Reference(
        models=tuple(catalogue.models),
        gpus=tuple(catalogue.accelerators),
        precisions=tuple(catalogue.precisions),
        engines=tuple(catalogue.serving_engines),
        architecture=stack(list(catalogue.models.values())),
        stored=weight_format(catalogue.engine("vllm"), precisions),
        kv_bits=np.array([p.bits_per_weight for p in precisions]),
        speed=gpu_speed(gpus),
        memory=device(catalogue.engine("vllm"), gpus),
        memory_assumed=np.array(
            [np.isnan(gpu.memory_usable_bytes) for gpu in catalogue.accelerators.values()]
        ).astype(float),
        wide_class=classes[..., 0],
        attention_class=classes[..., 1],
        class_assumed=classes[..., 2].astype(float),
        utilization_fraction=np.array([one.utilization_fraction for one in serving]),
        sequences=np.array([[one.sequences_large, one.sequences_small] for one in serving]),
        catalogue=catalogue,
    )


def _with_memory(gpu: Accelerator) -> Accelerator:
    """A blank usable memory follows from what the driver reports, or from the label."""
    if np.isfinite(gpu.memory_usable_bytes):
        return gpu
    usable = gpu.memory_reported_bytes
    if not np.isfinite(usable):
        usable = gpu.memory_nominal_bytes / 1e9 * GIB * USABLE_FRACTION
    return replace(gpu, memory_usable_bytes=usable)
