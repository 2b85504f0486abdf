"""Layers on bitstreams. Time goes by in blocks of words, which bounds the memory of `simulate`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _native
from sc_neurocore._progress import Bar
from sc_neurocore._types import Reals, Words
from sc_neurocore.networks._delays import DelayLine
from sc_neurocore.networks._inputs import with_always_on
from sc_neurocore.networks.fixed_point import FixedLIF
from sc_neurocore.networks.layers import Conv2d, Dense, Layer
from sc_neurocore.neurons import (
    LIF,
)
from sc_neurocore.streams import (
    Bernoulli,
    Role,
    Source,
    stream_key,
)
from sc_neurocore.streams._bits import n_words
from sc_neurocore.streams.keys import (
    lane_streams,
)

# Limits of a block of time: words of spikes of a layer (8 MB), and words of weight bits that the
# kernels make: less than a second of work, which bounds the delay of an interrupt or a progress bar.
_SPIKE_WORDS, _MADE_WORDS = 2**20, 2**26
# Words of bits that are kept in memory (64 MB) where the kernels do not make them as they go.
_KEPT_WORDS = 2**23


class Bits:
    """Words of streams, made ahead of their use because some sources make whole periods at a time."""

    def __init__(self, make: Callable[[int, int], Words], ahead: int, length: int) -> None:
        self._make, self._ahead, self._length = make, ahead, length
        self._made, self._from = np.empty((0, 0, 0), np.uint64), 0

    @classmethod
    def of(cls, source: Source, key: int, streams: Words, thresholds: Words, length: int) -> Bits:
        """Return the bits of rows of thresholds that all use the same streams."""

        def make(first: int, steps: int) -> Words:
            return source.words(thresholds, streams, steps, key=key, first_word=first)

        ahead = 0 if source == Bernoulli() else max(_KEPT_WORDS // thresholds.size, 1)
        return cls(make, ahead, length)

    def words(self, first: int, n: int) -> Words:
        """Return n words from word `first` on, contiguous, shape (..., n)."""
        if first + n > self._from + self._made.shape[-1]:
            self._made = self._made[..., :0].copy()  # frees the memory before more is taken
            steps = min(64 * max(n, self._ahead), self._length - 64 * first)
            self._made, self._from = self._make(first, steps), first
        here = first - self._from
        return np.ascontiguousarray(self._made[..., here : here + n])


@dataclass(frozen=True, eq=False)
class LayerState:
    """State of a layer during a run; `BitLayer.run` changes the arrays in place.

    A row is an input of the batch, or a position of one in a convolution.

    Attributes
    ----------
    v, i : ndarray of float64, shape (rows, n_rows of the matrix)
        Membrane potentials and synaptic currents.
    refractory : ndarray of uint64, shape (rows, n_rows of the matrix)
        Refractory steps that are left.
    before : ndarray of uint64, shape (batch, n_words of neurons)
        Spikes of the previous step, packed over neurons; no words without recurrent weights.
    late : DelayLine or None
    bits : Bits or None
        Weight bits; None if the kernel makes them.
    """

    v: Reals
    refractory: Words
    i: Reals
    before: Words
    late: DelayLine | None
    bits: Bits | None


@dataclass(frozen=True, eq=False, kw_only=True)
class BitLayer:
    """A layer ready to run on bitstreams: everything that depends on neither inputs nor length.

    Attributes
    ----------
    layer : Dense or Conv2d
    neuron : LIF or FixedLIF
    weight_key, noise_key : int
    share : bool
        Whether all neurons use the weight numbers of the first one.
    source : Source
    thresholds : ndarray of uint64 or None
        Of the weights, shape (n_rows, fan_in) if numbers are shared, else (1, n_rows * fan_in). None if
        the kernel makes the bits itself, as it does for Bernoulli streams.
    streams : ndarray of uint64 or None
        Numbers of the weights' streams, one per column of `thresholds`.
    """

    layer: Layer
    neuron: LIF | FixedLIF
    weight_key: int
    noise_key: int
    share: bool
    source: Source
    thresholds: Words | None
    streams: Words | None

    @classmethod
    def of(
        cls,
        layer: Layer,
        neuron: LIF | FixedLIF,
        number: int,
        *,
        seed: int,
        source: Source,
        share: bool,
    ) -> BitLayer:
        """Return layer `number` of a network, ready to run."""
        thresholds = streams = None
        if source != Bernoulli() or (isinstance(layer, Dense) and layer.recurrent is not None):
            thresholds = source.thresholds(np.abs(_all_weights(layer)))
            rows, fan_in = thresholds.shape
            streams = lane_streams(1 if share else rows, fan_in).ravel()
            thresholds = thresholds if share else thresholds.reshape(1, -1)
        return cls(
            layer=layer,
            neuron=neuron,
            weight_key=stream_key(seed, Role.WEIGHT, number),
            noise_key=stream_key(seed, Role.NOISE, number),
            share=share,
            source=source,
            thresholds=thresholds,
            streams=streams,
        )

    def start(self, batch: int, length: int) -> LayerState:
        """Return the state at rest before the first of `length` time steps, for a batch of inputs."""
        layer, delays, bits = self.layer, self.layer.delays, None
        if self.thresholds is not None and self.streams is not None:
            bits = Bits.of(self.source, self.weight_key, self.streams, self.thresholds, length)
        recurrent = isinstance(layer, Dense) and layer.recurrent is not None
        shape = batch * layer.positions, len(layer.matrix)
        return LayerState(
            v=np.full(shape, self.neuron.v_rest if isinstance(self.neuron, LIF) else 0.0),
            refractory=np.zeros(shape, np.uint64),
            i=np.zeros(shape),
            before=np.zeros((batch, n_words(layer.n_out) if recurrent else 0), np.uint64),
            late=None if delays is None else DelayLine(delays, batch, length, packed=True),
            bits=bits,
        )

    def run(self, state: LayerState, x: Words, first: int, steps: int) -> Words:
        """Return the packed spikes of a block of time, and advance the state.

        Parameters
        ----------
        state : LayerState
        x : ndarray of uint64, shape (batch, n_in, n_words)
        first : int
            Number of the block's first word.
        steps : int
            Time steps of the block; fewer than 64 * n_words in the last block only.

        Returns
        -------
        ndarray of uint64, shape (batch, n_out, n_words)
        """
        layer, bits = self.layer, None
        if state.bits is not None:
            bits = state.bits.words(first, x.shape[-1]).reshape(len(layer.matrix), -1, x.shape[-1])
        if state.late is not None:
            x = state.late.delay_words(x, steps)
        if isinstance(layer, Conv2d):
            return self._run_patches(layer, state, x, bits, first, steps)
        if layer.bias is not None:
            x = with_always_on(x, steps)
        if layer.recurrent is None:
            return self._run_rows(state, slice(None), x, bits, first, steps)
        assert bits is not None
        return self._run_recurrent(layer, layer.recurrent, state, x, bits, first, steps)

    def potentials(self, state: LayerState) -> Reals:
        """Return the membrane potentials in volts, shape (batch, n_out)."""
        v = state.v if isinstance(self.neuron, LIF) else self.neuron.volts(state.v)
        return self.layer.flatten(v)

    @property
    def _gain(self) -> float:
        """Current of a single one, or what it adds to a potential in fixed point."""
        if isinstance(self.neuron, LIF):
            return self.layer.gain
        return float(2**self.neuron.fraction)

    def _run_rows(
        self, state: LayerState, rows: slice, x: Words, bits: Words | None, first: int, steps: int
    ) -> Words:
        layer = self.layer
        return _native.dense(
            self.neuron._parameters, self.weight_key, self.noise_key, x, layer.codes, bits,
            self.share, self._gain, layer.positions, first, steps, state.v[rows],
            state.refractory[rows], state.i[rows],
        )  # fmt: skip

    def _run_patches(
        self, layer: Conv2d, state: LayerState, x: Words, bits: Words | None, first: int, steps: int
    ) -> Words:
        """Run some images at a time: patches overlap, so they take more memory than the images."""
        positions, out = layer.positions, np.empty((len(x), layer.n_out, x.shape[-1]), np.uint64)
        images = max(_SPIKE_WORDS // (positions * layer.matrix.shape[1] * x.shape[-1]), 1)
        for image in range(0, len(x), images):
            patches = layer.patches(x[image : image + images])
            if layer.bias is not None:
                patches = with_always_on(patches, steps)
            rows = slice(image * positions, image * positions + len(patches))
            spikes = self._run_rows(state, rows, patches, bits, first, steps)
            out[image : image + images] = layer.flatten(spikes)
        return out

    def _run_recurrent(
        self,
        layer: Dense,
        weights: NDArray[np.float64],
        state: LayerState,
        x: Words,
        bits: Words,
        first: int,
        steps: int,
    ) -> Words:
        n_forward = layer.matrix.shape[1]
        sign = layer.matrix[:, :, np.newaxis]
        forward = bits[:, :n_forward]
        positive, negative = np.where(sign > 0, forward, 0), np.where(sign < 0, forward, 0)
        own = np.ascontiguousarray(bits[:, n_forward:])
        senders = np.ascontiguousarray(weights.T)
        out = np.empty((len(x), layer.n_out, x.shape[-1]), np.uint64)
        some = max(_SPIKE_WORDS // (layer.n_out * steps), 1)
        for row in range(0, len(x), some):
            rows = slice(row, row + some)
            drive = _native.channel_counts(x[rows], positive, steps).astype(np.float64)
            drive -= _native.channel_counts(x[rows], negative, steps)
            out[rows] = _native.recurrent(
                layer.neuron._parameters, self.noise_key, drive, senders, own, layer.gain, first,
                state.v[rows], state.refractory[rows], state.i[rows], state.before[rows],
            )  # fmt: skip
        return out


def run_layers(
    layers: Sequence[BitLayer],
    states: Sequence[LayerState],
    inputs: Bits,
    batch: int,
    length: int,
    *,
    record: bool,
    bar: Bar,
) -> tuple[NDArray[np.int64], list[Words], list[bool]]:
    """Run a network block by block of time, and advance the states of its layers.

    Returns
    -------
    counts : ndarray of int64, shape (batch, n_out)
        Spikes of the last layer.
    trains : list of ndarray of uint64, shape (batch, n_out of the layer, n_words)
        Packed spikes of every layer; empty unless `record`.
    fired : list of bool
        Whether any neuron of each layer fired.
    """
    fired = [False] * len(layers)
    total = n_words(length)
    sizes = [part.layer.n_out for part in layers]
    counts = np.zeros((batch, sizes[-1]), np.int64)
    trains = [np.empty((batch, n, total), np.uint64) for n in sizes if record]
    widest = max(layers[0].layer.n_in, *sizes)
    made = sum(_all_weights(part.layer).size for part in layers)
    kept = max(_kept(part) for part in layers)
    step = max(min(_SPIKE_WORDS // (batch * widest), _MADE_WORDS // made, _KEPT_WORDS // kept), 1)
    for first in range(0, total, step):
        block = slice(first, min(first + step, total))
        steps = min(64 * block.stop, length) - 64 * first
        spikes = inputs.words(first, block.stop - first)
        for i, (layer, state) in enumerate(zip(layers, states, strict=True)):
            spikes = layer.run(state, spikes, first, steps)
            fired[i] = fired[i] or bool(spikes.any())
            if record:
                trains[i][:, :, block] = spikes
        counts += np.bitwise_count(spikes).sum(axis=-1, dtype=np.int64)
        bar.update(steps)
    return counts, trains, fired


def _kept(part: BitLayer) -> int:
    """Return the words kept per word of time: weight bits, patches of an image, currents."""
    layer, made = part.layer, 1 if part.thresholds is None else int(part.layer.matrix.size)
    if isinstance(layer, Conv2d):
        return made + layer.positions * int(layer.matrix.shape[1])
    if layer.recurrent is None:
        return made
    return 3 * made + 2 * layer.recurrent.size + 2 * 64 * layer.n_out


def _all_weights(layer: Layer) -> NDArray[np.float64]:
    """Return the matrix of a layer and, as further columns, its recurrent weights."""
    if isinstance(layer, Conv2d) or layer.recurrent is None:
        return layer.matrix
    return np.concatenate([layer.matrix, layer.recurrent], axis=1)
