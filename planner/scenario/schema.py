"""Every field of a scenario as data, from which controls and tables are made."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from planner.scenario.document import SECTIONS, Scenario


@cache
def field_schema() -> Mapping[str, Mapping[str, Any]]:
    """Every field of a scenario: type, range, default, and what its control needs.

    Returns
    -------
    mapping
        Dotted path to a dict with ``label``, ``unit``, ``team``, ``control``, ``term``,
        ``description``, ``default``, ``minimum``, ``maximum``, ``choices``, ``nullable``,
        ``integer`` and ``shown_when``.

    >>> field_schema()["workload.context_tokens"]["minimum"]
    128
    """
    schema = Scenario.model_json_schema(mode="validation")
    definitions = schema["$defs"]
    result = {}
    owners = {f"{name}.": definitions[owner.__name__] for name, owner in SECTIONS.items()}
    for prefix, owner in {"": schema, **owners}.items():
        for name, entry in owner["properties"].items():
            if "label" not in entry:
                continue
            result[prefix + name] = _told(entry)
    return _closed(result)


@cache
def row_schema(path: str) -> Mapping[str, Mapping[str, Any]]:
    """Every field of a table's rows, told as :func:`field_schema` tells those of a scenario.

    Parameters
    ----------
    path : str
        Dotted path of a field whose control is ``rows``.

    Returns
    -------
    mapping
        Name of the row's field to what :func:`field_schema` says of a path.

    >>> row_schema("portfolio.hosts")["gpus"]["choices"][-1]
    16
    """
    schema = Scenario.model_json_schema(mode="validation")
    section, _, name = path.partition(".")
    owner = schema["$defs"][SECTIONS[section].__name__]
    row = schema["$defs"][owner["properties"][name]["items"]["$ref"].rpartition("/")[2]]
    return _closed({name: _told(entry) for name, entry in row["properties"].items()})


def _told(entry: dict[str, Any]) -> dict[str, Any]:
    options = [o for o in entry.get("anyOf", [entry]) if o.get("type") != "null"]
    return {
        **{key: entry[key] for key in ("label", "unit", "team", "control", "term")},
        "description": entry["description"],
        "default": entry.get("default"),
        "shown_when": entry.get("shown_when"),
        "nullable": len(options) < len(entry.get("anyOf", [entry])),
        "integer": options[0].get("type") == "integer",
        "minimum": options[0].get("minimum"),
        "maximum": options[0].get("maximum"),
        "choices": options[0].get("enum")
        or ([options[0]["const"]] if "const" in options[0] else None),
    }


def _closed(entries: dict[str, dict[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    """One answer for everybody, made once: it may not be changed."""
    return MappingProxyType({path: MappingProxyType(entry) for path, entry in entries.items()})
