"""Comparison and selection by counters, magnitudes, quotients and roots: equations and laws."""

import itertools

import numpy as np
import pytest

from sc_neurocore import Bernoulli, Bipolar, Bitstream, Permutation, encode
from sc_neurocore.circuits import Circuit
from sc_neurocore.operators import (
    Integral,
    greater,
    jk_sqrt,
    linear_distribution,
    max_pool,
    maximum,
    minimum,
    multiplex,
)
from sc_neurocore.operators import _digits as digits

ROWS = 2000
LEAST = 5 * np.sqrt(2 / ROWS)
KEY = 31
# All pairs of streams of six bits.
SIX = np.arange(64)[:, None] >> np.arange(6) & 1
X, Y = np.broadcast_arrays(SIX[:, None], SIX[None])


def many(p, length, key=KEY):
    return encode(np.full(ROWS, p), length, key=key)


def agrees(z, predicted):
    assert abs(z.mean() - predicted.mean) <= 5 * np.sqrt(predicted.variance / ROWS)
    assert abs(z.var() / predicted.variance - 1) <= LEAST


@pytest.mark.parametrize("n", [2, 4, 6])
def test_comparison_and_extrema_have_the_bits_of_their_equation_for_all_short_streams(n):
    state = np.full((64, 64), n // 2)
    above = []
    for t in range(6):
        above.append(state >= n // 2)
        state = np.clip(state + X[..., t] - Y[..., t], 0, n - 1)
    above = np.stack(above, axis=-1)
    x, y = Bitstream.from_bits(X), Bitstream.from_bits(Y)
    assert np.array_equal(greater(x, y, n).bits(), above)
    assert np.array_equal(maximum(x, y, n_states=n).bits(), np.where(above, X, Y))
    assert np.array_equal(minimum(x, y, n_states=n).bits(), np.where(above, Y, X))


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(("p", "q"), [(0.5, 0.4), (0.3, 0.35), (0.7, 0.7)])
def test_comparison_has_its_closed_form_and_extrema_have_that_of_the_comparison(p, q, shared):
    n, generators = 8, {"x": 0, "y": 0} if shared else None
    only_x, only_y = (max(p - q, 0), max(q - p, 0)) if shared else (p * (1 - q), q * (1 - p))
    # Streams that never differ leave the counter in its first state, whose output is 1.
    g = only_x**4 / (only_x**4 + only_y**4) if only_x + only_y else 1.0
    for function, wanted in (
        (lambda x, y: greater(x, y, n), g),
        (lambda x, y: maximum(x, y, n_states=n), g * p + (1 - g) * q),
        (lambda x, y: minimum(x, y, n_states=n), g * q + (1 - g) * p),
    ):
        circuit = Circuit.trace(function)
        found = circuit.predict({"x": p, "y": q}, 2**38, generators=generators)["out"]
        assert found.mean == pytest.approx(wanted, abs=1e-7)
        x, y = many(p, 256), many(q, 256, KEY if shared else KEY + 1)
        z = function(x, y).probability()
        predicted = circuit.predict({"x": p, "y": q}, 256, generators=generators)["out"]
        if predicted.variance > 1e-9:
            agrees(z, predicted)


def test_the_largest_of_several_streams_is_selected():
    p = np.array([0.2, 0.75, 0.4, 0.7, 0.1])
    z = max_pool(encode(p, 2**16, key=KEY), 32).probability()
    assert abs(z - 0.75) < 0.01
    predicted = Circuit.trace(lambda x: max_pool(x, 6), x=(3,)).predict({"x": p[:3]}, 300)["out"]
    assert predicted.method == "exact"
    assert predicted.value == 0.75
    agrees(max_pool(encode(np.tile(p[:3], (ROWS, 1)), 300, key=KEY), 6).probability(), predicted)
    assert max_pool(encode([0.1, 0.2, 0.9], 2**12, key=KEY), 32).probability() > 0.85
    one = encode([[0.3]], 99, key=KEY)
    assert max_pool(one, 4) == one[:, 0]


def test_a_multiplexer_selects_for_all_symbols_and_has_its_value():
    symbols = np.array(list(itertools.product((0, 1), repeat=6))).T
    x, select = Bitstream.from_bits(symbols[:4]), Bitstream.from_bits(symbols[4:])
    wanted = symbols[symbols[4] + 2 * symbols[5], np.arange(64)]
    assert np.array_equal(multiplex(x, select).bits(), wanted)
    assert multiplex(x[:1], select[:0]) == x[0]
    p, s = np.array([0.1, 0.5, 0.8, 0.3]), np.array([0.3, 0.6])
    weights = np.outer([0.4, 0.6], [0.7, 0.3]).ravel()
    found = Circuit.trace(multiplex, x=(4,), select=(2,)).predict({"x": p, "select": s}, 100)["out"]
    assert found.value == pytest.approx(weights @ p)
    assert found.mean == pytest.approx(weights @ p)


def test_the_magnitude_has_the_bits_of_its_equation_and_its_closed_form():
    bits = (np.random.default_rng(1).random((50, 400)) < np.linspace(0, 1, 50)[:, None]).astype(int)
    c, wanted, signs = np.full(50, 32), [], []
    for t in range(400):
        c = np.clip(c + 2 * bits[:, t] - 1, 0, 63)
        signs.append(c < 32)
        wanted.append(bits[:, t] ^ signs[-1])
    z, sign = digits.bipolar_magnitude(Bitstream.from_bits(bits))
    assert np.array_equal(z.bits(), np.stack(wanted, axis=-1))
    assert np.array_equal(sign.bits(), np.stack(signs, axis=-1))
    circuit = Circuit.trace(lambda x: abs(Bipolar(x)).stream)
    for p in (0.3, 0.49, 0.52):
        law = linear_distribution(p, 64)
        exact = p * law[31:].sum() + (1 - p) * law[:33].sum()
        found = circuit.predict({"x": p}, 2**38)["out"]
        assert found.mean == pytest.approx(exact, abs=1e-7)
        agrees(abs(Bipolar(many(p, 512))).stream.probability(), circuit.predict({"x": p}, 512)["out"])


@pytest.mark.parametrize("x", [-0.6, -0.2, 0.0, 0.5, 0.9])
@pytest.mark.parametrize("y", [-0.8, 0.9, 1.0])
def test_quotients_in_bipolar_code_have_their_value(x, y):
    length = 2**14
    a = Bipolar.encode(np.full(64, x), length, key=KEY)
    b = Bipolar.encode(np.full(64, y), length, key=KEY + 1)
    z = (a / b).value()
    wanted = np.clip(x / y, -1, 1)
    # A magnitude of 0 is rectified to 1 / 130, whatever its sign; a counter keeps 64 digits.
    assert abs(z.mean() - wanted) <= 5 * z.std() / 8 + 0.01 + 64 / length
    # As CORDIV: a held bit lasts for about 1 / abs(y) steps.
    q = (1 + abs(wanted)) / 2
    assert z.std() <= 4 * np.sqrt((4 * q * (1 - q) + 0.1) * (2 / abs(y)) / length)


def rooted(bits, address, depth):
    """Return the bits of the root step by step."""
    s, buffer, out = 0, [i % 2 for i in range(depth)], []
    for x, a in zip(bits, address, strict=True):
        z = x | s
        out.append(z)
        h = z
        if depth:
            h, buffer[a] = buffer[a], z
        s = 1 - s if h else 0
    return out


@pytest.mark.parametrize("depth", [0, 2, 4, 8])
def test_the_root_has_the_bits_of_its_equation(depth):
    x = encode([0.1, 0.5, 0.8], 300, key=KEY)
    n = max(depth, 1).bit_length() - 1
    address = np.zeros((3, 300), int)
    if depth:
        bits = encode(np.full((3, n), 0.5), 300, key=7).bits()
        address = (bits * (1 << np.arange(n))[:, None]).sum(axis=1)
    z = jk_sqrt(x, depth, key=7 if depth else None).bits()
    for row in range(3):
        assert z[row].tolist() == rooted(x.bits()[row].tolist(), address[row], depth)


def test_the_root_has_its_law_and_the_errors_of_the_table():
    for depth, table in (
        (0, [-0.128, -0.134, -0.100, -0.040, -0.001]),
        (2, [0.158, 0.111, 0.050, 0.015, 0.000]),
        (4, [0.064, 0.042, 0.019, 0.006, 0.000]),
    ):
        circuit = Circuit.trace(lambda x, d=depth: jk_sqrt(x, d, key=3 if d else None))
        for p, error in zip((0.05, 0.1, 0.25, 0.5, 0.9), table, strict=True):
            found = circuit.predict({"x": p}, 2**38)["out"]
            assert found.mean - np.sqrt(p) == pytest.approx(error, abs=6e-4)
            assert found.value == pytest.approx(np.sqrt(p))
            if not depth:
                assert found.mean == pytest.approx(2 * p / (1 + p))
    predicted = circuit.predict({"x": 0.3}, 256)["out"]
    agrees(jk_sqrt(many(0.3, 256), 4, key=3).probability(), predicted)
    for p, error in ((0.05, 0.024), (0.25, 0.009), (0.9, 0.0)):
        z = jk_sqrt(many(p, 4096), key=3).probability()
        assert abs(z.mean() - np.sqrt(p) - error) <= 5 * z.std() / np.sqrt(ROWS) + 6e-4


def test_tanh_counts_many_lines_as_the_machine_of_few():
    lines = encode(np.full((20, 8), 0.55), 300, key=KEY)
    machine, start = digits._counted_tanh(8, 16)
    few = Integral(lines).tanh(2).stream
    assert machine.run(*digits.counted(lines), state=start)[0] == few
    more = encode(np.random.default_rng(2).random((6, 25)), 300, key=KEY)
    state, wanted = np.full(6, 25), []
    for t in range(300):
        wanted.append(state >= 25)
        state = np.clip(state + 2 * more.bits()[..., t].astype(int).sum(axis=1) - 25, 0, 49)
    assert np.array_equal(Integral(more).tanh(2).stream.bits(), np.stack(wanted, axis=-1))


def test_the_sources_of_a_root_can_be_others_and_errors_name_the_argument():
    x = encode([0.25, 0.81], 2**14, key=1, source=Permutation(2**14))
    assert np.allclose(jk_sqrt(x, key=2, source=Bernoulli()).probability(), [0.5, 0.9], atol=0.05)
    y = encode([0.5, 0.6, 0.7], 64, key=1)
    for call, message in (
        (lambda: jk_sqrt(y, 3, key=1), "depth must be 0, 2, 4 or 8, got 3"),
        (lambda: jk_sqrt(y), "key must be given for a buffer, got None"),
        (lambda: jk_sqrt(y, 0, key=1), "key must be omitted at depth 0, got 1"),
        (lambda: greater(y[0], y[1], 5), "n_states must be even, got 5"),
        (lambda: multiplex(y, y[:1]), "select must have batch shape"),
        (lambda: max_pool(y, 7), "n_states must be even, got 7"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
