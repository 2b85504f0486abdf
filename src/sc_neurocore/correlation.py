"""How far two streams, or a stream and itself later, are from independent, and who needs what.

All functions work on batches. What is undefined, because a stream is constant, is NaN. At the end stand
the circuits that bring streams together or apart.
"""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks, _native, _runtime
from sc_neurocore._rows import run_on_numbers, stacked_rows
from sc_neurocore.bitstream import Bitstream, _last_mask, encode
from sc_neurocore.machine import Machine
from sc_neurocore.random import Bernoulli, Source


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


class CorrelationWarning(UserWarning):
    """Operands lack the correlation that an operator needs; its result is biased."""


class Need(NamedTuple):
    """The SCC that an operator needs of its operands, and the gate that they meet in."""

    scc: int
    gate: str


# The one place that says which operator needs which correlation. For `scaled_add` it is that of the
# select with each input, for `bernstein` that of the copies and of each with the coefficients; other
# pairs of theirs, and the inputs of `add`, may have any.
NEEDS = {
    "multiply": Need(0, "AND"),
    "scaled_add": Need(0, "AND"),
    "bernstein": Need(0, "AND"),
    "Bipolar *": Need(0, "XNOR"),
    "TwoLine *": Need(0, "AND"),
    "minimum": Need(+1, "AND"),
    "maximum": Need(+1, "OR"),
    "absolute_difference": Need(+1, "XOR"),
    "saturating_subtract": Need(+1, "AND NOT"),
    "saturating_add": Need(-1, "OR"),
    "cordiv": Need(+1, "AND"),
}
REMEDIES = {
    0: "encode the operands with other keys or stream numbers, or decorrelate them",
    +1: "encode both with one key and the same stream numbers, or synchronise them",
    -1: "encode p, and 1 - q to be inverted, with one key and the same stream numbers, or "
    "desynchronise them",
}
# A gate's density is the sum of these multiples of 1, p, q and P(x & y).
GATES = {
    "AND": (0, 0, 0, 1),
    "OR": (0, 1, 1, -1),
    "XOR": (0, 1, 1, -2),
    "XNOR": (1, -1, -1, 2),
    "AND NOT": (0, 1, 0, -1),
}
TOLERANCE = 0.05
_lock = threading.Lock()


@contextmanager
def checking() -> Iterator[None]:
    """Make every operator check the correlation of its operands while the block runs, in all threads.

    What `check_correlation` finds is a `CorrelationWarning`. The checks cost more than most operators;
    the environment variable SC_NEUROCORE_CHECK=1 turns them on for good.

    Examples
    --------
    >>> import warnings
    >>> from sc_neurocore import Role, checking, encode, multiply, stream_key
    >>> x = encode([0.5, 0.6], 1024, stream_key(1, Role.INPUT), streams=0)
    >>> with checking(), warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     _ = multiply(x[0], x[1])
    >>> print(str(caught[0].message).split(";")[0])
    multiply needs SCC 0, got 1 (p=0.463, q=0.576): the AND is 0.463 instead of 0.267
    """
    with _lock:
        _runtime.checkers += 1
    try:
        yield
    finally:
        with _lock:
            _runtime.checkers -= 1


def check_correlation(x: Bitstream, y: Bitstream, wanted: int, *, tolerance: float = TOLERANCE) -> None:
    """Warn if two streams lack the SCC that is wanted: 0, +1 or -1.

    For 0, P(x & y) may deviate from p q by 5 standard errors of independent streams with their
    counts, sqrt(p q (1 - p) (1 - q) / (L - 1)) each (hypergeometric), and two time steps, without which
    sparse streams would give false alarms; with both, fewer than 1 in 100,000 independent pairs do.
    For +1 and -1 the SCC may miss by the tolerance, which moves the AND by a quarter of it at most.
    Constant streams always pass. The warning gives the worst pair and what a gate makes of it.

    It is a `CorrelationWarning` and no error, since the result is still a stream and the verdict a
    statistical one; ``warnings.simplefilter("error", CorrelationWarning)`` makes it one.
    """
    wanted = _checks.integer("wanted", wanted, -1, 1)
    _check("wanted", Need(wanted, "AND"), x, y, tolerance=_checks.non_negative("tolerance", tolerance))


def check_operands(operator: str, x: Bitstream, y: Bitstream, which: str = "") -> None:
    """Warn as `check_correlation` does of the operands of an operator, if checks are on."""
    if _runtime.checkers:
        _check(f"{operator} needs", NEEDS[operator], x, y, which=which)


def _check(
    who: str,
    need: Need,
    x: Bitstream,
    y: Bitstream,
    *,
    tolerance: float = TOLERANCE,
    which: str = "",
) -> None:
    both, ones_x, ones_y, length = _counts(x, y)
    p, q, overlap = np.broadcast_arrays(ones_x / length, ones_y / length, both / length)
    ideal = (p * q, np.minimum(p, q), np.maximum(p + q - 1, 0))[need.scc]
    measured = scc(x, y)
    if need.scc == 0:
        error = np.sqrt(p * q * (1 - p) * (1 - q) / max(length - 1, 1))
        missed = np.abs(overlap - ideal) > 5 * error + 2 / length
    else:
        missed = np.abs(measured - need.scc) > tolerance
    if not missed.any():
        return
    distance = np.where(missed, np.abs(measured - need.scc), -1.0)
    i = tuple(int(k) for k in np.unravel_index(distance.argmax(), distance.shape))
    at = f" at index {i[0] if len(i) == 1 else i}" if i else ""
    of = f" of {which}" if which else ""
    got, instead = (np.dot(GATES[need.gate], (1, p[i], q[i], a[i])) for a in (overlap, ideal))
    message = (
        f"{who} SCC {need.scc}{of}, got {measured[i]:.3g}{at} (p={p[i]:.3g}, q={q[i]:.3g}): the "
        f"{need.gate} is {got:.3g} instead of {instead:.3g}; {REMEDIES[need.scc]}"
    )
    warnings.warn(message, CorrelationWarning, stacklevel=_levels_to_caller())


def _levels_to_caller() -> int:
    """Return the stacklevel, seen from the calling function, of the first frame outside the package."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").split(".")[0] == __package__:
        level, frame = level + 1, frame.f_back
    return level


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


def regenerate(x: Bitstream, key: int, *, source: Source = Bernoulli()) -> Bitstream:
    """Return new streams of the densities of x, independent of it and of one another.

    The ones are counted and encoded anew by the source. The price of breaking every correlation is the
    error of encoding, sqrt(p (1 - p) / length) for Bernoulli streams; it is none over the period of a
    source that is exact there, such as `Permutation`.
    """
    _checks.instance("x", x, Bitstream)
    return encode(x.probability(), x.length, key, source=source)
