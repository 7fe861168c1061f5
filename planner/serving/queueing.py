"""Closed forms of queueing: Erlang B and C, Engset, machine repair, Allen-Cunneen.

Each loss formula is one integral of a log-concave function, which a fixed set of Gauss-Legendre
nodes on both sides of its peak gives for any load and any number of servers: to nine digits for
whole servers and people, to five for fractions of one. So nothing overflows, and arrays of
candidates cost as many steps as one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_DEPTH = 30.0
"""The integrand is cut where it has fallen to exp(-30) of its peak: below 1e-12 of the whole."""
_TINY, _HUGE, _MOST = 1e-290, 1e100, 1e15
"""Limits of loads, and of servers and people, that keep doubles from overflowing."""


def erlang_b(load: Any, servers: Any) -> Any:
    """Share of requests lost when none may wait.

    .. math:: B(a, c) = \\frac{a^c / c!}{\\sum_{k=0}^{c} a^k / k!}
              = \\Big( \\int_0^\\infty e^{-t} (1 + t/a)^c \\, dt \\Big)^{-1}

    Parameters
    ----------
    load : float or array [1]
        Offered load ``a``: arrival rate times service time, in erlangs.
    servers : float or array [1]
        ``c``, whole or not.

    Returns
    -------
    float or array [fraction]

    Source: A. K. Erlang (1917); the integral in B. Jagerman, "Some properties of the Erlang loss
    function", Bell System Technical Journal 53 (1974), eq. 2.

    >>> round(float(erlang_b(2, 3)), 6)
    0.210526
    """
    load, servers = np.asarray(load, dtype=float), np.asarray(servers, dtype=float)
    return np.where(
        load > 0,
        _loss(load, servers, np.inf),
        np.where(servers > 0, 0.0, 1.0),
    )


def erlang_c(load: Any, servers: Any) -> Any:
    """Share of requests that must wait when all may.

    .. math:: C(a, c) = \\frac{B}{1 - (a/c)(1 - B)}

    Parameters
    ----------
    load : float or array [1]
        Offered load ``a`` in erlangs; at ``c`` and beyond every request waits.
    servers : float or array [1]

    Returns
    -------
    float or array [fraction]

    Source: A. K. Erlang (1917); the relation in R. B. Cooper, "Introduction to Queueing Theory"
    (1981), section 3.4.

    >>> round(float(erlang_c(2, 3)), 6)
    0.444444
    """
    load, servers = np.asarray(load, dtype=float), np.asarray(servers, dtype=float)
    stable = load < servers
    blocked = erlang_b(load, servers)
    use = np.where(stable, load / np.where(servers > 0, servers, 1.0), 0.0)
    return np.where(stable, blocked / (1.0 - use * (1.0 - blocked)), 1.0)


def engset_call(sources: Any, load_per_source: Any, servers: Any) -> Any:
    """Share of requests lost when they come from a known number of people.

    .. math:: E(N, \\alpha, c) =
              \\frac{\\binom{N-1}{c} \\alpha^c}{\\sum_{k=0}^{c} \\binom{N-1}{k} \\alpha^k}

    Parameters
    ----------
    sources : float or array [1]
        People ``N``; one who is being served does not ask again.
    load_per_source : float or array [1]
        ``alpha``: service time over the time between an answer and the next request.
    servers : float or array [1]

    Returns
    -------
    float or array [fraction]
        Call congestion: what the request finds. The time congestion of ``N`` people is the call
        congestion of ``N + 1``.

    Source: T. O. Engset (1918); V. B. Iversen, "Teletraffic Engineering and Network Planning"
    (2015), section 5.5.

    >>> round(float(engset_call(50, 0.1, 10)), 5)
    0.00773
    """
    others = np.asarray(sources, dtype=float) - 1.0
    alpha, servers = np.asarray(load_per_source, dtype=float), np.asarray(servers, dtype=float)
    spare = np.clip(others - servers, 1e-12, _MOST)
    possible = (others >= servers) & ((alpha > 0) | (servers == 0))
    with np.errstate(over="ignore"):
        load = alpha * spare
    return np.where(possible, _loss(load, servers, spare), 0.0)


def machine_repair(sources: Any, load_per_source: Any, servers: Any) -> tuple[Any, Any]:
    """Waiting when requests come from a known number of people and none is lost.

    With ``E`` the Engset call congestion, ``K = N - 1 - c`` people beyond the servers and
    ``B = erlang_b(c / alpha, K)``:

    .. math:: P(wait) = \\frac{E}{E + (1 - E) B}, \\qquad
              E[W | wait] = \\frac{S}{c} \\Big(1 + K - \\frac{c}{\\alpha} (1 - B)\\Big)

    Parameters
    ----------
    sources : float or array [1]
        People ``N``.
    load_per_source : float or array [1]
        ``alpha``: service time over the time between an answer and the next request.
    servers : float or array [1]

    Returns
    -------
    tuple of float or array [fraction], [1]
        Share of requests that wait, and the mean wait of those in service times ``S``.

    Source: the machine repair model of R. B. Cooper, "Introduction to Queueing Theory" (1981),
    section 3.7; the sum over waiting people is itself an Erlang B formula. The mean is computed by
    an equal integral in which nothing cancels.

    >>> waits, mean = machine_repair(3, 0.5, 1)
    >>> round(float(waits), 6), round(float(mean), 6)
    (0.6, 1.333333)
    """
    alpha = np.maximum(np.asarray(load_per_source, dtype=float), _TINY)
    servers = np.asarray(servers, dtype=float)
    queue = np.maximum(np.asarray(sources, dtype=float) - 1.0 - servers, 0.0)
    lost = engset_call(sources, load_per_source, servers)
    with np.errstate(over="ignore"):
        blocked, ahead = _loss_and_queue(servers / alpha, queue)
    some = lost > 0
    waits = np.where(some, lost / np.where(some, lost + (1.0 - lost) * blocked, 1.0), 0.0)
    return waits, (1.0 + ahead) / np.maximum(servers, 1.0)


def conditional_wait_s(
    load: Any, servers: Any, service_s: Any, arrival_cv2: Any, service_cv2: Any
) -> Any:
    """Mean wait of those who wait, corrected for arrivals and services that are not Poisson.

    .. math:: E[W | wait] = \\frac{S}{c - a} \\cdot \\frac{c_a^2 + c_s^2}{2}

    Exact for M/M/c and, with one server, for M/G/1.

    Parameters
    ----------
    load : float or array [1]
        Offered load ``a`` in erlangs.
    servers : float or array [1]
    service_s : float or array [s]
    arrival_cv2, service_cv2 : float or array [1]
        Squared coefficients of variation of the times between arrivals and of service; 1 and 1
        are Poisson arrivals and exponential services.

    Returns
    -------
    float or array [s]
        Infinite at and beyond saturation.

    Source: A. O. Allen, "Probability, Statistics and Queueing Theory" (1990), section 5.3.2
    (Allen-Cunneen).

    >>> float(conditional_wait_s(2.0, 3.0, 6.0, 1.0, 1.0))
    6.0
    """
    spare = np.asarray(servers, dtype=float) - load
    bursts = (np.asarray(arrival_cv2, dtype=float) + service_cv2) / 2.0
    waited = np.asarray(service_s) * bursts / np.where(spare > 0, spare, 1.0)
    return np.where(spare > 0, waited, np.inf)


def mean_wait_s(load: Any, servers: Any, service_s: Any, arrival_cv2: Any, service_cv2: Any) -> Any:
    """Mean wait of all requests, those included that do not wait.

    .. math:: W_q = C(a, c) \\frac{S}{c - a} \\cdot \\frac{c_a^2 + c_s^2}{2}

    Parameters
    ----------
    load : float or array [1]
        Offered load ``a`` in erlangs.
    servers : float or array [1]
    service_s : float or array [s]
    arrival_cv2, service_cv2 : float or array [1]
        Squared coefficients of variation.

    Returns
    -------
    float or array [s]

    Source: A. O. Allen, "Probability, Statistics and Queueing Theory" (1990), section 5.3.2
    (Allen-Cunneen).

    >>> round(float(mean_wait_s(2.0, 3.0, 6.0, 1.0, 1.0)), 6)
    2.666667
    """
    waited = conditional_wait_s(load, servers, service_s, arrival_cv2, service_cv2)
    return erlang_c(load, servers) * waited


def wait_percentile_s(
    probability: Any, conditional_s: Any, percentile_fraction: float | None
) -> Any:
    """A percentile of a wait whose tail is exponential; ``None`` is the mean.

    .. math:: P(W > t) = C e^{-t / E[W | wait]}, \\qquad
              t_p = \\max\\Big(0, E[W | wait] \\ln \\frac{C}{1 - p}\\Big)

    The tail is exact for M/M/c, and the usual approximation elsewhere.

    Parameters
    ----------
    probability : float or array [fraction]
        Share ``C`` that waits.
    conditional_s : float or array [s]
        Mean wait of those who wait.
    percentile_fraction : float or None [fraction]

    Returns
    -------
    float or array [s]

    Source: R. B. Cooper, "Introduction to Queueing Theory" (1981), section 3.4.

    >>> round(float(wait_percentile_s(0.5, 2.0, 0.95)), 4), float(wait_percentile_s(0.5, 2.0, None))
    (4.6052, 1.0)
    """
    probability = np.asarray(probability, dtype=float)
    if percentile_fraction is None:
        times = probability
    else:
        ratio = np.maximum(probability / (1.0 - percentile_fraction), 1.0)
        times = np.log(ratio)
    return np.where(times > 0, times * np.where(times > 0, conditional_s, 0.0), 0.0)


def _loss(load: Any, servers: Any, spare: Any) -> np.ndarray:
    """1 over the integral from 0 of exp(g), g(t) = c log(1 + u(t)/a) - t.

    ``K`` is ``spare``: u = K (1 - exp(-t/K)), and infinite for Erlang, where u = t.
    """
    nodes = _Nodes.of(*_in_range(load, servers), spare)
    return np.exp(-nodes.height) / nodes.integral()


def _loss_and_queue(load: Any, places: Any) -> tuple[np.ndarray, np.ndarray]:
    """Erlang B, and the mean of j whose chances are as places! / (places - j)! load**-j.

    It is the mean of K t / (a + t) under the same integrand. The textbook's difference,
    ``places - load * (1 - erlang_b)``, loses every digit when places are many.
    """
    load, places = _in_range(load, places)
    nodes = _Nodes.of(load, places, np.inf)
    whole = nodes.integral()
    nodes.x += nodes.peak
    nodes.fallen *= nodes.x
    nodes.x += load
    nodes.fallen /= nodes.x
    return np.exp(-nodes.height) / whole, places * nodes.integral() / whole


def _in_range(load: Any, servers: Any) -> tuple[np.ndarray, np.ndarray]:
    """Both in full shape; servers beyond counting become ``_MOST``, their load in proportion."""
    fewer = np.minimum(1.0, _MOST / np.maximum(servers, 1.0))
    load = np.clip(load, 0.0, _HUGE) * fewer + _TINY
    return load, servers * fewer + np.zeros_like(load)


def _gauss(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights from 0 to 1."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return (nodes + 1.0) / 2.0, weights / 2.0


_LEFT, _LEFT_WEIGHTS = _gauss(20)
_ROOT, _ROOT_WEIGHTS = _gauss(24)
# Squares put the nodes near the peak: to its right an exponential tail may be long.
_RIGHT, _RIGHT_WEIGHTS = _ROOT**2, 2.0 * _ROOT * _ROOT_WEIGHTS
_SPLIT = len(_LEFT)


class _Nodes:
    """The integrand at nodes on both sides of its peak, over its value there.

    The peak is where u = (c - a) K / (K + c), or at 0. With x the distance from it,
    g = g(peak) + c log(1 + z) - x, where z = x / A for Erlang and A = a + u(peak): the form
    that does not cancel. Nodes are the first axis, so that the inner loops run over candidates.
    """

    __slots__ = ("peak", "height", "left", "right", "x", "fallen")

    @classmethod
    def of(cls, load: np.ndarray, servers: np.ndarray, spare: Any) -> _Nodes:
        self = cls()
        rise = np.maximum(servers - load, 0.0)
        if spare is np.inf:
            self.peak, at_peak = rise, load + rise
            self.height = servers * np.log1p(rise / load) - self.peak
            self._place(load, servers, servers, np.inf)
            z = self.x * (1.0 / at_peak)
        else:
            share = spare / (spare + servers)
            self.peak, at_peak = spare * np.log1p(rise / (spare + load)), load + rise * share
            self.height = servers * np.log1p(rise * share / load) - self.peak
            span = share * (spare + np.minimum(load, servers)) / at_peak
            fall = _DEPTH + servers * np.log1p(span)
            self._place(load, servers, servers * share, fall)
            z = self.x * (-1.0 / spare)
            np.expm1(z, out=z)
            z *= -span
        np.log1p(z, out=z)
        z *= servers
        z -= self.x
        self.fallen = np.exp(z, out=z)
        return self

    def _place(self, load: np.ndarray, servers: np.ndarray, spread: Any, fall: Any) -> None:
        """Spread the nodes to where g has fallen by ``_DEPTH`` on both sides.

        Left, it falls at least by x**2 / (2 spread). Right, x - log(1 + x) is at least
        3 x**2 / (6 + 4 x); in an overload the slope 1 - c/a bounds it too, and so does
        ``fall``, because u is at most K.
        """
        over = servers <= load
        slow = np.minimum(servers, load) / load
        bend = 2.0 * _DEPTH / 3.0 / np.maximum(slow, 1e-6)
        right = bend + np.sqrt(bend * (bend + 3.0 * np.where(over, load, spread)))
        steep = np.where(over, _DEPTH / np.maximum(1.0 - slow, 1e-12), np.inf)
        self.right = np.minimum(np.minimum(right, steep), fall)
        self.left = np.minimum(self.peak, np.sqrt(2.0 * _DEPTH * spread))
        self.x = np.empty((_SPLIT + len(_RIGHT), *self.right.shape))
        np.multiply.outer(-_LEFT, self.left, out=self.x[:_SPLIT])
        np.multiply.outer(_RIGHT, self.right, out=self.x[_SPLIT:])

    def integral(self) -> np.ndarray:
        flat = self.fallen.reshape(len(self.fallen), -1)
        left = (_LEFT_WEIGHTS @ flat[:_SPLIT]).reshape(self.left.shape)
        right = (_RIGHT_WEIGHTS @ flat[_SPLIT:]).reshape(self.right.shape)
        return self.left * left + self.right * right
