"""Circuits that move correlation: they bring streams together or apart and keep their values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks, _native
from sc_neurocore.operators._batches import check_streams, run_on_numbers, stacked_rows
from sc_neurocore.operators.machine import Machine
from sc_neurocore.streams._bits import delayed
from sc_neurocore.streams.bitstream import Bitstream, encode
from sc_neurocore.streams.source import Bernoulli, Source

__all__ = [
    "decorrelate",
    "desynchronize",
    "isolate",
    "regenerate",
    "synchronize",
]


def synchronize(x: Bitstream, y: Bitstream, depth: int) -> tuple[Bitstream, Bitstream]:
    """Return both streams with their ones moved onto one another, SCC towards +1.

    A one without a partner is withheld, up to `depth` of one stream, until a lone one of the other
    arrives, with which it is written. The ones that are withheld at the end are lost: at most
    `depth`, of one stream alone, so that counts stay within `depth`. For pairs white in time, with
    P10 = P(x & ~y), P01 and r = P10 / P01, the overlap becomes

        P(x' & y') = p - P10 r**depth / sum(r**s, s = -depth .. depth),

    in the mean over a long stream; at p = q that is p - P10 / (2 depth + 1). What is lost at the end
    bounds the depth from above: for independent Bernoulli streams one near sqrt(L) / 8 is best
    (Lee, Alaghi, Ceze: Correlation manipulating circuits for stochastic computing; DATE 2018).

    Examples
    --------
    >>> from sc_neurocore import Role, encode, scc, stream_key, synchronize
    >>> x, y = encode([0.5, 0.7], 65536, key=stream_key(1, Role.INPUT))
    >>> [round(float(scc(*synchronize(x, y, depth))), 2) for depth in (1, 2, 8)]
    [0.88, 0.98, 1.0]
    """
    depth = _checks.integer("depth", depth, 1, 2**15 - 1)
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


def desynchronize(x: Bitstream, y: Bitstream, depth: int) -> tuple[Bitstream, Bitstream]:
    """Return x as it is and y with its ones moved off those of x, SCC towards -1.

    Where both bits are 1, that of y is withheld, if fewer than `depth` are; where both are 0 a withheld
    one is written. Those left at the end are lost: the count of y falls by at most `depth`. For pairs
    white in time, with r = P(x & y) / P(~x & ~y), the overlap becomes

        P(x & y') = P(x & y) r**depth / sum(r**s, s = 0 .. depth)

    in the mean over a long stream, which tends to max(0, p + q - 1). A form of the circuit of Lee,
    Alaghi, Ceze (see `synchronize`) that withholds ones of y alone.

    Examples
    --------
    >>> from sc_neurocore import Role, desynchronize, encode, scc, stream_key
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


def decorrelate(x: Bitstream, depth: int, *, key: int) -> Bitstream:
    """Return x with its bits shuffled in time by a buffer of `depth` bits, SCC towards 0.

    At each step the bit at a random address is written and that of x takes its place: a bit waits for
    k = 1, 2, ... steps with probability (1 - 1 / depth)**(k - 1) / depth. If x and y have the
    correlation rho_k between x(t - k) and y(t), that of the result and y is the mean of rho_k over
    these k: 0 for white streams at any depth, small for others where depth exceeds the time over
    which they are correlated. The buffer starts with floor(depth / 2) ones, so that the count changes
    by at most ceil(depth / 2). Shuffle one of two streams, or both with different keys: one key moves
    both alike (Lee, Alaghi, Ceze, see `synchronize`).

    Parameters
    ----------
    x : Bitstream
    depth : int
        From 1 to 2**16. An address has the probability 1 / depth to within 2**-32.
    key : int
        A key of `stream_key`, of no other stream.
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


def isolate(x: Bitstream, delay: int) -> Bitstream:
    """Return x delayed by flip-flops that start at 0: bit t is x(t - delay), the first ones are 0.

    The last `delay` bits are lost. A white stream becomes independent of one that was correlated with
    it within the step; a stream with a memory does so only where delay exceeds it (Ting, Hayes:
    Isolation-based decorrelation of stochastic circuits; ICCD 2016).
    """
    check_streams(x=x)
    delay = _checks.integer("delay", delay, 0)
    return Bitstream(delayed(x.words, delay, x.length), x.length)


def regenerate(x: Bitstream, *, key: int, source: Source = Bernoulli()) -> Bitstream:
    """Return new streams of the densities of x, independent of it.

    The ones are counted and encoded anew by the source, with a key that must be of no other stream. The
    price of breaking every correlation is the error of encoding, sqrt(p (1 - p) / length) for
    Bernoulli streams; it is none over the period of a source that is exact there, such as
    `Permutation`.
    """
    check_streams(x=x)
    return encode(x.probability(), x.length, key=key, source=source)
