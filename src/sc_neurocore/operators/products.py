"""Products by conditional sampling, squares, and square roots by insertion."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks, _native
from sc_neurocore.operators._batches import check_streams, stacked_rows
from sc_neurocore.operators.decorrelation import isolate
from sc_neurocore.operators.machine import Machine
from sc_neurocore.streams import Bernoulli, Bitstream, Source, encode
from sc_neurocore.streams._dispatch import on_streams
from sc_neurocore.streams.correlation import check_input

__all__ = ["jk_sqrt", "square", "umul"]

# Numbers that are drawn at a time, so that they stay in the second-level cache.
_NUMBERS = 2**17


@on_streams
def umul(
    x: Bitstream,
    y: Bitstream,
    *,
    bipolar: bool = False,
    window: int | None = None,
    key: int | None = None,
    source: Source = Bernoulli(),
) -> Bitstream:
    """Return the product of two streams, by conditional sampling.

    The k-th one of x is replaced by bit k of y. The number of ones is therefore exactly that of the
    first ``ones(x)`` bits of y::

        ones(z) = ones among the first ones(x) bits of y

    No correlation is required, and y can be a low-discrepancy stream from the source of x. For pairs
    white in time the mean is as below, and for white y so is the variance given x::

        mean(z) = p q + (P(x & y) - p q) / L
        var(z) = p q (1 - q) / L

    (Sim, Lee: A new stochastic computing multiplier with application to deep convolutional neural
    networks; DAC 2017. Wu, Li, Yin, Hsiao, Kim, San Miguel: uGEMM: Unary computing architecture for
    GEMM applications; ISCA 2020.)

    In bipolar code, the k-th zero of x is also replaced by bit k of y, inverted. Given x, with n ones,
    only the bits of y after the first ``min(n, L - n)`` matter::

        ones(z) = ones among the first n bits of y + zeros among the first L - n
        mean(z) = p q + (1 - p) (1 - q)
        var(z) = abs(2 n / L - 1) q (1 - q) / L

    With a `window` of d steps, y is an input like x, and not a stream that is drawn when x asks for it
    (in-stream multiplication). A shift register, at first 0, 1, 0, 1, ..., holds the last d bits of y
    before the step, and its number of ones c is compared with number k of a source, where k counts the
    ones of x (in bipolar code, the ones or the zeros). For white x and y that are independent, white
    numbers, and L >> d::

        y'(t) = 1 if r(k) < c / d else 0
        mean(z) = p (q + (1/2 - q) (d + 1) / (2 L))
        var(z) = (p q (1 - p q) + p**2 q (1 - q) (1 - 1 / d)) / L

    x must also be independent of the d bits of y before. With sources such as `Sobol`, the first term
    of the variance is that of a low-discrepancy stream. `Circuit.predict` returns mean and variance for
    any length, and those in bipolar code.

    Parameters
    ----------
    x, y : Bitstream
        Operands of equal length, with densities p and q and batch shapes that broadcast.
    bipolar : bool
        The operands and the result are in bipolar code.
    window : int, optional
        Length d of the shift register, from 1 to ``2**16``.
    key : int, optional
        Key from `stream_key` that no other stream uses, required with `window`.
    source : Source
        Source of the numbers with which the shift register is compared. Each element of the batch has a
        stream of them, numbered in C order.

    Returns
    -------
    Bitstream, of the broadcast batch shape

    Raises
    ------
    TypeError
        If an operand is not a Bitstream, or another argument has the wrong type.
    ValueError
        If the lengths differ, the batch shapes do not broadcast, `window` is outside its range, or
        `key` is missing or not expected.

    Examples
    --------
    >>> from sc_neurocore import Bitstream
    >>> from sc_neurocore.operators import umul
    >>> x = Bitstream.from_bits([0, 1, 1, 0, 1, 0, 0, 1])
    >>> y = Bitstream.from_bits([1, 0, 1, 0, 1, 0, 1, 0])
    >>> umul(x, y).bits()
    array([0, 1, 0, 0, 1, 0, 0, 0], dtype=uint8)
    >>> umul(x, y, bipolar=True).bits()
    array([0, 1, 0, 1, 1, 0, 1, 0], dtype=uint8)

    The product of two streams with a shift register of 64 bits:

    >>> from sc_neurocore import Role, Sobol, encode, stream_key
    >>> x, y = encode([0.5, 0.6], 65536, key=stream_key(1, Role.INPUT))
    >>> umul(x, y, window=64, key=stream_key(1, Role.NOISE), source=Sobol())
    Bitstream(length=65536, p=0.298)
    """
    _checks.instance("bipolar", bipolar, bool)
    _checks.instance("source", source, Source)
    shape, rows = stacked_rows(x=x, y=y)
    if window is not None:
        d = _checks.integer("window", window, 1, 2**16)
        if key is None:
            _checks.fail("key", "be given with window", key)
        key = _checks.power_range("key", key, 64)
        words = _in_stream(rows, x.length, bipolar, d, key, source)
    else:
        if key is not None:
            _checks.fail("key", "be omitted without window", key)
        words = _native.deposit(rows[0], rows[1], x.length)
        if bipolar:
            zeros, inverted = (~Bitstream(row, x.length) for row in rows)
            words |= _native.deposit(zeros.words, inverted.words, x.length)
    return Bitstream(words.reshape(*shape, words.shape[-1]), x.length)


def _in_stream(
    rows: NDArray[np.uint64], length: int, bipolar: bool, d: int, key: int, source: Source
) -> NDArray[np.uint64]:
    written = np.empty(rows.shape[1:], np.uint64)
    thresholds = source.thresholds(np.arange(d + 1) / d)
    step = max(1, _NUMBERS // length)
    for first in range(0, len(written), step):
        part = slice(first, min(first + step, len(written)))
        numbers = source.numbers(np.arange(part.start, part.stop), length, key=key)
        x, y = rows[:, part]
        written[part] = _native.in_stream(x, y, numbers, thresholds, length, bipolar)
    return written


@on_streams
def square(x: Bitstream, *, bipolar: bool = False) -> Bitstream:
    """Return the square of a stream: x AND x delayed by one step, or XNOR in bipolar code.

    The delay replaces a second, independent stream. Requires white input. For white streams of length
    L, in unipolar code, the mean and, for large L, the variance are::

        mean(z) = p**2 (1 - 1 / L)
        var(z) = p**2 (1 - p) (1 + 3 p) / L

    In bipolar code, with ``x = 2 p - 1`` and for large L::

        mean(z) = (1 + x**2) / 2 - x (1 + x) / (2 L)
        var(z) = (1 - x**2) (1 + 3 x**2) / (4 L)

    Parameters
    ----------
    x : Bitstream
        Input, of any batch shape.
    bipolar : bool
        Input and result are in bipolar code.

    Returns
    -------
    Bitstream, of the batch shape of x

    Raises
    ------
    TypeError
        If x is not a Bitstream, or `bipolar` is not a bool.

    Examples
    --------
    >>> from sc_neurocore import Role, encode, stream_key
    >>> from sc_neurocore.operators import square
    >>> square(encode(0.7, 65536, key=stream_key(1, Role.INPUT)))
    Bitstream(length=65536, p=0.489)
    """
    check_streams(x=x)
    _checks.instance("bipolar", bipolar, bool)
    check_input("square", x)
    late = isolate(x, 1)
    return ~(x ^ late) if bipolar else x & late


@on_streams
def jk_sqrt(
    x: Bitstream, depth: int = 8, *, key: int | None = None, source: Source = Bernoulli()
) -> Bitstream:
    """Return the square root of a stream, by inserting ones.

    A flip-flop s toggles if a previous result was 1, and is reset if it was 0, so that it is 1 with the
    probability ``z / (1 + z)``. Ones are inserted where it is 1, and ``z = s + (1 - s) p`` gives
    ``z**2 = p``::

        z(t) = x(t) | s(t)
        s(t + 1) = ~s(t) if h = 1, else 0

    (Wu, San Miguel: In-stream stochastic division and square root via correlation; DAC 2019, with the
    JK flip-flop of UnarySim.) The equation holds only if the bit h is independent of s. At depth 0 it
    is z(t) itself; no random number is needed, and for white input the stationary value is far from the
    root::

        z = 2 p / (1 + p)

    With a depth d, z(t) first takes the place of the bit at a random address in a buffer of d bits, and
    h is the bit that was there, as in `decorrelate`. Requires white input. The stationary value is then
    above the root, and d is the price of a small error::

        error at p =  0.05   0.1    0.25   0.5    0.9
        d = 0        -0.128 -0.134 -0.100 -0.040 -0.001
        d = 2         0.158  0.111  0.050  0.015  0.000
        d = 4         0.064  0.042  0.019  0.006  0.000
        d = 8         0.024  0.017  0.009  0.003  0.000

    For the variance see `Circuit.predict`.

    Parameters
    ----------
    x : Bitstream
        Input, of any batch shape.
    depth : int
        Size d of the buffer in bits: 0, 2, 4 or 8. It starts with zeros and ones in turn.
    key : int, optional
        Key from `stream_key` that no other stream uses, required unless `depth` is 0. Each element of
        the batch has ``log2(depth)`` streams of address bits, numbered in C order.
    source : Source
        Source of the address bits; its streams must be independent of each other.

    Returns
    -------
    Bitstream, of the batch shape of x

    Raises
    ------
    TypeError
        If x is not a Bitstream, or another argument has the wrong type.
    ValueError
        If `depth` or `key` is outside its range, or `key` is missing or not expected.

    Examples
    --------
    >>> from sc_neurocore import Role, encode, stream_key
    >>> from sc_neurocore.operators import jk_sqrt
    >>> x = encode(0.49, 65536, key=stream_key(1, Role.INPUT))
    >>> jk_sqrt(x, key=stream_key(1, Role.SELECT))
    Bitstream(length=65536, p=0.704)
    """
    check_streams(x=x)
    d = _checks.integer("depth", depth, 0, 8)
    if d not in (0, 2, 4, 8):
        _checks.fail("depth", "be 0, 2, 4 or 8", d)
    if d and key is None:
        _checks.fail("key", "be given for a buffer", key)
    if not d and key is not None:
        _checks.fail("key", "be omitted at depth 0", key)
    _checks.instance("source", source, Source)
    check_input("jk_sqrt", x)
    bits: list[Bitstream] = []
    if key is not None:
        half = np.full((*x.shape, d.bit_length() - 1), 0.5)
        address = encode(half, x.length, key=key, source=source)
        bits = [address[..., i] for i in range(d.bit_length() - 1)]
    start = sum(1 << i for i in range(1, d, 2))  # s = 0, and a buffer of 0, 1, 0, 1, ...
    return _inserter(d).run(x, *bits, state=start)[0]


@cache
def _inserter(d: int) -> Machine:
    """Return the machine of `jk_sqrt`: its state is the buffer, with s above it."""
    n_address = max(d.bit_length() - 1, 0)
    state, x, *bits = np.indices((2 << d, *(2,) * (1 + n_address)))
    s, buffer = state >> d, state & (1 << d) - 1
    z = x | s
    address = sum((bit << i for i, bit in enumerate(bits)), np.zeros_like(state))
    read = buffer >> address & 1 if d else z
    if d:
        buffer = buffer & ~(1 << address) | z << address
    after = buffer | (read & ~s) << d
    return Machine(after.astype(np.uint32), z.astype(np.uint8))
