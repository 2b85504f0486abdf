"""Layers on real numbers instead of bitstreams: the reference of `simulate_float`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _native
from sc_neurocore._types import Reals, Words
from sc_neurocore.networks._inputs import Inputs
from sc_neurocore.networks._wiring import join_reals, keep_reals, wires
from sc_neurocore.networks.layers import Conv2d, Dense, Layer, exact_sums, lif_of, of_each
from sc_neurocore.networks.network import Network
from sc_neurocore.neurons import StepNeuron
from sc_neurocore.streams._bits import count_ones, joined, n_words, pack, unpack

# Values of a signal that are held at a time, 80 MB.
_VALUES = 10_000_000


def run_rows(
    network: Network, rows: Inputs, length: int, *, record: bool
) -> tuple[NDArray[np.int64], Reals, list[Words]]:
    """Return counts and potentials of the output neurons, both (batch, n_out), of some inputs.

    With `record`, also return the packed spikes of each layer (batch, n_out of the layer, n_words).
    """
    if isinstance(rows.values, np.ndarray) and _is_packed(network):
        return _run_packed(network, rows, length, record=record)
    runs = [RealLayer(layer, len(rows)) for layer in network]
    wired = wires(network)
    lines = [tuple(wire.line(len(rows), 1, packed=False) for wire in own) for own in wired]
    counts = np.zeros((len(rows), network.n_out), np.int64)
    block = max(64 * (_VALUES // (64 * widest(network.layers))), 64)
    block = min(block, network.feedback_delay or block)
    trains: list[list[tuple[Words, int]]] = [[] for _ in network if record]
    for first in range(0, length, block):
        steps = min(block, length - first)
        x, outputs = rows.reals(first, steps), list[Reals]()
        for run, own, late in zip(runs, wired, lines, strict=True):
            signal = join_reals(own, late, x, outputs, steps)
            outputs.append(run.spikes(signal, steps).astype(np.float64))
        for own, late in zip(wired, lines, strict=True):
            keep_reals(own, late, outputs)
        for train, output in zip(trains, outputs, strict=False):
            train.append((pack(output != 0), steps))
        fired = np.concatenate([outputs[i] for i in network.outputs], axis=1)
        counts += fired.sum(axis=-1).astype(np.int64)
    potentials = np.concatenate([runs[i].potentials() for i in network.outputs], axis=1)
    return counts, potentials, [joined(train) for train in trains]


def widest(layers: Sequence[Layer]) -> int:
    """Return the largest number of values per row and time step in any layer, at least 128."""
    sizes = [128, layers[0].n_in]
    for layer in layers:
        patches = layer.matrix.shape[1] * layer.positions if isinstance(layer, Conv2d) else 0
        sizes += [layer.n_out, patches]
    return max(sizes)


def some_rows(layers: Sequence[Layer], length: int) -> int:
    """Return the rows of a batch to run at a time, which bounds the number of values held."""
    return max(1, _VALUES // (length * widest(layers)))


def _is_packed(network: Network) -> bool:
    """Return whether each layer takes the spikes of the one before, without delays or feedback."""
    return network.is_chain and all(
        layer.delays is None
        and not isinstance(layer.neuron, StepNeuron)
        and (isinstance(layer, Conv2d) or layer.recurrent is None)
        for layer in network
    )


def _run_packed(
    network: Network, rows: Inputs, length: int, *, record: bool
) -> tuple[NDArray[np.int64], Reals, list[Words]]:
    """As `run_rows`, with packed spikes between the layers, whose sums skip the inputs at rest."""
    runs = [PackedLayer(layer, len(rows)) for layer in network]
    counts = np.zeros((len(rows), network.n_out), np.int64)
    block = max(64 * (_VALUES // (64 * widest(network.layers))), 64)
    trains: list[list[tuple[Words, int]]] = [[] for _ in network if record]
    for first in range(0, length, block):
        steps = min(block, length - first)
        outputs = list[Words]()
        for run in runs:
            sums = run.sums(outputs[-1], steps) if outputs else run.drive(rows.reals(first, steps))
            outputs.append(run.spikes(sums, steps))
        for train, output in zip(trains, outputs, strict=False):
            train.append((output, steps))
        counts += count_ones(outputs[-1])
    return counts, runs[-1].potentials(), [joined(train) for train in trains]


class PackedLayer:
    """A layer without noise, delays and feedback between packed spikes. A row is a position."""

    def __init__(self, layer: Layer, rows: int) -> None:
        self._layer = layer
        shape = rows * layer.positions, len(layer.matrix)
        lif = replace(lif_of("network", layer), noise_std=0.0)
        self._parameters = lif.parameters
        self._gain = np.broadcast_to(np.asarray(layer.gain, np.float64), shape[1:]).copy()
        self._weights = np.ascontiguousarray(layer.weights.reshape(shape[1], -1).T)
        self._v = np.broadcast_to(np.asarray(lif.v_rest, np.float64), shape).copy()
        self._i, self._refractory = np.zeros(shape), np.zeros(shape, np.uint64)
        self._before = np.zeros((shape[0], 0), np.uint64)

    def potentials(self) -> Reals:
        """Return the membrane potentials in volts, shape (rows, n_out)."""
        return self._layer.flatten(self._v)

    def drive(self, signal: Reals) -> Reals:
        """Return the weighted sums of densities (rows, n_in, steps or 1), those of steps in a row."""
        layer = self._layer
        if not layer.sampled:
            return exact_sums(layer, signal[..., 0])[:, np.newaxis]
        if isinstance(layer, Conv2d):
            patches = layer.patches(np.ascontiguousarray(signal))
            sums = np.swapaxes(layer.weights.reshape(len(layer.weights), -1) @ patches, 1, 2)
        else:
            sums = np.swapaxes(signal, 1, 2) @ layer.weights.T
        return np.ascontiguousarray(sums if layer.bias is None else sums + layer.bias)

    def sums(self, x: Words, steps: int) -> Reals:
        """Return the weighted sums of packed spikes (rows, n_in, n_words)."""
        patches = np.ascontiguousarray(self._layer.patches(x))
        return _native.real_sums(patches, self._weights, self._layer.bias, steps)

    def spikes(self, sums: Reals, steps: int) -> Words:
        """Return the packed spikes of a block of time (rows, n_out, n_words), and advance the state."""
        if sums.shape[1] == 1 and len(self._parameters) == 1:  # constant: all neurons side by side
            currents = (sums * self._gain).reshape(-1, 1)
            state = self._v.reshape(-1), self._refractory.reshape(-1), self._i.reshape(-1)
            words = _native.lif(self._parameters[0], 0, currents, 0, 0, steps, *state)
            return self._layer.flatten(words.reshape(*self._v.shape, -1))
        words, _ = _native.neurons(
            self._parameters, 0, sums, self._gain, None, None, 1, 0, 1, 0, steps,
            self._v, self._refractory, self._i, self._before, False,
        )  # fmt: skip
        return self._layer.flatten(words)


class RealLayer:
    """A layer without noise, and the state of its neurons and inputs during a run."""

    def __init__(self, layer: Layer, rows: int) -> None:
        self._layer, neuron, n = layer, layer.neuron, layer.positions
        shape = (rows, layer.n_out)
        self._gain = of_each(layer, layer.gain)
        self._own: dict[str, Reals] = {}
        if isinstance(neuron, StepNeuron):
            self._own = neuron.start(*shape)
            self._v = self._own["v"]
            return
        neuron = replace(neuron, noise_std=0.0)
        self._parameters = neuron.parameters
        if neuron.n_neurons is not None:
            self._parameters = [part for part in neuron.parameters for _ in range(n)]
        self._v = np.broadcast_to(of_each(layer, neuron.v_rest), shape).copy()
        self._i, self._refractory = np.zeros(shape), np.zeros(shape, np.uint64)
        recurrent = layer.recurrent if isinstance(layer, Dense) else None
        self._senders = None if recurrent is None else np.ascontiguousarray(recurrent.T)
        self._before = np.zeros((rows, n_words(layer.n_out)), np.uint64)

    def potentials(self) -> Reals:
        """Return the membrane potentials in volts, shape (rows, n_out)."""
        return self._v

    def spikes(self, signal: Reals, steps: int) -> NDArray[np.uint8]:
        """Return the spikes of a block of time, and advance the state.

        Parameters
        ----------
        signal : ndarray of float64, shape (rows, n_in, steps) or (rows, n_in, 1)
            Inputs, after their delays; a single time step stands for inputs that are constant.
        steps : int

        Returns
        -------
        ndarray of uint8, shape (rows, n_out, steps)
        """
        sums = np.ascontiguousarray(np.swapaxes(drive(self._layer, signal), 1, 2))
        if isinstance(self._layer.neuron, StepNeuron):
            of_steps = np.broadcast_to(sums * self._gain, (len(sums), steps, sums.shape[2]))
            words, _ = self._layer.neuron.run(self._own, of_steps)
            self._v = self._own["v"]
            return unpack(words, steps)
        words, _ = _native.neurons(
            self._parameters, 0, sums, self._gain, self._senders, None, 1, 0, 1, 0, steps,
            self._v, self._refractory, self._i, self._before, False,
        )  # fmt: skip
        return unpack(words, steps)


def drive(layer: Layer, signal: Reals) -> Reals:
    """Return the weighted sums of inputs (rows, n_in, steps or 1), shape (rows, n_out, steps or 1)."""
    if not layer.sampled:
        return layer.flatten(exact_sums(layer, signal[..., 0])[..., np.newaxis])
    if isinstance(layer, Conv2d):
        patches = layer.patches(np.ascontiguousarray(signal))
        sums = layer.flatten(layer.weights.reshape(len(layer.weights), -1) @ patches)
        bias = None if layer.bias is None else np.repeat(layer.bias, layer.positions)
    else:
        sums = np.swapaxes(np.swapaxes(signal, 1, 2) @ layer.weights.T, 1, 2)
        bias = layer.bias
    return sums if bias is None else sums + bias[:, np.newaxis]
