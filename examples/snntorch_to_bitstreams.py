"""Train a spiking network in snnTorch and evaluate it on bitstreams.

A 64-64-10 network of leaky neurons is trained on scikit-learn's 8x8 digits with Bernoulli spikes as
inputs, exported by snnTorch as a NIR graph, imported with `from_nir`, and evaluated by stream length on
held-out images.

The import is exact for snnTorch neurons that reset to zero in the step of the spike
(``reset_mechanism="zero", reset_delay=False``) and share one beta and threshold per layer. snnTorch
exports time constants for a time step of 0.1 ms. On bitstreams the weights are random too, with noise
that grows with the largest weight of a layer, so training bounds all weights.

Data: "Optical recognition of handwritten digits", E. Alpaydin and C. Kaynak, CC BY 4.0,
https://doi.org/10.24432/C50P49, in scikit-learn's copy.

Run ``python examples/snntorch_to_bitstreams.py`` after
``pip install '.[nir]' torch==2.13.0 snntorch nirtorch scikit-learn``.
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any

import numpy as np
import snntorch
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from snntorch.export_nir import export_to_nir

from sc_neurocore import evaluate
from sc_neurocore.exchange.nir import from_nir

SEED, TEST_IMAGES, HIDDEN = 0, 450, 64
STEPS, BATCH, LEARNING_RATE, BOUND = 24, 64, 5e-3, 0.125
LENGTHS = (8, 16, 32, 64, 128, 256)
DT_MS = 0.1


def leaky(n: int) -> Any:
    """Return n neurons that NIR can represent."""
    return snntorch.Leaky(
        beta=torch.full((n,), 0.9),
        threshold=torch.ones(n),
        reset_mechanism="zero",
        reset_delay=False,
        init_hidden=True,
    )


def spikes_of(module: Any, rates: Any) -> Any:
    """Return the spike counts of the outputs for Bernoulli inputs, (batch, 10)."""
    for part in module:
        if isinstance(part, snntorch.Leaky):
            part.reset_mem()
    return sum(module(torch.bernoulli(rates)) for _ in range(STEPS))


def trained(images: np.ndarray[Any, Any], labels: np.ndarray[Any, Any], epochs: int) -> Any:
    """Return a network trained on images (n, 64) in [0, 1]."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    parts = torch.nn.Linear(64, HIDDEN), leaky(HIDDEN), torch.nn.Linear(HIDDEN, 10), leaky(10)
    module = torch.nn.Sequential(*parts)
    optimizer = torch.optim.Adam(module.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    rates, classes = torch.from_numpy(images).float(), torch.from_numpy(labels)
    for epoch in range(epochs):
        right = 0
        for batch in torch.randperm(len(rates)).split(BATCH):
            counts = spikes_of(module, rates[batch])
            loss = torch.nn.functional.cross_entropy(counts, classes[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                for values in module.parameters():
                    values.clamp_(-BOUND, BOUND)
            right += int((counts.argmax(1) == classes[batch]).sum())
        schedule.step()
        print(f"epoch {epoch + 1:2d}: {right / len(rates):.1%} training accuracy")
    return module


def main() -> None:
    """Train, convert and evaluate the network, and print the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument(
        "--seeds", type=int, default=5, help="number of runs that each accuracy averages"
    )
    options = parser.parse_args()

    digits = load_digits()
    train, test, train_classes, classes = train_test_split(
        digits.data / 16.0, digits.target, test_size=TEST_IMAGES, random_state=SEED
    )
    module = trained(train, train_classes, options.epochs)
    with torch.no_grad():
        counts = spikes_of(module, torch.from_numpy(test).float()).numpy()
    of_torch = (counts.argmax(1) == classes).mean()
    print(f"\nsnnTorch, {STEPS} steps of Bernoulli inputs, real weights: {of_torch:.1%}\n")

    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # snnTorch calls a deprecated function of nirtorch
        graph = export_to_nir(module, torch.zeros(1, 64), ignore_dims=[0])
    imported = from_nir(graph, dt_ms=DT_MS)
    print(imported.report)

    print("\nlength  on bitstreams  on real numbers")
    for row in evaluate(imported.network, test, classes, LENGTHS, seeds=range(options.seeds)):
        print(f"{row.length:6d}  {row.mean:5.1%} ± {row.std:.1%}  {row.of_float:15.1%}")


if __name__ == "__main__":
    main()
