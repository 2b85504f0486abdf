"""Measure converted ReLU networks by source and stream length, and fill in the table of training.md.

python docs/measure_conversion.py

Needs scikit-learn and PyTorch.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from draw_results import filled
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier
from torch import nn

from sc_neurocore import Bernoulli, Network, Sobol, convert_relu, simulate

PAGE = Path(__file__).parent / "training.md"
TRAINED, LENGTHS, SEEDS = 1200, (16, 32, 64, 128, 256, 1024), range(5)
SOURCES = (Bernoulli(), Sobol())
Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def dense(x: Floats, labels: Labels) -> MLPClassifier:
    """Return a trained 64-64-32-10 classifier."""
    # A tolerance that no epoch reaches, so that training stops after 60 epochs.
    model = MLPClassifier((64, 32), random_state=0, n_iter_no_change=60, tol=1.0)
    return model.fit(x, labels)


def convolutional(x: Floats, labels: Labels) -> nn.Module:
    """Return a trained network of two convolutions with a max pool between them."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)),
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(128, 10),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    inputs, targets = torch.tensor(x, dtype=torch.float32), torch.tensor(labels)
    for _ in range(15):
        for index in torch.randperm(len(inputs)).split(64):
            loss = nn.functional.cross_entropy(model(inputs[index]), targets[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model.eval()


def accuracies(network: Network, x: Floats, labels: Labels, length: int) -> list[str]:
    """Return mean and standard deviation over seeds, in percent, for each source."""
    cells = []
    for source in SOURCES:
        runs = [simulate(network, x, length, seed=seed, source=source).classes for seed in SEEDS]
        right = [100 * np.mean(classes == labels) for classes in runs]
        cells.append(f"{np.mean(right):.1f} ± {np.std(right):.1f} %")
    return cells


def table() -> str:
    """Return the accuracy at each length as Markdown."""
    torch.set_num_threads(1)
    x, labels = load_digits(return_X_y=True)
    x = x / 16
    held_x, held = x[TRAINED:], labels[TRAINED:]
    mlp = dense(x[:TRAINED], labels[:TRAINED])
    cnn = convolutional(x[:TRAINED], labels[:TRAINED])
    with torch.no_grad():
        of_cnn = cnn(torch.tensor(held_x, dtype=torch.float32)).argmax(1).numpy()
    networks = [convert_relu(model, x[:500]).network for model in (mlp, cnn)]
    rows = ["| network | MLP, Bernoulli | MLP, Sobol | CNN, Bernoulli | CNN, Sobol |"]
    rows.append("| --- | --: | --: | --: | --: |")
    relu = [f"{100 * np.mean(classes == held):.1f} %" for classes in (mlp.predict(held_x), of_cnn)]
    rows.append(f"| ReLU | {relu[0]} | {relu[0]} | {relu[1]} | {relu[1]} |")
    for length in LENGTHS:
        cells = [cell for network in networks for cell in accuracies(network, held_x, held, length)]
        rows.append(f"| spiking, {length:,} bits | {' | '.join(cells)} |")
    said = (
        f"Two networks of scikit-learn's digits, trained on {TRAINED:,} images and tested on the other "
        f"{len(held)}: a 64-64-32-10 classifier of scikit-learn, and a PyTorch model of two "
        "convolutions with batch normalization and a max pool. Mean and standard deviation over "
        f"{len(SEEDS)} seeds."
    )
    return said + "\n\n" + "\n".join(rows)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(), {"conversion": table()}))
