"""The recorder of one neuron's spikes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore.neurons import spike_trains


class BitstreamSpikeRecorder:
    """Records a spike train step by step.

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

    def __init__(self, dt_ms: float = 1.0) -> None:
        self.dt_ms = _checks.positive("dt_ms", dt_ms)
        self._spikes = bytearray()

    def record(self, spike: int) -> None:
        """Append one step: 0 or 1, as an int, a bool or a NumPy integer."""
        if type(spike) is not int or spike not in (0, 1):
            spike = _checks.spike("spike", spike)
        self._spikes.append(spike)

    def extend(self, spikes: ArrayLike) -> None:
        """Append the steps of an array of 0 and 1; all of them or, on an error, none."""
        self._spikes.extend(_checks.bits("spikes", spikes).tobytes())

    def total_spikes(self) -> int:
        """Return the number of spikes."""
        return self._spikes.count(1)

    def firing_rate_hz(self) -> float:
        """Return the spikes per second of recorded time; 0 if nothing was recorded."""
        return float(spike_trains.firing_rate_hz(self.as_array(), self.dt_ms))

    def isi_histogram(self, bins: int = 10) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return counts (bins,) and edges (bins + 1,) in ms; see `spike_trains.isi_histogram`."""
        return spike_trains.isi_histogram(self.as_array(), bins, self.dt_ms)

    def spike_times_ms(self) -> NDArray[np.float64]:
        """Return the times of the spikes in ms, the first step being at 0."""
        return spike_trains.spike_times(self.as_array(), self.dt_ms)

    def as_array(self) -> NDArray[np.uint8]:
        """Return the train, uint8 of shape (T,)."""
        return np.array(self._spikes, np.uint8)

    def reset(self) -> None:
        """Forget everything."""
        self._spikes.clear()

    def __len__(self) -> int:
        return len(self._spikes)

    def __repr__(self) -> str:
        return (
            f"<BitstreamSpikeRecorder: {self.total_spikes()} spikes in {len(self)} steps of "
            f"{self.dt_ms} ms>"
        )
