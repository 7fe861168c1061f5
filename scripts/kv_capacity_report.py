"""How well the memory model meets engines' own start-up logs.

Every row of ``tests/published/kv_capacity.csv`` is predicted from the model,
the GPU, the engine version and the settings alone: no logged weight, peak or
pool goes in. Run ``python scripts/kv_capacity_report.py`` for the tables;
``tests/test_kv_capacity.py`` holds the limits.
"""

from __future__ import annotations

import csv
import statistics
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from planner.catalogue import Catalogue, Engine, load_catalogue  # noqa: E402
from planner.memory import device, replica_memory, weight_format  # noqa: E402
from planner.units import GIB  # noqa: E402

PUBLISHED = ROOT / "tests" / "published" / "kv_capacity.csv"
DEFAULT_ENGINE = "vllm"
UTILIZATION = 0.9
"""What the logged versions take when nothing is said [fraction]."""
WEIGHT_PRECISIONS = {
    ("amd/Kimi-K2.7-Code-MXFP4", "fp4"): "mxfp4",
    ("Qwen3.6-35B-A3B NVFP4", "fp4"): "nvfp4",
    ("RedHatAI/Llama-4-Scout-17B-16E-Instruct-FP8-dynamic", ""): "fp8",
}
"""What a row's precision means for the checkpoint that it names; others say it themselves."""
TIGHTEST_GPU = {"RTX-5070Ti-16GB + RTX-5090D-32GB": "RTX-5070Ti-16GB"}


@dataclass(frozen=True)
class Comparison:
    """One start-up log beside its prediction; a value that was not logged is ``None``."""

    row: dict[str, str]
    engine: str
    vendor: str
    weights_gib: float
    activations_gib: float
    reserve_gib: float
    pool_gib: float
    tokens: float

    @property
    def logged_tokens(self) -> float | None:
        """Tokens of KV cache, as logged [token]."""
        return _number(self.row["kv_cache_tokens"])

    @property
    def logged_pool_gib(self) -> float | None:
        """KV pool on each GPU, as logged [GiB]."""
        return _number(self.row["kv_cache_gib_per_gpu"])

    @property
    def error(self) -> float:
        """Predicted over logged less one: of tokens, or of the pool without them [fraction]."""
        if self.logged_tokens:
            return self.tokens / self.logged_tokens - 1
        return (self.pool_gib - self.logged_pool_gib) / abs(self.logged_pool_gib)


def read_rows(path: Path = PUBLISHED) -> list[dict[str, str]]:
    """The start-up logs, as copied."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def predict(row: dict[str, str], catalogue: Catalogue, engine: Engine | None = None) -> Comparison:
    """One row with the settings as logged; without ``engine``, with the row's own profile."""
    engine = engine or catalogue.engine(row["engine"])
    model = catalogue.model(row["model"].split()[0])
    gpu = catalogue.accelerator(TIGHTEST_GPU.get(row["gpu"], row["gpu"]))
    stored = row["weight_precision"].split("/")[0]
    stored = WEIGHT_PRECISIONS.get((row["model"], stored), stored) or model.native_precision
    cache = row["kv_precision"].partition("(")[0].partition("_")[0]
    context = _number(row["max_model_len"]) or model.maximum_context_tokens
    batched = _number(row["max_num_batched_tokens"])
    if engine.id == "vllm-0.6" and batched is None:
        batched = context  # The V0 engine prefills a whole prompt in one step.
    said = row["gpu_memory_utilization"].partition(" ")[0]
    memory = replica_memory(
        model,
        weight_format(engine, [catalogue.weight_precision(stored)]),
        catalogue.kv_precision("bf16" if cache in ("", "auto") else cache).bits_per_weight,
        engine,
        device(engine, [gpu]),
        context_tokens=context,
        tensor_parallel=_number(row["tp"]) or 1,
        pipeline_parallel=_number(row["pp"]) or 1,
        utilization_fraction=_number(said) or UTILIZATION,
        max_sequences=_number(row["max_num_seqs"]),
        batched_tokens=batched,
    )
    return Comparison(
        row,
        engine.id,
        gpu.vendor,
        float(memory.weights.total_bytes[0]) / GIB,
        float(memory.activations_bytes[0]) / GIB,
        float(memory.runtime_reserve_bytes[0]) / GIB,
        float(memory.kv_pool_bytes[0]) / GIB,
        float(memory.capacity_tokens[0]),
    )


def starts(row: dict[str, str]) -> bool:
    """Whether the engine had any room for KV cache in this log."""
    return not row["kv_cache_gib_per_gpu"].startswith("-")


def size_of_errors(comparisons: Iterable[Comparison]) -> tuple[float, float, float]:
    """Median, 90th percentile and largest absolute error [fraction]."""
    errors = sorted(abs(one.error) for one in comparisons)
    return statistics.median(errors), errors[int(0.9 * (len(errors) - 1) + 0.5)], errors[-1]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _shown(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _table(comparisons: list[Comparison]) -> None:
    print(
        f"{'id':7}{'model':34.34}{'gpu':17.17}{'tp':>3} {'engine':10}{'weights GiB':>15}"
        f"{'act. GiB':>13}{'pool GiB':>17}{'tokens':>24}{'error':>9}"
    )
    for one in comparisons:
        row = one.row
        pairs = (
            (one.weights_gib, _number(row["weights_gib_per_gpu"]), 2, 15),
            (one.activations_gib, _number(row["activation_peak_gib"]), 2, 13),
            (one.pool_gib, one.logged_pool_gib, 2, 17),
            (one.tokens, one.logged_tokens, 0, 24),
        )
        cells = "".join(f"{_shown(p, d) + '/' + _shown(m, d):>{w}}" for p, m, d, w in pairs)
        model, gpu = row["model"].split("/")[-1][:33], row["gpu"].replace("-SXM", "")[:16]
        print(
            f"{row['id']:7}{model:34}{gpu:17}{float(row['tp']):3.0f} {one.engine:10}{cells}"
            f"{one.error:+9.1%}{' *' if row['named_reason'] else ''}"
        )


def main() -> None:
    """Print the tables: each cell is predicted/logged, and * marks a named exception."""
    catalogue = load_catalogue()
    rows = read_rows()
    for confidence in ("high", "medium"):
        chosen = [row for row in rows if row["confidence"] == confidence]
        print(f"\n{confidence} confidence: predicted/logged, * named")
        _table([predict(row, catalogue) for row in chosen])
    high = [row for row in rows if row["confidence"] == "high" and starts(row)]
    found = [predict(row, catalogue) for row in high]
    unknown = [predict(row, catalogue, catalogue.engine(DEFAULT_ENGINE)) for row in high]
    print("\nHigh confidence, absolute error: median, 90th percentile, worst")
    groups = [("all", found)]
    groups += [(v, [o for o in found if o.vendor == v]) for v in ("NVIDIA", "AMD")]
    groups += [("all but named", [o for o in found if not o.row["named_reason"]])]
    groups += [("version not known", unknown)]
    for name, part in groups:
        median, ninetieth, worst = size_of_errors(part)
        print(f"  {name:18}{len(part):3} rows {median:8.2%}{ninetieth:8.2%}{worst:8.2%}")
    # One server logged many times is one observation: count each model, GPU and engine once.
    cells: dict[tuple[str, ...], list[float]] = {}
    for one in found:
        key = (one.row["model"], one.row["gpu"], one.row["tp"], one.engine)
        cells.setdefault(key, []).append(abs(one.error))
    medians = [statistics.median(errors) for errors in cells.values()]
    print(f"  {'by distinct setup':18}{len(cells):3}      {statistics.median(medians):8.2%}")
    print("\nNamed")
    for row in rows:
        if row["named_reason"]:
            print(f"  {row['id']}: {row['named_reason']}")


if __name__ == "__main__":
    main()
