"""What a choice offers: fixed answers by their words, and rows of the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from planner.catalogue import Accelerator, Catalogue, Precision, load_trace, trace_ids, week_shapes
from planner.plan.venues_rented import MARKET
from planner.units import GIB, format_billions, format_number
from planner.workbook.uploads import UPLOADED

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
    "site.platform": {
        "plain": "Linux alone",
        "vcf": "VMware Cloud Foundation",
        "vvf": "VMware vSphere Foundation",
        "other": "Another, at your own price",
    },
    "site.storage_scheme": {
        "local": "Local disks, not mirrored",
        "vsan-raid1": "vSAN, mirrored",
        "vsan-raid5": "vSAN, 3 + 1 stripes",
        "vsan-raid6": "vSAN, 4 + 2 stripes",
    },
    "finance.depreciation": {
        "straight line": "The same every year",
        "macrs": "MACRS, as US tax has it",
    },
    "finance.cloud_hours": {
        "always": "Run in all hours of service",
        "follow": "Follow the week's demand",
    },
    "policy.data_residency": {
        "anywhere": "Anywhere",
        "eu": "The European Union",
        "eea": "The European Economic Area",
        "adequate": "Where the EU accepts the law",
        "us": "United States",
        "gb": "United Kingdom",
        "ch": "Switzerland",
        "de": "Germany",
        "fr": "France",
        "nl": "Netherlands",
        "ie": "Ireland",
        "it": "Italy",
        "es": "Spain",
        "se": "Sweden",
        "fi": "Finland",
        "pl": "Poland",
        "at": "Austria",
        "ca": "Canada",
        "br": "Brazil",
        "au": "Australia",
        "in": "India",
        "jp": "Japan",
        "kr": "South Korea",
        "sg": "Singapore",
    },
    "policy.sovereignty": {
        "none": "Nothing asked",
        "residency": "Data stay in the area",
        "operator": "And the operator is from there",
        "full": "And no foreign law reaches it",
    },
    "policy.eu_ai_act_class": {
        "minimal": "Minimal risk",
        "limited": "Limited: people are told",
        "high": "High risk: logs, oversight",
        "gpai": "We publish a general model",
    },
    "policy.fedramp_level": {
        "none": "Nothing asked",
        "low": "Low",
        "moderate": "Moderate",
        "high": "High",
    },
    "policy.dod_il": {
        "none": "Nothing asked",
        "2": "2: public",
        "4": "4: controlled",
        "5": "5: controlled, national security",
        "6": "6: secret",
    },
    "policy.isolation": {
        "process": "A process is enough",
        "vm": "A virtual machine",
        "mig": "A partition of the GPU",
        "whole": "Nobody else on the GPU",
    },
    "portfolio.placement": {
        "fewest hosts": "Planned together: fewest hosts",
        "spread": "Spread: onto the emptiest",
        "group": "Group: onto the fullest that fits",
        "best fit": "Best fit: onto the tightest",
        "fragmentation": "Least broken up",
    },
    "portfolio.workloads.shape": {
        "serving": "Serving: somebody waits",
        "batch": "Batch: by a deadline",
        "training": "Training or tuning",
        "notebooks": "Notebooks",
    },
    "portfolio.workloads.method": {
        "full": "All weights",
        "lora": "An adapter (LoRA)",
        "qlora": "An adapter, 4-bit weights (QLoRA)",
    },
    "portfolio.workloads.when": {
        "always": "Around the clock",
        "office hours": "Working days",
        "nights": "Nights",
        "campaign": "Some days",
    },
    "portfolio.workloads.isolation": {
        "shared": "Nothing: shares memory and compute",
        "memory": "Memory of its own",
        "hardware": "Compute of its own too",
        "own host": "A host of its own",
    },
    "portfolio.workloads.priority": {"high": "High", "normal": "Normal", "low": "Low"},
    "portfolio.hosts.carving": {
        "whole": "Not carved: whole GPUs",
        "mig": "MIG: hardware slices",
        "vgpu same size": "vGPU, one size on a GPU",
        "vgpu mixed size": "vGPU, mixed sizes",
        "time slices": "Time slices",
        "mps": "MPS: shared compute",
    },
}
"""What each choice is called, by field."""


CHEAPEST = "cheapest"
PROVIDERS = {
    "aws": "AWS",
    "azure": "Microsoft Azure",
    "coreweave": "CoreWeave",
    "crusoe": "Crusoe",
    "gcp": "Google Cloud",
    "lambda": "Lambda",
    "nebius": "Nebius",
    "oci": "Oracle Cloud",
    "runpod": "Runpod",
    "tensorwave": "TensorWave",
    "vast": "Vast.ai",
    "vultr": "Vultr",
}
"""Clouds as people write them."""
Options = list[dict[str, Any]]
OWN = {"value": "", "label": "This scenario's own", "group": "", "note": ""}
"""What an empty cell of a table stands for."""


def options(path: str, choices: list[Any] | None, catalogue: Catalogue) -> Options:
    """What one field offers to choose from.

    Parameters
    ----------
    path : str
        Dotted path of the field.
    choices : list, optional
        The field's own fixed values, by the schema.
    catalogue : Catalogue

    Returns
    -------
    list of dict
        Each with ``value``, ``label``, ``group`` and ``note``.

    >>> from planner.catalogue import load_catalogue
    >>> options("site.country", None, load_catalogue())[0]["label"]
    'United Arab Emirates'
    """
    make: dict[str, Callable[[Catalogue], Options]] = {
        "workload.model": _models,
        "deployment.gpu": _gpus,
        "deployment.weight_precision": lambda c: _precisions(c, ("weights", "both")),
        "deployment.kv_precision": lambda c: _precisions(c, ("kv", "both")),
        "deployment.engine": _engines,
        "demand.log": lambda c: _logs(),
        "demand.week_shape": lambda c: [_option(w.id, w.title) for w in week_shapes().values()],
        "site.country": _grids,
        "finance.cloud_provider": _providers,
        "finance.api": _apis,
        "portfolio.workloads.model": lambda c: [OWN, *_models(c)],
        "portfolio.workloads.weight_precision": lambda c: [
            OWN,
            *_precisions(c, ("weights", "both")),
        ],
        "portfolio.hosts.gpu": lambda c: [OWN, *_gpus(c)],
    }
    if path in make:
        return make[path](catalogue)
    names = CHOICES.get(path, {})
    return [_option(choice, names.get(choice, str(choice))) for choice in choices or ()]


def _option(value: Any, label: str, group: str = "", note: str = "") -> dict[str, Any]:
    return {"value": value, "label": label, "group": group, "note": note}


def _models(catalogue: Catalogue) -> Options:
    ordered = sorted(
        catalogue.models.values(), key=lambda model: (model.family, -model.total_parameters)
    )
    return [
        _option(model.id, model.name, model.family, format_billions(model.total_parameters))
        for model in ordered
    ]


def _gpus(catalogue: Catalogue) -> Options:
    return [_gpu(gpu) for gpu in catalogue.accelerators.values()]


def _gpu(gpu: Accelerator) -> dict[str, Any]:
    known = gpu.memory_reported_bytes == gpu.memory_reported_bytes
    memory = f"{format_number(gpu.memory_reported_bytes / GIB)} GiB" if known else "memory unknown"
    return _option(gpu.id, gpu.name, gpu.vendor, memory)


def _engines(catalogue: Catalogue) -> Options:
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


def _logs() -> Options:
    shipped = [_option(one, load_trace(one).title) for one in trace_ids()]
    return [*shipped, _option(UPLOADED, "My own log")]


def _precisions(catalogue: Catalogue, uses: tuple[str, ...]) -> Options:
    chosen: list[Precision] = [p for p in catalogue.precisions.values() if p.use in uses]
    return [
        _option(p.id, p.name, "", f"{format_number(p.bits_per_weight)} bits stored") for p in chosen
    ]


def _grids(catalogue: Catalogue) -> Options:
    """Carbon and price of every grid, both of which weigh on owning."""
    return [
        _option(
            grid.id,
            grid.name,
            "",
            f"{grid.gco2e_per_kwh:,.0f} g CO₂e, "
            + (f"{grid.electricity:.3f} USD" if grid.is_priced else "price unknown")
            + " a kWh",
        )
        for grid in catalogue.grids.values()
    ]


def _providers(catalogue: Catalogue) -> Options:
    """Those of whom something can be ordered; a publisher's market range is no provider."""
    found = sorted({offer.provider for offer in catalogue.cloud_offers} - set(MARKET))
    return [
        _option(CHEAPEST, "The cheapest that is allowed"),
        *(_option(one, PROVIDERS.get(one, one)) for one in found),
    ]


def _apis(catalogue: Catalogue) -> Options:
    ordered = sorted(catalogue.api_prices.values(), key=lambda api: (api.provider, api.model))
    return [
        _option(
            api.id,
            f"{api.model} at {api.provider}",
            api.provider,
            f"{format_number(api.input)} in, {format_number(api.output)} out",
        )
        for api in ordered
    ]
