"""Two public data sets of recordings, and training and measurement on them, for the examples beside it.

- Free Spoken Digit Dataset (``*.wav``), CC BY-SA 4.0,
  https://github.com/Jakobovski/free-spoken-digit-dataset: 3,000 recordings of six speakers. Its test
  set is takes 0 to 4 of each speaker.
- 1,100 recordings of N-MNIST (``*.bs2``, ``train1K.txt``, ``test100.txt``), CC BY-SA 4.0,
  test_files/NMNISTsmall of https://github.com/bamsumit/slayerPytorch.

Files may lie anywhere below the folder that is given, also in tar archives.
"""

from __future__ import annotations

import argparse
import io
import json
import tarfile
import time
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from mnist import round_weights
from numpy.typing import NDArray
from torch import Tensor

from sc_neurocore import (
    Bernoulli,
    Bitstream,
    Network,
    Sobol,
    set_threads,
    simulate,
    simulate_float,
    sweep,
)
from sc_neurocore.training import SCNetwork, calibrate, fit, to_network

SIDE = 34  # rows and columns of the camera
BITS_PER_STEP = (1, 4, 8, 16)
TRAINED_AT = 4  # bits per step
DELAYS = {"none": "without delays", "fixed": "fixed delays", "learned": "learned delays"}
SOURCES: dict[str, Callable[[int], Any]] = {
    "Bernoulli": lambda _: Bernoulli(),
    "Sobol": Sobol.for_length,
}
Job = dict[str, Any]
Result = dict[str, Any]


@dataclass(frozen=True)
class Speech:
    """Recordings of spoken digits: `levels` (n, bands, frames), normalized per recording."""

    levels: NDArray[np.float64]
    digits: NDArray[np.int64]
    speakers: NDArray[Any]
    takes: NDArray[np.int64]


@dataclass(frozen=True)
class Camera:
    """Recordings of an event camera: per recording times in microseconds, columns, rows, polarities."""

    times: list[NDArray[np.int64]]
    columns: list[NDArray[np.int64]]
    rows: list[NDArray[np.int64]]
    polarities: list[NDArray[np.int64]]
    classes: NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """What the network of a job is trained and tested on."""

    inputs: Tensor
    labels: NDArray[np.int64]
    spikes: Callable[[Tensor], Bitstream]  # of inputs
    augment: Callable[[Tensor], Bitstream]  # spikes of inputs that are changed at random
    tested: Bitstream
    tested_labels: NDArray[np.int64]


@dataclass(frozen=True)
class Experiment:
    """Networks on recordings, with different delays."""

    name: str  # of the files that are saved
    build: Callable[[str], SCNetwork]  # an untrained network, by its delays
    part: Callable[[Path, Job, bool], Part]  # of a folder of data, and whether to validate
    saved: Job  # what the jobs have in common whose networks are saved
    batch_size: int
    learning_rate: float


def files(folder: Path, *endings: str) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yield names and contents of the files below a folder and in its tar archives."""
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".tar":
            with tarfile.open(path) as archive:
                for member in sorted(archive.getmembers(), key=lambda member: member.name):
                    opened = archive.extractfile(member) if member.name.endswith(endings) else None
                    if opened is not None:
                        yield PurePosixPath(member.name), opened.read()
        elif path.name.endswith(endings):
            yield PurePosixPath(path.as_posix()), path.read_bytes()


@cache
def speech(
    folder: Path,
    *,
    bands: int = 32,
    frames: int = 40,
    trim: float | None = None,
    leveling: float = 0.0,
) -> Speech:
    """Return log energies of mel-like bands at equal distances over each recording.

    With `trim`, a recording begins and ends where its energy in 32 ms is that many decibels below its
    maximum. `leveling` is the part of each band's mean over the recording that is subtracted; at 1 the
    levels no longer depend on constant filters, such as a microphone or a long vocal tract.
    """
    centers = np.geomspace(100, 3800, bands + 2)
    frequencies = np.fft.rfftfreq(512, 1 / 8000)
    weights = np.stack(
        [np.interp(frequencies, centers[i : i + 3], [0, 1, 0], 0, 0) for i in range(bands)], axis=1
    )
    levels, names = [], []
    for name, content in files(folder, ".wav"):
        with wave.open(io.BytesIO(content)) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), np.int16) / 32768.0
        if trim is not None:
            samples = trimmed(samples, trim)
        starts = np.linspace(0, max(len(samples) - 256, 0), frames).astype(int)
        padded = np.pad(samples, (0, 256))
        windows = np.stack([padded[s : s + 256] for s in starts]) * np.hanning(256)
        energy = np.log(np.abs(np.fft.rfft(windows, 512)) ** 2 @ weights + 1e-6).T
        found = (energy - energy.mean()) / energy.std()
        if leveling:
            found -= leveling * found.mean(axis=1, keepdims=True)
            found /= found.std()
        levels.append(found)
        names.append(name.stem.split("_"))
    if not names:
        raise SystemExit(f"no *.wav file below {folder}")
    digits, speakers, takes = zip(*names, strict=True)
    return Speech(
        np.stack(levels), np.array(digits, np.int64), np.array(speakers), np.array(takes, np.int64)
    )


def trimmed(samples: NDArray[np.float64], decibels: float) -> NDArray[np.float64]:
    """Return the samples between the first and the last window of 32 ms that is loud enough."""
    if len(samples) <= 256:
        return samples
    energy = np.lib.stride_tricks.sliding_window_view(samples, 256)[::64] ** 2 @ np.hanning(256)
    loud = np.flatnonzero(energy >= energy.max() * 10 ** (-decibels / 10))
    return samples[64 * loud[0] : 64 * loud[-1] + 256]


@cache
def camera(folder: Path) -> Camera:
    """Return the events of all recordings, those of the training list first."""
    lists = {name.name: content for name, content in files(folder, "train1K.txt", "test100.txt")}
    if len(lists) < 2:
        raise SystemExit(f"no train1K.txt and test100.txt below {folder}")
    listed = np.concatenate(
        [np.loadtxt(io.BytesIO(lists[name]), int) for name in ("train1K.txt", "test100.txt")]
    )
    contents = {int(name.stem): content for name, content in files(folder, ".bs2")}
    times, columns, rows, polarities = [], [], [], []
    for number in listed[:, 0]:
        raw = np.frombuffer(contents[int(number)], np.uint8).reshape(-1, 5).astype(np.int64)
        times.append((raw[:, 2] & 127) << 16 | raw[:, 3] << 8 | raw[:, 4])
        columns.append(raw[:, 0])
        rows.append(raw[:, 1])
        polarities.append(raw[:, 2] >> 7)
    return Camera(times, columns, rows, polarities, listed[:, 1])


def measured(network: Network, x: Bitstream, labels: NDArray[np.int64], seeds: int) -> dict[str, Any]:
    """Return how many recordings are classified correctly, by source and bits per step and seed."""

    def right(found: Any) -> int:
        return int((found.classes == labels).sum())

    rows = []
    for name, source in SOURCES.items():
        for k in BITS_PER_STEP:
            own = source(x.length * k)
            results = [
                simulate(network, x, seed=seed, source=own, bits_per_step=k) for seed in range(seeds)
            ]
            rows.append({"source": name, "k": k, "right": [right(result) for result in results]})
    return {"n": len(labels), "real": right(simulate_float(network, x)), "rows": rows}


def train(experiment: Experiment, part: Part, job: Job) -> Network:
    """Return a trained network."""
    torch.manual_seed(job["seed"])
    model = experiment.build(job["delays"])
    first = part.inputs[torch.randperm(len(part.inputs))[:100]]
    calibrate(model, part.spikes(first), bits_per_step=TRAINED_AT)
    fit(
        model,
        (part.inputs, torch.tensor(part.labels)),
        epochs=job["epochs"],
        batch_size=experiment.batch_size,
        learning_rate=experiment.learning_rate,
        delay_rate=experiment.learning_rate,
        max_norm=1.0,
        averaging=0.99,
        augment=part.augment,
        bits_per_step=TRAINED_AT,
    )
    round_weights(model)
    return to_network(model)


def work(
    *, experiment: Experiment, data: Path, validate: bool, seeds: int, save: Path | None, **job: Any
) -> Result:
    """Return the results of a job: train a network, and measure it."""
    torch.set_num_threads(1)
    set_threads(1)
    part = experiment.part(data, job, validate)
    started = time.process_time()
    network = train(experiment, part, job)
    seconds = time.process_time() - started
    if save is not None and experiment.saved.items() <= job.items():
        save.mkdir(parents=True, exist_ok=True)
        network.save(save / f"{experiment.name}_{job['delays']}.npz")
    parameters = sum(p.numel() for p in experiment.build(job["delays"]).parameters())
    found = measured(network, part.tested, part.tested_labels, seeds)
    return {"parameters": parameters, "cpu_seconds": round(seconds), **found}


def parser(description: str, name: str, delays: tuple[str, ...]) -> argparse.ArgumentParser:
    """Return the command line of an experiment, without its own options."""
    made = argparse.ArgumentParser(description=description.splitlines()[0])
    made.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the data set")
    made.add_argument("--out", type=Path, default=Path(f"{name}.json"), help="results file")
    made.add_argument("--save", type=Path, metavar="DIR", help="folder for the first networks")
    made.add_argument("--delays", nargs="+", choices=delays, default=delays)
    made.add_argument("--validate", action="store_true", help="measure on validation data")
    made.add_argument("--epochs", type=int, help="passes through the training data")
    made.add_argument("--trainings", type=int, default=1, help="trainings of each network")
    made.add_argument("--seeds", type=int, default=3, help="simulations of each network")
    made.add_argument("--workers", type=int, default=1, help="trainings at the same time")
    return made


def run_all(experiment: Experiment, tasks: list[Job], options: argparse.Namespace) -> list[Result]:
    """Return the results of all trainings of networks with all delays, in all tasks.

    A task is what the job of a training says besides its delays and its seed. Results are stored beside
    the results file as they are finished, and trainings that are stored are not repeated.
    """
    jobs = [
        task | {"delays": delays, "seed": seed}
        for seed in range(options.trainings)
        for task in tasks
        for delays in options.delays
    ]
    do = partial(
        work,
        experiment=experiment,
        data=options.data,
        validate=options.validate,
        seeds=options.seeds,
        save=options.save,
    )
    out, workers = options.out, options.workers if options.workers > 1 else None
    results = sweep(do, jobs, executor=workers, store=out.with_suffix(".jsonl"), progress=True)
    results = [row for row in results if row.pop("error", None) is None]
    earlier = json.loads(out.read_text()) if out.exists() else []
    others = [row for row in earlier if not any(job.items() <= row.items() for job in jobs)]
    rows = ",\n".join(json.dumps(row) for row in others + results)
    out.write_text(f"[\n{rows}\n]\n")
    return results


def by_delays(results: list[Result]) -> dict[str, list[Result]]:
    """Return results as columns of a table."""
    columns = {shown: [r for r in results if r["delays"] == name] for name, shown in DELAYS.items()}
    return {shown: own for shown, own in columns.items() if own}


def shares(results: list[Result]) -> list[tuple[str, NDArray[np.float64]]]:
    """Return accuracies of runs, as (source and bits per step, one value per training and seed).

    The results of one training are those of its folds, whose recordings are added up.
    """
    seeds = sorted({result["seed"] for result in results})
    n = sum(result["n"] for result in results if result["seed"] == seeds[0])

    def total(values: Callable[[Result], Any]) -> NDArray[np.float64]:
        sums = [sum(np.array(values(r)) for r in results if r["seed"] == seed) for seed in seeds]
        return np.asarray(np.concatenate([np.atleast_1d(own) for own in sums]) / n)

    def of_row(i: int) -> Callable[[Result], Any]:
        return lambda result: result["rows"][i]["right"]

    found = [("real numbers", total(lambda result: result["real"]))]
    for i, row in enumerate(results[0]["rows"]):
        found.append((f"{row['source']}, {row['k']}", total(of_row(i))))
    return found


def table(columns: dict[str, list[Result]]) -> str:
    """Return accuracies as a Markdown table, with a column for each list of results."""
    by_column = {name: shares(results) for name, results in columns.items()}
    lines = [
        "| source, bits per step | " + " | ".join(columns) + " |",
        "| --- |" + " --: |" * len(columns),
    ]
    for i, (name, _) in enumerate(next(iter(by_column.values()))):
        cells = []
        for found in by_column.values():
            values = found[i][1]
            spread = f" ± {100 * values.std(ddof=1):.1f}" if len(values) > 1 else ""
            cells.append(f"{100 * values.mean():.1f}{spread} %")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
