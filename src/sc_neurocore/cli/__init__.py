"""The command sc-neurocore."""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import sc_neurocore
from sc_neurocore import _native
from sc_neurocore.cli._demo import DEMO_LENGTHS, run_demo
from sc_neurocore.cli._evaluate import run_evaluate
from sc_neurocore.cli._hdl import run_hdl
from sc_neurocore.evidence.evaluation import SOURCES


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
    demo.set_defaults(run=run_demo)

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
    evaluation.set_defaults(run=run_evaluate)

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
    hdl.set_defaults(run=run_hdl)

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
