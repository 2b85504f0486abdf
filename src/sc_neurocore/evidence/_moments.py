"""Bias and variance of encoded densities and of their products, by law or by measurement.

Element i of an array of operands is stream i, as `encode` and `encode_pair` number them. If numbers
depend on the key, each is uniform over the levels of its source, so that the mean of a density is its
threshold over the levels, exactly, and that of a product the product of the two; variances follow from
laws for Bernoulli streams and permutations and are measured on other rows of the same lanes, or under
other keys, for all other sources. If numbers do not depend on the key, there is one error, which is
measured, and no variance. If those of one operand of a product do not, its measured density replaces
its threshold over the levels: the difference is a bias, which adds up over operands.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sc_neurocore._types import Reals, Words
from sc_neurocore.streams import (
    Bernoulli,
    Halton,
    Permutation,
    Role,
    Sobol,
    Source,
    stream_key,
)
from sc_neurocore.streams._bits import count_ones
from sc_neurocore.streams.keys import (
    lane_streams,
)

# Bits that one estimate takes, and samples of an operand: a variance of n samples errs by sqrt(2 / n).
_BITS, _FEWEST, _MOST = 2**27, 8, 4096
# Words that are held at a time, 64 MB.
_WORDS = 2**22
# Operands are measured themselves up to this many; of more, some in each cell of a grid.
_ELEMENTS, _CELLS, _OF_CELL = 2**17, 64, 8

Moments = tuple[Reals, Reals]


def of_densities(source: Source, p: Reals, length: int) -> Moments:
    """Return bias and variance of the densities of streams, of the shape of p."""
    rounded = source.thresholds(p) / source.levels
    if isinstance(source, Bernoulli):
        return rounded - p, rounded * (1 - rounded) / length
    if isinstance(source, Permutation):
        n = source.period
        left = length % n
        return rounded - p, rounded * (1 - rounded) * left * (n - left) / (n - 1) / length**2
    errors = samples_of_densities(source, p, length)
    return _moments(errors, rounded - p, is_fixed(source))


def of_products(of_p: Source, of_q: Source, p: Reals, q: Reals, length: int) -> Moments:
    """Return bias and variance of the densities of products of one shape."""
    a, b = of_p.thresholds(p) / of_p.levels, of_q.thresholds(q) / of_q.levels
    bias = a * b - p * q
    if of_p == of_q == Bernoulli():
        return bias, a * b * (1 - a * b) / length
    if isinstance(of_p, Permutation) and of_p == of_q:
        return bias, permutation_variance(a, b, length, of_p.period)
    fixed_p, fixed_q = is_fixed(of_p), is_fixed(of_q)
    of_first, of_second = (of_p, Role.INPUT, p), (of_q, Role.WEIGHT, q)
    if fixed_p and fixed_q:
        return _fixed_densities([of_first, of_second], length) - p * q, np.zeros(p.shape)
    if fixed_p:
        bias = _fixed_densities([of_first], length) * b - p * q
    elif fixed_q:
        bias = a * _fixed_densities([of_second], length) - p * q
    few = _representatives(p.ravel(), q.ravel())
    if few is None:
        return _moments(samples_of_products(of_p, of_q, p, q, length), bias, False)
    picked, cells = few
    # Streams are measured with the numbers of other lanes, which a bias of this lane does not fit.
    part = p.ravel()[picked], q.ravel()[picked]
    errors = samples_of_products(of_p, of_q, *part, length)
    own = bias.ravel()[picked]
    if fixed_p:
        own = _fixed_densities([(of_p, Role.INPUT, part[0])], length) * b.ravel()[picked]
        own -= part[0] * part[1]
    elif fixed_q:
        own = _fixed_densities([(of_q, Role.WEIGHT, part[1])], length) * a.ravel()[picked]
        own -= part[0] * part[1]
    _, variance = _moments(errors, own, False)
    counts = np.bincount(cells[picked], minlength=cells.max() + 1)
    means = np.bincount(cells[picked], variance, counts.size) / np.maximum(counts, 1)
    return bias, means[cells].reshape(p.shape)


def permutation_variance(p: Reals, q: Reals, length: int, period: int) -> Reals:
    """Return the variance of a product of independent random permutations, repeated.

    Within a period of n steps, two of them are both 1 with probability p (p n - 1) / (n - 1). So the
    sum over r of them has the variance r z (1 - z) + r (r - 1) (P11 - z**2), and with that over a whole
    period a covariance of r / n times the latter's variance.
    """
    z = p * q
    both = z * (p * period - 1) * (q * period - 1) / (period - 1) ** 2

    def variance(r: int) -> Reals:
        return np.asarray(r * z * (1 - z) + r * (r - 1) * (both - z**2))

    whole, rest = divmod(length, period)
    of_period = variance(period)
    total = whole**2 * of_period + variance(rest) + 2 * whole * rest / period * of_period
    return np.asarray(np.maximum(total, 0.0) / length**2)


@lru_cache(maxsize=256)
def is_fixed(source: Source) -> bool:
    """Return whether the numbers of a source are the same under every key."""
    one, other = (source.numbers(np.arange(4), 64, key=key) for key in (1, 2))
    return bool(np.array_equal(one, other))


def samples_of_densities(source: Source, p: Reals, length: int) -> Reals:
    """Return errors against p of sampled streams, shape (n_samples, *p.shape)."""
    n = _n_samples(p.size, length, is_fixed(source))
    return _samples([(source, Role.INPUT, p)], length, n) - p


def samples_of_products(of_p: Source, of_q: Source, p: Reals, q: Reals, length: int) -> Reals:
    """Return errors against p q of products of sampled streams, shape (n_samples, *p.shape)."""
    n = _n_samples(p.size, length, is_fixed(of_p) and is_fixed(of_q))
    return _samples([(of_p, Role.INPUT, p), (of_q, Role.WEIGHT, q)], length, n) - p * q


def _n_samples(size: int, length: int, fixed: bool) -> int:
    return 1 if fixed else int(np.clip(_BITS // max(size * length, 1), _FEWEST, _MOST))


def _samples(operands: list[tuple[Source, Role, Reals]], length: int, n: int) -> Reals:
    """Return the densities of the AND of operands' streams, shape (n, *shape)."""
    shape = operands[0][2].shape
    size = int(np.prod(shape))
    densities = np.empty((n, size))
    by_key = any(_numbers_streams(source) for source, _, _ in operands)
    rows = 1 if by_key else max(_WORDS // max(size * -(-length // 64), 1), 1)
    for first in range(0, n, rows):
        some = min(rows, n - first)
        words: Words | None = None
        for source, role, values in operands:
            # Row 0 is that of `encode`, the only one of a source whose streams are numbered.
            streams = lane_streams(first + some, size)[first:] if not by_key else lane_streams(1, size)
            thresholds = np.broadcast_to(source.thresholds(values).ravel(), (some, size))
            key = stream_key(0, role, *([first] if by_key else []))
            made = source.words(thresholds.ravel(), streams.ravel(), length, key=key)
            words = made if words is None else words & made
        assert words is not None
        ones = count_ones(words)
        densities[first : first + some] = ones.reshape(some, size) / length
    return densities.reshape(n, *shape)


def _fixed_densities(operands: list[tuple[Source, Role, Reals]], length: int) -> Reals:
    """Return the densities of the AND of operands' streams of sources that ignore the key."""
    shape = operands[0][2].shape
    streams = lane_streams(1, int(np.prod(shape))).ravel()
    densities = np.empty(streams.size)
    block = max(_WORDS // -(-length // 64), 1)
    for first in range(0, streams.size, block):
        some = slice(first, first + block)
        words: Words | None = None
        for source, role, values in operands:
            thresholds = source.thresholds(values.ravel()[some])
            made = source.words(thresholds, streams[some], length, key=stream_key(0, role))
            words = made if words is None else words & made
        assert words is not None
        densities[some] = count_ones(words) / length
    return densities.reshape(shape)


def _numbers_streams(source: Source) -> bool:
    """Return whether a stream's number chooses its sequence, so that it has no other rows."""
    return isinstance(source, Halton) or (isinstance(source, Sobol) and source.dimension is None)


def _moments(errors: Reals, bias: Reals, fixed: bool) -> Moments:
    if fixed:
        return errors[0], np.zeros(bias.shape)
    return bias, np.asarray(((errors - bias) ** 2).mean(axis=0))


def _representatives(p: Reals, q: Reals) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Return operands to measure and the cell of each operand, None if all can be measured."""
    if p.size <= _ELEMENTS:
        return None
    n = _CELLS
    cells = np.minimum((p * n).astype(np.int64), n - 1) * n + np.minimum(
        (q * n).astype(np.int64), n - 1
    )
    order = np.random.default_rng(0).permutation(p.size)
    by_cell = order[np.argsort(cells[order], kind="stable")]
    of = cells[by_cell]
    starts = np.flatnonzero(np.diff(of, prepend=-1))
    place = np.arange(of.size) - np.repeat(starts, np.diff(starts, append=of.size))
    return by_cell[place < _OF_CELL], cells
