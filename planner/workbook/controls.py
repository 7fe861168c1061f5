"""Controls from the scenario's own schema: a new field needs no new widget code.

A control is a plain dict that the page's script turns into a native input with
its label, unit, range and help. What a choice offers comes from the catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from planner.catalogue import Catalogue
from planner.scenario import field_schema, row_schema
from planner.workbook.choices import options
from planner.workbook.rows import EMPTY, NOUNS, PRESETS
from planner.workbook.uploads import LOG

Control = dict[str, Any]

UNIT_WORDS = {
    "token": "tokens",
    "sequence": "conversations",
    "gpu": "GPUs",
    "parameter": "parameters",
    "s": "s",
    "year": "years",
    "month": "months",
    "week": "weeks",
    "day": "days",
    "h": "hours",
    "GiB": "GiB",
    "request": "requests",
    "core": "cores",
    "TB": "TB",
    "kW": "kW",
    "USD": "USD",
    "USD/h": "USD an hour",
    "USD/year": "USD a year",
    "USD/task": "USD a task",
    "USD/kWh": "USD a kWh",
    "USD/core/year": "USD a core and year",
}
"""What a control says beside its label, by the field's unit."""
FILES = {
    "workload.config_json": (".json,application/json", "config"),
    LOG: (".csv,.tsv,.txt,.parquet,.pq,text/csv", "log"),
}
"""Kinds of file that a field takes, and what the page calls the upload."""
FORMATS = {
    "service_level.tpot_s": ("milliseconds", "ms"),
    "policy.max_rtt_s": ("milliseconds", "ms"),
    "portfolio.workloads.tpot_s": ("milliseconds", "ms"),
    "value.saved_s_per_task": ("minutes", "minutes"),
    "value.review_s_per_task": ("minutes", "minutes"),
    "policy.data_gravity_bytes": ("terabytes", "TB"),
}
"""Fields that people think of in another unit than the one inside: how the page shows them."""
STEPS = {
    "value.saved_s_per_task": 1.0,
    "value.review_s_per_task": 1.0,
    "value.avoided_loss_usd_per_year": 100.0,
    "value.project_cost_usd": 100.0,
    "value.change_cost_usd_per_year": 100.0,
    "finance.discount_fraction": 0.005,
    "finance.scale_up_s": 1.0,
    "portfolio.cpu_overcommit": 0.25,
    "portfolio.rack_kw": 1.0,
    "portfolio.workloads.window_h": 0.5,
    "portfolio.workloads.epochs": 0.1,
    "portfolio.workloads.deadline_days": 0.5,
}
"""Smallest steps of sliders, where a hundredth is too fine or too coarse."""
NULL_LABEL = "Automatic"
NULL_LABELS = {
    "policy.exit_months": "No limit",
    "policy.max_rtt_s": "No limit",
    "site.platform_usd_per_core_year": "Your quote",
    "portfolio.licensed_gpus": "All",
}
"""What an empty field means, where it is not automatic."""
HALF_WIDTH = {
    "deployment.tensor_parallel",
    "deployment.pipeline_parallel",
    "deployment.engine_max_sequences",
    "deployment.engine_batched_tokens",
    "finance.currency",
    "finance.currency_per_usd",
    "finance.currency_as_of",
    "finance.quotes_as_of",
    "site.electricity_usd_per_kwh",
    "site.pue",
    "policy.max_rtt_s",
    "policy.exit_months",
    "portfolio.workloads.start_day",
    "portfolio.workloads.days",
    "portfolio.workloads.cpu_cores",
    "portfolio.workloads.memory_gib",
}
"""Fields that stand two in a row."""
MORE = {
    f"portfolio.workloads.{name}"
    for name in ("isolation", "replicas_apart", "quota_gpus", "cpu_cores", "memory_gib")
} | {"portfolio.hosts.numa_nodes", "portfolio.hosts.nvlink_gpus"}
"""Fields of a row that few need: they open with a click."""


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
    return _control(path, field_schema()[path], catalogue)


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


def _control(path: str, entry: Mapping[str, Any], catalogue: Catalogue) -> Control:
    kind = entry["control"]
    made: Control = {
        "path": path,
        "label": entry["label"],
        "unit": UNIT_WORDS.get(entry["unit"], ""),
        "help": entry["description"],
        "team": entry["team"],
        "kind": "slider" if kind.endswith("slider") else kind,
    }
    if entry["maximum"] is not None:
        made["min"], made["max"] = entry["minimum"], entry["maximum"]
        made["step"] = 1 if entry["integer"] else STEPS.get(path, 0.01)
        logarithmic = kind == "log slider"
        made["scale"] = ("integer log" if entry["integer"] else "log") if logarithmic else "linear"
    if entry["unit"] == "fraction":
        made["format"], made["unit"] = "percent", "%"
    if path in FORMATS:
        made["format"], made["unit"] = FORMATS[path]
    made |= {word: True for word, paths in (("half", HALF_WIDTH), ("more", MORE)) if path in paths}
    if entry["nullable"]:
        made["nullable"], made["null_label"] = True, NULL_LABELS.get(path, NULL_LABEL)
    if entry["shown_when"]:
        made["shown_when"] = {
            "path": entry["shown_when"][0],
            "values": list(entry["shown_when"][1]),
        }
    if kind in ("choice", "search"):
        made["options"] = options(path, entry["choices"], catalogue)
    if kind == "quotes":
        made["empty"] = "None; the table of prices on the page of cost takes them"
    if kind == "file":
        made["accept"], made["upload"] = FILES[path]
    if kind == "rows":
        made |= _table(path, catalogue)
    return made


def _table(path: str, catalogue: Catalogue) -> Control:
    """What a table's control needs besides: the controls of one row, and rows to start from."""
    fields = [
        {**_control(f"{path}.{name}", entry, catalogue), "name": name, "default": entry["default"]}
        for name, entry in row_schema(path).items()
    ]
    return {
        "fields": fields,
        "presets": list(PRESETS[path]),
        "noun": NOUNS[path],
        "empty": EMPTY[path],
    }
