"""Hardware of networks: Verilog that computes the bits of `simulate` (extra: hdl)."""

from sc_neurocore.hardware.design import Design, LayerDesign, Sequence
from sc_neurocore.hardware.emit import testbench, verilog, write

__all__ = ["Design", "LayerDesign", "Sequence", "testbench", "verilog", "write"]
