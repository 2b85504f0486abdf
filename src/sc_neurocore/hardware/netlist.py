"""Synthesized netlists, simulated for many stimuli at once or converted to formulas.

The value of a net is a Python integer whose bit k belongs to lane k. Each lane has its own stimulus, so
one AND in Python serves all lanes. The netlist is compiled to one function that computes a clock cycle.
Called with bit vectors of a solver instead of integers, the same function returns the next state as a
formula.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore.hardware.cells import CLOCKS, Bit, Cells, Port
from sc_neurocore.hardware.liberty import Library
from sc_neurocore.hardware.logic import Code, Logic, ordered

__all__ = ["Netlist", "Run", "UnobservableError", "packed_lanes"]


class UnobservableError(ValueError):
    """A netlist lost the names of signals that a comparison needs."""


def packed_lanes(bits: NDArray[Any], axis: int = -1) -> NDArray[np.uint8]:
    """Return bits with the lanes along an axis packed, eight per byte, lowest bit first."""
    return np.packbits(bits, axis=axis, bitorder="little")


class Netlist:
    """A netlist of gates, iCE40, ECP5 or Xilinx cells, simulated for many stimuli (lanes) at once.

    Registers start at 0 unless the netlist specifies an initial value. The address of a memory must be
    the same in all lanes; a word may be read in some of them only.

    Parameters
    ----------
    module : mapping
        Module in the JSON format of Yosys.
    watch : sequence of str
        Names of internal signals to add to the outputs.
    library : Library, optional
        Cell library that the netlist is mapped to.

    Attributes
    ----------
    inputs, outputs : dict of list
        Nets of each port except the clock, least significant bit first.
    names : dict of list
        Nets of each named signal.
    registers : list
        Nets that registers drive.
    cells : int
        Number of cells.

    Raises
    ------
    UnobservableError
        If a watched signal is missing, or some of its bits are undriven.
    ValueError
        If the netlist has unknown cells.
    """

    def __init__(
        self,
        module: Mapping[str, Any],
        *,
        watch: Sequence[str] = (),
        library: Library | None = None,
    ) -> None:
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
        self._cells = Cells.of(module, library)
        driven = {
            "0",
            "1",
            "x",
            "z",
            *self._cells.driven(),
            *(b for bits in self.inputs.values() for b in bits),
        }
        gone = [name for name in watch if not driven.issuperset(self.names.get(name, [None]))]
        if gone:
            raise UnobservableError(
                f"watch must name signals that synthesis kept, got {', '.join(gone)}; pass them to "
                "synthesize as keep"
            )
        ports = module["ports"].items()
        if both := [name for name, port in ports if port["direction"] not in ("input", "output")]:
            raise ValueError(f"the ports of the netlist must be inputs or outputs, got {both[0]}")
        registers = self._cells.registers.values()
        needed = [[r.d, r.set, r.reset, r.enable] for r in registers]
        needed += [bits for _, bits in self._cells.gates.values()] + list(self.outputs.values())
        for bits in needed:
            if not driven.issuperset(bits):
                name = self._name_of(next(bit for bit in bits if bit not in driven))
                raise ValueError(f"the nets of the netlist must have a driver, got {name} without one")
        self.outputs |= {name: self.names[name] for name in watch}
        self.cells = self._cells.count
        self.registers = list(self._cells.registers)
        try:
            self._program = _Program(self._cells, self.inputs, self.outputs)
        except KeyError as error:  # a gate that needs its own output
            name = self._name_of(error.args[0])
            message = f"the netlist must have no combinational loops, got one through {name}"
            raise ValueError(message) from None
        self._step = self._program.compiled(count=False)
        self._counting_step: Callable[..., Any] | None = None

    def _name_of(self, net: Bit) -> str:
        """Return the name of a net, or its number if it has none."""
        named = (name for name, bits in self.names.items() if net in bits)
        return next(named, f"net {net}")

    @classmethod
    def read(
        cls,
        path: str | os.PathLike[str],
        top: str,
        *,
        watch: Sequence[str] = (),
        library: Library | None = None,
    ) -> Netlist:
        """Read the netlist of module `top` from a file of the Yosys command `write_json`."""
        module = json.loads(Path(path).read_text(encoding="utf-8"))["modules"][top]
        return cls(module, watch=watch, library=library)

    def run(self, stimulus: Mapping[str, NDArray[Any]], *, toggles: bool = False) -> Run:
        """Simulate the netlist from its initial state.

        Parameters
        ----------
        stimulus : mapping of str to array_like of bool, shape (clocks, bits, lanes)
            Values of each input. A single lane applies to all lanes.
        toggles : bool
            Count the changes of nets.

        Returns
        -------
        Run
            The outputs of clock cycle t are sampled under the inputs of cycle t, before the clock edge
            that ends it.

        Raises
        ------
        ValueError
            If an input is missing or unknown, or an address differs between lanes.
        """
        arrays = {name: np.asarray(array, bool) for name, array in stimulus.items()}
        lanes = max((array.shape[-1] for array in arrays.values()), default=0)
        packed = {}
        for name, array in arrays.items():
            whole = np.broadcast_to(array, (*array.shape[:-1], lanes))
            packed[name] = packed_lanes(whole)
        return self.run_packed(packed, lanes, toggles=toggles)

    def run_packed(
        self, stimulus: Mapping[str, NDArray[np.uint8]], lanes: int, *, toggles: bool = False
    ) -> Run:
        """Simulate as `run` does, with inputs of shape (clocks, bits, bytes), eight lanes per byte."""
        missing = set(self.inputs) - set(stimulus)
        if missing or set(stimulus) - set(self.inputs):
            raise ValueError(f"stimulus must hold {sorted(self.inputs)}, got {sorted(stimulus)}")
        ones, size = (1 << lanes) - 1, -(-lanes // 8)
        clocks = max((len(array) for array in stimulus.values()), default=0)
        state = [ones * register.start for register in self._cells.registers.values()]
        stores = [
            [[(0, ones)[word >> k & 1] for k in range(m.width)] for word in m.words]
            for m in self._cells.memories
        ]
        step = self._step
        if toggles:
            step = self._counting_step = self._counting_step or self._program.compiled(count=True)
        before: list[int] = [0] * len(self._cells.gates)
        counts: list[int] = [0] * len(before)
        of_registers: list[int] = [0] * len(state)
        accesses = [[0, 0] for _ in self._cells.memories]
        packed = np.empty((clocks, sum(map(len, self.outputs.values())), size), np.uint8)
        for t in range(clocks):
            data = b"".join(stimulus[name][t].tobytes() for name in self.inputs)
            values = [
                int.from_bytes(data[at : at + size], "little") for at in range(0, len(data), size)
            ]
            if toggles:
                last = state
                state, out = step(ones, state, values, stores, _address(ones), before, counts, accesses)
                if t:
                    of_registers = [
                        a + (b ^ c).bit_count()
                        for a, b, c in zip(of_registers, last, state, strict=True)
                    ]
                else:  # nothing has changed yet
                    counts, accesses = [0] * len(counts), [[0, 0] for _ in accesses]
            else:
                state, out = step(ones, state, values, stores, _address(ones))
            row = b"".join([value.to_bytes(size, "little") for value in out])
            packed[t] = np.frombuffer(row, np.uint8).reshape(-1, size)
        ends = np.cumsum([len(bits) for bits in self.outputs.values()])[:-1]
        parts = dict(zip(self.outputs, np.split(packed, ends, axis=1), strict=True))
        nets = dict(zip(self._cells.gates, counts, strict=True))
        seen = tuple((reads, lanes * writes) for reads, writes in accesses)
        if toggles:
            nets |= dict(zip(self._cells.registers, of_registers, strict=True))
        return Run(parts, lanes, sum(counts), seen, nets if toggles else {})

    def next_state(
        self, ones: Any, state: Mapping[Bit, Any], inputs: Mapping[str, Sequence[Any]]
    ) -> tuple[dict[Bit, Any], dict[str, list[Any]]]:
        """Return the registers after a clock cycle and the outputs during it, in an algebra with & | ^.

        The netlist must have no memories.

        Parameters
        ----------
        ones
            The value 1 of the algebra.
        state : mapping
            Value of each net in `registers`.
        inputs : mapping of str to sequence
            Values of each input, least significant bit first.
        """
        values = [value for name in self.inputs for value in inputs[name]]
        after, out = self._step(ones, [state[q] for q in self.registers], values, [], None)
        flat = iter(out)
        outputs = {name: [next(flat) for _ in bits] for name, bits in self.outputs.items()}
        return dict(zip(self.registers, after, strict=True)), outputs


@dataclass(frozen=True, eq=False)
class Run:
    """Result of simulating a netlist.

    Attributes
    ----------
    packed : dict of ndarray of uint8, shape (clocks, bits, bytes)
        Outputs by name, eight lanes per byte.
    lanes : int
    toggles : int
        Number of changes of nets driven by gates, summed over all lanes; 0 if not counted.
    of_memories : tuple of (int, int)
        Numbers of words read from and written to each memory after the first clock cycle, summed over
        all lanes; 0 if not counted.
    nets : dict of int
        Number of changes of each net driven by a gate or a register, summed over all lanes; empty if
        not counted.
    """

    packed: dict[str, NDArray[np.uint8]]
    lanes: int
    toggles: int
    of_memories: tuple[tuple[int, int], ...] = ()
    nets: dict[int, int] = field(default_factory=dict)

    @property
    def accesses(self) -> int:
        """Number of words read from and written to memories."""
        return sum(map(sum, self.of_memories))

    @property
    def lane_clocks(self) -> int:
        """Number of clock cycles with counts, which are all but the first, summed over all lanes."""
        return self.lanes * (max((len(part) for part in self.packed.values()), default=1) - 1)

    @property
    def outputs(self) -> dict[str, NDArray[np.uint8]]:
        """All outputs by name, each of shape (clocks, bits, lanes)."""
        return {name: self.at(slice(None), name) for name in self.packed}

    def at(self, clocks: slice | NDArray[Any], name: str) -> NDArray[np.uint8]:
        """Return an output at the given clock cycles, shape (clocks, bits, lanes)."""
        return np.unpackbits(self.packed[name][clocks], axis=-1, count=self.lanes, bitorder="little")

    def part(self, first: int, lanes: int) -> Run:
        """Return up to `lanes` lanes, starting at lane `first`, a multiple of 8."""
        lanes = min(lanes, self.lanes - first)
        within = slice(first // 8, -(-(first + lanes) // 8))
        return Run({name: bits[..., within] for name, bits in self.packed.items()}, lanes, 0)


class _Program:
    """Generator of the Python function that computes one clock cycle of a netlist."""

    def __init__(
        self, cells: Cells, inputs: Mapping[str, list[Bit]], outputs: Mapping[str, list[Bit]]
    ) -> None:
        self._cells = cells
        self._inputs = [bit for bits in inputs.values() for bit in bits]
        self._outputs = [bit for bits in outputs.values() for bit in bits]
        self._logic = logic = Logic()
        immediate = [(m, memory) for m, memory in enumerate(cells.memories) if memory.immediate]
        # Nets that are read within the clock cycle: memory, port, and index of the net in the port.
        self._reads = {
            net: (m, port, k)
            for m, memory in immediate
            for port in memory.reads
            for k, net in enumerate(port.nets)
        }
        literals: dict[Bit, int] = {"0": 0, "1": 1, "x": 0, "z": 0}
        literals |= {net: logic.leaf() for net in (*cells.registers, *self._inputs, *self._reads)}
        gates: Mapping[Any, tuple[int, list[Bit]]] = cells.gates
        for net in ordered(gates, lambda net: gates[net][1], literals):
            table, bits = gates[net]
            literals[net] = logic.table(table, [literals[bit] for bit in bits])
        self._after = [
            logic.node(register.after(literals[q], logic, literals))
            for q, register in cells.registers.items()
        ]
        self._nodes = {bit: logic.node(literal) for bit, literal in literals.items()}

    def compiled(self, *, count: bool) -> Callable[..., Any]:
        """Return the function; it returns the next state and the outputs.

        If `count`, it also adds the toggles of gates and the accesses to memories to lists.
        """
        cells, nodes = self._cells, self._nodes
        self._wheres: dict[tuple[Bit, ...], str] = {}
        roots = [*self._after, *(nodes[bit] for bit in self._needed(count=count))]
        given = [*cells.registers, *self._inputs]
        late = {
            nodes[net]: (
                [nodes[bit] for bit in port.address],
                lambda code, m=m, port=port, k=k: (
                    f"stores[{m}][{self._where(code, port.address)}][{k}]"
                ),
            )
            for net, (m, port, k) in self._reads.items()
        }
        code = Code(self._logic, {nodes[net]: f"n{nodes[net]}" for net in given}, late, roots)
        code.lines.append(f" after = [{', '.join(code.texts[node] for node in self._after)}]")
        self._write_memories(code, count=count)
        returned = f"after, {self._list(code, self._outputs)}"
        if count:
            for i, net in enumerate(cells.gates):
                name = self._name(code, net)
                code.lines.append(
                    f" counts[{i}] += ({name} ^ before[{i}]).bit_count(); before[{i}] = {name}"
                )
        text = [
            f"def step(M, state, inputs, stores, address{', before, counts, accesses' * count}):",
            f" {self._list(code, [*cells.registers])} = state",
            f" {self._list(code, self._inputs)} = inputs",
            *code.lines,
            f" return {returned}",
        ]
        space: dict[str, Any] = {}
        exec(compile("\n".join(text), "<netlist>", "exec"), space)
        return space["step"]  # type: ignore[no-any-return]

    def _needed(self, *, count: bool) -> list[Bit]:
        """Return the nets that outputs, memories and the count of toggles need."""
        bits = [*self._outputs, *(self._cells.gates if count else ())]
        for memory in self._cells.memories:
            for port in memory.reads:
                bits += [*port.address, *port.enables]
            for port in memory.writes:
                bits += [*port.address, *port.enables, *port.nets, *port.keeps, *port.chooses]
        return bits

    def _name(self, code: Code, bit: Bit) -> str:
        """Return the text of a net."""
        return code.texts[self._nodes[bit]]

    def _list(self, code: Code, bits: Sequence[Bit]) -> str:
        """Return the text of a list of nets."""
        return f"[{', '.join(self._name(code, bit) for bit in bits)}]"

    def _where(self, code: Code, bits: Sequence[Bit]) -> str:
        """Return the name of the number that the nets form, which is the same in all lanes."""
        key = tuple(bits)
        if key not in self._wheres:
            self._wheres[key] = f"w{len(self._wheres)}"
            used = max((k + 1 for k, bit in enumerate(bits) if self._nodes[bit]), default=0)
            code.lines.append(f" {self._wheres[key]} = address({self._list(code, bits[:used])})")
        return self._wheres[key]

    def _write_memories(self, code: Code, *, count: bool) -> None:
        """Write the accesses to memories at the end of a clock cycle: all reads, then all writes."""
        at: dict[Bit, int] = {net: i for i, net in enumerate(self._cells.registers)}
        for m, memory in enumerate(self._cells.memories):
            for port in () if memory.immediate else memory.reads:
                word, part = self._place(code, m, port)
                first = at[port.nets[0]]
                held = f"after[{first}:{first + len(port.nets)}]"
                enables = " & ".join(self._name(code, bit) for bit in port.enables) or "M"
                code.lines += [f" on = {enables}", " if on:"]
                code.lines += [f"  accesses[{m}][0] += on.bit_count()"] * count
                code.lines.append(
                    f"  {held} = {word}{part} if on == M else "
                    f"[old ^ (on & (old ^ new)) for old, new in zip({held}, {word}{part})]"
                )
        for m, memory in enumerate(self._cells.memories):
            for port in memory.writes:
                word, part = self._place(code, m, port)
                new = [self._name(code, bit) for bit in port.nets]
                keeps = [self._name(code, bit) for bit in port.keeps or "0" * len(new)]
                self._guard(code, port)
                code.lines += [f"  accesses[{m}][1] += 1"] * (count and not memory.immediate)
                if port.chooses:
                    code.lines.append(f"  old = {word}{part}")
                    new = [
                        f"old[{i}]^({self._name(code, m)}&({d}^old[{i}]))"
                        for i, (d, m) in enumerate(zip(new, port.chooses, strict=True))
                    ]
                elif any(keep != "0" for keep in keeps):
                    code.lines.append(f"  old = {word}{part}")
                    new = [
                        f"{d}^({k}&({d}^old[{i}]))"
                        for i, (d, k) in enumerate(zip(new, keeps, strict=True))
                    ]
                code.lines.append(f"  {word}{part or '[:]'} = [{', '.join(new)}]")

    def _place(self, code: Code, m: int, port: Port) -> tuple[str, str]:
        """Return the text of the memory word that a port addresses, and of the slice for the port."""
        where, depth = self._where(code, port.address), len(self._cells.memories[m].words)
        if port.parts == 1:
            return f"stores[{m}][{where}]", ""
        return f"stores[{m}][{where} % {depth}]", f"[{where} // {depth}::{port.parts}]"

    def _guard(self, code: Code, port: Port) -> None:
        """Write the condition under which a port is active."""
        enables = [bit for bit in port.enables if bit != "1"]
        all_on = (1 << len(enables)) - 1
        condition = f"{self._where(code, enables)} == {all_on}" if enables else "True"
        code.lines.append(f" if {condition}:")


def _address(ones: int) -> Callable[[Sequence[int]], int]:
    """Return a function from address bits, each with all lanes in an integer, to the address."""

    def address(bits: Sequence[int]) -> int:
        where = 0
        for k, bit in enumerate(bits):
            if bit == ones:
                where |= 1 << k
            elif bit != 0:
                raise ValueError("an address of a memory must be the same in all lanes")
        return where

    return address
