import warnings

import numpy as np
import pytest
import twins
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sc_neurocore import Bernoulli, Bitstream, Role, checking, encode, stream_key
from sc_neurocore.operators import (
    addie,
    buffered_add,
    cordiv,
    desynchronize,
    ema,
    gaines_divide,
    gaines_sqrt,
    jk_flip_flop,
    linear_distribution,
    linear_machine,
    sexp,
    stanh,
    toggle_add,
    umul,
)
from sc_neurocore.streams.keys import OPERATOR

KEY = stream_key(11, Role.INPUT)
OTHER = stream_key(11, Role.WEIGHT)
NOISE = stream_key(11, Role.NOISE)
ROWS = 2000
LEAST = 5 * np.sqrt(2 / ROWS)  # five relative standard errors of the variance of normal samples
STREAMS = np.arange(ROWS)

quick = settings(deadline=None, max_examples=50)


def bit_arrays(k):
    return st.integers(1, 200).flatmap(
        lambda n: hnp.arrays(np.uint8, (k, n), elements=st.integers(0, 1))
    )


def agrees(samples, expected, variance=None):
    """Return whether the mean of samples is within five standard errors of the expected value.

    A millionth more is allowed, because events rarer than one bit in all samples show no spread.
    """
    variance = samples.var() if variance is None else variance
    return abs(samples.mean() - expected) <= 5 * np.sqrt(variance / samples.size) + 1e-6


def many(p, length, key=KEY):
    """Return independent streams with the same density."""
    return encode(np.full(ROWS, p), length, key=key, streams=STREAMS)


def pair(p, q, length, correlation):
    """Return a batch of pairs with SCC 0, +1 or -1."""
    if correlation == 0:
        return many(p, length), many(q, length, OTHER)
    return many(p, length), many(q, length) if correlation > 0 else ~many(1 - q, length)


def overlap(p, q, correlation):
    """Return P(x & y) of such a pair."""
    return [p * q, min(p, q), max(0.0, p + q - 1)][correlation]


# --- adders


@quick
@given(bit_arrays(2))
def test_the_toggle_adder_halves_the_ones_of_every_prefix(bits):
    z = toggle_add(Bitstream.from_bits(np.stack(bits, axis=-2))).bits()
    assert np.array_equal(np.cumsum(z), np.cumsum(bits.sum(axis=0, dtype=int)) // 2)


@quick
@given(st.sampled_from([4, 8, 16]).flatmap(bit_arrays))
def test_a_tree_of_toggle_adders_loses_at_most_half_a_one_per_level(bits):
    k = len(bits)
    z = toggle_add(Bitstream.from_bits(np.stack(bits, axis=-2)))
    assert 0 <= bits.sum() / k - z.counts() <= np.log2(k) / 2


@quick
@given(bit_arrays(2), st.integers(0, 5))
def test_a_buffered_adder_of_unbounded_depth_is_a_queue_that_serves_one_per_step(bits, depth):
    x, y = (Bitstream.from_bits(b) for b in bits)
    # Departures by time T are min over t <= T of arrivals(t) + T - t (Reich's formula).
    ahead = np.cumsum(bits.sum(axis=0, dtype=int)) - np.arange(1, x.length + 1)
    served = np.minimum(np.minimum.accumulate(ahead), 0) + np.arange(1, x.length + 1)
    assert np.array_equal(np.cumsum(buffered_add(x, y, x.length).bits()), served)
    assert buffered_add(x, y, 0) == x | y
    shallow, deeper = buffered_add(x, y, depth), buffered_add(x, y, depth + 1)
    assert shallow.counts() <= deeper.counts() <= served[-1]
    apart = desynchronize(x, y, depth + 1)
    assert deeper == apart[0] | apart[1]


@pytest.mark.parametrize("correlation", [-1, 0, 1])
@pytest.mark.parametrize(("p", "q"), [(0.3, 0.4), (0.5, 0.5), (0.7, 0.6)])
@pytest.mark.parametrize("depth", [1, 4])
def test_the_buffered_adder_has_its_closed_form(p, q, correlation, depth):
    x, y = pair(p, q, 64 * 17, correlation)
    z = Bitstream(buffered_add(x, y, depth).words[:, 1:], 64 * 16).probability()
    p11 = overlap(p, q, correlation)
    p00 = 1 - p - q + p11
    # The number of saved ones is geometric. A zero is written if none is saved and both bits are 0.
    weights = (p11 / p00) ** np.arange(depth + 1) if p00 > 1e-12 else np.eye(depth + 1)[-1]
    expected = 1 - p00 * (weights / weights.sum())[0]
    assert agrees(z, expected)
    if p11 and p00 > 1e-12 and abs(p11 - p00) > 1e-12:
        r = p11 / p00
        assert expected == pytest.approx(1 - p00 * (1 - r) / (1 - r ** (depth + 1)))


# --- flip-flops


@quick
@given(bit_arrays(2))
def test_cordiv_writes_the_bit_of_x_at_the_last_one_of_y(bits):
    x, y = bits
    last = np.maximum.accumulate(np.where(y == 1, np.arange(len(y)), -1))
    expected = np.where(last >= 0, x[last], 0)
    assert np.array_equal(cordiv(*(Bitstream.from_bits(b) for b in bits)).bits(), expected)


@pytest.mark.parametrize(("p", "q"), [(0.2, 0.8), (0.05, 0.1), (0.5, 0.5), (0.6, 0.9)])
def test_cordiv_divides_correlated_streams_with_its_mean_and_variance(p, q):
    length = 2048
    z = cordiv(*pair(p, q, length, 1)).probability()
    quotient = p / q
    start = (1 - q) * (1 - (1 - q) ** length) / (q * length)
    variance = quotient * (1 - quotient) * (2 - q) / (q * length)
    assert agrees(z, quotient * (1 - start))
    if quotient < 1:
        assert abs(z.var() / variance - 1) <= LEAST


def test_cordiv_of_independent_streams_gives_p():
    q, length = 0.5, 2048
    z = cordiv(*pair(0.3, q, length, 0)).probability()
    assert agrees(z, 0.3 * (1 - (1 - q) / (q * length)))


@pytest.mark.parametrize("correlation", [-1, 0, 1])
def test_cordiv_warns_inside_checking_unless_scc_is_1(correlation):
    x, y = (z[0] for z in pair(0.4, 0.8, 4096, correlation))
    with checking(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cordiv(x, y)
    assert len(caught) == (correlation < 1)
    assert all(str(w.message).startswith("cordiv needs SCC +1, got ") for w in caught)


@pytest.mark.parametrize("correlation", [-1, 0, 1])
@pytest.mark.parametrize(("p", "q"), [(0.2, 0.6), (0.5, 0.5), (0.9, 0.7)])
def test_the_jk_flip_flop_has_its_mean_and_variance_at_any_correlation(p, q, correlation):
    length = 2048
    z = jk_flip_flop(*pair(p, q, length, correlation))
    s, value = p + q, p / (p + q)
    start = ((1 - s) - (1 - s) ** (length + 1)) / s / length
    assert agrees(z.probability(), value * (1 - start))
    # At s = 2 the states alternate, and the variance is 0.
    assert abs(z.probability().var() * s * length / (value * (1 - value) * (2 - s)) - 1) <= LEAST
    bits = z.bits()
    for t in (0, 1, 3):
        mean = value * (1 - (1 - s) ** (t + 1))
        assert agrees(bits[:, t], mean, mean * (1 - mean))


@quick
@given(bit_arrays(2))
def test_the_jk_flip_flop_sets_resets_toggles_and_holds(bits):
    j, k = bits
    z = jk_flip_flop(*(Bitstream.from_bits(b) for b in bits)).bits()
    before = np.concatenate([[0], z[:-1]])
    assert np.array_equal(z, np.where(before == 0, j, 1 - k))


# --- linear machines


def test_the_distribution_of_a_linear_machine_is_in_detailed_balance():
    p = np.array([0.0, 1e-9, 0.2, 0.5, 0.7, 1.0])
    for n in (1, 2, 7, 5000):
        states = linear_distribution(p, n)
        assert states.shape == (6, n)
        assert states.sum(axis=-1) == pytest.approx(1)
        up, down = states[:, :-1] * p[:, None], states[:, 1:] * (1 - p)[:, None]
        assert up == pytest.approx(down, rel=1e-9, abs=1e-300)
    assert linear_distribution([0.4, 0.55], 2**16).sum(axis=-1) == pytest.approx(1)
    assert linear_distribution(0.0, 3).tolist() == [1, 0, 0]
    assert linear_distribution(1.0, 3).tolist() == [0, 0, 1]


def settled(z):
    """Return densities without the first 1024 steps."""
    return Bitstream(z.words[..., 16:], z.length - 1024).probability()


BIPOLAR = [-0.6, -0.1, 0.0, 0.05, 0.3, 0.5]


def white(length=1024 * 9, rows=300):
    p = (1 + np.array(BIPOLAR)[:, None]) / 2
    return encode(np.broadcast_to(p, (len(BIPOLAR), rows)), length, key=KEY)


@pytest.mark.parametrize("n", [2, 4, 8, 16])
def test_stanh_has_its_stationary_value(n):
    exact = np.tanh(n / 2 * np.arctanh(BIPOLAR))
    p = (1 + np.array(BIPOLAR)) / 2
    assert 2 * linear_distribution(p, n)[:, n // 2 :].sum(axis=-1) - 1 == pytest.approx(exact)
    for z, value in zip(settled(stanh(white(), n)), exact, strict=True):
        assert agrees(2 * z - 1, value), value


@pytest.mark.parametrize(("n", "g"), [(8, 1), (8, 3), (16, 2)])
def test_sexp_has_its_stationary_value(n, g):
    x = np.array(BIPOLAR)
    r = (1 + x) / (1 - x)
    with np.errstate(invalid="ignore"):
        exact = np.where(x == 0, (n - g) / n, (1 - r ** (n - g)) / (1 - r**n))
    for z, value in zip(settled(sexp(white(), n, g)), exact, strict=True):
        assert agrees(z, value), value
    assert exact[4] == pytest.approx(np.exp(-2 * g * x[4]), rel=0.1)


def test_a_linear_machine_has_the_mean_of_its_distribution():
    outputs = np.random.default_rng(1).integers(0, 2, 11)
    z, _ = linear_machine(outputs).run(white(), state=5)
    exact = linear_distribution((1 + np.array(BIPOLAR)) / 2, 11) @ outputs
    for samples, value in zip(settled(z), exact, strict=True):
        assert agrees(samples, value), value


def test_a_linear_machine_has_the_variance_of_its_flows():
    rng = np.random.default_rng(2)
    length = 64 * 64
    for p, outputs, state in [(0.45, rng.integers(0, 2, 7), 3), (0.6, np.arange(6) < 4, 4)]:
        pi = linear_distribution(p, len(outputs))
        q = pi @ outputs
        flow = np.cumsum(pi * (outputs - q))[:-1]
        variance = (2 * (flow**2 / (pi[:-1] * p)).sum() - q * (1 - q)) / length
        z = linear_machine(outputs).run(many(p, length), state=state)[0].probability()
        assert abs(z.var() / variance - 1) <= LEAST
    for n in (2, 6):
        z = 2 * stanh(many(0.5, length), n).probability() - 1
        assert abs(z.var() * 3 * length / (n**2 - 1) - 1) <= LEAST


def test_a_linear_machine_stays_at_its_ends():
    ends = Bitstream.from_bits([[0] * 100, [1] * 100])
    z, state = linear_machine([0, 0, 1, 0, 1]).run(ends, state=2)
    assert state.tolist() == [0, 4]
    assert z.bits()[:, :4].tolist() == [[1, 0, 0, 0], [1, 0, 1, 1]]


# --- integrators


def stationary(p_up, p_down):
    """Return the stationary distribution of a birth-death chain with len(p_up) states."""
    weights = np.concatenate([[1.0], np.cumprod(p_up[:-1] / p_down[1:])])
    return weights / weights.sum()


def fits(counters, distribution):
    """Return whether the frequency of each state is within five standard errors of the expected."""
    seen = np.bincount(counters, minlength=len(distribution)) / len(counters)
    error = 5 * np.sqrt(distribution * (1 - distribution) / len(counters)) + 2 / len(counters)
    return len(seen) == len(distribution) and (np.abs(seen - distribution) <= error).all()


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.8, 1.0])
def test_the_counter_of_an_addie_is_binomial(p):
    from scipy import stats

    size = 32
    z, counters = addie(many(p, 1024), 5, key=NOISE)
    assert agrees(counters, size * p, size * p * (1 - p))
    assert fits(counters, stats.binom.pmf(np.arange(size + 1), size, p))
    if 0 < p < 1:
        assert abs(counters.var() / (size * p * (1 - p)) - 1) <= LEAST
    assert np.array_equal(z.counts(), many(p, 1024).counts() - (counters - size // 2))
    steps = 24
    early = addie(many(p, steps), 5, key=NOISE)[1]
    assert agrees(early, size * (p + (0.5 - p) * (1 - 1 / size) ** steps))


def test_an_addie_reaches_and_keeps_0_and_1():
    ends = encode([0.0, 1.0], 4096, key=KEY)
    z, counters = addie(ends, 6, key=NOISE)
    assert counters.tolist() == [0, 64]
    assert z.bits()[:, -1000:].mean(axis=1).tolist() == [0, 1]


@pytest.mark.parametrize("correlation", [0, 1])
@pytest.mark.parametrize(("p", "q"), [(0.1, 0.5), (0.3, 0.5), (0.4, 0.9), (0.48, 0.5), (0.6, 0.5)])
def test_the_divider_has_its_distribution_mean_and_variance(p, q, correlation):
    size = 64
    counters = gaines_divide(*pair(p, q, 64 * 64, correlation), 6, key=NOISE)[1]
    p11, c = overlap(p, q, correlation), np.arange(size + 1) / size
    up, down = p - p11 * c, (q - p11) * c
    if correlation == 1 and p >= q:
        assert (counters == size).all()
        return
    exact = stationary(up, down)
    assert fits(counters, exact)
    assert agrees(counters, size * exact @ c)
    if p / q < 0.7:
        mean, variance = p / q, p / q * (1 - p11 / q) / size
        assert exact @ c == pytest.approx(mean, abs=1e-4)
        assert exact @ c**2 - mean**2 == pytest.approx(variance, rel=5e-3)


@pytest.mark.parametrize("p", [0.0, 0.1, 0.3, 0.7, 1.0])
def test_the_square_root_has_its_distribution_and_exact_second_moment(p):
    size = 64
    z, counters = gaines_sqrt(many(p, 64 * 64), 6, key=NOISE)
    if p in (0.0, 1.0):
        # At p = 0 the counter falls as the inverse of time.
        assert (counters >= 62).all() if p == 1 else counters.mean() <= 2
        return
    c = np.arange(size + 1) / size
    exact = stationary(p * (1 - c**2), (1 - p) * c**2)
    assert exact @ c**2 == pytest.approx(p)
    assert fits(counters, exact)
    assert agrees((counters / size) ** 2, p)
    assert exact @ c == pytest.approx(np.sqrt(p) - (1 - p) / 4 / size, abs=1 / size**2)
    assert exact @ c**2 - (exact @ c) ** 2 == pytest.approx(np.sqrt(p) * (1 - p) / 2 / size, rel=0.1)
    assert agrees(Bitstream(z.words[:, 32:], 2048).probability(), exact @ c)


def test_a_row_is_the_same_alone_in_a_batch_and_over_blocks_of_time():
    x = encode(np.linspace(0, 1, 600), 2000, key=KEY)
    z, counters = gaines_sqrt(x, 4, key=NOISE)
    few, some = gaines_sqrt(x[:3], 4, key=NOISE)
    assert few == z[:3]
    assert np.array_equal(some, counters[:3])
    numbers = Bernoulli().numbers(
        OPERATOR + np.arange(1200, dtype=np.uint64).reshape(600, 2).T, 2000, key=NOISE
    )
    bits, path = twins.integrate(x.bits()[None], numbers, 4, np.full(600, 8))
    assert np.array_equal(z.bits(), bits)
    assert np.array_equal(counters, path[-1])
    assert gaines_sqrt(x[:0], 4, key=NOISE)[0].shape == (0,)


# --- averages and products


def test_the_moving_average_has_its_mean_and_variance():
    p, a, length = 0.3, 1 / 8, 100
    y = ema(many(p, length), 3)
    assert y.shape == (ROWS, length)
    for t in (1, 5, 20, 100):
        variance = p * (1 - p) * a / (2 - a) * (1 - (1 - a) ** (2 * t))
        assert agrees(y[:, t - 1], p + (0.5 - p) * (1 - a) ** t, variance)
        kurtosis = 3 + (1 - 6 * p * (1 - p)) / (p * (1 - p))
        assert abs(y[:, t - 1].var() / variance - 1) <= 5 * np.sqrt(kurtosis / ROWS)
    bits = Bitstream.from_bits([[1, 0, 1], [0, 0, 1]])
    assert np.array_equal(ema(bits, 0), bits.bits())
    assert ema(bits[0], 1).tolist() == [0.75, 0.375, 0.6875]


@quick
@given(bit_arrays(2))
def test_umul_moves_a_prefix_of_y_to_the_ones_of_x(bits):
    x, y = (Bitstream.from_bits(b) for b in bits)
    z = umul(x, y)
    assert z.counts() == bits[1][: x.counts()].sum()
    assert (z & x) == z
    assert np.array_equal(z.bits()[bits[0] == 1], bits[1][: x.counts()])


@pytest.mark.parametrize("correlation", [-1, 0, 1])
def test_umul_requires_no_independence(correlation):
    p, q, length = 0.6, 0.4, 16
    z = umul(*pair(p, q, length, correlation)).probability()
    assert agrees(z, p * q + (overlap(p, q, correlation) - p * q) / length)


def test_umul_has_the_variance_of_a_prefix_of_y():
    x, q, length = encode(0.6, 1024, key=OTHER), 0.4, 1024
    z, p = umul(x, many(q, length)).probability(), x.probability()
    assert agrees(z, p * q)
    assert abs(z.var() * length / (p * q * (1 - q)) - 1) <= LEAST
