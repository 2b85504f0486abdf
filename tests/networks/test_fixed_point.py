"""Fixed point: integers equal those of their twin, and networks equal their integers."""

from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
import twins

from sc_neurocore import (
    LIF,
    Bernoulli,
    Bitstream,
    Conv2d,
    Dense,
    FixedPoint,
    Hammersley,
    Network,
    Role,
    Sobol,
    _native,
    encode,
    load_digits,
    simulate,
    simulate_float,
    stream_key,
)
from sc_neurocore.networks import average_pool2d, max_pool2d
from sc_neurocore.networks.fixed_point import FixedLIF

COUNTERS = Hammersley(8, axis=1, randomized=False)
neuron = partial(FixedLIF, unit=1.0, rest=0.0)
#               word, fraction, leak, leak_shift, threshold, reset, subtract, refractory
NEURONS = [
    neuron(16, 4, 1, 4, 300, 0, False, 0),
    neuron(16, 4, 1, 4, 300, -20, False, 2),
    neuron(16, 5, 205, 12, 900, 0, True, 1),
    neuron(8, 4, 13, 7, 120, -128, True, 0),  # saturates at both ends
    neuron(8, 5, 0, 0, 127, -3, False, 3),  # integrates
    neuron(7, 3, 1, 2, 64, 0, False, 0),  # never fires
    neuron(4, 0, 1, 1, 3, -1, True, 1),
    neuron(32, 20, 3, 5, 2**22 + 1, 7, True, 0),
    neuron(30, 3, 65535, 17, -5, -9, False, 1),  # fires at rest
    neuron(12, 2, 1, 0, 12, 0, False, 0),  # keeps nothing
    neuron(16, 4, 1, 4, 900, -20, False, 2, syn_leak=3, syn_leak_shift=3, syn_fraction=2),
    neuron(8, 2, 13, 7, 120, -128, True, 1, syn_leak=1, syn_leak_shift=3, syn_fraction=0),  # saturates
    neuron(32, 16, 3, 5, 2**21, 7, True, 0, syn_leak=205, syn_leak_shift=10, syn_fraction=3),
    neuron(
        16, 4, np.array([1, 3, 0, 13, 1]), np.array([4, 5, 0, 7, 0]),
        np.array([90, 300, 2**15, 120, 20]),
        np.array([0, -20, 5, 7, 0]), True, np.array([0, 2, 1, 0, 3]),
    ),  # each its own
    neuron(16, 3, 1, 4, 90, 0, False, np.array([0, 2, 1, 0, 3]),
           syn_leak=np.array([1, 3, 1, 5, 1]), syn_leak_shift=np.array([0, 3, 2, 4, 5]),
           syn_fraction=4),
]  # fmt: skip


@cache
def case(length, n_out=5, n_in=9, batch=3):
    """Return packed inputs, signed codes, weight bits and counts of a layer in fixed point."""
    rng = np.random.default_rng(length)
    x = rng.random((batch, n_in, length)) < rng.random((batch, n_in, 1))
    signs = np.where(rng.random((n_out, n_in)) < 0.45, -1, 1)
    signs[0] = 1
    signs[1] = -1
    bits = rng.random((n_out, n_in, length)) < rng.random((n_out, n_in, 1))
    counts = np.einsum("bit,ji,jit->bjt", x, signs, bits).astype(np.int32)
    return twins.pack(x), np.ascontiguousarray(signs.T * 2**31), twins.pack(bits), counts


def state_of(n):
    return np.zeros(n, np.int32), np.zeros(n, np.uint64), np.zeros(n, np.int32)


@cache
def of_twin(number, length, row):
    lif = NEURONS[number]
    counts = case(length)[3][row]
    state, cuts = state_of(len(counts)), np.zeros((len(counts), 2), np.uint64)
    potentials, spikes = twins.fixed_trace(lif._integers, counts, *state, cuts)
    return potentials, spikes, state, cuts


def run_dense(lif, x, codes, bits, length, state):
    gain = np.full(codes.shape[1], float(lif.one))
    if len(lif.parameters) == 1:
        spikes = _native.dense(
            lif.parameters[0], 0, 0, x, codes, bits, False, gain, 1, 0, length, *state
        )
        return twins.unpack(spikes, length)
    sums = _native.dense_sums(0, x, 1, 0, codes, bits, False, 1, 0, 0, length)
    before = np.zeros((len(x), 0), np.uint64)
    spikes, _ = _native.neurons(
        lif.parameters, 0, sums, gain, None, None, 1, 0, 1, 0, length, *state, before, False
    )
    return twins.unpack(spikes, length)


@pytest.mark.parametrize("number", range(len(NEURONS)))
def test_both_kernels_equal_the_integer_twin_at_every_length(isa, threads, number):
    lif = NEURONS[number]
    saw = np.zeros(4, np.int64)
    for length in twins.LENGTHS:
        x, codes, bits, counts = case(length)
        batch, n_out = counts.shape[:2]
        row = length % batch
        state = np.zeros((batch, n_out)), np.zeros((batch, n_out), np.uint64), np.zeros((batch, n_out))
        fired = run_dense(lif, x, codes, bits, length, state)
        ours, cut = state_of(n_out), np.zeros((n_out, 2), np.uint64)
        potentials, words = _native.fixed_trace(lif._integers, counts[row], *ours, cut)
        expected, spikes, theirs, cuts = of_twin(number, length, row)
        v, rest, i = theirs
        assert np.array_equal(potentials, expected), length
        assert np.array_equal(words, twins.pack(spikes)), length
        assert np.array_equal(fired[row], spikes), length
        assert np.array_equal(state[0][row], v)
        assert np.array_equal(state[1][row], rest)
        assert np.array_equal(state[2][row], i)
        assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))
        assert np.array_equal(cut, cuts)
        saw += np.array([spikes.sum(), rest.sum(), *cuts.sum(axis=0)], np.int64)
    assert saw[0] > 100 or np.all(lif.threshold > lif.most)
    assert saw[1] > 0 or not np.any(lif.refractory)
    assert (saw[2:] > 0).all() == (lif.word in (4, 7, 8))


def test_a_wide_layer_keeps_its_spikes_at_every_level(isa, threads):
    for lif in NEURONS[:4]:
        x, codes, bits, counts = case(133, n_out=150, n_in=200, batch=9)
        shape = counts.shape[:2]
        state = np.zeros(shape), np.zeros(shape, np.uint64), np.zeros(shape)
        fired = run_dense(lif, x, codes, bits, 133, state)
        flat = np.ascontiguousarray(counts.reshape(-1, 133))
        _, words = _native.fixed_trace(
            lif._integers, flat, *state_of(len(flat)), np.zeros((len(flat), 2), np.uint64)
        )
        assert fired.any()
        assert np.array_equal(fired.reshape(-1, 133), twins.unpack(words, 133))


def test_a_run_in_blocks_is_a_run():
    lif = NEURONS[2]
    x, codes, bits, counts = case(300)
    whole = tuple(np.zeros(counts.shape[:2], kind) for kind in (np.float64, np.uint64, np.float64))
    parts = tuple(a.copy() for a in whole)
    fired = run_dense(lif, x, codes, bits, 300, whole)
    pieces = []
    for first, last in ((0, 2), (2, 3), (3, 5)):
        length = min(64 * last, 300) - 64 * first
        pieces.append(
            run_dense(
                lif,
                np.ascontiguousarray(x[:, :, first:last]),
                codes,
                np.ascontiguousarray(bits[:, :, first:last]),
                length,
                parts,
            )
        )
    assert np.array_equal(np.concatenate(pieces, axis=-1), fired)
    assert all(np.array_equal(a, b) for a, b in zip(parts, whole, strict=True))


def network(**changes):
    rng = np.random.default_rng(3)
    lif = replace(LIF(tau_mem=8.0, v_rest=0.1, v_reset=-0.2, refractory_period=1), **changes)
    first = Dense(rng.uniform(-1, 1, (12, 20)), gain=0.3, neuron=lif, bias=rng.uniform(-1, 1, 12))
    return Network([first, Dense(rng.uniform(-1, 1, (4, 12)), gain=0.5, neuron=lif)])


@pytest.mark.parametrize("source", [COUNTERS, Bernoulli(), Sobol()])
def test_a_network_in_fixed_point_computes_the_integers_of_its_layers(source):
    net, fixed_point = network(), FixedPoint(bits=6, word=12, leak_bits=3)
    x = np.random.default_rng(4).random((5, 20))
    run = simulate(net, x, 200, seed=5, source=source, fixed_point=fixed_point, record=True)
    fixed = fixed_point.of(net)
    rounded, neurons = fixed.network, fixed.neurons
    thresholds = [np.abs(layer.matrix) for layer in rounded.layers]
    assert all(np.array_equal(t * 64 % 1, np.zeros_like(t)) for t in thresholds)
    inputs, *sources = source.sequences(3)
    keys = [stream_key(5, Role.INPUT), *(stream_key(5, Role.WEIGHT, i) for i in range(2))]
    bits = encode(
        np.minimum(np.rint(x * 64), 63) / 64, 200, key=keys[0], source=inputs, streams=range(20)
    )
    for row in range(5):
        spikes = bits[row].bits()
        for i, (layer, lif) in enumerate(zip(rounded.layers, neurons, strict=True)):
            weights = layer.matrix
            streams = np.arange(len(weights))[:, None] << 32 | np.arange(weights.shape[1])
            of_weights = encode(
                np.abs(weights), 200, key=keys[1 + i], source=sources[i], streams=streams
            )
            arriving = np.vstack([spikes, np.ones((1, 200), np.uint8)])[: weights.shape[1]]
            counts = np.einsum("ji,jit,it->jt", np.sign(weights), of_weights.bits(), arriving)
            state, cuts = state_of(len(counts)), np.zeros((len(counts), 2), np.uint64)
            integers = counts.astype(np.int32)
            potentials, spikes = twins.fixed_trace(lif._integers, integers, *state, cuts)
            assert np.array_equal(run.spikes[i][row].bits(), spikes)
        assert np.array_equal(run.potentials[row], potentials[:, -1] * lif.unit + lif.rest)
    assert run.counts.sum() > 100
    alone = simulate(net, x[2], 200, seed=5, source=source, fixed_point=fixed_point)
    assert np.array_equal(alone.counts, run.counts[2])


def test_values_of_one_saturate_and_do_not_wrap():
    fixed_point = FixedPoint(bits=3)
    assert fixed_point.rounded(np.array([1.0, -1.0, 0.94, 0.93, 0.5, -0.06, -0.07])).tolist() == [
        0.875, -0.875, 0.875, 0.875, 0.5, 0.0, -0.125,
    ]  # fmt: skip
    always = Network([Dense([[1.0]], neuron=LIF(tau_mem=1.0, v_threshold=0.5))])
    run = simulate(always, [1.0], 256, source=COUNTERS, fixed_point=FixedPoint())
    # 255 of 256 numbers are below each; the neuron has no memory and fires with every product.
    assert 254 <= run.counts[0] <= 255


def test_with_long_words_and_little_rounding_it_is_the_float_network():
    # Weights and inputs that need no rounding, a leak that is a power of two, thresholds between
    # potentials: the same spikes as in float64.
    rng = np.random.default_rng(6)
    lif = LIF(tau_mem=8.0, refractory_period=2)
    net = Network([Dense(rng.integers(-255, 256, (30, 20)) / 256, gain=1 / 7, neuron=lif)])
    x = rng.integers(0, 256, (4, 20)) / 256
    fixed = simulate(net, x, 300, source=COUNTERS, fixed_point=FixedPoint(word=32, fraction=24))
    floats = simulate(net, x, 300, source=COUNTERS)
    assert fixed.counts.sum() > 1000
    assert np.abs(fixed.counts - floats.counts).sum() <= 2


def test_the_default_fraction_leaves_room_and_uses_the_word():
    for word in (10, 12, 16, 20):
        neurons = FixedPoint(word=word).of(load_digits().network).neurons
        for i, lif in enumerate(neurons):
            weights = load_digits().network.layers[i].weights
            reach = np.maximum(weights.clip(0).sum(1), (-weights).clip(0).sum(1)).max() * 8
            assert reach * 2**lif.fraction < 2 ** (word - 1) <= 2.02 * reach * 2**lif.fraction


def test_a_readout_that_only_integrates_holds_the_sum_of_its_counts():
    rng = np.random.default_rng(8)
    lif = LIF(tau_mem=np.inf, v_threshold=np.inf, v_reset=-0.3)
    # Weights and inputs in units of 1/16, each compared with all numbers of four bits.
    weights, x = rng.integers(-15, 16, (5, 40)) / 16, rng.integers(0, 16, (6, 40)) / 16
    net = Network([Dense(weights, gain=0.3, neuron=lif)])
    (fixed,) = FixedPoint().of(net).neurons
    assert fixed.fraction == 0
    source = Hammersley(16, axis=1, randomized=False)
    run = simulate(net, x, 512, source=source, fixed_point=FixedPoint())
    floats = simulate(net, x, 512, source=source)
    assert np.abs(floats.potentials).max() > 0.3 * 300
    assert run.potentials == pytest.approx(floats.potentials, abs=1e-9)


@pytest.mark.parametrize(
    ("tau", "bits", "leak"),
    [
        (8.0, 8, (1, 3)),
        (8.0, 1, (1, 3)),
        (1.0, 8, (1, 0)),
        (20.0, 8, (205, 12)),
        (20.0, 4, (13, 8)),
        (20.0, 1, (1, 4)),
        (10.0, 2, (3, 5)),
        (np.inf, 8, (0, 0)),
        (1e9, 8, (137, 37)),
    ],
)
def test_the_leak_has_few_digits_and_lowest_terms(tau, bits, leak):
    net = Network([Dense([[0.5]], neuron=LIF(tau_mem=tau))])
    (lif,) = FixedPoint(leak_bits=bits, word=32).of(net).neurons
    assert (lif.leak, lif.leak_shift) == leak
    if lif.leak:
        assert abs(lif.leak / 2**lif.leak_shift * tau - 1) <= 2.0**-bits


def test_thresholds_are_the_first_integers_that_reach_them():
    lif = LIF(v_rest=-0.5, v_reset=-0.7, v_threshold=0.5, tau_mem=8.0)
    (fixed,) = FixedPoint(fraction=3).of(Network([Dense([[0.5]], gain=0.3, neuron=lif)])).neurons
    assert fixed.unit == 0.3 / 8
    assert (fixed.threshold - 1) * fixed.unit < 1.0 <= fixed.threshold * fixed.unit
    assert fixed.reset == round(-0.2 / fixed.unit)
    never = LIF(v_threshold=np.inf)
    (fixed,) = FixedPoint(word=9).of(Network([Dense([[0.5]], neuron=never)])).neurons
    assert fixed.threshold == 256 == fixed.most + 1


def test_potentials_are_in_volts():
    silent = LIF(v_rest=-0.5, v_threshold=np.inf, tau_mem=8.0)
    net = Network([Dense([[0.5, -0.25]], gain=0.2, neuron=silent)])
    run = simulate(net, [0.75, 0.5], 4096, source=COUNTERS, fixed_point=FixedPoint(word=20))
    assert run.counts.sum() == 0
    expected = simulate_float(net, [0.75, 0.5], 4096).potentials
    assert run.potentials == pytest.approx(expected, abs=0.3)
    assert expected == pytest.approx(-0.5 + 0.2 * 8 * (0.375 - 0.125))


def test_inputs_that_are_streams_are_not_rounded():
    net = Network([Dense([[0.996]], neuron=LIF(tau_mem=1.0))])
    ones = encode([1.0], 256, key=3)
    run = simulate(net, ones, source=COUNTERS, fixed_point=FixedPoint())
    assert run.counts[0] == 255
    assert simulate(net, [1.0], 256, source=COUNTERS, fixed_point=FixedPoint()).counts[0] == 254


def test_the_digits_keep_their_accuracy():
    digits = load_digits()
    for length, least in ((16, 0.975), (64, 0.975)):
        run = simulate(digits.network, digits.images, length, source=COUNTERS, fixed_point=FixedPoint())
        assert (run.classes == digits.labels).mean() >= least


def sixteenths(rng, *shape):
    """Weights that need no rounding."""
    return rng.integers(-255, 256, shape) / 256


def recurrent(rng):
    first = Dense(
        sixteenths(rng, 12, 20), 1 / 5, LIF(tau_mem=8.0, refractory_period=2), bias=sixteenths(rng, 12),
        recurrent=sixteenths(rng, 12, 12), delay=rng.integers(0, 70, 20),
    )  # fmt: skip
    return Network([first, Dense(sixteenths(rng, 30, 32), 1 / 5)], ["input", [0, "input"]])


def convolution(rng):
    return Network(
        [
            Conv2d(sixteenths(rng, 4, 1, 3, 3), (5, 4), 1 / 2, LIF(tau_mem=8.0), padding=1, stride=2),
            Conv2d(sixteenths(rng, 8, 4, 2, 2), (3, 2), 1.0, LIF(tau_mem=4.0), delay=1),
        ]
    )


def varied(rng):
    lif = LIF(
        tau_mem=2.0 ** rng.integers(1, 5, 12), v_threshold=rng.uniform(0.5, 2, 12),
        v_reset=rng.uniform(-0.5, 0, 12), refractory_period=rng.integers(0, 4, 12), reset="subtract",
    )  # fmt: skip
    first = Dense(sixteenths(rng, 12, 20), rng.uniform(0.1, 0.4, 12), lif)
    return Network([first, Dense(sixteenths(rng, 30, 12), 1 / 3)])


def currents(rng):
    lif = LIF(tau_mem=8.0, tau_syn=np.array([0.0, 2.0, 4.0, 8.0] * 3), refractory_period=1)
    first = Dense(sixteenths(rng, 12, 20), 1 / 12, lif)
    return Network([first, Dense(sixteenths(rng, 30, 12), 1 / 6, LIF(tau_mem=4.0, tau_syn=4.0))])


@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize("kind", [recurrent, convolution, varied, currents])
def test_every_feature_is_that_of_the_float_network_with_long_words(kind, k):
    rng = np.random.default_rng(6)
    net, x = kind(rng), rng.integers(0, 256, (4, 20)) / 256
    options = {"source": COUNTERS, "bits_per_step": k, "record": True}
    fixed = simulate(net, x, 300, fixed_point=FixedPoint(word=32, fraction=20), **options)
    floats = simulate(net, x, 300, **options)
    assert all(one.counts().sum() > 300 for one in fixed.spikes)
    for one, other in zip(fixed.spikes, floats.spikes, strict=True):
        differ = (one ^ other).counts().sum()
        assert differ <= 0.02 * other.counts().sum()


def test_pooling_stays_exact():
    rng = np.random.default_rng(2)
    bits = rng.random((2, 32, 600)) < 0.2
    x = Bitstream.from_bits(bits)
    windows = bits.reshape(2, 2, 2, 2, 2, 2, 600)
    runs = [
        simulate(
            Network([pool(2, (4, 4), 2)]), x, fixed_point=FixedPoint(), source=COUNTERS, record=True
        )
        for pool in (max_pool2d, average_pool2d)
    ]
    assert np.array_equal(runs[0].spikes[0].bits(), windows.any(axis=(3, 5)).reshape(2, 8, 600))
    assert np.array_equal(runs[1].counts, windows.sum(axis=(3, 5, 6)).reshape(2, 8) // 4)


def test_potentials_of_outputs_with_several_gains_have_one_unit():
    rng = np.random.default_rng(7)
    silent = LIF(v_threshold=np.inf, tau_mem=np.inf)
    net = Network([Dense(rng.uniform(-1, 1, (5, 20)), gain=[0.1, 0.2, 0.3, 0.4, 0.15], neuron=silent)])
    (fixed,) = FixedPoint().of(net).neurons
    assert fixed.unit == pytest.approx(0.4 / 2**fixed.fraction)
    x = rng.random((6, 20))
    run = simulate(net, x, 256, source=COUNTERS, fixed_point=FixedPoint(bits=10, word=20))
    assert run.potentials / 256 == pytest.approx(simulate_float(net, x, 256).potentials / 256, abs=0.02)


def test_synaptic_currents_decay_to_zero():
    # One spike: its whole charge arrives, up to the digits that are dropped, and nothing stays.
    lif = LIF(v_threshold=np.inf, tau_mem=np.inf, tau_syn=16.0)
    for sign in (-1, 1):
        net = Network([Dense([[sign * 0.5]], neuron=lif)])
        (fixed,) = FixedPoint(fraction=7).of(net).neurons
        assert (fixed.syn_leak, fixed.syn_leak_shift, fixed.syn_fraction) == (1, 4, 4)
        counts = np.zeros((1, 500), np.int32)
        counts[0, 0] = sign
        v, rest, i = state_of(1)
        potentials, _ = _native.fixed_trace(
            fixed._integers, counts, v, rest, i, np.zeros((1, 2), np.uint64)
        )
        assert potentials[0, -1] == potentials[0, -200]
        assert potentials[0, -1] == pytest.approx(sign * 16 * 128, rel=0.05)


DENSE = Dense([[0.5]])
ERRORS = [
    (lambda: FixedPoint(bits=0), "bits must be at least 1 and at most 16, got 0"),
    (lambda: FixedPoint(word=33), "word must be at least 4 and at most 32, got 33"),
    (lambda: FixedPoint(word=8, fraction=7), "fraction must be at least 0 and at most 6, got 7"),
    (lambda: FixedPoint(leak_bits=17), "leak_bits must be at least 1 and at most 16, got 17"),
    (
        lambda: FixedPoint(word=5, fraction=2).of(Network([replace(DENSE, neuron=LIF(v_reset=-5.0))])),
        "fixed_point must hold the reset of layer 0, -20 in units of the last place",
    ),
    (
        lambda: FixedPoint(word=12, fraction=0).of(Network([replace(DENSE, gain=1e-4)])),
        "leak_bits=8); use a larger word",
    ),
    (
        lambda: FixedPoint(word=8, fraction=5).of(Network([replace(DENSE, gain=1e-2)])),
        "leak_bits=8); use a larger word or a smaller fraction",
    ),
    (
        lambda: FixedPoint().of(Network([replace(DENSE, gain=1e-300)])),
        "layer 0, 1e+300 in units of the last place",
    ),
    (
        lambda: FixedPoint(word=12).of(Network([replace(DENSE, gain=1e-4)])),
        "fixed_point must hold the threshold of layer 0, 10000 in units of the last place",
    ),
    (
        lambda: FixedPoint(fraction=0).of(Network([replace(DENSE, neuron=LIF(v_reset=0.9))])),
        "fixed_point must distinguish threshold and reset of layer 0",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), ERRORS)
def test_features_that_the_hardware_lacks_are_refused(call, message):
    with pytest.raises(ValueError) as raised:
        call()
    assert message in str(raised.value)


@pytest.mark.parametrize("name", ["bits", "word", "fraction", "leak_bits"])
@pytest.mark.parametrize("value", [True, 2.0, "8"])
def test_formats_are_integers(name, value):
    with pytest.raises(TypeError, match=f"{name} must be an integer, got {value!r}"):
        FixedPoint(**{name: value})


def test_a_format_of_another_type_is_refused():
    with pytest.raises(TypeError, match="fixed_point must be a FixedPoint, got 8"):
        simulate(Network([DENSE]), [0.5], 8, fixed_point=8)
