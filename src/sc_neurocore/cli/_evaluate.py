"""sc-neurocore evaluate: measure the accuracy of a network by stream length."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from sc_neurocore._files import check_distinct, check_writable
from sc_neurocore.cli._common import (
    ACCURACIES,
    accuracy_line,
    accuracy_object,
    emit,
    executor_of,
    load_images,
    load_network,
    new_figure,
    save_figure,
    say,
    seeds_of,
)
from sc_neurocore.evidence import Accuracy
from sc_neurocore.evidence.evaluation import SOURCES, evaluate_each


def run_evaluate(options: argparse.Namespace) -> None:
    """Print the accuracy of a network for each source and stream length; write a table and a plot."""
    seeds = seeds_of(options)
    figure = new_figure(options.plot) if options.plot else None
    _check_targets(options)
    network, (images, labels) = load_network(options), load_images(options)
    curves: dict[str, list[Accuracy]] = {}
    with (
        executor_of(options.processes, options.dask) as executor,
        closing(
            evaluate_each(
                network,
                images,
                labels,
                options.lengths,
                seeds=seeds,
                sources=[SOURCES[name] for name in options.source],
                executor=executor,
                progress=sys.stderr.isatty(),
            )
        ) as rows,
    ):
        for number, row in rows:
            name = options.source[number]
            if name not in curves:
                of = options.data or "the shipped held-out digits"
                n = f"{len(seeds)} seed{'s' * (len(seeds) > 1)}"
                about = f"{len(images)} images of {of}, {n}, {name} streams"
                if not options.json:
                    print(f"{network.shape}, {about}\n{ACCURACIES}")
            if options.json:
                emit(accuracy_object(name, row))
            else:
                print(accuracy_line(row), flush=True)
            if options.csv:
                _add(options.csv, _lines(name, row, is_first=not curves), is_first=not curves)
            curves.setdefault(name, []).append(row)
    if options.csv:
        say(options, f"wrote {options.csv}")
    if figure:
        from sc_neurocore import plot

        with plot.style():
            figure.set_facecolor("white")
            plot.accuracy(curves, axes := figure.subplots())
            axes.set_title(f"{network.shape}: accuracy by stream length")
            save_figure(options, figure, options.plot)


def _check_targets(options: argparse.Namespace) -> None:
    """Raise unless the table and the plot can be written without replacing another file in use."""
    network = None if options.network == "digits" else options.network
    used = [("NETWORK", network), ("--data", options.data)]
    for name, target in (("--csv", options.csv), ("--plot", options.plot)):
        if target:
            check_writable(name, target)
            for other, path in used:
                if path:
                    check_distinct(name, target, other, path)
            used.append((name, target))


def _lines(name: str, row: Accuracy, *, is_first: bool) -> str:
    """Return the accuracies of a row as lines of CSV, after their heading if it is the first."""
    cells: list[Sequence[object]] = []
    if is_first:
        cells.append(["source", "length", "seed", "accuracy", "float_accuracy"])
    for seed, value in enumerate(row.by_seed):
        cells.append([name, row.length, seed, value, row.of_float])
    text = io.StringIO(newline="")
    csv.writer(text).writerows(cells)
    return text.getvalue()


def _add(path: Path, lines: str, *, is_first: bool) -> None:
    """Write whole lines to a file in one piece: those of the first row replace its content."""
    with open(path, "wb" if is_first else "ab", buffering=0) as file:
        file.write(lines.encode())
