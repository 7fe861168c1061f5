"""What each picture says, in a sentence."""

from __future__ import annotations

import numpy as np

from planner.catalogue import Catalogue
from planner.charts.figures import count_text
from planner.plan import Plan
from planner.units import format_gib, format_number, plural


def captions(plan: Plan, catalogue: Catalogue) -> dict[str, str]:
    """What each chart says, in a sentence, for those who do not see it.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        Chart name to sentence.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> sorted(captions(evaluate(Scenario(), c), c))
    ['map', 'memory', 'precisions', 'quality']
    """
    memory, fit = plan.memory, plan.fit
    row = plan.options.gpus[plan.options.gpu_ids.index(plan.gpu.id)]
    by_precision = ", ".join(
        f"{name} {count_text(count)}"
        for name, count in zip(plan.options.precision_labels, row, strict=True)
        if not np.isnan(count)
    )
    finite = plan.options.gpus[np.isfinite(plan.options.gpus)]
    return {
        "memory": (
            f"On {plural(fit.gpus, 'GPU')} each holds {format_gib(memory.weights_bytes)} of "
            f"weights, {format_gib(memory.kv_cache_bytes)} of KV cache and "
            f"{format_gib(memory.activations_bytes + memory.runtime_reserve_bytes)} of "
            f"activations and reserve, of {format_gib(plan.gpu.memory_usable_bytes)}."
        ),
        "precisions": f"GPUs of {plan.gpu.name} needed: {by_precision}.",
        "map": (
            f"Counts run from {format_number(float(finite.min()))} to "
            f"{format_number(float(finite.max()))} GPUs; a dash means that it does not fit or "
            "that the GPU cannot compute the format."
            if finite.size
            else "No combination fits."
        ),
        "quality": _quality_caption(plan, catalogue),
    }


def _quality_caption(plan: Plan, catalogue: Catalogue) -> str:
    options = plan.options
    silent = [
        label
        for identity, label in zip(options.precision_ids, options.precision_labels, strict=True)
        if identity not in catalogue.recoveries and identity != "bf16"
    ]
    none = (
        f" No comparison was found for {', '.join(silent)}: test on your own tasks."
        if silent
        else ""
    )
    return (
        "A dot is the median of the published comparisons, a bar holds the middle 80 %; hover or "
        f"ask why for their sources.{none}"
    )
