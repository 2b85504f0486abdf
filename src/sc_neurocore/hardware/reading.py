"""Circuits of designs in Verilog, and of netlists, from elsewhere."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import shorten
from typing import Any

from sc_neurocore import _checks
from sc_neurocore.circuits import Circuit, feedback
from sc_neurocore.hardware.cells import Bit, Cells, Register
from sc_neurocore.hardware.logic import ordered
from sc_neurocore.hardware.netlist import Netlist
from sc_neurocore.hardware.tools import check_identifier, quoted, yosys
from sc_neurocore.operators import isolate
from sc_neurocore.streams import stack

__all__ = ["read_circuit"]


def read_circuit(
    module: Mapping[str, Any] | str | os.PathLike[str],
    top: str | None = None,
    *,
    nets: Sequence[str] = (),
) -> Circuit:
    """Return the circuit of a design in Verilog or of a netlist, one time step per clock cycle.

    Predictions, checks of correlation and simulations then apply to a design from elsewhere.

    Parameters
    ----------
    module : path or mapping
        Verilog file, or SystemVerilog if it ends in .sv, which Yosys synthesizes (extra: hdl), or a
        module in the JSON format of Yosys, of gates or iCE40, ECP5 or Xilinx cells, without memories.
        All registers have one clock. In a file, asynchronous resets act at its edge, and memories
        become registers. Unknown bits are 0.
    top : str, optional
        Name of the module in a file, by default that of the file without its ending.
    nets : sequence of str
        Wires and registers within the module that become outputs of the circuit as well; those of an
        instance u are named "u.x".

    Returns
    -------
    Circuit
        Inputs and outputs are those of the module, except the clock. Ports of several bits have the
        shape (bits,), lowest bit first.

    Raises
    ------
    TypeError
        If `module` is neither a path nor such a module.
    ValueError
        If the netlist has unknown cells, memories, several clocks, combinational loops, ports in both
        directions, or no inputs but the clock, or one of `nets` is unknown or a port.
    FileNotFoundError
        If the file does not exist.
    MissingToolError
        If Yosys is missing.
    ToolFailedError
        If Yosys cannot synthesize the file.

    Examples
    --------
    >>> from sc_neurocore.hardware import read_circuit
    >>> gate = {"type": "$_AND_", "connections": {"A": [2], "B": [3], "Y": [4]}}
    >>> ports = {"a": ("input", 2), "b": ("input", 3), "z": ("output", 4)}
    >>> module = {
    ...     "ports": {n: {"direction": d, "bits": [bit]} for n, (d, bit) in ports.items()},
    ...     "netnames": {},
    ...     "cells": {"gate": gate},
    ... }
    >>> read_circuit(module)
    Circuit(a, b -> z)
    """
    if isinstance(nets, str):
        _checks.wrong_type("nets", "be a sequence of names", nets, f"pass [{nets!r}]")
    if isinstance(module, str | os.PathLike):
        module = _synthesized(Path(module), top, whole=bool(nets))
    elif top is not None:
        _checks.fail("top", "be omitted for a module that is not in a file", top)
    if not isinstance(module, Mapping) or {"ports", "cells", "netnames"} - set(module):
        _checks.wrong_type("module", "be a module in the JSON format of Yosys", module)
    netlist = Netlist(module)
    cells = Cells.of(module)
    if cells.memories:
        _checks.fail("the netlist", "have no memories", len(cells.memories))
    registers = cells.registers
    clock = _clock(module)
    inputs = {name: bits for name, bits in netlist.inputs.items() if bits != [clock]}
    outputs = {**netlist.outputs, **_inner(module, nets)}
    if not inputs:
        _checks.fail("the netlist", "have an input besides the clock", "none")

    def evaluate(given: Mapping[Any, Any], zero: Any) -> dict[Any, Any]:
        values: dict[Any, Any] = {"0": zero, "1": ~zero, "x": zero, "z": zero, **given}
        gates: Mapping[Any, tuple[int, list[Bit]]] = cells.gates
        for net in ordered(gates, lambda net: gates[net][1], values):
            table, bits = gates[net]
            values[net] = _table(table, [values[bit] for bit in bits], zero)
        return values

    def function(**streams: Any) -> dict[str, Any]:
        given = {
            bit: streams[name] if len(bits) == 1 else streams[name][i]
            for name, bits in inputs.items()
            for i, bit in enumerate(bits)
        }
        any_input = next(iter(given.values()))
        zero = any_input & ~any_input
        given[clock] = zero  # the inverter of a falling clock
        if registers:

            def step(*held: Any) -> Any:
                now = dict(zip(registers, held, strict=True))
                values = evaluate({**given, **now}, zero)
                after = tuple(_next(register, now[q], values) for q, register in registers.items())
                return after

            starts = [register.start for register in registers.values()]
            after = feedback(step, initial=starts)
            given |= {
                q: ~isolate(~d, 1) if register.start else isolate(d, 1)
                for (q, register), d in zip(registers.items(), after, strict=True)
            }
        values = evaluate(given, zero)
        return {name: _joined([values[bit] for bit in bits]) for name, bits in outputs.items()}

    shapes = {name: (len(bits),) if len(bits) > 1 else () for name, bits in inputs.items()}
    return Circuit._of_function(function, shapes)


# Cells that pass on a clock, and their pins.
_CLOCK_BUFFERS = {
    "$_NOT_": ("A", "Y"),
    "$_BUF_": ("A", "Y"),
    "IBUF": ("I", "O"),
    "BUFG": ("I", "O"),
    "INV": ("I", "O"),
    "SB_GB": ("USER_SIGNAL_TO_GLOBAL_BUFFER", "GLOBAL_BUFFER_OUTPUT"),
}


def _clock(module: Mapping[str, Any]) -> Bit | None:
    """Return the input that is the clock of all registers, or None if there are no registers."""
    before: dict[Bit, Bit] = {}
    clocks: set[tuple[Bit, bool]] = set()
    for cell in module["cells"].values():
        kind, pins = cell["type"], cell["connections"]
        if kind in _CLOCK_BUFFERS:
            first, last = _CLOCK_BUFFERS[kind]
            before[pins[last][0]] = pins[first][0]
        elif {"C", "D", "Q"} <= set(pins):
            clocks.add((pins["C"][0], kind.startswith("SB_DFFN")))
        elif kind == "TRELLIS_FF":
            clocks.add((pins["CLK"][0], cell.get("parameters", {}).get("CLKMUX") == "INV"))
    if len(clocks) > 1:
        _checks.fail("the netlist", "have one clock", len(clocks))
    for net, _ in clocks:
        while net in before:
            net = before[net]
        if not any([net] == port["bits"] for port in module["ports"].values()):
            _checks.fail("the clock", "be an input of the module", f"net {net}")
        return net
    return None


def _inner(module: Mapping[str, Any], nets: Sequence[str]) -> dict[str, list[Bit]]:
    """Return the bits of nets by name, lowest first."""
    named = {name: net["bits"] for name, net in module["netnames"].items() if name[0] not in "$\\"}
    for name in nets:
        if name in module["ports"]:
            _checks.fail("nets", "be no ports", repr(name))
        if name not in named:
            known = ", ".join(sorted(set(named) - set(module["ports"]))) or "there are none"
            within = shorten(known, 400, placeholder=" ...")
            _checks.fail("nets", f"be within the module: {within}", repr(name))
    return {name: named[name] for name in nets}


def _synthesized(path: Path, top: str | None, *, whole: bool) -> Mapping[str, Any]:
    """Return the netlist of a Verilog file, with all nets that have names if it must be whole."""
    with path.open("rb"):
        pass
    name = path.stem if top is None else top
    check_identifier("top", name)
    keep = "setattr -set keep 1 w:* w:$* %d"  # names with $ are those that Yosys gave
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "netlist.json"
        yosys(
            [
                f"read_verilog {'-sv ' * (path.suffix == '.sv')}-defer {quoted([path])}",
                *([f"hierarchy -top {name}; proc; flatten; {keep}"] if whole else []),
                f"synth -flatten -noabc -top {name}",
                "select -assert-none t:$_DLATCH* t:$_SR_* t:$_ALDFF*",
                "async2sync; simplemap; dfflegalize -cell $_DFF_P_ 0; opt_clean",
                f"abc -g AND,XOR,MUX; opt_clean; write_json {quoted([made])}",
            ],
            folder,
        )
        module: Mapping[str, Any] = json.loads(made.read_text(encoding="utf-8"))["modules"][name]
    return module


def _joined(nets: list[Any]) -> Any:
    return nets[0] if len(nets) == 1 else stack(nets)


def _next(register: Register, q: Any, values: Mapping[Any, Any]) -> Any:
    """Return the next value of a register."""

    def is_constant(bit: Bit, value: str) -> bool:
        return bit == value

    d = values[register.d]
    force, clear = values[register.set], values[register.reset]
    if register.within:
        d = d if is_constant(register.reset, "0") else d & ~clear
        d = d if is_constant(register.set, "0") else d | force
    if not is_constant(register.enable, "1"):
        enable = values[register.enable]
        d = enable & d | ~enable & q
    if not register.within:
        d = d if is_constant(register.reset, "0") else d & ~clear
        d = d if is_constant(register.set, "0") else d | force
    return d


def _table(table: int, bits: Sequence[Any], zero: Any) -> Any:
    """Return the function of a truth table: bit i is the value if the bits form the number i."""
    n = 1 << len(bits)
    table &= (1 << n) - 1
    if table == 0:
        return zero
    if table == (1 << n) - 1:
        return ~zero
    *others, last = bits
    half = n // 2
    low, high = table & ((1 << half) - 1), table >> half
    if low == high:
        return _table(low, others, zero)
    everything = (1 << half) - 1
    if low == 0 and high == everything:
        return last
    if low == everything and high == 0:
        return ~last
    if high == low ^ everything:
        return last ^ _table(low, others, zero)
    if low == 0:
        return last & _table(high, others, zero)
    if high == 0:
        return ~last & _table(low, others, zero)
    if low == everything:
        return ~last | _table(high, others, zero)
    if high == everything:
        return last | _table(low, others, zero)
    return last & _table(high, others, zero) | ~last & _table(low, others, zero)
