"""Softmax of the integers of each step, by Euler's method on lines of a thermometer code.

Lines are counted by full adders, and counts compared with constants. Everything is a gate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sc_neurocore.operators.adders import at_least, sum_digits
from sc_neurocore.operators.gates import repacked, unpacked
from sc_neurocore.streams import Bitstream, stack

__all__ = ["softmax_lines"]


def softmax_lines(x: Bitstream, unit: int, n: int, n_iterations: int) -> Bitstream:
    """Return the lines (..., tokens, n) of the softmax of integers x (..., tokens, m) / unit.

    With the count c of ones among the n lines of a token, and its integer s, an iteration is as below.
    The mean of s has r m lines, so that it is rounded to 2 / r, where r is a power of two::

        S <- sum over tokens of s c / n
        c <- c + (s c - S c) / (unit * n_iterations)
    """
    n_tokens, m = x.shape[-2:]
    r_bits = (-(-n // m) - 1).bit_length()
    n_mean, weight = m << r_bits, unit * n_iterations << r_bits
    zero = x[..., 0] & ~x[..., 0]
    first = (2 * n + n_tokens) // (2 * n_tokens)
    c = stack([~zero] * first + [zero] * (n - first))
    # Counts of ones at which a line of the mean, and one of the result, is 1, as below.
    of_mean = [n_tokens * m * n - (n * (n_mean + 1 - 2 * j) >> r_bits) for j in range(1, n_mean + 1)]
    of_result = [2 * n_mean * n - (-weight * (2 * j - 1) // 2) for j in range(1, n + 1)]
    for _ in range(n_iterations):
        products = _products(x, c)  # s c + m n ones
        of_all = [lines.reshape(*lines.shape[:-2], n_tokens * m * n) for lines in products]
        mean = _reached([_unpacked(*of_all)], of_mean, zero[..., 0])
        less = _products(~mean[..., None, :], c)  # n_mean n - r S c ones
        columns = [
            _unpacked(c if weight >> bit & 1 else zero[..., None]) for bit in range(weight.bit_length())
        ]
        columns[0] += _unpacked(*less)
        columns[r_bits] += _unpacked(*products)
        c = _reached(columns, of_result, zero)
    return c


def _products(x: Bitstream, c: Bitstream) -> tuple[Bitstream, Bitstream]:
    """Return lines of which m n more than s c are 1, for m lines of s and n of a count c.

    A line of s is a digit -1 or 1. Times a bit, it is one less than the sum of two lines.
    """
    a, b = x[..., :, None], c[..., None, :]
    both, either = a & b, a | ~b
    size = x.shape[-1] * c.shape[-1]
    return (
        both.reshape(*both.shape[:-2], size),
        either.reshape(*either.shape[:-2], size),
    )


def _unpacked(*lines: Bitstream) -> list[Any]:
    return [line for each in lines for line in unpacked(each)]


def _reached(columns: Sequence[Sequence[Any]], counts: Sequence[int], zero: Bitstream) -> Bitstream:
    """Return a line for each count: 1 where lines of weight 1, 2, 4, ... add up to at least that."""
    digits = sum_digits(columns)
    lines = []
    for count in counts:
        if count <= 0:
            lines.append(~zero)
        else:
            lines.append(zero if count >> len(digits) else repacked(at_least(digits, count), zero))
    return stack(lines)
