"""Packed words against plain NumPy on bits, at lengths that are no multiples of 64."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sc_neurocore import Bitstream, concatenate
from sc_neurocore.streams import _bits

lengths = st.integers(1, 300)
batches = hnp.array_shapes(min_dims=0, max_dims=2, max_side=3) | st.just(())


@st.composite
def bit_arrays(draw, batch=batches):
    shape = (*draw(batch), draw(lengths))
    return np.random.default_rng(draw(st.integers(0, 2**32))).integers(0, 2, shape, np.uint8)


def shift(bits, steps):
    """Return the bits that many steps later, with zeros before them."""
    late = np.zeros_like(bits)
    steps = min(steps, bits.shape[-1])
    late[..., steps:] = bits[..., : bits.shape[-1] - steps]
    return late


def same(words, bits):
    """Return whether words hold exactly these bits, with zeros past them."""
    n = -(-bits.shape[-1] // 64)
    padded = np.zeros((*bits.shape[:-1], 64 * n), np.uint8)
    padded[..., : bits.shape[-1]] = bits
    return (
        words.dtype == np.uint64
        and words.shape == (*bits.shape[:-1], n)
        and np.array_equal(_bits.unpack(words, 64 * n), padded)
    )


@given(bit_arrays())
def test_bit_t_is_bit_t_mod_64_of_word_t_div_64(bits):
    length = bits.shape[-1]
    words = _bits.pack(bits)
    assert words.shape[-1] == _bits.n_words(length)
    t = np.arange(length)
    assert np.array_equal(words[..., t // 64] >> (t % 64).astype(np.uint64) & np.uint64(1), bits)
    assert same(words, bits)
    assert np.array_equal(_bits.unpack(words, length), bits)
    assert same(_bits.pack(bits.astype(bool)), bits)


@given(lengths)
def test_the_mask_of_the_last_word_has_the_bits_within_the_length(length):
    inside = np.arange(64) < (length - 1) % 64 + 1
    assert np.array_equal(_bits.unpack(np.array([_bits.last_mask(length)]), 64), inside)


@given(batches, lengths)
def test_ones_are_ones_up_to_the_length(shape, length):
    assert same(_bits.ones(shape, length), np.ones((*shape, length), np.uint8))


@given(bit_arrays(), st.integers(0, 400))
def test_delayed_streams_begin_with_zeros(bits, steps):
    late = _bits.delayed(_bits.pack(bits), steps, bits.shape[-1])
    assert same(late, shift(bits, steps))


@given(bit_arrays(batch=st.sampled_from([(1,), (3,), (2, 3)])), st.data())
def test_each_stream_has_a_delay_of_its_own(bits, data):
    k = bits.shape[-2]
    steps = np.array(data.draw(st.lists(st.integers(0, 400), min_size=k, max_size=k)))
    late = _bits.delayed(_bits.pack(bits), steps, bits.shape[-1])
    for i, n in enumerate(steps.tolist()):
        assert same(late[..., i, :], shift(bits[..., i, :], n))


@given(bit_arrays(batch=st.just((2,))), st.integers(0, 200), st.booleans())
def test_shifted_streams_show_the_past_words(bits, steps, one_each):
    past = np.random.default_rng(0).integers(0, 2, (2, 64 * 4), np.uint8)
    n = _bits.n_words(bits.shape[-1])
    words = np.concatenate([_bits.pack(past), _bits.pack(bits)], axis=-1)
    late = _bits.shifted(words, np.array([steps, steps // 2]) if one_each else steps, n)
    unpacked = _bits.unpack(words, 64 * (4 + n))
    for i, delay in enumerate((steps, steps // 2 if one_each else steps)):
        start = 64 * 4 - delay
        assert same(late[i], unpacked[i, start : start + 64 * n])


@given(bit_arrays(), st.data())
def test_a_cut_has_the_bits_from_start_to_stop(bits, data):
    length = bits.shape[-1]
    start = data.draw(st.integers(0, length - 1))
    stop = data.draw(st.integers(start + 1, length))
    words = _bits.pack(bits)
    before = words.copy()
    assert same(_bits.cut(words, start, stop), bits[..., start:stop])
    assert np.array_equal(words, before)
    part = Bitstream.from_bits(bits).between(start, stop)
    assert part.length == stop - start
    assert np.array_equal(part.bits(), bits[..., start:stop])


@given(batches, st.lists(lengths, min_size=1, max_size=5), st.integers(0, 2**32))
def test_joined_streams_follow_one_another(shape, parts, seed):
    rng = np.random.default_rng(seed)
    bits = [rng.integers(0, 2, (*shape, n), np.uint8) for n in parts]
    words = _bits.joined([(_bits.pack(b), b.shape[-1]) for b in bits])
    assert same(words, np.concatenate(bits, axis=-1))


@given(
    hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, max_side=3),
    st.lists(lengths, min_size=3, max_size=3),
    st.integers(0, 2**32),
)
def test_concatenated_batches_broadcast(shapes, parts, seed):
    rng = np.random.default_rng(seed)
    bits = [
        rng.integers(0, 2, (*shape, n), np.uint8)
        for shape, n in zip(shapes.input_shapes, parts, strict=True)
    ]
    expected = np.concatenate(
        [np.broadcast_to(b, (*shapes.result_shape, b.shape[-1])) for b in bits], axis=-1
    )
    stream = concatenate([Bitstream.from_bits(b) for b in bits])
    assert stream.shape == shapes.result_shape
    assert np.array_equal(stream.bits(), expected)


@given(bit_arrays(), st.data())
def test_the_parts_of_a_stream_concatenate_to_the_stream(bits, data):
    stream = Bitstream.from_bits(bits)
    if stream.length > 1:
        at = data.draw(st.integers(1, stream.length - 1))
        parts = [stream.between(0, at), stream.between(at, stream.length)]
        assert concatenate(parts) == stream
    assert concatenate([stream]) == stream


@pytest.mark.parametrize(
    "convert", [np.asarray, np.array, lambda x: np.mean(x), lambda x: np.stack([x])]
)
@pytest.mark.parametrize("shape", [(70,), (2, 70)])
def test_a_bitstream_does_not_become_an_array(convert, shape):
    with pytest.raises(TypeError, match="a Bitstream does not convert to an array"):
        convert(Bitstream.from_bits(np.ones(shape, np.uint8)))


def test_cuts_and_joins_need_bits_and_shapes_that_fit():
    stream = Bitstream.from_bits(np.ones((2, 70), np.uint8))
    for start, stop in ((-1, 3), (3, 3), (0, 71), (70, 71), (5, 4)):
        with pytest.raises(ValueError, match=r"start must|stop must"):
            stream.between(start, stop)
    with pytest.raises(ValueError, match="hold at least one Bitstream"):
        concatenate([])
    with pytest.raises(ValueError, match=r"batch shapes that broadcast, got \(2,\) and \(3,\)"):
        concatenate([stream, Bitstream.from_bits(np.ones((3, 5), np.uint8))])
