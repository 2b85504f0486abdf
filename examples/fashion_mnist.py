"""Train spiking Fashion-MNIST classifiers for stochastic computing: a dense and a convolutional one.

The networks are trained with rates in place of spikes, then briefly with the bits that they later run
with, as in ``examples/mnist.py``. Weights whose bits are used are -1, 0 or 1; the first layer of the
convolutional network takes numbers. The output layer integrates without firing, and its potentials
determine the class.

Data: Fashion-MNIST (H. Xiao, K. Rasul, R. Vollgraf 2017, MIT licence), 60,000 images for training and
10,000 for testing. ``--data`` names a folder with the four gzip files of
https://github.com/zalandoresearch/fashion-mnist. On Debian and Ubuntu,
``apt-get install dataset-fashion-mnist`` puts them into /usr/share/datasets/fashion-mnist.

Run ``python examples/fashion_mnist.py mlp --data FOLDER`` after ``pip install torch==2.13.0 tqdm``.
With ``--validate`` it trains on 50,000 images and evaluates on the other 10,000 of the training set, to
choose hyper-parameters. ``--network FILE`` evaluates a trained network.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mnist import round_weights
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

import sc_neurocore
from sc_neurocore import LIF, Bernoulli, Network, Sobol, simulate, simulate_float
from sc_neurocore.evidence import Accuracy
from sc_neurocore.training import SCConv2d, SCLinear, SCNetwork, fit, to_network

SEED, SPLIT_SEED, VALIDATION_IMAGES = 0, 2024, 10_000
SIDE, LENGTH = 28, 16
TEST_LENGTHS = (8, 16, 32, 64)
SOURCES = {"Bernoulli": Bernoulli(), "Sobol": Sobol()}
INTEGRATOR = LIF(tau_mem=math.inf, v_threshold=math.inf)


class Images(NamedTuple):
    """Images as densities (n, 784), and their classes."""

    x: NDArray[np.float32]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Recipe:
    """Layers and hyper-parameters of a network."""

    layers: tuple[SCLinear | SCConv2d, ...]
    batch_size: int
    epochs: int  # of the training with rates
    learning_rate: float
    shift: int | None = None  # largest shift of images in training in pixels; None: not augmented
    images: int | None = None  # number of images for the epoch with bits; None: all


def recipe(name: str) -> Recipe:
    """Return the untrained layers of a network and its hyper-parameters."""
    neuron = LIF(tau_mem=math.inf, v_rest=0.5, reset="subtract")  # rates are clipped mean currents
    if name == "mlp":
        hidden = SCLinear(784, 128, gain=np.full(128, 0.06), neuron=neuron, bias=True)
        readout = SCLinear(128, 10, gain=0.15, neuron=INTEGRATOR)
        return Recipe((hidden, readout), batch_size=256, epochs=100, learning_rate=0.02)

    def conv(c_in: int, c_out: int, k: int, side: int, gain: float, **options: Any) -> SCConv2d:
        size, gains, padding = (side, side), np.full(c_out, gain), k // 2
        return SCConv2d(
            c_in, c_out, k, size, gain=gains, neuron=neuron, bias=True, padding=padding, **options
        )

    layers = (
        conv(1, 64, 5, SIDE, 0.7, stride=2, sampled=False),
        conv(64, 96, 3, SIDE // 2, 0.045, stride=2),
        conv(96, 96, 3, SIDE // 4, 0.035),
        SCLinear(96 * 49, 10, gain=0.02, neuron=INTEGRATOR),
    )
    return Recipe(layers, batch_size=128, epochs=30, learning_rate=0.01, shift=1, images=12_800)


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Return the array of bytes in a gzip file of the IDX format.

    The format is two zero bytes, a type (8 for bytes), the number of dimensions, each size as a
    big-endian 32-bit integer, and the values (http://yann.lecun.com/exdb/mnist).
    """
    if not path.is_file():
        raise SystemExit(f"{path} is missing; --data must name the folder of the four gzip files")
    with gzip.open(path) as file:
        content = file.read()
    dimensions = content[3] if len(content) > 3 else 0
    if content[:3] != b"\0\0\x08" or not dimensions:
        raise SystemExit(f"{path} must be an IDX file of bytes")
    shape = np.frombuffer(content, ">u4", dimensions, offset=4).astype(int)
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions)
    if values.size != shape.prod():
        raise SystemExit(f"{path} must hold {shape.prod()} values, got {values.size}")
    return values.reshape(shape)


def load(folder: Path, part: str) -> Images:
    """Return the images of a part, "train" or "t10k"."""
    pixels = read_idx(folder / f"{part}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{part}-labels-idx1-ubyte.gz")
    x = pixels.reshape(len(pixels), -1).astype(np.float32) / np.float32(255)
    return Images(x, labels.astype(np.int64))


def split(images: Images, n_held: int) -> tuple[Images, Images]:
    """Return images to train with and held-out images, by a fixed permutation."""
    order = np.random.default_rng(SPLIT_SEED).permutation(len(images.x))
    held, rest = order[:n_held], order[n_held:]
    return Images(images.x[rest], images.labels[rest]), Images(images.x[held], images.labels[held])


def augment(x: Tensor, shift: int) -> Tensor:
    """Mirror half of the images, and shift each by up to `shift` pixels along both axes."""
    n = len(x)
    x = x.view(n, SIDE, SIDE)
    x = torch.where(torch.rand(n, 1, 1) < 0.5, x.flip(2), x)
    if shift:
        x = functional.pad(x, (shift,) * 4)
        rows, columns = (torch.randint(2 * shift + 1, (n, 1)) + torch.arange(SIDE) for _ in range(2))
        x = x[torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return x.reshape(n, -1)


class NoisyRates(nn.Module):
    """The layers of a model with rates in place of spikes, and Gaussian noise in place of that of bits.

    It is far faster than bits. Neurons without leak, with reset by subtraction, fire at the rate of
    their mean current, clipped to [0, 1] and rounded to a number of spikes. Bits of a density x have a
    variance of ``x (1 - x)`` per step, and their mean over all steps that divided by their number.
    Weights whose bits are used are rounded to -1, 0 and 1: their bits are free of noise.
    """

    def __init__(self, model: SCNetwork) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, length: int) -> Tensor:
        """Return the potentials of the readout after `length` steps."""
        if self.model.layers[0].sampled:
            x = x + (x * (1 - x) / length).sqrt() * torch.randn_like(x)
        for layer in self.model.layers:
            if self.training:
                layer.project()
            gain = layer.gain.float().view(-1, *[1] * (layer.weight.ndim - 1))
            weight = gain * (ternary(layer.weight) if layer.sampled else layer.weight)
            bias = None if layer.bias is None else gain.flatten() * layer.bias
            if isinstance(layer, SCConv2d):
                if x.ndim == 2:
                    x = x.view(len(x), -1, *layer.input_size)
                x, weight = (
                    each.contiguous(memory_format=torch.channels_last) for each in (x, weight)
                )  # which is faster
                current = functional.conv2d(x, weight, bias, layer.stride, layer.padding)
            else:
                current = functional.linear(x.flatten(1), weight, bias)
            x = current if layer is self.model.layers[-1] else Rate.apply(current, length)
        return x * length


class Rate(torch.autograd.Function):
    """Rate of a neuron from its mean current: clipped to [0, 1], a whole number of spikes."""

    @staticmethod
    def forward(context: Any, current: Tensor, length: int) -> Tensor:
        """Return the rates."""
        context.save_for_backward(current)
        return (current * length).round_().clamp_(0, length).div_(length)

    @staticmethod
    def backward(context: Any, of_rates: Tensor) -> tuple[Tensor, None]:
        """Return the gradient of currents, that of rates that are not rounded."""
        (current,) = context.saved_tensors
        return of_rates * ((current > 0) & (current < 1)), None


def ternary(weight: Tensor) -> Tensor:
    """Return weights of -1, 0 and 1, the nearest ones, with the gradients of the given ones."""
    return weight + (weight.round() - weight).detach()


def checkpoint_of(path: Path, number: int) -> Path:
    """Return the file of a phase of the training."""
    return path.with_suffix(f".{number}.pt")


def train(how: Recipe, images: Images, checkpoint: Path | None = None) -> SCNetwork:
    """Return the trained network, with rounded weights."""
    model = SCNetwork(*how.layers)
    for layer in model.layers:
        nn.init.uniform_(layer.weight, -1, 1)
    phases: list[tuple[nn.Module, int | None, int, float]] = [
        (NoisyRates(model), None, how.epochs, how.learning_rate),
        (model, how.images, 1, 0.001),
    ]
    for number, (trained, n, epochs, learning_rate) in enumerate(phases):
        if trained is model:  # gains, biases and weights of numbers are learned on
            for layer in model.layers:
                if layer.sampled:
                    layer.weight.requires_grad_(False).round_()
        history = fit(
            trained,
            (torch.tensor(images.x[:n]), torch.tensor(images.labels[:n])),
            epochs=epochs,
            length=LENGTH,
            batch_size=how.batch_size,
            learning_rate=learning_rate,
            averaging=0.99,
            augment=None if how.shift is None else partial(augment, shift=how.shift),
            checkpoint=checkpoint and checkpoint_of(checkpoint, number),
            progress=True,
        )
        print(f"accuracy in the last epoch: {history[-1]['accuracy']:.2%}")
    round_weights(model)
    return model


def measure(
    network: Network,
    images: Images,
    seeds: int,
    lengths: Sequence[int] = TEST_LENGTHS,
    real_lengths: Sequence[int] | None = None,
) -> list[dict[str, Any]]:
    """Return the accuracy by source and length, as :func:`sc_neurocore.evaluate` computes it.

    Real numbers, which are slower than bits in convolutions, are shared by the sources and computed at
    `real_lengths` only, if given.
    """
    x, labels, rows = images.x, images.labels, []
    real = {
        length: simulate_float(network, x, length).classes == labels
        for length in (lengths if real_lengths is None else real_lengths)
    }
    for name, source in SOURCES.items():
        for length in lengths:
            right = [
                simulate(network, x, length, seed=seed, source=source).classes == labels
                for seed in range(seeds)
            ]
            of_float = real.get(length)
            row = Accuracy(length, np.array(right), right[0] if of_float is None else of_float)
            found = {
                "source": name,
                "length": length,
                "mean": row.mean,
                "std": row.std,
                "interval": list(row.interval()),
                "float": None if of_float is None else row.of_float,
                "loss_interval": None if of_float is None else list(row.loss_interval()),
            }
            rows.append(found)
            print(line(found), flush=True)
    return rows


def line(row: dict[str, Any]) -> str:
    """Return a row as a line of the table in docs/training.md, after the name of the network."""
    low, high = row["interval"]
    real = "" if row["float"] is None else f"{row['float']:.2%}"
    return (
        f"| {row['source']} | {row['length']} | {row['mean']:.2%} ± {row['std']:.2%} "
        f"| {low:.1%} to {high:.1%} | {real} |"
    ).replace("%", " %")


def add_result(path: Path, name: str, result: dict[str, Any]) -> None:
    """Write figures of a network to a JSON file, which keeps all others."""
    found = json.loads(path.read_text()) if path.exists() else {}
    found[name] = found.get(name, {}) | result
    path.write_text(json.dumps(found, indent=1) + "\n")


def main() -> None:
    """Train a network or load it, measure its accuracy, and save both."""
    parser = argparse.ArgumentParser(description="Train a Fashion-MNIST network.")
    parser.add_argument("name", choices=["mlp", "conv"], help="network to train")
    parser.add_argument("--data", type=Path, required=True, help="folder with the four gzip files")
    parser.add_argument("--out", type=Path, help="output file (default: fashion_mnist_<name>.npz)")
    parser.add_argument("--results", type=Path, help="JSON file to write the figures to")
    parser.add_argument("--network", type=Path, help="trained network to evaluate")
    parser.add_argument(
        "--validate", action="store_true", help="hold out training images instead of the test images"
    )
    parser.add_argument("--epochs", type=int, help="number of epochs (default: that of the network)")
    parser.add_argument(
        "--checkpoint", type=Path, help="file from which an interrupted training continues"
    )
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds of the evaluation")
    parser.add_argument(
        "--real",
        type=int,
        nargs="*",
        metavar="LENGTH",
        help="lengths at which real numbers are evaluated, slow for convolutions (default: all)",
    )
    parser.add_argument(
        "--lengths",
        type=int,
        nargs="+",
        default=TEST_LENGTHS,
        metavar="LENGTH",
        help="lengths of streams of the evaluation",
    )
    parser.add_argument("--threads", type=int, help="threads of the native kernels")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # a fixed order of sums gives the same weights on every run
    if arguments.threads:
        sc_neurocore.set_threads(arguments.threads)
    images, held = load(arguments.data, "train"), None
    if arguments.validate:
        images, held = split(images, VALIDATION_IMAGES)
    result: dict[str, Any] = {}
    if arguments.network:
        network = Network.load(arguments.network)
    else:
        torch.manual_seed(SEED)
        how = recipe(arguments.name)
        if arguments.epochs:
            how = replace(how, epochs=arguments.epochs)
        start = time.perf_counter(), time.process_time()
        resumed = arguments.checkpoint and checkpoint_of(arguments.checkpoint, 0).exists()
        model = train(how, images, arguments.checkpoint)
        if not resumed:  # else the time of the first part is not known
            result["training_seconds"] = time.perf_counter() - start[0]
            result["training_cpu_seconds"] = time.process_time() - start[1]
        network = to_network(model)
        network.save(arguments.out or Path(f"fashion_mnist_{arguments.name}.npz"))
        print({name: round(value) for name, value in result.items()})
    held = held or load(arguments.data, "t10k")
    result |= {"images": len(held.x), "seeds": arguments.seeds}
    result["rows"] = measure(network, held, arguments.seeds, arguments.lengths, arguments.real)
    if arguments.results:
        add_result(arguments.results, arguments.name, result)


if __name__ == "__main__":
    main()
