"""Statistics of spike trains: times, intervals, rates."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.streams import (
    Bitstream,
)

__all__ = ["firing_rate_hz", "interspike_intervals", "isi_histogram", "spike_times"]


def spike_times(spikes: ArrayLike | Bitstream, dt_ms: float = 1.0) -> NDArray[np.float64]:
    """Return the times of the spikes of a train.

    Parameters
    ----------
    spikes : array_like of 0 and 1, shape (T,), or Bitstream
        Spike train.
    dt_ms : float
        Duration of a time step in ms.

    Returns
    -------
    ndarray of float64, shape (n_spikes,)
        Times in ms. Step t is at time ``t * dt_ms``.

    Examples
    --------
    >>> from sc_neurocore import spike_times
    >>> spike_times([0, 1, 0, 0, 1], dt_ms=0.5)
    array([0.5, 2. ])
    """
    dt_ms = _checks.positive("dt_ms", dt_ms)
    return np.asarray(np.flatnonzero(_train(spikes)) * dt_ms)


def interspike_intervals(spikes: ArrayLike | Bitstream, dt_ms: float = 1.0) -> NDArray[np.float64]:
    """Return the intervals between successive spikes of a train.

    Parameters
    ----------
    spikes : array_like of 0 and 1, shape (T,), or Bitstream
        Spike train.
    dt_ms : float
        Duration of a time step in ms.

    Returns
    -------
    ndarray of float64, shape (n_spikes - 1,)
        Intervals in ms; empty for fewer than two spikes.

    Examples
    --------
    >>> from sc_neurocore import interspike_intervals
    >>> interspike_intervals([0, 1, 0, 0, 1, 0, 1])
    array([3., 2.])
    """
    dt_ms = _checks.positive("dt_ms", dt_ms)
    return np.asarray(np.diff(np.flatnonzero(_train(spikes))) * dt_ms)


def isi_histogram(
    spikes: ArrayLike | Bitstream, bins: int = 10, dt_ms: float = 1.0
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the histogram of the interspike intervals of a train.

    Parameters
    ----------
    spikes : array_like of 0 and 1, shape (T,), or Bitstream
        Spike train.
    bins : int
        Number of bins of equal width, at least 1.
    dt_ms : float
        Duration of a time step in ms.

    Returns
    -------
    counts : ndarray of int64, shape (bins,)
        Number of intervals in each bin.
    edges : ndarray of float64, shape (bins + 1,)
        Edges of the bins in ms, from the smallest interval to the largest.

    Notes
    -----
    With fewer than two spikes all counts are 0, and the edges span the duration of the train. If all
    intervals are equal, the bins span one time step, and the middle bin, which begins at the interval,
    holds all counts.
    """
    n_bins = _checks.integer("bins", bins, 1)
    train = _train(spikes)
    intervals = interspike_intervals(train, dt_ms)
    if len(intervals) == 0:
        duration = max(len(train), 1) * dt_ms
        return np.zeros(n_bins, np.int64), np.linspace(0.0, duration, n_bins + 1)
    if intervals.min() == intervals.max():
        counts = np.zeros(n_bins, np.int64)
        counts[n_bins // 2] = len(intervals)
        return counts, intervals[0] + (np.arange(n_bins + 1) - n_bins // 2) * (dt_ms / n_bins)
    counts, edges = np.histogram(intervals, n_bins)
    return counts.astype(np.int64), edges


def firing_rate_hz(spikes: ArrayLike | Bitstream, dt_ms: float = 1.0) -> NDArray[np.float64]:
    """Return firing rates in spikes per second.

    Parameters
    ----------
    spikes : array_like of 0 and 1, shape (..., T), or Bitstream
        Spike trains with time as the last axis.
    dt_ms : float
        Duration of a time step in ms.

    Returns
    -------
    ndarray of float64, shape (...)
        Rates in Hz; 0 if T is 0.

    Examples
    --------
    >>> from sc_neurocore import firing_rate_hz
    >>> firing_rate_hz([[0, 1, 0, 1], [0, 0, 0, 0]])
    array([500.,   0.])
    """
    dt_ms = _checks.positive("dt_ms", dt_ms)
    train = spikes.bits() if isinstance(spikes, Bitstream) else _checks.bit_array("spikes", spikes)
    if train.ndim == 0:
        _checks.fail("spikes", "have at least one axis, time", "shape ()")
    return np.asarray(train.sum(axis=-1) * (1000.0 / (max(train.shape[-1], 1) * dt_ms)))


def _train(spikes: ArrayLike | Bitstream) -> NDArray[np.uint8]:
    """Return one spike train as zeros and ones, shape (T,)."""
    return _checks.bits("spikes", spikes.bits() if isinstance(spikes, Bitstream) else spikes)
