"""Noise of neurons in fixed point: its register, its law, and the networks that have it."""

from dataclasses import replace

import numpy as np
import pytest

from sc_neurocore import LIF, Conv2d, Dense, FixedPoint, Network, Record, prepare, simulate
from sc_neurocore.networks._noise import MOST_COINS, Noise
from sc_neurocore.neurons.theory import stationary_std

RNG = np.random.default_rng(3)
NOISY = LIF(tau_mem=10.0, noise_std=0.1)
DENSE = Dense(RNG.uniform(-1, 1, (5, 8)), 0.2, NOISY)
NETWORK = Network([DENSE, Dense(RNG.uniform(0, 1, (3, 5)), 0.6)])
X = RNG.random((4, 8))


def register(state, n):
    """The bits of the register, one after another."""
    bits = [state >> i & 1 for i in range(31)]
    while len(bits) < n:
        bits.append(bits[-31] ^ bits[-28])
    return np.array(bits[:n])


@pytest.mark.parametrize(("coins", "shift"), [(24, 0), (7, 3), (1, 0)])
def test_noise_counts_the_bits_of_the_register_from_any_step(coins, shift):
    noise, n, steps = Noise(coins, shift, 987654321), 7, 90
    words = register(noise.start, MOST_COINS * n * steps).reshape(steps, n, MOST_COINS)
    wanted = (2 * words[..., :coins].sum(axis=-1) - coins) << shift
    assert np.array_equal(noise.values(0, steps, n), wanted)
    assert np.array_equal(noise.values(41, 20, n), wanted[41:61])
    assert np.abs(wanted).max() < 2 ** (noise.bits - 1)


def test_words_are_those_of_blocks_of_them(monkeypatch):
    noise = Noise(9, 0, 55)
    whole = noise.values(5, 60, 11)
    monkeypatch.setattr("sc_neurocore.networks._noise._WORDS", 100)
    assert np.array_equal(noise.values(5, 60, 11), whole)


@pytest.mark.parametrize("std", [1.0, 2.5, 40.0, 1600.0])
def test_the_variance_is_the_nearest_and_that_of_its_coins(std):
    noise = Noise.of(std, 1)
    variance = noise.coins * 4**noise.shift
    apart = [abs(c * 4**s - std**2) for s in range(12) for c in range(1, MOST_COINS + 1)]
    assert abs(variance - std**2) == min(apart)
    z = noise.values(0, 4000, 25).ravel()
    assert abs(z.mean()) < 5 * np.sqrt(variance / z.size)
    kurtosis = 3 - 2 / noise.coins
    second = (z.astype(float) ** 2).mean()  # of one coin, the variance itself
    assert abs(second - variance) <= 5 * variance * np.sqrt((kurtosis - 1) / z.size)


def test_noise_of_neurons_steps_and_layers_is_uncorrelated():
    a, b = (Noise.of(9.0, layer).values(0, 20_000, 6) / 9.0 for layer in (0, 1))
    columns = np.concatenate([a[1:], a[:-1], b[1:]], axis=1)
    seen = columns.T @ columns / len(columns) - np.eye(18)
    assert np.abs(seen - np.diag(np.diag(seen))).max() < 5 / np.sqrt(len(columns))


def test_potentials_without_input_have_the_stationary_deviation():
    lif = LIF(tau_mem=10.0, noise_std=0.05, v_threshold=np.inf)
    network = Network([Dense(np.full((40, 2), 0.5), 0.01, lif)])
    record = Record(potentials=True)
    run = simulate(network, [0.0, 0.0], 4000, fixed_point=FixedPoint(), seed=1, record=record)
    (neuron,) = FixedPoint().of(network).neurons
    assert neuron.noise is not None
    std = np.sqrt(neuron.noise.coins) * 2**neuron.noise.shift * neuron.unit
    assert std == pytest.approx(0.05, rel=0.05)
    leak = neuron.leak / 2**neuron.leak_shift
    law = stationary_std(replace(lif, noise_std=std, tau_mem=1 / leak))
    v = run.recording.potentials[0][:, 200:]
    # Values at a distance of 40 steps are independent.
    assert abs(v.std() / law - 1) < 5 / np.sqrt(2 * v.size / 40)


def test_rates_are_those_of_gaussian_noise():
    lif = LIF(tau_mem=10.0, noise_std=0.1)
    network = Network([Dense(np.tile([[0.3, 0.6, 0.9, 1.0]], (50, 1)), 0.05, lif)])
    steps = 2000
    fixed = simulate(network, [0.9] * 4, steps, fixed_point=FixedPoint(), seed=1).counts
    exact = simulate(network, [0.9] * 4, steps, seed=2).counts
    assert abs(fixed.mean() / exact.mean() - 1) < 0.05
    assert fixed.std() > 0


def test_runs_continue_and_rows_are_alone():
    options = {"fixed_point": FixedPoint(), "seed": 1}
    whole = simulate(NETWORK, X, 300, **options)
    first = simulate(NETWORK, X, 77, **options)
    last = simulate(NETWORK, X, 223, fixed_point=FixedPoint(), state=first.state)
    assert np.array_equal(first.counts + last.counts, whole.counts)
    assert np.array_equal(simulate(NETWORK, X[2], 300, **options).counts, whole.counts[2])
    kept = prepare(NETWORK, steps_kept=300, **options)
    assert np.array_equal(kept.run(X[2], 300).counts, whole.counts[2])
    quiet = Network([replace(DENSE, neuron=LIF(tau_mem=10.0)), NETWORK[1]])
    assert not np.array_equal(simulate(quiet, X, 300, **options).counts, whole.counts)


def test_positions_of_a_convolution_have_noise_of_their_own():
    network = Network([Conv2d(np.zeros((2, 1, 1, 1)), (2, 3), 0.5, replace(NOISY, v_threshold=np.inf))])
    record = Record(potentials=True)
    run = simulate(network, np.zeros(6), 50, fixed_point=FixedPoint(), seed=1, record=record)
    assert len(np.unique(run.recording.potentials[0][:, 3])) > 6


@pytest.mark.parametrize(
    ("layer", "fixed_point", "message"),
    [
        (
            replace(DENSE, gain=np.linspace(0.1, 0.2, 5)),
            FixedPoint(),
            "the same noise, and the same gain",
        ),
        (
            replace(DENSE, neuron=LIF(noise_std=np.linspace(0, 0.1, 5))),
            FixedPoint(),
            "the same noise, and the same gain",
        ),
        (
            replace(DENSE, neuron=LIF(noise_std=0.1, tau_syn=3.0)),
            FixedPoint(),
            "no noise in layers with synaptic currents",
        ),
        (
            replace(DENSE, recurrent=np.zeros((5, 5))),
            FixedPoint(),
            "no noise in layers with recurrent weights in fixed point",
        ),
        (
            replace(DENSE, neuron=LIF(noise_std=1e-5)),
            FixedPoint(),
            r"hold the noise of layer 0, 0\.\d+ in units of the last place",
        ),
        (
            replace(DENSE, gain=1.0, neuron=LIF(noise_std=9.0)),
            FixedPoint(word=8, fraction=5),
            "hold the noise of layer 0",
        ),
    ],
)
def test_noise_that_hardware_lacks_is_refused(layer, fixed_point, message):
    with pytest.raises(ValueError, match=message):
        fixed_point.of(Network([layer, NETWORK[1]]))
