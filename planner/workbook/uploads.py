"""A request log from a person's disk: its statistics into the scenario, its words to the page."""

from __future__ import annotations

from planner.demand import (
    LogProfile,
    profile_from_text,
    profile_log,
    profile_to_text,
    read_request_log,
)
from planner.errors import InvalidScenario
from planner.scenario import Scalar
from planner.units import format_number, plural

LOG = "demand.log_profile"
UPLOADED = "uploaded"
"""The id of a person's own log among the shipped ones."""
LOG_LIMIT_BYTES = 8_000_000
"""Largest log that a page sends; a message of more than 10 MB would close the connection [byte]."""


def log_changes(content: bytes, name: str) -> tuple[dict[str, Scalar], str]:
    """What an uploaded request log changes in a scenario, and a sentence about it.

    Parameters
    ----------
    content : bytes
        A CSV or Parquet file.
    name : str
        The file's name.

    Returns
    -------
    tuple of dict and str

    Raises
    ------
    InvalidScenario
        The file is too large, or no log; ``field`` is the log's.

    >>> lines = b"time,input_tokens,output_tokens\\n0,100,20\\n2,50,10\\n"
    >>> changes, words = log_changes(lines, "log.csv")
    >>> changes["demand.source"], changes["demand.log"]
    ('log', 'uploaded')
    >>> print(words)
    log.csv is read: 2 requests in 2 s, 1 a second, prompts of 75 and answers of 15 tokens.
    """
    if len(content) > LOG_LIMIT_BYTES:
        raise InvalidScenario(
            f"{name} is larger than {LOG_LIMIT_BYTES / 1e6:.0f} MB; keep a typical week and the "
            "three columns that are needed, or save it as Parquet.",
            field=LOG,
        )
    try:
        log = read_request_log(content, name)
        profile = profile_log(log)
        text = profile_to_text(profile)
    except InvalidScenario as error:
        raise InvalidScenario(str(error), field=LOG) from None
    changes: dict[str, Scalar] = {"demand.source": "log", "demand.log": UPLOADED, LOG: text}
    left_out = f" {log.note[:1].upper()}{log.note[1:]}" if log.note else ""
    return changes, f"{name} is read: {_in_words(profile)}.{left_out}"


def shown_log(text: str) -> str:
    """A kept log as the page shows it: its name and size, not its numbers.

    Parameters
    ----------
    text : str
        What ``demand.log_profile`` holds.

    Returns
    -------
    str

    >>> shown_log(""), shown_log("{}")
    ('', 'A log that cannot be read; choose another file')
    """
    if not text:
        return ""
    try:
        profile = profile_from_text(text)
    except InvalidScenario:
        return "A log that cannot be read; choose another file"
    return f"{profile.name or 'Your log'}, {plural(profile.requests, 'request')}"


def _in_words(profile: LogProfile) -> str:
    return (
        f"{plural(profile.requests, 'request')} in {_span(profile.duration_s)}, "
        f"{format_number(profile.rate_per_s)} a second, "
        f"prompts of {format_number(profile.input_tokens.mean)} and "
        f"answers of {format_number(profile.output_tokens.mean)} tokens"
    )


def _span(duration_s: float) -> str:
    for unit_s, unit in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if duration_s >= 2 * unit_s:
            return f"{format_number(duration_s / unit_s, 2)} {unit}"
    return f"{format_number(duration_s)} s"
