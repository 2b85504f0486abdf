"""Fill in the tables of training.md on images, speech and events, and draw its pictures.

python docs/draw_training.py

Everything comes from the results files that the examples write, docs/fashion_mnist.json,
docs/spoken_digits.json and docs/nmnist.json, and from the networks in examples/networks. A test
compares the page with them.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import both_themes
import numpy as np
from draw_results import PICTURES, filled, log_lengths, table
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sc_neurocore import Network
from sc_neurocore.evidence._intervals import wilson
from sc_neurocore.plot._style import ink

HERE = Path(__file__).parent
PAGE, EXAMPLES = HERE / "training.md", HERE.parent / "examples"
sys.path.append(str(EXAMPLES))

from recordings import by_delays  # noqa: E402
from recordings import table as by_source  # noqa: E402
from spoken_digits import SPEAKERS, build  # noqa: E402

WITH = {"without delays": "without delays", "fixed delays": "with fixed delays"}
SHAPES = {"mlp": "784-128-10", "conv": "convolutional"}


def read(name: str) -> Any:
    """Return the results of an example."""
    return json.loads((HERE / f"{name}.json").read_text())


def fashion_table(found: dict[str, Any]) -> str:
    """Return accuracy by network, source and length."""
    lines = []
    for name in found:
        for row in found[name]["rows"]:
            low, high = row["interval"]
            real = "" if row["float"] is None else f"{row['float']:.2%}"
            cells = [
                SHAPES[name],
                row["source"],
                str(row["length"]),
                f"{row['mean']:.2%} ± {row['std']:.2%}",
                f"{low:.1%} to {high:.1%}",
                real,
            ]
            lines.append([cell.replace("%", " %") for cell in cells])
    return table(["network", "source", "bits", "accuracy", "95 % interval", "real numbers"], lines)


def of_task(results: list[dict[str, Any]], *, official: bool) -> list[dict[str, Any]]:
    """Return the results of the official split or of new speakers."""
    return [row for row in results if (row["task"] == "official") == official]


def speaker_table(results: list[dict[str, Any]]) -> str:
    """Return the accuracy on real numbers by speaker and delays."""
    columns = by_delays(of_task(results, official=False))
    lines = []
    for speaker in SPEAKERS:
        cells = [
            f"{100 * row['real'] / row['n']:.1f} %"
            for rows in columns.values()
            for row in rows
            if row["task"] == speaker
        ]
        lines.append([speaker, *cells])
    return table(["speaker, on real numbers", *columns], lines)


def delays() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the delays of the inputs of spoken_digits.npz, before and after training."""
    network = Network.load(EXAMPLES / "networks" / "spoken_digits.npz")
    before, after = (np.asarray(layer.delay) for layer in (build("learned").layers[0], network[0]))
    return before, after


def gain_of_learning(results: list[dict[str, Any]]) -> str:
    """Return by how many points learned delays are better on new speakers, with 95 % intervals.

    The intervals take the errors of two networks for independent, which makes them too wide.
    """
    shares = {
        name: (sum(row["real"] for row in rows) / (n := sum(row["n"] for row in rows)), n)
        for name, rows in by_delays(of_task(results, official=False)).items()
    }
    best, n = shares.pop("learned delays")
    said = []
    for name, (share, m) in shares.items():
        spread = 1.96 * math.sqrt(best * (1 - best) / n + share * (1 - share) / m)
        said.append(f"{100 * (best - share):.1f} ± {100 * spread:.1f} points above those {WITH[name]}")
    start, end = delays()
    return (
        f"On real numbers, networks with learned delays are {' and '.join(said)}. The delays of "
        f"the network for the official split moved by {abs(end - start).mean():.1f} steps on average."
    )


def all_tables() -> dict[str, str]:
    """Return every table by name."""
    speech = read("spoken_digits")
    new = of_task(speech, official=False)
    return {
        "fashion-mnist": fashion_table(read("fashion_mnist")),
        "official": by_source(by_delays(of_task(speech, official=True))),
        "speakers": "\n\n".join(
            [by_source(by_delays(new)), speaker_table(speech), gain_of_learning(speech)]
        ),
        "events": by_source(by_delays(read("nmnist"))),
    }


def draw_fashion(axes: Axes, shape: str, found: dict[str, Any]) -> None:
    """Draw accuracy against length with its interval, and the same network on real numbers."""
    lengths: list[int] = []
    for marker, source in zip("os", ("Bernoulli", "Sobol"), strict=True):
        rows = [row for row in found["rows"] if row["source"] == source]
        lengths = [row["length"] for row in rows]
        means = np.array([row["mean"] for row in rows])
        low, high = np.array([row["interval"] for row in rows]).T
        shift = 2 ** (0.03 if source == "Sobol" else -0.03)
        axes.errorbar(
            shift * np.array(lengths),
            100 * means,
            100 * np.array([means - low, high - means]),
            fmt=marker + "-",
            ms=4,
            lw=1,
            capsize=3,
            label=f"{source} streams",
        )
    real = [(row["length"], 100 * row["float"]) for row in rows if row["float"] is not None]
    axes.plot(*zip(*real, strict=True), "--", color=ink(), lw=1, marker="x", ms=4, label="real numbers")
    log_lengths(axes, lengths)
    axes.set(ylabel="accuracy (%)")
    axes.set_title(f"Fashion-MNIST, {shape}")
    axes.legend(loc="lower right")


def draw_speakers(axes: Axes, results: list[dict[str, Any]]) -> None:
    """Draw the accuracy on new speakers by their delays, with the interval of all recordings."""
    new = of_task(results, official=False)
    columns = by_delays(new)
    width = 0.8 / len(columns)
    for i, (name, rows) in enumerate(columns.items()):
        at = np.arange(len(SPEAKERS) + 1) + (i - (len(columns) - 1) / 2) * width
        by_speaker = {row["task"]: (sum(r["real"] for r in rows if r["task"] == row["task"]),
                                    sum(r["n"] for r in rows if r["task"] == row["task"]))
                      for row in rows}  # fmt: skip
        counts = [by_speaker[speaker] for speaker in SPEAKERS]
        right, n = (sum(values) for values in zip(*counts, strict=True))
        heights = np.array([100 * r / m for r, m in [*counts, (right, n)]])
        intervals = np.array([wilson(r, m, 0.95) for r, m in [*counts, (right, n)]])
        errors = np.abs(100 * intervals.T - heights)
        axes.bar(at, heights, width, yerr=errors, error_kw={"lw": 0.7}, label=name)
    axes.set_xticks(np.arange(len(SPEAKERS) + 1), [*SPEAKERS, "all"], fontsize=8)
    axes.set(ylabel="accuracy (%)", ylim=(40, 100))
    axes.set_title("Spoken digits of a new speaker, on real numbers")
    axes.legend(loc="upper left", ncols=len(columns))
    axes.grid(False, axis="x")


def draw_delays(axes: Axes) -> None:
    """Draw how many inputs have which delay, before and after training."""
    before, after = delays()
    edges = [step - 0.5 for step in range(int(max(before.max(), after.max())) + 2)]
    axes.hist(before, edges, label="before training", histtype="step", color=ink())
    axes.hist(after, edges, label="learned", alpha=0.6)
    axes.set(xlabel="delay of an input (time steps)", ylabel="inputs", ylim=(0, 160))
    axes.set_title("Delays of spoken_digits.npz")
    axes.legend(loc="upper right")
    axes.grid(False, axis="x")


def main() -> None:
    """Fill in the page and draw the pictures."""
    PAGE.write_text(filled(PAGE.read_text(), all_tables()))
    found, speech = read("fashion_mnist"), read("spoken_digits")
    both_themes.save(PICTURES / "training_fashion.png", lambda: fashion(found))
    both_themes.save(PICTURES / "training_delays.png", lambda: speakers(speech))


def fashion(found: dict[str, Any]) -> Figure:
    """Return the picture of Fashion-MNIST."""
    figure = Figure((4.4 * len(found), 3.4), layout="constrained")
    panels = figure.subplots(1, len(found), squeeze=False).ravel()
    for axes, name in zip(panels, found, strict=True):
        draw_fashion(axes, SHAPES[name], found[name])
    return figure


def speakers(speech: list[dict[str, Any]]) -> Figure:
    """Return the picture of the spoken digits."""
    figure = Figure((8.0, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(5, 3))
    draw_speakers(left, speech)
    draw_delays(right)
    return figure


if __name__ == "__main__":
    main()
