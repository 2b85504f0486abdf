"""Packing: 64 time steps per word, bit t in word t // 64 at position t % 64, zeros past the length."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _native
from sc_neurocore._types import Words


def n_words(length: int) -> int:
    """Return the number of words that hold `length` bits."""
    return -(-length // 64)


def last_mask(length: int) -> np.uint64:
    """Return the bits of the last word that lie within the length."""
    return np.uint64(2**64 - 1 >> -length % 64)


def leading_bits(numbers: NDArray[np.uint32], bits: int) -> NDArray[np.uint32]:
    """Return the leading bits of numbers of 32 bits, as they are if there are 32."""
    return numbers if bits == 32 else numbers >> np.uint32(32 - bits)


def of_32_bits(thresholds: Words, bits: int) -> Words:
    """Return the thresholds of 32-bit numbers that are those of their leading bits."""
    return thresholds if bits == 32 else thresholds << np.uint64(32 - bits)


def pack(bits: NDArray[Any]) -> Words:
    """Return bits (..., length) as words (..., n_words)."""
    octets = np.packbits(bits, axis=-1, bitorder="little")
    words = np.zeros((*bits.shape[:-1], n_words(bits.shape[-1])), "<u8")
    words.view(np.uint8)[..., : octets.shape[-1]] = octets
    return words.astype(np.uint64, copy=False)


def unpack(words: Words, length: int) -> NDArray[np.uint8]:
    """Return the bits (..., length) of words (..., n_words)."""
    octets = np.ascontiguousarray(words, "<u8").view(np.uint8)
    return np.unpackbits(octets, axis=-1, count=length, bitorder="little")


def count_ones(words: Words) -> NDArray[np.int64]:
    """Return the number of ones of streams (..., n_words), shape (...)."""
    *batch, n = words.shape
    rows = np.ascontiguousarray(words).reshape(math.prod(batch), n)
    return _native.ones(rows).reshape(batch)


def ones(shape: tuple[int, ...], length: int) -> Words:
    """Return streams that are always 1, of shape (*shape, n_words)."""
    words = np.full((*shape, n_words(length)), 2**64 - 1, np.uint64)
    words[..., -1] = last_mask(length)
    return words


def shifted(words: Words, steps: int | NDArray[np.int64], n: int) -> Words:
    """Return the last n words of streams (..., k, n_words), delayed by a number of steps.

    `steps` is one delay for all streams, or one per stream, of shape (k,). At least ``steps // 64 + 1``
    words of the past must precede the n words. Bits past the length are not cleared.
    """
    whole, rest = np.divmod(steps, 64)
    bits = np.asarray(rest, np.uint64)
    if isinstance(whole, np.ndarray):
        rows, bits = np.arange(len(whole))[:, np.newaxis], bits[:, np.newaxis]
        at = words.shape[-1] - n + np.arange(n) - whole[:, np.newaxis]
        now, before = words[..., rows, at], words[..., rows, at - 1]
    else:
        stop = words.shape[-1] - int(whole)
        now, before = words[..., stop - n : stop], words[..., stop - n - 1 : stop - 1]
    late = now << bits
    late |= before >> (np.uint64(63) - bits) >> np.uint64(1)
    return np.ascontiguousarray(late)


def delayed(words: Words, steps: int | NDArray[np.int64], length: int) -> Words:
    """Return streams delayed by a number of steps and cut to the same length; they begin with zeros.

    `steps` is one delay for streams of shape (..., n_words), or one per stream, of shape (k,), for
    streams of shape (..., k, n_words).
    """
    late = min(steps, length) if isinstance(steps, int) else np.minimum(steps, length)
    past = np.zeros((*words.shape[:-1], int(np.max(late)) // 64 + 1), np.uint64)
    result = shifted(np.concatenate([past, words], axis=-1), late, words.shape[-1])
    result[..., -1] &= last_mask(length)
    return result


def cut(words: Words, start: int, stop: int) -> Words:
    """Return the words of the steps start .. stop - 1."""
    first, rest = start // 64, start % 64
    n = n_words(stop - start)
    part = words[..., first : first + n] >> np.uint64(rest)
    if rest:
        behind = words[..., first + 1 : first + 1 + n]
        part[..., : behind.shape[-1]] |= behind << np.uint64(64 - rest)
    part[..., -1] &= last_mask(stop - start)
    return np.ascontiguousarray(part)


def joined(parts: list[tuple[Words, int]]) -> Words:
    """Return the words of streams joined in time, from the words and the length of each."""
    total = sum(length for _, length in parts)
    words = np.zeros((*parts[0][0].shape[:-1], n_words(total) + 1), np.uint64)
    at = 0
    for part, length in parts:
        first, rest = at // 64, at % 64
        words[..., first : first + part.shape[-1]] |= part << np.uint64(rest)
        if rest:
            behind = words[..., first + 1 : first + 1 + part.shape[-1]]
            behind |= part >> np.uint64(64 - rest)
        at += length
    return np.ascontiguousarray(words[..., :-1])
