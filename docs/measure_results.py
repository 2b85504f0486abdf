"""Measure the figures of results.md, write them to results.json, fill in the pages, draw the pictures.

python docs/measure_results.py [--network FILE --data FILE]... [--seeds N] [--more-seeds N]

The shipped digits are always measured. Networks saved by Network.save, with images and labels in
an .npz file, are measured in addition.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from draw_results import FIGURES, LENGTHS, NAMES, publish
from numpy.typing import NDArray

import sc_neurocore as sc
from sc_neurocore import streams
from sc_neurocore.cli._demo import DEMO_LENGTHS, DEMO_SEEDS
from sc_neurocore.evidence._intervals import cases_needed, paired_difference
from sc_neurocore.evidence.evaluation import SOURCES
from sc_neurocore.networks.layers import Layer, lif_of

RATIO_AT = (8, 16, 32, 64)
EARLY_AT = (16, 32, 64, 128, 256)
RISKS = (0.02, 0.05)
PAIR_LENGTH = 8
FAN_INS = (2, 4, 8, 16, 64, 256)
RESAMPLED = 1000


class Case(NamedTuple):
    """A network and its test images."""

    name: str
    network: sc.Network
    images: NDArray[np.float64]
    labels: NDArray[np.integer]


def fires(layer: Layer) -> bool:
    """Return whether the neurons of a layer have a threshold."""
    return bool(np.isfinite(lif_of("network", layer).v_threshold))


def measured(case: Case, n_seeds: int, of_pairs: bool) -> dict[str, Any]:
    """Return all figures of a case, as written to the file.

    Early decisions are left out if the output layer only integrates.
    """
    seeds = range(n_seeds)
    curves = {}
    for name in NAMES:
        print(f"  {case.name}: {name}", flush=True)
        curves[name] = sc.evaluate(*case[1:], LENGTHS, seeds=seeds, source=SOURCES[name])
    chosen = {name: SOURCES[name] for name in NAMES}
    plans = {
        f"{loss:g}": {
            row.source: None if row.length is None else [row.length, row.sure, *row.interval]
            for row in sc.plan(*case[1:], loss, sources=chosen, seeds=seeds)
        }
        for loss in (0.015, 0.005)
    }
    found = {
        "shape": case.network.shape,
        "images": len(case.images),
        "seeds": n_seeds,
        "curves": {name: [figures_of(row) for row in rows] for name, rows in curves.items()},
        "ratios": {name: ratios(curves["bernoulli"], curves[name]) for name in list(NAMES)[1:]},
        "plans": plans,
        "layers": layer_errors(case, n_seeds),
    }
    if fires(case.network[-1]):
        found["early"] = early(case)
    if of_pairs:
        found["pairs"] = pairs(case, seeds)
    return found


def figures_of(row: sc.evidence.Accuracy) -> dict[str, Any]:
    """Return the figures of one length."""
    return {
        "length": row.length,
        "mean": row.mean,
        "std": row.std,
        "interval": row.interval(),
        "float": row.of_float,
        "loss": row.loss,
        "loss_interval": row.loss_interval(),
    }


def crossing(curve: NDArray[np.float64], level: float) -> float:
    """Return the length at which the running best accuracy reaches a level, on a logarithmic scale."""
    best = np.maximum.accumulate(curve)
    i = int(np.searchsorted(best, level))
    if i == 0:
        return LENGTHS[0]
    if i == len(best):
        return float("inf")
    share = (level - best[i - 1]) / (best[i] - best[i - 1])
    return float(2 ** (np.log2(LENGTHS[i - 1]) * (1 - share) + np.log2(LENGTHS[i]) * share))


def ratios(
    base: Sequence[sc.evidence.Accuracy], other: Sequence[sc.evidence.Accuracy]
) -> dict[str, list[float]]:
    """Return the relative length at which another source reaches the accuracy of the base source.

    For each length of the base: the other's length for equal accuracy divided by it, and the 95 %
    bootstrap interval. Images and seeds are resampled alike for both sources.
    """
    rights = [np.array([row.right for row in rows], np.float64) for rows in (base, other)]
    _, n_seeds, n_images = rights[0].shape
    generator = np.random.default_rng(0)
    of_seeds = generator.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), RESAMPLED)
    of_images = generator.multinomial(n_images, np.full(n_images, 1 / n_images), RESAMPLED)
    # Sums of whole numbers: exact in any order, so that equal accuracies compare equal.
    drawn = [np.einsum("lsr,rs->rl", right @ of_images.T, of_seeds) for right in rights]
    sums = [right.sum(axis=(1, 2)) for right in rights]
    found = {}
    for length in RATIO_AT:
        at = LENGTHS.index(length)
        ratio = crossing(sums[1], sums[0][at]) / length
        spread = [crossing(b, a[at]) / length for a, b in zip(*drawn, strict=True)]
        low, high = np.quantile(spread, [0.025, 0.975], method="nearest")
        found[str(length)] = [ratio, float(low), float(high)]
    return found


def layer_errors(case: Case, n_seeds: int) -> dict[str, list[float]]:
    """Return, by length, the ratio of the spreads of spike counts over seeds, Sobol to Bernoulli."""
    found = {}
    for length in (8, 32, 128):
        spreads = []
        for name in ("sobol", "bernoulli"):
            moments: list[list[NDArray[np.float64]]] = []
            for seed in range(n_seeds):
                result = sc.simulate(
                    case.network,
                    case.images[:100],
                    length,
                    seed=seed,
                    source=SOURCES[name](length),
                    record=True,
                )
                firing = zip(case.network.layers, result.spikes, strict=True)
                moments.append([s.counts().astype(float) for la, s in firing if fires(la)])
            spreads.append([rms_spread(layer) for layer in zip(*moments, strict=True)])
        found[str(length)] = [a / b for a, b in zip(*spreads, strict=True)]
    return found


def rms_spread(counts: Sequence[NDArray[Any]] | NDArray[Any]) -> float:
    """Return the root mean square, over images and neurons, of the deviation over seeds."""
    return float(np.sqrt(np.var(counts, axis=0, ddof=1).mean()))


def early(case: Case) -> list[dict[str, Any]]:
    """Return early decisions by source, length and risk; each half is calibrated on the other."""
    order = np.random.default_rng(0).permutation(len(case.images))
    halves = np.array_split(order, 2)
    shown = [risk for risk in RISKS if cases_needed(risk, 0.95) <= len(halves[1])]
    found = []
    for name in ("bernoulli", "sobol"):
        for length in EARLY_AT:
            for risk in (0.0, *shown):
                runs = [
                    (
                        sc.decide_early(
                            case.network,
                            case.images[test],
                            length,
                            seed=seed,
                            source=SOURCES[name](length),
                            risk=risk,
                            calibration=case.images[trial] if risk else None,
                        ),
                        case.labels[test],
                    )
                    for seed in range(5)
                    for test, trial in (halves, halves[::-1])
                ]
                steps = np.concatenate([run.steps for run, _ in runs])
                changed = [float((run.classes != run.full_classes).mean()) for run, _ in runs]
                found.append(
                    {
                        "source": name,
                        "length": length,
                        "risk": risk,
                        "mean steps": float(steps.mean()),
                        "quantiles": np.quantile(steps, [0.5, 0.9, 0.99]).tolist(),
                        "changed": float(np.mean(changed)),
                        "above risk": sum(share > risk for share in changed),
                        "runs": len(runs),
                        "accuracy": float(np.concatenate([run.classes == y for run, y in runs]).mean()),
                        "full accuracy": float(
                            np.concatenate([run.full_classes == y for run, y in runs]).mean()
                        ),
                    }
                )
    return found


def pairs(case: Case, seeds: range) -> dict[str, Any]:
    """Return the accuracy by source of inputs (rows) and of weights (columns), on half of the images.

    The best pair without random bits is then compared with Sobol streams on the other half, with other
    seeds.
    """
    kinds: dict[str, Callable[[int], sc.Source]] = {
        **{NAMES[name]: SOURCES[name] for name in NAMES},
        "golden ratio": sc.Weyl,
        "counter": lambda length: sc.Ramp(length, randomized=True),
        "Hammersley, fixed": lambda length: sc.Hammersley(length.bit_length() - 1, randomized=False),
        "Sobol, fixed": lambda length: sc.Sobol(0, randomized=False),
    }
    chosen_on, kept = np.array_split(np.random.default_rng(0).permutation(len(case.images)), 2)
    cells: dict[str, dict[str, float]] = {name: {} for name in kinds}
    tried: dict[tuple[str, str], tuple[sc.Source, ...]] = {}
    of_weights = [
        name for name in kinds if name != "counter"
    ]  # its sequences are those of the golden ratio
    for inputs, weights in ((a, b) for a in kinds for b in of_weights):
        pair = kinds[inputs](PAIR_LENGTH), kinds[weights](PAIR_LENGTH)
        source = apart(*pair, len(case.network.layers))
        if source:
            cells[inputs][weights] = on_part(case, chosen_on, seeds, source).mean
            tried[inputs, weights] = source
    candidates = [pair for pair in tried if {"Bernoulli", "Permutation"}.isdisjoint(pair)]
    best = max(candidates, key=lambda pair: cells[pair[0]][pair[1]])
    others = range(1000, 1000 + len(seeds))
    rows = [on_part(case, kept, others, s) for s in (tried[best], sc.Sobol(), sc.Bernoulli())]
    gain = rows[0].right.mean(axis=0) - rows[1].right.mean(axis=0)
    won, lost = float(np.maximum(gain, 0).sum()), float(np.maximum(-gain, 0).sum())
    return {
        "length": PAIR_LENGTH,
        "images": [len(chosen_on), len(kept)],
        "table": cells,
        "best": [*best, repr(tried[best])],
        "again": [[row.mean, row.std] for row in rows],
        "gain": [float(gain.mean()), *paired_difference(won, lost, len(kept), 0.95)],
    }


def on_part(
    case: Case, part: NDArray[np.integer], seeds: range, source: tuple[sc.Source, ...] | sc.Source
) -> sc.evidence.Accuracy:
    """Return the accuracy on a part of the images at `PAIR_LENGTH`."""
    images, labels = case.images[part], case.labels[part]
    (row,) = sc.evaluate(case.network, images, labels, [PAIR_LENGTH], seeds=seeds, source=source)
    return row


def apart(inputs: sc.Source, weights: sc.Source, n: int) -> tuple[sc.Source, ...] | None:
    """Return sources of inputs and n layers that are safe to multiply, or None if none are found."""

    def multiplied(skipped: int) -> tuple[sc.Source, ...] | None:
        try:
            return streams.operands((inputs, *weights.sequences(n + skipped)[skipped:]), n + 1)
        except ValueError:
            return None

    return next(filter(None, map(multiplied, range(3))), None)


def rates(
    network: sc.Network, x: NDArray[np.float64], length: int, source: sc.Source, seed: int
) -> NDArray[np.float64]:
    """Return spikes per time step of all outputs."""
    return np.asarray(sc.simulate(network, x, length, seed=seed, source=source).counts / length)


def fan_in() -> dict[str, dict[str, float]]:
    """Return how Sobol streams change the firing rates of one layer, by its number of inputs.

    For each length: the ratio of the standard deviations over seeds, Sobol to Bernoulli. As "bias": the
    relative difference of the mean rates at the longest length (root mean square over neurons and
    inputs, corrected for the deviations over seeds).
    """
    found: dict[str, dict[str, float]] = {}
    generator = np.random.default_rng(0)
    n_seeds = 32
    for n in FAN_INS:
        x = generator.random((32, n))
        weights = generator.random((64, n))  # twice the rheobase on average
        network = sc.Network([sc.Dense(weights, 1.0 / n, sc.LIF(tau_mem=8.0))])
        run = partial(rates, network, x)
        ratios_by_length: dict[str, float] = {}
        for length in (16, 64, 256, 1024):
            sobol, plain = (
                np.array([run(length, source, seed) for seed in range(n_seeds)])
                for source in (sc.Sobol(), sc.Bernoulli())
            )
            ratios_by_length[str(length)] = rms_spread(sobol) / rms_spread(plain)
        gap = float(((sobol.mean(axis=0) - plain.mean(axis=0)) ** 2).mean())
        added = (rms_spread(sobol) ** 2 + rms_spread(plain) ** 2) / n_seeds
        bias = np.sqrt(max(gap - added, 0.0)) / plain.mean()
        found[str(n)] = {**ratios_by_length, "bias": float(bias)}
    return found


def demo(case: Case) -> dict[str, Any]:
    """Return the figures that `make demo` prints."""
    curves = {
        name: sc.evaluate(*case[1:], DEMO_LENGTHS, seeds=DEMO_SEEDS, source=SOURCES[name])
        for name in ("bernoulli", "sobol")
    }
    return {
        "shape": case.network.shape,
        "images": len(case.images),
        "seeds": len(DEMO_SEEDS),
        **{name: [figures_of(row) for row in rows] for name, rows in curves.items()},
    }


def main() -> None:
    """Measure, write and draw."""
    parser = argparse.ArgumentParser(description="Measure the figures of docs/results.md.")
    parser.add_argument(
        "--network", action="append", default=[], help="network file written by Network.save"
    )
    parser.add_argument(
        "--data", action="append", default=[], help="images and labels of the network, .npz"
    )
    parser.add_argument("--seeds", type=int, default=20, help="number of seeds, starting at 0 [20]")
    parser.add_argument("--more-seeds", type=int, default=5, help="number of seeds for --network [5]")
    options = parser.parse_args()
    digits = sc.load_digits()
    cases = [Case("digits", digits.network, digits.images, digits.labels)]
    if len(options.network) != len(options.data):
        parser.error("--network and --data must be given in pairs")
    for network, data in zip(options.network, options.data, strict=True):
        with np.load(data) as arrays:
            images, labels = arrays["images"].astype(np.float64), arrays["labels"]
        cases.append(Case(Path(network).stem, sc.Network.load(network), images, labels))
    results = {
        "cases": {
            case.name: measured(case, options.seeds if i == 0 else options.more_seeds, of_pairs=i == 0)
            for i, case in enumerate(cases)
        },
        "fan-in": fan_in(),
        "demo": demo(cases[0]),
    }
    FIGURES.write_text(json.dumps(results, indent=1) + "\n")
    print(f"wrote {FIGURES}")
    publish(json.loads(FIGURES.read_text()))


if __name__ == "__main__":
    main()
