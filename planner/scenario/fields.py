"""The sections of a scenario: every field with its words, unit, range and owner."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_serializer, field_validator
from pydantic_core import PydanticCustomError

Scalar = bool | int | float | str | None
Pairs = tuple[tuple[str, float], ...]
"""A field that is itself a mapping of names to numbers, frozen."""
Rows = tuple[tuple[tuple[str, Scalar], ...], ...]
"""A field that is a table, frozen: each row is a mapping of names to values."""


def quantity(
    description: str,
    *,
    label: str,
    unit: str = "text",
    team: Literal["data science", "infrastructure", "both"] = "both",
    control: str = "number",
    term: str = "",
    shown_when: tuple[str, tuple[str, ...]] | None = None,
    **limits: Any,
) -> Any:
    """A scenario field with everything a control needs: words, unit, range, owner.

    Parameters
    ----------
    description : str
        What the field means, for both teams.
    label : str
        Short name beside the control.
    unit : str
        One of :data:`planner.units.UNITS`.
    team : str
        Who usually knows the answer.
    control : str
        ``slider``, ``log slider``, ``choice``, ``search``, ``number``, ``text`` or ``file``.
    term : str
        Glossary id.
    shown_when : tuple, optional
        A field of the same document and the values with which this one applies.
    **limits
        ``ge``, ``le`` and whatever else :func:`pydantic.Field` takes.

    Returns
    -------
    pydantic field

    >>> quantity("Words.", label="Context", unit="token", ge=1).description
    'Words.'
    """
    extra = {
        "label": label,
        "unit": unit,
        "team": team,
        "control": control,
        "term": term,
        "shown_when": shown_when,
    }
    return Field(description=description, json_schema_extra=extra, **limits)


class Section(BaseModel):
    """A closed, frozen part of the scenario.

    >>> Workload().context_tokens
    4096
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        protected_namespaces=(),
    )


class Workload(Section):
    """What the data scientists ask for.

    >>> Workload(concurrent_sequences=200).concurrent_sequences
    200
    """

    model_source: Annotated[
        Literal["catalogue", "size", "config"],
        quantity(
            "A real model from the catalogue, any size as a generic dense decoder, "
            "or your own config.json.",
            label="Choose the model by",
            team="data science",
            control="choice",
        ),
    ] = "catalogue"
    model: Annotated[
        str,
        quantity(
            "A model of the catalogue, by its Hugging Face id or a usual short name.",
            label="Model",
            team="data science",
            control="search",
            term="parameters",
            shown_when=("workload.model_source", ("catalogue",)),
            min_length=1,
            max_length=200,
        ),
    ] = "meta-llama/Llama-3.3-70B-Instruct"
    model_parameters: Annotated[
        float,
        quantity(
            "Size of a generic dense decoder, interpolated from the catalogue's real ones.",
            label="Model size",
            unit="parameter",
            team="data science",
            control="log slider",
            term="parameters",
            shown_when=("workload.model_source", ("size",)),
            ge=0.1e9,
            le=1000e9,
        ),
    ] = 70e9
    config_json: Annotated[
        str,
        quantity(
            "Text of a publisher's config.json, as downloaded with the model.",
            label="Your own config.json",
            team="data science",
            control="file",
            shown_when=("workload.model_source", ("config",)),
            max_length=100_000,
        ),
    ] = ""
    context_tokens: Annotated[
        int,
        quantity(
            "Longest conversation to hold in memory: prompt, history and answer together.",
            label="Context length",
            unit="token",
            team="data science",
            control="log slider",
            term="context",
            ge=128,
            le=10_485_760,
        ),
    ] = 4096
    concurrent_sequences: Annotated[
        int,
        quantity(
            "Conversations being answered at the same moment, not people who have an account.",
            label="Conversations at once",
            unit="sequence",
            team="data science",
            control="log slider",
            term="concurrency",
            ge=1,
            le=10_000,
        ),
    ] = 16


class Deployment(Section):
    """What the infrastructure engineers offer.

    >>> Deployment().gpus_per_host
    8
    """

    @field_validator("tensor_parallel", "pipeline_parallel", "gpus_per_host", mode="before")
    @classmethod
    def _true_is_not_one(cls, value: Any) -> Any:
        # A literal is compared by equality, and to Python true is equal to 1.
        if isinstance(value, bool):
            raise PydanticCustomError("int_type", "not a number")
        return value

    gpu: Annotated[
        str,
        quantity(
            "An accelerator of the catalogue.",
            label="GPU",
            team="infrastructure",
            control="search",
            term="gpu",
            min_length=1,
            max_length=200,
        ),
    ] = "h100-sxm-80gb"
    weight_precision: Annotated[
        str,
        quantity(
            "Format in which the weights are stored; fewer bits need less memory and give up "
            "some quality.",
            label="Weight precision",
            team="data science",
            control="choice",
            term="quantisation",
            min_length=1,
            max_length=60,
        ),
    ] = "fp8"
    kv_precision: Annotated[
        str,
        quantity(
            "Format in which the KV cache is stored.",
            label="KV cache precision",
            team="data science",
            control="choice",
            term="kv-cache",
            min_length=1,
            max_length=60,
        ),
    ] = "bf16"
    tensor_parallel: Annotated[
        Literal[1, 2, 4, 8, 16, 32, 64] | None,
        quantity(
            "GPUs that share every layer of one replica; automatic takes the fewest GPUs.",
            label="Tensor parallel",
            unit="gpu",
            team="infrastructure",
            control="choice",
            term="tensor-parallel",
        ),
    ] = None
    pipeline_parallel: Annotated[
        Literal[1, 2, 3, 4, 6, 8] | None,
        quantity(
            "Stages that hold consecutive layers of one replica; automatic takes the fewest GPUs.",
            label="Pipeline parallel",
            unit="gpu",
            team="infrastructure",
            control="choice",
            term="pipeline-parallel",
        ),
    ] = None
    gpus_per_host: Annotated[
        Literal[1, 2, 4, 8],
        quantity(
            "GPUs in one host; tensor parallel stays inside a host unless the GPUs share a "
            "larger NVLink domain.",
            label="GPUs per host",
            unit="gpu",
            team="infrastructure",
            control="choice",
            term="host",
        ),
    ] = 8
    hosts: Annotated[
        int,
        quantity(
            "Hosts that you have or may get, for the question what they can serve.",
            label="Hosts at hand",
            unit="1",
            team="infrastructure",
            control="log slider",
            term="host",
            ge=1,
            le=64,
        ),
    ] = 2
    engine: Annotated[
        str,
        quantity(
            "Engine that serves the model; a version of vLLM plans for that version's own "
            "memory reservation.",
            label="Serving engine",
            team="infrastructure",
            control="choice",
            term="runtime-reserve",
            min_length=1,
            max_length=60,
        ),
    ] = "vllm"
    gpu_memory_utilization: Annotated[
        float,
        quantity(
            "Share of each GPU's memory that the engine may take.",
            label="GPU memory utilisation",
            unit="fraction",
            team="infrastructure",
            control="slider",
            term="gpu-memory-utilization",
            ge=0.5,
            le=0.98,
        ),
    ] = 0.9
    engine_max_sequences: Annotated[
        int | None,
        quantity(
            "The engine's own limit on sequences in one batch (vLLM: max_num_seqs); "
            "automatic is the engine's default for the GPU.",
            label="Engine batch limit",
            unit="sequence",
            team="infrastructure",
            control="number",
            term="batch",
            ge=1,
            le=10_000,
        ),
    ] = None
    engine_batched_tokens: Annotated[
        int | None,
        quantity(
            "Tokens the engine may process in one step (vLLM: max_num_batched_tokens); "
            "automatic is the engine's default for the GPU.",
            label="Tokens per engine step",
            unit="token",
            team="infrastructure",
            control="number",
            term="prefill",
            ge=128,
            le=1_048_576,
        ),
    ] = None


class Variant(Section):
    """A named difference from the scenario that carries it.

    >>> Variant(name="long", changes={"workload.context_tokens": 131072}).changes
    (('workload.context_tokens', 131072),)
    """

    name: Annotated[str, Field(min_length=1, max_length=60)]
    changes: tuple[tuple[str, Scalar | Pairs | Rows], ...]

    @field_validator("changes", mode="before")
    @classmethod
    def _from_mapping(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            raise ValueError("must be a mapping of field paths to values")
        return tuple((key, _frozen(one)) for key, one in value.items())

    @field_serializer("changes")
    def _to_mapping(self, value: tuple[tuple[str, Scalar | Pairs | Rows], ...]) -> dict[str, Any]:
        return {key: _thawed(one) for key, one in value}


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple(value.items())
    if isinstance(value, list | tuple):
        return tuple(tuple(row.items()) if isinstance(row, dict) else row for row in value)
    return value


def _thawed(value: Any) -> Any:
    """Pairs are a mapping, rows a list of mappings; nothing at all is an empty mapping."""
    if not isinstance(value, tuple):
        return value
    if value and all(isinstance(row, tuple) and _is_row(row) for row in value):
        return [dict(row) for row in value]
    return dict(value)


def _is_row(row: tuple[Any, ...]) -> bool:
    return all(isinstance(pair, tuple) and len(pair) == 2 for pair in row)
