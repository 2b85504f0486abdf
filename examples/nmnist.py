"""Train a convolutional spiking network on recordings of an event camera, and measure it on bitstreams.

The data are 1,100 recordings of N-MNIST, see `recordings`; ``--data`` names their folder. Events of
300 ms become spikes of 2 x 17 x 17 pixels in 20 time steps: a pixel spikes in a step in which at least
one of its events lies. In training, the events of each recording are rotated, scaled and shifted at
random.

The recordings are divided into five parts. Each is the test set of a network that is trained on the
other four; ``--validate`` trains on three of these and measures on the fourth. Hyper-parameters were
chosen on such a split; docs/training.md says how.

Run ``python examples/nmnist.py --data DIR`` after ``pip install torch==2.13.0``. Results are written as
JSON, and printed as a Markdown table. Run it again to continue after Ctrl-C.
"""

from __future__ import annotations

import argparse
import math
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mnist import round_weights
from numpy.typing import NDArray
from recordings import SIDE, Camera, Job, Result, camera, measured, run, table
from torch import Tensor

from sc_neurocore import LIF, Bitstream, Network, set_threads
from sc_neurocore.training import SCConv2d, SCLinear, SCNetwork, calibrate, fit, to_network

STEPS, DURATION = 20, 300_000  # microseconds
PIXELS = SIDE // 2  # rows and columns of a network's input
FOLDS = 5
BITS = 4  # per step in training
BATCH = 16
VARIANTS = ("none", "learned")


class Recordings:
    """The events of all recordings in one array, of which batches of spikes are made."""

    def __init__(self, recorded: Camera) -> None:
        self.first = np.cumsum([0, *map(len, recorded.times)])
        self.times = np.concatenate(recorded.times)
        self.polarities = np.concatenate(recorded.polarities)
        self.at = np.stack([np.concatenate(recorded.columns), np.concatenate(recorded.rows)], 1)
        self.classes = recorded.classes

    def spikes(self, numbers: NDArray[np.int64], moves: NDArray[np.float64] | None = None) -> Bitstream:
        """Return the spikes (n, 2 * PIXELS * PIXELS) of some recordings.

        Moves (n, 2, 3) map coordinates (column, row, 1) relative to the center of the image.
        """
        lengths = self.first[numbers + 1] - self.first[numbers]
        image = np.repeat(np.arange(len(numbers)), lengths)
        ends = np.cumsum(lengths)
        event = np.arange(len(image)) + np.repeat(self.first[numbers] - ends + lengths, lengths)
        at = self.at[event] + 0.5
        if moves is not None:
            centered = at - SIDE / 2
            at = np.einsum("eij,ej->ei", moves[image, :, :2], centered) + moves[image, :, 2] + SIDE / 2
        pixel = np.floor(at * (PIXELS / SIDE)).astype(np.int64)
        step = self.times[event] * STEPS // DURATION
        seen = ((pixel >= 0) & (pixel < PIXELS)).all(1) & (step < STEPS)
        bits = np.zeros((len(numbers), 2, PIXELS, PIXELS, STEPS), np.uint8)
        kept = pixel[seen]
        bits[image[seen], self.polarities[event[seen]], kept[:, 1], kept[:, 0], step[seen]] = 1
        return Bitstream.from_bits(bits.reshape(len(numbers), -1, STEPS))

    def augmented(self, numbers: Tensor) -> Bitstream:
        """Return the spikes of recordings that are rotated, scaled, sheared and shifted at random."""
        n = len(numbers)

        def spread(limit: float, *shape: int) -> Tensor:
            return (2 * torch.rand(n, *shape) - 1) * limit

        angle, scale, shift = spread(math.radians(12)), 1 + spread(0.12, 2), spread(3.0, 2)
        cos, sin = angle.cos(), angle.sin()
        columns = torch.stack([cos * scale[:, 0], spread(0.15) - sin, shift[:, 0]], 1)
        rows = torch.stack([sin, cos * scale[:, 1], shift[:, 1]], 1)
        return self.spikes(numbers.numpy(), torch.stack([columns, rows], 1).numpy())


def build(variant: str) -> SCNetwork:
    """Return an untrained network, without delays or with learned ones of hidden spikes."""
    neuron = LIF(tau_mem=4.0)
    learn: Any = ("gain", "delay") if variant == "learned" else ("gain",)
    return SCNetwork(
        SCConv2d(2, 16, 5, (PIXELS, PIXELS), gain=0.3, bias=True, neuron=neuron, stride=2),
        SCConv2d(16, 32, 3, (7, 7), gain=0.3, bias=True, neuron=neuron, stride=2, learn=learn),
        SCLinear(288, 10, gain=0.2, neuron=LIF(tau_mem=math.inf, v_threshold=math.inf)),
    )


def split(n: int, fold: int, validate: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the numbers of the recordings that train and that test the network of a fold."""
    parts = np.array_split(np.random.default_rng(0).permutation(n), FOLDS)
    tested = parts[fold]
    left = [parts[(fold + i) % FOLDS] for i in range(1, FOLDS)]
    if validate:
        tested = left.pop()
    return np.concatenate(left), tested


def train(recorded: Recordings, of: NDArray[np.int64], variant: str, seed: int, epochs: int) -> Network:
    """Return a network that is trained on some recordings."""
    torch.manual_seed(seed)
    model = build(variant)
    calibrate(model, recorded.spikes(of[:100]), bits_per_step=BITS)
    fit(
        model,
        (torch.tensor(of), torch.tensor(recorded.classes[of])),
        epochs=epochs,
        batch_size=BATCH,
        learning_rate=0.03,
        max_norm=1.0,
        averaging=0.99,
        augment=recorded.augmented,
        bits_per_step=BITS,
    )
    round_weights(model)
    return to_network(model)


def work(job: Job, *, data: Path, validate: bool, seeds: int, save: Path | None = None) -> Result:
    """Return the results of a job: train a network, and measure it."""
    torch.set_num_threads(1)
    set_threads(1)
    recorded = Recordings(camera(data))
    trained, tested = split(len(recorded.classes), job["fold"], validate)
    started = time.perf_counter()
    network = train(recorded, trained, job["delays"], job["seed"], job["epochs"])
    seconds = time.perf_counter() - started
    if save is not None and job["fold"] == job["seed"] == 0:
        network.save(save / f"nmnist_{job['delays']}.npz")
    parameters = sum(p.numel() for p in build(job["delays"]).parameters())
    found = measured(network, recorded.spikes(tested), recorded.classes[tested], seeds)
    return job | {"parameters": parameters, "seconds": round(seconds), **found}


def main(arguments: list[str] | None = None) -> None:
    """Train and measure all networks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="folder of the data set"
    )
    parser.add_argument("--out", type=Path, default=Path("nmnist.json"), help="results file")
    parser.add_argument("--save", type=Path, metavar="DIR", help="folder for the first networks")
    parser.add_argument("--folds", type=int, nargs="+", choices=range(FOLDS), default=range(FOLDS))
    parser.add_argument("--delays", nargs="+", choices=VARIANTS, default=VARIANTS)
    parser.add_argument("--validate", action="store_true", help="measure on validation data")
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--trainings", type=int, default=1, help="trainings of each network")
    parser.add_argument("--seeds", type=int, default=3, help="simulations of each network")
    parser.add_argument("--workers", type=int, default=1, help="trainings at the same time")
    options = parser.parse_args(arguments)
    jobs = [
        {"fold": fold, "delays": delays, "seed": seed, "epochs": options.epochs}
        for seed in range(options.trainings)
        for fold in options.folds
        for delays in options.delays
    ]
    do = partial(
        work, data=options.data, validate=options.validate, seeds=options.seeds, save=options.save
    )
    results = run(jobs, do, options.out, options.workers)
    names = {"none": "without delays", "learned": "learned delays"}
    columns = {names[v]: [r for r in results if r["delays"] == v] for v in options.delays}
    print(table(columns))


if __name__ == "__main__":
    main()
