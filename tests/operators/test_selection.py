"""Maximum, comparison, votes and squares: exhaustive on short streams, laws on long ones."""

from itertools import product

import numpy as np
import pytest

from sc_neurocore import Bitstream, CorrelationWarning, Role, checking, encode, stack, stream_key
from sc_neurocore.circuits import Circuit
from sc_neurocore.operators import (
    btanh,
    greater,
    max_pool,
    maximum,
    minimum,
    multiplex,
    stanh,
)

KEY, OTHER = stream_key(51, Role.INPUT), stream_key(51, Role.WEIGHT)
LENGTH = 7
WORDS = np.array(list(product((0, 1), repeat=LENGTH)))
A, B = (bits.astype(int) for bits in np.broadcast_arrays(WORDS[:, None], WORDS))
X, Y = Bitstream.from_bits(WORDS)[:, None], Bitstream.from_bits(WORDS)


def running(bits):
    return np.cumsum(bits, axis=-1, dtype=int)


def test_with_enough_depth_every_prefix_has_the_larger_and_the_smaller_count():
    a, b = running(A), running(B)
    with checking():
        larger, smaller, won = maximum(X, Y, LENGTH), minimum(X, Y, LENGTH), greater(X, Y, LENGTH)
    assert np.array_equal(running(larger.bits()), np.maximum(a, b))
    assert np.array_equal(running(smaller.bits()), np.minimum(a, b))
    assert np.array_equal(won.bits(), a > b)


@pytest.mark.parametrize("depth", [1, 2])
def test_a_full_counter_loses_ones_and_makes_the_maximum_too_large_by_at_most_these(depth):
    lead, lost, wanted = np.zeros(A.shape[:-1], int), 0, []
    for t in range(LENGTH):
        a, b = A[..., t], B[..., t]
        led = np.where(lead > 0, a, np.where(lead < 0, b, a | b))
        lost = lost + (abs(lead + a - b) > depth)
        lead = np.clip(lead + a - b, -depth, depth)
        wanted.append([led, a + b - led, lead > 0])
    larger, smaller, won = np.moveaxis(np.array(wanted), 0, -1)
    assert np.array_equal(maximum(X, Y, depth).bits(), larger)
    assert np.array_equal(minimum(X, Y, depth).bits(), smaller)
    assert np.array_equal(greater(X, Y, depth).bits(), won)
    excess = larger.sum(axis=-1) - np.maximum(A.sum(axis=-1), B.sum(axis=-1))
    assert excess.min() == 0
    assert (excess <= lost).all()
    assert excess.max() > 0


@pytest.mark.parametrize(("p", "q", "depth"), [(0.5, 0.5, 3), (0.7, 0.6, 2), (0.2, 0.4, 5)])
def test_the_stationary_means_are_those_of_a_birth_death_chain(p, q, depth):
    up, down = p * (1 - q), (1 - p) * q
    r, s = up / down, np.arange(-depth, depth + 1)
    total = (r**s).sum()
    laws = {
        maximum: p + down * r**-depth / total,
        minimum: q - down * r**-depth / total,
        greater: (r ** s[depth + 1 :]).sum() / total,
    }
    length, n = 1024, 2000
    x, y = encode([np.full(n, p), np.full(n, q)], length, key=KEY)
    for operator, law in laws.items():
        circuit = Circuit.trace(lambda x, y, operator=operator: operator(x, y, depth))
        settled = circuit.predict({"x": p, "y": q}, 10**9)["out"]
        assert settled.mean == pytest.approx(law, abs=1e-6)
        ideal = {maximum: max(p, q), minimum: min(p, q), greater: law}[operator]
        assert settled.value == pytest.approx(ideal)
        found = circuit.predict({"x": p, "y": q}, length)["out"]
        assert found.method == "exact"
        z = operator(x, y, depth).probability()
        assert abs(z.mean() - found.mean) <= 5 * np.sqrt(found.variance / n)
        assert abs(z.var() / found.variance - 1) <= 5 * np.sqrt(4 / n)


def test_gates_require_correlation_and_machines_do_not():
    x, y = encode([0.5, 0.6], 4096, key=KEY)
    with checking():
        maximum(x, y, 64), minimum(x, y, 64), greater(x, y, 64), max_pool(stack([x, y]), 64)
    for gate in (maximum, minimum):
        with checking(), pytest.warns(CorrelationWarning, match=f"{gate.__name__} needs SCC"):
            gate(x, y)
    p, q = encode([0.5, 0.6], 4096, key=KEY, streams=0)
    assert maximum(p, q, 1) == maximum(p, q) == q
    assert greater(q, p, 1).counts() == 4096 - (q ^ p).bits().argmax()


def test_a_pool_has_the_ones_of_the_fullest_input_at_every_step():
    rng = np.random.default_rng(1)
    for n in (1, 2, 3, 4, 5, 9):
        bits = rng.random((6, n, 150)) < rng.random((6, n, 1))
        z = max_pool(Bitstream.from_bits(bits), 150)
        assert np.array_equal(running(z.bits()), running(bits).max(axis=1)), n
        assert z[2] == max_pool(Bitstream.from_bits(bits[2]), 150)


def test_the_absolute_value_and_the_sign_in_bipolar_code():
    p = np.linspace(0, 1, 11)
    x = encode(p, 4096, key=KEY)
    ones = x.counts().astype(int)
    assert np.array_equal(maximum(x, ~x, 4096).counts(), np.maximum(ones, 4096 - ones))
    assert np.array_equal(greater(x, ~x, 4096).bits()[:, -1], 2 * ones > 4096)


def test_a_multiplexer_selects_and_requires_an_independent_select():
    patterns = np.array(list(product((0, 1), repeat=3))).T
    s, x, y = Bitstream.from_bits(patterns)
    assert np.array_equal(multiplex(s, x, y).bits(), np.where(patterns[0], *patterns[1:]))
    n, length = 2000, 128
    streams = encode(np.broadcast_to([[0.3], [0.9], [0.2]], (3, n)), length, key=KEY)
    z, value = multiplex(*streams).probability(), 0.3 * 0.9 + 0.7 * 0.2
    variance = value * (1 - value) / length
    assert abs(z.mean() - value) <= 5 * np.sqrt(variance / n)
    assert abs(z.var() / variance - 1) <= 5 * np.sqrt(2.1 / n)
    s, x, y = encode([0.4, 0.3, 0.9], 65536, key=KEY, streams=0)
    needs = "multiplex needs SCC 0 of select and {}, got 1"
    x_needs, y_needs = (pytest.warns(CorrelationWarning, match=needs.format(n)) for n in "xy")
    with checking(), x_needs, y_needs:
        z = multiplex(s, x, y)
    assert z.counts() == (s & x).counts() + y.counts() - s.counts()


@pytest.mark.parametrize(("n", "n_states"), [(1, 6), (2, 4), (3, 10), (9, 18), (64, 128), (255, 510)])
def test_btanh_is_its_counter_of_counts(n, n_states):
    bits = np.random.default_rng(n).random((40, n, 300)) < np.linspace(0.4, 0.6, 40)[:, None, None]
    state, wanted = np.full(40, n_states // 2), []
    for count in bits.sum(axis=1).T:
        wanted.append(state >= n_states // 2)
        state = np.clip(state + 2 * count - n, 0, n_states - 1)
    x = Bitstream.from_bits(bits)
    z = btanh(x, n_states)
    assert np.array_equal(z.bits(), np.array(wanted).T)
    assert z[3] == btanh(x[3], n_states)
    if n == 1:
        assert z == stanh(x[..., 0], n_states)


def test_btanh_has_the_mean_of_its_chain_and_in_the_limit_a_tanh():
    p, n_states = np.array([0.6, 0.55, 0.4, 0.58]), 40
    circuit = Circuit.trace(lambda x: btanh(x, n_states), x=(4,))
    settled = circuit.predict({"x": p}, 10**7)["out"]
    assert settled.method == "exact"
    assert settled.mean == pytest.approx(settled.value, abs=1e-4)
    s, v = (2 * p - 1).sum(), (1 - (2 * p - 1) ** 2).sum()
    assert 2 * settled.mean - 1 == pytest.approx(np.tanh(n_states * s / (2 * v)), abs=0.02)
    found = circuit.predict({"x": p}, 512)["out"]
    z = btanh(encode(np.broadcast_to(p, (2000, 4)), 512, key=KEY), n_states).probability()
    assert abs(z.mean() - found.mean) <= 5 * np.sqrt(found.variance / 2000)
    assert abs(z.var() / found.variance - 1) <= 5 * np.sqrt(4 / 2000)
    many = Circuit.trace(lambda x: btanh(x, 80), x=(40,)).predict({"x": np.full(40, 0.51)}, 1000)
    x = encode(np.full((400, 40), 0.51), 4096, key=OTHER)
    means = btanh(x, 80).probability()
    settled = means.mean() - many["out"].value
    assert abs(settled) <= 5 * means.std() / 20 + 80 / 4096


X2 = Bitstream.from_bits([[0, 1, 1], [1, 1, 0]])


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: maximum(X2, X2, 0), ValueError, "depth must be at least 1 and at most 32767, got 0"),
        (lambda: minimum(X2, X2, 1.5), TypeError, "depth must be an integer, got 1.5"),
        (lambda: greater(X2, X2, 2**15), ValueError, "depth must be at least 1 and at most 32767, got"),
        (lambda: greater(X2, [1], 1), TypeError, "y must be a Bitstream, got [1]"),
        (lambda: max_pool(X2[0], 1), ValueError, "x must have batch shape (..., n) with n > 0, got ()"),
        (lambda: max_pool(X2, 0), ValueError, "depth must be at least 1 and at most 32767, got 0"),
        (lambda: multiplex(X2, X2, 0), TypeError, "y must be a Bitstream, got 0"),
        (lambda: btanh(X2, 3), ValueError, "n_states must be even, got 3"),
        (lambda: btanh(X2, 4098), ValueError, "n_states must be at least 2 and at most 4096, got 4098"),
        (
            lambda: btanh(stack([X2[0]] * 256), 4),
            ValueError,
            "x must have at most 255 inputs along its last batch axis, got 256",
        ),
    ],
)
def test_errors_name_the_argument_its_contract_and_the_value(call, kind, message):
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value).startswith(message)
