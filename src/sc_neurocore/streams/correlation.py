"""How far two streams, or a stream and itself later, are from independent, and who needs what.

All functions work on batches. What is undefined, because a stream is constant, is NaN.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks, _native, _runtime
from sc_neurocore.streams.bitstream import Bitstream

__all__ = [
    "CorrelationWarning",
    "autocorrelation",
    "check_correlation",
    "check_white",
    "checking",
    "effective_length",
    "phi",
    "scc",
    "scc_matrix",
    "zce",
]

# The longest streams whose products of two counts fit into int64.
_LONGEST_INT64 = 2**31
# Pairs of streams that `scc_matrix` compares at a time: 8 MB for each array of a block.
_MATRIX_BLOCK = 2**20


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
    return _scc(*_counts(x, y))


def _scc(
    both: NDArray[np.int64], ones_x: NDArray[np.int64], ones_y: NDArray[np.int64], length: int
) -> NDArray[np.float64]:
    """Return the SCC of streams with these counts of ones, of their broadcast shape."""
    shape = np.broadcast_shapes(both.shape, ones_x.shape, ones_y.shape)
    c, a, b = (_exact(ones, length) for ones in (both, ones_x, ones_y))
    covariance = c * length - a * b
    most = np.minimum(a, b) * length - a * b
    least = a * b - np.maximum(a + b - length, 0) * length
    return _ratio(covariance, np.where(covariance > 0, most, least)).reshape(shape)


def _exact(ones: NDArray[np.int64], length: int) -> NDArray[Any]:
    """Return counts of at least one axis whose products do not overflow."""
    # Python integers are slow, but streams so long are few: each has 256 MB.
    return np.atleast_1d(ones).astype(np.int64 if length <= _LONGEST_INT64 else object)


def phi(x: Bitstream, y: Bitstream) -> NDArray[np.float64]:
    """Return Pearson's correlation of the bits; it reaches +-1 only where p and q allow it."""
    both, ones_x, ones_y, length = _counts(x, y)
    shape = np.broadcast_shapes(both.shape, ones_x.shape, ones_y.shape)
    c, a, b = (_exact(ones, length) for ones in (both, ones_x, ones_y))
    of_x, of_y = ((ones * (length - ones)).astype(np.float64) for ones in (a, b))
    return _ratio(c * length - a * b, np.sqrt(of_x * of_y)).reshape(shape)


def zce(x: Bitstream, y: Bitstream) -> NDArray[np.float64]:
    """Return the zero correlation error: the error of x & y as a product, less what rounding forces.

    With D = P(x & y) - p q and D0 = round(p q L) / L - p q it is sign(D) (abs(D) - abs(D0)), 0 for
    the best product that streams of length L can give (Hsiao, San Miguel, Hara-Azumi, Anderson: Zero
    correlation error; ASP-DAC 2021).
    """
    both, ones_x, ones_y, length = _counts(x, y)
    product = ones_x * (ones_y / length)  # ones_x * ones_y may exceed 64 bits
    error = both - product
    forced = np.rint(product) - product
    return np.asarray(np.sign(error) * (np.abs(error) - np.abs(forced)) / length)


def scc_matrix(streams: Bitstream) -> NDArray[np.float64]:
    """Return the SCC of all pairs of a batch of shape (n,), shape (n, n)."""
    _checks.instance("streams", streams, Bitstream)
    if len(streams.shape) != 1:
        _checks.fail("streams", "have batch shape (n,)", streams.shape)
    ones, words = streams.counts(), np.ascontiguousarray(streams.words)
    n = len(ones)
    matrix = np.empty((n, n))
    rows = max(_MATRIX_BLOCK // max(n, 1), 1)
    for first in range(0, n, rows):
        some = slice(first, first + rows)
        both = _native.dot(words[some], words)
        matrix[some] = _scc(both, ones[some, np.newaxis], ones, streams.length)
    return matrix


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
    samples; the autocorrelation is estimated from the stream itself. It is meant for streams that hold
    their bits; for those that alternate, as low-discrepancy streams do, the sum is near or below 0,
    depends on max_lag, and says nothing but that the length is large: inf where it is not positive.
    """
    rho = autocorrelation(x, max_lag)[..., 1:]
    weights = 1 - np.arange(1, rho.shape[-1] + 1) / x.length
    relative_variance = 1 + 2 * (weights * rho).sum(axis=-1)
    lengths = np.where(np.isnan(relative_variance), np.nan, np.inf)
    positive = relative_variance > 0
    return np.asarray(np.divide(x.length, relative_variance, out=lengths, where=positive))


class CorrelationWarning(UserWarning):
    """Operands lack the correlation that an operator needs; its result is biased."""


class Need(NamedTuple):
    """The SCC that an operator needs of its operands, and the gate that they meet in."""

    scc: int
    gate: str


# The one place that says which operator needs which correlation. For `scaled_add` it is that of the
# select with each input, for `bernstein` that of the copies and of each with the coefficients; other
# pairs of theirs, and the inputs of `popcount_add`, may have any.
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
    "current_trace": Need(0, "AND"),
    "dot": Need(0, "AND"),
}
REMEDIES = {
    0: "encode the operands with other keys or stream numbers, or decorrelate them",
    +1: "encode both with one key and the same stream numbers, or synchronize them more deeply",
    -1: "encode p, and 1 - q to be inverted, with one key and the same stream numbers, or "
    "desynchronize them",
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
    """Make operators check the correlation that they need while the block runs, in all threads.

    These are the operators in `NEEDS`, the currents of layers among them, and those that need input
    white in time: `stanh`, `sexp`, `cordiv`, `jk_flip_flop`. The gates of `Bitstream` itself are not.
    What `check_correlation` finds is a `CorrelationWarning`. The checks cost more than most operators;
    the environment variable SC_NEUROCORE_CHECK=1 turns them on for good.

    Examples
    --------
    >>> import warnings
    >>> from sc_neurocore import Role, checking, encode, multiply, stream_key
    >>> x = encode([0.5, 0.6], 1024, key=stream_key(1, Role.INPUT), streams=0)
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
    sparse streams would give false alarms; with both, about 1 in 100,000 independent pairs does.
    For +1 and -1 the SCC may miss by the tolerance, which is not used for 0 and moves the AND by a
    quarter of it at most. Constant streams always pass. The warning gives the worst pair and what a
    gate makes of it.

    It is a `CorrelationWarning` and no error, since the result is still a stream and the verdict a
    statistical one; ``warnings.simplefilter("error", CorrelationWarning)`` makes it one.
    """
    wanted = _checks.integer("wanted", wanted, -1, 1)
    tolerance = _checks.non_negative("tolerance", tolerance)
    _check("check_correlation wants", Need(wanted, "AND"), x, y, tolerance=tolerance)


def check_operands(operator: str, x: Bitstream, y: Bitstream, which: str = "") -> None:
    """Warn as `check_correlation` does of the operands of an operator, if checks are on."""
    if _runtime.checkers:
        _check(f"{operator} needs", NEEDS[operator], x, y, which=which)


def check_white(x: Bitstream) -> None:
    """Warn if the bits of a stream depend on those up to 4 steps before.

    Saturating machines need streams that are white in time; low-discrepancy streams spread their ones
    evenly, registers move by one bit. The ones that follow ones k steps later may deviate from L p**2
    by 5 standard deviations of white streams with that count, sqrt(L) p (1 - p) each, and two. Constant
    streams always pass. The warning is a `CorrelationWarning` and gives the worst stream and lag.
    """
    _checks.instance("x", x, Bitstream)
    _check_white("check_white wants", x)


def check_input(operator: str, x: Bitstream) -> None:
    """Warn as `check_white` does of the input of an operator, if checks are on."""
    if _runtime.checkers:
        _check_white(f"{operator} needs", x)


def _check_white(who: str, x: Bitstream) -> None:
    lags = min(4, x.length - 1)
    if lags == 0:
        return
    rho = autocorrelation(x, lags)[..., 1:]
    p = x.probability()[..., np.newaxis]
    variance = p * (1 - p)
    allowed = 5 * np.sqrt(x.length) * variance + 2
    with np.errstate(invalid="ignore"):
        missed = np.abs(rho) * variance * x.length > allowed
    if not missed.any():
        return
    i = np.unravel_index(np.where(missed, np.abs(rho), 0.0).argmax(), rho.shape)
    at = _at(tuple(int(k) for k in i[:-1]))
    message = (
        f"{who} a white stream, got an autocorrelation of {rho[i]:.3g} at lag {i[-1] + 1}{at} "
        f"(p={p[(*i[:-1], 0)]:.3g}); encode it with Bernoulli(), or decorrelate it"
    )
    _checks.warn(message, CorrelationWarning)


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
    at = _at(i)
    of = f" of {which}" if which else ""
    got, instead = (np.dot(GATES[need.gate], (1, p[i], q[i], a[i])) for a in (overlap, ideal))
    message = (
        f"{who} SCC {_signed(need.scc)}{of}, got {measured[i]:.3g}{at} (p={p[i]:.3g}, q={q[i]:.3g}): "
        f"the {need.gate} is {got:.3g} instead of {instead:.3g}; {REMEDIES[need.scc]}"
    )
    _checks.warn(message, CorrelationWarning)


def _signed(scc: int) -> str:
    return f"{scc:+d}" if scc else "0"


def _at(index: tuple[int, ...]) -> str:
    return f" at index {index[0] if len(index) == 1 else index}" if index else ""


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
