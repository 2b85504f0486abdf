"""Graphs, learned times and delays, hidden layers, and layers among other modules."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import sc_neurocore
from sc_neurocore import LIF, Bitstream, Sobol, simulate, simulate_float
from sc_neurocore.streams._bits import delayed, pack, unpack
from sc_neurocore.training import SCConv2d, SCLinear, SCNetwork, from_network, to_network
from sc_neurocore.training._spikes import Spikes

READOUT = LIF(tau_mem=math.inf, v_threshold=math.inf)
PLAIN = LIF(tau_mem=8.0)
TRAINS = Bitstream.from_bits(np.random.default_rng(1).random((4, 6, 90)) < 0.3)


def graph(**options):
    torch.manual_seed(3)
    return SCNetwork(
        SCLinear(6, 5, gain=1.0, neuron=PLAIN),
        SCConv2d(1, 2, 2, (1, 5), gain=0.9, neuron=PLAIN, padding=1),
        SCLinear(6 + 24, 3, gain=1.0, delay=[2, 0, 1, 0, 0, 3] + [0] * 24, neuron=LIF(tau_mem=9.0)),
        SCLinear(3, 2, gain=1.0, neuron=PLAIN),
        connections=["input", 0, ["input", 1], 2],
        outputs=[3, 2],
        **options,
    )


@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize("x", [torch.rand(4, 6, generator=torch.Generator().manual_seed(0)), TRAINS])
def test_a_graph_is_that_of_the_simulation(x, k):
    model = graph().eval()
    network = to_network(model)
    length = None if isinstance(x, Bitstream) else 90
    result = simulate(network, x, length, seed=5, bits_per_step=k)
    counts, potentials = model.run(x, length, 5, bits_per_step=k)
    assert np.array_equal(counts.detach().numpy(), result.counts)
    assert np.array_equal(potentials.detach().numpy(), result.potentials)
    assert result.counts.any()
    real = model.double().run(x, length, sampled=False)
    assert np.allclose(
        real.potentials.detach(), simulate_float(to_network(model), x, length).potentials
    )
    again = from_network(network)
    assert to_network(again) == network


def test_gradients_reach_every_layer_of_a_graph():
    for gradient in ("means", "bits"):
        model = graph(gradient=gradient)
        counts, potentials = model.run(TRAINS, seed=1)
        (counts.sum() + potentials.sum()).backward()
        assert all(parameter.grad.any() for parameter in model.parameters()), gradient


def test_means_and_bits_have_the_same_expected_gradient():
    # An integrator: potential = gain * sum of x w, whose gradient for w is gain * ones of x.
    layer = SCLinear(6, 1, gain=0.5, neuron=READOUT)
    x, length = torch.linspace(0, 1, 6)[None], 400
    of_w = {}
    for gradient in ("means", "bits"):
        layer.zero_grad()
        SCNetwork(layer, gradient=gradient)(x, length, 2).sum().backward()
        of_w[gradient] = layer.weight.grad[0].numpy().copy()
    assert np.allclose(of_w["means"], 0.5 * length * x[0].numpy(), rtol=1e-6)
    sigma = 0.5 * np.sqrt(length * x[0].numpy() * (1 - x[0].numpy()))
    assert (abs(of_w["bits"] - of_w["means"]) <= 5 * sigma + 1e-4).all()


def test_hidden_spikes_rates_and_counts_are_those_of_the_simulation():
    model = graph().eval()
    layers = model.run_layers(TRAINS, seed=5)
    result = simulate(to_network(model), TRAINS, seed=5, record=True)
    for ours, theirs in zip(layers, result.spikes, strict=True):
        assert np.array_equal(ours.spikes.detach().permute(1, 2, 0).numpy(), theirs.bits())
        assert torch.equal(ours.spikes.sum(0), ours.counts)
        assert torch.allclose(ours.rates, ours.counts / 90)
    (layers[0].spikes * torch.randn(90, 4, 5)).sum().backward()
    assert model.layers[0].weight.grad.any()


def test_layers_among_other_modules_are_those_of_a_network():
    model = graph().eval()
    spikes = torch.tensor(np.moveaxis(TRAINS.bits(), -1, 0), dtype=torch.float32)
    alone = SCNetwork(model.layers[0]).eval().run_layers(TRAINS, seed=4)[0].spikes
    assert torch.equal(model.layers[0](spikes, seed=4), alone)
    assert torch.equal(model.layers[0].train()(spikes[:, :1], seed=4)[:, 0], alone[:, 0])
    # Real numbers: twice the spikes at half the gain.
    first = model.layers[0].eval()
    half = SCLinear(6, 5, gain=0.5, neuron=PLAIN).eval()
    half.weight.data = first.weight.data
    x = (2 * spikes).requires_grad_()
    assert torch.equal(half(x, seed=4, source=Sobol()), first(spikes, seed=4, source=Sobol()))
    half(x, seed=4).sum().backward()
    assert x.grad.any()
    assert half.weight.grad.any()
    body = nn.Sequential(first, nn.Dropout(0.5), SCLinear(5, 3, gain=2.0, neuron=PLAIN))
    body(spikes).sum().backward()
    assert first.weight.grad.any()
    with pytest.raises(ValueError, match=r"x must have shape \(steps, batch, 6\), got \(90, 4, 5\)"):
        first(spikes[..., :5])
    with pytest.raises(ValueError, match="x must be spikes, 0 or 1, for a layer with delays"):
        SCLinear(6, 5, gain=1.0, delay=1)(x)


@pytest.mark.parametrize("reset", ["value", "subtract"])
def test_gradients_of_learned_parameters_are_those_of_recorded_steps(reset):
    neuron = LIF(
        tau_mem=7.0, tau_syn=3.0, v_rest=0.1, v_threshold=0.9, reset=reset, refractory_period=1
    )
    layer = SCLinear(6, 3, gain=0.7, neuron=neuron, learn=("tau_mem", "tau_syn", "v_threshold"))
    names = ["log_tau_mem", "log_tau_syn", "log_v_threshold"]
    with torch.no_grad():
        for name in names:
            getattr(layer, name).uniform_(-0.3, 0.3)
    model = SCNetwork(layer)
    goal = torch.randn(4, 3)
    counts, potentials = model.run(TRAINS, seed=2)
    loss = (counts * goal).sum() + (potentials * goal).sum()
    ours = torch.autograd.grad(loss, [getattr(layer, name) for name in names])
    # The same steps, recorded by autograd.
    spikes = torch.tensor(np.moveaxis(TRAINS.bits(), -1, 0), dtype=torch.float64)
    words = layer._weight_bits(
        layer._weights(), 90, 1, sc_neurocore.stream_key(2, sc_neurocore.Role.WEIGHT, 0),
        sc_neurocore.Bernoulli(),
    ).make()  # fmt: skip
    bits = torch.tensor(np.moveaxis(unpack(words, 90), -1, 0)) * layer.weight.detach().double().sign()
    drive = torch.bmm(spikes, bits.mT)
    learned = layer._learned()
    leak, synaptic = 1 / learned["tau_mem"], 1 / learned["tau_syn"]
    threshold = learned["v_threshold"]
    fall = (threshold - neuron.v_reset).detach()
    v, i = torch.full((4, 3), 0.1, dtype=torch.float64), torch.zeros(4, 3, dtype=torch.float64)
    rests, total = torch.zeros(4, 3), 0.0
    for t in range(90):
        i = i - i * synaptic + layer.gain.detach() * drive[t]
        awake = rests == 0
        x = torch.where(awake, v - (v - 0.1) * leak + i, v)
        over = x - threshold
        fires = ((over >= 0) & awake).double()
        width = 0.5 * fall
        soft = (over / width) / (1 + (over / width).abs())
        spike = torch.where(awake, fires + soft - soft.detach(), 0.0)
        v = torch.where(fires > 0, neuron.v_reset, x) if reset == "value" else x - fall * fires
        rests = torch.where(fires > 0, 1.0, (rests - 1).clamp(min=0))
        total = total + spike
    assert torch.equal(total.detach().float(), counts)
    loss = (total * goal).sum() + (v * goal).sum()
    theirs = torch.autograd.grad(loss, [getattr(layer, name) for name in names])
    for a, b in zip(ours, theirs, strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-4 * b.abs().max().item())


@pytest.mark.filterwarnings("ignore::sc_neurocore.SilentLayerWarning")
def test_learned_parameters_are_kept_in_the_network_and_stay_possible():
    layer = SCLinear(6, 3, gain=0.7, neuron=LIF(tau_mem=2.0), learn=("tau_mem", "v_threshold"))
    assert to_network(SCNetwork(layer))[0].neuron == LIF(tau_mem=[2.0] * 3, v_threshold=[1.0] * 3)
    with torch.no_grad():
        layer.log_tau_mem.copy_(torch.tensor([-5.0, 0.0, math.log(3)]))
        layer.log_v_threshold.fill_(math.log(2))
    neuron = to_network(SCNetwork(layer))[0].neuron
    assert np.allclose(neuron.tau_mem, [1, 2, 6])
    assert np.allclose(neuron.v_threshold, 2)
    SCNetwork(layer).train()(torch.rand(2, 6), 20).sum().backward()
    assert layer.log_tau_mem[0].exp().item() == pytest.approx(0.5)  # dt, the shortest


def test_a_delay_is_rounded_at_random_and_learned_by_interpolation():
    layer = SCLinear(1, 1, gain=1.0, neuron=READOUT, delay=3, learn=("delay",))
    with torch.no_grad():
        layer.weight.fill_(1.0)
        layer.steps_late.fill_(3.25)
    x = Spikes.of_tensor(torch.nn.functional.one_hot(torch.tensor([5]), 20).T[:, :, None].float())
    first = [int(unpack(layer.late(x, seed, 0).words, 20).argmax()) for seed in range(400)]
    assert set(first) == {8, 9}
    share = np.mean(np.array(first) == 9)
    assert abs(share - 0.25) <= 5 * math.sqrt(0.25 * 0.75 / 400)
    assert to_network(SCNetwork(layer))[0].delay == 3
    # Reward spikes at step 10: the delay should grow, from 3.25 to 4.
    late = layer.late(x, 0, 0).tensor()
    (-(late[9])).sum().backward()
    assert layer.steps_late.grad.item() == -1.0
    layer.eval()
    assert torch.equal(layer.late(x, 0, 0).tensor()[8], torch.ones(1, 1))


@pytest.mark.filterwarnings("ignore::sc_neurocore.SilentLayerWarning")
def test_delays_that_tell_two_classes_apart_are_learned():
    # Both classes have one spike at each of two inputs; only their order differs.
    torch.manual_seed(0)
    late = torch.tensor([[4, 10], [10, 4]])
    spikes = torch.zeros(2, 2, 30)
    for row in range(2):
        spikes[row, torch.arange(2), late[row]] = 1
    x = Bitstream.from_bits(spikes.numpy().astype(int))
    together = LIF(tau_mem=2.0, v_threshold=1.5)
    layer = SCLinear(2, 1, gain=1.0, neuron=together, delay=[4, 1], learn=("delay",), surrogate=1.0)
    with torch.no_grad():
        layer.weight.fill_(1.0)
    model = SCNetwork(layer)
    optimizer = torch.optim.Adam([layer.steps_late], lr=0.1)
    for _ in range(200):
        counts = model(x)
        optimizer.zero_grad()
        (counts[1] - counts[0]).sum().backward()
        optimizer.step()
    counts = simulate(to_network(model), x, seed=0).counts
    assert counts[0] == 1
    assert counts[1] == 0


def test_the_gradient_of_delayed_spikes_is_earlier():
    words = pack(np.random.default_rng(0).random((2, 3, 50)) < 0.5)
    late = np.array([0, 7, 60])
    x = torch.tensor(np.moveaxis(unpack(words, 50), -1, 0), dtype=torch.float32, requires_grad=True)
    out = Spikes.of_tensor(x).delayed(late)
    assert np.array_equal(out.words, delayed(words, late, 50))
    goal = torch.randn(50, 2, 3)
    (out.tensor() * goal).sum().backward()
    for i, steps in enumerate(late):
        expected = torch.zeros(50, 2)
        expected[: max(50 - steps, 0)] = goal[steps:, :, i]
        assert torch.equal(x.grad[:, :, i], expected)
