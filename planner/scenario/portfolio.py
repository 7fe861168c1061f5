"""Several teams on one fleet: the portfolio section of a scenario."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from unicodedata import category

from pydantic import field_serializer, field_validator

from planner.scenario.fields import Section, quantity
from planner.scenario.portfolio_hosts import HostGroup
from planner.scenario.portfolio_rows import FleetWorkload

MOST_WORKLOADS = 60
MOST_GROUPS = 20
MAIN = "this scenario"
"""What the workload of the scenario's other pages is called; no row may have the name."""
UNPRINTED = ("Cc", "Zl", "Zp")
"""Unicode's categories of control characters, and of separators of lines and paragraphs."""


class PortfolioSection(Section):
    """Whose workloads share which hosts, and by which rules.

    >>> PortfolioSection(workloads=({"name": "nightly", "shape": "batch"},)).workloads[0].window_h
    8.0
    """

    include_main: Annotated[
        bool,
        quantity(
            "The workload of this scenario's other pages is one of those that are placed.",
            label="With this scenario's own workload",
            control="switch",
            term="replica",
        ),
    ] = True
    workloads: Annotated[
        tuple[FleetWorkload, ...],
        quantity(
            "One row for each workload; of equal priority, the upper rows go first.",
            label="Workloads",
            control="rows",
            term="replica",
            max_length=MOST_WORKLOADS,
        ),
    ] = ()
    hosts: Annotated[
        tuple[HostGroup, ...],
        quantity(
            "One row for each group of equal hosts; empty takes this scenario's hosts at hand.",
            label="Hosts",
            team="infrastructure",
            control="rows",
            term="host",
            max_length=MOST_GROUPS,
        ),
    ] = ()
    placement: Annotated[
        Literal["fewest hosts", "spread", "group", "best fit", "fragmentation"],
        quantity(
            "How a place is chosen: all planned together for the fewest hosts, or one after the "
            "other: onto the emptiest GPU, onto the fullest that fits, onto the tightest fit, or "
            "where least is left that nobody can use.",
            label="Placement",
            team="infrastructure",
            control="choice",
            term="placement-policy",
        ),
    ] = "fewest hosts"
    n_plus_one: Annotated[
        bool,
        quantity(
            "What serves must still run after the loss of any one host.",
            label="Survive the loss of a host",
            team="infrastructure",
            control="switch",
            term="n-plus-one",
        ),
    ] = True
    cpu_overcommit: Annotated[
        float,
        quantity(
            "Virtual cores promised for each physical one; memory is always reserved in full.",
            label="Virtual cores a core",
            unit="1",
            team="infrastructure",
            control="slider",
            term="host",
            ge=1.0,
            le=6.0,
        ),
    ] = 1.0
    rack_kw: Annotated[
        float,
        quantity(
            "Power that one rack may draw; 0 for no limit.",
            label="Rack may draw",
            unit="kW",
            team="infrastructure",
            control="slider",
            term="rack-power",
            ge=0.0,
            le=200.0,
        ),
    ] = 0.0
    hosts_per_rack: Annotated[
        int,
        quantity(
            "Hosts that share a rack, in the order of the table.",
            label="Hosts in a rack",
            unit="1",
            team="infrastructure",
            control="slider",
            term="rack-power",
            ge=1,
            le=42,
        ),
    ] = 4
    licensed_gpus: Annotated[
        int | None,
        quantity(
            "GPUs that your licences allow to be carved; empty for all.",
            label="GPUs licensed for slices",
            unit="gpu",
            team="infrastructure",
            control="number",
            term="core-licence",
            ge=0,
            le=10_000,
        ),
    ] = None
    weeks: Annotated[
        int,
        quantity(
            "Weeks that the calendar shows.",
            label="Calendar",
            unit="week",
            control="slider",
            term="week-shape",
            ge=1,
            le=26,
        ),
    ] = 4
    orders: Annotated[
        int,
        quantity(
            "Orders of power-on that are tried.",
            label="Orders tried",
            unit="1",
            team="infrastructure",
            control="log slider",
            term="power-on-order",
            ge=20,
            le=10_000,
        ),
    ] = 500
    seed: Annotated[
        int,
        quantity(
            "The same seed tries the same orders.",
            label="Seed",
            unit="1",
            control="number",
            term="power-on-order",
            ge=0,
            le=2**31 - 1,
        ),
    ] = 1

    @field_validator("workloads", "hosts", mode="before")
    @classmethod
    def _rows(cls, value: Any) -> Any:
        if value == {}:  # how a variant writes a table without rows
            return ()
        if not isinstance(value, list | tuple):
            return value
        return tuple(dict(row) if isinstance(row, tuple) else row for row in value)

    @field_validator("workloads", "hosts")
    @classmethod
    def _names_differ(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        names = [row.name.strip().lower() for row in value]
        if "" in names:
            raise ValueError("must have a name in each row, and one is blank")
        if any(category(letter) in UNPRINTED for name in names for letter in name):
            raise ValueError("must have names of one line without control characters")
        if MAIN in names:
            raise ValueError(f"must not have a row named '{MAIN}', which is the other pages' own")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"must have different names; '{twice[0]}' is there twice")
        return value

    @field_serializer("workloads", "hosts")
    def _to_rows(self, value: tuple[Section, ...]) -> list[dict[str, Any]]:
        return [row.model_dump(exclude_defaults=True) for row in value]
