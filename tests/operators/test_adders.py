"""Adders with a counter, and majority: exhaustively on short streams, and by their laws."""

import itertools
from fractions import Fraction
from math import comb, floor

import numpy as np
import pytest

from sc_neurocore import Bitstream, encode, stack
from sc_neurocore.circuits import Circuit
from sc_neurocore.operators import buffered_add, majority, toggle_add, uadd

KEY = 21
ROWS = 2000
LEAST = 5 * np.sqrt(2 / ROWS)


def every(n, length):
    """Return the bits of all batches of n streams, shape (2**(n * length), n, length)."""
    codes = np.arange(2 ** (n * length))
    return (codes[:, None] >> np.arange(n * length) & 1).reshape(-1, n, length).astype(np.uint8)


def counted(bits, scale, bipolar, depth):
    """Return the sum by its equation, step by step, in exact fractions."""
    n = bits.shape[-2]
    scale = Fraction(scale)
    parts = 2 * scale.denominator  # all in units of 1 / parts
    s, top = int(scale * parts), depth * parts
    o = int((n - scale) / 2 * parts) if bipolar else 0
    c, out = np.zeros(bits.shape[:-2], int), []
    for t in range(bits.shape[-1]):
        c = np.clip(c + parts * bits[..., t].sum(axis=-1, dtype=int) - o, -top, top)
        out.append(c >= s)
        c = c - s * out[-1]
    return np.stack(out, axis=-1)


@pytest.mark.parametrize("bipolar", [False, True])
@pytest.mark.parametrize(("n", "length"), [(1, 12), (2, 6), (3, 5)])
def test_the_sum_has_the_bits_of_its_equation_for_all_short_streams(n, length, bipolar):
    bits = every(n, length)
    x = Bitstream.from_bits(bits)
    for scale, depth in ((1, 1), (1, 3), (2, 2), (Fraction(7, 3), 4), (Fraction(1, 2), 1), (5, 9)):
        z = uadd(x, float(scale), bipolar=bipolar, depth=depth)
        assert np.array_equal(z.bits(), counted(bits, scale, bipolar, depth)), (scale, depth)


@pytest.mark.parametrize("n", [8, 20, 255])
def test_many_inputs_are_counted(n):
    bits = np.random.default_rng(n).random((4, n, 200)) < 0.5
    x = Bitstream.from_bits(bits)
    for scale, bipolar in ((None, False), (n / 4, True), (1, True)):
        wanted = counted(bits, Fraction(n if scale is None else scale), bipolar, 2 * n)
        assert np.array_equal(uadd(x, scale, bipolar=bipolar, depth=2 * n).bits(), wanted)


def test_nothing_is_lost_from_a_scale_of_the_number_of_inputs_up():
    rng = np.random.default_rng(3)
    for n, scale in itertools.product((1, 3, 6), (6, 7, 8.5, Fraction(19, 3))):
        bits = rng.random((50, n, 301)) < rng.random((50, n, 1))
        ones = bits.sum(axis=(1, 2))
        for bipolar in (False, True):
            o = (n - Fraction(scale)) / 2 if bipolar else 0
            wanted = [floor((int(k) - o * 301) / Fraction(scale)) for k in ones]
            found = uadd(Bitstream.from_bits(bits), float(scale), bipolar=bipolar)
            assert found.counts().tolist() == wanted


def test_two_inputs_are_those_of_the_other_adders():
    bits = every(2, 7)
    x = Bitstream.from_bits(bits)
    assert uadd(x) == toggle_add(x)
    for depth in (0, 1, 3):
        assert uadd(x, 1, depth=depth + 2) == buffered_add(x[:, 0], x[:, 1], depth + 1)


@pytest.mark.parametrize(("scale", "bipolar"), [(3, False), (1, False), (1, True), (2, True)])
def test_the_sum_has_the_predicted_mean_and_variance(scale, bipolar):
    p, length = [0.3, 0.55, 0.4], 256
    circuit = Circuit.trace(lambda x: uadd(x, scale, bipolar=bipolar), x=(3,))
    predicted = circuit.predict({"x": p}, length)["out"]
    assert predicted.method == "exact"
    z = uadd(encode(np.tile(p, (ROWS, 1)), length, key=KEY), scale, bipolar=bipolar).probability()
    assert abs(z.mean() - predicted.mean) <= 5 * np.sqrt(predicted.variance / ROWS)
    assert abs(z.var() / predicted.variance - 1) <= LEAST
    assert abs(predicted.bias) < 0.01


def test_a_sum_that_does_not_fit_is_clipped():
    x = encode([[0.9, 0.8, 0.7], [0.1, 0.05, 0.2]], 4096, key=KEY)
    low, high = uadd(x, 1, bipolar=True).probability()[::-1]
    assert low < 0.01
    assert high > 0.99


@pytest.mark.parametrize("n", [1, 3, 5, 7, 15])
def test_the_majority_is_that_of_the_count(n):
    bits = every(n, 1)
    z = majority(Bitstream.from_bits(bits[:, :, 0].T).reshape(1, n)[0])
    assert np.array_equal(z.bits(), 2 * bits[:, :, 0].sum(axis=1) > n)


def test_the_majority_has_its_value_and_is_a_median_and_a_mean():
    p = np.array([0.3, 0.8, 0.6, 0.5, 0.9])
    chosen = [s for s in itertools.product((0, 1), repeat=5) if sum(s) > 2]
    wanted = sum(np.prod(np.where(s, p, 1 - p)) for s in chosen)
    predicted = Circuit.trace(majority, x=(5,)).predict({"x": p}, 1000)["out"]
    assert predicted.value == pytest.approx(wanted)
    assert predicted.mean == pytest.approx(wanted)
    assert predicted.variance == pytest.approx(wanted * (1 - wanted) / 1000)
    equal = sum(comb(5, k) * 0.3**k * 0.7 ** (5 - k) for k in (3, 4, 5))
    assert Circuit.trace(majority, x=(5,)).predict({"x": [0.3] * 5}, 9)["out"].value == pytest.approx(
        equal
    )
    shared = encode(p, 4096, key=KEY, streams=0)
    assert majority(shared) == shared[2]  # p = 0.6, the median
    x = encode([0.2, 0.9], 4096, key=KEY, streams=0)
    z = majority(stack([x[0], x[1], encode(0.5, 4096, key=KEY + 1)])).probability()
    assert abs(z - 0.55) <= 5 * np.sqrt(0.55 * 0.45 / 4096)


def test_adders_name_the_argument_that_is_wrong():
    x = encode([0.5] * 3, 64, key=1)
    with pytest.raises(
        ValueError, match=r"scale must be a fraction k / m with m from 1 to 64, got 0\.017"
    ):
        uadd(x, 0.017)
    with pytest.raises(ValueError, match="depth must be"):
        uadd(x, 3, depth=2)
    with pytest.raises(ValueError, match="x must have at most 255 inputs"):
        uadd(encode(np.full(256, 0.5), 64, key=1))
    with pytest.raises(ValueError, match="x must have an odd number of inputs"):
        majority(x[:2])
