"""Controls from the scenario's own schema: a new field needs no new widget code.

A control is a plain dict that the page's script turns into a native input with
its label, unit, range and help. What a choice offers comes from the catalogue.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from planner.catalogue import Accelerator, Catalogue, Precision, load_trace, trace_ids, week_shapes
from planner.scenario import field_schema
from planner.units import GIB, format_billions, format_number
from planner.workbook.uploads import LOG, UPLOADED

Control = dict[str, Any]

UNIT_WORDS = {
    "token": "tokens",
    "sequence": "conversations",
    "gpu": "GPUs",
    "parameter": "parameters",
    "s": "s",
}
CHOICES: dict[str, dict[str, str]] = {
    "workload.model_source": {
        "catalogue": "A real model",
        "size": "Any size",
        "config": "My config.json",
    },
    "demand.source": {
        "staff": "People we know",
        "population": "An open public",
        "requests": "Requests in a day",
        "log": "A request log",
    },
    "demand.duration": {
        "always": "Around the clock",
        "office": "Working days, 7 to 19",
        "campaign": "Some weeks of the year",
    },
    "service_level.percentile": {
        "mean": "the mean request",
        "50": "50 of 100 requests",
        "90": "90 of 100 requests",
        "95": "95 of 100 requests",
        "99": "99 of 100 requests",
    },
}
"""What each choice is called, by field."""
FILES = {
    "workload.config_json": (".json,application/json", "config"),
    LOG: (".csv,.tsv,.txt,.parquet,.pq,text/csv", "log"),
}
"""Kinds of file that a field takes, and what the page calls the upload."""
MILLISECONDS = {"service_level.tpot_s"}
"""Fields in seconds that people think of in milliseconds."""
NULL_LABEL = "Automatic"
HALF_WIDTH = {
    "deployment.tensor_parallel",
    "deployment.pipeline_parallel",
    "deployment.engine_max_sequences",
    "deployment.engine_batched_tokens",
}
"""Fields that stand two in a row."""
DEMAND_SECTIONS: dict[str, tuple[str, ...]] = {
    "The demand": (
        "demand.source",
        "demand.users",
        "demand.active_fraction",
        "demand.requests_per_hour",
        "demand.requests_per_day",
        "demand.log",
        LOG,
        "demand.log_scale",
    ),
    "The requests": (
        "demand.prompt_tokens",
        "demand.output_tokens",
        "demand.prompt_cv2",
        "demand.output_cv2",
        "demand.cache_hit_fraction",
    ),
    "The calendar": (
        "demand.week_shape",
        "demand.duration",
        "demand.campaign_weeks",
        "demand.growth_fraction_per_year",
        "demand.horizon_years",
    ),
    "The service level": (
        "service_level.ttft_s",
        "service_level.tpot_s",
        "service_level.percentile",
        "service_level.queue_window_s",
    ),
}
"""Titles and fields of the sections that ask how much is wanted, and how fast."""


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
    if path in MILLISECONDS:
        made["format"], made["unit"] = "milliseconds", "ms"
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
        made["accept"], made["upload"] = FILES[path]
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
        "deployment.engine": _engines,
        "demand.log": lambda c: _logs(),
        "demand.week_shape": lambda c: [_option(w.id, w.title) for w in week_shapes().values()],
    }
    if path in make:
        return make[path](catalogue)
    names = CHOICES.get(path, {})
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


def _engines(catalogue: Catalogue) -> list[dict[str, Any]]:
    """The families whose speed was measured, then the versions whose memory is known."""
    families = []
    for family in catalogue.serving_engines.values():
        known = catalogue.engines.get(family.id)
        note = known.name.removeprefix(f"{family.name} ") if known else ""
        families.append(_option(family.id, family.name, "", note))
    versions = [
        _option(engine.id, engine.name, "Older versions, by their memory")
        for engine in catalogue.engines.values()
        if engine.id not in catalogue.serving_engines
    ]
    return families + versions


def _logs() -> list[dict[str, Any]]:
    shipped = [_option(one, load_trace(one).title) for one in trace_ids()]
    return [*shipped, _option(UPLOADED, "My own log")]


def _precisions(catalogue: Catalogue, uses: tuple[str, ...]) -> list[dict[str, Any]]:
    chosen: list[Precision] = [p for p in catalogue.precisions.values() if p.use in uses]
    return [
        _option(p.id, p.name, "", f"{format_number(p.bits_per_weight)} bits stored") for p in chosen
    ]
