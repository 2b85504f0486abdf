"""Circuits that change the correlation of streams."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sc_neurocore import Bitstream, Permutation, Role, encode, scc, stream_key
from sc_neurocore.operators import decorrelate, desynchronize, isolate, regenerate, synchronize
from sc_neurocore.streams import phi

KEY = stream_key(13, Role.INPUT)
OTHER = stream_key(13, Role.WEIGHT)
NOISE = stream_key(13, Role.NOISE)
ROWS = 500

quick = settings(deadline=None, max_examples=60)
pairs = st.integers(1, 200).flatmap(
    lambda n: hnp.arrays(np.uint8, (2, n), elements=st.integers(0, 1)).map(Bitstream.from_bits)
)
CASES = [(0.3, 0.5, 0), (0.5, 0.5, 0), (0.7, 0.6, 0), (0.4, 0.8, -1), (0.3, 0.3, -1), (0.2, 0.6, 1)]


def pair(p, q, length, correlation):
    """Return a batch of pairs with SCC 0, +1 or -1."""
    x = encode(np.full(ROWS, p), length, key=KEY)
    if correlation == 0:
        return x, encode(np.full(ROWS, q), length, key=OTHER)
    return x, encode(np.full(ROWS, q), length, key=KEY) if correlation > 0 else ~encode(
        np.full(ROWS, 1 - q), length, key=KEY
    )


def overlap(p, q, correlation):
    return [p * q, min(p, q), max(0.0, p + q - 1)][correlation]


def settled(stream):
    """Return the density without the first 1024 steps."""
    return Bitstream(stream.words[:, 16:], stream.length - 1024).probability()


def agrees(samples, expected):
    """Return whether the mean is within five standard errors, plus 1e-6, of the expected value."""
    return abs(samples.mean() - expected) <= 5 * samples.std() / np.sqrt(samples.size) + 1e-6


def ones(stream):
    return np.cumsum(stream.bits(), axis=-1, dtype=int)


@quick
@given(pairs, st.integers(1, 6))
def test_a_synchronizer_withholds_at_most_depth_ones_of_one_stream_at_any_time(xy, depth):
    x, y = synchronize(*xy, depth)
    withheld = np.array([ones(xy[0]) - ones(x), ones(xy[1]) - ones(y)])
    assert (withheld >= 0).all()
    assert (withheld <= depth).all()
    assert (withheld.min(axis=0) == 0).all()
    # A lone one is written only if no more can be withheld.
    assert (withheld[0][(x & ~y).bits() == 1] == depth).all()
    assert (withheld[1][(y & ~x).bits() == 1] == depth).all()


@pytest.mark.parametrize(("p", "q", "correlation"), CASES)
@pytest.mark.parametrize("depth", [1, 2, 7])
def test_synchronized_streams_have_the_overlap_of_the_closed_form(p, q, correlation, depth):
    x, y = pair(p, q, 64 * 64, correlation)
    p11 = overlap(p, q, correlation)
    lone = np.array([p - p11, q - p11])
    if lone.min() < 1e-12:
        kept = lone.max() if lone[0] > lone[1] else 0
    else:
        weights = (lone[0] / lone[1]) ** np.arange(-depth, depth + 1)
        kept = lone[0] * weights[-1] / weights.sum()
    new_x, new_y = synchronize(x, y, depth)
    assert agrees(settled(new_x & new_y), p - kept)
    assert agrees(settled(new_x), p)
    assert agrees(settled(new_y), q)
    assert (scc(new_x, new_y) >= scc(x, y) - 1e-12).all()


def test_a_deep_synchronizer_brings_scc_to_1_and_a_desynchronizer_to_minus_1():
    x, y = pair(0.4, 0.5, 2**14, 0)
    assert scc(*synchronize(x, y, 60)).min() >= 0.99
    near, far = desynchronize(x, y, 60)
    assert scc(near, far).max() <= -0.99
    assert agrees(settled(near | far), 0.9)


@quick
@given(pairs, st.integers(1, 6))
def test_a_desynchronizer_withholds_at_most_depth_ones_of_y_at_any_time(xy, depth):
    x, y = desynchronize(*xy, depth)
    assert x == xy[0]
    withheld = ones(xy[1]) - ones(y)
    assert (withheld >= 0).all()
    assert (withheld <= depth).all()
    assert (withheld[(x & y).bits() == 1] == depth).all()
    assert (withheld[(x | y).bits() == 0] == 0).all()


@pytest.mark.parametrize(("p", "q", "correlation"), CASES)
@pytest.mark.parametrize("depth", [1, 2, 7])
def test_desynchronized_streams_have_the_overlap_of_the_closed_form(p, q, correlation, depth):
    x, y = pair(p, q, 64 * 64, correlation)
    p11 = overlap(p, q, correlation)
    p00 = 1 - p - q + p11
    weights = (p11 / p00) ** np.arange(depth + 1) if p00 > 1e-12 else np.eye(depth + 1)[-1]
    new_x, new_y = desynchronize(x, y, depth)
    assert agrees(settled(new_x & new_y), p11 * weights[-1] / weights.sum())
    assert agrees(settled(new_y), q)
    before = scc(x, y)
    assert (scc(new_x, new_y) <= before + 1e-12).all()


@quick
@given(pairs, st.integers(1, 70), st.integers(0, 2**64 - 1))
def test_a_decorrelator_changes_a_count_by_at_most_half_its_depth(xy, depth, key):
    shuffled = decorrelate(xy, depth, key=key)
    change = ones(shuffled) - ones(xy)
    assert (change <= depth // 2).all()
    assert (-change <= -(-depth // 2)).all()
    assert shuffled == decorrelate(xy, depth, key=key)


@pytest.mark.parametrize("depth", [1, 4, 64])
def test_a_decorrelator_brings_white_streams_of_scc_1_to_0_within_five_sigma(depth):
    length = 2**14
    x, y = pair(0.5, 0.5, length, 1)
    assert (scc(x, y) == 1).all()
    s = scc(decorrelate(x, depth, key=NOISE), y)
    # At p = q = 1/2 SCC is four times the covariance; its variance is 1 / L.
    assert np.abs(s).max() <= 5 / np.sqrt(length)
    assert abs(s.mean()) <= 5 / np.sqrt(length * ROWS)


@pytest.mark.parametrize("depth", [1, 2, 5, 16, 200])
def test_a_decorrelator_averages_the_correlation_over_its_waiting_times(depth):
    # A square wave of period 16: its correlation at lag k is a triangle between +1 and -1.
    length = 2**14
    wave = Bitstream.from_bits(np.tile(np.arange(length) // 8 % 2, (ROWS, 1)))
    k = np.arange(1, 60 * depth)
    rho = np.abs(k % 16 - 8) / 4 - 1
    expected = (rho * (1 - 1 / depth) ** (k - 1) / depth).sum()
    late = phi(
        *(
            Bitstream(z.words[:, 64:], length - 4096)
            for z in (decorrelate(wave, depth, key=NOISE), wave)
        )
    )
    assert agrees(late, expected)
    assert depth < 200 or abs(expected) < 0.01


def test_a_row_is_shuffled_in_the_same_way_in_any_batch():
    x = encode(np.linspace(0, 1, 600), 700, key=KEY)
    shuffled = decorrelate(x, 9, key=NOISE)
    assert decorrelate(x[:5], 9, key=NOISE) == shuffled[:5]
    assert decorrelate(x.reshape(20, 30), 9, key=NOISE) == shuffled.reshape(20, 30)
    with pytest.raises(AssertionError):
        assert decorrelate(x, 9, key=OTHER) == shuffled


@pytest.mark.parametrize("length", [1, 63, 64, 65, 200])
def test_an_isolator_delays_by_any_number_of_steps(length):
    bits = np.random.default_rng(1).integers(0, 2, (3, length), np.uint8)
    x = Bitstream.from_bits(bits)
    for delay in range(length + 70):
        expected = np.zeros_like(bits)
        expected[:, min(delay, length) :] = bits[:, : max(0, length - delay)]
        assert np.array_equal(isolate(x, delay).bits(), expected), delay


def test_a_white_stream_is_independent_of_its_delayed_copy():
    length = 2**14
    x, _ = pair(0.5, 0.5, length, 0)
    for delay in (1, 64, 100):
        assert np.abs(scc(x, isolate(x, delay))).max() <= 6 / np.sqrt(length)


def test_regenerated_streams_keep_their_densities_and_lose_their_correlation():
    length = 2**14
    x, y = pair(0.3, 0.3, length, 1)
    new = regenerate(x, key=NOISE)
    p = x.probability()
    z = (new.probability() - p) / np.sqrt(p * (1 - p) / length)
    assert np.abs(z).max() <= 5
    assert abs(z.var() - 1) <= 5 * np.sqrt(2 / ROWS)
    both = (new & y).probability() - p * y.probability()
    assert abs(both.mean()) <= 5 * both.std() / np.sqrt(ROWS)
    assert regenerate(Bitstream.from_bits([[0] * 9, [1] * 9]), key=NOISE).counts().tolist() == [0, 9]


def test_regenerating_by_a_permutation_keeps_the_count():
    x = encode([0.2, 0.7], 100, key=KEY)
    again = regenerate(x, key=KEY + 1, source=Permutation(100))
    assert np.array_equal(again.counts(), x.counts())
    assert again != x
