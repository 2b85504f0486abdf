"""Machines that add, divide and convert values digit by digit; the codings build on them.

At each step a value is a digit: 0 or 1 in unipolar code, -1 or 1 in bipolar code, -1, 0 or 1 on two
lines. A counter keeps what the digit of the result cannot express, up to `DEPTH`. The digits of a
result therefore add up to those of its operands, less the final counter and less what was lost while
the counter was full, and any correlation of the operands with each other is allowed.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sc_neurocore import _checks
from sc_neurocore.operators.adders import counted, toggle_add
from sc_neurocore.operators.counting import saturating_counter
from sc_neurocore.operators.decorrelation import synchronize
from sc_neurocore.operators.machine import Machine
from sc_neurocore.operators.machines import linear_machine
from sc_neurocore.streams import Bitstream, stack
from sc_neurocore.streams._dispatch import on_streams
from sc_neurocore.streams.correlation import check_input, check_inputs, check_operands

__all__ = [
    "DEPTH",
    "bipolar_product",
    "bipolar_quotient",
    "bipolar_sum",
    "chosen_lines",
    "halved",
    "integral_tanh",
    "quotient",
    "rectified",
    "sorted_lines",
    "two_line_sum",
]

# Largest count that is kept.
DEPTH = 64


def _machine(next_state: ArrayLike, outputs: ArrayLike) -> Machine:
    return Machine(np.asarray(next_state, np.uint32), np.asarray(outputs, np.uint8))


@on_streams
def bipolar_product(x: Bitstream, y: Bitstream) -> Bitstream:
    """Return the product of two streams in bipolar code, x XNOR y."""
    check_operands("Bipolar *", x, y)
    return ~(x ^ y)


@on_streams
def bipolar_sum(x: Bitstream, y: Bitstream) -> Bitstream:
    """Return the sum of two streams in bipolar code, clipped to [-1, 1].

    The counter c starts at 0 (Wu, Li, Yin, Hsiao, Kim, San Miguel: uGEMM: Unary computing architecture
    for GEMM applications; ISCA 2020, the non-scaled adder)::

        s = c + digit(x) + digit(y),   z = 1 if s > 0 else 0,   c <- s - digit(z)
    """
    return _bipolar_adder().run(x, y, state=DEPTH)[0]


@cache
def _bipolar_adder() -> Machine:
    ones = np.add.reduce(np.indices((2 * DEPTH + 1, 2, 2)) * [[[[1]]], [[[2]]], [[[2]]]])
    total = ones - DEPTH - 2
    outputs = total > 0
    left = total - np.where(outputs, 1, -1)
    # A full counter loses the digit 2 of a pair, which keeps it even or odd.
    left = np.where(left > DEPTH, left - 2, np.where(left < -DEPTH, left + 2, left))
    return _machine(left + DEPTH, outputs)


@on_streams
def two_line_sum(
    a_plus: Bitstream, a_minus: Bitstream, b_plus: Bitstream, b_minus: Bitstream
) -> tuple[Bitstream, Bitstream]:
    """Return the lines of the sum of two values on two lines, clipped to [-1, 1].

    With the counter c::

        s = c + digit(a) + digit(b),   digit(z) = sign(s),   c <- s - digit(z)
    """
    z, _ = _two_line_adder().run(a_plus, a_minus, b_plus, b_minus, state=DEPTH)
    return z[0], z[1]


@cache
def _two_line_adder() -> Machine:
    c, *bits = np.indices((2 * DEPTH + 1, 2, 2, 2, 2))
    total = c - DEPTH + bits[0] - bits[1] + bits[2] - bits[3]
    digit = np.sign(total)
    left = np.clip(total - digit, -DEPTH, DEPTH)
    return _machine(left + DEPTH, np.stack([digit > 0, digit < 0]))


@on_streams
def rectified(plus: Bitstream, minus: Bitstream | None = None, *, depth: int) -> Bitstream:
    """Return max(0, x) in unipolar code, of x in bipolar code or on two lines.

    The counter holds the digits -1 that no later digit 1 has cancelled, at most `depth`; a digit 1 is
    written if there are none. In bipolar code, for white input of density p and with
    ``r = (1 - p) / p``, the stationary density is::

        z = p (1 - r) / (1 - r**(depth + 1))
    """
    depth = _checks.integer("depth", depth, 1, 2**16 - 1)
    machine = _rectifier(depth, minus is not None)
    return machine.run(plus)[0] if minus is None else machine.run(plus, minus)[0]


@lru_cache(maxsize=16)
def _rectifier(depth: int, two_lines: bool) -> Machine:
    count, *bits = np.indices((depth + 1, 2, 2) if two_lines else (depth + 1, 2))
    digit = bits[0] - bits[1] if two_lines else 2 * bits[0] - 1
    return _machine(np.clip(count - digit, 0, depth), (digit > 0) & (count == 0))


@on_streams
def quotient(x: Bitstream, y: Bitstream) -> Bitstream:
    """Return p / q for p <= q: `cordiv` of x with its ones moved to those of y.

    (Wu, San Miguel: In-stream stochastic division and square root via correlation; DAC 2019.)
    """
    check_input("Unipolar /", x)
    check_input("Unipolar /", y)
    return _divided(x, y)


@on_streams
def bipolar_quotient(x: Bitstream, y: Bitstream) -> Bitstream:
    """Return x / y in bipolar code, for abs(x) <= abs(y), as a quotient of magnitudes and a sign."""
    sign_x, sign_y = (_SIGN.run(one, state=SIGN_STATES // 2)[0] for one in (x, y))
    u, w = (rectified(~(a ^ sign), depth=DEPTH) for a, sign in ((x, sign_x), (y, sign_y)))
    magnitude = toggle_add(stack([_divided(u, w), ~(u & ~u)]))
    return magnitude ^ sign_x ^ sign_y


# States of the saturating counter whose upper half means a positive value.
SIGN_STATES = 32
_SIGN = linear_machine(np.arange(SIGN_STATES) >= SIGN_STATES // 2)


def _divided(x: Bitstream, y: Bitstream) -> Bitstream:
    aligned, divisor = synchronize(x, y, DEPTH, skewed=True)
    return _HELD.run(aligned, divisor)[0]


# The bit of the dividend where the divisor is 1, and the one before elsewhere, as in `cordiv`.
_HELD = _machine([[[0, 0], [0, 1]], [[1, 0], [1, 1]]], [[[0, 0], [0, 1]], [[1, 0], [1, 1]]])


@on_streams
def halved(x: Bitstream) -> Bitstream:
    """Return half a value in bipolar code: the ones are floor(L / 4 + ones(x) / 2).

    A counter adds 3 for a one and 1 for a zero, and writes a one for every 4.
    """
    return _HALVER.run(x)[0]


_HALVER = _machine(
    (np.arange(4)[:, np.newaxis] + [1, 3]) % 4, (np.arange(4)[:, np.newaxis] + [1, 3]) // 4
)


@on_streams
def integral_tanh(x: Bitstream, n_states: int) -> Bitstream:
    """Return a hyperbolic tangent of the sum of the lines x (..., m), see `Integral.tanh`."""
    m = x.shape[-1]
    check_inputs("Integral.tanh", x)
    machine, start = saturating_counter(m, m * n_states)
    return machine.run(*counted(x), state=start)[0]


def sorted_lines(lines: list[Any]) -> list[Any]:
    """Return lines with the ones first, by Batcher's odd-even merge sort of any number of lines."""
    lines, n = list(lines), len(lines)
    p = 1
    while p < n:
        k = p
        while k:
            for j in range(k % p, n - k, 2 * k):
                for i in range(j, min(j + k, n - k)):
                    if i // (2 * p) == (i + k) // (2 * p):
                        lines[i], lines[i + k] = lines[i] | lines[i + k], lines[i] & lines[i + k]
            k //= 2
        p *= 2
    return lines


def chosen_lines(x: Bitstream, counts: tuple[int, ...], n: int) -> Bitstream:
    """Return n lines of which as many are 1 as `counts` holds for the number of ones of x.

    The lines of x are sorted, so that line k changes between k and k + 1 ones.
    """
    table = np.array(counts)[:, np.newaxis] > np.arange(n)
    zero = x[..., 0] & ~x[..., 0]
    lines = []
    for column in table.T:
        line = ~zero if column[0] else zero
        changes = np.flatnonzero(column[1:] != column[:-1]).tolist()
        if changes and not column[0]:
            line = x[..., changes.pop(0)]
        for k in changes:
            line = line ^ x[..., k]
        lines.append(line)
    return stack(lines)
