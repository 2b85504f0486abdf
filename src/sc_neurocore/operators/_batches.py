"""Checks of operands, and batches as rows of words for the native kernels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _checks
from sc_neurocore.streams import (
    Bernoulli,
    Bitstream,
)
from sc_neurocore.streams._dispatch import is_symbolic
from sc_neurocore.streams.bitstream import (
    broadcast_words,
)
from sc_neurocore.streams.keys import OPERATOR

# Rows and steps per block: a megabyte of random numbers stays in the second-level cache.
_ROWS, _STEPS = 512, 512


def check_streams(**named: Bitstream) -> None:
    """Raise unless each named operand is a Bitstream."""
    for name, stream in named.items():
        if not is_symbolic(stream):
            _checks.instance(name, stream, Bitstream)


def check_length(x: Bitstream, name: str, other: Bitstream, remedy: str = "") -> None:
    """Raise unless another operand has the length of x."""
    if other.length != x.length:
        _checks.fail(name, f"have the length of x, {x.length}", other.length, remedy)


def n_inputs(x: Bitstream) -> int:
    """Return the size of the last batch axis, at least 1."""
    check_streams(x=x)
    if not x.shape or x.shape[-1] == 0:
        _checks.fail("x", "have batch shape (..., n) with n > 0", x.shape)
    return x.shape[-1]


def weighted(x: Bitstream, w: Bitstream) -> tuple[int, Bitstream]:
    """Return the number of inputs n, and x in a batch shape that broadcasts with that of its weights.

    x has batch shape (..., n), and w (n,) or (n_out, n). The returned stream has (..., n) or (..., 1,
    n).
    """
    n = n_inputs(x)
    check_streams(w=w)
    check_length(x, "w", w)
    if len(w.shape) not in (1, 2) or w.shape[-1] != n:
        _checks.fail("w", f"have batch shape ({n},) or (n_out, {n})", w.shape)
    return n, x.reshape(*x.shape[:-1], *(1,) * (len(w.shape) - 1), n)


def broadcast_streams(x: Bitstream, y: Bitstream) -> tuple[Bitstream, Bitstream]:
    """Return two streams in their common batch shape."""
    if x.shape == y.shape:
        return x, y
    if is_symbolic(x) or is_symbolic(y):
        return x & (y | ~y), y & (x | ~x)
    check_length(x, "y", y)
    one, other = (np.ascontiguousarray(words) for words in broadcast_words([x, y]))
    return Bitstream(one, x.length), Bitstream(other, x.length)


def stacked_rows(**named: Bitstream) -> tuple[tuple[int, ...], NDArray[np.uint64]]:
    """Return the broadcast batch shape and the words of all streams, shape (n_streams, rows, words)."""
    check_streams(**named)
    streams = list(named.values())
    lengths = [stream.length for stream in streams]
    if len(set(lengths)) > 1:
        _checks.fail("the streams", "have equal length", " and ".join(map(str, lengths)))
    words = broadcast_words(streams)
    shape = words[0].shape[:-1]
    rows = words[0][np.newaxis] if len(words) == 1 else np.stack(words)
    size = int(np.prod(shape))
    return shape, np.ascontiguousarray(rows).reshape(len(words), size, words[0].shape[-1])


def broadcast_rows(name: str, values: NDArray[np.uint64], shape: tuple[int, ...]) -> NDArray[np.uint64]:
    """Return a new array of one value per row, from values that broadcast to the batch shape."""
    try:
        return np.broadcast_to(values, shape).ravel().copy()
    except ValueError:
        _checks.fail(name, f"broadcast to the batch shape {shape}", values.shape)


def run_on_numbers(
    kernel: Callable[[NDArray[np.uint64], NDArray[np.uint32], int, slice], NDArray[np.uint64]],
    inputs: NDArray[np.uint64],
    n_numbers: int,
    key: int,
    length: int,
) -> NDArray[np.uint64]:
    """Return the words that a kernel writes from inputs and random numbers, shape (n_rows, words).

    The kernel is called for blocks of rows and time, with the words of the block, shape (n_inputs,
    rows, words), uniform 32-bit numbers, shape (n_numbers, rows, steps), the number of steps, and the
    slice of rows. Number i of row r comes from stream OPERATOR + r * n_numbers + i.
    """
    key = _checks.power_range("key", key, 64)
    n_rows = inputs.shape[1]
    written = np.empty(inputs.shape[1:], np.uint64)
    for row in range(0, n_rows, _ROWS):
        rows = slice(row, min(row + _ROWS, n_rows))
        n = rows.stop - row
        numbered = np.arange(row * n_numbers, rows.stop * n_numbers, dtype=np.uint64)
        streams = numbered + np.uint64(OPERATOR)
        by_number = streams.reshape(n, n_numbers).T
        block = _STEPS * max(1, _ROWS // len(streams))
        for first in range(0, length, block):
            steps = min(block, length - first)
            words = slice(first // 64, -(-(first + steps) // 64))
            numbers = Bernoulli().numbers(by_number, steps, key=key, first=first)
            here = np.ascontiguousarray(inputs[:, rows, words])
            written[rows, words] = kernel(here, numbers, steps, rows)
    return written
