"""Neuron models of a user's own inside a network, and pooling."""

import numpy as np
import pytest

from sc_neurocore import (
    LIF,
    Bitstream,
    Conv2d,
    Dense,
    FixedPoint,
    Network,
    noise_budget,
    simulate,
    simulate_float,
)
from sc_neurocore.networks import Record, average_pool2d, max_pool2d
from sc_neurocore.neurons import StepNeuron

RNG = np.random.default_rng(23)
X = RNG.random((3, 16))


def leaky(state, current):
    """Step `LIF(tau_mem=8.0)` by its equation."""
    v = (state["v"] - state["v"] * (1.0 / 8.0)) + 1.0 * current
    fires = v >= 1.0
    state["v"] = np.where(fires, 0.0, v)
    return fires


OWN, OURS = StepNeuron(leaky, {"v": 0.0}), LIF(tau_mem=8.0)


def networks(neuron):
    conv = Conv2d(W_CONV, (4, 4), 0.5, neuron, bias=[0.1, 0.0])
    return Network([conv, Dense(W_DENSE, 0.8, neuron, delay=[0, 1] * 4), Dense(W_OUT, 1.0, neuron)])


W_CONV, W_DENSE = RNG.uniform(-0.5, 1, (2, 1, 3, 3)), RNG.uniform(-0.5, 1, (5, 8))
W_OUT = RNG.uniform(-0.5, 1, (3, 5))


@pytest.mark.parametrize("k", [1, 3])
def test_a_model_with_the_equation_of_lif_fires_as_lif_does(k):
    record = Record(potentials=True, currents=True)
    one, other = (
        simulate(networks(neuron), X, 150, seed=1, bits_per_step=k, record=record)
        for neuron in (OWN, OURS)
    )
    for i in range(3):
        assert one.recording.spikes[i] == other.recording.spikes[i]
        assert np.array_equal(one.recording.potentials[i], other.recording.potentials[i])
        assert np.array_equal(one.recording.currents[i], other.recording.currents[i])
    assert one.counts.any()
    assert np.array_equal(one.potentials, other.potentials)
    real, same = (simulate_float(networks(neuron), X, 150) for neuron in (OWN, OURS))
    assert np.array_equal(real.counts, same.counts)
    assert np.array_equal(real.potentials, same.potentials)


def test_it_continues_in_any_split():
    whole = simulate(networks(OWN), X, 150, seed=1)
    state, counts = None, 0
    for steps in (1, 63, 86):
        run = simulate(networks(OWN), X, steps, seed=1, state=state)
        state, counts = run.state, counts + run.counts
    assert np.array_equal(counts, whole.counts)
    assert np.array_equal(run.potentials, whole.potentials)


def test_what_a_step_returns_is_checked():
    def wrong(state, current):
        return current

    def lost(state, current):
        state["v"] = state["v"][0]
        return current > 0

    for step, message in ((wrong, "step must return an array of bool"), (lost, "step must leave")):
        network = Network([Dense(np.ones((2, 16)), 1.0, StepNeuron(step, {"v": 0.0}))])
        with pytest.raises(ValueError, match=message):
            simulate(network, X, 5)
    with pytest.raises(ValueError, match='initial_state must have a value for "v"'):
        StepNeuron(leaky, {"u": 0.0})
    with pytest.raises(TypeError, match="step must be a function"):
        StepNeuron(1, {"v": 0.0})


def test_what_needs_the_equations_of_lif_refuses_other_models(tmp_path):
    network = networks(OWN)
    for call in (
        lambda: network.save(tmp_path / "a.npz"),
        lambda: noise_budget(network, X, 10),
        lambda: simulate(Network([Dense(W_OUT, 1.0, OWN)]), X[:, :5], 10, fixed_point=FixedPoint()),
    ):
        with pytest.raises(TypeError, match="network must have layers of LIF neurons"):
            call()
    with pytest.raises(ValueError, match="recurrent must be None for a StepNeuron"):
        Dense(np.ones((2, 2)), 1.0, OWN, recurrent=np.ones((2, 2)))
    with pytest.raises(TypeError, match="neuron must be a LIF or a StepNeuron"):
        Dense(np.ones((2, 2)), 1.0, 3)


@pytest.mark.parametrize("stride", [None, 1])
@pytest.mark.parametrize("dt", [1.0, 0.25])
def test_max_pooling_is_the_or_of_the_spikes_in_a_window(stride, dt):
    pool = max_pool2d(3, (4, 6), 2, stride, dt=dt)
    bits = (RNG.random((2, 3, 4, 6, 100)) < 0.2).astype(np.uint8)
    windows = np.lib.stride_tricks.sliding_window_view(bits, (2, 2), axis=(2, 3)).max(axis=(-1, -2))
    expected = windows[:, :, :: stride or 2, :: stride or 2].reshape(2, -1, 100)
    trains = Bitstream.from_bits(bits.reshape(2, -1, 100))
    for k in (1, 4):
        run = simulate(Network([pool]), trains, seed=1, bits_per_step=k, record=True)
        assert np.array_equal(run.spikes[0].bits(), expected)
    assert np.array_equal(simulate_float(Network([pool]), trains).counts, expected.sum(axis=-1))


def test_the_rate_of_a_max_pool_follows_its_law():
    """1 - (1 - p)**4 for four independent inputs, within 5 sigma of a Bernoulli mean."""
    p, length = np.linspace(0.05, 0.6, 4), 20_000
    x = np.repeat(p, 4).reshape(1, 4, 4)  # a channel per density, 2 x 2 each
    run = simulate(Network([max_pool2d(4, (2, 2), 2)]), x.reshape(1, 16), length, seed=3)
    law = 1 - (1 - p) ** 4
    assert (abs(run.counts[0] / length - law) < 5 * np.sqrt(law * (1 - law) / length)).all()


def test_average_pooling_counts_the_mean_of_a_window():
    pool = average_pool2d(2, (4, 4), 2, dt=0.5)
    bits = (RNG.random((3, 2, 4, 4, 200)) < 0.3).astype(np.uint8)
    sums = bits.sum(axis=-1).reshape(3, 2, 2, 2, 2, 2).sum(axis=(3, 5)).reshape(3, -1)
    trains = Bitstream.from_bits(bits.reshape(3, -1, 200))
    assert np.array_equal(simulate(Network([pool]), trains, seed=1).counts, sums // 4)
    assert np.array_equal(simulate_float(Network([pool]), trains).counts, sums // 4)


def test_pools_find_single_spikes_for_any_number_of_bits_per_step():
    bits = np.zeros((4, 6), np.uint8)
    bits[0] = [1, 0, 0, 1, 1, 1]
    trains = Bitstream.from_bits(bits)
    for k in (3, 48, 49, 98, 103):
        pool = Network([max_pool2d(1, (2, 2), 2)])
        assert simulate(pool, trains, seed=1, bits_per_step=k).counts.tolist() == [4]
    ones = Bitstream.from_bits(np.ones((49, 10), np.uint8))
    assert simulate(Network([average_pool2d(1, (7, 7), 7)]), ones, seed=1).counts.tolist() == [10]
