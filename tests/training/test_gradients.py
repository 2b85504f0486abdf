"""Gradients of the kernels are those of PyTorch on unpacked bits, and of the expected loss."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from steps_in_python import Fire
from test_modules import IN_TIME, NETWORKS, TRAINS, X, model_of

from sc_neurocore import Bernoulli, Bitstream, Role, Sobol, _native, encode, stream_key
from sc_neurocore.streams import operands
from sc_neurocore.streams._bits import pack, unpack
from sc_neurocore.streams.keys import lane_streams
from sc_neurocore.training import SCConv2d, _autograd, _spikes
from sc_neurocore.training._autograd import Bits
from sc_neurocore.training._spikes import sums_of_bits


def time_first(words, length):
    return torch.from_numpy(np.moveaxis(unpack(words, length), -1, 0).astype(float))


def pass_in_python(model, x, steps, seed, source, k):
    """Counts and potentials of a training pass of a chain, on unpacked bits and step by step."""
    of_inputs, *of_weights = operands(source, 1 + len(model.layers))
    if isinstance(x, Bitstream):
        spikes = time_first(x.words, steps)
    else:
        streams = lane_streams(*x.shape[:2])
        key = stream_key(seed, Role.INPUT)
        if x.ndim == 2:
            bits = time_first(encode(x.detach(), steps * k, key=key, source=of_inputs,
                                     streams=streams).words, steps * k)  # fmt: skip
            means = x[None].expand(steps * k, -1, -1)
        else:
            numbers = of_inputs.numbers(streams, steps * k, key=key).reshape(*streams.shape, steps, k)
            ones = numbers < of_inputs.thresholds(x.detach().numpy())[..., None]
            bits = torch.from_numpy(ones).flatten(2).permute(2, 0, 1).double()
            means = x.permute(2, 0, 1).repeat_interleave(k, 0)
        spikes = Bits.apply(means, bits)
    for number, (layer, of_layer) in enumerate(zip(model.layers, of_weights, strict=True)):
        spikes = delayed(spikes, layer.delay, len(spikes) // steps)
        matrix = layer._weights()
        own = layer._recurrent()
        whole = matrix if own is None else torch.cat([matrix, own], 1)
        words = layer._weight_bits(
            matrix, steps, k, stream_key(seed, Role.WEIGHT, number), of_layer
        ).make()
        bits = time_first(words, steps * k) * whole.detach().sign()
        signed = Bits.apply(whole.expand(bits.shape), bits)
        sums = signed.unflatten(0, (steps, k)).sum(1)
        per_bit = len(spikes) > steps
        weights = (signed if per_bit else sums)[..., : matrix.shape[1]]
        drive = layer._sums_of(spikes.transpose(0, 1), weights).transpose(0, 1)
        drive = drive.unflatten(2, (layer.positions, -1)).flatten(1, 2)  # rows are positions
        if per_bit:
            drive = drive.unflatten(0, (steps, k)).sum(1)
        recurrent = None if own is None else sums[..., matrix.shape[1] :]
        noise = noise_of(layer, steps, len(X), stream_key(seed, Role.NOISE, number))
        fired, v = Fire.apply(drive, layer.gain / k, recurrent, noise, layer.lif())
        spikes, potentials = by_image(fired), by_image(v)
    return spikes.sum(0), potentials


def by_image(y):
    return y.unflatten(-2, (len(X), -1)).transpose(-1, -2).flatten(-2)


def delayed(x, delay, k):
    late = torch.as_tensor(np.broadcast_to(np.asarray(delay) * k, x.shape[2:]).copy())
    at = torch.arange(len(x))[:, None] - late
    return x.gather(0, at.clamp(min=0)[:, None].expand_as(x)) * (at >= 0)[:, None]


def noise_of(layer, steps, batch, key):
    """Noise of each step and position, (steps, rows, channels)."""
    std = np.broadcast_to(layer.neuron.noise_std, (len(layer.weight),))
    if not std.any():
        return None
    samples = _native.normal(key, batch * layer.n_out, 0, steps)
    by_channel = samples.T.reshape(steps, batch, len(layer.weight), layer.positions)
    return torch.from_numpy(
        std * by_channel.transpose(0, 1, 3, 2).reshape(steps, -1, len(layer.weight))
    )


# Layers that take numbers have no bits.
SAMPLED = [name for name in NETWORKS if "numbers" not in name]


@pytest.mark.filterwarnings("ignore::sc_neurocore.PeriodWarning")
@pytest.mark.filterwarnings("ignore::sc_neurocore.SilentLayerWarning")
@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("source", [Bernoulli(), Sobol()], ids=str)
@pytest.mark.parametrize("given", ["densities", "in time", "spikes"])
@pytest.mark.parametrize("name", SAMPLED)
def test_gradients_are_those_on_unpacked_bits(name, given, source, k):
    model = model_of(name)
    model.gradient = "bits"
    values = {"densities": X, "in time": IN_TIME, "spikes": TRAINS}[given]
    x = values if given == "spikes" else values.clone().requires_grad_()
    wanted = [p for p in model.parameters() if p.requires_grad] + ([] if given == "spikes" else [x])
    goal = torch.randn(7, 5, generator=torch.Generator().manual_seed(0))
    goal = goal[:, : model.layers[-1].n_out] if model.layers[-1].n_out < 5 else goal
    results = []
    for run in (
        lambda: model.run(x, 70, 3, source=source, bits_per_step=k),
        lambda: pass_in_python(model, x, 70, 3, source, k),
    ):
        counts, potentials = run()
        loss = (counts * goal).sum() + (potentials * goal.flip(0)).sum()
        results.append((counts, potentials, *torch.autograd.grad(loss, wanted)))
    for number, (ours, theirs) in enumerate(zip(*results, strict=True)):
        if number < 2:
            assert torch.equal(ours.double(), theirs.double())
        near = 1e-4 * max(theirs.abs().max().item(), 1e-3)
        assert torch.allclose(ours.double(), theirs.double(), rtol=0, atol=near)
    assert any(gradient.any() for gradient in results[0][2:])


@pytest.mark.parametrize(
    ("channels", "stride", "padding", "bias"),
    [(3, 1, 0, False), (3, 2, 2, True), (1, 2, 0, True), (1, 3, 1, False)],
)
def test_gradients_of_images_are_those_of_a_convolution(channels, stride, padding, bias):
    rng = np.random.default_rng(stride)
    layer = SCConv2d(channels, 4, (3, 2), (7, 9), gain=1.0, stride=stride, padding=padding, bias=bias)
    steps, (height, width) = 5, layer.to_layer().output_size
    maps = torch.tensor(rng.integers(-9, 9, (40, steps, 4, height, width))).float()
    kernels = torch.tensor(rng.integers(-9, 9, (steps, 4, channels, 3, 2))).float()
    bias_column = torch.ones(steps, 4, int(bias))
    of_sums = maps.permute(0, 1, 3, 4, 2).reshape(40, steps, -1)
    matrix = torch.cat([kernels.flatten(2), bias_column], 2)
    for same in (True, False):
        twin = torch.stack(
            [
                torch.nn.grad.conv2d_input(
                    (40, channels, 7, 9), kernels[0 if same else t], maps[:, t], stride, padding
                )
                for t in range(steps)
            ],
            1,
        )
        for order in {1, channels}:
            ours = layer.inputs_of(matrix[0] if same else matrix, order)(of_sums)
            link = twin.permute(0, 1, 3, 4, 2) if order > 1 else twin
            assert torch.equal(ours, link.flatten(2))


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_of_spikes_a_few_images_at_a_time_are_those_of_all(name, monkeypatch):
    model = model_of(name).float()
    wanted = [p for p in model.parameters() if p.requires_grad]
    gradients, calls = [], []
    make = _native.neuron_gradients
    counted = lambda *given: calls.append(1) or make(*given)  # noqa: E731
    monkeypatch.setattr(_native, "neuron_gradients", counted)
    for at_once in (2**18, 1):
        monkeypatch.setattr(_autograd, "_AT_ONCE", at_once)
        _, potentials = model.run(X, 20, 3)
        gradients.append(torch.autograd.grad(potentials.square().sum(), wanted))
    for all_at_once, apart in zip(*gradients, strict=True):
        assert torch.allclose(all_at_once, apart, rtol=0, atol=1e-5 * all_at_once.abs().max())
    # Noise depends on the number of an image, and a delay takes the gradient as a whole.
    n_apart = sum(
        not (np.any(before.neuron.noise_std) or np.any(layer.delay))
        for before, layer in pairwise(model.layers)
    )
    assert len(calls) == 2 * len(model.layers) + (len(X) - 1) * n_apart


def test_operations_on_a_gradient_of_spikes_compute_it():
    model = model_of("dense")
    gradients = []
    for factor in (1.0, 2.0):
        (hidden, _), (_, potentials) = model._run(X, 20, 3, Bernoulli(), 1, True)
        hidden.link.register_hook(lambda gradient, f=factor: gradient * f if f != 1 else None)
        gradients += torch.autograd.grad(potentials.sum(), model.layers[0].weight)
    assert gradients[0].any()
    assert torch.allclose(gradients[1], 2 * gradients[0], rtol=1e-6)


def test_sums_of_bits_in_parts_are_those_of_all(monkeypatch):
    words = pack(np.random.default_rng(0).random((5, 7, 90)) < 0.5)
    all_at_once = sums_of_bits(words, 3, 30, torch.zeros(()))
    assert torch.equal(all_at_once[4], torch.tensor(unpack(words, 90)[..., 12:15].sum(-1)).float())
    monkeypatch.setattr(_spikes, "_UNPACKED", 400)
    assert torch.equal(sums_of_bits(words, 3, 30, torch.zeros(())), all_at_once)
