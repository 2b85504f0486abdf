"""Predicting errors: standard errors for a stream length, and the length that an error requires.

Bernoulli streams and permutations have closed forms. The errors of all other sources are measured once
on products of random operands and random streams, and kept in tables.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.operators.current import ACCUMULATE, Accumulate
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

__all__ = [
    "current_error",
    "dot_error",
    "encode_error",
    "length_for_density",
    "length_for_product",
    "product_error",
    "product_error_table",
]

SAMPLES = 4096
_LONGEST = 2**16


def encode_error(p: ArrayLike, length: int, *, source: Source = Bernoulli()) -> NDArray[np.float64]:
    """Return the standard error of the density of a stream.

    With L = length::

        Bernoulli                     sqrt(p * (1 - p) / L)
        Permutation of period N >= L  sqrt(p * (1 - p) / L * (N - L) / (N - 1))

    The error of a permutation also includes the rounding of p to its levels, the only error after
    complete periods. For other sources it is the root mean square over all p from a table. The streams
    of `Halton` differ, so its table covers the first 8 bases.

    Parameters
    ----------
    p : array_like of float
        Probabilities in [0, 1].
    length : int
        Number of bits of a stream.
    source : Source

    Returns
    -------
    ndarray of float64, of the shape of p

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If p is outside [0, 1] or `length` is not positive.

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
    """Return the standard error of the density of a product, the AND of two independent streams.

    With L = length::

        Bernoulli                 sqrt(p * q * (1 - p * q) / L)
        Permutations of period L  sqrt(p * q * (1 - p) * (1 - q) / (L - 1))

    Permutations are exact at other lengths too, and include the rounding of p and q to their levels.
    For other sources it is the root mean square over all p and q from a table of the pair of sources,
    and 0 where p or q is 0. The streams of `Halton` differ, so its table covers the first 8 bases.

    Parameters
    ----------
    p, q : array_like of float
        Probabilities in [0, 1] of shapes that broadcast.
    length : int
        Number of bits of a stream.
    source : Source or tuple of 2 Sources
        Source of both operands, or one for each.

    Returns
    -------
    ndarray of float64, of the broadcast shape of p and q

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If p or q is outside [0, 1], their shapes do not broadcast, or `length` is not positive.
    """
    bias, variance = _product_moments(p, q, length, source)
    return np.asarray(np.sqrt(bias**2 + variance))


def _product_moments(
    p: ArrayLike, q: ArrayLike, length: int, source: Sources
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return bias and variance of the densities of products, of the broadcast shape."""
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
    """Return the variance of a product of independent random permutations, repeated each period.

    Two different steps of a period of n steps are both 1 with probability
    ``p * (p * n - 1) / (n - 1)``. With z = p q, and P11 the probability that the products of two steps
    are both 1, the number of ones in r steps of a period has the variance::

        r * z * (1 - z) + r * (r - 1) * (P11 - z**2)

    Its covariance with the number of ones in the whole period is ``r / n`` times the variance of the
    latter.
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
    p: ArrayLike, q: ArrayLike, length: int, *, source: Sources = Bernoulli()
) -> NDArray[np.float64]:
    """Return the standard error of a dot product: the sum of product densities over the last axis.

    The products vary independently, so their variances add up. A bias common to all products, which
    only sources without randomization have, adds up linearly.

    Parameters
    ----------
    p, q : array_like of float
        Probabilities in [0, 1] of shapes that broadcast, with the inputs along the last axis.
    length : int
        Number of bits of a stream.
    source : Source or tuple of 2 Sources
        Source of both operands, or one for each.

    Returns
    -------
    ndarray of float64, of the broadcast shape of p and q without its last axis

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If p or q is outside [0, 1], their shapes do not broadcast or have no inputs, or `length` is not
        positive.
    """
    bias, variance = _product_moments(p, q, length, source)
    if bias.ndim == 0 or bias.shape[-1] == 0:
        _checks.fail("p", "have at least one input along its last axis", f"shape {bias.shape}")
    return np.asarray(np.sqrt(bias.sum(axis=-1) ** 2 + variance.sum(axis=-1)))


def current_error(
    p: ArrayLike,
    q: ArrayLike,
    length: int,
    *,
    y_min: float = 0.0,
    y_max: float = 1.0,
    accumulate: Accumulate = "mean",
    source: Sources = Bernoulli(),
) -> NDArray[np.float64]:
    """Return the standard error of the mean over time of the current of `current_trace`.

    Parameters
    ----------
    p, q : array_like of float
        Probabilities in [0, 1] of inputs and of weights, of shapes that broadcast, with the inputs
        along the last axis.
    length : int
        Number of bits of a stream.
    y_min, y_max : float
        Currents at sums of 0 and of 1, as in `current_trace`; y_min < y_max.
    accumulate : {"mean", "sum", "or"}
        "mean" and "sum" scale `dot_error`. "or", for Bernoulli streams only, has the standard error
        ``(y_max - y_min) * sqrt(s * (1 - s) / length)`` with ``s = 1 - prod(1 - p * q)``.
    source : Source or tuple of 2 Sources
        Source of inputs and weights, or one for each.

    Returns
    -------
    ndarray of float64, of the broadcast shape of p and q without its last axis

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If an argument is outside its range, or `accumulate` is "or" with another source.
    """
    _checks.choice("accumulate", accumulate, ACCUMULATE)
    y_min, y_max = _checks.ordered("y_min", y_min, "y_max", y_max)
    a, b = _checks.broadcast("q", _probabilities("p", p), "p", _probabilities("q", q))
    if a.ndim == 0 or a.shape[-1] == 0:
        _checks.fail("p", "have at least one input along its last axis", f"shape {a.shape}")
    if accumulate == "or":
        if operands(source) != (Bernoulli(), Bernoulli()):
            _checks.fail("source", 'be Bernoulli() if accumulate is "or"', source)
        return (y_max - y_min) * encode_error(1 - np.prod(1 - a * b, axis=-1), length)
    scale = (y_max - y_min) / (a.shape[-1] if accumulate == "mean" else 1)
    return scale * dot_error(a, b, length, source=source)


def product_error_table(
    length: int, *, source: Sources = Bernoulli(), seed: int = 0
) -> NDArray[np.float64]:
    """Return the error of every product of two levels, for one pair of streams.

    The levels of p and q are 0, 1 / n, ..., 1, where n is the smallest of `length` and the numbers of
    levels of the two sources. All values are encoded by stream 0 of their source. For the standard
    error of a randomized source, average the squares over seeds.

    Parameters
    ----------
    length : int
        Number of bits of a stream, in [1, 8192].
    source : Source or tuple of 2 Sources
        Source of both operands, or one for each.
    seed : int
        In [0, 2**128).

    Returns
    -------
    ndarray of float64, shape (n + 1, n + 1)
        Density of the product minus p q, with p along the first axis.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If `length` or `seed` is outside its range.

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
    """Return the length at which the density of a Bernoulli stream is within `error` of its mean.

    Without p it is Hoeffding's bound, which holds for every p; with p it is the normal approximation,
    accurate if at least 5 ones and 5 zeros are expected::

        ln(2 / (1 - confidence)) / (2 * error**2)
        z**2 * p * (1 - p) / error**2

    Here z is the two-sided quantile of the normal distribution for `confidence`.

    Parameters
    ----------
    error : float
        In (0, 1).
    confidence : float
        Probability that the density is within `error`, in (0, 1).
    p : float, optional
        Probability of a one, in [0, 1]; p q for the product of p and q.

    Returns
    -------
    int
        Number of bits, rounded up.

    Raises
    ------
    TypeError
        If an argument is not a number.
    ValueError
        If an argument is outside its range.

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
    """Return the smallest power of two at which a product of two streams is within `error`.

    The errors are measured on products of random operands and streams, for Bernoulli streams too.

    Parameters
    ----------
    error : float
        In (0, 1).
    confidence : float
        Proportion of products that are within `error`, in (0, 1).
    source : Source, tuple of 2 Sources, or function of the length
        Source of both operands, or one for each. For a source whose period must match the length, pass
        its `for_length`.

    Returns
    -------
    int
        Number of bits, at least 8.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If an argument is outside its range, or the source does not reach `error` with 65,536 bits.

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
    contract = f"be an error that this source reaches with at most {_LONGEST} bits"
    return _checks.fail("error", contract, error, f"the smallest it reaches is {reached:.2g}")


def _samples(number: int) -> tuple[NDArray[np.float64], NDArray[np.uint64]]:
    """Return uniform probabilities, and stream numbers that every source supports."""
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
    """Return streams of seed 0, without the warnings of `encode`: errors are to be measured."""
    return Bitstream(
        source.words(source.thresholds(p), streams, length, key=stream_key(0, role)), length
    )


def _probabilities(name: str, values: ArrayLike) -> NDArray[np.float64]:
    result = _checks.array(name, values, range(33))
    _checks.within(name, result, 0.0, 1.0)
    return result
