import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sc_neurocore import (
    Bitstream,
    Role,
    autocorrelation,
    effective_length,
    encode,
    phi,
    scc,
    scc_matrix,
    stream_key,
    zce,
)

KEY = stream_key(3, Role.INPUT)
pairs = st.integers(1, 150).flatmap(
    lambda n: hnp.arrays(np.uint8, (2, n), elements=st.integers(0, 1)).map(Bitstream.from_bits)
)


@given(pairs)
def test_scc_gives_the_and_of_two_streams_back(pair):
    x, y = pair
    p, q, s = float(x.probability()), float(y.probability()), float(scc(x, y))
    if p in (0, 1) or q in (0, 1):
        assert np.isnan(s)
        return
    assert -1 <= s <= 1
    extreme = min(p, q) if s >= 0 else max(0.0, p + q - 1)
    expected = (1 - abs(s)) * p * q + abs(s) * extreme
    assert float((x & y).probability()) == pytest.approx(expected, abs=1e-12)


@given(pairs)
def test_scc_and_phi_are_symmetric_and_change_sign_with_a_complement(pair):
    x, y = pair
    for measure in (scc, phi):
        assert np.array_equal(measure(x, y), measure(y, x), equal_nan=True)
        # The extremes of x & ~y are those of x & y, mirrored.
        assert measure(x, ~y) == pytest.approx(-measure(x, y), nan_ok=True)


@given(pairs)
def test_phi_is_the_correlation_of_the_bits(pair):
    x, y = pair.bits().astype(float)
    constant = x.std() == 0 or y.std() == 0
    expected = np.nan if constant else np.corrcoef(x, y)[0, 1]
    assert float(phi(*pair)) == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_streams_of_one_number_have_scc_1_and_complements_minus_1():
    same = encode([0.3, 0.7], 1000, key=KEY, streams=5)
    assert scc(same[0], same[1]) == 1
    assert scc(same[0], ~same[1]) == -1


def test_independent_streams_have_scc_0_within_five_sigma():
    length, n = 2**14, 40
    s = scc_matrix(encode(np.full(n, 0.5), length, key=KEY))
    assert np.array_equal(np.diag(s), np.ones(n))
    off = s[np.triu_indices(n, 1)]
    # At p = q = 1/2 SCC is 4 d, and d has the variance p q (1 - p) (1 - q) / L = 1 / (16 L).
    assert np.abs(off).max() <= 5 / np.sqrt(length)
    assert abs(off.std() * np.sqrt(length) - 1) <= 5 / np.sqrt(2 * len(off))


@given(pairs)
def test_zce_is_zero_for_the_best_product_and_is_the_excess_elsewhere(pair):
    x, y = pair
    n, both = x.length, int((x & y).counts())
    product = int(x.counts()) * int(y.counts()) / n
    best = abs(np.rint(product) - product)
    assert abs(float(zce(x, y))) == pytest.approx(abs(abs(both - product) - best) / n, abs=1e-12)
    if both == np.rint(product):
        assert float(zce(x, y)) == pytest.approx(0, abs=1e-12)


def test_autocorrelation_of_a_white_stream_is_0_within_five_sigma():
    length, n, lags = 2**14, 30, 10
    rho = autocorrelation(encode(np.full(n, 0.3), length, key=KEY), lags)
    assert rho.shape == (n, lags + 1)
    assert rho[:, 0] == pytest.approx(1)
    assert np.abs(rho[:, 1:]).max() <= 5 / np.sqrt(length)


def test_autocorrelation_of_an_alternating_stream_alternates():
    n = 200
    rho = autocorrelation(Bitstream.from_bits(np.arange(n) % 2), 4)
    assert rho == pytest.approx([(-1) ** k * (1 - k / n) for k in range(5)])
    assert np.isnan(autocorrelation(Bitstream.from_bits(np.ones(9)), 2)).all()


def test_effective_length_predicts_the_spread_of_densities_of_repeated_bits():
    # Each bit three times: the density is that of a third as many independent bits.
    n, length = 2000, 999
    repeated = np.repeat(encode(np.full(n, 0.4), length // 3, key=KEY).bits(), 3, axis=1)
    streams = Bitstream.from_bits(repeated)
    predicted = effective_length(streams, 2).mean()
    assert predicted == pytest.approx(length / 3, rel=0.02)
    variance = streams.probability().var()
    assert abs(variance / (0.24 / (length / 3)) - 1) <= 5 * np.sqrt(2 / n)
