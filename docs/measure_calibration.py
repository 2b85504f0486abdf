"""Measure chains of layers trained from one gain and from calibrated gains, for training.md.

python docs/measure_calibration.py

Needs scikit-learn and PyTorch.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from draw_results import filled
from sklearn.datasets import load_digits

from sc_neurocore import LIF, simulate
from sc_neurocore.training import SCLinear, SCNetwork, calibrate, fit, to_network

PAGE = Path(__file__).parent / "training.md"
DEPTHS, SEEDS, WIDTH = (2, 4, 6, 8), (0, 1), 100
TRAINED, EPOCHS, LENGTH, GAIN = 1200, 20, 16, 0.2


def chain(depth: int) -> SCNetwork:
    """Return an untrained classifier of so many layers, all of one gain."""
    sizes = [64, *[WIDTH] * (depth - 1), 10]
    readout = LIF(tau_mem=math.inf, v_threshold=math.inf)
    neurons = [*[LIF(tau_mem=8.0)] * (depth - 1), readout]
    pairs = zip(sizes, sizes[1:], neurons, strict=False)
    return SCNetwork(*(SCLinear(n_in, n_out, gain=GAIN, neuron=lif) for n_in, n_out, lif in pairs))


def accuracy(depth: int, seed: int, *, calibrated: bool) -> float:
    """Return the accuracy in percent on images that were not trained on."""
    images, labels = load_digits(return_X_y=True)
    images = images / 16
    torch.manual_seed(seed)
    model = chain(depth)
    if calibrated:
        calibrate(model, images[:200], LENGTH)
    fit(model, (images[:TRAINED], labels[:TRAINED]), epochs=EPOCHS, length=LENGTH)
    result = simulate(to_network(model), images[TRAINED:], LENGTH, seed=1)
    return float(100 * np.mean(result.classes == labels[TRAINED:]))


def table() -> str:
    """Return the accuracies as Markdown."""
    torch.set_num_threads(1)
    rows = [f"| layers | one gain, {GAIN} | calibrated |", "| --: | --: | --: |"]
    for depth in DEPTHS:
        cells = [
            np.mean([accuracy(depth, seed, calibrated=calibrated) for seed in SEEDS])
            for calibrated in (False, True)
        ]
        rows.append(f"| {depth} | {cells[0]:.1f} % | {cells[1]:.1f} % |")
    said = (
        f"Chains of layers of {WIDTH} neurons on scikit-learn's digits: {EPOCHS} epochs on {TRAINED:,} "
        f"images at {LENGTH} steps, accuracy on the other 597 at {LENGTH} bits, mean of {len(SEEDS)} "
        "initializations."
    )
    return said + "\n\n" + "\n".join(rows)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(), {"calibration": table()}))
