"""Low-discrepancy sources: Sobol, Hammersley, van der Corput and Halton sequences.

If randomized, the numbers of a stream are shifted by random bits that depend on its key and number: an
exclusive or with 32 bits in base 2, a digit added to each digit in other bases. This keeps the
discrepancy and makes every product of a pair unbiased. The lane of the stream (the low half of its
number) chooses the order of steps.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks, _native
from sc_neurocore._types import Words
from sc_neurocore.streams._bits import leading_bits, of_32_bits
from sc_neurocore.streams._numbers import (
    ALL_LEVELS,
    coprime_bases,
    digit_shifts,
    digital_numbers,
    generator_columns,
    in_gray_order,
    largest_power,
    prime_factors,
    prime_powers,
    primes,
    radical_numbers,
    random32,
    reordered,
    sobol_columns,
)
from sc_neurocore.streams.source import Source

__all__ = ["Halton", "Hammersley", "Sobol", "VanDerCorput"]


@dataclass(frozen=True, repr=False)
class Sobol(Source):
    """Sobol sequence with the direction numbers of Joe and Kuo (SIAM J. Sci. Comput. 30, 2008).

    The numbers have 32 bits. In a block of ``2**w`` steps that starts at a multiple of ``2**w``, every
    pattern of the w leading bits occurs once.

    Parameters
    ----------
    dimension : int, optional
        Dimension of all streams, in [0, 1024). By default stream s has dimension s.
    randomized : bool
        Shift the numbers of each stream by random bits and, if `dimension` is given, step through them
        in a different order in each lane. If False, use the published numbers.
    gray : bool
        Step through the numbers in the order of a Gray code, so that one column of the generator matrix
        is added per step, as in hardware and in `scipy.stats.qmc.Sobol`. Every block of ``2**w`` steps
        from a multiple of ``2**w`` on has the same numbers in both orders.
    bits : int
        Bits of a number and of the counter, in [1, 32]: the numbers repeat after ``2**bits`` steps, and
        a comparator rounds p to a multiple of ``2**-bits``.

    Notes
    -----
    Streams are made independent by different dimensions and not by different shifts. The root mean
    square error of a product of two streams of length L is

    - about 0.6 / L for dimensions 0 and 1,
    - several times as large for high dimensions,
    - about 0.09 at any length for two streams of the same dimension with different shifts.

    Examples
    --------
    A generator of 3 bits:

    >>> from sc_neurocore import Sobol
    >>> Sobol(1, randomized=False, gray=True, bits=3).numbers(0, 8, key=0)
    array([0, 4, 2, 6, 3, 7, 1, 5], dtype=uint32)
    """

    dimension: int | None = None
    randomized: bool = True
    gray: bool = field(default=False, kw_only=True)
    bits: int = field(default=32, kw_only=True)

    def __post_init__(self) -> None:
        _checks.instance("gray", self.gray, bool)
        object.__setattr__(self, "bits", _checks.integer("bits", self.bits, 1, 32))
        if self.dimension is not None:
            dimension = _checks.integer("dimension", self.dimension, 0, len(sobol_columns()) - 1)
            object.__setattr__(self, "dimension", dimension)
        _checks.instance("randomized", self.randomized, bool)

    @property
    def levels(self) -> int:
        """Number of levels, ``2**bits``."""
        return 1 << self.bits

    @property
    def period(self) -> int | None:
        """Period in steps, ``2**bits``."""
        return 1 << self.bits

    def sequences(self, n: int) -> tuple[Source, ...]:
        """Return this dimension and the n - 1 next ones; from dimension 0 by default."""
        first = self.dimension or 0
        return tuple(replace(self, dimension=first + i) for i in range(n))

    @property
    def roots(self) -> frozenset[object]:
        """Identifiers of the sequences that the numbers are taken from, see `Source.roots`."""
        dimensions = range(len(sobol_columns())) if self.dimension is None else [self.dimension]
        return frozenset(("base 2", d) for d in dimensions)

    def _numbers(self, key: int, streams: Words, first: int, length: int) -> NDArray[np.uint32]:
        columns, matrices = self._matrices(streams)
        numbers = digital_numbers(columns[matrices], self._shifts(key, streams), first, length)
        return leading_bits(numbers, self.bits)

    def _words(
        self, key: int, streams: Words, thresholds: Words, first_word: int, length: int
    ) -> Words:
        columns, matrices = self._matrices(streams)
        shifts, fine = self._shifts(key, streams), of_32_bits(thresholds, self.bits)
        return _native.digital(columns, matrices, shifts, fine, first_word, length)

    def _matrices(self, streams: Words) -> tuple[NDArray[np.uint32], Words]:
        if self.dimension is None:
            if (streams >= len(sobol_columns())).any():
                contract = f"be below {len(sobol_columns())}, the dimensions of Sobol()"
                remedy = "Sobol(0) is one dimension for all streams"
                _checks.fail("stream numbers", contract, streams.max(), remedy)
            return sobol_columns(self.bits, self.gray), streams
        if not self.randomized:
            columns = sobol_columns(self.bits, self.gray)
            return columns[self.dimension, np.newaxis], np.zeros(streams.size, np.uint64)
        columns, index = reordered(self.dimension, streams, self.bits, in_blocks=True)
        return in_gray_order(columns, self.bits) if self.gray else columns, index

    def _shifts(self, key: int, streams: Words) -> NDArray[np.uint32]:
        return random32(key, streams) if self.randomized else np.zeros(streams.size, np.uint32)


@dataclass(frozen=True, repr=False)
class Hammersley(Source):
    """Counter of `width` bits, the same counter with its bits reversed, and dimensions of `Sobol`.

    The counter and the reversed counter are the pair for products. Each takes ``2**width`` evenly
    spaced values once per period of ``2**width`` steps. Streams should consist of whole periods.

    Parameters
    ----------
    width : int
        Number of bits, in [1, 31].
    axis : int
        0 for the counter, 1 for the reversed counter, 2 to 1024 for dimension axis - 1 of `Sobol`.
    randomized : bool
        Shift the numbers of each stream by random bits, and step through them in a different order in
        each lane. If False, shift all streams by the best fixed bits.

    Notes
    -----
    Fixed shifts make the best deterministic pair for single products: the root mean square error over
    all pairs of levels is 0.0066 at L = 64 and 0.0019 at L = 256, and the mean error is 0 for even
    widths. The shift of one axis has as many ones as zeros. Without it, all errors would have the same
    sign and be twice as large. Random shifts are better for sums of many products, because they make
    the errors of the products independent.

    Examples
    --------
    >>> from sc_neurocore import Hammersley, encode_pair
    >>> x, w = encode_pair(0.5, 0.25, 256, key=1, source=Hammersley(8))
    >>> int(x.counts()), int(w.counts()), int((x & w).counts())
    (128, 64, 32)
    """

    width: int = 8
    axis: int = 0
    randomized: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", _checks.integer("width", self.width, 1, 31))
        object.__setattr__(self, "axis", _checks.integer("axis", self.axis, 0, len(sobol_columns())))
        _checks.instance("randomized", self.randomized, bool)

    @property
    def levels(self) -> int:
        """Number of levels, ``2**32``; fixed shifts use the middles of ``2**width`` intervals."""
        return ALL_LEVELS

    @property
    def period(self) -> int | None:
        """Period in steps, ``2**width``."""
        return 1 << self.width

    @classmethod
    def for_length(cls, length: int) -> Hammersley:
        """Return the widest counter whose period is at most `length` steps."""
        return cls(min(max(length.bit_length() - 1, 1), 31))

    def rise(self, streams: Words) -> int:
        """Return the period for the counter itself in its own order, else 1."""
        return 1 if self.axis or self.randomized else 1 << self.width

    def sequences(self, n: int) -> tuple[Source, ...]:
        """Return this axis and the n - 1 next ones."""
        return tuple(Hammersley(self.width, self.axis + i, self.randomized) for i in range(n))

    @property
    def roots(self) -> frozenset[object]:
        """Identifiers of the sequences that the numbers are taken from, see `Source.roots`."""
        return frozenset({("base 2", self.axis - 1) if self.axis else "counter"})

    def _numbers(self, key: int, streams: Words, first: int, length: int) -> NDArray[np.uint32]:
        columns, matrices = self._matrices(streams)
        return digital_numbers(columns[matrices], self._shifts(key, streams), first, length)

    def _words(
        self, key: int, streams: Words, thresholds: Words, first_word: int, length: int
    ) -> Words:
        columns, matrices = self._matrices(streams)
        shifts = self._shifts(key, streams)
        return _native.digital(columns, matrices, shifts, thresholds, first_word, length)

    def _matrices(self, streams: Words) -> tuple[NDArray[np.uint32], Words]:
        if self.randomized:
            return reordered(self.axis - 1, streams, self.width, in_blocks=False)
        columns = generator_columns(self.axis - 1, self.width)
        return columns[np.newaxis], np.zeros(streams.size, np.uint64)

    def _shifts(self, key: int, streams: Words) -> NDArray[np.uint32]:
        if self.randomized:
            return random32(key, streams)
        balanced = 2 ** (self.width // 2) - 1 if self.axis else 0
        middle = 2 ** (31 - self.width)
        return np.full(streams.size, (balanced << (32 - self.width)) + middle, np.uint32)


@dataclass(frozen=True, repr=False)
class VanDerCorput(Source):
    """Van der Corput sequence: the radical inverse of the step t in a base, truncated to 32 bits.

    The radical inverse has the digits of t in reverse order after the point. The error of the density
    of a stream of length L is below about ``(base - 1) * log(L) / L``.

    Parameters
    ----------
    base : int
        In [2, 65536].
    randomized : bool
        Shift the digits of each stream by random digits that depend on its key and number.
    bits : int
        Bits of a number, in [1, 32]: a comparator of b bits rounds p to a multiple of ``2**-b``.

    Notes
    -----
    Streams should have many more steps than the base: through the first `base` steps the numbers count
    upwards (`rise`). All lanes have the same order of steps. The firing rates of a network therefore do
    not become more precise with length, in contrast to `Sobol`.
    """

    base: int = 2
    randomized: bool = True
    bits: int = field(default=32, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "bits", _checks.integer("bits", self.bits, 1, 32))
        object.__setattr__(self, "base", _checks.integer("base", self.base, 2, 65536))
        _checks.instance("randomized", self.randomized, bool)

    @property
    def levels(self) -> int:
        """Number of levels, ``2**bits``."""
        return 1 << self.bits

    @property
    def period(self) -> int | None:
        """Period in steps, the largest power of the base up to ``2**32``."""
        return largest_power(self.base)

    def rise(self, streams: Words) -> int:
        """Return the base: over that many steps the leading digit counts from its shift upwards."""
        return self.base

    def sequences(self, n: int) -> tuple[Source, ...]:
        """Return this base and the n - 1 smallest primes that do not divide it."""
        return tuple(replace(self, base=b) for b in coprime_bases(self.base, n))

    @property
    def roots(self) -> frozenset[object]:
        """Identifiers of the sequences that the numbers are taken from, see `Source.roots`."""
        return frozenset(("base 2", 0) if p == 2 else p for p in prime_factors(self.base))

    def _numbers(self, key: int, streams: Words, first: int, length: int) -> NDArray[np.uint32]:
        bases = np.full(streams.size, self.base, np.uint64)
        numbers = radical_numbers(bases, self._shifts(key, streams), first, length)
        return leading_bits(numbers, self.bits)

    def _words(
        self, key: int, streams: Words, thresholds: Words, first_word: int, length: int
    ) -> Words:
        shifts, thresholds = self._shifts(key, streams), of_32_bits(thresholds, self.bits)
        if self.base == 2:  # the same numbers by the faster kernel
            columns, matrices = sobol_columns()[:1], np.zeros(streams.size, np.uint64)
            bits = shifts.astype(np.uint32)
            return _native.digital(columns, matrices, bits, thresholds, first_word, length)
        bases = np.full(streams.size, self.base, np.uint64)
        return _native.radical(bases, shifts, thresholds, first_word, length)

    def _shifts(self, key: int, streams: Words) -> Words:
        return digit_shifts(self.randomized, largest_power(self.base), key, streams)


@dataclass(frozen=True, repr=False)
class Halton(Source):
    """Halton sequence: stream s is the `VanDerCorput` sequence in the prime number s, counted from 0.

    Stream numbers are below 1,000. Streams should have many more steps than their prime, as explained
    in the notes of `VanDerCorput`. In networks, each layer has one base for all its streams, see
    `sequences`.

    Parameters
    ----------
    randomized : bool
        Shift the digits of each stream by random digits that depend on its key and number.
    bits : int
        Bits of a number, in [1, 32]: a comparator of b bits rounds p to a multiple of ``2**-b``.
    """

    randomized: bool = True
    bits: int = field(default=32, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "bits", _checks.integer("bits", self.bits, 1, 32))
        _checks.instance("randomized", self.randomized, bool)

    @property
    def levels(self) -> int:
        """Number of levels, ``2**bits``."""
        return 1 << self.bits

    @property
    def period(self) -> int | None:
        """None, because each stream has its own period."""
        return None

    def rise(self, streams: Words) -> int:
        """Return the largest base of the streams."""
        return int(self._bases(streams).max(initial=1))

    def sequences(self, n: int) -> tuple[Source, ...]:
        """Return `VanDerCorput` sources with bases 2, 3, 5, ..., each with one base for all streams."""
        return tuple(VanDerCorput(b, self.randomized, bits=self.bits) for b in coprime_bases(2, n))

    @property
    def roots(self) -> frozenset[object]:
        """Identifiers of the sequences that the numbers are taken from, see `Source.roots`."""
        return frozenset(("base 2", 0) if p == 2 else p for p in primes().tolist())

    def _numbers(self, key: int, streams: Words, first: int, length: int) -> NDArray[np.uint32]:
        bases = self._bases(streams)
        shifts = digit_shifts(self.randomized, prime_powers()[streams], key, streams)
        return leading_bits(radical_numbers(bases, shifts, first, length), self.bits)

    def _words(
        self, key: int, streams: Words, thresholds: Words, first_word: int, length: int
    ) -> Words:
        bases = self._bases(streams)
        shifts = digit_shifts(self.randomized, prime_powers()[streams], key, streams)
        fine = of_32_bits(thresholds, self.bits)
        return _native.radical(bases, shifts, fine, first_word, length)

    def _bases(self, streams: Words) -> Words:
        bases = primes()
        if (streams >= bases.size).any():
            contract = f"be below {bases.size}, the bases of Halton()"
            remedy = "VanDerCorput() is one base for all streams"
            _checks.fail("stream numbers", contract, streams.max(), remedy)
        return bases[streams]
