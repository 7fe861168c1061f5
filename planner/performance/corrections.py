"""Corrections for what was measured often: which apply to a case, and what they come to.

Each correction belongs to a level (all cases of one engine, of one model on one GPU, ...) and
multiplies a group of terms. Levels add up in the logarithm, and a case of which nothing is known
meets none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from planner.catalogue import Correction
from planner.performance.keys import Keys, Vocabulary

ALL = "all"
"""The group of a correction that multiplies every term."""


@dataclass(frozen=True, slots=True)
class Level:
    """One level of corrections.

    >>> LEVELS["tpot"]["run"].key
    ('run', 'engine')
    """

    key: tuple[str, ...]
    """Fields of :class:`Keys` that tell its entries apart."""
    groups: tuple[str, ...]
    """Groups of terms, each with an entry of its own; ``all`` for every term."""
    ridge: float
    """How strongly an entry is drawn to none, in units of the residuals' scale [1]."""


LEVELS: dict[str, dict[str, Level]] = {
    "tpot": {
        "engine": Level(("engine",), ("memory", "compute", "link", "host"), 12.0),
        "engine and family": Level(("engine", "family"), (ALL,), 12.0),
        "gpu": Level(("gpu",), ("memory", "compute", "link", "host"), 12.0),
        "engine, format and family": Level(("engine", "format", "family"), (ALL,), 12.0),
        "model": Level(("model",), (ALL,), 8.0),
        "model, gpu and format": Level(("model", "gpu", "format"), (ALL,), 16.0),
        "engine and ranks": Level(("engine", "ranks"), ("link",), 12.0),
        "run": Level(("run", "engine"), (ALL,), 1.0),
    },
    "ttft": {
        "engine": Level(("engine",), ("host", "prompt", "queue"), 2.0),
        "engine and family": Level(("engine", "family"), (ALL, "queue"), 6.0),
        "ranks": Level(("ranks",), ("host", "prompt"), 4.0),
        "gpu": Level(("gpu",), (ALL,), 4.0),
        "model": Level(("model",), (ALL,), 4.0),
        "model, gpu and format": Level(("model", "gpu", "format"), (ALL,), 8.0),
    },
}
"""By stage (time per output token, time to the first token), from the widest to the narrowest."""


@dataclass(frozen=True)
class Corrections:
    """The corrections of one stage as tables to index."""

    groups: tuple[str, ...]
    """Groups of terms of the stage, without ``all``."""
    tables: tuple[tuple[tuple[str, ...], str, np.ndarray], ...]
    """Key, group, and logarithms of the factors: an axis for each part of the key. The last entry
    of an axis, which is where -1 points, stands for what is unknown, and is 0."""

    @classmethod
    def of(
        cls,
        stage: str,
        entries: Iterable[Correction],
        vocabulary: Vocabulary,
        groups: tuple[str, ...],
    ) -> Corrections:
        """The entries of one stage, as tables.

        Parameters
        ----------
        stage : str
        entries : iterable of Correction
        vocabulary : Vocabulary
            Entries that it does not know are left out: the catalogue no longer has them.
        groups : tuple of str
            Groups of terms of the stage.

        Returns
        -------
        Corrections
        """
        levels = LEVELS[stage]
        tables = {
            (name, group): np.zeros([size + 1 for size in vocabulary.shape(level.key)])
            for name, level in levels.items()
            for group in level.groups
        }
        for one in entries:
            if one.stage != stage:
                continue
            place = vocabulary.place(levels[one.level].key, one.key)
            if place is not None:
                tables[one.level, one.group][place] = one.log_factor
        return cls(
            groups,
            tuple((levels[name].key, group, table) for (name, group), table in tables.items()),
        )

    def ratio(self, keys: Keys, part: str, one: int, other: int) -> Any:
        """Factor of the cases if ``part`` were ``one``, over the factor if it were ``other``.

        .. math:: \\prod e^{u_1 - u_2}

        Parameters
        ----------
        keys : Keys
        part : str
            A field of :class:`Keys` that only levels of all terms use.
        one, other : int [1]

        Returns
        -------
        float or array [1]

        Source: a random-effects model; Gelman and Hill 2007, chapter 12.
        """
        total: Any = 0.0
        first, second = (replace(keys, **{part: at}) for at in (one, other))
        for names, _, table in self.tables:
            if part in names:
                total = total + table[first.place(names)] - table[second.place(names)]
        return np.exp(total)

    def factors(self, keys: Keys) -> dict[str, Any]:
        """What multiplies each group of terms: its own factor times the common one.

        .. math:: \\prod_{levels} e^{u}

        Parameters
        ----------
        keys : Keys

        Returns
        -------
        dict of float or array [1]
            By group.

        Source: a random-effects model; Gelman and Hill 2007, chapter 12.
        """
        sums: dict[str, Any] = dict.fromkeys((ALL, *self.groups), 0.0)
        for names, group, table in self.tables:
            sums[group] = sums[group] + table[keys.place(names)]
        return {group: np.exp(sums[ALL] + sums[group]) for group in self.groups}
