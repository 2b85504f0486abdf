"""Combinational operators of stochastic computing, on streams of any batch shape that broadcast.

Every operator needs a certain correlation of its operands, listed in `correlation.NEEDS`; inside
`checking()` it looks. Each bit of a result depends on the operands at the same step alone: fed with
white (Bernoulli) streams of length L it is white, and its density z has the variance z (1 - z) / L.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks, _native, _runtime
from sc_neurocore.operators._batches import check_length, check_streams, n_inputs, weighted
from sc_neurocore.streams._bits import ones
from sc_neurocore.streams.bitstream import Bitstream, encode
from sc_neurocore.streams.correlation import check_operands
from sc_neurocore.streams.source import Bernoulli, Source

__all__ = [
    "absolute_difference",
    "dot",
    "exact_product",
    "maximum",
    "minimum",
    "multiply",
    "popcount_add",
    "saturating_add",
    "saturating_subtract",
    "scaled_add",
]

Method = Literal["division", "rotation", "coprime"]
EXACT_METHODS = get_args(Method)


def multiply(x: Bitstream, y: Bitstream) -> Bitstream:
    """Return x AND y: z = p q at SCC 0, with variance z (1 - z) / L.

    At SCC s it is (1 - abs(s)) p q + abs(s) e, e = min(p, q) for s > 0 and max(0, p + q - 1) below.
    """
    check_streams(x=x, y=y)
    check_operands("multiply", x, y)
    return x & y


def minimum(x: Bitstream, y: Bitstream) -> Bitstream:
    """Return x AND y: min(p, q) at SCC +1."""
    check_streams(x=x, y=y)
    check_operands("minimum", x, y)
    return x & y


def maximum(x: Bitstream, y: Bitstream) -> Bitstream:
    """Return x OR y: max(p, q) at SCC +1."""
    check_streams(x=x, y=y)
    check_operands("maximum", x, y)
    return x | y


def absolute_difference(x: Bitstream, y: Bitstream) -> Bitstream:
    """Return x XOR y: abs(p - q) at SCC +1. At SCC 0 it is p + q - 2 p q."""
    check_streams(x=x, y=y)
    check_operands("absolute_difference", x, y)
    return x ^ y


def saturating_subtract(x: Bitstream, y: Bitstream) -> Bitstream:
    """Return x AND NOT y: max(0, p - q) at SCC +1. At SCC 0 it is p (1 - q)."""
    check_streams(x=x, y=y)
    check_operands("saturating_subtract", x, y)
    return x & ~y


def saturating_add(x: Bitstream, y: Bitstream) -> Bitstream:
    """Return x OR y: min(1, p + q) at SCC -1. At SCC 0 it is 1 - (1 - p)(1 - q)."""
    check_streams(x=x, y=y)
    check_operands("saturating_add", x, y)
    return x | y


def dot(x: Bitstream, w: Bitstream) -> NDArray[np.int64]:
    """Return the ones among all products, sum_i ones(x_i & w_i) over the last batch axis.

    Divided by the length it estimates the dot product sum_i p_i q_i; see `dot_error`. It is what an
    accumulator behind a parallel counter holds at the end of the streams; `current_trace` tells what
    the counter shows at each step.

    Parameters
    ----------
    x : Bitstream
        Of batch shape (..., n).
    w : Bitstream
        Of batch shape (n,) or (n_out, n).

    Returns
    -------
    ndarray of int64
        Of shape (...,) or (..., n_out).

    Examples
    --------
    >>> from sc_neurocore import dot, encode_pair
    >>> x, w = encode_pair([0.5, 0.25, 1.0], [0.5, 0.8, 0.1], 65536, key=1)
    >>> round(float(dot(x, w)) / 65536, 2)  # 0.25 + 0.2 + 0.1
    0.55
    """
    n, each = weighted(x, w)
    check_operands("dot", each, w)
    words = n * x.words.shape[-1]
    rows = np.ascontiguousarray(x.words).reshape(-1, words)
    ones = _native.dot(rows, np.ascontiguousarray(w.words).reshape(-1, words))
    return ones.reshape((*x.shape[:-1], *w.shape[:-1]))


def popcount_add(x: Bitstream) -> NDArray[np.int32]:
    """Return the ones at each time step over the last batch axis, shape (..., length).

    That is the accumulative parallel counter of the field, or a population count.

    The mean over time is the sum of the densities p_i, exactly and at any correlation; it estimates
    the sum of the encoded values with variance sum p_i (1 - p_i) / L if the inputs are independent.

    Examples
    --------
    >>> from sc_neurocore import Bitstream, popcount_add
    >>> popcount_add(Bitstream.from_bits([[1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 0]]))
    array([3, 1, 1, 0], dtype=int32)
    """
    k = n_inputs(x)
    rows = np.ascontiguousarray(x.words.reshape(-1, k, x.words.shape[-1]))
    # Signed, since a difference of two sums is the next thing one computes.
    counts = _native.channel_counts(ones((1, k), x.length), rows, x.length).view(np.int32)
    return counts.reshape(*x.shape[:-1], x.length)


def scaled_add(
    x: Bitstream, *, key: int, weights: ArrayLike | None = None, source: Source = Bernoulli()
) -> Bitstream:
    """Return the output of a multiplexer over the last batch axis: z = sum w_i p_i.

    At each step one input is chosen at random, input i with probability w_i. The variance is
    z (1 - z) / L whatever the correlation of the inputs, for only one counts at a time; with equal
    weights k z estimates the plain sum of k inputs, with k**2 times that. The choice must be
    independent of the inputs.

    Parameters
    ----------
    x : Bitstream
        Of batch shape (..., k); `stack` makes it of single streams.
    key : int
        A key of `stream_key`, with `Role.SELECT`. Each element of the batch has k - 1 select streams
        of its own, numbered in C order.
    weights : array_like, shape (k,), optional
        Not negative, of sum 1; by default 1 / k each.
    source : Source
        Where the numbers of the select streams come from. It must not be the one of the inputs, and
        for more than two inputs its streams must be independent of each other.

    Examples
    --------
    >>> from sc_neurocore import Role, encode, scaled_add, stream_key
    >>> x = encode([0.2, 0.8], 65536, key=stream_key(1, Role.INPUT))
    >>> scaled_add(x, key=stream_key(1, Role.SELECT), weights=[0.75, 0.25])
    Bitstream(length=65536, p=0.351)
    """
    k = n_inputs(x)
    w = _weights(weights, k)
    # Stream i decides for input i if no earlier one has, so with w_i over the weights that are left.
    left = np.cumsum(w[::-1])[::-1]
    p = np.divide(w, left, out=np.zeros(k), where=left > 0)[:-1]
    select = encode(np.broadcast_to(p, (*x.shape[:-1], k - 1)), x.length, key=key, source=source)
    out = x.words[..., k - 1, :]
    for i in reversed(range(k - 1)):
        if _runtime.checkers:
            which = f"select {i} and the inputs from {i} on"
            check_operands("scaled_add", select[..., i, None], x[..., i:], which)
            for j in range(i):
                check_operands("scaled_add", select[..., j], select[..., i], f"selects {j} and {i}")
        out = choose(select.words[..., i, :], x.words[..., i, :], out)
    return Bitstream(out, x.length)


def exact_product(x: Bitstream, y: Bitstream, method: Method) -> Bitstream:
    """Return a stream of length n m with exactly ones(x) * ones(y) ones, for lengths n and m.

    Every bit of x meets every bit of y once, so that neither randomness nor correlation matters: k ones
    anywhere among n bits are the value k / n (Jenson, Riedel: A deterministic approach to stochastic
    computation; ICCAD 2016. Najafi, Jenson, Lilja, Riedel: Performing stochastic computation
    deterministically; IEEE TVLSI 2019). Both streams repeat; the methods differ in how they slip:

    - "division": y advances one step for each n steps of x. Any lengths.
    - "rotation": y stands still for one step after each n steps. Equal lengths.
    - "coprime": both run freely. Lengths without a common divisor.

    Examples
    --------
    >>> from sc_neurocore import Bitstream, exact_product
    >>> x, y = Bitstream.from_bits([1, 1, 0]), Bitstream.from_bits([0, 1, 1])
    >>> exact_product(x, y, "rotation").bits()
    array([0, 1, 0, 1, 0, 0, 1, 1, 0], dtype=uint8)
    """
    _checks.choice("method", method, EXACT_METHODS)
    check_streams(x=x, y=y)
    n, m = x.length, y.length
    if method == "rotation":
        check_length(x, "y", y, "use method 'division'")
    if method == "coprime" and (divisor := int(np.gcd(n, m))) > 1:
        got = f"{n} and {m}, both divisible by {divisor}"
        _checks.fail("x and y", "have lengths without a common divisor", got, "use method 'division'")
    bits = y.bits()
    if method == "division":
        slipped = np.repeat(bits, n, axis=-1)
    elif method == "rotation":  # row r begins r steps late
        twice = np.concatenate([bits, bits], axis=-1)[..., 1:]
        rows = np.lib.stride_tricks.sliding_window_view(twice, n, axis=-1)[..., ::-1, :]
        slipped = rows.reshape(*y.shape, n * n)
    else:
        slipped = np.tile(bits, n)
    return Bitstream.from_bits(np.tile(x.bits(), m)) & Bitstream.from_bits(slipped)


def choose(
    select: NDArray[np.uint64], one: NDArray[np.uint64], zero: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """Return the words of a multiplexer: `one` where the select is 1."""
    return select & one | ~select & zero


def _weights(weights: ArrayLike | None, k: int) -> NDArray[np.float64]:
    if weights is None:
        return np.full(k, 1 / k)
    w = _checks.array("weights", weights, [1])
    if w.size != k:
        _checks.fail("weights", f"hold one weight for each of the {k} inputs", w.size)
    _checks.within("weights", w, 0.0, 1.0)
    if abs(w.sum() - 1) > 1e-9:
        _checks.fail("weights", "have the sum 1", w.sum(), "divide them by it and scale the result")
    return w
