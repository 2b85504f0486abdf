"""Errors before they are made: standard errors by law or by table, and the length that an error takes.

Bernoulli streams and permutations have closed forms. The errors of all other sources are tabulated:
measured once on products of random operands and random streams, and kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.operators.current import ACCUMULATE
from sc_neurocore.streams.bitstream import Bitstream, encode
from sc_neurocore.streams.keys import Role, stream_key
from sc_neurocore.streams.low_discrepancy import Halton
from sc_neurocore.streams.periods import Permutation
from sc_neurocore.streams.source import (
    Bernoulli,
    Source,
    Sources,
    operands,
)

SAMPLES = 4096
_LONGEST = 2**16


def encode_error(p: ArrayLike, length: int, *, source: Source = Bernoulli()) -> NDArray[np.float64]:
    """Return the standard error of the density of a stream, of the shape of p.

    Bernoulli: sqrt(p (1 - p) / L). Permutation of period N: sqrt(p (1 - p) / L * (N - L) / (N - 1)) up
    to a period, and the rounding to levels alone after whole periods. Other sources: the root mean
    square over all p, tabulated; for `Halton`, whose streams differ, over its first 8 bases.

    Examples
    --------
    >>> from sc_neurocore import Sobol, encode_error
    >>> print(f"{encode_error(0.5, 256):.4f}, Sobol {encode_error(0.5, 256, source=Sobol()):.4f}")
    0.0312, Sobol 0.0016
    """
    values, length = _probabilities("p", p), _checks.length_of_stream("length", length)
    _checks.instance("source", source, Source)
    if isinstance(source, Bernoulli):
        return np.asarray(np.sqrt(values * (1 - values) / length))
    if isinstance(source, Permutation):
        near = np.rint(values * source.period) / source.period
        left = length % source.period
        variance = near * (1 - near) * left * (source.period - left) / (source.period - 1)
        return np.asarray(np.sqrt(variance / length**2 + (near - values) ** 2))
    return np.full(values.shape, np.sqrt(np.mean(_encode_errors(source, length) ** 2)))


def product_error(
    p: ArrayLike, q: ArrayLike, length: int, *, source: Sources = Bernoulli()
) -> NDArray[np.float64]:
    """Return the standard error of the density of x & w, of the broadcast shape of p and q.

    Bernoulli: sqrt(z (1 - z) / L) with z = p q. Permutations: by counting, over a period
    sqrt(p q (1 - p) (1 - q) / (L - 1)) and the rounding to levels. Other sources: the root mean square
    over all p and q, tabulated for the pair, and 0 where an operand is 0; for `Halton`, whose streams
    differ, over its first 8 bases.
    """
    bias, variance = _product_moments(p, q, length, source)
    return np.asarray(np.sqrt(bias**2 + variance))


def _product_moments(
    p: ArrayLike, q: ArrayLike, length: int, source: Sources
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return bias and variance of products, of the broadcast shape."""
    of_p, of_q = operands(source)
    length = _checks.length_of_stream("length", length)
    a, b = _checks.broadcast("q", _probabilities("p", p), "p", _probabilities("q", q))
    if of_p == of_q == Bernoulli():
        return np.zeros(a.shape), a * b * (1 - a * b) / length
    if isinstance(of_p, Permutation) and of_p == of_q:
        n = of_p.period
        near_a, near_b = np.rint(a * n) / n, np.rint(b * n) / n
        return near_a * near_b - a * b, _permutation_variance(near_a, near_b, length, n)
    errors = _product_errors(of_p, of_q, length)
    counts = ((a > 0) & (b > 0)).astype(np.float64)
    return float(errors.mean()) * counts, float(errors.var()) * counts


def _permutation_variance(
    p: NDArray[np.float64], q: NDArray[np.float64], length: int, period: int
) -> NDArray[np.float64]:
    """Return the variance of a product of independent random permutations, repeated.

    With n steps a period, two of them are both 1 with probability p (p n - 1) / (n - 1). So the sum
    over r of them has the variance r z (1 - z) + r (r - 1) (P11 - z**2), and with that over a whole
    period a covariance of r / n times the latter's variance.
    """
    z = p * q
    both = z * (p * period - 1) * (q * period - 1) / (period - 1) ** 2

    def variance(r: int) -> NDArray[np.float64]:
        return np.asarray(r * z * (1 - z) + r * (r - 1) * (both - z**2))

    whole, rest = divmod(length, period)
    of_period = variance(period)
    total = whole**2 * of_period + variance(rest) + 2 * whole * rest / period * of_period
    return np.asarray(np.maximum(total, 0.0) / length**2)


def dot_error(
    x: ArrayLike, w: ArrayLike, length: int, *, source: Sources = Bernoulli()
) -> NDArray[np.float64]:
    """Return the standard error of the sum of the densities of x_i & w_i, over the last axis.

    The products vary independently, so their variances add up. What errors have in common, which is
    something only without randomization, adds up linearly.
    """
    bias, variance = _product_moments(x, w, length, source)
    if bias.ndim == 0 or bias.shape[-1] == 0:
        _checks.fail("x", "have at least one input along its last axis", f"shape {bias.shape}")
    return np.asarray(np.sqrt(bias.sum(axis=-1) ** 2 + variance.sum(axis=-1)))


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
    source : Source or tuple of 2
    """
    _checks.choice("accumulate", accumulate, ACCUMULATE)
    y_min, y_max = _checks.ordered("y_min", y_min, "y_max", y_max)
    a, b = _checks.broadcast("w", _probabilities("x", x), "x", _probabilities("w", w))
    if a.ndim == 0 or a.shape[-1] == 0:
        _checks.fail("x", "have at least one input along its last axis", f"shape {a.shape}")
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

    n is the smaller of the length and the source's levels. All values are encoded by stream 0: this is
    the table of one pair of streams; for the law of a random source average the squares over seeds.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_neurocore import Hammersley, product_error_table
    >>> errors = product_error_table(256, source=Hammersley(8, randomized=False))
    >>> print(f"{np.sqrt((errors**2).mean()):.5f}")
    0.00189
    """
    length = _checks.integer("length", length, 1, 2**13)
    of_p, of_q = operands(source)
    n = min(length, of_p.levels, of_q.levels)
    p = np.arange(n + 1) / n
    x = encode(p, length, key=stream_key(seed, Role.INPUT), source=of_p, streams=0)
    w = encode(p, length, key=stream_key(seed, Role.WEIGHT), source=of_q, streams=0)
    # Counts below 2**24 are exact in float32, and its matrix product is fast.
    counts = x.bits().astype(np.float32) @ w.bits().astype(np.float32).T
    return np.asarray(counts / float(length) - np.outer(p, p))


def length_for_density(error: float, confidence: float = 0.95, *, p: float | None = None) -> int:
    """Return the length at which a Bernoulli density is within `error` with that confidence.

    Without p it is Hoeffding's bound ln(2 / (1 - confidence)) / (2 error**2), which holds for every p;
    with p, that of a product being p q, the normal approximation z**2 p (1 - p) / error**2, good where
    both ones and zeros number 5 or more.

    Parameters
    ----------
    error, confidence : float
        Above 0 and below 1.
    p : float, optional

    Examples
    --------
    >>> from sc_neurocore import length_for_density
    >>> length_for_density(0.01), length_for_density(0.01, p=0.3)
    (18445, 8068)
    """
    error, confidence = _checks.below_one("error", error), _checks.below_one("confidence", confidence)
    if p is None:
        return math.ceil(math.log(2 / (1 - confidence)) / (2 * error**2))
    value = float(_probabilities("p", _checks.finite("p", p)))
    from statistics import NormalDist  # here: slow to import, rarely used

    z = NormalDist().inv_cdf((1 + confidence) / 2)
    return max(1, math.ceil(z**2 * value * (1 - value) / error**2))


def length_for_product(
    error: float,
    confidence: float = 0.95,
    *,
    source: Sources | Callable[[int], Sources] = Bernoulli(),
) -> int:
    """Return the smallest power of two at which a product is within `error` with that confidence.

    The product is of random operands and streams; its errors are tabulated, for Bernoulli streams too.

    Parameters
    ----------
    error, confidence : float
        Above 0 and below 1.
    source : Source, tuple of 2, or function of the length
        A source whose period should follow the length is given as its `for_length`.

    Examples
    --------
    >>> from sc_neurocore import Bernoulli, Hammersley, Sobol, length_for_product
    >>> [length_for_product(0.01, source=s) for s in (Bernoulli(), Sobol(), Hammersley.for_length)]
    [8192, 256, 256]
    """
    error, confidence = _checks.below_one("error", error), _checks.below_one("confidence", confidence)
    at = source if callable(source) else lambda _: source
    length, reached = 8, math.inf
    while length <= _LONGEST:
        errors = np.abs(_product_errors(*operands(at(length)), length))
        reached = min(reached, float(np.quantile(errors, confidence)))
        if reached <= error:
            return length
        length *= 2
    contract = f"be one that this source reaches with up to {_LONGEST} bits"
    return _checks.fail("error", contract, error, f"it reaches {reached:.2g}")


def _samples(number: int) -> tuple[NDArray[np.float64], NDArray[np.uint64]]:
    """Return uniform probabilities and the numbers of their streams, which every source has."""
    generator = np.random.default_rng(number)
    return generator.random(SAMPLES), np.arange(SAMPLES, dtype=np.uint64) % np.uint64(1000)


@lru_cache(maxsize=1024)
def _encode_errors(source: Source, length: int) -> NDArray[np.float64]:
    p, streams = _samples(0)
    if isinstance(source, Halton):
        streams %= np.uint64(8)
    return np.asarray(_encode(source, Role.INPUT, p, streams, length).probability() - p)


@lru_cache(maxsize=1024)
def _product_errors(of_p: Source, of_q: Source, length: int) -> NDArray[np.float64]:
    p, streams = _samples(0)
    q, _ = _samples(1)
    if isinstance(of_p, Halton) or isinstance(of_q, Halton):
        streams %= np.uint64(8)
    x = _encode(of_p, Role.INPUT, p, streams, length)
    w = _encode(of_q, Role.WEIGHT, q, streams, length)
    return np.asarray((x & w).probability() - p * q)


def _encode(
    source: Source, role: Role, p: NDArray[np.float64], streams: NDArray[np.uint64], length: int
) -> Bitstream:
    """Return streams of seed 0, without a warning of what is only measured."""
    return Bitstream(
        source.words(source.thresholds(p), streams, length, key=stream_key(0, role)), length
    )


def _probabilities(name: str, values: ArrayLike) -> NDArray[np.float64]:
    result = _checks.array(name, values, range(33))
    _checks.within(name, result, 0.0, 1.0)
    return result
