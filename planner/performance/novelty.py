"""What is new about a case, and how much wider that makes its range."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from planner.catalogue import KINDS, QUANTITIES
from planner.performance.keys import FAMILIES

NOVELTIES = (*KINDS, "model and gpu")
"""What may be new about a case, from the least to the most."""


def novelty(model_known: Any, gpu_known: Any) -> Any:
    """What is new about a model on a GPU that were not measured together.

    A known model on a known GPU counts as a new GPU: the pair may still surprise.

    .. math:: 1\\ (model),\\ 2\\ (GPU),\\ 3\\ (both)

    Parameters
    ----------
    model_known, gpu_known : bool or array [1]

    Returns
    -------
    int or array [1]
        Index into ``NOVELTIES``.

    Source: no publication.

    >>> [NOVELTIES[int(novelty(m, g))] for m, g in ((False, True), (True, True), (False, False))]
    ['model', 'gpu', 'model and gpu']
    """
    new = np.where(np.asarray(model_known), KINDS.index("gpu"), KINDS.index("model"))
    return np.where(np.asarray(gpu_known), new, np.where(model_known, new, len(KINDS)))


def range_table(ranges: Mapping[tuple[str, str, str], tuple[float, float]]) -> np.ndarray:
    """Ends of the 80 % range by quantity, novelty and family.

    Where model and GPU are both new, their errors add up as independent ones do:

    .. math:: \\log f = \\pm \\sqrt{\\log^2 f_{model} + \\log^2 f_{gpu}}

    Parameters
    ----------
    ranges : mapping
        Quantity, kind and family to the factors of the low and the high end [1].

    Returns
    -------
    array [1]
        Of shape (quantities, novelties, families, 2).

    Source: ``data/calibration/ranges.csv``; the sum of independent variances.

    >>> from planner.catalogue import load_catalogue
    >>> range_table(load_catalogue().efficiencies.ranges).shape
    (3, 4, 3, 2)
    """
    single = np.array(
        [[[ranges[q, kind, one] for one in FAMILIES] for kind in KINDS] for q in QUANTITIES]
    )
    logs = np.log(single)
    spread = np.hypot(logs[:, KINDS.index("model")], logs[:, KINDS.index("gpu")])
    both = np.exp(spread * np.array([-1.0, 1.0]))
    return np.concatenate([single, both[:, None]], axis=1)
