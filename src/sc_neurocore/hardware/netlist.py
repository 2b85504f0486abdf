"""Synthesised netlists, simulated for many stimuli at once, or turned into formulas.

A net is a Python integer whose bit k belongs to lane k, a stimulus of its own: one AND of Python
serves all lanes. The netlist is compiled into one function of one clock. With bit vectors of a solver
in place of integers the same function gives the next state as a formula.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore.hardware._logic import Statements, Tree, tree_of

Bit = int | str  # a net, or "0", "1", "x"
CLOCKS = ("clk",)

# Inputs and truth tables: bit i is the output where input k has bit k of i.
_GATES = {
    "$_BUF_": ("A", 0b10),
    "$_NOT_": ("A", 0b01),
    "$_AND_": ("A B", 0b1000),
    "$_NAND_": ("A B", 0b0111),
    "$_OR_": ("A B", 0b1110),
    "$_NOR_": ("A B", 0b0001),
    "$_XOR_": ("A B", 0b0110),
    "$_XNOR_": ("A B", 0b1001),
    "$_ANDNOT_": ("A B", 0b0010),
    "$_ORNOT_": ("A B", 0b1011),
    "$_MUX_": ("A B S", 0b1100_1010),
    "SB_CARRY": ("I0 I1 CI", 0b1110_1000),
    "INV": ("I", 0b01),
    "IBUF": ("I", 0b10),
    "OBUF": ("I", 0b10),
    "BUFG": ("I", 0b10),
    "MUXF7": ("I0 I1 S", 0b1100_1010),
    "MUXF8": ("I0 I1 S", 0b1100_1010),
}
_OUTPUT = {"SB_CARRY": "CO", **dict.fromkeys(("INV", "IBUF", "OBUF", "BUFG", "MUXF7", "MUXF8"), "O")}


@dataclass
class _Cells:
    """What of a netlist is computed within a clock, and what at its end."""

    # net -> truth table, its inputs
    gates: dict[int, tuple[int, list[Bit]]] = field(default_factory=dict)
    # net -> truth table of its next value, its inputs; value at the start
    registers: dict[int, tuple[int, list[Bit], int]] = field(default_factory=dict)
    memories: list[_Memory] = field(default_factory=list)


@dataclass
class _Port:
    """A port of a memory: words of `nets` at an address, if enabled (all of `enables`)."""

    address: list[Bit]
    nets: list[Bit]
    enables: list[Bit]
    keeps: list[Bit] = field(default_factory=list)  # ones where a bit is not written
    parts: int = 1  # words of the port in a word of the memory; the address's upper bits choose


@dataclass
class _Memory:
    """Words of bits, read at the end of a clock, or within it if `immediate`."""

    words: list[int]
    width: int
    reads: list[_Port]
    writes: list[_Port]
    immediate: bool = False


class Netlist:
    """A netlist of gates, of iCE40 cells or of Xilinx cells, as Yosys writes it in JSON.

    Registers start at 0, unless the netlist says otherwise. A memory has one address for all lanes:
    what its address bits are must not depend on the stimulus.

    Attributes
    ----------
    inputs, outputs : dict of list
        Nets of the ports but the clock, least significant first.
    names : dict of list
        Nets of all names that the netlist kept.
    cells : int
        How many cells are simulated.
    """

    def __init__(self, module: Mapping[str, Any]) -> None:
        self.inputs = {
            name: port["bits"]
            for name, port in module["ports"].items()
            if port["direction"] == "input" and name not in CLOCKS
        }
        self.outputs = {
            name: port["bits"]
            for name, port in module["ports"].items()
            if port["direction"] == "output"
        }
        self.names: dict[str, list[Bit]] = {k: v["bits"] for k, v in module["netnames"].items()}
        starts = {
            bit: int(value == "1")
            for said in module["netnames"].values()
            if "init" in said["attributes"]
            for bit, value in zip(said["bits"], reversed(str(said["attributes"]["init"])), strict=False)
        }
        self._cells = _Cells()
        for name in CLOCKS:  # buffers of a clock lead to registers alone
            for net in module["ports"].get(name, {"bits": []})["bits"]:
                self._cells.gates[net] = (0, [])
        counted = 0
        for cell in module["cells"].values():
            if cell["type"] != "$scopeinfo":
                _add(self._cells, cell, starts)
                counted += 1
        self.cells = counted
        self.registers = list(self._cells.registers)
        self._order = self._sorted()
        self._step = self._compiled(count=False)
        self._counting_step: Callable[..., Any] | None = None

    @classmethod
    def read(cls, path: str | os.PathLike[str], top: str) -> Netlist:
        """Return the netlist of a module in a file of `write_json`."""
        return cls(json.loads(Path(path).read_text(encoding="utf-8"))["modules"][top])

    def run(self, stimulus: Mapping[str, NDArray[Any]], *, toggles: bool = False) -> Run:
        """Return the outputs under inputs of shape (clocks, bits, lanes), from the start.

        An output of clock t is what it is before the edge that ends it, under the inputs of t.
        """
        missing = set(self.inputs) - set(stimulus)
        if missing or set(stimulus) - set(self.inputs):
            raise ValueError(f"stimulus must hold {sorted(self.inputs)}, got {sorted(stimulus)}")
        arrays = [np.asarray(stimulus[name], bool) for name in self.inputs]
        clocks, _, lanes = arrays[0].shape if arrays else (0, 0, 0)
        ones, size = (1 << lanes) - 1, -(-lanes // 8)
        packed = [np.packbits(array, axis=-1, bitorder="little") for array in arrays]
        state = [ones * start for *_, start in self._cells.registers.values()]
        stores = [
            [[ones * (word >> k & 1) for k in range(m.width)] for word in m.words]
            for m in self._cells.memories
        ]
        changed = 0
        step = self._step
        if toggles:
            step = self._counting_step = self._counting_step or self._compiled(count=True)
        before: list[int] = [0] * len(self._order)
        address = _address(ones)
        results = []
        for t in range(clocks):
            values = [
                int.from_bytes(array[t, k].tobytes(), "little")
                for array in packed
                for k in range(array.shape[1])
            ]
            if toggles:
                state, out, n = step(ones, state, values, stores, address, before)
                changed += n if t else 0
            else:
                state, out = step(ones, state, values, stores, address)
            results += [value.to_bytes(size, "little") for value in out]
        bits = np.frombuffer(b"".join(results), np.uint8).reshape(clocks, -1, size)
        ends = np.cumsum([len(nets) for nets in self.outputs.values()])
        return Run(
            dict(zip(self.outputs, np.split(bits, ends[:-1], axis=1), strict=True)),
            lanes,
            changed,
            clocks * lanes,
        )

    def next_state(
        self, ones: Any, state: Mapping[Bit, Any], inputs: Mapping[str, Sequence[Any]]
    ) -> tuple[dict[Bit, Any], dict[str, list[Any]]]:
        """Return registers after a clock and outputs before its end, in any algebra with & | ^.

        Of a netlist without memories. `ones` is its value of all ones; state holds a value for each of
        `registers`.
        """
        values = [value for name in self.inputs for value in inputs[name]]
        after, out = self._step(ones, [state[q] for q in self.registers], values, [], None)
        flat = iter(out)
        outputs = {name: [next(flat) for _ in bits] for name, bits in self.outputs.items()}
        return dict(zip(self.registers, after, strict=True)), outputs

    def _sorted(self) -> list[int]:
        """Return the nets of gates, each after those that it needs."""
        order: list[int] = []
        done: set[Bit] = set()
        gates = self._cells.gates
        immediate = {
            net: [*port.address]
            for memory in self._cells.memories
            if memory.immediate
            for port in memory.reads
            for net in port.nets
        }
        for first in [*gates, *immediate]:
            stack: list[tuple[Any, bool]] = [(first, False)]
            while stack:
                net, seen = stack.pop()
                if seen:
                    order.append(net)
                elif net not in done and (net in gates or net in immediate):
                    done.add(net)
                    stack.append((net, True))
                    needs = gates[net][1] if net in gates else immediate[net]
                    stack += [(bit, False) for bit in needs if bit not in done]
        return order

    def _compiled(self, *, count: bool) -> Callable[..., Any]:
        """Return the function of one clock: (M, state, inputs, stores, address) -> state, outputs."""
        cells = self._cells
        names = [*(f"n{q}" for q in self.registers)]
        inputs = [f"n{b}" for bits in self.inputs.values() for b in bits]
        lines = ["def step(M, state, inputs, stores, address" + (", before):" if count else "):")]
        lines += [f" [{', '.join(names)}] = state", f" [{', '.join(inputs)}] = inputs"]
        reads = {
            net: (m, port, k)
            for m, memory in enumerate(cells.memories)
            if memory.immediate
            for port in memory.reads
            for k, net in enumerate(port.nets)
        }
        gates = {net: _tree(*gate) for net, gate in cells.gates.items()}
        after = [_tree(table, needs) for table, needs, _ in cells.registers.values()]
        made = Statements([*gates.values(), *after])
        for net in self._order:
            if net in gates:
                made.assign(f"n{net}", gates[net])
            else:
                m, port, k = reads[net]
                made.lines.append(f"n{net} = stores[{m}][address({_list(port.address)})][{k}]")
        made.lines.append(f"after = [{', '.join([made.text(tree) for tree in after])}]")
        lines += [f" {line}" for line in made.lines]
        lines += _read_and_write(cells.memories, self.registers)
        outputs = ", ".join(_name(b) for bits in self.outputs.values() for b in bits)
        if count:
            lines.append(" n = 0")
            for i, net in enumerate(self._order):
                lines.append(f" n += (n{net} ^ before[{i}]).bit_count(); before[{i}] = n{net}")
            lines.append(f" return after, [{outputs}], n")
        else:
            lines.append(f" return after, [{outputs}]")
        space: dict[str, Any] = {}
        exec(compile("\n".join(lines), "<netlist>", "exec"), space)
        return space["step"]  # type: ignore[no-any-return]


@dataclass(frozen=True, eq=False)
class Run:
    """What a netlist did.

    Attributes
    ----------
    packed : dict of ndarray of uint8, shape (clocks, bits, lanes / 8)
        Outputs, eight lanes a byte, the first in the lowest bit.
    lanes : int
    toggles : int
        Changes of nets of gates from one clock to the next, over all lanes; 0 if not counted.
    lane_clocks : int
        Clocks times lanes.
    """

    packed: dict[str, NDArray[np.uint8]]
    lanes: int
    toggles: int
    lane_clocks: int

    @cached_property
    def outputs(self) -> dict[str, NDArray[np.uint8]]:
        """Outputs of shape (clocks, bits, lanes)."""
        return {
            name: np.unpackbits(bits, axis=-1, count=self.lanes, bitorder="little")
            for name, bits in self.packed.items()
        }


def _read_and_write(memories: Sequence[_Memory], registers: Sequence[Bit]) -> Iterator[str]:
    """Yield what memories do at the end of a clock: they read what was there before, then write."""
    at = {net: i for i, net in enumerate(registers)}
    for m, memory in enumerate(memories):
        for port in () if memory.immediate else memory.reads:
            yield from _guarded(
                port,
                [
                    f"word = stores[{m}][where % {len(memory.words)}]",
                    f"part = where // {len(memory.words)}",
                    *(
                        f"after[{at[net]}] = word[{k * port.parts} + part]"
                        for k, net in enumerate(port.nets)
                        if net in at
                    ),
                ],
            )
    for m, memory in enumerate(memories):
        for port in memory.writes:
            lines = [
                f"word = list(stores[{m}][where % {len(memory.words)}])",
                f"part = where // {len(memory.words)}",
            ]
            for k, net in enumerate(port.nets):
                place = f"word[{k * port.parts} + part]"
                keep = _name(port.keeps[k]) if port.keeps else "0"
                lines.append(f"{place} = {_name(net)} ^ ({keep} & ({_name(net)} ^ {place}))")
            lines.append(f"stores[{m}][where % {len(memory.words)}] = word")
            yield from _guarded(port, lines)


def _guarded(port: _Port, lines: Sequence[str]) -> Iterator[str]:
    enables = [bit for bit in port.enables if bit != "1"]
    yield f" if address({_list(enables)}) == {(1 << len(enables)) - 1}:"
    yield f"  where = address({_list(port.address)})"
    yield from (f"  {line}" for line in lines)


def _address(ones: int) -> Callable[[Sequence[int]], int]:
    def address(bits: Sequence[int]) -> int:
        where = 0
        for k, bit in enumerate(bits):
            if bit == ones:
                where |= 1 << k
            elif bit != 0:
                raise ValueError("an address of a memory must be the same in all lanes")
        return where

    return address


def _name(bit: Bit) -> str:
    return {"0": "0", "1": "M", "x": "0", "z": "0"}[bit] if isinstance(bit, str) else f"n{bit}"


def _list(bits: Sequence[Bit]) -> str:
    return f"[{', '.join(map(_name, bits))}]"


def _tree(table: int, inputs: Sequence[Bit]) -> Tree:
    constants = {"0": False, "1": True, "x": False, "z": False}
    return tree_of(table, [constants[b] if isinstance(b, str) else f"n{b}" for b in inputs])


def _add(cells: _Cells, cell: Mapping[str, Any], starts: Mapping[Bit, int]) -> None:
    kind, pins = cell["type"], cell["connections"]
    parameters = cell.get("parameters", {})

    def pin(name: str, default: Bit = "0") -> Bit:
        bits = pins.get(name) or [default]
        return default if bits[0] in ("x", "z") else bits[0]

    def gate(net: Bit, table: int, needs: Sequence[Bit]) -> None:
        if isinstance(net, int):
            cells.gates[net] = (table, list(needs))

    if kind in _GATES:
        names, table = _GATES[kind]
        gate(pins[_OUTPUT.get(kind, "Y")][0], table, [pins[name][0] for name in names.split()])
    elif kind == "SB_LUT4":
        gate(pin("O"), _number(parameters["LUT_INIT"]), [pin(f"I{k}") for k in range(4)])
    elif kind in ("LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6"):
        gate(pin("O"), _number(parameters["INIT"]), [pin(f"I{k}") for k in range(int(kind[3]))])
    elif kind == "CARRY4":
        carry = pin("CI") if pin("CI") != "0" else pin("CYINIT")
        for k in range(4):
            s, d = pins["S"][k], pins["DI"][k]
            gate(pins["O"][k], 0b0110, [s, carry])
            gate(pins["CO"][k], 0b1100_1010, [d, carry, s])
            carry = pins["CO"][k]
    elif kind == "$_DFF_P_":
        cells.registers[pins["Q"][0]] = (0b10, [pin("D")], starts.get(pins["Q"][0], 0))
    elif kind.startswith("SB_DFF"):
        _add_register(cells, pins["Q"][0], pin("D"), pin("E", "1"), pin("R"), pin("S"), 0, within=True)
    elif kind in ("FDRE", "FDSE"):
        start = _number(parameters.get("INIT", "0")) & 1 if "INIT" in parameters else 0
        reset, set_ = pin("R"), pin("S")
        _add_register(cells, pins["Q"][0], pin("D"), pin("CE", "1"), reset, set_, start, within=False)
    elif kind == "SB_RAM40_4K":
        cells.memories.append(_ice40_memory(pins, parameters, pin))
        _add_read_registers(cells)
    elif kind in ("RAMB36E1", "RAMB18E1"):
        cells.memories.append(_xilinx_rom(kind, pins, parameters))
        _add_read_registers(cells)
    elif kind in ("RAM64M", "RAM32M"):
        depth, wide = (64, 1) if kind == "RAM64M" else (32, 2)
        for letter in "ABCD":
            if any(isinstance(net, int) for net in pins.get(f"DO{letter}", [])):
                start = _number(parameters.get(f"INIT_{letter}", "0"))
                words = [start >> (wide * k) & ((1 << wide) - 1) for k in range(depth)]
                read = _Port(pins[f"ADDR{letter}"], pins[f"DO{letter}"], [])
                write = _Port(pins["ADDRD"], pins[f"DI{letter}"], [pin("WE")])
                cells.memories.append(_Memory(words, wide, [read], [write], immediate=True))
    else:
        raise ValueError(f"netlist must consist of cells of iCE40, Xilinx or gates, got {kind}")


def _add_register(
    cells: _Cells, q: int, d: Bit, enable: Bit, reset: Bit, set_: Bit, start: int, *, within: bool
) -> None:
    """Add one with a reset to 0 or to 1 that waits for the enable, or does not."""
    cells.registers[q] = (_REGISTERS[within], [q, d, enable, reset, set_], start)


def _register(within: bool) -> int:
    """Return the truth table of the next value of a register: over itself, d, enable, reset, set."""
    table = 0
    for i in range(32):
        q, d, enable, reset, set_ = (bool(i >> k & 1) for k in range(5))
        if enable:
            q = d
        if enable or not within:
            q = (q and not reset) or set_
        table |= q << i
    return table


_REGISTERS = {within: _register(within) for within in (False, True)}


def _add_read_registers(cells: _Cells) -> None:
    """Add the registers of the last memory: what it read; they hold until it reads again."""
    for port in cells.memories[-1].reads:
        for net in port.nets:
            if isinstance(net, int):
                cells.registers[net] = (0b10, [net], 0)


def _ice40_memory(
    pins: Mapping[str, Any], parameters: Mapping[str, Any], pin: Callable[..., Bit]
) -> _Memory:
    words = []
    for row in range(16):
        value = _number(parameters.get(f"INIT_{row:X}", "0"))
        words += [value >> (16 * k) & 0xFFFF for k in range(16)]
    ports = []
    for data, letter, mode in (("RDATA", "R", "READ_MODE"), ("WDATA", "W", "WRITE_MODE")):
        log = _number(parameters.get(mode, "0"))
        parts = 1 << log
        first = (0, 0, 1, 3)[log]  # where the bits of a narrow word are among the sixteen
        nets = [pins[data][k * parts + first] for k in range(16 // parts)]
        enables = [pin(f"{letter}CLKE", "1"), pin(f"{letter}E", "1" if letter == "R" else "0")]
        keeps = pins.get("MASK", []) if letter == "W" and log == 0 else []
        address = pins[f"{letter}ADDR"][: 8 + log]
        ports.append(_Port(address, nets, enables, keeps, parts))
    return _Memory(words, 16, [ports[0]], [ports[1]] if ports[1].enables[1] != "0" else [])


def _xilinx_rom(kind: str, pins: Mapping[str, Any], parameters: Mapping[str, Any]) -> _Memory:
    """Return a block memory that is read alone: through port A, or in one word through both."""
    rows = 128 if kind == "RAMB36E1" else 64
    data = sum(_number(parameters.get(f"INIT_{k:02X}", "0")) << (256 * k) for k in range(rows))
    parity = sum(_number(parameters.get(f"INITP_{k:02X}", "0")) << (256 * k) for k in range(rows // 8))
    width = _number(parameters["READ_WIDTH_A"])
    wide = width // 9 * 8 if width % 9 == 0 else width
    depth = 256 * rows // wide
    address = pins["ADDRARDADDR"]
    # The lower bits of an address number single bits, whatever the width.
    skipped = wide.bit_length() - 1
    bits = depth.bit_length() - 1
    nets = [*pins["DOADO"], *pins["DOBDO"]][:wide]
    nets += [*pins["DOPADOP"], *pins["DOPBDOP"]][: width - wide]
    words = [
        data >> (wide * k) & ((1 << wide) - 1)
        | (parity >> ((width - wide) * k) & ((1 << (width - wide)) - 1)) << wide
        for k in range(depth)
    ]
    read = _Port(address[skipped : skipped + bits], nets, [pins["ENARDEN"][0]])
    return _Memory(words, width, [read], [])


def _number(value: Any) -> int:
    """Return a parameter of the JSON format: a string of binary digits, or an integer."""
    return value if isinstance(value, int) else int(str(value).replace("x", "0"), 2)
