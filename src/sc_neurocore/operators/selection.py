"""Comparison and selection: a multiplexer, the larger of two streams, the maximum of many.

The machines here count the ones by which one stream leads another, up to `depth`. They need no
correlation of their operands, unlike the gates `maximum` and `minimum` without a depth.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from sc_neurocore import _checks
from sc_neurocore.operators._batches import check_streams, n_inputs
from sc_neurocore.operators.machine import Machine
from sc_neurocore.streams import Bitstream
from sc_neurocore.streams._dispatch import on_streams
from sc_neurocore.streams.correlation import check_operands

__all__ = ["greater", "max_pool", "multiplex"]


@on_streams
def multiplex(select: Bitstream, x: Bitstream, y: Bitstream) -> Bitstream:
    """Return x where the select is 1 and y where it is 0, the mean of both weighted by the select.

    Requires a select that is independent of x and of y (SCC 0). The operands can have any correlation
    with each other. For white streams of length L, and with the density s of the select::

        z = s p + (1 - s) q,   var(z) = z (1 - z) / L

    A select with SCC +1 to both operands gives ``min(s, p) + max(q - s, 0)`` instead. `scaled_add`
    draws its selects itself and adds any number of inputs.

    Parameters
    ----------
    select, x, y : Bitstream
        Streams of equal length, with batch shapes that broadcast.

    Returns
    -------
    Bitstream, of the broadcast batch shape

    Raises
    ------
    TypeError
        If an operand is not a Bitstream.
    ValueError
        If the lengths differ, or the batch shapes do not broadcast.

    Examples
    --------
    >>> from sc_neurocore import Bitstream
    >>> from sc_neurocore.operators import multiplex
    >>> select, x, y = (Bitstream.from_bits(b) for b in ([1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 1, 1]))
    >>> multiplex(select, x, y).bits()
    array([1, 0, 1, 1], dtype=uint8)
    """
    check_streams(select=select, x=x, y=y)
    check_operands("multiplex", select, x, "select and x")
    check_operands("multiplex", select, y, "select and y")
    return select & x | ~select & y


@on_streams
def greater(x: Bitstream, y: Bitstream, depth: int) -> Bitstream:
    """Return 1 while x has had more ones than y, a comparison of the densities.

    A counter D, from ``-depth`` to `depth`, starts at 0 and counts the ones of x up and those of y
    down; z is 1 if D > 0 after the step. As long as the counter has not been full, bit t compares the
    first t ones exactly, and the last bit the whole streams. ``greater(y, x, depth)`` is "less", and
    ``greater(x, ~x, depth)`` the sign of a value in bipolar code.

    No correlation is required. For pairs white in time, with ``r = P(x & ~y) / P(~x & y)``, the
    stationary mean is::

        z = sum(r**s, s = 1 .. depth) / sum(r**s, s = -depth .. depth)

    It tends to 1 for p > q and to 0 for p < q, and is ``depth / (2 depth + 1)`` at p = q. Streams with
    SCC +1 are compared without error from their first difference on. The result is not white; its
    variance follows from the chain of D, see `Circuit.predict`.

    Parameters
    ----------
    x, y : Bitstream
        Operands of equal length, with batch shapes that broadcast.
    depth : int
        Largest lead that is counted, from 1 to 32767.

    Returns
    -------
    Bitstream, of the broadcast batch shape

    Raises
    ------
    TypeError
        If an operand is not a Bitstream, or `depth` is not an integer.
    ValueError
        If lengths or shapes do not match, or `depth` is outside its range.

    Examples
    --------
    >>> from sc_neurocore import Role, encode, stream_key
    >>> from sc_neurocore.operators import greater
    >>> x, y = encode([0.5, 0.6], 65536, key=stream_key(1, Role.INPUT))
    >>> greater(y, x, 32), greater(x, y, 32)
    (Bitstream(length=65536, p=1), Bitstream(length=65536, p=7.63e-05))
    """
    d = _checked_depth(depth)
    return _comparator(d).run(x, y, state=d)[0]


@on_streams
def max_pool(x: Bitstream, depth: int) -> Bitstream:
    """Return the maximum of the streams along the last batch axis, without correlation.

    A tree of ``maximum(x, y, depth)`` over n inputs. As long as no counter is full, the first t bits
    have exactly as many ones as those of the input with the most ones among its first t bits::

        ones(z) = max over i of ones(x_i)

    No correlation is required. Given the inputs, the variance is 0. If a counter is full, the result is
    too large, by at most the ones that it loses; the stationary mean of one machine is that of
    `maximum`.

    Parameters
    ----------
    x : Bitstream, of batch shape (..., n)
        Inputs, such as the windows of an image.
    depth : int
        Largest lead that is counted, from 1 to 32767; ``5 * sqrt(L)`` is never reached by streams of
        equal density.

    Returns
    -------
    Bitstream, of batch shape (...)

    Raises
    ------
    TypeError
        If x is not a Bitstream, or `depth` is not an integer.
    ValueError
        If x has no inputs, or `depth` is outside its range.

    Examples
    --------
    >>> from sc_neurocore import Role, encode, stream_key
    >>> from sc_neurocore.operators import max_pool
    >>> x = encode([0.2, 0.7, 0.4, 0.1], 65536, key=stream_key(1, Role.INPUT))
    >>> max_pool(x, 128) == x[1]
    False
    >>> int(max_pool(x, 32767).counts()) == int(x.counts().max())
    True
    """
    n, d = n_inputs(x), _checked_depth(depth)
    lines = [x[..., i] for i in range(n)]
    while len(lines) > 1:
        pairs = zip(lines[::2], lines[1::2], strict=False)
        lines = [leading(a, b, d, largest=True) for a, b in pairs] + lines[len(lines) & ~1 :]
    return lines[0]


def leading(x: Bitstream, y: Bitstream, depth: int, *, largest: bool) -> Bitstream:
    """Return the maximum or the minimum of two streams, see `maximum`."""
    d = _checked_depth(depth)
    return _selector(d, largest).run(x, y, state=d)[0]


def _checked_depth(depth: int) -> int:
    return _checks.integer("depth", depth, 1, 2**15 - 1)


@lru_cache(maxsize=32)
def _comparator(depth: int) -> Machine:
    lead, a, b = np.indices((2 * depth + 1, 2, 2))
    after = np.clip(lead + a - b, 0, 2 * depth)
    return Machine(after.astype(np.uint32), (after > depth).astype(np.uint8))


@lru_cache(maxsize=32)
def _selector(depth: int, largest: bool) -> Machine:
    lead, a, b = np.indices((2 * depth + 1, 2, 2))
    after = np.clip(lead + a - b, 0, 2 * depth)
    ahead, behind, tied = (a, b, a | b) if largest else (b, a, a & b)
    outputs = np.where(lead > depth, ahead, np.where(lead < depth, behind, tied))
    return Machine(after.astype(np.uint32), outputs.astype(np.uint8))
