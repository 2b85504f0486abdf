"""Addresses of random numbers.

Bit t of stream s is a function of (seed, role, path, s, t). The first three make a 64-bit key, by
``SeedSequence(seed, spawn_key=(role, *path))`` of NumPy. The key is that of the Philox4x32-10
generator, whose counter of four 32-bit words holds the rest. So results depend neither on the order of
calls nor on the size of a batch, the number of threads or the instruction set.

=================================  =================================  ==============================
numbers                            counter                            streams
=================================  =================================  ==============================
bits of `Bernoulli` sources        t // 64, slice pair, stream        row << 32 | lane, below 2**62
ranks of `Permutation`             t // 64, slice pair, stream        `PERMUTATION` | stream
random numbers of operators        t // 64, slice pair, stream        `OPERATOR` + row * n + number
shifts and starts, other sources   0, `SHIFT_DOMAIN`, stream          stream
noise of neurons                   t // 4, `NOISE_DOMAIN`, neuron, 0  neuron, below 2**32
orders of lanes, key `ORDER_KEY`   0, `SHIFT_DOMAIN`, lane, digit     lane, below 2**32
=================================  =================================  ==============================

A stream takes two words of the counter, its low half first. Slice pairs count to 16 and so never meet
the domains. In a layer, input i is stream i and the weight of neuron j for it is stream j << 32 | i:
both are in lane i.
"""

from __future__ import annotations

import os
from enum import IntEnum
from functools import lru_cache

import numpy as np

from sc_neurocore import _checks
from sc_neurocore._types import Words

__all__ = ["Role", "stream_key"]

# Streams of a permutation's numbers and of the numbers of operators, apart from those of encoded
# values, so that a key that is used for both does no harm.
PERMUTATION, OPERATOR = 2**62, 2**63

# Second words of the counter, apart from the slice pairs of bits.
NOISE_DOMAIN, SHIFT_DOMAIN = 0x4E000000, 0x53000000

# Key of the orders in which lanes take the steps of a sequence, which no seed changes.
ORDER_KEY = 0x6C616E65_6F726472


class Role(IntEnum):
    """What a stream is for. Equal seeds in different roles give independent Bernoulli streams."""

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
    return _key(_checks.power_range("seed", seed, 128), words)


@lru_cache(maxsize=1024)  # runs of several lengths and sources meet the same keys
def _key(seed: int, words: tuple[int, ...]) -> int:
    sequence = np.random.SeedSequence(seed, spawn_key=words)
    return int(sequence.generate_state(1, np.uint64)[0])


def lane_streams(n_rows: int, n_lanes: int) -> Words:
    """Return the numbers row << 32 | lane of the streams of a matrix, shape (n_rows, n_lanes)."""
    rows, lanes = np.arange(n_rows, dtype=np.uint64), np.arange(n_lanes, dtype=np.uint64)
    return rows[:, np.newaxis] << np.uint64(32) | lanes


def entropy(n_bits: int) -> int:
    """Return an integer of that many bits, a multiple of 8, from the operating system."""
    return int.from_bytes(os.urandom(n_bits // 8), "little")


def checked_seed(name: str, seed: int | None) -> int:
    """Return the seed, or one drawn from the operating system's entropy for None."""
    if seed is None:
        return entropy(128)
    return _checks.power_range(name, seed, 128)
