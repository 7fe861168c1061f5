"""What exists in the world, in one frozen object, and where its tables are.

This is the only module that knows where ``data/`` is.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TypeVar

from planner.catalogue.compatibility import computes
from planner.catalogue.efficiencies import Efficiencies, load_efficiencies
from planner.catalogue.energy_efficiencies import EnergyEfficiencies, load_energy_efficiencies
from planner.catalogue.engines import ServingEngine, load_engines, load_serving_engines
from planner.catalogue.models import load_models, model_aliases
from planner.catalogue.offers import PriceTables
from planner.catalogue.records import (
    Accelerator,
    Architecture,
    Engine,
    Precision,
    QualityRow,
    Source,
    Term,
)
from planner.catalogue.sites import SiteTables
from planner.catalogue.slices import SliceTables
from planner.catalogue.tables import (
    Recovery,
    quality_by_precision,
    read_accelerators,
    read_glossary,
    read_precisions,
    read_quality,
    with_usable_memory,
)
from planner.catalogue.training_efficiencies import TrainingTables
from planner.catalogue.training_memory import TrainingMemoryFacts, load_training_memory
from planner.catalogue.venues import PolicyTables
from planner.errors import MissingData

Record = TypeVar("Record")

PACKAGE = Path(__file__).resolve().parents[1]


def find_data() -> Path:
    """The folder of the tables: ``planner/data`` in an installed package, else ``data``
    beside the package.

    Returns
    -------
    Path

    >>> (find_data() / "gpus.csv").is_file()
    True
    """
    for folder in (PACKAGE / "data", PACKAGE.parent / "data"):
        if (folder / "gpus.csv").is_file():
            return folder
    raise MissingData(
        "The catalogue's tables were not found beside the package; install it again, or name "
        "their folder in load_catalogue(data_dir)."
    )


def _key(name: str) -> str:
    """A name as it is compared: lower case, with blanks and underscores as hyphens."""
    return "-".join(name.lower().replace("_", " ").replace("-", " ").split())


def _names(table: Mapping[str, Record], aliases: Mapping[str, str]) -> dict[str, str]:
    """Every accepted name of a table to its id; ids come before aliases, the first wins."""
    names = {_key(one): one for one in table}
    for alias, identity in aliases.items():
        names.setdefault(_key(alias), identity)
    return names


def _own_aliases(
    table: Mapping[str, Accelerator | Precision | ServingEngine],
) -> dict[str, str]:
    """The aliases and full names that the records themselves carry."""
    found: dict[str, str] = {}
    for identity, record in table.items():
        for alias in (*record.aliases, record.name):
            found.setdefault(alias, identity)
    return found


@dataclass(frozen=True, eq=False)
class Catalogue(PriceTables, PolicyTables, SiteTables, SliceTables, TrainingTables):
    """The world's models, accelerators, formats, engines and words, each with its source.

    Look-ups take an id or an alias and do not mind case, blanks, hyphens or underscores.

    >>> catalogue = load_catalogue()
    >>> catalogue.accelerator("H100 SXM").id
    'h100-sxm-80gb'
    """

    models: Mapping[str, Architecture]
    accelerators: Mapping[str, Accelerator]
    precisions: Mapping[str, Precision]
    engines: Mapping[str, Engine]
    serving_engines: Mapping[str, ServingEngine]
    quality: tuple[QualityRow, ...]
    recoveries: Mapping[str, Recovery]
    """By precision id; a format without published comparisons is absent."""
    glossary: Mapping[str, Term]
    dated: str
    """The newest as-of date of any row [date]."""
    model_aliases: Mapping[str, str] = field(default_factory=dict, repr=False)
    folder: Path = field(default_factory=find_data)
    """Where the tables are."""
    _index: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        weights = {k: v for k, v in self.precisions.items() if v.use in ("weights", "both")}
        kv = {k: v for k, v in self.precisions.items() if v.use in ("kv", "both")}
        titles = {term.name: key for key, term in self.glossary.items()}
        index = {
            "model": _names(self.models, self.model_aliases),
            "accelerator": _names(self.accelerators, _own_aliases(self.accelerators)),
            "weights": _names(weights, _own_aliases(weights)),
            "kv": _names(kv, _own_aliases(kv)),
            "engine": _names(self.engines, {e.name: e.id for e in self.engines.values()}),
            "serving": _names(self.serving_engines, _own_aliases(self.serving_engines)),
            "term": _names(self.glossary, titles),
        }
        object.__setattr__(self, "_index", index)

    @cached_property
    def computed_as(self) -> Mapping[tuple[str, str], str]:
        """How each GPU computes with each format, by their ids; see :func:`computes`."""
        return {
            (gpu.id, precision.id): computes(gpu, precision)
            for gpu in self.accelerators.values()
            for precision in self.precisions.values()
        }

    @cached_property
    def efficiencies(self) -> Efficiencies:
        """The calibrated performance model, read when first asked for."""
        return load_efficiencies(self.folder)

    @cached_property
    def energy_efficiencies(self) -> EnergyEfficiencies:
        """The calibrated model of power, read when first asked for."""
        return load_energy_efficiencies(self.folder)

    @cached_property
    def training_memory(self) -> TrainingMemoryFacts:
        """What trainers hold in memory, read when first asked for."""
        return load_training_memory(self.folder)

    def _find(
        self, kind: str, table: Mapping[str, Record], name: str, noun: str, listing: str
    ) -> Record:
        names = self._index[kind]
        identity = names.get(_key(name))
        if identity is None:
            close = difflib.get_close_matches(_key(name), names, n=6, cutoff=0.5)
            ids = list(dict.fromkeys(names[one] for one in close))[:3]
            near = f"the nearest are {', '.join(ids)}" if ids else "nothing is near it"
            raise MissingData(f"There is no {noun} {name!r}; {near}; {listing}.")
        return table[identity]

    def model(self, name: str) -> Architecture:
        """The model with this id or alias.

        Parameters
        ----------
        name : str

        Returns
        -------
        Architecture

        Raises :class:`MissingData` with the nearest ids when there is none.

        >>> load_catalogue().model("llama-3.1-8b").layers
        32
        """
        return self._find("model", self.models, name, "model", "`planner models` lists them all")

    def accelerator(self, name: str) -> Accelerator:
        """The accelerator with this id or alias.

        Parameters
        ----------
        name : str

        Returns
        -------
        Accelerator

        Raises :class:`MissingData` with the nearest ids when there is none.

        >>> load_catalogue().accelerator("H100").dense_flops["bf16"]
        989000000000000.0
        >>> load_catalogue().accelerator("h100-sxm-81gb")
        Traceback (most recent call last):
            ...
        planner.errors.MissingData: There is no GPU 'h100-sxm-81gb'; the nearest are ...
        """
        return self._find(
            "accelerator", self.accelerators, name, "GPU", "`planner gpus` lists them all"
        )

    def weight_precision(self, name: str) -> Precision:
        """The weight format with this id or alias.

        ``auto`` is BF16 here; the format a publisher ships is the model's ``native_precision``.

        Parameters
        ----------
        name : str

        Returns
        -------
        Precision

        Raises :class:`MissingData` with the nearest ids when there is none.

        >>> load_catalogue().weight_precision("INT4").bits_per_weight
        4.15625
        """
        return self._find(
            "weights", self.precisions, name, "weight precision", "data/precisions.csv lists them"
        )

    def kv_precision(self, name: str) -> Precision:
        """The KV-cache format with this id or alias.

        Parameters
        ----------
        name : str

        Returns
        -------
        Precision

        Raises :class:`MissingData` with the nearest ids when there is none.

        >>> load_catalogue().kv_precision("fp8").bits_per_weight
        8.0
        """
        return self._find(
            "kv", self.precisions, name, "KV precision", "data/precisions.csv lists them"
        )

    def engine(self, name: str) -> Engine:
        """The serving engine with this id or name.

        Parameters
        ----------
        name : str

        Returns
        -------
        Engine

        Raises :class:`MissingData` with the nearest ids when there is none.

        >>> load_catalogue().engine("vllm").block_tokens
        16.0
        """
        return self._find(
            "engine", self.engines, name, "serving engine", "data/engines.csv lists them"
        )

    def serving_engine(self, name: str) -> ServingEngine:
        """The engine family whose speed was measured, with this id or alias.

        Parameters
        ----------
        name : str

        Returns
        -------
        ServingEngine

        Raises :class:`MissingData` with the nearest ids when there is none.

        >>> load_catalogue().serving_engine("TRT-LLM").name
        'TensorRT-LLM'
        """
        return self._find(
            "serving", self.serving_engines, name, "engine", "data/serving_engines.csv lists them"
        )

    def term(self, name: str) -> Term:
        """The glossary entry with this id or title.

        Parameters
        ----------
        name : str

        Returns
        -------
        Term

        Raises :class:`MissingData` with the nearest ids when there is none.

        >>> load_catalogue().term("KV cache").id
        'kv-cache'
        """
        return self._find("term", self.glossary, name, "term", "data/glossary.csv lists them")

    def with_model(self, architecture: Architecture) -> Catalogue:
        """A new catalogue that holds this model too, in place of one with the same id.

        Parameters
        ----------
        architecture : Architecture

        Returns
        -------
        Catalogue

        >>> from dataclasses import replace
        >>> catalogue = load_catalogue()
        >>> mine = replace(catalogue.model("llama-3.1-8b"), id="ours-8b", name="Ours 8B")
        >>> catalogue.with_model(mine).model("OURS-8B").name, "ours-8b" in catalogue.models
        ('Ours 8B', False)
        """
        return replace(self, models={**self.models, architecture.id: architecture})


def load_catalogue(data_dir: Path | None = None) -> Catalogue:
    """The catalogue from its tables; the default one is read once and kept.

    Parameters
    ----------
    data_dir : Path, optional
        Folder of the tables; by default the package's own.

    Returns
    -------
    Catalogue

    >>> load_catalogue() is load_catalogue(), len(load_catalogue().accelerators) >= 35
    (True, True)
    """
    return _default() if data_dir is None else _read(Path(data_dir))


@lru_cache(maxsize=1)
def _default() -> Catalogue:
    return _read(find_data())


def _read(folder: Path) -> Catalogue:
    models = load_models(folder)
    accelerators = with_usable_memory(
        read_accelerators(folder / "gpus.csv"), folder / "gpu_usable_memory.csv"
    )
    precisions = read_precisions(folder / "precisions.csv")
    quality = read_quality(folder / "quantization_quality.csv")
    engines = load_engines(folder)
    serving = load_serving_engines(folder / "serving_engines.csv")
    sources: list[Source] = [one.source for one in (*models.values(), *accelerators.values())]
    for table in (precisions, engines, serving):
        sources += [one.source for one in table.values()]
    sources += [one.source for one in quality]
    for one in accelerators.values():
        sources += [one.reported_source, one.usable_source]
    return Catalogue(
        models=models,
        accelerators=accelerators,
        precisions=precisions,
        engines=engines,
        serving_engines=serving,
        quality=quality,
        recoveries=quality_by_precision(quality),
        glossary=read_glossary(folder / "glossary.csv"),
        dated=max((one.as_of for one in sources), default=""),
        model_aliases=model_aliases(folder),
        folder=folder,
    )
