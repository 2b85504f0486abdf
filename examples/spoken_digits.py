"""Train spiking networks on spoken digits, with and without delays, and measure them on bitstreams.

A recording becomes 20 time steps of 32 frequency bands, and each band four spike trains: whether its
level is above each of four thresholds. A layer of LIF neurons receives them, with several delays
or without, and the potentials of a readout that never fires determine the digit.

``--data`` names the folder with the Free Spoken Digit Dataset, see `recordings`. There are two tasks:
the official split, whose test set is takes 0 to 4 of all speakers, and new speakers, where a network is
tested on one speaker after training on the other five. ``--validate`` measures on other recordings:
takes 5 to 9, and three of the speakers after training on four of the others. Hyper-parameters were
chosen on such splits; docs/training.md says how.

Run ``python examples/spoken_digits.py --data DIR`` after ``pip install torch==2.13.0``. Results are
written as JSON, and printed as Markdown tables. Run it again to continue after Ctrl-C.
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
from recordings import Job, Result, Speech, measured, run, speech, table
from torch import Tensor
from torch.nn import functional

from sc_neurocore import LIF, Bitstream, Network, set_threads
from sc_neurocore.training import SCLinear, SCNetwork, calibrate, fit, to_network

STEPS, BANDS = 20, 32
THRESHOLDS = (-0.9, -0.2, 0.5, 1.2)  # of normalized levels
BITS = 4  # per step in training
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
VALIDATION = {"george": "lucas", "jackson": "theo", "nicolas": "yweweler"}  # and who is left out, too
VARIANTS = ("none", "fixed", "learned")
COPIES, GAP, HIDDEN = 5, 3, 96
EPOCHS = {"official": 20, "new speaker": 8}
BATCH = 32


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


def train(levels: Tensor, digits: Tensor, variant: str, seed: int, epochs: int) -> Network:
    """Return a trained network."""
    torch.manual_seed(seed)
    model = build(variant)
    calibrate(model, spikes(levels[torch.randperm(len(levels))[:100]]), bits_per_step=BITS)
    fit(
        model,
        (levels, digits),
        epochs=epochs,
        batch_size=BATCH,
        learning_rate=0.02,
        max_norm=1.0,
        averaging=0.99,
        augment=augment,
        bits_per_step=BITS,
    )
    round_weights(model)
    return to_network(model)


def work(job: Job, *, data: Path, validate: bool, seeds: int, save: Path | None = None) -> Result:
    """Return the results of a job: train a network, and measure it."""
    torch.set_num_threads(1)
    set_threads(1)
    recordings = speech(data, bands=BANDS, frames=STEPS)
    trained, tested = split(recordings, job["task"], validate)
    levels = torch.tensor(recordings.levels, dtype=torch.float32)
    digits = torch.tensor(recordings.digits[trained])
    started = time.perf_counter()
    network = train(levels[trained], digits, job["delays"], job["seed"], job["epochs"])
    seconds = time.perf_counter() - started
    if save is not None and job["task"] == "official" and job["seed"] == 0:
        network.save(save / f"spoken_digits_{job['delays']}.npz")
    parameters = sum(p.numel() for p in build(job["delays"]).parameters())
    found = measured(network, spikes(levels[tested]), recordings.digits[tested], seeds)
    return job | {"parameters": parameters, "seconds": round(seconds), **found}


def epochs_of(task: str) -> int:
    """Return the passes through the training data of a task."""
    return EPOCHS.get(task, EPOCHS["new speaker"])


def tables(results: list[Result]) -> str:
    """Return the results as Markdown tables, one per task."""
    shown = []
    for name, is_of in (("Official split", "official".__eq__), ("New speakers", SPEAKERS.__contains__)):
        columns = {
            {"none": "without delays", "fixed": "fixed delays", "learned": "learned delays"}[v]: own
            for v in VARIANTS
            if (own := [r for r in results if r["delays"] == v and is_of(r["task"])])
        }
        if columns:
            shown.append(f"{name}:\n\n{table(columns)}")
    real = {(r["task"], r["delays"]): f"{100 * r['real'] / r['n']:.1f} %" for r in results}
    lines = ["| speaker, on real numbers | without delays | learned delays |", "| --- | --: | --: |"]
    lines += [
        f"| {t} | {real.get((t, 'none'), '')} | {real.get((t, 'learned'), '')} |" for t in SPEAKERS
    ]
    return "\n\n".join([*shown, "\n".join(lines)])


def main(arguments: list[str] | None = None) -> None:
    """Train and measure all networks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="folder of the data set"
    )
    parser.add_argument("--out", type=Path, default=Path("spoken_digits.json"), help="results file")
    parser.add_argument("--save", type=Path, metavar="DIR", help="folder for the networks of seed 0")
    parser.add_argument("--tasks", nargs="+", choices=("official", *SPEAKERS))
    parser.add_argument("--delays", nargs="+", choices=VARIANTS, default=VARIANTS)
    parser.add_argument("--validate", action="store_true", help="measure on validation data")
    parser.add_argument("--epochs", type=int, help="passes through the training data")
    parser.add_argument("--trainings", type=int, default=1, help="trainings of each network")
    parser.add_argument("--seeds", type=int, default=3, help="simulations of each network")
    parser.add_argument("--workers", type=int, default=1, help="trainings at the same time")
    options = parser.parse_args(arguments)
    tasks = options.tasks or ("official", *(VALIDATION if options.validate else SPEAKERS))
    jobs = [
        {"task": task, "delays": delays, "seed": seed, "epochs": options.epochs or epochs_of(task)}
        for seed in range(options.trainings)
        for task in tasks
        for delays in options.delays
    ]
    do = partial(
        work, data=options.data, validate=options.validate, seeds=options.seeds, save=options.save
    )
    print(tables(run(jobs, do, options.out, options.workers)))


if __name__ == "__main__":
    main()
