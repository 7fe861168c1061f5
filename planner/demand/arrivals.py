"""From people, a daily count or a log to requests per second, hour by hour, with their peaks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from planner.catalogue import Basis, WeekShape, weakest
from planner.demand.peaks import HOUR_S
from planner.demand.profile import HOURS_OF_DAY, LogProfile, peak_to_mean
from planner.errors import InvalidScenario

SOURCES = ("staff", "population", "requests", "log")
"""A known number of people; more than can be counted; requests on a busy day; a log."""


@dataclass(frozen=True, slots=True, eq=False)
class RequestTokens:
    """Lengths of requests; fields broadcast.

    >>> float(RequestTokens(1000, 200, prompt_cache_hit_fraction=0.3).prefill_tokens)
    700.0
    """

    input_tokens: Any
    """Mean prompt, cached part included [token]."""
    output_tokens: Any
    """Mean answer [token]."""
    input_cv2: Any = 1.0
    """Squared coefficient of variation of prompts [1]."""
    output_cv2: Any = 1.0
    """Squared coefficient of variation of answers [1]."""
    prompt_cache_hit_fraction: Any = 0.0
    """Share of prompt tokens found in the prefix cache [fraction]."""

    def __post_init__(self) -> None:
        for name in ("input_tokens", "input_cv2", "output_cv2"):
            _require(name, getattr(self, name), 0.0)
        _require("output_tokens", self.output_tokens, 1.0)
        _require("prompt_cache_hit_fraction", self.prompt_cache_hit_fraction, 0.0, 1.0)

    @property
    def prefill_tokens(self) -> Any:
        """Prompt tokens that must be computed [token]."""
        return np.asarray(self.input_tokens, dtype=float) * (
            1.0 - np.asarray(self.prompt_cache_hit_fraction, dtype=float)
        )


@dataclass(frozen=True, slots=True, eq=False)
class Demand:
    """Who asks for how much, and when. Numbers broadcast; hours are the last axis.

    >>> from planner.catalogue import week_shapes
    >>> staff = demand("staff", RequestTokens(1000, 200), week_shapes()["flat"], users=720,
    ...     active_fraction=0.5, requests_per_hour=10)
    >>> float(staff.busiest_per_s), float(staff.think_s)
    (1.0, 360.0)
    """

    source: str
    """One of ``SOURCES``."""
    hourly_per_s: Any
    """Mean rate in each hour of the week, Monday 00:00 first [request/s]."""
    tokens: RequestTokens
    arrival_cv2: Any
    """Squared coefficient of variation of the times between arrivals [1]."""
    users: Any
    """People active in the busiest hour; not-a-number when nobody counted them [1]."""
    think_s: Any
    """Mean time between an answer and the same person's next request; infinite for an open
    population [s]."""
    basis: Basis
    profile: LogProfile | None = None
    """The log that measured the peaks; None when a formula gives them."""

    @property
    def rate_per_s(self) -> Any:
        """Mean rate over the week [request/s]."""
        return np.mean(self.hourly_per_s, axis=-1)

    @property
    def busiest_per_s(self) -> Any:
        """Mean rate of the busiest hour of the week [request/s]."""
        return np.max(self.hourly_per_s, axis=-1)


def people_rate_per_s(users: Any, active_fraction: Any, requests_per_hour: Any) -> Any:
    """Requests per second of people of whom a part is active.

    .. math:: \\lambda = U a r / 3600

    Parameters
    ----------
    users : float or array [1]
    active_fraction : float or array [fraction]
        Share that is active in the busiest hour.
    requests_per_hour : float or array [1]
        Of one active person; an upper bound for a closed population, whose people wait for their
        answers.

    Returns
    -------
    float or array [request/s]

    Source: counting; no publication.

    >>> float(people_rate_per_s(1000, 0.2, 24))
    1.3333333333333333
    """
    _require("users", users, 0.0)
    _require("active_fraction", active_fraction, 0.0, 1.0)
    _require("requests_per_hour", requests_per_hour, 0.0)
    return np.asarray(users, dtype=float) * active_fraction * requests_per_hour / HOUR_S


def busy_day_rates(requests_per_day: Any, weights: Any) -> Any:
    """Hourly rates of a week whose busiest day has a given number of requests.

    .. math:: \\lambda_h = \\frac{N}{3600} \\frac{w_h}{\\max_d \\sum_{h \\in d} w_h}

    Parameters
    ----------
    requests_per_day : float or array [request]
        On the busiest day of the week, which is what people mean by a day.
    weights : array [1]
        One for each hour of the week.

    Returns
    -------
    array [request/s]

    Source: counting; no publication.

    >>> float(busy_day_rates(86400, np.ones(168))[0])
    1.0
    """
    _require("requests_per_day", requests_per_day, 0.0)
    weights = np.asarray(weights, dtype=float)
    busiest = weights.reshape(-1, HOURS_OF_DAY).sum(axis=-1).max()
    return np.asarray(requests_per_day, dtype=float)[..., None] * weights / busiest / HOUR_S


def demand(
    source: str,
    tokens: RequestTokens | None,
    week: WeekShape,
    *,
    users: Any = np.nan,
    active_fraction: Any = 1.0,
    requests_per_hour: Any = np.nan,
    requests_per_day: Any = np.nan,
    arrival_cv2: Any = 1.0,
    profile: LogProfile | None = None,
    log_scale: Any = 1.0,
) -> Demand:
    """Demand from one of four sources.

    ``staff`` and ``population`` give the rate of the busiest hour. Staff are a closed population:
    ``think_s`` is 3600 / requests_per_hour, and the people who wait for an answer ask nothing
    meanwhile (Engset), so the rate is an upper bound. A ``log`` of a day or more brings its own
    week; a shorter one stands for the busiest hour of ``week``.

    .. math:: \\lambda_h = \\lambda_{busiest} \\, w_h / \\max w

    Parameters
    ----------
    source : str
        One of ``SOURCES``.
    tokens : RequestTokens or None
        None takes the log's.
    week : WeekShape
    users : float or array [1]
    active_fraction : float or array [fraction]
    requests_per_hour : float or array [1]
        Of one active person.
    requests_per_day : float or array [request]
        On a busy day.
    arrival_cv2 : float or array [1]
        1 for Poisson arrivals; a log brings its own.
    profile : LogProfile or None
        The log's.
    log_scale : float or array [1]
        How many times the log's requests are expected.

    Returns
    -------
    Demand

    Source: T. O. Engset (1918) for the closed population; else counting.

    >>> from planner.catalogue import week_shapes
    >>> many = demand("requests", RequestTokens(1000, 200), week_shapes()["office-hours"],
    ...     requests_per_day=[1000, 2000])
    >>> [round(float(rate), 3) for rate in many.busiest_per_s]
    [0.027, 0.054]
    """
    if source not in SOURCES:
        raise InvalidScenario(f"Demand: '{source}' is unknown; choose {', '.join(SOURCES)}.")
    if source == "log":
        return _of_log(_given("profile", profile), tokens, week, log_scale, users)
    _require("arrival_cv2", arrival_cv2, 0.0)
    think: Any = np.inf
    active = np.asarray(users, dtype=float)
    if source == "requests":
        hourly = busy_day_rates(requests_per_day, week.weights)
    else:
        busiest = people_rate_per_s(users, active_fraction, requests_per_hour)
        hourly = np.asarray(busiest)[..., None] * (week.weights / week.weights.max())
        active = active * active_fraction
        if source == "staff":
            pace = np.asarray(requests_per_hour, dtype=float)
            think = np.where(pace > 0, HOUR_S / np.where(pace > 0, pace, 1.0), np.inf)
    return Demand(
        source=source,
        hourly_per_s=hourly,
        tokens=_given("tokens", tokens),
        arrival_cv2=arrival_cv2,
        users=active,
        think_s=think,
        # What people say of themselves is an estimate.
        basis=Basis.ASSUMED,
    )


def _of_log(
    profile: LogProfile, tokens: RequestTokens | None, week: WeekShape, scale: Any, users: Any
) -> Demand:
    _require("log_scale", scale, 0.0)
    basis = Basis.MEASURED
    shape = np.array(profile.hourly_to_mean)
    if not len(shape):
        busiest = float(peak_to_mean(profile, HOUR_S))
        shape = busiest * week.weights / week.weights.max()
        basis = weakest(basis, week.source.basis)
    read, wrote = profile.input_tokens, profile.output_tokens
    return Demand(
        source="log",
        hourly_per_s=np.asarray(scale, dtype=float)[..., None] * profile.rate_per_s * shape,
        tokens=tokens or RequestTokens(read.mean, wrote.mean, read.cv2, wrote.cv2),
        arrival_cv2=profile.interarrival_cv**2,
        users=np.asarray(users, dtype=float),
        think_s=np.inf,
        basis=basis,
        profile=profile,
    )


def grown(ask: Demand, growth_per_year: Any, years: Any) -> Demand:
    """Demand after some years of growth.

    .. math:: \\lambda(t) = \\lambda (1 + g)^t

    Parameters
    ----------
    ask : Demand
    growth_per_year : float or array [fraction]
        0.5 for half as many again each year; above -1.
    years : float or array [1]
        Broadcasts against the demand's leading axes.

    Returns
    -------
    Demand
        More people who each ask as before.

    Source: compound growth; no publication.

    >>> from planner.catalogue import week_shapes
    >>> ask = demand("requests", RequestTokens(900, 100), week_shapes()["flat"],
    ...     requests_per_day=86400)
    >>> [float(rate) for rate in grown(ask, 0.5, [0, 1, 2]).busiest_per_s]
    [1.0, 1.5, 2.25]
    """
    growth = np.asarray(growth_per_year, dtype=float)
    if not np.all((growth > -1.0) & (growth <= 100.0)):
        raise InvalidScenario(
            f"Growth per year: {growth_per_year} is not allowed; give a share above -1 and at most "
            "100, such as 0.5 for half as many again."
        )
    _require("years", years, 0.0)
    factor = np.asarray((1.0 + growth) ** np.asarray(years, dtype=float))
    return replace(ask, hourly_per_s=ask.hourly_per_s * factor[..., None], users=ask.users * factor)


def _require(name: str, value: Any, least: float, most: float = np.inf) -> None:
    values = np.asarray(value, dtype=float)
    if not np.all((values >= least) & (values <= most) & (values < np.inf)):
        allowed = f"from {least:g} to {most:g}" if most < np.inf else f"of {least:g} or more"
        raise InvalidScenario(
            f"{name}: {value} is not allowed; give a number {allowed}.", field=name
        )


def _given(name: str, value: Any) -> Any:
    if value is None:
        raise InvalidScenario(f"Demand: {name} is missing; give it, or choose another source.")
    return value
