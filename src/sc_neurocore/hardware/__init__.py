"""Verilog of networks, which computes the bits of `simulate`, and its verification (extra: hdl)."""

from sc_neurocore.hardware.boards import Board, BoardBuild, board_verilog, build_board
from sc_neurocore.hardware.cell_area import (
    CellEnergy,
    CellSynthesis,
    cell_energy,
    synthesize_cells,
)
from sc_neurocore.hardware.circuits import (
    CircuitVerification,
    circuit_testbench,
    circuit_verilog,
    verify_circuit,
)
from sc_neurocore.hardware.comparison import (
    Candidate,
    CellCost,
    Cost,
    candidates,
    measure_cell_cost,
    measure_cost,
)
from sc_neurocore.hardware.design import Design, LayerDesign, Sequence
from sc_neurocore.hardware.emit import verilog, verilog_testbench, write
from sc_neurocore.hardware.integers import IntegerDesign, IntegerNetwork, quantized
from sc_neurocore.hardware.interfaces import interface_checks, interface_verilog, vendor_scripts
from sc_neurocore.hardware.learning import (
    LearningDesign,
    LearningRun,
    learning_testbench,
    learning_verilog,
)
from sc_neurocore.hardware.liberty import Library, LibraryCell, Macro
from sc_neurocore.hardware.loading import weight_words
from sc_neurocore.hardware.model import LayerTrace, trace
from sc_neurocore.hardware.netlist import UnobservableError
from sc_neurocore.hardware.reading import read_circuit
from sc_neurocore.hardware.reporting import Quantization, quantization, report
from sc_neurocore.hardware.search import OperatingPoint, cheapest, operating_points, pareto_front
from sc_neurocore.hardware.spiking import SpikingDesign, spiking_design
from sc_neurocore.hardware.synthesis import Energy, Synthesis, energy, energy_of, synthesize
from sc_neurocore.hardware.tools import MissingToolError, ToolFailedError
from sc_neurocore.hardware.verify import (
    Verification,
    run_bench,
    verify_images,
    verify_layer,
    verify_netlist,
)

__all__ = [
    "Board",
    "BoardBuild",
    "Candidate",
    "CellCost",
    "CellEnergy",
    "CellSynthesis",
    "CircuitVerification",
    "Cost",
    "Design",
    "Energy",
    "IntegerDesign",
    "IntegerNetwork",
    "LayerDesign",
    "LayerTrace",
    "LearningDesign",
    "LearningRun",
    "Library",
    "LibraryCell",
    "Macro",
    "MissingToolError",
    "OperatingPoint",
    "Quantization",
    "Sequence",
    "SpikingDesign",
    "Synthesis",
    "ToolFailedError",
    "UnobservableError",
    "Verification",
    "board_verilog",
    "build_board",
    "candidates",
    "cell_energy",
    "cheapest",
    "circuit_testbench",
    "circuit_verilog",
    "energy",
    "energy_of",
    "interface_checks",
    "interface_verilog",
    "learning_testbench",
    "learning_verilog",
    "measure_cell_cost",
    "measure_cost",
    "operating_points",
    "pareto_front",
    "quantization",
    "quantized",
    "read_circuit",
    "report",
    "run_bench",
    "spiking_design",
    "synthesize",
    "synthesize_cells",
    "trace",
    "vendor_scripts",
    "verify_circuit",
    "verify_images",
    "verify_layer",
    "verify_netlist",
    "verilog",
    "verilog_testbench",
    "weight_words",
    "write",
]
