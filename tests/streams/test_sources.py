"""Sources keep one contract, are the sequences they are named after, and err as their laws say."""

import math
import pickle

import numpy as np
import pytest
import twins
from scipy.stats import qmc

from sc_neurocore import (
    LFSR,
    Bernoulli,
    BitstreamCurrentSource,
    BitstreamEncoder,
    BitstreamSynapse,
    Dense,
    Halton,
    Hammersley,
    Network,
    PeriodWarning,
    Permutation,
    Ramp,
    Role,
    SCDenseLayer,
    Sobol,
    VanDerCorput,
    Weyl,
    _native,
    decide_early,
    encode,
    encode_pair,
    evaluate,
    load_digits,
    scc,
    simulate,
    stream_key,
)
from sc_neurocore.streams import RotatedLFSR, TableSource, operands
from sc_neurocore.streams._numbers import is_primitive

KEY = 0x123456789ABCDEF0
STREAMS = np.array([0, 1, 2, 3, 9, 500], np.uint64)
P = np.array([0.3, 1.0, 0.0, 0.5, 1 / 3, 1e-3])
# More than two vectors of streams, some of one lane.
MANY = np.concatenate([STREAMS, STREAMS[::-1] + np.uint64(7), np.arange(9, dtype=np.uint64) // 2])
P_MANY = np.concatenate([P, P[::-1], np.linspace(0.01, 1, 9)])

TABLE = TableSource(np.random.default_rng(0).integers(0, 100, 60), 101)
SOURCES = [
    Bernoulli(), Bernoulli(bits=5), LFSR(3), LFSR(8),
    *(LFSR(width, zero=True) for width in (3, 5, 6, 8, 16)),
    Sobol(gray=True), Sobol(1, gray=True), Sobol(2, gray=True, bits=6), Sobol(bits=8),
    VanDerCorput(bits=7), VanDerCorput(3, bits=7), Halton(bits=10), TABLE,
    LFSR(16), LFSR(17), LFSR(32, (32, 31, 30, 10)),
    Sobol(), Sobol(1), Sobol(randomized=False), Hammersley(3), Hammersley(8, 1), Hammersley(10),
    Hammersley(11),
    Hammersley(8, 0, randomized=False), Hammersley(7, 1, randomized=False), Hammersley(31, 1),
    VanDerCorput(), VanDerCorput(3), VanDerCorput(10, randomized=False), VanDerCorput(1009),
    Halton(), Halton(randomized=False), Weyl(), Weyl(1000), Weyl(255, randomized=False), Ramp(100),
    Ramp(2**32, randomized=True), Permutation(2), Permutation(100), Permutation(1000),
]  # fmt: skip
EXACT = [
    LFSR(3), LFSR(8), LFSR(10, (10, 7)), LFSR(4, zero=True), LFSR(8, zero=True),
    LFSR(10, (10, 7), zero=True), Sobol(3, gray=True, bits=8), Sobol(1, bits=8),
    Hammersley(6, 0), Hammersley(8, 1),
    Hammersley(8, 1, randomized=False), Weyl(100), Weyl(256), Ramp(100), Permutation(100),
]  # fmt: skip


def on_threads(n_threads, source, streams, thresholds, length):
    before = _native.threads()
    _native.set_threads(n_threads)
    words = source._words(KEY, streams, thresholds, 0, length)
    _native.set_threads(before)
    return words


@pytest.mark.filterwarnings("ignore::sc_neurocore.PeriodWarning")
@pytest.mark.parametrize("source", SOURCES, ids=repr)
class TestEverySource:
    def test_the_native_bits_are_the_numbers_below_the_threshold(self, source, isa, threads):
        numbers = source.numbers(MANY, 300, key=KEY)
        assert numbers.dtype == np.uint32
        assert int(numbers.max()) < source.levels
        thresholds = source.thresholds(P_MANY)
        bits = numbers < thresholds[:, np.newaxis]
        for length in range(1, 301):
            words = source._words(KEY, MANY, thresholds, 0, length)
            assert np.array_equal(words, twins.pack(bits[:, :length])), length

    def test_long_streams_are_the_numbers_too(self, source, isa):
        numbers = source.numbers(MANY, 64 * 260, key=KEY)
        thresholds = source.thresholds(P_MANY)
        bits = numbers < thresholds[:, np.newaxis]
        for n_words in (8, 9, 15, 16, 17, 31, 32, 33, 34, 63, 64, 65, 127, 128, 129, 255, 256, 257):
            for length in (64 * n_words, 64 * n_words + 5):
                words = source._words(KEY, MANY, thresholds, 0, length)
                assert np.array_equal(words, twins.pack(bits[:, :length])), length

    def test_threads_may_cut_a_range_within_streams(self, source, isa):
        n, n_words = 997, 17  # as many words as threads are worth
        streams = np.arange(n, dtype=np.uint64)
        thresholds = source.thresholds(np.linspace(0, 1, n))
        one, two = (on_threads(k, source, streams, thresholds, 64 * n_words) for k in (1, 2))
        assert np.array_equal(one, two)
        pick = np.arange(488, 508)
        bits = source.numbers(streams[pick], 64 * n_words, key=KEY) < thresholds[pick, np.newaxis]
        assert np.array_equal(two[pick], twins.pack(bits))

    def test_any_stretch_can_be_had_without_what_comes_before(self, source, isa):
        whole = source.numbers(MANY, 3000, key=KEY)
        thresholds = source.thresholds(P_MANY)
        for first in (1, 7, 8, 31):
            part = source.numbers(MANY, 600, key=KEY, first=64 * first)
            assert np.array_equal(part, whole[:, 64 * first : 64 * first + 600])
            words = source._words(KEY, MANY, thresholds, first, 600)
            assert np.array_equal(words, twins.pack(part < thresholds[:, np.newaxis]))
        far = 2**38 - 640
        part = source.numbers(MANY, 640, key=KEY, first=far)
        for n, length in ((len(MANY), 640), (3, 640), (len(MANY), 70)):
            words = source._words(KEY, MANY[:n], thresholds[:n], far // 64, length)
            bits = part[:n, :length] < thresholds[:n, np.newaxis]
            assert np.array_equal(words, twins.pack(bits))

    def test_the_thresholds_0_and_all_are_none_and_all(self, source):
        with pytest.warns(UserWarning, match="2 of 4 probabilities lie outside"):
            streams = encode([0.0, 1.0, -3.0, 7.0], 200, key=KEY, source=source)
        assert streams.counts().tolist() == [0, 200, 0, 200]

    def test_numbers_repeat_after_the_period(self, source):
        if source.period is not None and source.period <= 2**34:
            first = source.numbers(STREAMS, 200, key=KEY)
            again = source.numbers(STREAMS, 200, key=KEY, first=source.period)
            assert np.array_equal(first, again)

    def test_a_stream_depends_on_its_number_and_key_alone(self, source):
        alone = [source.numbers(s, 100, key=KEY) for s in STREAMS]
        assert np.array_equal(source.numbers(STREAMS, 100, key=KEY), alone)
        grid = source.numbers(STREAMS.reshape(2, 3), 100, key=KEY)
        assert np.array_equal(grid, np.reshape(alone, (2, 3, 100)))

    def test_a_source_is_a_frozen_value(self, source):
        assert pickle.loads(pickle.dumps(source)) == source
        assert hash(source) == hash(pickle.loads(pickle.dumps(source)))
        assert eval(repr(source)) == source
        with pytest.raises(AttributeError):
            source.anything = 1

    def test_one_number_in_two_streams_gives_scc_1(self, source):
        x, y = encode([0.4, 0.7], 640, key=KEY, source=source, streams=3)
        assert (x & y) == x

    def test_the_pair_may_be_multiplied(self, source):
        if source == TABLE:
            with pytest.raises(ValueError, match="have 2 independent sequences"):
                source.pair()
            return
        pair = source.pair()
        assert operands(source) == pair
        assert operands(pair) == pair


@pytest.mark.parametrize(
    "source", [Sobol(1), Hammersley(8), Weyl(), Ramp(100, randomized=True)], ids=repr
)
def test_the_order_of_a_lane_does_not_depend_on_the_others(source):
    # Orders of low lanes are kept, those of high ones are made for each call.
    row = source.numbers([5, 5 + 2**32, 2**14 + 3], 100, key=KEY)
    low = source.numbers([5, 5 + 2**32, 700], 100, key=KEY)
    assert np.array_equal(row[:2], low[:2])
    assert np.array_equal(row[2:], source.numbers([2**14 + 3], 100, key=KEY))


@pytest.mark.parametrize("source", EXACT, ids=repr)
def test_every_level_is_exact_over_a_period(source):
    levels = source.levels if source.levels <= 1024 else source.period
    k = np.arange(levels + 1)
    counts = encode(k / levels, levels, key=KEY, source=source, streams=5).counts()
    assert np.array_equal(counts, k)


@pytest.mark.parametrize("width", range(3, 17))
def test_an_lfsr_runs_through_the_states_of_the_textbook_register(width):
    source = LFSR(width)
    states = source.numbers(STREAMS, 500, key=KEY) + 1
    for row in states:
        assert np.array_equal(row, twins.lfsr_states(width, source.taps, int(row[0]), 500))
    if width <= 12:
        whole = twins.lfsr_states(width, source.taps, 1, 2**width - 1)
        assert np.array_equal(np.sort(whole), np.arange(1, 2**width))


@pytest.mark.parametrize("width", range(3, 17))
def test_a_register_with_state_0_runs_through_all_states(width):
    source = LFSR(width, zero=True)
    states = source.numbers(STREAMS, 500, key=KEY)
    for row in states:
        assert np.array_equal(row, twins.lfsr_states(width, source.taps, int(row[0]), 500, zero=True))
    if width <= 12:
        for start in (0, 1, 2, 2**width - 1):
            path = LFSR(width, start=start, zero=True).numbers(0, 2**width, key=0)
            assert path[0] == start
            assert np.array_equal(np.sort(path), np.arange(2**width))
            assert np.array_equal(path, twins.lfsr_states(width, source.taps, start, 2**width, True))
    assert source.pair()[1].zero


@pytest.mark.parametrize("width", range(17, 33))
def test_a_wide_lfsr_is_the_textbook_register_and_of_maximal_length(width):
    source = LFSR(width)
    states = source.numbers(STREAMS, 200, key=KEY) + 1
    for row in states:
        assert np.array_equal(row, twins.lfsr_states(width, source.taps, int(row[0]), 200))
    assert is_primitive(source._feedback, width)


def test_primitive_polynomials_are_those_of_maximal_period():
    for width in range(3, 9):
        for taps in range(1 << (width - 1)):
            feedback = taps << 1 | 1
            exponents = [width - d for d in range(width) if feedback >> d & 1]
            states = twins.lfsr_states(width, exponents, 1, 2**width)
            maximal = len(set(states.tolist())) == 2**width - 1
            assert is_primitive(feedback, width) == maximal, (width, exponents)


def test_the_pair_of_a_register_is_the_mirrored_one():
    register, mirrored = LFSR(8).pair()
    forward = register.numbers(0, 255, key=KEY) & 1
    backward = mirrored.numbers(0, 255, key=KEY)[::-1] & 1
    turned = [np.roll(forward, k) for k in range(255)]
    first_bits = [(row ^ backward).sum() for row in turned]
    # The lowest state bit of the state less 1 is the inverted sequence but at one state.
    assert min(first_bits) <= 2
    assert mirrored.pair()[1] == register


def test_unshifted_sobol_numbers_are_scipys():
    dimensions, length = 1024, 512
    points = qmc.Sobol(dimensions, scramble=False, bits=32).random(length)
    numbers = Sobol(randomized=False).numbers(np.arange(dimensions), length, key=0)
    # SciPy walks in Gray code order: the same points of every block of 2**w, in another order.
    gray = np.arange(length) ^ np.arange(length) >> 1
    assert np.array_equal(numbers[:, gray], np.rint(points.T * 2**32))
    assert np.array_equal(Sobol(7, randomized=False).numbers(55, length, key=0), numbers[7])
    in_order = Sobol(randomized=False, gray=True)
    numbers_of_scipy = np.rint(points.T * 2**32)
    assert np.array_equal(in_order.numbers(np.arange(dimensions), length, key=0), numbers_of_scipy)
    bits = encode(np.full(dimensions, 0.3), length, key=0, source=in_order).bits()
    assert np.array_equal(bits, numbers_of_scipy < round(0.3 * 2**32))


def test_a_sobol_generator_of_few_bits_repeats_the_leading_bits_of_scipys():
    points = np.floor(qmc.Sobol(50, scramble=False, bits=32).random(64) * 64)
    source = Sobol(randomized=False, gray=True, bits=6)
    numbers = source.numbers(np.arange(50), 200, key=0)
    assert np.array_equal(numbers, np.tile(points.T, 4)[:, :200])
    assert source.sequences(3)[2] == Sobol(2, randomized=False, gray=True, bits=6)


@pytest.mark.parametrize("bits", [1, 4, 8, 31])
def test_a_comparator_of_few_bits_rounds_p(bits):
    p = np.random.default_rng(1).random(40)
    exact = np.rint(p * 2**bits) / 2**bits
    for kind in (Bernoulli, VanDerCorput, Halton):
        fine, coarse = kind(), kind(bits=bits)
        assert coarse.levels == 2**bits
        few = encode(p, 500, key=KEY, source=coarse)
        assert few == encode(exact, 500, key=KEY, source=fine)
        numbers = fine.numbers(STREAMS, 90, key=KEY)
        assert np.array_equal(coarse.numbers(STREAMS, 90, key=KEY), numbers >> (32 - bits))


def test_a_table_gives_its_numbers_row_by_lane():
    table = np.random.default_rng(2).integers(0, 50, (4, 37))
    source = TableSource(table, 50)
    streams = np.array([0, 3, 1 | 9 << 32], np.uint64)
    t = np.arange(100, 300) % 37
    assert np.array_equal(source.numbers(streams, 200, key=KEY, first=100), table[[0, 3, 1]][:, t])
    assert source == TableSource(table, 50) != TableSource(table, 51)
    assert hash(source) == hash(TableSource(table, 50))
    assert repr(source) == "TableSource(shape (4, 37), 50)"
    other = TableSource(table[:2] + 1, 51)
    assert operands((source, other)) == (source, other)
    with pytest.raises(ValueError, match="different numbers"):
        operands((source, TableSource(table[1], 50)))
    x = encode([0.3, 0.7], 37, key=0, source=TableSource(table[0], 50))
    assert np.array_equal(x.bits(), table[0] < np.array([[15], [35]]))


def test_a_digital_shift_is_one_exclusive_or():
    plain = Sobol(randomized=False).numbers(STREAMS, 200, key=0)
    shifted = Sobol().numbers(STREAMS, 200, key=KEY)
    shifts = plain ^ shifted
    assert (shifts == shifts[:, :1]).all()
    assert len(np.unique(shifts)) == len(STREAMS)
    assert not np.array_equal(Sobol().numbers(STREAMS, 200, key=KEY + 1), shifted)


@pytest.mark.parametrize("base", [2, 3, 7, 10, 1009, 65536])
def test_van_der_corput_numbers_are_radical_inverses(base):
    numbers = VanDerCorput(base, randomized=False).numbers(0, 300, key=0, first=1000)
    assert numbers.tolist() == [twins.radical_inverse(t, base) for t in range(1000, 1300)]


def test_unshifted_halton_numbers_are_scipys():
    points = qmc.Halton(50, scramble=False).random(300)
    numbers = Halton(randomized=False).numbers(np.arange(50), 300, key=0) / 2**32
    bases = np.array([qmc.Halton(50, scramble=False).base], float)
    # Cut at the last digit below 2**-32, that is within one weight of it.
    assert np.abs(numbers - points.T).max() <= float((bases / 2**32).max())


def test_the_digit_shift_of_a_stream_is_one_for_all_its_numbers():
    plain = [twins.radical_inverse(t, 3) for t in range(200)]
    row = VanDerCorput(3).numbers(4, 200, key=KEY)
    power = 3**20
    shift = int(-(-int(row[0]) * power // 2**32))  # the number of t = 0 is the shift itself
    assert row.tolist() == [twins.radical_inverse(t, 3, shift) for t in range(200)]
    assert row.tolist() != plain


def test_hammersley_is_the_counter_and_the_counter_reversed():
    x, w = Hammersley(6, randomized=False).pair()
    t = np.arange(64)
    reversed_t = np.array([int(f"{i:06b}"[::-1], 2) for i in t])
    assert np.array_equal(x.numbers(0, 64, key=0) >> 26, t)
    assert np.array_equal(w.numbers(0, 64, key=0) >> 26, reversed_t ^ 0b000111)


def test_weyl_steps_are_coprime_to_the_period_and_near_the_golden_ratio():
    for period in (3, 4, 10, 100, 255, 256, 1000, 2**32):
        numbers = Weyl(period, randomized=False).numbers(0, 3, key=0).tolist()
        step = numbers[1]
        assert math.gcd(step, period) == 1
        assert numbers == [0, step, 2 * step % period]
        assert step > 1
        assert abs(step - period * 0.6180339887) <= 129


def test_a_ramp_is_the_thermometer_code():
    bits = encode(np.arange(11) / 10, 10, key=KEY, source=Ramp(10)).bits()
    assert np.array_equal(bits, np.arange(10) < np.arange(11)[:, np.newaxis])


def test_a_permutation_has_exact_counts_in_uniformly_random_places():
    n, period = 4000, 12
    numbers = Permutation(period).numbers(np.arange(n), period, key=KEY)
    assert np.array_equal(np.sort(numbers, axis=1), np.tile(np.arange(period), (n, 1)))
    counts = np.stack([(numbers == k).sum(axis=0) for k in range(period)])
    # Each number is in each place with probability 1 / period.
    deviation = (counts - n / period) / np.sqrt(n / period * (1 - 1 / period))
    assert np.abs(deviation).max() <= 5
    pairs = (numbers[:, 0] * period + numbers[:, 1])[:, np.newaxis] == np.arange(period**2)
    expected = n / (period * (period - 1))
    off_diagonal = pairs.sum(axis=0)[~np.eye(period, dtype=bool).ravel()]
    assert np.abs(off_diagonal - expected).max() <= 5 * np.sqrt(expected)


@pytest.mark.parametrize("period", [2048, 2**17])
def test_of_equal_numbers_in_a_permutation_the_earlier_is_first(period, isa):
    # Two 32-bit numbers of one period are equal in some streams: one is the last below the threshold.
    source, n = Permutation(period), 2**34 // period**2 * 2 + 6
    streams = np.arange(n, dtype=np.uint64)
    uniform = np.sort(_native.uniform(KEY, streams | np.uint64(2**62), 0, period), axis=1)
    of, rank = np.nonzero(uniform[:, 1:] == uniform[:, :-1])
    assert of.size
    for s, ones in zip(of[:4].tolist(), (rank[:4] + 1).tolist(), strict=True):
        near = streams[max(s - 4, 0) :][:9]
        words = source._words(KEY, near, np.full(near.size, ones, np.uint64), 0, period)
        assert np.array_equal(words, twins.pack(source.numbers(near, period, key=KEY) < ones))


@pytest.mark.parametrize("kind", [type(s) for s in SOURCES if s != TABLE], ids=lambda k: k.__name__)
@pytest.mark.parametrize("length", [8, 100, 255, 256, 257, 4096])
def test_a_source_for_a_length_has_whole_periods_or_none(kind, length):
    source = kind.for_length(length)
    assert isinstance(source, kind)
    if source.period <= 2**20 if source.period else False:
        assert length / 2 < source.period <= length + 1
    x = encode(np.linspace(0, 1, 9), length, key=KEY, source=source.pair()[0], streams=np.arange(9))
    assert np.abs(x.probability() - np.linspace(0, 1, 9)).max() < 5 / np.sqrt(length)


def test_streams_shorter_than_the_rise_of_their_numbers_warn():
    for source in (Ramp(256), Hammersley(8, randomized=False)):
        message = (
            r"are one-sided for 256 steps, but the streams have 255 bits, .* "
            rf"or {type(source).__name__}\.for_length\(255\)$"
        )
        with pytest.warns(PeriodWarning, match=message):
            encode(0.5, 255, key=KEY, source=source)
        encode(0.5, 256, key=KEY, source=source)
    for source in (Hammersley(8, 1, randomized=False), Hammersley(8), Ramp(256, randomized=True)):
        encode(0.5, 64, key=KEY, source=source)


@pytest.mark.parametrize("randomized", [False, True])
def test_large_bases_rise_like_counters_through_their_first_steps(randomized):
    for source, stream in ((VanDerCorput(1021, randomized), 0), (Halton(randomized), 171)):
        assert source.rise(np.array([0, stream], np.uint64)) == 1021
        steps = np.diff(source.numbers(stream, 1021, key=KEY).astype(np.int64))
        assert (steps < 0).sum() == randomized  # the shifted digit returns to 0 once
        with pytest.warns(PeriodWarning, match=r"for 1021 steps, .* or Sobol\(\)$"):
            encode([0.5, 0.5], 1020, key=KEY, source=source, streams=[0, stream])
        encode([0.5, 0.5], 1021, key=KEY, source=source, streams=[0, stream])
    encode(0.5, 100, key=KEY, source=Halton(randomized), streams=24)  # base 97


@pytest.mark.parametrize("source", SOURCES, ids=repr)
def test_numbers_rise_through_as_many_steps_as_the_source_reports(source):
    rise = source.rise(STREAMS)
    if isinstance(source, LFSR | RotatedLFSR) and source.start is not None:
        return  # one-sided in another way, see test_hardware_sources.py
    if 1 < rise <= 2**20:
        numbers = source.numbers(STREAMS, rise, key=KEY).astype(np.int64)
        assert ((np.diff(numbers) < 0).sum(axis=1) <= 1).any()
    elif rise == 1:
        falls = (np.diff(source.numbers(STREAMS, 200, key=KEY).astype(np.int64)) < 0).sum(axis=1)
        assert (falls > 2).any()


def test_a_run_of_a_network_warns_of_rising_numbers_once():
    network = Network([Dense(np.full((3, 5), 0.5), gain=0.3), Dense(np.full((2, 3), 0.5))])
    x = np.full(5, 0.6)
    for source in (
        (Ramp(), Sobol(0), Sobol(1)),
        (Hammersley(16, randomized=False), Sobol(1), Sobol(2)),
        (VanDerCorput(1021, randomized=False), Sobol(0), Sobol(1)),
        (Sobol(0), Sobol(1), Ramp()),
    ):
        with pytest.warns(PeriodWarning) as caught:
            simulate(network, x, 100, seed=1, source=source)
        assert [w.filename for w in caught] == [__file__]
    simulate(network, x, 100, seed=1, source=Halton())
    streams = encode(x, 100, key=KEY)
    simulate(network, streams, seed=1, source=(Ramp(), Sobol(0), Sobol(1)))  # no numbers for inputs


def test_measures_of_networks_warn_of_rising_numbers():
    digits = load_digits()
    of = digits.network, digits.images[:20], digits.labels[:20]
    source = Hammersley(16, randomized=False)
    with pytest.warns(PeriodWarning, match="65536 steps, but the streams have 32 bits"):
        evaluate(*of, [32], seeds=[0], source=source)
    with pytest.warns(PeriodWarning, match="65536 steps, but the streams have 32 bits"):
        decide_early(digits.network, digits.images[:20], 32, seed=0, source=source)


# --- errors of products


def exhaustive_rmse(source, length, streams=0, levels=None):
    """Root mean square of P(x & w) - p q over all pairs of levels."""
    levels = levels or length
    k = np.arange(levels + 1) / levels
    a, b = source
    x = encode(k, length, key=stream_key(3, Role.INPUT), source=a, streams=streams).bits().astype(float)
    w = (
        encode(k, length, key=stream_key(3, Role.WEIGHT), source=b, streams=streams)
        .bits()
        .astype(float)
    )
    return float(np.sqrt(((x @ w.T / length - np.outer(k, k)) ** 2).mean()))


@pytest.mark.parametrize(
    ("length", "bound"), [(16, 0.02137), (64, 0.006601), (256, 0.001892), (1024, 0.000525)]
)
def test_hammersley_with_fixed_shifts_is_the_recommended_pair(length, bound):
    source = Hammersley(length.bit_length() - 1, randomized=False)
    assert exhaustive_rmse(source.pair(), length) <= bound


@pytest.mark.parametrize(
    ("source", "length", "rmse"),
    [
        (Sobol(randomized=False), 16, 0.0279),
        (Sobol(randomized=False), 64, 0.0081),
        (Sobol(randomized=False), 256, 0.0024),
        (Sobol(randomized=False), 1024, 0.00065),
        (Halton(randomized=False), 64, 0.0132),
        (Halton(randomized=False), 256, 0.0046),
        (Halton(randomized=False), 1024, 0.0015),
        (Weyl(256, randomized=False), 256, 0.00225),
        (Weyl(1000, randomized=False), 1000, 0.00062),
    ],
    ids=str,
)
def test_exhaustive_errors_are_those_known(source, length, rmse):
    assert exhaustive_rmse(source.pair(), length) == pytest.approx(rmse, rel=0.04)


@pytest.mark.parametrize("length", [16, 256])
def test_the_error_of_random_permutations_follows_its_law(length):
    # The mean over n streams of the squared exhaustive error is (1 / (6 sqrt(L - 1)))**2.
    squares = [exhaustive_rmse(Permutation(length).pair(), length, streams=s) ** 2 for s in range(60)]
    standard_error = np.std(squares, ddof=1) / np.sqrt(len(squares))
    assert abs(np.mean(squares) - 1 / (36 * (length - 1))) <= 5 * standard_error


def test_the_error_of_bernoulli_products_follows_its_law():
    length = 64
    squares = [exhaustive_rmse(Bernoulli().pair(), length, streams=s) ** 2 for s in range(60)]
    standard_error = np.std(squares, ddof=1) / np.sqrt(len(squares))
    assert abs(np.mean(squares) - 5 / (36 * length)) <= 5 * standard_error


@pytest.mark.parametrize("width", [5, 6, 8])
def test_no_phases_of_a_register_and_its_mirror_are_close(width):
    # The mean over phases is that of permutations, and the worst not much more; the worst of one
    # register against itself is 0.105.
    period = 2**width - 1
    errors = [exhaustive_rmse(LFSR(width).pair(), period, streams=s) for s in range(100)]
    assert np.sqrt(np.mean(np.square(errors))) < 1.25 / (6 * np.sqrt(period - 1))
    assert max(errors) < 2.6 / (6 * np.sqrt(period - 1))


def test_one_dimension_shifted_twice_stays_wrong_at_any_length():
    sequence = VanDerCorput()
    errors = [exhaustive_rmse((sequence, sequence), n, streams=3, levels=64) for n in (256, 4096)]
    assert min(errors) > 0.02


@pytest.mark.parametrize("source", [Sobol(), Hammersley(8), VanDerCorput(), Weyl(256)], ids=repr)
def test_private_shifts_make_products_unbiased_and_independent(source):
    # The mean error of n products at one pair of levels: its spread falls with sqrt(n).
    length, n = 256, 4096
    p, q = 77 / 256, 141 / 256
    x, w = encode_pair(np.full(n, p), q, length, key=5, source=source)
    error = (x & w).probability() - p * q
    assert error.std() < 0.008
    assert abs(error.mean()) <= 5 * error.std() / np.sqrt(n)


# --- where sources are used


def test_the_tutorials_classes_take_the_two_sources_of_a_pair():
    source = Hammersley(12, randomized=False)
    x = BitstreamEncoder(length=4096, seed=7, source=source).encode(0.6)
    synapse = BitstreamSynapse(0.0, 1.0, length=4096, w=0.5, seed=99, source=source)
    assert abs(synapse.apply(x).mean() - 0.3) < 2 / 4096 * np.log2(4096)
    a, b = source.pair()
    assert np.array_equal(x, encode(0.6, 4096, key=0, source=a).bits())
    assert np.array_equal(synapse.weight_bits, encode(0.5, 4096, key=0, source=b).bits())


def test_a_current_source_on_low_discrepancy_streams_is_nearer_to_the_value():
    values = {
        "x_inputs": [0.5, 0.8, 0.3], "x_min": 0.0, "x_max": 1.0, "weight_values": [0.6, 0.4, 0.9],
        "w_min": 0.0, "w_max": 1.0, "length": 256, "y_max": 1.0,
    }  # fmt: skip
    exact = (0.5 * 0.6 + 0.8 * 0.4 + 0.3 * 0.9) / 3

    def errors(source):
        sources = [BitstreamCurrentSource(**values, seed=s, source=source) for s in range(50)]
        return np.array([s.full_current_estimate() - exact for s in sources])

    assert errors(Sobol()).std() < 0.2 * errors(Bernoulli()).std()
    layer = SCDenseLayer(n_neurons=2, **values, base_seed=3, source=Sobol())
    single = BitstreamCurrentSource(**values, seed=3, source=Sobol())
    assert np.array_equal(layer.current_trace()[0], single.current_trace())


def test_encode_pair_broadcasts_and_pairs_stream_with_stream():
    x, w = encode_pair([[0.2], [0.9]], [0.5, 0.6, 0.7], 100, key=1, source=LFSR(7))
    assert x.shape == w.shape == (2, 3)
    b = LFSR(7).pair()[1]
    key = stream_key(1, Role.WEIGHT)
    assert w == encode(np.tile([0.5, 0.6, 0.7], (2, 1)), 100, key=key, source=b)


def test_a_product_of_one_source_with_itself_is_refused():
    for source in (s for s in SOURCES if s != TABLE):
        if source.pair() == (source, source):
            assert operands((source, source)) == (source, source)
        else:
            with pytest.raises(
                ValueError, match=r"source must give the operands different numbers.*0\.25"
            ):
                operands((source, source))
    assert operands((Ramp(64), VanDerCorput())) == (Ramp(64), VanDerCorput())
    assert operands(LFSR(8).sequences(3), 3) == LFSR(8).sequences(3)


def test_what_the_refusal_predicts_is_so():
    x = encode(0.5, 1024, key=KEY, source=Sobol(1), streams=4)
    assert scc(encode(0.4, 1024, key=KEY, source=Sobol(1), streams=4), x) == 1
