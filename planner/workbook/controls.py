"""Controls from the scenario's own schema: a new field needs no new widget code.

A control is a plain dict that the page's script turns into a native input with
its label, unit, range and help. What a choice offers comes from the catalogue.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from planner.catalogue import Accelerator, Catalogue, Precision
from planner.scenario import field_schema
from planner.units import GIB, format_billions, format_number

Control = dict[str, Any]

UNIT_WORDS = {
    "token": "tokens",
    "sequence": "conversations",
    "gpu": "GPUs",
    "parameter": "parameters",
}
MODEL_SOURCES = {
    "catalogue": "A real model",
    "size": "Any size",
    "config": "My config.json",
}
NULL_LABEL = "Automatic"
HALF_WIDTH = {
    "deployment.tensor_parallel",
    "deployment.pipeline_parallel",
    "deployment.engine_max_sequences",
    "deployment.engine_batched_tokens",
}
"""Fields that stand two in a row."""


def control(path: str, catalogue: Catalogue) -> Control:
    """The control of one scenario field.

    Parameters
    ----------
    path : str
        Dotted path.
    catalogue : Catalogue

    Returns
    -------
    dict

    >>> from planner.catalogue import load_catalogue
    >>> control("workload.context_tokens", load_catalogue())["scale"]
    'integer log'
    """
    entry = field_schema()[path]
    kind = entry["control"]
    made: Control = {
        "path": path,
        "label": entry["label"],
        "unit": UNIT_WORDS.get(entry["unit"], ""),
        "help": entry["description"],
        "team": entry["team"],
        "kind": "slider" if kind.endswith("slider") else kind,
    }
    if entry["minimum"] is not None:
        made["min"], made["max"] = entry["minimum"], entry["maximum"]
        made["step"] = 1 if entry["integer"] else 0.01
        logarithmic = kind == "log slider"
        made["scale"] = ("integer log" if entry["integer"] else "log") if logarithmic else "linear"
    if entry["unit"] == "fraction":
        made["format"], made["unit"] = "percent", "%"
    if path in HALF_WIDTH:
        made["half"] = True
    if entry["nullable"]:
        made["nullable"], made["null_label"] = True, NULL_LABEL
    if entry["shown_when"]:
        made["shown_when"] = {
            "path": entry["shown_when"][0],
            "values": list(entry["shown_when"][1]),
        }
    if kind in ("choice", "search"):
        made["options"] = _options(path, entry["choices"], catalogue)
    if kind == "file":
        made["accept"], made["upload"] = ".json,application/json", "config"
    return made


def section(
    title: str, paths: Sequence[str], catalogue: Catalogue, team: str = ""
) -> dict[str, Any]:
    """A titled group of controls, tagged with the team that owns it.

    Parameters
    ----------
    title : str
    paths : sequence of str
    catalogue : Catalogue
    team : str
        By default the team of all its fields, or both.

    Returns
    -------
    dict

    >>> from planner.catalogue import load_catalogue
    >>> section("GPU", ["deployment.gpu"], load_catalogue())["team"]
    'infrastructure'
    """
    controls = [control(path, catalogue) for path in paths]
    teams = {one["team"] for one in controls}
    return {
        "id": title.lower().replace(" ", "-"),
        "title": title,
        "team": team or (teams.pop() if len(teams) == 1 else "both"),
        "controls": controls,
    }


def _options(path: str, choices: list[Any] | None, catalogue: Catalogue) -> list[dict[str, Any]]:
    make: dict[str, Callable[[Catalogue], list[dict[str, Any]]]] = {
        "workload.model": _models,
        "deployment.gpu": _gpus,
        "deployment.weight_precision": lambda c: _precisions(c, ("weights", "both")),
        "deployment.kv_precision": lambda c: _precisions(c, ("kv", "both")),
        "deployment.engine": lambda c: [_option(e.id, e.name) for e in c.engines.values()],
    }
    if path in make:
        return make[path](catalogue)
    names = MODEL_SOURCES if path == "workload.model_source" else {}
    return [_option(choice, names.get(choice, str(choice))) for choice in choices or ()]


def _option(value: Any, label: str, group: str = "", note: str = "") -> dict[str, Any]:
    return {"value": value, "label": label, "group": group, "note": note}


def _models(catalogue: Catalogue) -> list[dict[str, Any]]:
    ordered = sorted(
        catalogue.models.values(), key=lambda model: (model.family, -model.total_parameters)
    )
    return [
        _option(model.id, model.name, model.family, format_billions(model.total_parameters))
        for model in ordered
    ]


def _gpus(catalogue: Catalogue) -> list[dict[str, Any]]:
    return [_gpu(gpu) for gpu in catalogue.accelerators.values()]


def _gpu(gpu: Accelerator) -> dict[str, Any]:
    known = gpu.memory_reported_bytes == gpu.memory_reported_bytes
    memory = f"{format_number(gpu.memory_reported_bytes / GIB)} GiB" if known else "memory unknown"
    return _option(gpu.id, gpu.name, gpu.vendor, memory)


def _precisions(catalogue: Catalogue, uses: tuple[str, ...]) -> list[dict[str, Any]]:
    chosen: list[Precision] = [p for p in catalogue.precisions.values() if p.use in uses]
    return [
        _option(p.id, p.name, "", f"{format_number(p.bits_per_weight)} bits stored") for p in chosen
    ]
