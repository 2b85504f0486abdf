"""sc-neurocore evaluate: measure the accuracy of a network by stream length."""

from __future__ import annotations

import argparse
import csv
import io
import itertools
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from sc_neurocore import _checks
from sc_neurocore._files import check_distinct, check_writable, replacing
from sc_neurocore.cli._common import load_data, load_network, new_figure, print_table, save_figure
from sc_neurocore.evidence import (
    Accuracy,
)
from sc_neurocore.evidence.evaluation import (
    SOURCES,
    evaluate_each,
)
from sc_neurocore.networks import (
    load_digits,
)

MOST_SEEDS = 1_000_000


def run_evaluate(options: argparse.Namespace) -> None:
    """Print the accuracy of a network for each source and stream length; write a table and a plot."""
    n_seeds = _checks.integer("--seeds", options.seeds, 1)
    if n_seeds > MOST_SEEDS:
        _checks.fail("--seeds", f"be at most {MOST_SEEDS}", n_seeds)
    seeds = range(n_seeds)
    figure = new_figure(options.plot) if options.plot else None
    _check_targets(options)
    shipped, network = load_digits(), load_network(options.network)
    images, labels = load_data(options.data) if options.data else (shipped.images, shipped.labels)
    curves = {}
    each = evaluate_each(
        network,
        images,
        labels,
        options.lengths,
        seeds=seeds,
        sources=[SOURCES[name] for name in options.source],
        progress=sys.stderr.isatty(),
    )
    for name in options.source:
        print(f"{network.shape}, {len(images)} images, {len(seeds)} seeds, {name} streams")
        curves[name] = [row for _, row in itertools.islice(each, len(options.lengths))]
        print_table(curves[name])
    if options.csv:
        _write_csv(options.csv, curves)
    if figure:
        from sc_neurocore.evidence import plot

        plot.accuracy(axes := figure.subplots(), curves)
        axes.set_title(f"{network.shape}: accuracy by stream length")
        save_figure(figure, options.plot)


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


def _write_csv(path: Path, curves: Mapping[str, Sequence[Accuracy]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["source", "length", "seed", "accuracy", "float_accuracy"])
    for name, rows in curves.items():
        for row in rows:
            for seed, value in enumerate(row.by_seed):
                writer.writerow([name, row.length, seed, value, row.of_float])
    with replacing(path) as file:
        file.write(text.getvalue().encode())
    print(f"wrote {path}")
