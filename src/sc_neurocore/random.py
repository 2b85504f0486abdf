"""Where random bits come from: addresses, not state.

Bit t of stream s is a function of (seed, role, path, s, t). The first three make a 64-bit key; the
native core expands key, stream and time with Philox4x32-10. Results therefore depend neither on the
order of calls nor on the size of a batch, the number of threads or the instruction set.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sc_neurocore import _checks, _native

Words = NDArray[np.uint64]


class Role(IntEnum):
    """What a stream is for. Equal seeds in different roles give independent streams."""

    INPUT = 0
    WEIGHT = 1
    NOISE = 2
    SELECT = 3


def stream_key(seed: int, role: Role, *path: int) -> int:
    """Return the 64-bit key of the streams of one role.

    Parameters
    ----------
    seed : int
        In [0, 2**128).
    role : Role
    *path : int
        Further coordinates in [0, 2**32), such as the number of a layer.

    Examples
    --------
    >>> from sc_neurocore import Role, stream_key
    >>> hex(stream_key(42, Role.WEIGHT, 0))
    '0xe66843fe45fbc4b8'
    """
    _checks.instance("role", role, Role)
    words = (role, *(_checks.power_range("path", p, 32) for p in path))
    sequence = np.random.SeedSequence(_checks.power_range("seed", seed, 128), spawn_key=words)
    return int(sequence.generate_state(1, np.uint64)[0])


class PeriodWarning(UserWarning):
    """A counter does not get through its period in the length of a stream."""


class Source(ABC):
    """What a comparator compares a probability with: a frozen value, without a position.

    The number r(key, stream, t) is an integer in [0, levels), and a stream of probability p is 1 where
    r < round(p * levels): p = 0 gives no ones, p = 1 only ones. Any stretch of any stream can be had
    without what comes before it.
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
    def pair(self) -> tuple[Source, Source]:
        """Return sources for the two operands of a product.

        Streams of the first and of the second are independent as the source's error law says, whatever
        their numbers, if their keys differ.
        """

    def numbers(
        self, key: int, streams: ArrayLike, length: int, *, first: int = 0
    ) -> NDArray[np.uint32]:
        """Return r at the steps first .. first + length - 1, of shape `(*streams.shape, length)`."""
        key = _checks.power_range("key", key, 64)
        wanted = _checks.counting("streams", streams)
        length = _checks.integer("length", length, 1)
        first = _checks.power_range("first", first, 38)
        return self._numbers(key, wanted.ravel(), first, length).reshape(*wanted.shape, length)

    def thresholds(self, p: NDArray[np.float64]) -> Words:
        """Return round(p * levels), after cutting p to [0, 1]."""
        return np.rint(np.clip(p, 0.0, 1.0) * self.levels).astype(np.uint64)

    @abstractmethod
    def _numbers(self, key: int, streams: Words, first: int, length: int) -> NDArray[np.uint32]:
        """Return the numbers, shape (n_streams, length): the definition of the source."""

    @abstractmethod
    def _words(self, key: int, streams: Words, thresholds: Words, first: int, length: int) -> Words:
        """Return the packed bits from word `first` on, shape (n_streams, words): the same, native."""


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

    def pair(self) -> tuple[Source, Source]:
        """Return the source twice: keys alone make its streams independent."""
        return self, self

    def _numbers(self, key: int, streams: Words, first: int, length: int) -> NDArray[np.uint32]:
        return _native.uniform(key, streams, first, length)

    def _words(self, key: int, streams: Words, thresholds: Words, first: int, length: int) -> Words:
        return _native.encode(key, streams, thresholds, first, length)


def operands(source: Source | tuple[Source, Source]) -> tuple[Source, Source]:
    """Return the sources of the two operands of a product, checked.

    One source stands for its pair. Two must not be one and the same, but for sources whose streams are
    independent by their keys.
    """
    if isinstance(source, Source):
        return source.pair()
    if not isinstance(source, tuple) or len(source) != 2:
        _checks.wrong_type("source", "be a Source or a tuple of two", source)
    for i, part in enumerate(source):
        _checks.instance(f"source[{i}]", part, Source)
    first, second = source
    if first == second and first.pair() != (first, first):
        _checks.fail(
            "source",
            "give the operands different numbers",
            f"{first} twice",
            "for p = q = 0.5 their product would be up to min(p, q) = 0.5 instead of p q = 0.25; "
            f"use source={first}, which stands for its pair",
        )
    return first, second


def checked_seed(name: str, seed: int | None) -> int:
    """Return the seed, or one drawn from the operating system's entropy for None."""
    if seed is None:
        return secrets.randbits(128)
    return _checks.power_range(name, seed, 128)
