"""Model of a design: counts, potentials, spikes and saturations of its layers at each time step."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _native
from sc_neurocore._types import Words
from sc_neurocore.hardware.design import Design, LayerDesign
from sc_neurocore.networks._inputs import InputLike, Inputs, with_always_on
from sc_neurocore.networks.layers import Dense
from sc_neurocore.networks.network import delays_of_sources
from sc_neurocore.streams import Bitstream
from sc_neurocore.streams._bits import pack, unpack

__all__ = ["LayerTrace", "LayerTracer", "trace"]


@dataclass(frozen=True, eq=False)
class LayerTrace:
    """State of a layer at each time step.

    Attributes
    ----------
    counts : ndarray of int32, shape ``(*batch, n_out, steps)``
        Signed number of products that are 1, per neuron; its current if it takes numbers.
    potentials : ndarray of int32, shape ``(*batch, n_out, steps)``
        Potentials at the end of the step, in units of the last place.
    spikes : Bitstream, batch shape ``(*batch, n_out)``
    saturations : ndarray of uint64, shape ``(*batch, n_out, 2)``
        Number of sums that saturated at the lower and at the upper end of the word.
    """

    counts: NDArray[np.int32]
    potentials: NDArray[np.int32]
    spikes: Bitstream
    saturations: Words


class LayerTracer:
    """Model of a layer or a batch of copies, which is run block by block.

    Parameters
    ----------
    layer : LayerDesign
    batch : tuple of int
        Batch shape of the inputs.

    Attributes
    ----------
    layer : LayerDesign
    v, i : ndarray of int32
        Potentials and synaptic currents after the last block, in units of the last place.
    refractory : ndarray of uint64
        Remaining refractory steps after the last block.
    """

    def __init__(self, layer: LayerDesign, batch: tuple[int, ...] = ()) -> None:
        self.layer = layer
        self._shape = *batch, layer.n_out
        self.v = np.zeros(math.prod(self._shape), np.int32)
        self.i = np.zeros_like(self.v)
        self.refractory = np.zeros(self.v.size, np.uint64)
        self._step = 0

    def run(self, x: NDArray[Any], steps: int) -> LayerTrace:
        """Run the next block and return its trace.

        Parameters
        ----------
        x : ndarray of uint64, shape ``(*batch, n_in, n_words)``
            Packed inputs, delayed, without the bias, with all bits of each step. The layer's own spikes
            of the step before come last, if it has recurrent weights. Of a layer that takes numbers,
            int64 numbers of shape ``(*batch, n_in)``.
        steps : int
            Number of time steps, a multiple of 64 in every block but the last.
        """
        layer = self.layer
        if not layer.sampled:
            return self._run_numbers(x, steps)
        n_bits = steps << layer.substeps
        x = x.reshape(-1, *x.shape[-2:])
        own = x[:, layer.layer.n_in :]
        x = layer.layer.patches(np.ascontiguousarray(x[:, : layer.layer.n_in]))
        if layer.has_bias:
            x = with_always_on(x, n_bits)
        if own.shape[1]:
            x = np.concatenate([x, own], axis=1)
        magnitudes = layer.magnitudes.ravel()
        first = (self._step << layer.substeps) // 64
        bits = layer.numbers.words(magnitudes, first, n_bits).reshape(*layer.negative.shape, -1)
        n_rows = len(layer.magnitudes)
        counts = np.zeros((len(x) * n_rows, steps), np.int32)
        for sign, chosen in ((1, ~layer.negative), (-1, layer.negative)):
            ones = _native.channel_counts(x, bits * chosen[:, :, np.newaxis], n_bits)
            counts += sign * ones.view(np.int32).reshape(*counts.shape, -1).sum(axis=-1, dtype=np.int32)
        return self._stepped(counts)

    def _run_numbers(self, x: NDArray[Any], steps: int) -> LayerTrace:
        """Run steps of a layer that takes numbers."""
        layer, n = self.layer, self.layer.n_in - self.layer.has_bias
        patches = layer.layer.patches(x.reshape(-1, layer.layer.n_in, 1).astype(np.int64))[..., 0]
        weights = layer.codes
        sums = patches @ weights[:, :n].T + (weights[:, n:].sum(axis=1) << layer.numbers.bits)
        currents = (sums + layer.half >> max(layer.drop, 0)) << max(-layer.drop, 0)
        return self._stepped(np.repeat(currents.reshape(-1, 1).astype(np.int32), steps, axis=1))

    def _stepped(self, counts: NDArray[np.int32]) -> LayerTrace:
        """Step the neurons, from counts (rows * positions * n_rows, steps)."""
        layer, n_rows, steps = self.layer, len(self.layer.magnitudes), counts.shape[1]
        saturations = np.zeros((len(counts), 2), np.uint64)
        neuron, driven = layer.neuron, counts
        if neuron.noise is not None:
            noise = neuron.noise.values(self._step, steps, layer.n_out).T
            currents = counts.reshape(-1, *noise.shape) * neuron.one + noise
            driven = currents.reshape(counts.shape).astype(np.int32)
            neuron = replace(neuron, fraction=0)
        self._step += steps
        potentials, spikes = _native.fixed_trace(
            neuron._integers, driven, self.v, self.refractory, self.i, saturations
        )

        def placed(values: NDArray[Any]) -> NDArray[Any]:
            flat = layer.layer.flatten(values.reshape(len(counts) // n_rows, n_rows, -1))
            return flat.reshape(*self._shape, -1)

        return LayerTrace(
            placed(counts), placed(potentials), Bitstream(placed(spikes), steps), placed(saturations)
        )


def trace(design: Design, x: InputLike) -> tuple[LayerTrace, ...]:
    """Return the trace of every layer of a design.

    The spikes and the last potentials equal those of `Design.simulate`. The spikes that layers see of
    themselves and of later layers are those of the simulation.

    Parameters
    ----------
    design : Design
    x : array_like of shape (n_in,), (n, n_in) or (n, n_in, length), or Bitstream
        Densities in [0, 1], or input spikes.

    Raises
    ------
    ValueError
        If x has another shape.
    """
    inputs = Inputs.of("x", x, design.network)
    k, steps = design.bits_per_step, design.length if inputs.length is None else inputs.length
    if isinstance(inputs.values, Bitstream):
        bits = np.repeat(inputs.values.bits(), k, axis=-1)
    elif inputs.length is None:
        codes = design.fixed_point.codes(inputs.values)
        words = design.encoder.words(codes.ravel(), 0, steps * k).reshape(*codes.shape, -1)
        bits = unpack(words, steps * k)
    else:
        codes = design.fixed_point.codes(inputs.values)
        numbers = design.encoder.source.numbers(0, steps * k, key=0) >> (32 - design.encoder.bits)
        bits = (numbers < np.repeat(codes, k, axis=-1)).astype(np.uint8)
    network = design.fixed.network
    past: dict[int, NDArray[np.uint8]] = {}
    if network.feedback_delay is not None or any(
        isinstance(layer, Dense) and layer.recurrent is not None for layer in network
    ):
        run = design.simulate(inputs, record=True)
        past = {
            i: np.repeat(spikes.bits().reshape(len(inputs), -1, steps), k, axis=-1)
            for i, spikes in enumerate(run.spikes)
        }
    seen: dict[int, NDArray[np.uint8]] = {}
    layers = []
    for i, layer in enumerate(design.layers):
        parts = []
        for source, delays in delays_of_sources(network, i):
            if isinstance(source, slice):
                of_source = bits[:, source]
            else:
                of_source = seen[source] if source < i else past[source]
            parts.append(_delayed(of_source, delays * k))
        if isinstance(layer.layer, Dense) and layer.layer.recurrent is not None:
            parts.append(_delayed(past[i], np.full(layer.n_out, k)))
        if layer.sampled:
            given = pack(np.concatenate(parts, axis=1))
        else:
            given = np.concatenate([codes[:, source] for source in network.connections[i]], axis=1)
        layers.append(LayerTracer(layer, inputs.batch).run(given, steps))
        spikes = layers[-1].spikes.bits().reshape(len(inputs), layer.n_out, steps)
        seen[i] = np.repeat(spikes, k, axis=-1)
    return tuple(layers)


def _delayed(bits: NDArray[np.uint8], delays: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return bits (rows, n, time) with a delay for each of n, zeros before."""
    if not delays.any():
        return bits
    at = np.arange(bits.shape[-1]) - delays[:, np.newaxis]
    late = np.take_along_axis(bits, np.maximum(at, 0)[np.newaxis], axis=-1)
    return late * (at >= 0).astype(np.uint8)
