"""Watching it: metrics for every request, and the logs that a rule asks to be kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from planner.catalogue import Basis, weakest
from planner.cost.lines import Line
from planner.cost.pricebook import PriceBook
from planner.units import GB

Array = Any


def monitoring_lines(
    requests: Array,
    bytes_per_request: Array,
    log_months: float,
    book: PriceBook,
    basis: Basis = Basis.DERIVED,
) -> tuple[Line, ...]:
    """Lines of monitoring, and of an audit log where a rule asks for one.

    .. math:: C = N p_N / 10^6, \\qquad C_{log} = N b (p_{in} + m\\, p_{kept})

    Parameters
    ----------
    requests : float or array [request]
        Of each year, years along the last axis.
    bytes_per_request : float or array [byte]
        Logged of each: prompt, answer and circumstances.
    log_months : float [month]
        How long rules ask logs to be kept; 0 when none does.
    book : PriceBook
    basis : Basis
        Of the number of requests.

    Returns
    -------
    tuple of Line
        [USD] in each year.

    Source: rows ``monitoring/...`` of data/prices.csv.

    >>> from planner.catalogue import load_catalogue
    >>> book = PriceBook(load_catalogue().prices, draws=0)
    >>> [line.id for line in monitoring_lines(np.array([1e6]), 4e3, 6, book)]
    ['monitoring', 'audit']
    """
    count, taken, kept = (
        "monitoring/per-million-requests",
        "monitoring/log-ingestion",
        "monitoring/log-storage",
    )
    asked = np.asarray(requests, dtype=float)
    lines = [
        Line(
            "monitoring",
            "Monitoring",
            "monitoring",
            asked / 1e6 * book[count],
            "monthly",
            (count,),
            weakest(basis, book.basis(count)),
        )
    ]
    if log_months > 0:
        logged = asked * bytes_per_request / GB
        lines.append(
            Line(
                "audit",
                "Audit log that a rule asks for",
                "monitoring",
                logged * (book[taken] + log_months * book[kept]),
                "monthly",
                (taken, kept),
                weakest(basis, book.basis(taken, kept)),
            )
        )
    return tuple(lines)
