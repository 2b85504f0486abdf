"""Sources whose every period is exact: additive sequences, counters and permutations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks, _native
from sc_neurocore._types import Words
from sc_neurocore.streams._numbers import (
    ALL_LEVELS,
    additive_numbers,
    additive_walks,
    golden_step,
)
from sc_neurocore.streams.keys import PERMUTATION
from sc_neurocore.streams.source import Source, check_sequences

__all__ = ["Permutation", "Ramp", "Weyl"]


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
    randomized : bool
        Start each stream at a random number of its key and number and take the steps of each lane in
        another order; or count from 0.
    """

    period: int = 256
    randomized: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "period", _checks.integer("period", self.period, 3, ALL_LEVELS))
        _checks.instance("randomized", self.randomized, bool)

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
        check_sequences(self, n, available=2)
        return (Ramp(self.period, self.randomized), self)[:n]

    @property
    def roots(self) -> frozenset[object]:
        """Identifiers of the sequences that the numbers are taken from, see `Source.roots`."""
        return frozenset({("golden", self.period)})

    def _numbers(self, key: int, streams: Words, first: int, length: int) -> NDArray[np.uint32]:
        steps, starts = additive_walks(self.randomized, self._step, self.period, key, streams)
        return additive_numbers(self.period, steps, starts, first, length)

    def _words(
        self, key: int, streams: Words, thresholds: Words, first_word: int, length: int
    ) -> Words:
        steps, starts = additive_walks(self.randomized, self._step, self.period, key, streams)
        return _native.additive(self.period, steps, starts, thresholds, first_word, length)

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
    randomized : bool
        Start each stream at a random number of its key and number and take the steps of each lane in
        another order; or count from 0.

    Examples
    --------
    >>> from sc_neurocore import Ramp, Role, encode, stream_key
    >>> encode([0.25, 0.75], 8, key=stream_key(1, Role.INPUT), source=Ramp(8)).bits()
    array([[1, 1, 0, 0, 0, 0, 0, 0],
           [1, 1, 1, 1, 1, 1, 0, 0]], dtype=uint8)
    """

    period: int = 256
    randomized: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "period", _checks.integer("period", self.period, 2, ALL_LEVELS))
        _checks.instance("randomized", self.randomized, bool)

    @property
    def levels(self) -> int:
        """The period."""
        return self.period

    @classmethod
    def for_length(cls, length: int) -> Ramp:
        """Return the source of that period."""
        return cls(length)

    def rise(self, streams: Words) -> int:
        """Return the period for a counter in its own order, else 1."""
        return 1 if self.randomized else self.period

    def sequences(self, n: int) -> tuple[Source, ...]:
        """Return this and the golden ratio of the same period; there is no third."""
        check_sequences(self, n, available=2)
        return (self, Weyl(self.period, self.randomized))[:n]

    @property
    def roots(self) -> frozenset[object]:
        """Identifiers of the sequences that the numbers are taken from, see `Source.roots`."""
        return frozenset({"counter"})

    def _numbers(self, key: int, streams: Words, first: int, length: int) -> NDArray[np.uint32]:
        steps, starts = additive_walks(self.randomized, 1, self.period, key, streams)
        return additive_numbers(self.period, steps, starts, first, length)

    def _words(
        self, key: int, streams: Words, thresholds: Words, first_word: int, length: int
    ) -> Words:
        steps, starts = additive_walks(self.randomized, 1, self.period, key, streams)
        return _native.additive(self.period, steps, starts, thresholds, first_word, length)


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

    @property
    def roots(self) -> frozenset[object]:
        """Empty: different keys or stream numbers give independent permutations."""
        return frozenset()

    def _numbers(self, key: int, streams: Words, first: int, length: int) -> NDArray[np.uint32]:
        uniform = _native.uniform(key, streams | np.uint64(PERMUTATION), 0, self.period)
        ranks = uniform.argsort(axis=-1, kind="stable").argsort(axis=-1)
        steps = (first + np.arange(length)) % self.period
        return np.ascontiguousarray(ranks[:, steps], np.uint32)

    def _words(
        self, key: int, streams: Words, thresholds: Words, first_word: int, length: int
    ) -> Words:
        return _native.permutation(
            key, streams | np.uint64(PERMUTATION), self.period, thresholds, first_word, length
        )
