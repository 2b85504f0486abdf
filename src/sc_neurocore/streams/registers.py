"""Linear feedback shift registers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache

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


@dataclass(frozen=True, repr=False)
class LFSR(Source):
    """Linear feedback shift register (LFSR) of maximal length.

    The register shifts its state s to the right by one bit per step::

        s = s >> 1 | b << (width - 1)

    The new bit b is the parity of the bits ``width - e`` of s for the exponents e in `taps`, which are
    the bits that entered e steps before. The register runs through all states but 0. The number is the
    state minus 1, so that densities ``k / (2**width - 1)`` are exact over a period.

    Parameters
    ----------
    width : int
        Number of bits of the state, in [3, 32].
    taps : sequence of int, optional
        Exponents of a primitive polynomial of degree `width`, including the width. By default one from
        a table.
    start : int, optional
        State of all streams at step 0, in ``[1, 2**width)``, for widths up to 16, as in hardware. By
        default each stream starts at a random state that depends on its key and number.
    zero : bool
        Insert state 0 behind state 1, for widths up to 16. The bit that is shifted in is then inverted
        if all bits but the lowest are 0 (de Bruijn: A combinatorial problem; Koninklijke Nederlandsche
        Akademie van Wetenschappen 49, 1946). The number is the state, the period ``2**width``, and the
        densities ``k / 2**width`` are exact over a period.

    Notes
    -----
    The pair for products is the register and the register of the reciprocal polynomial, which runs
    through the same sequence in reverse. Two phases of one register would be correlated if they are
    close to each other, and at some larger distances too. Averaged over the phases, the error of a
    product over a period L is 6 to 8 % larger than that of `Permutation`, ``1 / (6 * sqrt(L - 1))``.

    Neighboring states share all bits but one. Streams shorter than a period therefore have a larger
    error than Bernoulli streams, and operators that require input white in time give wrong results.

    Examples
    --------
    >>> from sc_neurocore import LFSR, Role, encode, stream_key
    >>> encode([0.2, 0.6, 1.0], 15, key=stream_key(1, Role.INPUT), source=LFSR(4)).counts()
    array([ 3,  9, 15])
    >>> encode([0.25, 0.5, 1.0], 16, key=1, source=LFSR(4, zero=True)).counts()
    array([ 4,  8, 16])
    """

    width: int = 16
    taps: tuple[int, ...] | None = None
    start: int | None = None
    zero: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        width = _checks.integer("width", self.width, 3, 32)
        _checks.instance("zero", self.zero, bool)
        if self.zero and width > 16:
            _checks.fail("width", "be at most 16 for a register with state 0", width)
        if self.start is not None:
            if width > 16:
                _checks.fail("width", "be at most 16 for a register with a start", width)
            _checks.integer("start", self.start, 0 if self.zero else 1, (1 << width) - 1)
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
        """Number of levels, ``2**width - 1``, with `zero` ``2**width``."""
        return (1 << self.width) - (not self.zero)

    @property
    def period(self) -> int | None:
        """Period in steps, ``2**width - 1``, with `zero` ``2**width``."""
        return self.levels

    @classmethod
    def for_length(cls, length: int) -> LFSR:
        """Return the widest register whose period is at most length + 1 steps."""
        return cls(min(max((length + 2).bit_length() - 1, 3), 32))

    def rise(self, streams: Words) -> int:
        """Return 1 or, with a fixed start, the steps during which the states are far from uniform.

        A start with few ones, such as 1, is followed by small states or large ones. The result is the
        last of the first ``8 * width`` steps at which the Kolmogorov-Smirnov distance of the states so
        far from a uniform distribution exceeds 1.63 / sqrt(steps), its 1 % quantile for independent
        numbers.
        """
        if self.start is None:
            return 1
        return _steps_until_uniform(self)

    def sequences(self, n: int) -> tuple[Source, ...]:
        """Return this register and the one of the reciprocal polynomial, alternately.

        Sources of the same register are separated by the random phases of their keys.
        """
        mirrored = (self.width, *(self.width - e for e in self.taps or () if e != self.width))
        return tuple((self, replace(self, taps=mirrored))[i % 2] for i in range(n))

    @property
    def roots(self) -> frozenset[object]:
        """Identifiers of the sequences that the numbers are taken from, see `Source.roots`."""
        return frozenset({("register", self.width, self.taps)})

    def _numbers(self, key: int, streams: Words, first: int, length: int) -> NDArray[np.uint32]:
        # The highest bit of a state is 0 where the number is below half. Bit k of a state was the
        # highest bit of the state width - 1 - k steps before.
        top = self.width - 1
        phases = (self._phases(key, streams) + np.uint64((first - top) % self.levels)) % self.levels
        half = np.full(streams.size, self.levels // 2, np.uint64)  # states below 2**top
        words = _native.lfsr(self.width, self._feedback, phases, half, 0, length + top, self.zero)
        bits = unpack(words, length + top)
        states = sum(
            (1 - bits[:, k : k + length]).astype(np.uint32) << np.uint32(k) for k in range(self.width)
        )
        return np.asarray(states - np.uint32(not self.zero))

    def _words(
        self, key: int, streams: Words, thresholds: Words, first_word: int, length: int
    ) -> Words:
        phases = self._phases(key, streams)
        return _native.lfsr(
            self.width, self._feedback, phases, thresholds, first_word, length, self.zero
        )

    def _phases(self, key: int, streams: Words) -> Words:
        if self.start is not None:
            phase = phases_of_states(self.width, self._feedback, self.zero)[self.start]
            return np.full(streams.size, phase, np.uint64)
        return random_below(self.levels, key, streams)

    @property
    def _feedback(self) -> int:
        return feedback(self.width, self.taps or ())


# An odd number near 2**16 / golden ratio, whose multiples differ in their leading bits.
_SPREAD = 0x9E37


@dataclass(frozen=True, repr=False)
class RotatedLFSR(Source):
    """One register shared by many streams, as in hardware: each lane reads its state rotated.

    The number of lane i (the low half of the stream number) at step t is ::

        rotate_left(state(t), i % width) ^ (i // width * 0x9E37) % 2**width

    where state(0) is `start`. It depends neither on the key nor on the high half of the stream number.
    Over a period it takes all values but one, so that the bias is at most ``2**-width``.

    Parameters
    ----------
    width : int
        Number of bits of the state, in [3, 16].
    taps : sequence of int, optional
        Exponents of a primitive polynomial, as in `LFSR`.
    start : int
        State at step 0, in ``[1, 2**width)``.

    Notes
    -----
    Used for inputs, with one `Hammersley` counter for all weights, it reduces the error of a sum of 64
    products of length 256 to two thirds of the error with one register per stream. One counter for
    both, ``source=Hammersley(8, axis=1, randomized=False)``, reduces it to a tenth.

    Examples
    --------
    >>> from sc_neurocore.streams import RotatedLFSR
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
        """Number of levels, ``2**width``."""
        return 1 << self.width

    @property
    def period(self) -> int | None:
        """Period in steps, ``2**width - 1``."""
        return (1 << self.width) - 1

    @classmethod
    def for_length(cls, length: int) -> RotatedLFSR:
        """Return the widest register whose period is at most length + 1 steps."""
        return cls(min(LFSR.for_length(length).width, 16))

    def rise(self, streams: Words) -> int:
        """Return the steps during which the states are far from uniform, as for `LFSR`."""
        return _steps_until_uniform(LFSR(self.width, self.taps, self.start))

    def sequences(self, n: int) -> tuple[Source, ...]:
        """Return this register and, for the weights, the `Hammersley` axes 1, 2, ..., n - 1."""
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


@lru_cache(maxsize=256)
def _steps_until_uniform(register: LFSR) -> int:
    """Return `LFSR.rise` of a register with a fixed start."""
    n = min(8 * register.width, (1 << register.width) - 1)
    values = (register.numbers(0, n, key=0).astype(np.float64) + 0.5) / register.levels
    steps = 1
    for length in range(4, n + 1):
        ordered, each = np.sort(values[:length]), np.arange(length) / length
        distance = max(float((each + 1 / length - ordered).max()), float((ordered - each).max()))
        if distance * length**0.5 > 1.63:
            steps = length + 1
    return steps
