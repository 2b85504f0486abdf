"""Recording the activity of a simulation, in memory or in a file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks
from sc_neurocore._types import Reals
from sc_neurocore.networks.network import Network
from sc_neurocore.streams import (
    Bitstream,
)

__all__ = ["Record", "Recording"]


@dataclass(frozen=True, eq=False)
class Record:
    """What a simulation records: the argument `record` of `simulate`.

    Parameters
    ----------
    layers : sequence of int, optional
        Indices of the layers to record. By default all; empty for none.
    neurons : sequence of int, or mapping of int to sequence of int, optional
        Indices of the neurons to record in each layer; a mapping gives those of single layers. By
        default all.
    spikes, potentials, currents : bool
        Record the spikes, the membrane potentials in volts after each time step, and the input
        currents. A current is that of the layer's inputs, before synaptic filtering and without
        recurrent spikes.
    every : int
        Record potentials, currents and weights every so many time steps, at least 1, in steps that are
        multiples of it. Spikes are always complete.
    file : path, optional
        HDF5 file to write to as the simulation runs, in place of memory, which then does not grow with
        the length (requires the extra `record`). An existing file is replaced, so a continued
        simulation needs a file of its own.
    weights : bool
        Record the weights of the layers that have a plasticity, in memory.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If nothing is recorded, or an index is negative or repeated.

    Notes
    -----
    The file has one group ``layer_<i>`` per layer with the dataset ``neurons`` and, as recorded,
    ``spikes`` (uint8), ``potentials`` and ``currents`` (float64) of shape (time, ..., n_neurons). The
    attributes of the file are ``length``, ``every``, ``first`` (the first time step) and ``seed``. Data
    are written after each block of time, in the single-writer mode of HDF5. So the file can be read
    while the simulation runs, and after it was killed, by ``h5py.File(path, "r", swmr=True)``. HDF5 is
    used rather than Zarr because a recording is then one file, and because many other programs read it.

    Examples
    --------
    >>> from sc_neurocore import Dense, Network, simulate
    >>> from sc_neurocore.networks import Record
    >>> network = Network([Dense([[0.9, -0.2], [0.1, 0.8]], gain=0.5)])
    >>> wanted = Record(neurons=[1], potentials=True, every=10)
    >>> run = simulate(network, [1.0, 0.5], length=100, seed=1, record=wanted)
    >>> run.recording.potentials[0].shape
    (1, 10)
    """

    layers: Sequence[int] | None = None
    neurons: Sequence[int] | Mapping[int, Sequence[int]] | None = None
    spikes: bool = True
    potentials: bool = False
    currents: bool = False
    every: int = 1
    file: str | os.PathLike[str] | None = None
    weights: bool = False

    def __post_init__(self) -> None:
        for name in ("spikes", "potentials", "currents", "weights"):
            _checks.instance(name, getattr(self, name), bool)
        if not (self.spikes or self.potentials or self.currents or self.weights):
            contract = "be True unless potentials, currents or weights are recorded"
            _checks.fail("spikes", contract, False)
        if self.weights and self.file is not None:
            _checks.fail("file", "be None where weights are recorded", self.file)
        _checks.integer("every", self.every, 1)
        if self.layers is not None:
            object.__setattr__(self, "layers", _indices("layers", self.layers))
        neurons = self.neurons
        if isinstance(neurons, Mapping):
            kept = {
                _checks.integer("neurons", layer, 0): _indices("neurons", of_layer)
                for layer, of_layer in neurons.items()
            }
            object.__setattr__(self, "neurons", kept)
        elif neurons is not None:
            object.__setattr__(self, "neurons", _indices("neurons", neurons))
        if self.file is not None:
            os.fspath(self.file)

    def of(self, network: Network) -> dict[int, NDArray[np.int64]]:
        """Return the neurons to record of each layer that is recorded; ValueError if one is missing."""
        layers = range(len(network)) if self.layers is None else self.layers
        if isinstance(self.neurons, Mapping):
            for i in self.neurons:
                if i not in layers:
                    contract = f"have indices of recorded layers, {list(layers)}, as keys"
                    _checks.fail("neurons", contract, i)
        result = {}
        for i in layers:
            if i >= len(network):
                _checks.fail("layers", f"be below {len(network)}, the number of layers", i)
            n, own = network[i].n_out, self.neurons
            own = own.get(i) if isinstance(own, Mapping) else own
            chosen = np.arange(n) if own is None else np.asarray(own, np.int64)
            if chosen.size and chosen.max() >= n:
                _checks.fail(
                    "neurons", f"be below {n}, the number of neurons of layer {i}", chosen.max()
                )
            result[i] = chosen
        return result


@dataclass(frozen=True, eq=False)
class Recording:
    """Recorded activity of a simulation, `Simulation.recording`.

    Attributes
    ----------
    spikes : dict of int to Bitstream
        Spikes of each recorded layer, of batch shape (..., n_neurons).
    potentials, currents : dict of int to ndarray of float64, shape (..., n_neurons, n_samples)
        Membrane potentials in volts and input currents of each recorded layer.
    steps : ndarray of int64, shape (n_samples,)
        Time steps of the samples of potentials and currents.
    file : str or None
        File that holds the data instead; the dictionaries are then empty.
    weights : dict of int to ndarray of float64, shape (n_out, n_in, n_samples)
        Weights of each recorded layer that has a plasticity; (batch, n_out, n_in, n_samples) for a
        batch.
    """

    spikes: dict[int, Bitstream] = field(default_factory=dict)
    potentials: dict[int, Reals] = field(default_factory=dict)
    currents: dict[int, Reals] = field(default_factory=dict)
    steps: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    file: str | None = None
    weights: dict[int, Reals] = field(default_factory=dict)

    def __repr__(self) -> str:
        where = f", file={self.file!r}" if self.file else ""
        layers = sorted({*self.spikes, *self.potentials, *self.currents, *self.weights})
        return f"Recording(layers={layers}{where})"


def joined(recordings: Sequence[Recording]) -> Recording:
    """Return the recordings of examples that came one after another as that of a batch."""
    first = recordings[0]
    spikes = {
        i: Bitstream(np.stack([each.spikes[i].words for each in recordings]), of_first.length)
        for i, of_first in first.spikes.items()
    }
    samples = {
        name: {
            i: np.stack([getattr(each, name)[i] for each in recordings]) for i in getattr(first, name)
        }
        for name in ("potentials", "weights")
    }
    return Recording(spikes, samples["potentials"], {}, first.steps, None, samples["weights"])


def _indices(name: str, values: ArrayLike) -> tuple[int, ...]:
    if not np.size(values) and name == "neurons":
        _checks.fail(name, "hold at least one neuron", values)
    indices = _checks.counting(name, values) if np.size(values) else np.zeros(0, np.uint64)
    if indices.ndim != 1 or len(set(indices.tolist())) != indices.size:
        _checks.fail(name, "be a sequence of distinct integers", values)
    return tuple(indices.tolist())
