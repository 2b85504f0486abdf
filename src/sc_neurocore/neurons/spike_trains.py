"""Statistics of spike trains: times, intervals, rates."""

from __future__ import annotations

from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.streams import (
    Bitstream,
)

__all__ = ["firing_rate_hz", "interspike_intervals", "isi_histogram", "spike_times"]


@runtime_checkable
class Recorded(Protocol):
    """An object that has recorded spikes: a simulation, a recorder or a layer of the tutorial."""

    def _spike_trains(self) -> tuple[NDArray[np.uint8], float]:
        """Return its spikes as zeros and ones, shape (..., T), and its time step in ms."""
        ...


SpikeTrains: TypeAlias = ArrayLike | Bitstream | Recorded


def trains(
    spikes: SpikeTrains, dt_ms: float | None = None, *, axes: str = "at least one axis"
) -> tuple[NDArray[np.uint8], float]:
    """Return spike trains as zeros and ones, shape (..., T), and their time step in ms."""
    own = 1.0
    if isinstance(spikes, Bitstream):
        bits = spikes.bits()
    elif isinstance(spikes, Recorded) and not isinstance(spikes, type):
        bits, own = spikes._spike_trains()
    else:
        bits = _checks.bit_array("spikes", spikes)  # type: ignore[arg-type]
    if bits.ndim == 0:
        _checks.fail("spikes", f"have {axes}, time", "shape ()")
    return bits, own if dt_ms is None else _checks.positive("dt_ms", dt_ms)


def spike_times(spikes: SpikeTrains, dt_ms: float | None = None) -> NDArray[np.float64]:
    """Return the times of the spikes of a train.

    Parameters
    ----------
    spikes : array_like of 0 and 1, shape (T,), Bitstream, or an object that has recorded spikes
        Spike train. A recorder, a layer of the tutorial and a simulation with recorded spikes are
        accepted; several trains are not.
    dt_ms : float, optional
        Duration of a time step in ms. By default that of the recorder or the simulation, otherwise 1.

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
    train, dt = _train(spikes, dt_ms)
    return np.asarray(np.flatnonzero(train) * dt)


def interspike_intervals(spikes: SpikeTrains, dt_ms: float | None = None) -> NDArray[np.float64]:
    """Return the intervals between successive spikes of a train.

    Parameters
    ----------
    spikes : array_like of 0 and 1, shape (T,), Bitstream, or an object that has recorded spikes
        Spike train. A recorder, a layer of the tutorial and a simulation with recorded spikes are
        accepted; several trains are not.
    dt_ms : float, optional
        Duration of a time step in ms. By default that of the recorder or the simulation, otherwise 1.

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
    train, dt = _train(spikes, dt_ms)
    return np.asarray(np.diff(np.flatnonzero(train)) * dt)


def isi_histogram(
    spikes: SpikeTrains, bins: int = 10, dt_ms: float | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the histogram of the interspike intervals of a train.

    Parameters
    ----------
    spikes : array_like of 0 and 1, shape (T,), Bitstream, or an object that has recorded spikes
        Spike train, as in `spike_times`.
    bins : int
        Number of bins of equal width, at least 1.
    dt_ms : float, optional
        Duration of a time step in ms, as in `spike_times`.

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
    train, dt = _train(spikes, dt_ms)
    intervals = interspike_intervals(train, dt)
    if len(intervals) == 0:
        duration = max(len(train), 1) * dt
        return np.zeros(n_bins, np.int64), np.linspace(0.0, duration, n_bins + 1)
    if intervals.min() == intervals.max():
        counts = np.zeros(n_bins, np.int64)
        counts[n_bins // 2] = len(intervals)
        return counts, intervals[0] + (np.arange(n_bins + 1) - n_bins // 2) * (dt / n_bins)
    counts, edges = np.histogram(intervals, n_bins)
    return counts.astype(np.int64), edges


def firing_rate_hz(spikes: SpikeTrains, dt_ms: float | None = None) -> NDArray[np.float64]:
    """Return firing rates in spikes per second.

    Parameters
    ----------
    spikes : array_like of 0 and 1, shape (..., T), Bitstream, or an object that has recorded spikes
        Spike trains with time as the last axis. Of a simulation, the neurons of all recorded layers.
    dt_ms : float, optional
        Duration of a time step in ms, as in `spike_times`.

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
    bits, dt = trains(spikes, dt_ms)
    return np.asarray(bits.sum(axis=-1) * (1000.0 / (max(bits.shape[-1], 1) * dt)))


def _train(spikes: SpikeTrains, dt_ms: float | None) -> tuple[NDArray[np.uint8], float]:
    """Return one spike train as zeros and ones, shape (T,), and its time step in ms."""
    bits, dt = trains(spikes, dt_ms, axes="one axis")
    if bits.ndim > 1 and isinstance(spikes, Recorded) and bits.size == bits.shape[-1]:
        bits = bits.ravel()  # the train of the only neuron
    return _checks.bits("spikes", bits), dt
