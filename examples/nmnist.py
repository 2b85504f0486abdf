"""Train a convolutional spiking network on recordings of an event camera, and measure it on bitstreams.

The data are 1,100 recordings of N-MNIST, see `recordings`; ``--data`` names their folder. Events of
300 ms become spikes of 2 x 17 x 17 pixels in 20 time steps: a pixel spikes in a step in which at least
one of its events lies. In training, the events of each recording are rotated, scaled and shifted at
random.

The recordings are divided into five parts. Each is the test set of a network that is trained on the
other four; ``--validate`` trains on three of these and measures on the fourth. Hyper-parameters were
chosen on such a split; docs/training.md says how.

Run ``python examples/nmnist.py --data DIR`` after ``pip install torch==2.13.0 tqdm``. Results are
written as JSON, and printed as a Markdown table. Run it again to continue after Ctrl-C.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from recordings import SIDE, Camera, Experiment, Job, Part, by_delays, camera, parser, run_all, table
from torch import Tensor

from sc_neurocore import LIF, Bitstream
from sc_neurocore.training import SCConv2d, SCLinear, SCNetwork

STEPS, DURATION = 20, 300_000  # microseconds
PIXELS = SIDE // 2  # rows and columns of a network's input
FOLDS = 5
EPOCHS = 50
# Movement of the image in pixels, the same in all recordings: the camera looked along three sides of a
# triangle. Read off the mean position of all events; with it undone, images are sharpest.
MOVED_AT = (17, 73, 122, 178, 228, 283)  # milliseconds
MOVED_BY = ((0, 2.8, 2.8, 6.5, 6.5, 1.4), (0, 5.6, 5.6, 0, 0, 0))  # columns, rows
MIDDLE = (2.8, 1.0)  # pixels that images move to the middle


class Recordings:
    """The events of all recordings in one array, of which batches of spikes are made."""

    def __init__(self, recorded: Camera) -> None:
        self.first = np.cumsum([0, *map(len, recorded.times)])
        self.times = np.concatenate(recorded.times)
        self.polarities = np.concatenate(recorded.polarities)
        seen_at = np.stack([np.concatenate(recorded.columns), np.concatenate(recorded.rows)], 1)
        moved = [np.interp(self.times / 1000, MOVED_AT, axis) for axis in MOVED_BY]
        self.at = seen_at + 0.5 - np.stack(moved, 1) + MIDDLE
        self.classes = recorded.classes

    def spikes(self, numbers: NDArray[np.int64], moves: NDArray[np.float64] | None = None) -> Bitstream:
        """Return the spikes (n, 2 * PIXELS * PIXELS) of some recordings.

        Moves (n, 2, 3) map coordinates (column, row, 1) relative to the center of the image.
        """
        lengths = self.first[numbers + 1] - self.first[numbers]
        image = np.repeat(np.arange(len(numbers)), lengths)
        ends = np.cumsum(lengths)
        event = np.arange(len(image)) + np.repeat(self.first[numbers] - ends + lengths, lengths)
        at = self.at[event]
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


def part(data: Path, job: Job, validate: bool) -> Part:
    """Return what the network of a fold is trained and tested on."""
    recorded = Recordings(camera(data))
    trained, tested = split(len(recorded.classes), job["fold"], validate)
    return Part(
        torch.tensor(trained),
        recorded.classes[trained],
        lambda numbers: recorded.spikes(numbers.numpy()),
        recorded.augmented,
        recorded.spikes(tested),
        recorded.classes[tested],
    )


EXPERIMENT = Experiment("nmnist", build, part, {"fold": 0, "seed": 0}, 16, learning_rate=0.03)


def main(arguments: list[str] | None = None) -> None:
    """Train and measure all networks."""
    made = parser(__doc__ or "", "nmnist", ("none", "learned"))
    made.add_argument("--folds", type=int, nargs="+", choices=range(FOLDS), default=range(FOLDS))
    made.set_defaults(epochs=EPOCHS)
    options = made.parse_args(arguments)
    tasks = [{"fold": fold, "epochs": options.epochs} for fold in options.folds]
    print(table(by_delays(run_all(EXPERIMENT, tasks, options))))


if __name__ == "__main__":
    main()
