"""Comparison, and the larger of streams of any correlation, by a counter of their difference."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from sc_neurocore import _checks
from sc_neurocore.operators._batches import n_inputs
from sc_neurocore.operators.machine import Machine
from sc_neurocore.streams import Bitstream
from sc_neurocore.streams._dispatch import on_streams

__all__ = ["greater", "max_pool"]


@on_streams
def greater(x: Bitstream, y: Bitstream, n_states: int) -> Bitstream:
    """Return whether the first stream has the larger density: near 1 for p > q, near 0 for p < q.

    A saturating counter of N states moves up where only x is 1, and down where only y is. It starts in
    state N / 2, and writes 1 in the upper half, before the step. Requires pairs (x, y) that are white
    in time; they can have any correlation with each other. The exact stationary value is::

        z = r**(N / 2) / (1 + r**(N / 2)),   r = P(x & ~y) / P(~x & y)

    It is 1/2 at p = q. The larger SCC, the better the counter separates p and q, because ones of both
    at once do not move it. `Circuit.predict` returns mean and variance for any length.
    ``greater(y, x, n)`` returns whether p < q.

    Parameters
    ----------
    x, y : Bitstream
        Operands of equal length, with batch shapes that broadcast.
    n_states : int
        Number of states N, even, from 2 to ``2**16``.

    Returns
    -------
    Bitstream, of the broadcast batch shape

    Raises
    ------
    TypeError
        If an operand is not a Bitstream, or `n_states` is not an integer.
    ValueError
        If lengths or shapes do not match, or `n_states` is odd or outside its range.

    Examples
    --------
    >>> from sc_neurocore import Role, encode, stream_key
    >>> from sc_neurocore.operators import greater
    >>> x = encode([0.3, 0.5, 0.6], 65536, key=stream_key(1, Role.INPUT))
    >>> greater(x, encode(0.4, 65536, key=stream_key(1, Role.WEIGHT)), 32).probability().round(2)
    array([0., 1., 1.])
    """
    n = even("n_states", n_states)
    return _comparator(n, "greater").run(x, y, state=n // 2)[0]


def even(name: str, value: int) -> int:
    """Return an even number of states."""
    n = _checks.integer(name, value, 2, 2**16)
    if n % 2:
        _checks.fail(name, "be even", n)
    return n


def extremum(x: Bitstream, y: Bitstream, n_states: int, which: str) -> Bitstream:
    """Return the "larger" or "smaller" of two streams: that which the state of `greater` points at."""
    n = even("n_states", n_states)
    return _comparator(n, which).run(x, y, state=n // 2)[0]


@lru_cache(maxsize=32)
def _comparator(n: int, which: str) -> Machine:
    state, a, b = np.indices((n, 2, 2))
    above = state >= n // 2
    outputs = {"greater": above, "larger": np.where(above, a, b), "smaller": np.where(above, b, a)}
    after = np.clip(state + a - b, 0, n - 1)
    return Machine(after.astype(np.uint32), outputs[which].astype(np.uint8))


@on_streams
def max_pool(x: Bitstream, n_states: int) -> Bitstream:
    """Return the largest of the streams along the last batch axis, at any correlation.

    A tournament of ``maximum(x, y, n_states=n_states)``, without random numbers: n inputs need n - 1
    counters. Requires inputs that are white in time. The error is largest for densities that are nearly
    equal, where the wrong input costs little. Pooling by counters that select an input at run time is
    described by Ren, Li, Ding, Qiu, Qian, Lin, Yuan, Wang (SC-DCNN: Highly-scalable deep convolutional
    neural network using stochastic computing; ASPLOS 2017). ``uadd(x)`` is average pooling.

    Parameters
    ----------
    x : Bitstream, of batch shape (..., n)
        Inputs.
    n_states : int
        Number of states of a counter, even, from 2 to ``2**16``.

    Returns
    -------
    Bitstream, of batch shape (...)

    Raises
    ------
    TypeError
        If x is not a Bitstream, or `n_states` is not an integer.
    ValueError
        If x has no inputs, or `n_states` is odd or outside its range.

    Examples
    --------
    >>> from sc_neurocore import Role, encode, stream_key
    >>> from sc_neurocore.operators import max_pool
    >>> x = encode([0.3, 0.8, 0.5, 0.1], 65536, key=stream_key(1, Role.INPUT))
    >>> max_pool(x, 16)
    Bitstream(length=65536, p=0.799)
    """
    n = n_inputs(x)
    even("n_states", n_states)
    players = [x[..., i] for i in range(n)]
    while len(players) > 1:
        pairs = zip(players[::2], players[1::2], strict=False)
        odd = players[len(players) // 2 * 2 :]
        players = [extremum(a, b, n_states, "larger") for a, b in pairs] + odd
    return players[0]
