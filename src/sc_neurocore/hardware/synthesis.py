"""Synthesis: cells, memories, clock rate and energy of a design."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal, get_args

from numpy.typing import ArrayLike

from sc_neurocore import _checks
from sc_neurocore._files import replacing
from sc_neurocore.hardware import tools
from sc_neurocore.hardware.design import Design
from sc_neurocore.hardware.netlist import Netlist, Run

__all__ = ["Energy", "Synthesis", "energy", "energy_of", "synthesize"]

Target = Literal["ice40", "ecp5", "xilinx", "generic"]
TARGETS: tuple[Target, ...] = get_args(Target)
# Seeds of the placements; the reported clock rate is their median.
SEEDS = (1, 2, 3)

# Devices that netlists are placed on: name, options of nextpnr, and what its log calls logic cells.
_DEVICES = {
    "ice40": ("iCE40 HX8K", "--hx8k --package ct256 --pcf-allow-unconstrained", "ICESTORM_LC"),
    "ecp5": (
        "ECP5 LFE5U-45F",
        "--45k --package CABGA381 --speed 6 --lpf-allow-unconstrained",
        "TRELLIS_COMB",
    ),
}
_SCRIPTS = {
    "ice40": "synth_ice40 {dff}-top {top} -json {out}",
    "ecp5": "synth_ecp5 -top {top} -json {out}",
    "xilinx": "synth_xilinx -family xc7 -flatten -nodsp -top {top} -json {out}",
    "generic": "synth -flatten -noabc -top {top}; dfflegalize -cell $_DFF_P_ 0 -cell $_DFF_PP?_ 0; "
    "opt_clean; "
    "abc -g AND,XOR,MUX; opt_clean; write_json {out}",
}


@dataclass(frozen=True)
class Synthesis:
    """Resources of a synthesized design.

    Attributes
    ----------
    target : {"ice40", "ecp5", "xilinx", "generic"}
    cells : dict of int
        Number of cells by type.
    path : Path
        File of the netlist, in JSON.
    logic_cells : int or None
        Number of logic cells after nextpnr packed LUTs and registers (iCE40 HX8K, package CT256), or of
        LUTs, carries and distributed memories (ECP5 LFE5U-45F, speed grade 6). None if the design was
        not placed.
    mhz : float or None
        Median clock rate of the nextpnr placements with `SEEDS`, in MHz. None if the design was not
        placed, does not fit, or has no path between two registers.
    rates : tuple of float
        Clock rates of all placements, in MHz.
    """

    target: Target
    cells: dict[str, int]
    path: Path
    logic_cells: int | None = None
    mhz: float | None = None
    rates: tuple[float, ...] = ()

    @property
    def luts(self) -> int:
        """Number of look-up tables, or of gates for the generic target."""
        if self.target == "generic":
            return sum(n for kind, n in self.cells.items() if not re.search("DFF|mem", kind))
        return sum(n for kind, n in self.cells.items() if "LUT" in kind)

    @property
    def flip_flops(self) -> int:
        """Number of registers."""
        others = ("FDRE", "FDSE", "FDCE", "FDPE", "TRELLIS_FF")
        return sum(n for kind, n in self.cells.items() if "DFF" in kind or kind in others)

    @property
    def memories(self) -> dict[str, int]:
        """Number of block and distributed memories by type."""
        parts = ("RAM", "$mem", "DP16KD", "TRELLIS_DPR")
        return {kind: n for kind, n in self.cells.items() if any(part in kind for part in parts)}

    @property
    def device(self) -> str:
        """Name of the device that netlists of the target are placed on, or ""."""
        return _DEVICES[self.target][0] if self.target in _DEVICES else ""


def synthesize(
    files: Sequence[str | os.PathLike[str]],
    top: str,
    target: Target,
    folder: str | os.PathLike[str],
    *,
    place: bool = True,
    across_registers: bool = True,
    keep: Sequence[str] = (),
    variant: int = 0,
) -> Synthesis:
    """Synthesize a module with Yosys, and place it with nextpnr for iCE40 or ECP5.

    The netlist is written to ``<top>_<target>.json`` in the folder.

    Parameters
    ----------
    files : sequence of paths
        Verilog files.
    top : str
        Name of the module.
    target : {"ice40", "ecp5", "xilinx", "generic"}
        Xilinx means series 7, without DSP multipliers.
    folder : path
        Folder of the memory files, to which the netlist is written.
    place : bool
        Place and route for iCE40 or ECP5 if nextpnr is installed.
    across_registers : bool
        Optimize iCE40 netlists across registers, which start at 0. This makes small designs about a
        third smaller, but takes minutes for unrolled layers of a thousand synapses or more.
    keep : sequence of str
        Signals of the module that stay observable in the netlist. Without it, synthesis merges equal
        registers and drops the names of all but one.
    variant : int
        An iCE40 netlist has clock enables only if 1 + `variant` registers share them, and each one has
        placements of its own: the spread over variants is that of the heuristics of the tools.

    Raises
    ------
    MissingToolError
        If Yosys is missing.
    ToolFailedError
        If Yosys or nextpnr ends with an error.
    ValueError
        If the target is unknown, `top` or a kept signal is not an identifier, or a path contains
        quotes, backslashes or control characters.
    """
    _checks.choice("target", target, TARGETS)
    out = Path(folder).resolve() / f"{top}_{target}.json"
    _checks.integer("variant", variant, 0, 2**16)
    for name, value in (("top", top), *(("keep", signal) for signal in keep)):
        tools.check_identifier(name, value)
    read = f"read_verilog -defer {tools.quoted(files)}"
    with tempfile.TemporaryDirectory() as folder_of_netlist, replacing(out) as file:
        made = Path(folder_of_netlist) / "netlist.json"
        script = _SCRIPTS[target].format(
            top=top,
            out=tools.quoted([made]),
            dff=("-dff " if across_registers else "")
            + (f"-dffe_min_ce_use {1 + variant} " if variant else ""),
        )
        kept = [f"setattr -set keep 1 {top}/w:{signal}" for signal in keep]
        tools.yosys([read, *([f"hierarchy -top {top}"] if kept else []), *kept, script], folder)
        file.write(made.read_bytes())
    module = json.loads(out.read_text(encoding="utf-8"))["modules"][top]
    cells = Counter(cell["type"] for cell in module["cells"].values())
    del cells["$scopeinfo"]
    logic_cells: int | None = None
    rates: tuple[float, ...] = ()
    if place and target in _DEVICES and tools.has_nextpnr(target):
        logic_cells, rates = _placed(target, out, folder, variant)
    mhz = median(rates) if rates else None
    return Synthesis(target, dict(sorted(cells.items())), out, logic_cells, mhz, rates)


def _placed(
    target: Target, netlist: Path, folder: str | os.PathLike[str], variant: int
) -> tuple[int | None, tuple[float, ...]]:
    """Return the logic cells, and the clock rates in MHz, none if the design has no clock rate."""
    _, options, kind = _DEVICES[target]
    clocks: list[float] = []
    cells: list[str] = []
    for placement in (len(SEEDS) * variant + n for n in SEEDS):
        try:
            log = tools.nextpnr(
                target,
                f"{options} --json {netlist.name} --seed {placement} --freq 100 "
                "--timing-allow-fail".split(),
                folder,
            )
        except tools.ToolFailedError as error:
            cells = re.findall(rf"{kind}:\s*(\d+)/", str(error))
            if not cells:
                raise
            return int(cells[-1]), ()
        cells = re.findall(rf"{kind}:\s*(\d+)/", log)
        # A design without a path between two registers has no clock rate.
        clocks += map(float, re.findall(r"Max frequency for clock[^:]*: ([\d.]+) MHz", log)[-1:])
    return int(cells[-1]), tuple(clocks)


@dataclass(frozen=True)
class Energy:
    """Energy per clock cycle of an iCE40 in pJ, by part, with its range.

    ======  ==============================  ======  ================================================
    part    middle                          range   source
    ======  ==============================  ======  ================================================
    clock   52 pJ per clock cycle           52, 76  UP5K, measured (tinyvision-ai-inc/ice40_power);
                                                    upper end: scaled from its 5,280 logic cells to the
                                                    7,680 of an HX8K, of which no measurement is known
    logic   0.2 pJ per toggle               14 to   the same; the range is per logic cell and clock
                                            198 fJ  cycle, from counters to a multiplier with glitches
    memory  2.5 pJ per access of 16 bits    1, 5    not measured on the device: 10 pJ per 64 bits of an
                                                    8 KB memory in 45 nm (M. Horowitz, ISSCC 2014)
    static  1,368 uW                                HX8K, 1.14 mA at 1.2 V (Lattice DS1040, typical)
    ======  ==============================  ======  ================================================

    All of these change with device, layout and voltage, so the result is an order of magnitude. The
    clock tree, the logic and the memories take the same energy per clock cycle at any clock rate; the
    energy of the static power is inversely proportional to it.

    Attributes
    ----------
    toggles : float
        Toggles per clock cycle of the nets that gates drive, without glitches.
    low, middle, high : float
        Energy per clock cycle in pJ: clock tree, logic and memories.
    clock, logic, memory : float
        The parts of `middle`.
    accesses : float
        Words read from and written to block memories per clock cycle.
    static_microwatt : float
        Static power in uW.
    """

    toggles: float
    low: float
    middle: float
    high: float
    clock: float = 52.0
    static_microwatt: float = 1368.0
    logic: float = 0.0
    memory: float = 0.0
    accesses: float = 0.0

    def static(self, mhz: float) -> float:
        """Return the energy of the static power per clock cycle, in pJ."""
        return self.static_microwatt / mhz


def energy_of(design: Design, made: Synthesis, images: ArrayLike, *, clocks: int = 2000) -> Energy:
    """Estimate the mean energy per clock cycle of a synthesized design.

    Parameters
    ----------
    design : Design
    made : Synthesis
    images : array_like, shape (n, n_in) or (n_in,)
        Densities in [0, 1].
    clocks : int
        Maximum number of clock cycles per image, at least 1. Toggles are counted from the first value
        of an image until this limit or its class.
    """
    clocks = 1 + min(_checks.integer("clocks", clocks, 1), design.clocks)
    stimulus = design.stimulus(images, clocks)
    run = Netlist.read(made.path, design.name).run(stimulus, toggles=True)
    return energy(run, made.logic_cells or made.luts)


def energy(run: Run, cells: int) -> Energy:
    """Estimate the energy per clock cycle of a netlist from its cells and a run with toggles."""
    toggles, accesses = run.toggles / run.lane_clocks, run.accesses / run.lane_clocks
    clock, logic = Energy.clock, 0.2 * toggles
    memory = [size * accesses for size in (1.0, 2.5, 5.0)]
    return Energy(
        toggles,
        clock + min(0.014 * cells, logic) + memory[0],
        clock + logic + memory[1],
        clock * 7680 / 5280 + max(0.198 * cells, logic) + memory[2],
        logic=logic,
        memory=memory[1],
        accesses=accesses,
    )
