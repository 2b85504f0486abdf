"""NumPy: one expression per time step over all neurons; streams by comparing uniform numbers."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from serve import Call, serve
from workloads import (
    BATCH,
    CURRENT,
    DOT_INPUTS,
    DOT_W,
    DOT_X,
    LAYER_INPUTS,
    LAYER_LENGTH,
    LAYER_NEURONS,
    LAYER_STEPS,
    LEAK,
    LENGTH,
    LOOP_SIZES,
    LOOP_STEPS,
    NET_GAIN,
    NET_STEPS,
    NEURONS,
    NOISE,
    SHORT_BATCH,
    SIZES,
    STEPS,
    VALUES,
)

rng = np.random.default_rng(0)
Array = NDArray[np.float64]


def lif(currents: Array, n: int, noise_std: float) -> NDArray[np.bool_]:
    """Return the spikes (T, n) under currents (T,) or (T, n)."""
    v = np.zeros(n)
    spikes = np.zeros((len(currents), n), bool)
    for t, current in enumerate(currents):
        v = v - v * LEAK + current
        if noise_std:
            v += noise_std * rng.standard_normal(n)
        spikes[t] = v >= 1.0
        v[spikes[t]] = 0.0
    return spikes


def population(noise_std: float, own: bool) -> Call:
    currents = np.full((STEPS, NEURONS) if own else STEPS, CURRENT)
    return partial(lif, currents, NEURONS, noise_std)


def network() -> Call:
    x = rng.random((BATCH, SIZES[0]), dtype=np.float32)
    weights = [
        np.float32(NET_GAIN) * rng.uniform(-1, 1, (n_in, n_out)).astype(np.float32)
        for n_in, n_out in pairwise(SIZES)
    ]
    kept = np.float32(1 - LEAK)

    def run() -> NDArray[np.float32]:
        v = [np.zeros((BATCH, n), np.float32) for n in SIZES[1:]]
        counts = np.zeros((BATCH, SIZES[-1]), np.float32)
        for _ in range(NET_STEPS):
            s = (rng.random(x.shape, dtype=np.float32) < x).astype(np.float32)
            for i, w in enumerate(weights):
                v[i] = kept * v[i] + s @ w
                fired = v[i] >= 1
                v[i][fired] = 0
                s = fired.astype(np.float32)
            counts += s
        return counts

    return run


def float_network(batch: int) -> Call:
    """Return a call of the network that does not spike."""
    x = rng.random((batch, SIZES[0]), dtype=np.float32)
    first, second = (
        rng.uniform(-1, 1, (n_in, n_out)).astype(np.float32) for n_in, n_out in pairwise(SIZES)
    )
    return lambda: np.maximum(x @ first, 0) @ second


def loop() -> Call:
    n_in, n_out = LOOP_SIZES
    x, w = rng.random(n_in, dtype=np.float32), rng.uniform(-1, 1, (n_in, n_out)).astype(np.float32)
    kept, gain = np.float32(1 - LEAK), np.float32(0.2)

    def run() -> None:
        v = np.zeros(n_out, np.float32)
        for _ in range(LOOP_STEPS):
            s = (rng.random(n_in, dtype=np.float32) < x).astype(np.float32)
            v = kept * v + gain * (s @ w)
            v[v >= 1] = 0

    return run


X, W = rng.random((LAYER_INPUTS, 1)), rng.random((LAYER_NEURONS, LAYER_INPUTS, 1))


def layer_build() -> Array:
    """Return the current of each time step and neuron, from unpacked streams."""
    x = rng.random((LAYER_INPUTS, LAYER_LENGTH), dtype=np.float32) < X
    w = rng.random((LAYER_NEURONS, LAYER_INPUTS, LAYER_LENGTH), dtype=np.float32) < W
    trace: Array = 0.3 * (x & w).mean(axis=1)
    return np.ascontiguousarray(trace.T)


def layer_run() -> Call:
    return partial(lif, layer_build()[:LAYER_STEPS], LAYER_NEURONS, 0.02)


def random_bits(p: Array) -> NDArray[np.uint8]:
    below = rng.random((len(p), LENGTH), dtype=np.float32) < p[:, None]
    return np.packbits(below, axis=-1, bitorder="little")


def product() -> Call:
    x, y = (random_bits(rng.random(VALUES)).view(np.uint64) for _ in range(2))
    return lambda: np.bitwise_count(x & y).sum(axis=-1, dtype=np.int64)


BLOCK = 512  # words per block: the rows of one set stay in a cache, and 16 bits hold the ones of a row


def dot() -> Call:
    x, w = (
        random_bits(rng.random(n * DOT_INPUTS)).view(np.uint64).reshape(n, -1) for n in (DOT_X, DOT_W)
    )

    def run() -> NDArray[np.int64]:
        counts = np.zeros((DOT_X, DOT_W), np.int64)
        for first in range(0, x.shape[1], BLOCK):
            block = np.ascontiguousarray(w[:, first : first + BLOCK])
            for i, row in enumerate(x[:, first : first + BLOCK]):
                counts[i] += np.bitwise_count(row & block).sum(axis=-1, dtype=np.uint16)
        return counts

    return run


if __name__ == "__main__":
    serve(
        np.__version__,
        {
            "population shared": partial(population, 0.0, False),
            "population own": partial(population, 0.0, True),
            "population shared noise": partial(population, NOISE, False),
            "population own noise": partial(population, NOISE, True),
            "network": network,
            "short": partial(float_network, SHORT_BATCH),
            "short kept": partial(float_network, SHORT_BATCH),
            "single": partial(float_network, 1),
            "loop": loop,
            "layer build": lambda: layer_build,
            "layer run": layer_run,
            "layer": lambda: lambda: lif(layer_build()[:LAYER_STEPS], LAYER_NEURONS, 0.02),
            "encode": lambda: partial(random_bits, rng.random(VALUES)),
            "product": product,
            "dot": dot,
        },
    )
