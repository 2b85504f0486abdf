"""numba: compiled loops; every function is compiled before it is timed."""

from __future__ import annotations

from functools import partial

import numba
import numpy as np
from numba import njit, prange
from serve import Call, serve, threads
from workloads import (
    CURRENT,
    DOT_INPUTS,
    DOT_W,
    DOT_X,
    LEAK,
    LENGTH,
    NEURONS,
    NOISE,
    STEPS,
    STEPS_OF_ONE,
    VALUES,
)

rng = np.random.default_rng(0)
parallel = threads() > 1


@njit
def step_one(state, current):
    if state[1] > 0:
        state[1] -= 1
        return 0
    v = state[0] - state[0] * LEAK + current
    if state[2] != 0.0:
        v += state[2] * np.random.standard_normal()  # noqa: NPY002
    state[0] = v
    if v >= 1.0:
        state[0] = 0.0
        return 1
    return 0


def step(noise_std: float) -> Call:
    state = np.array([0.0, 0.0, noise_std])

    def run() -> None:
        for _ in range(STEPS_OF_ONE):
            step_one(state, CURRENT)

    return run


# Neurons in chunks that stay in cache; currents and spikes have shape (T, n). One Generator per thread:
# numba's own np.random is several times slower.
CHUNK = 500


@njit
def lif_chunk(generator, currents, first, noise_std, spikes):
    v = np.zeros(CHUNK)
    z = np.zeros(CHUNK)
    for t in range(len(currents)):
        row = spikes[t, first : first + CHUNK]
        mine = currents[t, first : first + CHUNK] if currents.shape[1] > 1 else currents[t]
        if noise_std != 0.0:
            z = noise_std * generator.standard_normal(CHUNK)
        if len(mine) > 1:
            for i in range(CHUNK):
                x = v[i] - v[i] * LEAK + mine[i] + z[i]
                row[i] = x >= 1.0
                v[i] = 0.0 if x >= 1.0 else x
        else:
            for i in range(CHUNK):
                x = v[i] - v[i] * LEAK + mine[0] + z[i]
                row[i] = x >= 1.0
                v[i] = 0.0 if x >= 1.0 else x


@njit(parallel=parallel)
def lif(generators, currents, n, noise_std):
    spikes = np.empty((len(currents), n), np.bool_)
    shares, chunks = len(generators), n // CHUNK
    for k in prange(shares):
        for c in range(k * chunks // shares, (k + 1) * chunks // shares):
            lif_chunk(generators[k], currents, c * CHUNK, noise_std, spikes)
    return spikes


def generators():
    return tuple(np.random.default_rng(k) for k in range(threads()))


def population(noise_std: float, own: bool) -> Call:
    currents = np.full((STEPS, NEURONS if own else 1), CURRENT)
    return partial(lif, generators(), currents, NEURONS, noise_std)


@njit(parallel=parallel)
def random_bits(generators, p, length):
    bits = np.empty((len(p), length), np.uint8)
    shares = len(generators)
    for k in prange(shares):
        for s in range(k * len(p) // shares, (k + 1) * len(p) // shares):
            for t in range(length):
                bits[s, t] = generators[k].random() < p[s]
    return bits


@njit(parallel=parallel)
def count_both(x, y):
    counts = np.empty(len(x), np.int64)
    for s in prange(len(x)):
        n = 0
        for t in range(x.shape[1]):
            n += x[s, t] & y[s, t]
        counts[s] = n
    return counts


def product() -> Call:
    x, y = (random_bits(generators(), rng.random(VALUES), LENGTH) for _ in range(2))
    return partial(count_both, x, y)


@njit(inline="always")
def ones(x):
    x -= x >> np.uint64(1) & np.uint64(0x5555555555555555)
    x = (x & np.uint64(0x3333333333333333)) + (x >> np.uint64(2) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return x * np.uint64(0x0101010101010101) >> np.uint64(56)


@njit(parallel=parallel)
def dot_rows(x, w):
    counts = np.empty((len(x), len(w)), np.int64)
    for i in prange(len(x)):
        for j in range(len(w)):
            n = np.uint64(0)
            for k in range(x.shape[1]):
                n += ones(x[i, k] & w[j, k])
            counts[i, j] = n
    return counts


def dot() -> Call:
    words = DOT_INPUTS * LENGTH // 64
    x, w = (rng.integers(2**64, size=(n, words), dtype=np.uint64) for n in (DOT_X, DOT_W))
    return partial(dot_rows, x, w)


if __name__ == "__main__":
    serve(
        numba.__version__,
        {
            "step": partial(step, 0.0),
            "step noise": partial(step, NOISE),
            "population shared": partial(population, 0.0, False),
            "population own": partial(population, 0.0, True),
            "population shared noise": partial(population, NOISE, False),
            "population own noise": partial(population, NOISE, True),
            "encode": lambda: partial(random_bits, generators(), rng.random(VALUES), LENGTH),
            "product": product,
            "dot": dot,
        },
    )
