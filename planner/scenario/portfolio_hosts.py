"""A row of the fleet's table of hosts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import field_validator
from pydantic_core import PydanticCustomError

from planner.scenario.fields import Section, quantity


class HostGroup(Section):
    """Equal hosts, and how their GPUs may be carved.

    >>> HostGroup(name="Sliced", carving="mig").gpus
    8
    """

    @field_validator("gpus", "numa_nodes", mode="before")
    @classmethod
    def _true_is_not_one(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise PydanticCustomError("int_type", "not a number")
        return value

    name: Annotated[
        str,
        quantity(
            "What the group is called; hosts are numbered after it.",
            label="Name",
            control="text",
            min_length=1,
            max_length=40,
        ),
    ]
    gpu: Annotated[
        str,
        quantity(
            "An accelerator of the catalogue; empty for this scenario's own.",
            label="GPU",
            team="infrastructure",
            control="search",
            term="gpu",
            max_length=200,
        ),
    ] = ""
    gpus: Annotated[
        Literal[1, 2, 3, 4, 6, 8, 10, 16],
        quantity(
            "GPUs in one host.",
            label="GPUs each",
            unit="gpu",
            team="infrastructure",
            control="choice",
            term="host",
        ),
    ] = 8
    count: Annotated[
        int,
        quantity(
            "Hosts of this group.",
            label="Hosts",
            unit="1",
            team="infrastructure",
            control="slider",
            term="host",
            ge=1,
            le=256,
        ),
    ] = 2
    carving: Annotated[
        Literal["whole", "mig", "vgpu same size", "vgpu mixed size", "time slices", "mps"],
        quantity(
            "How a GPU may be divided; whole GPUs can be had in every way.",
            label="Carved by",
            team="infrastructure",
            control="choice",
            term="mig",
        ),
    ] = "whole"
    cpu_cores: Annotated[
        int,
        quantity(
            "Physical cores of one host.",
            label="Cores",
            unit="core",
            team="infrastructure",
            control="slider",
            term="host",
            ge=4,
            le=1024,
        ),
    ] = 128
    memory_gib: Annotated[
        int,
        quantity(
            "Memory of one host.",
            label="Memory",
            unit="GiB",
            team="infrastructure",
            control="log slider",
            term="host",
            ge=32,
            le=16384,
        ),
    ] = 2048
    numa_nodes: Annotated[
        Literal[1, 2, 4, 8],
        quantity(
            "NUMA nodes, usually the processors; GPUs are divided evenly among them.",
            label="NUMA nodes",
            unit="1",
            team="infrastructure",
            control="choice",
            term="numa",
        ),
    ] = 2
    nvlink_gpus: Annotated[
        int,
        quantity(
            "GPUs that share one NVLink domain; 0 takes the GPU's usual one.",
            label="NVLink domain",
            unit="gpu",
            team="infrastructure",
            control="slider",
            term="nvlink-domain",
            ge=0,
            le=16,
        ),
    ] = 0
