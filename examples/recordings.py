"""Two public data sets of recordings and measurements on them, for the examples beside this module.

- Free Spoken Digit Dataset (``*.wav``), CC BY-SA 4.0,
  https://github.com/Jakobovski/free-spoken-digit-dataset: 3,000 recordings of six speakers. Its test
  set is takes 0 to 4 of each speaker.
- 1,100 recordings of N-MNIST (``*.bs2``, ``train1K.txt``, ``test100.txt``), CC BY-SA 4.0,
  test_files/NMNISTsmall of https://github.com/bamsumit/slayerPytorch.

Files may lie anywhere below the folder that is given, also in tar archives.
"""

from __future__ import annotations

import io
import json
import tarfile
import wave
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import Bernoulli, Bitstream, Network, Sobol, simulate, simulate_float

SIDE = 34  # rows and columns of the camera
BITS_PER_STEP = (1, 4, 8, 16)
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
def speech(folder: Path, *, bands: int = 32, frames: int = 40) -> Speech:
    """Return log energies of mel-like bands at equal distances over each recording."""
    centers = np.geomspace(100, 3800, bands + 2)
    frequencies = np.fft.rfftfreq(512, 1 / 8000)
    weights = np.stack(
        [np.interp(frequencies, centers[i : i + 3], [0, 1, 0], 0, 0) for i in range(bands)], axis=1
    )
    levels, names = [], []
    for name, content in files(folder, ".wav"):
        with wave.open(io.BytesIO(content)) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), np.int16) / 32768.0
        starts = np.linspace(0, max(len(samples) - 256, 0), frames).astype(int)
        padded = np.pad(samples, (0, 256))
        windows = np.stack([padded[s : s + 256] for s in starts]) * np.hanning(256)
        energy = np.log(np.abs(np.fft.rfft(windows, 512)) ** 2 @ weights + 1e-6).T
        levels.append((energy - energy.mean()) / energy.std())
        names.append(name.stem.split("_"))
    if not names:
        raise SystemExit(f"no *.wav file below {folder}")
    digits, speakers, takes = zip(*names, strict=True)
    return Speech(
        np.stack(levels), np.array(digits, np.int64), np.array(speakers), np.array(takes, np.int64)
    )


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


def run(jobs: list[Job], work: Callable[[Job], Result], out: Path, workers: int) -> list[Result]:
    """Run the jobs that the results file does not hold yet; write it after each of them.

    A job is a dict of plain values, and its result begins with them.
    """
    results: list[Result] = json.loads(out.read_text()) if out.exists() else []
    left = [job for job in jobs if not any(job.items() <= done.items() for done in results)]
    for done in _done(left, work, workers):
        results.append(done)
        out.write_text("[\n" + ",\n".join(json.dumps(row) for row in results) + "\n]\n")
        print({name: value for name, value in done.items() if name != "rows"}, flush=True)
    return [done for done in results if any(job.items() <= done.items() for job in jobs)]


def _done(jobs: list[Job], work: Callable[[Job], Result], workers: int) -> Iterator[Result]:
    if workers == 1:
        yield from map(work, jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(work, job) for job in jobs]):
            yield future.result()


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
