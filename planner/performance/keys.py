"""Corrections for what was measured often: which apply to a case, and their sum."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from planner.catalogue import Correction

FAMILIES = ("dense", "mixture", "latent mixture")
"""Kinds of architecture whose kernels differ: mixtures of experts, with latent attention or not."""
FORMATS = ("16 bit", "8 bit", "4 bit", "weight only")
RANKS = tuple(str(2**power) for power in range(8))
RUNS = ("steady", "static", "burst", "offline", "offline tpot")
"""How a benchmark loads the engine: a steady number in flight, one batch at a time, all requests at
once to the last answer, and an offline run (its throughput, and its time per token)."""

LEVELS: dict[str, dict[str, tuple[tuple[str, ...], tuple[str, ...], float]]] = {
    "tpot": {
        "engine": (("engine",), ("memory", "compute", "link", "host"), 12.0),
        "engine and family": (("engine", "family"), ("all",), 12.0),
        "gpu": (("gpu",), ("memory", "compute", "link", "host"), 12.0),
        "engine, format and family": (("engine", "format", "family"), ("all",), 12.0),
        "model": (("model",), ("all",), 8.0),
        "model, gpu and format": (("model", "gpu", "format"), ("all",), 16.0),
        "engine and ranks": (("engine", "ranks"), ("link",), 12.0),
        "run": (("run", "engine"), ("all",), 1.0),
    },
    "ttft": {
        "engine": (("engine",), ("host", "prompt", "queue"), 2.0),
        "engine and family": (("engine", "family"), ("all", "queue"), 6.0),
        "ranks": (("ranks",), ("host", "prompt"), 4.0),
        "gpu": (("gpu",), ("all",), 4.0),
        "model": (("model",), ("all",), 4.0),
        "model, gpu and format": (("model", "gpu", "format"), ("all",), 8.0),
    },
}
"""By stage and level: what makes up the key, which groups of terms each entry scales, and how
strongly it is drawn to none (a ridge penalty, in units of the residuals' scale)."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What a case is, as whole numbers; -1 where it is unknown to the calibration.

    >>> Keys.__slots__
    ('engine', 'family', 'format', 'gpu', 'model', 'ranks', 'run')
    """

    engine: Any
    """Row of the serving engines [1]."""
    family: Any
    """Index into ``FAMILIES`` [1]."""
    format: Any
    """Index into ``FORMATS``: how the feed-forward computes [1]."""
    gpu: Any
    """Row of the accelerators [1]."""
    model: Any
    """Row of the models [1]."""
    ranks: Any
    """Index into ``RANKS`` [1]."""
    run: Any
    """Index into ``RUNS`` [1]."""


@dataclass(frozen=True)
class Vocabulary:
    """The names behind the whole numbers of :class:`Keys`."""

    engine: Sequence[str]
    gpu: Sequence[str]
    model: Sequence[str]
    family: Sequence[str] = FAMILIES
    format: Sequence[str] = FORMATS
    ranks: Sequence[str] = RANKS
    run: Sequence[str] = RUNS

    def size(self, names: tuple[str, ...]) -> int:
        """Combinations that a key of these parts can have.

        Parameters
        ----------
        names : tuple of str

        Returns
        -------
        int [1]
        """
        return int(np.prod([len(getattr(self, name)) for name in names]))

    def code(self, keys: Keys, names: tuple[str, ...]) -> np.ndarray:
        """One number for each combination; the last one stands for an unknown part.

        Parameters
        ----------
        keys : Keys
        names : tuple of str

        Returns
        -------
        array of int [1]
        """
        total, known = 0, True
        for name in names:
            value = np.asarray(getattr(keys, name))
            total, known = total * len(getattr(self, name)) + value, known & (value >= 0)
        return np.where(known, total, self.size(names))

    def text(self, code: int, names: tuple[str, ...]) -> str:
        """The ids that a code stands for.

        Parameters
        ----------
        code : int [1]
        names : tuple of str

        Returns
        -------
        str
        """
        parts = []
        for name in reversed(names):
            code, place = divmod(code, len(getattr(self, name)))
            parts.append(getattr(self, name)[place])
        return "|".join(reversed(parts))


@dataclass(frozen=True)
class Corrections:
    """The corrections of one stage as tables to index."""

    groups: tuple[str, ...]
    vocabulary: Vocabulary
    tables: tuple[tuple[tuple[str, ...], str, np.ndarray], ...]
    """Parts of the key, the group, and logarithms of the factors."""

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

        Returns
        -------
        Corrections
        """
        found = {
            (one.level, one.group, one.key): one.log_factor for one in entries if one.stage == stage
        }
        places = {
            f.name: {name: at for at, name in enumerate(getattr(vocabulary, f.name))}
            for f in fields(Keys)
        }
        tables = {
            (level, group): np.zeros(vocabulary.size(names) + 1)
            for level, (names, scaled, _) in LEVELS[stage].items()
            for group in scaled
        }
        for (level, group, key), value in found.items():
            names = LEVELS[stage][level][0]
            at = [
                places[name].get(part, -1) for name, part in zip(names, key.split("|"), strict=True)
            ]
            if min(at) >= 0:
                place = dict(zip(names, at, strict=True))
                keys = Keys(**{f.name: place.get(f.name, -1) for f in fields(Keys)})
                tables[level, group][vocabulary.code(keys, names)] = value
        return cls(
            groups,
            vocabulary,
            tuple(
                (LEVELS[stage][level][0], group, table) for (level, group), table in tables.items()
            ),
        )

    def ratio(self, keys: Keys, part: str, one: int, other: int) -> Any:
        """Factor of the cases if ``part`` were ``one``, over the factor if it were ``other``.

        .. math:: \\prod e^{u_1 - u_2}

        Parameters
        ----------
        keys : Keys
        part : str
            A field of :class:`Keys`.
        one, other : int [1]

        Returns
        -------
        float or array [1]

        Source: a random-effects model; Gelman and Hill 2007, chapter 12.
        """
        total: Any = 0.0
        both = [replace(keys, **{part: np.full_like(keys.engine, at)}) for at in (one, other)]
        for names, _, table in self.tables:
            if part in names:
                a, b = (self.vocabulary.code(each, names) for each in both)
                total = total + table[a] - table[b]
        return np.exp(total)

    def factors(self, keys: Keys) -> tuple[list[Any], Any]:
        """What multiplies each group of terms, and all of them.

        .. math:: \\prod_{levels} e^{u}

        Parameters
        ----------
        keys : Keys

        Returns
        -------
        tuple [1]
            One factor for each of ``groups``, and the common one.

        Source: a random-effects model; Gelman and Hill 2007, chapter 12.
        """
        sums: dict[str, Any] = {}
        codes: dict[tuple[str, ...], Any] = {}
        for names, group, table in self.tables:
            if names not in codes:
                codes[names] = self.vocabulary.code(keys, names)
            sums[group] = sums.get(group, 0.0) + table[codes[names]]
        return [np.exp(sums.get(group, 0.0)) for group in self.groups], np.exp(sums.get("all", 0.0))
