"""Which limit keeps a piece from every host."""

from __future__ import annotations

from planner.placement._fleet_state import FleetState
from planner.placement._gpu_states import EMPTY, WHOLE
from planner.placement._host_states import HostState
from planner.placement.question import Kind

LIMITS = (
    "anti-affinity",
    "affinity",
    "licences",
    "rack power",
    "NUMA node",
    "CPU cores",
    "host memory",
    "NVLink domain",
    "one size per GPU",
    "GPU slots",
    "whole GPUs",
    "GPU kind",
)
"""What can refuse a piece; where several do, the first, which is the cheapest to mend."""


def refusing_limit(state: FleetState, number: int) -> str:
    """The limit that is nearest to letting a piece in.

    Every host has a set of limits that each refuse the piece by itself. The hosts with the
    fewest are the nearest; of their limits the first of :data:`LIMITS` is named.

    Parameters
    ----------
    state : FleetState
    number : int [1]
        Kind of the piece.

    Returns
    -------
    str
        [text]

    Source: our own method; no publication.

    >>> from planner.placement._host_states import HostStates
    >>> from planner.placement.policies import score_of
    >>> from planner.placement.question import question
    >>> from planner.placement.records import Fleet, Piece
    >>> asked = question(Fleet(()), (Piece("chat/1", "chat", ()),), True)
    >>> refusing_limit(FleetState(HostStates(asked, score_of("group", asked))), 0)
    'GPU kind'
    """
    nearest = [LIMITS[-1]] * len(LIMITS)
    seen = set()
    for host, one in enumerate(state.hosts):
        key = (id(one), state.rack_of[host], state.at_home(host, number))
        if key in seen:
            continue
        seen.add(key)
        found = _refusing(state, host, number)
        if len(found) == len(nearest):
            nearest = min(nearest, found, key=lambda few: min(map(LIMITS.index, few)))
        elif len(found) < len(nearest):
            nearest = found
    return min(nearest, key=LIMITS.index)


def _refusing(state: FleetState, host: int, number: int) -> list[str]:
    one, book = state.hosts[host], state.book
    kind = book.asked.kinds[number]
    ask = book.ask(number, one.host)
    if ask is None:
        # Nothing about this host would help, so it is the farthest.
        return [LIMITS[-1]] * len(LIMITS)
    found = _resources(one, kind, ask[1])
    found += ["affinity"] * (not state.at_home(host, number))
    found += _gpus(one, *ask)
    if not found:
        found += ["NUMA node"] * (book.option(one, number) is None)
    return found or _shared(state, host, number)


def _resources(one: HostState, kind: Kind, gpus: int) -> list[str]:
    found = ["CPU cores"] * (kind.cores > one.cores)
    found += ["host memory"] * (kind.memory > one.memory)
    found += ["anti-affinity"] * (not kind.conflicts.isdisjoint(one.guests))
    return found


def _gpus(one: HostState, profile: int, count: int) -> list[str]:
    host, states = one.host, one.host.states
    if profile == states.whole or count > 1:
        if count > min(host.domain, host.gpus) and count > 1:
            return ["NVLink domain"]
        empty = [g for g, state in enumerate(one.gpus) if state == EMPTY]
        domains = [host.domain_of[g] for g in empty]
        if any(domains.count(d) >= count for d in set(domains)):
            return []
        return ["NVLink domain" if len(empty) >= count else "whole GPUs"]
    if any(state != WHOLE and states.after(state, profile) >= 0 for state in one.gpus):
        return []
    size, slots = states.geometry.profiles[profile].size, states.geometry.slots
    room = any(slots - states.used[state] >= size for state in one.gpus)
    return ["one size per GPU" if room and states.geometry.same_size else "GPU slots"]


def _shared(state: FleetState, host: int, number: int) -> list[str]:
    option = state.book.option(state.hosts[host], number)
    rack = state.rack_of[host]
    found = []
    if rack and option.power_w > state.rack_left_w[rack]:
        found.append("rack power")
    if state.licences is not None and option.carved > state.licences:
        found.append("licences")
    return found
