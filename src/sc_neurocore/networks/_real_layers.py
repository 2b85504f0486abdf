"""Layers on real numbers in the place of bitstreams: inputs and weights of the float reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _native
from sc_neurocore.networks.layers import (
    Conv2d,
    Dense,
    Layer,
    delays_of,
)
from sc_neurocore.streams._bits import unpack

Reals = NDArray[np.float64]

# Values of a signal that are held at a time, 80 MB.
_VALUES = 10_000_000


def run_rows(layers: Sequence[Layer], rows: Reals, length: int) -> tuple[NDArray[np.int64], Reals]:
    """Return counts and potentials of the last layer under constant inputs (batch, n_in)."""
    runs = [RealRun(layer, len(rows), length) for layer in layers]
    counts = np.zeros((len(rows), layers[-1].n_out), np.int64)
    block = max(64 * (_VALUES // (64 * widest(layers))), 64)
    for first in range(0, length, block):
        steps = min(block, length - first)
        signal = rows[:, np.newaxis, :]  # constant in time until the first neurons fire
        for run in runs:
            train = run.spikes(signal, first, steps)
            signal = np.swapaxes(train, 1, 2).astype(np.float64)
        counts += train.sum(axis=-1, dtype=np.int64)
    return counts, runs[-1].potentials()


def widest(layers: Sequence[Layer]) -> int:
    """Return the most values that a row takes at a step in any layer, at least 128."""
    sizes = [128, layers[0].n_in]
    for layer in layers:
        patches = layer._matrix.shape[1] * layer._positions if isinstance(layer, Conv2d) else 0
        sizes += [layer.n_out, patches]
    return max(sizes)


def chunks(layers: Sequence[Layer], rows: Reals, length: int) -> list[Reals]:
    """Split a batch so that a bounded number of values is held at a time."""
    size = max(1, _VALUES // (length * widest(layers)))
    return [rows[i : i + size] for i in range(0, len(rows), size)]


class RealRun:
    """A layer without noise, and the state of its neurons and inputs."""

    def __init__(self, layer: Layer, rows: int, length: int) -> None:
        self._layer = layer
        self._parameters = replace(layer.neuron, noise_std=0.0)._parameters
        shape = (rows, layer.n_out)
        self._v, self._i = np.full(shape, layer.neuron.v_rest), np.zeros(shape)
        self._refractory = np.zeros(shape, np.uint64)
        self._before = np.zeros((rows, -(-layer.n_out // 64)), np.uint64)
        delays = delays_of(layer)
        self._delays = None if delays is None else np.minimum(delays, length)
        if self._delays is not None:
            self._past = np.zeros((rows, int(self._delays.max()), layer.n_in))

    def potentials(self) -> Reals:
        """Return the membrane potentials, shape (rows, n_out)."""
        return self._v

    def spikes(self, signal: Reals, first: int, steps: int) -> NDArray[np.uint8]:
        """Return spikes (rows, n_out, steps) under inputs (rows, steps or 1, n_in), from a step on."""
        layer = self._layer
        if self._delays is not None:
            signal = self._late(signal, steps)
        drive = _drive(layer, signal)
        if isinstance(layer, Dense) and layer.recurrent is not None:
            words = _native.recurrent(
                self._parameters, 0, _stretched(drive, steps), layer.recurrent.T.copy(), None,
                layer.gain, first // 64, self._v, self._refractory, self._i, self._before,
            )  # fmt: skip
        else:
            traces = np.ascontiguousarray(layer.gain * drive).reshape(self._v.size, -1)
            state = self._v.reshape(-1), self._refractory.reshape(-1), self._i.reshape(-1)
            words = _native.lif(self._parameters, 0, traces, 0, first, steps, *state)
        return unpack(words, steps).reshape(*self._v.shape, steps)

    def _late(self, signal: Reals, steps: int) -> Reals:
        assert self._delays is not None
        n_past = self._past.shape[1]
        given = np.broadcast_to(signal, (len(signal), steps, signal.shape[2]))
        whole = np.concatenate([self._past, given], axis=1)
        at = n_past + np.arange(steps)[:, np.newaxis] - self._delays
        self._past = whole[:, whole.shape[1] - n_past :].copy()
        return np.asarray(whole[:, at, np.arange(signal.shape[2])])


def _drive(layer: Layer, signal: Reals) -> Reals:
    """Return the sums of products, shape (rows, n_out, steps or 1)."""
    if isinstance(layer, Conv2d):
        patches = layer._patches(np.ascontiguousarray(np.swapaxes(signal, 1, 2)))
        drive = layer._flattened(layer.weights.reshape(len(layer.weights), -1) @ patches)
        bias = None if layer.bias is None else np.repeat(layer.bias, layer._positions)
    else:
        drive, bias = np.swapaxes(signal @ layer.weights.T, 1, 2), layer.bias
    return drive if bias is None else drive + bias[:, np.newaxis]


def _stretched(drive: Reals, steps: int) -> Reals:
    return np.ascontiguousarray(np.broadcast_to(drive, (*drive.shape[:2], steps)))
