"""Measure the figures of hardware/verification.md, and draw the waveform of hardware/architecture.md.

python docs/measure_hardware.py              measure all, update pages and picture
python docs/measure_hardware.py --sources    measure the table of sources only
python docs/measure_hardware.py --designs    measure resources and speeds that hardware.json lacks
python docs/measure_hardware.py --learning   measure the layers that learn only
python docs/measure_hardware.py --interfaces measure the wrappers only
python docs/measure_hardware.py --pipelined  measure the designs whose layers work at the same time only
python docs/measure_hardware.py --draw       update pages and picture from docs/hardware*.json alone
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import both_themes
import numpy as np
from draw_results import fill, table
from matplotlib.figure import Figure

from sc_neurocore import (
    LIF,
    Bitstream,
    Dense,
    FixedPoint,
    Hammersley,
    Network,
    PeriodWarning,
    load_digits,
)
from sc_neurocore.hardware import (
    Design,
    LearningDesign,
    interface_verilog,
    learning_verilog,
    synthesize,
    trace,
    verify_images,
    verify_netlist,
    verilog,
    verilog_testbench,
    write,
)
from sc_neurocore.hardware._registers import register_table
from sc_neurocore.hardware.design import Architecture
from sc_neurocore.hardware.interfaces import SUFFIXES, Interface
from sc_neurocore.hardware.model import LayerTracer
from sc_neurocore.hardware.netlist import Netlist
from sc_neurocore.hardware.simulators import run_testbench, verilate
from sc_neurocore.hardware.synthesis import Synthesis, Target
from sc_neurocore.plasticity import STDP, StochasticSTDP
from sc_neurocore.plot._style import color
from sc_neurocore.streams import RotatedLFSR

DOCS = Path(__file__).parent
FIGURES, PICTURES = DOCS / "hardware.json", DOCS / "pictures"
PAGE, BLOCKS = DOCS / "hardware" / "verification.md", DOCS / "hardware" / "architecture.md"
START = DOCS / "hardware" / "index.md"
OF_LEARNING = DOCS / "hardware_learning.json"


def layer(n_in: int, n_out: int, architecture: Architecture, gain: float, simd: int = 8) -> Design:
    """Return a design of one layer with random weights."""
    weights = np.random.default_rng(0).uniform(-1, 1, (n_out, n_in))
    lif = LIF(tau_mem=16.0, refractory_period=2)
    return Design(
        Network([Dense(weights, gain=gain, neuron=lif)]),
        64,
        fixed_point=FixedPoint(fraction=4),
        architecture=architecture,
        simd=simd,
        name="layer",
    )


# Name, design, target, top.
DESIGNS: list[tuple[str, Design, Target, str]] = [
    ("8x4 unrolled", layer(8, 4, "unrolled", 1 / 24), "ice40", "layer_layer0"),
    ("8x4 folded", layer(8, 4, "folded", 1 / 24), "ice40", "layer_layer0"),
    ("64x32 unrolled", layer(64, 32, "unrolled", 1 / 20), "ice40", "layer_layer0"),
    ("64x32 folded", layer(64, 32, "folded", 1 / 20), "ice40", "layer_layer0"),
    ("784x128 folded", layer(784, 128, "folded", 1 / 40, 16), "xilinx", "layer_layer0"),
    ("digits 64-100-10", Design(load_digits().network, 32, name="digits"), "ice40", "digits"),
]
WHOLE = "784x128 unrolled, extended from 784x2 and 784x4"


def resources(folder: Path, kept: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return cells, clock rates and simulation speeds of designs; rows in `kept` are kept."""
    rows = []
    for i, (name, design, target, top) in enumerate(DESIGNS):
        if name in kept:
            rows.append(kept[name])
            continue
        place = folder / str(i)
        files = written(design, place)
        small = name != "64x32 unrolled"
        made = synthesize(files, top, target, place, across_registers=small)
        print(name, made, flush=True)
        compare_netlist(design, made, top)
        mhz = made.mhz if small else clock_inside(design, files, place)
        rows.append(
            {
                "name": name,
                "target": target,
                "luts": made.luts,
                "flip_flops": made.flip_flops,
                "memories": made.memories,
                "logic_cells": made.logic_cells,
                "mhz": mhz,
                "steps": 1 if not design.folded else sum(part.depth + 3 for part in design.layers),
            }
        )
        if name in ("8x4 unrolled", "64x32 unrolled"):
            rows[-1]["speeds"] = speeds(design, files, place, made)
            print(rows[-1]["speeds"], flush=True)
    rows.insert(-1, kept.get(WHOLE) or whole_layer(folder))
    return rows


def written(design: Design, folder: Path) -> list[Path]:
    """Write a design to a folder and return its modules."""
    text = verilog(design)
    write(text, folder)
    return [folder / name for name in text if name.endswith(".v")]


def clock_inside(design: Design, files: list[Path], folder: Path) -> float | None:
    """Return the clock rate of a layer without its potentials, for which the device lacks pins."""
    (built,) = design.layers
    inside = folder / "inside.v"
    inside.write_text(
        f"""module inside (
    input wire clk, input wire clear, input wire step, input wire [{built.n_in - 1}:0] x,
    output wire valid, output wire [{built.n_out - 1}:0] spike
);
    layer_layer0 u_layer (
        .clk(clk), .clear(clear), .step(step), .x(x), .valid(valid), .spike(spike), .v()
    );
endmodule
"""
    )
    return synthesize([*files, inside], "inside", "ice40", folder, across_registers=False).mhz


def learning(n_in: int, n_out: int, rule: STDP | StochasticSTDP, leak_bits: int) -> LearningDesign:
    """Return a design of a layer that learns."""
    weights = np.random.default_rng(0).uniform(0, 1, (n_out, n_in))
    lif = LIF(tau_mem=16.0, refractory_period=2)
    layer = Dense(weights, gain=1 / n_in, neuron=lif, plasticity=rule)
    return LearningDesign(Network([layer]), fixed_point=FixedPoint(leak_bits=leak_bits))


LEARNING = [
    ("8x4, STDP", learning(8, 4, STDP(bounds="hard"), 8)),
    ("8x4, STDP, leaks and amplitudes of one bit", learning(8, 4, STDP(bounds="hard"), 1)),
    ("8x4, StochasticSTDP, leaks of one bit", learning(8, 4, StochasticSTDP(), 1)),
    ("64x16, STDP, leaks and amplitudes of one bit", learning(64, 16, STDP(bounds="hard"), 1)),
    ("64x16, StochasticSTDP, leaks of one bit", learning(64, 16, StochasticSTDP(), 1)),
]


def learning_resources(folder: Path) -> list[dict[str, Any]]:
    """Return cells and clock rates of layers that learn."""
    rows = []
    for i, (name, design) in enumerate(LEARNING):
        place = folder / f"learning{i}"
        text = learning_verilog(design)
        write(text, place)
        files = [place / file for file in text if file.endswith(".v")]
        made = synthesize(files, design.name, "ice40", place, across_registers=False)
        print(name, made, flush=True)
        rows.append(
            {
                "name": name,
                "target": "ice40",
                "luts": made.luts,
                "flip_flops": made.flip_flops,
                "memories": made.memories,
                "logic_cells": made.logic_cells,
                "mhz": made.mhz,
                "steps": design.step_clocks,
            }
        )
    return rows


def whole_layer(folder: Path) -> dict[str, Any]:
    """Return the cells of 784x128 unrolled, extrapolated from layers of two and four neurons."""
    luts, flip_flops = {}, {}
    for n in (2, 4):
        place = folder / f"part{n}"
        files = written(layer(784, n, "unrolled", 1 / 40), place)
        made = synthesize(files, "layer_layer0", "xilinx", place)
        print(f"784x{n} unrolled", made, flush=True)
        luts[n], flip_flops[n] = made.luts, made.flip_flops
    return {
        "name": WHOLE,
        "target": "xilinx",
        "luts": luts[2] + (luts[4] - luts[2]) * 63,
        "flip_flops": flip_flops[2] + (flip_flops[4] - flip_flops[2]) * 63,
        "memories": {},
        "logic_cells": None,
        "mhz": None,
        "steps": 1,
    }


def pipelined_cases() -> list[tuple[str, Design, Target]]:
    """Return designs, with their targets, that can have layers that work at the same time."""
    conv = Network.load(DOCS.parent / "examples" / "networks" / "mnist_conv.npz")
    digits, bits = load_digits().network, FixedPoint(bits=3)
    return [
        ("digits 64-100-10", Design(digits, 8, fixed_point=bits, name="digits"), "ice40"),
        (
            "MNIST, convolutional",
            Design(conv, 8, fixed_point=FixedPoint(bits=4), pe=8, name="conv"),
            "ecp5",
        ),
    ]


def pipelined_resources(folder: Path) -> list[dict[str, Any]]:
    """Return cells of designs whose layers work one after another, and at the same time."""
    rows = []
    for name, design, target in pipelined_cases():
        for made_of in (design, replace(design, pipelined=True)):
            place = folder / f"{design.name} {made_of.pipelined}"
            made = synthesize(written(made_of, place), design.name, target, place, place=False)
            print(name, made, flush=True)
            row = {"luts": made.luts, "flip_flops": made.flip_flops, "memories": made.memories}
            rows.append({"name": name, "target": target, "pipelined": made_of.pipelined, **row})
    return rows


def pipelined_table(rows: list[dict[str, Any]]) -> str:
    """Return the table of designs whose layers work at the same time, with the clocks of `Design`."""
    lines = []
    designs = {name: design for name, design, _ in pipelined_cases()}
    for row in rows:
        design = replace(designs[row["name"]], pipelined=row["pipelined"])
        memories = ", ".join(f"{n} {kind}" for kind, n in row["memories"].items()) or "none"
        cells = [f"{row['luts']:,}", f"{row['flip_flops']:,}", memories]
        order = "at the same time" if row["pipelined"] else "one after another"
        clocks = [f"{design.clocks:,}", f"{design.interval:,}"]
        lines.append([row["name"], order, row["target"], *cells, *clocks])
    head = "design|layers work|target|LUTs|flip-flops|memories|clock cycles of an image|between images"
    return table(head.split("|"), lines)


def compare_netlist(design: Design, made: Synthesis, top: str) -> None:
    """Exit unless a netlist equals its model in a million clock cycles, or on all images."""
    if top == design.name:
        seen = verify_images(design, made.path, load_digits().images)
    else:
        clocks = max(1100, 4 * (design.layers[0].depth + 3))
        seen = (verify_netlist(design, 0, Netlist.read(made.path, top), clocks, 1024),)
    for part, built in zip(seen, design.layers, strict=True):
        if not part.passed(built):
            raise SystemExit(f"the netlist of {design} differs from its model: {part}")


def speeds(design: Design, files: list[Path], folder: Path, made: Synthesis) -> dict[str, float]:
    """Return clock cycles per second, over all lanes, of the model and of three simulators."""
    (built,) = design.layers
    n, n_in = 300_000, built.n_in
    rng = np.random.default_rng(1)
    x = (rng.random((n_in, n)) < 0.5).astype(np.uint8)
    words = Bitstream.from_bits(x).words
    step = np.ones((n, 1), np.uint32)
    ports = Bitstream.from_bits(x.T).words.view(np.uint32)[:, : -(-n_in // 32)]
    inputs = {"clear": step * 0, "step": step, "x": ports}
    modules = [f for f in files if f.name != "layer.v"]
    library = verilate(modules, "layer_layer0", folder / "build")
    netlist = Netlist.read(made.path, "layer_layer0")
    lanes, clocks = 16384, 60
    some = rng.integers(0, 256, (clocks, n_in, lanes // 8), np.uint8)
    on = np.full((clocks, 1, lanes // 8), 255, np.uint8)
    stimulus = {"clear": ~on, "step": on, "x": some}
    spikes = Bitstream.from_bits(x[: design.n_in])
    write(verilog_testbench(design, rng.random((20, design.n_in))), folder)
    ran = [*files, folder / "layer_tb.v"]
    of_netlist = median(lambda: netlist.run_packed(stimulus, lanes))
    return {
        "model": n / median(lambda: design.simulate(spikes)),
        "model with every potential": n / median(lambda: LayerTracer(built).run(words, n)),
        "Verilator": n / median(lambda: library.run(inputs)),
        f"netlist, {lanes:,} lanes": clocks * lanes / of_netlist,
        "Icarus": 20 * design.clocks / median(lambda: run_testbench(ran, "layer_tb", folder), 1),
    }


def median(call: Any, times: int = 3) -> float:
    """Return the median run time of a call, in seconds, after a warm-up call."""
    call()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


def resource_table(rows: list[dict[str, Any]]) -> str:
    """Return the table of resources."""
    lines = []
    for r in rows:
        memories = ", ".join(f"{n} {kind}" for kind, n in r["memories"].items()) or "none"
        counts = [
            f"{r[name]:,}" if r[name] else "" for name in ("luts", "flip_flops", "logic_cells", "steps")
        ]
        luts, flip_flops, cells, steps = counts
        mhz = f"{r['mhz']:.0f}" if r["mhz"] else ""
        lines.append([r["name"], r["target"], luts, flip_flops, memories, cells, mhz, steps])
    head = "design, target, LUTs, flip-flops, memories, logic cells, MHz, clock cycles per step"
    return table(head.split(", "), lines)


def speed_table(rows: list[dict[str, Any]]) -> str:
    """Return the table of clock cycles per second."""
    timed = [r for r in rows if "speeds" in r]
    lines = [
        [name, *(three_digits(r["speeds"][name] / 1e3) for r in timed)] for name in timed[0]["speeds"]
    ]
    return table(["thousand clock cycles per second", *(r["name"] for r in timed)], lines)


def three_digits(value: float) -> str:
    """Return a number rounded to three digits."""
    return f"{float(f'{value:.3g}'):,g}"


def waveform() -> Figure:
    """Return count, potential and spikes of a neuron of the digits network over time."""
    digits = load_digits()
    design = Design(digits.network, 32, name="digits")
    (_, seen), threshold = trace(design, digits.images[0]), design.layers[1].neuron.threshold
    most = int(seen.spikes.counts().argmax())
    steps = np.arange(design.length)
    figure = Figure((7.6, 4.4), layout="constrained")
    count, potential, spike = figure.subplots(3, sharex=True, height_ratios=[1, 2, 0.4])
    count.step(steps, seen.counts[most], where="mid", color=color(0))
    count.set_ylabel("count")
    potential.step(steps, seen.potentials[most], where="mid", color=color(0), label="v")
    potential.axhline(threshold, color=color(1), linestyle="--", label="threshold")
    potential.set_ylabel("v, in units of\nthe last place")
    potential.set_ylim(top=1.5 * threshold)
    potential.legend(loc="upper right", ncols=2)
    spike.vlines(np.flatnonzero(seen.spikes.bits()[most]), 0, 1, color=color(0))
    spike.set_yticks([])
    spike.set_ylabel("spike")
    spike.set_xlabel("time step")
    count.set_title(f"Output {most} of the digits network in hardware, one image")
    return figure


SOURCES: dict[str, Hammersley | RotatedLFSR] = {
    "counter": Hammersley(8, 1, randomized=False),
    "register": RotatedLFSR(16, start=0xACE1),
}
POINTS = ((3, 4), (3, 8), (8, 16), (8, 32), (8, 64))  # bits and time steps
N_STARTS = 20


def sources(folder: Path) -> dict[str, Any]:
    """Return accuracies of the digits and LUTs of designs, with a counter and with a register."""
    digits, starts = load_digits(), np.random.default_rng(0).choice(2**16 - 1, N_STARTS, False) + 1

    def right(bits: int, length: int, source: Any) -> int:
        fixed = FixedPoint(bits=bits)
        design = Design(digits.network, length, fixed_point=fixed, source=source, name="digits")
        return int((design.simulate(digits.images).classes == digits.labels).sum())

    found: dict[str, Any] = {"n_images": len(digits.labels), "accuracy": [], "luts": []}
    for bits, length in POINTS:
        with warnings.catch_warnings():  # a start with few ones is one-sided for its first steps
            warnings.simplefilter("ignore", PeriodWarning)
            of_starts = [right(bits, length, RotatedLFSR(16, start=int(s))) for s in starts]
        counter = right(bits, length, SOURCES["counter"])
        row = {"bits": bits, "steps": length, "counter": counter, "register": sorted(of_starts)}
        found["accuracy"].append(row)
    single = Dense(np.random.default_rng(0).uniform(-1, 1, (4, 64)), gain=0.05)
    for name, network, bits in (
        ("64-100-10 folded, 3 bits", digits.network, 3),
        ("64-4 unrolled, 8 bits", Network([single]), 8),
    ):
        luts = {}
        for kind, source in SOURCES.items():
            fixed = FixedPoint(bits=bits)
            design = Design(network, 8, fixed_point=fixed, source=source, name="made")
            place = folder / f"{kind} {bits}"
            files = written(design, place)
            luts[kind] = synthesize(
                files, "made", "ice40", place, place=False, across_registers=design.folded
            ).luts
            print(name, kind, luts[kind], flush=True)
        found["luts"].append({"name": name, **luts})
    return found


def sources_tables(found: dict[str, Any]) -> dict[str, str]:
    """Return the tables of sources, by marker."""
    n = found["n_images"]

    def percent(right: float) -> str:
        return f"{100 * right / n:.1f}"

    lines = [
        [
            f"{row['bits']} bits, {row['steps']} steps",
            percent(row["counter"]),
            f"{percent(np.median(row['register']))} "
            f"({percent(row['register'][0])} to {percent(row['register'][-1])})",
        ]
        for row in found["accuracy"]
    ]
    of_luts = [[row["name"], f"{row['counter']:,}", f"{row['register']:,}"] for row in found["luts"]]
    return {
        "sources": table(["accuracy in %", "counter", "register"], lines),
        "source-luts": table(["LUTs", "counter", "register"], of_luts),
    }


def interfaces(folder: Path) -> list[dict[str, Any]]:
    """Return cells of the digits on iCE40 with each option that has ports, in each wrapper."""
    rows = []
    plain = Design(load_digits().network, 8, fixed_point=FixedPoint(bits=3), name="digits")
    cases: list[tuple[str, Interface | None]] = [
        ("none", None),
        ("AXI4-Stream", "axi-stream"),
        ("AXI4-Lite", "axi-lite"),
        ("both", "axi"),
    ]
    for option in (None, "loadable", "pipelined", "scores"):
        chosen: dict[str, Any] = {} if option is None else {option: True}
        design = replace(plain, **chosen)
        for name, interface in cases:
            place = folder / f"{name} {option}"
            text = verilog(design) | (interface_verilog(design, interface) if interface else {})
            write(text, place)
            files = [place / file for file in text if file.endswith(".v")]
            top = "digits" if interface is None else f"digits_{SUFFIXES[interface]}"
            made = synthesize(files, top, "ice40", place, place=False)
            print(name, option, made, flush=True)
            memories = made.memories.get("SB_RAM40_4K", 0)
            rows.append(
                {
                    "name": name,
                    "option": option,
                    "luts": made.luts,
                    "flip_flops": made.flip_flops,
                    "memories": memories,
                }
            )
    return rows


def interface_table(rows: list[dict[str, Any]]) -> str:
    """Return the table of cells of the wrappers."""
    head = ["wrapper", "option", "LUTs", "flip-flops", "block memories"]
    lines = []
    for row in rows:
        counts = [f"{row[name]:,}" for name in ("luts", "flip_flops", "memories")]
        lines.append([row["name"], f"`{row['option']}`" if row["option"] else "none", *counts])
    return table(head, lines)


def early_table() -> str:
    """Return the table of mean latencies of the digits, with and without early decisions."""
    digits, lines = load_digits(), []
    for bits, length in POINTS[1:]:
        fixed = FixedPoint(bits=bits)
        design = Design(digits.network, length, fixed_point=fixed, name="digits")
        early = replace(design, early=True)
        steps = early.steps(digits.images).mean()
        clocks = early.clocks_of(float(steps))
        less = 100 * (1 - clocks / design.clocks)
        lines.append(
            [
                f"{bits} bits, {length} steps",
                f"{design.clocks:,}",
                f"{clocks:,.0f}",
                f"{steps:.1f}",
                f"{less:.0f} %",
            ]
        )
    head = "digits 64-100-10|clock cycles|mean with early decisions|mean time steps|saved"
    return table(head.split("|"), lines)


def main() -> None:
    """Measure unless only the page is to be updated; then update the page and its picture."""
    found = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    learned = json.loads(OF_LEARNING.read_text()) if OF_LEARNING.exists() else []
    if "--draw" not in sys.argv:
        parts = "--sources", "--learning", "--interfaces", "--pipelined", "--designs"
        asked = [part for part in parts if part in sys.argv] or parts
        with tempfile.TemporaryDirectory() as folder:
            if "--sources" in asked:
                found["sources"] = sources(Path(folder))
            if "--learning" in asked:
                learned = learning_resources(Path(folder))
                OF_LEARNING.write_text(json.dumps(learned, indent=1) + "\n")
            if "--interfaces" in asked:
                found["interfaces"] = interfaces(Path(folder))
            if "--pipelined" in asked:
                found["pipelined"] = pipelined_resources(Path(folder))
            if "--designs" in asked:
                kept = {row["name"]: row for row in found["designs"]} if asked != parts else {}
                found["designs"] = resources(Path(folder), kept)
        FIGURES.write_text(json.dumps(found, indent=1) + "\n")
    text = fill(PAGE.read_text(), "resources", resource_table(found["designs"]))
    for name, content in sources_tables(found["sources"]).items():
        text = fill(text, name, content)
    PAGE.write_text(fill(text, "speeds", speed_table(found["designs"])))
    text = fill(BLOCKS.read_text(), "early", early_table())
    text = fill(text, "pipelined", pipelined_table(found["pipelined"]))
    BLOCKS.write_text(fill(text, "learning", resource_table(learned)) if learned else text)
    text = fill(START.read_text(), "registers", register_table())
    START.write_text(fill(text, "interfaces", interface_table(found["interfaces"])))
    both_themes.save(PICTURES / "hardware_waveform.png", waveform, dpi=120)


if __name__ == "__main__":
    main()
