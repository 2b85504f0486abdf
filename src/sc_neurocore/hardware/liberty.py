"""Cell libraries in the Liberty format: areas, functions, energies of cells and memory macros."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sc_neurocore import _checks

__all__ = ["Library", "LibraryCell", "Macro"]

# Input transition at which power tables are read, in the unit of the library (ns in most).
_SLEW = 0.1
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}();:,]|[^\s{}();:,"]+')


@dataclass
class _Group:
    """A group: its name, arguments, attributes and groups inside."""

    name: str
    arguments: list[str]
    attributes: dict[str, str] = field(default_factory=dict)
    lists: dict[str, list[list[str]]] = field(default_factory=dict)
    groups: list[_Group] = field(default_factory=list)

    def all(self, name: str) -> Iterator[_Group]:
        """Return the groups with a name."""
        return (group for group in self.groups if group.name == name)

    def number(self, name: str, default: float = 0.0) -> float:
        """Return an attribute as a number."""
        return float(self.attributes.get(name, default))


def _parsed(text: str) -> _Group:
    """Return the tree of a file."""
    text = re.sub(r"/\*.*?\*/|\\\n", " ", text, flags=re.DOTALL)
    tokens = [t.strip('"') if t[0] == '"' else t for t in _TOKEN.findall(text)]
    top = _Group("file", [])
    stack, i, n = [top], 0, len(tokens)
    while i < n:
        token = tokens[i]
        if token == "}":
            stack.pop()
            i += 1
        elif token == ";":
            i += 1
        elif i + 1 < n and tokens[i + 1] == ":":
            stack[-1].attributes[token] = tokens[i + 2]
            i += 3
        elif i + 1 < n and tokens[i + 1] == "(":
            end = tokens.index(")", i)
            arguments = [t for t in tokens[i + 2 : end] if t != ","]
            if end + 1 < n and tokens[end + 1] == "{":
                group = _Group(token, arguments)
                stack[-1].groups.append(group)
                stack.append(group)
                i = end + 2
            else:
                stack[-1].lists.setdefault(token, []).append(arguments)
                i = end + 1
        else:
            i += 1  # the rest of an expression without quotes
    return top


@dataclass(frozen=True)
class LibraryCell:
    """A cell with one output, or a flip-flop.

    Attributes
    ----------
    area : float
        Square micrometers in most libraries.
    leakage : float
        Leakage power in pW.
    inputs : dict of float
        Input pins with their capacitances in pF.
    output : str
        Output pin; that of the state if it is a flip-flop.
    inverse : str
        Pin of the inverted state of a flip-flop, or "".
    table : int
        Truth table: bit i is the output if the inputs, in order, form the number i.
    clock, data : str
        Pins of a flip-flop, or "".
    switching : tuple of (float, float)
        Loads in pF, and the energy per transition of the output at each, in pJ.
    clocking : float
        Energy of a clock cycle of a flip-flop in pJ.
    """

    area: float
    leakage: float
    inputs: dict[str, float]
    output: str
    inverse: str
    table: int
    clock: str
    data: str
    switching: tuple[tuple[float, float], ...]
    clocking: float

    def transition(self, load: float) -> float:
        """Return the energy inside the cell per transition of its output, in pJ."""
        if not self.switching:
            return 0.0
        loads, energies = zip(*self.switching, strict=True)
        return float(np.interp(load, loads, energies))


@dataclass(frozen=True)
class Macro:
    """A memory macro.

    Attributes
    ----------
    area : float
    leakage : float
        In pW.
    depth, width : int
        Words, and bits per word.
    read, write : float
        Energy of an access in pJ.
    """

    area: float
    leakage: float
    depth: int
    width: int
    read: float
    write: float


@dataclass(frozen=True)
class Library:
    """Cells and macros of one or more Liberty files.

    Attributes
    ----------
    name : str
        Names of the libraries.
    voltage : float
        In V.
    cells : dict of LibraryCell
    macros : dict of Macro
    texts : tuple of str
        Content of the files, for synthesis.
    """

    name: str
    voltage: float
    cells: dict[str, LibraryCell]
    macros: dict[str, Macro]
    texts: tuple[str, ...]

    @classmethod
    def read(cls, files: Sequence[str | os.PathLike[str]]) -> Library:
        """Read Liberty files, compressed by gzip if their names end in ``.gz``.

        Raises
        ------
        ValueError
            If a file is no Liberty file, or none of them has cells.
        """
        names, cells, macros, texts = [], {}, {}, []
        voltage = 0.0
        for file in files:
            raw = Path(file).read_bytes()
            text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8", "replace")
            group = next(_parsed(text).all("library"), None)
            if group is None:
                _checks.fail("liberty", "be a file with a library", os.fspath(file))
            assert group is not None
            units = _units(group)
            names.append(group.arguments[0])
            own = False
            for cell in group.all("cell"):
                name = cell.arguments[0]
                if any(cell.all("memory")):
                    macros[name] = _macro(cell, *units)
                elif (found := _cell(cell, *units)) is not None:
                    cells[name] = found
                    own = True
            if own:
                texts.append(text)
                voltage = voltage or group.number("nom_voltage", 1.0)
        if not cells:
            _checks.fail("liberty", "have cells with functions", ", ".join(map(str, files)))
        return cls(", ".join(names), voltage, cells, macros, tuple(texts))

    def macro_for(self, depth: int, width: int) -> tuple[Macro, int, int] | None:
        """Return the macro that holds a memory in the least area, with its banks and columns."""
        choices = [
            (macro, -(-depth // macro.depth), -(-width // macro.width))
            for macro in self.macros.values()
        ]
        return min(choices, key=lambda c: c[0].area * c[1] * c[2], default=None)


def _units(group: _Group) -> tuple[float, float, float]:
    """Return capacitance in pF, energy in pJ and leakage in pW per unit of the library."""
    size, unit = group.lists.get("capacitive_load_unit", [["1", "pf"]])[0]
    farad = float(size) * {"ff": 1e-3, "pf": 1.0}[unit.lower()]
    volt = _quantity(group.attributes.get("voltage_unit", "1V"), {"V": 1.0, "mV": 1e-3})
    watt = _quantity(
        group.attributes.get("leakage_power_unit", "1pW"),
        {"pW": 1.0, "nW": 1e3, "uW": 1e6, "mW": 1e9, "fW": 1e-3},
    )
    return farad, farad * volt**2, watt


def _quantity(text: str, scales: dict[str, float]) -> float:
    match = re.fullmatch(r"([\d.eE+-]+)\s*(\w+)", text)
    if not match:
        return 1.0
    return float(match[1]) * scales.get(match[2], 1.0)


def _cell(cell: _Group, farad: float, joule: float, watt: float) -> LibraryCell | None:
    """Return a cell with one function or a flip-flop without other controls, or None."""
    pins = {name: pin for pin in cell.all("pin") for name in pin.arguments}
    inputs = {
        name: farad * pin.number("capacitance")
        for name, pin in pins.items()
        if pin.attributes.get("direction") == "input"
    }
    outputs = {
        name: pin
        for name, pin in pins.items()
        if pin.attributes.get("direction") == "output" and "function" in pin.attributes
    }
    area, leakage = cell.number("area"), watt * cell.number("cell_leakage_power")
    if any(cell.all("latch")) or any(cell.all("statetable")) or not outputs:
        return None
    if flop := next(cell.all("ff"), None):
        clock = flop.attributes.get("clocked_on", "")
        data = flop.attributes.get("next_state", "")
        if clock not in inputs or data not in inputs:
            return None
        state = {pin.attributes["function"]: name for name, pin in outputs.items()}
        q, inverse = (state.get(name, "") for name in flop.arguments[:2])
        pin = outputs[q or inverse]
        # Both edges of a clock cycle; averaged over the states of the other pins.
        clocking = 2 * _mean_energy(pins[clock], joule)
        return LibraryCell(
            area, leakage, inputs, q, inverse, 0, clock, data, _table(pin, farad, joule), clocking
        )
    if len(outputs) != 1:
        return None
    ((output, pin),) = outputs.items()
    table = _truth_table(pin.attributes["function"], list(inputs))
    return LibraryCell(area, leakage, inputs, output, "", table, "", "", _table(pin, farad, joule), 0.0)


def _numbers(texts: list[str]) -> list[float]:
    """Return the numbers of an index or of values."""
    return [float(part) for text in texts for part in text.replace(",", " ").split()]


def _curves(pin: _Group) -> Iterator[tuple[list[float], list[float]]]:
    """Return loads and energies, in units of the library, of each table of a pin."""
    for power in pin.all("internal_power"):
        for table in (*power.all("rise_power"), *power.all("fall_power")):
            values = _numbers(table.lists["values"][0])
            slews = _numbers(table.lists.get("index_1", [["0"]])[0])
            loads = _numbers(table.lists.get("index_2", [["0"]])[0])
            if len(values) != len(slews) * len(loads):
                slews, loads = [0.0] * len(values), [0.0]
            row = int(np.abs(np.array(slews) - _SLEW).argmin())
            yield loads, values[row * len(loads) : (row + 1) * len(loads)]


def _table(pin: _Group, farad: float, joule: float) -> tuple[tuple[float, float], ...]:
    """Return loads and mean energies per transition of an output."""
    curves = [(loads, values) for loads, values in _curves(pin) if len(loads) == len(values)]
    if not curves:
        return ()
    loads = curves[0][0]
    mean = np.mean([np.interp(loads, *curve) for curve in curves], axis=0)
    return tuple((farad * load, joule * float(value)) for load, value in zip(loads, mean, strict=True))


def _mean_energy(pin: _Group, joule: float) -> float:
    """Return the mean energy per transition of an input."""
    found = [float(np.mean(values)) for _, values in _curves(pin)]
    return joule * float(np.mean(found)) if found else 0.0


def _macro(cell: _Group, farad: float, joule: float, watt: float) -> Macro:
    memory = next(cell.all("memory"))
    read = write = 0.0
    for pin in cell.all("pin"):
        if pin.attributes.get("clock", "") != "true":
            continue
        for power in pin.all("internal_power"):
            terms = re.findall(r"!?\w+", power.attributes.get("when", ""))
            energy = sum(
                joule * float(np.mean(_numbers(table.lists["values"][0])))
                for table in (*power.all("rise_power"), *power.all("fall_power"))
            )
            if any(re.search(r"_W|^W", term) for term in terms if term[0] != "!"):
                write = max(write, energy)
            else:
                read = max(read, energy)
    depth = 2 ** int(memory.number("address_width"))
    width = int(memory.number("word_width"))
    leakage = watt * cell.number("cell_leakage_power")
    return Macro(cell.number("area"), leakage, depth, width, read, write)


def _truth_table(function: str, inputs: list[str]) -> int:
    """Return the truth table of a Liberty function: ``! ' & * | + ^``, and a space means AND."""
    tokens = re.findall(r"\w+|[()!'&*|+^]", function)
    whole = 0
    for number in range(1 << len(inputs)):
        values = {name: number >> k & 1 for k, name in enumerate(inputs)}
        value, rest = _or(tokens, values)
        if rest:
            _checks.fail("liberty", "have Boolean functions", repr(function))
        whole |= value << number
    return whole


def _or(tokens: list[str], values: dict[str, int]) -> tuple[int, list[str]]:
    value, tokens = _xor(tokens, values)
    while tokens and tokens[0] in "|+":
        other, tokens = _xor(tokens[1:], values)
        value |= other
    return value, tokens


def _xor(tokens: list[str], values: dict[str, int]) -> tuple[int, list[str]]:
    value, tokens = _and(tokens, values)
    while tokens and tokens[0] == "^":
        other, tokens = _and(tokens[1:], values)
        value ^= other
    return value, tokens


def _and(tokens: list[str], values: dict[str, int]) -> tuple[int, list[str]]:
    value, tokens = _factor(tokens, values)
    while tokens and tokens[0] not in "|+^)'":
        other, tokens = _factor(tokens[1:] if tokens[0] in "&*" else tokens, values)
        value &= other
    return value, tokens


def _factor(tokens: list[str], values: dict[str, int]) -> tuple[int, list[str]]:
    first, rest = tokens[0], tokens[1:]
    if first == "!":
        value, rest = _factor(rest, values)
        return 1 - value, rest
    if first == "(":
        value, rest = _or(rest, values)
        rest = rest[1:]
    else:
        value = int(first) if first in "01" else values[first]
    while rest and rest[0] == "'":
        value, rest = 1 - value, rest[1:]
    return value, rest


def net_loads(cells: dict[str, Any], library: Library) -> dict[int, float]:
    """Return the capacitance of the input pins on each net of a netlist, in pF."""
    loads: dict[int, float] = {}
    for cell in cells.values():
        found = library.cells.get(cell["type"])
        if found is None:
            continue
        for name, capacitance in found.inputs.items():
            for net in cell["connections"].get(name, []):
                if isinstance(net, int):
                    loads[net] = loads.get(net, 0.0) + capacitance
    return loads
