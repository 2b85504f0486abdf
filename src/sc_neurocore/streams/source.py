"""Where random bits come from: addresses, not state.

Bit t of stream s is a function of (seed, role, path, s, t). The first three make a 64-bit key; the
native core expands key, stream and time with Philox4x32-10. Results therefore depend neither on the
order of calls nor on the size of a batch, the number of threads or the instruction set.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks, _native
from sc_neurocore._types import Words


class PeriodWarning(UserWarning):
    """A counter does not get through its period in the length of a stream."""


class Source(ABC):
    """What a comparator compares a probability with: a frozen value, without a position.

    The number r(key, stream, t) is an integer in [0, levels), and a stream of probability p is 1 where
    r < round(p * levels): p = 0 gives no ones, p = 1 only ones. Any stretch of any stream can be had
    without what comes before it.

    The low 32 bits of a stream's number are its lane. Operands that meet in a product are in one lane,
    and sources that go through one sequence in all streams take the steps of each lane in another
    order, so that products of different lanes do not err together: input i of a layer is stream i, the
    weight of neuron j for it is stream j << 32 | i. The neurons of a layer share the lanes of their
    inputs, so what they err together shrinks with the number of inputs only.
    """

    @property
    @abstractmethod
    def levels(self) -> int:
        """How many values a number can have; at most 2**32."""

    @property
    @abstractmethod
    def period(self) -> int | None:
        """Steps after which the numbers of every stream repeat; None if there is no such number."""

    @classmethod
    @abstractmethod
    def for_length(cls, length: int) -> Source:
        """Return the source of this kind whose period is near a length, or any if it has a long one."""

    @property
    def rises(self) -> bool:
        """Whether the numbers rise through a period: a part of one holds small or large ones only."""
        return False

    @abstractmethod
    def sequences(self, n: int) -> tuple[Source, ...]:
        """Return n sources whose streams may be multiplied with one another, if their keys differ.

        The first two are for the operands of a product, the others for the weights of later layers.
        """

    def pair(self) -> tuple[Source, Source]:
        """Return the sources of the two operands of a product, `sequences(2)`."""
        first, second = self.sequences(2)
        return first, second

    @property
    @abstractmethod
    def _roots(self) -> frozenset[object]:
        """What sources of one sequence have in common; empty where keys make streams independent."""

    def numbers(
        self, key: int, streams: ArrayLike, length: int, *, first: int = 0
    ) -> NDArray[np.uint32]:
        """Return r at the steps first .. first + length - 1, of shape `(*streams.shape, length)`."""
        key = _checks.power_range("key", key, 64)
        wanted = _checks.counting("streams", streams)
        length = _checks.length_of_stream("length", length)
        first = _checks.power_range("first", first, 38)
        return self._numbers(key, wanted.ravel(), first, length).reshape(*wanted.shape, length)

    def thresholds(self, p: NDArray[np.float64]) -> Words:
        """Return round(p * levels), after cutting p to [0, 1]."""
        # By way of int64, to which machines convert many at a time.
        return np.rint(np.clip(p, 0.0, 1.0) * self.levels).astype(np.int64).view(np.uint64)

    @abstractmethod
    def _numbers(self, key: int, streams: Words, first: int, length: int) -> NDArray[np.uint32]:
        """Return the numbers, shape (n_streams, length): the definition of the source."""

    @abstractmethod
    def _words(self, key: int, streams: Words, thresholds: Words, first: int, length: int) -> Words:
        """Return the packed bits from word `first` on, shape (n_streams, words): the same, native."""

    def _words_of_rows(
        self, key: int, streams: Words, thresholds: Words, first: int, length: int
    ) -> Words:
        """Return the bits of rows of thresholds at the same streams, (n_rows, n_streams, words)."""
        repeated = np.tile(streams, len(thresholds))
        words = self._words(key, repeated, thresholds.ravel(), first, length)
        return words.reshape(*thresholds.shape, words.shape[-1])


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

    @classmethod
    def for_length(cls, length: int) -> Bernoulli:
        """Return the source; it fits any length."""
        return cls()

    def sequences(self, n: int) -> tuple[Source, ...]:
        """Return the source n times: keys alone make its streams independent."""
        return (self,) * n

    @property
    def _roots(self) -> frozenset[object]:
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
    if isinstance(source, Source):
        return source.sequences(n)
    if not isinstance(source, tuple) or len(source) != n:
        _checks.wrong_type("source", f"be a Source or a tuple of {n}", source)
    for i, part in enumerate(source):
        _checks.instance(f"source[{i}]", part, Source)
        for before in source[:i]:
            if before._roots & part._roots and source != source[0].sequences(n):
                _checks.fail(
                    "source",
                    "give the operands different numbers",
                    f"{before} and {part}",
                    "for p = q = 0.5 their product would be up to min(p, q) = 0.5 instead of 0.25; one "
                    "source alone stands for sequences that may be multiplied",
                )
    return source
