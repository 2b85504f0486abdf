"""Measure accuracy against fault rates, for results.md: streams, and the same networks in 8-bit words.

python docs/measure_faults.py [--mnist FILE] [--draw]

FILE holds the test images of the MNIST networks (``python examples/mnist.py test --out FILE``); without
it, only the shipped digits are measured. ``--draw`` fills in the page and draws the picture from
faults.json alone.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import both_themes
import numpy as np
from draw_results import HERE, PICTURES, fill, percent, table
from matplotlib.figure import Figure
from numpy.typing import NDArray

import sc_neurocore as sc
from sc_neurocore.networks.layers import lif_of, with_all_weights
from sc_neurocore.streams import inject

FIGURES, PAGE, NETWORKS = HERE / "faults.json", HERE / "results.md", HERE.parent / "examples/networks"
RATES = (0.0, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
LENGTH, SEEDS, BITS, MOST_IMAGES = 32, range(5), 8, 500
KINDS = {"flip": "flips of bits in operation", "weight_upset": "upsets of stored weights"}
FORMS = {"streams": "bitstreams", "words": "8-bit words"}


def struck(
    codes: NDArray[np.uint8], steps: int, rate: float, *path: int, seed: int
) -> NDArray[np.uint8]:
    """Return words of 8 bits as read in several steps, with flipped bits, shape (..., steps)."""
    flat = np.zeros((codes.size, steps), np.uint8) + codes.reshape(-1, 1)
    if not rate:
        return flat.reshape(*codes.shape, steps)
    key = sc.stream_key(seed, sc.Role.FAULT, *path)
    none = sc.Bitstream(np.zeros((codes.size, -(-BITS * steps // 64)), np.uint64), BITS * steps)
    flips = inject(none, sc.Faults(flip=rate), key=key).words.view(np.uint8)[:, :steps]
    return (flat ^ flips).reshape(*codes.shape, steps)


def in_words(
    network: sc.Network, images: NDArray[np.float64], length: int, faults: sc.Faults, seed: int
) -> sc.networks.Simulation:
    """Return the run of a network whose inputs and weights are words of 8 bits instead of streams.

    Inputs are rounded to multiples of ``2**-8`` below 1, weights to multiples of ``2**-7`` in two's
    complement. Each step reads every word anew. Neurons compute with real numbers, as `simulate` does,
    and fire single bits. Flips strike each bit that is read and each spike, in each step; upsets strike
    each bit of a stored weight once.
    """
    inputs = np.minimum(np.rint(images * 2**BITS), 2**BITS - 1).astype(np.uint8)
    largest = 2 ** (BITS - 1)
    stored = []
    for i, layer in enumerate(network):
        codes = np.clip(np.rint(layer.matrix * largest), -largest, largest - 1).astype(np.int8)
        stored.append(struck(codes.view(np.uint8), 1, faults.weight_upset, 1, i, seed=seed)[..., 0])
    if not faults.flip:  # the words are the same in all steps
        matrices = [words.view(np.int8) / largest for words in stored]
        layers = [with_all_weights(*pair) for pair in zip(network, matrices, strict=True)]
        return sc.simulate_float(
            sc.Network(layers, network.connections, network.outputs), inputs / 2**BITS, length
        )
    wires = struck(np.zeros(images.shape[1], np.uint8), length, faults.flip, 0, seed=seed)
    x = (inputs[:, :, np.newaxis] ^ wires) / np.float32(2**BITS)
    spikes = sc.Bitstream.from_bits(np.zeros((1, 1)))
    for i, layer in enumerate(network):
        lif = lif_of("network", layer)
        read = struck(stored[i], length, faults.flip, 2, i, seed=seed).view(np.int8)
        weights = np.moveaxis(read, -1, 0) / np.float32(largest)
        patches = layer.patches(np.ascontiguousarray(x))
        if layer.bias is not None:
            on = np.ones((len(patches), 1, length), np.float32)
            patches = np.concatenate([patches, on], axis=1)
        sums = np.matmul(np.moveaxis(patches, -1, 0), np.swapaxes(weights, 1, 2))
        currents = layer.gain * layer.flatten(np.moveaxis(sums, 0, -1)).astype(np.float64)
        fired, state = lif.run(currents.reshape(-1, length))
        spikes = fired.reshape(len(images), layer.n_out)
        if np.isfinite(lif.v_threshold):
            key = sc.stream_key(seed, sc.Role.FAULT, 3, i)
            spikes = inject(
                spikes, sc.Faults(flip=faults.flip), key=key, streams=np.arange(layer.n_out)
            )
        x = spikes.bits().astype(np.float32)
    return sc.networks.Simulation(spikes.counts(), state.v.reshape(len(images), -1), length, seed)


def accuracy_in_words(
    network: sc.Network,
    images: NDArray[np.float64],
    labels: NDArray[np.integer],
    faults: sc.Faults,
    seed: int,
) -> float:
    """Return the accuracy in words of 8 bits; few images at a time, which bounds the memory."""
    right = 0
    for first in range(0, len(images), 100):
        some = slice(first, first + 100)
        run = in_words(network, images[some], LENGTH, faults, seed)
        right += int((run.classes == labels[some]).sum())
    return right / len(images)


def faults_of(kind: str, rate: float) -> sc.Faults:
    """Return faults of one kind, in weights of a sign and 7 bits of magnitude."""
    flips = kind == "flip"
    return sc.Faults(flip=rate * flips, weight_upset=rate * (not flips), weight_bits=BITS - 1)


def measured(
    network: sc.Network, images: NDArray[np.float64], labels: NDArray[np.integer]
) -> dict[str, Any]:
    """Return accuracies by kind of fault, form and rate, one for each seed."""
    largest = 2 ** (BITS - 1)
    rounded = [
        with_all_weights(
            layer, np.clip(np.rint(layer.matrix * largest), 1 - largest, largest - 1) / largest
        )
        for layer in network
    ]
    in_memory = sc.Network(rounded, network.connections, network.outputs)
    found: dict[str, Any] = {"shape": network.shape, "images": len(images), "length": LENGTH}
    for kind in KINDS:
        rows: dict[str, list[list[float]]] = {form: [] for form in FORMS}
        for rate in RATES:
            faults = faults_of(kind, rate)
            (row,) = sc.evaluate(in_memory, images, labels, [LENGTH], seeds=SEEDS, faults=faults)
            rows["streams"].append(row.by_seed.tolist())
            rows["words"].append(
                [accuracy_in_words(network, images, labels, faults, seed) for seed in SEEDS]
            )
            means = [float(np.mean(rows[form][-1])) for form in FORMS]
            print(f"  {network.shape}, {kind} {rate:g}: {means}", flush=True)
        found[kind] = rows
    return found


def fault_table(results: dict[str, Any]) -> str:
    """Return a table of each kind of fault: mean and standard deviation over the seeds."""
    parts = []
    for kind, title in KINDS.items():
        head = [f"accuracy in % with {title}", *(f"{rate:g}" for rate in RATES)]
        lines = []
        for name, found in results.items():
            for form, words in FORMS.items():
                cells = [
                    f"{percent(float(np.mean(seeds)))} ± {percent(float(np.std(seeds, ddof=1)))}"
                    for seeds in found[kind][form]
                ]
                lines.append([f"{found['shape']}, {name}: {words}", *cells])
        parts.append(table(head, lines))
    return "\n\n".join(parts)


def draw(results: dict[str, Any]) -> None:
    """Draw accuracy against the rate, one row per network and one column per kind of fault."""
    both_themes.save(PICTURES / "results_faults.png", lambda: panels_of(results))


def panels_of(results: dict[str, Any]) -> Figure:
    """Return the panels in the current style."""
    figure = Figure((7.2, 0.5 + 2.2 * len(results)), layout="constrained")
    panels = figure.subplots(len(results), 2, squeeze=False, sharex=True, sharey=True)
    for row, (name, found) in zip(panels, results.items(), strict=True):
        for axes, (kind, title) in zip(row, KINDS.items(), strict=True):
            for marker, form in zip("os", FORMS, strict=True):
                values = 100 * np.array(found[kind][form])
                means, stds = values.mean(axis=1), values.std(axis=1, ddof=1)
                shown = axes.errorbar(RATES, means, stds, fmt=f"{marker}-", ms=4, lw=1, capsize=2)
                shown.set_label(FORMS[form])
            axes.set_xscale("symlog", linthresh=RATES[1], linscale=0.5)
            axes.set_ylim(0, 102)
            axes.set_title(f"{name}: {title}", fontsize=9)
        row[0].set_ylabel("accuracy (%)")
    for axes in panels[-1]:
        axes.set_xlabel("faults per bit" + ("" if axes is panels[-1, 1] else " and time step"))
    panels[0, 0].legend(loc="lower left")
    return figure


def publish(results: dict[str, Any]) -> None:
    """Fill in the tables and draw the picture from the figures alone."""
    PAGE.write_text(fill(PAGE.read_text(), "faults", fault_table(results)))
    draw(results)


def main() -> None:
    """Measure, write and draw."""
    parser = argparse.ArgumentParser(description="Measure accuracy against fault rates.")
    parser.add_argument("--mnist", type=Path, help="test images of the MNIST networks, .npz")
    parser.add_argument("--draw", action="store_true", help="draw from faults.json alone")
    options = parser.parse_args()
    if not options.draw:
        digits = sc.load_digits()
        results = {"digits": measured(digits.network, digits.images, digits.labels)}
        if options.mnist:
            with np.load(options.mnist) as arrays:
                images = arrays["images"][:MOST_IMAGES].astype(np.float64)
                labels = arrays["labels"][:MOST_IMAGES]
            for name in ("mnist_mlp", "mnist_conv"):
                results[name] = measured(sc.Network.load(NETWORKS / f"{name}.npz"), images, labels)
        FIGURES.write_text(json.dumps(results, indent=1) + "\n")
    publish(json.loads(FIGURES.read_text()))


if __name__ == "__main__":
    main()
