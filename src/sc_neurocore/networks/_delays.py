"""Delayed inputs of a layer, for packed words and for real numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore._types import Reals, Words
from sc_neurocore.streams._bits import last_mask, shifted


class DelayLine:
    """Delays the inputs of a layer block by block of time, and keeps the past that later blocks need.

    Parameters
    ----------
    delays : ndarray of int64, shape (n_in,)
        Delay of each input in time steps, 0 or more.
    rows : int
        Rows of the batch.
    length : int
        Length of the whole run in time steps. It bounds the memory: an input that is delayed by more
        never arrives.
    packed : bool
        Whether inputs are packed words (`delay_words`) or real numbers (`delay_reals`).
    """

    def __init__(self, delays: NDArray[np.int64], rows: int, length: int, *, packed: bool) -> None:
        self._delays = np.minimum(delays, length)
        longest = int(self._delays.max())
        if packed:
            self._past: NDArray[Any] = np.zeros((rows, len(delays), longest // 64 + 1), np.uint64)
        else:
            self._past = np.zeros((rows, len(delays), longest))

    def delay_words(self, x: Words, steps: int) -> Words:
        """Return the next block of packed inputs (rows, n_in, n_words), `steps` long, delayed."""
        late = shifted(self._joined(x), self._delays, x.shape[-1])
        late[..., -1] &= last_mask(steps)
        return late

    def delay_reals(self, x: Reals) -> Reals:
        """Return the next block of real inputs (rows, n_in, steps), delayed."""
        steps = self._past.shape[-1] + np.arange(x.shape[-1])[:, np.newaxis]
        # Time is gathered first: the layout decides the order of the sums in the matrix product.
        late = self._joined(x)[:, np.arange(len(self._delays)), steps - self._delays]
        return np.asarray(np.swapaxes(late, 1, 2))

    def _joined(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return the past and the block, and keep what the next block needs of both."""
        joined = np.concatenate([self._past, x], axis=-1)
        self._past = joined[..., x.shape[-1] :].copy()
        return joined
