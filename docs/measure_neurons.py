"""Measure how neurons and gains affect a network that runs on 16 bits, for training.md.

python docs/measure_neurons.py --data DIR

DIR is the folder of Fashion-MNIST, see examples/fashion_mnist.py. Its test images are not used. Needs
PyTorch.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

import numpy as np
import torch
from draw_results import filled, table

from sc_neurocore import LIF, simulate, simulate_float
from sc_neurocore.training import SCLinear, SCNetwork, calibrate, fit, to_network

PAGE = Path(__file__).parent / "training.md"
sys.path.append(str(PAGE.parents[1] / "examples"))

from fashion_mnist import INTEGRATOR, SOURCES, VALIDATION_IMAGES, Images, load, split  # noqa: E402

EPOCHS, LENGTH, SEEDS, GAIN = 3, 16, 3, 0.2
NEURONS = {
    "leaky (`tau_mem=8`), reset to 0": LIF(tau_mem=8.0),
    "leaky (`tau_mem=8`), reset by subtraction": LIF(tau_mem=8.0, reset="subtract"),
    "integrating, reset by subtraction, begins at half its threshold": LIF(
        tau_mem=math.inf, v_rest=0.5, reset="subtract"
    ),
}


def accuracies(neuron: LIF, calibrated: bool, trained: Images, held: Images) -> list[str]:
    """Return the accuracies of a 784-128-10 network by source, and on real numbers."""
    torch.manual_seed(0)
    first = SCLinear(784, 128, gain=GAIN, neuron=neuron)
    model = SCNetwork(first, SCLinear(128, 10, gain=GAIN, neuron=INTEGRATOR))
    x, labels = torch.tensor(trained.x), torch.tensor(trained.labels)
    if calibrated:
        calibrate(model, x[:200], LENGTH)
    fit(model, (x, labels), epochs=EPOCHS, length=LENGTH, batch_size=256, averaging=0.99)
    network = to_network(model)
    cells = []
    for source in SOURCES.values():
        found = [
            np.mean(simulate(network, held.x, LENGTH, seed=s, source=source).classes == held.labels)
            for s in range(SEEDS)
        ]
        cells.append(f"{100 * np.mean(found):.1f} ± {100 * np.std(found, ddof=1):.1f} %")
    real = np.mean(simulate_float(network, held.x, LENGTH).classes == held.labels)
    return [*cells, f"{100 * real:.1f} %"]


def main() -> None:
    """Fill in the table of the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with the four gzip files")
    torch.set_num_threads(1)
    trained, held = split(load(parser.parse_args().data, "train"), VALIDATION_IMAGES)
    lines = [[name, *accuracies(neuron, False, trained, held)] for name, neuron in NEURONS.items()]
    name, neuron = list(NEURONS.items())[-1]
    lines.append([f"{name}; calibrated gains", *accuracies(neuron, True, trained, held)])
    said = (
        f"784-128-10 networks: {EPOCHS} epochs with bits on {len(trained.x):,} images of Fashion-MNIST "
        f"(`docs/measure_neurons.py`), accuracy at {LENGTH} bits on {len(held.x):,} others of its "
        f"training set, over {SEEDS} seeds of the simulation."
    )
    shown = table(["hidden neurons", *SOURCES, "real numbers"], lines)
    print(shown)
    PAGE.write_text(filled(PAGE.read_text(), {"neurons": f"{said}\n\n{shown}"}))


if __name__ == "__main__":
    main()
