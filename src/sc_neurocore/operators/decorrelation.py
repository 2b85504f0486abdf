"""Circuits that raise, lower or remove the correlation of streams, and keep their densities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks, _native
from sc_neurocore.operators._batches import check_streams, run_on_numbers, stacked_rows
from sc_neurocore.operators.machine import Machine
from sc_neurocore.streams import (
    Bernoulli,
    Bitstream,
    Source,
    encode,
)
from sc_neurocore.streams._bits import delayed
from sc_neurocore.streams._dispatch import on_streams

__all__ = [
    "decorrelate",
    "desynchronize",
    "isolate",
    "regenerate",
    "synchronize",
]


@on_streams
def synchronize(
    x: Bitstream, y: Bitstream, depth: int, *, skewed: bool = False
) -> tuple[Bitstream, Bitstream]:
    """Return both streams with their ones aligned in time, which moves SCC towards +1.

    A one without a partner is withheld until a lone one of the other stream arrives; both are then
    written together. If `depth` ones of its stream are withheld already, it is written alone. Those
    still withheld at the end are lost, so a count falls by at most `depth`. For pairs white in time,
    with ``P10 = P(x & ~y)``, ``P01 = P(~x & y)`` and ``r = P10 / P01``, the mean overlap over a long
    stream is::

        P(x' & y') = p - P10 r**depth / sum(r**s, s = -depth .. depth)

    At p = q it is ``p - P10 / (2 depth + 1)``. No correlation is required. Deeper is not always better,
    because of the ones lost at the end: for independent Bernoulli streams a depth of about
    ``sqrt(L) / 8`` is best (Lee, Alaghi, Ceze: Correlation manipulating circuits for stochastic
    computing; DATE 2018).

    If `skewed`, only ones of x are withheld, and y is unchanged: a lone one of x waits for a lone one
    of y. The mean overlap is then as below, and tends to ``min(p, q)``, so that x aligned with y can be
    divided by it (Wu, San Miguel: In-stream stochastic division and square root via correlation; DAC
    2019)::

        P(x' & y) = p - P10 r**depth / sum(r**s, s = 0 .. depth)

    Parameters
    ----------
    x, y : Bitstream
        Operands of equal length, with batch shapes that broadcast.
    depth : int
        Number of ones that can be withheld, from 1 to 32767.
    skewed : bool
        Withhold only ones of x.

    Returns
    -------
    x, y : Bitstream
        Of the broadcast batch shape. Given the inputs, the variance is 0.

    Raises
    ------
    TypeError
        If an operand is not a Bitstream, or `depth` is not an integer.
    ValueError
        If lengths or shapes do not match, or `depth` is outside its range.

    Examples
    --------
    >>> from sc_neurocore import Role, encode, scc, stream_key
    >>> from sc_neurocore.operators import synchronize
    >>> x, y = encode([0.5, 0.7], 65536, key=stream_key(1, Role.INPUT))
    >>> [round(float(scc(*synchronize(x, y, depth))), 2) for depth in (1, 2, 8)]
    [0.88, 0.98, 1.0]
    """
    depth = _checks.integer("depth", depth, 1, 2**15 - 1)
    _checks.instance("skewed", skewed, bool)
    if skewed:
        return _skewed(x, y, depth)
    top = 2 * depth
    state = np.arange(top + 1)  # depth + ones of x withheld - ones of y withheld
    next_state = np.empty((top + 1, 2, 2), np.uint32)
    next_state[:, [0, 1], [0, 1]] = state[:, np.newaxis]
    next_state[:, 1, 0] = np.minimum(state + 1, top)
    next_state[:, 0, 1] = np.maximum(state - 1, 0)
    outputs = np.zeros((2, top + 1, 2, 2), np.uint8)
    outputs[:, :, 1, 1] = 1
    outputs[:, :depth, 1, 0] = 1
    outputs[:, depth + 1 :, 0, 1] = 1
    outputs[0, top, 1, 0] = 1
    outputs[1, 0, 0, 1] = 1
    z, _ = Machine(next_state, outputs).run(x, y, state=depth)
    return z[0], z[1]


def _skewed(x: Bitstream, y: Bitstream, depth: int) -> tuple[Bitstream, Bitstream]:
    """Return x with its ones moved to those of y, and y."""
    held, a, b = np.indices((depth + 1, 2, 2))
    next_state = np.clip(held + a - b, 0, depth)
    outputs = np.where(a > b, held == depth, np.where(a < b, held > 0, a))
    z, _ = Machine(next_state, np.stack([outputs, b])).run(x, y)
    return z[0], z[1]


@on_streams
def desynchronize(x: Bitstream, y: Bitstream, depth: int) -> tuple[Bitstream, Bitstream]:
    """Return x unchanged and y with its ones moved away from those of x, which moves SCC towards -1.

    If both bits are 1, the one of y is withheld, unless `depth` ones are withheld already. If both bits
    are 0, a withheld one is written. Those still withheld at the end are lost, so the count of y falls
    by at most `depth`. For pairs white in time, with ``r = P(x & y) / P(~x & ~y)``, the mean overlap
    over a long stream is::

        P(x & y') = P(x & y) r**depth / sum(r**s, s = 0 .. depth)

    It tends to ``max(0, p + q - 1)`` as the depth grows. No correlation is required. The circuit is a
    variant of the one cited in `synchronize` that withholds only ones of y.

    Parameters
    ----------
    x, y : Bitstream
        Operands of equal length, with batch shapes that broadcast.
    depth : int
        Number of ones that can be withheld, from 1 to 65535.

    Returns
    -------
    x, y : Bitstream
        Of the broadcast batch shape. Given the inputs, the variance is 0.

    Raises
    ------
    TypeError
        If an operand is not a Bitstream, or `depth` is not an integer.
    ValueError
        If lengths or shapes do not match, or `depth` is outside its range.

    Examples
    --------
    >>> from sc_neurocore import Role, encode, scc, stream_key
    >>> from sc_neurocore.operators import desynchronize
    >>> x, y = encode([0.3, 0.5], 65536, key=stream_key(1, Role.INPUT))
    >>> [round(float(scc(*desynchronize(x, y, depth))), 2) for depth in (1, 2, 8)]
    [-0.71, -0.89, -1.0]
    """
    depth = _checks.integer("depth", depth, 1, 2**16 - 1)
    state = np.arange(depth + 1)  # ones of y withheld
    next_state = np.empty((depth + 1, 2, 2), np.uint32)
    next_state[:, [0, 1], [1, 0]] = state[:, np.newaxis]
    next_state[:, 1, 1] = np.minimum(state + 1, depth)
    next_state[:, 0, 0] = np.maximum(state - 1, 0)
    outputs = np.zeros((2, depth + 1, 2, 2), np.uint8)
    outputs[0, :, 1, :] = 1
    outputs[1, :, 0, 1] = 1
    outputs[1, depth, 1, 1] = 1
    outputs[1, 1:, 0, 0] = 1
    z, _ = Machine(next_state, outputs).run(x, y)
    return z[0], z[1]


@on_streams
def decorrelate(x: Bitstream, depth: int, *, key: int) -> Bitstream:
    """Return the stream with its bits shuffled in time, which moves SCC with another stream towards 0.

    At each step the bit at a random address of a buffer is written, and the bit of x takes its place. A
    bit therefore waits for k = 1, 2, ... steps with the probability::

        P(k) = (1 - 1 / depth)**(k - 1) / depth

    If rho_k is the correlation between x(t - k) and another stream y(t), the result has the correlation
    ``sum(P(k) rho_k)`` with y. This is 0 for white streams at any depth, and small for other streams if
    the depth exceeds their correlation time. The buffer starts with ``floor(depth / 2)`` ones, so that
    a count changes by at most ``ceil(depth / 2)``. Shuffle one of two streams, or both with different
    keys: a shared key moves both in the same way. The circuit is described in the source cited in
    `synchronize`.

    Parameters
    ----------
    x : Bitstream
        Input, of any batch shape.
    depth : int
        Size of the buffer in bits, from 1 to ``2**16``. Each address has the probability 1 / depth to
        within ``2**-32``.
    key : int
        Key from `stream_key` that no other stream uses.

    Returns
    -------
    Bitstream, of the batch shape of x

    Raises
    ------
    TypeError
        If x is not a Bitstream, or another argument is not an integer.
    ValueError
        If `depth` or `key` is outside its range.
    """
    depth = _checks.integer("depth", depth, 1, 2**16)
    shape, rows = stacked_rows(x=x)
    half = Bitstream.from_bits(np.arange(depth) % 2).words
    buffers = np.tile(half, (rows.shape[1], 1))

    def kernel(
        words: NDArray[np.uint64], numbers: NDArray[np.uint32], steps: int, part: slice
    ) -> NDArray[np.uint64]:
        return _native.shuffle(words[0], numbers[0], depth, steps, buffers[part])

    written = run_on_numbers(kernel, rows, 1, key, x.length)
    return Bitstream(written.reshape(*shape, written.shape[-1]), x.length)


@on_streams
def isolate(x: Bitstream, delay: int) -> Bitstream:
    """Return the stream delayed by flip-flops that start at 0.

    The last `delay` bits of x are lost::

        z(t) = x(t - delay),   z(t) = 0 for t < delay

    A white stream becomes independent of a stream with which it was correlated within the step. A
    stream with memory becomes independent only if the delay exceeds the memory (Ting, Hayes:
    Isolation-based decorrelation of stochastic circuits; ICCD 2016).

    Parameters
    ----------
    x : Bitstream
        Input, of any batch shape.
    delay : int
        Number of steps, at least 0.

    Returns
    -------
    Bitstream, of the batch shape and length of x

    Raises
    ------
    TypeError
        If x is not a Bitstream, or `delay` is not an integer.
    ValueError
        If `delay` is negative.
    """
    check_streams(x=x)
    delay = _checks.integer("delay", delay, 0)
    return Bitstream(delayed(x.words, delay, x.length), x.length)


@on_streams
def regenerate(x: Bitstream, *, key: int, source: Source = Bernoulli()) -> Bitstream:
    """Return new streams with the densities of x, independent of x.

    The ones are counted and encoded again by the source. This removes every correlation, and adds the
    error of encoding. Given the density p of x, the variance for Bernoulli streams is::

        var(z) = p (1 - p) / length

    It is 0 over a period of a source that is exact there, such as `Permutation`.

    Parameters
    ----------
    x : Bitstream
        Input, of any batch shape.
    key : int
        Key from `stream_key` that no other stream uses.
    source : Source
        Source of the new streams.

    Returns
    -------
    Bitstream, of the batch shape and length of x

    Raises
    ------
    TypeError
        If x is not a Bitstream, or another argument has the wrong type.
    ValueError
        If `key` is outside its range.
    """
    check_streams(x=x)
    return encode(x.probability(), x.length, key=key, source=source)
