"""Weight memories of a folded design: their words, and the addresses under which they are loaded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LoadPort", "WeightMemory", "hex_lines", "weight_files"]

BEAT = 32  # bits of a part of a word


def hex_lines(values: Iterable[int], bits: int) -> str:
    """Return integers of at most so many bits as the lines of a memory file."""
    digits = -(-bits // 4)
    return "".join(f"{value:0{digits}x}\n" for value in values)


def weight_files(name: str, words: list[int], bits: int) -> dict[str, str]:
    """Return the files of a weight memory, split in the same way as in `sc_weights`."""
    text: dict[str, str] = {}
    deep = len(words) >= 2048
    while words:
        bank = 1 << (len(words).bit_length() - 1) if deep else len(words)
        text[f"{name}_{len(text)}.hex"] = hex_lines(words[:bank], bits)
        words = words[bank:]
    return text


@dataclass(frozen=True, eq=False)
class WeightMemory:
    """A memory of the weights of a layer, or of the first summands of its sums.

    Attributes
    ----------
    layer : int
    kind : {"weights", "offsets"}
    width : int
        Bits of a word.
    words : list of int
    banks : tuple of list of int
        Words of the memories that have some lanes of each word; empty for a single memory.
    """

    layer: int
    kind: str
    width: int
    words: list[int]
    banks: tuple[list[int], ...] = ()

    @property
    def depth(self) -> int:
        """Number of words."""
        return len(self.words)

    def files(self, module: str) -> dict[str, str]:
        """Return its files as text, by name, for the module of its layer."""
        name = module if self.kind == "weights" else f"{module}_{self.kind}"
        text: dict[str, str] = {}
        for k, words in enumerate(self.banks):
            text |= weight_files(f"{name}_{k:02x}", words, self.width // len(self.banks))
        return text or weight_files(name, self.words, self.width)

    @property
    def parts(self) -> int:
        """Number of parts in which a word is written."""
        return -(-self.width // BEAT)


@dataclass(frozen=True, eq=False)
class LoadPort:
    """Addresses of the weight memories of a design that can be loaded: ``{memory, word, part}``.

    The parts of a word have 32 bits, the lowest first. Writing the last one writes the word.
    """

    memories: tuple[WeightMemory, ...]

    @property
    def parts(self) -> int:
        """Largest number of parts of a word."""
        return max(memory.parts for memory in self.memories)

    @property
    def _bits(self) -> tuple[int, int, int]:
        """Bits of the fields: of the part, the word and the memory."""
        deepest = max(memory.depth for memory in self.memories)
        part, word, memory = ((n - 1).bit_length() for n in (self.parts, deepest, len(self.memories)))
        return part, word, memory

    @property
    def address_bits(self) -> int:
        """Number of bits of an address."""
        return max(sum(self._bits), 1)

    def writes(self) -> NDArray[np.uint32]:
        """Return rows (address, data) that write every word of every memory, in this order."""
        part_bits, word_bits, _ = self._bits
        parts = []
        for m, memory in enumerate(self.memories):
            first = m << word_bits + part_bits
            size = 4 * memory.parts
            data = b"".join(word.to_bytes(size, "little") for word in memory.words)
            place = np.arange(memory.depth)[:, np.newaxis] << part_bits
            addresses = first + place + np.arange(memory.parts)
            parts.append(np.stack([addresses.ravel(), np.frombuffer(data, "<u4")], axis=1))
        return np.concatenate(parts).astype(np.uint32)

    def half(self) -> int:
        """Return the number of writes of the first half of the words."""
        begins = np.flatnonzero(self.writes()[:, 0] % (1 << self._bits[0]) == 0)
        return int(begins[len(begins) // 2])

    def holes(self) -> list[int]:
        """Return up to three addresses of no part of a word."""
        left = np.setdiff1d(np.arange(1 << self.address_bits), self.writes()[:, 0])
        return sorted({int(left[k]) for k in (0, len(left) // 2, -1)}) if left.size else []

    @property
    def shifted(self) -> str:
        """Return the Verilog expression of the parts that are kept after one more is written."""
        return (
            f"{{load_data, load_parts[{BEAT * (self.parts - 1) - 1}:{BEAT}]}}"
            if self.parts > 2
            else "load_data"
        )

    def is_last(self, memory: WeightMemory) -> str:
        """Return the further Verilog conditions under which an address is the last part of a word."""
        part_bits, word_bits, memory_bits = self._bits
        number = self.memories.index(memory)
        return "".join(
            f" && {_field(first, size)} == {size}'d{value}"
            for first, size, value in (
                (part_bits + word_bits, memory_bits, number),
                (0, part_bits, memory.parts - 1),
            )
            if size
        )

    def exists(self, memory: WeightMemory) -> str:
        """Return the Verilog condition that an address is that of a part of a memory."""
        part_bits, word_bits, memory_bits = self._bits
        claims = []
        if memory_bits:
            first, number = part_bits + word_bits, self.memories.index(memory)
            claims.append(f"{_field(first, memory_bits)} == {memory_bits}'d{number}")
        for first, size, limit in ((part_bits, word_bits, memory.depth), (0, part_bits, memory.parts)):
            if limit < 1 << size:
                claims.append(f"{_field(first, size)} < {size}'d{limit}")
        # The address of a single part has a bit all the same.
        return " && ".join(claims) or ("1'b1" if sum(self._bits) else "!load_address")

    def word_address(self, memory: WeightMemory) -> str:
        """Return the Verilog expression of the address of a word."""
        part_bits = self._bits[0]
        size = (memory.depth - 1).bit_length()
        return _field(part_bits, size) if size else "1'b0"

    def word(self, memory: WeightMemory) -> str:
        """Return the Verilog expression of a word, whose last part is being written."""
        before = BEAT * (memory.parts - 1)
        last = f"load_data[{memory.width - before - 1}:0]"
        top = BEAT * (self.parts - 1) - 1  # the parts before are the last ones that were shifted in
        return f"{{{last}, load_parts[{top}:{top + 1 - before}]}}" if before else last


def _field(first: int, size: int) -> str:
    """Return the Verilog expression of bits of an address."""
    return f"load_address[{first + size - 1}:{first}]" if size > 1 else f"load_address[{first}]"
