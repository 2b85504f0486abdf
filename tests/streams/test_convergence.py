# ruff: noqa: E501
"""Progressive error, normalized stability and streaming accuracy."""

import itertools

import numpy as np
import pytest
from error_table import test_of

from sc_neurocore import Bernoulli, Bitstream, Sobol, encode
from sc_neurocore.streams import (
    convergence,
    normalized_stability,
    progressive_error,
    streaming_accuracy,
)


def every(length):
    return Bitstream.from_bits(list(itertools.product([0, 1], repeat=length)))


def prefixes(bits, p):
    """The errors by their definition, one prefix after another."""
    return [abs(sum(bits[:t]) / t - p) for t in range(1, len(bits) + 1)]


def test_errors_are_those_of_the_prefixes():
    x = encode(np.random.default_rng(0).random((3, 4)), 130, key=1)
    p = np.linspace(0, 1, 4)
    found = progressive_error(x, p)
    assert found.shape == (3, 4, 130)
    for i, j in np.ndindex(3, 4):
        bits = x[i, j].bits().tolist()
        assert np.abs(found[i, j]).tolist() == prefixes(bits, p[j])
    assert (progressive_error(x)[..., -1] == 0).all()


def test_the_progressive_error_of_bernoulli_streams_has_its_variance():
    n, p = 20_000, 0.3
    found = progressive_error(encode(np.full(n, p), 64, key=1), p)
    variance = p * (1 - p) / np.arange(1, 65)
    assert (np.abs(found.mean(axis=0)) <= 5 * np.sqrt(variance / n)).all()
    squares = found**2
    assert (np.abs(squares.mean(axis=0) - variance) <= 5 * squares.std(axis=0) / np.sqrt(n)).all()


def unstable_until(bits, p, threshold):
    """The last step whose error exceeds the threshold, or 1."""
    errors = prefixes(bits, p)
    return max([t for t, e in enumerate(errors, 1) if e > threshold + 1e-15], default=1)


@pytest.mark.parametrize("threshold", [0.02, 0.1, 0.2])
@pytest.mark.parametrize("p", [0.0, 0.3, 0.5, 7 / 9])
def test_stability_is_relative_to_the_best_of_all_streams(p, threshold):
    length = 9
    x = every(length)
    last = np.array([unstable_until(bits, p, threshold) for bits in x.bits().tolist()])
    stability = 1 - last / length
    found = normalized_stability(x, p, threshold=threshold)
    if stability.max() == 0:
        assert np.isnan(found).all()
    else:
        assert found == pytest.approx(stability / stability.max(), abs=1e-12)
        assert found.max() == 1


def test_streaming_accuracy_is_1_for_the_best_of_the_streams_with_as_many_ones():
    length = 10
    x = every(length)
    found, ones = streaming_accuracy(x), x.counts()
    for k in range(length + 1):
        own = ones == k
        mean = np.array([np.mean(prefixes(bits, k / length)) for bits in x[own].bits().tolist()])
        assert found[own] == pytest.approx(1 - (mean - mean.min()), abs=1e-12)
        assert found[own].max() == pytest.approx(1, abs=1e-12)


def test_even_streams_converge_earlier(monkeypatch):
    p = np.random.default_rng(1).random((4, 50))
    results = []
    for source in (Bernoulli(), Sobol()):
        x = encode(p, 256, key=1, source=source)
        results.append((normalized_stability(x, p), streaming_accuracy(x), progressive_error(x, p)))
        monkeypatch.setattr(convergence, "_BLOCK", 1000)  # a few rows at a time: the same
        again = normalized_stability(x, p), streaming_accuracy(x), progressive_error(x, p)
        assert all((a == b).all() for a, b in zip(results[-1], again, strict=True))
    for bernoulli, sobol in list(zip(*results, strict=True))[:2]:
        assert sobol.mean() > bernoulli.mean()
    assert normalized_stability(encode(0.5, 100, key=1)).shape == ()


X = Bitstream.from_bits([[0, 1, 1]] * 2)

# fmt: off
test_messages = test_of([
    (lambda: progressive_error([0, 1]), TypeError, "x must be a Bitstream, got [0, 1]"),
    (lambda: progressive_error(X, 1.5), ValueError, "p must lie in [0.0, 1.0], got 1.5"),
    (lambda: progressive_error(X, [0.1, 0.2, 0.3]), ValueError, "p must broadcast to the batch shape (2,), got (3,)"),
    (lambda: normalized_stability(X, threshold=0), ValueError, "threshold must be greater than 0, got 0.0"),
    (lambda: streaming_accuracy(0), TypeError, "x must be a Bitstream, got 0"),
])
