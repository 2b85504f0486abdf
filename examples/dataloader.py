"""Train a spiking classifier of handwritten digits with a PyTorch DataLoader.

The loader shuffles and augments the images, `calibrate` chooses the initial gains, and `fit` trains
with validation, early stopping and a checkpoint: run the script again after Ctrl-C or a crash, and it
continues where it was, with the same result.

Run ``python examples/dataloader.py`` after ``pip install torch scikit-learn``.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset

from sc_neurocore import LIF, evaluate
from sc_neurocore.training import SCLinear, SCNetwork, calibrate, fit, to_network

LENGTH = 16


class Shifted(Dataset[tuple[Tensor, Tensor]]):
    """Images of 8 x 8 pixels, each shifted by up to one pixel to a side whenever it is read."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        padded = torch.nn.functional.pad(self.images[i].view(8, 8), (1, 1, 1, 1))
        row, column = torch.randint(3, (2,)).tolist()
        return padded[row : row + 8, column : column + 8].reshape(64), self.labels[i]


def main() -> None:
    """Train, and print the accuracy on held-out images by stream length."""
    parser = argparse.ArgumentParser(description="Train a digits network with a DataLoader.")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--checkpoint", type=Path, default=Path("dataloader.pt"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # faster than several for a network of this size
    torch.manual_seed(0)
    images, labels = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split(images / 16, labels, test_size=450, random_state=0)
    x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
    loader = DataLoader(Shifted(x[200:], y[200:]), batch_size=64, shuffle=True, drop_last=True)
    held = DataLoader(TensorDataset(x[:200], y[:200]), batch_size=200)

    readout = LIF(tau_mem=math.inf, v_threshold=math.inf)
    model = SCNetwork(
        SCLinear(64, 100, gain=0.2, neuron=LIF(tau_mem=8.0)),
        SCLinear(100, 10, gain=0.2, neuron=readout),
    )
    calibrate(model, x[200:400], LENGTH)
    history = fit(
        model,
        loader,
        epochs=arguments.epochs,
        length=LENGTH,
        validation=held,
        patience=20,
        averaging=0.99,
        checkpoint=arguments.checkpoint,
        progress=True,
    )
    best = min(history, key=lambda row: row["validation_loss"])
    print(f"best of {len(history)} epochs: {best['epoch']}, {best['validation_accuracy']:.1%} right")
    print(evaluate(to_network(model), x_test, y_test, [8, 16, 32, 64]))


if __name__ == "__main__":
    main()
