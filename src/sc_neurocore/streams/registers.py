"""Linear feedback shift registers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks, _native
from sc_neurocore._types import Words
from sc_neurocore.streams._bits import unpack
from sc_neurocore.streams._numbers import (
    TAPS,
    feedback,
    is_primitive,
    phases_of_states,
    random_below,
)
from sc_neurocore.streams.low_discrepancy import Hammersley
from sc_neurocore.streams.source import Source

__all__ = ["LFSR", "RotatedLFSR"]


@dataclass(frozen=True)
class LFSR(Source):
    """The states of a maximal-length linear feedback shift register, less 1.

    The register shifts right, s <- s >> 1 | b << (width - 1), where b is the parity of the bits
    width - e of s for the exponents e in `taps`: a new bit is the sum of those e steps before. It runs
    through all states but 0. With a probability of k / (2**width - 1) a stream is 1 where state <= k,
    so over a period every level is exact. A stream starts at a random state, drawn from its key and
    number.

    The pair are the register and the one of the reciprocal polynomial, whose sequence is the same in
    reverse: they have no phases that are close to each other, while phases of one register are
    correlated when they are near, and at some far distances too. Over a period the error of a product
    is, on average over the phases, 6 to 8 % above that of random permutations, 1 / (6 sqrt(L - 1)).
    Neighboring states share all bits but one: streams shorter than a period have a larger error than
    Bernoulli streams, and machines that need white input compute other functions.

    Parameters
    ----------
    width : int
        Bits of the state, in [3, 32].
    taps : sequence of int, optional
        Exponents of a primitive polynomial, the width among them. By default one from a table.
    start : int, optional
        The state at step 0 of all streams, as a register in hardware has it; widths up to 16. By
        default each stream has its own.

    Examples
    --------
    >>> from sc_neurocore import LFSR, Role, encode, stream_key
    >>> encode([0.2, 0.6, 1.0], 15, key=stream_key(1, Role.INPUT), source=LFSR(4)).counts()
    array([ 3,  9, 15])
    """

    width: int = 16
    taps: tuple[int, ...] | None = None
    start: int | None = None

    def __post_init__(self) -> None:
        width = _checks.integer("width", self.width, 3, 32)
        if self.start is not None:
            if width > 16:
                _checks.fail("width", "be at most 16 for a register with a start", width)
            _checks.integer("start", self.start, 1, (1 << width) - 1)
        given = TAPS[width] if self.taps is None else self.taps
        if not isinstance(given, tuple | list):
            _checks.wrong_type("taps", "be a sequence of exponents", given)
        taps = tuple(sorted({_checks.integer("taps", e, 1, width) for e in given}, reverse=True))
        if width not in taps or not is_primitive(feedback(width, taps), width):
            _checks.fail("taps", f"be the exponents of a primitive polynomial of degree {width}", taps)
        object.__setattr__(self, "width", width)
        object.__setattr__(self, "taps", taps)

    @property
    def levels(self) -> int:
        """2**width - 1."""
        return (1 << self.width) - 1

    @property
    def period(self) -> int | None:
        """2**width - 1."""
        return (1 << self.width) - 1

    @classmethod
    def for_length(cls, length: int) -> LFSR:
        """Return the widest register whose period is not longer than length + 1."""
        return cls(min(max((length + 2).bit_length() - 1, 3), 32))

    def sequences(self, n: int) -> tuple[Source, ...]:
        """Return the register and that of the reciprocal polynomial, in turn; phases separate them."""
        mirrored = (self.width, *(self.width - e for e in self.taps or () if e != self.width))
        return tuple((self, LFSR(self.width, mirrored, self.start))[i % 2] for i in range(n))

    @property
    def roots(self) -> frozenset[object]:
        """Identifiers of the sequences that the numbers are taken from, see `Source.roots`."""
        return frozenset({("register", self.width, self.taps)})

    def _numbers(self, key: int, streams: Words, first: int, length: int) -> NDArray[np.uint32]:
        # The highest bit of a state is 0 where the number is below half; it was bit k before.
        top = self.width - 1
        phases = (self._phases(key, streams) + np.uint64((first - top) % self.levels)) % self.levels
        half = np.full(streams.size, self.levels // 2, np.uint64)
        words = _native.lfsr(self.width, self._feedback, phases, half, 0, length + top)
        bits = unpack(words, length + top)
        states = sum(
            (1 - bits[:, k : k + length]).astype(np.uint32) << np.uint32(k) for k in range(self.width)
        )
        return np.asarray(states - np.uint32(1))

    def _words(
        self, key: int, streams: Words, thresholds: Words, first_word: int, length: int
    ) -> Words:
        phases = self._phases(key, streams)
        return _native.lfsr(self.width, self._feedback, phases, thresholds, first_word, length)

    def _phases(self, key: int, streams: Words) -> Words:
        if self.start is not None:
            phase = phases_of_states(self.width, self._feedback)[self.start]
            return np.full(streams.size, phase, np.uint64)
        return random_below(self.levels, key, streams)

    @property
    def _feedback(self) -> int:
        return feedback(self.width, self.taps or ())


# An odd number near 2**16 / golden ratio: its multiples differ in their leading bits.
_SPREAD = 0x9E37


@dataclass(frozen=True)
class RotatedLFSR(Source):
    """One register for many streams, as hardware shares it: each lane reads its state rotated.

    The number of lane i (of stream row << 32 | i) at step t is the state of the register, t steps after
    `start`, rotated left by i mod width, exclusive or (i // width) * 0x9E37 mod 2**width. It depends on
    neither key nor row. Over a period it takes each value but one: the bias is at most 2**-width.

    As inputs beside weights that all compare with one `Hammersley` counter, sums of 64 products of
    length 256 err by two thirds of what they do with a register a stream; one counter for both errs by
    a tenth (`Hammersley(8, axis=1, randomized=False)`).

    Parameters
    ----------
    width : int
        Bits of the state, in [3, 16].
    taps : sequence of int, optional
        As of `LFSR`.
    start : int
        The state at step 0.

    Examples
    --------
    >>> from sc_neurocore import RotatedLFSR
    >>> RotatedLFSR(4, start=9).numbers([0, 1, 4], 3, key=0)
    array([[ 9, 12,  6],
           [ 3,  9, 12],
           [14, 11,  1]], dtype=uint32)
    """

    width: int = 16
    taps: tuple[int, ...] | None = None
    start: int = 1

    def __post_init__(self) -> None:
        width = _checks.integer("width", self.width, 3, 16)
        start = _checks.integer("start", self.start, 1, (1 << width) - 1)
        object.__setattr__(self, "taps", LFSR(width, self.taps, start).taps)

    @property
    def levels(self) -> int:
        """2**width."""
        return 1 << self.width

    @property
    def period(self) -> int | None:
        """2**width - 1."""
        return (1 << self.width) - 1

    @classmethod
    def for_length(cls, length: int) -> RotatedLFSR:
        """Return the widest register whose period is not longer than length + 1."""
        return cls(min(LFSR.for_length(length).width, 16))

    def sequences(self, n: int) -> tuple[Source, ...]:
        """Return the register and, for weights, the axes of a counter from the reversed one on."""
        counter = Hammersley(max(self.width // 2, 3), 1, randomized=False)
        return (self, *counter.sequences(max(n - 1, 0)))[:n]

    @property
    def roots(self) -> frozenset[object]:
        """Identifiers of the sequences that the numbers are taken from, see `Source.roots`."""
        return frozenset({("register", self.width, self.taps)})

    def _numbers(self, key: int, streams: Words, first: int, length: int) -> NDArray[np.uint32]:
        register = LFSR(self.width, self.taps, self.start)
        state = register._numbers(0, np.zeros(1, np.uint64), first, length) + np.uint32(1)
        lanes = streams & np.uint64(2**32 - 1)
        turn = (lanes % np.uint64(self.width)).astype(np.uint32)[:, np.newaxis]
        mask = np.uint64(self.levels - 1)
        spread = (lanes // np.uint64(self.width) * np.uint64(_SPREAD) & mask).astype(np.uint32)
        rotated = state << turn | state >> (np.uint32(self.width) - turn)
        return np.asarray(rotated & np.uint32(mask) ^ spread[:, np.newaxis])
