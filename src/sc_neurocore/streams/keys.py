"""Addresses of random numbers.

Bit t of stream s is a function of (seed, role, path, s, t). NumPy's
``SeedSequence(seed, spawn_key=(role, *path))`` turns the first three into a 64-bit key of the generator
Philox4x32-10. The other two are in its counter of four 32-bit words. Results therefore do not depend on
the order of calls, the batch size, the number of threads or the instruction set.

=================================  =================================  ==============================
numbers                            counter                            streams
=================================  =================================  ==============================
bits of `Bernoulli` sources        t // 64, slice pair, stream        row << 32 | lane, below 2**62
ranks of `Permutation`             t // 64, slice pair, stream        `PERMUTATION` | stream
random numbers of operators        t // 64, slice pair, stream        `OPERATOR` + row * n + number
faults of wires and of weights     t // 64, slice pair, stream        `FAULT` + 4 * wire + kind
shifts and starts, other sources   0, `SHIFT_DOMAIN`, stream          stream
noise of neurons                   t // 4, `NOISE_DOMAIN`, neuron, 0  neuron, below 2**32
orders of lanes, key `ORDER_KEY`   0, `SHIFT_DOMAIN`, lane, digit     lane, below 2**32
=================================  =================================  ==============================

A stream number is in two words of the counter, its low half first. Slice pair k holds the binary digits
2 k and 2 k + 1 of 64 uniform numbers. There are 16 slice pairs, so that they never equal a domain. In a
layer, input i is stream i, and its weight for neuron j is stream j << 32 | i: both are in lane i.
"""

from __future__ import annotations

import os
from enum import IntEnum
from functools import lru_cache

import numpy as np

from sc_neurocore import _checks
from sc_neurocore._types import Words

__all__ = ["Role", "stream_key"]

# First streams of permutations, operators and faults. They are not streams of encoded values, so that
# one key can be used for all.
PERMUTATION, OPERATOR, FAULT = 2**62, 2**63, 3 * 2**62

# Second words of the counter, different from the slice pairs of bits.
NOISE_DOMAIN, SHIFT_DOMAIN = 0x4E000000, 0x53000000

# Key of the orders in which lanes step through a sequence. It does not depend on the seed.
ORDER_KEY = 0x6C616E65_6F726472


class Role(IntEnum):
    """Purpose of a stream. Equal seeds with different roles give independent Bernoulli streams.

    Attributes
    ----------
    INPUT
        Encoded inputs.
    WEIGHT
        Encoded weights.
    NOISE
        Noise of neurons.
    SELECT
        Random choices of operators, such as the select of `scaled_add`.
    FAULT
        Faults of hardware.
    LEARNING
        Moves of weights by rules that draw lots.
    """

    INPUT = 0
    WEIGHT = 1
    NOISE = 2
    SELECT = 3
    FAULT = 4
    LEARNING = 5


def stream_key(seed: int, role: Role, *path: int) -> int:
    """Return the key of the random numbers of one role.

    Parameters
    ----------
    seed : int
        In ``[0, 2**128)``.
    role : Role
        Purpose of the streams.
    *path : int
        Further coordinates in ``[0, 2**32)``, such as the number of a layer.

    Returns
    -------
    int
        In ``[0, 2**64)``. Different arguments give different keys, except by chance.

    Raises
    ------
    TypeError
        If `role` is no Role, or a number is no integer.
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> from sc_neurocore import Role, stream_key
    >>> hex(stream_key(42, Role.WEIGHT, 0))
    '0xe66843fe45fbc4b8'
    """
    _checks.instance("role", role, Role)
    words = (role, *(_checks.power_range("path", p, 32) for p in path))
    return _key(_checks.power_range("seed", seed, 128), words)


@lru_cache(maxsize=1024)  # because runs with other lengths or sources need the same keys
def _key(seed: int, words: tuple[int, ...]) -> int:
    sequence = np.random.SeedSequence(seed, spawn_key=words)
    return int(sequence.generate_state(1, np.uint64)[0])


def lane_streams(n_rows: int, n_lanes: int) -> Words:
    """Return the numbers row << 32 | lane of the streams of a matrix, shape (n_rows, n_lanes)."""
    rows, lanes = np.arange(n_rows, dtype=np.uint64), np.arange(n_lanes, dtype=np.uint64)
    return rows[:, np.newaxis] << np.uint64(32) | lanes


def entropy(n_bits: int) -> int:
    """Return a random integer of n_bits bits, a multiple of 8, from the operating system."""
    return int.from_bytes(os.urandom(n_bits // 8), "little")


def checked_seed(name: str, seed: int | None) -> int:
    """Return the seed; for None, one drawn from system entropy."""
    if seed is None:
        return entropy(128)
    return _checks.power_range(name, seed, 128)
