"""Errors before they are made: standard errors by law or by table, and the length that an error takes.

Bernoulli streams and permutations have closed forms. The errors of all other sources are tabulated:
measured once on products of random operands and random streams, and kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.bitstream import encode
from sc_neurocore.random import Bernoulli, Role, Source, operands, stream_key
from sc_neurocore.sources import Permutation
from sc_neurocore.synapse import ACCUMULATE

Sources = Source | tuple[Source, Source]

SAMPLES = 4096
_LONGEST = 2**16


def encode_error(p: ArrayLike, length: int, *, source: Source = Bernoulli()) -> NDArray[np.float64]:
    """Return the standard error of the density of a stream, of the shape of p.

    Bernoulli: sqrt(p (1 - p) / L). Permutation of period N: sqrt(p (1 - p) / L * (N - L) / (N - 1)) up
    to a period, and 0 after whole periods. Other sources: the root mean square over all p, tabulated.

    Examples
    --------
    >>> from sc_neurocore import Sobol, encode_error
    >>> print(f"{encode_error(0.5, 256):.4f}, Sobol {encode_error(0.5, 256, source=Sobol()):.4f}")
    0.0312, Sobol 0.0016
    """
    values, length = _probabilities("p", p), _checks.integer("length", length, 1)
    _checks.instance("source", source, Source)
    if isinstance(source, Bernoulli):
        return np.asarray(np.sqrt(values * (1 - values) / length))
    if isinstance(source, Permutation):
        left = length % source.period
        variance = values * (1 - values) * left * (source.period - left) / (source.period - 1)
        return np.asarray(np.sqrt(variance) / length)
    return np.full(values.shape, root_mean_square(_encode_errors(source, length)))


def product_error(
    p: ArrayLike, q: ArrayLike, length: int, *, source: Sources = Bernoulli()
) -> NDArray[np.float64]:
    """Return the standard error of the density of x & w, of the broadcast shape of p and q.

    Bernoulli: sqrt(z (1 - z) / L) with z = p q. Permutations over a period:
    sqrt(p q (1 - p) (1 - q) / (L - 1)). Other sources and lengths: the root mean square over all p and
    q, tabulated for the pair.
    """
    of_p, of_q = operands(source)
    length = _checks.integer("length", length, 1)
    a, b = _broadcast("q", _probabilities("p", p), "p", _probabilities("q", q))
    if of_p == of_q == Bernoulli():
        return np.asarray(np.sqrt(a * b * (1 - a * b) / length))
    if of_p == of_q == Permutation(length):
        return np.asarray(np.sqrt(a * (1 - a) * b * (1 - b) / (length - 1)))
    return np.full(a.shape, root_mean_square(_product_errors(of_p, of_q, length)))


def dot_error(
    x: ArrayLike, w: ArrayLike, length: int, *, source: Sources = Bernoulli()
) -> NDArray[np.float64]:
    """Return the standard error of the sum of the densities of x_i & w_i, over the last axis.

    The products are independent, so their variances add up: those of `product_error`.
    """
    return np.asarray(np.sqrt(np.sum(product_error(x, w, length, source=source) ** 2, axis=-1)))


def current_error(
    x: ArrayLike,
    w: ArrayLike,
    length: int,
    *,
    y_min: float = 0.0,
    y_max: float = 1.0,
    accumulate: str = "mean",
    source: Sources = Bernoulli(),
) -> NDArray[np.float64]:
    """Return the standard error of the mean current over a stream, see `current_trace`.

    Parameters
    ----------
    x, w : array_like of float
        Probabilities of inputs and weights, the inputs along the last axis.
    length : int
        Bits in a stream.
    y_min, y_max : float
        Currents of s = 0 and s = 1.
    accumulate : {"mean", "sum", "or"}
        "mean" and "sum" follow `dot_error`; "or" is sqrt(s (1 - s) / L) with s = 1 - prod(1 - x_i w_i),
        for Bernoulli streams alone.
    source : Source or tuple of two
    """
    _checks.choice("accumulate", accumulate, ACCUMULATE)
    y_min, y_max = _checks.ordered("y_min", y_min, "y_max", y_max)
    a, b = _broadcast("w", _probabilities("x", x), "x", _probabilities("w", w))
    if a.ndim == 0:
        _checks.fail("x", "have at least one axis, the inputs", f"shape {a.shape}")
    if accumulate == "or":
        if operands(source) != (Bernoulli(), Bernoulli()):
            _checks.fail("source", 'be Bernoulli() where accumulate is "or"', source)
        return (y_max - y_min) * encode_error(1 - np.prod(1 - a * b, axis=-1), length)
    scale = (y_max - y_min) / (a.shape[-1] if accumulate == "mean" else 1)
    return scale * dot_error(a, b, length, source=source)


def product_error_table(
    length: int, *, source: Sources = Bernoulli(), seed: int = 0
) -> NDArray[np.float64]:
    """Return P(x & w) - p q for all pairs of levels p, q of 0, 1 / n .. 1, shape (n + 1, n + 1).

    n is the smaller of the length and the source's levels. All values are encoded by stream 0.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_neurocore import Hammersley, product_error_table
    >>> errors = product_error_table(256, source=Hammersley(8, shifted=False))
    >>> print(f"{np.sqrt((errors**2).mean()):.5f}")
    0.00189
    """
    length = _checks.integer("length", length, 1, 2**13)
    of_p, of_q = operands(source)
    n = min(length, of_p.levels, of_q.levels)
    p = np.arange(n + 1) / n
    x = encode(p, length, stream_key(seed, Role.INPUT), source=of_p, streams=0)
    w = encode(p, length, stream_key(seed, Role.WEIGHT), source=of_q, streams=0)
    # Counts below 2**24 are exact in float32, and its matrix product is fast.
    counts = x.bits().astype(np.float32) @ w.bits().astype(np.float32).T
    return np.asarray(counts / float(length) - np.outer(p, p))


def length_needed(
    error: float,
    confidence: float = 0.95,
    *,
    p: float | None = None,
    source: Sources | Callable[[int], Sources] = Bernoulli(),
) -> int:
    """Return the length at which a density is within `error` of its value with that confidence.

    For Bernoulli streams without p it is Hoeffding's bound ln(2 / (1 - confidence)) / (2 error**2),
    which holds for every p, and with p the normal approximation z**2 p (1 - p) / error**2. For other
    sources it is the smallest power of two at which a product of random operands is that near, from
    the table.

    Parameters
    ----------
    error : float
        Above 0 and below 1.
    confidence : float
        Above 0 and below 1.
    p : float, optional
        The value of the density, for Bernoulli streams: that of a product is p q.
    source : Source, tuple of two, or function of the length
        A function where the source depends on the length.

    Examples
    --------
    >>> from sc_neurocore import Hammersley, length_needed
    >>> length_needed(0.01), length_needed(0.01, p=0.3)
    (18445, 8068)
    >>> length_needed(0.01, source=lambda length: Hammersley(length.bit_length() - 1))
    256
    """
    error = _checks.positive("error", error)
    confidence = _checks.positive("confidence", confidence)
    for name, value in (("error", error), ("confidence", confidence)):
        if value >= 1:
            _checks.fail(name, "be below 1", value)
    if not callable(source) and operands(source) == (Bernoulli(), Bernoulli()):
        if p is None:
            return math.ceil(math.log(2 / (1 - confidence)) / (2 * error**2))
        value = float(_probabilities("p", _checks.finite("p", p)))
        z = NormalDist().inv_cdf((1 + confidence) / 2)
        return max(1, math.ceil(z**2 * value * (1 - value) / error**2))
    if p is not None:
        _checks.fail("p", "be left out where the source is not Bernoulli()", p)
    return _tabulated_length(error, confidence, source if callable(source) else lambda _: source)


def _tabulated_length(error: float, confidence: float, source: Callable[[int], Sources]) -> int:
    length, reached = 2, math.inf
    while length <= _LONGEST:
        errors = np.abs(_product_errors(*operands(source(length)), length))
        reached = min(reached, float(np.quantile(errors, confidence)))
        if reached <= error:
            return length
        length *= 2
    return _checks.fail(
        "error", f"be one that this source reaches with up to {_LONGEST} bits", error,
        f"it reaches {reached:.2g}",
    )  # fmt: skip


def root_mean_square(errors: NDArray[np.float64]) -> float:
    """Return the root mean square of all errors."""
    return float(np.sqrt(np.mean(errors**2)))


def _samples(number: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return uniform probabilities and the numbers of their streams, which every source has."""
    generator = np.random.default_rng(number)
    return generator.random(SAMPLES), np.arange(SAMPLES) % 1000


@lru_cache(maxsize=1024)
def _encode_errors(source: Source, length: int) -> NDArray[np.float64]:
    p, streams = _samples(0)
    x = encode(p, length, stream_key(0, Role.INPUT), source=source, streams=streams)
    return np.asarray(x.probability() - p)


@lru_cache(maxsize=1024)
def _product_errors(of_p: Source, of_q: Source, length: int) -> NDArray[np.float64]:
    p, streams = _samples(0)
    q, _ = _samples(1)
    x = encode(p, length, stream_key(0, Role.INPUT), source=of_p, streams=streams)
    w = encode(q, length, stream_key(0, Role.WEIGHT), source=of_q, streams=streams)
    return np.asarray((x & w).probability() - p * q)


def _probabilities(name: str, values: ArrayLike) -> NDArray[np.float64]:
    result = _checks.array(name, values, range(33))
    _checks.within(name, result, 0.0, 1.0)
    return result


def _broadcast(
    name: str, a: NDArray[np.float64], other: str, b: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    try:
        a, b = np.broadcast_arrays(a, b)
    except ValueError:
        contract = f"have a shape that broadcasts with that of {other}, {a.shape}"
        _checks.fail(name, contract, b.shape)
    return a, b
