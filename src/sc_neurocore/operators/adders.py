"""Adders without random numbers, and the vote of several streams.

`count_digits` adds the bits of a step by full adders, 64 steps at a time, so that a machine reads the
binary digits of a count instead of all streams.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from math import ceil, lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore.operators._batches import n_inputs
from sc_neurocore.operators.gates import repacked, unpacked
from sc_neurocore.operators.machine import Machine
from sc_neurocore.streams import Bitstream
from sc_neurocore.streams._dispatch import on_streams

__all__ = ["buffered_add", "majority", "toggle_add", "uadd"]

# Most inputs whose count has as many digits as a machine has inputs.
_MOST_INPUTS = 255
# Largest denominator of a scale.
_MOST_PARTS = 64
# Default range of a counter whose sums do not fit into the result.
_DEPTH = 64

_TOGGLE_ADDER = Machine(
    np.array([[[0, 1], [1, 0]], [[1, 0], [0, 1]]]), np.array([[[0, 0], [0, 1]], [[0, 1], [1, 1]]])
)


@on_streams
def toggle_add(x: Bitstream) -> Bitstream:
    """Return the mean of the streams along the last batch axis, without random selects.

    The adder of two streams writes their bit where they agree, and 0, 1, 0, 1, ... in turn where they
    differ. More inputs are added by a tree of n - 1 adders. For n inputs with densities p_i::

        mean(p_i) - log2(n) / (2 L) <= z <= mean(p_i)

    Two inputs with a and b ones give exactly ``floor((a + b) / 2)`` ones. Given the inputs, the
    variance is 0. No correlation is required. The result is not white (Lee, Alaghi, Ceze:
    Energy-efficient hybrid stochastic-binary neural networks for near-sensor computing; DATE 2017).

    Parameters
    ----------
    x : Bitstream, of batch shape (..., n)
        Inputs; n is 2, 4, 8, ...

    Returns
    -------
    Bitstream, of batch shape (...)

    Raises
    ------
    TypeError
        If x is not a Bitstream.
    ValueError
        If n is not 2, 4, 8, ...

    Examples
    --------
    >>> from sc_neurocore import Bitstream
    >>> from sc_neurocore.operators import toggle_add
    >>> x = Bitstream.from_bits([[1, 1, 0, 1, 0, 0, 1, 1], [0, 1, 0, 0, 0, 1, 0, 0]])
    >>> toggle_add(x).bits()
    array([0, 1, 0, 1, 0, 0, 1, 0], dtype=uint8)
    """
    k = n_inputs(x)
    if k < 2 or k & (k - 1):
        _checks.fail("x", "have 2, 4, 8, ... inputs along its last batch axis", k)
    while x.shape[-1] > 1:
        x, _ = _TOGGLE_ADDER.run(x[..., ::2], x[..., 1::2])
    return x[..., 0]


@on_streams
def buffered_add(x: Bitstream, y: Bitstream, depth: int) -> Bitstream:
    """Return the saturating sum of two streams, approximately min(1, p + q), with a buffer of ones.

    If both bits are 1, a one is written and another saved, unless `depth` ones are saved already. If
    both bits are 0, a saved one is written. Depth 0 is an OR gate. No correlation is required. For
    pairs that are white in time, with ``P11 = P(x & y)``, ``P00 = P(~x & ~y)`` and ``r = P11 / P00``,
    the mean is::

        z = 1 - P00 (1 - r) / (1 - r**(depth + 1))

    It tends to ``min(1, p + q)`` as the depth grows; at p + q = 1 it is ``1 - P00 / (depth + 1)``. The
    bits are those of the OR of desynchronized streams, see `desynchronize`.

    Parameters
    ----------
    x, y : Bitstream
        Operands of equal length, with batch shapes that broadcast.
    depth : int
        Capacity of the buffer in ones, from 0 to 65535.

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
    depth = _checks.integer("depth", depth, 0, 2**16 - 1)
    saved = np.arange(depth + 1)
    next_state = np.empty((depth + 1, 2, 2), np.uint32)
    next_state[:, [0, 1], [1, 0]] = saved[:, np.newaxis]
    next_state[:, 1, 1] = np.minimum(saved + 1, depth)
    next_state[:, 0, 0] = np.maximum(saved - 1, 0)
    outputs = np.ones((depth + 1, 2, 2), np.uint8)
    outputs[0, 0, 0] = 0
    return Machine(next_state, outputs).run(x, y)[0]


@on_streams
def uadd(
    x: Bitstream,
    scale: float | None = None,
    *,
    bipolar: bool = False,
    depth: int | None = None,
) -> Bitstream:
    """Return the sum of the streams along the last batch axis, divided by a scale, by a counter.

    At each step the counter c, at first 0, adds the number of ones among the n inputs, and subtracts
    the scale S when it writes a one. With ``o = 0`` in unipolar and ``o = (n - S) / 2`` in bipolar
    code::

        c <- min(max(c + ones - o, -depth), depth)
        z = 1 if c >= S else 0
        c <- c - S z

    With S = n this is the scaled adder of uGEMM, and with S = 1 the non-scaled one (uSADD and uNSADD;
    Wu, Li, Yin, Hsiao, Kim, San Miguel: uGEMM: Unary computing architecture for GEMM applications; ISCA
    2020). For S >= n nothing is lost, at any correlation of the inputs, and given them the variance is
    0::

        ones(z) = floor((sum of ones(x_i) - o L) / S)

    For S < n the result is clipped to [0, 1], or [-1, 1] in bipolar code, and the depth bounds what the
    counter remembers: a sum close to the limits needs more of it. For white inputs `Circuit.predict`
    returns the exact mean and variance; those of two inputs with S = 1 are those of `buffered_add`. The
    result is not white.

    Parameters
    ----------
    x : Bitstream, of batch shape (..., n)
        Inputs, at most 255.
    scale : float, optional
        Scale S above 0, a fraction k / m with m up to 64; n by default, so that the result is the mean.
    bipolar : bool
        The streams are in bipolar code.
    depth : int, optional
        Range of the counter, at least S; by default 64, or ``n + S`` if that is more. There are at most
        ``2**16`` states.

    Returns
    -------
    Bitstream, of batch shape (...)

    Raises
    ------
    TypeError
        If x is not a Bitstream, or another argument has the wrong type.
    ValueError
        If x has no inputs or more than 255, or `scale` or `depth` is outside its range.

    Examples
    --------
    >>> from sc_neurocore import Bitstream
    >>> from sc_neurocore.operators import uadd
    >>> x = Bitstream.from_bits([[1, 1, 0, 1, 0, 0], [0, 1, 0, 0, 0, 1], [0, 1, 1, 0, 0, 0]])
    >>> uadd(x).bits()  # seven ones, divided by three
    array([0, 1, 0, 1, 0, 0], dtype=uint8)
    >>> uadd(x, 1).bits()
    array([1, 1, 1, 1, 1, 1], dtype=uint8)
    """
    n = n_counted(x)
    s = _scale(n if scale is None else scale)
    _checks.instance("bipolar", bipolar, bool)
    unit = lcm(s.denominator, 2 if bipolar else 1)
    if depth is None:
        depth = max(_DEPTH, ceil(n + s))
    depth = _checks.integer("depth", depth, ceil(s), 2**15 // unit - 1)
    machine, start = _counter(n, s, bipolar, depth)
    return machine.run(*counted(x), state=start)[0]


def _scale(scale: float) -> Fraction:
    value = _checks.positive("scale", scale)
    fraction = Fraction(value).limit_denominator(_MOST_PARTS)
    if abs(float(fraction) - value) > 1e-12 * value:
        _checks.fail("scale", f"be a fraction k / m with m from 1 to {_MOST_PARTS}", scale)
    return fraction


@lru_cache(maxsize=64)
def _counter(n: int, s: Fraction, bipolar: bool, depth: int) -> tuple[Machine, int]:
    """Return the machine of `uadd`, which reads the digits of the count, and its first state."""
    offset = (n - s) / 2 if bipolar else Fraction(0)
    unit = lcm(s.denominator, offset.denominator)  # counts are in units of 1 / unit
    top = depth * unit
    states = np.arange(-top, top + 1)[:, np.newaxis]
    counts = np.clip(states + unit * np.arange(n + 1) - int(offset * unit), -top, top)
    outputs = counts >= int(s * unit)
    after = counts - int(s * unit) * outputs + top
    return counting_machine(after, outputs, top)


def counting_machine(
    after: NDArray[np.int64], outputs: NDArray[np.bool_], start: int
) -> tuple[Machine, int]:
    """Return a machine that reads the binary digits of a count, from tables [state, count].

    States that are not reached from the first one are left out. The new number of the first state comes
    second.
    """
    found = np.zeros(len(after), bool)
    found[start] = True
    front = np.array([start])
    while front.size:
        reached = np.unique(after[front])
        front = reached[~found[reached]]
        found[front] = True
    kept = np.flatnonzero(found)
    number = np.cumsum(found) - 1
    n = after.shape[1] - 1
    digits = n.bit_length()
    # Symbols above the largest count do not occur.
    symbols = np.minimum(np.tensordot(1 << np.arange(digits), np.indices((2,) * digits), 1), n)
    written = outputs[kept][:, symbols].astype(np.uint8)
    return Machine(number[after[kept]][:, symbols].astype(np.uint32), written), int(number[start])


def n_counted(x: Bitstream) -> int:
    """Return the size of the last batch axis, at least 1 and few enough to be counted."""
    n = n_inputs(x)
    if n > _MOST_INPUTS:
        _checks.fail("x", f"have at most {_MOST_INPUTS} inputs along its last batch axis", n)
    return n


def counted(x: Bitstream) -> list[Bitstream]:
    """Return the binary digits of the number of ones along the last batch axis, lowest first."""
    return [repacked(digit, x) for digit in count_digits(unpacked(x))]


def count_digits(lines: Sequence[Any]) -> list[Any]:
    """Return the binary digits of the number of ones of lines, lowest first, by full adders.

    There are ``len(lines).bit_length()`` digits. Lines are streams, words, or whatever has gates.
    """
    return sum_digits([lines])


def sum_digits(columns: Sequence[Sequence[Any]]) -> list[Any]:
    """Return the binary digits of the sum of lines of weight 1, 2, 4, ..., lowest first.

    No column is empty.
    """
    digits: list[Any] = []
    carries: list[Any] = []
    left = list(columns)
    while left or carries:
        column = [*(left.pop(0) if left else ()), *carries]
        carries = []
        while len(column) > 2:
            a, b, c, *column = column
            odd = a ^ b
            column.append(odd ^ c)
            carries.append(a & b | odd & c)
        if len(column) == 2:
            a, b = column
            column = [a ^ b]
            carries.append(a & b)
        digits.append(column[0])
    return digits


def at_least(digits: Sequence[Any], k: int) -> Any:
    """Return whether the number with given binary digits is at least k, from 1 to all ones."""
    more: Any = None  # whether the digits so far are at least those of k; None if always
    for i, digit in enumerate(digits):
        if k >> i & 1:
            more = digit if more is None else digit & more
        elif more is not None:
            more = digit | more
    return more


@on_streams
def majority(x: Bitstream) -> Bitstream:
    """Return 1 where more than half of the streams along the last batch axis are 1.

    The number of streams n is odd. For independent inputs with equal densities p, the density is as
    below; for others, it is the sum over all sets of more than half of the inputs. If the inputs are
    white and of length L, the result is, too, and its variance is ``z (1 - z) / L``::

        z = sum over k > n / 2 of C(n, k) p**k (1 - p)**(n - k)

    At SCC +1 of all pairs the result is the median of the densities, as in a median filter. Of three
    inputs, of which one is independent of the others and has the density 1/2, it is the mean of the
    others, at any correlation between them.

    Parameters
    ----------
    x : Bitstream, of batch shape (..., n)
        Inputs; n is odd.

    Returns
    -------
    Bitstream, of batch shape (...)

    Raises
    ------
    TypeError
        If x is not a Bitstream.
    ValueError
        If n is not odd.

    Examples
    --------
    >>> from sc_neurocore import Bitstream
    >>> from sc_neurocore.operators import majority
    >>> majority(Bitstream.from_bits([[1, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0]])).bits()
    array([1, 1, 0, 0], dtype=uint8)
    """
    n = n_inputs(x)
    if n % 2 == 0:
        _checks.fail("x", "have an odd number of inputs along its last batch axis", n)
    return repacked(at_least(count_digits(unpacked(x)), (n + 1) // 2), x)
