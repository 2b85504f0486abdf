"""Hardware of networks: Verilog that computes the bits of `simulate` (extra: hdl)."""

from sc_neurocore.hardware.design import Design, LayerDesign, Sequence
from sc_neurocore.hardware.emit import testbench, verilog, write
from sc_neurocore.hardware.trace import LayerTrace, trace

__all__ = [
    "Design",
    "LayerDesign",
    "LayerTrace",
    "Sequence",
    "testbench",
    "trace",
    "verilog",
    "write",
]
