"""How far two streams, or a stream and itself later, are from independent.

All functions work on batches. What is undefined, because a stream is constant, is NaN.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore.bitstream import Bitstream


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
