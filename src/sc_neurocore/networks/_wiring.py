"""How the inputs of a layer come from its sources: cut, delayed and joined, block by block of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sc_neurocore._types import Reals, Words
from sc_neurocore.networks._delays import DelayLine
from sc_neurocore.networks.network import Network, delays_of_sources
from sc_neurocore.streams._bits import cut, n_words, pack, unpack

Lines = tuple[DelayLine | None, ...]


@dataclass(frozen=True, eq=False)
class Block:
    """Packed inputs of a layer for a block of time.

    Attributes
    ----------
    words : ndarray of uint64, shape (batch, n_in, n_words)
    bits : int
        Bits per time step: as many as a product has, or 1 for spikes, which hold for the whole step.
    start : int
        Bit of the first word at which the block begins.
    """

    words: Words
    bits: int = 1
    start: int = 0

    def aligned(self, bits: int, steps: int) -> Words:
        """Return words with `bits` per step whose first bit is that of the block."""
        words = (
            cut(self.words, self.start, self.start + steps * self.bits) if self.start else self.words
        )
        if self.bits == bits:
            return words
        return pack(np.repeat(unpack(words, steps), bits, axis=-1))


@dataclass(frozen=True, eq=False)
class Wire:
    """Inputs of a layer that come from one source.

    Attributes
    ----------
    source : int or slice
        Index of a layer, or some of the network's inputs.
    n : int
        Number of inputs.
    delays : ndarray of int64, shape (n,), or None
        In time steps; None if no input is delayed.
    feedback : bool
        Whether the source runs after this layer. Then no block is longer than the shortest delay.
    """

    source: int | slice
    n: int
    delays: NDArray[np.int64] | None
    feedback: bool

    def line(self, rows: int, bits: int, *, packed: bool) -> DelayLine | None:
        """Return a line for the delays, before the first step, for a number of bits per step."""
        return None if self.delays is None else DelayLine(self.delays * bits, rows, packed=packed)


def wires(network: Network) -> list[list[Wire]]:
    """Return the wires of each layer, in the order of its inputs."""
    return [
        [
            Wire(
                source,
                len(delays),
                delays if delays.any() else None,
                isinstance(source, int) and source >= i,
            )
            for source, delays in delays_of_sources(network, i)
        ]
        for i in range(len(network))
    ]


def join_words(
    wires: Sequence[Wire], lines: Lines, inputs: Block, outputs: Sequence[Block], bits: int, steps: int
) -> Block:
    """Return the inputs of a layer, from those of the network and the outputs of earlier layers."""
    parts: list[Block] = []
    for wire, line in zip(wires, lines, strict=True):
        if wire.feedback:
            assert line is not None
            nothing = np.zeros((len(inputs.words), wire.n, n_words(steps * bits)), np.uint64)
            parts.append(Block(line.delayed_words(nothing, steps * bits), bits))
            continue
        block = outputs[wire.source] if isinstance(wire.source, int) else _part(inputs, wire.source)
        if line is not None:
            words = block.aligned(bits, steps)
            block = Block(line.delayed_words(words, steps * bits), bits)
            line.keep_words(words, steps * bits)
        parts.append(block)
    if len(parts) == 1:
        return parts[0]
    common = 1 if all(part.bits == 1 for part in parts) else bits
    return Block(np.concatenate([part.aligned(common, steps) for part in parts], axis=1), common)


def keep_words(
    wires: Sequence[Wire], lines: Lines, outputs: Sequence[Block], bits: int, steps: int
) -> None:
    """Keep the outputs of later layers for the next blocks of a layer."""
    for wire, line in zip(wires, lines, strict=True):
        if wire.feedback and line is not None and isinstance(wire.source, int):
            line.keep_words(outputs[wire.source].aligned(bits, steps), steps * bits)


def join_reals(
    wires: Sequence[Wire], lines: Lines, inputs: Reals, outputs: Sequence[Reals], steps: int
) -> Reals:
    """Return the inputs of a layer (rows, n_in, steps or 1), as `join_words` for real numbers."""
    parts: list[Reals] = []
    for wire, line in zip(wires, lines, strict=True):
        if wire.feedback:
            assert line is not None
            parts.append(line.delayed_reals(np.zeros((len(inputs), wire.n, steps))))
            continue
        x = outputs[wire.source] if isinstance(wire.source, int) else inputs[:, wire.source]
        if line is not None:
            x = stretched(x, steps)
            late = line.delayed_reals(x)
            line.keep_reals(x)
            x = late
        parts.append(x)
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([stretched(part, steps) for part in parts], axis=1)


def keep_reals(wires: Sequence[Wire], lines: Lines, outputs: Sequence[Reals]) -> None:
    """Keep the outputs of later layers for the next blocks of a layer."""
    for wire, line in zip(wires, lines, strict=True):
        if wire.feedback and line is not None and isinstance(wire.source, int):
            line.keep_reals(outputs[wire.source])


def stretched(values: Reals, steps: int) -> Reals:
    """Return values (rows, n, steps or 1) at every time step, contiguous."""
    return np.ascontiguousarray(np.broadcast_to(values, (*values.shape[:2], steps)))


def _part(block: Block, inputs: slice) -> Block:
    if inputs == slice(0, block.words.shape[1]):
        return block
    return Block(np.ascontiguousarray(block.words[:, inputs]), block.bits, block.start)
