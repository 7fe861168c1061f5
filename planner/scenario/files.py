"""Files of scenarios: read with a limit, written whole or not at all."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from pathlib import Path
from typing import Any

from planner.errors import InvalidScenario
from planner.scenario.reading import one_line


def read_text(path: Path, limit_bytes: int) -> str:
    """The text of a file; a file over the limit is cut just behind it.

    Parameters
    ----------
    path : Path
    limit_bytes : int [byte]

    Returns
    -------
    str

    Raises
    ------
    InvalidScenario
        The file cannot be read or is not text.

    >>> read_text(Path("no-such-file.yaml"), 1000)
    Traceback (most recent call last):
        ...
    planner.errors.InvalidScenario: no-such-file.yaml cannot be read ...
    """
    try:
        with path.open("rb") as file:
            raw = file.read(limit_bytes + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
        raise InvalidScenario(
            f"{one_line(path, 200)} cannot be read ({reason}); check the path."
        ) from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        if len(raw) > limit_bytes:
            return raw.decode("utf-8", "replace")  # cut within a character
        raise InvalidScenario(
            f"{one_line(path.name)} is not UTF-8 text; choose a scenario saved by the workbook."
        ) from None


def write_whole(path: Path, text: str) -> None:
    """Write a file; an interrupted write leaves the old one whole.

    Parameters
    ----------
    path : Path
    text : str

    Raises
    ------
    InvalidScenario
        The folder or the file cannot be written.

    >>> import tempfile; place = Path(tempfile.mkdtemp()) / "a.yaml"
    >>> write_whole(place, "title: A"); place.read_text()
    'title: A'
    """
    # A colleague's link and permissions stay as they are: this is a shared document.
    target = path.resolve()
    temporary = target.with_name(f".planner-{secrets.token_hex(8)}")
    try:
        with temporary.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    except OSError as error:
        raise InvalidScenario(
            f"{one_line(path, 200)} cannot be written ({error.strerror}); choose another place."
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


def as_text(document: dict[str, Any], form: str) -> str:
    """A document of plain data as YAML or JSON.

    Parameters
    ----------
    document : dict
    form : str
        ``json``; anything else is YAML.

    Returns
    -------
    str

    >>> as_text({"title": "A plan"}, "yaml").strip()
    'title: A plan'
    """
    if form == "json":
        return json.dumps(document, indent=2) + "\n"
    import yaml

    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=88)
    if any(c in text for c in "\x85\u2028\u2029\ufeff"):
        # PyYAML writes these line breaks and marks as they are and reads them as others.
        text = yaml.safe_dump(document, sort_keys=False, width=88)
    return text
