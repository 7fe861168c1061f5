"""The demand that a scenario describes: rates, lengths, peaks and hours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from planner.catalogue import Basis, load_trace, trace_ids, week_shapes
from planner.demand import (
    Demand,
    LogProfile,
    RequestTokens,
    demand,
    grown,
    hours_needed,
    peak_arrival_cv2,
    peak_rate,
    profile_from_text,
    profile_log,
    share_within,
)
from planner.errors import InvalidScenario
from planner.plan.answers import answer
from planner.plan.speed import Lengths
from planner.scenario import Scenario

UPLOADED = "uploaded"
"""The log's id when the user brought it."""


@dataclass(frozen=True, slots=True)
class DemandPlan:
    """Who asks for how much, and when."""

    busiest_per_s: float = answer(
        "Requests in the busiest hour",
        "request/s",
        "{scenario.demand.users} × {scenario.demand.active_fraction} × "
        "{scenario.demand.requests_per_hour} / 3600, or by the day or the log",
        "request-rate",
        "The mean of the busiest hour of the week, after the growth asked for.",
    )
    mean_per_s: float = answer(
        "Requests over the whole week",
        "request/s",
        "mean of the 168 hours of the week's shape, whose busiest has {demand.busiest_per_s}",
        "week-shape",
    )
    peak_per_s: float = answer(
        "Requests at the peak to serve",
        "request/s",
        "{demand.busiest_per_s} × {demand.peak_to_hour}",
        "peak-to-mean",
        "The busiest window as long as the service level lets a queue last.",
    )
    peak_to_hour: float = answer(
        "Peak over the busiest hour",
        "1",
        "of a random stream, or of the log, in windows of {scenario.service_level.queue_window_s}",
        "peak-to-mean",
        "Short windows have higher peaks; what may queue for a minute need not be served in a "
        "second.",
    )
    peak_to_mean: float = answer(
        "Peak over the week's mean",
        "1",
        "{demand.peak_per_s} / {demand.mean_per_s}",
        "peak-to-mean",
        "What always-on hardware pays for and does not use.",
    )
    active_users: float = answer(
        "People at work in the busiest hour",
        "1",
        "{scenario.demand.users} × {scenario.demand.active_fraction}, where people are counted",
        "closed-population",
        "Not known when demand comes as requests or as a log.",
    )
    prompt_tokens: float = answer(
        "Mean prompt",
        "token",
        "{scenario.demand.prompt_tokens}, or the log's",
        "prefill",
    )
    computed_prompt_tokens: float = answer(
        "Prompt tokens to compute",
        "token",
        "{demand.prompt_tokens} × (1 − {scenario.demand.cache_hit_fraction})",
        "prefix-cache",
    )
    answer_tokens: float = answer(
        "Mean answer",
        "token",
        "{scenario.demand.output_tokens}, or the log's",
        "decode",
    )
    output_tokens_per_s: float = answer(
        "Answer tokens at the peak",
        "token/s",
        "{demand.peak_per_s} × {demand.answer_tokens}",
        "decode",
    )
    hours_per_year: float = answer(
        "Hours that it runs in a year",
        "h",
        "hours of a year when it runs as asked: {scenario.demand.duration}",
        "utilisation",
    )
    outside_fraction: float = answer(
        "Requests outside those hours",
        "fraction",
        "1 − share of the week's requests in the hours that it runs",
        "week-shape",
        "Nobody serves them; choose longer hours if that matters.",
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """A scenario's demand, as the sizing needs it."""

    demand: Demand
    tokens: RequestTokens
    mask: np.ndarray
    """1 in each hour of the week in which it runs."""
    plan: DemandPlan
    arrival_cv2: float
    """Of the times between arrivals inside the peak window."""

    @property
    def lengths(self) -> Lengths:
        """Mean tokens of a request."""
        return Lengths(
            self.plan.prompt_tokens,
            max(self.plan.answer_tokens, 1.0),
            float(self.tokens.prompt_cache_hit_fraction),
        )

    @property
    def basis(self) -> Basis:
        """How we know the demand."""
        return self.demand.basis


def asked(scenario: Scenario) -> Asked:
    """The demand of a scenario.

    Parameters
    ----------
    scenario : Scenario

    Returns
    -------
    Asked

    Raises :class:`InvalidScenario` when a log is named that is not there.

    >>> round(asked(Scenario()).plan.busiest_per_s, 3)
    0.139
    """
    section, level = scenario.demand, scenario.service_level
    shapes = week_shapes()
    if section.week_shape not in shapes:
        raise InvalidScenario(
            f"There is no week shape '{section.week_shape}'; choose {', '.join(shapes)}.",
            field="demand.week_shape",
        )
    profile = _profile(scenario) if section.source == "log" else None
    tokens = _tokens(scenario, profile)
    ask = demand(
        section.source,
        tokens,
        shapes[section.week_shape],
        users=float(section.users),
        active_fraction=section.active_fraction,
        requests_per_hour=section.requests_per_hour,
        requests_per_day=float(section.requests_per_day),
        profile=profile,
        log_scale=section.log_scale,
    )
    ask = grown(ask, section.growth_fraction_per_year, section.horizon_years)
    weeks = {"weeks": section.campaign_weeks} if section.duration == "campaign" else {}
    hours = hours_needed(section.duration, **weeks)
    return Asked(
        demand=ask,
        tokens=tokens,
        mask=hours.mask,
        plan=_plan(scenario, ask, tokens, hours.mask, float(hours.hours_per_year)),
        arrival_cv2=float(peak_arrival_cv2(ask, float(level.queue_window_s))),
    )


def _plan(
    scenario: Scenario, ask: Demand, tokens: RequestTokens, mask: np.ndarray, hours: float
) -> DemandPlan:
    busiest, mean = float(ask.busiest_per_s), float(ask.rate_per_s)
    peak = float(peak_rate(ask, float(scenario.service_level.queue_window_s)))
    people = scenario.demand.source in ("staff", "population")
    return DemandPlan(
        busiest_per_s=busiest,
        mean_per_s=mean,
        peak_per_s=peak,
        peak_to_hour=peak / busiest if busiest else 1.0,
        peak_to_mean=peak / mean if mean else 1.0,
        active_users=float(ask.users) if people else float("nan"),
        prompt_tokens=float(tokens.input_tokens),
        computed_prompt_tokens=float(tokens.prefill_tokens),
        answer_tokens=float(tokens.output_tokens),
        output_tokens_per_s=peak * float(tokens.output_tokens),
        hours_per_year=hours,
        outside_fraction=1.0 - float(share_within(ask.hourly_per_s, mask)),
    )


def _tokens(scenario: Scenario, profile: LogProfile | None) -> RequestTokens:
    section = scenario.demand
    if profile is None:
        means = (float(section.prompt_tokens), float(section.output_tokens))
        spreads = (section.prompt_cv2, section.output_cv2)
    else:
        read, wrote = profile.input_tokens, profile.output_tokens
        means, spreads = (read.mean, max(wrote.mean, 1.0)), (read.cv2, wrote.cv2)
    return RequestTokens(*means, *spreads, section.cache_hit_fraction)


def _profile(scenario: Scenario) -> LogProfile:
    section = scenario.demand
    if section.log == UPLOADED:
        if not section.log_profile.strip():
            raise InvalidScenario(
                "No request log was given yet; upload a CSV or Parquet file, or choose one of "
                "the published logs.",
                field="demand.log_profile",
            )
        return profile_from_text(section.log_profile)
    if section.log not in trace_ids():
        raise InvalidScenario(
            f"There is no request log '{section.log}'; choose {', '.join(trace_ids())}, or "
            "upload your own.",
            field="demand.log",
        )
    return _trace_profile(section.log)


@lru_cache(maxsize=8)
def _trace_profile(name: str) -> LogProfile:
    return profile_log(load_trace(name))
