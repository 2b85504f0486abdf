"""Correlation between streams and within a stream, and the correlation that each operator requires.

All functions work on batches. Measures that are undefined because a stream is constant are NaN.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks, _native, _runtime
from sc_neurocore.streams._bits import count_ones, cut
from sc_neurocore.streams._dispatch import is_symbolic, symbolic
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

# Longest streams for which the product of two counts fits into int64.
_LONGEST_INT64 = 2**31
# Pairs of streams that `scc_matrix` compares at a time: 8 MB for each array of a block.
_MATRIX_BLOCK = 2**20


def scc(x: Bitstream, y: Bitstream) -> NDArray[np.float64]:
    """Return the stochastic computing correlation (SCC) of pairs of streams.

    It is the covariance d of the bits, divided by the largest covariance of the same sign that the
    densities p and q allow::

        d = P(x & y) - p q
        scc = d / (min(p, q) - p q)              if d > 0
        scc = d / (p q - max(0, p + q - 1))      otherwise

    SCC is +1 at the largest possible overlap of ones, where ``x & y`` has the density min(p, q). It is
    -1 at the smallest possible overlap, and about 0 for independent streams, where ``x & y`` has the
    density p q (Alaghi, Hayes: Exploiting correlation in stochastic circuit design; ICCD 2013).

    Parameters
    ----------
    x, y : Bitstream
        Of equal length, with batch shapes that broadcast.

    Returns
    -------
    ndarray of float64
        Of the broadcast batch shape, in [-1, 1]; NaN where a stream is constant.

    Raises
    ------
    TypeError
        If x or y is no Bitstream.
    ValueError
        If the lengths differ or the batch shapes do not broadcast.

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
    # Python integers are slow, but only a few streams of that length fit into memory: each has 256 MB.
    return np.atleast_1d(ones).astype(np.int64 if length <= _LONGEST_INT64 else object)


def phi(x: Bitstream, y: Bitstream) -> NDArray[np.float64]:
    """Return Pearson's correlation coefficient of the bits of pairs of streams.

    In contrast to `scc`, it reaches +1 only for equal densities and -1 only for densities p and 1 - p.

    Parameters
    ----------
    x, y : Bitstream
        Of equal length, with batch shapes that broadcast.

    Returns
    -------
    ndarray of float64
        Of the broadcast batch shape, in [-1, 1]; NaN where a stream is constant.

    Raises
    ------
    TypeError
        If x or y is no Bitstream.
    ValueError
        If the lengths differ or the batch shapes do not broadcast.
    """
    both, ones_x, ones_y, length = _counts(x, y)
    shape = np.broadcast_shapes(both.shape, ones_x.shape, ones_y.shape)
    c, a, b = (_exact(ones, length) for ones in (both, ones_x, ones_y))
    of_x, of_y = ((ones * (length - ones)).astype(np.float64) for ones in (a, b))
    return _ratio(c * length - a * b, np.sqrt(of_x * of_y)).reshape(shape)


def zce(x: Bitstream, y: Bitstream) -> NDArray[np.float64]:
    """Return the zero correlation error: the error of ``x & y`` as a product beyond rounding.

    It is 0 for the best product that streams of length L can represent (Hsiao, San Miguel, Hara-Azumi,
    Anderson: Zero correlation error; ASP-DAC 2021)::

        D = P(x & y) - p q
        D0 = round(p q L) / L - p q
        zce = sign(D) (abs(D) - abs(D0))

    Parameters
    ----------
    x, y : Bitstream
        Of equal length, with batch shapes that broadcast.

    Returns
    -------
    ndarray of float64
        Of the broadcast batch shape.

    Raises
    ------
    TypeError
        If x or y is no Bitstream.
    ValueError
        If the lengths differ or the batch shapes do not broadcast.
    """
    both, ones_x, ones_y, length = _counts(x, y)
    product = ones_x * (ones_y / length)  # ones_x * ones_y may exceed 64 bits
    error = both - product
    forced = np.rint(product) - product
    return np.asarray(np.sign(error) * (np.abs(error) - np.abs(forced)) / length)


def scc_matrix(streams: Bitstream) -> NDArray[np.float64]:
    """Return the SCC of all pairs of streams of a batch.

    Beside the result it uses a fixed amount of memory, about 100 MB.

    Parameters
    ----------
    streams : Bitstream
        Of batch shape (n,).

    Returns
    -------
    ndarray of float64, shape (n, n)
        `scc` of streams i and j; NaN where one is constant.

    Raises
    ------
    TypeError
        If `streams` is no Bitstream.
    ValueError
        If its batch shape has not one axis.
    """
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
    """Return the autocorrelation of each stream at lags 0 .. max_lag.

    For the bits b of a stream of density p and length L ::

        rho(k) = sum of (b(t) - p) (b(t + k) - p) over t in [0, L - k)  /  (L p (1 - p))

    Parameters
    ----------
    x : Bitstream
        Of batch shape (...).
    max_lag : int
        In [0, length - 1], in time steps.

    Returns
    -------
    ndarray of float64, shape (..., max_lag + 1)
        In [-1, 1], 1 at lag 0; NaN where a stream is constant.

    Raises
    ------
    TypeError
        If x is no Bitstream.
    ValueError
        If `max_lag` is out of range.
    """
    _checks.instance("x", x, Bitstream)
    lags = _checks.integer("max_lag", max_lag, 0, x.length - 1) + 1
    # The sum of products of deviations, from counts of ones: exact integers up to the last step.
    n, p = x.length, x.probability()
    sums = []
    for k in range(lags):
        early, late = cut(x.words, 0, n - k), cut(x.words, k, n)
        both, *ones = (count_ones(words) for words in (early & late, early, late))
        sums.append(both - p * (ones[0] + ones[1]) + (n - k) * p**2)
    return _ratio(np.stack(sums, axis=-1), (n * p * (1 - p))[..., np.newaxis])


def effective_length(x: Bitstream, max_lag: int) -> NDArray[np.float64]:
    """Return the length of a white stream whose density has the same variance.

    It follows from the variance of a mean of L correlated samples, where rho is the `autocorrelation`
    of the stream itself::

        L / (1 + 2 * sum of (1 - k / L) rho(k) over k = 1 .. max_lag)

    It suits streams that hold their bits for several steps. For streams that alternate, as
    low-discrepancy streams do, the denominator is close to 0 and depends on `max_lag`: the result then
    says only that the effective length is large.

    Parameters
    ----------
    x : Bitstream
        Of batch shape (...).
    max_lag : int
        Largest lag of the sum, in [0, length - 1].

    Returns
    -------
    ndarray of float64
        In time steps, of the batch shape; inf where the denominator is not positive, NaN where a stream
        is constant.

    Raises
    ------
    TypeError
        If x is no Bitstream.
    ValueError
        If `max_lag` is out of range.
    """
    rho = autocorrelation(x, max_lag)[..., 1:]
    weights = 1 - np.arange(1, rho.shape[-1] + 1) / x.length
    relative_variance = 1 + 2 * (weights * rho).sum(axis=-1)
    lengths = np.where(np.isnan(relative_variance), np.nan, np.inf)
    positive = relative_variance > 0
    return np.asarray(np.divide(x.length, relative_variance, out=lengths, where=positive))


class CorrelationWarning(UserWarning):
    """The operands do not have the correlation that an operator requires, so its result is biased."""


class Need(NamedTuple):
    """The SCC that an operator requires of its operands, and the gate that combines them."""

    scc: int
    gate: str


# The correlation that each operator requires, defined here only. For `scaled_add` it applies to the
# select and each input, for `bernstein` to the copies, and to each copy and the coefficients. Other
# pairs of operands, and the inputs of `popcount_add`, can have any correlation.
NEEDS = {
    "multiply": Need(0, "AND"),
    "multiplex": Need(0, "AND"),
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
    "btanh": Need(0, "AND"),
    "Integral.tanh": Need(0, "AND"),
}
REMEDIES = {
    0: "encode the operands with encode_pair (Bernoulli: or with other keys), or decorrelate them",
    +1: "encode both with one key and the same stream numbers, or synchronize them more deeply",
    -1: "encode p, and 1 - q to be inverted, with one key and the same stream numbers, or "
    "desynchronize them",
}
# The density of a gate is the sum of these multiples of 1, p, q and P(x & y).
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
    """Check the correlation of operands while the block runs, in all threads.

    Operators that require a correlation then verify it with `check_correlation`: products, sums,
    `minimum`, `maximum` and others, and the currents of layers. Operators that require input that is
    white in time (`stanh`, `sexp`, `btanh`, `cordiv`, `jk_flip_flop`) verify it with `check_white`. The
    gates ``&``, ``|``, ``^`` and ``~`` of `Bitstream` check nothing.

    A check takes longer than most operators. The environment variable ``SC_NEUROCORE_CHECK=1`` turns
    the checks on permanently.

    Warns
    -----
    CorrelationWarning
        If an operator's operands do not have the correlation that it requires.

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
    """Warn if pairs of streams do not have a given SCC.

    The warning names the worst pair and the error of its AND. Constant streams always pass.

    Parameters
    ----------
    x, y : Bitstream
        Of equal length, with batch shapes that broadcast.
    wanted : int
        The required SCC: 0, +1 or -1.
    tolerance : float
        Largest difference from an SCC of +1 or -1 that passes, at least 0. It changes the density of
        the AND by at most a quarter of this value. Not used for 0.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If an argument is out of range, the lengths differ or the batch shapes do not broadcast.

    Warns
    -----
    CorrelationWarning
        If a pair does not pass. It is not an error, because the test is statistical;
        ``warnings.simplefilter("error", CorrelationWarning)`` turns it into one.

    Notes
    -----
    For an SCC of 0, P(x & y) can differ from p q by 5 standard errors of independent streams with the
    same counts (hypergeometric), plus two time steps, which prevent false alarms for sparse streams::

        5 * sqrt(p q (1 - p) (1 - q) / (L - 1)) + 2 / L

    About 1 in 100,000 pairs of independent streams fails.
    """
    wanted = _checks.integer("wanted", wanted, -1, 1)
    tolerance = _checks.non_negative("tolerance", tolerance)
    _check("check_correlation requires", Need(wanted, "AND"), x, y, tolerance=tolerance)


def check_operands(operator: str, x: Bitstream, y: Bitstream, which: str = "") -> None:
    """Run `check_correlation` on the operands of an operator, if checks are on."""
    if (receiver := symbolic((x, y))) is not None:
        receiver.__stream_need__(operator, x, y, which)
    elif _runtime.checkers:
        _check(f"{operator} needs", NEEDS[operator], x, y, which=which)


def check_white(x: Bitstream) -> None:
    """Warn if the bits of a stream depend on its bits up to 4 steps before.

    Saturating machines such as `stanh` require streams that are white in time. Low-discrepancy streams
    are not, because their ones are evenly spaced, and neither are streams of registers, whose
    neighboring states share all bits but one. Constant streams always pass.

    Parameters
    ----------
    x : Bitstream
        Of any batch shape.

    Raises
    ------
    TypeError
        If x is no Bitstream.

    Warns
    -----
    CorrelationWarning
        If a stream does not pass; it names the worst stream and lag.

    Notes
    -----
    The number of ones that follow a one k steps later, for k = 1 .. 4, can differ from ``L p**2`` by 5
    standard deviations of white streams with the same count, plus two::

        5 * sqrt(L) p (1 - p) + 2
    """
    _checks.instance("x", x, Bitstream)
    _check_white("check_white requires", x)


def check_input(operator: str, x: Bitstream) -> None:
    """Run `check_white` on the input of an operator, if checks are on."""
    if is_symbolic(x):
        x.__stream_need__(operator, x, None, "")
    elif _runtime.checkers:
        _check_white(f"{operator} needs", x)


def check_inputs(operator: str, x: Bitstream) -> None:
    """Check that streams along the last batch axis are white and independent, if checks are on."""
    check_input(operator, x)
    if is_symbolic(x) or _runtime.checkers:
        for apart in range(1, x.shape[-1]):
            check_operands(operator, x[..., :-apart], x[..., apart:], "two inputs")


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
    """Return the quotients as float64, NaN where the denominator is 0."""
    top, bottom = np.broadcast_arrays(
        np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    )
    return np.asarray(np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom != 0))
