"""The hosts of a fleet while pieces come and go."""

from __future__ import annotations

from planner.placement._gpu_states import WHOLE
from planner.placement._host_states import HostState, HostStates, Option
from planner.placement.records import Seat

_SLACK_W = 1e-6


class FleetState:
    """Which state each host is in, and what the hosts share.

    >>> FleetState.__slots__[0]
    'book'
    """

    __slots__ = (
        "book",
        "hosts",
        "rack_of",
        "rack_left_w",
        "licences",
        "homes",
        "limited",
        "closed",
    )

    def __init__(self, book: HostStates) -> None:
        asked = book.asked
        self.book = book
        self.hosts: list[HostState] = [book.empty(c) for c in asked.class_of]
        racks = dict(asked.fleet.rack_w)
        self.rack_of = [h.rack if h.rack in racks else "" for h in asked.fleet.hosts]
        self.rack_left_w = racks
        self.licences = asked.fleet.licensed_gpus
        self.limited = bool(racks) or self.licences is not None
        self.homes: dict[str, list[int]] = {}
        self.closed: frozenset[int] = frozenset()

    def best(self, number: int) -> tuple[int, Option] | None:
        """Host and way that the policy likes best for a piece of a kind."""
        kind = self.book.asked.kinds[number]
        option = self.book.option
        best, found, at = None, None, -1
        hosts, closed = enumerate(self.hosts), self.closed
        if kind.together and self.homes.get(kind.together):
            home = self.homes[kind.together][0]
            hosts = ((home, self.hosts[home]),)
        for h, state in hosts:
            known = state.open
            one = known[number] if number in known else option(state, number)
            if one is None or (best is not None and one.score >= best) or h in closed:
                continue
            if self.limited and not self.allows(h, one):
                one = option(state, number, False)
                if one is None or not self.allows(h, one):
                    continue
                if best is not None and one.score >= best:
                    continue
            best, found, at = one.score, one, h
        return None if found is None else (at, found)

    def at_home(self, host: int, number: int) -> bool:
        """No piece that a kind must run beside is on another host."""
        home = self.homes.get(self.book.asked.kinds[number].together)
        return not home or home[0] == host

    def allows(self, host: int, option: Option) -> bool:
        """Power of the rack and licences suffice."""
        if self.licences is not None and option.carved > self.licences:
            return False
        rack = self.rack_of[host]
        return not rack or option.power_w <= self.rack_left_w[rack] + _SLACK_W

    def put(self, host: int, number: int, option: Option) -> None:
        """Take the option."""
        self._change(host, self.book.then(self.hosts[host], number, option))
        word = self.book.asked.kinds[number].together
        if word:
            self.homes.setdefault(word, []).append(host)

    def take(self, host: int, number: int, gpus: tuple[int, ...]) -> None:
        """Remove a piece of a kind; only where slices are not pinned."""
        self._change(host, self.book.without(self.hosts[host], number, gpus))
        word = self.book.asked.kinds[number].together
        if word:
            self.homes[word].remove(host)

    def _change(self, host: int, then: HostState) -> None:
        if self.limited:
            before = self.hosts[host]
            if self.licences is not None:
                self.licences += before.carved - then.carved
            if self.rack_of[host]:
                self.rack_left_w[self.rack_of[host]] += before.power_w - then.power_w
        self.hosts[host] = then

    def saved(self) -> tuple:
        """All that changes, to come back to."""
        homes = {word: list(hosts) for word, hosts in self.homes.items()}
        return list(self.hosts), dict(self.rack_left_w), self.licences, homes

    def restore(self, saved: tuple) -> None:
        """Come back to what was saved; once for each saving."""
        self.hosts, self.rack_left_w, self.licences, self.homes = saved

    def seat(self, piece: int, host: int, before: HostState, option: Option) -> Seat:
        """The seat of an option that was taken on a pinned state."""
        states = before.host.states
        profile = states.geometry.profiles[option.profile]
        start = 0
        if option.profile != states.whole:
            g = option.gpus[0]
            start = states.start(before.gpus[g], option.after)
        return Seat(piece, host, option.gpus, profile.name, start)

    def occupy(self, pieces: dict[int, Seat]) -> None:
        """Put running pieces where they already are."""
        book = self.book
        for i, seat in pieces.items():
            one, number = self.hosts[seat.host], book.asked.kind_of[i]
            states = one.host.states
            after = WHOLE
            if states.profile(seat.profile) != states.whole:
                here = (seat.start, states.profile(seat.profile))
                after = states.holding([*states.starts(one.gpus[seat.gpus[0]]), here])
            self.put(seat.host, number, book.holding(one, number, seat.gpus, after))
