"""Calibrated models fire at the rate asked for, whatever their gains were."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from error_table import test_of
from sklearn.datasets import load_digits

from sc_neurocore import LIF, Bitstream, simulate
from sc_neurocore.training import SCConv2d, SCLinear, SCNetwork, calibrate, to_network

READOUT = LIF(tau_mem=math.inf, v_threshold=math.inf)
PLAIN = LIF(tau_mem=8.0)
LENGTH = 16


@pytest.fixture(autouse=True)
def _seeded():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # networks this small wait for other threads most of the time
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def digits():
    images, _ = load_digits(return_X_y=True)
    return images / 16


def chain(gain, *sizes):
    *hidden, last = pairwise(sizes)
    layers = [SCLinear(n_in, n_out, gain=gain, neuron=PLAIN) for n_in, n_out in hidden]
    return SCNetwork(*layers, SCLinear(*last, gain=gain, neuron=READOUT))


@pytest.mark.parametrize("gain", [1e-3, 0.2, 50.0])
def test_six_layers_start_neither_silent_nor_saturated(digits, gain):
    model = chain(gain, 64, 60, 60, 60, 60, 60, 10)
    rates = calibrate(model, digits[:100], LENGTH)
    assert math.isnan(rates[-1])
    held = simulate(to_network(model), digits[100:200], LENGTH, seed=1, record=True)
    for number, rate in enumerate(rates[:-1]):
        assert 0.07 <= rate < 0.14
        of_neurons = held.spikes[number].probability().mean(axis=0)
        assert 0.05 < of_neurons.mean() < 0.2
        assert (of_neurons > 0).mean() > 0.2
    assert all(layer.log_factor.item() == 0 for layer in model.layers)


def test_the_logits_of_a_readout_have_a_standard_deviation_of_1(digits):
    model = chain(0.3, 64, 40, 10)
    calibrate(model, digits[:100], LENGTH, seed=7)
    potentials = simulate(to_network(model), digits[:100], LENGTH, seed=7).potentials
    logits = 2 / math.sqrt(LENGTH) * potentials
    assert math.sqrt(logits.var(axis=1).mean()) == pytest.approx(1)


def test_gradients_reach_the_first_layer_of_a_calibrated_chain(digits):
    x = torch.tensor(digits[:64], dtype=torch.float32)
    model = chain(0.05, 64, 40, 40, 40, 40, 40, 10)
    calibrate(model, x, LENGTH)
    model(x, LENGTH, 1).square().sum().backward()
    assert all(layer.weight.grad.abs().max() > 0 for layer in model.layers)


def test_a_rate_out_of_reach_becomes_half_of_the_largest():
    # One neuron of ten can fire: the mean rate stays below 0.1.
    model = SCNetwork(SCLinear(4, 10, gain=1.0))
    with torch.no_grad():
        model.layers[0].weight.fill_(-0.5)[0] = 0.5
    (rate,) = calibrate(model, np.full((20, 4), 0.5), 64, rate=0.3)
    assert 0.03 < rate <= 0.06


def test_arrays_of_gains_keep_their_ratios_and_learned_factors_are_kept(digits):
    gains = np.linspace(0.1, 0.4, 20)
    model = SCNetwork(SCLinear(64, 20, gain=gains, neuron=PLAIN))
    with torch.no_grad():
        model.layers[0].log_factor.fill_(0.5)
    calibrate(model, digits[:50], LENGTH)
    given = model.layers[0].gain.detach().numpy() / gains
    assert np.allclose(given, given[0])
    assert given[0] != 1


def test_convolutions_noise_and_spike_trains_are_calibrated():
    trains = Bitstream.from_bits(np.random.default_rng(0).random((30, 64, 40)) < 0.2)
    noisy = LIF(tau_mem=8.0, noise_std=0.05)
    model = SCNetwork(
        SCConv2d(1, 6, 3, (8, 8), gain=0.01, neuron=noisy),
        SCLinear(216, 40, gain=30.0, recurrent=True),
    )
    rates = calibrate(model, trains, bits_per_step=4)
    assert all(0.07 < rate < 0.14 for rate in rates)


def test_a_neuron_that_fires_without_inputs_keeps_its_gain():
    model = SCNetwork(SCLinear(2, 3, gain=0.7, neuron=LIF(v_rest=2.0)))
    (rate,) = calibrate(model, [[0.0, 0.0]], 32, rate=0.05)
    assert rate > 0.05
    assert model.layers[0].gain.item() == 0.7


MODEL = SCNetwork(SCLinear(2, 3, gain=0.7))

test_errors = test_of([
    (lambda: calibrate(3, [[0.5, 0.5]], 8), TypeError, "model must be a SCNetwork, got 3"),
    (lambda: calibrate(MODEL, [[0.5, 0.5]], 8, rate=1), ValueError, "rate must be below 1, got 1.0"),
    (lambda: calibrate(MODEL, [[0.5]], 8), ValueError, "x must have shape (batch, 2), got (1, 1)"),
    (lambda: calibrate(MODEL, [[0.0, 0.0]], 8), ValueError,
     "model must have a neuron that fires at some gain in layers[0], got none up to 5e+08 times its "
     "gain; raise its positive weights, use more data or longer streams, or lower v_threshold"),
])  # fmt: skip
