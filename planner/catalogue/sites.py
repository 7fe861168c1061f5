"""Where hardware stands: grids, what a building adds to the power, and kinds of hosts.

Three tables: ``data/grids.csv``, ``data/pue.csv`` and ``data/host_kinds.csv``.
A range is three numbers, ``low <= value <= high``.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from planner.catalogue.records import Accelerator, Source
from planner.catalogue.tables import Row, read_rows
from planner.errors import MissingData


@dataclass(frozen=True, slots=True)
class Grid:
    """Electricity of one country, province or state."""

    id: str
    """Country of two letters, with a hyphen and the province or state where it is one."""
    name: str
    country: str
    """ISO 3166-1 code of two letters."""
    gco2e_per_kwh: float
    """Average of the year's generation [gCO2e/kWh]."""
    year: int
    """Year that the carbon intensity is of [1]."""
    electricity_low: float
    """A large customer's price; not-a-number when none was found [USD/kWh]."""
    electricity: float
    """Price of a customer in between [USD/kWh]."""
    electricity_high: float
    """A small customer's price [USD/kWh]."""
    water_l_per_kwh: float
    """Water that generation consumes; not-a-number when none was found [L/kWh]."""
    source: Source
    electricity_source: Source
    water_source: Source
    note: str = ""
    electricity_note: str = ""

    @property
    def is_priced(self) -> bool:
        """Whether a price of electricity was found; else the user's own is needed."""
        return math.isfinite(self.electricity)


@dataclass(frozen=True, slots=True)
class PueRow:
    """What a kind of place or a provider adds to the power of its computers."""

    id: str
    name: str
    kind: str
    """``own room``, ``colocation`` or ``hyperscaler``."""
    low: float
    """Facility power over IT power [1]."""
    value: float
    """Facility power over IT power [1]."""
    high: float
    """Facility power over IT power [1]."""
    water_l_per_kwh: float
    """Water that cooling evaporates per kWh of IT energy; not-a-number when unknown [L/kWh]."""
    source: Source
    note: str = ""


@dataclass(frozen=True, slots=True)
class HostKind:
    """A kind of GPU server: its size, its processors, and its power without the GPUs."""

    id: str
    name: str
    form_factors: tuple[str, ...]
    """Beginnings of the GPUs' form factors that it takes."""
    rack_units: int
    """Height [1]."""
    maximum_gpus: int
    """GPUs that fit [gpu]."""
    sockets: int
    """Processors [1]."""
    cores_per_socket: int
    """Typical cores of each processor [core]."""
    idle_w_low: float
    """Low end of the power when idle [W]."""
    idle_w: float
    """Power of everything but the GPUs when idle [W]."""
    idle_w_high: float
    """High end of the power when idle [W]."""
    full_w_low: float
    """Low end of the power with every GPU busy [W]."""
    full_w: float
    """Power of everything but the GPUs when all of them are busy [W]."""
    full_w_high: float
    """High end of the power with every GPU busy [W]."""
    source: Source
    idle_source: Source
    note: str = ""
    idle_note: str = ""

    def takes(self, form_factor: str) -> bool:
        """Whether GPUs of this form factor fit.

        Parameters
        ----------
        form_factor : str

        Returns
        -------
        bool
        """
        return form_factor.startswith(self.form_factors)


Record = TypeVar("Record", Grid, PueRow, HostKind)


class SiteTables:
    """The part of the catalogue that says where hardware stands; read when first asked for."""

    folder: Path

    @cached_property
    def grids(self) -> Mapping[str, Grid]:
        """Grids by id; see :func:`find_grid`."""
        return read_grids(self.folder / "grids.csv")

    @cached_property
    def pue(self) -> Mapping[str, PueRow]:
        """What buildings add to the power of computers, by id."""
        return read_pue(self.folder / "pue.csv")

    @cached_property
    def host_kinds(self) -> Mapping[str, HostKind]:
        """Kinds of GPU servers by id; see :func:`host_kind_for`."""
        return read_host_kinds(self.folder / "host_kinds.csv")


def read_grids(path: Path) -> dict[str, Grid]:
    """Grids by id.

    Parameters
    ----------
    path : Path
        ``grids.csv``.

    Returns
    -------
    dict of str to Grid

    Source: each row's own; electricity and water have sources of their own.

    >>> from planner.catalogue.catalogue import find_data
    >>> grids = read_grids(find_data() / "grids.csv")
    >>> grids["de"].country, grids["us-va"].year, grids["jp"].is_priced
    ('DE', 2023, False)
    """
    return _by_id(path, _grid)


def read_pue(path: Path) -> dict[str, PueRow]:
    """What buildings add to the power of computers, by id.

    Parameters
    ----------
    path : Path
        ``pue.csv``.

    Returns
    -------
    dict of str to PueRow

    Source: each row's own.

    >>> from planner.catalogue.catalogue import find_data
    >>> read_pue(find_data() / "pue.csv")["colocation"].value
    1.42
    """
    return _by_id(path, _pue)


def read_host_kinds(path: Path) -> dict[str, HostKind]:
    """Kinds of GPU servers by id.

    Parameters
    ----------
    path : Path
        ``host_kinds.csv``.

    Returns
    -------
    dict of str to HostKind

    Source: each row's own; idle power has a source of its own.

    >>> from planner.catalogue.catalogue import find_data
    >>> list(read_host_kinds(find_data() / "host_kinds.csv"))
    ['hgx', 'pcie', 'nvl72']
    """
    return _by_id(path, _host_kind)


def find_grid(grids: Mapping[str, Grid], name: str) -> Grid:
    """The grid with this id or name; case, blanks and hyphens do not matter.

    Parameters
    ----------
    grids : mapping of str to Grid
    name : str

    Returns
    -------
    Grid

    Raises :class:`MissingData` with the nearest ids when there is none.

    >>> from planner.catalogue import load_catalogue
    >>> grids = load_catalogue().grids
    >>> find_grid(grids, "Germany").id, find_grid(grids, "US VA").name
    ('de', 'United States, Virginia')
    >>> find_grid(grids, "Germania")
    Traceback (most recent call last):
        ...
    planner.errors.MissingData: There is no grid 'Germania'; the nearest are ...
    """
    if name in grids:
        return grids[name]
    wanted = _plain(name)
    names: dict[str, Grid] = {_plain(one.id): one for one in grids.values()}
    for one in grids.values():
        names.setdefault(_plain(one.name), one)
    if wanted not in names:
        close = [names[key] for key in difflib.get_close_matches(wanted, names, n=3, cutoff=0.6)]
        near = ", ".join(f"{one.id} ({one.name})" for one in close)
        raise MissingData(
            f"There is no grid {name!r}; {f'the nearest are {near}' if near else 'none is near it'}"
            "; use a country's two letters such as de, or a state such as us-va."
        )
    return names[wanted]


def host_kind_for(accelerator: Accelerator, kinds: Mapping[str, HostKind]) -> HostKind:
    """The kind of server that takes a GPU, by its form factor.

    Parameters
    ----------
    accelerator : Accelerator
    kinds : mapping of str to HostKind

    Returns
    -------
    HostKind

    Raises :class:`MissingData` for a form factor that is unknown or sold only in clouds.

    >>> from planner.catalogue import load_catalogue
    >>> catalogue = load_catalogue()
    >>> host_kind_for(catalogue.accelerator("h100-sxm-80gb"), catalogue.host_kinds).id
    'hgx'
    >>> host_kind_for(catalogue.accelerator("l40s-48gb"), catalogue.host_kinds).id
    'pcie'
    """
    for kind in kinds.values():
        if kind.takes(accelerator.form_factor):
            return kind
    form = accelerator.form_factor or "unknown"
    raise MissingData(
        f"{accelerator.name}: no host is known for it (form factor: {form}), so its purchase "
        "cannot be planned; choose a GPU on a PCIe card, an SXM or an OAM board, or rent it."
    )


def _by_id(path: Path, record: Callable[[Row], Record]) -> dict[str, Record]:
    found: dict[str, Record] = {}
    for row in read_rows(path):
        one = record(row)
        if one.id in found:
            raise row.fault("id", "unique")
        found[one.id] = one
    return found


def _range(row: Row, low: str, value: str, high: str) -> tuple[float, float, float]:
    """Three numbers in order; all unknown when the value is blank."""
    numbers = row.number(low), row.number(value), row.number(high)
    if any(map(math.isfinite, numbers)) and not numbers[0] <= numbers[1] <= numbers[2]:
        raise row.fault(value, f"between {low} and {high}")
    return numbers


def _source(row: Row, prefix: str) -> Source:
    """The provenance in columns with a prefix, the licence included."""
    return replace(row.source(prefix), licence=row.text(f"{prefix}licence"))


def _grid(row: Row) -> Grid:
    low, value, high = _range(row, "electricity_low", "electricity", "electricity_high")
    return Grid(
        id=row.required("id"),
        name=row.required("name"),
        country=row.required("country"),
        gco2e_per_kwh=_known(row, "gco2e_per_kwh"),
        year=row.whole("year"),
        electricity_low=low,
        electricity=value,
        electricity_high=high,
        water_l_per_kwh=row.number("water_l_per_kwh"),
        source=row.source(),
        electricity_source=_source(row, "electricity_"),
        water_source=_source(row, "water_"),
        note=row.text("note"),
        electricity_note=row.text("electricity_note"),
    )


def _pue(row: Row) -> PueRow:
    low, value, high = _range(row, "low", "value", "high")
    if not low >= 1:
        raise row.fault("low", "at least 1")
    return PueRow(
        id=row.required("id"),
        name=row.required("name"),
        kind=row.required("kind"),
        low=low,
        value=value,
        high=high,
        water_l_per_kwh=row.number("water_l_per_kwh"),
        source=row.source(),
        note=row.text("note"),
    )


def _host_kind(row: Row) -> HostKind:
    idle = _range(row, "idle_w_low", "idle_w", "idle_w_high")
    full = _range(row, "full_w_low", "full_w", "full_w_high")
    # A draw of idle power and one of full power then never change places.
    if not idle[2] <= full[0]:
        raise row.fault("idle_w_high", "at most full_w_low")
    return HostKind(
        id=row.required("id"),
        name=row.required("name"),
        form_factors=row.names("form_factors"),
        rack_units=row.whole("rack_units"),
        maximum_gpus=row.whole("maximum_gpus"),
        sockets=row.whole("sockets"),
        cores_per_socket=row.whole("cores_per_socket"),
        idle_w_low=idle[0],
        idle_w=idle[1],
        idle_w_high=idle[2],
        full_w_low=full[0],
        full_w=full[1],
        full_w_high=full[2],
        source=row.source(),
        idle_source=row.source("idle_"),
        note=row.text("note"),
        idle_note=row.text("idle_note"),
    )


def _known(row: Row, column: str) -> float:
    number = row.number(column)
    if not number >= 0:
        raise row.fault(column, "a number of 0 or more")
    return number


def _plain(name: str) -> str:
    """A name as it is compared: lower case, letters and digits only."""
    return "".join(letter for letter in name.lower() if letter.isalnum())
