"""Sources of the numbers that encode a probability as a bitstream."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import Field, dataclass, field, fields, is_dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks, _native
from sc_neurocore._types import Words
from sc_neurocore.streams._bits import leading_bits, n_words, of_32_bits, pack

__all__ = ["Bernoulli", "PeriodWarning", "Source", "operands"]

# Numbers generated at a time by a source without a kernel of its own: 16 MB.
_BLOCK_NUMBERS = 2**22

_SHORTER = "use fewer streams, or make them part by part"


class PeriodWarning(UserWarning):
    """The streams end while their densities are still biased, see `Source.rise`."""


class Source(ABC):
    """Source of the numbers that a comparator compares with a probability.

    A source is an immutable value and has no position. Its number ``r(key, stream, t)`` is an integer
    in [0, levels). A stream of probability p is 1 at step t where ::

        r(key, stream, t) < round(p * levels)

    So p = 0 gives no ones and p = 1 only ones, and any part of any stream can be generated without the
    part before it.

    The low 32 bits of a stream number are its lane, see `sc_neurocore.streams.keys`. The operands of a
    product are in the same lane. Sources with one sequence for all streams step through it in a
    different order in each lane, so that the errors of products in different lanes are independent.

    Notes
    -----
    To write a source, subclass this class, as a frozen dataclass if it has parameters. Define `levels`,
    `period` and

    ``_numbers(self, key, streams, first, length)``
        Return the numbers at steps first .. first + length - 1, shape (n, length), uint32, for streams
        of shape (n,), uint64. All numbers must be below `levels`. The arguments are already checked:
        `key` is an int in ``[0, 2**64)``, `first` an int in ``[0, 2**38)``.

    Everything else has a default:

    - `roots`: by default all objects of the class share one sequence, so that two of them cannot be
      multiplied. Return ``frozenset()`` if different keys or stream numbers give independent numbers.
    - `sequences`: override it if the source has several sequences that can be multiplied.
    - `for_length`: override it if the period is a parameter.
    - `rise`: override it if part of a period is biased, as of numbers that count upwards.
    - ``_words(self, key, streams, thresholds, first_word, length)``: override it if packed bits can be
      made faster than by comparing numbers. It returns the bits from step 64 * first_word on, shape
      (n, ceil(length / 64)), for thresholds of shape (n,), uint64.

    Numbers are addressed in steps (`first`) and packed bits in words of 64 steps (`first_word`),
    because a kernel starts at a word.

    Examples
    --------
    The generator SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators;
    OOPSLA 2014), which hashes the address:

    >>> import numpy as np
    >>> from sc_neurocore import Source, encode
    >>> class SplitMix(Source):
    ...     levels, period, roots = 2**16, None, frozenset()
    ...
    ...     def _numbers(self, key, streams, first, length):
    ...         t = np.arange(first + 1, first + length + 1, dtype=np.uint64)
    ...         z = streams[:, np.newaxis] * 0xD1342543DE82EF95 + key + t * 0x9E3779B97F4A7C15
    ...         z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9
    ...         z = (z ^ z >> 27) * 0x94D049BB133111EB
    ...         return (z >> 48).astype(np.uint32)
    >>> encode([0.25, 0.5], 4096, key=1, source=SplitMix())
    Bitstream(shape=(2,), length=4096, p=[0.264 0.5])
    """

    @property
    @abstractmethod
    def levels(self) -> int:
        """Number of different values that a number can have, at most ``2**32``."""

    @property
    @abstractmethod
    def period(self) -> int | None:
        """Number of steps after which the numbers of every stream repeat, or None."""

    def __repr__(self) -> str:
        # Keyword-only parameters are shown if they are set.
        own: tuple[Field[object], ...] = fields(self) if is_dataclass(self) else ()
        values = [(f, getattr(self, f.name)) for f in own]
        shown = [f"{f.name}={value!r}" for f, value in values if not f.kw_only or value != f.default]
        return f"{type(self).__name__}({', '.join(shown)})"

    @classmethod
    def for_length(cls, length: int) -> Source:
        """Return the source of this class that suits streams of a length in steps.

        By default ``cls()``, for sources that suit any length.
        """
        return cls()

    def rise(self, streams: Words) -> int:
        """Return the number of steps through which the numbers of these streams are one-sided.

        Counters are, while they count upwards, and registers after a start with few ones. Shorter
        streams are compared with small numbers or with large numbers only, so that their
        densities are biased and a `PeriodWarning` is issued. By default 1, for numbers in irregular
        order.

        Parameters
        ----------
        streams : ndarray of uint64
            Stream numbers, of any shape.

        Returns
        -------
        int
            The largest such number of steps of all these streams, at least 1.
        """
        return 1

    @property
    def roots(self) -> frozenset[object]:
        """Identifiers of the sequences that the numbers are taken from.

        Streams of two sources that share a root must not be multiplied. Empty if different keys or
        stream numbers give independent numbers. By default the class: one sequence for all its objects.
        """
        return frozenset({type(self)})

    def sequences(self, n: int) -> tuple[Source, ...]:
        """Return n sources whose streams can safely be multiplied, if their keys differ.

        The first two are for the operands of a product, the others for the weights of later layers. By
        default n times this source if it has no `roots`, otherwise the source alone, for n up to 1.

        Raises
        ------
        ValueError
            If the source has fewer than n independent sequences.
        """
        if self.roots:
            check_sequences(self, n, available=1)
        return (self,) * n

    def pair(self) -> tuple[Source, Source]:
        """Return the sources of the two operands of a product, ``sequences(2)``."""
        first, second = self.sequences(2)
        return first, second

    def thresholds(self, p: NDArray[np.float64]) -> Words:
        """Return ``round(p * levels)`` as uint64, of the shape of p; p is clipped to [0, 1]."""
        below = np.array(p, np.float64)
        np.clip(below, 0.0, 1.0, out=below)
        below *= self.levels
        np.rint(below, out=below)
        # By way of int64, because vector instructions convert to it.
        return below.astype(np.int64).view(np.uint64)

    def numbers(
        self, streams: ArrayLike, length: int, *, key: int, first: int = 0
    ) -> NDArray[np.uint32]:
        """Return the numbers at steps first .. first + length - 1.

        Parameters
        ----------
        streams : array_like of int
            Stream numbers in ``[0, 2**64)``, of any shape.
        length : int
            Number of steps to return, at least 1.
        key : int
            In ``[0, 2**64)``.
        first : int
            The first step, in ``[0, 2**38)``. (`words` counts in words of 64 steps instead.)

        Returns
        -------
        ndarray of uint32, shape ``(*streams.shape, length)``
            In [0, levels).

        Raises
        ------
        TypeError
            If an argument has the wrong type.
        ValueError
            If an argument is out of range, or the source does not have these streams.
        """
        key = _checks.power_range("key", key, 64)
        wanted = _checks.counting("streams", streams)
        length = _checks.length_of_stream("length", length)
        first = _checks.power_range("first", first, 38)
        with _checks.allocating(f"{length} numbers per stream", _SHORTER):
            numbers = self._checked_numbers(key, wanted.ravel(), first, length)
        return numbers.reshape(*wanted.shape, length)

    def words(
        self,
        thresholds: ArrayLike,
        streams: ArrayLike,
        length: int,
        *,
        key: int,
        first_word: int = 0,
    ) -> Words:
        """Return packed bits, which are 1 where the number is below the threshold.

        Parameters
        ----------
        thresholds : array_like of int, shape (..., n)
            In [0, levels]. All rows are compared with the same numbers.
        streams : array_like of int, shape (n,)
            Stream numbers in ``[0, 2**64)``.
        length : int
            Number of steps to return, at least 1.
        key : int
            In ``[0, 2**64)``.
        first_word : int
            The first word, in ``[0, 2**32)``: the first step is 64 * first_word.

        Returns
        -------
        ndarray of uint64, shape (..., n, ceil(length / 64))
            In the format of `Bitstream.words`.

        Raises
        ------
        TypeError
            If an argument has the wrong type.
        ValueError
            If an argument is out of range, the shapes do not match, or the source does not have these
            streams.
        """
        key = _checks.power_range("key", key, 64)
        numbers = _checks.counting("streams", streams, borrow=True)
        below = _checks.counting("thresholds", thresholds, borrow=True)
        if numbers.ndim != 1 or below.ndim == 0 or below.shape[-1] != numbers.size:
            contract = f"have shape (..., n) for streams of shape (n,), here {numbers.shape}"
            _checks.fail("thresholds", contract, below.shape)
        if below.max(initial=0) > self.levels:
            _checks.fail("thresholds", f"be at most levels, {self.levels}", below.max())
        length = _checks.length_of_stream("length", length)
        first_word = _checks.power_range("first_word", first_word, 32)
        rows = np.ascontiguousarray(below).reshape(math.prod(below.shape[:-1]), numbers.size)
        with _checks.allocating(f"{below.size} streams of {length} bits", _SHORTER):
            words = self._words_of_rows(key, numbers, rows, first_word, length)
        return words.reshape(*below.shape, words.shape[-1])

    @abstractmethod
    def _numbers(self, key: int, streams: Words, first: int, length: int) -> NDArray[np.uint32]:
        """Return the numbers, shape (n_streams, length): the definition of the source."""

    def _checked_numbers(self, key: int, streams: Words, first: int, length: int) -> NDArray[np.uint32]:
        """Return `_numbers`, after checks of what a source of the user returns."""
        numbers, name = self._numbers(key, streams, first, length), f"{type(self).__name__}._numbers"
        if not isinstance(numbers, np.ndarray) or numbers.dtype != np.uint32:
            got = getattr(numbers, "dtype", type(numbers).__name__)
            _checks.wrong_type(name, "return an array of uint32", got)
        if numbers.shape != (streams.size, length):
            _checks.fail(name, f"return shape {(streams.size, length)}", numbers.shape)
        if numbers.size and int(numbers.max()) >= self.levels:
            _checks.fail(name, f"return numbers below levels, {self.levels}", numbers.max())
        return numbers

    def _words(
        self, key: int, streams: Words, thresholds: Words, first_word: int, length: int
    ) -> Words:
        """Return the packed bits from a word on, shape (n_streams, words)."""
        words = np.empty((streams.size, n_words(length)), np.uint64)
        block = max(_BLOCK_NUMBERS // (64 * max(streams.size, 1)), 1)
        for word in range(0, words.shape[1], block):
            steps = min(64 * block, length - 64 * word)
            numbers = self._checked_numbers(key, streams, 64 * (first_word + word), steps)
            words[:, word : word + block] = pack(numbers < thresholds[:, np.newaxis])
        return words

    def _words_of_rows(
        self, key: int, streams: Words, thresholds: Words, first_word: int, length: int
    ) -> Words:
        """Return the bits for rows of thresholds (n_rows, n_streams) at the same streams."""
        repeated = np.tile(streams, len(thresholds))
        words = self._words(key, repeated, thresholds.ravel(), first_word, length)
        return words.reshape(*thresholds.shape, words.shape[-1])


# One source for all operands, or one for each.
Sources = Source | tuple[Source, ...]


@dataclass(frozen=True, repr=False)
class Bernoulli(Source):
    """Independent uniform numbers, from the generator Philox4x32-10.

    The standard error of the density of a stream of length L is ``sqrt(p * (1 - p) / L)``. That of a
    product z = p q of two streams is ``sqrt(z * (1 - z) / L)``.

    Parameters
    ----------
    bits : int
        Bits of a number, in [1, 32]: a comparator of b bits rounds p to a multiple of ``2**-b``.

    Examples
    --------
    >>> from sc_neurocore import Bernoulli
    >>> Bernoulli(bits=4).numbers(0, 8, key=1)
    array([ 1,  1,  2,  2, 11,  9, 14,  7], dtype=uint32)
    """

    bits: int = field(default=32, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "bits", _checks.integer("bits", self.bits, 1, 32))

    @property
    def levels(self) -> int:
        """Number of levels, ``2**bits``."""
        return 1 << self.bits

    @property
    def period(self) -> int | None:
        """Period in steps, ``2**38``, after which the counter of words wraps around."""
        return 2**38

    @property
    def roots(self) -> frozenset[object]:
        """Empty: different keys or stream numbers give independent numbers."""
        return frozenset()

    def _numbers(self, key: int, streams: Words, first: int, length: int) -> NDArray[np.uint32]:
        return leading_bits(_native.uniform(key, streams, first, length), self.bits)

    def _words(
        self, key: int, streams: Words, thresholds: Words, first_word: int, length: int
    ) -> Words:
        (words,) = self._words_of_rows(key, streams, thresholds[np.newaxis], first_word, length)
        return np.asarray(words)

    def _words_of_rows(
        self, key: int, streams: Words, thresholds: Words, first_word: int, length: int
    ) -> Words:
        fine = of_32_bits(thresholds, self.bits)
        return _native.encode(key, streams, fine, first_word, length)


def operands(source: Sources, n: int = 2) -> tuple[Source, ...]:
    """Return n sources whose streams can safely be multiplied with one another.

    Parameters
    ----------
    source : Source or tuple of n
        One source stands for its ``sequences(n)``. In a tuple, no two sources can share a sequence
        (`Source.roots`), unless the tuple is ``source[0].sequences(n)``.
    n : int
        Number of operands.

    Returns
    -------
    tuple of n Source

    Raises
    ------
    TypeError
        If `source` is neither a source nor a tuple of n sources.
    ValueError
        If a source has too few sequences, or two sources share one.

    Examples
    --------
    >>> from sc_neurocore import Halton, LFSR
    >>> from sc_neurocore.streams import operands
    >>> operands(Halton())
    (VanDerCorput(base=2, randomized=True), VanDerCorput(base=3, randomized=True))
    >>> operands((Halton(), LFSR(8))) == (Halton(), LFSR(8))
    True
    """
    n = _checks.integer("n", n, 1, 2**16)
    if isinstance(source, Source):
        return source.sequences(n)
    if not isinstance(source, tuple) or len(source) != n:
        _checks.wrong_type("source", f"be a Source or a tuple of {n}", source, _instance_of(source))
    for i, part in enumerate(source):
        checked_source(f"source[{i}]", part)
        for before in source[:i]:
            if before.roots & part.roots and not _are_sequences(source):
                _checks.fail(
                    "source",
                    "give the operands different numbers",
                    f"{before} and {part}",
                    "with these the product of p = q = 0.5 can be 0.5 instead of 0.25; use sources of "
                    "different kinds, or pass one source alone to use its independent sequences",
                )
    return source


def _are_sequences(source: tuple[Source, ...]) -> bool:
    """Return whether the sources are the independent sequences of the first one."""
    try:
        return source == source[0].sequences(len(source))
    except ValueError:
        return False


def check_sequences(source: Source, n: int, available: int) -> None:
    """Raise unless a source with 1 or 2 independent sequences has at least n."""
    if n > available:
        _checks.fail(
            "source",
            f"have {n} independent sequences",
            f"{source}, which has {'one' if available == 1 else 'two'}",
            "Sobol(), Hammersley() and Bernoulli() have more, and a tuple gives each operand its own "
            "source",
        )


def checked_source(name: str, source: object) -> None:
    """Raise unless the argument is a source; for a class, the error says how to make one."""
    _checks.instance(name, source, Source, _instance_of(source))


def _instance_of(source: object) -> str:
    """Return the remedy for a class, a function of the length or a name in place of a source."""
    if isinstance(source, type) and issubclass(source, Source):
        return f"write {source.__name__}()"
    if getattr(source, "__name__", None) == "for_length":
        return "call it with the length of the streams"
    return "write Sobol(), not its name" if isinstance(source, str) else ""


def warn_of_rise(source: Source, streams: Words, length: int) -> None:
    """Warn if streams of a length in steps end while the numbers of the source are one-sided."""
    steps = source.rise(streams)
    if length >= steps:
        return
    fits = f"{type(source).__name__}.for_length({length})" if steps == source.period else "Sobol()"
    _checks.warn(
        f"the numbers of {source} are one-sided for {steps} steps, but the streams have {length} bits, "
        f"so their densities are biased; use at least {steps} bits, or {fits}",
        PeriodWarning,
    )
