"""Ports of a design: AXI4-Stream and AXI4-Lite wrappers, and files that verify and compile them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args

from sc_neurocore import _checks
from sc_neurocore.hardware import _registers as _map
from sc_neurocore.hardware.design import Design
from sc_neurocore.hardware.emit import bits_for, library_text, rendered, with_reset

__all__ = ["interface_checks", "interface_verilog", "vendor_scripts"]

Interface = Literal["axi-stream", "axi-lite", "axi"]
SUFFIXES: dict[Interface, str] = {"axi-stream": "axis", "axi-lite": "axil", "axi": "axi"}


def interface_verilog(design: Design, interface: Interface = "axi-stream") -> dict[str, str]:
    """Return a wrapper with standard ports around a design as text, by file name.

    The module `NAME_axis` has the ports of two AXI4-Stream interfaces (ARM IHI 0051A). A frame of
    `s_axis` is an image, one value per beat in the low bits of `tdata`, with `tlast` in the last one.
    A frame of `m_axis` is a class, in one beat. A frame with fewer or more values than an image is
    dropped, `frame_error` is 1 for one clock cycle, and the next frame is read as usual.

    The module `NAME_axil` has an AXI4-Lite port (ARM IHI 0022), `s_axi`, with registers of 32 bits, and
    an interrupt `irq`. The values of an image are written to the register INPUT, and the
    class is read from CLASS. If the weights of the design can be loaded, they have a window of
    addresses: a row (address, data) of `weight_words` is written to offset ``WEIGHTS + 4 * address``.
    Accesses that have no effect are answered by SLVERR. `NAME_axil.h` has the registers for programs in
    C, and functions that use them.

    The module `NAME_axi` has both: frames of `s_axis` are the images, and all else is done by the
    registers. INPUT refuses values, and a class is read from CLASS alone.

    `aresetn` is synchronous, may be low at any time, and nothing is accepted while it is low.

    Parameters
    ----------
    design : Design
    interface : {"axi-stream", "axi-lite", "axi"}

    Returns
    -------
    dict of str
        The wrapper and the library module that it uses, to be compiled with the files of `verilog`.

    Raises
    ------
    ValueError
        If the inputs of the design change with time.
    ImportError
        If Jinja2 is missing (extra: hdl).

    Examples
    --------
    >>> from sc_neurocore import load_digits
    >>> from sc_neurocore.hardware import Design, interface_verilog
    >>> design = Design(load_digits().network, length=32, name="digits")
    >>> sorted(interface_verilog(design))
    ['digits_axis.v', 'sc_frames.v']
    >>> sorted(interface_verilog(design, "axi-lite"))
    ['digits_axil.h', 'digits_axil.v', 'sc_axil.v']
    """
    _checks.choice("interface", interface, get_args(Interface))
    check_inputs(design)
    values = _values(design, interface)
    top, text = values["top"], {}
    if interface == "axi-stream":
        text[f"{top}.v"] = rendered("axis.v", values)
    else:
        text |= {f"{top}.{kind}": rendered(f"axil.{kind}", values) for kind in ("v", "h")}
        text["sc_axil.v"] = library_text("sc_axil.v")
    if interface != "axi-lite":
        text["sc_frames.v"] = with_reset(design, library_text("sc_frames.v"))
    return text


def interface_checks(
    design: Design, text: Mapping[str, str], interface: Interface | None = None
) -> dict[str, str]:
    """Return files with which users verify the interface of a design, as text by file name.

    - `sc_rules.sv`, `NAME_bind.sv`: the rules of the interface as SystemVerilog assertions, and a
      statement that binds them to the design in a simulation.
    - `NAME_formal.sv`, `NAME.sby`: a bounded proof of the rules by SymbiYosys, for the control of the
      design with shorter images.
    - `NAME.core`: a FuseSoC core file. Its top module is the design, or the wrapper of the interface,
      and its target `sim` runs the testbench of the design.
    - `NAME_axis_tb.v` and `NAME_axis_test.py`, for AXI4-Stream: a Verilog testbench of the wrapper,
      and a cocotb test with random gaps. Both have late reads, frames of a wrong length, and resets,
      and read the vectors of the testbench.
    - `NAME_axil_tb.v` and `NAME_axil_test.py`, for AXI4-Lite: the same, with accesses that are refused,
      and weights that are loaded if the design can; and rules of the bus with their proof,
      `sc_axil_rules.sv`, `NAME_axil_bind.sv`, `sc_axil_formal.sv` and `NAME_axil.sby`.
      For both ports, files have `axi` in place of `axil`, except those of the rules.

    Parameters
    ----------
    design : Design
    text : mapping of str
        The files of the design, of its testbench and, if there is one, of its interface, by name.
    interface : {"axi-stream", "axi-lite", "axi"}, optional
        The interface that was written by `interface_verilog`.

    Raises
    ------
    ValueError
        If the inputs of the design change with time.
    ImportError
        If Jinja2 is missing (extra: hdl).
    """
    check_inputs(design)
    bench = f"{design.name}_tb"
    _checks.instance("text", text, Mapping)
    names, formal = list(text), f"{design.name}_formal.sv"
    values: dict[str, Any] = {
        "design": design,
        "files": [name for name in names if name.endswith(".v") and not name.endswith("_tb.v")],
        "top": design.name if interface is None else f"{design.name}_{SUFFIXES[interface]}",
        "memories": [n for n in names if n.endswith(".hex") and not n.startswith(f"{bench}_")],
        "vectors": [n for n in names if n.endswith(".hex") and n.startswith(f"{bench}_")],
        "control": "sc_pipeline" if design.pipelined else "sc_control",
        "values": min(design.n_in, 4),
        "steps": min(design.length, 4),
    }
    made = {
        "sc_rules.sv": library_text("sc_rules.sv"),
        f"{design.name}_bind.sv": rendered("bind.sv", values),
        formal: rendered("formal.sv", values),
        f"{design.name}.sby": _proof(design.name, [f"{values['control']}.v", "sc_rules.sv", formal]),
        f"{design.name}.core": rendered("core", values),
    }
    if interface is None:
        return made
    of_bus = interface != "axi-stream"
    values |= _values(design, interface)
    name, kind = values["top"], "axil" if of_bus else "axis"
    values["n_images"] = len(text[f"{bench}_classes.hex"].split())
    values["n_before"] = values["n_images"] // 2 if design.loadable else values["n_images"]
    if design.loadable:
        values["n_writes"] = len(text[f"{bench}_words.hex"].split())
        values["n_first"] = design.load_port.half()
        values["holes"] = design.load_port.holes()
    if of_bus:
        values["strangers"] = _map.strangers(design)
    made[f"{name}_test.py"] = rendered(f"{kind}_test.py", values)
    made[f"{name}_tb.v"] = rendered(f"{kind}_tb.v", values)
    if of_bus:
        parts = ["sc_axil.v", "sc_axil_rules.sv", "sc_axil_formal.sv"]
        made |= {part: library_text(part) for part in parts[1:]}
        made[f"{name}_bind.sv"] = rendered("axil_bind.sv", values)
        made[f"{name}.sby"] = _proof(name, parts)
    return made


def _proof(name: str, files: list[str]) -> str:
    """Return the SymbiYosys file of the proof of files, of which the last one holds the top module."""
    return rendered("sby", {"name": name, "files": files})


def _values(design: Design, interface: Interface) -> dict[str, Any]:
    """Return what the templates of a wrapper need; ports of a stream are whole bytes."""
    offsets, bits = _map.offsets(), design.fixed_point.bits
    in_bits = 8 * -(-bits // 8)
    data, saturated = "s_axis_tdata", "s_axis_tdata"
    if in_bits > bits:
        over = f"{data}[{in_bits - 1}:{bits}] != {in_bits - bits}'d0"
        saturated = f"{over} ? {{{bits}{{1'b1}}}} : {data}[{bits - 1}:0]"
    return {
        "design": design,
        "top": f"{design.name}_{SUFFIXES[interface]}",
        "suffix": SUFFIXES[interface],
        "stream": interface == "axi",
        "in_bits": in_bits,
        "out_bits": 8 * -(-bits_for(design.n_out) // 8),
        "saturated": saturated,
        "spike_bits": design.length.bit_length(),
        "NAME": design.name.upper(),
        "address_bits": _map.address_bits(design),
        "block_bits": _map.block_bits(design),
        "class_bits": bits_for(design.n_out),
        "constants": _map.constants(design),
        "registers": _map.REGISTERS,
        "offsets": offsets,
        "numbers": {name: offset // 4 for name, offset in offsets.items()},
        "port": design.load_port if design.loadable else None,
    }


def vendor_scripts(
    design: Design, names: Iterable[str], interface: Interface | None = None
) -> dict[str, str]:
    """Return scripts that compile a design with Vivado and Quartus as text, by file name.

    - `NAME_vivado.tcl` synthesizes, places and routes without a project, out of context.
    - `NAME_quartus.tcl` makes a project with virtual pins and compiles it.
    - `NAME.sdc` is the constraint of both, a clock of 100 MHz.

    The heads of the scripts show how to run them, with another device for example. They have not been
    run with these tools; a test interprets them with commands that record their arguments.

    Parameters
    ----------
    design : Design
    names : iterable of str
        Names of the files of the design, and of its interface if there is one.
    interface : {"axi-stream", "axi-lite", "axi"}, optional
        The interface that was written by `interface_verilog`, whose wrapper is then compiled.

    Raises
    ------
    ImportError
        If Jinja2 is missing (extra: hdl).

    Examples
    --------
    >>> from sc_neurocore import load_digits
    >>> from sc_neurocore.hardware import Design, vendor_scripts, verilog
    >>> design = Design(load_digits().network, length=8, name="digits")
    >>> scripts = vendor_scripts(design, verilog(design))
    >>> print(scripts["digits.sdc"])
    # Clock of digits: 100 MHz. For Vivado and Quartus.
    create_clock -name clk -period 10.000 [get_ports clk]
    <BLANKLINE>
    """
    name = design.name
    values = {
        "design": design,
        "top": name if interface is None else f"{name}_{SUFFIXES[interface]}",
        "clock": "clk" if interface is None else "aclk",
        "files": [file for file in names if file.endswith(".v") and not file.endswith("_tb.v")],
    }
    return {
        f"{name}_vivado.tcl": rendered("vivado.tcl", values),
        f"{name}_quartus.tcl": rendered("quartus.tcl", values),
        f"{name}.sdc": rendered("sdc", values),
    }


def check_inputs(design: Design) -> None:
    """Raise unless a design reads an image and then computes all its time steps."""
    if design.inputs != "image":
        _checks.fail("design", 'have inputs="image" for an interface', repr(design.inputs))
