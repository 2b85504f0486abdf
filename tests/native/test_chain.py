"""A chain gives the bits of dense layers one after the other, however its steps are cut."""

import functools
import itertools

import numpy as np
import pytest
import twins
from test_native import LIFS

from sc_neurocore import _native

INPUT_KEY, WEIGHT_KEYS, NOISE_KEY = 3, (11, 12, 13), 5
STEPS = 150
# Images, sizes of the layers, whether each has an input that is always on.
SHAPES = [
    (1, (5, 3), (False,)),
    (3, (64, 8, 4), (True, False)),
    (9, (70, 65, 9), (False, True)),
    (17, (20, 33, 20, 5), (False, False, True)),
]


@functools.cache
def chain_case(number):
    """Return layers, densities and, of every time step, the twin's spikes and state after it."""
    batch, sizes, always_on = SHAPES[number % len(SHAPES)]
    rng = np.random.default_rng(number)
    parameters = LIFS[number % 6]
    shared = number % 3 == 1
    x = rng.random((batch, sizes[0])) * rng.choice([0, 0.5, 1], sizes[0])
    x.flat[:2] = 0, 1
    layers = []
    for i, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        weights = np.rint(rng.uniform(-1, 1, (n_in + always_on[i], n_out)) * 2**32).astype(np.int64)
        weights.flat[rng.integers(0, weights.size, 3)] = [0, 2**32, -(2**32)]
        gain = 2.4 / np.sqrt(n_in) * rng.choice([1.0, 1.5], n_out)
        bits = None
        if (number + i) % 4 == 3:
            bits = rng.integers(0, 2**64, (n_out, len(weights), -(-STEPS // 64)), np.uint64)
            bits[weights.T == 0] = 0
        layers.append(
            (parameters, WEIGHT_KEYS[i], NOISE_KEY, weights, always_on[i], shared, gain, bits)
        )
    return layers, x, *twin_of(layers, x)


def twin_of(layers, x):
    """Return the spikes of each layer (batch, n_out, STEPS) and the states after every tenth step."""
    batch, n_in = x.shape
    thresholds = np.rint(x * 2**32).astype(np.uint64).ravel()
    streams = np.tile(np.arange(n_in, dtype=np.uint64), batch)
    spikes = twins.unpack(twins.encode(INPUT_KEY, streams, thresholds, 0, STEPS), STEPS)
    spikes, trains, states = spikes.reshape(batch, n_in, STEPS), [], {}
    for parameters, weight_key, noise_key, weights, always_on, shared, gain, bits in layers:
        if always_on:
            spikes = np.concatenate([spikes, np.ones((batch, 1, STEPS), spikes.dtype)], axis=1)
        for length in (70, 133, STEPS):
            state = [np.zeros((batch, len(gain))) for _ in range(3)]
            state[1] = state[1].astype(np.uint64)
            words = twins.pack(spikes[:, :, :length])
            own = None if bits is None else bits[:, :, : words.shape[-1]]
            train = twins.dense(
                parameters,
                weight_key,
                noise_key,
                words,
                weights,
                own,
                shared,
                gain,
                1,
                0,
                length,
                *state,
            )
            states.setdefault(length, []).append(state)
        trains.append(train)
        spikes = train
    return trains, states


def chain_of(layers, kept):
    chain = _native.Chain()
    for *described, gain, _ in layers:
        n_out = len(gain)
        chain.add([described[0]], *described[1:], gain, np.full(n_out, np.inf), np.zeros(n_out))
    if kept:
        words = -(-kept // 64)
        given = [None if own is None else own[:, :, :words].copy() for *_, own in layers]
        chain.keep(kept, given)
    return chain


def flat(states):
    parts = [p.view(np.float64).ravel() for state in states for p in state]
    return np.concatenate(parts)


def run(chain, layers, x, first, steps, state, rest, numbers=None):
    n = len(x) * len(layers[-1][6])
    counts, potentials = np.zeros(n, np.int64), np.zeros(n)
    word = first // 64
    last = -(-(first + steps) // 64)
    bits = [None if own is None else np.ascontiguousarray(own[:, :, word:last]) for *_, own in layers]
    silent = chain.run(
        x, 2.0**32, INPUT_KEY, numbers, first, steps, bits, rest, True, state, counts, potentials
    )
    assert silent == 0
    return counts.reshape(len(x), -1), potentials.reshape(len(x), -1)


@pytest.mark.parametrize("number", range(20))
def test_a_chain_equals_its_layers_however_its_steps_are_cut(isa, threads, number):
    layers, x, trains, states = chain_case(number)
    assert trains[0].any()
    for kept in (0, 70, STEPS):
        chain = chain_of(layers, kept)
        state = np.full(flat(states[STEPS]).shape, np.nan)
        rest = True
        for first, end in ((0, 1), (1, 9), (9, 70), (70, 130), (130, 133), (133, STEPS)):
            counts, potentials = run(chain, layers, x, first, end - first, state, rest)
            rest = False
            assert np.array_equal(counts, trains[-1][:, :, first:end].sum(axis=-1)), (kept, end)
            if end in states:
                assert np.array_equal(state.view(np.uint64), flat(states[end]).view(np.uint64))
                assert np.array_equal(potentials, states[end][-1][0])


def test_given_numbers_take_the_place_of_bernoulli_ones(isa, threads):
    layers, x, trains, _ = chain_case(2)
    streams = np.arange(x.shape[1], dtype=np.uint64)
    numbers = _native.uniform(INPUT_KEY, streams, 0, STEPS)
    state = np.zeros(len(x) * 3 * sum(len(layer[6]) for layer in layers))
    counts, _ = run(chain_of(layers, 0), layers, x, 0, STEPS, state, True, numbers)
    assert np.array_equal(counts, trains[-1].sum(axis=-1))


@pytest.mark.parametrize("value", [-0.25, 1.0000000000000002, np.nan, np.inf, -np.inf])
def test_a_density_outside_of_0_and_1_is_reported(isa, value):
    layers, x, *_ = chain_case(1)
    x = x.copy()
    x[-1, -1] = value
    n = len(x) * len(layers[-1][6])
    state = np.zeros(len(x) * 3 * sum(len(layer[6]) for layer in layers))
    bits = [own for *_, own in layers]
    outcome = chain_of(layers, 0).run(
        x, 2.0**32, 0, None, 0, 3, bits, True, True, state, np.zeros(n, np.int64), np.zeros(n)
    )
    assert outcome == -1


def test_the_first_silent_layer_without_current_is_named(isa):
    weights = np.full((4, 3), 2**31, np.int64)
    for needed, expected in ((0.5, 0), (1.5, 1), (np.inf, 0)):
        chain = _native.Chain()
        never = _native.LIFParameters(
            leak=0.0, v_rest=0.0, gain=1.0, noise_std=0.0, v_threshold=1e9, v_reset=0.0,
            refractory_period=0, syn_leak=0.0, subtracts=False,
        )  # fmt: skip
        rest = np.zeros(3)
        chain.add([never], 1, 2, weights, False, False, np.ones(3), np.full(3, needed), rest)
        x = np.full((2, 4), 0.5)  # mean sum 1
        for explain in (True, False):
            results = np.zeros(18), np.zeros(6, np.int64), np.zeros(6)
            outcome = chain.run(x, 2.0**32, 0, None, 0, 20, None, True, explain, *results)
            assert outcome == (expected if explain else 0)


def test_real_sums_equal_their_twin_at_every_length(isa, threads):
    rng = np.random.default_rng(0)
    for length in range(1, 200):
        batch, n_in, n_out = length % 3 + 1, length % 37 + 1, length % 19 + 1
        x = rng.random((batch, n_in, length)) < 0.2
        weights = rng.normal(size=(n_in, n_out))
        bias = rng.normal(size=n_out) if length % 2 else None
        sums = np.zeros((batch, length, n_out))
        for i in range(n_in):
            sums = sums + np.where(x[:, i, :, None], weights[i], -0.0)
        if bias is not None:
            sums = sums + bias
        assert np.array_equal(_native.real_sums(twins.pack(x), weights, bias, length), sums)
