"""Delayed inputs of a layer, for packed words and for real numbers."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore._types import Reals, Words
from sc_neurocore.streams._bits import cut, last_mask, n_words, shifted


class DelayLine:
    """Delays the inputs of a layer block by block of time, and keeps the past that later blocks need.

    Parameters
    ----------
    delays : ndarray of int64, shape (n_in,)
        Delay of each input in steps of the blocks (bits, for packed words), 0 or more.
    rows : int
        Rows of the batch.
    packed : bool
        Whether inputs are packed words or real numbers.
    """

    def __init__(self, delays: NDArray[np.int64], rows: int, *, packed: bool) -> None:
        self._delays = delays
        self._elapsed = 0  # steps so far: nothing came before them, which bounds the memory
        shape = (rows, len(delays), 0)
        self._past: NDArray[Any] = np.zeros(shape, np.uint64) if packed else np.zeros(shape)

    def copy(self) -> DelayLine:
        """Return a line that continues from here on its own."""
        line = copy.copy(self)
        line._past = self._past.copy()
        return line

    def delayed_words(self, x: Words, steps: int) -> Words:
        """Return the next block of packed inputs (rows, n_in, n_words), `steps` long, delayed."""
        delays = np.minimum(self._delays, self._elapsed + steps)
        late = shifted(self._joined(x, int(delays.max()) // 64 + 1), delays, x.shape[-1])
        late[..., -1] &= last_mask(steps)
        return late

    def keep_words(self, x: Words, steps: int) -> None:
        """Keep what later blocks need of a block; the last bit of the past ends a word."""
        kept = self._advanced(steps)
        joined = self._joined(x, n_words(kept))
        end = 64 * (joined.shape[-1] - x.shape[-1]) + steps
        self._past = cut(joined, end - 64 * n_words(kept), end) if kept else joined[..., :0].copy()

    def delayed_reals(self, x: Reals) -> Reals:
        """Return the next block of real inputs (rows, n_in, steps), delayed."""
        delays = np.minimum(self._delays, self._elapsed + x.shape[-1])
        joined = self._joined(x, int(delays.max()))
        at = joined.shape[-1] - x.shape[-1] + np.arange(x.shape[-1])[:, np.newaxis]
        # Time is gathered first: the layout decides the order of the sums in the matrix product.
        return np.swapaxes(joined[:, np.arange(len(delays)), at - delays], 1, 2)

    def keep_reals(self, x: Reals) -> None:
        """Keep what later blocks need of a block."""
        kept = self._advanced(x.shape[-1])
        joined = self._joined(x, kept)
        self._past = joined[..., joined.shape[-1] - kept :].copy()

    def _advanced(self, steps: int) -> int:
        """Return the number of steps to keep for later blocks: nothing came before the first."""
        self._elapsed += steps
        return min(int(self._delays.max()), self._elapsed)

    def _joined(self, x: NDArray[Any], before: int) -> NDArray[Any]:
        """Return at least `before` words or steps of the past, and the block."""
        missing = max(before - self._past.shape[-1], 0)
        zeros = np.zeros((*x.shape[:-1], missing), x.dtype)
        return np.concatenate([zeros, self._past, x], axis=-1)
