"""Noise of neurons in fixed point: coins from a shift register, as hardware has them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

# A register of 31 bits, b[m] = b[m - 31] ^ b[m - 28] (x**31 + x**3 + 1 is primitive), of which each
# neuron takes the next 24 bits in each step.
_LONG, _SHORT, MOST_COINS = 31, 28, 24
_PERIOD = 2**_LONG - 1
# Bits between the registers of two layers: the golden ratio keeps any number of them far apart.
_APART = round((5**0.5 - 1) / 2 * _PERIOD)
# Words of a neuron and a step that are made at a time (25 MB).
_WORDS = 2**20


@dataclass(frozen=True)
class Noise:
    """Noise ``(2 * h - coins) << shift``, where h is the number of ones among `coins` random bits.

    It has mean 0 and variance ``coins * 4**shift``, in units of the last place of a potential.

    Parameters
    ----------
    coins : int
        In [1, 24].
    shift : int
    start : int
        State of the register at the beginning of an image.
    """

    coins: int
    shift: int
    start: int

    @classmethod
    def of(cls, std: float, layer: int) -> Noise:
        """Return the noise of a layer whose standard deviation is nearest to one of at least 1."""
        shift = max(int(np.ceil(np.log2(std**2 / MOST_COINS) / 2)), 0)
        start = _state(1, (layer + 1) * _APART % _PERIOD)
        return cls(max(round(std**2 / 4**shift), 1), shift, start)

    @property
    def bits(self) -> int:
        """Bits of the noise in two's complement."""
        return self.coins.bit_length() + 1 + self.shift

    def values(self, first: int, steps: int, n: int) -> NDArray[np.int64]:
        """Return the noise of n neurons in steps from `first` on, shape (steps, n)."""
        at, end = first * n, (first + steps) * n
        parts = [self._words(k, min(_WORDS, end - k)) for k in range(at, end, _WORDS)]
        ones = np.concatenate(parts).astype(np.int64)
        return ((2 * ones - self.coins) << self.shift).reshape(steps, n)

    def _words(self, first: int, n: int) -> NDArray[np.uint8]:
        """Return the number of ones among the coins of words from `first` on."""
        state = _state(self.start, MOST_COINS * first % _PERIOD)
        bits = _sequence(state, MOST_COINS * n).reshape(n, MOST_COINS)
        return np.asarray(bits[:, : self.coins].sum(axis=1, dtype=np.uint8))


def _sequence(state: int, n: int) -> NDArray[np.uint8]:
    """Return n bits of the register from a state on, whose lowest bit is the first.

    Squared k times, the recurrence has ``2**k`` times its distances, so each pass doubles the bits.
    """
    bits = np.empty(max(n, _LONG), np.uint8)
    bits[:_LONG] = state >> np.arange(_LONG) & 1
    done = _LONG
    while done < n:
        k = (done // _LONG).bit_length() - 1
        far, near = _LONG << k, _SHORT << k
        new = min(near, n - done)
        bits[done : done + new] = (
            bits[done - far : done - far + new] ^ bits[done - near : done - near + new]
        )
        done += new
    return bits[:n]


@lru_cache(maxsize=64)
def _state(start: int, distance: int) -> int:
    """Return the state of the register a number of bits after the state `start`."""
    power, square = 1, 2  # polynomials modulo x**31 + x**3 + 1
    while distance:
        if distance & 1:
            power = _product(power, square)
        square, distance = _product(square, square), distance >> 1
    ahead = _sequence(start, 2 * _LONG)
    chosen = power >> np.arange(_LONG) & 1
    return sum(int((ahead[i : i + _LONG] & chosen).sum() & 1) << i for i in range(_LONG))


def _product(a: int, b: int) -> int:
    """Return the product of two polynomials over GF(2) modulo x**31 + x**3 + 1."""
    found = 0
    while b:
        if b & 1:
            found ^= a
        b >>= 1
        a <<= 1
        if a >> _LONG:
            a ^= 1 << _LONG | 0b1001
    return found
