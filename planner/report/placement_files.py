"""A placement as files for the tools that carry it out: a table, MIG, Kubernetes, vSphere."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from planner.placement import Geometry, Placement, Seat
from planner.placement.refusal import WORDS
from planner.report.kubernetes_requests import kubernetes_yaml
from planner.report.mig_config import mig_parted_yaml
from planner.report.powercli import powercli_script
from planner.report.quoting import spreadsheet_cell
from planner.scenario.portfolio_rows import FleetWorkload
from planner.units import gib

HEAD = (
    "workload",
    "piece",
    "placed",
    "host",
    "host kind",
    "rack",
    "GPUs (index from 0)",
    "carving",
    "profile",
    "start slot",
    "GPU memory (GiB)",
    "cores",
    "host memory (GiB)",
    "asked for",
    "refused by",
)


def placement_csv(placement: Placement, words: Mapping[str, str] = WORDS) -> str:
    """One row for each piece, placed or not.

    Parameters
    ----------
    placement : Placement
    words : mapping of str to str
        What people read instead of the name of a limit.

    Returns
    -------
    str
        With CRLF line ends; memory in GiB, that of all its GPUs together.

    Source: RFC 4180.

    >>> from planner.placement import Ask, Fleet, Piece
    >>> one = Piece("chat/1", "chat", (Ask("h100-sxm-80gb/mig", "1g.10gb"),), 2.0, 2.0**34)
    >>> print(placement_csv(Placement(Fleet(()), (one,), (), "group", refusals=((0, "GPU kind"),))))
    ... # doctest: +NORMALIZE_WHITESPACE
    workload,piece,placed,host,host kind,rack,GPUs (index from 0),carving,profile,start slot,GPU
    memory (GiB),cores,host memory (GiB),asked for,refused by
    chat,chat/1,no,,,,,,,,,2,16,1 × 1g.10gb of h100-sxm-80gb/mig,no host has a GPU that it can use
    """
    refusals = dict(placement.refusals)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(HEAD)
    for at, piece in enumerate(placement.pieces):
        seat = placement.seat_of.get(at)
        refused = "" if seat else words.get(refusals.get(at, ""), refusals.get(at, ""))
        row = [
            piece.workload,
            piece.id,
            "yes" if seat else "no",
            *_place(placement, seat),
            _rounded(piece.cpu_cores),
            _rounded(gib(piece.memory_bytes)),
            "; ".join(f"{ask.gpus} × {ask.profile} of {ask.geometry}" for ask in piece.asks),
            refused,
        ]
        writer.writerow([spreadsheet_cell(cell) for cell in row])
    return text.getvalue()


def placement_files(
    placement: Placement, title: str, rows: Sequence[FleetWorkload] = ()
) -> tuple[tuple[str, str, str], ...]:
    """The files that a placement can be taken along as; only those that apply.

    Parameters
    ----------
    placement : Placement
    title : str
        Of the plan.
    rows : sequence of FleetWorkload
        What the workloads are and their priority; without them, what must restart is taken for a
        service and the rest for jobs.

    Returns
    -------
    tuple of tuple
        Each with file name, media type and text.

    Source: the functions of each file.

    >>> from planner.placement import Fleet
    >>> placement_files(Placement(Fleet(()), (), (), "group"), "empty")
    ()
    """
    if not placement.pieces:
        return ()
    files = (
        ("placement.csv", "text/csv", placement_csv(placement)),
        ("mig-config.yaml", "application/yaml", mig_parted_yaml(placement, title)),
        ("kubernetes.yaml", "application/yaml", kubernetes_yaml(placement, title, rows)),
        ("vsphere.ps1", "text/plain", powercli_script(placement, title)),
    )
    return tuple(one for one in files if one[2])


def _place(placement: Placement, seat: Seat | None) -> list[Any]:
    if seat is None:
        return [""] * 8
    host = placement.fleet.hosts[seat.host]
    return [
        host.id,
        host.kind,
        host.rack,
        " ".join(str(gpu) for gpu in seat.gpus),
        host.geometry.carving,
        seat.profile,
        seat.start,
        _rounded(gib(_memory_bytes(host.geometry, seat))),
    ]


def _memory_bytes(geometry: Geometry, seat: Seat) -> float:
    return len(seat.gpus) * geometry.by_name[seat.profile].memory_bytes


def _rounded(value: float) -> float | int:
    """Two decimals are enough for people, and none where none are needed."""
    short = round(value, 2)
    return int(short) if short == int(short) else short
