"""Base-unit constants, the unit vocabulary, and numbers as people read them.

Inside the product every quantity is in an SI base unit and says so in its
name (``_bytes``, ``_s``, ``_w``). GB is 1e9 bytes and GiB is 2**30 bytes;
the two are never mixed, and only this module turns one into the other.
"""

from __future__ import annotations

import math

KB = 1e3
MB = 1e6
GB = 1e9
TB = 1e12
KIB = 2.0**10
MIB = 2.0**20
GIB = 2.0**30
BILLION = 1e9
TERA = 1e12
BITS_PER_BYTE = 8.0

UNITS: dict[str, str] = {
    "1": "a pure number or a count",
    "byte": "byte",
    "bit": "bit",
    "GB": "gigabyte, 1e9 bytes",
    "GiB": "gibibyte, 2**30 bytes",
    "MiB": "mebibyte, 2**20 bytes",
    "GB/s": "1e9 bytes a second",
    "TFLOP/s": "1e12 floating-point operations a second, dense",
    "TOP/s": "1e12 integer operations a second, dense",
    "W": "watt",
    "s": "second",
    "h": "hour",
    "week": "seven days",
    "year": "365 days",
    "1/s": "per second",
    "byte/s": "bytes a second",
    "FLOP": "floating-point operations; a multiply and an add are two",
    "FLOP/s": "floating-point operations a second",
    "request": "one prompt with its answer",
    "request/s": "requests a second",
    "token/s": "tokens a second",
    "replica": "one copy of the model that serves by itself",
    "token": "token",
    "sequence": "one conversation in flight",
    "gpu": "one accelerator as the driver shows it",
    "gpu h": "one accelerator for one hour",
    "parameter": "one weight of a model",
    "billion parameters": "1e9 weights of a model",
    "bit/weight": "bits stored per weight, scales included",
    "fraction": "0 to 1, never percent",
    "percent": "0 to 100; only in tables that quote a publisher",
    "USD": "United States dollar",
    "USD/h": "dollars an hour",
    "USD/month": "dollars a month of 730 hours, unless another length is said",
    "USD/year": "dollars a year",
    "USD/kWh": "dollars per kilowatt-hour",
    "USD/gpu": "dollars per accelerator",
    "USD/gpu/year": "dollars per accelerator and year",
    "USD/gpu/h": "dollars per accelerator and hour",
    "USD/host": "dollars per host",
    "USD/core/year": "dollars per licensed processor core and year",
    "USD/million tokens": "dollars per 1e6 tokens",
    "USD/request": "dollars per request",
    "USD/task": "dollars per task",
    "USD/user/month": "dollars per person and month",
    "USD/GB": "dollars per 1e9 bytes",
    "USD/GB/month": "dollars per 1e9 bytes and month",
    "USD/TB": "dollars per 1e12 bytes",
    "USD/kW/month": "dollars per kilowatt of IT load and month",
    "J": "joule",
    "J/token": "joules per output token",
    "kW": "1e3 watts",
    "kWh": "3.6e6 joules",
    "kg": "kilogram, of CO2 equivalent where carbon is meant",
    "gCO2e/kWh": "grams of CO2 equivalent per kilowatt-hour",
    "L": "litre",
    "L/kWh": "litres per kilowatt-hour",
    "TB": "terabyte, 1e12 bytes",
    "minute": "60 seconds",
    "day": "24 hours",
    "month": "a twelfth of a year",
    "core": "one physical processor core",
    "task": "one piece of work that people wanted done",
    "date": "ISO 8601 date, possibly only year or year and month",
    "text": "words",
}
"""Every unit that a data file or a scenario field may name."""


def gib(value_bytes: float) -> float:
    """Bytes to GiB: ``bytes / 2**30``.

    Parameters
    ----------
    value_bytes : float or array [byte]

    Returns
    -------
    float or array [GiB]

    >>> gib(2.0**31)
    2.0
    """
    return value_bytes / GIB


def format_gib(value_bytes: float) -> str:
    """Bytes as people read them: GiB with three significant figures.

    Parameters
    ----------
    value_bytes : float [byte]

    Returns
    -------
    str

    >>> format_gib(152.3 * GIB), format_gib(0.125 * GIB), format_gib(3 * 2.0**20)
    ('152 GiB', '0.125 GiB', '0.00293 GiB')
    """
    return f"{format_number(value_bytes / GIB)} GiB"


def format_number(value: float, digits: int = 3) -> str:
    """A number with ``digits`` significant figures and thousands separators.

    Whole digits are never rounded away: 12,345 stays 12,345.

    Parameters
    ----------
    value : float [1]
    digits : int [1]

    Returns
    -------
    str

    >>> format_number(12345.6), format_number(0.012345), format_number(7), format_number(0)
    ('12,346', '0.0123', '7', '0')
    """
    if not math.isfinite(value):
        return "unlimited" if value > 0 else "unknown"
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def format_seconds(seconds: float) -> str:
    """A duration with a unit that people read: milliseconds, seconds, minutes or hours.

    Parameters
    ----------
    seconds : float [s]

    Returns
    -------
    str
        [text]

    >>> format_seconds(0.0345), format_seconds(1.2), format_seconds(75.0), format_seconds(7200.0)
    ('34.5 ms', '1.2 s', '75 s', '2 h')
    """
    if not math.isfinite(seconds):
        return "without end"
    for limit, size, unit in ((1.0, 1e-3, "ms"), (120.0, 1.0, "s"), (7200.0, 60.0, "min")):
        if abs(seconds) < limit:
            return f"{format_number(seconds / size)} {unit}"
    return f"{format_number(seconds / 3600.0)} h"


def format_billions(parameters: float) -> str:
    """A parameter count as people say it.

    Parameters
    ----------
    parameters : float [parameter]

    Returns
    -------
    str

    >>> format_billions(70.6e9), format_billions(0.4944e9), format_billions(1.03e12)
    ('70.6 billion', '0.494 billion', '1,030 billion')
    """
    return f"{format_number(parameters / BILLION)} billion"


def format_tokens(tokens: float) -> str:
    """A token count with its unit.

    Parameters
    ----------
    tokens : float [token]

    Returns
    -------
    str

    >>> format_tokens(32768)
    '32,768 tokens'
    """
    return f"{format_number(float(tokens), 1)} tokens"


def plural(count: int, noun: str, nouns: str = "") -> str:
    """A count with its noun in the right number.

    Parameters
    ----------
    count : int [1]
    noun, nouns : str
        Singular, and plural when it is not the singular with an "s".

    Returns
    -------
    str

    >>> plural(1, "GPU"), plural(4, "GPU"), plural(1200, "token")
    ('1 GPU', '4 GPUs', '1,200 tokens')
    """
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"
