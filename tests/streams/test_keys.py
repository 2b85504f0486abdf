import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import twins
from hypothesis import given
from hypothesis import strategies as st

from sc_neurocore import Bernoulli, Halton, Permutation, Role, Sobol, _native, encode, stream_key
from sc_neurocore.streams import keys
from sc_neurocore.streams._numbers import random32

KEY = 0x123456789ABCDEF0
# Low words, high words, and the starts of the ranges of streams.
STREAMS = np.array([0, 1, 2**32 - 1, 2**32, 7 << 32 | 3, 2**62 - 1, 2**62, 2**63, 2**64 - 1], np.uint64)

seeds = st.integers(0, 2**128 - 1)


def test_keys_never_change_between_releases():
    # Golden values: a change here changes every result that anybody has published.
    assert stream_key(0, Role.INPUT) == 0x784DFB2CDFF7B411
    assert stream_key(42, Role.WEIGHT, 0) == 0xE66843FE45FBC4B8
    assert stream_key(2**128 - 1, Role.NOISE, 1, 2**32 - 1) == 0x2F7A36E5609D4634


def test_seeds_roles_and_paths_give_keys_of_their_own():
    keys = {
        stream_key(seed, role, *path)
        for seed in (*range(100), 2**32, 2**64, 2**127)
        for role in Role
        for path in ((), (0,), (1,), (0, 0), (0, 1), (1, 0))
    }
    assert len(keys) == 103 * len(Role) * 6


@given(seeds, st.sampled_from(Role), st.lists(st.integers(0, 2**32 - 1), max_size=3))
def test_a_key_is_a_function_of_its_address(seed, role, path):
    key = stream_key(seed, role, *path)
    assert key == stream_key(seed, role, *path)
    assert 0 <= key < 2**64


def test_keys_of_neighboring_seeds_differ_in_half_of_their_bits():
    n = 4000
    keys = np.array([stream_key(seed, Role.INPUT) for seed in range(n + 1)], np.uint64)
    flips = np.bitwise_count(keys[1:] ^ keys[:-1])
    assert abs(flips.mean() - 32) <= 5 * np.sqrt(16 / n)


@pytest.mark.parametrize("role", Role)
def test_numpy_integers_are_seeds(role):
    assert stream_key(np.int64(7), role, np.uint8(1)) == stream_key(7, role, 1)


# --- addresses of random numbers, as the table in keys.py has them


def counters(words, domains, streams):
    """Return counters of shape (n, 4) from broadcastable arrays, the stream as two words."""
    words, domains, streams = np.broadcast_arrays(words, domains, np.asarray(streams, np.uint64))
    low, high = streams & np.uint64(2**32 - 1), streams >> np.uint64(32)
    return np.stack([a.ravel().astype(np.uint32) for a in (words, domains, low, high)], axis=1)


def test_the_noise_domain_is_the_native_one():
    header = (Path(__file__).parents[2] / "native" / "philox.hpp").read_text()
    (native,) = re.findall(r"kNoiseDomain = (0x[0-9A-Fa-f]+);", header)
    assert int(native, 16) == keys.NOISE_DOMAIN == twins.NOISE_DOMAIN


def test_the_second_words_of_counters_are_disjoint():
    slice_pairs = range(32 // 2)
    domains = [*slice_pairs, keys.NOISE_DOMAIN, keys.SHIFT_DOMAIN]
    assert len(set(domains)) == len(domains)
    assert max(domains) < 2**32


def test_the_ranges_of_streams_are_disjoint():
    assert int(keys.lane_streams(2, 2).max()) == 2**32 + 1
    # A row is below 2**30, so that streams of encoded values end where those of permutations begin.
    values = (0, (2**30 - 1) << 32 | 2**32 - 1)
    permutations = (keys.PERMUTATION, keys.PERMUTATION | values[1])
    operators = (keys.OPERATOR, 2**64 - 1)
    ranges = [values, permutations, operators]
    for (_, last), (first, _) in pairwise(ranges):
        assert last + 1 == first


def test_the_key_of_orders_is_a_key_and_no_seed_near_0_makes_it():
    assert 0 <= keys.ORDER_KEY < 2**64
    assert keys.ORDER_KEY not in {stream_key(s, role) for s in range(1000) for role in Role}


def test_bits_have_the_counter_of_the_table(isa):
    first, n_words = 5, 3
    for m in range(16):
        for k in range(n_words):
            block = _native.philox(KEY, counters(first + k, m, STREAMS)).astype(np.uint64)
            numbers = _native.uniform(KEY, STREAMS, 64 * (first + k), 64).astype(np.uint64)
            for half, of_slice in ((0, 2 * m), (1, 2 * m + 1)):
                slices = block[:, 2 * half] | block[:, 2 * half + 1] << np.uint64(32)
                digits = numbers >> np.uint64(31 - of_slice) & np.uint64(1)
                bits = slices[:, np.newaxis] >> np.arange(64, dtype=np.uint64) & np.uint64(1)
                assert np.array_equal(digits, bits)


def test_noise_has_the_counter_of_the_table(isa):
    n, steps, first = 5, 23, 6
    t = np.arange(first, first + steps)
    of_neurons = [
        _native.philox(KEY, counters(t // 4, keys.NOISE_DOMAIN, neuron))[np.arange(steps), t % 4]
        for neuron in range(n)
    ]
    samples = _native.normal(KEY, n, first, steps)
    assert np.array_equal(samples, twins.to_normal(np.array(of_neurons)))


def test_shifts_have_the_counter_of_the_table():
    shifts = _native.philox(KEY, counters(0, keys.SHIFT_DOMAIN, STREAMS))[:, 0]
    assert np.array_equal(random32(KEY, STREAMS), shifts)
    few = STREAMS[:2]
    published = Sobol(randomized=False).numbers(few, 10, key=KEY)
    assert np.array_equal(Sobol().numbers(few, 10, key=KEY), published ^ shifts[:2, np.newaxis])
    base_2 = Halton(randomized=False).numbers(0, 10, key=KEY)
    assert np.array_equal(Halton().numbers(0, 10, key=KEY), base_2 ^ shifts[0])


def test_ranks_of_permutations_are_those_of_their_own_streams():
    period, streams = 50, STREAMS[:5]
    uniform = Bernoulli().numbers(streams | np.uint64(keys.PERMUTATION), period, key=KEY)
    ranks = np.argsort(np.argsort(uniform, axis=1, kind="stable"), axis=1)
    assert np.array_equal(Permutation(period).numbers(streams, period, key=KEY), ranks)


def test_bernoulli_streams_are_the_uniform_numbers_below_the_threshold(isa):
    p = np.linspace(0, 1, len(STREAMS))
    bits = _native.uniform(KEY, STREAMS, 0, 200) < Bernoulli().thresholds(p)[:, np.newaxis]
    assert np.array_equal(encode(p, 200, key=KEY, streams=STREAMS).bits(), bits)
