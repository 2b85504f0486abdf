"""Where random bits come from: addresses, not state.

Bit t of stream s is a function of (seed, role, path, s, t). The first three make a 64-bit key; the
native core expands key, stream and time with Philox4x32-10. Results therefore depend neither on the
order of calls nor on the size of a batch, the number of threads or the instruction set.
"""

from __future__ import annotations

import secrets
from enum import IntEnum

import numpy as np

from sc_neurocore import _checks


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


def checked_seed(name: str, seed: int | None) -> int:
    """Return the seed, or one drawn from the operating system's entropy for None."""
    if seed is None:
        return secrets.randbits(128)
    return _checks.power_range(name, seed, 128)
