"""Spikes for other packages: tables for pandas and CSV files, and Neo."""

from __future__ import annotations

import csv
import io
import os
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sc_neurocore._files import replacing
from sc_neurocore.neurons.spike_trains import SpikeTrains, trains

if TYPE_CHECKING:
    import neo

__all__ = ["spike_table", "to_neo", "write_spikes"]


def spike_table(
    spikes: SpikeTrains, dt_ms: float | None = None
) -> dict[str, NDArray[np.int64] | NDArray[np.float64]]:
    """Return spikes as the columns of a table with one row per spike.

    ``pandas.DataFrame(spike_table(spikes))`` and polars accept it as it is.

    Parameters
    ----------
    spikes : array_like of 0 and 1, shape (..., T), Bitstream, or an object that has recorded spikes
        Spike trains, as in `firing_rate_hz`.
    dt_ms : float, optional
        Duration of a time step in ms, as in `spike_times`.

    Returns
    -------
    dict of str to ndarray, shape (n_spikes,)
        "time_ms" (float64), "neuron" (int64) unless there is only one train, "input" (int64) for a
        batch, and "axis_0", "axis_1" and so on for further axes. Sorted by all columns from the left.

    Examples
    --------
    >>> from sc_neurocore.exchange import spike_table
    >>> spike_table([[0, 1, 1], [1, 0, 0]], dt_ms=0.5)
    {'neuron': array([0, 0, 1]), 'time_ms': array([0.5, 1. , 0. ])}
    """
    bits, dt = trains(spikes, dt_ms)
    *indices, steps = np.nonzero(bits)
    names = [f"axis_{i}" for i in range(len(indices) - 2)] + ["input", "neuron"]
    named = zip(names[len(names) - len(indices) :], indices, strict=True)
    return {
        **{name: index.astype(np.int64) for name, index in named},
        "time_ms": np.asarray(steps * dt, np.float64),
    }


def write_spikes(path: str | os.PathLike[str], spikes: SpikeTrains, dt_ms: float | None = None) -> None:
    """Write the table of spikes to a CSV file with a header, atomically.

    Parameters
    ----------
    path : path
        File to write. An existing file is replaced.
    spikes : array_like of 0 and 1, shape (..., T), Bitstream, or an object that has recorded spikes
        Spike trains, as in `spike_table`.
    dt_ms : float, optional
        Duration of a time step in ms, as in `spike_times`.

    Raises
    ------
    TypeError, ValueError
        If spikes are not 0 or 1.
    OSError
        If the file cannot be written.
    """
    table = spike_table(spikes, dt_ms)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*(column.tolist() for column in table.values()), strict=True))
    with replacing(path) as file:
        file.write(text.getvalue().encode())


def to_neo(spikes: SpikeTrains, dt_ms: float | None = None) -> neo.Segment:
    """Return spikes as a Neo segment, for Elephant and other packages (requires the package neo).

    Parameters
    ----------
    spikes : array_like of 0 and 1, shape (..., T), Bitstream, or an object that has recorded spikes
        Spike trains, as in `firing_rate_hz`.
    dt_ms : float, optional
        Duration of a time step in ms, as in `spike_times`.

    Returns
    -------
    neo.Segment
        One ``neo.SpikeTrain`` per train in C order, in ms, from 0 to the duration of the trains. Its
        annotation ``index`` is the index of the train, its ``sampling_rate`` one per time step.

    Raises
    ------
    TypeError, ValueError
        If spikes are not 0 or 1.
    ImportError
        If Neo is not installed.
    """
    try:
        import neo
        import quantities
    except ImportError as error:
        raise ImportError("to_neo requires Neo; pip install neo", name="neo") from error
    bits, dt = trains(spikes, dt_ms)
    rate = (1000.0 / dt) * quantities.Hz
    segment = neo.Segment()
    for index in np.ndindex(bits.shape[:-1]):
        train = neo.SpikeTrain(
            np.flatnonzero(bits[index]) * dt,
            units="ms",
            t_start=0.0,
            t_stop=bits.shape[-1] * dt,
            sampling_rate=rate,
            index=index,
        )
        segment.spiketrains.append(train)
    return segment
