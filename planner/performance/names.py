"""What people call models, GPUs and formats: the catalogue's names, then looser spellings.

A looser spelling is taken only when one record of the catalogue answers to it, so that a name never
ends up at a different architecture.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TypeVar

from planner.catalogue import Accelerator, Architecture, Catalogue, Precision, ServingEngine
from planner.errors import MissingData
from planner.units import GIB

Record = TypeVar("Record")
Plain = TypeVar("Plain", str, tuple[str, str])

_TUNING = set("instruct chat it pt base hf meta model preview sft dpo hub".split())
_FORMATS = set(
    "fp8 fp4 nvfp4 mxfp4 mxfp8 bf16 bfloat16 fp16 float16 int4 int8 4bit 8bit awq gptq gguf bnb "
    "marlin dynamic static block blockwise pertensor quantized quant qat kv w4a16 w8a8 w8a16 w4a4 "
    "autoround compressed tensors".split()
)
_GPU_WORDS = set(
    "nvidia amd intel google aws huawei habana apple tesla geforce instinct gpu dgx hgx oam hbm2 "
    "hbm2e hbm3 hbm3e gddr6 gddr7 generation edition unspecified".split()
)
_FORMAT_WORDS = set(
    "dynamic static block blockwise blocks scales per tensor channel token pertensor marlin moe "
    "modelopt ptpc fbgemm torch quark autoround compressed quantized weights pb wo".split()
)
_GGUF = re.compile(r"\bi?q\d(?:[-_](?:k|\d|xs|xxs|nl|s|m|l))*\b")
_SIZE_TOLERANCE = 0.12
"""Makers and clouds put different sizes on one GPU: a B200 has 180, 183 or 192 GB."""


def find_model(catalogue: Catalogue, name: str, hint: bool = True) -> Architecture:
    """The model that a name means, whatever organisation tuned or quantised it.

    .. math:: name \\to model

    Parameters
    ----------
    catalogue : Catalogue
    name : str
    hint : bool
        Whether an error names what is near, which takes milliseconds.

    Returns
    -------
    Architecture
        A record, or :class:`MissingData` with the nearest names [1].

    Source: no publication.

    >>> from planner.catalogue import load_catalogue
    >>> find_model(load_catalogue(), "hugging-quants/Llama3.1-70B-Instruct-AWQ-INT4").id
    'meta-llama/Meta-Llama-3.1-70B'
    """
    owners = _models(catalogue).get(_plain_model(name), ())
    if len(owners) == 1:
        return catalogue.models[next(iter(owners))]
    return _strictly(catalogue.model, name, "model", hint or owners)


def find_gpu(catalogue: Catalogue, name: str, hint: bool = True) -> Accelerator:
    """The GPU that a name means, with or without its maker, count, memory and form.

    .. math:: name \\to GPU

    Parameters
    ----------
    catalogue : Catalogue
    name : str
    hint : bool
        Whether an error names what is near, which takes milliseconds.

    Returns
    -------
    Accelerator
        A record, or :class:`MissingData` with the nearest names [1].

    Source: no publication.

    >>> from planner.catalogue import load_catalogue
    >>> find_gpu(load_catalogue(), "8x NVIDIA B200 192GB").id
    'b200-sxm-180gb'
    """
    exact, any_size = _gpus(catalogue)
    plain, size = _plain_gpu(name)
    owners = exact.get((plain, size), ())
    if not owners and (one := any_size.get(plain)):
        gpu = catalogue.accelerators[one]
        if not size or _is_size(gpu, float(size)):
            return gpu
    if len(owners) == 1:
        return catalogue.accelerators[next(iter(owners))]
    return _strictly(catalogue.accelerator, name, "GPU", hint or owners)


def find_weight_precision(catalogue: Catalogue, name: str, hint: bool = True) -> Precision:
    """The format of weights that a name means, without the words of one tool.

    .. math:: name \\to format

    Parameters
    ----------
    catalogue : Catalogue
    name : str
    hint : bool
        Whether an error names what is near, which takes milliseconds.

    Returns
    -------
    Precision
        A record, or :class:`MissingData` with the nearest names [1].

    Source: no publication.

    >>> from planner.catalogue import load_catalogue
    >>> find_weight_precision(load_catalogue(), "modelopt_fp8 (per tensor)").id
    'fp8'
    """
    return _find_precision(catalogue, "weights", name, hint)


def find_kv_precision(catalogue: Catalogue, name: str, hint: bool = True) -> Precision:
    """The format of a KV cache that a name means, without the words of one tool.

    .. math:: name \\to format

    Parameters
    ----------
    catalogue : Catalogue
    name : str
    hint : bool
        Whether an error names what is near, which takes milliseconds.

    Returns
    -------
    Precision
        A record, or :class:`MissingData` with the nearest names [1].

    Source: no publication.

    >>> from planner.catalogue import load_catalogue
    >>> find_kv_precision(load_catalogue(), "torch.bfloat16").id
    'bf16'
    """
    return _find_precision(catalogue, "kv", name, hint)


def find_engine(catalogue: Catalogue, name: str) -> ServingEngine | None:
    """The serving engine that a name means: with a version, or inside a longer name.

    .. math:: name \\to engine

    Parameters
    ----------
    catalogue : Catalogue
    name : str

    Returns
    -------
    ServingEngine or None
        None when no measured engine is in the name [1].

    Source: no publication.

    >>> from planner.catalogue import load_catalogue
    >>> c = load_catalogue()
    >>> find_engine(c, "vLLM v0.11.0").id, find_engine(c, "Dynamo (TRT-LLM)").id
    ('vllm', 'tensorrt-llm')
    """
    known, plain = _engines(catalogue), _letters(name)
    inside = (one for one in known if len(one) > 3 and one in plain and known[one] != "generic")
    found = known.get(plain) or known.get(next(inside, ""))
    return catalogue.serving_engines[found] if found else None


def format_in_name(catalogue: Catalogue, model: str) -> Precision | None:
    """The format of weights that a model's published name states.

    .. math:: name \\to format

    Parameters
    ----------
    catalogue : Catalogue
    model : str

    Returns
    -------
    Precision or None
        None when the name states none [1].

    Source: no publication.

    >>> from planner.catalogue import load_catalogue
    >>> find = lambda name: format_in_name(load_catalogue(), name)
    >>> find("Qwen/Qwen3-32B-FP8").id, find("nvidia/DeepSeek-R1-0528-NVFP4-v2").id
    ('fp8', 'nvfp4')
    >>> find("Qwen/Qwen3-32B") is None
    True
    """
    if found := _GGUF.search(model.lower()):
        return _precision_or_none(catalogue, found[0])
    words = [word for word in _words(model) if word in _FORMATS]
    spans = ["-".join(words[i:j]) for i in range(len(words)) for j in range(len(words), i, -1)]
    for span in sorted(spans, key=len, reverse=True):
        if precision := _precision_or_none(catalogue, span):
            return precision
    return None


def _find_precision(catalogue: Catalogue, use: str, name: str, hint: bool) -> Precision:
    owners = _precisions(catalogue, use).get(_plain_precision(name), ())
    if len(owners) == 1:
        return catalogue.precisions[next(iter(owners))]
    look_up = catalogue.kv_precision if use == "kv" else catalogue.weight_precision
    return _strictly(look_up, name, "precision", hint or owners)


def _strictly(look_up: Callable[[str], Record], name: str, noun: str, hint: object) -> Record:
    """By the catalogue's own rule, whose errors name what is near."""
    if hint:
        return look_up(name)
    where = {"model": "`planner models`", "GPU": "`planner gpus`"}
    listing = where.get(noun, "the catalogue's table of precisions")
    raise MissingData(f"There is no {noun} {name!r}; {listing} lists them all.")


def _precision_or_none(catalogue: Catalogue, name: str) -> Precision | None:
    try:
        return find_weight_precision(catalogue, name, hint=False)
    except MissingData:
        return None


def _words(name: str) -> list[str]:
    """Lower case; a full stop stays only between digits, as in 3.1."""
    apart = re.sub(r"(?<!\d)\.|\.(?!\d)", " ", name.lower())
    return [word for word in re.split(r"[^a-z0-9.]+", apart) if word]


def _letters(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def _plain_model(name: str) -> str:
    own = _GGUF.sub(" ", name.lower().rpartition("/")[2])
    return "".join(word for word in _words(own) if word not in _TUNING | _FORMATS)


def _plain_precision(name: str) -> str:
    return "-".join(word for word in _words(name) if word not in _FORMAT_WORDS)


def _plain_gpu(name: str) -> tuple[str, str]:
    """A GPU without maker and count, and the size of its memory where the name states one."""
    text = re.sub(r"^\s*\d+\s*[x×]\s*", "", name.lower())
    size = re.search(r"(?<![a-z\d])(\d{2,3})[ _-]*gi?b?(?![a-z\d])", text)
    if size:
        text = f"{text[: size.start()]} {text[size.end() :]}"
    words = (re.sub(r"^sxm\d$", "sxm", word) for word in _words(text) if word not in _GPU_WORDS)
    return "".join(words), size[1] if size else ""


def _is_size(gpu: Accelerator, label: float) -> bool:
    sizes = (gpu.memory_nominal_bytes / 1e9, gpu.memory_reported_bytes / GIB)
    return any(abs(label / size - 1.0) <= _SIZE_TOLERANCE for size in sizes)


def _owners(names: Iterable[tuple[Plain, str]]) -> dict[Plain, frozenset[str]]:
    """Plain name to the ids that have it."""
    owners: dict[Plain, frozenset[str]] = {}
    for plain, identity in names:
        if plain:
            owners[plain] = owners.get(plain, frozenset()) | {identity}
    return owners


@lru_cache(maxsize=8)
def _models(catalogue: Catalogue) -> dict[str, frozenset[str]]:
    named = [*((one, one) for one in catalogue.models), *catalogue.model_aliases.items()]
    named += [(model.name, model.id) for model in catalogue.models.values()]
    return _owners((_plain_model(name), identity) for name, identity in named)


@lru_cache(maxsize=8)
def _engines(catalogue: Catalogue) -> dict[str, str]:
    return {
        _letters(name): engine.id
        for engine in reversed(list(catalogue.serving_engines.values()))
        for name in (engine.name, *engine.aliases, engine.id)
    }


@lru_cache(maxsize=8)
def _precisions(catalogue: Catalogue, use: str) -> dict[str, frozenset[str]]:
    return _owners(
        (_plain_precision(name), one.id)
        for one in catalogue.precisions.values()
        if one.use in (use, "both")
        for name in (one.id, one.name, *one.aliases)
    )


@lru_cache(maxsize=8)
def _gpus(
    catalogue: Catalogue,
) -> tuple[dict[tuple[str, str], frozenset[str]], dict[str, str]]:
    """By plain name and size, and by plain name alone: one without a size goes first."""
    named = [
        (_plain_gpu(name), gpu.id)
        for gpu in catalogue.accelerators.values()
        for name in (gpu.id, gpu.name, *gpu.aliases)
    ]
    every = _owners((plain, one) for (plain, _), one in named)
    unsized = _owners((plain, one) for (plain, size), one in named if not size)
    alone = {plain: next(iter(ids)) for plain, ids in every.items() if len(ids) == 1}
    alone |= {plain: next(iter(ids)) for plain, ids in unsized.items() if len(ids) == 1}
    return _owners(named), alone
