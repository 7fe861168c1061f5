"""Requests one by one through replicas: the check on the closed forms, and the tail they miss.

All requests that decode on a replica advance at the same speed, so each replica keeps one clock
of tokens served per request; a request finishes when that clock reaches a value known when its
decode begins. A change of batch changes the clock's speed and one pending event, not every
request.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np

from planner.errors import InvalidScenario
from planner.serving.curve import SpeedCurve
from planner.serving.request_log import Requests

_REPORTS, _REPORT_EVERY = 20, 20_000
"""Reports of progress in a run at least, and most arrivals and answers between two of them: some
ten a second."""
_FIRST_TOKEN, _FINISH = 0, 1


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """What each request experienced, in order of arrival, and the fleet's averages.

    A request that no replica can hold (its tokens exceed the pool) is turned away: its times are
    infinite and the averages leave it out.

    >>> SimulationResult.__slots__[:2]
    ('waiting_s', 'ttft_s')
    """

    waiting_s: np.ndarray
    """Waiting for a slot and for the prefill engine [s]."""
    ttft_s: np.ndarray
    """Time to the first token, waiting included [s]."""
    tpot_s: np.ndarray
    """Time per output token after the first; 0 for answers of one token [s]."""
    finish_s: np.ndarray
    """When the answer is complete [s]."""
    served: np.ndarray
    """1 where the request was served, 0 where it was turned away [1]."""
    duration_s: float
    """From the first arrival to the last answer [s]."""
    mean_in_flight: float
    """Resident requests, averaged over time and summed over replicas [request]."""
    mean_waiting: float
    """Requests without a slot, averaged over time and summed over replicas [request]."""
    utilisation_fraction: float
    """Resident requests over slots, averaged over time [fraction]."""

    def percentiles(
        self, percentile_fraction: float | None, skip_requests: int = 0
    ) -> tuple[float, float, float]:
        """Wait, time to first token and time per output token at one percentile.

        Parameters
        ----------
        percentile_fraction : float or None [fraction]
            ``None`` is the mean.
        skip_requests : int [request]
            Left out at the start, when the replicas were still empty.

        Returns
        -------
        tuple of float [s]
        """
        found = []
        for values in (self.waiting_s, self.ttft_s, self.tpot_s):
            kept = values[skip_requests:][self.served[skip_requests:] > 0]
            if not len(kept):
                raise InvalidScenario(
                    "Simulation: no request was served after those skipped; use a longer log."
                )
            if percentile_fraction is None:
                found.append(float(kept.mean()))
            else:
                found.append(float(np.quantile(kept, percentile_fraction)))
        return tuple(found)


def simulate(
    requests: Requests,
    curve: SpeedCurve,
    *,
    replicas: int,
    curve_input_tokens: float,
    pool_tokens: float = np.inf,
    progress: Callable[[float], bool | None] | None = None,
) -> SimulationResult | None:
    """Run the requests through ``replicas`` equal replicas to the last answer.

    A request joins the replica with the fewest requests and queues there, first come first
    served, until a slot and its tokens are free. Then its prompt waits for the prefill engine;
    the first token comes ``TTFT(n)`` later, and tokens follow at ``TPOT(n)`` as the batch ``n``
    changes:

    .. math:: \\int \\frac{dt}{TPOT(n(t))} = O - 1

    Parameters
    ----------
    requests : Requests
    curve : SpeedCurve
        Of one candidate, without leading axes.
    replicas : int [replica]
    curve_input_tokens : float [token]
        Prompt for which the curve holds; prefill grows in proportion to each prompt, and the
        time to the first token by as much.
    pool_tokens : float [token]
        Tokens that one replica can hold; a request holds its prompt and answer from its start.
    progress : callable, optional
        Told the share of the work that is done, from 0 to 1; returns ``False`` to cancel.

    Returns
    -------
    SimulationResult
        ``None`` when cancelled.

    Source: processor sharing in virtual time, as in A. Demers, S. Keshav and S. Shenker, "Analysis
    and simulation of a fair queueing algorithm" (1989).

    >>> curve = SpeedCurve([1, 2], [0.5, 0.5], [0.1, 0.2], 0.5, 2)
    >>> one = simulate(Requests([0.0], [100], [11]), curve, replicas=1, curve_input_tokens=100)
    >>> float(one.ttft_s[0]), float(one.finish_s[0])
    (0.5, 1.5)
    """
    steps = simulation_steps(requests, curve, replicas, curve_input_tokens, pool_tokens)
    while True:
        try:
            share = next(steps)
        except StopIteration as end:
            return end.value
        if progress is not None and progress(share) is False:
            steps.close()
            return None


def simulation_steps(
    requests: Requests,
    curve: SpeedCurve,
    replicas: int,
    curve_input_tokens: float,
    pool_tokens: float = np.inf,
) -> Generator[float, None, SimulationResult]:
    """The simulation as a generator: yields progress, returns the result; close it to cancel.

    .. math:: progress = (arrived + answered) / (2 \\, all)

    Parameters
    ----------
    requests : Requests
    curve : SpeedCurve
        Of one candidate, without leading axes.
    replicas : int [replica]
    curve_input_tokens : float [token]
    pool_tokens : float [token]

    Returns
    -------
    generator of float [fraction]

    Source: see ``simulate``.

    >>> curve = SpeedCurve([1, 2], [0.5, 0.5], [0.1, 0.2], 0.5, 2)
    >>> list(simulation_steps(Requests([0.0], [100], [11]), curve, 1, 100))
    [0.0, 0.5, 1.0]
    """
    limit = int(curve.limit) if curve.limit.ndim == 0 else 0
    if curve.in_flight.ndim != 1 or limit < 1 or replicas < 1 or not curve_input_tokens > 0:
        raise InvalidScenario(
            "Simulation: give one replica's curve with at least one slot, one or more replicas, "
            "and the prompt length that the curve is for."
        )
    fleet = _Fleet(requests, curve, int(replicas), limit, curve_input_tokens, pool_tokens)
    yield 0.0
    yield from fleet.run()
    yield 1.0
    return fleet.result()


class _Replica:
    __slots__ = ("batch", "queue", "decoding", "clock", "since", "version", "prefill_free", "free")

    def __init__(self, pool_tokens: float) -> None:
        self.batch = 0
        self.queue: deque[int] = deque()
        self.decoding: list[tuple[float, int]] = []
        self.clock = self.since = self.prefill_free = 0.0
        self.version = 0
        self.free = pool_tokens


class _Fleet:
    """Events in one heap: (time, kind, request or version, replica); arrivals come from the log."""

    def __init__(
        self,
        requests: Requests,
        curve: SpeedCurve,
        replicas: int,
        limit: int,
        curve_input_tokens: float,
        pool_tokens: float,
    ) -> None:
        batches = np.maximum(np.arange(limit + 1), 1)
        self.log, self.limit, self.finite = requests, limit, np.isfinite(pool_tokens)
        # Lists of plain numbers: single elements of arrays are several times slower to reach.
        self.tpot = np.maximum(curve.tpot_at(batches), 1e-12).tolist()
        self.ttft = curve.ttft_at(batches).tolist()
        self.scale = (requests.input_tokens / curve_input_tokens).tolist()
        self.prefill = float(curve.prefill_s)
        self.held = requests.input_tokens + requests.output_tokens
        self.served = self.held <= pool_tokens
        self.held = self.held.tolist()
        self.todo = (requests.output_tokens - 1.0).tolist()
        self.waited, self.first, self.finish = (
            [np.inf] * len(self.todo) for _ in ("waited", "first", "finish")
        )
        self.fleet = [_Replica(pool_tokens) for _ in range(replicas)]
        self.loads = [0] * replicas
        self.events: list[tuple[float, int, int, int]] = []
        self.resident_s = 0.0
        self.done = 0

    def run(self) -> Generator[float, None, None]:
        events, loads, whole = self.events, self.loads, 2 * len(self.todo)
        every = min(_REPORT_EVERY, max(whole // _REPORTS, 1))
        due = every
        for request, now in enumerate(self.log.arrival_s.tolist()):
            while events and events[0][0] <= now:
                self._handle(*heappop(events))
            if self.served[request]:
                index = loads.index(min(loads)) if len(loads) > 1 else 0
                loads[index] += 1
                self.fleet[index].queue.append(request)
                self._admit(now, index)
            else:
                self.done += 1
            work = request + 1 + self.done
            if due <= work < whole:
                due = work + every
                yield work / whole
        while events:
            self._handle(*heappop(events))
            work = whole // 2 + self.done
            if due <= work < whole:
                due = work + every
                yield work / whole

    def _handle(self, now: float, kind: int, key: int, index: int) -> None:
        replica = self.fleet[index]
        if kind == _FIRST_TOKEN:
            self._advance(replica, now)
            heappush(replica.decoding, (replica.clock + self.todo[key], key))
            if replica.decoding[0][1] == key:
                self._plan(replica, index)
        elif key == replica.version:
            self._advance(replica, now)
            clock, request = heappop(replica.decoding)
            replica.clock = clock
            self.finish[request] = now
            self.done += 1
            replica.batch -= 1
            replica.free += self.held[request]
            self.loads[index] -= 1
            self._admit(now, index, changed=True)

    def _advance(self, replica: _Replica, now: float) -> None:
        passed = now - replica.since
        replica.clock += passed / self.tpot[replica.batch]
        self.resident_s += passed * replica.batch
        replica.since = now

    def _admit(self, now: float, index: int, changed: bool = False) -> None:
        """Give slots to the queue in order; the first that does not fit holds up the rest."""
        replica = self.fleet[index]
        queue = replica.queue
        while queue and replica.batch < self.limit and self.held[queue[0]] <= replica.free:
            request = queue.popleft()
            self._advance(replica, now)
            replica.batch += 1
            if self.finite:
                replica.free -= self.held[request]
            scale = self.scale[request]
            start = max(now, replica.prefill_free)
            replica.prefill_free = start + self.prefill * scale
            self.waited[request] = start
            longer = self.prefill * (scale - 1.0)
            self.first[request] = first = start + max(self.ttft[replica.batch] + longer, 0.0)
            heappush(self.events, (first, _FIRST_TOKEN, request, index))
            changed = True
        if changed:
            self._plan(replica, index)

    def _plan(self, replica: _Replica, index: int) -> None:
        """The replica's next finish at its present speed; earlier plans lapse."""
        replica.version += 1
        if replica.decoding:
            left = max(replica.decoding[0][0] - replica.clock, 0.0)
            when = replica.since + left * self.tpot[replica.batch]
            heappush(self.events, (when, _FINISH, replica.version, index))

    def result(self) -> SimulationResult:
        served, arrival = self.served, self.log.arrival_s
        start, first, finish = (
            np.asarray(values) for values in (self.waited, self.first, self.finish)
        )
        span = float(finish[served].max() - arrival[0]) if served.any() else 0.0
        tokens = np.asarray(self.todo)
        tpot = np.where(served, 0.0, np.inf)
        many = served & (tokens > 0)
        tpot[many] = (finish[many] - first[many]) / tokens[many]
        # Without a slot: all the time from arrival to answer that was not spent resident.
        total = float((finish[served] - arrival[served]).sum())
        over = 1.0 / span if span > 0 else 0.0
        return SimulationResult(
            waiting_s=start - arrival,
            ttft_s=first - arrival,
            tpot_s=tpot,
            finish_s=finish,
            served=served.astype(float),
            duration_s=span,
            mean_in_flight=self.resident_s * over,
            mean_waiting=max(total - self.resident_s, 0.0) * over,
            utilisation_fraction=self.resident_s * over / (self.limit * len(self.fleet)),
        )
