"""Cells of a netlist (iCE40, ECP5, Xilinx or gates) as truth tables, registers and memories."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sc_neurocore.hardware.liberty import Library
from sc_neurocore.hardware.logic import Logic

__all__ = ["Cells", "Memory", "Port", "Register"]

Bit = int | str  # a net, or "0", "1", "x"
CLOCKS = ("clk",)

# Input pins, output pin, and truth table: bit i is the output if the inputs form the number i.
_GATES = {
    "$_BUF_": ("A", "Y", 0b10),
    "$_NOT_": ("A", "Y", 0b01),
    "$_AND_": ("A B", "Y", 0b1000),
    "$_NAND_": ("A B", "Y", 0b0111),
    "$_OR_": ("A B", "Y", 0b1110),
    "$_NOR_": ("A B", "Y", 0b0001),
    "$_XOR_": ("A B", "Y", 0b0110),
    "$_XNOR_": ("A B", "Y", 0b1001),
    "$_ANDNOT_": ("A B", "Y", 0b0010),
    "$_ORNOT_": ("A B", "Y", 0b1011),
    "$_MUX_": ("A B S", "Y", 0b11001010),
    "SB_CARRY": ("I0 I1 CI", "CO", 0b11101000),
    "INV": ("I", "O", 0b01),
    "IBUF": ("I", "O", 0b10),
    "OBUF": ("I", "O", 0b10),
    "BUFG": ("I", "O", 0b10),
    "MUXF7": ("I0 I1 S", "O", 0b11001010),
    "MUXF8": ("I0 I1 S", "O", 0b11001010),
    "PFUMX": ("ALUT BLUT C0", "Z", 0b10101100),
    "L6MUX21": ("D0 D1 SD", "Z", 0b11001010),
}
_XOR, _MUX, _AND = _GATES["$_XOR_"][2], _GATES["$_MUX_"][2], _GATES["$_AND_"][2]
_SUM, _CARRY = 0b10010110, _GATES["SB_CARRY"][2]  # of three bits


@dataclass
class Cells:
    """Cells of a netlist by kind.

    Attributes
    ----------
    gates : dict
        Truth table and inputs of each gate, by the net that it drives. Gates are evaluated within a
        clock cycle.
    registers : dict
        Register of each net that one drives. Registers change at the end of a clock cycle.
    memories : list of Memory
    count : int
        Number of cells.
    """

    gates: dict[int, tuple[int, list[Bit]]] = field(default_factory=dict)
    registers: dict[int, Register] = field(default_factory=dict)
    memories: list[Memory] = field(default_factory=list)
    count: int = 0

    @classmethod
    def of(cls, module: Mapping[str, Any], library: Library | None = None) -> Cells:
        """Return the cells of a module in the JSON format of Yosys.

        Parameters
        ----------
        module : mapping
        library : Library, optional
            Cell library of a netlist that is mapped to one.

        Raises
        ------
        ValueError
            If the module has cells of another kind.
        """
        starts = {
            bit: int(value == "1")
            for name in module["netnames"].values()
            if "init" in name["attributes"]
            for bit, value in zip(name["bits"], reversed(str(name["attributes"]["init"])), strict=False)
        }
        cells = cls()
        for name in CLOCKS:  # clock buffers drive only registers
            for net in module["ports"].get(name, {"bits": []})["bits"]:
                cells.gates[net] = (0, [])
        for cell in module["cells"].values():
            if cell["type"] != "$scopeinfo":
                _add(cells, cell, starts, library)
                cells.count += 1
        return cells

    def driven(self) -> set[int]:
        """Return the nets that gates, registers and memories drive."""
        read = {net for m in self.memories if m.immediate for port in m.reads for net in port.nets}
        return {*self.gates, *self.registers, *(net for net in read if isinstance(net, int))}


@dataclass
class Register:
    """A register with enable, reset to 0 and set to 1.

    Attributes
    ----------
    d, enable, reset, set : int or str
        Nets of the inputs, or "0" or "1".
    start : int
        Initial value, 0 or 1.
    within : bool
        Whether reset and set act only while enabled.
    """

    d: Bit
    enable: Bit = "1"
    reset: Bit = "0"
    set: Bit = "0"
    start: int = 0
    within: bool = False

    def after(self, q: int, logic: Logic, literals: Mapping[Bit, int]) -> int:
        """Return the literal of the next value, given the net that the register drives.

        Logic that depends only on enable, reset and set is shared between registers.
        """
        controls = [literals[bit] for bit in (self.enable, self.reset, self.set)]

        def control(holds: Callable[[int, int, int], int]) -> int:
            table = sum(holds(i & 1, i >> 1 & 1, i >> 2) << i for i in range(8))
            return logic.positive(logic.table(table, controls))

        take = control(lambda e, r, s: e & ~(r | s))
        if self.within:
            keep, force = control(lambda e, r, s: 1 - e), control(lambda e, r, s: e & s)
        else:
            keep, force = control(lambda e, r, s: 1 - (e | r | s)), control(lambda e, r, s: s)
        # q & keep | d & take | force
        table = sum((i & i >> 1 & 1 | i >> 2 & i >> 3 & 1 | i >> 4) << i for i in range(32))
        return logic.table(table, [q, keep, literals[self.d], take, force])


@dataclass
class Port:
    """A read or write port of a memory.

    Attributes
    ----------
    address, nets : list
        Nets of the address and of the data.
    enables : list
        The port is active if all of these are 1.
    keeps : list
        Mask of a write port: bits with 1 are not written.
    parts : int
        Number of words of the port per word of the memory. The upper address bits select the part.
    chooses : list
        Mask of a write port: only bits with 1 are written. Empty: all.
    """

    address: list[Bit]
    nets: list[Bit]
    enables: list[Bit]
    keeps: list[Bit] = field(default_factory=list)
    parts: int = 1
    chooses: list[Bit] = field(default_factory=list)


@dataclass
class Memory:
    """A memory, read at the end of a clock cycle, or within it if `immediate`.

    Attributes
    ----------
    words : list of int
        Initial content.
    width : int
        Bits per word.
    reads, writes : list of Port
    immediate : bool
    """

    words: list[int]
    width: int
    reads: list[Port]
    writes: list[Port]
    immediate: bool = False


def _add(
    cells: Cells, cell: Mapping[str, Any], starts: Mapping[Bit, int], library: Library | None = None
) -> None:
    """Add a cell in the JSON format; `starts` holds the initial values of registers by net."""
    kind, pins = cell["type"], cell["connections"]
    parameters = cell.get("parameters", {})
    if kind == "LUT4" and "Z" in pins:  # Xilinx has a LUT4 as well
        kind = "LUT4_ECP5"

    def pin(name: str, default: Bit = "0") -> Bit:
        bits = pins.get(name) or [default]
        return default if bits[0] in ("x", "z") else bits[0]

    def gate(net: Bit, table: int, *needs: Bit) -> None:
        if isinstance(net, int):
            cells.gates[net] = (table, list(needs))

    if library is not None and kind in library.cells:
        found = library.cells[kind]
        if found.clock:
            output = pins.get(found.output) or []
            net = output[0] if output else -(10**9) - cells.count
            cells.registers[net] = Register(pin(found.data))
            for inverted in pins.get(found.inverse) or []:
                gate(inverted, 0b01, net)
        else:
            gate(pins[found.output][0], found.table, *(pin(name) for name in found.inputs))
    elif kind == "$mem_v2":
        cells.memories.append(_abstract_memory(pins, parameters))
        _add_read_registers(cells)
    elif kind in _GATES:
        inputs, output, table = _GATES[kind]
        gate(pins[output][0], table, *(pins[name][0] for name in inputs.split()))
    elif kind == "SB_LUT4":
        gate(pin("O"), _number(parameters["LUT_INIT"]), *(pin(f"I{k}") for k in range(4)))
    elif kind in ("LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6"):
        gate(pin("O"), _number(parameters["INIT"]), *(pin(f"I{k}") for k in range(int(kind[3]))))
    elif kind == "CARRY4":
        carry = pin("CI") if pin("CI") != "0" else pin("CYINIT")
        for k in range(4):
            gate(pins["O"][k], _XOR, pins["S"][k], carry)
            gate(pins["CO"][k], _MUX, pins["DI"][k], carry, pins["S"][k])
            carry = pins["CO"][k]
    elif kind in ("LUT4_ECP5", "CCU2C", "TRELLIS_FF", "MULT18X18D", "DP16KD", "TRELLIS_DPR16X4"):
        _add_ecp5(cells, kind, pin, pins, parameters)
    elif kind == "$_DFF_P_":
        cells.registers[pins["Q"][0]] = Register(pin("D"), start=starts.get(pins["Q"][0], 0))
    elif kind in ("$_DFF_PP0_", "$_DFF_PP1_"):
        resets = _resets(pin("R"), to_one=kind[8] == "1")
        cells.registers[pins["Q"][0]] = Register(pin("D"), "1", *resets, starts.get(pins["Q"][0], 0))
    elif kind.startswith("SB_DFF"):
        within = kind[-2:] in ("SR", "SS")  # a synchronous reset
        register = Register(pin("D"), pin("E", "1"), pin("R"), pin("S"), within=within)
        cells.registers[pins["Q"][0]] = register
    elif kind in ("FDRE", "FDSE", "FDCE", "FDPE"):
        start = _number(parameters.get("INIT", "0")) & 1
        to_zero, to_one = ("CLR", "PRE") if kind in ("FDCE", "FDPE") else ("R", "S")
        register = Register(pin("D"), pin("CE", "1"), pin(to_zero), pin(to_one), start)
        cells.registers[pins["Q"][0]] = register
    elif kind in ("SRL16E", "SRLC32E"):
        address = pins["A"] if kind == "SRLC32E" else [pin(f"A{k}") for k in range(4)]
        if not all(isinstance(bit, str) for bit in address):
            raise ValueError("netlist must have shift registers of constant length")
        start, bit = _number(parameters.get("INIT", "0")), pin("D")
        for k in range(1 + sum((digit == "1") << j for j, digit in enumerate(address))):
            net = -(3 * 10**9) - len(cells.registers)  # unused net numbers
            cells.registers[net] = Register(bit, pin("CE", "1"), start=start >> k & 1)
            bit = net
        gate(pin("Q"), 0b10, bit)
    elif kind == "SB_RAM40_4K":
        cells.memories.append(_ice40_memory(pins, parameters, pin))
        _add_read_registers(cells)
    elif kind in ("RAMB36E1", "RAMB18E1"):
        cells.memories.append(_xilinx_rom(kind, pins, parameters))
        _add_read_registers(cells)
    elif kind in ("RAM64M", "RAM32M"):
        cells.memories += _xilinx_distributed(kind, pins, parameters, pin("WE"))
    else:
        raise ValueError(f"netlist must consist of iCE40, ECP5 or Xilinx cells, or gates, got {kind}")


def _resets(net: Bit, *, to_one: bool) -> tuple[Bit, Bit]:
    """Return the nets that set a register to 0 and to 1, of which it has one."""
    return ("0", net) if to_one else (net, "0")


def _add_ecp5(
    cells: Cells,
    kind: str,
    pin: Callable[..., Bit],
    pins: Mapping[str, Any],
    parameters: Mapping[str, Any],
) -> None:
    """Add a cell of an ECP5."""

    def gate(table: int, *needs: Bit, net: Bit | None = None) -> Bit:
        # Nets within a cell get unused net numbers.
        net = -(2 * 10**9) - len(cells.gates) if net is None else net
        if isinstance(net, int):
            cells.gates[net] = (table, list(needs))
        return net

    def inverted(bit: Bit) -> Bit:
        return {"0": "1", "1": "0"}[bit] if isinstance(bit, str) else gate(0b01, bit)

    def chosen(name: str, default: Bit) -> Bit:
        how = str(parameters.get(f"{name}MUX", name)).strip()
        if how == "INV":
            return inverted(pin(name))
        return how if how in ("0", "1") else pin(name, default)

    if kind == "LUT4_ECP5":
        gate(_number(parameters["INIT"]), *(pin(name) for name in "ABCD"), net=pin("Z"))
    elif kind == "CCU2C":
        carry = pin("CIN")
        for k in range(2):
            table, injects = _number(parameters[f"INIT{k}"]), parameters[f"INJECT1_{k}"] == "YES"
            a, b, c, d = (pin(f"{name}{k}") for name in "ABCD")
            lut = gate(table, a, b, c, d)
            low = "0" if injects else gate(table & 15, a, b)
            gate(_XOR, lut, "0" if injects else carry, net=pin(f"S{k}"))
            carry = gate(_MUX, low, carry, lut)
        gate(0b10, carry, net=pin("COUT"))
    elif kind == "TRELLIS_FF":
        to_one = parameters.get("REGSET") == "SET"
        resets = _resets(chosen("LSR", "0"), to_one=to_one)
        cells.registers[pins["Q"][0]] = Register(pin("DI"), chosen("CE", "1"), *resets, int(to_one))
    elif kind == "MULT18X18D":
        if any("CLK" in name and value != "NONE" for name, value in parameters.items()):
            raise ValueError("netlist must have multipliers without registers")
        first, second = (
            [pin(f"{name}{k}") for k in range(18)]
            + [pin(f"{name}17") if pin(f"SIGNED{name}") == "1" else "0"] * 18
            for name in "AB"
        )
        for k, bit in enumerate(_product(first, second, gate)):
            gate(0b10, bit, net=pin(f"P{k}"))
    elif kind == "DP16KD":
        cells.memories.append(_ecp5_memory(pin, inverted, parameters))
        _add_read_registers(cells)
    else:
        start = _number(parameters["INITVAL"])
        words = [start >> 4 * k & 15 for k in range(16)]
        read = Port([bit if isinstance(bit, int) else "0" for bit in pins["RAD"]], pins["DO"], [])
        write = Port(pins["WAD"], pins["DI"], [chosen("WRE", "0")])
        cells.memories.append(Memory(words, 4, [read], [write], immediate=True))


def _product(x: Sequence[Bit], y: Sequence[Bit], gate: Callable[..., Bit]) -> list[Bit]:
    """Return the nets of a product modulo ``2**len(x)``, lowest first, from rows of full adders."""
    total: list[Bit] = ["0"] * len(x)
    for k, bit in enumerate(y):
        carry: Bit = "0"
        for j in range(k if bit != "0" else len(x), len(x)):
            now = total[j], gate(_AND, x[j - k], bit), carry
            total[j], carry = gate(_SUM, *now), gate(_CARRY, *now)
    return total


def _ecp5_memory(
    pin: Callable[..., Bit], inverted: Callable[[Bit], Bit], parameters: Mapping[str, Any]
) -> Memory:
    """Return an ECP5 block memory of 18 Kbit."""
    rows = [
        _number(parameters.get(f"INITVAL_{k:02X}", "0")) >> 20 * i & 0x3FFFF
        for k in range(64)
        for i in range(16)
    ]
    widths = {
        name: _number(parameters[f"DATA_WIDTH_{name}"]) for name in "AB" if pin(f"CE{name}") != "0"
    }
    width = max(widths.values())
    modes = {name: str(parameters.get(f"WRITEMODE_{name}", "NORMAL")) for name in widths}
    through = [name for name in widths if pin(f"WE{name}") != "0" and modes[name] == "WRITETHROUGH"]
    if min(widths.values()) < width or through:
        raise ValueError("netlist must have memories with ports of one width that do not write through")
    if width == 36:
        words = [low | high << 18 for low, high in zip(rows[::2], rows[1::2], strict=True)]
    else:
        parts, step = (1, 18) if width == 18 else (2, 9)
        words = [row >> step * k & (1 << step) - 1 for row in rows for k in range(parts)]
        if width < 9:  # eight bits of nine
            words = [word >> k & (1 << width) - 1 for word in words for k in range(0, 8, width)]
    skipped = {1: 0, 2: 1, 4: 2, 9: 3, 18: 4, 36: 5}[width]  # addresses count bits
    reads, writes = [], []
    for name in widths:
        address = [pin(f"AD{name}{k}") for k in range(skipped, 14)]
        # Words of 36 bits are written by port A and read by port B, and use the data of both.
        data = "AB" if width == 36 else name
        nets = {
            way: [pin(f"{way}{port}{k}") for port in data for k in range(min(width, 18))]
            for way in ("DI", "DO")
        }
        enables, writing = [pin(f"CE{name}")], pin(f"WE{name}")
        old = modes[name] == "READBEFOREWRITE"
        if old or writing != "1":
            reads.append(Port(address, nets["DO"], [*enables, *([] if old else [inverted(writing)])]))
        if writing != "0":
            chooses = [pin(f"AD{name}{k // 9}") for k in range(width)] if width >= 18 else []
            writes.append(Port(address, nets["DI"], [*enables, writing], chooses=chooses))
    return Memory(words, width, reads, writes)


def _add_read_registers(cells: Cells) -> None:
    """Add the output registers of the last memory, which hold a word until the next one is read."""
    for port in cells.memories[-1].reads:
        # Unconnected outputs get unused net numbers.
        others = range(-len(cells.registers), -len(cells.registers) - len(port.nets), -1)
        nets = [net if isinstance(net, int) else k for net, k in zip(port.nets, others, strict=True)]
        cells.registers |= {net: Register(net, enable="0") for net in nets}
        port.nets = [*nets]


def _abstract_memory(pins: Mapping[str, Any], parameters: Mapping[str, Any]) -> Memory:
    """Return a memory that is not mapped to a device, read and written at clock edges."""
    width, size = _number(parameters["WIDTH"]), _number(parameters["SIZE"])
    wide = _number(parameters["ABITS"])
    data = str(parameters["INIT"]).replace("x", "0").zfill(width * size)
    words = [
        int(data[len(data) - width * (k + 1) : len(data) - width * k] or "0", 2) for k in range(size)
    ]
    words += [0] * ((1 << wide) - size)  # addresses beyond the memory
    if "0" in str(parameters["RD_CLK_ENABLE"]):
        raise ValueError("netlist must have memories that are read at clock edges")
    reads = [
        Port(
            pins["RD_ADDR"][wide * k : wide * (k + 1)],
            pins["RD_DATA"][width * k : width * (k + 1)],
            [pins["RD_EN"][k]],
        )
        for k in range(_number(parameters["RD_PORTS"]))
    ]
    writes = []
    for k in range(_number(parameters["WR_PORTS"])):
        enables = pins["WR_EN"][width * k : width * (k + 1)]
        same = len(set(enables)) == 1
        writes.append(
            Port(
                pins["WR_ADDR"][wide * k : wide * (k + 1)],
                pins["WR_DATA"][width * k : width * (k + 1)],
                [enables[0]] if same else [],
                chooses=[] if same else enables,
            )
        )
    return Memory(words, width, reads, writes)


def _ice40_memory(
    pins: Mapping[str, Any], parameters: Mapping[str, Any], pin: Callable[..., Bit]
) -> Memory:
    """Return an iCE40 block memory of 4 Kbit."""
    words = []
    for row in range(16):
        value = _number(parameters.get(f"INIT_{row:X}", "0"))
        words += [value >> (16 * k) & 0xFFFF for k in range(16)]
    ports = []
    for data, letter, mode in (("RDATA", "R", "READ_MODE"), ("WDATA", "W", "WRITE_MODE")):
        log = _number(parameters.get(mode, "0"))
        parts = 1 << log
        first = (0, 0, 1, 3)[log]  # position of the first bit of a narrow word among the 16
        nets = [pins[data][k * parts + first] for k in range(16 // parts)]
        enables = [pin(f"{letter}CLKE", "1"), pin(f"{letter}E", "1" if letter == "R" else "0")]
        keeps = pins.get("MASK", []) if letter == "W" and log == 0 else []
        address = pins[f"{letter}ADDR"][: 8 + log]
        ports.append(Port(address, nets, enables, keeps, parts))
    return Memory(words, 16, [ports[0]], [ports[1]] if ports[1].enables[1] != "0" else [])


def _xilinx_distributed(
    kind: str, pins: Mapping[str, Any], parameters: Mapping[str, Any], enable: Bit
) -> Iterator[Memory]:
    """Yield the distributed memories of a RAM64M or RAM32M, one per letter that is read."""
    depth, wide = (64, 1) if kind == "RAM64M" else (32, 2)
    for letter in "ABCD":
        if any(isinstance(net, int) for net in pins.get(f"DO{letter}", [])):
            start = _number(parameters.get(f"INIT_{letter}", "0"))
            words = [start >> (wide * k) & ((1 << wide) - 1) for k in range(depth)]
            read = Port(pins[f"ADDR{letter}"], pins[f"DO{letter}"], [])
            write = Port(pins["ADDRD"], pins[f"DI{letter}"], [enable])
            yield Memory(words, wide, [read], [write], immediate=True)


def _xilinx_rom(kind: str, pins: Mapping[str, Any], parameters: Mapping[str, Any]) -> Memory:
    """Return a read-only block memory, read through port A, or as one wide word through both ports."""
    rows = 128 if kind == "RAMB36E1" else 64
    data = sum(_number(parameters.get(f"INIT_{k:02X}", "0")) << (256 * k) for k in range(rows))
    parity = sum(_number(parameters.get(f"INITP_{k:02X}", "0")) << (256 * k) for k in range(rows // 8))
    width = _number(parameters["READ_WIDTH_A"])
    if not width:
        raise ValueError("netlist must have Xilinx block memories that are read through port A")
    wide = width // 9 * 8 if width % 9 == 0 else width
    depth = 256 * rows // wide
    address = pins["ADDRARDADDR"]
    # An address counts single bits, whatever the width of a word.
    skipped = wide.bit_length() - 1
    bits = depth.bit_length() - 1
    nets = [*pins["DOADO"], *pins["DOBDO"]][:wide]
    nets += [*pins["DOPADOP"], *pins["DOPBDOP"]][: width - wide]
    words = [
        data >> (wide * k) & ((1 << wide) - 1)
        | (parity >> ((width - wide) * k) & ((1 << (width - wide)) - 1)) << wide
        for k in range(depth)
    ]
    read = Port(address[skipped : skipped + bits], nets, [pins["ENARDEN"][0]])
    return Memory(words, width, [read], [])


def _number(value: Any) -> int:
    """Return the value of a parameter in the JSON format: a string of binary digits, or an integer."""
    return value if isinstance(value, int) else int(str(value).replace("x", "0"), 2)
