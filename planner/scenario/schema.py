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
            options = [o for o in entry.get("anyOf", [entry]) if o.get("type") != "null"]
            result[prefix + name] = {
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
    # One answer for everybody, made once: it may not be changed.
    return MappingProxyType({path: MappingProxyType(entry) for path, entry in result.items()})
