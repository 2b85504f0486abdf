import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sc_neurocore import Bitstream, Interval, Role, encode, encode_pair, stream_key

KEY = stream_key(1, Role.INPUT)
shapes = hnp.array_shapes(min_dims=1, max_dims=3, max_side=5)
lengths = st.integers(1, 200)


@st.composite
def bits(draw, n=1):
    shape = (*draw(shapes), draw(lengths))
    arrays = [draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, 1))) for _ in range(n)]
    return arrays if n > 1 else arrays[0]


@given(bits())
def test_packing_and_unpacking_returns_the_bits(unpacked):
    stream = Bitstream.from_bits(unpacked)
    assert stream.shape == unpacked.shape[:-1]
    assert stream.length == unpacked.shape[-1]
    assert np.array_equal(stream.bits(), unpacked)
    assert np.array_equal(stream.counts(), unpacked.sum(axis=-1))
    assert np.array_equal(stream.probability(), unpacked.mean(axis=-1))


@given(bits(n=2))
def test_gates_are_the_gates_of_the_bits(pair):
    a, b = pair
    x, y = Bitstream.from_bits(a), Bitstream.from_bits(b)
    assert np.array_equal((x & y).bits(), a & b)
    assert np.array_equal((x | y).bits(), a | b)
    assert np.array_equal((x ^ y).bits(), a ^ b)
    assert np.array_equal((~x).bits(), 1 - a)
    assert ~~x == x
    assert ~(x & y) == ~x | ~y


@pytest.mark.parametrize(
    "index", [0, -1, slice(1, 3), [2, 0], None, ..., (1, 2), (..., 0), (slice(None), 1)]
)
def test_an_index_selects_along_the_batch_and_never_along_time(index):
    unpacked = np.random.default_rng(0).integers(0, 2, (4, 3, 100), np.uint8)
    key = index if isinstance(index, tuple) else (index,)
    expected = unpacked[key if ... in key else (*key, ...)]
    if index == (..., 0):
        expected = unpacked[:, 0]
    assert np.array_equal(Bitstream.from_bits(unpacked)[index].bits(), expected)


def test_an_index_too_many_is_refused():
    stream = Bitstream.from_bits(np.zeros((4, 3, 64), np.uint8))
    for index in ((0, 0, 0), (..., 0, 0, 0), 4):
        with pytest.raises(IndexError):
            stream[index]


def test_a_batch_is_iterated_over_its_first_axis_and_a_single_stream_is_not():
    unpacked = np.random.default_rng(3).integers(0, 2, (3, 2, 70), np.uint8)
    rows = list(Bitstream.from_bits(unpacked))
    assert [row.shape for row in rows] == [(2,)] * 3
    assert np.array_equal([row.bits() for row in rows], unpacked)
    with pytest.raises(TypeError, match="no batch to iterate over"):
        iter(Bitstream.from_bits([0, 1]))


def test_gates_broadcast_over_the_batch():
    a = np.random.default_rng(1).integers(0, 2, (4, 1, 70), np.uint8)
    b = np.random.default_rng(2).integers(0, 2, (3, 70), np.uint8)
    assert np.array_equal((Bitstream.from_bits(a) & Bitstream.from_bits(b)).bits(), a & b)


def test_streams_are_frozen():
    stream = Bitstream.from_bits([0, 1, 1])
    with pytest.raises(ValueError, match="read-only"):
        stream.words[0] = 1
    with pytest.raises(AttributeError):
        stream.length = 4
    with pytest.raises(TypeError):
        hash(stream)


def test_copies_are_frozen_too():
    stream = Bitstream.from_bits([0, 1, 1])
    for copied in (pickle.loads(pickle.dumps(stream)), copy.deepcopy(stream)):
        assert copied == stream
        with pytest.raises(ValueError, match="read-only"):
            copied.words[0] = 1


def test_the_repr_is_short_and_tells_shape_length_and_value():
    assert repr(Bitstream.from_bits([0, 1, 1, 1])) == "Bitstream(length=4, p=0.75)"
    wide = Bitstream.from_bits(np.tile(np.array([0, 1, 1, 1]), (1000, 1)))
    assert repr(wide) == "Bitstream(shape=(1000,), length=4, p=[0.75 0.75 ... 0.75 0.75])"


def test_streams_mix_with_streams_only():
    stream = Bitstream.from_bits([0, 1])
    for other in (np.array([0, 1], np.uint8), 1, [0, 1]):
        with pytest.raises(TypeError):
            stream & other
        with pytest.raises(TypeError):
            other & stream
    assert stream != 1
    assert stream != Bitstream.from_bits([1, 1])


def test_reshaping_keeps_the_streams():
    unpacked = np.random.default_rng(0).integers(0, 2, (4, 3, 70), np.uint8)
    reshaped = Bitstream.from_bits(unpacked).reshape(2, 6)
    assert np.array_equal(reshaped.bits(), unpacked.reshape(2, 6, 70))


@pytest.mark.parametrize("p", [0.0, 2**-32, 0.001, 0.3, 0.5, 0.75, 1 - 2**-32, 1.0])
def test_density_is_within_five_sigma_and_exact_at_the_ends(p):
    n = 2**22
    deviation = float(encode(p, n, key=KEY).probability()) - p
    assert abs(deviation) <= 5 * np.sqrt(p * (1 - p) / n)


def test_probabilities_outside_saturate_with_a_warning():
    with pytest.warns(UserWarning, match="2 of 3 .* between -0.5 and 255, and saturate"):
        saturated = encode([-0.5, 0.3, 255.0], 100, key=KEY)
    assert saturated == encode([0.0, 0.3, 1.0], 100, key=KEY)
    with pytest.warns(UserWarning, match="1 of 1 probabilities lie outside"):
        encode_pair(0.5, 1.5, 100, key=KEY)
    assert encode([-1e-9, 1 + 1e-9], 100, key=KEY) == encode([0.0, 1.0], 100, key=KEY)  # rounding
    assert Interval(-1, 1).to_probability([-3, 3]).tolist() == [0.0, 1.0]  # without a warning


def test_streams_are_pairwise_independent():
    n, length = 128, 2**14
    z = (encode(np.full(n, 0.3), length, key=KEY).bits() - 0.3) / np.sqrt(0.21 * length)
    correlations = (z @ z.T)[np.triu_indices(n, 1)] * np.sqrt(length)
    assert np.abs(correlations).max() <= 5.5  # 8,128 pairs
    assert abs(correlations.std() - 1) <= 5 / np.sqrt(2 * len(correlations))
    flat = z * np.sqrt(length)
    for lag in (1, 7, 63, 64, 65, 512):
        covariance = (flat[:, :-lag] * flat[:, lag:]).mean()
        assert abs(covariance) <= 5 / np.sqrt(n * (length - lag)), lag


def test_equal_stream_numbers_share_their_uniform_numbers():
    p, q = encode([0.3, 0.7], 1000, key=KEY, streams=[5, 5])
    assert (p & q) == p
    assert np.array_equal(
        encode([0.3, 0.7], 1000, key=KEY)[1].bits(), encode(0.7, 1000, key=KEY, streams=1).bits()
    )


@given(lengths, lengths)
def test_a_shorter_stream_is_the_beginning_of_a_longer_one(a, b):
    short, long = sorted((a, b))
    assert np.array_equal(encode(0.4, short, key=KEY).bits(), encode(0.4, long, key=KEY).bits()[:short])


@given(st.floats(-100, 100), st.floats(0.1, 100), st.floats(0, 1))
def test_an_interval_maps_there_and_back(low, width, p):
    code = Interval(low, low + width)
    assert code.to_probability(code.from_probability(p)) == pytest.approx(p, abs=1e-9)
    assert code.to_probability(low - 1) == 0
    assert code.to_probability(low + 2 * width) == 1


def test_a_slice_in_time_is_refused_with_the_way_to_cut():
    with pytest.raises(IndexError, match=r"axis of the batch shape .*between"):
        encode(0.5, 64, key=1)[:10]
    assert encode([0.5, 0.1], 64, key=1)[:, None].shape == (2, 1)


def test_arithmetic_signs_name_what_streams_have_instead():
    x = encode([0.5], 8, key=KEY)
    for wrong in (lambda: x * x, lambda: 2 * x, lambda: np.ones(1) * x):
        with pytest.raises(TypeError, match="no \\*; the AND x & w multiplies independent streams"):
            wrong()
    for wrong in (lambda: x + x, lambda: 0.5 + x):
        with pytest.raises(
            TypeError, match=r"no \+; scaled_add\(stack\(\[x, y\]\), key=1\) is the mean"
        ):
            wrong()
