"""Hardware of networks: Verilog that computes the bits of `simulate` (extra: hdl)."""

from sc_neurocore.hardware.design import Design, LayerDesign, Sequence
from sc_neurocore.hardware.emit import verilog, verilog_testbench, write
from sc_neurocore.hardware.trace import LayerTrace, trace

__all__ = [
    "Design",
    "LayerDesign",
    "LayerTrace",
    "Sequence",
    "trace",
    "verilog",
    "verilog_testbench",
    "write",
]
