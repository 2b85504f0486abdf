"""The example that trains on Fashion-MNIST runs on small data of the same format."""

import gzip
import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from sc_neurocore import Network, evaluate

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def example():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "examples"))  # where a script finds its neighbors
        yield importlib.import_module("fashion_mnist")
    for name in ("fashion_mnist", "mnist"):
        sys.modules.pop(name, None)


def write_idx(path, values):
    header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes()
    path.write_bytes(gzip.compress(header + values.astype(np.uint8).tobytes()))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Return a folder of small data: the class is the row of a bright bar."""
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for part, n in (("train", 400), ("t10k", 40)):
        labels = rng.integers(10, size=n)
        pixels = rng.integers(40, size=(n, 28, 28))
        for image, label in zip(pixels, labels, strict=True):
            image[2 * label + 4 : 2 * label + 6, 4:24] = 255
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", pixels)
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", labels)
    return folder


def run(example, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["fashion_mnist.py", *map(str, arguments)])
    threads = torch.get_num_threads()
    example.main()
    torch.set_num_threads(threads)


def test_a_training_learns_and_its_figures_are_those_of_the_saved_network(
    example, data, tmp_path, monkeypatch
):
    out, results = tmp_path / "mlp.npz", tmp_path / "results.json"
    results.write_text('{"conv": {"rows": []}}')
    options = ("--data", data, "--seeds", 2, "--results", results)
    run(example, monkeypatch, "mlp", *options, "--out", out, "--epochs", 60)
    found = json.loads(results.read_text())
    assert found["conv"] == {"rows": []}
    assert (found["mlp"]["images"], found["mlp"]["seeds"]) == (40, 2)
    assert found["mlp"]["training_seconds"] > 0
    rows = found["mlp"]["rows"]
    assert [(row["source"], row["length"]) for row in rows] == [
        (source, length) for source in ("Bernoulli", "Sobol") for length in (8, 16, 32, 64)
    ]
    assert rows[-1]["mean"] > 0.8

    network, test = Network.load(out), example.load(data, "t10k")
    for source, of_source in (("Bernoulli", rows[:4]), ("Sobol", rows[4:])):
        given = evaluate(
            network, test.x, test.labels, [8, 16, 32, 64], seeds=[0, 1], source=example.SOURCES[source]
        )
        for row, accuracy in zip(of_source, given, strict=True):
            assert (row["mean"], row["std"]) == (accuracy.mean, accuracy.std)
            assert row["interval"] == list(accuracy.interval())
            assert row["float"] == accuracy.of_float

    again = tmp_path / "again.json"
    run(example, monkeypatch, "mlp", *options[:-1], again, "--network", out, "--real", 8, 32)
    for row, other in zip(rows, json.loads(again.read_text())["mlp"]["rows"], strict=True):
        if row["length"] in (16, 64):
            row |= {"float": None, "loss_interval": None}
        assert other == row


def test_the_convolutional_network_trains_in_both_phases_and_is_small(
    example, data, tmp_path, monkeypatch
):
    how = example.replace(example.recipe("conv"), epochs=2)
    model = example.SCNetwork(*how.layers)
    assert sum(p.numel() for p in model.parameters()) < 200_000
    before = [layer.bias.detach().clone() for layer in model.layers[:-1]]
    monkeypatch.setattr(example, "recipe", lambda name: how)
    monkeypatch.setattr(example, "measure", lambda *_: [])
    out, state = tmp_path / "conv.npz", tmp_path / "state"
    run(example, monkeypatch, "conv", "--data", data, "--out", out, "--checkpoint", state)
    assert out.stat().st_size < 1_000_000
    histories = [torch.load(tmp_path / f"state.{i}.pt")["history"] for i in range(2)]
    assert [len(history) for history in histories] == [2, 1]
    first, *others = Network.load(out).layers
    for biases, layer in zip(before, (first, *others), strict=False):
        assert not np.allclose(biases.numpy(), layer.bias)
    for layer in others:
        assert set(np.unique(layer.weights)) == {-1.0, 0.0, 1.0}
    assert len(np.unique(first.weights)) > 100
    assert np.array_equal(first.weights * 2**11, (first.weights * 2**11).round())


def test_rates_without_noise_are_those_of_the_network_on_real_numbers(example):
    torch.manual_seed(0)
    neuron = example.recipe("conv").layers[0].neuron
    layers = [
        example.SCConv2d(1, 4, 3, (28, 28), gain=0.9, neuron=neuron, bias=True, sampled=False),
        example.SCConv2d(4, 4, 3, (26, 26), gain=0.15, neuron=neuron, bias=True, stride=2),
        example.SCLinear(576, 10, gain=0.02, neuron=example.INTEGRATOR),
    ]
    for layer in layers[1:]:
        torch.nn.init.uniform_(layer.weight, -1, 1).detach().round_()
    model = example.SCNetwork(*layers).eval()
    x, length = torch.rand(2, 784), 4000
    rates = example.NoisyRates(model).eval()(x, 10**12) / 10**12
    found = model.run(x, length, sampled=False).potentials / length
    # A count is at most one spike from its mean current: half a spike by rounding, and the start.
    inputs = layers[2].gain * layers[2].weight.abs().sum(1)
    through = (layers[1].gain * layers[1].weight.abs().flatten(1).sum(1)).max()
    bound = inputs * (1 + through) / length
    assert ((found - rates).abs() <= bound).all()
    assert rates.std() > 2 * bound.max()


def test_ternary_weights_pass_gradients_on(example):
    w = torch.tensor([-0.9, -0.2, 0.4, 0.6], requires_grad=True)
    (example.ternary(w) * torch.arange(4.0)).sum().backward()
    assert example.ternary(w).tolist() == [-1, 0, 0, 1]
    assert w.grad.tolist() == [0, 1, 2, 3]


def test_noise_has_the_variance_of_the_bits(example):
    torch.manual_seed(0)
    of_layer = example.SCLinear(784, 10, gain=0.02, neuron=example.INTEGRATOR)
    torch.nn.init.uniform_(of_layer.weight, -1, 1).detach().round_()
    model = example.SCNetwork(of_layer)
    x, length, n = torch.rand(1, 784), 16, 1000
    noisy = example.NoisyRates(model).eval()(x.expand(n, -1), length)
    bits = torch.cat([model(x, length) for _ in range(n)])
    expected = length * of_layer.gain**2 * (x * (1 - x) * of_layer.weight.abs()).sum(1)
    for found in (noisy, bits):  # the standard error of a variance is sqrt(2 / n) of it
        assert ((found.var(0) / expected - 1).abs() <= 5 * (2 / n) ** 0.5).all()


def test_validation_holds_out_training_images_and_leaves_the_test_images_alone(
    example, data, tmp_path, monkeypatch
):
    monkeypatch.setattr(example, "VALIDATION_IMAGES", 100)
    seen = []
    monkeypatch.setattr(example, "train", lambda how, images, _: seen.append(images) or model)
    monkeypatch.setattr(example, "measure", lambda network, images, *_: seen.append(images) or [])
    model = example.SCNetwork(*example.recipe("mlp").layers)
    run(example, monkeypatch, "mlp", "--data", data, "--validate", "--out", tmp_path / "mlp.npz")
    trained, held = seen
    whole = example.load(data, "train")
    assert (len(trained.x), len(held.x)) == (300, 100)
    rows = np.concatenate([np.c_[part.x, part.labels] for part in (trained, held)])
    given = np.c_[whole.x, whole.labels]
    assert np.array_equal(*(values[np.lexsort(values.T)] for values in (rows, given)))


def test_augmented_images_are_shifted_and_mirrored_copies(example):
    torch.manual_seed(0)
    x = torch.zeros(2000, 28, 28)
    x[:, 10, 5] = 1
    moved = example.augment(x.view(2000, -1), 2).view(2000, 28, 28)
    assert (moved.sum((1, 2)) == 1).all()
    _, rows, columns = moved.nonzero().T
    assert set(rows.tolist()) == set(range(8, 13))
    assert set(columns.tolist()) == {*range(3, 8), *range(20, 25)}
    mirrored = (columns > 14).sum().item()
    assert abs(mirrored - 1000) <= 5 * np.sqrt(2000 / 4)


def test_files_of_another_format_are_refused(example, tmp_path):
    path = tmp_path / "file.gz"
    with pytest.raises(SystemExit, match="is missing; --data must name the folder"):
        example.read_idx(path)
    for content, said in ((b"\0\0\x0d\x01", "must be an IDX file"), (b"", "must be an IDX file")):
        path.write_bytes(gzip.compress(content))
        with pytest.raises(SystemExit, match=said):
            example.read_idx(path)
    write_idx(path, np.zeros((3, 4)))
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1]))
    with pytest.raises(SystemExit, match="must hold 12 values, got 11"):
        example.read_idx(path)
