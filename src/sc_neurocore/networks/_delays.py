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
        Whether inputs are packed words (`delay_words`) or real numbers (`delay_reals`).
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

    def delay_words(self, x: Words, steps: int) -> Words:
        """Return the next block of packed inputs (rows, n_in, n_words), `steps` long, delayed.

        The past ends with a whole word: its last bit belongs to the step before the block.
        """
        delays, kept = self._reach(steps)
        joined = self._joined(x, int(delays.max()) // 64 + 1)
        late = shifted(joined, delays, x.shape[-1])
        late[..., -1] &= last_mask(steps)
        end = 64 * (joined.shape[-1] - x.shape[-1]) + steps
        self._past = cut(joined, end - 64 * n_words(kept), end) if kept else joined[..., :0].copy()
        return late

    def delay_reals(self, x: Reals) -> Reals:
        """Return the next block of real inputs (rows, n_in, steps), delayed."""
        delays, kept = self._reach(x.shape[-1])
        joined = self._joined(x, int(delays.max()))
        at = joined.shape[-1] - x.shape[-1] + np.arange(x.shape[-1])[:, np.newaxis]
        # Time is gathered first: the layout decides the order of the sums in the matrix product.
        late = joined[:, np.arange(len(delays)), at - delays]
        self._past = joined[..., joined.shape[-1] - kept :].copy()
        return np.asarray(np.swapaxes(late, 1, 2))

    def _reach(self, steps: int) -> tuple[NDArray[np.int64], int]:
        """Return the delays, at most to the first step of all, and the steps to keep for later."""
        delays = np.minimum(self._delays, self._elapsed + steps)
        self._elapsed += steps
        return delays, min(int(self._delays.max()), self._elapsed)

    def _joined(self, x: NDArray[Any], before: int) -> NDArray[Any]:
        """Return at least `before` words or steps of the past, and the block."""
        missing = max(before - self._past.shape[-1], 0)
        zeros = np.zeros((*x.shape[:-1], missing), x.dtype)
        return np.concatenate([zeros, self._past, x], axis=-1)
