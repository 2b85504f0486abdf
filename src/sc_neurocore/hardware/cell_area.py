"""Area and energy of a design in the cells of a library."""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sc_neurocore import _checks
from sc_neurocore._files import replacing
from sc_neurocore.hardware import tools
from sc_neurocore.hardware.liberty import Library, net_loads
from sc_neurocore.hardware.netlist import Run

__all__ = ["CellEnergy", "CellSynthesis", "cell_energy", "synthesize_cells"]

# Memories of fewer bits become flip-flops: the smallest macros are larger.
_LEAST_BITS = 1024


@dataclass(frozen=True)
class CellSynthesis:
    """A netlist of library cells.

    Attributes
    ----------
    cells : dict of int
        Number of cells by type.
    path : Path
        File of the netlist, in JSON.
    area : float
        Area of the cells, in the unit of the library, without wires.
    macro_area : float
        Area of the memory macros; 0 if the library has none.
    memory_bits : int
        Bits of the memories that are not flip-flops.
    leakage : float
        Leakage power of cells and macros in pW.
    """

    cells: dict[str, int]
    path: Path
    area: float
    macro_area: float
    memory_bits: int
    leakage: float


@dataclass(frozen=True)
class CellEnergy:
    """Energy per clock cycle in pJ, from toggles and the power tables of a library.

    Wires have no capacitance and there is no clock tree, as before placement; toggles are counted
    without glitches.

    Attributes
    ----------
    cells : float
        Transitions of outputs, with the input pins that they drive.
    clock : float
        Clock pins of flip-flops.
    memory : float
        Accesses to memory macros.
    leakage_microwatt : float
        Static power in uW.
    """

    cells: float
    clock: float
    memory: float
    leakage_microwatt: float

    @property
    def total(self) -> float:
        """Energy per clock cycle without leakage, in pJ."""
        return self.cells + self.clock + self.memory


def synthesize_cells(
    files: Sequence[str | os.PathLike[str]],
    top: str,
    library: Library,
    folder: str | os.PathLike[str],
) -> CellSynthesis:
    """Synthesize a module to the cells of a library with Yosys.

    Memories of at least 1,024 bits are not mapped: they are the macros of least area that hold them.
    The netlist is written to ``<top>_cells.json`` in the folder.

    Parameters
    ----------
    files : sequence of paths
        Verilog files.
    top : str
        Name of the module.
    library : Library
    folder : path
        Folder of the memory files, to which the netlist is written.

    Raises
    ------
    ValueError
        If the module has asynchronous resets.
    MissingToolError
        If Yosys is missing.
    ToolFailedError
        If Yosys ends with an error.
    """
    tools.check_identifier("top", top)
    out = Path(folder).resolve() / f"{top}_cells.json"
    with tempfile.TemporaryDirectory() as place, replacing(out) as file:
        libs = []
        for k, text in enumerate(library.texts):
            libs.append(Path(place) / f"cells{k}.lib")
            libs[-1].write_text(text, encoding="utf-8")
        made = Path(place) / "netlist.json"
        given = " ".join(f"-liberty {tools.quoted([lib])}" for lib in libs)
        half = Path(place) / "half.il"
        tools.yosys(
            [
                f"read_verilog -defer {tools.quoted(files)}",
                f"synth -flatten -top {top} -run begin:fine",
                "opt -fast -full",
                f"write_json {tools.quoted([made])}",
                f"write_rtlil {tools.quoted([half])}",
            ],
            folder,
        )
        module = json.loads(made.read_text(encoding="utf-8"))["modules"][top]
        if any(cell["type"].startswith(("$adff", "$_DFF_PP")) for cell in module["cells"].values()):
            remedy = "the cells that are used have no resets; write the design with a synchronous one"
            _checks.fail("files", "have no asynchronous resets", top, remedy)
        small = {m[:2] for m in _memories(module) if m[0] * m[1] < _LEAST_BITS or not library.macros}
        script = [
            f"read_rtlil {tools.quoted([half])}",
            *(f"memory_map t:$mem_v2 r:SIZE={n} %i r:WIDTH={w} %i" for n, w in sorted(small)),
            "setattr -unset init w:*",
            "opt -undriven -fine",
            "techmap",
            "opt -fast",
            "dfflegalize -cell $_DFF_P_ x",
            "opt -fast",
            f"dfflibmap {given}",
            f"abc {given}",
            "opt_clean -purge",
            f"write_json {tools.quoted([made])}",
        ]
        tools.yosys(script, folder)
        file.write(made.read_bytes())
    module = json.loads(out.read_text(encoding="utf-8"))["modules"][top]
    cells = Counter(cell["type"] for cell in module["cells"].values())
    del cells["$scopeinfo"]
    area = sum(n * library.cells[kind].area for kind, n in cells.items() if kind in library.cells)
    leakage = sum(n * library.cells[kind].leakage for kind, n in cells.items() if kind in library.cells)
    macro_area, bits = 0.0, 0
    for depth, width, _ in _memories(module):
        bits += depth * width
        if (choice := library.macro_for(depth, width)) is not None:
            macro, banks, columns = choice
            macro_area += macro.area * banks * columns
            leakage += macro.leakage * banks * columns
    return CellSynthesis(dict(sorted(cells.items())), out, area, macro_area, bits, leakage)


def _memories(module: dict[str, object]) -> list[tuple[int, int, int]]:
    """Return depth, width and the number of write ports of each memory."""
    found = []
    for cell in module["cells"].values():  # type: ignore[attr-defined]
        if cell["type"] == "$mem_v2":
            size, width, ports = (
                int(str(cell["parameters"][name]), 2) for name in ("SIZE", "WIDTH", "WR_PORTS")
            )
            found.append((size, width, ports))
    return found


def cell_energy(run: Run, made: CellSynthesis, top: str, library: Library) -> CellEnergy:
    """Return the energy per clock cycle of a netlist of library cells, from a run with toggles.

    The energy of a transition is that of the power table of the cell at the load of its net, and
    ``C * V**2 / 2`` for the load. An access of a memory activates one bank of all its columns.

    Parameters
    ----------
    run : Run
        Run with ``toggles=True`` of the netlist of `made`.
    made : CellSynthesis
    top : str
    library : Library
    """
    module = json.loads(made.path.read_text(encoding="utf-8"))["modules"][top]
    loads, clocks = net_loads(module["cells"], library), run.lane_clocks
    switched = clocking = 0.0
    for cell in module["cells"].values():
        found = library.cells.get(cell["type"])
        if found is None:
            continue
        clocking += found.clocking
        for name in filter(None, (found.output, found.inverse)):
            for net in cell["connections"].get(name, []):
                load = loads.get(net, 0.0)
                each = found.transition(load) + 0.5 * load * library.voltage**2
                switched += run.nets.get(net, 0) * each
    memory = 0.0
    for (depth, width, _), (reads, writes) in zip(_memories(module), run.of_memories, strict=True):
        if (choice := library.macro_for(depth, width)) is not None:
            macro, _, columns = choice
            memory += columns * (macro.read * reads + macro.write * writes)
    return CellEnergy(switched / clocks, clocking, memory / clocks, made.leakage * 1e-6)
