"""Why a number is what it is: formula, this plan's own numbers, sources and basis."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from planner.catalogue import Basis, Source
from planner.cost import Currency
from planner.errors import MissingData
from planner.plan.bill import BillLine, bill_of
from planner.plan.cost_records import CostPlan
from planner.plan.demand_plan import DemandPlan
from planner.plan.energy_records import EnergyPlan
from planner.plan.fleet_records import FleetPlan
from planner.plan.memory_records import FitPlan, MemoryPlan
from planner.plan.price_list import currency_of
from planner.plan.records import Plan
from planner.plan.serving_records import ServingPlan
from planner.plan.value_records import ValuePlan
from planner.scenario import field_schema
from planner.units import BILLION, format_gib, format_number, format_seconds

NOUNS = {"gpu": "GPU", "sequence": "conversation", "bit/weight": "bit", "h": "hour"}
"""What one of a unit is called; the others are called as they are."""
INFINITE = {
    "gpu": "no number will do",
    "replica": "no number will do",
    "h": "never",
    "month": "never",
    "token": "no number will do",
    "task": "no number will do",
}
"""What it means that there is no end to it."""
SYMBOLS = ("W", "kW", "kWh", "kg", "L", "J/token")
"""Units that people write as they are, for one and for many."""
MONEY_FOR = {
    "USD/h": " an hour",
    "USD/gpu/h": " an hour",
    "USD/gpu": " each",
    "USD/host": " each",
    "USD/year": " a year",
    "USD/month": " a month",
    "USD/kWh": " per kWh",
    "USD/core/year": " per core and year",
    "USD/gpu/year": " per GPU and year",
    "USD/million tokens": " per million tokens",
    "USD/request": " per request",
    "USD/task": " per task",
    "USD/user/month": " per person and month",
}
"""What an amount is for."""
RATES = {"request/s": "requests a second", "token/s": "tokens a second"}
RECORDS: dict[str, type] = {
    "memory": MemoryPlan,
    "fit": FitPlan,
    "demand": DemandPlan,
    "serving": ServingPlan,
    "energy": EnergyPlan,
    "cost": CostPlan,
    "value": ValuePlan,
    "fleet": FleetPlan,
}
"""Sections of a plan that answer."""
PATH = re.compile(r"\{([a-z_.]+)\}")

FACTS: dict[str, tuple[str, str]] = {
    "model.attention_linear_parameters": ("attention parameters", "parameter"),
    "model.feed_forward_parameters": ("feed-forward and expert parameters", "parameter"),
    "model.embedding_parameters": ("embedding parameters", "parameter"),
    "model.lm_head_parameters": ("LM head parameters", "parameter"),
    "model.other_parameters": ("norm and router parameters", "parameter"),
    "model.vision_parameters": ("vision tower parameters", "parameter"),
    "model.layers": ("layers", "1"),
    "model.vocabulary": ("vocabulary", "1"),
    "weight_precision.bits_per_weight": ("bits per weight", "bit/weight"),
    "weight_precision.attention_bits": ("bits per attention weight", "bit/weight"),
    "weight_precision.embedding_bits": ("bits per embedding weight", "bit/weight"),
    "weight_precision.lm_head_bits": ("bits per LM head weight", "bit/weight"),
    "weight_precision.other_bits": ("bits per norm weight", "bit/weight"),
    "kv_precision.bits_per_weight": ("bits per KV element", "bit/weight"),
    "gpu.memory_usable_bytes": ("GPU memory that a process can see", "byte"),
    "gpu.name": ("GPU", "text"),
    "engine.name": ("serving engine", "text"),
    "engine.block_tokens": ("KV cache block", "token"),
    "engine.sampler_bytes": ("sampler bytes per sequence and vocabulary entry", "byte"),
}
"""Label and unit of catalogue facts that formulas name; answers and scenario fields carry
their own."""


@dataclass(frozen=True, slots=True)
class Input:
    """One number that goes into an answer."""

    path: str
    name: str
    value: str
    source: str
    as_of: str
    basis: Basis


@dataclass(frozen=True, slots=True)
class Explanation:
    """An answer with its formula, the formula with this plan's numbers, inputs and basis.

    ``str(explanation)`` is the whole as plain text.
    """

    path: str
    label: str
    value: str
    formula: str
    worked: str
    note: str
    inputs: tuple[Input, ...]
    term: str
    basis: Basis
    bill: tuple[BillLine, ...] = ()
    """Lines of the total, where it is one of money."""

    def __str__(self) -> str:
        lines = [
            f"{self.label}: {self.value}  [{self.basis.words}]",
            f"  = {self.formula}",
            f"  = {self.worked}",
        ]
        if self.note:
            lines.append(f"  {self.note}")
        lines += [
            f"  - {one.name}: {one.value} ({one.source}{', ' + one.as_of if one.as_of else ''}; "
            f"{one.basis.words})"
            for one in self.inputs
        ]
        lines += [
            f"  + {one.label}: {one.value} ({one.prices}; since {one.as_of}; {one.basis.words})"
            for one in self.bill
        ]
        return "\n".join(lines)


def explain(plan: Plan, path: str) -> Explanation:
    """Why this plan's number is what it is.

    Parameters
    ----------
    plan : Plan
    path : str
        Dotted path of an answer, for example ``memory.kv_cache_bytes`` or ``fit.gpus``.

    Returns
    -------
    Explanation

    Raises
    ------
    MissingData
        The plan has no such answer; the sentence names the nearest.

    >>> from planner.catalogue import load_catalogue
    >>> from planner.plan import evaluate
    >>> from planner.scenario import Scenario
    >>> plan = evaluate(Scenario(), load_catalogue())
    >>> explain(plan, "fit.gpus").formula
    'Tensor parallel × Pipeline parallel × Replicas'
    """
    section, _, name = path.partition(".")
    record = RECORDS.get(section)
    if record is None or name not in record.__dataclass_fields__:
        close = difflib.get_close_matches(path, answer_paths(), n=8, cutoff=0.0)
        raise MissingData(
            f"This plan has no answer '{path}'; of the {len(answer_paths())} about "
            f"{', '.join(RECORDS)} the nearest are {', '.join(close)}."
        )
    metadata = record.__dataclass_fields__[name].metadata
    currency = currency_of(plan.scenario)
    inputs = tuple(_inputs(plan, metadata["formula"], currency))
    return Explanation(
        path=path,
        label=metadata["label"],
        value=_shown(_value(plan, path), metadata["unit"], currency),
        formula=PATH.sub(lambda match: _label(match[1]), metadata["formula"]),
        worked=PATH.sub(
            lambda match: _shown(_value(plan, match[1]), _unit(match[1]), currency),
            metadata["formula"],
        ),
        note=metadata["note"],
        inputs=inputs,
        term=metadata["term"],
        basis=plan.basis(path),
        bill=bill_of(plan, path),
    )


def answer_paths() -> tuple[str, ...]:
    """Every answer of a plan by its dotted path.

    Returns
    -------
    tuple of str

    >>> "memory.kv_pool_bytes" in answer_paths()
    True
    """
    return tuple(
        f"{section}.{name}"
        for section, record in RECORDS.items()
        for name in record.__dataclass_fields__
    )


def _inputs(plan: Plan, formula: str, currency: Currency) -> Iterator[Input]:
    for path in dict.fromkeys(PATH.findall(formula)):
        source = _source(plan, path)
        yield Input(
            path,
            _label(path),
            _shown(_value(plan, path), _unit(path), currency),
            ", ".join(part for part in (source.title, source.locator) if part),
            source.as_of,
            source.basis,
        )


def _source(plan: Plan, path: str) -> Source:
    section = path.partition(".")[0]
    if section == "scenario":
        return Source("your scenario", basis=Basis.ASSUMED)
    if section in RECORDS:
        return Source("this plan, see its own why", basis=plan.basis(path))
    if path == "gpu.memory_usable_bytes":
        return plan.gpu.usable_source
    return getattr(plan, section).source


def _value(plan: Plan, path: str) -> Any:
    value: Any = plan
    for part in path.split("."):
        value = getattr(value, part)
    return value


def _metadata(path: str) -> tuple[str, str]:
    section, _, name = path.partition(".")
    if section == "scenario":
        entry = field_schema()[name]
        return entry["label"], entry["unit"]
    if section in RECORDS:
        metadata = RECORDS[section].__dataclass_fields__[name].metadata
        return metadata["label"], metadata["unit"]
    return FACTS[path]


def _label(path: str) -> str:
    return _metadata(path)[0]


def _unit(path: str) -> str:
    return _metadata(path)[1]


def _shown(value: Any, unit: str, currency: Currency) -> str:
    """A value with its unit as people read it."""
    if isinstance(value, str):
        return value
    value = float(value)
    if math.isnan(value):
        return "unknown"
    if unit.startswith("USD"):
        return f"{currency.show(value)}{MONEY_FOR.get(unit, '') if math.isfinite(value) else ''}"
    if unit == "byte":
        return format_gib(value) if value >= 2**20 or value <= 0 else f"{value:,.6g} bytes"
    if unit == "parameter":
        big = value >= 1e6
        return f"{format_number(value / BILLION, 4)} billion" if big else f"{value:,.0f}"
    if unit == "fraction":
        return f"{value:.0%}" if math.isfinite(value) else "never"
    if unit == "s":
        return format_seconds(value)
    if unit in ("1", "text"):
        return format_number(value)
    if math.isinf(value) and unit in INFINITE:
        return INFINITE[unit]
    number = format_number(value, 4)
    if unit in RATES:
        return f"{number} {RATES[unit]}"
    if unit in SYMBOLS:
        return f"{number} {unit}"
    words = NOUNS.get(unit, unit)
    return f"{number} {words if value == 1 else words + 's'}"
