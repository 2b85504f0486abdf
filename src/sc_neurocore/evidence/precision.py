"""Predicting errors: standard errors for a stream length, and the length that an error requires.

Bernoulli streams and permutations have closed forms. The errors of all other sources are measured at
the operands, on the streams that `encode` and `encode_pair` use. Rounding to the levels of a source is
included, exactly.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.evidence._moments import Moments, of_densities, of_products
from sc_neurocore.evidence._sources import SourceByLength, source_at
from sc_neurocore.operators.current import ACCUMULATE, Accumulate
from sc_neurocore.streams import (
    Bernoulli,
    Role,
    Source,
    encode,
    operands,
    stream_key,
)
from sc_neurocore.streams.source import (
    Sources,
    checked_source,
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

_LONGEST = 2**16


def encode_error(p: ArrayLike, length: int, *, source: Source = Bernoulli()) -> NDArray[np.float64]:
    """Return the standard error of the density of a stream.

    With L = length::

        Bernoulli                     sqrt(p * (1 - p) / L)
        Permutation of period N >= L  sqrt(p * (1 - p) / L * (N - L) / (N - 1))

    and the rounding of p to the levels of the source, which is the only error of a permutation after
    complete periods. For other sources the error is measured: element i of p is stream i. Numbers that
    do not depend on the key have one error, whose magnitude is returned.

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
    >>> print(f"{encode_error(0.3, 256):.4f}, Sobol {encode_error(0.3, 256, source=Sobol()):.4f}")
    0.0286, Sobol 0.0015
    """
    values, length = _probabilities("p", p), _checks.length_of_stream("length", length)
    checked_source("source", source)
    bias, variance = of_densities(source, values, length)
    return np.asarray(np.sqrt(bias**2 + variance))


def product_error(
    p: ArrayLike, q: ArrayLike, length: int, *, source: Sources = Bernoulli()
) -> NDArray[np.float64]:
    """Return the standard error of the density of a product, the AND of two independent streams.

    With L = length::

        Bernoulli                 sqrt(p * q * (1 - p * q) / L)
        Permutations of period L  sqrt(p * q * (1 - p) * (1 - q) / (L - 1))

    and the rounding of p and q to the levels of their sources. Permutations have a law at other lengths
    too. For other sources the error is measured: element i of p and q is stream i of each. Numbers that
    do not depend on the key have one error, whose magnitude is returned.

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


def _product_moments(p: ArrayLike, q: ArrayLike, length: int, source: Sources) -> Moments:
    """Return bias and variance of the densities of products, of the broadcast shape."""
    of_p, of_q = operands(source)
    length = _checks.length_of_stream("length", length)
    a, b = _checks.broadcast("q", _probabilities("p", p), "p", _probabilities("q", q))
    return of_products(of_p, of_q, a, b, length)


def dot_error(
    p: ArrayLike, q: ArrayLike, length: int, *, source: Sources = Bernoulli()
) -> NDArray[np.float64]:
    """Return the standard error of a dot product: the sum of product densities over the last axis.

    The variances of the products add up, since products of different lanes err independently. What
    does not depend on the key adds up linearly: the rounding to levels, and the bias of an operand of a
    source that is not randomized.

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
    >>> from sc_neurocore import Hammersley
    >>> from sc_neurocore.evidence import product_error_table
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
        # Exact fractions: the square of a small error underflows.
        return math.ceil(Fraction(math.log(2 / (1 - confidence))) / (2 * Fraction(error) ** 2))
    value = float(_probabilities("p", _checks.finite("p", p)))
    z = _quantile(confidence)
    return max(1, math.ceil(Fraction(z**2 * value * (1 - value)) / Fraction(error) ** 2))


def length_for_product(
    error: float,
    confidence: float = 0.95,
    *,
    p: float | None = None,
    q: float | None = None,
    source: SourceByLength = Bernoulli(),
) -> int:
    """Return the smallest power of two at which a product of two streams is within `error`.

    With the bias and the standard deviation of `product_error`, and the two-sided quantile z of the
    normal distribution for `confidence`, it is the first length with::

        abs(bias) + z * std <= error

    at p and q or, without them, at the worst operands of a grid of 16 values each. For Bernoulli
    streams ``length_for_density(error, confidence, p=p * q)`` is the length itself.

    Parameters
    ----------
    error : float
        In (0, 1).
    confidence : float
        Probability that the product is within `error`, in (0, 1).
    p, q : float, optional
        Operands in [0, 1], both or neither.
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
    [16384, 256, 256]
    """
    error, confidence = _checks.below_one("error", error), _checks.below_one("confidence", confidence)
    if (p is None) != (q is None):
        _checks.fail("p and q", "be given both or neither", f"p={p}, q={q}")
    grid = (np.arange(16) + 0.618) / 16  # no simple fractions, which some sources represent exactly
    a = grid[:, np.newaxis] if p is None else _probabilities("p", _checks.finite("p", p))
    b = grid if q is None else _probabilities("q", _checks.finite("q", q))
    z = _quantile(confidence)
    length, reached = 8, math.inf
    while length <= _LONGEST:
        bias, variance = _product_moments(a, b, length, source_at(source, length))
        reached = min(reached, float((np.abs(bias) + z * np.sqrt(variance)).max()))
        if reached <= error:
            return length
        length *= 2
    contract = f"be an error that this source reaches with at most {_LONGEST} bits"
    return _checks.fail("error", contract, error, f"the smallest it reaches is {reached:.2g}")


def _quantile(confidence: float) -> float:
    from statistics import NormalDist  # here: slow to import, rarely used

    # The lower tail: (1 + confidence) / 2 rounds to 1 for a confidence next to 1.
    return -NormalDist().inv_cdf((1 - confidence) / 2)


def _probabilities(name: str, values: ArrayLike) -> NDArray[np.float64]:
    result = _checks.array(name, values, range(33))
    _checks.within(name, result, 0.0, 1.0)
    return result
