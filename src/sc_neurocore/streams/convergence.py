"""How fast streams converge: errors of their prefixes, and what stopping early costs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.streams._bits import unpack
from sc_neurocore.streams.bitstream import Bitstream

__all__ = ["normalized_stability", "progressive_error", "streaming_accuracy"]

# Time steps of all streams whose errors are in memory at a time (32 MB for each array).
_BLOCK = 2**22


def progressive_error(x: Bitstream, p: ArrayLike | None = None) -> NDArray[np.float64]:
    """Return the error of the density of each stream after 1, 2, ..., length steps.

    With ones(t), the number of ones in the first t steps::

        error(t) = ones(t) / t - p

    The first term is the progressive precision of the stream (Alaghi, Hayes: Fast and accurate
    computation using stochastic circuits; DATE 2014). For independent bits of density p the error has
    mean 0 and variance ``p (1 - p) / t``. Errors of bipolar values are twice as large.

    Parameters
    ----------
    x : Bitstream
    p : array_like of float, optional
        Exact densities in [0, 1], of a shape that broadcasts to the batch shape. By default the
        density of the whole stream, so that the last error is 0.

    Returns
    -------
    ndarray of float64, shape (..., length)
        Error after t steps at index t - 1.

    Raises
    ------
    TypeError
        If x is no Bitstream.
    ValueError
        If `p` is outside [0, 1], or does not broadcast to the batch shape.

    Examples
    --------
    >>> from sc_neurocore import Bitstream
    >>> from sc_neurocore.streams import progressive_error
    >>> progressive_error(Bitstream.from_bits([1, 0, 1, 0]), 0.5)
    array([0.5       , 0.        , 0.16666667, 0.        ])
    """
    wanted = _densities(x, p).reshape(-1, 1)
    errors = np.empty((len(wanted), x.length))
    for rows, ones in _running(x):
        errors[rows] = ones / np.arange(1, x.length + 1) - wanted[rows]
    return errors.reshape(*x.shape, x.length)


def normalized_stability(
    x: Bitstream, p: ArrayLike | None = None, *, threshold: float = 0.05
) -> NDArray[np.float64]:
    """Return how early the error of each stream stays below a threshold, relative to the earliest.

    Let s be the last step at which ``abs(progressive_error)`` exceeds the threshold, at least 1. The
    stability of a stream of length L is::

        stability = 1 - s / L

    It is divided by the largest stability of any stream of the same density and length (Wu, Yin, San
    Miguel: Normalized stability: a cross-level design metric for early termination in stochastic
    computing; ASP-DAC 2021). That is the stability of the stream with ``ones(t) = round(p t)``, whose
    error is the smallest possible at every step.

    Parameters
    ----------
    x : Bitstream
        Of length 2 or more.
    p : array_like of float, optional
        Exact densities, as in `progressive_error`.
    threshold : float
        Largest error of the density that is accepted, greater than 0. It is 0.05 in UnarySim. An error
        of bipolar values is twice as large.

    Returns
    -------
    ndarray of float64
        Of the batch shape, in [0, 1]. NaN where no stream of this length is stable.

    Raises
    ------
    TypeError
        If x is no Bitstream.
    ValueError
        If `p` is outside [0, 1] or does not broadcast, or the threshold is not greater than 0.

    Notes
    -----
    The maximum is exact. UnarySim searches periodic streams, and can find a smaller one.

    Examples
    --------
    >>> import numpy as np
    >>> from sc_neurocore import Bernoulli, Sobol, encode
    >>> from sc_neurocore.streams import normalized_stability
    >>> p = np.linspace(0, 1, 101)
    >>> for source in (Bernoulli(), Sobol()):
    ...     x = encode(p, 256, key=1, source=source)
    ...     print(f"{normalized_stability(x, p).mean():.2f}")
    0.66
    0.96
    """
    wanted = _densities(x, p).reshape(-1, 1)
    most = _checks.positive("threshold", threshold) + 4 * np.finfo(np.float64).eps  # but for rounding
    t = np.arange(1, x.length + 1)
    found = np.empty(len(wanted))
    for rows, ones in _running(x):
        own, best = (
            1 - _last(np.abs(c / t - wanted[rows]) > most) / x.length
            for c in (ones, _best(wanted[rows], t))
        )
        found[rows] = np.divide(own, best, out=np.full(len(own), np.nan), where=best > 0)
    return found.reshape(x.shape)


def streaming_accuracy(x: Bitstream) -> NDArray[np.float64]:
    """Return how close each stream comes to the form that can best be stopped early.

    Among the streams with the same number of ones, the best form has ``ones(t) = round(p t)``, where p
    is the density of the whole stream: at every step its error is the smallest possible. The accuracy
    is 1 minus the mean of what the errors of the stream exceed those of that form::

        1 - mean of (abs(ones(t) / t - p) - abs(round(p t) / t - p)) over t = 1 .. L

    It is 1 for the best form alone, and small for streams whose ones all come first or last. The metric
    is that of Hsiao, San Miguel, Anderson (Streaming accuracy: characterizing early termination in
    stochastic computing; ASP-DAC 2022), the distance of a stream from its most early-terminable form;
    the distance used here, the mean excess of the error, is a choice of this package.

    Parameters
    ----------
    x : Bitstream

    Returns
    -------
    ndarray of float64
        Of the batch shape, in (0, 1].

    Raises
    ------
    TypeError
        If x is no Bitstream.

    Examples
    --------
    >>> from sc_neurocore import Bitstream
    >>> from sc_neurocore.streams import streaming_accuracy
    >>> streaming_accuracy(Bitstream.from_bits([[1, 0, 1, 0], [0, 1, 0, 1], [1, 1, 0, 0]]))
    array([1.   , 1.   , 0.875])
    """
    wanted = _densities(x, None).reshape(-1, 1)
    t = np.arange(1, x.length + 1)
    found = np.empty(len(wanted))
    for rows, ones in _running(x):
        p = wanted[rows]
        excess = np.abs(ones / t - p) - np.abs(_best(p, t) / t - p)
        found[rows] = 1 - excess.mean(axis=1)
    return found.reshape(x.shape)


def _best(p: NDArray[np.float64], t: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the numbers of ones that are closest to the density at every step."""
    return np.rint(p * t)


def _last(is_wrong: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the last step that is wrong, counted from 1, or 1 if none is."""
    length = is_wrong.shape[1]
    last = length - is_wrong[:, ::-1].argmax(axis=1)
    return np.where(is_wrong.any(axis=1), last, 1)


def _densities(x: Bitstream, p: ArrayLike | None) -> NDArray[np.float64]:
    """Return the exact densities of streams, checked, of the batch shape."""
    _checks.instance("x", x, Bitstream)
    if p is None:
        return x.probability()
    wanted = _checks.array("p", p, range(33))
    _checks.within("p", wanted, 0.0, 1.0)
    try:
        return np.broadcast_to(wanted, x.shape)
    except ValueError:
        _checks.fail("p", f"broadcast to the batch shape {x.shape}", wanted.shape)


def _running(x: Bitstream) -> Iterator[tuple[slice, NDArray[np.int64]]]:
    """Yield rows of the batch, and their numbers of ones after each step, shape (rows, length)."""
    words = x.words.reshape(-1, x.words.shape[-1])
    some = max(_BLOCK // x.length, 1)
    for first in range(0, len(words), some):
        rows = slice(first, first + some)
        yield rows, np.cumsum(unpack(words[rows], x.length), axis=1, dtype=np.int64)
