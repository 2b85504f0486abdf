"""Sources with exact densities over whole periods: additive sequences, counters and permutations."""

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
    """Weyl sequence: multiples of about the golden ratio times the period.

    The number at step t is ::

        t * step % period

    The step and the period have no common factor, so that densities over a period are exact. The pair
    for products is a counter (`Ramp`) and this sequence. The root mean square error of a product over a
    period of L steps is about 0.6 / L. The period does not need to be a power of two.

    Parameters
    ----------
    period : int
        In ``[3, 2**32]``.
    randomized : bool
        Start each stream at a random number that depends on its key and number, and step through the
        numbers in a different order in each lane. If False, start at 0.
    """

    period: int = 256
    randomized: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "period", _checks.integer("period", self.period, 3, ALL_LEVELS))
        _checks.instance("randomized", self.randomized, bool)

    @property
    def levels(self) -> int:
        """Number of levels, equal to the period."""
        return self.period

    @classmethod
    def for_length(cls, length: int) -> Weyl:
        """Return the source with a period of `length` steps."""
        return cls(length)

    def sequences(self, n: int) -> tuple[Source, ...]:
        """Return a counter of the same period and this source, for n up to 2."""
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
    """Counter: the thermometer or unary code, in which all ones of a period come first.

    Streams should consist of whole periods. Two streams of the same counter have SCC +1. The pair for
    products is the counter and `Weyl` of the same period.

    Parameters
    ----------
    period : int
        In ``[2, 2**32]``.
    randomized : bool
        Start each stream at a random number that depends on its key and number, and step through the
        numbers in a different order in each lane. If False, count from 0.

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
        """Number of levels, equal to the period."""
        return self.period

    @classmethod
    def for_length(cls, length: int) -> Ramp:
        """Return the source with a period of `length` steps."""
        return cls(length)

    def rise(self, streams: Words) -> int:
        """Return the period for a counter in its own order, else 1."""
        return 1 if self.randomized else self.period

    def sequences(self, n: int) -> tuple[Source, ...]:
        """Return this counter and `Weyl` of the same period, for n up to 2."""
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
    """Random permutation of 0 .. period - 1 for each stream, repeated: exact densities in random order.

    Streams with different keys or stream numbers are independent. The variance of a product over a
    period of L steps is ::

        p q (1 - p) (1 - q) / (L - 1)

    and the root mean square error over all pairs of levels is ``1 / (6 * sqrt(L - 1))``.

    Parameters
    ----------
    period : int
        In ``[2, 2**24]``.
    """

    period: int = 256

    def __post_init__(self) -> None:
        object.__setattr__(self, "period", _checks.integer("period", self.period, 2, 2**24))

    @property
    def levels(self) -> int:
        """Number of levels, equal to the period."""
        return self.period

    @classmethod
    def for_length(cls, length: int) -> Permutation:
        """Return the source with a period of `length` steps."""
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
