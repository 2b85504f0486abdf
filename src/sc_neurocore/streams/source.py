"""Sources of the numbers that encode a probability as a bitstream."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks, _native
from sc_neurocore._types import Words
from sc_neurocore.streams._bits import n_words, pack

# Numbers that are made at a time where no kernel makes bits on its way: 16 MB.
_KEPT_NUMBERS = 2**22
_FOR_MANY = "Sobol() and Hammersley() have more, Bernoulli() any number"


class PeriodWarning(UserWarning):
    """A counter does not get through its period in the length of a stream."""


class Source(ABC):
    """Source of the numbers that a comparator compares with a probability.

    A source is a frozen value without a position: its number r(key, stream, t) is an integer in
    [0, levels), and a stream of probability p is 1 at step t where r < round(p * levels). So p = 0
    gives no ones and p = 1 only ones, and any stretch of any stream is available without what
    precedes it.

    The low 32 bits of a stream's number are its lane, see `sc_neurocore.streams.keys`. Operands of a
    product are in one lane. Sources that have one sequence for all streams take its steps in another
    order in each lane, so that products of different lanes err independently.

    Notes
    -----
    To write a source, subclass this class, as a frozen dataclass if it has parameters, and define
    `levels`, `period` and

    ``_numbers(self, key, streams, first, length)``
        The numbers at steps first .. first + length - 1 of streams of shape (n,) in uint64, of shape
        (n, length) in uint32. The arguments are checked.

    The rest has defaults. Define `roots` as ``frozenset()`` if different keys or stream numbers give
    independent numbers, otherwise `sequences` if there is more than one sequence; and
    ``_words(self, key, streams, thresholds, first, length)``, the packed bits from word `first` on, of
    shape (n, words), if there is a faster way to them than comparing numbers.

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
        """Number of values that a number can have; at most 2**32."""

    @property
    @abstractmethod
    def period(self) -> int | None:
        """Steps after which the numbers of every stream repeat; None if there is no such number."""

    @classmethod
    def for_length(cls, length: int) -> Source:
        """Return the source of this kind whose period is near a length; by default it fits any."""
        return cls()

    @property
    def rises(self) -> bool:
        """Whether the numbers rise through a period, so that part of one is biased."""
        return False

    @property
    def roots(self) -> frozenset[object]:
        """What sources of one sequence have in common.

        Two sources that share a root must not be multiplied. Empty if different keys or stream numbers
        give independent numbers. By default the class: one sequence for all keys and parameters.
        """
        return frozenset({type(self)})

    def sequences(self, n: int) -> tuple[Source, ...]:
        """Return n sources whose streams can safely be multiplied, if their keys differ.

        The first two are for the operands of a product, the others for the weights of later layers.
        """
        if n > 1 and self.roots:
            contract = f"have {n} independent sequences"
            _checks.fail("source", contract, f"{self}, which has one", _FOR_MANY)
        return (self,) * n

    def pair(self) -> tuple[Source, Source]:
        """Return the sources of the two operands of a product, `sequences(2)`."""
        first, second = self.sequences(2)
        return first, second

    def thresholds(self, p: NDArray[np.float64]) -> Words:
        """Return round(p * levels), of the shape of p, which saturates at [0, 1]."""
        # By way of int64, to which machines convert many at a time.
        return np.rint(np.clip(p, 0.0, 1.0) * self.levels).astype(np.int64).view(np.uint64)

    def numbers(
        self, streams: ArrayLike, length: int, *, key: int, first: int = 0
    ) -> NDArray[np.uint32]:
        """Return the numbers at steps first .. first + length - 1, shape `(*streams.shape, length)`."""
        key = _checks.power_range("key", key, 64)
        wanted = _checks.counting("streams", streams)
        length = _checks.length_of_stream("length", length)
        first = _checks.power_range("first", first, 38)
        return self._numbers(key, wanted.ravel(), first, length).reshape(*wanted.shape, length)

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
            In [0, levels]. All rows see the same numbers.
        streams : array_like of int, shape (n,)
        length : int
            Time steps to return.
        key : int
        first_word : int
            Number of the first word: the first step is 64 * first_word.

        Returns
        -------
        ndarray of uint64, shape (..., n, ceil(length / 64))
            As in `Bitstream.words`.
        """
        key = _checks.power_range("key", key, 64)
        numbers = _checks.counting("streams", streams, borrow=True)
        below = _checks.counting("thresholds", thresholds, borrow=True)
        if numbers.ndim != 1 or below.ndim == 0 or below.shape[-1] != numbers.size:
            contract = f"have shape (..., n) for n streams, here of shape {numbers.shape}"
            _checks.fail("thresholds", contract, below.shape)
        if below.max(initial=0) > self.levels:
            _checks.fail("thresholds", f"be at most levels, {self.levels}", below.max())
        length = _checks.length_of_stream("length", length)
        first_word = _checks.power_range("first_word", first_word, 32)
        rows = np.ascontiguousarray(below).reshape(math.prod(below.shape[:-1]), numbers.size)
        words = self._words_of_rows(key, numbers, rows, first_word, length)
        return words.reshape(*below.shape, words.shape[-1])

    @abstractmethod
    def _numbers(self, key: int, streams: Words, first: int, length: int) -> NDArray[np.uint32]:
        """Return the numbers, shape (n_streams, length): the definition of the source."""

    def _words(self, key: int, streams: Words, thresholds: Words, first: int, length: int) -> Words:
        """Return the packed bits from word `first` on, shape (n_streams, words)."""
        words = np.empty((streams.size, n_words(length)), np.uint64)
        block = max(_KEPT_NUMBERS // (64 * max(streams.size, 1)), 1)
        for word in range(0, words.shape[1], block):
            steps = min(64 * block, length - 64 * word)
            numbers = self._numbers(key, streams, 64 * (first + word), steps)
            words[:, word : word + block] = pack(numbers < thresholds[:, np.newaxis])
        return words

    def _words_of_rows(
        self, key: int, streams: Words, thresholds: Words, first: int, length: int
    ) -> Words:
        """Return the bits of rows of thresholds at the same streams, (n_rows, n_streams, words)."""
        repeated = np.tile(streams, len(thresholds))
        words = self._words(key, repeated, thresholds.ravel(), first, length)
        return words.reshape(*thresholds.shape, words.shape[-1])


# One source for all operands, or one for each.
Sources = Source | tuple[Source, ...]


@dataclass(frozen=True)
class Bernoulli(Source):
    """Independent uniform numbers of 32 bits, by Philox4x32-10.

    A density of length L has the standard error sqrt(p (1 - p) / L), a product of two streams
    sqrt(z (1 - z) / L) with z = p q.
    """

    @property
    def levels(self) -> int:
        """2**32."""
        return 2**32

    @property
    def period(self) -> int | None:
        """2**38, where the counter of words wraps."""
        return 2**38

    @property
    def roots(self) -> frozenset[object]:
        """Empty: different keys or stream numbers give independent numbers."""
        return frozenset()

    def _numbers(self, key: int, streams: Words, first: int, length: int) -> NDArray[np.uint32]:
        return _native.uniform(key, streams, first, length)

    def _words(self, key: int, streams: Words, thresholds: Words, first: int, length: int) -> Words:
        (words,) = self._words_of_rows(key, streams, thresholds[np.newaxis], first, length)
        return np.asarray(words)

    def _words_of_rows(
        self, key: int, streams: Words, thresholds: Words, first: int, length: int
    ) -> Words:
        return _native.encode(key, streams, thresholds, first, length)


def operands(source: Sources, n: int = 2) -> tuple[Source, ...]:
    """Return n sources whose streams are multiplied with one another, checked.

    One source stands for its `sequences(n)`. Of n others no two must be of one sequence, but for those
    whose streams are independent by their keys.
    """
    n = _checks.integer("n", n, 1, 2**16)
    if isinstance(source, Source):
        return source.sequences(n)
    if not isinstance(source, tuple) or len(source) != n:
        _checks.wrong_type("source", f"be a Source or a tuple of {n}", source)
    for i, part in enumerate(source):
        _checks.instance(f"source[{i}]", part, Source)
        for before in source[:i]:
            if before.roots & part.roots and source != source[0].sequences(n):
                _checks.fail(
                    "source",
                    "give the operands different numbers",
                    f"{before} and {part}",
                    "for p = q = 0.5 their product would be up to min(p, q) = 0.5 instead of 0.25; one "
                    "source alone stands for sequences that may be multiplied",
                )
    return source
