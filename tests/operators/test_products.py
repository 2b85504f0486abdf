"""Products by conditional sampling, and squares: exhaustively on short streams, and by their laws."""

import numpy as np
import pytest
from scipy.stats import qmc

from sc_neurocore import Bitstream, Sobol, encode
from sc_neurocore.circuits import Circuit
from sc_neurocore.operators import Bipolar, square, umul
from sc_neurocore.streams import Bernoulli, TableSource

ROWS = 2000
LEAST = 5 * np.sqrt(2 / ROWS)
EIGHT = np.arange(256)[:, None] >> np.arange(8) & 1  # all streams of eight bits
DEPTH = 256


def sampled(x, y, bipolar):
    """Return the product step by step: y is drawn at the number of ones, or of zeros, of x so far."""
    z = np.zeros(np.broadcast_shapes(x.shape, y.shape), int)
    x, y = np.broadcast_arrays(x, y)
    for row in np.ndindex(z.shape[:-1]):
        seen = [0, 0]
        for t, bit in enumerate(x[row]):
            drawn = y[row][seen[bit]]
            seen[bit] += 1
            z[row][t] = (drawn == bit) if bipolar else (drawn & bit)
    return z


def registered(x, y, numbers, depth, bipolar):
    """Return the in-stream product step by step, from numbers in [0, depth)."""
    held, seen, z = [t % 2 for t in range(depth)], [0, 0], []
    for a, b in zip(x, y, strict=True):
        drawn = int(sum(held) > numbers[seen[a] % len(numbers)])
        seen[a] += 1
        z.append(int(drawn == a) if bipolar else drawn & a)
        held = [*held[1:], int(b)]
    return z


@pytest.mark.parametrize("bipolar", [False, True])
def test_products_of_all_short_streams_have_the_bits_of_their_equation(bipolar):
    x, y = EIGHT[:, None], EIGHT[None, ::5]
    z = umul(Bitstream.from_bits(x), Bitstream.from_bits(y), bipolar=bipolar)
    assert np.array_equal(z.bits(), sampled(x, y, bipolar))
    if bipolar:  # zeros at the end of the words take no part
        n, y = x.sum(axis=-1), np.broadcast_to(y, z.bits().shape)
        ones = np.cumsum(np.concatenate([np.zeros((*y.shape[:-1], 1), int), y], axis=-1), axis=-1)
        rows = np.arange(256)[:, None], np.arange(y.shape[1])
        wanted = ones[(*rows, n)] + (8 - n) - ones[(*rows, 8 - n)]
        assert np.array_equal(z.counts(), wanted)


@pytest.mark.parametrize("bipolar", [False, True])
def test_static_and_in_stream_products_are_those_of_a_multiplier_with_a_sobol_generator(bipolar):
    """As the multiplier of uGEMM: the generator has the order of a Gray code, and as many bits."""
    source = Sobol(1, randomized=False, gray=True, bits=8)
    numbers = (qmc.Sobol(2, scramble=False).random_base2(8)[:, 1] * 256).astype(int)
    assert np.array_equal(source.numbers(0, 256, key=0), numbers)
    rng = np.random.default_rng(1)
    level = rng.integers(0, 257, (2, 40))
    x = encode(level[0] / 256, DEPTH, key=0, source=Sobol(0, randomized=False, gray=True, bits=8))
    y = encode(level[1] / 256, DEPTH, key=0, source=source)
    static = sampled(x.bits(), numbers < level[1][:, None], bipolar)
    assert np.array_equal(umul(x, y, bipolar=bipolar).bits(), static)
    other = encode(level[1] / 256, DEPTH, key=3)
    for depth, of in ((256, source), (8, Sobol(1, randomized=False, gray=True, bits=3))):
        z = umul(x, other, bipolar=bipolar, window=depth, key=0, source=of).bits()
        drawn = of.numbers(0, depth, key=0)
        for i in range(12):
            assert z[i].tolist() == registered(x.bits()[i], other.bits()[i], drawn, depth, bipolar)


def test_the_bipolar_product_has_its_mean_and_variance():
    length, q = 1024, 0.3
    y = encode(np.full(ROWS, q), length, key=5)
    for p in (0.5, 0.6, 0.95):
        x = encode(p, length, key=6)
        n = x.counts()
        z = umul(x, y, bipolar=True).probability()
        variance = abs(2 * n / length - 1) * q * (1 - q) / length
        mean = n / length * q + (1 - n / length) * (1 - q)
        assert abs(z.mean() - mean) <= 5 * np.sqrt(variance / ROWS) + 1e-12
        assert abs(z.var() - variance) <= LEAST * variance + 1e-12


@pytest.mark.parametrize("bipolar", [False, True])
@pytest.mark.parametrize("window", [None, 1, 16])
@pytest.mark.parametrize(("p", "q"), [(0.6, 0.3), (0.5, 0.5), (0.9, 0.8)])
def test_products_in_a_circuit_are_predicted(p, q, window, bipolar):
    options = (
        {"bipolar": bipolar} if window is None else {"bipolar": bipolar, "window": window, "key": 9}
    )
    circuit = Circuit.trace(lambda x, y: umul(x, y, **options))
    predicted = circuit.predict({"x": p, "y": q}, 512)["out"]
    x, y = encode(np.full(ROWS, p), 512, key=5), encode(np.full(ROWS, q), 512, key=6)
    z = umul(x, y, **options).probability()
    exact = (2 * p - 1) * (2 * q - 1) / 2 + 0.5 if bipolar else p * q
    assert predicted.value == pytest.approx(exact)
    assert abs(z.mean() - predicted.mean) <= 5 * np.sqrt(predicted.variance / ROWS)
    assert abs(z.std() / predicted.standard_error - 1) <= 0.1


def test_a_row_of_an_in_stream_product_is_that_of_its_batch_and_numbers_are_those_of_the_source():
    x, y = encode(np.full((2, 3, 4), 0.6), 100, key=5)
    z = umul(x, y, window=5, key=7, bipolar=True)
    assert z.shape == (3, 4)
    numbers = Bernoulli().numbers(np.arange(12), 100, key=7)
    for i, at in enumerate(np.ndindex(3, 4)):
        drawn = numbers[i] * (5 / 2**32)
        wanted = registered(x[at].bits(), y[at].bits(), drawn, 5, True)
        assert z[at].bits().tolist() == wanted
    one = TableSource([3, 0, 2, 1], 4)
    same = umul(x, y, window=4, key=0, source=one)
    alone = umul(x[2, 1], y[2, 1], window=4, key=0, source=one)
    assert same[2, 1] == alone


def test_squares_have_their_mean_and_variance():
    length = 300
    for p in (0.2, 0.7):
        x = encode(np.full(ROWS, p), length, key=8)
        z, signed = square(x).probability(), square(x, bipolar=True)
        mean, variance = p * p * (1 - 1 / length), p * p * (1 - p) * (1 + 3 * p) / length
        assert abs(z.mean() - mean) <= 5 * np.sqrt(variance / ROWS)
        assert abs(z.var() / variance - 1) <= LEAST
        predicted = Circuit.trace(square).predict({"x": p}, length)["out"]
        assert predicted.mean == pytest.approx(mean)
        assert predicted.variance == pytest.approx(variance, rel=2 / length)
        value = 2 * p - 1
        mean = (1 + value**2) / 2 - value * (1 + value) / (2 * length)
        variance = (1 - value**2) * (1 + 3 * value**2) / (4 * length)
        found = Circuit.trace(lambda x: square(x, bipolar=True)).predict({"x": p}, length)["out"]
        assert found.mean == pytest.approx(mean)
        assert found.variance == pytest.approx(variance, rel=6 / length)
        assert abs(Bipolar(signed).value().mean() - (2 * mean - 1)) <= 10 * np.sqrt(variance / ROWS)


def test_umul_names_the_argument_that_is_wrong():
    x = encode([0.5, 0.6], 64, key=1)
    with pytest.raises(ValueError, match="key must be given with window, got None"):
        umul(x[0], x[1], window=4)
    with pytest.raises(ValueError, match="key must be omitted without window, got 3"):
        umul(x[0], x[1], key=3)
