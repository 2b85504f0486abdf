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
from numpy.typing import NDArray

from sc_neurocore import _checks, _native


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


class Source(ABC):
    """What a comparator compares a probability with: a frozen value, without a position.

    The number r(key, stream, t) is an integer in [0, levels), and a stream of probability p is 1 where
    r < round(p * levels): p = 0 gives no ones, p = 1 only ones. Any stretch of any stream can be had
    without what comes before it.
    """

    @property
    @abstractmethod
    def levels(self) -> int:
        """How many numbers there are; at most 2**32."""

    @property
    @abstractmethod
    def period(self) -> int:
        """Steps after which the numbers of a stream repeat."""

    @abstractmethod
    def pair(self) -> tuple[Source, Source]:
        """Return the sources of the two operands of a product.

        Streams of the first are independent of streams of the second, whatever their numbers, if their
        keys have different roles.
        """

    @abstractmethod
    def numbers(
        self, key: int, streams: NDArray[np.uint64], first: int, length: int
    ) -> NDArray[np.uint32]:
        """Return r at steps first .. first + length - 1, shape (n_streams, length): the definition."""

    @abstractmethod
    def words(
        self,
        key: int,
        streams: NDArray[np.uint64],
        thresholds: NDArray[np.uint64],
        first_word: int,
        length: int,
    ) -> NDArray[np.uint64]:
        """Return the packed bits r < threshold from word first_word on, shape (n_streams, words)."""

    def thresholds(self, p: NDArray[np.float64]) -> NDArray[np.uint64]:
        """Return round(p * levels), after cutting p to [0, 1]."""
        return np.rint(np.clip(p, 0.0, 1.0) * self.levels).astype(np.uint64)


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
    def period(self) -> int:
        """2**38, where the counter of words wraps."""
        return 2**38

    def pair(self) -> tuple[Source, Source]:
        """Return itself twice: the key separates the operands."""
        return self, self

    def numbers(
        self, key: int, streams: NDArray[np.uint64], first: int, length: int
    ) -> NDArray[np.uint32]:
        """Return r, as `Source.numbers` says."""
        return _native.uniform(key, streams, first, length)

    def words(
        self,
        key: int,
        streams: NDArray[np.uint64],
        thresholds: NDArray[np.uint64],
        first_word: int,
        length: int,
    ) -> NDArray[np.uint64]:
        """Return the packed bits, as `Source.words` says."""
        return _native.encode(key, streams, thresholds, first_word, length)


def checked_seed(name: str, seed: int | None) -> int:
    """Return the seed, or one drawn from the operating system's entropy for None."""
    if seed is None:
        return secrets.randbits(128)
    return _checks.power_range(name, seed, 128)
