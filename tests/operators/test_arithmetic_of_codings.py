"""Sums, differences, quotients and conversions of codings follow their digits, and their laws."""

import math
from itertools import product

import numpy as np
import pytest

from sc_neurocore import Bipolar, Bitstream, Role, SignMagnitude, TwoLine, Unipolar, encode, stream_key
from sc_neurocore.circuits import Circuit
from sc_neurocore.operators import Integral, Ratio, synchronize
from sc_neurocore.operators._digits import DEPTH, _bipolar_adder

KEY, WEIGHT = stream_key(31, Role.INPUT), stream_key(31, Role.WEIGHT)
RNG = np.random.default_rng
# All pairs of streams of five bits.
WORDS = np.array(list(product((0, 1), repeat=5)))
ALL = Bitstream.from_bits(WORDS)
X, Y = ALL[:, None], ALL[None]
A, B = WORDS[:, np.newaxis], WORDS[np.newaxis]


def digits(coded):
    if isinstance(coded, Unipolar):
        return coded.stream.bits().astype(int)
    if isinstance(coded, Bipolar):
        return 2 * coded.stream.bits().astype(int) - 1
    return coded.plus.bits().astype(int) - coded.minus.bits()


def added(total, write):
    """Return the digits that a counter writes, and the counter after the last step."""
    count, written = np.zeros(total.shape[:-1], int), []
    for t in range(total.shape[-1]):
        count = count + total[..., t]
        digit = write(count)
        count = count - digit
        left = np.abs(count) - DEPTH
        lost = np.where(left > 0, left, 0)
        lost = lost + (lost & 1 if write is bipolar else 0)
        count = count - np.sign(count) * lost
        written.append(digit)
    return np.stack(written, axis=-1), count


def unipolar(count):
    return np.where(count > 0, 1, 0)


def bipolar(count):
    return np.where(count > 0, 1, -1)


WRITERS = {Unipolar: unipolar, Bipolar: bipolar, TwoLine: np.sign}


@pytest.mark.parametrize("coding", [Unipolar, Bipolar, TwoLine])
def test_a_sum_writes_the_digits_of_its_counter(coding):
    rng = RNG(1)
    write = WRITERS[coding]
    # All short streams, and long ones of values that fill the counter in both directions.
    p = np.repeat(rng.choice([0.03, 0.97], (1, 30, 4)), 100, axis=-1)
    bits = rng.random((4, 30, 400)) < np.concatenate([p, 1 - p, p, 1 - p])
    many = [Bitstream.from_bits(b.astype(np.uint8)) for b in bits]
    if coding is TwoLine:
        short = np.array(list(product((0, 1), repeat=8))).T.reshape(4, 2, 256)
        lines = [Bitstream.from_bits(rows.T) for rows in short]
        cases = [(TwoLine(*s[:2]), TwoLine(*s[2:])) for s in (lines, many)]
    else:
        cases = [tuple(map(coding, pair)) for pair in ((X, Y), many[::2])]
    fullest = 0
    for a, b in cases:
        for z, sign in ((a + b, 1), *(((a - b, -1),) if coding is not Unipolar else ())):
            wanted, left = added(digits(a) + sign * digits(b), write)
            assert np.array_equal(digits(z), wanted)
            fullest = max(fullest, np.abs(left).max())
    assert DEPTH - 2 <= fullest <= DEPTH


def test_the_counter_of_a_bipolar_sum_is_even_and_odd_in_turn_even_if_full():
    machine = _bipolar_adder()
    count = np.arange(2 * DEPTH + 1)[:, np.newaxis, np.newaxis] - DEPTH
    total = count + 2 * np.add.outer([0, 1], [0, 1]) - 2
    after = machine.next_state.astype(int) - DEPTH
    lost = total - (2 * machine.outputs.astype(int) - 1) - after
    assert ((after - count) % 2 == 1).all()
    assert set(lost[np.abs(after) < DEPTH - 1].tolist()) == {0}
    assert set(lost.ravel().tolist()) == {-2, 0, 2}


@pytest.mark.parametrize("coding", [Unipolar, Bipolar, TwoLine])
def test_a_sum_has_its_value_and_the_variance_of_its_law(coding):
    n, length = 1500, 1024
    law = {
        Unipolar: lambda x: x * (1 - x),
        Bipolar: lambda x: 1 - x**2,
        TwoLine: lambda x: abs(x) * (1 - abs(x)),
    }[coding]
    for x, w in ((0.3, 0.2), (0.1, 0.6), *(((-0.7, 0.2),) if coding is not Unipolar else ())):
        a = coding.encode(np.full(n, x), length, key=KEY)
        b = coding.encode(np.full(n, w), length, key=WEIGHT)
        variance = (law(x) + law(w)) / length
        for z, sign in ((a + b, 1), *(((a - b, -1),) if coding is not Unipolar else ())):
            v = z.value()
            # The last count is at most a few standard deviations of a walk that returns.
            exact = a.value() + sign * b.value()
            assert np.abs(v - exact).max() <= DEPTH / length
            bias = (v - exact).mean()
            assert abs(v.mean() - bias - x - sign * w) <= 5 * np.sqrt(variance / n)
            spread = np.var(v - (v - exact))
            assert abs(spread / variance - 1) <= 5 * np.sqrt(2.1 / n)


def test_differences_and_signed_sums_on_two_lines_are_exact():
    a, b = Unipolar(X), Unipolar(Y)
    z = a - b
    assert isinstance(z, TwoLine)
    assert np.array_equal(z.value(), (A.sum(-1) - B.sum(-1)) / 5)
    negative = RNG(0).integers(0, 2, 32).astype(bool)
    x = SignMagnitude(ALL, negative)
    w = SignMagnitude(~ALL, ~negative)
    assert (x + w).value() == pytest.approx((x.to_two_line() + w.to_two_line()).value())
    assert (x - w).value() == pytest.approx((x + -w).value())
    assert np.array_equal(abs(x).value(), ALL.probability())


@pytest.mark.parametrize("depth", [1, 3, 64])
def test_a_rectifier_writes_the_ones_that_no_zero_before_has_used_up(depth):
    rng = RNG(depth)
    bits = rng.random((40, 300)) < rng.random((40, 1))
    x = Bipolar(Bitstream.from_bits(bits.astype(np.uint8)))
    lines = [Bitstream.from_bits(b.astype(np.uint8)) for b in rng.random((2, 40, 300)) < 0.4]
    for value in (x, TwoLine(*lines)):
        z = value.to_unipolar(depth).stream.bits()
        count, full, wanted = np.zeros(40, int), np.zeros(40, bool), []
        for digit in digits(value).T:
            wanted.append((digit > 0) & (count == 0))
            full |= count - digit > depth
            count = np.clip(count - digit, 0, depth)
        assert np.array_equal(z, np.array(wanted).T)
        total = digits(value).sum(axis=-1) + count
        assert np.array_equal(z.sum(axis=-1)[~full], total[~full])
    assert np.array_equal(x.to_unipolar().stream.bits(), x.to_two_line().to_unipolar().stream.bits())


def test_conversions_between_unipolar_and_bipolar_are_those_of_unarysim():
    """Its accumulators have no bounds: 2 x - 1 less the ones written, and x + 1 less twice those."""
    up, down, written = (np.zeros(32, int) for _ in range(3))
    to_bipolar, to_unipolar = [], []
    for bit in WORDS.T:
        up = up + bit + 1
        to_bipolar.append(up >= 2)
        up = up - 2 * to_bipolar[-1]
        down = down + 2 * bit - 1
        to_unipolar.append(down > written)
        written = written + to_unipolar[-1]
    assert np.array_equal(Unipolar(ALL).to_bipolar().stream.bits(), np.array(to_bipolar).T)
    assert np.array_equal(Bipolar(ALL).to_unipolar().stream.bits(), np.array(to_unipolar).T)


@pytest.mark.parametrize("x", [-0.6, 0.0, 0.3, 0.9])
def test_a_rectified_value_has_its_stationary_mean(x):
    n, length, depth = 400, 8192, 8
    z = Bipolar.encode(np.full(n, x), length, key=KEY).to_unipolar(depth).value()
    r = (1 - x) / (1 + x)
    geometric = 1 / (depth + 1) if r == 1 else (1 - r) / (1 - r ** (depth + 1))
    mean = (1 + x) / 2 * geometric
    # The count starts at 0, which adds less than its mean.
    found = z.mean() - mean
    assert -5 * z.std() / np.sqrt(n) <= found <= 5 * z.std() / np.sqrt(n) + depth / length
    circuit = Circuit.trace(lambda s: Bipolar(s).to_unipolar(depth).stream)
    predicted = circuit.predict({"s": (1 + x) / 2}, length)["out"]
    assert predicted.value == pytest.approx(max(x, 0))
    assert abs(z.mean() - predicted.mean) <= 5 * np.sqrt(predicted.variance / n)


@pytest.mark.parametrize(("p", "q"), [(0.2, 0.8), (0.5, 0.6), (0.3, 0.3)])
def test_a_quotient_has_the_law_of_the_skewed_synchronizer(p, q):
    n, length = 600, 4096
    x, y = encode(np.full(n, p), length, key=KEY), encode(np.full(n, q), length, key=WEIGHT)
    z = (Unipolar(x) / Unipolar(y)).value()
    p10, p01 = p * (1 - q), q * (1 - p)
    r = (p10 / p01) ** np.arange(DEPTH + 1)
    overlap = p - p10 * r[-1] / r.sum()
    # Ones that are still withheld at the end are lost, and zeros are written before the first.
    slack = (DEPTH if p == q else 3 * p10 / max(p01 - p10, 1e-9)) / (q * length)
    assert -slack - 5 * z.std() / np.sqrt(n) <= z.mean() - overlap / q <= 5 * z.std() / np.sqrt(n)
    aligned, same = synchronize(x, y, 4, skewed=True)
    assert same == y
    p10_, p01_, r4 = p10, p01, (p10 / p01) ** np.arange(5)
    found = (aligned & y).probability()
    wanted = p - p10_ * r4[-1] / r4.sum()
    assert abs(found.mean() - wanted) <= 5 * found.std() / np.sqrt(n) + 4 / length
    assert p01_ > 0


def test_a_skewed_synchronizer_is_that_of_its_authors():
    """The counter of Wu and San Miguel, step by step, for all pairs of streams."""
    for depth in (1, 2, 3):
        aligned, y = synchronize(X, Y, depth, skewed=True)
        count, wanted = np.zeros((32, 32), int), []
        for t in range(5):
            a, b = np.broadcast_arrays(A[..., t], B[..., t])
            lone = a != b
            written = a + lone * ((count != 0) * (1 - a) - (count != depth) * a)
            count = np.clip(count + lone * (2 * a - 1), 0, depth)
            wanted.append(written)
        assert np.array_equal(aligned.bits(), np.stack(wanted, axis=-1))
        assert np.array_equal(y.bits(), np.broadcast_to(B, (32, 32, 5)))


def test_signs_of_quotients_and_functions_of_bipolar_values():
    x = SignMagnitude.encode([0.3, -0.3, 0.2], 65536, key=KEY)
    w = SignMagnitude.encode([-0.6, -0.6, 0.8], 65536, key=WEIGHT)
    z = x / w
    assert np.array_equal(z.negative, [True, False, False])
    assert z.value() == pytest.approx([-0.5, 0.5, 0.25], abs=0.02)
    b = Bipolar.encode([-0.2, 0.3], 65536, key=KEY)
    assert b.tanh(8).value() == pytest.approx(np.tanh(4 * np.arctanh([-0.2, 0.3])), abs=0.03)
    assert b[1].exp(32, 2).value() == pytest.approx(np.exp(-1.2), abs=0.05)


@pytest.mark.parametrize("coding", [Bipolar, TwoLine])
@pytest.mark.parametrize(("x", "w"), [(0.3, 0.6), (-0.3, 0.5), (0.2, -0.8), (-0.45, -0.5)])
def test_a_signed_quotient_settles_at_its_value(coding, x, w):
    n, length = 100, 16384
    a = coding.encode(np.full(n, x), length, key=KEY)
    b = coding.encode(np.full(n, w), length, key=WEIGHT)
    z = (a / b).value()
    # Signs and counters settle within about a hundred steps, in which the quotient is anything.
    factor = np.tanh(16 * np.arctanh(abs(x))) / np.tanh(16 * np.arctanh(abs(w)))
    wanted = x / w * factor
    tolerance = 5 * z.std() / np.sqrt(n) + 200 / length + (0.01 if abs(x / w) > 0.8 else 0)
    assert abs(z.mean() - wanted) <= tolerance
    assert (np.sign(z) == np.sign(x / w)).all()


def test_lines_add_and_multiply_exactly():
    rng = RNG(2)
    x, w = (rng.integers(0, 2, (3, m, 70)) for m in (4, 3))
    a, b = Integral(Bitstream.from_bits(x)), Integral(Bitstream.from_bits(w))
    s, t = ((2 * bits - 1).sum(axis=-2) for bits in (x, w))
    for z, wanted in ((a + b, s + t), (a - b, s - t), (-a, -s), (a * b, s * t)):
        integers = (2 * z.lines.bits().astype(int) - 1).sum(axis=-2)
        assert np.array_equal(integers, wanted)
        assert z.value() == pytest.approx(wanted.mean(axis=-1))
    assert (a * b).n_lines == 12
    one = Bipolar(Bitstream.from_bits(w[:, 0]))
    assert np.array_equal((a * one).lines.bits(), 1 - (x ^ w[:, :1]))
    assert (a + one).n_lines == 5
    assert a[1].value() == a.value()[1]
    assert np.abs(a.to_bipolar().value() - a.value() / 4).max() <= 2 / 70


def test_an_integral_value_has_the_error_of_its_law():
    n, length = 2000, 256
    x = Integral.encode(np.full(n, 1.7), length, 3, key=KEY)
    law = 3 * (1 - (1.7 / 3) ** 2) / length
    assert abs(x.value().mean() - 1.7) <= 5 * np.sqrt(law / n)
    assert abs(x.value().var() / law - 1) <= 5 * np.sqrt(2.1 / n)
    assert x.standard_error().mean() == pytest.approx(np.sqrt(law), rel=0.01)


@pytest.mark.parametrize(("m", "n_states"), [(1, 8), (3, 4), (8, 2)])
def test_the_tanh_of_an_integral_counts_its_integers(m, n_states):
    rng = RNG(m)
    bits = rng.integers(0, 2, (5, m, 200))
    z = Integral(Bitstream.from_bits(bits)).tanh(n_states).stream.bits()
    n = m * n_states
    state = np.full(5, n // 2)
    for t in range(200):
        assert np.array_equal(z[:, t], state >= n // 2)
        state = np.clip(state + (2 * bits[..., t] - 1).sum(axis=-1), 0, n - 1)
    x = Integral.encode([-1.0 * m / 4, 0.2], 2**17, m, key=KEY)
    assert x.tanh(n_states).value() == pytest.approx(np.tanh(n_states * x.value() / 2), abs=0.12)


@pytest.mark.parametrize("m", [1, 2, 3, 5, 8, 11])
def test_sorted_lines_hold_their_ones_first_for_all_bits(m):
    # By the 0-1 principle, a network that sorts all bits sorts everything.
    bits = np.array(list(product((0, 1), repeat=m))).T
    x = Integral(Bitstream.from_bits(bits))
    assert np.array_equal(x.sorted().lines.bits(), np.arange(m)[:, None] < bits.sum(axis=0))


@pytest.mark.parametrize("n", [1, 4, 8])
def test_a_map_is_its_function_of_the_integer_of_each_step(n):
    bits = np.array(list(product((0, 1), repeat=7))).T
    x, s = Integral(Bitstream.from_bits(bits)), 2 * bits.sum(axis=0) - 7
    for function in (
        lambda s: s / 2,
        lambda s: s**2 / 6 - 4,
        lambda s: 5 * np.sin(s),
        lambda s: 0 * s - n,
    ):
        z = 2 * x.map(function, n).lines.bits().sum(axis=0).astype(int) - n
        wanted = np.clip(function(s), -n, n)
        assert np.abs(z - wanted).max() <= 1
        assert np.array_equal(z, 2 * np.rint((wanted + n) / 2) - n)
    p = 0.3
    lines = Integral.encode(np.full(800, 7 * (2 * p - 1)), 256, 7, key=KEY)
    values = lines.map(np.square, 49).value()
    k, f = np.arange(8), 2 * np.rint(((2 * np.arange(8) - 7) ** 2 + 49) / 2) - 49
    ways = np.array([1, 7, 21, 35, 35, 21, 7, 1]) * p**k * (1 - p) ** (7 - k)
    mean, variance = (ways * f).sum(), ((ways * f**2).sum() - (ways * f).sum() ** 2) / 256
    assert abs(values.mean() - mean) <= 5 * np.sqrt(variance / 800)
    assert abs(values.var() / variance - 1) <= 5 * np.sqrt(3 / 800)


def test_ratios_calculate_without_bounds():
    n, length = 500, 16384
    for x, w in ((2.5, -0.8), (0.4, 3.0), (-1.5, -1.2)):
        a = Ratio.encode(np.full(n, x), length, key=KEY)
        b = Ratio.encode(np.full(n, w), length, key=WEIGHT)
        for z, wanted in ((a * b, x * w), (a / b, x / w), (a + b, x + w), (a - b, x - w), (-a, -x)):
            error = z.standard_error()
            white = z.numerator.length == length and wanted not in (x + w, x - w)
            tolerance = 5 * error.mean() / np.sqrt(n) + 3 * error.mean() ** 2 * (1 + abs(wanted))
            assert abs(z.value().mean() - wanted) <= tolerance
            if white:
                assert z.value().std() == pytest.approx(error.mean(), rel=0.2)


PREDICTED = {
    "unipolar sum": (lambda x, y: (Unipolar(x) + Unipolar(y)).stream, (0.6, 0.4)),
    "bipolar sum": (lambda x, y: (Bipolar(x) + Bipolar(y)).stream, (0.7, 0.75)),
    "sum on two lines": (lambda x, y: (TwoLine(x, y) + TwoLine(x, y)).plus, (0.6, 0.3)),
    "quotient": (lambda x, y: (Unipolar(x) / Unipolar(y)).stream, (0.4, 0.5)),
    "half": (lambda x, y: (Ratio(x, x) + Ratio(y, y)).denominator, (0.6, 0.3)),
    "tanh": (lambda x, y: Integral(_stacked(x, y, ~y & x)).tanh(2).stream, (0.6, 0.5)),
}


@pytest.mark.parametrize("name", PREDICTED)
def test_means_and_variances_are_those_of_the_markov_chain(name):
    function, (p, q) = PREDICTED[name]
    n, length = 3000, 200
    circuit = Circuit.trace(function)
    predicted = circuit.predict({"x": p, "y": q}, length)["out"]
    assert predicted.method == "exact"
    x, y = encode(np.full(n, p), length, key=KEY), encode(np.full(n, q), length, key=WEIGHT)
    z = function(x, y).probability()
    assert abs(z.mean() - predicted.mean) <= 5 * np.sqrt(predicted.variance / n)
    kurtosis = max(((z - z.mean()) ** 4).mean() / z.var() ** 2, 1.2)
    assert abs(z.var() / predicted.variance - 1) <= 5 * np.sqrt((kurtosis - 1) / n)


def test_the_streams_of_a_sum_of_ratios_are_halves_to_within_a_bit():
    from sc_neurocore.operators._digits import halved

    z = halved(ALL).bits().sum(axis=-1)
    assert np.array_equal(z, (5 + 2 * WORDS.sum(axis=-1)) // 4)


def test_codings_calculate_on_nets_as_on_streams():
    def function(x, y, u, v):
        a, b = Bipolar(x) + Bipolar(y), TwoLine(x, y) - TwoLine(u, v)
        c, d = Unipolar(x) / Unipolar(y), Ratio(x, y) + Ratio(u, v)
        e = (Integral(_stacked(x, y)) * Bipolar(u) + Bipolar(v)).tanh(2)
        return {
            "a": a.stream, "b": b.plus, "c": c.stream, "d": d.denominator,
            "e": e.stream, "f": b.to_unipolar(5).stream, "g": d.numerator,
            "h": Integral(_stacked(x, y, u, v)).map(np.abs, 4).lines,
        }  # fmt: skip

    circuit = Circuit.trace(function)
    streams = dict(zip("xyuv", encode(RNG(3).random((4, 6)), 300, key=KEY), strict=True))
    found = circuit.simulate(streams)
    for name, wanted in function(**streams).items():
        assert found[name] == wanted


def _stacked(*streams):
    from sc_neurocore import stack

    return stack(list(streams))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Unipolar(X) + Bipolar(X), TypeError, "the operand must be a Unipolar, got Bipolar"),
        (lambda: Bipolar(X) - 0.5, TypeError, "the operand must be a Bipolar, got 0.5; convert one"),
        (lambda: Ratio(X, X) * 2, TypeError, "the factor must be a Ratio, got 2; convert one"),
        (lambda: Ratio(X, Y[:, 0]), ValueError, "denominator must have the shape and the length of"),
        (lambda: Integral(ALL[0]), ValueError, "lines must have batch shape (..., m) with m > 0, got"),
        (lambda: Integral(ALL) + Unipolar(X), TypeError, "the operand must be an Integral, got Uni"),
        (lambda: Integral(ALL).tanh(2), ValueError, "lines must be at most 8 for tanh, got 32"),
        (lambda: Integral(ALL[:2]).tanh(3), ValueError, "n_states must be even, got 3"),
        (lambda: Integral(ALL[:2]).softmax(4, 8, 2), ValueError, "x must have a batch axis for"),
        (lambda: Integral(ALL[:2][None]).softmax(0, 8, 2), ValueError, "unit must be at least 1"),
        (lambda: Integral(ALL[:2][None]).softmax(4, 1, 2), ValueError, "n_lines must be at least 2"),
        (lambda: Integral(ALL[:2][None]).softmax(4, 8, 2.0), TypeError, "n_iterations must be an int"),
        (lambda: Integral(ALL[:2]).map(1, 2), TypeError, "function must be a function of an array"),
        (lambda: Integral(ALL[:2]).map(lambda s: s[1:], 2), ValueError,
         "function(s) must have the shape of s, (3,), got (2,)"),
        (lambda: Integral.encode(0.5, 8, 0, key=1), ValueError, "n_lines must be at least 1"),
        (lambda: Bipolar(X).to_unipolar(0), ValueError, "depth must be at least 1 and at most 65535"),
        (lambda: synchronize(X, Y, 2, skewed=1), TypeError, "skewed must be a bool, got 1"),
    ],
)  # fmt: skip
def test_wrong_operands_are_refused(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert message in str(raised.value)


def softmax(s, m, unit, n, n_iterations):
    """Return the counts of ones of `Integral.softmax` for integers s along the last axis."""
    r = 2 ** max(math.ceil(math.log2(n / m)), 0)
    c = np.full(s.shape, math.floor(n / s.shape[-1] + 0.5))
    for _ in range(n_iterations):
        lines = np.floor((r * (s * c).sum(axis=-1, keepdims=True) / n + r * m) / 2 + 0.5)
        mean = (2 * np.clip(lines, 0, r * m) - r * m) / r
        c = np.clip(np.floor(c + (s - mean) * c / (unit * n_iterations) + 0.5), 0, n)
    return c


@pytest.mark.parametrize(
    ("k", "m", "unit", "n", "n_iterations"),
    [
        (3, 8, 4, 32, 4),
        (4, 5, 3, 7, 2),
        (2, 1, 1, 9, 3),
        (5, 4, 2, 16, 1),
        (1, 3, 2, 8, 2),
        (4, 8, 1, 2, 2),
    ],
)
def test_softmax_is_the_rounded_euler_method_for_all_integers(k, m, unit, n, n_iterations):
    bits = np.random.default_rng(k).integers(0, 2, (2, k, m, 300))
    found = Integral(Bitstream.from_bits(bits)).softmax(unit, n, n_iterations).lines.bits()
    wanted = softmax(2 * np.moveaxis(bits.sum(axis=2), 1, -1) - m, m, unit, n, n_iterations)
    assert np.array_equal(np.moveaxis(found, -1, 1), np.arange(n) < wanted[..., np.newaxis])


def test_softmax_has_the_error_that_is_documented():
    s = 2 * np.random.default_rng(1).integers(0, 9, (4, 4000)) - 8
    x = Integral(Bitstream.from_bits(np.arange(8)[:, np.newaxis] * 2 - 8 < s[:, np.newaxis]))
    y = x.softmax(4, 32, 3).lines.bits().mean(axis=1)
    ideal = np.exp(s / 4) / np.exp(s / 4).sum(axis=0)
    errors = abs(y - ideal)
    assert errors.mean() == pytest.approx(0.017, abs=0.0005 + 5 * errors.std() / errors.size**0.5)
    euler = np.full(s.shape, 0.25)
    for _ in range(3):
        euler += (s / 4 * euler - euler * (s / 4 * euler).sum(axis=0)) / 3
    errors = abs(euler - ideal)
    assert errors.mean() == pytest.approx(0.014, abs=0.0005 + 5 * errors.std() / errors.size**0.5)
