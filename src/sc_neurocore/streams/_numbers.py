"""Arithmetic of the deterministic sources: formulas, tables and primitive polynomials."""

from __future__ import annotations

import math
from functools import lru_cache
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import NDArray

from sc_neurocore import _native
from sc_neurocore._types import Words
from sc_neurocore.streams.keys import ORDER_KEY, SHIFT_DOMAIN

ALL_LEVELS = 2**32
GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0

# Exponents of a primitive polynomial x**width + ... + 1 for each width from 3 to 32.
TAPS: dict[int, tuple[int, ...]] = {
    3: (3, 2), 4: (4, 3), 5: (5, 3), 6: (6, 5), 7: (7, 6), 8: (8, 6, 5, 4), 9: (9, 5), 10: (10, 7),
    11: (11, 9), 12: (12, 6, 4, 1), 13: (13, 4, 3, 1), 14: (14, 5, 3, 1), 15: (15, 14),
    16: (16, 14, 13, 11), 17: (17, 14), 18: (18, 11), 19: (19, 6, 2, 1), 20: (20, 17), 21: (21, 19),
    22: (22, 21), 23: (23, 18), 24: (24, 23, 22, 17), 25: (25, 22), 26: (26, 6, 2, 1),
    27: (27, 5, 2, 1), 28: (28, 25), 29: (29, 27), 30: (30, 6, 4, 1), 31: (31, 28),
    32: (32, 22, 2, 1),
}  # fmt: skip

_KEPT_LANES = 2**14
_LANE = np.uint64(0xFFFFFFFF)


def random32(key: int, streams: Words) -> NDArray[np.uint32]:
    """Return a uniform 32-bit number for each stream of a key."""
    return random_below(ALL_LEVELS, key, streams).astype(np.uint32)


def random_below(n: int | Words, key: int, streams: Words) -> Words:
    """Return a random number in [0, n) for each stream of a key, for n up to 2**32.

    Probabilities differ from 1 / n by less than 2**-32.
    """
    below = np.atleast_1d(np.asarray(n, np.uint64))
    return _native.draw(key, SHIFT_DOMAIN, np.ascontiguousarray(streams), np.ascontiguousarray(below))


def additive_walks(
    randomized: bool, step: int, modulus: int, key: int, streams: Words
) -> tuple[Words, Words]:
    """Return the step and the offset of the additive recurrence of each stream.

    If randomized, the step is multiplied by a random unit modulo the modulus, one per lane.
    """
    if not randomized:
        return np.full(streams.size, step, np.uint64), np.zeros(streams.size, np.uint64)
    lanes = streams & _LANE
    largest = int(lanes.max(initial=0))
    if largest < _KEPT_LANES:
        steps = _kept_steps(step, modulus, 1 << largest.bit_length())[lanes]
    else:
        few, index = np.unique(lanes, return_inverse=True)
        steps = _lane_steps(step, modulus, few)[index]
    return steps, random_below(modulus, key, streams)


@lru_cache(maxsize=32)
def _kept_steps(step: int, modulus: int, n: int) -> Words:
    return _lane_steps(step, modulus, np.arange(n, dtype=np.uint64))


def _lane_steps(step: int, modulus: int, lanes: Words) -> Words:
    """Return the step times a random unit of each lane, modulo the modulus."""
    # A unit has no factor in common with the modulus, so that its multiples reach every number.
    units = random_below(modulus, ORDER_KEY, lanes)
    while (shared := np.gcd(units, np.uint64(modulus)) > 1).any():
        units[shared] = (units[shared] + np.uint64(1)) % np.uint64(modulus)
    return units * np.uint64(step) % np.uint64(modulus)


def additive_numbers(
    modulus: int, steps: Words, offsets: Words, first: int, length: int
) -> NDArray[np.uint32]:
    """Return (offset + t * step) % modulus for steps t from `first` on, shape (n, length)."""
    t = np.arange(first, first + length, dtype=np.uint64) % np.uint64(modulus)
    path = t * steps[:, np.newaxis] % np.uint64(modulus)
    return np.asarray((offsets[:, np.newaxis] + path) % np.uint64(modulus), np.uint32)


@lru_cache(maxsize=256)
def golden_step(period: int) -> int:
    """Return the step near 0.618 * period whose multiples are distributed most evenly.

    The discrepancy of the points (t / period, t * step / period) is bounded by the sum of the partial
    quotients of the fraction step / period (Niederreiter: Random number generation and quasi-Monte
    Carlo methods, 1992, theorem 5.17). The golden ratio has the smallest quotients, but the integer
    nearest to 0.618 * period can have a large sum. The step is the best of 257 integers near it.
    """
    near = round(period * GOLDEN)
    steps = range(max(near - 128, 2), min(near + 129, period))
    coprime = [step for step in steps if math.gcd(step, period) == 1]
    return min(coprime, key=lambda step: (_sum_of_quotients(step, period), abs(step - near)))


def _sum_of_quotients(a: int, b: int) -> int:
    total = 0
    while a:
        total += b // a
        a, b = b % a, a
    return total


def coprime_bases(base: int, n: int) -> list[int]:
    """Return the base and the n - 1 smallest primes that do not divide it."""
    bases = [base]
    for candidate in primes().tolist():
        if len(bases) == n:
            break
        if base % candidate:
            bases.append(candidate)
    return bases


def prime_factors(n: int) -> list[int]:
    """Return the prime factors of n, each once."""
    factors, d = [], 2
    while d * d <= n:
        if n % d == 0:
            factors.append(d)
            while n % d == 0:
                n //= d
        d += 1
    return factors + [n] * (n > 1)


def reordered(
    dimension: int, streams: Words, width: int, *, in_blocks: bool
) -> tuple[NDArray[np.uint32], Words]:
    """Return generator matrices (n_lanes, 32), one per lane, and the index of each stream's matrix.

    They are matrices of a Sobol dimension or, for dimension -1, of the counter, with `width` columns.
    The order of steps of a lane is changed by multiplying the binary digits of t by a random matrix of
    the lane. With `in_blocks` it is upper triangular: each block of 2**w steps from step 0 on keeps its
    numbers, and lane 0 keeps its order. Otherwise it is any regular matrix, which keeps the period.
    """
    lanes, index = streams & _LANE, None
    largest = int(lanes.max(initial=0))
    if largest >= _KEPT_LANES:
        lanes, index = np.unique(lanes, return_inverse=True)
        return _lane_matrices(dimension, width, in_blocks, lanes), index.astype(np.uint64)
    # Rounded up to a power of two, so that few tables are kept.
    return _kept_matrices(dimension, width, in_blocks, 1 << largest.bit_length()), lanes


@lru_cache(maxsize=32)
def _kept_matrices(dimension: int, width: int, in_blocks: bool, n: int) -> NDArray[np.uint32]:
    return _lane_matrices(dimension, width, in_blocks, np.arange(n, dtype=np.uint64))


def _lane_matrices(dimension: int, width: int, in_blocks: bool, lanes: Words) -> NDArray[np.uint32]:
    orders = _triangular(lanes, width, upper=True)
    if not in_blocks:
        orders = _product(_triangular(lanes, width, upper=False), orders)
    else:
        orders[lanes == 0] = np.uint32(1) << np.arange(32, dtype=np.uint32)
    columns = generator_columns(dimension, width)
    return np.ascontiguousarray(_product(np.repeat(columns[np.newaxis], lanes.size, axis=0), orders))


@lru_cache(maxsize=16)
def phases_of_states(width: int, feedback: int, zero: bool = False) -> NDArray[np.uint64]:
    """Return for each state of a register the number of steps that lead to it from state 1.

    With `zero`, state 0 follows state 1.
    """
    phases = np.full(1 << width, int(zero), np.uint64)
    state = 1
    for phase in range((1 << width) - 1):
        phases[state] = phase + (zero and phase > 0)
        state = state >> 1 | ((state & feedback).bit_count() & 1) << (width - 1)
    return phases


def generator_columns(dimension: int, width: int) -> NDArray[np.uint32]:
    """Return the first `width` columns of a Sobol dimension or, for dimension -1, of the counter."""
    digits = np.arange(32)
    if dimension >= 0:
        columns = sobol_columns()[dimension]
    else:
        columns = (1 << np.maximum(32 - width + digits, 0)).astype(np.uint32)
    return np.where(digits < width, columns, np.uint32(0))


def _triangular(lanes: Words, width: int, *, upper: bool) -> NDArray[np.uint32]:
    """Return random triangular matrices over GF(2) with ones on the diagonal, as columns (n, 32)."""
    columns = np.zeros((lanes.size, 32), np.uint32)
    for j in range(width):
        diagonal = 1 << j
        free = diagonal - 1 if upper else (1 << width) - 2 * diagonal
        numbers = random32(ORDER_KEY, lanes | np.uint64(2 * j + upper << 32))
        columns[:, j] = numbers & np.uint32(free) | np.uint32(diagonal)
    return columns


def _product(a: NDArray[np.uint32], b: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the products of matrices over GF(2), as columns (n, 32)."""
    product = np.zeros_like(b)
    for k in range(32):
        product ^= np.where(b >> np.uint32(k) & np.uint32(1), a[:, k : k + 1], np.uint32(0))
    return product


def digital_numbers(
    columns: NDArray[np.uint32], shifts: NDArray[np.uint32], first: int, length: int
) -> NDArray[np.uint32]:
    """Return the exclusive or of shifts (n,) and the columns (n, 32) selected by the ones of t.

    The shape is (n, length), for steps t from `first` on.
    """
    t = np.arange(first, first + length, dtype=np.uint64)
    numbers = np.repeat(shifts[:, np.newaxis], length, axis=1)
    for j in range(32):
        numbers ^= np.where(t >> np.uint64(j) & np.uint64(1), columns[:, j : j + 1], np.uint32(0))
    return numbers


def in_gray_order(columns: NDArray[np.uint32], width: int) -> NDArray[np.uint32]:
    """Return matrices (n, 32) whose numbers at t are those of others at the Gray code of t.

    Bit j of t is in the digits j and j - 1 of ``t ^ t >> 1``; t has `width` digits.
    """
    gray = columns.copy()
    gray[:, 1:] ^= columns[:, :-1]
    gray[:, width:] = 0
    return gray


@lru_cache(maxsize=16)
def sobol_columns(width: int = 32, gray: bool = False) -> NDArray[np.uint32]:
    """Return the first columns of all dimensions, shape (1024, 32); bit j of t is for column j."""
    if width == 32 and not gray:
        return _sobol_columns()
    columns = np.where(np.arange(32) < width, _sobol_columns(), np.uint32(0))
    columns = in_gray_order(columns, width) if gray else columns
    columns.flags.writeable = False
    return columns


@lru_cache(maxsize=1)
def _sobol_columns() -> NDArray[np.uint32]:
    with as_file(files("sc_neurocore") / "data" / "sobol.npz") as path, np.load(path) as table:
        polynomials, initial = table["polynomials"], table["initial"]
    columns = np.empty((polynomials.size, 32), np.uint32)
    columns[0] = 1 << np.arange(31, -1, -1)
    start = 1
    for row, polynomial in zip(columns[1:], polynomials[1:].tolist(), strict=True):
        degree = polynomial.bit_length() - 1
        m = initial[start : start + degree].tolist()
        start += degree
        # m(j) = 2 a(1) m(j - 1) ^ ... ^ 2**degree m(j - degree) ^ m(j - degree)
        for j in range(degree, 32):
            new = m[j - degree]
            for i in range(1, degree + 1):
                if polynomial >> (degree - i) & 1:
                    new ^= m[j - i] << i
            m.append(new)
        row[:] = [number << (31 - j) for j, number in enumerate(m)]
    columns.flags.writeable = False
    return columns


def largest_power(base: int) -> int:
    """Return the largest power of the base up to 2**32."""
    power = base
    while power * base <= ALL_LEVELS:
        power *= base
    return power


def digit_shifts(randomized: bool, powers: int | Words, key: int, streams: Words) -> Words:
    """Return random digits for each stream, as one number below the power of its base; or zeros."""
    return random_below(powers, key, streams) if randomized else np.zeros(streams.size, np.uint64)


def radical_numbers(bases: Words, shifts: Words, first: int, length: int) -> NDArray[np.uint32]:
    """Return radical inverses of the steps from `first` on, with shifted digits, shape (n, length)."""
    t = np.arange(first, first + length, dtype=np.uint64)
    numbers = np.empty((bases.size, length), np.uint32)
    for row, base, shift in zip(numbers, bases.tolist(), shifts.tolist(), strict=True):
        power = weight = largest_power(base)
        value, rest = np.zeros(length, np.uint64), t
        while weight > 1:
            weight //= base
            digit = shift // weight % base
            value += (rest % np.uint64(base) + np.uint64(digit)) % np.uint64(base) * np.uint64(weight)
            rest = rest // np.uint64(base)
        row[:] = (value << np.uint64(32)) // np.uint64(power)
    return numbers


@lru_cache(maxsize=1)
def prime_powers() -> Words:
    """Return the largest power up to 2**32 of each number in `primes`."""
    return np.array([largest_power(prime) for prime in primes().tolist()], np.uint64)


@lru_cache(maxsize=1)
def primes() -> Words:
    """Return the first 1,000 prime numbers."""
    sieve = np.ones(7920, np.bool_)
    sieve[:2] = False
    for n in range(2, 89):
        sieve[n * n :: n] = False
    return np.flatnonzero(sieve).astype(np.uint64)


def feedback(width: int, taps: tuple[int, ...]) -> int:
    """Return the mask of the state bits whose parity is shifted in."""
    return sum(1 << (width - e) for e in taps)


@lru_cache(maxsize=64)
def is_primitive(feedback: int, width: int) -> bool:
    """Return whether the polynomial x**width + feedback over GF(2) is primitive."""
    # That is, whether x has the order 2**width - 1 modulo the polynomial.
    order = 2**width - 1
    return _power_of_x(order, feedback, width) == 1 and all(
        _power_of_x(order // prime, feedback, width) != 1 for prime in prime_factors(order)
    )


def _power_of_x(exponent: int, feedback: int, width: int) -> int:
    polynomial = feedback | 1 << width

    def product(a: int, b: int) -> int:
        result = 0
        for j in range(width - 1, -1, -1):
            result <<= 1
            result ^= polynomial if result >> width else 0
            result ^= a if b >> j & 1 else 0
        return result

    power = 1
    for digit in bin(exponent)[2:]:
        power = product(power, power)
        if digit == "1":
            power = product(power, 2)
    return power
