"""Writes the list of measurements that calibration leaves out, each with its reason.

    python scripts/review_measurements.py

The rules below were agreed after reading the table; the list that they make,
``data/calibration/exclusions.csv``, is what calibration reads and what reviewers see. A row that
only looks slow or fast stays in: the fit is robust.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from planner import load_catalogue
from planner.calibration.csv_files import read_table, write_table
from planner.calibration.fit import resident
from planner.calibration.measurements import EXCLUSIONS, TABLE, measurements_of
from planner.errors import PlannerError
from planner.performance import Reference

Row = Mapping[str, str]
LITTLE_FACTOR = 1.35
"""Stated and implied requests in flight may differ by ramps and rounding, not by more."""
SAME = (
    "model gpu gpu_count tensor_parallel pipeline_parallel expert_parallel data_parallel "
    "weight_precision kv_precision engine engine_version isl osl concurrency obs_ttft_s obs_tpot_s "
    "obs_output_tokens_per_s"
).split()


def number(row: Row, column: str) -> float:
    """The cell, or not-a-number."""
    try:
        return float(row[column])
    except ValueError:
        return math.nan


def no_concurrency(row: Row) -> str:
    """Speed without a load cannot be predicted."""
    return "" if row["concurrency"] else "a request rate is stated, not the requests in flight"


def rate_sweep(row: Row) -> str:
    """At an unlimited rate neither the load nor the gaps between chunks are known."""
    swept = row["concurrency_type"] == "request rate sweep"
    return "a sweep of request rates; the requests in flight are not stated" if swept else ""


def variant_unknown(row: Row) -> str:
    """An A100 has 40 or 80 GB and 1.6 or 2.0 TB/s."""
    return "the variant of the GPU is not stated" if row["gpu"] == "a100-unspecified" else ""


def disaggregated(row: Row) -> str:
    """GB200 rows beyond eight GPUs come from prefill and decode on separate GPUs."""
    apart = row["gpu"] in ("gb200", "gb300") and number(row, "gpu_count") > 8
    return "prefill and decode on separate GPUs, whose split is not stated" if apart else ""


def ambiguous(row: Row) -> str:
    """The table's own note says that the unit is not certain."""
    fork = row["notes"].startswith("A fork of the same")
    return "per GPU or in all: the publisher's pages disagree" if fork else ""


def static_latency(row: Row) -> str:
    """A latency of a whole static batch is no time to first token."""
    gaudi = row["source"].startswith("Intel Gaudi")
    return "latency of a whole static batch, labelled as first token" if gaudi else ""


def short_answer(row: Row) -> str:
    """With a handful of answer tokens the time per token is the noise of one step."""
    short = number(row, "osl") < 16 and number(row, "obs_tpot_s") > 0
    return "answers of under 16 tokens leave no time per token to measure" if short else ""


def against_little(row: Row) -> str:
    """Requests in flight follow from rate and times; the stated number must be near."""
    stated, rate = number(row, "concurrency"), number(row, "obs_output_tokens_per_s")
    osl = number(row, "osl")
    held = number(row, "obs_ttft_s") + (osl - 1) * number(row, "obs_tpot_s")
    implied = rate / osl * held
    if not (stated > 0 and implied > 0) or abs(math.log(implied / stated)) <= math.log(
        LITTLE_FACTOR
    ):
        return ""
    return f"states {stated:.0f} requests in flight, but its rate and times imply {implied:.0f}"


RULES: tuple[Callable[[Row], str], ...] = (
    no_concurrency,
    rate_sweep,
    variant_unknown,
    disaggregated,
    ambiguous,
    static_latency,
    short_answer,
    against_little,
)


def reviewed(rows: list[dict[str, str]], reference: Reference) -> Iterator[tuple[str, str]]:
    """Id and reason of every row that is left out."""
    seen: dict[tuple[str, ...], str] = {}
    for row in rows:
        reason = next((why for rule in RULES if (why := rule(row))), "")
        if not reason:
            try:
                reason = fitting(row, reference, seen)
            except PlannerError as error:
                reason = str(error)
        if reason:
            yield row["id"], reason


def fitting(row: Row, reference: Reference, seen: dict[tuple[str, ...], str]) -> str:
    """Why a row that can be read is a duplicate or cannot be; blank for one to keep."""
    one = measurements_of([row], reference)
    layout = one.cases.layout
    read = (layout.tensor_parallel, layout.attention_parallel, layout.replicas)
    same = tuple(
        row[name] for name in SAME if not name.endswith("_parallel") and name != "gpu_count"
    )
    first = seen.setdefault((*same, *(str(float(value[0])) for value in read)), row["id"])
    if first != row["id"]:
        return f"the same observation as {first}"
    _, slots = resident(one.cases, reference)
    if slots[0] < 1:
        return "the weights leave no memory for one request as labelled"
    return ""


def main() -> None:
    """Write the list."""
    reference = Reference.of(load_catalogue())
    folder = Path(reference.catalogue.folder)
    rows = read_table(folder / TABLE)
    found = list(reviewed(rows, reference))
    write_table(folder / EXCLUSIONS, ("id", "reason"), found)
    print(f"{len(found)} of {len(rows)} measurements are left out; see {EXCLUSIONS}")


if __name__ == "__main__":
    main()
