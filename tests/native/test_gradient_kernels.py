"""The kernels of training, without PyTorch."""

import numpy as np
import pytest

import sc_neurocore
from sc_neurocore import LIF, Bernoulli, _native
from sc_neurocore.streams._bits import delayed, pack, unpack
from sc_neurocore.streams.keys import lane_streams


def on_every_level(run):
    """Results of a function on each instruction set and on 1 and 3 threads, which are all equal."""
    before, threads = _native.isa(), sc_neurocore.get_threads()
    results = []
    try:
        for isa in _native.isas():
            _native.set_isa(isa)
            for n in (1, 3):
                sc_neurocore.set_threads(n)
                results.append(run())
    finally:
        _native.set_isa(before)
        sc_neurocore.set_threads(threads)
    assert len(results) >= 2
    for result in results[1:]:
        for ours, first in zip(result, results[0], strict=True):
            assert np.array_equal(ours, first)
    return results[0]


def test_gradients_do_not_depend_on_instruction_set_threads_or_split():
    rng = np.random.default_rng(0)
    neuron = LIF(tau_mem=rng.uniform(3, 9, 37), tau_syn=2.0, refractory_period=2, noise_std=0.1)
    drive = rng.integers(-9, 30, (70, 33, 37)).astype(np.float32)
    gain, of_spikes = rng.uniform(0.01, 0.1, 37), rng.normal(size=(70, 33, 37)).astype(np.float32)
    of_v, weights = (rng.normal(size=s).astype(np.float32) for s in ((70, 37), (1, 37, 37)))
    x = pack(rng.random((70, 45, 66)) < 0.3)

    def gradients(rows, sums, weights, totals):
        return _native.neuron_gradients(
            neuron.parameters, 5, True, 37, 0.5, sums[:rows], gain, of_spikes[:rows], of_v[:rows],
            weights, True, totals,
        )  # fmt: skip

    def run():
        of_drive, *rest = gradients(70, drive, weights, False)
        assert np.array_equal(gradients(14, drive, weights, False)[0], of_drive[:14])
        shorts = gradients(70, drive.astype(np.int16), weights, False)
        assert all(map(np.array_equal, shorts, (of_drive, *rest)))
        apart, *rest_apart = gradients(70, drive, None, False)
        total, *rest_total = gradients(70, drive, None, True)
        assert np.allclose(total[:, 0], apart.sum(1), rtol=0, atol=1e-5 * abs(total).max())
        assert all(map(np.array_equal, rest_total, rest_apart))
        return of_drive, *rest, total, _native.product_gradients(of_drive, x, 2, None)

    results = on_every_level(run)
    bits = unpack(x, 66).reshape(70, 45, 33, 2).sum(-1)
    twin = np.einsum("btn,bit->in", results[0].astype(float), bits.astype(float))
    assert np.allclose(results[-1], twin, rtol=0, atol=1e-4 * abs(twin).max())


def test_plain_neurons_have_the_gradients_of_all_others():
    rng = np.random.default_rng(1)
    drive = rng.integers(-9, 30, (5, 20, 37)).astype(np.int16)
    gain, of_spikes = rng.uniform(0.01, 0.1, 37), rng.normal(size=(5, 20, 37)).astype(np.float32)
    of_v = rng.normal(size=(5, 37)).astype(np.float32)

    def gradients(parameters, totals, parameters_too):
        return _native.neuron_gradients(
            parameters, 0, False, 37, 0.5, drive, gain, of_spikes, of_v, None, parameters_too, totals
        )[:2]

    for reset in ("value", "subtract"):
        neuron = LIF(tau_mem=rng.uniform(3, 9, 37), reset=reset)
        for totals in (False, True):
            # Those of parameters need all that a neuron can have.
            plain, general = (
                on_every_level(lambda own=own, n=neuron, t=totals: gradients(n.parameters, t, own))
                for own in (False, True)
            )
            assert all(map(np.array_equal, plain, general))


def patches_of(x, places):
    """Inputs of each position, (rows, positions, fan_in, ...)."""
    extra = np.zeros((len(x), 2, *x.shape[2:]), x.dtype)
    extra[:, 1] = 1
    return np.concatenate([x, extra], 1)[:, places]


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("steps", [1, 7, 8, 16, 17, 32, 33, 64, 65, 130])
def test_sums_are_those_of_the_bits_at_their_places(steps, k):
    rng = np.random.default_rng(steps)
    n_in, n_out, fan_in, positions, rows = 70, 19, 67, 3, 13
    places = rng.integers(0, n_in + 2, (positions, fan_in)).astype(np.int32)
    weights = rng.uniform(-1, 1, (n_out, fan_in))
    weights[:, :3] = [0.0, 1.0, -1.0]
    codes = _native.codes(weights)
    assert np.array_equal(codes, np.rint(weights.T * 2.0**32))
    source, streams = Bernoulli(), lane_streams(n_out, fan_in).ravel()
    made = source.words(source.thresholds(abs(weights)).ravel(), streams, steps * k, key=9)
    made = made.reshape(n_out, fan_in, -1)
    signed = unpack(made, steps * k).astype(int) * np.sign(weights)[..., None].astype(int)
    for density in (0.02, 0.8):
        for x_bits in {1, k}:
            bits = rng.random((rows, n_in, steps * x_bits)) < density
            x, held = pack(bits), np.repeat(bits, k // x_bits, axis=2)
            twin = np.einsum("bpit,nit->btpn", patches_of(held.astype(int), places), signed)
            twin = twin.reshape(rows, steps, k, positions * n_out).sum(2)

            def run(x=x, x_bits=x_bits):
                made_here = _native.training_sums(9, x, x_bits, codes, None, k, steps, places)
                given = _native.training_sums(9, x, x_bits, codes, made, k, steps, places)
                return made_here, given

            ours, given = on_every_level(run)
            assert ours.dtype == np.int16
            assert np.array_equal(ours, twin)
            assert np.array_equal(given, twin)


def test_many_bits_per_step_are_summed_in_floats():
    x = pack(np.ones((2, 3, 12000 * 2), bool))
    sums = _native.training_sums(
        1, x, 12000, _native.codes(np.full((1, 3), -1.0)), None, 12000, 2, None
    )
    assert sums.dtype == np.float32
    assert (sums == -36000).all()


@pytest.mark.parametrize("steps", [5, 16, 40])
@pytest.mark.parametrize("x_bits", [1, 2])
def test_gradients_of_weights_are_those_of_patches(steps, x_bits):
    rng = np.random.default_rng(steps)
    images, positions, fan_in, n = 7, 3, 150, 115
    places = rng.integers(0, 31 + 2, (positions, fan_in)).astype(np.int32)
    of_drive = rng.integers(-9, 9, (images, steps, positions * n)).astype(np.float32)
    bits = rng.random((images, 31, steps * x_bits)) < 0.2
    (ours,) = on_every_level(lambda: [_native.product_gradients(of_drive, pack(bits), x_bits, places)])
    sums = patches_of(bits.astype(int), places)
    sums = sums.reshape(images, positions, fan_in, steps, x_bits).sum(-1)
    twin = np.einsum("btpn,bpit->in", of_drive.reshape(images, steps, positions, n), sums)
    assert np.array_equal(ours, twin)


@pytest.mark.parametrize(("sets", "channels"), [(1, 3), (5, 16), (2, 37)])
def test_gradients_of_inputs_are_those_of_the_taps_on_them(sets, channels):
    rng = np.random.default_rng(channels)
    rows, positions, taps, n, n_pixels = 30, 4, 6, 9, 11
    pixels = rng.integers(-1, n_pixels - 1, (positions, taps)).astype(np.int32)  # the last has none
    of_sums = rng.integers(-9, 9, (rows, positions, n)).astype(np.float32)
    weights = np.zeros((sets, taps, n, -(-channels // 16) * 16), np.float32)
    weights[..., :channels] = rng.integers(-9, 9, (sets, taps, n, channels))

    def run():
        out = np.full((rows, n_pixels, channels), np.nan, np.float32)
        _native.input_gradients(of_sums.reshape(rows, -1), weights, pixels, out)
        return [out]

    (ours,) = on_every_level(run)
    twin = np.zeros((rows, n_pixels, channels))
    of_row = weights[np.arange(rows) % sets][..., :channels]
    for position, tap in np.argwhere(pixels >= 0):
        of_tap = np.einsum("rn,rnc->rc", of_sums[:, position], of_row[:, tap])
        twin[:, pixels[position, tap]] += of_tap
    assert np.array_equal(ours, twin)


def test_codes_round_to_even():
    halves = np.ldexp([[0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 3.0]], -32)
    for dtype in (np.float32, np.float64):
        (codes,) = on_every_level(lambda d=dtype: [_native.codes(halves.astype(d))])
        assert codes.ravel().tolist() == [0, 2, 2, 0, -2, -2, 3]
    assert _native.codes(np.array([[1.0, -1.0]])).ravel().tolist() == [2**32, -(2**32)]


def test_the_drive_keeps_the_sums_of_own_spikes_in_every_type():
    rng = np.random.default_rng(3)
    neuron, gain = LIF(tau_mem=5.0), np.full(11, 0.1)
    weights, bits = rng.choice([-1.0, 1.0], (11, 11)), pack(np.ones((11, 11, 70), bool))
    given = rng.integers(-5, 20, (6, 70, 11))
    drives = [given.astype(dtype) for dtype in (np.int16, np.float32, np.float64)]
    words = [
        _native.training_neurons(
            neuron.parameters, 0, False, 11, drive, gain, weights, bits, 1, np.zeros((6, 11))
        )
        for drive in drives
    ]
    own = np.einsum("bkt,kj->btj", unpack(delayed(words[0], 1, 70), 70).astype(float), weights)
    assert own.any()
    assert np.array_equal(drives[0], given + own)
    for drive, spikes in zip(drives[1:], words[1:], strict=True):
        assert np.array_equal(drive, drives[0])
        assert np.array_equal(spikes, words[0])


@pytest.mark.parametrize("length", [1, 16, 63, 64, 65, 200, 511, 512, 600])
def test_densities_of_a_matrix_are_encoded_as_their_thresholds(length):
    rng = np.random.default_rng(length)
    p = np.where(rng.random((9, 21)) < 0.4, 0.0, rng.random((9, 21)))
    p[3, :4] = [1.0, 1.5 * 2.0**-33, 0.5 * 2.0**-33, 1 - 2.0**-40]
    source = Bernoulli()
    numbers = source.numbers(lane_streams(9, 21), length, key=7)
    twin = pack(numbers < np.rint(p * 2.0**32)[..., None])
    (ours,) = on_every_level(lambda: [_native.encode_matrix(7, p, length)])
    assert np.array_equal(ours, twin)
    words = source.words(source.thresholds(p).ravel(), lane_streams(9, 21).ravel(), length, key=7)
    assert np.array_equal(words.reshape(ours.shape), twin)
