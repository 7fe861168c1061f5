"""Reading what people give us: text to plain data, and problems to one sentence."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from planner.errors import InvalidScenario
from planner.units import format_number

MOST_NODES = 20_000
"""Keys and values that a document may have; twenty variants of every field have under 2,000."""


def one_line(text: Any, longest: int = 80) -> str:
    """Somebody else's words as they may stand in a sentence: short, printable, on one line.

    Parameters
    ----------
    text : any
    longest : int
        Characters kept.

    Returns
    -------
    str

    >>> one_line(" a\\nplan\\x1b[2J.yaml"), one_line("x" * 100, 5)
    ('a plan [2J.yaml', 'xx...')
    """
    kept = str(text)[: 10 * longest]
    words = " ".join("".join(c if c.isprintable() else " " for c in kept).split())
    return words if len(words) <= longest else f"{words[: longest - 3]}..."


def parse_document(text: str, name: str) -> Any:
    """JSON or YAML to plain data; aliases and repeated keys are refused.

    A text that starts like JSON is read as JSON first: YAML 1.1 takes ``7e10`` for a word,
    refuses tabs and halves characters that JSON escapes as a pair.

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
    text = text.lstrip("\ufeff")
    unreadable = InvalidScenario(
        f"{name} is not a text that can be read as YAML or JSON; "
        "choose a scenario saved by the workbook."
    )
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text, object_pairs_hook=lambda pairs: _unrepeated(pairs, name))
        except json.JSONDecodeError:
            pass  # YAML may start with a brace too, and says at which line it ends
        except (ValueError, RecursionError):
            raise unreadable from None
    return _parse_yaml(text, name, unreadable)


def _unrepeated(pairs: list[tuple[str, Any]], name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise InvalidScenario(f"{name} gives '{one_line(key, 40)}' twice; keep one.")
        found[key] = value
    return found


def _parse_yaml(text: str, name: str, unreadable: InvalidScenario) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        nodes = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            self.nodes += 1
            if self.nodes > MOST_NODES:
                raise InvalidScenario(
                    f"{name} has more than {MOST_NODES:,} entries, too many for a scenario; "
                    "choose a file saved by the workbook."
                )
            if self.check_event(yaml.events.AliasEvent):
                raise InvalidScenario(f"{name} uses YAML aliases; write the values out.")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen = set()
            for key in (key.value for key, _ in node.value if isinstance(key.value, str)):
                if key in seen:
                    raise InvalidScenario(
                        f"{name} gives '{one_line(key, 40)}' twice "
                        f"(line {node.start_mark.line + 1} on); keep one."
                    )
                seen.add(key)
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(text, Loader)
    except yaml.constructor.ConstructorError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InvalidScenario(
            f"{name} has a YAML tag or key at line {line} that a scenario cannot hold; "
            "write plain names and values."
        ) from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InvalidScenario(
            f"{name} is not valid YAML or JSON at line {line}; "
            "it may be cut off, so download or export it again."
        ) from None
    # PyYAML lets its own slips through when a tag and its text disagree (!!bool maybe).
    except (
        yaml.YAMLError,
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ):
        raise unreadable from None


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
    path, fields = one_line(path) or "An empty name", sorted(known)
    near = difflib.get_close_matches(path, fields, n=1)
    if near:
        return f"{path} is not a field of a scenario; did you mean {near[0]}?"
    section = path.rpartition(".")[0]
    here = [one for one in fields if section and one.rpartition(".")[0] == section]
    there = dict.fromkeys(one.partition(".")[0] for one in fields)
    return f"{path} is not a field of a scenario; there are {', '.join(here or there)}."


def _shown(value: Any) -> str:
    """A value as it may be quoted in a sentence: short, on one line."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite"
    if isinstance(value, int) and abs(value) >= 10**20:
        return "a huge number" if value > 0 else "a huge negative number"
    if isinstance(value, dict):
        return "a group of fields"
    if isinstance(value, list | tuple | set | bytes):
        return "a list"
    text = one_line(value, 40)
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
    kind, given = problem["type"], problem.get("input")
    location = [str(part) for part in problem["loc"] if str(part) in words]
    place = path = ".".join(location) or "The scenario"
    if len(problem["loc"]) > 2 and isinstance(problem["loc"][2], int):
        path, place = ".".join(location[:2]), _row_of(problem)
    if kind in ("extra_forbidden", "invalid_key") and place == path:
        parts = [str(part) for part in problem["loc"]]
        if kind == "invalid_key":
            parts[-1] = _shown(given)
        path = one_line(".".join(parts))
        return InvalidScenario(unknown_key(path, known), field=path)
    if path == "variants":
        return InvalidScenario(
            "variants must be up to 20 different names of 1 to 60 characters, each with a group of "
            "field paths and their values; see the shipped examples.",
            field=path,
        )
    if kind == "missing":
        return InvalidScenario(f"{place} is missing; give it a value.", field=path)
    return InvalidScenario(f"{place} is {_shown(given)}; {_allowed(problem)}.", field=path)


def _row_of(problem: Any) -> str:
    """Which row of a table, counted from one, and which of its fields."""
    table, (row, *names) = problem["loc"][:2], problem["loc"][2:]
    field = f": {one_line(names[0], 40)}" if names else ""
    return f"{'.'.join(map(str, table))}, row {row + 1}{field}"


def _allowed(problem: Any) -> str:
    """What would be allowed where a value was refused."""
    kind, context, given = problem["type"], problem.get("ctx", {}), problem.get("input")
    words = {
        "greater_than_equal": f"it must be at least {format_number(context.get('ge', 0), 12)}",
        "less_than_equal": f"it must be at most {format_number(context.get('le', 0), 12)}",
        "int_type": "it must be a whole number"
        + (", without quotes" if isinstance(given, str) else ""),
        "int_from_float": "it must be a whole number",
        "bool_type": "it must be true or false",
        "string_pattern_mismatch": "it must be three capital letters, such as EUR",
        "float_type": "it must be a number, written like 70000000000 or 70.0e+9"
        + (", without quotes" if isinstance(given, str) else ""),
        "finite_number": "it must be a finite number",
        "string_type": "it must be text",
        "string_unicode": "it must be text of whole characters",
        "string_too_short": "it must not be empty",
        "string_too_long": f"it may have at most {context.get('max_length', '')} characters",
        "literal_error": f"it must be one of {context.get('expected', '')}",
        "model_type": "it must be a group of named fields",
        "model_attributes_type": "it must be a group of named fields",
        "too_long": f"at most {context.get('max_length', '')} are allowed",
        "tuple_type": "it must be a list or a mapping of names to fields",
        # Validators of our own say what must be.
        "value_error": f"it {context.get('error', 'is not allowed there')}",
        "extra_forbidden": "there is no such field in a row; see the shipped examples",
    }
    return words.get(kind, "it is not allowed there; see the shipped examples")
