"""What binary designs have in common: rounded weights, their words, and sums in Verilog."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sc_neurocore.hardware.design import row_integers

# Clock cycles between the last address of a layer and its last result.
DRAIN = 4


def quantized_weights(weights: NDArray[np.float64], most: int) -> tuple[NDArray[np.int64], float]:
    """Return integers in [-most, most] and their unit, of least square error."""
    largest = float(np.abs(weights).max()) or 1.0
    best: tuple[float, float] = (np.inf, largest / most)
    for unit in largest / most * np.linspace(0.04, 1.0, 97):
        rounded = np.clip(np.rint(weights / unit), -most, most) * unit
        best = min(best, (float(((rounded - weights) ** 2).sum()), float(unit)))
    unit = best[1]
    return np.clip(np.rint(weights / unit), -most, most).astype(np.int64), unit


def signed_bits(least: int, most: int) -> int:
    """Return the bits of integers from `least` to `most` in two's complement."""
    return max((-least - 1).bit_length() if least < 0 else 0, most.bit_length()) + 1


def _packed(fields: NDArray[np.int64], bits: int) -> list[int]:
    """Return each row of integers as one number with `bits` bits per field, the first one lowest."""
    return row_integers((fields[:, :, np.newaxis] >> np.arange(bits) & 1).reshape(len(fields), -1))


def packed_weights(
    weights: tuple[NDArray[np.int64], ...], columns: tuple[int, ...], simd: int, bits: int
) -> list[int]:
    """Return the words of the weights of all layers, `simd` weights of a neuron per word."""
    words: list[int] = []
    for w, n in zip(weights, columns, strict=True):
        padded = np.zeros((len(w), n * simd), np.int64)
        padded[:, : w.shape[1]] = w
        words += _packed(padded.reshape(-1, simd), bits)
    return words


def extended(text: str, sign: str, bits: int, width: int) -> str:
    """Return a Verilog expression for a signed value of `bits` bits in `width` bits."""
    return text if width == bits else f"{{ {{{width - bits}{{{sign}}}}}, {text} }}"


def by_layer(values: list[int], width: int) -> str:
    """Return a Verilog expression for a value that depends on the layer."""
    mask = (1 << width) - 1
    texts = [f"{width}'d{value & mask}" for value in values]
    text = texts[-1]
    for k in range(len(texts) - 2, -1, -1):
        if texts[k] != text:
            text = (
                f"layer == {k} ? {texts[k]} : ({text})"
                if "?" in text
                else f"layer == {k} ? {texts[k]} : {text}"
            )
    return text


def resized(name: str, bits: int, planes: int, width: int) -> str:
    """Return a Verilog expression for an unsigned sum of planes modulo ``2**width``."""
    bits += planes if planes > 1 else 0
    if bits > width:
        return f"{name}[{width - 1}:0]"
    return name if bits == width else f"{{{width - bits}'d0, {name}}}"


def signed_digits(value: int) -> list[tuple[int, int]]:
    """Return an integer as ``sum(sign << place)`` with the fewest terms (canonical signed digits).

    Source: G. W. Reitwiesner, Binary arithmetic, Advances in Computers 1, 1960.
    """
    digits, place = [], 0
    while value:
        if value & 1:
            sign = 2 - (value & 3)
            digits.append((sign, place))
            value -= sign
        value >>= 1
        place += 1
    return digits


@dataclass(frozen=True)
class Heap:
    """Bits whose ones are counted for each power of two, and a constant: the sum of a neuron.

    A negative term ``-x`` is ``~x - 1``, so its place counts inverted bits, and a constant corrects it.
    """

    places: dict[int, list[str]]
    constant: int

    @classmethod
    def of(cls, weights: NDArray[np.int64], bits: list[str], offset: int = 0) -> Heap:
        """Return the heap of weights times inputs with these bits, `{i}` standing for the input."""
        places: dict[int, list[str]] = {}
        constant = offset
        for i, weight in enumerate(weights.tolist()):
            for sign, place in signed_digits(weight):
                for b, bit in enumerate(bits):
                    literal = bit.format(i=i)
                    places.setdefault(place + b, []).append(literal if sign > 0 else f"~{literal}")
                    constant -= 0 if sign > 0 else 1 << (place + b)
        return cls(places, constant)


def sum_text(heap: Heap, name: str, width: int) -> str:
    """Return Verilog of the wire `name` that holds the sum of a heap, modulo ``2**width``."""
    lines, terms = [], []
    for place, literals in sorted(heap.places.items()):
        n = len(literals)
        ones = n.bit_length()
        part = f"{name}_p{place}"
        listed = ",\n        ".join(", ".join(literals[i : i + 10]) for i in range(0, n, 10))
        lines.append(f"    wire [{ones - 1}:0] {part};")
        lines.append(
            f"    sc_count #(.N({n})) u_{part} (.x({{\n        {listed}\n    }}), "
            f".w({{{n}{{1'b1}}}}), .ones({part}));"
        )
        keep = min(ones, width - place)
        pad = width - place - keep
        cut = part if keep == ones else f"{part}[{keep - 1}:0]"
        pieces = [*([f"{pad}'d0"] if pad else []), cut, *([f"{place}'d0"] if place else [])]
        terms.append(f"{{{', '.join(pieces)}}}")
    if heap.constant or not terms:
        terms.append(f"{width}'d{heap.constant & ((1 << width) - 1)}")
    lines.append(f"    wire [{width - 1}:0] {name} = {' + '.join(terms)};")
    return "\n".join(lines)
