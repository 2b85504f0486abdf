"""A source written outside the package: the example in the docstring of `Source`."""

from dataclasses import dataclass

import numpy as np
import pytest

from sc_neurocore import (
    Bernoulli,
    Dense,
    Network,
    PeriodWarning,
    Sobol,
    Source,
    encode,
    encode_pair,
    simulate,
    simulate_float,
)
from sc_neurocore.streams import operands

KEY = 0x123456789ABCDEF0


class SplitMix(Source):
    levels, period, roots = 2**16, None, frozenset()

    def _numbers(self, key, streams, first, length):
        t = np.arange(first + 1, first + length + 1, dtype=np.uint64)
        z = streams[:, np.newaxis] * 0xD1342543DE82EF95 + key + t * 0x9E3779B97F4A7C15
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9
        z = (z ^ z >> 27) * 0x94D049BB133111EB
        return (z >> 48).astype(np.uint32)


@dataclass(frozen=True)
class Stairs(Source):
    """A counter that defines nothing but what it must; all streams share its one sequence."""

    period: int = 16

    @property
    def levels(self):
        return self.period

    def _numbers(self, key, streams, first, length):
        t = np.arange(first, first + length) % self.period
        return np.tile(t, (len(streams), 1)).astype(np.uint32)


class RisingStairs(Stairs):
    def rise(self, streams):
        return self.period


def test_it_encodes_densities_within_five_sigma():
    p, length = np.array([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]), 2**16
    densities = encode(p, length, key=KEY, source=SplitMix()).probability()
    assert (np.abs(densities - p) <= 5 * np.sqrt(p * (1 - p) / length)).all()


def test_its_products_are_those_of_independent_streams():
    p, q, length = np.array([0.3, 0.5, 0.9]), np.array([0.7, 0.5, 0.2]), 2**16
    x, w = encode_pair(p, q, length, key=KEY, source=SplitMix())
    z = p * q
    assert (np.abs((x & w).probability() - z) <= 5 * np.sqrt(z * (1 - z) / length)).all()


@pytest.mark.parametrize("length", [1, 63, 64, 65, 300])
@pytest.mark.parametrize("first_word", [0, 1, 7])
@pytest.mark.parametrize("rows", [(), (3,), (2, 3)])
def test_words_are_the_numbers_below_the_thresholds(length, first_word, rows):
    source, streams = SplitMix(), np.array([0, 5, 5, 2**40 + 1], np.uint64)
    thresholds = source.thresholds(np.random.default_rng(0).random((*rows, 4)))
    words = source.words(thresholds, streams, length, key=KEY, first_word=first_word)
    assert words.shape == (*rows, 4, -(-length // 64))
    numbers = source.numbers(streams, length, key=KEY, first=64 * first_word)
    expected = numbers < thresholds[..., np.newaxis]
    octets = words.view(np.uint8)
    assert np.array_equal(np.unpackbits(octets, axis=-1, count=length, bitorder="little"), expected)
    assert not np.unpackbits(octets, axis=-1, bitorder="little")[..., length:].any()


def test_long_streams_are_made_in_blocks(monkeypatch):
    source, streams = SplitMix(), np.arange(3)
    thresholds = source.thresholds(np.array([0.2, 0.5, 0.8]))
    at_once = source.words(thresholds, streams, 1000, key=KEY)
    monkeypatch.setattr("sc_neurocore.streams.source._BLOCK_NUMBERS", 64 * 3 * 2)
    assert np.array_equal(source.words(thresholds, streams, 1000, key=KEY), at_once)


def test_a_network_of_two_layers_runs_on_it():
    rng = np.random.default_rng(0)
    network = Network(
        [Dense(rng.uniform(0, 1, (20, 64)), gain=0.1), Dense(rng.uniform(0, 1, (4, 20)), gain=0.5)]
    )
    x, length = rng.random(64), 4096
    counts = simulate(network, x, length, seed=1, source=SplitMix()).counts
    assert np.array_equal(counts, simulate(network, x, length, seed=1, source=SplitMix()).counts)
    assert not np.array_equal(counts, simulate(network, x, length, seed=2, source=SplitMix()).counts)
    bernoulli = simulate(network, x, length, seed=1).counts
    real = simulate_float(network, x, length).counts
    assert (real > 100).all()
    assert np.abs(counts - real).max() < 0.1 * real.max()
    assert np.abs(bernoulli - real).max() < 0.1 * real.max()  # as near as the package's own source


def test_a_source_without_roots_is_one_sequence():
    assert Stairs().roots == {Stairs}
    with pytest.raises(ValueError) as caught:
        Stairs().pair()
    assert str(caught.value) == (
        "source must have 2 independent sequences, got Stairs(period=16), which has one; Sobol(), "
        "Hammersley() and Bernoulli() have more, and a tuple gives each operand its own source"
    )
    with pytest.raises(ValueError, match="give the operands different numbers"):
        operands((Stairs(8), Stairs(16)))


def test_a_source_without_roots_is_one_operand_beside_another():
    x, w = encode_pair(0.5, 0.25, 1600, key=KEY, source=(Stairs(), Bernoulli()))
    assert x.counts() == 800
    assert abs(float((x & w).probability()) - 0.125) <= 5 * np.sqrt(0.125 * 0.875 / 1600)
    assert operands((Stairs(), Sobol(1))) == (Stairs(), Sobol(1))
    assert Stairs().sequences(1) == (Stairs(),)


def test_a_source_without_parameters_needs_no_repr():
    assert repr(SplitMix()) == "SplitMix()"


def test_a_source_that_rises_warns():
    encode(0.5, 10, key=KEY, source=Stairs())  # it does not say that it rises
    with pytest.warns(PeriodWarning, match=r"RisingStairs\.for_length\(10\)$"):
        encode(0.5, 10, key=KEY, source=RisingStairs())


@pytest.mark.parametrize("missing", ["levels", "period", "_numbers"])
def test_what_must_be_defined_must_be_defined(missing):
    members = {"levels": 4, "period": 4, "_numbers": SplitMix._numbers}
    del members[missing]
    with pytest.raises(TypeError, match=missing):
        type("Incomplete", (Source,), members)()


@pytest.mark.parametrize(
    "value", [np.zeros((1, 8)), np.zeros(8, np.uint32), np.full((1, 8), 9, np.uint32)]
)
def test_what_numbers_returns_is_checked(value):
    class Wrong(Stairs):
        levels = 8

        def _numbers(self, key, streams, first, length):
            return value

    with pytest.raises((TypeError, ValueError), match=r"Wrong\._numbers must return"):
        encode([0.5], 8, key=KEY, source=Wrong())
