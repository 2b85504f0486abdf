"""Race logic is arithmetic of arrival times, for all times; polynomials of several variables."""

from itertools import product

import numpy as np
import pytest

from sc_neurocore import Bitstream, CorrelationWarning, Ramp, Role, Sobol, checking, encode, stream_key
from sc_neurocore.circuits import Circuit
from sc_neurocore.hardware import verify_circuit
from sc_neurocore.operators import (
    arrival_times,
    bernstein,
    bernstein_fit,
    bernstein_value,
    encode_arrivals,
    first_arrival,
    inhibit,
    isolate,
    last_arrival,
    rotate,
    temporal_dot,
)

KEY, WEIGHT = stream_key(41, Role.INPUT), stream_key(41, Role.WEIGHT)
LENGTH = 70
TIMES = np.arange(LENGTH + 1)
X, Y = encode_arrivals(TIMES[:, np.newaxis], LENGTH), encode_arrivals(TIMES, LENGTH)


def test_arrivals_are_compared_delayed_and_inhibited_for_all_times():
    x, y = np.broadcast_arrays(TIMES[:, np.newaxis], TIMES)
    assert np.array_equal(X.bits()[:, 0], np.arange(LENGTH) >= TIMES[:, np.newaxis])
    with checking():
        assert np.array_equal(arrival_times(first_arrival(X, Y)), np.minimum(x, y))
        assert np.array_equal(arrival_times(last_arrival(X, Y)), np.maximum(x, y))
        z = inhibit(X, Y)
    assert np.array_equal(arrival_times(z), np.where(x <= y, x, LENGTH))
    assert np.array_equal(z.bits(), np.arange(LENGTH) >= arrival_times(z)[..., np.newaxis])
    for delay in (0, 1, 5, LENGTH):
        assert np.array_equal(arrival_times(isolate(Y, delay)), np.minimum(TIMES + delay, LENGTH))


def test_inhibit_is_its_latch_on_any_streams():
    words = np.array(list(product((0, 1), repeat=6)))
    x, y = Bitstream.from_bits(words)[:, None], Bitstream.from_bits(words)
    latch, wanted = np.zeros((64, 64), bool), []
    for t in range(6):
        a, b = words[:, np.newaxis, t] == 1, words[np.newaxis, :, t] == 1
        latch = latch | b & ~a
        wanted.append(a & ~latch)
    assert np.array_equal(inhibit(x, y).bits(), np.stack(wanted, axis=-1))


def test_race_logic_is_a_circuit_with_a_netlist():
    def function(x, y):
        return inhibit(isolate(first_arrival(x, y), 2), last_arrival(x, y))

    circuit = Circuit.trace(function)
    streams = {"x": X.reshape(-1), "y": Y[::-1]}
    assert circuit.simulate(streams)["out"] == function(**streams)
    assert verify_circuit(circuit, streams).wrong == 0
    gate = Circuit.trace(inhibit)
    for p, q, value in ((0.3, 0.6, 0.0), (0.6, 0.3, 0.6)):
        assert gate.predict({"x": p, "y": q}, 100)["out"].value == value
    with pytest.raises(ValueError, match="keep the length of their operands"):
        Circuit.trace(lambda x, y: rotate(x, 3) & y)


def test_a_rotation_moves_all_bits_around():
    bits = np.random.default_rng(0).integers(0, 2, (3, 130))
    x = Bitstream.from_bits(bits)
    for steps in (0, 1, 63, 64, 129, 130, 1000, -1, -65):
        assert np.array_equal(rotate(x, steps).bits(), np.roll(bits, steps, axis=-1)), steps
    with checking(), pytest.warns(CorrelationWarning):
        first_arrival(x[0], rotate(x[0], 1))


def test_temporal_dot_products_are_exact():
    rng = np.random.default_rng(1)
    values, w = rng.integers(0, 129, (5, 9)), rng.integers(-128, 128, (4, 9))
    x = encode(values / 128, 128, key=0, source=Ramp(128))
    assert np.array_equal(temporal_dot(x, w), values @ w.T)
    assert np.array_equal(temporal_dot(x, w[0]), values @ w[0])
    assert np.array_equal(temporal_dot(x[2], w), w @ values[2])


B2 = np.array([[0.1, 0.9, 0.3], [0.5, 0.2, 0.8]])


@pytest.mark.parametrize(("p", "q"), [(0.0, 1.0), (0.3, 0.6), (0.9, 0.2)])
def test_a_polynomial_of_two_variables_has_its_value_and_the_binomial_variance(p, q):
    n, length = 2000, 256
    x = encode(np.full((n, 1), p), length, key=KEY)
    y = encode(np.full((n, 2), q), length, key=WEIGHT)
    z = bernstein((x, y), B2, key=stream_key(41, Role.SELECT)).probability()
    ways = np.outer([1 - p, p], [(1 - q) ** 2, 2 * q * (1 - q), q**2])
    value = (ways * B2).sum()
    assert bernstein_value((p, q), B2) == pytest.approx(value)
    variance = value * (1 - value) / length
    assert abs(z.mean() - value) <= 5 * np.sqrt(variance / n)
    assert abs(z.var() / variance - 1) <= 5 * np.sqrt(2.1 / n)


def test_each_pattern_of_copies_selects_its_coefficient():
    # Copies of x and y with all 8 patterns, and coefficient streams that name themselves.
    patterns = np.array(list(product((0, 1), repeat=3)))
    x, y = Bitstream.from_bits(patterns.T[:1]), Bitstream.from_bits(patterns.T[1:])
    for i, j in np.ndindex(2, 3):
        own = np.zeros((2, 3, 8))
        own[i, j] = 1
        z = bernstein((x, y), Bitstream.from_bits(own)).bits()
        assert np.array_equal(z, (patterns[:, 0] == i) & (patterns[:, 1:].sum(axis=1) == j))


def test_points_of_several_variables_broadcast_and_one_keeps_its_tuples():
    x, y = np.linspace(0, 1, 4)[:, np.newaxis], np.linspace(0, 1, 5)
    values = bernstein_value((x, y), B2)
    assert values.shape == (4, 5)
    assert values[1, 3] == bernstein_value((1 / 3, 0.75), B2)
    assert bernstein_value((0.1, 0.2), [0.0, 1.0]) == pytest.approx([0.1, 0.2])


@pytest.mark.parametrize(
    ("function", "degree"),
    [
        (lambda x, y: (x + y) / 2, (1, 1)),
        (lambda x, y: x * y / (1 + x), (4, 1)),
        (lambda x, y, z: x * y + (1 - y) * z, (1, 1, 1)),
    ],
)
def test_a_fit_of_several_variables_finds_the_function(function, degree):
    b = bernstein_fit(function, degree)
    assert b.shape == tuple(n + 1 for n in degree)
    points = np.random.default_rng(2).random((len(degree), 50))
    error = np.abs(bernstein_value(tuple(points), b) - function(*points)).max()
    assert error < (1e-3 if 4 in degree else 1e-9)


def test_a_polynomial_of_nets_is_that_of_streams():
    def function(x, y):
        return bernstein((x, y), B2, key=9)

    circuit = Circuit.trace(function, x=(1,), y=(2,))
    streams = {"x": encode([0.3], 400, key=KEY), "y": encode([0.6, 0.6], 400, key=WEIGHT)}
    assert circuit.simulate(streams)["out"] == function(**streams)
    predicted = circuit.predict({"x": [0.3], "y": [0.6, 0.6]}, 400)["out"]
    assert predicted.value == pytest.approx(bernstein_value((0.3, 0.6), B2))
    assert predicted.mean == pytest.approx(predicted.value)
    assert predicted.variance == pytest.approx(predicted.value * (1 - predicted.value) / 400)
    source = encode([0.3] * 3, 64, key=KEY, source=Sobol())
    with checking(), pytest.warns(CorrelationWarning, match="copies 0 and 1"):
        bernstein((source[:1], source[[0, 2]]), np.full((2, 3), 0.5), key=1)


ONE = encode([0.5], 8, key=1)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: encode_arrivals(9, 8), ValueError, "times must lie in [0, 8], got 9"),
        (lambda: encode_arrivals(0, 1), ValueError, "length must be at least 2"),
        (lambda: arrival_times([1]), TypeError, "x must be a Bitstream, got [1]"),
        (lambda: rotate(ONE, 0.5), TypeError, "steps must be an integer, got 0.5"),
        (lambda: temporal_dot(ONE, [0.5]), TypeError, "w must hold integers, got [0.5]"),
        (lambda: temporal_dot(ONE, [1, 2]), ValueError, "w must have shape (1,) or (n_out, 1), got"),
        (lambda: inhibit(ONE, 1), TypeError, "y must be a Bitstream, got 1"),
        (lambda: bernstein((), 1), ValueError, "x must hold at least one Bitstream, got none"),
        (lambda: bernstein((ONE, ONE), [[1, 0]]), ValueError,
         "coefficients must have sizes (2, 2) along the last axes for (1, 1) copies, got shape (1, 2)"),
        (lambda: bernstein((ONE, encode(np.full((3, 1), 0.5), 8, key=1)), B2[:, :2], key=1), ValueError,
         "x[1] must have the batch shape () before its copies, as x[0] has, got (3,)"),
        (lambda: bernstein_value(0.5, B2), ValueError, "coefficients must have 1 axis, got shape"),
        (lambda: bernstein_fit(lambda *x: x[0], (1,) * 4), ValueError,
         "degree must hold one to three degrees, got 4"),
        (lambda: bernstein_fit(lambda x, y: x[1:], (1, 1)), ValueError,
         "function(x) must have the shape of each variable, (1024,), got (1023,)"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert message in str(raised.value)
