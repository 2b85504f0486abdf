from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sc_neurocore import (
    Bipolar,
    Bitstream,
    Hammersley,
    Role,
    SignMagnitude,
    TwoLine,
    Unipolar,
    encode,
    stream_key,
)

KEY, WEIGHT = stream_key(11, Role.INPUT), stream_key(11, Role.WEIGHT)
SELECT = stream_key(11, Role.SELECT)
ROWS, LENGTH = 2000, 256
CODINGS = [Unipolar, Bipolar, SignMagnitude, TwoLine]
SIGNED = CODINGS[1:]
# Variance of the value times the length of its stream.
LAW = {
    Unipolar: lambda x: x * (1 - x),
    Bipolar: lambda x: 1 - x**2,
    SignMagnitude: lambda x: abs(x) * (1 - abs(x)),
    TwoLine: lambda x: abs(x) * (1 - abs(x)),
}
VALUES = [-1.0, -0.6, 0.0, 0.3, 1.0]

bits = st.integers(1, 150).flatmap(
    lambda n: hnp.arrays(np.uint8, (4, 3, n), elements=st.integers(0, 1)).map(Bitstream.from_bits)
)


def values_of(coding):
    return [x for x in VALUES if x >= 0 or coding in SIGNED]


def has_law(values, mean, variance):
    """Return whether mean and variance over rows are within five standard errors of the expected."""
    n = len(values)
    if variance == 0:
        return (values == mean).all()
    close = abs(values.mean() - mean) <= 5 * np.sqrt(variance / n)
    return close and abs(values.var() / variance - 1) <= 5 * np.sqrt(2.1 / n)


def coded(coding, x, key=KEY):
    return coding.encode(np.full(ROWS, x), LENGTH, key=key)


def example(coding, streams):
    """Return a value of the coding with the given bits, of batch shape (3,)."""
    return {
        Unipolar: lambda: Unipolar(streams[0]),
        Bipolar: lambda: Bipolar(streams[0]),
        SignMagnitude: lambda: SignMagnitude(streams[0], streams[1].bits()[:, 0]),
        TwoLine: lambda: TwoLine(streams[0], streams[1]),
    }[coding]()


def digits(x):
    """Return the digit of each step of a two-line value."""
    return x.plus.bits().astype(int) - x.minus.bits()


@pytest.mark.parametrize("coding", CODINGS)
def test_an_encoded_value_has_its_mean_and_the_variance_of_its_law(coding):
    for x in values_of(coding):
        assert has_law(coded(coding, x).value(), x, LAW[coding](x) / LENGTH), x


@pytest.mark.parametrize("coding", CODINGS)
def test_a_product_has_its_mean_and_the_variance_of_its_law(coding):
    for x, y in product(values_of(coding), [*values_of(coding), 0.9]):
        z = coded(coding, x) * coded(coding, y, WEIGHT)
        assert isinstance(z, coding)
        assert z.length == LENGTH
        assert has_law(z.value(), x * y, LAW[coding](x * y) / LENGTH), (x, y)


@pytest.mark.parametrize("coding", CODINGS)
def test_the_standard_error_is_the_law_at_the_measured_value(coding):
    for x in values_of(coding):
        for z in (coded(coding, x), coded(coding, x) * coded(coding, 0.8, WEIGHT)):
            law = np.sqrt(LAW[coding](z.value()) / LENGTH)
            assert z.standard_error() == pytest.approx(law, abs=1e-12)


@given(bits)
def test_values_follow_from_the_counts(streams):
    p, q = streams.probability()[:2]
    assert np.array_equal(Unipolar(streams[0]).value(), p)
    assert Bipolar(streams[0]).value() == pytest.approx(2 * p - 1, abs=1e-12)
    assert TwoLine(streams[0], streams[1]).value() == pytest.approx(p - q, abs=1e-12)
    signs = np.array([1, -1, 1])
    assert np.array_equal(SignMagnitude(streams[0], signs < 0).value(), signs * p)


@pytest.mark.parametrize("coding", SIGNED)
@given(bits)
def test_negation_is_exact_and_its_own_inverse(coding, streams):
    x = example(coding, streams)
    assert (-x).value() == pytest.approx(-x.value(), abs=1e-15)
    negative = -x
    assert np.array_equal((-negative).value(), x.value())
    assert (-x).standard_error() == pytest.approx(x.standard_error(), abs=1e-15)


@pytest.mark.parametrize("coding", SIGNED)
@given(bits)
def test_the_sign_of_a_factor_is_that_of_the_product(coding, streams):
    x, y = example(coding, streams), example(coding, streams[2:])
    assert np.array_equal((-x * y).value(), (-(x * y)).value())
    assert np.array_equal((x * -y).value(), (-(x * y)).value())
    assert np.array_equal((-x * -y).value(), (x * y).value())


@pytest.mark.parametrize("coding", CODINGS)
@given(bits)
def test_one_is_the_neutral_factor(coding, streams):
    x = example(coding, streams)
    one = coding.encode(1.0, x.length, key=KEY)
    assert np.array_equal((x * one).value(), x.value())
    assert np.array_equal((one * x).value(), x.value())


@given(bits)
def test_two_line_products_multiply_the_digits_of_every_step_in_all_16_cases(streams):
    x, y = TwoLine(streams[0], streams[1]), TwoLine(streams[2], streams[3])
    assert np.array_equal(digits(x * y), digits(x) * digits(y))
    a, b = np.array(list(product([0, 1], repeat=4))).T.reshape(2, 2, 16)
    x, y = (TwoLine(*map(Bitstream.from_bits, lines)) for lines in (a, b))
    assert np.array_equal(digits(x * y), (a[0] - a[1]) * (b[0] - b[1]))


@pytest.mark.parametrize("overlap", [False, True])
def test_two_line_errors_are_those_of_the_active_steps(overlap):
    # Lines that share numbers differ in the fewest steps, independent lines in more.
    def lines(p, q, key):
        numbers = np.arange(ROWS)[:, None] * 2 + ([0, 0] if overlap else [0, 1])
        s = encode(np.broadcast_to([p, q], (ROWS, 2)), LENGTH, key=key, streams=numbers)
        activity = abs(p - q) if overlap else p + q - 2 * p * q
        return TwoLine(s[:, 0], s[:, 1]), p - q, activity

    (x, x_value, e_x), (y, y_value, e_y) = lines(0.8, 0.3, KEY), lines(0.2, 0.9, WEIGHT)
    assert has_law(x.value(), x_value, (e_x - x_value**2) / LENGTH)
    z = x_value * y_value
    variance = (e_x * e_y - z**2) / LENGTH
    assert has_law((x * y).value(), z, variance)
    assert (x * y).standard_error().mean() == pytest.approx(np.sqrt(variance), rel=0.01)


# --- conversions


@given(bits)
def test_conversions_without_a_key_keep_the_value_exactly(streams):
    u, b, s, _ = (example(coding, streams) for coding in CODINGS)
    for x, converted in [
        (u, u.to_sign_magnitude()),
        (u, u.to_two_line()),
        (b, b.to_two_line()),
        (s, s.to_two_line()),
    ]:
        assert converted.value() == pytest.approx(x.value(), abs=1e-15)
        assert converted.standard_error() == pytest.approx(x.standard_error(), abs=1e-9)


def test_conversions_by_wires_commute_with_products():
    for coding, x, y in [(SignMagnitude, -0.7, 0.4), (Bipolar, -0.7, -0.4), (Unipolar, 0.7, 0.4)]:
        a, b = coded(coding, x), coded(coding, y, WEIGHT)
        once, twice = (a * b).to_two_line(), a.to_two_line() * b.to_two_line()
        assert once.plus == twice.plus
        assert once.minus == twice.minus


@given(bits)
def test_conversions_to_bipolar_lose_at_most_one_step(streams):
    plus, minus = streams[0], streams[1]
    for x in (Unipolar(plus), SignMagnitude(plus, [True, False, True]), TwoLine(plus, minus)):
        lost = (x.value() - x.to_bipolar().value()) * plus.length
        assert np.array_equal(np.rint(lost), lost.round(9))
        assert set(np.rint(lost).tolist()) <= {0, 1}


def test_a_bipolar_value_survives_conversion_to_two_lines_and_back():
    x = coded(Bipolar, -0.3)
    assert x.to_two_line().to_bipolar().stream == x.stream


def test_counting_and_encoding_again_keeps_the_mean_and_adds_a_variance():
    x = 0.6
    first = coded(Bipolar, x)
    again = SignMagnitude.encode(first.value(), LENGTH, key=WEIGHT)
    variance = (1 - x**2) / LENGTH
    assert has_law(again.value(), x, variance + (x * (1 - x) - variance) / LENGTH)


def test_only_conversions_without_counting_have_a_method():
    names = {Unipolar: "unipolar", Bipolar: "bipolar", SignMagnitude: "sign_magnitude"}
    names[TwoLine] = "two_line"
    has = {(a, b) for a, b in product(CODINGS, CODINGS) if hasattr(a, f"to_{names[b]}")}
    count = {(SignMagnitude, Unipolar), (Bipolar, SignMagnitude), (TwoLine, SignMagnitude)}
    assert has == {(a, b) for a, b in product(CODINGS, CODINGS) if a is not b} - count


def test_one_line_of_an_encoded_value_is_silent():
    x = TwoLine.encode(np.linspace(-1, 1, 21), LENGTH, key=KEY)
    assert (np.minimum(x.plus.counts(), x.minus.counts()) == 0).all()


def test_values_outside_the_range_are_clipped():
    for coding in CODINGS:
        with pytest.warns(UserWarning, match="outside .* and saturate"):
            x = coding.encode([-5.0, 5.0], LENGTH, key=KEY)
        assert x.value().tolist() == [-1.0 if coding in SIGNED else 0.0, 1.0]


def test_streams_are_passed_on_to_encode():
    for coding in CODINGS:
        x = coding.encode([0.4, 0.4], LENGTH, key=KEY, streams=7)
        first, second = x.value()
        assert first == second
        assert coding.encode([0.4, 0.4], LENGTH, key=KEY).value().std() > 0


def test_batches_broadcast():
    for coding in CODINGS:
        x = coding.encode(np.full((3, 1), 0.5), LENGTH, key=KEY)
        y = coding.encode(np.full(4, 0.5), LENGTH, key=WEIGHT)
        z = (x * y).value()
        assert z.shape == (x * y).standard_error().shape == (3, 4)
        single = coding.encode(0.5, LENGTH, key=KEY) * coding.encode(0.5, LENGTH, key=WEIGHT)
        assert z[0, 0] == single.value()


def test_zero_with_a_negative_sign_is_not_minus_zero():
    zero = SignMagnitude(encode(0.0, LENGTH, key=KEY), True)
    assert not np.signbit(zero.value())


@pytest.mark.parametrize("coding", CODINGS)
def test_codings_accept_the_sources_of_a_pair(coding):
    x, w = np.array([0.3, 0.8, 0.55]), np.array([0.6, 0.9, 0.2])
    of_x, of_w = Hammersley(12, randomized=False).pair()
    a = coding.encode(x, 4096, key=1, source=of_x, streams=0)
    b = coding.encode(w, 4096, key=2, source=of_w, streams=0)
    # Far below the error of Bernoulli streams, 0.01.
    assert np.abs((a * b).value() - x * w).max() < 0.0015


@pytest.mark.parametrize("coding", CODINGS)
def test_a_batch_of_values_is_indexed_like_its_streams(coding):
    x = coding.encode([[0.1, 0.5], [0.9, 0.3], [0.7, 0.2]], LENGTH, key=KEY)
    assert x.shape == (3, 2)
    assert np.array_equal(x[1:, 0].value(), x.value()[1:, 0])
    assert x[0, 1].shape == ()
    assert repr(x[0, 1]) == f"{coding.__name__}(length=256, x={x[0, 1].value():.3g})"
    assert repr(x).startswith(f"{coding.__name__}(shape=(3, 2), length=256, x=[[")
