"""Verilog of products by conditional sampling, whose generators proceed where an operand says so."""

from __future__ import annotations

import numpy as np

from sc_neurocore import _checks
from sc_neurocore.hardware._generators import Built, Lines, comparison

__all__ = ["Generator", "in_stream_product", "static_product"]

# A source, its key and stream, and whether its bits are inverted.
Generator = tuple[Built, int, int, bool]
# Lengths of a shift register.
_MOST_BITS = 4096


def static_product(x: str, threshold: str, generator: Generator, bipolar: bool, lines: Lines) -> str:
    """Return the product of a wire x and an encoded value.

    Its generator proceeds only where x is 1; in bipolar code, another one where x is 0.
    """
    source, key, stream, inverted = generator

    def sample(enable: str) -> str:
        bit = comparison(source, key, stream, threshold, lines, enable)
        return f"~{bit}" if inverted else bit

    return _product(x, sample(x), sample(f"~{x}") if bipolar else None)


def in_stream_product(
    x: str, y: str, d: int, source: Built, key: int, stream: int, bipolar: bool, lines: Lines
) -> str:
    """Return the product of wires x and y, by a shift register that holds the last d bits of y."""
    if d > _MOST_BITS:
        _checks.fail("window", f"be at most {_MOST_BITS} in hardware", d)
    held, is_new = lines.new(("held", y, d), "held")
    ones, width = f"{held}_ones", d.bit_length()
    if is_new:
        start = sum((d - 1 - i) % 2 << i for i in range(d))  # 0, 1, 0, 1, ..., the oldest bit on top
        shifted = f"{{{held}[{d - 2}:0], {y}}}" if d > 1 else y
        lines.register(held, d, start, shifted)
        lines.register(ones, width, d // 2, f"{ones} + {y} - {held}[{d - 1}]")
    threshold = _threshold(ones, width, d, source, held, lines)

    def sample(enable: str) -> str:
        return comparison(source, key, stream, threshold, lines, enable)

    return _product(x, sample(x), sample(f"~{x}") if bipolar else None)


def _threshold(ones: str, width: int, d: int, source: Built, held: str, lines: Lines) -> str:
    """Return the threshold of the density of a shift register."""
    shift, rest = divmod(source.levels, d)
    if rest == 0 and shift & (shift - 1) == 0:
        zeros = shift.bit_length() - 1
        return f"{{{ones}, {zeros}'d0}}" if zeros else ones
    name, is_new = lines.new(("level", held, source.levels), "level")
    if is_new:
        thresholds = source.thresholds(np.arange(d + 1) / d).tolist()
        rows = [(f"{width}'d{c}", t) for c, t in enumerate(thresholds)]
        lines.case(ones, name, rows, source.levels.bit_length())
    return name


def _product(x: str, of_one: str, of_zero: str | None) -> str:
    return f"{x} & {of_one}" if of_zero is None else f"{x} ? {of_one} : ~{of_zero}"
