# ruff: noqa: E501
"""Faults of streams and of stored weights: their laws, and the addresses of their random numbers."""

import numpy as np
import pytest
from error_table import test_of

from sc_neurocore import Bernoulli, Bitstream, Faults, Role, encode, stream_key
from sc_neurocore.streams import inject
from sc_neurocore.streams.faults import FaultyWires, upset

KEY = stream_key(1, Role.FAULT)
WIRES, LENGTH = 4000, 200
CASES = [
    Faults(flip=0.02),
    Faults(drop=0.1),
    Faults(stuck_at_0=0.05),
    Faults(stuck_at_1=0.05),
    Faults(flip=0.01, drop=0.05, stuck_at_0=0.1, stuck_at_1=0.2),
    Faults(stuck_at_0=0.4, stuck_at_1=0.6),
]


def law(faults, p, length):
    """Mean and variance of the density of a stream of density p, as the docstring states them."""
    kept, flip = 1 - faults.drop, faults.flip
    works = 1 - faults.stuck_at_0 - faults.stuck_at_1
    q = flip + (1 - 2 * flip) * kept * p
    a = flip + (1 - 2 * flip) * kept
    v = (p * a * (1 - a) + (1 - p) * flip * (1 - flip)) / length
    m = works * q + faults.stuck_at_1
    return m, works * (v + q**2) + faults.stuck_at_1 - m**2


@pytest.mark.parametrize("p", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("faults", CASES, ids=repr)
def test_means_and_variances_of_streams_with_faults_are_those_of_the_law(faults, p):
    ones = np.arange(LENGTH) < p * LENGTH
    x = Bitstream.from_bits(np.tile(ones, (WIRES, 1)))
    found = inject(x, faults, key=KEY).probability()
    mean, variance = law(faults, p, LENGTH)
    squares = (found - mean) ** 2
    assert abs(found.mean() - mean) <= 5 * np.sqrt(variance / WIRES) + 1e-9
    assert abs(squares.mean() - variance) <= 5 * squares.std() / np.sqrt(WIRES) + 1e-9


def test_drops_strike_ones_alone_and_stuck_wires_never_change():
    x = encode(np.full(500, 0.5), 300, key=1)
    dropped = inject(x, Faults(drop=0.3), key=KEY)
    assert (dropped & ~x).counts().sum() == 0
    stuck = inject(x, Faults(stuck_at_0=0.2, stuck_at_1=0.3), key=KEY)
    same = (stuck.words == x.words).all(axis=1)
    assert set(stuck.probability()[~same]) == {0.0, 1.0}
    assert inject(x, Faults(flip=1), key=KEY) == ~x
    assert inject(x, Faults(), key=KEY) == x


def test_faults_of_one_kind_include_those_at_smaller_rates():
    x = encode(np.full(50, 0.5), 1000, key=1)
    few, many = (inject(x, Faults(flip=rate), key=KEY) ^ x for rate in (0.01, 0.05))
    assert 0 < few.counts().sum() < many.counts().sum()
    assert (few & ~many).counts().sum() == 0


@pytest.mark.parametrize("faults", CASES, ids=repr)
def test_faults_depend_on_the_wire_and_the_time_step_alone(faults, threads, isa):
    x = encode(np.linspace(0, 1, 12).reshape(3, 4), 777, key=1)
    whole = inject(x, faults, key=KEY)
    numbers = np.arange(12).reshape(3, 4)
    parts = [inject(x[i], faults, key=KEY, streams=numbers[i]) for i in range(3)]
    assert all(part == whole[i] for i, part in enumerate(parts))
    shared = inject(x, faults, key=KEY, streams=numbers[1])
    assert shared[1] == whole[1]
    assert shared[0] == inject(x[0], faults, key=KEY, streams=numbers[1])
    wires = FaultyWires(faults, KEY, numbers.astype(np.uint64))
    for first, last in ((0, 64), (64, 777), (5, 70), (63, 200), (700, 777)):
        part = x.between(first, last)
        struck = Bitstream(wires.struck(part.words, first, last - first), last - first)
        assert struck == whole.between(first, last)


def test_random_numbers_are_those_of_the_table_of_addresses():
    faults = Faults(flip=0.3, drop=0.4, stuck_at_0=0.25, stuck_at_1=0.25, dead=0.25)
    n, length = 40, 150
    x = encode(np.full(n, 0.5), length, key=1)
    bits, wires = x.bits().astype(bool), np.arange(n, dtype=np.uint64)

    def numbers(kind, steps):
        streams = np.uint64(3 * 2**62) + 4 * wires + np.uint64(kind)
        return Bernoulli().numbers(streams, steps, key=KEY) / 2**32

    bits = (bits & (numbers(1, length) >= faults.drop)) ^ (numbers(0, length) < faults.flip)
    stuck = numbers(2, 1)
    bits = np.where(stuck < 0.25, False, np.where(stuck < 0.5, True, bits))
    lives = numbers(3, 1) >= faults.dead
    for of_neurons, wanted in ((False, bits), (True, bits & lives)):
        wired = FaultyWires(faults, KEY, wires, of_neurons=of_neurons)
        assert Bitstream(wired.struck(x.words, 0, length), length) == Bitstream.from_bits(wanted)


@pytest.mark.parametrize("rate", [0.002, 0.05, 0.5])
@pytest.mark.parametrize("n_bits", [1, 4, 8])
def test_upset_weights_have_the_mean_and_variance_of_the_law(n_bits, rate):
    n = 20_000
    levels = 2**n_bits
    for code in {0, 1, levels - 1}:
        for sign in (-1, 1):
            w = code / levels
            weights = np.full((1, n), sign * w)
            streams = np.arange(n, dtype=np.uint64)[np.newaxis]
            found = upset(weights, Faults(weight_upset=rate), n_bits, KEY, streams)
            s = -1 if np.signbit(sign * w) else 1
            m = (1 - 2 * rate) * w + rate * (1 - 1 / levels)
            mean = s * (1 - 2 * rate) * m
            v = rate * (1 - rate) * (1 - 4.0**-n_bits) / 3
            variance = v + m**2 * (1 - (1 - 2 * rate) ** 2)
            squares = (found - mean) ** 2
            assert abs(found.mean() - mean) <= 5 * np.sqrt(variance / n)
            assert abs(squares.mean() - variance) <= 5 * squares.std() / np.sqrt(n)
            assert np.isin(np.abs(found) * levels, np.arange(levels)).all()


def test_weights_that_are_not_struck_keep_their_value():
    weights = np.random.default_rng(0).uniform(-1, 1, (20, 50))
    streams = np.arange(1000, dtype=np.uint64).reshape(20, 50)
    found = upset(weights, Faults(weight_upset=0.01), 8, KEY, streams)
    changed = found != weights
    assert 40 < changed.sum() < 140
    bits = np.abs(found[changed]) * 256
    assert (bits == np.rint(bits)).all()
    assert (upset(weights, Faults(), 8, KEY, streams) == weights).all()


def test_printing_shows_rates_above_0():
    assert repr(Faults()) == "Faults()"
    assert repr(Faults(flip=1e-3, dead=0.5)) == "Faults(flip=0.001, dead=0.5)"
    assert repr(Faults(weight_upset=0.25, weight_bits=4)) == "Faults(weight_upset=0.25, weight_bits=4)"


X = Bitstream.from_bits([[0, 1, 1]] * 2)

# fmt: off
test_messages = test_of([
    (lambda: Faults(flip=1.5), ValueError, "flip must lie in [0, 1], got 1.5"),
    (lambda: Faults(dead=-0.1), ValueError, "dead must lie in [0, 1], got -0.1"),
    (lambda: Faults(drop="a"), TypeError, "drop must be a real number, got 'a'"),
    (lambda: Faults(stuck_at_0=0.75, stuck_at_1=0.5), ValueError, "stuck_at_0 + stuck_at_1 must be at most 1, got 1.25"),
    (lambda: Faults(weight_bits=0), ValueError, "weight_bits must be at least 1 and at most 16, got 0"),
    (lambda: inject([0, 1], Faults(), key=1), TypeError, "x must be a Bitstream, got [0, 1]"),
    (lambda: inject(X, 0.1, key=1), TypeError, "faults must be a Faults, got 0.1"),
    (lambda: inject(X, Faults(dead=0.5), key=1), ValueError, "faults must have only rates of wires, got Faults(dead=0.5); weight_upset and dead are for networks"),
    (lambda: inject(X, Faults(), key=-1), ValueError, "key must lie in [0, 2**64), got -1"),
    (lambda: inject(X, Faults(), key=1, streams=[2**60]), ValueError, "streams must lie in [0, 2**60), got 1152921504606846976"),
    (lambda: inject(X, Faults(), key=1, streams=[1, 2, 3]), ValueError, "streams must broadcast to the batch shape (2,), got (3,)"),
])
