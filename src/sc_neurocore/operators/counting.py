"""Functions of sums: a parallel counter, whose binary digits are inputs of a machine.

The counter is a tree of full adders. These are gates, so that it is computed 64 time steps at a time,
recorded in circuits and written as Verilog. A machine then reads its digits instead of its inputs:
eight digits count 255 inputs.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from sc_neurocore import _checks
from sc_neurocore.operators._batches import n_inputs
from sc_neurocore.operators.gates import repacked, unpacked
from sc_neurocore.operators.machine import Machine
from sc_neurocore.streams import Bitstream
from sc_neurocore.streams._dispatch import on_streams
from sc_neurocore.streams.correlation import check_input

__all__ = ["btanh"]

# Inputs of a parallel counter: its binary digits are the inputs of one machine.
MOST_COUNTED = 255


@on_streams
def btanh(x: Bitstream, n_states: int) -> Bitstream:
    """Return about ``tanh(n_states * s / (2 v))`` of a sum s in bipolar code.

    A parallel counter adds the n inputs, and a saturating counter c in ``[0, n_states)`` adds the
    digits of all of them; it starts in the middle and writes 1 in its upper half, before the step::

        z = 1 if c >= n_states / 2 else 0
        c <- min(max(c + 2 count - n, 0), n_states - 1)

    With the values ``x_i = 2 p_i - 1`` of the inputs, s is their sum and v that of ``1 - x_i**2``, the
    variance of a step. With ``n_states = 2 n`` the result is therefore about ``tanh(s)`` for small
    values. The formula is the limit of many states; exact mean and variance are those of the chain of
    c, see `Circuit.predict`. For one input the operator is `stanh` (Btanh; Kim, Kim, Yoo, Choi, Lee,
    Choi: Dynamic energy-accuracy trade-off using stochastic computing in deep neural networks; DAC
    2016).

    Requires inputs that are white in time and independent of each other. Inputs that share a generator
    move c in larger steps: v grows up to ``n**2``, and the slope falls by up to n.

    Parameters
    ----------
    x : Bitstream, of batch shape (..., n)
        Inputs such as the products of a neuron, at most 255.
    n_states : int
        States of the counter, even, from 2 to 4096.

    Returns
    -------
    Bitstream, of batch shape (...)

    Raises
    ------
    TypeError
        If x is not a Bitstream, or `n_states` is not an integer.
    ValueError
        If x has no or too many inputs, or `n_states` is odd or outside its range.

    Examples
    --------
    A neuron of three products, whose ``tanh(0.6)`` is 0.54; with so few states the chain has 0.62:

    >>> from sc_neurocore import Bipolar, Role, stream_key
    >>> from sc_neurocore.operators import btanh
    >>> products = Bipolar.encode([0.2, 0.5, -0.1], 65536, key=stream_key(1, Role.INPUT))
    >>> y = Bipolar(btanh(products.stream, 6))
    >>> print(f"{y.value():.2f}")
    0.62
    """
    n = n_inputs(x)
    if n > MOST_COUNTED:
        _checks.fail("x", f"have at most {MOST_COUNTED} inputs along its last batch axis", n)
    states = _checks.integer("n_states", n_states, 2, 2**12)
    if states % 2:
        _checks.fail("n_states", "be even", states)
    check_input("btanh", x)
    return _saturating_counter(n, states).run(*binary_digits(x), state=states // 2)[0]


def binary_digits(x: Bitstream) -> list[Bitstream]:
    """Return the number of ones along the last batch axis as streams of binary digits, lowest first."""
    columns: list[list[Any]] = [list(unpacked(x))]
    digits = []
    for column in columns:
        if len(column) > 1:
            columns.append([])
        while len(column) > 1:
            a, b = column.pop(0), column.pop(0)
            either = a ^ b
            if column:
                c = column.pop(0)
                columns[-1].append(a & b | either & c)
                column.append(either ^ c)
            else:
                columns[-1].append(a & b)
                column.append(either)
        digits.append(repacked(column[0], x))
    return digits


def count_table(shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Return state and count of each entry of a machine whose inputs are binary digits."""
    state, *digits = np.indices(shape)
    return state, sum(digit << i for i, digit in enumerate(digits))


@lru_cache(maxsize=16)
def _saturating_counter(n: int, n_states: int) -> Machine:
    state, count = count_table((n_states, *(2,) * n.bit_length()))
    after = np.clip(state + 2 * np.minimum(count, n) - n, 0, n_states - 1)
    return Machine(after.astype(np.uint32), (np.arange(n_states) >= n_states // 2).astype(np.uint8))
