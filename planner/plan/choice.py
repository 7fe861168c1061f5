"""What a scenario chooses: its records, looked up once and checked against each other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from planner.catalogue import (
    Accelerator,
    Architecture,
    Catalogue,
    Engine,
    Precision,
    ServingEngine,
    architecture_from_text,
    computes,
    generic_architecture,
)
from planner.errors import InvalidScenario, MissingData
from planner.memory import Device, Layouts, ReplicaMemory, WeightFormat, replica_memory
from planner.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Choice:
    """The records that a scenario names, looked up once.

    >>> from planner.catalogue import load_catalogue
    >>> Choice.of(Scenario(), load_catalogue()).computed_as
    'native'
    """

    scenario: Scenario
    model: Architecture
    gpu: Accelerator
    engine: Engine
    serving_engine: ServingEngine
    weight_precision: Precision
    kv_precision: Precision
    computed_as: str

    @classmethod
    def of(cls, scenario: Scenario, catalogue: Catalogue) -> Choice:
        """Look the records up and check that they go together.

        Parameters
        ----------
        scenario : Scenario
        catalogue : Catalogue

        Returns
        -------
        Choice

        Raises
        ------
        MissingData
            An id is unknown or a fact is blank; ``field`` says which field asked.
        InvalidScenario
            The GPU cannot compute the format, or the context is longer than the model's.
        """
        deployment = scenario.deployment
        with _asked_by("deployment.gpu"):
            gpu = catalogue.accelerator(deployment.gpu)
            gpu.require("memory_usable_bytes")
        with _asked_by("deployment.engine"):
            engine, serving_engine = _engines(deployment.engine, catalogue)
        with _asked_by("deployment.weight_precision"):
            precision = catalogue.weight_precision(deployment.weight_precision)
        with _asked_by("deployment.kv_precision"):
            kv = catalogue.kv_precision(deployment.kv_precision)
        computed_as = computes(gpu, precision)
        if not computed_as:
            raise InvalidScenario(
                f"{gpu.name} cannot compute with {precision.name} weights; "
                f"choose {_alternatives(gpu, catalogue)}, or a newer GPU.",
                field="deployment.weight_precision",
            )
        if not computes(gpu, kv):
            raise InvalidScenario(
                f"{gpu.name} cannot read a KV cache in {kv.name}; choose a 16-bit KV cache.",
                field="deployment.kv_precision",
            )
        return cls(
            scenario,
            _model(scenario, catalogue),
            gpu,
            engine,
            serving_engine,
            precision,
            kv,
            computed_as,
        )

    @property
    def concurrent_sequences(self) -> int:
        """Conversations at once [sequence]."""
        return self.scenario.workload.concurrent_sequences

    def layouts(self, domain_gpus: Any) -> Layouts:
        """The ways to spread one replica that the scenario allows.

        Parameters
        ----------
        domain_gpus : int or array [gpu]
            GPUs that share one fast interconnect.

        Returns
        -------
        Layouts
        """
        deployment = self.scenario.deployment
        return Layouts.of(
            domain_gpus,
            deployment.gpus_per_host,
            self.model.attention_heads,
            deployment.tensor_parallel,
            deployment.pipeline_parallel,
        )

    def replica(self, gpu: Device, stored: WeightFormat, layouts: Layouts) -> ReplicaMemory:
        """Memory of one replica of this choice, on these GPUs, in this format.

        Parameters
        ----------
        gpu : Device
        stored : WeightFormat
        layouts : Layouts

        Returns
        -------
        ReplicaMemory
        """
        deployment = self.scenario.deployment
        return replica_memory(
            self.model,
            stored,
            self.kv_precision.bits_per_weight,
            self.engine,
            gpu,
            context_tokens=self.scenario.workload.context_tokens,
            tensor_parallel=layouts.tensor_parallel,
            pipeline_parallel=layouts.pipeline_parallel,
            utilization_fraction=deployment.gpu_memory_utilization,
            max_sequences=deployment.engine_max_sequences,
            batched_tokens=deployment.engine_batched_tokens,
        )


def _engines(name: str, catalogue: Catalogue) -> tuple[Engine, ServingEngine]:
    """What the engine reserves and how fast its family is; every reserve profile is of vLLM."""
    if name in catalogue.engines and name not in catalogue.serving_engines:
        return catalogue.engine(name), catalogue.serving_engine("vllm")
    family = catalogue.serving_engine(name)
    return catalogue.engine(family.memory_profile), family


@contextmanager
def _asked_by(field: str) -> Iterator[None]:
    """Lets a missing fact name the scenario's field that asked for it."""
    try:
        yield
    except MissingData as error:
        raise MissingData(str(error), field=field) from None


def _model(scenario: Scenario, catalogue: Catalogue) -> Architecture:
    workload = scenario.workload
    if workload.model_source == "size":
        model = generic_architecture(workload.model_parameters, tuple(catalogue.models.values()))
    elif workload.model_source == "config":
        if not workload.config_json.strip():
            raise InvalidScenario(
                "No config.json was given yet; upload the one that was downloaded with the "
                "model, or choose a model from the catalogue.",
                field="workload.config_json",
            )
        model = architecture_from_text(workload.config_json, name="Your model")
    else:
        with _asked_by("workload.model"):
            model = catalogue.model(workload.model)
    # An embedding model reads its whole input at once and has a fixed longest one.
    if workload.context_tokens > model.maximum_context_tokens:
        raise InvalidScenario(
            f"{model.name} reads at most {model.maximum_context_tokens:,.0f} tokens and the "
            f"scenario asks for {workload.context_tokens:,}; shorten the context or choose "
            "another model.",
            field="workload.context_tokens",
        )
    return model


def _alternatives(gpu: Accelerator, catalogue: Catalogue) -> str:
    names = [
        precision.name
        for precision in catalogue.precisions.values()
        if precision.in_map and precision.use != "kv" and computes(gpu, precision)
    ]
    return " or ".join(names[:3]) or "another precision"
