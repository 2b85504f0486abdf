"""Addresses of random numbers: roles, keys and stream numbers."""

from __future__ import annotations

import os
from enum import IntEnum
from functools import lru_cache

import numpy as np

from sc_neurocore import _checks
from sc_neurocore._types import Words


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


def checked_seed(name: str, seed: int | None) -> int:
    """Return the seed, or one drawn from the operating system's entropy for None."""
    if seed is None:
        return int.from_bytes(os.urandom(16), "little")
    return _checks.power_range(name, seed, 128)
