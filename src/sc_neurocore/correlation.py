"""How far two streams, or a stream and itself later, are from independent, and circuits that change it.

All functions work on batches. What is undefined, because a stream is constant, is NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks, _native
from sc_neurocore._rows import run_on_numbers, stacked_rows
from sc_neurocore.bitstream import Bitstream, _last_mask, encode
from sc_neurocore.machine import Machine


def scc(x: Bitstream, y: Bitstream) -> NDArray[np.float64]:
    """Return the stochastic computing correlation, of the broadcast batch shape.

    With the covariance d = P(x & y) - p q it is d / (min(p, q) - p q) where d > 0 and
    d / (p q - max(0, p + q - 1)) elsewhere: +1 at the largest overlap that p and q allow, -1 at the
    least, 0 for independent streams (Alaghi, Hayes: Exploiting correlation in stochastic circuit
    design; ICCD 2013). The AND of streams at +1 is min(p, q), at 0 it is p q.

    Examples
    --------
    >>> from sc_neurocore import Bitstream, scc
    >>> x = Bitstream.from_bits([1, 1, 0, 0])
    >>> y = Bitstream.from_bits([[1, 1, 1, 0], [0, 1, 1, 0], [0, 0, 1, 1]])
    >>> scc(x, y)
    array([ 1.,  0., -1.])
    """
    both, ones_x, ones_y, length = _counts(x, y)
    covariance = both * length - ones_x * ones_y
    most = np.minimum(ones_x, ones_y) * length - ones_x * ones_y
    least = ones_x * ones_y - np.maximum(ones_x + ones_y - length, 0) * length
    return _ratio(covariance, np.where(covariance > 0, most, least))


def phi(x: Bitstream, y: Bitstream) -> NDArray[np.float64]:
    """Return Pearson's correlation of the bits; it reaches +-1 only where p and q allow it."""
    both, ones_x, ones_y, length = _counts(x, y)
    variances = ones_x * (length - ones_x) * 1.0 * (ones_y * (length - ones_y))
    return _ratio(both * length - ones_x * ones_y, np.sqrt(variances))


def zce(x: Bitstream, y: Bitstream) -> NDArray[np.float64]:
    """Return the zero correlation error: the error of x & y as a product, less what rounding forces.

    With D = P(x & y) - p q and D0 = round(p q L) / L - p q it is sign(D) (abs(D) - abs(D0)), 0 for
    the best product that streams of length L can give (Hsiao, San Miguel, Hara-Azumi, Anderson: Zero
    correlation error; ASP-DAC 2021).
    """
    both, ones_x, ones_y, length = _counts(x, y)
    product = ones_x * ones_y / length
    error = both - product
    forced = np.rint(product) - product
    return np.asarray(np.sign(error) * (np.abs(error) - np.abs(forced)) / length)


def scc_matrix(streams: Bitstream) -> NDArray[np.float64]:
    """Return the SCC of all pairs of a batch of shape (n,), shape (n, n)."""
    _checks.instance("streams", streams, Bitstream)
    if len(streams.shape) != 1:
        _checks.fail("streams", "have batch shape (n,)", streams.shape)
    return scc(streams[:, None], streams[None, :])


def autocorrelation(x: Bitstream, max_lag: int) -> NDArray[np.float64]:
    """Return the autocorrelation at lags 0 .. max_lag, shape (..., max_lag + 1).

    The sum of (b(t) - p) (b(t + k) - p) over the pairs there are, divided by L p (1 - p).
    """
    _checks.instance("x", x, Bitstream)
    lags = _checks.integer("max_lag", max_lag, 0, x.length - 1) + 1
    bits = x.bits().astype(np.float64)
    deviations = bits - bits.mean(axis=-1, keepdims=True)
    n = x.length
    sums = [(deviations[..., : n - k] * deviations[..., k:]).sum(axis=-1) for k in range(lags)]
    p = x.probability()
    return _ratio(np.stack(sums, axis=-1), (n * p * (1 - p))[..., np.newaxis])


def effective_length(x: Bitstream, max_lag: int) -> NDArray[np.float64]:
    """Return the length of a white stream whose density is as uncertain, of the batch shape.

    L / (1 + 2 sum (1 - k / L) rho_k) over lags 1 .. max_lag, from the variance of a mean of correlated
    samples; the autocorrelation is estimated from the stream itself.
    """
    rho = autocorrelation(x, max_lag)[..., 1:]
    weights = 1 - np.arange(1, rho.shape[-1] + 1) / x.length
    return np.asarray(x.length / (1 + 2 * (weights * rho).sum(axis=-1)))


def _counts(
    x: Bitstream, y: Bitstream
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], int]:
    _checks.instance("x", x, Bitstream)
    _checks.instance("y", y, Bitstream)
    return (x & y).counts(), x.counts(), y.counts(), x.length


def _ratio(numerator: NDArray[np.generic], denominator: NDArray[np.generic]) -> NDArray[np.float64]:
    """Divide, with NaN where the denominator is 0."""
    top, bottom = np.broadcast_arrays(
        np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    )
    return np.asarray(np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom != 0))


def synchronise(x: Bitstream, y: Bitstream, depth: int) -> tuple[Bitstream, Bitstream]:
    """Return both streams with their ones moved onto one another, SCC towards +1.

    A one without a partner is withheld, up to `depth` of one stream, until a lone one of the other
    arrives, with which it is written. The ones that are withheld at the end are lost: at most
    `depth`, of one stream alone, so that counts stay within `depth`. For pairs white in time, with
    P10 = P(x & ~y), P01 and r = P10 / P01, the overlap becomes

        P(x' & y') = p - P10 r**depth / sum(r**s, s = -depth .. depth),

    in the mean over a long stream; at p = q that is p - P10 / (2 depth + 1) (Lee, Alaghi, Ceze:
    Correlation manipulating circuits for stochastic computing; DATE 2018).

    Examples
    --------
    >>> from sc_neurocore import Role, encode, scc, stream_key, synchronise
    >>> x, y = encode([0.5, 0.7], 65536, stream_key(1, Role.INPUT))
    >>> [round(float(scc(*synchronise(x, y, depth))), 2) for depth in (1, 2, 8)]
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


def desynchronise(x: Bitstream, y: Bitstream, depth: int) -> tuple[Bitstream, Bitstream]:
    """Return x as it is and y with its ones moved off those of x, SCC towards -1.

    Where both bits are 1, that of y is withheld, if fewer than `depth` are; where both are 0 a withheld
    one is written. Those left at the end are lost: the count of y falls by at most `depth`. For pairs
    white in time, with r = P(x & y) / P(~x & ~y), the overlap becomes

        P(x & y') = P(x & y) r**depth / sum(r**s, s = 0 .. depth)

    in the mean over a long stream, which tends to max(0, p + q - 1). A form of the circuit of Lee,
    Alaghi, Ceze (see `synchronise`) that withholds ones of y alone.

    Examples
    --------
    >>> from sc_neurocore import Role, desynchronise, encode, scc, stream_key
    >>> x, y = encode([0.3, 0.5], 65536, stream_key(1, Role.INPUT))
    >>> [round(float(scc(*desynchronise(x, y, depth))), 2) for depth in (1, 2, 8)]
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


def decorrelate(x: Bitstream, depth: int, key: int) -> Bitstream:
    """Return x with its bits shuffled in time by a buffer of `depth` bits, SCC towards 0.

    At each step the bit at a random address is written and that of x takes its place: a bit waits for
    k = 1, 2, ... steps with probability (1 - 1 / depth)**(k - 1) / depth. If x and y have the
    correlation rho_k between x(t - k) and y(t), that of the result and y is the mean of rho_k over
    these k: 0 for white streams at any depth, small for others where depth exceeds the time over
    which they are correlated. The buffer starts with floor(depth / 2) ones, so that the count changes
    by at most ceil(depth / 2). Shuffle one of two streams, or both with different keys: one key moves
    both alike (Lee, Alaghi, Ceze, see `synchronise`).

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
    _checks.instance("x", x, Bitstream)
    delay = _checks.integer("delay", delay, 0)
    n_words = x.words.shape[-1]
    whole, rest = min(delay // 64, n_words), delay % 64
    words = np.zeros_like(x.words)
    words[..., whole:] = x.words[..., : n_words - whole] << np.uint64(rest)
    if rest:
        words[..., whole + 1 :] |= x.words[..., : max(0, n_words - whole - 1)] >> np.uint64(64 - rest)
    words[..., -1] &= _last_mask(x.length)
    return Bitstream(words, x.length)


def regenerate(x: Bitstream, key: int) -> Bitstream:
    """Return new Bernoulli streams of the densities of x, independent of it and of one another.

    The ones are counted and encoded anew. The density of the result differs from that of x with the
    standard error sqrt(p (1 - p) / length), the price of breaking every correlation.
    """
    _checks.instance("x", x, Bitstream)
    return encode(x.probability(), x.length, key)
