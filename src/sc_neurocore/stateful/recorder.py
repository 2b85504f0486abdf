"""Recorder of the spikes of one neuron."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.neurons import spike_trains
from sc_neurocore.stateful._fixed import FixedParameters

__all__ = ["BitstreamSpikeRecorder"]


class BitstreamSpikeRecorder(FixedParameters):
    """Recorder of a spike train, step by step.

    Parameters
    ----------
    dt_ms : float
        Duration of a time step in ms.

    Examples
    --------
    >>> from sc_neurocore import BitstreamSpikeRecorder
    >>> recorder = BitstreamSpikeRecorder(dt_ms=1.0)
    >>> for spike in [0, 1, 0, 0, 1]:
    ...     recorder.record(spike)
    >>> recorder.total_spikes(), recorder.firing_rate_hz()
    (2, 400.0)
    """

    dt_ms: float

    def __init__(self, dt_ms: float = 1.0) -> None:
        vars(self).update(dt_ms=_checks.positive("dt_ms", dt_ms))
        self._spikes = bytearray()

    def record(self, spike: int) -> None:
        """Append one time step.

        Parameters
        ----------
        spike : int
            1 for a spike, otherwise 0. Also a bool or a NumPy integer.
        """
        if type(spike) is not int or spike not in (0, 1):
            spike = _checks.spike("spike", spike)
        self._spikes.append(spike)

    def extend(self, spikes: ArrayLike) -> None:
        """Append several time steps; on an error, none is appended.

        Parameters
        ----------
        spikes : array_like of 0 and 1, shape (T,)
            1 for a spike, otherwise 0.
        """
        self._spikes.extend(_checks.bits("spikes", spikes).tobytes())

    def total_spikes(self) -> int:
        """Return the number of recorded spikes."""
        return self._spikes.count(1)

    def firing_rate_hz(self) -> float:
        """Return the firing rate in Hz over the recorded time; 0 if nothing has been recorded."""
        return float(spike_trains.firing_rate_hz(self.as_array(), self.dt_ms))

    def isi_histogram(self, bins: int = 10) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the histogram of the interspike intervals, see `sc_neurocore.isi_histogram`.

        Parameters
        ----------
        bins : int
            Number of bins, at least 1.

        Returns
        -------
        counts : ndarray of int64, shape (bins,)
            Number of intervals in each bin.
        edges : ndarray of float64, shape (bins + 1,)
            Edges of the bins in ms.
        """
        return spike_trains.isi_histogram(self.as_array(), bins, self.dt_ms)

    def spike_times_ms(self) -> NDArray[np.float64]:
        """Return the times of the spikes in ms, shape (n_spikes,); the first time step is at 0."""
        return spike_trains.spike_times(self.as_array(), self.dt_ms)

    def as_array(self) -> NDArray[np.uint8]:
        """Return the recorded train as a new array of uint8, shape (T,)."""
        return np.array(self._spikes, np.uint8)

    def _spike_trains(self) -> tuple[NDArray[np.uint8], float]:
        return self.as_array(), self.dt_ms

    def reset(self) -> None:
        """Delete the recorded train."""
        self._spikes.clear()

    def __copy__(self) -> BitstreamSpikeRecorder:
        other = object.__new__(type(self))
        vars(other).update(vars(self), _spikes=self._spikes.copy())
        return other

    def __len__(self) -> int:
        return len(self._spikes)

    def __repr__(self) -> str:
        return (
            f"<BitstreamSpikeRecorder: {self.total_spikes()} spikes in {len(self)} steps of "
            f"{self.dt_ms} ms>"
        )
