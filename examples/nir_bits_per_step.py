"""Measure how many bits per time step networks that were trained in snnTorch need.

Two networks are trained with snnTorch alone: a recurrent one on spoken digits and a convolutional one
on recordings of an event camera. snnTorch exports them as NIR graphs, `from_nir` imports them, and they
run on bitstreams with 1 to 256 bits per time step, on held-out data. The results are printed as a
Markdown table and written as JSON.

``--data`` names the folder of the data sets, which `recordings` describes. The test set of the spoken
digits is takes 0 to 4 of each speaker. The last 100 of the training list and the test list of the
camera are held out.

Run ``python examples/nir_bits_per_step.py --data DIR`` after
``pip install '.[nir]' torch==2.13.0 snntorch nirtorch``.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import snntorch
import torch
from recordings import camera, speech
from snntorch.export_nir import export_to_nir

from sc_neurocore import (
    Bernoulli,
    Bitstream,
    Dense,
    Events,
    Network,
    Sobol,
    noise_budget,
    simulate,
    simulate_float,
)
from sc_neurocore.exchange.nir import from_nir

BITS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SHOWN = (1, 4, 16, 64)
SOURCES: dict[str, Callable[[int], Any]] = {
    "Bernoulli": lambda _: Bernoulli(),
    "Sobol": Sobol.for_length,
}
DT_MS = 0.1  # the time step that snnTorch exports
BUDGET_ROWS = 32
NEURON: dict[str, Any] = {"reset_mechanism": "zero", "reset_delay": False, "init_hidden": True}


def spoken_digits(folder: Path) -> tuple[Any, ...]:
    """Return spikes (n, 96, 40) and classes for training, and the same for the test."""
    recorded = speech(folder)
    above = [recorded.levels > threshold for threshold in (-0.5, 0.4, 1.2)]
    spikes, of, test = np.concatenate(above, axis=1), recorded.digits, recorded.takes < 5
    return spikes[~test], of[~test], spikes[test], of[test]


def camera_events(folder: Path) -> tuple[Any, ...]:
    """Return spikes (n, 2 * 17 * 17, 20) and classes for training, and the same for the test."""
    recorded = camera(folder)
    times, units = [], []
    for t, column, row, polarity in zip(
        recorded.times, recorded.columns, recorded.rows, recorded.polarities, strict=True
    ):
        unit = polarity * 289 + row // 2 * 17 + column // 2
        times.append(t[t < 300_000].astype(float))
        units.append(unit[t < 300_000])
    events = Events(times, units, shape=(2 * 17 * 17, 20), dt=15_000.0)
    spikes, of = events.bitstream().bits().astype(bool), recorded.classes
    return spikes[:900], of[:900], spikes[900:], of[900:]


def leaky(*shape: int) -> Any:
    """Return neurons that NIR can represent."""
    return snntorch.Leaky(beta=torch.full(shape, 0.9), threshold=torch.ones(shape), **NEURON)


def recurrent() -> Any:
    """Return a 96-80-10 network with recurrent hidden neurons."""
    hidden = snntorch.RLeaky(beta=0.9, linear_features=80, all_to_all=True, **NEURON)
    return torch.nn.Sequential(torch.nn.Linear(96, 80), hidden, torch.nn.Linear(80, 10), leaky(10))


def convolutional() -> Any:
    """Return a network of two convolutions and a dense layer."""
    return torch.nn.Sequential(
        torch.nn.Conv2d(2, 8, 5, stride=2), leaky(8, 7, 7),
        torch.nn.Conv2d(8, 16, 3), leaky(16, 5, 5),
        torch.nn.Flatten(), torch.nn.Linear(400, 10), leaky(10),
    )  # fmt: skip


def run(module: Any, x: Any) -> Any:
    """Return the output spikes for inputs (steps, batch, ...), of shape (steps, batch, 10)."""
    for part in module:
        if hasattr(part, "reset_mem"):
            part.reset_mem()
    return torch.stack([module(now) for now in x])


def in_double(module: Any) -> Any:
    """Return the module in float64, as snnTorch's spikes are always float32."""
    for part in module.modules():
        if isinstance(part, torch.nn.Linear | torch.nn.Conv2d):
            part.register_forward_pre_hook(lambda _, x: tuple(value.double() for value in x))
    return module.double()


def train(module: Any, x: Any, classes: Any, epochs: int, batch: int) -> None:
    """Train by the cross-entropy of the spike counts."""
    optimizer = torch.optim.Adam(module.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    started = time.perf_counter()
    for epoch in range(epochs):
        right = 0
        for rows in torch.randperm(len(classes)).split(batch):
            counts = run(module, x[:, rows]).sum(0)
            loss = torch.nn.functional.cross_entropy(counts, classes[rows])
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimizer.step()
            right += int((counts.argmax(1) == classes[rows]).sum())
        schedule.step()
        seconds = time.perf_counter() - started
        print(f"epoch {epoch + 1}: {right / len(classes):.1%}, {seconds:.0f} s", flush=True)


def in_8_bits(network: Network) -> Network:
    """Return the network with weights rounded to multiples of 1/128."""

    def rounded(values: Any) -> Any:
        return None if values is None else np.round(values * 128) / 128

    layers = []
    for layer in network.layers:
        changed = {"weights": rounded(layer.weights), "bias": rounded(layer.bias)}
        if isinstance(layer, Dense):
            changed["recurrent"] = rounded(layer.recurrent)
        layers.append(replace(layer, **changed))
    return Network(layers)


def measured(network: Network, x: Bitstream, classes: Any, seeds: int) -> dict[str, Any]:
    """Return the results of one network."""
    reference = simulate_float(network, x, record=True)
    of_layers = [int(train.bits().sum()) for train in reference.spikes]

    def compared(results: list[Any]) -> dict[str, Any]:
        return {
            "accuracy": float(np.mean([(r.classes == classes).mean() for r in results])),
            "agreement": float(np.mean([(r.classes == reference.classes).mean() for r in results])),
            "ratio": float(np.mean([r.counts.sum() for r in results]) / reference.counts.sum()),
            "ratios": [
                float(np.mean([r.spikes[i].bits().sum() for r in results]) / of)
                for i, of in enumerate(of_layers)
            ],
        }

    found: dict[str, Any] = {
        "real": compared([reference]),
        "8 bits": compared([simulate_float(in_8_bits(network), x, record=True)]),
    }
    found["rows"] = []
    for name, source in SOURCES.items():
        for k in BITS:
            own = source(x.length * k)
            results = [
                simulate(network, x, seed=seed, source=own, bits_per_step=k, record=True)
                for seed in range(seeds)
            ]
            budget = noise_budget(network, x[:BUDGET_ROWS], seed=0, source=own, bits_per_step=k)
            noise = [layer.step_noise for layer in budget]
            row = {"source": name, "k": k, **compared(results), "step_noise": noise}
            found["rows"].append(row)
            print(name, k, f"{row['accuracy']:.3f} {row['ratio']:.3f}", np.round(noise, 3), flush=True)
    return found


def passes(found: dict[str, Any], row: dict[str, Any]) -> bool:
    """Return whether output spikes are within 5 % and the loss of accuracy is at most one point."""
    loss = found["real"]["accuracy"] - row["accuracy"]
    return bool(abs(row["ratio"] - 1) <= 0.05 and loss <= 0.01 + 1e-9)


def smallest(found: dict[str, Any], source: str) -> dict[str, Any] | None:
    """Return the row of the least number of bits from which all larger ones pass."""
    best = None
    for row in reversed([row for row in found["rows"] if row["source"] == source]):
        if not passes(found, row):
            break
        best = row
    return best


def limit(results: dict[str, Any]) -> float:
    """Return the step noise, in the layer with most, below which all runs of all networks pass."""
    pairs = [
        (max(row["step_noise"]), passes(found, row))
        for of_network in results.values()
        for found in of_network.values()
        for row in found["rows"]
    ]
    failing = min((noise for noise, passed in pairs if not passed), default=np.inf)
    return max((noise for noise, _ in pairs if noise < failing), default=0.0)


def summary(results: dict[str, Any]) -> str:
    """Return the smallest sufficient number of bits per step as a Markdown table."""
    lines = [
        "| network | gains | source | smallest bits per step | step noise | loss | output spikes |",
        "| --- | --- | --- | --: | --: | --: | --: |",
    ]
    for name, of_network in results.items():
        for gains, found in of_network.items():
            for source in SOURCES:
                row = smallest(found, source)
                start = f"| {name} | {gains} | {source} | "
                if row is None:
                    lines.append(start + f"more than {BITS[-1]} | | | |")
                    continue
                loss = 100 * (found["real"]["accuracy"] - row["accuracy"])
                lines.append(
                    start + f"{row['k']} | {max(row['step_noise']):.3f} "
                    f"| {loss:.1f} points | {row['ratio']:.3f} |"
                )
    return "\n".join(lines)


def table(results: dict[str, Any]) -> str:
    """Return the results as a Markdown table."""
    lines = [
        "| network | gains | source | bits per step | accuracy | agreement | output spikes "
        "| step noise per layer |",
        "| --- | --- | --- | --: | --: | --: | --: | --- |",
    ]
    for name, of_network in results.items():
        for gains in ("per neuron", "per layer"):
            found = of_network[gains]
            rows = [{"source": s, "k": "-", "step_noise": [], **found[s]} for s in ("real", "8 bits")]
            for row in rows + [row for row in found["rows"] if row["k"] in SHOWN]:
                source = {"real": "real weights", "8 bits": "weights in 8 bits"}.get(
                    row["source"], row["source"]
                )
                noise = ", ".join(f"{value:.2f}" for value in row["step_noise"])
                lines.append(
                    f"| {name} | {gains} | {source} | {row['k']} | {row['accuracy']:.1%} "
                    f"| {row['agreement']:.1%} | {row['ratio']:.2f} | {noise} |"
                )
    return "\n".join(lines)


def main() -> None:
    """Train, convert and measure both networks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="folder of the data sets"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("bits_per_step.json"), help="file of the results"
    )
    parser.add_argument("--seeds", type=int, default=5, help="runs that each figure averages")
    parser.add_argument("--only", choices=("speech", "camera"), help="measure one network")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cases = {
        "speech": (spoken_digits, recurrent, (96,), 11, 64),
        "camera": (camera_events, convolutional, (2, 17, 17), 10, 30),
    }
    results: dict[str, Any] = {}
    for name, (load, build, shape, epochs, batch) in cases.items():
        if options.only not in (None, name):
            continue
        torch.manual_seed(0)
        module = build()
        x, classes, test, test_classes = load(options.data)
        by_step = torch.from_numpy(x).float().permute(2, 0, 1).reshape(x.shape[2], len(x), *shape)
        train(module, by_step, torch.from_numpy(classes), epochs, batch)
        module = in_double(module)
        by_step = torch.from_numpy(test).double().permute(2, 0, 1).reshape(-1, len(test), *shape)
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            theirs = run(module, by_step).numpy().astype(bool).transpose(1, 2, 0)
            run(module, by_step[:1, :1])
            graph = export_to_nir(module, by_step[0, :1], ignore_dims=[0])
        given = Bitstream.from_bits(test.astype(np.uint8))
        results[name] = {}
        for gains in ("per neuron", "per layer"):
            imported = from_nir(graph, dt_ms=DT_MS, share_gain=gains == "per layer")
            network = imported.network
            ours = simulate_float(network, given, record=True).spikes[-1].bits()
            same = bool(np.array_equal(ours.astype(bool), theirs))
            print(imported.report if gains == "per neuron" else "", f"\nequal to snnTorch: {same}")
            found = measured(network, given, test_classes, options.seeds)
            found["equal_to_snntorch"] = same
            results[name][gains] = found
    options.out.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results), summary(results), sep="\n\n")
    print(f"\nAll runs pass whose step noise is at most {limit(results):.3f} in every layer.")


if __name__ == "__main__":
    main()
