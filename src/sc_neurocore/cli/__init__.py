"""Command line: sc-neurocore demo, evaluate, hdl, compare and info."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import sc_neurocore
from sc_neurocore import _native
from sc_neurocore.cli._compare import run_compare
from sc_neurocore.cli._demo import DEMO_LENGTHS, run_demo
from sc_neurocore.cli._evaluate import run_evaluate
from sc_neurocore.cli._hdl import run_hdl
from sc_neurocore.evidence.evaluation import SOURCES

__all__ = ["main"]

_ERRORS = (ValueError, TypeError, OSError, RuntimeError, ImportError, OverflowError, MemoryError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command of sc-neurocore.

    Parameters
    ----------
    arguments : sequence of str, optional
        Arguments of the command line, by default those of the process.

    Returns
    -------
    int
        Exit status: 0 for success, 1 for an error (printed in one line to standard error), 2 for a
        missing command, 130 for an interrupt from the keyboard, 141 if the reader of standard output
        is gone.
    """
    try:
        status = _run(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # of head, for example, which has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        return 141


def _run(arguments: Sequence[str] | None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if "run" not in options:
        parser.print_help(sys.stderr)
        return 2
    try:
        options.run(options)
    except _ERRORS as error:
        if isinstance(error, BrokenPipeError) and error.filename is None:  # standard output
            raise
        print(f"sc-neurocore: {str(error) or type(error).__name__}", file=sys.stderr)
        return 1
    except (MemoryError, OverflowError) as error:
        reason = "" if isinstance(error, MemoryError) and str(error) == "std::bad_alloc" else str(error)
        print(f"sc-neurocore: {reason or 'out of memory'}", file=sys.stderr)
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
    commands = parser.add_subparsers(metavar="COMMAND")

    demo = commands.add_parser("demo", help="run the tutorial and classify handwritten digits")
    demo.add_argument("--out", type=Path, default=Path("demo"), help="folder for the pictures [demo]")
    demo.set_defaults(run=run_demo)

    evaluation = commands.add_parser("evaluate", help="measure accuracy by stream length")
    evaluation.add_argument("network", metavar="NETWORK", help="a file of Network.save, or 'digits'")
    evaluation.add_argument(
        "--data",
        type=Path,
        help="an .npz file of images (n, n_in) in [0, 1] and labels (n,) [the shipped digits]",
    )
    evaluation.add_argument(
        "--lengths",
        type=_lengths,
        default=list(DEMO_LENGTHS),
        help="stream lengths, separated by commas [8,16,32,64,128]",
    )
    evaluation.add_argument(
        "--source",
        type=_sources,
        default=["bernoulli"],
        help="sources of the random numbers, separated by commas, from "
        f"{', '.join(SOURCES)} [bernoulli]",
    )
    evaluation.add_argument("--seeds", type=int, default=5, help="number of seeds, starting at 0 [5]")
    evaluation.add_argument("--csv", type=_file, help="file for the accuracy of each seed")
    evaluation.add_argument("--plot", type=_file, help="file for a plot of the curves (extra: plot)")
    evaluation.set_defaults(run=run_evaluate)

    about = "generate Verilog that computes the bits of a network (extra: hdl)"
    hdl = commands.add_parser(
        "hdl",
        help=about,
        description="Generate Verilog that computes the bits of a network, a report, and a testbench "
        "that runs without Python (extra: hdl).",
    )
    hdl.add_argument(
        "network", metavar="NETWORK", nargs="?", help="a file of Network.save, or 'digits'"
    )
    hdl.add_argument(
        "--check",
        type=Path,
        metavar="FOLDER",
        help="run the testbenches in a folder as it is, without NETWORK (needs Verilator or Icarus "
        "Verilog)",
    )
    hdl.add_argument("--out", type=Path, help="folder for the design and its report [hdl_NAME]")
    hdl.add_argument("--length", type=int, help="time steps per image [32; 8 for 'digits']")
    hdl.add_argument(
        "--architecture",
        choices=("unrolled", "folded"),
        help="one gate per synapse, or layers that reuse their gates [unrolled up to 2,000 synapses]",
    )
    hdl.add_argument("--simd", type=int, help="inputs per clock cycle (folded) [8]")
    hdl.add_argument("--pe", type=int, help="neurons per clock cycle (folded) [1]")
    hdl.add_argument("--bits", type=int, help="bits per weight and per input [8; 3 for 'digits']")
    hdl.add_argument(
        "--accuracy",
        type=float,
        metavar="PERCENT",
        help="choose bits, time steps, inputs and neurons per clock cycle: the cheapest folded design "
        "that has this accuracy on the data; those given are kept",
    )
    hdl.add_argument(
        "--max-loss",
        type=float,
        metavar="POINTS",
        help="as --accuracy, at most this many percentage points below the network in real numbers",
    )
    hdl.add_argument("--word", type=int, default=16, help="bits per potential [16]")
    hdl.add_argument(
        "--leak-bits", type=int, default=8, help="significant bits of the leak; 1 makes it a shift [8]"
    )
    hdl.add_argument(
        "--interface",
        choices=("axi-stream",),
        help="add a wrapper with these ports, and a cocotb test of it",
    )
    hdl.add_argument("--name", help="name of the top module [from NETWORK]")
    hdl.add_argument(
        "--data",
        type=Path,
        help="an .npz file of images and labels, as for evaluate [the shipped digits for 'digits', "
        "random images for a file]",
    )
    hdl.add_argument("--images", type=int, default=5, help="most images in the testbench [5]")
    hdl.add_argument(
        "--verify",
        type=int,
        metavar="CLOCKS",
        help="run the testbench and compare each layer with its model for CLOCKS clock cycles; with "
        "--synth, compare the netlist on the images of the testbench, too (needs Verilator)",
    )
    hdl.add_argument(
        "--synth",
        choices=("ice40", "xilinx", "generic"),
        help="synthesize and count cells and memories; for ice40, also estimate clock rate and energy "
        "(needs Yosys, and nextpnr for the clock)",
    )
    hdl.set_defaults(run=run_hdl)

    compare = commands.add_parser(
        "compare",
        help="compare stochastic hardware of a network with binary hardware (extra: hdl)",
        description="Synthesize stochastic designs of a network, spiking designs that add weights, and "
        "integer designs; print accuracy, area, time and energy (extra: hdl).",
    )
    compare.add_argument("network", metavar="NETWORK", help="a file of Network.save, or 'digits'")
    compare.add_argument(
        "--data", type=Path, help="an .npz file of images and labels [the shipped digits for 'digits']"
    )
    compare.add_argument(
        "--liberty",
        type=Path,
        nargs="+",
        default=(),
        metavar="FILE",
        help="cell libraries in the Liberty format, with memory macros if any: area and energy in "
        "their cells instead of an iCE40",
    )
    compare.add_argument("--simd", type=int, default=8, help="inputs per clock cycle [8]")
    compare.add_argument(
        "--syntheses",
        type=int,
        default=1,
        help="number of variants of the synthesis, placed or not [1]",
    )
    compare.add_argument("--only", default="", metavar="TEXT", help="designs whose name contains TEXT")
    compare.set_defaults(run=run_compare)

    info = commands.add_parser(
        "info", help="print versions, processor, instruction set and number of threads"
    )
    info.set_defaults(run=_info)
    return parser


def _file(text: str) -> Path:
    if text.endswith(os.sep):  # which a Path would drop
        raise argparse.ArgumentTypeError(f"the name of a file cannot end in {os.sep}, got {text!r}")
    return Path(text)


def _lengths(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"lengths must be integers separated by commas, got {text!r}"
        ) from None


def _sources(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in SOURCES:
            raise argparse.ArgumentTypeError(
                f"sources must be among {', '.join(SOURCES)}, separated by commas, got {name!r}"
            )
    return list(dict.fromkeys(names))


def _processor() -> str:
    """Return the processor's name if the system tells it, and its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor()
    machine = platform.machine()
    return f"{name} ({machine})" if name and name != machine else machine


def _info(_: argparse.Namespace) -> None:
    for name, value in (
        ("sc-neurocore", sc_neurocore.__version__),
        ("Python", platform.python_version()),
        ("NumPy", np.__version__),
        ("processor", _processor()),
        ("instruction set", f"{_native.isa()} (available: {', '.join(_native.isas())})"),
        ("threads", _native.threads()),
    ):
        print(f"{name:16s} {value}")
