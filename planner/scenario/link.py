"""A document in a query string: ``s=<version><zlib, base64url of compact JSON>``."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from typing import Any
from urllib.parse import parse_qs

from planner.errors import InvalidScenario

LIMIT_CHARACTERS = 8_000
"""Longest query string that is opened; common servers refuse longer ones."""
LIMIT_BYTES = 200_000
"""Largest document a link may unpack to [byte]."""
VERSION = "1"


def pack(document: dict[str, Any]) -> str:
    """A document as a query string.

    Parameters
    ----------
    document : dict
        Plain data that JSON can carry.

    Returns
    -------
    str

    Raises
    ------
    InvalidScenario
        The document is too large for a link.

    >>> unpack(pack({"title": "A plan"}))
    {'title': 'A plan'}
    """
    text = json.dumps(document, separators=(",", ":"))
    packed = base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode().rstrip("=")
    query = f"s={VERSION}{packed}"
    if len(query) > LIMIT_CHARACTERS or len(text) >= LIMIT_BYTES:  # ASCII: a byte a character
        raise InvalidScenario(
            "This scenario is too large for a link; download it as a file instead."
        )
    return query


def unpack(query: str) -> Any:
    """The document that a query string carries.

    Parameters
    ----------
    query : str
        With or without the leading ``?``; other parameters are ignored.

    Returns
    -------
    plain data

    Raises
    ------
    InvalidScenario
        The link is cut off, oversized or of another version.

    >>> unpack("?s=2abc")
    Traceback (most recent call last):
        ...
    planner.errors.InvalidScenario: The link was made by another version ...
    """
    if len(query) > LIMIT_CHARACTERS:
        raise InvalidScenario(
            f"The link is longer than {LIMIT_CHARACTERS:,} characters; "
            "ask for the scenario as a file."
        )
    text = parse_qs(query.lstrip("?")).get("s", [""])[-1]
    if not text:
        raise InvalidScenario("The link carries no scenario; copy the whole link.")
    if text[0] != VERSION:
        raise InvalidScenario(
            "The link was made by another version of the workbook; ask for it again."
        )
    damaged = InvalidScenario(
        "The link is damaged or cut off; ask for it again, or start from the plan shown here."
    )
    body = text[1:]
    try:
        packed = base64.b64decode(body + "=" * (-len(body) % 4), b"-_", validate=True)
        unpacking = zlib.decompressobj()
        raw = unpacking.decompress(packed, LIMIT_BYTES)
        if unpacking.unconsumed_tail or not unpacking.eof:
            raise damaged
        return json.loads(raw)
    except (binascii.Error, zlib.error, ValueError, RecursionError):
        raise damaged from None
