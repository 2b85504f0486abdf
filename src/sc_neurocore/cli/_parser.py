"""Arguments of all commands, and their help. Imports nothing that takes time."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

import sc_neurocore

__all__ = ["SOURCE_NAMES", "parser_of_all"]

# Names of `evidence.evaluation.SOURCES`, which would take time to import.
SOURCE_NAMES = ("bernoulli", "lfsr", "sobol", "hammersley", "halton", "vandercorput", "permutation")

CODES = """\
exit codes:
  0  success
  1  an error, printed in one line to standard error
  2  wrong usage
  3  a check failed: hardware differs from its model, no length keeps the
     accuracy, or points of a sweep raised
  130  interrupted from the keyboard
  141  the reader of standard output is gone

Completion in bash and zsh (extra: command):
  eval "$(register-python-argcomplete sc-neurocore)"
"""


def parser_of_all() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    parser = argparse.ArgumentParser(
        prog="sc-neurocore",
        description="Spiking neural networks on stochastic computing.",
        epilog=CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=sc_neurocore.__version__)
    commands = parser.add_subparsers(metavar="COMMAND")
    for add in (_demo, _evaluate, _plan, _noise, _explore, _convert, _sweep, _hdl, _compare, _info):
        add(commands)
    return parser


if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def _command(
    commands: Commands, name: str, about: str, run: str, examples: str
) -> argparse.ArgumentParser:
    """Return the parser of a command, which begins with its name, description and examples."""
    lines = "\n".join(f"  {line}" for line in examples.splitlines())
    command = commands.add_parser(
        name,
        help=about,
        description=f"{about[0].upper()}{about[1:]}.",
        epilog=f"examples:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "--json", action="store_true", help="print one JSON object per line instead of text"
    )
    command.set_defaults(run=run)
    return command


def _network(
    command: argparse.ArgumentParser, *, optional: bool = False, default: str | None = None
) -> None:
    """Add the argument NETWORK and the options to read it."""
    about = "a file of Network.save (.npz), a NIR graph (.nir), or 'digits'"
    command.add_argument(
        "network",
        metavar="NETWORK",
        nargs="?" if optional else None,
        default=default,
        help=f"{about} [{default}]" if default else about,
    )
    command.add_argument(
        "--dt-ms", type=float, help="time step of a NIR graph in ms [from its metadata]"
    )
    command.add_argument(
        "--approximate",
        action="store_true",
        help="accept nodes of a NIR graph that can only be approximated",
    )


def _data(command: argparse.ArgumentParser) -> None:
    """Add the option for images and labels."""
    command.add_argument(
        "--data",
        type=Path,
        help="an .npz file with the arrays 'images' (n, n_in) in [0, 1] and 'labels' (n,) [the shipped "
        "digits]",
    )


def _places(command: argparse.ArgumentParser) -> None:
    """Add the options that say where the work is done."""
    places = command.add_mutually_exclusive_group()
    places.add_argument("--processes", type=int, metavar="N", help="run on N local processes")
    places.add_argument(
        "--dask", metavar="ADDRESS", help="run on a Dask cluster, such as tcp://127.0.0.1:8786"
    )


def _demo(commands: Commands) -> None:
    demo = _command(
        commands,
        "demo",
        "run the tutorial and classify handwritten digits",
        "_demo:run_demo",
        "sc-neurocore demo --out pictures",
    )
    demo.add_argument("--out", type=Path, default=Path("demo"), help="folder for the pictures [demo]")


def _evaluate(commands: Commands) -> None:
    command = _command(
        commands,
        "evaluate",
        "measure accuracy by stream length",
        "_evaluate:run_evaluate",
        "sc-neurocore evaluate digits --source bernoulli,sobol --csv accuracy.csv\n"
        "sc-neurocore evaluate net.nir --dt-ms 1 --data test.npz --processes 4\n"
        "sc-neurocore evaluate digits --json | jq .accuracy",
    )
    _network(command)
    _data(command)
    command.add_argument(
        "--lengths",
        type=_lengths,
        default=[8, 16, 32, 64, 128],
        help="stream lengths, separated by commas [8,16,32,64,128]",
    )
    _sources_option(command, ["bernoulli"])
    command.add_argument("--seeds", type=int, default=5, help="number of seeds, starting at 0 [5]")
    command.add_argument(
        "--csv", type=_file, help="file for the accuracy of each seed, to which finished rows are added"
    )
    command.add_argument("--plot", type=_file, help="file for a plot of the curves (extra: plot)")
    _places(command)


def _plan(commands: Commands) -> None:
    command = _command(
        commands,
        "plan",
        "find the fewest bits that keep the accuracy of a network",
        "_plan:run_plan",
        "sc-neurocore plan digits --max-loss 0.005\n"
        "sc-neurocore plan net.npz --data test.npz --lengths 8,16,32 --bits-per-step 1,4",
    )
    _network(command)
    _data(command)
    command.add_argument(
        "--max-loss",
        type=float,
        default=0.005,
        help="permitted loss of accuracy; 0.005 is half a percentage point [0.005]",
    )
    command.add_argument(
        "--lengths", type=_lengths, help="lengths to try, separated by commas [4 to 256]"
    )
    command.add_argument(
        "--bits-per-step",
        type=_lengths,
        default=[1],
        help="bits per time step to try, separated by commas [1]",
    )
    command.add_argument(
        "--confidence", type=float, default=0.95, help="confidence of the interval of the loss [0.95]"
    )
    _sources_option(command, ["bernoulli", "sobol"])
    command.add_argument("--seeds", type=int, default=5, help="number of seeds, starting at 0 [5]")
    _places(command)


def _noise(commands: Commands) -> None:
    command = _command(
        commands,
        "noise",
        "print the noise budget of each layer",
        "_noise:run_noise",
        "sc-neurocore noise digits --length 64\n"
        "sc-neurocore noise net.npz --data test.npz --source sobol --bits-per-step 8",
    )
    _network(command)
    _data(command)
    command.add_argument("--length", type=int, default=64, help="time steps per image [64]")
    command.add_argument("--bits-per-step", type=int, default=1, help="bits per time step [1]")
    command.add_argument(
        "--source", choices=SOURCE_NAMES, default="bernoulli", help="source of the numbers [bernoulli]"
    )
    command.add_argument("--seed", type=int, default=0, help="seed [0]")


def _explore(commands: Commands) -> None:
    command = _command(
        commands,
        "explore",
        "open a live page about bitstreams, a neuron and a network, on this machine only "
        "(extra: explore)",
        "_explore:run_explore",
        "sc-neurocore explore\nsc-neurocore explore net.npz --data test.npz --port 5006 --no-browser",
    )
    _network(command, optional=True, default="digits")
    _data(command)
    command.add_argument("--port", type=int, default=0, help="port of the page [any free one]")
    command.add_argument(
        "--no-browser", action="store_true", help="print the address of the page, and open nothing"
    )


def _convert(commands: Commands) -> None:
    command = _command(
        commands,
        "convert",
        "convert a network between NIR graphs and files of Network.save (extra: nir)",
        "_convert:run_convert",
        "sc-neurocore convert net.nir net.npz --dt-ms 1\nsc-neurocore convert digits digits.nir",
    )
    _network(command)
    command.add_argument("out", type=_file, metavar="OUT", help="file to write, .npz or .nir")
    command.add_argument(
        "--share-gain", action="store_true", help="give all neurons of a layer of a NIR graph one gain"
    )


def _sweep(commands: Commands) -> None:
    command = _command(
        commands,
        "sweep",
        "call a function at every point of a grid that a TOML file describes",
        "_sweep:run_sweep",
        "sc-neurocore sweep accuracy.toml --processes 4\n"
        "sc-neurocore sweep accuracy.toml --dask tcp://127.0.0.1:8786 --csv accuracy.csv\n"
        "\n"
        "a file, in the folder of accuracy.py; seed, store, processes and dask\n"
        "can be left out:\n"
        '  function = "accuracy:measure"\n'
        "  seed = 1\n"
        '  store = "accuracy.jsonl"\n'
        "  processes = 4\n"
        "\n"
        "  [grid]\n"
        "  length = [16, 64]\n"
        '  source = ["sobol", "bernoulli"]',
    )
    command.add_argument(
        "file", type=Path, metavar="FILE.toml", help="description of the sweep, which runs its function"
    )
    command.add_argument("--csv", type=_file, help="file for the rows, in the order of the grid")
    _places(command)


def _hdl(commands: Commands) -> None:
    hdl = _command(
        commands,
        "hdl",
        "generate Verilog that computes the bits of a network, a report, and a testbench that runs "
        "without Python (extra: hdl)",
        "_hdl:run_hdl",
        "sc-neurocore hdl digits --verify 100000 --synth ice40\n"
        "sc-neurocore hdl net.npz --architecture folded --interface axi-stream --out design\n"
        "sc-neurocore hdl --check design",
    )
    _network(hdl, optional=True)
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
        help="choose bits, time steps, inputs and neurons per clock cycle, and whether the first layer "
        "takes inputs as numbers: the cheapest folded design that has this accuracy on the data; those "
        "given are kept",
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
        "--early",
        action="store_true",
        help="end an image as soon as no output can overtake the one with the most spikes (folded)",
    )
    hdl.add_argument(
        "--loadable",
        action="store_true",
        help="give the weight memories a port, to load the weights of other networks (folded)",
    )
    hdl.add_argument(
        "--sparse",
        action="store_true",
        help="read the weights of active inputs only, which saves energy (folded)",
    )
    hdl.add_argument(
        "--pipelined",
        action="store_true",
        help="layers work at the same time, while the next image is read (folded)",
    )
    hdl.add_argument(
        "--scores",
        action="store_true",
        help="add ports that read the spike counts and potentials of the outputs",
    )
    hdl.add_argument(
        "--reset",
        choices=("synchronous", "asynchronous"),
        default="synchronous",
        help="whether the reset acts at a clock edge or at once [synchronous]",
    )
    hdl.add_argument(
        "--interface",
        choices=("axi-stream", "axi-lite", "axi"),
        help="add a wrapper with these ports, and a cocotb test of it; axi-lite has registers and a "
        "header for C; axi has them, too, beside a stream of images",
    )
    hdl.add_argument(
        "--board",
        choices=("icebreaker", "ulx3s", "tangnano9k"),
        help="add a serial line and pins, simulate it, and make a bitstream file (extra: boards)",
    )
    hdl.add_argument("--name", help="name of the top module [from NETWORK]")
    hdl.add_argument(
        "--data",
        type=Path,
        help="an .npz file with the arrays 'images' and 'labels', as for evaluate [the shipped digits "
        "for 'digits', random images for a file]",
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
        choices=("ice40", "ecp5", "xilinx", "generic"),
        help="synthesize and count cells and memories; for ice40 and ecp5, also estimate the clock "
        "rate, and for ice40 the energy (needs Yosys, and nextpnr for the clock)",
    )


def _compare(commands: Commands) -> None:
    command = _command(
        commands,
        "compare",
        "compare stochastic hardware of a network with binary hardware (extra: hdl)",
        "_compare:run_compare",
        "sc-neurocore compare digits --only '3 bits'\n"
        "sc-neurocore compare net.npz --data test.npz --liberty cells.lib",
    )
    _network(command)
    _data(command)
    command.add_argument(
        "--liberty",
        type=Path,
        nargs="+",
        default=(),
        metavar="FILE",
        help="cell libraries in the Liberty format, with memory macros if any: area and energy in "
        "their cells instead of an iCE40",
    )
    command.add_argument("--simd", type=int, default=8, help="inputs per clock cycle [8]")
    command.add_argument(
        "--syntheses",
        type=int,
        default=1,
        help="number of variants of the synthesis, placed or not [1]",
    )
    command.add_argument("--only", default="", metavar="TEXT", help="designs whose name contains TEXT")


def _info(commands: Commands) -> None:
    _command(
        commands,
        "info",
        "print what a bug report needs: versions, processor, settings, tools",
        "_info:run_info",
        "sc-neurocore info --json > info.json",
    )


def _sources_option(command: argparse.ArgumentParser, default: list[str]) -> None:
    command.add_argument(
        "--source",
        type=_sources,
        default=default,
        help="sources of the random numbers, separated by commas, from "
        f"{', '.join(SOURCE_NAMES)} [{','.join(default)}]",
    )


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
        if name not in SOURCE_NAMES:
            raise argparse.ArgumentTypeError(
                f"sources must be among {', '.join(SOURCE_NAMES)}, separated by commas, got {name!r}"
            )
    return list(dict.fromkeys(names))
