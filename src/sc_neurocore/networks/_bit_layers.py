"""Layers on packed spikes, block by block of time, which bounds the memory of `simulate`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _native
from sc_neurocore._progress import Bar
from sc_neurocore._types import Words
from sc_neurocore.networks.fixed_point import FixedLIF
from sc_neurocore.networks.layers import (
    Conv2d,
    Dense,
    Layer,
    delays_of,
)
from sc_neurocore.neurons.lif import LIF
from sc_neurocore.streams._bits import last_mask, ones
from sc_neurocore.streams.keys import Role, lane_streams, stream_key
from sc_neurocore.streams.source import Bernoulli, Source

# Words of spikes of a layer in a block of time, 8 MB, and of weight bits that are made in it: less than
# a second of work, which an interrupt or a bar waits for.
_SPIKE_WORDS, _MADE_WORDS = 2**20, 2**26
# Words of bits that are kept where no kernel makes them on its way: 64 MB.
_KEPT_WORDS = 2**23


class Bits:
    """Words of streams, made some time ahead: some sources make whole periods."""

    def __init__(self, make: Callable[[int, int], Words], ahead: int, length: int) -> None:
        self._make, self._ahead, self._length = make, ahead, length
        self._made, self._from = np.empty((0, 0, 0), np.uint64), 0

    @classmethod
    def of(cls, source: Source, key: int, streams: Words, thresholds: Words, length: int) -> Bits:
        """Return those of rows of thresholds that see the same streams."""

        def make(first: int, steps: int) -> Words:
            return source.words(thresholds, streams, steps, key=key, first_word=first)

        ahead = 0 if source == Bernoulli() else max(_KEPT_WORDS // thresholds.size, 1)
        return cls(make, ahead, length)

    def words(self, first: int, n: int) -> Words:
        """Return n words from a word on, of shape (..., n), contiguous."""
        if first + n > self._from + self._made.shape[-1]:
            self._made = self._made[..., :0].copy()  # lets go of the memory
            steps = min(64 * max(n, self._ahead), self._length - 64 * first)
            self._made, self._from = self._make(first, steps), first
        here = first - self._from
        return np.ascontiguousarray(self._made[..., here : here + n])


class DelayLine:
    """Inputs that arrive late: holds the words that later blocks still need."""

    def __init__(self, delays: NDArray[np.int64], rows: int, length: int) -> None:
        late = np.minimum(delays, length)
        self._words, self._bits = late[:, np.newaxis] // 64, late[:, np.newaxis].astype(np.uint64) % 64
        self._past = np.zeros((rows, len(delays), int(self._words.max()) + 1), np.uint64)

    def shifted(self, x: Words, steps: int) -> Words:
        """Return the late inputs of a block (rows, n_in, words) of that many steps."""
        n_past = self._past.shape[-1]
        whole = np.concatenate([self._past, x], axis=-1)
        inputs = np.arange(x.shape[1])[:, np.newaxis]
        word = n_past + np.arange(x.shape[-1]) - self._words
        late = whole[:, inputs, word] << self._bits
        late |= whole[:, inputs, word - 1] >> (np.uint64(63) - self._bits) >> np.uint64(1)
        late[..., -1] &= last_mask(steps)
        self._past = whole[..., whole.shape[-1] - n_past :].copy()
        return np.ascontiguousarray(late)


@dataclass
class LayerRun:
    """A layer as the native core takes it, its keys, and the state of its neurons and inputs.

    Rows are images, or positions of images; potentials and the like have shape (rows, neurons).
    """

    layer: Layer
    neuron: LIF | FixedLIF
    weight_key: int
    noise_key: int
    shared: bool
    bits: Bits | None
    late: DelayLine | None
    v: NDArray[np.float64]
    refractory: Words
    i: NDArray[np.float64]
    before: Words

    @classmethod
    def of(
        cls,
        layer: Layer,
        neuron: LIF | FixedLIF,
        number: int,
        rows: int,
        length: int,
        seed: int,
        source: Source,
        shared: bool,
    ) -> LayerRun:
        """Return a layer of a network at rest before the first step, with its neurons."""
        key = stream_key(seed, Role.WEIGHT, number)
        delays = delays_of(layer)
        neurons = len(layer.weights)
        shape = (rows * _positions(layer), neurons)
        recurrent = isinstance(layer, Dense) and layer.recurrent is not None
        bits = None  # the kernel makes those of Bernoulli streams itself, where it needs them
        if source != Bernoulli() or recurrent:
            thresholds = source.thresholds(np.abs(_all_weights(layer)))
            fan_in = thresholds.shape[1]
            if shared:
                bits = Bits.of(source, key, lane_streams(1, fan_in).ravel(), thresholds, length)
            else:
                streams = lane_streams(neurons, fan_in).ravel()
                bits = Bits.of(source, key, streams, thresholds.reshape(1, -1), length)
        return cls(
            layer,
            neuron,
            key,
            stream_key(seed, Role.NOISE, number),
            shared,
            bits,
            None if delays is None else DelayLine(delays, rows, length),
            np.full(shape, neuron.v_rest if isinstance(neuron, LIF) else 0.0),
            np.zeros(shape, np.uint64),
            np.zeros(shape),
            np.zeros((rows, -(-neurons // 64) if recurrent else 0), np.uint64),
        )

    def run(self, x: Words, first: int, steps: int) -> Words:
        """Return the spikes under packed inputs, for a block of time from a word on."""
        layer, n_words = self.layer, x.shape[-1]
        bits = None
        if self.bits is not None:
            bits = self.bits.words(first, n_words).reshape(len(layer.weights), -1, n_words)
        if self.late is not None:
            x = self.late.shifted(x, steps)
        if isinstance(layer, Conv2d):
            return self._run_patches(layer, x, bits, first, steps)
        x = _with_always_on(x, steps, layer)
        if layer.recurrent is None:
            return self._run_rows(slice(None), x, bits, first, steps)
        assert bits is not None
        return self._run_recurrent(layer, layer.recurrent, x, bits, first, steps)

    def potentials(self) -> NDArray[np.float64]:
        """Return the membrane potentials in volts, shape (images, n_out)."""
        v = self.v if isinstance(self.neuron, LIF) else self.neuron.volts(self.v)
        return self.layer._flattened(v) if isinstance(self.layer, Conv2d) else v

    @property
    def _gain(self) -> float:
        """What a single one adds to the current, or to a potential in fixed point."""
        if isinstance(self.neuron, LIF):
            return self.layer.gain
        return float(2**self.neuron.fraction)

    def _run_rows(self, rows: slice, x: Words, bits: Words | None, first: int, steps: int) -> Words:
        layer = self.layer
        return _native.dense(
            self.neuron._parameters, self.weight_key, self.noise_key, x, layer._codes, bits,
            self.shared, self._gain, _positions(layer), first, steps, self.v[rows],
            self.refractory[rows], self.i[rows],
        )  # fmt: skip

    def _run_patches(
        self, layer: Conv2d, x: Words, bits: Words | None, first: int, steps: int
    ) -> Words:
        """Run some images at a time, for their patches overlap and take more room than they."""
        positions, out = layer._positions, np.empty((len(x), layer.n_out, x.shape[-1]), np.uint64)
        images = max(_SPIKE_WORDS // (positions * layer._matrix.shape[1] * x.shape[-1]), 1)
        for image in range(0, len(x), images):
            patches = _with_always_on(layer._patches(x[image : image + images]), steps, layer)
            rows = slice(image * positions, image * positions + len(patches))
            spikes = self._run_rows(rows, patches, bits, first, steps)
            out[image : image + images] = layer._flattened(spikes)
        return out

    def _run_recurrent(
        self, layer: Dense, weights: NDArray[np.float64], x: Words, bits: Words, first: int, steps: int
    ) -> Words:
        n_forward = layer._matrix.shape[1]
        sign = layer._matrix[:, :, np.newaxis]
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
                self.v[rows], self.refractory[rows], self.i[rows], self.before[rows],
            )  # fmt: skip
        return out


def run_layers(
    runs: Sequence[LayerRun], inputs: Bits, rows: int, length: int, record: bool, bar: Bar
) -> tuple[NDArray[np.int64], list[Words]]:
    """Return the counts of the last layer and, if recorded, the spikes of all; block by block."""
    n_words = -(-length // 64)
    layers = [run.layer for run in runs]
    counts = np.zeros((rows, layers[-1].n_out), np.int64)
    trains = [np.empty((rows, layer.n_out, n_words), np.uint64) for layer in layers if record]
    widest = max(layers[0].n_in, *(layer.n_out for layer in layers))
    made = sum(_all_weights(layer).size for layer in layers)
    kept = max(_kept(run) for run in runs)
    step = max(min(_SPIKE_WORDS // (rows * widest), _MADE_WORDS // made, _KEPT_WORDS // kept), 1)
    for first in range(0, n_words, step):
        block = slice(first, min(first + step, n_words))
        steps = min(64 * block.stop, length) - 64 * first
        spikes = inputs.words(first, block.stop - first)
        for i, run in enumerate(runs):
            spikes = run.run(spikes, first, steps)
            if record:
                trains[i][:, :, block] = spikes
        counts += np.bitwise_count(spikes).sum(axis=-1, dtype=np.int64)
        bar.update(steps)
    return counts, trains


def _kept(run: LayerRun) -> int:
    """Words that a word of time takes beside spikes: weight bits, patches of an image, currents."""
    layer, made = run.layer, int(run.layer._matrix.size) if run.bits is not None else 1
    if isinstance(layer, Conv2d):
        return made + layer._positions * int(layer._matrix.shape[1])
    if layer.recurrent is None:
        return made
    return 3 * made + 2 * layer.recurrent.size + 2 * 64 * layer.n_out


def _all_weights(layer: Layer) -> NDArray[np.float64]:
    """Return a row of weights for each neuron that has weights of its own: inputs, bias, recurrence."""
    if isinstance(layer, Conv2d) or layer.recurrent is None:
        return layer._matrix
    return np.concatenate([layer._matrix, layer.recurrent], axis=1)


def _positions(layer: Layer) -> int:
    return layer._positions if isinstance(layer, Conv2d) else 1


def _with_always_on(x: Words, steps: int, layer: Layer) -> Words:
    """Return the inputs and, for a bias, one that is on at every step."""
    if layer.bias is None:
        return x
    return np.concatenate([x, ones((len(x), 1), steps)], axis=1)
