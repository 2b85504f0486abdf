"""Sources as hardware has them: registers with a start, one register or counter for all lanes."""

import warnings

import numpy as np
import pytest
import twins

from sc_neurocore import LFSR, Bernoulli, Dense, Hammersley, Network, PeriodWarning, encode, simulate
from sc_neurocore.streams import RotatedLFSR
from sc_neurocore.streams._numbers import TAPS


@pytest.mark.parametrize(("width", "start"), [(3, 1), (3, 7), (8, 0xAC), (16, 0xACE1)])
def test_a_register_starts_where_it_is_told(width, start):
    states = twins.lfsr_states(width, TAPS[width], start, 700)
    source = LFSR(width, start=start)
    numbers = source.numbers([0, 3, 2**40], 700, key=5)
    assert np.array_equal(numbers, np.tile(states - 1, (3, 1)))
    p = np.array([0.0, 0.3, 0.9, 1.0])
    bits = encode(p, 700, key=9, source=source).bits()
    assert np.array_equal(bits, states - 1 < np.rint(p[:, None] * source.levels))


@pytest.mark.parametrize(("width", "start"), [(3, 5), (8, 1), (16, 0xACE1)])
@pytest.mark.parametrize("length", [1, 63, 64, 65, 300])
def test_lanes_read_the_register_rotated_and_inverted(width, start, length):
    states = twins.lfsr_states(width, TAPS[width], start, length).astype(np.int64)
    source, full = RotatedLFSR(width, start=start), (1 << width) - 1
    lanes = np.array([0, 1, 2, width - 1, width, width + 1, 5 * width + 2, 1000])
    expected = []
    for lane in lanes:
        turn = lane % width
        rotated = (states << turn | states >> (width - turn)) & full
        expected.append(rotated ^ (lane // width * 0x9E37 & full))
    streams = lanes | 3 << 32  # the row does not matter
    assert np.array_equal(source.numbers(streams, length, key=7), expected)
    p = np.linspace(0, 1, len(lanes))
    bits = encode(p, length, key=8, source=source, streams=streams).bits()
    assert np.array_equal(bits, np.array(expected) < np.rint(p[:, None] * source.levels))


def test_long_streams_of_many_lanes_are_made_in_blocks(monkeypatch):
    source = RotatedLFSR(8, start=3)
    p = np.random.default_rng(0).random(20)
    whole = encode(p, 1000, key=0, source=source)
    monkeypatch.setattr("sc_neurocore.streams.source._BLOCK_NUMBERS", 64 * 20 * 3)
    assert encode(p, 1000, key=0, source=source) == whole


def test_a_period_takes_each_value_but_one():
    numbers = RotatedLFSR(8).numbers(range(40), 255, key=0)
    assert all(len(set(row)) == 255 for row in numbers.tolist())


def error(inputs, weights, mixed):
    """The root mean square error of sums of 64 products over 256 steps."""
    rng = np.random.default_rng(0)
    squares = []
    for trial in range(200):
        x, w = (np.rint(rng.random(64) * 255) / 256 for _ in range(2))
        sign = np.where(rng.random(64) < 0.5, -1, 1) if mixed else np.ones(64)
        xb = encode(x, 256, key=trial, source=inputs, streams=range(64)).bits()
        wb = encode(w, 256, key=1000 + trial, source=weights, streams=range(64)).bits()
        squares.append(((sign[:, None] * (xb & wb)).sum(0).mean() - (sign * x * w).sum()) ** 2)
    return np.sqrt(np.mean(squares))


@pytest.mark.parametrize("mixed", [True, False])
def test_shared_sources_err_less_than_a_register_for_each_stream(mixed):
    private = error(*LFSR(16).pair(), mixed)
    shared = error(*Hammersley(8, axis=1, randomized=False).pair(), mixed)
    rotated = error(RotatedLFSR(16, start=0xACE1), Hammersley(8, axis=1, randomized=False), mixed)
    assert 0.2 < private < 0.3
    assert shared < 0.15 * private
    assert rotated < 0.85 * private


def test_a_network_takes_them_and_repeats():
    layer = Dense(np.full((3, 5), 0.5), gain=0.2)
    for source in (RotatedLFSR(), RotatedLFSR(8, start=9), LFSR(8, start=77)):
        runs = [simulate(Network([layer]), np.full(5, 0.8), 300, seed=s, source=source) for s in (1, 2)]
        assert runs[0].counts.sum() > 10
        assert np.array_equal(runs[0].counts, runs[1].counts)  # no seed changes a register


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: RotatedLFSR(17), "width must be at least 3 and at most 16, got 17"),
        (lambda: RotatedLFSR(4, start=0), "start must be at least 1 and at most 15, got 0"),
        (lambda: RotatedLFSR(4, (3, 1)), "taps must be the exponents of a primitive polynomial"),
        (lambda: LFSR(17, start=1), "width must be at most 16 for a register with a start, got 17"),
        (lambda: LFSR(8, start=256), "start must be at least 1 and at most 255, got 256"),
    ],
)
def test_wrong_registers_are_refused(call, message):
    with pytest.raises(ValueError) as raised:
        call()
    assert message in str(raised.value)


@pytest.mark.parametrize("source", [LFSR(16, start=1), LFSR(12, start=1), RotatedLFSR(16)], ids=str)
def test_a_register_that_starts_with_few_ones_is_reported_while_it_is_one_sided(source):
    rise, p = source.rise(np.zeros(1, np.uint64)), np.linspace(0.05, 0.95, 19)
    assert source.width < rise < 5 * source.width
    with pytest.warns(PeriodWarning, match="one-sided"):
        short = encode(p, source.width, key=1, source=source, streams=0)
    assert np.abs(short.probability() - p).max() > 0.2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encode([0.5], rise, key=1, source=source)
    network = Network([Dense(np.full((1, 20), 0.1), 10.0)])
    with pytest.warns(PeriodWarning, match="one-sided"):
        simulate(network, np.full(20, 0.1), 8, source=(source, Bernoulli()))


def test_a_register_that_starts_well_is_not_reported():
    assert LFSR(16, start=0xACE1).rise(np.zeros(1, np.uint64)) == 1
    assert LFSR(16).rise(np.zeros(1, np.uint64)) == 1
