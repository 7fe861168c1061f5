"""One replica under load, in the shapes of the search: candidates, then points along an axis."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np

from planner.serving.curve import SpeedCurve, along, take_points
from planner.serving.level import BINDING, ServiceResult, ServiceTarget, Traffic
from planner.serving.queueing import (
    conditional_wait_s,
    erlang_c,
    machine_repair,
    wait_percentile_s,
)

NONE, TTFT, TPOT, SLOTS, PREFILL = range(len(BINDING))


class Replica:
    """A curve with its traffic, in the shapes of the search: candidates, then points."""

    __slots__ = ("curve", "traffic", "lead", "limit", "most", "full_s", "total_s", "think_s")

    @classmethod
    def of(cls, curve: SpeedCurve, traffic: Traffic) -> Replica:
        self = cls()
        gaps = np.asarray(traffic.output_tokens, dtype=float)[..., None] - 1.0
        total = curve.ttft_s + gaps * curve.tpot_s
        # Times of exactly 0 have no rate; a nanosecond is as good.
        self.curve, self.traffic, self.total_s = curve, traffic, np.maximum(total, 1e-9)
        self.limit = self._peak()
        spreads = (traffic.arrival_cv2, traffic.service_cv2, traffic.prefill_cv2)
        others = map(np.shape, (curve.prefill_s, traffic.think_s, *spreads))
        self.lead = np.broadcast_shapes(self.limit.shape[:-1], *others)
        self.think_s = np.asarray(traffic.think_s, dtype=float)[..., None]
        (self.full_s,) = along(curve.in_flight, (self.total_s,), np.maximum(self.limit, 1.0))
        self.most = self.limit / self.full_s
        return self

    def _peak(self) -> np.ndarray:
        """The limit, or the smaller batch beyond which a larger one finishes fewer requests."""
        speed = self.curve.in_flight / self.total_s
        falls = np.diff(speed, axis=-1) < 0
        if not falls.any():
            return self.curve.limit[..., None] + np.zeros(self.total_s.shape[:-1] + (1,))
        first = np.where(falls.any(-1), falls.argmax(-1), falls.shape[-1])[..., None]
        grid = np.broadcast_to(self.curve.in_flight, first.shape[:-1] + speed.shape[-1:])
        return np.minimum(self.curve.limit[..., None], take_points(grid, first))

    def found(self, held: Any) -> np.ndarray:
        """The batch that an arriving request finds, itself included."""
        return np.minimum(held + 1.0, np.maximum(self.limit, 1.0))

    def residence(self, held: Any) -> np.ndarray:
        return along(self.curve.in_flight, (self.total_s,), self.found(held))[0]

    def sources(self, rate: Any, held: Any) -> np.ndarray | None:
        """People behind a rate, or None when they cannot be counted."""
        if self.traffic.is_open:
            return None
        return np.maximum(rate * self.think_s + held, 1.0)

    def slot_wait(self, rate: Any, sources: Any) -> tuple[np.ndarray, np.ndarray]:
        """Share that waits for a slot, and the mean wait of those."""
        load = rate * self.full_s
        bursts = [np.asarray(cv2)[..., None] for cv2 in self._cv2()]
        if sources is None:
            each = conditional_wait_s(load, self.limit, self.full_s, *bursts)
            return erlang_c(load, self.limit), each
        waits, each = machine_repair(sources, self.full_s / self.think_s, self.limit)
        overload = load > self.limit * (1.0 + 1e-9)
        each = each * self.full_s * (bursts[0] + bursts[1]) / 2.0
        return np.where(overload, 1.0, waits), np.where(overload, np.inf, each)

    def _cv2(self) -> tuple[Any, Any]:
        return self.traffic.arrival_cv2, self.traffic.service_cv2

    def prefill_wait_s(self, rate: Any, percentile_fraction: float | None) -> np.ndarray:
        """Waiting for the prefill engine, M/G/1."""
        each = self.curve.prefill_s[..., None]
        busy = rate * each
        arrivals, prompts = (
            np.asarray(cv2)[..., None]
            for cv2 in (self.traffic.arrival_cv2, self.traffic.prefill_cv2)
        )
        waited = conditional_wait_s(busy, 1.0, each, arrivals, prompts)
        return wait_percentile_s(np.minimum(busy, 1.0), waited, percentile_fraction)

    def longer_prompt_s(self, percentile_fraction: float | None, ttft: Any) -> Any:
        """What a prompt at the percentile of log-normal lengths takes beyond the mean one."""
        if percentile_fraction is None:
            return 0.0
        spread = np.log1p(np.asarray(self.traffic.prefill_cv2, dtype=float))[..., None]
        score = NormalDist().inv_cdf(percentile_fraction)
        longer = np.maximum(np.expm1(score * np.sqrt(spread) - spread / 2.0), 0.0)
        return longer * np.minimum(self.curve.prefill_s[..., None], ttft)


def in_flight(replica: Replica, rate: np.ndarray) -> np.ndarray:
    """The root of N = rate T(N + 1) on the piecewise linear curve, at most the limit."""
    grid, total = replica.curve.in_flight, replica.total_s
    over = (grid - 1.0) - rate * total
    above = over >= 0
    right = np.where(above.any(-1), above.argmax(-1), over.shape[-1] - 1)[..., None]
    left = np.maximum(right - 1, 0)
    y0, y1 = take_points(over, left), take_points(over, right)
    x0, x1 = (take_points(np.broadcast_to(grid, over.shape), index) for index in (left, right))
    share = np.where(y1 > y0, -y0 / np.where(y1 > y0, y1 - y0, 1.0), 1.0)
    found = x0 + (x1 - x0) * np.clip(share, 0.0, 1.0)
    inside = above.any(-1)[..., None] & (found <= replica.limit)
    return np.where(inside, found - 1.0, np.minimum(rate * replica.full_s, replica.limit))


def experience(
    replica: Replica, target: ServiceTarget, held: np.ndarray, rate: np.ndarray
) -> ServiceResult:
    share, sources = target.percentile_fraction, replica.sources(rate, held)
    seen = held
    if share is not None:
        spread = held if sources is None else held * np.maximum(1.0 - held / sources, 0.0)
        seen = np.minimum(held + NormalDist().inv_cdf(share) * np.sqrt(spread), replica.limit)
    curve = replica.curve
    ttft, tpot = along(curve.in_flight, (curve.ttft_s, curve.tpot_s), replica.found(seen))
    ttft = ttft + replica.longer_prompt_s(share, ttft)
    with np.errstate(over="ignore"):
        busy = rate / np.where(replica.most > 0, replica.most, 1.0)
    busy = np.where(replica.most > 0, busy, np.inf)
    prefill = rate * curve.prefill_s[..., None]
    slots = np.where(
        busy > 1.0 + 1e-9, np.inf, wait_percentile_s(*replica.slot_wait(rate, sources), share)
    )
    queue = replica.prefill_wait_s(rate, share)
    waiting = slots + queue
    worst = np.where(slots > np.maximum(ttft, queue), SLOTS, TTFT)
    worst = np.where(queue > np.maximum(ttft, slots), PREFILL, worst)
    late = ttft + waiting > np.asarray(target.ttft_s)[..., None]
    slow = tpot > np.asarray(target.tpot_s)[..., None]
    binding = np.where(slow, TPOT, np.where(late, worst, NONE))
    binding = np.where(busy > 1.0 + 1e-9, SLOTS, np.where(prefill >= 1.0, PREFILL, binding))
    return ServiceResult(
        rate + np.zeros_like(waiting),
        held + np.zeros_like(waiting),
        waiting,
        ttft + waiting,
        tpot + np.zeros_like(waiting),
        np.maximum(busy, prefill),
        binding,
    )
