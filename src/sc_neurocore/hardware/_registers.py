"""Registers of the AXI4-Lite wrapper: one list for the Verilog, the C header and the documentation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sc_neurocore.hardware.design import Design

__all__ = [
    "REGISTERS",
    "Register",
    "address_bits",
    "block_bits",
    "constants",
    "offsets",
    "register_table",
    "strangers",
]

ID = 0x53434E31  # "SCN1"


@dataclass(frozen=True)
class Register:
    """A register of 32 bits.

    Attributes
    ----------
    name : str
    access : {"read", "write", "read, write"}
    content : str
    bits : tuple of (str, str)
        Names and meanings of its bits, from bit 0 on.
    """

    name: str
    access: Literal["read", "write", "read, write"]
    content: str
    bits: tuple[tuple[str, str], ...] = ()


REGISTERS = (
    Register("ID", "read", f"0x{ID:08X}"),
    Register("VALUES", "read", "values per image"),
    Register("BITS", "read", "bits per value"),
    Register("STEPS", "read", "time steps per image"),
    Register("CLASSES", "read", "number of classes"),
    Register("WEIGHTS", "read", "offset of the window of weights; 0 if they cannot be loaded"),
    Register("COUNTS", "read", "offset of the spike counts, one word per output; 0 if missing"),
    Register(
        "POTENTIALS", "read", "offset of the last potentials, signed, one word per output; 0 if missing"
    ),
    Register(
        "CONTROL",
        "read, write",
        "",
        (
            ("RESET", "writing 1 resets the design, which then waits for an image; reads 0"),
            ("INTERRUPT", "`irq` is 1 while a class waits"),
        ),
    ),
    Register(
        "STATUS",
        "read, write",
        "",
        (
            ("READY", "a value is accepted"),
            ("DONE", "a class waits; writing 1 removes it"),
            ("LOADABLE", "a part of a word of weights is accepted"),
        ),
    ),
    Register(
        "INPUT", "write", "the next value of the image, in units of 2**-BITS; larger ones saturate"
    ),
    Register("CLASS", "read", "the class that waits"),
)


def offsets() -> dict[str, int]:
    """Return the offset of each register, by name."""
    return {register.name: 4 * i for i, register in enumerate(REGISTERS)}


def block_bits(design: Design) -> int:
    """Return the number of bits of an address in the registers; counts and potentials have as many."""
    most = max(len(REGISTERS), design.n_out * design.scores)
    return 2 + (most - 1).bit_length()


def address_bits(design: Design) -> int:
    """Return the number of bits of an address.

    The first quarter of the space holds the registers, and the next two counts and potentials, if there
    are any; the upper half of a space twice as large holds the weights.
    """
    bits = block_bits(design) + 2 * design.scores
    return 1 + max(bits, 2 + design.load_port.address_bits) if design.loadable else bits


def strangers(design: Design) -> list[int]:
    """Return addresses without a register, of which some differ from that of CONTROL in one bit."""
    bits, at, block = address_bits(design) - design.loadable, offsets(), 1 << block_bits(design)
    tried = [4 * len(REGISTERS), (1 << bits) - 4, *(at["CONTROL"] | 1 << k for k in range(6, bits))]
    blocks = [(0, len(REGISTERS))] + [(k * block, design.n_out) for k in (1, 2) if design.scores]
    tried += [first + 4 * n for first, n in blocks if 4 * n < block] + [3 * block] * design.scores
    return [a for a in tried if not any(first <= a < first + 4 * n for first, n in blocks)]


def constants(design: Design) -> dict[str, int]:
    """Return the values of the registers that are constant, by name."""
    return {
        "ID": ID,
        "VALUES": design.n_in,
        "BITS": design.fixed_point.bits,
        "STEPS": design.length,
        "CLASSES": design.n_out,
        "WEIGHTS": 1 << address_bits(design) - 1 if design.loadable else 0,
        "COUNTS": 1 << block_bits(design) if design.scores else 0,
        "POTENTIALS": 2 << block_bits(design) if design.scores else 0,
    }


def register_table() -> str:
    """Return the registers as a Markdown table."""
    at = offsets()
    lines = ["| offset | register | access | content |", "| --- | --- | --- | --- |"]
    for register in REGISTERS:
        parts = [f"bit {i}, {name}: {text}" for i, (name, text) in enumerate(register.bits)]
        content = "; ".join([register.content] * bool(register.content) + parts)
        lines.append(
            f"| 0x{at[register.name]:02X} | `{register.name}` | {register.access} | {content} |"
        )
    return "\n".join(lines)
