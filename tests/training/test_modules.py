"""Training samples the same bits as the simulator, and its gradients are those of the means."""

import copy
import math
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from sc_neurocore import (
    LIF,
    Bernoulli,
    Bitstream,
    Conv2d,
    Dense,
    Events,
    Network,
    Role,
    SilentLayerWarning,
    Sobol,
    load_digits,
    simulate,
    simulate_float,
    stream_key,
)
from sc_neurocore.training import (
    SCLinear,
    SCNetwork,
    from_network,
    to_network,
)
from sc_neurocore.training._autograd import Neurons, Population
from sc_neurocore.training._spikes import Spikes

IF = LIF(tau_mem=math.inf, reset="subtract")
READOUT = LIF(tau_mem=math.inf, v_threshold=math.inf)
PLAIN = LIF(tau_mem=8.0)
BELOW = LIF(v_rest=0.1, v_reset=-0.1, tau_mem=7.0, refractory_period=1)
RICH = LIF(
    v_rest=0.1, v_reset=-0.1, tau_mem=6.0, noise_std=0.1, resistance=1.3, refractory_period=2,
    tau_syn=3.0, reset="subtract",
)  # fmt: skip
RNG = np.random.default_rng(0)


def networks():
    w = lambda *shape: RNG.uniform(-1, 1, shape)  # noqa: E731
    return {
        "dense": [Dense(w(30, 12), 0.4, PLAIN), Dense(w(5, 30), 0.3, PLAIN)],
        "bias": [Dense(w(30, 12), 0.4, PLAIN, bias=w(30)), Dense(w(5, 30), 0.3, IF, bias=w(5))],
        "recurrent": [Dense(w(30, 12), 0.4, PLAIN, bias=w(30), recurrent=w(30, 30)),
                      Dense(w(5, 30), 0.3)],
        "delay": [Dense(w(30, 12), 0.4, PLAIN, delay=RNG.integers(0, 70, 12)),
                  Dense(w(5, 30), 0.5, delay=3)],
        "rich": [Dense(w(30, 12), 0.4, RICH), Dense(w(5, 30), 0.3, RICH, recurrent=w(5, 5))],
        "reset below rest": [Dense(w(30, 12), 0.4, BELOW), Dense(w(5, 30), 0.3, BELOW)],
        "readout": [Dense(w(30, 12), 0.4, PLAIN), Dense(w(5, 30), 0.3, READOUT)],
        "conv": [
            Conv2d(w(3, 2, 3, 2), (3, 2), 0.5, PLAIN, bias=w(3), padding=1),
            Conv2d(w(4, 3, 3, 3), (3, 3), 0.4, RICH, delay=2),
            Dense(w(5, 4), 0.6, READOUT),
        ],
        "strided conv": [Conv2d(w(4, 3, 2, 2), (2, 2), 0.5, IF, stride=2), Dense(w(5, 4), 0.3, PLAIN)],
    }  # fmt: skip


NETWORKS = networks()
X = torch.tensor(RNG.random((7, 12)) * (RNG.random((7, 12)) < 0.8))


def networks_of_numbers():
    rng = np.random.default_rng(1)
    w = lambda *shape: rng.uniform(-1, 1, shape)  # noqa: E731
    return {
        "numbers": [
            Dense(w(30, 12), 0.4, RICH, bias=w(30), sampled=False), Dense(w(5, 30), 0.3, PLAIN),
        ],
        "numbers conv": [
            Conv2d(w(3, 2, 3, 2), (3, 2), 0.5, PLAIN, bias=w(3), padding=1, sampled=False),
            Dense(w(5, 27), 0.5, PLAIN),
        ],
    }  # fmt: skip


NETWORKS |= networks_of_numbers()


def of_each(n, **common):
    """Neurons with parameters of their own."""
    rng = np.random.default_rng(n)
    return LIF(
        v_rest=rng.uniform(-0.1, 0.1, n), v_reset=rng.uniform(-0.3, -0.1, n),
        v_threshold=rng.uniform(0.5, 1.0, n), tau_mem=rng.uniform(4.0, 20.0, n),
        noise_std=rng.uniform(0.0, 0.1, n), resistance=rng.uniform(0.5, 1.5, n),
        refractory_period=rng.integers(0, 3, n), tau_syn=np.where(rng.random(n) < 0.5, 0.0, 3.0),
        **common,
    )  # fmt: skip


def networks_of_rows():
    rng = np.random.default_rng(7)
    w = lambda *shape: rng.uniform(-1, 1, shape)  # noqa: E731
    gain = lambda n: rng.uniform(0.2, 0.6, n)  # noqa: E731
    partly = LIF(v_threshold=[math.inf, 1.0, 0.8, math.inf, 1.0], reset="subtract")
    return {
        "gain of each row": [
            Conv2d(w(3, 2, 3, 2), (3, 2), gain(3), PLAIN, bias=w(3), padding=1),
            Dense(w(5, 27), gain(5), PLAIN, recurrent=w(5, 5)),
        ],
        "neurons of each row": [
            Conv2d(w(3, 2, 3, 2), (3, 2), gain(3), of_each(3), padding=1),
            Dense(w(6, 27), 0.5, of_each(6, reset="subtract"), recurrent=w(6, 6), delay=2),
            Dense(w(5, 6), gain(5), partly),
        ],
    }


NETWORKS |= networks_of_rows()
IN_TIME = torch.tensor(np.random.default_rng(8).random((7, 12, 70)) * X.numpy()[:, :, np.newaxis])
TRAINS = Bitstream.from_bits(np.random.default_rng(9).random((7, 12, 70)) < 0.4)
EVENTS = Events(
    [np.arange(0.0, 70.0, 0.1 + 0.05 * row) for row in range(3)],
    [np.arange(0.0, 70.0, 0.1 + 0.05 * row).astype(int) * 5 % 12 for row in range(3)],
    shape=(12, 70),
)


def model_of(name, **options):
    return from_network(Network(NETWORKS[name]), dtype=torch.float64, **options)


@pytest.mark.parametrize("source", [Bernoulli(), Sobol()], ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_evaluation_is_the_simulation_bit_for_bit(name, source):
    network, model = Network(NETWORKS[name]), model_of(name).eval()
    fired = 0
    for length in (1, 63, 64, 65, 200):
        result = simulate(network, X, length, seed=3, source=source)
        counts, potentials = model.run(X, length, 3, source=source)
        assert np.array_equal(counts.detach().numpy(), result.counts)
        assert np.array_equal(potentials.detach().numpy(), result.potentials)
        fired += result.counts.sum() + abs(result.potentials).sum()
    assert fired > 0


def assert_equal(outputs, result):
    assert np.array_equal(outputs.counts.detach().numpy(), result.counts)
    assert np.array_equal(outputs.potentials.detach().numpy(), result.potentials)


@pytest.mark.filterwarnings("ignore::sc_neurocore.PeriodWarning")
@pytest.mark.parametrize("source", [Bernoulli(), Sobol()], ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_evaluation_with_several_bits_per_step_is_the_simulation_bit_for_bit(name, source):
    network, model = Network(NETWORKS[name]), model_of(name).eval()
    for k, length in ((2, 70), (3, 33), (16, 1), (64, 20), (100, 9)):
        options = {"source": source, "bits_per_step": k}
        result = simulate(network, X, length, seed=3, **options)
        assert_equal(model.run(X, length, 3, **options), result)


@pytest.mark.filterwarnings("ignore::sc_neurocore.SilentLayerWarning")  # the events are few
@pytest.mark.parametrize("k", [1, 3, 8])
@pytest.mark.parametrize("source", [Bernoulli(), Sobol()], ids=str)
@pytest.mark.parametrize("name", ["recurrent", "delay", "conv", "neurons of each row"])
@pytest.mark.parametrize("x", [IN_TIME, IN_TIME.numpy(), TRAINS, EVENTS],
                         ids=["tensor", "array", "Bitstream", "Events"])  # fmt: skip
def test_inputs_that_change_in_time_are_those_of_the_simulation(x, name, source, k):
    given = x.numpy() if isinstance(x, torch.Tensor) else x
    options = {"source": source, "bits_per_step": k}
    result = simulate(Network(NETWORKS[name]), given, seed=3, **options)
    model = model_of(name)
    assert_equal(model.eval().run(x, seed=3, **options), result)
    trained = model.train().run(x, 70, 3, **options)
    assert np.array_equal(trained.potentials[0].detach().numpy(), result.potentials[0])
    if not isinstance(x, Bitstream | Events):
        same = model.run(x[:1].repeat(5, 1, 1) if x is IN_TIME else x[:1].repeat(5, 0), seed=3)
        assert len(torch.unique(same.potentials, dim=0)) == 5


@pytest.mark.parametrize("x", [IN_TIME, TRAINS, EVENTS], ids=["densities", "Bitstream", "Events"])
@pytest.mark.parametrize("name", ["dense", "recurrent", "conv", "neurons of each row"])
def test_inputs_that_change_in_time_are_those_of_the_simulation_on_real_numbers(x, name):
    given = x.numpy() if isinstance(x, torch.Tensor) else x
    outputs = model_of(name).eval().run(x, sampled=False, bits_per_step=5)
    result = simulate_float(Network(NETWORKS[name]), given)
    assert np.array_equal(outputs.counts.detach().numpy(), result.counts)
    assert np.allclose(outputs.potentials.detach().numpy(), result.potentials, rtol=0, atol=1e-9)


def test_spikes_as_densities_of_0_and_1_are_spikes():
    model, spikes = model_of("conv").eval(), torch.tensor(TRAINS.bits(), dtype=torch.float64)
    for k in (1, 4):
        ours, theirs = (
            model.run(spikes, seed=2, bits_per_step=k),
            model.run(TRAINS, None, 2, bits_per_step=k),
        )
        assert torch.equal(ours.potentials, theirs.potentials)


@pytest.mark.parametrize("name", ["recurrent", "conv", "gain of each row"])
def test_float32_weights_with_several_bits_per_step_are_the_weights_of_the_network(name):
    model = from_network(Network(NETWORKS[name])).eval()
    result = simulate(to_network(model), X, 40, seed=3, bits_per_step=100)
    assert_equal(model.run(X, 40, 3, bits_per_step=100), result)


def test_sums_too_large_for_float32_are_exact():
    layer = SCLinear(20, 1, gain=0.3, neuron=READOUT)
    model = SCNetwork(layer).eval()
    with torch.no_grad():
        layer.weight.copy_(1 - torch.arange(20) / 1000)
    x, k = Bitstream.from_bits(np.ones((1, 20, 2), int)), 2**20
    assert_equal(
        model.run(x, seed=1, bits_per_step=k), simulate(to_network(model), x, seed=1, bits_per_step=k)
    )


def test_float32_weights_are_the_weights_of_the_network():
    torch.manual_seed(1)
    model = SCNetwork(SCLinear(12, 30, gain=0.4), SCLinear(30, 5, gain=0.3, neuron=READOUT)).eval()
    with torch.no_grad():
        model.layers[0].log_factor += 0.1
    assert not torch.equal(X, X.float().double())
    potentials = model(X, 100, seed=9)
    result = simulate(to_network(model), X, 100, seed=9)
    assert np.array_equal(potentials.detach().numpy(), result.potentials)


def test_inputs_are_encoded_before_they_are_rounded_to_the_type_of_the_weights():
    # Densities just above the numbers that they are compared with, nearer than float32 tells apart.
    numbers = Bernoulli().numbers([0], 100, key=stream_key(0, Role.INPUT))[0]
    x = torch.tensor((numbers[:, np.newaxis] + 1) / 2**32)
    model = SCNetwork(SCLinear(1, 1, gain=1.0, neuron=READOUT)).eval()
    with torch.no_grad():
        model.layers[0].weight.fill_(1.0)
        potentials = model(x, 100, seed=0).numpy()
    assert np.array_equal(potentials, simulate(to_network(model), x, 100, seed=0).potentials)
    rounded = simulate(to_network(model), x.float().numpy(), 100, seed=0).potentials
    assert not np.array_equal(potentials, rounded)


@pytest.mark.parametrize("name", NETWORKS)
def test_without_sampling_it_is_the_simulation_on_real_numbers(name):
    # Sums of multiples of powers of two are exact in any order.
    layers = []
    for layer in NETWORKS[name]:
        layer = copy.copy(layer)
        for part in ("weights", "bias", "recurrent"):
            if getattr(layer, part, None) is not None:
                object.__setattr__(layer, part, np.rint(getattr(layer, part) * 64) / 64)
        object.__setattr__(layer, "gain", 0.25)
        layers.append(layer)
    network, x = Network(layers), np.rint(X.numpy() * 16) / 16
    result = simulate_float(network, x, 90)
    model = from_network(network).eval()
    counts, potentials = model.run(torch.tensor(x), 90, sampled=False)
    assert np.array_equal(counts.detach().numpy(), result.counts)
    assert np.allclose(potentials.detach().numpy(), result.potentials, rtol=0, atol=1e-12)


# --- gradients

SURROGATE_WIDTH = 0.5


def native(drive, gain, recurrent, neuron):
    """Spikes and last potentials (steps, batch, n) of the kernels, from sums of products."""
    of_pass = Population(neuron, SCLinear(1, drive.shape[2], gain=1.0), 1, None, 0, False,
                         SURROGATE_WIDTH, "means")  # fmt: skip
    sums = drive.transpose(0, 1).clone()
    link, v, words = Neurons.apply(sums, gain, recurrent, None, None, None, of_pass, None)
    return Spikes(words, len(drive), 1, link).tensor(), v


def recorded(drive, gain, recurrent, neuron):
    """Spikes and last potentials from the equations, with each step recorded by autograd."""
    if neuron.n_neurons is not None:  # those of neurons that are simulated alone
        parts = [
            recorded(drive[..., j : j + 1], gain[j], None, neuron[j]) for j in range(neuron.n_neurons)
        ]
        spikes, potentials = zip(*parts, strict=True)
        return torch.cat(spikes, -1), torch.cat(potentials, -1)
    width = SURROGATE_WIDTH * (neuron.v_threshold - neuron.v_reset)
    v = torch.full_like(drive[0], neuron.v_rest)
    i, rests, spike = torch.zeros_like(v), torch.zeros_like(v), torch.zeros_like(v)
    spikes = []
    for t in range(len(drive)):
        total = drive[t] if recurrent is None else drive[t] + spike @ recurrent.mT
        i = (i - i * neuron.dt / neuron.tau_syn if neuron.tau_syn else 0.0) + gain * total
        x = v - (v - neuron.v_rest) * neuron.dt / neuron.tau_mem + neuron.resistance * neuron.dt * i
        awake = rests == 0
        x = torch.where(awake, x, v)
        over = x - neuron.v_threshold
        fires = ((over >= 0) & awake).double()
        soft = width * (over / width) / (1 + (over / width).abs()) / width  # its slope is the surrogate
        spike = torch.where(awake, fires + soft - soft.detach(), 0.0)
        after = x - (neuron.v_threshold - neuron.v_reset) * fires
        if neuron.reset == "value":
            after = torch.where(fires > 0, neuron.v_reset, x)
        v = after
        rests = torch.where(fires > 0, float(neuron.refractory_period), (rests - 1).clamp(min=0))
        spikes.append(spike)
    return torch.stack(spikes), v


@pytest.mark.parametrize("with_recurrent", [False, True])
@pytest.mark.parametrize(
    "neuron",
    [PLAIN, IF, LIF(v_rest=0.1, v_reset=-0.2, tau_mem=6.0, refractory_period=2, resistance=1.3),
     LIF(tau_mem=6.0, tau_syn=3.0, refractory_period=1, reset="subtract")],
)  # fmt: skip
def test_the_backward_pass_is_that_of_recorded_steps(neuron, with_recurrent):
    rng = torch.Generator().manual_seed(0)
    drive = torch.randn(40, 3, 5, generator=rng, dtype=torch.float64) + 0.4
    recurrent = torch.randn(5, 5, generator=rng, dtype=torch.float64) if with_recurrent else None
    gain = torch.tensor(0.5, dtype=torch.float64)
    inputs = [t.requires_grad_() for t in (drive, gain, recurrent) if t is not None]
    goal = torch.randn(40, 3, 5, generator=rng, dtype=torch.float64)
    results = []
    for spikes, v in (
        native(drive, gain, recurrent, neuron),
        recorded(drive, gain, recurrent, neuron),
    ):
        loss = (spikes * goal).sum() + (v * goal[0]).sum()
        results.append((spikes, v, *torch.autograd.grad(loss, inputs)))
    assert results[0][0].sum() > 50
    for ours, theirs in zip(*results, strict=True):
        near = 1e-5 * theirs.abs().max()  # gradients are in float32
        assert torch.allclose(ours.double(), theirs, rtol=0, atol=near.item())


@pytest.mark.parametrize("reset", ["value", "subtract"])
def test_the_backward_pass_of_different_neurons_is_that_of_each(reset):
    neuron = replace(of_each(5, reset=reset), noise_std=0.0)
    rng = torch.Generator().manual_seed(0)
    drive = torch.randn(40, 3, 5, generator=rng, dtype=torch.float64) + 0.4
    gain = torch.rand(5, generator=rng, dtype=torch.float64) + 0.1
    goal = torch.randn(40, 3, 5, generator=rng, dtype=torch.float64)
    results = []
    inputs = [drive.requires_grad_(), gain.requires_grad_()]
    for spikes, v in (
        native(drive, gain, None, neuron),
        recorded(drive, gain, None, neuron),
    ):
        loss = (spikes * goal).sum() + (v * goal[0]).sum()
        results.append((spikes, v, *torch.autograd.grad(loss, inputs)))
    assert results[0][0].sum() > 50
    for ours, theirs in zip(*results, strict=True):
        near = 1e-5 * theirs.abs().max()  # gradients are in float32
        assert torch.allclose(ours.double(), theirs, rtol=0, atol=near.item())


@pytest.mark.parametrize("k", [1, 3, 8])
def test_the_gradient_of_a_weight_is_the_number_of_its_spikes(k):
    # potential = gain * sum over t of x * (mean of k bits of w), and each bit has the slope 1.
    layer = SCLinear(12, 2, gain=[0.5, 0.25], neuron=READOUT, bias=True)
    SCNetwork(layer)(TRAINS, seed=1, bits_per_step=k).sum().backward()
    gain = np.array([[0.5], [0.25]])
    assert np.allclose(layer.weight.grad, gain * TRAINS.counts().sum(0), rtol=1e-5)
    assert np.allclose(layer.bias.grad, gain[:, 0] * 7 * 70, rtol=1e-5)


def test_gradients_of_an_integrator_are_finite_differences():
    neuron = LIF(v_rest=0.1, v_threshold=math.inf, tau_mem=5.0, tau_syn=2.0, resistance=1.2)
    rng = torch.Generator().manual_seed(0)
    drive = torch.randn(12, 2, 3, generator=rng, dtype=torch.float64, requires_grad=True)
    gain = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    potential = lambda d, g: native(d, g, None, neuron)[1]  # noqa: E731
    assert torch.autograd.gradcheck(potential, (drive, gain), eps=1e-3, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("in_time", [False, True])
@pytest.mark.parametrize("k", [1, 4])
def test_gradients_through_bits_average_to_those_of_the_mean(k, in_time):
    # potential = gain / k * sum over bits of x and w, whose mean is gain * L * w x. Given the bits, the
    # gradient for w is gain / k times the ones of x, of which there are L * k: its mean is
    # gain * L * x and its variance gain**2 * L x (1 - x) / k.
    x, length, seeds = torch.tensor([[0.3, 0.9, 0.5]], requires_grad=True), 50, 200
    given = x[:, :, None].expand(1, 3, length) if in_time else x
    layer = SCLinear(3, 1, gain=0.2, neuron=READOUT)
    model = SCNetwork(layer)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.8, -0.4, 1.0]]))
    of_w, of_x, potentials = [], [], []
    for seed in range(seeds):
        potential = model(given, length, seed, bits_per_step=k)
        parts = torch.autograd.grad(potential.sum(), (layer.weight, x, layer.log_factor))
        of_w.append(parts[0].numpy()[0])
        of_x.append(parts[1].numpy()[0])
        potentials.append(potential.item())
        assert parts[2].item() == pytest.approx(potential.item(), rel=1e-6)
    w, p = layer.weight.detach().numpy()[0].astype(float), x.detach().numpy()[0].astype(float)
    steps = length * seeds * k
    for mean, q, sign in ((np.mean(of_w, 0), p, 1), (np.mean(of_x, 0), abs(w), np.sign(w))):
        sigma = 0.2 * length * np.sqrt(q * (1 - q) / steps)
        assert (abs(mean - sign * 0.2 * length * q) <= 5 * sigma + 1e-5).all()
    z = abs(w) * p
    sigma = 0.2 * length * np.sqrt((z * (1 - z)).sum() / steps)
    assert abs(np.mean(potentials) - 0.2 * length * (w * p).sum()) <= 5 * sigma


# --- precision, damaged parameters, silence


def hot(**options):
    model = SCNetwork(SCLinear(6, 3, gain=0.8, recurrent=True, **options))
    with torch.no_grad():
        model.layers[0].weight.fill_(0.7)
    return model, torch.rand(3, 6, generator=torch.Generator().manual_seed(0))


def test_mixed_precision_does_not_round_counts():
    model, x = hot()
    results = []
    for enabled in (False, True):
        model.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            counts = model(x, 1000, seed=1)
        counts.sum().backward()
        results.append((counts, *(p.grad for p in model.parameters())))
    assert results[0][0].max() > 600  # bfloat16 has 8 bits
    for plain, mixed in zip(*results, strict=True):
        assert mixed.dtype == plain.dtype
        assert torch.equal(plain, mixed)


def test_a_backward_pass_in_mixed_precision_rounds_no_more_than_pytorch_does():
    gradients = []
    for enabled in (False, True):
        model, x = hot()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            model(x, 1000, seed=1).sum().backward()
        gradients.append(model.layers[0].weight.grad)
    assert torch.allclose(*gradients, rtol=2**-8)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_the_type_of_the_weights_rounds_neither_counts_nor_the_gain(dtype):
    model, x = hot()
    model = model.to(dtype).eval()
    assert model.layers[0].weight.dtype == dtype
    assert to_network(model).layers[0].gain == 0.8
    counts = model(x.to(dtype), 1000, seed=1)
    assert counts.dtype == torch.float32
    expected = simulate(to_network(model), x.to(dtype).double(), 1000, seed=1).counts
    assert np.array_equal(counts.detach().numpy(), expected)
    model.train()(x, 20).sum().backward()
    assert model.layers[0].weight.grad.dtype == dtype


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize(
    ("part", "index", "where"),
    [
        ("weight", (1, 2), " at index (1, 2)"),
        ("bias", (1,), " at index 1"),
        ("recurrent", (0, 1), " at index (0, 1)"),
        ("log_factor", (), ""),
    ],
)
def test_a_parameter_that_is_not_finite_is_named_with_its_layer(part, index, where, value):
    layer = SCLinear(3, 2, gain=0.5, bias=True, recurrent=True)
    model = SCNetwork(SCLinear(6, 3, gain=0.8), layer)
    with torch.no_grad():
        getattr(layer, part)[index] = value
    said = (
        f"layers[1].{part} must be finite, got {value}{where}; training has diverged: lower the "
        "learning rate or clip the gradients"
    )
    for call in (lambda: model(torch.rand(2, 6), 10), lambda: to_network(model)):
        with pytest.raises(ValueError) as caught:
            call()
        assert str(caught.value) == said


@pytest.mark.parametrize("factor", [-1e4, 1e4])
def test_a_gain_that_left_the_range_of_numbers_is_named(factor):
    model, x = hot()
    with torch.no_grad():
        model.layers[0].log_factor.fill_(factor)
    with pytest.raises(ValueError, match=r"layers\[0\].gain must be finite and greater than 0, got"):
        model(x, 10)


def test_a_model_that_starts_silent_is_reported_once_with_a_gain_that_fires():
    torch.manual_seed(0)
    x = torch.rand(5, 4)
    model = SCNetwork(SCLinear(4, 8, gain=0.001), SCLinear(8, 2, gain=5.0))
    with pytest.warns(SilentLayerWarning, match=r"no neuron of layers\[0\] fired in 64") as caught:
        model(x, 64, seed=0).sum().backward()
    assert not model.layers[1].weight.grad.any()
    assert caught[0].filename == __file__
    model(x, 64, seed=0)  # a warning is an error in these tests
    gain = float(re.search(r"gain above ([\d.]+) \(now 0.001\)", str(caught[0].message))[1])
    model.layers[0].initial_gain.fill_(3 * gain)
    model._has_started = False
    model(x, 64, seed=0).sum().backward()
    assert model.layers[1].weight.grad.any()


def test_streams_too_short_to_fire_are_reported_as_such():
    model = SCNetwork(SCLinear(1, 1, gain=0.01, neuron=IF))
    with torch.no_grad():
        model.layers[0].weight.fill_(1.0)
    with pytest.warns(SilentLayerWarning, match="train on longer streams"):
        model(torch.ones(1, 1), 20)


@pytest.mark.parametrize("model", [
    SCNetwork(SCLinear(4, 2, gain=0.001)).eval(),  # simulate warns of it
    SCNetwork(SCLinear(4, 2, gain=0.001, neuron=READOUT)),
])  # fmt: skip
def test_silent_evaluation_and_readouts_do_not_warn(model):
    model(torch.rand(2, 4), 20)


def test_zero_inputs_do_not_warn():
    SCNetwork(SCLinear(4, 2, gain=0.001))(torch.zeros(2, 4), 20)


@pytest.mark.parametrize("name", ["recurrent", "rich", "conv", "strided conv"])
def test_a_compiled_model_has_the_results_of_the_model(name):
    model = model_of(name)
    gradients = []
    for net in (
        model,
        torch.compile(model, backend="eager"),
        torch.compile(model.run, backend="eager"),
    ):
        model.zero_grad()
        result = net(X, 40, 3)
        counts = getattr(result, "counts", result)
        counts.sum().backward()
        gradients.append((counts, model.layers[0].weight.grad))
    if not math.isinf(model.layers[-1].neuron.v_threshold):
        for counts, gradient in gradients[1:]:
            assert torch.equal(counts, gradients[0][0])
            assert torch.equal(gradient, gradients[0][1])


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # PyTorch's own
def test_a_model_inside_a_compiled_module_has_its_results():
    torch.manual_seed(0)
    network, x = SCNetwork(SCLinear(5, 3, gain=0.8)), torch.randn(4, 6)
    whole = nn.Sequential(nn.Linear(6, 5), nn.Sigmoid())
    net = lambda x: network(whole(x), 50, 1) * 2.0  # noqa: E731
    a, b = net(x), torch.compile(net, backend="eager")(x)
    assert a.any()
    assert torch.equal(a, b)


# --- as a module


def test_images_of_a_batch_use_independent_numbers_in_training_only():
    model = model_of("dense")
    same = X[:1].repeat(50, 1)
    trained = model(same, 100, seed=1)
    assert len(torch.unique(trained, dim=0)) > 10
    shared = model.eval()(same, 100, seed=1)
    assert len(torch.unique(shared, dim=0)) == 1
    assert torch.equal(trained[0], shared[0])
    dependent = SCNetwork(*model.layers, independent=False).train()
    assert torch.equal(dependent(same, 100, seed=1), shared)


def test_seeds_come_from_the_generator_of_pytorch():
    model = model_of("dense")
    runs = []
    for _ in range(2):
        torch.manual_seed(5)
        runs.append([model(X, 60), model(X, 60)])
    assert torch.equal(runs[0][0], runs[1][0])
    assert torch.equal(runs[0][1], runs[1][1])
    assert not torch.equal(runs[0][0], runs[0][1])


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_restored_from_its_model(name):
    network = Network(NETWORKS[name])
    back = to_network(model_of(name))
    assert repr(back) == repr(network)
    for ours, theirs in zip(back.layers, network.layers, strict=True):
        assert ours == theirs
        for part in ("weights", "bias", "recurrent", "delay"):
            given, kept = getattr(theirs, part, None), getattr(ours, part, None)
            assert (given is None) == (kept is None)
            assert given is None or np.array_equal(kept, given)


def test_gains_of_rows_are_kept_and_learned_for_each_row():
    network = Network(NETWORKS["gain of each row"])
    model = from_network(network)
    assert model.layers[0].gain.shape == model.layers[0].log_factor.shape == (3,)
    assert all(np.array_equal(a.gain, b.gain) for a, b in zip(to_network(model), network, strict=True))
    assert to_network(model_of("dense"))[0].gain == 0.4
    with torch.no_grad():
        model.layers[0].log_factor[1] = math.log(2)
    back = to_network(model.eval())[0].gain / network[0].gain
    assert np.allclose(back, [1, 2, 1])
    assert "gain 0." in repr(model)
    with torch.no_grad():
        model.layers[0].log_factor[1] = 1e4
    with pytest.raises(
        ValueError, match=r"layers\[0\].gain must be finite and greater than 0, got inf"
    ):
        model(X, 10)


def test_float32_represents_the_shipped_network_exactly():
    digits = load_digits()
    back = to_network(from_network(digits.network))
    for ours, theirs in zip(back.layers, digits.network.layers, strict=True):
        assert np.array_equal(ours.weights, theirs.weights)


def test_weights_out_of_bounds_are_clipped_and_in_training_projected():
    model = model_of("recurrent")
    weights = [model.layers[0].weight, model.layers[0].bias, model.layers[0].recurrent]
    with torch.no_grad():
        for weight in weights:
            weight *= 1.5
    assert max(abs(weight).max() for weight in weights) > 1
    clipped = to_network(model).layers[0]
    model.eval()(X, 10, seed=0)
    assert max(abs(weight).max() for weight in weights) > 1
    model.train()(X, 10, seed=0)
    assert max(abs(weight).max() for weight in weights) == 1
    assert np.array_equal(clipped.weights, weights[0].detach().numpy())
    assert np.array_equal(clipped.recurrent, weights[2].detach().numpy())


def trained(steps=60):
    """A network that classifies which half of its inputs has the larger sum, and its test accuracy."""
    torch.manual_seed(0)
    model = SCNetwork(SCLinear(10, 16, gain=0.4, bias=True), SCLinear(16, 2, gain=0.3, neuron=READOUT))
    x = torch.rand(600, 10)
    labels = (x[:, :5].sum(1) < x[:, 5:].sum(1)).long()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for step in range(steps):
        part = slice(step % 10 * 40, step % 10 * 40 + 40)
        loss = nn.functional.cross_entropy(model(x[part], 32), labels[part])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    classes = simulate(to_network(model), x[400:].numpy(), 64, seed=1).classes
    return model, float((classes == labels[400:].numpy()).mean())


def test_training_reaches_an_accuracy_and_is_reproducible():
    model, accuracy = trained()
    again, _ = trained()
    assert accuracy > 0.85
    for name, parameter in model.state_dict().items():
        assert torch.equal(parameter, again.state_dict()[name]), name
    assert model.layers[0].log_factor != 0


def test_a_state_dict_restores_everything_learned():
    model, _ = trained(steps=5)
    other = SCNetwork(SCLinear(10, 16, gain=1.0, bias=True), SCLinear(16, 2, gain=1.0, neuron=READOUT))
    other.load_state_dict(model.state_dict())
    x = torch.rand(4, 10)
    assert torch.equal(other.eval()(x, 50, seed=2), model.eval()(x, 50, seed=2))


def test_a_fixed_gain_does_not_change():
    model = SCNetwork(SCLinear(3, 2, gain=0.3, learn=()))
    model(torch.rand(4, 3), 20).sum().backward()
    assert model.layers[0].log_factor.grad is None
    assert model.layers[0].weight.grad is not None
    assert to_network(model).layers[0].gain == 0.3


def test_tensors_that_require_gradients_are_inputs_and_gains():
    layer = SCLinear(3, 2, gain=torch.tensor(0.5, requires_grad=True))
    with torch.no_grad():
        layer.weight.fill_(0.5)
    x = torch.full((1, 3), 0.5, requires_grad=True)
    SCNetwork(layer)(x, 50, seed=1).sum().backward()
    assert x.grad.any()
    assert layer.gain.item() == 0.5


def test_compilation_without_graph_breaks_is_refused():
    compiled = torch.compile(hot()[0], backend="eager", fullgraph=True)
    with pytest.raises(Exception, match=r"torch\.compiler\.disable"):
        compiled(torch.rand(3, 6), 10)


def test_the_gradient_reaches_all_parameters_of_all_layers():
    for name in NETWORKS:
        model = model_of(name)
        x = X.clone().requires_grad_()
        counts, potentials = model.run(x, 150, 4)
        (counts.sum() + potentials.sum()).backward()
        for label, parameter in [*model.named_parameters(), ("x", x)]:
            assert parameter.grad.abs().sum() > 0, (name, label)


def test_modules_print_their_geometry():
    assert "12 -> 30, gain=0.4" in repr(model_of("dense"))
    assert "(4, 3, 2, 2) on (2, 2), stride=2" in repr(model_of("strided conv"))
    assert repr(SCLinear(2, 1, gain=0.5, sampled=False)).endswith("neuron=LIF(), sampled=False)")


def test_importing_without_pytorch_names_the_extra():
    code = "import sys; sys.modules['torch'] = None; import sc_neurocore.training"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "needs PyTorch; run pip install '.[torch]' in a clone" in run.stderr
