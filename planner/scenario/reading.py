"""Reading what people give us: text to plain data, and problems to one sentence."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from planner.errors import InvalidScenario


def parse_document(text: str, name: str) -> Any:
    """YAML (and so JSON) to plain data; aliases and repeated keys are refused.

    Parameters
    ----------
    text : str
    name : str
        What to call the text in an error.

    Returns
    -------
    plain data

    Raises
    ------
    InvalidScenario
        The text is cut off or is not YAML.

    >>> parse_document("title: A plan", "plan.yaml")
    {'title': 'A plan'}
    """
    import yaml

    class Loader(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.events.AliasEvent):
                raise InvalidScenario(f"{name} uses YAML aliases; write the values out.")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            keys = [key.value for key, _ in node.value]
            twice = next((key for key in keys if keys.count(key) > 1), None)
            if twice is not None:
                raise InvalidScenario(
                    f"{name} gives '{twice}' twice (line {node.start_mark.line + 1} on); keep one."
                )
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(text, Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InvalidScenario(
            f"{name} is not valid YAML or JSON at line {line}; "
            "it may be cut off, so download or export it again."
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise InvalidScenario(
            f"{name} is not a text that can be read as YAML or JSON; "
            "choose a scenario saved by the workbook."
        ) from None


def unknown_key(path: str, known: Iterable[str]) -> str:
    """The sentence for a field that does not exist, with the nearest one that does.

    Parameters
    ----------
    path : str
    known : iterable of str

    Returns
    -------
    str

    >>> unknown_key("workload.contxt", ["workload.context_tokens"])
    'workload.contxt is not a field of a scenario; did you mean workload.context_tokens?'
    """
    near = difflib.get_close_matches(path, sorted(known), n=1)
    hint = f"did you mean {near[0]}?" if near else f"fields are {', '.join(sorted(known))}."
    return f"{path} is not a field of a scenario; {hint}"


def _shown(value: Any) -> str:
    """A value as it may be quoted in a sentence: short, on one line."""
    if isinstance(value, dict | list | tuple):
        return "a list or a group of fields"
    text = " ".join(str(value).split())
    text = text if len(text) <= 40 else text[:37] + "..."
    return f"'{text}'" if isinstance(value, str) else text


def one_sentence(error: ValidationError, known: Iterable[str]) -> InvalidScenario:
    """The first problem of a validation error as one sentence.

    Parameters
    ----------
    error : pydantic.ValidationError
    known : iterable of str
        Dotted paths of the fields that exist.

    Returns
    -------
    InvalidScenario
    """
    words = {part for path in known for part in path.split(".")} | {"variants"}
    problem = error.errors(include_url=False)[0]
    kind, context = problem["type"], problem.get("ctx", {})
    location = [str(part) for part in problem["loc"] if str(part) in words]
    path = ".".join(location) or "The scenario"
    if kind == "extra_forbidden":
        path = ".".join(str(part) for part in problem["loc"])
        return InvalidScenario(unknown_key(path, known), field=path)
    value = _shown(problem.get("input"))
    if isinstance(problem.get("input"), float) and math.isnan(problem["input"]):
        value = "not a number"
    allowed = {
        "greater_than_equal": f"it must be at least {context.get('ge', '')}",
        "less_than_equal": f"it must be at most {context.get('le', '')}",
        "int_type": "it must be a whole number, without quotes",
        "int_from_float": "it must be a whole number",
        "float_type": "it must be a number, written like 70000000000 or 70.0e+9, without quotes",
        "finite_number": "it must be a finite number",
        "string_type": "it must be text",
        "string_too_short": "it must not be empty",
        "string_too_long": f"it may have at most {context.get('max_length', '')} characters",
        "literal_error": f"it must be one of {context.get('expected', '')}",
        "model_type": "it must be a group of named fields",
        "model_attributes_type": "it must be a group of named fields",
        "too_long": f"at most {context.get('max_length', '')} are allowed",
        "tuple_type": "it must be a list or a mapping of names to fields",
    }.get(kind, "it is not allowed there; see the shipped examples")
    return InvalidScenario(f"{path} is {value}; {allowed}.", field=path)
