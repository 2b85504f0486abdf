"""The native kernels give the bits of their NumPy twins, at every instruction set and thread count."""

import ast
import functools
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import twins

import sc_neurocore
from sc_neurocore import _native

KEY = 0x123456789ABCDEF0
EDGES = [0, 1, 2**31, 2**32 - 1, 2**32, 0x12345678, 0xDEADBEEF, 0x40000000]


def test_philox_gives_the_published_known_answers(isa):
    counters = np.array(
        [[0] * 4, [0xFFFFFFFF] * 4, [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344]], np.uint32
    )
    keys = [0, 2**64 - 1, 0xA4093822 | 0x299F31D0 << 32]
    answers = [
        [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8],
        [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ]
    for counter, key, answer in zip(counters, keys, answers, strict=True):
        repeated = np.repeat(counter[None], 11, axis=0)
        assert (_native.philox(key, repeated) == np.array(answer, np.uint32)).all()
        assert [int(x[()]) for x in twins.philox(key, *counter)] == answer


def test_encoding_equals_its_twin_at_every_length(isa, threads):
    thresholds = np.array([*EDGES, 0x4CCCCCCD], np.uint64)
    streams = np.array([0, 1, 2, 2**32, 2**63 + 5, 7, 8, 9, 0xBADCAFE11112222], np.uint64)
    twin = twins.unpack(twins.encode(KEY, streams, thresholds, 0, 300), 300)
    for length in twins.LENGTHS:
        words = _native.encode(KEY, streams, thresholds[None], 0, length)
        assert np.array_equal(words[0], twins.pack(twin[:, :length])), length


def test_rows_of_thresholds_see_the_same_numbers_at_every_length(isa, threads):
    rng = np.random.default_rng(3)
    streams = np.array([0, 1, 2**32, 2**63 + 5, 7, 8, 9], np.uint64)
    thresholds = rng.integers(0, 2**32 + 1, (5, len(streams)), np.uint64)
    thresholds.flat[: len(EDGES)] = EDGES
    twin = [twins.unpack(twins.encode(KEY, streams, row, 3, 300), 300) for row in thresholds]
    for length in twins.LENGTHS:
        words = _native.encode(KEY, streams, thresholds, 3, length)
        assert np.array_equal(words, twins.pack(np.array(twin)[:, :, :length])), length


def test_the_comparator_is_exact_to_the_last_of_32_digits(isa):
    # A stream whose threshold is one of its own uniform numbers: 0 there, and 1 for the next threshold.
    numbers = twins.uniform_numbers(KEY, np.array([9], np.uint64), 0, 4)[0]
    streams = np.full(len(numbers), 9, np.uint64)
    at = np.arange(len(numbers))
    for above in (0, 1):
        words = _native.encode(KEY, streams, (numbers + np.uint64(above))[None], 0, len(numbers))[0]
        assert (twins.unpack(words, len(numbers))[at, at] == above).all()


def test_encoding_has_random_access_to_words(isa):
    streams, thresholds = np.arange(3, dtype=np.uint64), np.array(EDGES[3:6], np.uint64)
    whole = _native.encode(KEY, streams, thresholds[None], 0, 64 * 40)[0]
    for first in (1, 7, 8, 31):
        part = _native.encode(KEY, streams, thresholds[None], first, 64 * 9)[0]
        assert np.array_equal(part, whole[:, first : first + 9])


def test_uniform_numbers_are_those_that_encoding_compares(isa, threads):
    streams = np.array([0, 1, 2**32, 2**63 + 5], np.uint64)
    twin = twins.uniform_numbers(KEY, streams, 0, 12)
    for length in twins.LENGTHS:
        first = length * 7 % 300
        numbers = _native.uniform(KEY, streams, first, length)
        assert np.array_equal(numbers, twin[:, first : first + length]), length


def test_many_streams_split_over_threads_keep_their_bits(isa, threads):
    n = 20_001
    streams = np.arange(n, dtype=np.uint64)
    thresholds = (streams * np.uint64(2654435761)) & np.uint64(0xFFFFFFFF)
    words = _native.encode(KEY, streams, thresholds[None], 0, 65)[0]
    pick = np.array([0, 1, 6, 7, 8, 9_999, 10_000, 10_001, n - 1])
    assert np.array_equal(words[pick], twins.encode(KEY, streams[pick], thresholds[pick], 0, 65))


def test_drawn_numbers_equal_their_twin_at_every_length(isa, threads):
    rng = np.random.default_rng(5)
    streams, below = rng.integers(0, 2**64, 300, np.uint64), rng.integers(0, 2**32, 300, np.uint64)
    below[: len(EDGES)] = EDGES
    twin = twins.philox(KEY, 0, 0x53000000, streams & twins.LOW, streams >> twins.HALF)[0]
    for n in twins.LENGTHS:
        drawn = _native.draw(KEY, 0x53000000, streams[:n], below[:n])
        assert np.array_equal(drawn, twin[:n] * below[:n] >> twins.HALF), n
        for one in (below[n - 1 : n], np.array([2**32], np.uint64)):
            drawn = _native.draw(KEY, 0x53000000, streams[:n], one)
            assert np.array_equal(drawn, twin[:n] * one >> twins.HALF), n


def test_ones_equal_their_twin_at_every_length(isa, threads):
    rng = np.random.default_rng(6)
    for words in twins.LENGTHS:
        x = rng.integers(0, 2**64, (words % 7 + 1, words), np.uint64)
        x[0] = 2**64 - 1
        assert np.array_equal(_native.ones(x), np.bitwise_count(x).sum(axis=1)), words
    x = rng.integers(0, 2**64, (30_001, 3), np.uint64)  # over several threads
    assert np.array_equal(_native.ones(x), np.bitwise_count(x).sum(axis=1))


@pytest.mark.parametrize("base", range(2, 18))
def test_radical_inverses_of_many_streams_equal_their_twin_at_every_length(base, threads):
    rng = np.random.default_rng(base)
    power = max(base**k for k in range(33) if base**k <= 2**32)
    for first_word in (0, 3, power // 64 - 1):  # the last are followed by the first
        t = (64 * first_word + np.arange(300, dtype=np.uint64)) % power
        shifts = rng.integers(0, power, 300, np.uint64)
        numbers = twins.radical_inverse(t, base, shifts[:, None])
        thresholds = rng.integers(0, 2**32, 300, np.uint64)
        thresholds[: len(EDGES)] = EDGES
        thresholds[10:100] = numbers[10:100, 7]  # where the last digits decide
        thresholds[100:200] = numbers[100:200, 0] + np.uint64(1)
        bits, bases = numbers < thresholds[:, None], np.full(300, base, np.uint64)
        for length in range(1, 301, 1 if first_word == 3 else 37):
            words = _native.radical(bases, shifts, thresholds, first_word, length)
            assert np.array_equal(words, twins.pack(bits[:, :length])), length


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("refractory_period", [0, 3])
def test_a_current_that_is_not_finite_leaves_no_finite_potential(
    isa, threads, value, refractory_period
):
    parameters = sc_neurocore.LIF(refractory_period=refractory_period).parameters[0]
    currents = np.random.default_rng(0).uniform(-0.1, 0.3, (70, 150))
    at = [(row, (row * 7) % 150) for row in range(0, 70, 3)]
    for position in at:
        currents[position] = value
    for cut in (150, 64, 1):
        state = np.zeros(70), np.zeros(70, np.uint64), np.zeros(70)
        for first in range(0, 150, cut):
            steps = min(cut, 150 - first)
            _native.lif(parameters, KEY, currents, first, first, steps, *state)
        expected = np.ones(70, bool)
        expected[[row for row, _ in at]] = False
        assert np.array_equal(np.isfinite(state[0]), expected)


def test_channel_counts_equal_their_twin_at_every_length(isa, threads):
    rng = np.random.default_rng(1)
    for length in twins.LENGTHS:
        n_channels, batch = (length % 37 + 1, length)[length % 2], length % 4 + 1
        x = twins.pack(rng.integers(0, 2, (batch, n_channels, length), np.uint8))
        weights = twins.pack(rng.integers(0, 2, (3, n_channels, length), np.uint8))
        counts = _native.channel_counts(x, weights, length)
        assert np.array_equal(counts, twins.channel_counts(x, weights, length)), length


@pytest.mark.parametrize("n_channels", [1, 7, 8, 9, 111, 112, 113, 128, 255, 256, 1000, 70_000])
def test_channel_counts_reach_the_number_of_channels(isa, n_channels):
    ones = np.full((1, n_channels, 1), 2**64 - 1, np.uint64)
    assert (_native.channel_counts(ones, ones, 64) == n_channels).all()


def test_channel_counts_of_many_images_equal_their_twin(isa, threads):
    rng = np.random.default_rng(4)
    x = rng.integers(0, 2**64, (131, 20, 9), np.uint64)
    weights = rng.integers(0, 2**64, (5, 20, 9), np.uint64)
    counts = _native.channel_counts(x, weights, 64 * 9)
    assert np.array_equal(counts, twins.channel_counts(x, weights, 64 * 9))


def test_dot_products_equal_their_twin_at_every_size(isa, threads):
    rng = np.random.default_rng(2)
    for words in twins.LENGTHS:
        n_x, n_w = words % 13 + 1, words % 11 + 1
        x = rng.integers(0, 2**64, (n_x, words), np.uint64)
        w = rng.integers(0, 2**64, (n_w, words), np.uint64)
        assert np.array_equal(_native.dot(x, w), twins.dot(x, w)), words


def test_large_dot_products_split_over_threads_keep_their_sums(isa, threads):
    rng = np.random.default_rng(3)
    x = rng.integers(0, 2**64, (100, 700), np.uint64)
    w = rng.integers(0, 2**64, (37, 700), np.uint64)
    assert np.array_equal(_native.dot(x, w), twins.dot(x, w))
    assert np.array_equal(_native.dot(w, x), twins.dot(w, x))
    ones = np.full((3, 5000), 2**64 - 1, np.uint64)
    assert (_native.dot(ones, ones) == 64 * 5000).all()


def test_normal_samples_equal_their_twin(isa):
    for first_step in range(5):
        for steps in (1, 2, 3, 4, 5, 63):
            samples = _native.normal(KEY, 19, first_step, steps)
            assert np.array_equal(samples, twins.normal(KEY, 19, first_step, steps))


def test_normal_table_is_the_inverse_distribution_function_to_4_1e_6():
    from scipy.special import ndtri

    rng = np.random.default_rng(2)
    octaves = np.concatenate([[0, 1, 2**31 - 1], 2 ** np.arange(31), 2 ** np.arange(1, 31) - 1])
    tail = np.concatenate([octaves, rng.integers(0, 2**31, 1_000_000)]).astype(np.uint64)
    exact = -ndtri((tail + np.uint64(1)) / 2.0**32)
    assert np.abs(twins.to_normal(tail) - exact).max() <= 4.1e-6
    assert np.array_equal(twins.to_normal(tail | np.uint64(2**31)), -twins.to_normal(tail))


def test_normal_samples_have_the_moments_and_tails_of_the_normal_distribution():
    from scipy import stats

    z = _native.normal(stream := 77, 4096, 0, 4096).ravel()
    n = z.size
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((z**power).mean() - moment) <= 5 * np.sqrt(variance / n), (stream, power)
    for sigma in (1, 2, 3, 4, 5):
        p = 2 * stats.norm.sf(sigma)
        assert abs((np.abs(z) > sigma).mean() - p) <= 5 * np.sqrt(p * (1 - p) / n), sigma
    assert stats.kstest(z[:1_000_000], "norm").pvalue > 1e-6


LIF_FIELDS = (
    "leak", "v_rest", "gain", "noise_std", "v_threshold", "v_reset", "refractory_period", "syn_leak",
    "subtracts",
)  # fmt: skip
LIFS = [  # not in fixed point: tests/networks/test_fixed_point.py
    _native.LIFParameters(**dict(zip(LIF_FIELDS, values, strict=True)))
    for values in (
        (0.05, 0.0, 1.0, 0.0, 1.0, 0.0, 0, 0.0, False),
        (0.05, 0.0, 1.0, 0.1, 1.0, 0.0, 0, 0.0, False),
        (0.1, -0.2, 1.5, 0.3, 0.7, -0.4, 3, 0.0, False),
        (0.05, 0.0, 1.0, 0.1, 1.0, 0.0, 2, 0.2, True),
        (0.1, -0.2, 1.5, 0.0, 0.7, -0.4, 0, 0.0, True),
        (0.0, 0.0, 0.5, 0.0, 1.0, 0.1, 3, 1.0, False),
        (0.0, 0.1, 1.0, 0.0, np.inf, 0.0, 0, 0.3, False),
        (1.0, 0.1, 2.0, 0.0, 0.2, 0.0, 1, 0.0, False),
    )
]


def population(rng, shape):
    """Return potentials, refractory steps and synaptic currents."""
    refractory = rng.integers(0, 3, shape).astype(np.uint64)
    return [rng.uniform(-0.2, 0.6, shape), refractory, rng.uniform(-0.2, 0.2, shape)]


def assert_equal_arrays(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        assert np.array_equal(a, b)


@functools.cache
def lif_case(parameters, steps):
    """Return the arguments of a population, its state, and what the twin makes of them."""
    rng = np.random.default_rng(steps)
    n, period = steps % 35 + 1, steps % 70 + 1
    currents = rng.uniform(0, 0.3, ((1, n)[steps % 2], period))
    arguments = (parameters, KEY, currents, steps % period, steps * 7, steps)
    after = population(rng, n)
    state = [a.copy() for a in after]
    return arguments, state, twins.lif(*arguments, *after), after


@pytest.mark.parametrize("parameters", LIFS)
def test_lif_equals_its_twin_at_every_length(isa, threads, parameters):
    for steps in twins.LENGTHS:
        arguments, state, spikes, after = lif_case(parameters, steps)
        ours = [a.copy() for a in state]
        words = _native.lif(*arguments, *ours)
        assert np.array_equal(words, twins.pack(spikes)), steps
        assert_equal_arrays(ours, after)


@functools.cache
def population_case(parameters, n, rows):
    """Return the arguments of 133 steps that wrap a period of 50, the state, and the twin's results."""
    rng = np.random.default_rng(n)
    arguments = (parameters, KEY, rng.uniform(0, 0.3, (rows, 50)), n % 50, n)
    after = population(rng, n)
    state = [a.copy() for a in after]
    return arguments, state, twins.lif(*arguments, 133, *after), after


@pytest.mark.parametrize("parameters", LIFS)
def test_populations_of_every_size_run_in_two_pieces_equal_their_twin(isa, threads, parameters):
    for n in range(1, 71):
        for rows in {1, n}:
            arguments, state, spikes, after = population_case(parameters, n, rows)
            (*fixed, position, first_step), ours = arguments, [a.copy() for a in state]
            part = _native.lif(*fixed, position, first_step, n, *ours)
            rest = (position + n) % 50, first_step + n, 133 - n
            other = _native.lif(*fixed, *rest, *ours)
            unpacked = [twins.unpack(part, n), twins.unpack(other, 133 - n)]
            assert np.array_equal(np.concatenate(unpacked, axis=1), spikes), (n, rows)
            assert_equal_arrays(ours, after)


@pytest.mark.parametrize("parameters", [p for p in LIFS if p.v_threshold < np.inf])
def test_a_neuron_told_to_rest_for_any_time_rests(isa, parameters):
    times = np.array([0, 1, 63, 64, 65, 100, 2**63 - 1, 2**63, 2**64 - 1], np.uint64)
    currents = np.full((1, 1), 100.0)  # every neuron that is awake fires
    v, refractory, i = np.full(9, 0.5), times.copy(), np.zeros(9)
    spikes = twins.unpack(_native.lif(parameters, KEY, currents, 0, 0, 100, v, refractory, i), 100)
    period = parameters.refractory_period + 1
    for time, train in zip(times.tolist(), spikes, strict=True):
        expected = [t >= time and (t - time) % period == 0 for t in range(100)]
        assert train.tolist() == expected, time
    if parameters.subtracts:
        assert (v[5:] == 0.5).all()
    else:
        assert (v == parameters.v_reset).all()
    assert np.array_equal(refractory[5:], times[5:] - np.uint64(100))


def test_a_large_population_split_over_threads_keeps_its_spikes(isa, threads):
    n, steps = 1001, 200
    for parameters in (LIFS[1], LIFS[3]):
        ours = [np.zeros(n), np.zeros(n, np.uint64), np.zeros(n)]
        theirs = [a.copy() for a in ours]
        words = _native.lif(parameters, KEY, np.full((1, 1), 0.06), 0, 0, steps, *ours)
        spikes = twins.lif(parameters, KEY, np.full((1, 1), 0.06), 0, 0, steps, *theirs)
        assert np.array_equal(words, twins.pack(spikes))
        assert spikes.any()
        assert_equal_arrays(ours, theirs)


@functools.cache
def dense_case(parameters, length):
    """Return the arguments of a layer and what its twin makes of them; the state comes last."""
    rng = np.random.default_rng(length)
    # Nine images: eight are counted across inputs, where the level does that, and one along time.
    batch = 9 if length % 12 == 0 else length % 3 + 1
    n_in, n_out = length % 29 + 1, length % 41 + 1
    x = twins.pack(rng.random((batch, n_in, length)) < rng.choice([0, 0.3, 1], (batch, n_in, 1)))
    weights = np.rint(rng.uniform(-1, 1, (n_in, n_out)) * 2**32).astype(np.int64)
    weights.flat[rng.integers(0, weights.size, 3)] = [0, 2**32, -(2**32)]
    bits = None
    if length % 5 == 0:
        bits = rng.integers(0, 2**64, (n_out, n_in, x.shape[-1]), np.uint64)
        bits[weights.T == 0] = 0
    positions, first_word = length % 3 + 1, length % 4
    gain = 0.4 * rng.choice([1.0, 1.5], n_out)
    drawn = length % 2 == 1, gain, positions, first_word, length
    arguments = (parameters, KEY, 5, x, weights, bits, *drawn)
    after = population(rng, (batch, n_out))
    state = [a.copy() for a in after]
    return arguments, state, twins.dense(*arguments, *after), after


@pytest.mark.parametrize("parameters", LIFS[:6])
def test_dense_equals_its_twin_at_every_length(isa, threads, parameters):
    fired = 0
    for length in twins.LENGTHS:
        arguments, state, spikes, after = dense_case(parameters, length)
        ours = [a.copy() for a in state]
        words = _native.dense(*arguments, *ours)
        assert np.array_equal(words, twins.pack(spikes)), length
        assert_equal_arrays(ours, after)
        fired += int(spikes.sum())
    assert fired > 1000


@functools.cache
def wide_case(batch, n_in, n_out, density, shared):
    """Return the arguments of 70 steps of a wide layer and the twin's spikes; it starts at rest."""
    rng = np.random.default_rng(n_in)
    x = twins.pack(rng.random((batch, n_in, 70)) < density)
    weights = np.rint(rng.uniform(-1, 1, (n_in, n_out)) * 2**32).astype(np.int64)
    arguments = (LIFS[0], KEY, 5, x, weights, None, shared, np.full(n_out, 0.2), 1, 0, 70)
    return arguments, twins.dense(*arguments, *at_rest(batch, n_out))


def at_rest(*shape):
    return [np.zeros(shape), np.zeros(shape, np.uint64), np.zeros(shape)]


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(
    "sizes", [(5, 300, 70, 0.3), (67, 113, 9, 0.05), (2, 224, 300, 0.3)]
)  # batch, inputs, neurons, density
def test_a_wide_layer_split_over_threads_keeps_its_spikes(isa, threads, sizes, shared):
    arguments, spikes = wide_case(*sizes, shared)
    assert spikes.any()
    words = _native.dense(*arguments, *at_rest(sizes[0], sizes[2]))
    assert np.array_equal(words, twins.pack(spikes))


@functools.cache
def sums_case(number):
    """Return the arguments of a sum of products over several bits per step, and the twin's sums."""
    rng = np.random.default_rng(number)
    k = int(rng.choice([1, 2, 3, 7, 8, 16, 30, 64, 100, 200]))
    steps = int(rng.integers(1, max(400 // k, 2)))
    batch, n_in, n_out = rng.integers(1, 20), rng.integers(1, 140), rng.integers(1, 20)
    start, x_bits = int(rng.integers(0, 64)), int(rng.choice([1, k]))
    x_start = int(rng.choice([0, start]))
    density = rng.choice([0.02, 0.3, 1.0], (batch, n_in, 1), p=[0.5, 0.3, 0.2])
    x = twins.pack(rng.random((batch, n_in, x_start + steps * x_bits)) < density)
    weights = np.rint(rng.uniform(-1, 1, (n_in, n_out)) * 2**32).astype(np.int64)
    weights.flat[rng.integers(0, weights.size, 3)] = [0, 2**32, -(2**32)]
    length, bits = start + steps * k, None
    if number % 2:
        bits = rng.integers(0, 2**64, (n_out, n_in, -(-length // 64)), np.uint64)
        bits[weights.T == 0] = 0
    first_word, shared = int(rng.integers(0, 5)), bool(number % 3 == 0)
    arguments = (KEY, x, x_bits, x_start, weights, bits, shared, k, first_word, start, length)
    return arguments, twins.dense_sums(*arguments)


def test_sums_over_several_bits_per_step_equal_their_twin(isa, threads):
    for number in range(120):
        arguments, sums = sums_case(number)
        assert np.array_equal(_native.dense_sums(*arguments), sums), number


@functools.cache
def neurons_case(kinds, number):
    """Return the arguments of a layer of neurons, its state, and what the twin makes of them."""
    rng = np.random.default_rng(number)
    steps = int(rng.integers(1, 150))
    batch, n = number % 4 + 1, (number % 9 + 1, number % 140 + 1)[number % 7 == 0]
    k, start = int(rng.choice([1, 1, 2, 5, 64])), int(rng.integers(0, 64))
    parameters = [LIFS[kinds[j % len(kinds)]] for j in range(n)] if len(kinds) > 1 else [LIFS[kinds[0]]]
    weights, bits, before = None, None, np.zeros((batch, 0), np.uint64)
    if number % 3:
        weights = rng.uniform(-1, 1, (n, n)) * rng.choice([0, 1], (n, n), p=[0.1, 0.9])
        before = twins.pack(rng.integers(0, 2, (batch, n), np.uint8))
    if number % 3 == 1:
        bits = twins.pack(rng.random((n, n, start + steps * k)) < np.abs(weights.T)[:, :, None])
    drive = rng.integers(-3, 6, (batch, 1 if number % 5 == 0 else steps, n)).astype(float)
    gain = 0.25 * rng.choice([1.0, 1.5], n)
    arguments = (parameters, 5, drive, gain, weights, bits, k, start, number % 3 + 1, number % 6, steps)
    after = [*population(rng, (batch, n)), before]
    state = [a.copy() for a in after]
    return arguments, state, twins.neurons(*arguments, *after), after


@pytest.mark.parametrize("kinds", [(2,), (3,), (4,), (5,), (6,), (0, 3, 5, 2)], ids=str)
def test_neurons_of_a_layer_equal_their_twin(isa, threads, kinds):
    fired = 0
    for number in range(60):
        arguments, state, (spikes, potentials), after = neurons_case(kinds, number)
        ours = [a.copy() for a in state]
        words, traced = _native.neurons(*arguments, *ours, True)
        assert np.array_equal(words, twins.pack(spikes)), number
        assert np.array_equal(traced, potentials), number
        assert_equal_arrays(ours, after)
        again = [a.copy() for a in state]
        assert np.array_equal(_native.neurons(*arguments, *again, False)[0], words)
        fired += int(spikes.sum())
    assert fired > 200 or LIFS[kinds[0]].v_threshold == np.inf


@functools.cache
def wide_neurons_case():
    """Return the arguments of a wide recurrent layer, the twin's spikes, and its state after them."""
    rng = np.random.default_rng(5)
    n, steps, batch = 300, 70, 7
    weights = rng.uniform(-1, 1, (n, n))
    bits = twins.pack(rng.random((n, n, steps)) < np.abs(weights.T)[:, :, None])
    drive = rng.integers(-3, 6, (batch, steps, n)).astype(float)
    arguments = ([LIFS[3]], 5, drive, np.full(n, 0.1), weights, bits, 1, 0, 1, 0, steps)
    after = [*at_rest(batch, n), np.zeros((batch, 5), np.uint64)]
    return arguments, twins.neurons(*arguments, *after)[0], after


def test_a_wide_recurrent_layer_split_over_threads_keeps_its_spikes(isa, threads):
    arguments, spikes, after = wide_neurons_case()
    ours = [np.zeros_like(a) for a in after]
    words, _ = _native.neurons(*arguments, *ours, False)
    assert spikes.any()
    assert np.array_equal(words, twins.pack(spikes))
    assert_equal_arrays(ours, after)


def test_the_stepped_neuron_equals_the_twin_of_the_population():
    for parameters in LIFS:
        currents = np.random.default_rng(6).uniform(0, 0.3, (1, 301))
        v, refractory, i = np.full(1, parameters.v_rest), np.zeros(1, np.uint64), np.zeros(1)
        spikes = twins.lif(parameters, KEY, currents, 0, 0, 301, v, refractory, i)
        neuron = _native.Neuron(parameters, KEY)
        assert [neuron.step(float(current)) for current in currents[0]] == spikes[0].tolist()
        assert (neuron.v, neuron.refractory) == (v[0], refractory[0])
        if parameters.syn_leak:
            assert neuron.i == i[0]


def test_results_lie_on_cache_lines():
    for length in (1, 64, 1000):
        words = _native.encode(1, np.zeros(3, np.uint64), np.zeros((1, 3), np.uint64), 0, length)
        assert words.ctypes.data % 64 == 0


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SC_NEUROCORE_ISA", "sse2", "SC_NEUROCORE_ISA must be one of 'portable'"),
        ("SC_NEUROCORE_THREADS", "many", "SC_NEUROCORE_THREADS must be a whole number, got 'many'"),
        ("SC_NEUROCORE_THREADS", "0", "THREADS must be at least 1 and at most 65536, got 0"),
        ("SC_NEUROCORE_THREADS", str(2**64), "THREADS must be at least 1 and at most 65536, got"),
    ],
)
def test_a_wrong_environment_variable_is_named(name, value, message):
    run = _python("import sc_neurocore", {name: value})
    assert message in run.stderr
    assert run.returncode != 0


def test_the_environment_forces_instruction_set_and_threads():
    code = "from sc_neurocore import _native; print(_native.isa(), _native.threads())"
    run = _python(code, {"SC_NEUROCORE_ISA": "portable", "SC_NEUROCORE_THREADS": "3"})
    assert run.stdout.split() == ["portable", "3"], run.stderr


def test_the_number_of_threads_can_be_set_and_read():
    before = sc_neurocore.get_threads()
    sc_neurocore.set_threads(3)
    assert sc_neurocore.get_threads() == 3 == _native.threads()
    sc_neurocore.set_threads(None)
    assert sc_neurocore.get_threads() == len(os.sched_getaffinity(0))
    sc_neurocore.set_threads(before)


def test_the_stub_describes_the_binary():
    stub = ast.parse((Path(sc_neurocore.__file__).parent / "_native.pyi").read_text())
    functions = {f.name: f for f in stub.body if isinstance(f, ast.FunctionDef)}
    classes = {c.name: c for c in stub.body if isinstance(c, ast.ClassDef)}
    public = {n for n in vars(_native) if not n.startswith("_")}
    assert public == {*functions, *classes}
    for name, function in functions.items():
        _compare_signature(function, getattr(_native, name).__nb_signature__)
    for class_name, described in classes.items():
        members = vars(getattr(_native, class_name))
        methods = {f.name: f for f in described.body if isinstance(f, ast.FunctionDef)}
        bound = {n for n in members if not n.startswith("_") or n == "__init__"}
        assert bound == set(methods)
        for name, method in methods.items():
            attribute = members[name]
            if isinstance(attribute, property):
                assert ast.unparse(method.decorator_list[0]) == "property"
                attribute = attribute.fget
            _compare_signature(method, attribute.__nb_signature__)


def _compare_signature(stub, overloads):
    ((signature, *_),) = overloads
    signature = re.sub(r"\\\d+", "...", _simplify(signature))  # a default is a number of the binary's
    binary = ast.parse(re.sub(r"def \(self\)", "def f(self)", signature) + ": ...").body[0]
    ours, theirs = ([*f.args.args, *f.args.kwonlyargs] for f in (stub, binary))
    assert [a.arg for a in ours] == [a.arg for a in theirs], stub.name
    assert len(stub.args.kwonlyargs) == len(binary.args.kwonlyargs), stub.name
    types = [(a.annotation, b.annotation) for a, b in zip(ours, theirs, strict=True)]
    for ours, theirs in [*types, (stub.returns, binary.returns)]:
        if ours is None or ast.unparse(theirs).startswith("object"):  # self, or converted by hand
            continue
        assert _simplify(ast.unparse(ours)) == ast.unparse(theirs), stub.name


def _simplify(signature):
    signature = re.sub(r"(?:numpy\.)?ndarray\[dtype=(\w+),[^]]*\]", r"array[\1]", signature)
    signature = re.sub(r"NDArray\[np\.(\w+)\]", r"array[\1]", signature)
    signature = re.sub(r"NDArray\[Any\]|ndarray\[shape=[^]]*\]", "array[Any]", signature)
    return signature.replace("sc_neurocore._native.", "").replace("collections.abc.", "")


def _python(code, environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
