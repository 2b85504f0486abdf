"""Functions on spike trains."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks


def spike_times(spikes: ArrayLike, dt_ms: float = 1.0) -> NDArray[np.float64]:
    """Return the times of the spikes in ms, step t being at t * dt_ms."""
    dt_ms = _checks.positive("dt_ms", dt_ms)
    return np.asarray(np.flatnonzero(_checks.bits("spikes", spikes)) * dt_ms)


def interspike_intervals(spikes: ArrayLike, dt_ms: float = 1.0) -> NDArray[np.float64]:
    """Return the intervals between successive spikes in ms.

    Examples
    --------
    >>> from sc_neurocore import interspike_intervals
    >>> interspike_intervals([0, 1, 0, 0, 1, 0, 1])
    array([3., 2.])
    """
    dt_ms = _checks.positive("dt_ms", dt_ms)
    return np.asarray(np.diff(np.flatnonzero(_checks.bits("spikes", spikes))) * dt_ms)


def isi_histogram(
    spikes: ArrayLike, bins: int = 10, dt_ms: float = 1.0
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the histogram of the interspike intervals: counts (bins,), edges (bins + 1,) in ms.

    With fewer than two spikes all counts are 0 over the duration of the train. Equal intervals lie in
    the middle bin, which begins at the interval itself; all bins together span one time step.
    """
    n_bins = _checks.integer("bins", bins, 1)
    intervals = interspike_intervals(spikes, dt_ms)
    if len(intervals) == 0:
        duration = max(np.size(spikes), 1) * dt_ms
        return np.zeros(n_bins, np.int64), np.linspace(0.0, duration, n_bins + 1)
    if intervals.min() == intervals.max():
        counts = np.zeros(n_bins, np.int64)
        counts[n_bins // 2] = len(intervals)
        return counts, intervals[0] + (np.arange(n_bins + 1) - n_bins // 2) * (dt_ms / n_bins)
    counts, edges = np.histogram(intervals, n_bins)
    return counts.astype(np.int64), edges


def firing_rate_hz(spikes: ArrayLike, dt_ms: float = 1.0) -> NDArray[np.float64]:
    """Return spikes per second along the last axis; 0 for an empty train."""
    dt_ms = _checks.positive("dt_ms", dt_ms)
    train = _checks.bit_array("spikes", spikes)
    if train.ndim == 0:
        _checks.fail("spikes", "have at least one axis, time", "shape ()")
    return np.asarray(train.sum(axis=-1) * (1000.0 / (max(train.shape[-1], 1) * dt_ms)))
