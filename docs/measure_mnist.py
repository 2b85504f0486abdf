"""Measure hardware of the MNIST network 784-128-10, for hardware/verification.md.

python docs/measure_mnist.py --data build/mnist_test.npz [--liberty FILE...]   measure, update the page
python docs/measure_mnist.py --draw                                            update the page alone

`make results` makes the data. Rows that mnist_hardware.json has are kept; delete them to measure them
again. The Liberty files are those of the IHP 130 nm library sg13g2 and of its memory macros
(https://github.com/IHP-GmbH/IHP-Open-PDK), which are not part of the repository.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from draw_results import fill, table
from measure_comparison import three
from numpy.typing import NDArray

from sc_neurocore import FixedPoint, Network
from sc_neurocore.evidence._intervals import wilson
from sc_neurocore.hardware import (
    Candidate,
    Design,
    Library,
    measure_cell_cost,
    run_bench,
    synthesize,
    verilog,
    verilog_testbench,
    write,
)

DOCS = Path(__file__).parent
FIGURES, PAGE = DOCS / "mnist_hardware.json", DOCS / "hardware" / "verification.md"
NETWORK = DOCS.parent / "examples" / "networks" / "mnist_mlp.npz"
BITS, LENGTHS, WORD = (2, 3, 4, 6), (2, 3, 4, 8, 16), 8
POINT = 3, 3  # bits and time steps of the designs
ECP5 = ((8, 4), (8, 8), (16, 8))  # simd and pe
CELLS = ((8, 8, False), (16, 16, True), (32, 16, True))  # whether the design is sparse, too


def designed(
    network: Network, bits: int, length: int, simd: int = 8, pe: int = 1, *, sparse: bool = False
) -> Design:
    """Return a folded design."""
    fixed = FixedPoint(bits=bits, word=WORD)
    return Design(
        network, length, fixed_point=fixed, architecture="folded", simd=simd, pe=pe, name="mnist",
        sparse=sparse,
    )  # fmt: skip


def accuracies(network: Network, images: NDArray[Any], labels: NDArray[Any]) -> dict[str, Any]:
    """Return the number of images with the right class, by bits and steps."""
    right = {
        f"{bits} {length}": int(
            (designed(network, bits, length).simulate(images).classes == labels).sum()
        )
        for bits in BITS
        for length in LENGTHS
    }
    return {"n_images": len(images), "right": right}


def on_ecp5(design: Design, images: NDArray[Any]) -> dict[str, Any]:
    """Return the cost of a design on an ECP5, whose testbench passes."""
    with tempfile.TemporaryDirectory() as folder:
        text = verilog(design)
        write({**text, **verilog_testbench(design, images)}, folder)
        print(run_bench(folder, design.name), flush=True)
        files = [Path(folder) / name for name in text if name.endswith(".v")]
        made = synthesize(files, design.name, "ecp5", folder)
    print(design, made, flush=True)
    return {
        "simd": design.simd,
        "pe": design.pe,
        "clocks": design.clocks,
        "logic_cells": made.logic_cells,
        "flip_flops": made.flip_flops,
        "memories": made.memories.get("DP16KD", 0),
        "rates": made.rates,
        "device": made.device,
    }


def in_cells(design: Design, images: NDArray[Any], library: Library) -> dict[str, Any]:
    """Return area and energy of a design in the cells of a library, whose netlist is right."""
    with tempfile.TemporaryDirectory() as folder:
        cost = measure_cell_cost(Candidate(str(design), "stochastic", design), images, library, folder)
    print(design, cost, flush=True)
    clocks = design.clocks + 1
    return {
        "simd": design.simd,
        "pe": design.pe,
        "sparse": design.sparse,
        "clocks": design.clocks,
        "cell_area": cost.made.area,
        "macro_area": cost.made.macro_area,
        "energy": {
            part: getattr(cost.energy, part) * clocks * 1e-6 for part in ("cells", "clock", "memory")
        },
        "leakage_microwatt": cost.energy.leakage_microwatt,
    }


def tables(found: dict[str, Any]) -> dict[str, str]:
    """Return the tables of the page, by marker."""
    n = found["accuracy"]["n_images"]
    right = found["accuracy"]["right"]
    lines = [
        [f"{bits} bits", *(f"{100 * right[f'{bits} {length}'] / n:.1f}" for length in LENGTHS)]
        for bits in BITS
    ]
    bits, length = POINT
    lengths = ["accuracy in %", *(f"{length} steps" for length in LENGTHS)]
    sentence = (
        f"The designs below have {bits} bits and {length} time steps: {interval(found)} with 95 % "
        "confidence. The same images chose\nthis point, so its accuracy on other images may be lower."
    )
    made = {"mnist-accuracy": f"{table(lengths, lines)}\n\n{sentence}"}
    lines = []
    for row in found["ecp5"].values():
        mhz = float(np.median(row["rates"]))
        lines.append(
            [
                f"{row['simd']} x {row['pe']}",
                f"{row['logic_cells']:,}",
                f"{row['flip_flops']:,}",
                str(row["memories"]),
                f"{mhz:.0f} ({min(row['rates']):.0f} to {max(row['rates']):.0f})",
                f"{row['clocks']:,}",
                three(row["clocks"] / mhz),
            ]
        )
    head = "inputs x neurons per clock cycle|LUTs|flip-flops|memories|MHz|clock cycles|us"
    made["mnist-ecp5"] = table(head.split("|"), lines)
    lines = []
    for row in found["cells"].values():
        energy = row["energy"]
        area = (row["cell_area"] + row["macro_area"]) * 1e-6
        parts = [three(energy[part]) for part in ("memory", "cells", "clock")]
        shown = [three(row["macro_area"] * 1e-6), f"{row['clocks']:,}", three(sum(energy.values()))]
        read = "of active inputs" if row["sparse"] else "all"
        lines.append([f"{row['simd']} x {row['pe']}", read, three(area), *shown, *parts])
    head = (
        "inputs x neurons per clock cycle|weights read|square millimeters|of them macros|clock cycles"
        "|uJ per image|memory|cells|clock pins"
    )
    made["mnist-cells"] = table(head.split("|"), lines)
    return made


def interval(found: dict[str, Any]) -> str:
    """Return the accuracy of the designs and its 95 % interval over images, as the page shows it."""
    n, right = found["accuracy"]["n_images"], found["accuracy"]["right"][f"{POINT[0]} {POINT[1]}"]
    low, high = wilson(right, n, 0.95)
    return f"{100 * right / n:.1f} % are right ({100 * low:.1f} to {100 * high:.1f})"


def measure(data: Path, liberty: list[Path]) -> None:
    """Measure what is missing."""
    network = Network.load(NETWORK)
    with np.load(data) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    found: dict[str, Any] = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}

    def keep() -> None:
        FIGURES.write_text(json.dumps(found, indent=1) + "\n")

    found["accuracy"] = accuracies(network, images, labels)
    for section in ("ecp5", "cells"):
        found.setdefault(section, {})
    library = Library.read(liberty) if liberty else None
    for simd, pe, sparse in CELLS:
        if library is not None and f"{simd} {pe}" not in found["cells"]:
            design = designed(network, *POINT, simd, pe, sparse=sparse)
            found["cells"][f"{simd} {pe}"] = in_cells(design, images, library)
            keep()
    for simd, pe in ECP5:
        if f"{simd} {pe}" not in found["ecp5"]:
            found["ecp5"][f"{simd} {pe}"] = on_ecp5(designed(network, *POINT, simd, pe), images[:5])
            keep()
    keep()


def main() -> None:
    """Measure unless only the page is to be updated; then update the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--liberty", type=Path, nargs="+", default=[])
    parser.add_argument("--draw", action="store_true")
    options = parser.parse_args()
    if not options.draw:
        measure(options.data, options.liberty)
    found, text = json.loads(FIGURES.read_text()), PAGE.read_text()
    for name, content in tables(found).items():
        text = fill(text, name, content)
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
