import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sc_neurocore import Bitstream, Role, _native, encode, scc, stream_key
from sc_neurocore.streams import autocorrelation, correlation, effective_length, phi, scc_matrix, zce

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


@pytest.mark.parametrize("single", [False, True])
def test_counts_above_2_to_the_32_do_not_overflow(monkeypatch, single):
    streams = Bitstream.from_bits(np.random.default_rng(0).random((2, 6, 100)) < 0.9)
    x, y = (s[0] if single else s for s in streams)
    expected = scc(x, y), phi(x, y)
    long = tuple(np.asarray(counts) << 32 for counts in correlation._counts(x, y)[:3])
    monkeypatch.setattr(correlation, "_counts", lambda x, y: (*long, x.length << 32))
    for measured, of_short in zip((scc(x, y), phi(x, y)), expected, strict=True):
        assert np.allclose(measured, of_short, rtol=1e-12, atol=0)
        assert measured.shape == x.shape
        assert measured.dtype == np.float64


def test_measures_of_counts_near_the_limit_of_int64_are_exact():
    for length in (2**31, 2**31 + 1, 2**33, 2**38):
        a, b = np.array([length - 1, length // 2]), np.array([length - 2, length // 2 + 1])
        assert np.array_equal(correlation._scc(np.minimum(a, b), a, b, length), [1, 1])
        assert np.array_equal(correlation._scc(np.maximum(a + b - length, 0), a, b, length), [-1, -1])


@pytest.mark.parametrize("block", [1, 7, 50, 2**20])
@pytest.mark.parametrize("n", [1, 2, 9])
def test_a_matrix_is_made_block_by_block_from_scc(monkeypatch, block, n):
    monkeypatch.setattr("sc_neurocore.streams.correlation._MATRIX_BLOCK", block)
    bits = np.random.default_rng(n).random((n, 130)) < np.linspace(0, 1, n)[:, np.newaxis]
    streams = Bitstream.from_bits(bits)
    expected = scc(streams[:, None], streams[None, :])
    assert np.array_equal(scc_matrix(streams), expected, equal_nan=True)
    assert np.array_equal(scc_matrix(streams[::-1]), expected[::-1, ::-1], equal_nan=True)


def test_a_matrix_of_no_streams_is_empty():
    assert scc_matrix(Bitstream.from_bits(np.empty((0, 70), np.uint8))).shape == (0, 0)


def test_a_matrix_of_many_streams_needs_little_more_memory_than_its_result(monkeypatch):
    sizes = []
    dot = _native.dot
    monkeypatch.setattr(
        "sc_neurocore._native.dot", lambda x, w: sizes.append(len(x) * len(w)) or dot(x, w)
    )
    n = 3000
    scc_matrix(encode(np.full(n, 0.5), 64, key=KEY))
    assert sum(sizes) == n * n
    assert max(sizes) <= 2**20
