"""Verilog of the sources that encode values: registers, Sobol generators and tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeGuard

import numpy as np

from sc_neurocore import _checks
from sc_neurocore.streams import LFSR, Sobol, Source, TableSource

__all__ = ["Built", "Lines", "comparison", "has_hardware", "threshold_bits"]

CLEAR = "clear"
# Numbers of a table that is written as a case statement.
_MOST_NUMBERS = 4096

Built = LFSR | Sobol | TableSource


@dataclass(frozen=True)
class Lines:
    """Lines of a module: declarations, processes, and the names of generators that are written.

    All names begin with `prefix`, by which they differ from those of the ports.
    """

    prefix: str = ""
    wires: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    made: dict[Any, str] = field(default_factory=dict)

    def new(self, place: Any, kind: str) -> tuple[str, bool]:
        """Return the name of a generator, and whether it is new."""
        found = self.made.get(place)
        if found is not None:
            return found, False
        name = self.made[place] = f"{self.prefix}{kind}{len(self.made)}"
        return name, True

    def declare(self, name: str, width: int, start: int) -> None:
        """Add a register of a width, and its first value."""
        self.wires.append(f"reg {f'[{width - 1}:0] ' if width > 1 else ''}{name};")
        self.wires.append(f"initial {name} = {width}'d{start};")

    def register(self, name: str, width: int, start: int, after: str, enable: str = "") -> None:
        """Add a register of a width, with its first value and the one after each step.

        With `enable`, a wire, it changes only after steps in which that is 1.
        """
        after = f"{enable} ? {after} : {name}" if enable else after
        self.declare(name, width, start)
        self.steps.append(f"always @(posedge clk) {name} <= {CLEAR} ? {width}'d{start} : {after};")

    def case(self, selector: str, name: str, rows: list[tuple[str, int]], width: int) -> None:
        """Add a function of a register as a table, whose last row is for all other values."""
        self.wires.append(f"reg [{width - 1}:0] {name};")
        *cases, last = [f"{name} = {width}'d{value};" for _, value in rows]
        patterns = [pattern for pattern, _ in rows]
        lines = [f"{pattern}: {case}" for pattern, case in zip(patterns[:-1], cases, strict=True)]
        self.steps.extend(["always @*", f"    casez ({selector})"])
        self.steps.extend(f"        {line}" for line in (*lines, f"default: {last}"))
        self.steps.append("    endcase")


def has_hardware(source: Source) -> TypeGuard[Built]:
    """Return whether a source is a generator of a module: a register, a Gray counter or a table."""
    return isinstance(source, LFSR | TableSource) or (isinstance(source, Sobol) and source.gray)


def threshold_bits(source: Source) -> int:
    """Return the bits of a threshold, from 0 to the levels of a source."""
    return source.levels.bit_length()


def comparison(
    source: Built, key: int, stream: int, threshold: str, lines: Lines, enable: str = ""
) -> str:
    """Return the comparison of a generator's number with a threshold, and add the generator if new.

    With `enable`, a wire, the generator proceeds only where that is 1.
    """
    if isinstance(source, LFSR):
        name = _register(source, key, stream, lines, enable)
        # Without state 0, the number is the state less 1.
        return f"({name} {'<' if source.zero else '<='} {threshold})"
    write = _sobol if isinstance(source, Sobol) else _table
    return f"({write(source, key, stream, lines, enable)} < {threshold})"  # type: ignore[arg-type]


def _register(source: LFSR, key: int, stream: int, lines: Lines, enable: str) -> str:
    start = int(source.numbers([stream], 1, key=key)[0, 0]) + (not source.zero)
    name, is_new = lines.new((source, key, stream, enable), "lfsr")
    if is_new:
        top = source.width - 1
        parity = f"^({name} & {source.width}'d{source._feedback})"
        if source.zero:
            parity = f"{parity} ^ ~|{name}[{top}:1]"
        lines.register(name, source.width, start, f"{{{parity}, {name}[{top}:1]}}", enable)
    return name


def _counter(period: int, lines: Lines, enable: str) -> tuple[str, int]:
    """Return the name and the width of a counter from 0 to period - 1."""
    width = max((period - 1).bit_length(), 1)
    name, is_new = lines.new(("count", period, enable), "count")
    if is_new:
        after = f"{name} + {width}'d1"
        if period != 1 << width:
            after = f"({name} == {width}'d{period - 1} ? {width}'d0 : {after})"
        lines.register(name, width, 0, after, enable)
    return name, width


def _sobol(source: Sobol, key: int, stream: int, lines: Lines, enable: str) -> str:
    """Add a number that changes by the column of the lowest 0 of a counter (Antonov, Saleev 1979)."""
    start = int(source.numbers([stream], 1, key=key)[0, 0])
    name, is_new = lines.new((source, key, stream, enable), "sobol")
    if is_new:
        streams = np.array([stream], np.uint64)
        matrices, index = source._matrices(streams)
        columns = matrices[index[0]][: source.bits] >> np.uint32(32 - source.bits)
        # A step inverts the digits up to the lowest 0, whose columns add up to that of the matrix.
        changes = np.bitwise_xor.accumulate(columns).tolist()
        count, width = _counter(source.period or 0, lines, enable)
        rows = [(f"{width}'b{'?' * (width - k - 1)}0{'1' * k}", c) for k, c in enumerate(changes)]
        lines.case(count, f"{name}_column", rows, source.bits)
        lines.register(name, source.bits, start, f"{name} ^ {name}_column", enable)
    return name


def _table(source: TableSource, key: int, stream: int, lines: Lines, enable: str) -> str:
    period = source.period or 0
    if period > _MOST_NUMBERS:
        _checks.fail("a table", f"have at most {_MOST_NUMBERS} numbers in hardware", period)
    numbers = source.numbers([stream], period, key=key)[0].tolist()
    name, is_new = lines.new((source, stream, enable), "table")
    if is_new:
        count, width = _counter(period, lines, enable)
        bits = max((source.levels - 1).bit_length(), 1)
        rows = [(f"{width}'d{t}", r) for t, r in enumerate(numbers)]
        lines.case(count, name, rows, bits)
    return name
