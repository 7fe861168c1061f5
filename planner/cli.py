"""The command line: ``planner evaluate``, ``predict``, ``models``, ``gpus`` and others."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from planner import publish
from planner.catalogue import Architecture, Catalogue, architecture_from_text, load_catalogue
from planner.errors import InvalidScenario, PlannerError
from planner.performance import OPTIONAL_COLUMNS, REQUIRED_COLUMNS
from planner.plan import Plan, answer_paths, evaluate, explain
from planner.predict import STANDARD_OUTPUT, TRAINING_COLUMNS, predict_file
from planner.report import (
    Headline,
    cost_headlines,
    cost_sentences,
    fleet_headlines,
    fleet_sentences,
    headlines,
    speed_headlines,
    speed_sentences,
    team_sentences,
    value_headlines,
    value_sentences,
)
from planner.scenario import EXAMPLES, FILE_LIMIT_BYTES, Scenario, load_example, one_line
from planner.units import GIB, format_billions, format_number

Teller = Callable[[Plan, Catalogue], Any]
_TRAINING_OPTIONAL = [one for one in TRAINING_COLUMNS if one not in ("model", "method", "task")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        0, or 2 with one clear sentence on standard error.

    >>> main(["evaluate", "no-such-file.yaml"])
    2
    """
    options = _parser().parse_args(arguments)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal without "×" is no reason to stop
    try:
        status = options.run(options)
        sys.stdout.flush()
        return status
    except PlannerError as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Whoever read us has had enough; Python would complain once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="planner", description="The AI planning workbook, on the command line."
    )
    commands = parser.add_subparsers(required=True, metavar="command")

    evaluating = commands.add_parser("evaluate", help="the plan for a scenario")
    _scenario_arguments(evaluating)
    evaluating.add_argument("--json", action="store_true", help="everything, as JSON")
    evaluating.set_defaults(run=_evaluate)

    explaining = commands.add_parser("explain", help="why a number of the plan is what it is")
    _scenario_arguments(explaining)
    explaining.add_argument("answer", help="for example fit.gpus or memory.kv_cache_bytes")
    explaining.set_defaults(run=_explain)

    predicting = commands.add_parser(
        "predict",
        help="speed and energy of serving, or memory and speed of training, from a CSV file",
    )
    predicting.add_argument(
        "cases",
        help=f"a CSV file with the columns {', '.join(REQUIRED_COLUMNS)}, and optionally "
        f"{', '.join(OPTIONAL_COLUMNS)}; or, for training, with model and method (memory of a "
        f"fine-tune) or task (speed), and optionally {', '.join(_TRAINING_OPTIONAL)}; others pass "
        "through",
    )
    predicting.add_argument(
        "-o",
        "--output",
        default=STANDARD_OUTPUT,
        metavar="FILE",
        help="where to write them with their predictions; - is standard output, the default",
    )
    predicting.set_defaults(run=_predict)

    models = commands.add_parser("models", help="the models of the catalogue")
    models.add_argument("search", nargs="?", default="", help="part of an id or a name")
    models.add_argument("--config", help="read this config.json instead and say what it is")
    models.add_argument("--json", action="store_true")
    models.set_defaults(run=_models)

    gpus = commands.add_parser("gpus", help="the accelerators of the catalogue")
    gpus.add_argument("search", nargs="?", default="", help="part of an id or a name")
    gpus.add_argument("--json", action="store_true")
    gpus.set_defaults(run=_gpus)

    serving = commands.add_parser("serve", help="the dashboards, by Voila")
    publish.add_arguments(serving)
    serving.set_defaults(run=_serve)
    return parser


def _scenario_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "scenario", help=f"a YAML or JSON file, or an example: {', '.join(EXAMPLES)}"
    )
    parser.add_argument("--variant", help="a named difference that the scenario carries")
    parser.add_argument("--config", help="a publisher's config.json, in place of the model")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="change a field, for example workload.context_tokens=32768",
    )


def _scenario(options: argparse.Namespace) -> Scenario:
    is_example = options.scenario in EXAMPLES and not Path(options.scenario).exists()
    scenario = load_example(options.scenario) if is_example else Scenario.load(options.scenario)
    if options.variant:
        scenario = scenario.variant(options.variant)
    changes: dict[str, object] = {}
    if options.config:
        text = _read_config(options.config)
        changes = {"workload.config_json": text, "workload.model_source": "config"}
    for assignment in options.set:
        path, equals, value = assignment.partition("=")
        if not equals:
            raise InvalidScenario(f"--set {one_line(assignment)} has no '='; write FIELD=VALUE.")
        changes[path] = _scalar(value, is_text=isinstance(scenario.values().get(path), str))
    return scenario.changed(changes) if changes else scenario


def _scalar(text: str, is_text: bool) -> object:
    """What was meant: ``8``, ``1e3`` and ``null`` are words only where words are expected."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if is_text:
        return value if isinstance(value, str) else text
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _read_config(path: str) -> str:
    try:
        with open(path, "rb") as file:
            raw = file.read(2 * FILE_LIMIT_BYTES + 1)
    except OSError as error:
        raise InvalidScenario(
            f"{one_line(path, 200)} cannot be read ({error.strerror}); check the path."
        ) from None
    return raw.decode("utf-8", "replace")


ANSWERS = (
    ("Will it fit?", headlines, team_sentences),
    ("How fast, and how many?", speed_headlines, speed_sentences),
    ("Own it, rent it, or call it?", cost_headlines, cost_sentences),
    ("Is it worth it?", value_headlines, value_sentences),
)
"""What `planner evaluate` tells: the question, its cards and its words for each team; each rests
on those before it."""
FLEET = ("Shovel, spade or backhoe?", fleet_headlines, fleet_sentences)
"""The same of the fleet, which asks its own questions."""


def _evaluate(options: argparse.Namespace) -> int:
    catalogue = load_catalogue()
    plan = evaluate(_scenario(options), catalogue)
    if options.json:
        print(json.dumps(plan.to_dict(), indent=2, allow_nan=False))
    else:
        print(_told(plan, catalogue))
    return 0


def _told(plan: Plan, catalogue: Catalogue) -> str:
    title = one_line(plan.scenario.title, 120)
    lines = [title, "=" * len(title)]
    for question, *told in ANSWERS:
        answered, more = _tried(question, *told, plan, catalogue)
        lines += more
        if not answered:
            break
    return "\n".join(lines + _tried(*FLEET, plan, catalogue)[1])


def _tried(
    question: str, cards: Teller, words: Teller, plan: Plan, catalogue: Catalogue
) -> tuple[bool, list[str]]:
    """Whether there is an answer, and its lines or why there is none."""
    try:
        return True, _answer(question, cards(plan, catalogue), words(plan, catalogue))
    except PlannerError as error:
        # Memory is worth telling without speed, and speed without costs.
        return False, ["", *_heading(question), str(error)]


def _answer(question: str, cards: Iterable[Headline], words: Mapping[str, str]) -> list[str]:
    lines = ["", *_heading(question)]
    for card in cards:
        lines += [f"{card.title}: {card.value} {card.unit}".rstrip() + f"  [{card.basis.words}]"]
        lines += [f"  {card.text}", ""]
    return lines + [f"For {team}: {sentence}" for team, sentence in words.items()]


def _heading(text: str) -> list[str]:
    return [text, "-" * len(text), ""]


def _explain(options: argparse.Namespace) -> int:
    plan = evaluate(_scenario(options), load_catalogue())
    if options.answer == "all":
        print("\n\n".join(str(explain(plan, path)) for path in answer_paths()))
    else:
        print(explain(plan, one_line(options.answer)))
    return 0


def _predict(options: argparse.Namespace) -> int:
    show = _show_progress if sys.stderr.isatty() else None
    rows, unanswered = predict_file(options.cases, options.output, load_catalogue(), show)
    if unanswered:
        print(
            f"{unanswered:,} of {rows:,} rows have no answer; the column error says why.",
            file=sys.stderr,
        )
    return 0


def _show_progress(share: float) -> None:
    print(
        f"\rpredicting: {share:4.0%}", end="\n" if share >= 1 else "", file=sys.stderr, flush=True
    )


def _models(options: argparse.Namespace) -> int:
    if options.config:
        name = Path(options.config).name
        found = [architecture_from_text(_read_config(options.config), name=name)]
    else:
        found = [
            model
            for model in load_catalogue().models.values()
            if options.search.lower() in f"{model.id} {model.name}".lower()
        ]
    if options.json:
        print(json.dumps([_model_facts(model) for model in found], indent=2))
        return 0
    rows = [
        (
            model.id,
            format_billions(model.total_parameters),
            format_billions(model.active_parameters),
            f"{model.maximum_context_tokens:,.0f}",
            model.native_precision,
        )
        for model in found
    ]
    _table(("id", "parameters", "active", "context", "shipped as"), rows)
    for model in found if options.config else ():
        for note in model.notes:
            print(note)
    return 0


def _model_facts(model: Architecture) -> dict[str, object]:
    return {
        "id": model.id,
        "name": model.name,
        "parameters": model.total_parameters,
        "active_parameters": model.active_parameters,
        "maximum_context_tokens": model.maximum_context_tokens,
        "native_precision": model.native_precision,
        "kind": model.kind,
        "source": model.source.title,
        "basis": model.source.basis.words,
        "notes": list(model.notes),
    }


def _gpus(options: argparse.Namespace) -> int:
    found = [
        gpu
        for gpu in load_catalogue().accelerators.values()
        if options.search.lower() in f"{gpu.id} {gpu.name}".lower()
    ]
    facts = [
        {
            "id": gpu.id,
            "name": gpu.name,
            "memory_nominal_bytes": _known(gpu.memory_nominal_bytes),
            "memory_reported_bytes": _known(gpu.memory_reported_bytes),
            "memory_usable_bytes": _known(gpu.memory_usable_bytes),
            "bandwidth_bytes_per_s": _known(gpu.bandwidth_bytes_per_s),
            "dense_flops": gpu.dense_flops,
            "source": gpu.source.title,
            "basis": gpu.source.basis.words,
        }
        for gpu in found
    ]
    if options.json:
        print(json.dumps(facts, indent=2))
        return 0
    rows = [
        (
            gpu.id,
            gpu.name,
            _shown(gpu.memory_nominal_bytes, 1e9, "GB"),
            _shown(gpu.memory_usable_bytes, GIB, "GiB"),
            _shown(gpu.bandwidth_bytes_per_s, 1e9, "GB/s"),
            ", ".join(sorted(gpu.dense_flops)),
        )
        for gpu in found
    ]
    _table(("id", "name", "label", "usable", "bandwidth", "computes"), rows)
    return 0


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _shown(value: float, unit_size: float, unit: str) -> str:
    return f"{format_number(value / unit_size)} {unit}" if math.isfinite(value) else "unknown"


def _table(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    if not rows:
        raise InvalidScenario("Nothing in the catalogue matches; try a shorter word.")
    widths = [max(len(row[i]) for row in [titles, *rows]) for i in range(len(titles))]
    for row in [titles, *rows]:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )


def _serve(options: argparse.Namespace) -> int:
    given = {key: value for key, value in vars(options).items() if key != "run"}
    return publish.serve(given.pop("port"), **given)


if __name__ == "__main__":
    sys.exit(main())
