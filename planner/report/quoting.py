"""Words from people made safe for files that other programs read: cells, comments, names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Any

import yaml

FORMULA_STARTS = "=+-@＝＋－＠"
"""Characters with which a spreadsheet may take a cell for a formula."""
SINGLE_QUOTES = "'‘’‚‛"
"""Characters that end a single-quoted string in PowerShell."""
LONGEST_NAME = 50
"""Kubernetes allows 63; what it appends to name pods needs the rest [1]."""
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9./_-]*")
NOT_PLAIN = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "inf", "nan"}


def one_line(text: str) -> str:
    """Text without line breaks, control characters and marks that turn the writing direction.

    Parameters
    ----------
    text : str

    Returns
    -------
    str

    Source: Unicode general categories C and Z.

    >>> one_line("chat\\r\\nRemove-VM *")
    'chat Remove-VM *'
    """
    kept = (" " if unicodedata.category(one)[0] in "CZ" else one for one in text)
    return " ".join("".join(kept).split())


def spreadsheet_cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula; numbers stay numbers.

    Parameters
    ----------
    value : object

    Returns
    -------
    object

    Source: OWASP, CSV Injection: a leading apostrophe before what starts a formula.

    >>> spreadsheet_cell("=cmd|' /C calc'!A0"), spreadsheet_cell(-1.5)
    ("'=cmd|' /C calc'!A0", -1.5)
    """
    if not isinstance(value, str):
        return value
    text = one_line(value)
    return f"'{text}" if text[:1] and text[0] in FORMULA_STARTS else text


def dns_names(texts: Iterable[str], prefix: str = "workload") -> dict[str, str]:
    """For each text a name that Kubernetes accepts; different texts get different names.

    Parameters
    ----------
    texts : iterable of str
    prefix : str
        Stands before names that would not start with a letter.

    Returns
    -------
    dict of str to str

    Source: Kubernetes documentation, Object Names and IDs: RFC 1035 label names.

    >>> dns_names(["Café chat", "cafe/chat", "7 tasks", "$(reboot)", "雪"])
    ... # doctest: +NORMALIZE_WHITESPACE
    {'Café chat': 'cafe-chat', 'cafe/chat': 'cafe-chat-2', '7 tasks': 'workload-7-tasks',
     '$(reboot)': 'reboot', '雪': 'workload'}
    """
    made: dict[str, str] = {}
    taken: set[str] = set()
    for text in dict.fromkeys(texts):
        plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
        name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
        if not name[:1].isalpha():
            name = f"{prefix}-{name}".rstrip("-")
        name = name[:LONGEST_NAME].rstrip("-")
        count, made[text] = 1, name
        while made[text] in taken:
            count += 1
            end = f"-{count}"
            made[text] = name[: LONGEST_NAME - len(end)].rstrip("-") + end
        taken.add(made[text])
    return made


def powershell_string(text: str) -> str:
    """A single-quoted PowerShell string, in which nothing is expanded.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
        With its quotes.

    Source: PowerShell documentation, about_Quoting_Rules; the language takes curly single quotes
    for straight ones.

    >>> print(powershell_string("it's $(Remove-VM *)"))
    'it''s $(Remove-VM *)'
    """
    quoted = "".join(one * 2 if one in SINGLE_QUOTES else one for one in one_line(text))
    return f"'{quoted}'"


def comment_lines(lines: Iterable[str]) -> str:
    """Lines behind ``#``, which YAML and PowerShell both skip.

    Parameters
    ----------
    lines : iterable of str

    Returns
    -------
    str
        Ends with a line break, unless there are no lines.

    Source: YAML 1.2, section 6.6; PowerShell documentation, about_Comments.

    >>> print(comment_lines(["For chat", "second\\nkind: Secret"]), end="")
    # For chat
    # second kind: Secret
    """
    return "".join(f"# {one_line(line)}".rstrip() + "\n" for line in lines)


class _Dumper(yaml.SafeDumper):
    """Quotes every string that some reader of YAML could take for something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        return super().increase_indent(flow, False)


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if text.endswith("\n") else None
    if not style and (not PLAIN.fullmatch(text) or text.lower() in NOT_PLAIN):
        style = '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _string)


def yaml_text(document: Any) -> str:
    """A document as YAML that YAML 1.1 and 1.2 read alike.

    Parameters
    ----------
    document : object
        Dicts, lists, strings, numbers and truth values.

    Returns
    -------
    str

    Source: YAML 1.2; words such as ``on`` and numbers in quotes, because Kubernetes reads YAML
    1.1.

    >>> print(yaml_text({"name": "on", "1g.10gb": 2, "devices": [0, 1]}), end="")
    name: "on"
    "1g.10gb": 2
    devices: [0, 1]
    """
    return yaml.dump(
        document,
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=None,
        allow_unicode=True,
        width=4096,
    )
