"""Train spiking networks on spoken digits, with and without delays, and measure them on bitstreams.

A recording becomes 20 time steps of 32 frequency bands, and each band four spike trains: whether its
level is above each of four thresholds. A layer of LIF neurons receives them, with several delays
or without, and the potentials of a readout that never fires determine the digit.

``--data`` names the folder with the Free Spoken Digit Dataset, see `recordings`. There are two tasks:
the official split, whose test set is takes 0 to 4 of all speakers, and new speakers, where a network is
tested on one speaker after training on the other five. ``--validate`` measures on other recordings:
takes 5 to 9, and three of the speakers after training on four of the others. Hyper-parameters were
chosen on such splits; docs/training.md says how.

Run ``python examples/spoken_digits.py --data DIR`` after ``pip install torch==2.13.0 tqdm``. Results
are written as JSON, and printed as Markdown tables. Run it again to continue after Ctrl-C.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recordings import (
    DELAYS,
    Experiment,
    Job,
    Part,
    Result,
    Speech,
    by_delays,
    parser,
    run_all,
    speech,
    table,
)
from torch import Tensor
from torch.nn import functional

from sc_neurocore import LIF, Bitstream
from sc_neurocore.training import SCLinear, SCNetwork

STEPS, BANDS = 20, 32
TRIM, LEVELING = 30.0, 0.5  # silence in decibels; part of each band's mean that is subtracted
THRESHOLDS = (-0.9, -0.2, 0.5, 1.2)  # of normalized levels
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
VALIDATION = {"george": "lucas", "jackson": "theo", "nicolas": "yweweler"}  # and who is left out, too
COPIES, GAP, HIDDEN = 5, 3, 96
EPOCHS = {"official": 40, "new speaker": 8}


def spikes(levels: Tensor) -> Bitstream:
    """Return the spike trains (n, 4 * BANDS) of levels (n, BANDS, STEPS)."""
    above = [levels > threshold for threshold in THRESHOLDS]
    return Bitstream.from_bits(torch.cat(above, 1).numpy().astype(np.uint8))


def augment(levels: Tensor) -> Bitstream:
    """Return the spikes of recordings that are stretched and shifted in time and frequency.

    Also changed at random: gain, loudness, tilt of the spectrum, noise, and which part of time and
    frequency is masked. On a logarithmic axis a shift in frequency is another size of the speaker.
    """
    n, bands, steps = levels.shape

    def spread(limit: float, *shape: int) -> Tensor:
        return (2 * torch.rand(n, *shape) - 1) * limit

    maps = torch.zeros(n, 2, 3)
    maps[:, 0, 0], maps[:, 0, 2] = 1 + spread(0.15), spread(0.15)
    maps[:, 1, 1], maps[:, 1, 2] = 1 + spread(0.1), spread(0.15)
    grid = functional.affine_grid(maps, [n, 1, bands, steps], align_corners=False)
    levels = functional.grid_sample(levels[:, None], grid, padding_mode="border", align_corners=False)[
        :, 0
    ]
    tilt = torch.linspace(-1, 1, bands)[:, None] * spread(0.2, 1, 1)
    levels = levels * (1 + spread(0.2, 1, 1)) + spread(0.2, 1, 1) + tilt
    levels = levels + 0.15 * torch.randn(levels.shape)
    for size, shape in ((bands, (n, -1, 1)), (steps, (n, 1, -1))):
        first, width = torch.rand(n, 1) * size, torch.rand(n, 1) * 3
        at = torch.arange(size)
        masked = (at >= first) & (at < first + width)
        levels = levels.masked_fill(masked.view(shape), -1.5)
    return spikes(levels)


def build(variant: str) -> SCNetwork:
    """Return an untrained network without delays, or with fixed or learned ones.

    With delays, each spike train reaches the hidden layer several times, `GAP` steps apart before
    training. Without delays, a second hidden layer has about as many parameters.
    """
    n_in = BANDS * len(THRESHOLDS)
    rng = np.random.default_rng(0)
    readout = LIF(tau_mem=math.inf, v_threshold=math.inf)

    def neurons(n: int, longest: float) -> LIF:
        return LIF(tau_mem=np.exp(rng.uniform(np.log(1.2), np.log(longest), n)))

    if variant == "none":
        return SCNetwork(
            SCLinear(n_in, 208, gain=0.2, bias=True, neuron=neurons(208, 20.0)),
            SCLinear(208, 160, gain=0.2, bias=True, neuron=neurons(160, 20.0)),
            SCLinear(160, 10, gain=0.2, neuron=readout),
        )
    learn: Any = ("gain", "delay") if variant == "learned" else ("gain",)
    hidden = SCLinear(
        n_in * COPIES,
        HIDDEN,
        gain=0.2,
        bias=True,
        neuron=neurons(HIDDEN, 5.0),
        delay=np.repeat(GAP * np.arange(COPIES), n_in),
        learn=learn,
    )
    last = SCLinear(HIDDEN, 10, gain=0.2, neuron=readout)
    return SCNetwork(hidden, last, connections=[["input"] * COPIES, 0])


def split(recordings: Speech, task: str, validate: bool) -> tuple[Any, Any]:
    """Return which recordings train and test a network; a task is "official" or a speaker."""
    takes, speakers = recordings.takes, recordings.speakers
    if task == "official":
        return (takes >= 10, (takes >= 5) & (takes < 10)) if validate else (takes >= 5, takes < 5)
    others = speakers != task
    return (others & (speakers != VALIDATION[task]) if validate else others), speakers == task


def part(data: Path, job: Job, validate: bool) -> Part:
    """Return what the network of a task is trained and tested on."""
    recordings = speech(data, bands=BANDS, frames=STEPS, trim=TRIM, leveling=LEVELING)
    trained, tested = split(recordings, job["task"], validate)
    levels = torch.tensor(recordings.levels, dtype=torch.float32)
    digits = recordings.digits
    return Part(
        levels[trained], digits[trained], spikes, augment, spikes(levels[tested]), digits[tested]
    )


EXPERIMENT = Experiment(
    "spoken_digits", build, part, {"task": "official", "seed": 0}, 32, learning_rate=0.02
)


def tables(results: list[Result]) -> str:
    """Return the results as Markdown tables, two per task."""
    shown = []
    for name, is_of in (("Official split", "official".__eq__), ("New speakers", SPEAKERS.__contains__)):
        columns = by_delays([r for r in results if is_of(r["task"])])
        if columns:
            shown.append(f"{name}:\n\n{table(columns)}")
    real = {(r["task"], r["delays"]): f"{100 * r['real'] / r['n']:.1f} %" for r in results}
    lines = [
        "| speaker, on real numbers | " + " | ".join(DELAYS.values()) + " |",
        "| --- |" + " --: |" * len(DELAYS),
    ]
    for speaker in SPEAKERS:
        cells = (real.get((speaker, delays), "") for delays in DELAYS)
        lines.append(f"| {speaker} | " + " | ".join(cells) + " |")
    return "\n\n".join([*shown, "\n".join(lines)])


def main(arguments: list[str] | None = None) -> None:
    """Train and measure all networks."""
    made = parser(__doc__ or "", "spoken_digits", tuple(DELAYS))
    made.add_argument("--tasks", nargs="+", choices=("official", *SPEAKERS))
    options = made.parse_args(arguments)
    names = options.tasks or ("official", *(VALIDATION if options.validate else SPEAKERS))
    tasks = [
        {"task": name, "epochs": options.epochs or EPOCHS.get(name, EPOCHS["new speaker"])}
        for name in names
    ]
    print(tables(run_all(EXPERIMENT, tasks, options)))


if __name__ == "__main__":
    main()
