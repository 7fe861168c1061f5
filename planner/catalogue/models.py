"""Reads the catalogue of models: one row of ``models.csv`` and one configuration file each.

Rows name a file in ``model_configs`` (the publisher's, verbatim) or in
``model_rows`` (the same keys, written from another source that the row names).
Both go through :func:`planner.catalogue.architecture.architecture_from_config`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from planner.catalogue.architecture import architecture_from_config
from planner.catalogue.records import Architecture
from planner.catalogue.tables import Row, read_rows
from planner.errors import InvalidScenario, MissingData
from planner.units import BILLION

TABLE = "models.csv"


def load_models(data_dir: Path) -> dict[str, Architecture]:
    """All models of the catalogue by id.

    Parameters
    ----------
    data_dir : Path
        The folder that holds ``models.csv``.

    Returns
    -------
    dict of str to Architecture

    Source: each row's own ``source`` and ``locator``.

    >>> from planner.catalogue.catalogue import find_data
    >>> load_models(find_data())["Qwen/Qwen3-8B"].layers
    36
    """
    models: dict[str, Architecture] = {}
    for row in read_rows(data_dir / TABLE):
        model = _model(row, data_dir)
        if model.id in models:
            raise row.fault("id", "unique")
        models[model.id] = model
    return models


def read_config(data_dir: Path, name: str) -> dict:
    """One configuration file of the catalogue.

    Parameters
    ----------
    data_dir : Path
    name : str
        The file's place below ``data_dir``.

    Returns
    -------
    dict

    >>> from planner.catalogue.catalogue import find_data
    >>> read_config(find_data(), "model_configs/Qwen--Qwen3-8B_config.json")["hidden_size"]
    4096
    """
    try:
        return json.loads((data_dir / name).read_bytes())
    except (OSError, ValueError):
        raise MissingData(
            f"The model configuration data/{name} is missing or not JSON; restore it from the "
            "repository."
        ) from None


def _model(row: Row, data_dir: Path) -> Architecture:
    identity, name = row.required("id"), row.required("name")
    try:
        read = architecture_from_config(
            read_config(data_dir, row.required("config")),
            id=identity,
            name=name,
            source=row.source(),
        )
    except InvalidScenario as error:
        raise MissingData(f"data/{TABLE}, row {row.line}: {error}") from error
    return replace(
        read,
        family=row.required("family"),
        native_precision=row.text("native_precision") or read.native_precision,
        multimodal=row.flag("multimodal"),
        licence=row.text("licence"),
        release_date=row.text("release_date"),
        published_parameters=row.number("published_parameters_b", BILLION),
        published_active_parameters=row.number("published_active_parameters_b", BILLION),
        published_note=row.text("published_note"),
    )


def model_aliases(data_dir: Path) -> dict[str, str]:
    """Other names of the models, in lower case, to their ids.

    A name is listed in the row, or is the id of a quantised copy whose configuration the row
    names, or is one of these or the id without its organisation, when only one model has it.

    Parameters
    ----------
    data_dir : Path
        The folder that holds ``models.csv``.

    Returns
    -------
    dict of str to str

    >>> from planner.catalogue.catalogue import find_data
    >>> names = model_aliases(find_data())
    >>> names["llama-3.1-70b"], names["nvidia/glm-5-nvfp4"]
    ('meta-llama/Meta-Llama-3.1-70B', 'zai-org/GLM-5')
    """
    listed: dict[str, str] = {}
    short: dict[str, set[str]] = {}
    rows = read_rows(data_dir / TABLE)
    ids = {row.required("id").lower(): row.required("id") for row in rows}
    for row in rows:
        identity = row.required("id")
        copies = (
            Path(name).name.removesuffix("_config.json").replace("--", "/")
            for name in (row.required("config"), *row.names("other_configs"))
            if name.startswith("model_configs/")
        )
        for alias in (identity, *copies, *row.names("aliases")):
            key = alias.lower()
            if ids.get(key, identity) != identity or listed.get(key, identity) != identity:
                raise row.fault("aliases", f"free of {alias}, which names another model")
            listed[key] = identity
            short.setdefault(key.rpartition("/")[2], set()).add(identity)
    for key, owners in short.items():
        if len(owners) == 1:
            listed.setdefault(key, next(iter(owners)))
    return listed
