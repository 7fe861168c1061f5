"""A log's profile as a short text and back, so that a link or a scenario can carry it."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, fields
from typing import Any

from planner.demand.columns import shown
from planner.demand.peaks import WINDOWS_S
from planner.demand.profile import HOURS_OF_WEEK, Lengths, LogProfile
from planner.errors import InvalidScenario

LIMIT_BYTES = 20_000
"""Longest text of a profile [byte]."""
NAME_CHARACTERS = 120
_VERSION = 1
_DIGITS = 6
_BY_WINDOW = ("request_peak_to_mean", "token_peak_to_mean", "peak_cv2")
_AT_LEAST_ONE = ("request_peak_to_mean", "token_peak_to_mean")


def profile_to_text(profile: LogProfile) -> str:
    """A profile as compact JSON, numbers to six significant digits.

    Parameters
    ----------
    profile : LogProfile

    Returns
    -------
    str
        At most 20,000 bytes [byte].

    Source: no publication.

    >>> from planner.catalogue import load_trace
    >>> from planner.demand.profile import profile_log
    >>> text = profile_to_text(profile_log(load_trace("azure-2023-code")))
    >>> len(text) < 1200, profile_to_text(profile_from_text(text)) == text
    (True, True)
    """
    document = {"version": _VERSION, **_short(asdict(profile))}
    document["name"] = "".join(filter(str.isprintable, profile.name))[:NAME_CHARACTERS]
    return json.dumps(document, separators=(",", ":"))


def profile_from_text(text: str) -> LogProfile:
    """The profile that a text carries, checked as strictly as an uploaded file.

    Parameters
    ----------
    text : str

    Returns
    -------
    LogProfile

    Raises
    ------
    InvalidScenario
        The text is too long, no JSON, or a number is missing or impossible.

    Source: no publication.

    >>> profile_from_text("{}")
    Traceback (most recent call last):
        ...
    planner.errors.InvalidScenario: The log's profile is damaged: version is missing; upload ...
    """
    if len(text.encode("utf-8", "replace")) > LIMIT_BYTES:
        raise _damaged(f"it is longer than {LIMIT_BYTES:,} bytes")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise _damaged("it is cut off or no JSON") from None
    if not isinstance(document, dict):
        raise _damaged("it is no table of numbers")
    wanted = {"version", *(one.name for one in fields(LogProfile))}
    for key in sorted(wanted - set(document), key=lambda one: (one != "version", one)):
        raise _damaged(f"{key} is missing")
    for key in sorted(set(document) - wanted):
        raise _damaged(f"'{shown(key)}' is unknown")
    if document.pop("version") != _VERSION:
        raise _damaged("it was made by another version of the workbook")
    name = document["name"]
    if not isinstance(name, str) or len(name) > NAME_CHARACTERS or not name.isprintable():
        raise _damaged(f"name must be a line of at most {NAME_CHARACTERS} characters")
    return _profile(document)


def _profile(document: dict[str, Any]) -> LogProfile:
    values: dict[str, Any] = {"name": document["name"]}
    for key in ("duration_s", "rate_per_s"):
        values[key] = _number(document[key], key, above=0.0)
    for key in ("total_cv2", "interarrival_cv"):
        values[key] = _number(document[key], key)
    values["correlation"] = _number(document["correlation"], "correlation", -1.0, 1.0)
    requests = _number(document["requests"], "requests", 2.0)
    if requests != int(requests):
        raise _damaged("requests must be a whole number")
    values["requests"] = int(requests)
    if not math.isclose(requests, values["rate_per_s"] * values["duration_s"], rel_tol=1e-4):
        raise _damaged("rate_per_s times duration_s is not the number of requests")
    for key in ("input_tokens", "output_tokens"):
        values[key] = _lengths(document[key], key)
    values["window_s"] = _windows(document["window_s"], values["duration_s"])
    for key in _BY_WINDOW:
        least = 1.0 if key in _AT_LEAST_ONE else 0.0
        values[key] = _row(document[key], key, len(values["window_s"]), least)
    hourly = document["hourly_to_mean"]
    values["hourly_to_mean"] = (
        () if hourly == [] else _row(hourly, "hourly_to_mean", HOURS_OF_WEEK, 0.0)
    )
    if hourly and not any(values["hourly_to_mean"]):
        raise _damaged("hourly_to_mean has no request in any hour")
    start = document["started_weekday_hour"]
    values["started_weekday_hour"] = (
        None if start is None else _number(start, "started_weekday_hour", 0.0, HOURS_OF_WEEK)
    )
    return LogProfile(**values)


def _lengths(document: Any, key: str) -> Lengths:
    names = [one.name for one in fields(Lengths)]
    if not isinstance(document, dict) or set(document) != set(names):
        raise _damaged(f"{key} must have {', '.join(names)}")
    values = {name: _number(document[name], f"{key}.{name}") for name in names}
    ladder = [values[name] for name in ("p50", "p90", "p95", "p99", "most")]
    if ladder != sorted(ladder) or values["mean"] > values["most"]:
        raise _damaged(f"{key}: a higher percentile is below a lower one")
    return Lengths(**values)


def _windows(value: Any, duration_s: float) -> tuple[float, ...]:
    allowed = [list(WINDOWS_S[:count]) for count in range(len(WINDOWS_S) + 1)]
    if value not in allowed or (value and value[-1] > duration_s):
        raise _damaged("window_s must be the windows of the workbook that the log fills")
    return tuple(float(one) for one in value)


def _row(value: Any, key: str, length: int, least: float) -> tuple[float, ...]:
    if not isinstance(value, list) or len(value) != length:
        raise _damaged(f"{key} must be a list of {length} numbers")
    return tuple(_number(one, key, least) for one in value)


def _number(
    value: Any, key: str, least: float = 0.0, most: float = 1e15, above: float = -math.inf
) -> float:
    sound = isinstance(value, int | float) and not isinstance(value, bool)
    if not sound or not least <= value <= most or value <= above:
        text = f"{value}" if isinstance(value, int | float | str) else "no number"
        raise _damaged(f"{key} is {shown(text)}, which cannot be")
    return float(value)


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _short(one) for key, one in value.items()}
    if isinstance(value, tuple):
        return [_short(one) for one in value]
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value


def _damaged(problem: str) -> InvalidScenario:
    return InvalidScenario(f"The log's profile is damaged: {problem}; upload the log again.")
