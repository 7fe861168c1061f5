"""Tables of the fleet: every workload with its place, and every host with what is left of it."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

import numpy as np

from planner.catalogue import Catalogue
from planner.charts.figures import Spec
from planner.charts.fleet_looks import listed
from planner.placement import Placement
from planner.plan import Plan, Portfolio
from planner.plan.fleet_records import SizedWorkload
from planner.units import format_gib, format_number, plural

MOST_HOSTS = 200
"""Rows of the table of hosts; of more, those in use come first."""
KINDS = {
    "serving": "serving",
    "batch": "batch",
    "training": "training",
    "notebooks": "notebooks",
}
WAYS = {
    "unused": "nothing is lost",
    "restart": "yes, restarts on what is free",
    "re-pack": "yes, if others move",
}
"""What becomes of the work when a host is lost."""


def fleet_workloads(plan: Plan, catalogue: Catalogue) -> Spec:
    """Every workload: whose, what kind, its tool, whether and where it is placed, and for how long.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        A table, see :data:`planner.charts.TABLES`.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> fleet_workloads(evaluate(Scenario(), c), c)["rows"][0]["cells"][3]["text"]
    'yes'
    """
    found, said = plan.portfolio, plan.fleet
    rows = [_workload(found, one) for one in found.workloads]
    missing = [row["id"] for row in rows if row["look"] == "out"]
    caption = (
        f"{said.workloads_placed:.0f} of {plural(len(rows), 'workload')} "
        f"{'is' if len(rows) == 1 else 'are'} placed whole, {said.pieces_placed:,.0f} of "
        f"{plural(int(said.pieces), 'piece')}; the order is that of priority."
    )
    if missing:
        caption += f" Not whole: {listed(missing)}."
    if found.refusal:
        # What would help is said beside the verdict.
        first = next((one.reason for one in found.workloads if one.reason), "")
        caption += f" {first or found.first_refusal.sentence}"
    return {
        "heads": [
            {"text": "Workload"},
            {"text": "Kind", "few": True},
            {"text": "Tool"},
            {"text": "Placed"},
            {"text": "GPUs' worth", "number": True, "few": True},
            {"text": "For how long", "few": True},
            {"text": "What is known", "few": True},
        ],
        "rows": rows,
        "caption": caption if caption.endswith(".") else f"{caption}.",
    }


def fleet_hosts(plan: Plan, catalogue: Catalogue) -> Spec:
    """Every host: GPUs and slices in use, what is stranded, cores, memory, power, and its loss.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        A table, see :data:`planner.charts.TABLES`.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> [row["id"] for row in fleet_hosts(evaluate(Scenario(), c), c)["rows"]]
    ['host-1', 'host-2']
    """
    found, said = plan.portfolio, plan.fleet
    cores, memory = _promised(found)
    losses = {one.host: one for one in found.host_loss}
    order = list(range(len(found.fleet.hosts)))
    if len(order) > MOST_HOSTS:
        used = found.placement.hosts_used
        order = sorted(order, key=lambda h: (h not in used, h not in found.reserved, h))
    rows = []
    for host in order[:MOST_HOSTS]:
        rows.append(_host(found, catalogue, host, cores[host], memory[host], losses.get(host)))
    fails = [found.fleet.hosts[one.host].id for one in found.host_loss if not one.way]
    caption = (
        f"{said.hosts_used:.0f} of {plural(int(said.hosts), 'host')} "
        f"{'is' if said.hosts == 1 else 'are'} in use, {said.hosts_reserved:.0f} in reserve and "
        f"{said.hosts_free:.0f} not needed."
    )
    if fails:
        caption += f" Not everything comes back after the loss of {listed(fails)}."
    elif found.host_loss:
        caption += " What serves comes back after the loss of any one."
    if len(order) > MOST_HOSTS:
        caption += f" The first {MOST_HOSTS} are listed, those in use first."
    return {
        "heads": [
            {"text": "Host"},
            {"text": "GPUs in use", "number": True},
            {"text": "Slices", "number": True, "few": True},
            {"text": "Stranded", "number": True},
            {"text": "Cores", "number": True, "few": True},
            {"text": "Memory", "number": True, "few": True},
            {"text": "Power", "number": True, "few": True},
            {"text": "If it is lost"},
        ],
        "rows": rows,
        "caption": caption,
    }


def _workload(found: Portfolio, one: SizedWorkload) -> Spec:
    row: Spec = {"id": one.row.name, "name": one.row.name}
    name = {"text": one.row.name, "note": one.row.team}
    kind = {"text": KINDS[one.row.shape], "note": f"{one.row.priority} priority"}
    if one.tool is None:
        why = {"text": "no", "tone": "bad", "note": one.reason}
        return {**row, "look": "out", "cells": [name, kind, "–", why, "–", "–", "–"]}
    placed, where = _placed(found, one)
    wanted = len(one.pieces)
    whole = placed == wanted
    verdict: Spec = {
        "text": "yes" if whole else "no" if not placed else f"{placed:,} of {wanted:,}",
        "tone": "good" if whole else "bad",
        "note": where or _limit(found, one),
    }
    facts = "; ".join(f"{label.lower()} {value}" for label, value in one.facts)
    return {
        **row,
        "look": "" if whole else "out",
        "cells": [
            name,
            kind,
            {"text": one.tool.label, "note": one.tool.gpu_name},
            verdict,
            format_number(one.tool.gpu_equivalents),
            {"text": one.duration, "note": one.queue},
            {"text": one.basis.words, "note": facts},
        ],
    }


def _placed(found: Portfolio, one: SizedWorkload) -> tuple[int, str]:
    """Pieces with a seat by day or by night, and the hosts that they are on."""
    ids = {piece.id for piece in one.pieces}
    for placement, shift in ((found.placement, ""), (found.night, " by night")):
        if placement is None:
            continue
        mine = [i for i, piece in enumerate(placement.pieces) if piece.id in ids]
        if not mine:
            continue
        seats = [placement.seat_of[i] for i in mine if i in placement.seat_of]
        hosts = sorted({seat.host for seat in seats})
        names = listed((found.fleet.hosts[host].id for host in hosts), 2) if hosts else ""
        missing = len(mine) - len(seats)
        if missing:
            names = f"{names}; {_limits(placement, mine)}".strip("; ")
        return len(seats), f"{names}{shift}" if names else ""
    return 0, ""


def _limit(found: Portfolio, one: SizedWorkload) -> str:
    placement = found.night if one.row.when == "nights" and found.night else found.placement
    ids = {piece.id for piece in one.pieces}
    return _limits(placement, [i for i, piece in enumerate(placement.pieces) if piece.id in ids])


def _limits(placement: Placement, mine: list[int]) -> str:
    """What refused a workload's pieces most often."""
    wanted = set(mine)
    reasons = Counter(limit for piece, limit in placement.refusals if piece in wanted)
    return reasons.most_common(1)[0][0] if reasons else "no room is left"


def _promised(found: Portfolio) -> tuple[dict[int, float], dict[int, float]]:
    """Cores and memory promised on each host by day."""
    cores: dict[int, float] = defaultdict(float)
    memory: dict[int, float] = defaultdict(float)
    for seat in found.placement.seats:
        piece = found.pieces[seat.piece]
        cores[seat.host] += piece.cpu_cores
        memory[seat.host] += piece.memory_bytes
    return cores, memory


def _host(
    found: Portfolio, catalogue: Catalogue, index: int, cores: float, memory: float, loss
) -> Spec:
    host, taken = found.fleet.hosts[index], found.taken[index]
    used = sum(bool(gpu) for gpu in taken)
    slices = sum(profile != "whole" for gpu in taken for profile, _, _ in gpu)
    stranded = float(np.sum(found.stranded[index]))
    carving = "" if host.geometry.carving == "whole" else f", {host.geometry.carving}"
    label = catalogue.accelerator(host.geometry.gpu).label
    row: Spec = {"id": host.id, "name": host.id}
    name = {"text": host.id, "note": f"{host.gpus} × {label}{carving}"}
    if not used:
        kept = index in found.reserved
        words = "in reserve" if kept else "not needed"
        standing = {"text": words, "note": "kept for the loss of another host" if kept else ""}
        return {
            **row,
            "look": "" if kept else "out",
            "cells": [name, f"0 of {host.gpus}", "–", "–", "–", "–", "–", standing],
        }
    watts = host.base_w + used * host.gpu_w
    return {
        **row,
        "look": "",
        "cells": [
            name,
            f"{used} of {host.gpus}",
            str(slices) if slices else "–",
            format_gib(stranded) if stranded else "–",
            _share(cores, host.cpu_cores),
            _share(memory, host.memory_bytes),
            f"{format_number(watts / 1e3)} kW",
            _loss(loss),
        ],
    }


def _loss(loss) -> Spec:
    if loss is None:
        return {"text": "not asked", "note": "“Survive the loss of a host” is off"}
    if not loss.way:
        return {"text": "not all comes back", "tone": "bad", "note": listed(loss.fails)}
    return {"text": WAYS.get(loss.way, loss.way), "tone": "good"}


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f} %" if whole > 0 and math.isfinite(part) else "–"
