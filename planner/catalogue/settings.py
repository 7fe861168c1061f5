"""Reads one key of a publisher's ``config.json`` at a time, and says in one sentence what is wrong.

Every fault names the key, the value found, what is allowed and how to mend it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from planner.errors import InvalidScenario

WHOLE_FILE = "paste the whole config.json from the model's page"


def shown(value: Any) -> str:
    """A value of a JSON document in a few words, for an error message.

    Parameters
    ----------
    value : any JSON value

    Returns
    -------
    str

    >>> shown("many"), shown([1, 2]), shown({"a": 1}), shown(float("nan")), shown(None)
    ('"many"', 'a list of 2', 'a table of 1', 'not a number', 'empty')
    """
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return f"a table of {len(value)}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"a list of {len(value)}"
    if isinstance(value, float) and math.isnan(value):
        return "not a number"
    if isinstance(value, int | float) and abs(value) >= 1e15:
        return "a number of 1e15 or more" if value > 0 else "a number of -1e15 or less"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f'{text[:36]}..."'


def plain(name: str, longest: int = 80) -> str:
    """A name on one line and of bounded length, fit for the start of a sentence.

    Parameters
    ----------
    name : str
    longest : int [1]
        Characters kept.

    Returns
    -------
    str

    >>> plain("  my\\nmodel "), plain("")
    ('my model', 'model configuration')
    """
    text = " ".join("".join(c if c.isprintable() else " " for c in str(name)).split())
    return text[:longest] or "model configuration"


class Settings:
    """A table of settings that knows its name and place for error messages.

    >>> Settings({"hidden_size": 4096}, "demo").count("hidden_size")
    4096
    """

    def __init__(self, values: Mapping[str, Any], name: str, place: str = "") -> None:
        self.values, self.name, self.place = values, plain(name), place

    def fault(self, key: str, problem: str, remedy: str = WHOLE_FILE) -> InvalidScenario:
        """The error for one key: what is wrong with it and how to mend it.

        Parameters
        ----------
        key, problem, remedy : str

        Returns
        -------
        InvalidScenario

        >>> str(Settings({}, "demo").fault("heads", "is missing", "add it"))
        'demo: heads is missing; add it.'
        """
        return InvalidScenario(f"{self.name}: {key} {problem}; {remedy}.", field=self.place + key)

    def has(self, key: str) -> bool:
        """Whether the key is present and not empty.

        Parameters
        ----------
        key : str

        Returns
        -------
        bool

        >>> Settings({"a": None, "b": 0}, "demo").has("a"), Settings({"b": 0}, "demo").has("b")
        (False, True)
        """
        return self.values.get(key) is not None

    def get(self, key: str, default: Any = None) -> Any:
        """The value as it stands, or the default when it is absent or empty.

        Parameters
        ----------
        key : str
        default : any

        Returns
        -------
        any JSON value

        >>> Settings({"a": None}, "demo").get("a", 3)
        3
        """
        value = self.values.get(key)
        return default if value is None else value

    def count(
        self, *keys: str, default: int | None = None, least: int = 1, most: float = 1e7
    ) -> int:
        """The whole number under the first of these keys that is present.

        Parameters
        ----------
        keys : str
            The publishers' names for one quantity, the commonest first.
        default : int [1]
            Used when none is present; without it an absent key is an error.
        least, most : int [1]

        Returns
        -------
        int [1]

        >>> Settings({"n_layer": 28.0}, "demo").count("num_hidden_layers", "n_layer")
        28
        >>> Settings({"n_layer": -1}, "demo").count("n_layer", most=2000)
        Traceback (most recent call last):
            ...
        planner.errors.InvalidScenario: demo: n_layer is -1, but must be a whole number from 1 \
to 2,000; correct it in the config.json.
        """
        key = next((k for k in keys if self.has(k)), None)
        if key is None:
            if default is not None:
                return default
            raise self.fault(keys[0], "is missing")
        value = self.values[key]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if (
            not number
            or not math.isfinite(value)
            or value != int(value)
            or not (least <= value <= most)
        ):
            wanted = f"a whole number from {least:,} to {int(most):,}"
            raise self.fault(
                key, f"is {shown(value)}, but must be {wanted}", "correct it in the config.json"
            )
        return int(value)

    def flag(self, key: str, default: bool = False) -> bool:
        """The true or false under this key.

        Parameters
        ----------
        key : str
        default : bool

        Returns
        -------
        bool

        >>> Settings({"attention_bias": True}, "demo").flag("attention_bias")
        True
        """
        value = self.get(key, default)
        if not isinstance(value, bool):
            raise self.fault(
                key,
                f"is {shown(value)}, but must be true or false",
                "correct it in the config.json",
            )
        return bool(value)

    def entries(self, key: str) -> list[Any]:
        """The list under this key; empty when it is absent.

        Parameters
        ----------
        key : str

        Returns
        -------
        list

        >>> Settings({}, "demo").entries("mlp_only_layers")
        []
        """
        value = self.get(key, [])
        if not isinstance(value, list):
            raise self.fault(
                key, f"is {shown(value)}, but must be a list", "correct it in the config.json"
            )
        return value

    def listing(self, key: str, length: int) -> list[Any]:
        """The list under this key, which must have one entry per layer.

        Parameters
        ----------
        key : str
        length : int [1]
            Layers of the model; a longer list may go on with prediction layers, which are cut.

        Returns
        -------
        list

        >>> Settings({"kinds": ["a", "b", "c"]}, "demo").listing("kinds", 2)
        ['a', 'b']
        """
        value = self.get(key)
        if not isinstance(value, list) or len(value) < length:
            raise self.fault(
                key,
                f"is {shown(value)}, but must be a list with one entry for each of {length} layers",
                "correct it, or num_hidden_layers, in the config.json",
            )
        return value[:length]

    def section(self, key: str) -> Settings:
        """The table under this key.

        Parameters
        ----------
        key : str

        Returns
        -------
        Settings

        >>> Settings({"text_config": {"n": 2}}, "demo").section("text_config").count("n")
        2
        """
        value = self.get(key)
        if not isinstance(value, Mapping):
            raise self.fault(key, f"is {shown(value)}, but must be a table of settings")
        return Settings(value, self.name, f"{self.place}{key}.")
