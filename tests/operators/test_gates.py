import re
import sys
from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sc_neurocore import (
    Bitstream,
    Role,
    Sobol,
    _checks,
    current_trace,
    dot,
    encode,
    multiply,
    scaled_add,
    stack,
    stream_key,
)
from sc_neurocore.operators import (
    absolute_difference,
    bernstein,
    bernstein_fit,
    bernstein_value,
    exact_product,
    maximum,
    minimum,
    popcount_add,
    saturating_add,
    saturating_subtract,
)

KEY, WEIGHT = stream_key(7, Role.INPUT), stream_key(7, Role.WEIGHT)
SELECT = stream_key(7, Role.SELECT)
ROWS, LENGTH = 2000, 256
COEFFICIENTS = [0.25, 0.625, 0.375, 0.75]
LEVELS = np.linspace(0, 1, 11)


def rows(p, key=KEY, n=ROWS, length=LENGTH):
    """Return n independent rows of streams of the given densities."""
    return encode(np.broadcast_to(p, (n, *np.shape(p))), length, key=key)


def has_law(values, mean, variance):
    """Return whether mean and variance over rows are within five standard errors of the expected."""
    n = len(values)
    close = abs(values.mean() - mean) <= 5 * np.sqrt(variance / n)
    return close and abs(values.var() / variance - 1) <= 5 * np.sqrt(2.1 / n)


def in_pairs(p, q, correlation):
    """Return streams of 1000 bits with exactly the densities p and q, at SCC +1 or -1."""
    t = np.arange(1000)
    y = t < round(1000 * q)
    return (
        Bitstream.from_bits(t < round(1000 * p)),
        Bitstream.from_bits(y if correlation == 1 else y[::-1]),
    )


def streams(shape, length):
    return hnp.arrays(np.uint8, (*shape, length), elements=st.integers(0, 1)).map(Bitstream.from_bits)


# --- gates


@pytest.mark.parametrize(("p", "q"), [(0.5, 0.6), (0.1, 0.9), (0.95, 0.8)])
def test_a_product_of_independent_streams_has_the_binomial_variance(p, q):
    z = p * q
    product = multiply(rows(p), rows(q, WEIGHT))
    assert has_law(product.probability(), z, z * (1 - z) / LENGTH)


@pytest.mark.parametrize(
    ("operator", "correlation", "ideal"),
    [
        (minimum, 1, np.minimum),
        (maximum, 1, np.maximum),
        (absolute_difference, 1, lambda p, q: abs(p - q)),
        (saturating_subtract, 1, lambda p, q: max(0, p - q)),
        (saturating_add, -1, lambda p, q: min(1, p + q)),
    ],
)
def test_operators_on_correlated_streams_are_exact(operator, correlation, ideal):
    for p, q in product(LEVELS, LEVELS):
        got = operator(*in_pairs(p, q, correlation)).probability()
        assert got == pytest.approx(ideal(p, q), abs=1e-12), (p, q)


@pytest.mark.parametrize(
    ("operator", "mean"),
    [
        (saturating_add, lambda p, q: 1 - (1 - p) * (1 - q)),
        (saturating_subtract, lambda p, q: p * (1 - q)),
        (absolute_difference, lambda p, q: p + q - 2 * p * q),
    ],
)
def test_operators_on_independent_streams_have_the_documented_mean(operator, mean):
    z = mean(0.7, 0.4)
    got = operator(rows(0.7), rows(0.4, WEIGHT)).probability()
    assert has_law(got, z, z * (1 - z) / LENGTH)


@pytest.mark.parametrize(
    ("operator", "z"),
    [(minimum, 0.4), (maximum, 0.7), (absolute_difference, 0.3), (saturating_subtract, 0.3)],
)
def test_operators_on_streams_of_scc_1_have_the_binomial_variance(operator, z):
    numbers = np.arange(ROWS)
    x, y = (encode(np.full(ROWS, p), LENGTH, key=KEY, streams=numbers) for p in (0.7, 0.4))
    assert has_law(operator(x, y).probability(), z, z * (1 - z) / LENGTH)


def test_batches_broadcast_and_equal_single_streams():
    x, y = rows([0.2, 0.8], n=3, length=100)[:, :, None], rows(0.5, WEIGHT, n=4, length=100)
    binary = (
        multiply, minimum, maximum, absolute_difference, saturating_add, saturating_subtract,
        lambda a, b: exact_product(a, b, "division"),
    )  # fmt: skip
    for operator in binary:
        batch = operator(x, y)
        assert batch.shape == (3, 2, 4)
        for i, j, k in np.ndindex(3, 2, 4):
            assert batch[i, j, k] == operator(x[i, j, 0], y[k])


# --- sums


@given(st.integers(1, 140).flatmap(lambda n: streams((2, 3), n)))
def test_popcount_add_counts_the_ones_at_each_step(x):
    counts = popcount_add(x)
    assert counts.shape == (2, x.length)
    assert np.array_equal(counts, x.bits().sum(axis=1))
    assert counts.mean(axis=-1) == pytest.approx(x.probability().sum(axis=-1))
    assert (counts - 3 <= 0).all()  # signed


def test_a_sum_of_independent_streams_has_the_sum_of_their_variances():
    p = np.array([0.1, 0.5, 0.9, 0.7])
    sums = popcount_add(rows(p)).mean(axis=-1)
    assert has_law(sums, p.sum(), (p * (1 - p)).sum() / LENGTH)


@pytest.mark.parametrize(
    "weights", [None, [0.1, 0.2, 0.3, 0.4], [0.0, 1.0, 0.0, 0.0], [0, 0.5, 0.5, 0]]
)
@pytest.mark.parametrize("shared", [False, True])
def test_a_multiplexer_has_the_weighted_mean_and_a_binomial_variance(weights, shared):
    # Shared numbers correlate the inputs, which must make no difference.
    p = np.array([0.1, 0.5, 0.9, 0.7])
    numbers = np.arange(4 * ROWS).reshape(ROWS, 4) // (4 if shared else 1)
    x = encode(np.broadcast_to(p, (ROWS, 4)), LENGTH, key=KEY, streams=numbers)
    z = np.dot(weights or [0.25] * 4, p)
    out = scaled_add(x, key=SELECT, weights=weights)
    assert has_law(out.probability(), z, z * (1 - z) / LENGTH)


def test_a_multiplexer_passes_one_input_at_each_step():
    out = scaled_add(Bitstream.from_bits([[1] * 99] * 5), key=SELECT)
    assert out == Bitstream.from_bits([1] * 99)
    x = rows([0.3, 0.6, 0.9], n=1)[0]
    assert scaled_add(x, key=SELECT, weights=[0, 0, 1]) == x[2]
    assert scaled_add(x, key=SELECT, weights=[1, 0, 0]) == x[0]
    assert scaled_add(x[:1], key=SELECT) == x[0]


def test_the_first_row_of_a_batch_has_the_selects_of_a_single_row():
    x = rows([0.2, 0.5, 0.8], n=5, length=100)
    assert scaled_add(x, key=SELECT)[0] == scaled_add(x[0], key=SELECT)
    copies = rows([0.4] * 3, n=5, length=100)
    assert bernstein(copies, COEFFICIENTS, key=WEIGHT)[0] == bernstein(
        copies[0], COEFFICIENTS, key=WEIGHT
    )


def test_stack_puts_streams_side_by_side_and_broadcasts():
    x, y = rows(0.3, n=4, length=70), rows(0.6, n=1, length=70)[0]
    both = stack([x, y])
    assert both.shape == (4, 2)
    assert both[:, 0] == x
    assert all(both[i, 1] == y for i in range(4))
    assert np.array_equal(popcount_add(both), x.bits() + y.bits())


# --- exact products

LENGTHS = {
    "division": [(1, 1), (8, 8), (5, 12), (12, 5), (6, 4), (1, 7), (70, 130)],
    "rotation": [(1, 1), (2, 2), (8, 8), (67, 67)],
    "coprime": [(1, 1), (1, 7), (8, 7), (5, 12), (63, 64), (65, 64)],
}


@pytest.mark.parametrize("method", LENGTHS)
def test_an_exact_product_has_the_product_of_the_counts(method):
    rng = np.random.default_rng(1)
    for n, m in LENGTHS[method]:
        x = Bitstream.from_bits(rng.integers(0, 2, (3, 1, n)))
        w = Bitstream.from_bits(rng.integers(0, 2, (4, m)))
        z = exact_product(x, w, method)
        assert z.length == n * m
        assert np.array_equal(z.counts(), x.counts() * w.counts()), (n, m)


@pytest.mark.parametrize("method", LENGTHS)
def test_an_exact_product_equals_its_circuit_run_step_by_step(method):
    rng = np.random.default_rng(2)
    for n, m in LENGTHS[method]:
        x, w = rng.integers(0, 2, n), rng.integers(0, 2, m)
        t = np.arange(n * m)
        second = {"division": t // n, "rotation": (t - t // n) % m, "coprime": t % m}[method]
        expected = x[t % n] & w[second]
        z = exact_product(Bitstream.from_bits(x), Bitstream.from_bits(w), method)
        assert np.array_equal(z.bits(), expected), (n, m)


@pytest.mark.parametrize(("method", "m"), [("division", 2048), ("rotation", 2048), ("coprime", 2047)])
def test_an_exact_product_of_four_million_steps_is_exact(method, m):
    x, w = encode(0.37, 2048, key=KEY), encode(0.81, m, key=WEIGHT)
    assert exact_product(x, w, method).counts() == x.counts() * w.counts()


# --- Bernstein polynomials


@given(st.integers(1, 140).flatmap(lambda n: st.tuples(streams((2, 4), n), streams((5,), n))))
def test_the_number_of_ones_among_the_copies_chooses_the_coefficient(pair):
    x, b = pair
    chosen = np.take_along_axis(b.bits()[None], x.bits().sum(axis=1)[:, None, :].astype(int), axis=1)
    assert np.array_equal(bernstein(x, b).bits(), chosen[:, 0])


@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_a_bernstein_polynomial_has_its_value_and_the_binomial_variance(p):
    value = float(bernstein_value(p, COEFFICIENTS))
    out = bernstein(rows([p] * 3), COEFFICIENTS, key=WEIGHT)
    assert has_law(out.probability(), value, value * (1 - value) / LENGTH)


def test_coefficients_can_be_correlated_streams():
    value = float(bernstein_value(0.4, COEFFICIENTS))
    b = encode(np.tile(COEFFICIENTS, (ROWS, 1)), LENGTH, key=WEIGHT, streams=np.arange(ROWS)[:, None])
    out = bernstein(rows([0.4] * 3), b)
    assert has_law(out.probability(), value, value * (1 - value) / LENGTH)


def test_each_row_has_the_polynomial_of_its_own_coefficients():
    b = np.array([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]])
    out = bernstein(encode([0.3], 2**16, key=KEY), b, key=WEIGHT)
    assert out.shape == (3,)
    p = np.array([0.3, 0.7, 0.5])
    assert (abs(out.probability() - p) <= 5 * np.sqrt(p * (1 - p) / 2**16)).all()


def test_the_value_of_a_bernstein_polynomial_is_the_binomial_sum():
    x = np.linspace(0, 1, 21).reshape(3, 7)
    for b in ([0.3], [0.2, 0.9], COEFFICIENTS):
        n = len(b) - 1
        terms = (b_i * comb(n, i) * x**i * (1 - x) ** (n - i) for i, b_i in enumerate(b))
        expected = sum(terms)
        assert bernstein_value(x, b) == pytest.approx(expected, abs=1e-14)


def test_the_example_polynomial_equals_its_power_form():
    # 1/4 + 9/8 x - 15/8 x**2 + 5/4 x**3
    x = np.linspace(0, 1, 11)
    power = 0.25 + 1.125 * x - 1.875 * x**2 + 1.25 * x**3
    assert bernstein_value(x, COEFFICIENTS) == pytest.approx(power, abs=1e-14)


def test_the_fit_of_a_polynomial_returns_its_coefficients():
    fitted = bernstein_fit(lambda x: bernstein_value(x, COEFFICIENTS), 3)
    assert fitted == pytest.approx(COEFFICIENTS, abs=1e-10)
    raised = bernstein_fit(lambda x: x**2, 4)
    assert raised == pytest.approx([i * (i - 1) / 12 for i in range(5)], abs=1e-9)


def test_the_fit_of_gamma_correction_has_the_published_coefficients():
    # Qian et al. 2011, to the four published digits.
    published = [0.0955, 0.7207, 0.3476, 0.9988, 0.7017, 0.9695, 0.9939]
    assert bernstein_fit(lambda x: x**0.45, 6) == pytest.approx(published, abs=5.1e-5)


@pytest.mark.parametrize(
    ("function", "degree", "worst"),
    [
        (lambda x: x**0.45, 6, 0.1),
        (lambda x: (1 + np.tanh(4 * (x - 0.5))) / 2, 6, 0.02),
        (lambda x: np.exp(-2 * x), 4, 0.001),
    ],
    ids=["gamma correction", "tanh", "exp"],
)
def test_a_fit_is_the_least_squares_optimum_within_its_bounds(function, degree, worst):
    b = bernstein_fit(function, degree)
    assert b.shape == (degree + 1,)
    assert ((b >= 0) & (b <= 1)).all()
    x = np.linspace(0, 1, 1001)
    assert abs(bernstein_value(x, b) - function(x)).max() < worst

    def squares(c):
        # The midpoint rule is independent of the quadrature of the fit.
        points = (np.arange(4000) + 0.5) / 4000
        return ((bernstein_value(points, c) - function(points)) ** 2).mean()

    rng = np.random.default_rng(3)
    for scale in (1e-1, 1e-2):
        for _ in range(20):
            near = np.clip(b + scale * rng.standard_normal(degree + 1), 0, 1)
            assert squares(b) <= squares(near)


@pytest.mark.parametrize("degree", [6, 20])
def test_a_fit_satisfies_the_optimality_conditions(degree):
    # The Karush-Kuhn-Tucker conditions are sufficient for a convex problem.
    b = bernstein_fit(lambda x: x**0.45, degree)
    nodes, masses = np.polynomial.legendre.leggauss(256)
    x = (nodes + 1) / 2
    residual = masses * (bernstein_value(x, b) - x**0.45)
    slope = np.array([residual @ bernstein_value(x, e) for e in np.eye(degree + 1)])
    assert (slope[b < 1] >= -1e-12).all()
    assert (slope[b > 0] <= 1e-12).all()


def test_a_fit_of_a_function_outside_the_bounds_is_clipped_to_them():
    assert bernstein_fit(lambda x: 1 + x, 3) == pytest.approx(1)
    assert bernstein_fit(lambda x: -x, 3) == pytest.approx(0)


def test_a_fit_without_scipy_names_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    message = _checks.missing_extra("bernstein_fit", "SciPy", "fit")
    with pytest.raises(ImportError, match=f"^{re.escape(message)}$"):
        bernstein_fit(np.sqrt, 3)


def test_selects_and_coefficients_come_from_the_given_source():
    length = 4096
    x = encode([0.2, 0.9], length, key=KEY, source=Sobol(), streams=[0, 1])
    total = scaled_add(x, key=KEY, weights=[0.25, 0.75], source=Sobol(2))
    assert abs(float(total.probability()) - 0.725) < 0.002
    copies = encode([0.3] * 3, length, key=KEY, source=Sobol(), streams=[0, 1, 2])
    b = [0.25, 0.625, 0.375, 0.75]
    value = bernstein(copies, b, key=KEY, source=Sobol(3)).probability()
    assert abs(float(value) - float(bernstein_value(0.3, b))) < 0.005


@pytest.mark.parametrize("length", [1, 64, 100, 300])
def test_a_dot_product_is_the_sum_of_the_products_over_inputs_and_time(length):
    rng = np.random.default_rng(length)
    x, w = encode(rng.random((3, 2, 7)), length, key=11), encode(rng.random((5, 7)), length, key=12)
    products = x[:, :, None].bits().astype(int) & w.bits()
    assert np.array_equal(dot(x, w), products.sum(axis=(-2, -1)))
    assert dot(x[1, 1], w[3]) == products[1, 1, 3].sum()
    assert np.array_equal(dot(x, w[2]), products[:, :, 2].sum(axis=(-2, -1)))


def test_sums_of_products_over_an_empty_batch_are_empty():
    x, w = Bitstream.from_bits(np.ones((0, 2, 8))), Bitstream.from_bits(np.ones((3, 2, 8)))
    assert dot(x, w).shape == (0, 3)
    for accumulate in ("mean", "sum", "or"):
        assert current_trace(x, w, accumulate=accumulate).shape == (0, 3, 8)
        assert current_trace(w, w[:0], accumulate=accumulate).shape == (3, 0, 8)
