"""Measure a converted ReLU network at three stream lengths, and fill in the table of training.md.

python docs/measure_conversion.py

Needs scikit-learn.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from draw_results import filled
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from sc_neurocore import convert_relu, simulate

PAGE = Path(__file__).parent / "training.md"
TRAINED, LENGTHS, SEEDS = 1200, (64, 256, 1024), range(5)


def table() -> str:
    """Return the accuracy at each length as Markdown."""
    x, labels = load_digits(return_X_y=True)
    x = x / 16
    # A tolerance that no epoch reaches, so that training stops after 60 epochs.
    model = MLPClassifier((64, 32), random_state=0, n_iter_no_change=60, tol=1.0)
    model.fit(x[:TRAINED], labels[:TRAINED])
    converted = convert_relu(model, x[:500])
    x, labels = x[TRAINED:], labels[TRAINED:]
    rows = ["| network | accuracy |", "| --- | --: |"]
    rows.append(f"| ReLU | {100 * model.score(x, labels):.1f} % |")
    for length in LENGTHS:
        right = [
            np.mean(simulate(converted.network, x, length, seed=s).classes == labels) for s in SEEDS
        ]
        rows.append(
            f"| spiking, {length:,} bits | {100 * np.mean(right):.1f} ± {100 * np.std(right):.1f} % |"
        )
    said = (
        f"A 64-64-32-10 classifier of scikit-learn's digits, trained on {TRAINED:,} images and tested "
        f"on the other {len(labels)}. Mean and standard deviation over {len(SEEDS)} seeds."
    )
    return said + "\n\n" + "\n".join(rows)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(), {"conversion": table()}))
