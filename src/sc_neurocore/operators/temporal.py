"""Temporal codes: a value is the step at which a stream turns to 1 and stays there.

Race logic computes with such arrivals: the first of two arrivals is an OR gate, the last an AND gate,
and a constant is added by a delay, `isolate` (Madhavan, Sherwood, Strukov: Race logic: a hardware
acceleration for dynamic programming algorithms; ISCA 2014). Results are exact and have no variance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.operators._batches import n_inputs
from sc_neurocore.operators.gates import maximum, minimum
from sc_neurocore.operators.machine import Machine
from sc_neurocore.streams import Bitstream, Ramp, concatenate, encode
from sc_neurocore.streams._dispatch import on_streams

__all__ = [
    "arrival_times",
    "encode_arrivals",
    "first_arrival",
    "inhibit",
    "last_arrival",
    "rotate",
    "temporal_dot",
]


def encode_arrivals(times: ArrayLike, length: int) -> Bitstream:
    """Return streams that are 0 before a step and 1 from it on.

    Parameters
    ----------
    times : array_like of int
        Steps in [0, length], of any shape; `length` stands for never.
    length : int
        Number of bits of a stream, at least 2.

    Returns
    -------
    Bitstream, of the shape of `times`

    Raises
    ------
    TypeError
        If `times` does not hold integers, or `length` is not an integer.
    ValueError
        If an argument is outside its range.

    Examples
    --------
    >>> from sc_neurocore.operators import arrival_times, encode_arrivals, first_arrival, isolate
    >>> x, y = encode_arrivals([2, 5], 6)
    >>> x.bits()
    array([0, 0, 1, 1, 1, 1], dtype=uint8)
    >>> int(arrival_times(first_arrival(isolate(x, 1), y)))
    3
    """
    length = _checks.integer("length", length, 2, 2**32)
    steps = _checks.counting("times", times)
    _checks.within("times", steps, 0, length)
    return ~encode(steps / length, length, key=0, source=Ramp(length), streams=np.zeros_like(steps))


@on_streams
def arrival_times(x: Bitstream) -> NDArray[np.int64]:
    """Return the steps at which streams turn to 1, or their length if they never do.

    Parameters
    ----------
    x : Bitstream
        Streams that stay 1 once they are 1, of any batch shape.

    Returns
    -------
    ndarray of int64, of the batch shape
        The number of zeros of each stream.

    Raises
    ------
    TypeError
        If x is not a Bitstream.
    """
    _checks.instance("x", x, Bitstream)
    return np.asarray(x.length - x.counts(), np.int64)


@on_streams
def first_arrival(x: Bitstream, y: Bitstream) -> Bitstream:
    """Return the first of two arrivals, ``min(t_x, t_y)``, by an OR gate.

    Parameters
    ----------
    x, y : Bitstream
        Arrivals, of equal length, with batch shapes that broadcast. Densities are ``1 - t / L``.

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
    return maximum(x, y)


@on_streams
def last_arrival(x: Bitstream, y: Bitstream) -> Bitstream:
    """Return the last of two arrivals, ``max(t_x, t_y)``, by an AND gate.

    Parameters
    ----------
    x, y : Bitstream
        Arrivals, of equal length, with batch shapes that broadcast.

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
    return minimum(x, y)


# State 1 from the step on at which y is 1 while x is 0.
_INHIBIT = Machine(
    np.array([[[0, 1], [0, 0]], [[1, 1], [1, 1]]], np.uint32),
    np.array([[[0, 0], [1, 1]], [[0, 0], [0, 0]]], np.uint8),
)


@on_streams
def inhibit(x: Bitstream, y: Bitstream) -> Bitstream:
    """Return the arrival x unless y arrives before it: ``t_x if t_x <= t_y else never``.

    A latch blocks x from the step on at which y is 1 while x is 0 (Tzimpragos, Madhavan, Vasudevan,
    Strukov, Sherwood: Boosted race trees for low energy classification; ASPLOS 2019)::

        s <- s | y & ~x,   z = x & ~s

    Parameters
    ----------
    x, y : Bitstream
        Data and inhibiting arrival, of equal length, with batch shapes that broadcast.

    Returns
    -------
    Bitstream, of the broadcast batch shape

    Raises
    ------
    TypeError
        If an operand is not a Bitstream.
    ValueError
        If the lengths differ, or the batch shapes do not broadcast.

    Examples
    --------
    >>> from sc_neurocore.operators import arrival_times, encode_arrivals, inhibit
    >>> x, y = encode_arrivals([2, 4, 5], 6), encode_arrivals(4, 6)
    >>> arrival_times(inhibit(x, y))
    array([2, 4, 6])
    """
    return _INHIBIT.run(x, y)[0]


@on_streams
def rotate(x: Bitstream, steps: int) -> Bitstream:
    """Return streams rotated in time: ``z(t) = x((t - steps) % L)``.

    The counts do not change. For white streams of length L, a stream and its rotation are independent.

    Parameters
    ----------
    x : Bitstream
        Of any batch shape.
    steps : int
        Any integer; negative values rotate to the left.

    Returns
    -------
    Bitstream, of the batch shape of x

    Raises
    ------
    TypeError
        If x is not a Bitstream, or `steps` is not an integer.

    Examples
    --------
    >>> from sc_neurocore import Bitstream
    >>> from sc_neurocore.operators import rotate
    >>> rotate(Bitstream.from_bits([1, 0, 0, 1, 0]), 1).bits()
    array([0, 1, 0, 0, 1], dtype=uint8)
    """
    _checks.instance("x", x, Bitstream)
    first = -_checks.integer("steps", steps, -np.inf) % x.length
    return concatenate([x.between(first, x.length), x.between(0, first)]) if first else x


@on_streams
def temporal_dot(x: Bitstream, w: ArrayLike) -> NDArray[np.int64]:
    """Return exact dot products of integers in a temporal code with binary integers.

    An accumulator adds the integer w_i at each step at which stream i is 1::

        y_j = sum over i of ones(x_i) w_ji

    (tubGEMM; Vellaisamy, Nair, Finn, Trivedi, Chen, Li, Lin, Wang, Blanton, Shen: tubGEMM:
    energy-efficient and sparsity-effective temporal-unary-binary based matrix multiply unit; ISVLSI
    2023.) No correlation and no order of the bits is required. The work ends with the last one, so that
    small values take few steps.

    Parameters
    ----------
    x : Bitstream, of batch shape (..., n)
        Streams whose ones are the first operand, such as those of `Ramp`.
    w : array_like of int, shape (n,) or (n_out, n)
        Second operand, in ``(-2**31, 2**31)``.

    Returns
    -------
    ndarray of int64, of batch shape (...) or (..., n_out)

    Raises
    ------
    TypeError
        If x is not a Bitstream, or w does not hold integers.
    ValueError
        If the shapes do not match, or a value is outside its range.

    Examples
    --------
    >>> from sc_neurocore import Ramp, encode
    >>> from sc_neurocore.operators import temporal_dot
    >>> x = encode([3 / 8, 5 / 8], 8, key=0, source=Ramp(8))
    >>> int(temporal_dot(x, [-2, 7]))
    29
    """
    n = n_inputs(x)
    weights = _checks.numbers("w", "hold integers", w)
    if weights.dtype.kind not in "iu":
        _checks.wrong_type("w", "hold integers", w)
    if weights.ndim not in (1, 2) or weights.shape[-1] != n:
        _checks.fail("w", f"have shape ({n},) or (n_out, {n})", weights.shape)
    _checks.within("w", weights, 1 - 2**31, 2**31 - 1)
    counts = x.counts().astype(np.int64)
    return np.asarray(counts @ weights.astype(np.int64).T)
