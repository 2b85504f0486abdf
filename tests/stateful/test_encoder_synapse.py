"""Densities, products and currents of bitstreams: each within five standard errors of its theory."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sc_neurocore import (
    Bitstream,
    BitstreamCurrentSource,
    BitstreamEncoder,
    BitstreamSynapse,
    Interval,
    Role,
    bitstream_to_probability,
    current_trace,
    encode,
    stream_key,
)

law = settings(deadline=None, derandomize=True, max_examples=60)
LENGTH = 4096
LONG = 2**16
DENSITIES = [i / 16 for i in range(17)]


def error(p, n):
    """Return five standard errors of the density of n independent bits."""
    return 5 * math.sqrt(p * (1 - p) / n)


def largest_correlation(streams):
    correlation = np.corrcoef(streams) - np.eye(len(streams))
    return np.abs(correlation).max()


# --- encoder


@pytest.mark.parametrize("p", [*DENSITIES, 1 / 3, 0.001, 0.999, 1e-4])
def test_the_density_of_a_stream_is_the_encoded_value(p):
    n = 2**20
    density = bitstream_to_probability(BitstreamEncoder(length=n, seed=1).encode(p))
    assert abs(density - p) <= error(p, n)


@law
@given(st.floats(-100, 100), st.floats(0.1, 100), st.floats(0.02, 0.98), st.integers(0, 2**128 - 1))
def test_decoding_returns_the_value(x_min, width, p, seed):
    encoder = BitstreamEncoder(x_min, x_min + width, length=LENGTH, seed=seed)
    x = x_min + p * width
    assert abs(encoder.decode(encoder.encode(x)) - x) <= width * error(p, LENGTH) + 1e-12 * abs(x_min)


@pytest.mark.parametrize(("x_min", "x_max"), [(0.0, 1.0), (-1.0, 1.0), (0.1, 0.3), (-5, -3)])
@pytest.mark.parametrize("length", [1, 63, 64, 65, 1000])
def test_values_at_and_outside_the_ends_give_constant_streams(x_min, x_max, length):
    encoder = BitstreamEncoder(x_min, x_max, length, seed=2)
    for x in (x_min, x_min - 1e-3, x_min - 100):
        assert not encoder.encode(x).any()
    for x in (x_max, x_max + 1e-3, x_max + 100):
        assert encoder.encode(x).all()
    assert encoder.decode(np.zeros(length)) == x_min
    assert encoder.decode(np.ones(length)) == pytest.approx(x_max, rel=1e-15)


def test_bits_are_uint8_with_time_as_the_only_axis():
    for length in (1, 64, 65):
        bits = BitstreamEncoder(length=length, seed=0).encode(0.5)
        assert (bits.shape, bits.dtype) == ((length,), np.uint8)
        assert set(bits.tolist()) <= {0, 1}


def test_equal_seeds_repeat_and_a_drawn_seed_can_be_read():
    for seed in (0, 1, 2**128 - 1, None):
        first = BitstreamEncoder(length=LENGTH, seed=seed)
        again = BitstreamEncoder(length=LENGTH, seed=first.seed)
        for x in (0.1, 0.5, 0.9):
            assert np.array_equal(first.encode(x), again.encode(x))
    assert BitstreamEncoder().seed != BitstreamEncoder().seed


def test_streams_of_one_encoder_are_independent_and_multiply():
    encoder = BitstreamEncoder(length=LONG, seed=3)
    streams = np.array([encoder.encode(0.5) for _ in range(16)])
    assert largest_correlation(streams) <= 5 / math.sqrt(LONG)
    for first, second in pairwise(DENSITIES):
        p = first * second
        product = encoder.encode(first) & encoder.encode(second)
        assert abs(product.mean() - p) <= error(p, LONG)


def test_the_bits_of_a_stream_are_independent_in_time():
    bits = BitstreamEncoder(length=LONG, seed=4).encode(0.5) - 0.5
    for lag in range(1, 131):
        assert abs(np.mean(bits[lag:] * bits[:-lag])) <= 5 * 0.25 / math.sqrt(LONG - lag), lag


def test_neighboring_seeds_share_no_stream_in_any_role():
    streams = []
    for seed in range(50):
        encoder = BitstreamEncoder(length=LENGTH, seed=seed)
        streams += [encoder.encode(0.5) for _ in range(3)]
        streams.append(BitstreamSynapse(0.0, 1.0, LENGTH, w=0.5, seed=seed).weight_bits)
        for role in (Role.NOISE, Role.SELECT):
            streams.append(encode(0.5, LENGTH, key=stream_key(seed, role)).bits())
    assert len({stream.tobytes() for stream in streams}) == 6 * 50
    assert largest_correlation(streams) <= 5 / math.sqrt(LENGTH)


def test_encoding_no_values_gives_an_empty_batch():
    assert encode([], 8, key=0).shape == (0,)
    assert encode(np.zeros((3, 0)), 8, key=0).bits().shape == (3, 0, 8)


# --- synapse


@pytest.mark.parametrize("w", DENSITIES)
@pytest.mark.parametrize("seed", [0, 42])
def test_encoder_and_synapse_of_equal_seeds_multiply(w, seed):
    synapse = BitstreamSynapse(0.0, 1.0, LONG, w=w, seed=seed)
    assert abs(synapse.effective_weight_probability() - w) <= error(w, LONG)
    assert synapse.effective_weight_probability() == synapse.weight_bits.mean()
    for x in (0.0, 0.3, 0.5, 0.8, 1.0):
        pre = BitstreamEncoder(length=LONG, seed=seed).encode(x)
        post = synapse.apply(pre)
        assert np.array_equal(post, pre * synapse.weight_bits)
        assert (post.shape, post.dtype) == ((LONG,), np.uint8)
        assert abs(post.mean() - x * w) <= error(x * w, LONG)
        if 0 < x < 1 and 0 < w < 1:
            assert largest_correlation([pre, synapse.weight_bits]) <= 5 / math.sqrt(LONG)


def test_a_weight_is_coded_in_its_own_interval():
    ends = [BitstreamSynapse(-2.0, 2.0, 100, w=w, seed=1).weight_bits for w in (-2.0, 2.0)]
    assert not ends[0].any()
    assert ends[1].all()
    synapse = BitstreamSynapse(-2.0, 2.0, LONG, w=1.0, seed=1)
    assert abs(synapse.effective_weight_probability() - 0.75) <= error(0.75, LONG)


def test_synapses_of_equal_seeds_have_nested_bits():
    by_weight = [BitstreamSynapse(0.0, 1.0, LENGTH, w=w, seed=9).weight_bits for w in DENSITIES]
    for smaller, larger in pairwise(by_weight):
        assert (smaller <= larger).all()
        assert (smaller < larger).any()


def test_the_bits_of_a_weight_are_drawn_once():
    synapse = BitstreamSynapse(0.0, 1.0, LENGTH, w=0.5, seed=None)
    assert np.array_equal(synapse.apply(np.ones(LENGTH)), synapse.weight_bits)
    assert np.array_equal(synapse.apply([1] * LENGTH), synapse.weight_bits)
    again = BitstreamSynapse(0.0, 1.0, LENGTH, w=0.5, seed=synapse.seed)
    assert np.array_equal(again.weight_bits, synapse.weight_bits)
    with pytest.raises(ValueError, match="read-only"):
        synapse.weight_bits[0] = 1


def test_applying_does_not_change_the_input():
    pre = np.ones(LENGTH, np.uint8)
    BitstreamSynapse(0.0, 1.0, LENGTH, w=0.5, seed=1).apply(pre)[:] = 7
    assert (pre == 1).all()


# --- current

X, W = [0.5, 0.8, 0.3], [0.6, 0.4, 0.9]
PRODUCTS = np.multiply(X, W)


def source(**changes):
    arguments = {
        "x_inputs": X, "x_min": 0.0, "x_max": 1.0, "weight_values": W, "w_min": 0.0, "w_max": 1.0,
        "length": LONG, "y_min": 0.0, "y_max": 0.1, "seed": 42,
    }  # fmt: skip
    return BitstreamCurrentSource(**arguments | changes)


def expected_signal(products, accumulate):
    """Return mean and variance of s(t) for independent products."""
    if accumulate == "or":
        p = 1 - np.prod(1 - products)
        return p, p * (1 - p)
    n = len(products) if accumulate == "mean" else 1
    return products.sum() / n, (products * (1 - products)).sum() / n**2


@pytest.mark.parametrize("accumulate", ["mean", "sum", "or"])
@pytest.mark.parametrize(("y_min", "y_max"), [(0.0, 0.1), (0.02, 0.3), (-1.0, 1.0)])
@pytest.mark.parametrize("seed", [0, 42])
def test_the_mean_current_is_that_of_the_products(accumulate, y_min, y_max, seed):
    mean, variance = expected_signal(PRODUCTS, accumulate)
    estimate = source(
        accumulate=accumulate, y_min=y_min, y_max=y_max, seed=seed
    ).full_current_estimate()
    expected = y_min + (y_max - y_min) * mean
    assert abs(estimate - expected) <= 5 * (y_max - y_min) * math.sqrt(variance / LONG)


def test_the_current_fluctuates_as_independent_products_do():
    # The variance of a sample variance from the second and fourth cumulants of a sum of bits.
    x, w = np.linspace(0.2, 0.9, 20), np.linspace(0.8, 0.3, 20)
    trace = source(x_inputs=x, weight_values=w, accumulate="sum", y_max=1.0).current_trace()
    second = (x * w) * (1 - x * w)
    fourth = second * (1 - 6 * second)
    sigma = math.sqrt((fourth.sum() + 2 * second.sum() ** 2) / LONG)
    assert abs(trace.var() - second.sum()) <= 5 * sigma


@law
@given(
    st.lists(st.tuples(st.floats(-0.5, 1.5), st.floats(0, 1)), min_size=1, max_size=70),
    st.integers(0, 99),
)
def test_the_current_counts_the_products_of_the_encoded_bits(channels, seed):
    x, w = map(list, zip(*channels, strict=True))
    n, length = len(channels), 130
    x_bits = encode(np.clip(x, 0, 1), length, key=stream_key(seed, Role.INPUT)).bits()
    products = x_bits & encode(w, length, key=stream_key(seed, Role.WEIGHT)).bits()
    changes = {"x_inputs": x, "weight_values": w, "length": length, "seed": seed}
    count = products.sum(axis=0)
    mean = source(**changes, y_max=float(n)).current_trace()
    assert np.array_equal(mean, count)
    total = source(**changes, y_min=-1.0, y_max=1.0, accumulate="sum").current_trace()
    assert np.array_equal(total, 2.0 * count - 1.0)
    any_product = source(**changes, y_min=3.0, y_max=5.0, accumulate="or").current_trace()
    assert np.array_equal(any_product, 3.0 + 2.0 * (count > 0))


@law
@given(st.integers(1, 40), st.floats(-2.0, 1.0), st.floats(1.1, 5.0), st.sampled_from([0.9, 1.0]))
@example(1, -0.1, 0.3, 1.0)
def test_the_current_lies_on_its_grid_within_its_range(n, y_min, y_max, w):
    channels = {"x_inputs": [1.0] * n, "weight_values": [w] * n, "length": 100}
    for accumulate, levels in (("mean", n), ("or", 1)):
        changes = {"y_min": y_min, "y_max": y_max, "accumulate": accumulate}
        trace = source(**channels, **changes).current_trace()
        step = (y_max - y_min) / levels
        k = np.rint((trace - y_min) / step)
        assert np.abs(trace - (y_min + k * step)).max() <= 4 * np.spacing(max(abs(y_min), y_max))
        assert trace.min() >= y_min
        assert trace.max() <= y_max


def test_stepping_follows_the_trace_and_repeats_after_the_length():
    walker = source(length=100)
    trace = walker.current_trace()
    assert [walker.step() for _ in range(250)] == np.resize(trace, 250).tolist()
    assert type(walker.step()) is float
    walker.reset()
    assert [walker.step() for _ in range(30)] == trace[:30].tolist()


def test_trace_and_estimate_do_not_depend_on_the_current_step():
    walker = source(length=100)
    trace, estimate = walker.current_trace(), walker.full_current_estimate()
    walker.step()
    assert np.array_equal(walker.current_trace(), trace)
    assert walker.full_current_estimate() == estimate == trace.mean()
    trace[:] = 0.0
    assert walker.full_current_estimate() == estimate
    assert walker.step() == walker.current_trace()[1]


def test_inputs_outside_their_interval_saturate():
    changes = {"x_min": -1.0, "x_max": 1.0, "length": 500}
    outside = source(x_inputs=[-3.0, 0.2, 7.0], **changes).current_trace()
    assert np.array_equal(outside, source(x_inputs=[-1.0, 0.2, 1.0], **changes).current_trace())


def test_a_source_is_repeated_by_its_seed_and_neighboring_seeds_share_nothing():
    drawn = source(seed=None)
    assert np.array_equal(source(seed=drawn.seed).current_trace(), drawn.current_trace())
    traces = [source(seed=seed).current_trace() for seed in range(30)]
    assert largest_correlation(traces) <= 5 / math.sqrt(LONG)


def test_the_current_of_given_streams_is_that_of_a_source():
    x = encode(X, LENGTH, key=stream_key(42, Role.INPUT))
    rows = Bitstream(encode([W] * 4, LENGTH, key=stream_key(42, Role.WEIGHT)).words, LENGTH)
    for accumulate in ("mean", "sum", "or"):
        traces = current_trace(x, rows, y_min=0.02, y_max=0.1, accumulate=accumulate)
        assert traces.shape == (4, LENGTH)
        first = source(length=LENGTH, y_min=0.02, accumulate=accumulate).current_trace()
        assert np.array_equal(traces[0], first)
        for trace, row in zip(traces, rows, strict=True):
            alone = current_trace(x, row, y_min=0.02, y_max=0.1, accumulate=accumulate)
            assert np.array_equal(alone, trace)


@pytest.mark.parametrize("accumulate", ["mean", "sum", "or"])
def test_the_currents_of_a_batch_are_those_of_its_rows(accumulate):
    x = encode(np.linspace(0, 1, 30).reshape(2, 5, 3), LENGTH, key=stream_key(1, Role.INPUT))
    w = encode(np.linspace(0, 1, 12).reshape(4, 3), LENGTH, key=stream_key(1, Role.WEIGHT))
    traces = current_trace(x, w, accumulate=accumulate)
    assert traces.shape == (2, 5, 4, LENGTH)
    assert np.array_equal(traces[1, 2], current_trace(x[1, 2], w, accumulate=accumulate))
    single = current_trace(x, w[3], accumulate=accumulate)
    assert np.array_equal(single, traces[:, :, 3])


# --- interval


@law
@given(st.floats(-100, 100), st.floats(0.01, 100), st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_an_interval_is_a_linear_code(low, width, densities):
    code = Interval(low, low + width)
    values = code.from_probability(densities)
    assert values == pytest.approx(low + np.array(densities) * width)
    assert code.to_probability(values) == pytest.approx(np.array(densities), abs=1e-9)
    assert code.to_probability([low - 1, low, low + width, low + width + 1]).tolist() == [0, 0, 1, 1]
