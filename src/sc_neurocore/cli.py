"""The command sc-neurocore."""

from __future__ import annotations

import argparse
import csv
import os
import platform
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import sc_neurocore
from sc_neurocore import _checks, _native
from sc_neurocore._files import read_arrays, replacing
from sc_neurocore.evidence.evaluation import SOURCES, Accuracy, evaluate
from sc_neurocore.networks.digits import Digits, load_digits
from sc_neurocore.networks.fixed_point import FixedPoint
from sc_neurocore.networks.network import Network
from sc_neurocore.networks.simulation import simulate

if TYPE_CHECKING:
    from sc_neurocore.hardware import Design, Synthesis, Verification

DEMO_LENGTHS = (8, 16, 32, 64, 128)
DEMO_SEEDS = range(50)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (ValueError, TypeError, OSError, RuntimeError) as error:
        print(f"sc-neurocore: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("sc-neurocore: interrupted", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sc-neurocore", description="Spiking neural networks on stochastic computing."
    )
    parser.add_argument("--version", action="version", version=sc_neurocore.__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="run the tutorial and classify digits")
    demo.add_argument("--out", type=Path, default=Path("demo"), help="folder for pictures [demo]")
    demo.set_defaults(run=_demo)

    evaluation = commands.add_parser("evaluate", help="accuracy of a network by stream length")
    evaluation.add_argument("network", metavar="NETWORK", help="a file of Network.save, or 'digits'")
    evaluation.add_argument(
        "--data",
        type=Path,
        help="an .npz of images (n, n_in) in [0, 1] and labels (n,) [the shipped digits]",
    )
    evaluation.add_argument(
        "--lengths", type=_lengths, default=list(DEMO_LENGTHS), help="[8,16,32,64,128]"
    )
    evaluation.add_argument(
        "--source",
        type=_sources,
        default=["bernoulli"],
        help=f"of inputs and weights, with commas between: {', '.join(SOURCES)} [bernoulli]",
    )
    evaluation.add_argument("--seeds", type=int, default=5, help="how many seeds, from 0 on [5]")
    evaluation.add_argument("--csv", type=Path, help="write the accuracy of each seed there")
    evaluation.add_argument("--plot", type=Path, help="draw the curves there (extra: plot)")
    evaluation.set_defaults(run=_evaluate)

    about = "Verilog that computes the bits of a network (extra: hdl)"
    hdl = commands.add_parser(
        "hdl",
        help=about,
        description=f"{about}, with a testbench that needs no Python and a report.",
    )
    hdl.add_argument("network", metavar="NETWORK", help="a file of Network.save, or 'digits'")
    hdl.add_argument("--out", type=Path, help="folder for the design and its report [hdl_NAME]")
    hdl.add_argument("--length", type=int, default=32, help="time steps an image [32]")
    hdl.add_argument(
        "--architecture", choices=("unrolled", "folded"), help="[unrolled up to 2,000 synapses]"
    )
    hdl.add_argument("--simd", type=int, default=8, help="inputs a clock of a folded layer [8]")
    hdl.add_argument("--pe", type=int, default=1, help="neurons a clock of a folded layer [1]")
    hdl.add_argument("--bits", type=int, default=8, help="of weights and inputs [8]")
    hdl.add_argument("--word", type=int, default=16, help="bits of a potential [16]")
    hdl.add_argument("--leak-bits", type=int, default=8, help="of the leak; 1: a shift [8]")
    hdl.add_argument("--name", help="of the top module [that of the file]")
    hdl.add_argument(
        "--data",
        type=Path,
        help="an .npz of images and labels, as for evaluate [those of the digits; else random images]",
    )
    hdl.add_argument("--images", type=int, default=5, help="in the testbench, at most [5]")
    hdl.add_argument(
        "--verify",
        type=int,
        metavar="CLOCKS",
        help="run the testbench, and compare each layer with its model for CLOCKS (needs Verilator), "
        "and with --synth the netlist on the images of the testbench",
    )
    hdl.add_argument(
        "--synth",
        choices=("ice40", "xilinx", "generic"),
        help="count cells and memories, for ice40 also clock and energy (needs Yosys, nextpnr)",
    )
    hdl.set_defaults(run=_hdl)

    info = commands.add_parser("info", help="version, instruction set, threads")
    info.set_defaults(run=_info)
    return parser


def _lengths(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"lengths must be whole numbers with commas between, got {text!r}"
        ) from None


def _sources(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in SOURCES:
            raise argparse.ArgumentTypeError(
                f"sources must be among {', '.join(SOURCES)}, with commas between, got {name!r}"
            )
    return list(dict.fromkeys(names))


def _info(_: argparse.Namespace) -> None:
    for name, value in (
        ("sc-neurocore", sc_neurocore.__version__),
        ("Python", platform.python_version()),
        ("NumPy", np.__version__),
        ("instruction set", f"{_native.isa()} (here: {', '.join(_native.isas())})"),
        ("threads", _native.threads()),
    ):
        print(f"{name:16s} {value}")


def _evaluate(options: argparse.Namespace) -> None:
    seeds = range(_checks.integer("--seeds", options.seeds, 1))
    shipped, network = load_digits(), _network(options.network)
    images, labels = _load_data(options.data) if options.data else (shipped.images, shipped.labels)
    figure = _figure() if options.plot else None
    curves = {}
    for name in options.source:
        print(f"{network.shape}, {len(images)} images, {len(seeds)} seeds, {name} streams")
        curves[name] = evaluate(
            network,
            images,
            labels,
            options.lengths,
            seeds=seeds,
            source=SOURCES[name],
            progress=sys.stderr.isatty(),
        )
        _print_table(curves[name])
    if options.csv:
        _write_csv(options.csv, curves)
    if figure:
        from sc_neurocore.evidence import plot

        plot.accuracy(axes := figure.subplots(), curves)
        axes.set_title(f"{network.shape}: accuracy by stream length")
        _save(figure, options.plot)


def _hdl(options: argparse.Namespace) -> None:
    from sc_neurocore import hardware
    from sc_neurocore.hardware import simulators, tools
    from sc_neurocore.hardware.synthesis import TARGETS

    # What is missing is told before the work.
    if options.verify is not None:
        _checks.integer("--verify", options.verify, 1)
        simulators.find_verilator()
    if options.synth:
        tools.find_yosys()
    design, images, labels = _designed(options)
    out = options.out or Path(f"hdl_{design.name}")
    in_bench = images[: _checks.integer("--images", options.images, 1)]
    modules = hardware.verilog(design)
    text = modules | hardware.verilog_testbench(design, in_bench)
    _check_folder(out, text)
    found: dict[str, Any] = {"quantised": hardware.quantisation(design, images, labels)}
    for target in TARGETS:  # netlists of what was there before
        (out / f"{design.name}_{target}.json").unlink(missing_ok=True)
    hardware.write({**text, "REPORT.md": hardware.report(design, **found)}, out)
    print(f"{design!r}\nwrote {len(text)} files to {out}, {len(in_bench)} images in the testbench")

    if options.verify:
        _say("running the testbench")
        found["said"] = hardware.run_bench(design, out)
        print(found["said"])
        found["verified"] = tuple(
            _verified_layer(design, k, options.verify) for k in range(len(design.layers))
        )
    if options.synth:
        _say(f"synthesising for {options.synth}")
        synapses = sum(layer.magnitudes.size for layer in design.layers)
        found["synthesis"] = made = hardware.synthesise(
            [out / name for name in modules if name.endswith(".v")],
            design.name,
            options.synth,
            out,
            across_registers=design.folded or synapses <= 500,
        )
        if options.synth == "ice40":
            if not tools.has_nextpnr():
                print("no clock: nextpnr is not there (pip install 'sc-neurocore[hdl]')")
            _say("counting toggles")
            found["energy"] = hardware.energy_of(design, made, in_bench)
        if options.verify:
            found["netlist"] = _verified_netlist(design, made, in_bench)
    page = hardware.report(design, **found)
    hardware.write({"REPORT.md": page}, out)
    print(f"\n{page}\nwrote {out / 'REPORT.md'}")


def _designed(options: argparse.Namespace) -> tuple[Design, NDArray[Any], NDArray[Any] | None]:
    """Return the design of the options, images, and their labels if there are any."""
    from sc_neurocore.hardware import Design

    network = _network(options.network)
    name = re.sub(r"\W", "_", Path(options.network).stem, flags=re.ASCII)
    design = Design(
        network,
        _checks.integer("--length", options.length, 1),
        number=FixedPoint(bits=options.bits, word=options.word, leak_bits=options.leak_bits),
        architecture=options.architecture,
        simd=options.simd,
        pe=options.pe,
        name=options.name or (name if name[0].isalpha() else f"net_{name}"),
    )
    if options.data:
        return design, *_load_data(options.data)
    if options.network == "digits":
        return design, load_digits().images, load_digits().labels
    n_images = max(options.images, 100)
    return design, np.random.default_rng(0).random((n_images, design.n_in)), None


def _check_folder(folder: Path, text: Mapping[str, str]) -> None:
    """Refuse a folder with files of another design, which simulators would read together."""
    if not folder.exists():
        return
    if not folder.is_dir():
        _checks.fail("--out", "be a folder", folder)
    others = sorted(p.name for p in folder.iterdir() if p.suffix in (".v", ".hex"))
    others = [name for name in others if name not in text]
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        _checks.fail(
            "--out",
            "hold no other design",
            f"{folder} with {others[0]}{more}",
            "remove it, or take another folder",
        )


def _verified_layer(design: Design, k: int, clocks: int) -> Verification:
    from sc_neurocore.hardware import verify_layer

    _say(f"verifying layer {k}")
    seen = verify_layer(design, k, clocks, progress=sys.stderr.isatty())
    print(f"layer {k}: {seen.clocks:,} clocks, {seen.differences} differences")
    if seen.differences:
        raise RuntimeError(f"layer {k} in Verilog differs from its model: {seen}")
    if not seen.passed(design.layers[k]):
        _checks.fail("--verify", f"let layer {k} fire and rest", seen, "take more clocks")
    return seen


def _verified_netlist(
    design: Design, made: Synthesis, images: NDArray[Any]
) -> tuple[Verification, ...]:
    from sc_neurocore.hardware import verify_images

    _say(f"comparing the netlist on {len(images)} images")
    try:
        seen = verify_images(design, made.path, images)
    except ValueError as error:  # synthesis made one register of two: their names are gone
        print(f"the netlist was not compared: {error}")
        return ()
    clocks, differences = seen[0].clocks, sum(part.differences for part in seen)
    print(f"netlist: {clocks:,} clocks, {differences} differences")
    if differences:
        raise RuntimeError(f"the netlist {made.path} differs from its model: {seen}")
    return seen


def _say(what: str) -> None:
    print(f"{what} ...", flush=True)


def _network(name: str) -> Network:
    if name == "digits":
        return load_digits().network
    if not os.path.exists(name):
        _checks.fail("NETWORK", "be a file of Network.save, or 'digits'", repr(name))
    return Network.load(name)


def _figure() -> Any:
    """Return an empty figure, before any work: without Matplotlib there will be none."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        _checks.fail("--plot", "find Matplotlib", "none", "pip install 'sc-neurocore[plot]'")
    return Figure((6, 4), layout="constrained")


def _load_data(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    try:
        arrays = read_arrays(path)
        return arrays["images"], arrays["labels"]
    except (ValueError, KeyError) as error:
        raise ValueError(
            f"--data must be an .npz of images and labels, got {path} ({error})"
        ) from error


def _print_table(rows: Sequence[Accuracy]) -> None:
    print("length   bitstreams         95 % of images    float")
    for row in rows:
        spread = "" if np.isnan(row.std) else f" +- {100 * row.std:.2f}"
        mean = f"{100 * row.mean:.2f}{spread} %"
        low, high = row.interval(0.95)
        between = f"{100 * low:.2f} to {100 * high:.2f}"
        print(f"{row.length:6d}   {mean:17s}  {between:16s}  {100 * row.of_float:.2f} %")


def _write_csv(path: Path, curves: Mapping[str, Sequence[Accuracy]]) -> None:
    with replacing(path) as part, part.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["source", "length", "seed", "accuracy", "float_accuracy"])
        for name, rows in curves.items():
            for row in rows:
                for seed, value in enumerate(row.by_seed):
                    writer.writerow([name, row.length, seed, value, row.of_float])
    print(f"wrote {path}")


def _save(figure: Any, path: Path) -> None:
    with replacing(path) as part:
        figure.savefig(part, dpi=120)
    print(f"wrote {os.fspath(path)}")


def _demo(options: argparse.Namespace) -> None:
    namespace: dict[str, Any] = {}
    for title, code in tutorial_sections():
        _heading(title)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            exec(compile(code, title, "exec"), namespace)
        for warning in caught:
            print(f"{warning.category.__name__}: {warning.message}")

    digits = load_digits()
    sizes = f"{len(digits.images)} test images, {digits.network.shape}, {len(DEMO_SEEDS)} seeds"
    _heading(f"Handwritten digits: {sizes}")
    curves = {}
    for name in ("bernoulli", "sobol"):
        title = f"{name.capitalize()} streams"
        print(f"{title}:")
        curves[title] = evaluate(
            digits.network,
            digits.images,
            digits.labels,
            DEMO_LENGTHS,
            seeds=DEMO_SEEDS,
            source=SOURCES[name],
            progress=sys.stderr.isatty(),
        )
        _print_table(curves[title])
    _draw(options.out, namespace["firing_layer"].get_spike_trains(), digits, curves)


def _heading(title: str) -> None:
    print(f"\n{title}\n{'-' * len(title)}")


def tutorial_sections() -> Iterator[tuple[str, str]]:
    """Yield title and code of each section of the tutorial that ships with the package."""
    text = (files("sc_neurocore") / "data" / "tutorial.md").read_text(encoding="utf-8")
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        blocks = re.findall(r"^```python\n(.*?)^```", section, flags=re.MULTILINE | re.DOTALL)
        yield section.splitlines()[0], "\n".join(blocks)


def _draw(
    folder: Path, trains: NDArray[np.uint8], digits: Digits, curves: dict[str, list[Accuracy]]
) -> None:
    try:
        from matplotlib.figure import Figure

        from sc_neurocore.evidence import plot
    except ImportError:
        print("\nno pictures: they need Matplotlib (pip install 'sc-neurocore[plot]')")
        return
    folder.mkdir(parents=True, exist_ok=True)

    raster = Figure((7, 2.6), layout="constrained")
    plot.raster(axes := raster.subplots(), trains)
    axes.set_title("A dense layer of 4 neurons under one stochastic current")

    length = 32
    result = simulate(digits.network, digits.images, length, seed=0)
    classes = result.classes()
    wrong = np.flatnonzero(classes != digits.labels)
    shown = np.concatenate([wrong, np.flatnonzero(classes == digits.labels)])[:32]
    pictures = Figure((8, 5), layout="constrained")
    plot.classified(pictures, digits.images[shown], digits.labels[shown], classes[shown])
    pictures.suptitle(
        f"Classified with streams of {length} bits: all {len(wrong)} mistakes of "
        f"{len(classes)} images first"
    )

    curve = Figure((6, 4), layout="constrained")
    plot.accuracy(axes := curve.subplots(), curves)
    axes.set_title(f"Digits, {digits.network.shape}: accuracy by stream length")

    print()
    for name, figure in (("raster", raster), ("digits", pictures), ("accuracy", curve)):
        _save(figure, folder / f"{name}.png")
