"""Deterministic sources: registers, low-discrepancy sequences, counters, permutations.

A stream's key and number choose where its sequence starts or how it is shifted. In the low-discrepancy
sources the shift is an exclusive or with 32 random bits (in base b, a random digit added to each
digit), which keeps the discrepancy and makes every product of a pair unbiased. The stream's lane, the
low half of its number, chooses the order of steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks, _native
from sc_neurocore._sequences import (
    ALL_LEVELS,
    TAPS,
    additive_numbers,
    additive_walks,
    coprime_bases,
    digit_shifts,
    digital_numbers,
    feedback,
    generator_columns,
    golden_step,
    is_primitive,
    largest_power,
    phases_of_states,
    prime_factors,
    prime_powers,
    primes,
    radical_numbers,
    random32,
    random_below,
    reordered,
    sobol_columns,
)
from sc_neurocore.random import Source, Words

_APART = np.uint64(2**62)  # a permutation's numbers are not those of Bernoulli streams of the same key
_FOR_MANY = "Sobol() and Hammersley() have more, Bernoulli() any number"


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
    Neighbouring states share all bits but one: streams shorter than a period have a larger error than
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
    >>> encode([0.2, 0.6, 1.0], 15, stream_key(1, Role.INPUT), source=LFSR(4)).counts()
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
    def _roots(self) -> frozenset[object]:
        return frozenset({("register", self.width, self.taps)})

    def _numbers(self, key: int, streams: Words, first: int, length: int) -> NDArray[np.uint32]:
        # The highest bit of a state is 0 where the number is below half; it was bit k before.
        top = self.width - 1
        phases = (self._phases(key, streams) + np.uint64((first - top) % self.levels)) % self.levels
        half = np.full(streams.size, self.levels // 2, np.uint64)
        words = _native.lfsr(self.width, self._feedback, phases, half, 0, length + top)
        bits = np.unpackbits(
            words.astype("<u8").view(np.uint8), axis=-1, count=length + top, bitorder="little"
        )
        states = sum(
            (1 - bits[:, k : k + length]).astype(np.uint32) << np.uint32(k) for k in range(self.width)
        )
        return np.asarray(states - np.uint32(1))

    def _words(self, key: int, streams: Words, thresholds: Words, first: int, length: int) -> Words:
        phases = self._phases(key, streams)
        return _native.lfsr(self.width, self._feedback, phases, thresholds, first, length)

    def _phases(self, key: int, streams: Words) -> Words:
        if self.start is not None:
            phase = phases_of_states(self.width, self._feedback)[self.start]
            return np.full(streams.size, phase, np.uint64)
        return random_below(self.levels, key, streams)

    @property
    def _feedback(self) -> int:
        return feedback(self.width, self.taps or ())


# Numbers that are made at a time where no kernel makes bits on its way: 16 MB.
_KEPT_NUMBERS = 2**22
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
    a tenth (`Hammersley(8, axis=1, randomised=False)`).

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
    >>> RotatedLFSR(4, start=9).numbers(0, [0, 1, 4], 3)
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
        counter = Hammersley(max(self.width // 2, 3), 1, randomised=False)
        return (self, *counter.sequences(max(n - 1, 0)))[:n]

    @property
    def _roots(self) -> frozenset[object]:
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

    def _words(self, key: int, streams: Words, thresholds: Words, first: int, length: int) -> Words:
        words = np.zeros((streams.size, -(-length // 64)), np.uint64)
        block = max(_KEPT_NUMBERS // (64 * max(streams.size, 1)), 1)
        for word in range(0, words.shape[1], block):
            steps = min(64 * block, length - 64 * word)
            numbers = self._numbers(key, streams, 64 * (first + word), steps)
            bits = np.packbits(numbers < thresholds[:, np.newaxis], axis=1, bitorder="little")
            padded = np.zeros((streams.size, -(-steps // 64) * 8), np.uint8)
            padded[:, : bits.shape[1]] = bits
            words[:, word : word + block] = padded.view("<u8")
        return words


@dataclass(frozen=True)
class Sobol(Source):
    """A Sobol sequence with the direction numbers of Joe and Kuo (SIAM J. Sci. Comput. 30, 2008).

    The numbers have 32 bits. Over 2**w steps from a multiple of 2**w on they take each of the 2**w
    leading bit patterns once. Dimensions, not shifts, make streams independent: the product of two
    streams of one dimension under different shifts is wrong by some 0.09 (root mean square) at any
    length, that of dimensions 0 and 1 by 0.6 / L, that of high dimensions by several times as much.

    Parameters
    ----------
    dimension : int, optional
        In [0, 1024), for all streams. By default stream s is dimension s.
    randomised : bool
        Shift each stream by random bits of its key and number and, where all have one dimension, take
        the steps of each lane in another order; or take the numbers as published.
    """

    dimension: int | None = None
    randomised: bool = True

    def __post_init__(self) -> None:
        if self.dimension is not None:
            dimension = _checks.integer("dimension", self.dimension, 0, len(sobol_columns()) - 1)
            object.__setattr__(self, "dimension", dimension)
        _checks.instance("randomised", self.randomised, bool)

    @property
    def levels(self) -> int:
        """2**32."""
        return ALL_LEVELS

    @property
    def period(self) -> int | None:
        """2**32."""
        return ALL_LEVELS

    @classmethod
    def for_length(cls, length: int) -> Sobol:
        """Return the source; it fits any length."""
        return cls()

    def sequences(self, n: int) -> tuple[Source, ...]:
        """Return this dimension and the next, from 0 on by default."""
        first = self.dimension or 0
        return tuple(Sobol(first + i, self.randomised) for i in range(n))

    @property
    def _roots(self) -> frozenset[object]:
        dimensions = range(len(sobol_columns())) if self.dimension is None else [self.dimension]
        return frozenset(("base 2", d) for d in dimensions)

    def _numbers(self, key: int, streams: Words, first: int, length: int) -> NDArray[np.uint32]:
        columns, matrices = self._matrices(streams)
        return digital_numbers(columns[matrices], self._shifts(key, streams), first, length)

    def _words(self, key: int, streams: Words, thresholds: Words, first: int, length: int) -> Words:
        columns, matrices = self._matrices(streams)
        shifts = self._shifts(key, streams)
        return _native.digital(columns, matrices, shifts, thresholds, first, length)

    def _matrices(self, streams: Words) -> tuple[NDArray[np.uint32], Words]:
        columns = sobol_columns()
        if self.dimension is not None:
            if self.randomised:
                return reordered(self.dimension, streams, 32, in_blocks=True)
            return columns[self.dimension, np.newaxis], np.zeros(streams.size, np.uint64)
        if (streams >= len(columns)).any():
            contract = f"be below {len(columns)}, the dimensions of Sobol()"
            remedy = "Sobol(0) is one dimension for all streams"
            _checks.fail("stream numbers", contract, streams.max(), remedy)
        return columns, streams

    def _shifts(self, key: int, streams: Words) -> NDArray[np.uint32]:
        return random32(key, streams) if self.randomised else np.zeros(streams.size, np.uint32)


@dataclass(frozen=True)
class Hammersley(Source):
    """A counter of `width` bits, or that with its bits reversed: the pair for products.

    Over a period of 2**width steps both take every level once; streams should run over whole periods.
    With fixed shifts it is the best deterministic pair here: its root mean square error over all pairs
    of levels is 0.0066 at L = 64 and 0.0019 at L = 256, and its mean error 0 for even widths. That
    takes a shift with as many ones as zeros on one axis: without any, all errors have one sign and
    are twice as large. Random shifts are better for sums of many products, whose errors they make
    independent.

    Parameters
    ----------
    width : int
        In [1, 31].
    axis : int
        In [0, 1024]: the counter, the reversed counter, and the further dimensions of `Sobol`.
    randomised : bool
        Shift each stream by random bits of its key and number and take the steps of each lane in
        another order; or shift all by the best fixed bits.

    Examples
    --------
    >>> from sc_neurocore import Hammersley, encode_pair
    >>> x, w = encode_pair(0.5, 0.25, 256, seed=1, source=Hammersley(8))
    >>> int(x.counts()), int(w.counts()), int((x & w).counts())
    (128, 64, 32)
    """

    width: int = 8
    axis: int = 0
    randomised: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", _checks.integer("width", self.width, 1, 31))
        object.__setattr__(self, "axis", _checks.integer("axis", self.axis, 0, len(sobol_columns())))
        _checks.instance("randomised", self.randomised, bool)

    @property
    def levels(self) -> int:
        """2**32, of which fixed shifts use the middles of 2**width intervals."""
        return ALL_LEVELS

    @property
    def period(self) -> int | None:
        """2**width."""
        return 1 << self.width

    @classmethod
    def for_length(cls, length: int) -> Hammersley:
        """Return the widest counter whose period is not longer."""
        return cls(min(max(length.bit_length() - 1, 1), 31))

    @property
    def rises(self) -> bool:
        """Whether it is the counter itself, in its own order."""
        return self.axis == 0 and not self.randomised

    def sequences(self, n: int) -> tuple[Source, ...]:
        """Return this axis and the next."""
        return tuple(Hammersley(self.width, self.axis + i, self.randomised) for i in range(n))

    @property
    def _roots(self) -> frozenset[object]:
        return frozenset({("base 2", self.axis - 1) if self.axis else "counter"})

    def _numbers(self, key: int, streams: Words, first: int, length: int) -> NDArray[np.uint32]:
        columns, matrices = self._matrices(streams)
        return digital_numbers(columns[matrices], self._shifts(key, streams), first, length)

    def _words(self, key: int, streams: Words, thresholds: Words, first: int, length: int) -> Words:
        columns, matrices = self._matrices(streams)
        shifts = self._shifts(key, streams)
        return _native.digital(columns, matrices, shifts, thresholds, first, length)

    def _matrices(self, streams: Words) -> tuple[NDArray[np.uint32], Words]:
        if self.randomised:
            return reordered(self.axis - 1, streams, self.width, in_blocks=False)
        columns = generator_columns(self.axis - 1, self.width)
        return columns[np.newaxis], np.zeros(streams.size, np.uint64)

    def _shifts(self, key: int, streams: Words) -> NDArray[np.uint32]:
        if self.randomised:
            return random32(key, streams)
        balanced = 2 ** (self.width // 2) - 1 if self.axis else 0
        middle = 2 ** (31 - self.width)
        return np.full(streams.size, (balanced << (32 - self.width)) + middle, np.uint32)


@dataclass(frozen=True)
class VanDerCorput(Source):
    """Radical inverses: the digits of t in a base, reversed behind the point, cut to 32 bits.

    The density of a stream of length L has an error below some (base - 1) log(L) / L. Beside it go the
    smallest primes that do not divide it, as in a Halton sequence. All lanes take their steps in one
    order: the firing rates of a network do not become more precise with length, as they do with
    `Sobol`.

    Parameters
    ----------
    base : int
        In [2, 65536].
    randomised : bool
        Shift the digits of each stream by random digits of its key and number, or not.
    """

    base: int = 2
    randomised: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "base", _checks.integer("base", self.base, 2, 65536))
        _checks.instance("randomised", self.randomised, bool)

    @property
    def levels(self) -> int:
        """2**32."""
        return ALL_LEVELS

    @property
    def period(self) -> int | None:
        """The largest power of the base up to 2**32."""
        return largest_power(self.base)

    @classmethod
    def for_length(cls, length: int) -> VanDerCorput:
        """Return the source; it fits any length."""
        return cls()

    def sequences(self, n: int) -> tuple[Source, ...]:
        """Return this base and the smallest primes that do not divide it."""
        return tuple(VanDerCorput(b, self.randomised) for b in coprime_bases(self.base, n))

    @property
    def _roots(self) -> frozenset[object]:
        return frozenset(("base 2", 0) if p == 2 else p for p in prime_factors(self.base))

    def _numbers(self, key: int, streams: Words, first: int, length: int) -> NDArray[np.uint32]:
        bases = np.full(streams.size, self.base, np.uint64)
        return radical_numbers(bases, self._shifts(key, streams), first, length)

    def _words(self, key: int, streams: Words, thresholds: Words, first: int, length: int) -> Words:
        shifts = self._shifts(key, streams)
        if self.base == 2:  # the same numbers by the faster kernel
            columns, matrices = sobol_columns()[:1], np.zeros(streams.size, np.uint64)
            bits = shifts.astype(np.uint32)
            return _native.digital(columns, matrices, bits, thresholds, first, length)
        bases = np.full(streams.size, self.base, np.uint64)
        return _native.radical(bases, shifts, thresholds, first, length)

    def _shifts(self, key: int, streams: Words) -> Words:
        return digit_shifts(self.randomised, largest_power(self.base), key, streams)


@dataclass(frozen=True)
class Halton(Source):
    """A Halton sequence: stream s is the radical inverse in the prime number s, counted from 0.

    Large primes need long streams: over fewer steps than the prime they rise like a counter. Its
    sequences for networks are those of `VanDerCorput`, with what is said there.

    Parameters
    ----------
    randomised : bool
        Shift the digits of each stream by random digits of its key and number, or not.
    """

    randomised: bool = True

    def __post_init__(self) -> None:
        _checks.instance("randomised", self.randomised, bool)

    @property
    def levels(self) -> int:
        """2**32."""
        return ALL_LEVELS

    @property
    def period(self) -> int | None:
        """None: each stream has a period of its own."""
        return None

    @classmethod
    def for_length(cls, length: int) -> Halton:
        """Return the source; it fits any length."""
        return cls()

    def sequences(self, n: int) -> tuple[Source, ...]:
        """Return the bases 2, 3, 5, ..., one for all streams of each."""
        return tuple(VanDerCorput(b, self.randomised) for b in coprime_bases(2, n))

    @property
    def _roots(self) -> frozenset[object]:
        return frozenset(("base 2", 0) if p == 2 else p for p in primes().tolist())

    def _numbers(self, key: int, streams: Words, first: int, length: int) -> NDArray[np.uint32]:
        bases = self._bases(streams)
        shifts = digit_shifts(self.randomised, prime_powers()[streams], key, streams)
        return radical_numbers(bases, shifts, first, length)

    def _words(self, key: int, streams: Words, thresholds: Words, first: int, length: int) -> Words:
        bases = self._bases(streams)
        shifts = digit_shifts(self.randomised, prime_powers()[streams], key, streams)
        return _native.radical(bases, shifts, thresholds, first, length)

    def _bases(self, streams: Words) -> Words:
        bases = primes()
        if (streams >= bases.size).any():
            contract = f"be below {bases.size}, the bases of Halton()"
            remedy = "VanDerCorput() is one base for all streams"
            _checks.fail("stream numbers", contract, streams.max(), remedy)
        return bases[streams]


@dataclass(frozen=True)
class Weyl(Source):
    """Steps of about the golden ratio of a period: the number is t * step modulo the period.

    The step is prime to the period, so that over a period every level is exact. The pair are a counter
    and this: a product over a period of L has an error of some 0.6 / L (root mean square), for lengths
    that need not be powers of two.

    Parameters
    ----------
    period : int
        In [3, 2**32].
    randomised : bool
        Start each stream at a random number of its key and number and take the steps of each lane in
        another order; or count from 0.
    """

    period: int = 256
    randomised: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "period", _checks.integer("period", self.period, 3, ALL_LEVELS))
        _checks.instance("randomised", self.randomised, bool)

    @property
    def levels(self) -> int:
        """The period."""
        return self.period

    @classmethod
    def for_length(cls, length: int) -> Weyl:
        """Return the source of that period."""
        return cls(length)

    def sequences(self, n: int) -> tuple[Source, ...]:
        """Return a counter of the same period and this; there is no third."""
        _only_two(n, self)
        return (Ramp(self.period, self.randomised), self)[:n]

    @property
    def _roots(self) -> frozenset[object]:
        return frozenset({("golden", self.period)})

    def _numbers(self, key: int, streams: Words, first: int, length: int) -> NDArray[np.uint32]:
        steps, starts = additive_walks(self.randomised, self._step, self.period, key, streams)
        return additive_numbers(self.period, steps, starts, first, length)

    def _words(self, key: int, streams: Words, thresholds: Words, first: int, length: int) -> Words:
        steps, starts = additive_walks(self.randomised, self._step, self.period, key, streams)
        return _native.additive(self.period, steps, starts, thresholds, first, length)

    @property
    def _step(self) -> int:
        return golden_step(self.period)


@dataclass(frozen=True)
class Ramp(Source):
    """A counter: the thermometer or unary code, in which all ones of a period come first.

    Streams should run over whole periods. Two streams of one counter have SCC +1. The pair are the
    counter and `Weyl` of the same period.

    Parameters
    ----------
    period : int
        In [2, 2**32].
    randomised : bool
        Start each stream at a random number of its key and number and take the steps of each lane in
        another order; or count from 0.

    Examples
    --------
    >>> from sc_neurocore import Ramp, Role, encode, stream_key
    >>> encode([0.25, 0.75], 8, stream_key(1, Role.INPUT), source=Ramp(8)).bits()
    array([[1, 1, 0, 0, 0, 0, 0, 0],
           [1, 1, 1, 1, 1, 1, 0, 0]], dtype=uint8)
    """

    period: int = 256
    randomised: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "period", _checks.integer("period", self.period, 2, ALL_LEVELS))
        _checks.instance("randomised", self.randomised, bool)

    @property
    def levels(self) -> int:
        """The period."""
        return self.period

    @classmethod
    def for_length(cls, length: int) -> Ramp:
        """Return the source of that period."""
        return cls(length)

    @property
    def rises(self) -> bool:
        """Whether it counts in its own order."""
        return not self.randomised

    def sequences(self, n: int) -> tuple[Source, ...]:
        """Return this and the golden ratio of the same period; there is no third."""
        _only_two(n, self)
        return (self, Weyl(self.period, self.randomised))[:n]

    @property
    def _roots(self) -> frozenset[object]:
        return frozenset({"counter"})

    def _numbers(self, key: int, streams: Words, first: int, length: int) -> NDArray[np.uint32]:
        steps, starts = additive_walks(self.randomised, 1, self.period, key, streams)
        return additive_numbers(self.period, steps, starts, first, length)

    def _words(self, key: int, streams: Words, thresholds: Words, first: int, length: int) -> Words:
        steps, starts = additive_walks(self.randomised, 1, self.period, key, streams)
        return _native.additive(self.period, steps, starts, thresholds, first, length)


@dataclass(frozen=True)
class Permutation(Source):
    """A random permutation of 0 .. period - 1 for each stream, repeated: exact counts in random order.

    Keys and numbers make streams independent. Over a period of L steps a product has the variance
    p q (1 - p) (1 - q) / (L - 1), over all pairs of levels the root mean square error
    1 / (6 sqrt(L - 1)).

    Parameters
    ----------
    period : int
        In [2, 2**24].
    """

    period: int = 256

    def __post_init__(self) -> None:
        object.__setattr__(self, "period", _checks.integer("period", self.period, 2, 2**24))

    @property
    def levels(self) -> int:
        """The period."""
        return self.period

    @classmethod
    def for_length(cls, length: int) -> Permutation:
        """Return the source of that period."""
        return cls(length)

    def sequences(self, n: int) -> tuple[Source, ...]:
        """Return the source n times: keys alone make its streams independent."""
        return (self,) * n

    @property
    def _roots(self) -> frozenset[object]:
        return frozenset()

    def _numbers(self, key: int, streams: Words, first: int, length: int) -> NDArray[np.uint32]:
        uniform = _native.uniform(key, streams | _APART, 0, self.period)
        ranks = uniform.argsort(axis=-1, kind="stable").argsort(axis=-1)
        steps = (first + np.arange(length)) % self.period
        return np.ascontiguousarray(ranks[:, steps], np.uint32)

    def _words(self, key: int, streams: Words, thresholds: Words, first: int, length: int) -> Words:
        return _native.permutation(key, streams | _APART, self.period, thresholds, first, length)


def _only_two(n: int, source: Source) -> None:
    if n > 2:
        _checks.fail("source", f"have {n} independent sequences", f"{source}, which has two", _FOR_MANY)
