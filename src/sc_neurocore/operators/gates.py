"""Combinational operators on bitstreams: gates, multiplexers, counters, and exact products.

Each operator requires a certain correlation of its operands, listed in `correlation.NEEDS` and checked
inside `checking()`. A bit of a result depends only on the operands at the same step. If the operands
are white (Bernoulli) streams of length L, the result is white, too, and its density z has the variance
``z * (1 - z) / L``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks, _native, _runtime
from sc_neurocore.operators._batches import check_length, check_streams, n_inputs, weighted
from sc_neurocore.operators.selection import leading
from sc_neurocore.streams import (
    Bernoulli,
    Bitstream,
    Source,
    encode,
)
from sc_neurocore.streams._bits import ones
from sc_neurocore.streams._dispatch import is_symbolic, on_streams
from sc_neurocore.streams.correlation import check_operands

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


@on_streams
def multiply(x: Bitstream, y: Bitstream) -> Bitstream:
    """Return the product of two streams, x AND y.

    Requires SCC 0 (independent operands). For white operands of length L, the density and its variance
    are::

        z = p q,   var(z) = z (1 - z) / L

    At SCC s the density is ``(1 - abs(s)) p q + abs(s) e``, where e is ``min(p, q)`` for s > 0 and
    ``max(0, p + q - 1)`` for s < 0.

    Parameters
    ----------
    x, y : Bitstream
        Operands of equal length, with densities p and q and batch shapes that broadcast.

    Returns
    -------
    Bitstream, of the broadcast batch shape

    Raises
    ------
    TypeError
        If an operand is not a Bitstream.
    ValueError
        If the lengths differ, or the batch shapes do not broadcast.
    """
    check_streams(x=x, y=y)
    check_operands("multiply", x, y)
    return x & y


@on_streams
def minimum(x: Bitstream, y: Bitstream, depth: int | None = None) -> Bitstream:
    """Return the minimum of two streams: x AND y, or without correlation by a machine.

    Without `depth`, an AND gate, which requires SCC +1. For white operands of length L, the density and
    its variance are::

        z = min(p, q),   var(z) = z (1 - z) / L

    With `depth`, no correlation is required: the machine is that of `maximum`, writes the bit of the
    stream that does not lead, and x AND y if both are level. The two results together have the ones of
    x and y. With ``r = P(x & ~y) / P(~x & y)``, the stationary mean is::

        z = q - P(~x & y) r**-depth / sum(r**s, s = -depth .. depth)

    Parameters
    ----------
    x, y : Bitstream
        Operands of equal length, with densities p and q and batch shapes that broadcast.
    depth : int, optional
        Largest lead that the machine counts, from 1 to 32767. By default a gate.

    Returns
    -------
    Bitstream, of the broadcast batch shape

    Raises
    ------
    TypeError
        If an operand is not a Bitstream, or `depth` is not an integer.
    ValueError
        If the lengths differ, the batch shapes do not broadcast, or `depth` is outside its range.
    """
    check_streams(x=x, y=y)
    if depth is not None:
        return leading(x, y, depth, largest=False)
    check_operands("minimum", x, y)
    return x & y


@on_streams
def maximum(x: Bitstream, y: Bitstream, depth: int | None = None) -> Bitstream:
    """Return the maximum of two streams: x OR y, or without correlation by a machine.

    Without `depth`, an OR gate, which requires SCC +1. For white operands of length L, the density and
    its variance are::

        z = max(p, q),   var(z) = z (1 - z) / L

    With `depth`, no correlation is required. A counter D, from ``-depth`` to `depth`, counts the ones
    by which x leads y. The machine writes the bit of the stream that leads, and x OR y if both are
    level.
    As long as D is not full, the first t bits have exactly as many ones as those of the stream with
    more, for every t, so that ``ones(z) = max(ones(x), ones(y))``. While it is full, the ones that it
    cannot count are lost, and the result is larger by at most their number. For pairs white in time and
    ``r = P(x & ~y) / P(~x & y)``, the stationary mean is::

        z = p + P(~x & y) r**-depth / sum(r**s, s = -depth .. depth)

    It is ``p + P(~x & y) / (2 depth + 1)`` at p = q. The result is not white; `Circuit.predict` returns
    its variance. ``maximum(x, ~x, depth)`` is the absolute value in bipolar code. (Lunglmayr,
    Wiesinger, Haselmayr: Design and analysis of efficient maximum/minimum circuits for stochastic
    computing; IEEE Transactions on Computers 2020, arXiv 1807.06966, has a shift register instead.)

    Parameters
    ----------
    x, y : Bitstream
        Operands of equal length, with densities p and q and batch shapes that broadcast.
    depth : int, optional
        Largest lead that the machine counts, from 1 to 32767. By default a gate.

    Returns
    -------
    Bitstream, of the broadcast batch shape

    Raises
    ------
    TypeError
        If an operand is not a Bitstream, or `depth` is not an integer.
    ValueError
        If the lengths differ, the batch shapes do not broadcast, or `depth` is outside its range.
    """
    check_streams(x=x, y=y)
    if depth is not None:
        return leading(x, y, depth, largest=True)
    check_operands("maximum", x, y)
    return x | y


@on_streams
def absolute_difference(x: Bitstream, y: Bitstream) -> Bitstream:
    """Return the absolute difference of two streams, x XOR y.

    Requires SCC +1. For white operands of length L, the density and its variance are::

        z = abs(p - q),   var(z) = z (1 - z) / L

    At SCC 0 the density is ``p + q - 2 p q``.

    Parameters
    ----------
    x, y : Bitstream
        Operands of equal length, with densities p and q and batch shapes that broadcast.

    Returns
    -------
    Bitstream, of the broadcast batch shape

    Raises
    ------
    TypeError
        If an operand is not a Bitstream.
    ValueError
        If the lengths differ, or the batch shapes do not broadcast.
    """
    check_streams(x=x, y=y)
    check_operands("absolute_difference", x, y)
    return x ^ y


@on_streams
def saturating_subtract(x: Bitstream, y: Bitstream) -> Bitstream:
    """Return x minus y, or 0 if y is larger: x AND NOT y.

    Requires SCC +1. For white operands of length L, the density and its variance are::

        z = max(0, p - q),   var(z) = z (1 - z) / L

    At SCC 0 the density is ``p (1 - q)``.

    Parameters
    ----------
    x, y : Bitstream
        Operands of equal length, with densities p and q and batch shapes that broadcast.

    Returns
    -------
    Bitstream, of the broadcast batch shape

    Raises
    ------
    TypeError
        If an operand is not a Bitstream.
    ValueError
        If the lengths differ, or the batch shapes do not broadcast.
    """
    check_streams(x=x, y=y)
    check_operands("saturating_subtract", x, y)
    return x & ~y


@on_streams
def saturating_add(x: Bitstream, y: Bitstream) -> Bitstream:
    """Return the sum of two streams, or 1 if it is larger: x OR y.

    Requires SCC -1. For white operands of length L, the density and its variance are::

        z = min(1, p + q),   var(z) = z (1 - z) / L

    At SCC 0 the density is ``1 - (1 - p) (1 - q)``.

    Parameters
    ----------
    x, y : Bitstream
        Operands of equal length, with densities p and q and batch shapes that broadcast.

    Returns
    -------
    Bitstream, of the broadcast batch shape

    Raises
    ------
    TypeError
        If an operand is not a Bitstream.
    ValueError
        If the lengths differ, or the batch shapes do not broadcast.
    """
    check_streams(x=x, y=y)
    check_operands("saturating_add", x, y)
    return x | y


@on_streams
def dot(x: Bitstream, w: Bitstream) -> NDArray[np.int64]:
    """Return the number of ones among the products of inputs and weights, over all inputs and steps.

    Divided by the length L, the count estimates the dot product of the densities::

        count = sum over i of ones(x_i & w_i),   mean(count / L) = sum over i of p_i q_i

    Requires SCC 0 between each input and its weight. If the products of different inputs are
    independent and white, the variance of ``count / L`` is the sum of ``p_i q_i (1 - p_i q_i) / L``;
    `dot_error` predicts the error of other sources. In hardware, this is the final value of an
    accumulator behind a parallel counter. `current_trace` returns the value of the counter at each
    step.

    Parameters
    ----------
    x : Bitstream, of batch shape (..., n)
        Inputs, with densities p.
    w : Bitstream, of batch shape (n,) or (n_out, n)
        Weights, with densities q and the length of x.

    Returns
    -------
    ndarray of int64, shape (...,) or (..., n_out)

    Raises
    ------
    TypeError
        If x or w is not a Bitstream.
    ValueError
        If x has no inputs, or the shape or the length of w does not match.

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


@on_streams
def popcount_add(x: Bitstream) -> NDArray[np.int32]:
    """Return the number of ones over the last batch axis at each time step.

    This is a population count, also called an accumulative parallel counter. The mean over time is
    exactly the sum of the densities p_i, at any correlation. If the inputs are independent Bernoulli
    streams of length L, it estimates the sum of the encoded values with the variance::

        sum over i of p_i (1 - p_i) / L

    Parameters
    ----------
    x : Bitstream, of batch shape (..., n)

    Returns
    -------
    ndarray of int32, shape (..., length)
        Counts from 0 to n.

    Raises
    ------
    TypeError
        If x is not a Bitstream.
    ValueError
        If x has no inputs.

    Examples
    --------
    >>> from sc_neurocore import Bitstream
    >>> from sc_neurocore.operators import popcount_add
    >>> popcount_add(Bitstream.from_bits([[1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 0]]))
    array([3, 1, 1, 0], dtype=int32)
    """
    k = n_inputs(x)
    rows = np.ascontiguousarray(x.words.reshape(-1, k, x.words.shape[-1]))
    # Signed, because users subtract two counts.
    counts = _native.channel_counts(ones((1, k), x.length), rows, x.length).view(np.int32)
    return counts.reshape(*x.shape[:-1], x.length)


@on_streams
def scaled_add(
    x: Bitstream, *, key: int, weights: ArrayLike | None = None, source: Source = Bernoulli()
) -> Bitstream:
    """Return the weighted mean of the streams along the last batch axis, by a multiplexer.

    At each step one of the n inputs is selected at random, input i with probability w_i. For white
    inputs of length L, the density and its variance are::

        z = sum over i of w_i p_i,   var(z) = z (1 - z) / L

    The inputs can have any correlation, because only one of them is used at each step. The selects must
    be independent of the inputs and of each other (SCC 0). With equal weights, ``n * z`` estimates the
    sum of the densities, with ``n**2`` times the variance.

    Parameters
    ----------
    x : Bitstream, of batch shape (..., n)
        Inputs; `stack` makes such a batch of single streams.
    key : int
        Key of the select streams from `stream_key`, usually with `Role.SELECT`. Each element of the
        batch has n - 1 select streams, numbered in C order.
    weights : array_like of float, shape (n,), optional
        Probabilities w_i in [0, 1] with the sum 1; 1 / n by default.
    source : Source
        Source of the select streams. It must differ from the source of the inputs. For more than two
        inputs its streams must be independent of each other.

    Returns
    -------
    Bitstream, of batch shape (...)

    Raises
    ------
    TypeError
        If x is not a Bitstream, or another argument has the wrong type.
    ValueError
        If x has no inputs, or `key` or `weights` is outside its range.

    Examples
    --------
    >>> from sc_neurocore import Role, encode, scaled_add, stream_key
    >>> x = encode([0.2, 0.8], 65536, key=stream_key(1, Role.INPUT))
    >>> scaled_add(x, key=stream_key(1, Role.SELECT), weights=[0.75, 0.25])
    Bitstream(length=65536, p=0.351)
    """
    k = n_inputs(x)
    w = _weights(weights, k)
    # Select i picks input i if no earlier select did: w_i divided by the sum of the weights from i on.
    left = np.cumsum(w[::-1])[::-1]
    p = np.divide(w, left, out=np.zeros(k), where=left > 0)[:-1]
    select = encode(np.broadcast_to(p, (*x.shape[:-1], k - 1)), x.length, key=key, source=source)
    data, selects = unpacked(x), unpacked(select)
    out = data[k - 1]
    for i in reversed(range(k - 1)):
        if _runtime.checkers or is_symbolic(x):
            which = f"select {i} and the inputs from {i} on"
            check_operands("scaled_add", select[..., i, None], x[..., i:], which)
            for j in range(i):
                check_operands("scaled_add", select[..., j], select[..., i], f"selects {j} and {i}")
        out = choose(selects[i], data[i], out)
    return repacked(out, x)


@on_streams
def exact_product(x: Bitstream, y: Bitstream, method: Method) -> Bitstream:
    """Return a stream that contains exactly the product of the numbers of ones of two streams.

    Every bit of x, of length n, is combined with every bit of y, of length m, exactly once. The result
    has length n m and no error beyond those of x and y. No correlation and no order of the bits is
    required::

        ones(z) = ones(x) ones(y),   z = p q

    (Jenson, Riedel: A deterministic approach to stochastic computation; ICCAD 2016. Najafi, Jenson,
    Lilja, Riedel: Performing stochastic computation deterministically; IEEE TVLSI 2019.)

    Parameters
    ----------
    x, y : Bitstream
        Operands, with batch shapes that broadcast.
    method : {"division", "rotation", "coprime"}
        Order in which the repeated streams are combined:

        - "division": y advances by one step for every n steps of x. For any lengths.
        - "rotation": y pauses for one step after every n steps. For equal lengths.
        - "coprime": neither stream pauses. For lengths without a common divisor.

    Returns
    -------
    Bitstream, of the broadcast batch shape and length n m

    Raises
    ------
    TypeError
        If an operand is not a Bitstream.
    ValueError
        If `method` is unknown or does not allow the lengths, or the batch shapes do not broadcast.

    Examples
    --------
    >>> from sc_neurocore import Bitstream
    >>> from sc_neurocore.operators import exact_product
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
    elif method == "rotation":  # row r is delayed by r steps
        twice = np.concatenate([bits, bits], axis=-1)[..., 1:]
        rows = np.lib.stride_tricks.sliding_window_view(twice, n, axis=-1)[..., ::-1, :]
        slipped = rows.reshape(*y.shape, n * n)
    else:
        slipped = np.tile(bits, n)
    return Bitstream.from_bits(np.tile(x.bits(), m)) & Bitstream.from_bits(slipped)


def choose(select: Any, one: Any, zero: Any) -> Any:
    """Return the output of a multiplexer: bits of `one` if the select is 1, else of `zero`."""
    return select & one | ~select & zero


def unpacked(x: Bitstream) -> Sequence[Any]:
    """Return the streams along the last batch axis, as words; as they are if they have no bits."""
    if is_symbolic(x):
        return [x[..., i] for i in range(x.shape[-1])]
    return [x.words[..., i, :] for i in range(x.shape[-1])]


def repacked(words: Any, x: Bitstream) -> Bitstream:
    """Return words as a stream of the length of x; a stream without bits as it is."""
    return words if is_symbolic(words) else Bitstream(words, x.length)


def _weights(weights: ArrayLike | None, k: int) -> NDArray[np.float64]:
    if weights is None:
        return np.full(k, 1 / k)
    w = _checks.array("weights", weights, [1])
    if w.size != k:
        _checks.fail("weights", f"hold one weight for each of the {k} inputs", w.size)
    _checks.within("weights", w, 0.0, 1.0)
    if abs(w.sum() - 1) > 1e-9:
        _checks.fail("weights", "sum to 1", w.sum(), "divide them by their sum and scale the result")
    return w
